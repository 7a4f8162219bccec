//! From a component's bytes to a frontend that is ready to run: what it imports and exports is looked at, and how heavy it
//! is, the strategy is plugged in, and, once the [`compiler`](super::compiler) made code of it, imports are resolved.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use portolan_oci::Digest;
use wasmtime::component::{Component as Code, InstancePre, Linker};

use super::compose::compose;
use super::describe::Info;
use super::shape::Shape;
use super::{Bundled, Host, LoadError, Part, wasi, weight};
use crate::bindings::{frontend, image_resolver};
use crate::limits::Limits;
use crate::session::Session;

/// The version of the contract in `wit/`.
pub(super) const CONTRACT: &str = "0.1.0";
pub(super) const FRONTEND: &str = "portolan:oci/frontend";
pub(super) const STRATEGY: &str = "portolan:oci/strategy";
const IMAGE_RESOLVER: &str = "portolan:oci/image-resolver";

/// A frontend that was loaded: cheap to clone, to be run any number of times, side by side too.
#[derive(Clone)]
pub struct Frontend {
    pub(super) host: Host,
    pub(super) loaded: Arc<Loaded>,
}

pub(super) struct Loaded {
    /// What to call it until it has told its name.
    pub(super) label: String,
    key: Key,
    digest: Digest,
    shape: Shape,
    pub(super) pre: InstancePre<Session>,
    pub(super) frontend: frontend::GuestIndices,
    pub(super) resolver: Option<image_resolver::GuestIndices>,
    pub(super) info: OnceLock<Arc<Info>>,
    /// Where a foreign strategy lies in the component that was compiled.
    judge: Option<Range<usize>>,
}

/// What tells one component from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Bundled(Bundled),
    /// By its digest.
    Foreign(Digest),
}

impl std::fmt::Debug for Frontend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frontend").field("label", &self.loaded.label).finish_non_exhaustive()
    }
}

impl Frontend {
    /// The digest of the component as it was given, without the strategy.
    pub fn digest(&self) -> Digest {
        self.loaded.digest.clone()
    }

    /// What it can ask the host for, with its strategy: the interfaces that it imports.
    pub fn imports(&self) -> Vec<String> {
        let component = self.loaded.pre.component();
        component.component_type().imports(component.engine()).map(|(name, _)| name.to_owned()).collect()
    }

    /// Whether it answers [`Host::resolve_image`](crate::Host::resolve_image).
    pub fn resolves_images(&self) -> bool {
        self.loaded.resolver.is_some()
    }
}

impl Loaded {
    /// Whether somebody else wrote it.
    pub(super) fn foreign(&self) -> bool {
        matches!(self.key, Key::Foreign(_))
    }

    /// Whether somebody else's strategy is in it.
    pub(super) fn is_judged(&self) -> bool {
        self.judge.is_some()
    }

    /// Whose code lies at `offset` in what was compiled.
    pub(super) fn part(&self, offset: usize) -> Part {
        match &self.judge {
            Some(judge) if judge.contains(&offset) => Part::Strategy,
            _ => Part::Frontend,
        }
    }

    /// It was built against another contract, which showed as late as in an instance.
    pub(super) fn skewed(&self, detail: String) -> LoadError {
        self.shape.skewed(&self.label, detail)
    }
}

/// The strategy that a host plugs into every frontend.
pub(super) struct Strategy {
    pub(super) digest: Digest,
    /// The component, where somebody else wrote it.
    pub(super) foreign: Option<Vec<u8>>,
}

impl Strategy {
    pub(super) fn bytes(&self) -> &[u8] {
        self.foreign.as_deref().unwrap_or_else(|| Bundled::Strategy.bytes())
    }
}

/// A frontend that is not compiled yet.
pub(super) struct Draft {
    pub(super) key: Key,
    pub(super) label: String,
    pub(super) digest: Digest,
    pub(super) shape: Shape,
    /// What its code is kept as.
    pub(super) kept: Digest,
    /// See [`Loaded`].
    pub(super) judge: Option<Range<usize>>,
}

impl Draft {
    /// What is to be compiled: the frontend `bytes`, checked, with the strategy plugged in where it imports one.
    pub(super) fn composed(
        &mut self,
        bytes: Cow<'_, [u8]>,
        strategy: &Strategy,
        limits: &Limits,
    ) -> Result<Vec<u8>, LoadError> {
        let Draft { label, shape, key, judge, .. } = self;
        shape.check(label, "frontend", FRONTEND)?;
        if matches!(key, Key::Foreign(_)) {
            weight::check(label, &bytes, limits)?;
        }
        if !shape.imports(STRATEGY) {
            return Ok(bytes.into_owned());
        }
        let composed = compose(&bytes, strategy.bytes()).map_err(|error| shape.skewed(label, format!("{error:#}")))?;
        if let Some(foreign) = &strategy.foreign {
            *judge = place(&composed, foreign);
        }
        Ok(composed)
    }

    /// Linked, with the code that was made of it.
    pub(super) fn link(self, code: &Code, linker: &Linker<Session>) -> Result<Loaded, LoadError> {
        let Draft { key, label, digest, shape, judge, .. } = self;
        let skewed = |error: wasmtime::Error| shape.skewed(&label, format!("{error:#}"));
        let pre = prepare(linker, code).map_err(skewed)?;
        Ok(Loaded {
            frontend: frontend::GuestIndices::new(&pre).map_err(skewed)?,
            resolver: match shape.exports(IMAGE_RESOLVER) {
                true => Some(image_resolver::GuestIndices::new(&pre).map_err(skewed)?),
                false => None,
            },
            pre,
            info: OnceLock::new(),
            judge,
            shape,
            digest,
            key,
            label,
        })
    }
}

/// Where a component lies in what it is a part of. The strategy comes before the frontend, which may hold a copy of it.
fn place(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let head = part.get(..8)?;
    let mut heads = whole.windows(8).enumerate().filter(|(_, window)| *window == head);
    let (start, _) = heads.find(|(start, _)| whole.get(*start..).is_some_and(|rest| rest.starts_with(part)))?;
    Some(start..start + part.len())
}

/// Resolves the imports; WASI only for those who import it.
fn prepare(linker: &Linker<Session>, code: &Code) -> wasmtime::Result<InstancePre<Session>> {
    let imports_wasi = code.component_type().imports(linker.engine()).any(|(name, _)| wasi::is_wasi(name));
    if !imports_wasi {
        return linker.instantiate_pre(code);
    }
    let mut linker = linker.clone();
    wasi::add_to_linker(&mut linker, code)?;
    linker.instantiate_pre(code)
}

//! From a component's bytes to a frontend that is ready to run: what it imports and exports is looked at, the strategy is
//! plugged in, machine code is made, imports are resolved once.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use portolan_oci::Digest;
use wasmtime::Engine;
use wasmtime::component::{Component as Code, InstancePre, Linker};

use super::compiled::Compiled;
use super::compose::compose;
use super::describe::Info;
use super::shape::Shape;
use super::{Bundled, Host, LoadError, wasi};
use crate::bindings::{frontend, image_resolver};
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

    /// `code`, which was made of a component of that shape, linked.
    pub(super) fn new(
        key: Key,
        label: String,
        digest: Digest,
        code: &Code,
        shape: Shape,
        linker: &Linker<Session>,
    ) -> Result<Self, LoadError> {
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
            shape,
            digest,
            key,
            label,
        })
    }

    /// It was built against another contract, which showed as late as in an instance.
    pub(super) fn skewed(&self, detail: String) -> LoadError {
        self.shape.skewed(&self.label, detail)
    }
}

/// The strategy that a host plugs into every frontend.
pub(super) struct Strategy {
    pub(super) bytes: Cow<'static, [u8]>,
    pub(super) digest: Digest,
}

/// Machine code for a frontend with its strategy: what was kept, else checked, composed and compiled now.
pub(super) fn code(
    label: &str,
    bytes: &[u8],
    digest: &Digest,
    strategy: &Strategy,
    engine: &Engine,
    compiled: &Compiled,
) -> Result<Code, LoadError> {
    let kept = Compiled::key(engine, digest, &strategy.digest);
    if let Some(code) = compiled.get(engine, &kept) {
        return Ok(code);
    }
    let invalid = |reason: String| LoadError::Invalid { component: label.to_owned(), reason };
    let shape = Shape::of(bytes).map_err(invalid)?;
    shape.check(label, "frontend", FRONTEND)?;
    let composed = match shape.imports(STRATEGY) {
        true => Cow::Owned(compose(bytes, &strategy.bytes).map_err(|error| shape.skewed(label, format!("{error:#}")))?),
        false => Cow::Borrowed(bytes),
    };
    let code = Code::new(engine, &composed).map_err(|error| invalid(format!("{error:#}")))?;
    compiled.put(&kept, &code);
    Ok(code)
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

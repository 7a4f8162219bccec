//! Plug-ins: loading, composing, compiling and running them, on wasmtime.
//!
//! A [`Host`] has one engine, one linker and the frontends that it loaded, each compiled and linked once. A [`Run`] has one
//! store, which dies with it: a trap poisons no more than that. What a guest asks for goes to its session.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use portolan::{Bundled, Component, Grants, Host, Run};
//!
//! let host = Host::builder().build()?;
//! let layers = host.load(Component::Bundled(Bundled::Layers)).await?;
//! let run = Run::new(&layers)
//!     .argument("ref", "registry.example/team/app:1")
//!     .argument("last", "true")
//!     .grants(Grants::new().pull("registry.example/team/app")?);
//! let answer = host.run(run).await?;
//! println!("{:?}", answer.body);
//! # Ok(())
//! # }
//! ```

mod bundle;
mod compiled;
mod compiler;
mod component;
mod compose;
mod config;
mod describe;
mod fault;
mod guest;
mod image;
mod load;
mod publish;
mod published;
mod run;
mod shape;
mod terms;
mod ticker;
pub(crate) mod wasi;
mod weight;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use portolan_oci::Digest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::{Component as Code, Linker};

pub use bundle::BundleReads;
pub use component::{Bundled, Component};
pub use describe::{Info, Kind, Parameter};
pub use fault::{Cause, Failure, LoadError, Part, RunError};
pub use image::{Content, Image, ImageQuery};
pub use load::Frontend;
pub use publish::Publication;
pub use published::Published;
pub use run::{Answer, Body, Run, Stats};

use crate::bindings::{blobs, discovery, fetcher, host, pusher, resolver, types};
use crate::limits::Limits;
use crate::session::Session;
use crate::session::taped::{Taped, Tapes};
use crate::source::Registries;
use crate::turns::Turns;
use compiled::Compiled;
use compiler::Compiler;
use load::{Draft, Key, Loaded, STRATEGY, Strategy};
use shape::Shape;
use ticker::{Running, Ticker};

/// Runs frontends. Cheap to clone; nothing in it is global.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    linker: Linker<Session>,
    ticker: Ticker,
    limits: Arc<Limits>,
    registries: Option<Arc<dyn Registries>>,
    platform: Arc<str>,
    strategy: Strategy,
    compiled: Compiled,
    compiler: Compiler,
    /// Places in the pool, where there is one.
    places: Option<Arc<Semaphore>>,
    loaded: Mutex<HashMap<Key, Arc<Loaded>>>,
    /// Held by whoever has one compiled; the others wait for what comes of it.
    turns: Turns<Key>,
}

/// Frontends in memory, above which those that nobody holds are let go.
const LOADED: usize = 64;

/// A component that was read.
enum Opened {
    Ready(Frontend),
    /// With its bytes, as they were given.
    Draft(Draft, Vec<u8>),
}

/// A [`Component`] to take to another thread.
enum Given {
    Bundled(Bundled),
    File(PathBuf),
    Bytes(Vec<u8>),
    Named(String, Vec<u8>),
}

impl Given {
    fn component(&self) -> Component<'_> {
        match self {
            Given::Bundled(bundled) => Component::Bundled(*bundled),
            Given::File(path) => Component::File(path),
            Given::Bytes(bytes) => Component::Bytes(bytes),
            Given::Named(name, bytes) => Component::Named(name, bytes),
        }
    }
}

/// Makes a [`Host`].
#[derive(Default)]
pub struct HostBuilder {
    registries: Option<Arc<dyn Registries>>,
    strategy: Option<Result<Vec<u8>, LoadError>>,
    strategy_label: String,
    cache_dir: Option<PathBuf>,
    limits: Limits,
    /// Instances in the pool, where there is one.
    pool: Option<u32>,
    platform: Option<String>,
}

impl HostBuilder {
    /// How registries are reached; without this they are not.
    #[must_use]
    pub fn registry(mut self, registries: impl Registries + 'static) -> Self {
        self.registries = Some(Arc::new(registries));
        self
    }

    /// Another strategy than the bundled one, for every frontend that this host loads.
    #[must_use]
    pub fn strategy(mut self, component: Component<'_>) -> Self {
        self.strategy_label = component.label();
        self.strategy = Some(component.read(&self.limits).map(Cow::into_owned));
        self
    }

    /// Where compiled code is kept from one process to the next: in a folder of its own below this one, which only we may
    /// read. Without this it is not kept.
    #[must_use]
    pub fn cache_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(folder.into());
        self
    }

    /// Other limits than [`Limits::default`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Keep a pool of instances: for hosts that run many, at the price of address space. So many as fit run at a time, and
    /// further runs wait.
    #[must_use]
    pub fn pooling(mut self, pooling: bool) -> Self {
        self.pool = pooling.then_some(config::POOL);
        self
    }

    /// The same with so many instances, at least one, in the place of 64.
    #[must_use]
    pub fn instances(mut self, instances: u32) -> Self {
        self.pool = Some(instances.max(1));
        self
    }

    /// The machine that results are for, `os/arch[/variant]`; without this it is this one.
    #[must_use]
    pub fn platform(mut self, platform: impl Into<String>) -> Self {
        self.platform = Some(platform.into());
        self
    }

    /// Starts the engine.
    ///
    /// # Errors
    /// A strategy that is none; an engine that does not start.
    pub fn build(self) -> Result<Host, LoadError> {
        let strategy = match self.strategy {
            None => Strategy { digest: Bundled::Strategy.digest(), foreign: None },
            Some(strategy) => {
                let strategy = strategy?;
                let invalid = |reason| LoadError::Invalid { component: self.strategy_label.clone(), reason };
                Shape::of(&strategy).map_err(invalid)?.check(&self.strategy_label, "strategy", STRATEGY)?;
                weight::check(&self.strategy_label, &strategy, &self.limits)?;
                Strategy { digest: Digest::sha256(&strategy), foreign: Some(strategy) }
            }
        };
        let engine = config::engine(&self.limits, self.pool)?;
        let fault = |error: wasmtime::Error| LoadError::Engine(format!("{error:#}"));
        Ok(Host(Arc::new(Inner {
            linker: linker(&engine).map_err(fault)?,
            ticker: Ticker::start(&engine).map_err(|error| LoadError::Engine(error.to_string()))?,
            compiler: Compiler::new(self.limits.compiles),
            limits: Arc::new(self.limits),
            registries: self.registries,
            platform: self.platform.unwrap_or_else(machine).into(),
            strategy,
            compiled: Compiled::open(self.cache_dir.as_deref()),
            places: self.pool.map(|instances| Arc::new(Semaphore::new(instances as usize))),
            loaded: Mutex::default(),
            turns: Turns::default(),
        })))
    }
}

fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Session>> {
    let mut linker = Linker::new(engine);
    types::add_to_linker::<_, Tapes>(&mut linker, |session| Taped(session))?;
    host::add_to_linker::<_, Tapes>(&mut linker, |session| Taped(session))?;
    resolver::add_to_linker::<_, Tapes>(&mut linker, |session| Taped(session))?;
    fetcher::add_to_linker::<_, Tapes>(&mut linker, |session| Taped(session))?;
    blobs::add_to_linker::<_, Tapes>(&mut linker, |session| Taped(session))?;
    discovery::add_to_linker::<_, Tapes>(&mut linker, |session| Taped(session))?;
    pusher::add_to_linker::<_, Tapes>(&mut linker, |session| Taped(session))?;
    Ok(linker)
}

impl Host {
    /// With what there is without asking: no registries, the bundled strategy, no cache on disk.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// Checks a component, plugs the strategy in, compiles it; once for each, so that loading it again costs next to
    /// nothing.
    ///
    /// # Errors
    /// See [`LoadError`].
    ///
    /// # Panics
    /// Outside of a tokio runtime; with its time driver off, where the component is not a bundled one.
    pub async fn load(&self, component: Component<'_>) -> Result<Frontend, LoadError> {
        let label = component.label();
        let given = match component {
            Component::Bundled(bundled) => match self.ready(bundled)? {
                Some(frontend) => return Ok(frontend),
                None => Given::Bundled(bundled),
            },
            Component::File(path) => Given::File(path.to_owned()),
            Component::Bytes(bytes) => Given::Bytes(bytes.to_vec()),
            Component::Named(name, bytes) => Given::Named(name.to_owned(), bytes.to_vec()),
        };
        let host = self.clone();
        let (mut draft, bytes) = match busy(&label, move || host.open(&given)).await? {
            Opened::Ready(frontend) => return Ok(frontend),
            Opened::Draft(draft, bytes) => (draft, bytes),
        };
        // Whoever comes while it is compiled would have it compiled once more.
        let _turn = self.0.turns.take(draft.key.clone()).await;
        if let Some(frontend) = self.find(&draft.key) {
            return Ok(frontend);
        }
        let host = self.clone();
        let (draft, composed) = busy(&label, move || {
            let Inner { strategy, limits, .. } = &*host.0;
            let composed = draft.composed(bytes.into(), strategy, limits)?;
            Ok((draft, composed))
        })
        .await?;
        let Inner { linker, compiler, limits, .. } = &*self.0;
        let limit = matches!(draft.key, Key::Foreign(_)).then_some(limits.compile_time);
        let code = compiler.compile(&label, linker.engine(), composed, limit).await?;
        let host = self.clone();
        busy(&label, move || {
            host.0.compiled.put(&draft.kept, &code);
            host.keep(draft, &code)
        })
        .await
    }

    /// A bundled one that was loaded, or compiled before with the bundled strategy: nothing is looked at but its code, which
    /// is no work for another thread.
    fn ready(&self, bundled: Bundled) -> Result<Option<Frontend>, LoadError> {
        let Inner { linker, strategy, compiled, .. } = &*self.0;
        let key = Key::Bundled(bundled);
        if let Some(frontend) = self.find(&key) {
            return Ok(Some(frontend));
        }
        if strategy.foreign.is_some() {
            return Ok(None);
        }
        let (label, digest) = (Component::Bundled(bundled).label(), bundled.digest());
        let kept = Compiled::key(linker.engine(), &bundled.judged_digest(), &strategy.digest);
        let Some(code) = compiled.get(linker.engine(), &kept) else { return Ok(None) };
        let draft = Draft { key, label, digest, shape: Shape::of_code(&code), kept, judge: None };
        self.keep(draft, &code).map(Some)
    }

    /// Reads a component, and has it ready if it was compiled before.
    fn open(&self, given: &Given) -> Result<Opened, LoadError> {
        let Inner { linker, strategy, compiled, limits, .. } = &*self.0;
        let component = given.component();
        let label = component.label();
        let mut bytes = component.read(limits)?;
        let (key, digest, made_of) = match given {
            Given::Bundled(bundled) if strategy.foreign.is_none() => {
                bytes = Cow::Borrowed(bundled.judged_bytes());
                (Key::Bundled(*bundled), bundled.digest(), bundled.judged_digest())
            }
            Given::Bundled(bundled) => (Key::Bundled(*bundled), bundled.digest(), bundled.digest()),
            Given::File(_) | Given::Bytes(_) | Given::Named(..) => {
                let digest = Digest::sha256(&bytes);
                (Key::Foreign(digest.clone()), digest.clone(), digest)
            }
        };
        if let Some(frontend) = self.find(&key) {
            return Ok(Opened::Ready(frontend));
        }
        let kept = Compiled::key(linker.engine(), &made_of, &strategy.digest);
        let code = compiled.get(linker.engine(), &kept);
        let shape = Shape::of(&bytes).map_err(|reason| LoadError::Invalid { component: label.clone(), reason })?;
        let mut draft = Draft { key, label, digest, shape, kept, judge: None };
        match code {
            None => Ok(Opened::Draft(draft, bytes.into_owned())),
            Some(code) => {
                // Code does not tell where the strategy lies in what it was made of.
                if strategy.foreign.is_some() {
                    draft.composed(bytes, strategy, limits)?;
                }
                Ok(Opened::Ready(self.keep(draft, &code)?))
            }
        }
    }

    /// Links a frontend, and keeps it for whoever loads it next.
    fn keep(&self, draft: Draft, code: &Code) -> Result<Frontend, LoadError> {
        let key = draft.key.clone();
        let loaded = Arc::new(draft.link(code, &self.0.linker)?);
        let mut all = self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever loads ever new ones keeps those that are still of use to somebody, and the others are loaded anew.
        if all.len() >= LOADED {
            all.retain(|_, loaded| Arc::strong_count(loaded) > 1);
        }
        all.insert(key, Arc::clone(&loaded));
        Ok(Frontend { host: self.clone(), loaded })
    }

    fn find(&self, key: &Key) -> Option<Frontend> {
        let all = self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).map(|loaded| Frontend { host: self.clone(), loaded: Arc::clone(loaded) })
    }

    fn is(&self, other: &Host) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.0.limits)
    }

    fn strategy(&self) -> &[u8] {
        self.0.strategy.bytes()
    }

    fn strategy_digest(&self) -> Digest {
        self.0.strategy.digest.clone()
    }

    fn registries(&self) -> Option<Arc<dyn Registries>> {
        self.0.registries.clone()
    }

    fn platform(&self) -> Arc<str> {
        Arc::clone(&self.0.platform)
    }

    fn running(&self) -> Running {
        self.0.ticker.run()
    }

    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        match &self.0.places {
            // It is never closed.
            Some(places) => Arc::clone(places).acquire_owned().await.ok(),
            None => None,
        }
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("platform", &self.0.platform).finish_non_exhaustive()
    }
}

/// Work for a thread that may be busy for a while.
async fn busy<T: Send + 'static>(
    component: &str,
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    // A panic in there is a fault in a parser, met by a malformed component.
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        let reason = format!("reading it failed: {error}");
        Err(LoadError::Invalid { component: component.to_owned(), reason })
    })
}

/// This machine, as image configs name it.
fn machine() -> String {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "loongarch64" => "loong64",
        architecture => architecture,
    };
    format!("{os}/{architecture}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A build host's first requests come all at once, and one compilation is enough for all of them.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_many_want_first_is_compiled_once() {
        let host = Host::builder().build().unwrap();
        let strangers = Bundled::Explain.bytes();
        for foreign in [false, true] {
            let loads = (0..16).map(|_| {
                let host = host.clone();
                let component =
                    if foreign { Component::Bytes(strangers) } else { Component::Bundled(Bundled::Explain) };
                tokio::spawn(async move { host.load(component).await.unwrap().loaded })
            });
            let loaded = futures_util::future::join_all(loads).await;
            let loaded: Vec<_> = loaded.into_iter().map(Result::unwrap).collect();
            assert!(loaded.iter().all(|one| Arc::ptr_eq(one, &loaded[0])), "foreign: {foreign}");
        }
    }
}

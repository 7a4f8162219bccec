//! A frontend on a wasmtime that was told of no limits: what the sandbox is measured against.
//!
//! The component is the one that the host runs, with its strategy in it, and the functions that it imports are as they are
//! generated for the host. Behind them is a source, which verifies what it hands out as ever, and nothing else: nothing is
//! counted, remembered, looked up, granted or told.

use std::sync::Arc;

use portolan::Limits;
use portolan::source::{Source, Target};
use portolan_oci::{Descriptor, Digest, Reference};
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result, Store};

use crate::bindings::{blobs, discovery, fetcher, frontend, host, pusher, resolver, types};
use crate::embedded::COMPONENTS;

/// A frontend that is ready to run.
pub struct Bare {
    pre: InstancePre<World>,
    frontend: frontend::GuestIndices,
    world: World,
}

/// What a run sees.
#[derive(Clone)]
struct World {
    repository: Arc<str>,
    source: Arc<dyn Source>,
    limits: Arc<Limits>,
}

impl Bare {
    /// `resolve`, reading `source`, whatever it asks for. With `clock` its code looks whether time is up, and it never is.
    pub fn new(pooling: bool, clock: bool, source: Arc<dyn Source>) -> Result<Self> {
        let engine = engine(pooling, clock)?;
        let component = Component::new(&engine, COMPONENTS.bytes("resolve-judged"))?;
        let mut linker = Linker::new(&engine);
        types::add_to_linker::<_, HasSelf<_>>(&mut linker, |world| world)?;
        host::add_to_linker::<_, HasSelf<_>>(&mut linker, |world| world)?;
        resolver::add_to_linker::<_, HasSelf<_>>(&mut linker, |world| world)?;
        fetcher::add_to_linker::<_, HasSelf<_>>(&mut linker, |world| world)?;
        blobs::add_to_linker::<_, HasSelf<_>>(&mut linker, |world| world)?;
        discovery::add_to_linker::<_, HasSelf<_>>(&mut linker, |world| world)?;
        pusher::add_to_linker::<_, HasSelf<_>>(&mut linker, |world| world)?;
        let pre = linker.instantiate_pre(&component)?;
        let world = World { repository: source.repository().into(), source, limits: Arc::default() };
        Ok(Bare { frontend: frontend::GuestIndices::new(&pre)?, pre, world })
    }

    /// The text of its answer.
    pub async fn run(&self, arguments: &[(&str, &str)]) -> Result<String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let request = frontend::Request { arguments: arguments.iter().map(own).collect() };
        let mut store = Store::new(self.pre.engine(), self.world.clone());
        // Of an engine without a clock this is never looked at.
        store.set_epoch_deadline(1);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let frontend = self.frontend.load(&mut store, &instance)?;
        match frontend.call_solve(&mut store, &request).await? {
            Ok(frontend::Response { body: frontend::Body::Text(text), .. }) => Ok(text),
            Ok(_) => Err(wasmtime::Error::msg("it answered with no text")),
            Err(failure) => Err(wasmtime::Error::msg(failure.message)),
        }
    }
}

/// As the host's in what has to do with speed, and without what limits a guest, but for `clock`.
fn engine(pooling: bool, clock: bool) -> Result<Engine> {
    let mut config = Config::new();
    config.epoch_interruption(clock);
    config.wasm_component_model(true);
    config.concurrency_support(false);
    if pooling {
        let mut pool = PoolingAllocationConfig::new();
        let resident = 1 << 20;
        pool.linear_memory_keep_resident(resident)
            .table_keep_resident(resident)
            .async_stack_keep_resident(resident)
            .pagemap_scan(Enabled::Auto);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    Engine::new(&config)
}

impl World {
    async fn root(&self, reference: &str) -> portolan::Result<resolver::Resolved> {
        let reference: Reference = reference.parse().unwrap();
        let target = match &reference.digest {
            Some(digest) => Target::Digest(digest),
            None => Target::Tag(reference.tag_or_latest()),
        };
        let Descriptor { media_type, digest, size, .. } = self.source.resolve(target, &self.limits).await?;
        let descriptor = types::Descriptor { media_type, digest: digest.to_string(), size };
        Ok(resolver::Resolved { repository: self.repository.to_string(), descriptor })
    }
}

fn told(error: portolan::Error) -> types::Error {
    types::Error { code: error.code().as_str().to_owned(), message: error.to_string(), retry_after: None }
}

fn nothing<T>() -> Result<T> {
    Err(wasmtime::Error::msg("no resolve asks for this"))
}

impl types::Host for World {}

impl host::Host for World {
    fn platform(&mut self) -> Result<String> {
        Ok("linux/amd64".to_owned())
    }

    fn features(&mut self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn log(&mut self, _: host::Level, _: String) -> Result<()> {
        Ok(())
    }
}

impl resolver::Host for World {
    async fn resolve(&mut self, reference: String) -> Result<Result<resolver::Resolved, types::Error>> {
        Ok(self.root(&reference).await.map_err(told))
    }

    async fn resolve_all(&mut self, _: Vec<String>) -> Result<Vec<Result<resolver::Resolved, types::Error>>> {
        nothing()
    }

    async fn entries(&mut self, _: String) -> Result<Result<resolver::Resolved, types::Error>> {
        nothing()
    }
}

impl fetcher::Host for World {
    async fn fetch(&mut self, _: String, asked: types::Descriptor) -> Result<Result<Vec<u8>, types::Error>> {
        let descriptor = Descriptor::new(asked.media_type, Digest::parse(&asked.digest).unwrap(), asked.size);
        Ok(self.source.fetch(&descriptor, &self.limits).await.map(|bytes| bytes.to_vec()).map_err(told))
    }

    async fn prefetch(&mut self, _: String, _: Vec<types::Descriptor>) -> Result<()> {
        Ok(())
    }
}

impl blobs::Host for World {
    async fn read(&mut self, _: String, _: types::Descriptor, _: u64, _: u32) -> Result<Result<Vec<u8>, types::Error>> {
        nothing()
    }
}

impl discovery::Host for World {
    async fn tags(&mut self, _: String, _: Option<String>) -> Result<Result<discovery::TagPage, types::Error>> {
        nothing()
    }

    async fn referrers(&mut self, _: String, _: String, _: Option<String>) -> Result<Result<Vec<u8>, types::Error>> {
        nothing()
    }
}

impl pusher::Host for World {
    async fn push(
        &mut self,
        _: String,
        _: Option<String>,
        _: types::Descriptor,
        _: Vec<u8>,
    ) -> Result<Result<pusher::Pushed, types::Error>> {
        nothing()
    }

    async fn copy(&mut self, _: String, _: String, _: Vec<pusher::Item>) -> Result<Result<(), types::Error>> {
        nothing()
    }
}

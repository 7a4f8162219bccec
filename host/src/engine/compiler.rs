//! Machine code is made of components here, apart from everything else: in threads of their own, so that runs have theirs;
//! for a bounded time; and so many at once. How much there may be to compile is [`weight`](super::weight)'s to say.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use wasmtime::Engine;
use wasmtime::component::Component as Code;

use super::LoadError;
use crate::session::budget;

pub(super) struct Compiler {
    places: Arc<Semaphore>,
}

impl Compiler {
    /// Compiles so many at once; the next waits.
    pub(super) fn new(places: usize) -> Self {
        Compiler { places: Arc::new(Semaphore::new(places.max(1))) }
    }

    /// Code of `component`. After `limit` it is given up: the threads go on to their end, with their place, and what they
    /// made is dropped. So it is where nobody waits any more.
    pub(super) async fn compile(
        &self,
        label: &str,
        engine: &Engine,
        component: Vec<u8>,
        limit: Option<Duration>,
    ) -> Result<Code, LoadError> {
        let failed = |reason: String| LoadError::Invalid { component: label.to_owned(), reason };
        // It is never closed.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let size = component.len() as u64;
        let (tell, told) = oneshot::channel();
        let engine = engine.clone();
        let work = move || {
            let code = threads().map(|threads| threads.install(|| Code::new(&engine, &component)));
            drop(place);
            // Nobody may be there any more.
            let _ = tell.send(code);
        };
        let thread = thread::Builder::new().name("portolan-compile".into()).spawn(work);
        thread.map_err(|error| LoadError::Engine(error.to_string()))?;
        let code = match limit {
            None => told.await,
            Some(limit) => tokio::time::timeout(limit, told).await.map_err(|_| LoadError::TooSlow {
                component: label.to_owned(),
                size: budget::bytes(size),
                limit: budget::duration(limit),
            })?,
        };
        // A panic in there is a fault in the compiler, met by this component.
        code.map_err(|_| failed("compiling it failed".to_owned()))?
            .map_err(|error| LoadError::Engine(error.to_string()))?
            .map_err(|error| failed(format!("{error:#}")))
    }
}

/// The threads of one compilation, which end with it: one that waited for its turn among another's would be as slow.
fn threads() -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    let name = |number| format!("portolan-compile-{number}");
    rayon::ThreadPoolBuilder::new().thread_name(name).build()
}

//! The engine's heart-beat: a thread that moves the epoch on while anything runs, so that guests stop to be looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wasmtime::Engine;

/// Between two beats; so exact is a guest's CPU budget, and so long it keeps a thread before others get their turn.
pub(super) const BEAT: Duration = Duration::from_millis(10);
/// Beats without a run after which the thread sleeps until there is one.
const IDLE: u32 = 100;

#[derive(Debug)]
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    runs: AtomicUsize,
    asleep: AtomicBool,
    stopped: AtomicBool,
}

impl Ticker {
    pub(super) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (theirs, engine) = (Arc::clone(&shared), engine.clone());
        let thread = thread::Builder::new().name("portolan-epoch".into()).spawn(move || theirs.beat(&engine))?;
        Ok(Ticker { shared, thread: Some(thread) })
    }

    /// Keeps the heart beating for as long as the result lives.
    pub(super) fn run(&self) -> Running {
        self.shared.runs.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst)
            && let Some(thread) = &self.thread
        {
            thread.thread().unpark();
        }
        Running(Arc::clone(&self.shared))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
        }
    }
}

#[derive(Debug)]
pub(super) struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.runs.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn beat(&self, engine: &Engine) {
        let mut idle = 0;
        while !self.stopped.load(Ordering::SeqCst) {
            idle = if self.runs.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
            if idle < IDLE {
                thread::sleep(BEAT);
            } else {
                // First the flag, then the look: a run that starts in between is seen here, or sees the flag and wakes us.
                self.asleep.store(true, Ordering::SeqCst);
                if self.runs.load(Ordering::SeqCst) == 0 && !self.stopped.load(Ordering::SeqCst) {
                    thread::park();
                }
                self.asleep.store(false, Ordering::SeqCst);
                idle = 0;
            }
            engine.increment_epoch();
        }
    }
}

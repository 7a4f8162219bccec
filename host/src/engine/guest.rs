//! One guest at work: its store with limits and clock, and what its end means.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::Instance;
use wasmtime::{FrameInfo, Store, StoreContextMut, Trap, UpdateDeadline, WasmBacktrace};

use super::Host;
use super::config::STACK;
use super::fault::{Cause, Failure, Part, RunError};
use super::load::Loaded;
use super::run::{Answer, Body, Run, Stats};
use super::terms::Terms;
use super::ticker::Running;
use crate::audit::{Record, Refused};
use crate::bindings::{frontend as wire, types};
use crate::session::budget::Crossed;
use crate::session::tape::{Head, Torn};
use crate::session::taped::Taped;
use crate::session::{Session, Setup};
use crate::text;

/// A frontend's failure is for a person to read: longer texts are cut.
const MESSAGE: usize = 64 << 10;

/// What a component exports has other types than the contract says. wasmtime looks at them no sooner than in an instance.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Skewed(String);

impl Skewed {
    pub(super) fn from(error: wasmtime::Error) -> Self {
        Skewed(format!("{error:#}"))
    }
}

pub(super) struct Guest {
    pub(super) store: Store<Session>,
    pub(super) loaded: Arc<Loaded>,
    wall_clock: Option<Duration>,
    /// How long it took to have an instance.
    startup: Duration,
    /// Its end was told to the audit.
    told: bool,
    // Given back after the store: the clock beats and the place is taken for as long as it lives.
    _running: Running,
    _place: Option<OwnedSemaphorePermit>,
}

impl Guest {
    /// A store for `run`, which waits for a place where the pool is full.
    pub(super) async fn new(host: &Host, run: Run) -> Result<Self, RunError> {
        let Run { frontend, arguments, terms } = run;
        let Terms { stores, grants, wall_clock, limits, progress, registries, audit, mut tape } = terms;
        if !host.is(&frontend.host) {
            return Err(RunError::Unsupported("the frontend was loaded by another host".into()));
        }
        let place = host.place().await;
        let limits = limits.unwrap_or_else(|| host.limits());
        let wall_clock = wall_clock.unwrap_or(match frontend.loaded.foreign() {
            false => None,
            true => limits.wall_clock,
        });
        // What a guest hands over is copied before anyone can look at it, so this bounds the copy; what one call may carry
        // is checked in the session.
        let carried = limits.call_arguments.max(limits.response);
        let (registries, platform) = (registries.or_else(|| host.registries()), host.platform());
        let begun = || Record::Begun {
            frontend: frontend.loaded.label.clone(),
            digest: frontend.digest(),
            strategy: host.strategy_digest(),
            grants: grants.clone(),
            stores: stores.iter().map(|store| store.name.clone()).collect(),
        };
        audit.tell(begun).map_err(|refused| RunError::Audit(refused.0))?;
        let head = || Head::of(&frontend.loaded.label, frontend.digest(), host.strategy_digest(), &arguments);
        tape.begin(head).map_err(|torn| RunError::Tape(torn.0))?;
        let session = Session::new(Setup { limits, grants, stores, registries, platform, progress, audit, tape });
        let mut store = Store::new(frontend.loaded.pre.engine(), session);
        store.limiter(|session| &mut session.memory);
        store.set_hostcall_fuel(usize::try_from(carried).unwrap_or(usize::MAX));
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(beat);
        store.data().meter.enter();
        let (loaded, startup) = (frontend.loaded, Duration::ZERO);
        Ok(Guest { store, loaded, wall_clock, startup, told: false, _running: host.running(), _place: place })
    }

    /// An instance, to be asked once.
    pub(super) async fn instance(&mut self) -> wasmtime::Result<Instance> {
        let instance = self.loaded.pre.instantiate_async(&mut self.store).await;
        self.startup = self.store.data().meter.elapsed();
        instance
    }

    pub(super) fn wall_clock(&self) -> Option<Duration> {
        self.wall_clock
    }

    /// The clock stops; a trap is told for what it was.
    pub(super) fn ended<T>(&mut self, outcome: wasmtime::Result<T>) -> Result<T, RunError> {
        let session = self.store.data_mut();
        session.meter.leave();
        session.log.flush();
        outcome.map_err(|error| self.trapped(&error))
    }

    pub(super) async fn answer(&mut self, response: wire::Response) -> Result<Answer, RunError> {
        let wire::Response { status, media_type, body, metadata } = response;
        if !(status == 0 || (6..=63).contains(&status)) {
            return Err(self.broken(format!("it answered with the status {status}, which is neither 0 nor 6 to 63")));
        }
        let beside: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        let size = beside
            + media_type.len()
            + match &body {
                wire::Body::Text(text) => text.len(),
                wire::Body::Bytes(bytes) => bytes.len(),
                wire::Body::Content((repository, _)) => repository.len(),
            };
        let limits = self.store.data().limits();
        if size as u64 > limits.response {
            let crossed = Crossed::response(limits);
            return Err(self.crossed(Part::Frontend, crossed));
        }
        let body = match body {
            wire::Body::Text(text) => Body::Text(text),
            wire::Body::Bytes(bytes) => Body::Bytes(bytes),
            wire::Body::Content((repository, descriptor)) => self.content(&repository, descriptor).await?,
        };
        self.store.data().tape.end().map_err(|torn| RunError::Tape(torn.0))?;
        Ok(Answer { status, media_type, body, metadata, stats: self.stats() })
    }

    async fn content(&mut self, repository: &str, descriptor: types::Descriptor) -> Result<Body, RunError> {
        match Taped(self.store.data_mut()).content(repository, descriptor).await {
            Ok(Ok((descriptor, stream))) => Ok(Body::Content { descriptor: Box::new(descriptor), stream }),
            Ok(Err(error)) => Err(RunError::Content { frontend: self.name(), error }),
            Err(error) => Err(self.trapped(&error)),
        }
    }

    /// Tells how it ended. What cannot be told is no answer.
    pub(super) fn told<T>(&mut self, answer: Result<T, RunError>) -> Result<T, RunError> {
        let verdict = match &answer {
            Ok(_) => "ok",
            Err(error) => error.verdict(),
        };
        match self.tell_end(verdict) {
            // What stood in the way first is what there is to say.
            Err(refused) if answer.is_ok() => Err(RunError::Audit(refused.0)),
            _ => answer,
        }
    }

    fn tell_end(&mut self, verdict: &'static str) -> Result<(), Refused> {
        if std::mem::replace(&mut self.told, true) {
            return Ok(());
        }
        self.store.data_mut().leave_off()?;
        self.store.data().audit().tell(|| Record::Ended { verdict, stats: self.stats() })
    }

    pub(super) fn failed(&self, failure: types::Failure) -> RunError {
        let types::Failure { message, hint, cause } = failure;
        let cut = |text: String| text::at_most(&text, MESSAGE).to_owned();
        let ours = |cause: &types::Error| self.store.data().hint_for(&cause.message).map(str::to_owned);
        let hint = hint.map(cut).or_else(|| cause.as_ref().and_then(ours));
        let cause = cause.map(|cause| Cause {
            code: cut(cause.code),
            message: cut(cause.message),
            retry_after: cause.retry_after,
        });
        RunError::Failed { frontend: self.name(), failure: Box::new(Failure { message: cut(message), hint, cause }) }
    }

    pub(super) fn broken(&self, message: String) -> RunError {
        RunError::Broken { frontend: self.name(), message }
    }

    fn crossed(&self, part: Part, crossed: Crossed) -> RunError {
        RunError::Limit { frontend: self.name(), part, crossed }
    }

    /// Who was at work.
    fn part(&self, error: &wasmtime::Error) -> Part {
        if !self.loaded.is_judged() {
            return Part::Frontend;
        }
        let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
        match frames.first() {
            // While they were laid out, or from outside. What is wrong with an answer has no frame either, and is no limit.
            None if error.is::<Crossed>() => Part::Either,
            Some(frame) if is_between(frame) => Part::Either,
            // Where the stack ends there may be no place in the code yet, but there is in the caller's.
            _ => {
                frames.iter().find_map(FrameInfo::module_offset).map_or(Part::Frontend, |place| self.loaded.part(place))
            }
        }
    }

    fn trapped(&self, error: &wasmtime::Error) -> RunError {
        let part = self.part(error);
        if let Some(crossed) = error.downcast_ref::<Crossed>() {
            return self.crossed(part, crossed.clone());
        }
        if let Some(Refused(reason)) = error.downcast_ref() {
            return RunError::Audit(reason.clone());
        }
        if let Some(Torn(reason)) = error.downcast_ref() {
            return RunError::Tape(reason.clone());
        }
        if let Some(Skewed(detail)) = error.downcast_ref() {
            return RunError::Load(self.loaded.skewed(detail.clone()));
        }
        let session = self.store.data();
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => return self.crossed(part, Crossed::stack(STACK)),
            // A panic, if anything was said.
            Some(Trap::UnreachableCodeReached) => {
                if let Some(words) = session.log.last_words() {
                    return RunError::Trapped { frontend: self.name(), part, message: words };
                }
            }
            _ => {}
        }
        let root = error.root_cause().to_string();
        // More than the copy to the host may have. wasmtime has no public type for this one.
        if root.contains("too much data") {
            let inside = error.downcast_ref::<WasmBacktrace>().is_some_and(|trace| !trace.frames().is_empty());
            let crossed = if inside { Crossed::call_arguments } else { Crossed::response };
            return self.crossed(part, crossed(session.limits()));
        }
        RunError::Trapped { frontend: self.name(), part, message: root }
    }

    /// Name and version of a foreign frontend, as far as they are known.
    pub(super) fn name(&self) -> Option<String> {
        if !self.loaded.foreign() {
            return None;
        }
        match self.loaded.info.get() {
            Some(info) => Some(format!("{} {}", info.name, info.version)),
            None => Some(self.loaded.label.clone()),
        }
    }

    fn stats(&self) -> Stats {
        let session = self.store.data();
        Stats {
            elapsed: session.meter.elapsed(),
            startup: self.startup,
            cpu: session.meter.used(),
            memory: session.memory.used(),
            host_calls: session.host_calls(),
            documents: session.documents(),
        }
    }
}

impl Drop for Guest {
    /// A run whose caller went away ended, too.
    fn drop(&mut self) {
        let _ = self.tell_end("dropped");
    }
}

/// Whether this is code that carries a call from one component to the other, which wasmtime makes: its module imports a thing
/// that no compiler's does. It traps where either of the two broke the rules.
fn is_between(frame: &FrameInfo) -> bool {
    frame.module().imports().any(|import| import.module() == "flags" && import.name().starts_with("instance"))
}

/// Waits no longer than the wall clock says. The guest gives way at every beat, so this is looked at then.
pub(super) async fn within<T>(
    limit: Option<Duration>,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    match limit {
        None => call.await,
        Some(limit) => {
            tokio::time::timeout(limit, call).await.unwrap_or_else(|_| Err(Crossed::wall_clock(limit).into()))
        }
    }
}

/// At a beat of the ticker: a guest that computed for too long ends, any other lets other tasks have the thread and goes
/// on. The clock knows what the guest computed itself, so a beat that comes after a slow host call costs it nothing.
fn beat(context: StoreContextMut<'_, Session>) -> wasmtime::Result<UpdateDeadline> {
    let session = context.data();
    if session.meter.used() >= session.limits().guest_cpu {
        return Err(Crossed::cpu(session.limits()).into());
    }
    let meter = Arc::clone(&session.meter);
    meter.leave();
    let pause = async move {
        tokio::task::yield_now().await;
        meter.enter();
    };
    Ok(UpdateDeadline::YieldCustom(1, Box::pin(pause)))
}

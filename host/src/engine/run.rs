//! A run as its caller sees it: what is asked, what may be touched, what came back.

use std::sync::Arc;
use std::time::Duration;

use portolan_oci::Descriptor;

use tracing::Instrument as _;
use tracing::field::Empty;

use super::Host;
use super::describe::Info;
use super::fault::RunError;
use super::guest::{Guest, Skewed, within};
use super::load::Frontend;
use super::terms::Terms;
use crate::audit::Audit;
use crate::bindings::frontend as wire;
use crate::limits::Limits;
use crate::progress::Progress;
use crate::session::grants::Grants;
use crate::session::tape::{Recorded, Recorder, Tape};
use crate::source::{ByteStream, Registries, Source};
use crate::trace;

/// What a frontend is to be asked, and what it may touch for that.
#[derive(Clone)]
pub struct Run {
    pub(super) frontend: Frontend,
    pub(super) arguments: Vec<(String, String)>,
    pub(super) terms: Terms,
}

impl Run {
    /// Without arguments, stores or grants.
    pub fn new(frontend: &Frontend) -> Self {
        Run { frontend: frontend.clone(), arguments: Vec::new(), terms: Terms::default() }
    }

    /// Where every question of the run is written down, with its answer.
    #[must_use]
    pub fn record(mut self, to: Recorder) -> Self {
        self.terms.tape = Tape::record(to);
        self
    }

    /// The run that was recorded, again: with its arguments, and the answers that it got then. Nobody is asked, and nothing
    /// is written.
    #[must_use]
    pub fn replay(mut self, recorded: Recorded) -> Self {
        self.arguments = recorded.arguments().to_vec();
        self.terms.tape = Tape::play(recorded);
        self
    }

    /// Who is told what the run does, and may end it.
    #[must_use]
    pub fn audit(mut self, audit: Audit) -> Self {
        self.terms.audit = audit;
        self
    }

    /// How registries are reached in this run, in the place of the host's way: another user's credentials, other hosts.
    #[must_use]
    pub fn registry(mut self, registries: impl Registries + 'static) -> Self {
        self.terms.registries = Some(Arc::new(registries));
        self
    }

    /// One more argument, in the order in which the frontend gets them. `format` and `mode` are arguments too. An argument
    /// grants nothing.
    #[must_use]
    pub fn argument(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.arguments.push((name.into(), value.into()));
        self
    }

    /// A store that the run may read under `name`, which is percent-encoded as in `oci-layout://NAME`. Writing to it takes a
    /// [grant](Grants::push_reference).
    #[must_use]
    pub fn store(mut self, name: impl Into<String>, source: Arc<dyn Source>) -> Self {
        self.terms.store(name.into(), source);
        self
    }

    /// The repositories that the run may touch; none without this.
    #[must_use]
    pub fn grants(mut self, grants: Grants) -> Self {
        self.terms.grants = grants;
        self
    }

    /// How long the run may take, waiting included; `None` is without end. Without this it is the limits' for a foreign
    /// frontend, and without end for a bundled one.
    #[must_use]
    pub fn wall_clock(mut self, limit: Option<Duration>) -> Self {
        self.terms.wall_clock = Some(limit);
        self
    }

    /// Who is told what is moved, while the run has something pushed or copied.
    #[must_use]
    pub fn progress(mut self, progress: Progress) -> Self {
        self.terms.progress = progress;
        self
    }

    /// Other limits than the host's. With the pooling allocator memory is bounded by the host's as well.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.terms.limits = Some(Arc::new(limits));
        self
    }
}

/// What a frontend answered.
#[derive(Debug)]
pub struct Answer {
    /// 0, or what a command line should exit with (6 to 63) although there is an answer.
    pub status: u8,
    /// Of the body, as the frontend says.
    pub media_type: String,
    /// The document. Text from a guest: escape it with [`text::block`](crate::text::block) before a terminal shows it.
    pub body: Body,
    /// Facts for the caller, such as `image.digest`.
    pub metadata: Vec<(String, String)>,
    /// What the run used up.
    pub stats: Stats,
}

/// A document.
pub enum Body {
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Content of a source, not read yet.
    Content {
        /// What it is.
        descriptor: Box<Descriptor>,
        /// Its bytes, verified while they come: the last piece comes only if all is what the descriptor says.
        stream: ByteStream,
    },
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Text(text) => f.debug_tuple("Text").field(text).finish(),
            Body::Bytes(bytes) => f.debug_tuple("Bytes").field(&bytes.len()).finish(),
            Body::Content { descriptor, .. } => f.debug_struct("Content").field("descriptor", descriptor).finish(),
        }
    }
}

/// What a run used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// From start to answer.
    pub elapsed: Duration,
    /// Of that, until there was an instance to ask.
    pub startup: Duration,
    /// Of that, what the frontend computed.
    pub cpu: Duration,
    /// The most bytes of linear memories and tables that there were: they do not shrink.
    pub memory: u64,
    /// Calls to the host.
    pub host_calls: u64,
    /// Bytes of documents.
    pub documents: u64,
}

impl Host {
    /// Asks a frontend. Dropping the future ends the run.
    ///
    /// # Errors
    /// See [`RunError`].
    ///
    /// # Panics
    /// Outside of a tokio runtime with its time driver on, where the run has a wall clock.
    pub async fn run(&self, run: Run) -> Result<Answer, RunError> {
        let span = tracing::trace_span!(
            target: trace::TARGET,
            "run",
            portolan.frontend = run.frontend.loaded.label,
            error.type = Empty,
            otel.status_code = Empty,
        );
        let answer = self.solve(run).instrument(span.clone()).await;
        if let Err(error) = &answer {
            span.record("error.type", error.verdict()).record("otel.status_code", "ERROR");
        }
        answer
    }

    async fn solve(&self, mut run: Run) -> Result<Answer, RunError> {
        // A recording tells them, too.
        let arguments =
            if run.terms.tape.is_none() { std::mem::take(&mut run.arguments) } else { run.arguments.clone() };
        let request = wire::Request { arguments };
        let mut guest = Guest::new(self, run).await?;
        let wall_clock = guest.wall_clock();
        let response = within(wall_clock, async {
            let instance = guest.instance().await?;
            let frontend = guest.loaded.frontend.load(&mut guest.store, &instance).map_err(Skewed::from)?;
            frontend.call_solve(&mut guest.store, &request).await
        })
        .await;
        let answer = match guest.ended(response) {
            Ok(Ok(response)) => guest.answer(response).await,
            Ok(Err(failure)) => Err(guest.failed(failure)),
            Err(error) => Err(error),
        };
        guest.told(answer)
    }
}

impl Frontend {
    /// What it says of itself. It is asked once, and granted nothing for that.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn describe(&self) -> Result<Arc<Info>, RunError> {
        if let Some(info) = self.loaded.info.get() {
            return Ok(Arc::clone(info));
        }
        let mut guest = Guest::new(&self.host, Run::new(self)).await?;
        let wall_clock = guest.wall_clock();
        let info = within(wall_clock, async {
            let instance = guest.instance().await?;
            let frontend = guest.loaded.frontend.load(&mut guest.store, &instance).map_err(Skewed::from)?;
            frontend.call_describe(&mut guest.store).await
        })
        .await;
        let info = Info::checked(guest.ended(info)?).map_err(|message| guest.broken(message))?;
        Ok(Arc::clone(self.loaded.info.get_or_init(|| Arc::new(info))))
    }
}

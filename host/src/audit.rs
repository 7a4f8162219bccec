//! What a run did: which components with what granted, every call to the host and what became of it, and how it ended.
//! For whoever lets a stranger's code run and has to answer for that afterwards.
//!
//! A call is told when it is done. Whoever is told may refuse ([`Audit::new`]), and then the run ends: what cannot be
//! written down does not go on. What a guest passes is cut, and not escaped: it is for a writer of JSON, not for a
//! terminal. Calls of WASI, which give nothing, are counted and not told. Not here: where it is written.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portolan_oci::{Code, Digest};

use crate::engine::Stats;
use crate::session::grants::Grants;

/// Of a text that a guest passed, so many bytes are told.
const TEXT: usize = 512;

/// Something that a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Record {
    /// It begins.
    Begun {
        /// A bundled frontend's name, else the file.
        frontend: String,
        /// Of the frontend as it was given.
        digest: Digest,
        /// Of the strategy that is plugged into it.
        strategy: Digest,
        /// What it may touch.
        grants: Grants,
        /// The stores that it was given, by their names.
        stores: Vec<String>,
    },
    /// It called the host.
    Called(Call),
    /// It is over.
    Ended {
        /// `ok`, or what it ended with: `failed`, `trapped`, `limit`, `broken`, `dropped` (its caller went away).
        verdict: &'static str,
        /// What it used up.
        stats: Stats,
    },
}

/// A call, when it is done; of one that asks for several things, each of them. What the guest passed is cut to 512 bytes, and
/// there are no more of these than [`Limits::host_calls`](crate::Limits::host_calls).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The contract's function: `resolve`, `fetch`, `push`.
    pub function: &'static str,
    /// Where, as the guest wrote it: a repository, a store, or a reference with its tag.
    pub place: Arc<str>,
    /// Where from, of what is copied.
    pub from: Option<Arc<str>>,
    /// The name that was to be given.
    pub name: Option<String>,
    /// What was asked for, or found under a name.
    pub digest: Option<String>,
    /// Bytes handed to the guest or taken from it, or those of what was to be copied.
    pub bytes: u64,
    /// From the question to its answer; of questions that were asked together, all of that time.
    pub took: Duration,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It was done.
    Done,
    /// It was not. Of a copy of several things this is the copy's: some of them may have arrived before that.
    Refused(Code),
    /// The run ended first. What was under way may have been done.
    Unfinished,
}

impl Verdict {
    /// `ok`, the code of the refusal, or `unfinished`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Done => "ok",
            Verdict::Refused(code) => code.as_str(),
            Verdict::Unfinished => "unfinished",
        }
    }
}

/// Why a record is not taken.
pub type Refusal = String;

type Listener = dyn Fn(&Record) -> Result<(), Refusal> + Send + Sync;

/// Who is told; nobody by default.
#[derive(Clone, Default)]
pub struct Audit(Option<Arc<Listener>>);

impl Audit {
    /// Tells `listener`, which is called in the middle of things: it should be quick. Where it refuses, the run ends.
    pub fn new(listener: impl Fn(&Record) -> Result<(), Refusal> + Send + Sync + 'static) -> Self {
        Audit(Some(Arc::new(listener)))
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn tell(&self, record: impl FnOnce() -> Record) -> Result<(), Refused> {
        match &self.0 {
            Some(listener) => listener(&record()).map_err(Refused),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_on() { "Audit(listener)" } else { "Audit(nobody)" })
    }
}

/// A record was not taken.
#[derive(Debug, Clone, thiserror::Error)]
#[error("what the run does cannot be written down: {0}")]
pub(crate) struct Refused(pub(crate) Refusal);

/// A text of a guest's, cut.
pub(crate) fn cut(text: &str) -> String {
    crate::text::at_most(text, TEXT).to_owned()
}

//! Why there is no frontend, or no answer; each with the exit status that a command line ends with.

use std::fmt;

use portolan_oci::code;
use thiserror::Error as ThisError;

use crate::error::Error;
use crate::session::budget::Crossed;
use crate::text;

/// Why a component cannot be loaded, or a host not be built.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {component}: {error}")]
    Io {
        /// Which.
        component: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// Neither binary nor textual WebAssembly.
    #[error("{component} is no WebAssembly")]
    NotWasm {
        /// Which.
        component: String,
    },
    /// WebAssembly as text.
    #[error(
        "{component} is WebAssembly in text form; a component in binary form is wanted (`wasm-tools parse` makes one)"
    )]
    Text {
        /// Which.
        component: String,
    },
    /// A core module.
    #[error(
        "{component} is a core WebAssembly module; a component is wanted (`cargo build --target wasm32-wasip2` makes one, \
         `wasm-tools component new` turns a module into one)"
    )]
    CoreModule {
        /// Which.
        component: String,
    },
    /// Over [`Limits::component`](crate::Limits::component).
    #[error("{component} is larger than the {limit} that a component may have")]
    TooLarge {
        /// Which.
        component: String,
        /// How much that is.
        limit: String,
    },
    /// Over one of the limits of what the host makes of a component before it runs.
    #[error(
        "{component} has {found} {what}, and {limit} is the most that a component may have: it would cost the host too \
         much before it runs; leave out what it does not need, or raise Limits::{field} in a host that trusts it"
    )]
    TooHeavy {
        /// Which.
        component: String,
        /// Of what.
        what: &'static str,
        /// How much it has, as far as it was counted.
        found: u64,
        /// How much it may have.
        limit: u64,
        /// The field of [`Limits`](crate::Limits) that says so.
        field: &'static str,
    },
    /// Over [`Limits::compile_time`](crate::Limits::compile_time).
    #[error(
        "{component}, of {size}, was not compiled within the {limit} that it may take: the machine may be busy, so try \
         again, or leave out what it does not need"
    )]
    TooSlow {
        /// Which.
        component: String,
        /// How large what was compiled is, the strategy included.
        size: String,
        /// How long it may take.
        limit: String,
    },
    /// It exports something else.
    #[error("{component} exports no `{interface}`, so it is no {wanted}{}", list("it exports", .exports))]
    NoExport {
        /// Which.
        component: String,
        /// What it was to be: a frontend, a strategy.
        wanted: &'static str,
        /// The interface that makes it one.
        interface: &'static str,
        /// What it does export.
        exports: Vec<String>,
    },
    /// It wants what no world of ours has.
    #[error(
        "{component} imports {}, which no host gives; a {wanted} may import {} and WASI 0.2",
        .imports.join(", "),
        if *.wanted == "strategy" { "`portolan:oci/host`" } else { "`portolan:oci/*`" }
    )]
    UnknownImports {
        /// Which.
        component: String,
        /// What it was to be: a frontend, a strategy.
        wanted: &'static str,
        /// Those that there are not.
        imports: Vec<String>,
    },
    /// It wants what a host gives and a bundle does not.
    #[error("{component} imports {}, which nothing in a bundle gives", .imports.join(", "))]
    NotInBundle {
        /// Which.
        component: String,
        /// Those that it does not.
        imports: Vec<String>,
    },
    /// It was built against another version of the contract.
    #[error(
        "{component} was built for portolan:oci {theirs} and this host speaks portolan:oci {ours}{}",
        .detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default()
    )]
    VersionSkew {
        /// Which.
        component: String,
        /// The version that it names.
        theirs: String,
        /// The one in this host.
        ours: &'static str,
        /// Where they disagree.
        detail: Option<String>,
    },
    /// It is malformed, or uses what is switched off here (threads, garbage collection, 64-bit memories).
    #[error("{component} is a component that cannot be used: {reason}")]
    Invalid {
        /// Which.
        component: String,
        /// Why not.
        reason: String,
    },
    /// What is in a registry under that name is no component, or not one of ours.
    #[error("{component} is no published frontend: {reason}")]
    NotPublished {
        /// Which.
        component: String,
        /// Why not.
        reason: String,
    },
    /// It cannot be had.
    #[error(transparent)]
    Source(#[from] Error),
    /// The engine itself does not start.
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
}

impl LoadError {
    /// The exit status of a command line.
    pub fn status(&self) -> u8 {
        match self {
            LoadError::Io { error, .. } if error.kind() == std::io::ErrorKind::NotFound => 5,
            LoadError::Source(error) => error.code().exit_status(),
            _ => 1,
        }
    }

    /// What to try.
    pub fn hint(&self) -> Option<&str> {
        match self {
            LoadError::Source(error) => error.hint(),
            LoadError::NotPublished { .. } => Some(
                "`portolan publish` publishes a component as registries have them; `portolan inspect` shows what is there",
            ),
            LoadError::CoreModule { .. } => {
                Some("`portolan build` makes a component of a project, in whatever language")
            }
            LoadError::TooLarge { .. } => {
                Some("build it for release, and leave out what it does not need: debug information above all")
            }
            LoadError::NoExport { wanted: "strategy", .. } => {
                Some("a strategy is a component of the world `judgement`: `portolan new NAME --kind strategy`")
            }
            LoadError::NoExport { .. } => {
                Some("a frontend is a component of the world `reader` or `writer`: `portolan new NAME`")
            }
            LoadError::VersionSkew { .. } => {
                Some("build it against the contract of this version: `portolan new NAME` lays it beside a project")
            }
            LoadError::Invalid { reason, .. } if reason.contains("async") => {
                Some("the contract's functions are synchronous, and WASI is 0.2: build it without async")
            }
            _ => None,
        }
    }
}

fn list(head: &str, items: &[String]) -> String {
    match items {
        [] => String::new(),
        items => format!(" ({head} {})", items.join(", ")),
    }
}

/// What a frontend says where it has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What was tried, on what, what came back.
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
    /// The error behind it.
    pub cause: Option<Cause>,
}

/// An error as it crosses the boundary: `code` is an open list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// As [`Code::as_str`](crate::Code::as_str) has it.
    pub code: String,
    /// For a person.
    pub message: String,
    /// Seconds.
    pub retry_after: Option<u32>,
}

/// Which part of a run it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The frontend, with the bundled strategy if that is what it uses.
    Frontend,
    /// The strategy that somebody else wrote.
    Strategy,
    /// One of the two: it was between them, or before either began.
    Either,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Frontend => "frontend",
            Part::Strategy => "strategy",
            Part::Either => "frontend or its strategy",
        })
    }
}

/// Why a run has no answer. `frontend` is the name and version of a foreign frontend, and absent for a bundled one.
///
/// Its text comes from a guest: `Display` escapes control characters.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// The frontend says so.
    Failed {
        /// Who.
        frontend: Option<String>,
        /// What it says.
        failure: Box<Failure>,
    },
    /// The frontend crashed, or its strategy.
    Trapped {
        /// Who.
        frontend: Option<String>,
        /// Which of them.
        part: Part,
        /// The panic's message where it logged one, else the trap.
        message: String,
    },
    /// The frontend crossed a limit, or its strategy.
    Limit {
        /// Who.
        frontend: Option<String>,
        /// Which of them was at work.
        part: Part,
        /// Which.
        crossed: Crossed,
    },
    /// The frontend answered what the contract does not allow.
    Broken {
        /// Who.
        frontend: Option<String>,
        /// What.
        message: String,
    },
    /// The content that the frontend answered with cannot be had.
    Content {
        /// Who.
        frontend: Option<String>,
        /// Why.
        error: Error,
    },
    /// The frontend cannot be loaded.
    Load(LoadError),
    /// The host cannot do this.
    Unsupported(String),
    /// What it does could not be written down, so it was ended.
    Audit(String),
    /// The recording of the run cannot be written; or the run that is given again is not the one that was recorded.
    Tape(String),
}

impl RunError {
    /// A word for the audit.
    pub(super) fn verdict(&self) -> &'static str {
        match self {
            RunError::Failed { .. } | RunError::Content { .. } => "failed",
            RunError::Trapped { .. } => "trapped",
            RunError::Limit { .. } => "limit",
            RunError::Broken { .. } | RunError::Load(_) | RunError::Unsupported(_) => "broken",
            RunError::Audit(_) => "unaudited",
            RunError::Tape(_) => "torn",
        }
    }

    /// The exit status of a command line.
    pub fn status(&self) -> u8 {
        match self {
            RunError::Failed { failure, .. } => {
                code::exit_status(failure.cause.as_ref().map_or("", |cause| cause.code.as_str()))
            }
            RunError::Trapped { .. } | RunError::Limit { .. } => 3,
            RunError::Content { error, .. } => error.code().exit_status(),
            RunError::Load(error) => error.status(),
            RunError::Broken { .. } | RunError::Unsupported(_) | RunError::Audit(_) | RunError::Tape(_) => 1,
        }
    }

    /// What to try.
    pub fn hint(&self) -> Option<&str> {
        match self {
            RunError::Failed { failure, .. } => failure.hint.as_deref(),
            RunError::Limit { crossed, .. } => Some(crossed.hint()),
            RunError::Content { error, .. } => error.hint(),
            RunError::Trapped { part: Part::Frontend, .. } => Some("this is a fault of the frontend; tell its author"),
            RunError::Trapped { part: Part::Strategy, .. } => Some("this is a fault of the strategy; tell its author"),
            RunError::Trapped { part: Part::Either, .. } => {
                Some("without --strategy it shows whose fault it is: the frontend's if it stays")
            }
            RunError::Tape(_) => None,
            RunError::Broken { .. } | RunError::Load(_) | RunError::Unsupported(_) | RunError::Audit(_) => None,
        }
    }

    /// Whether trying the same again can help.
    pub fn is_retryable(&self) -> bool {
        match self {
            RunError::Failed { failure, .. } => failure.cause.as_ref().is_some_and(|cause| code::may_pass(&cause.code)),
            RunError::Content { error, .. } => error.is_retryable(),
            _ => false,
        }
    }

    /// Seconds to wait before that, where the registry said so.
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            RunError::Failed { failure, .. } => failure.cause.as_ref()?.retry_after,
            RunError::Content { error, .. } => error.retry_after(),
            _ => None,
        }
    }

    fn frontend(&self) -> Option<&str> {
        match self {
            RunError::Failed { frontend, .. }
            | RunError::Trapped { frontend, .. }
            | RunError::Limit { frontend, .. }
            | RunError::Broken { frontend, .. }
            | RunError::Content { frontend, .. } => frontend.as_deref(),
            RunError::Load(_) | RunError::Unsupported(_) | RunError::Audit(_) | RunError::Tape(_) => None,
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(frontend) = self.frontend() {
            write!(f, "{}: ", text::line(frontend))?;
        }
        match self {
            RunError::Failed { failure, .. } => f.write_str(&text::block(&failure.message)),
            RunError::Trapped { part, message, .. } => write!(f, "the {part} trapped: {}", text::block(message)),
            RunError::Limit { part, crossed, .. } => write!(f, "the {part} was stopped: {crossed}"),
            RunError::Broken { message, .. } => write!(f, "the frontend broke the contract: {}", text::block(message)),
            RunError::Content { error, .. } => f.write_str(&text::block(&error.to_string())),
            RunError::Load(error) => f.write_str(&text::block(&error.to_string())),
            RunError::Unsupported(message) => f.write_str(message),
            RunError::Tape(reason) => write!(f, "the run was ended: {reason}"),
            RunError::Audit(reason) => write!(f, "the run was ended, as what it does cannot be written down: {reason}"),
        }
    }
}

impl std::error::Error for RunError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_decides_the_status() {
        for (code, status) in [("not-found", 5), ("denied", 4), ("budget", 3), ("forbidden", 1), ("Denied", 1), ("", 1)]
        {
            let cause = Some(Cause { code: code.into(), message: String::new(), retry_after: None });
            let failure = Box::new(Failure { message: "m".into(), hint: None, cause });
            assert_eq!(RunError::Failed { frontend: None, failure }.status(), status, "{code}");
        }
    }

    #[test]
    fn texts_are_prefixed_and_escaped() {
        let failure = Box::new(Failure { message: "no\u{1b}[2J\nreally".into(), hint: None, cause: None });
        let foreign = RunError::Failed { frontend: Some("x\u{7} 1.0".into()), failure: failure.clone() };
        assert_eq!(foreign.to_string(), "x\\u{7} 1.0: no\\u{1b}[2J\nreally");
        assert_eq!(RunError::Failed { frontend: None, failure }.to_string(), "no\\u{1b}[2J\nreally");
    }
}

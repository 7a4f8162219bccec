//! Why something may not run, or may not do what it is wanted for.

use thiserror::Error as ThisError;

use crate::error::Error;

/// Each names the line that says so.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum PolicyError {
    /// A file cannot be read or written.
    #[error("cannot {what} {file}: {error}")]
    Io {
        /// `read`, `write`.
        what: &'static str,
        /// Which.
        file: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file is not understood: nothing is run by it.
    #[error("{0}")]
    Wrong(String),
    /// It may not run.
    #[error("{who} may not run here ({by})")]
    NotAllowed {
        /// Who.
        who: String,
        /// File and line.
        by: String,
    },
    /// It may not touch what it was to touch.
    #[error("{who} may not {what} {pattern} ({by})")]
    NotGranted {
        /// Who.
        who: String,
        /// `read`, `write to`.
        what: &'static str,
        /// A repository, or a pattern of such.
        pattern: String,
        /// File and line.
        by: String,
    },
    /// Nobody signed it whose signature is wanted.
    #[error("{who} is not signed by {keys} ({by}): {why}")]
    NotSigned {
        /// Who.
        who: String,
        /// The files of the keys, of which one would do.
        keys: String,
        /// File and line.
        by: String,
        /// What was found.
        why: String,
    },
    /// A name means another component than when it was first run.
    #[error("{name} was {was} when it was first run here, and is {is} now ({file})")]
    Moved {
        /// What was asked for.
        name: String,
        /// The digest that it is pinned to.
        was: String,
        /// The digest that it has.
        is: String,
        /// The lock.
        file: String,
    },
    /// The lock cannot be written.
    #[error("cannot write {file}: {error}")]
    NotPinned {
        /// Which.
        file: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// There is no place for a lock.
    #[error("there is no place to remember what a frontend's name means: HOME is not set")]
    NoPlace,
    /// Its signatures cannot be had.
    #[error("cannot tell whether {who} is signed: {error}")]
    Source {
        /// Who.
        who: String,
        /// What the registry said.
        error: Error,
    },
}

impl PolicyError {
    /// The exit status of a command line.
    pub fn status(&self) -> u8 {
        match self {
            PolicyError::NotAllowed { .. } | PolicyError::NotGranted { .. } | PolicyError::NotSigned { .. } => 4,
            PolicyError::Source { error, .. } => error.code().exit_status(),
            PolicyError::Io { .. }
            | PolicyError::Wrong(_)
            | PolicyError::Moved { .. }
            | PolicyError::NotPinned { .. }
            | PolicyError::NoPlace => 1,
        }
    }

    /// What to try.
    pub fn hint(&self) -> Option<&str> {
        match self {
            PolicyError::NotAllowed { .. } | PolicyError::NotGranted { .. } => {
                Some("`portolan explain policy FRONTEND` shows what is allowed, and which line says so")
            }
            PolicyError::NotSigned { .. } => Some(
                "`cosign sign --key` signs one in a registry, `cosign sign-blob --key` a file, as FILE.sig beside it",
            ),
            PolicyError::Moved { .. } => Some("find out why it moved; --update takes the new one"),
            PolicyError::NotPinned { .. } => Some("name the frontend by its digest, which needs no lock"),
            PolicyError::NoPlace => {
                Some("make a portolan.toml here, beside which it is remembered, or name the frontend by its digest")
            }
            PolicyError::Source { error, .. } => error.hint(),
            PolicyError::Io { .. } | PolicyError::Wrong(_) => None,
        }
    }
}

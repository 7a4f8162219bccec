//! One try that failed: its error, and whether another try may undo it.

use super::classify::Question;
use super::retry::Again;
use super::transport::Fault;
use crate::error::{Code, Error};

/// A try's failure.
#[derive(Debug)]
pub(super) struct Failed {
    pub error: Error,
    pub again: Option<Again>,
}

impl From<Error> for Failed {
    /// An error that is final.
    fn from(error: Error) -> Failed {
        Failed { error, again: None }
    }
}

impl Failed {
    /// A request that `host` did not answer.
    pub(super) fn of(fault: Fault, question: Question<'_>, host: &str) -> Failed {
        Failed::reading(fault, question.operation, question.subject, host)
    }

    /// An answer of `host` that was not read to its end.
    pub(super) fn reading(fault: Fault, operation: &'static str, subject: &str, host: &str) -> Failed {
        let again = fault.cause.map(|cause| Again { cause, asked: None });
        Failed { error: fault_error(fault, operation, subject, host), again }
    }
}

/// The error of a request that `host` did not answer, or not to the end.
pub(super) fn fault_error(fault: Fault, operation: &'static str, subject: &str, host: &str) -> Error {
    // A rule that was broken is the registry's fault, everything else the network's.
    let code = if fault.rule.is_some() { Code::Malformed } else { Code::Unavailable };
    let mut error = Error::new(code, operation, subject, fault.detail).with_host(host);
    if let Some(rule) = fault.rule {
        error = error.with_rule(rule);
    }
    if let Some(hint) = fault.hint {
        error = error.with_hint(hint);
    }
    if fault.cause.is_some() { error.retryable() } else { error }
}

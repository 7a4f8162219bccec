//! Why a call failed, in one shape for both doors.

use crate::engine::RunError;
use crate::error::{Code, Error};

/// A failure as a caller is told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) code: Code,
    /// For a person.
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// What it was about.
    pub(super) reference: String,
    /// Seconds.
    pub(super) retry_after: Option<u32>,
}

pub(super) type Result<T, E = Problem> = std::result::Result<T, E>;

impl Problem {
    pub(super) fn new(code: Code, reference: impl Into<String>, message: impl Into<String>) -> Self {
        Problem { code, message: message.into(), hint: None, reference: reference.into(), retry_after: None }
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(super) fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// What a run of a frontend about `reference` failed with.
    pub(super) fn of_run(reference: &str, error: &RunError) -> Self {
        let code = match error {
            RunError::Failed { failure, .. } => {
                failure.cause.as_ref().map_or(Code::Other, |cause| Code::named(&cause.code))
            }
            RunError::Content { error, .. } => error.code(),
            RunError::Limit { .. } => Code::Budget,
            RunError::Unsupported(_) => Code::Unsupported,
            _ => Code::Other,
        };
        Problem {
            code,
            message: error.to_string(),
            hint: error.hint().map(str::to_owned),
            reference: reference.to_owned(),
            retry_after: error.retry_after(),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Problem {
            code: error.code(),
            message: error.to_string(),
            hint: error.hint().map(str::to_owned),
            reference: error.subject().to_owned(),
            retry_after: error.retry_after(),
        }
    }
}

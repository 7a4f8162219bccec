//! How a command ends that has no answer: a status, a message, and what to try.

use portolan_oci::code;

/// The command line is wrong.
const USAGE: u8 = 2;
/// It could not be done.
const FAILURE: u8 = 1;

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Exit {
    /// What to exit with.
    pub status: u8,
    message: String,
    hint: Option<String>,
}

impl Exit {
    /// It could not be done.
    pub fn failure(message: impl Into<String>) -> Self {
        Exit { status: FAILURE, message: message.into(), hint: None }
    }

    /// The command line is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Exit { status: USAGE, message: message.into(), hint: None }
    }

    /// It is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Exit { status: code::exit_status("not-found"), message: message.into(), hint: None }
    }

    /// What to try.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says so on stderr; the status to exit with.
    #[cfg(target_family = "wasm")]
    pub fn report(self) -> u8 {
        use std::io::Write as _;

        use portolan_oci::text;

        // Where nobody can hear it there is nobody to tell that either.
        let mut stderr = wasip2::cli::stderr::get_stderr();
        let _ = writeln!(stderr, "portolan: {}", text::block(&self.message));
        if let Some(hint) = &self.hint {
            let _ = writeln!(stderr, "hint: {}", text::block(hint));
        }
        self.status
    }
}

#[cfg(target_family = "wasm")]
impl From<crate::bindings::portolan::oci::types::Failure> for Exit {
    fn from(failure: crate::bindings::portolan::oci::types::Failure) -> Self {
        let status = code::exit_status(failure.cause.as_ref().map_or("", |cause| &cause.code));
        Exit { status, message: failure.message, hint: failure.hint }
    }
}

#[cfg(target_family = "wasm")]
impl From<crate::bindings::portolan::oci::types::Error> for Exit {
    fn from(error: crate::bindings::portolan::oci::types::Error) -> Self {
        Exit { status: code::exit_status(&error.code), message: error.message, hint: None }
    }
}

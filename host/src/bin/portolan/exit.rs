//! How a command ends that has no answer: a status, a message, and what to try.

use std::io::{self, Write as _};
use std::process::ExitCode;

use portolan::policy::PolicyError;
use portolan::{Error, LoadError, RunError, text};

/// The command line is wrong.
const USAGE: u8 = 2;
/// It could not be done.
const FAILURE: u8 = 1;
/// What is named does not exist.
const ABSENT: u8 = 5;

/// Why there is no answer.
#[derive(Debug)]
pub struct Exit {
    status: u8,
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

    /// The same for a file that could not be read: that there is none has a status of its own.
    #[must_use]
    pub fn because_of(mut self, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            self.status = ABSENT;
        }
        self
    }

    /// What to try.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says so on stderr, in a paragraph and a line.
    pub fn report(self) -> ExitCode {
        say(&format!("portolan: {}", text::block(&self.message)));
        if let Some(hint) = &self.hint {
            say(&format!("hint: {}", text::line(hint)));
        }
        ExitCode::from(self.status)
    }
}

/// A line on stderr. Where nobody can hear it there is nobody to tell that either.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// What to try where nothing else is known.
fn again(is_retryable: bool, after: Option<u32>) -> Option<String> {
    is_retryable.then(|| match after {
        Some(seconds @ 1..) => format!("this may pass: try again in {seconds} s, as the registry asks"),
        _ => "this may pass: try again".to_owned(),
    })
}

impl From<Error> for Exit {
    fn from(error: Error) -> Self {
        let hint = error.hint().map(str::to_owned).or_else(|| again(error.is_retryable(), error.retry_after()));
        Exit { status: error.code().exit_status(), message: error.to_string(), hint }
    }
}

impl From<LoadError> for Exit {
    fn from(error: LoadError) -> Self {
        Exit { status: error.status(), message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl From<PolicyError> for Exit {
    fn from(error: PolicyError) -> Self {
        let again = match &error {
            PolicyError::Source { error, .. } => again(error.is_retryable(), error.retry_after()),
            _ => None,
        };
        let hint = error.hint().map(str::to_owned).or(again);
        Exit { status: error.status(), message: error.to_string(), hint }
    }
}

impl From<RunError> for Exit {
    fn from(error: RunError) -> Self {
        let hint = error.hint().map(str::to_owned).or_else(|| again(error.is_retryable(), error.retry_after()));
        Exit { status: error.status(), message: error.to_string(), hint }
    }
}

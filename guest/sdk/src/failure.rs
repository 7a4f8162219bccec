//! Why a question could not be answered: what the host says ([`Error`]) and what a frontend says ([`Failure`]).
//!
//! A failure is written for the person who reads it at two in the morning: what was tried, on what, what came back, and
//! in the hint what to try. Its cause is for programs: the code decides the exit status.

use std::fmt;

/// The codes of `portolan:oci/types.error` that a frontend may want to tell apart. The list is open: compare, never match
/// without a rest.
pub mod code {
    /// A text that is no reference.
    pub const INVALID_REFERENCE: &str = "invalid-reference";
    /// It does not exist; exit status 5.
    pub const NOT_FOUND: &str = "not-found";
    /// A grant is missing; exit status 4.
    pub const DENIED: &str = "denied";
    /// The other side broke the specification.
    pub const MALFORMED: &str = "malformed";
    /// It is larger than what is read of its kind.
    pub const TOO_LARGE: &str = "too-large";
    /// Content is not what its digest says.
    pub const DIGEST_MISMATCH: &str = "digest-mismatch";
    /// This medium cannot do that.
    pub const UNSUPPORTED: &str = "unsupported";
    /// Anything else.
    pub const OTHER: &str = "other";
}

/// What the host answers when it could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// One of [`code`], or another.
    pub code: String,
    /// What was tried, on what, what came back.
    pub message: String,
    /// Seconds to wait before another try, where a registry said so.
    pub retry_after: Option<u32>,
}

impl Error {
    /// An error of this kind.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Error { code: code.to_owned(), message: message.into(), retry_after: None }
    }

    /// Whether it says that something does not exist.
    pub fn is_not_found(&self) -> bool {
        self.code == code::NOT_FOUND
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// What a frontend answers when it has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// All that there is to say; what a cause says is repeated in it.
    pub message: String,
    /// What to try, where that is known.
    pub hint: Option<String>,
    /// The kind, for programs.
    pub cause: Option<Error>,
}

impl Failure {
    /// A failure without a particular kind; exit status 1.
    pub fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), hint: None, cause: None }
    }

    /// Looked for in vain; exit status 5.
    pub fn not_found(message: impl Into<String>) -> Self {
        Failure::of(code::NOT_FOUND, message)
    }

    /// What was read breaks the specification.
    pub fn malformed(message: impl Into<String>) -> Self {
        Failure::of(code::MALFORMED, message)
    }

    /// A failure of one of the kinds in [`code`].
    pub fn of(code: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Failure { hint: None, cause: Some(Error::new(code, message.clone())), message }
    }

    /// Says what to try.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts what was being done before the message: `reading the config of linux/arm64: …`.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// Whether it says that something does not exist.
    pub fn is_not_found(&self) -> bool {
        self.cause.as_ref().is_some_and(Error::is_not_found)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { message: error.message.clone(), hint: None, cause: Some(error) }
    }
}

impl From<portolan_oci::InvalidReference> for Failure {
    fn from(error: portolan_oci::InvalidReference) -> Self {
        Failure::of(code::INVALID_REFERENCE, error.to_string())
    }
}

impl From<portolan_oci::InvalidLocation> for Failure {
    fn from(error: portolan_oci::InvalidLocation) -> Self {
        Failure::of(code::INVALID_REFERENCE, error.to_string())
    }
}

impl From<portolan_oci::InvalidDigest> for Failure {
    fn from(error: portolan_oci::InvalidDigest) -> Self {
        Failure::of(code::INVALID_REFERENCE, error.to_string())
    }
}

impl From<portolan_oci::InvalidPlatform> for Failure {
    fn from(error: portolan_oci::InvalidPlatform) -> Self {
        Failure::new(error.to_string())
    }
}

impl From<portolan_oci::Malformed> for Failure {
    fn from(error: portolan_oci::Malformed) -> Self {
        Failure::malformed(error.to_string())
    }
}

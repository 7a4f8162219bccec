//! What kind of failure an error is, as it crosses the boundary, and what a command line ends with for it.

use std::fmt;

/// The open list of `portolan:oci/types.error`, as far as it is used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The text is no reference.
    InvalidReference,
    /// It does not exist: a reference, tag, digest, store, layout or archive.
    NotFound,
    /// The run has no grant for this.
    Denied,
    /// The registry answered 403, or the file system said that we may not.
    Forbidden,
    /// The registry wants credentials, or other ones.
    Unauthorized,
    /// The registry answered 429.
    RateLimited,
    /// The bytes are not what the digest or the size says.
    DigestMismatch,
    /// A limit on a document or an answer was crossed.
    TooLarge,
    /// The other side broke the specification.
    Malformed,
    /// It is there already and differs.
    Conflict,
    /// This source, or this host, cannot do that.
    Unsupported,
    /// The network, a time-out, or a 5xx.
    Unavailable,
    /// The network was needed and switched off.
    Offline,
    /// The run used up a budget.
    Budget,
    /// None of the others.
    Other,
}

impl Code {
    /// The code of a text that crossed the boundary; what is not known here is [`Other`](Code::Other).
    pub fn named(text: &str) -> Code {
        let known = [
            Code::InvalidReference,
            Code::NotFound,
            Code::Denied,
            Code::Forbidden,
            Code::Unauthorized,
            Code::RateLimited,
            Code::DigestMismatch,
            Code::TooLarge,
            Code::Malformed,
            Code::Conflict,
            Code::Unsupported,
            Code::Unavailable,
            Code::Offline,
            Code::Budget,
        ];
        known.into_iter().find(|code| code.as_str() == text).unwrap_or(Code::Other)
    }

    /// The code as it crosses the boundary.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InvalidReference => "invalid-reference",
            Code::NotFound => "not-found",
            Code::Denied => "denied",
            Code::Forbidden => "forbidden",
            Code::Unauthorized => "unauthorized",
            Code::RateLimited => "rate-limited",
            Code::DigestMismatch => "digest-mismatch",
            Code::TooLarge => "too-large",
            Code::Malformed => "malformed",
            Code::Conflict => "conflict",
            Code::Unsupported => "unsupported",
            Code::Unavailable => "unavailable",
            Code::Offline => "offline",
            Code::Budget => "budget",
            Code::Other => "other",
        }
    }

    /// What a command line exits with when a failure has this cause.
    pub fn exit_status(self) -> u8 {
        exit_status(self.as_str())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a command line exits with when a failure has a cause of this code, known here or not.
pub fn exit_status(code: &str) -> u8 {
    match code {
        "not-found" => 5,
        "denied" => 4,
        "budget" => 3,
        _ => 1,
    }
}

/// Whether a failure with a cause of this code may be gone when the same is tried again.
pub fn may_pass(code: &str) -> bool {
    matches!(code, "unavailable" | "rate-limited")
}

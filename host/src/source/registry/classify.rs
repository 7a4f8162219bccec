//! What an answer means: a status becomes a verdict, a refusal an error that says what to try.
//!
//! Pure.

use super::retry;
use crate::error::{Code, Error};

/// What is to be done about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the answer.
    Done,
    /// It is somewhere else.
    Redirect,
    /// Who asks?
    Unauthorized,
    /// Later.
    Busy,
    /// No. Some of these are questions of their own: a 404 may be asked elsewhere.
    Refused,
}

impl Verdict {
    /// The verdict of the status that a write is answered with.
    pub(super) fn of_write(status: u16) -> Verdict {
        match status {
            201 | 202 | 204 => Verdict::Done,
            206 => Verdict::Refused,
            status => Verdict::of(status),
        }
    }

    /// The verdict of the status that a question is answered with.
    pub(super) fn of(status: u16) -> Verdict {
        match status {
            200 | 206 => Verdict::Done,
            301 | 302 | 303 | 307 | 308 => Verdict::Redirect,
            401 => Verdict::Unauthorized,
            status if retry::is_busy(status) => Verdict::Busy,
            _ => Verdict::Refused,
        }
    }
}

/// Who was asked, about what, and as whom: what every error says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub operation: &'static str,
    pub subject: &'a str,
    /// What credentials are stored under.
    pub domain: &'a str,
    /// Whether anything was shown.
    pub anonymous: bool,
}

/// The error of an answer that is none. `said` is what its body says, cleaned.
pub(super) fn refusal(question: Question<'_>, host: &str, status: u16, said: &str) -> Error {
    let code = match status {
        401 => Code::Unauthorized,
        403 => Code::Forbidden,
        404 => Code::NotFound,
        429 => Code::RateLimited,
        status if retry::is_busy(status) => Code::Unavailable,
        100..=399 | 600.. => Code::Malformed,
        _ => Code::Other,
    };
    let detail = if said.is_empty() { unsaid(status) } else { said };
    let error = Error::new(code, question.operation, question.subject, detail).with_host(host).with_status(status);
    match (code, question.anonymous) {
        (Code::Unauthorized | Code::Forbidden, true) => error.with_hint(format!(
            "check the name (registries answer this for repositories that do not exist, too), or log in to {} (docker login, \
             podman login, skopeo login)",
            question.domain
        )),
        (Code::Unauthorized | Code::Forbidden, false) => error.with_hint(format!(
            "the stored credentials for {} do not suffice: log in again, or as somebody who may",
            question.domain
        )),
        (Code::RateLimited, true) => {
            error.with_hint("wait, or log in: most registries let known users ask more often").retryable()
        }
        (Code::RateLimited | Code::Unavailable, _) => error.retryable(),
        _ => error,
    }
}

fn unsaid(status: u16) -> &'static str {
    match status {
        401 => "it wants to know who asks",
        403 => "it does not let us",
        404 => "it does not have that",
        405 => "it does not take this method",
        429 => "it was asked too often",
        100..=399 => "a status that answers nothing",
        500..=599 => "it is in trouble",
        _ => "it said nothing more",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        use Verdict::{Busy, Done, Redirect, Refused, Unauthorized};
        for (status, verdict) in [
            (200, Done),
            (201, Refused),
            (204, Refused),
            (206, Done),
            (300, Refused),
            (301, Redirect),
            (302, Redirect),
            (303, Redirect),
            (304, Refused),
            (307, Redirect),
            (308, Redirect),
            (400, Refused),
            (401, Unauthorized),
            (403, Refused),
            (404, Refused),
            (405, Refused),
            (408, Busy),
            (416, Refused),
            (429, Busy),
            (500, Busy),
            (503, Busy),
        ] {
            assert_eq!(Verdict::of(status), verdict, "{status}");
            let written = match status {
                201 | 204 => Done,
                206 => Refused,
                _ => verdict,
            };
            assert_eq!(Verdict::of_write(status), written, "{status}");
        }
    }

    #[test]
    fn refusals() {
        for (status, anonymous, code, retryable, hint) in [
            (204, true, Code::Malformed, false, None),
            (304, true, Code::Malformed, false, None),
            (400, true, Code::Other, false, None),
            (401, true, Code::Unauthorized, false, Some("log in to r.example")),
            (401, false, Code::Unauthorized, false, Some("the stored credentials for r.example")),
            (403, true, Code::Forbidden, false, Some("log in to r.example")),
            (404, true, Code::NotFound, false, None),
            (429, true, Code::RateLimited, true, Some("log in")),
            (429, false, Code::RateLimited, true, None),
            (500, true, Code::Unavailable, true, None),
            (408, true, Code::Unavailable, true, None),
        ] {
            let question = Question { operation: "fetch", subject: "r.example/a", domain: "r.example", anonymous };
            let error = refusal(question, "r.example", status, "");
            assert_eq!((error.code(), error.is_retryable()), (code, retryable), "{status}");
            assert_eq!(error.hint().is_some(), hint.is_some(), "{status}");
            assert!(error.hint().unwrap_or_default().contains(hint.unwrap_or_default()), "{status} {error}");
        }
    }
}

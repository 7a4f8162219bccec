//! What can go wrong between a question and its answer, for the program that asked and for the person who reads it at
//! two in the morning.
//!
//! One type for every room below the session: it says what was tried ([`operation`](Error::operation)), on what
//! ([`subject`](Error::subject)), who answered ([`host`](Error::host), [`status`](Error::status)), which rule was broken
//! ([`rule`](Error::rule)), and whether trying again can help. Guests see its [`code`](Error::code) and its text.
//!
//! Nothing here may hold a secret: no token, no `Authorization`, no query of a token request.

use std::borrow::Cow;
use std::fmt;

pub use portolan_oci::Code;

/// A failed operation. Reads `cannot OPERATION SUBJECT: DETAIL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    code: Code,
    operation: &'static str,
    subject: String,
    detail: String,
    host: Option<String>,
    status: Option<u16>,
    rule: Option<&'static str>,
    hint: Option<Cow<'static, str>>,
    retry_after: Option<u32>,
    retryable: bool,
    /// What other hosts said, before.
    before: Vec<String>,
}

/// The result of anything that this crate does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// `operation` is a verb in the infinitive (`fetch`, `open the layout`), `subject` what it was tried on, `detail` what
    /// came back.
    pub fn new(code: Code, operation: &'static str, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            code,
            operation,
            subject: subject.into(),
            detail: detail.into(),
            host: None,
            status: None,
            rule: None,
            hint: None,
            retry_after: None,
            retryable: false,
            before: Vec::new(),
        }))
    }

    /// Names the server that answered, `host[:port]`.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<String>) -> Self {
        self.0.host = Some(host.into());
        self
    }

    /// The HTTP status that came back.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// The rule that was broken, such as `no redirect from https to http`.
    #[must_use]
    pub fn with_rule(mut self, rule: &'static str) -> Self {
        self.0.rule = Some(rule);
        self
    }

    /// What to try next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Seconds that the registry asked us to wait. Trying again can help.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self.0.retryable = true;
        self
    }

    /// Trying the same again can help.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.0.retryable = true;
        self
    }

    /// What others said who were asked before, each as [`answer`](Self::answer) tells it.
    #[must_use]
    pub(crate) fn after(mut self, before: Vec<String>) -> Self {
        self.0.before = before;
        self
    }

    /// What others wrote, told otherwise: detail and hint.
    #[must_use]
    pub(crate) fn retold(mut self, tell: impl Fn(&str) -> String) -> Self {
        self.0.detail = tell(&self.0.detail);
        self.0.hint = self.0.hint.map(|hint| tell(&hint).into());
        self
    }

    /// Who answered, and what.
    pub(crate) fn answer(&self) -> String {
        let Inner { detail, host, status, .. } = &*self.0;
        match (host, status) {
            (Some(host), Some(status)) => format!("{host} answered {status}: {detail}"),
            (Some(host), None) => format!("{host}: {detail}"),
            (None, Some(status)) => format!("status {status}: {detail}"),
            (None, None) => detail.clone(),
        }
    }

    /// What kind it is.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What was tried.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// On what.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// What came back.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The server that answered.
    pub fn host(&self) -> Option<&str> {
        self.0.host.as_deref()
    }

    /// The HTTP status.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The rule that was broken.
    pub fn rule(&self) -> Option<&'static str> {
        self.0.rule
    }

    /// What to try next.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Seconds to wait, where the registry said so.
    pub fn retry_after(&self) -> Option<u32> {
        self.0.retry_after
    }

    /// Whether trying the same again can help.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { operation, subject, rule, before, .. } = &*self.0;
        write!(f, "cannot {operation} {subject}: {}", self.answer())?;
        if let Some(rule) = rule {
            write!(f, " (rule: {rule})")?;
        }
        if !before.is_empty() {
            write!(f, " (asked before: {})", before.join("; "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_a_sentence() {
        let plain = Error::new(Code::NotFound, "resolve", "docker.io/library/nope:1", "no such tag");
        assert_eq!(plain.to_string(), "cannot resolve docker.io/library/nope:1: no such tag");
        let full = Error::new(Code::Malformed, "fetch", "r.example/a", "Location is http://r.example")
            .with_host("r.example")
            .with_status(302)
            .with_rule("https is never followed to http");
        assert_eq!(
            full.to_string(),
            "cannot fetch r.example/a: r.example answered 302: Location is http://r.example (rule: https is never followed to http)"
        );
    }
}

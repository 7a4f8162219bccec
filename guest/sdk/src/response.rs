//! Answers: a text, a JSON document, bytes, or content that the host streams to the caller.

use std::borrow::Cow;

use portolan_oci::Descriptor;
use serde::Serialize;

use crate::failure::Failure;

/// The media type of a text.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// The media type of a JSON document.
pub const JSON: &str = "application/json";

/// What is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// For people, or JSON.
    Text(String),
    /// Exactly these bytes.
    Bytes(Vec<u8>),
    /// Content of a repository, which never enters the guest.
    Content {
        /// Where it lives.
        repository: String,
        /// What it is.
        descriptor: Box<Descriptor>,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 0, or 6 to 63: what a command line exits with although there is an answer.
    pub status: u8,
    /// What the body is.
    pub media_type: Cow<'static, str>,
    /// The answer itself.
    pub body: Body,
    /// Facts for the caller, beside the answer.
    pub metadata: Vec<(String, String)>,
}

impl Response {
    fn new(media_type: impl Into<Cow<'static, str>>, body: Body) -> Self {
        Response { status: 0, media_type: media_type.into(), body, metadata: Vec::new() }
    }

    /// A text for people. It ends with a newline, whether or not it was given one.
    pub fn text(text: impl Into<String>) -> Self {
        let mut text = text.into();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        Self::new(TEXT, Body::Text(text))
    }

    /// A JSON document, two spaces a level, with a newline at the end.
    ///
    /// # Errors
    /// A map whose keys are no texts.
    pub fn json(value: &impl Serialize) -> Result<Self, Failure> {
        match serde_json::to_string_pretty(value) {
            Ok(text) => Ok(Self::json_text(text)),
            Err(error) => Err(Failure::new(format!("cannot write the answer as JSON: {error}"))),
        }
    }

    /// A JSON document that is written already, kept to the letter but for the newline at its end.
    pub fn json_text(text: impl Into<String>) -> Self {
        Response { media_type: JSON.into(), ..Self::text(text) }
    }

    /// Exactly these bytes.
    pub fn bytes(media_type: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(media_type.into(), Body::Bytes(bytes.into()))
    }

    /// Content that the host streams to the caller: a layer, a blob of any size.
    pub fn content(repository: impl Into<String>, descriptor: Descriptor) -> Self {
        let media_type = descriptor.media_type.clone();
        Self::new(media_type, Body::Content { repository: repository.into(), descriptor: Box::new(descriptor) })
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.body {
            Body::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Adds a fact for the caller; a value that is a JSON object is taken as one.
    #[must_use]
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.push((name.into(), value.into()));
        self
    }

    /// Makes a command line exit with this, 6 to 63, although there is an answer.
    #[must_use]
    pub fn status(mut self, status: u8) -> Self {
        self.status = status;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_with_one_newline() {
        for (given, expected) in [("", ""), ("a", "a\n"), ("a\n", "a\n"), ("a\n\n", "a\n\n")] {
            assert_eq!(Response::text(given).body, Body::Text(expected.to_owned()), "{given:?}");
        }
        assert_eq!(Response::json(&[1]).unwrap().body, Body::Text("[\n  1\n]\n".to_owned()));
    }
}

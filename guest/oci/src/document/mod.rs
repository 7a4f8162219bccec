//! Documents: views of indexes, manifests and configs, and the checks that come before them.
//!
//! A view is what a reader needs of a document (image-spec: descriptor.md, image-index.md, manifest.md, config.md). It is
//! never written back in the document's place: the bytes are what the digest names, and whoever passes a document on passes
//! its bytes.

mod check;
mod outline;
mod view;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer};

pub use check::{check, media_type_of};
pub use outline::{Entries, Outline};
pub use view::{Annotations, Config, Descriptor, Document, History, Index, Manifest};

/// A document that breaks its specification, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    message: String,
}

impl Malformed {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Malformed { message: message.into() }
    }

    /// `what` is the kind of document, for the person who reads the message.
    pub(crate) fn json(what: &str, error: &serde_json::Error) -> Self {
        Malformed { message: format!("no readable {what}: {}", crate::reference::excerpt(&error.to_string())) }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Malformed {}

/// The text of a document. JSON is UTF-8 (RFC 8259, 8.1); Go reads anything else with replacements, that is, other keys and
/// values than were signed. To look once here is faster than at each text while reading, too.
fn utf8<'a>(what: &str, bytes: &'a [u8]) -> Result<&'a str, Malformed> {
    std::str::from_utf8(bytes).map_err(|error| Malformed::new(format!("no readable {what}: {error}")))
}

/// Reads a view.
fn read<'de, T: Deserialize<'de>>(what: &str, bytes: &'de [u8]) -> Result<T, Malformed> {
    serde_json::from_str(utf8(what, bytes)?).map_err(|error| Malformed::json(what, &error))
}

/// A text, borrowed where the source allows.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, str>, D::Error> {
    struct Visitor;
    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = Cow<'de, str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok(Cow::Borrowed(text))
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Cow::Owned(text.to_owned()))
        }

        fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
            Ok(Cow::Owned(text))
        }
    }
    deserializer.deserialize_str(Visitor)
}

/// `null` for what is absent: Go writes empty lists and maps so.
pub(crate) fn absent<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

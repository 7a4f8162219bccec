//! Platforms: what a text or a document means, what a wanted platform accepts, and the order of what is there.
//!
//! The rules are those of containerd/platforms, which Docker and BuildKit use.

mod matcher;
mod normalize;
mod parse;
mod select;
mod windows;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

pub use matcher::{Matcher, Rank};
pub use parse::InvalidPlatform;
pub use select::{order, select, select_in};

/// A platform as documents write it (image-spec, image-index.md, `platform`). An empty text stands for what is absent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Platform {
    /// `amd64`, in Go's words.
    #[serde(default, deserialize_with = "crate::document::absent")]
    pub architecture: String,
    /// `linux`, in Go's words.
    #[serde(default, deserialize_with = "crate::document::absent")]
    pub os: String,
    /// `10.0.20348.1`; counts on Windows.
    #[serde(
        rename = "os.version",
        default,
        deserialize_with = "crate::document::absent",
        skip_serializing_if = "String::is_empty"
    )]
    pub os_version: String,
    /// `win32k`.
    #[serde(
        rename = "os.features",
        default,
        deserialize_with = "crate::document::absent",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
    /// `v7`.
    #[serde(default, deserialize_with = "crate::document::absent", skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

impl Platform {
    /// Reads `os[(version+features)][/arch[/variant]]`, or `arch` alone, and normalises os and architecture as
    /// containerd does while parsing. What is left out is taken from `machine`, the platform the result is for.
    ///
    /// # Errors
    /// A text that containerd refuses: empty or more than three parts, `*`, a single part that is neither a known
    /// operating system nor a known architecture.
    pub fn parse(text: &str, machine: &Platform) -> Result<Self, InvalidPlatform> {
        parse::parse(text, machine)
    }

    /// `os/arch/variant`, what is absent left out; `unknown` without an operating system.
    pub fn short(&self) -> String {
        self.written(false)
    }

    /// The same with `(version+features)` behind the operating system, features sorted, each once.
    pub fn long(&self) -> String {
        self.written(true)
    }

    fn written(&self, long: bool) -> String {
        if self.os.is_empty() {
            return "unknown".into();
        }
        let mut text = self.os.clone();
        let mut features: Vec<&str> =
            self.os_features.iter().map(String::as_str).filter(|feature| long && !feature.is_empty()).collect();
        if long && (!self.os_version.is_empty() || !features.is_empty()) {
            features.sort_unstable();
            features.dedup();
            text.push('(');
            escape(&self.os_version, &mut text);
            for feature in features {
                text.push('+');
                escape(feature, &mut text);
            }
            text.push(')');
        }
        for part in [&self.architecture, &self.variant] {
            if !part.is_empty() {
                text.push('/');
                text.push_str(part);
            }
        }
        text
    }

    /// One spelling for what means the same; an absent operating system is the machine's. Features are sorted, each once.
    #[must_use]
    pub fn normalized(&self, machine: &Platform) -> Platform {
        let (architecture, variant) = normalize::architecture(&self.architecture, &self.variant);
        let mut os_features = self.os_features.clone();
        os_features.sort_unstable();
        os_features.dedup();
        Platform {
            os: normalize::os(&self.os, &machine.os).into_owned(),
            architecture: architecture.into_owned(),
            variant: variant.into_owned(),
            os_version: self.os_version.clone(),
            os_features,
        }
    }

    /// `unknown/unknown`: what BuildKit writes for entries that are no images.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }
}

/// A version or a feature in letters that a platform's text can hold, so that it is read again whatever it was.
fn escape(part: &str, text: &mut String) {
    for byte in part.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' => text.push(byte.into()),
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
}

//! What the files of an image layout are called (image-spec, image-layout.md), and which version of it is known.

use std::fmt;

use serde::Deserialize;

use crate::digest::{Algorithm, Digest};

/// An `oci-layout` file has about thirty bytes; this many are read of one.
pub const VERSION_FILE: u64 = 4 << 10;

/// A place in a layout. Names are made from constants and digests alone, so that nothing else in a folder or an archive
/// can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// The file that makes a folder a layout.
    Version,
    /// The entries.
    Index,
    /// Content by its digest: the algorithm, and the digits.
    Blob(Algorithm, &'a str),
}

impl<'a> Place<'a> {
    /// Where the content of a digest is; nowhere for one of an algorithm that nobody here can compute.
    pub fn of(digest: &'a Digest) -> Option<Self> {
        digest.algorithm().map(|algorithm| Place::Blob(algorithm, digest.hex()))
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Version => f.write_str("oci-layout"),
            Place::Index => f.write_str("index.json"),
            Place::Blob(algorithm, hex) => write!(f, "blobs/{}/{hex}", algorithm.as_str()),
        }
    }
}

/// Sees that the `oci-layout` file says version 1.
///
/// # Errors
/// What is wrong with it, to follow "its oci-layout file".
pub fn check_version(bytes: &[u8]) -> Result<(), String> {
    #[derive(Deserialize)]
    struct Version {
        #[serde(rename = "imageLayoutVersion")]
        version: String,
    }
    let Version { version } = serde_json::from_slice(bytes).map_err(|reason| format!("is not readable: {reason}"))?;
    match version.split('.').next() == Some("1") {
        true => Ok(()),
        false => Err(format!("says version {version:?}; the one known here is 1.0.0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (text, known) in [
            (r#"{"imageLayoutVersion":"1.0.0"}"#, true),
            (r#"{"imageLayoutVersion":"1.7"}"#, true),
            (r#"{"imageLayoutVersion":"2.0.0"}"#, false),
            (r#"{"imageLayoutVersion":1}"#, false),
            ("{}", false),
            ("", false),
        ] {
            assert_eq!(check_version(text.as_bytes()).is_ok(), known, "{text}");
        }
    }
}

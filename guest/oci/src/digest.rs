//! Digests: what content is called (image-spec, descriptor.md, "Digests").

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

/// An algorithm that content can be checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, what everybody uses.
    Sha256,
    /// SHA-384; not registered by the image specification, known to Docker's library.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// The name before the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha384 => "sha384",
            Algorithm::Sha512 => "sha512",
        }
    }

    /// How many hexadecimal digits follow the colon.
    pub fn hex_len(self) -> usize {
        match self {
            Algorithm::Sha256 => 64,
            Algorithm::Sha384 => 96,
            Algorithm::Sha512 => 128,
        }
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            "sha256" => Some(Algorithm::Sha256),
            "sha384" => Some(Algorithm::Sha384),
            "sha512" => Some(Algorithm::Sha512),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `algorithm:encoded`, checked: with a known algorithm, lower-case hexadecimal of the right length. Safe in a path, a
/// URL and a cache key.
///
/// Documents may name algorithms that we do not know; such digests are read, shown, and refused when content is asked
/// for: their [`algorithm`](Digest::algorithm) is `None`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(Box<str>);

impl Digest {
    /// Reads a digest of a known algorithm, as references hold them.
    ///
    /// # Errors
    /// Another algorithm, upper-case or too few or too many digits, anything that is no digest.
    pub fn parse(text: &str) -> Result<Self, InvalidDigest> {
        let digest = Self::parse_any(text)?;
        match digest.algorithm() {
            Some(_) => Ok(digest),
            None => Err(InvalidDigest::new(text, "its algorithm is none of sha256, sha384, sha512")),
        }
    }

    /// Reads a digest of any algorithm, as documents hold them.
    ///
    /// # Errors
    /// As [`parse`](Digest::parse), but for the algorithm, which must only be spelled as the specification says.
    pub fn parse_any(text: &str) -> Result<Self, InvalidDigest> {
        let fail = |why| Err(InvalidDigest::new(text, why));
        let Some((name, encoded)) = text.split_once(':') else {
            return fail("there is no colon between algorithm and digits");
        };
        match Algorithm::named(name) {
            Some(algorithm) => {
                if !encoded.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                    return fail(match encoded.bytes().any(|byte| byte.is_ascii_uppercase()) {
                        true => "its digits must be lower-case",
                        false => "its digits must be hexadecimal",
                    });
                }
                if encoded.len() != algorithm.hex_len() {
                    return Err(InvalidDigest::new(
                        text,
                        format!("{algorithm} has {} digits, not {}", algorithm.hex_len(), encoded.len()),
                    ));
                }
            }
            None => {
                let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
                if !name.split(['+', '.', '_', '-']).all(|part| !part.is_empty() && part.bytes().all(word)) {
                    return fail("the algorithm is not spelled in lower-case letters and digits");
                }
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'_' | b'-');
                if encoded.is_empty() || !encoded.bytes().all(plain) {
                    return fail("what follows the colon is not letters, digits, =, _ or -");
                }
            }
        }
        Ok(Digest(text.into()))
    }

    /// The SHA-256 digest of `bytes`.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, bytes)
    }

    /// The digest of `bytes`.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Whether this is the digest of `bytes`; never of an unknown algorithm.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        self.algorithm().is_some_and(|algorithm| Self::of(algorithm, bytes) == *self)
    }

    /// `algorithm:encoded`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What to check content with; `None` for an algorithm that we do not know.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.0.split_once(':').and_then(|(name, _)| Algorithm::named(name))
    }

    /// What is before the colon, known or not.
    pub fn algorithm_name(&self) -> &str {
        self.0.split_once(':').map_or("", |(name, _)| name)
    }

    /// What follows the colon.
    pub fn hex(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, encoded)| encoded)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        Self::parse(text)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = crate::document::text(deserializer)?;
        Self::parse_any(&text).map_err(serde::de::Error::custom)
    }
}

/// A text that is no digest, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDigest {
    text: String,
    why: String,
}

impl InvalidDigest {
    fn new(text: &str, why: impl Into<String>) -> Self {
        InvalidDigest { text: crate::reference::excerpt(text), why: why.into() }
    }
}

impl fmt::Display for InvalidDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no digest: {}", self.text, self.why)
    }
}

impl std::error::Error for InvalidDigest {}

/// Makes a digest of content that comes in pieces.
#[derive(Debug, Clone)]
pub struct Hasher(State);

#[derive(Debug, Clone)]
enum State {
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

impl Hasher {
    /// Nothing hashed yet.
    pub fn new(algorithm: Algorithm) -> Self {
        Hasher(match algorithm {
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            Algorithm::Sha384 => State::Sha384(sha2::Sha384::new()),
            Algorithm::Sha512 => State::Sha512(sha2::Sha512::new()),
        })
    }

    /// The next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha384(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of all pieces.
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(state) => named(Algorithm::Sha256, &state.finalize()),
            State::Sha384(state) => named(Algorithm::Sha384, &state.finalize()),
            State::Sha512(state) => named(Algorithm::Sha512, &state.finalize()),
        }
    }
}

fn named(algorithm: Algorithm, hash: &[u8]) -> Digest {
    let mut text = String::with_capacity(algorithm.as_str().len() + 1 + algorithm.hex_len());
    text.push_str(algorithm.as_str());
    text.push(':');
    for byte in hash {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }));
        }
    }
    Digest(text.into())
}

//! Whether content is what its descriptor says, while it comes in pieces.
//!
//! Not here: reading, and what is done about content that is not.

use std::fmt;

use crate::code::Code;
use crate::digest::{Digest, Hasher};
use crate::document::Descriptor;

/// Compares content with its descriptor while it arrives.
///
/// Verified is only what came before a [`finish`](Verifier::finish) that said so.
#[derive(Debug, Clone)]
pub struct Verifier {
    digest: Digest,
    size: u64,
    seen: u64,
    hasher: Hasher,
}

impl Verifier {
    /// Fails for digests of an algorithm that nobody here can compute.
    pub fn new(descriptor: &Descriptor) -> Result<Self, Unverified> {
        let algorithm = descriptor.digest.algorithm().ok_or(Unverified::Algorithm)?;
        let (digest, size) = (descriptor.digest.clone(), descriptor.size);
        Ok(Verifier { digest, size, seen: 0, hasher: Hasher::new(algorithm) })
    }

    /// Fails if the content is known to have another length, before any of it is read.
    pub fn expect(&self, length: u64) -> Result<(), Unverified> {
        match length == self.size {
            true => Ok(()),
            false => Err(Unverified::Length { length, size: self.size }),
        }
    }

    /// Bytes that have to come yet.
    pub fn left(&self) -> u64 {
        self.size - self.seen
    }

    /// Takes the next bytes; fails as soon as there are too many.
    pub fn update(&mut self, bytes: &[u8]) -> Result<(), Unverified> {
        if bytes.len() as u64 > self.left() {
            return Err(Unverified::Longer { size: self.size });
        }
        self.seen += bytes.len() as u64;
        self.hasher.update(bytes);
        Ok(())
    }

    /// The verdict, when all bytes have come.
    pub fn finish(self) -> Result<(), Unverified> {
        self.expect(self.seen)?;
        let actual = self.hasher.finish();
        match actual == self.digest {
            true => Ok(()),
            false => Err(Unverified::Digest(actual)),
        }
    }
}

/// Why content is not what its descriptor says, or why nobody can tell. Reads as the end of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unverified {
    /// Its digest is of an algorithm that nobody here can compute.
    Algorithm,
    /// It has another length.
    Length {
        /// What it has.
        length: u64,
        /// What its descriptor says.
        size: u64,
    },
    /// There is more of it.
    Longer {
        /// What its descriptor says.
        size: u64,
    },
    /// It has this digest.
    Digest(Digest),
}

impl Unverified {
    /// What kind of failure that is.
    pub fn code(&self) -> Code {
        match self {
            Unverified::Algorithm => Code::Unsupported,
            Unverified::Length { .. } | Unverified::Longer { .. } | Unverified::Digest(_) => Code::DigestMismatch,
        }
    }
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unverified::Algorithm => {
                f.write_str("its digest cannot be checked; the algorithms known here are sha256, sha384 and sha512")
            }
            Unverified::Length { length, size } => write!(f, "{length} bytes, where its descriptor says {size}"),
            Unverified::Longer { size } => write!(f, "more than the {size} bytes that its descriptor says"),
            Unverified::Digest(actual) => write!(f, "the bytes have the digest {actual}"),
        }
    }
}

impl std::error::Error for Unverified {}

//! Bytes against what was asked for: the requested digest and size, to the end (a reader that stops early has verified
//! nothing).
//!
//! Pure. Hashing goes along with reading, so that a stream of any length takes no memory here.

use portolan_oci::{Algorithm, Digest, Hasher};

/// A body that is being read.
pub(super) struct Verifier {
    expected: Digest,
    size: Option<u64>,
    seen: u64,
    hasher: Hasher,
}

impl Verifier {
    /// `None` if the digest's algorithm is none that we compute.
    pub(super) fn new(expected: &Digest, size: Option<u64>) -> Option<Verifier> {
        let hasher = Hasher::new(expected.algorithm()?);
        Some(Verifier { expected: expected.clone(), size, seen: 0, hasher })
    }

    /// The next bytes. The message says that there are more than there should be.
    pub(super) fn update(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.seen = self.seen.saturating_add(bytes.len() as u64);
        if let Some(size) = self.size.filter(|size| self.seen > *size) {
            return Err(format!("the body is longer than the {size} bytes that were announced"));
        }
        self.hasher.update(bytes);
        Ok(())
    }

    /// The end of the body.
    pub(super) fn finish(self) -> Result<(), String> {
        if let Some(size) = self.size.filter(|size| self.seen != *size) {
            return Err(format!("the body has {} bytes, and {size} were announced", self.seen));
        }
        let found = self.hasher.finish();
        if found != self.expected {
            return Err(format!("the body is {found}, and {} was asked for", self.expected));
        }
        Ok(())
    }
}

/// `Docker-Content-Digest`, where it is a digest that we can compute. Anything else is as good as none: then the bytes are
/// asked for and hashed.
pub(super) fn digest_header(header: Option<&str>) -> Option<Digest> {
    Digest::parse(header?.trim()).ok()
}

/// The digest of a body whose digest nobody knew; in the header's algorithm if there is a header.
pub(super) fn digest_of(bytes: &[u8], header: Option<&Digest>) -> Result<Digest, String> {
    let Some(said) = header else { return Ok(Digest::sha256(bytes)) };
    let found = Digest::of(said.algorithm().unwrap_or(Algorithm::Sha256), bytes);
    if found == *said { Ok(found) } else { Err(format!("the header says {said}, and the body is {found}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(expected: &Digest, size: Option<u64>, pieces: &[&str]) -> Result<(), String> {
        let mut verifier = Verifier::new(expected, size).unwrap();
        for piece in pieces {
            verifier.update(piece.as_bytes())?;
        }
        verifier.finish()
    }

    #[test]
    fn bodies() {
        let sha256 = Digest::sha256(b"abc");
        let sha512 = Digest::of(Algorithm::Sha512, b"abc");
        for (digest, size, pieces, expected) in [
            (&sha256, Some(3), &["abc"][..], ""),
            (&sha256, Some(3), &["a", "", "bc"], ""),
            (&sha256, None, &["abc"], ""),
            (&sha512, Some(3), &["abc"], ""),
            (&sha256, Some(3), &["ab"], "the body has 2 bytes, and 3 were announced"),
            (&sha256, Some(3), &[], "the body has 0 bytes, and 3 were announced"),
            (&sha256, Some(3), &["ab", "cd"], "the body is longer than the 3 bytes that were announced"),
            (&sha256, Some(0), &["a"], "the body is longer than the 0 bytes that were announced"),
        ] {
            assert_eq!(read(digest, size, pieces).err().unwrap_or_default(), expected, "{pieces:?}");
        }
        for (digest, pieces) in [(&sha256, &["abd"][..]), (&sha512, &["abd"]), (&sha256, &["abcd"])] {
            let message = read(digest, None, pieces).unwrap_err();
            assert!(message.ends_with(&format!("{digest} was asked for")), "{message}");
        }
    }

    #[test]
    fn unknown_algorithms_are_not_verified() {
        assert!(Verifier::new(&Digest::parse_any("blake3:00").unwrap(), None).is_none());
    }

    #[test]
    fn headers() {
        let good = Digest::sha256(b"abc");
        for (header, expected) in [
            (Some(good.as_str()), Some(&good)),
            (None, None),
            (Some(""), None),
            (Some("sha256:abc"), None),
            (Some("sha256:../.."), None),
            (Some("blake3:00"), None),
        ] {
            assert_eq!(digest_header(header).as_ref(), expected, "{header:?}");
        }
        let upper = good.as_str().to_uppercase();
        assert_eq!(digest_header(Some(&upper)), None);
        assert_eq!(digest_of(b"abc", None), Ok(good.clone()));
        assert_eq!(digest_of(b"abc", Some(&good)), Ok(good.clone()));
        let sha512 = Digest::of(Algorithm::Sha512, b"abc");
        assert_eq!(digest_of(b"abc", Some(&sha512)), Ok(sha512));
        assert!(digest_of(b"abd", Some(&good)).is_err());
    }
}

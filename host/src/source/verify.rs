//! What every source checks before content leaves it: its size, its digest, and that a document is what its media type
//! says. One room, so that a registry and a layout cannot be strict in different ways.
//!
//! Not here: reading. Callers hand in what arrived, piece by piece or whole.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use portolan_oci::media_type::{self, Kind};
use portolan_oci::verify::Unverified;
use portolan_oci::{Descriptor, Digest};

use crate::error::{Code, Error, Result};
use crate::limits::Limits;

/// How many bytes a document of this media type may have.
pub(crate) fn limit(media_type: &str, limits: &Limits) -> u64 {
    match media_type::kind(media_type) {
        Kind::Index | Kind::Manifest | Kind::Config => limits.document,
        _ => limits.attestation,
    }
}

/// Refuses a document that says itself that it is larger than `limits` allow, before anything is read.
pub(crate) fn admit(repository: &str, descriptor: &Descriptor, limits: &Limits) -> Result<()> {
    let limit = limit(&descriptor.media_type, limits);
    if descriptor.size <= limit {
        return Ok(());
    }
    let detail = format!("{} bytes of {}, where {limit} are the limit", descriptor.size, descriptor.media_type);
    Err(Error::new(Code::TooLarge, "fetch", content(repository, &descriptor.digest), detail))
}

/// Compares content with its descriptor while it arrives.
///
/// Verified is only what came before a [`finish`](Verifier::finish) that said so.
pub(crate) struct Verifier {
    subject: String,
    verifier: portolan_oci::verify::Verifier,
}

impl Verifier {
    /// Fails for digests of an algorithm that nobody here can compute.
    pub(crate) fn new(repository: &str, descriptor: &Descriptor) -> Result<Self> {
        let subject = content(repository, &descriptor.digest);
        match portolan_oci::verify::Verifier::new(descriptor) {
            Ok(verifier) => Ok(Verifier { subject, verifier }),
            Err(unverified) => Err(failed(&subject, &unverified)),
        }
    }

    /// What is verified, for messages.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    /// Fails if the content is known to have another length, before any of it is read.
    pub(crate) fn expect(&self, length: u64) -> Result<()> {
        self.verifier.expect(length).map_err(|unverified| failed(&self.subject, &unverified))
    }

    /// Bytes that have to come yet.
    pub(crate) fn left(&self) -> u64 {
        self.verifier.left()
    }

    /// Takes the next bytes; fails as soon as there are too many.
    pub(crate) fn update(&mut self, bytes: &[u8]) -> Result<()> {
        self.verifier.update(bytes).map_err(|unverified| failed(&self.subject, &unverified))
    }

    /// The verdict, when all bytes have come.
    pub(crate) fn finish(self) -> Result<()> {
        self.verifier.finish().map_err(|unverified| failed(&self.subject, &unverified))
    }
}

fn failed(subject: &str, unverified: &Unverified) -> Error {
    Error::new(unverified.code(), "fetch", subject, unverified.to_string())
}

/// Whether a document is of the shape that its media type says, unambiguously (oci-semantics, "Documents").
pub(crate) fn shape(repository: &str, descriptor: &Descriptor, bytes: &[u8], limits: &Limits) -> Result<()> {
    portolan_oci::document::check(&descriptor.media_type, bytes, limits.index_entries).map_err(|malformed| {
        Error::new(Code::Malformed, "fetch", content(repository, &descriptor.digest), malformed.to_string())
    })
}

/// The content that a descriptor carries itself, where it is what the descriptor says. Anything else in `data` counts
/// as absent: the content is then fetched like any other.
pub(crate) fn embedded(descriptor: &Descriptor) -> Option<Bytes> {
    let data = descriptor.data.as_deref()?;
    // Nothing is decoded that cannot be right: base64 has four characters for three bytes.
    if data.len() as u64 / 4 > descriptor.size / 3 + 1 {
        return None;
    }
    let bytes = STANDARD.decode(data).ok()?;
    (bytes.len() as u64 == descriptor.size && descriptor.digest.matches(&bytes)).then(|| bytes.into())
}

/// The error for content whose digest nobody here can compute.
pub(crate) fn unknown_algorithm(operation: &'static str, subject: String) -> Error {
    let unverified = Unverified::Algorithm;
    Error::new(unverified.code(), operation, subject, unverified.to_string())
}

/// How messages name content.
pub(crate) fn content(repository: &str, digest: &Digest) -> String {
    format!("{repository}@{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(media_type: &str, bytes: &[u8]) -> Descriptor {
        Descriptor::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
    }

    #[test]
    fn limits_follow_the_kind() {
        let limits = Limits { document: 1, attestation: 2, ..Limits::default() };
        for (media_type, expected) in [
            (media_type::OCI_INDEX, 1),
            (media_type::DOCKER_LIST, 1),
            (media_type::OCI_MANIFEST, 1),
            (media_type::DOCKER_MANIFEST, 1),
            (media_type::OCI_CONFIG, 1),
            (media_type::IN_TOTO, 2),
            ("application/x-anything", 2),
        ] {
            assert_eq!(limit(media_type, &limits), expected, "{media_type}");
        }
    }

    #[test]
    fn verdicts() {
        let told = descriptor("a/b", b"hello");
        for (pieces, expected) in [
            (vec!["hello"], None),
            (vec!["he", "", "llo"], None),
            (vec!["hell"], Some("4 bytes, where its descriptor says 5")),
            (vec![], Some("0 bytes, where its descriptor says 5")),
            (vec!["hello", "!"], Some("more than the 5 bytes that its descriptor says")),
            (vec!["hallo"], Some("the bytes have the digest sha256:d3751d33")),
        ] {
            let mut verifier = Verifier::new("r.example/a", &told).unwrap();
            let verdict =
                pieces.iter().try_for_each(|piece| verifier.update(piece.as_bytes())).and_then(|()| verifier.finish());
            match (expected, verdict) {
                (None, verdict) => verdict.unwrap(),
                (Some(part), Ok(())) => panic!("{pieces:?} passed, not: {part}"),
                (Some(part), Err(error)) => {
                    assert_eq!(error.code(), Code::DigestMismatch);
                    assert!(error.to_string().contains(part), "{error}");
                }
            }
        }
    }

    #[test]
    fn unknown_algorithms_are_refused_when_fetched() {
        let digest = Digest::parse_any("blake3:0011").unwrap();
        let error = Verifier::new("r.example/a", &Descriptor::new("a/b", digest, 5)).err().unwrap();
        assert_eq!(error.code(), Code::Unsupported);
        assert!(error.to_string().contains("r.example/a@blake3:0011: its digest cannot be checked;"), "{error}");
    }

    #[test]
    fn data_is_used_only_where_it_is_right() {
        let honest = descriptor("a/b", b"hello");
        for (data, expected) in [
            (None, None),
            (Some("aGVsbG8=".to_owned()), Some("hello")),
            (Some("aGVsbG8".to_owned()), None),
            (Some("aGFsbG8=".to_owned()), None),
            (Some("not base64".to_owned()), None),
            (Some("aGVsbG8h".to_owned()), None),
            (Some(String::new()), None),
            (Some("A".repeat(1 << 20)), None),
        ] {
            let told = Descriptor { data, ..honest.clone() };
            assert_eq!(embedded(&told).as_deref(), expected.map(str::as_bytes), "{:?}", told.data);
        }
        let longer = Descriptor { data: Some("aGVsbG8=".to_owned()), size: 6, ..honest };
        assert_eq!(embedded(&longer), None);
    }
}

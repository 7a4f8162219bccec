//! What a tag or a digest means, read from the answer to it: from its head if that tells everything, else from its body.
//!
//! No I/O; the answers come from `client`.

use portolan_oci::{Algorithm, Descriptor, Digest, document, media_type};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::client::{Answer, DOCKER_CONTENT_DIGEST};
use super::repository::Area;
use super::text;
use crate::error::{Code, Result};
use crate::limits::Limits;

/// What servers call bytes that they know nothing of.
const OCTETS: &str = "application/octet-stream";

/// What `resolve` was asked.
pub(super) struct Root<'a> {
    pub subject: String,
    /// The tag or digest, validated.
    pub text: &'a str,
    pub digest: Option<&'a Digest>,
}

impl Root<'_> {
    /// The descriptor, if the head of an answer tells all of it.
    pub(super) fn of_head(&self, answer: &Answer, area: Area) -> Result<Option<Descriptor>> {
        let said = digest_header(answer.header(DOCKER_CONTENT_DIGEST.as_str()));
        let digest = match (self.digest, said) {
            (Some(asked), Some(said)) if said.algorithm() == asked.algorithm() && said != *asked => {
                let detail = format!("its head says {said}");
                return Err(answer.error(Code::DigestMismatch, "resolve", &self.subject, detail));
            }
            (Some(asked), _) => asked.clone(),
            (None, Some(said)) => said,
            (None, None) => return Ok(None),
        };
        let size = answer.header(CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok());
        let Some(size) = size.filter(|size| i64::try_from(*size).is_ok()) else { return Ok(None) };
        // No manifest is empty; servers that send no body to a HEAD say this.
        if size == 0 && area == Area::Manifests {
            return Ok(None);
        }
        let said = media_type::essence(answer.header(CONTENT_TYPE.as_str()).unwrap_or_default());
        let media_type = match area {
            Area::Manifests if media_type::ROOTS.contains(&said.as_str()) => said,
            Area::Manifests => return Ok(None),
            Area::Blobs if media_type::valid(&said) => said,
            Area::Blobs => OCTETS.to_owned(),
        };
        Ok(Some(Descriptor::new(media_type, digest, size)))
    }

    /// The descriptor of a document that had to be read to know what it is.
    pub(super) fn of_body(&self, answer: &Answer, area: Area, limits: &Limits) -> Result<Descriptor> {
        let promised = self.digest.cloned().or_else(|| digest_header(answer.header(DOCKER_CONTENT_DIGEST.as_str())));
        let digest = digest_of(&answer.body, promised.as_ref())
            .map_err(|detail| answer.error(Code::DigestMismatch, "resolve", &self.subject, detail))?;
        let said = media_type::essence(answer.header(CONTENT_TYPE.as_str()).unwrap_or_default());
        let malformed = |detail: String| answer.malformed("resolve", &self.subject, detail);
        let media_type = match (area, said.as_str()) {
            (Area::Blobs, said) if media_type::valid(said) => said.to_owned(),
            (Area::Blobs, _) => OCTETS.to_owned(),
            // What servers say that do not know: then the document says what it is.
            (Area::Manifests, "" | OCTETS | "application/json" | "text/plain") => {
                document::media_type_of(&answer.body, false).map_err(|error| malformed(error.to_string()))?
            }
            (Area::Manifests, said) if media_type::ROOTS.contains(&said) || media_type::is_schema1(said) => {
                said.to_owned()
            }
            (Area::Manifests, said) => {
                return Err(malformed(format!("it is {}, which is no manifest and no index", text::media_type(said))));
            }
        };
        document::check(&media_type, &answer.body, limits.index_entries)
            .map_err(|error| malformed(error.to_string()))?;
        Ok(Descriptor::new(media_type, digest, answer.body.len() as u64))
    }
}

/// `Docker-Content-Digest`, where it is a digest that we can compute. Anything else is as good as none: then the bytes are
/// asked for and hashed.
fn digest_header(header: Option<&str>) -> Option<Digest> {
    Digest::parse(header?.trim()).ok()
}

/// The digest of a body, which has to be the promised one if there is a promise.
fn digest_of(bytes: &[u8], promised: Option<&Digest>) -> Result<Digest, String> {
    let Some(said) = promised else { return Ok(Digest::sha256(bytes)) };
    let found = Digest::of(said.algorithm().unwrap_or(Algorithm::Sha256), bytes);
    if found == *said { Ok(found) } else { Err(format!("the body has the digest {found}, and {said} was promised")) }
}

#[cfg(test)]
mod tests {
    use super::*;

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

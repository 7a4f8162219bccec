//! What a tag or a digest means, read from the answer to it: from its head if that tells everything, else from its body.
//!
//! No I/O; the answers come from `client`.

use portolan_oci::{Descriptor, Digest, document, media_type};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};

use super::client::{Answer, DOCKER_CONTENT_DIGEST};
use super::repository::Area;
use super::verify::{digest_header, digest_of};
use crate::error::{Code, Error, Result};
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
                return Err(self.contradicted(answer, &said));
            }
            (Some(asked), _) => asked.clone(),
            (None, Some(said)) => said,
            (None, None) => return Ok(None),
        };
        let size = answer.header(CONTENT_LENGTH.as_str()).and_then(|text| text.parse().ok());
        let Some(size) = size.filter(|size| i64::try_from(*size).is_ok()) else { return Ok(None) };
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
        let digest = match self.digest {
            // The body was verified while it was read.
            Some(asked) => asked.clone(),
            None => digest_of(&answer.body, digest_header(answer.header(DOCKER_CONTENT_DIGEST.as_str())).as_ref())
                .map_err(|detail| Error::new(Code::DigestMismatch, "resolve", &self.subject, detail))?,
        };
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
                return Err(malformed(format!("it is {said:?}, which is no manifest and no index")));
            }
        };
        document::check(&media_type, &answer.body, limits.index_entries)
            .map_err(|error| malformed(error.to_string()))?;
        Ok(Descriptor::new(media_type, digest, answer.body.len() as u64))
    }

    fn contradicted(&self, answer: &Answer, said: &Digest) -> Error {
        let detail = format!("it answers with {said}");
        Error::new(Code::DigestMismatch, "resolve", &self.subject, detail).with_status(answer.status)
    }
}

//! Manifests and indexes: stored by digest or under a tag, and only where they are not there already.

use bytes::Bytes;
use portolan_oci::{Descriptor, reference};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::{PUSH, Push, referrers};
use crate::error::{Code, Error, Result};
use crate::source::registry::client::{Answer, Ask, DOCKER_CONTENT_DIGEST, Start, Write};
use crate::source::registry::payload::Payload;
use crate::source::registry::queue::Line;
use crate::source::registry::repository::MANIFESTS;
use crate::source::sink::{Document, Pushed};
use crate::source::verify;

/// What a registry that keeps referrers by itself answers with.
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

pub(super) async fn put(push: &Push, document: &Document) -> Result<Pushed> {
    let Document { descriptor, bytes, name } = document;
    let repository = &push.endpoint.repository;
    push.repository.computable(PUSH, &descriptor.digest)?;
    let (target, subject) = match name.as_deref() {
        Some(tag) if reference::is_tag(tag) => (tag, format!("{repository}:{tag}")),
        Some(other) => {
            let detail = format!("{other:?} is no tag");
            return Err(Error::new(Code::InvalidReference, PUSH, repository.as_str(), detail));
        }
        None => (descriptor.digest.as_str(), push.repository.subject(&descriptor.digest)),
    };
    let most = verify::limit(&descriptor.media_type, &push.client().limits);
    if bytes.len() as u64 > most {
        let detail = format!("{} bytes of {}, where {most} are the limit", bytes.len(), descriptor.media_type);
        return Err(Error::new(Code::TooLarge, PUSH, subject, detail));
    }
    let spoken_of = referrers::Referrer::of(descriptor, bytes)
        .map_err(|detail| Error::new(Code::Malformed, PUSH, subject.as_str(), detail))?;
    if let Some(referrer) = &spoken_of {
        push.repository.computable(PUSH, &referrer.subject)?;
    }

    // Those that speak of one digest go one after the other, whoever keeps their list: olareg reads, changes and writes it
    // as well, and forgets one of two that arrive at once.
    let _turn = match &spoken_of {
        Some(referrer) => Some(push.repository.shared.referring.take(push.repository.subject(&referrer.subject)).await),
        None => None,
    };
    let url = push.endpoint.url(&format!("manifests/{target}"));
    let created = !is_there(push, descriptor, name.is_some(), &subject, url.clone().into()).await?;
    let mut answer = None;
    if created {
        let stored = store(push, (&descriptor.media_type, bytes), HeaderMap::new(), &subject, url.into()).await?;
        if !stored.is_done() {
            // What it misses may be what was believed to be there.
            push.known().doubt(repository);
            return Err(push.refusal(&stored, &subject));
        }
        push.same_digest(&stored, &descriptor.digest, &subject)?;
        push.repository.shared.resolving.outdate(|(asked, _)| *asked == subject);
        push.repository.keep(&descriptor.digest, bytes, &stored).await;
        answer = Some(stored);
    }
    let Some(referrer) = spoken_of else { return Ok(Pushed { created, subject_processed: true }) };
    let subject_processed = match answer {
        Some(answer) => answer.header(OCI_SUBJECT.as_str()).map(str::trim) == Some(referrer.subject.as_str()),
        None => referrers::are_listed(push, &referrer.subject, &subject).await?,
    };
    if !subject_processed {
        referrers::add(push, &referrer, &subject).await?;
    }
    Ok(Pushed { created, subject_processed })
}

/// Whether the document is there already, under its name if it has one. A registry that does not say gets it again.
async fn is_there(push: &Push, descriptor: &Descriptor, named: bool, subject: &str, start: Start) -> Result<bool> {
    let ask = Ask { accept: Some(MANIFESTS), ..push.question(subject, start, Line::Documents) };
    let answer = push.repository.ask(&push.endpoint, &ask).await?;
    let said = answer.header(DOCKER_CONTENT_DIGEST.as_str()).map(str::trim);
    Ok(answer.is_done() && (said == Some(descriptor.digest.as_str()) || (said.is_none() && !named)))
}

/// Stores a document, whatever is there. That it is done twice does no harm.
pub(super) async fn store(
    push: &Push,
    (media_type, bytes): (&str, &Bytes),
    mut headers: HeaderMap,
    subject: &str,
    start: Start,
) -> Result<Answer> {
    let media_type = HeaderValue::try_from(media_type)
        .map_err(|_| Error::new(Code::Malformed, PUSH, subject, "its media type is none"))?;
    headers.insert(CONTENT_TYPE, media_type);
    let write = Write { method: Method::PUT, headers, payload: Payload::Bytes(bytes.clone()) };
    let ask = Ask { write: Some(write), ..push.question(subject, start, Line::Documents) };
    push.repository.ask(&push.endpoint, &ask).await
}

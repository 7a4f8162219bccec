//! Pushing (distribution specification, "Push"): to the registry behind the gateway, under the same name.
//!
//! A blob is gathered in a file until all of it is there, as a registry takes it in one go with its digest; then it moves on, verified,
//! and only then its sender hears that it was stored. An upload that is under way is known to this process alone.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RANGE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use portolan_oci::{Descriptor, Digest, Reference, document};

use super::path::{Own, Started, Target};
use super::reply::{self, Body};
use crate::error::{Code, Error};
use crate::serve::caller::Caller;
use crate::serve::gateway::Gateway;
use crate::serve::metrics::Metrics;
use crate::serve::patient::patiently;
use crate::serve::problem::{Problem, Result};
use crate::source::sink::Document;
use crate::source::spool::Spool;
use crate::source::{ByteStream, Source};

const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// A blob whose media type nobody says.
const BYTES: &str = "application/octet-stream";
/// An upload that nobody went on with for so long is gone.
const IDLE: Duration = Duration::from_secs(15 * 60);

/// Uploads that are under way.
pub(in crate::serve) struct Uploads {
    folder: PathBuf,
    /// At a time.
    most: usize,
    /// Of one of them.
    bytes: u64,
    /// How long a sender may send nothing.
    idle: Duration,
    under_way: Mutex<HashMap<String, Arc<Upload>>>,
}

struct Upload {
    /// Whose it is, and where to.
    caller: Option<Arc<str>>,
    repository: String,
    touched: Mutex<Instant>,
    spool: tokio::sync::Mutex<Spool>,
}

impl Upload {
    /// Somebody is at it.
    fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// Which upload is meant.
pub(super) struct At<'a> {
    pub(super) uploads: &'a Uploads,
    pub(super) reference: &'a Reference,
    pub(super) own: &'a Own,
    pub(super) id: &'a str,
}

impl Uploads {
    /// So many at a time, each of so many bytes at most, on the disk of `folder`; who sends nothing for `idle` is gone.
    pub(in crate::serve) fn new(folder: PathBuf, most: usize, bytes: u64, idle: Duration) -> Self {
        Uploads { folder, most, bytes, idle, under_way: Mutex::default() }
    }

    fn begin(&self, caller: &Caller, repository: &str) -> Result<String> {
        let failed = |message: String| Problem::new(Code::Other, repository, message);
        let mut random = [0; 16];
        let source = rustls::crypto::ring::default_provider().secure_random;
        source.fill(&mut random).map_err(|_| failed("the system has no random numbers".to_owned()))?;
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        retain(&mut under_way);
        if under_way.len() >= self.most {
            let message = format!("{} uploads are under way, and more are not taken", self.most);
            return Err(Problem::new(Code::RateLimited, repository, message).retry_after(1));
        }
        let spool = Spool::new(&self.folder)
            .map_err(|error| failed(format!("what is sent cannot be kept meanwhile: {error}")))?;
        under_way.insert(
            id.clone(),
            Arc::new(Upload {
                caller: caller.name.clone(),
                repository: repository.to_owned(),
                touched: Mutex::new(Instant::now()),
                spool: tokio::sync::Mutex::new(spool),
            }),
        );
        Ok(id)
    }

    /// Lets those go that nobody goes on with.
    pub(super) fn tidy(&self) {
        retain(&mut self.under_way.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// One of the caller's, to this repository.
    fn find(&self, caller: &Caller, repository: &str, id: &str) -> Result<Arc<Upload>> {
        let under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let found = under_way.get(id).filter(|it| it.caller == caller.name && it.repository == repository);
        let upload = found.cloned().ok_or_else(|| {
            Problem::new(Code::NotFound, repository, format!("no upload of that name is under way to {repository}"))
        })?;
        upload.touch();
        Ok(upload)
    }

    fn forget(&self, id: &str) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

/// Those that somebody is at, or was a while ago.
fn retain(under_way: &mut HashMap<String, Arc<Upload>>) {
    under_way.retain(|_, upload| {
        let touched = upload.touched.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::strong_count(upload) > 1 || touched.elapsed() < IDLE
    });
}

/// `POST …/blobs/uploads/`
pub(super) async fn start(
    gateway: &Gateway,
    uploads: &Uploads,
    caller: &Caller,
    reference: &Reference,
    own: &Own,
    started: Started,
    request: Request<Incoming>,
) -> Result<Response<Body>> {
    let target = gateway.writable(caller, reference)?;
    let repository = reference.repository();
    if let Some((digest, Some(from))) = &started.mount {
        // Only what the caller may read is taken from elsewhere; else they are to send it, as if it were not there.
        let from = Reference { path: from.clone(), ..reference.clone() };
        if let Ok(blob) = gateway.locate(caller, &from, digest).await
            && target.sink()?.mount(&Descriptor::new(BYTES, digest.clone(), blob.size), &from.repository()).await?
        {
            return Ok(stored(own, digest));
        }
    }
    let id = uploads.begin(caller, &repository)?;
    if let Some(digest) = started.digest {
        let at = At { uploads, reference, own, id: &id };
        let answer = go_on(gateway, caller, at, Some(digest), Method::PUT, request).await;
        // Nobody knows its name, so nobody can go on with it.
        uploads.forget(&id);
        return answer;
    }
    Ok(under_way(StatusCode::ACCEPTED, own, &id, 0))
}

/// `GET`, `PATCH`, `PUT` and `DELETE` of an upload.
pub(super) async fn go_on(
    gateway: &Gateway,
    caller: &Caller,
    at: At<'_>,
    digest: Option<Digest>,
    method: Method,
    request: Request<Incoming>,
) -> Result<Response<Body>> {
    let At { uploads, reference, own, id } = at;
    let target = gateway.writable(caller, reference)?;
    let repository = reference.repository();
    let upload = uploads.find(caller, &repository, id)?;
    let Ok(mut spool) = upload.spool.try_lock() else {
        let message = "something else of this upload is under way".to_owned();
        return Err(Problem::new(Code::RateLimited, repository, message).retry_after(1));
    };
    match method {
        Method::GET => return Ok(under_way(StatusCode::NO_CONTENT, own, id, spool.length())),
        Method::DELETE => {
            uploads.forget(id);
            return Ok(reply::answer(StatusCode::NO_CONTENT, reply::nothing()));
        }
        Method::PATCH | Method::PUT => {}
        method => {
            let message = format!("an upload knows no {method}");
            return Err(Problem::new(Code::Unsupported, repository, message));
        }
    }
    let before = spool.length();
    if let Some(range) = request.headers().get(CONTENT_RANGE)
        && begins(range) != Some(before)
    {
        return Ok(under_way(StatusCode::RANGE_NOT_SATISFIABLE, own, id, before));
    }
    if method == Method::PUT && digest.is_none() {
        let message = "the last of an upload says what all of it is: ?digest=".to_owned();
        return Ok(reply::invalid(StatusCode::BAD_REQUEST, "DIGEST_INVALID", &message));
    }
    let body = taken(request.into_body(), &gateway.metrics, uploads.idle);
    let appended = spool.append(body, uploads.bytes).await;
    upload.touch();
    let Some(digest) = digest.filter(|_| method == Method::PUT) else {
        appended?;
        return Ok(under_way(StatusCode::ACCEPTED, own, id, spool.length()));
    };
    let put = match appended {
        Ok(()) => put(&*target, &spool, &digest).await,
        Err(error) => Err(error),
    };
    if let Err(error) = put {
        // They send it again, with the right name.
        spool.truncate(before);
        return Err(error.into());
    }
    drop(spool);
    uploads.forget(id);
    Ok(stored(own, &digest))
}

/// Has a blob stored that is there.
async fn put(target: &dyn Source, spool: &Spool, digest: &Digest) -> crate::error::Result<()> {
    let blob = Descriptor::new(BYTES, digest.clone(), spool.length());
    let sink = target.sink()?;
    let content = spool.content(blob.clone());
    match sink.has(&blob).await? {
        // It is not sent on, and has to be what it should be all the same.
        true => content.verify().await?,
        false => sink.put_blob(&blob, &content).await?,
    }
    sink.commit().await
}

/// `PUT …/manifests/…`
pub(super) async fn manifest(
    gateway: &Gateway,
    uploads: &Uploads,
    caller: &Caller,
    reference: &Reference,
    own: &Own,
    target: &Target,
    request: Request<Incoming>,
) -> Result<Response<Body>> {
    let source = gateway.writable(caller, reference)?;
    let repository = reference.repository();
    let said = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let said = said.map(|text| text.split(';').next().unwrap_or_default().trim().to_owned());
    let limit = usize::try_from(gateway.limits.document).unwrap_or(usize::MAX);
    let Ok(sent) = tokio::time::timeout(uploads.idle, Limited::new(request.into_body(), limit).collect()).await else {
        let message = format!("the manifest did not come within {} s", uploads.idle.as_secs());
        return Ok(reply::invalid(StatusCode::REQUEST_TIMEOUT, "MANIFEST_INVALID", &message));
    };
    let bytes = match sent {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let message = format!("a manifest has {limit} bytes at most");
            return Ok(reply::invalid(StatusCode::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID", &message));
        }
        Err(error) => {
            let message = format!("the manifest did not come whole: {error}");
            return Ok(reply::invalid(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", &message));
        }
    };
    gateway.metrics.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    let invalid = |message: String| Ok(reply::invalid(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", &message));
    let media_type = match said.filter(|said| !said.is_empty()) {
        Some(said) => said,
        None => match document::media_type_of(&bytes, false) {
            Ok(own) => own,
            Err(malformed) => return invalid(malformed.to_string()),
        },
    };
    let descriptor = Descriptor::new(media_type, Digest::sha256(&bytes), bytes.len() as u64);
    if !descriptor.is_document() {
        return invalid(format!("{} is neither an index nor a manifest", crate::text::line(&descriptor.media_type)));
    }
    let name = match target {
        Target::Tag(tag) => Some(tag.clone()),
        Target::Digest(digest) if digest.matches(&bytes) => None,
        Target::Digest(digest) => {
            let message = format!("what was sent is {}, and {digest} was said", descriptor.digest);
            return Ok(reply::invalid(StatusCode::BAD_REQUEST, "DIGEST_INVALID", &message));
        }
    };
    if let Err(malformed) = document::check(&descriptor.media_type, &bytes, gateway.limits.index_entries) {
        return invalid(malformed.to_string());
    }
    // A digest of another algorithm is what they said, and the registry is told the same.
    let descriptor = match target {
        Target::Digest(digest) => Descriptor { digest: digest.clone(), ..descriptor },
        Target::Tag(_) => descriptor,
    };
    let sink = source.sink()?;
    let pushed = sink.put_document(&Document { descriptor: descriptor.clone(), bytes: bytes.clone(), name }).await?;
    sink.commit().await?;
    let mut answer = reply::answer(StatusCode::CREATED, reply::nothing());
    reply::header(&mut answer, LOCATION, &own.path(&format!("manifests/{}", descriptor.digest)));
    reply::header(&mut answer, reply::CONTENT_DIGEST, descriptor.digest.as_str());
    if pushed.subject_processed
        && let Some(subject) = subject(&bytes)
    {
        reply::header(&mut answer, SUBJECT, &subject);
    }
    tracing::info!(repository, digest = descriptor.digest.as_str(), "stored");
    Ok(answer)
}

/// What a manifest refers to.
fn subject(bytes: &[u8]) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    Some(document.get("subject")?.get("digest")?.as_str()?.to_owned())
}

/// What a client sends, as content.
fn taken(body: Incoming, metrics: &Arc<Metrics>, idle: Duration) -> ByteStream {
    let metrics = Arc::clone(metrics);
    let pieces = body.into_data_stream().map_err(|error| {
        Error::new(Code::Malformed, "take in", "what was sent", format!("it did not come whole: {error}"))
    });
    let counted = pieces.inspect_ok(move |piece: &Bytes| {
        metrics.received.fetch_add(piece.len() as u64, Ordering::Relaxed);
    });
    patiently(counted.boxed(), idle)
}

/// Where a chunk begins: `Content-Range: FIRST-LAST`; some clients write `bytes FIRST-LAST/*`.
fn begins(header: &HeaderValue) -> Option<u64> {
    let text = header.to_str().ok()?.trim();
    text.strip_prefix("bytes").unwrap_or(text).trim_start_matches([' ', '=']).split('-').next()?.parse().ok()
}

fn under_way(status: StatusCode, own: &Own, id: &str, length: u64) -> Response<Body> {
    let mut answer = reply::answer(status, reply::nothing());
    reply::header(&mut answer, LOCATION, &own.path(&format!("blobs/uploads/{id}")));
    reply::header(&mut answer, UPLOAD_ID, id);
    // Of nothing there is no last byte, and this is what registries say then.
    reply::header(&mut answer, RANGE, &format!("0-{}", length.saturating_sub(1)));
    answer
}

fn stored(own: &Own, digest: &Digest) -> Response<Body> {
    let mut answer = reply::answer(StatusCode::CREATED, reply::nothing());
    reply::header(&mut answer, LOCATION, &own.path(&format!("blobs/{digest}")));
    reply::header(&mut answer, reply::CONTENT_DIGEST, digest.as_str());
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_chunks_begin() {
        for (text, expected) in [
            ("0-9", Some(0)),
            ("10-19", Some(10)),
            ("bytes 10-19/*", Some(10)),
            ("bytes=10-19", Some(10)),
            ("-19", None),
            ("x", None),
        ] {
            assert_eq!(begins(&HeaderValue::from_static(text)), expected, "{text}");
        }
    }
}

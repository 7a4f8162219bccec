//! What answers look like (distribution specification, "Errors").

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::Frame;
use portolan_oci::Digest;
use serde_json::json;

use crate::error::Code;
use crate::serve::metrics::Metrics;
use crate::serve::problem::Problem;
use crate::source::ByteStream;

pub(in crate::serve) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(in crate::serve) type Body = UnsyncBoxBody<Bytes, Error>;

pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
/// Who asks before there was a place.
const SOON: u32 = 1;

pub(super) fn nothing() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Content as it comes. Where it ends with an error the connection does, too: who reads has fewer bytes than were promised.
pub(super) fn stream(content: ByteStream, metrics: &Arc<Metrics>) -> Body {
    let metrics = Arc::clone(metrics);
    let frames = content.map_ok(move |piece| {
        metrics.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Frame::data(piece)
    });
    StreamBody::new(frames.map_err(|error| -> Error {
        tracing::warn!("what was being handed out ends here: {error}");
        Box::new(error)
    }))
    .boxed_unsync()
}

pub(super) fn answer(status: StatusCode, body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    answer
}

/// A header whose value comes from elsewhere; one that is none is left out.
pub(super) fn header(answer: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// An answer about content.
pub(super) fn content(status: StatusCode, media_type: &str, size: u64, digest: &Digest, body: Body) -> Response<Body> {
    let mut answer = answer(status, body);
    header(&mut answer, CONTENT_TYPE, media_type);
    answer.headers_mut().insert(CONTENT_LENGTH, size.into());
    header(&mut answer, CONTENT_DIGEST, digest.as_str());
    header(&mut answer, http::header::ETAG, &format!("\"{digest}\""));
    answer
}

pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let mut answer = answer(status, whole(value.to_string()));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// The answer to `/v2/`.
pub(super) fn welcome() -> Response<Body> {
    json(StatusCode::OK, &json!({}))
}

/// Who asks is to say who they are, where saying so can help.
pub(super) fn unauthorized(message: &str, challenges: bool) -> Response<Body> {
    let mut answer = errors(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message, None);
    if challenges {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"portolan\""));
    }
    answer
}

/// There are too many.
pub(in crate::serve) fn refused(message: &str) -> Response<Body> {
    let mut answer = errors(StatusCode::SERVICE_UNAVAILABLE, "TOOMANYREQUESTS", message, None);
    answer.headers_mut().insert(RETRY_AFTER, SOON.into());
    answer
}

/// Why there is no answer to an operation.
pub(super) fn problem(operation: &str, problem: &Problem) -> Response<Body> {
    let unknown = match operation {
        "manifest" | "referrers" => "MANIFEST_UNKNOWN",
        "blob" => "BLOB_UNKNOWN",
        "upload" => "BLOB_UPLOAD_UNKNOWN",
        _ => "NAME_UNKNOWN",
    };
    let (status, code) = match problem.code {
        Code::NotFound => (StatusCode::NOT_FOUND, unknown),
        Code::Denied | Code::Forbidden | Code::Unauthorized => (StatusCode::FORBIDDEN, "DENIED"),
        Code::InvalidReference => (StatusCode::BAD_REQUEST, "NAME_INVALID"),
        Code::DigestMismatch if operation == "upload" => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
        Code::Malformed if operation == "upload" => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
        Code::TooLarge if operation == "upload" => (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
        Code::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
        Code::Unsupported => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
        Code::Conflict => (StatusCode::CONFLICT, "MANIFEST_INVALID"),
        Code::Budget => (StatusCode::SERVICE_UNAVAILABLE, "UNKNOWN"),
        Code::Offline => (StatusCode::GATEWAY_TIMEOUT, "UNKNOWN"),
        // It is the registry behind us that is wrong, or away.
        _ => (StatusCode::BAD_GATEWAY, "UNKNOWN"),
    };
    let mut answer = errors(status, code, &problem.message, problem.hint.as_deref());
    if let Some(seconds) = problem.retry_after {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    answer
}

/// What somebody sent is not what it should be.
pub(super) fn invalid(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    errors(status, code, message, None)
}

fn errors(status: StatusCode, code: &str, message: &str, hint: Option<&str>) -> Response<Body> {
    let mut error = json!({ "code": code, "message": message });
    if let (Some(hint), Some(error)) = (hint, error.as_object_mut()) {
        error.insert("detail".to_owned(), json!({ "hint": hint }));
    }
    json(status, &json!({ "errors": [error] }))
}

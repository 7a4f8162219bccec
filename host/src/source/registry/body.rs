//! Bodies: capped, hashed while they come, and given up on when nothing does. Blobs are in `content`.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::Response;
use serde::Deserialize;

use super::transport::{Fault, fault};
use crate::error::{Error, Result};
use crate::source::verify::Verifier;

/// Why a body was not read to its end.
#[derive(Debug)]
pub(super) enum Unread {
    /// The connection broke or nothing came.
    Fault(Fault),
    /// More than the cap.
    TooLarge,
    /// Not what was asked for.
    Differs(Error),
}

/// Reads all of a body of at most `limit` bytes, which are checked by `verifier` if there is one.
pub(super) async fn read(
    mut response: Response,
    limit: u64,
    idle: Duration,
    mut verifier: Option<Verifier>,
) -> Result<Bytes, Unread> {
    // The announced length is a reason to refuse, never to allocate.
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(Unread::TooLarge);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = next(&mut response, idle).await.map_err(Unread::Fault)? {
        if let Some(verifier) = &mut verifier {
            verifier.update(&chunk).map_err(Unread::Differs)?;
        }
        if (body.len() as u64).saturating_add(chunk.len() as u64) > limit {
            return Err(Unread::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    verifier.map_or(Ok(()), Verifier::finish).map_err(Unread::Differs)?;
    Ok(body.freeze())
}

/// The first bytes of a body, for an error message: whatever is wrong with it is not what the error is about. So it may
/// not take longer, all in all, than one piece of another body.
pub(super) async fn beginning(mut response: Response, limit: u64, idle: Duration) -> Bytes {
    let mut body = BytesMut::new();
    let until = tokio::time::Instant::now() + idle;
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout_at(until, next(&mut response, idle)).await {
        let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
        if chunk.len() >= room {
            break;
        }
    }
    body.freeze()
}

/// Skips `offset` bytes and reads `length`; fewer if the body ends.
pub(super) async fn part(mut response: Response, offset: u64, length: u64, idle: Duration) -> Result<Bytes, Fault> {
    let (mut to_skip, mut part) = (offset, BytesMut::new());
    while (part.len() as u64) < length {
        let Some(mut chunk) = next(&mut response, idle).await? else { break };
        let skipped = chunk.len().min(usize::try_from(to_skip).unwrap_or(usize::MAX));
        to_skip -= skipped as u64;
        let wanted = usize::try_from(length - part.len() as u64).unwrap_or(usize::MAX);
        let chunk = chunk.split_off(skipped);
        part.extend_from_slice(chunk.get(..wanted).unwrap_or(&chunk));
    }
    Ok(part.freeze())
}

/// The next piece; given up on when it does not come in time.
pub(super) async fn next(response: &mut Response, idle: Duration) -> Result<Option<Bytes>, Fault> {
    match tokio::time::timeout(idle, response.chunk()).await {
        Ok(read) => read.map_err(fault),
        Err(_) => Err(Fault::timed_out(idle, "more of the body")),
    }
}

/// Reads an object. A list of its values in their order, which serde takes for one, is none to anybody else.
pub(super) fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> serde_json::Result<T> {
    match bytes.trim_ascii_start().first() {
        Some(b'[') => Err(serde::de::Error::custom("a list where an object is meant")),
        _ => serde_json::from_slice(bytes),
    }
}

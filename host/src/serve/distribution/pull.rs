//! Pulling and finding (distribution specification, "Pull" and "Content Discovery").

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use http::header::{ACCEPT_RANGES, CONTENT_RANGE, HeaderName, HeaderValue, IF_NONE_MATCH, LINK, RANGE};
use http::{Request, Response, StatusCode, Uri};
use portolan_oci::{Digest, Reference, media_type};
use serde_json::json;
use url::form_urlencoded;

use super::path::Target;
use super::reply::{self, Body};
use crate::error::Code;
use crate::serve::caller::Caller;
use crate::serve::gateway::Gateway;
use crate::serve::problem::{Problem, Result};
use crate::source::ByteStream;

const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
/// Tags on a page where nobody says how many.
const PAGE: usize = 1_000;

pub(super) async fn manifest(
    gateway: &Gateway,
    caller: &Caller,
    reference: &Reference,
    target: &Target,
    head: bool,
) -> Result<Response<Body>> {
    let asked = match target {
        Target::Tag(tag) => Reference { tag: Some(tag.clone()), ..reference.clone() },
        Target::Digest(digest) => Reference { digest: Some(digest.clone()), ..reference.clone() },
    };
    let root = gateway.resolve(caller, &asked).await?.root;
    // A registry keeps blobs elsewhere, and what is one is no manifest although its digest was asked for as one.
    if !root.is_document() {
        let message = format!("{asked} is no manifest: it is {}", crate::text::line(&root.media_type));
        return Err(Problem::new(Code::NotFound, asked.to_string(), message));
    }
    let body = match head {
        true => reply::nothing(),
        false => reply::whole(gateway.document(caller, reference, &root).await?),
    };
    Ok(reply::content(StatusCode::OK, &root.media_type, root.size, &root.digest, body))
}

pub(super) async fn blob<B>(
    gateway: &Gateway,
    caller: &Caller,
    reference: &Reference,
    digest: &Digest,
    request: &Request<B>,
) -> Result<Response<Body>> {
    let blob = gateway.locate(caller, reference, digest).await?;
    let media_type = "application/octet-stream";
    let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if header(IF_NONE_MATCH).is_some_and(|tag| tag.trim_matches('"') == digest.as_str()) {
        return Ok(reply::answer(StatusCode::NOT_MODIFIED, reply::nothing()));
    }
    if request.method() == http::Method::HEAD {
        let mut answer = reply::content(StatusCode::OK, media_type, blob.size, digest, reply::nothing());
        answer.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        return Ok(answer);
    }
    let metrics = &gateway.metrics;
    let mut answer = match header(RANGE).map_or(Part::All, |text| part(text, blob.size)) {
        Part::All => {
            let content = begun(gateway.content(caller, reference, &blob, 0).await?).await?;
            reply::content(StatusCode::OK, media_type, blob.size, digest, reply::stream(content, metrics))
        }
        Part::Some { first, last } => {
            let content = begun(gateway.content(caller, reference, &blob, first).await?).await?;
            let length = last - first + 1;
            let body = reply::stream(most(content, length), metrics);
            let mut answer = reply::content(StatusCode::PARTIAL_CONTENT, media_type, length, digest, body);
            reply::header(&mut answer, CONTENT_RANGE, &format!("bytes {first}-{last}/{}", blob.size));
            answer
        }
        Part::Nothing => {
            let message = format!("{digest} has {} bytes, and none of those that were asked for", blob.size);
            let mut answer = reply::invalid(StatusCode::RANGE_NOT_SATISFIABLE, "SIZE_INVALID", &message);
            reply::header(&mut answer, CONTENT_RANGE, &format!("bytes */{}", blob.size));
            answer
        }
    };
    answer.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    Ok(answer)
}

/// Content whose first piece is there: until then, why it does not come can still be said in words.
async fn begun(mut content: ByteStream) -> Result<ByteStream> {
    let first = content.try_next().await?;
    Ok(stream::iter(first.map(Ok)).chain(content).boxed())
}

/// At most the first `length` bytes.
pub(in crate::serve) fn most(content: ByteStream, length: u64) -> ByteStream {
    let mut left = length;
    content
        .try_take_while(move |_| future::ready(Ok(left > 0)))
        .map_ok(move |mut piece: Bytes| {
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= piece.len() as u64;
            piece
        })
        .boxed()
}

/// What of a blob is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    All,
    Some { first: u64, last: u64 },
    Nothing,
}

/// Reads `Range` (RFC 9110 §14.1.2). What is not understood counts as not said, as do several parts at once.
fn part(text: &str, size: u64) -> Part {
    let Some((first, last)) = text.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Part::All;
    };
    let (first, last) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last),
        (Ok(first), Err(_)) if last.is_empty() => (first, u64::MAX),
        // The last so many.
        (Err(_), Ok(count)) if first.is_empty() => match count {
            0 => return Part::Nothing,
            count => (size.saturating_sub(count), u64::MAX),
        },
        _ => return Part::All,
    };
    match size.checked_sub(1) {
        Some(end) if first <= end => Part::Some { first, last: last.min(end) },
        _ => Part::Nothing,
    }
}

pub(super) async fn tags(
    gateway: &Gateway,
    caller: &Caller,
    reference: &Reference,
    name: &str,
    uri: &Uri,
    last: Option<&str>,
    most: Option<usize>,
) -> Result<Response<Body>> {
    let (mut tags, mut next, mut bytes): (Vec<String>, _, _) = (Vec::new(), None, 0);
    // How a registry's pages are asked for is its own business, so a page of ours begins with its first.
    for _ in 0..gateway.limits.tag_pages {
        let page = gateway.tag_page(caller, reference, next.as_deref()).await?;
        bytes += page.tags.iter().map(|tag| tag.len() as u64).sum::<u64>();
        if bytes > gateway.limits.document {
            let message =
                format!("{} has more tags than fit into {} bytes", reference.repository(), gateway.limits.document);
            return Err(Problem::new(Code::TooLarge, reference.repository(), message));
        }
        tags.extend(page.tags);
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    // Not all registries have them in order, and `last` means nothing without one.
    tags.sort_unstable();
    let begin = last.map_or(0, |last| tags.partition_point(|tag| tag.as_str() <= last));
    let rest = tags.get(begin..).unwrap_or_default();
    let page = rest.get(..most.unwrap_or(PAGE).min(rest.len())).unwrap_or_default();
    let mut answer = reply::json(StatusCode::OK, &json!({ "name": name, "tags": page }));
    if let Some(last) = page.last().filter(|_| page.len() < rest.len()) {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("n", &most.unwrap_or(PAGE).to_string()).append_pair("last", last);
        let pairs: Vec<_> = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).collect();
        if let Some((_, namespace)) = pairs.iter().find(|(key, _)| key == "ns") {
            query.append_pair("ns", namespace);
        }
        reply::header(&mut answer, LINK, &format!("<{}?{}>; rel=\"next\"", uri.path(), query.finish()));
    }
    Ok(answer)
}

pub(super) async fn referrers(
    gateway: &Gateway,
    caller: &Caller,
    reference: &Reference,
    digest: &Digest,
    artifact_type: Option<&str>,
) -> Result<Response<Body>> {
    let index = gateway.referrers(caller, reference, digest, artifact_type).await?;
    let mut answer = reply::answer(StatusCode::OK, reply::whole(index));
    answer.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static(media_type::OCI_INDEX));
    if artifact_type.is_some() {
        answer.headers_mut().insert(FILTERS, HeaderValue::from_static("artifactType"));
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let some = |first, last| Part::Some { first, last };
        for (text, size, expected) in [
            ("bytes=0-0", 10, some(0, 0)),
            ("bytes=3-", 10, some(3, 9)),
            ("bytes=3-100", 10, some(3, 9)),
            ("bytes=-3", 10, some(7, 9)),
            ("bytes=-30", 10, some(0, 9)),
            ("bytes=10-", 10, Part::Nothing),
            ("bytes=0-", 0, Part::Nothing),
            ("bytes=-0", 10, Part::Nothing),
            ("bytes=5-3", 10, Part::All),
            ("bytes=0-1,3-4", 10, Part::All),
            ("lines=0-1", 10, Part::All),
            ("bytes=", 10, Part::All),
            ("bytes=-", 10, Part::All),
        ] {
            assert_eq!(part(text, size), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn no_more_than_was_asked_for() {
        let pieces = ["abc", "def", "ghi"].map(|piece| Ok(Bytes::from(piece)));
        let content = futures_util::stream::iter(pieces).boxed();
        let got: Vec<Bytes> = most(content, 4).try_collect().await.unwrap();
        assert_eq!(got.concat(), b"abcd");
    }
}

//! The content store of a daemon, as a store's content is read everywhere: by digest, verified before it is believed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use portolan_oci::{Descriptor, Digest, document, media_type};
use tokio::time::{Instant, timeout_at};

use super::proto::{InfoRequest, InfoResponse, ReadContentRequest, ReadContentResponse, path};
use super::{Daemon, Trying};
use crate::error::{Code, Error, Result};
use crate::limits::Limits;
use crate::source::ByteStream;
use crate::source::blob::{collect, work_on};
use crate::source::verify::{self, Verifier};
/// The descriptor of a root that only its digest names: its size is asked for, its media type is what the document says.
pub(in super::super) async fn resolve(
    daemon: &Arc<Daemon>,
    repository: &str,
    digest: &Digest,
    limits: &Limits,
) -> Result<Descriptor> {
    let subject = verify::content(repository, digest);
    let trying = Trying { operation: "resolve", subject: &subject };
    let request = InfoRequest { digest: digest.to_string() };
    let info = daemon.call::<_, InfoResponse>(path::INFO, request, trying).await?.info.unwrap_or_default();
    let size = u64::try_from(info.size)
        .map_err(|_| daemon.fail(Code::Malformed, trying, format!("it says that {} bytes are there", info.size)))?;
    if size > limits.document {
        let detail = format!("{size} bytes; an index or a manifest has at most {}", limits.document);
        return Err(daemon.fail(Code::TooLarge, trying, detail));
    }
    let mut root = Descriptor::new(String::new(), digest.clone(), size);
    let bytes = collect(open(daemon, repository, &root)?).await?;
    root.media_type = document::media_type_of(&bytes, false)
        .map_err(|malformed| daemon.fail(Code::Malformed, trying, malformed.to_string()))?;
    Ok(root)
}

/// A document, verified.
pub(in super::super) async fn fetch(
    daemon: &Arc<Daemon>,
    repository: &str,
    descriptor: &Descriptor,
    limits: &Limits,
) -> Result<Bytes> {
    verify::admit(repository, descriptor, limits)?;
    let bytes = match verify::embedded(descriptor) {
        Some(bytes) => bytes,
        None => collect(open(daemon, repository, descriptor)?).await?,
    };
    let (repository, descriptor, limits, document) =
        (repository.to_owned(), descriptor.clone(), limits.clone(), bytes.clone());
    work_on(bytes.len() as u64, move || verify::shape(&repository, &descriptor, &document, &limits)).await??;
    Ok(bytes)
}

/// How long content may take at most, whatever comes of it meanwhile: so long, and a second more for each of these.
const PATIENCE: Duration = Duration::from_secs(120);
const PER_SECOND: u64 = 64 << 10;

/// All of a blob, verified. Asked for when it is first waited for; what comes too much is not waited for.
pub(in super::super) fn open(daemon: &Arc<Daemon>, repository: &str, descriptor: &Descriptor) -> Result<ByteStream> {
    let verifier = Verifier::new(repository, descriptor)?;
    let (daemon, digest) = (Arc::clone(daemon), descriptor.digest.to_string());
    let until = Instant::now() + PATIENCE + Duration::from_secs(descriptor.size.min(1 << 50) / PER_SECOND);
    let reading = async move {
        let subject = verifier.subject().to_owned();
        let trying = Trying { operation: "fetch", subject: &subject };
        let request = ReadContentRequest { digest, offset: 0, size: 0 };
        let pieces = daemon.stream::<_, ReadContentResponse>(path::READ, request, trying).await?;
        Ok((daemon, pieces, verifier, 0_i64))
    };
    let pieces = stream::once(reading).flat_map(move |begun| {
        stream::try_unfold(Some(begun), move |state| async move {
            let Some(state) = state else { return Ok(None) };
            let (daemon, mut pieces, mut verifier, offset) = state?;
            let subject = verifier.subject().to_owned();
            let trying = Trying { operation: "fetch", subject: &subject };
            let next = timeout_at(until, daemon.next(&mut pieces, trying)).await.map_err(|_| {
                daemon.fail(Code::Unavailable, trying, "it sends so slowly that it would not end").retryable()
            })?;
            let Some(ReadContentResponse { offset: at, data }) = next? else {
                verifier.finish()?;
                return Ok(None);
            };
            if at != offset || (data.is_empty() && verifier.left() > 0) {
                let detail = format!("it sent {} bytes from byte {at}, where byte {offset} comes next", data.len());
                return Err(daemon.fail(Code::Malformed, trying, detail));
            }
            verifier.update(&data)?;
            if verifier.left() == 0 {
                verifier.finish()?;
                return Ok(Some((data, None)));
            }
            let offset = offset + data.len() as i64;
            Ok(Some((data, Some(Ok((daemon, pieces, verifier, offset))))))
        })
    });
    Ok(pieces.boxed())
}

/// A list of entries as an index.json, within the limits of one.
pub(in super::super) fn listed(
    repository: &str,
    entries: &[Descriptor],
    limits: &Limits,
) -> Result<(Descriptor, Bytes)> {
    let index = serde_json::json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries });
    let bytes = Bytes::from(index.to_string());
    let fail = |code, detail: String| Error::new(code, "list the entries of", repository, detail);
    if bytes.len() as u64 > limits.entries {
        return Err(fail(Code::TooLarge, format!("{} bytes, where {} are the limit", bytes.len(), limits.entries)));
    }
    document::check(media_type::OCI_INDEX, &bytes, limits.index_entries)
        .map_err(|malformed| fail(Code::Malformed, malformed.to_string()))?;
    Ok((Descriptor::new(media_type::OCI_INDEX, Digest::sha256(&bytes), bytes.len() as u64), bytes))
}

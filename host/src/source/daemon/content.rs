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
use crate::source::blob::{collect, work_on};
use crate::source::store::as_typed;
use crate::source::verify::{self, Verifier};
use crate::source::{ByteStream, Target};

/// How long content may take at most, whatever comes of it meanwhile: so long, and a second more for each of these.
const PATIENCE: Duration = Duration::from_secs(120);
const PER_SECOND: u64 = 64 << 10;

/// A daemon's content under the name that runs call it by.
#[derive(Debug)]
pub(in super::super) struct Store {
    pub repository: String,
    /// As it was typed, for messages.
    pub shown: String,
    pub daemon: Arc<Daemon>,
}

impl Store {
    pub(in super::super) fn new(daemon: Daemon, repository: String) -> Self {
        let shown = as_typed(&repository);
        Store { repository, shown, daemon: Arc::new(daemon) }
    }

    /// The descriptor of a root that only its digest names: its size is asked for, its media type is what the document
    /// says.
    pub(in super::super) async fn resolve(&self, target: Target<'_>, limits: &Limits) -> Result<Descriptor> {
        let Target::Digest(digest) = target else {
            let detail = "a daemon knows digests; its entries tell the names";
            return Err(Error::new(Code::Unsupported, "resolve a tag in", self.repository.as_str(), detail));
        };
        let daemon = &self.daemon;
        let subject = verify::content(&self.shown, digest);
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
        let bytes = collect(self.open(&root)?).await?;
        root.media_type = document::media_type_of(&bytes, false)
            .map_err(|malformed| daemon.fail(Code::Malformed, trying, malformed.to_string()))?;
        Ok(root)
    }

    /// A document, verified. `hint` is what to try where it is not there.
    pub(in super::super) async fn fetch(
        &self,
        descriptor: &Descriptor,
        limits: &Limits,
        hint: &'static str,
    ) -> Result<Bytes> {
        verify::admit(&self.shown, descriptor, limits)?;
        let fetched = match verify::embedded(descriptor) {
            Some(bytes) => Ok(bytes),
            None => collect(self.open(descriptor)?).await,
        };
        let bytes = fetched.map_err(|error| match error.code() {
            Code::NotFound => error.with_hint(hint),
            _ => error,
        })?;
        let (shown, descriptor, limits, document) =
            (self.shown.clone(), descriptor.clone(), limits.clone(), bytes.clone());
        work_on(bytes.len() as u64, move || verify::shape(&shown, &descriptor, &document, &limits)).await??;
        Ok(bytes)
    }

    /// All of a blob, verified. Asked for when it is first waited for; what comes too much is not waited for.
    pub(in super::super) fn open(&self, descriptor: &Descriptor) -> Result<ByteStream> {
        pieces(&self.daemon, &self.shown, descriptor)
    }

    /// A list of entries as an index.json, within the limits of one.
    pub(in super::super) fn listed(&self, entries: &[Descriptor], limits: &Limits) -> Result<(Descriptor, Bytes)> {
        let index = serde_json::json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries });
        let bytes = Bytes::from(index.to_string());
        let fail = |code, detail: String| Error::new(code, "list the entries of", self.shown.as_str(), detail);
        if bytes.len() as u64 > limits.entries {
            return Err(fail(Code::TooLarge, format!("{} bytes, where {} are the limit", bytes.len(), limits.entries)));
        }
        document::check(media_type::OCI_INDEX, &bytes, limits.index_entries)
            .map_err(|malformed| fail(Code::Malformed, malformed.to_string()))?;
        Ok((Descriptor::new(media_type::OCI_INDEX, Digest::sha256(&bytes), bytes.len() as u64), bytes))
    }
}

/// A blob piece by piece, each of which has to begin where the one before it ended.
fn pieces(daemon: &Arc<Daemon>, repository: &str, descriptor: &Descriptor) -> Result<ByteStream> {
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

//! Moving content from one repository to another, byte for byte: blobs side by side, then manifests, an index after what
//! it names, names last.
//!
//! Bytes stream from a [`Source`] to a [`Sink`] and are never held whole, but for manifests and indexes, which are small
//! by their limit. A copy that is dropped or fails has given no names, and what arrived whole need not be moved again.
//!
//! Not here: what belongs to an image (whoever asks for a copy lists all of it), and what a name means.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use portolan_oci::{Descriptor, Digest, Index, Kind, document};
use tokio::task::JoinSet;

use crate::error::{Code, Error, Result};
use crate::limits::Limits;
use crate::progress::{Event, Moved, Progress};
use crate::source::sink::{Content, Document, Pushed, SMALL, Sink};
use crate::source::{ByteStream, Source, verify};

/// Blobs under way at once: what a registry's host takes (registry.md, "Retry").
const BLOBS: usize = 4;
/// Manifests, indexes and small blobs under way at once.
const DOCUMENTS: usize = 16;
/// Times that a blob is begun when the side that it comes from breaks off.
const TRIES: u32 = 3;
/// Before a blob is begun again.
const PAUSE: Duration = Duration::from_millis(200);

/// One thing to be made present.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) descriptor: Descriptor,
    /// As [`Document::name`]; of manifests and indexes only.
    pub(crate) name: Option<String>,
}

/// Makes `items` of `source` present in `target`.
pub(crate) async fn copy(
    source: Arc<dyn Source>,
    target: &dyn Source,
    items: Vec<Item>,
    limits: Arc<Limits>,
    progress: Progress,
) -> Result<()> {
    let sink = target.sink()?;
    // A frontend may want to know that it may write, before it reads anything.
    if items.is_empty() {
        return Ok(());
    }
    let plan = Plan::of(items, &target.repository())?;
    progress.tell(|| Event::Planned {
        target: target.repository().into(),
        blobs: plan.blobs.len(),
        bytes: plan.blobs.iter().map(|blob| blob.size).fold(0, u64::saturating_add),
        documents: plan.documents.len(),
    });
    let transfer = Arc::new(Transfer { source, sink, limits, progress, named: Mutex::default() });
    let (small, large): (Vec<_>, Vec<_>) = plan.blobs.into_iter().partition(|blob| blob.size <= SMALL);
    for (most, blobs) in [(BLOBS, large), (DOCUMENTS, small)] {
        side_by_side(most, blobs, |blob| {
            let transfer = Arc::clone(&transfer);
            async move { transfer.blob(blob).await }
        })
        .await?;
    }
    for level in transfer.levels(plan.documents).await? {
        side_by_side(DOCUMENTS, level, |document| {
            let transfer = Arc::clone(&transfer);
            async move { transfer.document(document).await }
        })
        .await?;
    }
    transfer.sink.commit().await?;
    transfer.tell_names();
    Ok(())
}

/// Stores one document or one small blob whose bytes are at hand.
pub(crate) async fn push(
    target: &dyn Source,
    descriptor: Descriptor,
    name: Option<String>,
    bytes: Bytes,
    limits: &Limits,
    progress: &Progress,
) -> Result<Pushed> {
    let repository = target.repository();
    check(&repository, &descriptor, &bytes, limits)?;
    let sink = target.sink()?;
    if !descriptor.is_document() {
        refuse_name(&repository, &descriptor, name.as_deref())?;
        let created = !sink.has(&descriptor).await?;
        if created {
            sink.put_blob(&descriptor, &Held(bytes)).await?;
        }
        sink.commit().await?;
        return Ok(Pushed { created, subject_processed: true });
    }
    let pushed = sink.put_document(&Document { descriptor: descriptor.clone(), bytes, name: name.clone() }).await?;
    sink.commit().await?;
    progress.tell(|| Event::Stored { descriptor, name, created: pushed.created });
    Ok(pushed)
}

/// Whether bytes that somebody hands over are what they are said to be.
fn check(target: &str, descriptor: &Descriptor, bytes: &[u8], limits: &Limits) -> Result<()> {
    let fail =
        |code, detail: String| Err(Error::new(code, "push", verify::content(target, &descriptor.digest), detail));
    let limit = verify::limit(&descriptor.media_type, limits);
    if bytes.len() as u64 > limit {
        let detail = format!("{} bytes of {}, where {limit} are the limit", bytes.len(), descriptor.media_type);
        return fail(Code::TooLarge, detail);
    }
    if bytes.len() as u64 != descriptor.size {
        return fail(
            Code::DigestMismatch,
            format!("the content has {} bytes, where its descriptor says {}", bytes.len(), descriptor.size),
        );
    }
    if !descriptor.digest.matches(bytes) {
        return fail(Code::DigestMismatch, "the content has another digest".to_owned());
    }
    match document::check(&descriptor.media_type, bytes, limits.index_entries) {
        Ok(()) => Ok(()),
        Err(malformed) => fail(Code::Malformed, malformed.to_string()),
    }
}

/// What there is to move, each thing once.
struct Plan {
    /// The largest first: what takes longest should not begin last.
    blobs: Vec<Descriptor>,
    documents: Vec<Item>,
}

impl Plan {
    fn of(items: Vec<Item>, target: &str) -> Result<Plan> {
        let mut plan = Plan { blobs: Vec::new(), documents: Vec::new() };
        let mut seen = HashSet::new();
        for item in items {
            if !seen.insert((item.descriptor.digest.clone(), item.name.clone())) {
                continue;
            }
            match item.descriptor.is_document() {
                true => plan.documents.push(item),
                false => {
                    refuse_name(target, &item.descriptor, item.name.as_deref())?;
                    plan.blobs.push(item.descriptor);
                }
            }
        }
        plan.blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
        Ok(plan)
    }
}

struct Transfer {
    source: Arc<dyn Source>,
    sink: Box<dyn Sink>,
    limits: Arc<Limits>,
    progress: Progress,
    /// What got a name, which a layout or an archive has only once all is committed.
    named: Mutex<Vec<Event>>,
}

/// A document to be stored, with its bytes where they were read already.
struct Ready {
    item: Item,
    bytes: Option<Bytes>,
}

impl Transfer {
    async fn blob(&self, blob: Descriptor) -> Result<()> {
        let moved = if self.sink.mount(&blob, &self.source.repository()).await? {
            Moved::Mounted
        } else if self.sink.has(&blob).await? {
            Moved::Already
        } else {
            self.send(&blob).await?;
            Moved::Copied
        };
        self.progress.tell(|| Event::Present(blob, moved));
        Ok(())
    }

    async fn send(&self, blob: &Descriptor) -> Result<()> {
        let mut tries = 1;
        loop {
            match self.sink.put_blob(blob, &Sent { transfer: self, blob }).await {
                Err(error) if error.is_retryable() && tries < TRIES => {
                    tracing::debug!(%error, tries, "the blob is begun again");
                    tokio::time::sleep(PAUSE * tries).await;
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    async fn document(&self, Ready { item: Item { descriptor, name }, bytes }: Ready) -> Result<()> {
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => self.source.fetch(&descriptor, &self.limits).await?,
        };
        let document = Document { descriptor, bytes, name };
        let pushed = self.sink.put_document(&document).await?;
        let Document { descriptor, name, .. } = document;
        let named = name.is_some();
        let stored = Event::Stored { descriptor, name, created: pushed.created };
        match named {
            true => self.named.lock().unwrap_or_else(PoisonError::into_inner).push(stored),
            false => self.progress.tell(|| stored),
        }
        Ok(())
    }

    fn tell_names(&self) {
        let named = std::mem::take(&mut *self.named.lock().unwrap_or_else(PoisonError::into_inner));
        named.into_iter().for_each(|stored| self.progress.tell(|| stored));
    }

    /// The documents in the order in which they are stored: each level needs only those before it. The last one holds what
    /// gets a name.
    async fn levels(&self, documents: Vec<Item>) -> Result<Vec<Vec<Ready>>> {
        let mut children: HashMap<Digest, (Bytes, Vec<Digest>)> = HashMap::new();
        let mut held = 0u64;
        for item in &documents {
            let Descriptor { digest, .. } = &item.descriptor;
            if item.descriptor.kind() != Kind::Index || children.contains_key(digest) {
                continue;
            }
            let bytes = self.source.fetch(&item.descriptor, &self.limits).await?;
            held = held.saturating_add(bytes.len() as u64);
            if held > self.limits.run_documents {
                let detail = format!("its indexes have more than {} bytes", self.limits.run_documents);
                return Err(Error::new(Code::TooLarge, "copy from", self.source.repository(), detail)
                    .with_hint("copy fewer images at once"));
            }
            let index = Index::parse(&bytes).map_err(|malformed| {
                let subject = verify::content(&self.source.repository(), digest);
                Error::new(Code::Malformed, "copy", subject, malformed.to_string())
            })?;
            children.insert(digest.clone(), (bytes, index.manifests.into_iter().map(|entry| entry.digest).collect()));
        }
        let Some(depths) = depths(&children, self.limits.nesting) else {
            let detail = format!("indexes lie more than {} deep in one another", self.limits.nesting);
            return Err(Error::new(Code::TooLarge, "copy from", self.source.repository(), detail));
        };
        let inner: HashSet<&Digest> = children.values().flat_map(|(_, children)| children).collect();
        let mut levels: Vec<Vec<Ready>> = Vec::new();
        let mut named = Vec::new();
        let mut stored = HashSet::new();
        for item in documents {
            let digest = item.descriptor.digest.clone();
            let bytes = children.get(&digest).map(|(bytes, _)| bytes.clone());
            // What an index needs has to be there before the index, whatever it is called later.
            if (item.name.is_none() || inner.contains(&digest)) && stored.insert(digest.clone()) {
                let depth = depths.get(&digest).copied().unwrap_or_default();
                if levels.len() <= depth {
                    levels.resize_with(depth + 1, Vec::new);
                }
                if let Some(level) = levels.get_mut(depth) {
                    level.push(Ready { item: Item { name: None, ..item.clone() }, bytes: bytes.clone() });
                }
            }
            if item.name.is_some() {
                named.push(Ready { item, bytes });
            }
        }
        levels.push(named);
        Ok(levels)
    }
}

/// How many indexes lie below each, at the deepest, itself counted: manifests, which are not in here, have none. `None` where
/// they lie deeper than `most`, in a circle for example.
fn depths(children: &HashMap<Digest, (Bytes, Vec<Digest>)>, most: usize) -> Option<HashMap<Digest, usize>> {
    let mut depths: HashMap<Digest, usize> = children.keys().map(|digest| (digest.clone(), 1)).collect();
    // Each round settles at least one level more, so there are no more rounds than levels.
    loop {
        let mut deeper = false;
        for (digest, (_, below)) in children {
            let depth = 1 + below.iter().filter_map(|child| depths.get(child)).max().copied().unwrap_or_default();
            if depth > most.saturating_add(1) {
                return None;
            }
            if let Some(known) = depths.get_mut(digest).filter(|known| **known != depth) {
                *known = depth;
                deeper = true;
            }
        }
        if !deeper {
            return Some(depths);
        }
    }
}

/// Runs tasks, so many at once. The first failure ends them all, and so does dropping the future.
async fn side_by_side<T, F>(most: usize, things: Vec<T>, mut start: impl FnMut(T) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for thing in things {
        if tasks.len() >= most {
            finished(tasks.join_next().await)?;
        }
        tasks.spawn(start(thing));
    }
    while !tasks.is_empty() {
        finished(tasks.join_next().await)?;
    }
    Ok(())
}

fn finished(task: Option<Result<Result<()>, tokio::task::JoinError>>) -> Result<()> {
    match task.map(|task| task.map_err(tokio::task::JoinError::try_into_panic)) {
        None => Ok(()),
        Some(Ok(done)) => done,
        Some(Err(Ok(panic))) => std::panic::resume_unwind(panic),
        Some(Err(Err(_))) => Err(Error::new(Code::Other, "finish", "the copy", "the program is shutting down")),
    }
}

/// A blob on its way from the source.
struct Sent<'a> {
    transfer: &'a Transfer,
    blob: &'a Descriptor,
}

#[async_trait]
impl Content for Sent<'_> {
    async fn open(&self) -> Result<ByteStream> {
        Ok(self.watched(self.transfer.source.open(self.blob).await?))
    }

    async fn open_at(&self, at: u64) -> Result<ByteStream> {
        let rest = self.watched(self.transfer.source.open_at(self.blob, at).await?);
        self.transfer.progress.tell(|| Event::Moved(self.blob.digest.clone(), at));
        Ok(rest)
    }
}

impl Sent<'_> {
    fn watched(&self, stream: ByteStream) -> ByteStream {
        let progress = self.transfer.progress.clone();
        progress.tell(|| Event::Started(self.blob.clone()));
        let digest = self.blob.digest.clone();
        let told = stream.inspect(move |piece| {
            if let Ok(piece) = piece {
                progress.tell(|| Event::Moved(digest.clone(), piece.len() as u64));
            }
        });
        told.boxed()
    }
}

/// A blob that is at hand.
struct Held(Bytes);

#[async_trait]
impl Content for Held {
    async fn open(&self) -> Result<ByteStream> {
        let bytes = self.0.clone();
        Ok(futures_util::stream::iter([Ok(bytes)]).boxed())
    }
}

fn refuse_name(target: &str, descriptor: &Descriptor, name: Option<&str>) -> Result<()> {
    let Some(name) = name else { return Ok(()) };
    let subject = verify::content(target, &descriptor.digest);
    let detail =
        format!("it is of type {}, and only a manifest or an index can have a name ({name:?})", descriptor.media_type);
    Err(Error::new(Code::Malformed, "push", subject, detail))
}

#[cfg(test)]
mod tests;

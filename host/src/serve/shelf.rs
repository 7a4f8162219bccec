//! What was pulled through, kept where every gateway finds it: a folder, or an S3-compatible store. Documents and blobs by
//! their digests, and which repository is known to have which.
//!
//! ```text
//! blobs/sha256/ab/abcd…                    the bytes
//! seen/REPOSITORY'S SHA-256/sha256/abcd…   MEDIA-TYPE SIZE: the registry said that this repository has it
//! lease/sha256/abcd…                       somebody is getting it
//! ```
//!
//! A digest is no secret, so knowing one opens nothing: content is handed out for a repository only if its registry said,
//! not long ago, that it is there. Bytes are verified whenever they are read (a file once for as long as it stays the same),
//! and what is damaged is asked for again.
//!
//! Two who want the same ask once: in one process they share a [`filling`](super::filling), and of several processes one has
//! the `lease` and the others wait a while for what it brings. A shelf that does not answer is passed by for some seconds,
//! which is told; then everything comes from registries, as if there were none.

mod lease;
mod place;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{GetResultPayload, ObjectStore, ObjectStoreExt as _, PutPayload, WriteMultipart};
use portolan_oci::{Descriptor, Digest, Reference};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

pub use self::place::Shelf;
use super::filling::Filling;
use super::metrics::Metrics;
use crate::error::{Code, Error, Result};
use crate::limits::Limits;
use crate::source::blob::{Blob, Stamp, Verified, collect, known_pieces, pieces};
use crate::source::sink::Sink;
use crate::source::verify::{self, Verifier};
use crate::source::{ByteStream, Registries, Source, TagPage, Target, after};
use crate::trace::TARGET;

/// That a repository has something is believed for so long.
const BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);
/// A shelf that failed is passed by for so long.
const PASSED_BY: Duration = Duration::from_secs(5);
/// Until a shelf has to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Blobs that are being got at a time.
const FILLINGS: usize = 64;
/// Up to here a blob is looked at before it is handed out.
const WHOLE: u64 = 1 << 20;
/// What is written to it at a time.
const PART: usize = 8 << 20;

/// Registries, and what is on the shelf of what they have.
pub(super) struct Shelved {
    registries: Arc<dyn Registries>,
    shared: Arc<Shared>,
}

struct Shared {
    shelf: Shelf,
    metrics: Arc<Metrics>,
    fillings: Mutex<HashMap<Wanted, Weak<Filling>>>,
    /// Files of the shelf.
    verified: Verified,
    /// For what is being got: beyond that, content is handed through.
    places: Arc<Semaphore>,
    /// When it failed last, in milliseconds after the beginning.
    failed: AtomicU64,
    begun: Instant,
}

/// By repository, and what it is said to be, a document or not: who is wrong about that is alone with it.
type Wanted = (String, Digest, u64, bool);

impl Shelved {
    pub(super) fn new(registries: Arc<dyn Registries>, shelf: Shelf, metrics: Arc<Metrics>) -> Self {
        Shelved { registries, shared: Arc::new(Shared::new(shelf, metrics)) }
    }

    /// Lets go what is too old, and what is too much.
    pub(super) async fn sweep(&self) {
        self.shared.sweep().await;
    }
}

impl Registries for Shelved {
    fn repository(&self, reference: &Reference) -> Arc<dyn Source> {
        let source = self.registries.repository(reference);
        let repository = source.repository();
        let of = Digest::sha256(repository.as_bytes()).hex().to_owned();
        Arc::new(Repository { repository, of, source, shared: Arc::clone(&self.shared) })
    }
}

fn blob_path(digest: &Digest) -> Path {
    let hex = digest.hex();
    Path::from_iter(["blobs", algorithm(digest), hex.get(..2).unwrap_or_default(), hex])
}

/// As a digest is written, whether we can compute it or not.
fn algorithm(digest: &Digest) -> &str {
    digest.as_str().split(':').next().unwrap_or_default()
}

impl Shared {
    fn new(shelf: Shelf, metrics: Arc<Metrics>) -> Self {
        Shared {
            shelf,
            metrics,
            fillings: Mutex::default(),
            verified: Verified::default(),
            places: Arc::new(Semaphore::new(FILLINGS)),
            failed: AtomicU64::new(u64::MAX),
            begun: Instant::now(),
        }
    }

    /// What the shelf says; nothing where it does not answer, which is told once for each time that it is passed by.
    async fn ask<T>(&self, work: impl Future<Output = object_store::Result<T>>) -> Option<T> {
        if self.is_passed_by() {
            return None;
        }
        let answer = tokio::time::timeout(ANSWER * 2, work).await;
        let reason = match answer {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(object_store::Error::NotFound { .. } | object_store::Error::AlreadyExists { .. })) => return None,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it does not answer".to_owned(),
        };
        self.failed.store(self.now(), Ordering::Relaxed);
        self.metrics.shelf_failures.fetch_add(1, Ordering::Relaxed);
        let seconds = PASSED_BY.as_secs();
        tracing::warn!("content is not kept in {}, which is passed by for {seconds} s: {reason}", self.shelf.name);
        None
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether it failed a moment ago.
    fn is_passed_by(&self) -> bool {
        let failed = self.failed.load(Ordering::Relaxed);
        failed != u64::MAX && self.now().saturating_sub(failed) < PASSED_BY.as_millis() as u64
    }

    /// What a registry said of a digest, not too long ago; `path` is where a repository has it written down.
    async fn seen(&self, path: &Path, digest: &Digest) -> Option<Descriptor> {
        let found = self.ask(self.shelf.store.get(path)).await?;
        if age(found.meta.last_modified.into()) > BELIEVED || found.meta.size > 1 << 10 {
            return None;
        }
        let bytes = self.ask(found.bytes()).await?;
        let (media_type, size) = std::str::from_utf8(&bytes).ok()?.split_once(' ')?;
        Some(Descriptor::new(media_type, digest.clone(), size.parse().ok()?))
    }

    /// A blob on the shelf. One that is damaged ends with an error, and is gone for the next who asks.
    async fn open(self: &Arc<Self>, repository: &str, descriptor: &Descriptor, at: u64) -> Option<ByteStream> {
        let path = blob_path(&descriptor.digest);
        let found = self.ask(self.shelf.store.get(&path)).await?;
        // Who asks may be wrong about its size, and whoever put it there was not.
        if found.meta.size != descriptor.size {
            return None;
        }
        let verifier = Verifier::new(repository, descriptor).ok()?;
        self.metrics.shelf_hits.fetch_add(1, Ordering::Relaxed);
        let mut stamp = None;
        let content = match found.payload {
            GetResultPayload::File(file, _) => {
                let blob = Blob::new(Arc::new(file), 0, descriptor.size);
                stamp = blob.stamp().ok();
                if stamp.is_some_and(|stamp| self.verified.has(&descriptor.digest, stamp)) {
                    return Some(known_pieces(blob, at, verifier.subject().to_owned()));
                }
                pieces(blob, verifier)
            }
            GetResultPayload::Stream(stream) => {
                let subject = verifier.subject().to_owned();
                let stream = stream.map_err(move |error| {
                    Error::new(Code::Unavailable, "fetch", &subject, format!("from the shelf: {error}")).retryable()
                });
                super::filling::verified(stream.boxed(), verifier)
            }
        };
        let (shared, digest) = (Arc::clone(self), descriptor.digest.clone());
        let content = match stamp {
            Some(stamp) => noted(content, Arc::clone(self), digest.clone(), stamp),
            None => content,
        };
        let content = content.or_else(move |error| {
            let (shared, path, digest) = (Arc::clone(&shared), path.clone(), digest.clone());
            async move {
                if error.code() == Code::DigestMismatch {
                    tracing::warn!("{digest} is damaged in {}: {error}", shared.shelf.name);
                    shared.ask(shared.shelf.store.delete(&path)).await;
                }
                Err(error)
            }
        });
        Some(if at > 0 { after(content.boxed(), at) } else { content.boxed() })
    }

    /// Puts on the shelf what was gathered, and verified meanwhile.
    async fn keep(&self, descriptor: &Descriptor, filling: &Arc<Filling>) {
        if let Some(folder) = &self.shelf.local {
            let path = folder.join(blob_path(&descriptor.digest).as_ref());
            match filling.name(path).await {
                // It was verified on its way there.
                Ok(stamp) => return self.verified.insert(descriptor.digest.clone(), stamp),
                // It is on another disk; it had a name before, as some filesystems need it; or something else is there.
                Err(error) => tracing::debug!("{} is copied to the shelf: {error}", descriptor.digest),
            }
        }
        self.put(descriptor, filling.content()).await;
    }

    async fn put(&self, descriptor: &Descriptor, content: ByteStream) {
        let path = blob_path(&descriptor.digest);
        let work = async {
            if descriptor.size <= PART as u64 {
                let all = collect(content).await.map_err(broken)?;
                return self.shelf.store.put(&path, PutPayload::from(all)).await.map(drop);
            }
            let upload = self.shelf.store.put_multipart(&path).await?;
            let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
            let mut content = content;
            loop {
                match content.try_next().await {
                    Ok(Some(piece)) => {
                        upload.wait_for_capacity(4).await?;
                        upload.put(piece);
                    }
                    Ok(None) => return upload.finish().await.map(drop),
                    Err(error) => {
                        upload.abort().await?;
                        return Err(broken(error));
                    }
                }
            }
        };
        // However much it is: each part has its own time.
        if let Err(error) = work.await {
            self.metrics.shelf_failures.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("{} is not kept in {}: {error}", descriptor.digest, self.shelf.name);
        }
    }

    async fn sweep(&self) {
        let mut found: Vec<_> = Vec::new();
        let mut all = self.shelf.store.list(None);
        loop {
            match all.try_next().await {
                Ok(Some(object)) => found.push(object),
                Ok(None) => break,
                Err(error) => return tracing::warn!("cannot see what is in {}: {error}", self.shelf.name),
            }
        }
        found.sort_by_key(|object| object.last_modified);
        let mut total: u64 = found.iter().map(|object| object.size).sum();
        for object in found {
            if age(object.last_modified.into()) <= self.shelf.age && total <= self.shelf.size {
                break;
            }
            total -= object.size;
            if self.shelf.store.delete(&object.location).await.is_err() {
                return;
            }
        }
    }

    /// What is being got for a repository, begun by whoever asks first; `None` where too much is being got already.
    fn filling(
        &self,
        wanted: Wanted,
        begin: impl FnOnce(OwnedSemaphorePermit) -> Result<Arc<Filling>>,
    ) -> Result<Option<Arc<Filling>>> {
        let mut fillings = self.fillings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(filling) = fillings.get(&wanted).and_then(Weak::upgrade).filter(|filling| !filling.has_failed()) {
            return Ok(Some(filling));
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return Ok(None) };
        fillings.retain(|_, filling| filling.strong_count() > 0);
        let filling = begin(place)?;
        fillings.insert(wanted, Arc::downgrade(&filling));
        Ok(Some(filling))
    }
}

/// Content of a file that comes to a good end is known to be what it should.
fn noted(content: ByteStream, shared: Arc<Shared>, digest: Digest, stamp: Stamp) -> ByteStream {
    let state = (content, shared, digest);
    stream::try_unfold(state, move |(mut content, shared, digest)| async move {
        match content.try_next().await? {
            Some(piece) => Ok(Some((piece, (content, shared, digest)))),
            None => {
                shared.verified.insert(digest, stamp);
                Ok(None)
            }
        }
    })
    .boxed()
}

/// Who follows is told even where the one who fills is no more.
struct Ending(Arc<Filling>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

fn age(since: SystemTime) -> Duration {
    since.elapsed().unwrap_or_default()
}

fn broken(error: Error) -> object_store::Error {
    object_store::Error::Generic { store: "registry", source: Box::new(error) }
}

struct Repository {
    repository: String,
    /// What it is called on the shelf.
    of: String,
    source: Arc<dyn Source>,
    shared: Arc<Shared>,
}

impl Repository {
    fn seen_path(&self, digest: &Digest) -> Path {
        Path::from_iter(["seen", &self.of, algorithm(digest), digest.hex()])
    }

    /// What its registry said of a digest, not too long ago.
    async fn seen(&self, digest: &Digest) -> Option<Descriptor> {
        self.shared.seen(&self.seen_path(digest), digest).await
    }

    /// The registry says that it is there.
    async fn see(&self, descriptor: &Descriptor) {
        let said = format!("{} {}", descriptor.media_type, descriptor.size);
        let path = self.seen_path(&descriptor.digest);
        self.shared.ask(self.shared.shelf.store.put(&path, PutPayload::from(said))).await;
    }

    /// Gets content from the registry, for all who ask for it meanwhile, and puts it on the shelf. With limits it is a
    /// document.
    fn get(&self, descriptor: &Descriptor, document: Option<&Limits>) -> Result<Option<Arc<Filling>>> {
        let shelf = &self.shared.shelf;
        let wanted = (self.repository.clone(), descriptor.digest.clone(), descriptor.size, document.is_some());
        self.shared.filling(wanted, |place| {
            let filling = Filling::new(&shelf.folder, descriptor.clone())?;
            let (source, shared, limits) = (Arc::clone(&self.source), Arc::clone(&self.shared), document.cloned());
            let (filled, descriptor, repository) = (Arc::clone(&filling), descriptor.clone(), self.repository.clone());
            let seen = self.seen_path(&descriptor.digest);
            let span = tracing::trace_span!(
                target: TARGET,
                "get",
                portolan.repository = self.repository,
                portolan.digest = descriptor.digest.as_str(),
                portolan.cached = Empty,
            );
            let getting = async move {
                let lease = shared.lease(&descriptor.digest).await;
                // Somebody may have brought it meanwhile; it may be another repository's, and this one may not have it.
                let brought = match lease.is_some() && shared.seen(&seen, &descriptor.digest).await.is_some() {
                    true => shared.open(&repository, &descriptor, 0).await,
                    false => None,
                };
                let is_there = brought.is_some();
                Span::current().record("portolan.cached", is_there);
                let content = match (brought, limits) {
                    (Some(content), _) => Ok(content),
                    (None, None) => source.open(&descriptor).await,
                    (None, Some(limits)) => source.fetch(&descriptor, &limits).await.map(whole),
                };
                shared.metrics.shelf_misses.fetch_add(u64::from(!is_there), Ordering::Relaxed);
                let filled = Ending(filled);
                match filled.0.fill(content).await {
                    true if is_there => {}
                    true => shared.keep(&descriptor, &filled.0).await,
                    // What was said of it may be what is wrong.
                    false => drop(shared.ask(shared.shelf.store.delete(&seen)).await),
                }
                if let Some(lease) = lease {
                    lease.release().await;
                }
                drop(place);
            };
            tokio::spawn(getting.instrument(span));
            Ok(filling)
        })
    }
}

fn whole(bytes: Bytes) -> ByteStream {
    stream::iter([Ok(bytes)]).boxed()
}

#[async_trait]
impl Source for Repository {
    fn repository(&self) -> String {
        self.repository.clone()
    }

    async fn resolve(&self, target: Target<'_>, limits: &Limits) -> Result<Descriptor> {
        // What was seen as a blob may be a manifest, too.
        if let Target::Digest(digest) = target
            && let Some(seen) = self.seen(digest).await
            && seen.is_document()
        {
            return Ok(seen);
        }
        let descriptor = self.source.resolve(target, limits).await?;
        self.see(&descriptor).await;
        Ok(descriptor)
    }

    async fn locate(&self, digest: &Digest, limits: &Limits) -> Result<Descriptor> {
        if let Some(seen) = self.seen(digest).await {
            return Ok(seen);
        }
        let descriptor = self.source.locate(digest, limits).await?;
        self.see(&descriptor).await;
        Ok(descriptor)
    }

    async fn fetch(&self, descriptor: &Descriptor, limits: &Limits) -> Result<Bytes> {
        verify::admit(&self.repository, descriptor, limits)?;
        if self.seen(&descriptor.digest).await.is_some()
            && let Some(content) = self.shared.open(&self.repository, descriptor, 0).await
            && let Ok(bytes) = collect(content).await
        {
            verify::shape(&self.repository, descriptor, &bytes, limits)?;
            return Ok(bytes);
        }
        let bytes = match self.get(descriptor, Some(limits)) {
            Ok(Some(filling)) => collect(filling.follow()).await?,
            // There is no place for it, in memory or on the disk; documents are small.
            _ => self.source.fetch(descriptor, limits).await?,
        };
        // Who asked for it first may have had other limits.
        verify::shape(&self.repository, descriptor, &bytes, limits)?;
        Ok(bytes)
    }

    async fn read(&self, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Bytes> {
        self.source.read(descriptor, offset, length).await
    }

    async fn open(&self, descriptor: &Descriptor) -> Result<ByteStream> {
        self.open_at(descriptor, 0).await
    }

    async fn open_at(&self, descriptor: &Descriptor, at: u64) -> Result<ByteStream> {
        if descriptor.size > self.shared.shelf.most {
            return self.source.open_at(descriptor, at).await;
        }
        if self.seen(&descriptor.digest).await.is_some()
            && let Some(content) = self.shared.open(&self.repository, descriptor, at).await
        {
            if descriptor.size > WHOLE {
                return Ok(content);
            }
            // What is damaged shows before anybody has a part of it.
            if let Ok(bytes) = collect(content).await {
                return Ok(whole(bytes));
            }
        }
        match self.get(descriptor, None)? {
            Some(filling) if at > 0 => Ok(after(filling.follow(), at)),
            Some(filling) => Ok(filling.follow()),
            None => self.source.open_at(descriptor, at).await,
        }
    }

    async fn tags(&self, next: Option<&str>) -> Result<TagPage> {
        self.source.tags(next).await
    }

    async fn referrers(&self, digest: &Digest, artifact_type: Option<&str>, limits: &Limits) -> Result<Bytes> {
        self.source.referrers(digest, artifact_type, limits).await
    }

    fn sink(&self) -> Result<Box<dyn Sink>> {
        self.source.sink()
    }
}

#[cfg(test)]
mod tests {
    use portolan_hostile::{Hostile, on};

    use super::*;
    use crate::source::registry::{Hosts, Registry};

    const SLOW: Duration = Duration::from_millis(500);

    /// A repository of a registry, by the way of a shelf: as a process of its own has it.
    fn repository(folder: &std::path::Path, host: &str, name: &str) -> Arc<dyn Source> {
        let nobody = Registry::builder().docker_config(None).auth_file(None).podman_auth_files(Vec::new());
        let registries = nobody.hosts(Hosts::none()).build().unwrap();
        let shelf = Shelf::at(&folder.join("kept").display().to_string()).unwrap();
        let shelved = Shelved::new(Arc::new(registries), shelf, Arc::default());
        shelved.repository(&Reference::parse(&format!("{host}/{name}")).unwrap())
    }

    async fn all(source: &Arc<dyn Source>, descriptor: &Descriptor) -> Result<Bytes> {
        collect(source.open(descriptor).await?).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_waited_for_what_another_repository_has_asks_its_own() {
        let (folder, bytes) = (tempfile::tempdir().unwrap(), b"a secret layer".repeat(1000));
        let layer = Descriptor::of("a/b", &bytes);
        let path = |name: &str| format!("/v2/{name}/blobs/{}", layer.digest);
        let hostile = Hostile::play(vec![on("GET", path("private")).body(&bytes[..]).delay(SLOW)]);
        let (private, public) = (
            repository(folder.path(), &hostile.host(), "private"),
            repository(folder.path(), &hostile.host(), "public"),
        );
        let asked = tokio::spawn({
            let layer = layer.clone();
            async move { all(&private, &layer).await }
        });
        while hostile.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // It has the lease's end to wait for, and what it then has to ask has no such blob.
        let other = all(&public, &layer).await.unwrap_err();
        assert_eq!(other.code(), Code::NotFound);
        assert!(asked.await.unwrap().unwrap() == bytes);
        assert!(hostile.asked().iter().any(|asked| asked.contains(&path("public"))), "{:?}", hostile.asked());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_document_that_two_processes_want_is_asked_for_once() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        let index = Descriptor::of(portolan_oci::media_type::OCI_INDEX, text.as_bytes());
        let path = format!("/v2/app/manifests/{}", index.digest);
        let hostile = Hostile::play(
            ["HEAD", "GET"]
                .map(|method| on(method, &path).header("Content-Type", &index.media_type).body(text).delay(SLOW))
                .to_vec(),
        );
        let limits = Limits::default();
        let pull = || {
            let (source, index, limits) =
                (repository(folder.path(), &hostile.host(), "app"), index.clone(), limits.clone());
            async move {
                source.resolve(Target::Digest(&index.digest), &limits).await?;
                source.fetch(&index, &limits).await
            }
        };
        let (one, other) = tokio::join!(pull(), pull());
        assert!(one.unwrap() == text && other.unwrap() == text);
        let gets = hostile.requests().iter().filter(|request| request.method == "GET").count();
        assert_eq!(gets, 1, "{:?}", hostile.asked());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_damaged_is_gone_before_anybody_is_told() {
        let (folder, bytes) = (tempfile::tempdir().unwrap(), vec![7; 3 << 20]);
        let layer = Descriptor::of("a/b", &bytes);
        let path = format!("/v2/app/blobs/{}", layer.digest);
        let hostile = Hostile::play(vec![
            on("HEAD", &path).header("Content-Length", bytes.len().to_string()),
            on("GET", &path).body(&bytes[..]),
        ]);
        let app = repository(folder.path(), &hostile.host(), "app");
        app.locate(&layer.digest, &Limits::default()).await.unwrap();
        all(&app, &layer).await.unwrap();
        let file = folder.path().join("kept").join(blob_path(&layer.digest).as_ref());
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::fs::write(&file, vec![8; bytes.len()]).unwrap();
        // It is too large to be looked at before the first of it is handed out.
        assert_eq!(all(&app, &layer).await.unwrap_err().code(), Code::DigestMismatch);
        assert!(!file.exists());
        assert!(all(&app, &layer).await.unwrap() == bytes);
    }
}

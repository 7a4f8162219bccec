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
//! not long ago, that it is there. Bytes are verified whenever they are read, and what is damaged is asked for again.
//! Two who want the same ask once: in one process they share a [`filling`](super::filling), and of several processes one has
//! the lease and the others wait a while for what it brings. A shelf that does not answer is passed by for some seconds,
//! which is told; then everything comes from registries, as if there were none.

use std::collections::HashMap;
use std::path::{Path as Folder, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    BackoffConfig, ClientOptions, GetResultPayload, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    RetryConfig, WriteMultipart,
};
use portolan_oci::{Descriptor, Digest, Reference};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::filling::Filling;
use super::metrics::Metrics;
use crate::error::{Code, Error, Result};
use crate::limits::Limits;
use crate::source::blob::{Blob, collect, pieces};
use crate::source::sink::Sink;
use crate::source::verify::{self, Verifier};
use crate::source::{ByteStream, Registries, Source, TagPage, Target, after};

/// That a repository has something is believed for so long.
const BELIEVED: Duration = Duration::from_secs(24 * 60 * 60);
/// Whoever has a lease longer than this has lost it.
const LEASE: Duration = Duration::from_secs(60);
/// How long another process is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether it is done.
const LOOK: Duration = Duration::from_millis(50);
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

/// Where content is kept, how much of it, and for how long.
#[derive(Debug, Clone)]
pub struct Shelf {
    store: Arc<dyn ObjectStore>,
    /// For messages.
    name: Arc<str>,
    /// Where content is gathered before it is put there.
    folder: PathBuf,
    /// Larger blobs are handed through.
    pub(super) most: u64,
    /// All of it together.
    pub(super) size: u64,
    /// What was put there longer ago goes.
    pub(super) age: Duration,
}

impl Shelf {
    /// A folder, which is made; `s3://BUCKET[/PREFIX]`, whose endpoint and credentials are those of the environment
    /// (`AWS_ENDPOINT`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ALLOW_HTTP`).
    ///
    /// # Errors
    /// A folder that cannot be made, or is open to others; a URL that is none.
    pub fn at(place: &str) -> Result<Shelf> {
        let fail = |detail: String| Error::new(Code::Other, "keep content in", place, detail);
        let store: Arc<dyn ObjectStore> = match place.strip_prefix("s3://") {
            Some(bucket) => {
                let (bucket, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
                let retries = RetryConfig {
                    max_retries: 1,
                    retry_timeout: ANSWER,
                    backoff: BackoffConfig { max_backoff: Duration::from_millis(200), ..BackoffConfig::default() },
                };
                let store = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retries);
                let store = store.with_http_connector(Connector).build();
                let store = store.map_err(|error| fail(error.to_string()))?;
                match prefix {
                    "" => Arc::new(store),
                    prefix => Arc::new(PrefixStore::new(store, prefix)),
                }
            }
            None => {
                let folder = crate::private::folder(Folder::new(place)).map_err(fail)?;
                Arc::new(LocalFileSystem::new_with_prefix(folder).map_err(|error| fail(error.to_string()))?)
            }
        };
        Ok(Shelf {
            store,
            name: place.into(),
            folder: std::env::temp_dir(),
            most: 4 << 30,
            size: 64 << 30,
            age: Duration::from_secs(30 * 24 * 60 * 60),
        })
    }

    /// Blobs of more bytes are handed through and not kept.
    #[must_use]
    pub fn blobs_up_to(mut self, bytes: u64) -> Self {
        self.most = bytes;
        self
    }

    /// No more bytes than about so many are kept: what was put there first goes first.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = bytes;
        self
    }

    /// What was put there longer ago goes.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// Where content is gathered before it is put there, in the place of the system's folder for temporary files.
    #[must_use]
    pub fn gathered_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }
}

/// HTTP to a store: verified as by the system, with a cryptography of its own, as nothing here is the process'.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let fail =
            |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic { store: "S3", source };
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| fail(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let allowed = std::env::var("AWS_ALLOW_HTTP").is_ok_and(|value| value == "true");
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(!allowed)
            .connect_timeout(ANSWER)
            .read_timeout(ANSWER)
            .build()
            .map(HttpClient::new)
            .map_err(|error| fail(error.into()))
    }
}

/// Registries, and what is on the shelf of what they have.
pub(super) struct Shelved {
    registries: Arc<dyn Registries>,
    shared: Arc<Shared>,
}

struct Shared {
    shelf: Shelf,
    metrics: Arc<Metrics>,
    /// By repository, and what it is said to be: who is wrong about that is alone with it.
    fillings: Mutex<HashMap<(String, Digest, u64), Weak<Filling>>>,
    /// For what is being got: beyond that, content is handed through.
    places: Arc<Semaphore>,
    /// When it failed last, in milliseconds after the beginning.
    failed: AtomicU64,
    begun: Instant,
}

impl Shelved {
    pub(super) fn new(registries: Arc<dyn Registries>, shelf: Shelf, metrics: Arc<Metrics>) -> Self {
        let shared = Shared {
            shelf,
            metrics,
            fillings: Mutex::default(),
            places: Arc::new(Semaphore::new(FILLINGS)),
            failed: AtomicU64::new(u64::MAX),
            begun: Instant::now(),
        };
        Shelved { registries, shared: Arc::new(shared) }
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

fn lease_path(digest: &Digest) -> Path {
    Path::from_iter(["lease", algorithm(digest), digest.hex()])
}

/// As a digest is written, whether we can compute it or not.
fn algorithm(digest: &Digest) -> &str {
    digest.as_str().split(':').next().unwrap_or_default()
}

impl Shared {
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
        let content = match found.payload {
            GetResultPayload::File(file, _) => pieces(Blob::new(Arc::new(file), 0, descriptor.size), verifier),
            GetResultPayload::Stream(stream) => {
                let subject = verifier.subject().to_owned();
                let stream = stream.map_err(move |error| {
                    Error::new(Code::Unavailable, "fetch", &subject, format!("from the shelf: {error}")).retryable()
                });
                super::filling::verified(stream.boxed(), verifier)
            }
        };
        let (shared, digest) = (Arc::clone(self), descriptor.digest.clone());
        let content = content.inspect_err(move |error| {
            if error.code() == Code::DigestMismatch {
                tracing::warn!("{digest} is damaged in {}: {error}", shared.shelf.name);
                let (shared, path) = (Arc::clone(&shared), path.clone());
                tokio::spawn(async move { shared.ask(shared.shelf.store.delete(&path)).await });
            }
        });
        Some(if at > 0 { after(content.boxed(), at) } else { content.boxed() })
    }

    /// Puts on the shelf what was gathered.
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

    /// Whether this process is to get it: else another one is at it, and was waited for.
    async fn lease(&self, digest: &Digest) -> Leased {
        let path = lease_path(digest);
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let until = Instant::now() + PATIENCE;
        let mut waited = false;
        while Instant::now() < until && !self.is_passed_by() {
            let put = self.shelf.store.put_opts(&path, PutPayload::from_static(b"taken"), create.clone());
            match tokio::time::timeout(ANSWER, put).await {
                // It was theirs until now, so what they were at is done.
                Ok(Ok(_)) if waited => {
                    self.ask(self.shelf.store.delete(&path)).await;
                    return Leased::Theirs;
                }
                Ok(Ok(_)) => return Leased::Ours,
                Ok(Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. })) => {}
                _ => return Leased::Nobodys,
            }
            match self.ask(self.shelf.store.head(&path)).await {
                Some(held) if age(held.last_modified.into()) > LEASE => {
                    self.ask(self.shelf.store.delete(&path)).await;
                }
                _ => waited = true,
            }
            tokio::time::sleep(LOOK).await;
        }
        Leased::Nobodys
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
        repository: &str,
        descriptor: &Descriptor,
        begin: impl FnOnce(OwnedSemaphorePermit) -> Result<Arc<Filling>>,
    ) -> Result<Option<Arc<Filling>>> {
        let mut fillings = self.fillings.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (repository.to_owned(), descriptor.digest.clone(), descriptor.size);
        if let Some(filling) = fillings.get(&key).and_then(Weak::upgrade).filter(|filling| !filling.has_failed()) {
            return Ok(Some(filling));
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return Ok(None) };
        fillings.retain(|_, filling| filling.strong_count() > 0);
        let filling = begin(place)?;
        fillings.insert(key, Arc::downgrade(&filling));
        Ok(Some(filling))
    }
}

/// Who follows is told even where the one who fills is no more.
struct Ending(Arc<Filling>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

enum Leased {
    Ours,
    /// They are done.
    Theirs,
    /// Nobody knows; everybody gets it for themselves.
    Nobodys,
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

    /// Gets content from the registry, for all who ask for it meanwhile, and puts it on the shelf.
    fn get(&self, descriptor: &Descriptor) -> Result<Option<Arc<Filling>>> {
        let shelf = &self.shared.shelf;
        self.shared.filling(&self.repository, descriptor, |place| {
            let filling = Filling::new(&shelf.folder, descriptor.clone())?;
            let (source, shared) = (Arc::clone(&self.source), Arc::clone(&self.shared));
            let (filled, descriptor, repository) = (Arc::clone(&filling), descriptor.clone(), self.repository.clone());
            let seen = self.seen_path(&descriptor.digest);
            tokio::spawn(async move {
                let lease = shared.lease(&descriptor.digest).await;
                // What they brought may be another repository's, and this one may not have it.
                let theirs = match lease {
                    Leased::Theirs if shared.seen(&seen, &descriptor.digest).await.is_some() => {
                        shared.open(&repository, &descriptor, 0).await
                    }
                    _ => None,
                };
                let is_there = theirs.is_some();
                let content = match theirs {
                    Some(content) => Ok(content),
                    None => source.open(&descriptor).await,
                };
                shared.metrics.shelf_misses.fetch_add(u64::from(!is_there), Ordering::Relaxed);
                let filled = Ending(filled);
                match filled.0.fill(content).await {
                    true if is_there => {}
                    true => shared.put(&descriptor, filled.0.content()).await,
                    // What was said of it may be what is wrong.
                    false => drop(shared.ask(shared.shelf.store.delete(&seen)).await),
                }
                if matches!(lease, Leased::Ours) {
                    shared.ask(shared.shelf.store.delete(&lease_path(&descriptor.digest))).await;
                }
                drop(place);
            });
            Ok(filling)
        })
    }
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
        let bytes = match self.source.fetch(descriptor, limits).await {
            Ok(bytes) => bytes,
            Err(error) => {
                // What was said of it may be what is wrong.
                self.shared.ask(self.shared.shelf.store.delete(&self.seen_path(&descriptor.digest))).await;
                return Err(error);
            }
        };
        // Whoever asks says what it is, so that is not written down as the registry's word.
        let path = blob_path(&descriptor.digest);
        self.shared.ask(self.shared.shelf.store.put(&path, PutPayload::from(bytes.clone()))).await;
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
                return Ok(stream::iter([Ok(bytes)]).boxed());
            }
        }
        match self.get(descriptor)? {
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

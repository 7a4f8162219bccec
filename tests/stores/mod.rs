//! What the tests of layouts and archives share: a source that counts, and walking through everything that one holds.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use portolan::source::{ByteStream, Source, Target};
use portolan::{Code, Error, Limits, Result};
use portolan_oci::{Config, Descriptor, Digest, Document, Index, Kind};
use portolan_tests::registry::run;

/// A source that remembers how many bytes of which content it handed out, or read to answer.
pub struct Counting<S> {
    pub source: S,
    bytes: Mutex<BTreeMap<Digest, u64>>,
}

impl<S: Source> Counting<S> {
    pub fn new(source: S) -> Self {
        Counting { source, bytes: Mutex::default() }
    }

    /// Bytes that left the source, by digest.
    pub fn counted(&self) -> BTreeMap<Digest, u64> {
        self.bytes.lock().unwrap().clone()
    }

    fn count(&self, digest: &Digest, bytes: u64) {
        *self.bytes.lock().unwrap().entry(digest.clone()).or_default() += bytes;
    }
}

#[async_trait]
impl<S: Source> Source for Counting<S> {
    fn repository(&self) -> String {
        self.source.repository()
    }

    async fn resolve(&self, target: Target<'_>, limits: &Limits) -> Result<Descriptor> {
        let descriptor = self.source.resolve(target, limits).await?;
        self.count(&descriptor.digest, descriptor.size);
        Ok(descriptor)
    }

    async fn fetch(&self, descriptor: &Descriptor, limits: &Limits) -> Result<Bytes> {
        let bytes = self.source.fetch(descriptor, limits).await?;
        self.count(&descriptor.digest, bytes.len() as u64);
        Ok(bytes)
    }

    async fn read(&self, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Bytes> {
        let bytes = self.source.read(descriptor, offset, length).await?;
        self.count(&descriptor.digest, bytes.len() as u64);
        Ok(bytes)
    }

    /// A stream counts whole when it is opened: whether it is read to its end is not for us to see.
    async fn open(&self, descriptor: &Descriptor) -> Result<ByteStream> {
        self.count(&descriptor.digest, descriptor.size);
        self.source.open(descriptor).await
    }

    async fn entries(&self, limits: &Limits) -> Result<(Descriptor, Bytes)> {
        self.source.entries(limits).await
    }
}

/// What can be reached from the entries of a store.
#[derive(Debug, Default)]
pub struct Reached {
    pub manifests: Vec<Descriptor>,
    pub configs: Vec<Descriptor>,
    pub layers: Vec<Descriptor>,
    pub all: BTreeMap<Digest, Descriptor>,
}

/// Fetches every document that can be reached, and reads it as what it says it is.
pub async fn walk(source: &impl Source) -> Reached {
    let limits = Limits::default();
    let (_, entries) = source.entries(&limits).await.unwrap();
    let mut waiting = Index::parse(&entries).unwrap().manifests;
    let mut reached = Reached::default();
    while let Some(descriptor) = waiting.pop() {
        if reached.all.insert(descriptor.digest.clone(), descriptor.clone()).is_some() {
            continue;
        }
        let fetch = || async { source.fetch(&descriptor, &limits).await.unwrap() };
        match descriptor.kind() {
            Kind::Layer => reached.layers.push(descriptor),
            Kind::Config => {
                Config::parse(&fetch().await).unwrap();
                reached.configs.push(descriptor);
            }
            Kind::Index | Kind::Manifest => match Document::parse(&fetch().await).unwrap() {
                Document::Index(index) => waiting.extend(index.manifests),
                Document::Manifest(manifest) => {
                    waiting.push(manifest.config);
                    waiting.extend(manifest.layers);
                    reached.manifests.push(descriptor);
                }
            },
            Kind::Attestation | Kind::Other => drop(fetch().await),
        }
    }
    reached
}

/// All of a blob by its stream.
pub async fn streamed(source: &impl Source, descriptor: &Descriptor) -> Result<Vec<u8>> {
    let pieces: Vec<Bytes> = source.open(descriptor).await?.try_collect().await?;
    Ok(pieces.concat())
}

/// Content is refused in the same way however it is asked for: as a document, in part, as a stream.
pub async fn refused(source: &impl Source, descriptor: &Descriptor, what: &str) -> Error {
    let limits = Limits::default();
    let fetched = source.fetch(descriptor, &limits).await.expect_err(what);
    let read = source.read(descriptor, 0, 1).await.expect_err(what);
    let streamed = streamed(source, descriptor).await.expect_err(what);
    assert_eq!(fetched, read, "{what}");
    assert_eq!(fetched, streamed, "{what}");
    fetched
}

/// Whether an error is of this kind and its text ends so.
pub fn assert_error(error: &Error, code: Code, end: &str, what: &str) {
    assert_eq!(error.code(), code, "{what}: {error}");
    assert!(error.to_string().ends_with(end), "{what}: {error}");
}

/// Runs buildah on storage of its own, as who may do nothing else.
pub fn buildah(folder: &Path, words: &[&str]) {
    let place = |name: &str| folder.join(name).display().to_string();
    let mut command = Command::new("buildah");
    command.args(["--storage-driver", "vfs", "--root", &place("root"), "--runroot", &place("runroot")]).args(words);
    run(command.env("BUILDAH_ISOLATION", "chroot").env("XDG_RUNTIME_DIR", folder), "buildah");
}

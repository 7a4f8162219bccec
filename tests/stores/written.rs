//! What the tests of writing share: content to put, and copying all of one store into another as a copy does.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use portolan::source::sink::{Content, Document, Pushed, Sink};
use portolan::source::{ByteStream, Source};
use portolan::{Error, Limits, Result};
use portolan_oci::names::entry_name;
use portolan_oci::{Descriptor, Digest, Document as Parsed, Index, Kind};
use portolan_tests::registry::run;

/// A blob of another store.
pub struct From {
    pub source: Arc<dyn Source>,
    pub descriptor: Descriptor,
}

#[async_trait]
impl Content for From {
    async fn open(&self) -> Result<ByteStream> {
        self.source.open(&self.descriptor).await
    }
}

/// These pieces, whatever they are, and then perhaps a failure.
pub struct Pieces(pub Vec<Result<Bytes>>);

impl Pieces {
    pub fn of(bytes: &[u8]) -> Self {
        Pieces(vec![Ok(Bytes::copy_from_slice(bytes))])
    }

    pub fn broken(bytes: &[u8], error: Error) -> Self {
        Pieces(vec![Ok(Bytes::copy_from_slice(bytes)), Err(error)])
    }
}

#[async_trait]
impl Content for Pieces {
    async fn open(&self) -> Result<ByteStream> {
        Ok(stream::iter(self.0.clone()).boxed())
    }
}

/// A piece, and then nothing for ever.
pub struct Stuck(pub Bytes);

#[async_trait]
impl Content for Stuck {
    async fn open(&self) -> Result<ByteStream> {
        Ok(stream::iter([Ok(self.0.clone())]).chain(stream::pending()).boxed())
    }
}

/// Stores bytes as a blob.
pub async fn put(sink: &dyn Sink, bytes: &[u8]) -> Result<Descriptor> {
    let descriptor = Descriptor::of("application/vnd.oci.image.layer.v1.tar", bytes);
    sink.put_blob(&descriptor, &Pieces::of(bytes)).await?;
    Ok(descriptor)
}

/// Stores bytes as a document of this media type.
pub async fn document(sink: &dyn Sink, media_type: &str, bytes: &str, name: Option<&str>) -> Result<Pushed> {
    let (descriptor, bytes) = (Descriptor::of(media_type, bytes.as_bytes()), Bytes::copy_from_slice(bytes.as_bytes()));
    sink.put_document(&Document { descriptor, bytes, name: name.map(str::to_owned) }).await
}

/// The entries of a store.
pub async fn entries(source: &dyn Source) -> Vec<Descriptor> {
    let (_, bytes) = source.entries(&Limits::default()).await.unwrap();
    Index::parse(&bytes).unwrap().manifests
}

/// What an entry is to be called: as it is, else by its digest.
pub fn name_of(entry: &Descriptor) -> String {
    entry_name(entry).map_or_else(|| format!("@{}", entry.digest), |name| name.to_string())
}

/// Copies everything that the entries of a store lead to, under the same names, and commits.
pub async fn copy_all(source: &Arc<dyn Source>, sink: &dyn Sink) -> Result<()> {
    for entry in entries(&**source).await {
        copy(source, sink, &entry, Some(&name_of(&entry))).await?;
    }
    sink.commit().await
}

/// Copies one root and everything below it.
pub async fn copy(source: &Arc<dyn Source>, sink: &dyn Sink, root: &Descriptor, name: Option<&str>) -> Result<()> {
    let (mut seen, mut order) = (BTreeSet::new(), vec![root.clone()]);
    let mut at = 0;
    while let Some(descriptor) = order.get(at).cloned() {
        at += 1;
        if !is_document(&descriptor) {
            continue;
        }
        let bytes = source.fetch(&descriptor, &Limits::default()).await?;
        let below = match Parsed::parse(&bytes).unwrap() {
            Parsed::Index(index) => index.manifests,
            Parsed::Manifest(manifest) => [vec![manifest.config], manifest.layers].concat(),
        };
        order.extend(below.into_iter().filter(|below| seen.insert(below.digest.clone())));
    }
    for descriptor in order.iter().rev() {
        if is_document(descriptor) {
            let bytes = source.fetch(descriptor, &Limits::default()).await?;
            let name = (descriptor == root).then(|| name.map(str::to_owned)).flatten();
            sink.put_document(&Document { descriptor: descriptor.clone(), bytes, name }).await?;
        } else if !sink.has(descriptor).await? {
            sink.put_blob(descriptor, &From { source: source.clone(), descriptor: descriptor.clone() }).await?;
        }
    }
    Ok(())
}

fn is_document(descriptor: &Descriptor) -> bool {
    matches!(descriptor.kind(), Kind::Index | Kind::Manifest)
}

/// What skopeo reads of an image: `place` in its own words, such as `oci:DIR:NAME`.
pub fn skopeo_raw(place: &str) -> Vec<u8> {
    run(Command::new("skopeo").args(["inspect", "--raw", place]), "skopeo").stdout
}

/// Has skopeo copy an image with everything below it.
pub fn skopeo_copy(from: &str, to: &str) {
    run(Command::new("skopeo").args(["--insecure-policy", "copy", "--all", "--quiet", from, to]), "skopeo");
}

/// The digests of these bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest::sha256(bytes)
}

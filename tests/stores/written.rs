//! What the tests of writing share: content to put, and copying all of one store into another as a copy does.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use portolan::source::layout::Layout;
use portolan::source::sink::{Content, Document, Pushed, Sink};
use portolan::source::{ByteStream, Source};
use portolan::{Error, Limits, Result};
use portolan_oci::names::entry_name;
use portolan_oci::{Descriptor, Document as Parsed, Index, Kind};
use portolan_tests::registry::run;
use tempfile::TempDir;

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

/// A number below this one.
pub fn random(below: u128) -> u128 {
    u128::from(RandomState::new().build_hasher().finish()) % below.max(1)
}

/// A sink whose every step waits for a byte of standard input: how far a program comes is its parent's to say. Where there
/// is no more input, and no more to come, nothing waits.
pub struct Stepping(pub Box<dyn Sink>);

fn step() {
    let _ = std::io::stdin().read(&mut [0]);
}

#[async_trait]
impl Sink for Stepping {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool> {
        self.0.has(descriptor).await
    }

    async fn put_blob(&self, descriptor: &Descriptor, content: &dyn Content) -> Result<()> {
        step();
        self.0.put_blob(descriptor, content).await
    }

    async fn put_document(&self, document: &Document) -> Result<Pushed> {
        step();
        self.0.put_document(document).await
    }

    async fn commit(&self) -> Result<()> {
        step();
        self.0.commit().await
    }
}

/// Two megabytes in twenty steps.
pub struct Large;

impl Large {
    pub fn bytes() -> Vec<u8> {
        (0..1_000_000_u32).flat_map(|number| [number as u8, (number >> 8) as u8]).collect()
    }

    pub fn descriptor() -> Descriptor {
        Descriptor::of("application/vnd.oci.image.layer.v1.tar", &Self::bytes())
    }
}

#[async_trait]
impl Content for Large {
    async fn open(&self) -> Result<ByteStream> {
        let pieces: Vec<Bytes> = Self::bytes().chunks(100_000).map(Bytes::copy_from_slice).collect();
        let stepwise = stream::iter(pieces).map(|piece| {
            step();
            Ok(piece)
        });
        Ok(stepwise.boxed())
    }
}

/// What another program does: the large blob, if it is not there, and an image with everything below it under this name.
pub async fn write_stepwise(target: &dyn Source, name: &str) {
    let sink = Stepping(target.sink().unwrap());
    if !sink.has(&Large::descriptor()).await.unwrap() {
        sink.put_blob(&Large::descriptor(), &Large).await.unwrap();
    }
    let layout = portolan_tests::fixtures::layout("buildkit-multi");
    let source: Arc<dyn Source> = Arc::new(Layout::open(&layout, "oci-layout://fixture").unwrap());
    let root = entries(&*source).await.remove(0);
    copy(&source, &sink, &root, Some(name)).await.unwrap();
    sink.commit().await.unwrap();
}

/// A folder for what is killed many times: in memory, where there is such a place, since what a killed program has written
/// is not lost, and waiting for a disk is all that such a test would do.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// More steps than that takes.
const STEPS: u128 = 60;

/// Kills a program that writes so: every other turn within or after one of its steps, which it does not leave, and else at
/// any time of the `whole` that it takes, its commit included. Whether it was killed before it was done.
pub fn kill(turn: usize, writer: &mut Child, whole: Duration, mut look: impl FnMut()) -> bool {
    let mut input = writer.stdin.take().unwrap();
    let end = Instant::now() + Duration::from_nanos(u64::try_from(random(whole.as_nanos())).unwrap());
    let held = match turn % 2 {
        // One that has ended already takes no more.
        0 => input.write_all(&vec![b'.'; usize::try_from(random(STEPS / 2)).unwrap()]).is_ok().then_some(input),
        _ => None,
    };
    while Instant::now() < end {
        look();
    }
    writer.kill().unwrap();
    drop(held);
    let early = !writer.wait().unwrap().success();
    look();
    early
}

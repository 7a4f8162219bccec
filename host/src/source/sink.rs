//! Where content goes: what a repository that can be written to does.
//!
//! A [`Sink`] is one piece of writing: it is taken from a [`Source`](super::Source), told what to make present, children
//! before parents, and then [committed](Sink::commit). It judges nothing: what is copied, under which name, and in which
//! order is decided above. A sink that is dropped without its commit has given no names; blobs that arrived stay, whole,
//! and need not be sent again.

use async_trait::async_trait;
use bytes::Bytes;
use portolan_oci::Descriptor;

use super::ByteStream;
use crate::error::Result;

/// Up to here a blob costs what the questions about it cost, and not its bytes: a config, a statement, an empty layer. More
/// of them move at a time, here and in a registry's lines.
pub(crate) const SMALL: u64 = 64 << 10;

/// A blob's bytes, as often as they are asked for: an upload that breaks starts over.
#[async_trait]
pub trait Content: Send + Sync {
    /// All of it, from the start, verified while it streams (see [`ByteStream`]).
    async fn open(&self) -> Result<ByteStream>;

    /// What comes after the first `at` bytes, for whoever has those; not verified (see
    /// [`Source::open_at`](super::Source::open_at)).
    async fn open_at(&self, at: u64) -> Result<ByteStream> {
        Ok(super::after(self.open().await?, at))
    }
}

/// A manifest or an index to be stored.
#[derive(Debug, Clone)]
pub struct Document {
    /// Media type, digest and size; the bytes were compared with it.
    pub descriptor: Descriptor,
    /// Exactly as they are to be stored.
    pub bytes: Bytes,
    /// The name to give it. In a registry a tag. In a store a tag, a name with its tag, or `@DIGEST`, which makes the
    /// document a root without a name.
    pub name: Option<String>,
}

/// What became of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    /// False where it was there already, under its name if it has one.
    pub created: bool,
    /// False where the document has a subject and whoever keeps it does not list referrers by itself.
    pub subject_processed: bool,
}

/// One piece of writing to one repository.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Whether the blob is there, whole.
    async fn has(&self, descriptor: &Descriptor) -> Result<bool>;

    /// Makes a blob present that another repository has (`docker.io/library/alpine`, as
    /// [`Source::repository`](super::Source::repository) says it), without its bytes passing through here. `false` where that
    /// cannot be done; then the bytes have to be put.
    async fn mount(&self, descriptor: &Descriptor, from: &str) -> Result<bool> {
        let _ = (descriptor, from);
        Ok(false)
    }

    /// Stores a blob. Nobody sees it before all of it has arrived and was verified.
    async fn put_blob(&self, descriptor: &Descriptor, content: &dyn Content) -> Result<()>;

    /// Stores a manifest or an index; what it names is there. In a registry its name is given at once; in a store with
    /// [`commit`](Sink::commit).
    async fn put_document(&self, document: &Document) -> Result<Pushed>;

    /// Ends the writing. A store writes its index.json here, once, an archive its file; a registry has nothing left to do.
    async fn commit(&self) -> Result<()>;
}

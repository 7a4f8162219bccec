//! Where content comes from: one small trait, and a room for each medium below.
//!
//! A [`Source`] is one repository: a repository of a registry, or a store (a layout, an archive) that was opened under a
//! name. It does what it is told, by tag or by digest; it never picks a platform, matches a name or walks an index.
//!
//! What a source hands out as a document is verified: digest, size, and that its media type and its shape agree.

pub mod archive;
pub(crate) mod blob;
pub mod buildkit;
mod buildx;
pub mod containerd;
pub mod daemon;
mod entries;
mod file;
mod folder;
pub mod layout;
mod lock;
pub mod memory;
pub mod registry;
pub mod sink;
#[cfg(feature = "serve")]
pub(crate) mod spool;
mod store;
pub(crate) mod verify;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf as _, Bytes};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use portolan_oci::{Descriptor, Digest, Reference};

use crate::error::{Code, Error, Result};
use crate::limits::Limits;
use sink::Sink;

/// What a root is asked for by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// A tag, already validated.
    Tag(&'a str),
    /// A digest.
    Digest(&'a Digest),
}

/// One page of a tag list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagPage {
    /// In the registry's order.
    pub tags: Vec<String>,
    /// Where the next page starts; `None` on the last one. Opaque.
    pub next: Option<String>,
}

/// Content in pieces. The last piece comes only if all of it was what the descriptor says; a stream that is dropped early
/// has verified nothing.
pub type ByteStream = BoxStream<'static, Result<Bytes>>;

/// All repositories of all registries.
pub trait Registries: Send + Sync {
    /// The repository of `reference`, whose tag and digest do not matter. Nothing is asked of the network yet.
    fn repository(&self, reference: &Reference) -> Arc<dyn Source>;
}

impl<T: Registries + ?Sized> Registries for Arc<T> {
    fn repository(&self, reference: &Reference) -> Arc<dyn Source> {
        (**self).repository(reference)
    }
}

/// One repository of a registry, or one store.
#[async_trait]
pub trait Source: Send + Sync {
    /// The repository as the contract writes it: `docker.io/library/alpine`, `oci-layout://STORE`. For messages.
    fn repository(&self) -> String;

    /// The root that a tag or digest means now. Stores know digests only. Where the document has to be read to know what
    /// it is, `limits` bound it.
    async fn resolve(&self, target: Target<'_>, limits: &Limits) -> Result<Descriptor>;

    /// What is stored under a digest of which nothing else is known: a blob, mostly, whose media type nobody says.
    async fn locate(&self, digest: &Digest, limits: &Limits) -> Result<Descriptor> {
        self.resolve(Target::Digest(digest), limits).await
    }

    /// A document, verified, of at most what `limits` allow for its kind.
    async fn fetch(&self, descriptor: &Descriptor, limits: &Limits) -> Result<Bytes>;

    /// At most `length` bytes from `offset`, short only at the end of the blob.
    async fn read(&self, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Bytes>;

    /// All of a blob, of whatever size.
    async fn open(&self, descriptor: &Descriptor) -> Result<ByteStream>;

    /// A blob from byte `at` on, for whoever has what comes before. **Nobody has verified it**: the verdict is on all bytes,
    /// and the first ones are elsewhere.
    async fn open_at(&self, descriptor: &Descriptor, at: u64) -> Result<ByteStream> {
        Ok(after(self.open(descriptor).await?, at))
    }

    /// A store's index.json as it is now, with its descriptor.
    async fn entries(&self, limits: &Limits) -> Result<(Descriptor, Bytes)> {
        let _ = limits;
        Err(self.unsupported("list the entries of", "a registry has no list of its roots; ask for a tag or a digest"))
    }

    /// A page of tags; `next` is what the page before said.
    async fn tags(&self, next: Option<&str>) -> Result<TagPage> {
        let _ = next;
        Err(self.unsupported("list the tags of", "a store's entries name its roots"))
    }

    /// An image index of the manifests whose subject is `digest`.
    async fn referrers(&self, digest: &Digest, artifact_type: Option<&str>, limits: &Limits) -> Result<Bytes> {
        let _ = (digest, artifact_type, limits);
        Err(self.unsupported("list the referrers in", "a store's entries tell what refers to what"))
    }

    /// Starts writing to it; the repository or store itself is touched by the first thing that is put.
    fn sink(&self) -> Result<Box<dyn Sink>> {
        Err(self.unsupported("write to", "it can only be read"))
    }

    /// The error of a source that cannot do what was asked.
    #[doc(hidden)]
    fn unsupported(&self, operation: &'static str, detail: &str) -> Error {
        Error::new(Code::Unsupported, operation, self.repository(), detail)
    }
}

/// What comes after the first `count` bytes.
pub(crate) fn after(content: ByteStream, count: u64) -> ByteStream {
    let mut left = count;
    let rest = content.try_filter_map(move |mut piece| {
        let known = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        left -= known as u64;
        piece.advance(known);
        std::future::ready(Ok((!piece.is_empty()).then_some(piece)))
    });
    rest.boxed()
}

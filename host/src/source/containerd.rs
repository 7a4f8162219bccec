//! What a containerd holds: the images of one of its namespaces, and their content.
//!
//! Its worker in a build host, a node's runtime, dockerd with its image store: what is there is inspected without a pull.
//! The only calls made are lists and reads. Often only one platform of an index is there, as a pull left the others where
//! they are; asking for one of those is answered `not-found`.
//!
//! Not here: which name means which image, which a guest's strategy says.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use portolan_oci::names::{IMAGE_NAME, REF_NAME};
use portolan_oci::{Descriptor, Digest, Reference};

use super::daemon::content::Store;
use super::daemon::proto::{
    Image, ListImagesRequest, ListImagesResponse, ListNamespacesRequest, ListNamespacesResponse, path,
};
use super::daemon::{Address, Daemon, Trying};
use super::{ByteStream, Source, Target};
use crate::error::{Code, Error, Result};
use crate::limits::Limits;

/// A namespace of a containerd. A [`Source`]; clones are one.
#[derive(Debug, Clone)]
pub struct Containerd(Arc<Store>);

impl Containerd {
    /// A namespace of the containerd at `address`, which is connected to when something is first asked of it. `repository`
    /// is what runs will call it: `containerd://STORE`.
    ///
    /// # Errors
    /// `invalid-reference` where that can be no name of a namespace.
    pub fn new(address: Address, namespace: &str, repository: impl Into<String>) -> Result<Self> {
        let repository = repository.into();
        let daemon = Daemon::new(address).with_namespace(namespace).ok_or_else(|| {
            let detail = format!("{namespace:?} is no name of a namespace");
            Error::new(Code::InvalidReference, "open the namespace of", repository.as_str(), detail)
        })?;
        Ok(Containerd(Arc::new(Store::new(daemon, repository))))
    }

    /// The namespaces that a containerd has.
    ///
    /// # Errors
    /// Where it cannot be reached, or does not answer.
    pub async fn namespaces(address: &Address) -> Result<Vec<String>> {
        let (daemon, subject) = (Daemon::new(address.clone()), address.to_string());
        let trying = Trying { operation: "list the namespaces of", subject: &subject };
        let request = ListNamespacesRequest { filter: String::new() };
        let answer: ListNamespacesResponse = daemon.call(path::NAMESPACES, request, trying).await?;
        Ok(answer.namespaces.into_iter().map(|namespace| namespace.name).collect())
    }
}

#[async_trait]
impl Source for Containerd {
    fn repository(&self) -> String {
        self.0.repository.clone()
    }

    async fn resolve(&self, target: Target<'_>, limits: &Limits) -> Result<Descriptor> {
        self.0.resolve(target, limits).await
    }

    async fn fetch(&self, descriptor: &Descriptor, limits: &Limits) -> Result<Bytes> {
        let hint = "a pull leaves other platforms where they are; `portolan inspect` shows what is here";
        self.0.fetch(descriptor, limits, hint).await
    }

    /// All of the content is compared with its digest, before any part of it is handed out.
    async fn read(&self, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Bytes> {
        let end = offset.saturating_add(length.into());
        let (mut at, mut part) = (0_u64, Vec::new());
        let mut pieces = self.open(descriptor).await?;
        while let Some(piece) = pieces.try_next().await? {
            let inside =
                |position: u64| usize::try_from(position.saturating_sub(at)).unwrap_or(usize::MAX).min(piece.len());
            part.extend_from_slice(piece.get(inside(offset)..inside(end)).unwrap_or_default());
            at += piece.len() as u64;
        }
        Ok(part.into())
    }

    async fn open(&self, descriptor: &Descriptor) -> Result<ByteStream> {
        self.0.open(descriptor)
    }

    /// Its images, by their names, as it has them.
    async fn entries(&self, limits: &Limits) -> Result<(Descriptor, Bytes)> {
        let daemon = &self.0.daemon;
        let trying = Trying { operation: "list the images of", subject: &self.0.shown };
        let request = ListImagesRequest { filters: Vec::new() };
        let mut answer: ListImagesResponse = daemon.call(path::IMAGES, request, trying).await?;
        answer.images.sort_by(|one, other| one.name.cmp(&other.name));
        let malformed = |image: &Image, what: String| {
            daemon.fail(Code::Malformed, trying, format!("of its image {:?} it says {what}", image.name))
        };
        let entries = answer.images.iter().map(|image| entry(image).map_err(|what| malformed(image, what)));
        self.0.listed(&entries.collect::<Result<Vec<_>>>()?, limits)
    }
}

/// An image as an entry of a store.
fn entry(image: &Image) -> std::result::Result<Descriptor, String> {
    let target = image.target.clone().unwrap_or_default();
    let digest = Digest::parse(&target.digest).map_err(|error| error.to_string())?;
    let size = u64::try_from(target.size).map_err(|_| format!("that it has {} bytes", target.size))?;
    let mut entry = Descriptor::new(target.media_type, digest, size);
    entry.annotations.extend(target.annotations);
    entry.annotations.remove(REF_NAME);
    // The kubelet gives images their config's digest for a name, which is none.
    if Digest::parse(&image.name).is_err() {
        let tag = Reference::parse(&image.name).ok().and_then(|name| name.tag);
        entry.annotations.extend(tag.map(|tag| (REF_NAME.to_owned(), tag)));
        entry.annotations.insert(IMAGE_NAME.into(), image.name.clone());
    }
    Ok(entry)
}

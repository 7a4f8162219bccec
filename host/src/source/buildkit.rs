//! What a BuildKit daemon has built and nobody pushed, loaded or exported (moby/buildkit#4854): its history names the
//! results, and its content store has their documents.
//!
//! Only documents are read: indexes, manifests, configs and attestations. A layer may never have come to the daemon
//! (BuildKit pulls lazily), and asking for one would make it come. The only calls made are `ListenBuildHistory`, which ends
//! with what there is, and the content store's `Info` and `Read`; nothing that changes anything is so much as linked.
//!
//! A history keeps its results' indexes, manifests and configs as long as it remembers the build. What an attestation says
//! is a layer to BuildKit, and may be pruned before.
//!
//! Not here: which builder is meant (`builder`), and which build (a guest's business; `guest/oci`'s `build` says what an
//! entry tells of its build).

mod builder;
mod history;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use portolan_oci::Descriptor;
use portolan_oci::media_type::{self, Kind};

pub use self::builder::{Builder, InvalidBuilder};
use super::daemon::content::Store;
use super::daemon::{Address, Daemon};
use super::verify;
use super::{ByteStream, Source, Target};
use crate::error::{Code, Error, Result};
use crate::limits::Limits;

/// A BuildKit daemon's results. A [`Source`]; clones are one.
#[derive(Debug, Clone)]
pub struct Buildkit(Arc<Store>);

impl Buildkit {
    /// The daemon at `address`, which is connected to when something is first asked of it. `repository` is what runs will
    /// call it: `buildkit://STORE`.
    pub fn new(address: Address, repository: impl Into<String>) -> Self {
        Buildkit(Arc::new(Store::new(Daemon::new(address), repository.into())))
    }

    /// Fails for what is no document, before anything is asked.
    fn admit(&self, descriptor: &Descriptor, limits: &Limits) -> Result<()> {
        match media_type::kind(&descriptor.media_type) {
            Kind::Index | Kind::Manifest | Kind::Config | Kind::Attestation => {
                verify::admit(&self.0.shown, descriptor, limits)
            }
            Kind::Layer | Kind::Other => {
                let detail = format!(
                    "it is of type {}; of a build only indexes, manifests, configs and attestations are read",
                    descriptor.media_type
                );
                let subject = verify::content(&self.0.shown, &descriptor.digest);
                Err(Error::new(Code::Unsupported, "fetch", subject, detail)
                    .with_hint("its layers may never have come to the daemon; build with --push or --output type=oci"))
            }
        }
    }
}

#[async_trait]
impl Source for Buildkit {
    fn repository(&self) -> String {
        self.0.repository.clone()
    }

    async fn resolve(&self, target: Target<'_>, limits: &Limits) -> Result<Descriptor> {
        self.0.resolve(target, limits).await
    }

    async fn fetch(&self, descriptor: &Descriptor, limits: &Limits) -> Result<Bytes> {
        self.admit(descriptor, limits)?;
        // Its history keeps indexes, manifests and configs; what statements say is pruned as layers are.
        self.0
            .fetch(descriptor, limits, "BuildKit has pruned it; build again, or with --push or --output type=oci")
            .await
    }

    async fn read(&self, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Bytes> {
        let document = self.fetch(descriptor, &Limits::default()).await?;
        let part = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(document.len());
        Ok(document.slice(part(offset)..part(offset.saturating_add(length.into()))))
    }

    async fn open(&self, descriptor: &Descriptor) -> Result<ByteStream> {
        self.admit(descriptor, &Limits::default())?;
        self.0.open(descriptor)
    }

    async fn entries(&self, limits: &Limits) -> Result<(Descriptor, Bytes)> {
        let entries = history::entries(&self.0.daemon, &self.0.shown, limits).await?;
        self.0.listed(&entries, limits)
    }
}

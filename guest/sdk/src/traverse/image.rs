//! One image: its manifest read, its config read when it is asked for.

use std::cell::OnceCell;

use portolan_oci::{Config, Descriptor, Document, Manifest, Platform};

use super::root::{Root, read};
use crate::failure::{Failure, code};
use crate::host::Host;

/// A config, as stored and as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// As stored.
    pub bytes: Vec<u8>,
    /// What they say.
    pub config: Config,
}

/// A manifest, and behind it a config.
#[derive(Debug, Clone)]
pub struct Image {
    /// Where it lives.
    pub repository: String,
    /// As its index names it, with platform and annotations; of a root that is a manifest, as the root.
    pub descriptor: Descriptor,
    /// The manifest, as stored.
    pub bytes: Vec<u8>,
    /// What it says.
    pub manifest: Manifest,
    config: OnceCell<Stored>,
}

impl Image {
    pub(super) fn fetch(ctx: &impl Host, repository: &str, descriptor: &Descriptor) -> Result<Self, Failure> {
        let bytes = ctx.fetch(repository, descriptor)?;
        match read(descriptor, &bytes)? {
            Document::Manifest(manifest) => Ok(Self::new(repository.to_owned(), descriptor.clone(), bytes, manifest)),
            Document::Index(_) => {
                Err(Failure::malformed(format!("{} is an index where a manifest is meant", descriptor.digest)))
            }
        }
    }

    fn new(repository: String, descriptor: Descriptor, bytes: Vec<u8>, manifest: Manifest) -> Self {
        Image { repository, descriptor, bytes, manifest, config: OnceCell::new() }
    }

    /// The root, if it is a manifest.
    pub fn of_root(root: &Root) -> Option<Self> {
        let manifest = root.manifest()?.clone();
        Some(Self::new(root.repository.clone(), root.descriptor.clone(), root.bytes.clone(), manifest))
    }

    /// The config; fetched once.
    ///
    /// # Errors
    /// What the host answers, a config that cannot be read, and an artifact, which has none.
    pub fn config(&self, ctx: &impl Host) -> Result<&Stored, Failure> {
        if let Some(stored) = self.config.get() {
            return Ok(stored);
        }
        if !self.manifest.is_image() {
            let message = format!(
                "{} is no image but an artifact: its config is of type {}",
                self.descriptor.digest, self.manifest.config.media_type
            );
            return Err(Failure::of(code::UNSUPPORTED, message));
        }
        let bytes = ctx.fetch(&self.repository, &self.manifest.config)?;
        let config = Config::parse(&bytes).map_err(|malformed| {
            Failure::from(malformed).context(format_args!("the config of {}", self.descriptor.digest))
        })?;
        Ok(self.config.get_or_init(|| Stored { bytes, config }))
    }

    /// What it is for, normalised: what its index says, else what its config says.
    ///
    /// # Errors
    /// Those of [`config`](Image::config), where the config must be asked.
    pub fn platform(&self, ctx: &impl Host) -> Result<Platform, Failure> {
        let platform = match &self.descriptor.platform {
            Some(platform) => platform,
            None => &self.config(ctx)?.config.platform,
        };
        Ok(platform.normalized(&ctx.platform()))
    }
}

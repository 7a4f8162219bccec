//! Docker's own archives, as `docker save`, `type=docker` of BuildKit, skopeo, buildah, podman and crane write them: a tar
//! with `manifest.json`, which names configs, tags and layers by their place in the tar.
//!
//! Since Docker 25, and from BuildKit always, such a tar is an image layout besides. Then **the layout is what is shown**:
//! its documents and digests are real, and are what a registry would get. `manifest.json` counts where there is no layout,
//! or none that can be read (`docker/derived.rs`).
//!
//! Not here: writing them.

mod derived;
mod listed;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use portolan_oci::{Index, document, layout, media_type};

use self::derived::Derived;
use super::super::blob::Blob;
use super::super::sink::Sink;
use super::super::store::{Files, Missing, Place, Verified, shown};
use super::opened::{self, Opened};
use super::{DOCKER_MANIFEST, INDEX, Meant, OPERATION, STANDARD_INPUT, VERSION};
use crate::error::{Code, Error, Result};
use crate::limits::Limits;

pub use self::derived::DERIVED_FROM;

/// A docker archive, opened. A [`Source`](super::super::Source); clones are one.
#[derive(Debug, Clone)]
pub struct DockerArchive(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    repository: String,
    opened: Opened,
    /// None where the archive has documents of its own.
    derived: Option<Derived>,
    verified: Verified,
}

impl DockerArchive {
    /// Opens the docker archive `file`, plain or packed with gzip or zstd. `repository` is what runs will call it:
    /// `docker-archive://STORE`.
    ///
    /// Where the documents of an image are made, they are a function of the archive's content: the config as it is, a
    /// manifest of OCI's type, and an entry for each tag, which says so in its annotation [`DERIVED_FROM`].
    /// The digest of an uncompressed layer is the one that its config has, and is verified when the layer is read; a layer
    /// that is compressed is read for its digest now.
    ///
    /// Blocks, as [`Archive::open`](super::Archive::open).
    ///
    /// # Errors
    /// Those of [`Archive::open`](super::Archive::open) for what is no archive; `malformed` where there is no
    /// `manifest.json`, or it, a config or a link says what cannot be; `digest-mismatch` where a config is named by a
    /// digest that it does not have; `too-large` where a document is beyond its limit.
    pub fn open(file: &Path, repository: impl Into<String>) -> Result<Self> {
        Self::open_within(file, repository, &Limits::default())
    }

    /// The same with the embedder's own limits.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_within(file: &Path, repository: impl Into<String>, limits: &Limits) -> Result<Self> {
        let subject = file.display().to_string();
        let opened = Opened::read(opened::file(file)?, &subject, Meant::Docker, limits)?;
        Self::new(opened, repository, &subject, limits)
    }

    /// A docker archive that comes by once, as [`Archive::receive`](super::Archive::receive) has it.
    ///
    /// # Errors
    /// As [`open`](Self::open), and what `input` fails with.
    pub fn receive(input: impl Read + Send + 'static, repository: impl Into<String>, limits: &Limits) -> Result<Self> {
        let opened = Opened::receive(Box::new(input), STANDARD_INPUT, Meant::Docker, limits)?;
        Self::new(opened, repository, STANDARD_INPUT, limits)
    }

    fn new(opened: Opened, repository: impl Into<String>, subject: &str, limits: &Limits) -> Result<Self> {
        let has = |name: &str| opened.listing.members.contains_key(name);
        if !has(DOCKER_MANIFEST) {
            let detail = "it has no manifest.json, so it is no docker archive";
            let error = Error::new(Code::Malformed, OPERATION, subject, detail);
            return Err(match (has(INDEX), has("repositories")) {
                (true, _) => error.with_hint("an image layout in a tar is read as oci-archive://FILE"),
                (false, true) => error.with_hint("Docker wrote it before 1.10; load it and save it again"),
                (false, false) => error,
            });
        }
        let derived = match is_layout(&opened, limits) {
            true => None,
            false => Some(Derived::of(&opened, subject, limits)?),
        };
        let verified = Verified::default();
        Ok(DockerArchive(Arc::new(Inner { repository: repository.into(), opened, derived, verified })))
    }
}

impl Files for DockerArchive {
    fn repository(&self) -> &str {
        &self.0.repository
    }

    fn medium(&self) -> &'static str {
        "archive"
    }

    fn find(&self, place: &Place<'_>) -> Result<Blob, Missing> {
        match &self.0.derived {
            None => self.0.opened.find(&place.to_string()),
            Some(derived) => derived.find(&self.0.opened, place),
        }
    }

    fn verified(&self) -> &Verified {
        &self.0.verified
    }

    fn sink(&self) -> Result<Box<dyn Sink>> {
        Err(Error::new(Code::Unsupported, "write to", shown(self), "docker archives are read, and not written")
            .with_hint("write an oci-archive://FILE, which docker load takes, too; or have skopeo copy it to docker-archive:FILE"))
    }
}

/// Whether the archive is an image layout with something in it.
fn is_layout(opened: &Opened, limits: &Limits) -> bool {
    let read = |name: &str, limit: u64| {
        let blob = opened.find(name).ok().filter(|blob| blob.length() <= limit)?;
        blob.read(0, limit).ok()
    };
    let version = read(VERSION, layout::VERSION_FILE).is_some_and(|bytes| layout::check_version(&bytes).is_ok());
    version
        && read(INDEX, limits.entries).is_some_and(|bytes| {
            document::check(media_type::OCI_INDEX, &bytes, limits.index_entries).is_ok()
                && Index::parse(&bytes).is_ok_and(|index| !index.manifests.is_empty())
        })
}

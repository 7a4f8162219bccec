//! Docker's own archives, as `docker save`, `type=docker` of BuildKit, skopeo, buildah, podman and crane write them: a tar
//! with `manifest.json`, which names configs, tags and layers by their place in the tar.
//!
//! Since Docker 25, and from BuildKit always, such a tar is an image layout besides. Then **the layout is what is shown**:
//! its documents and digests are real, and are what a registry would get. `manifest.json` counts where there is no layout,
//! or one of nothing (`docker/derived.rs`); else it may list only what the layout has.
//!
//! Not here: writing them.

mod derived;
mod listed;

use std::collections::HashSet;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use portolan_oci::{Descriptor, Index, Manifest, document, layout, media_type};

use self::derived::Derived;
use super::super::blob::{Blob, Verified};
use super::super::sink::Sink;
use super::super::store::{Files, Missing, Place, shown};
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
    /// `manifest.json`, or it, a config or a link says what cannot be, or it lists what is no image of the archive's layout;
    /// `digest-mismatch` where a config is named by a digest that it does not have; `too-large` where a document is beyond
    /// its limit.
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
        let derived = match real_index(&opened, subject, limits)? {
            Some(index) => {
                check_agreement(&opened, &index, subject, limits)?;
                None
            }
            None => Some(Derived::of(&opened, subject, limits)?),
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

/// The index.json of an archive that is an image layout with something in it. One that is broken is not passed over, since
/// other programs may read it.
fn real_index(opened: &Opened, subject: &str, limits: &Limits) -> Result<Option<Index>> {
    let has = |name: &str| opened.listing.members.contains_key(name);
    if !has(VERSION) || !has(INDEX) {
        return Ok(None);
    }
    let malformed = |detail: String| Error::new(Code::Malformed, OPERATION, subject, detail);
    let version = opened.document(VERSION, layout::VERSION_FILE, subject)?;
    layout::check_version(&version).map_err(|why| malformed(format!("its {VERSION} file {why}")))?;
    let bytes = opened.document(INDEX, limits.entries, subject)?;
    let checked = document::check(media_type::OCI_INDEX, &bytes, limits.index_entries);
    let index = checked.and_then(|()| Index::parse(&bytes)).map_err(|why| malformed(format!("its {INDEX}: {why}")))?;
    Ok(Some(index).filter(|index| !index.manifests.is_empty()))
}

/// Fails where `manifest.json` lists an image that is none of the layout's, since programs read the one or the other. One
/// level of indexes is looked into, and no blobs that would have to be unpacked for it.
fn check_agreement(opened: &Opened, index: &Index, subject: &str, limits: &Limits) -> Result<()> {
    let (mut seen, mut configs) = (HashSet::new(), HashSet::new());
    let mut left = limits.archive_documents;
    let mut read = |descriptor: &Descriptor| {
        let name = Place::of(&descriptor.digest)?.to_string();
        let blob = opened.find(&name).ok().filter(|blob| blob.is_at_hand())?;
        if blob.length() > left.min(limits.document) || !seen.insert(descriptor.digest.clone()) {
            return None;
        }
        left -= blob.length();
        blob.read(0, limits.document).ok().filter(|bytes| descriptor.digest.matches(bytes))
    };
    for bytes in index.manifests.iter().filter_map(&mut read).collect::<Vec<_>>() {
        match (Manifest::parse(&bytes), Index::parse(&bytes)) {
            (Ok(manifest), _) => drop(configs.insert(manifest.config.digest)),
            (Err(_), Ok(below)) => {
                let manifests = below.manifests.iter().filter_map(&mut read);
                configs.extend(manifests.filter_map(|bytes| Some(Manifest::parse(&bytes).ok()?.config.digest)));
            }
            (Err(_), Err(_)) => {}
        }
    }
    match derived::configs(opened, subject, limits)?.iter().find(|(_, digest)| !configs.contains(digest)) {
        None => Ok(()),
        Some((name, _)) => {
            let detail =
                format!("its {DOCKER_MANIFEST} lists {name:?}, which no image of its {INDEX} has as its config");
            Err(Error::new(Code::Malformed, OPERATION, subject, detail))
        }
    }
}

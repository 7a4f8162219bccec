//! An image layout in a tar, as `type=oci` of BuildKit and `oci-archive:` of skopeo write it; plain, or packed with gzip or
//! zstd.
//!
//! The headers are read once, when the archive is opened (`tar.rs`); from then on a member is a part of the file, read
//! where it lies. Nothing is unpacked to disk, and the order of members does not matter (BuildKit writes index.json after
//! the blobs). Links are not followed. Of two members with one name the last one counts, as after unpacking; a blob that is
//! not what its name says is found out when it is read. What has no offsets, since it is compressed or comes by standard
//! input, is read once to its end, and its documents are kept (`pass.rs`, `opened.rs`).
//!
//! An archive is never changed: who writes to it gets a new file in its place (`archive/sink.rs`).
//!
//! Not here: archives of xz and bzip2, which no tool of the field writes.

pub mod docker;
mod opened;
mod pass;
mod sink;
mod tar;
mod unpack;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use portolan_oci::layout::VERSION_FILE;
use portolan_oci::{Digest, Scheme};

use self::opened::Opened;
use super::blob::{Blob, Verified};
use super::sink::Sink;
use super::store::{self, Files, Missing, Place};
use crate::error::{Code, Error, Result};
use crate::limits::Limits;

const OPERATION: &str = "open the archive";
/// How messages name what comes by once.
const STANDARD_INPUT: &str = "on standard input";

/// What is read of an archive, by name.
const INDEX: &str = "index.json";
const VERSION: &str = "oci-layout";
/// What docker's own archives have where a layout has index.json.
const DOCKER_MANIFEST: &str = "manifest.json";

/// Longer names are nothing that a docker archive has.
const NAME_MAX: usize = 256;

/// What an archive is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meant {
    Layout,
    Docker,
}

impl Meant {
    fn scheme(self) -> Scheme {
        match self {
            Meant::Layout => Scheme::OciArchive,
            Meant::Docker => Scheme::DockerArchive,
        }
    }

    /// The names that can be asked for. Others need not be remembered, which bounds what a million of them cost. In a docker
    /// archive anything can be, by the name that its manifest.json gives it.
    fn wants(self, name: &str) -> bool {
        let is_blob = |name: &str| {
            let (algorithm, hex) = name.strip_prefix("blobs/")?.split_once('/')?;
            Digest::parse(&format!("{algorithm}:{hex}")).ok()
        };
        match self {
            Meant::Layout => matches!(name, INDEX | VERSION | DOCKER_MANIFEST) || is_blob(name).is_some(),
            Meant::Docker => name.len() <= NAME_MAX,
        }
    }

    /// Whether members that are compressed themselves are hashed as they come by: nothing else tells their digest.
    fn hashes(self) -> bool {
        match self {
            Meant::Layout => false,
            Meant::Docker => true,
        }
    }

    /// How large the files may be whose names say that they are documents.
    fn limit(self, name: &str, limits: &Limits) -> Option<u64> {
        match (name, self) {
            (INDEX, _) => Some(limits.entries),
            (VERSION, _) => Some(VERSION_FILE),
            (DOCKER_MANIFEST, Meant::Docker) => Some(limits.document),
            _ => None,
        }
    }
}

/// An archive, opened. A [`Source`](super::Source); clones are one.
#[derive(Debug, Clone)]
pub struct Archive(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    repository: String,
    path: PathBuf,
    /// None until one is written.
    opened: Mutex<Option<Arc<Opened>>>,
    verified: Verified,
    limits: Limits,
}

impl Archive {
    /// Opens the tar `file`, plain or packed with gzip or zstd. `repository` is what runs will call it:
    /// `oci-archive://STORE`.
    ///
    /// Blocks: of a plain tar the headers are read, and a million of them take seconds; what is compressed is unpacked
    /// once, to its end.
    ///
    /// # Errors
    /// `not-found` where there is no such file; `malformed` where it is no tar, is cut short, could be read in two ways,
    /// or holds no image layout; `unsupported` where it is compressed with something else; `too-large` where it has more
    /// members than [`Limits::archive_members`] by default, or unpacks to more than [`Limits::archive_unpacked`] or
    /// [`Limits::archive_ratio`] allow; `forbidden` where we may not read it.
    pub fn open(file: &Path, repository: impl Into<String>) -> Result<Self> {
        Self::open_within(file, repository, &Limits::default())
    }

    /// The same with the embedder's own limits.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_within(file: &Path, repository: impl Into<String>, limits: &Limits) -> Result<Self> {
        let subject = file.display().to_string();
        let opened = Opened::read(opened::file(file)?, &subject, Meant::Layout, limits)?;
        Self::new(file, repository, limits).holding(opened, &subject)
    }

    /// An archive that comes by once, plain or packed, as by standard input: read to its end, and its documents kept.
    /// Layers are not: to ask for one is `unsupported`.
    ///
    /// Blocks until all of it came.
    ///
    /// # Errors
    /// As [`open`](Self::open), and what `input` fails with.
    pub fn receive(input: impl Read + Send + 'static, repository: impl Into<String>, limits: &Limits) -> Result<Self> {
        let opened = Opened::receive(Box::new(input), STANDARD_INPUT, Meant::Layout, limits)?;
        Self::new(Path::new("-"), repository, limits).holding(opened, STANDARD_INPUT)
    }

    fn holding(self, opened: Opened, subject: &str) -> Result<Self> {
        self.set(opened);
        store::check_version(&self, OPERATION, subject)?;
        Ok(self)
    }

    /// The archive `file`, for writing: opened if it is there, else made by the first commit to it. Until then nothing is
    /// changed under that name. An empty file, such as `mktemp` makes, is taken for one that is not there.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) for a file that is there; `not-found` where there is no folder to make it in.
    pub fn create(file: &Path, repository: impl Into<String>) -> Result<Self> {
        match file.metadata() {
            Ok(metadata) if metadata.is_file() && metadata.len() == 0 => {}
            Ok(_) => return Self::open(file, repository),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Error::new(Code::Other, OPERATION, file.display().to_string(), error.to_string()));
            }
        }
        let archive = Self::new(file, repository, &Limits::default());
        sink::beside(&archive.0.path, &file.display().to_string())?;
        Ok(archive)
    }

    fn new(file: &Path, repository: impl Into<String>, limits: &Limits) -> Self {
        Archive(Arc::new(Inner {
            repository: repository.into(),
            // Where a link leads is where a new file goes, or the link would be replaced.
            path: file.canonicalize().unwrap_or_else(|_| file.to_owned()),
            opened: Mutex::default(),
            verified: Verified::default(),
            limits: limits.clone(),
        }))
    }

    fn opened(&self) -> Option<Arc<Opened>> {
        self.0.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, opened: Opened) {
        *self.0.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(opened));
    }
}

impl Files for Archive {
    fn repository(&self) -> &str {
        &self.0.repository
    }

    fn medium(&self) -> &'static str {
        "archive"
    }

    fn find(&self, place: &Place<'_>) -> Result<Blob, Missing> {
        self.opened().ok_or(Missing::Absent)?.find(&place.to_string())
    }

    fn verified(&self) -> &Verified {
        &self.0.verified
    }

    fn sink(&self) -> Result<Box<dyn Sink>> {
        sink::ArchiveSink::new(self.clone()).map(|sink| Box::new(sink) as Box<dyn Sink>)
    }
}

//! An image layout in a tar, as `type=oci` of BuildKit and `oci-archive:` of skopeo write it.
//!
//! The headers are read once, when the archive is opened (`tar.rs`); from then on a member is a part of the file, read
//! where it lies. Nothing is unpacked, and the order of members does not matter (BuildKit writes index.json after the
//! blobs). Links are not followed. Of two members with one name the last one counts, as after unpacking; a blob that is
//! not what its name says is found out when it is read.
//!
//! An archive is never changed: who writes to it gets a new file in its place (`archive/sink.rs`).
//!
//! Not here: compressed archives, which have no offsets, and docker's `manifest.json`.

mod sink;
mod tar;

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use portolan_oci::Digest;

use self::tar::{Broken, Kind, Listing, ReadAt};
use super::blob::{Blob, Stamp};
use super::sink::Sink;
use super::store::{self, Files, Missing, Place, Verified};
use crate::error::{Code, Error, Result};
use crate::limits::Limits;

const OPERATION: &str = "open the archive";

/// How compressed files begin, what the format is called, and what takes it off.
const COMPRESSED: [(&[u8], &str, &str); 4] = [
    (b"\x1f\x8b", "gzip", "gzip -d"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd -d"),
    (b"\xfd7zXZ\0", "xz", "xz -d"),
    (b"BZh", "bzip2", "bzip2 -d"),
];

/// What docker's own archives have where a layout has index.json.
const DOCKER_MANIFEST: &str = "manifest.json";

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

/// The file as it was when its headers were read.
#[derive(Debug)]
struct Opened {
    file: Arc<File>,
    stamp: Stamp,
    listing: Listing,
}

impl Archive {
    /// Opens the plain tar `file` and reads its headers. `repository` is what runs will call it: `oci-archive://STORE`.
    ///
    /// Blocks: an archive of a million members takes seconds.
    ///
    /// # Errors
    /// `not-found` where there is no such file; `malformed` where it is no tar, is cut short, could be read in two ways,
    /// or holds no image layout; `unsupported` where it is compressed; `too-large` where it has more members than
    /// [`Limits::archive_members`] by default; `forbidden` where we may not read it.
    pub fn open(file: &Path, repository: impl Into<String>) -> Result<Self> {
        Self::open_within(file, repository, &Limits::default())
    }

    /// The same with the embedder's own limits.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_within(file: &Path, repository: impl Into<String>, limits: &Limits) -> Result<Self> {
        let archive = Self::new(file, repository, limits);
        let subject = file.display().to_string();
        let fail = |code, detail: String| Error::new(code, OPERATION, subject.as_str(), detail);
        // Not waiting for the other end, should it be a fifo.
        let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let opened =
            File::options().read(true).custom_flags(nonblock).open(file).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => fail(Code::NotFound, "there is no such file".into()),
                io::ErrorKind::PermissionDenied => fail(Code::Forbidden, "no permission to read it".into()),
                _ => fail(Code::Other, error.to_string()),
            })?;
        archive.set(Opened::read(opened, &subject, limits)?);
        store::check_version(&archive, OPERATION, &subject)?;
        Ok(archive)
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

impl Opened {
    /// Reads the headers of a file; `subject` is how messages name it.
    fn read(opened: File, subject: &str, limits: &Limits) -> Result<Self> {
        let fail = |code, detail: String| Error::new(code, OPERATION, subject, detail);
        let other = |error: io::Error| fail(Code::Other, error.to_string());
        let metadata = opened.metadata().map_err(other)?;
        if metadata.is_dir() {
            return Err(
                fail(Code::Malformed, "it is a folder".into()).with_hint("a folder is read as oci-layout://DIR")
            );
        }
        if !metadata.is_file() {
            return Err(fail(Code::Malformed, "it is no plain file; an archive is read where its members lie".into()));
        }
        let bytes = Extent { file: &opened, length: metadata.len() };
        if let Some((format, command)) = compression(&bytes).map_err(other)? {
            let detail = format!("compressed archives are not read yet, and this one is {format}");
            return Err(fail(Code::Unsupported, detail).with_hint(format!("decompress it with `{command}`")));
        }
        let index = Place::Index.to_string();
        let listing = tar::list(&bytes, limits.archive_members, is_wanted, &index).map_err(|broken| match broken {
            Broken::Io(error) => other(error),
            Broken::Malformed(detail) => fail(Code::Malformed, detail),
            Broken::TooMany(limit) => fail(Code::TooLarge, format!("it has more members than the limit, {limit}")),
        })?;
        if !listing.members.contains_key(&*index) {
            return Err(match listing.members.contains_key(DOCKER_MANIFEST) {
                false => fail(Code::Malformed, "it has no index.json, so it is no image layout".into()),
                true => {
                    fail(Code::Malformed, "it has no index.json but a manifest.json: it is a docker archive".into())
                        .with_hint("`skopeo copy docker-archive:FILE oci-archive:OTHER` converts it")
                }
            });
        }
        Ok(Opened { file: Arc::new(opened), stamp: Stamp::of(&metadata), listing })
    }

    fn find(&self, place: &Place<'_>) -> Result<Blob, Missing> {
        let name = place.to_string();
        let member = self.listing.members.get(name.as_str()).ok_or(Missing::Absent)?;
        match member.kind {
            Kind::File => Ok(Blob::new(self.file.clone(), member.offset, member.size)),
            other => Err(Missing::NoFile(name, other.name())),
        }
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
        self.opened().ok_or(Missing::Absent)?.find(place)
    }

    fn verified(&self) -> &Verified {
        &self.0.verified
    }

    fn sink(&self) -> Result<Box<dyn Sink>> {
        sink::ArchiveSink::new(self.clone()).map(|sink| Box::new(sink) as Box<dyn Sink>)
    }
}

/// The names that can be asked for. Others need not be remembered, which bounds what a million of them cost.
fn is_wanted(name: &str) -> bool {
    let is_blob = |name: &str| {
        let (algorithm, hex) = name.strip_prefix("blobs/")?.split_once('/')?;
        Digest::parse(&format!("{algorithm}:{hex}")).ok()
    };
    let fixed = [Place::Version, Place::Index].iter().any(|place| place.to_string() == name);
    fixed || name == DOCKER_MANIFEST || is_blob(name).is_some()
}

/// What an archive is compressed with, and the command that undoes it.
fn compression(bytes: &Extent<'_>) -> io::Result<Option<(&'static str, &'static str)>> {
    let mut start = [0; 6];
    let read = bytes.file.read_at(&mut start, 0)?;
    let start = start.get(..read).unwrap_or_default();
    let found = COMPRESSED.iter().find(|(magic, ..)| start.starts_with(magic));
    Ok(found.map(|&(_, format, command)| (format, command)))
}

/// A file of a length that is taken once: what is appended later does not count.
struct Extent<'a> {
    file: &'a File,
    length: u64,
}

impl ReadAt for Extent<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}

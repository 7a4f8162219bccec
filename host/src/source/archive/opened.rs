//! An archive that was opened: which members it has, and where each one's bytes are now.
//!
//! Of a plain tar only the headers are read, and a member is a part of the file from then on. A compressed file is read
//! once to its end and keeps its documents; what else is asked for of it is unpacked again, as it streams. What came by
//! standard input has its documents and nothing else.
//!
//! Not here: what the members mean.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use portolan_oci::Digest;

use super::super::blob::{self, Blob, Stamp, code};
use super::super::store::Missing;
use super::pass::{Kept, LOOK, Pass};
use super::tar::{self, Broken, Kind, Listing, Member, Tape};
use super::unpack::{Format, MAGIC, Packed, Unpacked};
use super::{DOCKER_MANIFEST, INDEX, Meant, OPERATION};
use crate::error::{Code, Error, Result};
use crate::limits::Limits;

const EMPTY: &str = "it is empty";

/// An archive as it was when it was opened.
#[derive(Debug)]
pub(super) struct Opened {
    origin: Origin,
    pub listing: Listing,
    kept: Kept,
}

#[derive(Debug)]
enum Origin {
    Plain(Plain),
    Packed(Arc<Packed>),
    /// It came by.
    Stream,
}

/// A tar that lies there as it is.
#[derive(Debug)]
pub(super) struct Plain {
    pub file: Arc<File>,
    pub stamp: Stamp,
}

/// Opens a file for [`Opened::read`], not waiting for the other end, should it be a fifo.
pub(super) fn file(path: &Path) -> Result<File> {
    let fail = |code, detail: &str| Error::new(code, OPERATION, path.display().to_string(), detail);
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    File::options().read(true).custom_flags(nonblock).open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => fail(Code::NotFound, "there is no such file"),
        io::ErrorKind::PermissionDenied => fail(Code::Forbidden, "no permission to read it"),
        _ => fail(Code::Other, &error.to_string()),
    })
}

impl Opened {
    /// Reads what there is to be known of a file; `subject` is how messages name it.
    pub(super) fn read(file: File, subject: &str, meant: Meant, limits: &Limits) -> Result<Self> {
        let fail = |code, detail: &str| Error::new(code, OPERATION, subject, detail);
        let other = |error: io::Error| fail(Code::Other, &error.to_string());
        let metadata = file.metadata().map_err(other)?;
        if metadata.is_dir() {
            return Err(fail(Code::Malformed, "it is a folder").with_hint("a folder is read as oci-layout://DIR"));
        }
        if !metadata.is_file() {
            return Err(fail(Code::Malformed, "it is no plain file; an archive is read where its members lie")
                .with_hint(format!("what comes by once is piped in, and read as {}://-", meant.scheme())));
        }
        if metadata.len() == 0 {
            return Err(fail(Code::Malformed, EMPTY));
        }
        let mut start = [0; MAGIC];
        let read = file.read_at(&mut start, 0).map_err(other)?;
        let file = Arc::new(file);
        if let Some(format) = readable(start.get(..read).unwrap_or_default(), subject)? {
            let packed = Packed { file, format, limits: limits.clone(), unpacked: Arc::default() };
            let stream = packed.unpack().map_err(other)?;
            return Self::pass(stream, Origin::Packed(Arc::new(packed)), subject, meant, limits);
        }
        let mut extent = Extent { file: &file, position: 0, length: metadata.len() };
        let listing = meant.list(&mut extent, limits).map_err(|broken| explain(broken, subject))?;
        meant.check(&listing, subject)?;
        let plain = Plain { stamp: Stamp::of(&metadata), file };
        Ok(Opened { origin: Origin::Plain(plain), listing, kept: Kept::default() })
    }

    /// The same of what comes by once.
    pub(super) fn receive(
        mut input: Box<dyn Read + Send>,
        subject: &str,
        meant: Meant,
        limits: &Limits,
    ) -> Result<Self> {
        let other = |error: io::Error| Error::new(Code::Other, OPERATION, subject, error.to_string());
        let mut start = Vec::new();
        Read::by_ref(&mut input).take(MAGIC as u64).read_to_end(&mut start).map_err(other)?;
        if start.is_empty() {
            return Err(Error::new(Code::Malformed, OPERATION, subject, EMPTY));
        }
        let format = readable(&start, subject)?;
        let whole = Box::new(io::Cursor::new(start).chain(input));
        let stream = Unpacked::new(whole, format, limits).map_err(other)?;
        Self::pass(stream, Origin::Stream, subject, meant, limits)
    }

    fn pass(stream: Unpacked, origin: Origin, subject: &str, meant: Meant, limits: &Limits) -> Result<Self> {
        let mut pass = Pass::new(stream, meant, matches!(origin, Origin::Packed(_)), limits);
        let listing = meant.list(&mut pass, limits).map_err(|broken| explain(broken, subject))?;
        // Before what comes behind its end, of which there may be much.
        meant.check(&listing, subject)?;
        let kept = pass.finish().map_err(|failure| explain(Broken::Io(failure), subject))?;
        Ok(Opened { origin, listing, kept })
    }

    /// Where it can be written to: a file that is not compressed.
    pub(super) fn plain(&self) -> Option<&Plain> {
        match &self.origin {
            Origin::Plain(plain) => Some(plain),
            Origin::Packed(_) | Origin::Stream => None,
        }
    }

    /// The file of this name.
    pub(super) fn find(&self, name: &str) -> Result<Blob, Missing> {
        let member = self.listing.members.get(name).ok_or(Missing::Absent)?;
        match member.kind {
            Kind::File => self.blob(member).ok_or_else(|| Missing::Gone(name.into())),
            other => Err(Missing::NoFile(name.into(), other.name())),
        }
    }

    /// The bytes of a member, if they can still be had.
    pub(super) fn blob(&self, member: &Member) -> Option<Blob> {
        if let Some(document) = self.kept.documents.get(&member.offset) {
            return Some(Blob::of_bytes(document.clone()));
        }
        match &self.origin {
            Origin::Plain(plain) => Some(Blob::new(plain.file.clone(), member.offset, member.size)),
            Origin::Packed(packed) => Some(Blob::of_stream(packed.clone(), member.offset, member.size)),
            Origin::Stream => None,
        }
    }

    /// The bytes of a document, of at most so many.
    pub(super) fn document(&self, name: &str, limit: u64, subject: &str) -> Result<Vec<u8>> {
        let fail = |code, detail: String| Error::new(code, OPERATION, subject, detail);
        let blob = self.find(name);
        let blob = blob.map_err(|missing| missing.explain(OPERATION, subject.to_owned(), &format_args!("{name:?}")))?;
        if blob.length() > limit {
            let detail = format!("its {name} has {} bytes, where {limit} are the limit", blob.length());
            return Err(fail(Code::TooLarge, detail));
        }
        if !blob.is_at_hand() {
            let detail = format!("its {name} is no JSON, or its documents have more bytes than are kept");
            return Err(fail(Code::TooLarge, detail).with_hint(blob::UNPACK));
        }
        blob.read(0, limit).map_err(|failure| fail(code(&failure), format!("reading its {name}: {failure}")))
    }

    /// What a member is compressed with, and its digest; nothing where it is not compressed. Fails where that is to read
    /// more than `most` bytes.
    pub(super) fn packed(&self, member: &Member, most: u64) -> io::Result<Option<(Format, Digest)>> {
        let Origin::Plain(_) = self.origin else { return Ok(self.kept.packed.get(&member.offset).cloned()) };
        let Some(blob) = self.blob(member) else { return Ok(None) };
        match packing(&blob.read(0, LOOK)?) {
            None => Ok(None),
            Some(_) if member.size > most => Err(io::ErrorKind::FileTooLarge.into()),
            Some(format) => Ok(Some((format, blob.digest()?))),
        }
    }
}

/// What a member is compressed with that begins so. A tar may begin with anything, but says what it is.
pub(super) fn packing(start: &[u8]) -> Option<Format> {
    match start.get(257..262) {
        Some(b"ustar") => None,
        _ => Format::of(start),
    }
}

/// What has to be taken off an archive that begins so.
fn readable(start: &[u8], subject: &str) -> Result<Option<Format>> {
    let format = Format::of(start);
    match format.filter(|format| !format.is_read()) {
        None => Ok(format),
        Some(format) => {
            let name = format.name();
            let detail = format!("it is compressed with {name}; gzip and zstd are read, and plain tars");
            let hint = format!("decompress it with `{name} -d`, or pipe `{name} -dc FILE` in");
            Err(Error::new(Code::Unsupported, OPERATION, subject, detail).with_hint(hint))
        }
    }
}

fn explain(broken: Broken, subject: &str) -> Error {
    let (code, detail) = match broken {
        Broken::Io(error) => (code(&error), error.to_string()),
        Broken::Malformed(detail) => (Code::Malformed, detail),
        Broken::TooMany(limit) => (Code::TooLarge, format!("it has more members than the limit, {limit}")),
    };
    Error::new(code, OPERATION, subject, detail)
}

impl Meant {
    fn list(self, tape: &mut impl Tape, limits: &Limits) -> Result<Listing, Broken> {
        tar::list(tape, limits.archive_members, |name| self.wants(name), INDEX)
    }

    /// Fails where the file is not there that makes an archive what it is taken for.
    fn check(self, listing: &Listing, subject: &str) -> Result<()> {
        let fail = |detail: &str| Error::new(Code::Malformed, OPERATION, subject, detail);
        let has = |name: &str| listing.members.contains_key(name);
        match self {
            Meant::Layout if has(INDEX) => Ok(()),
            Meant::Docker if has(DOCKER_MANIFEST) => Ok(()),
            Meant::Layout => Err(match has(DOCKER_MANIFEST) {
                true => fail("it has no index.json but a manifest.json: it is a docker archive")
                    .with_hint("it is read as docker-archive://FILE"),
                false => fail("it has no index.json, so it is no image layout"),
            }),
            Meant::Docker => {
                let error = fail("it has no manifest.json, so it is no docker archive");
                Err(match (has(INDEX), has("repositories")) {
                    (true, _) => error.with_hint("an image layout in a tar is read as oci-archive://FILE"),
                    (false, true) => error.with_hint("Docker wrote it before 1.10; load it and save it again"),
                    (false, false) => error,
                })
            }
        }
    }
}

/// A file of a length that is taken once: what is appended later does not count. Going over bytes costs nothing.
struct Extent<'a> {
    file: &'a File,
    position: u64,
    length: u64,
}

impl Tape for Extent<'_> {
    fn position(&self) -> u64 {
        self.position
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length - self.position).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        self.file.read_exact_at(buffer.get_mut(..wanted).unwrap_or_default(), self.position)?;
        self.position += wanted as u64;
        Ok(wanted)
    }

    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let skipped = count.min(self.length - self.position);
        self.position += skipped;
        Ok(skipped)
    }
}

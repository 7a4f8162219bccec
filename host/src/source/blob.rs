//! Bytes at rest: a file of a layout, or a member of an archive, which is a part of a file, a part of what comes out of a
//! compressed file, or kept in memory.
//!
//! Files are read by offset, so that many readers share one open file, and only ever inside the part. What has to be
//! unpacked has no offsets: each reader goes over all that lies before its part again.
//!
//! Little is read and hashed on the calling thread, which takes less time than handing it to another one; more goes,
//! piece by piece, to where blocking is allowed.

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use portolan_oci::{Algorithm, Digest, Hasher};
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};
#[cfg(feature = "serve")]
use rustix::io::{ReadWriteFlags, preadv2};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::ByteStream;
use super::verify::Verifier;
use crate::error::{Code, Error, Result};

/// Work on up to this many bytes is done at once: that takes some tens of microseconds, and so does waking another
/// thread and being woken by it.
const AT_ONCE: u64 = 64 << 10;
/// What a stream reads at a time.
const PIECE: u64 = 256 << 10;
/// What helps where unpacking again is what it would take.
pub(super) const UNPACK: &str = "unpack the archive to a file first, and name that";
/// Files of which it is remembered that they were verified.
const REMEMBERED: usize = 1 << 16;
/// What is gone over at a time: who has lost interest stops a reader there.
const STRIDE: u64 = 64 << 20;

/// Bytes of known length.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    place: Place,
    length: u64,
}

#[derive(Debug, Clone)]
enum Place {
    /// A part of an open file, from here on.
    File(Arc<File>, u64),
    /// A part of a stream, from here on.
    Stream(Arc<dyn Again>, u64),
    Memory(Bytes),
}

/// A stream that can be read as often as one likes, from its beginning.
pub(super) trait Again: fmt::Debug + Send + Sync {
    /// The stream.
    fn start(&self) -> io::Result<Box<dyn Read + Send>>;

    /// What the file that it comes from looks like now.
    fn stamp(&self) -> io::Result<Stamp>;
}

/// Tells whether a file was changed since: what a program that caches by file name looks at, and that the name does not
/// mean another file now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    file: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The blobs whose bytes were compared with their digest, and what their files looked like then: as long as one looks the
/// same, it need not be compared again.
#[derive(Debug, Default)]
pub(crate) struct Verified(Mutex<HashMap<Digest, Stamp>>);

impl Verified {
    pub(crate) fn has(&self, digest: &Digest, stamp: Stamp) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(digest) == Some(&stamp)
    }

    pub(crate) fn insert(&self, digest: Digest, stamp: Stamp) {
        let mut verified = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that are forgotten are compared once more.
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(digest, stamp);
    }
}

impl Blob {
    /// `length` bytes of `file` from `start`.
    pub(crate) fn new(file: Arc<File>, start: u64, length: u64) -> Self {
        Blob { place: Place::File(file, start), length }
    }

    /// `length` bytes of a stream from `start`.
    pub(super) fn of_stream(stream: Arc<dyn Again>, start: u64, length: u64) -> Self {
        Blob { place: Place::Stream(stream, start), length }
    }

    /// These.
    pub(super) fn of_bytes(bytes: Bytes) -> Self {
        Blob { length: bytes.len() as u64, place: Place::Memory(bytes) }
    }

    /// How many bytes there are.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// What the file looks like now. What is in memory never looks otherwise.
    pub(crate) fn stamp(&self) -> io::Result<Stamp> {
        match &self.place {
            Place::File(file, _) => file.metadata().map(|metadata| Stamp::of(&metadata)),
            Place::Stream(stream, _) => stream.stamp(),
            Place::Memory(_) => Ok(Stamp::default()),
        }
    }

    /// How much work it is to read so many bytes.
    pub(super) fn work(&self, bytes: u64) -> u64 {
        match &self.place {
            Place::Stream(..) => u64::MAX,
            Place::File(..) | Place::Memory(_) => bytes,
        }
    }

    /// Whether the kernel has so many of its bytes from `at` on in memory, or seems to: who reads a file in a row has the last
    /// of them after the others. Not where the filesystem does not tell.
    #[cfg(feature = "serve")]
    fn is_in_memory(&self, at: u64, length: u64) -> bool {
        let Place::File(file, start) = &self.place else { return matches!(self.place, Place::Memory(_)) };
        let last = start.saturating_add(at).saturating_add(length.saturating_sub(1));
        let mut byte = [0];
        let read = preadv2(&**file, &mut [io::IoSliceMut::new(&mut byte)], last, ReadWriteFlags::NOWAIT);
        read == Ok(1)
    }

    /// Some of its bytes: read here where the kernel has them in memory, as handing that to another thread would take longer.
    #[cfg(feature = "serve")]
    pub(super) async fn part(&self, at: u64, length: u64) -> Result<io::Result<Vec<u8>>> {
        if self.is_in_memory(at, length) {
            return Ok(self.read(at, length));
        }
        let blob = self.clone();
        work_on(length, move || blob.read(at, length)).await
    }

    /// Whether all before it need not be unpacked again.
    pub(super) fn is_at_hand(&self) -> bool {
        !matches!(self.place, Place::Stream(..))
    }

    /// At most `length` bytes from `offset`; short only at the end.
    ///
    /// No more memory is taken at once than a piece; beyond that it grows with what is read.
    pub(super) fn read(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let length = length.min(self.length.saturating_sub(offset));
        let mut reader = self.reader()?;
        reader.skip(offset);
        reader.next(length)
    }

    /// The digest of all of it.
    pub(super) fn digest(&self) -> io::Result<Digest> {
        let (digest, length) = hash(&[], &mut self.reader()?)?;
        match length == self.length {
            true => Ok(digest),
            false => Err(io::Error::other("it became shorter while it was read")),
        }
    }

    fn reader(&self) -> io::Result<Reader> {
        let inner: Inner = match &self.place {
            Place::File(file, start) => Inner::File(file.clone(), *start),
            Place::Stream(stream, start) => Inner::Stream(stream.start()?, *start),
            Place::Memory(bytes) => Inner::Memory(bytes.clone()),
        };
        Ok(Reader { inner, left: self.length })
    }
}

/// Does `work` on so many bytes: here if they are few, else on a thread that may block.
pub(super) async fn work_on<T: Send + 'static>(bytes: u64, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    if bytes <= AT_ONCE {
        return Ok(work());
    }
    done(spawn_blocking(work)).await
}

/// What came of work on another thread.
pub(super) async fn done<T>(work: impl Future<Output = Result<T, JoinError>>) -> Result<T> {
    match work.await.map_err(JoinError::try_into_panic) {
        Ok(done) => Ok(done),
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => Err(Error::new(Code::Other, "finish", "reading", "the program is shutting down")),
    }
}

/// A blob in pieces, verified: the last piece comes after the verdict. While a piece is on its way, the next one is read
/// and hashed.
pub(crate) fn pieces(blob: Blob, verifier: Verifier) -> ByteStream {
    let first = Ahead::start(Reading { blob, reader: None, verifier });
    stream::try_unfold(Some(first), |ahead| async {
        let Some(ahead) = ahead else { return Ok(None) };
        let (piece, rest) = ahead.finish().await?;
        Ok((!piece.is_empty()).then(|| (piece, rest.map(Ahead::start))))
    })
    .boxed()
}

/// A blob that was verified before, from a byte on, in pieces.
#[cfg(feature = "serve")]
pub(crate) fn known_pieces(blob: Blob, at: u64, subject: String) -> ByteStream {
    stream::try_unfold((blob, at, subject), |(blob, at, subject)| async move {
        let length = PIECE.min(blob.length.saturating_sub(at));
        if length == 0 {
            return Ok(None);
        }
        let piece = blob.part(at, length).await?.and_then(|piece| match piece.is_empty() {
            true => Err(io::ErrorKind::UnexpectedEof.into()),
            false => Ok(Bytes::from(piece)),
        });
        let piece = piece.map_err(|failure| unreadable(&subject, &failure))?;
        let next = at + piece.len() as u64;
        Ok(Some((piece, (blob, next, subject))))
    })
    .boxed()
}

/// The piece after the one that was handed out.
enum Ahead {
    /// Few bytes, for whoever wants them.
    Later(Box<Reading>),
    /// Being read.
    Reading(JoinHandle<Result<Step>>),
}

impl Ahead {
    fn start(reading: Reading) -> Self {
        match reading.blob.work(PIECE.min(reading.verifier.left())) <= AT_ONCE {
            true => Ahead::Later(Box::new(reading)),
            false => Ahead::Reading(spawn_blocking(move || reading.step())),
        }
    }

    async fn finish(self) -> Result<(Bytes, Option<Reading>)> {
        let mut step = match self {
            Ahead::Later(reading) => reading.step()?,
            Ahead::Reading(step) => done(step).await??,
        };
        loop {
            step = match step {
                Step::Piece(piece, rest) => return Ok((piece, rest)),
                Step::Nearer(reading) => done(spawn_blocking(move || reading.step())).await??,
            };
        }
    }
}

/// A blob that is being read.
struct Reading {
    blob: Blob,
    /// Once it was begun.
    reader: Option<Reader>,
    verifier: Verifier,
}

enum Step {
    /// Its first byte has not come yet.
    Nearer(Reading),
    /// Bytes, and what is left: nothing after the last piece.
    Piece(Bytes, Option<Reading>),
}

impl Reading {
    fn step(mut self) -> Result<Step> {
        let subject = self.verifier.subject().to_owned();
        let fail = |failure: io::Error| unreadable(&subject, &failure);
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.blob.reader().map_err(fail)?,
        };
        if !reader.approach().map_err(fail)? {
            self.reader = Some(reader);
            return Ok(Step::Nearer(self));
        }
        let bytes = reader.next(PIECE.min(self.verifier.left())).map_err(fail)?;
        self.verifier.update(&bytes)?;
        if self.verifier.left() == 0 || bytes.is_empty() {
            self.verifier.finish()?;
            return Ok(Step::Piece(bytes.into(), None));
        }
        self.reader = Some(reader);
        Ok(Step::Piece(bytes.into(), Some(self)))
    }
}

fn unreadable(subject: &str, failure: &io::Error) -> Error {
    Error::new(code(failure), "read", subject, failure.to_string())
}

/// What kind of failure it is that reading ended with.
pub(super) fn code(failure: &io::Error) -> Code {
    match failure.kind() {
        io::ErrorKind::InvalidData => Code::Malformed,
        io::ErrorKind::FileTooLarge => Code::TooLarge,
        _ => Code::Other,
    }
}

/// Goes over so many bytes, or as many as there are; how many that were.
pub(super) fn skip(reader: &mut impl Read, count: u64) -> io::Result<u64> {
    let mut skipped = 0;
    let mut buffer = vec![0; usize::try_from(count.min(PIECE)).unwrap_or_default()];
    while skipped < count {
        let wanted = usize::try_from(count - skipped).unwrap_or(usize::MAX).min(buffer.len());
        match reader.read(buffer.get_mut(..wanted).unwrap_or_default())? {
            0 => break,
            read => skipped += read as u64,
        }
    }
    Ok(skipped)
}

/// The digest of what was read already and of all that comes, and how many bytes that are.
pub(super) fn hash(start: &[u8], reader: &mut impl Read) -> io::Result<(Digest, u64)> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(start);
    let mut length = start.len() as u64;
    let mut buffer = vec![0; PIECE as usize];
    loop {
        let read = reader.read(&mut buffer)?;
        if read == 0 {
            return Ok((hasher.finish(), length));
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
        length += read as u64;
    }
}

/// All of a stream, for content of bounded size.
pub(crate) async fn collect(mut pieces: ByteStream) -> Result<Bytes> {
    let first = pieces.try_next().await?.unwrap_or_default();
    let Some(second) = pieces.try_next().await? else { return Ok(first) };
    let mut all = Vec::from(first);
    all.extend_from_slice(&second);
    while let Some(piece) = pieces.try_next().await? {
        all.extend_from_slice(&piece);
    }
    Ok(all.into())
}

impl Stamp {
    /// What a file with these looks like.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Stamp {
            file: (metadata.dev(), metadata.ino()),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A blob from its first byte to its last.
struct Reader {
    inner: Inner,
    left: u64,
}

enum Inner {
    /// From here on.
    File(Arc<File>, u64),
    /// After so many bytes.
    Stream(Box<dyn Read + Send>, u64),
    /// These.
    Memory(Bytes),
}

impl Reader {
    /// Comes a stride nearer to the first byte; whether it is there.
    fn approach(&mut self) -> io::Result<bool> {
        let Inner::Stream(stream, before) = &mut self.inner else { return Ok(true) };
        let stride = STRIDE.min(*before);
        // A stream that has become shorter has no more bytes later, either, and that is found out then.
        *before = match skip(stream, stride)? {
            skipped if skipped == stride => *before - stride,
            _ => 0,
        };
        Ok(*before == 0)
    }

    /// The next bytes, so many unless it ends before. A file's are read without clearing the memory for them first.
    fn next(&mut self, count: u64) -> io::Result<Vec<u8>> {
        let wanted = usize::try_from(count.min(self.left)).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(wanted.min(PIECE as usize));
        let Inner::File(file, at) = &mut self.inner else {
            self.take(count).read_to_end(&mut bytes)?;
            return Ok(bytes);
        };
        while bytes.len() < wanted {
            bytes.reserve((wanted - bytes.len()).min(PIECE as usize));
            let from = at.saturating_add(bytes.len() as u64);
            match pread(&**file, spare_capacity(&mut bytes), from) {
                Err(Errno::INTR) => {}
                Ok(0) => break,
                read => read.map(drop)?,
            }
        }
        // There may have been room for more than what was asked for.
        bytes.truncate(wanted);
        *at = at.saturating_add(bytes.len() as u64);
        self.left -= bytes.len() as u64;
        Ok(bytes)
    }

    /// Goes over some of its bytes.
    fn skip(&mut self, count: u64) {
        let count = count.min(self.left);
        match &mut self.inner {
            Inner::File(_, at) => *at = at.saturating_add(count),
            Inner::Memory(bytes) => drop(bytes.split_to(usize::try_from(count).unwrap_or(usize::MAX).min(bytes.len()))),
            Inner::Stream(_, before) => *before = before.saturating_add(count),
        }
        self.left -= count;
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.approach()? {}
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        let read = match &mut self.inner {
            Inner::File(file, at) => {
                let read = file.read_at(buffer, *at)?;
                *at = at.saturating_add(read as u64);
                read
            }
            Inner::Stream(stream, _) => stream.read(buffer)?,
            Inner::Memory(bytes) => {
                let part = bytes.split_to(wanted.min(bytes.len()));
                buffer.get_mut(..part.len()).unwrap_or_default().copy_from_slice(&part);
                part.len()
            }
        };
        self.left -= read as u64;
        Ok(read)
    }
}

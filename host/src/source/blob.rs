//! Bytes at rest: a file of a layout, or a member of an archive, which is a part of a file.
//!
//! All reading is by offset, so that many readers share one open file, and only ever inside the part.
//!
//! Little is read and hashed on the calling thread, which takes less time than handing it to another one; more goes,
//! piece by piece, to where blocking is allowed.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};

use super::ByteStream;
use super::verify::Verifier;
use crate::error::{Code, Error, Result};

/// Work on up to this many bytes is done at once: that takes some tens of microseconds, and so does waking another
/// thread and being woken by it.
const AT_ONCE: u64 = 64 << 10;
/// What a stream reads at a time.
const PIECE: u64 = 256 << 10;

/// A part of an open file.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    file: Arc<File>,
    start: u64,
    length: u64,
}

/// Tells whether a file was changed since: what a program that caches by file name looks at, and that the name does not
/// mean another file now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    file: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Blob {
    /// `length` bytes of `file` from `start`.
    pub(super) fn new(file: Arc<File>, start: u64, length: u64) -> Self {
        Blob { file, start, length }
    }

    /// How many bytes there are.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// What the file looks like now.
    pub(super) fn stamp(&self) -> io::Result<Stamp> {
        self.file.metadata().map(|metadata| Stamp::of(&metadata))
    }

    /// At most `length` bytes from `offset`; short only at the end.
    ///
    /// No more memory is taken at once than a piece; beyond that it grows with what is read.
    pub(super) fn read(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let wanted = usize::try_from(length.min(self.length.saturating_sub(offset))).unwrap_or(usize::MAX);
        let start = self.start.saturating_add(offset);
        let mut bytes = Vec::new();
        while bytes.len() < wanted {
            bytes.reserve((wanted - bytes.len()).min(PIECE as usize));
            let at = start.saturating_add(bytes.len() as u64);
            match rustix::io::pread(&*self.file, spare_capacity(&mut bytes), at) {
                Err(Errno::INTR) => {}
                Ok(0) => break,
                read => read.map(drop)?,
            }
        }
        // There may have been room for more than what was asked for.
        bytes.truncate(wanted);
        Ok(bytes)
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
async fn done<T>(work: JoinHandle<T>) -> Result<T> {
    match work.await.map_err(JoinError::try_into_panic) {
        Ok(done) => Ok(done),
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => Err(Error::new(Code::Other, "finish", "reading", "the program is shutting down")),
    }
}

/// A blob in pieces, verified: the last piece comes after the verdict. While a piece is on its way, the next one is read
/// and hashed.
pub(super) fn pieces(blob: Blob, verifier: Verifier) -> ByteStream {
    let first = Ahead::start(Rest { blob, verifier, offset: 0 });
    stream::try_unfold(Some(first), |ahead| async {
        let Some(ahead) = ahead else { return Ok(None) };
        let (piece, rest) = ahead.finish().await?;
        Ok((!piece.is_empty()).then(|| (piece, rest.map(Ahead::start))))
    })
    .boxed()
}

/// What of a stream was not read yet.
struct Rest {
    blob: Blob,
    verifier: Verifier,
    offset: u64,
}

/// The piece after the one that was handed out.
enum Ahead {
    /// Few bytes, for whoever wants them.
    Later(Box<Rest>),
    /// Being read.
    Reading(JoinHandle<Result<(Bytes, Option<Rest>)>>),
}

impl Ahead {
    fn start(rest: Rest) -> Self {
        if rest.next() <= AT_ONCE {
            return Ahead::Later(Box::new(rest));
        }
        Ahead::Reading(spawn_blocking(move || rest.read()))
    }

    async fn finish(self) -> Result<(Bytes, Option<Rest>)> {
        match self {
            Ahead::Later(rest) => rest.read(),
            Ahead::Reading(piece) => done(piece).await?,
        }
    }
}

impl Rest {
    /// How many bytes the next piece is to have.
    fn next(&self) -> u64 {
        PIECE.min(self.verifier.left())
    }

    /// The next piece, and what is left then: nothing after the last one.
    fn read(mut self) -> Result<(Bytes, Option<Rest>)> {
        let bytes = self
            .blob
            .read(self.offset, self.next())
            .map_err(|failure| Error::new(Code::Other, "read", self.verifier.subject(), failure.to_string()))?;
        self.verifier.update(&bytes)?;
        if self.verifier.left() == 0 || bytes.is_empty() {
            self.verifier.finish()?;
            return Ok((bytes.into(), None));
        }
        self.offset += bytes.len() as u64;
        Ok((bytes.into(), Some(self)))
    }
}

/// All of a stream, for content of bounded size.
pub(super) async fn collect(mut pieces: ByteStream) -> Result<Bytes> {
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

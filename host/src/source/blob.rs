//! Bytes at rest: a file of a layout, or a member of an archive, which is a part of a file.
//!
//! All reading is by offset, so that many readers share one open file, and only ever inside the part.
//!
//! Little is read and hashed on the calling thread, which takes less time than handing it to another one; more goes,
//! piece by piece, to where blocking is allowed.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

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
        let expected = length.min(self.length.saturating_sub(offset)).min(PIECE);
        let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
        Reader { blob: self, offset }.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Does `work` on so many bytes: here if they are few, else on a thread that may block.
pub(super) async fn work_on<T: Send + 'static>(bytes: u64, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    if bytes <= AT_ONCE {
        return Ok(work());
    }
    match tokio::task::spawn_blocking(work).await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(done) => Ok(done),
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => Err(Error::new(Code::Other, "finish", "reading", "the program is shutting down")),
    }
}

/// A blob in pieces, verified: the last piece comes after the verdict.
pub(super) fn pieces(blob: Blob, verifier: Verifier) -> ByteStream {
    stream::try_unfold(Some((blob, verifier, 0)), |state| async {
        let Some((blob, verifier, offset)) = state else { return Ok(None) };
        let next = PIECE.min(verifier.left());
        let (piece, rest) = work_on(next, move || piece(blob, verifier, offset, next)).await??;
        Ok((!piece.is_empty()).then_some((piece, rest)))
    })
    .boxed()
}

/// What is left of a stream: nothing after its last piece.
type Rest = Option<(Blob, Verifier, u64)>;

fn piece(blob: Blob, mut verifier: Verifier, offset: u64, length: u64) -> Result<(Bytes, Rest)> {
    let bytes = blob
        .read(offset, length)
        .map_err(|failure| Error::new(Code::Other, "read", verifier.subject(), failure.to_string()))?;
    verifier.update(&bytes)?;
    if verifier.left() == 0 || bytes.is_empty() {
        verifier.finish()?;
        return Ok((bytes.into(), None));
    }
    let read = bytes.len() as u64;
    Ok((bytes.into(), Some((blob, verifier, offset + read))))
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

struct Reader<'a> {
    blob: &'a Blob,
    offset: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.blob.length.saturating_sub(self.offset);
        if left == 0 {
            return Ok(0);
        }
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.blob.file.read_at(&mut buffer[..wanted], self.blob.start.saturating_add(self.offset))?;
        self.offset += read as u64;
        Ok(read)
    }
}

//! A file without a name that content is gathered in, before anybody knows what it is: it goes with whoever holds it, or is
//! given a name.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use portolan_oci::Descriptor;
use rustix::fs::{AtFlags, CWD};

use super::ByteStream;
use super::blob::{Blob, Stamp, pieces, work_on};
use super::sink::Content;
use super::verify::Verifier;
use crate::error::{Code, Error, Result};

/// What is written at a time.
const BATCH: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(crate) struct Spool {
    file: Arc<File>,
    length: u64,
}

impl Spool {
    /// An empty one, on the disk of `folder`.
    pub(crate) fn new(folder: &Path) -> io::Result<Spool> {
        Ok(Spool { file: Arc::new(tempfile::tempfile_in(folder)?), length: 0 })
    }

    /// Bytes so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Adds all of a stream. What came before it broke stays, so that whoever sends can go on behind it.
    pub(crate) async fn append(&mut self, mut content: ByteStream, most: u64) -> Result<()> {
        let mut batch = Vec::new();
        loop {
            let piece = content.try_next().await;
            let ended = !matches!(piece, Ok(Some(_)));
            if let Ok(Some(piece)) = &piece {
                if self.length + (batch.len() + piece.len()) as u64 > most {
                    return Err(failed(Code::TooLarge, format!("it has more than {most} bytes")));
                }
                batch.extend_from_slice(piece);
            }
            if batch.len() >= BATCH || ended {
                self.add(std::mem::take(&mut batch).into(), most).await?;
            }
            match piece {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Adds a piece.
    pub(crate) async fn add(&mut self, piece: Bytes, most: u64) -> Result<()> {
        let length = piece.len() as u64;
        if self.length + length > most {
            return Err(failed(Code::TooLarge, format!("it has more than {most} bytes")));
        }
        let (file, at) = (Arc::clone(&self.file), self.length);
        let written = work_on(length, move || file.write_all_at(&piece, at)).await?;
        written.map_err(|error| failed(Code::Other, format!("it cannot be kept meanwhile: {error}")))?;
        self.length += length;
        Ok(())
    }

    /// Forgets what came after the first `length` bytes.
    pub(crate) fn truncate(&mut self, length: u64) {
        self.length = self.length.min(length);
    }

    /// All of it, as what it is said to be.
    pub(crate) fn content(&self, descriptor: Descriptor) -> Spooled {
        Spooled { file: Arc::clone(&self.file), descriptor }
    }
}

/// What was gathered, to be read as often as one likes.
pub(crate) struct Spooled {
    file: Arc<File>,
    descriptor: Descriptor,
}

impl Spooled {
    /// Bytes of it that are there, from `at` on. Nobody has verified them.
    pub(crate) async fn part(&self, at: u64, length: u64) -> Result<Bytes> {
        let blob = Blob::new(Arc::clone(&self.file), 0, self.descriptor.size);
        blob.part(at, length)
            .await?
            .map(Bytes::from)
            .map_err(|error| failed(Code::Other, format!("it cannot be read again: {error}")))
    }

    /// Gives it a name that nothing has, on the same disk; what it looks like then.
    pub(crate) async fn name(&self, path: PathBuf) -> io::Result<Stamp> {
        let file = Arc::clone(&self.file);
        let named = move || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            // The kernel's name for it, as long as it has no other.
            let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
            rustix::fs::linkat(CWD, unnamed, CWD, &path, AtFlags::SYMLINK_FOLLOW)?;
            Ok(Stamp::of(&file.metadata()?))
        };
        tokio::task::spawn_blocking(named).await.map_err(io::Error::other)?
    }

    /// Whether it is what it is said to be.
    pub(crate) async fn verify(&self) -> Result<()> {
        self.open().await?.try_for_each(|_| std::future::ready(Ok(()))).await
    }
}

#[async_trait]
impl Content for Spooled {
    async fn open(&self) -> Result<ByteStream> {
        let verifier = Verifier::new("what was sent", &self.descriptor)?;
        Ok(pieces(Blob::new(Arc::clone(&self.file), 0, self.descriptor.size), verifier))
    }
}

fn failed(code: Code, detail: String) -> Error {
    Error::new(code, "take in", "what was sent", detail)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use futures_util::{StreamExt as _, stream};

    use portolan_oci::Digest;

    use super::*;

    fn sent(pieces: &'static [&'static str]) -> ByteStream {
        stream::iter(pieces.iter().map(|piece| Ok(Bytes::from(*piece)))).boxed()
    }

    #[tokio::test]
    async fn what_was_gathered_is_verified_when_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(folder.path()).unwrap();
        spool.append(sent(&["hel", "lo"]), 5).await.unwrap();
        let error = spool.append(sent(&["!"]), 5).await.unwrap_err();
        assert_eq!((error.code(), spool.length()), (Code::TooLarge, 5));
        let broken = sent(&[" world"]).chain(stream::iter([Err(failed(Code::Unavailable, "gone".into()))])).boxed();
        assert_eq!(spool.append(broken, 100).await.unwrap_err().code(), Code::Unavailable);
        assert_eq!(spool.length(), 11, "who sends goes on behind what came");

        let read = |bytes: &'static [u8]| spool.content(Descriptor::new("a/b", Digest::sha256(bytes), 11));
        let pieces: Vec<Bytes> = read(b"hello world").open().await.unwrap().try_collect().await.unwrap();
        assert_eq!(pieces.concat(), b"hello world");
        read(b"hello world").verify().await.unwrap();
        assert_eq!(read(b"hello earth").verify().await.unwrap_err().code(), Code::DigestMismatch);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it has no name");

        // It is given one, and what is read by it is the same file.
        let path = folder.path().join("a/b");
        spool.add(Bytes::from_static(b"!"), 12).await.unwrap();
        assert_eq!(spool.add(Bytes::from_static(b"?"), 12).await.unwrap_err().code(), Code::TooLarge);
        let content = spool.content(Descriptor::of("a/b", b"hello world!"));
        content.name(path.clone()).await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"hello world!");
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), spool.file.metadata().unwrap().ino());
        assert_eq!(content.name(path).await.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}

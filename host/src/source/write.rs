//! Bytes on their way to a disk, and what it means when they do not get there.
//!
//! Not here: where they go, and under which name.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use tokio::task::JoinHandle;

use super::ByteStream;
use super::blob::work_on;
use super::store::Missing;
use crate::error::{Code, Error, Result};

/// What all of this does, for a message.
pub(super) const WRITE: &str = "write to";
/// What is written at a time: much enough that handing it to another thread costs nothing.
const BATCH: u64 = 1 << 20;
/// How much may wait in memory for the disk before the disk is told to begin. The kernel would let gigabytes wait, and the
/// end of a blob would wait for all of them.
const UNSYNCED: u64 = 32 << 20;

/// Writes all of a stream into `file` from `start` on, and sees that it has the `length` that its descriptor says; that it
/// is what its digest says is the stream's own verdict (see [`ByteStream`]). While one batch is written the next one is gathered,
/// and no more than these two are in memory.
pub(super) async fn pour(
    mut content: ByteStream,
    length: u64,
    file: &Arc<File>,
    start: u64,
    fail: &(dyn Fn(io::Error) -> Error + Sync),
) -> Result<()> {
    let mut batch = Batch::default();
    let mut written = 0;
    let mut writing: Option<JoinHandle<io::Result<()>>> = None;
    let mut syncing: Option<JoinHandle<io::Result<()>>> = None;
    let mut synced = 0;
    loop {
        let piece = match content.try_next().await {
            Ok(piece) => piece,
            // Who goes on with it another time has all that came.
            Err(error) => {
                settled(writing).await.map_err(fail)?;
                let (work, file, at) = (batch.length, file.clone(), start + written);
                work_on(work, move || batch.write(&file, at)).await?.map_err(fail)?;
                return Err(error);
            }
        };
        if let Some(piece) = &piece {
            batch.push(piece.clone());
            if written + batch.length > length {
                settled(writing).await.map_err(fail)?;
                return Err(fail(mismatch(format!("more than the {length} bytes that its descriptor says"))));
            }
        }
        if batch.length < BATCH && piece.is_some() {
            continue;
        }
        settled(writing.take()).await.map_err(fail)?;
        let at = start + written;
        written += batch.length;
        let full = std::mem::take(&mut batch);
        let Some(_) = piece else {
            let (work, last) = (full.length, file.clone());
            work_on(work, move || full.write(&last, at)).await?.map_err(fail)?;
            break;
        };
        let target = file.clone();
        writing = Some(tokio::task::spawn_blocking(move || full.write(&target, at)));
        if written - synced >= UNSYNCED && syncing.as_ref().is_none_or(JoinHandle::is_finished) {
            settled(syncing.take()).await.map_err(fail)?;
            let target = file.clone();
            syncing = Some(tokio::task::spawn_blocking(move || target.sync_data()));
            synced = written;
        }
    }
    if written != length {
        return Err(fail(mismatch(format!("{written} bytes, where its descriptor says {length}"))));
    }
    Ok(())
}

/// Waits until a file's bytes are on the disk.
pub(super) async fn sync(file: &Arc<File>) -> io::Result<()> {
    let file = file.clone();
    done(tokio::task::spawn_blocking(move || file.sync_data())).await
}

/// Waits for what is under way.
async fn settled(work: Option<JoinHandle<io::Result<()>>>) -> io::Result<()> {
    match work {
        Some(work) => done(work).await,
        None => Ok(()),
    }
}

/// What became of blocking work.
async fn done<T>(work: JoinHandle<io::Result<T>>) -> io::Result<T> {
    match work.await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(result) => result,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => Err(io::Error::other("the program is shutting down")),
    }
}

/// Work of a store that may block. It is not cut short by a caller who goes away.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let work = tokio::task::spawn_blocking(move || Ok(work()));
    done(work).await.map_err(|failure| failed("the store", "it", &failure))?
}

/// Pieces that are written together.
#[derive(Default)]
struct Batch {
    pieces: Vec<Bytes>,
    length: u64,
}

impl Batch {
    fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.length += piece.len() as u64;
            self.pieces.push(piece);
        }
    }

    fn write(&self, file: &File, mut at: u64) -> io::Result<()> {
        for piece in &self.pieces {
            file.write_all_at(piece, at)?;
            at += piece.len() as u64;
        }
        Ok(())
    }
}

fn mismatch(detail: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, detail)
}

/// The error where `what` could not be written to `store`.
pub(super) fn failed(store: &str, what: &str, failure: &io::Error) -> Error {
    use io::ErrorKind::{FileTooLarge, InvalidData, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let error = |code, detail: String| Error::new(code, WRITE, store, detail);
    match failure.kind() {
        InvalidData => error(Code::DigestMismatch, format!("{what}: {failure}")),
        PermissionDenied => error(Code::Forbidden, format!("no permission to write {what}")),
        ReadOnlyFilesystem => error(Code::Forbidden, format!("its file system is read-only ({what})")),
        StorageFull => error(Code::Other, format!("no space is left on its disk for {what}")).with_hint(
            "blobs that arrived whole stay where they are; make space and try again, and they are not sent anew",
        ),
        QuotaExceeded => error(Code::Other, format!("the disk quota leaves no space for {what}")),
        FileTooLarge => error(Code::Other, format!("{what} is larger than a file may be here"))
            .with_hint("`ulimit -f` shows the limit, if it is not the file system's"),
        _ => error(Code::Other, format!("writing {what}: {failure}")),
    }
}

/// The error where something stands in the way of what is to be written.
pub(super) fn barred(store: &str, missing: Missing) -> Error {
    let error = |code, detail: String| Error::new(code, WRITE, store, detail);
    match missing {
        Missing::Absent => error(Code::Other, "what was there a moment ago is gone".into()).retryable(),
        Missing::NoFile(what, kind) => error(
            Code::Malformed,
            format!("its {what} is {kind}; links are not followed, nor is anything replaced by force"),
        ),
        Missing::Gone(what) => error(Code::Unsupported, format!("its {what} came by and was not kept")),
        Missing::Forbidden(what) => error(Code::Forbidden, format!("no permission to write its {what}")),
        Missing::Failed(failure) => failed(store, "a file in it", &failure),
    }
}

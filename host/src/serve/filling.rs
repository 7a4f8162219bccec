//! Content on its way from a registry, for several who want it: it is gathered in a file at the registry's pace, and each
//! reads that file at their own. The last piece is held back from all of them until all of it was what it should be.
//!
//! It goes on when those who asked are gone: it is wanted again, most likely.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use portolan_oci::Descriptor;
use tokio::sync::{Mutex, watch};

use crate::error::{Code, Error, Result};
use crate::source::ByteStream;
use crate::source::blob::Stamp;
use crate::source::sink::Content as _;
use crate::source::spool::{Spool, Spooled};
use crate::source::verify::Verifier;

/// What is read at a time.
const PIECE: u64 = 256 << 10;

/// What stays in memory of what came, at most.
const RECENT: usize = 1 << 20;

/// See the module.
pub(super) struct Filling {
    descriptor: Descriptor,
    spool: Mutex<Spool>,
    content: Arc<Spooled>,
    recent: std::sync::Mutex<Recent>,
    progress: watch::Sender<Progress>,
}

/// What came last, for those who are that far already: where it begins, and its bytes.
#[derive(Default)]
struct Recent {
    pieces: VecDeque<(u64, Bytes)>,
    bytes: usize,
}

impl Recent {
    fn push(&mut self, at: u64, piece: Bytes) {
        self.bytes += piece.len();
        self.pieces.push_back((at, piece));
        while self.bytes > RECENT {
            self.bytes -= self.pieces.pop_front().map_or(0, |(_, piece)| piece.len());
        }
    }

    /// Bytes from `at` on, and not beyond `until`.
    fn get(&self, at: u64, until: u64) -> Option<Bytes> {
        let is_there = |(start, piece): &&(u64, Bytes)| *start <= at && at - start < piece.len() as u64;
        let (start, piece) = self.pieces.iter().rev().find(is_there)?;
        let from = usize::try_from(at - start).ok()?;
        let length = usize::try_from(until.checked_sub(at)?).unwrap_or(usize::MAX).min(piece.len() - from);
        Some(piece.slice(from..from + length))
    }
}

#[derive(Debug, Clone)]
struct Progress {
    /// Bytes that are there.
    length: u64,
    /// Set once nothing more comes.
    ended: Option<Result<()>>,
}

impl Filling {
    /// Nothing yet, on the disk of `folder`.
    pub(super) fn new(folder: &Path, descriptor: Descriptor) -> Result<Arc<Filling>> {
        let spool = Spool::new(folder).map_err(|error| {
            let detail = format!("it cannot be kept meanwhile: {error}");
            Error::new(Code::Other, "fetch", descriptor.digest.as_str(), detail)
        })?;
        let content = Arc::new(spool.content(descriptor.clone()));
        let (progress, _) = watch::channel(Progress { length: 0, ended: None });
        Ok(Arc::new(Filling { descriptor, spool: Mutex::new(spool), content, recent: Default::default(), progress }))
    }

    /// Gathers what a registry sends; whether all of it came, and is what it should be.
    pub(super) async fn fill(&self, content: Result<ByteStream>) -> bool {
        let mut spool = self.spool.lock().await;
        let ended = match content {
            Err(error) => Err(error),
            Ok(mut content) => loop {
                match content.try_next().await {
                    Ok(Some(piece)) => {
                        let at = spool.length();
                        if let Err(error) = spool.add(piece.clone(), self.descriptor.size).await {
                            break Err(error);
                        }
                        self.recent.lock().unwrap_or_else(PoisonError::into_inner).push(at, piece);
                        let length = spool.length();
                        self.progress.send_modify(|progress| progress.length = length);
                    }
                    // The stream's own verdict, which comes before its last piece.
                    Ok(None) if spool.length() == self.descriptor.size => break Ok(()),
                    Ok(None) => {
                        let detail = format!("{} bytes came of {}", spool.length(), self.descriptor.size);
                        break Err(Error::new(Code::DigestMismatch, "fetch", self.descriptor.digest.as_str(), detail));
                    }
                    Err(error) => break Err(error),
                }
            },
        };
        let done = ended.is_ok();
        self.progress.send_modify(|progress| progress.ended = Some(ended));
        done
    }

    /// Nobody fills it any more: where it has not ended, nothing more comes.
    pub(super) fn abandon(&self) {
        self.progress.send_modify(|progress| {
            progress.ended.get_or_insert_with(|| Err(ended(&self.descriptor)));
        });
    }

    /// Whether it came to nothing: who asks now begins anew.
    pub(super) fn has_failed(&self) -> bool {
        matches!(self.progress.borrow().ended, Some(Err(_)))
    }

    /// All of it, once it is there.
    pub(super) fn content(self: &Arc<Self>) -> ByteStream {
        let content = Arc::clone(&self.content);
        stream::once(async move { content.open().await }).try_flatten().boxed()
    }

    /// Gives its file a name on the same disk; what it looks like then.
    pub(super) async fn name(&self, path: PathBuf) -> io::Result<Stamp> {
        self.content.name(path).await
    }

    /// What is there and what comes yet.
    pub(super) fn follow(self: &Arc<Self>) -> ByteStream {
        let state = (Arc::clone(self), self.progress.subscribe(), 0);
        stream::try_unfold(state, |(filling, mut progress, at)| async move {
            if at == filling.descriptor.size && at > 0 {
                return Ok(None);
            }
            // The last piece is let go with the verdict.
            let ready = |known: &Progress| match &known.ended {
                Some(Ok(())) => known.length,
                Some(Err(_)) => u64::MAX,
                None => known.length.min(filling.descriptor.size.saturating_sub(PIECE)),
            };
            let known = progress.wait_for(|known| ready(known) > at || known.ended.is_some()).await;
            let known = known.map_err(|_| ended(&filling.descriptor))?.clone();
            if let Some(Err(error)) = known.ended {
                return Err(error);
            }
            let until = ready(&known).min(at + PIECE);
            if until <= at {
                return Ok(None);
            }
            let recent = filling.recent.lock().unwrap_or_else(PoisonError::into_inner).get(at, until);
            let piece = match recent {
                Some(piece) => piece,
                None => filling.content.part(at, until - at).await?,
            };
            let next = at + piece.len() as u64;
            Ok(Some((piece, (filling, progress, next))))
        })
        .boxed()
    }
}

fn ended(descriptor: &Descriptor) -> Error {
    Error::new(Code::Other, "fetch", descriptor.digest.as_str(), "the program is shutting down")
}

/// Content that is looked at while it comes: its last piece comes after the verdict.
pub(super) fn verified(content: ByteStream, verifier: Verifier) -> ByteStream {
    let state = (content, Some(verifier), None::<Bytes>);
    stream::try_unfold(state, |(mut content, mut verifier, mut held)| async move {
        loop {
            match content.try_next().await? {
                Some(piece) => {
                    if let Some(verifier) = &mut verifier {
                        verifier.update(&piece)?;
                    }
                    if let Some(before) = held.replace(piece) {
                        return Ok(Some((before, (content, verifier, held))));
                    }
                }
                None => {
                    verifier.take().map_or(Ok(()), Verifier::finish)?;
                    return Ok(held.take().map(|last| (last, (content, None, None))));
                }
            }
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::join;
    use portolan_oci::Digest;
    use tokio::sync::mpsc;

    use super::*;

    fn filling(bytes: &[u8]) -> Arc<Filling> {
        let descriptor = Descriptor::new("a/b", Digest::sha256(bytes), bytes.len() as u64);
        Filling::new(&std::env::temp_dir(), descriptor).unwrap()
    }

    async fn all(content: ByteStream) -> Result<Vec<u8>> {
        let pieces: Vec<Bytes> = content.try_collect().await?;
        Ok(pieces.concat())
    }

    #[tokio::test]
    async fn who_follows_has_all_of_it_at_its_pace() {
        let bytes: Vec<u8> = (0..3 * PIECE + 7).map(|at| (at % 251) as u8).collect();
        let filling = filling(&bytes);
        let (send, mut sent) = mpsc::channel::<Result<Bytes>>(1);
        let coming = stream::poll_fn(move |context| sent.poll_recv(context)).boxed();
        let mut early = filling.follow();
        let filled = tokio::spawn({
            let filling = Arc::clone(&filling);
            async move { filling.fill(Ok(coming)).await }
        });
        send.send(Ok(bytes[..PIECE as usize + 1].to_vec().into())).await.unwrap();
        assert_eq!(early.try_next().await.unwrap().unwrap(), bytes[..PIECE as usize]);
        let late = filling.follow();
        send.send(Ok(bytes[PIECE as usize + 1..].to_vec().into())).await.unwrap();
        let last = tokio::time::timeout(Duration::from_millis(50), all(filling.follow())).await;
        assert!(last.is_err(), "there is no verdict yet");
        drop(send);
        let (rest, whole) = join(all(early), all(late)).await;
        assert!(rest.unwrap() == bytes[PIECE as usize..] && whole.unwrap() == bytes);
        assert!(filled.await.unwrap() && !filling.has_failed());
        assert!(all(filling.content()).await.unwrap() == bytes);
    }

    #[tokio::test]
    async fn what_does_not_come_whole_ends_with_why() {
        let filling = filling(b"hello world");
        let cut = stream::iter([Ok(Bytes::from("hello"))]).boxed();
        assert!(!filling.fill(Ok(cut)).await && filling.has_failed());
        assert_eq!(all(filling.follow()).await.unwrap_err().code(), Code::DigestMismatch);
    }

    #[tokio::test]
    async fn who_follows_what_is_abandoned_is_told() {
        let filling = filling(b"hello world");
        let followed = tokio::spawn(all(filling.follow()));
        filling.abandon();
        assert!(followed.await.unwrap().is_err() && filling.has_failed());
    }

    #[tokio::test]
    async fn nothing_is_something_too() {
        let filling = filling(b"");
        assert!(filling.fill(Ok(stream::empty().boxed())).await);
        assert_eq!(all(filling.follow()).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn what_is_something_else_keeps_its_last_piece() {
        let descriptor = Descriptor::new("a/b", Digest::sha256(b"hello"), 5);
        let pieces = ["he", "ll", "x"].map(|piece| Ok(Bytes::from(piece)));
        let content = verified(stream::iter(pieces).boxed(), Verifier::new("r", &descriptor).unwrap());
        let mut came = Vec::new();
        let mut content = content;
        let error = loop {
            match content.try_next().await {
                Ok(Some(piece)) => came.extend_from_slice(&piece),
                Ok(None) => panic!("it is taken for whole"),
                Err(error) => break error,
            }
        };
        assert_eq!((error.code(), &*came), (Code::DigestMismatch, &b"hell"[..]));
    }
}

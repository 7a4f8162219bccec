//! What a request carries, and whether the other side still takes it.
//!
//! A body is made anew for each time that it is sent, and never held whole: a blob streams from wherever it is to wherever
//! it goes. So there is no time-out for all of a request, which would be one for large blobs; there is one for each
//! piece, and one for the answer after the last.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use reqwest::Body;

use super::Timing;
use super::transport::Fault;
use crate::error::{Code, Error, Result};
use crate::source::ByteStream;
use crate::source::sink::Content;

/// A request's body, as often as it is asked for.
#[derive(Clone)]
pub(super) enum Payload<'a> {
    /// These bytes.
    Bytes(Bytes),
    /// Nothing. It ends an upload, whose parts the registry puts together now.
    End,
    /// A blob of this size.
    Blob { content: &'a dyn Content, size: u64, subject: &'a str },
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Payload::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Payload::End => f.write_str("nothing"),
            Payload::Blob { size, .. } => write!(f, "a blob of {size} bytes"),
        }
    }
}

/// Bytes that are no more than this are one piece.
const PIECE: usize = 64 << 10;

impl Payload<'_> {
    /// The body for one request.
    pub(super) async fn open(&self) -> Result<Sending> {
        match self {
            Payload::Bytes(bytes) if bytes.len() <= PIECE => Ok(Sending::from(bytes.clone())),
            Payload::Bytes(bytes) => {
                let (rest, size) = (bytes.clone(), bytes.len() as u64);
                let pieces = stream::unfold(rest, |mut rest| async {
                    let piece = rest.split_to(rest.len().min(PIECE));
                    (!piece.is_empty()).then_some((Ok(piece), rest))
                });
                Ok(Sending::stream(pieces.boxed(), size, ""))
            }
            Payload::End => {
                Ok(Sending { length: 0, body: Body::from(""), progress: Progress::new(State::Stored(Instant::now())) })
            }
            Payload::Blob { content, size, subject } => Ok(Sending::stream(content.open().await?, *size, subject)),
        }
    }
}

/// A body under way.
pub(super) struct Sending {
    pub length: u64,
    pub body: Body,
    pub progress: Progress,
}

impl From<Bytes> for Sending {
    fn from(bytes: Bytes) -> Sending {
        let progress = Progress::new(State::Asked(Instant::now()));
        Sending { length: bytes.len() as u64, body: bytes.into(), progress }
    }
}

impl Sending {
    fn stream(pieces: ByteStream, size: u64, subject: &str) -> Sending {
        let progress = Progress::new(State::Handed(Instant::now()));
        let (mut left, told, subject) = (size, progress.clone(), subject.to_owned());
        progress.inner().pieces = Some(pieces);
        let watched = stream::poll_fn(move |context| {
            let mut inner = told.inner();
            inner.state = State::Fetching;
            let Some(pieces) = &mut inner.pieces else {
                return Poll::Ready((left > 0).then(|| Err(stopped(&subject))));
            };
            let Poll::Ready(piece) = pieces.poll_next_unpin(context) else { return Poll::Pending };
            let piece = match piece {
                // A body that ends early would be taken for a broken connection, and sent again.
                None if left > 0 => Some(Err(other_size(&subject, size, left))),
                Some(Ok(piece)) if piece.len() as u64 > left => Some(Err(other_size(&subject, size, 0))),
                piece => piece,
            };
            match &piece {
                Some(Ok(piece)) => left -= piece.len() as u64,
                Some(Err(error)) => inner.failure = Some(error.clone()),
                None => inner.pieces = None,
            }
            inner.state = if left == 0 { State::Stored(Instant::now()) } else { State::Handed(Instant::now()) };
            Poll::Ready(piece)
        });
        Sending { length: size, body: Body::wrap_stream(watched), progress }
    }
}

/// Nobody reads this: who stopped the body has an answer already.
fn stopped(subject: &str) -> Error {
    Error::new(Code::Other, "push", subject, "the answer came before all of it was sent")
}

/// The error of content that is not of the size that its descriptor says: `left` bytes short of it, or longer.
pub(super) fn other_size(subject: &str, size: u64, left: u64) -> Error {
    let detail = match left {
        0 => format!("where it comes from there are more than the {size} bytes that its descriptor says"),
        left => format!("where it comes from there are {} bytes, and its descriptor says {size}", size - left),
    };
    Error::new(Code::DigestMismatch, "push", subject, detail)
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The next piece has to come from where the blob is; that has time-outs of its own.
    Fetching,
    /// The other side is to take a piece.
    Handed(Instant),
    /// It has all of it, and is to answer.
    Asked(Instant),
    /// It has all of it, which is much, and is to answer when that is stored.
    Stored(Instant),
}

/// How far a body got, and what became of the content it is made of.
#[derive(Clone)]
pub(super) struct Progress(Arc<Mutex<Inner>>);

struct Inner {
    state: State,
    failure: Option<Error>,
    /// What is still to be sent.
    pieces: Option<ByteStream>,
}

/// Ends a body with whoever waits for its answer: a server that has answered is sent no more, and wherever the content
/// comes from has its place back.
pub(super) struct Guard(Progress);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.inner().pieces = None;
    }
}

impl Progress {
    fn new(state: State) -> Progress {
        Progress(Arc::new(Mutex::new(Inner { state, failure: None, pieces: None })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn guard(&self) -> Guard {
        Guard(self.clone())
    }

    /// Why the content could not be had, if it is that.
    pub(super) fn failure(&self) -> Option<Error> {
        self.inner().failure.clone()
    }

    /// Waits until the other side has had its time. Never ends while it is not its turn.
    pub(super) async fn lost(&self, timing: &Timing) -> Fault {
        // Whose turn it is changes while this sleeps.
        let nap = timing.idle.min(timing.answer).min(timing.stored);
        loop {
            let state = self.inner().state;
            let (since, most, what) = match state {
                State::Fetching => (Instant::now(), timing.idle, ""),
                State::Handed(since) => (since, timing.idle, "more of the body taken"),
                State::Asked(since) => (since, timing.answer, "answer"),
                State::Stored(since) => (since, timing.stored, "answer"),
            };
            let left = most.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Fault::timed_out(most, what);
            }
            tokio::time::sleep(left.min(nap)).await;
        }
    }
}

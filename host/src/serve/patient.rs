//! A connection whose other end is waited for, but not for ever: who takes nothing of what they asked for, and who asks
//! for nothing, is given up after a while. While a question is being answered nobody has to ask another one.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http_body_util::{BodyExt as _, BodyStream, StreamBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep, sleep};

use super::distribution::{self, Body};
use crate::error::{Code, Error};
use crate::source::ByteStream;

/// What a last word takes on its way.
const MOMENT: Duration = Duration::from_millis(100);

/// See the module.
pub(super) struct Patient<C> {
    connection: C,
    idle: Duration,
    /// Questions that are being answered.
    busy: Arc<AtomicUsize>,
    reading: Patience,
    writing: Patience,
}

/// Begins where nothing moves, and is over when something does.
type Patience = Option<Pin<Box<Sleep>>>;

impl<C> Patient<C> {
    pub(super) fn new(connection: C, idle: Duration, busy: Arc<AtomicUsize>) -> Self {
        Patient { connection, idle, busy, reading: None, writing: None }
    }
}

/// What came of moving, or that patience is at its end.
fn waited<T>(
    patience: &mut Patience,
    idle: Duration,
    moved: Poll<io::Result<T>>,
    context: &mut Context<'_>,
) -> Poll<io::Result<T>> {
    if moved.is_ready() {
        *patience = None;
        return moved;
    }
    match patience.get_or_insert_with(|| Box::pin(sleep(idle))).as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
        Poll::Pending => Poll::Pending,
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Patient<C> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Patient { connection, idle, busy, reading, .. } = self.get_mut();
        let moved = Pin::new(connection).poll_read(context, into);
        if moved.is_pending() && busy.load(Ordering::Relaxed) > 0 {
            *reading = None;
            return moved;
        }
        waited(reading, *idle, moved, context)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Patient<C> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Patient { connection, idle, writing, .. } = self.get_mut();
        let moved = Pin::new(connection).poll_write(context, bytes);
        waited(writing, *idle, moved, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Patient { connection, idle, writing, .. } = self.get_mut();
        let moved = Pin::new(connection).poll_write_vectored(context, pieces);
        waited(writing, *idle, moved, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Patient { connection, idle, writing, .. } = self.get_mut();
        let moved = Pin::new(connection).poll_flush(context);
        waited(writing, *idle, moved, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Patient { connection, idle, writing, .. } = self.get_mut();
        let moved = Pin::new(connection).poll_shutdown(context);
        waited(writing, *idle, moved, context)
    }
}

/// Content that somebody sends, who may not pause for ever.
pub(super) fn patiently(content: ByteStream, idle: Duration) -> ByteStream {
    let patient = stream::try_unfold(content, move |mut content| async move {
        match tokio::time::timeout(idle, content.try_next()).await {
            Ok(piece) => Ok(piece?.map(|piece| (piece, content))),
            Err(_) => {
                let detail = format!("nothing more of it came for {} s", idle.as_secs());
                Err(Error::new(Code::Malformed, "take in", "what was sent", detail))
            }
        }
    });
    patient.boxed()
}

/// The body of a request, whose sender may not pause for ever; with `whole`, all of it has to come in that time.
pub(super) fn asked(body: Incoming, idle: Duration, whole: bool) -> Body {
    let end = Instant::now() + idle;
    let frames = stream::try_unfold(body, move |mut body| async move {
        let until = if whole { end } else { Instant::now() + idle };
        match tokio::time::timeout_at(until, body.frame()).await {
            Ok(Some(frame)) => Ok(Some((frame?, body))),
            Ok(None) => Ok(None),
            Err(_) => Err(format!("nothing more of the question came for {} s", idle.as_secs()).into()),
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

/// An answer that ends a moment after the server begins to: whoever has it is told so before.
pub(super) fn until(body: Body, mut ending: watch::Receiver<bool>) -> Body {
    let ended = async move {
        let _ = ending.wait_for(|ending| *ending).await;
        sleep(MOMENT).await;
    };
    StreamBody::new(BodyStream::new(body).take_until(ended)).boxed_unsync()
}

/// An answer with which something is let go when all of it was handed out, or nobody wants it any more.
pub(super) struct Holding<H> {
    body: Body,
    _held: H,
}

impl<H> Holding<H> {
    pub(super) fn new(body: Body, held: H) -> Self {
        Holding { body, _held: held }
    }
}

impl<H: Unpin> hyper::body::Body for Holding<H> {
    type Data = Bytes;
    type Error = distribution::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer whose bytes are got at its reader's pace, who may not take nothing for ever; `held` is let go where it ends. For
/// HTTP/2, whose readers are many on one connection: that of HTTP/1 is watched as a whole.
pub(super) fn pumped<H: Send + 'static>(mut body: Body, idle: Duration, held: H) -> Body {
    let (send, mut sent) = mpsc::channel(1);
    tokio::spawn(async move {
        let _held = held;
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                // Nobody reads any more.
                () = send.closed() => return,
            };
            let Some(frame) = frame else { return };
            if tokio::time::timeout(idle, send.send(frame)).await.is_err() {
                return tracing::debug!("an answer ends that nobody took for {} s", idle.as_secs());
            }
        }
    });
    let frames = stream::poll_fn(move |context| sent.poll_recv(context));
    StreamBody::new(frames).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::timeout;

    use super::*;

    const IDLE: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn who_takes_nothing_of_an_answer_lets_go_of_it() {
        let piece = || Ok(hyper::body::Frame::data(bytes::Bytes::from_static(b"piece")));
        let endless = StreamBody::new(stream::repeat_with(piece)).boxed_unsync();
        let held = Arc::new(());
        let mut body = pumped(endless, IDLE, Arc::clone(&held));
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(Arc::strong_count(&held), 2);
        while Arc::strong_count(&held) > 1 {
            sleep(Duration::from_millis(5)).await;
        }
        let mut left = 0;
        while body.frame().await.is_some() {
            left += 1;
        }
        assert!(left < 3, "it ends");
    }

    #[tokio::test]
    async fn who_neither_asks_nor_takes_is_given_up() {
        let (ours, mut theirs) = duplex(4);
        let busy = Arc::new(AtomicUsize::new(0));
        let mut patient = Patient::new(ours, IDLE, Arc::clone(&busy));
        let mut byte = [0];
        theirs.write_all(b"x").await.unwrap();
        patient.read_exact(&mut byte).await.unwrap();
        busy.store(1, Ordering::Relaxed);
        assert!(timeout(IDLE * 10, patient.read(&mut byte)).await.is_err(), "it is we who are waited for");
        busy.store(0, Ordering::Relaxed);
        assert_eq!(patient.read(&mut byte).await.unwrap_err().kind(), io::ErrorKind::TimedOut);

        let (ours, _theirs) = duplex(4);
        let mut patient = Patient::new(ours, IDLE, Arc::new(AtomicUsize::new(1)));
        patient.write_all(b"four").await.unwrap();
        assert_eq!(patient.write_all(b"more").await.unwrap_err().kind(), io::ErrorKind::TimedOut, "nobody reads");
    }
}

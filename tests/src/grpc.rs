//! A daemon that answers by a script: gRPC on a socket in a folder that goes with it, each call answered with the frames and
//! the end that the script has for its path. It is what a hostile buildkitd or containerd is played with.
//!
//! Every call is written down. The daemon ends with its [`Daemon`].

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Response};
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};

/// What the daemon does after its last frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Ends as gRPC asks, with this status.
    Status(u16, &'static str),
    /// Sends the same frames again, for ever.
    Again,
    /// Says no more.
    Silence,
    /// Hangs up.
    Gone,
}

/// How a call is answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Messages, without gRPC's frame.
    pub messages: Vec<Vec<u8>>,
    /// What comes after them.
    pub end: End,
}

impl Answer {
    /// These messages, and a good end.
    pub fn of(messages: impl IntoIterator<Item = Vec<u8>>) -> Answer {
        Answer { messages: messages.into_iter().collect(), end: End::Status(0, "") }
    }

    /// No message.
    pub fn status(code: u16, said: &'static str) -> Answer {
        Answer { messages: Vec::new(), end: End::Status(code, said) }
    }

    /// The same with another end.
    #[must_use]
    pub fn then(mut self, end: End) -> Answer {
        self.end = end;
        self
    }
}

/// What is said to each path.
pub type Script = HashMap<&'static str, Answer>;

/// A daemon that runs.
pub struct Daemon {
    folder: TempDir,
    asked: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Daemon {
    /// Starts it on the current runtime. A path that the script does not have is answered `unimplemented`.
    pub fn start(script: Script) -> Daemon {
        let folder = tempfile::tempdir().expect("a folder for the socket");
        let listener = UnixListener::bind(folder.path().join("sock")).expect("a socket");
        let (asked, script) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(script));
        let shared = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            // Each connection ends with its client, or with this runtime.
            while let Ok((connection, _)) = listener.accept().await {
                let (script, asked) = (Arc::clone(&script), Arc::clone(&shared));
                tokio::spawn(async move { serve(connection, &script, &asked).await });
            }
        });
        Daemon { folder, asked, task }
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("sock")
    }

    /// The paths of every call so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("what was asked").clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An error is a client that went away, which is its right.
async fn serve(connection: UnixStream, script: &Script, asked: &Mutex<Vec<String>>) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(connection).await?;
    while let Some(call) = connection.accept().await {
        let (request, respond) = call?;
        let path = request.uri().path().to_owned();
        let answer = script.get(path.as_str()).cloned().unwrap_or(Answer::status(12, "unknown method"));
        asked.lock().expect("what was asked").push(path);
        if answer.end == End::Gone && answer.messages.is_empty() {
            return Ok(());
        }
        tokio::spawn(async move {
            let _ = reply(respond, answer).await;
        });
    }
    Ok(())
}

async fn reply(mut respond: SendResponse<Bytes>, answer: Answer) -> Result<(), h2::Error> {
    let head = Response::builder().header("content-type", "application/grpc").body(()).expect("a response");
    let mut body = respond.send_response(head, false)?;
    loop {
        for message in &answer.messages {
            let mut frame = BytesMut::with_capacity(message.len() + 5);
            frame.put_u8(0);
            frame.put_u32(message.len() as u32);
            frame.put_slice(message);
            let mut frame = frame.freeze();
            while !frame.is_empty() {
                body.reserve_capacity(frame.len());
                let room = std::future::poll_fn(|cx| body.poll_capacity(cx)).await;
                let Some(room) = room.transpose()? else { return Ok(()) };
                body.send_data(frame.split_to(room.min(frame.len())), false)?;
            }
        }
        match answer.end {
            End::Again => {}
            End::Silence => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                return Ok(());
            }
            End::Gone => {
                body.send_reset(h2::Reason::INTERNAL_ERROR);
                return Ok(());
            }
            End::Status(code, said) => {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from(code));
                trailers.insert("grpc-message", HeaderValue::from_static(said));
                return body.send_trailers(trailers);
            }
        }
    }
}

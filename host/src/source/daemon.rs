//! Daemons that hold images and answer by gRPC: where they listen (`address`), how they are connected to (`connect`), and
//! the content store that containerd and BuildKit have in common (`content`).
//!
//! Whatever a daemon sends is foreign: messages have a size, answers a time within which they come, and content is compared
//! with its digest. Nothing is ever changed: the only calls that there are here list and read.
//!
//! Not here: what a daemon calls its images, which `buildkit` and `containerd` say.

mod address;
mod connect;
pub(super) mod content;
pub(super) mod proto;

use std::error::Error as _;

use http::uri::PathAndQuery;
use portolan_oci::text;
use prost::Message;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

pub use self::address::{Address, InvalidAddress, Tls};
use self::connect::Aside;
use crate::error::{Code, Error, Result};

/// The largest message, gRPC's own default: content comes in pieces of a mebibyte or less, and a list of images has room for
/// ten thousand. What is made of a message may be fifty times as large.
const MESSAGE: usize = 4 << 20;
/// What of a daemon's own words a message shows, in bytes.
const SHOWN: usize = 300;
/// What a namespace of containerd is called in a request.
const NAMESPACE: &str = "containerd-namespace";

/// A daemon, connected to when it is first asked.
#[derive(Debug)]
pub(super) struct Daemon {
    address: Address,
    /// Of containerd.
    namespace: Option<AsciiMetadataValue>,
    connection: OnceCell<(Channel, Aside)>,
}

impl Daemon {
    pub(super) fn new(address: Address) -> Self {
        Daemon { address, namespace: None, connection: OnceCell::new() }
    }

    /// Everything is asked of one namespace; `None` where that can be no name of one.
    pub(super) fn with_namespace(mut self, namespace: &str) -> Option<Self> {
        self.namespace = Some(namespace.parse().ok()?);
        Some(self)
    }

    /// Asks for one message.
    pub(super) async fn call<M, R>(&self, path: &'static str, message: M, trying: Trying<'_>) -> Result<R>
    where
        M: Message + 'static,
        R: Message + Default + 'static,
    {
        let mut client = self.client(trying).await?;
        let asked = client.unary(self.request(message), PathAndQuery::from_static(path), ProstCodec::<M, R>::default());
        match timeout(self.address.patience, asked).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(self.refused(&status, trying).await),
            Err(_) => Err(self.silent(trying)),
        }
    }

    /// Asks for a stream of messages.
    pub(super) async fn stream<M, R>(&self, path: &'static str, message: M, trying: Trying<'_>) -> Result<Streaming<R>>
    where
        M: Message + 'static,
        R: Message + Default + 'static,
    {
        let mut client = self.client(trying).await?;
        let codec = ProstCodec::<M, R>::default();
        let asked = client.server_streaming(self.request(message), PathAndQuery::from_static(path), codec);
        match timeout(self.address.patience, asked).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(self.refused(&status, trying).await),
            Err(_) => Err(self.silent(trying)),
        }
    }

    /// The next message of a stream; `None` after the last one.
    pub(super) async fn next<R>(&self, stream: &mut Streaming<R>, trying: Trying<'_>) -> Result<Option<R>> {
        match timeout(self.address.patience, stream.message()).await {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(status)) => Err(self.refused(&status, trying).await),
            Err(_) => Err(self.silent(trying)),
        }
    }

    async fn client(&self, trying: Trying<'_>) -> Result<Grpc<Channel>> {
        let (channel, _) = self.connection.get_or_try_init(|| connect::connect(&self.address)).await?;
        let mut client = Grpc::new(channel.clone()).max_decoding_message_size(MESSAGE);
        match timeout(self.address.patience, client.ready()).await {
            Ok(Ok(())) => Ok(client),
            Ok(Err(error)) => Err(self.fail(Code::Unavailable, trying, connect::chain(&error)).retryable()),
            Err(_) => Err(self.silent(trying)),
        }
    }

    fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(namespace) = &self.namespace {
            request.metadata_mut().insert(NAMESPACE, namespace.clone());
        }
        request
    }

    async fn refused(&self, status: &Status, trying: Trying<'_>) -> Error {
        if let Some(cause) = status.source().map(connect::chain) {
            // Not the daemon's words: what it sent is no HTTP/2, or it went away.
            let said = match self.connection.get() {
                Some((_, aside)) => aside.said().await,
                None => None,
            };
            return match said {
                Some(said) => self.fail(Code::Unavailable, trying, said),
                None => {
                    let error = self.fail(Code::Unavailable, trying, cause);
                    error.with_hint(connect::hint(&self.address))
                }
            };
        }
        let said = match status.message() {
            _ if status.code() == tonic::Code::NotFound => "it is not there".to_owned(),
            "" => status.code().description().to_owned(),
            said => text::line(text::at_most(said, SHOWN)).into_owned(),
        };
        let error = self.fail(code(status.code()), trying, said);
        match status.code() {
            tonic::Code::Unavailable | tonic::Code::ResourceExhausted | tonic::Code::Aborted => error.retryable(),
            tonic::Code::Unimplemented => {
                error.with_hint("it is another kind of daemon, or older than what is asked of it")
            }
            _ => error,
        }
    }

    fn silent(&self, trying: Trying<'_>) -> Error {
        self.fail(Code::Unavailable, trying, format!("nothing came for {:?}", self.address.patience)).retryable()
    }

    /// The error of a question to this daemon.
    pub(super) fn fail(&self, code: Code, trying: Trying<'_>, detail: impl Into<String>) -> Error {
        Error::new(code, trying.operation, trying.subject, detail).with_host(self.address.to_string())
    }
}

/// What is being done on what, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trying<'a> {
    pub operation: &'static str,
    pub subject: &'a str,
}

fn code(code: tonic::Code) -> Code {
    match code {
        tonic::Code::NotFound => Code::NotFound,
        tonic::Code::PermissionDenied => Code::Forbidden,
        tonic::Code::Unauthenticated => Code::Unauthorized,
        tonic::Code::Unimplemented => Code::Unsupported,
        tonic::Code::ResourceExhausted | tonic::Code::OutOfRange => Code::TooLarge,
        tonic::Code::Unavailable | tonic::Code::DeadlineExceeded | tonic::Code::Aborted | tonic::Code::Cancelled => {
            Code::Unavailable
        }
        _ => Code::Other,
    }
}

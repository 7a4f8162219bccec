//! Connecting to a daemon: a socket, TCP with or without TLS, or the standard streams of a program that reaches it.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use portolan_oci::text;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tower::service_fn;

use super::address::{Address, At, Tls};
use crate::error::{Code, Error, Result};
use crate::source::file;

const OPERATION: &str = "reach the daemon";
/// What BuildKit's own program in a container is told.
const DIAL: [&str; 2] = ["buildctl", "dial-stdio"];

/// Both ways of a connection.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What a program that we reach a daemon by has said on the side, as much of it as is shown. Other ways say nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Aside(Option<Arc<Mutex<Vec<u8>>>>);

const ASIDE: usize = 300;
/// A program that ends says why and hangs up, and the one may be seen before the other.
const MOMENT: Duration = Duration::from_millis(50);
const MOMENTS: usize = 20;

impl Aside {
    /// What there is, waited for a moment.
    pub(super) async fn said(&self) -> Option<String> {
        let bytes = self.0.as_ref()?;
        for _ in 0..MOMENTS {
            let said = String::from_utf8_lossy(&bytes.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
            if !said.trim().is_empty() {
                return Some(text::line(said.trim()).into_owned());
            }
            tokio::time::sleep(MOMENT).await;
        }
        None
    }
}

/// Connects once; a connection that is lost stays lost.
pub(super) async fn connect(address: &Address) -> Result<(Channel, Aside)> {
    let patience = address.patience;
    let (stream, aside) = timeout(patience, open(address)).await.unwrap_or_else(|_| {
        let detail = format!("nothing came for {patience:?}");
        Err(Error::new(Code::Unavailable, OPERATION, address.to_string(), detail).retryable())
    })?;
    let fail = |detail: String| Error::new(Code::Unavailable, OPERATION, address.to_string(), detail);
    let endpoint = endpoint(address)?;
    // It is opened already, so that what is wrong with it was said in its own words.
    let mut stream = Some(TokioIo::new(stream));
    let connector = service_fn(move |_| {
        let stream = stream.take().ok_or_else(|| io::Error::new(io::ErrorKind::BrokenPipe, "the connection was lost"));
        std::future::ready(stream)
    });
    match timeout(patience, endpoint.connect_with_connector(connector)).await {
        Ok(Ok(channel)) => Ok((channel, aside)),
        Ok(Err(error)) => Err(match aside.said().await {
            Some(said) => fail(said),
            None => fail(chain(&error)).with_hint(hint(address)),
        }),
        Err(_) => Err(fail(format!("nothing came for {patience:?}")).retryable()),
    }
}

/// What may be wrong where a daemon does not speak as one should.
pub(super) fn hint(address: &Address) -> &'static str {
    match &address.at {
        At::Tcp(_, None) => "a daemon that wants TLS is described by a builder: --builder NAME",
        _ => "is it a daemon of this kind that listens there?",
    }
}

/// What an error says, with what caused it.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

async fn open(address: &Address) -> Result<(Box<dyn Stream>, Aside)> {
    let fail = |code, detail: String| Error::new(code, OPERATION, address.to_string(), detail);
    match &address.at {
        At::Unix(path) => match UnixStream::connect(path).await {
            Ok(stream) => Ok((Box::new(stream), Aside::default())),
            Err(error) => Err(match error.kind() {
                io::ErrorKind::NotFound => fail(Code::Unavailable, "there is no such socket".into()).with_hint(
                    "is the daemon running? BUILDKIT_HOST or --builder, and CONTAINERD_ADDRESS, name others",
                ),
                io::ErrorKind::PermissionDenied => fail(Code::Forbidden, "no permission to use its socket".into())
                    .with_hint("its owner is often root, or a group that one has to be in"),
                io::ErrorKind::ConnectionRefused if is_socket(path) => {
                    fail(Code::Unavailable, "nobody listens at its socket".into()).with_hint("is the daemon running?")
                }
                io::ErrorKind::ConnectionRefused => fail(Code::Unavailable, "it is no socket".into()),
                _ => fail(Code::Unavailable, error.to_string()),
            }),
        },
        At::Tcp(authority, _) => match TcpStream::connect(authority).await {
            Ok(stream) => Ok((Box::new(stream), Aside::default())),
            Err(error) => Err(fail(Code::Unavailable, error.to_string()).retryable()),
        },
        At::Container { runtime, options, name } => {
            let (program, aside) = Program::start(runtime, options, name).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => fail(Code::Unavailable, format!("there is no program {runtime} here")),
                _ => fail(Code::Unavailable, format!("{runtime} does not start: {error}")),
            })?;
            Ok((Box::new(program), aside))
        }
    }
}

fn is_socket(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// The URI is for TLS and for the header `:authority`; nothing is looked up by it.
fn endpoint(address: &Address) -> Result<Endpoint> {
    let fail = |detail: String| Error::new(Code::Other, OPERATION, address.to_string(), detail);
    let endpoint = |uri: String| Endpoint::from_shared(uri).map_err(|error| fail(chain(&error)));
    match &address.at {
        At::Tcp(authority, Some(tls)) => {
            let config = config(tls).map_err(fail)?;
            endpoint(format!("https://{authority}"))?.tls_config(config).map_err(|error| fail(chain(&error)))
        }
        At::Tcp(authority, None) => endpoint(format!("http://{authority}")),
        At::Unix(_) | At::Container { .. } => endpoint("http://localhost".into()),
    }
}

fn config(tls: &Tls) -> std::result::Result<ClientTlsConfig, String> {
    let read = |path: &Path| match file::read(path) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(format!("{}: there is no such file", path.display())),
        Err(why) => Err(why),
    };
    let mut config = ClientTlsConfig::new();
    match &tls.ca {
        Some(file) => config = config.ca_certificate(Certificate::from_pem(read(file)?)),
        None => config = config.with_native_roots(),
    }
    if let Some((certificate, key)) = &tls.certificate {
        config = config.identity(Identity::from_pem(read(certificate)?, read(key)?));
    }
    Ok(match &tls.server_name {
        Some(name) => config.domain_name(name),
        None => config,
    })
}

/// A program whose standard streams are the connection; it is ended with it.
struct Program {
    input: ChildStdin,
    output: ChildStdout,
    _child: Child,
}

impl Program {
    fn start(runtime: &str, options: &[String], name: &str) -> io::Result<(Program, Aside)> {
        let mut child = Command::new(runtime)
            .args(options)
            .args(["exec", "-i", name])
            .args(DIAL)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(input), Some(output), Some(errors)) => {
                let said = Arc::<Mutex<Vec<u8>>>::default();
                tokio::spawn(listen(errors, Arc::clone(&said)));
                Ok((Program { input, output, _child: child }, Aside(Some(said))))
            }
            _ => Err(io::Error::other("it has no standard streams")),
        }
    }
}

/// Keeps the beginning of what is said on the side, and lets the rest go by.
async fn listen(errors: ChildStderr, said: Arc<Mutex<Vec<u8>>>) -> io::Result<()> {
    let mut errors = BufReader::new(errors);
    loop {
        let bytes = errors.fill_buf().await?;
        if bytes.is_empty() {
            return Ok(());
        }
        let read = bytes.len();
        let mut kept = said.lock().unwrap_or_else(PoisonError::into_inner);
        let room = ASIDE.saturating_sub(kept.len()).min(read);
        kept.extend_from_slice(bytes.get(..room).unwrap_or_default());
        drop(kept);
        errors.consume(read);
    }
}

impl AsyncRead for Program {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Program {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.input).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(cx)
    }
}

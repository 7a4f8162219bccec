//! Sockets: who comes in, over what, how many, and how they are seen off.
//!
//! One socket serves both doors: HTTP/1.1 and HTTP/2, which gRPC wants, are told apart by their first bytes. Whoever is too
//! many is told so and closed; whoever neither sends nor takes anything is closed after a while. When the server ends, nobody
//! new comes in, and what is under way has some time to come to its end.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::pki_types::CertificateDer;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::caller::Peer;
use super::distribution::Body;
use super::metrics::Counted;
use super::patient::{Holding, Patient};
use super::server::{Server, Tls};

/// Until the head of a request is there, and until TLS stands.
const HEAD: Duration = Duration::from_secs(10);
/// A request's head has no more bytes, and no more headers.
const HEAD_BYTES: usize = 32 << 10;
const HEADERS: usize = 64;
/// Requests side by side on one connection of HTTP/2.
const STREAMS: u32 = 64;
/// Those who come while nobody is let in, as far as the kernel goes along (`net.core.somaxconn`).
const WAITING: u32 = 4_096;
/// Connections of those who run it.
const OPERATORS: usize = 64;
/// How long those are waited for, when all else has ended.
const LAST: Duration = Duration::from_secs(1);
/// What who is too many is told.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Where to listen: `127.0.0.1:5000`, `[::]:5000`, `unix:/run/portolan.sock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix socket, which is made, and is there for this user alone.
    Unix(PathBuf),
}

/// A text that is no [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no address to listen on; write IP:PORT or unix:PATH")]
pub struct InvalidAddress(String);

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        match text.strip_prefix("unix:") {
            Some("") => Err(InvalidAddress(text.to_owned())),
            Some(path) => Ok(Address::Unix(path.into())),
            None => text.parse().map(Address::Tcp).map_err(|_| InvalidAddress(text.to_owned())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

enum Socket {
    Tcp(TcpListener),
    /// With its file.
    Unix {
        listener: UnixListener,
        _made: Made,
    },
}

/// A unix socket's file, which goes with its listener.
struct Made(PathBuf);

impl Drop for Made {
    fn drop(&mut self) {
        // Somebody may have been faster.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What is asked on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Both doors.
    Callers,
    /// How it is doing, for who runs it.
    Operators,
}

/// A server with its sockets, to be served.
pub struct Bound {
    server: Server,
    sockets: Vec<(Socket, Side)>,
    addresses: Vec<Address>,
}

impl Server {
    /// Opens the sockets for callers. Those who come wait until it is [served](Bound::serve).
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub async fn bind(self, addresses: &[Address]) -> io::Result<Bound> {
        let mut bound = Bound { server: self, sockets: Vec::new(), addresses: Vec::new() };
        for address in addresses {
            bound.open(address, Side::Callers).await?;
        }
        Ok(bound)
    }
}

impl Bound {
    /// Opens a socket for who runs it: `/metrics`, `/livez`, `/readyz`. It asks nobody who they are.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub async fn operators(mut self, address: &Address) -> io::Result<Bound> {
        self.open(address, Side::Operators).await?;
        Ok(self)
    }

    async fn open(&mut self, address: &Address, side: Side) -> io::Result<()> {
        let told = |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"));
        let (socket, found) = match address {
            Address::Tcp(address) => {
                let socket = tcp(*address).map_err(told)?;
                let found = socket.local_addr().map_err(told)?;
                (Socket::Tcp(socket), Address::Tcp(found))
            }
            Address::Unix(path) => (unix(path).map_err(told)?, address.clone()),
        };
        self.sockets.push((socket, side));
        self.addresses.push(found);
        Ok(())
    }

    /// Where it listens, in the order in which the sockets were opened: a port that was 0 is the one that was free.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The server, whose callers and certificates may be changed while it serves.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Answers until `end`, and then until what is under way has come to its end, or has had its time.
    pub async fn serve(self, end: impl Future<Output = ()>) {
        let Bound { server, sockets, .. } = self;
        let (ending, ended) = watch::channel(false);
        // Who runs it is told how it is doing to the end, however many call.
        let (closing, closed) = watch::channel(false);
        let places = Arc::new(Semaphore::new(server.bounds().connections));
        let others = Arc::new(Semaphore::new(OPERATORS));
        let (mut listeners, mut operators) = (JoinSet::new(), JoinSet::new());
        for (socket, side) in sockets {
            match side {
                Side::Callers => {
                    listeners.spawn(listen(server.clone(), socket, side, Arc::clone(&places), ended.clone()))
                }
                Side::Operators => {
                    operators.spawn(listen(server.clone(), socket, side, Arc::clone(&others), closed.clone()))
                }
            };
        }
        tokio::select! {
            () = end => {}
            () = server.tidy() => {}
        }
        server.end().await;
        // Nobody listens any more once all have gone.
        let _ = ending.send(true);
        let grace = server.bounds().grace;
        let done = tokio::time::timeout(grace, async { while listeners.join_next().await.is_some() {} }).await;
        if done.is_err() {
            tracing::warn!("what was still under way after {} s is cut off", grace.as_secs());
        }
        let _ = closing.send(true);
        let gone = async { while operators.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LAST, gone).await;
    }
}

/// A socket at which many may come at once: with the queue that sockets have by themselves, one second is lost by every caller
/// beyond the first 128.
fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Whoever is started again need not wait for the connections of before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// A socket that only this user may connect to. One that nobody listens on any more is in the way of nobody.
fn unix(path: &Path) -> io::Result<Socket> {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    let left = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if left {
        std::fs::remove_file(path)?;
    }
    let socket = UnixListener::bind(path)?;
    let made = Made(path.to_owned());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(Socket::Unix { listener: socket, _made: made })
}

/// Takes in who comes.
async fn listen(server: Server, socket: Socket, side: Side, places: Arc<Semaphore>, mut ended: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let come = tokio::select! {
            come = accept(&socket) => come,
            () = over(&mut ended) => break,
        };
        let (connection, peer) = match come {
            Ok(come) => come,
            // No more files, or somebody who was gone before we looked: both pass.
            Err(error) => {
                tracing::debug!("nobody came in: {error}");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            server.metrics().shed.fetch_add(1, Ordering::Relaxed);
            connections.spawn(turn_away(connection));
            continue;
        };
        let (server, ended) = (server.clone(), ended.clone());
        connections.spawn(async move {
            let _counted = Counted::new(server.metrics(), |metrics| &metrics.connections);
            match connection {
                Connection::Tcp(stream) => match server.tls() {
                    Some(tls) if side == Side::Callers => secured(server, tls, stream, ended).await,
                    _ => answer(server, stream, peer, side, ended).await,
                },
                Connection::Unix(stream) => answer(server, stream, peer, side, ended).await,
            }
            drop(place);
        });
    }
    drop(socket);
    while connections.join_next().await.is_some() {}
}

/// Waits for the end.
async fn over(ended: &mut watch::Receiver<bool>) {
    let _ = ended.wait_for(|ended| *ended).await;
}

enum Connection {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

async fn accept(socket: &Socket) -> io::Result<(Connection, Peer)> {
    match socket {
        Socket::Tcp(socket) => {
            let (stream, _) = socket.accept().await?;
            // An answer's last piece must not wait for more.
            stream.set_nodelay(true)?;
            Ok((Connection::Tcp(stream), Peer::default()))
        }
        Socket::Unix { listener, .. } => {
            let (stream, _) = listener.accept().await?;
            let uid = stream.peer_cred()?.uid();
            Ok((Connection::Unix(stream), Peer { uid: Some(uid), ..Peer::default() }))
        }
    }
}

/// There are too many.
async fn turn_away(connection: Connection) {
    let told = async {
        match connection {
            Connection::Tcp(mut stream) => stream.write_all(FULL).await,
            Connection::Unix(mut stream) => stream.write_all(FULL).await,
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), told).await;
}

/// A connection over TLS.
async fn secured(server: Server, tls: Arc<Tls>, stream: tokio::net::TcpStream, ended: watch::Receiver<bool>) {
    let acceptor = TlsAcceptor::from(tls);
    let stream = match tokio::time::timeout(HEAD, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!("TLS did not come to stand: {error}"),
        Err(_) => return tracing::debug!("TLS did not come to stand in time"),
    };
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).map(names).unwrap_or_default();
    answer(server, stream, Peer { certificate, uid: None }, Side::Callers, ended).await;
}

/// The DNS names of a certificate that was verified.
fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    match webpki::EndEntityCert::try_from(certificate) {
        Ok(certificate) => certificate.valid_dns_names().map(str::to_owned).collect(),
        Err(_) => Vec::new(),
    }
}

/// A question that is being answered.
struct Busy(Arc<AtomicUsize>);

impl Busy {
    fn new(busy: &Arc<AtomicUsize>) -> Busy {
        busy.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(busy))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers all that is asked on one connection.
async fn answer<C>(server: Server, connection: C, peer: Peer, side: Side, mut ended: watch::Receiver<bool>)
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES).max_headers(HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES as u32)
        .keep_alive_interval(server.bounds().idle / 2);
    let busy = Arc::new(AtomicUsize::new(0));
    let connection = Patient::new(connection, server.bounds().idle, Arc::clone(&busy));
    let peer = Arc::new(peer);
    let service = service_fn(move |request: Request<Incoming>| {
        let (server, peer, busy) = (server.clone(), Arc::clone(&peer), Arc::clone(&busy));
        async move {
            let busy = Busy::new(&busy);
            let answer = server.answer(side, &peer, request).await;
            // Until all of it was handed out.
            let answer = answer.map(|body| Holding::new(body, busy).boxed_unsync());
            Ok::<Response<Body>, std::convert::Infallible>(answer)
        }
    });
    let connection = builder.serve_connection(TokioIo::new(connection), service);
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = over(&mut ended) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!("a connection ends: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for text in ["127.0.0.1:5000", "[::1]:80", "unix:/run/p.sock", "unix:p.sock"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in ["", "5000", "localhost:5000", "unix:", "127.0.0.1"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_socket_that_nobody_listens_on_is_made_anew() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.sock");
        let first = unix(&path).unwrap();
        assert!(unix(&path).is_err(), "somebody listens there");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(first);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        unix(&path).unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "not ours").unwrap();
        assert!(unix(&file).is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"not ours");
    }
}

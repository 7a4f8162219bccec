//! One request and its answer over `wasi:http`: bounded in size and in time, without redirects.
//!
//! Not here: which URL may be asked, and what an answer means.

use url::Url;
use wasip2::clocks::monotonic_clock::now;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

const SECOND: u64 = 1_000_000_000;
/// Until a connection is there.
const CONNECT: u64 = 10 * SECOND;
/// Until an answer starts, and between its pieces.
const IDLE: u64 = 60 * SECOND;
/// For one request with all of its answer.
const ALL: u64 = 300 * SECOND;
/// What is read at a time.
const PIECE: u64 = 1 << 20;

/// What is wanted of an answer's body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Take {
    /// Nothing: only its head is asked for.
    Head,
    /// All of it, if it is no larger than this.
    All(u64),
    /// So many bytes from an offset, which a server that knows no ranges sends everything before, too.
    Part { offset: u64, length: u64 },
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The values of a header that are text, by its name in lower case.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The first of them, else nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The network, or whoever answered.
    Unavailable(String),
    /// There is more of it than was to be read.
    TooLarge(u64),
}

impl From<ErrorCode> for Fault {
    fn from(code: ErrorCode) -> Self {
        let said = match code {
            ErrorCode::DnsTimeout | ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => {
                "there is no such host".to_owned()
            }
            ErrorCode::ConnectionRefused => "the connection was refused".to_owned(),
            ErrorCode::TlsCertificateError => "its certificate is not trusted".to_owned(),
            ErrorCode::HttpRequestDenied => "the runtime lets nothing out (`wasmtime run -S http` does)".to_owned(),
            ErrorCode::ConnectionTimeout | ErrorCode::HttpResponseTimeout | ErrorCode::ConnectionReadTimeout => {
                "it takes too long".to_owned()
            }
            other => format!("{other:?}"),
        };
        Fault::Unavailable(said)
    }
}

/// Asks, by GET or, where only the head is wanted, by HEAD.
pub(crate) fn send(url: &Url, headers: &[(&str, String)], take: Take) -> Result<Answer, Fault> {
    let refused = |what: &str| Fault::Unavailable(format!("the runtime takes no {what}"));
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value.as_bytes()).map_err(|_| refused(name))?;
    }
    let request = OutgoingRequest::new(fields);
    let method = if matches!(take, Take::Head) { Method::Head } else { Method::Get };
    let scheme = if url.scheme() == "http" { Scheme::Http } else { Scheme::Https };
    let authority = authority(url);
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    request.set_method(&method).map_err(|()| refused("method"))?;
    request.set_scheme(Some(&scheme)).map_err(|()| refused("scheme"))?;
    request.set_authority(Some(&authority)).map_err(|()| refused("host"))?;
    request.set_path_with_query(Some(&path)).map_err(|()| refused("path"))?;
    let options = RequestOptions::new();
    // Where a runtime has no time-outs, it has its own end.
    let _ = options.set_connect_timeout(Some(CONNECT));
    let _ = options.set_first_byte_timeout(Some(IDLE));
    let _ = options.set_between_bytes_timeout(Some(IDLE));
    let until = now().saturating_add(ALL);
    let response = wait(&outgoing_handler::handle(request, Some(options))?)?;
    let status = response.status();
    let headers = response.headers().entries();
    let body = body(&response, take, status, until)?;
    Ok(Answer { status, headers, body })
}

/// `host[:port]`.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn wait(future: &FutureIncomingResponse) -> Result<IncomingResponse, Fault> {
    loop {
        match future.get() {
            Some(Ok(answered)) => return answered.map_err(Fault::from),
            Some(Err(())) => return Err(Fault::Unavailable("the answer was taken twice".into())),
            None => future.subscribe().block(),
        }
    }
}

fn body(response: &IncomingResponse, take: Take, status: u16, until: u64) -> Result<Vec<u8>, Fault> {
    let (mut skip, most, whole) = match take {
        Take::Head => return Ok(Vec::new()),
        Take::All(limit) => (0, limit, true),
        Take::Part { offset, length } => (if status == 200 { offset } else { 0 }, length, false),
    };
    let broken = |()| Fault::Unavailable("the answer has no body".into());
    let body = response.consume().map_err(broken)?;
    let stream = body.stream().map_err(broken)?;
    let mut all: Vec<u8> = Vec::new();
    loop {
        if now() > until {
            return Err(Fault::Unavailable("the answer takes too long".into()));
        }
        let mut piece = match stream.blocking_read(PIECE) {
            Ok(piece) => piece,
            Err(StreamError::Closed) => return Ok(all),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(Fault::Unavailable(format!("the answer broke off: {}", error.to_debug_string())));
            }
        };
        let skipped = skip.min(piece.len() as u64);
        skip -= skipped;
        piece.drain(..usize::try_from(skipped).unwrap_or(piece.len()));
        let room = most - all.len() as u64;
        if piece.len() as u64 > room {
            if whole {
                return Err(Fault::TooLarge(most));
            }
            piece.truncate(usize::try_from(room).unwrap_or_default());
        }
        all.append(&mut piece);
        if !whole && all.len() as u64 == most {
            return Ok(all);
        }
    }
}

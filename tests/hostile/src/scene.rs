//! A scene: requests of one kind, and what is done about them. Only values; `server` plays them.

use std::sync::Arc;
use std::time::Duration;

use crate::request::Request;

/// How the body's length is told.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Framing {
    Length(Option<usize>),
    Chunked,
    UntilClose,
}

/// Requests of one kind and what is done about them.
#[derive(Debug, Clone)]
pub struct Scene {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) when: Option<(&'static str, Option<String>)>,
    pub(crate) times: usize,
    pub(crate) delay: Duration,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Arc<[u8]>,
    pub(crate) framing: Framing,
    pub(crate) cut: Option<usize>,
    pub(crate) cut_head: Option<usize>,
    pub(crate) drip: Option<Duration>,
    pub(crate) repeated: usize,
    pub(crate) hang: bool,
    pub(crate) takes: Takes,
    pub(crate) ranges: bool,
}

/// How much of a request's body is read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Takes {
    All,
    /// So many bytes; then the connection is closed.
    Some(u64),
    /// None before the answer; then the connection is closed.
    Nothing,
}

/// The scene of requests with this method (`*` for any) and path; a path that ends in `*` is a beginning. It answers 200.
pub fn on(method: &'static str, path: impl Into<String>) -> Scene {
    Scene {
        method,
        path: path.into(),
        when: None,
        times: usize::MAX,
        delay: Duration::ZERO,
        status: 200,
        headers: Vec::new(),
        body: Arc::new([]),
        framing: Framing::Length(None),
        cut: None,
        cut_head: None,
        drip: None,
        repeated: 1,
        hang: false,
        takes: Takes::All,
        ranges: false,
    }
}

impl Scene {
    /// Plays for one request only.
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Plays for so many requests; later ones fall through to the scenes after it.
    pub fn times(self, times: usize) -> Self {
        Scene { times, ..self }
    }

    /// Plays only where this header (lower case) is exactly this.
    pub fn when(self, header: &'static str, value: impl Into<String>) -> Self {
        Scene { when: Some((header, Some(value.into()))), ..self }
    }

    /// Plays only where this header (lower case) is absent.
    pub fn without(self, header: &'static str) -> Self {
        Scene { when: Some((header, None)), ..self }
    }

    /// Waits before it answers.
    pub fn delay(self, delay: Duration) -> Self {
        Scene { delay, ..self }
    }

    /// The answer's status.
    pub fn status(self, status: u16) -> Self {
        Scene { status, ..self }
    }

    /// One more header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The body, sent with its length.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Scene { body: body.into().into(), ..self }
    }

    /// Lies: `Content-Length` is this, whatever the body has.
    pub fn claim(self, length: usize) -> Self {
        Scene { framing: Framing::Length(Some(length)), ..self }
    }

    /// Sends the body in chunks, without a `Content-Length`.
    pub fn chunked(self) -> Self {
        Scene { framing: Framing::Chunked, ..self }
    }

    /// Sends no length at all: the body ends where the connection does.
    pub fn until_close(self) -> Self {
        Scene { framing: Framing::UntilClose, ..self }
    }

    /// Closes the connection after so many bytes of the body.
    pub fn cut(self, after: usize) -> Self {
        Scene { cut: Some(after), ..self }
    }

    /// Closes the connection after so many bytes of the head.
    pub fn cut_head(self, after: usize) -> Self {
        Scene { cut_head: Some(after), ..self }
    }

    /// Sends one byte of the body at a time.
    pub fn drip(self, pause: Duration) -> Self {
        Scene { drip: Some(pause), ..self }
    }

    /// Sends the body so many times over, as if it were one.
    pub fn repeated(self, times: usize) -> Self {
        Scene { repeated: times, ..self }
    }

    /// Sends the body again and again, in chunks.
    pub fn endless(self) -> Self {
        Scene { repeated: usize::MAX, framing: Framing::Chunked, ..self }
    }

    /// Never answers.
    pub fn hang(self) -> Self {
        Scene { hang: true, ..self }
    }

    /// Reads so many bytes of the request's body and closes the connection.
    pub fn takes(self, bytes: u64) -> Self {
        Scene { takes: Takes::Some(bytes), ..self }
    }

    /// Answers without reading the request's body, and closes the connection when that has come.
    pub fn early(self) -> Self {
        Scene { takes: Takes::Nothing, ..self }
    }

    /// Answers a question for a range with that part of the body, as registries do.
    pub fn ranges(self) -> Self {
        Scene { ranges: true, ..self }
    }

    /// Whether its answer comes a byte at a time.
    pub fn drips(&self) -> bool {
        self.drip.is_some()
    }

    /// What this scene is for a request with a range.
    pub(crate) fn for_range(mut self, request: &Request) -> Self {
        let range = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let whole = self.body.len();
        if let (true, Some((first, last))) = (self.ranges, range) {
            let part = |text: &str| text.parse().unwrap_or(whole).min(whole);
            let (first, end) = (part(first), part(last).saturating_add(1).min(whole));
            self = self.status(206).header("Content-Range", format!("bytes {first}-{}/{whole}", end.saturating_sub(1)));
            self.body = self.body.get(first..end).unwrap_or_default().into();
        }
        self
    }

    pub(crate) fn fits(&self, request: &Request) -> bool {
        let path = match self.path.strip_suffix('*') {
            Some(beginning) => request.path.starts_with(beginning),
            None => request.path == self.path,
        };
        let header = match &self.when {
            Some((name, value)) => request.header(name) == value.as_deref(),
            None => true,
        };
        self.times > 0 && path && header && (self.method == "*" || self.method == request.method)
    }
}

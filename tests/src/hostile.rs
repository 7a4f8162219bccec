//! A registry that plays a script: it delays, cuts, lies and points elsewhere exactly as it was told, and writes down
//! every request with its headers and the beginning of its body.
//!
//! A script is a list of [`Scene`]s, each a value that reads as a sentence:
//!
//! ```no_run
//! use portolan_tests::hostile::{Hostile, on};
//!
//! let registry = Hostile::play(vec![
//!     on("HEAD", "/v2/app/manifests/1").status(405),
//!     on("GET", "/v2/app/manifests/1").once().body("{}").cut(1),
//!     on("GET", "/v2/app/manifests/*").header("Location", "http://{host}/elsewhere").status(307),
//! ]);
//! println!("{}", registry.host());
//! assert_eq!(registry.requests().len(), 0);
//! ```
//!
//! The first scene that fits a request answers it; what fits none is answered with 404. In headers, `{host}` stands for
//! the server's own `127.0.0.1:PORT`, `{target}` for the path and query that were asked for, `{query}` for the query. Not here: anything that a registry does right (`registry` starts a real one).
//!
//! A server ends with its [`Hostile`]; nothing in it waits or sends without end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The longest that anything here waits.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most that an endless body sends.
const ENDLESS: usize = 256 << 20;
/// The largest head of a request that is read.
const HEAD: u64 = 1 << 20;
/// Of a request's body, so much is written down.
const WRITTEN: u64 = 64 << 10;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Without the question mark; empty if there is none.
    pub query: String,
    /// In order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The beginning of the body; what is no UTF-8 is replaced.
    pub body: String,
    /// How many bytes of the body came.
    pub length: u64,
}

impl Request {
    /// A header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// How the body's length is told.
#[derive(Debug, Clone, Copy)]
enum Framing {
    Length(Option<usize>),
    Chunked,
    UntilClose,
}

/// Requests of one kind and what is done about them.
#[derive(Debug, Clone)]
pub struct Scene {
    method: &'static str,
    path: String,
    when: Option<(&'static str, Option<String>)>,
    times: usize,
    delay: Duration,
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    framing: Framing,
    cut: Option<usize>,
    cut_head: Option<usize>,
    drip: Option<Duration>,
    endless: bool,
    hang: bool,
    takes: Takes,
    ranges: bool,
}

/// How much of a request's body is read.
#[derive(Debug, Clone, Copy)]
enum Takes {
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
        body: Vec::new(),
        framing: Framing::Length(None),
        cut: None,
        cut_head: None,
        drip: None,
        endless: false,
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
        Scene { body: body.into(), ..self }
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

    /// Sends the body again and again, in chunks.
    pub fn endless(self) -> Self {
        Scene { endless: true, framing: Framing::Chunked, ..self }
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

    /// What this scene is for a request with a range.
    fn for_range(mut self, request: &Request) -> Self {
        let range = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let whole = self.body.len();
        if let (true, Some((first, last))) = (self.ranges, range) {
            let part = |text: &str| text.parse().unwrap_or(whole).min(whole);
            let (first, end) = (part(first), part(last).saturating_add(1).min(whole));
            self = self.status(206).header("Content-Range", format!("bytes {first}-{}/{whole}", end.saturating_sub(1)));
            self.body = self.body.get(first..end).unwrap_or_default().to_vec();
        }
        self
    }

    fn fits(&self, request: &Request) -> bool {
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

/// What the threads of a server share.
struct Stage {
    address: SocketAddr,
    scenes: Mutex<Vec<Scene>>,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    ended: AtomicBool,
}

/// A server that plays a script on a free port of 127.0.0.1.
pub struct Hostile(Arc<Stage>);

impl Hostile {
    /// Starts a server.
    pub fn play(scenes: Vec<Scene>) -> Hostile {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("the address of a listener");
        let (scenes, requests) = (Mutex::new(scenes), Mutex::default());
        let (connections, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
        let stage = Arc::new(Stage { address, scenes, requests, connections, ended });
        let shared = Arc::clone(&stage);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if shared.ended.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(connection) = connection else { continue };
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let stage = Arc::clone(&shared);
                // A client that hangs up in the middle is part of most plays.
                std::thread::spawn(move || stage.serve(connection));
            }
        });
        Hostile(stage)
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.0.address.to_string()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.0.address.port()
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// Everything that came so far.
    pub fn requests(&self) -> Vec<Request> {
        self.0.requests.lock().expect("the requests").clone()
    }

    /// `METHOD PATH` of everything that came so far.
    pub fn asked(&self) -> Vec<String> {
        self.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
        // Wakes the listener, which looks at `ended`.
        let _ = TcpStream::connect(self.0.address);
    }
}

impl Stage {
    /// Answers one connection's requests until it ends; an error is a client that went away.
    fn serve(&self, connection: TcpStream) -> std::io::Result<()> {
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        connection.set_nodelay(true)?;
        let mut reader = BufReader::new(connection.try_clone()?);
        let mut writer = connection;
        while let Some(mut request) = read_head(&mut reader)? {
            let scene = self.choose(&request);
            let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            let wanted = match scene.takes {
                Takes::All => length,
                Takes::Some(bytes) => bytes,
                Takes::Nothing => 0,
            };
            let read = read_body(&mut reader, wanted, &mut request);
            self.requests.lock().expect("the requests").push(request.clone());
            read?;
            if matches!(scene.takes, Takes::Some(_)) {
                break;
            }
            let goes_on = self.play(&scene, &request, &mut writer)?;
            if matches!(scene.takes, Takes::Nothing) {
                // A connection that is closed with something unread takes the answer with it.
                read_body(&mut reader, length, &mut request)?;
                break;
            }
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn choose(&self, request: &Request) -> Scene {
        let mut scenes = self.scenes.lock().expect("the scenes");
        match scenes.iter_mut().find(|scene| scene.fits(request)) {
            Some(scene) => {
                scene.times -= 1;
                scene.clone().for_range(request)
            }
            None => on("*", "*").status(404).body("the script has no scene for this"),
        }
    }

    /// `false` where the connection ends with the answer.
    fn play(&self, scene: &Scene, request: &Request, out: &mut TcpStream) -> std::io::Result<bool> {
        self.pause(scene.delay);
        if scene.hang {
            self.pause(PATIENCE);
            return Ok(false);
        }
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", scene.status);
        for (name, value) in &scene.headers {
            head.push_str(&format!("{name}: {}\r\n", self.filled_in(value, request)));
        }
        match scene.framing {
            Framing::Length(claimed) => {
                head.push_str(&format!("Content-Length: {}\r\n", claimed.unwrap_or(scene.body.len())));
            }
            Framing::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
            Framing::UntilClose => head.push_str("Connection: close\r\n"),
        }
        head.push_str("\r\n");
        let head = &head.as_bytes()[..scene.cut_head.unwrap_or(head.len()).min(head.len())];
        out.write_all(head)?;
        if scene.cut_head.is_some() {
            return Ok(false);
        }
        if request.method == "HEAD" {
            return Ok(true);
        }
        self.send_body(scene, out)?;
        let honest = matches!(scene.framing, Framing::Chunked)
            || matches!(scene.framing, Framing::Length(claimed) if claimed.is_none_or(|claimed| claimed == scene.body.len()));
        Ok(honest && scene.cut.is_none())
    }

    fn filled_in(&self, value: &str, request: &Request) -> String {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let target = format!("{}{query}", request.path);
        value
            .replace("{host}", &self.address.to_string())
            .replace("{target}", &target)
            .replace("{query}", &request.query)
    }

    fn send_body(&self, scene: &Scene, out: &mut TcpStream) -> std::io::Result<()> {
        let body = &scene.body[..scene.cut.unwrap_or(scene.body.len()).min(scene.body.len())];
        let mut sent = 0;
        loop {
            let piece = if scene.drip.is_some() { 1 } else { body.len().max(1) };
            for piece in body.chunks(piece) {
                if self.ended.load(Ordering::Relaxed) {
                    return Ok(());
                }
                match scene.framing {
                    Framing::Chunked => {
                        out.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
                        out.write_all(piece)?;
                        out.write_all(b"\r\n")?;
                    }
                    Framing::Length(_) | Framing::UntilClose => out.write_all(piece)?,
                }
                self.pause(scene.drip.unwrap_or_default());
            }
            sent += body.len();
            if !scene.endless || body.is_empty() || sent > ENDLESS {
                break;
            }
        }
        if matches!(scene.framing, Framing::Chunked) && scene.cut.is_none() {
            out.write_all(b"0\r\n\r\n")?;
        }
        Ok(())
    }

    /// Sleeps, but not beyond the end of the play.
    fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause.min(PATIENCE);
        while !self.ended.load(Ordering::Relaxed) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(20)));
        }
    }
}

fn read_head(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut reader = reader.by_ref().take(HEAD);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    Ok(Some(Request { method, path, query, headers, body: String::new(), length: 0 }))
}

fn read_body(reader: &mut BufReader<TcpStream>, length: u64, request: &mut Request) -> std::io::Result<()> {
    let mut beginning = Vec::new();
    request.length += reader.by_ref().take(length.min(WRITTEN)).read_to_end(&mut beginning)? as u64;
    request.body = String::from_utf8_lossy(&beginning).into_owned();
    let rest = length.saturating_sub(WRITTEN);
    request.length += std::io::copy(&mut reader.by_ref().take(rest), &mut std::io::sink())?;
    Ok(())
}

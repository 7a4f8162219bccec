//! The server that plays scenes. What a request is and what a scene says is told elsewhere; here is only how it is done.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::request::{Request, read_body, read_head};
use crate::scene::{Framing, Scene, Takes, on};

/// The longest that anything here waits.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most that an endless body sends.
const ENDLESS: usize = 256 << 20;
/// The longest body in which names stand for something.
const FILLED_IN: usize = 64 << 10;

/// What the threads of a server share.
struct Stage {
    address: SocketAddr,
    /// What stands for what, in headers and bodies.
    names: Vec<(&'static str, String)>,
    scenes: Mutex<Vec<Scene>>,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    held: AtomicUsize,
    ended: AtomicBool,
}

/// A server that plays scenes on a free port of 127.0.0.1, until it is dropped. Nothing in it waits or sends without end.
///
/// In headers, and in bodies of at most 64 KiB, `{host}` stands for the server's own `127.0.0.1:PORT`, `{target}` for the
/// path and query that were asked for, `{query}` for the query, and `{authorization}` for what the request showed. Of a
/// [pair](Hostile::pair), `{registry}` and `{elsewhere}` stand for the first and the second, `{registry-port}` and
/// `{elsewhere-port}` for their ports alone.
pub struct Hostile(Arc<Stage>);

impl Hostile {
    /// Starts a server.
    pub fn play(scenes: Vec<Scene>) -> Hostile {
        let (listener, address) = listen();
        Hostile::start(listener, address, Vec::new(), scenes)
    }

    /// Starts a registry, and a server that it may point to.
    pub fn pair(registry: Vec<Scene>, elsewhere: Vec<Scene>) -> (Hostile, Hostile) {
        let ((first, registry_at), (second, elsewhere_at)) = (listen(), listen());
        let names = vec![
            ("{registry}", registry_at.to_string()),
            ("{registry-port}", registry_at.port().to_string()),
            ("{elsewhere}", elsewhere_at.to_string()),
            ("{elsewhere-port}", elsewhere_at.port().to_string()),
        ];
        let registry = Hostile::start(first, registry_at, names.clone(), registry);
        (registry, Hostile::start(second, elsewhere_at, names, elsewhere))
    }

    fn start(
        listener: TcpListener,
        address: SocketAddr,
        mut names: Vec<(&'static str, String)>,
        scenes: Vec<Scene>,
    ) -> Hostile {
        names.push(("{host}", address.to_string()));
        let (scenes, requests) = (Mutex::new(scenes), Mutex::default());
        let (connections, held, ended) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        let stage = Arc::new(Stage { address, names, scenes, requests, connections, held, ended });
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

    /// How many requests were left hanging so far, or are answered a byte at a time.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
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

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
    let address = listener.local_addr().expect("the address of a listener");
    (listener, address)
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
        if scene.hang || scene.drips() {
            self.held.fetch_add(1, Ordering::Relaxed);
        }
        if scene.hang {
            self.pause(PATIENCE);
            return Ok(false);
        }
        let body = self.body(scene, request);
        let length = body.len().saturating_mul(scene.repeated);
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", scene.status);
        for (name, value) in &scene.headers {
            head.push_str(&format!("{name}: {}\r\n", self.filled_in(value, request)));
        }
        match scene.framing {
            Framing::Length(claimed) => head.push_str(&format!("Content-Length: {}\r\n", claimed.unwrap_or(length))),
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
        self.send_body(scene, &body, out)?;
        let honest = matches!(scene.framing, Framing::Chunked)
            || matches!(scene.framing, Framing::Length(claimed) if claimed.is_none_or(|claimed| claimed == length));
        Ok(honest && scene.cut.is_none())
    }

    fn filled_in(&self, value: &str, request: &Request) -> String {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let target = format!("{}{query}", request.path);
        let named = self.names.iter().fold(value.to_owned(), |text, (name, stands_for)| text.replace(name, stands_for));
        named
            .replace("{target}", &target)
            .replace("{query}", &request.query)
            .replace("{authorization}", request.header("authorization").unwrap_or_default())
    }

    fn body(&self, scene: &Scene, request: &Request) -> Arc<[u8]> {
        match std::str::from_utf8(&scene.body) {
            Ok(text) if text.len() <= FILLED_IN && text.contains('{') => {
                self.filled_in(text, request).into_bytes().into()
            }
            _ => Arc::clone(&scene.body),
        }
    }

    fn send_body(&self, scene: &Scene, body: &[u8], out: &mut TcpStream) -> std::io::Result<()> {
        let body = &body[..scene.cut.unwrap_or(body.len()).min(body.len())];
        let mut sent = 0;
        for _ in 0..scene.repeated {
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
            if body.is_empty() || sent > ENDLESS {
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

//! A gate before a server: everything passes through it as it is, every request is written down, every byte is counted.
//! It can be shut after so many of them, for who wants to end a program in the middle, and it can be a bad line: one that
//! breaks, one that is far away, one that is narrow.
//!
//! Plain HTTP/1.1. Not here: anything that changes what passes (the crate `portolan-hostile` plays a server that lies). A gate ends with its
//! [`Gate`], and nothing in it waits without end.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The longest that anything here waits.
const PATIENCE: Duration = Duration::from_secs(30);
/// A moment.
const MOMENT: Duration = Duration::from_micros(200);
/// So much passes at once: what a gate shuts after is as exact as this.
const PIECE: usize = 4 << 10;
/// So much where nothing is to be exact.
const LARGE_PIECE: usize = 256 << 10;

struct Ways {
    address: SocketAddr,
    server: String,
    asked: Mutex<Vec<String>>,
    passed: AtomicU64,
    most: AtomicU64,
    /// The most that one connection lets through; 0 is without end.
    cut: AtomicU64,
    connections: AtomicU64,
    /// Of those, how many are not over.
    connected: AtomicU64,
    cuts: AtomicU64,
    /// Before a request passes, in microseconds.
    delay: AtomicU64,
    /// Bytes of answers a second on one connection; 0 is without end.
    width: AtomicU64,
    ended: AtomicBool,
}

/// An open door on a free port of 127.0.0.1.
pub struct Gate(Arc<Ways>);

impl Gate {
    /// Opens one before `server`, a `HOST:PORT`.
    pub fn before(server: &str) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("the address of a listener");
        let ways = Arc::new(Ways {
            address,
            server: server.into(),
            asked: Mutex::default(),
            passed: AtomicU64::new(0),
            most: AtomicU64::new(u64::MAX),
            cut: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            connected: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
            delay: AtomicU64::new(0),
            width: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let shared = Arc::clone(&ways);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if shared.ended.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(connection) = connection else { continue };
                let ways = Arc::clone(&shared);
                ways.connected.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || {
                    // Whoever is ended in the middle hangs up; that is what gates are for.
                    let _ = ways.join(&connection);
                    ways.connected.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Gate(ways)
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.0.address.to_string()
    }

    /// `METHOD PATH[?QUERY]` of every request so far.
    pub fn asked(&self) -> Vec<String> {
        self.0.asked.lock().expect("what was asked").clone()
    }

    /// Bytes that passed so far, both ways together.
    pub fn passed(&self) -> u64 {
        self.0.passed.load(Ordering::Relaxed)
    }

    /// Lets so many bytes pass from now on, and no more.
    pub fn shut_after(&self, bytes: u64) {
        self.0.most.store(self.passed().saturating_add(bytes), Ordering::Relaxed);
    }

    /// Cuts every connection from now on after so many bytes or fewer, both ways together, no two alike; 0 lets them be.
    pub fn cut_within(&self, bytes: u64) {
        self.0.cut.store(bytes, Ordering::Relaxed);
    }

    /// Holds every request back for so long.
    pub fn delay(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.0.delay.store(micros, Ordering::Relaxed);
    }

    /// Lets no more bytes of answers pass in a second on one connection.
    pub fn narrow(&self, bytes_a_second: u64) {
        self.0.width.store(bytes_a_second, Ordering::Relaxed);
    }

    /// How many connections there were so far.
    pub fn connections(&self) -> u64 {
        self.0.connections.load(Ordering::Relaxed)
    }

    /// How many connections were cut so far.
    pub fn cuts(&self) -> u64 {
        self.0.cuts.load(Ordering::Relaxed)
    }

    /// Whether all that may pass has passed.
    pub fn is_shut(&self) -> bool {
        self.passed() >= self.0.most.load(Ordering::Relaxed)
    }

    /// Lets everything pass again.
    pub fn open(&self) {
        self.0.most.store(u64::MAX, Ordering::Relaxed);
    }

    /// Waits until every connection is over: what was on its way to somebody who was ended counts as passed, too.
    ///
    /// # Panics
    /// Where somebody stays connected.
    pub fn wait_until_left(&self) {
        let until = Instant::now() + PATIENCE;
        while self.0.connected.load(Ordering::Relaxed) > 0 {
            assert!(Instant::now() < until, "somebody stays connected to the gate");
            sleep(MOMENT);
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Relaxed);
        // Wakes the one that waits for connections.
        let _ = TcpStream::connect(self.0.address);
    }
}

impl Ways {
    fn join(self: &Arc<Self>, client: &TcpStream) -> Option<()> {
        let server = TcpStream::connect(&self.server).ok()?;
        for side in [client, &server] {
            side.set_nodelay(true).ok()?;
            side.set_read_timeout(Some(PATIENCE)).ok()?;
            side.set_write_timeout(Some(PATIENCE)).ok()?;
        }
        let (answers, to_client) = (server.try_clone().ok()?, client.try_clone().ok()?);
        let ways = Arc::clone(self);
        // Spread by the golden ratio: never the same, and in every run the same.
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let lasts = Arc::new(AtomicU64::new(match self.cut.load(Ordering::Relaxed) {
            0 => u64::MAX,
            cut => number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % cut,
        }));
        let lasts_back = Arc::clone(&lasts);
        let back = std::thread::spawn(move || {
            let _ = ways.answers(&answers, &to_client, &lasts_back);
            let _ = to_client.shutdown(Shutdown::Both);
            let _ = answers.shutdown(Shutdown::Both);
        });
        let end = match self.requests(client, &server, &lasts) {
            // One that hung up hears no answer; one that sends no more may wait for one.
            Ok(()) => Shutdown::Write,
            Err(_) => Shutdown::Both,
        };
        let _ = server.shutdown(end);
        let _ = back.join();
        Some(())
    }

    fn answers(&self, server: &TcpStream, client: &TcpStream, lasts: &AtomicU64) -> std::io::Result<()> {
        match self.width.load(Ordering::Relaxed) {
            0 => self.pass(server, client, u64::MAX, lasts),
            width => {
                self.pass(Narrow { inner: server, width, since: Instant::now(), read: 0 }, client, u64::MAX, lasts)
            }
        }
    }

    fn requests(&self, client: &TcpStream, server: &TcpStream, lasts: &AtomicU64) -> std::io::Result<()> {
        let mut reader = BufReader::new(client);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head)? == 0 {
                    return Ok(());
                }
            }
            let mut words = head.split(' ');
            let request = [words.next().unwrap_or_default(), words.next().unwrap_or_default()].join(" ");
            self.asked.lock().expect("what was asked").push(request);
            sleep(Duration::from_micros(self.delay.load(Ordering::Relaxed)));
            self.pass(head.as_bytes(), server, u64::MAX, lasts)?;
            let header = |name: &str| {
                head.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.eq_ignore_ascii_case(name))
            };
            match header("content-length").and_then(|(_, length)| length.trim().parse().ok()) {
                Some(length) => self.pass(&mut reader, server, length, lasts)?,
                None if header("transfer-encoding").is_some() => self.chunks(&mut reader, server, lasts)?,
                None => {}
            }
        }
    }

    fn chunks(&self, reader: &mut BufReader<&TcpStream>, server: &TcpStream, lasts: &AtomicU64) -> std::io::Result<()> {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            self.pass(line.as_bytes(), server, u64::MAX, lasts)?;
            let length = u64::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
            self.pass(&mut *reader, server, length + 2, lasts)?;
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// Passes on at most so many bytes, a piece at a time, while the gate is open and the connection `lasts`.
    fn pass(&self, from: impl Read, mut to: &TcpStream, most: u64, lasts: &AtomicU64) -> std::io::Result<()> {
        let mut from = from.take(most);
        let is_exact = self.most.load(Ordering::Relaxed) < u64::MAX || lasts.load(Ordering::Relaxed) < u64::MAX;
        let mut piece = vec![0; if is_exact { PIECE } else { LARGE_PIECE }];
        loop {
            let length = from.read(&mut piece)?;
            if length == 0 {
                return Ok(());
            }
            let until = Instant::now() + PATIENCE;
            while self.passed.load(Ordering::Relaxed) >= self.most.load(Ordering::Relaxed) {
                if self.ended.load(Ordering::Relaxed) || Instant::now() > until {
                    return Err(std::io::ErrorKind::TimedOut.into());
                }
                sleep(MOMENT);
            }
            let left = lasts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(if left == u64::MAX { left } else { left.saturating_sub(length as u64) })
            });
            let passes = length.min(usize::try_from(left.unwrap_or(0)).unwrap_or(length));
            self.passed.fetch_add(passes as u64, Ordering::Relaxed);
            to.write_all(&piece[..passes])?;
            if passes < length {
                // Both ways find out, but once it is cut nothing is left for the second one.
                if left != Ok(0) {
                    self.cuts.fetch_add(1, Ordering::Relaxed);
                }
                return Err(std::io::ErrorKind::ConnectionAborted.into());
            }
        }
    }
}

/// Gives no more than so many bytes a second, and what it did not give in time it does not give later.
struct Narrow<'a> {
    inner: &'a TcpStream,
    width: u64,
    /// When that began which is measured, and how much came since.
    since: Instant,
    read: u64,
}

impl Read for Narrow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let due = Duration::from_secs_f64(self.read as f64 / self.width as f64);
        let elapsed = self.since.elapsed();
        if elapsed > due + Duration::from_millis(5) {
            // Nobody asked for a while: that is not made up for.
            (self.since, self.read) = (Instant::now(), 0);
        }
        self.read += read as u64;
        let due = Duration::from_secs_f64(self.read as f64 / self.width as f64);
        sleep(due.saturating_sub(self.since.elapsed()));
        Ok(read)
    }
}

//! `portolan serve` as a test has it: on free ports, with what it says kept, ended with its handle.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// The longest that anything here waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway that runs.
pub struct Serving {
    process: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    addresses: Vec<String>,
}

impl Serving {
    /// Of a process whose standard error is piped: waits until it listens on so many sockets.
    pub(crate) fn of(mut process: Child, sockets: usize) -> Serving {
        let (tell, lines) = mpsc::channel();
        let stderr = process.stderr.take().expect("its standard error");
        thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|line| tell.send(line))
        });
        let mut serving = Serving { process, lines, said: Vec::new(), addresses: Vec::new() };
        for _ in 0..sockets {
            let line = serving.says("listening on ");
            let address = line.split(' ').nth(2).expect("an address");
            serving.addresses.push(address.to_owned());
        }
        serving
    }

    /// Where callers come: of the first socket.
    pub fn host(&self) -> &str {
        &self.addresses[0]
    }

    /// The address of a socket, in the order of the command line; that for who runs it is the last.
    pub fn address(&self, number: usize) -> &str {
        &self.addresses[number]
    }

    /// Waits for a line with this in it.
    pub fn says(&mut self, part: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => self.said.push(line),
                Err(_) => panic!("the gateway does not say {part:?}, but:\n{}", self.said.join("\n")),
            }
        }
    }

    /// Whether it said something with this in it, once it has ended.
    pub fn said(&mut self, part: &str) -> bool {
        self.said.extend(self.lines.iter());
        self.said.iter().any(|line| line.contains(part))
    }

    /// The most bytes of memory that it had at a time.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("a process");
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        most.and_then(|most| most.parse::<u64>().ok()).expect("its memory") << 10
    }

    /// Sends it a signal, by its name: `HUP`.
    pub fn signal(&self, name: &str) {
        let sent =
            std::process::Command::new("kill").arg(format!("-{name}")).arg(self.process.id().to_string()).status();
        assert!(sent.expect("kill").success());
    }

    /// Waits for its end; its status.
    pub fn ends(&mut self) -> i32 {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.process.try_wait().expect("a process") {
                return status.code().unwrap_or(-1);
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the gateway does not end");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An answer as it came.
#[derive(Debug)]
pub struct Reply {
    /// 200 and so on.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As much of it as came.
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks by HTTP/1.1, over a connection of its own: a method, a path, headers, a body.
pub fn ask(host: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || matches!(method, "PUT" | "PATCH" | "POST") {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    let mut connection = TcpStream::connect(host).expect("a connection to the gateway");
    connection.set_read_timeout(Some(PATIENCE)).expect("a socket");
    connection.write_all(request.as_bytes()).expect("a request");
    connection.write_all(body).expect("a body");
    let mut answer = Vec::new();
    // A connection that is broken off has said what it has said.
    let _ = connection.read_to_end(&mut answer);
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("the end of the answer's head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Reply { status, headers, body: answer.split_off(end + 4) }
}

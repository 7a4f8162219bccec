//! A request as it came, read from a connection. Nothing here answers.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;

/// The largest head that is read.
const HEAD: u64 = 1 << 20;
/// Of a body, so much is written down.
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

/// The next request of a connection, without its body; `None` where the connection ends.
pub(crate) fn read_head(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
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

/// Reads so many bytes of a body, and adds them to the request.
pub(crate) fn read_body(reader: &mut BufReader<TcpStream>, length: u64, request: &mut Request) -> std::io::Result<()> {
    let mut beginning = Vec::new();
    request.length += reader.by_ref().take(length.min(WRITTEN)).read_to_end(&mut beginning)? as u64;
    request.body = String::from_utf8_lossy(&beginning).into_owned();
    let rest = length.saturating_sub(WRITTEN);
    request.length += std::io::copy(&mut reader.by_ref().take(rest), &mut std::io::sink())?;
    Ok(())
}

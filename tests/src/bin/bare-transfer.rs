//! The least that a copy of an image does, with which the benchmarks compare what ours costs: bytes are received or
//! sent over plain HTTP/1.1, hashed, and written or read, four blobs at once, 256 KiB at a time. Every blob has to have
//! its digest. Not here: anything else that a client of registries does, and the manifest, which is read for the digests
//! alone.
//!
//! `bare-transfer pull HOST:PORT REPOSITORY TAG FOLDER` fetches the config and the layers of an image into files of
//! FOLDER; `bare-transfer push LAYOUT TAG HOST:PORT REPOSITORY` uploads those of an image in an OCI layout, each with
//! one PUT.

#![allow(clippy::expect_used, clippy::panic, reason = "a tool of the benchmarks says what went wrong by panicking")]

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ring::digest::{Context, SHA256};
use serde_json::Value;

/// So many bytes at a time.
const PIECE: usize = 256 << 10;
/// So many blobs at once, as our copies do.
const AT_ONCE: usize = 4;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        ["pull", host, repository, tag, folder] => pull(host, repository, tag, Path::new(folder)),
        ["push", layout, tag, host, repository] => push(Path::new(layout), tag, host, repository),
        _ => {
            eprintln!("usage: bare-transfer pull HOST:PORT REPOSITORY TAG FOLDER");
            eprintln!("       bare-transfer push LAYOUT TAG HOST:PORT REPOSITORY");
            std::process::exit(2);
        }
    }
}

fn pull(host: &str, repository: &str, tag: &str, folder: &Path) {
    fs::create_dir_all(folder).expect("a folder to write to");
    let mut connection = Connection::to(host);
    let accept = format!("Accept: {MANIFEST}\r\n");
    let answer = connection.ask("GET", &format!("/v2/{repository}/manifests/{tag}"), &accept, 200);
    let mut manifest = Vec::new();
    connection.stream.by_ref().take(answer.length).read_to_end(&mut manifest).expect("the manifest");
    each(host, &blobs(&manifest), |connection, digest, piece| {
        let answer = connection.ask("GET", &format!("/v2/{repository}/blobs/{digest}"), "", 200);
        let mut file = File::create(folder.join(hex(digest))).expect("a file to write to");
        transfer(connection.stream.by_ref().take(answer.length), &mut file, digest, piece);
    });
}

fn push(layout: &Path, tag: &str, host: &str, repository: &str) {
    let blob = |digest: &str| layout.join("blobs/sha256").join(hex(digest));
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).expect("index.json")).expect("JSON");
    let entry = index["manifests"]
        .as_array()
        .and_then(|entries| {
            entries.iter().find(|entry| entry["annotations"]["org.opencontainers.image.ref.name"] == tag)
        })
        .unwrap_or_else(|| panic!("no {tag} in index.json"));
    let manifest = fs::read(blob(entry["digest"].as_str().expect("a digest"))).expect("the manifest");
    each(host, &blobs(&manifest), |connection, digest, piece| {
        let mut file = File::open(blob(digest)).expect("a blob of the layout");
        let size = file.metadata().expect("its size").len();
        let none = "Content-Length: 0\r\n";
        let answer = connection.ask("POST", &format!("/v2/{repository}/blobs/uploads/"), none, 202);
        connection.skip(answer.length);
        let location = answer.location.strip_prefix(&format!("http://{host}")).unwrap_or(&answer.location);
        let and = if location.contains('?') { '&' } else { '?' };
        let headers = format!("Content-Type: application/octet-stream\r\nContent-Length: {size}\r\n");
        connection.send("PUT", &format!("{location}{and}digest={digest}"), &headers);
        transfer(&mut file, connection.stream.get_mut(), digest, piece);
        let answer = connection.hear(201);
        connection.skip(answer.length);
    });
}

/// The digests of a manifest's config and layers.
fn blobs(manifest: &[u8]) -> Vec<String> {
    let manifest: Value = serde_json::from_slice(manifest).expect("JSON");
    let layers = manifest["layers"].as_array().expect("a manifest's layers");
    let digest = |blob: &Value| blob["digest"].as_str().expect("a digest").to_owned();
    layers.iter().chain([&manifest["config"]]).map(digest).collect()
}

fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").expect("a SHA-256")
}

/// Does it with all blobs, some at once, on a connection each, which lasts.
fn each(host: &str, digests: &[String], transfer: impl Fn(&mut Connection, &str, &mut [u8]) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(digests.len()) {
            scope.spawn(|| {
                let (mut connection, mut piece) = (Connection::to(host), vec![0; PIECE]);
                while let Some(digest) = digests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    transfer(&mut connection, digest, &mut piece);
                }
            });
        }
    });
}

/// Passes everything on and hashes it.
fn transfer(mut from: impl Read, to: &mut impl Write, digest: &str, piece: &mut [u8]) {
    let mut context = Context::new(&SHA256);
    loop {
        let length = from.read(piece).expect("bytes of a blob");
        if length == 0 {
            break;
        }
        context.update(&piece[..length]);
        to.write_all(&piece[..length]).expect("bytes of a blob passed on");
    }
    let found: String = context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(found, hex(digest), "what came is not what was asked for");
}

struct Connection {
    host: String,
    stream: BufReader<TcpStream>,
}

struct Answer {
    length: u64,
    location: String,
}

impl Connection {
    fn to(host: &str) -> Connection {
        let stream = TcpStream::connect(host).expect("a connection to the registry");
        stream.set_nodelay(true).expect("no delay");
        // Heads alone come through its buffer: who reads pieces as large as it reads past it.
        Connection { host: host.to_owned(), stream: BufReader::with_capacity(PIECE, stream) }
    }

    fn send(&mut self, method: &str, path: &str, headers: &str) {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.host);
        self.stream.get_mut().write_all(head.as_bytes()).expect("a request sent");
    }

    /// The head of an answer, which must have this status.
    fn hear(&mut self, status: u16) -> Answer {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("an answer");
        assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{line:?} instead of {status}");
        let mut answer = Answer { length: 0, location: String::new() };
        loop {
            line.clear();
            self.stream.read_line(&mut line).expect("a header");
            let Some((name, value)) = line.split_once(':') else { return answer };
            match &*name.to_ascii_lowercase() {
                "content-length" => answer.length = value.trim().parse().expect("a length"),
                "transfer-encoding" => panic!("{line:?}: only bodies of a known length are read here"),
                "location" => value.trim().clone_into(&mut answer.location),
                _ => {}
            }
        }
    }

    fn ask(&mut self, method: &str, path: &str, headers: &str, status: u16) -> Answer {
        self.send(method, path, headers);
        self.hear(status)
    }

    fn skip(&mut self, length: u64) {
        std::io::copy(&mut self.stream.by_ref().take(length), &mut std::io::sink()).expect("the rest of an answer");
    }
}

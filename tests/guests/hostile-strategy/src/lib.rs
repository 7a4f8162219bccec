//! A strategy that misbehaves on demand, while an honest frontend waits for its judgement: the name that it is to match says
//! how (`:loop`), at once or, behind `select-`, when it is to choose a platform. Plain std Rust for wasm32-wasip2, without
//! the SDK: nothing here is on its best behaviour.

use std::hint::black_box;
use std::sync::Mutex;

wit_bindgen::generate!({ path: "../../../wit", world: "portolan:oci/judgement", generate_all });

use exports::portolan::oci::strategy::Guest;
use portolan::oci::host;
use portolan::oci::types::{Error, Failure};

/// What is to be done when a platform is to be chosen.
static LATER: Mutex<String> = Mutex::new(String::new());

/// As many entries as memory has room for, and calls to the host beyond all limits.
const MANY: usize = 1_000_000;

struct Hostile;

export!(Hostile);

impl Guest for Hostile {
    fn match_name(entries: Vec<u8>, name: String, _: String) -> Result<Vec<u32>, Failure> {
        let name = name.trim_start_matches([':', '/']);
        match name.strip_prefix("select-") {
            Some(later) => {
                *LATER.lock().expect("nobody else is here") = later.to_owned();
                Ok(vec![0])
            }
            None => judge(&entries, name),
        }
    }

    fn select(index: Vec<u8>, _: String, _: String) -> Result<Vec<u32>, Failure> {
        judge(&index, &LATER.lock().expect("nobody else is here"))
    }
}

fn judge(entries: &[u8], how: &str) -> Result<Vec<u32>, Failure> {
    let count = String::from_utf8_lossy(entries).matches("\"digest\"").count() as u32;
    match how {
        "first" => Ok(vec![0]),
        // Another one than was asked for.
        "last" => Ok(vec![count.saturating_sub(1)]),
        "all" => Ok((0..count).collect()),
        "none" => Ok(Vec::new()),
        "behind" => Ok(vec![count]),
        "far" => Ok(vec![u32::MAX]),
        "far-and-first" => Ok(vec![1 << 31, 0]),
        "again" => Ok(vec![0; MANY]),
        "loop" => loop {
            black_box(());
        },
        "allocate" => {
            let mut all = Vec::new();
            loop {
                all.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        "recurse" => Ok(vec![recurse(1) as u32]),
        "panic" => panic!("\u{1b}[2Jit was the frontend"),
        "trap" => {
            host::log(host::Level::Error, "it was the frontend");
            std::arch::wasm32::unreachable()
        }
        "exit" => std::process::exit(0),
        "flood" => {
            for _ in 0..MANY {
                host::log(host::Level::Warn, &"\u{1b}[2J".repeat(100));
            }
            Ok(vec![0])
        }
        "log-much" => {
            host::log(host::Level::Warn, &"x".repeat((8 << 20) + 1));
            Ok(vec![0])
        }
        "call" => {
            for _ in 0..MANY {
                black_box(host::platform());
            }
            Ok(vec![0])
        }
        // What it was handed is in its memory, and what it does there is its own.
        "scribble" => {
            let all = std::arch::wasm32::memory_size(0) * 65_536;
            // SAFETY: it is not; whoever runs this wants to see it.
            unsafe { std::ptr::write_bytes(std::ptr::with_exposed_provenance_mut::<u8>(1_024), 0xff, all - 1_024) };
            std::arch::wasm32::unreachable()
        }
        "blame" => fail("\u{1b}]0;owned\u{7}\u{1b}[2J", "other"),
        "blame-a-megabyte" => fail(&"x".repeat(1 << 20), "other"),
        "blame-a-grant" => fail("this run was not granted to read it", "denied"),
        "not-found" => fail("there is none", "not-found"),
        "look-around" => fail(&look_around(), "other"),
        other => fail(&format!("cannot {other}"), "other"),
    }
}

fn fail(message: &str, code: &str) -> Result<Vec<u32>, Failure> {
    let cause = Error { code: code.into(), message: message.into(), retry_after: Some(u32::MAX) };
    Err(Failure { message: message.into(), hint: Some(message.into()), cause: Some(cause) })
}

#[inline(never)]
#[expect(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    black_box(depth).wrapping_add(recurse(black_box(depth + 1))).rotate_left(1)
}

/// What a program can find out about where it runs.
fn look_around() -> String {
    [
        format!("environment {}", std::env::vars_os().count()),
        format!("arguments {}", std::env::args_os().count()),
        format!("folder {}", std::fs::read_dir("/").is_ok()),
        format!("file {}", std::fs::read("/etc/hostname").is_ok() || std::fs::write("/tmp/x", "x").is_ok()),
        format!("socket {}", std::net::TcpStream::connect("127.0.0.1:22").is_ok()),
        format!("name {}", std::net::ToSocketAddrs::to_socket_addrs(&("localhost", 80)).is_ok()),
    ]
    .join(", ")
}

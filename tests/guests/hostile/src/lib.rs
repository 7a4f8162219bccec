//! A frontend that misbehaves on demand: `do` says how, `with` says with what. Plain std Rust for wasm32-wasip2, without
//! the SDK: nothing here is on its best behaviour.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

wit_bindgen::generate!({ path: "../../../wit", world: "portolan:oci/writer", generate_all });

use exports::portolan::oci::frontend::{Body, Guest, Info, Kind, Parameter, Request, Response};
use portolan::oci::types::{Descriptor, Error, Failure};
use portolan::oci::{blobs, discovery, fetcher, host, pusher, resolver};

struct Hostile;

export!(Hostile);

impl Guest for Hostile {
    fn describe() -> Info {
        let parameter = |name: &str| Parameter {
            name: name.into(),
            short: None,
            kind: Kind::Text,
            help: String::new(),
            default: None,
            required: false,
            repeated: false,
            positional: false,
        };
        Info {
            name: "hostile".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Misbehaves".into(),
            parameters: vec![parameter("do"), parameter("with")],
            formats: vec!["text".into()],
        }
    }

    fn solve(request: Request) -> Result<Response, Failure> {
        let argument = |name: &str| request.arguments.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
        let with = argument("with");
        let number = || with.parse::<u64>().expect("a number");
        match argument("do") {
            "behave" => text("good"),
            "loop" => loop {
                black_box(());
            },
            "allocate" => {
                let mut all = Vec::new();
                loop {
                    all.push(black_box(vec![1_u8; 1 << 20]));
                }
            }
            "recurse" => text(recurse(1).to_string()),
            "panic" => panic!("{with}"),
            "trap" => {
                host::log(host::Level::Error, with);
                std::arch::wasm32::unreachable()
            }
            "exit" => std::process::exit(0),
            "call" => {
                for _ in 0..number() {
                    black_box(host::platform());
                }
                text("called")
            }
            "log" => {
                host::log(host::Level::Warn, &"x".repeat(number() as usize));
                text("logged")
            }
            "prefetch" => {
                let descriptor = Descriptor { media_type: "a/b".into(), digest: "sha256:00".into(), size: 1 };
                fetcher::prefetch("r.example/a", &vec![descriptor; number() as usize]);
                text("hinted")
            }
            "answer" => text("x".repeat(number() as usize)),
            "status" => Ok(Response { status: number() as u8, ..plain("x") }),
            "escape" => {
                host::log(host::Level::Warn, "\u{1b}]0;owned\u{7}\nWARN portolan: forged");
                Err(Failure { message: "\u{1b}[2Jall is well".into(), hint: Some("\u{9b}31m".into()), cause: None })
            }
            "resolve" => resolver::resolve(with).map(|found| plain(found.descriptor.digest)).map_err(failed),
            "resolve-all" => {
                let references: Vec<String> = with.split(' ').map(Into::into).collect();
                let line = |answer: Result<resolver::Resolved, Error>| match answer {
                    Ok(found) => found.descriptor.digest,
                    Err(error) => error.code,
                };
                text(resolver::resolve_all(&references).into_iter().map(line).collect::<Vec<_>>().join(" "))
            }
            "tags" => discovery::tags(with, None).map(|page| plain(page.tags.join(" "))).map_err(failed),
            "referrers" => discovery::referrers(with, &format!("sha256:{:064}", 0), None).map(|_| plain("")).map_err(failed),
            "entries" => resolver::entries(with).map(|found| plain(found.descriptor.digest)).map_err(failed),
            "fetch" => {
                let (repository, descriptor) = described(with);
                fetcher::fetch(&repository, &descriptor).map(|bytes| plain(bytes.len().to_string())).map_err(failed)
            }
            "read" => {
                let (repository, descriptor) = described(with);
                let ranges = [(0, 4), (2, 100), (1_000_000, 4), (u64::MAX, u32::MAX)];
                let read = |(offset, length)| match blobs::read(&repository, &descriptor, offset, length) {
                    Ok(bytes) => bytes.len().to_string(),
                    Err(error) => error.code,
                };
                text(ranges.map(read).join(" "))
            }
            "fetch-without-end" => {
                let (repository, mut descriptor) = described(with);
                loop {
                    // Another media type makes it another document.
                    descriptor.media_type.push('x');
                    fetcher::fetch(&repository, &descriptor).map_err(failed)?;
                }
            }
            "wait" => {
                // Asks again and again, which takes the source its time, and computes next to nothing.
                for name in with.split(' ') {
                    resolver::resolve(name).map_err(failed)?;
                }
                text("waited")
            }
            "push" => {
                let descriptor = Descriptor { media_type: "a/b".into(), digest: format!("sha256:{:064}", 0), size: 1 };
                pusher::push(with, None, &descriptor, b"x").map(|_| plain("pushed")).map_err(failed)
            }
            "content" => {
                let body = Body::Content(described(with));
                Ok(Response { status: 0, media_type: "application/octet-stream".into(), body, metadata: Vec::new() })
            }
            "look-around" => text(look_around()),
            other => Err(Failure { message: format!("cannot {other}"), hint: None, cause: None }),
        }
    }
}

fn plain(text: impl Into<String>) -> Response {
    Response { status: 0, media_type: "text/plain".into(), body: Body::Text(text.into()), metadata: Vec::new() }
}

fn text(text: impl Into<String>) -> Result<Response, Failure> {
    Ok(plain(text))
}

/// Passes an error on, as the SDK does.
fn failed(error: Error) -> Failure {
    Failure { message: error.message.clone(), hint: None, cause: Some(error) }
}

/// `REPOSITORY MEDIA-TYPE DIGEST SIZE`
fn described(text: &str) -> (String, Descriptor) {
    let [repository, media_type, digest, size] = *text.split(' ').collect::<Vec<_>>() else { panic!("four words") };
    let size = size.parse().expect("a size");
    (repository.into(), Descriptor { media_type: media_type.into(), digest: digest.into(), size })
}

#[inline(never)]
#[expect(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    black_box(depth).wrapping_add(recurse(black_box(depth + 1))).rotate_left(1)
}

/// What a program can find out about where it runs.
fn look_around() -> String {
    let mut input = String::new();
    let started = Instant::now();
    let clock = SystemTime::now();
    std::thread::sleep(Duration::from_secs(3600));
    let hashed = std::collections::HashMap::<u8, u8>::new();
    [
        format!("environment {}", std::env::vars_os().count()),
        format!("arguments {}", std::env::args_os().count()),
        format!("folder {}", std::fs::read_dir("/").is_ok()),
        format!("file {}", std::fs::read("/etc/hostname").is_ok() || std::fs::write("/tmp/x", "x").is_ok()),
        format!("socket {}", std::net::TcpStream::connect("127.0.0.1:22").is_ok()),
        format!("name {}", std::net::ToSocketAddrs::to_socket_addrs(&("localhost", 80)).is_ok()),
        format!("stdin {}", std::io::stdin().read_line(&mut input).unwrap_or(99)),
        format!("clock {}", started.elapsed().as_nanos() + clock.elapsed().map_or(0, |passed| passed.as_nanos())),
        format!("table {}", hashed.len()),
    ]
    .join(", ")
}

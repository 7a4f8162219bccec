//! A frontend that misbehaves on demand: `do` says how, `with` says with what. Plain std Rust for wasm32-wasip2, without
//! the SDK: nothing here is on its best behaviour.

use std::hint::black_box;
use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

wit_bindgen::generate!({ path: "../../../wit", world: "portolan:oci/writer", generate_all });

use exports::portolan::oci::frontend::{Body, Guest, Info, Kind, Parameter, Request, Response};
use portolan::oci::types::{Descriptor, Error, Failure};
use portolan::oci::{blobs, discovery, fetcher, host, pusher, resolver};

// WASI as it is, without the standard library, which is careful.
#[link(wasm_import_module = "wasi:cli/stdout@0.2.6")]
unsafe extern "C" {
    #[link_name = "get-stdout"]
    fn get_stdout() -> u32;
}

#[link(wasm_import_module = "wasi:random/random@0.2.6")]
unsafe extern "C" {
    #[link_name = "get-random-bytes"]
    fn get_random_bytes(count: u64, list: *mut u32);
}

/// Calls of this instance.
static CALLS: AtomicU32 = AtomicU32::new(0);

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
            "remember" => text(CALLS.fetch_add(1, Ordering::Relaxed).to_string()),
            "hide" => {
                let hidden = with.repeat(1_000);
                black_box(Box::leak(hidden.into_boxed_str()));
                text("hidden")
            }
            "seek" => text(seek(with).to_string()),
            "handles" => {
                for _ in 0..number() {
                    // SAFETY: it takes nothing and gives a number.
                    black_box(unsafe { get_stdout() });
                }
                text("held")
            }
            "clock" => text(format!("{:?}", SystemTime::now().duration_since(SystemTime::UNIX_EPOCH))),
            "random" => {
                let mut list = [0_u32; 2];
                // SAFETY: a list is two words.
                unsafe { get_random_bytes(number(), list.as_mut_ptr()) };
                text(list[1].to_string())
            }
            "print" => {
                let written = std::io::stdout().write_all(&vec![b'x'; number() as usize]);
                text(format!("{}", written.is_ok()))
            }
            "chatter" => {
                for _ in 0..number() {
                    host::log(host::Level::Warn, &"\u{1b}[2J".repeat(100));
                }
                text("said")
            }
            "entries-twice" => {
                let ask = || resolver::entries(with).map(|found| found.descriptor.digest).map_err(failed);
                text((ask()? == ask()?).to_string())
            }
            // What a name means, by every door that tells it.
            "resolve-thrice" => {
                let told = |found: Result<resolver::Resolved, Error>| found.map(|it| it.descriptor.digest).map_err(failed);
                let mut all = vec![told(resolver::resolve(with))?];
                for found in resolver::resolve_all(&[with.to_owned(), with.to_owned()]) {
                    all.push(told(found)?);
                }
                all.push(told(resolver::resolve(with))?);
                all.dedup();
                text(all.join(" "))
            }
            // Twice, with what was first told of them fetched afterwards.
            "entries-fetched" => {
                let ask = || resolver::entries(with).map(|found| found.descriptor).map_err(failed);
                let (first, second) = (ask()?, ask()?);
                let bytes = fetcher::fetch(with, &first).map_err(failed)?;
                let again = fetcher::fetch(with, &second).map_err(failed)?;
                text(format!("{} {}", first.digest == second.digest && bytes == again, String::from_utf8_lossy(&bytes)))
            }
            "prefetch-fetch" => {
                let (repository, descriptor) = described(with);
                fetcher::prefetch(&repository, std::slice::from_ref(&descriptor));
                fetcher::fetch(&repository, &descriptor).map(|bytes| plain(bytes.len().to_string())).map_err(failed)
            }
            "resolve-many" => text(resolver::resolve_all(&vec![String::new(); number() as usize]).len().to_string()),
            "copy" => {
                let (from, rest) = with.split_once(' ').expect("a source");
                let (to, descriptor) = described(rest);
                let item = pusher::Item { descriptor, name: None };
                pusher::copy(from, &to, &[item]).map(|()| plain("copied")).map_err(failed)
            }
            "copy-many" => {
                let descriptor = Descriptor { media_type: "a/b".into(), digest: format!("sha256:{:064}", 0), size: 1 };
                let items = vec![pusher::Item { descriptor, name: Some("x".into()) }; number() as usize];
                pusher::copy("r.example/a", "r.example/b", &items).map(|()| plain("copied")).map_err(failed)
            }
            "push-named" => {
                let (to, name) = with.split_once(' ').expect("a name");
                let descriptor = Descriptor { media_type: "a/b".into(), digest: format!("sha256:{:064}", 0), size: 1 };
                pusher::push(to, Some(name), &descriptor, b"x").map(|_| plain("pushed")).map_err(failed)
            }
            "tags-from" => {
                let (repository, next) = with.split_once(' ').expect("a page");
                discovery::tags(repository, Some(next)).map(|page| plain(page.tags.join(" "))).map_err(failed)
            }
            "refer" => {
                let (repository, digest) = with.split_once(' ').expect("a digest");
                discovery::referrers(repository, digest, Some("\u{1b}[2J")).map(|_| plain("")).map_err(failed)
            }
            "read-at" => {
                let (described_by, range) = with.split_once(" at ").expect("a range");
                let (offset, length) = range.split_once(' ').expect("a length");
                let (repository, descriptor) = described(described_by);
                let (offset, length) = (offset.parse().expect("an offset"), length.parse().expect("a length"));
                blobs::read(&repository, &descriptor, offset, length).map(|bytes| plain(bytes.len().to_string())).map_err(failed)
            }
            "metadata" => {
                let metadata = vec![("a".into(), "b".into()); number() as usize];
                Ok(Response { metadata, ..plain("told") })
            }
            "media-type" => Ok(Response { media_type: with.into(), ..plain("x") }),
            "blame" => {
                let cause = Error { code: with.into(), message: with.into(), retry_after: Some(u32::MAX) };
                Err(Failure { message: with.into(), hint: Some(with.into()), cause: Some(cause) })
            }
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

/// How often the text that reads backwards as `backwards` lies somewhere in memory.
fn seek(backwards: &str) -> usize {
    let wanted = backwards.as_bytes();
    let memory = std::arch::wasm32::memory_size(0) * 65_536 - wanted.len();
    // SAFETY: it is within memory, and nobody else is here.
    let at = |place: usize| unsafe { std::ptr::with_exposed_provenance::<u8>(place).read_volatile() };
    (1_024..memory).filter(|start| wanted.iter().rev().enumerate().all(|(offset, &byte)| at(start + offset) == byte)).count()
}

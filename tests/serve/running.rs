//! Running it: how it is doing, too many at once, those who are slow, and its end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use portolan_hostile::{Hostile, on};
use portolan_oci::Digest;
use portolan_tests::serving::ask;

use portolan::serve::{Address, Bounds, Callers, Server};
use portolan::source::registry::{Hosts, Registry};
use portolan::{Grants, Host};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{before, cli, registry};

#[test]
fn it_says_how_it_is_doing() {
    let (cli, registry) = (cli(), registry());
    let mut serving = before(&cli, registry.host(), "--pull *");
    let operators = serving.address(1).to_owned();
    assert_eq!(ask(serving.host(), "GET", "/v2/app/manifests/1.4", &[], b"").status, 200);
    assert_eq!(ask(serving.host(), "GET", "/v2/app/manifests/2", &[], b"").status, 404);
    let metrics = ask(&operators, "GET", "/metrics", &[], b"").text();
    for status in ["200", "404"] {
        let line = format!(
            "portolan_request_seconds_count{{door=\"distribution\",operation=\"manifest\",status=\"{status}\"}} 1\n"
        );
        assert!(metrics.contains(&line), "{metrics}");
    }
    assert_eq!(ask(&operators, "GET", "/readyz", &[], b"").status, 200);
    assert_eq!(ask(serving.host(), "GET", "/metrics", &[], b"").status, 404, "callers are not told");
    serving.signal("TERM");
    assert_eq!(serving.ends(), 0);
}

#[test]
fn what_is_under_way_is_finished() {
    let cli = cli();
    let bytes = vec![7; 3 << 20];
    let digest = Digest::sha256(&bytes);
    let path = format!("/v2/app/blobs/{digest}");
    let hostile = Hostile::play(vec![
        on("HEAD", &path).header("Content-Length", bytes.len().to_string()),
        on("GET", &path).body(&bytes[..]).delay(Duration::from_secs(1)),
    ]);
    let mut serving = before(&cli, &hostile.host(), "--pull *");
    let host = serving.host().to_owned();
    let pulling = thread::spawn(move || ask(&host, "GET", &path, &[], b"").body);
    // It is asked for, and its registry takes its time.
    while hostile.requests().len() < 2 {
        thread::sleep(Duration::from_millis(5));
    }
    serving.signal("TERM");
    serving.says("finishing what is under way");
    assert!(pulling.join().unwrap() == bytes);
    assert_eq!(serving.ends(), 0);
}

#[test]
fn who_is_told_twice_to_end_ends() {
    let (cli, path) = (cli(), format!("/v2/app/blobs/{}", Digest::sha256(b"x")));
    let hostile = Hostile::play(vec![on("HEAD", &path).header("Content-Length", "1"), on("GET", &path).hang()]);
    let mut serving = before(&cli, &hostile.host(), "--pull *");
    let mut pulling = TcpStream::connect(serving.host()).unwrap();
    pulling.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    while hostile.requests().len() < 2 {
        thread::sleep(Duration::from_millis(5));
    }
    serving.signal("TERM");
    serving.says("finishing what is under way");
    serving.signal("TERM");
    assert_eq!(serving.ends(), 0);
    assert!(serving.said("cut off") && !serving.said("after 30 s"));
}

#[test]
fn who_is_one_too_many_is_told_so() {
    let (cli, registry) = (cli(), registry());
    let serving = before(&cli, registry.host(), "--pull * --connections 2");
    let held: Vec<_> = (0..2).map(|_| TcpStream::connect(serving.host()).unwrap()).collect();
    let answer = loop {
        // It may take a moment until both are counted.
        let answer = ask(serving.host(), "GET", "/v2/", &[], b"");
        if answer.status == 503 {
            break answer;
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(answer.header("retry-after"), Some("1"));
    drop(held);
    while ask(serving.host(), "GET", "/v2/", &[], b"").status != 200 {
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn heads_without_end_are_not_read() {
    let (cli, registry) = (cli(), registry());
    let serving = before(&cli, registry.host(), "--pull *");
    let mut connection = TcpStream::connect(serving.host()).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    connection.write_all(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n").unwrap();
    let line = format!("X-{}: {}\r\n", "a".repeat(100), "b".repeat(4000));
    for _ in 0..100 {
        if connection.write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(ask(serving.host(), "GET", "/v2/", &[], b"").status, 200);
}

/// Who keeps quiet has a place until ten seconds have passed, and there are so many.
#[test]
fn ten_thousand_connections_are_neither_a_crash_nor_a_lot_of_memory() {
    const MANY: usize = 10_000;
    let (most, wanted) = (getrlimit(Resource::Nofile).maximum, MANY as u64 + 1_000);
    // Beyond what it was given only root may go.
    let most = most.map(|most| most.max(wanted));
    let set = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most });
    assert!(set.is_ok(), "this test takes {wanted} open files (`ulimit -Hn`)");
    let (cli, registry) = (cli(), registry());
    let serving = before(&cli, registry.host(), "--pull *");
    assert_eq!(ask(serving.host(), "GET", "/v2/app/manifests/1.4", &[], b"").status, 200);
    let mut connections: Vec<_> = (0..MANY).map(|_| TcpStream::connect(serving.host()).unwrap()).collect();
    let mut refused = 0;
    // Those that came last are those that are one too many, until the first that keep quiet are given up.
    for connection in connections.iter_mut().rev().take(MANY / 2) {
        connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut answer = String::new();
        let _ = connection.read_to_string(&mut answer);
        let is_refused = answer.starts_with("HTTP/1.1 503") && answer.contains("Retry-After: 1");
        assert!(is_refused || answer.is_empty(), "{answer}");
        refused += usize::from(is_refused);
    }
    assert!(refused > 0);
    assert!(serving.memory() < 150 << 20, "{} bytes", serving.memory());
    drop(connections);
    let until = Instant::now() + Duration::from_secs(60);
    while ask(serving.host(), "GET", "/v2/app/manifests/1.4", &[], b"").status != 200 {
        assert!(Instant::now() < until, "it does not come back");
        thread::sleep(Duration::from_millis(20));
    }
}

/// It is who takes nothing that is given up, and not who takes little.
#[tokio::test(flavor = "multi_thread")]
async fn who_reads_slowly_has_all_of_it_and_who_stops_does_not() {
    const IDLE: Duration = Duration::from_secs(1);
    let bytes: Vec<u8> = (0..48 << 20).map(|at: u32| (at % 251) as u8).collect();
    let digest = Digest::sha256(&bytes);
    let path = format!("/v2/app/blobs/{digest}");
    let hostile = Hostile::play(vec![
        on("HEAD", &path).header("Content-Length", bytes.len().to_string()),
        on("GET", &path).body(&bytes[..]),
    ]);
    let nobody = Registry::builder().docker_config(None).auth_file(None).podman_auth_files(Vec::new());
    let mut bounds = Bounds::default();
    bounds.idle = IDLE;
    let server = Server::builder(Host::builder().build().unwrap(), nobody.hosts(Hosts::none()).build().unwrap())
        .upstream(hostile.host())
        .callers(Callers::anybody(Grants::new().pull("*").unwrap()))
        .bounds(bounds)
        .build();
    let bound = server.await.unwrap().bind(&["127.0.0.1:0".parse::<Address>().unwrap()]).await.unwrap();
    let host = bound.addresses()[0].to_string();
    let served = tokio::spawn(bound.serve(std::future::pending()));
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let pull = move |pause: Duration, pauses: usize| {
        let (host, request) = (host.clone(), request.clone());
        tokio::task::spawn_blocking(move || {
            let mut connection = TcpStream::connect(host).unwrap();
            connection.write_all(request.as_bytes()).unwrap();
            let (mut answer, mut piece, mut paused) = (Vec::new(), vec![0; 1 << 20], 0);
            while let Ok(read @ 1..) = connection.read(&mut piece) {
                answer.extend_from_slice(&piece[..read]);
                if answer.len() > (paused + 1) << 20 && paused < pauses {
                    thread::sleep(pause);
                    paused += 1;
                }
            }
            answer
        })
    };
    // More than two seconds in all, and never more than a part of one.
    let slow = pull(IDLE / 8, 20).await.unwrap();
    assert!(slow.ends_with(&bytes), "{} bytes came", slow.len());
    let stopped = pull(IDLE * 5, 1).await.unwrap();
    assert!(stopped.len() < bytes.len(), "nobody waits for who stopped");
    served.abort();
}

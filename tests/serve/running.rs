//! Running it: how it is doing, too many at once, those who are slow, and its end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use portolan_hostile::{Hostile, on};
use portolan_oci::Digest;
use portolan_tests::serving::ask;

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

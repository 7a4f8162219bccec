//! What is pulled through is kept: asked for once, by however many processes, and for those alone who may see it.

use std::fs;
use std::thread;
use std::time::Duration;

use portolan_hostile::{Hostile, on};
use portolan_oci::Digest;
use portolan_tests::gate::Gate;
use portolan_tests::serving::{Reply, Serving, ask};
use portolan_tests::versitygw;
use serde_json::Value;

use super::{before, cli, registry, with_store};

/// Everything of the image's first platform, and its layers, as a client asks for it.
fn paths(serving: &Serving) -> Vec<String> {
    let get = |path: &str| serde_json::from_slice::<Value>(&ask(serving.host(), "GET", path, &[], b"").body).unwrap();
    let index = get("/v2/app/manifests/1.4");
    let manifest = format!("/v2/app/manifests/{}", index["manifests"][0]["digest"].as_str().unwrap());
    let parsed = get(&manifest);
    let layers = parsed["layers"].as_array().unwrap().iter().chain([&parsed["config"]]);
    let blobs = layers.map(|layer| format!("/v2/app/blobs/{}", layer["digest"].as_str().unwrap()));
    [manifest].into_iter().chain(blobs).collect()
}

fn pull(host: &str, path: &str) -> Reply {
    let reply = ask(host, "GET", path, &[], b"");
    let digest = path.rsplit('/').next().unwrap();
    assert_eq!((reply.status, Digest::sha256(&reply.body).as_str()), (200, digest), "{path}");
    reply
}

#[test]
fn what_was_pulled_once_is_not_asked_for_again() {
    let (cli, registry) = (cli(), registry());
    let gate = Gate::before(registry.host());
    let folder = tempfile::tempdir().unwrap();
    let words = format!("--pull * --cache {}", folder.path().join("kept").display());
    let first = before(&cli, &gate.host(), &words);
    let paths = paths(&first);
    for path in &paths {
        pull(first.host(), path);
    }
    // What is on its way to the shelf is there when its process has ended.
    let mut first = first;
    thread::sleep(Duration::from_millis(200));
    first.signal("TERM");
    assert_eq!(first.ends(), 0);

    // Another process, which never asked.
    let second = before(&cli, &gate.host(), &words);
    let asked = gate.asked().len();
    for path in &paths {
        pull(second.host(), path);
    }
    let more = gate.asked().split_off(asked);
    assert!(more.is_empty(), "{more:?}");

    // What is damaged on the shelf is asked for again.
    let layer = paths[1].rsplit(':').next().unwrap();
    let file = folder.path().join("kept/blobs/sha256").join(&layer[..2]).join(layer);
    let mut bytes = fs::read(&file).unwrap();
    bytes[0] ^= 1;
    fs::write(&file, &bytes).unwrap();
    pull(second.host(), &paths[1]);
    assert_eq!(gate.asked().len(), asked + 1);
}

#[test]
fn what_one_repository_has_is_not_handed_out_for_another() {
    let cli = cli();
    let bytes = b"a secret layer".repeat(1000);
    let digest = Digest::sha256(&bytes);
    let length = bytes.len().to_string();
    let hostile = Hostile::play(vec![
        on("HEAD", format!("/v2/private/blobs/{digest}")).header("Content-Length", &length),
        on("GET", format!("/v2/private/blobs/{digest}")).body(&bytes[..]),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let serving = before(&cli, &hostile.host(), &format!("--pull * --cache {}", folder.path().join("kept").display()));
    pull(serving.host(), &format!("/v2/private/blobs/{digest}"));
    let other = ask(serving.host(), "GET", &format!("/v2/public/blobs/{digest}"), &[], b"");
    assert_eq!(other.status, 404, "its registry says that it is not there");
}

/// However many want a blob at once, its registry is asked for it once.
#[test]
fn many_who_want_the_same_ask_once() {
    let cli = cli();
    let bytes: Vec<u8> = (0..4 << 20).map(|at: u32| (at % 251) as u8).collect();
    let digest = Digest::sha256(&bytes);
    let path = format!("/v2/app/blobs/{digest}");
    let hostile = Hostile::play(vec![
        on("HEAD", &path).header("Content-Length", bytes.len().to_string()),
        on("GET", &path).body(&bytes[..]).delay(Duration::from_millis(300)),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let words = format!("--pull * --cache {}", folder.path().join("kept").display());
    let servings = [before(&cli, &hostile.host(), &words), before(&cli, &hostile.host(), &words)];
    thread::scope(|scope| {
        for host in servings.iter().map(Serving::host) {
            for _ in 0..8 {
                scope.spawn(|| pull(host, &path));
            }
        }
    });
    let gets = hostile.requests().iter().filter(|request| request.method == "GET").count();
    assert_eq!(gets, 1, "by two processes");
}

#[test]
fn an_object_store_is_a_shelf_and_may_be_gone() {
    let registry = registry();
    let gate = Gate::before(registry.host());
    let folder = tempfile::tempdir().unwrap();
    let store = versitygw::start(folder.path(), "kept");
    let cli = with_store(&store);
    let words = "--pull * --cache s3://kept/portolan";
    let first = before(&cli, &gate.host(), words);
    let paths = paths(&first);
    for path in &paths {
        pull(first.host(), path);
    }
    thread::sleep(Duration::from_millis(500));
    let mut second = before(&cli, &gate.host(), words);
    let asked = gate.asked().len();
    for path in &paths {
        pull(second.host(), path);
    }
    assert_eq!(gate.asked().len(), asked);

    // Cut: everything goes on, from the registry, and it is told.
    drop(store);
    let third = before(&cli, &gate.host(), words);
    for path in &paths {
        pull(third.host(), path);
    }
    assert!(gate.asked().len() > asked);
    let mut third = third;
    third.says("which is passed by for 5 s");
    drop(first);
    second.signal("TERM");
    assert_eq!(second.ends(), 0);
}

/// A process that ends in the middle leaves its lease behind, which is renewed no more.
#[test]
fn what_a_process_did_not_finish_another_one_gets() {
    let cli = cli();
    let bytes: Vec<u8> = (0..4 << 20).map(|at: u32| (at % 251) as u8).collect();
    let digest = Digest::sha256(&bytes);
    let path = format!("/v2/app/blobs/{digest}");
    let hostile = Hostile::play(vec![
        on("HEAD", &path).header("Content-Length", bytes.len().to_string()),
        on("GET", &path).once().hang(),
        on("GET", &path).body(&bytes[..]),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let words = format!("--pull * --cache {}", folder.path().join("kept").display());
    let (first, second) = (before(&cli, &hostile.host(), &words), before(&cli, &hostile.host(), &words));
    thread::scope(|scope| {
        let host = first.host().to_owned();
        scope.spawn(move || std::panic::catch_unwind(|| ask(&host, "GET", &path, &[], b"")));
        let gets = || hostile.requests().iter().filter(|request| request.method == "GET").count();
        while gets() == 0 {
            thread::sleep(Duration::from_millis(5));
        }
        drop(first);
        pull(second.host(), &format!("/v2/app/blobs/{digest}"));
        assert_eq!(gets(), 2);
    });
}

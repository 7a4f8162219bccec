//! Uploads that one program began and the next one ends: by a note on disk, which nobody has to believe.

use std::fs;
use std::path::{Path, PathBuf};

use portolan::Code;
use portolan::source::sink::Sink;
use portolan_tests::gate::Gate;
use portolan_tests::olareg;
use tempfile::TempDir;

use super::push::{Blob, LARGE, asked, begins, ends, large};
use super::*;

const SENT: u64 = 5 << 20;

/// Another program with the same cache.
fn program(cache: &TempDir, host: &str) -> Box<dyn Sink> {
    let client = client().cache_dir(Some(cache.path().to_owned()));
    repository(client, host, "app").sink().unwrap()
}

fn notes(cache: &TempDir) -> Vec<PathBuf> {
    let files = fs::read_dir(cache.path().join("documents/uploads")).into_iter().flatten();
    files.map(|file| file.unwrap().path()).collect()
}

/// The network goes while a large blob is sent, and stays away.
fn cut() -> Vec<Scene> {
    vec![begins("/up/a?state=1").once(), on("PUT", "/up/a").takes(SENT).once(), on("GET", "/up/a").cut_head(0).times(5)]
}

/// What the registry says when it is asked what arrived.
fn status(arrived: u64) -> Scene {
    on("GET", "/up/a").status(204).header("Range", format!("0-{}", arrived - 1)).header("Location", "/up/b")
}

async fn break_off(cache: &TempDir, registry: &Hostile, content: &Blob) {
    let error = program(cache, &registry.host()).put_blob(&content.descriptor(), content).await.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), (Code::Unavailable, true), "{error}");
    assert!(
        !registry.asked().iter().any(|asked| asked.starts_with("DELETE")),
        "what there is to go on with was dropped"
    );
}

#[tokio::test]
async fn the_next_program_goes_on_with_an_upload_that_was_cut() {
    let (cache, content) = (tempfile::tempdir().unwrap(), large());
    let rest = [status(SENT), on("PATCH", "/up/b").status(202).header("Location", "/up/c"), ends("/up/c")];
    let registry = Hostile::play([cut(), rest.to_vec()].concat());
    break_off(&cache, &registry, &content).await;
    let note = notes(&cache).remove(0);
    assert_eq!(fs::read_to_string(&note).unwrap(), format!("http://{}/up/a?state=1\n", registry.host()));

    let before = registry.requests().len();
    program(&cache, &registry.host()).put_blob(&content.descriptor(), &content).await.unwrap();
    let requests = registry.requests().split_off(before);
    let asked: Vec<String> = requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    assert_eq!(asked, ["GET /up/a", "PATCH /up/b", "PUT /up/c"]);
    assert_eq!(requests[0].query, "state=1");
    assert_eq!(requests[1].header("content-range"), Some(&*format!("{SENT}-{}", LARGE - 1)));
    assert_eq!(requests[1].length, LARGE as u64 - SENT);
    assert!(notes(&cache).is_empty(), "an upload that ended is written down");
}

#[tokio::test]
async fn who_is_ended_in_the_middle_leaves_a_note() {
    let (cache, content) = (tempfile::tempdir().unwrap(), large());
    let registry = Hostile::play(vec![begins("/up/a"), on("PUT", "/up/a").hang()]);
    let wanted = content.descriptor();
    let (first, second) = (program(&cache, &registry.host()), program(&cache, &registry.host()));
    let at_put = async {
        while registry.requests().len() < 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // As long as it is sent, nobody else goes on with it.
        let other = tokio::time::timeout(Duration::from_millis(100), second.put_blob(&wanted, &content)).await;
        assert!(other.is_err());
        assert!(!registry.asked().iter().any(|asked| asked.starts_with("GET")), "{:?}", registry.asked());
    };
    tokio::select! {
        done = first.put_blob(&wanted, &content) => panic!("{done:?}"),
        () = at_put => {}
    }
    assert_eq!(notes(&cache).len(), 1);
    // A small one is sent anew, and a client without a cache writes nothing down.
    let small = Blob::new("small");
    let (registry, sink) = super::push::sink(vec![begins("/up/a"), ends("/up/a")]);
    sink.put_blob(&small.descriptor(), &small).await.unwrap();
    program(&cache, &registry.host()).put_blob(&small.descriptor(), &small).await.unwrap();
    assert_eq!(notes(&cache).len(), 1);
}

#[tokio::test]
async fn an_upload_that_cannot_go_on_begins_anew() {
    let elsewhere = Hostile::play(vec![on("*", "*")]);
    let at = |line: &'static str| move |note: &Path, _: &Hostile| fs::write(note, line).unwrap();
    type Tamper = Box<dyn Fn(&Path, &Hostile)>;
    let nothing = || Box::new(|_: &Path, _: &Hostile| {}) as Tamper;
    let other = format!("http://{}/up/a\n", elsewhere.host());
    let (post, put) = ("POST /v2/app/blobs/uploads/", "PUT /up/z");
    let get = "GET /up/a";
    for (why, answer, tamper, expected) in [
        ("it is gone", on("GET", "/up/a").status(404), nothing(), &[get, post, put][..]),
        ("in trouble", on("GET", "/up/a").status(500), nothing(), &[get, get, get, get, get, post, put]),
        ("nothing arrived", on("GET", "/up/a").status(204).header("Range", "0-0"), nothing(), &[get, post, put]),
        ("no word", on("GET", "/up/a").status(204), nothing(), &[get, post, put]),
        ("more than there is", status(LARGE as u64 + 1), nothing(), &[get, post, put]),
        ("a redirect to nowhere", on("GET", "/up/a").status(307).header("Location", ""), nothing(), &[get, post, put]),
        ("a note to elsewhere", status(SENT), Box::new(move |note, _| fs::write(note, &other).unwrap()), &[post, put]),
        ("a note of rubbish", status(SENT), Box::new(at("\u{1b}[2J\n")), &[post, put]),
        ("a note to a file", status(SENT), Box::new(at("file:///etc/passwd\n")), &[post, put]),
        ("a note with a password", status(SENT), Box::new(at("http://u:p@127.0.0.1/up/a\n")), &[post, put]),
        ("a note that was cut short", status(SENT), Box::new(at("http://127.0.0.1/up")), &[post, put]),
    ] {
        let (cache, content) = (tempfile::tempdir().unwrap(), large());
        let registry = Hostile::play([cut(), vec![answer, begins("/up/z"), ends("/up/z")]].concat());
        break_off(&cache, &registry, &content).await;
        tamper(&notes(&cache)[0], &registry);
        let before = asked(&registry).len();
        program(&cache, &registry.host()).put_blob(&content.descriptor(), &content).await.unwrap();
        assert_eq!(asked(&registry).split_off(before), expected, "{why}");
        assert!(notes(&cache).is_empty(), "{why}");
    }
    assert!(elsewhere.requests().is_empty());
}

/// The line is down for longer than one program tries.
#[tokio::test]
async fn an_outage_leaves_the_note_for_another_time() {
    let (cache, content) = (tempfile::tempdir().unwrap(), large());
    let wanted = content.descriptor();
    let down = [on("GET", "/up/a").cut_head(0).times(10), on("GET", "/up/a").status(503).times(5)];
    let rest = [status(SENT), on("PATCH", "/up/b").status(202).header("Location", "/up/c"), ends("/up/c")];
    let registry = Hostile::play([cut(), down.to_vec(), rest.to_vec()].concat());
    break_off(&cache, &registry, &content).await;
    for _ in 0..3 {
        let error = program(&cache, &registry.host()).put_blob(&wanted, &content).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert_eq!(notes(&cache).len(), 1);
    }
    program(&cache, &registry.host()).put_blob(&wanted, &content).await.unwrap();
    assert_eq!(asked(&registry).iter().filter(|asked| asked.starts_with("POST")).count(), 1);
}

/// The registry takes the question, and nothing more.
#[tokio::test]
async fn an_upload_that_is_refused_half_way_begins_anew() {
    for code in [400, 403, 409] {
        let (cache, content) = (tempfile::tempdir().unwrap(), large());
        let rest = [status(SENT), on("PATCH", "/up/b").status(code), begins("/up/z")];
        let anew = [on("PATCH", "/up/z").status(202).header("Location", "/up/z"), ends("/up/z")];
        let registry = Hostile::play([cut(), rest.to_vec(), anew.to_vec()].concat());
        break_off(&cache, &registry, &content).await;
        program(&cache, &registry.host()).put_blob(&content.descriptor(), &content).await.unwrap();
        assert!(notes(&cache).is_empty(), "{code}");
    }
}

#[tokio::test]
async fn the_note_of_one_is_not_for_another() {
    let (cache, content) = (tempfile::tempdir().unwrap(), large());
    let registry = Hostile::play([cut(), vec![begins("/up/z"), ends("/up/z")]].concat());
    break_off(&cache, &registry, &content).await;
    let docker = tempfile::tempdir().unwrap();
    let auths = format!(r#"{{"auths":{{"{}":{{"username":"ada","password":"pw"}}}}}}"#, registry.host());
    fs::write(docker.path().join("config.json"), auths).unwrap();
    let client = client().cache_dir(Some(cache.path().to_owned())).docker_config(Some(docker.path().to_owned()));
    let sink = repository(client, &registry.host(), "app").sink().unwrap();
    let before = asked(&registry).len();
    sink.put_blob(&content.descriptor(), &content).await.unwrap();
    assert_eq!(asked(&registry).split_off(before), ["POST /v2/app/blobs/uploads/", "PUT /up/z"]);
}

/// A registry that others wrote, which keeps what came of a PUT: little is sent twice.
#[tokio::test]
async fn olareg_has_what_arrived() {
    let (cache, registry) = (tempfile::tempdir().unwrap(), olareg::start());
    let bytes: Vec<u8> = (0..8_u32 << 20).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let (content, size) = (Blob::new(bytes.clone()), bytes.len() as u64);
    let wanted = content.descriptor();
    let gate = Gate::before(registry.host());
    let half = size / 2;
    gate.shut_after(half);
    let first = program(&cache, &gate.host());
    let shut = async {
        while !gate.is_shut() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        done = first.put_blob(&wanted, &content) => panic!("{done:?}"),
        () = shut => {}
    }
    gate.open();
    // What was on its way when the program ended still comes in.
    let mut before = 0;
    while before != gate.passed() {
        before = gate.passed();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    program(&cache, &gate.host()).put_blob(&wanted, &content).await.unwrap();
    let passed = gate.passed() - before;
    assert!(passed < size - half + (9 << 20), "{passed} of {size} bytes were sent, where {half} had arrived");
    let stored = repository(client(), registry.host(), "app");
    assert!(
        stored.fetch(&blob(&bytes), &portolan::Limits { attestation: size, ..Default::default() }).await.unwrap()
            == bytes
    );
}

//! Registries that are written to, and that answer as registries, proxies and thieves do.

use std::fs;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, future, stream};
use portolan::Code;
use portolan::source::ByteStream;
use portolan::source::registry::{Hosts, Timing};
use portolan::source::sink::{Content, Sink};

use super::*;

/// More than one chunk.
pub(super) const LARGE: usize = (8 << 20) + 1_000_000;

/// A blob that can be had as often as it is asked for, and what goes wrong with it.
pub(super) struct Blob {
    pub(super) bytes: Bytes,
    /// What comes in the place of the last piece, and at which times.
    failure: Option<(Error, Range<usize>)>,
    opened: AtomicUsize,
}

impl Blob {
    pub(super) fn new(bytes: impl Into<Bytes>) -> Blob {
        Blob { bytes: bytes.into(), failure: None, opened: AtomicUsize::new(0) }
    }

    pub(super) fn failing(bytes: impl Into<Bytes>, error: Error, times: Range<usize>) -> Blob {
        Blob { failure: Some((error, times)), ..Blob::new(bytes) }
    }

    pub(super) fn descriptor(&self) -> Descriptor {
        blob(&self.bytes)
    }

    pub(super) fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Content for Blob {
    async fn open(&self) -> Result<ByteStream, Error> {
        let before = self.opened.fetch_add(1, Ordering::Relaxed);
        let mut pieces: Vec<Result<Bytes, Error>> =
            self.bytes.chunks(300_000).map(|piece| Ok(self.bytes.slice_ref(piece))).collect();
        if let Some((error, times)) = &self.failure
            && times.contains(&before)
        {
            pieces.pop();
            pieces.push(Err(error.clone()));
        }
        Ok(stream::iter(pieces).boxed())
    }
}

pub(super) fn large() -> Blob {
    Blob::new((0..LARGE).map(|at| (at / 7) as u8).collect::<Vec<u8>>())
}

pub(super) fn sink(script: Vec<Scene>) -> (Hostile, Box<dyn Sink>) {
    let (registry, app) = app(script);
    (registry, app.sink().unwrap())
}

pub(super) const UPLOADS: &str = "/v2/app/blobs/uploads/";

/// The scene in which an upload begins.
pub(super) fn begins(location: &str) -> Scene {
    on("POST", UPLOADS).status(202).header("Location", location)
}

/// The scene in which the upload at this path ends.
pub(super) fn ends(path: &'static str) -> Scene {
    on("PUT", path).status(201).header("Location", "/v2/app/blobs/x")
}

/// `METHOD PATH` of everything but the cancelling of uploads.
pub(super) fn asked(registry: &Hostile) -> Vec<String> {
    registry.asked().into_iter().filter(|asked| !asked.starts_with("DELETE ")).collect()
}

#[tokio::test]
async fn a_blob_goes_up_in_one_put() {
    let content = Blob::new("content");
    let wanted = content.descriptor();
    let (registry, sink) = sink(vec![begins("/up/1?_state=a%3Db"), ends("/up/1")]);
    assert!(!sink.has(&wanted).await.unwrap());
    sink.put_blob(&wanted, &content).await.unwrap();
    assert!(sink.has(&wanted).await.unwrap(), "and is known to be there");
    sink.put_blob(&wanted, &content).await.unwrap();
    sink.commit().await.unwrap();

    let head = format!("HEAD /v2/app/blobs/{}", wanted.digest);
    assert_eq!(registry.asked(), [head.as_str(), "POST /v2/app/blobs/uploads/", "PUT /up/1"]);
    let requests = registry.requests();
    assert_eq!(requests[1].header("content-length"), Some("0"));
    let put = &requests[2];
    assert_eq!((put.body.as_str(), put.header("content-length")), ("content", Some("7")));
    assert_eq!(put.header("transfer-encoding"), None);
    assert_eq!(put.header("content-type"), Some("application/octet-stream"));
    assert_eq!(put.query, format!("_state=a%3Db&digest={}", wanted.digest.as_str().replace(':', "%3A")));
    assert_eq!(content.opened(), 1);
}

#[tokio::test]
async fn what_a_head_says() {
    let wanted = blob(b"content");
    let head = || on("HEAD", "/v2/app/blobs/*");
    for (scene, there) in [
        (head().body("content"), Ok(true)),
        (head().chunked(), Ok(true)),
        (head().body("contents"), Ok(false)),
        (head().status(404), Ok(false)),
        (head().status(405), Ok(false)),
        (head().status(401), Err(Code::Unauthorized)),
        (head().status(403), Err(Code::Forbidden)),
        (head().status(429), Err(Code::RateLimited)),
        (head().status(500), Err(Code::Unavailable)),
    ] {
        let (_registry, sink) = sink(vec![scene]);
        assert_eq!(sink.has(&wanted).await.map_err(|error| error.code()), there);
    }
    let store = Hostile::play(vec![on("*", "*").status(403)]);
    let (_registry, sink) = sink(vec![head().status(307).header("Location", format!("http://{}/b", store.host()))]);
    assert!(!sink.has(&wanted).await.unwrap(), "what a store refuses is sent again");
}

#[tokio::test]
async fn where_an_upload_goes_on() {
    const WHERE: &str = "an upload says where it goes on";
    const SCHEME: &str = "a redirect stays with http and https";
    const USER: &str = "a URL that a registry sends carries no user and password";
    const NEVER: &str = "link-local, metadata, multicast and unspecified addresses are never asked";
    let content = Blob::new("content");
    for (location, put) in [
        ("1", "PUT /v2/app/blobs/uploads/1"),
        ("?x=1", "PUT /v2/app/blobs/uploads/"),
        ("/up/1?a=b&c", "PUT /up/1"),
        ("http://{host}/up/1#fragment", "PUT /up/1"),
        ("../../../other/1", "PUT /v2/other/1"),
    ] {
        let (registry, sink) = sink(vec![begins(location), on("PUT", "*").status(201)]);
        sink.put_blob(&content.descriptor(), &content).await.unwrap();
        assert_eq!(asked(&registry), ["POST /v2/app/blobs/uploads/", put], "{location}");
    }
    for (location, rule) in [
        ("", WHERE),
        ("http://", WHERE),
        ("http://[", WHERE),
        ("http://h.example:99999/", WHERE),
        ("file:///etc/passwd", SCHEME),
        ("gopher://127.0.0.1/", SCHEME),
        ("http://user:pw@{host}/up", USER),
        ("http://169.254.169.254/up", NEVER),
        ("http://0.0.0.0/up", NEVER),
    ] {
        let (registry, sink) = sink(vec![begins(location)]);
        let put = sink.put_blob(&content.descriptor(), &content).await;
        assert_says(put, &["malformed: cannot push 127.0.0.1", "answered 202", rule]);
        assert_eq!(registry.requests().len(), 1, "{location}");
    }
    let (_registry, sink) = sink(vec![on("POST", "*").status(202)]);
    assert_says(sink.put_blob(&content.descriptor(), &content).await, &["malformed: ", "no Location", WHERE]);
}

/// A registry that wants Basic, with the client that has it, and a header of its own, which may be as secret.
fn with_password(mut script: Vec<Scene>) -> (Hostile, Box<dyn Sink>, tempfile::TempDir) {
    script.insert(0, on("*", "/v2/*").without("authorization").status(401).header("WWW-Authenticate", "Basic realm=x"));
    let registry = Hostile::play(script);
    let folder = tempfile::tempdir().unwrap();
    let auths = format!(r#"{{"auths":{{"{}":{{"username":"ada","password":"hunter2-hunter2"}}}}}}"#, registry.host());
    fs::write(folder.path().join("config.json"), auths).unwrap();
    let certs_d = folder.path().join(registry.host());
    fs::create_dir(&certs_d).unwrap();
    let hosts = format!("server = \"http://{}\"\n[header]\nx-key = \"s3cret-key\"\n", registry.host());
    fs::write(certs_d.join("hosts.toml"), hosts).unwrap();
    let hosts = Hosts::none().hosts_dir(folder.path());
    let client = client().docker_config(Some(folder.path().to_owned())).hosts(hosts);
    let app = repository(client, &registry.host(), "app");
    (registry, app.sink().unwrap(), folder)
}

#[tokio::test]
async fn credentials_of_one_host_never_reach_another() {
    let content = Blob::new("content");
    let wanted = content.descriptor();
    let challenge = "Bearer realm=\"http://{host}/token\", Basic realm=x";
    let store = Hostile::play(vec![
        on("PUT", "/asks/*").status(401).header("WWW-Authenticate", challenge),
        on("POST", "/begins").status(202).header("Location", "/up/1"),
        on("PATCH", "/up/1").status(202).header("Location", "/up/2"),
        on("PUT", "/refuses").status(413),
        on("PUT", "*").status(201),
        on("GET", "*").status(204).header("Range", "0-6"),
    ]);
    let there = |path: &str| format!("http://{}{path}", store.host());
    let redirect = |method, path: &'static str, to: &str| on(method, path).status(307).header("Location", there(to));
    for (why, script, stored) in [
        ("an upload's Location", vec![begins(&there("/up/1"))], true),
        ("a PUT's redirect", vec![begins("/up/1"), redirect("PUT", "/up/1", "/up/1")], true),
        ("a POST's redirect", vec![redirect("POST", "/v2/*", "/begins")], true),
        (
            "a PATCH's Location",
            vec![
                begins("/up/1"),
                on("PUT", "/up/1").status(413),
                on("PATCH", "*").status(202).header("Location", there("/up/1")),
            ],
            true,
        ),
        ("chunks there", vec![begins(&there("/refuses")).once(), begins(&there("/up/1"))], true),
        ("who asks there", vec![begins(&there("/asks/1"))], false),
    ] {
        let (registry, sink, _folder) = with_password(script);
        assert_eq!(sink.put_blob(&wanted, &content).await.is_ok(), stored, "{why}");
        assert!(registry.requests().iter().skip(1).any(|request| request.header("authorization").is_some()), "{why}");
        assert!(registry.requests().iter().all(|request| request.header("x-key").is_some()), "{why}");
        let requests = store.requests();
        assert!(!requests.is_empty(), "{why}");
        for request in requests {
            for header in ["authorization", "x-key", "cookie", "referer", "www-authenticate"] {
                assert_eq!(request.header(header), None, "{why}: {} {}", request.method, request.path);
            }
            assert_ne!(request.path, "/token", "{why}");
        }
    }
    // Led away and back again: that was led by somebody else.
    let away = Hostile::play(vec![on("*", "/away").status(202).header("Location", "{query}")]);
    let location = format!("http://{}/away?http://{{host}}/v2/back", away.host());
    let (registry, sink, _folder) = with_password(vec![
        on("POST", "/v2/*").status(307).header("Location", location),
        on("PUT", "/v2/back").status(201),
    ]);
    assert_says(sink.put_blob(&wanted, &content).await, &["unauthorized: ", "answered 401"]);
    let back = registry.requests().into_iter().find(|request| request.path == "/v2/back").unwrap();
    assert_eq!((back.header("authorization"), back.header("x-key")), (None, None));
}

#[tokio::test]
async fn redirects_of_writes() {
    let content = Blob::new("content");
    for (status, followed) in [(307, true), (308, true), (301, false), (302, false), (303, false)] {
        let moved = |method, to: &str| on(method, "/v2/*").status(status).header("Location", to);
        let (registry, sink) = sink(vec![
            moved("POST", "/begins"),
            begins("/up/1").once(),
            on("POST", "/begins").status(202).header("Location", "/v2/up/1"),
            moved("PUT", "/ends"),
            ends("/ends"),
        ]);
        let put = sink.put_blob(&content.descriptor(), &content).await;
        if followed {
            put.unwrap();
            assert_eq!(registry.requests().last().unwrap().body, "content", "{status}: the body goes along");
            continue;
        }
        assert_says(put, &["malformed: ", "a write is redirected with 307 or 308"]);
        assert_eq!(registry.requests().len(), 1, "{status}");
    }
    let (registry, sink) = sink(vec![on("*", "*").status(307).header("Location", "/again")]);
    assert_says(sink.put_blob(&content.descriptor(), &content).await, &["malformed: ", "redirects without end"]);
    assert_eq!(registry.requests().len(), 6);
}

#[tokio::test]
async fn mounts() {
    let content = Blob::new("content");
    let wanted = content.descriptor();
    let other = Digest::sha256(b"other").to_string();
    let post = || on("POST", UPLOADS);
    let malformed = |part: &'static str| Err(part);
    for (why, scene, expected) in [
        ("mounted", post().status(201).header("Docker-Content-Digest", wanted.digest.as_str()), Ok(true)),
        ("mounted without a word", post().status(201), Ok(true)),
        ("another digest", post().status(201).header("Docker-Content-Digest", &other), malformed("that it stored")),
        ("no digest", post().status(201).header("Docker-Content-Digest", "sha256:.."), malformed("is no digest")),
        ("an upload instead", begins("/up/1"), Ok(false)),
        ("no Location", post().status(202), malformed("no Location")),
        ("a bad Location", begins("http://169.254.169.254/"), malformed("never asked")),
        ("a rate limit that passes", post().status(429).once(), Ok(true)),
        ("400", post().status(400), Ok(false)),
        ("403", post().status(403), Ok(false)),
        ("404", post().status(404), Ok(false)),
        ("405", post().status(405), Ok(false)),
        ("429", post().status(429), Ok(false)),
        ("500", post().status(500), Ok(false)),
        ("closed", post().cut_head(3), Ok(false)),
    ] {
        let (registry, sink) = sink(vec![scene, post().status(201)]);
        let from = format!("{}/base/image", registry.host());
        let mounted = sink.mount(&wanted, &from).await;
        match expected {
            Ok(expected) => assert_eq!(mounted.unwrap(), expected, "{why}"),
            Err(part) => assert_says(mounted, &["malformed: cannot push ", part]),
        }
        let asked = &registry.requests()[0];
        assert_eq!(asked.query, format!("mount={}&from=base%2Fimage", wanted.digest.as_str().replace(':', "%3A")));
        let most = if why.contains("rate") {
            2
        } else if why == "429" {
            5
        } else {
            1
        };
        assert_eq!(registry.requests().len(), most, "{why}");
    }
    // What is known to be there needs no question.
    let (registry, known) = sink(vec![on("HEAD", "*").body("content")]);
    assert!(known.has(&wanted).await.unwrap());
    assert!(known.mount(&wanted, &format!("{}/base", registry.host())).await.unwrap());
    assert_eq!(registry.requests().len(), 1);
    // Only within one registry, and not from where it is to go.
    let (registry, sink) = sink(vec![post().status(201)]);
    for from in ["docker.io/library/alpine", "127.0.0.1:1/app", "oci-layout://x", "", "../x"] {
        assert!(!sink.mount(&wanted, from).await.unwrap(), "{from}");
    }
    assert!(!sink.mount(&wanted, &format!("{}/app", registry.host())).await.unwrap());
    assert!(registry.requests().is_empty());
}

#[tokio::test]
async fn the_upload_that_a_mount_began_is_used_or_taken_back() {
    let content = Blob::new("content");
    let wanted = content.descriptor();
    let (registry, used) = sink(vec![begins("/up/1").once(), begins("/up/2"), ends("/up/1"), ends("/up/2")]);
    let from = format!("{}/base", registry.host());
    assert!(!used.mount(&wanted, &from).await.unwrap());
    used.put_blob(&wanted, &content).await.unwrap();
    used.commit().await.unwrap();
    assert_eq!(registry.asked(), ["POST /v2/app/blobs/uploads/", "PUT /up/1"]);

    let (registry, unused) = sink(vec![begins("/up/1").once(), begins("/up/2"), on("DELETE", "*").status(204)]);
    let from = format!("{}/base", registry.host());
    for _ in 0..2 {
        assert!(!unused.mount(&wanted, &from).await.unwrap());
    }
    unused.commit().await.unwrap();
    let post = "POST /v2/app/blobs/uploads/";
    assert_eq!(registry.asked(), [post, post, "DELETE /up/1", "DELETE /up/2"]);
}

#[tokio::test]
async fn uploads_are_tried_again() {
    let content = Blob::new("content");
    let wanted = content.descriptor();
    for (why, broken) in [
        ("503", on("PUT", "*").status(503).once()),
        ("429", on("PUT", "*").status(429).header("Retry-After", "1").times(4)),
        ("an upload that is lost", on("PUT", "*").status(404).times(4)),
        ("before the head", ends("/up/1").cut_head(0).times(2)),
        ("in the body", on("PUT", "*").takes(3).once()),
        ("POST 503", on("POST", "*").status(503).times(4)),
        ("POST 429", on("POST", "*").status(429).header("Retry-After", "100000000000").times(4)),
        ("POST closed", on("POST", "*").cut_head(9).times(2)),
    ] {
        let (_registry, sink) = sink(vec![broken, begins("/up/1"), ends("/up/1")]);
        let put = sink.put_blob(&wanted, &content).await;
        assert!(put.is_ok(), "{why}: {}", failure(put));
    }
    for (why, broken, code) in [
        ("503 for ever", on("PUT", "*").status(503), Code::Unavailable),
        ("429 for ever", on("PUT", "*").status(429).header("Retry-After", "0"), Code::RateLimited),
        ("lost for ever", on("PUT", "*").status(404), Code::NotFound),
        ("closed for ever", on("PUT", "*").takes(3), Code::Unavailable),
        ("POST 500 for ever", on("POST", "*").status(500), Code::Unavailable),
        ("403", on("PUT", "*").status(403), Code::Forbidden),
        ("not stored", on("PUT", "*").status(202), Code::Malformed),
    ] {
        let (registry, sink) = sink(vec![broken, begins("/up/1")]);
        let error = sink.put_blob(&wanted, &content).await.unwrap_err();
        assert_eq!((error.code(), error.host().is_some()), (code, true), "{why}: {error}");
        assert!(registry.requests().len() <= 16, "{why}: {:?}", registry.asked());
        assert!(!sink.has(&wanted).await.unwrap_or(false), "{why}: nothing is believed to be there");
    }
}

fn is_taken_back(registry: &Hostile) -> bool {
    registry.asked().iter().any(|asked| asked == "DELETE /up/1")
}

#[tokio::test]
async fn content_that_is_not_what_it_says_is_never_stored() {
    let mismatch = || Error::new(Code::DigestMismatch, "fetch", "elsewhere@sha256:0", "the bytes are others");
    let broken = || Error::new(Code::Unavailable, "fetch", "elsewhere@sha256:0", "gone").retryable();
    for in_chunks in [false, true] {
        let script = || {
            let refuses = on("PUT", "/up/1").status(413).times(usize::from(in_chunks));
            vec![
                refuses,
                begins("/up/1"),
                on("PATCH", "*").status(202).header("Location", "/up/1"),
                on("PUT", "/up/1").status(201),
                on("DELETE", "*").status(204),
            ]
        };
        let whole = large();
        let wanted = whole.descriptor();
        let (registry, refused) = sink(script());
        let lies = Blob::failing(whole.bytes.clone(), mismatch(), usize::from(in_chunks)..usize::MAX);
        assert_says(refused.put_blob(&wanted, &lies).await, &["digest-mismatch: cannot fetch elsewhere"]);
        assert_eq!(lies.opened(), 1 + usize::from(in_chunks), "it is not tried again");
        assert!(is_taken_back(&registry), "{:?}", registry.asked());
        let ended =
            registry.requests().into_iter().filter(|request| request.method == "PUT" && !request.query.is_empty());
        for request in ended.skip(usize::from(in_chunks)) {
            assert!(request.length < LARGE as u64, "all of it never arrives");
        }

        for (why, bytes) in [
            ("short", whole.bytes.slice(..LARGE - 1)),
            ("empty", Bytes::new()),
            ("long", [&whole.bytes[..], b"x"].concat().into()),
        ] {
            let (registry, refused) = sink(script());
            let put = refused.put_blob(&wanted, &Blob::new(bytes)).await;
            assert_says(put, &["digest-mismatch: cannot push ", "its descriptor says"]);
            assert!(is_taken_back(&registry), "{why}: {:?}", registry.asked());
        }

        let (_registry, patient) = sink(script());
        let returns = Blob::failing(whole.bytes.clone(), broken(), 0..2);
        patient.put_blob(&wanted, &returns).await.unwrap();
        let (_registry, impatient) = sink(script());
        let gone = Blob::failing(whole.bytes.clone(), broken(), 0..usize::MAX);
        assert_says(impatient.put_blob(&wanted, &gone).await, &["unavailable: cannot fetch elsewhere", "gone"]);
    }
}

#[tokio::test]
async fn content_that_is_too_short_is_no_broken_connection() {
    let wanted = blob(b"content");
    let (_registry, sink) = sink(vec![begins("/up/1"), ends("/up/1")]);
    for bytes in ["conten", "", "contents"] {
        let content = Blob::new(bytes);
        assert_says(sink.put_blob(&wanted, &content).await, &["digest-mismatch: cannot push ", "its descriptor says"]);
        assert_eq!(content.opened(), 1, "{bytes:?}: it would be as short the next time");
    }
}

/// A blob of 1 GiB that is made while it is read, and counts how much of it was at the most.
#[derive(Default)]
struct Endless(Arc<AtomicUsize>);

#[async_trait]
impl Content for Endless {
    async fn open(&self) -> Result<ByteStream, Error> {
        let (most, piece) = (Arc::clone(&self.0), Bytes::from(vec![0; 1 << 18]));
        Ok(stream::iter((0..4096).map(move |number| {
            most.fetch_max((number + 1) << 18, Ordering::Relaxed);
            Ok(piece.clone())
        }))
        .boxed())
    }
}

#[tokio::test]
async fn no_more_of_a_blob_is_read_than_is_taken() {
    let mut timing = Timing::default();
    timing.retry_first = Duration::from_millis(1);
    timing.retry_most = Duration::from_millis(1);
    timing.idle = Duration::from_millis(50);
    let wanted = Descriptor { size: 1 << 30, ..blob(b"not that") };
    for takes_nothing in
        [vec![on("PUT", "*").early().hang()], vec![on("PUT", "*").early().status(413), on("PATCH", "*").early().hang()]]
    {
        let registry = Hostile::play([takes_nothing, vec![begins("/up/1")]].concat());
        let sink = repository(client().timing(timing.clone()), &registry.host(), "app").sink().unwrap();
        let content = Endless::default();
        assert!(sink.put_blob(&wanted, &content).await.is_err());
        let most = content.0.load(Ordering::Relaxed);
        assert!(most <= 128 << 20, "{most} bytes, of which a chunk and what sockets hold are ours");
    }
}

#[tokio::test]
async fn registries_that_take_nothing() {
    let content = Blob::new("content");
    let wanted = content.descriptor();
    for (status, code, hint) in [
        (401, Code::Unauthorized, "log in"),
        (403, Code::Forbidden, "log in"),
        (404, Code::NotFound, "takes no pushes"),
        (405, Code::Other, "takes no pushes"),
    ] {
        let (_registry, sink) = sink(vec![on("POST", "*").status(status)]);
        let error = sink.put_blob(&wanted, &content).await.unwrap_err();
        assert_eq!((error.code(), error.status(), error.operation()), (code, Some(status), "push"), "{error}");
        assert!(error.hint().unwrap().contains(hint), "{status}: {:?}", error.hint());
    }
    for (why, scene, shown) in [
        ("terminal escapes", on("PUT", "*").status(403).body("\u{1b}[2Jgone"), "\\u{1b}[2Jgone"),
        ("without end", on("PUT", "*").status(403).body(vec![b'x'; 1 << 16]).endless(), "xxxx…"),
        ("our own secret", on("PUT", "*").status(403).body("you are hunter2-hunter2"), "you are ***"),
    ] {
        let (_registry, sink, _folder) = with_password(vec![begins("/up/1"), scene]);
        let said = failure(sink.put_blob(&wanted, &content).await);
        assert!(said.contains(shown) && said.len() < 2048 && !said.contains(char::is_control), "{why}: {said}");
    }
    // A body without end after a 201 is nobody's business.
    let (_registry, sink) = sink(vec![begins("/up/1"), ends("/up/1").body(vec![b'x'; 1 << 16]).endless()]);
    sink.put_blob(&wanted, &content).await.unwrap();
}

#[tokio::test]
async fn slow_registries_are_given_up_on_while_writing() {
    let hasty = |set: fn(&mut Timing)| {
        let mut timing = Timing::default();
        timing.retry_first = Duration::from_millis(1);
        timing.retry_most = Duration::from_millis(1);
        set(&mut timing);
        client().timing(timing)
    };
    let short = |timing: &mut Timing| timing.answer = Duration::from_millis(20);
    let idle = |timing: &mut Timing| timing.idle = Duration::from_millis(50);
    let stored = |timing: &mut Timing| timing.stored = Duration::from_millis(50);
    for (why, script, timing, says) in [
        ("no beginning", vec![on("POST", "*").hang()], short as fn(&mut Timing), "no answer within 20ms"),
        (
            "nothing is taken",
            vec![begins("/up/1"), on("PUT", "*").early().hang(), on("GET", "*").status(404)],
            idle,
            "no more of the body taken within 50ms",
        ),
        (
            "it is never stored",
            vec![begins("/up/1"), on("PUT", "*").hang(), on("GET", "*").status(404), on("PATCH", "*").hang()],
            stored,
            "no answer within 50ms",
        ),
    ] {
        let registry = Hostile::play(script);
        let app = repository(hasty(timing), &registry.host(), "app");
        let content = if why == "no beginning" { Blob::new("content") } else { large() };
        let error = app.sink().unwrap().put_blob(&content.descriptor(), &content).await.unwrap_err();
        assert!(matches!(error.code(), Code::Unavailable | Code::NotFound), "{why}: {error}");
        assert!(why == "nothing is taken" || error.to_string().contains(says), "{why}: {error}");
    }
}

/// Small blobs, whose cost is the questions about them, go more at a time.
#[tokio::test]
async fn who_stops_writing_leaves_no_place_taken() {
    for (size, places) in [((64 << 10) + 1, 4), (9, 16)] {
        let more = 4;
        let (registry, sink) =
            sink(vec![begins("/hang").times(places + more), begins("/up/1"), on("PUT", "/hang").hang(), ends("/up/1")]);
        let blobs: Vec<Blob> = (0..places + more).map(|number| Blob::new(vec![number as u8; size])).collect();
        let wanted: Vec<Descriptor> = blobs.iter().map(Blob::descriptor).collect();
        let all = future::join_all(blobs.iter().zip(&wanted).map(|(content, wanted)| sink.put_blob(wanted, content)));
        assert!(tokio::time::timeout(Duration::from_millis(300), all).await.is_err());
        let puts = registry.asked().iter().filter(|asked| *asked == "PUT /hang").count();
        assert_eq!(puts, places, "no registry is sent more of {size} bytes at a time");
        for _ in 0..more {
            // What is left of the uploads that hang.
            let _ = tokio::time::timeout(Duration::from_millis(50), sink.put_blob(&wanted[0], &blobs[0])).await;
        }
        let content = Blob::new("content");
        sink.put_blob(&content.descriptor(), &content).await.unwrap();
    }
}

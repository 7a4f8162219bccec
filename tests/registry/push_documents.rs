//! Documents that are written: under which name, with which token, and what becomes of referrers.

use std::fs;

use bytes::Bytes;
use portolan::source::sink::{Document, Pushed, Sink};
use portolan::{Code, Limits};
use portolan_oci::{Algorithm, Index};

use super::push::{Blob, UPLOADS, begins, ends, sink};
use super::*;

fn document(bytes: &str, name: Option<&str>) -> Document {
    Document { descriptor: manifest(bytes), bytes: Bytes::from(bytes.to_owned()), name: name.map(str::to_owned) }
}

const CREATED: Pushed = Pushed { created: true, subject_processed: true };
const THERE: Pushed = Pushed { created: false, subject_processed: true };

#[tokio::test]
async fn by_tag_or_by_digest_and_only_where_it_is_not_there() {
    let digest = Digest::sha256(MANIFEST.as_bytes());
    let by_digest = format!("/v2/app/manifests/{digest}");
    let put = |path: &str| on("PUT", path).status(201);
    for (why, name, head, expected, asked) in [
        ("a new tag", Some("1"), on("HEAD", "*").status(404), CREATED, &["HEAD 1", "PUT 1"][..]),
        ("the tag moves", Some("1"), serve("HEAD", "1", "{}"), CREATED, &["HEAD 1", "PUT 1"]),
        ("the tag is there", Some("1"), serve("HEAD", "1", MANIFEST), THERE, &["HEAD 1"]),
        ("no word on the digest", Some("1"), on("HEAD", "*").body(MANIFEST), CREATED, &["HEAD 1", "PUT 1"]),
        ("no HEAD", Some("1"), on("HEAD", "*").status(405), CREATED, &["HEAD 1", "PUT 1"]),
        ("forbidden to read", Some("1"), on("HEAD", "*").status(403), CREATED, &["HEAD 1", "PUT 1"]),
        ("new", None, on("HEAD", "*").status(404), CREATED, &["HEAD", "PUT"]),
        ("there", None, on("HEAD", &*by_digest).body(MANIFEST), THERE, &["HEAD"]),
    ] {
        let (registry, sink) = sink(vec![head, put("/v2/app/manifests/1"), put(&by_digest)]);
        let pushed = sink.put_document(&document(MANIFEST, name)).await.unwrap();
        assert_eq!(pushed, expected, "{why}");
        let found: Vec<String> = registry
            .asked()
            .iter()
            .map(|asked| asked.replace("/v2/app/manifests/", "").replace(digest.as_str(), "").trim().to_owned())
            .collect();
        assert_eq!(found, asked, "{why}");
        if pushed.created {
            let request = registry.requests().pop().unwrap();
            assert_eq!(request.body, MANIFEST, "{why}");
            assert_eq!(request.header("content-type"), Some(media_type::OCI_MANIFEST), "{why}");
            assert_eq!(request.header("content-length"), Some(MANIFEST.len().to_string().as_str()), "{why}");
        }
    }
}

#[tokio::test]
async fn what_is_no_tag_is_not_asked_for() {
    let (registry, sink) = sink(vec![on("*", "*").status(201)]);
    let digest = format!("@{}", Digest::sha256(b""));
    for name in ["", "a/b", "../x", "docker.io/acme/app:1", "1?x", "1 2", &digest, &"a".repeat(129)] {
        let pushed = sink.put_document(&document(MANIFEST, Some(name))).await;
        assert_says(pushed, &["invalid-reference: cannot push 127.0.0.1", "is no tag"]);
    }
    let large = format!("{}{MANIFEST}", " ".repeat(4 << 20));
    assert_says(sink.put_document(&document(&large, None)).await, &["too-large: ", "the limit"]);
    assert!(registry.requests().is_empty());
}

#[tokio::test]
async fn what_registries_say_to_documents() {
    let put = || on("PUT", "*");
    let sha512 = Digest::of(Algorithm::Sha512, MANIFEST.as_bytes());
    for (scene, expected) in [
        (put().status(201), Ok(CREATED)),
        (put().status(200), Ok(CREATED)),
        (put().status(202), Ok(CREATED)),
        (put().status(201).header("Docker-Content-Digest", manifest(MANIFEST).digest.as_str()), Ok(CREATED)),
        (put().status(201).header("Docker-Content-Digest", sha512.as_str()), Ok(CREATED)),
        (put().status(201).header("Docker-Content-Digest", Digest::sha256(b"").as_str()), Err((Code::Malformed, 1))),
        (put().status(201).header("Docker-Content-Digest", "sha256:.."), Err((Code::Malformed, 1))),
        (put().status(400), Err((Code::Other, 1))),
        (put().status(401), Err((Code::Unauthorized, 1))),
        (put().status(403), Err((Code::Forbidden, 1))),
        (put().status(404), Err((Code::NotFound, 1))),
        (put().status(405), Err((Code::Other, 1))),
        (put().status(413), Err((Code::Other, 1))),
        (put().status(429), Err((Code::RateLimited, 5))),
        (put().status(500), Err((Code::Unavailable, 5))),
        (put().status(302).header("Location", "/x"), Err((Code::Malformed, 1))),
        (put().status(307).header("Location", "http://169.254.169.254/"), Err((Code::Malformed, 1))),
        (put().status(503).header("Retry-After", "1").times(4), Ok(CREATED)),
        (put().cut_head(5).times(2), Ok(CREATED)),
        (put().takes(5).times(2), Ok(CREATED)),
    ] {
        let (registry, sink) = sink(vec![scene, put().status(201)]);
        let pushed = sink.put_document(&document(MANIFEST, Some("1"))).await;
        match expected {
            Ok(expected) => assert_eq!(pushed.unwrap(), expected, "{:?}", registry.asked()),
            Err((code, tries)) => {
                let error = pushed.unwrap_err();
                assert_eq!((error.code(), error.operation()), (code, "push"), "{error}");
                assert!(error.to_string().contains("/app:1: 127.0.0.1:"), "{error}");
                assert_eq!(registry.requests().len(), 1 + tries, "{error}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_missing_is_not_believed_to_be_there_any_more() {
    let content = Blob::new("content");
    let wanted = content.descriptor();
    let (registry, sink) = sink(vec![begins("/up/1"), ends("/up/1"), on("PUT", "/v2/app/manifests/1").status(400)]);
    sink.put_blob(&wanted, &content).await.unwrap();
    assert!(sink.has(&wanted).await.unwrap());
    let unknown = sink.put_document(&document(MANIFEST, Some("1"))).await;
    assert_says(unknown, &["other: cannot push ", "answered 400"]);
    assert!(!sink.has(&wanted).await.unwrap());
    assert!(registry.asked().last().unwrap().starts_with("HEAD /v2/app/blobs/"));
}

#[tokio::test]
async fn who_asks_after_a_push_gets_what_was_pushed() {
    let registry = Hostile::play(vec![
        serve("HEAD", "1", "{}").delay(Duration::from_millis(300)).once(),
        on("HEAD", "*").status(404).once(),
        on("PUT", "*").status(201),
        serve("HEAD", "1", MANIFEST),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let app = repository(client().cache_dir(Some(folder.path().to_owned())), &registry.host(), "app");
    let sink = app.sink().unwrap();
    let (old, new) = tokio::join!(resolve_tag(&app, "1"), async {
        while registry.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sink.put_document(&document(MANIFEST, Some("1"))).await.unwrap();
        resolve_tag(&app, "1").await.unwrap()
    });
    assert_eq!(old.unwrap().digest, Digest::sha256(b"{}"), "who asked before may hear of the old one");
    assert_eq!(new, manifest(MANIFEST));
    // What was pushed is there without being fetched.
    assert_eq!(app.fetch(&new, &Limits::default()).await.unwrap(), MANIFEST);
    assert!(!registry.asked().iter().any(|asked| asked.starts_with("GET")), "{:?}", registry.asked());
}

/// An artifact that speaks of [`MANIFEST`].
fn referrer(note: &str) -> String {
    let subject = serde_json::to_string(&manifest(MANIFEST)).unwrap();
    MANIFEST.replacen(
        "\"layers\"",
        &format!(r#""artifactType":"a/signature","subject":{subject},"annotations":{{"note":"{note}"}},"layers""#),
        1,
    )
}

#[tokio::test]
async fn referrers_are_listed_where_the_registry_does_not() {
    let subject = manifest(MANIFEST).digest;
    let tag = format!("/v2/app/manifests/sha256-{}", subject.hex());
    let (one, two) = (referrer("one"), referrer("two"));
    let entry = |document: &str| {
        let annotations = serde_json::from_str::<serde_json::Value>(document).unwrap()["annotations"].clone();
        let mut entry = serde_json::to_value(manifest(document)).unwrap();
        entry["artifactType"] = "a/signature".into();
        entry["annotations"] = annotations;
        entry
    };
    let list = |entries: &[serde_json::Value]| {
        serde_json::json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "annotations": {"kept": "yes"}, "manifests": entries})
            .to_string()
    };
    let there = |body: String| on("GET", tag.clone()).header("Content-Type", media_type::OCI_INDEX).body(body);
    let put = |status| on("PUT", tag.clone()).status(status);
    let processed = |answer: &str| on("PUT", "/v2/app/manifests/sha256:*").status(201).header("OCI-Subject", answer);
    let plain = || on("PUT", "/v2/app/manifests/sha256:*").status(201);
    let malformed = on("GET", tag.clone()).header("Content-Type", media_type::OCI_MANIFEST).body(MANIFEST);
    let full = list(
        &vec![entry(&one); 10_001]
            .iter()
            .enumerate()
            .map(|(number, entry)| {
                let mut entry = entry.clone();
                entry["digest"] = Digest::sha256(number.to_string().as_bytes()).as_str().into();
                entry
            })
            .collect::<Vec<_>>(),
    );
    for (why, script, expected, listed) in [
        ("the registry does", vec![processed(subject.as_str())], Ok(true), None),
        ("no list yet", vec![plain(), put(201)], Ok(false), Some(vec![entry(&two)])),
        (
            "another subject",
            vec![processed(Digest::sha256(b"").as_str()), put(201)],
            Ok(false),
            Some(vec![entry(&two)]),
        ),
        (
            "a list",
            vec![plain(), there(list(&[entry(&one)])), put(201)],
            Ok(false),
            Some(vec![entry(&one), entry(&two)]),
        ),
        ("it is on the list", vec![plain(), there(list(&[entry(&two), entry(&one)]))], Ok(false), None),
        (
            "somebody else was faster",
            vec![
                plain(),
                there(list(&[])).header("ETag", "\"a\"").once(),
                there(list(&[entry(&one)])),
                put(412).once(),
                put(201),
            ],
            Ok(false),
            Some(vec![entry(&one), entry(&two)]),
        ),
        ("somebody else always is", vec![plain(), put(412)], Err("conflict: "), None),
        ("the tag is something else", vec![plain(), malformed], Err("malformed: "), None),
        ("the list is no JSON", vec![plain(), there("{".to_owned())], Err("malformed: "), None),
        ("the list is full", vec![plain(), there(full)], Err("too-large: "), None),
        ("the list is without end", vec![plain(), there(" ".repeat(1 << 16)).endless()], Err("too-large: "), None),
        ("the list is refused", vec![plain(), put(403)], Err("forbidden: "), None),
        ("the list cannot be read", vec![plain(), on("GET", tag.clone()).status(403)], Err("forbidden: "), None),
    ] {
        let (registry, sink) = sink(script);
        let pushed = sink.put_document(&document(&two, None)).await;
        match expected {
            Ok(subject_processed) => assert_eq!(pushed.unwrap(), Pushed { created: true, subject_processed }, "{why}"),
            Err(part) => {
                assert_says(pushed, &[part, "cannot push "]);
                continue;
            }
        }
        let requests = registry.requests();
        let stored = requests.iter().rfind(|request| request.method == "PUT" && request.path == tag);
        assert_eq!(stored.is_some(), listed.is_some(), "{why}");
        let (Some(stored), Some(listed)) = (stored, listed) else { continue };
        assert_eq!(stored.header("content-type"), Some(media_type::OCI_INDEX), "{why}");
        let index: serde_json::Value = serde_json::from_str(&stored.body).unwrap();
        assert_eq!(index["manifests"], serde_json::Value::from(listed), "{why}");
        assert!(Index::parse(stored.body.as_bytes()).is_ok(), "{why}");
        if requests.iter().any(|request| request.method == "GET" && request.path == tag) && why.contains("a list") {
            assert_eq!(index["annotations"]["kept"], "yes", "{why}: nothing is lost");
        }
        if why.contains("faster") {
            let first = requests.iter().find(|request| request.method == "PUT" && request.path == tag).unwrap();
            assert_eq!(first.header("if-match"), Some("\"a\""));
        }
    }
    // What is there already may not be listed yet.
    let serve_two = || serve("HEAD", manifest(&two).digest.as_str(), &two);
    let api = on("GET", format!("/v2/app/referrers/{subject}")).body(list(&[]));
    for (why, script, subject_processed, puts) in [
        ("there, and listed by the registry", vec![serve_two(), api], true, 0),
        ("there, and on the list", vec![serve_two(), there(list(&[entry(&two)]))], false, 0),
        ("there, and not on the list", vec![serve_two(), there(list(&[entry(&one)])), put(201)], false, 1),
    ] {
        let (registry, sink) = sink(script);
        let pushed = sink.put_document(&document(&two, None)).await.unwrap();
        assert_eq!(pushed, Pushed { created: false, subject_processed }, "{why}");
        assert_eq!(registry.asked().iter().filter(|asked| asked.starts_with("PUT ")).count(), puts, "{why}");
    }
}

#[tokio::test]
async fn many_referrers_at_once_lose_none() {
    // The list is what the last one wrote, which a script cannot say: each finds what the one before it wrote only if they
    // come one after the other.
    let subject = manifest(MANIFEST).digest;
    let tag = format!("/v2/app/manifests/sha256-{}", subject.hex());
    let slow = Duration::from_millis(30);
    let (registry, pushing) = sink(vec![
        on("PUT", tag.clone()).status(201).delay(slow),
        on("GET", tag.clone()).status(404).delay(slow),
        on("PUT", "*").status(201),
    ]);
    let documents: Vec<Document> = (0..4).map(|number| document(&referrer(&number.to_string()), None)).collect();
    let pushed = futures_util::future::join_all(documents.iter().map(|document| pushing.put_document(document))).await;
    assert!(pushed.iter().all(Result::is_ok));
    let asked = registry.asked();
    let lists: Vec<&str> = asked.iter().filter(|asked| asked.ends_with(&tag)).map(|asked| &asked[..3]).collect();
    assert_eq!(lists, ["GET", "PUT"].repeat(4));

    // A registry that keeps the list may do it no better (olareg), so that it gets one after the other, too.
    let (registry, sink) = sink(vec![on("PUT", "*").status(201).header("OCI-Subject", subject.as_str()).delay(slow)]);
    let pushed = futures_util::future::join_all(documents.iter().map(|document| sink.put_document(document))).await;
    assert!(pushed.into_iter().all(|pushed| pushed.is_ok_and(|pushed| pushed.subject_processed)));
    let asked: Vec<String> = registry.asked().iter().map(|asked| asked.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(asked, ["HEAD", "PUT"].repeat(4));
}

const CHALLENGE: &str = r#"Bearer realm="http://{host}/token",service="test""#;

/// A registry with a token server: `wide` writes, `narrow` reads.
fn guarded(challenge: &str) -> Vec<Scene> {
    let wide = |method, path: &str| on(method, path).when("authorization", "Bearer wide");
    vec![
        serve("HEAD", "1", MANIFEST).when("authorization", "Bearer narrow").once(),
        wide("HEAD", "/v2/app/*").status(404),
        wide("POST", UPLOADS).status(202).header("Location", "/v2/up/1"),
        wide("PUT", "*").status(201),
        on("*", "/v2/*").status(401).header("WWW-Authenticate", challenge),
    ]
}

fn token(text: &str) -> Scene {
    on("GET", "/token").body(format!(r#"{{"token":"{text}","expires_in":300}}"#))
}

#[tokio::test]
async fn tokens_for_writing() {
    let content = Blob::new("content");
    let wanted = content.descriptor();
    let mut script = guarded(CHALLENGE);
    script.extend([token("narrow").once(), token("wide")]);
    let registry = Hostile::play(script);
    let app = repository(client(), &registry.host(), "app");
    resolve_tag(&app, "1").await.unwrap();
    let scopes = |registry: &Hostile| -> Vec<String> {
        let tokens = registry.requests().into_iter().filter(|request| request.path == "/token");
        tokens.map(|request| request.query.split("scope=").nth(1).unwrap_or_default().to_owned()).collect()
    };
    let write = async |sink: Box<dyn Sink>| {
        assert!(!sink.has(&wanted).await.unwrap());
        sink.put_document(&document(MANIFEST, Some("2"))).await.unwrap();
    };
    write(app.sink().unwrap()).await;
    let (pull, push) = ("repository%3Aapp%3Apull", "repository%3Aapp%3Apull%2Cpush");
    assert_eq!(scopes(&registry), [pull, push], "one token for all of a writing");
    let narrow =
        registry.requests().iter().filter(|request| request.header("authorization") == Some("Bearer narrow")).count();
    assert_eq!(narrow, 1, "what reads is not shown in vain for a write");
    write(app.sink().unwrap()).await;
    assert_eq!(scopes(&registry), [pull, push, push], "nobody else writes with it");

    // What a challenge asks for is asked for, and what we know to want.
    for (challenge, expected) in [
        (format!("{CHALLENGE},scope=\"repository:app:pull\""), push.to_owned()),
        (format!("{CHALLENGE},scope=\"repository:app:pull,push\""), push.to_owned()),
        (format!("{CHALLENGE},scope=\"aws\""), format!("aws&scope={push}").split("&scope").next().unwrap().to_owned()),
    ] {
        let mut script = guarded(&challenge);
        script.push(token("wide"));
        let registry = Hostile::play(script);
        write(repository(client(), &registry.host(), "app").sink().unwrap()).await;
        assert!(scopes(&registry)[0].starts_with(&expected), "{challenge}");
    }
}

#[tokio::test]
async fn a_token_that_opens_too_little_is_replaced() {
    let content = Blob::new("content");
    let wanted = content.descriptor();
    let too_little = format!(r#"{CHALLENGE},scope="repository:app:pull,push",error="insufficient_scope""#);
    for status in [401, 403] {
        let mut script = vec![
            on("POST", UPLOADS)
                .when("authorization", "Bearer narrow")
                .status(status)
                .header("WWW-Authenticate", &too_little),
        ];
        script.extend(guarded(CHALLENGE));
        script.extend([token("narrow").once(), token("wide")]);
        let (registry, sink) = sink(script);
        sink.put_blob(&wanted, &content).await.unwrap();
        let (post, token) = ("POST /v2/app/blobs/uploads/", "GET /token");
        assert_eq!(registry.asked(), [post, token, post, token, post, "PUT /v2/up/1"], "{status}");
    }
    // A 403 that says nothing of scopes is a 403.
    let mut script = vec![on("POST", UPLOADS).when("authorization", "Bearer narrow").status(403)];
    script.extend(guarded(CHALLENGE));
    script.push(token("narrow"));
    let (registry, sink) = sink(script);
    assert_says(sink.put_blob(&wanted, &content).await, &["forbidden: "]);
    assert_eq!(registry.asked().len(), 3);
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_is_replaced_and_the_blob_sent_again() {
    let content = Blob::new("content");
    let mut script = vec![
        on("PUT", "*").when("authorization", "Bearer wide").status(401).header("WWW-Authenticate", CHALLENGE),
        on("PUT", "*").when("authorization", "Bearer new").status(201),
    ];
    script.extend(guarded(CHALLENGE));
    script.extend([token("wide").once(), token("new")]);
    let (registry, sink) = sink(script);
    sink.put_blob(&content.descriptor(), &content).await.unwrap();
    assert_eq!(content.opened(), 2);
    assert_eq!(registry.requests().last().unwrap().body, "content");
}

#[tokio::test]
async fn a_mount_asks_for_both_repositories() {
    let wanted = Blob::new("content").descriptor();
    let mut script = vec![on("POST", UPLOADS).when("authorization", "Bearer both").status(201)];
    script.extend(guarded(CHALLENGE));
    script.push(token("both"));
    let (registry, sink) = sink(script);
    assert!(sink.mount(&wanted, &format!("{}/base/image", registry.host())).await.unwrap());
    let asked = registry.requests().into_iter().find(|request| request.path == "/token").unwrap();
    assert_eq!(asked.query, "service=test&scope=repository%3Aapp%3Apull%2Cpush&scope=repository%3Abase%2Fimage%3Apull");
}

#[tokio::test]
async fn a_password_is_shown_at_once_where_it_was_asked_for() {
    let content = Blob::new("content");
    let registry = Hostile::play(vec![
        on("*", "*").without("authorization").status(401).header("WWW-Authenticate", "Basic realm=x"),
        serve("HEAD", "1", MANIFEST),
        begins("/up/1"),
        ends("/up/1"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let auths = format!(r#"{{"auths":{{"{}":{{"username":"ada","password":"pw"}}}}}}"#, registry.host());
    fs::write(folder.path().join("config.json"), auths).unwrap();
    let app = repository(client().docker_config(Some(folder.path().to_owned())), &registry.host(), "app");
    resolve_tag(&app, "1").await.unwrap();
    app.sink().unwrap().put_blob(&content.descriptor(), &content).await.unwrap();
    let head = "HEAD /v2/app/manifests/1";
    assert_eq!(registry.asked(), [head, head, "POST /v2/app/blobs/uploads/", "PUT /up/1"]);
}

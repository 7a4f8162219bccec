//! What registries may answer with: wrong bytes, wrong sizes, wrong types, wrong words about them.

use portolan::Limits;
use portolan_oci::{Algorithm, Document};
use portolan_tests::fixtures;

use super::*;

#[tokio::test]
async fn one_request_where_the_head_tells_everything() {
    let (registry, app) = app(vec![serve("HEAD", "1", MANIFEST)]);
    assert_eq!(resolve_tag(&app, "1").await.unwrap(), manifest(MANIFEST));
    assert_eq!(registry.asked(), ["HEAD /v2/app/manifests/1"]);
    let request = registry.requests().remove(0);
    assert_eq!(request.header("authorization"), None);
    let accepted = request.header("accept").unwrap();
    for wanted in media_type::ROOTS {
        assert!(accepted.contains(wanted), "{accepted}");
    }
}

#[tokio::test]
async fn a_head_that_does_not_tell_is_asked_again_with_get() {
    let digest = Digest::sha256(MANIFEST.as_bytes());
    let head = || on("HEAD", "/v2/app/manifests/1").body(MANIFEST);
    let typed = || head().header("Content-Type", media_type::OCI_MANIFEST);
    for (why, head) in [
        ("405", head().status(405)),
        ("403", head().status(403)),
        ("no digest", typed()),
        ("digest of three letters", typed().header("Docker-Content-Digest", "sha256:abc")),
        ("digest with a path", typed().header("Docker-Content-Digest", "sha256:../../etc/passwd")),
        ("digest in capitals", typed().header("Docker-Content-Digest", digest.as_str().to_uppercase())),
        ("digest that nobody knows", typed().header("Docker-Content-Digest", "blake3:00")),
        ("empty digest", typed().header("Docker-Content-Digest", "")),
        ("no length", typed().header("Docker-Content-Digest", digest.to_string()).chunked()),
        ("no type", head().header("Docker-Content-Digest", digest.to_string())),
    ] {
        let (registry, app) = app(vec![head, serve("GET", "1", MANIFEST)]);
        assert_eq!(resolve_tag(&app, "1").await.unwrap(), manifest(MANIFEST), "{why}");
        assert_eq!(registry.asked(), ["HEAD /v2/app/manifests/1", "GET /v2/app/manifests/1"], "{why}");
    }
}

#[tokio::test]
async fn media_types_of_a_root() {
    let get = |content_type: &str| {
        let scene = on("GET", "/v2/app/manifests/1").body(MANIFEST);
        let scene = if content_type.is_empty() { scene } else { scene.header("Content-Type", content_type) };
        vec![on("HEAD", "*").status(405), scene]
    };
    for content_type in [
        "",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
        "Application/VND.OCI.Image.Manifest.V1+JSON",
        "application/json",
        "text/plain; charset=utf-8",
        "application/octet-stream",
    ] {
        let (_registry, app) = app(get(content_type));
        assert_eq!(resolve_tag(&app, "1").await.unwrap(), manifest(MANIFEST), "{content_type}");
    }
    for (content_type, says) in [
        ("text/html", "\"text/html\", which is no manifest and no index"),
        ("image/png", "\"image/png\", which is no manifest and no index"),
        ("application/vnd.oci.image.index.v1+json", "its shape is that of"),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"),
        ("rubbish", "no manifest"),
    ] {
        let (_registry, app) = app(get(content_type));
        assert_says(resolve_tag(&app, "1").await, &["malformed: cannot resolve ", says]);
    }
}

#[tokio::test]
async fn lies_about_a_tag() {
    let other = Digest::sha256(b"other").to_string();
    let get = || on("GET", "/v2/app/manifests/1").header("Content-Type", media_type::OCI_MANIFEST);
    let no_head = on("HEAD", "*").status(405);
    for (script, says) in [
        (get().header("Docker-Content-Digest", &other).body(MANIFEST), &["digest-mismatch: ", "was promised"][..]),
        (get().body("{}"), &["malformed: "]),
        (get().body(""), &["malformed: "]),
        (get().body(MANIFEST).status(206), &["malformed: ", "answered 206: a part, unasked"]),
        (get().body("<html>log in</html>"), &["malformed: "]),
        (get().body([0xef, 0xbb, 0xbf]), &["malformed: "]),
        (get().body("[".repeat(100_000)), &["malformed: "]),
        (get().body(vec![b' '; (4 << 20) + 1]), &["too-large: ", "larger than 4194304 bytes"]),
        (get().body(vec![b' '; (4 << 20) + 1]).chunked(), &["too-large: "]),
        (get().body(vec![b'{'; 1 << 16]).endless(), &["too-large: "]),
    ] {
        let (_registry, app) = app(vec![no_head.clone(), script]);
        assert_says(resolve_tag(&app, "1").await, says);
    }
}

#[tokio::test]
async fn lies_about_a_digest() {
    let wanted = manifest(MANIFEST);
    let other = MANIFEST.replace("2}", "2} ");
    let path = format!("/v2/app/manifests/{}", wanted.digest);
    let head = || on("HEAD", path.clone()).header("Content-Type", media_type::OCI_MANIFEST).body(MANIFEST);
    let resolve = async |script| {
        let (registry, app) = app(script);
        let found = app.resolve(Target::Digest(&wanted.digest), &Limits::default()).await;
        (registry, found)
    };
    let (_registry, found) = resolve(vec![head().header("Docker-Content-Digest", Digest::sha256(b"x").as_str())]).await;
    assert_says(found, &["digest-mismatch: ", "its head says sha256:"]);
    let sha512 = Digest::of(Algorithm::Sha512, MANIFEST.as_bytes()).to_string();
    for head in [head(), head().header("Docker-Content-Digest", sha512)] {
        let (registry, found) = resolve(vec![head]).await;
        assert_eq!(
            (found.unwrap(), registry.requests().len()),
            (wanted.clone(), 1),
            "the digest was asked for: it is known"
        );
    }
    // The header may agree with the lie: the requested digest counts.
    let lie = serve("GET", wanted.digest.as_str(), &other);
    let (_registry, found) = resolve(vec![head().status(405), lie.clone()]).await;
    assert_says(found, &["digest-mismatch: ", "was promised"]);
    let (_registry, app) = app(vec![lie]);
    assert_says(app.fetch(&wanted, &Limits::default()).await, &["digest-mismatch: ", "127.0.0.1"]);
}

#[tokio::test]
async fn bodies_that_are_not_what_the_descriptor_says() {
    let content = b"0123456789".repeat(100);
    let wanted = blob(&content);
    let get = || on("GET", format!("/v2/app/blobs/{}", wanted.digest));
    let longer = [&content[..], b"more"].concat();
    for (why, scene, says) in [
        ("shorter", get().body(&content[..999]), &["digest-mismatch: "][..]),
        ("longer", get().body(longer.clone()), &["digest-mismatch: "]),
        ("longer, in chunks", get().body(longer).chunked(), &["digest-mismatch: "]),
        ("endless", get().body(content.clone()).endless(), &["digest-mismatch: "]),
        ("other", get().body(vec![b'x'; 1000]), &["digest-mismatch: ", "the bytes have the digest sha256:"]),
        ("empty", get(), &["digest-mismatch: "]),
        ("cut", get().body(content.clone()).cut(500), &["unavailable: "]),
        ("cut in a chunk", get().body(content.clone()).chunked().cut(500), &["unavailable: "]),
        ("shorter than it claims", get().body(&content[..999]).claim(1000), &["unavailable: "]),
        ("claims 2^62", get().body(content.clone()).claim(1 << 62), &["too-large: "]),
    ] {
        let (_registry, app) = app(vec![scene]);
        let said = failure(app.fetch(&wanted, &Limits::default()).await);
        assert!(says.iter().all(|part| said.contains(part)), "{why}: {said}");
    }
    for (why, scene) in [
        ("plain", get().body(content.clone())),
        ("in chunks", get().body(content.clone()).chunked()),
        ("to the end of the connection", get().body(content.clone()).until_close()),
        ("with more after it", get().body([&content[..], b"HTTP/1.1 200 smuggled"].concat()).claim(1000)),
        ("cut once", get().body(content.clone()).cut(500).once()),
    ] {
        let (_registry, app) = app(vec![scene, get().body(content.clone())]);
        assert_eq!(app.fetch(&wanted, &Limits::default()).await.unwrap(), content, "{why}");
    }
}

#[tokio::test]
async fn sizes_and_limits() {
    let limits = Limits { document: 1000, attestation: 2000, ..Limits::default() };
    let padded = |length: usize| format!("{MANIFEST}{}", " ".repeat(length - MANIFEST.len()));
    for (length, fits) in [(999, true), (1000, true), (1001, false)] {
        let bytes = padded(length);
        for chunked in [false, true] {
            let scene = serve("GET", manifest(&bytes).digest.as_str(), &bytes);
            let (registry, app) = app(vec![if chunked { scene.chunked() } else { scene }]);
            let found = app.fetch(&manifest(&bytes), &limits).await;
            assert_eq!(found.is_ok(), fits, "{length}: {}", failure(found));
            assert_eq!(
                registry.requests().len(),
                usize::from(fits),
                "what is too large by its own word is not asked for"
            );
        }
    }
    let (registry, app) = app(vec![]);
    let huge = Descriptor { size: 1 << 62, ..manifest(MANIFEST) };
    assert_says(app.fetch(&huge, &limits).await, &["too-large: "]);
    let unknown = Descriptor { digest: Digest::parse_any("blake3:0011").unwrap(), ..manifest(MANIFEST) };
    assert_says(app.fetch(&unknown, &limits).await, &["unsupported: "]);
    assert!(registry.requests().is_empty());
}

#[tokio::test]
async fn encodings_are_never_undone() {
    let wanted = blob(b"plain");
    for encoding in ["gzip", "zstd", "br", "rubbish"] {
        let get = || on("GET", "/v2/app/blobs/*").header("Content-Encoding", encoding);
        let (registry, encoded) = app(vec![get().body("packd")]);
        let error = encoded.fetch(&wanted, &Limits::default()).await.unwrap_err();
        assert!(error.hint().unwrap().contains(&format!("Content-Encoding {encoding}, unasked")), "{error}");
        assert_eq!(registry.requests()[0].header("accept-encoding"), None);
        // A store may mark what was packed before it was pushed: the bytes are what their digest says.
        let (_registry, marked) = app(vec![get().body("plain")]);
        assert_eq!(marked.fetch(&wanted, &Limits::default()).await.unwrap(), "plain");
    }
}

#[tokio::test]
async fn documents_are_checked_before_they_are_handed_out() {
    let index = r#"{"schemaVersion":2,"manifests":[]}"#;
    for (why, media_type, bytes) in [
        ("an index that says manifest", media_type::OCI_MANIFEST, index.to_owned()),
        ("a manifest that says index", media_type::OCI_INDEX, MANIFEST.to_owned()),
        ("both at once", media_type::OCI_INDEX, index.replace("[]", r#"[],"layers":[]"#)),
        ("a key twice", media_type::OCI_INDEX, index.replace("[]", r#"[],"manifests":[]"#)),
        ("a key in two cases", media_type::OCI_INDEX, index.replace("[]", r#"[],"Manifests":[]"#)),
        ("deep", media_type::OCI_INDEX, index.replace("[]", &"[".repeat(100_000))),
        ("a media type of its own", media_type::OCI_INDEX, index.replace("2,", r#"2,"mediaType":"text/html","#)),
    ] {
        let wanted = Descriptor::of(media_type, bytes.as_bytes());
        let get = on("GET", format!("/v2/app/manifests/{}", wanted.digest)).header("Content-Type", media_type);
        let (_registry, app) = app(vec![get.body(bytes)]);
        let said = failure(app.fetch(&wanted, &Limits::default()).await);
        assert!(said.starts_with("malformed: "), "{why}: {said}");
    }
    // The registry's own word may not contradict the shape either.
    let wanted = manifest(MANIFEST);
    let get = on("GET", format!("/v2/app/manifests/{}", wanted.digest)).header("Content-Type", media_type::OCI_INDEX);
    let (_registry, app) = app(vec![get.body(MANIFEST)]);
    assert_says(app.fetch(&wanted, &Limits::default()).await, &["malformed: ", "its shape is that of"]);
}

#[tokio::test]
async fn content_is_looked_for_in_both_places() {
    let (content, wanted) = (b"content", blob(b"content"));
    let (registry, blobs) = app(vec![on("GET", format!("/v2/app/manifests/{}", wanted.digest)).body(content)]);
    assert_eq!(blobs.fetch(&wanted, &Limits::default()).await.unwrap(), &content[..]);
    assert_eq!(
        registry.asked(),
        [format!("GET /v2/app/blobs/{}", wanted.digest), format!("GET /v2/app/manifests/{}", wanted.digest)]
    );
    let wanted = manifest(MANIFEST);
    let (registry, manifests) = app(vec![on("GET", format!("/v2/app/blobs/{}", wanted.digest)).body(MANIFEST)]);
    assert_eq!(manifests.fetch(&wanted, &Limits::default()).await.unwrap(), MANIFEST);
    assert!(registry.asked()[0].starts_with("GET /v2/app/manifests/"));
    // Nowhere else after anything but a 404: a failure is no absence.
    let (registry, broken) = app(vec![on("GET", "*").status(400)]);
    assert_says(broken.fetch(&wanted, &Limits::default()).await, &["other: ", "answered 400"]);
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn a_digest_may_be_a_blobs() {
    let wanted = blob(b"content");
    let head = || on("HEAD", format!("/v2/app/blobs/{}", wanted.digest)).body("content");
    for (scene, media_type) in [
        (head().header("Content-Type", "application/x-anything"), "application/x-anything"),
        (head(), "application/octet-stream"),
        (head().header("Content-Type", "rubbish"), "application/octet-stream"),
    ] {
        let (registry, app) = app(vec![scene]);
        let found = app.resolve(Target::Digest(&wanted.digest), &Limits::default()).await.unwrap();
        assert_eq!(found, Descriptor { media_type: media_type.to_owned(), ..wanted.clone() });
        assert_eq!(registry.asked()[0], format!("HEAD /v2/app/manifests/{}", wanted.digest));
    }
    // Only after a 404: a registry in trouble has not said that it is no manifest.
    let (_registry, broken) = app(vec![head(), on("HEAD", "/v2/app/manifests/*").status(500)]);
    assert_says(broken.resolve(Target::Digest(&wanted.digest), &Limits::default()).await, &["unavailable: "]);
}

#[tokio::test]
async fn data_in_the_descriptor_is_asked_for_only_where_it_is_wrong() {
    let wanted = blob(b"content");
    let (registry, app) = app(vec![on("GET", "/v2/app/blobs/*").body("content")]);
    for (data, requests) in [("Y29udGVudA==", 0), ("bm90IGl0", 1), ("%%%", 2)] {
        let wanted = Descriptor { data: Some(data.to_owned()), ..wanted.clone() };
        assert_eq!(app.fetch(&wanted, &Limits::default()).await.unwrap(), "content");
        assert_eq!(registry.requests().len(), requests, "{data}");
    }
}

#[tokio::test]
async fn parts_of_blobs() {
    let content = b"0123456789";
    let wanted = blob(content);
    let part = |range: &str| on("GET", "/v2/app/blobs/*").status(206).header("Content-Range", range).body("3456");
    for (why, scene, expected) in [
        ("right", part("bytes 3-6/10"), Ok("3456")),
        ("size unsaid", part("bytes 3-6/*"), Ok("3456")),
        ("200: all of it", on("GET", "*").body(content), Ok("3456")),
        ("another part", part("bytes 0-3/10"), Err("malformed: ")),
        ("of something else", part("bytes 3-6/11"), Err("malformed: ")),
        ("which part?", on("GET", "*").status(206).body("3456"), Err("malformed: ")),
        ("several parts", part("multipart/byteranges"), Err("malformed: ")),
        ("too short", part("bytes 3-6/10").body("345"), Err("unavailable: ")),
        ("200, too short", on("GET", "*").body("01234"), Err("unavailable: ")),
        ("416", on("GET", "*").status(416), Err("other: ")),
    ] {
        let (registry, app) = app(vec![scene]);
        match (app.read(&wanted, 3, 4).await, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{why}"),
            (found, Err(expected)) => assert!(failure(found).starts_with(expected), "{why}"),
            (found, Ok(_)) => panic!("{why}: {}", failure(found)),
        }
        assert_eq!(registry.requests()[0].header("range"), Some("bytes=3-6"), "{why}");
    }
    let (_registry, app) = app(vec![on("GET", "*").body("0123456780")]);
    assert_says(app.read(&wanted, 0, 10).await, &["digest-mismatch: "]);
}

#[tokio::test]
async fn the_last_piece_of_a_stream_comes_only_if_all_was_right() {
    use futures_util::StreamExt;
    let content = vec![b'x'; 1 << 20];
    let wanted = blob(&content);
    for (why, body, good) in [
        ("right", content.clone(), true),
        ("last byte differs", [&content[1..], b"y"].concat(), false),
        ("shorter", content[1..].to_vec(), false),
        ("longer", [&content[..], b"y"].concat(), false),
    ] {
        let (_registry, app) = app(vec![on("GET", "/v2/app/blobs/*").body(body)]);
        let mut stream = app.open(&wanted).await.unwrap();
        let (mut seen, mut failed) = (0, false);
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(piece) => seen += piece.len(),
                Err(error) => failed = error.code() == portolan::Code::DigestMismatch,
            }
        }
        assert_eq!((seen == content.len(), failed), (good, !good), "{why}: {seen} bytes");
    }
}

#[tokio::test]
async fn texts_that_are_no_tags_and_repositories_that_are_none_are_not_asked_for() {
    let (registry, app) = app(vec![]);
    for tag in ["", "..", "../x", "a/b", "a%2fb", "a?b", "a b", "a\r\nX: y", ".a", &"a".repeat(129), "ä"] {
        assert_says(resolve_tag(&app, tag).await, &["invalid-reference: ", "is no tag"]);
    }
    let forged = Reference { domain: registry.host(), path: "a/../b".to_owned(), tag: None, digest: None };
    let forged = client().build().unwrap().repository(&forged);
    assert_says(resolve_tag(&forged, "1").await, &["invalid-reference: "]);
    assert!(registry.requests().is_empty());
}

#[tokio::test]
async fn an_index_of_indexes_as_crane_pushed_it() {
    for name in ["crane-nested", "crane-docker-types", "crane-windows"] {
        let layout = fixtures::layout(name);
        let mut script = Vec::new();
        for blob in std::fs::read_dir(layout.join("blobs/sha256")).unwrap() {
            let bytes = std::fs::read(blob.unwrap().path()).unwrap();
            let place = if Document::parse(&bytes).is_ok() { "manifests" } else { "blobs" };
            script.push(on("GET", format!("/v2/app/{place}/{}", Digest::sha256(&bytes))).body(bytes));
        }
        let (_registry, app) = app(script);
        let index = portolan_oci::Index::parse(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
        let (mut waiting, mut configs) = (index.manifests, 0);
        while let Some(descriptor) = waiting.pop() {
            let bytes = app.fetch(&descriptor, &Limits::default()).await.unwrap();
            match Document::parse(&bytes) {
                Ok(Document::Index(index)) => waiting.extend(index.manifests),
                Ok(Document::Manifest(manifest)) => waiting.push(manifest.config),
                Err(_) => configs += 1,
            }
        }
        assert!(configs > 1, "{name}");
    }
}

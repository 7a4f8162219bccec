//! Blobs in pieces: registries and proxies that do not take them whole, and connections that break half-way.

use super::push::{Blob, LARGE, UPLOADS, asked, begins, ends, large, sink};
use super::*;

const CHUNK: usize = 8 << 20;

#[tokio::test]
async fn what_is_not_taken_whole_goes_in_chunks() {
    let content = Blob::new("content");
    let wanted = content.descriptor();
    let digest = || wanted.digest.as_str();
    let other = Digest::sha256(b"other").to_string();
    let patch = |path: &'static str| on("PATCH", path).status(202).header("Location", "/up/b");
    let (post, whole, chunk, end) = ("POST /v2/app/blobs/uploads/", "PUT /up/a", "PATCH /up/a", "PUT /up/b");
    for status in [400, 413, 416] {
        let (registry, sink) =
            sink(vec![begins("/up/a"), on("PUT", "/up/a").status(status), patch("/up/a"), ends("/up/b")]);
        sink.put_blob(&wanted, &content).await.unwrap();
        assert_eq!(asked(&registry), [post, whole, post, chunk, end], "{status}");
        let requests = registry.requests();
        let patched = requests.iter().find(|request| request.method == "PATCH").unwrap();
        assert_eq!(patched.header("content-range"), Some("0-6"));
        assert_eq!(patched.header("content-type"), Some("application/octet-stream"));
        assert_eq!((patched.body.as_str(), patched.header("content-length")), ("content", Some("7")));
        let ended = requests.last().unwrap();
        assert_eq!((ended.length, ended.header("content-length")), (0, Some("0")));
        assert!(ended.query.starts_with("digest="));
        assert_eq!(registry.asked().iter().filter(|asked| *asked == "DELETE /up/a").count(), 1, "{status}");
    }
    for (why, script, expected) in [
        ("an early 201", vec![patch("/up/a").status(201)], Ok(&[chunk, end][..])),
        (
            "an early 201 that is the end",
            vec![patch("/up/a").status(201).header("Docker-Content-Digest", digest())],
            Ok(&[chunk]),
        ),
        (
            "an early 201 that says where the blob is",
            vec![on("PATCH", "*").status(201).header("Location", format!("/v2/app/blobs/{}", digest()))],
            Ok(&[chunk, "PUT /up/a"]),
        ),
        ("200", vec![patch("/up/a").status(200)], Ok(&[chunk, end])),
        ("204 without a Location", vec![on("PATCH", "*").status(204)], Ok(&[chunk, "PUT /up/a"])),
        ("a range", vec![patch("/up/a").header("Range", "0-6")], Ok(&[chunk, end])),
        ("a range with its unit", vec![patch("/up/a").header("Range", "bytes=0-6")], Ok(&[chunk, end])),
        (
            "a range that is too short",
            vec![
                patch("/up/a").header("Range", "0-3"),
                on("GET", "/up/b").status(204).header("Range", "0-3"),
                patch("/up/b").header("Range", "0-6"),
            ],
            Ok(&[chunk, "GET /up/b", "PATCH /up/b", end]),
        ),
        (
            "a range that is wrong, where all arrived",
            vec![patch("/up/a").header("Range", "0-999"), on("GET", "/up/b").status(204).header("Range", "0-6")],
            Ok(&[chunk, "GET /up/b", end]),
        ),
        (
            "no range, where all arrived",
            vec![patch("/up/a").header("Range", "x"), on("GET", "/up/b").status(204).header("Range", "0-6")],
            Ok(&[chunk, "GET /up/b", end]),
        ),
        (
            "416, and some arrived",
            vec![
                on("PATCH", "/up/a").status(416).once(),
                on("GET", "/up/a").status(204).header("Range", "0-2").header("Location", "/up/c"),
                patch("/up/c"),
            ],
            Ok(&[chunk, "GET /up/a", "PATCH /up/c", end]),
        ),
        (
            "416, and nobody knows what arrived",
            vec![on("PATCH", "/up/a").status(416).once(), on("GET", "/up/a").status(204), patch("/up/a")],
            Ok(&[chunk, "GET /up/a", post, chunk, end]),
        ),
        ("lost", vec![on("PATCH", "/up/a").status(404).once(), patch("/up/a")], Ok(&[chunk, post, chunk, end])),
        ("400 again", vec![on("PATCH", "/up/a").status(400)], Err("other: ")),
        ("413 for seven bytes", vec![on("PATCH", "/up/a").status(413)], Err("answered 413")),
        ("for ever lost", vec![on("PATCH", "/up/a").status(404)], Err("not-found: ")),
        (
            "for ever 416",
            vec![on("PATCH", "*").status(416), on("GET", "*").status(204).header("Range", "0-2")],
            Err("answered 416"),
        ),
        ("no Location", vec![on("PATCH", "/up/a").status(202)], Err("no Location")),
        (
            "a bad Location",
            vec![on("PATCH", "*").status(202).header("Location", "http://0.0.0.0/")],
            Err("never asked"),
        ),
        ("forbidden", vec![on("PATCH", "*").status(403)], Err("forbidden: ")),
        (
            "a minimum beyond bounds",
            vec![
                on("POST", UPLOADS)
                    .status(202)
                    .header("Location", "/up/a")
                    .header("OCI-Chunk-Min-Length", "100000000000"),
            ],
            Err("unsupported: "),
        ),
        (
            "another digest",
            vec![patch("/up/a"), ends("/up/b").header("Docker-Content-Digest", &other)],
            Err("malformed: "),
        ),
        ("not stored", vec![patch("/up/a"), on("PUT", "/up/b").status(202)], Err("an upload ends with a 201")),
        ("refused in the end", vec![patch("/up/a"), on("PUT", "/up/b").status(400)], Err("other: ")),
    ] {
        let mut scenes = vec![on("PUT", "/up/a").status(413).once()];
        scenes.extend(script);
        scenes.extend([begins("/up/a"), ends("/up/a"), ends("/up/b")]);
        let (registry, sink) = sink(scenes);
        let put = sink.put_blob(&wanted, &content).await;
        let asked = asked(&registry);
        assert!(asked.len() < 40, "{why}: {asked:?}");
        match expected {
            Ok(expected) => {
                put.unwrap_or_else(|error| panic!("{why}: {error} {asked:?}"));
                assert_eq!(asked[3..], *expected, "{why}");
            }
            Err(part) => assert_says(put, &[part, "127.0.0.1"]),
        }
    }
}

#[tokio::test]
async fn chunks_are_as_large_as_the_registry_wants_them() {
    let content = large();
    let wanted = content.descriptor();
    let patch = || on("PATCH", "/up/1").status(202).header("Location", "/up/1");
    for (why, begins, patch, chunks) in [
        ("ours", begins("/up/1"), vec![patch()], vec![CHUNK, LARGE - CHUNK]),
        (
            "larger",
            begins("/up/1").header("OCI-Chunk-Min-Length", "8500000"),
            vec![patch()],
            vec![8_500_000, LARGE - 8_500_000],
        ),
        ("one", begins("/up/1").header("OCI-Chunk-Min-Length", "10000000"), vec![patch()], vec![LARGE]),
        (
            "half",
            begins("/up/1"),
            vec![patch().status(413).once(), patch()],
            vec![CHUNK, CHUNK / 2, CHUNK / 2, LARGE - CHUNK],
        ),
    ] {
        let mut scenes = vec![begins, on("PUT", "/up/1").status(413).once(), ends("/up/1")];
        scenes.extend(patch);
        let (registry, sink) = sink(scenes);
        sink.put_blob(&wanted, &content).await.unwrap();
        let requests = registry.requests();
        let patched = requests.iter().filter(|request| request.method == "PATCH");
        let lengths: Vec<usize> = patched.clone().map(|request| request.length as usize).collect();
        assert_eq!(lengths, chunks, "{why}");
        let ranges: Vec<&str> = patched.map(|request| request.header("content-range").unwrap()).collect();
        let mut at = 0;
        for (range, length) in ranges.iter().zip(&chunks) {
            assert_eq!(*range, format!("{at}-{}", at + length - 1), "{why}");
            at += if why == "half" && at == 0 && *length == CHUNK { 0 } else { *length };
        }
    }
}

#[tokio::test]
async fn a_broken_upload_goes_on_where_it_broke() {
    let content = large();
    let wanted = content.descriptor();
    let patch = || on("PATCH", "/up/1").status(202).header("Location", "/up/1");
    let arrived = |bytes: usize| on("GET", "/up/1").status(204).header("Range", format!("0-{}", bytes - 1));
    let (post, put, get, chunk) = ("POST /v2/app/blobs/uploads/", "PUT /up/1", "GET /up/1", "PATCH /up/1");
    for (why, script, expected, last) in [
        (
            "in the PUT",
            vec![on("PUT", "/up/1").takes(5_000_000).once(), arrived(5_000_000), patch()],
            vec![post, put, get, chunk, put],
            "5000000-9388607",
        ),
        (
            "in the PUT, and nothing arrived",
            vec![
                on("PUT", "/up/1").takes(5_000_000).once(),
                on("GET", "/up/1").status(204).header("Range", "0-0"),
                patch(),
            ],
            vec![post, put, get, post, chunk, chunk, put],
            "8388608-9388607",
        ),
        (
            "in the PUT, and the upload is lost",
            vec![on("PUT", "/up/1").takes(5_000_000).once(), on("GET", "/up/1").status(404), patch()],
            vec![post, put, get, post, chunk, chunk, put],
            "8388608-9388607",
        ),
        (
            "in the second chunk",
            vec![
                on("PUT", "/up/1").status(413).once(),
                patch().once(),
                on("PATCH", "/up/1").takes(400_000).once(),
                arrived(CHUNK + 400_000),
                patch(),
            ],
            vec![post, put, post, chunk, chunk, get, chunk, put],
            "8788608-9388607",
        ),
        (
            "in the answer to the second chunk",
            vec![on("PUT", "/up/1").status(413).once(), patch().once(), patch().cut_head(4).once(), arrived(LARGE)],
            vec![post, put, post, chunk, chunk, get, put],
            "8388608-9388607",
        ),
        (
            "before what is held",
            vec![
                on("PUT", "/up/1").status(413).once(),
                patch().once(),
                on("PATCH", "/up/1").takes(4).once(),
                arrived(CHUNK - 1).once(),
                patch(),
            ],
            vec![post, put, post, chunk, chunk, get, post, chunk, chunk, put],
            "8388608-9388607",
        ),
    ] {
        let mut scenes = script;
        scenes.extend([begins("/up/1"), ends("/up/1")]);
        let (registry, sink) = sink(scenes);
        let put = sink.put_blob(&wanted, &content).await;
        assert!(put.is_ok(), "{why}: {} {:?}", failure(put), registry.asked());
        assert_eq!(asked(&registry), expected, "{why}");
        let requests = registry.requests();
        let patched = requests.iter().rfind(|request| request.method == "PATCH").unwrap();
        assert_eq!(patched.header("content-range"), Some(last), "{why}");
        let first = last.split('-').next().unwrap().parse::<usize>().unwrap();
        let rest = String::from_utf8_lossy(&content.bytes[first..LARGE.min(first + (64 << 10))]).into_owned();
        assert!(patched.body == rest, "{why}: what follows is what was missing");
    }
}

#[tokio::test]
async fn the_end_of_an_upload_may_get_lost() {
    let content = Blob::new("content");
    let wanted = content.descriptor();
    let patch = || on("PATCH", "*").status(202).header("Location", "/up/1");
    for (why, script, puts) in [
        ("once", vec![ends("/up/1").cut_head(2).once(), ends("/up/1")], 2),
        (
            "and it was stored",
            vec![ends("/up/1").cut_head(2).once(), on("PUT", "*").status(404), on("HEAD", "*").body("content")],
            2,
        ),
        ("503", vec![on("PUT", "*").status(503).header("Retry-After", "0").times(2), ends("/up/1")], 3),
    ] {
        let mut scenes = vec![begins("/up/1"), on("PUT", "*").status(413).once(), patch()];
        scenes.extend(script);
        let (registry, sink) = sink(scenes);
        sink.put_blob(&wanted, &content).await.unwrap();
        let asked = registry.asked();
        assert_eq!(asked.iter().filter(|asked| *asked == "PUT /up/1").count(), 1 + puts, "{why}: {asked:?}");
    }
}

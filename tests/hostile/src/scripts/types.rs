//! Points 4 and 16: what a body is said to be, and how it is said to be encoded.

use std::io::Write as _;

use portolan_oci::{Digest, media_type};

use super::things::{
    BLOB, MANIFEST, blob, digest, fetch_blob, fetch_manifest, get_blob, manifest, no_head, root, stream_blob,
};
use crate::scene::{Scene, on};
use crate::script::Class::{Malformed, Mismatch, Unavailable};
use crate::script::{Answer, Ask, Script};

pub(super) fn scripts() -> Vec<Script> {
    [content_types(), encodings()].concat()
}

fn get_manifest() -> Scene {
    on("GET", "/v2/app/manifests/*").body(MANIFEST)
}

fn content_types() -> Vec<Script> {
    let mut scripts = Vec::new();
    let long = format!("text/{}", "x".repeat(4 << 10));
    let steering = "text/\u{1b}[2J";
    for (name, content_type, is_right) in [
        ("missing", None, true),
        ("empty", Some(""), true),
        ("right", Some(media_type::OCI_MANIFEST), true),
        ("with-parameters", Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"), true),
        ("with-broken-parameters", Some("application/vnd.oci.image.manifest.v1+json;;=;"), true),
        ("of-odd-case", Some("Application/VND.oci.Image.Manifest.V1+JSON"), true),
        ("json", Some("application/json"), true),
        ("octets", Some("application/octet-stream"), true),
        ("text", Some("text/plain; charset=utf-8"), true),
        ("html", Some("text/html"), false),
        ("index", Some(media_type::OCI_INDEX), false),
        ("docker-list", Some(media_type::DOCKER_LIST), false),
        ("schema-1", Some(media_type::DOCKER_SCHEMA1), false),
        ("signed-schema-1", Some(media_type::DOCKER_SCHEMA1_SIGNED), false),
        ("image", Some("image/png"), false),
        ("rubbish", Some("rubbish"), false),
        ("slashes", Some("///"), false),
        ("long", Some(long.as_str()), false),
        ("that-steers-a-terminal", Some(steering), false),
        ("twice", Some("text/html, application/json"), false),
    ] {
        let scene = content_type.iter().fold(get_manifest(), |scene, value| scene.header("Content-Type", *value));
        let shown = name.replace('-', " ");
        let tag = Script::new(
            4,
            format!("type-{name}-of-a-tag"),
            format!("A tag's manifest comes with a Content-Type that is: {shown}."),
            Ask::ResolveTag("1"),
        );
        let tag = tag.play([no_head(), scene.clone()]);
        let fetched = Script::new(
            4,
            format!("type-{name}-of-a-manifest"),
            format!("A manifest asked for by digest comes with a Content-Type that is: {shown}."),
            fetch_manifest(),
        );
        let fetched = fetched.play([scene]).gives(MANIFEST);
        // A tag has no word on its type but this one, or none at all; a digest has its descriptor.
        let classes = &[Malformed, Unavailable];
        scripts.extend(match is_right {
            true => [tag.answers(root()), fetched],
            false => [tag.fails(classes), fetched.fails(classes)],
        });
        let telling = matches!(name, "empty" | "html" | "index" | "rubbish" | "long" | "that-steers-a-terminal");
        if let Some(content_type) = content_type.filter(|_| telling) {
            let scene = get_blob().header("Content-Type", content_type).body(BLOB);
            let what = format!("A blob comes with a Content-Type that is: {shown}. Blobs have none.");
            let script =
                Script::new(4, format!("type-{name}-of-a-blob"), what, stream_blob()).play([scene]).gives(BLOB);
            scripts.push(if name == "that-steers-a-terminal" { script.fails(classes) } else { script });
        }
    }
    let page = "<html><body>Please log in</body></html>";
    let html = |method| on(method, "*").header("Content-Type", "text/html; charset=utf-8").body(page);
    for (name, ask) in [
        ("tag", Ask::ResolveTag("1")),
        ("manifest", fetch_manifest()),
        ("blob", fetch_blob()),
        ("stream", stream_blob()),
        ("tags", Ask::Tags),
        ("referrers", Ask::Referrers(Digest::sha256(b"x"), None)),
    ] {
        let what = "A portal answers everything with 200 and a page in HTML.";
        let script = Script::new(4, format!("portal-{name}"), what, ask).play([html("HEAD"), html("GET")]);
        scripts.push(script.fails(&[Malformed, Mismatch]).for_good());
    }
    scripts
}

/// Nothing is decoded: the digest is that of the bytes as they come.
fn encodings() -> Vec<Script> {
    let mut scripts = Vec::new();
    let gzip = stored_gzip(MANIFEST.as_bytes());
    let bomb = stored_gzip(&vec![0; 32 << 10]);
    for (name, encoding, body) in [
        ("gzip", "gzip", &gzip),
        ("gzip-in-capitals", "GZIP", &gzip),
        ("gzip-twice", "gzip, gzip", &gzip),
        ("deflate", "deflate", &gzip),
        ("zstd", "zstd", &b"\x28\xb5\x2f\xfd rubbish".to_vec()),
        ("brotli", "br", &b"rubbish".to_vec()),
        ("unknown", "rot13", &b"rubbish".to_vec()),
        ("long", &"x".repeat(2000), &b"rubbish".to_vec()),
        ("of-a-bomb", "gzip", &bomb),
    ] {
        let shown = name.replace('-', " ");
        for (asked, ask, scene) in [
            ("manifest", fetch_manifest(), get_manifest()),
            ("blob", fetch_blob(), get_blob()),
            ("stream", stream_blob(), get_blob()),
        ] {
            let what = format!("A {asked} comes with a Content-Encoding that nobody asked for: {shown}.");
            let scene = scene.header("Content-Encoding", encoding).body(&**body);
            let script = Script::new(16, format!("encoding-{name}-of-a-{asked}"), what, ask).play([scene]);
            scripts.push(script.fails(&[Mismatch, Malformed]).for_good().requests(5));
        }
    }
    // Stored as it is, with the digest of what is stored: then the header is about what is in it.
    for (name, ask, scene) in [
        ("fetched", Ask::Fetch(blob(&gzip)), get_blob()),
        ("streamed", Ask::Stream(blob(&gzip)), get_blob()),
        ("read", Ask::Part { of: blob(&gzip), offset: 0, length: gzip.len() as u32 }, get_blob()),
    ] {
        let what = "A blob that is gzip is sent as it is, with a Content-Encoding that says so.";
        let scene = scene.header("Content-Encoding", "gzip").body(&*gzip);
        scripts.push(
            Script::new(16, format!("encoding-of-what-is-encoded-{name}"), what, ask).play([scene]).gives(&*gzip),
        );
    }
    for encoding in ["identity", "gzip"] {
        let what = format!("A manifest comes as it is, and its Content-Encoding says {encoding}.");
        let scene = get_manifest().header("Content-Encoding", encoding);
        let script =
            Script::new(16, format!("encoding-{encoding}-of-plain-bytes"), what, fetch_manifest()).play([scene]);
        scripts.push(script.gives(MANIFEST));
    }
    let tag = Script::new(
        16,
        "encoding-of-a-tag",
        "A tag's manifest comes in gzip, unasked, with the right digest in its header.",
        Ask::ResolveTag("1"),
    );
    let scene = get_manifest()
        .body(&*gzip)
        .header("Content-Type", media_type::OCI_MANIFEST)
        .header("Content-Encoding", "gzip")
        .header("Docker-Content-Digest", digest(MANIFEST));
    scripts.push(tag.play([no_head(), scene]).answers(Answer::root(manifest(MANIFEST))).fails(&[Mismatch, Malformed]));
    scripts
}

/// A gzip file whose content is stored and not deflated, as nobody needs a compressor to write it.
fn stored_gzip(content: &[u8]) -> Vec<u8> {
    let length = content.len() as u16;
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    let _ = file.write_all(&length.to_le_bytes());
    let _ = file.write_all(&(!length).to_le_bytes());
    let _ = file.write_all(content);
    let _ = file.write_all(&crc32(content).to_le_bytes());
    let _ = file.write_all(&u32::from(length).to_le_bytes());
    file
}

fn crc32(content: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1)))
    };
    !content.iter().fold(!0, step)
}

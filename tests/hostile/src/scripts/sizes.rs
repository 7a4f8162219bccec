//! Points 2, 3 and 7: bodies that are shorter, longer or slower than they say, documents at their limit, and sizes that are
//! none.

use std::time::Duration;

use portolan_oci::{Descriptor, Digest, media_type};

use super::things::{
    BLOB, MANIFEST, blob, digest, fetch_blob, fetch_manifest, get_blob, get_manifest, layer, manifest, no_head, root,
    serve, stream_blob,
};
use crate::scene::{Scene, on};
use crate::script::Class::{Malformed, Mismatch, TooLarge, Unavailable};
use crate::script::{Answer, Ask, Class, Script};

/// What a manifest, an index or a config may have: distribution and containerd read no more.
const DOCUMENT: usize = 4 << 20;
/// What a document of any other type may have: SBOMs grow large.
const OTHER: usize = 40 << 20;

pub(super) fn scripts() -> Vec<Script> {
    [lengths(), heads_and_bodies(), limits(), sizes()].concat()
}

/// Bodies that are not as long as something says.
fn lengths() -> Vec<Script> {
    let part = Ask::Part { of: blob(BLOB), offset: 0, length: BLOB.len() as u32 };
    let mut scripts = Vec::new();
    for (asked, ask, right, get) in [
        ("manifest", fetch_manifest(), MANIFEST.as_bytes(), get_manifest as fn() -> Scene),
        ("blob", fetch_blob(), BLOB, get_blob),
        ("stream", stream_blob(), BLOB, get_blob),
        ("part", part, BLOB, get_blob),
    ] {
        let length = right.len();
        let longer = [right, b"!"].concat();
        // A part ends where it ends, whatever comes after it.
        let too_long: &[Class] = if asked == "part" { &[] } else { &[Mismatch, TooLarge] };
        let short: &[Class] = &[Unavailable, Mismatch];
        for (name, what, scene, classes) in [
            ("shorter-than-its-length", "shorter than its Content-Length", get().body(right).claim(length + 10), short),
            ("cut", "cut in the middle, always", get().body(right).cut(length / 2), short),
            ("cut-before-its-first-byte", "cut before its first byte, always", get().body(right).cut(0), short),
            ("cut-in-a-chunk", "cut between two chunks, always", get().body(right).chunked().cut(length / 2), short),
            (
                "shorter-than-its-descriptor",
                "shorter than its descriptor",
                get().body(&right[..length - 1]),
                &[Mismatch, Unavailable, Malformed],
            ),
            ("empty", "empty", get(), &[Mismatch, Unavailable, Malformed]),
            ("longer-than-its-descriptor", "longer than its descriptor", get().body(&*longer), too_long),
            ("longer-in-chunks", "longer than its descriptor, in chunks", get().body(&*longer).chunked(), too_long),
            (
                "longer-until-close",
                "longer than its descriptor, without any length",
                get().body(&*longer).until_close(),
                too_long,
            ),
            ("endless", "without end", get().body(vec![b'x'; 1 << 16]).endless(), &[Mismatch, TooLarge]),
            (
                "of-a-terabyte",
                "a terabyte long, says its Content-Length",
                get().body(right).claim(1 << 40),
                &[Mismatch, TooLarge, Unavailable],
            ),
            // Little enough not to be refused for it, and too much to be believed.
            (
                "of-39-mib",
                "39 MiB long, says its Content-Length",
                get().body(right).claim(39 << 20),
                &[Mismatch, TooLarge, Unavailable],
            ),
        ] {
            let script =
                Script::new(2, format!("{asked}-{name}"), format!("The body of a {asked} is {what}."), ask.clone());
            let script = script.play([scene]).requests(10);
            scripts.push(match (asked, name) {
                // The first bytes are all that was asked for.
                ("part", "of-a-terabyte" | "of-39-mib" | "shorter-than-its-length") => {
                    script.gives(right).fails(classes)
                }
                ("part", "endless") => script.fails(classes),
                _ if classes.is_empty() => script.gives(right),
                // All that there is came before the connection broke.
                ("stream", "shorter-than-its-length" | "of-a-terabyte" | "of-39-mib") => {
                    script.gives(right).fails(classes)
                }
                _ => script.fails(classes),
            });
        }
        let slow = |name: &str, what: &str, scene: Scene| {
            Script::new(2, format!("{asked}-{name}"), what, ask.clone()).play([scene]).hangs()
        };
        let byte = get().body(right).drip(Duration::from_millis(20));
        let slowly = slow("byte-by-byte", "A body comes a byte at a time, each in time.", byte)
            .fails(&[Unavailable])
            .retryable();
        scripts.extend([
            // A stream has all the time there is, as long as something comes.
            if matches!(ask, Ask::Fetch(_)) { slowly } else { slowly.gives(right) },
            slow("that-stops", "A body stops after one byte.", get().body(right).drip(Duration::from_secs(20)))
                .fails(&[Unavailable])
                .retryable(),
            Script::new(
                2,
                format!("{asked}-cut-once"),
                "A body is cut in the middle, and comes whole on the second try.",
                ask.clone(),
            )
            .play([get().body(right).cut(length / 2).once(), get().body(right)])
            .gives(right),
        ]);
    }
    scripts
}

/// HEAD and GET of one tag that say different things.
fn heads_and_bodies() -> Vec<Script> {
    let tag = |name: &str, what: &str| Script::new(2, name, what, Ask::ResolveTag("1"));
    let head = || on("HEAD", "/v2/app/manifests/1").header("Content-Type", media_type::OCI_MANIFEST);
    let huge = get_manifest().body(vec![b' '; 1 << 20]).endless();
    vec![
        tag("small-head-and-huge-body", "HEAD says 2 bytes and no digest; GET never ends.")
            .play([head().body("{}"), huge.clone()])
            .fails(&[TooLarge]),
        tag("no-head-and-huge-body", "There is no HEAD, and GET never ends.")
            .play([no_head(), huge])
            .fails(&[TooLarge]),
        tag("head-without-length", "HEAD says a digest and no length.")
            .play([serve("HEAD", "1", MANIFEST).chunked(), serve("GET", "1", MANIFEST)])
            .answers(root()),
        tag("head-of-2-to-the-62", "HEAD says a digest and 2^62 bytes; GET says what there is.")
            .play([serve("HEAD", "1", MANIFEST).claim(1 << 62), serve("GET", "1", MANIFEST)])
            .answers(Answer::root(Descriptor { size: 1 << 62, ..manifest(MANIFEST) })),
        tag("head-of-0-bytes", "HEAD says a digest and 0 bytes, as some that send no length do.")
            .play([serve("HEAD", "1", MANIFEST).claim(0), serve("GET", "1", MANIFEST)])
            .answers(root()),
        tag("body-of-a-tag-cut", "GET of a tag breaks off, always.")
            .play([no_head(), serve("GET", "1", MANIFEST).cut(20)])
            .fails(&[Unavailable])
            .retryable(),
        tag("part-unasked", "GET of a tag is answered with 206, though no part was asked for.")
            .play([no_head(), serve("GET", "1", MANIFEST).status(206)])
            .fails(&[Malformed]),
    ]
}

/// Documents as large as they may be, and a byte larger.
fn limits() -> Vec<Script> {
    let padded = |size: usize| [MANIFEST.as_bytes(), &vec![b' '; size - MANIFEST.len()]].concat();
    let (right, larger) = (padded(DOCUMENT), padded(DOCUMENT + 1));
    let mut scripts = Vec::new();
    for (framing, frame) in [
        ("with-length", (|scene| scene) as fn(Scene) -> Scene),
        ("in-chunks", Scene::chunked),
        ("until-close", Scene::until_close),
    ] {
        let script = |name: &str, what: &str, ask: Ask| {
            Script::new(3, format!("{name}-{framing}"), format!("{what}, {}.", framing.replace('-', " ")), ask)
        };
        let get = |body: &[u8]| frame(get_manifest().body(body));
        scripts.extend([
            script("manifest-at-its-limit", "A manifest has exactly 4 MiB", Ask::Fetch(manifest(&right)))
                .play([get(&right)])
                .gives(&*right),
            script("tag-at-its-limit", "The manifest of a tag has exactly 4 MiB", Ask::ResolveTag("1"))
                .play([no_head(), get(&right)])
                .answers(Answer::root(manifest(&right))),
            script("tag-beyond-its-limit", "The manifest of a tag has 4 MiB and a byte", Ask::ResolveTag("1"))
                .play([no_head(), get(&larger)])
                .fails(&[TooLarge])
                .for_good(),
        ]);
    }
    for (name, what, descriptor) in [
        ("manifest-beyond-its-limit", "A descriptor says that a manifest has 4 MiB and a byte.", manifest(&larger)),
        (
            "blob-beyond-its-limit",
            "A descriptor says that a document has 40 MiB and a byte.",
            Descriptor::new("text/spdx+json", Digest::sha256(b"x"), OTHER as u64 + 1),
        ),
        (
            "config-beyond-its-limit",
            "A descriptor says that a config has 2^62 bytes.",
            Descriptor::new(media_type::OCI_CONFIG, Digest::sha256(b"x"), 1 << 62),
        ),
    ] {
        let script = Script::new(3, name, what, Ask::Fetch(descriptor)).play([on("GET", "*").body("x").endless()]);
        scripts.push(script.fails(&[TooLarge]).for_good().requests(0));
    }
    let endless = |scene: Scene| scene.body(vec![b' '; 1 << 16]).endless();
    for (name, what, ask, scene) in [
        (
            "tag-in-endless-chunks",
            "The manifest of a tag comes in chunks without end.",
            Ask::ResolveTag("1"),
            endless(get_manifest()),
        ),
        (
            "chunks-of-one-byte-without-end",
            "A manifest comes in chunks of a byte without end.",
            fetch_manifest(),
            get_manifest().body("x").endless(),
        ),
        (
            "error-in-endless-chunks",
            "A refusal comes in chunks without end.",
            fetch_manifest(),
            endless(get_manifest().status(403)),
        ),
        (
            "tags-in-endless-chunks",
            "A list of tags comes in chunks without end.",
            Ask::Tags,
            endless(on("GET", "/v2/app/tags/list")),
        ),
        (
            "referrers-in-endless-chunks",
            "A list of referrers comes in chunks without end.",
            Ask::Referrers(Digest::sha256(b"x"), None),
            endless(on("GET", "/v2/app/referrers/*")),
        ),
    ] {
        let script = Script::new(3, name, what, ask).play([no_head(), scene]);
        scripts.push(script.fails(&[TooLarge, Mismatch, Class::Forbidden]).requests(5));
    }
    scripts
}

/// Sizes in descriptors and in headers that no content has.
fn sizes() -> Vec<Script> {
    let of = |size: &str| MANIFEST.replace(r#""size":2"#, &format!(r#""size":{size}"#));
    let entry = |size: &str| {
        let (index, manifest, digest) = (media_type::OCI_INDEX, media_type::OCI_MANIFEST, digest("x"));
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{index}","manifests":[{{"mediaType":"{manifest}","digest":"{digest}","size":{size}}}]}}"#
        )
    };
    let mut scripts = Vec::new();
    for (name, size) in [
        ("negative", "-1"),
        ("2-to-the-62", "4611686018427387904"),
        ("2-to-the-63", "9223372036854775808"),
        ("2-to-the-64", "18446744073709551616"),
        ("float", "2.0"),
        ("fraction", "2.5"),
        ("text", "\"2\""),
        ("null", "null"),
        ("1e400", "1e400"),
    ] {
        let (document, shown) = (of(size), name.replace('-', " "));
        let subject = Digest::sha256(b"subject");
        let manifest_script = Script::new(
            7,
            format!("size-{name}-in-a-manifest"),
            format!("A manifest names a config whose size is {shown}."),
            Ask::Fetch(manifest(&document)),
        );
        let referrer = Script::new(
            7,
            format!("size-{name}-of-a-referrer"),
            format!("A list of referrers has an entry whose size is {shown}."),
            Ask::Referrers(subject, None),
        );
        let listed = on("GET", "/v2/app/referrers/*").header("Content-Type", media_type::OCI_INDEX).body(entry(size));
        let referrer = referrer.play([listed]).fails(&[Malformed]);
        scripts.extend([
            // The bytes are those that were asked for; who reads them may find them wanting.
            manifest_script.play([get_manifest().body(&*document)]).gives(&*document).fails(&[Malformed]),
            if name == "2-to-the-62" {
                referrer.answers(Answer::Referrers(vec![Digest::sha256(b"x")]))
            } else {
                referrer
            },
        ]);
    }
    let sized = |size: u64| Descriptor { size, ..blob(BLOB) };
    for (name, what, ask) in [
        ("size-0-with-a-body-fetched", "A descriptor says 0 bytes, and there are some.", Ask::Fetch(sized(0))),
        ("size-0-with-a-body-streamed", "A descriptor says 0 bytes, and there are some.", Ask::Stream(sized(0))),
        (
            "size-too-small-streamed",
            "A descriptor says a byte less than there is.",
            Ask::Stream(sized(BLOB.len() as u64 - 1)),
        ),
        (
            "size-of-2-to-the-62-streamed",
            "A descriptor says 2^62 bytes, and there are few.",
            Ask::Stream(Descriptor { size: 1 << 62, ..layer(BLOB) }),
        ),
        ("size-of-39-mib-fetched", "A descriptor says 39 MiB, and there are a few bytes.", Ask::Fetch(sized(39 << 20))),
        (
            "size-of-39-mib-read",
            "39 MiB of a blob are asked for at once, and there are a few bytes.",
            Ask::Part { of: sized(39 << 20), offset: 0, length: 39 << 20 },
        ),
        (
            "size-of-2-to-the-40-read",
            "A descriptor says 2^40 bytes, of which there are not so many.",
            Ask::Part { of: sized(1 << 40), offset: 1 << 39, length: 10 },
        ),
    ] {
        let script = Script::new(7, name, what, ask).play([get_blob().body(BLOB)]);
        scripts.push(script.fails(&[Mismatch, TooLarge, Malformed, Unavailable]).requests(10));
    }
    for (name, header) in
        [("negative", "-1"), ("rubbish", "many"), ("2-to-the-64", "18446744073709551616"), ("two", "19, 20")]
    {
        let what = format!("A blob's Content-Length is {}.", name.replace('-', " "));
        let scene = get_blob().body(BLOB).until_close().header("Content-Length", header);
        let script = Script::new(7, format!("content-length-{name}"), what, fetch_blob()).play([scene]);
        scripts.push(script.gives(BLOB).fails(&[Unavailable, Malformed, TooLarge]));
    }
    scripts
}

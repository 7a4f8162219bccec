//! Points 13 and 14: writing to registries that send uploads elsewhere, and say of what arrived what is not so.

use portolan_oci::{Algorithm, Digest, media_type};

use super::things::{BLOB, MANIFEST, bytes, digest, guard};
use crate::scene::{Scene, on};
use crate::script::Class::{
    Forbidden, Malformed, Mismatch, NotFound, RateLimited, Refused, TooLarge, Unauthorized, Unavailable, Unsupported,
};
use crate::script::{Answer, Ask, Script};

const UPLOADS: &str = "/v2/app/blobs/uploads/";

pub(super) fn scripts() -> Vec<Script> {
    [locations(), beginnings_and_ends(), chunks(), mounts(), manifests(), subjects()].concat()
}

/// A push of a blob to a registry that does not have it and knows who we are.
fn push(point: u8, name: impl Into<String>, what: impl Into<String>) -> Script {
    let script = Script::new(point, name, what, Ask::PushBlob(bytes(BLOB)));
    script.play([guard(), on("HEAD", "/v2/app/blobs/*").status(404), on("DELETE", "*").status(204)])
}

fn begins(location: &str) -> Scene {
    on("POST", UPLOADS).status(202).header("Location", location)
}

fn ends(path: &str) -> Scene {
    on("PUT", path).status(201).header("Location", "/v2/app/blobs/x")
}

/// Where an upload goes on.
fn locations() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (name, location, path) in [
        ("path", "/up/1", "/up/1"),
        ("relative", "1", "/v2/app/blobs/uploads/1"),
        ("relative-upwards", "../../../other/1", "/v2/other/1"),
        ("query-alone", "?state=x", UPLOADS),
        ("with-a-query", "/up/1?_state=a%3Db&c", "/up/1"),
        ("with-a-digest-in-its-query", "/up/1?digest=sha256:00", "/up/1"),
        ("with-a-fragment", "http://{host}/up/1#fragment", "/up/1"),
        ("full", "http://{host}/up/1", "/up/1"),
        ("without-a-scheme", "//{host}/up/1", "/up/1"),
        (
            "long",
            "/up/1?_state=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "/up/1",
        ),
    ] {
        let what = format!("An upload goes on at a Location that is right: {}.", name.replace('-', " "));
        scripts.push(
            push(13, format!("location-{name}"), what)
                .play([begins(location), ends(path)])
                .answers(Answer::Stored)
                .requests(8),
        );
    }
    for (name, location) in
        [("other-port", "http://{elsewhere}/up/1?x=y"), ("other-name", "http://localhost:{elsewhere-port}/up/1")]
    {
        let what = format!("An upload goes on at another server ({}), which is told nothing.", name.replace('-', " "));
        let script = push(13, format!("location-{name}"), what).play([begins(location)]).elsewhere([ends("/up/1")]);
        scripts.push(script.answers(Answer::Stored).requests(8));
        let what = format!("An upload goes on at another server ({}), which asks who we are.", name.replace('-', " "));
        let asks = on("*", "*").status(401).header("WWW-Authenticate", "Basic realm=\"registry\"");
        let script =
            push(13, format!("location-{name}-that-asks-who-we-are"), what).play([begins(location)]).elsewhere([asks]);
        scripts.push(script.fails(&[Unauthorized]).status(401).requests(10));
    }
    for (name, location) in [
        ("missing", None),
        ("empty", Some("")),
        ("half-an-address", Some("http://[")),
        ("no-host", Some("http://")),
        ("port-99999", Some("http://127.0.0.1:99999/")),
        ("file", Some("file:///var/lib/registry")),
        ("userinfo", Some("http://ada:x@{elsewhere}/up/1")),
        ("userinfo-of-itself", Some("http://ada:x@{host}/up/1")),
        ("metadata", Some("http://169.254.169.254/up/1")),
        ("link-local", Some("http://[fe80::1]/up/1")),
        ("unspecified", Some("http://0.0.0.0:{elsewhere-port}/up/1")),
        ("multicast", Some("http://224.0.0.1/up/1")),
    ] {
        let accepted =
            |scene: Scene| location.iter().fold(scene, |scene, location| scene.header("Location", *location));
        let shown = name.replace('-', " ");
        let first =
            push(13, format!("location-{name}"), format!("An upload goes on at a Location that is none: {shown}."));
        let first = first.play([accepted(on("POST", UPLOADS).status(202)), on("PUT", "*").status(201)]);
        let later = push(
            13,
            format!("location-{name}-after-a-chunk"),
            format!("After a chunk, an upload goes on at a Location that is none: {shown}."),
        );
        let later = later.play(refuses()).play([accepted(on("PATCH", "/up/1").status(202).header("Range", "0-18"))]);
        for script in [first, later] {
            let script = script.bait([on("*", "*").status(201)]);
            scripts.push(script.fails(&[Malformed]).for_good().requests(15).never("PUT /v2/*"));
        }
    }
    let tls = push(13, "location-https-that-is-none", "An upload goes on by https at a server that speaks none.");
    scripts.push(tls.play([begins("https://{elsewhere}/up/1")]).hangs().fails(&[Unavailable]));
    scripts
}

/// A registry that takes no blob in one piece: an upload at `/up/1`, which ends with a PUT of nothing.
fn refuses() -> Vec<Scene> {
    vec![begins("/up/1"), ends("/up/1").when("content-length", "0"), on("PUT", "/up/1").status(413)]
}

fn beginnings_and_ends() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (status, classes) in [
        (200, &[Malformed][..]),
        (201, &[Malformed]),
        (204, &[Malformed]),
        (400, &[Refused]),
        (401, &[Unauthorized]),
        (403, &[Forbidden]),
        (404, &[NotFound]),
        (405, &[Refused, Unsupported]),
        (413, &[Refused, TooLarge]),
        (429, &[RateLimited]),
        (500, &[Unavailable]),
        (503, &[Unavailable]),
    ] {
        let what = format!("An upload is not begun: {status}.");
        let script = push(13, format!("upload-begins-with-{status}"), what).play([on("POST", UPLOADS).status(status)]);
        scripts.push(script.fails(classes).status(status).never("PUT *").requests(12));
    }
    for (status, classes) in [
        (202, &[Malformed][..]),
        (401, &[Unauthorized]),
        (403, &[Forbidden]),
        (409, &[Refused]),
        (429, &[RateLimited]),
        (500, &[Unavailable]),
        (507, &[Unavailable]),
    ] {
        let what = format!("An upload is not ended: {status}.");
        let script = push(13, format!("upload-ends-with-{status}"), what)
            .play([begins("/up/1"), on("PUT", "/up/1").status(status)]);
        scripts.push(script.fails(classes).status(status).requests(40));
    }
    for (name, what, scene) in [
        ("forgotten", "An upload is forgotten before it ends, once.", on("PUT", "/up/1").status(404).once()),
        ("broken-off", "The connection breaks in the middle of an upload, once.", on("PUT", "/up/1").takes(5).once()),
        (
            "hung-up-on",
            "An upload is hung up on when all of it has arrived, once.",
            on("PUT", "/up/1").cut_head(0).once(),
        ),
        ("busy", "A registry is busy when an upload ends, once.", on("PUT", "/up/1").status(503).once()),
    ] {
        let script = push(13, format!("upload-{name}-once"), what).play([begins("/up/1"), scene, ends("/up/1")]);
        scripts.push(script.answers(Answer::Stored).requests(20));
    }
    for (name, what, scene, classes) in [
        ("forgotten", "Every upload is forgotten before it ends.", on("PUT", "/up/1").status(404), &[NotFound][..]),
        (
            "broken-off",
            "The connection breaks in the middle of every upload.",
            on("PUT", "/up/1").takes(5),
            &[Unavailable],
        ),
        (
            "refused-early",
            "An upload is refused before it has arrived.",
            on("PUT", "/up/1").early().status(403),
            &[Forbidden],
        ),
        ("hung", "An upload arrives, and no answer comes.", on("PUT", "/up/1").hang(), &[Unavailable]),
    ] {
        let script = push(13, format!("upload-{name}-always"), what).play([begins("/up/1"), scene]);
        scripts.push(script.fails(classes).hangs().requests(60));
    }
    let other = |header: String| ends("/up/1").header("Docker-Content-Digest", header);
    let another_algorithm = Digest::of(Algorithm::Sha512, BLOB).to_string();
    scripts.extend([
        push(14, "upload-stored-as-another", "A registry says that it stored another digest.")
            .play([begins("/up/1"), other(digest("another"))])
            .fails(&[Malformed, Mismatch])
            .for_good(),
        push(
            14,
            "upload-stored-by-another-algorithm",
            "A registry says that it stored the SHA-512 digest of the same bytes.",
        )
        .play([begins("/up/1"), other(another_algorithm)])
        .answers(Answer::Stored),
        Script::new(14, "upload-of-what-is-there", "A registry has the blob.", Ask::PushBlob(bytes(BLOB)))
            .play([guard(), on("HEAD", "/v2/app/blobs/*").body(BLOB)])
            .answers(Answer::Stored)
            .never("POST *")
            .never("PUT *"),
        Script::new(
            14,
            "upload-of-what-is-there-in-another-size",
            "A registry has the blob, it says, in another size.",
            Ask::PushBlob(bytes(BLOB)),
        )
        .play([guard(), on("HEAD", "/v2/app/blobs/*").body("short"), begins("/up/1"), ends("/up/1")])
        .answers(Answer::Stored),
    ]);
    for (status, class) in
        [(401, Unauthorized), (403, Forbidden), (429, RateLimited), (500, Unavailable), (503, Unavailable)]
    {
        let what = format!("Whether a blob is there is answered {status}: that is no answer.");
        let script = Script::new(14, format!("blob-looked-for-{status}"), what, Ask::PushBlob(bytes(BLOB)));
        let script =
            script.play([guard(), on("HEAD", "/v2/app/blobs/*").status(status), begins("/up/1"), ends("/up/1")]);
        scripts.push(script.fails(&[class]).status(status).never("PUT *").requests(12));
    }
    scripts
}

/// Blobs in pieces, for who does not take them whole.
fn chunks() -> Vec<Script> {
    let chunk = || on("PATCH", "/up/1");
    let arrived = |scene: Scene, range: &str| scene.status(202).header("Location", "/up/1").header("Range", range);
    let status = |range: &str| on("GET", "/up/1").status(204).header("Location", "/up/1").header("Range", range);
    let mut scripts = Vec::new();
    for (name, what, scenes) in [
        ("right", "A chunk arrives.", vec![arrived(chunk(), "0-18")]),
        ("with-a-unit", "A chunk arrives, and its Range has a unit.", vec![arrived(chunk(), "bytes=0-18")]),
        ("early-201", "A chunk is answered with 201: all of the blob is stored.", vec![chunk().status(201)]),
        (
            "early-201-with-location",
            "A chunk is answered with 201 and where the blob is.",
            vec![chunk().status(201).header("Location", format!("/v2/app/blobs/{}", digest(BLOB)))],
        ),
        (
            "location-that-changes",
            "After a chunk, the upload goes on somewhere else.",
            vec![chunk().status(202).header("Location", "/up/2?state=2").header("Range", "0-18"), ends("/up/2")],
        ),
        (
            "416-once",
            "A chunk is refused with 416 once; asked, the registry says that it has it.",
            vec![chunk().status(416).once(), status("0-18")],
        ),
        (
            "416-once-in-the-middle",
            "A chunk is refused with 416 once; asked, the registry has a part of it.",
            vec![chunk().status(416).once(), status("0-9"), arrived(chunk(), "0-18")],
        ),
        (
            "500-once",
            "A chunk is answered with 500 once, and none of it has arrived.",
            vec![chunk().status(500).once(), status("0-0"), arrived(chunk(), "0-18")],
        ),
        (
            "forgotten-once",
            "An upload is forgotten between its chunks, once.",
            vec![chunk().status(404).once(), arrived(chunk(), "0-18")],
        ),
        (
            "minimum-of-rubbish",
            "The least length of a chunk is rubbish.",
            vec![arrived(chunk(), "0-18").header("OCI-Chunk-Min-Length", "many")],
        ),
    ] {
        let script = push(14, format!("chunk-{name}"), what).play(scenes).play(refuses());
        scripts.push(script.answers(Answer::Stored).requests(30));
    }
    for (name, range) in [
        ("too-short", "0-5"),
        ("too-long", "0-99"),
        ("of-2-to-the-64", "0-18446744073709551615"),
        ("beyond-2-to-the-64", "0-18446744073709551616"),
        ("negative", "0--1"),
        ("not-from-0", "5-18"),
        ("rubbish", "all of it"),
        ("empty", ""),
    ] {
        let what = format!(
            "After a chunk, a registry says of what arrived what is not so ({}), and says it again.",
            name.replace('-', " ")
        );
        let script = push(14, format!("chunk-range-{name}"), what)
            .play([arrived(chunk(), range), status(range)])
            .play(refuses());
        let script = script.fails(&[Malformed, Unavailable]).requests(60);
        // One that says nothing is believed: the digest has the last word.
        scripts.push(script.answers(Answer::Stored));
    }
    for (name, what, scenes, classes) in [
        (
            "416-for-ever",
            "Every chunk is refused with 416.",
            vec![chunk().status(416), status("0-0")],
            &[Refused, Malformed, Unavailable][..],
        ),
        (
            "500-for-ever",
            "Every chunk is answered with 500.",
            vec![chunk().status(500), on("GET", "/up/1").status(500)],
            &[Unavailable],
        ),
        ("413-for-ever", "Every chunk is too large.", vec![chunk().status(413)], &[Refused, TooLarge]),
        ("404-for-ever", "Every upload is forgotten.", vec![chunk().status(404)], &[NotFound]),
        ("403", "A chunk is forbidden.", vec![chunk().status(403)], &[Forbidden]),
        ("200", "A chunk is answered with 200, which says nothing.", vec![chunk().status(200)], &[Malformed]),
        ("hangs", "A chunk is never answered.", vec![chunk().hang()], &[Unavailable]),
        ("cut", "A chunk's connection breaks, always.", vec![chunk().takes(5)], &[Unavailable, Malformed]),
        (
            "no-location",
            "A chunk is answered with 202 and no Location.",
            vec![chunk().status(202).header("Range", "0-18")],
            &[Malformed],
        ),
    ] {
        let script = push(14, format!("chunk-{name}"), what).play(scenes).play(refuses());
        let script = script.fails(classes).hangs().requests(100);
        scripts.push(if name == "200" { script.answers(Answer::Stored) } else { script });
    }
    for (name, least) in [
        ("2-to-the-62", "4611686018427387904"),
        ("2-to-the-64", "18446744073709551616"),
        ("negative", "-1"),
        ("128-mib", "134217728"),
    ] {
        let what = format!("A registry wants chunks of at least {} bytes.", name.replace('-', " "));
        let begins = begins("/up/1").header("OCI-Chunk-Min-Length", least);
        let script =
            push(14, format!("chunk-minimum-{name}"), what).play([begins, arrived(chunk(), "0-18")]).play(refuses());
        // The last chunk may have any length, so that one is enough.
        scripts.push(script.answers(Answer::Stored).fails(&[Unsupported, Malformed]).requests(30));
    }
    scripts
}

fn mounts() -> Vec<Script> {
    let mount = |name: &str, what: &str, scene: Scene| {
        Script::new(14, format!("mount-{name}"), what, Ask::Mount(bytes(BLOB)))
            .play([guard(), on("DELETE", "*").status(204), on("HEAD", "/v2/app/blobs/*").status(404)])
            .play([scene.once(), begins("/up/2"), ends("/up/2")])
            .requests(30)
    };
    let post = || on("POST", UPLOADS);
    let said =
        |text: String| post().status(201).header("Location", "/v2/app/blobs/x").header("Docker-Content-Digest", text);
    let mut scripts = vec![
        mount("right", "A blob is mounted.", said(digest(BLOB))).answers(Answer::Stored).never("PUT *"),
        mount("without-a-digest", "A blob is mounted, and no digest said.", post().status(201)).answers(Answer::Stored),
        mount("of-another", "A blob is mounted, and it is another.", said(digest("another")))
            .fails(&[Malformed, Mismatch])
            .answers(Answer::Stored),
        mount("of-what-is-none", "A blob is mounted, and its digest is none.", said("sha256:../..".to_owned()))
            .fails(&[Malformed])
            .answers(Answer::Stored),
        mount(
            "begins-an-upload",
            "A mount begins an upload instead, which goes on.",
            post().status(202).header("Location", "/up/2"),
        )
        .answers(Answer::Stored),
        mount("without-location", "A mount begins an upload, and does not say where.", post().status(202))
            .answers(Answer::Stored)
            .fails(&[Malformed]),
        mount(
            "leads-to-metadata",
            "A mount begins an upload at the metadata service.",
            post().status(202).header("Location", "http://169.254.169.254/"),
        )
        .answers(Answer::Stored)
        .fails(&[Malformed]),
        mount(
            "is-redirected",
            "A mount is redirected to another server, which mounts nothing.",
            post().status(307).header("Location", "http://{elsewhere}/mount"),
        )
        .elsewhere([on("*", "*").status(404)])
        .answers(Answer::Stored),
    ];
    // The refusals of every registry without mounts: then the blob is sent.
    for status in [200, 204, 206, 400, 401, 403, 404, 405, 409, 415, 429, 500, 501, 503] {
        let what = format!("A mount is answered {status}: then the blob is sent.");
        scripts.push(mount(&status.to_string(), &what, post().status(status)).answers(Answer::Stored));
    }
    for (name, what, scene) in [
        ("hangs", "A mount is never answered.", post().hang()),
        ("cut", "A mount's answer breaks off.", post().cut_head(10)),
    ] {
        scripts.push(mount(name, what, scene).answers(Answer::Stored).fails(&[Unavailable]).hangs());
    }
    scripts
}

fn push_manifest(name: impl Into<String>, what: impl Into<String>, tag: Option<&'static str>) -> Script {
    Script::new(14, name, what, Ask::PushManifest(media_type::OCI_MANIFEST, bytes(MANIFEST), tag)).play([guard()])
}

fn manifests() -> Vec<Script> {
    let path = "/v2/app/manifests/*";
    let absent = || on("HEAD", path).status(404);
    let there = |text: &str| on("HEAD", path).header("Docker-Content-Digest", text);
    let mut scripts = vec![
        push_manifest("manifest-stored", "A manifest is stored under a tag.", Some("1"))
            .play([absent(), on("PUT", path).status(201)])
            .answers(Answer::Stored),
        push_manifest("manifest-stored-as-another", "A registry says that it stored another digest.", Some("1"))
            .play([absent(), on("PUT", path).status(201).header("Docker-Content-Digest", digest("another"))])
            .fails(&[Malformed, Mismatch])
            .for_good(),
        push_manifest("manifest-stored-as-none", "A registry says that it stored what is no digest.", Some("1"))
            .play([absent(), on("PUT", path).status(201).header("Docker-Content-Digest", "sha256:..")])
            .fails(&[Malformed]),
        push_manifest("manifest-that-is-there", "A tag means the manifest already.", Some("1"))
            .play([there(&digest(MANIFEST)), on("PUT", path).status(500)])
            .answers(Answer::Stored)
            .never("PUT *"),
        push_manifest("manifest-that-is-another", "A tag means another manifest.", Some("1"))
            .play([there(&digest("another")), on("PUT", path).status(201)])
            .answers(Answer::Stored),
        push_manifest("manifest-that-does-not-say", "A tag means a manifest of which no digest is said.", Some("1"))
            .play([on("HEAD", path), on("PUT", path).status(201)])
            .answers(Answer::Stored),
        push_manifest("manifest-put-and-cut-once", "The answer to a manifest breaks off, once.", Some("1"))
            .play([absent(), on("PUT", path).cut_head(5).once(), on("PUT", path).status(201)])
            .answers(Answer::Stored),
        push_manifest("manifest-put-hangs", "A manifest is never answered.", None)
            .play([absent(), on("PUT", path).hang()])
            .fails(&[Unavailable])
            .hangs(),
    ];
    for (status, classes) in [
        (400, &[Refused][..]),
        (403, &[Forbidden]),
        (404, &[NotFound]),
        (413, &[Refused, TooLarge]),
        (415, &[Refused]),
        (429, &[RateLimited]),
        (500, &[Unavailable]),
    ] {
        let what = format!("A manifest is answered {status}.");
        let script = push_manifest(format!("manifest-put-{status}"), what, None)
            .play([absent(), on("PUT", path).status(status)]);
        scripts.push(script.fails(classes).status(status).requests(12));
    }
    for (status, class) in [(401, Unauthorized), (429, RateLimited), (500, Unavailable), (503, Unavailable)] {
        let what = format!("What a tag means before it is pushed is answered {status} (CVE-2026-45781).");
        let script = push_manifest(format!("manifest-looked-for-{status}"), what, Some("1"));
        let script = script.play([on("HEAD", path).status(status), on("PUT", path).status(201)]);
        // Whether it is there is a question of thrift; a push that goes on regardless harms nobody.
        scripts.push(if status == 401 {
            script.answers(Answer::Stored).fails(&[class])
        } else {
            script.fails(&[class]).status(status).never("PUT *")
        });
    }
    scripts
}

/// A manifest with a subject, at a registry that does not list referrers by itself: the list under the referrers tag is
/// read, and written again with the new one. A list that cannot be read must not be replaced by a shorter one.
fn subjects() -> Vec<Script> {
    let subject = Digest::sha256(b"subject");
    let descriptor = format!(r#"{{"mediaType":"{}","digest":"{subject}","size":7}}"#, media_type::OCI_MANIFEST);
    let signature = MANIFEST.replace(r#""layers":[]"#, &format!(r#""layers":[],"subject":{descriptor}"#));
    let tag = format!("/v2/app/manifests/sha256-{}", subject.hex());
    let list = |entries: &str| {
        format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{entries}]}}"#, media_type::OCI_INDEX)
    };
    let script = |name: &str, what: &str, scene: Scene| {
        let ask = Ask::PushManifest(media_type::OCI_MANIFEST, bytes(&*signature), None);
        let stored = on("PUT", format!("/v2/app/manifests/{}", digest(&signature))).status(201);
        let scenes = [guard(), scene, on("PUT", &*tag).status(201), stored, on("HEAD", "*").status(404)];
        Script::new(14, format!("subject-{name}"), what, ask).play(scenes)
    };
    let get = || on("GET", &*tag);
    let mut scripts = vec![
        script("without-a-list", "There is no list of referrers yet.", get().status(404)).answers(Answer::Stored),
        script(
            "with-a-list",
            "There is a list of referrers.",
            get().header("Content-Type", media_type::OCI_INDEX).body(list(&descriptor)),
        )
        .answers(Answer::Stored),
        script("listed-by-the-registry", "The registry lists referrers by itself.", {
            on("PUT", format!("/v2/app/manifests/{}", digest(&signature)))
                .status(201)
                .header("OCI-Subject", subject.to_string())
        })
        .answers(Answer::Stored)
        .never(format!("PUT {tag}")),
    ];
    for (name, what, scene, classes) in [
        (
            "list-of-html",
            "The list of referrers is a page in HTML.",
            get().header("Content-Type", "text/html").body("<html>"),
            &[Malformed][..],
        ),
        (
            "list-that-is-a-manifest",
            "The list of referrers is a manifest.",
            get().header("Content-Type", media_type::OCI_MANIFEST).body(MANIFEST),
            &[Malformed],
        ),
        (
            "list-cut",
            "The list of referrers breaks off.",
            get().header("Content-Type", media_type::OCI_INDEX).body(list(&descriptor)).cut(50),
            &[Unavailable],
        ),
        (
            "list-with-a-key-twice",
            "The list of referrers has its entries twice.",
            get().header("Content-Type", media_type::OCI_INDEX).body(list("").replace("]}", "],\"manifests\":[]}")),
            &[Malformed],
        ),
        (
            "list-too-large",
            "The list of referrers has no end.",
            get().header("Content-Type", media_type::OCI_INDEX).body(vec![b' '; 1 << 16]).endless(),
            &[TooLarge],
        ),
        ("list-forbidden", "The list of referrers may not be read.", get().status(403), &[Forbidden]),
        ("list-busy", "The list of referrers cannot be read: 429.", get().status(429), &[RateLimited]),
        ("list-in-trouble", "The list of referrers cannot be read: 500.", get().status(500), &[Unavailable]),
    ] {
        scripts.push(script(name, what, scene).fails(classes).never(format!("PUT {tag}")).requests(20));
    }
    scripts
}

//! Points 18 and 21: registries that are busy, slow, or gone in the middle of a word.

use std::time::Duration;

use portolan_oci::{Digest, media_type};

use super::challenges::{CHALLENGE, challenged, token};
use super::things::{
    BLOB, BUSY, MANIFEST, blob, bytes, fetch_blob, fetch_manifest, get_blob, no_head, root, serve, stream_blob,
};
use crate::scene::{Scene, on};
use crate::script::Class::{RateLimited, Refused, Unavailable};
use crate::script::{Answer, Ask, Script};

pub(super) fn scripts() -> Vec<Script> {
    [busy(), retry_after(), broken(), slow()].concat()
}

/// Every question, what it is answered by, and what that comes to.
fn questions() -> Vec<(&'static str, Ask, Scene, Answer)> {
    let right = |bytes: &[u8]| Answer::Bytes(bytes.into());
    let part = Ask::Part { of: blob(BLOB), offset: 4, length: 5 };
    vec![
        ("resolve", Ask::ResolveTag("1"), serve("HEAD", "1", MANIFEST), root()),
        ("manifest", fetch_manifest(), serve("GET", "*", MANIFEST), right(MANIFEST.as_bytes())),
        ("blob", fetch_blob(), get_blob().body(BLOB), right(BLOB)),
        ("stream", stream_blob(), get_blob().body(BLOB), right(BLOB)),
        ("part", part, get_blob().ranges().body(BLOB), right(&BLOB[4..9])),
        (
            "tags",
            Ask::Tags,
            on("GET", "/v2/app/tags/list").body(r#"{"tags":["a"]}"#),
            Answer::Tags(vec!["a".to_owned()]),
        ),
        (
            "referrers",
            Ask::Referrers(Digest::sha256(b"x"), None),
            on("GET", "/v2/app/referrers/*")
                .header("Content-Type", media_type::OCI_INDEX)
                .body(r#"{"schemaVersion":2,"manifests":[]}"#),
            Answer::Referrers(Vec::new()),
        ),
    ]
}

fn busy() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (asked, ask, scene, right) in questions() {
        for (status, class) in BUSY {
            // All of them for the commonest question; the two that are in use for all.
            if asked != "resolve" && !matches!(status, 429 | 503) {
                continue;
            }
            let busy = || on("*", "/v2/*").status(status);
            let then = Script::new(
                18,
                format!("{status}-then-right-{asked}"),
                format!("A registry answers {status} twice, and then as it should."),
                ask.clone(),
            );
            let ever = Script::new(
                18,
                format!("{status}-for-ever-{asked}"),
                format!("A registry answers {status} for ever."),
                ask.clone(),
            );
            scripts.extend([
                then.play([busy().times(2), scene.clone()]).answers(right.clone()).requests(4),
                ever.play([busy()]).fails(&[class]).status(status).retryable().requests(10),
            ]);
        }
    }
    for status in [400, 402, 406, 409, 410, 418, 421, 451, 499] {
        let what = format!("A registry answers {status}, which is no.");
        let script = Script::new(18, format!("{status}-is-no"), what, fetch_blob());
        let script = script.play([get_blob().status(status).once(), get_blob().body(BLOB)]);
        scripts.push(script.fails(&[Refused]).status(status).for_good().requests(1));
    }
    scripts
}

fn retry_after() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (name, header) in [
        ("0", "0"),
        ("1", "1"),
        ("negative", "-1"),
        ("10-to-the-11", "100000000000"),
        ("2-to-the-64", "18446744073709551616"),
        ("1000-digits", &"9".repeat(1000)),
        ("fraction", "0.5"),
        ("past", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("year-9999", "Fri, 31 Dec 9999 23:59:59 GMT"),
        ("rubbish", "soon"),
        ("empty", ""),
        ("no-date", "Sun, 99 Nov 1994 08:49:37 GMT"),
    ] {
        let shown = name.replace('-', " ");
        let busy = |status: u16| on("*", "*").status(status).header("Retry-After", header);
        for status in [429, 503] {
            let what = format!("A {status} has a Retry-After of {shown}, once.");
            let script = Script::new(18, format!("retry-after-{name}-with-{status}"), what, Ask::ResolveTag("1"));
            scripts.push(script.play([busy(status).once(), serve("HEAD", "1", MANIFEST)]).answers(root()));
        }
        let what = format!("A 429 has a Retry-After of {shown}, for ever.");
        let script = Script::new(18, format!("retry-after-{name}-for-ever"), what, fetch_blob()).play([busy(429)]);
        scripts.push(script.fails(&[RateLimited]).status(429).retryable().requests(10));
    }
    scripts
}

fn broken() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (asked, ask, scene, right) in questions() {
        for (name, what, broken) in [
            ("at-once", "closes the connection without a word", scene.clone().cut_head(0)),
            ("mid-status", "closes the connection in its first line", scene.clone().cut_head(10)),
            ("mid-header", "closes the connection in a header", scene.clone().cut_head(60)),
            ("mid-body", "closes the connection in the body", scene.clone().cut(9)),
        ] {
            // HEAD has no body.
            if (asked, name) == ("resolve", "mid-body") {
                continue;
            }
            let once = Script::new(
                18,
                format!("closed-{name}-once-{asked}"),
                format!("A registry {what}, once."),
                ask.clone(),
            );
            let ever = Script::new(
                18,
                format!("closed-{name}-for-ever-{asked}"),
                format!("A registry {what}, always."),
                ask.clone(),
            );
            let again = once.play([broken.clone().once(), scene.clone()]).answers(right.clone());
            scripts.push(again);
            // A part may be all there is before the connection breaks.
            if (asked, name) != ("part", "mid-body") {
                scripts.push(ever.play([broken]).fails(&[Unavailable]).retryable().requests(40));
            }
        }
    }
    let head = |text: &'static str| on("GET", "/v2/*").header(text, "x").body(BLOB);
    for (name, what, scene) in [
        ("header-that-is-none", "A header's name has a space.", head("Not A Header")),
        ("header-without-a-name", "A header has no name.", head("")),
        (
            "1000-headers",
            "An answer has a thousand headers.",
            (0..1000).fold(get_blob().body(BLOB), |scene, at| scene.header(format!("X-{at}"), "y")),
        ),
        (
            "header-of-1-mib",
            "An answer has a header of 1 MiB.",
            get_blob().body(BLOB).header("X-Long", "y".repeat(1 << 20)),
        ),
        ("status-0", "An answer has the status 0.", get_blob().status(0).body(BLOB)),
        ("status-99", "An answer has the status 99.", get_blob().status(99).body(BLOB)),
        ("status-65535", "An answer has the status 65535.", get_blob().status(65_535).body(BLOB)),
    ] {
        let script = Script::new(18, format!("head-with-{name}"), what, fetch_blob()).play([scene]);
        scripts.push(script.gives(BLOB).fails(&[Unavailable, crate::script::Class::Malformed, Refused]).requests(10));
    }
    let two_lengths = get_blob().body(BLOB).header("Content-Length", "5");
    let smuggled = get_blob().body(BLOB).chunked().header("Content-Length", "5");
    for (name, what, scene) in [
        ("two-lengths", "An answer has two Content-Lengths.", two_lengths),
        ("length-and-chunks", "An answer has a Content-Length, and comes in chunks of another.", smuggled),
    ] {
        let script = Script::new(18, format!("head-with-{name}"), what, fetch_blob()).play([scene]);
        scripts.push(script.gives(BLOB).fails(&[
            Unavailable,
            crate::script::Class::Malformed,
            crate::script::Class::Mismatch,
        ]));
    }
    scripts
}

/// Slow at every phase: of a question, of its token, of what is written.
fn slow() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (asked, ask, scene, right) in questions() {
        let script = |name: &str, what: &str| Script::new(21, format!("{name}-{asked}"), what, ask.clone());
        let hang = script("no-answer", "A question is never answered.").play([scene.clone().hang()]);
        scripts.push(hang.fails(&[Unavailable]).retryable().hangs().requests(10));
        let once = script("no-answer-once", "A question is not answered, once.")
            .play([scene.clone().hang().once(), scene.clone()]);
        scripts.push(once.answers(right.clone()).hangs());
        let late =
            script("late", "An answer comes late, and in time.").play([scene.clone().delay(Duration::from_millis(30))]);
        scripts.push(late.answers(right).fails(&[Unavailable]).hangs());
        if asked != "resolve" {
            let stops =
                script("stops", "A body stops after its first byte.").play([scene.drip(Duration::from_secs(20))]);
            scripts.push(stops.fails(&[Unavailable]).retryable().hangs());
        }
    }
    let drips = |scene: Scene| scene.drip(Duration::from_millis(10));
    let push = |name: &str, what: &str, scenes: Vec<Scene>| {
        let absent = on("HEAD", "/v2/app/blobs/*").status(404);
        Script::new(21, name, what, Ask::PushBlob(bytes(BLOB)))
            .play(scenes)
            .play([absent])
            .hangs()
            .fails(&[Unavailable])
    };
    let begins = || on("POST", "/v2/app/blobs/uploads/").status(202).header("Location", "/up/1");
    scripts.extend([
        Script::new(21, "error-that-drips", "A refusal comes a byte at a time.", fetch_blob())
            .play([drips(get_blob().status(403).body("x".repeat(100_000)))])
            .fails(&[crate::script::Class::Forbidden])
            .hangs(),
        Script::new(21, "error-that-stops", "A refusal stops after its first byte.", fetch_blob())
            .play([get_blob().status(403).body("no").drip(Duration::from_secs(20))])
            .fails(&[crate::script::Class::Forbidden])
            .hangs(),
        Script::new(21, "challenge-that-stops", "A challenge's body stops after its first byte.", Ask::Tags)
            .play([challenged(CHALLENGE).body("no").drip(Duration::from_secs(20)), token(1)])
            .fails(&[crate::script::Class::Unauthorized])
            .hangs(),
        Script::new(21, "redirect-that-stops", "A redirect's body stops after its first byte.", fetch_blob())
            .play([
                get_blob().status(302).header("Location", "/b").body("moved").drip(Duration::from_secs(20)),
                on("GET", "/b").body(BLOB),
            ])
            .gives(BLOB)
            .hangs(),
        Script::new(21, "store-that-hangs", "A store that we are sent to never answers.", fetch_blob())
            .play([get_blob().status(302).header("Location", "http://{elsewhere}/b")])
            .elsewhere([on("*", "*").hang()])
            .fails(&[Unavailable])
            .hangs(),
        Script::new(21, "second-page-that-hangs", "The second page of a list never comes.", Ask::Tags)
            .play([
                on("GET", "/v2/app/tags/list").body(r#"{"tags":["a"]}"#).header("Link", "<?p=2>; rel=\"next\"").once(),
                on("GET", "*").hang(),
            ])
            .fails(&[Unavailable])
            .hangs(),
        Script::new(21, "tag-that-drips", "The manifest of a tag comes a byte at a time.", Ask::ResolveTag("1"))
            .play([no_head(), drips(serve("GET", "1", MANIFEST))])
            .fails(&[Unavailable])
            .retryable()
            .hangs(),
        push("push-looked-for-hangs", "Whether a blob is there is never answered.", vec![on("HEAD", "*").hang()]),
        push("push-begin-hangs", "The beginning of an upload is never answered.", vec![on("POST", "*").hang()]),
        push("push-end-hangs", "The end of an upload is never answered.", vec![begins(), on("PUT", "/up/1").hang()]),
        push(
            "push-cancel-hangs",
            "An upload is refused, and taking it back is never answered.",
            vec![begins(), on("PUT", "/up/1").status(403), on("DELETE", "*").hang()],
        )
        .fails(&[crate::script::Class::Forbidden]),
    ]);
    scripts
}

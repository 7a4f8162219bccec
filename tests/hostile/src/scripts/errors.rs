//! Point 19: what registries say when they refuse, and what of it a person may see: little, in one line, and none of our own
//! secrets, wherever they are echoed.

use portolan_oci::Digest;

use super::challenges::{CHALLENGE, bearer, challenged, token};
use super::things::{
    BLOB, MANIFEST, PASSWORD, TOKEN, bytes, fetch_blob, get_blob, guard, no_head, root, serve, stream_blob,
};
use crate::scene::{Scene, on};
use crate::script::Class::{Forbidden, Malformed, Mismatch, NotFound, RateLimited, Refused, Unauthorized, Unavailable};
use crate::script::{Answer, Ask, Class, Script};

pub(super) fn scripts() -> Vec<Script> {
    [bodies(), statuses(), echoes(), headers(), warnings()].concat()
}

fn questions() -> Vec<(&'static str, Ask)> {
    vec![
        ("resolve", Ask::ResolveTag("1")),
        ("fetch", fetch_blob()),
        ("stream", stream_blob()),
        ("tags", Ask::Tags),
        ("push", Ask::PushBlob(bytes(BLOB))),
    ]
}

fn bodies() -> Vec<Script> {
    let said =
        |message: &str| format!(r#"{{"errors":[{{"code":"DENIED","message":"{message}","detail":{{"x":1}}}}]}}"#);
    let refuse = || on("*", "/v2/*").status(400);
    let mut scripts = Vec::new();
    for (name, what, scene) in [
        ("empty", "empty", refuse()),
        ("of-100-mib", "100 MiB long", refuse().body(vec![b'x'; 1 << 20]).repeated(100)),
        ("without-end", "without end", refuse().body(vec![b'x'; 1 << 16]).endless()),
        ("without-end-or-lines", "without end, of empty lines", refuse().body(vec![b'\n'; 1 << 16]).endless()),
        ("of-a-terabyte", "a terabyte long, says its length,", refuse().body("no").claim(1 << 40)),
        ("cut", "cut", refuse().body("beginning and end").cut(9)),
        ("of-invalid-utf-8", "no UTF-8", refuse().body(vec![0xff; 2000])),
        ("of-nul", "NUL", refuse().body(vec![0; 2000])),
        ("of-terminal-escapes", "made of terminal escapes", refuse().body("\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m")),
        ("of-escapes-in-json", "made of terminal escapes in JSON", refuse().body(said("\\u001b[2J\\u0007\\u009b"))),
        ("of-lines", "made of lines that look like log lines", refuse().body("no\r\n2026-01-01 INFO all is well\r\n")),
        ("of-lines-in-json", "made of lines in JSON", refuse().body(said("no\\r\\nINFO all is well"))),
        ("that-turns-text-around", "written from right to left", refuse().body("\u{202e}\u{2066}gnp.exe")),
        ("with-a-message-of-1-mib", "a message of 1 MiB", refuse().body(said(&"x".repeat(60_000)))),
        (
            "with-10000-errors",
            "ten thousand errors",
            refuse().body(format!(r#"{{"errors":[{}]}}"#, vec!["{}"; 10_000].join(","))),
        ),
        ("with-wrong-types", "errors of the wrong types", refuse().body(r#"{"errors":{"code":1}}"#)),
        (
            "nested-100000-deep",
            "10^5 arrays in each other",
            refuse().body(format!(r#"{{"errors":{}"#, "[".repeat(60_000))),
        ),
        (
            "of-html",
            "a page in HTML",
            refuse().header("Content-Type", "text/html").body("<html><script>alert(1)</script>"),
        ),
        ("in-gzip", "in gzip", refuse().header("Content-Encoding", "gzip").body([0x1f, 0x8b, 8, 0, 0, 0])),
    ] {
        let long = what;
        for (asked, ask) in questions() {
            // Bodies are read in one place; the commonest question shows all of them, the others some.
            if asked != "fetch" && !matches!(name, "of-100-mib" | "of-terminal-escapes" | "without-end") {
                continue;
            }
            let script = Script::new(19, format!("error-{name}-{asked}"), format!("A refusal is {long}."), ask);
            let script = script.play([guard(), no_head().once(), scene.clone()]);
            scripts.push(script.fails(&[Refused]).status(400).for_good().requests(5));
        }
    }
    scripts
}

/// Statuses that are errors, and what kind they are.
fn statuses() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (status, class, again) in [
        (201, Malformed, false),
        (204, Malformed, false),
        (304, Malformed, false),
        (401, Unauthorized, false),
        (403, Forbidden, false),
        (404, NotFound, false),
        (407, Refused, false),
        (411, Refused, false),
        (429, RateLimited, true),
        (501, Unavailable, true),
        (599, Unavailable, true),
        (600, Malformed, false),
        (999, Malformed, false),
    ] {
        for (asked, ask) in [("resolve", Ask::ResolveTag("1")), ("stream", stream_blob())] {
            let script =
                Script::new(19, format!("status-{status}-{asked}"), format!("A question is answered {status}."), ask);
            let script = script
                .play([guard(), on("*", "/v2/*").status(status).body("no")])
                .fails(&[class])
                .status(status)
                .requests(12);
            scripts.push(if again { script.retryable() } else { script.for_good() });
        }
    }
    scripts
}

/// Registries that say back what we showed them.
fn echoes() -> Vec<Script> {
    let mut scripts = Vec::new();
    let basic = "YWRhOnBhNTV3b3JkLW9mLWFkYQ==";
    for (name, text) in [
        ("header", "you sent {authorization}".to_owned()),
        ("header-without-its-scheme", format!("you sent {basic}")),
        ("password", format!("your password is {PASSWORD}")),
        ("password-in-json", format!(r#"{{"errors":[{{"code":"{PASSWORD}","message":"ada:{PASSWORD} is wrong"}}]}}"#)),
        ("password-with-an-escape", format!("pa55\u{1b}[0mword {PASSWORD}")),
        ("password-many-times", PASSWORD.repeat(3000)),
        ("password-at-the-cut", format!("{}{PASSWORD}", "x".repeat(1020))),
        ("header-at-the-cut", format!("{}{{authorization}}", "x".repeat(1010))),
    ] {
        for (asked, ask) in questions() {
            for (status, class) in [(400, Refused), (403, Forbidden), (503, Unavailable)] {
                // The commonest question shows all of them, the others some.
                if asked != "fetch" && (status != 403 || !matches!(name, "header" | "password")) {
                    continue;
                }
                let what = format!("A {status} echoes what it was shown ({}).", name.replace('-', " "));
                let script = Script::new(19, format!("echo-{name}-with-{status}-{asked}"), what, ask.clone());
                let refusal = on("*", "/v2/*").status(status).body(text.clone());
                scripts.push(script.play([guard(), refusal]).fails(&[class]).status(status).requests(12));
            }
        }
    }
    for (name, text) in [
        ("token", format!("{TOKEN}-1 is bad")),
        ("header", "you sent {authorization}".to_owned()),
        ("both", format!("{TOKEN}-1 and {PASSWORD}")),
    ] {
        let what = format!("A refusal echoes the token that it was shown ({name}).");
        let refusal = get_blob().when("authorization", bearer(1)).status(400).body(text);
        let script = Script::new(19, format!("echo-of-a-token-{name}"), what, fetch_blob()).play([
            refusal,
            challenged(CHALLENGE),
            token(1),
        ]);
        scripts.push(script.fails(&[Refused]).status(400).for_good());
    }
    scripts
}

/// Secrets in headers that end up in messages.
fn headers() -> Vec<Script> {
    let mut scripts = Vec::new();
    let other = "the bytes of a lie!";
    for (name, text) in [
        ("password", PASSWORD.to_owned()),
        ("header", "{authorization}".to_owned()),
        ("escapes", "\u{b}\u{1f}".to_owned()),
    ] {
        let script = |header: &str, what: &str, ask: Ask, scene: Scene| {
            Script::new(19, format!("{header}-with-{name}"), what, ask).play([
                guard(),
                no_head(),
                scene,
                on("HEAD", "*").status(404),
            ])
        };
        let classes: &[Class] = &[Malformed, Mismatch, Unavailable, Refused, Unauthorized, NotFound];
        scripts.extend(
            [
                script(
                    "location-that-is-none",
                    "A redirect's Location is none, and has a secret in it.",
                    fetch_blob(),
                    get_blob().status(302).header("Location", format!("http://[{text}")),
                ),
                script(
                    "location-with-a-port-that-is-none",
                    "A redirect's Location has a secret for a port.",
                    fetch_blob(),
                    get_blob().status(302).header("Location", format!("http://h:{text}/")),
                ),
                script(
                    "location-with-userinfo",
                    "A redirect's Location has a secret for a user.",
                    fetch_blob(),
                    get_blob().status(302).header("Location", format!("http://{text}@h/")),
                ),
                script(
                    "location-refused",
                    "A redirect's Location has a secret in its path.",
                    fetch_blob(),
                    get_blob().status(302).header("Location", format!("http://169.254.169.254/{text}")),
                ),
                script(
                    "content-type",
                    "A manifest's Content-Type has a secret in it.",
                    Ask::ResolveTag("1"),
                    on("GET", "/v2/app/manifests/1").header("Content-Type", format!("text/{text}")).body(MANIFEST),
                ),
                script(
                    "content-encoding",
                    "A blob's Content-Encoding has a secret in it.",
                    fetch_blob(),
                    get_blob().header("Content-Encoding", &text).body(other),
                ),
                script(
                    "content-range",
                    "A part's Content-Range has a secret in it.",
                    Ask::Part { of: super::things::blob(BLOB), offset: 1, length: 2 },
                    get_blob().status(206).header("Content-Range", &text).body("he"),
                ),
                script(
                    "link",
                    "A Link has a secret in it.",
                    Ask::Tags,
                    on("GET", "/v2/app/tags/list")
                        .header("Link", format!("<http://[{text}>; rel=\"next\""))
                        .body(r#"{"tags":[]}"#),
                ),
                script(
                    "digest-of-a-tag",
                    "A tag's digest has a secret in it.",
                    Ask::ResolveTag("1"),
                    serve("GET", "1", MANIFEST).header("Docker-Content-Digest", &text),
                ),
                script(
                    "digest-of-a-push",
                    "The digest of what was stored has a secret in it.",
                    Ask::PushManifest(portolan_oci::media_type::OCI_MANIFEST, bytes(MANIFEST), Some("1")),
                    on("PUT", "*").status(201).header("Docker-Content-Digest", &text),
                ),
                script(
                    "location-of-an-upload",
                    "The Location of an upload has a secret in it.",
                    Ask::PushBlob(bytes(BLOB)),
                    on("POST", "*").status(202).header("Location", format!("http://[{text}")),
                ),
                script(
                    "retry-after",
                    "A Retry-After has a secret in it.",
                    fetch_blob(),
                    get_blob().status(503).header("Retry-After", &text),
                ),
                script(
                    "realm",
                    "The realm of a second challenge has a secret in it.",
                    fetch_blob(),
                    get_blob().status(401).header("WWW-Authenticate", format!("Bearer realm=\"http://[{text}\"")),
                ),
                script(
                    "tags",
                    "A list of tags that is none has a secret in it.",
                    Ask::Tags,
                    on("GET", "/v2/app/tags/list").body(format!("{{\"tags\":[\"a\", {text}")),
                ),
                script(
                    "document",
                    "A manifest that is none has a secret in it.",
                    Ask::ResolveTag("1"),
                    on("GET", "/v2/app/manifests/1").body(format!("{{\"{text}\":")),
                ),
                script(
                    "key-of-a-document",
                    "A manifest has a secret for a key twice.",
                    Ask::ResolveTag("1"),
                    on("GET", "/v2/app/manifests/1").body(format!("{{\"{text}\":1,\"{text}\":2,\"layers\":[]}}")),
                ),
                script(
                    "type-in-a-document",
                    "A manifest has a secret for its own type.",
                    Ask::ResolveTag("1"),
                    on("GET", "/v2/app/manifests/1")
                        .body(MANIFEST.replace("application/vnd.oci.image.manifest", &text)),
                ),
                script(
                    "digest-of-a-referrer",
                    "A referrer's digest is a secret.",
                    Ask::Referrers(Digest::sha256(b"x"), None),
                    on("GET", "/v2/app/referrers/*").header("Content-Type", portolan_oci::media_type::OCI_INDEX).body(
                        format!(
                            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"a/b","digest":"{text}","size":1}}]}}"#
                        ),
                    ),
                ),
            ]
            .map(|script| match script.name.as_str() {
                name if name.starts_with("digest-of-a-tag") => script.answers(root()).fails(classes),
                _ => script.fails(classes),
            }),
        );
    }
    let what = "A redirect's Location has a secret for a scheme.";
    let scene = get_blob().status(302).header("Location", format!("{PASSWORD}://x/"));
    let script = Script::new(19, "location-of-another-scheme-with-password", what, fetch_blob());
    scripts.push(script.play([guard(), scene]).fails(&[Malformed]).requests(2));
    scripts
}

fn warnings() -> Vec<Script> {
    let warned = |scene: Scene, count: usize, text: &str| {
        (0..count).fold(scene, |scene, number| scene.header("Warning", format!("299 - \"{text} {number}\"")))
    };
    let mut scripts = Vec::new();
    for (name, count, text) in [
        ("few", 3, "this is deprecated".to_owned()),
        ("by-the-dozen", 90, "this is deprecated".to_owned()),
        ("by-the-thousand", 5000, "this is deprecated".to_owned()),
        ("long", 3, "x".repeat(10_000)),
        ("of-escapes", 3, "\\u001b[2J \u{b}".to_owned()),
        ("of-the-password", 3, format!("you are ada:{PASSWORD}, and sent {{authorization}}")),
        ("half-quoted", 1, "\\\" and \\".to_owned()),
    ] {
        let right = Answer::Bytes(BLOB.into());
        let what = format!("An answer has Warnings: {}.", name.replace('-', " "));
        let script = Script::new(19, format!("warnings-{name}"), what, fetch_blob())
            .play([guard(), warned(get_blob().body(BLOB), count, &text)]);
        scripts.push(if count > 1000 || name == "of-escapes" {
            script.answers(right).fails(&[Unavailable, Malformed])
        } else {
            script.answers(right)
        });
    }
    scripts
}

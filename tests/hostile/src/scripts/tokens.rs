//! Point 12: token servers. What they send is read with care, and where they send us on to is not trusted with a password.

use super::challenges::{CHALLENGE, bearer, challenged, token};
use super::things::{BLOB, BUSY, MANIFEST, PASSWORD, TOKEN, bytes, root, serve};
use crate::scene::{Scene, on};
use crate::script::Class::{Forbidden, Malformed, RateLimited, Refused, Unauthorized, Unavailable};
use crate::script::{Answer, Ask, Class, Script};

pub(super) fn scripts() -> Vec<Script> {
    [bodies(), statuses(), redirects(), pushes()].concat()
}

fn get() -> Scene {
    on("GET", "/token")
}

/// A registry whose token server, itself, plays this.
fn script(name: &str, what: &str, scenes: impl IntoIterator<Item = Scene>) -> Script {
    let opened = serve("HEAD", "1", MANIFEST).when("authorization", bearer(1));
    Script::new(12, name, what, Ask::ResolveTag("1")).play([opened, challenged(CHALLENGE)]).play(scenes)
}

fn bodies() -> Vec<Script> {
    let mut scripts = Vec::new();
    let one = format!("{TOKEN}-1");
    for (name, body) in [
        ("token", format!(r#"{{"token":"{one}"}}"#)),
        ("access-token", format!(r#"{{"access_token":"{one}"}}"#)),
        ("empty-token-and-access-token", format!(r#"{{"token":"","access_token":"{one}"}}"#)),
        ("expires-in-0", format!(r#"{{"token":"{one}","expires_in":0}}"#)),
        ("expires-in-minus-5", format!(r#"{{"token":"{one}","expires_in":-5}}"#)),
        ("expires-in-2-to-the-63", format!(r#"{{"token":"{one}","expires_in":9223372036854775808}}"#)),
        ("expires-in-2-to-the-64", format!(r#"{{"token":"{one}","expires_in":18446744073709551616}}"#)),
        ("expires-in-half-a-second", format!(r#"{{"token":"{one}","expires_in":0.5}}"#)),
        ("expires-in-text", format!(r#"{{"token":"{one}","expires_in":"300"}}"#)),
        ("expires-in-null", format!(r#"{{"token":"{one}","expires_in":null}}"#)),
        ("issued-in-the-past", format!(r#"{{"token":"{one}","expires_in":300,"issued_at":"1970-01-01T00:00:00Z"}}"#)),
        ("issued-never", format!(r#"{{"token":"{one}","issued_at":"never"}}"#)),
        ("unknown-fields", format!(r#"{{"token":"{one}","refresh_token":"{TOKEN}-2","x":[{{}}]}}"#)),
    ] {
        let what = format!("A token server's answer is unusual and right: {}.", name.replace('-', " "));
        scripts.push(script(&format!("token-with-{name}"), &what, [get().body(body)]).answers(root()).requests(3));
    }
    for (name, body) in [
        ("empty", String::new()),
        ("html", "<html>log in</html>".to_owned()),
        ("bare-token", one.clone()),
        ("array", format!(r#"["{one}"]"#)),
        ("null", "null".to_owned()),
        ("no-token", "{}".to_owned()),
        ("token-null", r#"{"token":null}"#.to_owned()),
        ("token-empty", r#"{"token":""}"#.to_owned()),
        ("token-a-number", r#"{"token":7}"#.to_owned()),
        ("token-twice", format!(r#"{{"token":"{one}","token":"{TOKEN}-2"}}"#)),
        ("newline-in-the-token", format!(r#"{{"token":"{one}\nX-Injected: 1"}}"#)),
        ("carriage-return-in-the-token", format!(r#"{{"token":"{one}\r\n\r\nGET / HTTP/1.1"}}"#)),
        ("space-in-the-token", format!(r#"{{"token":"{one} and more"}}"#)),
        ("nul-in-the-token", format!(r#"{{"token":"{one}\u0000"}}"#)),
        ("escape-in-the-token", format!(r#"{{"token":"{one}\u001b[2J"}}"#)),
        ("umlaut-in-the-token", format!(r#"{{"token":"{one}ä"}}"#)),
        ("expires-in-1e400", format!(r#"{{"token":"{one}","expires_in":1e400}}"#)),
        ("nested-100000-deep", format!(r#"{{"token":"{one}","x":{}"#, "[".repeat(50_000))),
        ("cut-json", format!(r#"{{"token":"{one}""#)),
        ("password-echoed", format!("{PASSWORD} is no token, and {{authorization}} neither")),
        ("password-echoed-as-json", format!(r#"{{"details":"{PASSWORD}","token":"{PASSWORD} x"}}"#)),
    ] {
        let what = format!("A token server's answer is no token: {}.", name.replace('-', " "));
        scripts.push(
            script(&format!("no-token-{name}"), &what, [get().body(body)])
                .fails(&[Malformed, Unauthorized])
                .for_good()
                .requests(3),
        );
    }
    let large = |size: usize| format!(r#"{{"token":"{}"}}"#, "x".repeat(size));
    for (name, what, scene, classes) in [
        ("of-10-mib", "A token has 10 MiB.", get().body(large(10 << 20)), &[Malformed][..]),
        ("of-10-mib-in-chunks", "A token has 10 MiB, in chunks.", get().body(large(10 << 20)).chunked(), &[Malformed]),
        ("without-end", "A token has no end.", get().body(vec![b' '; 1 << 16]).endless(), &[Malformed]),
        (
            "of-a-terabyte",
            "A token has a terabyte, says its Content-Length.",
            get().body("{}").claim(1 << 40),
            &[Malformed],
        ),
        ("cut", "A token breaks off, always.", get().body(format!(r#"{{"token":"{one}"}}"#)).cut(9), &[Unavailable]),
        ("cut-in-its-head", "A token's head breaks off, always.", get().cut_head(20), &[Unavailable]),
    ] {
        let script = script(&format!("token-{name}"), what, [scene]);
        scripts.push(script.fails(classes).requests(10));
    }
    scripts
}

fn statuses() -> Vec<Script> {
    let mut scripts = Vec::new();
    let told = |status: u16| get().status(status).body(format!("{PASSWORD} is refused, and {{authorization}}"));
    for (status, classes) in [
        (204, &[Malformed][..]),
        (400, &[Refused, Malformed]),
        (401, &[Unauthorized]),
        (403, &[Forbidden]),
        // It is the token server that is not there: nobody may take it for an image that is not.
        (404, &[Malformed, Refused, Unauthorized]),
        (405, &[Refused, Malformed]),
        (418, &[Refused]),
    ] {
        let script = script(
            &format!("token-server-answers-{status}"),
            &format!("A token server answers {status}, and echoes the password."),
            [told(status)],
        );
        scripts.push(script.fails(classes).status(status).for_good().requests(3));
    }
    for (status, class) in BUSY {
        let shown = format!("A token server answers {status}");
        scripts.extend([
            script(
                &format!("token-server-answers-{status}"),
                &format!("{shown} for ever. That is no reason to go on without."),
                [told(status)],
            )
            .fails(&[class])
            .status(status)
            .retryable()
            .requests(12),
            script(
                &format!("token-server-answers-{status}-once"),
                &format!("{shown} once."),
                [told(status).once(), token(1)],
            )
            .answers(root()),
        ]);
    }
    for (name, header) in [
        ("0", "0"),
        ("negative", "-1"),
        ("10-to-the-11", "100000000000"),
        ("past", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("rubbish", "soon"),
    ] {
        let what = format!("A token server is asked too often; its Retry-After is {}.", name.replace('-', " "));
        let scenes = [told(429).header("Retry-After", header).once(), token(1)];
        scripts.push(script(&format!("token-server-retry-after-{name}"), &what, scenes).answers(root()));
    }
    for (name, what, scene) in [
        ("hangs", "A token server never answers.", get().hang()),
        ("stops", "A token server stops after a byte.", token(1).drip(std::time::Duration::from_secs(20))),
        (
            "drips",
            "A token server sends a byte at a time, each in time.",
            token(1).drip(std::time::Duration::from_millis(10)),
        ),
        ("hangs-up", "A token server closes the connection.", get().cut_head(0)),
    ] {
        let script = script(&format!("token-server-{name}"), what, [scene]);
        scripts.push(script.fails(&[Unavailable, Malformed]).hangs().requests(12));
    }
    scripts
}

fn redirects() -> Vec<Script> {
    let sends = |status: u16, location: &str| get().status(status).header("Location", location);
    let mut scripts = Vec::new();
    for (name, location) in [
        ("metadata", "http://169.254.169.254/"),
        ("other-port", "http://{elsewhere}/token"),
        ("private", "http://10.0.0.1/token"),
        ("file", "file:///etc/passwd"),
        ("userinfo", "http://ada:x@{host}/other"),
        ("unspecified", "http://0.0.0.0:{elsewhere-port}/token"),
        ("itself", "/token"),
        ("nowhere", ""),
        ("rubbish", "http://["),
    ] {
        let what = format!("A token server sends us on to where nobody may be sent: {}.", name.replace('-', " "));
        let script =
            script(&format!("token-server-redirects-to-{name}"), &what, [sends(307, location)]).bait([token(1)]);
        scripts.push(script.fails(&[Malformed]).for_good().requests(10));
    }
    for status in [301, 302, 303, 307, 308] {
        let what = format!("A token server sends us to another with a {status}, which gets no password.");
        let location = "http://localhost:{elsewhere-port}/token";
        let script = script(&format!("token-server-redirects-by-{status}"), &what, [sends(status, location)]);
        scripts.push(script.elsewhere([token(1)]).answers(root()).fails(&[Malformed, Unauthorized]));
    }
    let what = "A token server sends us elsewhere, and from there back: nothing is shown again.";
    let back = on("GET", "/token").status(307).header("Location", "http://{registry}/back");
    let shown = on("GET", "/back").status(400);
    let script = script(
        "token-server-redirects-there-and-back",
        what,
        [
            sends(307, "http://localhost:{elsewhere-port}/token"),
            Scene { path: "/back".to_owned(), ..token(1) }.without("authorization"),
            shown,
        ],
    );
    scripts.push(script.elsewhere([back]).answers(root()).fails(&[Malformed, Unauthorized]));
    scripts
}

/// A push asks for more, and is not content with less.
fn pushes() -> Vec<Script> {
    let push = |name: &str, what: &str, scenes: Vec<Scene>| {
        Script::new(12, name, what, Ask::PushBlob(bytes(BLOB)))
            .play([
                on("HEAD", "/v2/*").when("authorization", bearer(1)).status(404),
                on("POST", "/v2/app/blobs/uploads/")
                    .when("authorization", bearer(1))
                    .status(202)
                    .header("Location", "/v2/up"),
                on("PUT", "/v2/up").when("authorization", bearer(1)).status(201),
                challenged(CHALLENGE),
            ])
            .play(scenes)
    };
    vec![
        push("token-of-a-push", "A push asks for a token, once.", vec![token(1)]).answers(Answer::Stored).requests(6),
        push("token-of-a-push-hangs", "A push asks for a token that never comes.", vec![get().hang()])
            .fails(&[Unavailable])
            .hangs(),
        push("token-of-a-push-is-refused", "A push may not have a token.", vec![get().status(403)])
            .fails(&[Class::Forbidden]),
        push("token-of-a-push-is-busy", "A push is told to wait for a token, for ever.", vec![get().status(429)])
            .fails(&[RateLimited])
            .never("PUT /v2/up"),
    ]
}

//! Point 11: registries that ask who we are, again and again, or to have it told to somebody else.

use super::things::{BLOB, MANIFEST, TOKEN, bytes, root, serve, stream_blob};
use crate::scene::{Scene, on};
use crate::script::Class::{Malformed, Unauthorized, Unavailable};
use crate::script::{Answer, Ask, Class, Script};

/// A challenge whose token server is the registry itself.
pub(super) const CHALLENGE: &str =
    r#"Bearer realm="http://{host}/token",service="registry",scope="repository:app:pull""#;

pub(super) fn scripts() -> Vec<Script> {
    [for_ever(), tokens(), realms(), headers()].concat()
}

/// A registry that asks who we are.
pub(super) fn challenged(challenge: &str) -> Scene {
    on("*", "/v2/*").status(401).header("WWW-Authenticate", challenge)
}

/// The token that has this number, in the header that shows it.
pub(super) fn bearer(number: usize) -> String {
    format!("Bearer {TOKEN}-{number}")
}

/// A token server that hands out the token of this number.
pub(super) fn token(number: usize) -> Scene {
    on("*", "/token").body(format!(r#"{{"token":"{TOKEN}-{number}","expires_in":300}}"#))
}

/// Whoever we are, the answer is the same.
fn for_ever() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (name, challenge) in [
        ("basic", "Basic realm=\"registry\""),
        ("bearer", CHALLENGE),
        ("both", "Basic realm=\"registry\", Bearer realm=\"http://{host}/token\",service=\"x\""),
        ("nothing", ""),
        ("negotiate", "Negotiate"),
        ("digest", "Digest realm=\"x\", nonce=\"y\""),
        ("a-new-realm-each-time", "Bearer realm=\"http://{host}/token?{query}x\",service=\"x\""),
    ] {
        for (asked, ask) in [
            ("resolve", Ask::ResolveTag("1")),
            ("stream", stream_blob()),
            ("tags", Ask::Tags),
            ("push", Ask::PushBlob(bytes(BLOB))),
        ] {
            let what = format!("A registry answers 401 for ever, whatever it is shown ({}).", name.replace('-', " "));
            let script = Script::new(11, format!("401-for-ever-{name}-{asked}"), what, ask);
            scripts.push(
                script
                    .play([challenged(challenge), token(1)])
                    .fails(&[Unauthorized])
                    .status(401)
                    .for_good()
                    .requests(10),
            );
        }
    }
    let what = "A registry answers 401 for ever, each time with another token server of its own.";
    let script = Script::new(11, "401-for-ever-another-scope-each-time", what, Ask::ResolveTag("1"));
    let scopes = (0..50).map(|number| challenged(&CHALLENGE.replace("pull", &format!("pull,x{number}"))).once());
    let tokens = (0..50).map(|number| token(number).once());
    scripts.push(script.play(scopes).play(tokens).fails(&[Unauthorized, Class::NotFound]).requests(12));
    let what = "A store behind the registry asks for the password that the registry was not asked for.";
    let script = Script::new(11, "401-on-get-and-not-on-head", what, Ask::ResolveTag("1"));
    let head = on("HEAD", "*").status(405);
    scripts.push(script.play([head, challenged("Basic realm=\"x\"")]).fails(&[Unauthorized]).requests(4));
    scripts
}

/// Tokens that are not taken at once.
fn tokens() -> Vec<Script> {
    let script = |name: &str, what: &str| Script::new(11, name, what, Ask::ResolveTag("1"));
    let opened = |number| serve("HEAD", "1", MANIFEST).when("authorization", bearer(number));
    let wider = CHALLENGE.replace("app:pull", "app:pull,push");
    let foreign = CHALLENGE.replace("app:pull", "secret:pull");
    let too_little = format!("{CHALLENGE},error=\"insufficient_scope\"");
    vec![
        script("token-at-once", "A token is asked for and taken.")
            .play([opened(1), challenged(CHALLENGE), token(1)])
            .answers(root())
            .requests(3),
        script("401-after-a-token", "The first token is refused, the second taken.")
            .play([opened(2), challenged(CHALLENGE), token(1).once(), token(2)])
            .answers(root())
            .fails(&[Unauthorized]),
        script("scope-that-grows", "With a token, a wider scope is asked for.")
            .play([
                opened(2),
                challenged(&wider).when("authorization", bearer(1)),
                challenged(CHALLENGE),
                token(1).once(),
                token(2),
            ])
            .answers(root()),
        script("scope-that-turns-to-another-repository", "With a token, one for another repository is asked for.")
            .play([challenged(&foreign).when("authorization", bearer(1)), challenged(CHALLENGE), token(1)])
            .fails(&[Unauthorized])
            .requests(10),
        script("403-for-too-little", "A token opens too little, which a 403 says (RFC 6750).")
            .play([
                opened(2),
                on("*", "/v2/*").when("authorization", bearer(1)).status(403).header("WWW-Authenticate", &too_little),
                challenged(CHALLENGE),
                token(1).once(),
                token(2),
            ])
            .answers(root())
            .fails(&[Class::Forbidden]),
        script("basic-then-bearer", "A registry takes no password, and then asks for a token.")
            .play([
                opened(1),
                challenged("Basic realm=\"x\"").without("authorization"),
                challenged(CHALLENGE),
                token(1),
            ])
            .answers(root())
            .fails(&[Unauthorized]),
        Script::new(
            11,
            "token-in-the-middle-of-a-push",
            "The token lasts for the beginning of an upload and not for its end.",
            Ask::PushBlob(bytes(BLOB)),
        )
        .play([
            on("HEAD", "/v2/*").status(404),
            on("POST", "/v2/app/blobs/uploads/")
                .when("authorization", bearer(1))
                .status(202)
                .header("Location", "/v2/up"),
            on("PUT", "/v2/up").when("authorization", bearer(2)).status(201),
            challenged(CHALLENGE),
            token(1).once(),
            token(2),
        ])
        .answers(Answer::Stored),
    ]
}

/// Token servers that a registry names, and that must not be asked.
fn realms() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (name, realm) in [
        ("missing", None),
        ("empty", Some("")),
        ("path", Some("/token")),
        ("rubbish", Some("::::")),
        ("file", Some("file:///etc/passwd")),
        ("ftp", Some("ftp://{elsewhere}/token")),
        ("userinfo", Some("http://ada:x@{host}/token")),
        ("other-port", Some("http://{elsewhere}/token")),
        ("other-port-in-ipv6", Some("http://[::ffff:127.0.0.1]:{elsewhere-port}/token")),
        ("other-port-as-a-number", Some("http://2130706433:{elsewhere-port}/token")),
        ("other-port-in-hex", Some("http://0x7f.1:{elsewhere-port}/token")),
        ("other-port-in-octal", Some("http://0177.0.0.1:{elsewhere-port}/token")),
        ("private", Some("https://10.0.0.1/token")),
        ("private-192", Some("https://192.168.0.1/token")),
        ("shared", Some("https://100.64.0.1/token")),
        ("unique-local", Some("https://[fc00::1]/token")),
        ("metadata", Some("http://169.254.169.254/latest/meta-data")),
        ("link-local", Some("https://[fe80::1]/token")),
        ("unspecified", Some("http://0.0.0.0:{elsewhere-port}/token")),
    ] {
        let challenge = match realm {
            Some(realm) => format!("Bearer realm=\"{realm}\",service=\"registry\""),
            None => "Bearer service=\"registry\"".to_owned(),
        };
        for (asked, ask) in [("resolve", Ask::ResolveTag("1")), ("push", Ask::PushBlob(bytes(BLOB)))] {
            // The rules are one place's; a push shows that it asks there.
            if asked == "push" && !matches!(name, "missing" | "other-port" | "metadata" | "userinfo") {
                continue;
            }
            let what = format!("A challenge's realm is {}.", name.replace('-', " "));
            let script = Script::new(11, format!("realm-{name}-{asked}"), what, ask);
            let script = script.play([challenged(&challenge), token(1)]).bait([token(1)]);
            scripts.push(script.fails(&[Malformed, Unauthorized]).status(401).for_good().requests(1));
        }
    }
    let what = "A registry on this machine has a token server with a name, as registries in a network of their own do.";
    let named = CHALLENGE.replace("{host}", "localhost:{elsewhere-port}");
    let script = Script::new(11, "realm-with-a-name", what, Ask::ResolveTag("1"));
    let opened = serve("HEAD", "1", MANIFEST).when("authorization", bearer(1));
    scripts.push(script.play([opened, challenged(&named)]).token_server([token(1)]).answers(root()));
    scripts
}

/// Headers that are hard to read, or none at all.
fn headers() -> Vec<Script> {
    let mut scripts = Vec::new();
    let digests = ["Digest realm=\"x\""; 9].join(", ");
    let (long_realm, long_scope) = ("a".repeat(64 << 10), format!("repository:{}:pull", "a".repeat(16 << 10)));
    let parameters: String = (0..500).map(|number| format!(",x{number}=y")).collect();
    for (name, challenge) in [
        ("half-a-quote", "Bearer realm=\"http://{host}/token".to_owned()),
        ("quotes-alone", "\"\"\"".to_owned()),
        ("commas-alone", ",,,,,,".to_owned()),
        ("equals-alone", "=,=,=".to_owned()),
        ("scheme-alone", "Bearer".to_owned()),
        ("escape-at-the-end", "Bearer realm=\"http://{host}/token\\".to_owned()),
        ("of-64-kib", format!("Bearer realm=\"http://{{host}}/{long_realm}\"")),
        ("of-10-schemes-without-ours", format!("{digests}, Negotiate")),
        ("of-control-characters", "Bearer realm=\"\u{1b}[2J\"".to_owned()),
        (
            "realm-twice-the-second-elsewhere",
            "Bearer realm=\"ftp://{host}/\",realm=\"http://{elsewhere}/token\"".to_owned(),
        ),
    ] {
        let what = format!("A challenge is none, or hard to read: {}.", name.replace('-', " "));
        let script = Script::new(11, format!("challenge-{name}"), what, Ask::ResolveTag("1"));
        let script = script.play([challenged(&challenge), token(1)]).bait([token(1)]);
        scripts.push(script.fails(&[Malformed, Unauthorized, Unavailable]).requests(10));
    }
    let opened = || serve("HEAD", "1", MANIFEST).when("authorization", bearer(1));
    for (name, challenge) in [
        ("tenth-of-ten", format!("{digests}, {CHALLENGE}")),
        ("of-odd-case", CHALLENGE.replace("Bearer realm", "BEARER Realm")),
        ("with-spaces", CHALLENGE.replace(',', " , ")),
        ("with-500-parameters", format!("{CHALLENGE}{parameters}")),
        ("with-a-long-scope", CHALLENGE.replace("repository:app:pull", &long_scope)),
        ("without-a-scope", r#"Bearer realm="http://{host}/token",service="registry""#.to_owned()),
        ("without-a-service", r#"Bearer realm="http://{host}/token""#.to_owned()),
        ("realm-with-a-query", CHALLENGE.replace("/token", "/token?x=y&scope=z")),
        ("realm-with-a-fragment", CHALLENGE.replace("/token", "/token#fragment")),
        ("service-with-a-line-break", CHALLENGE.replace("\"registry\"", "\"a&b=c %0d%0a\"")),
    ] {
        let what = format!("A challenge is unusual and right: {}.", name.replace('-', " "));
        let script = Script::new(11, format!("challenge-{name}"), what, Ask::ResolveTag("1"));
        let script = script.play([opened(), challenged(&challenge), token(1)]).answers(root()).requests(5);
        // What is longer than any challenge need not be read.
        scripts.push(if name.contains("long") { script.fails(&[Unauthorized, Malformed]) } else { script });
    }
    let what = "There are ten WWW-Authenticate headers, and ours is the last.";
    let many =
        (0..9).fold(on("*", "/v2/*").status(401), |scene, _| scene.header("WWW-Authenticate", "Digest realm=\"x\""));
    let script = Script::new(11, "challenge-in-ten-headers", what, Ask::ResolveTag("1"));
    scripts.push(script.play([opened(), many.header("WWW-Authenticate", CHALLENGE), token(1)]).answers(root()));
    scripts
}

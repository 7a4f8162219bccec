//! Registries that want to know who asks, and token servers: honest ones, and those after our credentials.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan::source::registry::Builder;
use portolan::{Code, Limits};
use tempfile::TempDir;

use super::*;

/// A challenge whose token server is the registry itself.
const CHALLENGE: &str = r#"Bearer realm="http://{host}/token",service="test",scope="repository:app:pull""#;
const PASSWORD: &str = "hunter2-hunter2";

/// A folder of docker's, with one entry for any registry on 127.0.0.1 that is at `host`.
fn docker(host: &str, entry: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), format!(r#"{{"auths":{{"{host}":{entry}}}}}"#)).unwrap();
    folder
}

fn password() -> String {
    format!(r#"{{"username":"ada","password":"{PASSWORD}"}}"#)
}

fn client_with(folder: &TempDir) -> Builder {
    client().docker_config(Some(folder.path().to_owned()))
}

fn challenged(challenge: &str) -> Scene {
    on("HEAD", "/v2/app/*").status(401).header("WWW-Authenticate", challenge)
}

/// A registry that lets in who shows `authorization`.
fn guarded(authorization: &str, challenge: &str) -> Vec<Scene> {
    vec![serve("HEAD", "1", MANIFEST).when("authorization", authorization), challenged(challenge)]
}

fn token(token: &str) -> Scene {
    on("*", "/token").body(format!(r#"{{"token":"{token}","expires_in":300}}"#))
}

#[tokio::test]
async fn anybody_gets_a_token_and_it_is_used_again() {
    let mut script = guarded("Bearer t1", CHALLENGE);
    script.push(token("t1"));
    let (registry, app) = app(script);
    for _ in 0..2 {
        assert_eq!(resolve_tag(&app, "1").await.unwrap(), manifest(MANIFEST));
    }
    let head = "HEAD /v2/app/manifests/1";
    assert_eq!(registry.asked(), [head, "GET /token", head, head]);
    assert_eq!(registry.connections(), 1, "what is refused is read to its end, so that the connection can go on");
    let asked = &registry.requests()[1];
    assert_eq!(asked.query, "service=test&scope=repository%3Aapp%3Apull");
    assert_eq!(asked.header("authorization"), None);
}

#[tokio::test]
async fn many_questions_at_once_ask_for_one_token() {
    let delay = Duration::from_millis(50);
    let registry = Hostile::play(vec![
        serve("HEAD", "*", MANIFEST).when("authorization", "Bearer t1"),
        challenged(CHALLENGE),
        token("t1").delay(delay),
    ]);
    let app = repository(client(), &registry.host(), "app");
    let tags: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    let found = futures_util::future::join_all(tags.iter().map(|tag| resolve_tag(&app, tag))).await;
    assert!(found.iter().all(Result::is_ok));
    assert_eq!(registry.asked().iter().filter(|asked| *asked == "GET /token").count(), 1);
}

#[tokio::test]
async fn what_each_kind_of_credential_shows_to_whom() {
    let basic = format!("Basic {}", STANDARD.encode(format!("ada:{PASSWORD}")));
    let refreshed =
        "grant_type=refresh_token&client_id=portolan&service=test&scope=repository%3Aapp%3Apull&refresh_token=";
    for (entry, challenge, shown, asked_with) in [
        (password(), "Basic realm=\"test\"", basic.as_str(), None),
        (password(), CHALLENGE, "Bearer t1", Some(("GET", basic.clone()))),
        (password(), &format!("Basic realm=\"test\", {CHALLENGE}"), "Bearer t1", Some(("GET", basic.clone()))),
        (
            r#"{"identitytoken":"long-lived"}"#.to_owned(),
            CHALLENGE,
            "Bearer t1",
            Some(("POST", format!("{refreshed}long-lived"))),
        ),
        (r#"{"registrytoken":"as-it-is"}"#.to_owned(), CHALLENGE, "Bearer as-it-is", None),
    ] {
        let mut script = guarded(shown, challenge);
        script.push(token("t1"));
        let registry = Hostile::play(script);
        let folder = docker(&registry.host(), &entry);
        let app = repository(client_with(&folder), &registry.host(), "app");
        assert_eq!(resolve_tag(&app, "1").await.unwrap(), manifest(MANIFEST), "{entry} {challenge}");
        let requests = registry.requests();
        let asked = requests.iter().find(|request| request.path == "/token");
        let asked = asked.map(|request| match request.method.as_str() {
            "POST" => ("POST", request.body.clone()),
            _ => ("GET", request.header("authorization").unwrap_or_default().to_owned()),
        });
        assert_eq!(asked, asked_with, "{entry} {challenge}");
        assert_eq!(requests.last().unwrap().header("authorization"), Some(shown));
        assert_eq!(requests[0].header("authorization"), None, "nothing is shown before it is asked for");
    }
}

#[tokio::test]
async fn token_servers_without_oauth_are_asked_with_get() {
    for status in [404, 405] {
        let mut script = guarded("Bearer t1", CHALLENGE);
        script.extend([on("POST", "/token").status(status), token("t1")]);
        let registry = Hostile::play(script);
        let folder = docker(&registry.host(), r#"{"identitytoken":"long-lived"}"#);
        let app = repository(client_with(&folder), &registry.host(), "app");
        assert_eq!(resolve_tag(&app, "1").await.unwrap(), manifest(MANIFEST), "{status}");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once_more() {
    // The registry forgets the first token after one use.
    let registry = Hostile::play(vec![
        serve("HEAD", "1", MANIFEST).when("authorization", "Bearer t1").once(),
        serve("HEAD", "1", MANIFEST).when("authorization", "Bearer t2"),
        challenged(CHALLENGE),
        token("t1").once(),
        token("t2"),
    ]);
    let app = repository(client(), &registry.host(), "app");
    for _ in 0..2 {
        assert_eq!(resolve_tag(&app, "1").await.unwrap(), manifest(MANIFEST));
    }
}

#[tokio::test]
async fn a_scope_may_grow_and_401_for_ever_ends() {
    let wider = CHALLENGE.replace("app:pull", "app:pull,push");
    let mut script = guarded("Bearer wide", CHALLENGE);
    script.insert(1, challenged(&wider).when("authorization", "Bearer narrow"));
    script.extend([token("narrow").once(), token("wide")]);
    let (registry, grows) = app(script);
    assert_eq!(resolve_tag(&grows, "1").await.unwrap(), manifest(MANIFEST));
    assert!(registry.requests()[3].query.ends_with("pull%2Cpush"));

    for challenge in [CHALLENGE, "Basic realm=x", "Bearer", "Negotiate", ""] {
        let registry = Hostile::play(vec![challenged(challenge), token("t1")]);
        let folder = docker(&registry.host(), &password());
        let app = repository(client_with(&folder), &registry.host(), "app");
        let error = resolve_tag(&app, "1").await.unwrap_err();
        assert!(matches!(error.code(), Code::Unauthorized | Code::Malformed), "{challenge}: {error}");
        assert!(registry.requests().len() < 10, "{challenge}: {:?}", registry.asked());
    }
}

#[tokio::test]
async fn realms_that_are_after_something() {
    const USER: &str = "a URL that a registry sends carries no user and password";
    const PRIVATE: &str = "a bearer realm is not at a private address";
    const HTTPS: &str = "a bearer realm is an https URL";
    const NEVER: &str = "link-local, metadata, multicast and unspecified addresses are never asked";
    let other = Hostile::play(vec![]);
    for (realm, rule) in [
        (format!("http://{}/token", other.host()), PRIVATE),
        (format!("http://[::ffff:127.0.0.1]:{}/token", other.port()), PRIVATE),
        (format!("http://2130706433:{}/token", other.port()), PRIVATE),
        ("https://10.0.0.1/token".to_owned(), PRIVATE),
        ("http://169.254.169.254/latest/meta-data".to_owned(), NEVER),
        ("https://[fe80::1]/token".to_owned(), NEVER),
        ("http://0.0.0.0/token".to_owned(), NEVER),
        ("file:///etc/passwd".to_owned(), HTTPS),
        ("/token".to_owned(), HTTPS),
        (String::new(), HTTPS),
        ("http://user:pw@{host}/token".to_owned(), USER),
    ] {
        let registry = Hostile::play(vec![challenged(&format!("Bearer realm=\"{realm}\",service=\"test\""))]);
        let folder = docker(&registry.host(), &password());
        let app = repository(client_with(&folder), &registry.host(), "app");
        assert_says(resolve_tag(&app, "1").await, &["malformed: ", rule]);
        assert_eq!(registry.requests().len(), 1, "{realm}");
    }
    let none = Hostile::play(vec![challenged("Bearer service=\"test\"")]);
    assert_says(resolve_tag(&repository(client(), &none.host(), "app"), "1").await, &["malformed: ", HTTPS]);
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_token_server_with_a_name_is_asked_where_the_registry_is_local_too() {
    let tokens = Hostile::play(vec![token("t1")]);
    let challenge = CHALLENGE.replace("{host}", &format!("localhost:{}", tokens.port()));
    let (_registry, app) = app(guarded("Bearer t1", &challenge));
    assert_eq!(resolve_tag(&app, "1").await.unwrap(), manifest(MANIFEST));
}

#[tokio::test]
async fn what_token_servers_say() {
    let get = || on("GET", "/token");
    for (scene, says) in [
        (get().body(vec![b' '; 10 << 20]), &["malformed: ", "larger than any token"][..]),
        (get().body(vec![b' '; 1 << 10]).endless(), &["malformed: ", "larger than any token"]),
        (get().body("<html>"), &["malformed: ", "no token"]),
        (get(), &["malformed: ", "no token"]),
        (get().body("{}"), &["malformed: ", "no token"]),
        (get().body("{\"token\":\"a\\r\\nX-Evil: 1\"}"), &["malformed: ", "characters that no token has"]),
        (get().status(204), &["malformed: ", "answered 204: no token"]),
        (get().status(400), &["other: ", "answered 400: no token"]),
        (get().status(401), &["unauthorized: ", "answered 401: no token"]),
        (get().status(403), &["forbidden: ", "answered 403: no token"]),
        (get().status(404), &["malformed: ", "answered 404: no token"]),
        (get().status(429), &["rate-limited: ", "answered 429: no token"]),
        (get().status(500), &["unavailable: ", "answered 500: no token"]),
        (get().body("{\"token\":\"t1\"}").cut(3), &["unavailable: "]),
        (get().status(302).header("Location", "http://169.254.169.254/"), &["malformed: ", "never asked"]),
        (get().status(302).header("Location", "http://127.0.0.1:1/"), &["malformed: ", "at a private address"]),
        (get().status(302).header("Location", "/token"), &["malformed: ", "redirects without end"]),
        (get().status(302), &["malformed: ", "no Location"]),
    ] {
        let mut script = guarded("Bearer t1", CHALLENGE);
        script.push(scene);
        let (registry, app) = app(script);
        assert_says(resolve_tag(&app, "1").await, says);
        assert!(registry.requests().len() < 10, "{:?}", registry.asked());
    }
    for patient in
        [get().status(500).once(), get().status(429).header("Retry-After", "0").once(), get().cut_head(9).once()]
    {
        let mut script = guarded("Bearer t1", CHALLENGE);
        script.extend([patient, token("t1")]);
        let (_registry, app) = app(script);
        assert_eq!(resolve_tag(&app, "1").await.unwrap(), manifest(MANIFEST));
    }
}

#[tokio::test]
async fn a_token_server_that_sends_us_on_gets_no_password_there() {
    let second = Hostile::play(vec![token("t1")]);
    let location = format!("http://localhost:{}/token", second.port());
    let mut script = guarded("Bearer t1", CHALLENGE);
    script.push(on("GET", "/token").status(307).header("Location", location));
    let registry = Hostile::play(script);
    let folder = docker(&registry.host(), &password());
    let app = repository(client_with(&folder), &registry.host(), "app");
    assert_eq!(resolve_tag(&app, "1").await.unwrap(), manifest(MANIFEST));
    assert_eq!(second.requests()[0].header("authorization"), None);
    // A refresh token, which is in the body, goes nowhere else at all.
    let registry = Hostile::play(vec![
        challenged(CHALLENGE),
        on("POST", "/token").status(307).header("Location", format!("http://localhost:{}/token", second.port())),
    ]);
    let folder = docker(&registry.host(), r#"{"identitytoken":"long-lived"}"#);
    let app = repository(client_with(&folder), &registry.host(), "app");
    assert_says(resolve_tag(&app, "1").await, &["malformed: ", "307"]);
    assert_eq!(second.requests().len(), 1);
}

#[tokio::test]
async fn nothing_secret_is_in_an_error() {
    let encoded = STANDARD.encode(format!("ada:{PASSWORD}"));
    let echo = format!("you are ada:{PASSWORD} and sent Basic {encoded}");
    for (challenge, token_server) in [
        ("Basic realm=x", token("t0ken-t0ken")),
        (CHALLENGE, token("t0ken-t0ken")),
        (CHALLENGE, on("*", "/token").status(403).body(echo.clone())),
        (CHALLENGE, on("*", "/token").status(500).body(echo.clone())),
        (CHALLENGE, on("*", "/token").body(format!("{{\"token\":\"{PASSWORD}\n\"}}"))),
    ] {
        let registry = Hostile::play(vec![
            on("HEAD", "*").without("authorization").status(401).header("WWW-Authenticate", challenge),
            on("HEAD", "*").status(405),
            on("GET", "/v2/*")
                .when("authorization", "Bearer t0ken-t0ken")
                .status(400)
                .body("you sent Bearer t0ken-t0ken"),
            on("GET", "/v2/*").status(400).body(echo.clone()),
            token_server,
        ]);
        let folder = docker(&registry.host(), &password());
        let app = repository(client_with(&folder), &registry.host(), "app");
        let error = resolve_tag(&app, "1").await.unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.hint());
        for secret in [PASSWORD, "t0ken-t0ken", &encoded] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn headers_that_are_no_challenges() {
    let long = format!("Bearer realm=\"{}\"", "a".repeat(64 << 10));
    let ten = ["Digest realm=\"x\""; 10].join(", ");
    for challenge in [long.as_str(), &ten, "Bearer realm=\"http://{host}/token", "\"\"\"", "=,=,="] {
        let (_registry, app) = app(vec![challenged(challenge), token("t1")]);
        let error = resolve_tag(&app, "1").await.unwrap_err();
        assert!(matches!(error.code(), Code::Unauthorized | Code::Malformed), "{challenge:.40}: {error}");
    }
}

#[tokio::test]
async fn credentials_are_read_when_they_are_asked_for() {
    let registry = Hostile::play(vec![
        serve("HEAD", "1", MANIFEST),
        on("HEAD", "/v2/app/*").status(401).header("WWW-Authenticate", "Basic realm=x"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), "{broken").unwrap();
    let app = repository(client_with(&folder), &registry.host(), "app");
    assert_eq!(resolve_tag(&app, "1").await.unwrap(), manifest(MANIFEST), "a registry that does not ask");
    assert_says(resolve_tag(&app, "2").await, &["unauthorized: ", "config.json is no docker configuration (line 1"]);

    fs::write(folder.path().join("config.json"), r#"{"credsStore":"../../bin/sh"}"#).unwrap();
    let app = repository(client_with(&folder), &registry.host(), "app");
    assert_says(resolve_tag(&app, "2").await, &["unauthorized: ", "is no name of a credential helper"]);
}

#[tokio::test]
async fn a_token_of_one_user_is_not_another_users() {
    let ada = format!("Basic {}", STANDARD.encode(format!("ada:{PASSWORD}")));
    let registry = Hostile::play(vec![
        serve("HEAD", "1", MANIFEST).when("authorization", "Bearer for-ada"),
        on("HEAD", "*").status(401).header("WWW-Authenticate", CHALLENGE),
        token("for-ada").when("authorization", ada),
        token("for-anybody"),
    ]);
    let host = registry.host();
    let folder = docker(&format!("{host}/app"), &password());
    let client = client_with(&folder).build().unwrap();
    let source = |path: &str| client.repository(&format!("{host}/{path}").parse().unwrap());
    assert_eq!(resolve_tag(&source("app"), "1").await.unwrap(), manifest(MANIFEST));
    // The same client, the same realm and scope, but a repository that has no credentials.
    let other = source("other").resolve(Target::Tag("1"), &Limits::default()).await;
    assert_says(other, &["unauthorized: "]);
    let mut asked = registry.requests().into_iter().filter(|request| request.path == "/v2/other/manifests/1");
    assert!(asked.any(|request| request.header("authorization") == Some("Bearer for-anybody")));
}

/// A folder with the helper `docker-credential-test`, which does this.
fn helper(script: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker-credential-test");
    // Written by another process: a file that this one had open for writing cannot be executed while a test beside this
    // one forks.
    let mut write = std::process::Command::new("sh");
    write.args(["-c", "printf '#!/bin/sh\n%s\n' \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", script]).arg(path);
    assert!(write.status().unwrap().success());
    folder
}

#[tokio::test]
async fn credentials_that_cannot_be_had() {
    const BROKEN: &str = "unauthorized: cannot resolve ";
    let stored = |entry: &str| format!(r#"{{"auths":{{"HOST":{entry}}}}}"#);
    let asks_helper = r#"{"credsStore":"test"}"#.to_owned();
    for (config, script, says) in [
        ("{broken".to_owned(), "", "is no docker configuration"),
        ("[".repeat(100_000), "", "is no docker configuration"),
        (stored(r#"{"auth":"%%%"}"#), "", "its `auth` is not base64"),
        (stored(r#"{"auth":"YWRh"}"#), "", "its `auth` is not user:password"),
        (stored(r#"{"auth":["YWRh"]}"#), "", "is no docker configuration"),
        (r#"{"credsStore":"../../bin/sh"}"#.to_owned(), "", "is no name of a credential helper"),
        (r#"{"credHelpers":{"HOST":"a/b"}}"#.to_owned(), "", "is no name of a credential helper"),
        (asks_helper.clone(), "exec sleep 600", "did not answer within"),
        (asks_helper.clone(), "exec yes", "it prints more than credentials are"),
        (asks_helper.clone(), "head -c 1073741824 /dev/zero", "it prints more than credentials are"),
        (asks_helper.clone(), "echo locked; exit 1", "failed: locked"),
        (asks_helper.clone(), "echo hunter2-hunter2", "printed something that is no credentials"),
        (asks_helper, "exit 0", "printed something that is no credentials"),
    ] {
        let registry = Hostile::play(vec![challenged("Basic realm=x"), on("*", "*").status(401)]);
        let (folder, helpers) = (tempfile::tempdir().unwrap(), helper(script));
        fs::write(folder.path().join("config.json"), config.replace("HOST", &registry.host())).unwrap();
        let mut timing = Timing::default();
        timing.helper = Duration::from_secs(if script.contains("sleep") { 1 } else { 30 });
        let client = client_with(&folder).credential_helpers(helpers.path().to_owned()).timing(timing);
        let found = resolve_tag(&repository(client, &registry.host(), "app"), "1").await;
        assert!(!failure(found.clone()).contains(PASSWORD), "{found:?}");
        assert_says(found, &[BROKEN, says]);
        assert_eq!(registry.requests().len(), 1, "nobody is asked without what cannot be read: {says}");
    }
}

#[tokio::test]
async fn a_password_with_colons_and_one_that_a_header_cannot_hold() {
    let colons = "a:b::c";
    let shown = format!("Basic {}", STANDARD.encode(format!("ada:{colons}")));
    let registry = Hostile::play(guarded(&shown, "Basic realm=x"));
    let entry = format!(r#"{{"auth":"{}"}}"#, STANDARD.encode(format!("ada:{colons}")));
    let folder = docker(&registry.host(), &entry);
    let app = repository(client_with(&folder), &registry.host(), "app");
    assert_eq!(resolve_tag(&app, "1").await.unwrap(), manifest(MANIFEST));
    // As it is in a header: nothing of it can begin another one.
    let registry = Hostile::play(vec![challenged("Basic realm=x")]);
    let folder = docker(&registry.host(), r#"{"registrytoken":"a\r\nX-Injected: yes"}"#);
    let app = repository(client_with(&folder), &registry.host(), "app");
    assert_says(resolve_tag(&app, "1").await, &["unauthorized: "]);
    assert!(registry.requests().iter().all(|request| request.header("x-injected").is_none()));
}

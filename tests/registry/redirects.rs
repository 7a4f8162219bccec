//! Registries that send us somewhere else: to a store, in circles, or where only we can reach.

use std::fs;

use portolan::{Code, Limits};

use super::*;

/// A registry that sends every GET of a blob to `location`.
fn sends_to(status: u16, location: &str) -> Vec<Scene> {
    vec![on("GET", "/v2/app/blobs/*").status(status).header("Location", location)]
}

#[tokio::test]
async fn a_store_at_another_origin_gets_nothing_of_ours() {
    let wanted = blob(b"content");
    let store = Hostile::play(vec![on("GET", "/store").body("content")]);
    let folder = tempfile::tempdir().unwrap();
    for status in [301, 302, 303, 307, 308] {
        for host in [store.host(), format!("localhost:{}", store.port())] {
            let mut script =
                vec![on("GET", "*").without("authorization").status(401).header("WWW-Authenticate", "Basic realm=x")];
            script.extend(sends_to(status, &format!("http://{host}/store?signature=abc#fragment")));
            let registry = Hostile::play(script);
            let auths = format!(r#"{{"auths":{{"{}":{{"username":"ada","password":"pw"}}}}}}"#, registry.host());
            fs::write(folder.path().join("config.json"), auths).unwrap();
            let client = client().docker_config(Some(folder.path().to_owned()));
            let app = repository(client, &registry.host(), "app");
            assert_eq!(app.fetch(&wanted, &Limits::default()).await.unwrap(), "content", "{status}");
            assert!(registry.requests()[1].header("authorization").is_some());
            let asked = store.requests().pop().unwrap();
            assert_eq!(asked.query, "signature=abc");
            for header in ["authorization", "cookie", "referer"] {
                assert_eq!(asked.header(header), None, "{header}");
            }
        }
    }
}

#[tokio::test]
async fn within_the_registry_credentials_stay() {
    let wanted = blob(b"content");
    let registry = Hostile::play(vec![
        on("GET", "*").without("authorization").status(401).header("WWW-Authenticate", "Basic realm=x"),
        on("GET", "/v2/app/blobs/*").status(307).header("Location", "../../../moved"),
        on("GET", "/moved").body("content"),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let auths = format!(r#"{{"auths":{{"{}":{{"username":"ada","password":"pw"}}}}}}"#, registry.host());
    fs::write(folder.path().join("config.json"), auths).unwrap();
    let app = repository(client().docker_config(Some(folder.path().to_owned())), &registry.host(), "app");
    assert_eq!(app.fetch(&wanted, &Limits::default()).await.unwrap(), "content");
    assert_eq!(registry.asked().last().unwrap(), "GET /moved");
}

#[tokio::test]
async fn a_store_that_asks_who_we_are_is_not_told() {
    let store = Hostile::play(vec![
        on("*", "*").status(401).header("WWW-Authenticate", "Bearer realm=\"http://{host}/token\", Basic realm=x"),
    ]);
    let registry = Hostile::play(sends_to(302, &format!("http://{}/store", store.host())));
    let app = repository(client(), &registry.host(), "app");
    let error = app.fetch(&blob(b"content"), &Limits::default()).await.unwrap_err();
    assert_eq!((error.code(), error.host()), (Code::Unauthorized, Some(store.host().as_str())));
    assert_eq!(store.asked(), ["GET /store"]);
}

#[tokio::test]
async fn places_that_are_not_followed_to() {
    const WHERE: &str = "a redirect says where to";
    const SCHEME: &str = "a redirect stays with http and https";
    const USER: &str = "a URL that a registry sends carries no user and password";
    const NEVER: &str = "link-local, metadata, multicast and unspecified addresses are never asked";
    for (location, rule) in [
        ("", WHERE),
        ("http://", WHERE),
        ("http://[", WHERE),
        ("file:///etc/passwd", SCHEME),
        ("gopher://127.0.0.1/", SCHEME),
        ("http://user:pw@{host}/", USER),
        ("http://169.254.169.254/latest/meta-data", NEVER),
        ("http://[fd00:ec2::254]/latest", NEVER),
        ("http://0.0.0.0/", NEVER),
        ("http://224.0.0.1/", NEVER),
    ] {
        let (registry, app) = app(sends_to(307, location));
        let found = app.fetch(&blob(b"content"), &Limits::default()).await;
        assert_says(found, &["malformed: ", "127.0.0.1", "answered 307", rule]);
        assert_eq!(registry.requests().len(), 1, "a rule that was broken is not tried again");
    }
    let (_registry, app) = app(vec![on("GET", "*").status(307)]);
    assert_says(app.fetch(&blob(b"content"), &Limits::default()).await, &["malformed: ", "no Location", WHERE]);
}

#[tokio::test]
async fn five_redirects_and_no_more() {
    let wanted = blob(b"content");
    let chain = |hops: usize| {
        let mut script = sends_to(307, "/hop/1");
        for hop in 1..hops {
            script.push(on("GET", format!("/hop/{hop}")).status(307).header("Location", format!("/hop/{}", hop + 1)));
        }
        script.push(on("GET", format!("/hop/{hops}")).body("content"));
        script
    };
    for (hops, followed) in [(1, true), (5, true), (6, false), (11, false)] {
        let (registry, app) = app(chain(hops));
        let found = app.fetch(&wanted, &Limits::default()).await;
        assert_eq!(found.is_ok(), followed, "{hops}: {}", failure(found));
        assert_eq!(registry.requests().len(), 1 + hops.min(5), "{hops}");
    }
    let (registry, app) = app(vec![on("GET", "*").status(302).header("Location", "/again")]);
    assert_says(app.fetch(&wanted, &Limits::default()).await, &["malformed: ", "redirects without end"]);
    assert_eq!(registry.requests().len(), 6);
}

#[tokio::test]
async fn what_a_descriptor_says_of_other_places_is_not_followed() {
    let store = Hostile::play(vec![on("GET", "*").body("content")]);
    let (_registry, app) = app(vec![]);
    let wanted = Descriptor { urls: vec![format!("http://{}/layer", store.host())], ..blob(b"content") };
    assert_says(app.fetch(&wanted, &Limits::default()).await, &["not-found: "]);
    assert!(store.requests().is_empty());
}

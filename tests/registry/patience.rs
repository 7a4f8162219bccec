//! Registries that are busy, slow, or gone in the middle of a word.

use portolan::source::registry::Timing;
use portolan::{Code, Limits};
use portolan_tests::server::free_port;

use super::*;

#[tokio::test]
async fn busy_registries_are_asked_five_times() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let (registry, app) = app(vec![on("HEAD", "*").status(status).times(4), serve("HEAD", "1", MANIFEST)]);
        assert_eq!(resolve_tag(&app, "1").await.unwrap(), manifest(MANIFEST), "{status}");
        assert_eq!(registry.requests().len(), 5, "{status}");
    }
    for (status, code) in [(429, Code::RateLimited), (503, Code::Unavailable), (500, Code::Unavailable)] {
        let (registry, app) = app(vec![on("HEAD", "*").status(status)]);
        let error = resolve_tag(&app, "1").await.unwrap_err();
        assert_eq!((error.code(), error.status(), error.is_retryable()), (code, Some(status), true));
        assert_eq!(registry.requests().len(), 5, "{status}");
    }
    for status in [400, 402, 410, 418, 451] {
        let (registry, app) = app(vec![on("HEAD", "*").status(status)]);
        assert_eq!(resolve_tag(&app, "1").await.unwrap_err().code(), Code::Other);
        assert_eq!(registry.requests().len(), 1, "{status}: the answer is no");
    }
}

#[tokio::test]
async fn retry_after_is_obeyed_within_bounds() {
    for (header, told) in [
        ("0", Some(0)),
        ("7", Some(7)),
        ("100000000000", Some(u32::MAX)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
        ("-1", None),
        ("soon", None),
    ] {
        let (registry, app) = app(vec![on("HEAD", "*").status(429).header("Retry-After", header)]);
        let error = resolve_tag(&app, "1").await.unwrap_err();
        assert_eq!((error.code(), error.retry_after()), (Code::RateLimited, told), "{header}");
        assert_eq!(registry.requests().len(), 5, "{header}");
    }
}

#[tokio::test]
async fn connections_that_break_are_made_again() {
    let wanted = blob(b"content");
    let get = || on("GET", "/v2/app/blobs/*").body("content");
    for (why, broken) in [
        ("in the head", get().cut_head(12)),
        ("before the head", get().cut_head(0)),
        ("in the body", get().cut(3)),
        ("in a chunk", get().chunked().cut(3)),
    ] {
        let (registry, app_once) = app(vec![broken.clone().once(), get()]);
        assert_eq!(app_once.fetch(&wanted, &Limits::default()).await.unwrap(), "content", "{why}");
        assert!(registry.requests().len() >= 2, "{why}");
        let (registry, app_ever) = app(vec![broken]);
        let error = app_ever.fetch(&wanted, &Limits::default()).await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), (Code::Unavailable, true), "{why}: {error}");
        assert!(registry.requests().len() >= 5, "{why}");
    }
}

#[tokio::test]
async fn a_verdict_is_not_tried_again() {
    let wanted = blob(b"content");
    let (registry, app) = app(vec![on("GET", "*").body("another").once(), on("GET", "*").body("content")]);
    assert_says(app.fetch(&wanted, &Limits::default()).await, &["digest-mismatch: "]);
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn nobody_listens() {
    let nobody = repository(client(), &format!("127.0.0.1:{}", free_port()), "app");
    let error = resolve_tag(&nobody, "1").await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.to_string().contains("refused") && error.to_string().contains("127.0.0.1:"), "{error}");
    let nowhere = repository(client(), "registry.invalid:5000", "app");
    assert_says(resolve_tag(&nowhere, "1").await, &["unavailable: cannot resolve registry.invalid:5000/app:1"]);
}

#[tokio::test]
async fn slow_registries_are_given_up_on() {
    let wanted = blob(b"content");
    let hasty = |set: fn(&mut Timing)| {
        let mut timing = Timing::default();
        timing.retry_first = Duration::from_millis(1);
        timing.retry_most = Duration::from_millis(1);
        set(&mut timing);
        client().timing(timing)
    };
    let short = |timing: &mut Timing| timing.answer = Duration::from_millis(20);
    let idle = |timing: &mut Timing| timing.idle = Duration::from_millis(20);
    let all = |timing: &mut Timing| timing.document = Duration::from_millis(50);
    let get = || on("GET", "*").body("content");
    for (why, scene, timing) in [
        ("no answer", get().hang(), short as fn(&mut Timing)),
        ("no body", get().drip(Duration::from_secs(20)), idle),
        ("a byte at a time", get().drip(Duration::from_millis(10)), all),
    ] {
        let registry = Hostile::play(vec![scene]);
        let app = repository(hasty(timing), &registry.host(), "app");
        let error = app.fetch(&wanted, &Limits::default()).await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), (Code::Unavailable, true), "{why}: {error}");
        assert!(error.to_string().contains(" within "), "{why}: {error}");
    }
}

#[tokio::test]
async fn who_goes_away_leaves_no_place_taken() {
    let hang = on("HEAD", "/v2/app/manifests/hang*").hang();
    let (registry, app) = app(vec![hang, serve("HEAD", "1", MANIFEST)]);
    let tags: Vec<String> = (0..20).map(|number| format!("hang{number}")).collect();
    let all = futures_util::future::join_all(tags.iter().map(|tag| resolve_tag(&app, tag)));
    assert!(tokio::time::timeout(Duration::from_millis(200), all).await.is_err());
    assert_eq!(registry.requests().len(), 16, "no registry is asked more at a time");
    assert_eq!(resolve_tag(&app, "1").await.unwrap(), manifest(MANIFEST), "all places are free again");
}

#[tokio::test]
async fn the_same_question_is_asked_once_at_a_time() {
    let wanted = blob(b"content");
    let slow = on("GET", "/v2/app/blobs/*").body("content").delay(Duration::from_millis(50));
    let (registry, app) = app(vec![slow]);
    let questions = (0..8).map(|_| async { app.fetch(&wanted, &Limits::default()).await.unwrap() });
    for answer in futures_util::future::join_all(questions).await {
        assert_eq!(answer, "content");
    }
    assert_eq!(registry.requests().len(), 1);
}

#[tokio::test]
async fn what_errors_show_of_a_body() {
    let get = || on("GET", "*").status(400);
    for (why, scene, shown) in [
        (
            "the registry's own words",
            get().body(r#"{"errors":[{"code":"NAME_INVALID","message":"no"}]}"#),
            "NAME_INVALID: no",
        ),
        ("terminal escapes", get().body("\u{1b}[2J\u{7}gone"), "\\u{1b}[2J\\u{7}gone"),
        ("lines", get().body("one\r\ntwo"), "answered 400: one"),
        ("no UTF-8", get().body([0xff, 0xfe]), "\u{fffd}\u{fffd}"),
        ("nothing", get(), "it said nothing more"),
        ("without end", get().body(vec![b'x'; 1 << 16]).endless(), "xxxx…"),
        ("cut", get().body("beginning and end").cut(9), "beginning"),
    ] {
        let (_registry, app) = app(vec![scene]);
        let said = failure(app.fetch(&blob(b"content"), &Limits::default()).await);
        assert!(said.contains(shown), "{why}: {said}");
        assert!(said.len() < 2048, "{why}: {} bytes", said.len());
        assert!(!said.contains(char::is_control), "{why}: {said:?}");
    }
}

#[tokio::test]
async fn headers_by_the_thousand() {
    let mut scene = serve("HEAD", "1", MANIFEST);
    for number in 0..5_000 {
        scene = scene.header("Warning", format!("299 - \"warning {number}\""));
    }
    let (_registry, app) = app(vec![scene]);
    let error = resolve_tag(&app, "1").await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "{error}");
}

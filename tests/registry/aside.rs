//! What registries say aside, and what is left when nobody is asked.

use portolan::{Code, Limits};
use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use portolan_tests::registry::{Registry as Real, User};

use super::*;

const ADA: User = User { name: "ada", password: "correct horse" };

fn portolan() -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder())
}

#[test]
fn warnings_are_shown_once_and_steer_no_terminal() {
    let warned = |mut scene: Scene| {
        for number in 0..1000 {
            scene = scene
                .header("Warning", r#"299 - "old\u{1b}[31m \u{e9}""#.replace("\\u{1b}", "\u{1b}"))
                .header("Warning", format!("299 - \"number {number}\""));
        }
        scene
    };
    let config = "{}";
    let registry = Hostile::play(vec![
        serve("HEAD", "1", MANIFEST).header("Warning", r#"299 - "it will be gone \"soon\"""#),
        serve("GET", "sha256:*", MANIFEST).header("Warning", r#"299 - "it will be gone \"soon\"""#),
        on("GET", "/v2/app/blobs/*").body(config),
    ]);
    let printed = portolan().line(&format!("resolve {}/app:1", registry.host()));
    assert_eq!(printed.status, 0, "{}", printed.err);
    assert_eq!(printed.err.matches("it will be gone \"soon\"").count(), 1, "{}", printed.err);
    assert!(printed.err.contains(&format!("{} says: ", registry.host())), "{}", printed.err);

    let registry = Hostile::play(vec![warned(serve("HEAD", "1", MANIFEST)), serve("GET", "*", MANIFEST)]);
    let printed = portolan().line(&format!("resolve {}/app:1", registry.host()));
    assert!(printed.err.lines().count() <= 21, "{}", printed.err);
    assert!(!printed.err.contains('\u{1b}'), "{}", printed.err);
}

#[test]
fn who_may_ask_little_more_is_told_once() {
    let limited = |scene: Scene, left: &str| {
        scene.header("RateLimit-Limit", "100;w=21600").header("RateLimit-Remaining", format!("{left};w=21600"))
    };
    for (left, told) in [("10", true), ("0", true), ("11", false), ("rubbish", false), ("-5", false)] {
        let registry = Hostile::play(vec![
            limited(serve("HEAD", "1", MANIFEST), left),
            limited(serve("GET", "*", MANIFEST), left),
        ]);
        let printed = portolan().line(&format!("resolve --part manifest {}/app:1", registry.host()));
        let expected = format!("{} allows {left} more of 100 requests every 6 hours", registry.host());
        assert_eq!(printed.err.matches(&expected).count(), usize::from(told), "{left}\n{}", printed.err);
    }
}

#[tokio::test]
async fn without_a_network_there_is_what_was_seen() {
    let folder = tempfile::tempdir().unwrap();
    let cached = || client().cache_dir(Some(folder.path().to_owned()));
    let registry = Hostile::play(vec![
        serve("HEAD", "1", MANIFEST),
        serve("GET", "*", MANIFEST),
        on("GET", "/v2/app/blobs/*").body("layer"),
    ]);
    let online = repository(cached(), &registry.host(), "app");
    let root = resolve_tag(&online, "1").await.unwrap();
    online.fetch(&root, &Limits::default()).await.unwrap();
    let asked = registry.requests().len();

    let offline = repository(cached().offline(true), &registry.host(), "app");
    assert_eq!(resolve_tag(&offline, "1").await.unwrap(), root);
    assert_eq!(offline.fetch(&root, &Limits::default()).await.unwrap(), MANIFEST);
    assert_eq!(offline.resolve(Target::Digest(&root.digest), &Limits::default()).await.unwrap(), root);
    let layer = blob(b"layer");
    let missing = "offline: cannot ";
    for (why, said) in [
        ("a tag", failure(resolve_tag(&offline, "2").await)),
        ("a digest", failure(offline.resolve(Target::Digest(&layer.digest), &Limits::default()).await)),
        ("a document", failure(offline.fetch(&manifest("{}"), &Limits::default()).await)),
        ("a blob", failure(offline.open(&layer).await.map(drop))),
        ("a part", failure(offline.read(&layer, 0, 1).await)),
        ("tags", failure(offline.tags(None).await)),
        ("referrers", failure(offline.referrers(&root.digest, None, &Limits::default()).await)),
        (
            "another repository",
            failure(resolve_tag(&repository(cached().offline(true), &registry.host(), "b"), "1").await),
        ),
    ] {
        assert!(said.starts_with(missing), "{why}: {said}");
    }
    let sink = offline.sink().unwrap();
    assert_eq!(sink.has(&layer).await.unwrap_err().code(), Code::Offline);
    assert_eq!(registry.requests().len(), asked, "nobody was asked");
}

/// What a tag means is as private as the document.
#[tokio::test]
async fn without_a_network_nobody_sees_what_others_were_told() {
    let (registry, folder) = (Real::for_user(ADA), tempfile::tempdir().unwrap());
    registry.push(&format!("oci:{}:2", fixtures::layout("buildkit-single").display()), "app:2");
    let config = tempfile::tempdir().unwrap();
    let auth =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{}:{}", ADA.name, ADA.password));
    std::fs::write(
        config.path().join("config.json"),
        format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, registry.host()),
    )
    .unwrap();
    let cached = || client().cache_dir(Some(folder.path().to_owned()));
    let ada = || cached().docker_config(Some(config.path().to_owned()));
    let root = resolve_tag(&repository(ada(), registry.host(), "app"), "2").await.unwrap();
    assert_eq!(resolve_tag(&repository(ada().offline(true), registry.host(), "app"), "2").await.unwrap(), root);
    let stranger = repository(cached().offline(true), registry.host(), "app");
    assert_says(resolve_tag(&stranger, "2").await, &["offline: "]);
}

#[test]
fn the_command_line_says_how_old_it_is() {
    let registry = Real::start();
    registry.push(&format!("oci:{}:1.4", fixtures::layout("buildkit-multi").display()), "app:1.4");
    let portolan = portolan();
    let line = format!("inspect --format json {}/app:1.4", registry.host());
    let seen = portolan.ok(&line);
    let host = registry.host().to_owned();
    drop(registry);
    let printed = portolan.line(&format!("{line} --offline"));
    assert_eq!((printed.status, printed.out.as_str()), (0, seen.as_str()), "{}", printed.err);
    assert!(
        printed.err.contains(&format!("offline: {host}/app:1.4 was sha256:")) && printed.err.contains(" ago"),
        "{}",
        printed.err
    );
    let message = portolan.fails(1, &format!("inspect --offline {host}/app:1.5"));
    assert!(message.contains("the network is switched off") && message.contains("without --offline"), "{message}");
}

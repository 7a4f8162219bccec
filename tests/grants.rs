//! Grants against every way of writing a reference: what is granted for one repository allows no other.
//!
//! Not here: that each door of a run asks for the grant, see `hostile_guests`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan::Grants;
use portolan_oci::Location;
use proptest::prelude::*;

/// What a run asks for by this text; none where nothing can be asked.
fn asked(text: &str) -> Option<String> {
    match Location::parse(text).ok()? {
        Location::Registry(reference) if reference.domain.is_empty() => None,
        location => Some(location.repository()),
    }
}

const NONE: Option<&str> = None;

/// How a repository may be written, and which it is.
fn references() -> Vec<(String, Option<&'static str>)> {
    let digest = format!("sha256:{}", "0".repeat(64));
    let app = Some("r.example/team/app");
    let hub = Some("docker.io/library/alpine");
    let mut rows: Vec<(String, Option<&str>)> = [
        ("r.example/team/app", app),
        ("docker://r.example/team/app", app),
        ("oci://r.example/team/app", app),
        ("r.example/team/other", Some("r.example/team/other")),
        ("r.example/team/app2", Some("r.example/team/app2")),
        ("r.example/team/ap", Some("r.example/team/ap")),
        ("r.example/team", Some("r.example/team")),
        ("r.example/team/app/sub", Some("r.example/team/app/sub")),
        ("r.example/team/app/sub/deep", Some("r.example/team/app/sub/deep")),
        ("r.example/teamster/app", Some("r.example/teamster/app")),
        ("r.example/app", Some("r.example/app")),
        ("r.example/r.example/team/app", Some("r.example/r.example/team/app")),
        ("evil.example/r.example/team/app", Some("evil.example/r.example/team/app")),
        ("r.example.evil/team/app", Some("r.example.evil/team/app")),
        ("xr.example/team/app", Some("xr.example/team/app")),
        ("r-example/team/app", Some("docker.io/r-example/team/app")),
        ("r.examp1e/team/app", Some("r.examp1e/team/app")),
        ("R.example/team/app", Some("R.example/team/app")),
        ("R.EXAMPLE/team/app", Some("R.EXAMPLE/team/app")),
        ("r.example/Team/app", NONE),
        ("r.example/team/APP", NONE),
        ("r.example:443/team/app", Some("r.example:443/team/app")),
        ("r.example:80/team/app", Some("r.example:80/team/app")),
        ("r.example:5000/team/app", Some("r.example:5000/team/app")),
        ("r.example:05000/team/app", Some("r.example:05000/team/app")),
        ("r.example:/team/app", NONE),
        ("r.example:x/team/app", NONE),
        ("r.example:-1/team/app", NONE),
        ("r.example./team/app", NONE),
        (".r.example/team/app", NONE),
        ("r..example/team/app", NONE),
        ("-r.example/team/app", NONE),
        ("r_r.example/team/app", NONE),
        ("r.example/team/../team/app", NONE),
        ("r.example/other/../team/app", NONE),
        ("r.example/./team/app", NONE),
        ("r.example/team/app/..", NONE),
        ("r.example/team/app/", NONE),
        ("r.example//team/app", NONE),
        ("r.example/team//app", NONE),
        ("/r.example/team/app", NONE),
        ("//r.example/team/app", NONE),
        ("r.example/team\\app", NONE),
        ("r.example/team%2Fapp", NONE),
        ("r.example/team%2fapp", NONE),
        ("r.example/%74eam/app", NONE),
        ("r.example/team/app%00", NONE),
        ("r.example/team/app\0", NONE),
        ("r.example/team/app ", NONE),
        (" r.example/team/app", NONE),
        ("r.example/team/app\n", NONE),
        ("r.example/team/app?x", NONE),
        ("r.example/team/app#x", NONE),
        ("r.example/team/app;x", NONE),
        ("r.example/team/*", NONE),
        ("r.example/*", NONE),
        ("*", NONE),
        ("user@r.example/team/app", NONE),
        ("user:secret@r.example/team/app", NONE),
        ("r.example@evil.example/team/app", NONE),
        ("https://r.example/team/app", NONE),
        ("http://r.example/team/app", NONE),
        ("file:///r.example/team/app", NONE),
        ("DOCKER://r.example/team/app", NONE),
        ("docker:r.example/team/app", NONE),
        ("docker://docker://r.example/team/app", NONE),
        ("docker:///r.example/team/app", NONE),
        ("://r.example/team/app", NONE),
        // Letters that look like others, and dots that are none.
        ("r.ex\u{430}mple/team/app", NONE),
        ("r.example/te\u{430}m/app", NONE),
        ("r\u{3002}example/team/app", NONE),
        ("r\u{ff0e}example/team/app", NONE),
        ("r.example\u{2215}team/app", NONE),
        ("r.example/team/app\u{200b}", NONE),
        ("r.example/team/app\u{202e}", NONE),
        ("r.example/team/a\u{300}pp", NONE),
        ("r.example/team/\u{ff41}pp", NONE),
        ("r.example/team/app\u{301}", NONE),
        ("xn--r-example/team/app", Some("docker.io/xn--r-example/team/app")),
        // Docker's short names.
        ("alpine", hub),
        ("library/alpine", hub),
        ("docker.io/alpine", hub),
        ("docker.io/library/alpine", hub),
        ("index.docker.io/alpine", hub),
        ("index.docker.io/library/alpine", hub),
        ("docker://alpine", hub),
        ("registry-1.docker.io/library/alpine", Some("registry-1.docker.io/library/alpine")),
        ("www.docker.io/library/alpine", Some("www.docker.io/library/alpine")),
        ("docker.io:443/library/alpine", Some("docker.io:443/library/alpine")),
        ("docker.io/library/library/alpine", Some("docker.io/library/library/alpine")),
        ("docker.com/library/alpine", Some("docker.com/library/alpine")),
        ("Docker.io/library/alpine", Some("Docker.io/library/alpine")),
        ("ghcr.io/library/alpine", Some("ghcr.io/library/alpine")),
        ("alpine/alpine", Some("docker.io/alpine/alpine")),
        ("team/app", Some("docker.io/team/app")),
        ("docker.io/team/app", Some("docker.io/team/app")),
        ("Alpine", NONE),
        ("alpine/", NONE),
        ("/alpine", NONE),
        // Addresses.
        ("localhost/team/app", Some("localhost/team/app")),
        ("localhost:22/team/app", Some("localhost:22/team/app")),
        ("LOCALHOST/team/app", Some("LOCALHOST/team/app")),
        ("127.0.0.1/team/app", Some("127.0.0.1/team/app")),
        ("127.1/team/app", Some("127.1/team/app")),
        ("2130706433/team/app", Some("docker.io/2130706433/team/app")),
        ("169.254.169.254/team/app", Some("169.254.169.254/team/app")),
        ("[::1]/team/app", Some("[::1]/team/app")),
        ("[::1]:5000/team/app", Some("[::1]:5000/team/app")),
        ("[0::1]/team/app", Some("[0::1]/team/app")),
        ("[::ffff:7f00:1]/team/app", Some("[::ffff:7f00:1]/team/app")),
        ("[::1/team/app", NONE),
        ("::1/team/app", NONE),
        ("[]/team/app", NONE),
        ("[fe80::1%eth0]/team/app", NONE),
        ("[r.example]/team/app", NONE),
        // Stores are no registries.
        ("oci-layout://r.example", Some("oci-layout://r.example")),
        ("oci-layout://r.example/team/app", Some("oci-layout://r.example")),
        ("oci-layout://r%2Eexample", Some("oci-layout://r%2Eexample")),
        ("oci-archive://r.example", Some("oci-archive://r.example")),
        ("oci-layout://", NONE),
        ("oci-layout:///r.example", NONE),
        ("", NONE),
        (":", NONE),
        ("@", NONE),
        ("/", NONE),
        (".", NONE),
        ("..", NONE),
        (":1", NONE),
        ("r.example", Some("docker.io/library/r.example")),
        ("r.example/", NONE),
        ("r.example:5000", Some("docker.io/library/r.example")),
    ]
    .map(|(text, repository)| (text.to_owned(), repository))
    .into();
    for (text, repository) in
        [("r.example/team/app", app), ("alpine", hub), ("r.example:5000/team/app", Some("r.example:5000/team/app"))]
    {
        for (behind, valid) in [
            (":1", true),
            (":latest", true),
            (":A_b.c-d", true),
            (&format!("@{digest}"), true),
            (&format!(":1@{digest}"), true),
            (":", false),
            (":1/2", text == "alpine"),
            (":-1", false),
            (":1:2", false),
            (":\u{430}", false),
            (&format!(":{}", "a".repeat(129)), false),
            ("@", false),
            ("@sha256:00", false),
            ("@sha256:../../other", false),
            (&format!("@{}", digest.to_uppercase()), false),
            (&format!("@{digest}:1"), false),
            (&format!("@{digest}@{digest}"), false),
        ] {
            // `alpine:1/2` is a registry's, at the port 1.
            let repository = if behind == ":1/2" { Some("alpine:1/2") } else { repository };
            rows.push((format!("{text}{behind}"), repository.filter(|_| valid)));
        }
    }
    // A digest alone is a name with a tag, by Docker's rules.
    rows.push((digest, Some("docker.io/library/sha256")));
    for text in ["0".repeat(64), "a".repeat(300), format!("r.example/{}", "a/".repeat(5_000)), "/".repeat(1_000)] {
        rows.push((text, None));
    }
    rows
}

#[test]
fn every_reference_is_the_repository_that_it_names() {
    let rows = references();
    for (text, repository) in &rows {
        assert_eq!(asked(text).as_deref(), *repository, "{text:?}");
        if let Some(repository) = repository {
            assert_eq!(asked(repository).as_deref(), Some(*repository), "normalised once more: {repository}");
        }
    }
}

/// Patterns, and what they cover: one repository, or all whose first components are these.
const PATTERNS: &[(&str, &[&str], bool)] = &[
    ("r.example/team/app", &["r.example", "team", "app"], true),
    ("r.example/team/other", &["r.example", "team", "other"], true),
    ("r.example/app", &["r.example", "app"], true),
    ("r.example:5000/team/app", &["r.example:5000", "team", "app"], true),
    ("R.example/team/app", &["R.example", "team", "app"], true),
    ("docker://r.example/team/app", &["r.example", "team", "app"], true),
    ("alpine", &["docker.io", "library", "alpine"], true),
    ("index.docker.io/alpine", &["docker.io", "library", "alpine"], true),
    ("team/app", &["docker.io", "team", "app"], true),
    ("localhost:22/team/app", &["localhost:22", "team", "app"], true),
    ("[::1]/team/app", &["[::1]", "team", "app"], true),
    ("oci-layout://r.example", &["oci-layout:", "", "r.example"], true),
    ("r.example/*", &["r.example"], false),
    ("r.example/team/*", &["r.example", "team"], false),
    ("r.example/team/app/*", &["r.example", "team", "app"], false),
    ("r.example:5000/*", &["r.example:5000"], false),
    ("docker.io/*", &["docker.io"], false),
    ("index.docker.io/*", &["docker.io"], false),
    ("library/*", &["docker.io", "library"], false),
    ("team/*", &["docker.io", "team"], false),
    ("localhost/*", &["localhost"], false),
    ("[::1]/*", &["[::1]"], false),
    ("*", &[], false),
];

#[test]
fn every_pattern_covers_what_it_says_and_nothing_else() {
    let rows = references();
    let mut pairs = 0;
    for (pattern, components, whole) in PATTERNS {
        let pull = Grants::new().pull(pattern).unwrap();
        let push = Grants::new().push(pattern).unwrap();
        for (text, _) in &rows {
            let Some(repository) = asked(text) else { continue };
            let parts: Vec<&str> = repository.split('/').collect();
            let covered = match whole {
                true => parts == *components,
                false => parts.len() > components.len() && parts.starts_with(components),
            };
            assert_eq!(pull.allows_pull(&repository), covered, "{pattern} pulls {text}");
            assert!(!pull.allows_push(&repository), "{pattern} pushes {text}");
            assert_eq!(
                (push.allows_pull(&repository), push.allows_push(&repository)),
                (covered, covered),
                "{pattern}: {text}"
            );
            assert!(!Grants::new().allows_pull(&repository) && !Grants::new().allows_push(&repository));
            pairs += 1;
        }
    }
    assert!(pairs > 1_500, "{pairs}");
}

/// Texts that come close to each other.
fn close() -> impl Strategy<Value = String> {
    let domain = prop::sample::select(vec![
        "",
        "r.example/",
        "r.example:443/",
        "r.example:5000/",
        "R.example/",
        "r.example./",
        "docker.io/",
        "index.docker.io/",
        "localhost/",
        "[::1]/",
        "[::1]:443/",
        "library/",
        "docker://",
        "oci://r.example/",
        "user@r.example/",
    ]);
    let part = prop::sample::select(vec![
        "team",
        "app",
        "library",
        "a.b",
        "a_b",
        "a__b",
        "a-b",
        "..",
        ".",
        "",
        "A",
        "r.example",
        "%2e",
    ]);
    let suffix = prop::sample::select(vec!["", ":1", ":latest", ":", "/", "/*", "@sha256:00"]);
    (domain, prop::collection::vec(part, 1..4), suffix)
        .prop_map(|(domain, parts, suffix)| format!("{domain}{}{suffix}", parts.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_granted_for_one_allows_no_other(one in close(), other in close()) {
        let (Some(mine), Some(theirs)) = (asked(&one), asked(&other)) else { return Ok(()) };
        let location = Location::parse(&one).unwrap();
        for grants in [Grants::new().pull(&mine).unwrap(), Grants::new().pull_reference(&location)] {
            prop_assert!(grants.allows_pull(&mine));
            prop_assert_eq!(grants.allows_pull(&theirs), mine == theirs, "{} and {}", one, other);
            prop_assert!(!grants.allows_push(&theirs));
        }
        let below = Grants::new().pull(&format!("{mine}/*")).unwrap();
        prop_assert_eq!(below.allows_pull(&theirs), theirs.starts_with(&format!("{mine}/")), "{} and {}", one, other);
    }

    #[test]
    fn to_normalise_again_changes_nothing(text in prop_oneof![close(), "\\PC{0,40}", "[a-zA-Z0-9./:@_%\\[\\]-]{0,60}"]) {
        if let Some(repository) = asked(&text) {
            prop_assert_eq!(asked(&repository), Some(repository.clone()));
            let shown = Location::parse(&text).unwrap().shown();
            if !text.contains("://") {
                prop_assert_eq!(asked(&shown), Some(repository));
            }
        }
    }
}

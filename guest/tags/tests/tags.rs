//! Tags of registries and names of stores, listed and matched.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::path::PathBuf;

use portolan_sdk::mock::Mock;
use portolan_sdk::oci::media_type::OCI_MANIFEST;
use portolan_sdk::{Body, Failure};
use portolan_strategy::Bundled;
use portolan_tags::Tags;
use serde_json::{Value, json};

const APP: &str = "registry.example/acme/app";
const TAGS: [&str; 10] =
    ["1", "latest", "1.4", "1.4.0", "v1.4.2", "1.10.0", "edge", "2.0.0-rc.1", "1.10.0-alpine", "0.9.0"];

fn layouts() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/layouts"))
}

fn mock() -> Mock<Bundled> {
    let mock = Mock::new(Bundled).folder(layouts());
    let mock = TAGS.into_iter().fold(mock, |mock, tag| mock.document(APP, Some(tag), OCI_MANIFEST, "{}"));
    mock.document("registry.example/none", Some("latest"), OCI_MANIFEST, "{}").document(
        "registry.example/variants",
        Some("16.2-alpine"),
        OCI_MANIFEST,
        "{}",
    )
}

fn ask(repository: &str, arguments: &[(&str, &str)]) -> Result<String, Failure> {
    let arguments: Vec<(&str, &str)> = [("repo", repository)].into_iter().chain(arguments.iter().copied()).collect();
    match mock().run::<Tags>(&arguments)?.body {
        Body::Text(text) => Ok(text),
        other => panic!("{other:?}"),
    }
}

/// On one line.
fn listed(repository: &str, arguments: &[(&str, &str)]) -> String {
    let text = ask(repository, arguments).unwrap_or_else(|failure| panic!("{repository} {arguments:?}: {failure:?}"));
    text.lines().collect::<Vec<_>>().join(" ")
}

#[test]
fn tags_of_a_registry() {
    let all = TAGS.join(" ");
    let latest = ("latest", "true");
    for (arguments, expected) in [
        // As the registry has them.
        (&[][..], all.as_str()),
        (&[("match", "^1\\.")][..], "1.4 1.4.0 1.10.0 1.10.0-alpine"),
        // Found anywhere.
        (&[("match", "e")][..], "latest edge 1.10.0-alpine"),
        (&[("match", "^$")][..], ""),
        // By version, newest first; 1 and 1.4 move.
        (&[("semver", "^1")][..], "1.10.0 v1.4.2 1.4.0"),
        (&[("semver", "~1.4")][..], "v1.4.2 1.4.0"),
        (&[("semver", ">=2.0.0-rc.0")][..], "2.0.0-rc.1"),
        (&[("semver", ">=0.1, <1"), latest][..], "0.9.0"),
        (&[latest][..], "1.10.0"),
        (&[latest, ("match", "^v")][..], "v1.4.2"),
        (&[latest, ("semver", "^1"), ("match", "4")][..], "v1.4.2"),
        (&[("semver", "^7")][..], ""),
    ] {
        assert_eq!(listed(APP, arguments), expected, "{arguments:?}");
    }
    let json: Value = serde_json::from_str(&ask(APP, &[("semver", "~1.4"), ("format", "json")]).unwrap()).unwrap();
    assert_eq!(json, json!({"repository": APP, "tags": ["v1.4.2", "1.4.0"]}));
    let none: Value = serde_json::from_str(&ask(APP, &[("match", "^$"), ("format", "json")]).unwrap()).unwrap();
    assert_eq!(none, json!({"repository": APP, "tags": []}));
}

#[test]
fn names_in_a_store() {
    for (reference, arguments, expected) in [
        ("oci-layout://buildkit-multi", &[][..], "docker.io/acme/app:1.4 docker.io/acme/app:latest"),
        ("oci-layout://buildkit-multi", &[("match", "^1")][..], "docker.io/acme/app:1.4"),
        ("oci-layout://buildkit-multi", &[("latest", "true")][..], "docker.io/acme/app:1.4"),
        ("oci-layout://buildkit-multi/acme/app", &[][..], "1.4 latest"),
        ("oci-layout://skopeo-names", &[][..], "3.16 docker.io/library/alpine:3.16"),
        ("oci-layout://skopeo-names/alpine", &[("semver", "3")][..], "3.16"),
    ] {
        assert_eq!(listed(reference, arguments), expected, "{reference} {arguments:?}");
    }
    let mock = mock();
    mock.run::<Tags>(&[("repo", "oci-layout://umoci")]).unwrap();
    assert!(mock.asked().iter().all(|asked| !asked.starts_with("tags")), "{:?}", mock.asked());
}

#[test]
fn failures_say_what_to_write() {
    let digest = format!("sha256:{}", "0".repeat(64));
    for (reference, arguments, message, hint, missing) in [
        ("alpine:3", &[][..], "names an image", "write alpine", false),
        (
            &format!("registry.example/acme/app@{digest}"),
            &[],
            "names an image",
            "write registry.example/acme/app",
            false,
        ),
        ("oci-layout://umoci:latest", &[], "names an image", "write oci-layout://umoci", false),
        (&format!("oci-layout://umoci@{digest}"), &[], "names an image", "write oci-layout://umoci", false),
        ("oci-layout://buildkit-multi/acme/app:1", &[], "names an image", "write oci-layout://buildkit-multi", false),
        (
            "oci-layout://buildkit-multi/acme/ap",
            &[],
            "nothing there has that name",
            "oci-layout://buildkit-multi",
            true,
        ),
        ("registry.example/gone", &[], "no such repository", "", true),
        (APP, &[("match", "(")], "no regular expression", "", false),
        (APP, &[("semver", ">=1.2 <2")], "no requirement", ">=1.2, <2", false),
        (APP, &[("semver", "")], "no requirement", "", false),
        (APP, &[("semver", "^7"), ("latest", "true")], "\"^7\"", "portolan tags registry.example/acme/app", true),
        ("registry.example/none", &[("latest", "true")], "no tag that is a version", "portolan tags", true),
        (
            "registry.example/variants",
            &[("latest", "true")],
            "no tag that is a version",
            "16.2-alpine is a pre-release",
            true,
        ),
    ] {
        let failure = ask(reference, arguments).unwrap_err();
        assert!(failure.message.contains(message), "{reference} {arguments:?}: {failure:?}");
        assert!(failure.hint.clone().unwrap_or_default().contains(hint), "{reference} {arguments:?}: {failure:?}");
        assert_eq!(failure.is_not_found(), missing, "{reference} {arguments:?}: {failure:?}");
    }
}

/// What `portolan run --record` wrote down is a host for a test, and what is none says why.
#[test]
fn recorded_runs() {
    let folder = layouts().join("../recorded");
    for (tape, said) in [("tags.jsonl", "tags.txt"), ("listed.jsonl", "listed.txt")] {
        let mock = Mock::new(Bundled).recorded(folder.join(tape)).unwrap();
        let Body::Text(text) = mock.again::<Tags>().unwrap().body else { panic!("{tape}") };
        assert_eq!(text, std::fs::read_to_string(folder.join(said)).unwrap(), "{tape}");
    }
    for (tape, why) in [("nope.jsonl", "No such file"), ("tags.txt", "tags.txt:1: expected value")] {
        let error = Mock::new(Bundled).recorded(folder.join(tape)).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

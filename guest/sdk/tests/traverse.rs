//! Names to roots: in registries, and in stores by the strategy's judgement.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

mod build;

use std::path::PathBuf;

use build::{Built, image, labelled};
use portolan_sdk::mock::Mock;
use portolan_sdk::oci::names::{IMAGE_NAME, REF_NAME};
use portolan_sdk::oci::{Digest, Location, Mode};
use portolan_sdk::{Failure, traverse};
use portolan_strategy::Bundled;

const MULTI: &str = "sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9";
const SINGLE: &str = "sha256:c4e51f9749e0d1799d2cdfcf82078dad19f461f01bf2d5ada10a8cedb2f258bc";
const UMOCI: &str = "sha256:5010310a1b5a5d1d4b138a00aa01490f4abb74b59b8df2099244c6f59183e77d";

fn fixtures() -> Mock<Bundled> {
    let layouts = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/layouts"));
    Mock::new(Bundled).registry("docker.io/acme/app", layouts.join("buildkit-multi")).folder(layouts)
}

fn find(mock: &Mock<Bundled>, reference: &str, mode: Mode) -> Result<traverse::Found, Failure> {
    traverse::find(mock, &reference.parse()?, mode)
}

#[test]
fn names_reach_roots() {
    let mock = fixtures();
    let build = Mode::CompatBuild;
    let tools = Mode::CompatImagetools;
    for (reference, mode, expected) in [
        ("acme/app:1.4", Mode::Strict, MULTI),
        ("docker://docker.io/acme/app", Mode::Strict, MULTI),
        ("oci-layout://buildkit-multi:1.4", Mode::Strict, MULTI),
        ("oci-layout://buildkit-multi", Mode::Strict, MULTI),
        ("oci-layout://buildkit-multi/acme/app:1.4", Mode::Strict, MULTI),
        ("oci-layout://buildkit-multi/acme/app", Mode::Strict, MULTI),
        ("oci-layout://buildkit-multi:1.4", tools, MULTI),
        ("oci-layout://buildkit-multi/docker.io/acme/app:1.4", tools, MULTI),
        ("oci-layout://buildkit-multi/acme/app:1.4", tools, "none"),
        ("oci-layout://buildkit-multi/other/app:1.4", Mode::Strict, "none"),
        ("oci-layout://buildkit-single", Mode::Strict, SINGLE),
        ("oci-layout://buildkit-single:9", Mode::Strict, "none"),
        ("oci-layout://buildkit-single:9", build, SINGLE),
        ("oci-layout://skopeo-names/alpine:3.16", Mode::Strict, SINGLE),
        ("oci-layout://skopeo-names:3.16", Mode::Strict, SINGLE),
        ("oci-layout://umoci:x-123", Mode::Strict, UMOCI),
        ("oci-layout://umoci", tools, UMOCI),
        (&format!("oci-layout://umoci@{UMOCI}"), Mode::Strict, UMOCI),
        (&format!("oci-layout://umoci:latest@{UMOCI}"), Mode::Strict, UMOCI),
        (&format!("oci-layout://umoci:latest@{MULTI}"), Mode::Strict, "none"),
        (&format!("oci-layout://umoci:nope@{UMOCI}"), tools, UMOCI),
        ("oci-layout://nowhere", Mode::Strict, "none"),
    ] {
        match find(&mock, reference, mode) {
            Ok(found) => assert_eq!(found.descriptor.digest.as_str(), expected, "{reference} {mode}"),
            Err(failure) => {
                assert_eq!(expected, "none", "{reference} {mode}: {failure}");
                assert!(failure.is_not_found(), "{reference} {mode}: {failure}");
            }
        }
    }
}

/// A store with these entries, each with its annotations.
fn store(entries: &[(&Built, &[(&str, &str)])]) -> Mock<Bundled> {
    entries.iter().fold(Mock::new(Bundled), |mock, (built, annotations)| {
        let named = annotations.iter().fold((*built).clone(), |built, (key, value)| built.annotated(key, value));
        named.in_repository(mock, "oci-layout://%2Fa%20b", Some("<none>"))
    })
}

#[test]
fn failures_say_what_would_do() {
    let (one, two) = (image("linux/amd64"), labelled("linux/amd64", "two"));
    let (one_digest, two_digest) = (one.digest(), two.digest());
    let apart = store(&[
        (&one, &[(IMAGE_NAME, "docker.io/acme/app:1")]),
        (&two, &[(IMAGE_NAME, "docker.io/acme/web:1")]),
        (&two, &[(IMAGE_NAME, "docker.io/acme/web:2")]),
    ]);
    let same = store(&[(&one, &[(REF_NAME, "1")]), (&two, &[(REF_NAME, "1")])]);
    let unnamed = store(&[(&one, &[]), (&two, &[])]);
    for (mock, reference, message, hint) in [
        (
            &apart,
            "oci-layout://%2Fa%20b:1".to_owned(),
            format!(
                "oci-layout:///a b:1 is ambiguous: it may be docker.io/acme/app:1 ({one_digest}), \
                 docker.io/acme/web:1 ({two_digest})"
            ),
            "write one of oci-layout:///a b/docker.io/acme/app:1, oci-layout:///a b/docker.io/acme/web:1".to_owned(),
        ),
        (
            &same,
            "oci-layout://%2Fa%20b:1".to_owned(),
            format!("oci-layout:///a b:1 is ambiguous: it may be 1 ({one_digest}), 1 ({two_digest})"),
            format!("write one of oci-layout:///a b@{one_digest}, oci-layout:///a b@{two_digest}"),
        ),
        (
            &apart,
            "oci-layout://%2Fa%20b/acme/app:2".to_owned(),
            "cannot find oci-layout:///a b/acme/app:2: nothing there has that name".to_owned(),
            "the nearest names there are docker.io/acme/app:1, docker.io/acme/web:2, docker.io/acme/web:1".to_owned(),
        ),
        (
            &apart,
            "oci-layout://%2Fa%20b".to_owned(),
            "cannot find oci-layout:///a b: none of its images is called latest".to_owned(),
            "its names are docker.io/acme/app:1, docker.io/acme/web:1, docker.io/acme/web:2".to_owned(),
        ),
        (
            &apart,
            format!("oci-layout://%2Fa%20b:2@{one_digest}"),
            format!("cannot find oci-layout:///a b:2@{one_digest}: that name points at {two_digest}"),
            "leave the name or the digest out".to_owned(),
        ),
        (
            &unnamed,
            "oci-layout://%2Fa%20b".to_owned(),
            "cannot find oci-layout:///a b: it has several images, without names".to_owned(),
            format!("add a digest: @{one_digest}, @{two_digest}"),
        ),
        (
            &unnamed,
            "oci-layout://%2Fa%20b:1".to_owned(),
            "cannot find oci-layout:///a b:1: nothing there has that name".to_owned(),
            format!("its images have no names; add a digest: @{one_digest}, @{two_digest}"),
        ),
    ] {
        let failure = find(mock, &reference, Mode::Strict).unwrap_err();
        assert_eq!(failure.message, message);
        assert_eq!(failure.hint.unwrap_or_default(), hint, "{message}");
        assert_eq!(failure.cause.is_some(), !message.contains("ambiguous"), "{message}");
    }
}

#[test]
fn a_root_knows_what_its_entry_says() {
    let mock = fixtures();
    let found = find(&mock, "oci-layout://buildkit-multi/acme/app:1.4", Mode::Strict).unwrap();
    assert_eq!(found.descriptor.annotations.get(IMAGE_NAME).map(String::as_str), Some("docker.io/acme/app:1.4"));
    assert_eq!(found.name(), "oci-layout://buildkit-multi/acme/app:1.4");
    assert_eq!(
        traverse::pinned(&found.location, &found.descriptor.digest, &found.descriptor.digest),
        format!("oci-layout://buildkit-multi/acme/app:1.4@{MULTI}")
    );
    // What lies below a root has another digest than the name, and the two must agree.
    let below = Digest::sha256(b"below");
    assert_eq!(
        traverse::pinned(&found.location, &found.descriptor.digest, &below),
        format!("oci-layout://buildkit-multi@{below}")
    );
    // Neither from a registry nor by a digest alone is there an entry.
    let found = find(&mock, &format!("oci-layout://buildkit-multi@{MULTI}"), Mode::Strict).unwrap();
    assert!(found.descriptor.annotations.is_empty());
    assert!(!mock.asked().last().unwrap().starts_with("fetch"));
}

#[test]
fn many_are_asked_side_by_side() {
    let mock = fixtures();
    let locations: Vec<Location> = ["acme/app:1.4", "oci-layout://umoci", "acme/app:nope", "acme/app"]
        .iter()
        .map(|reference| reference.parse().unwrap())
        .collect();
    let found = traverse::find_all(&mock, &locations, Mode::Strict);
    let digests: Vec<Option<String>> =
        found.into_iter().map(|found| Some(found.ok()?.descriptor.digest.to_string())).collect();
    assert_eq!(digests, [Some(MULTI.to_owned()), Some(UMOCI.to_owned()), None, Some(MULTI.to_owned())]);
    assert_eq!(
        mock.asked().first().unwrap(),
        "resolve-all docker.io/acme/app:1.4 docker.io/acme/app:nope docker.io/acme/app:latest"
    );
}

#[test]
fn what_is_neither_index_nor_manifest_is_no_root() {
    let mock = Mock::new(Bundled).document("registry.example/app", Some("1"), "application/octet-stream", "x");
    let failure = build::root(&mock).unwrap_err();
    assert!(failure.message.contains("neither an index nor a manifest"), "{failure}");

    let broken =
        Mock::new(Bundled).document("registry.example/app", Some("1"), "application/vnd.oci.image.index.v1+json", "{}");
    assert_eq!(build::root(&broken).unwrap_err().cause.unwrap().code, "malformed");
}

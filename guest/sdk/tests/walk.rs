//! Everything below a root, and who refers to it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

mod build;

use build::{Built, artifact, attestation, image, index, parse, root};
use portolan_sdk::mock::Mock;
use portolan_sdk::oci::attestation::{ARTIFACT_TYPE, ATTESTATION_MANIFEST, REFERENCE_DIGEST, REFERENCE_TYPE};
use portolan_sdk::oci::{Digest, Mode};
use portolan_sdk::traverse::{self, Tree};
use portolan_strategy::Bundled;

fn mock(tree: &Built) -> Mock<Bundled> {
    tree.in_registry(Mock::new(Bundled))
}

fn walk(tree: &Built) -> Tree {
    let mock = mock(tree);
    traverse::walk(&mock, &root(&mock).unwrap()).unwrap()
}

/// An entry as BuildKit writes it.
fn beside(subject: &Built) -> Built {
    attestation(None)
        .said("unknown/unknown")
        .annotated(REFERENCE_TYPE, ATTESTATION_MANIFEST)
        .annotated(REFERENCE_DIGEST, subject.digest())
}

/// An entry that says what it is and leaves its subject to the manifest.
fn silent(subject: &Built) -> Built {
    attestation(Some(subject)).typed(ARTIFACT_TYPE)
}

#[test]
fn statements_lie_beside_what_they_speak_of() {
    let (amd64, arm64) = (image("linux/amd64").said("linux/amd64"), image("linux/arm64").said("linux/arm64"));
    let stranger = image("linux/s390x");
    for statement in [beside, silent] {
        let tree =
            walk(&index([statement(&arm64), amd64.clone(), index([arm64.clone()]), statement(&stranger), artifact()]));
        let images: Vec<(&str, usize)> = tree
            .images
            .iter()
            .map(|walked| (walked.image.descriptor.digest.as_str(), walked.attestations.len()))
            .collect();
        assert_eq!(images, [(amd64.digest(), 0), (arm64.digest(), 1)]);
        let predicates: Vec<&str> =
            tree.images[1].attestations[0].predicates().map(|predicate| predicate.predicate_type).collect();
        assert_eq!(predicates, ["https://spdx.dev/Document"]);
        let other: Vec<&str> = tree.other.iter().map(|descriptor| descriptor.digest.as_str()).collect();
        assert_eq!(other, [artifact().digest(), statement(&stranger).digest()]);
        assert!(tree.missing.is_empty());
    }
}

#[test]
fn a_root_that_is_a_manifest() {
    let tree = walk(&image("linux/amd64"));
    assert_eq!((tree.images.len(), tree.other.len()), (1, 0));
    let tree = walk(&artifact());
    assert_eq!((tree.images.len(), tree.other.len()), (0, 1));
}

#[test]
fn what_is_missing_is_told_apart_from_what_is_wrong() {
    let (here, gone) = (image("linux/amd64").said("linux/amd64"), image("linux/arm64").said("linux/arm64"));
    let tree = index([here.clone(), gone.clone()]);
    let mock = here.in_repository(tree.alone(Mock::new(Bundled)), build::REPOSITORY, None);
    let root = root(&mock).unwrap();
    let walked = traverse::walk(&mock, &root).unwrap();
    assert_eq!((walked.images.len(), walked.missing.len()), (1, 1));
    let failure = traverse::images(&mock, &root).unwrap_err();
    assert!(failure.is_not_found() && failure.message.contains("linux/arm64"), "{failure}");

    let lying = mock.described(build::REPOSITORY, None, gone.descriptor.bare(), "{}");
    let failure = traverse::walk(&lying, &root).unwrap_err();
    assert_eq!(failure.cause.unwrap().code, "digest-mismatch");
}

#[test]
fn only_what_is_asked_for_is_read() {
    let (amd64, arm64) = (image("linux/amd64").said("linux/amd64"), image("linux/arm64").said("linux/arm64"));
    let (on_amd64, on_arm64) = (beside(&amd64), silent(&arm64));
    let tree = index([amd64.clone(), arm64.clone(), on_amd64.clone(), on_arm64.clone()]);
    let fetched = |asks: &dyn Fn(&Mock<Bundled>)| {
        let mock = mock(&tree);
        asks(&mock);
        let fetched: Vec<String> =
            mock.asked().iter().filter_map(|it| it.strip_prefix("fetch ")).skip(1).map(str::to_owned).collect();
        fetched
    };
    assert_eq!(fetched(&|mock| drop(traverse::images(mock, &root(mock).unwrap()))), [amd64.digest(), arm64.digest()]);
    assert!(fetched(&|mock| drop(traverse::platforms(mock, &root(mock).unwrap()))).is_empty());
    // A statement that does not say of what it speaks must be read to know.
    let attested = fetched(&|mock| {
        let root = root(mock).unwrap();
        let chosen = traverse::select(mock, &root, &parse("linux/amd64"), Mode::Strict).unwrap();
        let walked = traverse::attested(mock, &root, vec![chosen]).unwrap();
        assert_eq!(walked[0].attestations.len(), 1);
    });
    assert_eq!(attested, [amd64.digest(), on_amd64.digest(), on_arm64.digest()]);
}

#[test]
fn platforms_are_listed_once() {
    for (entries, expected) in [
        (vec![image("linux/amd64").said("linux/amd64"), image("linux/amd64").said("linux/x86_64/v1")], "linux/amd64"),
        (
            vec![image("linux/arm/v7"), index([image("windows/amd64").said("windows/amd64")])],
            "linux/arm/v7 windows/amd64",
        ),
        (vec![beside(&artifact()), artifact(), artifact().said("linux/amd64").typed("a/b")], ""),
    ] {
        let mock = mock(&index(entries));
        let there = traverse::platforms(&mock, &root(&mock).unwrap()).unwrap();
        let there: Vec<String> = there.iter().map(|platform| platform.long()).collect();
        assert_eq!(there.join(" "), expected);
    }
}

#[test]
fn referrers_in_registries_and_stores() {
    let subject = image("linux/amd64").said("linux/amd64");
    let digest = Digest::parse(subject.digest()).unwrap();
    let statement = attestation(Some(&subject));
    let registry = statement.in_repository(mock(&subject), build::REPOSITORY, None);
    let in_registry = root(&registry).unwrap();

    let store = "oci-layout://s";
    let by_manifest = attestation(Some(&subject));
    let by_entry = beside(&subject);
    let stranger = beside(&artifact());
    let stored = index([subject.clone(), by_entry, stranger]).in_repository(Mock::new(Bundled), store, Some("1"));
    let stored = by_manifest.in_repository(stored, store, Some("2"));
    let in_store = traverse::resolve(&stored, &"oci-layout://s:1".parse().unwrap(), Mode::Strict).unwrap();

    for (mock, root, expected) in [(&registry, &in_registry, 1), (&stored, &in_store, 2)] {
        let found = traverse::referrers(mock, root, std::slice::from_ref(&digest)).unwrap();
        assert_eq!(found.len(), expected, "{}", root.name());
        for referrer in found {
            assert_eq!(referrer.subject, digest);
            assert_eq!(referrer.descriptor.artifact_type.as_deref(), Some(ARTIFACT_TYPE));
        }
    }
}

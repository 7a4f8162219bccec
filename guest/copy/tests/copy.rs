//! Images from anywhere to anywhere: what arrives, and under which name.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

#[path = "../../sdk/tests/build/mod.rs"]
mod build;

use std::collections::BTreeSet;
use std::path::PathBuf;

use build::{Built, artifact, attestation, image, index, layer, layered};
use portolan_copy::Copy;
use portolan_sdk::mock::Mock;
use portolan_sdk::oci::{Descriptor, Digest, Document, Kind, media_type};
use portolan_sdk::{Body, Failure, Level, Response};
use portolan_strategy::Bundled;
use serde_json::{Value, json};

const MULTI: &str = "sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9";
const MULTI_AMD64: &str = "sha256:f2e8b1725960329e2fea1b3054864f5c395269b8d5d9ae35ae10722abb69964e";
const MULTI_ARM64: &str = "sha256:f8f13bc4429136ee05689e6bbf85e35bc8de090babe227617ec776620af99f3f";
const SINGLE: &str = "sha256:c4e51f9749e0d1799d2cdfcf82078dad19f461f01bf2d5ada10a8cedb2f258bc";
const SBOM: &str = "sha256:f880d241d4d837c652a3c729bebfea9d7f4387d439e93b9e5a8317cdff0dae9f";
const TO: &str = "registry.example/to";

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures"))
}

fn layouts() -> Mock<Bundled> {
    let layouts = fixtures().join("layouts");
    Mock::new(Bundled)
        .folder(&layouts)
        .registry("docker.io/acme/app", layouts.join("buildkit-multi"))
        .registry("docker.io/acme/sbom", layouts.join("buildkit-sbom"))
}

fn copy(mock: &Mock<Bundled>, source: &str, target: &str, options: &str) -> Result<Response, Failure> {
    let options = options.split_whitespace().map(|option| option.split_once('=').unwrap_or((option, "true")));
    mock.run::<Copy>(&[("src", source), ("dst", target)].into_iter().chain(options).collect::<Vec<_>>())
}

fn copied(mock: &Mock<Bundled>, source: &str, target: &str, options: &str) -> Value {
    let response = copy(mock, source, target, &format!("{options} format=json"))
        .unwrap_or_else(|failure| panic!("{source} {target} {options}: {failure:?}"));
    match response.body {
        Body::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Everything below a root that a repository has, and what is not there.
fn reach(mock: &Mock<Bundled>, repository: &str, root: &Descriptor) -> (BTreeSet<Digest>, BTreeSet<Digest>) {
    let (mut there, mut missing) = (BTreeSet::new(), BTreeSet::new());
    let mut waiting = vec![root.clone()];
    while let Some(descriptor) = waiting.pop() {
        let Some(bytes) = mock.content(repository, &descriptor.digest) else {
            missing.insert(descriptor.digest);
            continue;
        };
        assert!(descriptor.digest.matches(&bytes));
        there.insert(descriptor.digest.clone());
        if matches!(descriptor.kind(), Kind::Index | Kind::Manifest) {
            waiting.extend(match Document::parse(&bytes).unwrap() {
                Document::Index(index) => index.manifests,
                Document::Manifest(manifest) => manifest.layers.into_iter().chain([manifest.config]).collect(),
            });
        }
    }
    (there, missing)
}

#[test]
fn whole_images_arrive_whole() {
    for (source, name) in [
        ("oci-layout://buildkit-multi:1.4", "1.4"),
        ("oci-layout://buildkit-artifact:1", "1"),
        ("oci-layout://buildkit-classic:1", "1"),
        ("oci-layout://buildkit-sbom:1", "1"),
        ("oci-layout://buildkit-single:2", "2"),
        ("oci-layout://crane-docker-types:2", "2"),
        ("oci-layout://crane-nested:1", "1"),
        ("oci-layout://crane-windows:all", "all"),
        ("oci-layout://skopeo-names/alpine:3.16", "3.16"),
        ("oci-layout://umoci:x-123", "x-123"),
        ("docker.io/acme/app:1.4", "1.4"),
    ] {
        for target in [TO, "oci-layout://new", "oci-archive://new.tar"] {
            let mock = layouts();
            let answer = copied(&mock, source, target, "");
            let named = mock.named(target);
            let [(_, root)] = named.as_slice() else { panic!("{source} {target}: {named:?}") };
            assert_eq!(answer["root"]["digest"], root.digest.as_str(), "{source} {target}");
            let location: portolan_sdk::oci::Location = source.parse().unwrap();
            let (here, _) = reach(&mock, &location.repository(), root);
            assert_eq!(reach(&mock, target, root), (here, BTreeSet::new()), "{source} {target}");
            assert!(named[0].0.ends_with(name), "{source} {target}: {named:?}");
        }
    }
}

#[test]
fn what_it_is_called() {
    let digest = |digest: &str| format!("@{digest}");
    let pinned = digest(MULTI);
    for (source, target, name, shown) in [
        // In a registry: the target's tag, the source's, latest.
        ("acme/app:1.4", "registry.example/to:2".to_owned(), Some("2"), "registry.example/to:2"),
        ("acme/app:1.4", TO.into(), Some("1.4"), "registry.example/to:1.4"),
        ("acme/app", TO.into(), Some("latest"), "registry.example/to:latest"),
        (&format!("acme/app@{MULTI}"), TO.into(), Some("latest"), "registry.example/to:latest"),
        (&format!("acme/app:1.4@{MULTI}"), TO.into(), Some("1.4"), "registry.example/to:1.4"),
        ("oci-layout://umoci:x-123", TO.into(), Some("x-123"), "registry.example/to:x-123"),
        ("oci-layout://buildkit-sbom", TO.into(), Some("1"), "registry.example/to:1"),
        (
            &format!("oci-layout://buildkit-sbom{}", digest(SBOM)),
            TO.into(),
            Some("latest"),
            "registry.example/to:latest",
        ),
        // With a digest alone: no tag.
        ("acme/app:1.4", TO.to_owned() + &digest(MULTI), None, "registry.example/to"),
        ("acme/app:1.4", TO.to_owned() + ":3" + &digest(MULTI), Some("3"), "registry.example/to:3"),
        // In a store: what was asked for, else the full name that the source has.
        ("acme/app:1.4", "oci-layout://new:3".into(), Some("3"), "oci-layout://new:3"),
        (
            "acme/app:1.4",
            "oci-layout://new/b:3".into(),
            Some("docker.io/library/b:3"),
            "oci-layout://new/docker.io/library/b:3",
        ),
        (
            "acme/app:1.4",
            "oci-layout://new/x.example/b".into(),
            Some("x.example/b:latest"),
            "oci-layout://new/x.example/b:latest",
        ),
        (
            "acme/app:1.4",
            "oci-layout://new".into(),
            Some("docker.io/acme/app:1.4"),
            "oci-layout://new/docker.io/acme/app:1.4",
        ),
        ("oci-layout://umoci:x-123", "oci-layout://new".into(), Some("x-123"), "oci-layout://new:x-123"),
        (&format!("acme/app@{MULTI}"), "oci-layout://new".into(), Some("latest"), "oci-layout://new:latest"),
        ("acme/app:1.4", "oci-layout://new".to_owned() + &digest(MULTI), Some(pinned.as_str()), "oci-layout://new"),
    ] {
        let mock = layouts();
        let answer = copied(&mock, source, &target, "");
        assert_eq!(answer["target"], shown, "{source} {target}");
        let repository = target.parse::<portolan_sdk::oci::Location>().unwrap().repository();
        let named: Vec<String> = mock.named(&repository).into_iter().map(|(name, _)| name).collect();
        assert_eq!(named, name.into_iter().collect::<Vec<_>>(), "{source} {target}");
        let root = serde_json::from_value(answer["root"].clone()).unwrap();
        assert!(reach(&mock, &repository, &root).1.is_empty(), "{source} {target}");
    }
}

#[test]
fn a_target_that_says_what_it_is_to_be() {
    let mock = layouts();
    for (source, target, options) in [
        ("oci-layout://buildkit-single:2", format!("{TO}:1@{MULTI}"), ""),
        ("acme/app:1.4", format!("{TO}@{SINGLE}"), ""),
        ("acme/app:1.4", format!("oci-layout://new@{SINGLE}"), ""),
        ("acme/app:1.4", format!("{TO}@{MULTI}"), "platform=linux/arm64"),
        ("acme/app:1.4", format!("{TO}@{MULTI}"), "single platform=linux/arm64"),
    ] {
        let failure = copy(&mock, source, &target, options).unwrap_err();
        assert_eq!(failure.cause.unwrap().code, "digest-mismatch", "{source} {target}");
    }
    assert!(mock.asked().iter().all(|asked| !asked.starts_with("copy") && !asked.starts_with("push")));
    copied(&mock, "acme/app:1.4", &format!("{TO}@{MULTI_ARM64}"), "single platform=linux/arm64");
}

#[test]
fn one_image_is_taken_out() {
    let mock = layouts().machine("linux/arm64");
    for (options, platform, digest) in [
        ("single", "linux/arm64", MULTI_ARM64),
        ("single platform=linux/arm64/v8", "linux/arm64", MULTI_ARM64),
        // By the strategy, with its fallbacks.
        ("single platform=linux/amd64/v3", "linux/amd64", MULTI_AMD64),
    ] {
        let answer = copied(&mock, "acme/app:1.4", "registry.example/to:one", options);
        assert_eq!(answer["root"]["digest"], digest, "{options}");
        assert_eq!(answer["platforms"], json!([platform]), "{options}");
        assert_eq!(answer["copied"]["documents"], 1, "{options}");
        assert_eq!(mock.named(TO)[0].1.digest.as_str(), digest);
    }
    // What is one image already is it, for whatever machine, unless a platform is named.
    copied(&mock, "oci-layout://buildkit-single:2", "registry.example/to:one", "single");
    for options in ["single platform=linux/s390x", "platform=linux/s390x", "single platform=linux/amd64/v2 mode=exact"]
    {
        for source in ["acme/app:1.4", "oci-layout://buildkit-single:2"] {
            assert!(copy(&mock, source, TO, options).unwrap_err().is_not_found(), "{source} {options}");
        }
    }
}

/// As imagetools prints it, but for the annotations, which it drops.
#[test]
fn an_index_is_narrowed() {
    let expected = std::fs::read_to_string(fixtures().join("expected/imagetools-create-platforms.json")).unwrap();
    let mut expected: Value = serde_json::from_str(&expected).unwrap();
    expected["annotations"] = json!({"org.opencontainers.image.description": "an-index"});
    for target in [TO, "oci-layout://new"] {
        let mock = layouts();
        let answer = copied(&mock, "acme/app:1.4", target, "platform=linux/amd64 platform=linux/arm64");
        let root: Descriptor = serde_json::from_value(answer["root"].clone()).unwrap();
        let written = mock.content(target, &root.digest).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), expected);
        assert!(written.starts_with(b"{\n  \"schemaVersion\": 2,\n  \"mediaType\": ") && written.ends_with(b"\n}"));
        assert_eq!(answer["platforms"], json!(["linux/amd64", "linux/arm64"]));
        assert!(reach(&mock, target, &root).1.is_empty());
        // Nothing of the others was moved.
        let arm = Digest::parse("sha256:7da5a299c1a180a755f0965b5691d8602729ae09a006fede12166e06b707621f").unwrap();
        assert!(mock.content(target, &arm).is_none());
        assert_eq!(mock.named(target)[0].1.digest, root.digest);
    }
    // Where nothing is dropped the bytes stay.
    let mock = layouts();
    let all = "platform=linux/386,linux/arm/v7 platform=linux/amd64,linux/arm64";
    assert_eq!(copied(&mock, "acme/app:1.4", TO, all)["root"]["digest"], MULTI);
}

#[test]
fn what_stays_in_a_narrowed_index() {
    use portolan_sdk::oci::attestation::{ARTIFACT_TYPE, ATTESTATION_MANIFEST, REFERENCE_DIGEST, REFERENCE_TYPE};
    let (amd64, arm64) = (image("linux/amd64").said("linux/amd64"), image("linux/arm64").said("linux/arm64"));
    let old = build::labelled("linux/amd64", "old").said("linux/x86_64");
    let about = |subject: &Built| {
        attestation(None)
            .said("unknown/unknown")
            .annotated(REFERENCE_TYPE, ATTESTATION_MANIFEST)
            .annotated(REFERENCE_DIGEST, subject.digest())
    };
    let silent = |subject: &Built| attestation(Some(subject)).typed(ARTIFACT_TYPE);
    let (anything, nested) = (artifact(), index([image("linux/s390x")]));
    let entries = [
        about(&arm64),
        anything.clone(),
        amd64.clone(),
        silent(&arm64),
        arm64.clone(),
        nested.clone(),
        about(&amd64),
        silent(&amd64),
        old.clone(),
    ];
    let mock = index(entries.clone()).in_registry(Mock::new(Bundled));
    let source = format!("{}:1", build::REPOSITORY);
    let kept = |platforms: &str| {
        let answer = copied(&mock, &source, TO, &format!("platform={platforms}"));
        let root: Descriptor = serde_json::from_value(answer["root"].clone()).unwrap();
        let bytes = mock.content(TO, &root.digest).unwrap();
        let kept = portolan_sdk::oci::Index::parse(&bytes).unwrap().manifests;
        kept.iter().map(|kept| entries.iter().position(|entry| entry.descriptor == *kept).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(kept("linux/amd64"), [1, 2, 5, 6, 7, 8]);
    assert_eq!(kept("linux/arm64"), [0, 1, 3, 4, 5]);
    // It lies in an index without a platform, which stays.
    assert_eq!(kept("linux/s390x"), [1, 5]);
    let failure = copy(&mock, &source, TO, "platform=linux/riscv64").unwrap_err();
    assert!(failure.is_not_found() && failure.hint.as_ref().unwrap().contains("linux/arm64"), "{failure:?}");
    // No fallbacks: what would run there all the same is not what was named.
    assert!(copy(&mock, &source, TO, "platform=linux/amd64/v2").unwrap_err().is_not_found());
}

#[test]
fn subject_and_artifact_type_of_a_narrowed_index_stay() {
    let of = image("linux/riscv64");
    let (amd64, arm64) = (image("linux/amd64").said("linux/amd64"), image("linux/arm64").said("linux/arm64"));
    let document = json!({
        "schemaVersion": 2, "manifests": [amd64.descriptor, arm64.descriptor], "annotations": {"b": "<&>", "a": ""},
        "subject": of.descriptor.bare(), "artifactType": "application/vnd.example", "x": 1, "mediaType": media_type::OCI_INDEX,
    });
    let bytes = serde_json::to_vec(&document).unwrap();
    let mock = [&amd64, &arm64]
        .into_iter()
        .fold(Mock::new(Bundled), |mock, built| built.in_repository(mock, "r.example/a", None))
        .document("r.example/a", Some("1"), media_type::OCI_INDEX, bytes);
    let answer = copied(&mock, "r.example/a:1", TO, "platform=linux/arm64");
    let root: Descriptor = serde_json::from_value(answer["root"].clone()).unwrap();
    let written = String::from_utf8(mock.content(TO, &root.digest).unwrap()).unwrap();
    let order: Vec<usize> = [
        "schemaVersion",
        "\"mediaType\"",
        "\n  \"artifactType",
        "manifests",
        "\"subject\"",
        "annotations",
        "\"a\"",
        "\"b\"",
    ]
    .map(|key| written.find(key).unwrap_or_else(|| panic!("{key} in {written}")))
    .to_vec();
    assert!(order.is_sorted(), "{written}");
    assert!(written.contains(r#""b": "\u003c\u0026\u003e""#) && !written.contains("\"x\""), "{written}");
}

/// An image with a signature, a signature on that, and one that the registry lists and does not have any more.
#[test]
fn what_refers_to_it_goes_with_it() {
    let amd64 = image("linux/amd64").said("linux/amd64");
    let arm64 = image("linux/arm64").said("linux/arm64");
    let root = index([amd64.clone(), arm64.clone()]);
    let (on_root, on_amd64, on_arm64) =
        (attestation(Some(&root)), attestation(Some(&amd64)), attestation(Some(&arm64)));
    let on_signature = attestation(Some(&on_amd64));
    let all = [&on_root, &on_amd64, &on_arm64, &on_signature];
    for from in ["r.example/a", "oci-layout://a"] {
        let source = format!("{from}:1");
        let fresh = || {
            let mock = root.in_repository(Mock::new(Bundled), from, Some("1"));
            all.iter().enumerate().fold(mock, |mock, (number, built)| {
                built.in_repository(mock, from, from.contains("://").then(|| format!("s{number}")).as_deref())
            })
        };
        for (options, expected) in [
            ("", &all[..]),
            ("no-referrers", &[]),
            // Nobody speaks of an index that was made just now.
            ("platform=linux/amd64", &[&on_amd64, &on_signature]),
            ("single platform=linux/arm64", &[&on_arm64]),
        ] {
            for to in [TO, "oci-layout://new"] {
                let mock = fresh();
                let answer = copied(&mock, &source, to, options);
                let there: BTreeSet<&str> = all
                    .iter()
                    .filter(|built| reach(&mock, to, &built.descriptor).1.is_empty())
                    .map(|built| built.digest())
                    .collect();
                let expected: BTreeSet<&str> = expected.iter().map(|built| built.digest()).collect();
                assert_eq!(there, expected, "{source} {to} {options}");
                let said: BTreeSet<&str> = answer["referrers"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|referrer| referrer["descriptor"]["digest"].as_str().unwrap())
                    .collect();
                assert_eq!(said, expected, "{source} {to} {options}");
            }
        }
    }
}

#[test]
fn a_referrer_that_is_not_there_is_left_behind_aloud() {
    let subject = image("linux/amd64");
    let (statement, lost) = (attestation(Some(&subject)), artifact());
    let broken = json!({
        "schemaVersion": 2, "manifests": [lost.descriptor], "subject": subject.descriptor.bare(),
        "mediaType": media_type::OCI_INDEX,
    });
    let broken = serde_json::to_vec(&broken).unwrap();
    let digest = Digest::sha256(&broken);
    let mock = subject.in_repository(Mock::new(Bundled), "oci-layout://s", Some("1"));
    let mock = mock.document("oci-layout://s", Some("2"), media_type::OCI_INDEX, broken);
    let mock = statement.in_repository(mock, "oci-layout://s", Some("3"));
    let answer = copied(&mock, "oci-layout://s:1", TO, "");
    assert_eq!(answer["referrers"][0]["descriptor"]["digest"], statement.digest());
    assert_eq!(answer["referrers"].as_array().unwrap().len(), 1);
    assert_eq!(answer["skipped"][0]["kind"], "referrer");
    assert_eq!(answer["skipped"][0]["name"], digest.as_str());
    assert!(answer["skipped"][0]["reason"].as_str().unwrap().contains(lost.digest()));
    assert!(mock.logged().iter().any(|(level, line)| *level == Level::Warn && line.contains(digest.as_str())));
}

#[test]
fn layers_that_lie_elsewhere_are_left_behind_aloud() {
    let url = "https://content.example/layer";
    let base = layer("base").elsewhere(url).missing();
    let root = layered("windows/amd64", [base.clone(), layer("own")]);
    let mock = root.in_registry(Mock::new(Bundled));
    let source = format!("{}:1", build::REPOSITORY);
    let answer = copied(&mock, &source, TO, "");
    assert_eq!(answer["skipped"][0]["kind"], "layer");
    assert_eq!(answer["skipped"][0]["name"], base.digest());
    assert!(mock.logged().iter().any(|(level, line)| *level == Level::Warn && line.contains(url)));
    let Body::Text(text) = copy(&mock, &source, TO, "").unwrap().body else { panic!("no text") };
    assert!(text.contains(&format!("Skipped     the layer {}", base.digest())), "{text}");
}

#[test]
fn all_of_a_repository() {
    let root = index([image("linux/amd64").said("linux/amd64")]);
    let other = image("linux/arm64");
    let signature = attestation(Some(&other));
    let referrers = format!("sha256-{}", "a".repeat(64));
    let fill = |mock: Mock<Bundled>, repository: &str, names: &[(&str, &Built)]| {
        names.iter().fold(mock, |mock, (name, built)| built.in_repository(mock, repository, Some(name)))
    };
    let named = |mock: &Mock<Bundled>, repository: &str| {
        mock.named(repository).into_iter().map(|(name, root)| format!("{name} {}", root.digest)).collect::<Vec<_>>()
    };
    let pair = |name: &str, built: &Built| format!("{name} {}", built.digest());

    let tags = [("1", &root), ("latest", &root), (referrers.as_str(), &signature), ("2", &other)];
    let mock = signature.in_repository(fill(Mock::new(Bundled), "r.example/a", &tags), "r.example/a", None);
    let answer = copied(&mock, "r.example/a", TO, "all-tags");
    assert_eq!(named(&mock, TO), [pair("1", &root), pair("latest", &root), pair("2", &other)]);
    assert_eq!(answer["tags"][1], json!({"name": "latest", "root": root.descriptor.bare()}));
    assert_eq!(answer["referrers"].as_array().unwrap().len(), 1);
    assert!(reach(&mock, TO, &signature.descriptor).1.is_empty());
    // One call, in which everything is once.
    let copies: Vec<String> = mock.asked().into_iter().filter(|asked| asked.starts_with("copy")).collect();
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0].matches(image("linux/amd64").digest()).count(), 1);

    copied(&mock, "r.example/a", "oci-layout://new", "all-tags");
    let full = |tag: &str, built| pair(&format!("r.example/a:{tag}"), built);
    assert_eq!(named(&mock, "oci-layout://new"), [full("1", &root), full("latest", &root), full("2", &other)]);
    copied(&mock, "oci-layout://new", "registry.example/back", "all-tags no-referrers");
    assert_eq!(named(&mock, "registry.example/back"), [pair("1", &root), pair("latest", &root), pair("2", &other)]);
    copied(&mock, "oci-layout://new", "oci-layout://b/x.example/b", "all-tags");
    assert_eq!(named(&mock, "oci-layout://b")[2], pair("x.example/b:2", &other));

    // Names of a store that would be one tag.
    let store = fill(Mock::new(Bundled), "oci-layout://s", &[("a.example/a:1", &root), ("b.example/b:1", &other)]);
    let failure = copy(&store, "oci-layout://s", TO, "all-tags").unwrap_err();
    assert!(failure.message.contains("would be called 1"), "{failure}");
    copied(&store, "oci-layout://s", "oci-layout://t", "all-tags");
    assert_eq!(named(&store, "oci-layout://t"), [pair("a.example/a:1", &root), pair("b.example/b:1", &other)]);
}

#[test]
fn refusals() {
    let mock = layouts();
    for (source, target, options, says) in [
        ("acme/app:1.4", TO, "single platform=linux/amd64,linux/arm64", "--single"),
        ("acme/app", TO, "all-tags single", "--all-tags"),
        ("acme/app", TO, "all-tags platform=linux/amd64", "--all-tags"),
        ("acme/app:1.4", TO, "all-tags", "docker.io/acme/app"),
        ("acme/app", "registry.example/to:1", "all-tags", "registry.example/to"),
        ("oci-layout://umoci:latest", TO, "all-tags", "oci-layout://umoci"),
        ("acme/app", "oci-layout://new:1", "all-tags", "oci-layout://new"),
        ("acme/app", "oci-layout://new/a:1", "all-tags", "oci-layout://new"),
        ("acme/app:1.4", "oci-layout://new:.x", "", "neither a tag nor a name"),
        ("acme/app:1.4", "oci-layout://new/A", "", "lower-case"),
        ("acme/app:1.5", TO, "", "acme/app:1.5"),
        ("oci-layout://buildkit-multi:1.5", TO, "", "1.4"),
        ("registry.example/gone", TO, "all-tags", "no such repository"),
    ] {
        let failure = copy(&mock, source, target, options).unwrap_err();
        let said = format!("{failure} {}", failure.hint.clone().unwrap_or_default());
        assert!(said.contains(says), "{source} {target} {options}: {said}");
    }
    assert!(mock.asked().iter().all(|asked| !asked.starts_with("copy") && !asked.starts_with("push")));
}

/// A store with one platform of an image: what is missing is named, and what to do about it.
#[test]
fn a_part_of_an_image() {
    let here = layered("linux/amd64", [layer("here")]).said("linux/amd64");
    let gone = layered("linux/arm64", [layer("gone")]).said("linux/arm64");
    let bare = layered("linux/386", [layer("without layers").missing()]).said("linux/386");
    for (other, says) in [(gone.missing(), "for linux/arm64"), (bare, "no such content")] {
        let mock = index([here.clone(), other]).in_repository(Mock::new(Bundled), "oci-layout://part", Some("1"));
        let failure = copy(&mock, "oci-layout://part:1", TO, "").unwrap_err();
        assert!(failure.is_not_found() && failure.message.contains(says), "{failure:?}");
        assert!(failure.hint.unwrap().contains("--platform"));
        assert!(mock.named(TO).is_empty());
        copied(&mock, "oci-layout://part:1", TO, "platform=linux/amd64");
    }
}

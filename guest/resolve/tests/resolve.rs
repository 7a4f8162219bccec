//! `resolve` over layouts that real tools made, in a store and as a registry would serve them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::path::PathBuf;

use portolan_resolve::Resolve;
use portolan_sdk::mock::Mock;
use portolan_sdk::{Body, Failure, ImageResolver, Parts, Query, Response};
use portolan_strategy::Bundled;
use serde_json::{Value, json};

const MULTI: &str = "sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9";
const MULTI_AMD64: &str = "sha256:f2e8b1725960329e2fea1b3054864f5c395269b8d5d9ae35ae10722abb69964e";
const MULTI_ARM64: &str = "sha256:f8f13bc4429136ee05689e6bbf85e35bc8de090babe227617ec776620af99f3f";
const SINGLE: &str = "sha256:c4e51f9749e0d1799d2cdfcf82078dad19f461f01bf2d5ada10a8cedb2f258bc";

fn layouts() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/layouts"))
}

fn mock() -> Mock<Bundled> {
    Mock::new(Bundled)
        .folder(layouts())
        .registry("docker.io/acme/app", layouts().join("buildkit-multi"))
        .registry("docker.io/acme/single", layouts().join("buildkit-single"))
}

fn run(arguments: &str) -> Result<Response, Failure> {
    let arguments: Vec<(&str, &str)> =
        arguments.split_whitespace().map(|argument| argument.split_once('=').unwrap()).collect();
    mock().run::<Resolve>(&arguments)
}

fn text(arguments: &str) -> String {
    match run(arguments).unwrap_or_else(|failure| panic!("{arguments}: {failure:?}")).body {
        Body::Text(text) => text,
        other => panic!("{arguments}: {other:?}"),
    }
}

#[test]
fn texts() {
    for (arguments, expected) in [
        ("ref=acme/app:1.4", format!("docker.io/acme/app:1.4@{MULTI}")),
        ("ref=acme/app", format!("docker.io/acme/app@{MULTI}")),
        ("ref=docker://acme/app:1.4 digest=true", MULTI.to_owned()),
        ("ref=acme/app:1.4 platform=linux/arm64", format!("docker.io/acme/app:1.4@{MULTI_ARM64}")),
        ("ref=acme/app:1.4 platform=linux/arm64 digest=true", MULTI_ARM64.to_owned()),
        ("ref=oci-layout://buildkit-multi:1.4", format!("oci-layout://buildkit-multi:1.4@{MULTI}")),
        ("ref=oci-layout://buildkit-multi", format!("oci-layout://buildkit-multi@{MULTI}")),
        ("ref=oci-layout://buildkit-single:2 platform=amd64", format!("oci-layout://buildkit-single:2@{SINGLE}")),
        ("ref=oci-layout://buildkit-single:2 part=manifest digest=true", SINGLE.to_owned()),
    ] {
        assert_eq!(text(arguments), expected + "\n", "{arguments}");
    }
}

#[test]
fn a_digest_costs_one_question() {
    let mock = mock();
    mock.run::<Resolve>(&[("ref", "acme/app:1.4"), ("digest", "true")]).unwrap();
    assert_eq!(mock.asked(), ["resolve docker.io/acme/app:1.4"]);
}

#[test]
fn a_platform_costs_index_and_manifest() {
    let mock = mock();
    mock.run::<Resolve>(&[("ref", "acme/app:1.4"), ("platform", "linux/amd64"), ("format", "json")]).unwrap();
    assert_eq!(
        mock.asked(),
        ["resolve docker.io/acme/app:1.4", &format!("fetch {MULTI}"), &format!("fetch {MULTI_AMD64}")]
    );
}

#[test]
fn json_without_and_with_a_platform() {
    let parse = |arguments: &str| serde_json::from_str::<Value>(&text(arguments)).unwrap();
    let root = json!({"mediaType": "application/vnd.oci.image.index.v1+json", "digest": MULTI, "size": 3503});
    let platforms = json!(["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386"]);
    assert_eq!(
        parse("ref=oci-layout://buildkit-multi:1.4 format=json"),
        json!({
            "reference": "oci-layout://buildkit-multi:1.4",
            "platform": null, "root": root, "manifest": null, "config": null, "platforms": platforms,
        })
    );
    let chosen = parse("ref=acme/app:1.4 format=json platform=linux/arm64/v8");
    assert_eq!(chosen["reference"], "docker.io/acme/app:1.4");
    assert_eq!(chosen["platform"], "linux/arm64");
    assert_eq!((&chosen["root"], &chosen["platforms"]), (&root, &platforms));
    assert_eq!(chosen["manifest"]["digest"], MULTI_ARM64);
    assert_eq!(chosen["manifest"].as_object().unwrap().len(), 3);
    assert_eq!(chosen["config"]["mediaType"], "application/vnd.oci.image.config.v1+json");

    // A root that is a manifest is what it is, asked for or not.
    let single = parse("ref=oci-layout://buildkit-single:2 format=json");
    assert_eq!((&single["platform"], &single["platforms"]), (&json!("linux/amd64"), &json!(["linux/amd64"])));
    assert_eq!(single["root"], single["manifest"]);
}

#[test]
fn parts_are_bytes_as_stored() {
    for (arguments, digest) in [
        ("ref=oci-layout://buildkit-multi:1.4 part=index", MULTI),
        ("ref=oci-layout://buildkit-multi:1.4 part=manifest platform=linux/arm64", MULTI_ARM64),
        ("ref=oci-layout://buildkit-single:2 part=manifest", SINGLE),
    ] {
        let stored = layouts()
            .join(if arguments.contains("multi") { "buildkit-multi" } else { "buildkit-single" })
            .join("blobs")
            .join(digest.replace(':', "/"));
        assert_eq!(run(arguments).unwrap().body, Body::Bytes(std::fs::read(stored).unwrap()), "{arguments}");
    }
    let config = run("ref=oci-layout://buildkit-multi:1.4 part=config platform=linux/arm64").unwrap();
    assert_eq!(config.media_type, "application/vnd.oci.image.config.v1+json");
    let Body::Bytes(config) = config.body else { panic!("a config is bytes") };
    assert_eq!(serde_json::from_slice::<Value>(&config).unwrap()["architecture"], "arm64");
}

#[test]
fn failures() {
    for (arguments, message, hint, not_found) in [
        (
            "ref=oci-layout://buildkit-multi:1.4 platform=linux/s390x",
            "oci-layout://buildkit-multi:1.4 has no image for linux/s390x",
            "it is there for linux/amd64, linux/arm64, linux/arm/v7, linux/386",
            true,
        ),
        (
            "ref=oci-layout://buildkit-multi:1.4 part=config",
            "oci-layout://buildkit-multi:1.4 is an index: it has no config without a platform",
            "add --platform; it is there for linux/amd64, linux/arm64, linux/arm/v7, linux/386",
            false,
        ),
        (
            "ref=oci-layout://buildkit-single:2 part=index",
            "oci-layout://buildkit-single:2 has no index: it points at a manifest",
            "",
            true,
        ),
        (
            "ref=oci-layout://buildkit-multi:1.5",
            "cannot find oci-layout://buildkit-multi:1.5: nothing there has that name",
            "the nearest names there are docker.io/acme/app:1.4, docker.io/acme/app:latest",
            true,
        ),
        ("ref=acme/app:nope", "cannot resolve docker.io/acme/app:nope: no such tag or digest", "", true),
    ] {
        let failure = run(arguments).unwrap_err();
        assert_eq!(failure.message, message, "{arguments}");
        assert_eq!(failure.hint.as_deref().unwrap_or_default(), hint, "{arguments}");
        assert_eq!(failure.is_not_found(), not_found, "{arguments}");
    }
}

#[test]
fn build_hosts_ask_with_types() {
    let ask = |reference: &str, platform: Option<&str>, options: &[(&str, &str)]| {
        Resolve::resolve_image(
            &mock().machine("linux/arm64"),
            Query {
                reference: reference.to_owned(),
                platform: platform.map(str::to_owned),
                parts: Parts { config: true, ..Parts::default() },
                options: options.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            },
        )
    };
    // Nothing asked for is the machine's.
    let image = ask("acme/app:1.4", None, &[("expect-digest", MULTI), ("later", "?")]).unwrap();
    assert_eq!(image.repository, "docker.io/acme/app");
    assert_eq!(image.platform, "linux/arm64");
    assert_eq!(image.manifest.descriptor.digest.as_str(), MULTI_ARM64);
    assert_eq!(image.index.map(|index| (index.descriptor.size, index.bytes)), Some((3503, None)));
    assert_eq!(image.manifest.bytes, None);
    assert!(image.config.bytes.is_some());
    assert_eq!(image.platforms, ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386"]);

    // A manifest asked for without a platform is taken as it is, and only then.
    let single = ask("acme/single:2", None, &[]).unwrap();
    assert_eq!((single.platform.as_str(), single.index), ("linux/amd64", None));
    assert!(ask("acme/single:2", Some("linux/arm64"), &[]).unwrap_err().is_not_found());
    assert!(ask("acme/single:2", Some("linux/arm64"), &[("mode", "compat=build")]).is_ok());

    let wrong = ask("acme/app:1.4", None, &[("expect-digest", SINGLE)]).unwrap_err();
    assert_eq!(wrong.cause.map(|cause| cause.code).as_deref(), Some("digest-mismatch"));
    assert!(ask("acme/app:1.4", None, &[("mode", "loose")]).is_err());
}

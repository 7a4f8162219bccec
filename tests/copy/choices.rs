//! What may be chosen: platforms, one image, all tags; and what may not be written.

use portolan::source::registry::Registry as Client;
use portolan::{Bundled, Component, Grants, Host, Run};
use portolan_hostile::Hostile;
use portolan_tests::fixtures;
use portolan_tests::registry::Registry;
use serde_json::{Value, json};

use super::{cli, copied, digest};

const ARM64: &str = "sha256:f8f13bc4429136ee05689e6bbf85e35bc8de090babe227617ec776620af99f3f";

#[test]
fn platforms_of_an_index() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().unwrap();
    let portolan = cli(folder.path());
    let source = format!("oci-layout://{}:1.4", fixtures::layout("buildkit-multi").display());
    let mut narrowed = Vec::new();
    for target in
        [format!("{}/acme/app:two", registry.host()), "oci-layout://two:two".into(), "oci-archive://two.tar:two".into()]
    {
        let answer = copied(&portolan, &format!("{source} {target} --platform linux/amd64,linux/arm64"));
        assert_eq!(answer["platforms"], json!(["linux/amd64", "linux/arm64"]), "{target}");
        let seen: Value = serde_json::from_str(&portolan.ok(&format!("inspect {target} --format json"))).unwrap();
        assert_eq!(seen["images"].as_array().unwrap().len(), 2, "{target}");
        for image in seen["images"].as_array().unwrap() {
            assert_eq!(image["attestations"].as_array().unwrap().len(), 1, "{target}");
        }
        assert_eq!(seen["annotations"], json!({"org.opencontainers.image.description": "an-index"}), "{target}");
        assert_eq!(seen["root"], answer["root"], "{target}");
        narrowed.push(answer["root"].clone());
    }
    assert!(narrowed.windows(2).all(|pair| pair[0] == pair[1]), "the same everywhere: {narrowed:?}");
    let expected = fixtures::expected("imagetools-create-platforms.json");
    let written = portolan.ok("inspect oci-layout://two:two --raw");
    assert_eq!(
        serde_json::from_str::<Value>(&written).unwrap()["manifests"],
        serde_json::from_str::<Value>(&expected).unwrap()["manifests"]
    );

    let said = portolan.fails(2, &format!("copy {source} app.tar"));
    assert!(
        said.contains(
            "docker.io/library/app.tar, and looks like a file\nhint: a file is written oci-archive://app.tar"
        ),
        "{said}"
    );
    let said = portolan.fails(5, &format!("copy {source} oci-layout://none:1 --platform linux/s390x"));
    assert!(said.contains("linux/amd64"), "{said}");
    assert!(!folder.path().join("none").exists(), "nothing is written where there is nothing to write");
}

#[test]
fn one_image() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().unwrap();
    let portolan = cli(folder.path());
    let source = format!("oci-layout://{}:1.4", fixtures::layout("buildkit-multi").display());
    for target in [format!("{}/acme/app", registry.host()), "oci-layout://one".into()] {
        let answer = copied(&portolan, &format!("{source} {target} --single --platform linux/arm64"));
        assert_eq!(answer["root"]["digest"], ARM64, "{target}");
        assert_eq!(digest(&portolan, &format!("{target}:1.4")), ARM64, "{target}");
    }
    // A target's digest is a promise.
    let wrong = format!("copy {source} {}/acme/app:2@{ARM64}", registry.host());
    assert!(portolan.fails(1, &wrong).contains(ARM64));
    portolan.fails(5, &format!("resolve {}/acme/app:2", registry.host()));
    portolan.ok(&format!("{wrong} --single --platform linux/arm64"));
    assert_eq!(digest(&portolan, &format!("{}/acme/app:2", registry.host())), ARM64);
}

#[test]
fn all_tags() {
    let (one, other) = (Registry::start(), Registry::start());
    let folder = tempfile::tempdir().unwrap();
    let portolan = cli(folder.path());
    for (layout, tag, name) in
        [("buildkit-multi", "1.4", "1"), ("buildkit-multi", "1.4", "latest"), ("umoci", "latest", "2")]
    {
        let source = format!("oci-layout://{}:{tag}", fixtures::layout(layout).display());
        copied(&portolan, &format!("{source} {}/acme/app:{name}", one.host()));
    }
    let (from, to) = (format!("{}/acme/app", one.host()), format!("{}/acme/app", other.host()));
    for (source, target) in [(from.clone(), "oci-layout://all"), ("oci-layout://all".into(), to.as_str())] {
        let answer = copied(&portolan, &format!("{source} {target} --all-tags"));
        let mut names: Vec<&str> = answer["tags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tag| tag["name"].as_str().unwrap().rsplit(':').next().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["1", "2", "latest"], "{target}");
    }
    for tag in ["1", "2", "latest"] {
        let root = digest(&portolan, &format!("{from}:{tag}"));
        assert_eq!(digest(&portolan, &format!("{to}:{tag}")), root, "{tag}");
        assert_eq!(digest(&portolan, &format!("oci-layout://all:{tag}")), root, "{tag}");
    }
}

/// A run that may read the source and not write the target does not ask the target anything.
#[tokio::test]
async fn who_may_not_write_does_not() {
    let target = Hostile::play(vec![]);
    let registry = Client::builder().build().unwrap();
    let host = Host::builder().registry(registry).build().unwrap();
    let copy = host.load(Component::Bundled(Bundled::Copy)).await.unwrap();
    let layout =
        portolan::source::layout::Layout::open(&fixtures::layout("buildkit-multi"), "oci-layout://from").unwrap();
    let layout = std::sync::Arc::new(layout);
    let to = format!("{}/acme/app", target.host());
    // Not even the source is read.
    let from = format!("{}/acme/source:1", target.host());
    for grants in [Grants::new(), Grants::new().pull("*").unwrap(), Grants::new().push("other.example/*").unwrap()] {
        for (source, to) in [
            ("oci-layout://from:1.4", to.as_str()),
            ("oci-layout://from:1.4", "oci-layout://from:2"),
            (from.as_str(), to.as_str()),
        ] {
            let run = Run::new(&copy).store("from", layout.clone()).grants(grants.clone());
            let error = host.run(run.argument("src", source).argument("dst", to)).await.unwrap_err();
            assert_eq!(error.status(), 4, "{to}: {error}");
        }
    }
    let create = host.load(Component::Bundled(Bundled::Create)).await.unwrap();
    let run = Run::new(&create).grants(Grants::new().pull("*").unwrap());
    let error = host.run(run.argument("source", &from).argument("tag", &to)).await.unwrap_err();
    assert_eq!(error.status(), 4, "{error}");
    assert!(target.requests().is_empty(), "{:?}", target.asked());
}

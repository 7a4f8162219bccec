//! Images that a containerd has, inspected without a pull: Debian's containerd, filled by its own `ctr`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use portolan_tests::cli::Cli;
use portolan_tests::containerd::Containerd;
use portolan_tests::fixtures;
use portolan_tests::registry::{Registry, run};
use serde_json::Value;

fn portolan(containerd: &Containerd) -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder()).variable("CONTAINERD_ADDRESS", containerd.address())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Without what an answer says of where it was asked.
fn without_place(mut answer: Value) -> Value {
    if let Some(answer) = answer.as_object_mut() {
        answer.remove("reference");
        answer.remove("descriptorAnnotations");
    }
    answer
}

#[test]
fn what_a_daemon_has_is_what_was_put_into_it() {
    let containerd = Containerd::start();
    containerd.import("default", "registry.example/app", &fixtures::archive("oci-multi.tar"));
    let folder = tempfile::tempdir().unwrap();
    let tar = folder.path().join("umoci.tar");
    run(Command::new("tar").arg("-C").arg(fixtures::layout("umoci")).arg("-cf").arg(&tar).arg("."), "tar");
    containerd.import("k8s.io", "registry.example/node", &tar);
    let portolan = portolan(&containerd);
    // ctr names what it imports as index.json does, and puts the base before a tag.
    let tags = portolan.ok("tags containerd://default");
    assert_eq!(tags, portolan.ok("tags containerd://"));
    let name = tags.lines().next().unwrap().to_owned();
    let node = portolan.ok("tags containerd://k8s.io").lines().next().unwrap().to_owned();
    assert!(node.starts_with("registry.example/node:"), "{node}");

    for command in
        ["inspect --format json", "layers --format json", "resolve --format json", "inspect --sbom --format json"]
    {
        let here = portolan.line(&format!("{command} containerd://{name}"));
        let there = portolan.line(&format!("{command} oci-archive://archives/oci-multi.tar"));
        assert_eq!(here.status, there.status, "{command}\n{}\n{}", here.err, there.err);
        if there.status == 0 {
            assert_eq!(without_place(json(&here.out)), without_place(json(&there.out)), "{command}");
        }
    }
    // A namespace by name, by variable, and one that is none.
    let digest = portolan.ok(&format!("resolve --digest containerd://default/{name}"));
    assert_eq!(portolan.ok(&format!("resolve --digest containerd://{name}")), digest);
    let layers = portolan.ok(&format!("layers containerd://k8s.io/{node}"));
    assert_eq!(layers, portolan.ok("layers oci-layout://layouts/umoci"));
    let by_variable = self::portolan(&containerd).variable("CONTAINERD_NAMESPACE", "k8s.io");
    assert_eq!(by_variable.ok(&format!("layers containerd://{node}")), layers);
    let message = portolan.fails(5, &format!("resolve containerd://{node}"));
    assert!(message.contains("nothing there has that name") && message.contains(&name), "{message}");
    assert_eq!(portolan.ok(&format!("resolve --digest containerd://default@{}", digest.trim())), digest);
}

#[test]
fn what_was_pulled_for_one_platform_is_copied_and_the_rest_said_not_to_be_there() {
    let containerd = Containerd::start();
    let registry = Registry::start();
    registry.push(&format!("oci:{}:1.4", fixtures::layout("buildkit-multi").display()), "acme/app:1.4");
    let name = format!("{}/acme/app:1.4", registry.host());
    containerd.pull("default", &name, "linux/arm64");
    let portolan = portolan(&containerd);
    let all = portolan.ok(&format!("inspect containerd://default/{name}"));
    assert!(all.lines().any(|line| line.contains("linux/amd64") && line.ends_with("not here")), "{all}");
    assert!(all.lines().any(|line| line.contains("linux/arm64") && !line.ends_with("not here")), "{all}");
    let here = portolan.ok(&format!("layers --format json -p linux/arm64 containerd://default/{name} --jq .images"));
    let there = portolan.ok(&format!("layers --format json -p linux/arm64 {name} --jq .images"));
    assert_eq!(here, there);

    // Layers come out of it, too, compared with their digests.
    let out = tempfile::tempdir().unwrap();
    let target = format!("oci-layout://{}/new:1", out.path().display());
    portolan.ok(&format!("copy --platform linux/arm64 --single containerd://default/{name} {target}"));
    let copied = portolan.ok(&format!("layers --format json {target} --jq .images[0].layers"));
    assert_eq!(json(&copied), json(&here)[0]["layers"]);

    let message = portolan.fails(1, &format!("copy {name} containerd://default/acme/new:1"));
    assert!(message.contains("can only be read"), "{message}");
}

#[test]
fn a_daemon_that_is_not_there() {
    let portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder());
    for (address, expected) in [
        ("/nope/containerd.sock", "there is no such socket"),
        ("unix:///nope/containerd.sock", "there is no such socket"),
        ("containerd.sock", "CONTAINERD_ADDRESS: "),
    ] {
        let portolan =
            Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder()).variable("CONTAINERD_ADDRESS", address);
        let message = portolan.fails(1, "inspect containerd://alpine:3");
        assert!(message.contains(expected), "{address}\n{message}");
    }
    let message = portolan.fails(1, "inspect containerd://alpine:3");
    assert!(message.contains("/run/containerd/containerd.sock"), "{message}");
}

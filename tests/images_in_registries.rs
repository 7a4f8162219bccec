//! The images of the fixtures in real registries, through the command line: the same answers as from the layouts they
//! were pushed from, whether anybody may ask or only who has a password.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use portolan_tests::registry::{Registry, User, run};
use serde_json::{Value, json};

/// A layout, how a name in it is asked for, and the name it is pushed under.
const IMAGES: [(&str, &str, &str); 7] = [
    ("buildkit-multi", "1.4", "acme/app:1.4"),
    ("buildkit-artifact", "1", "acme/artifact:1"),
    ("buildkit-classic", "1", "acme/classic:1"),
    ("buildkit-sbom", "1", "acme/sbom:1"),
    ("buildkit-single", "2", "acme/single:2"),
    ("skopeo-names", "3.16", "library/alpine:3.16"),
    ("umoci", "latest", "u/moci:latest"),
];
const ALICE: User = User { name: "alice", password: "correct:horse" };

fn cli() -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder().join("layouts"))
}

fn fill(registry: &Registry) {
    for (layout, tag, name) in IMAGES {
        // skopeo finds an entry by the text of ref.name.
        registry.push(&format!("oci:{}:{tag}", fixtures::layout(layout).display()), name);
    }
}

/// What must be the same wherever an image lies: all but the name, and what only a layout's index.json says.
fn essence(text: &str) -> Value {
    let mut value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    value["reference"] = Value::Null;
    // A layout whose index.json points straight at a manifest says of the image what it says of the root.
    let images = value["images"].as_array().map_or(0, Vec::len);
    let single = images == 1 && value["images"][0]["descriptor"]["digest"] == value["root"]["digest"];
    value["descriptorAnnotations"] = Value::Null;
    if single {
        value["images"][0]["descriptorAnnotations"] = Value::Null;
    }
    value
}

fn compare(portolan: &Cli, registry: &Registry) {
    for (layout, tag, name) in IMAGES {
        let (here, there) = (format!("oci-layout://{layout}:{tag}"), format!("{}/{name}", registry.host()));
        for command in ["inspect", "layers", "resolve"] {
            let ask = |reference: &str| essence(&portolan.ok(&format!("{command} {reference} --format json")));
            let (here, there) = (ask(&here), ask(&there));
            for (key, value) in here.as_object().unwrap() {
                assert_eq!(value, &there[key], "{command} {name}: {key}");
            }
        }
        let raw = |reference: &str| portolan.line(&format!("inspect {reference} --raw")).bytes;
        assert_eq!(raw(&here), raw(&there), "{name}");
        let digest = portolan.ok(&format!("resolve {there} --digest"));
        let by_digest = format!("{}@{}", there.rsplit_once(':').unwrap().0, digest.trim());
        assert_eq!(portolan.ok(&format!("resolve {by_digest} --digest")), digest);
    }
    let arm = format!("resolve {}/acme/app:1.4 --platform linux/arm64 --digest", registry.host());
    assert_eq!(portolan.ok(&arm), "sha256:f8f13bc4429136ee05689e6bbf85e35bc8de090babe227617ec776620af99f3f\n");
}

#[test]
fn a_registry_for_anybody() {
    let registry = Registry::start();
    fill(&registry);
    compare(&cli(), &registry);
    let portolan = cli();
    let said = portolan.fails(5, &format!("resolve {}/acme/app:2", registry.host()));
    assert!(said.contains("acme/app:2") && said.contains("404"), "{said}");
    let said = portolan.fails(5, &format!("inspect {}/nobody/nothing", registry.host()));
    assert!(said.contains("nobody/nothing"), "{said}");
}

#[test]
fn a_registry_for_one_user() {
    let registry = Registry::for_user(ALICE);
    fill(&registry);

    let nobody = cli();
    let said = nobody.fails(1, &format!("resolve {}/acme/app:1.4", registry.host()));
    assert!(said.contains("401"), "{said}");

    let by_file = cli();
    let auth = base64(&format!("{}:{}", ALICE.name, ALICE.password));
    docker_config(&by_file, &json!({ "auths": { registry.host(): { "auth": auth } } }));
    compare(&by_file, &registry);

    let helpers = tempfile::tempdir().unwrap();
    let helper = helpers.path().join("docker-credential-portolan-test");
    let answer = json!({ "ServerURL": registry.host(), "Username": ALICE.name, "Secret": ALICE.password });
    let script = format!("#!/bin/sh\ncat >/dev/null\n[ \"$1\" = get ] && echo '{answer}'\n");
    // A shell writes the script: a file that this process has open cannot be executed while another test forks.
    run(Command::new("sh").args(["-c", "printf %s \"$1\" > \"$2\"", "sh", &script]).arg(&helper), "dash");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", helpers.path().display(), std::env::var("PATH").unwrap());
    let by_helper = cli().variable("PATH", path);
    docker_config(&by_helper, &json!({ "credHelpers": { registry.host(): "portolan-test" } }));
    compare(&by_helper, &registry);

    let wrong = cli();
    docker_config(&wrong, &json!({ "auths": { registry.host(): { "username": ALICE.name, "password": "hunter2" } } }));
    let said = wrong.fails(1, &format!("resolve {}/acme/app:1.4", registry.host()));
    assert!(said.contains("401") && !said.contains("hunter2"), "{said}");
}

fn docker_config(cli: &Cli, config: &Value) {
    let folder = cli.home().join(".docker");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}

fn base64(text: &str) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(text)
}

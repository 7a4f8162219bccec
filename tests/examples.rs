//! The examples for build hosts, run as their heads say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use portolan_tests::registry::Registry;
use portolan_tests::{fixtures, guests};

const ROOT: &str = "sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9";
const AMD64: &str = "sha256:f2e8b1725960329e2fea1b3054864f5c395269b8d5d9ae35ae10722abb69964e";

fn example(name: &str, home: &Path) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_portolan")).with_file_name("examples").join(name);
    assert!(
        program.exists(),
        "cargo test builds the example {name}, but not with --test: `cargo build --examples --package portolan` does"
    );
    let mut command = Command::new(program);
    command.env("HOME", home).env_remove("XDG_CONFIG_HOME").current_dir(home);
    command
}

fn ok(output: &Output) -> (String, String) {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{out}{err}");
    (out, err)
}

fn image() -> String {
    format!("oci:{}:1.4", fixtures::layout("buildkit-multi").display())
}

#[test]
fn bases_are_locked_all_or_none() {
    let (registry, folder) = (Registry::start(), tempfile::tempdir().unwrap());
    registry.push(&image(), "acme/base:1");
    let base = format!("{}/acme/base:1", registry.host());
    let layout = format!("oci-layout://{}:1.4", fixtures::layout("buildkit-multi").display());
    let mut lock = example("lock-bases", folder.path());
    ok(&lock.args(["linux/amd64", "bases.lock", &base, &layout]).output().unwrap());
    let written = fs::read_to_string(folder.path().join("bases.lock")).unwrap();
    assert_eq!(written, format!("{base} {ROOT} {AMD64}\n{layout} {ROOT} {AMD64}\n"));

    let absent = format!("{}/acme/base:2", registry.host());
    let mut lock = example("lock-bases", folder.path());
    let output = lock.args(["linux/amd64", "other.lock", &base, &absent]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(&absent), "{said}");
    assert!(!folder.path().join("other.lock").exists());
}

#[test]
fn a_host_has_its_own_frontend_and_strategy() {
    let folder = tempfile::tempdir().unwrap();
    let [frontend, strategy] = ["hostile", "strategy"].map(|name| guests::build(name, env!("CARGO_TARGET_TMPDIR")));
    let run = |arguments: &[&str]| {
        let mut own = example("own-judgement", folder.path());
        own.args([&frontend, &strategy]).arg(fixtures::layout("buildkit-multi")).args(arguments).output().unwrap()
    };
    let (out, err) = ok(&run(&["do=behave"]));
    assert_eq!(out, "good\n");
    assert!(err.contains("imports portolan:oci/") && err.contains("of computing"), "{err}");
    let (_, err) = ok(&run(&["do=entries", "with=oci-layout://here"]));
    assert!(err.contains("entries oci-layout://here: ok"), "{err}");
    // It was granted nothing else.
    let denied = run(&["do=resolve", "with=docker.io/library/alpine:3"]);
    let said = String::from_utf8_lossy(&denied.stderr).into_owned();
    assert!(!denied.status.success() && said.contains("resolve docker.io/library/alpine:3: denied"), "{said}");
}

#[test]
fn a_tag_is_watched() {
    let (registry, folder) = (Registry::start(), tempfile::tempdir().unwrap());
    registry.push(&image(), "acme/app:stable");
    let name = format!("{}/acme/app:stable", registry.host());
    let mut watch = example("watch-tag", folder.path());
    let mut watching = watch.args([&name, "0.1", "600"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), format!("{name} {ROOT}"));
    registry.push(&format!("oci:{}:1", fixtures::layout("buildkit-sbom").display()), "acme/app:stable");
    let moved = lines.next().unwrap().unwrap();
    assert!(moved.starts_with(&format!("{name} sha256:")) && !moved.ends_with(ROOT), "{moved}");
    watching.kill().unwrap();
    watching.wait().unwrap();
}

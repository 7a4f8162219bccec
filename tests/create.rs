//! `portolan create` against `docker-buildx imagetools create` of buildx 0.36, from layouts and real registries, into
//! registries: the same documents to the byte, the same digests.
//!
//! What the real tool prints is recorded in `fixtures/expected` and compared always; where the program is on the machine it
//! is asked too. `BLESS=1` has it write the recorded files anew; nothing else ever does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use portolan_tests::buildx::Buildx;
use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use portolan_tests::olareg;
use portolan_tests::registry::{Registry, run};
use serde_json::Value;

/// Why a layout's image and the same image in a registry make one index here.
const STATEMENTS: &str = "a statement comes in that refers to the image by its manifest: imagetools does the same of a \
    registry, and in a layout looks at entries alone, so that one image would make two indexes";

/// Every command line of `fixtures/expected/create*.txt` that we mean to answer otherwise, and why.
const DIFFERENT: [(&str, &str); 9] = [
    ("annotation-manifest", "we annotate manifests: imagetools does not yet"),
    ("annotation-without-type", "without a type that is what is meant, as in docker buildx build"),
    ("annotation-docker", "a Docker list has no annotations: imagetools drops them in silence"),
    ("attestation-alone", "an artifact is for no platform: imagetools writes the machine's system and no architecture"),
    ("two-digests", STATEMENTS),
    ("file-descriptor", STATEMENTS),
    ("file-descriptors", STATEMENTS),
    ("registry-file-newline", "an editor ends a file with a newline: imagetools then finds the digest malformed"),
    (
        "registry-descriptor-beside",
        "imagetools takes REPOSITORY:latest for a descriptor beside a reference, whatever it says",
    ),
];

fn layouts() -> PathBuf {
    fixtures::folder().join("layouts")
}

fn cli() -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), layouts())
}

/// The command lines of a file, by name.
fn lines(file: &str) -> Vec<(String, String)> {
    let split = |line: &str| line.split_once(": ").map(|(name, line)| (name.to_owned(), line.to_owned()));
    fixtures::expected(file).lines().map(|line| split(line).expect("NAME: ARGUMENTS")).collect()
}

/// What the real tool answers with `--dry-run`: as recorded, and as it says now where it is there. No text is a failure.
fn theirs(buildx: Option<&Buildx>, name: &str, line: &str, at: &str) -> Option<String> {
    let file = |end: &str| fixtures::folder().join("expected").join(format!("imagetools-create-{name}.{end}"));
    let now = buildx.map(|buildx| {
        buildx
            .imagetools(&layouts(), &format!("create --dry-run {line}"))
            .map(|printed| String::from_utf8(printed).expect("JSON"))
    });
    if let (Some(now), true) = (&now, std::env::var_os("BLESS").is_some()) {
        let (there, gone, text) = match now {
            Ok(printed) => ("json", "err", printed.clone()),
            Err(complaint) if at.is_empty() => ("err", "json", format!("{complaint}\n")),
            Err(complaint) => ("err", "json", format!("{}\n", complaint.replace(at, "HOST"))),
        };
        let _ = fs::remove_file(file(gone));
        fs::write(file(there), text).unwrap();
    }
    let recorded = fs::read_to_string(file("json")).ok();
    assert!(recorded.is_some() || file("err").is_file(), "{name} is not recorded: BLESS=1 asks docker-buildx");
    if let Some(now) = now {
        assert_eq!(now.ok(), recorded, "what is recorded of {name} is not what docker-buildx prints: {line}");
    }
    recorded
}

/// Compares a table of command lines; `at` is what stands for HOST in them.
fn compare(table: &str, at: &str) {
    let (portolan, buildx) = (cli(), Buildx::find());
    if buildx.is_none() {
        println!("docker-buildx is not on this machine: compared with what it printed when it was asked last");
    }
    let mut wrong = Vec::new();
    for (name, line) in lines(table) {
        let line = line.replace("HOST", at);
        let theirs = theirs(buildx.as_ref(), &name, &line, at);
        let ours = portolan.line(&format!("create --dry-run {line}"));
        let same = match &theirs {
            Some(theirs) => ours.status == 0 && ours.out == *theirs,
            None => ours.status != 0,
        };
        if same == DIFFERENT.iter().any(|(different, _)| *different == name) {
            let theirs = theirs.unwrap_or_default();
            wrong.push(format!("{name}: {line}\nours ({}):\n{}{}\ntheirs:\n{theirs}", ours.status, ours.out, ours.err));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn fill(registry: &Registry) {
    for (layout, tag, name) in [
        ("buildkit-multi", "1.4", "acme/app:1.4"),
        ("buildkit-sbom", "1", "acme/sbom:1"),
        ("buildkit-single", "2", "acme/single:2"),
        ("umoci", "latest", "acme/app:old"),
        ("umoci", "latest", "acme/app:latest"),
    ] {
        registry.push(&format!("oci:{}:{tag}", fixtures::layout(layout).display()), name);
    }
}

/// The bytes that a registry has under a name, as skopeo gets them.
fn raw(host: &str, name: &str) -> Vec<u8> {
    run(
        Command::new("skopeo").args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{host}/{name}")]),
        "skopeo",
    )
    .stdout
}

#[test]
fn from_layouts_the_documents_are_the_real_tools() {
    compare("create.txt", "");
}

#[test]
fn from_registries_the_documents_are_the_real_tools() {
    let registry = Registry::start();
    fill(&registry);
    compare("create-registry.txt", registry.host());
}

/// Written by both to one registry, to another repository than the sources', everything below along.
#[test]
fn what_is_pushed_is_the_real_tools() {
    let registry = Registry::start();
    fill(&registry);
    let host = registry.host();
    let (portolan, buildx) = (cli(), Buildx::find());
    for (name, line) in lines("create-registry.txt") {
        let line = line.replace("HOST", host);
        let recorded = fixtures::folder().join("expected").join(format!("imagetools-create-{name}.json"));
        let different = DIFFERENT.iter().any(|(different, _)| *different == name);
        // With another target than the sources' repository, imagetools does not know where a digest alone belongs.
        let alone = line.contains(" sha256:") || line.contains("-f ");
        if different || alone || !recorded.is_file() || line.contains("--append") {
            continue;
        }
        let metadata = portolan.home().join("metadata.json");
        portolan.ok(&format!("create -t {host}/ours/{name}:1 --metadata-file {} {line}", metadata.display()));
        let pushed = raw(host, &format!("ours/{name}:1"));
        assert_eq!(String::from_utf8(pushed).unwrap() + "\n", fs::read_to_string(recorded).unwrap(), "{name}");
        // skopeo takes all of it back, so all of it is there.
        let back = tempfile::tempdir().unwrap();
        registry.pull(&format!("ours/{name}:1"), &format!("dir:{}", back.path().display()));
        let metadata: Value = serde_json::from_slice(&fs::read(metadata).unwrap()).unwrap();
        if let Some(buildx) = &buildx {
            let theirs = portolan.home().join("theirs.json");
            let line = format!("create -t {host}/theirs/{name}:1 --metadata-file {} {line}", theirs.display());
            buildx.imagetools(&layouts(), &line).unwrap();
            assert_eq!(raw(host, &format!("ours/{name}:1")), raw(host, &format!("theirs/{name}:1")), "{name}");
            let theirs: Value = serde_json::from_slice(&fs::read(theirs).unwrap()).unwrap();
            assert_eq!(metadata["containerimage.descriptor"], theirs["containerimage.descriptor"], "{name}");
            let ours = metadata["image.name"].as_str().unwrap();
            assert_eq!(Some(ours.replace("/ours/", "/theirs/").as_str()), theirs["image.name"].as_str(), "{name}");
        }
    }
}

/// The same into layouts, which the real tool and skopeo read.
#[test]
fn what_is_written_into_layouts_is_the_real_tools() {
    let folder = tempfile::tempdir().unwrap();
    let (portolan, buildx) = (cli(), Buildx::find());
    for (name, line) in lines("create.txt") {
        let recorded = fixtures::folder().join("expected").join(format!("imagetools-create-{name}.json"));
        let different = DIFFERENT.iter().any(|(different, _)| *different == name);
        if different || !recorded.is_file() || line.contains("-t ") {
            continue;
        }
        let out = folder.path().join(&name);
        let at = format!("oci-layout://{}:1", out.display());
        portolan.ok(&format!("create -t {at} {line}"));
        let recorded = fs::read_to_string(recorded).unwrap();
        assert_eq!(portolan.ok(&format!("inspect --raw {at}")) + "\n", recorded, "{name}");
        if let Some(buildx) = &buildx {
            let read = buildx.imagetools(&layouts(), &format!("inspect --raw {at}")).unwrap();
            assert_eq!(String::from_utf8(read).unwrap() + "\n", recorded, "{name}");
        }
        // Statements that their subject's index names need no entry of their own.
        let index: Value = serde_json::from_slice(&fs::read(out.join("index.json")).unwrap()).unwrap();
        assert_eq!(index["manifests"].as_array().unwrap().len(), 1, "{name}: {index}");
        // skopeo takes all of it out again, but for Docker's types in an OCI index, which it would have to convert.
        if !recorded.contains("vnd.docker.distribution") {
            let back = tempfile::tempdir().unwrap();
            let mut skopeo = Command::new("skopeo");
            skopeo.args(["--insecure-policy", "copy", "--all", "--preserve-digests"]);
            skopeo.arg(format!("oci:{}:1", out.display())).arg(format!("dir:{}", back.path().display()));
            run(&mut skopeo, "skopeo");
        }
        whole(&out, index["manifests"][0]["digest"].as_str().unwrap());
    }
}

/// Everything below a digest is in a layout.
fn whole(layout: &Path, digest: &str) {
    let file = layout.join("blobs").join(digest.replace(':', "/"));
    let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let Ok(document) = serde_json::from_slice::<Value>(&bytes) else { return };
    let list = |key: &str| document[key].as_array().cloned().unwrap_or_default();
    let config = document.get("config").filter(|config| config["digest"].is_string()).cloned();
    for child in list("manifests").into_iter().chain(list("layers")).chain(config) {
        whole(layout, child["digest"].as_str().unwrap());
    }
}

/// A registry that keeps referrers: signatures and statements go along, and a statement comes in beside its image.
#[test]
fn what_refers_to_an_image_goes_along() {
    let olareg = olareg::start();
    let host = olareg.host();
    let portolan = cli();
    let image = "oci-layout://buildkit-sbom@sha256:e6b7073ee7b223ad56f5d038a29838b00ac84268fb3e5440f6e53d1c9e130b6a";
    let statement = "sha256:e0096984d2e84dd7edf652e97d8faea6683324a5a47f5b4b6d8ff043cbee8373";
    portolan.ok(&format!("create --prefer-index=false -t {host}/acme/amd:1 {image}"));
    let made = portolan.ok(&format!("create --dry-run {host}/acme/amd:1"));
    let document: Value = serde_json::from_str(&made).unwrap();
    let digests: Vec<&str> =
        document["manifests"].as_array().unwrap().iter().map(|entry| entry["digest"].as_str().unwrap()).collect();
    assert_eq!(digests.last(), Some(&statement));
    assert_eq!(digests.len(), 2);
    if let Some(buildx) = Buildx::find() {
        let theirs = buildx.imagetools(&layouts(), &format!("create --dry-run {host}/acme/amd:1")).unwrap();
        assert_eq!(made, String::from_utf8(theirs).unwrap());
    }
}

/// A digest alone names no repository, so nothing is granted for it and nobody is asked.
#[test]
fn a_digest_alone_belongs_to_what_is_named_beside_it() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let said = cli().fails(1, &format!("create --dry-run {digest}"));
    assert!(said.contains("nothing says in which repository"), "{said}");
}

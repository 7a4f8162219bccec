//! The gallery of examples (`docs/gallery.md`): each builds, passes its own tests, is as small as the page says, and answers
//! on the command line, from layouts and from real registries.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use portolan_tests::authors::{Examples, Way};
use portolan_tests::book::{Shell, docs};
use portolan_tests::cli::Cli;
use portolan_tests::registry::{Registry, run};
use portolan_tests::{fixtures, olareg};
use serde_json::{Value, json};

/// The crates in `guest/examples`.
const GALLERY: [&str; 9] = [
    "base-image",
    "licenses",
    "mirrors",
    "newest-tag",
    "real-platforms",
    "runs-as",
    "same-content",
    "strategy-newest-tag",
    "strategy-or-amd64",
];

const MULTI: &str = "sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9";
const SBOM: &str = "sha256:f880d241d4d837c652a3c729bebfea9d7f4387d439e93b9e5a8317cdff0dae9f";
const SINGLE: &str = "sha256:c4e51f9749e0d1799d2cdfcf82078dad19f461f01bf2d5ada10a8cedb2f258bc";
/// The one layer that the images of buildkit-multi and buildkit-single have.
const CHAIN_ID: &str = "sha256:d8bdb7f884d97bd27176b258fbb4aeaf71b287a7aa532fa35e02c32202919002";

fn examples() -> Examples {
    Examples::new(env!("CARGO_TARGET_TMPDIR"))
}

/// A component, built once however many tests ask for it: they run side by side, and it is written where it lies.
fn component(name: &str) -> &'static Path {
    static BUILT: OnceLock<BTreeMap<&str, PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| GALLERY.map(|name| (name, examples().rust(name, Way::Unknown))).into());
    built.get(name).unwrap_or_else(|| panic!("{name} is not in the gallery"))
}

fn layouts() -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder().join("layouts"))
}

/// What `run NAME WORDS` prints, which must end with this status.
fn ask(portolan: &Cli, status: i32, name: &str, words: &str) -> String {
    let printed = portolan.line(&format!("run {} {words}", component(name).display()));
    assert_eq!(printed.status, status, "{name} {words}\n{}{}", printed.out, printed.err);
    printed.out
}

/// What `run NAME WORDS` complains of.
fn fails(portolan: &Cli, status: i32, name: &str, words: &str) -> String {
    portolan.fails(status, &format!("run {} {words}", component(name).display()))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn skopeo_name(layout: &str) -> String {
    let (layout, name) = layout.split_once(':').unwrap();
    format!("oci:{}:{name}", fixtures::layout(layout).display())
}

#[test]
fn each_is_small_and_on_the_page() {
    let page = fs::read_to_string(docs().join("gallery.md")).unwrap();
    let mut crates: Vec<String> = fs::read_dir(Examples::folder(""))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    crates.sort();
    assert_eq!(crates, GALLERY);
    for name in GALLERY {
        let source = fs::read_to_string(Examples::folder(name).join("src/lib.rs")).unwrap();
        assert!(source.lines().count() < 150, "{name} has {} lines", source.lines().count());
        assert!(source.starts_with("//! A "), "{name} does not say what it is");
        let size = fs::metadata(component(name)).unwrap().len();
        assert!(size <= 400 * 1024, "{name} is {size} bytes");
        assert!(page.contains(&format!("(../guest/examples/{name}/src/lib.rs)")), "{name} is not on the page");
    }
}

#[test]
fn their_own_tests_pass() {
    examples().test_all();
}

/// A description has become a command line.
#[test]
fn frontends_are_commands() {
    let portolan = layouts();
    for name in GALLERY.into_iter().filter(|name| !name.starts_with("strategy-")) {
        let file = component(name).display();
        let described = parsed(&portolan.ok(&format!("describe {file} --format json")));
        assert_eq!((&described["name"], &described["version"]), (&json!(name), &json!("1.0.0")));
        assert_eq!(described["formats"], json!(["text", "json"]), "{name}");
        let parameters = described["parameters"].as_array().unwrap();
        assert_eq!((&parameters[0]["name"], &parameters[0]["kind"]), (&json!("ref"), &json!("pull-reference")));
        let ours = |import: &Value| import.as_str().unwrap().starts_with("portolan:oci/");
        assert!(described["imports"].as_array().unwrap().iter().all(ours), "{described:#}");
        assert!(portolan.ok(&format!("run {file} --help")).contains("--format <FORMAT>"), "{name}");
        fails(&portolan, 2, name, "");
        fails(&portolan, 2, name, "oci-layout://umoci --nope");
    }
}

#[test]
fn real_platforms() {
    let portolan = layouts();
    for (reference, expected) in [
        ("buildkit-multi:1.4", "linux/amd64\nlinux/arm64\nlinux/arm/v7\nlinux/386\n"),
        ("buildkit-single:2", "linux/amd64\n"),
        ("crane-nested:1", "windows"),
    ] {
        let said = ask(&portolan, 0, "real-platforms", &format!("oci-layout://{reference}"));
        assert!(said.starts_with(expected), "{reference}: {said}");
    }
    let multi = "oci-layout://buildkit-multi:1.4";
    ask(&portolan, 0, "real-platforms", &format!("{multi} -w linux/arm64/v8 -w 386"));
    let said = ask(&portolan, 10, "real-platforms", &format!("{multi} --wanted linux/arm64,linux/s390x"));
    assert!(said.ends_with("wanted, and not there: linux/s390x\n"), "{said}");
    let said = parsed(&ask(&portolan, 0, "real-platforms", &format!("{multi} --format json")));
    assert_eq!(said["images"].as_array().unwrap().len(), 4);
    assert_eq!((&said["missing"], &said["lacking"]), (&json!([]), &json!([])));
    assert!(fails(&portolan, 5, "real-platforms", "oci-layout://buildkit-multi:nope").contains("nope"));
}

#[test]
fn base_image() {
    let portolan = layouts();
    let multi = "oci-layout://buildkit-multi:1.4";
    let candidates = "-c oci-layout://umoci --candidate oci-layout://buildkit-sbom:1 -c oci-layout://buildkit-single:2";
    let said = ask(&portolan, 0, "base-image", &format!("{multi} {candidates} --platform linux/amd64"));
    assert_eq!(said, "oci-layout://buildkit-single:2  its lowest layers: 1\n");
    let said = parsed(&ask(&portolan, 0, "base-image", &format!("{multi} {candidates} -p linux/amd64 --format json")));
    assert_eq!(
        said,
        json!({"reference": multi, "base": "oci-layout://buildkit-single:2", "by": "layers", "layers": 1})
    );
    let said = fails(&portolan, 5, "base-image", &format!("{multi} -c oci-layout://umoci -p linux/amd64"));
    assert!(said.contains("is built on none of these") && said.contains("hint: "), "{said}");
    // A candidate that is not there for the platform is none.
    fails(&portolan, 5, "base-image", &format!("{multi} -c oci-layout://buildkit-single:2 -p linux/arm64"));
    fails(&portolan, 5, "base-image", &format!("{multi} -c oci-layout://nowhere:1"));
    fails(&portolan, 2, "base-image", multi);
}

#[test]
fn licenses() {
    let portolan = layouts();
    let said = ask(&portolan, 0, "licenses", "oci-layout://buildkit-sbom:1 --deny GPL-3.0*");
    assert_eq!(said, "LICENSE     PACKAGES\nApache-2.0         1\n");
    let said = parsed(&ask(&portolan, 10, "licenses", "oci-layout://regctl-attested:2 --deny Zlib --format json"));
    assert_eq!(said["denied"], json!({"Zlib": ["zlib 1.3.1"]}));
    assert_eq!(said["licenses"].as_object().unwrap().len(), 3, "{said:#}");
    // A choice is denied where all of it is.
    ask(&portolan, 0, "licenses", "oci-layout://regctl-attested:2 --deny MIT");
    let said = ask(&portolan, 10, "licenses", "oci-layout://regctl-attested:2 --deny MIT --deny apache-*");
    assert!(said.contains("MIT OR Apache-2.0         1  core 2\n"), "{said}");
    let said = fails(&portolan, 5, "licenses", "oci-layout://buildkit-classic:1");
    assert!(said.contains("has no SBOM") && said.contains("hint: "), "{said}");
}

/// What refers to an image in a registry that lists referrers is read there, as it is in a layout.
#[test]
fn licenses_in_a_registry() {
    let (portolan, registry) = (layouts(), olareg::start());
    let attested = format!("{}/acme/single:2", registry.host());
    portolan.ok(&format!("copy oci-layout://regctl-attested:2 {attested}"));
    let there = ask(&portolan, 10, "licenses", &format!("{attested} --deny zlib"));
    assert_eq!(there, ask(&portolan, 10, "licenses", "oci-layout://regctl-attested:2 --deny zlib"));
}

#[test]
fn same_content() {
    let portolan = layouts();
    let folder = tempfile::tempdir().unwrap();
    let anew = format!("oci:{}:2", folder.path().join("anew").display());
    let copy = ["--insecure-policy", "copy", "--dest-compress-format", "zstd"];
    run(Command::new("skopeo").args(copy).args([skopeo_name("buildkit-single:2"), anew]), "skopeo");
    let (single, anew) = ("oci-layout://buildkit-single:2", format!("oci-layout://{}/anew:2", folder.path().display()));
    assert_ne!(portolan.ok(&format!("resolve {single} --digest")), portolan.ok(&format!("resolve {anew} --digest")));
    let said = ask(&portolan, 0, "same-content", &format!("{single} {anew}"));
    assert_eq!(said, format!("linux/amd64  same  {CHAIN_ID}\n"));

    let multi = "oci-layout://buildkit-multi:1.4";
    ask(&portolan, 0, "same-content", &format!("{multi} {single} --platform linux/amd64"));
    let said = parsed(&ask(&portolan, 10, "same-content", &format!("{single} {multi} --format json")));
    assert_eq!((&said["same"], &said["platforms"][1]["same"]), (&json!(false), &json!(true)), "{said:#}");
    assert!(said["platforms"][0].get("one").is_none() && said["platforms"][0]["other"] == CHAIN_ID, "{said:#}");
    ask(&portolan, 0, "same-content", "oci-layout://buildkit-sbom:1 oci-layout://buildkit-classic:1");
    ask(&portolan, 10, "same-content", &format!("oci-layout://buildkit-sbom:1 {multi} -p linux/arm64"));
    fails(&portolan, 5, "same-content", &format!("{single} {multi} -p linux/arm64"));
}

#[test]
fn newest_tag() {
    let (portolan, registry) = (layouts(), Registry::start());
    for tag in ["1", "1.4", "1.4.2", "v1.4.10", "1.10.0", "2.0.0-rc.1", "latest"] {
        registry.push(&skopeo_name("umoci:latest"), &format!("acme/app:{tag}"));
    }
    let app = format!("{}/acme/app", registry.host());
    for (words, expected) in [
        ("--range ~1.4", "v1.4.10"),
        ("-r ^1", "1.10.0"),
        ("-r 1.x", "1.10.0"),
        ("-r =1.4.0", "1.4"),
        ("-r <1.4.3", "1.4.2"),
        ("", "1.10.0"),
        ("-r ^2 --pre-releases", "2.0.0-rc.1"),
    ] {
        let said = ask(&portolan, 0, "newest-tag", &format!("{app} {words}"));
        assert_eq!(said, format!("{expected}\n"), "{words}");
    }
    let said = parsed(&ask(&portolan, 0, "newest-tag", &format!("{app} -r ~1.4 --format json")));
    assert_eq!(said, json!({"reference": format!("{app}:v1.4.10"), "tag": "v1.4.10", "version": "1.4.10"}));
    let said = fails(&portolan, 5, "newest-tag", &format!("{app} -r ^2"));
    assert!(said.contains("hint: 2.0.0-rc.1 is a pre-release; add --pre-releases"), "{said}");
    let said = fails(&portolan, 1, "newest-tag", &format!("{app}:1"));
    assert!(said.contains(&format!("hint: write {app}\n")), "{said}");
    assert!(fails(&portolan, 1, "newest-tag", "oci-layout://umoci").contains("it is a store"));
}

#[test]
fn mirrors() {
    let (portolan, original, mirror) = (layouts(), Registry::start(), Registry::start());
    for (registry, layout, name) in [
        (&original, "buildkit-multi:1.4", "acme/app:1"),
        (&mirror, "buildkit-multi:1.4", "acme/app:1"),
        (&original, "buildkit-multi:1.4", "acme/app:2"),
        (&mirror, "buildkit-sbom:1", "acme/app:2"),
    ] {
        registry.push(&skopeo_name(layout), name);
    }
    let (a, b) = (format!("{}/acme/app", original.host()), format!("{}/acme/app", mirror.host()));
    let said = ask(&portolan, 0, "mirrors", &format!("{a}:1 {b}:1 oci-layout://buildkit-multi:1.4"));
    assert!(said.lines().all(|line| line.starts_with("same ") && line.ends_with(MULTI)), "{said}");
    let said = ask(&portolan, 10, "mirrors", &format!("{a}:2 {b}:2 {b}:nope"));
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("same ") && lines[0].ends_with(MULTI), "{said}");
    assert!(lines[1].starts_with("differs ") && lines[1].ends_with(SBOM), "{said}");
    assert!(lines[2].starts_with("no answer ") && lines[2].contains(&format!("{b}:nope")), "{said}");
    let said = parsed(&ask(&portolan, 10, "mirrors", &format!("{b}:nope {a}:1 --format json")));
    assert_eq!((&said["same"], &said["references"][0]["code"]), (&json!(false), &json!("not-found")));
    // Where nobody answers there is no answer.
    fails(&portolan, 5, "mirrors", &format!("{a}:nope {b}:nope"));
    assert!(fails(&portolan, 1, "mirrors", &format!("{a}:1")).contains("hint: name the original"));
}

#[test]
fn a_strategy_of_ranges() {
    let portolan = layouts();
    let strategy = format!("--strategy {}", component("strategy-newest-tag").display());
    for name in ["buildkit-multi:~1.4", "buildkit-multi/acme/app:^1", "buildkit-multi:1.4", "buildkit-multi"] {
        let digest = portolan.ok(&format!("resolve oci-layout://{name} --digest {strategy}"));
        assert_eq!(digest, format!("{MULTI}\n"), "{name}");
    }
    portolan.fails(5, &format!("resolve oci-layout://buildkit-multi:^2 {strategy}"));
    portolan.fails(5, &format!("resolve oci-layout://buildkit-multi:1.5 {strategy}"));
    // Without it a range is no name.
    portolan.fails(1, "resolve oci-layout://buildkit-multi:~1.4");
}

#[test]
fn a_strategy_with_a_fallback() {
    let portolan = layouts();
    let strategy = format!("--strategy {}", component("strategy-or-amd64").display());
    let resolve = |words: &str| format!("resolve {words} --digest {strategy}");
    let single = "oci-layout://buildkit-single:2";
    assert_eq!(portolan.ok(&resolve(&format!("{single} -p linux/arm64"))), format!("{SINGLE}\n"));
    portolan.fails(5, &resolve(&format!("{single} -p linux/arm64 --exact")));
    portolan.fails(5, &resolve(&format!("{single} -p linux/riscv64")));
    portolan.fails(5, &format!("resolve {single} -p linux/arm64 --digest"));
    // What is there for arm64 stays what it was.
    let multi = "oci-layout://buildkit-multi:1.4 -p linux/arm64";
    assert_eq!(portolan.ok(&resolve(multi)), portolan.ok(&format!("resolve {multi} --digest")));
}

/// The gallery's page of the book; `BLESS=1` writes down what is printed. docker.io and ghcr.io are registries on loopback.
#[test]
fn the_page_prints_what_the_programs_do() {
    let (portolan, folder) = (layouts(), tempfile::tempdir().unwrap());
    for layout in ["buildkit-multi", "buildkit-single", "regctl-attested"] {
        std::os::unix::fs::symlink(fixtures::layout(layout), folder.path().join(layout)).unwrap();
    }
    for name in GALLERY {
        fs::copy(component(name), folder.path().join(name).with_extension("wasm")).unwrap();
    }
    let (docker, ghcr) = (Registry::start(), Registry::start());
    for tag in ["1.4", "1.4.2", "v1.4.10", "1.10.0", "2.0.0-rc.1", "latest"] {
        docker.push(&skopeo_name("buildkit-multi:1.4"), &format!("acme/app:{tag}"));
    }
    ghcr.push(&skopeo_name("buildkit-sbom:1"), "acme/app:1.10.0");
    for (name, registry) in [("docker.io", &docker), ("ghcr.io", &ghcr)] {
        let hosts = portolan.home().join(".config/docker/certs.d").join(name);
        fs::create_dir_all(&hosts).unwrap();
        let host = registry.host();
        let text =
            format!("server = \"http://{host}\"\n[host.\"http://{host}\"]\ncapabilities = [\"pull\", \"resolve\"]\n");
        fs::write(hosts.join("hosts.toml"), text).unwrap();
    }
    let shell = Shell::new(folder.path(), portolan.home()).program(env!("CARGO_BIN_EXE_portolan"));
    assert!(shell.check("gallery.md") >= 8);
}

//! The contract in other hands: frontends in Python, JavaScript and Go against the same `wit/`, and one in Rust by each way
//! that there is to build it. Each answers on the command line what the bundled frontends say of the same images, and fails
//! as they do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use portolan_oci::media_type;
use portolan_tests::authors::{Examples, Way};
use portolan_tests::book::Shell;
use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use portolan_tests::go;
use portolan_tests::layout::{self, Layout};
use portolan_tests::registry::Registry;
use serde_json::Value;

fn layouts() -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder().join("layouts"))
}

fn examples() -> Examples {
    Examples::new(env!("CARGO_TARGET_TMPDIR"))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A description has become a command line: its help, its options, its errors.
fn is_a_command(portolan: &Cli, component: &Path, name: &str, says: &[&str]) {
    let component = component.display();
    let help = portolan.ok(&format!("run {component} --help"));
    for text in says.iter().chain(&["--format <FORMAT>", "--allow"]) {
        assert!(help.contains(text), "{text:?} is missing in\n{help}");
    }
    let said = portolan.fails(2, &format!("run {component}"));
    assert!(said.contains("<REF>"), "{said}");
    portolan.fails(2, &format!("run {component} oci-layout://umoci --nope"));
    portolan.fails(2, &format!("run {component} oci-layout://umoci --format xml"));

    let described = json(&portolan.ok(&format!("describe {component} --format json")));
    assert_eq!(described["name"], name);
    assert_eq!(described["parameters"][0]["kind"], "pull-reference");
}

/// What it imports begins in one of these ways.
fn imports_nothing_but(portolan: &Cli, component: &Path, wanted: &[&str]) {
    let described = json(&portolan.ok(&format!("describe {} --format json", component.display())));
    let is_wanted = |import: &Value| wanted.iter().any(|wanted| import.as_str().unwrap().starts_with(wanted));
    assert!(described["imports"].as_array().unwrap().iter().all(is_wanted), "{described:#}");
}

/// What is not there is status 5, whoever says it: the host or the frontend.
fn misses_what_is_not_there(portolan: &Cli, component: &Path) {
    let component = component.display();
    let digest = format!("sha256:{}", "0".repeat(64));
    for (reference, says) in [
        ("oci-layout://buildkit-multi:nope", "nope"),
        (&format!("oci-layout://buildkit-multi@{digest}"), digest.as_str()),
        (&format!("oci-layout://buildkit-multi:1.4@{digest}"), "1.4"),
        ("oci-layout://nowhere:1", "nowhere"),
    ] {
        let said = portolan.fails(5, &format!("run {component} {reference}"));
        assert!(said.contains(says), "{reference}: {said}");
    }
    // A name is ambiguous where it means several roots, and then no answer is the right one.
    portolan.fails(1, &format!("run {component} not!a!reference"));
}

#[test]
fn python() {
    let portolan = layouts();
    let created = examples().python("created");
    let run = format!("run {}", created.display());
    for (reference, platform) in [
        ("buildkit-multi:1.4", "linux/amd64"),
        ("buildkit-multi:1.4", "linux/arm64"),
        ("buildkit-multi/docker.io/acme/app:latest", "linux/arm/v7"),
        ("buildkit-single:2", "linux/amd64"),
        ("buildkit-sbom:1", "linux/arm64"),
        ("skopeo-names:3.16", "linux/amd64"),
        // By the config, as nothing else says what it is for.
        ("crane-nested:1", "windows/amd64"),
        ("crane-nested:1", "linux/amd64"),
    ] {
        let reference = format!("oci-layout://{reference}");
        let ask = |command: &str| portolan.ok(&format!("{command} {reference} --platform {platform} --format json"));
        let (theirs, ours) = (json(&ask(&run)), json(&ask("inspect")));
        let image = &ours["images"][0];
        assert_eq!(theirs["manifest"], image["descriptor"]["digest"], "{reference} {platform}");
        assert_eq!(theirs["created"], image["config"]["created"], "{reference} {platform}");
        let text = portolan.ok(&format!("{run} {reference} -p {platform}"));
        assert_eq!(text.trim_end(), theirs["created"].as_str().unwrap_or("unknown"), "{reference} {platform}");
    }
    is_a_command(&portolan, &created, "created", &["Say when an image was made", "-p, --platform <PLATFORM>"]);
    imports_nothing_but(&portolan, &created, &["portolan:oci/"]);
    misses_what_is_not_there(&portolan, &created);
    let said = portolan.fails(5, &format!("{run} oci-layout://buildkit-multi:1.4 -p plan9/mips"));
    assert!(said.contains("created 1.0.0") && said.contains("plan9/mips"), "{said}");
}

#[test]
fn javascript() {
    let portolan = layouts();
    let platforms = examples().javascript("platforms");
    let run = format!("run {}", platforms.display());
    for reference in [
        "buildkit-multi:1.4",
        "buildkit-multi",
        "buildkit-single:2",
        "buildkit-artifact:1",
        "buildkit-classic:1",
        "skopeo-names/alpine:3.16",
        "crane-docker-types:2",
    ] {
        let reference = format!("oci-layout://{reference}");
        let ask =
            |command: &str| json(&portolan.ok(&format!("{command} {reference} --format json")))["platforms"].clone();
        let (theirs, ours) = (ask(&run), ask("resolve"));
        assert_eq!(theirs, ours, "{reference}");
        let lines: Vec<String> = portolan.ok(&format!("{run} {reference}")).lines().map(str::to_owned).collect();
        assert_eq!(Value::from(lines), ours, "{reference}");
    }
    is_a_command(&portolan, &platforms, "platforms", &["List the platforms", "-w, --wanted <WANTED>"]);
    imports_nothing_but(&portolan, &platforms, &["portolan:oci/"]);
    misses_what_is_not_there(&portolan, &platforms);
    portolan.ok(&format!("{run} oci-layout://buildkit-multi:1.4 --wanted linux/arm/v7"));
    let said = portolan.fails(5, &format!("{run} oci-layout://buildkit-multi:1.4 -w plan9/mips"));
    assert!(said.contains("platforms 1.0.0") && said.contains("hint: it is there for linux/amd64"), "{said}");
}

#[test]
fn go_as_it_is() {
    let (portolan, examples) = (layouts(), examples());
    examples.go_test("entrypoint", "./command");
    let entrypoint = examples.go("entrypoint", &portolan);
    let run = format!("run {}", entrypoint.display());
    for (reference, platform) in [
        ("buildkit-multi:1.4", "linux/amd64"),
        ("buildkit-multi:1.4", "linux/arm64"),
        ("buildkit-multi/docker.io/acme/app:latest", "linux/arm/v7"),
        ("buildkit-single:2", "linux/amd64"),
        ("buildkit-sbom:1", "linux/arm64"),
        ("skopeo-names:3.16", "linux/amd64"),
        ("umoci:latest", "linux/amd64"),
        // By the config, as nothing else says what it is for.
        ("crane-nested:1", "windows/amd64"),
        ("crane-nested:1", "linux/amd64"),
    ] {
        let reference = format!("oci-layout://{reference}");
        let ask = |command: &str| portolan.ok(&format!("{command} {reference} --platform {platform} --format json"));
        let (theirs, ours) = (json(&ask(&run)), json(&ask("inspect")));
        let image = &ours["images"][0];
        let says = |name: &str, or: Value| image["config"]["config"].get(name).cloned().unwrap_or(or);
        assert_eq!(theirs["manifest"], image["descriptor"]["digest"], "{reference} {platform}");
        assert_eq!(theirs["cwd"], says("WorkingDir", "/".into()), "{reference} {platform}");
        assert_eq!(theirs["user"], says("User", "root".into()), "{reference} {platform}");
        assert_eq!(theirs["env"], says("Env", Value::Array(Vec::new())), "{reference} {platform}");
        assert_eq!(theirs["args"], Value::Array(Vec::new()), "{reference} {platform}");
    }
    is_a_command(&portolan, &entrypoint, "entrypoint", &["Say what a container", "-p, --platform <PLATFORM>"]);
    imports_nothing_but(&portolan, &entrypoint, &["portolan:oci/", "wasi:"]);
    misses_what_is_not_there(&portolan, &entrypoint);
    let said = portolan.fails(5, &format!("{run} oci-layout://buildkit-multi:1.4 -p plan9/mips"));
    assert!(said.contains("entrypoint 1.0.0") && said.contains("plan9/mips"), "{said}");

    // None of these layouts has a command.
    let layout = Layout::new();
    let config = layout.insert(
        media_type::OCI_CONFIG,
        r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]},
            "config":{"Entrypoint":["/bin/app","--say"],"Cmd":["it's"]}}"#,
    );
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[]}}"#,
        media_type::OCI_MANIFEST,
        layout::json(&config)
    );
    layout.entries(&[layout.insert(media_type::OCI_MANIFEST, manifest)]);
    let store = format!("--store out={} --platform linux/amd64", layout.folder().display());
    let ask = |line: &str| portolan.ok(&format!("{run} {store} {line}"));
    assert_eq!(ask("oci-layout://out --runnable"), "user  root\ncwd   /\nargs  /bin/app --say 'it'\\''s'\n");
    assert!(ask("oci-layout://out a b").ends_with("args  /bin/app --say a b\n"));
    assert_eq!(portolan.line(&format!("{run} oci-layout://umoci:latest --runnable")).status, 6);
}

/// `BLESS=1` writes them anew.
#[test]
fn the_bindings_for_go_are_those_of_the_contract() {
    let folder = Examples::folder("entrypoint");
    if std::env::var_os("BLESS").is_some() {
        go::write_bindings(&folder);
    }
    let (written, wanted) = (go::written_bindings(&folder), go::bindings(&folder));
    assert_eq!(written.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
    for (name, bytes) in wanted {
        let (is, wanted) = (String::from_utf8_lossy(&written[&name]), String::from_utf8_lossy(&bytes));
        assert_eq!(is, wanted, "{}: `BLESS=1` writes it anew", name.display());
    }
}

#[test]
fn rust_by_every_way() {
    let portolan = layouts();
    let examples = examples();
    examples.test("runs-as");
    let [wasip2, component, unknown] =
        [Way::Wasip2, Way::CargoComponent, Way::Unknown].map(|way| examples.rust("runs-as", way));
    for (status, line) in [
        (0, "oci-layout://buildkit-multi:1.4"),
        (0, "oci-layout://buildkit-sbom:1 --platform linux/arm64 --format json"),
        (0, "oci-layout://buildkit-sbom:1 --not-root"),
        (10, "oci-layout://buildkit-multi:1.4 --not-root"),
        (5, "oci-layout://buildkit-multi:nope"),
        (5, "oci-layout://buildkit-multi:1.4 -p plan9/mips"),
        (2, "oci-layout://umoci --nope"),
        (0, "--help"),
    ] {
        let ask = |file: &Path| {
            let printed = portolan.line(&format!("run {} {line}", file.display()));
            // The file's name is all that may differ.
            let err = printed.err.replace(&file.display().to_string(), "FILE");
            (printed.status, printed.out.replace(&file.display().to_string(), "FILE"), err)
        };
        let answers = [&wasip2, &component, &unknown].map(|file| ask(file));
        assert_eq!(answers[0].0, status, "{line}: {answers:?}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{line}: {answers:#?}");
    }
    assert_eq!(portolan.ok(&format!("run {} oci-layout://buildkit-sbom:1", unknown.display())), "10:10\n");
    is_a_command(&portolan, &unknown, "runs-as", &["Say as which user an image runs", "--not-root"]);
    imports_nothing_but(&portolan, &unknown, &["portolan:oci/"]);
    misses_what_is_not_there(&portolan, &unknown);
    // The standard library's imports come along, used or not, and are denied.
    for file in [&wasip2, &component] {
        let imports = json(&portolan.ok(&format!("describe {} --format json", file.display())))["imports"].clone();
        let wasi = |import: &Value| import.as_str().unwrap().starts_with("wasi:");
        assert!(imports.as_array().unwrap().iter().any(wasi), "{imports}");
    }
}

/// A registry resolves names itself, so a frontend takes another path there.
#[test]
fn the_same_from_a_registry() {
    let portolan = layouts();
    let examples = examples();
    let registry = Registry::start();
    registry.push(&format!("oci:{}:1.4", fixtures::layout("buildkit-multi").display()), "acme/app:1.4");
    let files = [
        examples.python("created"),
        examples.javascript("platforms"),
        examples.go("entrypoint", &portolan),
        examples.rust("runs-as", Way::Unknown),
    ];
    for file in files {
        let ask = |reference: &str| portolan.ok(&format!("run {} {reference}", file.display()));
        let there = ask(&format!("{}/acme/app:1.4", registry.host()));
        assert_eq!(there, ask("oci-layout://buildkit-multi:1.4"), "{}", file.display());
        let said = portolan.fails(5, &format!("run {} {}/acme/app:nope", file.display(), registry.host()));
        assert!(said.contains("acme/app:nope"), "{said}");
    }
}

/// The authors' page of the book, on the four examples; `BLESS=1` writes down what is printed.
#[test]
fn the_page_prints_what_the_programs_do() {
    let (portolan, examples, folder) = (layouts(), examples(), tempfile::tempdir().unwrap());
    for layout in ["buildkit-multi", "buildkit-sbom"] {
        std::os::unix::fs::symlink(fixtures::layout(layout), folder.path().join(layout)).unwrap();
    }
    for (component, name) in [
        (examples.python("created"), "created.wasm"),
        (examples.javascript("platforms"), "platforms.wasm"),
        (examples.go("entrypoint", &portolan), "entrypoint.wasm"),
        (examples.rust("runs-as", Way::Wasip2), "runs_as.wasm"),
    ] {
        std::fs::copy(component, folder.path().join(name)).unwrap();
    }
    let shell = Shell::new(folder.path(), portolan.home()).program(env!("CARGO_BIN_EXE_portolan"));
    assert!(shell.check("writing-a-frontend.md") >= 7);
}

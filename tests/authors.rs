//! What authors do, from nothing to a published plug-in: `new`, `build`, `check`, `publish`; and the mistakes that they make.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use portolan::Bundled;
use portolan_oci::Manifest;
use portolan_tests::authors::Examples;
use portolan_tests::book::Shell;
use portolan_tests::cli::{Cli, Printed};
use portolan_tests::contract::Contract;
use portolan_tests::registry::Registry;
use portolan_tests::{fixtures, olareg};
use serde_json::Value;
use tempfile::TempDir;

/// An author's folder. What cargo compiles is kept from one run of the tests to the next.
struct Author {
    folder: TempDir,
    portolan: Cli,
}

impl Author {
    fn new() -> Author {
        let folder = tempfile::tempdir().unwrap();
        let mut portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), folder.path());
        for (name, value) in developers() {
            portolan = portolan.variable(name, value);
        }
        Author { folder, portolan }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `cargo test` in a project.
    fn cargo_test(&self, project: &str) -> String {
        let mut cargo = portolan_tests::guests::cargo();
        cargo.current_dir(self.path(project)).args(["test", "--quiet"]);
        cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("authors"));
        let output = cargo.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        said
    }
}

/// Cargo and rustup are the developer's.
fn developers() -> [(&'static str, String); 3] {
    let there = |name: &str, usual: &str| {
        std::env::var(name).unwrap_or_else(|_| format!("{}/{usual}", std::env::var("HOME").unwrap()))
    };
    [
        ("CARGO_HOME", there("CARGO_HOME", ".cargo")),
        ("RUSTUP_HOME", there("RUSTUP_HOME", ".rustup")),
        ("CARGO_TARGET_DIR", format!("{}/authors", env!("CARGO_TARGET_TMPDIR"))),
    ]
}

fn layout(name: &str) -> String {
    format!("oci-layout://{}", fixtures::layout(name).display())
}

#[test]
fn a_frontend_in_rust_from_nothing_to_a_registry() {
    let (author, registry) = (Author::new(), Registry::start());
    let portolan = &author.portolan;
    let said = portolan.line("new layer-count").err;
    for line in said.lines().filter_map(|line| line.strip_prefix("  ")) {
        assert!(line.starts_with("cd ") || line.starts_with("cargo ") || line.starts_with("portolan "), "{line}");
    }
    assert!(author.cargo_test("layer-count").contains("3 passed"));

    portolan.ok("build layer-count");
    let answer = format!("run layer-count/layer-count.wasm {}:1.4", layout("buildkit-multi"));
    assert_eq!(portolan.ok(&answer), "1 layers, 96 bytes\n");
    let checked = portolan.ok("check layer-count/layer-count.wasm");
    assert!(checked.starts_with("layer-count/layer-count.wasm is a frontend: layer-count 0.1.0, "), "{checked}");
    assert!(checked.contains("-p, --platform PLATFORM"), "{checked}");

    // The same file is the same artifact, and runs as it did.
    let name = format!("{}/acme/layer-count:1", registry.host());
    let published = portolan.ok(&format!("publish layer-count/layer-count.wasm {name}"));
    assert!(published.starts_with(&format!("{name}@sha256:")), "{published}");
    assert_eq!(portolan.ok(&format!("publish layer-count/layer-count.wasm {name}")), published);
    let again = format!("run oci://{name} {}:1.4", layout("buildkit-multi"));
    assert_eq!(portolan.ok(&again), "1 layers, 96 bytes\n");
}

/// The guide, from its text alone; `BLESS=1` writes down what is printed.
#[test]
fn the_guide_leads_there() {
    let (author, registry) = (Author::new(), Registry::start());
    registry.push(&format!("oci:{}:1.4", fixtures::layout("buildkit-multi").display()), "acme/app:1.4");
    author.portolan.asks(&["docker.io", "ghcr.io"], registry.host());
    let mut shell = Shell::new(author.folder.path(), author.portolan.home()).program(env!("CARGO_BIN_EXE_portolan"));
    for (name, value) in developers() {
        shell = shell.variable(name, value);
    }
    assert!(shell.check("first-frontend.md") >= 11);
}

/// As a stock Go is found on a developer's machine.
#[test]
fn a_frontend_in_go() {
    let author = Author::new();
    author.portolan.ok("new entry --lang go");
    author.portolan.ok("build entry");
    let answer = author.portolan.ok(&format!("run entry/entry.wasm {}:1 --format json", layout("buildkit-sbom")));
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["user"], "10:10");
    let described = author.portolan.ok("describe entry/entry.wasm");
    assert!(described.starts_with("entry 0.1.0: "), "{described}");
}

#[test]
fn a_strategy_in_rust() {
    let author = Author::new();
    let portolan = &author.portolan;
    portolan.ok("new for-linux --kind strategy");
    author.cargo_test("for-linux");
    portolan.ok("build for-linux -o judge.wasm");
    assert!(portolan.ok("check judge.wasm").starts_with("judge.wasm is a strategy, "));
    let question = format!("resolve {}:1.4 --platform arm64 --digest", layout("buildkit-multi"));
    let linux = portolan.ok(&question.replace("arm64", "linux/arm64"));
    assert_eq!(portolan.ok(&format!("{question} --strategy judge.wasm")), linux);
}

/// As `new` and `build` do it, with the interpreters' tools from where the tests keep them.
#[test]
fn frontends_in_python_and_javascript() {
    let author = Author::new();
    let (portolan, tools) = (&author.portolan, Examples::new(env!("CARGO_TARGET_TMPDIR")));
    portolan.ok("new made --lang python");
    let venv = author.path("made/.venv");
    std::os::unix::fs::symlink(tools.tools().join("componentize-py"), &venv).unwrap();
    let pins = author.path("made/requirements.txt");
    fs::write(&pins, fs::read(venv.join("pinned")).unwrap()).unwrap();
    fs::write(venv.join("made-of"), fs::read(&pins).unwrap()).unwrap();
    portolan.ok("build made");
    let made = portolan.ok(&format!("run made/made.wasm {}:1.4", layout("buildkit-multi")));
    assert_eq!(made, "2026-11-23T09:05:48.746913301Z\n");

    // What else an author keeps there stays there.
    portolan.ok("new kept --lang python");
    fs::write(author.path("kept/requirements.txt"), "").unwrap();
    fs::create_dir(author.path("kept/.venv")).unwrap();
    fs::write(author.path("kept/.venv/mine"), "").unwrap();
    let said = portolan.fails(1, "build kept");
    assert!(said.contains("cannot start .venv/bin/componentize-py"), "{said}");
    assert!(author.path("kept/.venv/mine").is_file());

    portolan.ok("new where --lang js");
    let modules = tools.tools().join("componentize-js/node_modules");
    std::os::unix::fs::symlink(modules, author.path("where/node_modules")).unwrap();
    let built = portolan.ok(&format!("build where -- {}:1.4", layout("buildkit-multi")));
    assert!(built.ends_with("linux/amd64\nlinux/arm64\nlinux/arm/v7\nlinux/386\n"), "{built}");
    // What a project says that it needs is what the tests were made with.
    let pinned = |file: &Path| serde_json::from_slice::<Value>(&fs::read(file).unwrap()).unwrap();
    let (theirs, ours) = (
        pinned(&author.path("where/package.json"))["devDependencies"].clone(),
        pinned(&tools.tools().join("componentize-js/package.json"))["dependencies"].clone(),
    );
    for (name, version) in theirs.as_object().unwrap() {
        assert_eq!(ours[name], *version, "{name}");
    }
}

#[test]
fn what_cannot_be_begun_or_built_is_said() {
    let author = Author::new();
    fs::create_dir(author.path("taken")).unwrap();
    fs::create_dir(author.path("no-library")).unwrap();
    fs::write(author.path("no-library/Cargo.toml"), "[package]\nname = \"n\"\n[workspace]\n").unwrap();
    fs::create_dir(author.path("no-library/src")).unwrap();
    fs::write(author.path("no-library/src/main.rs"), "fn main() {}\n").unwrap();
    for (status, line, says) in [
        (2, "new Newest", "\"Newest\" cannot be a project's name\nhint: small letters"),
        (2, "new ../x", "\"../x\" cannot be a project's name"),
        (2, "new portolan-sdk", "cargo, Go or the SDK has it already"),
        (2, "new std", "cargo, Go or the SDK has it already"),
        (2, "new x --lang cobol", "[possible values: rust, go, js, python"),
        (2, "new x --lang python --kind strategy", "no project for a strategy in python"),
        (1, "new taken", "cannot make the project taken: there is something of that name"),
        (2, "build taken", "taken has neither Cargo.toml nor go.mod, app.py or package.json\nhint: portolan new NAME"),
        (1, "build no-library", "no-library builds no component\nhint: Cargo.toml wants a [lib]"),
    ] {
        let said = author.portolan.fails(status, line);
        assert!(said.contains(says), "{line}: {said}");
    }
    // Nothing is left of what could not be.
    let mut left: Vec<_> = fs::read_dir(author.folder.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["no-library", "taken"]);
}

/// What comes of a component that is not what it should be: the same words wherever it is met first.
#[test]
fn mistakes_have_their_messages() {
    let author = Author::new();
    let put = |name: &str, bytes: &[u8]| fs::write(author.path(name), bytes).unwrap();
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let exporting = |import: &str| {
        wat(&format!(r#"(component {import} (instance $i) (export "portolan:oci/frontend@0.1.0" (instance $i)))"#))
    };
    put("module.wasm", &wat("(module)"));
    put("text.wasm", b"(component)");
    put("page.wasm", b"<html>");
    put("nothing.wasm", &wat("(component)"));
    put("other-world.wasm", &wat(r#"(component (instance $i) (export "wasi:cli/run@0.2.0" (instance $i)))"#));
    put("evil.wasm", &exporting(r#"(import "evil:kernel/module@1.0.0" (instance))"#));
    put("next-wasi.wasm", &exporting(r#"(import "wasi:cli/stdout@0.3.0" (instance))"#));
    put("next.wasm", &Contract::current().everywhere("0.1.0", "0.2.0").component("reader"));
    put(
        "async.wasm",
        &wat(r#"(component
            (core module $m (func (export "f") (result i32) unreachable)
                (func (export "cb") (param i32 i32 i32) (result i32) unreachable))
            (core instance $i (instantiate $m))
            (func $f async (canon lift (core func $i "f") async (callback (core func $i "cb"))))
            (instance $e (export "solve" (func $f)))
            (export "portolan:oci/frontend@0.1.0" (instance $e)))"#),
    );
    put("panics.wasm", &Contract::current().component("reader"));
    let large = fs::File::create(author.path("large.wasm")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    for (status, file, says) in [
        (1, "module.wasm", "is a core WebAssembly module; a component is wanted"),
        (1, "module.wasm", "hint: `portolan build` makes a component"),
        (1, "text.wasm", "is WebAssembly in text form"),
        (1, "page.wasm", "is no WebAssembly"),
        (1, "nothing.wasm", "exports no `portolan:oci/frontend`"),
        (
            1,
            "other-world.wasm",
            "(it exports wasi:cli/run@0.2.0)\nhint: a frontend is a component of the world `reader`",
        ),
        (1, "evil.wasm", "imports evil:kernel/module@1.0.0, which no host gives"),
        (1, "next-wasi.wasm", "imports wasi:cli/stdout@0.3.0, which no host gives"),
        (1, "next.wasm", "was built for portolan:oci 0.2.0 and this host speaks portolan:oci 0.1.0"),
        (1, "next.wasm", "hint: build it against the contract of this version"),
        (1, "async.wasm", "hint: the contract's functions are synchronous"),
        (1, "large.wasm", "is larger than the 64 MiB that a component may have\nhint: build it for release"),
        (3, "panics.wasm", "trapped"),
        (5, "absent.wasm", "cannot read absent.wasm"),
    ] {
        for line in [format!("check {file}"), format!("publish {file} localhost:1/acme/x")] {
            let said = author.portolan.fails(status, &line);
            assert!(said.contains(says), "{line}: {said}");
        }
    }
    // WASI's sockets are linked and denied, which an author had better know.
    put("sockets.wasm", &fs::read(fixtures::folder().join("components/runs-as-0.1.0.wasm")).unwrap());
    let checked = author.portolan.ok("check sockets.wasm");
    assert!(checked.contains("is a frontend: runs-as"), "{checked}");
    author.portolan.ok("bundle tags -o bundle.wasm");
    let checked = author.portolan.ok("check bundle.wasm");
    assert!(checked.contains("a bundle is for wasmtime"), "{checked}");
}

#[test]
fn what_is_published_is_what_registries_and_their_clients_know() {
    let (author, registry, old) = (Author::new(), olareg::start(), Registry::start());
    let portolan = &author.portolan;
    fs::write(author.path("tags.wasm"), Bundled::Tags.bytes()).unwrap();
    fs::write(author.path("judge.wasm"), Bundled::Strategy.bytes()).unwrap();
    for host in [registry.host(), old.host()] {
        for (file, annotation, exports) in [
            ("tags.wasm", Some("tags"), "portolan:oci/frontend@0.1.0"),
            ("judge.wasm", None, "portolan:oci/strategy@0.1.0"),
        ] {
            let name = format!("{host}/acme/{}:1", file.replace('.', "-"));
            let published = portolan.ok(&format!("publish {file} {name} --annotation org.example.by=us"));
            let raw = portolan.ok(&format!("inspect {name} --raw"));
            let manifest = Manifest::parse(raw.as_bytes()).unwrap();
            assert_eq!(published.trim_end(), format!("{name}@{}", portolan_oci::Digest::sha256(raw.as_bytes())));
            assert_eq!(manifest.config.media_type, "application/vnd.wasm.config.v0+json");
            assert_eq!(manifest.layers.len(), 1);
            assert_eq!(manifest.layers[0].media_type, "application/wasm");
            assert_eq!(manifest.annotations["org.example.by"], "us");
            let title = manifest.annotations.get("org.opencontainers.image.title").map(String::as_str);
            assert_eq!(title, annotation);
            let config =
                portolan.ok(&format!("inspect {name} --format json --jq .images[0].config.component.exports[]"));
            assert_eq!(config.trim_end(), exports);
        }
    }
    // Somebody else's client takes the file out again, byte for byte.
    let layer = portolan_oci::Digest::sha256(Bundled::Tags.bytes());
    let oras = portolan_tests::tools::find("oras").expect("oras, which `make servers` builds");
    let pulled = tempfile::tempdir().unwrap();
    let mut oras = Command::new(oras);
    oras.args(["pull", "--plain-http", &format!("{}/acme/tags-wasm:1", old.host())]).current_dir(pulled.path());
    portolan_tests::registry::run(&mut oras, "oras");
    assert!(fs::read(pulled.path().join("tags.wasm")).unwrap() == Bundled::Tags.bytes());

    let name = format!("{}/acme/tags-wasm:1", old.host());
    fs::write(author.path("other.wasm"), Bundled::Resolve.bytes()).unwrap();
    let Printed { status, err, .. } = portolan.line(&format!("publish other.wasm {name}"));
    assert!(status == 0 && err.contains("named another artifact before"), "{err}");
    let digest = format!("{}/acme/x@{layer}", old.host());
    for (status, line, says) in [
        (2, format!("publish tags.wasm {digest}"), "a digest comes of what is published"),
        (2, "publish tags.wasm oci-layout://out:1".into(), "components are published in registries"),
        (2, "publish tags.wasm not!a!name".into(), "nowhere to publish to"),
        (
            2,
            format!("publish tags.wasm {name} --annotation nothing"),
            "\"nothing\" is no annotation\nhint: it is KEY=VALUE",
        ),
        (1, "publish tags.wasm 127.0.0.1:1/acme/x:1".into(), "127.0.0.1:1"),
    ] {
        let said = portolan.fails(status, &line);
        assert!(said.contains(says), "{line}: {said}");
    }
}

/// What a clean machine has not is got, or named.
#[test]
fn a_missing_target_is_installed_or_said() {
    let author = Author::new();
    author.portolan.ok("new x");
    let bin = author.path("bin");
    fs::create_dir(&bin).unwrap();
    let program = |name: &str, text: &str| {
        let file = bin.join(name);
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    };
    program("rustc", "echo /nowhere");
    let portolan =
        Author { folder: author.folder, portolan: author.portolan.variable("PATH", bin.display().to_string()) };
    let said = portolan.portolan.fails(1, "build x");
    assert!(said.contains("rustup target add wasm32-wasip2"), "{said}");
    assert!(said.contains("cannot start rustup") && said.contains("hint: install Rust by rustup"), "{said}");
    program("rustup", "exit 1");
    let said = portolan.portolan.fails(1, "build x");
    assert!(said.contains("cannot install the Rust target wasm32-wasip2"), "{said}");
}

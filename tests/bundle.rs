//! A frontend as one file: the same questions through `portolan`, and through the bundle under the plain `wasmtime` 48 or
//! under Node, have the same answers, byte for byte, and the same statuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use portolan_tests::book::Shell;
use portolan_tests::cli::{Cli, Printed};
use portolan_tests::fixtures;
use portolan_tests::jco::Jco;
use portolan_tests::layout::Layout;
use portolan_tests::registry::{Registry, User, run};
use portolan_tests::token::Tokens;
use portolan_tests::wasmtime::Wasmtime;
use tempfile::TempDir;
use wasmparser::{Parser, Payload};

fn portolan() -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder().join("layouts"))
}

fn wasmtime() -> Wasmtime {
    Wasmtime::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The bundle of a frontend, made once.
fn bundle(frontend: &str) -> PathBuf {
    static BUNDLES: OnceLock<TempDir> = OnceLock::new();
    let folder = BUNDLES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let portolan = portolan();
        for frontend in ["inspect", "resolve", "layers", "diff", "explain"] {
            portolan.ok(&format!("bundle {frontend} -o {}", path(folder.path(), frontend).display()));
        }
        folder
    });
    path(folder.path(), frontend)
}

fn path(folder: &Path, frontend: &str) -> PathBuf {
    folder.join(frontend).with_extension("wasm")
}

/// What a runtime is told for a line: every layout opened under its name, what runs, the words.
fn told(runs: &Path, line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for layout in fixtures::layouts() {
        let name = layout.file_name().unwrap().to_str().unwrap();
        words.extend(["--dir".into(), format!("{}::/{name}", layout.display())]);
    }
    words.push(runs.display().to_string());
    words.extend(line.split_whitespace().map(str::to_owned));
    words
}

fn frontend(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

/// The words of a line under wasmtime.
fn bundled(line: &str) -> Printed {
    wasmtime().run(told(&bundle(frontend(line)), line))
}

/// Lines, and how they end.
fn questions() -> Vec<(i32, String)> {
    let none = format!("sha256:{}", "0".repeat(64));
    vec![
        (0, "inspect oci-layout://buildkit-multi:1.4".to_owned()),
        (0, "inspect oci-layout://buildkit-multi:1.4 --format json".into()),
        (0, "inspect oci-layout://buildkit-multi:1.4 --format=imagetools".into()),
        (0, "inspect oci-layout://buildkit-multi:1.4 --raw".into()),
        (0, "inspect --raw --platform linux/arm64 oci-layout://buildkit-multi:1.4".into()),
        (0, "inspect oci-layout://buildkit-multi/acme/app:1.4 --platform arm64,linux/386".into()),
        (0, "inspect oci-layout://buildkit-sbom:1 --sbom".into()),
        (0, "inspect oci-layout://buildkit-sbom:1 --provenance --format imagetools".into()),
        (0, "inspect oci-layout://buildkit-sbom:1 --referrers --format json".into()),
        (0, "inspect oci-layout://crane-windows/localhost:5000/s/win:all".into()),
        (0, "inspect oci-layout://crane-nested/localhost:5000/s/nested:1".into()),
        (0, "inspect oci-layout://crane-docker-types/localhost:5000/s/app:2 --compat".into()),
        (0, "inspect oci-layout://umoci:latest".into()),
        (0, "resolve oci-layout://buildkit-multi:1.4 -p linux/arm64".into()),
        (0, "resolve oci-layout://buildkit-multi:1.4 -plinux/arm/v7 --format json".into()),
        (0, "resolve oci-layout://buildkit-multi:1.4 --platform linux/amd64 --part config".into()),
        (0, "resolve --digest -- oci-layout://buildkit-single:2".into()),
        (0, "layers oci-layout://buildkit-multi:1.4 --format json".into()),
        (0, "layers --last --key chain-id oci-layout://buildkit-multi:1.4".into()),
        (0, "layers oci-layout://buildkit-single:2 --history".into()),
        (0, "diff --exit-code oci-layout://buildkit-single:2 oci-layout://skopeo-names:3.16".into()),
        (0, "diff oci-layout://buildkit-multi:1.4 oci-layout://buildkit-sbom:1 --format json".into()),
        (6, "diff --exit-code oci-layout://buildkit-multi:1.4 oci-layout://buildkit-sbom:1".into()),
        (5, "diff oci-layout://buildkit-multi:1.4 oci-layout://buildkit-sbom:1 --platform linux/386".into()),
        (0, "explain platform linux/arm/v7 --among linux/arm64,linux/arm/v6".into()),
        (0, "explain reference alpine --format json".into()),
        (1, "resolve Alpine".into()),
        (1, "resolve oci-layout://buildkit-multi:1.4 --platform linux/*".into()),
        (1, "resolve oci-layout://buildkit-multi:1.4@sha256:12".into()),
        (1, "explain platform a/b/c/d".into()),
        (2, "resolve".into()),
        (2, "resolve oci-layout://buildkit-multi:1.4 --nope".into()),
        (2, "resolve oci-layout://buildkit-multi:1.4 --digest --digest".into()),
        (2, "layers oci-layout://buildkit-multi:1.4 --key size".into()),
        (2, "resolve oci-layout://buildkit-multi:1.4 --compat --exact".into()),
        (5, "resolve oci-layout://nope:1".into()),
        (5, "resolve oci-layout://buildkit-multi:1.5".into()),
        (5, "resolve oci-layout://buildkit-multi/acme/ap:1.4".into()),
        (5, "resolve oci-layout://buildkit-multi:1.4 --platform linux/s390x".into()),
        (5, format!("resolve oci-layout://buildkit-multi@{none}")),
    ]
}

#[test]
fn the_same_questions_have_the_same_answers() {
    let portolan = portolan();
    for (status, line) in &questions() {
        let (ours, theirs) = (portolan.line(line), bundled(line));
        assert_eq!(ours.status, *status, "portolan {line}\n{}", ours.err);
        assert_eq!(theirs.status, *status, "wasmtime run … {line}\n{}{}", theirs.out, theirs.err);
        assert!(theirs.bytes == ours.bytes, "{line}\nportolan:\n{}\nthe bundle:\n{}", ours.out, theirs.out);
        assert_eq!(ours.err.is_empty(), theirs.err.is_empty(), "{line}\n{}\n{}", ours.err, theirs.err);
        if matches!(status, 1 | 5) && !line.contains("nope") {
            // What a frontend says is the same in both; the hint of a host does not cross the boundary.
            assert_eq!(ours.err.lines().next(), theirs.err.lines().next(), "{line}");
        }
    }
}

/// What jco makes of a bundle, with its shim of WASI, says the same as wasmtime does, on both outputs. Every second question,
/// as Node takes half a second to start.
#[test]
fn under_node_the_answers_are_the_same() {
    let (portolan, jco) = (portolan(), Jco::new(env!("CARGO_TARGET_TMPDIR")));
    let mut statuses = Vec::new();
    for (status, line) in questions().into_iter().step_by(2) {
        let name = frontend(&line);
        let script = jco.transpiled(&bundle(name), name).join(name).with_extension("js");
        let (ours, theirs, node) = (portolan.line(&line), bundled(&line), jco.run(told(&script, &line)));
        assert_eq!((ours.status, theirs.status, node.status), (status, status, status), "{line}\n{}", node.err);
        assert!(node.bytes == ours.bytes, "{line}\nportolan:\n{}\nunder Node:\n{}", ours.out, node.out);
        assert!(node.bytes == theirs.bytes, "{line}\nwasmtime:\n{}\nunder Node:\n{}", theirs.out, node.out);
        assert_eq!(node.err, theirs.err, "{line}");
        statuses.push(status);
    }
    statuses.sort_unstable();
    statuses.dedup();
    assert_eq!(statuses, [0, 1, 2, 5, 6], "the questions are all of a kind");
}

/// Node opens files by their whole path; a link in a layout is not followed there either, and what was not opened is not
/// there.
#[test]
fn under_node_nothing_is_open_but_what_was_opened() {
    let layout = Layout::new();
    let image = layout.image(b"a layer");
    layout.entries(std::slice::from_ref(&image.manifest));
    let jco = Jco::new(env!("CARGO_TARGET_TMPDIR"));
    let script = jco.transpiled(&bundle("inspect"), "inspect").join("inspect.js").display().to_string();
    let opened = format!("{}::/out", layout.folder().display());
    let inspect = |reference: &str| jco.run(["--dir", &opened, &script, "inspect", reference]);
    let sound = inspect("oci-layout://out");
    assert_eq!(sound.status, 0, "{}", sound.err);

    let blob = layout.blob(&image.manifest.digest);
    fs::rename(&blob, layout.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../../elsewhere", &blob).unwrap();
    let linked = inspect("oci-layout://out");
    assert!(linked.status == 1 && linked.err.contains("symbolic link"), "{} {}", linked.status, linked.err);

    let elsewhere = inspect(&format!("oci-layout://{}", fixtures::layout("umoci").display()));
    assert!(elsewhere.status != 0 && elsewhere.out.is_empty(), "{} {}", elsewhere.status, elsewhere.err);
}

#[test]
fn it_asks_for_nothing_but_what_every_runtime_of_commands_gives() {
    for frontend in ["inspect", "resolve", "layers", "diff", "explain"] {
        let bytes = fs::read(bundle(frontend)).unwrap();
        let (mut imports, mut exports, mut depth) = (Vec::new(), Vec::new(), 0);
        for payload in Parser::new(0).parse_all(&bytes) {
            match payload.unwrap() {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::ComponentImportSection(section) if depth == 0 => {
                    imports.extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    exports.extend(section.into_iter().map(|export| export.unwrap().name.name.to_owned()));
                }
                _ => {}
            }
        }
        let given = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/"];
        // The contract's types have no functions, so nobody has to bring them.
        imports.retain(|import| {
            import != "portolan:oci/types@0.1.0" && !given.iter().any(|given| import.starts_with(given))
        });
        assert!(imports.is_empty(), "{frontend}: {imports:?}");
        assert!(exports.iter().any(|export| export.starts_with("wasi:cli/run@0.2.")), "{exports:?}");
        assert!(exports.iter().any(|export| export == "portolan:oci/frontend@0.1.0"), "{exports:?}");
    }
}

#[test]
fn its_functions_can_be_called() {
    let layout = fixtures::layout("buildkit-multi");
    let call = |bundle: &Path, call: &str| {
        let folder = format!("{}::/out", layout.display());
        wasmtime().run(["--dir", &folder, "--invoke", call, bundle.to_str().unwrap()])
    };
    let solved =
        call(&bundle("resolve"), r#"solve({arguments: [("ref", "oci-layout://out:1.4"), ("digest", "true")]})"#);
    assert_eq!(solved.status, 0, "{}", solved.err);
    assert!(solved.out.starts_with("ok({status: 0, ") && solved.out.contains("sha256:0c295ea8974e"), "{}", solved.out);

    let described = call(&bundle("layers"), "describe()");
    assert!(described.out.contains(r#"name: "layers""#), "{}{}", described.out, described.err);

    let query =
        r#"resolve-image({reference: "oci-layout://out:1.4", platform: some("linux/arm64"), parts: {}, options: []})"#;
    let resolved = call(&bundle("resolve"), query);
    assert!(resolved.out.contains("sha256:f8f13bc44291"), "{}{}", resolved.out, resolved.err);

    for (reference, code) in [
        ("oci-layout://in:1", "denied"),
        ("oci-archive://out", "unsupported"),
        ("docker.io/library/alpine:3", "unsupported"),
        ("oci-layout://out:9", "not-found"),
    ] {
        let failed = call(&bundle("resolve"), &format!(r#"solve({{arguments: [("ref", "{reference}")]}})"#));
        assert!(
            failed.out.starts_with("err(") && failed.out.contains(code),
            "{reference}: {}{}",
            failed.out,
            failed.err
        );
    }
}

#[test]
fn the_machine_is_what_the_environment_says() {
    let folder = format!("{}::/out", fixtures::layout("buildkit-multi").display());
    let bundle = bundle("resolve").display().to_string();
    let resolve = |more: &[&str]| {
        let words = ["resolve", "oci-layout://out:1.4", "--platform", "linux", "--digest"];
        wasmtime().run([&["--dir", &folder][..], more, &[&bundle], &words].concat()).out
    };
    let portolan = portolan();
    for (more, platform) in [
        (&[][..], "linux/amd64"),
        (&["--env", "PORTOLAN_PLATFORM=linux/arm64"], "linux/arm64"),
        (&["--env", "PORTOLAN_PLATFORM="], "linux/amd64"),
    ] {
        let line = format!("resolve oci-layout://buildkit-multi:1.4 --platform {platform} --digest");
        assert_eq!(resolve(more), portolan.ok(&line), "{more:?}");
    }
}

#[test]
fn a_layout_is_read_as_strictly_as_by_the_host() {
    let sound = Layout::new();
    let image = sound.image(b"a layer");
    sound.entries(std::slice::from_ref(&image.manifest));
    let digest = image.manifest.digest.to_string();
    /// What is done to a copy of the sound layout.
    type Broken<'a> = (&'a str, &'a dyn Fn(&Layout));
    let blob = |layout: &Layout| layout.blob(&image.manifest.digest);
    let table: [Broken<'_>; 9] = [
        ("nothing", &|_| ()),
        ("no oci-layout", &|layout| fs::remove_file(layout.path("oci-layout")).unwrap()),
        ("version 2", &|layout| layout.write("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#)),
        ("no index.json", &|layout| fs::remove_file(layout.path("index.json")).unwrap()),
        ("an ambiguous index.json", &|layout| layout.write("index.json", r#"{"manifests":[],"manifests":[]}"#)),
        ("other bytes", &|layout| {
            let mut bytes = fs::read(blob(layout)).unwrap();
            bytes[0] = b' ';
            fs::write(blob(layout), bytes).unwrap();
        }),
        ("fewer bytes", &|layout| fs::write(blob(layout), "{}").unwrap()),
        ("a link", &|layout| {
            fs::rename(blob(layout), layout.path("elsewhere")).unwrap();
            std::os::unix::fs::symlink("../../elsewhere", blob(layout)).unwrap();
        }),
        ("no blob", &|layout| fs::remove_file(blob(layout)).unwrap()),
    ];
    for (what, broken) in table {
        let layout = Layout::new();
        for blob in fs::read_dir(sound.path("blobs/sha256")).unwrap() {
            let blob = blob.unwrap();
            fs::copy(blob.path(), layout.path("blobs/sha256").join(blob.file_name())).unwrap();
        }
        layout.entries(std::slice::from_ref(&image.manifest));
        broken(&layout);
        let folder = layout.folder().display();
        let portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), layout.folder());
        let mut statuses = Vec::new();
        for reference in ["oci-layout://out".to_owned(), format!("oci-layout://out@{digest}")] {
            let ours = portolan.line(&format!("inspect {reference} --format json --store out={folder}"));
            let bundle = bundle("inspect").display().to_string();
            let opened = format!("{folder}::/out");
            let theirs = wasmtime().run(["--dir", &opened, &bundle, "inspect", &reference, "--format", "json"]);
            assert_eq!(theirs.status, ours.status, "{what}: {reference}\n{}\n{}", ours.err, theirs.err);
            assert_eq!(theirs.out, ours.out, "{what}: {reference}");
            assert!(!theirs.err.contains("wasm trap"), "{what}: {}", theirs.err);
            statuses.push(ours.status);
        }
        // By its digest an image is found whatever index.json says.
        assert_eq!(statuses.iter().all(|status| *status == 0), what == "nothing", "{what}: {statuses:?}");
    }
}

#[test]
fn registries_are_asked_where_a_bundle_was_made_for_it() {
    const WRITER: User = User { name: "writer", password: "a-password" };
    let (tokens, folder) = (Tokens::start(WRITER), tempfile::tempdir().unwrap());
    // One that anybody is let into at once, and one whose tokens anybody gets.
    let registries = [Registry::start(), Registry::with_tokens(&tokens)];
    for registry in &registries {
        let source = format!("oci:{}:1.4", fixtures::layout("buildkit-multi").display());
        let target = format!("docker://{}/acme/app:1.4", registry.host());
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["--insecure-policy", "copy", "--all", "--preserve-digests", "--dest-tls-verify=false"]);
        skopeo.arg(format!("--dest-creds={}:{}", WRITER.name, WRITER.password));
        run(skopeo.arg(source).arg(target), "skopeo");
    }
    let portolan = portolan();
    for frontend in ["inspect", "resolve", "layers", "tags"] {
        portolan.ok(&format!("bundle {frontend} --http -o {}", path(folder.path(), frontend).display()));
    }
    for registry in &registries {
        let app = format!("{}/acme/app", registry.host());
        let none = format!("sha256:{}", "0".repeat(64));
        for (status, line) in [
            (0, format!("inspect {app}:1.4")),
            (0, format!("inspect {app}:1.4 --referrers --format json")),
            (0, format!("resolve {app}:1.4 --platform linux/arm64 --format json")),
            (0, format!("resolve {app}:1.4 --platform linux/amd64 --part config")),
            (0, format!("layers --last --key chain-id {app}:1.4 --platform linux/amd64")),
            (0, format!("tags {app}")),
            (5, format!("resolve {app}:1.5")),
            (5, format!("resolve {app}@{none}")),
            (5, format!("resolve {app}:1.4 --platform linux/s390x")),
        ] {
            let frontend = line.split_whitespace().next().unwrap_or_default();
            let bundle = path(folder.path(), frontend).display().to_string();
            let words = ["-S", "http", &bundle].into_iter().chain(line.split_whitespace());
            let (ours, theirs) = (portolan.line(&line), wasmtime().run(words));
            assert_eq!((ours.status, theirs.status), (status, status), "{line}\n{}\n{}", ours.err, theirs.err);
            assert!(theirs.bytes == ours.bytes, "{line}\nportolan:\n{}\nthe bundle:\n{}", ours.out, theirs.out);
        }
    }
    assert!(tokens.asked().iter().any(|asked| !asked.by_user), "nobody asked for a token anonymously");
}

/// The page of the book; `BLESS=1` writes down what is printed.
#[test]
fn the_page_prints_what_the_programs_do() {
    let (registry, folder) = (Registry::start(), tempfile::tempdir().unwrap());
    let layout = fixtures::layout("buildkit-multi");
    registry.push(&format!("oci:{}:1.4", layout.display()), "acme/app:1.4");
    run(Command::new("cp").arg("-r").arg(layout).arg(folder.path().join("out")), "coreutils");
    let portolan = portolan();
    portolan.ok(&format!("bundle resolve -o {}", folder.path().join("resolve.wasm").display()));
    // What the page has npm and jco do.
    let jco = Jco::new(env!("CARGO_TARGET_TMPDIR"));
    jco.furnish(folder.path());
    let all = folder.path().join("all.wasm");
    portolan.ok(&format!("bundle inspect -o {}", all.display()));
    run(Command::new("cp").arg("-r").arg(jco.transpiled(&all, "all")).arg(folder.path().join("all")), "coreutils");
    let shell = Shell::new(folder.path(), portolan.home()).program(env!("CARGO_BIN_EXE_portolan"));
    let shell = shell.program(wasmtime().program()).called(registry.host().to_string(), "localhost:5000");
    assert!(shell.check("bundle.md") >= 11);
}

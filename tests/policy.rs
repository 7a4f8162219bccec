//! `portolan.toml` on a command line: what may run, what it may touch and use up, whose signature it has to have, and where
//! the lock lies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "policy/signed.rs"]
mod signed;

use std::fs;
use std::path::Path;

use portolan::{Bundled, Limits};
use portolan_oci::Digest;
use portolan_tests::cli::Cli;
use portolan_tests::{fixtures, guests};

/// A folder with plug-ins in it, and the program in it.
struct World {
    folder: tempfile::TempDir,
    portolan: Cli,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("plugins")).unwrap();
        fs::write(folder.path().join("plugins/tags.wasm"), Bundled::Tags.bytes()).unwrap();
        fs::write(folder.path().join("plugins/judge.wasm"), Bundled::Strategy.bytes()).unwrap();
        let portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), folder.path());
        World { folder, portolan }
    }

    fn policy(&self, text: &str) -> &Cli {
        fs::write(self.folder.path().join("portolan.toml"), text).unwrap();
        &self.portolan
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

fn image() -> String {
    format!("oci-layout://{}:1.4", fixtures::layout("buildkit-multi").display())
}

#[test]
fn what_may_not_run_does_not() {
    let world = World::new();
    let image = image();
    let portolan =
        world.policy("[frontend.\"*\"]\nrun = false\n[frontend.copy]\nrun = false\n[strategy.\"*\"]\nrun = false\n");
    for (line, who, at) in [
        ("run plugins/tags.wasm r.example/a".to_owned(), "plugins/tags.wasm", 2),
        ("describe plugins/tags.wasm".to_owned(), "plugins/tags.wasm", 2),
        ("bundle plugins/tags.wasm -o out.wasm".to_owned(), "plugins/tags.wasm", 2),
        // Nobody is asked for it.
        ("run oci://r.example/front:1 x".to_owned(), "oci://r.example/front:1", 2),
        (format!("copy {image} r.example/a"), "copy", 4),
        (format!("run copy {image} r.example/a"), "copy", 4),
        (format!("resolve {image} --strategy plugins/judge.wasm"), "plugins/judge.wasm", 6),
        (format!("resolve {image} --strategy=plugins/judge.wasm"), "plugins/judge.wasm", 6),
        ("bundle resolve -o out.wasm --strategy plugins/judge.wasm".to_owned(), "plugins/judge.wasm", 6),
    ] {
        let said = portolan.fails(4, &line);
        let says = format!("{who} may not run here ({}:{at})", world.path("portolan.toml"));
        assert!(said.contains(&says), "{line}: {said}");
    }
    assert!(!Path::new(&world.path("out.wasm")).exists());
    // However a registry is spelled.
    for registry in ["R.example", "r.example:443"] {
        let portolan = world.policy("[frontend.\"oci://r.example/*\"]\nrun = false\n");
        assert!(portolan.fails(4, &format!("run oci://{registry}/front:1 x")).contains("may not run here"));
    }
    // The others do, and one that is named may although others may not.
    portolan.ok(&format!("resolve {image}"));
    let portolan = world.policy("[frontend.\"*\"]\nrun = false\n[frontend.\"plugins/*\"]\nrun = true\n");
    portolan.ok("describe plugins/tags.wasm");
}

#[test]
fn what_it_may_touch_is_what_the_policy_says() {
    let world = World::new();
    let portolan = world.policy("[frontend.tags]\npull = [\"ghcr.io/acme/*\"]\n[frontend.copy]\npush = []\n");
    for (line, says) in [
        ("tags alpine", "tags may not read docker.io/library/alpine"),
        ("run tags ghcr.io/acme/app --allow pull=ghcr.io/*", "tags may not read ghcr.io/*"),
        ("run tags --allow push=ghcr.io/acme/app ghcr.io/acme/app", "push"),
        (&format!("copy {} ghcr.io/acme/app", image()), "copy may not write to ghcr.io/acme/app"),
        ("copy ghcr.io/acme/app oci-layout://out", "copy may not write to oci-layout://"),
    ] {
        let printed = portolan.line(line);
        match says {
            // Of writing nothing is said for tags; it is offline all the same.
            "push" => assert_ne!(printed.status, 4, "{printed:?}"),
            _ => assert!(printed.status == 4 && printed.err.contains(says), "{line}: {printed:?}"),
        }
    }
    assert!(!Path::new(&world.path("out")).exists(), "a target was made that may not be written to");
    // Reading a store that is named takes no grant.
    let image = image();
    assert_eq!(portolan.ok(&format!("tags {}", image.trim_end_matches(":1.4"))).lines().count(), 2);
}

#[test]
fn budgets_are_the_policys() {
    let world = World::new();
    let image = image();
    for (policy, line, says) in [
        ("[frontend.inspect]\nhost-calls = 1\n", format!("inspect {image}"), "it made more than the 1 calls"),
        ("[frontend.inspect]\nmemory = \"64 KiB\"\n", format!("inspect {image}"), "it needs more than the 64 KiB"),
        ("[frontend.inspect]\ndocuments = 100\n", format!("inspect {image}"), "100 bytes"),
        ("[frontend.inspect]\nresponse = 10\n", format!("inspect {image}"), "it answered with more than the 10 bytes"),
        (
            "[strategy.\"plugins/judge.wasm\"]\nhost-calls = 1\n",
            format!("inspect {image} --strategy plugins/judge.wasm"),
            "it made more than the 1 calls",
        ),
    ] {
        let portolan = world.policy(policy);
        let printed = portolan.line(&line);
        assert!(printed.status == 3 && printed.err.contains(says), "{policy}: {printed:?}");
    }
    let hostile = guests::build("hostile", env!("CARGO_TARGET_TMPDIR"));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let waiting = format!("{}/a:1", nobody.local_addr().unwrap());
    for (budget, line, says) in [
        ("cpu = \"30 ms\"", "--do loop".to_owned(), "it computed for longer than the 30 ms"),
        (
            "wall-clock = \"300 ms\"",
            format!("--do resolve --with {waiting} --allow pull=*"),
            "it did not answer within the 300 ms",
        ),
    ] {
        let hostile = hostile.display();
        let portolan = world.policy(&format!("[frontend.\"{hostile}\"]\n{budget}\n"));
        let printed = portolan.line(&format!("run {hostile} {line}"));
        assert!(printed.status == 3 && printed.err.contains(says), "{budget}: {printed:?}");
    }
    // What a frontend says of itself it has to say within them, too.
    let portolan = world.policy("[frontend.\"plugins/tags.wasm\"]\nmemory = \"64 KiB\"\n");
    for line in
        ["describe plugins/tags.wasm", "run plugins/tags.wasm r.example/a", "bundle plugins/tags.wasm -o x.wasm"]
    {
        let printed = portolan.line(line);
        assert!(printed.status == 3 && printed.err.contains("more than the 64 KiB"), "{line}: {printed:?}");
    }
    // They may be more than the usual ones, too.
    let explained = world
        .policy("[frontend.inspect]\nmemory = \"1 GiB\"\n")
        .ok("explain policy inspect --jq .frontend.memory.values[]");
    assert_eq!(explained, "1024 MiB\n");
    assert!(Limits::default().guest_memory < 1 << 30);
}

#[test]
fn a_policy_that_is_not_understood_runs_nothing() {
    let world = World::new();
    let image = image();
    let portolan = world.policy("[frontend.inspect]\nsigned_by = [\"x\"]\n");
    for line in [
        format!("inspect {image}"),
        format!("resolve {image}"),
        "describe tags".to_owned(),
        "run plugins/tags.wasm a".to_owned(),
        "bundle tags -o out.wasm".to_owned(),
        "explain policy tags".to_owned(),
    ] {
        let said = portolan.fails(1, &line);
        let says = format!("{}:2: there is no \"signed_by\"", world.path("portolan.toml"));
        assert!(said.contains(&says), "{line}: {said}");
    }
    fs::write(world.path("portolan.toml"), [0xff, 0xfe]).unwrap();
    assert!(portolan.fails(1, "describe tags").contains("portolan.toml"));
}

#[test]
fn the_one_that_counts_is_the_nearest_or_the_one_that_is_named() {
    let world = World::new();
    let no = "[frontend.tags]\nrun = false\n";
    world.policy(no);
    let deep = world.folder.path().join("a/b");
    fs::create_dir_all(&deep).unwrap();
    let program = || Cli::new(env!("CARGO_BIN_EXE_portolan"), &deep);
    assert!(program().fails(4, "describe tags").contains(&world.path("portolan.toml")));
    fs::write(deep.join("portolan.toml"), "").unwrap();
    program().ok("describe tags");
    let named = program().variable("PORTOLAN_POLICY", world.path("portolan.toml"));
    assert!(named.fails(4, "describe tags").contains(&world.path("portolan.toml:2")));
    let missing = program().variable("PORTOLAN_POLICY", "none.toml");
    assert!(missing.fails(1, "describe tags").contains("cannot read none.toml"));

    // The user's, where there is none here.
    let elsewhere = tempfile::tempdir().unwrap();
    let portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), elsewhere.path());
    portolan.ok("describe tags");
    let config = portolan.home().join(".config/portolan");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("portolan.toml"), no).unwrap();
    assert!(portolan.fails(4, "describe tags").contains(".config/portolan/portolan.toml:2"));
}

#[test]
fn it_explains_itself() {
    let world = World::new();
    let portolan = world.policy(
        "[frontend.\"oci://ghcr.io/acme/newest\"]\nrun = true\nsigned-by = [\"keys/acme.pub\"]\npull = [\"ghcr.io/acme/*\", \"@named\"]\npush = []\nmemory = \"64 MiB\"\n\n[frontend.\"*\"]\nrun = false\n\n[strategy.\"plugins/judge.wasm\"]\ncpu = \"1 s\"\n",
    );
    let explained = portolan.ok("explain policy oci://ghcr.io/acme/newest:1 --strategy plugins/judge.wasm");
    let folder = format!("{}/", world.folder.path().display());
    let expected = "\
Policy       FOLDER/portolan.toml

Frontend     oci://ghcr.io/acme/newest:1
  run        yes             portolan.toml:2
  signed-by  keys/acme.pub   portolan.toml:3
  pull       ghcr.io/acme/*  portolan.toml:4
             @named
  push       nothing         portolan.toml:5
  memory     64 MiB          portolan.toml:6
  cpu        1 s             portolan.toml:12
  wall-clock 5 min           usual
  host-calls 100000          usual
  documents  256 MiB         usual
  response   64 MiB          usual

Strategy     plugins/judge.wasm
  run        yes     usual
  signed-by  nobody  usual
";
    assert_eq!(explained.replace(&folder, "FOLDER/"), expected);
    let json = portolan.ok("explain policy plugins/tags.wasm --format json");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["frontend"]["run"]["values"][0], "no");
    assert_eq!(json["frontend"]["run"]["by"], format!("{folder}portolan.toml:9"));
    assert_eq!(json["frontend"]["memory"]["by"], serde_json::Value::Null);
    assert_eq!(json["strategy"], serde_json::Value::Null);
    // Waiting is bounded for strangers.
    assert_eq!(portolan.ok("explain policy inspect --jq .frontend[\"wall-clock\"].values[]"), "without end\n");
}

#[test]
fn an_audit_says_what_the_policy_granted() {
    let world = World::new();
    let portolan = world.policy("[frontend.\"plugins/tags.wasm\"]\npull = [\"r.example/*\"]\n");
    let line = "run plugins/tags.wasm r.example/a --audit audit.jsonl --offline";
    assert_ne!(portolan.line(line).status, 0, "nobody is there");
    let audit = fs::read_to_string(world.path("audit.jsonl")).unwrap();
    assert!(audit.contains(r#""pull":["r.example/*"],"push":[]"#), "{audit}");
    assert!(audit.contains(&Digest::sha256(Bundled::Tags.bytes()).to_string()), "{audit}");
}

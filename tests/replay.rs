//! Runs on tape: what was recorded is given again byte for byte, without anybody to ask, and the first call that is another
//! ends it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use portolan::Recorded;
use portolan_oci::Digest;
use portolan_tests::cli::{Cli, Printed};
use portolan_tests::fixtures;
use portolan_tests::guests;
use portolan_tests::registry::{Registry, User};

/// The program, in a folder where there is nothing.
struct World {
    folder: tempfile::TempDir,
    portolan: Cli,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), folder.path());
        World { folder, portolan }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Records a run to `tape.jsonl`.
    fn record(&self, line: &str) -> Printed {
        self.portolan.line(&format!("run --record tape.jsonl {line}"))
    }

    /// Gives it again where nothing is.
    fn replay(&self, frontend: &str) -> Printed {
        let elsewhere = World::new();
        let tape = self.path("tape.jsonl");
        elsewhere.portolan.line(&format!("run --replay {} {frontend}", tape.display()))
    }
}

fn layouts() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["buildkit-multi", "buildkit-sbom"] {
        std::os::unix::fs::symlink(fixtures::layout(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn hostile() -> String {
    guests::build("hostile", env!("CARGO_TARGET_TMPDIR")).display().to_string()
}

/// A question for each bundled frontend.
const QUESTIONS: [(&str, &str); 8] = [
    ("copy", "copy oci-layout://buildkit-multi:1.4 oci-layout://out:1 --platform linux/arm64"),
    ("create", "create -t oci-layout://out:2 oci-layout://buildkit-multi:1.4 --platform linux/amd64"),
    ("diff", "diff oci-layout://buildkit-multi:1.4 oci-layout://buildkit-sbom:1 --platform linux/amd64"),
    ("explain", "explain platform linux/arm/v7 --among linux/arm64,linux/arm/v6"),
    ("inspect", "inspect oci-layout://buildkit-sbom --format json"),
    ("layers", "layers --last --key chain-id --platform linux/amd64 oci-layout://buildkit-multi:1.4"),
    ("resolve", "resolve oci-layout://buildkit-multi:1.4 --platform linux/arm64 --format json"),
    ("tags", "tags oci-layout://buildkit-multi"),
];

#[test]
fn a_recorded_run_of_every_bundled_frontend_is_given_again() {
    let folder = fixtures::folder().join("recorded");
    for (name, line) in QUESTIONS {
        let (tape, said) = (folder.join(name).with_extension("jsonl"), folder.join(name).with_extension("txt"));
        if std::env::var_os("BLESS").is_some() {
            let layouts = layouts();
            let portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), layouts.path());
            let printed = portolan.line(&format!("run --record {} {line} --quiet", tape.display()));
            assert!([0, 6].contains(&printed.status), "{line}: {printed:?}");
            fs::write(&said, printed.out).unwrap();
        }
        // Nothing is there that was there then, and nothing comes to be.
        let world = World::new();
        let printed = world.portolan.line(&format!("run --replay {} {name}", tape.display()));
        assert_eq!(printed.out, fs::read_to_string(&said).unwrap(), "{name}: {printed:?}");
        assert_eq!(fs::read_dir(world.folder.path()).unwrap().count(), 0, "{name} wrote something");
    }
}

#[test]
fn what_is_recorded_is_given_again_byte_for_byte() {
    let world = World::new();
    let registry = Registry::for_user(User { name: "somebody", password: "hunter2-secret" });
    let config = world.portolan.home().join(".docker");
    fs::create_dir_all(&config).unwrap();
    let auth = "c29tZWJvZHk6aHVudGVyMi1zZWNyZXQ=";
    fs::write(config.join("config.json"), format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, registry.host()))
        .unwrap();
    registry.push(&format!("oci:{}:1.4", fixtures::layout("buildkit-multi").display()), "acme/app:1");
    let app = format!("{}/acme/app", registry.host());
    let hostile = hostile();
    let lines = [
        format!("inspect {app}:1"),
        format!("resolve {app}:1 --platform linux/arm64 --format json"),
        format!("tags {app}"),
        format!("create -t {app}:2 {app}:1 --platform linux/amd64,linux/arm64"),
        format!("copy {app}:1 {}/acme/other:1", registry.host()),
        // What it was refused is recorded, too.
        format!("{hostile} --do resolve --with docker.io/library/alpine:3"),
        format!("inspect {app}:none"),
    ];
    let mut recorded = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let printed = world.record(line);
        let tape = fs::read_to_string(world.path("tape.jsonl")).unwrap();
        assert!(!tape.contains("hunter2") && !tape.contains(auth), "{line}: a secret is in it");
        fs::rename(world.path("tape.jsonl"), world.path(&format!("{number}.jsonl"))).unwrap();
        recorded.push(printed);
    }
    // Nobody answers any more.
    drop(registry);
    for (number, (line, printed)) in lines.iter().zip(recorded).enumerate() {
        let frontend = line.split(' ').next().unwrap();
        let again = World::new();
        let tape = world.path(&format!("{number}.jsonl"));
        let replayed = again.portolan.line(&format!("run --replay {} {frontend}", tape.display()));
        assert_eq!((replayed.status, &replayed.out), (printed.status, &printed.out), "{line}: {replayed:?}");
    }
}

#[test]
fn the_clock_is_where_it_was() {
    let world = World::new();
    let hostile = hostile();
    let first = world.record(&format!("{hostile} --do clock"));
    assert_eq!(first.status, 0, "{first:?}");
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(world.replay(&hostile).out, first.out);
    assert_ne!(world.portolan.ok(&format!("run {hostile} --do clock")), first.out, "it does not tell the time at all");
}

#[test]
fn the_first_call_that_is_another_ends_it_and_both_are_shown() {
    let world = World::new();
    let image = format!("oci-layout://{}:1.4", fixtures::layout("buildkit-multi").display());
    assert_eq!(world.record(&format!("inspect {image}")).status, 0);
    let said = world.replay("layers");
    assert_eq!((said.status, said.out.as_str()), (1, ""));
    for says in ["its call ", " is another than was recorded", "\n  recorded prefetch [", "\n  asked    "] {
        assert!(said.err.contains(says), "{says}: {}", said.err);
    }
    let tape = fs::read_to_string(world.path("tape.jsonl")).unwrap();
    let lines: Vec<&str> = tape.lines().collect();
    // It asks for more than there is, and for less.
    fs::write(world.path("tape.jsonl"), format!("{}\n", lines[..lines.len() - 1].join("\n"))).unwrap();
    assert!(world.replay("inspect").err.contains("is one more than was recorded:\n  asked    "));
    let twice = format!("{tape}{}\n", lines.last().unwrap());
    fs::write(world.path("tape.jsonl"), twice).unwrap();
    let said = world.replay("inspect");
    assert!(said.status == 1 && said.err.contains("ended before a call that was recorded:\n  recorded "), "{said:?}");
    // An answer that is none.
    let forged = tape.replace(r#""answer":{"ok":{"document""#, r#""answer":{"ok":{"nothing""#);
    fs::write(world.path("tape.jsonl"), forged).unwrap();
    assert!(world.replay("inspect").err.contains("the recording has no answer to call 2, fetch ["));
    // A document that is another than was asked for, and is what its own digest says.
    let root = "sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9";
    let other = Digest::sha256(b"{}");
    let forged = tape
        .replacen('\n', &format!("\n{{\"document\":{{\"digest\":\"{other}\",\"text\":\"{{}}\"}}}}\n"), 1)
        .replace(&format!(r#""ok":{{"document":"{root}"}}"#), &format!(r#""ok":{{"document":"{other}"}}"#));
    fs::write(world.path("tape.jsonl"), forged).unwrap();
    let said = world.replay("inspect");
    assert!(said.err.contains(&format!("the recording has another document in the place of {root}")), "{said:?}");
    for line in
        ["run --replay tape.jsonl inspect --replay tape.jsonl", "run --replay tape.jsonl --allow pull=* inspect"]
    {
        assert_eq!(world.portolan.line(line).status, 2, "{line}");
    }
    // What it is asked is in the recording.
    fs::write(world.path("tape.jsonl"), &tape).unwrap();
    let said = world.replay("inspect alpine");
    assert!(said.status == 2 && said.err.contains("unexpected argument 'alpine'"), "{said:?}");
}

#[test]
fn what_is_no_recording_is_refused() {
    let document = |digest: &Digest, text: &str| format!(r#"{{"document":{{"digest":"{digest}","text":"{text}"}}}}"#);
    let digest = Digest::sha256(b"x");
    let run = format!(
        r#"{{"run":{{"form":1,"frontend":"f","digest":"{digest}","strategy":"{digest}","time":0,"arguments":[]}}}}"#
    );
    for (text, says) in [
        (String::new(), "it is empty"),
        ("rubbish\n".to_owned(), "line 1: "),
        ("\n".to_owned(), "line 1: "),
        (document(&digest, "x"), "line 1: no run has begun"),
        (run.replace("\"form\":1", "\"form\":2"), "line 1: it is of form 2, and 1 is known"),
        (format!("{run}\n{run}\n"), "line 2: another run begins"),
        (format!("{run}\n{}\n", document(&digest, "y")), "line 2: this is no document of that digest"),
        (format!("{run}\n{{\"document\":{{\"digest\":\"{digest}\"}}}}"), "line 2: this is no document of that digest"),
        (
            format!("{run}\n{{\"document\":{{\"digest\":\"{digest}\",\"base64\":\"!\"}}}}"),
            "line 2: this is no document",
        ),
        (format!("{run}\n{{\"document\":{{\"digest\":\"sha256:../x\",\"text\":\"\"}}}}"), "line 2: "),
        (format!("{run}\n{{\"call\":{{}}}}"), "line 2: "),
        (format!("{run}\n{{\"else\":1}}"), "line 2: "),
        (format!("{run}\n{}", "[".repeat(100_000)), "line 2: "),
    ] {
        let error = Recorded::read(text.as_bytes()).unwrap_err();
        assert!(error.starts_with(says), "{text:.300}: {error}");
    }
    let whole =
        format!("{run}\n{}\n{{\"call\":{{\"function\":\"f\",\"with\":[],\"answer\":null}}}}", document(&digest, "x"));
    let recorded = Recorded::read(whole.as_bytes()).unwrap();
    assert_eq!((recorded.arguments(), recorded.frontend()), (&[][..], &digest));
}

#[test]
fn what_cannot_be_recorded_does_not_go_on() {
    let world = World::new();
    if !Path::new("/dev/full").exists() {
        panic!("this test needs /dev/full");
    }
    let image = format!("oci-layout://{}:1.4", fixtures::layout("buildkit-multi").display());
    let said = world.portolan.fails(1, &format!("run inspect {image} --record /dev/full"));
    assert!(said.contains("the recording cannot be written: "), "{said}");
    let said = world.portolan.fails(1, &format!("run inspect {image} --record none/tape.jsonl"));
    assert!(said.contains("cannot write the recording none/tape.jsonl"), "{said}");
    assert!(
        world.portolan.fails(5, "run inspect --replay none.jsonl").contains("cannot read the recording none.jsonl")
    );
}

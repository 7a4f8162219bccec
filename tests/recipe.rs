//! `contrib/github/cache-key`: the script that the action runs, with the environment that the action gives it; and what
//! `docs/ci-cache-key.md` prints.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use portolan_tests::buildkit::Buildkit;
use portolan_tests::cli::Cli;
use portolan_tests::{fixtures, tools};

/// Of the topmost layer of `layouts/buildkit-multi` for linux/amd64.
const CHAIN_ID: &str = "sha256:d8bdb7f884d97bd27176b258fbb4aeaf71b287a7aa532fa35e02c32202919002";
const DIGEST: &str = "sha256:89aaaee8e1889c78bdd1359fb43eb807745e842ba6bb08f6bf32955504c7803e";

fn action() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib/github/cache-key")
}

/// The step's script and its environment as action.yml has them, each variable with the input that is its value.
fn step() -> (String, Vec<(String, String)>) {
    let text = fs::read_to_string(action().join("action.yml")).unwrap();
    let script = text.lines().find_map(|line| line.trim().strip_prefix("run: ")).expect("a script of one line");
    let environment = text.lines().filter_map(|line| {
        let (name, value) = line.trim().split_once(": ${{ inputs.")?;
        Some((name.to_owned(), value.strip_suffix(" }}").expect("an input and nothing else").to_owned()))
    });
    (script.to_owned(), environment.collect())
}

/// What an input is where nothing is given for it.
fn default_of(input: &str) -> String {
    let text = fs::read_to_string(action().join("action.yml")).unwrap();
    let (_, rest) = text.split_once(&format!("\n  {input}:\n")).unwrap_or_else(|| panic!("no input {input}"));
    let default =
        rest.lines().take_while(|line| line.starts_with("    ")).find_map(|line| line.trim().strip_prefix("default: "));
    default.unwrap_or_else(|| panic!("{input} has no default")).trim_matches('"').to_owned()
}

/// The program in a folder of its own, for who calls it by its bare name.
fn portolan(folder: &Path) -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), folder)
}

/// A shell that finds the program, and nothing else of the tests' environment.
fn bash(portolan: &Cli, folder: &Path, script: &str) -> Command {
    let programs = Path::new(env!("CARGO_BIN_EXE_portolan")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([programs.to_owned()].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut shell = Command::new("bash");
    shell.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).env_clear().stdin(Stdio::null());
    shell.env("PATH", path).env("HOME", portolan.home()).current_dir(folder);
    shell
}

/// Runs the step with inputs: its status, what it said, and what it left in `$GITHUB_OUTPUT`.
fn run(portolan: &Cli, inputs: &[(&str, &str)]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("output");
    fs::write(&output, "before=1\n").unwrap();
    let (script, environment) = step();
    let mut shell = bash(portolan, &fixtures::folder().join("layouts"), &script);
    shell.env("GITHUB_ACTION_PATH", action()).env("GITHUB_OUTPUT", &output);
    for (variable, input) in environment {
        let given = inputs.iter().find(|(name, _)| *name == input).map(|(_, value)| (*value).to_owned());
        shell.env(variable, given.unwrap_or_else(|| default_of(&input)));
    }
    let printed = shell.output().expect("bash");
    let written = fs::read_to_string(&output).unwrap();
    let written = written.strip_prefix("before=1\n").expect("what was there stays").to_owned();
    (printed.status.code().unwrap_or(-1), String::from_utf8_lossy(&printed.stderr).into_owned(), written)
}

#[test]
fn the_key_of_an_image_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let portolan = portolan(folder.path());
    let multi = "oci-layout://buildkit-multi:1.4";
    let archive = format!("oci-archive://{}:tar", fixtures::archive("oci-multi.tar").display());
    for (inputs, key) in [
        (&[("ref", multi), ("platform", "linux/amd64")][..], CHAIN_ID),
        (&[("ref", multi), ("platform", "linux/amd64"), ("key", "digest")], DIGEST),
        (&[("ref", "oci-layout://buildkit-single:2")], CHAIN_ID),
        (&[("ref", &archive), ("platform", "linux/arm64"), ("key", "diff-id")], CHAIN_ID),
    ] {
        let (status, said, written) = run(&portolan, inputs);
        assert_eq!((status, written), (0, format!("key={key}\n")), "{inputs:?}\n{said}");
    }
}

#[test]
fn without_a_key_there_is_no_line() {
    let folder = tempfile::tempdir().unwrap();
    let portolan = portolan(folder.path());
    let multi = "oci-layout://buildkit-multi:1.4";
    for (status, inputs, says) in [
        (5, &[("ref", "oci-layout://buildkit-multi:1.5")][..], "the nearest names there are"),
        (5, &[("ref", multi), ("platform", "linux/s390x")], "linux/amd64"),
        (1, &[("ref", multi)], "give the platform of one: linux/amd64 linux/arm64"),
        (1, &[("ref", "oci-layout://umoci:latest")], "no layers"),
        (2, &[("ref", "oci-layout://buildkit-single:2"), ("key", "size")], "chain-id"),
        (2, &[], "one of ref and metadata"),
        (2, &[("ref", multi), ("metadata", "meta.json")], "one of ref and metadata"),
        (2, &[("ref", multi), ("target", "app")], "target"),
    ] {
        let (ended, said, written) = run(&portolan, inputs);
        assert_eq!((ended, written.as_str()), (status, ""), "{inputs:?}\n{said}");
        assert!(said.contains(says) && said.contains("::error::"), "{inputs:?}\n{said}");
    }
}

/// Inputs are somebody's text: a branch's name, say.
#[test]
fn an_input_is_never_run_and_never_an_option() {
    let folder = tempfile::tempdir().unwrap();
    let touched = folder.path().join("touched");
    let touch = touched.display();
    let portolan = portolan(folder.path());
    for text in [
        format!("$(touch {touch})"),
        format!("`touch {touch}`"),
        format!("a; touch {touch}"),
        format!("\"; touch {touch}; \""),
        format!("'; touch {touch}; '"),
        "--help".to_owned(),
        "--metadata-file=output".to_owned(),
        "a\nkey=forged".to_owned(),
    ] {
        for input in ["ref", "metadata", "target", "platform", "key"] {
            let mut inputs = vec![(input, text.as_str())];
            match input {
                "ref" | "metadata" => {}
                "target" => inputs.push(("metadata", "nope.json")),
                _ => inputs.push(("ref", "oci-layout://buildkit-multi:1.4")),
            }
            let (status, said, written) = run(&portolan, &inputs);
            assert!(status != 0 && written.is_empty(), "{inputs:?}: {status} {written}{said}");
            assert!(!touched.exists(), "{inputs:?} was run");
        }
    }
    let text = fs::read_to_string(action().join("action.yml")).unwrap();
    let expressions = text.lines().filter(|line| line.contains("${{")).count();
    assert_eq!(expressions, step().1.len() + 1, "expressions are for the environment and the output alone");
    assert!(!step().0.contains("${{"));
}

/// A builder for the page's build, whose files always have the same time; `docker buildx` is there under that name.
fn prepare(page: &str, folder: &Path, buildkit: &Buildkit) {
    let (_, bake) = page.split_once("```hcl\n").expect("the page's bake file");
    fs::write(folder.join("docker-bake.hcl"), bake.split("```").next().unwrap()).unwrap();
    fs::write(folder.join("Dockerfile"), "FROM scratch\nCOPY package.json /\n").unwrap();
    fs::write(folder.join("package.json"), "{}\n").unwrap();
    fs::set_permissions(folder.join("package.json"), fs::Permissions::from_mode(0o644)).unwrap();
    let file = fs::File::options().write(true).open(folder.join("package.json")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_764_115_200)).unwrap();
    let buildx = tools::find("docker-buildx").expect("docker-buildx, which `make servers` builds");
    let docker = format!("#!/bin/sh\nshift\nexec {} \"$@\"\n", buildx.display());
    fs::create_dir(folder.join("bin")).unwrap();
    fs::write(folder.join("bin/docker"), docker).unwrap();
    fs::set_permissions(folder.join("bin/docker"), fs::Permissions::from_mode(0o755)).unwrap();
    for arguments in [&["create", "--name", "ci", "--driver", "remote", &buildkit.address()][..], &["use", "ci"]] {
        let mut command = Command::new(&buildx);
        command.args(arguments).env("BUILDX_CONFIG", folder.join("buildx"));
        portolan_tests::registry::run(&mut command, "docker-buildx");
    }
}

/// Every line that has its output below it, run as it stands; and what they stand on.
#[test]
fn the_page_prints_what_the_program_does() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ci-cache-key.md");
    let page = fs::read_to_string(page).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for layout in ["buildkit-multi", "buildkit-single"] {
        let mut copy = Command::new("cp");
        portolan_tests::registry::run(copy.arg("-r").arg(fixtures::layout(layout)).arg(folder.path()), "coreutils");
    }
    let buildkit = Buildkit::start(&[]);
    if let Some(buildkit) = &buildkit {
        prepare(&page, folder.path(), buildkit);
    }
    let portolan = portolan(folder.path());
    let mut checked = 0;
    // Text and code take turns.
    for block in page.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("\n$ ")) {
        if buildkit.is_none() && block.contains("docker buildx") {
            continue;
        }
        for example in block.split("\n$ ") {
            let (line, expected) = example.split_once('\n').unwrap_or((example, ""));
            let script = format!("export PATH=$PWD/bin:$PATH BUILDX_CONFIG=$PWD/buildx\n{line}");
            let printed = bash(&portolan, folder.path(), &script).output().expect("bash");
            assert!(printed.status.success(), "{line}: {}", String::from_utf8_lossy(&printed.stderr));
            if line.starts_with("portolan ") {
                assert_eq!(String::from_utf8_lossy(&printed.stdout).trim_end(), expected.trim_end(), "{line}");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, if buildkit.is_some() { 8 } else { 5 }, "the page's examples");
}

//! Completions and manual pages: made of the commands that there are, and of use to a shell and to `man`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::process::Command;

use portolan_tests::cli::Cli;

const COMMANDS: [&str; 18] = [
    "build",
    "bundle",
    "check",
    "completions",
    "copy",
    "create",
    "describe",
    "diff",
    "explain",
    "frontends",
    "inspect",
    "layers",
    "man",
    "new",
    "publish",
    "resolve",
    "run",
    "tags",
];

fn portolan(folder: &tempfile::TempDir) -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), folder.path())
}

#[test]
fn bash_completes_what_is_typed() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("portolan.bash");
    fs::write(&script, portolan(&folder).ok("completions bash")).unwrap();
    for (words, completes) in [
        ("insp", "inspect"),
        ("inspect --plat", "--platform"),
        ("explain poli", "policy"),
        ("explain registry --buil", "--builder"),
        ("resolve --mode ex", "exact"),
        ("run --rec", "--record"),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        let (last, before) =
            (words[words.len() - 1], if words.len() > 1 { words[words.len() - 2] } else { "portolan" });
        let line = format!(
            "source {} && COMP_WORDS=(portolan {}) COMP_CWORD={} && _portolan portolan {last} {before} && echo \"${{COMPREPLY[*]}}\"",
            script.display(),
            words.join(" "),
            words.len()
        );
        let said = Command::new("bash").args(["-c", &line]).output().expect("this test needs bash");
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.split_whitespace().any(|word| word == completes), "{words:?}: {said:?}");
    }
}

#[test]
fn every_shell_gets_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = portolan(&folder).ok(&format!("completions {shell}"));
        for command in COMMANDS {
            assert!(script.contains(command), "{shell} knows no {command}");
        }
        assert!(script.contains("platform") && script.contains("hosts-dir"), "{shell}");
    }
    assert!(portolan(&folder).fails(2, "completions tcsh").contains("possible values"));
}

#[test]
fn every_command_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    portolan(&folder).ok("man .");
    let mut pages: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    // It is there where the program was built with it.
    pages.retain(|page| page != "portolan-serve.1");
    pages.sort();
    let mut expected: Vec<String> = COMMANDS.map(|command| format!("portolan-{command}.1")).to_vec();
    expected.extend(["portolan.1", "portolan-explain-policy.1", "portolan-explain-registry.1"].map(str::to_owned));
    expected.sort();
    assert_eq!(pages, expected);
    let page = fs::read_to_string(folder.path().join("portolan-inspect.1")).unwrap();
    for says in [".TH portolan-inspect 1", "sbom", "platform", "EVERYWHERE", "REGISTRIES", "portolan inspect alpine:3"]
    {
        assert!(page.replace('\\', "").contains(says), "{says}: {page}");
    }
    assert!(portolan(&folder).fails(5, "man none").contains("cannot write manual pages to none"));
}

/// What the commands list is what there are pages for.
#[test]
fn the_list_of_commands_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let help = portolan(&folder).ok("--help");
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let mut listed: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    listed.sort_unstable();
    // It is there where the program was built with it.
    listed.retain(|command| *command != "serve");
    assert_eq!(listed, COMMANDS);
}

//! Other people's components on the command line: a strategy in place of the bundled one, frontends that misbehave.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan_tests::cli::Cli;
use portolan_tests::{fixtures, guests};

fn layouts() -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder().join("layouts"))
}

fn guest(name: &str) -> String {
    guests::build(name, env!("CARGO_TARGET_TMPDIR")).into_os_string().into_string().unwrap()
}

/// The other strategy takes a name by its beginning, which the bundled one never does.
#[test]
fn every_command_follows_the_strategy() {
    let portolan = layouts();
    let strategy = guest("strategy");
    for command in ["inspect", "resolve", "layers", "run resolve", "diff oci-layout://buildkit-multi:1."] {
        let line = format!("{command} oci-layout://buildkit-multi:1. --platform linux/arm64");
        portolan.fails(5, &line);
        portolan.ok(&format!("{line} --strategy {strategy}"));
        portolan.ok(&format!("{line} --strategy={strategy}"));
    }
    let said = portolan.fails(5, "resolve alpine --strategy nope.wasm");
    assert!(said.contains("nope.wasm"), "{said}");
    let said = portolan.fails(1, &format!("resolve alpine --strategy {}", guest("hostile")));
    assert!(said.contains("portolan:oci/strategy"), "{said}");
}

#[test]
fn a_frontend_that_misbehaves_ends_with_its_own_message_and_status() {
    let portolan = layouts();
    let hostile = guest("hostile");
    for (status, what, says) in [
        (3, "--do loop", "computed for longer"),
        (3, "--do allocate", "memory"),
        (3, "--do recurse", "stack"),
        (3, "--do panic --with bang", "bang"),
        (3, "--do call --with 1000000", "calls"),
        (4, "--do resolve --with docker.io/library/alpine:3", "--allow"),
        (4, "--do resolve --with localhost:1/a:3 --allow pull=localhost:2/*", "localhost:1/a"),
        (1, "--do resolve --with localhost:1/a:3 --allow pull=localhost:1/*", "localhost:1"),
    ] {
        let said = portolan.fails(status, &format!("run {hostile} {what}"));
        assert!(said.contains(says), "{what}\nsays {said}without {says:?}");
        assert!(said.contains("hostile"), "{what} does not say who: {said}");
    }
    let good = portolan.line(&format!("run {hostile} --do behave --stats"));
    assert_eq!((good.status, good.out.as_str()), (0, "good\n"));
    for says in ["loaded in", "started in", "computing", "KiB of memory", "host calls", "bytes of documents"] {
        assert!(good.err.contains(says), "{says}: {}", good.err);
    }
}

#[test]
fn a_terminal_is_not_steered() {
    let printed = layouts().line(&format!("run {} --do escape", guest("hostile")));
    assert_eq!(printed.status, 1);
    assert!(!printed.err.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{:?}", printed.err);
    // Not even a line of the log can be forged.
    assert!(!printed.err.lines().any(|line| line.trim_start().starts_with("WARN portolan: forged")), "{}", printed.err);
}

#[test]
fn what_is_no_frontend_is_called_what_it_is() {
    let portolan = layouts();
    for (file, says) in [("buildkit-multi/index.json", "no WebAssembly"), ("buildkit-multi", "buildkit-multi")] {
        let said = portolan.fails(1, &format!("run {file}"));
        assert!(said.contains(says), "{said}");
    }
}

/// What is named with --store is bound, whether a reference names it or not: a frontend may ask for it by itself.
#[test]
fn a_store_is_bound_by_its_name() {
    let portolan = layouts();
    let line = format!("run {} --do entries --with oci-layout://m", guest("hostile"));
    portolan.fails(4, &line);
    portolan.ok(&format!("{line} --store m=buildkit-multi"));
}

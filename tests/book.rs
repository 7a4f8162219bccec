//! The book (`docs/`) says what is so: every command in it is run, and prints what stands below it.
//!
//! Each page has a folder of its own, called `/src/app` in it, in which `out`, `sbom` and `attested` are image layouts; docker.io and
//! ghcr.io are a registry on loopback, by an entry in `certs.d`, with `acme/app:1.4`, `:2.0` and `acme/newest:1` in it.
//!
//! `BLESS=1 cargo test --workspace --test book` writes down what is printed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::process::Command;

use portolan_tests::book::{Shell, docs};
use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use portolan_tests::registry::Registry;

struct World {
    registry: Registry,
    folder: tempfile::TempDir,
    portolan: Cli,
}

impl World {
    fn new() -> World {
        let (registry, folder) = (Registry::start(), tempfile::tempdir().unwrap());
        for (layout, name) in [
            ("buildkit-multi:1.4", "acme/app:1.4"),
            ("buildkit-sbom:1", "acme/app:2.0"),
            ("buildkit-single:2", "acme/newest:1"),
        ] {
            let (layout, entry) = layout.split_once(':').unwrap();
            registry.push(&format!("oci:{}:{entry}", fixtures::layout(layout).display()), name);
        }
        for (name, shown) in [("buildkit-multi", "out"), ("buildkit-sbom", "sbom"), ("regctl-attested", "attested")] {
            let copied =
                Command::new("cp").arg("-r").arg(fixtures::layout(name)).arg(folder.path().join(shown)).status();
            assert!(copied.unwrap().success());
        }
        let portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), folder.path());
        portolan.asks(&["docker.io", "ghcr.io"], registry.host());
        World { registry, folder, portolan }
    }

    fn shell(&self) -> Shell {
        let shell = Shell::new(self.folder.path(), self.portolan.home()).program(env!("CARGO_BIN_EXE_portolan"));
        shell.called(self.registry.host().to_string(), "127.0.0.1:5000")
    }
}

/// Pages whose commands take more than a registry (BuildKit, other toolchains, other runtimes), and the tests that run them.
const ELSEWHERE: [(&str, &str); 6] = [
    ("bundle.md", "tests/bundle.rs"),
    ("first-frontend.md", "tests/authors.rs"),
    ("ci-cache-key.md", "tests/recipe.rs"),
    ("gallery.md", "tests/gallery.rs"),
    ("serving.md", "tests/serve/book.rs"),
    ("writing-a-frontend.md", "tests/polyglot.rs"),
];

#[test]
fn every_command_prints_what_the_book_says() {
    let mut commands = 0;
    for page in fs::read_dir(docs()).unwrap() {
        let path = page.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".md") || ELSEWHERE.iter().any(|(page, _)| *page == name) {
            continue;
        }
        let page = fs::read_to_string(&path).unwrap();
        if !page.contains("```\n$ ") {
            continue;
        }
        commands += World::new().shell().check(&name);
    }
    assert!(commands > 30, "only {commands} commands");
}

#[test]
fn every_page_is_in_the_summary_and_every_link_leads_somewhere() {
    let summary = fs::read_to_string(docs().join("SUMMARY.md")).unwrap();
    for page in fs::read_dir(docs()).unwrap() {
        let path = page.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".md") {
            continue;
        }
        assert!(name == "SUMMARY.md" || summary.contains(&format!("({name})")), "{name} is not in the summary");
        let text = fs::read_to_string(&path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if !target.is_empty() && !target.contains("://") {
                assert!(docs().join(target).exists(), "docs/{name} links to {target}");
            }
        }
    }
    for (page, test) in ELSEWHERE {
        let test = fs::read_to_string(docs().join("..").join(test)).unwrap();
        assert!(docs().join(page).exists() && test.contains(page), "{page}");
    }
}

/// A table that says what others can do has a test for each thing that it says of us.
#[test]
fn every_yes_names_its_test() {
    let parity = fs::read_to_string(docs().join("parity.md")).unwrap();
    let mut named = 0;
    for row in parity.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [_, ours, .., test] = &*cells else { panic!("{row}") };
        if !ours.starts_with("yes") {
            continue;
        }
        let (file, name) = test.trim_matches('`').split_once("::").unwrap_or_else(|| panic!("{row}"));
        let source = fs::read_to_string(docs().join("..").join(file)).unwrap_or_else(|_| panic!("{file}"));
        assert!(source.contains(&format!("fn {name}(")), "{file} has no test {name}");
        named += 1;
    }
    assert!(named > 20, "only {named}");
}

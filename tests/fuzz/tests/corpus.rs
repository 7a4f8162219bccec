//! Every input of every corpus, on the ordinary toolchain. What fails is named by the file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use portolan_fuzz::TARGETS;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_input_of_every_corpus() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let names: Vec<PathBuf> = TARGETS.iter().map(|(name, _)| corpora.join(name)).collect();
    assert_eq!(files(&corpora), names, "a corpus for each target, and no other");
    let mut failed = Vec::new();
    for ((_, target), corpus) in TARGETS.iter().zip(names) {
        let inputs = files(&corpus);
        assert!(!inputs.is_empty(), "{} is empty", corpus.display());
        for input in inputs {
            let data = fs::read(&input).unwrap();
            if catch_unwind(|| target(&data)).is_err() {
                failed.push(input);
            }
        }
    }
    assert!(failed.is_empty(), "what must hold does not for {failed:#?}");
}

#[test]
fn each_target_is_a_program_for_cargo_fuzz() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets");
    let manifest = fs::read_to_string(targets.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"{name}.rs\"")), "{name}");
        let program = fs::read_to_string(targets.join(format!("{name}.rs"))).unwrap();
        assert!(program.contains(&format!("portolan_fuzz::{name}(data)")), "{name}");
    }
}

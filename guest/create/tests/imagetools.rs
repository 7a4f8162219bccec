//! The document against what `docker buildx imagetools create --dry-run` of buildx 0.36 printed of the same command line
//! (tests/fixtures/expected, made by the real tool alone: `BLESS=1` of `tests/create.rs` asks it again).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use portolan_create::Create;
use portolan_sdk::mock::Mock;
use portolan_strategy::Bundled;

/// Where we mean to answer otherwise, and why.
const DIFFERENT: [(&str, &str); 7] = [
    ("two-digests", STATEMENTS),
    ("file-descriptor", STATEMENTS),
    ("file-descriptors", STATEMENTS),
    ("attestation-alone", "an artifact is for no platform: imagetools writes the machine's system and no architecture"),
    ("annotation-manifest", "we annotate manifests: imagetools does not yet"),
    ("annotation-without-type", "without a type that is what is meant, as in docker buildx build"),
    ("annotation-docker", "a Docker list has no annotations: imagetools drops them in silence"),
];

const STATEMENTS: &str = "a statement comes in that refers to the image by its manifest: imagetools does the same of a \
    registry, and in a layout looks at entries alone, so that one image would make two indexes";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

/// The words of a command line as a host passes them on.
fn arguments(line: &str) -> Vec<(&'static str, String)> {
    let mut arguments = vec![("dry-run", "true".to_owned())];
    let mut words = line.split_whitespace();
    while let Some(word) = words.next() {
        let mut next = || words.next().unwrap().to_owned();
        arguments.push(match word {
            "--append" => ("append", "true".to_owned()),
            "--prefer-index=false" => ("prefer-index", "false".to_owned()),
            "--platform" | "-p" => ("platform", next()),
            "--annotation" => ("annotation", next()),
            "-t" => ("tag", next()),
            "-f" => ("file", fs::read_to_string(fixtures().join("layouts").join(next())).unwrap()),
            _ if word.starts_with('-') => panic!("{word} is not known here"),
            _ => ("source", word.to_owned()),
        });
    }
    arguments
}

#[test]
fn makes_what_buildx_makes() {
    let mock = Mock::new(Bundled).folder(fixtures().join("layouts"));
    let expected = fixtures().join("expected");
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for line in fs::read_to_string(expected.join("create.txt")).unwrap().lines() {
        let (name, line) = line.split_once(": ").unwrap();
        let arguments = arguments(line);
        let arguments: Vec<(&str, &str)> = arguments.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let ours = mock.run::<Create>(&arguments);
        let theirs = fs::read_to_string(expected.join(format!("imagetools-create-{name}.json"))).ok();
        let same = match (&ours, &theirs) {
            (Ok(ours), Some(theirs)) => ours.as_text() == Some(theirs),
            (Err(_), None) => true,
            _ => false,
        };
        compared += 1;
        if same == DIFFERENT.iter().any(|(different, _)| *different == name) {
            let ours = ours.map_or_else(|failure| failure.message, |answer| answer.as_text().unwrap().to_owned());
            wrong.push(format!("{name}: {line}\nours:\n{ours}\ntheirs:\n{}", theirs.unwrap_or_default()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 50, "{compared}");
}

//! `--format imagetools` and `--raw` against what `docker buildx imagetools` 0.36 printed (tests/fixtures/expected).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{fixtures, inspect};
use portolan_sdk::Failure;

fn expected(name: &str) -> String {
    let path = fixtures().join("expected").join(format!("imagetools-{name}"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn imagetools(reference: &str, arguments: &[(&str, &str)]) -> Result<String, Failure> {
    let arguments: Vec<(&str, &str)> =
        [("format", "imagetools")].into_iter().chain(arguments.iter().copied()).collect();
    inspect(reference, &arguments).map(|bytes| String::from_utf8(bytes).unwrap())
}

/// To the letter, but for the newline at the end that a shell wants and buildx does not print.
#[test]
fn prints_what_buildx_prints() {
    for (reference, flag, file) in [
        ("buildkit-multi:1.4", None, "buildkit-multi-1.4.json"),
        ("buildkit-multi:1.4", Some("provenance"), "buildkit-multi-1.4.provenance.json"),
        ("buildkit-sbom:1", None, "buildkit-sbom-1.json"),
        ("buildkit-sbom:1", Some("sbom"), "buildkit-sbom-1.sbom.json"),
        ("buildkit-sbom:1", Some("provenance"), "buildkit-sbom-1.provenance.json"),
        ("buildkit-classic:1", Some("provenance"), "buildkit-classic-1.provenance.json"),
        ("buildkit-single:2", None, "buildkit-single-2.json"),
    ] {
        let flags: Vec<(&str, &str)> = flag.into_iter().map(|flag| (flag, "true")).collect();
        let printed = imagetools(&format!("oci-layout://{reference}"), &flags).unwrap();
        assert_eq!(printed, expected(file) + "\n", "{file}");
    }
}

#[test]
fn raw_is_the_root_to_the_byte() {
    for (reference, file) in
        [("buildkit-multi:1.4", "buildkit-multi-1.4.raw.json"), ("buildkit-single:2", "buildkit-single-2.raw.json")]
    {
        let raw = inspect(&format!("oci-layout://{reference}"), &[("raw", "true")]).unwrap();
        assert_eq!(String::from_utf8(raw).unwrap(), expected(file), "{file}");
    }
}

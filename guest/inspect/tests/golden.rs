//! Text and JSON on every layout, against what was read through once and found good (tests/golden). `BLESS=1` writes it
//! anew, to be read through again.

#![allow(clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{answer, fixtures};
use portolan_sdk::mock::Mock;
use portolan_sdk::{Body, Response};
use portolan_strategy::Bundled;
use std::path::Path;

/// The file, the reference, the arguments.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const CASES: &[Case] = &[
    ("buildkit-multi.txt", "oci-layout://buildkit-multi:1.4", &[]),
    ("buildkit-multi.json", "oci-layout://buildkit-multi:1.4", &[("format", "json")]),
    ("buildkit-multi-arm.txt", "oci-layout://buildkit-multi:1.4", &[("platform", "linux/arm64,linux/arm/v7")]),
    ("buildkit-multi-amd64.txt", "oci-layout://buildkit-multi:1.4", &[("platform", "linux/amd64")]),
    ("buildkit-multi-referrers.txt", "oci-layout://buildkit-multi:1.4", &[("referrers", "true")]),
    (
        "buildkit-multi-provenance.txt",
        "oci-layout://buildkit-multi:1.4",
        &[("provenance", "true"), ("platform", "386")],
    ),
    ("buildkit-single.txt", "oci-layout://buildkit-single:2", &[]),
    ("buildkit-single.json", "oci-layout://buildkit-single:2", &[("format", "json")]),
    ("buildkit-sbom.txt", "oci-layout://buildkit-sbom:1", &[]),
    ("buildkit-sbom.json", "oci-layout://buildkit-sbom:1", &[("format", "json"), ("platform", "linux/amd64")]),
    ("buildkit-sbom-sbom.txt", "oci-layout://buildkit-sbom:1", &[("sbom", "true")]),
    ("buildkit-sbom-sbom.json", "oci-layout://buildkit-sbom:1", &[("sbom", "true"), ("format", "json")]),
    ("buildkit-sbom-provenance.txt", "oci-layout://buildkit-sbom:1", &[("provenance", "true")]),
    ("buildkit-artifact.txt", "oci-layout://buildkit-artifact:1", &[]),
    ("buildkit-classic.txt", "oci-layout://buildkit-classic:1", &[]),
    ("regctl-attested.txt", "oci-layout://regctl-attested:2", &[]),
    ("regctl-attested.json", "oci-layout://regctl-attested:2", &[("referrers", "true"), ("format", "json")]),
    ("regctl-attested-referrers.txt", "oci-layout://regctl-attested:2", &[("referrers", "true")]),
    ("regctl-attested-sbom.txt", "oci-layout://regctl-attested:2", &[("sbom", "true")]),
    ("regctl-attested-sbom.json", "oci-layout://regctl-attested:2", &[("sbom", "true"), ("format", "json")]),
    ("regctl-attested-provenance.txt", "oci-layout://regctl-attested:2", &[("provenance", "true")]),
    ("skopeo-names.txt", "oci-layout://skopeo-names:3.16", &[]),
    ("umoci.txt", "oci-layout://umoci:x-123", &[]),
    ("crane-docker-types.txt", "oci-layout://crane-docker-types:2", &[]),
    ("crane-windows.txt", "oci-layout://crane-windows:all", &[]),
    ("crane-nested.txt", "oci-layout://crane-nested:1", &[]),
    ("crane-nested.json", "oci-layout://crane-nested:1", &[("format", "json"), ("platform", "linux/amd64")]),
];

#[test]
fn reads_as_it_should() {
    let mock = Mock::new(Bundled).folder(fixtures().join("layouts"));
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let bless = std::env::var_os("BLESS").is_some();
    let mut differ = Vec::new();
    for (file, reference, arguments) in CASES {
        let printed = answer(&mock, reference, arguments).unwrap_or_else(|failure| panic!("{file}: {failure:?}"));
        let path = golden.join(file);
        if bless {
            std::fs::create_dir_all(&golden).unwrap();
            std::fs::write(&path, &printed).unwrap();
        } else if std::fs::read(&path).unwrap_or_default() != printed {
            differ.push(format!("{file}:\n{}", String::from_utf8_lossy(&printed)));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// What `portolan run --record` wrote down is a host for a test.
#[test]
fn recorded_runs() -> std::io::Result<()> {
    for (tape, said) in [("inspect.jsonl", "inspect.txt"), ("referrers.jsonl", "referrers.txt")] {
        let folder = fixtures().join("recorded");
        let answer = Mock::new(Bundled).recorded(folder.join(tape))?.again::<portolan_inspect::Inspect>();
        let Ok(Response { body: Body::Text(text), .. }) = answer else { panic!("{tape}: {answer:?}") };
        assert_eq!(text, std::fs::read_to_string(folder.join(said))?, "{tape}");
    }
    Ok(())
}

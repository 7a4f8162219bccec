//! Text and JSON on every layout, against what was read through once and found good (tests/golden). `BLESS=1` writes it
//! anew, to be read through again.

use portolan_layers::Layers;
use portolan_sdk::Body;
use portolan_sdk::mock::Mock;
use portolan_strategy::Bundled;
use std::path::{Path, PathBuf};

/// The file, the reference, the arguments.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const CASES: &[Case] = &[
    ("buildkit-multi.txt", "oci-layout://buildkit-multi:1.4", &[]),
    (
        "buildkit-multi-amd64.json",
        "oci-layout://buildkit-multi:1.4",
        &[("format", "json"), ("platform", "linux/amd64")],
    ),
    ("buildkit-multi-last.txt", "oci-layout://buildkit-multi:1.4", &[("last", "true")]),
    (
        "buildkit-multi-history.txt",
        "oci-layout://buildkit-multi:1.4",
        &[("history", "true"), ("platform", "arm64,linux/arm/v7")],
    ),
    ("buildkit-single.txt", "oci-layout://buildkit-single:2", &[]),
    ("buildkit-single-history.json", "oci-layout://buildkit-single:2", &[("history", "true"), ("format", "json")]),
    ("buildkit-sbom.txt", "oci-layout://buildkit-sbom:1", &[]),
    ("buildkit-artifact.txt", "oci-layout://buildkit-artifact:1", &[("key", "diff-id")]),
    ("buildkit-classic.txt", "oci-layout://buildkit-classic:1", &[("last", "true"), ("key", "chain-id")]),
    ("skopeo-names.txt", "oci-layout://skopeo-names:3.16", &[("last", "true"), ("key", "chain-id")]),
    ("umoci.txt", "oci-layout://umoci:x-123", &[]),
    ("umoci.json", "oci-layout://umoci:x-123", &[("format", "json")]),
    ("crane-docker-types.txt", "oci-layout://crane-docker-types:2", &[]),
    ("crane-windows.txt", "oci-layout://crane-windows:all", &[("last", "true")]),
    ("crane-nested.txt", "oci-layout://crane-nested:1", &[("key", "digest")]),
];

#[test]
fn reads_as_it_should() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/layouts");
    let mock = Mock::new(Bundled).folder(fixtures);
    let golden: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let bless = std::env::var_os("BLESS").is_some();
    let mut differ = Vec::new();
    for (file, reference, arguments) in CASES {
        let arguments: Vec<(&str, &str)> = [("ref", *reference)].into_iter().chain(arguments.iter().copied()).collect();
        let answer = mock.run::<Layers>(&arguments).unwrap_or_else(|failure| panic!("{file}: {failure:?}"));
        let Body::Text(printed) = answer.body else { panic!("{file}: no text") };
        let path = golden.join(file);
        if bless {
            std::fs::create_dir_all(&golden).unwrap();
            std::fs::write(&path, &printed).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != printed {
            differ.push(format!("{file}:\n{printed}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

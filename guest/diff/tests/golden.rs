//! Text and JSON on the layouts, against what was read through once and found good (tests/golden). `BLESS=1` writes it
//! anew, to be read through again.

use portolan_diff::Diff;
use portolan_sdk::Body;
use portolan_sdk::mock::Mock;
use portolan_strategy::Bundled;
use std::path::{Path, PathBuf};

/// The file, the references, the arguments.
type Case = (&'static str, [&'static str; 2], &'static [(&'static str, &'static str)]);

const MULTI: &str = "oci-layout://buildkit-multi:1.4";
const SINGLE: &str = "oci-layout://buildkit-single:2";
const SBOM: &str = "oci-layout://buildkit-sbom:1";

const CASES: &[Case] = &[
    ("same-root.txt", [SINGLE, "oci-layout://skopeo-names:3.16"], &[]),
    ("same-root.json", [SINGLE, "oci-layout://skopeo-names:3.16"], &[("format", "json")]),
    ("single-multi.txt", [SINGLE, MULTI], &[]),
    ("multi-sbom.txt", [MULTI, SBOM], &[]),
    ("multi-sbom-amd64.json", [MULTI, SBOM], &[("format", "json"), ("platform", "linux/amd64")]),
    ("artifact-sbom.txt", ["oci-layout://buildkit-artifact:1", SBOM], &[]),
    ("windows-nested.txt", ["oci-layout://crane-windows:all", "oci-layout://crane-nested:1"], &[]),
    ("docker-types-umoci.txt", ["oci-layout://crane-docker-types:2", "oci-layout://umoci:latest"], &[]),
];

#[test]
fn reads_as_it_should() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/layouts");
    let mock = Mock::new(Bundled).folder(fixtures);
    let golden: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let bless = std::env::var_os("BLESS").is_some();
    let mut differ = Vec::new();
    for (file, [a, b], arguments) in CASES {
        let arguments: Vec<(&str, &str)> =
            [("a", *a), ("b", *b)].into_iter().chain(arguments.iter().copied()).collect();
        let answer = mock.run::<Diff>(&arguments).unwrap_or_else(|failure| panic!("{file}: {failure:?}"));
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

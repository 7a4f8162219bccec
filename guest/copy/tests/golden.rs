//! What is printed, against what was read through once and found good (tests/golden). `BLESS=1` writes it anew, to be read
//! through again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use portolan_copy::Copy;
use portolan_sdk::mock::Mock;
use portolan_sdk::{Body, Response};
use portolan_strategy::Bundled;

/// The file, source, target, options.
type Case = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const CASES: &[Case] = &[
    ("multi.txt", "oci-layout://buildkit-multi:1.4", "registry.example/acme/app", &[]),
    ("multi.json", "oci-layout://buildkit-multi:1.4", "registry.example/acme/app", &[("format", "json")]),
    (
        "multi-narrowed.txt",
        "oci-layout://buildkit-multi:1.4",
        "oci-layout://new:2",
        &[("platform", "linux/arm64,linux/amd64")],
    ),
    ("multi-single.txt", "oci-layout://buildkit-multi:1.4", "oci-archive://new.tar", &[("single", "true")]),
    // Its attestations name their subject themselves.
    ("artifact-single.txt", "oci-layout://buildkit-artifact:1", "registry.example/acme/app", &[("single", "true")]),
    (
        "artifact-single.json",
        "oci-layout://buildkit-artifact:1",
        "registry.example/acme/app",
        &[("single", "true"), ("format", "json")],
    ),
    ("all-tags.txt", "oci-layout://buildkit-multi", "registry.example/acme/app", &[("all-tags", "true")]),
    ("all-tags.json", "oci-layout://skopeo-names", "oci-layout://new", &[("all-tags", "true"), ("format", "json")]),
];

fn ask(source: &str, target: &str, options: &[(&str, &str)]) -> Response {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/layouts");
    let arguments: Vec<(&str, &str)> =
        [("src", source), ("dst", target)].into_iter().chain(options.iter().copied()).collect();
    let mock = Mock::new(Bundled).folder(fixtures);
    mock.run::<Copy>(&arguments).unwrap_or_else(|failure| panic!("{source} {target}: {failure:?}"))
}

#[test]
fn reads_as_it_should() {
    let golden: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let bless = std::env::var_os("BLESS").is_some();
    let mut differ = Vec::new();
    for (file, source, target, options) in CASES {
        let Body::Text(printed) = ask(source, target, options).body else { panic!("{file}: no text") };
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

#[test]
fn metadata_as_create_has_it() {
    let digest = "sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9";
    let descriptor =
        format!(r#"{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"{digest}","size":3503}}"#);
    for (target, place) in
        [("registry.example/app:1", "registry.example/app"), ("oci-layout://a%2Fb:1", "oci-layout://a/b")]
    {
        let metadata = ask("oci-layout://buildkit-multi:1.4", target, &[]).metadata;
        let expected = [("image.name", place), ("containerimage.descriptor", descriptor.as_str())];
        assert_eq!(metadata, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    let metadata = ask("oci-layout://buildkit-multi", "registry.example/app", &[("all-tags", "true")]).metadata;
    assert_eq!(metadata, [("image.name".to_owned(), "registry.example/app".to_owned())]);
}

//! `--format imagetools` and `--raw` against what `docker buildx imagetools` 0.36 printed (tests/fixtures/expected).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::{answer, fixtures, inspect};
use portolan_sdk::Failure;
use portolan_sdk::mock::Mock;
use portolan_strategy::Bundled;

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

/// The same of the other layouts, with buildx's own rules for names (tests/buildx).
#[test]
fn prints_what_buildx_prints_of_the_rest() {
    let list = "crane-docker-types@sha256:8011ec35ed1d089f0957c5623cff711085a0094bb4fcd6d627090a81dfe067a1";
    let attestation = "buildkit-sbom@sha256:4f4f83b9e81b0efe1b400ea68d8e0fcf6b6d825a25c85e07f16c49f153ea57bc";
    for (reference, flag, file) in [
        ("buildkit-artifact:1", None, "buildkit-artifact-1.json"),
        ("buildkit-artifact:1", Some("sbom"), "buildkit-artifact-1.sbom.json"),
        ("buildkit-artifact:1", Some("provenance"), "buildkit-artifact-1.provenance.json"),
        ("buildkit-classic:1", None, "buildkit-classic-1.json"),
        ("skopeo-names:3.16", None, "skopeo-names-3.16.json"),
        ("umoci", None, "umoci-latest.json"),
        ("umoci", Some("provenance"), "umoci-latest.provenance.json"),
        (list, None, "crane-docker-types.json"),
        (attestation, None, "buildkit-sbom-attestation.json"),
    ] {
        let mut arguments = vec![("mode", "compat=imagetools")];
        arguments.extend(flag.map(|flag| (flag, "true")));
        let printed = imagetools(&format!("oci-layout://{reference}"), &arguments).unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/buildx").join(file);
        assert_eq!(printed, std::fs::read_to_string(path).unwrap() + "\n", "{file}");
    }
}

/// A registry tells no more of a root than type, digest and size, and an index is the same wherever it lies.
#[test]
fn prints_the_same_of_a_registry_but_for_what_stores_add() {
    for (layout, reference, file) in [
        ("buildkit-multi", "acme/app:1.4", "buildkit-multi-1.4.json"),
        ("buildkit-sbom", "acme/app:1", "buildkit-sbom-1.json"),
        ("buildkit-single", "acme/app:2", "buildkit-single-2.json"),
    ] {
        let mock = Mock::new(Bundled).registry("docker.io/acme/app", fixtures().join("layouts").join(layout));
        let printed = answer(&mock, reference, &[("format", "imagetools")]).unwrap();
        let printed: serde_json::Value = serde_json::from_slice(&printed).unwrap();
        let mut wanted: serde_json::Value = serde_json::from_str(&expected(file)).unwrap();
        wanted["name"] = reference.into();
        if layout == "buildkit-single" {
            let manifest = wanted["manifest"].as_object_mut().unwrap();
            manifest.remove("annotations");
            manifest.remove("platform");
        }
        assert_eq!(printed, wanted, "{layout}");
    }
}

/// What buildx leaves to chance is in the index's order here; all the rest is its own.
#[test]
fn keys_are_normalised_platforms_without_version() {
    let keys = |reference| -> Vec<String> {
        let printed: serde_json::Value = serde_json::from_str(&imagetools(reference, &[]).unwrap()).unwrap();
        match printed["image"]["architecture"].as_str() {
            Some(architecture) => vec![format!("alone: {architecture}")],
            None => printed["image"].as_object().unwrap().keys().cloned().collect(),
        }
    };
    for (reference, wanted) in [
        ("oci-layout://crane-nested:1", &["linux/amd64", "linux/arm64", "windows/amd64"][..]),
        ("oci-layout://crane-windows:all", &["alone: amd64"]),
        ("oci-layout://crane-docker-types:2", &["linux/amd64", "linux/arm64"]),
        ("oci-layout://buildkit-artifact:1", &["linux/amd64", "linux/arm64"]),
        ("oci-layout://umoci:x-123", &["alone: amd64"]),
        ("oci-layout://skopeo-names/alpine:3.16", &["alone: amd64"]),
    ] {
        assert_eq!(keys(reference), wanted, "{reference}");
    }
}

/// umoci's manifest does not say what it is; nor does `index.json` where a digest is asked for.
#[test]
fn a_document_without_a_type_is_taken_for_dockers_in_compat() {
    let reference = "oci-layout://umoci@sha256:5010310a1b5a5d1d4b138a00aa01490f4abb74b59b8df2099244c6f59183e77d";
    for (mode, wanted) in [
        ("strict", "application/vnd.oci.image.manifest.v1+json"),
        ("compat=imagetools", "application/vnd.docker.distribution.manifest.v2+json"),
    ] {
        let printed: serde_json::Value =
            serde_json::from_str(&imagetools(reference, &[("mode", mode)]).unwrap()).unwrap();
        assert_eq!(printed["manifest"]["mediaType"], wanted, "{mode}");
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

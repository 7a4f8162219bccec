//! The bundled strategy as a component is asked: bytes and texts in, positions out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::path::PathBuf;

use portolan_sdk::mock::Mock;
use portolan_sdk::oci::{Digest, Document, Index, Mode, Platform, platform};
use portolan_sdk::{Judgement, Machine};
use portolan_strategy::Bundled;
use serde_json::json;

/// Every index in the fixtures: index.json and what it leads to.
fn indexes() -> Vec<Vec<u8>> {
    let layouts = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/layouts"));
    let mut found = Vec::new();
    for layout in std::fs::read_dir(layouts).unwrap() {
        let layout = layout.unwrap().path();
        found.push(std::fs::read(layout.join("index.json")).unwrap());
        for blob in std::fs::read_dir(layout.join("blobs/sha256")).unwrap() {
            let bytes = std::fs::read(blob.unwrap().path()).unwrap();
            if matches!(Document::parse(&bytes), Ok(Document::Index(_))) {
                found.push(bytes);
            }
        }
    }
    assert!(found.len() > 18, "{}", found.len());
    found
}

#[test]
fn an_outline_is_as_good_as_an_index() {
    let machine = Mock::new(Bundled).machine("linux/arm64");
    let host = machine.platform();
    for index in indexes() {
        let whole = Index::parse(&index).unwrap();
        for wanted in [
            "linux/amd64",
            "linux/386",
            "arm64",
            "linux/arm/v6",
            "linux/arm/v7",
            "windows/amd64",
            "windows(10.0.20348.3)/amd64",
            "unknown/unknown",
        ] {
            for mode in Mode::ALL {
                let parsed = Platform::parse(wanted, &host).unwrap();
                let expected: Vec<u32> =
                    platform::select(&whole, &parsed, &host, mode).into_iter().map(|it| it as u32).collect();
                assert_eq!(machine.select(&index, wanted, mode).unwrap(), expected, "{wanted} {mode}");
            }
        }
    }
}

#[test]
fn entries_that_are_no_images_are_told_apart() {
    let entry = |more: serde_json::Value| {
        let mut entry = json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": Digest::sha256(b""), "size": 0,
            "platform": {"os": "linux", "architecture": "amd64"},
        });
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    };
    let index = json!({"schemaVersion": 2, "manifests": [
        entry(json!({"annotations": {"a": "b", "vnd.docker.reference.type": "attestation-manifest"}})),
        entry(json!({"artifactType": "application/vnd.docker.attestation.manifest.v1+json"})),
        entry(json!({"artifactType": "application/vnd.example"})),
        entry(json!({"mediaType": "application/vnd.example"})),
        entry(json!({"artifactType": "", "annotations": null, "platform": null})),
        entry(json!({"artifactType": "application/vnd.oci.image.config.v1+json", "annotations": {"\u{e9}\n": "\u{1}"}})),
    ]});
    let index = serde_json::to_vec(&index).unwrap();
    let mock = Mock::new(Bundled);
    assert_eq!(mock.select(&index, "amd64", Mode::Strict).unwrap(), [5, 4]);
    assert_eq!(mock.select(&index, "amd64", Mode::CompatBuild).unwrap(), [0, 1, 2, 3, 5, 4]);
}

#[test]
fn refusals() {
    let mock = Mock::new(Bundled);
    let empty = br#"{"manifests":null}"#;
    assert_eq!(mock.select(empty, "linux/amd64", Mode::Strict).unwrap(), [0u32; 0]);
    assert!(mock.select(empty, "linux/*", Mode::Strict).is_err());
    for index in [&b"{"[..], b"{}", b"[]", br#"{"manifests":[{}]}"#, br#"{"manifests":{}}"#] {
        let failure = mock.select(index, "linux/amd64", Mode::Strict).unwrap_err();
        assert_eq!(failure.cause.unwrap().code, "malformed");
    }
    let failure = mock.match_name(br#"{"manifests":[]}"#, "/Upper", Mode::Strict).unwrap_err();
    assert_eq!(failure.hint.as_deref(), Some("write :TAG, /NAME or /NAME:TAG after the store"));
    assert!(mock.match_name(br#"{"manifests":[]}"#, "/Upper", Mode::CompatBuild).unwrap().is_empty());
}

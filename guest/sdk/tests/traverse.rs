//! Traversal over layouts that real tools made, with the bundled strategy.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use std::path::PathBuf;

use portolan_sdk::mock::Mock;
use portolan_sdk::oci::{Location, Mode, Platform};
use portolan_sdk::{Failure, traverse};
use portolan_strategy::Bundled;

fn layouts() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/layouts"))
}

fn mock() -> Mock<Bundled> {
    Mock::new(Bundled).folder(layouts())
}

fn select(reference: &str, platform: &str, mode: Mode) -> Result<String, Failure> {
    let mock = mock();
    let root = traverse::resolve(&mock, &Location::parse(reference)?, mode)?;
    let platform = Platform::parse(platform, &Platform::default())?;
    let image = traverse::select(&mock, &root, &platform, mode)?;
    Ok(format!("{} {}", image.platform(&mock)?.long(), image.manifest.layers.len()))
}

#[test]
fn names_reach_roots() {
    for (reference, expected) in [
        ("oci-layout://buildkit-multi:1.4", "sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9"),
        ("oci-layout://buildkit-multi", "sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9"),
        (
            "oci-layout://buildkit-multi/acme/app:1.4",
            "sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9",
        ),
        (
            "oci-layout://skopeo-names/alpine:3.16",
            "sha256:c4e51f9749e0d1799d2cdfcf82078dad19f461f01bf2d5ada10a8cedb2f258bc",
        ),
    ] {
        let root = traverse::resolve(&mock(), &reference.parse().unwrap(), Mode::Strict).unwrap();
        assert_eq!(root.descriptor.digest.as_str(), expected, "{reference}");
    }
}

#[test]
fn platforms_reach_images() {
    for (reference, platform, mode, expected) in [
        ("oci-layout://buildkit-multi:1.4", "linux/arm64", Mode::Strict, "linux/arm64 1"),
        ("oci-layout://crane-nested:1", "linux/amd64", Mode::Strict, "linux/amd64 1"),
    ] {
        assert_eq!(select(reference, platform, mode).unwrap(), expected, "{reference} {platform} {mode}");
    }
}

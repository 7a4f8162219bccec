//! Every document in the fixtures, which other programs wrote, through the checks and the views.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use portolan_oci::media_type::Kind;
use portolan_oci::{Config, Descriptor, Document, Index, Manifest, document};

fn layouts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/layouts");
    let mut layouts: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    layouts.sort();
    layouts
}

/// Reads what a descriptor names, and all below it; how many documents that were.
fn walk(layout: &Path, descriptor: &Descriptor) -> usize {
    let bytes = fs::read(layout.join("blobs/sha256").join(descriptor.digest.hex())).unwrap();
    assert_eq!(bytes.len() as u64, descriptor.size, "{}", descriptor.digest);
    assert!(descriptor.digest.matches(&bytes), "{}", descriptor.digest);
    document::check(&descriptor.media_type, &bytes, 1000).unwrap();
    match descriptor.kind() {
        Kind::Index => {
            let Document::Index(index) = Document::parse(&bytes).unwrap() else {
                panic!("{} is no index", descriptor.digest)
            };
            1 + index.manifests.iter().map(|entry| walk(layout, entry)).sum::<usize>()
        }
        Kind::Manifest => {
            let manifest = Manifest::parse(&bytes).unwrap();
            let mut read = 1;
            if manifest.is_image() {
                let config = fs::read(layout.join("blobs/sha256").join(manifest.config.digest.hex())).unwrap();
                document::check(&manifest.config.media_type, &config, 1000).unwrap();
                assert_eq!(Config::parse(&config).unwrap().diff_ids.len(), manifest.layers.len());
                read += 1;
            }
            read
        }
        kind => panic!("{} is {kind:?}", descriptor.digest),
    }
}

#[test]
fn every_layout_reads_as_its_writer_meant() {
    let mut read = 0;
    for layout in layouts() {
        let index = Index::parse(&fs::read(layout.join("index.json")).unwrap()).unwrap();
        assert!(!index.manifests.is_empty(), "{}", layout.display());
        read += index.manifests.iter().map(|entry| walk(&layout, entry)).sum::<usize>();
    }
    assert!(read > 50, "only {read} documents");
}

//! Every document in the fixtures, which other programs wrote, through the checks and the views; and what `oci-spec`, which
//! others wrote as well, reads in them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use oci_spec::image;
use portolan_oci::media_type::{Kind, OCI_INDEX};
use portolan_oci::{Annotations, Config, Descriptor, Digest, Document, Index, Manifest, document};

fn layouts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/layouts");
    let mut layouts: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    layouts.sort();
    layouts
}

/// What `oci-spec` reads and we read alike. (Of a platform it leaves out `os.version` and `os.features`, which it looks for
/// under other names.)
fn same(ours: &Descriptor, theirs: &image::Descriptor) {
    assert_eq!(ours.media_type, theirs.media_type().to_string());
    assert_eq!(ours.digest.as_str(), theirs.digest().to_string());
    assert_eq!(ours.size, theirs.size());
    assert_eq!(ours.urls, theirs.urls().clone().unwrap_or_default());
    assert_eq!(ours.data, *theirs.data());
    assert_eq!(ours.artifact_type, theirs.artifact_type().as_ref().map(ToString::to_string));
    same_annotations(&ours.annotations, theirs.annotations());
    assert_eq!(ours.platform.is_some(), theirs.platform().is_some());
    if let (Some(ours), Some(theirs)) = (&ours.platform, theirs.platform()) {
        assert_eq!(ours.os, theirs.os().to_string());
        assert_eq!(ours.architecture, theirs.architecture().to_string());
        assert_eq!(ours.variant, theirs.variant().clone().unwrap_or_default());
    }
}

fn same_annotations(ours: &Annotations, theirs: &Option<HashMap<String, String>>) {
    assert_eq!(*ours, theirs.clone().unwrap_or_default().into_iter().collect());
}

fn all_same(ours: &[Descriptor], theirs: &[image::Descriptor]) {
    assert_eq!(ours.len(), theirs.len());
    ours.iter().zip(theirs).for_each(|(ours, theirs)| same(ours, theirs));
}

fn same_index(ours: &Index, bytes: &[u8]) {
    let theirs = image::ImageIndex::from_reader(bytes).unwrap();
    assert_eq!(ours.media_type, theirs.media_type().as_ref().map(ToString::to_string));
    assert_eq!(ours.artifact_type, theirs.artifact_type().as_ref().map(ToString::to_string));
    all_same(&ours.manifests, theirs.manifests());
    all_same(ours.subject.as_slice(), theirs.subject().as_slice());
    same_annotations(&ours.annotations, theirs.annotations());
}

fn same_manifest(ours: &Manifest, bytes: &[u8]) {
    let theirs = image::ImageManifest::from_reader(bytes).unwrap();
    assert_eq!(ours.media_type, theirs.media_type().as_ref().map(ToString::to_string));
    assert_eq!(ours.artifact_type, theirs.artifact_type().as_ref().map(ToString::to_string));
    same(&ours.config, theirs.config());
    all_same(&ours.layers, theirs.layers());
    all_same(ours.subject.as_slice(), theirs.subject().as_slice());
    same_annotations(&ours.annotations, theirs.annotations());
}

fn same_config(ours: &Config, bytes: &[u8]) {
    let theirs = image::ImageConfiguration::from_reader(bytes).unwrap();
    assert_eq!(ours.platform.os, theirs.os().to_string());
    assert_eq!(ours.platform.architecture, theirs.architecture().to_string());
    assert_eq!(ours.platform.variant, theirs.variant().clone().unwrap_or_default());
    assert_eq!(ours.platform.os_version, theirs.os_version().clone().unwrap_or_default());
    assert_eq!(ours.platform.os_features, theirs.os_features().clone().unwrap_or_default());
    assert_eq!(ours.created, *theirs.created());
    assert!(ours.diff_ids.iter().map(Digest::as_str).eq(theirs.rootfs().diff_ids()));
    let history = theirs.history().clone().unwrap_or_default();
    assert_eq!(ours.history.len(), history.len());
    for (ours, theirs) in ours.history.iter().zip(&history) {
        assert_eq!(ours.created, *theirs.created());
        assert_eq!(ours.created_by, *theirs.created_by());
        assert_eq!(ours.author, *theirs.author());
        assert_eq!(ours.comment, *theirs.comment());
        assert_eq!(ours.empty_layer, theirs.empty_layer().unwrap_or_default());
    }
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
            same_index(&index, &bytes);
            1 + index.manifests.iter().map(|entry| walk(layout, entry)).sum::<usize>()
        }
        Kind::Manifest => {
            let manifest = Manifest::parse(&bytes).unwrap();
            same_manifest(&manifest, &bytes);
            let mut read = 1;
            if manifest.is_image() {
                let config = fs::read(layout.join("blobs/sha256").join(manifest.config.digest.hex())).unwrap();
                document::check(&manifest.config.media_type, &config, 1000).unwrap();
                let view = Config::parse(&config).unwrap();
                same_config(&view, &config);
                assert_eq!(view.diff_ids.len(), manifest.layers.len());
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
        let bytes = fs::read(layout.join("index.json")).unwrap();
        document::check(OCI_INDEX, &bytes, 1000).unwrap();
        let index = Index::parse(&bytes).unwrap();
        same_index(&index, &bytes);
        assert!(!index.manifests.is_empty(), "{}", layout.display());
        read += index.manifests.iter().map(|entry| walk(&layout, entry)).sum::<usize>();
    }
    assert!(read > 50, "only {read} documents");
}

//! Every image in the fixtures through the command line: by tag, by name, by digest, every platform; and what
//! `docker buildx imagetools` prints for them.
//!
//! The digests in the tables were read off the fixtures' index files by eye, not printed by Portolan.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;

use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use serde_json::Value;

fn layouts() -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder().join("layouts"))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn starts(digest: &Value, hex: &str) -> bool {
    digest["digest"].as_str().is_some_and(|digest| digest.starts_with(&format!("sha256:{hex}")))
}

/// Reference, the root's digest, and for each platform its manifest's and config's.
type Image = (&'static str, &'static str, &'static [(&'static str, &'static str, &'static str)]);

const MULTI: &[(&str, &str, &str)] = &[
    ("linux/amd64", "f2e8b1725960", "a3c8ae820063"),
    ("linux/arm64", "f8f13bc44291", "495c37fc4d53"),
    ("linux/arm/v7", "7da5a299c1a1", "26ab30607bda"),
    ("linux/386", "0d5ced7e2ad1", "fcaeac92e033"),
    // Nobody built these: what runs them is taken.
    ("linux/amd64/v3", "f2e8b1725960", "a3c8ae820063"),
    ("linux/arm/v8", "7da5a299c1a1", "26ab30607bda"),
];
const PAIR: &[(&str, &str, &str)] =
    &[("linux/amd64", "e6b7073ee7b2", "185b4b24782e"), ("linux/arm64", "935fc5552bb4", "c7052d70a175")];
const SINGLE: &[(&str, &str, &str)] = &[("linux/amd64", "c4e51f9749e0", "a3c8ae820063")];
const DOCKER: &[(&str, &str, &str)] =
    &[("linux/amd64", "7fb07ab90528", "beb9ceaec86f"), ("linux/arm64", "0053663be6c8", "81fda03d431e")];
const WINDOWS: &[(&str, &str, &str)] = &[
    ("windows(10.0.17763.9999)/amd64", "f047129770a9", "877e154aef23"),
    // The newest revision of the build, wherever it stands in the file.
    ("windows(10.0.20348)/amd64", "8b6a2f40a34d", "59d0ff1f0d78"),
    ("windows(10.0.26100.1)/amd64", "8eb9dc613604", "da8ef0df20ba"),
    // No image for 25398: what was made for 20348 runs there.
    ("windows(10.0.25398.0)/amd64", "8b6a2f40a34d", "59d0ff1f0d78"),
    ("windows/amd64", "8eb9dc613604", "da8ef0df20ba"),
];

const IMAGES: &[Image] = &[
    ("oci-layout://buildkit-multi:1.4", "0c295ea8974e", MULTI),
    ("oci-layout://buildkit-multi:latest", "0c295ea8974e", MULTI),
    ("oci-layout://buildkit-multi", "0c295ea8974e", MULTI),
    ("oci-layout://buildkit-multi/acme/app", "0c295ea8974e", MULTI),
    ("oci-layout://buildkit-multi/docker.io/acme/app:1.4", "0c295ea8974e", MULTI),
    ("oci-layout://buildkit-artifact:1", "5a4c62c588d7", PAIR),
    ("oci-layout://buildkit-classic:1", "94d535e1177e", PAIR),
    ("oci-layout://buildkit-sbom/acme/sbom:1", "f880d241d4d8", PAIR),
    ("oci-layout://buildkit-single:2", "c4e51f9749e0", SINGLE),
    ("oci-layout://skopeo-names:3.16", "c4e51f9749e0", SINGLE),
    ("oci-layout://skopeo-names/alpine:3.16", "c4e51f9749e0", SINGLE),
    ("oci-layout://skopeo-names/docker.io/library/alpine:3.16", "c4e51f9749e0", SINGLE),
    ("oci-layout://crane-docker-types:2", "8011ec35ed1d", DOCKER),
    ("oci-layout://crane-docker-types/localhost:5000/s/app:2", "8011ec35ed1d", DOCKER),
    ("oci-layout://crane-windows:all", "a5e82e207840", WINDOWS),
    ("oci-layout://crane-nested:1", "47a4aa6fe342", WINDOWS),
    ("oci-layout://crane-nested/localhost:5000/s/nested:1", "47a4aa6fe342", DOCKER),
    (
        "oci-archive://../archives/oci-multi.tar:tar",
        "",
        &[("linux/amd64", "c4e51f9749e0", "a3c8ae820063"), ("linux/arm64", "afbfe551903f", "495c37fc4d53")],
    ),
    ("oci-archive://../archives/oci-multi.tar/acme/app:tar", "", &[("linux/amd64", "c4e51f9749e0", "a3c8ae820063")]),
];

#[test]
fn every_image_resolves_for_every_platform() {
    let portolan = layouts();
    for (reference, root, platforms) in IMAGES {
        let resolved = json(&portolan.ok(&format!("resolve {reference} --format json")));
        assert!(starts(&resolved["root"], root), "{reference}: {resolved}");
        for (platform, manifest, config) in *platforms {
            let resolved = json(&portolan.ok(&format!("resolve {reference} --platform {platform} --format json")));
            assert!(starts(&resolved["root"], root), "{reference} for {platform}: {resolved}");
            assert!(starts(&resolved["manifest"], manifest), "{reference} for {platform}: {resolved}");
            assert!(starts(&resolved["config"], config), "{reference} for {platform}: {resolved}");
        }
    }
}

#[test]
fn a_digest_reaches_what_no_name_does() {
    let portolan = layouts();
    for layout in fixtures::layouts() {
        let name = layout.file_name().unwrap().to_str().unwrap();
        let index = json(&fs::read_to_string(layout.join("index.json")).unwrap());
        for entry in index["manifests"].as_array().unwrap() {
            let digest = entry["digest"].as_str().unwrap();
            assert_eq!(portolan.ok(&format!("resolve oci-layout://{name}@{digest} --digest")), format!("{digest}\n"));
            let path = layout.join("blobs/sha256").join(digest.trim_start_matches("sha256:"));
            let raw = portolan.line(&format!("inspect oci-layout://{name}@{digest} --raw"));
            assert_eq!(raw.bytes, fs::read(path).unwrap(), "{name}@{digest}");
        }
    }
}

#[test]
fn config_and_manifest_come_byte_for_byte() {
    let portolan = layouts();
    for (part, hex) in [
        ("index", "0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9"),
        ("manifest", "f8f13bc4429136ee05689e6bbf85e35bc8de090babe227617ec776620af99f3f"),
        ("config", "495c37fc4d5314c54fef11eae48ab89eae35b317d180b62a3e6b2f0583df2bc1"),
    ] {
        let line = format!("resolve oci-layout://buildkit-multi:1.4 --platform linux/arm64 --part {part}");
        let stored = fs::read(fixtures::layout("buildkit-multi").join("blobs/sha256").join(hex)).unwrap();
        assert_eq!(portolan.line(&line).bytes, stored, "{part}");
    }
}

/// Also proves that key order and numbers are as the other program prints them.
#[test]
fn imagetools_output_is_equal_byte_for_byte() {
    let portolan = layouts();
    for (reference, options, file) in [
        ("buildkit-multi:1.4", "", "imagetools-buildkit-multi-1.4.json"),
        ("buildkit-multi:1.4", "--provenance", "imagetools-buildkit-multi-1.4.provenance.json"),
        ("buildkit-single:2", "", "imagetools-buildkit-single-2.json"),
        ("buildkit-sbom:1", "", "imagetools-buildkit-sbom-1.json"),
        ("buildkit-sbom:1", "--sbom", "imagetools-buildkit-sbom-1.sbom.json"),
        ("buildkit-sbom:1", "--provenance", "imagetools-buildkit-sbom-1.provenance.json"),
        ("buildkit-classic:1", "--provenance", "imagetools-buildkit-classic-1.provenance.json"),
    ] {
        let printed = portolan.ok(&format!("inspect oci-layout://{reference} --format imagetools {options} --compat"));
        assert_eq!(printed.trim_end(), fixtures::expected(file).trim_end(), "{file}");
    }
    for (reference, file) in [
        ("buildkit-multi:1.4", "imagetools-buildkit-multi-1.4.raw.json"),
        ("buildkit-single:2", "imagetools-buildkit-single-2.raw.json"),
    ] {
        let raw = portolan.line(&format!("inspect oci-layout://{reference} --raw"));
        assert_eq!(raw.out.trim_end(), fixtures::expected(file).trim_end(), "{file}");
    }
}

/// The most honest way to show that no layer is read: there is none.
#[test]
fn no_layer_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    for layout in fixtures::layouts() {
        let name = layout.file_name().unwrap().to_str().unwrap().to_owned();
        let copy = folder.path().join(&name);
        fs::create_dir_all(copy.join("blobs/sha256")).unwrap();
        for file in ["index.json", "oci-layout"] {
            fs::copy(layout.join(file), copy.join(file)).unwrap();
        }
        let mut left_out = 0;
        for blob in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
            let path = blob.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            // Layers are gzip; everything else in a layout is JSON.
            if bytes.starts_with(b"{") {
                fs::copy(&path, copy.join("blobs/sha256").join(path.file_name().unwrap())).unwrap();
            } else {
                left_out += 1;
            }
        }
        assert!(left_out > 0 || name == "umoci", "{name} has no layers");
    }
    let portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), folder.path());
    for (reference, _, platforms) in IMAGES.iter().filter(|(reference, ..)| reference.starts_with("oci-layout")) {
        for line in ["inspect", "inspect --format json", "layers", "layers --history", "resolve"] {
            portolan.ok(&format!("{line} {reference}"));
        }
        for (platform, ..) in *platforms {
            portolan.ok(&format!("layers --last --key chain-id {reference} --platform {platform}"));
        }
    }
}

/// moby/buildkit#4854 in one line.
#[test]
fn the_last_layer_answers_in_one_line() {
    let portolan = layouts();
    for (key, value) in [
        ("digest", "sha256:89aaaee8e1889c78bdd1359fb43eb807745e842ba6bb08f6bf32955504c7803e"),
        ("diff-id", "sha256:d8bdb7f884d97bd27176b258fbb4aeaf71b287a7aa532fa35e02c32202919002"),
        ("chain-id", "sha256:d8bdb7f884d97bd27176b258fbb4aeaf71b287a7aa532fa35e02c32202919002"),
    ] {
        let line = format!("layers --last --key {key} --platform linux/amd64 oci-layout://buildkit-multi:1.4");
        assert_eq!(portolan.ok(&line), format!("{value}\n"));
    }
    let last = full("buildkit-sbom", "a2f7a3774546");
    assert_eq!(
        portolan.ok("layers --last oci-layout://buildkit-sbom:1"),
        format!("linux/amd64\tsha256:{last}\nlinux/arm64\tsha256:{last}\n")
    );
    let said = portolan.fails(1, "layers --last oci-layout://umoci:latest");
    assert!(said.contains("no layers"), "{said}");
}

/// A blob's whole name.
fn full(layout: &str, start: &str) -> String {
    fs::read_dir(fixtures::layout(layout).join("blobs/sha256"))
        .unwrap()
        .map(|blob| blob.unwrap().file_name().into_string().unwrap())
        .find(|name| name.starts_with(start))
        .unwrap()
}

//! What the mock makes of what is written to it: a frontend's tests are only worth what it insists on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use portolan_sdk::mock::Mock;
use portolan_sdk::oci::{Descriptor, Digest, media_type};
use portolan_sdk::{Host, Item, Pusher};
use portolan_strategy::Bundled;
use serde_json::json;

const REGISTRY: &str = "registry.example/app";
const STORE: &str = "oci-layout://out";

/// A config, a manifest and an index above each other, in a registry.
struct Image {
    config: (Descriptor, Vec<u8>),
    manifest: (Descriptor, Vec<u8>),
    index: (Descriptor, Vec<u8>),
}

fn built(media_type: &str, value: &serde_json::Value) -> (Descriptor, Vec<u8>) {
    let bytes = serde_json::to_vec(value).unwrap();
    (Descriptor::of(media_type, &bytes), bytes)
}

fn image() -> Image {
    let config = built(media_type::OCI_CONFIG, &json!({"os": "linux", "architecture": "amd64"}));
    let manifest = built(media_type::OCI_MANIFEST, &json!({"schemaVersion": 2, "config": config.0, "layers": []}));
    let index = built(media_type::OCI_INDEX, &json!({"schemaVersion": 2, "manifests": [manifest.0]}));
    Image { config, manifest, index }
}

fn full(image: &Image) -> Mock<Bundled> {
    [&image.config, &image.manifest, &image.index].into_iter().fold(Mock::new(Bundled), |mock, (descriptor, bytes)| {
        mock.described("registry.example/source", None, descriptor.clone(), bytes.clone())
    })
}

fn item(of: &(Descriptor, Vec<u8>), name: Option<&str>) -> Item {
    Item { name: name.map(str::to_owned), ..Item::new(&of.0) }
}

#[test]
fn everything_is_copied_whatever_order_it_is_named_in() {
    let image = image();
    for target in [REGISTRY, STORE] {
        let mock = full(&image);
        let items = [item(&image.index, Some("1")), item(&image.manifest, None), item(&image.config, None)];
        mock.copy("registry.example/source", target, &items).unwrap();
        for (descriptor, bytes) in [&image.config, &image.manifest, &image.index] {
            assert_eq!(mock.content(target, &descriptor.digest).as_ref(), Some(bytes));
            assert_eq!(&mock.fetch(target, descriptor).unwrap(), bytes);
        }
        let named: Vec<(String, Digest)> =
            mock.named(target).into_iter().map(|(name, descriptor)| (name, descriptor.digest)).collect();
        assert_eq!(named, [("1".to_owned(), image.index.0.digest.clone())]);
    }
}

#[test]
fn what_a_registry_would_refuse_is_refused() {
    let image = image();
    let lie = Descriptor { size: 1, ..image.config.0.clone() };
    /// Target, name, descriptor, content, and what is said of it.
    type Row<'a> = (&'a str, Option<&'a str>, &'a Descriptor, &'a [u8], &'a str);
    let table: [Row<'_>; 7] = [
        (REGISTRY, None, &lie, &image.config.1, "are not what its descriptor says"),
        (REGISTRY, None, &image.config.0, b"{}", "are not what its descriptor says"),
        (REGISTRY, Some("1"), &image.manifest.0, &image.manifest.1, "which is not there"),
        (REGISTRY, Some("1"), &image.index.0, &image.index.1, "which is not there"),
        (REGISTRY, Some("1"), &image.config.0, &image.config.1, "only manifests and indexes have names"),
        ("registry.example/source", Some("a b"), &image.index.0, &image.index.1, "is no tag"),
        ("registry.example/source", Some("a:1"), &image.index.0, &image.index.1, "is no tag"),
    ];
    for (target, name, descriptor, bytes, why) in table {
        let error = full(&image).push(target, name, descriptor, bytes).unwrap_err();
        assert!(error.message.contains(why), "{error}");
    }
    let without = [item(&image.index, Some("1")), item(&image.config, None)];
    let error = full(&image).copy("registry.example/source", REGISTRY, &without).unwrap_err();
    assert!(error.message.contains("which is not there"), "{error}");
    let error = full(&image).copy("registry.example/nope", REGISTRY, &without).unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[test]
fn names_move() {
    let image = image();
    let other = built(media_type::OCI_INDEX, &json!({"schemaVersion": 2, "manifests": []}));
    // Names in the order in which they are given, to the image (a) or the other one (b); then what a store has.
    type Names<'a> = &'a [(&'a str, char)];
    let table: [(Names<'_>, Names<'_>); 5] = [
        (&[("1", 'a'), ("2", 'a'), ("1", 'b')], &[("2", 'a'), ("1", 'b')]),
        (&[("acme/app:1", 'a'), ("docker.io/acme/app:1", 'b')], &[("docker.io/acme/app:1", 'b')]),
        (&[("acme/app:1", 'a'), ("1", 'b')], &[("docker.io/acme/app:1", 'b')]),
        (&[("@", 'a'), ("@", 'a'), ("1", 'b')], &[("@", 'a'), ("1", 'b')]),
        (&[("1", 'a'), ("@", 'a')], &[("1", 'a')]),
    ];
    for (given, expected) in table {
        let mock = full(&image);
        mock.copy("registry.example/source", STORE, &[item(&image.manifest, None), item(&image.config, None)]).unwrap();
        let called = |name: &str, which: char| {
            let document = if which == 'a' { &image.index } else { &other };
            let name = if name == "@" { format!("@{}", document.0.digest) } else { name.to_owned() };
            (name, document)
        };
        for &(name, which) in given {
            let (name, (descriptor, bytes)) = called(name, which);
            mock.push(STORE, Some(&name), descriptor, bytes).unwrap();
        }
        let named: Vec<(String, Digest)> =
            mock.named(STORE).into_iter().map(|(name, descriptor)| (name, descriptor.digest)).collect();
        let expected: Vec<(String, Digest)> = expected
            .iter()
            .map(|&(name, which)| {
                let (name, document) = called(name, which);
                (name, document.0.digest.clone())
            })
            .collect();
        assert_eq!(named, expected, "{given:?}");
    }
    let mock = full(&image);
    for (name, created) in [("1", true), ("1", false), ("2", true)] {
        let pushed = mock.push("registry.example/source", Some(name), &image.index.0, &image.index.1).unwrap();
        assert_eq!((pushed.created, pushed.subject_processed), (created, true), "{name}");
    }
}

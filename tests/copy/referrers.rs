//! What refers to an image goes with it, between registries that list referrers, ones that do not, and layouts.

use std::fs;

use portolan_oci::{Descriptor, media_type};
use portolan_tests::fixtures;
use portolan_tests::layout::{Layout, json};
use portolan_tests::olareg;
use portolan_tests::registry::Registry;
use serde_json::Value;

use super::{cli, copied};

/// A manifest without layers that speaks of another.
fn statement(layout: &Layout, artifact_type: &str, subject: &Descriptor) -> Descriptor {
    let empty = layout.insert(media_type::OCI_EMPTY, "{}");
    layout.insert(
        media_type::OCI_MANIFEST,
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","artifactType":"{artifact_type}","config":{},"layers":[],"subject":{}}}"#,
            media_type::OCI_MANIFEST,
            json(&empty),
            json(subject)
        ),
    )
}

#[test]
fn signatures_go_with_what_they_sign() {
    let layout = Layout::new();
    let image = layout.image(b"layer");
    let signature = statement(&layout, "application/vnd.example.signature", &image.manifest);
    let on_signature = statement(&layout, "application/vnd.example.stamp", &signature);
    let mut entries = [image.manifest.clone(), signature.clone(), on_signature.clone()];
    let annotate = |entry: &mut Descriptor, key: &str, value: &str| {
        entry.annotations.insert(key.to_owned(), value.to_owned());
    };
    annotate(&mut entries[0], "org.opencontainers.image.ref.name", "1");
    annotate(&mut entries[1], "io.containerd.manifest.subject", image.manifest.digest.as_str());
    annotate(&mut entries[2], "io.containerd.manifest.subject", signature.digest.as_str());
    layout.entries(&entries);

    let (one, other, old) = (olareg::start(), olareg::start(), Registry::start());
    let folder = tempfile::tempdir().unwrap();
    let portolan = cli(folder.path());
    let places = [
        format!("{}/acme/app:1", one.host()),
        format!("{}/acme/app:1", other.host()),
        // Debian's registry keeps no referrers: who pushes does, under a tag.
        format!("{}/acme/app:1", old.host()),
        "oci-layout://there:1".to_owned(),
        "oci-archive://there.tar:1".to_owned(),
        format!("{}/acme/back:1", one.host()),
    ];
    let mut from = format!("oci-layout://{}:1", layout.folder().display());
    for to in places {
        let answer = copied(&portolan, &format!("{from} {to}"));
        assert_eq!(answer["root"]["digest"], image.manifest.digest.as_str());
        let listed = |reference: &str| {
            let inspected = portolan.ok(&format!("inspect {reference} --referrers --format json"));
            let inspected: Value = serde_json::from_str(&inspected).unwrap();
            inspected.to_string()
        };
        let there = listed(&to);
        assert!(there.contains(signature.digest.as_str()), "{to}: {there}");
        let by_digest = to.rsplit_once(':').unwrap().0;
        let there = listed(&format!("{by_digest}@{}", signature.digest));
        assert!(there.contains(on_signature.digest.as_str()), "{to}: {there}");
        from = to;
    }
    let answer = copied(&portolan, &format!("{from} oci-layout://without:1 --no-referrers"));
    assert_eq!(answer["referrers"], serde_json::json!([]));
    let entries = fs::read_to_string(folder.path().join("without/index.json")).unwrap();
    assert!(!entries.contains(signature.digest.as_str()), "{entries}");
    // A repository's tags are its own: under which of them a registry keeps referrers is not.
    let all = copied(&portolan, &format!("{}/acme/app oci-layout://all --all-tags", old.host()));
    assert_eq!(all["tags"].as_array().unwrap().len(), 1, "{all}");
    assert_eq!(all["referrers"].as_array().unwrap().len(), 2, "{all}");
}

/// What cosign and regctl said of an image, told wherever the image and that went: a registry that lists referrers, and one
/// that does not.
#[test]
fn statements_are_read_wherever_they_went() {
    let (new, old, folder) = (olareg::start(), Registry::start(), tempfile::tempdir().unwrap());
    let portolan = cli(folder.path());
    let layout = format!("oci-layout://{}:2", fixtures::layout("regctl-attested").display());
    let said = |reference: &str, flag: &str| {
        let said = portolan.ok(&format!("inspect {reference} {flag} --format json"));
        serde_json::from_str::<Value>(&said).unwrap()["statements"].clone()
    };
    for (flag, statements) in [("--sbom", 2), ("--provenance", 1)] {
        let expected = said(&layout, flag);
        assert_eq!(expected.as_array().unwrap().len(), statements, "{flag}");
        for host in [new.host(), old.host()] {
            let there = format!("{host}/acme/app:2");
            copied(&portolan, &format!("{layout} {there}"));
            let order = |statements: &Value| {
                let mut texts: Vec<String> = statements.as_array().unwrap().iter().map(Value::to_string).collect();
                texts.sort();
                texts
            };
            assert_eq!(order(&said(&there, flag)), order(&expected), "{there} {flag}");
        }
    }
}

//! Images that tests make, in stores of a mock host, and the frontend asked about them.

#![allow(dead_code, reason = "not every test file needs all of it")]

use portolan_diff::Diff;
use portolan_oci::{Descriptor, media_type};
use portolan_sdk::mock::Mock;
use portolan_sdk::{Body, Failure, Response};
use portolan_strategy::Bundled;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The store that holds what is made.
pub const STORE: &str = "oci-layout://s";

/// The images that real tools made.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/layouts")
}

/// A host that holds the fixtures, and what a test puts into it.
pub struct Shelf {
    pub mock: Mock<Bundled>,
}

/// A layer: what its blob is called, and what its content is.
pub type Layer = (u32, u32);

pub fn digest(number: u32) -> String {
    format!("sha256:{number:064x}")
}

/// A config for a platform, with these fields beside.
pub fn config(platform: &str, layers: &[Layer], more: Value) -> Value {
    let (os, architecture) = platform.split_once('/').unwrap();
    let diff_ids: Vec<String> = layers.iter().map(|&(_, content)| digest(content)).collect();
    let mut config =
        json!({"os": os, "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": diff_ids}});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

impl Shelf {
    pub fn new() -> Shelf {
        Shelf { mock: Mock::new(Bundled).folder(fixtures()) }
    }

    /// Stores a document.
    pub fn put(&mut self, name: Option<&str>, media_type: &str, document: &Value) -> Descriptor {
        self.spelled(name, media_type, document.to_string())
    }

    /// The same, in a spelling of the test's.
    pub fn spelled(&mut self, name: Option<&str>, media_type: &str, bytes: String) -> Descriptor {
        let descriptor = Descriptor::of(media_type, bytes.as_bytes());
        let mock = std::mem::replace(&mut self.mock, Mock::new(Bundled));
        self.mock = mock.document(STORE, name, media_type, bytes);
        descriptor
    }

    /// Stores an image; its layers are nowhere. `more` are members of the manifest.
    pub fn image(&mut self, name: Option<&str>, config: &Value, layers: &[Layer], more: Value) -> Descriptor {
        let config = self.put(None, media_type::OCI_CONFIG, config);
        self.manifest(name, &config, layers, more)
    }

    pub fn manifest(&mut self, name: Option<&str>, config: &Descriptor, layers: &[Layer], more: Value) -> Descriptor {
        let layers: Vec<Value> = layers.iter().map(|&(blob, _)| layer(blob)).collect();
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": layers,
        });
        manifest.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.put(name, media_type::OCI_MANIFEST, &manifest)
    }

    /// Stores an index of entries; `more` are members of it.
    pub fn index(&mut self, name: &str, entries: &[Value], more: Value) -> Descriptor {
        let mut index = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries});
        index.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.put(Some(name), media_type::OCI_INDEX, &index)
    }

    /// Stores an attestation of these predicates; its entry.
    pub fn attestation(&mut self, subject: &Descriptor, predicates: &[&str]) -> Value {
        let statements: Vec<Value> = predicates
            .iter()
            .map(|one| {
                with(
                    &layer(7),
                    json!({"mediaType": media_type::IN_TOTO, "annotations": {"in-toto.io/predicate-type": one}}),
                )
            })
            .collect();
        let config = self.put(None, media_type::OCI_CONFIG, &json!({"os": "unknown", "architecture": "unknown"}));
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": statements});
        let entry = self.put(None, media_type::OCI_MANIFEST, &manifest);
        with(
            &json!(entry),
            json!({
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {
                    "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": subject.digest,
                },
            }),
        )
    }

    pub fn ask(&self, a: &str, b: &str, more: &[(&str, &str)]) -> Result<Response, Failure> {
        let [a, b] = [a, b].map(|name| match name.contains("://") {
            true => name.to_owned(),
            false => format!("{STORE}:{name}"),
        });
        let arguments: Vec<(&str, &str)> = [("a", a.as_str()), ("b", b.as_str()), ("exit-code", "true")]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        self.mock.run::<Diff>(&arguments)
    }

    /// The answer for scripts, whose status must be that of its `same`.
    pub fn json(&self, a: &str, b: &str, more: &[(&str, &str)]) -> Value {
        let more: Vec<(&str, &str)> = more.iter().copied().chain([("format", "json")]).collect();
        let response = self.ask(a, b, &more).unwrap_or_else(|failure| panic!("{a} {b}: {failure:?}"));
        let json: Value = serde_json::from_str(response.as_text().unwrap()).unwrap();
        assert_eq!(response.status, if json["same"].is_null() { 6 } else { 0 }, "{json:#}");
        json
    }

    /// The answer for people.
    pub fn text(&self, a: &str, b: &str, more: &[(&str, &str)]) -> String {
        match self.ask(a, b, more).unwrap_or_else(|failure| panic!("{a} {b}: {failure:?}")).body {
            Body::Text(text) => text,
            _ => panic!("diff answers with text"),
        }
    }
}

/// A layer's descriptor.
pub fn layer(blob: u32) -> Value {
    json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(blob), "size": blob})
}

/// An object with more members.
pub fn with(value: &Value, more: Value) -> Value {
    let mut value = value.clone();
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

/// An index's entry for a platform.
pub fn entry(descriptor: &Descriptor, platform: &str, more: Value) -> Value {
    let (os, architecture) = platform.split_once('/').unwrap();
    with(&with(&json!(descriptor), json!({"platform": {"os": os, "architecture": architecture}})), more)
}

/// `path: a b` of each change, `-` for what is not said.
pub fn changes(changes: &Value) -> Vec<String> {
    let side = |value: Option<&Value>| value.map_or("-".into(), Value::to_string);
    let each = changes.as_array().unwrap().iter();
    each.map(|change| {
        let path: Vec<&str> = change["path"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
        format!("{}: {} {}", path.join(" "), side(change.get("a")), side(change.get("b")))
    })
    .collect()
}

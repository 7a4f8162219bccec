//! Documents for tests that no tool would make.

#![allow(dead_code, reason = "each test binary uses some of it")]

use portolan_sdk::mock::Mock;
use portolan_sdk::oci::{Descriptor, Platform, media_type};
use portolan_sdk::{Failure, Strategy, traverse};
use serde_json::{Value, json};

/// Where everything lives.
pub const REPOSITORY: &str = "registry.example/app";

/// A document and its descriptor.
#[derive(Debug, Clone)]
pub struct Built {
    pub descriptor: Descriptor,
    bytes: Vec<u8>,
    below: Vec<Built>,
    missing: bool,
}

/// An image whose config says that it is for `platform`; its index may say otherwise.
pub fn image(platform: &str) -> Built {
    labelled(platform, "")
}

/// The same with a label, to be told from others for the same platform.
pub fn labelled(platform: &str, label: &str) -> Built {
    let platform = parse(platform);
    let mut config = serde_json::to_value(&platform).unwrap();
    config["rootfs"] = json!({"type": "layers", "diff_ids": []});
    config["config"] = json!({"Labels": {"label": label}});
    let config = built(media_type::OCI_CONFIG, &config, Vec::new());
    let manifest = json!({"schemaVersion": 2, "config": config.descriptor, "layers": []});
    built(media_type::OCI_MANIFEST, &manifest, vec![config])
}

/// An image with layers.
pub fn layered(platform: &str, layers: impl IntoIterator<Item = Built>) -> Built {
    let Built { mut below, bytes, .. } = image(platform);
    let mut manifest: Value = serde_json::from_slice(&bytes).unwrap();
    let layers: Vec<Built> = layers.into_iter().collect();
    manifest["layers"] = layers.iter().map(|layer| json!(layer.descriptor)).collect();
    below.extend(layers);
    built(media_type::OCI_MANIFEST, &manifest, below)
}

/// A layer of these bytes.
pub fn layer(bytes: &str) -> Built {
    let descriptor = Descriptor::of("application/vnd.oci.image.layer.v1.tar", bytes.as_bytes());
    Built { descriptor, bytes: bytes.as_bytes().to_vec(), below: Vec::new(), missing: false }
}

/// An artifact.
pub fn artifact() -> Built {
    let config = built("application/vnd.example.config.v1+json", &json!({}), Vec::new());
    let manifest = json!({"schemaVersion": 2, "config": config.descriptor, "layers": []});
    built(media_type::OCI_MANIFEST, &manifest, vec![config])
}

/// An attestation manifest with one statement. Whether its entry or the manifest itself names the subject is the writer's
/// choice.
pub fn attestation(subject: Option<&Built>) -> Built {
    let config = built(media_type::OCI_EMPTY, &json!({}), Vec::new());
    let statement = Descriptor::of(media_type::IN_TOTO, b"statement");
    let mut layer = serde_json::to_value(&statement).unwrap();
    let statement = Built { descriptor: statement, bytes: b"statement".to_vec(), below: Vec::new(), missing: false };
    layer["annotations"] = json!({"in-toto.io/predicate-type": "https://spdx.dev/Document"});
    let mut manifest = json!({
        "schemaVersion": 2, "config": config.descriptor, "layers": [layer],
        "artifactType": "application/vnd.docker.attestation.manifest.v1+json",
    });
    if let Some(subject) = subject {
        manifest["subject"] = json!(subject.descriptor.bare());
    }
    built(media_type::OCI_MANIFEST, &manifest, vec![config, statement])
}

/// An index of these.
pub fn index(entries: impl IntoIterator<Item = Built>) -> Built {
    let below: Vec<Built> = entries.into_iter().collect();
    let manifests: Vec<&Descriptor> = below.iter().map(|it| &it.descriptor).collect();
    let value = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": manifests});
    built(media_type::OCI_INDEX, &value, below)
}

fn built(media_type: &str, value: &Value, below: Vec<Built>) -> Built {
    let bytes = serde_json::to_vec(value).unwrap();
    Built { descriptor: Descriptor::of(media_type, &bytes), bytes, below, missing: false }
}

impl Built {
    /// What its entry says of it.
    pub fn said(mut self, platform: &str) -> Self {
        self.descriptor.platform = Some(parse(platform));
        self
    }

    pub fn annotated(mut self, key: &str, value: &str) -> Self {
        self.descriptor.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    pub fn typed(mut self, artifact_type: &str) -> Self {
        self.descriptor.artifact_type = Some(artifact_type.to_owned());
        self
    }

    /// Says where else the content is.
    pub fn elsewhere(mut self, url: &str) -> Self {
        self.descriptor.urls.push(url.to_owned());
        self
    }

    /// Named by what names it, and not there.
    pub fn missing(mut self) -> Self {
        self.missing = true;
        self
    }

    /// What it names.
    pub fn below(&self) -> &[Built] {
        &self.below
    }

    pub fn digest(&self) -> &str {
        self.descriptor.digest.as_str()
    }

    /// Puts it, and all below it, into a mock's repository under the tag `1`.
    pub fn in_registry<S: Strategy>(&self, mock: Mock<S>) -> Mock<S> {
        self.in_repository(mock, REPOSITORY, Some("1"))
    }

    pub fn in_repository<S: Strategy>(&self, mut mock: Mock<S>, repository: &str, name: Option<&str>) -> Mock<S> {
        for below in &self.below {
            mock = below.in_repository(mock, repository, None);
        }
        if self.missing {
            return mock;
        }
        mock.described(repository, name, self.descriptor.clone(), self.bytes.clone())
    }

    /// Only the document itself: what is below it is missing.
    pub fn alone<S: Strategy>(&self, mock: Mock<S>) -> Mock<S> {
        mock.described(REPOSITORY, Some("1"), self.descriptor.clone(), self.bytes.clone())
    }
}

pub fn parse(platform: &str) -> Platform {
    Platform::parse(platform, &Platform::default()).unwrap()
}

/// The root that [`Built::in_registry`] put there.
pub fn root<S: Strategy>(mock: &Mock<S>) -> Result<traverse::Root, Failure> {
    traverse::resolve(mock, &format!("{REPOSITORY}:1").parse()?, portolan_sdk::oci::Mode::Strict)
}

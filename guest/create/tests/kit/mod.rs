//! Images that no tool made, whole down to their layers, in a mock that can be written to.

#![allow(dead_code, reason = "each test binary uses some of it")]

use portolan_create::Create;
use portolan_sdk::mock::Mock;
use portolan_sdk::oci::{Annotations, Descriptor, Digest, Platform, attestation, media_type};
use portolan_sdk::{Failure, Response};
use portolan_strategy::Bundled;
use serde_json::{Value, json};

/// A document with all that is below it.
#[derive(Debug, Clone)]
pub struct Built {
    pub descriptor: Descriptor,
    pub bytes: Vec<u8>,
    pub below: Vec<Built>,
}

impl Built {
    pub fn digest(&self) -> &Digest {
        &self.descriptor.digest
    }

    /// `NAME@DIGEST`.
    pub fn at(&self, repository: &str) -> String {
        format!("{repository}@{}", self.digest())
    }

    /// With what an index says of it.
    pub fn entry(mut self, change: impl FnOnce(&mut Descriptor)) -> Built {
        change(&mut self.descriptor);
        self
    }

    /// Everything, what is below first.
    pub fn all(&self) -> Vec<&Built> {
        self.below.iter().flat_map(Built::all).chain([self]).collect()
    }
}

pub fn built(media_type: &str, value: &Value, below: Vec<Built>) -> Built {
    let bytes = serde_json::to_vec(value).unwrap();
    Built { descriptor: Descriptor::of(media_type, &bytes), bytes, below }
}

pub fn blob(media_type: &str, text: &str) -> Built {
    Built { descriptor: Descriptor::of(media_type, text.as_bytes()), bytes: text.into(), below: Vec::new() }
}

pub fn platform(text: &str) -> Platform {
    Platform::parse(text, &Platform { os: "linux".into(), architecture: "amd64".into(), ..Platform::default() })
        .unwrap()
}

/// An image for a platform, to be told from others by its label.
pub fn image(text: &str, label: &str) -> Built {
    image_of(media_type::OCI_MANIFEST, text, label)
}

/// The same of Docker's types.
pub fn docker(text: &str, label: &str) -> Built {
    image_of(media_type::DOCKER_MANIFEST, text, label)
}

fn image_of(media_type: &str, text: &str, label: &str) -> Built {
    let (config_type, layer_type) = match media_type {
        media_type::DOCKER_MANIFEST => (media_type::DOCKER_CONFIG, "application/vnd.docker.image.rootfs.diff.tar.gzip"),
        _ => (media_type::OCI_CONFIG, "application/vnd.oci.image.layer.v1.tar+gzip"),
    };
    let mut config = serde_json::to_value(platform(text)).unwrap();
    config["config"] = json!({"Labels": {"label": label}});
    let config = built(config_type, &config, Vec::new());
    let layer = blob(layer_type, &format!("{text} {label}"));
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type, "config": config.descriptor, "layers": [layer.descriptor], "x": 1.50
    });
    built(media_type, &manifest, vec![config, layer]).entry(|entry| entry.platform = Some(platform(text)))
}

/// An artifact about something.
pub fn referrer(artifact_type: &str, subject: &Built) -> Built {
    let config = blob(media_type::OCI_EMPTY, "{}");
    let layer = blob("application/vnd.in-toto+json", &format!("{artifact_type} about {}", subject.digest()));
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "artifactType": artifact_type,
        "config": config.descriptor, "layers": [layer.descriptor], "subject": subject.descriptor.bare(),
    });
    built(media_type::OCI_MANIFEST, &manifest, vec![config, layer])
}

/// What an index says of a statement beside its subject.
pub fn beside(subject: &Built) -> Built {
    let digest = subject.digest().to_string();
    referrer(attestation::ARTIFACT_TYPE, subject).entry(|entry| {
        entry.platform = Some(platform("unknown/unknown"));
        entry.annotations.insert(attestation::REFERENCE_TYPE.into(), attestation::ATTESTATION_MANIFEST.into());
        entry.annotations.insert(attestation::REFERENCE_DIGEST.into(), digest);
    })
}

pub fn index(below: Vec<Built>) -> Built {
    index_of(media_type::OCI_INDEX, below, &json!({}))
}

/// With more fields.
pub fn index_of(media_type: &str, below: Vec<Built>, more: &Value) -> Built {
    let manifests: Vec<&Descriptor> = below.iter().map(|built| &built.descriptor).collect();
    let mut index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
    for (key, value) in more.as_object().unwrap() {
        index[key] = value.clone();
    }
    built(media_type, &index, below)
}

/// Holds all of it, the root under its name.
pub fn hold(mock: Mock<Bundled>, repository: &str, name: Option<&str>, root: &Built) -> Mock<Bundled> {
    root.all().into_iter().fold(mock, |mock, built| {
        let name = name.filter(|_| built.digest() == root.digest());
        mock.described(repository, name, built.descriptor.bare(), built.bytes.clone())
    })
}

pub fn mock() -> Mock<Bundled> {
    Mock::new(Bundled)
}

/// The words of a command line, options as `NAME=VALUE`.
pub fn create(mock: &Mock<Bundled>, line: &[&str]) -> Result<Response, Failure> {
    let arguments: Vec<(&str, &str)> = line
        .iter()
        .map(|word| match word.strip_prefix("--") {
            Some(option) => option.split_once('=').unwrap_or((option, "true")),
            None => ("source", *word),
        })
        .collect();
    mock.run::<Create>(&arguments)
}

/// What `--dry-run` prints.
pub fn document(mock: &Mock<Bundled>, line: &[&str]) -> Value {
    let line: Vec<&str> = line.iter().copied().chain(["--dry-run"]).collect();
    let response = create(mock, &line).unwrap_or_else(|failure| panic!("{line:?}: {failure:?}"));
    serde_json::from_str(response.as_text().unwrap()).unwrap()
}

/// The digests of a document's entries.
pub fn digests(document: &Value) -> Vec<String> {
    let entries = document["manifests"].as_array().unwrap();
    entries.iter().map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect()
}

pub fn annotations(entries: &[(&str, &str)]) -> Annotations {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

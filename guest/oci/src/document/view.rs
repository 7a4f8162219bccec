//! What a reader needs of each document.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::{Malformed, absent, media_type_of, read, text};
use crate::attestation;
use crate::digest::Digest;
use crate::media_type::{self, Kind};
use crate::platform::Platform;

/// Annotations by key (image-spec, annotations.md).
pub type Annotations = BTreeMap<String, String>;

/// The largest size that a document may state: what Go's `int64` holds.
const SIZE_MAX: u64 = i64::MAX as u64;

/// What content is, how it is called, how long it is (image-spec, descriptor.md). Written as Go's struct is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// `type/subtype`.
    #[serde(deserialize_with = "media_type_text")]
    pub media_type: String,
    /// Of any algorithm.
    pub digest: Digest,
    /// Bytes.
    #[serde(deserialize_with = "size")]
    pub size: u64,
    /// Where else the content is said to be. Shown, never followed.
    #[serde(default, deserialize_with = "absent", skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// What the descriptor's writer says about the content.
    #[serde(default, deserialize_with = "absent", skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
    /// The content itself, base64; to be believed only if digest and size agree.
    #[serde(default, deserialize_with = "absent", skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What the content is for, in an index.
    #[serde(default, deserialize_with = "absent", skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What kind of artifact the content is.
    #[serde(default, deserialize_with = "absent", skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
}

impl Descriptor {
    /// The three facts that every descriptor has.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Descriptor {
            media_type: media_type.into(),
            digest,
            size,
            urls: Vec::new(),
            annotations: Annotations::new(),
            data: None,
            platform: None,
            artifact_type: None,
        }
    }

    /// The descriptor of `bytes`, with their SHA-256 digest.
    pub fn of(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
    }

    /// The same without what is said about the content: media type, digest and size.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self::new(self.media_type.clone(), self.digest.clone(), self.size)
    }

    /// What the content is, by its media type.
    pub fn kind(&self) -> Kind {
        media_type::kind(&self.media_type)
    }

    /// Whether it is an index or a manifest: what leads to other content, and may be called something.
    pub fn is_document(&self) -> bool {
        matches!(self.kind(), Kind::Index | Kind::Manifest)
    }

    /// Whether this entry of an index is a statement about another one.
    pub fn is_attestation(&self) -> bool {
        self.annotations.get(attestation::REFERENCE_TYPE).is_some_and(|kind| kind == attestation::ATTESTATION_MANIFEST)
            || self.artifact_type.as_deref() == Some(attestation::ARTIFACT_TYPE)
    }

    /// Whether this entry of an index is an image, or an index that may hold one: neither attestation nor artifact.
    pub fn may_be_image(&self) -> bool {
        super::outline::may_be_image(self.kind(), self.artifact_type.as_deref(), self.is_attestation())
    }

    /// The digest that this entry of an index speaks of, where the entry says so.
    pub fn attestation_subject(&self) -> Option<&str> {
        let annotation = |key| self.annotations.get(key).map(String::as_str);
        annotation(attestation::REFERENCE_DIGEST).or_else(|| annotation(attestation::REFERENCE_DIGEST_OLD))
    }
}

/// An image index or a Docker manifest list (image-spec, image-index.md).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Absent in many an index.json.
    #[serde(default, deserialize_with = "absent")]
    pub media_type: Option<String>,
    /// What kind of artifact the index is.
    #[serde(default, deserialize_with = "absent")]
    pub artifact_type: Option<String>,
    /// The entries, in the file's order.
    #[serde(deserialize_with = "absent")]
    pub manifests: Vec<Descriptor>,
    /// What this index speaks of.
    #[serde(default, deserialize_with = "absent")]
    pub subject: Option<Descriptor>,
    /// Of the index itself.
    #[serde(default, deserialize_with = "absent")]
    pub annotations: Annotations,
}

impl Index {
    /// Reads an index.
    ///
    /// # Errors
    /// What is no JSON or no index. Ambiguity is [`check`](super::check())'s business, which the host does before it hands a document over.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        read("index", bytes)
    }
}

/// An image manifest or a Docker manifest of schema 2 (image-spec, manifest.md).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Absent in many an OCI manifest.
    #[serde(default, deserialize_with = "absent")]
    pub media_type: Option<String>,
    /// What kind of artifact this is, if not an image.
    #[serde(default, deserialize_with = "absent")]
    pub artifact_type: Option<String>,
    /// An image's config, or an artifact's.
    pub config: Descriptor,
    /// Lowest first.
    #[serde(default, deserialize_with = "absent")]
    pub layers: Vec<Descriptor>,
    /// What this manifest speaks of.
    #[serde(default, deserialize_with = "absent")]
    pub subject: Option<Descriptor>,
    /// Of the manifest itself.
    #[serde(default, deserialize_with = "absent")]
    pub annotations: Annotations,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// What is no JSON or no manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        read("manifest", bytes)
    }

    /// Whether this is an image that can be run, by its config's media type.
    pub fn is_image(&self) -> bool {
        media_type::is_image_config(&self.config.media_type)
    }
}

/// An image's config: what it is for and what it is made of (image-spec, config.md). How it is run is left to whoever reads
/// the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "StoredConfig")]
pub struct Config {
    /// What the image is for; without an operating system or an architecture where the config has none.
    pub platform: Platform,
    /// RFC 3339, unchecked.
    pub created: Option<String>,
    /// Digests of the uncompressed layers, lowest first.
    pub diff_ids: Vec<Digest>,
    /// How the layers came to be, lowest first.
    pub history: Vec<History>,
}

/// A config as it is written: the platform's fields lie among the others. (serde's `flatten` would first copy all of them.)
#[derive(Deserialize)]
struct StoredConfig {
    #[serde(default, deserialize_with = "absent")]
    architecture: String,
    #[serde(default, deserialize_with = "absent")]
    os: String,
    #[serde(rename = "os.version", default, deserialize_with = "absent")]
    os_version: String,
    #[serde(rename = "os.features", default, deserialize_with = "absent")]
    os_features: Vec<String>,
    #[serde(default, deserialize_with = "absent")]
    variant: String,
    #[serde(default, deserialize_with = "absent")]
    created: Option<String>,
    #[serde(default, deserialize_with = "absent")]
    rootfs: RootFs,
    #[serde(default, deserialize_with = "absent")]
    history: Vec<History>,
}

#[derive(Default, Deserialize)]
struct RootFs {
    #[serde(default, deserialize_with = "absent")]
    diff_ids: Vec<Digest>,
}

impl From<StoredConfig> for Config {
    fn from(stored: StoredConfig) -> Self {
        let StoredConfig { architecture, os, os_version, os_features, variant, created, rootfs, history } = stored;
        let platform = Platform { architecture, os, os_version, os_features, variant };
        Config { platform, created, diff_ids: rootfs.diff_ids, history }
    }
}

/// One step of an image's making.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct History {
    /// RFC 3339, unchecked.
    #[serde(default, deserialize_with = "absent", skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The command.
    #[serde(default, deserialize_with = "absent", skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Who.
    #[serde(default, deserialize_with = "absent", skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Anything else.
    #[serde(default, deserialize_with = "absent", skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether the step left no layer behind.
    #[serde(default, deserialize_with = "absent", skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
}

impl Config {
    /// Reads a config.
    ///
    /// # Errors
    /// What is no JSON or no image config.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        read("image config", bytes)
    }
}

/// A root or what an index names: one of the two documents that lead on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a run holds a few at a time, and each is read once")]
pub enum Document {
    /// Leads to manifests.
    Index(Index),
    /// Leads to a config and layers.
    Manifest(Manifest),
}

impl Document {
    /// Reads bytes whose kind is known only to themselves, checked.
    ///
    /// # Errors
    /// What is neither, or could be taken for both.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        match media_type::kind(&media_type_of(bytes, false)?) {
            Kind::Index => Index::parse(bytes).map(Document::Index),
            _ => Manifest::parse(bytes).map(Document::Manifest),
        }
    }
}

fn media_type_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = text(deserializer)?;
    match media_type::valid(&text) {
        true => Ok(text.into_owned()),
        false => Err(serde::de::Error::custom(format_args!("{:?} is no media type", crate::reference::excerpt(&text)))),
    }
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        size if size <= SIZE_MAX => Ok(size),
        size => Err(serde::de::Error::custom(format_args!("a size of {size} is more than 2^63-1"))),
    }
}

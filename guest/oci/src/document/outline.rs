//! An index, read no further than a choice needs: one of its entries is meant, and most of what is said of the others
//! would be read, copied and thrown away.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Descriptor, Malformed, absent, read, text};
use crate::attestation;
use crate::media_type::{self, Kind};
use crate::platform::Platform;

/// The entries of an index, each read when it is asked for.
#[derive(Debug, Deserialize)]
pub struct Entries<'a> {
    #[serde(borrow, deserialize_with = "absent")]
    manifests: Vec<&'a RawValue>,
}

impl<'a> Entries<'a> {
    /// Finds the entries.
    ///
    /// # Errors
    /// What is no JSON or no index.
    pub fn parse(index: &'a [u8]) -> Result<Self, Malformed> {
        read("index", index)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.manifests.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.manifests.is_empty()
    }

    /// The entry at a position, if there is one.
    ///
    /// # Errors
    /// An entry that is no descriptor.
    pub fn get(&self, position: usize) -> Result<Option<Descriptor>, Malformed> {
        let Some(entry) = self.manifests.get(position) else { return Ok(None) };
        serde_json::from_slice(entry.get().as_bytes()).map(Some).map_err(|error| Malformed::json("index", &error))
    }
}

/// What choosing for a platform looks at in an index.
#[derive(Debug, Deserialize)]
pub struct Outline<'a> {
    #[serde(borrow, deserialize_with = "absent")]
    pub(crate) manifests: Vec<Candidate<'a>>,
}

impl<'a> Outline<'a> {
    /// Reads an index.
    ///
    /// # Errors
    /// What is no JSON or no index.
    pub fn parse(index: &'a [u8]) -> Result<Self, Malformed> {
        read("index", index)
    }
}

/// What choosing looks at in an entry.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Candidate<'a> {
    #[serde(borrow, deserialize_with = "text")]
    media_type: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "absent")]
    artifact_type: Option<Text<'a>>,
    #[serde(default, deserialize_with = "absent")]
    pub(crate) platform: Option<Platform>,
    #[serde(default, rename = "annotations", deserialize_with = "absent")]
    says: Says,
}

impl Candidate<'_> {
    /// As [`Descriptor::may_be_image`].
    pub(crate) fn may_be_image(&self) -> bool {
        let artifact_type = self.artifact_type.as_ref().map(|Text(text)| text.as_ref());
        may_be_image(media_type::kind(&self.media_type), artifact_type, self.says.attestation)
    }
}

/// The rule behind [`Descriptor::may_be_image`]; `attestation` is what annotations say.
pub(crate) fn may_be_image(kind: Kind, artifact_type: Option<&str>, attestation: bool) -> bool {
    let artifact_type = artifact_type.unwrap_or_default();
    matches!(kind, Kind::Index | Kind::Manifest)
        && !attestation
        // crane writes an image's config type on plain images. An attestation's own type is none of these.
        && (artifact_type.is_empty() || media_type::is_image_config(artifact_type))
}

#[derive(Debug)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer).map(Text)
    }
}

/// The one thing that annotations are asked for, without keeping any.
#[derive(Debug, Default)]
struct Says {
    attestation: bool,
}

impl<'de> Deserialize<'de> for Says {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Annotations;
        impl<'de> Visitor<'de> for Annotations {
            type Value = Says;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("annotations")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Says, A::Error> {
                let mut says = Says::default();
                while let Some(Text(key)) = map.next_key()? {
                    match key == attestation::REFERENCE_TYPE {
                        true => {
                            let Text(value) = map.next_value()?;
                            says.attestation = value == attestation::ATTESTATION_MANIFEST;
                        }
                        false => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(says)
            }
        }
        deserializer.deserialize_map(Annotations)
    }
}

//! The checks before a document is believed: that it cannot be read as two things (CVE-2021-41190), and that it is what it
//! is said to be.
//!
//! Two programs that read one text differently are one program deceived. So keys that come twice, or in another case than
//! the specification's (Go's reader takes them), are refused in the index, the manifest, the config, their descriptors and
//! platforms; not inside annotations, labels or any other document.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Malformed;
use crate::media_type::{self, DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, Kind, OCI_INDEX, OCI_MANIFEST};

/// What lies where: the known keys of an object and what each holds.
#[derive(Clone, Copy)]
enum Shape {
    /// Not looked into.
    Any,
    Object(&'static [(&'static str, Shape)]),
    List(&'static Shape),
}

use Shape::{Any, List, Object};

const PLATFORM: &[(&str, Shape)] =
    &[("architecture", Any), ("os", Any), ("os.version", Any), ("os.features", Any), ("variant", Any)];

const DESCRIPTOR: &[(&str, Shape)] = &[
    ("mediaType", Any),
    ("digest", Any),
    ("size", Any),
    ("urls", Any),
    ("annotations", Any),
    ("data", Any),
    ("platform", Object(PLATFORM)),
    ("artifactType", Any),
];

/// Manifests and indexes together: which of the two it is follows from the keys that are there.
const ROOT: &[(&str, Shape)] = &[
    ("schemaVersion", Any),
    ("mediaType", Any),
    ("artifactType", Any),
    ("manifests", List(&Object(DESCRIPTOR))),
    ("config", Object(DESCRIPTOR)),
    ("layers", List(&Object(DESCRIPTOR))),
    ("fsLayers", Any),
    ("subject", Object(DESCRIPTOR)),
    ("annotations", Any),
];

const CONFIG: &[(&str, Shape)] = &[
    ("created", Any),
    ("author", Any),
    ("architecture", Any),
    ("variant", Any),
    ("os", Any),
    ("os.version", Any),
    ("os.features", Any),
    ("config", Any),
    ("rootfs", Object(&[("type", Any), ("diff_ids", Any)])),
    ("history", Any),
];

/// Checks a document that is said to be of `media_type`. Documents that are neither index, manifest nor image config pass.
///
/// # Errors
/// A shape that contradicts the media type, an ambiguous document, Docker's schema 1, more than `most` entries in a list.
pub fn check(media_type: &str, bytes: &[u8], most: usize) -> Result<(), Malformed> {
    if media_type::is_schema1(media_type) {
        return Err(schema1());
    }
    match media_type::kind(media_type) {
        kind @ (Kind::Index | Kind::Manifest) => {
            let root = Root::read(bytes)?;
            let shape = root.shape(bytes, most)?;
            if shape != kind {
                return Err(Malformed::new(format!(
                    "its media type is {media_type}, and its shape is that of {}",
                    named(shape)
                )));
            }
            match root.media_type.as_deref() {
                Some(own) if media_type::kind(own) != shape => Err(Malformed::new(format!(
                    "it says that it is {own:?}, and its shape is that of {}",
                    named(shape)
                ))),
                _ => Ok(()),
            }
        }
        Kind::Config => walk(bytes, Object(CONFIG), most, "image config").map(drop),
        _ => Ok(()),
    }
}

/// The media type of an index or manifest that came without one. `compat` takes Docker's types for what does not say, as
/// containerd does.
///
/// # Errors
/// As [`check`], and what is neither index nor manifest.
pub fn media_type_of(bytes: &[u8], compat: bool) -> Result<String, Malformed> {
    let root = Root::read(bytes)?;
    let shape = root.shape(bytes, usize::MAX)?;
    if let Some(own) = root.media_type.filter(|own| !own.is_empty()) {
        return match media_type::kind(&own) == shape {
            true => Ok(own.into_owned()),
            false => {
                Err(Malformed::new(format!("it says that it is {own:?}, and its shape is that of {}", named(shape))))
            }
        };
    }
    let docker_config = || {
        let config = root.config.as_ref().and_then(|config| config.media_type.as_deref());
        config == Some(DOCKER_CONFIG)
    };
    Ok(match shape {
        Kind::Index if compat => DOCKER_LIST,
        Kind::Index => OCI_INDEX,
        _ if compat || docker_config() => DOCKER_MANIFEST,
        _ => OCI_MANIFEST,
    }
    .into())
}

fn named(kind: Kind) -> &'static str {
    match kind {
        Kind::Index => "an index",
        _ => "a manifest",
    }
}

fn schema1() -> Malformed {
    Malformed::new(
        "it is a Docker manifest of schema 1, which is no longer read; push the image anew with a current tool",
    )
}

/// What tells an index from a manifest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Root<'a> {
    #[serde(default)]
    schema_version: Option<serde_json::Number>,
    #[serde(default, borrow)]
    media_type: Option<Cow<'a, str>>,
    #[serde(default, borrow, deserialize_with = "peek")]
    config: Option<Peek<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Peek<'a> {
    #[serde(default, borrow)]
    media_type: Option<Cow<'a, str>>,
}

fn peek<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Peek<'a>>, D::Error> {
    Option::deserialize(deserializer)
}

impl<'a> Root<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        serde_json::from_slice(bytes).map_err(|error| Malformed::json("index or manifest", &error))
    }

    fn shape(&self, bytes: &[u8], most: usize) -> Result<Kind, Malformed> {
        if self.media_type.as_deref().is_some_and(media_type::is_schema1) {
            return Err(schema1());
        }
        if self.schema_version.as_ref().and_then(serde_json::Number::as_u64) == Some(1) {
            return Err(schema1());
        }
        let keys = walk(bytes, Object(ROOT), most, "index or manifest")?;
        let has = |key: &str| ROOT.iter().position(|(known, _)| *known == key).is_some_and(|at| keys & (1 << at) != 0);
        if has("fsLayers") {
            return Err(Malformed::new(
                "it has fsLayers, as a Docker manifest of schema 1 has, which is no longer read",
            ));
        }
        match (has("manifests"), has("config") || has("layers")) {
            (true, true) => Err(Malformed::new(
                "it is ambiguous: it has manifests, as an index, and config or layers, as a manifest",
            )),
            (true, false) => Ok(Kind::Index),
            (false, true) => Ok(Kind::Manifest),
            (false, false) => {
                Err(Malformed::new("it is neither index nor manifest: it has no manifests, no config and no layers"))
            }
        }
    }
}

/// Walks a document; the known keys that its outermost object has, as bits.
fn walk(bytes: &[u8], shape: Shape, most: usize, what: &str) -> Result<u32, Malformed> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let keys = Walk { shape, most }
        .deserialize(&mut deserializer)
        .and_then(|keys| deserializer.end().map(|()| keys))
        .map_err(|error| Malformed::json(what, &error))?;
    Ok(keys)
}

#[derive(Clone, Copy)]
struct Walk {
    shape: Shape,
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Walk {
    /// The known keys that were there, as bits.
    type Value = u32;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u32, D::Error> {
        match self.shape {
            Any => deserializer.deserialize_ignored_any(IgnoredAny).map(|_| 0),
            Object(_) | List(_) => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.shape {
            Any => "anything",
            Object(_) => "an object",
            List(_) => "a list",
        })
    }

    fn visit_unit<E: Error>(self) -> Result<u32, E> {
        Ok(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<u32, A::Error> {
        let List(&shape) = self.shape else { return Err(A::Error::custom("a list where an object is meant")) };
        let mut count = 0usize;
        while list.next_element_seed(Walk { shape, most: self.most })?.is_some() {
            count += 1;
            if count > self.most {
                return Err(A::Error::custom(format_args!("a list of more than {} entries", self.most)));
            }
        }
        Ok(0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<u32, A::Error> {
        let Object(known) = self.shape else { return Err(A::Error::custom("an object where a list is meant")) };
        let mut keys = 0u32;
        let mut others = BTreeSet::new();
        while let Some(Key(key)) = map.next_key()? {
            let place = known.iter().position(|(name, _)| name.eq_ignore_ascii_case(&key));
            let shape = match place.and_then(|at| Some((at, known.get(at)?))) {
                Some((_, (name, _))) if *name != key => {
                    return Err(A::Error::custom(format_args!("the key {key:?}, which must be written {name:?}")));
                }
                Some((at, (_, shape))) => {
                    if keys & (1 << at) != 0 {
                        return Err(A::Error::custom(format_args!("the key {key:?} twice")));
                    }
                    keys |= 1 << at;
                    *shape
                }
                None => {
                    if others.contains(key.as_ref()) {
                        return Err(A::Error::custom(format_args!(
                            "the key {:?} twice",
                            crate::reference::excerpt(&key)
                        )));
                    }
                    others.insert(key.into_owned());
                    Any
                }
            };
            map.next_value_seed(Walk { shape, most: self.most })?;
        }
        Ok(keys)
    }
}

struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::text(deserializer).map(Key)
    }
}

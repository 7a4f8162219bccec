//! The checks before a document is believed: that it cannot be read as two things (CVE-2021-41190), and that it is what it
//! is said to be.
//!
//! Two programs that read one text differently are one program deceived. So keys that come twice, or in another case than
//! the specification's (Go's reader takes them), are refused in the index, the manifest, the config, their descriptors and
//! platforms; not inside annotations, labels or any other document. One pass over the bytes does all of it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Malformed, utf8};
use crate::media_type::{self, DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, Kind, OCI_INDEX, OCI_MANIFEST};
use crate::reference::excerpt;

/// What lies where: the known keys of an object and what each holds.
#[derive(Clone, Copy)]
enum Shape {
    /// Not looked into.
    Any,
    /// Kept: the verdict depends on it.
    Fact(Fact),
    Object(&'static [(&'static str, Shape)]),
    List(&'static Shape),
}

#[derive(Clone, Copy)]
enum Fact {
    SchemaVersion,
    MediaType,
    ConfigType,
}

use Shape::{Any, List, Object};

const PLATFORM: &[(&str, Shape)] =
    &[("architecture", Any), ("os", Any), ("os.version", Any), ("os.features", Any), ("variant", Any)];

const DESCRIPTOR: &[(&str, Shape)] = &descriptor(Any);

const fn descriptor(media_type: Shape) -> [(&'static str, Shape); 8] {
    [
        ("mediaType", media_type),
        ("digest", Any),
        ("size", Any),
        ("urls", Any),
        ("annotations", Any),
        ("data", Any),
        ("platform", Object(PLATFORM)),
        ("artifactType", Any),
    ]
}

/// Manifests and indexes together: which of the two it is follows from the keys that are there.
const ROOT: &[(&str, Shape)] = &[
    ("schemaVersion", Shape::Fact(Fact::SchemaVersion)),
    ("mediaType", Shape::Fact(Fact::MediaType)),
    ("artifactType", Any),
    ("manifests", List(&Object(DESCRIPTOR))),
    ("config", Object(&descriptor(Shape::Fact(Fact::ConfigType)))),
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
        kind @ (Kind::Index | Kind::Manifest) => match Root::read(bytes, most)? {
            root if root.kind == kind => Ok(()),
            root => Err(Malformed::new(format!(
                "its media type is {media_type}, and its shape is that of {}",
                named(root.kind)
            ))),
        },
        Kind::Config => walk(bytes, CONFIG, most, "image config").map(drop),
        _ => Ok(()),
    }
}

/// The media type of an index or manifest that came without one. `compat` takes Docker's types for what does not say, as
/// containerd does.
///
/// # Errors
/// As [`check`], and what is neither index nor manifest.
pub fn media_type_of(bytes: &[u8], compat: bool) -> Result<String, Malformed> {
    let Root { kind, media_type, config_type } = Root::read(bytes, usize::MAX)?;
    Ok(match (media_type, kind) {
        (Some(own), _) => own.into_owned(),
        (None, Kind::Index) if compat => DOCKER_LIST.into(),
        (None, Kind::Index) => OCI_INDEX.into(),
        _ if compat || config_type.as_deref() == Some(DOCKER_CONFIG) => DOCKER_MANIFEST.into(),
        _ => OCI_MANIFEST.into(),
    })
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

/// An index or a manifest, and nothing that could be taken for both.
struct Root<'a> {
    /// By its shape, which its own media type does not contradict.
    kind: Kind,
    /// Its own. An empty one says nothing.
    media_type: Option<Cow<'a, str>>,
    config_type: Option<Cow<'a, str>>,
}

impl<'a> Root<'a> {
    fn read(bytes: &'a [u8], most: usize) -> Result<Self, Malformed> {
        let (keys, facts) = walk(bytes, ROOT, most, "index or manifest")?;
        let media_type = facts.media_type.filter(|own| !own.is_empty());
        if facts.schema_version == Some(1.0) || media_type.as_deref().is_some_and(media_type::is_schema1) {
            return Err(schema1());
        }
        let has = |key: &str| ROOT.iter().position(|(known, _)| *known == key).is_some_and(|at| keys & (1 << at) != 0);
        if has("fsLayers") {
            return Err(Malformed::new(
                "it has fsLayers, as a Docker manifest of schema 1 has, which is no longer read",
            ));
        }
        let kind = match (has("manifests"), has("config") || has("layers")) {
            (true, true) => Err(Malformed::new(
                "it is ambiguous: it has manifests, as an index, and config or layers, as a manifest",
            )),
            (true, false) => Ok(Kind::Index),
            (false, true) => Ok(Kind::Manifest),
            (false, false) => {
                Err(Malformed::new("it is neither index nor manifest: it has no manifests, no config and no layers"))
            }
        }?;
        match media_type {
            Some(own) if media_type::kind(&own) != kind => Err(Malformed::new(format!(
                "it says that it is {:?}, and its shape is that of {}",
                excerpt(&own),
                named(kind)
            ))),
            media_type => Ok(Root { kind, media_type, config_type: facts.config_type }),
        }
    }
}

/// What was met on a walk.
#[derive(Default)]
struct Facts<'a> {
    schema_version: Option<f64>,
    media_type: Option<Cow<'a, str>>,
    config_type: Option<Cow<'a, str>>,
}

/// Walks a document; the known keys that its outermost object has, as bits, and the facts.
fn walk<'a>(
    bytes: &'a [u8],
    known: &'static [(&'static str, Shape)],
    most: usize,
    what: &str,
) -> Result<(u32, Facts<'a>), Malformed> {
    let mut facts = Facts::default();
    let mut deserializer = serde_json::Deserializer::from_str(utf8(what, bytes)?);
    let keys = Walk { shape: Object(known), most, facts: &mut facts }
        .deserialize(&mut deserializer)
        .and_then(|keys| deserializer.end().map(|()| keys))
        .map_err(|error| Malformed::json(what, &error))?;
    Ok((keys, facts))
}

struct Walk<'w, 'de> {
    shape: Shape,
    most: usize,
    facts: &'w mut Facts<'de>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de> {
    /// The known keys that were there, as bits.
    type Value = u32;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u32, D::Error> {
        let text = |deserializer| Ok(Option::<Text<'de>>::deserialize(deserializer)?.map(|Text(text)| text));
        match self.shape {
            Any => return deserializer.deserialize_ignored_any(IgnoredAny).map(|_| 0),
            Object(_) | List(_) => return deserializer.deserialize_any(self),
            Shape::Fact(Fact::SchemaVersion) => self.facts.schema_version = Option::deserialize(deserializer)?,
            Shape::Fact(Fact::MediaType) => self.facts.media_type = text(deserializer)?,
            Shape::Fact(Fact::ConfigType) => self.facts.config_type = text(deserializer)?,
        }
        Ok(0)
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de> {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self.shape, List(_)) { "a list" } else { "an object" })
    }

    fn visit_unit<E: Error>(self) -> Result<u32, E> {
        Ok(0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<u32, A::Error> {
        let List(&shape) = self.shape else { return Err(A::Error::custom("a list where an object is meant")) };
        let Walk { most, facts, .. } = self;
        let mut count = 0usize;
        while list.next_element_seed(Walk { shape, most, facts: &mut *facts })?.is_some() {
            count += 1;
            if count > most {
                return Err(A::Error::custom(format_args!("a list of more than {most} entries")));
            }
        }
        Ok(0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<u32, A::Error> {
        let Object(known) = self.shape else { return Err(A::Error::custom("an object where a list is meant")) };
        let Walk { most, facts, .. } = self;
        let mut keys = 0u32;
        let mut others = Vec::new();
        while let Some(Text(key)) = map.next_key()? {
            let shape = match known.iter().enumerate().find(|(_, (name, _))| *name == key) {
                Some((at, _)) if keys & (1 << at) != 0 => return Err(twice(&key)),
                Some((at, (_, shape))) => {
                    keys |= 1 << at;
                    *shape
                }
                None => {
                    if let Some((name, _)) = known.iter().find(|(name, _)| go_takes(&key, name)) {
                        return Err(A::Error::custom(format_args!("the key {key:?}, which must be written {name:?}")));
                    }
                    others.push(key);
                    Any
                }
            };
            map.next_value_seed(Walk { shape, most, facts: &mut *facts })?;
        }
        // There may be a million of them, so they are sorted once rather than looked up one by one.
        others.sort_unstable();
        match others.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[_]>::first) {
            Some(key) => Err(twice(key)),
            None => Ok(keys),
        }
    }
}

fn twice<E: Error>(key: &str) -> E {
    E::custom(format_args!("the key {:?} twice", excerpt(key)))
}

/// Whether Go's `encoding/json` reads `key` as `name`: case counts for nothing, and the long s is an S to it. (So is the
/// Kelvin sign a K, which no name of ours has.)
fn go_takes(key: &str, name: &str) -> bool {
    match key.is_ascii() {
        true => key.eq_ignore_ascii_case(name),
        false => key.replace('\u{17f}', "s").eq_ignore_ascii_case(name),
    }
}

struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::text(deserializer).map(Text)
    }
}

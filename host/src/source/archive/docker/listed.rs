//! What `manifest.json` says: a list of images, each with the places of its config and its layers, and its tags.
//!
//! Go reads keys in any case and lets the last of several count, other readers do neither. So a key that is there twice, or
//! in another case, is refused, as in any document.

use std::fmt;

use portolan_oci::Reference;
use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};

/// An image as it is listed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// Where its config is.
    pub config: String,
    /// What it is called, as written: mostly familiar names, often none.
    pub tags: Vec<String>,
    /// Where its layers are, lowest first.
    pub layers: Vec<String>,
}

/// The images of a `manifest.json`.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Listed>, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

const CONFIG: &str = "Config";
const TAGS: &str = "RepoTags";
const LAYERS: &str = "Layers";

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ListedVisitor)
    }
}

struct ListedVisitor;

impl<'de> Visitor<'de> for ListedVisitor {
    type Value = Listed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an image with its Config, RepoTags and Layers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Listed, A::Error> {
        let (mut config, mut tags, mut layers) = (None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            let again = match key.as_str() {
                CONFIG => config.replace(map.next_value::<String>()?).is_some(),
                TAGS => tags.replace(map.next_value::<Option<Vec<String>>>()?).is_some(),
                LAYERS => layers.replace(map.next_value::<Option<Vec<String>>>()?).is_some(),
                other => {
                    if let Some(known) = [CONFIG, TAGS, LAYERS].iter().find(|known| known.eq_ignore_ascii_case(other)) {
                        return Err(A::Error::custom(format_args!("the key {other:?} could be taken for {known:?}")));
                    }
                    map.next_value::<IgnoredAny>()?;
                    false
                }
            };
            if again {
                return Err(A::Error::custom(format_args!("the key {key:?} is there twice")));
            }
        }
        let config = config.ok_or_else(|| A::Error::missing_field(CONFIG))?;
        // Go writes null for an empty list.
        Ok(Listed { config, tags: tags.flatten().unwrap_or_default(), layers: layers.flatten().unwrap_or_default() })
    }
}

/// What an entry calls an image of this tag: its full name, if it is one, and the tag.
pub(super) fn names(tag: &str) -> (Option<String>, String) {
    match Reference::parse(tag) {
        Ok(reference) => (Some(reference.resolved()), reference.tag_or_latest().to_owned()),
        Err(_) => (None, tag.to_owned()),
    }
}

/// The place that `target` means from `folder` on, both as a tar writes them; none where that is out of the archive.
pub(super) fn place(folder: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts = Vec::new();
    for part in folder.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed() {
        let image = |config: &str, tags: &[&str], layers: &[&str]| Listed {
            config: config.into(),
            tags: tags.iter().map(|&tag| tag.into()).collect(),
            layers: layers.iter().map(|&layer| layer.into()).collect(),
        };
        for (text, expected) in [
            ("[]", Ok(vec![])),
            (r#"[{"Config":"c","RepoTags":["a:1","b"],"Layers":["l"]}]"#, Ok(vec![image("c", &["a:1", "b"], &["l"])])),
            (r#"[{"Config":"c","RepoTags":null,"Layers":null}]"#, Ok(vec![image("c", &[], &[])])),
            (r#"[{"Config":"c"},{"Config":"d"}]"#, Ok(vec![image("c", &[], &[]), image("d", &[], &[])])),
            (r#"[{"Config":"c","LayerSources":{"x":{}},"Parent":""}]"#, Ok(vec![image("c", &[], &[])])),
            (r#"[{"RepoTags":[]}]"#, Err("missing field `Config`")),
            (r#"[{"Config":"c","Config":"d"}]"#, Err("the key \"Config\" is there twice")),
            (r#"[{"Config":"c","Layers":null,"Layers":[]}]"#, Err("the key \"Layers\" is there twice")),
            (r#"[{"Config":"c","config":"d"}]"#, Err("the key \"config\" could be taken for \"Config\"")),
            (r#"[{"Config":"c","LAYERS":[]}]"#, Err("the key \"LAYERS\" could be taken for \"Layers\"")),
            (r#"[{"Config":1}]"#, Err("invalid type: integer `1`, expected a string")),
            (r#"{"Config":"c"}"#, Err("invalid type: map, expected a sequence")),
            ("[1]", Err("invalid type: integer `1`, expected an image with its Config, RepoTags and Layers")),
            ("", Err("EOF while parsing a value")),
            ("[] x", Err("trailing characters")),
        ] {
            match (read(text.as_bytes()), expected) {
                (Ok(read), Ok(expected)) => assert_eq!(read, expected, "{text}"),
                (Err(error), Err(start)) => assert!(error.starts_with(start), "{text}: {error}"),
                (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn what_tags_are_called() {
        for (tag, full, short) in [
            ("acme/app:1", Some("docker.io/acme/app:1"), "1"),
            ("alpine", Some("docker.io/library/alpine:latest"), "latest"),
            ("localhost:5000/app:2", Some("localhost:5000/app:2"), "2"),
            ("<none>:<none>", None, "<none>:<none>"),
        ] {
            assert_eq!(names(tag), (full.map(str::to_owned), short.to_owned()), "{tag}");
        }
    }

    #[test]
    fn where_links_and_names_lead() {
        for (folder, target, expected) in [
            ("", "a.json", Some("a.json")),
            ("", "./id/layer.tar", Some("id/layer.tar")),
            ("id", "../other/layer.tar", Some("other/layer.tar")),
            ("id", "layer.tar", Some("id/layer.tar")),
            ("a/b", ".././../c//d/.", Some("c/d")),
            ("a", "..", Some("")),
            ("", "..", None),
            ("id", "../../etc/passwd", None),
            ("a", "../../a/x", None),
            ("id", "/etc/passwd", None),
            ("", "/a.json", None),
        ] {
            assert_eq!(place(folder, target).as_deref(), expected, "{folder:?} {target:?}");
        }
    }
}

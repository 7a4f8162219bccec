//! `--annotation`: what is written where, for which platform.

use portolan_sdk::Failure;
use portolan_sdk::oci::{Descriptor, Platform};

const GRAMMAR: &str = "write [TYPE[[PLATFORM]][,…]:]KEY=VALUE with a TYPE among index, manifest-descriptor and manifest, \
                       which is meant where none is said";

/// Where an annotation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The index itself.
    Index,
    /// What the index says of its entries.
    Descriptor,
    /// The manifests that the entries name.
    Manifest,
}

/// One annotation in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Annotation {
    pub place: Place,
    /// The long form of the platform whose entries are meant; all of them without it.
    platform: Option<String>,
    pub key: String,
    pub value: String,
}

impl Annotation {
    /// Reads `TYPE[PLATFORM],…:KEY=VALUE`: an annotation for each type.
    ///
    /// # Errors
    /// A text of another form, a type that there is not, a platform that there is not.
    pub(crate) fn parse(text: &str, machine: &Platform) -> Result<Vec<Self>, Failure> {
        let fail = |why: &str| Err(Failure::new(format!("cannot annotate with {text:?}: {why}")).hint(GRAMMAR));
        let Some((left, value)) = text.split_once('=') else {
            return fail("it has no =");
        };
        let (types, key) = left.split_once(':').unwrap_or(("manifest", left));
        if key.is_empty() {
            return fail("it has no key");
        }
        let mut annotations = Vec::new();
        for one in types.split(',') {
            let (kind, platform) = match one.split_once('[') {
                None => (one, None),
                Some((kind, rest)) => match rest.strip_suffix(']') {
                    Some(platform) => (kind, Some(platform)),
                    None => return fail("a [ is not closed"),
                },
            };
            let place = match kind {
                "index" if platform.is_some() => return fail("an index is for no platform"),
                "index" => Place::Index,
                "manifest-descriptor" => Place::Descriptor,
                "manifest" => Place::Manifest,
                "index-descriptor" => return fail("an index that is being made has no descriptor yet"),
                _ => return fail(&format!("there is no type {kind:?}")),
            };
            let platform = match platform {
                Some(platform) => Some(Platform::parse(platform, machine)?.long()),
                None => None,
            };
            annotations.push(Annotation { place, platform, key: key.to_owned(), value: value.to_owned() });
        }
        Ok(annotations)
    }

    /// Whether an entry is meant. The platform is compared as it is written, as imagetools does.
    pub(crate) fn is_for(&self, entry: &Descriptor) -> bool {
        match (&self.platform, &entry.platform) {
            (None, _) => true,
            (Some(wanted), Some(platform)) => *wanted == platform.short(),
            (Some(_), None) => false,
        }
    }

    /// The platform, for a person.
    pub(crate) fn platform(&self) -> Option<&str> {
        self.platform.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Platform {
        Platform { os: "linux".into(), architecture: "amd64".into(), ..Platform::default() }
    }

    #[test]
    fn types_platforms_keys_and_values() {
        type Read = (Place, Option<&'static str>, &'static str, &'static str);
        let table: [(&str, &[Read]); 8] = [
            ("a=b", &[(Place::Manifest, None, "a", "b")]),
            ("manifest:a=b=c:d", &[(Place::Manifest, None, "a", "b=c:d")]),
            ("index:org.example/x:y=", &[(Place::Index, None, "org.example/x:y", "")]),
            ("manifest-descriptor:a=b", &[(Place::Descriptor, None, "a", "b")]),
            ("manifest-descriptor[aarch64]:a=b", &[(Place::Descriptor, Some("linux/arm64"), "a", "b")]),
            ("manifest-descriptor[linux/arm64/v8]:a=b", &[(Place::Descriptor, Some("linux/arm64/v8"), "a", "b")]),
            ("manifest[windows(10.0.1.2)/amd64]:a=b", &[(Place::Manifest, Some("windows(10.0.1.2)/amd64"), "a", "b")]),
            (
                "index,manifest-descriptor[linux/arm/v7],manifest:a=b",
                &[
                    (Place::Index, None, "a", "b"),
                    (Place::Descriptor, Some("linux/arm/v7"), "a", "b"),
                    (Place::Manifest, None, "a", "b"),
                ],
            ),
        ];
        for (text, expected) in table {
            let read = Annotation::parse(text, &machine()).unwrap();
            let read: Vec<_> =
                read.iter().map(|it| (it.place, it.platform.as_deref(), it.key.as_str(), it.value.as_str())).collect();
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn what_is_refused_says_why() {
        for (text, why) in [
            ("", "it has no ="),
            ("a", "it has no ="),
            ("=b", "it has no key"),
            ("index:=b", "it has no key"),
            ("index[linux/amd64]:a=b", "an index is for no platform"),
            ("index-descriptor:a=b", "has no descriptor yet"),
            ("org.example:x=b", "there is no type \"org.example\""),
            (":a=b", "there is no type \"\""),
            ("manifest[linux/amd64:a=b", "a [ is not closed"),
            ("manifest[]:a=b", "platform"),
            ("manifest[a/b/c/d]:a=b", "platform"),
        ] {
            let error = Annotation::parse(text, &machine()).unwrap_err();
            assert!(error.message.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn platforms_are_compared_as_written() {
        let entry = |text: &str| {
            let mut entry = Descriptor::of("a/b", b"");
            let (os, rest) = text.split_once('/').unwrap();
            let (architecture, variant) = rest.split_once('/').unwrap_or((rest, ""));
            entry.platform = Some(Platform {
                os: os.into(),
                architecture: architecture.into(),
                variant: variant.into(),
                ..Platform::default()
            });
            entry
        };
        for (wanted, platform, fits) in [
            ("linux/arm64", "linux/arm64", true),
            ("linux/arm64", "linux/arm64/v8", false),
            ("linux/arm64/v8", "linux/arm64/v8", true),
            ("linux/arm64/v8", "linux/arm64", false),
            ("linux/arm", "linux/arm", true),
            ("linux/arm", "linux/arm/v7", false),
            ("linux/aarch64", "linux/aarch64", false),
        ] {
            let annotation = Annotation::parse(&format!("manifest[{wanted}]:a=b"), &machine()).unwrap();
            assert_eq!(annotation.first().unwrap().is_for(&entry(platform)), fits, "{wanted} {platform}");
        }
        let without = Descriptor::of("a/b", b"");
        assert!(Annotation::parse("a=b", &machine()).unwrap().first().unwrap().is_for(&without));
        assert!(!Annotation::parse("manifest[linux/arm]:a=b", &machine()).unwrap().first().unwrap().is_for(&without));
    }
}

//! An index.json that is written anew: names move, roots and referrers come, and **everything else stays as it was**:
//! other entries, fields that nobody here knows, numbers as they were typed.
//!
//! Pure: bytes in, bytes out. What a name equals is `guest/oci`'s to say (`names::written`).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use portolan_oci::names::written::{self, Meant, NewName};
use portolan_oci::names::{self, EntryName, IMAGE_NAME, REF_NAME, SUBJECT};
use portolan_oci::{Annotations, Descriptor, Digest, Document as Parsed, Index, Kind, document, media_type};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::sink::Document;
use super::write::WRITE;
use crate::error::{Code, Error, Result};
use crate::limits::Limits;

const MANIFESTS: &str = "manifests";
const ANNOTATIONS: &str = "annotations";

/// The index.json of a store in which nothing is.
pub(super) fn none() -> String {
    format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#, media_type::OCI_INDEX)
}

/// What becomes of one document.
#[derive(Debug, Clone)]
pub(super) struct Change {
    descriptor: Descriptor,
    what: What,
}

/// How a document is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// It gets a name, or an entry without one.
    Name(NewName),
    /// It speaks of this, and gets an entry that says so unless something that has one leads to it.
    Referrer(Digest),
}

impl Change {
    /// What a document that is put asks for: a name, or to be found by what it speaks of. Most ask for nothing.
    pub(super) fn of(store: &str, document: &Document) -> Result<Option<Self>> {
        let Document { descriptor, bytes, name } = document;
        let what = match name {
            None => subject(bytes).map(What::Referrer),
            Some(name) => Some(What::Name(
                NewName::parse(name, &descriptor.digest)
                    .map_err(|why| Error::new(Code::InvalidReference, WRITE, store, why.to_string()))?,
            )),
        };
        Ok(what.map(|what| Change { descriptor: descriptor.clone(), what }))
    }

    /// The name.
    pub(super) fn name(&self) -> Option<&NewName> {
        match &self.what {
            What::Name(name) => Some(name),
            What::Referrer(_) => None,
        }
    }
}

/// What a document speaks of, where it says so.
fn subject(bytes: &[u8]) -> Option<Digest> {
    let subject = match Parsed::parse(bytes).ok()? {
        Parsed::Index(index) => index.subject,
        Parsed::Manifest(manifest) => manifest.subject,
    };
    subject.map(|subject| subject.digest)
}

/// An index.json being changed.
pub(super) struct Entries<'a> {
    fields: Vec<(String, Cow<'a, str>)>,
    list: Vec<Entry<'a>>,
    changed: bool,
    store: String,
}

struct Entry<'a> {
    text: Cow<'a, str>,
    descriptor: Descriptor,
    name: Option<EntryName>,
}

impl<'a> Entries<'a> {
    /// Reads one; `store` is how messages name what it belongs to.
    pub(super) fn read(store: &str, bytes: &'a [u8], limits: &Limits) -> Result<Self> {
        let malformed = |why: &dyn fmt::Display| {
            Error::new(Code::Malformed, WRITE, store, format!("its index.json: {why}"))
                .with_hint("it was left as it is")
        };
        document::check(media_type::OCI_INDEX, bytes, limits.index_entries).map_err(|why| malformed(&why))?;
        let descriptors = Index::parse(bytes).map_err(|why| malformed(&why))?.manifests;
        let Object(fields) = serde_json::from_slice(bytes).map_err(|why| malformed(&why))?;
        let list = fields.iter().find(|(key, _)| key == MANIFESTS).map_or("null", |(_, list)| list.get());
        let texts: Option<Vec<&RawValue>> = serde_json::from_str(list).map_err(|why| malformed(&why))?;
        let entry = |(text, descriptor): (&'a RawValue, Descriptor)| Entry {
            text: text.get().into(),
            name: names::entry_name(&descriptor),
            descriptor,
        };
        Ok(Entries {
            fields: fields.into_iter().map(|(key, value)| (key, value.get().into())).collect(),
            list: texts.unwrap_or_default().into_iter().zip(descriptors).map(entry).collect(),
            changed: false,
            store: store.to_owned(),
        })
    }

    /// The same, apart from the bytes it was read from.
    pub(super) fn into_owned(self) -> Entries<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        let entry =
            |entry: Entry<'a>| Entry { text: owned(entry.text), descriptor: entry.descriptor, name: entry.name };
        Entries {
            fields: self.fields.into_iter().map(|(key, value)| (key, owned(value))).collect(),
            list: self.list.into_iter().map(entry).collect(),
            changed: self.changed,
            store: self.store,
        }
    }

    /// The entries as they are now.
    fn descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        self.list.iter().map(|entry| &entry.descriptor)
    }

    /// Whether `name` is that of `descriptor` and of nothing else, or the root has its entry.
    pub(super) fn has(&self, descriptor: &Descriptor, name: &NewName) -> bool {
        match self.meant(name) {
            Err(_) => false,
            Ok(None) => self.nameless(&descriptor.digest),
            Ok(Some(meant)) => self.is_so_already(&entry(descriptor, meant.annotations()), &meant),
        }
    }

    /// Gives `descriptor` a name, which is taken from whatever has it.
    fn name(&mut self, descriptor: &Descriptor, name: &NewName) -> Result<()> {
        let Some(meant) = self.meant(name)? else {
            if !self.nameless(&descriptor.digest) {
                self.append(entry(descriptor, [].into()));
            }
            return Ok(());
        };
        let named = entry(descriptor, meant.annotations());
        if self.is_so_already(&named, &meant) {
            return Ok(());
        }
        let list = std::mem::take(&mut self.list);
        for mut entry in list {
            if !entry.name.as_ref().is_some_and(|name| meant.equals(name)) {
                self.list.push(entry);
                continue;
            }
            let taken = meant.taken(&entry.descriptor);
            if !taken.nameless {
                entry.take(&taken.annotations).map_err(|why| self.failed(&why))?;
                self.list.push(entry);
            }
        }
        self.append(named);
        Ok(())
    }

    /// Gives `descriptor` an entry that says what it speaks of, if it has none.
    fn refer(&mut self, descriptor: &Descriptor, subject: &Digest) {
        if self.descriptors().all(|entry| entry.digest != descriptor.digest) {
            self.append(entry(descriptor, [(SUBJECT.to_owned(), subject.to_string())].into()));
        }
    }

    /// Takes away what has an entry only because of what it speaks of, where a root leads to it.
    fn forget(&mut self, reached: &BTreeSet<Digest>) {
        let before = self.list.len();
        self.list.retain(|Entry { name, descriptor, .. }| {
            let only_refers = name.is_none() && descriptor.annotations.contains_key(SUBJECT);
            !only_refers || !reached.contains(&descriptor.digest)
        });
        self.changed |= self.list.len() != before;
    }

    /// The new file; `None` where it is the old one.
    fn print(self, limits: &Limits) -> Result<Option<Vec<u8>>> {
        if !self.changed {
            return Ok(None);
        }
        if self.list.len() > limits.index_entries {
            let detail = format!("its index.json would have more than {} entries", limits.index_entries);
            return Err(Error::new(Code::TooLarge, WRITE, self.store.as_str(), detail));
        }
        let manifests = format!("[{}]", self.list.iter().map(|entry| &*entry.text).collect::<Vec<_>>().join(","));
        let mut fields = self.fields;
        match fields.iter_mut().find(|(key, _)| key == MANIFESTS) {
            Some((_, list)) => *list = manifests.into(),
            None => fields.push((MANIFESTS.into(), manifests.into())),
        }
        let printed = print(&fields);
        if printed.len() as u64 > limits.entries {
            let detail = format!("its index.json would be larger than {} bytes", limits.entries);
            return Err(Error::new(Code::TooLarge, WRITE, self.store.as_str(), detail));
        }
        Ok(Some(printed.into()))
    }

    fn meant(&self, name: &NewName) -> Result<Option<Meant>> {
        written::meant(name, self.list.iter().filter_map(|entry| entry.name.as_ref())).map_err(|several| {
            Error::new(Code::Conflict, WRITE, self.store.as_str(), several.to_string())
                .with_hint("write the full name: /NAME:TAG after the store")
        })
    }

    /// Whether exactly one entry has the name, and says just what `named` would say.
    fn is_so_already(&self, named: &Descriptor, meant: &Meant) -> bool {
        let mut having = self.list.iter().filter(|entry| entry.name.as_ref().is_some_and(|name| meant.equals(name)));
        let (Some(only), None) = (having.next(), having.next()) else { return false };
        let text = |entry: &Descriptor, key: &str| entry.annotations.get(key).cloned();
        only.descriptor.bare() == named.bare()
            && [IMAGE_NAME, REF_NAME].iter().all(|key| text(&only.descriptor, key) == text(named, key))
    }

    /// Whether something has an entry of its own and no name.
    fn nameless(&self, digest: &Digest) -> bool {
        let keys = [IMAGE_NAME, REF_NAME, SUBJECT];
        self.descriptors()
            .any(|entry| entry.digest == *digest && keys.iter().all(|key| !entry.annotations.contains_key(*key)))
    }

    fn append(&mut self, descriptor: Descriptor) {
        // A descriptor's fields are texts and numbers: they can be written.
        let text = serde_json::to_string(&descriptor).unwrap_or_default();
        self.list.push(Entry { text: text.into(), name: names::entry_name(&descriptor), descriptor });
        self.changed = true;
    }

    fn failed(&self, why: &serde_json::Error) -> Error {
        Error::new(Code::Malformed, WRITE, self.store.as_str(), format!("its index.json: {why}"))
    }
}

impl Entry<'_> {
    /// Takes annotations away, and leaves everything else as it is written.
    fn take(&mut self, annotations: &[&str]) -> Result<(), serde_json::Error> {
        let kept = |Object(fields): Object<'_>| -> Vec<(String, Cow<'static, str>)> {
            let owned = fields.into_iter().map(|(key, value)| (key, value.get().to_owned().into()));
            owned.filter(|(key, _)| !annotations.contains(&key.as_str())).collect()
        };
        let Object(fields) = serde_json::from_str(&self.text)?;
        let mut written = Vec::new();
        for (key, value) in fields {
            let value = match key == ANNOTATIONS {
                true => print(&kept(serde_json::from_str(value.get())?)).into(),
                false => value.get().into(),
            };
            written.push((key, value));
        }
        self.text = print(&written).into();
        self.descriptor.annotations.retain(|key, _| !annotations.contains(&key.as_str()));
        self.name = names::entry_name(&self.descriptor);
        Ok(())
    }
}

/// The entry of something that is written: what its descriptor says of it, and these annotations instead of whatever it was
/// called elsewhere.
fn entry(descriptor: &Descriptor, annotations: Annotations) -> Descriptor {
    let mut entry = Descriptor { data: None, ..descriptor.clone() };
    entry.annotations.retain(|key, _| ![IMAGE_NAME, REF_NAME, SUBJECT].contains(&key.as_str()));
    entry.annotations.extend(annotations);
    entry
}

/// The index.json `old` with all of these changes; `None` where there is nothing to change. Names come first: what speaks
/// of something needs no entry of its own where a name leads to it. `read` gives an index's bytes, if they are there.
pub(super) fn changed(
    store: &str,
    old: &[u8],
    changes: &[Change],
    limits: &Limits,
    read: impl Fn(&Descriptor) -> Option<Vec<u8>>,
) -> Result<Option<Vec<u8>>> {
    let mut entries = Entries::read(store, old, limits)?;
    let (mut roots, mut referrers) = (Vec::new(), Vec::new());
    for Change { descriptor, what } in changes {
        match what {
            What::Name(name) => {
                entries.name(descriptor, name)?;
                roots.push(descriptor);
            }
            What::Referrer(subject) => referrers.push((descriptor, subject)),
        }
    }
    // What is written piece by piece is named last: what had an entry only to be reached is reached without it now.
    if !roots.is_empty() && entries.descriptors().any(|entry| entry.annotations.contains_key(SUBJECT)) {
        entries.forget(&reachable(roots.into_iter(), limits, &read));
    }
    if !referrers.is_empty() {
        let reached = reachable(entries.descriptors(), limits, read);
        for (descriptor, subject) in
            referrers.into_iter().filter(|(descriptor, _)| !reached.contains(&descriptor.digest))
        {
            entries.refer(descriptor, subject);
        }
    }
    entries.print(limits)
}

/// The digests of everything that `roots` lead to, themselves included.
fn reachable<'a>(
    roots: impl Iterator<Item = &'a Descriptor>,
    limits: &Limits,
    read: impl Fn(&Descriptor) -> Option<Vec<u8>>,
) -> BTreeSet<Digest> {
    let mut reached = BTreeSet::new();
    let mut level: Vec<Descriptor> = roots.cloned().collect();
    for _ in 0..=limits.nesting {
        let mut below = Vec::new();
        for descriptor in level {
            if reached.len() < limits.index_entries
                && reached.insert(descriptor.digest.clone())
                && descriptor.kind() == Kind::Index
                && let Some(index) = read(&descriptor).and_then(|bytes| Index::parse(&bytes).ok())
            {
                below.extend(index.manifests);
            }
        }
        level = below;
    }
    reached
}

/// A JSON object whose keys keep their order and whose values their text.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// An object of these.
fn print(fields: &[(String, Cow<'_, str>)]) -> String {
    let field = |(key, value): &(String, Cow<'_, str>)| format!("{}:{value}", serde_json::Value::from(key.as_str()));
    format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
}

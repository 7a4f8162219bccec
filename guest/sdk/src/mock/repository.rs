//! One repository of the mock: a table of documents, and a layout on disk below it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use portolan_oci::names::{EntryName, REF_NAME, entry_name};
use portolan_oci::{Descriptor, Digest, Index, Manifest, document, media_type};
use serde::Serialize;

/// What a mock holds of a repository. In a registry a name is a tag, in a store an entry's `ref.name`.
#[derive(Debug, Default)]
pub(super) struct Repository {
    registry: bool,
    dir: Option<PathBuf>,
    /// What has a name; of a store that was written to, all entries.
    named: Vec<(String, Descriptor)>,
    entries: Vec<u8>,
    contents: BTreeMap<Digest, (Descriptor, Vec<u8>)>,
    /// Tags of which nobody said what they mean.
    pub(super) listed: Vec<String>,
    /// What a registry said of who refers to a digest, by the artifact type that was asked for.
    pub(super) lists: BTreeMap<(Digest, Option<String>), Vec<u8>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IndexJson<'a> {
    schema_version: u32,
    media_type: &'static str,
    manifests: Vec<&'a Descriptor>,
}

fn index_json<'a>(manifests: impl IntoIterator<Item = &'a Descriptor>) -> Vec<u8> {
    let manifests = manifests.into_iter().collect();
    serde_json::to_vec(&IndexJson { schema_version: 2, media_type: media_type::OCI_INDEX, manifests })
        .unwrap_or_default()
}

/// What an entry is called; `@DIGEST` where it has no name.
fn called(entry: &Descriptor) -> String {
    entry_name(entry).map_or_else(|| format!("@{}", entry.digest), |name| name.to_string())
}

impl Repository {
    pub(super) fn table(repository: &str) -> Self {
        Repository { registry: !repository.contains("://"), entries: index_json([]), ..Self::default() }
    }

    /// Read anew with each question for content; the names are those of now.
    pub(super) fn on_disk(dir: &Path, registry: bool) -> Self {
        let mut repository = Repository { registry, dir: Some(dir.to_owned()), ..Self::default() };
        repository.hold(std::fs::read(dir.join("index.json")).unwrap_or_default());
        repository
    }

    /// Makes this its index.json.
    pub(super) fn hold(&mut self, entries: Vec<u8>) {
        self.entries = entries;
        self.named.clear();
        for entry in self.all_entries() {
            let tag = match entry_name(&entry) {
                Some(EntryName::Tag(tag)) => tag,
                Some(EntryName::Full(name)) => name.tag_or_latest().to_owned(),
                None => continue,
            };
            self.named.push((tag, entry.bare()));
        }
    }

    pub(super) fn add(&mut self, name: Option<&str>, mut descriptor: Descriptor, bytes: Vec<u8>) {
        self.contents.insert(descriptor.digest.clone(), (descriptor.bare(), bytes));
        let Some(name) = name else { return };
        if !self.registry {
            descriptor.annotations.entry(REF_NAME.to_owned()).or_insert_with(|| name.to_owned());
        }
        self.named.push((name.to_owned(), descriptor));
        self.entries = index_json(self.named.iter().map(|(_, descriptor)| descriptor));
    }

    pub(super) fn is_registry(&self) -> bool {
        self.registry
    }

    pub(super) fn put(&mut self, descriptor: &Descriptor, bytes: Vec<u8>) {
        self.contents.insert(descriptor.digest.clone(), (descriptor.bare(), bytes));
    }

    /// Moves a tag; a registry's.
    pub(super) fn retag(&mut self, tag: &str, descriptor: &Descriptor) {
        self.named.retain(|(name, _)| name != tag);
        self.named.push((tag.to_owned(), descriptor.bare()));
    }

    /// Writes a store's index.json anew. What an entry is called is read from it again.
    pub(super) fn rewrite(&mut self, entries: Vec<Descriptor>) {
        self.entries = index_json(&entries);
        self.named = entries.into_iter().map(|entry| (called(&entry), entry)).collect();
    }

    /// A store's entries, all that they say.
    pub(super) fn all_entries(&self) -> Vec<Descriptor> {
        Index::parse(&self.entries).map(|index| index.manifests).unwrap_or_default()
    }

    /// Names, and what they name.
    pub(super) fn names(&self) -> Vec<(String, Descriptor)> {
        match self.registry {
            true => self.named.clone(),
            false => self.all_entries().into_iter().map(|entry| (called(&entry), entry)).collect(),
        }
    }

    pub(super) fn tag(&self, tag: &str) -> Option<Descriptor> {
        self.named.iter().rev().find(|(name, _)| name == tag).map(|(_, descriptor)| descriptor.bare())
    }

    pub(super) fn tags(&self) -> Vec<String> {
        match self.listed.is_empty() {
            true => self.named.iter().map(|(name, _)| name.clone()).collect(),
            false => self.listed.clone(),
        }
    }

    /// A store's index.json; none in a registry.
    pub(super) fn entries(&self) -> Option<Descriptor> {
        (!self.registry && !self.entries.is_empty()).then(|| Descriptor::of(media_type::OCI_INDEX, &self.entries))
    }

    /// The descriptor of a root that is asked for by digest alone.
    pub(super) fn root(&self, digest: &Digest) -> Option<Descriptor> {
        if let Some((descriptor, _)) = self.contents.get(digest) {
            return Some(descriptor.clone());
        }
        let bytes = self.bytes(digest)?;
        let media_type = document::media_type_of(&bytes, false).ok()?;
        Some(Descriptor::new(media_type, digest.clone(), bytes.len() as u64))
    }

    pub(super) fn bytes(&self, digest: &Digest) -> Option<Vec<u8>> {
        if let Some((_, bytes)) = self.contents.get(digest) {
            return Some(bytes.clone());
        }
        if !self.registry && Digest::sha256(&self.entries) == *digest {
            return Some(self.entries.clone());
        }
        // Digests are checked when they are made: no path leads out of here.
        std::fs::read(self.dir.as_ref()?.join("blobs").join(digest.algorithm_name()).join(digest.hex())).ok()
    }

    pub(super) fn referrers(&self, subject: &Digest, artifact_type: Option<&str>) -> Vec<u8> {
        if let Some(list) = self.lists.get(&(subject.clone(), artifact_type.map(str::to_owned))) {
            return list.clone();
        }
        let referring = self.contents.values().filter_map(|(descriptor, bytes)| {
            let manifest = Manifest::parse(bytes).ok()?;
            let its_type = manifest.artifact_type.unwrap_or(manifest.config.media_type);
            let wanted = manifest.subject?.digest == *subject && artifact_type.is_none_or(|wanted| wanted == its_type);
            wanted.then(|| Descriptor {
                artifact_type: Some(its_type),
                annotations: manifest.annotations,
                ..descriptor.clone()
            })
        });
        index_json(&referring.collect::<Vec<_>>())
    }
}

//! One list of entries out of many sources.

use std::collections::BTreeMap;

use portolan_sdk::oci::{Descriptor, Digest};

use crate::annotation::{Annotation, Place};
use crate::source::Source;

/// An entry of the index that is being made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// As the index is going to have it.
    pub descriptor: Descriptor,
    /// Positions of the sources that have its content.
    pub from: Vec<usize>,
}

impl Entry {
    /// A source that has its content.
    pub(crate) fn source<'a>(&self, sources: &'a [Source]) -> Option<&'a Source> {
        sources.get(*self.from.first()?)
    }

    /// Whether its type is one of Docker's.
    pub(crate) fn is_docker(&self) -> bool {
        self.descriptor.media_type.starts_with("application/vnd.docker.")
    }
}

/// All entries, in the order of the sources: an index gives its entries, a manifest itself.
pub(crate) fn combine(sources: &[Source]) -> Vec<Entry> {
    let of = |(from, source)| {
        listed(source).iter().map(move |descriptor| Entry { descriptor: descriptor.clone(), from: vec![from] })
    };
    merge(sources.iter().enumerate().flat_map(of))
}

/// Each digest once, where it came first: a later entry overwrites its platform, and its annotations key by key.
pub(crate) fn merge(all: impl IntoIterator<Item = Entry>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut places: BTreeMap<Digest, usize> = BTreeMap::new();
    for Entry { descriptor, from } in all {
        let known = places.get(&descriptor.digest).and_then(|&place| entries.get_mut(place));
        let Some(entry) = known else {
            places.insert(descriptor.digest.clone(), entries.len());
            entries.push(Entry { descriptor, from });
            continue;
        };
        if descriptor.platform.is_some() {
            entry.descriptor.platform = descriptor.platform;
        }
        entry.descriptor.annotations.extend(descriptor.annotations);
        for source in from {
            if !entry.from.contains(&source) {
                entry.from.push(source);
            }
        }
    }
    entries
}

/// The entries of the only source, as they are: nothing is merged.
pub(crate) fn alone(source: &Source) -> Vec<Entry> {
    listed(source).iter().map(|descriptor| Entry { descriptor: descriptor.clone(), from: vec![0] }).collect()
}

fn listed(source: &Source) -> &[Descriptor] {
    match source.index() {
        Some(index) => &index.manifests,
        None => std::slice::from_ref(&source.root.descriptor),
    }
}

/// Writes annotations into what the index says of its entries.
pub(crate) fn annotate(entries: &mut [Entry], annotations: &[Annotation]) {
    for annotation in annotations.iter().filter(|annotation| annotation.place == Place::Descriptor) {
        for entry in entries.iter_mut().filter(|entry| annotation.is_for(&entry.descriptor)) {
            entry.descriptor.annotations.insert(annotation.key.clone(), annotation.value.clone());
        }
    }
}

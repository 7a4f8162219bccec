//! Writing to the mock, with all that registries and layouts insist on: content is what its descriptor says, and nothing
//! arrives before what it leads to.

use portolan_oci::names::{EntryName, IMAGE_NAME, REF_NAME, entry_name};
use portolan_oci::{Descriptor, Digest, Document, Reference, document, reference};

use super::repository::Repository;
use crate::failure::{Error, code};
use crate::host::{Item, Pushed};

/// Stores everything in the order that a host would choose: what leads to nothing else first.
pub(super) fn all(target: &mut Repository, called: &str, items: Vec<(&Item, Vec<u8>)>) -> Result<(), Error> {
    let (mut waiting, blobs): (Vec<_>, Vec<_>) = items.into_iter().partition(|(item, _)| item.descriptor.is_document());
    for (item, bytes) in blobs {
        if let Some(name) = &item.name {
            return Err(refused(called, &item.descriptor, &format!("a blob cannot be called {name}")));
        }
        verify(called, &item.descriptor, &bytes)?;
        target.put(&item.descriptor, bytes);
    }
    while !waiting.is_empty() {
        let before = waiting.len();
        let mut left = Vec::new();
        let mut first = None;
        for (item, bytes) in waiting {
            match missing(target, &item.descriptor, &bytes)? {
                None => {
                    document(target, called, item.name.as_deref(), &item.descriptor, bytes)?;
                }
                Some(child) => {
                    first = first.or(Some((item.descriptor.clone(), child)));
                    left.push((item, bytes));
                }
            }
        }
        if let Some((descriptor, child)) = first
            && left.len() == before
        {
            return Err(refused(called, &descriptor, &format!("it names {child}, which is not there")));
        }
        waiting = left;
    }
    Ok(())
}

/// Stores one document and gives it its name.
pub(super) fn document(
    target: &mut Repository,
    called: &str,
    name: Option<&str>,
    descriptor: &Descriptor,
    bytes: Vec<u8>,
) -> Result<Pushed, Error> {
    verify(called, descriptor, &bytes)?;
    if descriptor.is_document()
        && let Some(child) = missing(target, descriptor, &bytes)?
    {
        return Err(refused(called, descriptor, &format!("it names {child}, which is not there")));
    }
    if name.is_some() && !descriptor.is_document() {
        return Err(refused(called, descriptor, "only manifests and indexes have names"));
    }
    let there = target.bytes(&descriptor.digest).is_some();
    target.put(descriptor, bytes);
    let moved = match name {
        None => false,
        Some(tag) if target.is_registry() => match reference::is_tag(tag) {
            true => {
                let moved = target.tag(tag).is_none_or(|old| old.digest != descriptor.digest);
                target.retag(tag, descriptor);
                moved
            }
            false => return Err(refused(called, descriptor, &format!("{tag:?} is no tag"))),
        },
        Some(name) => enter(target, called, name, descriptor)?,
    };
    Ok(Pushed { created: !there || moved, subject_processed: true })
}

/// Gives a root of a store its name: taken from whatever has it, then appended (oci-semantics, "Writing").
fn enter(target: &mut Repository, called: &str, name: &str, descriptor: &Descriptor) -> Result<bool, Error> {
    let mut entry = descriptor.bare();
    let mut entries = target.all_entries();
    if let Some(digest) = name.strip_prefix('@') {
        if digest != descriptor.digest.as_str() {
            return Err(refused(called, descriptor, &format!("its name says {digest}")));
        }
        if entries.iter().any(|other| other.digest == entry.digest) {
            return Ok(false);
        }
        entries.push(entry);
        target.rewrite(entries);
        return Ok(true);
    }
    let name = match reference::is_tag(name) {
        true => EntryName::Tag(name.to_owned()),
        false => match Reference::parse(name) {
            Ok(reference) => EntryName::Full(reference),
            Err(error) => return Err(refused(called, descriptor, &error.to_string())),
        },
    };
    // A bare tag means the one full name that carries it.
    let full: Vec<EntryName> = entries
        .iter()
        .filter_map(entry_name)
        .filter(|other| match (other, &name) {
            (EntryName::Full(full), EntryName::Tag(tag)) => full.tag_or_latest() == tag,
            _ => false,
        })
        .collect();
    let name = match full.as_slice() {
        [] => name,
        [one] => one.clone(),
        _ => return Err(refused(called, descriptor, &format!("{name} is ambiguous, write the full name"))),
    };
    let tag = match &name {
        EntryName::Tag(tag) => tag.clone(),
        EntryName::Full(full) => full.tag_or_latest().to_owned(),
    };
    let text = name.to_string();
    let same = |other: &Descriptor| entry_name(other).is_some_and(|other| other.to_string() == text);
    let moved = !entries.iter().any(|other| same(other) && other.digest == descriptor.digest);
    entries.retain(|other| !same(other));
    entry.annotations.insert(REF_NAME.to_owned(), tag);
    if let EntryName::Full(_) = name {
        entry.annotations.insert(IMAGE_NAME.to_owned(), text);
    }
    entries.push(entry);
    target.rewrite(entries);
    Ok(moved)
}

fn verify(called: &str, descriptor: &Descriptor, bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() as u64 != descriptor.size || !descriptor.digest.matches(bytes) {
        let why = format!("these {} bytes are not what its descriptor says", bytes.len());
        return Err(Error::new(code::DIGEST_MISMATCH, format!("cannot store {called}@{}: {why}", descriptor.digest)));
    }
    document::check(&descriptor.media_type, bytes, usize::MAX)
        .map_err(|malformed| refused(called, descriptor, &malformed.to_string()))
}

/// The first thing that a document leads to and that is not there. A layer that lies elsewhere need not be.
fn missing(target: &Repository, descriptor: &Descriptor, bytes: &[u8]) -> Result<Option<Digest>, Error> {
    let document =
        Document::parse(bytes).map_err(|malformed| refused("a repository", descriptor, &malformed.to_string()))?;
    let children = match document {
        Document::Index(index) => index.manifests,
        Document::Manifest(manifest) => std::iter::once(manifest.config).chain(manifest.layers).collect(),
    };
    let there = |child: &Descriptor| !child.urls.is_empty() || target.bytes(&child.digest).is_some();
    Ok(children.into_iter().find(|child| !there(child)).map(|child| child.digest))
}

fn refused(called: &str, descriptor: &Descriptor, why: &str) -> Error {
    Error::new(code::MALFORMED, format!("cannot store {called}@{}: {why}", descriptor.digest))
}

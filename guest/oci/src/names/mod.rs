//! Names in layouts: which entry of a store's index.json is meant.
//!
//! `org.opencontainers.image.ref.name` holds a tag, a short name or a full one, as its writer liked;
//! `io.containerd.image.name` holds the full name. Everything here is judgement about texts: nothing is read but the
//! entries' annotations. What a name that is written takes from the entries that are there is in [`written`].

pub mod written;

use std::collections::BTreeSet;
use std::fmt;

use crate::digest::Digest;
use crate::document::{Descriptor, Index};
use crate::mode::Mode;
use crate::reference::{self, LATEST, Reference};

/// Annotation: a tag, a name with a tag, or any text (image-spec, annotations.md).
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation: the full name, as containerd and BuildKit write it.
pub const IMAGE_NAME: &str = "io.containerd.image.name";
/// Annotation: the digest that this entry, a referrer without a name, speaks of.
pub const SUBJECT: &str = "io.containerd.manifest.subject";

/// What an entry is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryName {
    /// A repository with its tag.
    Full(Reference),
    /// A tag alone.
    Tag(String),
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EntryName::Full(reference) => f.write_str(&reference.resolved()),
            EntryName::Tag(tag) => f.write_str(tag),
        }
    }
}

/// What `entry` is called; `None` where only its digest reaches it.
pub fn entry_name(entry: &Descriptor) -> Option<EntryName> {
    let says = |key| entry.annotations.get(key).and_then(|text| says(key, text));
    says(IMAGE_NAME).or_else(|| says(REF_NAME))
}

/// What one annotation of an entry says that it is called.
fn says(key: &str, text: &str) -> Option<EntryName> {
    // A tag holds no slash, so it cannot be a name with a domain.
    match key == REF_NAME && reference::is_tag(text) {
        true => Some(EntryName::Tag(text.to_owned())),
        false => full(text).map(EntryName::Full),
    }
}

/// A text as a name with a domain.
fn full(text: &str) -> Option<Reference> {
    Reference::parse(text).ok().filter(|name| !name.domain.is_empty())
}

/// Positions of the entries that `name` may mean. `name` is as typed after the store: `:TAG`, `/NAME[:TAG]` or nothing.
///
/// # Errors
/// In strict and exact mode, a `name` that is neither.
pub fn match_name(entries: &Index, name: &str, mode: Mode) -> Result<Vec<usize>, InvalidName> {
    match mode {
        Mode::Strict | Mode::Exact => strict(entries, &Wanted::read(name)?),
        Mode::CompatImagetools => Ok(verbatim(entries, name).into_iter().collect()),
        Mode::CompatBuild => Ok(match (verbatim(entries, name), entries.manifests.len()) {
            (Some(position), _) => vec![position],
            (None, 1) => vec![0],
            (None, _) => Vec::new(),
        }),
    }
}

/// The first entry with exactly this text, as buildx and BuildKit look for it.
fn verbatim(entries: &Index, name: &str) -> Option<usize> {
    let text = match name.strip_prefix([':', '/']).unwrap_or(name) {
        "" => LATEST,
        text => text,
    };
    let holds = |key: &str| {
        entries.manifests.iter().position(|entry| entry.annotations.get(key).is_some_and(|value| value == text))
    };
    holds(IMAGE_NAME).or_else(|| holds(REF_NAME))
}

/// What is asked for, read strictly.
enum Wanted {
    Nothing,
    Tag(String),
    Name(Reference),
}

impl Wanted {
    fn read(name: &str) -> Result<Self, InvalidName> {
        let fail = |why: String| Err(InvalidName { name: reference::excerpt(name), why });
        if name.is_empty() {
            return Ok(Wanted::Nothing);
        }
        if let Some(tag) = name.strip_prefix(':') {
            return match reference::is_tag(tag) {
                true => Ok(Wanted::Tag(tag.to_owned())),
                false => fail("a tag is 1 to 128 letters, digits, `_`, `.` or `-`".into()),
            };
        }
        let Some(name) = name.strip_prefix('/') else {
            return fail("it is neither `:TAG` nor `/NAME[:TAG]`".into());
        };
        match Reference::parse(name) {
            Ok(name) => Ok(Wanted::Name(name)),
            Err(error) => fail(error.to_string()),
        }
    }
}

fn strict(entries: &Index, wanted: &Wanted) -> Result<Vec<usize>, InvalidName> {
    let names: Vec<Option<EntryName>> = entries.manifests.iter().map(entry_name).collect();
    let with = |fits: &dyn Fn(&EntryName) -> bool| -> Vec<usize> {
        let named = names.iter().enumerate().filter(|(_, name)| name.as_ref().is_some_and(fits));
        named.map(|(position, _)| position).collect()
    };
    let with_tag = |tag: &str| {
        with(&|name| match name {
            EntryName::Tag(other) => other == tag,
            EntryName::Full(full) => full.digest.is_none() && full.tag_or_latest() == tag,
        })
    };
    Ok(match wanted {
        Wanted::Tag(tag) => with_tag(tag),
        Wanted::Name(wanted) => {
            let same = with(&|name| matches!(name, EntryName::Full(full) if full.means_same(wanted)));
            if !same.is_empty() || !stands_for_bare_tags(&names, wanted) {
                return Ok(same);
            }
            with(&|name| matches!(name, EntryName::Tag(tag) if tag == wanted.tag_or_latest()))
        }
        Wanted::Nothing => {
            let roots = roots(entries);
            let digests: BTreeSet<&Digest> = roots
                .iter()
                .filter_map(|&position| entries.manifests.get(position))
                .map(|entry| &entry.digest)
                .collect();
            match digests.len() {
                1 => roots,
                _ => with_tag(LATEST),
            }
        }
    })
}

/// Whether a bare tag in this layout can mean `wanted`'s: the layout holds one repository and it is that one, or names none.
fn stands_for_bare_tags(names: &[Option<EntryName>], wanted: &Reference) -> bool {
    names.iter().flatten().all(|name| match name {
        EntryName::Tag(_) => true,
        EntryName::Full(full) => full.domain == wanted.domain && full.path == wanted.path,
    })
}

/// Positions of the entries that are images or artifacts of their own, not statements about others.
pub fn roots(entries: &Index) -> Vec<usize> {
    let own = |entry: &Descriptor| !entry.annotations.contains_key(SUBJECT) && !entry.is_attestation();
    entries.manifests.iter().enumerate().filter(|(_, entry)| own(entry)).map(|(position, _)| position).collect()
}

/// All names in a store that reach an entry, in the order of the entries, each once.
pub fn all(entries: &Index) -> Vec<String> {
    let mut seen = BTreeSet::new();
    entries
        .manifests
        .iter()
        .filter_map(entry_name)
        .map(|name| name.to_string())
        .filter(|name| seen.insert(name.clone()))
        .collect()
}

/// The names in a store that look most like `name`, at most `most`.
pub fn nearest(entries: &Index, name: &str, most: usize) -> Vec<String> {
    let wanted = match Wanted::read(name) {
        Ok(Wanted::Name(reference)) => reference.resolved(),
        _ => name.trim_start_matches([':', '/']).to_owned(),
    };
    // A tag is compared with tags: the repository that a full name spells out is not what sets it apart.
    let compared = |candidate: &str| match name.starts_with('/') {
        true => distance(candidate, &wanted),
        false => distance(candidate.rsplit_once(':').map_or(candidate, |(_, tag)| tag), &wanted),
    };
    let mut names: Vec<(usize, String)> =
        all(entries).into_iter().map(|candidate| (compared(&candidate), candidate)).collect();
    names.sort_by_key(|(distance, _)| *distance);
    names.into_iter().take(most).map(|(_, name)| name).collect()
}

/// How many characters must be put in, taken out or changed (Levenshtein), of at most 256 each.
pub(crate) fn distance(left: &str, right: &str) -> usize {
    const COMPARED: usize = 256;
    let right: Vec<char> = right.chars().take(COMPARED).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, from) in left.chars().take(COMPARED).enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&right) {
            let next = (diagonal + usize::from(from != *to)).min(before + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, next);
            before = next;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// A text after a store that is neither tag nor name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName {
    name: String,
    why: String,
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} names nothing in a store: {}", self.name, self.why)
    }
}

impl std::error::Error for InvalidName {}

//! Where it goes, and what it is called there.

use portolan_sdk::oci::names::{self, EntryName};
use portolan_sdk::oci::reference::{LATEST, is_tag};
use portolan_sdk::oci::{Digest, Location, Reference};
use portolan_sdk::traverse::Found;
use portolan_sdk::{Failure, code};

/// A place in a repository or store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) repository: String,
    /// As `push` and `copy` take it; in a registry none where a digest alone is given.
    pub(crate) name: Option<String>,
    /// Where the digest stands that was given, if one was.
    expected: Option<Digest>,
    /// With the tag or name, without a digest.
    location: Location,
}

/// What the source is called: its reference, or what a store's entry says. Of a digest alone there is no name.
pub(crate) fn source_name(found: &Found) -> Option<EntryName> {
    match &found.location {
        Location::Registry(Reference { tag: None, digest: Some(_), .. }) => None,
        Location::Registry(reference) => Some(EntryName::Full(Reference { digest: None, ..reference.clone() })),
        Location::Store(_) => names::entry_name(&found.descriptor),
    }
}

impl Target {
    /// What was asked for; what it does not say is taken from the source's name.
    pub(crate) fn of(asked: &Location, source: Option<&EntryName>) -> Result<Self, Failure> {
        let expected = asked.digest().cloned();
        let name = match asked {
            Location::Registry(reference) => match (&reference.tag, &expected) {
                (Some(tag), _) => Some(tag.clone()),
                (None, Some(_)) => None,
                (None, None) => Some(source.map_or(LATEST, tag).to_owned()),
            },
            Location::Store(store) => Some(match (in_store(asked, &store.rest)?, &expected) {
                (Some(name), _) => name.to_string(),
                (None, Some(digest)) => format!("@{digest}"),
                (None, None) => source.map_or_else(|| LATEST.to_owned(), EntryName::to_string),
            }),
        };
        Ok(Target { repository: asked.repository(), location: named(asked, name.as_deref()), name, expected })
    }

    /// Fails unless this is what the target's digest says.
    pub(crate) fn expect(&self, root: &Digest) -> Result<(), Failure> {
        match &self.expected {
            Some(expected) if expected != root => {
                let message = format!("{self} is to be {expected}, and what would be written is {root}");
                Err(Failure::of(code::DIGEST_MISMATCH, message)
                    .hint("leave the digest out, or copy the image that has it"))
            }
            _ => Ok(()),
        }
    }

    /// The repository or store alone, for a person.
    pub(crate) fn place(&self) -> String {
        named(&self.location, None).shown()
    }

    /// The name with what it names, for a person.
    pub(crate) fn pinned(&self, root: &Digest) -> String {
        let mut location = self.location.clone();
        match &mut location {
            Location::Registry(reference) => reference.digest = Some(root.clone()),
            Location::Store(store) => store.digest = Some(root.clone()),
        }
        location.shown()
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.location.shown())
    }
}

/// The tag of a name.
pub(crate) fn tag(name: &EntryName) -> &str {
    match name {
        EntryName::Full(reference) => reference.tag_or_latest(),
        EntryName::Tag(tag) => tag,
    }
}

/// What is asked for in a store, where something is: a name to write must be one.
fn in_store(asked: &Location, rest: &str) -> Result<Option<EntryName>, Failure> {
    let fail = |why: String| {
        Failure::of(code::INVALID_REFERENCE, format!("{} cannot be written to: {why}", asked.shown()))
            .hint("write STORE:TAG, or STORE/NAME:TAG")
    };
    match (rest.strip_prefix(':'), rest.strip_prefix('/')) {
        (Some(tag), _) if is_tag(tag) => Ok(Some(EntryName::Tag(tag.to_owned()))),
        (_, Some(name)) => match Reference::parse(name) {
            Ok(name) if name.domain.is_empty() => Err(fail(format!("{name} names no registry"))),
            Ok(name) => Ok(Some(EntryName::Full(name))),
            Err(error) => Err(fail(error.to_string())),
        },
        _ if rest.is_empty() => Ok(None),
        _ => Err(fail(format!("{rest:?} is neither a tag nor a name"))),
    }
}

/// The same place under a name.
fn named(asked: &Location, name: Option<&str>) -> Location {
    let mut location = asked.clone();
    match &mut location {
        Location::Registry(reference) => {
            reference.tag = name.map(str::to_owned);
            reference.digest = None;
        }
        Location::Store(store) => {
            store.digest = None;
            store.rest = match name {
                None => String::new(),
                // A root without a name is reached by its digest.
                Some(name) if name.starts_with('@') => String::new(),
                Some(name) if is_tag(name) => format!(":{name}"),
                Some(name) => format!("/{name}"),
            };
        }
    }
    location
}

//! What is listed: tags of a registry, names in a store.

use portolan_sdk::oci::names::{self, EntryName};
use portolan_sdk::oci::{Index, Location, Reference};
use portolan_sdk::{Context, Failure, traverse};

use crate::repository_alone;

/// A name, and where in it the tag is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    text: String,
    tag: usize,
}

impl Name {
    pub(crate) fn bare(tag: impl Into<String>) -> Self {
        Name { text: tag.into(), tag: 0 }
    }

    /// A name in a store, with or without a repository.
    fn of(text: String) -> Self {
        // A tag holds no colon.
        let tag = text.rfind(':').map_or(0, |colon| colon + 1);
        Name { text, tag }
    }

    pub(crate) fn tag(&self) -> &str {
        self.text.get(self.tag..).unwrap_or_default()
    }

    /// What is before the tag; nothing where all tags are of one repository.
    pub(crate) fn repository(&self) -> &str {
        self.text.get(..self.tag).unwrap_or_default()
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// Everything there is, in the order of the registry or of the store's entries.
pub(crate) fn list(ctx: &impl Context, location: &Location) -> Result<Vec<Name>, Failure> {
    let store = match location {
        Location::Registry(reference) if reference.tag.is_some() || reference.digest.is_some() => {
            return Err(repository_alone(reference));
        }
        Location::Registry(_) => {
            return Ok(traverse::tags(ctx, &location.repository())?.into_iter().map(Name::bare).collect());
        }
        Location::Store(store) => store,
    };
    let within = within(location, &store.rest)?;
    let entries = ctx.entries(&store.repository())?;
    let bytes = ctx.fetch(&entries.repository, &entries.descriptor)?;
    let entries = Index::parse(&bytes)
        .map_err(|malformed| Failure::from(malformed).context(format_args!("the entries of {}", location.shown())))?;
    let Some(within) = within else {
        return Ok(names::all(&entries).into_iter().map(Name::of).collect());
    };
    let mut tags: Vec<Name> = Vec::new();
    for entry in &entries.manifests {
        if let Some(EntryName::Full(full)) = names::entry_name(entry)
            && full.repository() == within.repository()
        {
            let tag = Name::bare(full.tag_or_latest());
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
    }
    match tags.is_empty() {
        false => Ok(tags),
        true => Err(Failure::not_found(format!("cannot list {}: nothing there has that name", location.shown()))
            .hint(format!("portolan tags {} lists all names", bare(location)))),
    }
}

/// The repository within a store whose names are meant, where one is.
fn within(location: &Location, rest: &str) -> Result<Option<Reference>, Failure> {
    let tagged = || {
        Failure::new(format!("{} names an image, where a repository or a store is meant", location.shown()))
            .hint(format!("write {}", bare(location)))
    };
    if location.digest().is_some() {
        return Err(tagged());
    }
    match rest.strip_prefix('/') {
        None if rest.is_empty() => Ok(None),
        None => Err(tagged()),
        Some(name) => {
            let reference = Reference::parse(name)?;
            if reference.tag.is_some() { Err(tagged()) } else { Ok(Some(reference)) }
        }
    }
}

/// The store alone, as it is typed.
fn bare(location: &Location) -> String {
    let mut location = location.clone();
    if let Location::Store(store) = &mut location {
        store.rest.clear();
        store.digest = None;
    }
    location.shown()
}

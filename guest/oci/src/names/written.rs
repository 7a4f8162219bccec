//! Names that are written into a store: what a name means among those that are there, which entries it is taken from, and
//! how its own entry is annotated.
//!
//! One equality for everything that writes: texts are compared as [`entry_name`](super::entry_name) reads them. Not here:
//! the entries themselves and the file that they are in.

use std::collections::BTreeSet;
use std::fmt;

use super::{EntryName, IMAGE_NAME, InvalidName, REF_NAME, full, says};
use crate::digest::Digest;
use crate::document::{Annotations, Descriptor};
use crate::reference::{self, Reference};

/// What something is to be called in a store, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewName {
    /// `TAG`: the full name that has it, if there is one.
    Tag(String),
    /// `NAME[:TAG]`.
    Full(Reference),
    /// `@DIGEST`: it is to have an entry, and no name.
    Root,
}

impl NewName {
    /// Reads `TAG`, `NAME[:TAG]` or nothing, each with or without the `@DIGEST` of what is written.
    ///
    /// # Errors
    /// A text that is none of these, or that names another digest.
    pub fn parse(text: &str, digest: &Digest) -> Result<Self, InvalidName> {
        let fail = |why: String| InvalidName { name: reference::excerpt(text), why };
        let (name, told) = match text.split_once('@') {
            None => (text, None),
            Some((name, told)) => (name, Some(told)),
        };
        if let Some(told) = told
            && told != digest.as_str()
        {
            return Err(fail(format!("what is written has the digest {digest}")));
        }
        match name {
            "" if told.is_some() => Ok(NewName::Root),
            tag if reference::is_tag(tag) => Ok(NewName::Tag(tag.to_owned())),
            name => full(name).map(NewName::Full).ok_or_else(|| {
                let why = Reference::parse(name).err().map_or("it has no registry".into(), |error| error.to_string());
                fail(format!("it is neither a tag nor a name with its tag: {why}"))
            }),
        }
    }
}

/// What a name is, among those that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    name: EntryName,
    /// The tag that was asked for, where it stands for a full name.
    tag: Option<String>,
}

/// What a name meant is, given what the entries are called. `None` for a root without a name.
///
/// # Errors
/// A tag that several full names have.
pub fn meant<'a>(name: &NewName, entries: impl Iterator<Item = &'a EntryName>) -> Result<Option<Meant>, SeveralNames> {
    let tag = match name {
        NewName::Root => return Ok(None),
        NewName::Full(name) => return Ok(Some(Meant { name: EntryName::Full(name.clone()), tag: None })),
        NewName::Tag(tag) => tag,
    };
    let mut carrier: Option<&Reference> = None;
    let mut others: BTreeSet<String> = BTreeSet::new();
    for entry in entries {
        let EntryName::Full(full) = entry else { continue };
        if full.digest.is_some() || full.tag_or_latest() != tag {
            continue;
        }
        match carrier {
            None => carrier = Some(full),
            Some(first) if first.means_same(full) => {}
            Some(_) => drop(others.insert(full.resolved())),
        }
    }
    match carrier {
        None => Ok(Some(Meant { name: EntryName::Tag(tag.clone()), tag: None })),
        Some(full) if others.is_empty() => {
            Ok(Some(Meant { name: EntryName::Full(full.clone()), tag: Some(tag.clone()) }))
        }
        Some(full) => {
            others.insert(full.resolved());
            Err(SeveralNames { tag: tag.clone(), names: others.into_iter().collect() })
        }
    }
}

impl Meant {
    /// Whether an entry of this name is the one that is written.
    pub fn equals(&self, entry: &EntryName) -> bool {
        match (&self.name, entry) {
            (EntryName::Full(name), EntryName::Full(entry)) => name.means_same(entry),
            (EntryName::Tag(name), EntryName::Tag(entry)) => name == entry,
            // Who writes a tag means the entry that has just this tag, too.
            (EntryName::Full(_), EntryName::Tag(entry)) => self.tag.as_ref() == Some(entry),
            (EntryName::Tag(_), EntryName::Full(_)) => false,
        }
    }

    /// The annotations that call an entry so.
    pub fn annotations(&self) -> Annotations {
        let annotation = |key: &str, value: String| (key.to_owned(), value);
        match &self.name {
            EntryName::Tag(tag) => [annotation(REF_NAME, tag.clone())].into(),
            EntryName::Full(name) => {
                let tag = name.tag_or_latest().to_owned();
                [annotation(REF_NAME, tag), annotation(IMAGE_NAME, name.resolved())].into()
            }
        }
    }

    /// The annotations that go from an entry that [equals](Meant::equals) this.
    pub fn taken(&self, entry: &Descriptor) -> Taken {
        let mut taken = Taken { annotations: Vec::new(), nameless: true };
        for key in [IMAGE_NAME, REF_NAME] {
            let Some(text) = entry.annotations.get(key).filter(|text| !text.is_empty()) else { continue };
            match says(key, text) {
                Some(name) if self.equals(&name) || self.has_tag(&name) => taken.annotations.push(key),
                _ => taken.nameless = false,
            }
        }
        taken
    }

    /// Whether `name` is the bare tag that goes with this full name.
    fn has_tag(&self, name: &EntryName) -> bool {
        match (&self.name, name) {
            (EntryName::Full(full), EntryName::Tag(tag)) => full.tag_or_latest() == tag,
            _ => false,
        }
    }
}

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// What goes from an entry whose name moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The keys of its annotations that called it so.
    pub annotations: Vec<&'static str>,
    /// Whether nothing is left that it is called by: then the entry goes. A text that is no name counts as one here, since
    /// there are programs that look for just that text.
    pub nameless: bool,
}

/// A tag that could mean several of the names that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeveralNames {
    /// The tag.
    pub tag: String,
    /// The full names that have it, sorted, each once.
    pub names: Vec<String>,
}

impl fmt::Display for SeveralNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        let shown = self.names.get(..SHOWN).unwrap_or(&self.names).join(", ");
        write!(f, "the tag {:?} could mean {shown}", self.tag)?;
        match self.names.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl std::error::Error for SeveralNames {}

//! The first steps: from a reference to a root, from a root to its document.

use portolan_oci::{Annotations, Descriptor, Digest, Document, Index, Kind, Location, Manifest, Mode};

use super::store;
use crate::failure::{Error, Failure, code};
use crate::host::{Context, Host, Resolved};

/// What a reference means now, nothing of it read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What was asked for.
    pub location: Location,
    /// Where the content lives.
    pub repository: String,
    /// Of the root. From a store it has all that the store's entry says: name, annotations, platform.
    pub descriptor: Descriptor,
}

/// A root and its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// What was asked for.
    pub location: Location,
    /// Where the content lives.
    pub repository: String,
    /// As in [`Found`].
    pub descriptor: Descriptor,
    /// As stored.
    pub bytes: Vec<u8>,
    /// What they say.
    pub document: Document,
}

/// What `location` means now. From a registry that is one question and no document; from a store its entries are read,
/// unless a digest alone is asked for.
///
/// # Errors
/// What the host answers; in a store also a name that nothing has, with the nearest ones, and one that several roots have.
pub fn find(ctx: &impl Context, location: &Location, mode: Mode) -> Result<Found, Failure> {
    match location {
        Location::Registry(reference) => from_registry(location, ctx.resolve(&reference.resolved())),
        Location::Store(asked) => {
            let (repository, descriptor) = store::find(ctx, location, asked, mode)?;
            Ok(Found { location: location.clone(), repository, descriptor })
        }
    }
}

/// The same for many, registries asked side by side; answers in the order asked.
pub fn find_all(ctx: &impl Context, locations: &[Location], mode: Mode) -> Vec<Result<Found, Failure>> {
    let references: Vec<String> = locations
        .iter()
        .filter_map(|location| match location {
            Location::Registry(reference) => Some(reference.resolved()),
            Location::Store(_) => None,
        })
        .collect();
    let mut answers = match references.is_empty() {
        true => Vec::new(),
        false => ctx.resolve_all(&references),
    }
    .into_iter();
    locations
        .iter()
        .map(|location| match location {
            Location::Store(_) => find(ctx, location, mode),
            Location::Registry(_) => {
                let unanswered = || Err(Error::new(code::OTHER, format!("cannot resolve {location}: no answer")));
                from_registry(location, answers.next().unwrap_or_else(unanswered))
            }
        })
        .collect()
}

fn from_registry(location: &Location, answer: Result<Resolved, Error>) -> Result<Found, Failure> {
    let Resolved { repository, descriptor } = answer?;
    Ok(Found { location: location.clone(), repository, descriptor })
}

/// [`find`] and [`open`](Found::open).
///
/// # Errors
/// Those of both.
pub fn resolve(ctx: &impl Context, location: &Location, mode: Mode) -> Result<Root, Failure> {
    find(ctx, location, mode)?.open(ctx)
}

impl Found {
    /// The reference, for answers: normalised in a registry, as typed in a store.
    pub fn name(&self) -> String {
        self.location.shown()
    }

    /// Reads the document.
    ///
    /// # Errors
    /// What the host answers, and a root that is neither index nor manifest.
    pub fn open(self, ctx: &impl Host) -> Result<Root, Failure> {
        let bytes = ctx.fetch(&self.repository, &self.descriptor)?;
        self.read(bytes)
    }

    /// The root, from bytes that were fetched already.
    pub(super) fn read(self, bytes: Vec<u8>) -> Result<Root, Failure> {
        let Found { location, repository, descriptor } = self;
        let document = read(&descriptor, &bytes)?;
        Ok(Root { location, repository, descriptor, bytes, document })
    }
}

impl Root {
    /// The reference, for answers: normalised in a registry, as typed in a store.
    pub fn name(&self) -> String {
        self.location.shown()
    }

    /// The index, if the root is one.
    pub fn index(&self) -> Option<&Index> {
        match &self.document {
            Document::Index(index) => Some(index),
            Document::Manifest(_) => None,
        }
    }

    /// The manifest, if the root is one.
    pub fn manifest(&self) -> Option<&Manifest> {
        match &self.document {
            Document::Index(_) => None,
            Document::Manifest(manifest) => Some(manifest),
        }
    }

    /// The document's own annotations.
    pub fn annotations(&self) -> &Annotations {
        match &self.document {
            Document::Index(index) => &index.annotations,
            Document::Manifest(manifest) => &manifest.annotations,
        }
    }
}

/// Reads a document as what its descriptor says it is; the host has checked that the two agree.
pub(super) fn read(descriptor: &Descriptor, bytes: &[u8]) -> Result<Document, Failure> {
    let document = match descriptor.kind() {
        Kind::Index => Index::parse(bytes).map(Document::Index),
        Kind::Manifest => Manifest::parse(bytes).map(Document::Manifest),
        _ => {
            let message =
                format!("{} is of type {}, neither an index nor a manifest", descriptor.digest, descriptor.media_type);
            return Err(Failure::of(code::UNSUPPORTED, message));
        }
    };
    document.map_err(|malformed| Failure::from(malformed).context(&descriptor.digest))
}

/// The reference with a digest, by which it means the same for ever; for answers, like [`Found::name`]. `root` is what the
/// reference means now, and `digest` that or something below it.
pub fn pinned(location: &Location, root: &Digest, digest: &Digest) -> String {
    let mut location = location.clone();
    match &mut location {
        Location::Registry(reference) => reference.digest = Some(digest.clone()),
        Location::Store(store) => {
            store.digest = Some(digest.clone());
            // In a store a name and a digest must agree, and the name is the root's.
            if root != digest {
                store.rest.clear();
            }
        }
    }
    location.shown()
}

//! Who refers to a manifest: signatures, attestations, other artifacts with it as their subject.
//!
//! A registry is asked. A store has nobody to ask, so all of it is looked through, from its entries down (oci-semantics,
//! "Matching"; buildx looks the same way).

use std::collections::{BTreeMap, BTreeSet};

use portolan_oci::{Descriptor, Digest, Document, Index, Location, media_type, names};

use super::root::{Root, read};
use super::{Bounds, DOCUMENTS, NESTING, prefetch};
use crate::failure::{Failure, code};
use crate::host::Host;

/// A manifest that refers to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// What it refers to.
    pub subject: Digest,
    /// The manifest, with its artifact type where it has one.
    pub descriptor: Descriptor,
}

/// Who refers to any of `subjects`, in the order of the subjects.
///
/// # Errors
/// What the host answers; a store that is too deep or too large.
pub fn referrers(ctx: &impl Host, root: &Root, subjects: &[Digest]) -> Result<Vec<Referrer>, Failure> {
    if let Location::Registry(_) = root.location {
        let mut found = Vec::new();
        for subject in subjects {
            found.extend(listed(ctx, &root.repository, subject)?);
        }
        return Ok(found);
    }
    let position = |subject: &Digest| subjects.iter().position(|known| known == subject);
    let mut found: Vec<Referrer> = Search::store(ctx, &root.repository)?
        .into_iter()
        .map(|said| said.referrer)
        .filter(|referrer| position(&referrer.subject).is_some())
        .collect();
    found.sort_by_key(|referrer| position(&referrer.subject));
    Ok(found)
}

/// All that goes with `subjects` when they are moved elsewhere: who refers to them, who refers to that, and so on, each
/// once, a referrer behind its subject and none that is a subject itself. Only manifests that name their subject
/// themselves are meant: what an index or a store's entry says of another manifest stays there. A registry that keeps no
/// referrers has none.
///
/// # Errors
/// What the host answers; referrers that are too deep or too many; a store that is too deep or too large.
pub fn referring(ctx: &impl Host, repository: &str, subjects: &[Digest]) -> Result<Vec<Referrer>, Failure> {
    let mut said = match Location::parse(repository)? {
        Location::Registry(_) => None,
        Location::Store(_) => Some(Search::store(ctx, repository)?.into_iter().filter(|said| said.by_itself).fold(
            BTreeMap::<Digest, Vec<Referrer>>::new(),
            |mut by_subject, said| {
                by_subject.entry(said.referrer.subject.clone()).or_default().push(said.referrer);
                by_subject
            },
        )),
    };
    let mut seen: BTreeSet<Digest> = subjects.iter().cloned().collect();
    let mut found: Vec<Referrer> = Vec::new();
    let mut level: Vec<Digest> = subjects.to_vec();
    for depth in 0.. {
        let mut next = Vec::new();
        for subject in level {
            let referring = match &mut said {
                Some(by_subject) => by_subject.remove(&subject).unwrap_or_default(),
                None => match listed(ctx, repository, &subject) {
                    Err(failure) if keeps_none(&failure) => Vec::new(),
                    listed => listed?,
                },
            };
            let new = referring.into_iter().filter(|referrer| seen.insert(referrer.descriptor.digest.clone()));
            next.extend(new);
        }
        if next.is_empty() {
            break;
        }
        if depth == NESTING {
            let message = format!("there are referrers of referrers more than {NESTING} deep");
            return Err(Failure::of(code::TOO_LARGE, message));
        }
        level = next.iter().map(|referrer| referrer.descriptor.digest.clone()).collect();
        found.extend(next);
        if found.len() > DOCUMENTS {
            return Err(Failure::of(code::TOO_LARGE, format!("there are more than {DOCUMENTS} referrers")));
        }
    }
    Ok(found)
}

/// Whether a registry said that it has no such list, rather than that it could not give it.
fn keeps_none(failure: &Failure) -> bool {
    failure.cause.as_ref().is_some_and(|cause| cause.is_not_found() || cause.code == code::UNSUPPORTED)
}

/// What a registry lists.
fn listed(ctx: &impl Host, repository: &str, subject: &Digest) -> Result<Vec<Referrer>, Failure> {
    let index = ctx.referrers(repository, subject.as_str(), None)?;
    let index = Index::parse(&index)
        .map_err(|malformed| Failure::from(malformed).context(format_args!("the referrers of {subject}")))?;
    let referrer = |descriptor| Referrer { subject: subject.clone(), descriptor };
    Ok(index.manifests.into_iter().map(referrer).collect())
}

/// What a manifest in a store refers to, and who says so.
struct Said {
    referrer: Referrer,
    /// The manifest names its subject; else the entry that leads to it does.
    by_itself: bool,
}

struct Search<'a, C> {
    ctx: &'a C,
    repository: &'a str,
    bounds: Bounds,
    /// Manifests and indexes that were read: an entry may stand in many places.
    seen: BTreeSet<Digest>,
    found: Vec<Said>,
}

impl<'a, C: Host> Search<'a, C> {
    /// Everything in a store that refers to something.
    fn store(ctx: &'a C, repository: &'a str) -> Result<Vec<Said>, Failure> {
        let entries = ctx.entries(repository)?;
        let bytes = ctx.fetch(repository, &entries.descriptor)?;
        let mut search =
            Search { ctx, repository, bounds: Bounds::default(), seen: BTreeSet::new(), found: Vec::new() };
        search.index(&Index::parse(&bytes)?, 0)?;
        Ok(search.found)
    }

    fn index(&mut self, index: &Index, depth: usize) -> Result<(), Failure> {
        let unread = |entry: &&Descriptor| entry.is_document() && !self.seen.contains(&entry.digest);
        let ahead: Vec<Descriptor> = index.manifests.iter().filter(unread).map(Descriptor::bare).collect();
        prefetch(self.ctx, self.repository, &ahead);
        for entry in index.manifests.iter().filter(|entry| entry.is_document()) {
            let told =
                entry.annotations.get(names::SUBJECT).map(String::as_str).or_else(|| entry.attestation_subject());
            self.entry(entry, told, depth + 1)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Descriptor, told: Option<&str>, depth: usize) -> Result<(), Failure> {
        if !self.seen.insert(entry.digest.clone()) {
            return Ok(());
        }
        self.bounds.read()?;
        let bytes = match self.ctx.fetch(self.repository, entry) {
            Ok(bytes) => bytes,
            // Stores often hold one platform of an image only; what is not there refers to nothing.
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let document = read(entry, &bytes)?;
        let (subject, artifact_type) = match &document {
            Document::Index(index) => (&index.subject, index.artifact_type.as_deref()),
            // The artifact type that a registry would tell (distribution-spec, "Listing Referrers").
            Document::Manifest(manifest) => (
                &manifest.subject,
                manifest.artifact_type.as_deref().or(match manifest.config.media_type.as_str() {
                    media_type::OCI_EMPTY => None,
                    config => Some(config),
                }),
            ),
        };
        let by_itself = subject.is_some();
        let told = || told.and_then(|told| Digest::parse(told).ok());
        if let Some(subject) = subject.as_ref().map(|subject| subject.digest.clone()).or_else(told) {
            let mut descriptor = entry.clone();
            descriptor.artifact_type = descriptor.artifact_type.or_else(|| artifact_type.map(str::to_owned));
            self.found.push(Said { referrer: Referrer { subject, descriptor }, by_itself });
        }
        match &document {
            Document::Index(index) if self.bounds.enter(entry, depth)? => self.index(index, depth),
            _ => Ok(()),
        }
    }
}

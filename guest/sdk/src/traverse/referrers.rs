//! Who refers to a manifest: signatures, attestations, other artifacts with it as their subject.
//!
//! A registry is asked. A store has nobody to ask, so all of it is looked through, from its entries down (oci-semantics,
//! "Matching"; buildx looks the same way).

use std::collections::BTreeSet;

use portolan_oci::{Descriptor, Digest, Document, Index, Kind, Location, media_type};

use super::root::{Root, read};
use super::{Bounds, prefetch};
use crate::failure::Failure;
use crate::host::Host;

/// What containerd and BuildKit write at a store's entry for a manifest that is there for another one's sake only.
const SUBJECT: &str = "io.containerd.manifest.subject";

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
    let mut found = Vec::new();
    if let Location::Registry(_) = root.location {
        for subject in subjects {
            let index = ctx.referrers(&root.repository, subject.as_str(), None)?;
            let index = Index::parse(&index)
                .map_err(|malformed| Failure::from(malformed).context(format_args!("the referrers of {subject}")))?;
            found.extend(
                index.manifests.into_iter().map(|descriptor| Referrer { subject: subject.clone(), descriptor }),
            );
        }
        return Ok(found);
    }
    let entries = ctx.entries(&root.repository)?;
    let bytes = ctx.fetch(&root.repository, &entries.descriptor)?;
    let mut search = Search { ctx, root, subjects, bounds: Bounds::default(), seen: BTreeSet::new(), found };
    search.index(&Index::parse(&bytes)?, 0)?;
    let mut found = search.found;
    found.sort_by_key(|referrer| subjects.iter().position(|subject| *subject == referrer.subject));
    Ok(found)
}

struct Search<'a, C> {
    ctx: &'a C,
    root: &'a Root,
    subjects: &'a [Digest],
    bounds: Bounds,
    /// Manifests and indexes that were read: an entry may stand in many places.
    seen: BTreeSet<Digest>,
    found: Vec<Referrer>,
}

impl<C: Host> Search<'_, C> {
    fn index(&mut self, index: &Index, depth: usize) -> Result<(), Failure> {
        let unread = |entry: &&Descriptor| is_document(entry) && !self.seen.contains(&entry.digest);
        let ahead: Vec<Descriptor> = index.manifests.iter().filter(unread).map(Descriptor::bare).collect();
        prefetch(self.ctx, &self.root.repository, &ahead);
        for entry in index.manifests.iter().filter(|entry| is_document(entry)) {
            let told = entry.annotations.get(SUBJECT).map(String::as_str).or_else(|| entry.attestation_subject());
            self.entry(entry, told, depth + 1)?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Descriptor, told: Option<&str>, depth: usize) -> Result<(), Failure> {
        if !self.seen.insert(entry.digest.clone()) {
            return Ok(());
        }
        self.bounds.read()?;
        let bytes = match self.ctx.fetch(&self.root.repository, entry) {
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
        let subject = subject.as_ref().map(|subject| subject.digest.as_str()).or(told);
        if let Some(subject) = self.subjects.iter().find(|known| Some(known.as_str()) == subject) {
            let mut descriptor = entry.clone();
            descriptor.artifact_type = descriptor.artifact_type.or_else(|| artifact_type.map(str::to_owned));
            self.found.push(Referrer { subject: subject.clone(), descriptor });
        }
        match &document {
            Document::Index(index) if self.bounds.enter(entry, depth)? => self.index(index, depth),
            _ => Ok(()),
        }
    }
}

fn is_document(entry: &Descriptor) -> bool {
    matches!(entry.kind(), Kind::Index | Kind::Manifest)
}

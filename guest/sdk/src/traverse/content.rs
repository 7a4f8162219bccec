//! What a copy is made of: every blob, manifest and index below some roots.

use std::collections::BTreeSet;

use portolan_oci::{Descriptor, Digest, Document, Index, Kind, Manifest, media_type};

use super::root::read;
use super::{Bounds, prefetch};
use crate::failure::{Failure, code};
use crate::host::Host;

/// How many of the documents that are not there an error names.
const NAMED: usize = 5;

/// All content below some roots, the roots included: each digest once, as it is first named.
///
/// Blobs and then documents, in the order in which they stand, is an order in which content can be written: nothing stands
/// before what it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Configs, layers, and whatever else is no manifest and no index.
    pub blobs: Vec<Descriptor>,
    /// Manifests and indexes, each behind all that it names. The descriptors are those of the entries that name them, with
    /// platform and annotations; the roots' are as they were given.
    pub documents: Vec<Descriptor>,
    /// Layers whose bytes the repository does not have, as their manifests say where else they are (`urls`, which nobody
    /// follows: oci-semantics, "Documents"). They are not among the blobs.
    pub elsewhere: Vec<Descriptor>,
}

impl Content {
    /// All that is to be written, in an order in which it can be.
    pub fn in_order(&self) -> impl Iterator<Item = &Descriptor> {
        self.blobs.iter().chain(&self.documents)
    }
}

/// Finds everything below `roots` in a repository, for moving it elsewhere byte for byte: [`Content::in_order`] is what
/// [`Pusher::copy`](crate::Pusher::copy) takes. What several roots share is there once. Documents are read, the host being
/// told ahead of time which; of blobs nothing is read.
///
/// A subject is not below what speaks of it, and a referrer not below its subject: see [`referring`](super::referring).
///
/// # Errors
/// What the host answers; a manifest or an index that is named and is not there (a store may hold one platform of an image
/// only), with the platforms that are missing; a tree that is too deep or too large; a Docker manifest of schema 1.
pub fn everything(ctx: &impl Host, repository: &str, roots: &[Descriptor]) -> Result<Content, Failure> {
    let mut walk = Walk {
        ctx,
        repository,
        bounds: Bounds::default(),
        seen: BTreeSet::new(),
        found: Content::default(),
        missing: Vec::new(),
    };
    walk.ahead(roots);
    for root in roots {
        walk.entry(root, None, 0)?;
    }
    match walk.missing.is_empty() {
        true => Ok(walk.found),
        false => Err(not_there(&walk.missing)),
    }
}

struct Walk<'a, C> {
    ctx: &'a C,
    repository: &'a str,
    bounds: Bounds,
    seen: BTreeSet<Digest>,
    found: Content,
    /// Entries whose content is not there, and the index that names each.
    missing: Vec<(Descriptor, Digest)>,
}

impl<C: Host> Walk<'_, C> {
    fn ahead(&self, entries: &[Descriptor]) {
        let documents: Vec<Descriptor> = entries
            .iter()
            .filter(|entry| entry.is_document() && !self.seen.contains(&entry.digest))
            .map(Descriptor::bare)
            .collect();
        prefetch(self.ctx, self.repository, &documents);
    }

    /// `index` names the entry; a root has none, and lies at depth 0.
    fn entry(&mut self, entry: &Descriptor, index: Option<&Digest>, depth: usize) -> Result<(), Failure> {
        if media_type::is_schema1(&entry.media_type) {
            let message = format!("{} is a Docker manifest of schema 1, which is not copied", entry.digest);
            return Err(Failure::of(code::UNSUPPORTED, message).hint("pull it with an old Docker and push it anew"));
        }
        if !entry.is_document() {
            // An index may name anything; BuildKit's caches name layers.
            self.blob(entry);
            return Ok(());
        }
        if self.seen.contains(&entry.digest) {
            return Ok(());
        }
        if entry.kind() == Kind::Index {
            self.bounds.enter(entry, depth)?;
        }
        self.bounds.read()?;
        let bytes = match (self.ctx.fetch(self.repository, entry), index) {
            (Err(error), Some(index)) if error.is_not_found() => {
                self.seen.insert(entry.digest.clone());
                self.missing.push((entry.clone(), index.clone()));
                return Ok(());
            }
            (bytes, _) => bytes?,
        };
        self.seen.insert(entry.digest.clone());
        match read(entry, &bytes)? {
            Document::Index(index) => self.index(&index, &entry.digest, depth)?,
            Document::Manifest(manifest) => self.manifest(&manifest)?,
        }
        self.found.documents.push(entry.clone());
        Ok(())
    }

    fn index(&mut self, index: &Index, digest: &Digest, depth: usize) -> Result<(), Failure> {
        self.ahead(&index.manifests);
        for entry in &index.manifests {
            self.entry(entry, Some(digest), depth + 1)?;
        }
        Ok(())
    }

    fn manifest(&mut self, manifest: &Manifest) -> Result<(), Failure> {
        self.blob(&manifest.config);
        for layer in &manifest.layers {
            if layer.urls.is_empty() || self.seen.contains(&layer.digest) {
                self.blob(layer);
                continue;
            }
            match self.ctx.read_blob(self.repository, &layer.bare(), 0, 1) {
                Ok(_) => self.blob(layer),
                Err(error) if error.is_not_found() => {
                    self.seen.insert(layer.digest.clone());
                    self.found.elsewhere.push(layer.clone());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn blob(&mut self, blob: &Descriptor) {
        if self.seen.insert(blob.digest.clone()) {
            self.found.blobs.push(blob.bare());
        }
    }
}

fn not_there(missing: &[(Descriptor, Digest)]) -> Failure {
    let what = |(entry, index): &(Descriptor, Digest)| match &entry.platform {
        Some(platform) if !platform.is_unknown() => format!("{} for {} (in {index})", entry.digest, platform.long()),
        _ => format!("{} (in {index})", entry.digest),
    };
    let mut named = missing.iter().take(NAMED).map(what).collect::<Vec<_>>().join(", ");
    if missing.len() > NAMED {
        named.push_str(&format!(" and {} more", missing.len() - NAMED));
    }
    let are = if missing.len() == 1 { "is" } else { "are" };
    Failure::not_found(format!("{named} {are} not there"))
        .hint("only a part of the image is there; choose among what is with --platform")
}

//! One of the two: a root and the images below it, configs not read yet.

use portolan_oci::{Descriptor, Kind, Manifest, Mode, Platform};
use portolan_sdk::traverse::{self, Attestation, Found, Image, Root, Tree, Walked};
use portolan_sdk::{Context, Failure};
use std::collections::BTreeSet;

/// A root and what was chosen below it.
#[derive(Debug)]
pub struct Side {
    /// The reference as people write it.
    pub name: String,
    /// Index or manifest.
    pub root: Root,
    /// Images, or the artifact that the root is.
    pub entries: Vec<Entry>,
    /// Entries that are neither images nor attestations of one.
    pub other: Vec<Descriptor>,
}

/// One platform's image, or an artifact.
#[derive(Debug)]
pub struct Entry {
    /// Normalised; an artifact has none.
    pub platform: Option<Platform>,
    /// As its index names it; of a root that is a manifest, as the root.
    pub descriptor: Descriptor,
    /// The manifest; an index in a store may name what is not there.
    pub image: Option<Image>,
    /// What is attested of it; `None` where the index names an attestation that is not there.
    pub attestations: Option<Vec<Attestation>>,
}

impl Side {
    /// Reads what is below a root: all of it, or the image for each of `platforms`, in their order.
    ///
    /// # Errors
    /// A platform that the image is not there for; a document that cannot be fetched or breaks its specification.
    pub fn read(ctx: &impl Context, found: Found, platforms: &[Platform], mode: Mode) -> Result<Side, Failure> {
        let root = found.open(ctx)?;
        let Tree { images, mut other, missing } = match platforms {
            [] => traverse::walk(ctx, &root)?,
            some => {
                let chosen = some.iter().map(|platform| traverse::select(ctx, &root, platform, mode));
                let chosen = chosen.collect::<Result<Vec<_>, _>>()?;
                let images = match root.manifest() {
                    Some(_) => chosen.into_iter().map(|image| Walked { image, attestations: Vec::new() }).collect(),
                    None => traverse::attested(ctx, &root, chosen)?,
                };
                Tree { images, ..Tree::default() }
            }
        };
        let unread: BTreeSet<&str> = missing.iter().filter_map(Descriptor::attestation_subject).collect();
        let mut entries = Vec::with_capacity(images.len());
        let unsaid: Vec<Descriptor> = images
            .iter()
            .filter(|walked| walked.image.descriptor.platform.is_none())
            .map(|walked| walked.image.manifest.config.bare())
            .collect();
        traverse::prefetch(ctx, &root.repository, &unsaid);
        for Walked { image, attestations } in images {
            let platform = match image.manifest.is_image() {
                true => Some(image.platform(ctx)?),
                false => None,
            };
            let descriptor = image.descriptor.clone();
            let attestations = (!unread.contains(descriptor.digest.as_str())).then_some(attestations);
            entries.push(Entry { platform, descriptor, image: Some(image), attestations });
        }
        for descriptor in missing.iter().filter(|entry| entry.may_be_image() && entry.kind() == Kind::Manifest) {
            let platform = descriptor.platform.as_ref().map(|platform| platform.normalized(&ctx.platform()));
            entries.push(Entry { platform, descriptor: descriptor.clone(), image: None, attestations: None });
        }
        other.extend(missing.into_iter().filter(|entry| entry.kind() != Kind::Manifest));
        // A root that is an artifact is what there is to compare, not something beside it.
        if root.manifest().is_some_and(|manifest| !manifest.is_image()) && entries.is_empty() {
            other.clear();
            entries.push(Entry {
                platform: None,
                descriptor: root.descriptor.clone(),
                image: Image::of_root(&root),
                attestations: Some(Vec::new()),
            });
        }
        Ok(Side { name: root.name(), root, entries, other })
    }

    /// Whether the root is an index, which can say something of its images.
    pub fn is_index(&self) -> bool {
        self.root.index().is_some()
    }
}

impl Entry {
    /// The manifest, where it is there.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.image.as_ref().map(|image| &image.manifest)
    }

    /// The types of what is attested, sorted; a statement that does not say has an empty one.
    pub fn predicates(&self) -> Option<Vec<&str>> {
        let attestations = self.attestations.as_ref()?;
        let mut types: Vec<&str> =
            attestations.iter().flat_map(Attestation::predicates).map(|said| said.predicate_type).collect();
        types.sort_unstable();
        Some(types)
    }

    /// How people tell it from the others: its platform, else its digest.
    pub fn label(&self) -> String {
        self.platform.as_ref().map_or_else(|| self.descriptor.digest.to_string(), Platform::long)
    }
}

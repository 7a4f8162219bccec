//! Everything below a root: all images, the statements beside what they speak of, and what else there is.

use portolan_oci::{Descriptor, Document, Index, Kind, Manifest, attestation, media_type};

use super::image::Image;
use super::platforms::may_be_image;
use super::root::{Root, read};
use super::{Bounds, prefetch};
use crate::failure::Failure;
use crate::host::Host;

/// What lies below a root, in the order of the index.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Images.
    pub images: Vec<Walked>,
    /// Artifacts, and statements about things that are not in this tree.
    pub other: Vec<Descriptor>,
}

/// An image and what is said of it.
#[derive(Debug, Clone)]
pub struct Walked {
    /// The image; its config is on its way.
    pub image: Image,
    /// Statements whose subject it is.
    pub attestations: Vec<Attestation>,
}

/// An attestation manifest.
#[derive(Debug, Clone)]
pub struct Attestation {
    /// As its index names it.
    pub descriptor: Descriptor,
    /// Its statements are its layers.
    pub manifest: Manifest,
}

/// One statement: an SBOM, a provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Predicate<'a> {
    /// `https://spdx.dev/Document`, `https://slsa.dev/provenance/v1`; empty where the statement does not say.
    pub predicate_type: &'a str,
    /// The statement.
    pub descriptor: &'a Descriptor,
}

impl Attestation {
    /// Its statements.
    pub fn predicates(&self) -> impl Iterator<Item = Predicate<'_>> {
        self.manifest.layers.iter().filter(|layer| media_type::is_statement(&layer.media_type)).map(|layer| Predicate {
            predicate_type: layer.annotations.get(attestation::PREDICATE_TYPE).map_or("", String::as_str),
            descriptor: layer,
        })
    }

    fn subject(&self) -> Option<&str> {
        let by_manifest = || self.manifest.subject.as_ref().map(|subject| subject.digest.as_str());
        self.descriptor.attestation_subject().or_else(by_manifest)
    }
}

/// Reads all manifests below `root` and starts the host on their configs. A root that is an image is the only one in its
/// tree.
///
/// # Errors
/// What the host answers, and a tree that is too deep or too large.
pub fn walk(ctx: &impl Host, root: &Root) -> Result<Tree, Failure> {
    let mut walk = Walk {
        ctx,
        repository: &root.repository,
        bounds: Bounds::default(),
        tree: Tree::default(),
        statements: Vec::new(),
    };
    match (&root.document, Image::of_root(root)) {
        (Document::Index(index), _) => {
            walk.bounds.enter(&root.descriptor, 0)?;
            walk.index(index, 0)?;
        }
        (Document::Manifest(_), Some(image)) => walk.add(image),
        (Document::Manifest(_), None) => {}
    }
    let Walk { mut tree, statements, .. } = walk;
    attach(&mut tree, statements);
    let configs: Vec<Descriptor> = tree.images.iter().map(|walked| walked.image.manifest.config.bare()).collect();
    prefetch(ctx, &root.repository, &configs);
    Ok(tree)
}

fn attach(tree: &mut Tree, statements: Vec<Attestation>) {
    for statement in statements {
        let mut of_none = true;
        for walked in &mut tree.images {
            if statement.subject() == Some(walked.image.descriptor.digest.as_str()) {
                walked.attestations.push(statement.clone());
                of_none = false;
            }
        }
        if of_none {
            tree.other.push(statement.descriptor);
        }
    }
}

struct Walk<'a, C> {
    ctx: &'a C,
    repository: &'a str,
    bounds: Bounds,
    tree: Tree,
    statements: Vec<Attestation>,
}

impl<C: Host> Walk<'_, C> {
    fn index(&mut self, index: &Index, depth: usize) -> Result<(), Failure> {
        let ahead: Vec<Descriptor> =
            index.manifests.iter().filter(|entry| is_read(entry)).map(Descriptor::bare).collect();
        prefetch(self.ctx, self.repository, &ahead);
        for entry in &index.manifests {
            match entry.kind() {
                _ if !is_read(entry) => self.tree.other.push(entry.clone()),
                Kind::Index => self.nested(entry, depth + 1)?,
                _ => {
                    self.bounds.read()?;
                    let image = Image::fetch(self.ctx, self.repository, entry)?;
                    match entry.is_attestation() {
                        true => {
                            let Image { descriptor, manifest, .. } = image;
                            self.statements.push(Attestation { descriptor, manifest });
                        }
                        false => self.add(image),
                    }
                }
            }
        }
        Ok(())
    }

    fn nested(&mut self, entry: &Descriptor, depth: usize) -> Result<(), Failure> {
        if !self.bounds.enter(entry, depth)? {
            return Ok(());
        }
        self.bounds.read()?;
        let bytes = self.ctx.fetch(self.repository, entry)?;
        match read(entry, &bytes)? {
            Document::Index(index) => self.index(&index, depth),
            Document::Manifest(_) => Ok(()),
        }
    }

    fn add(&mut self, image: Image) {
        match image.manifest.is_image() {
            true => self.tree.images.push(Walked { image, attestations: Vec::new() }),
            false => self.tree.other.push(image.descriptor),
        }
    }
}

/// Whether an entry is read at all: images, indexes and statements are, other artifacts are only named.
fn is_read(entry: &Descriptor) -> bool {
    match entry.kind() {
        Kind::Index => may_be_image(entry),
        Kind::Manifest => may_be_image(entry) || entry.is_attestation(),
        _ => false,
    }
}

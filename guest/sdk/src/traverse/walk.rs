//! Everything below a root: all images, the statements beside what they speak of, and what else there is.

use portolan_oci::{Descriptor, Digest, Document, Index, Kind};

use super::attestation::Attestation;
use super::image::Image;
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
    /// Entries whose content is not there: stores often hold one platform of an image only.
    pub missing: Vec<Descriptor>,
}

/// An image and what is said of it.
#[derive(Debug, Clone)]
pub struct Walked {
    /// The image; its config is not read yet.
    pub image: Image,
    /// Statements whose subject it is.
    pub attestations: Vec<Attestation>,
}

/// Reads all manifests below `root`. A root that is an image is the only one in its tree.
///
/// # Errors
/// What the host answers, and a tree that is too deep or too large.
pub fn walk(ctx: &impl Host, root: &Root) -> Result<Tree, Failure> {
    below(ctx, root, Scope::Everything, Vec::new())
}

/// All images below `root`, without what is said of them.
///
/// # Errors
/// Those of [`walk()`], and an image that is not there.
pub fn images(ctx: &impl Host, root: &Root) -> Result<Vec<Image>, Failure> {
    let tree = below(ctx, root, Scope::Images, Vec::new())?;
    if let Some(missing) = tree.missing.first() {
        let platform =
            missing.platform.as_ref().map_or_else(String::new, |platform| format!(" for {}", platform.long()));
        let message = format!("{} names {}{platform}, which is not there", root.name(), missing.digest);
        return Err(Failure::not_found(message).hint("choose among what is there with --platform"));
    }
    Ok(tree.images.into_iter().map(|walked| walked.image).collect())
}

/// Images that were [selected](super::select()) below `root`, with what is said of them; other images are not read.
///
/// # Errors
/// Those of [`walk()`].
pub fn attested(ctx: &impl Host, root: &Root, images: Vec<Image>) -> Result<Vec<Walked>, Failure> {
    let subjects: Vec<Digest> = images.iter().map(|image| image.descriptor.digest.clone()).collect();
    Ok(below(ctx, root, Scope::StatementsOn(&subjects), images)?.images)
}

/// What a walk is after.
#[derive(Clone, Copy)]
enum Scope<'a> {
    Everything,
    Images,
    /// Statements whose subject is one of these, and those whose entry does not say of what they speak.
    StatementsOn(&'a [Digest]),
}

impl Scope<'_> {
    /// Whether an entry is read at all: images, indexes and statements are, other artifacts are only named.
    fn reads(self, entry: &Descriptor) -> bool {
        let statement = || entry.is_attestation();
        let about = |known: &[Digest]| {
            entry.attestation_subject().is_none_or(|subject| known.iter().any(|it| it.as_str() == subject))
        };
        match (entry.kind(), self) {
            (Kind::Index, _) => entry.may_be_image(),
            (Kind::Manifest, Scope::Everything) => entry.may_be_image() || statement(),
            (Kind::Manifest, Scope::Images) => entry.may_be_image(),
            (Kind::Manifest, Scope::StatementsOn(known)) => statement() && about(known),
            _ => false,
        }
    }
}

fn below(ctx: &impl Host, root: &Root, scope: Scope<'_>, known: Vec<Image>) -> Result<Tree, Failure> {
    let known = known.into_iter().map(|image| Walked { image, attestations: Vec::new() }).collect();
    let tree = Tree { images: known, ..Tree::default() };
    let mut walk =
        Walk { ctx, repository: &root.repository, scope, bounds: Bounds::default(), tree, statements: Vec::new() };
    match (&root.document, Image::of_root(root)) {
        (Document::Index(index), _) => {
            walk.bounds.enter(&root.descriptor, 0)?;
            walk.index(index, 0)?;
        }
        // Chosen images were read already, and a manifest has nothing below it that speaks of it.
        (Document::Manifest(_), Some(image)) if !matches!(scope, Scope::StatementsOn(_)) => walk.add(image),
        (Document::Manifest(_), _) => {}
    }
    let Walk { mut tree, statements, .. } = walk;
    attach(&mut tree, statements);
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
    scope: Scope<'a>,
    bounds: Bounds,
    tree: Tree,
    statements: Vec<Attestation>,
}

impl<C: Host> Walk<'_, C> {
    fn index(&mut self, index: &Index, depth: usize) -> Result<(), Failure> {
        let ahead: Vec<Descriptor> =
            index.manifests.iter().filter(|entry| self.scope.reads(entry)).map(Descriptor::bare).collect();
        prefetch(self.ctx, self.repository, &ahead);
        for entry in &index.manifests {
            match entry.kind() {
                _ if !self.scope.reads(entry) => self.tree.other.push(entry.clone()),
                Kind::Index => self.nested(entry, depth + 1)?,
                _ => {
                    self.bounds.read()?;
                    let image = match Image::fetch(self.ctx, self.repository, entry) {
                        Err(failure) if failure.is_not_found() => {
                            self.tree.missing.push(entry.clone());
                            continue;
                        }
                        image => image?,
                    };
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
        let bytes = match self.ctx.fetch(self.repository, entry) {
            Err(error) if error.is_not_found() => {
                self.tree.missing.push(entry.clone());
                return Ok(());
            }
            bytes => bytes?,
        };
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

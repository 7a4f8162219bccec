//! All platforms that a root has images for.

use std::collections::BTreeSet;

use portolan_oci::{Descriptor, Document, Index, Kind, Platform};

use super::image::Image;
use super::root::{Root, read};
use super::{Bounds, prefetch};
use crate::failure::Failure;
use crate::host::Host;

/// What the images below `root` are for: normalised, each once, in the order of the index. Where an index says it nothing
/// more is read; entries that do not say are asked by their config.
///
/// # Errors
/// What the host answers.
pub fn platforms(ctx: &impl Host, root: &Root) -> Result<Vec<Platform>, Failure> {
    let mut census = Census {
        ctx,
        machine: ctx.platform(),
        repository: &root.repository,
        bounds: Bounds::default(),
        seen: BTreeSet::new(),
        there: Vec::new(),
    };
    match (&root.document, Image::of_root(root)) {
        (Document::Index(index), _) => {
            census.bounds.enter(&root.descriptor, 0)?;
            census.index(index, 0)?;
        }
        (Document::Manifest(_), Some(image)) if image.manifest.is_image() => {
            census.add(&image.config(ctx)?.config.platform);
        }
        (Document::Manifest(_), _) => {}
    }
    Ok(census.there)
}

struct Census<'a, C> {
    ctx: &'a C,
    machine: Platform,
    repository: &'a str,
    bounds: Bounds,
    seen: BTreeSet<Platform>,
    there: Vec<Platform>,
}

impl<C: Host> Census<'_, C> {
    fn index(&mut self, index: &Index, depth: usize) -> Result<(), Failure> {
        let unsaid =
            |entry: &&Descriptor| entry.may_be_image() && (entry.platform.is_none() || entry.kind() == Kind::Index);
        let unsaid: Vec<Descriptor> = index.manifests.iter().filter(unsaid).map(Descriptor::bare).collect();
        prefetch(self.ctx, self.repository, &unsaid);
        for entry in index.manifests.iter().filter(|entry| entry.may_be_image()) {
            match (entry.kind(), &entry.platform) {
                (Kind::Index, _) => self.nested(entry, depth + 1)?,
                (Kind::Manifest, Some(platform)) if platform.is_unknown() => {}
                (Kind::Manifest, Some(platform)) => self.add(platform),
                (Kind::Manifest, None) => self.unsaid(entry)?,
                _ => {}
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

    fn unsaid(&mut self, entry: &Descriptor) -> Result<(), Failure> {
        self.bounds.read()?;
        let image = Image::fetch(self.ctx, self.repository, entry)?;
        if image.manifest.is_image() {
            self.add(&image.config(self.ctx)?.config.platform);
        }
        Ok(())
    }

    fn add(&mut self, platform: &Platform) {
        let platform = platform.normalized(&self.machine);
        if self.seen.insert(platform.clone()) {
            self.there.push(platform);
        }
    }
}

/// The same platforms, what is nearest to `wanted` first: first the operating system, then the architecture (`arm` is
/// nearer to `arm64` than `amd64` is), then the variant counts.
pub(super) fn nearest_first(mut there: Vec<Platform>, wanted: &Platform, ctx: &impl Host) -> Vec<Platform> {
    let wanted = wanted.normalized(&ctx.platform());
    let family = |architecture: &str| architecture.trim_end_matches(|last: char| last.is_ascii_digit()).to_owned();
    let wanted_family = family(&wanted.architecture);
    there.sort_by_key(|platform| {
        let other = platform.architecture != wanted.architecture;
        (
            platform.os != wanted.os,
            other,
            family(&platform.architecture) != wanted_family,
            !other && platform.variant != wanted.variant,
        )
    });
    there
}

//! What there is to see of an image or artifact: gathered once, shown by [`crate::text`] and [`crate::json`].

use portolan_oci::stack::{self, Layer};
use portolan_oci::{Annotations, Descriptor, Digest, Manifest, Mode, Platform, media_type};
use portolan_sdk::traverse::{self, Attestation, Referrer, Root, Tree, Walked};
use portolan_sdk::{Context, Failure};
use std::collections::BTreeSet;

use crate::statements::Wanted;

/// A root and what was chosen below it.
#[derive(Debug)]
pub struct Picture {
    /// The reference as people write it, normalised, with exactly what was asked for.
    pub reference: String,
    /// Index or manifest, with the annotations of the place it was found at (a store's `index.json`).
    pub root: Descriptor,
    /// The root document's own annotations.
    pub annotations: Annotations,
    /// Attestation manifests that speak of the root, where that is an index.
    pub attestations: Vec<Attestation>,
    /// Images, or the artifact that the root is.
    pub images: Vec<Image>,
    /// Entries that are neither images nor attestations of one.
    pub other: Vec<Descriptor>,
    /// Entries whose content is not there.
    pub missing: Vec<Descriptor>,
    /// Who refers to the root and to the images, and who to those; `None` where nobody asked.
    pub referrers: Option<Vec<Referrer>>,
}

/// One platform's image, or an artifact.
#[derive(Debug)]
pub struct Image {
    /// Normalised: the entry's, or its config's; an artifact has none.
    pub platform: Option<Platform>,
    /// The index's entry for it, with its annotations; the root's own descriptor where there is no index.
    pub descriptor: Descriptor,
    /// The manifest.
    pub manifest: Manifest,
    /// The config as stored; nothing where nobody asked or where it is no JSON.
    pub config: Vec<u8>,
    /// From the lowest up.
    pub layers: Vec<Layer>,
    /// Attestation manifests that speak of it.
    pub attestations: Vec<Attestation>,
}

/// How much is read.
#[derive(Clone, Copy, Debug)]
pub struct Depth {
    /// The configs of several images too: who shows them one by one needs none.
    pub configs: bool,
    /// Who refers to what is shown.
    pub referrers: bool,
    /// Statements that lie beside an image rather than in its index, where the index does not have what is wanted.
    pub statements: Wanted,
}

impl Picture {
    /// Reads what is below the root: all of it, or what the platforms choose.
    ///
    /// # Errors
    /// A platform that the image is not there for; a document that cannot be fetched or breaks its specification.
    pub fn read(
        ctx: &impl Context,
        root: &Root,
        platforms: &[Platform],
        mode: Mode,
        depth: Depth,
    ) -> Result<Picture, Failure> {
        let Tree { images, mut other, missing } = match platforms {
            [] => traverse::walk(ctx, root)?,
            some => {
                let chosen = traverse::select_all(ctx, root, some, mode)?;
                Tree { images: traverse::attested(ctx, root, chosen)?, ..Tree::default() }
            }
        };
        let configs = depth.configs || images.len() == 1;
        if configs {
            let ahead: Vec<Descriptor> = images.iter().map(|walked| walked.image.manifest.config.bare()).collect();
            traverse::prefetch(ctx, &root.repository, &ahead);
        }
        let mut images = images.into_iter().map(|walked| image(ctx, walked, configs)).collect::<Result<Vec<_>, _>>()?;
        // A root that is an artifact is what there is to see, not something beside it.
        if let Some(manifest) = root.manifest().filter(|manifest| !manifest.is_image()) {
            other.retain(|entry| entry.digest != root.descriptor.digest);
            images.push(artifact(ctx, root, manifest)?);
        }
        let mut picture = Picture {
            reference: root.name(),
            root: root.descriptor.clone(),
            annotations: root.annotations().clone(),
            attestations: Vec::new(),
            images,
            other,
            missing,
            referrers: None,
        };
        picture.look_beside(ctx, root, mode, depth)?;
        Ok(picture)
    }

    /// Adds what is said of the root and of the images by manifests that no index leads to.
    fn look_beside(&mut self, ctx: &impl Context, root: &Root, mode: Mode, depth: Depth) -> Result<(), Failure> {
        let mut lacking: BTreeSet<Digest> = self.lacking(depth.statements);
        if depth.referrers || !lacking.is_empty() {
            let mut subjects = vec![root.descriptor.digest.clone()];
            subjects.extend(self.images.iter().map(|image| image.descriptor.digest.clone()));
            subjects.dedup();
            let mut referrers = traverse::referrers(ctx, root, &subjects)?;
            for (subject, attestation) in traverse::stated(ctx, &root.repository, &referrers)? {
                if depth.referrers || lacking.contains(&subject) {
                    self.attach(&subject, attestation);
                }
            }
            if depth.referrers {
                let known: Vec<Digest> = referrers.iter().map(|referrer| referrer.descriptor.digest.clone()).collect();
                referrers.extend(traverse::referring(ctx, &root.repository, &known)?);
                self.referrers = Some(referrers);
            }
        }
        lacking = self.lacking(depth.statements);
        let lacking: Vec<Digest> = lacking.into_iter().collect();
        for (subject, attestation) in traverse::tagged(ctx, root, &lacking, mode)? {
            self.attach(&subject, attestation);
        }
        Ok(())
    }

    /// Of what something is wanted that nothing says yet.
    fn lacking(&self, wanted: Wanted) -> BTreeSet<Digest> {
        let lacking: BTreeSet<Digest> = self
            .images
            .iter()
            .filter(|image| wanted.lacks(&image.attestations))
            .map(|image| image.descriptor.digest.clone())
            .collect();
        // Who attests an index speaks of all that is in it.
        match lacking.is_empty() || !wanted.lacks(&self.attestations) {
            true => lacking,
            false => lacking.into_iter().chain([self.root.digest.clone()]).collect(),
        }
    }

    fn attach(&mut self, subject: &Digest, attestation: Attestation) {
        let images = self.images.iter_mut().filter(|image| image.descriptor.digest == *subject);
        let mut places: Vec<&mut Vec<Attestation>> = images.map(|image| &mut image.attestations).collect();
        if places.is_empty() && self.root.digest == *subject {
            places.push(&mut self.attestations);
        }
        for place in places {
            if place.iter().all(|known| known.descriptor.digest != attestation.descriptor.digest) {
                place.push(attestation.clone());
            }
        }
    }
}

impl Image {
    /// Compressed bytes of all layers.
    pub fn size(&self) -> u64 {
        self.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.descriptor.size))
    }

    /// What kind of artifact it is, where it is one: what it says, else its config's type (image-spec, manifest.md).
    pub fn artifact_type(&self) -> Option<&str> {
        match &self.manifest.artifact_type {
            Some(artifact_type) => Some(artifact_type),
            None if self.manifest.is_image() => None,
            None => Some(&self.manifest.config.media_type),
        }
    }
}

fn image(ctx: &impl Context, walked: Walked, with_config: bool) -> Result<Image, Failure> {
    let Walked { image, attestations } = walked;
    let platform = image.platform(ctx)?;
    let (layers, config) = match with_config {
        true => {
            let stored = image.config(ctx)?;
            let layers = stack::layers(&image.manifest, Some(&stored.config))
                .map_err(|malformed| Failure::from(malformed).context(&image.descriptor.digest))?;
            (layers, stored.bytes.clone())
        }
        false => (stack::layers(&image.manifest, None)?, Vec::new()),
    };
    let (descriptor, manifest) = (image.descriptor, image.manifest);
    Ok(Image { platform: Some(platform), descriptor, manifest, config, layers, attestations })
}

fn artifact(ctx: &impl Context, root: &Root, manifest: &Manifest) -> Result<Image, Failure> {
    // An artifact's config is whatever its makers like: only what says that it is JSON is read.
    let config = match manifest.config.media_type.as_str() {
        media_type::OCI_EMPTY => b"{}".to_vec(),
        json if json.ends_with("json") => ctx.fetch(&root.repository, &manifest.config)?,
        _ => Vec::new(),
    };
    Ok(Image {
        platform: None,
        descriptor: root.descriptor.clone(),
        layers: stack::layers(manifest, None)?,
        manifest: manifest.clone(),
        config,
        attestations: Vec::new(),
    })
}

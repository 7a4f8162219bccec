//! What there is to see of an image or artifact: gathered once, shown by [`crate::text`] and [`crate::json`].

use portolan_oci::stack::{self, Layer};
use portolan_oci::{Annotations, Descriptor, Kind, Manifest, Mode, Platform, attestation, media_type};
use portolan_sdk::traverse::{self, Attestation, Referrer, Root, Tree, Walked};
use portolan_sdk::{Context, Failure};

/// A root and what was chosen below it.
#[derive(Debug)]
pub struct Picture {
    /// The reference as people write it, normalised, with exactly what was asked for.
    pub reference: String,
    /// Index or manifest, with the annotations of the place it was found at (a store's `index.json`).
    pub root: Descriptor,
    /// The root document's own annotations.
    pub annotations: Annotations,
    /// Images, or the artifact that the root is.
    pub images: Vec<Image>,
    /// Entries that are neither images nor attestations of one.
    pub other: Vec<Descriptor>,
    /// Entries whose content is not there.
    pub missing: Vec<Descriptor>,
    /// Who refers to the root and to the images; `None` where nobody asked.
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
    /// Attestations that lie beside an image rather than in its index, where the index has none.
    pub statements: bool,
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
        let bare = depth.statements && images.iter().any(|image| image.attestations.is_empty());
        let referrers = match depth.referrers || bare {
            true => Some(referrers(ctx, root, &images)?),
            false => None,
        };
        for referrer in referrers.iter().flatten() {
            attach(ctx, root, &mut images, referrer)?;
        }
        Ok(Picture {
            reference: root.name(),
            root: root.descriptor.clone(),
            annotations: root.annotations().clone(),
            images,
            other,
            missing,
            referrers: referrers.filter(|_| depth.referrers),
        })
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

fn referrers(ctx: &impl Context, root: &Root, images: &[Image]) -> Result<Vec<Referrer>, Failure> {
    let mut subjects = vec![root.descriptor.digest.clone()];
    subjects.extend(images.iter().map(|image| image.descriptor.digest.clone()));
    subjects.dedup();
    traverse::referrers(ctx, root, &subjects)
}

/// An attestation manifest that the registry or the store tells of, and the index did not.
fn attach(ctx: &impl Context, root: &Root, images: &mut [Image], referrer: &Referrer) -> Result<(), Failure> {
    let entry = &referrer.descriptor;
    if entry.artifact_type.as_deref() != Some(attestation::ARTIFACT_TYPE) || entry.kind() != Kind::Manifest {
        return Ok(());
    }
    for image in images.iter_mut().filter(|image| image.descriptor.digest == referrer.subject) {
        if image.attestations.iter().all(|known| known.descriptor.digest != entry.digest) {
            let bytes = ctx.fetch(&root.repository, entry)?;
            let manifest = Manifest::parse(&bytes).map_err(|error| Failure::from(error).context(&entry.digest))?;
            image.attestations.push(Attestation { descriptor: entry.clone(), manifest });
        }
    }
    Ok(())
}

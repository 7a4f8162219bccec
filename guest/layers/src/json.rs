//! Layers for scripts. Fields stay; more may come.

use crate::Image;
use portolan_oci::stack;
use portolan_oci::{Descriptor, Digest, History};
use serde::Serialize;

#[derive(Serialize)]
struct Whole<'a> {
    reference: &'a str,
    images: Vec<OneImage<'a>>,
}

#[derive(Serialize)]
struct OneImage<'a> {
    platform: Option<String>,
    manifest: Descriptor,
    config: Descriptor,
    layers: Vec<OneLayer<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<Step<'a>>>,
}

/// A layer, in the form that `inspect` shows it in too.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneLayer<'a> {
    #[serde(flatten)]
    blob: Descriptor,
    diff_id: Option<&'a Digest>,
    chain_id: Option<&'a Digest>,
}

/// A step as the config has it, with the digest of the layer it left behind.
#[derive(Serialize)]
struct Step<'a> {
    #[serde(flatten)]
    step: &'a History,
    layer: Option<&'a Digest>,
}

/// All images, each with its layers.
pub fn json<'a>(reference: &'a str, images: &'a [Image], history: bool) -> impl Serialize + 'a {
    let images = images.iter().map(|image| OneImage {
        platform: image.platform.as_ref().map(|platform| platform.long()),
        manifest: image.manifest.bare(),
        config: image.config.bare(),
        layers: image
            .layers
            .iter()
            .map(|layer| OneLayer {
                blob: layer.descriptor.bare(),
                diff_id: layer.diff_id.as_ref(),
                chain_id: layer.chain_id.as_ref(),
            })
            .collect(),
        history: history.then(|| steps(image)),
    });
    Whole { reference, images: images.collect() }
}

fn steps(image: &Image) -> Vec<Step<'_>> {
    let told = image.told.iter().flat_map(|config| stack::steps(&image.layers, config));
    told.map(|(step, layer)| Step { step, layer: layer.map(|layer| &layer.descriptor.digest) }).collect()
}

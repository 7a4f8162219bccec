//! The comparison for scripts; the head of this crate has its shape.

use crate::compare::{Compared, Comparison, Named, Same};
use crate::history::History;
use crate::layers::{Layers, same_blob};
use crate::said::Change;
use crate::side::Entry;
use portolan_oci::go::Value;
use portolan_oci::stack::Layer;
use portolan_oci::{Descriptor, Digest, Platform};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    same: Option<&'static str>,
    a: Root<'a>,
    b: Root<'a>,
    index: &'a [Change],
    images: Vec<OneImage<'a>>,
    other: Other,
}

#[derive(Serialize)]
struct Root<'a> {
    reference: &'a str,
    root: Descriptor,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Other {
    only_a: Vec<Descriptor>,
    only_b: Vec<Descriptor>,
}

#[derive(Serialize)]
struct OneImage<'a> {
    platform: Option<String>,
    same: Option<&'static str>,
    a: Option<Of<'a>>,
    b: Option<Of<'a>>,
    entry: &'a [Change],
    changes: &'a [Change],
    layers: Option<AllLayers<'a>>,
    history: Option<Steps<'a>>,
}

/// One side's image.
#[derive(Serialize)]
struct Of<'a> {
    platform: Option<String>,
    manifest: Descriptor,
    config: Option<Descriptor>,
    size: Option<u64>,
    unshared: Option<u64>,
    attestations: Option<Vec<&'a str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AllLayers<'a> {
    base: usize,
    chain_id: Option<&'a Digest>,
    shared: Vec<Shared<'a>>,
    only_a: Vec<OneLayer<'a>>,
    only_b: Vec<OneLayer<'a>>,
}

#[derive(Serialize)]
struct Shared<'a> {
    by: &'static str,
    a: Option<OneLayer<'a>>,
    b: Option<OneLayer<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneLayer<'a> {
    position: usize,
    #[serde(flatten)]
    blob: Descriptor,
    diff_id: Option<&'a Digest>,
    chain_id: Option<&'a Digest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Steps<'a> {
    shared: usize,
    retimed: Vec<Retimed<'a>>,
    reordered: bool,
    only_a: Vec<Step<'a>>,
    only_b: Vec<Step<'a>>,
}

#[derive(Serialize)]
struct Retimed<'a> {
    a: Option<Step<'a>>,
    b: Option<Step<'a>>,
}

#[derive(Serialize)]
struct Step<'a> {
    position: usize,
    step: &'a Value<'static>,
}

/// The whole comparison.
pub fn json(comparison: &Comparison) -> impl Serialize + '_ {
    let root = |named: &Named| named.root.bare();
    let bare = |entries: &[Descriptor]| entries.iter().map(Descriptor::bare).collect();
    Whole {
        same: comparison.same.map(|same| word(same, "root")),
        a: Root { reference: &comparison.a.reference, root: root(&comparison.a) },
        b: Root { reference: &comparison.b.reference, root: root(&comparison.b) },
        index: &comparison.index,
        images: comparison.images.iter().map(image).collect(),
        other: Other { only_a: bare(&comparison.only_a), only_b: bare(&comparison.only_b) },
    }
}

fn word(same: Same, document: &'static str) -> &'static str {
    match same {
        Same::Document => document,
        Same::Images => "images",
        Same::Content => "content",
    }
}

fn image(image: &Compared) -> OneImage<'_> {
    let platform = |entry: &Entry| entry.platform.as_ref().map(Platform::long);
    let unshared = image.layers.as_ref().map(Layers::unshared);
    let of = |entry: &'_ Option<Entry>| entry.as_ref().and_then(platform);
    OneImage {
        platform: of(&image.a).or_else(|| of(&image.b)),
        same: image.same.map(|same| word(same, "manifest")),
        a: image.a.as_ref().map(|entry| side(entry, image, unshared.map(|(of_a, _)| of_a))),
        b: image.b.as_ref().map(|entry| side(entry, image, unshared.map(|(_, of_b)| of_b))),
        entry: &image.entry,
        changes: &image.changes,
        layers: image.layers.as_ref().map(all_layers),
        history: image.history.as_ref().map(steps),
    }
}

/// `unshared` is of layers that were compared: else all is shared, or nothing.
fn side<'a>(entry: &'a Entry, image: &Compared, unshared: Option<u64>) -> Of<'a> {
    let manifest = entry.manifest();
    let size = manifest.map(|manifest| manifest.layers.iter().fold(0_u64, |sum, layer| sum.saturating_add(layer.size)));
    let unshared = match image.a.is_some() && image.b.is_some() {
        true => unshared.or(Some(0)),
        false => size,
    };
    Of {
        platform: entry.platform.as_ref().map(Platform::long),
        manifest: entry.descriptor.bare(),
        config: manifest.map(|manifest| manifest.config.bare()),
        size,
        unshared: size.and(unshared),
        attestations: entry.predicates(),
    }
}

fn all_layers(all: &Layers) -> AllLayers<'_> {
    AllLayers {
        base: all.base,
        chain_id: all.chain_id(),
        shared: (all.pairs.both.iter())
            .map(|pair| Shared {
                by: if same_blob(pair) { "digest" } else { "diff-id" },
                a: layer(&all.a, pair.a),
                b: layer(&all.b, pair.b),
            })
            .collect(),
        only_a: all.pairs.only_a.iter().filter_map(|&position| layer(&all.a, position)).collect(),
        only_b: all.pairs.only_b.iter().filter_map(|&position| layer(&all.b, position)).collect(),
    }
}

fn layer(layers: &[Layer], position: usize) -> Option<OneLayer<'_>> {
    let Layer { descriptor, diff_id, chain_id } = layers.get(position)?;
    Some(OneLayer { position, blob: descriptor.bare(), diff_id: diff_id.as_ref(), chain_id: chain_id.as_ref() })
}

fn step<'a>(steps: &'a [Value<'static>], position: usize) -> Option<Step<'a>> {
    Some(Step { position, step: steps.get(position)? })
}

fn steps(history: &History) -> Steps<'_> {
    Steps {
        shared: history.shared(),
        retimed: history
            .retimed()
            .map(|pair| Retimed { a: step(&history.a, pair.a), b: step(&history.b, pair.b) })
            .collect(),
        reordered: !history.pairs.in_order(),
        only_a: history.pairs.only_a.iter().filter_map(|&position| step(&history.a, position)).collect(),
        only_b: history.pairs.only_b.iter().filter_map(|&position| step(&history.b, position)).collect(),
    }
}

//! Layers compared: by the chain, by digest, and by content where only the compression differs.

use crate::pairs::{Pair, Pairs};
use portolan_oci::Digest;
use portolan_oci::stack::Layer;

/// The key of a pair whose blobs are the same.
const DIGEST: usize = 0;

/// The layers of two images, matched.
#[derive(Debug)]
pub struct Layers {
    /// The one's, lowest first.
    pub a: Vec<Layer>,
    /// The other's.
    pub b: Vec<Layer>,
    /// How many of the lowest are the same, each on the same.
    pub base: usize,
    /// Which is which: the same blob, or the same content.
    pub pairs: Pairs,
}

impl Layers {
    /// Matches them.
    pub fn compare(a: Vec<Layer>, b: Vec<Layer>) -> Layers {
        let artifact = a.iter().chain(&b).any(|layer| layer.chain_id.is_none());
        let name = |layer: &Layer| match artifact {
            true => Some(layer.descriptor.digest.clone()),
            false => layer.chain_id.clone(),
        };
        let base = a.iter().zip(&b).take_while(|(a, b)| name(a) == name(b)).count();
        let pairs = Pairs::of(
            &a,
            &b,
            &[&|layer: &Layer| Some(layer.descriptor.digest.clone()), &|layer| layer.diff_id.clone()],
        );
        Layers { a, b, base, pairs }
    }

    /// Whether all content is the same, in the same order.
    pub fn same(&self) -> bool {
        self.base == self.a.len() && self.base == self.b.len()
    }

    /// The chain-id of what is the same from the lowest up, where images are compared and something is.
    pub fn chain_id(&self) -> Option<&Digest> {
        self.a.get(self.base.checked_sub(1)?)?.chain_id.as_ref()
    }

    /// The pairs that are the same content in another blob.
    pub fn recompressed(&self) -> usize {
        self.pairs.both.iter().filter(|pair| !same_blob(pair)).count()
    }

    /// The layers of a pair.
    pub fn pair(&self, pair: &Pair) -> Option<(&Layer, &Layer)> {
        Some((self.a.get(pair.a)?, self.b.get(pair.b)?))
    }

    /// Bytes of the one's layers whose blobs the other does not have, and the other way round.
    pub fn unshared(&self) -> (u64, u64) {
        let shared = self.pairs.both.iter().filter(|pair| same_blob(pair)).filter_map(|pair| self.pair(pair));
        let (of_a, of_b) = shared.fold((0_u64, 0_u64), |(of_a, of_b), (a, b)| {
            (of_a.saturating_add(a.descriptor.size), of_b.saturating_add(b.descriptor.size))
        });
        (size(&self.a).saturating_sub(of_a), size(&self.b).saturating_sub(of_b))
    }
}

/// Whether a pair is one blob, and not only one content.
pub fn same_blob(pair: &Pair) -> bool {
    pair.by == DIGEST
}

/// Bytes of all layers as they are stored.
pub fn size(layers: &[Layer]) -> u64 {
    layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.descriptor.size))
}

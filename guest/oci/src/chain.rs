//! Chain-ids: names for the content of a layer and of all layers below it (image-spec, config.md, "Layer ChainID").
//!
//! A layer's digest changes with the compressor and its diff-id says nothing of what it lies on; the chain-id is the one to
//! key a cache by.

use crate::digest::{Algorithm, Digest, Hasher};

/// The chain-id of each layer, from the diff-ids, lowest first.
pub fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let id = match chain.last() {
            None => diff_id.clone(),
            Some(below) => {
                let mut hasher = Hasher::new(Algorithm::Sha256);
                hasher.update(below.as_str().as_bytes());
                hasher.update(b" ");
                hasher.update(diff_id.as_str().as_bytes());
                hasher.finish()
            }
        };
        chain.push(id);
    }
    chain
}

//! The layers of an image, as its manifest and its config tell of them together.
//!
//! The manifest knows the compressed blobs, the config their content; which belongs to which is told by the order alone
//! (image-spec, config.md: `rootfs.diff_ids`). So their numbers must agree.

use crate::chain::chain_ids;
use crate::digest::Digest;
use crate::document::{Config, Descriptor, Malformed, Manifest};

/// A layer: the blob, and what it is once it is unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The blob, usually compressed: its digest changes with the compressor.
    pub descriptor: Descriptor,
    /// The digest of the content; an artifact's layers have none.
    pub diff_id: Option<Digest>,
    /// The identity of the content and all below it; an artifact's layers have none.
    pub chain_id: Option<Digest>,
}

/// The layers, lowest first. `config` is the image's, and absent for an artifact.
///
/// # Errors
/// A config whose number of diff-ids is not the manifest's number of layers.
pub fn layers(manifest: &Manifest, config: Option<&Config>) -> Result<Vec<Layer>, Malformed> {
    let blobs = manifest.layers.iter().cloned();
    let Some(config) = config else {
        return Ok(blobs.map(|descriptor| Layer { descriptor, diff_id: None, chain_id: None }).collect());
    };
    let diff_ids = &config.diff_ids;
    if diff_ids.len() != manifest.layers.len() {
        return Err(Malformed::new(format!(
            "the manifest has {} layers, its config {} has {} diff-ids",
            manifest.layers.len(),
            manifest.config.digest,
            diff_ids.len(),
        )));
    }
    let contents = diff_ids.iter().cloned().zip(chain_ids(diff_ids));
    Ok(blobs
        .zip(contents)
        .map(|(descriptor, (diff_id, chain_id))| Layer { descriptor, diff_id: Some(diff_id), chain_id: Some(chain_id) })
        .collect())
}

/// The steps of an image's making with the layer each left behind, lowest first. A config need not tell of all its layers
/// (buildpacks and `docker commit` leave some out): then no step can be matched with one.
pub fn steps<'a>(layers: &'a [Layer], config: &'a Config) -> Vec<(&'a crate::document::History, Option<&'a Layer>)> {
    let told = config.history.iter().filter(|step| !step.empty_layer).count() == layers.len();
    let mut layers = layers.iter();
    config.history.iter().map(|step| (step, if told && !step.empty_layer { layers.next() } else { None })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn manifest(layers: &[&str]) -> Manifest {
        let layers: Vec<String> = layers
            .iter()
            .map(|digest| {
                format!(r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{digest}","size":3}}"#)
            })
            .collect();
        let config = format!(r#"{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{A}","size":2}}"#);
        Manifest::parse(format!(r#"{{"config":{config},"layers":[{}]}}"#, layers.join(",")).as_bytes()).unwrap()
    }

    fn config(diff_ids: &[&str], empty: &[bool]) -> Config {
        let history: Vec<String> = empty.iter().map(|empty| format!(r#"{{"empty_layer":{empty}}}"#)).collect();
        let json = format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"diff_ids":{diff_ids:?}}},"history":[{}]}}"#,
            history.join(",")
        );
        Config::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn layers_and_diff_ids_must_agree_in_number() {
        for (layers_of, diff_ids, wanted) in [
            (&[][..], &[][..], Ok(0)),
            (&[A], &[B], Ok(1)),
            (&[A, A], &[B, A], Ok(2)),
            (&[A], &[], Err(format!("the manifest has 1 layers, its config {A} has 0 diff-ids"))),
            (&[], &[B], Err(format!("the manifest has 0 layers, its config {A} has 1 diff-ids"))),
        ] {
            let found = layers(&manifest(layers_of), Some(&config(diff_ids, &[])));
            assert_eq!(found.map(|layers| layers.len()).map_err(|error| error.to_string()), wanted);
        }
        let artifact = layers(&manifest(&[A, B]), None).unwrap();
        assert!(artifact.iter().all(|layer| layer.diff_id.is_none() && layer.chain_id.is_none()));
    }

    #[test]
    fn steps_meet_their_layers_where_all_are_told() {
        for (empty, wanted) in [
            (&[false, true, false][..], &[Some(A), None, Some(B)][..]),
            (&[false, false], &[Some(A), Some(B)]),
            (&[false], &[None]),
            (&[false, false, false], &[None, None, None]),
            (&[true, true], &[None, None]),
            (&[], &[]),
        ] {
            let config = config(&[B, A], empty);
            let layers = layers(&manifest(&[A, B]), Some(&config)).unwrap();
            let found: Vec<Option<&str>> = steps(&layers, &config)
                .into_iter()
                .map(|(_, layer)| layer.map(|layer| layer.descriptor.digest.as_str()))
                .collect();
            assert_eq!(found, wanted, "{empty:?}");
        }
    }
}

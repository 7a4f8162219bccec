//! The picture for scripts. Fields stay; more may come.

use crate::picture::{Image, Picture};
use portolan_oci::go;
use portolan_oci::stack::Layer;
use portolan_oci::{Annotations, Descriptor, Digest};
use portolan_sdk::{Failure, traverse};
use serde::Serialize;

/// A descriptor cut to what names its content: `{"mediaType","digest","size"}`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    media_type: &'a str,
    digest: &'a Digest,
    size: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    reference: &'a str,
    root: Content<'a>,
    annotations: &'a Annotations,
    /// What the store's `index.json` says of the root.
    descriptor_annotations: &'a Annotations,
    /// Of the root itself, where that is an index.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attestations: Vec<Attestation<'a>>,
    images: Vec<OneImage<'a>>,
    other: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referrers: Option<Vec<Referrer<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneImage<'a> {
    platform: Option<String>,
    descriptor: Content<'a>,
    artifact_type: Option<&'a str>,
    annotations: &'a Annotations,
    descriptor_annotations: &'a Annotations,
    config: Option<go::Value<'a>>,
    layers: Vec<OneLayer<'a>>,
    size: u64,
    subject: Option<Content<'a>>,
    attestations: Vec<Attestation<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneLayer<'a> {
    #[serde(flatten)]
    content: Content<'a>,
    diff_id: Option<&'a Digest>,
    chain_id: Option<&'a Digest>,
}

#[derive(Serialize)]
struct Attestation<'a> {
    descriptor: Content<'a>,
    predicates: Vec<Predicate<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Predicate<'a> {
    predicate_type: &'a str,
    descriptor: Content<'a>,
}

/// An entry that is no image.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    descriptor: Content<'a>,
    artifact_type: Option<&'a str>,
    platform: Option<String>,
    annotations: &'a Annotations,
}

#[derive(Serialize)]
struct Referrer<'a> {
    /// The digest that it refers to.
    subject: &'a Digest,
    #[serde(flatten)]
    entry: Entry<'a>,
}

impl<'a> From<&'a Descriptor> for Content<'a> {
    fn from(descriptor: &'a Descriptor) -> Self {
        Content { media_type: &descriptor.media_type, digest: &descriptor.digest, size: descriptor.size }
    }
}

impl<'a> From<&'a Descriptor> for Entry<'a> {
    fn from(descriptor: &'a Descriptor) -> Self {
        Entry {
            descriptor: descriptor.into(),
            artifact_type: descriptor.artifact_type.as_deref(),
            platform: descriptor.platform.as_ref().map(|platform| platform.long()),
            annotations: &descriptor.annotations,
        }
    }
}

impl<'a> From<&'a traverse::Attestation> for Attestation<'a> {
    fn from(attestation: &'a traverse::Attestation) -> Self {
        let predicate = |said: traverse::Predicate<'a>| Predicate {
            predicate_type: said.predicate_type,
            descriptor: said.descriptor.into(),
        };
        Attestation {
            descriptor: (&attestation.descriptor).into(),
            predicates: attestation.predicates().map(predicate).collect(),
        }
    }
}

impl<'a> From<&'a Layer> for OneLayer<'a> {
    fn from(layer: &'a Layer) -> Self {
        OneLayer {
            content: (&layer.descriptor).into(),
            diff_id: layer.diff_id.as_ref(),
            chain_id: layer.chain_id.as_ref(),
        }
    }
}

/// The whole picture.
///
/// # Errors
/// A config that is no JSON although its media type says so.
pub fn json(picture: &Picture) -> Result<impl Serialize, Failure> {
    Ok(Whole {
        reference: &picture.reference,
        root: (&picture.root).into(),
        annotations: &picture.annotations,
        descriptor_annotations: &picture.root.annotations,
        attestations: picture.attestations.iter().map(Attestation::from).collect(),
        images: picture.images.iter().map(image).collect::<Result<_, _>>()?,
        other: picture.other.iter().map(Entry::from).collect(),
        missing: picture.missing.iter().map(Entry::from).collect(),
        referrers: picture.referrers.as_ref().map(|referrers| {
            let each = referrers.iter();
            each.map(|one| Referrer { subject: &one.subject, entry: (&one.descriptor).into() }).collect()
        }),
    })
}

fn image(image: &Image) -> Result<OneImage<'_>, Failure> {
    let config = match image.config.as_slice() {
        [] => None,
        bytes => Some(go::read(bytes).map_err(|error| {
            Failure::malformed(format!("the config {} is no JSON: {error}", image.manifest.config.digest))
        })?),
    };
    Ok(OneImage {
        platform: image.platform.as_ref().map(|platform| platform.long()),
        descriptor: (&image.descriptor).into(),
        artifact_type: image.artifact_type(),
        annotations: &image.manifest.annotations,
        descriptor_annotations: &image.descriptor.annotations,
        config,
        layers: image.layers.iter().map(OneLayer::from).collect(),
        size: image.size(),
        subject: image.manifest.subject.as_ref().map(Content::from),
        attestations: image.attestations.iter().map(Attestation::from).collect(),
    })
}

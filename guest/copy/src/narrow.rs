//! What `--platform` leaves of an index (oci-semantics, "`imagetools create`": one index source): the entries for exactly
//! the wanted platforms, attestations of what stays, and entries that are for no platform in particular, in the order of
//! the index, under its own annotations, artifact type and subject.

use std::collections::BTreeSet;

use portolan_sdk::oci::{Descriptor, Digest, Document, Index, Manifest, Mode, Platform, go};
use portolan_sdk::traverse::{self, Root};
use portolan_sdk::{Context, Failure};
use serde::Serialize;

/// An index with fewer entries.
pub(crate) struct Narrowed {
    pub(crate) descriptor: Descriptor,
    pub(crate) bytes: Vec<u8>,
    pub(crate) index: Index,
}

/// Keeps of `root` what is for one of `platforms`. `None` where nothing is dropped, so that the root is copied as it is.
pub(crate) fn narrow(ctx: &impl Context, root: &Root, platforms: &[Platform]) -> Result<Option<Narrowed>, Failure> {
    let Document::Index(index) = &root.document else {
        for platform in platforms {
            traverse::select(ctx, root, platform, Mode::Exact)?;
        }
        return Ok(None);
    };
    if platforms.is_empty() {
        return Ok(None);
    }
    let mut kept: BTreeSet<usize> = index
        .manifests
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.platform.is_none() && !entry.is_attestation())
        .map(|(position, _)| position)
        .collect();
    for platform in platforms {
        let wanted = positions(ctx, root, index, platform)?;
        if wanted.is_empty() {
            // It may lie behind an entry without a platform, which stays; if not, this says what there is.
            traverse::select(ctx, root, platform, Mode::Exact)?;
        }
        kept.extend(wanted);
    }
    let subjects: BTreeSet<Digest> =
        kept.iter().filter_map(|&position| index.manifests.get(position)).map(|entry| entry.digest.clone()).collect();
    for (position, entry) in index.manifests.iter().enumerate() {
        if entry.is_attestation() && speaks_of(ctx, root, entry, &subjects)? {
            kept.insert(position);
        }
    }
    if kept.len() == index.manifests.len() {
        return Ok(None);
    }
    let manifests = kept.iter().filter_map(|&position| index.manifests.get(position)).cloned().collect();
    print(root, Index { manifests, ..index.clone() }).map(Some)
}

/// Positions of the entries that are for exactly this platform.
fn positions(ctx: &impl Context, root: &Root, index: &Index, platform: &Platform) -> Result<Vec<usize>, Failure> {
    let mut wanted = Vec::new();
    for position in ctx.select(&root.bytes, &platform.long(), Mode::Exact)? {
        let position = position as usize;
        let Some(entry) = index.manifests.get(position) else {
            let there = index.manifests.len();
            return Err(Failure::new(format!("the strategy chose entry {position} of an index that has {there}")));
        };
        if entry.platform.is_some() {
            wanted.push(position);
        }
    }
    Ok(wanted)
}

/// Whether an attestation is about one of these. Its entry says so, or else the manifest itself.
fn speaks_of(
    ctx: &impl Context,
    root: &Root,
    attestation: &Descriptor,
    subjects: &BTreeSet<Digest>,
) -> Result<bool, Failure> {
    let among = |subject: &str| subjects.iter().any(|digest| digest.as_str() == subject);
    if let Some(subject) = attestation.attestation_subject() {
        return Ok(among(subject));
    }
    let bytes = match ctx.fetch(&root.repository, attestation) {
        Ok(bytes) => bytes,
        // Of a store that holds one platform only. What is not there is not kept.
        Err(error) if error.is_not_found() => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let manifest = Manifest::parse(&bytes).map_err(|malformed| {
        Failure::from(malformed).context(format_args!("the attestation {}", attestation.digest))
    })?;
    Ok(manifest.subject.is_some_and(|subject| among(subject.digest.as_str())))
}

fn print(root: &Root, index: Index) -> Result<Narrowed, Failure> {
    /// Go's `v1.Index`.
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Printed<'a> {
        schema_version: u8,
        media_type: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        artifact_type: Option<&'a str>,
        manifests: &'a [Descriptor],
        #[serde(skip_serializing_if = "Option::is_none")]
        subject: Option<&'a Descriptor>,
        #[serde(skip_serializing_if = "portolan_sdk::oci::Annotations::is_empty")]
        annotations: &'a portolan_sdk::oci::Annotations,
    }
    let media_type = root.descriptor.media_type.clone();
    let printed = Printed {
        schema_version: 2,
        media_type: &media_type,
        artifact_type: index.artifact_type.as_deref(),
        manifests: &index.manifests,
        subject: index.subject.as_ref(),
        annotations: &index.annotations,
    };
    let text = go::text(&printed, &go::WHOLE_INDEX)
        .map_err(|error| Failure::new(format!("cannot print the new index: {error}")))?;
    let bytes = text.into_bytes();
    Ok(Narrowed { descriptor: Descriptor::of(media_type, &bytes), bytes, index })
}

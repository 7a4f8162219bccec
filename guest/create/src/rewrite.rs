//! Manifests that are made anew: annotated, or of OCI's types instead of Docker's. All else in them stays as it is stored,
//! unknown fields too; their digests change, and whoever reads the answer is told.

use std::borrow::Cow;
use std::collections::BTreeMap;

use portolan_sdk::oci::go::{self, Value};
use portolan_sdk::oci::{Descriptor, Digest, Kind, attestation, media_type};
use portolan_sdk::{Context, Failure, traverse};

use crate::annotation::{Annotation, Place};
use crate::combine::Entry;
use crate::source::Source;

const ANNOTATIONS: &str = "annotations";
const MEDIA_TYPE: &str = "mediaType";

/// Docker's types and OCI's for the same bytes.
const SAME: [(&str, &str); 6] = [
    (media_type::DOCKER_MANIFEST, media_type::OCI_MANIFEST),
    (media_type::DOCKER_CONFIG, media_type::OCI_CONFIG),
    ("application/vnd.docker.image.rootfs.diff.tar", "application/vnd.oci.image.layer.v1.tar"),
    ("application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.oci.image.layer.v1.tar+gzip"),
    ("application/vnd.docker.image.rootfs.diff.tar.zstd", "application/vnd.oci.image.layer.v1.tar+zstd"),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ),
];

/// A manifest that was made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rewritten {
    /// What is stored.
    pub old: Descriptor,
    /// What takes its place.
    pub new: Descriptor,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The position of the source that has what it leads to.
    pub from: usize,
}

/// Which of Docker's manifests become OCI's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Oci {
    /// None.
    Never,
    /// Those that are annotated.
    Annotated,
    /// All.
    Always,
}

/// Makes manifests anew that are to be annotated or to become OCI's. Their entries, and what other entries say of them,
/// follow the new digests.
///
/// # Errors
/// What the host answers; a Docker manifest, which has no place for annotations, unless it may become OCI's.
pub(crate) fn rewrite(
    ctx: &impl Context,
    sources: &[Source],
    entries: &mut [Entry],
    annotations: &[Annotation],
    oci: Oci,
) -> Result<Vec<Rewritten>, Failure> {
    let mut wanted: Vec<(&mut Entry, Vec<&Annotation>)> = Vec::new();
    for entry in entries.iter_mut() {
        if entry.descriptor.kind() != Kind::Manifest || entry.descriptor.is_attestation() {
            continue;
        }
        let meant = |it: &&Annotation| it.place == Place::Manifest && it.is_for(&entry.descriptor);
        let annotations: Vec<&Annotation> = annotations.iter().filter(meant).collect();
        if !annotations.is_empty() && entry.is_docker() && oci == Oci::Never {
            let message = format!("{} is a Docker manifest, which has no annotations", entry.descriptor.digest);
            return Err(Failure::new(message).hint("--oci makes it one of OCI's, or annotate manifest-descriptor"));
        }
        if !annotations.is_empty() || (entry.is_docker() && oci == Oci::Always) {
            wanted.push((entry, annotations));
        }
    }
    ahead(ctx, sources, wanted.iter().map(|(entry, _)| &**entry));
    let mut rewritten = Vec::new();
    for (entry, annotations) in wanted {
        let (Some(source), Some(&from)) = (entry.source(sources), entry.from.first()) else { continue };
        let stored = ctx.fetch(&source.root.repository, &entry.descriptor)?;
        let Some(bytes) = anew(&stored, &annotations, oci != Oci::Never)? else { continue };
        let media_type = match oci {
            Oci::Never => entry.descriptor.media_type.as_str(),
            Oci::Annotated | Oci::Always => oci_type(&entry.descriptor.media_type),
        };
        let (old, new) = (entry.descriptor.bare(), Descriptor::of(media_type, &bytes));
        // Where else the old bytes are, and the bytes themselves, are not said of the new ones.
        entry.descriptor = Descriptor {
            platform: entry.descriptor.platform.take(),
            annotations: std::mem::take(&mut entry.descriptor.annotations),
            artifact_type: entry.descriptor.artifact_type.take(),
            ..new.clone()
        };
        rewritten.push(Rewritten { old, new, bytes, from });
    }
    follow(entries, &rewritten);
    Ok(rewritten)
}

fn ahead<'a>(ctx: &impl Context, sources: &[Source], entries: impl Iterator<Item = &'a Entry>) {
    let mut by_repository: BTreeMap<&str, Vec<Descriptor>> = BTreeMap::new();
    for entry in entries {
        if let Some(source) = entry.source(sources) {
            by_repository.entry(&source.root.repository).or_default().push(entry.descriptor.bare());
        }
    }
    for (repository, descriptors) in by_repository {
        traverse::prefetch(ctx, repository, &descriptors);
    }
}

/// A statement's entry names the image's digest, which is another one now.
fn follow(entries: &mut [Entry], rewritten: &[Rewritten]) {
    let new: BTreeMap<&str, &Digest> = rewritten.iter().map(|it| (it.old.digest.as_str(), &it.new.digest)).collect();
    for entry in entries {
        for key in [attestation::REFERENCE_DIGEST, attestation::REFERENCE_DIGEST_OLD] {
            if let Some(told) = entry.descriptor.annotations.get_mut(key)
                && let Some(new) = new.get(told.as_str())
            {
                *told = new.to_string();
            }
        }
    }
}

/// The type that OCI has for the same bytes.
pub(crate) fn oci_type(media_type: &str) -> &str {
    SAME.iter().find(|(docker, _)| *docker == media_type).map_or(media_type, |(_, oci)| oci)
}

/// The manifest with annotations, and of OCI's types if that is asked for; `None` where nothing changes.
fn anew(stored: &[u8], annotations: &[&Annotation], oci: bool) -> Result<Option<Vec<u8>>, Failure> {
    let malformed = |error: go::Malformed| Failure::malformed(format!("a manifest that is to be annotated: {error}"));
    let Value::Map(mut members) = go::read(stored).map_err(malformed)? else {
        return Err(Failure::malformed("a manifest that is to be annotated is no object"));
    };
    let mut changed = false;
    if oci {
        for (key, value) in &mut members {
            changed |= match (key.as_ref(), value) {
                (MEDIA_TYPE, value) => converted(value),
                ("config", config) => typed(config),
                ("layers", Value::List(layers)) => layers.iter_mut().fold(false, |changed, it| typed(it) | changed),
                _ => false,
            };
        }
    }
    let at = members.iter().position(|(key, _)| key == ANNOTATIONS);
    let mut map: BTreeMap<Cow<'_, str>, Value<'_>> = match at.and_then(|at| members.get(at)) {
        Some((_, Value::Map(map))) => map.iter().cloned().collect(),
        _ => BTreeMap::new(),
    };
    let before = map.clone();
    for annotation in annotations {
        map.insert(Cow::Borrowed(&annotation.key), Value::Text(Cow::Borrowed(&annotation.value)));
    }
    if !changed && map == before {
        return Ok(None);
    }
    if !map.is_empty() {
        let map = Value::Map(map.into_iter().collect());
        match at.and_then(|at| members.get_mut(at)) {
            Some((_, annotations)) => *annotations = map,
            None => members.push((Cow::Borrowed(ANNOTATIONS), map)),
        }
    }
    Ok(Some(go::print(&Value::Map(members)).into_bytes()))
}

/// A descriptor's type.
fn typed(descriptor: &mut Value<'_>) -> bool {
    let Value::Map(members) = descriptor else { return false };
    members.iter_mut().fold(false, |changed, (key, value)| (key == MEDIA_TYPE && converted(value)) | changed)
}

fn converted(media_type: &mut Value<'_>) -> bool {
    let Value::Text(text) = media_type else { return false };
    let oci = oci_type(text).to_owned();
    let changed = oci != *text;
    *text = Cow::Owned(oci);
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_sdk::oci::Platform;

    fn rewritten(stored: &str, annotations: &[&str], oci: bool) -> Option<String> {
        let machine = Platform::default();
        let annotations: Vec<Annotation> =
            annotations.iter().flat_map(|text| Annotation::parse(text, &machine).unwrap()).collect();
        let annotations: Vec<&Annotation> = annotations.iter().collect();
        let bytes = anew(stored.as_bytes(), &annotations, oci).unwrap()?;
        // One line is easier to compare.
        Some(String::from_utf8(bytes).unwrap().lines().map(str::trim_start).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_is_annotated_stays_as_it_is_otherwise() {
        for (stored, annotations, expected) in [
            (
                r#"{"size":1.50,"x":{"b":1,"a":2}}"#,
                &["k=v"][..],
                Some(r#"{ "size": 1.50, "x": { "b": 1, "a": 2 }, "annotations": { "k": "v" } }"#),
            ),
            (r#"{"annotations":null,"z":1}"#, &["k=v"][..], Some(r#"{ "annotations": { "k": "v" }, "z": 1 }"#)),
            (
                r#"{"annotations":{"b":"1","a":"2"}}"#,
                &["k=<", "b=3"][..],
                Some(r#"{ "annotations": { "a": "2", "b": "3", "k": "\u003c" } }"#),
            ),
            (r#"{"annotations":{"k":"v"}}"#, &["k=v"][..], None),
            (r#"{"annotations":{"k":"v"}}"#, &["k=w", "k=v"][..], None),
            (r#"{}"#, &[][..], None),
        ] {
            assert_eq!(rewritten(stored, annotations, false).as_deref(), expected, "{stored}");
        }
    }

    #[test]
    fn dockers_types_become_ocis() {
        let docker = format!(
            r#"{{"mediaType":"{}","config":{{"mediaType":"{}","size":1}},"layers":[{{"mediaType":"{}"}},{{"mediaType":"a/b"}}]}}"#,
            media_type::DOCKER_MANIFEST,
            media_type::DOCKER_CONFIG,
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        );
        let oci = format!(
            r#"{{ "mediaType": "{}", "config": {{ "mediaType": "{}", "size": 1 }}, "layers": [ {{ "mediaType": "{}" }}, {{ "mediaType": "a/b" }} ] }}"#,
            media_type::OCI_MANIFEST,
            media_type::OCI_CONFIG,
            "application/vnd.oci.image.layer.v1.tar+gzip",
        );
        assert_eq!(rewritten(&docker, &[], true), Some(oci.clone()));
        assert_eq!(rewritten(&oci, &[], true), None);
    }
}

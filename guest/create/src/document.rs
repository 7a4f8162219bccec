//! The document that comes out: an index that is printed anew, or a document that is kept to the byte.

use portolan_sdk::oci::{Annotations, Descriptor, Index, go, media_type};
use portolan_sdk::traverse::Root;
use portolan_sdk::{Context, Failure, Level};
use serde::Serialize;

use crate::annotation::Place;
use crate::asked::Asked;
use crate::combine::{self, Entry};
use crate::filter::{self, Filtered, Statements};
use crate::rewrite::{self, Oci, Rewritten};
use crate::source::Source;

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// Of the document. Where a source is kept, all that its descriptor said.
    pub root: Descriptor,
    /// The document.
    pub bytes: Vec<u8>,
    /// What the document leads to; where a manifest is kept, that manifest alone.
    pub entries: Vec<Entry>,
    /// The manifests that were made anew.
    pub rewritten: Vec<Rewritten>,
    /// The position of the source that is kept to the byte.
    pub kept: Option<usize>,
}

/// The fields of Go's struct, in its order. Empty ones are left out when it is printed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Printed<'a> {
    schema_version: u32,
    media_type: Option<&'a str>,
    artifact_type: Option<&'a str>,
    manifests: Vec<&'a Descriptor>,
    subject: Option<&'a Descriptor>,
    annotations: &'a Annotations,
}

/// Makes the document.
///
/// # Errors
/// What the host answers; nothing that is for the platforms asked for; annotations where there is no place for them.
pub(crate) fn make(ctx: &impl Context, asked: &Asked, sources: &[Source]) -> Result<Made, Failure> {
    let manifests_only = asked.annotations.iter().all(|annotation| annotation.place == Place::Manifest);
    match sources {
        [source] => match source.index() {
            Some(index) if asked.annotations.is_empty() => one_index(ctx, asked, source, index),
            None if !asked.prefer_index && manifests_only => one_manifest(ctx, asked, source),
            _ => many(ctx, asked, sources),
        },
        _ => many(ctx, asked, sources),
    }
}

/// A manifest without an index around it.
fn one_manifest(ctx: &impl Context, asked: &Asked, source: &Source) -> Result<Made, Failure> {
    let mut entries = filter::staying(ctx, combine::alone(source), &Statements::default(), &asked.platforms)?;
    let oci = if asked.oci { Oci::Always } else { Oci::Never };
    let sources = std::slice::from_ref(source);
    let rewritten = rewrite::rewrite(ctx, sources, &mut entries, &asked.annotations, oci)?;
    Ok(match rewritten.first() {
        Some(anew) => Made { root: anew.new.clone(), bytes: anew.bytes.clone(), entries, rewritten, kept: None },
        None => kept(source, entries),
    })
}

/// An index of which at most some entries are taken out or put in: all else in it stays.
fn one_index(ctx: &impl Context, asked: &Asked, source: &Source, index: &Index) -> Result<Made, Failure> {
    let sources = std::slice::from_ref(source);
    let Filtered { mut entries, added } = filter::filter(ctx, sources, combine::alone(source), &asked.platforms)?;
    let docker = source.root.descriptor.media_type == media_type::DOCKER_LIST;
    let converts = docker && (asked.oci || !added.iter().all(Entry::is_docker));
    if entries.len() == index.manifests.len() && added.is_empty() && !converts {
        return Ok(kept(source, entries));
    }
    entries.extend(added);
    let (media_type, written) = match converts {
        true => (media_type::OCI_INDEX, Some(media_type::OCI_INDEX)),
        false => (source.root.descriptor.media_type.as_str(), index.media_type.as_deref()),
    };
    let bytes = print(&Printed {
        schema_version: 2,
        media_type: written,
        artifact_type: index.artifact_type.as_deref(),
        manifests: entries.iter().map(|entry| &entry.descriptor).collect(),
        subject: index.subject.as_ref(),
        annotations: &index.annotations,
    })?;
    let annotations = source.root.descriptor.annotations.clone();
    let root = Descriptor { annotations, ..Descriptor::of(media_type, &bytes) };
    Ok(Made { root, bytes, entries, rewritten: Vec::new(), kept: None })
}

/// A new index: nothing of what the sources say of themselves is in it.
fn many(ctx: &impl Context, asked: &Asked, sources: &[Source]) -> Result<Made, Failure> {
    let mut entries = combine::combine(sources);
    let docker = entries.iter().all(Entry::is_docker);
    combine::annotate(&mut entries, &asked.annotations);
    let Filtered { mut entries, added } = filter::filter(ctx, sources, entries, &asked.platforms)?;
    let docker = docker && !asked.oci && added.iter().all(Entry::is_docker);
    entries.extend(added);
    if docker && asked.annotations.iter().any(|annotation| annotation.place != Place::Manifest) {
        return Err(Failure::new("all of it is of Docker's types, and a Docker manifest list has no annotations")
            .hint("--oci makes it an OCI index"));
    }
    for annotation in &asked.annotations {
        if !entries.iter().any(|entry| annotation.is_for(&entry.descriptor)) {
            let platform = annotation.platform().unwrap_or_default();
            ctx.log(Level::Warn, &format!("nothing is annotated with {}: no entry is for {platform}", annotation.key));
        }
    }
    let oci = if asked.oci { Oci::Annotated } else { Oci::Never };
    let rewritten = rewrite::rewrite(ctx, sources, &mut entries, &asked.annotations, oci)?;
    // What was annotated may be what was annotated before, and is appended to.
    let entries = combine::merge(entries);
    let media_type = if docker { media_type::DOCKER_LIST } else { media_type::OCI_INDEX };
    let annotations = asked
        .annotations
        .iter()
        .filter(|annotation| annotation.place == Place::Index)
        .map(|annotation| (annotation.key.clone(), annotation.value.clone()))
        .collect();
    let bytes = print(&Printed {
        schema_version: 2,
        media_type: Some(media_type),
        artifact_type: None,
        manifests: entries.iter().map(|entry| &entry.descriptor).collect(),
        subject: None,
        annotations: &annotations,
    })?;
    Ok(Made { root: Descriptor::of(media_type, &bytes), bytes, entries, rewritten, kept: None })
}

fn kept(source: &Source, entries: Vec<Entry>) -> Made {
    let Root { descriptor, bytes, .. } = &source.root;
    Made { root: descriptor.clone(), bytes: bytes.clone(), entries, rewritten: Vec::new(), kept: Some(0) }
}

/// As Go prints it.
fn print(document: &Printed<'_>) -> Result<Vec<u8>, Failure> {
    match go::text(document, &go::WHOLE_INDEX) {
        Ok(text) => Ok(text.into_bytes()),
        Err(error) => Err(Failure::new(format!("cannot write the index as JSON: {error}"))),
    }
}

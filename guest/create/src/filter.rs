//! Which entries stay: those for the platforms that were asked for, and the statements about them. And which come in: a
//! statement for each image that has none beside it and one that refers to it.

use std::collections::{BTreeMap, BTreeSet};

use portolan_sdk::oci::{Descriptor, Digest, Kind, Manifest, Mode, Platform, attestation, media_type};
use portolan_sdk::{Context, Failure, traverse};
use serde::Serialize;

use crate::combine::Entry;
use crate::source::Source;

/// How many platforms an error lists.
const LISTED: usize = 20;

/// What became of the entries.
#[derive(Debug)]
pub(crate) struct Filtered {
    /// Those that stay, in their order.
    pub entries: Vec<Entry>,
    /// Statements that come in behind them.
    pub added: Vec<Entry>,
}

/// Takes out what is for other platforms, and finds statements that only referrers are.
///
/// # Errors
/// Nothing is left; what the host answers.
pub(crate) fn filter(
    ctx: &impl Context,
    sources: &[Source],
    entries: Vec<Entry>,
    platforms: &[Platform],
) -> Result<Filtered, Failure> {
    if entries.is_empty() {
        return Err(Failure::not_found("there is nothing in any of the sources"));
    }
    let statements = Statements::among(ctx, sources, &entries)?;
    let entries = staying(ctx, entries, &statements, platforms)?;
    let added = statements.referring(ctx, sources, &entries)?;
    Ok(Filtered { entries, added })
}

/// The entries that stay: all that are for one of the platforms (where none is named, for any) or for none, and statements
/// whose subject stays.
///
/// # Errors
/// None stays; what the strategy answers.
pub(crate) fn staying(
    ctx: &impl Context,
    entries: Vec<Entry>,
    statements: &Statements,
    platforms: &[Platform],
) -> Result<Vec<Entry>, Failure> {
    if platforms.is_empty() {
        return Ok(entries);
    }
    let fits = fitting(ctx, &entries, platforms)?;
    let by_digest: BTreeMap<&Digest, bool> =
        entries.iter().zip(&fits).map(|(entry, fits)| (&entry.descriptor.digest, *fits)).collect();
    let about = |entry: &Entry| statements.about(entry).and_then(|subject| by_digest.get(subject)).copied();
    let stays: Vec<bool> =
        entries.iter().zip(&fits).map(|(entry, fits)| *fits || about(entry).unwrap_or_default()).collect();
    if !stays.contains(&true) {
        return Err(nothing(&entries, platforms));
    }
    Ok(entries.into_iter().zip(stays).filter_map(|(entry, stays)| stays.then_some(entry)).collect())
}

/// Which entries are for one of the platforms, or for none: the strategy judges, of nothing but platforms, since an artifact
/// that is for a platform stays as an image does.
fn fitting(ctx: &impl Context, entries: &[Entry], platforms: &[Platform]) -> Result<Vec<bool>, Failure> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Question {
        schema_version: u32,
        media_type: &'static str,
        manifests: Vec<Descriptor>,
    }
    let (places, manifests): (Vec<usize>, Vec<Descriptor>) = entries
        .iter()
        .enumerate()
        .filter_map(|(place, Entry { descriptor, .. })| {
            let platform = descriptor.platform.clone()?;
            let bare = Descriptor::new(media_type::OCI_MANIFEST, descriptor.digest.clone(), descriptor.size);
            Some((place, Descriptor { platform: Some(platform), ..bare }))
        })
        .unzip();
    let mut fits: Vec<bool> = entries.iter().map(|entry| entry.descriptor.platform.is_none()).collect();
    let question = Question { schema_version: 2, media_type: media_type::OCI_INDEX, manifests };
    let question = serde_json::to_vec(&question).map_err(|error| Failure::new(error.to_string()))?;
    for platform in platforms {
        for chosen in ctx.select(&question, &platform.long(), Mode::Exact)? {
            let place = places.get(chosen as usize).and_then(|&place| fits.get_mut(place));
            let Some(fits) = place else {
                let there = places.len();
                return Err(Failure::new(format!("the strategy chose entry {chosen} of an index that has {there}")));
            };
            *fits = true;
        }
    }
    Ok(fits)
}

fn nothing(entries: &[Entry], platforms: &[Platform]) -> Failure {
    let wanted: Vec<String> = platforms.iter().map(Platform::long).collect();
    let mut there: Vec<String> = Vec::new();
    for platform in entries.iter().filter_map(|entry| entry.descriptor.platform.as_ref()) {
        let text = platform.long();
        if !platform.is_unknown() && !there.contains(&text) {
            there.push(text);
        }
    }
    let more = there.len().saturating_sub(LISTED);
    there.truncate(LISTED);
    let mut listed = there.join(", ");
    if more > 0 {
        listed.push_str(&format!(" and {more} more"));
    }
    Failure::not_found(format!("the sources have nothing for {}", wanted.join(", ")))
        .hint(format!("without fallbacks; there is {listed}"))
}

/// The statements among some entries, and of what each of them speaks.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    about: BTreeMap<Digest, Option<Digest>>,
}

impl Statements {
    /// Where an entry does not say of what it speaks, its manifest is read.
    fn among(ctx: &impl Context, sources: &[Source], entries: &[Entry]) -> Result<Self, Failure> {
        let mut about = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.descriptor.is_attestation()) {
            let descriptor = &entry.descriptor;
            let subject = match (descriptor.attestation_subject(), entry.source(sources)) {
                (Some(told), _) => Digest::parse(told).ok(),
                (None, Some(source)) if descriptor.kind() == Kind::Manifest => {
                    let bytes = ctx.fetch(&source.root.repository, descriptor)?;
                    Manifest::parse(&bytes)?.subject.map(|subject| subject.digest)
                }
                (None, _) => None,
            };
            about.insert(descriptor.digest.clone(), subject);
        }
        Ok(Statements { about })
    }

    fn about(&self, entry: &Entry) -> Option<&Digest> {
        self.about.get(&entry.descriptor.digest)?.as_ref()
    }

    /// A statement for each entry that has none beside it: of those that refer to it the one with the lowest digest, in the
    /// order of the entries' digests. imagetools takes any, in any order.
    fn referring(&self, ctx: &impl Context, sources: &[Source], entries: &[Entry]) -> Result<Vec<Entry>, Failure> {
        let there: BTreeSet<&Digest> = entries.iter().map(|entry| &entry.descriptor.digest).collect();
        let beside: BTreeSet<&Digest> = entries.iter().filter_map(|entry| self.about(entry)).collect();
        let lacks = |entry: &&Entry| {
            !self.about.contains_key(&entry.descriptor.digest) && !beside.contains(&entry.descriptor.digest)
        };
        let lacking: Vec<&Entry> = entries.iter().filter(lacks).collect();
        let mut lowest: BTreeMap<Digest, (Descriptor, usize)> = BTreeMap::new();
        for (from, source) in sources.iter().enumerate() {
            let subjects: Vec<Digest> = lacking
                .iter()
                .filter(|entry| entry.from.contains(&from) && !lowest.contains_key(&entry.descriptor.digest))
                .map(|entry| entry.descriptor.digest.clone())
                .collect();
            if subjects.is_empty() {
                continue;
            }
            for referrer in traverse::referrers(ctx, &source.root, &subjects)? {
                let is_statement = referrer.descriptor.artifact_type.as_deref() == Some(attestation::ARTIFACT_TYPE);
                let lower =
                    lowest.get(&referrer.subject).is_none_or(|(known, _)| referrer.descriptor.digest < known.digest);
                if is_statement && lower && !there.contains(&referrer.descriptor.digest) {
                    lowest.insert(referrer.subject, (referrer.descriptor, from));
                }
            }
        }
        Ok(lowest.into_iter().map(|(subject, (descriptor, from))| beside_it(&subject, descriptor, from)).collect())
    }
}

/// The entry of a statement beside its subject, as BuildKit writes it.
fn beside_it(subject: &Digest, mut descriptor: Descriptor, from: usize) -> Entry {
    let unknown = || "unknown".to_owned();
    descriptor.platform = Some(Platform { os: unknown(), architecture: unknown(), ..Platform::default() });
    descriptor.artifact_type = None;
    for (key, value) in [
        (attestation::REFERENCE_TYPE, attestation::ATTESTATION_MANIFEST.to_owned()),
        (attestation::REFERENCE_DIGEST, subject.to_string()),
    ] {
        descriptor.annotations.insert(key.to_owned(), value);
    }
    Entry { descriptor, from: vec![from] }
}

//! What a builder has built, and which of its builds is meant.

use portolan_oci::location::Store;
use portolan_oci::names::{self, EntryName};
use portolan_oci::{Descriptor, Index, Location, Mode, build, text};

use super::root::Found;
use super::store;
use crate::failure::Failure;
use crate::host::Context;

/// Builds that an error names.
const NAMED: usize = 3;

/// A build and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Its own reference.
    pub reference: String,
    /// When it began, as RFC 3339 has it.
    pub started: Option<String>,
    /// When it was done.
    pub completed: Option<String>,
    /// The results, one for each that differs.
    pub results: Vec<Built>,
}

/// One result of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Its root.
    pub descriptor: Descriptor,
    /// The names that it was given.
    pub names: Vec<String>,
}

/// All builds that a builder tells of and that have a result, the newest first.
///
/// # Errors
/// What the host answers.
pub fn builds(ctx: &impl Context, store: &Store) -> Result<Vec<Build>, Failure> {
    let entries = store::entries(ctx, store)?;
    let mut builds: Vec<Build> = Vec::new();
    for entry in entries.manifests {
        let Some(reference) = build::of(&entry).map(str::to_owned) else { continue };
        if builds.last().is_none_or(|last| last.reference != reference) {
            let said = |key: &str| entry.annotations.get(key).cloned();
            let (started, completed) = (said(build::STARTED), said(build::COMPLETED));
            builds.push(Build { reference, started, completed, results: Vec::new() });
        }
        let Some(build) = builds.last_mut() else { continue };
        let name = match names::entry_name(&entry) {
            Some(EntryName::Full(name)) => Some(name.resolved()),
            _ => None,
        };
        match build.results.iter_mut().find(|known| known.descriptor.digest == entry.digest) {
            Some(known) => known.names.extend(name),
            None => build.results.push(Built { descriptor: entry, names: name.into_iter().collect() }),
        }
    }
    Ok(builds)
}

impl Build {
    /// One of its results, to be opened.
    pub fn found(&self, store: &Store, result: &Descriptor) -> Found {
        let rest = format!("/{}", self.reference);
        let store = Store { rest, digest: Some(result.digest.clone()), ..store.clone() };
        let repository = store.repository();
        Found { location: Location::Store(store), repository, descriptor: result.clone() }
    }
}

/// Positions of the entries that are meant: those of the build of that reference, or of the newest build; else of the
/// newest result that was given that name.
pub(super) fn positions(
    ctx: &impl Context,
    bytes: &[u8],
    entries: &Index,
    asked: &Store,
    mode: Mode,
) -> Result<Vec<u32>, Failure> {
    let text = asked.rest.trim_start_matches('/');
    if text.is_empty() {
        let failure = Failure::not_found(format!("{}:// names no build", asked.scheme));
        return Err(failure.hint("portolan inspect buildkit:// lists them, and buildkit://latest is the newest"));
    }
    if entries.manifests.is_empty() {
        let failure = Failure::not_found(format!(
            "cannot find {}://{text}: no build that the daemon remembers has an image",
            asked.scheme
        ));
        return Err(failure.hint("another builder is named by --builder; build with --output type=image,push=false, --output type=oci or --push"));
    }
    let found = build::positions(entries, text);
    if !found.is_empty() {
        return Ok(found.into_iter().map(|position| position as u32).collect());
    }
    let mut named = ctx.match_name(bytes, &asked.rest, mode)?;
    if asked.digest.is_none() {
        // A name is the newest image that got it, as it would be in a registry.
        named.sort_unstable();
        named.truncate(1);
    }
    Ok(named)
}

/// The newest builds, for an error about one that is not there.
pub(super) fn newest(entries: &Index) -> String {
    let builds = build::newest(entries, NAMED);
    format!("its newest builds are {}; portolan inspect buildkit:// lists all", text::line(&builds.join(", ")))
}

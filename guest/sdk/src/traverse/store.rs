//! Names in a store: which root of a layout or an archive is meant (the strategy's judgement), and what to say if none is
//! or several are.

use std::collections::{BTreeMap, BTreeSet};

use portolan_oci::document::Entries;
use portolan_oci::location::Store;
use portolan_oci::{Descriptor, Digest, Index, Location, Malformed, Mode, Scheme, build, document, names};

use super::builds;
use crate::failure::Failure;
use crate::host::{Context, Resolved};

/// How many names an error suggests where a name is wrong, and how many it lists where there is none.
const NEAREST: usize = 3;
const LISTED: usize = 20;

pub(super) fn find(
    ctx: &impl Context,
    location: &Location,
    asked: &Store,
    mode: Mode,
) -> Result<(String, Descriptor), Failure> {
    if let Some(digest) = &asked.digest
        && (asked.rest.is_empty() || mode.is_compat())
    {
        // A digest alone needs no name, nor an entry.
        let Resolved { repository, mut descriptor } = ctx.resolve(&format!("{}@{digest}", asked.repository()))?;
        if mode.is_compat() {
            // Where a document does not tell its type, buildx takes it for Docker's and the host, rightly, looks closer.
            let bytes = ctx.fetch(&repository, &descriptor)?;
            descriptor.media_type = document::media_type_of(&bytes, true)?;
        }
        return Ok((repository, descriptor));
    }
    let (repository, bytes) = read(ctx, asked)?;
    let positions = match asked.scheme {
        Scheme::Buildkit => builds::positions(ctx, &bytes, &parse(&bytes, asked)?, asked, mode)?,
        _ => ctx.match_name(&bytes, &asked.rest, mode)?,
    };
    Ok((repository, choose(&bytes, &positions, location, asked)?))
}

/// The entries of a store: where they are, and as they are told.
fn read(ctx: &impl Context, store: &Store) -> Result<(String, Vec<u8>), Failure> {
    let Resolved { repository, descriptor } = ctx.entries(&store.repository())?;
    let bytes = ctx.fetch(&repository, &descriptor)?;
    Ok((repository, bytes))
}

fn parse(bytes: &[u8], store: &Store) -> Result<Index, Failure> {
    Index::parse(bytes).map_err(|malformed| of_entries(malformed, store))
}

fn of_entries(malformed: Malformed, store: &Store) -> Failure {
    let shown = Location::Store(Store { rest: String::new(), digest: None, ..store.clone() }).shown();
    Failure::from(malformed).context(format_args!("the entries of {shown}"))
}

/// The entries of a store, read.
pub(super) fn entries(ctx: &impl Context, store: &Store) -> Result<Index, Failure> {
    parse(&read(ctx, store)?.1, store)
}

/// The one entry that is meant. Of a hundred thousand no others are read, but for an error that names some.
fn choose(bytes: &[u8], positions: &[u32], location: &Location, asked: &Store) -> Result<Descriptor, Failure> {
    let entries = Entries::parse(bytes).map_err(|malformed| of_entries(malformed, asked))?;
    if positions.len() > entries.len() {
        let (chosen, there) = (positions.len(), entries.len());
        return Err(Failure::new(format!("the strategy chose {chosen} entries of a store that has {there}")));
    }
    // One for each digest, the first that has it.
    let mut matches: Vec<(usize, Descriptor)> = Vec::new();
    let mut known = BTreeSet::new();
    for &position in positions {
        let position = position as usize;
        let Some(entry) = entries.get(position).map_err(|malformed| of_entries(malformed, asked))? else {
            let there = entries.len();
            return Err(Failure::new(format!("the strategy chose entry {position} of a store that has {there}")));
        };
        if known.insert(entry.digest.clone()) {
            matches.push((position, entry));
        }
    }
    let chosen = match &asked.digest {
        Some(wanted) => matches.iter().position(|(_, entry)| entry.digest == *wanted),
        None => (matches.len() == 1).then_some(0),
    };
    if let Some(chosen) = chosen {
        return Ok(matches.swap_remove(chosen).1);
    }
    match (matches.as_slice(), &asked.digest) {
        ([], _) => Err(nothing(&parse(bytes, asked)?, location, asked)),
        (matches, None) => {
            let matches: Vec<(usize, &Descriptor)> = matches.iter().map(|(at, entry)| (*at, entry)).collect();
            Err(ambiguous(&parse(bytes, asked)?, &matches, location, asked))
        }
        (matches, Some(_)) => {
            let there: Vec<&str> = matches.iter().map(|(_, entry)| entry.digest.as_str()).collect();
            let message = format!("cannot find {}: that name points at {}", location.shown(), there.join(" and "));
            Err(Failure::not_found(message).hint("leave the name or the digest out"))
        }
    }
}

fn nothing(entries: &Index, location: &Location, asked: &Store) -> Failure {
    let shown = location.shown();
    if asked.rest.is_empty() {
        let names = names::all(entries);
        return match (entries.manifests.is_empty(), names.is_empty()) {
            (true, _) => Failure::not_found(format!("cannot find {shown}: there is no image in it")),
            (false, true) => Failure::not_found(format!("cannot find {shown}: it has several images, without names"))
                .hint(format!("add a digest: {}", listed(digests(entries), LISTED, |digest| format!("@{digest}")))),
            (false, false) => Failure::not_found(format!("cannot find {shown}: none of its images is called latest"))
                .hint(format!("its names are {}", listed(names, LISTED, |name| name))),
        };
    }
    let failure = Failure::not_found(format!("cannot find {shown}: nothing there has that name"));
    let nearest = names::nearest(entries, &asked.rest, NEAREST);
    if asked.scheme == Scheme::Buildkit {
        let names = match nearest.is_empty() {
            true => String::new(),
            false => format!("the nearest names there are {}; ", listed(nearest, NEAREST, |name| name)),
        };
        return failure.hint(format!("{names}{}", builds::newest(entries)));
    }
    match nearest.is_empty() {
        true => failure.hint(match entries.manifests.is_empty() {
            true => "there is no image in it".to_owned(),
            false => format!(
                "its images have no names; add a digest: {}",
                listed(digests(entries), NEAREST, |it| format!("@{it}"))
            ),
        }),
        false => failure.hint(format!("the nearest names there are {}", listed(nearest, NEAREST, |name| name))),
    }
}

fn ambiguous(entries: &Index, matches: &[(usize, &Descriptor)], location: &Location, asked: &Store) -> Failure {
    let apart = Apart::new(entries, matches);
    let shown = || matches.iter().take(LISTED).map(|&(_, entry)| entry);
    let more = more(matches.len().saturating_sub(LISTED));
    let meant: Vec<String> = shown()
        .map(|entry| match names::entry_name(entry) {
            Some(name) => format!("{name} ({})", entry.digest),
            None => entry.digest.to_string(),
        })
        .collect();
    let references: Vec<String> = shown().map(|entry| apart.reference(entry, asked)).collect();
    let message = format!("{} is ambiguous: it may be {}{more}", location.shown(), meant.join(", "));
    Failure::new(message).hint(format!("write one of {}{more}", references.join(", ")))
}

/// What reaches one match and no other: a full name that only one digest among them has.
struct Apart<'a> {
    names: BTreeMap<&'a Digest, Vec<String>>,
    digests: BTreeMap<String, Option<&'a Digest>>,
}

impl<'a> Apart<'a> {
    fn new(entries: &'a Index, matches: &[(usize, &'a Descriptor)]) -> Self {
        let mut names: BTreeMap<&Digest, Vec<String>> =
            matches.iter().map(|(_, entry)| (&entry.digest, Vec::new())).collect();
        let mut digests: BTreeMap<String, Option<&Digest>> = BTreeMap::new();
        for entry in &entries.manifests {
            let Some(known) = names.get_mut(&entry.digest) else { continue };
            let Some(name @ names::EntryName::Full(_)) = names::entry_name(entry) else { continue };
            let name = name.to_string();
            digests
                .entry(name.clone())
                .and_modify(|digest| *digest = digest.filter(|digest| **digest == entry.digest))
                .or_insert(Some(&entry.digest));
            known.push(name);
        }
        Apart { names, digests }
    }

    fn reference(&self, entry: &Descriptor, asked: &Store) -> String {
        if let (Scheme::Buildkit, Some(build)) = (asked.scheme, build::of(entry)) {
            // A name may have moved on to another build.
            let (rest, digest) = (format!("/{build}"), Some(entry.digest.clone()));
            return Location::Store(Store { rest, digest, ..asked.clone() }).shown();
        }
        let mut names = self.names.get(&entry.digest).into_iter().flatten();
        let name = names.find(|name| self.digests.get(*name).is_some_and(Option::is_some));
        let (rest, digest) = match name {
            Some(name) => (format!("/{name}"), None),
            None => (String::new(), Some(entry.digest.clone())),
        };
        Location::Store(Store { rest, digest, ..asked.clone() }).shown()
    }
}

fn digests(entries: &Index) -> Vec<String> {
    let mut digests: Vec<String> = Vec::new();
    for entry in names::roots(entries).into_iter().filter_map(|position| entries.manifests.get(position)) {
        if !digests.iter().any(|known| known == entry.digest.as_str()) {
            digests.push(entry.digest.to_string());
        }
        if digests.len() > LISTED {
            break;
        }
    }
    digests
}

/// At most so many, with commas, and how many more there are.
fn listed(all: Vec<String>, most: usize, write: impl Fn(String) -> String) -> String {
    let more = more(all.len().saturating_sub(most));
    all.into_iter().take(most).map(write).collect::<Vec<_>>().join(", ") + &more
}

fn more(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(" and {count} more"),
    }
}

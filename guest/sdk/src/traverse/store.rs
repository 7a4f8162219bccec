//! Names in a store: which root of a layout or an archive is meant (the strategy's judgement), and what to say if none is
//! or several are.

use portolan_oci::location::Store;
use portolan_oci::{Descriptor, Index, Location, Mode, document, names};

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
    let Resolved { repository, descriptor } = ctx.entries(&asked.repository())?;
    let bytes = ctx.fetch(&repository, &descriptor)?;
    let mut entries = Index::parse(&bytes)
        .map_err(|malformed| Failure::from(malformed).context(format_args!("the entries of {}", location.shown())))?;
    let positions = ctx.match_name(&bytes, &asked.rest, mode)?;
    let position = choose(&entries, &positions, location, asked)?;
    Ok((repository, entries.manifests.swap_remove(position)))
}

/// The one position that is meant; always one of the entries.
fn choose(entries: &Index, positions: &[u32], location: &Location, asked: &Store) -> Result<usize, Failure> {
    // One for each digest, the first that has it.
    let mut matches: Vec<(usize, &Descriptor)> = Vec::new();
    for &position in positions {
        let position = position as usize;
        let Some(entry) = entries.manifests.get(position) else {
            let there = entries.manifests.len();
            return Err(Failure::new(format!("the strategy chose entry {position} of a store that has {there}")));
        };
        if !matches.iter().any(|(_, known)| known.digest == entry.digest) {
            matches.push((position, entry));
        }
    }
    let wanted = asked.digest.as_ref();
    match (matches.as_slice(), wanted) {
        ([], _) => Err(nothing(entries, location, asked)),
        (&[(position, _)], None) => Ok(position),
        (matches, None) => Err(ambiguous(entries, matches, location, asked)),
        (matches, Some(wanted)) => match matches.iter().find(|(_, entry)| entry.digest == *wanted) {
            Some(&(position, _)) => Ok(position),
            None => {
                let there: Vec<&str> = matches.iter().map(|(_, entry)| entry.digest.as_str()).collect();
                let message = format!("cannot find {}: that name points at {}", location.shown(), there.join(" and "));
                Err(Failure::not_found(message).hint("leave the name or the digest out"))
            }
        },
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
    let apart: Vec<String> = matches.iter().map(|(_, entry)| tells_apart(entries, matches, entry, asked)).collect();
    let meant: Vec<String> = matches
        .iter()
        .map(|(_, entry)| match names::entry_name(entry) {
            Some(name) => format!("{name} ({})", entry.digest),
            None => entry.digest.to_string(),
        })
        .collect();
    let message = format!("{} is ambiguous: it may be {}", location.shown(), listed(meant, LISTED, |it| it));
    Failure::new(message).hint(format!("write one of {}", listed(apart, LISTED, |it| it)))
}

/// What reaches this entry and none of the other matches: a full name, else the digest.
fn tells_apart(entries: &Index, matches: &[(usize, &Descriptor)], entry: &Descriptor, asked: &Store) -> String {
    let store = portolan_oci::location::decode_store(&asked.name);
    let others = |name: &names::EntryName| {
        matches.iter().any(|(_, other)| {
            other.digest != entry.digest
                && entries
                    .manifests
                    .iter()
                    .any(|named| named.digest == other.digest && names::entry_name(named).as_ref() == Some(name))
        })
    };
    let full = entries
        .manifests
        .iter()
        .filter(|named| named.digest == entry.digest)
        .filter_map(names::entry_name)
        .find(|name| matches!(name, names::EntryName::Full(_)) && !others(name));
    match full {
        Some(name) => format!("{}://{store}/{name}", asked.scheme),
        None => format!("{}://{store}@{}", asked.scheme, entry.digest),
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
    let more = all.len().saturating_sub(most);
    let mut text = all.into_iter().take(most).map(write).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

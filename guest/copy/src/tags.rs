//! `--all-tags`: every tag of a repository, every name of a store, to where the same tags are given.
//!
//! What several of them share is moved once. The referrers of an image are copied with it, so that the tags under which a
//! registry without the referrers API keeps them (distribution-spec, "Referrers Tag Schema") are no tags to be copied: the
//! target keeps its own.

use std::collections::BTreeMap;

use portolan_sdk::oci::names::{self, EntryName};
use portolan_sdk::oci::{Algorithm, Descriptor, Index, Location, Reference};
use portolan_sdk::{Context, Failure, traverse};

use crate::Asked;
use crate::answer::{Answer, Tag};
use crate::load::Load;
use crate::target::tag;

/// How many images are found and moved at a time.
const TOGETHER: usize = 500;

/// Copies all of a repository.
pub(crate) fn copy(ctx: &impl Context, asked: &Asked) -> Result<Answer, Failure> {
    let target = Place::of(&asked.target)?;
    let mut load = Load::new(&asked.source.repository());
    let found = match &asked.source {
        Location::Registry(reference) => in_registry(ctx, asked, reference, &mut load)?,
        Location::Store(_) => in_store(ctx, &asked.source)?,
    };
    let named = target.names(&found)?;
    if named.is_empty() {
        let none = match asked.source {
            Location::Registry(_) => "has no tags",
            Location::Store(_) => "has no names",
        };
        return Err(Failure::not_found(format!("{} {none}, so there is nothing to copy", asked.source.shown())));
    }
    for some in named.chunks(TOGETHER) {
        let roots: Vec<Descriptor> = some.iter().map(|(root, _)| root.clone()).collect();
        let documents = load
            .below(ctx, &roots)
            .map_err(|failure| failure.context(format_args!("cannot copy {}", asked.source.shown())))?;
        if asked.referrers {
            load.referrers(ctx, &documents)?;
        }
        let names: Vec<(Descriptor, Option<String>)> =
            some.iter().map(|(root, name)| (root.clone(), Some(name.clone()))).collect();
        load.send(ctx, &target.repository, &names)?;
    }
    let tags = named.into_iter().map(|(root, name)| Tag { name, root: root.bare() }).collect();
    Ok(Answer::all(&asked.source, asked.target.shown(), tags, load))
}

/// What an image is called, and its root.
type Found = Vec<(EntryName, Descriptor)>;

fn in_registry(ctx: &impl Context, asked: &Asked, reference: &Reference, load: &mut Load) -> Result<Found, Failure> {
    if reference.tag.is_some() || reference.digest.is_some() {
        return Err(one_image(&asked.source));
    }
    let tags: Vec<String> =
        traverse::tags(ctx, &asked.source.repository())?.into_iter().filter(|tag| !keeps_referrers(tag)).collect();
    let mut found = Vec::with_capacity(tags.len());
    for some in tags.chunks(TOGETHER) {
        let locations: Vec<Location> = some
            .iter()
            .map(|tag| Location::Registry(Reference { tag: Some(tag.clone()), ..reference.clone() }))
            .collect();
        let roots = traverse::find_all(ctx, &locations, asked.mode);
        for (tag, root) in some.iter().zip(roots) {
            match root {
                Ok(root) => {
                    let name = Reference { tag: Some(tag.clone()), ..reference.clone() };
                    found.push((EntryName::Full(name), root.descriptor));
                }
                // docker-registry goes on to list tags whose manifest was deleted.
                Err(failure) if failure.is_not_found() => {
                    load.skip(ctx, "tag", tag.clone(), "it is listed and not there".to_owned());
                }
                Err(failure) => return Err(failure),
            }
        }
    }
    Ok(found)
}

fn in_store(ctx: &impl Context, source: &Location) -> Result<Found, Failure> {
    if !is_bare(source) {
        return Err(one_image(source));
    }
    let entries = ctx.entries(&source.repository())?;
    let bytes = ctx.fetch(&entries.repository, &entries.descriptor)?;
    let entries = Index::parse(&bytes)
        .map_err(|malformed| Failure::from(malformed).context(format_args!("the entries of {}", source.shown())))?;
    Ok(entries.manifests.into_iter().filter_map(|entry| Some((names::entry_name(&entry)?, entry))).collect())
}

/// `sha256-` and hexadecimal digits: a tag under which the referrers of a digest are listed.
fn keeps_referrers(tag: &str) -> bool {
    let digits = |hex: &str| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512].into_iter().any(|algorithm| {
        tag.strip_prefix(algorithm.as_str()).and_then(|rest| rest.strip_prefix('-')).is_some_and(digits)
    })
}

/// Where all of it goes.
struct Place {
    repository: String,
    /// What names in a store are to be of, where the target says so.
    within: Option<Reference>,
    registry: bool,
}

impl Place {
    fn of(target: &Location) -> Result<Self, Failure> {
        let repository = target.repository();
        let within = match target {
            Location::Registry(reference) if reference.tag.is_none() && reference.digest.is_none() => {
                return Ok(Place { repository, within: None, registry: true });
            }
            Location::Store(store) if store.digest.is_none() => match store.rest.strip_prefix('/') {
                None if store.rest.is_empty() => None,
                Some(name) => Some(Reference::parse(name)?).filter(|name| name.tag.is_none()),
                None => return Err(one_image(target)),
            },
            _ => return Err(one_image(target)),
        };
        match within.is_none() && !is_bare(target) {
            true => Err(one_image(target)),
            false => Ok(Place { repository, within, registry: false }),
        }
    }

    /// What each image is called there.
    fn names(&self, found: &Found) -> Result<Vec<(Descriptor, String)>, Failure> {
        let mut given: BTreeMap<String, &(EntryName, Descriptor)> = BTreeMap::new();
        let mut named = Vec::with_capacity(found.len());
        for image in found {
            let (source, root) = image;
            let name = match &self.within {
                _ if self.registry => tag(source).to_owned(),
                Some(within) => format!("{}:{}", within.repository(), tag(source)),
                None => source.to_string(),
            };
            match given.get(&name) {
                None => {
                    given.insert(name.clone(), image);
                    named.push((root.clone(), name));
                }
                Some((_, other)) if other.digest == root.digest => {}
                Some((other, _)) => {
                    let message = format!("{other} and {source} are two images, and both would be called {name}");
                    return Err(Failure::new(message).hint("copy them one by one, each with its own target"));
                }
            }
        }
        Ok(named)
    }
}

fn one_image(location: &Location) -> Failure {
    let mut alone = location.clone();
    match &mut alone {
        Location::Registry(reference) => {
            reference.tag = None;
            reference.digest = None;
        }
        Location::Store(store) => {
            store.rest.clear();
            store.digest = None;
        }
    }
    Failure::new(format!("--all-tags is for repositories and stores, and {} is one image", location.shown()))
        .hint(format!("write {}, or leave --all-tags out", alone.shown()))
}

fn is_bare(location: &Location) -> bool {
    match location {
        Location::Registry(reference) => reference.tag.is_none() && reference.digest.is_none(),
        Location::Store(store) => store.rest.is_empty() && store.digest.is_none(),
    }
}

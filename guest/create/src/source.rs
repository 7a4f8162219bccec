//! Sources: what each of them means, found and read.

use std::collections::BTreeMap;

use portolan_sdk::oci::{Descriptor, Digest, Document, Index, Location, Platform, Scheme, names};
use portolan_sdk::traverse::{self, Found, Image, Root};
use portolan_sdk::{Context, Failure};

use crate::asked::{Asked, Given, Said};
use crate::target;

/// A source. Its descriptor says all that the entry of a new index is going to say.
#[derive(Debug)]
pub(crate) struct Source {
    pub root: Root,
}

/// Whether nobody ever wrote an annotation that a source's descriptor has: only the entries of an image layout are a
/// document; those of a daemon or of docker's archive are made when they are asked for.
fn is_invented(location: &Location, key: &str) -> bool {
    match location {
        Location::Registry(_) => false,
        Location::Store(store) => match store.scheme {
            Scheme::OciLayout | Scheme::OciArchive => false,
            Scheme::DockerArchive | Scheme::Buildkit | Scheme::Containerd => {
                matches!(key, names::REF_NAME | names::IMAGE_NAME) || key.starts_with("dev.portolan.")
            }
        },
    }
}

impl Source {
    /// Finds all sources, registries being asked side by side, and reads their documents.
    ///
    /// # Errors
    /// What the hosts answer; a digest whose repository nobody says; a descriptor that does not agree with what is there.
    pub(crate) fn find_all(ctx: &impl Context, asked: &Asked) -> Result<Vec<Self>, Failure> {
        let locations = locations(asked)?;
        let mut found = Vec::with_capacity(locations.len());
        for (said, answer) in asked.sources.iter().zip(traverse::find_all(ctx, &locations, asked.mode)) {
            let one = answer.map_err(|failure| match said {
                Said::Before(_) if failure.is_not_found() => {
                    failure.hint("there is nothing to append to; leave --append out to make it")
                }
                _ => failure,
            })?;
            found.push(match said {
                Said::Descriptor(given) => given.over(one)?,
                _ => one,
            });
        }
        ahead(ctx, found.iter().map(|one| (one.repository.as_str(), &one.descriptor)));
        let mut sources = Vec::with_capacity(found.len());
        for mut one in found {
            one.descriptor.annotations.retain(|key, _| !is_invented(&one.location, key));
            sources.push(Source { root: one.open(ctx)? });
        }
        let configs = sources.iter().filter(|source| source.lacks_platform());
        ahead(ctx, configs.filter_map(|it| Some((it.root.repository.as_str(), &it.root.manifest()?.config))));
        for source in &mut sources {
            if source.lacks_platform() {
                source.complete(ctx)?;
            }
        }
        Ok(sources)
    }

    /// The index, if it is one.
    pub(crate) fn index(&self) -> Option<&Index> {
        self.root.index()
    }

    fn lacks_platform(&self) -> bool {
        let complete = |platform: &Platform| !platform.os.is_empty() && !platform.architecture.is_empty();
        match &self.root.document {
            Document::Index(_) => false,
            // An artifact is for no platform.
            Document::Manifest(manifest) => {
                manifest.is_image() && !self.root.descriptor.platform.as_ref().is_some_and(complete)
            }
        }
    }

    /// Takes what the descriptor does not say of its platform from the config, as imagetools does: normalised, and without
    /// version and features.
    fn complete(&mut self, ctx: &impl Context) -> Result<(), Failure> {
        let Some(image) = Image::of_root(&self.root) else { return Ok(()) };
        let config = image.config(ctx)?.config.platform.normalized(&ctx.platform());
        let platform = self.root.descriptor.platform.get_or_insert_default();
        if platform.architecture.is_empty() {
            platform.architecture = config.architecture;
            if platform.variant.is_empty() {
                platform.variant = config.variant;
            }
        }
        if platform.os.is_empty() {
            platform.os = config.os;
        }
        Ok(())
    }
}

impl Given {
    /// What is there, as the descriptor says it. It must agree in size; media type, platform and the rest are the
    /// descriptor's where it has them, annotations all of them.
    fn over(&self, found: Found) -> Result<Found, Failure> {
        let there = found.descriptor;
        if let Some(size) = self.size
            && size != there.size
        {
            let message = format!(
                "the descriptor of {} says {size} bytes, and in {} it has {}",
                self.digest,
                target::shown(&found.location),
                there.size
            );
            return Err(Failure::malformed(message).hint("leave \"size\" out, or write what is there"));
        }
        let descriptor = Descriptor {
            media_type: self.media_type.clone().unwrap_or(there.media_type),
            annotations: self.annotations.clone().unwrap_or(there.annotations),
            platform: self.platform.clone().or(there.platform),
            urls: self.urls.clone().unwrap_or(there.urls),
            data: self.data.clone().or(there.data),
            artifact_type: self.artifact_type.clone().or(there.artifact_type),
            ..there
        };
        Ok(Found { descriptor, ..found })
    }
}

/// Has the host start on documents in several repositories.
fn ahead<'a>(ctx: &impl Context, documents: impl Iterator<Item = (&'a str, &'a Descriptor)>) {
    let mut by_repository: BTreeMap<&str, Vec<Descriptor>> = BTreeMap::new();
    for (repository, descriptor) in documents {
        by_repository.entry(repository).or_default().push(descriptor.bare());
    }
    let alone = by_repository.len() == 1;
    for (repository, descriptors) in by_repository {
        match descriptors.as_slice() {
            // One alone is as fast without, but not one in each of many.
            [_] if !alone => ctx.prefetch(repository, &descriptors),
            _ => traverse::prefetch(ctx, repository, &descriptors),
        }
    }
}

/// Where each source is.
fn locations(asked: &Asked) -> Result<Vec<Location>, Failure> {
    let mut named: Vec<&Location> = Vec::new();
    for said in &asked.sources {
        if let Said::At(location) | Said::Before(location) = said {
            named.push(location);
        }
    }
    let targets = asked.targets.iter().map(|target| target.location());
    let all: Vec<&Location> = named.iter().copied().chain(targets).collect();
    let home = only(&all).or_else(|| only(&named));
    asked
        .sources
        .iter()
        .map(|said| {
            let digest = match said {
                Said::At(location) | Said::Before(location) => return Ok(location.clone()),
                Said::Digest(digest) => digest,
                Said::Descriptor(given) => &given.digest,
            };
            let mut location = home.cloned().ok_or_else(|| homeless(digest, &all))?;
            match &mut location {
                Location::Registry(reference) => {
                    reference.tag = None;
                    reference.digest = Some(digest.clone());
                }
                Location::Store(store) => {
                    store.rest.clear();
                    store.digest = Some(digest.clone());
                }
            }
            Ok(location)
        })
        .collect()
}

/// The one repository that all of them are in.
fn only<'a>(locations: &[&'a Location]) -> Option<&'a Location> {
    let (first, rest) = locations.split_first()?;
    let repository = first.repository();
    rest.iter().all(|other| other.repository() == repository).then_some(*first)
}

fn homeless(digest: &Digest, named: &[&Location]) -> Failure {
    let mut repositories: Vec<String> = named.iter().map(|location| target::shown(location)).collect();
    repositories.sort_unstable();
    repositories.dedup();
    let message = match repositories.is_empty() {
        true => format!("nothing says in which repository {digest} is"),
        false => format!("{digest} may be in any of {}", repositories.join(", ")),
    };
    Failure::new(message).hint(format!("write REPOSITORY@{digest}"))
}

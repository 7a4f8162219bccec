//! What FRONTEND names: a bundled frontend, a file, or one in a registry, which is pinned.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::{Arg, ArgAction, ArgMatches};
use portolan::source::Target;
use portolan::source::registry::Registry;
use portolan::{Bundled, Component, Limits, Published};
use portolan_oci::{Location, Reference};

use crate::exit::Exit;
use crate::pinned::Pins;
use crate::registries;
use crate::setup::FRONTENDS;

/// The argument that names a frontend.
pub fn argument() -> Arg {
    Arg::new("frontend")
        .value_name("FRONTEND")
        .required(true)
        .help("A bundled name, a component's file, or oci://NAME[:TAG][@DIGEST] in a registry")
}

/// What else there is to say of one that is in a registry.
pub fn options() -> Vec<Arg> {
    let update = Arg::new("update")
        .long("update")
        .action(ArgAction::SetTrue)
        .help("Take what the frontend's name means now, and pin that");
    [update].into_iter().chain(registries::options()).collect()
}

/// A frontend as it was named.
pub enum Chosen {
    Bundled(Bundled),
    File(PathBuf),
    /// By its name and digest, or tag.
    Published(String, Bytes),
}

impl Chosen {
    /// Finds what is named on a command line that has [`argument`] and [`options`]. What is in a registry is fetched.
    pub async fn of(matches: &ArgMatches) -> Result<Chosen, Exit> {
        let name = matches.get_one::<String>("frontend").map_or("", String::as_str);
        if let Some(bundled) = Bundled::named(name).filter(|_| FRONTENDS.iter().any(|(command, ..)| *command == name)) {
            return Ok(Chosen::Bundled(bundled));
        }
        if !name.contains("://") {
            return Ok(Chosen::File(PathBuf::from(name)));
        }
        match Location::parse(name) {
            Ok(Location::Registry(reference)) => {
                published(&reference, &registries::registry(matches)?, matches.get_flag("update")).await
            }
            Ok(Location::Store(_)) => {
                Err(Exit::usage(format!("{name:?} is in a store, and frontends are in registries"))
                    .hint("oci://NAME[:TAG] names one in a registry; one in a file is named by its path"))
            }
            Err(error) => Err(Exit::usage(format!("{name:?} names no frontend: {error}"))),
        }
    }

    /// To be loaded.
    pub fn component(&self) -> Component<'_> {
        match self {
            Chosen::Bundled(bundled) => Component::Bundled(*bundled),
            Chosen::File(path) => Component::File(Path::new(path)),
            Chosen::Published(name, bytes) => Component::Named(name, bytes),
        }
    }
}

/// What a name was pinned to is what it means, or there is no frontend.
async fn published(reference: &Reference, registry: &Registry, update: bool) -> Result<Chosen, Exit> {
    let (source, limits) = (registry.repository(reference), Limits::default());
    let repository = reference.repository();
    let (name, target) = match &reference.digest {
        Some(digest) => (format!("{repository}@{digest}"), Target::Digest(digest)),
        None => {
            let tag = reference.tag_or_latest();
            (format!("{repository}:{tag}"), Target::Tag(tag))
        }
    };
    let manifest = source.resolve(target, &limits).await?;
    // What is named by its digest cannot move.
    let pins = reference.digest.is_none().then(Pins::nearest).transpose()?;
    let pinned = match &pins {
        Some(pins) if !update => pins.check(&name, &manifest.digest)?,
        _ => false,
    };
    let published = Published::fetch(&*source, manifest, &name, &limits).await?;
    if let Some(pins) = pins.filter(|_| !pinned) {
        pins.pin(&name, &published.manifest.digest, update)?;
    }
    Ok(Chosen::Published(name, published.bytes))
}

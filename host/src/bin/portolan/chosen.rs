//! What FRONTEND names: a bundled frontend, a file, or one in a registry, which is pinned; and whether it may run here.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::{Arg, ArgAction, ArgMatches};
use portolan::policy::{Lock, Policy, Rule, Who};
use portolan::source::Target;
use portolan::source::registry::Registry;
use portolan::{Bundled, Component, Limits, Published};
use portolan_oci::{Location, Reference};

use crate::exit::Exit;
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

/// A frontend as it was named. Nothing was looked for yet.
pub enum Named {
    Bundled(Bundled),
    File(PathBuf),
    Published(Reference),
}

impl Named {
    /// What the [`argument`] says.
    pub fn of(matches: &ArgMatches) -> Result<Named, Exit> {
        Named::parse(matches.get_one::<String>("frontend").map_or("", String::as_str))
    }

    /// What a text names.
    pub fn parse(name: &str) -> Result<Named, Exit> {
        if let Some(bundled) = Bundled::named(name).filter(|_| FRONTENDS.iter().any(|(command, ..)| *command == name)) {
            return Ok(Named::Bundled(bundled));
        }
        if !name.contains("://") {
            let path = PathBuf::from(name);
            return match path.try_exists() {
                Ok(false) => Err(absent(name)),
                // What else is wrong with it shows when it is read.
                _ => Ok(Named::File(path)),
            };
        }
        match Location::parse(name) {
            Ok(Location::Registry(reference)) => Ok(Named::Published(reference)),
            Ok(Location::Store(_)) => {
                Err(Exit::usage(format!("{name:?} is in a store, and frontends are in registries"))
                    .hint("oci://NAME[:TAG] names one in a registry; one in a file is named by its path"))
            }
            Err(error) => Err(Exit::usage(format!("{name:?} names no frontend: {error}"))),
        }
    }

    /// For a policy.
    pub fn who(&self) -> Who<'_> {
        match self {
            Named::Bundled(bundled) => Who::Bundled(*bundled),
            Named::File(path) => Who::File(path),
            Named::Published(reference) => Who::Published(reference),
        }
    }

    /// What it is, on a command line that has [`options`]: what is in a registry is fetched, once it may run.
    pub async fn chosen(&self, policy: &Policy, matches: &ArgMatches) -> Result<Chosen, Exit> {
        let rule = policy.ruling(self.who(), None).frontend;
        match self {
            Named::Bundled(bundled) => {
                rule.admit()?;
                Ok(Chosen::Bundled(*bundled))
            }
            Named::File(path) => admitted(path.clone(), &rule),
            Named::Published(reference) => {
                let registry = registries::registry(matches)?;
                published(reference, &registry, &rule, policy, matches.get_flag("update")).await
            }
        }
    }
}

fn absent(name: &str) -> Exit {
    let bundled = FRONTENDS.map(|(command, ..)| command).join(", ");
    Exit::failure(format!("cannot read the frontend {name}: there is no such file, and none of that name is bundled"))
        .because_of(&ErrorKind::NotFound.into())
        .hint(format!("{bundled} are bundled; any other is named by its file, or by oci://NAME in a registry"))
}

/// A component that may run here.
pub enum Chosen {
    Bundled(Bundled),
    File(PathBuf),
    /// With what to call it.
    Bytes(String, Bytes),
}

impl Chosen {
    /// To be loaded.
    pub fn component(&self) -> Component<'_> {
        match self {
            Chosen::Bundled(bundled) => Component::Bundled(*bundled),
            Chosen::File(path) => Component::File(path),
            Chosen::Bytes(name, bytes) => Component::Named(name, bytes),
        }
    }
}

/// A component's file, if it may run. What was signed is what runs: it is read once.
pub fn admitted(path: PathBuf, rule: &Rule) -> Result<Chosen, Exit> {
    if !rule.wants_signature() {
        rule.admit()?;
        return Ok(Chosen::File(path));
    }
    let name = path.display().to_string();
    let bytes = read(&path)
        .map_err(|error| Exit::failure(format!("cannot read the component {name}: {error}")).because_of(&error))?;
    rule.admit_file(&path, &bytes)?;
    Ok(Chosen::Bytes(name, bytes.into()))
}

/// At most one byte more than a component may have, which is one too many.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(Limits::default().component.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What a name was pinned to is what it means, and it is signed where that is wanted, or there is no frontend.
async fn published(
    reference: &Reference,
    registry: &Registry,
    rule: &Rule,
    policy: &Policy,
    update: bool,
) -> Result<Chosen, Exit> {
    rule.admit()?;
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
    let lock = reference.digest.is_none().then(|| Lock::of(policy)).transpose()?;
    let pinned = match &lock {
        Some(lock) if !update => lock.check(&name, &manifest.digest)?,
        _ => false,
    };
    rule.admit_published(&*source, &manifest, &limits).await?;
    let published = Published::fetch(&*source, manifest, &name, &limits).await?;
    if let Some(lock) = lock.filter(|_| !pinned) {
        lock.pin(&name, &published.manifest.digest, update)?;
    }
    Ok(Chosen::Bytes(name, published.bytes))
}

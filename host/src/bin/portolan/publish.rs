//! `publish`: a component's file into a registry, as others fetch and run it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::{Arg, ArgAction, Command};
use portolan::source::Target;
use portolan::{Code, Component, Limits, Publication};
use portolan_oci::{Location, Reference};

use crate::check::{self, Checked};
use crate::exit::Exit;
use crate::setup::said;
use crate::{output, registries};

/// `publish`, in the list of commands.
pub const ABOUT: &str = "A component's file into a registry, from where others run it";

/// The time of a build that can be repeated (reproducible-builds.org).
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// The command.
pub fn command() -> Command {
    Command::new("portolan publish")
        .bin_name("portolan publish")
        .about(ABOUT)
        .no_binary_name(true)
        .arg(check::file())
        .arg(Arg::new("reference").value_name("NAME[:TAG]").required(true).help("What it is to be called"))
        .arg(
            Arg::new("annotation")
                .long("annotation")
                .value_name("KEY=VALUE")
                .action(ArgAction::Append)
                .help("Say this of it, in the place of what the component says of itself"),
        )
        .args(registries::options())
        .after_help(
            "Name, version and what it is for are annotations, as the frontend describes itself, and what the component \
             says in custom sections (authors, description, homepage, licenses, revision, source, version). The same \
             file is the same artifact: its time is SOURCE_DATE_EPOCH, else the file's.\n\n\
             Example:\n  portolan publish newest-tag.wasm ghcr.io/acme/newest-tag:1\n  portolan run oci://ghcr.io/acme/newest-tag:1 alpine",
        )
}

/// Checks the file, and publishes it.
pub async fn publish(words: &[OsString]) -> Result<u8, Exit> {
    let matches = match command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let path = matches.get_one::<PathBuf>("file").map_or(Path::new(""), PathBuf::as_path);
    let typed = matches.get_one::<String>("reference").map_or("", String::as_str);
    let reference = target(typed)?;
    let mut publication = Publication::of(Component::File(path), &Limits::default())?.created(created(path)?);
    if let Some(name) = path.file_name() {
        publication = publication.file(name.to_string_lossy());
    }
    if let Checked::Frontend(info, _) = check::checked(path).await? {
        for (name, value) in [("title", &info.name), ("version", &info.version), ("description", &info.summary)] {
            publication = publication.otherwise(&format!("org.opencontainers.image.{name}"), value.clone());
        }
    }
    for annotation in matches.get_many::<String>("annotation").into_iter().flatten() {
        match annotation.split_once('=') {
            Some((key, value)) if !key.is_empty() => publication = publication.annotation(key, value),
            _ => return Err(Exit::usage(format!("{annotation:?} is no annotation")).hint("it is KEY=VALUE")),
        }
    }
    let (repository, tag) = (registries::registry(&matches)?.repository(&reference), reference.tag_or_latest());
    let before = match repository.resolve(Target::Tag(tag), &Limits::default()).await {
        Ok(before) => Some(before.digest),
        Err(error) if error.code() == Code::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let manifest = publication.push(&*repository, tag).await?;
    if before.is_some_and(|before| before != manifest.digest) {
        crate::exit::say(&format!(
            "{}:{tag} named another artifact before: who pinned that has to --update",
            reference.repository()
        ));
    }
    output::own(&format!("{}:{tag}@{}\n", reference.repository(), manifest.digest))?;
    Ok(0)
}

/// A name in a registry. What a digest names is what it is.
fn target(typed: &str) -> Result<Reference, Exit> {
    let no = |why: &str| Exit::usage(format!("{typed:?} is nowhere to publish to: {why}"));
    match Location::parse(typed) {
        Ok(Location::Registry(reference)) if reference.digest.is_none() => Ok(reference),
        Ok(Location::Registry(_)) => {
            Err(no("a digest comes of what is published").hint("name a tag, or nothing for latest"))
        }
        Ok(Location::Store(_)) => Err(no("it is a store, and components are published in registries")),
        Err(error) => Err(no(&error.to_string())),
    }
}

fn created(path: &Path) -> Result<SystemTime, Exit> {
    if let Some(epoch) = std::env::var_os(EPOCH).filter(|epoch| !epoch.is_empty()) {
        let seconds = epoch.to_str().and_then(|text| text.parse().ok());
        let moment = seconds.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        return moment.ok_or_else(|| Exit::usage(format!("{EPOCH} is {epoch:?}, and no number of seconds since 1970")));
    }
    let modified = std::fs::metadata(path).and_then(|file| file.modified());
    let modified = modified.map_err(|error| {
        Exit::failure(format!("cannot read the component {}: {error}", path.display())).because_of(&error)
    })?;
    // Whole seconds survive a copy to most file systems.
    let since = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs()))
}

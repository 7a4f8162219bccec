//! From what clap matched to a run: arguments in the order given, stores opened, what was named granted, files read.

use std::io::Read as _;

use clap::ArgMatches;
use clap::parser::ValueSource;
use portolan::source::buildkit::Builder;
use portolan::{Grants, Info, Kind, Parameter};
use portolan_oci::{Digest, Location, Mode, Scheme};

use crate::built::{self, Built};
use crate::exit::Exit;
use crate::frontend;
use crate::stores::Stores;

/// A file whose content goes to a guest: no larger than one host call's arguments may be.
const FILE_MAX: u64 = 8 << 20;

/// What a run is given.
pub struct Arguments {
    /// (parameter, value), in the order given.
    pub values: Vec<(String, String)>,
    /// What the references on the command line allow.
    pub grants: Grants,
    /// What they opened.
    pub stores: Stores,
}

/// Reads what a frontend's own options hold, and `--format` and `--mode` for it.
pub fn read(info: &Info, matches: &ArgMatches) -> Result<Arguments, Exit> {
    let built = match frontend::about_one(info) {
        true => matches.get_one::<String>("metadata").map(|typed| built::read(typed)).transpose()?,
        false => None,
    };
    let options = matches.get_many::<String>("store").into_iter().flatten().map(String::as_str);
    let mut stores = Stores::new(options, builder(matches, built.as_ref()))?;
    let mut grants = Grants::new();
    let mut values = Vec::new();
    for parameter in &info.parameters {
        let built = built.as_ref().filter(|_| parameter.positional);
        for (place, typed) in given(parameter, matches).into_iter().chain(built.map(|it| (0, it.reference.clone()))) {
            let value = match parameter.kind {
                Kind::Flag | Kind::Text | Kind::Choice(_) => typed,
                Kind::PullReference if !is_reference(&typed) => typed,
                Kind::PullReference => {
                    let location = stores.locate(&typed)?;
                    grants = named(grants, &location);
                    boundary(location, typed)
                }
                Kind::PushReference => {
                    let location = stores.locate_target(&typed)?;
                    grants = grants.push_reference(&location);
                    boundary(location, typed)
                }
                Kind::File => content(&typed)?,
                Kind::PullReferenceFile => {
                    let text = content(&typed)?;
                    let written = text.trim();
                    // A file may hold anything: only what names a store has to be one.
                    let location = match Scheme::ALL.iter().any(|it| written.starts_with(&format!("{it}://"))) {
                        _ if !is_reference(written) => None,
                        true => Some(stores.locate(written)?),
                        false => Location::parse(written).ok(),
                    };
                    match location {
                        Some(location) => {
                            grants = named(grants, &location);
                            boundary(location, text)
                        }
                        None => text,
                    }
                }
            };
            values.push((place, parameter.name.clone(), value));
        }
    }
    stores.open_named()?;
    values.sort_by_key(|(place, ..)| *place);
    let mut values: Vec<(String, String)> = values.into_iter().map(|(_, name, value)| (name, value)).collect();
    values.extend(format(info, matches).map(|format| ("format".into(), format)));
    values.extend(mode(matches).map(|mode| ("mode".into(), mode.as_str().into())));
    Ok(Arguments { values, grants, stores })
}

/// What naming it grants: a store that is named is given to the run, and that is what lets it read there.
fn named(grants: Grants, location: &Location) -> Grants {
    match location {
        Location::Registry(_) => grants.pull_reference(location),
        Location::Store(_) => grants,
    }
}

/// Whose results are meant by `buildkit://…`: the builder that is named, else the one that built what the metadata tell of.
fn builder(matches: &ArgMatches, built: Option<&Built>) -> Builder {
    let usual = Builder::usual();
    match (matches.get_one::<String>("builder"), built.and_then(|built| built.builder.as_ref())) {
        (Some(name), _) => usual.named(name),
        (None, Some((name, node))) => usual.named(name).node(node),
        (None, None) => usual,
    }
}

/// What was given for a parameter, each with its place on the command line.
fn given(parameter: &Parameter, matches: &ArgMatches) -> Vec<(usize, String)> {
    let name = parameter.name.as_str();
    if matches.value_source(name) != Some(ValueSource::CommandLine) {
        return Vec::new();
    }
    let places = matches.indices_of(name).into_iter().flatten();
    match parameter.kind {
        Kind::Flag if parameter.default.is_none() => places.take(1).map(|place| (place, "true".to_owned())).collect(),
        _ => places.zip(matches.get_many::<String>(name).into_iter().flatten().cloned()).collect(),
    }
}

/// Whether a text where a reference is meant can be one. A digest names content of some repository, a descriptor says more
/// of it; neither names the repository, so nothing is granted for them.
fn is_reference(text: &str) -> bool {
    !text.starts_with('{') && Digest::parse(text).is_err()
}

/// A registry's reference goes on as it was typed, which a frontend may want to show; a store's in the contract's words.
fn boundary(location: Location, typed: String) -> String {
    match location {
        Location::Registry(_) => typed,
        Location::Store(_) => location.to_string(),
    }
}

/// `--format`; a jq expression asks for JSON where there is some and nothing else was said.
fn format(info: &Info, matches: &ArgMatches) -> Option<String> {
    let json = || {
        let wanted = matches.contains_id("jq") && info.formats.iter().any(|format| format == "json");
        wanted.then(|| "json".to_owned())
    };
    matches.get_one::<String>("format").cloned().or_else(json)
}

fn mode(matches: &ArgMatches) -> Option<Mode> {
    match (matches.get_flag("compat"), matches.get_flag("exact")) {
        (true, _) => Some(Mode::CompatImagetools),
        (_, true) => Some(Mode::Exact),
        _ => matches.get_one::<String>("mode").and_then(|mode| mode.parse().ok()),
    }
}

/// A file's text, or what stdin holds.
pub fn content(path: &str) -> Result<String, Exit> {
    let fail =
        |error: std::io::Error| Exit::failure(format!("cannot read the file {path}: {error}")).because_of(&error);
    let mut bytes = Vec::new();
    let read = match path {
        "-" => std::io::stdin().lock().take(FILE_MAX + 1).read_to_end(&mut bytes),
        _ => std::fs::File::open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut bytes)),
    };
    read.map_err(fail)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(Exit::failure(format!(
            "cannot read the file {path}: it is larger than 8 MiB, the most that a frontend takes"
        )));
    }
    String::from_utf8(bytes).map_err(|_| Exit::failure(format!("cannot read the file {path}: it is no UTF-8 text")))
}

//! `frontends` and `describe`: what there is, what it takes and what it may ask for.

use std::ffi::OsString;

use clap::{Arg, Command};
use portolan::{Bundled, Component, Frontend, Info, Kind, Limits};

use crate::chosen::{self, Named};
use crate::exit::Exit;
use crate::setup::{FRONTENDS, host, said};
use crate::{frontend, output, policy};

/// `frontends`, in the list of commands.
pub const FRONTENDS_ABOUT: &str = "The frontends that are bundled";
/// `describe`, in the list of commands.
pub const DESCRIBE_ABOUT: &str = "What a frontend is, takes and may ask for";

fn json_or_text() -> Arg {
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(["text", "json"])
        .default_value("text")
        .help("How to answer")
}

/// The command `frontends`.
pub fn frontends_command() -> Command {
    Command::new("portolan frontends")
        .bin_name("portolan frontends")
        .about(FRONTENDS_ABOUT)
        .no_binary_name(true)
        .arg(json_or_text())
        .after_help("Example:\n  portolan frontends --format json")
}

/// Lists the bundled frontends.
pub async fn frontends(words: &[OsString]) -> Result<u8, Exit> {
    let matches = match frontends_command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let host = host(None, Limits::default())?;
    let mut all = Vec::new();
    for (name, ..) in FRONTENDS {
        let bundled = Bundled::named(name).ok_or_else(|| Exit::failure(format!("{name} is not bundled")))?;
        let loaded = host.load(Component::Bundled(bundled)).await?;
        all.push((loaded.describe().await?, loaded));
    }
    if matches.get_one::<String>("format").is_some_and(|format| format == "json") {
        let listed: Vec<serde_json::Value> = all.iter().map(|(info, loaded)| summary(info, loaded)).collect();
        return print_json(&serde_json::json!({ "frontends": listed }));
    }
    let mut text = String::new();
    for (info, _) in &all {
        text.push_str(&format!("{:<10}{:<9}{}\n", info.name, info.version, info.summary));
    }
    output::own(&text)?;
    Ok(0)
}

/// The command `describe`.
pub fn describe_command() -> Command {
    Command::new("portolan describe")
        .bin_name("portolan describe")
        .about(DESCRIBE_ABOUT)
        .no_binary_name(true)
        .arg(chosen::argument())
        .arg(json_or_text())
        .args(chosen::options())
        .after_help("Example:\n  portolan describe inspect")
}

/// Describes one.
pub async fn describe(words: &[OsString]) -> Result<u8, Exit> {
    let matches = match describe_command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let (rules, named) = (policy::policy()?, Named::of(&matches)?);
    let limits = policy::ruling(&rules, named.who(), None).limits(&Limits::default());
    let chosen = named.chosen(&rules, &matches).await?;
    let host = host(None, limits)?;
    let loaded = host.load(chosen.component()).await?;
    let info = loaded.describe().await?;
    if matches.get_one::<String>("format").is_some_and(|format| format == "json") {
        let mut described = summary(&info, &loaded);
        if let serde_json::Value::Object(fields) = &mut described {
            fields.insert("formats".into(), info.formats.clone().into());
            fields.insert("imports".into(), loaded.imports().into());
            fields.insert("parameters".into(), info.parameters.iter().map(parameter_json).collect());
        }
        return print_json(&described);
    }
    let mut text = format!("{} {}: {}\n\n", info.name, info.version, info.summary);
    text.push_str(&format!("digest   {}\n", loaded.digest()));
    text.push_str(&format!("formats  {}\n", info.formats.join(", ")));
    let imports = loaded.imports();
    match imports.split_first() {
        None => text.push_str("imports  nothing\n"),
        Some((first, others)) => {
            text.push_str(&format!("imports  {first}\n"));
            others.iter().for_each(|import| text.push_str(&format!("         {import}\n")));
        }
    }
    if !info.parameters.is_empty() {
        text.push_str("\nparameters\n");
        text.push_str(&parameters(&info));
    }
    output::own(&text)?;
    Ok(0)
}

/// What a frontend takes, a line each.
pub fn parameters(info: &Info) -> String {
    let width = info.parameters.iter().map(|parameter| spelled(parameter).len()).max().unwrap_or_default();
    let lines = info.parameters.iter();
    lines.map(|parameter| format!("  {:<width$}  {}\n", spelled(parameter), parameter.help)).collect()
}

/// A parameter as it is typed.
fn spelled(parameter: &portolan::Parameter) -> String {
    let value = match &parameter.kind {
        Kind::Flag => String::new(),
        Kind::Choice(choices) => choices.join("|"),
        _ => frontend::value_name(parameter),
    };
    let mut text = match (parameter.positional, &parameter.short) {
        (true, _) => value,
        (false, Some(short)) => format!("-{short}, --{} {value}", parameter.name).trim_end().to_owned(),
        (false, None) => format!("--{} {value}", parameter.name).trim_end().to_owned(),
    };
    if parameter.repeated {
        text.push_str(" …");
    }
    text
}

fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Flag => "flag",
        Kind::Text => "text",
        Kind::Choice(_) => "choice",
        Kind::PullReference => "pull-reference",
        Kind::PushReference => "push-reference",
        Kind::File => "file",
        Kind::PullReferenceFile => "pull-reference-file",
    }
}

fn parameter_json(parameter: &portolan::Parameter) -> serde_json::Value {
    serde_json::json!({
        "name": parameter.name,
        "short": parameter.short,
        "kind": kind(&parameter.kind),
        "choices": match &parameter.kind { Kind::Choice(choices) => Some(choices), _ => None },
        "help": parameter.help,
        "default": parameter.default,
        "required": parameter.required,
        "repeated": parameter.repeated,
        "positional": parameter.positional,
    })
}

fn summary(info: &Info, loaded: &Frontend) -> serde_json::Value {
    serde_json::json!({
        "name": info.name,
        "version": info.version,
        "summary": info.summary,
        "digest": loaded.digest().to_string(),
    })
}

fn print_json(value: &serde_json::Value) -> Result<u8, Exit> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| Exit::failure(format!("cannot write JSON: {error}")))?;
    output::own(&format!("{text}\n"))?;
    Ok(0)
}

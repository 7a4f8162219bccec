//! `portolan.toml` for a command line: which one counts, what it makes of a run, and `explain policy`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use portolan::policy::{Policy, Rule, Ruling, Saying, Who};
use portolan::{Limits, Run};
use serde_json::{Map, Value, json};

use crate::chosen::{self, Chosen, Named, admitted};
use crate::exit::Exit;
use crate::output;
use crate::setup::said;

/// The policy that this variable names, in the place of the nearest.
const VARIABLE: &str = "PORTOLAN_POLICY";

/// The policy that counts here.
pub fn policy() -> Result<Policy, Exit> {
    if let Some(file) = std::env::var_os(VARIABLE).filter(|file| !file.is_empty()) {
        return Ok(Policy::open(Path::new(&file))?);
    }
    let folder = std::env::current_dir().map_err(|error| {
        Exit::failure(format!("cannot tell which folder this is, to look for portolan.toml: {error}"))
    })?;
    Ok(Policy::nearest(&folder)?)
}

/// What it says of a frontend, plugged into which is this strategy.
pub fn ruling(policy: &Policy, frontend: Who<'_>, strategy: Option<&Path>) -> Ruling {
    policy.ruling(frontend, strategy.map(Who::File))
}

/// The strategy, if it may run.
pub fn strategy(path: Option<PathBuf>, ruling: &Ruling) -> Result<Option<Chosen>, Exit> {
    let (Some(path), Some(rule)) = (path, &ruling.strategy) else { return Ok(None) };
    admitted(path, rule).map(Some)
}

/// A run that ends when it is said to, even if it is a bundled frontend's; all else that bounds it is its host's.
pub fn patient(run: Run, ruling: &Ruling) -> Run {
    match ruling.wall_clock() {
        Some(limit) => run.wall_clock(Some(limit)),
        None => run,
    }
}

/// The command `explain policy`.
pub fn command() -> Command {
    Command::new("portolan explain policy")
        .bin_name("portolan explain policy")
        .about("What a frontend may do here, and which line of portolan.toml says so. Nobody is asked")
        .no_binary_name(true)
        .arg(chosen::argument())
        .arg(
            Arg::new("strategy")
                .long("strategy")
                .value_name("FILE.wasm")
                .value_parser(clap::value_parser!(PathBuf))
                .help("The strategy that would be plugged into it"),
        )
        .args(output::explaining())
        .after_help(
            "The nearest portolan.toml counts, in this folder or above, else the user's; PORTOLAN_POLICY names another.\n\n\
             Example:\n  portolan explain policy oci://ghcr.io/acme/newest:1\n  portolan explain policy copy --jq .frontend.push.values[]",
        )
}

/// `explain policy FRONTEND`.
pub fn explain(words: &[OsString]) -> Result<u8, Exit> {
    let matches = match command().try_get_matches_from(words.iter().skip(1)) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let named = Named::of(&matches)?;
    let strategy = matches.get_one::<PathBuf>("strategy").map(PathBuf::as_path);
    let policy = policy()?;
    let ruling = ruling(&policy, named.who(), strategy);
    // A bundled frontend may wait for as long as it has to.
    let usual = Limits::default();
    let usual = match named {
        Named::Bundled(_) => Limits { wall_clock: None, ..usual },
        Named::File(_) | Named::Published(_) => usual,
    };
    output::explained(&matches, &as_json(&policy, &ruling, &usual), || as_text(&policy, &ruling, &usual))
}

fn as_json(policy: &Policy, ruling: &Ruling, usual: &Limits) -> Value {
    let of = |rule: &Rule, sayings: Vec<Saying>| {
        let mut fields = Map::from_iter([("name".to_owned(), Value::from(rule.to_string()))]);
        for Saying { key, values, by } in sayings {
            fields.insert(key.to_owned(), json!({ "values": values, "by": by }));
        }
        Value::Object(fields)
    };
    json!({
        "policy": policy.file().map(|file| file.display().to_string()),
        "frontend": of(&ruling.frontend, ruling.sayings(usual)),
        "strategy": ruling.strategy.as_ref().map(|rule| of(rule, rule.sayings())),
    })
}

fn as_text(policy: &Policy, ruling: &Ruling, usual: &Limits) -> String {
    let file = policy.file().map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    let mut text = format!("{:<12} {file}\n", "Policy");
    let strategy = ruling.strategy.as_ref().map(|rule| ("Strategy", rule, rule.sayings()));
    // Where the file lies was said; what is in it, and beside it, is named from there.
    let folder = policy.file().and_then(Path::parent).map(|folder| format!("{}/", folder.display()));
    let near = |text: String| match folder.as_deref().and_then(|folder| text.strip_prefix(folder)) {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    for (what, rule, sayings) in [("Frontend", &ruling.frontend, ruling.sayings(usual))].into_iter().chain(strategy) {
        text.push_str(&format!("\n{what:<12} {rule}\n"));
        let sayings: Vec<Saying> = sayings
            .into_iter()
            .map(|Saying { key, values, by }| {
                let values = values.into_iter().map(near).collect();
                Saying { key, values, by: by.map(near) }
            })
            .collect();
        let width = sayings.iter().flat_map(|saying| &saying.values).map(|value| value.chars().count()).max();
        let width = width.unwrap_or_default();
        for Saying { key, values, by } in sayings {
            let (mut key, mut by) = (key, by.unwrap_or_else(|| "usual".to_owned()));
            for value in values {
                text.push_str(format!("  {key:<10} {value:<width$}  {by}").trim_end());
                text.push('\n');
                // Said once.
                (key, by) = ("", String::new());
            }
        }
    }
    text
}

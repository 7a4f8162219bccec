//! The commands: the bundled frontends by name, and `run`, `frontends` and `describe` for all of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use portolan::source::registry::Registry;
use portolan::{Bundled, Component, Frontend, Grants, Host, Info, Kind, Run, Stats};

use crate::exit::Exit;
use crate::stores::utf8;
use crate::{arguments, frontend, output};

/// The bundled frontends that are commands, each with what it is for and an example.
const FRONTENDS: [(&str, &str, &str); 4] = [
    ("inspect", "What an image or artifact is", "portolan inspect alpine:3 --platform linux/arm64"),
    (
        "resolve",
        "From a reference to root, manifest and config",
        "portolan resolve oci-layout://out:app --platform linux/amd64 --digest",
    ),
    (
        "layers",
        "Layers, diff-ids, chain-ids and sizes",
        "portolan layers --last --key chain-id --platform linux/amd64 oci-layout://out:app",
    ),
    (
        "explain",
        "What Portolan makes of a reference or a platform",
        "portolan explain platform linux/arm/v7 --among linux/arm64,linux/arm/v6",
    ),
];

const RUN: &str = "Any frontend: a bundled name, or a component's file";
const RUN_EXAMPLE: &str =
    "portolan run ./frontend.wasm --help\n  portolan run ./frontend.wasm alpine:3 --allow 'pull=ghcr.io/acme/*'";
const FRONTENDS_ABOUT: &str = "The frontends that are bundled";
const DESCRIBE: &str = "What a frontend is, takes and may ask for";

/// Does what the words say; the status to exit with.
pub async fn run(words: &[OsString]) -> Result<u8, Exit> {
    let first = words.first().map(utf8).transpose()?.unwrap_or("--help");
    let rest = words.get(1..).unwrap_or_default();
    match first {
        "run" => run_any(rest).await,
        "frontends" => frontends(rest).await,
        "describe" => describe(rest).await,
        _ => match FRONTENDS.iter().find(|(name, ..)| *name == first) {
            Some((name, _, example)) => {
                let bundled = Bundled::named(name).ok_or_else(|| Exit::failure(format!("{name} is not bundled")))?;
                Program {
                    path: format!("portolan {name}"),
                    component: Component::Bundled(bundled),
                    example: Some(example),
                }
                .run(rest, None)
                .await
            }
            // Help, the version, and what there is not: clap says it.
            None => match top().try_get_matches_from(words) {
                Ok(_) => Ok(0),
                Err(error) => said(&error),
            },
        },
    }
}

fn top() -> Command {
    let commands = FRONTENDS.into_iter().map(|(name, about, _)| (name, about)).chain([
        ("run", RUN),
        ("frontends", FRONTENDS_ABOUT),
        ("describe", DESCRIBE),
    ]);
    Command::new("portolan")
        .version(env!("CARGO_PKG_VERSION"))
        .about("WebAssembly plug-ins decide how container images are resolved")
        .no_binary_name(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands(commands.map(|(name, about)| Command::new(name).about(about)))
        .after_help(
            "A reference is [docker://]NAME[:TAG][@DIGEST], oci-layout://DIR[:TAG|/NAME[:TAG]][@DIGEST] or \
             oci-archive://FILE[…].\n\nExample:\n  portolan inspect alpine:3\n  portolan COMMAND --help",
        )
}

/// What clap has to say: help and the version are answers.
fn said(error: &clap::Error) -> Result<u8, Exit> {
    match error.print() {
        Ok(()) => Ok(u8::try_from(error.exit_code()).unwrap_or(2)),
        Err(error) => Err(Exit::failure(format!("cannot write: {error}"))),
    }
}

/// A frontend as a command.
struct Program<'a> {
    path: String,
    component: Component<'a>,
    example: Option<&'a str>,
}

impl Program<'_> {
    async fn run(&self, words: &[OsString], allowed: Option<&ArgMatches>) -> Result<u8, Exit> {
        let strategy = strategy(words);
        let host = host(strategy.as_deref())?;
        let loaded = host.load(self.component).await?;
        let info = loaded.describe().await?;
        let mut command = frontend::command(&self.path, &info, self.example)?;
        if allowed.is_some() {
            command = command.args([allow(), stats()]);
        }
        let matches = match command.try_get_matches_from(words) {
            Ok(matches) => matches,
            Err(error) => return said(&error),
        };
        let arguments = arguments::read(&info, &matches)?;
        let mut grants = arguments.grants;
        if let Some(before) = allowed {
            for pattern in
                [before, &matches].into_iter().filter_map(|matches| matches.get_many::<String>("allow")).flatten()
            {
                grants = allowing(grants, pattern)?;
            }
        }
        let mut run = Run::new(&loaded).grants(grants);
        for (name, value) in arguments.values {
            run = run.argument(name, value);
        }
        for (name, source) in arguments.stores.into_opened() {
            run = run.store(name, source);
        }
        let answer = host.run(run).await?;
        let status = answer.status;
        if let Some(before) = allowed
            && (before.get_flag("stats") || matches.get_flag("stats"))
        {
            eprintln!("{}", used(&answer.stats));
        }
        output::print(answer, matches.get_one::<String>("jq").map(String::as_str)).await?;
        Ok(status)
    }
}

/// The engine must know the strategy before a frontend is loaded, and a frontend before its options are known: so this one
/// option is looked for by hand, and clap sees it again.
fn strategy(words: &[OsString]) -> Option<PathBuf> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(word) = word.to_str() else { continue };
        match word.strip_prefix("--strategy") {
            Some("") => return words.next().map(PathBuf::from),
            Some(rest) => {
                if let Some(path) = rest.strip_prefix('=') {
                    return Some(path.into());
                }
            }
            None if word == "--" => return None,
            None => {}
        }
    }
    None
}

fn host(strategy: Option<&Path>) -> Result<Host, Exit> {
    let cache = cache_folder();
    let registry = Registry::builder().cache_dir(cache.as_ref().map(|cache| cache.join("documents"))).build()?;
    let mut builder = Host::builder().registry(registry);
    if let Some(cache) = cache {
        builder = builder.cache_dir(cache.join("compiled"));
    }
    if let Some(strategy) = strategy {
        builder = builder.strategy(Component::File(strategy));
    }
    Ok(builder.build()?)
}

/// `$XDG_CACHE_HOME/portolan`, else `~/.cache/portolan`.
fn cache_folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("XDG_CACHE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("portolan"))
}

fn allow() -> Arg {
    Arg::new("allow")
        .long("allow")
        .value_name("pull=PATTERN")
        .action(ArgAction::Append)
        .help("Let the frontend read repositories beyond those named on the command line: pull=ghcr.io/acme/*")
}

fn stats() -> Arg {
    Arg::new("stats").long("stats").action(ArgAction::SetTrue).help("Say on stderr what the run used up")
}

fn used(stats: &Stats) -> String {
    format!(
        "stats: {:.1?} from start to answer, {:.1?} of it computing; {} KiB of memory, {} host calls, {} bytes of documents",
        stats.elapsed,
        stats.cpu,
        stats.memory >> 10,
        stats.host_calls,
        stats.documents
    )
}

fn allowing(grants: Grants, option: &str) -> Result<Grants, Exit> {
    match option.split_once('=') {
        Some(("pull", pattern)) => {
            grants.pull(pattern).map_err(|error| Exit::usage(format!("--allow {option:?}: {error}")))
        }
        _ => Err(Exit::usage(format!("--allow {option:?} is not pull=PATTERN"))),
    }
}

async fn run_any(words: &[OsString]) -> Result<u8, Exit> {
    let command = Command::new("portolan run")
        .bin_name("portolan run")
        .about(RUN)
        .no_binary_name(true)
        .override_usage("portolan run [OPTIONS] FRONTEND [ITS OPTIONS]")
        .args([allow(), stats()])
        .arg(frontend_argument())
        .arg(
            Arg::new("rest")
                .value_name("ITS OPTIONS")
                .help("What the frontend takes, which its own --help tells")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .value_parser(clap::value_parser!(OsString)),
        )
        .after_help(format!("Example:\n  {RUN_EXAMPLE}"));
    let matches = match command.try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let rest: Vec<OsString> = matches.get_many("rest").into_iter().flatten().cloned().collect();
    let name = named(&matches);
    let program = Program { path: format!("portolan run {name}"), component: component(name)?, example: None };
    program.run(&rest, Some(&matches)).await
}

fn frontend_argument() -> Arg {
    Arg::new("frontend").value_name("FRONTEND").required(true).help("A bundled name, or a component's file")
}

fn named(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("frontend").map_or("", String::as_str)
}

fn component(name: &str) -> Result<Component<'_>, Exit> {
    if let Some(bundled) = Bundled::named(name).filter(|_| FRONTENDS.iter().any(|(command, ..)| *command == name)) {
        return Ok(Component::Bundled(bundled));
    }
    if name.contains("://") {
        return Err(Exit::usage(format!("{name:?} is neither a bundled frontend nor a file")));
    }
    Ok(Component::File(Path::new(name)))
}

fn json_or_text() -> Arg {
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(["text", "json"])
        .default_value("text")
        .help("How to answer")
}

async fn frontends(words: &[OsString]) -> Result<u8, Exit> {
    let command = Command::new("portolan frontends")
        .bin_name("portolan frontends")
        .about(FRONTENDS_ABOUT)
        .no_binary_name(true)
        .arg(json_or_text())
        .after_help("Example:\n  portolan frontends --format json");
    let matches = match command.try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let host = host(None)?;
    let mut all = Vec::new();
    for (name, ..) in FRONTENDS {
        let loaded = host.load(component(name)?).await?;
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

async fn describe(words: &[OsString]) -> Result<u8, Exit> {
    let command = Command::new("portolan describe")
        .bin_name("portolan describe")
        .about(DESCRIBE)
        .no_binary_name(true)
        .arg(frontend_argument())
        .arg(json_or_text())
        .after_help("Example:\n  portolan describe inspect");
    let matches = match command.try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let host = host(None)?;
    let loaded = host.load(component(named(&matches))?).await?;
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
    }
    let width = info.parameters.iter().map(|parameter| spelled(parameter).len()).max().unwrap_or_default();
    for parameter in &info.parameters {
        text.push_str(&format!("  {:<width$}  {}\n", spelled(parameter), parameter.help));
    }
    output::own(&text)?;
    Ok(0)
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

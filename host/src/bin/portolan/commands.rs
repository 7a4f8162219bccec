//! The commands: the bundled frontends by name, and `run` for any. What `frontends` and `describe` print is in
//! [`about`](crate::about).

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};
use portolan::policy::{Policy, Who};
use portolan::{Bundled, Component, Grants, Run, Stats};

use crate::chosen::{self, Named};
use crate::exit::{Exit, say};
use crate::metadata::MetadataFile;
use crate::progress::Screen;
use crate::setup::{FRONTENDS, host, said};
use crate::stores::utf8;
use crate::{about, arguments, audit, bundle, frontend, output, policy, registries};

const RUN: &str = "Any frontend: a bundled name, a component's file, or one in a registry";
const RUN_EXAMPLE: &str = "portolan run ./frontend.wasm --help\n  portolan run oci://ghcr.io/acme/newest:1 alpine:3 --allow 'pull=ghcr.io/acme/*'";

/// Does what the words say; the status to exit with.
pub async fn run(words: &[OsString], screen: &Screen) -> Result<u8, Exit> {
    let first = words.first().map(utf8).transpose()?.unwrap_or("--help");
    let rest = words.get(1..).unwrap_or_default();
    match first {
        "run" => run_any(rest, screen).await,
        "frontends" => about::frontends(rest).await,
        "describe" => about::describe(rest).await,
        // What this machine makes of a registry is not a frontend's business.
        "explain" if rest.first().is_some_and(|word| word == "registry") => registries::explain(rest).await,
        "explain" if rest.first().is_some_and(|word| word == "policy") => policy::explain(rest),
        "bundle" => bundle::bundle(rest).await,
        _ => match FRONTENDS.iter().find(|(name, ..)| *name == first) {
            Some((name, _, example)) => {
                let bundled = Bundled::named(name).ok_or_else(|| Exit::failure(format!("{name} is not bundled")))?;
                Program {
                    path: format!("portolan {name}"),
                    who: Who::Bundled(bundled),
                    policy: policy::policy()?,
                    component: Component::Bundled(bundled),
                    example: Some(example),
                }
                .run(rest, None, screen)
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
        ("frontends", about::FRONTENDS_ABOUT),
        ("describe", about::DESCRIBE_ABOUT),
        ("bundle", bundle::ABOUT),
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
            "A reference is [docker://]NAME[:TAG][@DIGEST], oci-layout://DIR[:TAG|/NAME[:TAG]][@DIGEST], \
             oci-archive://FILE[…] or docker-archive://FILE[…], where FILE may be - for standard input, \
             buildkit://BUILD[@DIGEST] (latest, or a name that the build gave), or containerd://[NAMESPACE/]NAME.\n\nExample:\n  portolan inspect alpine:3\n  portolan COMMAND --help",
        )
}

/// A frontend as a command.
struct Program<'a> {
    path: String,
    who: Who<'a>,
    policy: Policy,
    component: Component<'a>,
    example: Option<&'a str>,
}

impl Program<'_> {
    async fn run(&self, words: &[OsString], allowed: Option<&ArgMatches>, screen: &Screen) -> Result<u8, Exit> {
        let strategy = strategy(words);
        let ruling = policy::ruling(&self.policy, self.who, strategy.as_deref());
        ruling.admit()?;
        let host = host(policy::strategy(strategy, &ruling)?.as_ref())?;
        let begun = Instant::now();
        let loaded = host.load(self.component).await?;
        let ready = begun.elapsed();
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
        let asked = allowed.map(|before| asked(&[before, &matches])).transpose()?.flatten();
        let grants = ruling.grants(&arguments.grants, asked.as_ref())?;
        let mut run = Run::new(&loaded).grants(grants).registry(registries::registry(&matches)?);
        run = policy::bounded(run, &ruling);
        if let Some(path) = matches.get_one::<PathBuf>("audit") {
            run = run.audit(audit::to(path)?);
        }
        for (name, value) in arguments.values {
            run = run.argument(name, value);
        }
        for (name, source) in arguments.stores.into_opened() {
            run = run.store(name, source);
        }
        let metadata =
            matches.get_one::<PathBuf>("metadata-file").map(|path| MetadataFile::prepare(path)).transpose()?;
        let answer = host.run(run.progress(screen.progress(matches.get_flag("quiet")))).await?;
        screen.clear();
        if let Some(file) = metadata {
            file.write(&answer.metadata)?;
        }
        let status = answer.status;
        if let Some(before) = allowed
            && (before.get_flag("stats") || matches.get_flag("stats"))
        {
            say(&used(ready, &answer.stats));
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

fn allow() -> Arg {
    Arg::new("allow")
        .long("allow")
        .value_name("pull|push=PATTERN")
        .action(ArgAction::Append)
        .help("Let the frontend read (pull) or write (push) repositories beyond those named here: pull=ghcr.io/acme/*")
}

fn stats() -> Arg {
    Arg::new("stats").long("stats").action(ArgAction::SetTrue).help("Say on stderr what the run used up")
}

fn used(ready: Duration, stats: &Stats) -> String {
    format!(
        "stats: loaded in {ready:.1?}, started in {:.1?}; {:.1?} from start to answer, {:.1?} of it computing; at most {} \
         KiB of memory, {} host calls, {} bytes of documents",
        stats.startup,
        stats.elapsed,
        stats.cpu,
        stats.memory >> 10,
        stats.host_calls,
        stats.documents
    )
}

/// What `--allow` says, where it says anything.
fn asked(all: &[&ArgMatches]) -> Result<Option<Grants>, Exit> {
    let mut asked = None;
    for option in all.iter().filter_map(|matches| matches.get_many::<String>("allow")).flatten() {
        let grants: Grants = asked.unwrap_or_default();
        let granted = match option.split_once('=') {
            Some(("pull", pattern)) => grants.pull(pattern),
            Some(("push", pattern)) => grants.push(pattern),
            _ => return Err(Exit::usage(format!("--allow {option:?} is neither pull=PATTERN nor push=PATTERN"))),
        };
        asked = Some(granted.map_err(|error| Exit::usage(format!("--allow {option:?}: {error}")))?);
    }
    Ok(asked)
}

async fn run_any(words: &[OsString], screen: &Screen) -> Result<u8, Exit> {
    let command = Command::new("portolan run")
        .bin_name("portolan run")
        .about(RUN)
        .no_binary_name(true)
        .disable_help_flag(true)
        .override_usage("portolan run [OPTIONS] FRONTEND [ITS OPTIONS]")
        .args([allow(), stats()])
        .args(chosen::options())
        .arg(chosen::argument())
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
    // Help before the frontend's name is about running, behind it about the frontend.
    if words.first().is_none_or(|word| word == "--help" || word == "-h") {
        return match words.is_empty() {
            true => Err(Exit::usage(
                "run wants a FRONTEND: a bundled name, a component's file, or oci://NAME in a registry",
            )
            .hint("portolan run --help")),
            false => output::own(&command.clone().render_help().to_string()).map(|()| 0),
        };
    }
    let matches = match command.try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let rest: Vec<OsString> = matches.get_many("rest").into_iter().flatten().cloned().collect();
    let name = matches.get_one::<String>("frontend").map_or("", String::as_str);
    let (policy, named) = (policy::policy()?, Named::of(&matches)?);
    let chosen = named.chosen(&policy, &matches).await?;
    let program = Program {
        path: format!("portolan run {name}"),
        who: named.who(),
        policy,
        component: chosen.component(),
        example: None,
    };
    program.run(&rest, Some(&matches), screen).await
}

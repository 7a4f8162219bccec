//! The commands: the bundled frontends by name, and `run` for any. What `frontends` and `describe` print is in
//! [`about`](crate::about).

use std::ffi::OsString;

use clap::{Arg, Command};
use portolan::policy::Who;
use portolan::{Bundled, Component, Limits};

use crate::chosen::{self, Named};
use crate::exit::Exit;
use crate::program::{self, Program};
use crate::progress::Screen;
use crate::setup::{FRONTENDS, host, said};
use crate::sides::Sides;
use crate::stores::utf8;
use crate::{about, build, bundle, check, elsewhere, frontend, manual, new, output, policy, publish, registries};

const RUN: &str = "Any frontend: a bundled name, a component's file, or one in a registry";
const RUN_EXAMPLE: &str = "portolan run ./frontend.wasm --help\n  portolan run oci://ghcr.io/acme/newest:1 alpine:3 --allow 'pull=ghcr.io/acme/*'";

/// Whether a command may move blobs: what is foreign may.
pub fn moves_blobs(words: &[OsString]) -> bool {
    words.first().is_some_and(|first| ["copy", "create", "run"].iter().any(|moving| first == moving))
}

/// Whether a command is the gateway.
pub fn serves(words: &[OsString]) -> bool {
    cfg!(feature = "serve") && words.first().is_some_and(|first| first == "serve")
}

/// Does what the words say; the status to exit with.
pub async fn run(words: &[OsString], screen: &Screen) -> Result<u8, Exit> {
    let first = words.first().map(utf8).transpose()?.unwrap_or("--help");
    let rest = words.get(1..).unwrap_or_default();
    match first {
        "help" => {
            let asked: Vec<OsString> = rest.iter().cloned().chain(["--help".into()]).collect();
            Box::pin(run(&asked, screen)).await
        }
        "version" => Box::pin(run(&["--version".into()], screen)).await,
        "run" => run_any(rest, screen).await,
        "frontends" => about::frontends(rest).await,
        "describe" => about::describe(rest).await,
        // What this machine makes of a registry is not a frontend's business.
        "explain" if rest.first().is_some_and(|word| word == "registry") => registries::explain(rest).await,
        "explain" if rest.first().is_some_and(|word| word == "policy") => policy::explain(rest),
        "new" => new::new(rest),
        "build" => build::build(rest).await,
        "check" => check::check(rest).await,
        "publish" => publish::publish(rest).await,
        "bundle" => bundle::bundle(rest).await,
        "completions" => manual::completions(rest, tree).await,
        #[cfg(feature = "serve")]
        "serve" => crate::serve::serve(rest, screen).await,
        "man" => manual::pages(rest, tree).await,
        _ => match (FRONTENDS.iter().find(|(name, ..)| *name == first), elsewhere::here(first)) {
            (Some((name, _, example)), _) => {
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
            (None, Some(here)) => Err(Exit::usage(format!("there is no command {first}")).hint(here)),
            // Help, the version, and what there is not: clap says it.
            (None, None) => match top().try_get_matches_from(words) {
                Ok(_) => Ok(0),
                Err(error) => said(&error),
            },
        },
    }
}

/// What there is, in short.
fn top() -> Command {
    let commands = FRONTENDS.into_iter().map(|(name, about, _)| (name, about)).chain([
        ("run", RUN),
        ("frontends", about::FRONTENDS_ABOUT),
        ("describe", about::DESCRIBE_ABOUT),
        ("new", new::ABOUT),
        ("build", build::ABOUT),
        ("check", check::ABOUT),
        ("publish", publish::ABOUT),
        ("bundle", bundle::ABOUT),
        ("completions", manual::COMPLETIONS_ABOUT),
        ("man", manual::PAGES_ABOUT),
        #[cfg(feature = "serve")]
        ("serve", crate::serve::ABOUT),
    ]);
    root().subcommands(commands.map(|(name, about)| Command::new(name).about(about)))
}

/// Every command with all of its options: what the bundled frontends say of themselves, and what is ours.
async fn tree() -> Result<Command, Exit> {
    let host = host(None, Limits::default())?;
    let mut tree = root();
    for (name, _, example) in FRONTENDS {
        let bundled = Bundled::named(name).ok_or_else(|| Exit::failure(format!("{name} is not bundled")))?;
        let info = host.load(Component::Bundled(bundled)).await?.describe().await?;
        let mut command = frontend::command(&format!("portolan {name}"), &info, Some(example))?.name(name);
        if name == "explain" {
            command = command.subcommands([registries::command().name("registry"), policy::command().name("policy")]);
        }
        tree = tree.subcommand(command);
    }
    Ok(tree.subcommands([
        run_command().name("run"),
        about::frontends_command().name("frontends"),
        about::describe_command().name("describe"),
        new::command().name("new"),
        build::command().name("build"),
        check::command().name("check"),
        publish::command().name("publish"),
        bundle::command().name("bundle"),
        manual::completions_command().name("completions"),
        manual::pages_command().name("man"),
        #[cfg(feature = "serve")]
        crate::serve::command().name("serve"),
    ]))
}

fn root() -> Command {
    Command::new("portolan")
        .version(env!("CARGO_PKG_VERSION"))
        .about("WebAssembly plug-ins decide how container images are resolved")
        .no_binary_name(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .after_help(
            "A reference is [docker://]NAME[:TAG][@DIGEST], oci-layout://DIR[:TAG|/NAME[:TAG]][@DIGEST], \
             oci-archive://FILE[…] or docker-archive://FILE[…], where FILE may be - for standard input, \
             buildkit://BUILD[@DIGEST] (latest, or a name that the build gave), or containerd://[NAMESPACE/]NAME.\n\nExample:\n  portolan inspect alpine:3\n  portolan COMMAND --help",
        )
}

/// The command `run`.
fn run_command() -> Command {
    Command::new("portolan run")
        .bin_name("portolan run")
        .about(RUN)
        .no_binary_name(true)
        .disable_help_flag(true)
        .override_usage("portolan run [OPTIONS] FRONTEND [ITS OPTIONS]")
        .args(program::options())
        .args(chosen::options())
        .arg(chosen::argument())
        .arg(
            Arg::new("rest")
                .value_name("ITS OPTIONS")
                .help("What the frontend takes, which its own --help tells")
                .num_args(0..),
        )
        .after_help(format!("Example:\n  {RUN_EXAMPLE}"))
}

async fn run_any(words: &[OsString], screen: &Screen) -> Result<u8, Exit> {
    let command = run_command();
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
    let sides = Sides::of(words);
    let matches = match command.try_get_matches_from(sides.run) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
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
    program.run(&sides.frontend, Some(&matches), screen).await
}

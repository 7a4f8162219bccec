//! The commands: the bundled frontends by name, and `run` for any. What `frontends` and `describe` print is in
//! [`about`](crate::about).

use std::ffi::OsString;

use clap::{Arg, Command};
use portolan::policy::Who;
use portolan::{Bundled, Component};

use crate::chosen::{self, Named};
use crate::exit::Exit;
use crate::program::{self, Program};
use crate::progress::Screen;
use crate::setup::{FRONTENDS, said};
use crate::stores::utf8;
use crate::{about, bundle, output, policy, registries};

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

async fn run_any(words: &[OsString], screen: &Screen) -> Result<u8, Exit> {
    let command = Command::new("portolan run")
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

//! `bundle`: a frontend as one file that the plain `wasmtime` runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command, value_parser};
use portolan::{BundleReads, Limits};

use crate::chosen::{self, Named};
use crate::exit::{Exit, say};
use crate::setup::{host, said};
use crate::{frontend, output, policy};

/// `bundle`, in the list of commands.
pub const ABOUT: &str = "A frontend as one file that runs without Portolan: wasmtime run FILE";

/// The command.
pub fn command() -> Command {
    Command::new("portolan bundle")
        .bin_name("portolan bundle")
        .about(ABOUT)
        .no_binary_name(true)
        .arg(chosen::argument())
        .args(chosen::options())
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("Where it goes"),
        )
        .arg(
            Arg::new("strategy")
                .long("strategy")
                .value_name("FILE.wasm")
                .value_parser(value_parser!(PathBuf))
                .help("Match names and select platforms by this component"),
        )
        .arg(
            Arg::new("http")
                .long("http")
                .action(ArgAction::SetTrue)
                .help("Ask registries too, anonymously: wasmtime run -S http"),
        )
        .after_help(
            "The bundle reads OCI layouts, each a folder that the runtime opens under a name.\n\nExample:\n  \
             portolan bundle inspect -o all.wasm\n  wasmtime run --dir build/out::/out all.wasm inspect oci-layout://out:app",
        )
}

/// Makes the file.
pub async fn bundle(words: &[OsString]) -> Result<u8, Exit> {
    let matches = match command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let (rules, named) = (policy::policy()?, Named::of(&matches)?);
    let strategy = matches.get_one::<PathBuf>("strategy").cloned();
    let ruling = policy::ruling(&rules, named.who(), strategy.as_deref());
    let host = host(policy::strategy(strategy, &ruling)?.as_ref(), ruling.limits(&Limits::default()))?;
    let chosen = named.chosen(&rules, &matches).await?;
    let component = chosen.component();
    // What no command line can be made of here, none can be made of there.
    let info = host.load(component).await?.describe().await?;
    frontend::command("portolan bundle", &info, None)?;
    let (reads, option) = match matches.get_flag("http") {
        true => (BundleReads::Registries, "-S http "),
        false => (BundleReads::Layouts, ""),
    };
    let bytes = host.bundle(component, reads).await?;
    let file = matches.get_one::<PathBuf>("output").map_or(Path::new("-"), PathBuf::as_path);
    output::file(file, &bytes).map_err(|error| Exit::failure(format!("cannot write {}: {error}", file.display())))?;
    let (file, kib, name) = (file.display(), bytes.len() >> 10, &info.name);
    say(&format!("{file}: {kib} KiB, to be run by `wasmtime run {option}--dir DIR::/NAME {file} {name} …`"));
    Ok(0)
}

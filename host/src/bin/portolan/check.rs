//! `check`: whether a component's file is a frontend or a strategy that runs here, before anybody else finds out.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Arg, Command, value_parser};
use portolan::policy::{Ruling, Who};
use portolan::{Bundled, Component, Info, Limits, LoadError};

use crate::chosen::{Chosen, admitted};
use crate::exit::Exit;
use crate::setup::{host, said};
use crate::{frontend, output, policy};

/// `check`, in the list of commands.
pub const ABOUT: &str = "Whether a component's file is a frontend or a strategy that runs here";

/// What of WASI a component may import, and never gets anything from.
const DENIED: [(&str, &str); 3] = [
    ("wasi:sockets", "a frontend asks the host (`resolver`, `fetcher`), a strategy asks nobody"),
    ("wasi:http", "a frontend asks the host (`resolver`, `fetcher`), a strategy asks nobody"),
    ("wasi:filesystem", "no folder is open; what a user names as a `file` parameter arrives as text"),
];

/// The command.
pub fn command() -> Command {
    Command::new("portolan check")
        .bin_name("portolan check")
        .about(ABOUT)
        .no_binary_name(true)
        .arg(file())
        .after_help("Example:\n  portolan check newest-tag.wasm")
}

/// The argument that names a component's file.
pub fn file() -> Arg {
    Arg::new("file").value_name("FILE.wasm").required(true).value_parser(value_parser!(PathBuf)).help("The component")
}

/// A component's file that was looked at.
pub enum Checked {
    /// With what it says of itself, and what it imports.
    Frontend(Arc<Info>, Vec<String>),
    /// Something that judges.
    Strategy,
}

/// Loads it as what it is, asks a frontend to describe itself, and makes a command line of that.
pub async fn checked(path: &Path) -> Result<Checked, Exit> {
    let ruling = ruling(path)?;
    let (limits, chosen) = (ruling.limits(&Limits::default()), admitted(path.to_owned(), &ruling.frontend)?);
    match host(None, limits.clone())?.load(chosen.component()).await {
        Ok(loaded) => {
            let info = loaded.describe().await?;
            frontend::command("portolan check", &info, None)?;
            Ok(Checked::Frontend(info, loaded.imports()))
        }
        Err(LoadError::NoExport { exports, .. }) if exports.iter().any(|name| is_strategy(name)) => {
            // As a frontend meets it: plugged in.
            judges(&chosen, limits).await.map(|()| Checked::Strategy)
        }
        Err(error) => Err(error.into()),
    }
}

fn ruling(path: &Path) -> Result<Ruling, Exit> {
    Ok(policy::ruling(&policy::policy()?, Who::File(path), None))
}

fn is_strategy(interface: &str) -> bool {
    interface.split('@').next() == Some("portolan:oci/strategy")
}

async fn judges(strategy: &Chosen, limits: Limits) -> Result<(), Exit> {
    let host = host(Some(strategy), limits)?;
    host.load(Component::Bundled(Bundled::Resolve)).await?.describe().await?;
    Ok(())
}

/// Says what it is, and what its author may want to know.
pub async fn check(words: &[OsString]) -> Result<u8, Exit> {
    let matches = match command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let path = matches.get_one::<PathBuf>("file").map_or(Path::new(""), PathBuf::as_path);
    let checked = checked(path).await?;
    let size = std::fs::metadata(path).map_or(0, |file| file.len()).div_ceil(1000);
    let file = path.display();
    let mut text = match &checked {
        Checked::Frontend(info, _) => format!("{file} is a frontend: {} {}, {size} kB\n", info.name, info.version),
        Checked::Strategy => format!("{file} is a strategy, {size} kB\n"),
    };
    if let Checked::Frontend(info, imports) = &checked {
        text.push_str(&format!("it answers in {}, and takes\n", info.formats.join(", ")));
        text.push_str(&crate::about::parameters(info));
        for (package, instead) in DENIED {
            if imports.iter().any(|import| import.split('/').next() == Some(package)) {
                text.push_str(&format!("note: it imports {package}, which answers that access is denied: {instead}\n"));
            }
        }
        let asks = |import: &String| {
            import.strip_prefix("portolan:oci/").is_some_and(|interface| !interface.starts_with("types@"))
        };
        if !imports.iter().any(asks) {
            text.push_str(
                "note: it asks Portolan for nothing; a bundle is for wasmtime, and here runs what it was made of\n",
            );
        }
    }
    output::own(&text)?;
    Ok(0)
}

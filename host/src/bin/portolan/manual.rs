//! `completions` and `man`: what shells and `man` want to know, made of the commands that are parsed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, Command, value_parser};
use clap_complete::Shell;

use crate::exit::Exit;
use crate::output;
use crate::setup::said;

/// `completions`, in the list of commands.
pub const COMPLETIONS_ABOUT: &str = "What a shell needs to complete what you type";
/// `man`, in the list of commands.
pub const PAGES_ABOUT: &str = "Manual pages of all commands";

/// The command `completions`.
pub fn completions_command() -> Command {
    Command::new("portolan completions")
        .bin_name("portolan completions")
        .about(COMPLETIONS_ABOUT)
        .no_binary_name(true)
        .arg(Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell)).help("Which one"))
        .after_help("Example:\n  portolan completions bash > ~/.local/share/bash-completion/completions/portolan")
}

/// Prints them.
pub async fn completions(words: &[OsString], tree: impl AsyncFnOnce() -> Result<Command, Exit>) -> Result<u8, Exit> {
    let matches = match completions_command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let Some(&shell) = matches.get_one::<Shell>("shell") else { return Ok(2) };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut tree().await?, "portolan", &mut script);
    output::own(&String::from_utf8_lossy(&script)).map(|()| 0)
}

/// The command `man`.
pub fn pages_command() -> Command {
    Command::new("portolan man")
        .bin_name("portolan man")
        .about(PAGES_ABOUT)
        .no_binary_name(true)
        .arg(
            Arg::new("folder")
                .value_name("DIR")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("A folder that is there; one file is written for each command"),
        )
        .after_help("Example:\n  portolan man ~/.local/share/man/man1")
}

/// Writes them.
pub async fn pages(words: &[OsString], tree: impl AsyncFnOnce() -> Result<Command, Exit>) -> Result<u8, Exit> {
    let matches = match pages_command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let Some(folder) = matches.get_one::<PathBuf>("folder") else { return Ok(2) };
    let failed = |error: std::io::Error| {
        Exit::failure(format!("cannot write manual pages to {}: {error}", folder.display())).because_of(&error)
    };
    clap_mangen::generate_to(tree().await?, folder).map_err(failed)?;
    Ok(0)
}

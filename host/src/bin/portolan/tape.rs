//! `run --record FILE` and `run --replay FILE`: a run on tape, for who writes a frontend and for who reports a fault.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};
use portolan::{Recorded, Recorder};

use crate::exit::Exit;
use crate::{frontend, registries};

/// The option that has no frontend asked anything new.
pub const REPLAY: &str = "replay";
const RECORD: &str = "record";

/// Both options.
pub fn options() -> [Arg; 2] {
    let option = |name: &'static str| Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf));
    [
        option(RECORD).help("Write down every question to the host with its answer; what documents tell is in it"),
        option(REPLAY)
            .help("Answer as that was recorded, and ask nobody; what the frontend is asked is in the recording"),
    ]
}

/// What takes the place of a frontend's own options where a recording has them.
pub fn command(path: &str) -> Command {
    let ours = ["jq", "metadata-file", "quiet", "strategy"];
    let common = frontend::common(&[]).into_iter().filter(|option| ours.contains(&option.get_id().as_str()));
    let [_, replay] = options();
    Command::new(path.to_owned())
        .bin_name(path.to_owned())
        .about("The run that was recorded, again")
        .no_binary_name(true)
        .arg(replay)
        .args(common)
        // Nobody is asked, however they would be.
        .args(registries::options().into_iter().map(|option| option.hide(true)))
}

/// Where the run is written down: a new file for its owner alone, in the place of what was there.
pub fn recorder(matches: &[&ArgMatches]) -> Result<Option<Recorder>, Exit> {
    let Some(path) = matches.iter().find_map(|matches| matches.get_one::<PathBuf>(RECORD)) else { return Ok(None) };
    let file =
        new(path).map_err(|error| Exit::failure(format!("cannot write the recording {}: {error}", path.display())))?;
    Ok(Some(Recorder::new(file)))
}

fn new(path: &Path) -> std::io::Result<File> {
    // A device, or a pipe to another program, is not replaced.
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return File::options().write(true).open(path);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(tempfile::Builder::new().prefix(".portolan").tempfile_in(folder)?.persist(path)?)
}

/// The recording that is named on either side of the frontend.
pub fn recorded(before: &ArgMatches, words: &[OsString]) -> Result<Option<Recorded>, Exit> {
    let sides = [before.get_one::<PathBuf>(REPLAY).cloned(), frontend::named(words, "--replay")];
    let path = match sides {
        [Some(_), Some(_)] => return Err(Exit::usage("--replay is given twice")),
        [None, None] => return Ok(None),
        [Some(path), None] | [None, Some(path)] => path,
    };
    if before.contains_id("allow") || before.contains_id(RECORD) {
        let why = "a run that is given again asks nobody: --replay goes neither with --allow nor with --record";
        return Err(Exit::usage(why));
    }
    read(&path).map(Some)
}

fn read(path: &Path) -> Result<Recorded, Exit> {
    let shown = path.display();
    let file = File::open(path)
        .map_err(|error| Exit::failure(format!("cannot read the recording {shown}: {error}")).because_of(&error))?;
    Recorded::read(file).map_err(|why| {
        Exit::failure(format!("{shown} is no recording: {why}")).hint("`portolan run --record FILE` makes one")
    })
}

//! What an answer looks like on stdout, and files that are written whole or not at all.

use std::fs::Permissions;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::{Arg, ArgMatches};
use futures_util::TryStreamExt as _;
use portolan::{Answer, Body, text as safe};
use serde::Serialize;

use crate::exit::Exit;
use crate::query;

/// Prints an answer, through `jq` where one was given.
pub async fn print(answer: Answer, jq: Option<&str>) -> Result<(), Exit> {
    let is_json = answer.media_type == "application/json" || answer.media_type.ends_with("+json");
    if let Some(expression) = jq {
        let document = match &answer.body {
            Body::Text(text) => text.as_bytes(),
            Body::Bytes(bytes) => bytes.as_slice(),
            Body::Content { .. } => {
                return Err(Exit::usage("--jq wants a JSON answer, and this one is content to be stored"));
            }
        };
        for line in query::lines(expression, document)? {
            write(format!("{line}\n").as_bytes())?;
        }
        return flush();
    }
    match answer.body {
        Body::Text(text) => {
            let text = if is_json { safe::json(&text) } else { safe::block(&text) };
            write(text.as_bytes())?;
            if !text.is_empty() && !text.ends_with('\n') {
                write(b"\n")?;
            }
        }
        Body::Bytes(bytes) => write_bytes(&bytes)?,
        Body::Content { mut stream, .. } => {
            while let Some(piece) = stream.try_next().await? {
                write_bytes(&piece)?;
            }
        }
    }
    flush()
}

/// Bytes are somebody's content: a file or a program gets them as they are, a terminal gets them harmless.
fn write_bytes(bytes: &[u8]) -> Result<(), Exit> {
    match io::stdout().is_terminal() {
        true => write(safe::block(&String::from_utf8_lossy(bytes)).as_bytes()),
        false => write(bytes),
    }
}

/// Writes a file beside its place and puts it there when it is whole.
pub fn file(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // As any file that a program makes: what the umask leaves of it.
    let mut beside = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
    beside.write_all(bytes)?;
    beside.as_file().sync_all()?;
    beside.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// How the command line is asked for what it explains itself.
pub fn explaining() -> [Arg; 2] {
    let format = Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(["text", "json"])
        .help("How to answer; the first is the default");
    let jq = Arg::new("jq")
        .long("jq")
        .value_name("EXPR")
        .help("Print what this jq expression makes of the JSON answer, texts bare");
    [format, jq]
}

/// Prints an explanation as [`explaining`] was told to.
pub fn explained(matches: &ArgMatches, json: &impl Serialize, text: impl FnOnce() -> String) -> Result<u8, Exit> {
    let json =
        || serde_json::to_string_pretty(json).map_err(|error| Exit::failure(format!("cannot write JSON: {error}")));
    if let Some(expression) = matches.get_one::<String>("jq") {
        for line in query::lines(expression, json()?.as_bytes())? {
            own(&format!("{line}\n"))?;
        }
        return Ok(0);
    }
    match matches.get_one::<String>("format").map(String::as_str) {
        Some("json") => own(&format!("{}\n", json()?))?,
        _ => own(&text())?,
    }
    Ok(0)
}

/// Prints what the command line itself has to say.
pub fn own(text: &str) -> Result<(), Exit> {
    write(safe::block(text).as_bytes())?;
    flush()
}

fn write(bytes: &[u8]) -> Result<(), Exit> {
    io::stdout().write_all(bytes).or_else(closed)
}

fn flush() -> Result<(), Exit> {
    io::stdout().flush().or_else(closed)
}

/// A reader that has seen enough (`| head`) is no failure.
fn closed(error: io::Error) -> Result<(), Exit> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Exit::failure(format!("cannot write the answer: {error}"))),
    }
}

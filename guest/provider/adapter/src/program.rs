//! From the words of a command line to an answer on stdout and a status.

use crate::bindings::portolan::oci::frontend::{self, Request};
use crate::describe::{Info, Kind};
use crate::exit::Exit;
use crate::words::{Asked, Given};
use crate::{files, help, output, stores, words};

/// What a response's status may be besides 0: lower ones say that there is no answer.
const STATUSES: std::ops::RangeInclusive<u8> = 6..=63;

/// Does what the words say; the status to exit with.
pub(crate) fn run(words: &[String]) -> Result<u8, Exit> {
    let info = Info::from(frontend::describe());
    let (name, rest) = words.split_first().map_or(("", words), |(name, rest)| (name.as_str(), rest));
    if name == "--help" || name == "-h" {
        return output::own(&help::help(&info)).map(|()| 0);
    }
    named(&info, name)?;
    let given = match words::parse(&info, rest)? {
        Asked::Help => return output::own(&help::help(&info)).map(|()| 0),
        Asked::Answer(given) => given,
    };
    let response = frontend::solve(&Request { arguments: arguments(given)? })?;
    let status = response.status;
    if status != 0 && !STATUSES.contains(&status) {
        return Err(Exit::failure(format!("the frontend broke the contract: it answered with the status {status}")));
    }
    output::print(response)?;
    Ok(status)
}

/// The first word is the name of the frontend that is in here.
fn named(info: &Info, name: &str) -> Result<(), Exit> {
    let wrong = match name {
        name if name == info.name => return Ok(()),
        "" => "the frontend's name is missing".to_owned(),
        name => format!("{name:?} is not in this bundle"),
    };
    Err(Exit::usage(wrong).hint(format!("the frontend in it is {0}: wasmtime run BUNDLE {0} …", info.name)))
}

/// What the frontend is asked.
fn arguments(given: Given<'_>) -> Result<Vec<(String, String)>, Exit> {
    let folders = files::wasi::folders();
    let mut arguments = Vec::with_capacity(given.values.len() + 2);
    for (parameter, typed) in given.values {
        let value = match parameter.kind {
            Kind::Flag | Kind::Text | Kind::Choice(_) => typed,
            Kind::Reference => stores::boundary(&typed, &folders)?,
            Kind::File => files::wasi::content(&typed)?,
        };
        arguments.push((parameter.name.clone(), value));
    }
    arguments.extend(given.format.map(|format| ("format".to_owned(), format)));
    arguments.extend(given.mode.map(|mode| ("mode".to_owned(), mode.as_str().to_owned())));
    Ok(arguments)
}

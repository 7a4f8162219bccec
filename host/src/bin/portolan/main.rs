//! The command line: reads what was typed, binds stores, grants what was named, and prints what a frontend answered.
//!
//! Thin on purpose. Which platform, which entry, which layer: a frontend's business. Which request, which file: the
//! library's.

mod about;
mod arguments;
mod audit;
mod build;
mod built;
mod bundle;
mod check;
mod chosen;
mod commands;
mod componentize;
mod daemons;
mod elsewhere;
mod exit;
mod frontend;
mod log;
mod manual;
mod metadata;
mod new;
mod output;
mod policy;
mod program;
mod progress;
mod publish;
mod query;
mod registries;
#[cfg(feature = "serve")]
mod serve;
mod setup;
mod sides;
mod stores;
mod tape;
#[cfg(feature = "serve")]
mod traces;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    let screen = progress::Screen::new();
    // The gateway's traces are part of it, and it has yet to be told where they go.
    if !commands::serves(&words) {
        log::begin(screen.clone());
    }
    let done = match runtime(&words) {
        Ok(runtime) => runtime.block_on(commands::run(&words, &screen)),
        Err(error) => Err(exit::Exit::failure(format!("cannot start: {error}"))),
    };
    screen.clear();
    match done {
        Ok(status) => ExitCode::from(status),
        Err(exit) => exit.report(),
    }
}

/// Who moves blobs has a thread for each that moves at a time, as far as there are processors: they are hashed side by side.
/// The gateway has one for each processor. Who only looks does all in this thread, for which no other has to be started and
/// woken, and a few more wait for the disk.
fn runtime(words: &[std::ffi::OsString]) -> std::io::Result<tokio::runtime::Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = |count| tokio::runtime::Builder::new_multi_thread().worker_threads(count).enable_all().build();
    match commands::moves_blobs(words) {
        _ if commands::serves(words) => threads(processors),
        true => threads(processors.min(4)),
        false => tokio::runtime::Builder::new_current_thread().max_blocking_threads(4).enable_all().build(),
    }
}

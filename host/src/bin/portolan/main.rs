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

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    let screen = progress::Screen::new();
    log(screen.clone());
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
/// Who only looks does all in this thread, for which no other has to be started and woken, and a few more wait for the disk.
fn runtime(words: &[std::ffi::OsString]) -> std::io::Result<tokio::runtime::Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    match commands::moves_blobs(words) {
        true => tokio::runtime::Builder::new_multi_thread().worker_threads(processors.min(4)).enable_all().build(),
        false => tokio::runtime::Builder::new_current_thread().max_blocking_threads(4).enable_all().build(),
    }
}

/// What guests and the library have to say goes to stderr: warnings and errors, or from the level that `PORTOLAN_LOG`
/// names (error, warn, info, debug, trace).
fn log(screen: progress::Screen) {
    let level = std::env::var("PORTOLAN_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(tracing::Level::WARN);
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(screen)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        // It would say so on stderr, which is what failed.
        .log_internal_errors(false)
        .init();
}

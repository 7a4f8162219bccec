//! What a frontend says besides its answer, on stderr: as `portolan` shows it, one line an event, warnings and errors, or
//! from the level that `$PORTOLAN_LOG` names.

use std::io::Write as _;

use portolan_oci::text;
use wasip2::cli::stderr::get_stderr;

use crate::bindings::exports::portolan::oci::host::Level;

/// A longer line is cut.
const LINE: usize = 4 << 10;

/// Shows a message, if it is grave enough.
pub(crate) fn say(level: Level, message: &str, least: Option<&str>) {
    let (rank, name) = match level {
        Level::Error => (1, "ERROR"),
        Level::Warn => (2, " WARN"),
        Level::Info => (3, " INFO"),
        Level::Debug => (4, "DEBUG"),
    };
    if rank <= least.map_or(2, self::rank) {
        // Where nobody can hear it there is nobody to tell that either.
        let _ = writeln!(get_stderr(), "{name} {}", text::line(text::at_most(message, LINE)));
    }
}

/// How much a level shows.
fn rank(level: &str) -> u8 {
    match level.to_ascii_lowercase().as_str() {
        "error" => 1,
        "info" => 3,
        "debug" => 4,
        "trace" => 5,
        _ => 2,
    }
}

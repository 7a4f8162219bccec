//! What a guest says besides its answer: its log, and what a WASI guest writes to stdout and stderr. It goes to `tracing`
//! (target [`TARGET`]), one line an event, capped and escaped.

use crate::text;

/// The target of the events.
pub const TARGET: &str = "portolan::guest";

/// A longer line is cut.
const LINE: usize = 4 << 10;
/// After so many bytes in one run nothing more is logged, but that.
const RUN: usize = 1 << 20;
/// As much of stderr as is kept to tell why a guest trapped.
const TAIL: usize = 4 << 10;

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// One run's log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    written: usize,
    /// What was said last at level error: the SDK's panic hook speaks there.
    complaint: Option<String>,
    stdout: String,
    stderr: String,
    /// The last lines of stderr, where a panic without the SDK's hook is told.
    tail: String,
}

impl Log {
    pub(crate) fn say(&mut self, level: Level, message: &str) {
        if level == Level::Error {
            self.complaint = Some(shown(message));
        }
        self.emit(level, message);
    }

    /// WASI's stdout: lines at level info.
    pub(crate) fn stdout(&mut self, bytes: &[u8]) {
        let mut buffer = std::mem::take(&mut self.stdout);
        self.stream(Level::Info, &mut buffer, bytes);
        self.stdout = buffer;
    }

    /// WASI's stderr: lines at level warn.
    pub(crate) fn stderr(&mut self, bytes: &[u8]) {
        let mut buffer = std::mem::take(&mut self.stderr);
        self.stream(Level::Warn, &mut buffer, bytes);
        self.stderr = buffer;
        self.tail.push_str(&String::from_utf8_lossy(bytes));
        let excess = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..self.tail.ceil_char_boundary(excess));
    }

    /// Lines that were begun are said as they are.
    pub(crate) fn flush(&mut self) {
        for (level, line) in
            [(Level::Info, std::mem::take(&mut self.stdout)), (Level::Warn, std::mem::take(&mut self.stderr))]
        {
            if !line.is_empty() {
                self.emit(level, &line);
            }
        }
    }

    /// What the guest said of its own end, escaped: the last complaint, else the end of stderr.
    pub(crate) fn last_words(&self) -> Option<String> {
        let tail = self.tail.trim();
        self.complaint.clone().or_else(|| (!tail.is_empty()).then(|| text::block(tail).into_owned()))
    }

    fn stream(&mut self, level: Level, buffer: &mut String, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            buffer.push_str(&String::from_utf8_lossy(piece));
            if buffer.ends_with('\n') || buffer.len() > LINE {
                self.emit(level, buffer.trim_end_matches(['\r', '\n']));
                buffer.clear();
            }
        }
    }

    fn emit(&mut self, level: Level, message: &str) {
        if self.written > RUN {
            return;
        }
        let line = shown(message);
        self.written += line.len() + 1;
        match level {
            Level::Debug => tracing::debug!(target: TARGET, "{line}"),
            Level::Info => tracing::info!(target: TARGET, "{line}"),
            Level::Warn => tracing::warn!(target: TARGET, "{line}"),
            Level::Error => tracing::error!(target: TARGET, "{line}"),
        }
        if self.written > RUN {
            tracing::warn!(target: TARGET, "it said more than {RUN} bytes: the rest is dropped");
        }
    }
}

/// Cut and escaped.
fn shown(message: &str) -> String {
    let cut = text::at_most(message, LINE);
    let mut line = text::line(cut).into_owned();
    if cut.len() < message.len() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_short_and_escaped() {
        let mut log = Log::default();
        assert_eq!(log.last_words(), None);
        log.stderr(b"thread panicked\nat \x1b[31mred");
        assert_eq!(log.last_words().unwrap(), "thread panicked\nat \\u{1b}[31mred");
        log.stderr(&vec![b'x'; 3 * TAIL]);
        assert_eq!(log.last_words().unwrap().len(), TAIL);
        log.say(Level::Warn, "not this");
        log.say(Level::Error, &format!("\u{1b}{}", "ä".repeat(LINE)));
        let words = log.last_words().unwrap();
        assert!(words.starts_with("\\u{1b}ää") && words.ends_with("ä…") && words.len() < LINE + 16, "{}", words.len());
    }

    #[test]
    fn a_flood_is_dropped() {
        let mut log = Log::default();
        let line = "x".repeat(LINE);
        for _ in 0..10_000 {
            log.say(Level::Info, &line);
        }
        log.stdout(&vec![b'y'; 10 * RUN]);
        assert!(log.written <= RUN + LINE + 1);
        assert!(log.stdout.len() <= 10 * RUN);
    }
}

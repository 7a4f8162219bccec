//! What the client logs, at its most talkative: searched for secrets as it comes, and not kept.

use std::io;
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use super::memory::{self, STAGES};
use super::secrets;

/// Lines that told a secret, for each stage.
static TOLD: [Mutex<Vec<String>>; STAGES] = [const { Mutex::new(Vec::new()) }; STAGES];

struct Writer;

impl io::Write for Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        if let (Some(stage), Some(secret)) = (memory::stage(), secrets::found_in(&text)) {
            let mut told = TOLD[stage].lock().unwrap_or_else(PoisonError::into_inner);
            told.push(format!("{secret} is in the log: {}", text.trim_end()));
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Writer;

    fn make_writer(&'a self) -> Writer {
        Writer
    }
}

/// Listens to everything that this process logs.
pub fn listen() {
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(Writer).init();
}

/// What a stage's play told, which is forgotten with that.
pub fn told(stage: usize) -> Vec<String> {
    std::mem::take(&mut *TOLD[stage].lock().unwrap_or_else(PoisonError::into_inner))
}

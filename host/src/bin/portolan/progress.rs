//! What is being moved, on stderr: bars with bytes, rate and time left on a terminal, a line for each thing elsewhere,
//! nothing with `--quiet`.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::{DecimalBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use portolan::progress::{Event, Moved, Progress};
use portolan::text;
use portolan_oci::{Descriptor, Digest, Location};
use tracing_subscriber::fmt::MakeWriter;

use crate::exit::say;

/// As much of a digest as tells one layer from another.
const SHORT: usize = 12;

/// The one place that draws on stderr, so that a line of the log does not end up inside a bar.
#[derive(Clone)]
pub struct Screen {
    bars: MultiProgress,
    is_terminal: bool,
}

impl Screen {
    /// stderr.
    pub fn new() -> Self {
        Screen {
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            is_terminal: io::IsTerminal::is_terminal(&io::stderr()),
        }
    }

    /// Who is told what a run moves.
    pub fn progress(&self, quiet: bool) -> Progress {
        match (quiet, self.is_terminal) {
            (true, _) => Progress::default(),
            (false, true) => {
                let board = Mutex::new(Board { bars: self.bars.clone(), total: None, blobs: HashMap::new() });
                Progress::new(move |event| board.lock().unwrap_or_else(PoisonError::into_inner).show(event))
            }
            (false, false) => Progress::new(|event| {
                if let Some(line) = line(&event) {
                    say(&line);
                }
            }),
        }
    }

    /// Takes the bars away: what follows is the answer, or an error.
    pub fn clear(&self) {
        let _ = self.bars.clear();
    }
}

/// The log's lines, above the bars.
impl<'a> MakeWriter<'a> for Screen {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { bars: self.bars.clone(), bytes: Vec::new() }
    }
}

/// One line of the log, written when it is whole.
pub struct Line {
    bars: MultiProgress,
    bytes: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        // Where nobody can hear it there is nobody to tell that either.
        let _ = self.bars.suspend(|| io::stderr().write_all(&bytes));
    }
}

/// A line for each thing that is done, none for what goes on.
fn line(event: &Event) -> Option<String> {
    match event {
        Event::Planned { target, blobs, bytes, documents } => Some(format!(
            "copying to {}: {blobs} blobs of {}, {documents} manifests",
            text::line(&shown(target)),
            DecimalBytes(*bytes)
        )),
        Event::Present(blob, moved) => Some(format!("{} {:>11}  {}", short(&blob.digest), size(blob), how(*moved))),
        Event::Stored { descriptor, name: Some(name), created } => {
            let what = if *created { "written" } else { "there already" };
            Some(format!("{} {:>11}  {what}: {}", short(&descriptor.digest), size(descriptor), text::line(name)))
        }
        _ => None,
    }
}

/// A store by the path that was typed.
fn shown(repository: &str) -> String {
    Location::parse(repository).map_or_else(|_| repository.to_owned(), |location| location.shown())
}

fn short(digest: &Digest) -> String {
    digest.hex().chars().take(SHORT).collect()
}

fn size(descriptor: &Descriptor) -> String {
    DecimalBytes(descriptor.size).to_string()
}

fn how(moved: Moved) -> &'static str {
    match moved {
        Moved::Already => "there already",
        Moved::Mounted => "mounted",
        _ => "copied",
    }
}

/// The bars of one run.
struct Board {
    bars: MultiProgress,
    total: Option<ProgressBar>,
    blobs: HashMap<Digest, ProgressBar>,
}

impl Board {
    fn show(&mut self, event: Event) {
        match event {
            Event::Planned { bytes, .. } => {
                let total = self.total.get_or_insert_with(|| {
                    let bar = self.bars.add(ProgressBar::new(0).with_style(style("all         ")));
                    bar.enable_steady_tick(std::time::Duration::from_millis(200));
                    bar
                });
                total.inc_length(bytes);
            }
            Event::Started(blob) => {
                // Begun again: what had come of it counts no more.
                if let (Some(old), Some(total)) = (self.blobs.remove(&blob.digest), &self.total) {
                    total.set_position(total.position().saturating_sub(old.position()));
                    old.finish_and_clear();
                }
                let bar = ProgressBar::new(blob.size).with_style(style(&short(&blob.digest)));
                self.blobs.insert(blob.digest, self.bars.insert(0, bar));
            }
            Event::Moved(digest, bytes) => {
                for bar in self.blobs.get(&digest).into_iter().chain(&self.total) {
                    bar.inc(bytes);
                }
            }
            Event::Present(blob, _) => {
                let moved = self.blobs.remove(&blob.digest).map_or(0, |bar| {
                    bar.finish_and_clear();
                    bar.position()
                });
                if let Some(total) = &self.total {
                    total.inc(blob.size.saturating_sub(moved));
                }
            }
            _ => {}
        }
    }
}

fn style(label: &str) -> ProgressStyle {
    let template = format!(
        "{label} [{{bar:30}}] {{decimal_bytes:>11}}/{{decimal_total_bytes:<11}} {{decimal_bytes_per_sec:>13}} {{eta:>4}} left"
    );
    // The template is ours; the default is a bar as well.
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

//! Contestants in turn, and the rows that they make in the table of `bench.py`.
//!
//! Each has its turn, over and over, so that whatever else the machine does falls on all of them alike. A row is a line of
//! standard output: `row ` and an object of JSON, with every number that was measured.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What was measured, in the order in which it was.
#[derive(Clone, Default)]
pub struct Measured(pub Vec<f64>);

impl Measured {
    pub fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// So many in a hundred are at most this.
    pub fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    }
}

/// What a row is to hold.
#[derive(Clone, Copy)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// Of ours, over theirs.
    RatioAtMost(f64),
}

pub struct Row {
    what: String,
    unit: &'static str,
    ours: f64,
    raw: Measured,
    peer: Option<(&'static str, Measured)>,
    target: Option<Target>,
}

impl Row {
    /// One of medians.
    pub fn new(what: impl Into<String>, unit: &'static str, ours: &Measured) -> Self {
        Row { what: what.into(), unit, ours: ours.median(), raw: ours.clone(), peer: None, target: None }
    }

    /// One of what so many in a hundred hold.
    pub fn percentile(what: impl Into<String>, unit: &'static str, ours: &Measured, percent: usize) -> Self {
        // The numbers are those of the median's row.
        Row { ours: ours.percentile(percent), raw: Measured::default(), ..Row::new(what, unit, ours) }
    }

    pub fn against(mut self, peer: &'static str, theirs: &Measured) -> Self {
        self.peer = Some((peer, theirs.clone()));
        self
    }

    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    pub fn print(self) {
        let Row { what, unit, ours, raw, peer, target } = self;
        let (peer, theirs, others) = match peer {
            Some((peer, theirs)) => (Some(peer), Some(theirs.median()), theirs.0),
            None => (None, None, Vec::new()),
        };
        let ratio = theirs.map(|theirs| ours / theirs);
        let (told, held) = match target {
            None => (None, None),
            Some(Target::AtMost(most)) => (Some(format!("≤ {most} {unit}")), Some(ours <= most)),
            Some(Target::AtLeast(least)) => (Some(format!("≥ {least} {unit}")), Some(ours >= least)),
            Some(Target::RatioAtMost(most)) => {
                (Some(format!("≤ {most} ×")), Some(ratio.is_some_and(|ratio| ratio <= most)))
            }
        };
        let verdict = held.map(|held| if held { "held" } else { "MISSED" });
        let row: Value = json!({
            "what": what, "ours": ours, "theirs": theirs, "peer": peer, "unit": unit, "ratio": ratio, "target": told,
            "verdict": verdict, "raw": { "ours": short(raw.0), "theirs": short(others) },
        });
        println!("row {row}");
    }
}

/// As exact as it is worth keeping.
fn short(numbers: Vec<f64>) -> Vec<f64> {
    numbers.into_iter().map(|number| (number * 10.0).round() / 10.0).collect()
}

/// Runs each contestant `row` times in a row, whose turn comes `turns` times after one that does not count; microseconds.
/// All have to answer the same.
pub fn in_turn<const N: usize, T: PartialEq>(
    turns: usize,
    row: usize,
    contestants: [&dyn Fn() -> T; N],
) -> [Measured; N] {
    let answer = contestants.map(|contestant| contestant()).into_iter().reduce(|first, next| {
        assert!(first == next, "the contestants do not answer the same");
        first
    });
    black_box(answer);
    let mut measured = [const { Measured(Vec::new()) }; N];
    for turn in 0..=turns {
        for (contestant, Measured(times)) in contestants.iter().zip(&mut measured) {
            for _ in 0..row {
                let started = Instant::now();
                black_box(contestant());
                let took: Duration = started.elapsed();
                if turn > 0 {
                    times.push(took.as_secs_f64() * 1e6);
                }
            }
        }
    }
    measured
}

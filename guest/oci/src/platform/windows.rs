//! Windows versions: which build of an image runs on which build of the system.

use std::cmp::Ordering;

/// The builds from which on newer systems run older images.
const COMPATIBLE_SINCE: [u64; 2] = [20348, 26100];

/// A wanted `os.version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wanted {
    version: (u64, u64, u64),
}

impl Wanted {
    pub(super) fn new(text: &str) -> Self {
        Wanted { version: read(text) }
    }

    /// Whether an image for `candidate` runs there. A wanted version that does not parse takes everything.
    pub(super) fn takes(self, candidate: &str) -> bool {
        if self.version == (0, 0, 0) || candidate.is_empty() {
            return true;
        }
        let (wanted, candidate) = (self.version, read(candidate));
        if (wanted.0, wanted.1) != (candidate.0, candidate.1) {
            return false;
        }
        let [first, _] = COMPATIBLE_SINCE;
        if wanted.2 < first {
            return wanted.2 == candidate.2;
        }
        let oldest = COMPATIBLE_SINCE.into_iter().rev().find(|&build| build < wanted.2).unwrap_or(first);
        (oldest..=wanted.2).contains(&candidate.2)
    }
}

/// Major, minor and build; the fourth part does not count. Zeros where there are fewer than three parts.
fn read(text: &str) -> (u64, u64, u64) {
    let mut parts = text.split('.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(major), Some(minor), Some(build)) => {
            let number = |part: &str| part.parse().unwrap_or(0);
            (number(major), number(minor), number(build))
        }
        _ => (0, 0, 0),
    }
}

/// Which of two versions is the newer: number by number, none lowest.
pub(super) fn newer(left: &str, right: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        match text.is_empty() {
            true => Vec::new(),
            false => text.split('.').map(|part| part.parse().unwrap_or(0)).collect(),
        }
    };
    numbers(left).cmp(&numbers(right))
}

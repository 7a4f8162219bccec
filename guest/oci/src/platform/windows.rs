//! Windows versions: which build of an image runs on which build of the system.

use std::cmp::Ordering;

/// The builds from which on newer systems run older images.
const COMPATIBLE_SINCE: [u16; 2] = [20348, 26100];

/// A wanted `os.version`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted(Option<Version>);

impl Wanted {
    pub(super) fn new(text: &str) -> Self {
        // containerd cannot tell zeros from a version that does not parse.
        Wanted(read(text).filter(|version| *version != (0, 0, 0)))
    }

    /// Whether an image for `candidate` runs there. A wanted version that does not parse takes everything; a candidate that
    /// does not parse is taken by no other.
    pub(super) fn takes(self, candidate: &str) -> bool {
        let Some((major, minor, wanted)) = self.0 else { return true };
        if candidate.is_empty() {
            return true;
        }
        let Some((.., build)) = read(candidate).filter(|version| (version.0, version.1) == (major, minor)) else {
            return false;
        };
        let [first, _] = COMPATIBLE_SINCE;
        if wanted < first {
            return wanted == build;
        }
        let oldest = COMPATIBLE_SINCE.into_iter().rev().find(|&since| since < wanted).unwrap_or(first);
        (oldest..=wanted).contains(&build)
    }
}

/// Major, minor and build.
type Version = (u8, u8, u16);

/// The fourth part does not count. Fewer than three, or numbers larger than Windows' own, are no version.
fn read(text: &str) -> Option<Version> {
    let mut parts = text.split('.').map(|part| part.bytes().all(|byte| byte.is_ascii_digit()).then_some(part));
    let mut number = || parts.next().flatten();
    Some((number()?.parse().ok()?, number()?.parse().ok()?, number()?.parse().ok()?))
}

/// Which of two versions is the newer: number by number, none lowest.
pub(super) fn newer(left: &str, right: &str) -> Ordering {
    fn numbers(text: &str) -> impl Iterator<Item = u64> {
        text.split('.').filter(|_| !text.is_empty()).map(|part| part.parse().unwrap_or(0))
    }
    numbers(left).cmp(numbers(right))
}

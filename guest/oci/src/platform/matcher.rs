//! What a wanted platform accepts, and how well.

use std::cmp::Reverse;

use super::{Platform, windows};

/// How good a match is; the smaller the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// The place of architecture and variant in the list of what is accepted.
    place: u64,
    /// Among equals more features are better.
    features: Reverse<usize>,
}

/// A wanted platform, made ready to be compared with many.
#[derive(Debug, Clone)]
pub struct Matcher {
    wanted: Platform,
    machine: Platform,
    version: windows::Wanted,
    ladder: Ladder,
}

/// The architectures that run what was built for others, best first.
#[derive(Debug, Clone)]
enum Ladder {
    /// Nothing but itself.
    Itself,
    /// `amd64/vN` and below, then 386. N can be huge, so this list is computed and never made.
    Amd64(u64),
    /// The same for a variant that is no number.
    Amd64Other,
    /// `arm/vN` down to `arm/v5`.
    Arm(u64),
    /// These variants of arm64, then arm v8 and below.
    Arm64(Vec<String>),
    /// An arm64 that nobody knows.
    Nothing,
}

const ARM_OLDEST: u64 = 5;
const ARM_OF_ARM64: u64 = 8;

impl Matcher {
    /// `machine` says what an absent operating system means. `exact` leaves the fallbacks out.
    pub fn new(wanted: &Platform, machine: &Platform, exact: bool) -> Self {
        let wanted = wanted.normalized(machine);
        let number = || wanted.variant.strip_prefix('v').unwrap_or(&wanted.variant).parse::<u64>().ok();
        let ladder = match wanted.architecture.as_str() {
            _ if exact => Ladder::Itself,
            "amd64" => match (wanted.variant.as_str(), number()) {
                ("", _) => Ladder::Amd64(1),
                (_, Some(number)) if number > 1 => Ladder::Amd64(number),
                _ => Ladder::Amd64Other,
            },
            "arm" => match number() {
                Some(number) if number > ARM_OLDEST => Ladder::Arm(number),
                _ => Ladder::Itself,
            },
            "arm64" => arm64(&wanted.variant).map_or(Ladder::Nothing, Ladder::Arm64),
            _ => Ladder::Itself,
        };
        Matcher { version: windows::Wanted::new(&wanted.os_version), machine: machine.clone(), wanted, ladder }
    }

    /// Whether `os.version` counts.
    pub(super) fn is_windows(&self) -> bool {
        self.wanted.os == "windows"
    }

    /// How well `candidate` fits; `None` if it does not.
    pub fn rank(&self, candidate: &Platform) -> Option<Rank> {
        let candidate = candidate.normalized(&self.machine);
        if candidate.os != self.wanted.os
            || !self.has_features(&candidate)
            || (self.is_windows() && !self.version.takes(&candidate.os_version))
        {
            return None;
        }
        let place = self.place(&candidate.architecture, &candidate.variant)?;
        Some(Rank { place, features: Reverse(candidate.os_features.len()) })
    }

    fn has_features(&self, candidate: &Platform) -> bool {
        let mut win32k_may_be_missing = self.is_windows();
        candidate.os_features.iter().all(|feature| {
            let dropped = win32k_may_be_missing && feature == "win32k";
            if dropped {
                win32k_may_be_missing = false;
            }
            dropped || self.wanted.os_features.contains(feature)
        })
    }

    fn place(&self, architecture: &str, variant: &str) -> Option<u64> {
        let itself = architecture == self.wanted.architecture && variant == self.wanted.variant;
        // A variant's number, in its one right spelling.
        let number = || variant.strip_prefix('v')?.parse::<u64>().ok().filter(|number| variant == format!("v{number}"));
        match &self.ladder {
            _ if itself && !matches!(self.ladder, Ladder::Nothing) => Some(0),
            Ladder::Itself | Ladder::Nothing => None,
            Ladder::Amd64(best) => match architecture {
                "amd64" if variant.is_empty() => Some(best - 1),
                "amd64" => best.checked_sub(number().filter(|&number| number > 0)?),
                "386" if variant.is_empty() => Some(*best),
                _ => None,
            },
            Ladder::Amd64Other => (architecture == "386" && variant.is_empty()).then_some(1),
            Ladder::Arm(best) => arm(architecture, number(), *best),
            Ladder::Arm64(variants) => match architecture {
                "arm64" => variants.iter().position(|known| known == variant).map(|place| place as u64),
                _ => Some(variants.len() as u64 + arm(architecture, number(), ARM_OF_ARM64)?),
            },
        }
    }

    /// What is accepted, best first, at most `most`; with the wanted version and features.
    pub fn accepts(&self, most: usize) -> Vec<Platform> {
        let with = |architecture: &str, variant: String| Platform {
            architecture: architecture.into(),
            variant,
            ..self.wanted.clone()
        };
        let arm = |best: u64| (ARM_OLDEST..=best).rev().map(move |number| with("arm", format!("v{number}")));
        match &self.ladder {
            Ladder::Itself => vec![self.wanted.clone()],
            Ladder::Nothing => Vec::new(),
            Ladder::Amd64(best) => (2..=*best)
                .rev()
                .map(|number| with("amd64", format!("v{number}")))
                .chain([with("amd64", String::new()), with("386", String::new())])
                .take(most)
                .collect(),
            Ladder::Amd64Other => vec![self.wanted.clone(), with("386", String::new())],
            Ladder::Arm(best) => arm(*best).take(most).collect(),
            Ladder::Arm64(variants) => variants
                .iter()
                .map(|variant| with("arm64", variant.clone()))
                .chain(arm(ARM_OF_ARM64))
                .take(most)
                .collect(),
        }
    }
}

/// The place of `arm/vNUMBER` on the ladder that starts at `best`.
fn arm(architecture: &str, number: Option<u64>, best: u64) -> Option<u64> {
    let number = number.filter(|number| architecture == "arm" && *number >= ARM_OLDEST)?;
    best.checked_sub(number)
}

/// The variants of arm64 that `wanted` runs, best first; `None` for a variant that nobody knows.
fn arm64(wanted: &str) -> Option<Vec<String>> {
    const NEWEST_8: u64 = 9;
    const NEWEST_9: u64 = 7;
    let eight = |newest: u64| {
        (0..=newest)
            .rev()
            .map(|minor| if minor == 0 { String::new() } else { format!("v8.{minor}") })
            .collect::<Vec<_>>()
    };
    let minor = |newest: u64| {
        let minor = wanted.get(3..)?.parse::<u64>().ok()?;
        (minor <= newest && wanted.get(3..) == Some(minor.to_string().as_str())).then_some(minor)
    };
    let nine = |newest: u64| {
        let mut all: Vec<String> =
            (0..=newest).rev().map(|minor| if minor == 0 { "v9".into() } else { format!("v9.{minor}") }).collect();
        all.extend(eight((newest + 5).min(NEWEST_8)));
        all
    };
    match wanted {
        "" => Some(eight(0)),
        "v9" => Some(nine(0)),
        _ if wanted.starts_with("v8.") => minor(NEWEST_8).map(eight),
        _ if wanted.starts_with("v9.") => minor(NEWEST_9).map(nine),
        _ => None,
    }
}

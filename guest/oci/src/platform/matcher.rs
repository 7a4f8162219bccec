//! What a wanted platform accepts, and how well.

use std::cmp::Reverse;

use super::{Platform, normalize, windows};

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
    /// The operating system of a candidate that names none.
    machine_os: String,
    version: windows::Wanted,
    ladder: Ladder,
}

/// The architectures that run what was built for others, best first. Computed and never listed: a version can be huge.
#[derive(Debug, Clone)]
enum Ladder {
    /// Nothing but itself.
    Itself,
    /// `amd64/vN` down to `v1`, which is written as none, then 386.
    Amd64(u64),
    /// The same for a variant that is no number.
    Amd64Other,
    /// `arm/vN` down to `arm/v5`.
    Arm(u64),
    /// The minor versions of arm64's v9, where that is wanted, and of its v8; then arm v8 and below.
    Arm64 { nine: Option<u64>, eight: u64 },
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
            "arm64" => match arm64(&wanted.variant) {
                Some((9, minor)) => Ladder::Arm64 { nine: Some(minor), eight: (minor + 5).min(ARM64_NEWEST_8) },
                Some((_, minor)) => Ladder::Arm64 { nine: None, eight: minor },
                None => Ladder::Nothing,
            },
            _ => Ladder::Itself,
        };
        Matcher { version: windows::Wanted::new(&wanted.os_version), machine_os: machine.os.clone(), wanted, ladder }
    }

    /// Whether `os.version` counts.
    pub(super) fn is_windows(&self) -> bool {
        self.wanted.os == "windows"
    }

    /// How well `candidate` fits; `None` if it does not.
    pub fn rank(&self, candidate: &Platform) -> Option<Rank> {
        if normalize::os(&candidate.os, &self.machine_os) != self.wanted.os
            || !self.has_features(candidate)
            || (self.is_windows() && !self.version.takes(&candidate.os_version))
        {
            return None;
        }
        let (architecture, variant) = normalize::architecture(&candidate.architecture, &candidate.variant);
        let place = self.place(&architecture, &variant)?;
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
        match self.ladder {
            Ladder::Nothing => None,
            _ if itself => Some(0),
            Ladder::Itself => None,
            Ladder::Amd64(best) => match architecture {
                "amd64" if variant.is_empty() => Some(best - 1),
                "amd64" => best.checked_sub(version(variant)?),
                "386" if variant.is_empty() => Some(best),
                _ => None,
            },
            Ladder::Amd64Other => (architecture == "386" && variant.is_empty()).then_some(1),
            Ladder::Arm(best) => arm(architecture, variant, best),
            Ladder::Arm64 { nine, eight } => {
                let above = nine.map_or(0, |minor| minor + 1);
                match architecture {
                    "arm64" => match arm64(variant)? {
                        (9, minor) => nine?.checked_sub(minor),
                        (_, minor) => Some(above + eight.checked_sub(minor)?),
                    },
                    _ => Some(above + eight + 1 + arm(architecture, variant, ARM_OF_ARM64)?),
                }
            }
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
        let arm64 = |major: u64, newest: u64| {
            (0..=newest).rev().map(move |minor| match (major, minor) {
                (8, 0) => with("arm64", String::new()),
                (_, 0) => with("arm64", format!("v{major}")),
                _ => with("arm64", format!("v{major}.{minor}")),
            })
        };
        let none = String::new();
        match self.ladder {
            Ladder::Nothing => Vec::new(),
            Ladder::Itself => [self.wanted.clone()].into_iter().take(most).collect(),
            Ladder::Amd64(best) => (2..=best)
                .rev()
                .map(|number| with("amd64", format!("v{number}")))
                .chain([with("amd64", none.clone()), with("386", none)])
                .take(most)
                .collect(),
            Ladder::Amd64Other => [self.wanted.clone(), with("386", none)].into_iter().take(most).collect(),
            Ladder::Arm(best) => arm(best).take(most).collect(),
            Ladder::Arm64 { nine, eight } => nine
                .into_iter()
                .flat_map(|minor| arm64(9, minor))
                .chain(arm64(8, eight))
                .chain(arm(ARM_OF_ARM64))
                .take(most)
                .collect(),
        }
    }
}

/// N of `vN`, in its one right spelling.
fn version(variant: &str) -> Option<u64> {
    let digits = variant.strip_prefix('v')?;
    if digits.starts_with(['0', '+']) { None } else { digits.parse().ok() }
}

/// The place of an arm on the ladder that starts at `best`.
fn arm(architecture: &str, variant: &str, best: u64) -> Option<u64> {
    let version = version(variant).filter(|version| architecture == "arm" && *version >= ARM_OLDEST)?;
    best.checked_sub(version)
}

const ARM64_NEWEST_8: u64 = 9;
const ARM64_NEWEST_9: u64 = 7;

/// Major and minor version of a known arm64.
fn arm64(variant: &str) -> Option<(u64, u64)> {
    match variant {
        "" => Some((8, 0)),
        "v9" => Some((9, 0)),
        _ => {
            let (major, newest, minor) = match variant.split_at_checked(3)? {
                ("v8.", minor) => (8, ARM64_NEWEST_8, minor),
                ("v9.", minor) => (9, ARM64_NEWEST_9, minor),
                _ => return None,
            };
            let [digit @ b'1'..=b'9'] = minor.as_bytes() else { return None };
            Some((major, u64::from(digit - b'0'))).filter(|(_, minor)| *minor <= newest)
        }
    }
}

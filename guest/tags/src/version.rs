//! Tags as versions (semver.org, 2.0).
//!
//! A tag is a version if, after a `v` that may lead, it is one to three numbers, and a pre-release after a hyphen that may
//! follow: `1.4.2`, `v2.0.0-rc.1`, `16.2-alpine`. A `_` stands for `+`, which no tag can hold (Helm writes it so). Leading
//! zeros do not count: `24.04` is 24.4.
//!
//! Two numbers mean a third that is 0 (PostgreSQL counts so), unless tags with three numbers begin with the same two: then
//! `1.4` is a name that moves from one 1.4.x to the next, and left out. One number counts only where no tag has more: `3`
//! is mostly such a name too, and `20240923` a date. Only tags with the same pre-release are compared in this: `16-alpine`
//! moves where `16.2-alpine` is.

use std::collections::BTreeSet;

use semver::{BuildMetadata, Prerelease, Version, VersionReq};

use crate::name::Name;

/// Which versions are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Those that this admits.
    Admitted(VersionReq),
    /// All but pre-releases.
    Stable,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) names: Vec<Name>,
    /// Where there is none: the highest version that only its being a pre-release kept out.
    pub(crate) passed_over: Option<String>,
}

/// A tag read as a version.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Read {
    version: Version,
    /// How many numbers were written.
    numbers: usize,
}

/// The names whose tags are wanted versions, the newest first; what is equal stays in its order.
pub(crate) fn newest_first(names: Vec<Name>, wanted: &Wanted) -> Found {
    // A store may have names of several repositories, and each has versions of its own.
    let read: Vec<(Read, Name)> = names.into_iter().filter_map(|name| Some((Read::tag(name.tag())?, name))).collect();
    // What tags of two and of three numbers have in common with those of fewer.
    let two: BTreeSet<(&str, (u64, u64, &Prerelease))> = read
        .iter()
        .filter(|(read, _)| read.numbers == 3)
        .map(|(read, name)| (name.repository(), read.beginning()))
        .collect();
    let more: BTreeSet<(&str, &Prerelease)> = read
        .iter()
        .filter(|(read, _)| read.numbers > 1)
        .map(|(read, name)| (name.repository(), &read.version.pre))
        .collect();
    let moves = |read: &Read, name: &Name| match read.numbers {
        1 => more.contains(&(name.repository(), &read.version.pre)),
        2 => two.contains(&(name.repository(), read.beginning())),
        _ => false,
    };
    let stays: Vec<bool> = read.iter().map(|(read, name)| !moves(read, name)).collect();
    let mut versions: Vec<(Version, Name)> =
        read.into_iter().zip(stays).filter_map(|((read, name), stays)| stays.then_some((read.version, name))).collect();
    versions.sort_by(|(left, _), (right, _)| right.cmp(left));
    let passed_over = versions.iter().find(|(version, _)| !version.pre.is_empty() && wanted.admits(&stable(version)));
    let passed_over = passed_over.map(|(_, name)| name.tag().to_owned());
    let names: Vec<Name> =
        versions.into_iter().filter(|(version, _)| wanted.admits(version)).map(|(_, name)| name).collect();
    match names.is_empty() {
        true => Found { names, passed_over },
        false => Found { names, passed_over: None },
    }
}

/// The version that a pre-release comes before.
fn stable(version: &Version) -> Version {
    Version::new(version.major, version.minor, version.patch)
}

impl Wanted {
    fn admits(&self, version: &Version) -> bool {
        match self {
            Wanted::Admitted(requirement) => requirement.matches(version),
            Wanted::Stable => version.pre.is_empty(),
        }
    }
}

impl Read {
    fn tag(tag: &str) -> Option<Self> {
        let text = tag.strip_prefix(['v', 'V']).unwrap_or(tag);
        let (text, build) = text.split_once('_').map_or((text, ""), |(text, build)| (text, build));
        let (text, pre) = text.split_once('-').map_or((text, None), |(text, pre)| (text, Some(pre)));
        let pre = match pre {
            Some("") => return None,
            Some(pre) => Prerelease::new(pre).ok()?,
            None => Prerelease::EMPTY,
        };
        let mut numbers = Vec::new();
        for part in text.split('.') {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            numbers.push(digits.then(|| part.parse().ok()).flatten()?);
        }
        let (major, minor, patch) = match *numbers.as_slice() {
            [major] => (major, 0, 0),
            [major, minor] => (major, minor, 0),
            [major, minor, patch] => (major, minor, patch),
            _ => return None,
        };
        let build = BuildMetadata::new(build).ok()?;
        Some(Read { version: Version { major, minor, patch, pre, build }, numbers: numbers.len() })
    }

    fn beginning(&self) -> (u64, u64, &Prerelease) {
        (self.version.major, self.version.minor, &self.version.pre)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(wanted: &Wanted, tags: &str) -> String {
        let names = tags.split_whitespace().map(Name::bare).collect();
        newest_first(names, wanted).names.into_iter().map(Name::into_text).collect::<Vec<_>>().join(" ")
    }

    fn admitted(requirement: &str) -> Wanted {
        Wanted::Admitted(requirement.parse().unwrap())
    }

    #[test]
    fn tags_as_versions() {
        for (tag, expected) in [
            ("1.4.2", Some(("1.4.2", 3))),
            ("v1.4.2", Some(("1.4.2", 3))),
            ("V1.4", Some(("1.4.0", 2))),
            ("3", Some(("3.0.0", 1))),
            ("24.04", Some(("24.4.0", 2))),
            ("2024.01.05", Some(("2024.1.5", 3))),
            ("1.2.3-rc.1", Some(("1.2.3-rc.1", 3))),
            ("16.2-alpine3.20", Some(("16.2.0-alpine3.20", 2))),
            ("1.2.3_build.5", Some(("1.2.3+build.5", 3))),
            ("1.2.3-rc.1_5", Some(("1.2.3-rc.1+5", 3))),
            ("1.2.3_v1-2", Some(("1.2.3+v1-2", 3))),
            ("latest", None),
            ("v", None),
            ("vv1.0.0", None),
            ("1.", None),
            ("1..2", None),
            ("1.2.3.4", None),
            ("1.2.x", None),
            ("1.2.3-", None),
            ("1.2.3-01", None),
            ("1.2.3-a_b_c", None),
            ("18446744073709551616.0.0", None),
            ("+1.0.0", None),
        ] {
            let read = Read::tag(tag);
            let read = read.as_ref().map(|read| (read.version.to_string(), read.numbers));
            assert_eq!(read.as_ref().map(|(text, numbers)| (text.as_str(), *numbers)), expected, "{tag}");
        }
    }

    #[test]
    fn names_that_move_are_left_out() {
        for (tags, expected) in [
            // alpine
            ("3 3.20 3.20.3 3.20.10 3.19 3.19.4 20240923 edge latest", "3.20.10 3.20.3 3.19.4"),
            // postgres
            ("17 17.2 17-alpine 17.2-alpine 16.6 16 9 9.6 9.6.24 latest", "17.2 16.6 9.6.24"),
            // ubuntu, fedora
            ("22.04 24.04 24.10 rolling noble", "24.10 24.04 22.04"),
            ("9 40 41 rawhide", "41 40 9"),
            // One number of another kind of image says nothing of these.
            ("1.2-alpine 3 4", "4 3"),
            ("1.2.3 v1.2.3 v1.2 v1", "1.2.3 v1.2.3"),
        ] {
            assert_eq!(listed(&Wanted::Stable, tags), expected, "{tags}");
        }
    }

    #[test]
    fn requirements() {
        let tags = "1.1.9 1.2.0 v1.2.7 1.3.0 1.4.0 1.4.1 1.10.0 2.0.0-rc.1 2.0.0-rc.2 2.0.0 2.1.0-beta.1 0.9.3 latest";
        for (requirement, expected) in [
            ("^1.2", "1.10.0 1.4.1 1.4.0 1.3.0 v1.2.7 1.2.0"),
            ("1.2", "1.10.0 1.4.1 1.4.0 1.3.0 v1.2.7 1.2.0"),
            (">=1.2, <2", "1.10.0 1.4.1 1.4.0 1.3.0 v1.2.7 1.2.0"),
            ("~1.4", "1.4.1 1.4.0"),
            ("=1.4.0", "1.4.0"),
            ("0.*", "0.9.3"),
            // Pre-releases only beside a requirement that names one of the same version.
            (">=2.0.0-rc.2", "2.0.0 2.0.0-rc.2"),
            ("*", "2.0.0 1.10.0 1.4.1 1.4.0 1.3.0 v1.2.7 1.2.0 1.1.9 0.9.3"),
            (">3", ""),
        ] {
            assert_eq!(listed(&admitted(requirement), tags), expected, "{requirement}");
        }
    }

    #[test]
    fn a_pre_release_that_would_have_been_wanted_is_remembered() {
        let found = |wanted: &Wanted, tags: &str| {
            newest_first(tags.split_whitespace().map(Name::bare).collect(), wanted).passed_over
        };
        assert_eq!(found(&admitted(">=15"), "14.1-alpine 16.2-alpine 16.1-alpine"), Some("16.2-alpine".to_owned()));
        assert_eq!(found(&Wanted::Stable, "1.0.0-rc.1"), Some("1.0.0-rc.1".to_owned()));
        assert_eq!(found(&admitted(">=15"), "16.2 17.0-alpine"), None);
        assert_eq!(found(&admitted(">=15"), "14.2-alpine"), None);
    }
}

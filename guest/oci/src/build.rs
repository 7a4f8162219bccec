//! Results of builds, as a builder's store lists them among its entries: what an entry says of the build that it came from,
//! and how builds are asked for.
//!
//! The newest build comes first. A result that was given names has an entry for each, with the annotations that name an
//! entry in any store; one that was given none has an entry without.

use std::collections::BTreeSet;

use crate::document::{Descriptor, Index};

/// Annotation: the build's own reference, as `buildctl debug histories` and `docker buildx history ls` list it.
pub const BUILD: &str = "dev.portolan.build.ref";
/// Annotation: when the build began, as RFC 3339 has it.
pub const STARTED: &str = "dev.portolan.build.started";
/// Annotation: when the build was done, as RFC 3339 has it.
pub const COMPLETED: &str = "dev.portolan.build.completed";
/// The newest build, where a build's reference may stand.
pub const NEWEST: &str = "latest";

/// The build that an entry came from.
pub fn of(entry: &Descriptor) -> Option<&str> {
    entry.annotations.get(BUILD).map(String::as_str)
}

/// Positions of the entries of one build: of that reference, or the newest one. A build that was exported several times
/// has several results, and a result may have several entries.
pub fn positions(entries: &Index, build: &str) -> Vec<usize> {
    let wanted = match build {
        NEWEST => entries.manifests.first().and_then(of),
        build => Some(build),
    };
    let entries = entries.manifests.iter().enumerate();
    match wanted {
        None => Vec::new(),
        Some(wanted) => entries.filter(|(_, entry)| of(entry) == Some(wanted)).map(|(position, _)| position).collect(),
    }
}

/// The references of the builds, the newest first, at most so many.
pub fn newest(entries: &Index, most: usize) -> Vec<&str> {
    let mut known = BTreeSet::new();
    entries.manifests.iter().filter_map(of).filter(|build| known.insert(*build)).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Digest;

    fn entries(builds: &[&str]) -> Index {
        let entry = |build: &&str| {
            let mut entry = Descriptor::new(crate::media_type::OCI_INDEX, Digest::sha256(build.as_bytes()), 1);
            if !build.is_empty() {
                entry.annotations.insert(BUILD.into(), (*build).into());
            }
            entry
        };
        Index { manifests: builds.iter().map(entry).collect(), ..Index::parse(br#"{"manifests":[]}"#).unwrap() }
    }

    #[test]
    fn builds_are_asked_for_by_their_reference_or_for_being_the_newest() {
        let entries = entries(&["c", "c", "b", "", "a"]);
        for (build, expected) in
            [("latest", vec![0, 1]), ("c", vec![0, 1]), ("b", vec![2]), ("a", vec![4]), ("", vec![]), ("nope", vec![])]
        {
            assert_eq!(positions(&entries, build), expected, "{build}");
        }
        assert_eq!(newest(&entries, 2), ["c", "b"]);
        assert_eq!(newest(&entries, 9), ["c", "b", "a"]);
        assert!(positions(&self::entries(&[]), NEWEST).is_empty());
    }
}

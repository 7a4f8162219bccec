//! Tags read as versions, for `newest-tag` and `strategy-newest-tag`.

use semver::{BuildMetadata, Prerelease, Version};

/// One to three numbers after a `v` that may lead, and a pre-release after a hyphen.
pub(crate) fn version(tag: &str) -> Option<Version> {
    let text = tag.strip_prefix('v').unwrap_or(tag);
    let (text, pre) = match text.split_once('-') {
        Some((text, pre)) => (text, Prerelease::new(pre).ok().filter(|pre| !pre.is_empty())?),
        None => (text, Prerelease::EMPTY),
    };
    let numbers: Option<Vec<u64>> = text.split('.').map(|number| number.parse().ok()).collect();
    let (major, minor, patch) = match *numbers?.as_slice() {
        [major] => (major, 0, 0),
        [major, minor] => (major, minor, 0),
        [major, minor, patch] => (major, minor, patch),
        _ => return None,
    };
    Some(Version { major, minor, patch, pre, build: BuildMetadata::EMPTY })
}

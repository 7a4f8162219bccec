//! A strategy: a tag in a store may be a range of versions.
//!
//! For who runs from a layout what was built there last: `oci-layout://out:~1.4` is the newest 1.4.x in it, and
//! `oci-layout://out/acme/app:^1` the newest 1.x of that name. What is a legal tag (`1.4`, `1.x`) is meant to the letter, so
//! that no name which means something without this strategy means something else with it; in compat modes, where somebody
//! else's rules are asked for, every name is.
//!
//! A pre-release is only taken where the range names one of the same version, and hyphens in tags make pre-releases
//! (semver.org). What is asked of registries never comes here: they resolve tags themselves, and the frontend `newest-tag`
//! asks them.

#[path = "../../version.rs"]
mod version;

use portolan_sdk::oci::names::{self, EntryName};
use portolan_sdk::oci::{Index, Mode, Reference, reference};
use portolan_sdk::{Failure, Machine, Strategy};
use portolan_strategy::Bundled;
use semver::VersionReq;
use version::version;

struct NewestTag;

impl Strategy for NewestTag {
    fn match_name(machine: &impl Machine, entries: &[u8], name: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        let Some((before, range)) = range(name).filter(|_| !mode.is_compat()) else {
            return Bundled::match_name(machine, entries, name, mode);
        };
        match newest(&Index::parse(entries)?, before, &range)? {
            // Two entries may have one tag, and that is the bundled strategy's to judge.
            Some(tag) => Bundled::match_name(machine, entries, &format!("{before}:{tag}"), mode),
            None => Ok(Vec::new()),
        }
    }

    fn select(machine: &impl Machine, index: &[u8], platform: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        Bundled::select(machine, index, platform, mode)
    }
}

/// What stands before the tag, and the range in the tag's place.
fn range(name: &str) -> Option<(&str, VersionReq)> {
    let (before, tag) = name.rsplit_once(':')?;
    (!reference::is_tag(tag)).then(|| Some((before, tag.parse().ok()?)))?
}

/// The tag of the newest version in the range, among those of a repository in the store where one is named.
fn newest(entries: &Index, before: &str, range: &VersionReq) -> Result<Option<String>, Failure> {
    let repository = match before.strip_prefix('/') {
        Some(name) => Some(Reference::parse(name)?.repository()),
        None => None,
    };
    let tags = entries.manifests.iter().filter_map(names::entry_name).filter_map(|name| match name {
        EntryName::Tag(tag) => Some(tag),
        EntryName::Full(full) if repository.as_ref().is_none_or(|wanted| *wanted == full.repository()) => full.tag,
        EntryName::Full(_) => None,
    });
    let versions = tags.filter_map(|tag| Some((version(&tag)?, tag))).filter(|(version, _)| range.matches(version));
    // `1.4.0` before `1.4`, which may move on.
    Ok(versions.max_by_key(|(version, tag)| (version.clone(), tag.len())).map(|(_, tag)| tag))
}

portolan_sdk::strategy!(NewestTag);

#[cfg(test)]
mod tests {
    use portolan_sdk::mock::Mock;
    use portolan_sdk::{Judgement, traverse};

    use super::*;

    const LAYOUTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/layouts");

    fn positions(names: &[&str], name: &str, mode: Mode) -> Vec<u32> {
        let digest = |position| format!("sha256:{position:064}");
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let entries = names.iter().enumerate().map(|(position, name)| {
            format!(
                r#"{{"mediaType":"{media_type}","digest":"{}","size":1,"annotations":{{"{}":"{name}"}}}}"#,
                digest(position),
                names::REF_NAME
            )
        });
        let entries = format!(r#"{{"manifests":[{}]}}"#, entries.collect::<Vec<_>>().join(","));
        Mock::new(NewestTag).match_name(entries.as_bytes(), name, mode).unwrap()
    }

    #[test]
    fn a_range_is_the_newest_in_it() {
        let names = ["1.4.2", "v1.4.10", "1.4", "1.10.0", "2.0.0-rc.1", "latest", "1.x"];
        for (name, expected) in [
            (":~1.4", &[1][..]),
            (":^1", &[3]),
            (":1.*", &[3]),
            (":>=2.0.0-rc.1", &[4]),
            (":^2", &[]),
            // As ever.
            (":1.4", &[2]),
            (":1.x", &[6]),
            (":1.4.1", &[]),
            (":latest", &[5]),
        ] {
            assert_eq!(positions(&names, name, Mode::Strict), expected, "{name}");
        }
        assert_eq!(positions(&names, ":~1.4", Mode::CompatBuild), [0; 0]);
    }

    #[test]
    fn of_the_repository_that_is_named() {
        let names = ["docker.io/acme/app:1.0.0", "docker.io/acme/other:1.9.0", "ghcr.io:443/acme/app:1.5.0"];
        for (name, expected) in
            [("/acme/app:^1", &[0][..]), ("/acme/other:^1", &[1]), ("/ghcr.io:443/acme/app:^1", &[2]), (":^1", &[1])]
        {
            assert_eq!(positions(&names, name, Mode::Exact), expected, "{name}");
        }
        let upper = Mock::new(NewestTag).match_name(br#"{"manifests":[]}"#, "/Acme:^1", Mode::Strict).unwrap_err();
        assert!(upper.message.contains("lower-case"), "{upper}");
    }

    #[test]
    fn in_a_layout() {
        let mock = Mock::new(NewestTag).folder(LAYOUTS);
        let find = |reference: &str| traverse::find(&mock, &reference.parse().unwrap(), Mode::Strict);
        assert_eq!(
            find("oci-layout://buildkit-multi:~1.4").unwrap().descriptor,
            find("oci-layout://buildkit-multi:1.4").unwrap().descriptor
        );
        assert!(find("oci-layout://buildkit-multi:^2").unwrap_err().is_not_found());
    }
}

//! A frontend: which is the newest tag of a repository within a range of versions?
//!
//! For who pins images and wants to move within bounds: `newest-tag alpine --range ~3.20` is `3.20.10` as soon as that is
//! there, and never `3.21.0`. The tag alone is printed, to be used in a script.
//!
//! A tag is a version (semver.org) if, after a `v` that may lead, it is one to three numbers and a pre-release after a
//! hyphen that may follow; numbers that are left out are 0. So `3.20` is 3.20.0, `16.2-alpine` is a pre-release, and
//! `20240923`, if no range keeps it out, is the newest of all.

#[path = "../../version.rs"]
mod version;

use std::cmp::Reverse;

use portolan_sdk::oci::{Location, Reference};
use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response, code, traverse};
use semver::{Version, VersionReq};
use serde::Serialize;
use version::version;

struct NewestTag;

#[derive(Serialize)]
struct Answer<'a> {
    reference: String,
    tag: &'a str,
    version: String,
}

impl Frontend for NewestTag {
    fn describe() -> Info {
        Info {
            name: "newest-tag",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Say which is the newest tag of a repository within a range of versions",
            parameters: vec![
                Parameter::pull_reference("ref", "The repository, without a tag").positional().required(),
                Parameter::text("range", "Only versions in it: ~3.20, ^1, 1.x, \">=1.2, <2\"").short('r').default("*"),
                Parameter::flag("pre-releases", "Also pre-releases of versions in it, such as 1.5.0-rc.1"),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let repository = repository(request.location("ref")?)?;
        let range = request.text("range").unwrap_or("*");
        let wanted: VersionReq = range.parse().map_err(|error| {
            Failure::new(format!("range: {range:?} is no range of versions: {error}"))
                .hint("write ~3.20, ^1, 1.x, =1.4.2, or several with commas: \">=1.2, <2\"")
        })?;
        let tags = traverse::tags(ctx, &repository.repository())?;
        let mut versions: Vec<(Version, &str)> =
            tags.iter().filter_map(|tag| Some((version(tag)?, tag.as_str()))).collect();
        // `1.4.0` before `1.4`, which may move on, and whatever the registry's order is.
        versions.sort_unstable_by_key(|(version, tag)| (version.clone(), tag.len(), Reverse(*tag)));
        let newest = |pre: bool| versions.iter().rev().find(|(version, _)| is_in(&wanted, version, pre));
        let Some((version, tag)) = newest(request.flag("pre-releases")) else {
            let failure = Failure::not_found(format!("{repository} has no tag that is a version in {range:?}"));
            return Err(match (newest(true), versions.last()) {
                (Some((_, tag)), _) => failure.hint(format!("{tag} is a pre-release; add --pre-releases")),
                (None, Some((_, tag))) => failure.hint(format!("its newest version is {tag}; choose another range")),
                (None, None) => failure.hint(format!("portolan tags {} lists all there are", repository.familiar())),
            });
        };
        let reference = Reference { tag: Some((*tag).to_owned()), ..repository }.to_string();
        let answer = match request.format() {
            "json" => Response::json(&Answer { reference: reference.clone(), tag, version: version.to_string() })?,
            _ => Response::text(*tag),
        };
        Ok(answer.metadata("image.name", reference))
    }
}

fn repository(asked: Location) -> Result<Reference, Failure> {
    let Location::Registry(named) = asked else {
        let message = format!("cannot list the tags of {}: it is a store, not a repository", asked.shown());
        return Err(Failure::of(code::UNSUPPORTED, message).hint("portolan tags lists the names in a store"));
    };
    let alone = Reference { tag: None, digest: None, ..named.clone() };
    match alone == named {
        true => Ok(alone),
        false => Err(Failure::new(format!("{named} names an image, where a repository is meant"))
            .hint(format!("write {}", alone.familiar()))),
    }
}

/// With `pre`, a pre-release is where the version is that it comes before.
fn is_in(wanted: &VersionReq, version: &Version, pre: bool) -> bool {
    let stable = Version::new(version.major, version.minor, version.patch);
    wanted.matches(version) || pre && wanted.matches(&stable)
}

portolan_sdk::frontend!(NewestTag);

#[cfg(test)]
mod tests {
    use portolan_sdk::mock::Mock;
    use portolan_strategy::Bundled;

    use super::*;

    fn ask(more: &[(&str, &str)]) -> Result<String, Failure> {
        let layout = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/layouts/buildkit-multi");
        // The layout brings `1.4` and `latest`.
        let mut mock = Mock::new(Bundled).registry("docker.io/acme/app", layout);
        for tag in ["v1.4.2", "1.4.10", "1.10.0", "2", "2.1.0-rc.1", "3.0.0-beta", "1.2.3.4", "1.x", "edge"] {
            mock = mock.document("docker.io/acme/app", Some(tag), "application/vnd.oci.image.index.v1+json", "{}");
        }
        let answer = mock.run::<NewestTag>(&[&[("ref", "acme/app")], more].concat())?;
        Ok(answer.as_text().unwrap().to_owned())
    }

    #[test]
    fn the_newest_within_a_range() {
        let ranges = ["~1.4", "^1", "1.x", "<1.4.3", "=1.4.0", "*"];
        for (range, newest) in ranges.into_iter().zip(["1.4.10", "1.10.0", "1.10.0", "v1.4.2", "1.4", "2"]) {
            assert_eq!(ask(&[("range", range)]).unwrap(), format!("{newest}\n"), "{range}");
        }
        assert_eq!(ask(&[("range", "2"), ("pre-releases", "true")]).unwrap(), "2.1.0-rc.1\n");
        let json = ask(&[("range", "~1.4"), ("format", "json")]).unwrap();
        assert!(json.contains("\"reference\": \"docker.io/acme/app:1.4.10\""), "{json}");
    }

    #[test]
    fn says_what_to_try() {
        for (more, hint) in [
            (&[("range", "^3")][..], "3.0.0-beta is a pre-release; add --pre-releases"),
            (&[("range", "^7")], "its newest version is 3.0.0-beta; choose another range"),
            (&[("range", "newest")], "write ~3.20, ^1, 1.x, =1.4.2, or several with commas: \">=1.2, <2\""),
        ] {
            assert_eq!(ask(more).unwrap_err().hint.as_deref(), Some(hint));
        }
        assert_eq!(ask(&[("range", "^7")]).unwrap_err().cause.unwrap().code, code::NOT_FOUND);
        assert!(repository("acme/app:1".parse().unwrap()).unwrap_err().hint.unwrap().ends_with("write acme/app"));
    }
}

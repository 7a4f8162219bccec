//! The bundled frontend `tags`: the tags of a repository, listed and matched.
//!
//! A registry is asked page by page, and its order is kept. A store has no tags but names, which its entries hold: those
//! are listed as they are, and matched by their tags; of a name in a store (`oci-layout://DIR/alpine`) the tags alone.
//! Where versions are asked for, the list is by version, the newest first (`version.rs` says what counts as one).

mod name;
mod version;

use portolan_sdk::oci::{Location, Reference};
use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response};
use regex_lite::Regex;
use semver::VersionReq;
use serde::Serialize;

use version::Wanted;

/// The frontend.
#[derive(Debug)]
pub struct Tags;

#[cfg(not(feature = "judged"))]
portolan_sdk::frontend!(Tags);
#[cfg(feature = "judged")]
portolan_sdk::frontend!(Tags, portolan_strategy::Bundled);

#[derive(Serialize)]
struct Answer {
    repository: String,
    tags: Vec<String>,
}

impl Frontend for Tags {
    fn describe() -> Info {
        Info {
            name: "tags",
            version: env!("CARGO_PKG_VERSION"),
            summary: "List and match the tags of a repository, or the names in a store",
            parameters: vec![
                Parameter::pull_reference("repo", "The repository, without a tag").positional().required(),
                Parameter::text("match", "Only tags in which this regular expression is found; ^ and $ bind it"),
                Parameter::text(
                    "semver",
                    "Only versions that this admits, newest first: ^1.2 (or 1.2), ~1.4, \">=1.2, <2\", 1.*; pre-releases \
                     only where it names one of the same version",
                ),
                Parameter::flag(
                    "latest",
                    "Only the highest version; without --semver the highest that is no pre-release",
                ),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let location = request.location("repo")?;
        let pattern = request.text("match").map(pattern).transpose()?;
        let wanted = match request.text("semver") {
            Some(text) => Some(Wanted::Admitted(requirement(text)?)),
            None if request.flag("latest") => Some(Wanted::Stable),
            None => None,
        };
        let mut names = name::list(ctx, &location)?;
        if let Some(pattern) = pattern {
            names.retain(|name| pattern.is_match(name.tag()));
        }
        if let Some(wanted) = &wanted {
            let versions = version::newest_first(names, wanted);
            if request.flag("latest") && versions.names.is_empty() {
                return Err(nothing(&location, &request, versions.passed_over));
            }
            names = versions.names;
        }
        if request.flag("latest") {
            names.truncate(1);
        }
        let tags: Vec<String> = names.into_iter().map(name::Name::into_text).collect();
        match request.format() {
            "json" => Response::json(&Answer { repository: location.shown(), tags }),
            _ => Ok(Response::text(tags.join("\n"))),
        }
    }
}

fn pattern(text: &str) -> Result<Regex, Failure> {
    Regex::new(text).map_err(|error| Failure::new(format!("match: {text:?} is no regular expression: {error}")))
}

fn requirement(text: &str) -> Result<VersionReq, Failure> {
    text.parse().map_err(|error| {
        Failure::new(format!("semver: {text:?} is no requirement: {error}"))
            .hint("write ^1.2, ~1.4, =1.4.2, 1.*, or several with commas: \">=1.2, <2\"")
    })
}

/// There is no latest one. `passed_over` is a pre-release that only its being one kept out.
fn nothing(location: &Location, request: &Request, passed_over: Option<String>) -> Failure {
    let among = match (request.text("match"), request.text("semver")) {
        (None, None) => "no tag that is a version".to_owned(),
        (None, Some(requirement)) => format!("no tag that is a version and satisfies {requirement:?}"),
        (Some(pattern), None) => format!("no tag that matches {pattern:?} and is a version"),
        (Some(pattern), Some(requirement)) => {
            format!("no tag that matches {pattern:?}, is a version and satisfies {requirement:?}")
        }
    };
    let failure = Failure::not_found(format!("{} has {among}", location.shown()));
    match passed_over {
        Some(tag) => failure.hint(format!(
            "{tag} is a pre-release, as all that follows a hyphen is one to semver; --semver takes those of a version \
             whose pre-release it names, such as \">=1.2.0-0, <1.2.1\""
        )),
        None => failure.hint(format!("portolan tags {} lists all there are", location.shown())),
    }
}

/// What a person should have written instead of a reference with a tag or a digest.
fn repository_alone(reference: &Reference) -> Failure {
    let alone = Reference { tag: None, digest: None, ..reference.clone() };
    Failure::new(format!("{reference} names an image, where a repository is meant"))
        .hint(format!("write {}", alone.familiar()))
}

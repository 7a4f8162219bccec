//! `buildkit://`, which names a builder and none of its builds: a list of them.

use portolan_oci::location::Store;
use portolan_oci::{Location, Platform, Scheme};
use portolan_sdk::table::Table;
use portolan_sdk::traverse::{self, Build, Built};
use portolan_sdk::{Context, Failure, Request, Response};
use serde::Serialize;

/// Builds whose platforms are looked up; BuildKit keeps 50, if it is not told otherwise.
const LOOKED_AT: usize = 200;

#[derive(Serialize)]
struct Answer<'a> {
    builds: Vec<One<'a>>,
}

#[derive(Serialize)]
struct One<'a> {
    #[serde(rename = "ref")]
    reference: &'a str,
    started: Option<&'a str>,
    completed: Option<&'a str>,
    results: Vec<Image<'a>>,
}

/// `platforms` is null where the result's documents are not there any more.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image<'a> {
    media_type: &'a str,
    digest: &'a str,
    size: u64,
    names: &'a [String],
    platforms: Option<Vec<String>>,
}

/// The builder, where no build is named.
pub fn meant(location: &Location) -> Option<&Store> {
    match location {
        Location::Store(store) => {
            (store.scheme == Scheme::Buildkit && store.rest.is_empty() && store.digest.is_none()).then_some(store)
        }
        Location::Registry(_) => None,
    }
}

/// The builds that have an image as their result.
pub fn list(ctx: &impl Context, store: &Store, request: &Request) -> Result<Response, Failure> {
    if request.format() == "imagetools" || request.flag("raw") {
        return Err(Failure::new("a list of builds has neither --raw nor --format imagetools")
            .hint("name one: buildkit://latest is the newest"));
    }
    let all = traverse::builds(ctx, store)?;
    let mut builds = Vec::new();
    for (place, build) in all.iter().enumerate() {
        let results = build.results.iter().map(|Built { descriptor: result, names }| {
            let platforms = match place < LOOKED_AT {
                true => platforms(ctx, store, build, result)?,
                false => None,
            };
            Ok(Image {
                media_type: &result.media_type,
                digest: result.digest.as_str(),
                size: result.size,
                names,
                platforms,
            })
        });
        builds.push(One {
            reference: &build.reference,
            started: build.started.as_deref(),
            completed: build.completed.as_deref(),
            results: results.collect::<Result<Vec<_>, Failure>>()?,
        });
    }
    match request.format() {
        "json" => Response::json(&Answer { builds }),
        _ => Ok(Response::text(text(&builds))),
    }
}

/// What a result is for; `None` where it was pruned in the meantime.
fn platforms(
    ctx: &impl Context,
    store: &Store,
    build: &Build,
    result: &portolan_oci::Descriptor,
) -> Result<Option<Vec<String>>, Failure> {
    let found = build.found(store, result).open(ctx).and_then(|root| traverse::platforms(ctx, &root));
    match found {
        Ok(platforms) => Ok(Some(platforms.iter().map(Platform::long).collect())),
        Err(failure) if failure.is_not_found() => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn text(builds: &[One<'_>]) -> String {
    if builds.is_empty() {
        return "No build there has an image.".into();
    }
    let mut table = Table::new(["BUILD", "STARTED", "PLATFORMS", "DIGEST", "NAMES"]);
    for build in builds {
        // To the second: `2026-11-26T01:53:20.123456789Z`.
        let started = build.started.and_then(|at| at.get(..19)).map_or_else(|| "-".to_owned(), |at| format!("{at}Z"));
        for result in &build.results {
            let platforms = match &result.platforms {
                Some(platforms) if !platforms.is_empty() => platforms.join(","),
                _ => "-".to_owned(),
            };
            let names = if result.names.is_empty() { "-".to_owned() } else { result.names.join(",") };
            table.row([build.reference, &started, &platforms, result.digest, &names]);
        }
    }
    table.to_string()
}

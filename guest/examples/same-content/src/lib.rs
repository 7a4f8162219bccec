//! A frontend: have two images the same content, however it is compressed and annotated?
//!
//! For CI that moves images: a copy that was compressed anew, put into another index or annotated has other digests and
//! unpacks to the same files. So chain-ids are compared, platform by platform: the last one stands for all that is in an
//! image's layers. What configs say (user, environment, command) does not count; `portolan diff` has that, too. Where
//! anything differs the command ends with status 10.

use std::collections::{BTreeMap, BTreeSet};

use portolan_sdk::oci::chain::chain_ids;
use portolan_sdk::oci::{Digest, Platform};
use portolan_sdk::table::Table;
use portolan_sdk::traverse::{self, Image};
use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response};
use serde::Serialize;

/// What the command exits with where something differs.
const DIFFERS: u8 = 10;

struct SameContent;

#[derive(Serialize)]
struct Answer<'a> {
    same: bool,
    platforms: Vec<Compared<'a>>,
}

/// The topmost chain-ids: `null` where there is no layer, absent where there is no image.
#[derive(Serialize)]
struct Compared<'a> {
    platform: &'a str,
    same: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    one: Option<&'a Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<&'a Content>,
}

type Content = Option<Digest>;

impl Frontend for SameContent {
    fn describe() -> Info {
        Info {
            name: "same-content",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Say whether two images have the same content",
            parameters: vec![
                Parameter::pull_reference("ref", "An image").positional().required(),
                Parameter::pull_reference("other", "What it is compared with").positional().required(),
                Parameter::text("platform", "Only for these platforms; all of both otherwise").short('p').repeated(),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let (one, other) = (contents(ctx, &request, "ref")?, contents(ctx, &request, "other")?);
        let platforms: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
        let pairs = platforms.into_iter().map(|platform| (platform, one.get(platform), other.get(platform)));
        let platforms: Vec<Compared<'_>> =
            pairs.map(|(platform, one, other)| Compared { platform, same: one == other, one, other }).collect();
        let answer = Answer { same: platforms.iter().all(|compared| compared.same), platforms };
        let response = match request.format() {
            "json" => Response::json(&answer)?,
            _ => Response::text(text(&answer)),
        };
        Ok(if answer.same { response } else { response.status(DIFFERS) })
    }
}

/// What is in each image below a reference, by platform.
fn contents(ctx: &impl Context, request: &Request, name: &str) -> Result<BTreeMap<String, Content>, Failure> {
    let root = traverse::resolve(ctx, &request.location(name)?, request.mode())?;
    let mut contents = BTreeMap::new();
    // Of several for one platform the first is what is pulled.
    let mut add = |platform: Platform, image: &Image| -> Result<(), Failure> {
        contents.entry(platform.long()).or_insert(chain_ids(&image.config(ctx)?.config.diff_ids).pop());
        Ok(())
    };
    match request.platforms("platform", ctx)?.as_slice() {
        [] => traverse::images(ctx, &root)?.iter().try_for_each(|image| add(image.platform(ctx)?, image))?,
        // As asked for: what is chosen may say something else on each side.
        some => {
            let select = |platform| traverse::select(ctx, &root, platform, request.mode());
            some.iter().try_for_each(|platform| add(platform.clone(), &select(platform)?))?
        }
    }
    match contents.is_empty() {
        true => Err(Failure::not_found(format!("{} has no image", root.name())).hint("portolan inspect shows it")),
        false => Ok(contents),
    }
}

fn text(answer: &Answer<'_>) -> String {
    let mut table = Table::plain();
    for Compared { platform, same, one, other } in &answer.platforms {
        let shown = |content: &Option<&Content>| match content {
            Some(Some(chain_id)) => chain_id.to_string(),
            Some(None) => "no layers".to_owned(),
            None => "not there".to_owned(),
        };
        match same {
            true => table.row([platform, "same", &shown(one)]),
            false => table.row([platform, "differs", &shown(one), &shown(other)]),
        }
    }
    table.to_string()
}

portolan_sdk::frontend!(SameContent);

#[cfg(test)]
mod tests {
    use portolan_sdk::mock::Mock;
    use portolan_strategy::Bundled;

    use super::*;

    fn ask(one: &str, other: &str, more: &[(&str, &str)]) -> Result<(String, u8), Failure> {
        let mock = Mock::new(Bundled).folder(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/layouts"));
        let (one, other) = (format!("oci-layout://{one}"), format!("oci-layout://{other}"));
        let answer = mock.run::<SameContent>(&[&[("ref", &*one), ("other", &*other)], more].concat())?;
        Ok((answer.as_text().unwrap().to_owned(), answer.status))
    }

    #[test]
    fn the_same_whatever_is_said_of_it() {
        // Three indexes with attestations in three forms; an image with annotations and one without.
        for other in ["buildkit-artifact:1", "buildkit-classic:1"] {
            let (said, status) = ask("buildkit-sbom:1", other, &[]).unwrap();
            assert!(said.starts_with("linux/amd64  same  sha256:7e04785") && said.lines().count() == 2, "{said}");
            assert!(said.contains("\nlinux/arm64  same  sha256:") && status == 0, "{said}");
        }
        let amd64 = [("platform", "linux/amd64"), ("format", "json")];
        let (said, status) = ask("buildkit-multi:1.4", "buildkit-single:2", &amd64).unwrap();
        assert!(said.contains("\"same\": true") && status == 0, "{said}");
    }

    #[test]
    fn what_differs_and_what_is_not_there() {
        let (said, status) = ask("buildkit-multi:1.4", "buildkit-sbom:1", &[("platform", "linux/arm64")]).unwrap();
        assert!(said.starts_with("linux/arm64  differs  sha256:d8bdb7") && status == DIFFERS, "{said}");
        let (said, status) = ask("buildkit-single:2", "buildkit-multi:1.4", &[]).unwrap();
        assert!(said.contains("linux/arm/v7  differs  not there ") && status == DIFFERS, "{said}");
        assert_eq!(ask("umoci", "umoci:x-123", &[]).unwrap().0, "linux/amd64  same  no layers\n");
        let arm64 = [("platform", "linux/arm64")];
        assert!(ask("buildkit-single:2", "buildkit-multi:1.4", &arm64).unwrap_err().is_not_found());
    }
}

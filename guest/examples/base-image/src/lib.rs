//! A frontend: which of these images is an image built on, and is it still?
//!
//! For CI that rebuilds when a base moves: it is the candidate whose digest is in the image's annotations; else the one with
//! most layers, where all of them are the image's lowest, by diff-id; else the one whose name is in the annotations. Where
//! nothing but the name agrees that base has moved on: the command ends with status 10, and it is time to build anew.

use portolan_sdk::oci::{Location, Reference};
use portolan_sdk::traverse::{self, Found, Image, Root};
use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response};
use serde::Serialize;
use serde_json::json;

/// What the command exits with where the base has moved on.
const MOVED: u8 = 10;
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
const BASE_NAME: &str = "org.opencontainers.image.base.name";

struct BaseImage;

/// Why a candidate is the base; the better the greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum By {
    Name,
    Layers,
    Digest,
}

impl Frontend for BaseImage {
    fn describe() -> Info {
        Info {
            name: "base-image",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Say which of some candidates an image is built on",
            parameters: vec![
                Parameter::pull_reference("ref", "The image").positional().required(),
                Parameter::pull_reference("candidate", "What may be its base").short('c').required().repeated(),
                Parameter::text("platform", "For which platform; this machine's otherwise").short('p'),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let asked: Result<Vec<Location>, _> = request.all("candidate").into_iter().map(Location::parse).collect();
        let platform = request.platform("platform", ctx)?.unwrap_or_else(|| ctx.platform());
        let root = traverse::resolve(ctx, &request.location("ref")?, request.mode())?;
        let image = traverse::select(ctx, &root, &platform, request.mode())?;
        let mut bases: Vec<(By, usize, String)> = Vec::new();
        for candidate in traverse::find_all(ctx, &asked?, request.mode()) {
            let candidate = candidate?;
            let base = match candidate.clone().select(ctx, &platform, request.mode()) {
                // What is not there for the platform can be no base for it.
                Err(failure) if failure.is_not_found() => continue,
                base => base?,
            };
            if let Some((by, layers)) = judged(ctx, (&root, &image), (&candidate, &base))? {
                bases.push((by, layers, candidate.name()));
            }
        }
        // Of equals the first that was named.
        let Some((by, layers, base)) = bases.into_iter().rev().max_by_key(|(by, layers, _)| (*by, *layers)) else {
            let failure = Failure::not_found(format!("{} is built on none of these", root.name()));
            return Err(match said(&root, &image, BASE_NAME) {
                Some(name) => failure.hint(format!("its annotations name {name:?}; add that with --candidate")),
                None => failure.hint("it may be built on another version: portolan diff shows what two images share"),
            });
        };
        let why = match by {
            By::Digest => "its annotations have the digest".to_owned(),
            By::Layers => format!("its lowest layers: {layers}"),
            By::Name => "its annotations have the name, and nothing else agrees: the base has moved on".to_owned(),
        };
        let response = match request.format() {
            "json" => Response::json(&json!({"reference": root.name(), "base": base, "by": by, "layers": layers}))?,
            _ => Response::text(format!("{base}  {why}")),
        };
        Ok(if by == By::Name { response.status(MOVED) } else { response })
    }
}

/// An annotation of the manifest, of the entry that leads to it, or of the index.
fn said<'a>(root: &'a Root, image: &'a Image, key: &str) -> Option<&'a String> {
    let annotations = [&image.manifest.annotations, &image.descriptor.annotations, root.annotations()];
    annotations.into_iter().find_map(|annotations| annotations.get(key))
}

/// Why a candidate is the base, if it is, and how many layers it gave.
fn judged(ctx: &impl Context, of: (&Root, &Image), by: (&Found, &Image)) -> Result<Option<(By, usize)>, Failure> {
    let ((root, image), (found, base)) = (of, by);
    let (layers, below) = (&image.config(ctx)?.config.diff_ids, &base.config(ctx)?.config.diff_ids);
    let is_another = image.descriptor.digest != base.descriptor.digest;
    let shared = if is_another && layers.starts_with(below) { below.len() } else { 0 };
    let digests = [found.descriptor.digest.as_str(), base.descriptor.digest.as_str()];
    let has_digest = said(root, image, BASE_DIGEST).is_some_and(|said| digests.contains(&said.as_str()));
    let named = said(root, image, BASE_NAME).and_then(|name| Reference::parse(name).ok());
    Ok(match &found.location {
        _ if has_digest => Some((By::Digest, shared)),
        _ if shared > 0 => Some((By::Layers, shared)),
        Location::Registry(asked) if named.is_some_and(|named| named.means_same(asked)) => Some((By::Name, 0)),
        _ => None,
    })
}

portolan_sdk::frontend!(BaseImage);

#[cfg(test)]
mod tests {
    use portolan_sdk::mock::Mock;
    use portolan_sdk::oci::media_type;
    use portolan_strategy::Bundled;

    use super::*;

    const LAYOUTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/layouts");
    const SINGLE: &str = "c4e51f9749e0d1799d2cdfcf82078dad19f461f01bf2d5ada10a8cedb2f258bc";

    fn ask(image: &str, (key, value): (&str, &str), candidates: &[&str]) -> Result<(String, u8), Failure> {
        let manifest = std::fs::read_to_string(format!("{LAYOUTS}/buildkit-single/blobs/sha256/{SINGLE}")).unwrap();
        let manifest = manifest.replacen('{', &format!(r#"{{"annotations":{{"{key}":"{value}"}},"#), 1);
        let mock = Mock::new(Bundled)
            .folder(LAYOUTS)
            .registry("docker.io/acme/base", format!("{LAYOUTS}/buildkit-sbom"))
            .registry("docker.io/acme/app", format!("{LAYOUTS}/buildkit-single"))
            .document("docker.io/acme/app", Some("said"), media_type::OCI_MANIFEST, manifest);
        let candidates = candidates.iter().map(|candidate| ("candidate", *candidate));
        let answer = mock.run::<BaseImage>(&[("ref", image)].into_iter().chain(candidates).collect::<Vec<_>>())?;
        Ok((answer.as_text().unwrap().to_owned(), answer.status))
    }

    #[test]
    fn by_layers_by_digest_and_by_a_name_that_moved() {
        let multi = "oci-layout://buildkit-multi:1.4";
        let others = ["oci-layout://umoci", "oci-layout://crane-windows:all", "acme/base:1", "acme/app:2"];
        assert_eq!(
            ask(multi, ("", ""), &others).unwrap(),
            ("docker.io/acme/app:2  its lowest layers: 1\n".to_owned(), 0)
        );
        let root = "sha256:f880d241d4d837c652a3c729bebfea9d7f4387d439e93b9e5a8317cdff0dae9f";
        let digest = ask("acme/app:said", (BASE_DIGEST, root), &["acme/app:2", "acme/base:1"]).unwrap();
        assert_eq!(digest, ("docker.io/acme/base:1  its annotations have the digest\n".to_owned(), 0));
        let (said, status) = ask("acme/app:said", (BASE_NAME, "acme/base:1"), &["acme/base:1"]).unwrap();
        assert!(said.starts_with("docker.io/acme/base:1  ") && said.contains("moved on") && status == MOVED, "{said}");
        let none = ask("acme/app:said", (BASE_NAME, "acme/base:7"), &others[..3]).unwrap_err();
        assert!(none.is_not_found() && none.hint.as_ref().unwrap().contains("\"acme/base:7\""), "{none:?}");
        assert!(ask(multi, ("", ""), &[multi]).unwrap_err().is_not_found());
        assert!(ask(multi, ("", ""), &["acme/base:7"]).unwrap_err().message.contains("acme/base:7"));
    }
}

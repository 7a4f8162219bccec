//! The bundled frontend `inspect`: what an image or artifact is.
//!
//! Manifests, configs and attestations are read, layers never: their sizes are in the manifests.

mod builds;
mod imagetools;
mod json;
mod picture;
mod said;
mod statements;
mod text;

use picture::{Depth, Picture};
use portolan_oci::{Digest, Platform};
use portolan_sdk::traverse::{self, Root};
use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response};
use statements::Wanted;
use std::collections::BTreeSet;

/// The frontend.
#[derive(Debug)]
pub struct Inspect;

#[cfg(not(feature = "judged"))]
portolan_sdk::frontend!(Inspect);
#[cfg(feature = "judged")]
portolan_sdk::frontend!(Inspect, portolan_strategy::Bundled);

impl Frontend for Inspect {
    fn describe() -> Info {
        Info {
            name: "inspect",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Show what an image or artifact is: platforms, annotations, layers, attestations",
            parameters: vec![
                Parameter::pull_reference("ref", "What to look at").positional().required(),
                Parameter::text("platform", "Only the images for these platforms").short('p').repeated(),
                Parameter::flag("raw", "The root's bytes as stored; with --platform that manifest's"),
                Parameter::flag("sbom", "What the images are made of, as their attestations say"),
                Parameter::flag("provenance", "How the images were built, as their attestations say"),
                Parameter::flag("referrers", "Also who refers to it: signatures, attestations, other artifacts"),
            ],
            formats: &["text", "json", "imagetools"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let asked = Asked::read(ctx, &request)?;
        let location = request.location("ref")?;
        if let Some(builder) = builds::meant(&location) {
            return builds::list(ctx, builder, &request);
        }
        let root = traverse::resolve(ctx, &location, request.mode())?;
        if asked.raw {
            return asked.raw(ctx, &root, &request);
        }
        if request.format() == "imagetools" {
            return asked.imagetools(ctx, &root, &request);
        }
        let json = request.format() == "json";
        let wanted = Wanted { sbom: asked.sbom, provenance: asked.provenance };
        let statements = wanted.sbom || wanted.provenance;
        let depth = Depth { configs: json && !statements, referrers: asked.referrers, statements: wanted };
        let picture = Picture::read(ctx, &root, &asked.platforms, request.mode(), depth)?;
        match (statements, json) {
            (false, false) => Ok(Response::text(text::text(&picture))),
            (false, true) => Response::json(&json::json(&picture)?),
            (true, json) => {
                let said = statements::read(ctx, &root, &picture, wanted)?;
                match json {
                    true => Response::json(&statements::json(&picture, &said)?),
                    false => Ok(Response::text(statements::text(&said)?)),
                }
            }
        }
    }
}

/// What was asked for beside the reference.
struct Asked {
    platforms: Vec<Platform>,
    raw: bool,
    sbom: bool,
    provenance: bool,
    referrers: bool,
}

impl Asked {
    /// Refuses what cannot be answered together before anything is fetched.
    fn read(ctx: &impl Context, request: &Request) -> Result<Asked, Failure> {
        let [raw, sbom, provenance, referrers] =
            ["raw", "sbom", "provenance", "referrers"].map(|name| request.flag(name));
        let imagetools = request.format() == "imagetools";
        let refused = match (raw, sbom || provenance, referrers) {
            (true, true, _) => Some((
                "--raw is a document's bytes and nothing beside them",
                "leave out --raw: --format json has the statements as they are",
            )),
            (true, _, true) => Some((
                "--raw is a document's bytes and nothing beside them",
                "leave out --raw, or ask for its bytes alone",
            )),
            (_, true, true) => Some((
                "--referrers is shown with the image, --sbom and --provenance in its place",
                "ask for one of them, then for the other",
            )),
            (_, _, true) if imagetools => Some(("--format imagetools knows no referrers", "leave out --format")),
            _ if imagetools && sbom && provenance => Some((
                "--format imagetools shows one of --sbom and --provenance",
                "ask for one of them, then for the other, or leave out --format",
            )),
            _ => None,
        };
        match refused {
            Some((why, instead)) => Err(Failure::new(why).hint(instead)),
            None => Ok(Asked { platforms: request.platforms("platform", ctx)?, raw, sbom, provenance, referrers }),
        }
    }

    fn raw(&self, ctx: &impl Context, root: &Root, request: &Request) -> Result<Response, Failure> {
        if self.platforms.is_empty() {
            return Ok(Response::bytes(&root.descriptor.media_type, root.bytes.clone()));
        }
        let mut chosen = traverse::select_all(ctx, root, &self.platforms, request.mode())?;
        match (chosen.pop(), chosen.is_empty()) {
            (Some(only), true) => Ok(Response::bytes(&only.descriptor.media_type, only.bytes)),
            _ => Err(Failure::new("--raw gives one document's bytes, and these platforms have several manifests")
                .hint("ask for one platform at a time")),
        }
    }

    fn imagetools(&self, ctx: &impl Context, root: &Root, request: &Request) -> Result<Response, Failure> {
        let mut loaded = imagetools::Loaded::read(ctx, root)?;
        if !self.platforms.is_empty() {
            let chosen = traverse::select_all(ctx, root, &self.platforms, request.mode())?;
            let digests: BTreeSet<Digest> = chosen.into_iter().map(|image| image.descriptor.digest).collect();
            loaded.retain(&digests);
        }
        let json = match (self.sbom, self.provenance) {
            (true, _) => imagetools::sbom(ctx, root, &loaded)?,
            (_, true) => imagetools::provenance(ctx, root, &loaded)?,
            _ => imagetools::everything(&typed(root, request), root, &loaded)?,
        };
        Ok(Response::json_text(json))
    }
}

/// The reference as it was typed. A store's folder was typed too, and came as a name.
fn typed(root: &Root, request: &Request) -> String {
    match &root.location {
        portolan_oci::Location::Store(_) => root.name(),
        portolan_oci::Location::Registry(_) => request.text("ref").unwrap_or_default().to_owned(),
    }
}

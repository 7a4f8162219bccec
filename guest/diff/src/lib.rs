//! The bundled frontend `diff`: what differs between two images, wherever each of them lies.
//!
//! Documents are compared by what they say, not by how they are spelled. So two roots may be the same in three senses, of
//! which the closest is told: the same *root*, byte for byte; the same *images* in indexes that are written differently; the
//! same *content*, which is configs that say the same over layers with the same chain-ids, however the layers are compressed
//! and the documents written. Anything else differs, and is listed: platforms, what the indexes say, fields of configs and
//! manifests, layers, steps of the history, attestations by the type of their predicate. Manifests and configs are read;
//! layers and statements never.
//!
//! Images are compared platform by platform. A root that is one image and no index is compared with the image for its
//! platform in the other root; two such roots with each other, whatever their platforms. What a store's `index.json` says of
//! a root is the store's and not compared, and what an index says of its entries only between two indexes.
//!
//! # JSON
//!
//! Fields stay; more may come. D is `{"mediaType","digest","size"}`.
//!
//! ```text
//! {"same": "root" | "images" | "content" | null,
//!  "a": {"reference","root":D}, "b": {"reference","root":D},
//!  "index": [CHANGE],
//!  "images": [{"platform","same": "manifest" | "content" | null,"a": IMAGE | null,"b": IMAGE | null,
//!              "entry": [CHANGE],"changes": [CHANGE],
//!              "layers": {"base","chainId","shared":[{"by": "digest" | "diff-id","a":LAYER,"b":LAYER}],
//!                         "onlyA":[LAYER],"onlyB":[LAYER]} | null,
//!              "history": {"shared","retimed":[{"a":STEP,"b":STEP}],"reordered","onlyA":[STEP],"onlyB":[STEP]} | null}],
//!  "other": {"onlyA":[D],"onlyB":[D]}}
//!
//! CHANGE = {"path":["config","config","Env","PATH"],"a":…,"b":…}
//! IMAGE  = {"platform","manifest":D,"config":D,"size","unshared","attestations":[TYPE]}
//! LAYER  = {"position","mediaType","digest","size","diffId","chainId"}
//! STEP   = {"position","step":{as stored}}
//! ```
//!
//! - `same` of the whole is null where anything differs; then `--exit-code` exits with 6. Of an image it is about the image
//!   alone: `entry` is what the indexes say differently of it (its annotations, its attestations with their number).
//! - Where the roots are the same nothing more is read, and `images` is empty.
//! - A change leaves out the side that does not say it; a null says nothing. Paths are those of the documents (`manifest`,
//!   `config`, `entry`, `index`), but for `Env`, which is taken apart by key.
//! - `layers` and `history` are null where there is nothing to compare: one side only, or the same manifest. `base` is how
//!   many of the lowest layers are the same by `chainId` (of artifacts, which have none, by digest). What is `shared` by
//!   diff-id has the same content and is compressed differently.
//! - `size` is the sum of all layers in bytes as they are stored, `unshared` that of those whose digest the other side lacks;
//!   both are null where the manifest was not there to be read. `position` counts from 0, `platform` is the long form.
//! - `attestations` is null where the index names some that are not there; then they are not compared.

mod compare;
mod history;
mod json;
mod layers;
mod pairs;
mod said;
mod side;
mod text;

use compare::Comparison;
use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response, traverse};
use side::Side;

/// What `diff` and `cmp` exit with 1 for, which is a failure here.
const DIFFERENT: u8 = 6;

/// The frontend.
#[derive(Debug)]
pub struct Diff;

#[cfg(not(feature = "judged"))]
portolan_sdk::frontend!(Diff);
#[cfg(feature = "judged")]
portolan_sdk::frontend!(Diff, portolan_strategy::Bundled);

impl Frontend for Diff {
    fn describe() -> Info {
        Info {
            name: "diff",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Tell what differs between two images: platforms, configs, layers, annotations, attestations",
            parameters: vec![
                Parameter::pull_reference("a", "The one image").positional().required(),
                Parameter::pull_reference("b", "The other").positional().required(),
                Parameter::text("platform", "Only the images for these platforms").short('p').repeated(),
                Parameter::flag("exit-code", "Exit with 6 where they differ"),
            ],
            formats: &["text", "json"],
        }
    }

    fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
        let platforms = request.platforms("platform", ctx)?;
        let locations = [request.location("a")?, request.location("b")?];
        let mut found = traverse::find_all(ctx, &locations, request.mode()).into_iter();
        let mut next =
            || found.next().unwrap_or_else(|| Err(Failure::new("the host did not answer for both references")));
        let (a, b) = (next()?, next()?);
        let comparison = match a.descriptor.digest == b.descriptor.digest {
            true => {
                // A platform that is not there is an error all the same.
                if !platforms.is_empty() {
                    traverse::select_all(ctx, &a.clone().open(ctx)?, &platforms, request.mode())?;
                }
                Comparison::same_root(a, b)
            }
            false => {
                let a = Side::read(ctx, a, &platforms, request.mode())?;
                let b = Side::read(ctx, b, &platforms, request.mode())?;
                Comparison::read(ctx, a, b, !platforms.is_empty())?
            }
        };
        let response = match request.format() {
            "json" => Response::json(&json::json(&comparison))?,
            _ => Response::text(text::text(&comparison)),
        };
        match request.flag("exit-code") && comparison.same.is_none() {
            true => Ok(response.status(DIFFERENT)),
            false => Ok(response),
        }
    }
}

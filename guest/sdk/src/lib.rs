//! What the author of a Portolan frontend depends on.
//!
//! A frontend is a plug-in that answers questions about container images. It sees no socket, no file and no clock: it asks
//! a host for documents, a strategy for judgements, and says what it found.
//!
//! ```
//! use portolan_sdk::{Context, Failure, Frontend, Info, Parameter, Request, Response, traverse};
//!
//! /// How many layers does an image have?
//! struct Count;
//!
//! impl Frontend for Count {
//!     fn describe() -> Info {
//!         Info {
//!             name: "count",
//!             version: "1.0.0",
//!             summary: "Counts the layers of an image",
//!             parameters: vec![
//!                 Parameter::pull_reference("ref", "The image").positional().required(),
//!                 Parameter::text("platform", "For which platform").short('p').default("linux/amd64"),
//!             ],
//!             formats: &["text", "json"],
//!         }
//!     }
//!
//!     fn solve(ctx: &impl Context, request: Request) -> Result<Response, Failure> {
//!         let root = traverse::resolve(ctx, &request.location("ref")?, request.mode())?;
//!         let platform = request.platform("platform", ctx)?.unwrap_or_else(|| ctx.platform());
//!         let image = traverse::select(ctx, &root, &platform, request.mode())?;
//!         let layers = image.manifest.layers.len();
//!         match request.format() {
//!             "json" => Response::json(&layers),
//!             _ => Ok(Response::text(layers.to_string())),
//!         }
//!     }
//! }
//!
//! portolan_sdk::frontend!(Count);
//! ```
//!
//! That is all of a component: `crate-type = ["cdylib"]` and a wasm target. Natively the same code runs against a
//! [mock host](mock), so that a frontend is tested by plain `cargo test`.
//!
//! In reading order: [`Frontend`], [`Info`] and [`Parameter`], [`Request`], [`traverse`], [`Response`] and [`table`],
//! [`Failure`]; then [`Host`] and [`Judgement`], for who wants to ask in person; [`Pusher`] for who wants to write;
//! [`Strategy`] for who wants to answer.
//!
//! Not here: what references, digests, platforms and documents mean ([`oci`]), and every judgement about them.

#![deny(unsafe_code)]

#[cfg(any(test, all(feature = "arena", target_arch = "wasm32", target_os = "unknown")))]
#[allow(unsafe_code, reason = "an allocator is")]
mod arena;
// Public for the macros' code, which is expanded elsewhere; no part of what this crate offers.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[allow(unsafe_code, reason = "wit-bindgen's code crosses the boundary")]
pub mod bindings;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod exports;
mod failure;
mod frontend;
mod host;
#[cfg(target_family = "wasm")]
mod imports;
mod macros;
#[cfg(not(target_family = "wasm"))]
pub mod mock;
mod parameter;
mod request;
mod response;
pub mod table;
pub mod traverse;
mod typed;

pub use failure::{Error, Failure, code};
pub use frontend::{Frontend, ImageResolver};
pub use host::{Context, Host, Item, Judgement, Level, Machine, Pushed, Pusher, Resolved, Strategy, TagPage};
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
pub use macros::is_a_strategy;
pub use parameter::{Info, Kind, Parameter};
pub use portolan_oci as oci;
pub use request::Request;
pub use response::{Body, JSON, Response, TEXT};
pub use typed::{Content, Parts, Query, ResolvedImage};

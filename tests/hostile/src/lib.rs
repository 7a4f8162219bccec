//! The hostile registry: a server that plays a script, and a catalogue of scripts that a client of registries has to
//! survive.
//!
//! The server delays, cuts, lies and points elsewhere exactly as it was told, and writes down every request with its
//! headers and the beginning of its body. A play is a list of [`Scene`]s, each a value that reads as a sentence:
//!
//! ```no_run
//! use portolan_hostile::{Hostile, on};
//!
//! let registry = Hostile::play(vec![
//!     on("HEAD", "/v2/app/manifests/1").status(405),
//!     on("GET", "/v2/app/manifests/1").once().body("{}").cut(1),
//!     on("GET", "/v2/app/manifests/*").header("Location", "http://{host}/elsewhere").status(307),
//! ]);
//! println!("{}", registry.host());
//! assert_eq!(registry.requests().len(), 0);
//! ```
//!
//! The first scene that fits a request answers it; what fits none is answered with 404. The [catalogue](scripts) says for
//! each of its [`Script`]s what to ask and what a client must make of it; it knows of no client. `README.md` beside this
//! tells how to play one.
//!
//! Not here: anything that a registry does right, and any client. Plain HTTP/1.1, on 127.0.0.1 alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod request;
mod scene;
mod script;
pub mod scripts;
mod server;

pub use request::Request;
pub use scene::{Scene, on};
pub use script::{Answer, Ask, Class, Conduct, Elsewhere, Failure, Must, Script};
pub use server::Hostile;

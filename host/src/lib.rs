//! WebAssembly plug-ins decide how container images are resolved.
//!
//! A [`Host`] does the I/O: registries, image layouts, archives, the stores of BuildKit and containerd. Frontends,
//! components in a sandbox with nothing but the contract in `wit/`, do the thinking. The host never picks a platform,
//! matches a name or walks an index; a frontend never opens a socket, a file or a clock.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use portolan::source::registry::Registry;
//! use portolan::{Host, ImageQuery};
//!
//! let host = Host::builder().registry(Registry::builder().build()?).build()?;
//! let image = host.resolve_image(ImageQuery::new("alpine:3").platform("linux/arm64").with_config()).await?;
//! println!("{} {}", image.platform, image.manifest.descriptor.digest);
//! # Ok(())
//! # }
//! ```
//!
//! Any frontend, bundled or foreign, is loaded once and run any number of times, each run with what it is granted and
//! nothing else:
//!
//! ```no_run
//! # async fn example(host: portolan::Host) -> Result<(), Box<dyn std::error::Error>> {
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use portolan::source::layout::Layout;
//! use portolan::{Bundled, Component, Run};
//!
//! let layers = host.load(Component::Bundled(Bundled::Layers)).await?;
//! let run = Run::new(&layers)
//!     .argument("ref", "oci-layout://out:app")
//!     .argument("format", "json")
//!     .store("out", Arc::new(Layout::open(Path::new("build/out"), "oci-layout://out")?));
//! let answer = host.run(run).await?;
//! println!("{:?} after {:?}", answer.body, answer.stats.elapsed);
//! # Ok(())
//! # }
//! ```
//!
//! In reading order: [`Host`], [`Component`] and [`Frontend`]; [`Run`], [`Grants`] and [`Answer`]; [`ImageQuery`];
//! [`source`] for where content comes from and goes to, [`progress`] for what is told meanwhile, [`audit`] for what a run
//! did; [`policy`] for what may run, and what it may do then; [`Limits`] for what bounds it all; [`Error`], [`LoadError`] and [`RunError`].

pub mod audit;
mod bindings;
mod configuration;
mod embedded;
mod engine;
pub mod error;
pub mod limits;
pub mod policy;
mod private;
pub mod progress;
#[cfg(feature = "serve")]
pub mod serve;
mod session;
pub mod source;
pub mod trace;
mod transfer;
mod turns;

pub use engine::{
    Answer, Body, BundleReads, Bundled, Cause, Component, Content, Failure, Frontend, Host, HostBuilder, Image,
    ImageQuery, Info, Kind, LoadError, Parameter, Part, Publication, Published, Run, RunError, Stats,
};
pub use error::{Code, Error, Result};
pub use limits::Limits;
/// What is safe to show of a text that somebody else wrote.
pub use portolan_oci::text;
pub use session::budget::{Crossed, Limit};
pub use session::grants::{Grants, InvalidPattern};
pub use session::log::TARGET as GUEST_LOG;
pub use session::tape::{Recorded, Recorder};

/// The sources of the SDK of this version as a cargo workspace, each file by its path in it: what a frontend's author builds
/// with, in `guest/sdk` and `guest/strategy`.
pub fn sdk() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    embedded::SDK.files()
}

//! WebAssembly plug-ins decide how container images are resolved.

mod bindings;
mod engine;
pub mod error;
pub mod limits;
mod session;
pub mod source;
pub mod text;

pub use engine::{
    Answer, Body, Bundled, Cause, Component, Content, Failure, Frontend, Host, HostBuilder, Image, ImageQuery, Info,
    Kind, LoadError, Parameter, Run, RunError, Stats,
};
pub use error::{Code, Error, Result};
pub use limits::Limits;
pub use session::budget::{Crossed, Limit};
pub use session::grants::{Grants, InvalidPattern};
pub use session::log::TARGET as GUEST_LOG;

//! WebAssembly plug-ins decide how container images are resolved.

pub mod error;
pub mod limits;
pub mod source;

pub use error::{Code, Error, Result};
pub use limits::Limits;

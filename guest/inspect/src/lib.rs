//! The bundled frontend `inspect`: what an image or artifact is.
pub mod go;

//! The bundled frontend `inspect`: what an image or artifact is.

//! The bundled frontend `resolve`: from a reference to root, manifest and config.

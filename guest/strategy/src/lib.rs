//! The bundled strategy: which entry a name means, which entry is for a platform.

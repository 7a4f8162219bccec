//! The vocabulary of container images that guests and host share: references, digests, platforms, names in layouts,
//! documents.
//!
//! Pure: text and bytes in, values out. No I/O, no clock, no wasm, no async. What a word *means* is decided here once
//! (the rules are those of distribution/reference, containerd/platforms and the OCI image specification, and ours where
//! we go further); which meaning to *use* is a frontend's or a strategy's business.

#![forbid(unsafe_code)]

pub mod attestation;
pub mod build;
pub mod chain;
pub mod code;
pub mod digest;
pub mod document;
pub mod go;
pub mod layout;
pub mod limits;
pub mod location;
pub mod media_type;
pub mod mode;
pub mod names;
pub mod platform;
pub mod reference;
pub mod registry;
pub mod stack;
pub mod text;
pub mod verify;

pub use code::Code;
pub use digest::{Algorithm, Digest, Hasher, InvalidDigest};
pub use document::{Annotations, Config, Descriptor, Document, History, Index, Malformed, Manifest};
pub use location::{InvalidLocation, Location, Scheme, Store};
pub use media_type::Kind;
pub use mode::{InvalidMode, Mode};
pub use platform::{InvalidPlatform, Platform};
pub use reference::{InvalidReference, Reference};

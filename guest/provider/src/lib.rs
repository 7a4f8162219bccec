//! The host's stand-in as a component: what a frontend asks the `portolan` host for, on WASI 0.2. `portolan bundle`
//! composes it with a frontend and a strategy into one file that any runtime of such components runs.
//!
//! It does what the host does, and judges no more than that: a store is the folder that the runtime opened under its name
//! (`wasmtime run --dir DIR::/NAME`), read as an OCI layout and verified (digest, size, and that a document is what its
//! media type says) before a byte is handed out. Built with the feature `http` it asks registries too, anonymously. It reads
//! only.
//!
//! In reading order: [`question`] for what a frontend names, `layout` for where it is looked for, `folder` for how a file is
//! opened, `registry` for those that are asked; [`memory`] for what was answered before; `component` for the functions of the world `provider`.
//!
//! Not here: archives, credentials, writing; and grants, which are the runtime's: what it opens is what may be read.

#![deny(unsafe_code)]

#[cfg(target_family = "wasm")]
#[allow(missing_docs, unsafe_code, unsafe_op_in_unsafe_fn, clippy::all, clippy::unwrap_used, clippy::panic)]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "portolan:oci/provider", generate_all });
}

#[cfg(any(test, feature = "http"))]
pub mod admission;
#[cfg(target_family = "wasm")]
mod component;
pub mod error;
#[cfg(target_family = "wasm")]
mod folder;
#[cfg(all(target_family = "wasm", feature = "http"))]
mod http;
#[cfg(target_family = "wasm")]
mod layout;
#[cfg(target_family = "wasm")]
mod log;
pub mod memory;
pub mod question;
#[cfg(target_family = "wasm")]
#[cfg_attr(not(feature = "http"), path = "no_registry.rs")]
mod registry;
#[cfg(all(target_family = "wasm", feature = "http"))]
mod verdict;

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "wit-bindgen's code crosses the boundary")]
const _: () = {
    use component::Provider;

    bindings::export!(Provider with_types_in bindings);
};

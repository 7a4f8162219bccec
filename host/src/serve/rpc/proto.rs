//! What is generated of `proto/portolan/v1/gateway.proto`, whose comments say what everything is.

#![allow(missing_docs, clippy::all, clippy::pedantic, rustdoc::all)]

tonic::include_proto!("portolan.v1");

/// The same as descriptors, for reflection.
pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gateway.bin"));

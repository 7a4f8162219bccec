//! The harness of the end-to-end tests: fixtures, the command line, servers, guests. It knows nothing of the crate
//! `portolan`, whose tests use it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

pub mod authority;
pub mod authors;
pub mod book;
pub mod buildkit;
pub mod buildx;
pub mod cli;
pub mod collector;
pub mod containerd;
pub mod contract;
pub mod crane;
pub mod fixtures;
pub mod gate;
pub mod go;
pub mod grpc;
pub mod guests;
pub mod held;
pub mod jco;
pub mod layout;
pub mod nginx;
pub mod olareg;
pub mod registry;
pub mod server;
pub mod serving;
pub mod token;
pub mod tools;
pub mod versitygw;
pub mod wasmtime;
pub mod zot;

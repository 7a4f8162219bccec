//! `portolan copy` between registries, layouts and archives: everything arrives byte for byte, other tools find it, and
//! what is broken off is whole when it is run again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "copy/bad_line.rs"]
mod bad_line;
#[path = "copy/broken_off.rs"]
mod broken_off;
#[path = "copy/choices.rs"]
mod choices;
#[path = "copy/everywhere.rs"]
mod everywhere;
#[path = "copy/referrers.rs"]
mod referrers;

use std::path::Path;

use portolan_oci::Digest;
use portolan_tests::cli::Cli;
use serde_json::Value;

/// The program in a folder of the caller's.
fn cli(folder: &Path) -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), folder)
}

/// What a copy answers, which must succeed.
fn copied(portolan: &Cli, line: &str) -> Value {
    let printed = portolan.ok(&format!("copy {line} --format json"));
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("copy {line}: {error}: {printed}"))
}

/// The digest that a reference means.
fn digest(portolan: &Cli, reference: &str) -> String {
    portolan.ok(&format!("resolve {reference} --digest")).trim().to_owned()
}

/// Bytes that do not repeat, and that nobody else has.
fn noise(seed: &str, length: usize) -> Vec<u8> {
    let seed = Digest::sha256(seed.as_bytes());
    let mut bytes = seed.hex().as_bytes().to_vec();
    bytes.extend((0..length as u32 / 4).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()));
    bytes.truncate(length);
    bytes
}

//! Components that the tests bring themselves: crates under `tests/guests`, which no workspace knows and no bundle holds.
//! They are what an author's crate is: plain Rust for wasm32-wasip2, built by plain cargo.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds `tests/guests/NAME`, whose crate is `guest-NAME`, and says where the component is. `scratch` is a folder for
/// cargo's output: a test passes `env!("CARGO_TARGET_TMPDIR")`. Building again what did not change takes cargo a moment,
/// and cargo lets one build at a time.
pub fn build(name: &str, scratch: &str) -> PathBuf {
    let target = Path::new(scratch).join("guests");
    let mut cargo = cargo();
    cargo
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("guests").join(name))
        .args(["build", "--release", "--locked", "--target", "wasm32-wasip2", "--target-dir"])
        .arg(&target);
    let output = cargo.output().unwrap_or_else(|error| panic!("cannot start cargo for the guest {name}: {error}"));
    assert!(
        output.status.success(),
        "the guest {name} does not build (is the target wasm32-wasip2 there? `rustup toolchain install` gets it)\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    target.join("wasm32-wasip2/release").join(format!("guest_{}.wasm", name.replace('-', "_")))
}

/// Cargo for guests: what the outer build was told about the host's code is not meant for them.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    for (variable, _) in std::env::vars() {
        if variable.starts_with("CARGO_PROFILE_") || variable.ends_with("RUSTFLAGS") || variable.ends_with("_WRAPPER") {
            cargo.env_remove(variable);
        }
    }
    cargo
}

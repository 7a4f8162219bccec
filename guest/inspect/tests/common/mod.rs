//! The fixtures, and the frontend on a host that holds them all.

use portolan_inspect::Inspect;
use portolan_sdk::mock::Mock;
use portolan_sdk::{Body, Failure};
use portolan_strategy::Bundled;
use std::path::{Path, PathBuf};

/// The images that real tools made.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

/// What the frontend answers, as bytes.
#[allow(dead_code, reason = "not every test file asks so")]
pub fn inspect(reference: &str, arguments: &[(&str, &str)]) -> Result<Vec<u8>, Failure> {
    let mock = Mock::new(Bundled).folder(fixtures().join("layouts"));
    answer(&mock, reference, arguments)
}

/// The same on another host.
pub fn answer(mock: &Mock<Bundled>, reference: &str, arguments: &[(&str, &str)]) -> Result<Vec<u8>, Failure> {
    let arguments: Vec<(&str, &str)> = [("ref", reference)].into_iter().chain(arguments.iter().copied()).collect();
    match mock.run::<Inspect>(&arguments)?.body {
        Body::Text(text) => Ok(text.into_bytes()),
        Body::Bytes(bytes) => Ok(bytes),
        Body::Content { .. } => panic!("inspect answers with content"),
    }
}

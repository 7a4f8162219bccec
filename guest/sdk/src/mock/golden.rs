//! Answers that were read through once, and are compared from then on.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use crate::response::{Body, Response};

/// Compares an answer's text or bytes with a file, by its path from the crate's folder. `BLESS=1 cargo test` writes the file,
/// to be read through.
///
/// # Panics
/// Where they differ; where the answer is content of a source, of which a mock has no bytes to show.
#[track_caller]
pub fn assert_golden(file: impl AsRef<Path>, answer: &Response) {
    let file = file.as_ref();
    let answered: &[u8] = match &answer.body {
        Body::Text(text) => text.as_bytes(),
        Body::Bytes(bytes) => bytes,
        Body::Content { .. } => panic!("the answer is content, whose bytes a frontend does not have"),
    };
    if std::env::var_os("BLESS").is_some() {
        let folder = file.parent().unwrap_or(Path::new(""));
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(file, answered));
        return written.unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
    }
    let kept =
        fs::read(file).unwrap_or_else(|error| panic!("cannot read {}: {error}; BLESS=1 writes it", file.display()));
    if kept != answered {
        let (kept, answered) = (String::from_utf8_lossy(&kept), String::from_utf8_lossy(answered));
        panic!(
            "the answer is not what {} has; BLESS=1 writes it\n--- kept\n{kept}--- answered\n{answered}",
            file.display()
        );
    }
}

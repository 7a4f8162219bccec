//! Images made by real tools, and what `docker buildx imagetools` prints for them. `fixtures/README.md` says what each is.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of all fixtures.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// An OCI layout.
pub fn layout(name: &str) -> PathBuf {
    folder().join("layouts").join(name)
}

/// All OCI layouts, by name.
pub fn layouts() -> Vec<PathBuf> {
    let mut layouts: Vec<PathBuf> = fs::read_dir(folder().join("layouts"))
        .expect("the fixtures")
        .map(|entry| entry.expect("a fixture").path())
        .collect();
    layouts.sort();
    layouts
}

/// An archive.
pub fn archive(name: &str) -> PathBuf {
    folder().join("archives").join(name)
}

/// What another tool printed.
pub fn expected(name: &str) -> String {
    let path = folder().join("expected").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

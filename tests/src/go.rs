//! Bindings of the contract for Go, and whether the example's are still those.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use wit_bindgen_core::Files;

/// The world of examples.
const WORLD: &str = "reader";
/// The folder of a Go module that its bindings are in, and nothing else.
pub const BINDINGS: &str = "bindings";

/// The bindings of a Go module, as `wit-bindgen go` makes them: files below [`BINDINGS`] with what they hold.
///
/// # Panics
/// Where the folder has no `go.mod`, or the contract cannot be read.
pub fn bindings(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let file = folder.join("go.mod");
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let module = text.lines().find_map(|line| line.strip_prefix("module "));
    let module = module.unwrap_or_else(|| panic!("{} names no module", file.display())).trim();

    // Another version of the parser than the one that components are made with.
    let mut resolve = wit_bindgen_core::wit_parser::Resolve::default();
    let (package, _) = resolve.push_path(wit()).unwrap_or_else(|error| panic!("{}: {error:#}", wit().display()));
    let world = resolve.select_world(&[package], Some(WORLD)).unwrap_or_else(|error| panic!("{WORLD}: {error:#}"));
    let options = wit_bindgen_go::Opts {
        pkg_name: Some(format!("{module}/{BINDINGS}")),
        // What is exported is written by hand, so it is not among them.
        export_pkg_name: Some(module.into()),
        ..wit_bindgen_go::Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).unwrap_or_else(|error| panic!("{module}: {error:#}"));
    files.iter().map(|(name, bytes)| (name.into(), bytes.to_owned())).collect()
}

/// Writes the bindings of a Go module anew.
///
/// # Panics
/// As [`bindings`] does, and where they cannot be written.
pub fn write_bindings(folder: &Path) {
    let (files, bindings) = (bindings(folder), folder.join(BINDINGS));
    // A file of an interface that is no more would stay.
    if bindings.exists() {
        fs::remove_dir_all(&bindings).expect("the old bindings removed");
    }
    for (name, bytes) in files {
        let file = bindings.join(name);
        fs::create_dir_all(file.parent().unwrap_or(&bindings)).expect("a folder");
        fs::write(file, bytes).expect("a file of the bindings");
    }
}

/// The bindings that a Go module has, as [`bindings`] says them.
///
/// # Panics
/// Where they cannot be read.
pub fn written_bindings(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let bindings = folder.join(BINDINGS);
    let (mut files, mut folders) = (BTreeMap::new(), vec![bindings.clone()]);
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&bindings).expect("a file below the folder").to_owned();
                files.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    files
}

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit")
}

//! Where a policy lies, and whose it may be.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::PolicyError;

const NAME: &str = "portolan.toml";
/// Many thousands of rules.
const MOST: u64 = 1 << 20;

/// A file's text.
pub(super) fn text(path: &Path) -> Result<String, PolicyError> {
    let failed = |error| PolicyError::Io { what: "read", file: path.display().to_string(), error };
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(MOST + 1).read_to_string(&mut text)).map_err(failed)?;
    match text.len() as u64 <= MOST {
        true => Ok(text),
        false => Err(PolicyError::Wrong(format!("{}: it is larger than {MOST} bytes", path.display()))),
    }
}

/// The file that counts in `folder`.
pub(super) fn nearest(folder: &Path) -> Result<Option<PathBuf>, PolicyError> {
    let failed = |path: &Path| {
        let file = path.display().to_string();
        move |error| PolicyError::Io { what: "look for", file, error }
    };
    let owner = fs::metadata(folder).map_err(failed(&folder.join(NAME)))?.uid();
    for folder in folder.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
        // What lies above a folder of somebody's is somebody else's business, and anybody may write to /tmp.
        if fs::metadata(folder).is_ok_and(|folder| folder.uid() != owner) {
            break;
        }
        let file = folder.join(NAME);
        match fs::metadata(&file) {
            Ok(found) => return owned(&file, &found, owner).map(|()| Some(file)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&file)(error)),
        }
    }
    Ok(configuration().map(|folder| folder.join(NAME)).filter(|file| file.exists()))
}

/// Our folder in the user's configuration.
pub(super) fn configuration() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
    config.map(|config| config.join("portolan"))
}

fn owned(file: &Path, found: &fs::Metadata, owner: u32) -> Result<(), PolicyError> {
    let us = rustix::process::geteuid().as_raw();
    match [owner, us, 0].contains(&found.uid()) {
        true => Ok(()),
        false => Err(PolicyError::Wrong(format!(
            "{}: it belongs to user {}, and its folder to user {owner}: whoever put it there is not who works there",
            file.display(),
            found.uid()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_one_counts() {
        let scratch = tempfile::tempdir().unwrap();
        let deep = scratch.path().join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        fs::write(scratch.path().join("a").join(NAME), "").unwrap();
        assert_eq!(nearest(&deep).unwrap(), Some(scratch.path().join("a").join(NAME)));
        fs::write(deep.join(NAME), "").unwrap();
        assert_eq!(nearest(&deep).unwrap(), Some(deep.join(NAME)));
        assert!(nearest(&deep.join("none")).is_err());
    }

    #[test]
    fn what_somebody_else_put_there_is_not_ours() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join(NAME);
        fs::write(&file, "").unwrap();
        let found = fs::metadata(&file).unwrap();
        assert!(owned(&file, &found, 4711).is_ok(), "ours, in somebody's folder");
        let nobody = std::os::unix::fs::chown(&file, Some(65_534), None);
        if nobody.is_ok() {
            let found = fs::metadata(&file).unwrap();
            assert!(owned(&file, &found, 65_534).is_ok(), "theirs, in their folder");
            assert!(owned(&file, &found, 4711).unwrap_err().to_string().contains("belongs to user 65534"));
        }
    }
}

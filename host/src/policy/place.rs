//! Where a policy lies, and whose it may be.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::PolicyError;

const NAME: &str = "portolan.toml";
/// Many thousands of rules.
const MOST: u64 = 1 << 20;

/// A file's text.
pub(super) fn text(path: &Path) -> Result<String, PolicyError> {
    File::open(path).map_err(failed("read", path)).and_then(|file| read(file, path))
}

fn read(file: File, path: &Path) -> Result<String, PolicyError> {
    let mut text = String::new();
    file.take(MOST + 1).read_to_string(&mut text).map_err(failed("read", path))?;
    match text.len() as u64 <= MOST {
        true => Ok(text),
        false => Err(PolicyError::Wrong(format!("{}: it is larger than {MOST} bytes", path.display()))),
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> PolicyError {
    let file = path.display().to_string();
    move |error| PolicyError::Io { what, file, error }
}

/// The file that counts in `folder`, with its text.
pub(super) fn nearest(folder: &Path) -> Result<Option<(PathBuf, String)>, PolicyError> {
    let us = rustix::process::geteuid().as_raw();
    let owner = fs::metadata(folder).map_err(failed("look for", &folder.join(NAME)))?.uid();
    for folder in folder.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
        // What lies above a folder of somebody's is somebody else's business, and anybody may write to /tmp.
        if fs::metadata(folder).is_ok_and(|folder| ![owner, us].contains(&folder.uid())) {
            break;
        }
        let file = folder.join(NAME);
        if let Some(text) = there(&file, &[owner, us, 0])? {
            return Ok(Some((file, text)));
        }
    }
    let Some(file) = configuration().map(|folder| folder.join(NAME)) else { return Ok(None) };
    Ok(there(&file, &[us, 0])?.map(|text| (file, text)))
}

/// The text of a file that may be there. That it cannot be seen is no sign that it is not: only where there is nothing of
/// that name, not even a link that leads nowhere, is there none. What is looked at is what is read.
fn there(path: &Path, owners: &[u32]) -> Result<Option<String>, PolicyError> {
    let named = match fs::symlink_metadata(path) {
        Ok(named) => named,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(failed("look for", path)(error)),
    };
    let file = File::open(path).map_err(failed("read", path))?;
    let found = file.metadata().map_err(failed("read", path))?;
    for uid in [named.uid(), found.uid()] {
        if !owners.contains(&uid) {
            return Err(PolicyError::Wrong(format!(
                "{}: it belongs to user {uid}, who is neither its folder's owner nor you nor root: whoever put it there is \
                 not who works there",
                path.display()
            )));
        }
    }
    read(file, path).map(Some)
}

/// Our folder in the user's configuration.
pub(super) fn configuration() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
    config.map(|config| config.join("portolan"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_one_counts() {
        let scratch = tempfile::tempdir().unwrap();
        let deep = scratch.path().join("a/b/c");
        let found = |folder: &Path| nearest(folder).map(|found| found.map(|(file, _)| file));
        fs::create_dir_all(&deep).unwrap();
        fs::write(scratch.path().join("a").join(NAME), "").unwrap();
        assert_eq!(found(&deep).unwrap(), Some(scratch.path().join("a").join(NAME)));
        fs::write(deep.join(NAME), "x").unwrap();
        assert_eq!(nearest(&deep).unwrap(), Some((deep.join(NAME), "x".to_owned())));
        assert!(found(&deep.join("none")).is_err());
    }

    #[test]
    fn what_cannot_be_seen_is_not_absent() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join(NAME);
        std::os::unix::fs::symlink(scratch.path().join("nowhere"), &file).unwrap();
        assert!(nearest(scratch.path()).unwrap_err().to_string().starts_with("cannot read "));
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert!(nearest(scratch.path()).is_err());
        let large = scratch.path().join("large");
        fs::write(&large, "#".repeat(1 << 20)).unwrap();
        assert!(text(&large).is_ok());
        fs::write(&large, "#".repeat((1 << 20) + 1)).unwrap();
        assert!(text(&large).unwrap_err().to_string().contains("larger than"));
    }

    #[test]
    fn what_somebody_else_put_there_is_not_ours() {
        let scratch = tempfile::tempdir().unwrap();
        let (file, us) = (scratch.path().join(NAME), rustix::process::geteuid().as_raw());
        fs::write(&file, "").unwrap();
        assert_eq!(there(&file, &[us]).unwrap(), Some(String::new()));
        let theirs = there(&file, &[us + 1]).unwrap_err().to_string();
        assert!(theirs.contains(&format!("belongs to user {us}")), "{theirs}");
        // A link of theirs to a file of ours is theirs. (Only root can make one here.)
        let link = scratch.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        if std::os::unix::fs::lchown(&link, Some(us + 1), None).is_ok() {
            assert!(there(&link, &[us]).is_err());
            assert!(there(&link, &[us, us + 1]).is_ok());
            std::os::unix::fs::chown(&file, Some(65_534), None).unwrap();
            assert!(nearest(scratch.path()).unwrap_err().to_string().contains("belongs to user 65534"));
            // Above a folder of theirs, what counts is none of ours.
            let theirs = scratch.path().join("theirs");
            fs::create_dir_all(theirs.join("ours")).unwrap();
            std::os::unix::fs::chown(&theirs, Some(65_534), None).unwrap();
            fs::write(theirs.join(NAME), "").unwrap();
            assert_ne!(nearest(&theirs.join("ours")).unwrap(), Some((theirs.join(NAME), String::new())));
        }
    }
}

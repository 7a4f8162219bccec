//! A folder that is ours alone. What is kept from one process to the next may be code, or documents of people with a
//! password: where others can write, they could put their own in its place; where others can read, they could see it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Makes the folder, if it is not there, and sees that nobody else may enter it. The absolute path, or why not.
pub(crate) fn folder(path: &Path) -> Result<PathBuf, String> {
    let folder = std::path::absolute(path).map_err(|error| error.to_string())?;
    let fail = |error: io::Error| format!("{}: {error}", folder.display());
    if let Some(above) = folder.parent() {
        fs::create_dir_all(above).map_err(fail)?;
    }
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(fail(error)),
        _ => {}
    }
    let found = fs::symlink_metadata(&folder).map_err(fail)?;
    if !found.is_dir() {
        return Err(format!("{} is no folder", folder.display()));
    }
    let (owner, mode) = (found.uid(), found.mode());
    if owner != rustix::process::geteuid().as_raw() || mode & 0o077 != 0 {
        return Err(format!("{} is open to others (mode {:o}, owner {owner})", folder.display(), mode & 0o777));
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn only_what_is_ours_alone_will_do() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("above/new");
        let made = folder(&path).unwrap();
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(folder(&path).unwrap(), made);

        fs::set_permissions(&made, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(folder(&path).unwrap_err().contains("open to others"));

        symlink(scratch.path(), scratch.path().join("link")).unwrap();
        assert!(folder(&scratch.path().join("link")).unwrap_err().contains("is no folder"));
    }
}

//! Things that stand where a file is meant.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mkfifoat, mknodat};

pub fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Whether a file has these permissions.
pub fn assert_mode(path: &Path, mode: u32) {
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
}

/// A file with a hole of this length.
pub fn grow(path: &Path, length: u64) {
    fs::File::create(path).unwrap().set_len(length).unwrap();
}

pub fn file(path: &Path) {
    fs::write(path, "").unwrap();
}

pub fn directory(path: &Path) {
    fs::create_dir(path).unwrap();
}

pub fn fifo(path: &Path) {
    mkfifoat(CWD, path, Mode::RWXU).unwrap();
}

pub fn socket(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
}

/// What `/dev/null` is, where we may make one.
pub fn device(path: &Path) {
    let _ = mknodat(CWD, path, FileType::CharacterDevice, Mode::RWXU, rustix::fs::makedev(1, 3));
}

/// Out of the layout, to something that is there.
pub fn link(path: &Path) {
    symlink("/etc/passwd", path).unwrap();
}

/// Moves a thing and leaves a link in its place.
pub fn moved(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
    symlink(to, from).unwrap();
}

/// Puts something else where a file or a folder is.
pub fn put_at(path: &Path, put: fn(&Path)) {
    match path.is_dir() {
        true => fs::remove_dir_all(path).unwrap(),
        false => fs::remove_file(path).unwrap(),
    }
    put(path);
}

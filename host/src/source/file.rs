//! Small files that people and their programs write: configuration, credentials. Read whole, and never more than a mebibyte.

use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Far more than any of them needs.
const MOST: u64 = 1 << 20;

/// The bytes of a file; `None` if it is not there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let fail = |error: io::Error| format!("{}: {error}", path.display());
    // Not waiting for the other end, should it be a fifo.
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = match std::fs::File::options().read(true).custom_flags(nonblock).open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(fail(error)),
    };
    if !file.metadata().map_err(fail)?.is_file() {
        return Err(format!("{}: it is no plain file", path.display()));
    }
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(fail)?;
    match bytes.len() as u64 > MOST {
        true => Err(format!("{}: it is larger than 1 MiB", path.display())),
        false => Ok(Some(bytes)),
    }
}

/// A file's text.
pub(super) fn text(bytes: Vec<u8>, path: &Path) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|_| format!("{}: it is no UTF-8 text", path.display()))
}

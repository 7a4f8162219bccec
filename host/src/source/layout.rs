//! An image layout on disk: a folder with `oci-layout`, `index.json` and `blobs/ALGORITHM/HEX` (image-spec,
//! image-layout.md).
//!
//! The folder is opened once, and everything in it is reached from that handle, one name at a time, following no link.
//! So no path leads out of it, whatever happens to the folder meanwhile, and nothing in it is opened that is not a
//! plain file: a fifo would make us wait, and opening a device is enough to do harm.
//!
//! Not here: which entry is meant (a strategy judges that), and writing.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::blob::Blob;
use super::store::{self, Files, Missing, Place, Verified};
use crate::error::{Code, Error, Result};

const OPERATION: &str = "open the layout";

/// A layout, opened. A [`Source`](super::Source).
#[derive(Debug)]
pub struct Layout {
    repository: String,
    folder: OwnedFd,
    verified: Verified,
}

impl Layout {
    /// Opens the layout in the folder `dir`, which may be a link to one. `repository` is what runs will call it:
    /// `oci-layout://STORE`.
    ///
    /// Reads the `oci-layout` file and sees that there is an `index.json`; what that is, is for the one who reads it.
    /// Blocks for as long as a local file takes.
    ///
    /// # Errors
    /// `not-found` where there is no folder or it has no `index.json`; `malformed` where the `oci-layout` file is
    /// missing or not of version 1; `forbidden` where we may not look.
    pub fn open(dir: &Path, repository: impl Into<String>) -> Result<Self> {
        let subject = dir.display().to_string();
        let fail = |code, detail: String| Error::new(code, OPERATION, subject.as_str(), detail);
        let folder = rustix::fs::openat(CWD, dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| match errno {
                Errno::NOENT => fail(Code::NotFound, "there is no such folder".into()),
                Errno::NOTDIR => fail(Code::NotFound, "it is no folder".into())
                    .with_hint("a tar of a layout is read as oci-archive://FILE"),
                Errno::ACCESS | Errno::PERM => fail(Code::Forbidden, "no permission to open it".into()),
                other => fail(Code::Other, other.to_string()),
            })?;
        if let Err(Errno::NOENT) = rustix::fs::statat(&folder, "index.json", AtFlags::SYMLINK_NOFOLLOW) {
            return Err(fail(Code::NotFound, "it has no index.json, so it is no image layout".into()));
        }
        let layout = Layout { repository: repository.into(), folder, verified: Verified::default() };
        store::check_version(&layout, OPERATION, &subject)?;
        Ok(layout)
    }

    /// Whether `dir` is a folder with an `index.json` of whatever kind: what makes a path on the command line mean a
    /// layout. Anything wrong with it is found when it is opened.
    pub fn is_at(dir: &Path) -> bool {
        dir.join("index.json").symlink_metadata().is_ok()
    }
}

impl Files for Layout {
    fn repository(&self) -> &str {
        &self.repository
    }

    fn medium(&self) -> &'static str {
        "layout"
    }

    fn find(&self, place: &Place<'_>) -> Result<Blob, Missing> {
        let path = place.to_string();
        let mut names = path.split('/').peekable();
        let mut folder: Option<OwnedFd> = None;
        while let Some(name) = names.next() {
            let inside = folder.as_ref().map_or(self.folder.as_fd(), |folder| folder.as_fd());
            let expected = if names.peek().is_some() { FileType::Directory } else { FileType::RegularFile };
            folder = Some(open_inside(inside, name, expected)?);
        }
        let file = File::from(folder.ok_or(Missing::Absent)?);
        let length = file.metadata().map_err(Missing::Failed)?.len();
        Ok(Blob::new(Arc::new(file), 0, length))
    }

    fn verified(&self) -> &Verified {
        &self.verified
    }
}

/// Opens what `name` is in `folder` if it is of the `expected` type.
fn open_inside(folder: BorrowedFd<'_>, name: &str, expected: FileType) -> Result<OwnedFd, Missing> {
    let missing = |errno| match errno {
        Errno::NOENT => Missing::Absent,
        Errno::ACCESS | Errno::PERM => Missing::Forbidden(name.into()),
        Errno::LOOP => Missing::NoFile(name.into(), kind(FileType::Symlink)),
        other => Missing::Failed(other.into()),
    };
    let check = |mode| match FileType::from_raw_mode(mode) {
        found if found == expected => Ok(()),
        found => Err(Missing::NoFile(name.into(), kind(found))),
    };
    // Looked at before it is opened, as opening alone can rewind a tape or arm a watchdog; and after, as it may have
    // been replaced between the two. A fifo put there in that moment does not make us wait.
    check(rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(missing)?.st_mode)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(folder, name, flags, Mode::empty()).map_err(missing)?;
    check(rustix::fs::fstat(&opened).map_err(missing)?.st_mode)?;
    Ok(opened)
}

/// For a sentence: `is …`.
fn kind(file_type: FileType) -> &'static str {
    match file_type {
        FileType::RegularFile => "a file",
        FileType::Directory => "a folder",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a fifo",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "neither file nor folder",
    }
}

//! A folder on disk, opened once: everything in it is reached from its handle, one name at a time, following no link. So
//! no path leads out of it, whatever happens to it meanwhile, and nothing in it is opened that is not a plain file: a fifo
//! would make us wait, and opening a device is enough to do harm.
//!
//! What is written here is written under a hidden name of ours and takes its own name when it is whole ([`Temporary`]).
//!
//! Not here: what is in the folder.

use std::ffi::OsStr;
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Gid, Mode, OFlags, Uid, fchown, flock};
use rustix::io::Errno;

use super::store::Missing;

/// How hidden files of ours begin.
pub(super) const TEMPORARY: &str = ".portolan-";
/// A hidden file that is older, and that nobody holds, is one that nobody will go on with.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);
/// Who may do what with what we make: what the process's umask leaves of this.
const FILE: Mode = Mode::from_raw_mode(0o666);
const DIRECTORY: Mode = Mode::from_raw_mode(0o777);

/// A folder's handle.
#[derive(Debug, Clone)]
pub(super) struct Folder(Arc<OwnedFd>);

impl Folder {
    /// Opens the folder `path`, which may be a link to one.
    pub(super) fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, path, flags, Mode::empty()).map(Self::new)
    }

    fn new(handle: OwnedFd) -> Self {
        Folder(Arc::new(handle))
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Whether there is something of that name, of whatever kind.
    pub(super) fn holds(&self, name: impl AsRef<OsStr>) -> bool {
        !matches!(rustix::fs::statat(self.fd(), name.as_ref(), AtFlags::SYMLINK_NOFOLLOW), Err(Errno::NOENT))
    }

    /// The file of that name.
    pub(super) fn file(&self, name: &str) -> Result<File, Missing> {
        open_inside(self.fd(), name.as_ref(), FileType::RegularFile, OFlags::RDONLY).map(File::from)
    }

    /// The folder of that name.
    pub(super) fn folder(&self, name: impl AsRef<OsStr>) -> Result<Folder, Missing> {
        open_inside(self.fd(), name.as_ref(), FileType::Directory, OFlags::RDONLY).map(Self::new)
    }

    /// The same, made if there is none.
    pub(super) fn make(&self, name: impl AsRef<OsStr>) -> Result<Folder, Missing> {
        let name = name.as_ref();
        match rustix::fs::mkdirat(self.fd(), name, DIRECTORY) {
            Ok(()) | Err(Errno::EXIST) => self.folder(name),
            Err(Errno::ACCESS | Errno::PERM) => Err(Missing::Forbidden(name.to_string_lossy().into_owned())),
            Err(other) => Err(Missing::Failed(other.into())),
        }
    }

    /// The file of that name for reading and writing, made if there is none.
    pub(super) fn make_file(&self, name: &str) -> Result<File, Missing> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        match rustix::fs::openat(self.fd(), name, flags, FILE) {
            Ok(made) => Ok(File::from(made)),
            Err(Errno::EXIST) => {
                open_inside(self.fd(), name.as_ref(), FileType::RegularFile, OFlags::RDWR).map(File::from)
            }
            Err(Errno::ACCESS | Errno::PERM) => Err(Missing::Forbidden(name.into())),
            Err(other) => Err(Missing::Failed(other.into())),
        }
    }

    /// Whether `name` still is the open `file`.
    pub(super) fn still_is(&self, name: &str, file: &File) -> Result<bool, Errno> {
        let opened = rustix::fs::fstat(file)?;
        match rustix::fs::statat(self.fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) => Ok((named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Takes the name away from what has it, if something has.
    pub(super) fn remove(&self, name: &str) -> Result<(), Errno> {
        match rustix::fs::unlinkat(self.fd(), name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            done => done,
        }
    }

    /// Has the disk know which names are here.
    pub(super) fn sync(&self) -> Result<(), Errno> {
        match rustix::fs::fsync(self.fd()) {
            // Some file systems have nothing to do for a folder, and say so.
            Err(Errno::INVAL | Errno::BADF) => Ok(()),
            done => done,
        }
    }

    /// A new hidden file, whose name begins with `prefix`.
    pub(super) fn temporary(&self, prefix: &str) -> Result<Temporary, Errno> {
        loop {
            let name = format!("{prefix}{:016x}", RandomState::new().build_hasher().finish());
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            match rustix::fs::openat(self.fd(), name.as_str(), flags, FILE) {
                Err(Errno::EXIST) => {}
                Err(other) => return Err(other),
                Ok(made) => {
                    let file = Arc::new(File::from(made));
                    // Says to others that somebody is at it. Where nothing can be locked, its age says it.
                    let _ = flock(&*file, FlockOperation::NonBlockingLockExclusive);
                    return Ok(Temporary::new(self, name, file, false));
                }
            }
        }
    }

    /// The hidden file `name`, with what is in it already, made if there is none. What is in it when it is dropped stays.
    /// `None` where somebody else is at it, or may be: where it is not ours alone, or nothing can be locked.
    pub(super) fn unfinished(&self, name: &str) -> Result<Option<Temporary>, Errno> {
        let Ok(file) = self.make_file(name) else { return Ok(None) };
        let found = rustix::fs::fstat(&file)?;
        // A second name may be that of somebody's file.
        let is_ours = found.st_nlink == 1 && found.st_uid == rustix::process::geteuid().as_raw();
        // Its last holder may have given it its name, or removed it, while it was opened.
        let is_held =
            is_ours && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() && self.still_is(name, &file)?;
        Ok(is_held.then(|| Temporary::new(self, name.to_owned(), Arc::new(file), true)))
    }

    /// Removes hidden files with this prefix that processes left behind when they were killed. What cannot be looked at or
    /// removed stays: it is in nobody's way.
    pub(super) fn sweep(&self, prefix: &str) {
        for name in self.names().unwrap_or_default() {
            if name.starts_with(prefix)
                && let Some(_held) = self.abandoned(&name)
            {
                let _ = self.remove(&name);
            }
        }
    }

    /// The file of that name where it is abandoned, held so that nobody takes it up any more.
    fn abandoned(&self, name: &str) -> Option<File> {
        let file = self.file(name).ok()?;
        let modified = file.metadata().and_then(|metadata| metadata.modified()).ok()?;
        let age = SystemTime::now().duration_since(modified).unwrap_or_default();
        (age > ABANDONED && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()).then_some(file)
    }

    /// What is in it, but for names that are no UTF-8, which are shown as they can be.
    pub(super) fn names(&self) -> Result<Vec<String>, Errno> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.fd())? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// A hidden file in the making. It goes when it is dropped, unless it was given its name before, or is for whoever goes on
/// with it.
#[derive(Debug)]
pub(super) struct Temporary {
    folder: Folder,
    name: String,
    file: Arc<File>,
    /// It is left with what is in it.
    goes_on: bool,
    named: AtomicBool,
}

impl Temporary {
    fn new(folder: &Folder, name: String, file: Arc<File>, goes_on: bool) -> Temporary {
        Temporary { folder: folder.clone(), name, file, goes_on, named: AtomicBool::default() }
    }

    /// Drops what is in it.
    pub(super) fn empty(&self) -> io::Result<()> {
        self.file.set_len(0)
    }

    /// To write to.
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Gives it the permissions of what has this name now, and its owner where we may.
    pub(super) fn resemble(&self, folder: &Folder, name: &str) -> io::Result<()> {
        let Ok(old) = folder.file(name) else { return Ok(()) };
        let old = old.metadata()?;
        let _ = fchown(&*self.file, Some(Uid::from_raw(old.uid())), Some(Gid::from_raw(old.gid())));
        self.file.set_permissions(old.permissions())
    }

    /// Gives it its name, in this folder or one of the same file system, whatever has that name now.
    pub(super) fn rename(&self, folder: &Folder, name: impl AsRef<OsStr>) -> Result<(), Errno> {
        rustix::fs::renameat(self.folder.fd(), self.name.as_str(), folder.fd(), name.as_ref())?;
        self.named.store(true, Ordering::Release);
        Ok(())
    }

    /// Gives it its name if nothing has that name; whether it did. Never seen in part, not even by one who looks just now.
    pub(super) fn rename_new(&self, name: &str) -> Result<bool, Errno> {
        let fd = self.folder.fd();
        match rustix::fs::linkat(fd, self.name.as_str(), fd, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            // There are file systems without hard links. There the moment between looking and renaming remains.
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) if !self.folder.holds(name) => {
                self.rename(&self.folder, name).map(|()| true)
            }
            Err(other) => Err(other),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let is_begun = || self.file.metadata().is_ok_and(|metadata| metadata.len() > 0);
        if self.named.load(Ordering::Acquire) || (self.goes_on && is_begun()) {
            return;
        }
        let _ = self.folder.remove(&self.name);
    }
}

/// Opens what `name` is in `folder` if it is of the `expected` type.
fn open_inside(folder: BorrowedFd<'_>, name: &OsStr, expected: FileType, access: OFlags) -> Result<OwnedFd, Missing> {
    let shown = || name.to_string_lossy().into_owned();
    let missing = |errno| match errno {
        Errno::NOENT => Missing::Absent,
        Errno::ACCESS | Errno::PERM => Missing::Forbidden(shown()),
        Errno::LOOP => Missing::NoFile(shown(), kind(FileType::Symlink)),
        other => Missing::Failed(other.into()),
    };
    let check = |mode| match FileType::from_raw_mode(mode) {
        found if found == expected => Ok(()),
        found => Err(Missing::NoFile(shown(), kind(found))),
    };
    // Looked at before it is opened, as opening alone can rewind a tape or arm a watchdog; and after, as it may have
    // been replaced between the two. A fifo put there in that moment does not make us wait.
    check(rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(missing)?.st_mode)?;
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
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

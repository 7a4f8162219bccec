//! An image layout on disk: a folder with `oci-layout`, `index.json` and `blobs/ALGORITHM/HEX` (image-spec,
//! image-layout.md).
//!
//! The folder is opened once, and everything in it is reached from that handle (`folder.rs`). A layout that is to be
//! written need not be there: it is made by the first thing that is put into it (`layout/made.rs`), and written as
//! `layout/sink.rs` says.
//!
//! Not here: which entry is meant (a strategy judges that).

mod made;
mod partial;
mod sink;

use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;

use self::made::Made;
use super::blob::{Blob, Verified};
use super::folder::Folder;
use super::sink::Sink;
use super::store::{self, Files, Missing, Place};
use crate::error::{Code, Error, Result};

const OPERATION: &str = "open the layout";

/// A layout, opened. A [`Source`](super::Source); clones are one.
#[derive(Debug, Clone)]
pub struct Layout(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    repository: String,
    made: Made,
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
        let folder = Folder::open(dir).map_err(|errno| not_opened(errno, &subject))?;
        if !folder.holds(Place::Index.to_string()) {
            let detail = "it has no index.json, so it is no image layout";
            return Err(Error::new(Code::NotFound, OPERATION, subject, detail));
        }
        let layout = Layout::new(repository, Made::already(folder));
        store::check_version(&layout, OPERATION, &subject)?;
        Ok(layout)
    }

    /// The layout in the folder `dir`, for writing: opened if it is there, else made in that folder, which may be there and
    /// empty, by the first thing that is put into it. Until then nothing is changed on disk.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) for a layout that is there; `not-found` where there is no folder to make `dir` in;
    /// `conflict` where `dir` holds other things.
    pub fn create(dir: &Path, repository: impl Into<String>) -> Result<Self> {
        if Self::is_at(dir) {
            return Self::open(dir, repository);
        }
        Made::later(dir).map(|made| Layout::new(repository, made))
    }

    /// Whether `dir` is a folder with an `index.json` of whatever kind: what makes a path on the command line mean a
    /// layout. Anything wrong with it is found when it is opened.
    pub fn is_at(dir: &Path) -> bool {
        dir.join("index.json").symlink_metadata().is_ok()
    }

    fn new(repository: impl Into<String>, made: Made) -> Self {
        Layout(Arc::new(Inner { repository: repository.into(), made, verified: Verified::default() }))
    }

    /// Where a blob's file is: the folder's name in `blobs`, and its own.
    fn find_blob(folder: &Folder, algorithm: &str, hex: &str) -> Result<std::fs::File, Missing> {
        folder.folder("blobs")?.folder(algorithm)?.file(hex)
    }
}

impl Files for Layout {
    fn repository(&self) -> &str {
        &self.0.repository
    }

    fn medium(&self) -> &'static str {
        "layout"
    }

    fn find(&self, place: &Place<'_>) -> Result<Blob, Missing> {
        let folder = self.0.made.folder().ok_or(Missing::Absent)?;
        let file = match place {
            Place::Version | Place::Index => folder.file(&place.to_string())?,
            Place::Blob(algorithm, hex) => Self::find_blob(folder, algorithm.as_str(), hex)?,
        };
        let length = file.metadata().map_err(Missing::Failed)?.len();
        Ok(Blob::new(Arc::new(file), 0, length))
    }

    fn verified(&self) -> &Verified {
        &self.0.verified
    }

    fn sink(&self) -> Result<Box<dyn Sink>> {
        Ok(Box::new(sink::LayoutSink::new(self.clone())))
    }
}

/// The error of a folder that is not opened.
fn not_opened(errno: Errno, subject: &str) -> Error {
    let fail = |code, detail: &str| Error::new(code, OPERATION, subject, detail);
    match errno {
        Errno::NOENT => fail(Code::NotFound, "there is no such folder"),
        Errno::NOTDIR => {
            fail(Code::NotFound, "it is no folder").with_hint("a tar of a layout is read as oci-archive://FILE")
        }
        Errno::ACCESS | Errno::PERM => fail(Code::Forbidden, "no permission to open it"),
        other => fail(Code::Other, &other.to_string()),
    }
}

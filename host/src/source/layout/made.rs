//! The folder of a layout, there or to be made: by the first thing that is put into it, and so that whoever looks sees no
//! layout or a whole one, also where two make the same one at once.

use std::ffi::OsString;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::io::Errno;

use super::super::entries;
use super::super::folder::{Folder, TEMPORARY};
use super::super::store::{Place, VERSION};
use super::super::write::{WRITE, barred, failed};
use super::{Layout, not_opened};
use crate::error::{Code, Error, Result};

/// What a folder may hold that is to become a layout: what one that was killed while making one has left.
const REMNANTS: [&str; 2] = ["blobs", "oci-layout"];

/// A layout's folder.
#[derive(Debug)]
pub(super) struct Made {
    folder: OnceLock<Folder>,
    to_make: Mutex<Option<ToMake>>,
}

#[derive(Debug)]
enum ToMake {
    /// The folder is there, without a layout in it.
    Inside(Folder),
    /// The folder of this name has to be made.
    Below(Folder, OsString),
}

impl Made {
    /// One that is there.
    pub(super) fn already(folder: Folder) -> Self {
        Made { folder: OnceLock::from(folder), to_make: Mutex::default() }
    }

    /// One that is to be made at `dir`.
    pub(super) fn later(dir: &Path) -> Result<Self> {
        let subject = dir.display().to_string();
        let fail = |code, detail: String| Error::new(code, WRITE, subject.as_str(), detail);
        let to_make = match Folder::open(dir) {
            Ok(folder) => {
                check_empty(&folder, &subject)?;
                ToMake::Inside(folder)
            }
            Err(Errno::NOENT) => {
                // A link that leads nowhere is no name that is free; a folder that somebody made by now is as good as ours.
                let name = dir.file_name().filter(|_| !dir.is_symlink());
                let name = name.ok_or_else(|| fail(Code::NotFound, "no folder can be made there".into()))?;
                let above = dir.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let folder = Folder::open(above).map_err(|errno| match errno {
                    Errno::NOENT => {
                        fail(Code::NotFound, format!("there is no folder {} to make it in", above.display()))
                            .with_hint(format!("`mkdir -p {}` makes one", above.display()))
                    }
                    other => not_opened(other, &above.display().to_string()),
                })?;
                ToMake::Below(folder, name.to_owned())
            }
            Err(other) => return Err(not_opened(other, &subject)),
        };
        Ok(Made { folder: OnceLock::new(), to_make: Mutex::new(Some(to_make)) })
    }

    /// The folder, if it is a layout.
    pub(super) fn folder(&self) -> Option<&Folder> {
        self.folder.get()
    }

    /// The folder, made a layout if it is none. `store` is what it is called.
    pub(super) fn make(&self, store: &str) -> Result<&Folder> {
        if let Some(folder) = self.folder.get() {
            return Ok(folder);
        }
        let mut to_make = self.to_make.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = match &*to_make {
            // Made while we waited.
            None => return self.folder.get().ok_or_else(|| Error::new(Code::Other, WRITE, store, "it is gone")),
            Some(ToMake::Inside(folder)) => folder.clone(),
            Some(ToMake::Below(above, name)) => above.make(name).map_err(|missing| barred(store, missing))?,
        };
        initialise(&folder, store)?;
        *to_make = None;
        Ok(self.folder.get_or_init(|| folder))
    }
}

/// Makes the folder a layout. The index.json comes last, and only if there is none: another may have been quicker.
fn initialise(folder: &Folder, store: &str) -> Result<()> {
    let index = Place::Index.to_string();
    if folder.holds(&index) {
        return Ok(());
    }
    check_empty(folder, store)?;
    folder.make("blobs").map_err(|missing| barred(store, missing))?;
    for (name, content) in [(Place::Version.to_string(), VERSION.to_owned()), (index, entries::none())] {
        let write = || {
            let temporary = folder.temporary(TEMPORARY)?;
            std::os::unix::fs::FileExt::write_all_at(&**temporary.file(), content.as_bytes(), 0)?;
            temporary.file().sync_data()?;
            std::io::Result::Ok(temporary.rename_new(&name)?)
        };
        write().map_err(|failure| failed(store, &format!("its {name}"), &failure))?;
    }
    folder.sync().map_err(|errno| failed(store, "its folder", &errno.into()))
}

/// A folder with other things in it is hardly meant.
fn check_empty(folder: &Folder, store: &str) -> Result<()> {
    let names = folder.names().map_err(|errno| failed(store, "its folder", &errno.into()))?;
    // Looked at again: a layout that another one is just making has an index.json by now, or only what it begins with.
    let index = Place::Index.to_string();
    let other = names.iter().find(|name| !REMNANTS.contains(&name.as_str()) && !name.starts_with(TEMPORARY));
    match other {
        Some(other) if !folder.holds(&index) => {
            let detail = format!("the folder is no layout and not empty: it holds {other:?}");
            Err(Error::new(Code::Conflict, WRITE, store, detail).with_hint("name a folder that is not there yet"))
        }
        _ => Ok(()),
    }
}

impl Layout {
    /// The folder, made a layout if it is none yet.
    pub(super) fn make(&self) -> Result<&Folder> {
        self.0.made.make(&super::store::shown(self))
    }
}

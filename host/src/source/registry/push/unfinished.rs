//! Uploads that a program began and did not end, kept on disk so that the next one goes on with them.
//!
//! A note is one file: the URL of the upload, as the registry sent it last. Whoever sends holds its lock, so no two
//! programs send into one upload. The URL may hold the registry's signature, so the folder is ours alone (`cache`), and
//! the file's name tells which credentials began it. Nothing that stands there is believed: the URL has to pass
//! admission like a `Location` that just came, and the registry is asked what arrived. A note that cannot be kept is
//! none, never an error.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use url::Url;

/// Registries clear away what nobody goes on with: after a day or a week.
const LASTS: Duration = Duration::from_secs(24 * 60 * 60);
/// No URL is longer.
const MOST: u64 = 16 << 10;
/// Of old notes, so many are looked at.
const SWEPT: usize = 1000;

/// The note of one upload, which nobody else has meanwhile.
#[derive(Debug)]
pub(super) struct Note {
    path: PathBuf,
    file: File,
}

impl Note {
    /// The note in this file, made if there is none; `None` where another program is at it.
    pub(super) fn at(path: PathBuf) -> Option<Note> {
        sweep(path.parent()?);
        let mut options = OpenOptions::new();
        let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits().cast_signed();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        let file = file.open(&path).ok()?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
        // Its last holder may have removed it while it was opened.
        let (held, named) = (file.metadata().ok()?, fs::symlink_metadata(&path).ok()?);
        (held.is_file() && (held.dev(), held.ino()) == (named.dev(), named.ino())).then_some(Note { path, file })
    }

    /// What the last one wrote down, if it is not too old.
    pub(super) fn read(&mut self) -> Option<Url> {
        if age(&self.file)? > LASTS {
            return None;
        }
        let mut text = String::new();
        self.file.rewind().ok()?;
        (&self.file).take(MOST).read_to_string(&mut text).ok()?;
        // A line that a crash cut short has no end.
        Url::parse(text.strip_suffix('\n')?).ok()
    }

    /// Writes down where the upload goes on.
    pub(super) fn write(&mut self, url: &Url) {
        let line = format!("{url}\n");
        let written = self
            .file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| if line.len() as u64 <= MOST { self.file.write_all(line.as_bytes()) } else { Ok(()) });
        if let Err(error) = written {
            tracing::debug!(%error, "where the upload goes on is not kept");
        }
    }

    /// There is nothing to go on with any more.
    pub(super) fn clear(&mut self) {
        let _ = self.file.set_len(0);
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if self.file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn age(file: &File) -> Option<Duration> {
    let modified = file.metadata().and_then(|metadata| metadata.modified()).ok()?;
    Some(SystemTime::now().duration_since(modified).unwrap_or_default())
}

/// Removes notes that nobody will go on with.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().take(SWEPT).flatten() {
        let Ok(file) = File::open(entry.path()) else { continue };
        if age(&file).is_some_and(|age| age > LASTS) && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_for_one_at_a_time_and_goes_when_it_says_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("note");
        let url = Url::parse("https://r.example/v2/a/blobs/uploads/1?_state=x").unwrap();
        let mut note = Note::at(path.clone()).unwrap();
        assert_eq!(note.read(), None);
        assert!(Note::at(path.clone()).is_none(), "two have it");
        note.write(
            &Url::parse("https://r.example/a-longer-one-than-the-next-one-is/and-so-it-has-to-be-cut?x=1").unwrap(),
        );
        note.write(&url);
        drop(note);

        let mut note = Note::at(path.clone()).unwrap();
        assert_eq!(note.read(), Some(url));
        note.clear();
        drop(note);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_old_or_cut_short_is_none() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("note");
        fs::write(&path, "https://r.example/cut").unwrap();
        assert_eq!(Note::at(path.clone()).unwrap().read(), None);
        fs::write(&path, "https://r.example/old\n").unwrap();
        let old = SystemTime::now() - LASTS - Duration::from_secs(60);
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        drop(Note::at(scratch.path().join("another")).unwrap());
        assert!(!path.exists(), "old ones are removed");

        let victim = scratch.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert!(Note::at(path).is_none());
    }
}

//! Writing an archive: a new file that takes the place of the old one, or of none.
//!
//! Blobs go straight to where they will lie in the new file, each into a part of it that is kept for it, since their sizes
//! are known: many can arrive side by side, and nothing is copied twice. The commit adds the old archive's members as they
//! are, all but its index.json, and then the new index.json. So the file that has the name is whole at any moment, and a
//! reader who has it open keeps what it has.
//!
//! A member of ours is a function of its content: no time, no owner.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::tar::{Builder, EntryType, Header};
use async_trait::async_trait;
use portolan_oci::{Descriptor, Digest};
use rustix::io::Errno;

use super::super::blob::{Blob, Stamp};
use super::super::entries::{self, Change, Entries};
use super::super::folder::{Folder, TEMPORARY, Temporary};
use super::super::lock::{Lock, PATIENCE};
use super::super::sink::{Content, Document, Pushed, Sink};
use super::super::store::{Missing, Place, VERSION, place_of, shown};
use super::super::write::{WRITE, barred, blocking, failed, pour};
use super::opened::{Opened, Plain};
use super::tar::Listing;
use super::{Archive, INDEX, Meant};
use crate::error::{Code, Error, Result};

const BLOCK: u64 = 512;
/// What is copied at a time from the old archive.
const PIECE: usize = 1 << 20;

/// One piece of writing.
pub(super) struct ArchiveSink {
    archive: Archive,
    above: Folder,
    name: String,
    /// The archive as it was when the writing began: what `has` speaks of.
    old: Option<Arc<Opened>>,
    draft: Arc<Mutex<Draft>>,
}

/// The new file as far as it has come.
#[derive(Default)]
struct Draft {
    temporary: Option<Arc<Temporary>>,
    /// Where the next member goes.
    end: u64,
    parts: Vec<Part>,
    /// Algorithms whose folders have a member.
    algorithms: BTreeSet<&'static str>,
    /// Blobs that need not be put since the old archive has them.
    counted_on: BTreeSet<Digest>,
    changes: Vec<Change>,
}

/// A part of the new file, and the blob that it is for.
struct Part {
    digest: Digest,
    size: u64,
    /// Where its bytes begin.
    start: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Filling,
    /// Given up before all bytes were there.
    Abandoned,
    Whole,
}

/// The folder that `path` is in, and its name there.
pub(super) fn beside(path: &Path, subject: &str) -> Result<(Folder, String)> {
    let fail = |code, detail: String| Error::new(code, WRITE, subject, detail);
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.filter(|_| path.exists() || path.symlink_metadata().is_err());
    let name = name.ok_or_else(|| fail(Code::NotFound, "no file can be made there".into()))?;
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = Folder::open(above).map_err(|errno| match errno {
        Errno::NOENT | Errno::NOTDIR => {
            fail(Code::NotFound, format!("there is no folder {} to make it in", above.display()))
                .with_hint(format!("`mkdir -p {}` makes one", above.display()))
        }
        Errno::ACCESS | Errno::PERM => fail(Code::Forbidden, format!("no permission to open {}", above.display())),
        other => fail(Code::Other, format!("opening {}: {other}", above.display())),
    })?;
    Ok((folder, name.to_owned()))
}

impl ArchiveSink {
    pub(super) fn new(archive: Archive) -> Result<Self> {
        let (above, name) = beside(&archive.0.path, &shown(&archive))?;
        let old = archive.opened();
        if let Some(old) = &old {
            plain(old, &shown(&archive))?;
        }
        Ok(ArchiveSink { archive, above, name, old, draft: Arc::default() })
    }

    fn draft(&self) -> MutexGuard<'_, Draft> {
        self.draft.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> String {
        shown(&self.archive)
    }

    fn failed(&self, what: &str, failure: &io::Error) -> Error {
        failed(&self.store(), what, failure)
    }

    /// Whether the blob is in the old archive or in the new one.
    fn holds(&self, descriptor: &Descriptor) -> Result<bool> {
        let place = place_of(&self.store(), &descriptor.digest)?;
        let is_whole = |part: &Part| part.state == State::Whole && part.digest == descriptor.digest;
        if self.draft().parts.iter().any(is_whole) {
            return Ok(true);
        }
        let Some(old) = &self.old else { return Ok(false) };
        match old.find(&place.to_string()) {
            Ok(blob) if blob.length() == descriptor.size => {
                self.draft().counted_on.insert(descriptor.digest.clone());
                Ok(true)
            }
            Ok(_) | Err(Missing::Absent) => Ok(false),
            Err(missing) => Err(barred(&self.store(), missing)),
        }
    }

    /// Keeps a part of the new file for a blob, and writes what stands before it.
    fn keep(&self, descriptor: &Descriptor) -> Result<Keeping> {
        let place = place_of(&self.store(), &descriptor.digest)?;
        let Place::Blob(algorithm, _) = place else { return Err(barred(&self.store(), Missing::Absent)) };
        let mut draft = self.draft();
        if draft.temporary.is_none() {
            let made = self.above.temporary(TEMPORARY);
            let made = made.map_err(|errno| self.failed("a new file beside it", &errno.into()))?;
            draft.temporary = Some(Arc::new(made));
        }
        let temporary = draft.temporary.clone().ok_or_else(|| barred(&self.store(), Missing::Absent))?;
        let again = |part: &Part| {
            part.state == State::Abandoned && part.digest == descriptor.digest && part.size == descriptor.size
        };
        let at = match draft.parts.iter().position(again) {
            Some(at) => at,
            None => {
                let mut head = Vec::new();
                if self.old.is_none() && draft.parts.is_empty() {
                    head.extend(member(&Place::Version.to_string(), EntryType::Regular, VERSION.as_bytes()));
                    head.extend(member("blobs/", EntryType::Directory, &[]));
                }
                // An old archive has had its folders, or gets along without.
                if draft.algorithms.insert(algorithm.as_str()) && self.old.is_none() {
                    head.extend(member(&format!("blobs/{algorithm}/"), EntryType::Directory, &[]));
                }
                head.extend(header(&place.to_string(), EntryType::Regular, descriptor.size));
                let written = temporary.file().write_all_at(&head, draft.end);
                written.map_err(|failure| self.failed(descriptor.digest.as_str(), &failure))?;
                let start = draft.end + head.len() as u64;
                draft.end = end_of(start, descriptor.size).ok_or_else(|| {
                    Error::new(
                        Code::TooLarge,
                        WRITE,
                        self.store(),
                        format!("{} is larger than any file", descriptor.digest),
                    )
                })?;
                let (digest, size) = (descriptor.digest.clone(), descriptor.size);
                draft.parts.push(Part { digest, size, start, state: State::Filling });
                draft.parts.len() - 1
            }
        };
        let mut start = 0;
        if let Some(part) = draft.parts.get_mut(at) {
            part.state = State::Filling;
            start = part.start;
        }
        Ok(Keeping { draft: self.draft.clone(), temporary, at, start, whole: false })
    }

    /// What the archive's names are: of the one that is there now.
    fn names(&self) -> Option<Entries<'static>> {
        let index = self.old.as_ref()?.find(INDEX).ok()?;
        let bytes = index.read(0, self.archive.0.limits.entries).ok()?;
        Entries::read(&self.store(), &bytes, &self.archive.0.limits).ok().map(Entries::into_owned)
    }
}

/// A part that is being filled. It is abandoned where that is not done to the end.
struct Keeping {
    draft: Arc<Mutex<Draft>>,
    temporary: Arc<Temporary>,
    at: usize,
    start: u64,
    whole: bool,
}

impl Drop for Keeping {
    fn drop(&mut self) {
        let mut draft = self.draft.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = draft.parts.get_mut(self.at) {
            part.state = if self.whole { State::Whole } else { State::Abandoned };
        }
    }
}

#[async_trait]
impl Sink for ArchiveSink {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool> {
        self.holds(descriptor)
    }

    async fn put_blob(&self, descriptor: &Descriptor, content: &dyn Content) -> Result<()> {
        let store = self.store();
        let mut keeping = self.keep(descriptor)?;
        let fail = |failure: io::Error| failed(&store, descriptor.digest.as_str(), &failure);
        pour(content.open().await?, descriptor.size, keeping.temporary.file(), keeping.start, &fail).await?;
        keeping.whole = true;
        Ok(())
    }

    async fn put_document(&self, document: &Document) -> Result<Pushed> {
        let Document { descriptor, bytes, .. } = document;
        let change = Change::of(&self.store(), document)?;
        let there = self.holds(descriptor)?;
        let known = match change.as_ref().and_then(Change::name) {
            Some(name) if there => self.names().is_some_and(|names| names.has(descriptor, name)),
            _ => there,
        };
        if !there {
            let mut keeping = self.keep(descriptor)?;
            let written = keeping.temporary.file().write_all_at(bytes, keeping.start);
            written.map_err(|failure| self.failed(descriptor.digest.as_str(), &failure))?;
            keeping.whole = true;
        }
        self.draft().changes.extend(change);
        Ok(Pushed { created: !known, subject_processed: true })
    }

    async fn commit(&self) -> Result<()> {
        let draft = std::mem::take(&mut *self.draft());
        if draft.temporary.is_none() && draft.changes.is_empty() {
            return Ok(());
        }
        let store = self.store();
        if let Some(part) = draft.parts.iter().find(|part| part.state != State::Whole) {
            let detail = format!("{} did not arrive whole, and the archive would have a hole", part.digest);
            return Err(Error::new(Code::Conflict, WRITE, store, detail).with_hint("copy it again"));
        }
        let name = format!(".{}.lock", self.name);
        let draft = Arc::new(draft);
        loop {
            let lock = Lock::new(&self.above, &name, PATIENCE).await;
            let lock = lock.map_err(|unlocked| unlocked.explain(&store, &name))?;
            let finish = Finish {
                archive: self.archive.clone(),
                above: self.above.clone(),
                name: self.name.clone(),
                store: store.clone(),
                old: self.old.clone(),
                draft: draft.clone(),
            };
            if blocking(move || finish.run(&lock)).await? {
                return Ok(());
            }
        }
    }
}

/// The end of the writing, under the lock.
struct Finish {
    archive: Archive,
    above: Folder,
    name: String,
    store: String,
    old: Option<Arc<Opened>>,
    draft: Arc<Draft>,
}

impl Finish {
    /// `false` where the lock was lost meanwhile, and nothing was done.
    fn run(&self, lock: &Lock) -> Result<bool> {
        let limits = &self.archive.0.limits;
        let failed = |failure: io::Error| failed(&self.store, &self.name, &failure);
        let now = self.now()?;
        let read = |descriptor: &Descriptor| self.read(now.as_deref(), descriptor);
        let index = match &now {
            None => entries::none().into_bytes(),
            Some(now) => {
                let blob = now.find(INDEX).map_err(|missing| barred(&self.store, missing))?;
                blob.read(0, limits.entries).map_err(failed)?
            }
        };
        let new = entries::changed(&self.store, &index, &self.draft.changes, limits, read)?;
        if new.is_none() && self.draft.parts.is_empty() && now.is_some() {
            return Ok(true);
        }
        let temporary = match &self.draft.temporary {
            Some(temporary) => temporary.clone(),
            None => Arc::new(self.above.temporary(TEMPORARY).map_err(|errno| failed(errno.into()))?),
        };
        let file = temporary.file();
        let mut end = self.draft.end;
        if let Some(now) = &now {
            end = append(plain(now, &self.store)?, &now.listing, file, end).map_err(failed)?;
        }
        let mut tail = Vec::new();
        if now.is_none() && self.draft.parts.is_empty() {
            tail.extend(member(&Place::Version.to_string(), EntryType::Regular, VERSION.as_bytes()));
        }
        tail.extend(member(&Place::Index.to_string(), EntryType::Regular, new.as_deref().unwrap_or(&index)));
        tail.extend([0; 2 * BLOCK as usize]);
        file.write_all_at(&tail, end).map_err(failed)?;
        file.set_len(end + tail.len() as u64).map_err(failed)?;
        temporary.resemble(&self.above, &self.name).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        if !lock.holds() {
            return Ok(false);
        }
        temporary.rename(&self.above, &self.name).map_err(|errno| failed(errno.into()))?;
        self.above.sync().map_err(|errno| failed(errno.into()))?;
        let written = self.above.file(&self.name).map_err(|missing| barred(&self.store, missing))?;
        self.archive.set(Opened::read(written, &self.store, Meant::Layout, limits)?);
        self.above.sweep(TEMPORARY);
        Ok(true)
    }

    /// The archive that is there now: the one that was opened, or what another has put in its place, if that has what is
    /// counted on.
    fn now(&self) -> Result<Option<Arc<Opened>>> {
        let gone = |what: String| {
            Error::new(Code::Conflict, WRITE, self.store.as_str(), what).with_hint("copy it again").retryable()
        };
        let file = match self.above.file(&self.name) {
            Ok(file) => file,
            Err(Missing::Absent) if self.draft.counted_on.is_empty() => return Ok(None),
            Err(Missing::Absent) => return Err(gone("another program has removed it meanwhile".into())),
            Err(missing) => return Err(barred(&self.store, missing)),
        };
        let metadata = file.metadata().map_err(|failure| failed(&self.store, &self.name, &failure))?;
        if metadata.len() == 0 && self.draft.counted_on.is_empty() {
            return Ok(None);
        }
        let is_same = |old: &&Arc<Opened>| old.plain().is_some_and(|plain| plain.stamp == Stamp::of(&metadata));
        if let Some(old) = self.old.as_ref().filter(is_same) {
            return Ok(Some(old.clone()));
        }
        let now = Opened::read(file, &self.store, Meant::Layout, &self.archive.0.limits)?;
        plain(&now, &self.store)?;
        for digest in &self.draft.counted_on {
            if now.find(&place_of(&self.store, digest)?.to_string()).is_err() {
                return Err(gone(format!("another program has written it meanwhile, without {digest}")));
            }
        }
        Ok(Some(Arc::new(now)))
    }

    /// An index that is in the new archive.
    fn read(&self, now: Option<&Opened>, descriptor: &Descriptor) -> Option<Vec<u8>> {
        let most = self.archive.0.limits.document;
        let part = self.draft.parts.iter().find(|part| part.digest == descriptor.digest);
        let blob = match (part, &self.draft.temporary) {
            (Some(part), Some(temporary)) => Blob::new(temporary.file().clone(), part.start, part.size),
            _ => now?.find(&Place::of(&descriptor.digest)?.to_string()).ok()?,
        };
        (blob.length() <= most).then(|| blob.read(0, most).ok()).flatten()
    }
}

/// What is there, if more can be written behind it.
fn plain<'a>(opened: &'a Opened, store: &str) -> Result<&'a Plain> {
    opened.plain().ok_or_else(|| {
        Error::new(Code::Unsupported, WRITE, store, "it is compressed, and plain archives are written")
            .with_hint("decompress it first, or write to a new file")
    })
}

/// Copies the members of an archive, all but its index.json, to the end of another; where that is then.
fn append(from: &Plain, listing: &Listing, to: &File, mut end: u64) -> io::Result<u64> {
    let length = from.file.metadata()?.len();
    let mut at = 0;
    let parts = listing.parts.iter().map(|part| (part.start, part.end));
    for (start, next) in parts.chain([(listing.end, listing.end)]) {
        // The padding of the last member may be missing.
        end = copy(&from.file, at..start.min(length), to, end)?.next_multiple_of(BLOCK);
        at = next;
    }
    Ok(end)
}

fn copy(from: &File, range: std::ops::Range<u64>, to: &File, mut end: u64) -> io::Result<u64> {
    let mut at = range.start;
    let mut piece = vec![0; PIECE];
    while at < range.end {
        let wanted = usize::try_from(range.end - at).unwrap_or(PIECE).min(PIECE);
        let piece = piece.get_mut(..wanted).unwrap_or_default();
        let read = from.read_at(piece, at)?;
        if read == 0 {
            return Err(io::Error::other("it became shorter while it was read"));
        }
        to.write_all_at(piece.get(..read).unwrap_or_default(), end)?;
        (at, end) = (at + read as u64, end + read as u64);
    }
    Ok(end)
}

/// Where a member of so many bytes ends, with its padding.
fn end_of(start: u64, size: u64) -> Option<u64> {
    start.checked_add(size)?.checked_next_multiple_of(BLOCK).filter(|end| *end <= i64::MAX as u64)
}

/// A member with its padding.
fn member(name: &str, kind: EntryType, content: &[u8]) -> Vec<u8> {
    let mut member = header(name, kind, content.len() as u64);
    member.extend(content);
    member.resize(member.len().next_multiple_of(BLOCK as usize), 0);
    member
}

/// What stands before a member's bytes: for the long name of a sha512 it is more than one block.
fn header(name: &str, kind: EntryType, size: u64) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    let mut builder = Builder::new(Vec::new());
    // In memory, under a name from constants and a digest: nothing can fail.
    let _ = builder.append_data(&mut header, name, io::empty());
    builder.get_ref().clone()
}

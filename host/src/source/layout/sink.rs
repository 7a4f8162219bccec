//! Writing into a layout: every file under a hidden name until it is whole and on the disk, index.json last.
//!
//! A blob takes its name as soon as it is whole, so that a copy that ends early need not send it again; of a large one that
//! is not whole, what came is kept (`layout/partial.rs`). Documents, which
//! are many and small, wait for the commit and then go to the disk side by side: waiting for the disk one at a time would
//! take longer than writing them. Then the folders, and then index.json, under the lock that BuildKit takes too. So
//! whatever ends a copy, and a power cut too, what has a name is there.

use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use portolan_oci::{Descriptor, Digest};
use tokio::sync::OnceCell;

use super::super::entries::{self, Change, Entries};
use super::super::folder::{Folder, TEMPORARY, Temporary};
use super::super::lock::{Lock, PATIENCE};
use super::super::sink::{Content, Document, Pushed, Sink};
use super::super::store::{Files as _, Missing, Place, place_of, shown};
use super::super::write::{WRITE, barred, blocking, failed, sync};
use super::{Layout, partial};
use crate::error::{Code, Error, Result};
use crate::limits::Limits;

/// What BuildKit locks while it rewrites index.json.
const LOCK: &str = "index.json.lock";
/// What could not be made, in a message.
const NEW_FILE: &str = "a new file in its blobs";
/// Files that are synced side by side: the disk takes many in the time of one.
const SYNCED_AT_ONCE: usize = 16;

/// One piece of writing.
pub(super) struct LayoutSink {
    layout: Layout,
    staged: Mutex<Staged>,
    /// The entries as they were when they were first asked about; none where they are no entries.
    entries: OnceCell<Option<Entries<'static>>>,
}

/// What waits for the commit.
#[derive(Default)]
struct Staged {
    /// Something was put.
    touched: bool,
    documents: Vec<(Temporary, Digest)>,
    changes: Vec<Change>,
}

impl LayoutSink {
    pub(super) fn new(layout: Layout) -> Self {
        LayoutSink { layout, staged: Mutex::default(), entries: OnceCell::new() }
    }

    fn staged(&self) -> std::sync::MutexGuard<'_, Staged> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> String {
        shown(&self.layout)
    }

    /// Whether the blob is there, whole.
    fn holds(&self, descriptor: &Descriptor) -> Result<bool> {
        match self.layout.find(&place_of(&self.store(), &descriptor.digest)?) {
            Ok(blob) => Ok(blob.length() == descriptor.size),
            Err(Missing::Absent) => Ok(false),
            Err(missing) => Err(barred(&self.store(), missing)),
        }
    }

    /// Where hidden files for blobs are, beside the folders that blobs are in: those belong to others, who may take any file
    /// in them for a blob.
    fn blobs(&self) -> Result<Folder> {
        let blobs = self.layout.make()?.make("blobs").map_err(|missing| barred(&self.store(), missing))?;
        self.staged().touched = true;
        Ok(blobs)
    }

    /// What the layout holds already. Read once: this only says whether something is new.
    async fn entries(&self) -> Result<Option<&Entries<'static>>> {
        let read = || async {
            let (sink, store) = (LayoutSink::new(self.layout.clone()), self.store());
            blocking(move || {
                let index = sink.index()?;
                let read = |index: Vec<u8>| Entries::read(&store, &index, &Limits::default()).map(Entries::into_owned);
                Ok(index.and_then(|index| read(index).ok()))
            })
            .await
        };
        Ok(self.entries.get_or_try_init(read).await?.as_ref())
    }

    /// The layout's index.json as it is.
    fn index(&self) -> Result<Option<Vec<u8>>> {
        let limits = Limits::default();
        let failed = |failure: io::Error| failed(&self.store(), "its index.json", &failure);
        match self.layout.find(&Place::Index) {
            Ok(blob) if blob.length() > limits.entries => {
                let detail =
                    format!("its index.json has {} bytes, where {} are the limit", blob.length(), limits.entries);
                Err(Error::new(Code::TooLarge, WRITE, self.store(), detail))
            }
            Ok(blob) => blob.read(0, limits.entries).map(Some).map_err(failed),
            Err(Missing::Absent) => Ok(None),
            Err(missing) => Err(barred(&self.store(), missing)),
        }
    }
}

#[async_trait]
impl Sink for LayoutSink {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool> {
        self.holds(descriptor)
    }

    async fn put_blob(&self, descriptor: &Descriptor, content: &dyn Content) -> Result<()> {
        let store = self.store();
        place_of(&store, &descriptor.digest)?;
        let made = partial::file(&self.blobs()?, descriptor);
        let temporary = made.map_err(|errno| failed(&store, NEW_FILE, &errno.into()))?;
        partial::fill(&temporary, descriptor, content, &store).await?;
        sync(temporary.file()).await.map_err(|failure| failed(&store, descriptor.digest.as_str(), &failure))?;
        publish(self.layout.make()?, &temporary, &descriptor.digest, &store)
    }

    async fn put_document(&self, document: &Document) -> Result<Pushed> {
        let Document { descriptor, bytes, .. } = document;
        let store = self.store();
        let fail = |failure: io::Error| failed(&store, descriptor.digest.as_str(), &failure);
        let change = Change::of(&store, document)?;
        let there = self.holds(descriptor)?;
        let known = match change.as_ref().and_then(Change::name) {
            Some(name) if there => self.entries().await?.is_some_and(|entries| entries.has(descriptor, name)),
            _ => there,
        };
        if !there {
            let made = self.blobs()?.temporary(TEMPORARY);
            let temporary = made.map_err(|errno| failed(&store, NEW_FILE, &errno.into()))?;
            temporary.file().write_all_at(bytes, 0).map_err(fail)?;
            self.staged().documents.push((temporary, descriptor.digest.clone()));
        }
        let mut staged = self.staged();
        staged.touched = true;
        staged.changes.extend(change);
        // Entries tell what refers to what, and so they do here.
        Ok(Pushed { created: !known, subject_processed: true })
    }

    async fn commit(&self) -> Result<()> {
        let Staged { touched, documents, changes } = std::mem::take(&mut *self.staged());
        if !touched {
            return Ok(());
        }
        let store = self.store();
        let folder = self.layout.make()?;
        stream::iter(documents)
            .map(async |(temporary, digest): (Temporary, Digest)| {
                sync(temporary.file()).await.map_err(|failure| failed(&store, digest.as_str(), &failure))?;
                publish(folder, &temporary, &digest, &store)
            })
            .buffer_unordered(SYNCED_AT_ONCE)
            .try_collect::<()>()
            .await?;
        let (layout, here, named) = (self.layout.clone(), folder.clone(), store.clone());
        blocking(move || sync_blobs(&here, &named)).await?;
        let mut changes = Arc::new(changes);
        while !changes.is_empty() {
            let lock = Lock::new(folder, LOCK, PATIENCE).await.map_err(|unlocked| unlocked.explain(&store, LOCK))?;
            let (sink, to_make) = (LayoutSink::new(layout.clone()), changes.clone());
            // Once it has begun it is not cut short: a caller who goes away leaves the old file or the new one.
            if blocking(move || sink.rewrite(&lock, &to_make)).await? {
                changes = Arc::default();
            }
        }
        let here = folder.clone();
        blocking(move || {
            here.sweep(TEMPORARY);
            if let Ok(blobs) = here.folder("blobs") {
                blobs.sweep(TEMPORARY);
            }
            Ok(())
        })
        .await
    }
}

impl LayoutSink {
    /// Writes index.json anew. `false` where the lock was lost meanwhile, and nothing was done.
    fn rewrite(&self, lock: &Lock, changes: &[Change]) -> Result<bool> {
        let store = self.store();
        let folder = self.layout.make()?;
        let limits = Limits::default();
        let old = self.index()?.unwrap_or_else(|| entries::none().into());
        let read = |descriptor: &Descriptor| self.read_index(descriptor, &limits);
        let Some(new) = entries::changed(&store, &old, changes, &limits, read)? else { return Ok(true) };
        let name = Place::Index.to_string();
        let failed = |failure: io::Error| failed(&store, &format!("its {name}"), &failure);
        let temporary = folder.temporary(TEMPORARY).map_err(|errno| failed(errno.into()))?;
        temporary.file().write_all_at(&new, 0).map_err(failed)?;
        temporary.resemble(folder, &name).map_err(failed)?;
        temporary.file().sync_data().map_err(failed)?;
        if !lock.holds() {
            return Ok(false);
        }
        temporary.rename(folder, &name).map_err(|errno| failed(errno.into()))?;
        folder.sync().map_err(|errno| failed(errno.into()))?;
        Ok(true)
    }

    /// An index that is in the layout.
    fn read_index(&self, descriptor: &Descriptor, limits: &Limits) -> Option<Vec<u8>> {
        let blob = self.layout.find(&Place::of(&descriptor.digest)?).ok()?;
        (blob.length() <= limits.document).then(|| blob.read(0, limits.document).ok()).flatten()
    }
}

/// Gives a whole file its name.
fn publish(folder: &Folder, temporary: &Temporary, digest: &Digest, store: &str) -> Result<()> {
    let Place::Blob(algorithm, hex) = place_of(store, digest)? else { return Ok(()) };
    let barred = |missing| barred(store, missing);
    let blobs = folder.make("blobs").map_err(barred)?.make(algorithm.as_str()).map_err(barred)?;
    temporary.rename(&blobs, hex).map_err(|errno| failed(store, digest.as_str(), &errno.into()))
}

/// Has the disk know all names of blobs.
fn sync_blobs(folder: &Folder, store: &str) -> Result<()> {
    let Ok(blobs) = folder.folder("blobs") else { return Ok(()) };
    let failed = |errno: rustix::io::Errno| failed(store, "its blobs", &errno.into());
    for name in blobs.names().map_err(failed)? {
        if let Ok(folder) = blobs.folder(&name) {
            folder.sync().map_err(failed)?;
        }
    }
    blobs.sync().map_err(failed)?;
    folder.sync().map_err(failed)
}

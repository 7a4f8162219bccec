//! A lock that other programs heed: `flock` on a file beside what is rewritten, as BuildKit locks a layout.
//!
//! BuildKit deletes the file when it is done, and so do we, but while it is locked: whoever waits for a file that is gone
//! sees that, and tries again with the one that is there then.

use std::fs::File;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use tokio::time::{Instant, sleep};

use super::folder::Folder;
use super::store::Missing;
use super::write::{WRITE, barred};
use crate::error::{Code, Error};

/// Between two tries. An index.json is rewritten in less.
const PAUSE: Duration = Duration::from_millis(10);

/// For how long another may have it before we give up.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    folder: Folder,
    name: String,
    file: File,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum Unlocked {
    /// Somebody else had it all the time.
    Busy,
    /// The file cannot be made or opened.
    Missing(Missing),
}

impl Lock {
    /// Waits for the lock `name`, at most as long as `patience` lasts.
    pub(super) async fn new(folder: &Folder, name: &str, patience: Duration) -> Result<Self, Unlocked> {
        let until = Instant::now() + patience;
        loop {
            let file = match folder.make_file(name) {
                // Removed between being found and being opened.
                Err(Missing::Absent) if Instant::now() < until => continue,
                made => made.map_err(Unlocked::Missing)?,
            };
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {
                    let lock = Lock { folder: folder.clone(), name: name.to_owned(), file };
                    if lock.holds() {
                        return Ok(lock);
                    }
                    // Its last holder has removed it meanwhile.
                    continue;
                }
                Err(Errno::WOULDBLOCK) if Instant::now() >= until => return Err(Unlocked::Busy),
                Err(Errno::WOULDBLOCK) => drop(file),
                Err(other) => return Err(Unlocked::Missing(Missing::Failed(other.into()))),
            }
            sleep(PAUSE).await;
        }
    }

    /// Whether it still keeps others out: BuildKit removes the file just after it has unlocked it, which may be just after
    /// we have locked it.
    pub(super) fn holds(&self) -> bool {
        self.folder.still_is(&self.name, &self.file).is_ok_and(|same| same)
    }
}

impl Unlocked {
    /// The error of a store that could not be locked.
    pub(super) fn explain(self, store: &str, name: &str) -> Error {
        match self {
            Unlocked::Missing(missing) => barred(store, missing),
            Unlocked::Busy => {
                let detail = format!("another program has had {name} locked for {} seconds", PATIENCE.as_secs());
                Error::new(Code::Unavailable, WRITE, store, detail).with_hint("try again when it is done").retryable()
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.holds() {
            let _ = self.folder.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const NAME: &str = "index.json.lock";
    const SOON: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(60);

    fn folder(path: &Path) -> Folder {
        Folder::open(path).unwrap()
    }

    #[tokio::test]
    async fn one_at_a_time_and_nothing_is_left() {
        let scratch = tempfile::tempdir().unwrap();
        let here = folder(scratch.path());
        let first = Lock::new(&here, NAME, SOON).await.unwrap();
        // Another handle of the same folder is another program.
        let there = folder(scratch.path());
        assert!(matches!(Lock::new(&there, NAME, SOON).await, Err(Unlocked::Busy)));
        drop(first);
        drop(Lock::new(&there, NAME, SOON).await.unwrap());
        assert!(!scratch.path().join(NAME).exists());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nobody_is_in_while_another_is() {
        let scratch = tempfile::tempdir().unwrap();
        let inside = Arc::new(AtomicUsize::new(0));
        let workers: Vec<_> = (0..8)
            .map(|_| {
                let (here, inside) = (folder(scratch.path()), inside.clone());
                tokio::spawn(async move {
                    for _ in 0..20 {
                        let lock = Lock::new(&here, NAME, LONG).await.unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        tokio::task::yield_now().await;
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        drop(lock);
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_lock_whose_file_was_removed_is_none() {
        let scratch = tempfile::tempdir().unwrap();
        let here = folder(scratch.path());
        let lock = Lock::new(&here, NAME, SOON).await.unwrap();
        std::fs::remove_file(scratch.path().join(NAME)).unwrap();
        assert!(!lock.holds());
        let second = Lock::new(&here, NAME, SOON).await.unwrap();
        drop(lock);
        assert!(second.holds(), "the first one removed a file that was not its own");
    }
}

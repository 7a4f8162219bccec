//! Which of several processes gets something: who could make its lease, for as long as the lease is renewed.
//!
//! Who waits needs no clock that agrees with others': a lease that does not change while one looks at it is nobody's.

use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use portolan_oci::Digest;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Shared, age, algorithm};

/// How often a lease is renewed.
const RENEWED: Duration = Duration::from_secs(1);
/// One that did not change for so long has lost who had it.
const LOST: Duration = Duration::from_secs(5);
/// So has one that is older by the store's clock, whoever looks.
const OLD: Duration = Duration::from_secs(60);
/// How long another process is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether it is done.
const LOOK: Duration = Duration::from_millis(50);

/// This process is to get it.
pub(super) struct Lease {
    shared: Arc<Shared>,
    path: Path,
    renewing: JoinHandle<()>,
}

impl Lease {
    fn held(shared: &Arc<Shared>, path: Path) -> Lease {
        let (renewed, at) = (Arc::clone(shared), path.clone());
        let renewing = tokio::spawn(async move {
            for count in 1_u64.. {
                tokio::time::sleep(RENEWED).await;
                // What it says changes, as some stores' clocks count in seconds.
                renewed.ask(renewed.shelf.store.put(&at, PutPayload::from(count.to_string()))).await;
            }
        });
        Lease { shared: Arc::clone(shared), path, renewing }
    }

    /// It is on the shelf, or will not be.
    pub(super) async fn release(self) {
        self.renewing.abort();
        self.shared.ask(self.shared.shelf.store.delete(&self.path)).await;
    }
}

/// Where it is not released, it is lost after a while.
impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl Shared {
    /// A lease, after having waited for who has it. `None` where that takes too long, or the shelf does not answer:
    /// everybody gets it for themselves then.
    pub(super) async fn lease(self: &Arc<Self>, digest: &Digest) -> Option<Lease> {
        let path = Path::from_iter(["lease", algorithm(digest), digest.hex()]);
        let until = Instant::now() + PATIENCE;
        let mut known = None;
        while Instant::now() < until {
            if self.create(&path).await? {
                return Some(Lease::held(self, path));
            }
            if let Some(held) = self.ask(self.shelf.store.head(&path)).await {
                let (old, mark) = (age(held.last_modified.into()) > OLD, (held.e_tag, held.last_modified));
                let since = match known.take() {
                    Some((last, since)) if last == mark => since,
                    _ => Instant::now(),
                };
                known = Some((mark, since));
                if old || since.elapsed() > LOST {
                    self.ask(self.shelf.store.delete(&path)).await;
                    continue;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
        None
    }

    /// Whether it was not there, and is now.
    async fn create(&self, path: &Path) -> Option<bool> {
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let put = self.shelf.store.put_opts(path, PutPayload::from_static(b"0"), create);
        let made = async {
            match put.await {
                Ok(_) => Ok(true),
                Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.ask(made).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Shared, Shelf};
    use super::*;

    fn at(folder: &std::path::Path) -> Arc<Shared> {
        Arc::new(Shared::new(Shelf::at(&folder.join("kept").display().to_string()).unwrap(), Arc::default()))
    }

    #[tokio::test]
    async fn one_has_it_and_the_next_waits() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (at(folder.path()), at(folder.path()));
        let digest = Digest::sha256(b"x");
        let lease = one.lease(&digest).await.unwrap();
        let waiting = tokio::spawn({
            let (other, digest) = (Arc::clone(&other), digest.clone());
            async move { other.lease(&digest).await }
        });
        // It is renewed, so that it is nobody else's however long it takes.
        tokio::time::sleep(LOST + RENEWED).await;
        assert!(!waiting.is_finished());
        lease.release().await;
        waiting.await.unwrap().unwrap().release().await;
        assert!(one.lease(&digest).await.is_some());
    }

    #[tokio::test]
    async fn one_whose_process_is_gone_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest::sha256(b"x");
        let (one, other) = (at(folder.path()), at(folder.path()));
        drop(one.lease(&digest).await.unwrap());
        let begun = Instant::now();
        assert!(other.lease(&digest).await.is_some());
        assert!(begun.elapsed() >= LOST, "it was looked at for a while");
    }

    #[tokio::test]
    async fn a_shelf_that_fails_has_none_and_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let shared = at(folder.path());
        // A file where the folder of leases would be.
        std::fs::write(folder.path().join("kept/lease"), "").unwrap();
        assert!(shared.lease(&Digest::sha256(b"x")).await.is_none());
        assert_eq!(shared.metrics.shelf_failures.load(std::sync::atomic::Ordering::Relaxed), 1);
    }
}

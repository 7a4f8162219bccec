//! The same question asked twice at a time is asked once: who comes second waits for the first one's answer.
//!
//! Nothing is kept once nobody waits; that would be a cache.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

type Slot<V> = tokio::sync::Mutex<Option<V>>;

/// Questions under way.
#[derive(Debug)]
pub(super) struct Flights<K, V>(Mutex<HashMap<K, Weak<Slot<V>>>>);

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Flights(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Flights<K, V> {
    /// The answer to `key`: that of a flight under way, or what `work` says. If whoever works is dropped, the next one in
    /// the line works.
    pub(super) async fn join(&self, key: K, work: impl Future<Output = V>) -> V {
        let slot = self.slot(key);
        let mut answer = slot.lock().await;
        if let Some(answer) = &*answer {
            return answer.clone();
        }
        let found = work.await;
        *answer = Some(found.clone());
        found
    }

    /// Lets nobody join the flights of these keys any more: what they will answer is no longer so.
    pub(super) fn outdate(&self, is: impl Fn(&K) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| !is(key));
    }

    fn slot(&self, key: K) -> Arc<Slot<V>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = flights.get(&key).and_then(Weak::upgrade) {
            return slot;
        }
        flights.retain(|_, slot| slot.strong_count() > 0);
        let slot = Arc::default();
        flights.insert(key, Arc::downgrade(&slot));
        slot
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_works_and_all_are_answered() {
        let (flights, worked) = (Flights::default(), AtomicUsize::new(0));
        let work = || async {
            tokio::task::yield_now().await;
            worked.fetch_add(1, Ordering::Relaxed)
        };
        let answers = tokio::join!(
            flights.join("a", work()),
            flights.join("a", work()),
            flights.join("b", work()),
            flights.join("a", work()),
        );
        assert_eq!(answers.0, answers.1);
        assert_eq!(answers.0, answers.3);
        assert_eq!(worked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn nobody_joins_what_is_outdated() {
        let flights: Flights<&str, u32> = Flights::default();
        let mut old = Box::pin(flights.join("a", async {
            tokio::task::yield_now().await;
            1
        }));
        assert!((&mut old).now_or_never().is_none());
        flights.outdate(|key| *key == "a");
        assert_eq!(flights.join("a", async { 2 }).await, 2);
        assert_eq!(old.await, 1);
    }

    #[tokio::test]
    async fn a_dropped_worker_is_replaced_and_nothing_is_kept() {
        let flights: Flights<&str, u32> = Flights::default();
        let mut stuck = Box::pin(flights.join("a", std::future::pending()));
        assert!((&mut stuck).now_or_never().is_none());
        let mut second = Box::pin(flights.join("a", async { 2 }));
        assert!((&mut second).now_or_never().is_none(), "it waits for the first");
        drop(stuck);
        assert_eq!(second.await, 2);
        assert_eq!(flights.join("a", async { 3 }).await, 3);
    }
}

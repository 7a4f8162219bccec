//! One at a time, by key: whoever wants what another is at waits for that one, and for nobody else.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

type Turn = tokio::sync::Mutex<()>;

/// Of each key that somebody holds or waits for.
#[derive(Debug)]
pub(crate) struct Turns<K>(Mutex<HashMap<K, Weak<Turn>>>);

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Turns(Mutex::default())
    }
}

impl<K: Hash + Eq> Turns<K> {
    /// Waits until nobody else is at it. It is the caller's until what is returned is dropped.
    pub(crate) async fn take(&self, key: K) -> OwnedMutexGuard<()> {
        self.of(key).lock_owned().await
    }

    fn of(&self, key: K) -> Arc<Turn> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(&key).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(key, Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn one_at_a_time_and_nothing_is_kept() {
        let turns = Turns::default();
        let take = |key| turns.take(key).now_or_never();
        let one = take(1).unwrap();
        assert!(take(1).is_none());
        let two = take(2).unwrap();
        drop(one);
        assert!(take(1).is_some());
        drop(two);
        let _three = take(3);
        assert_eq!(turns.0.lock().unwrap().len(), 1);
    }
}

//! Questions under way: who asks the same meanwhile waits for the same answer, so that it is asked once.
//!
//! An answer is not kept (`recall` does that), and a question goes on only as long as somebody waits for it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use crate::error::Result;

type Question<V> = BoxFuture<'static, Result<V>>;

/// See the module: `K` is what is asked, `V` its answer.
pub(super) struct Flights<K, V>(Mutex<HashMap<K, WeakShared<Question<V>>>>);

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Flights(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Flights<K, V> {
    /// The answer: to the question that is under way, or else to this one.
    pub(super) async fn ask(&self, key: K, question: impl FnOnce() -> Question<V>) -> Result<V> {
        self.join(key, question).await
    }

    fn join(&self, key: K, question: impl FnOnce() -> Question<V>) -> Shared<Question<V>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is over answers nobody else: what it was told may be different now.
        if let Some(flight) = flights.get(&key).and_then(WeakShared::upgrade).filter(|it| it.peek().is_none()) {
            return flight;
        }
        flights.retain(|_, flight| flight.upgrade().is_some_and(|flight| flight.peek().is_none()));
        let flight = question().shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(key, weak);
        }
        flight
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::oneshot;

    use super::*;
    use crate::error::{Code, Error};

    #[tokio::test]
    async fn who_asks_the_same_meanwhile_has_the_same_answer() {
        let (flights, asked) = (Flights::<&str, usize>::default(), Arc::new(AtomicUsize::new(0)));
        let (go, gone) = oneshot::channel::<()>();
        let mut gone = Some(gone);
        let mut question = || {
            let (asked, gone) = (Arc::clone(&asked), gone.take());
            async move {
                if let Some(gone) = gone {
                    let _ = gone.await;
                }
                Ok(asked.fetch_add(1, Ordering::Relaxed) + 1)
            }
            .boxed()
        };
        let waiting: Vec<_> = (0..8).map(|_| flights.join("a", &mut question)).collect();
        assert_eq!(flights.ask("b", &mut question).await.unwrap(), 1, "something else does not wait");
        go.send(()).unwrap();
        assert!(join_all(waiting).await.into_iter().all(|answer| answer.unwrap() == 2));
        assert_eq!(flights.ask("a", &mut question).await.unwrap(), 3, "what was answered is asked again");
    }

    #[tokio::test]
    async fn all_are_told_what_went_wrong_and_the_next_one_asks_again() {
        let flights = Flights::<&str, ()>::default();
        let wrong = || async { Err(Error::new(Code::Unavailable, "ask", "a", "gone")) }.boxed();
        let waiting: Vec<_> = (0..2).map(|_| flights.join("a", wrong)).collect();
        assert!(join_all(waiting).await.into_iter().all(|answer| answer.unwrap_err().code() == Code::Unavailable));
        flights.ask("a", || async { Ok(()) }.boxed()).await.unwrap();
    }

    #[tokio::test]
    async fn what_nobody_waits_for_ends() {
        let flights = Flights::<&str, ()>::default();
        let held = Arc::new(());
        let kept = Arc::clone(&held);
        let waiting = flights.join("a", || {
            async move {
                let _kept = kept;
                std::future::pending().await
            }
            .boxed()
        });
        assert!(waiting.clone().now_or_never().is_none());
        drop(waiting);
        assert_eq!(Arc::strong_count(&held), 1);
        flights.ask("a", || async { Ok(()) }.boxed()).await.unwrap();
    }
}

//! When to ask again, and when to stop: five tries, waiting longer each time, unless the registry says how long.
//!
//! Pure but for the jitter. A retry never changes a verdict: a digest that differs or a rule that was broken is final.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::Timing;

/// Tries for one request.
const TRIES: u32 = 5;
/// Tries where nobody listens: a server that starts up is there on the second one, and a person should not wait for more.
const TRIES_REFUSED: u32 = 2;

/// Why a try failed, as far as another one is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nobody listens, or the name has no address.
    Refused,
    /// The connection broke, or a time-out passed.
    Broken,
    /// An answer that asks for patience.
    Busy,
}

/// A failure that another try may undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Again {
    pub cause: Cause,
    /// How long the registry asked us to wait.
    pub asked: Option<Duration>,
}

impl Again {
    /// After an answer that asks for patience, and for how many seconds of it.
    pub(super) fn busy(seconds: Option<u32>) -> Again {
        Again { cause: Cause::Busy, asked: seconds.map(|seconds| Duration::from_secs(seconds.into())) }
    }
}

/// The tries of one request.
pub(super) struct Tries<'a> {
    made: u32,
    timing: &'a Timing,
}

impl<'a> Tries<'a> {
    pub(super) fn new(timing: &'a Timing) -> Tries<'a> {
        Tries { made: 0, timing }
    }

    /// Waits for the next try; `false` if there is none.
    pub(super) async fn wait(&mut self, again: Again) -> bool {
        self.made += 1;
        let Some(wait) = wait(again.cause, self.made, again.asked, self.timing) else { return false };
        tracing::debug!(tries = self.made, ?wait, cause = ?again.cause, "another try");
        tokio::time::sleep(wait).await;
        true
    }
}

/// Whether a request that was answered so is worth another try.
pub(super) fn is_busy(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

/// The wait before the try after the `tries`-th (from 1); `None` when it was the last.
pub(super) fn wait(cause: Cause, tries: u32, asked: Option<Duration>, timing: &Timing) -> Option<Duration> {
    let most = if cause == Cause::Refused { TRIES_REFUSED } else { TRIES };
    if tries >= most {
        return None;
    }
    Some(match asked {
        Some(asked) => asked.min(timing.retry_after_most),
        None => backoff(tries, timing).mul_f64(0.5 + jitter() / 2.0),
    })
}

fn backoff(tries: u32, timing: &Timing) -> Duration {
    let factor = 2u32.saturating_pow(tries.saturating_sub(1));
    timing.retry_first.saturating_mul(factor).min(timing.retry_most)
}

/// From 0 to 1. `RandomState` is seeded by the operating system, which is all that spreading clients out asks for.
fn jitter() -> f64 {
    let random = RandomState::new().hash_one(0u8);
    (random >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worth_another_try() {
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert!(is_busy(status), "{status}");
        }
        for status in [200, 206, 301, 307, 400, 401, 403, 404, 405, 409, 416, 418, 600] {
            assert!(!is_busy(status), "{status}");
        }
    }

    #[test]
    fn waits_grow_and_end() {
        let timing = Timing::default();
        let milliseconds = |tries| backoff(tries, &timing).as_millis();
        assert_eq!([1, 2, 3, 4, 5, 6, 40].map(milliseconds), [200, 400, 800, 1600, 3200, 5000, 5000]);
        for (cause, tries, again) in [
            (Cause::Busy, 1, true),
            (Cause::Busy, 4, true),
            (Cause::Busy, 5, false),
            (Cause::Broken, 4, true),
            (Cause::Broken, 5, false),
            (Cause::Refused, 1, true),
            (Cause::Refused, 2, false),
        ] {
            assert_eq!(wait(cause, tries, None, &timing).is_some(), again, "{cause:?} {tries}");
        }
        for tries in 1..5 {
            let wait = wait(Cause::Busy, tries, None, &timing).unwrap();
            assert!(wait <= backoff(tries, &timing) && wait * 2 >= backoff(tries, &timing), "{wait:?}");
        }
    }

    #[test]
    fn the_registry_may_say_how_long_within_bounds() {
        let timing = Timing::default();
        for (asked, waited) in [(0, 0), (7, 7), (60, 60), (61, 60), (u64::from(u32::MAX), 60)] {
            let wait = wait(Cause::Busy, 1, Some(Duration::from_secs(asked)), &timing);
            assert_eq!(wait, Some(Duration::from_secs(waited)), "{asked}");
        }
    }
}

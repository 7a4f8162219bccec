//! How much one registry is asked at a time. Documents and blobs have a line each, so that a manifest does not wait
//! behind layers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::source::sink::SMALL;

/// Which line a request stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Line {
    /// Manifests, configs, lists: small and many.
    Documents,
    /// Layers: large and few.
    Blobs,
    /// Small ones, see [`Line::blob`]. They have no document's place: who holds one while a token is asked for there would
    /// wait for himself.
    SmallBlobs,
    /// Layers on their way to the registry. Whoever sends one may have to fetch it here, too, and two that wait for each
    /// other's place would wait for ever.
    Uploads,
    /// The same for small ones.
    SmallUploads,
    /// Whoever asks has a place already.
    Seated,
}

impl Line {
    /// Where to wait for a blob of so many bytes.
    pub(super) fn blob(size: u64) -> Line {
        if size <= SMALL { Line::SmallBlobs } else { Line::Blobs }
    }

    /// Where to wait for sending one.
    pub(super) fn upload(size: u64) -> Line {
        if size <= SMALL { Line::SmallUploads } else { Line::Uploads }
    }

    fn places(self) -> Option<usize> {
        match self {
            Line::Documents | Line::SmallBlobs | Line::SmallUploads => Some(16),
            Line::Blobs | Line::Uploads => Some(4),
            Line::Seated => None,
        }
    }
}

/// A place at a registry, given back when it is dropped.
pub(super) type Place = Option<OwnedSemaphorePermit>;

type Lines = HashMap<(url::Origin, Line), Arc<Semaphore>>;

/// The lines in front of all registries.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<Lines>);

impl Queue {
    /// Waits for a place; first come, first served.
    pub(super) async fn enter(&self, origin: url::Origin, line: Line) -> Place {
        // A semaphore that is never closed always has a permit in the end.
        self.line(origin, line)?.acquire_owned().await.ok()
    }

    /// A place that nobody has or waits for.
    pub(super) fn spare(&self, origin: url::Origin, line: Line) -> Place {
        self.line(origin, line)?.try_acquire_owned().ok()
    }

    fn line(&self, origin: url::Origin, line: Line) -> Option<Arc<Semaphore>> {
        let places = line.places()?;
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(lines.entry((origin, line)).or_insert_with(|| Arc::new(Semaphore::new(places)))))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn small_blobs_do_not_wait_behind_large_ones() {
        for (size, down, up) in [
            (0, Line::SmallBlobs, Line::SmallUploads),
            (SMALL, Line::SmallBlobs, Line::SmallUploads),
            (SMALL + 1, Line::Blobs, Line::Uploads),
        ] {
            assert_eq!((Line::blob(size), Line::upload(size)), (down, up), "{size}");
        }
    }

    #[test]
    fn each_line_has_its_places() {
        let queue = Queue::default();
        let origin = |text| url::Url::parse(text).unwrap().origin();
        let enter = |text, line| queue.enter(origin(text), line).now_or_never();
        let blobs: Vec<_> = (0..4).map(|_| enter("https://a.example", Line::Blobs).unwrap()).collect();
        assert!(enter("https://a.example", Line::Blobs).is_none(), "the fifth blob waits");
        assert!(enter("https://a.example", Line::Documents).is_some(), "documents do not");
        assert!(enter("https://a.example", Line::Uploads).is_some(), "nor do blobs on their way there");
        assert!(enter("https://b.example", Line::Blobs).is_some(), "nor does another registry");
        assert!(queue.spare(origin("https://a.example"), Line::Blobs).is_none());
        drop(blobs);
        let spare = queue.spare(origin("https://a.example"), Line::Blobs);
        assert!(spare.is_some());
        assert!(enter("https://a.example", Line::Blobs).is_some());
    }
}

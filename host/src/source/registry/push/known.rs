//! Blobs that are known to be in a repository, so that nobody asks for each of them again: a run that writes ten images
//! with one base has that base's layers looked for once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use portolan_oci::Digest;

/// Beyond this, everything is asked for anew.
const KEPT: usize = 100_000;
/// For so long nobody's garbage collection takes what was just seen or sent: the least that registries wait.
const LASTS: Duration = Duration::from_secs(15 * 60);

/// What this process saw or put where.
#[derive(Debug, Default)]
pub(in crate::source::registry) struct Known(Mutex<HashMap<(String, Digest), Instant>>);

impl Known {
    /// Whether `repository` has the blob.
    pub(super) fn has(&self, repository: &str, digest: &Digest) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(repository.to_owned(), digest.clone())).is_some_and(|since| since.elapsed() < LASTS)
    }

    /// It was seen there, or put there.
    pub(super) fn add(&self, repository: &str, digest: &Digest) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert((repository.to_owned(), digest.clone()), Instant::now());
    }

    /// Something is not there after all: nothing is believed of that repository any more.
    pub(super) fn doubt(&self, repository: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _), _| known != repository);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_repository_has_what_was_seen_there() {
        let (known, digest) = (Known::default(), Digest::sha256(b"a"));
        known.add("r.example/a", &digest);
        known.add("r.example/b", &digest);
        known.doubt("r.example/b");
        for (repository, bytes, there) in
            [("r.example/a", "a", true), ("r.example/a", "b", false), ("r.example/b", "a", false), ("a", "a", false)]
        {
            assert_eq!(known.has(repository, &Digest::sha256(bytes.as_bytes())), there, "{repository} {bytes}");
        }
    }
}

//! What registries said, kept for whoever asks next: what a digest is, and documents. In memory, and bounded.
//!
//! Several who ask for the same at once ask once (`flight`).
//!
//! A digest is no secret, so knowing one opens nothing: what one repository gave is kept for that repository, and whether a
//! caller may read it is asked before (`gateway`). What a tag means is never kept.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use portolan_oci::{Descriptor, Digest, Reference};

use super::flight::Flights;
use super::metrics::Metrics;
use crate::error::{Code, Error, Result};
use crate::limits::Limits;
use crate::source::sink::Sink;
use crate::source::{ByteStream, Registries, Source, TagPage, Target};

/// What an entry takes besides its bytes, about.
const ENTRY: u64 = 512;

/// Registries, and what they said.
pub(super) struct Recall {
    registries: Arc<dyn Registries>,
    kept: Arc<Kept>,
}

impl Recall {
    /// Keeps at most so many bytes.
    pub(super) fn new(registries: Arc<dyn Registries>, bytes: u64, metrics: Arc<Metrics>) -> Self {
        let kept = Kept {
            most: bytes,
            generations: Mutex::default(),
            found: Flights::default(),
            fetched: Flights::default(),
            metrics,
        };
        Recall { registries, kept: Arc::new(kept) }
    }
}

impl Registries for Recall {
    fn repository(&self, reference: &Reference) -> Arc<dyn Source> {
        let source = self.registries.repository(reference);
        Arc::new(Repository { repository: source.repository().into(), source, kept: Arc::clone(&self.kept) })
    }
}

struct Kept {
    most: u64,
    generations: Mutex<Generations>,
    /// What is being found out of digests, and documents that are on their way.
    found: Flights<(Key, Found), Descriptor>,
    fetched: Flights<(Key, u64, String), Bytes>,
    metrics: Arc<Metrics>,
}

/// As what a digest is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Found {
    Root,
    Anything,
}

type Key = (Arc<str>, Digest);

/// What was used lately, and what was used before that. When the first is half of all that may be kept, the second goes.
#[derive(Default)]
struct Generations {
    young: HashMap<Key, Known>,
    old: HashMap<Key, Known>,
    /// Of the young.
    bytes: u64,
}

#[derive(Clone)]
struct Known {
    descriptor: Descriptor,
    bytes: Option<Bytes>,
}

impl Known {
    fn weight(&self) -> u64 {
        ENTRY + self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)
    }
}

impl Kept {
    fn get(&self, key: &Key) -> Option<Known> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = generations.young.get(key) {
            return Some(known.clone());
        }
        let known = generations.old.remove(key)?;
        self.insert(&mut generations, key.clone(), known.clone());
        Some(known)
    }

    /// What a registry said turned out to be wrong.
    fn forget(&self, key: &Key) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.old.remove(key);
        if let Some(known) = generations.young.remove(key) {
            generations.bytes = generations.bytes.saturating_sub(known.weight());
        }
    }

    fn put(&self, key: Key, known: Known) {
        self.insert(&mut self.generations.lock().unwrap_or_else(PoisonError::into_inner), key, known);
    }

    fn insert(&self, generations: &mut Generations, key: Key, known: Known) {
        let weight = known.weight();
        if weight > self.most / 2 {
            return;
        }
        if generations.bytes + weight > self.most / 2 {
            generations.old = std::mem::take(&mut generations.young);
            generations.bytes = 0;
        }
        generations.bytes += weight;
        if let Some(before) = generations.young.insert(key, known) {
            generations.bytes = generations.bytes.saturating_sub(before.weight());
        }
    }
}

struct Repository {
    repository: Arc<str>,
    source: Arc<dyn Source>,
    kept: Arc<Kept>,
}

impl Repository {
    fn key(&self, digest: &Digest) -> Key {
        (Arc::clone(&self.repository), digest.clone())
    }

    fn known(&self, digest: &Digest) -> Option<Known> {
        self.kept.get(&self.key(digest))
    }

    /// What its registry says of a digest.
    async fn find(&self, digest: &Digest, what: Found, limits: &Limits) -> Result<Descriptor> {
        let asked = self.kept.found.ask((self.key(digest), what), || {
            let (source, digest, limits) = (Arc::clone(&self.source), digest.clone(), limits.clone());
            async move {
                match what {
                    Found::Root => source.resolve(Target::Digest(&digest), &limits).await,
                    Found::Anything => source.locate(&digest, &limits).await,
                }
            }
            .boxed()
        });
        asked.await
    }

    /// Where content is something else than was said of it, what was said is not kept.
    fn doubt(&self, digest: &Digest) -> impl Fn(&Error) + Send + 'static + use<> {
        let (kept, key) = (Arc::clone(&self.kept), self.key(digest));
        move |error| {
            if matches!(error.code(), Code::DigestMismatch | Code::Malformed | Code::NotFound) {
                kept.forget(&key);
            }
        }
    }

    fn learn(&self, descriptor: &Descriptor, bytes: Option<Bytes>) {
        self.kept.put(self.key(&descriptor.digest), Known { descriptor: descriptor.bare(), bytes });
    }

    /// A document that is at hand, and is what is asked for.
    fn document(&self, descriptor: &Descriptor) -> Option<Bytes> {
        let known = self.known(&descriptor.digest)?;
        let same = known.descriptor.size == descriptor.size && known.descriptor.media_type == descriptor.media_type;
        known.bytes.filter(|_| same)
    }
}

#[async_trait]
impl Source for Repository {
    fn repository(&self) -> String {
        self.repository.to_string()
    }

    async fn resolve(&self, target: Target<'_>, limits: &Limits) -> Result<Descriptor> {
        let is_root = |known: &Known| known.descriptor.is_document();
        // What is known as a blob may be a manifest, too.
        if let Target::Digest(digest) = target
            && let Some(known) = self.known(digest).filter(is_root)
        {
            return Ok(known.descriptor);
        }
        let descriptor = match target {
            Target::Digest(digest) => self.find(digest, Found::Root, limits).await?,
            target => self.source.resolve(target, limits).await?,
        };
        // Its bytes may be at hand already, where a tag was moved back.
        if self.known(&descriptor.digest).filter(is_root).is_none() {
            self.learn(&descriptor, None);
        }
        Ok(descriptor)
    }

    async fn locate(&self, digest: &Digest, limits: &Limits) -> Result<Descriptor> {
        if let Some(known) = self.known(digest) {
            return Ok(known.descriptor);
        }
        let descriptor = self.find(digest, Found::Anything, limits).await?;
        self.learn(&descriptor, None);
        Ok(descriptor)
    }

    async fn fetch(&self, descriptor: &Descriptor, limits: &Limits) -> Result<Bytes> {
        if let Some(bytes) = self.document(descriptor) {
            self.kept.metrics.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(bytes);
        }
        let key = (self.key(&descriptor.digest), descriptor.size, descriptor.media_type.clone());
        let fetched = self.kept.fetched.ask(key, || {
            let (source, descriptor, limits) = (Arc::clone(&self.source), descriptor.clone(), limits.clone());
            async move { source.fetch(&descriptor, &limits).await }.boxed()
        });
        let bytes = fetched.await.inspect_err(self.doubt(&descriptor.digest))?;
        self.kept.metrics.misses.fetch_add(1, Ordering::Relaxed);
        // Whoever asks says what it is: that is kept where the registry said the same.
        let said = self.known(&descriptor.digest).map(|known| known.descriptor);
        if said.is_some_and(|said| said.media_type == descriptor.media_type && said.size == descriptor.size) {
            self.learn(descriptor, Some(bytes.clone()));
        }
        Ok(bytes)
    }

    async fn read(&self, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Bytes> {
        self.source.read(descriptor, offset, length).await
    }

    async fn open(&self, descriptor: &Descriptor) -> Result<ByteStream> {
        self.open_at(descriptor, 0).await
    }

    async fn open_at(&self, descriptor: &Descriptor, at: u64) -> Result<ByteStream> {
        match self.document(descriptor) {
            Some(bytes) => {
                let start = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                Ok(stream::iter([Ok(bytes.slice(start..))]).boxed())
            }
            None => {
                let doubt = || self.doubt(&descriptor.digest);
                let content = self.source.open_at(descriptor, at).await.inspect_err(doubt())?;
                Ok(content.inspect_err(doubt()).boxed())
            }
        }
    }

    async fn entries(&self, limits: &Limits) -> Result<(Descriptor, Bytes)> {
        self.source.entries(limits).await
    }

    async fn tags(&self, next: Option<&str>) -> Result<TagPage> {
        self.source.tags(next).await
    }

    async fn referrers(&self, digest: &Digest, artifact_type: Option<&str>, limits: &Limits) -> Result<Bytes> {
        self.source.referrers(digest, artifact_type, limits).await
    }

    fn sink(&self) -> Result<Box<dyn Sink>> {
        self.source.sink()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> (Key, Known) {
        let bytes = Bytes::from(text.to_owned());
        let digest = Digest::sha256(&bytes);
        let descriptor = Descriptor::new("a/b", digest.clone(), bytes.len() as u64);
        (("r.example/a".into(), digest), Known { descriptor, bytes: Some(bytes) })
    }

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let registries = crate::source::registry::Registry::builder().build().unwrap();
        let kept = Recall::new(Arc::new(registries), 4 * (ENTRY + 1), Arc::default()).kept;
        let all: Vec<_> = ["a", "b", "c", "d", "e"].into_iter().map(known).collect();
        for (key, known) in &all {
            kept.put(key.clone(), known.clone());
            assert!(kept.get(&all[0].0).is_some(), "what is asked for stays");
        }
        let there = all.iter().filter(|(key, _)| kept.get(key).is_some()).count();
        assert!((1..=4).contains(&there), "{there}");
        assert!(kept.get(&all[1].0).is_none());

        let (key, large) = known(&"x".repeat(3 * ENTRY as usize));
        kept.put(key.clone(), large);
        assert!(kept.get(&key).is_none(), "half of all that may be kept is not for one");
        kept.forget(&all[4].0);
        assert!(kept.get(&all[4].0).is_none());
        let (elsewhere, _) = (("r.example/b".into(), all[0].0.1.clone()), ());
        assert!(kept.get(&elsewhere).is_none(), "what one repository gave is not for another");
    }
}

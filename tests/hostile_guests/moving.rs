//! What changes while a run is under way: a store that is written to, a tag that moves. A run sees it as it was when it first
//! asked, whichever way it asks, so that what it judged by is what it takes; the next run sees what is there then.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use portolan::source::memory::Memory;
use portolan::source::{ByteStream, Registries, Source, Target};
use portolan::{Bundled, Component, Grants, Limits, Result, Run};
use portolan_oci::{Descriptor, Reference, media_type};

use crate::judge;
use crate::world::{World, text};

/// A repository or a store in which `app` means another image each time that somebody looks.
#[derive(Clone)]
struct Moving {
    memory: Memory,
    roots: Arc<[Descriptor]>,
    looked: Arc<AtomicUsize>,
}

impl Moving {
    fn new(name: &str) -> Self {
        let memory = Memory::new(name);
        let config = memory.insert(media_type::OCI_CONFIG, r#"{"architecture":"amd64","os":"linux"}"#);
        let image = |number: usize| {
            let Descriptor { media_type, digest, size, .. } = &config;
            let config = format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#);
            let manifest =
                format!(r#"{{"schemaVersion":2,"config":{config},"layers":[],"annotations":{{"n":"{number}"}}}}"#);
            memory.insert(media_type::OCI_MANIFEST, manifest.into_bytes())
        };
        let roots = (0..16).map(image).collect();
        Moving { memory, roots, looked: Arc::default() }
    }

    fn next(&self) -> Descriptor {
        self.roots[self.looked.fetch_add(1, Ordering::SeqCst)].clone()
    }
}

#[async_trait]
impl Source for Moving {
    fn repository(&self) -> String {
        self.memory.repository()
    }

    async fn resolve(&self, target: Target<'_>, limits: &Limits) -> Result<Descriptor> {
        match target {
            Target::Tag(_) => Ok(self.next()),
            Target::Digest(_) => self.memory.resolve(target, limits).await,
        }
    }

    async fn fetch(&self, descriptor: &Descriptor, limits: &Limits) -> Result<Bytes> {
        self.memory.fetch(descriptor, limits).await
    }

    async fn read(&self, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Bytes> {
        self.memory.read(descriptor, offset, length).await
    }

    async fn open(&self, descriptor: &Descriptor) -> Result<ByteStream> {
        self.memory.open(descriptor).await
    }

    async fn entries(&self, limits: &Limits) -> Result<(Descriptor, Bytes)> {
        self.memory.tag("app", &self.next());
        self.memory.entries(limits).await
    }
}

impl Registries for Moving {
    fn repository(&self, _: &Reference) -> Arc<dyn Source> {
        Arc::new(self.clone())
    }
}

#[tokio::test]
async fn a_store_that_changes_is_seen_as_it_was_when_it_was_first_asked() {
    let world = World::new(judge::limits(), std::time::Duration::ZERO).await;
    let store = Moving::new("oci-layout://out");
    let given: Arc<dyn Source> = Arc::new(store.clone());
    // A hostile frontend that looks twice, and wants what it was told of first.
    let run = world.run("entries-fetched", "oci-layout://out").store("out", Arc::clone(&given));
    let said = text(world.host.run(run).await.unwrap());
    assert!(said.starts_with("true {") && said.contains(store.roots[0].digest.as_str()), "{said}");
    assert_eq!(store.looked.load(Ordering::SeqCst), 1);

    // Honest ones, each of which comes after another change.
    for (run, bundled) in [Bundled::Resolve, Bundled::Inspect, Bundled::Layers].into_iter().enumerate() {
        let frontend = world.host.load(Component::Bundled(bundled)).await.unwrap();
        let asked = Run::new(&frontend).argument("ref", "oci-layout://out:app").argument("format", "json");
        let said = text(world.host.run(asked.store("out", Arc::clone(&given))).await.unwrap());
        assert_eq!(store.looked.load(Ordering::SeqCst), run + 2, "{bundled:?} looked once");
        let told = |root: &&Descriptor| said.contains(root.digest.as_str());
        let told: Vec<_> = store.roots.iter().filter(told).collect();
        assert!(told.iter().all(|root| **root == store.roots[run + 1]), "{bundled:?}: {said}");
        assert!(!told.is_empty() || bundled == Bundled::Layers, "{said}");
    }
}

#[tokio::test]
async fn a_tag_that_moves_means_one_thing_in_one_run() {
    let world = World::new(judge::limits(), std::time::Duration::ZERO).await;
    let registry = Moving::new("r.example/a");
    let granted = |run: Run| run.registry(registry.clone()).grants(Grants::new().pull("r.example/a").unwrap());
    for run in 0..2 {
        let said = text(world.host.run(granted(world.run("resolve-thrice", "r.example/a:app"))).await.unwrap());
        assert_eq!(said, registry.roots[run].digest.as_str(), "one digest, whichever way it was asked");
        assert_eq!(registry.looked.load(Ordering::SeqCst), run + 1);
    }
    let inspect = world.host.load(Component::Bundled(Bundled::Inspect)).await.unwrap();
    let run = Run::new(&inspect).argument("ref", "r.example/a:app").argument("format", "json");
    let said = text(world.host.run(granted(run)).await.unwrap());
    assert!(said.contains(registry.roots[2].digest.as_str()), "{said}");
    assert_eq!(registry.looked.load(Ordering::SeqCst), 3);
}

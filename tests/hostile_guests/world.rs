//! Where attacks take place: a host with registries that are no registries, and the hostile frontend in it.

use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use portolan::source::{ByteStream, Registries, Source, Target};
use portolan::{Answer, Body, Component, Frontend, Grants, Host, Limits, Result, Run, RunError};
use portolan_oci::{Descriptor, Digest, Reference};

/// Registries whose every repository holds the same little blob under every tag, and takes its time.
#[derive(Clone)]
struct Net {
    asked: Arc<AtomicUsize>,
    delay: Duration,
}

pub const BLOB: &[u8] = b"0123456789";

pub fn blob() -> Descriptor {
    Descriptor::new("application/octet-stream", Digest::sha256(BLOB), BLOB.len() as u64)
}

impl Registries for Net {
    fn repository(&self, reference: &Reference) -> Arc<dyn Source> {
        Arc::new(Repository(self.clone(), reference.repository()))
    }
}

struct Repository(Net, String);

impl Repository {
    async fn asked(&self) {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(self.0.delay).await;
    }
}

#[async_trait]
impl Source for Repository {
    fn repository(&self) -> String {
        self.1.clone()
    }

    async fn resolve(&self, _: Target<'_>, _: &Limits) -> Result<Descriptor> {
        self.asked().await;
        Ok(blob())
    }

    async fn fetch(&self, _: &Descriptor, _: &Limits) -> Result<Bytes> {
        self.asked().await;
        Ok(Bytes::from_static(BLOB))
    }

    async fn read(&self, _: &Descriptor, offset: u64, length: u32) -> Result<Bytes> {
        self.asked().await;
        let end = (offset as usize + length as usize).min(BLOB.len());
        Ok(Bytes::from_static(&BLOB[offset as usize..end]))
    }

    async fn open(&self, _: &Descriptor) -> Result<ByteStream> {
        self.asked().await;
        Ok(Box::pin(futures_util::stream::iter([Ok(Bytes::from_static(BLOB))])))
    }
}

/// A host, the hostile frontend, and how often registries were asked.
pub struct World {
    pub host: Host,
    pub hostile: Frontend,
    pub asked: Arc<AtomicUsize>,
}

impl World {
    pub async fn new(limits: Limits, delay: Duration) -> Self {
        Self::with(limits, delay, false).await
    }

    pub async fn with(limits: Limits, delay: Duration, pooling: bool) -> Self {
        static HOSTILE: OnceLock<Vec<u8>> = OnceLock::new();
        let bytes = HOSTILE.get_or_init(|| {
            std::fs::read(portolan_tests::guests::build("hostile", env!("CARGO_TARGET_TMPDIR"))).unwrap()
        });
        let asked = Arc::new(AtomicUsize::new(0));
        let net = Net { asked: Arc::clone(&asked), delay };
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache-of-attacks");
        let host = Host::builder()
            .cache_dir(cache)
            .registry(net)
            .limits(limits)
            .pooling(pooling)
            .platform("linux/amd64")
            .build()
            .unwrap();
        let hostile = host.load(Component::Bytes(bytes)).await.unwrap();
        hostile.describe().await.unwrap();
        World { host, hostile, asked }
    }

    pub fn run(&self, action: &str, with: &str) -> Run {
        Run::new(&self.hostile).argument("do", action).argument("with", with)
    }

    pub async fn ask(&self, action: &str, with: &str) -> Result<Answer, RunError> {
        self.host.run(self.run(action, with)).await
    }

    pub async fn granted(&self, pattern: &str, action: &str, with: &str) -> Result<Answer, RunError> {
        self.host.run(self.run(action, with).grants(Grants::new().pull(pattern).unwrap())).await
    }

    /// That it did no harm.
    pub async fn serves(&self) {
        assert_eq!(text(self.ask("behave", "").await.unwrap()), "good");
    }

    pub async fn ends(&self, action: &str, with: &str, status: u8, message: &str) {
        let error = self.ask(action, with).await.expect_err(action);
        assert_eq!(error.to_string(), format!("hostile 0.6.6: {message}"), "{action} {with}");
        assert_eq!(error.status(), status, "{action} {with}");
        self.serves().await;
    }
}

pub fn text(answer: Answer) -> String {
    match answer.body {
        Body::Text(text) => text,
        body => panic!("{body:?}"),
    }
}

pub fn small() -> Limits {
    Limits { guest_memory: 32 << 20, ..Limits::default() }
}

/// Every test fails rather than hangs.
pub async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), work).await.expect("it hangs")
}

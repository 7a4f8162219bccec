//! Where attacks take place: a host with registries that are no registries, and the hostile frontend in it.

use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use portolan::source::memory::Memory;
use portolan::source::{ByteStream, Registries, Source, Target};
use portolan::{Answer, Body, Component, Frontend, Grants, Host, Limits, Result, Run, RunError};
use portolan_oci::{Descriptor, Digest, Reference, media_type};

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
    /// Another, with the hostile strategy in everything that it loads.
    pub judged: Host,
    pub limits: Limits,
    pub hostile: Frontend,
    pub asked: Arc<AtomicUsize>,
}

impl World {
    pub async fn new(limits: Limits, delay: Duration) -> Self {
        Self::with(limits, delay, false).await
    }

    pub async fn with(limits: Limits, delay: Duration, pooling: bool) -> Self {
        static HOSTILE: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
        let [bytes, strategy] = HOSTILE.get_or_init(|| {
            ["hostile", "hostile-strategy"]
                .map(|guest| std::fs::read(portolan_tests::guests::build(guest, env!("CARGO_TARGET_TMPDIR"))).unwrap())
        });
        let asked = Arc::new(AtomicUsize::new(0));
        let net = Net { asked: Arc::clone(&asked), delay };
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache-of-attacks");
        let builder = || {
            let builder = Host::builder().cache_dir(&cache).registry(net.clone()).limits(limits.clone());
            builder.pooling(pooling).platform("linux/amd64")
        };
        let host = builder().build().unwrap();
        let judged = builder().strategy(Component::Bytes(strategy)).build().unwrap();
        let hostile = host.load(Component::Bytes(bytes)).await.unwrap();
        hostile.describe().await.unwrap();
        World { host, judged, limits, hostile, asked }
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

/// A layout that an honest frontend is asked about: three images under names, of which the last is not in it.
pub fn images() -> Memory {
    let store = Memory::new("oci-layout://out");
    let named = |descriptor: &Descriptor| {
        let Descriptor { media_type, digest, size, .. } = descriptor;
        format!(r#""mediaType":"{media_type}","digest":"{digest}","size":{size}"#)
    };
    let index = |name: &str, more: &str| {
        let entries = ["amd64", "arm64"].map(|architecture| {
            let platform = format!(r#""os":"linux","architecture":"{architecture}""#);
            let config = format!(r#"{{{platform},"rootfs":{{"type":"layers","diff_ids":[]}},"author":"{name}"}}"#);
            let config = named(&store.insert(media_type::OCI_CONFIG, config.into_bytes()));
            let manifest = format!(r#"{{"schemaVersion":2,"config":{{{config}}},"layers":[]}}"#);
            let manifest = named(&store.insert(media_type::OCI_MANIFEST, manifest.into_bytes()));
            format!(r#"{{{manifest},"platform":{{{platform}}}}}"#)
        });
        let index = format!(r#"{{"schemaVersion":2,"manifests":[{}{more}]}}"#, entries.join(","));
        store.insert(media_type::OCI_INDEX, index.into_bytes())
    };
    let elsewhere = Descriptor::of(media_type::OCI_MANIFEST, ELSEWHERE);
    let platform = r#""platform":{"os":"plan9","architecture":"mips"}"#;
    store.tag("app", &index("app", &format!(",{{{},{platform}}}", named(&elsewhere))));
    store.tag("base", &index("base", ""));
    store.tag("elsewhere", &elsewhere);
    store
}

/// A manifest that is in no store of a run's.
pub const ELSEWHERE: &[u8] = br#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;

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

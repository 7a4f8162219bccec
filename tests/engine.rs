//! The bundled frontends in a host, as a program that embeds it sees them: on layouts that real tools made.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use portolan::source::layout::Layout;
use portolan::source::memory::Memory;
use portolan::source::{ByteStream, Source, Target};
use portolan::{
    Body, Bundled, Component, Frontend, Host, HostBuilder, ImageQuery, Limits, LoadError, Result, Run, RunError,
};
use portolan_oci::{Descriptor, Digest, Kind, media_type};
use portolan_tests::{fixtures, guests};

const REF: &str = "oci-layout://store:1.4";
const ARM64: &str = "linux/arm64";

fn multi() -> Arc<dyn Source> {
    Arc::new(Layout::open(&fixtures::layout("buildkit-multi"), "oci-layout://store").unwrap())
}

async fn ask(host: &Host, frontend: &Frontend, arguments: &[(&str, &str)]) -> Result<String, RunError> {
    let mut run = Run::new(frontend).store("store", multi());
    for (name, value) in arguments {
        run = run.argument(*name, *value);
    }
    match host.run(run).await?.body {
        Body::Text(text) => Ok(text.trim_end().to_owned()),
        body => panic!("{body:?}"),
    }
}

fn host() -> Host {
    builder().build().unwrap()
}

/// What is compiled once serves every test.
fn builder() -> HostBuilder {
    Host::builder().platform("linux/amd64").cache_dir(Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
}

#[tokio::test]
async fn every_bundled_frontend_describes_itself_and_answers() {
    let host = host();
    // The same strategy once more, and this time between two components.
    let composed = builder().strategy(Component::Bundled(Bundled::Strategy)).build().unwrap();
    for bundled in Bundled::all().iter().copied().filter(|&bundled| bundled != Bundled::Strategy) {
        let frontend = host.load(Component::Bundled(bundled)).await.unwrap();
        let info = frontend.describe().await.unwrap();
        assert_eq!(info.name, bundled.name());
        let arguments: &[_] = match bundled {
            Bundled::Explain => &[("kind", "platform"), ("text", "linux/arm64"), ("among", "linux/arm64,linux/arm")],
            Bundled::Create => &[("source", REF), ("dry-run", "true")],
            Bundled::Diff => &[("a", REF), ("b", REF)],
            Bundled::Tags => &[("repo", "oci-layout://store")],
            // Nobody grants it to write, and that is an answer, too.
            Bundled::Copy => {
                let denied = ask(&host, &frontend, &[("src", REF), ("dst", "oci-layout://store:2")]).await;
                assert_eq!(denied.unwrap_err().status(), 4);
                continue;
            }
            _ => &[("ref", REF), ("platform", ARM64)],
        };
        let answer = ask(&host, &frontend, arguments).await.unwrap();
        assert!(!answer.is_empty(), "{}", bundled.name());
        let frontend = composed.load(Component::Bundled(bundled)).await.unwrap();
        assert_eq!(ask(&composed, &frontend, arguments).await.unwrap(), answer, "{}", bundled.name());
    }
}

#[tokio::test]
async fn an_image_is_resolved_in_one_call() {
    let host = host();
    let query = ImageQuery::new(REF).platform(ARM64).with_manifest().store("store", multi());
    let image = host.resolve_image(query).await.unwrap();
    assert_eq!((image.repository.as_str(), image.platform.as_str()), ("oci-layout://store", ARM64));
    assert_eq!(image.platforms.len(), 4, "{:?}", image.platforms);
    let bytes = image.manifest.bytes.unwrap();
    assert_eq!(Digest::sha256(&bytes), image.manifest.descriptor.digest);
    assert_eq!((image.config.bytes, image.index.map(|index| index.bytes)), (None, Some(None)));

    let resolve = host.load(Component::Bundled(Bundled::Resolve)).await.unwrap();
    let digest = ask(&host, &resolve, &[("ref", REF), ("platform", ARM64), ("digest", "true")]).await.unwrap();
    assert_eq!(digest, image.manifest.descriptor.digest.as_str());

    // The caller named the reference, which grants it; nothing else can be had.
    let error = host.resolve_image(ImageQuery::new("oci-layout://other:1")).await.unwrap_err();
    assert_eq!(error.status(), 4, "{error}");
    let error =
        host.resolve_image(ImageQuery::new(REF).platform("plan9/mips").store("store", multi())).await.unwrap_err();
    assert_eq!(error.status(), 5, "{error}");
    let layers = host.load(Component::Bundled(Bundled::Layers)).await.unwrap();
    assert!(!layers.resolves_images());
    let error = host.resolve_image(ImageQuery::new(REF).resolver(&layers)).await.unwrap_err();
    assert!(error.to_string().contains("image-resolver"), "{error}");
}

#[tokio::test]
async fn another_strategy_is_followed_by_all() {
    let bytes = std::fs::read(guests::build("strategy", env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let eager = builder().strategy(Component::Bytes(&bytes)).build().unwrap();
    let (reference, store) = variants();
    let query = || ImageQuery::new(&reference).platform("linux/amd64").store("store", Arc::clone(&store));
    let (theirs, ours) = (eager.resolve_image(query()).await.unwrap(), host().resolve_image(query()).await.unwrap());
    assert_eq!((theirs.platform.as_str(), ours.platform.as_str()), ("linux/amd64/v3", "linux/amd64"));
    assert_ne!(theirs.manifest.descriptor, ours.manifest.descriptor);

    // By a prefix of the name, where the bundled one wants all of it.
    let prefix = [("ref", "oci-layout://store:1."), ("platform", ARM64)];
    for bundled in [Bundled::Resolve, Bundled::Inspect, Bundled::Layers] {
        let theirs = eager.load(Component::Bundled(bundled)).await.unwrap();
        assert!(ask(&eager, &theirs, &prefix).await.is_ok(), "{}", bundled.name());
        let host = host();
        let ours = host.load(Component::Bundled(bundled)).await.unwrap();
        assert_eq!(ask(&host, &ours, &prefix).await.unwrap_err().status(), 5, "{}", bundled.name());
        // One host's frontend is not another's: it holds another strategy.
        let run = Run::new(&theirs).argument("ref", REF);
        assert!(matches!(host.run(run).await, Err(RunError::Unsupported(_))));
    }
    assert!(matches!(eager.load(Component::Bytes(&bytes)).await, Err(LoadError::NoExport { .. })));
}

/// An index with an image for amd64 and one for amd64/v3.
fn variants() -> (String, Arc<dyn Source>) {
    let store = Memory::new("oci-layout://store");
    let put = |media_type: &str, json: String| store.insert(media_type, json.into_bytes());
    let described = |descriptor: &Descriptor| {
        format!(
            r#""mediaType":"{}","digest":"{}","size":{}"#,
            descriptor.media_type, descriptor.digest, descriptor.size
        )
    };
    let entries = ["", r#","variant":"v3""#].map(|variant| {
        let platform = format!(r#""os":"linux","architecture":"amd64"{variant}"#);
        let config =
            put(media_type::OCI_CONFIG, format!(r#"{{{platform},"rootfs":{{"type":"layers","diff_ids":[]}}}}"#));
        let config = described(&config);
        let manifest =
            put(media_type::OCI_MANIFEST, format!(r#"{{"schemaVersion":2,"config":{{{config}}},"layers":[]}}"#));
        format!(r#"{{{},"platform":{{{platform}}}}}"#, described(&manifest))
    });
    let index = put(media_type::OCI_INDEX, format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(",")));
    (format!("oci-layout://store@{}", index.digest), Arc::new(store))
}

/// A source that notes what is asked of it.
struct Counting {
    inner: Arc<dyn Source>,
    asked: Mutex<Vec<Digest>>,
    layers: AtomicUsize,
}

impl Counting {
    fn note(&self, descriptor: &Descriptor) {
        self.asked.lock().unwrap().push(descriptor.digest.clone());
        if media_type::kind(&descriptor.media_type) == Kind::Layer {
            self.layers.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[async_trait]
impl Source for Counting {
    fn repository(&self) -> String {
        self.inner.repository()
    }

    async fn resolve(&self, target: Target<'_>, limits: &Limits) -> Result<Descriptor> {
        self.inner.resolve(target, limits).await
    }

    async fn fetch(&self, descriptor: &Descriptor, limits: &Limits) -> Result<Bytes> {
        self.note(descriptor);
        self.inner.fetch(descriptor, limits).await
    }

    async fn read(&self, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Bytes> {
        self.note(descriptor);
        self.inner.read(descriptor, offset, length).await
    }

    async fn open(&self, descriptor: &Descriptor) -> Result<ByteStream> {
        self.note(descriptor);
        self.inner.open(descriptor).await
    }

    async fn entries(&self, limits: &Limits) -> Result<(Descriptor, Bytes)> {
        self.inner.entries(limits).await
    }
}

#[tokio::test]
async fn no_byte_of_a_layer_is_read_and_no_document_twice() {
    let host = host();
    for bundled in [Bundled::Resolve, Bundled::Inspect, Bundled::Layers] {
        let counting = Arc::new(Counting { inner: multi(), asked: Mutex::default(), layers: AtomicUsize::new(0) });
        let frontend = host.load(Component::Bundled(bundled)).await.unwrap();
        let source: Arc<dyn Source> = Arc::clone(&counting) as _;
        let run = Run::new(&frontend).store("store", source).argument("ref", REF);
        let answer = host.run(run).await.unwrap();
        let asked = counting.asked.lock().unwrap();
        assert_eq!(counting.layers.load(Ordering::SeqCst), 0, "{}: {asked:?}", bundled.name());
        let distinct: HashSet<_> = asked.iter().collect();
        assert_eq!(distinct.len(), asked.len(), "{}: {asked:?}", bundled.name());
        assert!(answer.stats.documents > 0, "{}", bundled.name());
    }
}

#[tokio::test]
async fn compiled_code_is_kept_in_a_private_folder() {
    let cache = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let host = Host::builder().cache_dir(cache.path()).build().unwrap();
        let explain = host.load(Component::Bundled(Bundled::Explain)).await.unwrap();
        let text = ask(&host, &explain, &[("kind", "reference"), ("text", "alpine")]).await.unwrap();
        assert!(text.contains("docker.io/library/alpine"), "{text}");
        assert_eq!(std::fs::read_dir(cache.path().join("compiled")).unwrap().count(), 1);
    }
    // Other settings make other code.
    let pooling = Host::builder().cache_dir(cache.path()).pooling(true).build().unwrap();
    pooling.load(Component::Bundled(Bundled::Explain)).await.unwrap();
}

/// Runs are `Send`, share a frontend, and do not see each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_go_side_by_side() {
    let host = builder().pooling(true).build().unwrap();
    let layers = host.load(Component::Bundled(Bundled::Layers)).await.unwrap();
    let runs: Vec<_> = (0..100)
        .map(|round| {
            let (host, layers) = (host.clone(), layers.clone());
            let platform = if round % 2 == 0 { "linux/amd64" } else { ARM64 };
            tokio::spawn(async move {
                let arguments = [("ref", REF), ("platform", platform), ("last", "true"), ("key", "chain-id")];
                ask(&host, &layers, &arguments).await.unwrap()
            })
        })
        .collect();
    let mut answers = Vec::new();
    for run in runs {
        answers.push(run.await.unwrap());
    }
    assert!(answers.iter().step_by(2).all(|answer| *answer == answers[0]));
    assert!(answers.iter().skip(1).step_by(2).all(|answer| *answer == answers[1]));
    assert!(answers[0].starts_with("sha256:"), "{}", answers[0]);
}

/// As deep as a statement may nest, its reader fits a guest's stack; deeper is a failure, and no trap.
#[tokio::test]
async fn a_deep_statement_does_not_end_the_guest() {
    let host = host();
    let inspect = host.load(Component::Bundled(Bundled::Inspect)).await.unwrap();
    for (depth, answered) in [(500, true), (100_000, false)] {
        let store = Memory::new("oci-layout://deep");
        let put = |media_type: &str, document: String| store.insert(media_type, document.into_bytes());
        let manifest = |config: &Descriptor, layers: String| {
            let config = serde_json::to_string(config).unwrap();
            put(media_type::OCI_MANIFEST, format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layers}]}}"#))
        };
        let config = put(media_type::OCI_CONFIG, r#"{"os":"linux","architecture":"amd64"}"#.to_owned());
        let image = manifest(&config, String::new());
        let deep = r#"{"a":["#.repeat(depth / 2) + &"]}".repeat(depth / 2);
        let mut statement = put(media_type::IN_TOTO, format!(r#"{{"predicate":{deep}}}"#));
        let provenance = "https://slsa.dev/provenance/v1";
        statement.annotations.insert("in-toto.io/predicate-type".to_owned(), provenance.to_owned());
        let mut attestation = manifest(&config, serde_json::to_string(&statement).unwrap());
        for (key, value) in [("type", "attestation-manifest"), ("digest", image.digest.as_str())] {
            attestation.annotations.insert(format!("vnd.docker.reference.{key}"), value.to_owned());
        }
        let entries = serde_json::to_string(&[image, attestation]).unwrap();
        let index = put(media_type::OCI_INDEX, format!(r#"{{"schemaVersion":2,"manifests":{entries}}}"#));
        store.tag("1", &index);
        let store: Arc<dyn Source> = Arc::new(store);
        for format in ["imagetools", "json"] {
            let run = Run::new(&inspect).store("deep", Arc::clone(&store)).argument("ref", "oci-layout://deep:1");
            let answer = host.run(run.argument("provenance", "true").argument("format", format)).await;
            match answer {
                Ok(_) => assert!(answered, "{depth}, {format}"),
                Err(RunError::Failed { failure, .. }) => assert!(!answered, "{depth}, {format}: {failure:?}"),
                Err(other) => panic!("{depth}, {format}: {other}"),
            }
        }
    }
}

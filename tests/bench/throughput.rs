//! How many images a warm host resolves in a second: an index of eight platforms whose documents lie in memory, 64 at a time
//! on two threads, grants and budgets on. Once the platform's digest, as `resolve --platform` answers, and once
//! `resolve_image` with manifest and config, as a build host asks. Beside it, in turn, the same frontend and strategy as plain
//! function calls, on two threads as well. Medians of eleven rounds of half a second.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a benchmark fails by panicking")]

#[path = "made.rs"]
mod made;
#[path = "row.rs"]
#[allow(dead_code, reason = "it serves other benchmarks as well")]
mod row;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use portolan::source::memory::Memory;
use portolan::{Component, Frontend, Grants, Host, ImageQuery, Run};
use portolan_oci::{Descriptor, Location};
use portolan_resolve::Resolve;
use portolan_sdk::mock::Mock;
use portolan_sdk::{ImageResolver, Parts, Query};
use portolan_strategy::Bundled;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use row::{Measured, Row, Target};

const PLATFORMS: [&str; 8] = ["amd64", "arm64", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le"];
const WANTED: &str = "linux/s390x";
const STORE: &str = "oci-layout://bench";
const IN_FLIGHT: u32 = 64;
const THREADS: usize = 2;
const ROUND: Duration = Duration::from_millis(500);
const ROUNDS: usize = 11;

fn main() {
    println!("==> answers a second, {IN_FLIGHT} in flight on {THREADS} threads");
    let platforms: Vec<Value> =
        PLATFORMS.iter().map(|architecture| json!({ "architecture": architecture, "os": "linux" })).collect();
    let documents = made::documents(&platforms);
    let digest = documents.last().map(|(kind, bytes, _)| Descriptor::of(*kind, bytes).digest).unwrap();
    let memory = Arc::new(Memory::new(STORE));
    for (media_type, bytes, _) in &documents {
        memory.insert(*media_type, bytes.clone());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().unwrap();
    let host = Host::builder().instances(IN_FLIGHT).build().unwrap();
    let frontend = runtime.block_on(host.load(Component::Bundled(portolan::Bundled::Resolve))).unwrap();
    let reference = format!("{STORE}@{digest}");
    let location = reference.parse().unwrap();
    let warm = Arc::new(Warm { runtime, host, frontend, location, reference, memory, documents });

    let native = |mock: &Mock<Bundled>, reference: &str| {
        let arguments = [("ref", reference), ("platform", WANTED), ("format", "text")];
        black_box(mock.run::<Resolve>(&arguments).unwrap());
    };
    let (ours, native) = in_turn(|| warm.round(Warm::digest), || warm.natively(native));
    Row::new("resolves a second", "/s", &ours).against("native", &native).target(Target::AtLeast(40_000.0)).print();
    let native = |mock: &Mock<Bundled>, reference: &str| {
        let (reference, platform) = (reference.to_owned(), Some(WANTED.to_owned()));
        let parts = Parts { manifest: true, config: true, ..Parts::default() };
        black_box(Resolve::resolve_image(mock, Query { reference, platform, parts, options: Vec::new() }).unwrap());
    };
    let (ours, native) = in_turn(|| warm.round(Warm::image), || warm.natively(native));
    Row::new("resolve_image with its documents, a second", "/s", &ours).against("native", &native).print();
}

/// Answers a second of each, in turn, after a round that does not count.
fn in_turn(ours: impl Fn() -> f64, native: impl Fn() -> f64) -> (Measured, Measured) {
    ours();
    native();
    let (ours, native) = (0..ROUNDS).map(|_| (ours(), native())).unzip();
    (Measured(ours), Measured(native))
}

/// All that an answer takes, ready.
struct Warm {
    runtime: Runtime,
    host: Host,
    frontend: Frontend,
    location: Location,
    reference: String,
    memory: Arc<Memory>,
    documents: Vec<made::Document>,
}

impl Warm {
    /// `resolve --platform`: the digest.
    async fn digest(self: Arc<Self>) {
        let run = Run::new(&self.frontend)
            .store("bench", self.memory.clone())
            .grants(Grants::new().pull_reference(&self.location))
            .argument("ref", &self.reference)
            .argument("platform", WANTED)
            .argument("format", "text");
        black_box(self.host.run(run).await.unwrap());
    }

    /// What a build host asks.
    async fn image(self: Arc<Self>) {
        let query = ImageQuery::new(&self.reference).platform(WANTED).with_manifest().with_config();
        black_box(self.host.resolve_image(query.store("bench", self.memory.clone())).await.unwrap());
    }

    /// Answers a second.
    fn round<F: Future<Output = ()> + Send + 'static>(self: &Arc<Self>, ask: fn(Arc<Self>) -> F) -> f64 {
        let (began, answered) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        self.runtime.block_on(async {
            let mut all = JoinSet::new();
            for _ in 0..IN_FLIGHT {
                let (warm, answered) = (Arc::clone(self), Arc::clone(&answered));
                all.spawn(async move {
                    while began.elapsed() < ROUND {
                        ask(Arc::clone(&warm)).await;
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            all.join_all().await;
        });
        answered.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
    }

    /// The same without a host.
    fn natively(&self, ask: impl Fn(&Mock<Bundled>, &str) + Sync) -> f64 {
        let (began, answered) = (Instant::now(), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let mut mock = Mock::new(Bundled);
                    for (media_type, bytes, name) in &self.documents {
                        mock = mock.document(STORE, *name, media_type, bytes.clone());
                    }
                    while began.elapsed() < ROUND {
                        ask(&mock, &self.reference);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        answered.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
    }
}

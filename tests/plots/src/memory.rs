//! What a process holds while so many runs wait for an answer, each in an instance of its own.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use portolan::source::memory::Memory;
use portolan::source::{Source, Target};
use portolan::{Bundled, Component, Frontend, Grants, Host, Limits, Run};
use portolan_oci::{Descriptor, Location};
use portolan_tests::held::Held;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::draw::Curve;
use crate::made;

const STORE: &str = "oci-layout://bench";

pub fn curves(counts: &[usize]) -> Vec<Curve> {
    let most = counts.iter().copied().max().unwrap_or_default();
    let on_demand = Host::builder().build().unwrap();
    let points = measured(&on_demand, counts);
    drop(on_demand);
    let pooling = Host::builder().instances(u32::try_from(most).unwrap()).build().unwrap();
    vec![
        Curve { name: "instances on demand", points },
        Curve { name: "instances in a pool", points: measured(&pooling, counts) },
    ]
}

fn measured(host: &Host, counts: &[usize]) -> Vec<(f64, f64)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let platforms = ["amd64", "arm64"].map(|architecture| json!({ "os": "linux", "architecture": architecture }));
    let documents = made::documents(&platforms);
    let (media_type, index, _) = documents.last().unwrap();
    let reference = format!("{STORE}@{}", Descriptor::of(*media_type, index).digest);
    let memory = Memory::new(STORE);
    for (media_type, bytes, _) in &documents {
        memory.insert(*media_type, bytes.clone());
    }
    runtime.block_on(async {
        let resolve = host.load(Component::Bundled(Bundled::Resolve)).await.unwrap();
        let mut points = Vec::new();
        for &count in counts {
            points.push((count as f64, held(&resolve, host, &memory, &reference, count).await));
        }
        points
    })
}

/// MiB, while so many runs wait for the index.
async fn held(resolve: &Frontend, host: &Host, memory: &Memory, reference: &str, count: usize) -> f64 {
    let (arrived, open) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let slow = Arc::new(Slow { memory: memory.clone(), arrived: Arc::clone(&arrived), open: Arc::clone(&open) });
    let location: Location = reference.parse().unwrap();
    let mut runs = JoinSet::new();
    for _ in 0..count {
        let grants = Grants::new().pull_reference(&location);
        let run = Run::new(resolve).store("bench", slow.clone()).grants(grants).argument("ref", reference);
        let (host, run) = (host.clone(), run.argument("platform", "linux/amd64").argument("format", "text"));
        runs.spawn(async move { host.run(run).await.unwrap() });
    }
    let all = arrived.acquire_many(u32::try_from(count).unwrap()).await.unwrap();
    let held = Held::now().memory as f64 / 1024.0;
    all.forget();
    open.close();
    runs.join_all().await;
    held
}

/// Documents that come when all who want them have asked.
struct Slow {
    memory: Memory,
    arrived: Arc<Semaphore>,
    /// Closed when they may come.
    open: Arc<Semaphore>,
}

#[async_trait]
impl Source for Slow {
    fn repository(&self) -> String {
        self.memory.repository()
    }

    async fn resolve(&self, target: Target<'_>, limits: &Limits) -> portolan::Result<Descriptor> {
        self.memory.resolve(target, limits).await
    }

    async fn fetch(&self, descriptor: &Descriptor, limits: &Limits) -> portolan::Result<Bytes> {
        self.arrived.add_permits(1);
        // It gives no permits: this is the wait for its end.
        let _ = self.open.acquire().await;
        self.memory.fetch(descriptor, limits).await
    }

    async fn read(&self, descriptor: &Descriptor, offset: u64, length: u32) -> portolan::Result<Bytes> {
        self.memory.read(descriptor, offset, length).await
    }

    async fn open(&self, descriptor: &Descriptor) -> portolan::Result<portolan::source::ByteStream> {
        self.memory.open(descriptor).await
    }
}

//! How many images a warm host resolves in a second: `resolve_image` on an index of eight platforms whose documents lie in
//! memory, 64 at a time on two threads, grants and budgets on. Beside it, in turn, the same frontend and strategy as plain
//! function calls, on two threads as well. Medians of eleven rounds of half a second.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a benchmark fails by panicking")]

#[path = "made.rs"]
mod made;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use portolan::source::memory::Memory;
use portolan::{Host, ImageQuery};
use portolan_resolve::Resolve;
use portolan_sdk::mock::Mock;
use serde_json::{Value, json};
use tokio::task::JoinSet;

const PLATFORMS: [&str; 8] = ["amd64", "arm64", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le"];
const WANTED: &str = "linux/s390x";
const STORE: &str = "oci-layout://bench";
const IN_FLIGHT: u32 = 64;
const THREADS: usize = 2;
const ROUND: Duration = Duration::from_millis(500);
const ROUNDS: usize = 11;

fn main() {
    let platforms: Vec<Value> =
        PLATFORMS.iter().map(|architecture| json!({ "architecture": architecture, "os": "linux" })).collect();
    let documents = made::documents(&platforms);
    let digest = documents.last().map(|(kind, bytes, _)| portolan_oci::Descriptor::of(*kind, bytes).digest).unwrap();
    let reference = format!("{STORE}@{digest}");

    let memory = Arc::new(Memory::new(STORE));
    for (media_type, bytes, _) in &documents {
        memory.insert(*media_type, bytes.clone());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().unwrap();
    let host = Host::builder().instances(IN_FLIGHT).build().unwrap();
    let ours = || runtime.block_on(hosted(&host, &reference, &memory));
    let native = || natively(&documents, &reference);

    ours();
    native();
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        here.push(ours());
        there.push(native());
    }
    let (here, there) = (median(here), median(there));
    println!("resolve_image, eight platforms, {IN_FLIGHT} in flight, {THREADS} threads   {here:>8.0} a second");
    println!(
        "the same as plain function calls, {THREADS} threads                 {there:>8.0} a second, {:.2} x",
        there / here
    );
}

/// Answers a second.
async fn hosted(host: &Host, reference: &str, memory: &Arc<Memory>) -> f64 {
    let (began, mut all, answered) = (Instant::now(), JoinSet::new(), Arc::new(AtomicU64::new(0)));
    for _ in 0..IN_FLIGHT {
        let (host, reference, memory, answered) =
            (host.clone(), reference.to_owned(), Arc::clone(memory), Arc::clone(&answered));
        all.spawn(async move {
            while began.elapsed() < ROUND {
                let query = ImageQuery::new(&reference).platform(WANTED).with_manifest().with_config();
                black_box(host.resolve_image(query.store("bench", memory.clone())).await.unwrap());
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    all.join_all().await;
    answered.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

fn natively(documents: &[made::Document], reference: &str) -> f64 {
    let (began, answered) = (Instant::now(), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut mock = Mock::new(portolan_strategy::Bundled);
                for (media_type, bytes, name) in documents {
                    mock = mock.document(STORE, *name, media_type, bytes.clone());
                }
                let arguments = [("ref", reference), ("platform", WANTED), ("format", "json")];
                while began.elapsed() < ROUND {
                    black_box(mock.run::<Resolve>(&arguments).unwrap());
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    answered.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

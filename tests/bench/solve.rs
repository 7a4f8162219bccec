//! A warm solve: `resolve --platform` on an index of eight platforms that lies in memory, from arguments to answer. In the
//! host that is an instance, grants and budgets; natively it is the same frontend and strategy as plain function calls. What
//! lies between the two is what the sandbox costs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark fails by panicking"
)]

#[path = "made.rs"]
mod made;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use portolan::source::memory::Memory;
use portolan::{Bundled, Component, Grants, Host, Run};
use portolan_oci::Location;
use portolan_resolve::Resolve;
use portolan_sdk::mock::Mock;
use serde_json::{Value, json};

use made::Document;

const PLATFORMS: [&str; 8] = ["amd64", "arm64", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le"];
const WANTED: &str = "linux/s390x";
const STORE: &str = "oci-layout://bench";

fn documents() -> Vec<Document> {
    let platforms: Vec<Value> =
        PLATFORMS.iter().map(|architecture| json!({ "architecture": architecture, "os": "linux" })).collect();
    made::documents(&platforms)
}

fn solve(criterion: &mut Criterion) {
    let digest = {
        let (media_type, bytes, _) = documents().pop().unwrap();
        portolan_oci::Descriptor::of(media_type, &bytes).digest
    };
    let reference = format!("{STORE}@{digest}");
    // The text is the platform's manifest by digest, which the index tells; the JSON has the manifest and the config too.
    for (answer, format) in [("digest", "text"), ("whole answer", "json")] {
        let arguments = [("ref", reference.as_str()), ("platform", WANTED), ("format", format)];
        compare(criterion, &format!("one of eight platforms, {answer}"), &reference, &arguments);
    }
}

fn compare(criterion: &mut Criterion, name: &str, reference: &str, arguments: &[(&str, &str)]) {
    let mut group = criterion.benchmark_group(name);
    let mut mock = Mock::new(portolan_strategy::Bundled);
    for (media_type, bytes, name) in documents() {
        mock = mock.document(STORE, name, media_type, bytes);
    }
    group.bench_function("native", |bencher| {
        bencher.iter(|| black_box(mock.run::<Resolve>(arguments).unwrap()));
    });

    let memory = Memory::new(STORE);
    for (media_type, bytes, _) in documents() {
        memory.insert(media_type, bytes);
    }
    let memory = Arc::new(memory);
    let location: Location = reference.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, pooling) in [("host, pooling", true), ("host, on demand", false)] {
        let host = Host::builder().pooling(pooling).build().unwrap();
        let frontend = runtime.block_on(host.load(Component::Bundled(Bundled::Resolve))).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut run = Run::new(&frontend)
                    .store("bench", memory.clone())
                    .grants(Grants::new().pull_reference(&location))
                    .wall_clock(None);
                for (name, value) in arguments {
                    run = run.argument(*name, *value);
                }
                black_box(runtime.block_on(host.run(run)).unwrap())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, solve);
criterion_main!(benches);

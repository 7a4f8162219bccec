//! A warm solve: `resolve --platform` on an index that lies in memory, from arguments to answer. In the host that is an
//! instance, grants and budgets; natively it is the same frontend and strategy as plain function calls. What lies between the
//! two is what the sandbox costs.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a benchmark fails by panicking")]

#[path = "made.rs"]
mod made;
#[path = "row.rs"]
#[allow(dead_code, reason = "it serves other benchmarks as well")]
mod row;

use std::sync::Arc;

use portolan::source::memory::Memory;
use portolan::{Body, Bundled, Component, Frontend, Grants, Host, Run};
use portolan_oci::{Descriptor, Location};
use portolan_resolve::Resolve;
use portolan_sdk::mock::Mock;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use made::Document;
use row::{Measured, Row, Target, in_turn};

const ARCHITECTURES: [&str; 8] = ["amd64", "arm64", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le"];
const STORE: &str = "oci-layout://bench";

fn main() {
    println!("==> a warm solve against the same code as plain function calls, medians");
    let image = Image::of_platforms(8, "linux/s390x");
    // The text is the platform's manifest by digest, which the index tells; the JSON has the manifest and the config too.
    let (native, ours) = image.compare("text", true, 100, 20);
    let what = "solve, 8 platforms, digest";
    Row::new(what, "µs", &ours).against("native", &native).target(Target::AtMost(35.0)).print();
    Row::percentile(format!("{what}, p99"), "µs", &ours, 99).target(Target::AtMost(120.0)).print();
    let (native, ours) = image.compare("text", false, 100, 20);
    Row::new(format!("{what}, on demand"), "µs", &ours).against("native", &native).print();
    let (native, ours) = image.compare("json", true, 50, 20);
    Row::new("solve, 8 platforms, whole answer", "µs", &ours).against("native", &native).print();
    let (native, ours) = Image::of_platforms(1_000, "linux/s390x/v77").compare("text", true, 40, 10);
    Row::new("solve, 1 000 entries, digest", "µs", &ours)
        .against("native", &native)
        .target(Target::RatioAtMost(1.8))
        .print();
}

/// An index in memory, and the platform that is looked for in it.
struct Image {
    documents: Vec<Document>,
    reference: String,
    wanted: &'static str,
}

impl Image {
    fn of_platforms(count: usize, wanted: &'static str) -> Self {
        let platform = |number: usize| {
            let architecture = ARCHITECTURES[number % 8];
            match number / 8 {
                0 => json!({ "os": "linux", "architecture": architecture }),
                variant => json!({ "os": "linux", "architecture": architecture, "variant": format!("v{variant}") }),
            }
        };
        let platforms: Vec<Value> = (0..count).map(platform).collect();
        let documents = made::documents(&platforms);
        let (media_type, index, _) = documents.last().unwrap();
        let reference = format!("{STORE}@{}", Descriptor::of(*media_type, index).digest);
        Image { documents, reference, wanted }
    }

    /// Natively, and on a host.
    fn compare(&self, format: &str, pooling: bool, turns: usize, row: usize) -> (Measured, Measured) {
        let arguments = [("ref", self.reference.as_str()), ("platform", self.wanted), ("format", format)];
        let (memory, mut mock) = (Memory::new(STORE), Mock::new(portolan_strategy::Bundled));
        for (media_type, bytes, name) in &self.documents {
            memory.insert(*media_type, bytes.clone());
            mock = mock.document(STORE, *name, media_type, bytes.clone());
        }
        let native = || match mock.run::<Resolve>(&arguments).unwrap().body {
            portolan_sdk::Body::Text(text) => text,
            body => unreachable!("{body:?}"),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let host = Host::builder().pooling(pooling).build().unwrap();
        let frontend = runtime.block_on(host.load(Component::Bundled(Bundled::Resolve))).unwrap();
        let (memory, location) = (Arc::new(memory), self.reference.parse().unwrap());
        let hosted = || hosted(&runtime, &host, &frontend, &memory, &location, &arguments);
        let [native, hosted] = in_turn(turns, row, [&native, &hosted]);
        (native, hosted)
    }
}

fn hosted(
    runtime: &Runtime,
    host: &Host,
    frontend: &Frontend,
    memory: &Arc<Memory>,
    location: &Location,
    arguments: &[(&str, &str)],
) -> String {
    let mut run = Run::new(frontend)
        .store("bench", memory.clone())
        .grants(Grants::new().pull_reference(location))
        .wall_clock(None);
    for (name, value) in arguments {
        run = run.argument(*name, *value);
    }
    match runtime.block_on(host.run(run)).unwrap().body {
        Body::Text(text) => text,
        body => unreachable!("{body:?}"),
    }
}

//! What it costs to hold a frontend to limits, grants and an audit: a warm `resolve --platform` in an index of 1 000 entries
//! that lies in memory, with all of it on against all of it off, in turn.
//!
//! *On* is a run as the command line has it: the default limits and a wall clock, one repository granted, and every call
//! written to an audit file, by the command line's own writer. *Off* is the same component with the same strategy in it, and
//! the same documents, verified by the same source, on a wasmtime that was told of no limits ([`bare`]): no epochs, no
//! limiter, no session. Between the two are the clock alone, which is that wasmtime with epochs in its code, and what the
//! host itself can be told to let be: no limits, everything granted, nobody told.
//!
//! Nearly all of the difference is the clock: code with epochs in it looks at every turn of a loop and at every call whether
//! time is up.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark fails by panicking"
)]

#[path = "../../host/src/bin/portolan/audit.rs"]
mod audit;
mod bare;
#[allow(dead_code, unused_imports, reason = "they serve the host")]
#[path = "../../host/src/bindings.rs"]
mod bindings;
#[allow(dead_code, unused_imports, reason = "it serves the host, and is tested there")]
#[path = "../../host/src/embedded.rs"]
mod embedded;
#[allow(dead_code, reason = "it serves the command line")]
#[path = "../../host/src/bin/portolan/exit.rs"]
mod exit;
#[path = "made.rs"]
mod made;
#[path = "row.rs"]
#[allow(dead_code, reason = "it serves other benchmarks as well")]
mod row;

use std::sync::Arc;
use std::time::Duration;

use portolan::audit::Audit;
use portolan::source::memory::Memory;
use portolan::source::{Registries, Source};
use portolan::{Body, Bundled, Component, Frontend, Grants, Host, Limits, Run};
use portolan_oci::Reference;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use bare::Bare;
use row::{Row, Target, in_turn};

const ENTRIES: usize = 1_000;
const ARCHITECTURES: [&str; 8] = ["amd64", "arm64", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le"];
const WANTED: &str = "linux/s390x/v77";
const REPOSITORY: &str = "registry.example/team/app";
const REFERENCE: &str = "registry.example/team/app:1";
/// Runs of each in a row, and how often it is its turn.
const ROW: usize = 10;
const TURNS: usize = 60;
/// With everything on, of what it takes with everything off.
const TARGET: f64 = 1.20;

/// The registry in which that is.
struct Net(Arc<dyn Source>);

impl Registries for Net {
    fn repository(&self, _: &Reference) -> Arc<dyn Source> {
        Arc::clone(&self.0)
    }
}

fn image() -> Memory {
    let platform = |number: usize| {
        let (architecture, variant) = (ARCHITECTURES[number % 8], format!("v{}", number / 8));
        json!({ "os": "linux", "architecture": architecture, "variant": variant })
    };
    let platforms: Vec<Value> = (0..ENTRIES).map(platform).collect();
    let memory = Memory::new(REPOSITORY);
    for (media_type, bytes, name) in made::documents(&platforms) {
        let descriptor = memory.insert(media_type, bytes);
        if name.is_some() {
            memory.tag("1", &descriptor);
        }
    }
    memory
}

/// No limit is one that a run could meet.
fn unlimited() -> Limits {
    Limits {
        guest_memory: u64::MAX,
        guest_cpu: Duration::MAX,
        wall_clock: None,
        host_calls: u64::MAX,
        run_documents: u64::MAX,
        call_arguments: u64::MAX,
        response: u64::MAX,
        ..Limits::default()
    }
}

/// A run on the host, and the text of its answer.
async fn hosted(host: &Host, frontend: &Frontend, arguments: &[(&str, &str)], audit: Option<&Audit>) -> String {
    let mut run = Run::new(frontend);
    for (name, value) in arguments {
        run = run.argument(*name, *value);
    }
    run = match audit {
        Some(audit) => run
            .grants(Grants::new().pull(REPOSITORY).unwrap())
            .wall_clock(Limits::default().wall_clock)
            .audit(audit.clone()),
        None => run.grants(Grants::new().pull("*").unwrap()).limits(unlimited()),
    };
    match host.run(run).await.unwrap().body {
        Body::Text(text) => text,
        body => panic!("{body:?}"),
    }
}

fn measure(runtime: &Runtime, what: &str, pooling: bool, arguments: &[(&str, &str)]) {
    let source: Arc<dyn Source> = Arc::new(image());
    let bare = |clock| Bare::new(pooling, clock, Arc::clone(&source)).unwrap();
    let (bare, clocked) = (bare(false), bare(true));
    let host = Host::builder().registry(Net(source)).pooling(pooling).platform("linux/amd64").build().unwrap();
    let frontend = runtime.block_on(host.load(Component::Bundled(Bundled::Resolve))).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let audit = audit::to(file.path()).unwrap_or_else(|_| panic!("the audit file"));

    let off = || runtime.block_on(bare.run(arguments)).unwrap();
    let clock = || runtime.block_on(clocked.run(arguments)).unwrap();
    let let_be = || runtime.block_on(hosted(&host, &frontend, arguments, None));
    let on = || runtime.block_on(hosted(&host, &frontend, arguments, Some(&audit)));
    let [off, clock, let_be, on] = in_turn(TURNS, ROW, [&off, &clock, &let_be, &on]);

    let written = file.as_file().metadata().unwrap().len();
    assert!(written > 0, "nothing was written down");
    let what = format!("{what}, 1 000 entries, {}", if pooling { "pooling" } else { "on demand" });
    for (which, part) in [("the clock alone", &clock), ("limits let be", &let_be)] {
        Row::new(format!("{what}, {which}"), "µs", part).against("no limits", &off).print();
    }
    Row::new(format!("{what}, guards on"), "µs", &on)
        .against("no limits", &off)
        .target(Target::RatioAtMost(TARGET))
        .print();
}

fn main() {
    println!("==> a resolve in an index of {ENTRIES} entries: limits, grants and audit off against on, medians");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // The text is the platform's manifest by digest, which the index tells; the JSON has the manifest, the config and the
    // names of all platforms, too.
    for (what, format) in [("digest", "text"), ("whole answer", "json")] {
        let arguments = [("ref", REFERENCE), ("platform", WANTED), ("format", format)];
        for pooling in [true, false] {
            measure(&runtime, what, pooling, &arguments);
        }
    }
}

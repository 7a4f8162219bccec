//! `resolve --platform` in indexes of more and more entries, on a warm host, and as plain function calls. The limits are
//! raised, so that a hundred thousand entries are none too many.

use std::sync::Arc;
use std::time::Duration;

use portolan::source::memory::Memory;
use portolan::{Bundled, Component, Grants, Host, Limits, Run};
use portolan_oci::{Descriptor, Location};
use portolan_resolve::Resolve;
use portolan_sdk::mock::Mock;
use serde_json::{Value, json};

use crate::draw::Curve;
use crate::{made, median};

const ARCHITECTURES: [&str; 8] = ["amd64", "arm64", "386", "ppc64le", "s390x", "riscv64", "loong64", "mips64le"];
const STORE: &str = "oci-layout://bench";

pub fn curves(counts: &[usize]) -> Vec<Curve> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let host = Host::builder().pooling(true).limits(limits()).build().unwrap();
    let resolve = runtime.block_on(host.load(Component::Bundled(Bundled::Resolve))).unwrap();
    let (mut hosted, mut native) = (Vec::new(), Vec::new());
    for &count in counts {
        let platforms: Vec<Value> = (0..count).map(platform).collect();
        let documents = made::documents(&platforms);
        let (media_type, index, _) = documents.last().unwrap();
        let reference = format!("{STORE}@{}", Descriptor::of(*media_type, index).digest);
        let location: Location = reference.parse().unwrap();
        let arguments = [("ref", reference.as_str()), ("platform", "linux/s390x"), ("format", "text")];
        let (memory, mut mock) = (Memory::new(STORE), Mock::new(portolan_strategy::Bundled));
        for (media_type, bytes, name) in &documents {
            memory.insert(*media_type, bytes.clone());
            mock = mock.document(STORE, *name, media_type, bytes.clone());
        }
        let memory = Arc::new(memory);
        let times = if count < 10_000 { 201 } else { 11 };
        let asked = || {
            let grants = Grants::new().pull_reference(&location);
            let mut run = Run::new(&resolve).store("bench", memory.clone()).grants(grants);
            for (name, value) in arguments {
                run = run.argument(name, value);
            }
            runtime.block_on(host.run(run)).unwrap();
        };
        hosted.push((count as f64, median(times, asked)));
        native.push((count as f64, median(times, || drop(mock.run::<Resolve>(&arguments).unwrap()))));
    }
    vec![Curve { name: "a plug-in", points: hosted }, Curve { name: "plain function calls", points: native }]
}

/// Each is one of its own.
fn platform(number: usize) -> Value {
    let architecture = ARCHITECTURES[number % 8];
    match number / 8 {
        0 => json!({ "os": "linux", "architecture": architecture }),
        variant => json!({ "os": "linux", "architecture": architecture, "variant": format!("v{variant}") }),
    }
}

fn limits() -> Limits {
    let much = 1 << 30;
    Limits {
        document: much,
        run_documents: much,
        call_arguments: much,
        guest_memory: much,
        index_entries: 1_000_000,
        guest_cpu: Duration::from_secs(60),
        ..Limits::default()
    }
}

//! A build host with a frontend and a strategy of its own: it grants what it means to, bounds what they use up, hears what is
//! moved, and writes down what they did.
//!
//! `cargo run --example own-judgement -- frontend.wasm strategy.wasm LAYOUT NAME=VALUE…`

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portolan::audit::{Audit, Record};
use portolan::source::layout::Layout;
use portolan::{Body, Component, Grants, Host, Limits, Run};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [frontend, strategy, layout, arguments @ ..] = &*words else {
        return Err("usage: own-judgement FRONTEND.wasm STRATEGY.wasm LAYOUT NAME=VALUE…".into());
    };
    // The strategy is plugged into every frontend that this host loads.
    let host = Host::builder().strategy(Component::File(Path::new(strategy))).build()?;
    let frontend = host.load(Component::File(Path::new(frontend))).await?;
    let info = frontend.describe().await?;
    eprintln!("{} {} imports {}", info.name, info.version, frontend.imports().join(", "));

    // What a run is not granted is denied, whatever it names: this one may read the store that it is given, and nothing else.
    let mut run = Run::new(&frontend)
        .store("here", Arc::new(Layout::open(Path::new(layout), "oci-layout://here")?))
        .grants(Grants::new())
        .limits(Limits { guest_memory: 64 << 20, guest_cpu: Duration::from_secs(1), ..Limits::default() })
        .wall_clock(Some(Duration::from_secs(10)))
        .audit(Audit::new(|record| {
            if let Record::Called(call) = record {
                eprintln!("{} {}: {}", call.function, call.place, call.verdict.as_str());
            }
            Ok(())
        }));
    for argument in arguments {
        let (name, value) = argument.split_once('=').ok_or("an argument is NAME=VALUE")?;
        run = run.argument(name, value);
    }
    // Dropping the future, as a time-out does, ends the run and leaves nothing half-done.
    let answer = tokio::time::timeout(Duration::from_secs(20), host.run(run)).await??;
    if let Body::Text(text) = &answer.body {
        // A guest's text steers no terminal.
        println!("{}", portolan::text::block(text));
    }
    eprintln!(
        "{:?} of computing, {} KiB, {} calls",
        answer.stats.cpu,
        answer.stats.memory >> 10,
        answer.stats.host_calls
    );
    Ok(())
}

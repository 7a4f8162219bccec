//! A build host that pins the base images of a list: all resolved side by side, each for one platform, and written to a file
//! with the digest that every name means now.
//!
//! `cargo run --example lock-bases -- linux/amd64 bases.lock alpine:3 ghcr.io/acme/base:1`

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use portolan::source::Source;
use portolan::source::layout::Layout;
use portolan::source::registry::Registry;
use portolan::{Host, ImageQuery};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [platform, file, names @ ..] = &*words else {
        return Err("usage: lock-bases PLATFORM FILE NAME…".into());
    };
    // A pool of instances is for hosts that run many at a time. What one registry is asked for is bounded there.
    let host = Host::builder().registry(Registry::builder().build()?).pooling(true).build()?;
    let asked = &host;
    let answers = join_all(names.iter().map(|name| async move {
        let query = match layout(name)? {
            Some((reference, source)) => ImageQuery::new(reference).store(STORE, source),
            None => ImageQuery::new(name),
        };
        Ok::<_, Box<dyn Error>>(asked.resolve_image(query.platform(platform)).await?)
    }))
    .await;

    let mut lock = String::new();
    for (name, answer) in names.iter().zip(answers) {
        let image = answer.map_err(|error| format!("{name}: {error}"))?;
        // The index where there is one: another platform's build finds its image below the same digest.
        let pinned = image.index.as_ref().unwrap_or(&image.manifest);
        writeln!(lock, "{name} {} {}", pinned.descriptor.digest, image.manifest.descriptor.digest)?;
    }
    // Nothing is written unless all of them are there.
    std::fs::write(file, lock)?;
    Ok(())
}

/// A reference into a store, and the store.
type Opened = (String, Arc<dyn Source>);

/// What a run calls the layout that it is given: frontends name stores, and never paths.
const STORE: &str = "layout";

/// A layout, opened, and the reference into it by that name.
fn layout(name: &str) -> portolan::Result<Option<Opened>> {
    let Some(rest) = name.strip_prefix("oci-layout://") else { return Ok(None) };
    let (folder, inside) = rest.split_at(rest.find([':', '@']).unwrap_or(rest.len()));
    let layout = Layout::open(Path::new(folder), format!("oci-layout://{STORE}"))?;
    Ok(Some((format!("oci-layout://{STORE}{inside}"), Arc::new(layout))))
}

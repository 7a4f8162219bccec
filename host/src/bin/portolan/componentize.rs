//! A component of a core module that a compiler made which knows no components: Go's.
//!
//! Such a module is of the older WASI (`wasip1`), and of the contract it has the names of the functions alone. So the contract
//! is written into it here, and an adapter makes WASI 0.2 of the older one.

use std::path::Path;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, SourceMap};

use crate::exit::Exit;

/// All that a frontend may import. What a module does not import, its component does not either.
const WORLD: &str = "writer";

/// The component of a frontend's core module.
pub fn component(module: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, Exit> {
    encoded(bytes).map_err(|error| {
        Exit::failure(format!("no component comes of the core module {}: {error:#}", module.display()))
            .hint("its bindings may be of another version of the contract: `portolan new` lays out those of this one")
    })
}

fn encoded(mut module: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let mut sources = SourceMap::new();
    for (path, text) in portolan::sdk().filter(|(path, _)| path.starts_with("wit/")) {
        sources.push_str(path, String::from_utf8_lossy(text));
    }
    let mut resolve = Resolve::default();
    let group = sources.parse().map_err(|(sources, error)| anyhow::anyhow!(error.render(&sources)))?;
    let package = resolve.push_group(group)?;
    let world = resolve.select_world(&[package], Some(WORLD))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    ComponentEncoder::default()
        .module(&module)?
        .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?
        .validate(true)
        .encode()
}

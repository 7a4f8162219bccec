//! One component from several: a frontend whose import `strategy` is another component's export, and one whose every
//! import is.

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId};

use super::load::STRATEGY;

/// What makes a command of a component.
const RUN: &str = "wasi:cli/run";

/// `frontend`, which imports a strategy, with `strategy` plugged in. Nothing else of the strategy's exports reaches the
/// frontend: a strategy judges, it does not stand in for the host.
pub(super) fn compose(frontend: &[u8], strategy: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let socket = Package::from_bytes("portolan:frontend", None, frontend, graph.types_mut())?;
    let plug = Package::from_bytes("portolan:strategy", None, strategy, graph.types_mut())?;
    let is_strategy = |name: &&String| name.split_once('@').is_some_and(|(interface, _)| interface == STRATEGY);
    let Some(import) = graph.types()[socket.ty()].imports.keys().find(is_strategy).cloned() else {
        anyhow::bail!("the frontend imports no `{STRATEGY}`");
    };
    let Some(export) = graph.types()[plug.ty()].exports.keys().find(is_strategy).cloned() else {
        anyhow::bail!("the strategy exports no `{STRATEGY}`");
    };
    let exports: Vec<String> = graph.types()[socket.ty()].exports.keys().cloned().collect();

    let (socket, plug) = (graph.register_package(socket)?, graph.register_package(plug)?);
    let (frontend, strategy) = (graph.instantiate(socket), graph.instantiate(plug));
    let judgement = graph.alias_instance_export(strategy, &export)?;
    graph.set_instantiation_argument(frontend, &import, judgement)?;
    for name in exports {
        let export = graph.alias_instance_export(frontend, &name)?;
        graph.export(export, &name)?;
    }
    // The bundled parts were validated when they were built, and wasmtime validates the whole before it compiles it.
    Ok(graph.encode(EncodeOptions { validate: false, ..EncodeOptions::default() })?)
}

/// What a bundle is made of.
pub(super) struct Parts<'a> {
    pub(super) frontend: &'a [u8],
    pub(super) strategy: &'a [u8],
    /// Stands in for the host.
    pub(super) provider: &'a [u8],
    /// Makes a command of the frontend.
    pub(super) adapter: &'a [u8],
}

/// The parts as one component, which exports what the frontend exports of the contract, and the command. It imports what is
/// left: WASI.
pub(super) fn bundle(parts: &Parts<'_>) -> anyhow::Result<Vec<u8>> {
    let mut graph = CompositionGraph::new();
    let mut all = Vec::new();
    let named = [
        ("portolan:provider", parts.provider),
        ("portolan:strategy", parts.strategy),
        ("portolan:frontend", parts.frontend),
        ("portolan:adapter", parts.adapter),
    ];
    for (name, bytes) in named {
        let part = Package::from_bytes(name, None, bytes, graph.types_mut())?;
        let world = &graph.types()[part.ty()];
        let (imports, exports) = (names(world.imports.keys()), names(world.exports.keys()));
        let part = graph.register_package(part)?;
        let instance = graph.instantiate(part);
        connect(&mut graph, instance, &imports, &all)?;
        all.push((instance, exports));
    }
    let mut command = false;
    for (instance, exports) in all.into_iter().rev().take(2) {
        for name in exports.into_iter().filter(|name| interface(name) == RUN || name.starts_with("portolan:oci/")) {
            command |= interface(&name) == RUN;
            let export = graph.alias_instance_export(instance, &name)?;
            graph.export(export, &name)?;
        }
    }
    anyhow::ensure!(command, "the adapter exports no `{RUN}`");
    Ok(graph.encode(EncodeOptions { validate: false, ..EncodeOptions::default() })?)
}

/// Gives an instance what it imports and an earlier one exports.
fn connect(
    graph: &mut CompositionGraph,
    instance: NodeId,
    imports: &[String],
    earlier: &[(NodeId, Vec<String>)],
) -> anyhow::Result<()> {
    for import in imports.iter().filter(|import| import.starts_with("portolan:oci/")) {
        let found = earlier.iter().rev().find_map(|(node, exports)| {
            exports.iter().find(|export| interface(export) == interface(import)).map(|export| (*node, export))
        });
        match found {
            Some((node, export)) => {
                let export = graph.alias_instance_export(node, export)?;
                graph.set_instantiation_argument(instance, import, export)?;
            }
            // It holds types, which nobody has to bring.
            None if interface(import) == "portolan:oci/types" => {}
            None => anyhow::bail!("nothing in a bundle exports `{import}`"),
        }
    }
    Ok(())
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    names.cloned().collect()
}

fn interface(name: &str) -> &str {
    name.split_once('@').map_or(name, |(interface, _)| interface)
}

//! One component from two: a frontend whose import `strategy` is another component's export.

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions};

use super::load::STRATEGY;

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

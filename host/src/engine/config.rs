//! wasmtime's settings: what guests may use, and how instances are allocated.

use std::num::NonZeroUsize;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

use super::LoadError;
use crate::limits::Limits;

/// A guest's stack. Recursion over a document's nesting fits in a fraction of it.
pub(super) const STACK: usize = 512 << 10;
/// The fiber that guest and host functions share: what is above [`STACK`] is the host's.
const FIBER: usize = STACK + (512 << 10);
/// Instances in a pool, where nobody says how many.
pub(super) const POOL: u32 = 64;
/// Memories, tables and core instances that one component may have in the pool: a frontend, its strategy, and what the
/// encoder puts between them; guests made from scripting languages have a dozen and more.
const PER_COMPONENT: u32 = 24;
/// An instance keeps so much of its memory mapped for the next one; the rest goes back to the system. Where the kernel can
/// tell which pages were written to, only those are cleared.
const RESIDENT: usize = 1 << 20;

pub(super) fn engine(limits: &Limits, pool: Option<u32>) -> Result<Engine, LoadError> {
    let mut config = Config::new();
    // Everything that no guest of ours needs is attack surface. Threads, GC and stack switching are not even compiled in.
    config.wasm_component_model(true);
    config.wasm_memory64(false);
    config.wasm_multi_memory(true);
    config.wasm_relaxed_simd(false);
    config.wasm_tail_call(true);
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.max_wasm_stack(STACK);
    config.async_stack_size(FIBER);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    // To know whether a trap came from inside a guest or from taking its answer, and from which of its parts. At the end of a
    // stack it is the caller's frame that tells.
    config.wasm_backtrace_max_frames(NonZeroUsize::new(2));
    if let Some(instances) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(limits, instances)));
    }
    Engine::new(&config).map_err(fault)
}

fn pooling(limits: &Limits, instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    let page = 64 << 10;
    let memory = usize::try_from(limits.guest_memory).unwrap_or(usize::MAX).next_multiple_of(page);
    pool.max_memory_size(memory)
        .total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(PER_COMPONENT))
        .total_memories(instances.saturating_mul(4))
        .total_tables(instances.saturating_mul(PER_COMPONENT))
        .total_stacks(instances)
        .max_core_instances_per_component(PER_COMPONENT)
        .max_memories_per_component(4)
        .max_memories_per_module(4)
        .max_tables_per_component(PER_COMPONENT)
        .table_elements(64 << 10)
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20)
        .linear_memory_keep_resident(RESIDENT)
        .table_keep_resident(RESIDENT)
        .async_stack_keep_resident(RESIDENT)
        .pagemap_scan(Enabled::Auto)
        .max_unused_warm_slots(instances);
    pool
}

fn fault(error: wasmtime::Error) -> LoadError {
    LoadError::Engine(format!("{error:#}"))
}

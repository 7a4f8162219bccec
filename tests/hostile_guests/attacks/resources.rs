//! Using up what there is: time, memory, calls.

use portolan::Limit;

use super::Must::{Answer, Fail, Stop, Trap};
use super::Promise::{Calls, Memory, Time};
use super::{Attack, component, told};
use crate::raw::{REALLOC, Raw};

const LOOP: &str = "(loop $forever (br $forever)) unreachable";

pub fn attacks() -> Vec<Attack> {
    let looping = |change: fn(&mut Raw)| Raw::build(change);
    let rest = |rest: &str| Raw::build(|raw| raw.rest = rest.to_owned());
    vec![
        told(Time, "loop", "loop", "", Stop(Limit::Cpu)),
        component(Time, "loop-by-hand", looping(|raw| raw.solve = LOOP.into()), Stop(Limit::Cpu)),
        component(Time, "loop-in-describe", looping(|raw| raw.describe = LOOP.into()), Stop(Limit::Cpu)),
        component(Time, "loop-in-start", rest(&format!("(func $s {LOOP}) (start $s)")), Stop(Limit::Cpu)),
        component(Time, "loop-in-realloc", looping(|raw| raw.realloc = LOOP.into()), Stop(Limit::Cpu)),
        component(
            Time,
            "loop-in-realloc-for-an-answer",
            Raw::build(|raw| {
                raw.imports = PLATFORM.into();
                raw.solve = "(call $platform (i32.const 2048)) i32.const 512".into();
                raw.realloc = LOOP.into();
            }),
            Stop(Limit::Cpu),
        ),
        component(
            Time,
            "loop-after-the-answer",
            rest(&format!(r#"(func (export "cabi_post_portolan:oci/frontend@0.1.0#solve") (param i32) {LOOP})"#)),
            Stop(Limit::Cpu),
        ),
        component(Time, "tail-calls-without-end", rest("(func $f (return_call $f)) (start $f)"), Stop(Limit::Cpu)),
        component(
            Time,
            "memory-filled-for-ever",
            looping(|raw| {
                raw.solve =
                    "(loop $on (memory.fill (i32.const 65536) (i32.const 0) (i32.const 65536)) (br $on)) unreachable"
                        .into();
            }),
            Stop(Limit::Cpu),
        ),
        told(Memory, "recurse", "recurse", "", Stop(Limit::Stack)),
        component(
            Memory,
            "recurse-by-hand",
            looping(|raw| raw.solve = "(i32.add (call $solve (i32.const 0) (i32.const 0)) (i32.const 1))".into()),
            Stop(Limit::Stack),
        ),
        told(Memory, "allocate", "allocate", "", Stop(Limit::Memory)),
        component(Memory, "a-memory-of-4-gib", rest("(memory $huge 65536)"), Stop(Limit::Memory)),
        component(Memory, "a-table-of-ten-millions", rest("(table $huge 10000000 funcref)"), Stop(Limit::Memory)),
        component(
            Memory,
            "a-memory-that-grows",
            looping(|raw| raw.solve = "(loop $on (drop (memory.grow (i32.const 16))) (br $on)) unreachable".into()),
            Stop(Limit::Memory),
        ),
        component(
            Memory,
            "many-memories-that-grow",
            Raw::build(|raw| {
                raw.rest = (0..8).map(|number| format!("(memory $m{number} 1)")).collect();
                let grow: String = (0..8).map(|n| format!("(drop (memory.grow $m{n} (i32.const 8)))")).collect();
                raw.solve = format!("(loop $on {grow} (br $on)) unreachable");
            }),
            Stop(Limit::Memory),
        ),
        component(
            Memory,
            "more-memories-than-a-run-may-have",
            rest(&"(memory 0)".repeat(40)),
            Trap("resource limit exceeded"),
        ),
        component(
            Memory,
            "a-table-that-grows",
            Raw::build(|raw| {
                raw.rest = "(table $t 1 funcref)".into();
                raw.solve =
                    "(loop $on (drop (table.grow $t (ref.null func) (i32.const 100000))) (br $on)) unreachable".into();
            }),
            Stop(Limit::Memory),
        ),
        component(
            Memory,
            "realloc-grows-without-end",
            Raw::build(|raw| {
                raw.imports = PLATFORM.into();
                raw.solve = "(loop $on (call $platform (i32.const 2048)) (br $on)) unreachable".into();
                raw.realloc = format!("(drop (memory.grow (i32.const 16))) {REALLOC}");
            }),
            Stop(Limit::Memory),
        ),
        told(Memory, "handles-that-are-never-dropped", "handles", 1_000_000, Trap("cannot allocate another handle")),
        told(Calls, "call-a-million-times", "call", 1_000_000, Stop(Limit::HostCalls)),
        told(Calls, "log-a-million-times", "chatter", 1_000_000, Stop(Limit::HostCalls)),
        told(Calls, "log-much-at-once", "log", (8 << 20) + 1, Stop(Limit::CallArguments)),
        told(Calls, "print-much", "print", 2 << 20, Answer("true")),
        told(Calls, "prefetch-100000", "prefetch", 100_000, Answer("hinted")),
        told(Calls, "resolve-100001", "resolve-many", 100_001, Stop(Limit::HostCalls)),
        told(Calls, "copy-100001", "copy-many", 100_001, Stop(Limit::CallArguments)),
        told(Calls, "answer-much", "answer", (4 << 20) + 1, Stop(Limit::Response)),
        told(Calls, "answer-with-much-metadata", "metadata", 1_000_000, Stop(Limit::Memory)),
        told(Calls, "random-bytes-without-end", "random", u64::MAX, Trap("random bytes at once")),
        told(
            Calls,
            "fetch-without-end",
            "fetch-without-end",
            format!("r.example/a a/b {} 10", crate::world::blob().digest),
            Fail(1, "the media type"),
        ),
        told(
            Calls,
            "read-much-at-once",
            "read-at",
            blob_at("r.example/a", 0, u32::MAX),
            Fail(1, "one read is of at most"),
        ),
    ]
}

/// A range of the blob that every repository holds.
pub fn blob_at(repository: &str, offset: u64, length: u32) -> String {
    let blob = crate::world::blob();
    format!("{repository} {} {} {} at {offset} {length}", blob.media_type, blob.digest, blob.size)
}

/// The import of a function whose answer is allocated in the guest.
pub const PLATFORM: &str = r#"(import "portolan:oci/host@0.1.0" "platform" (func $platform (param i32)))"#;

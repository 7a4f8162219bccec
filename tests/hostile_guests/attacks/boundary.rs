//! Lies in the canonical ABI: pointers, lengths, discriminants, encodings, and calls at the wrong moment.

use super::Must::{Answer, Stop, Trap};
use super::Promise::Boundary;
use super::resources::PLATFORM;
use super::{Attack, Must, component};
use crate::raw::{REALLOC, Raw, answer, info};
use portolan::Limit;

const FAR: u32 = 0x7fff_fff0;

/// The answer as ever but for these words.
fn answering(name: &'static str, words: &[(usize, u32)], must: Must) -> Attack {
    component(Boundary, name, Raw::answering(words), must)
}

/// An import, and a call of it before the answer.
fn calling(name: &'static str, import: &str, call: &str, must: Must) -> Attack {
    let bytes = Raw::build(|raw| {
        raw.imports = import.to_owned();
        raw.solve = format!("{call} i32.const 512");
    });
    component(Boundary, name, bytes, must)
}

/// An answer of the host that the guest makes room for in its own way.
fn allocating(name: &'static str, realloc: &str, must: Must) -> Attack {
    let bytes = Raw::build(|raw| {
        raw.imports = PLATFORM.to_owned();
        raw.solve = "(call $platform (i32.const 2048)) i32.const 512".to_owned();
        raw.realloc = realloc.to_owned();
    });
    component(Boundary, name, bytes, must)
}

const LOG: &str = r#"(import "portolan:oci/host@0.1.0" "log" (func $log (param i32 i32 i32)))"#;
const RESOLVE: &str = r#"(import "portolan:oci/resolver@0.1.0" "resolve" (func $resolve (param i32 i32 i32)))"#;
const RESOLVE_ALL: &str = r#"(import "portolan:oci/resolver@0.1.0" "resolve-all" (func $all (param i32 i32 i32)))"#;
const PREFETCH: &str = r#"(import "portolan:oci/fetcher@0.1.0" "prefetch" (func $prefetch (param i32 i32 i32 i32)))"#;

pub fn attacks() -> Vec<Attack> {
    let solve =
        |name, solve: &str, must| component(Boundary, name, Raw::build(|raw| raw.solve = solve.to_owned()), must);
    vec![
        answering("nothing-wrong", &[], Answer("good")),
        answering("neither-answer-nor-failure", &[(answer::WHICH, 7)], Trap("discriminant")),
        answering("no-body-of-that-number", &[(answer::BODY, 3)], Trap("discriminant")),
        answering("text-out-of-memory", &[(answer::TEXT, FAR)], Trap("out of bounds")),
        answering("text-without-end", &[(answer::TEXT + 4, u32::MAX)], Trap("out of bounds")),
        answering("media-type-across-the-end", &[(answer::MEDIA_TYPE, 4 * 65_536 - 1)], Trap("out of bounds")),
        answering(
            "metadata-out-of-memory",
            &[(answer::METADATA, FAR), (answer::METADATA + 4, 1)],
            Trap("out of bounds"),
        ),
        answering("metadata-by-the-thousand-millions", &[(answer::METADATA + 4, u32::MAX)], Trap("out of bounds")),
        answering(
            "metadata-off-its-alignment",
            &[(answer::METADATA, 2), (answer::METADATA + 4, 1)],
            Trap("not aligned"),
        ),
        answering("bytes-without-end", &[(answer::BODY, 1), (answer::TEXT + 4, u32::MAX)], Trap("out of bounds")),
        answering("content-of-nowhere", &[(answer::BODY, 2), (answer::TEXT, FAR)], Trap("out of bounds")),
        component(
            Boundary,
            "text-that-is-no-utf-8",
            Raw::build(|raw| {
                raw.answer.set(answer::TEXT, 2_048);
                raw.rest = r#"(data (i32.const 2048) "\ff\fe\ff\fe")"#.to_owned();
            }),
            Trap("utf-8"),
        ),
        component(
            Boundary,
            "text-with-half-a-surrogate",
            Raw::build(|raw| {
                raw.answer.set(answer::TEXT, 2_048);
                raw.answer.set(answer::TEXT + 4, 3);
                raw.rest = r#"(data (i32.const 2048) "\ed\a0\80")"#.to_owned();
            }),
            Trap("utf-8"),
        ),
        component(
            Boundary,
            "text-beyond-the-last-character",
            Raw::build(|raw| {
                raw.answer.set(answer::TEXT, 2_048);
                // U+110000
                raw.rest = r#"(data (i32.const 2048) "\f4\90\80\80")"#.to_owned();
            }),
            Trap("utf-8"),
        ),
        answering("failure-with-half-a-hint", &[(answer::WHICH, 1), (answer::HINT, 2)], Trap("discriminant")),
        answering(
            "failure-with-half-a-cause",
            &[(answer::WHICH, 1), (answer::HINT, 0), (answer::CAUSE, 9)],
            Trap("discriminant"),
        ),
        component(
            Boundary,
            "the-same-megabyte-a-thousand-times",
            Raw::build(|raw| {
                // A list of pairs that all name the same 64 KiB.
                raw.pages = 8;
                raw.solve = "(local $n i32) (local.set $n (i32.const 196608))
                    (loop $on (i32.store (local.get $n) (i32.const 65536)) (i32.store offset=4 (local.get $n) (i32.const 65536))
                        (br_if $on (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 8))) (i32.const 458752))))
                    i32.const 512"
                    .to_owned();
                raw.answer.set(answer::METADATA, 196_608);
                raw.answer.set(answer::METADATA + 4, 16_384);
            }),
            Stop(Limit::Response),
        ),
        solve("answer-out-of-memory", "i32.const -8", Trap("out of bounds")),
        solve("answer-across-the-end", "i32.const 262136", Trap("out of bounds")),
        solve("answer-off-its-alignment", "i32.const 513", Trap("not aligned")),
        solve("unreachable", "unreachable", Trap("unreachable")),
        solve("division-by-zero", "(i32.div_u (i32.const 1) (i32.const 0))", Trap("divide by zero")),
        solve("load-out-of-memory", "(i32.load (i32.const -4))", Trap("out of bounds")),
        solve(
            "store-over-the-end",
            "(i64.store (i32.const 262140) (i64.const 1)) i32.const 512",
            Trap("out of bounds"),
        ),
        component(
            Boundary,
            "call-of-nothing",
            Raw::build(|raw| {
                raw.rest = "(table $t 1 funcref) (type $f (func))".to_owned();
                raw.solve = "(call_indirect $t (type $f) (i32.const 0)) i32.const 512".to_owned();
            }),
            Trap("uninitialized element"),
        ),
        component(
            Boundary,
            "call-of-another-type",
            Raw::build(|raw| {
                raw.rest = "(table $t funcref (elem $solve)) (type $f (func))".to_owned();
                raw.solve = "(call_indirect $t (type $f) (i32.const 0)) i32.const 512".to_owned();
            }),
            Trap("indirect call type mismatch"),
        ),
        component(
            Boundary,
            "trap-in-start",
            Raw::build(|raw| raw.rest = "(func $s unreachable) (start $s)".to_owned()),
            Trap("unreachable"),
        ),
        component(
            Boundary,
            "trap-after-the-answer",
            Raw::build(|raw| {
                raw.rest = r#"(func (export "cabi_post_portolan:oci/frontend@0.1.0#solve") (param i32) unreachable)"#
                    .to_owned();
            }),
            Trap("unreachable"),
        ),
        component(
            Boundary,
            "trap-in-describe",
            Raw::build(|raw| raw.describe = "unreachable".to_owned()),
            Trap("unreachable"),
        ),
        component(
            Boundary,
            "description-out-of-memory",
            Raw::build(|raw| raw.describe = "i32.const -4".to_owned()),
            Trap("out of bounds"),
        ),
        component(
            Boundary,
            "formats-by-the-thousand-millions",
            Raw::described(&[(info::FORMATS + 4, u32::MAX)], &[]),
            Trap("out of bounds"),
        ),
        component(
            Boundary,
            "a-parameter-of-no-kind",
            Raw::described(&[(info::PARAMETERS, 2_048), (info::PARAMETERS + 4, 1)], &[9; 64]),
            Trap("out of bounds"),
        ),
        allocating("realloc-as-it-should-be", REALLOC, Answer("good")),
        allocating("realloc-out-of-memory", "i32.const -1", Trap("realloc return")),
        allocating("realloc-across-the-end", "i32.const 262140", Trap("realloc return")),
        allocating("realloc-that-gives-the-same-again", "i32.const 512", Trap("discriminant")),
        allocating("realloc-that-traps", "unreachable", Trap("unreachable")),
        allocating(
            "realloc-that-asks-the-host",
            &format!("(call $platform (i32.const 4096)) {REALLOC}"),
            Trap("cannot leave"),
        ),
        allocating(
            "realloc-that-recurses",
            "(call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1))",
            Stop(Limit::Stack),
        ),
        calling("answer-of-the-host-out-of-memory", PLATFORM, "(call $platform (i32.const -8))", Trap("out of bounds")),
        calling(
            "answer-of-the-host-off-its-alignment",
            PLATFORM,
            "(call $platform (i32.const 2049))",
            Trap("not aligned"),
        ),
        calling(
            "no-level-of-that-number",
            LOG,
            "(call $log (i32.const 99) (i32.const 1040) (i32.const 4))",
            Trap("discriminant"),
        ),
        calling(
            "message-out-of-memory",
            LOG,
            "(call $log (i32.const 0) (i32.const -4) (i32.const 8))",
            Trap("out of bounds"),
        ),
        calling(
            "message-without-end",
            LOG,
            "(call $log (i32.const 0) (i32.const 0) (i32.const -1))",
            Trap("out of bounds"),
        ),
        calling(
            "message-of-zeros",
            LOG,
            "(call $log (i32.const 0) (i32.const 4096) (i32.const 100000))",
            Answer("good"),
        ),
        calling(
            "reference-of-zeros",
            RESOLVE,
            "(call $resolve (i32.const 4096) (i32.const 100000) (i32.const 2048))",
            Answer("good"),
        ),
        calling(
            "references-by-the-thousand-millions",
            RESOLVE_ALL,
            "(call $all (i32.const 0) (i32.const -1) (i32.const 2048))",
            Trap("out of bounds"),
        ),
        calling(
            "references-off-their-alignment",
            RESOLVE_ALL,
            "(call $all (i32.const 2) (i32.const 1) (i32.const 2048))",
            Trap("not aligned"),
        ),
        calling(
            "descriptors-by-the-thousand-millions",
            PREFETCH,
            "(call $prefetch (i32.const 1040) (i32.const 4) (i32.const 0) (i32.const -1))",
            Trap("out of bounds"),
        ),
    ]
}

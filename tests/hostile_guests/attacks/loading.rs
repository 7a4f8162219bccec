//! Components that are none, or that ask for what there is not: refused before they run.

use super::Must::Refuse;
use super::Promise::Loading;
use super::{Attack, component};
use crate::raw::Raw;

const FRONTEND: &str = r#"(instance $f) (export "portolan:oci/frontend@0.1.0" (instance $f))"#;

fn text(name: &'static str, text: &str, why: &'static str) -> Attack {
    let bytes =
        wat::parse_str(format!("(component {text} {FRONTEND})")).unwrap_or_else(|error| panic!("{name}: {error}"));
    component(Loading, name, bytes, Refuse(why))
}

fn import(name: &'static str, interface: &str, why: &'static str) -> Attack {
    text(name, &format!(r#"(import "{interface}" (instance))"#), why)
}

/// As many bytes as LEB128 takes for a number.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        match number {
            0 => break bytes.push(byte),
            _ => bytes.push(byte | 0x80),
        }
    }
    bytes
}

/// A section of `content`.
pub fn section_of(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len()), content].concat()
}

/// A component with one section of `content`.
fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0", &section_of(id, content)[..]].concat()
}

pub fn attacks() -> Vec<Attack> {
    let bytes = |name, bytes: Vec<u8>, why| component(Loading, name, bytes, Refuse(why));
    let good = Raw::build(|_| {});
    // A component section holds a component.
    let deep = (0..1_000).fold(section(0, b"\x01x"), |inner, _| section(4, &inner));
    let pairs: String = (0..40).map(|n| format!("(type $t{} (tuple $t{n} $t{n}))", n + 1)).collect();
    vec![
        bytes("a-script", b"#!/bin/sh\necho".to_vec(), "is no WebAssembly"),
        bytes("nothing", Vec::new(), "is no WebAssembly"),
        bytes("machine-code", b"\x7fELF\x02\x01\x01\0".to_vec(), "is no WebAssembly"),
        bytes("compiled-code", b"\x7fELF.wasmtime.engine".to_vec(), "is no WebAssembly"),
        bytes("text", b"(component)".to_vec(), "in text form"),
        bytes("a-module", wat::parse_str("(module)").unwrap(), "a component is wanted"),
        bytes("too-large", vec![0; (8 << 20) + 1], "is larger than the 8 MiB"),
        bytes("half-of-one", good[..good.len() / 2].to_vec(), "cannot be used"),
        bytes("all-but-a-byte", good[..good.len() - 1].to_vec(), "cannot be used"),
        bytes("a-section-without-end", b"\0asm\x0d\0\x01\0\x01\xff\xff\xff\xff\x0f".to_vec(), "cannot be used"),
        bytes("a-section-of-no-kind", section(99, b"x"), "is no frontend"),
        bytes("a-version-of-tomorrow", b"\0asm\xff\0\x01\0".to_vec(), "cannot be used"),
        bytes(
            "a-custom-section-of-megabytes",
            section(0, &[&[1, b'x'][..], &vec![7; 7 << 20]].concat()),
            "is no frontend",
        ),
        bytes("imports-by-the-thousand-millions", section(10, b"\xff\xff\xff\xff\x0f"), "cannot be used"),
        bytes(
            "a-name-of-megabytes",
            section(10, &[&[1, 0][..], &leb(7 << 20), &vec![b'x'; 7 << 20]].concat()),
            "cannot be used",
        ),
        text("frontend-without-functions", "", "and this host speaks portolan:oci 0.1.0"),
        import("import-of-what-no-world-has", "evil:host/root", "imports evil:host/root, which no host gives"),
        import("import-of-a-part-that-there-is-not", "portolan:oci/shell@0.1.0", "which no host gives"),
        import("import-of-another-version", "portolan:oci/host@0.9.0", "was built for portolan:oci 0.9.0"),
        import("import-of-the-frontend-itself", "portolan:oci/frontend@0.1.0", "which no host gives"),
        import("import-of-wasi-of-tomorrow", "wasi:filesystem/types@0.3.0", "which no host gives"),
        import("import-of-wasi-that-nobody-knows", "wasi:nn/inference@0.2.0", "which no host gives"),
        text("import-of-a-bare-function", r#"(import "system" (func))"#, "which no host gives"),
        text(
            "import-of-a-function-that-there-is-not",
            r#"(import "portolan:oci/host@0.1.0" (instance (export "shutdown" (func))))"#,
            "and this host speaks",
        ),
        text(
            "import-of-a-function-of-another-type",
            r#"(import "portolan:oci/host@0.1.0" (instance (export "log" (func (param "x" u64)))))"#,
            "and this host speaks",
        ),
        text("a-64-bit-memory", "(core module (memory i64 1))", "cannot be used"),
        text("a-shared-memory", "(core module (memory 1 1 shared))", "cannot be used"),
        text(
            "an-atomic-operation",
            "(core module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))",
            "cannot be used",
        ),
        text("garbage-collection", "(core module (type (struct (field i32))))", "cannot be used"),
        text(
            "relaxed-simd",
            "(core module (func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))))",
            "cannot be used",
        ),
        text(
            "an-async-function",
            r#"(import "wasi:cli/x@0.2.0" (instance (export "f" (func async))))"#,
            "cannot be used",
        ),
        text("a-stream", "(type (stream u8))", "cannot be used"),
        text("a-module-that-is-invalid", "(core module (func (result i32)))", "cannot be used"),
        bytes("components-1000-deep", deep, "is no frontend"),
        text("a-thousand-modules", &"(core module)".repeat(999), "core modules"),
        text("types-that-double", &format!("(type $t0 (tuple u8 u8)) {pairs}"), "cannot be used"),
        text(
            "two-imports-of-a-name",
            r#"(import "wasi:cli/x@0.2.0" (instance)) (import "wasi:cli/x@0.2.0" (instance))"#,
            "cannot be used",
        ),
        bytes(
            "two-exports-of-a-name",
            wat::parse_str(format!(r#"(component {FRONTEND} (export "portolan:oci/frontend@0.1.0" (instance $f)))"#))
                .unwrap(),
            "cannot be used",
        ),
        bytes(
            "a-frontend-that-is-a-type",
            wat::parse_str(r#"(component (type $t u8) (export "portolan:oci/frontend@0.1.0" (type $t)))"#).unwrap(),
            "",
        ),
        bytes(
            "a-strategy-in-its-place",
            wat::parse_str(r#"(component (instance $i) (export "portolan:oci/strategy@0.1.0" (instance $i)))"#)
                .unwrap(),
            "is no frontend",
        ),
        bytes(
            "a-function-of-100-kb-made-for-it",
            wat::parse_str(format!(
                "(component (core module (func {})) {FRONTEND})",
                "loop i32.const 0 br_if 0 end ".repeat(14_000)
            ))
            .unwrap(),
            "points for the branches of one function",
        ),
    ]
}

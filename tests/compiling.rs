//! Compiling is bounded: what a component asks for before any budget of a run begins is counted and held to limits, and
//! what is compiled is so in threads of its own, for a bounded time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use portolan::{Bundled, Component, Host, Limits, LoadError};

const FRONTEND: &str = "portolan:oci/frontend@0.1.0";
const STRATEGY: &str = "portolan:oci/strategy@0.1.0";

/// Whoever has not ended after this hangs.
const HANGS: Duration = Duration::from_secs(300);

/// A component that says it is a frontend or a strategy; what it holds is `parts`.
fn component(export: &str, parts: &str) -> Vec<u8> {
    let text = format!(r#"(component {parts} (instance $exported) (export "{export}" (instance $exported)))"#);
    wat::parse_str(text).unwrap()
}

/// A core module that is never instantiated.
fn module(parts: &str) -> String {
    format!("(core module (type $t (func)) (table $table 1 funcref) (memory 1) {parts})")
}

/// A limit, how it is set, and parts that come to just so much.
struct Edge {
    field: &'static str,
    set: fn(&mut Limits, u64),
    parts: fn(u64) -> String,
    /// What comes to the limit, and what is the least above it.
    at: (u64, u64),
}

fn times(count: u64, text: &str) -> String {
    text.repeat(usize::try_from(count).unwrap())
}

/// What so many branches cost the compiler in a function with so many local variables.
const fn effort(branches: u64, locals: u64) -> u64 {
    branches * (branches + 100 * locals + 750)
}

/// The other way round.
fn branches(wanted: u64, locals: u64) -> u64 {
    (0..).find(|&branches| effort(branches, locals) >= wanted).unwrap()
}

const EDGES: &[Edge] = &[
    Edge {
        field: "component_depth",
        set: |limits, most| limits.component_depth = most,
        // The outermost counts.
        parts: |depth| format!("{}{}", times(depth - 1, "(component "), times(depth - 1, ")")),
        at: (5, 6),
    },
    Edge {
        field: "modules",
        set: |limits, most| limits.modules = most,
        parts: |count| times(count, "(core module)"),
        at: (7, 8),
    },
    Edge {
        field: "instances",
        set: |limits, most| limits.instances = most,
        parts: |count| format!("(core module $m) {}", times(count, "(core instance (instantiate $m))")),
        at: (9, 10),
    },
    Edge {
        field: "instances",
        set: |limits, most| limits.instances = most,
        // Itself, and two in it.
        parts: |count| {
            format!(
                "(component $c (core module $m) {}) {}",
                times(2, "(core instance (instantiate $m))"),
                times(count / 3, "(instance (instantiate $c))")
            )
        },
        at: (9, 12),
    },
    Edge {
        field: "instances",
        set: |limits, most| limits.instances = most,
        // By other names: of an outer component, and by an export.
        parts: |count| {
            format!(
                r#"(component (core module $m)
                     (component $c (alias outer 1 $m (core module $n)) (core instance (instantiate $n)))
                     (export $d "again" (component $c)) {})"#,
                times(count / 2, "(instance (instantiate $d))")
            )
        },
        at: (8, 10),
    },
    Edge {
        field: "instance_memory",
        set: |limits, most| limits.instance_memory = most,
        parts: |bytes| {
            let globals = times(bytes / 64, "(global i32 (i32.const 0))");
            format!("(core module $m {globals}) {}", times(2, "(core instance (instantiate $m))"))
        },
        at: (64 * 100, 64 * 101),
    },
    Edge {
        field: "instance_memory",
        set: |limits, most| limits.instance_memory = most,
        // Whatever an instance keeps: of an import, a function, a table, a memory and globals.
        parts: |bytes| {
            let globals = times((bytes - 32) / 64 - 4, "(global i32 (i32.const 0))");
            format!(
                r#"(core module $e (func (export "f"))) (core instance $e (instantiate $e))
                   (core module $m (import "e" "f" (func)) (func) (table 1 funcref) (memory 1) {globals}) {}"#,
                times(2, r#"(core instance (instantiate $m (with "e" (instance $e))))"#)
            )
        },
        at: (32 + 64 * 10, 32 + 64 * 11),
    },
    Edge {
        field: "functions",
        set: |limits, most| limits.functions = most,
        parts: |count| times(2, &module(&times(count / 2, "(func)"))),
        at: (10, 12),
    },
    Edge {
        field: "function",
        set: |limits, most| limits.function = most,
        // No locals, and the end.
        parts: |bytes| module(&format!("(func {})", times(bytes - 2, "nop "))),
        at: (1_000, 1_001),
    },
    Edge {
        field: "function_locals",
        set: |limits, most| limits.function_locals = most,
        parts: |count| module(&format!("(func (local {}))", times(count, "i64 "))),
        at: (20, 21),
    },
    Edge {
        field: "code",
        set: |limits, most| limits.code = most,
        parts: |bytes| times(2, &module(&times(bytes / 8, "(func nop nop)"))),
        at: (800, 808),
    },
    Edge {
        field: "function_effort",
        set: |limits, most| limits.function_effort = most,
        parts: |effort| module(&format!("(func $f {})", times(branches(effort, 0), "call $f "))),
        at: (effort(10, 0), effort(11, 0)),
    },
    Edge {
        field: "function_effort",
        set: |limits, most| limits.function_effort = most,
        // One for the branch and six for the loop.
        parts: |effort| module(&format!("(func {})", times(branches(effort, 0) / 7, "loop i32.const 0 br_if 0 end "))),
        at: (effort(700, 0), effort(707, 0)),
    },
    Edge {
        field: "function_effort",
        set: |limits, most| limits.function_effort = most,
        parts: |effort| module(&format!("(func (local i32 i32) {})", times(branches(effort, 2), "br 0 "))),
        at: (effort(50, 2), effort(51, 2)),
    },
    Edge {
        field: "compile_effort",
        set: |limits, most| limits.compile_effort = most,
        parts: |most| {
            let indirect = "i32.const 0 call_indirect $table (type $t) ";
            times(most / effort(36, 0), &module(&format!("(func {})", times(3, indirect))))
        },
        at: (2 * effort(36, 0), 3 * effort(36, 0)),
    },
];

#[tokio::test]
async fn each_limit_holds_at_its_edge_for_frontends_and_strategies() {
    for (number, Edge { field, set, parts, at: (most, more) }) in EDGES.iter().enumerate() {
        let mut limits = Limits::default();
        set(&mut limits, *most);
        let host = Host::builder().limits(limits.clone()).build().unwrap();
        for (amount, heavy) in [(*most, false), (*more, true)] {
            let loaded = host.load(Component::Bytes(&component(FRONTEND, &parts(amount)))).await.unwrap_err();
            // What passes has no function of a frontend, and that shows only after it was compiled.
            assert_eq!(is_too_heavy(&loaded, field, *most), heavy, "{number} {field} {amount}: {loaded}");
            assert!(heavy || matches!(loaded, LoadError::VersionSkew { .. }), "{number} {field} {amount}: {loaded}");
            assert_eq!(loaded.status(), 1);

            let strategy = component(STRATEGY, &parts(amount));
            let built = Host::builder().limits(limits.clone()).strategy(Component::Bytes(&strategy)).build();
            match built {
                Ok(_) => assert!(!heavy, "{number} {field} {amount}"),
                Err(error) => {
                    assert!(heavy && is_too_heavy(&error, field, *most), "{number} {field} {amount}: {error}");
                }
            }
        }
    }
}

fn is_too_heavy(error: &LoadError, wanted: &str, most: u64) -> bool {
    let text = error.to_string();
    match error {
        LoadError::TooHeavy { field, found, limit, .. } => {
            assert!(text.contains(&format!("raise Limits::{wanted}")), "{text}");
            assert!(text.contains(&found.to_string()) && text.contains(&limit.to_string()), "{text}");
            *field == wanted && *limit == most && *found > most
        }
        _ => false,
    }
}

/// Each of what has branches in it, or becomes a call, weighs what it does.
#[tokio::test]
async fn every_branch_counts() {
    const PASSIVE: &str = r#"(data $data "x") (elem $elem func)"#;
    const TIMES: u64 = 5;
    for (code, weight) in [
        ("loop end", 6),
        ("i32.const 0 if end", 1),
        ("block br 0 end", 1),
        ("block i32.const 0 br_if 0 end", 1),
        // Of three targets.
        ("block i32.const 0 br_table 0 0 0 end", 3),
        ("block i32.const 0 br_table 0 end", 1),
        ("call $f", 1),
        ("return_call $f", 1),
        ("i32.const 0 call_indirect $table (type $t)", 12),
        ("i32.const 0 return_call_indirect $table (type $t)", 12),
        ("i32.const 0 memory.grow drop", 12),
        ("i32.const 0 i32.const 0 i32.const 0 memory.copy", 12),
        ("i32.const 0 i32.const 0 i32.const 0 memory.fill", 12),
        ("i32.const 0 i32.const 0 i32.const 0 memory.init $data", 12),
        ("data.drop $data", 12),
        ("i32.const 0 table.get $table drop", 12),
        ("i32.const 0 ref.null func table.set $table", 12),
        ("ref.null func i32.const 0 table.grow $table drop", 12),
        ("i32.const 0 i32.const 0 i32.const 0 table.copy $table $table", 12),
        ("i32.const 0 ref.null func i32.const 0 table.fill $table", 12),
        ("i32.const 0 i32.const 0 i32.const 0 table.init $table $elem", 12),
        ("elem.drop $elem", 12),
    ] {
        let function = format!("(func $f {})", times(TIMES, &format!("{code} ")));
        let bytes = component(FRONTEND, &module(&format!("{PASSIVE} {function}")));
        for (most, heavy) in [(effort(TIMES * weight, 0), false), (effort(TIMES * weight, 0) - 1, true)] {
            let host = Host::builder().limits(Limits { function_effort: most, ..Limits::default() }).build().unwrap();
            let error = host.load(Component::Bytes(&bytes)).await.unwrap_err();
            assert_eq!(is_too_heavy(&error, "function_effort", most), heavy, "{code}: {error}");
            assert!(heavy || matches!(error, LoadError::VersionSkew { .. }), "{code}: {error}");
        }
    }
}

/// A few bytes that ask for ten thousand millions of instances.
#[tokio::test]
async fn what_multiplies_is_counted_and_not_made() {
    let level = |inner: u32| {
        format!("(component $c{} {})", inner + 1, times(10, &format!("(instance (instantiate $c{inner}))")))
    };
    let levels: String = (0..10).map(level).collect();
    let laughs = format!(
        "(component $c0 (core module $m) (core instance (instantiate $m))) {levels} (instance (instantiate $c10))"
    );
    // Modules that come from elsewhere cannot be counted.
    let passed = r#"(component $c (import "m" (core module $m)) (core instance (instantiate $m)))"#;
    let exported = r#"(component $c (core module $m) (export "m" (core module $m))) (instance $i (instantiate $c))
                      (alias export $i "m" (core module $m)) (core instance (instantiate $m))"#;
    // Nor can components.
    let [passed_whole, exported_whole] = [passed, exported].map(|parts| parts.replace("core ", ""));
    let [passed_whole, exported_whole] =
        [passed_whole, exported_whole].map(|parts| parts.replace("module", "component"));
    let host = Host::builder().build().unwrap();
    for (parts, why) in [
        (laughs.as_str(), "instances of its parts, and 500 is the most"),
        (passed, "it instantiates what it does not hold"),
        (exported, "it instantiates what it does not hold"),
        (&passed_whole, "it instantiates what it does not hold"),
        (&exported_whole, "it instantiates what it does not hold"),
    ] {
        let error = host.load(Component::Bytes(&component(FRONTEND, parts))).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

/// Some seconds of work for the compiler, within the limits.
fn slow() -> Vec<u8> {
    let function = format!("(func {})", times(2_500, "loop i32.const 0 br_if 0 end "));
    component(FRONTEND, &module(&times(2, &function)))
}

/// Threads of this process that compile.
fn compiling() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
        .filter(|name| name.starts_with("portolan-compi"))
        .count()
}

async fn until_none_compiles() {
    let started = Instant::now();
    while compiling() > 0 {
        assert!(started.elapsed() < HANGS, "{} threads still compile", compiling());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// In one test, as it counts the threads of the process.
#[tokio::test]
async fn what_takes_too_long_or_is_not_wanted_any_more_leaves_nothing() {
    let limits = Limits { compile_time: Duration::from_millis(50), ..Limits::default() };
    let host = Host::builder().limits(limits).build().unwrap();
    let error = host.load(Component::Bytes(&slow())).await.unwrap_err();
    assert!(matches!(error, LoadError::TooSlow { .. }), "{error}");
    let message = error.to_string();
    assert!(
        message.contains("was not compiled within the 50 ms that it may take") && message.contains("try"),
        "{message}"
    );
    assert_eq!(error.status(), 1);
    assert!(compiling() > 0, "it still compiles, in threads of its own");
    // The limit is for what others wrote.
    host.load(Component::Bundled(Bundled::Explain)).await.unwrap();
    until_none_compiles().await;

    // One place: who waits for it has it when the other is done, wanted or not.
    let host = Host::builder().limits(Limits { compiles: 1, ..Limits::default() }).build().unwrap();
    let bytes = slow();
    let dropped = tokio::time::timeout(Duration::from_millis(200), host.load(Component::Bytes(&bytes))).await;
    assert!(dropped.is_err() && compiling() > 0);
    host.load(Component::Bundled(Bundled::Explain)).await.unwrap();
    until_none_compiles().await;
}

/// Prints what the worst takes that passes the limits: `cargo test --test compiling worst -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "it takes half a minute, and only prints"]
async fn worst() {
    let loops = format!("(func {})", times(3_400, "loop i32.const 0 br_if 0 end "));
    let locals = {
        let turn =
            |n: u64| format!("local.get 0 if local.get {} local.set {} end ", 1 + n * 7 % 4_900, 1 + n * 13 % 4_900);
        let each = |what: &str| (1..4_900).map(|n| what.replace('#', &n.to_string())).collect::<String>();
        let (before, after) = (each("local.get 0 i64.load local.set # "), each("local.get 0 local.get # i64.store "));
        let turns: String = (0..1_210).map(turn).collect();
        format!("(func (param i32) (local {}) {before} {turns} {after})", times(4_900, "i64 "))
    };
    let indirect = format!("(func {})", times(66, "i32.const 0 call_indirect $table (type $t) "));
    for (what, parts) in [
        ("loops", module(&times(8, &loops))),
        ("locals", module(&times(8, &locals))),
        ("functions", module(&times(50_000, "(func)"))),
        ("indirect calls", module(&times(4_040, &indirect))),
    ] {
        let host = Host::builder().build().unwrap();
        let bytes = component(FRONTEND, &parts);
        let (before, started) = (memory("VmRSS"), Instant::now());
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let error = host.load(Component::Bytes(&bytes)).await.unwrap_err();
        let (took, peak) = (started.elapsed(), memory("VmHWM").saturating_sub(before));
        println!("{what}: {} kB, {took:?}, {} MB: {error}", bytes.len() / 1000, peak / 1000);
    }
}

/// In kB.
fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

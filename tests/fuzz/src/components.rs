//! Bytes as a component: it is refused in words that can be shown, the same ones each time, or it is loaded and ends as every
//! frontend does. What counts how heavy it is says so of the same limit, whichever way it is asked.

use std::sync::OnceLock;
use std::time::Duration;

use portolan::{Component, Frontend, Host, Limits, LoadError, Run};
use portolan_tests::contract::Contract;

use crate::{is_tame, is_tame_block, scratch};

/// So little that nothing takes long, and that some of what is offered is over each of them.
fn limits() -> Limits {
    Limits {
        component: 64 << 10,
        component_depth: 6,
        modules: 8,
        instances: 24,
        instance_memory: 64 << 10,
        functions: 128,
        function: 4 << 10,
        function_locals: 256,
        code: 16 << 10,
        function_effort: 1_000_000,
        compile_effort: 4_000_000,
        compile_time: Duration::from_secs(10),
        guest_memory: 4 << 20,
        guest_cpu: Duration::from_millis(50),
        wall_clock: Some(Duration::from_secs(5)),
        host_calls: 1_000,
        response: 1 << 20,
        call_arguments: 1 << 20,
        ..Limits::default()
    }
}

/// The limit that `field` is the name of.
fn limit<'a>(limits: &'a mut Limits, field: &str) -> &'a mut u64 {
    match field {
        "component_depth" => &mut limits.component_depth,
        "modules" => &mut limits.modules,
        "instances" => &mut limits.instances,
        "instance_memory" => &mut limits.instance_memory,
        "functions" => &mut limits.functions,
        "function" => &mut limits.function,
        "function_locals" => &mut limits.function_locals,
        "code" => &mut limits.code,
        "function_effort" => &mut limits.function_effort,
        "compile_effort" => &mut limits.compile_effort,
        other => panic!("{other} is no limit of a component"),
    }
}

fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| Host::builder().limits(limits()).platform("linux/amd64").build().expect("a host"))
}

/// A frontend that asks its strategy twice and answers what it said.
fn asking() -> &'static [u8] {
    static ASKING: OnceLock<Vec<u8>> = OnceLock::new();
    ASKING.get_or_init(|| {
        let call = |function: &str| {
            format!("(call ${function} (i32.const 16) (i32.const 2) (i32.const 32) (i32.const 11) (i32.const 48) (i32.const 6) (i32.const 256))")
        };
        let module = format!(
            r#"(module
                (import "portolan:oci/strategy@0.1.0" "match-name" (func $match (param i32 i32 i32 i32 i32 i32 i32)))
                (import "portolan:oci/strategy@0.1.0" "select" (func $select (param i32 i32 i32 i32 i32 i32 i32)))
                (memory (export "memory") 2)
                (global $free (mut i32) (i32.const 4096))
                (data (i32.const 16) "{{}}") (data (i32.const 32) "linux/amd64") (data (i32.const 48) "strict")
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (global.set $free (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
                    (global.get $free)
                    (global.set $free (i32.add (global.get $free) (local.get 3))))
                (func (export "portolan:oci/frontend@0.1.0#describe") (result i32) (i32.const 512))
                (func (export "portolan:oci/frontend@0.1.0#solve") (param i32 i32) (result i32)
                    {} {} (i32.const 1024)))"#,
            call("match"),
            call("select")
        );
        Contract::current().around("reader", wat::parse_str(module).expect("a module"))
    })
}

/// A component, as a frontend and as a strategy.
pub fn component(data: &[u8]) {
    let loaded = load(host(), data);
    match &loaded {
        Ok(frontend) => runs(host(), frontend),
        Err(error) => refused(error, "portolan:oci/frontend"),
    }
    match (&loaded, load(host(), data)) {
        (Ok(one), Ok(other)) => assert_eq!((one.digest(), one.imports()), (other.digest(), other.imports())),
        (Err(LoadError::TooSlow { .. }), _) | (_, Err(LoadError::TooSlow { .. })) => {}
        (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
        (one, other) => panic!("{one:?}, and again {other:?}"),
    }
    if let Err(LoadError::TooHeavy { field, found, .. }) = &loaded {
        heavy(data, field, *found);
    }
    strategy(data);
}

fn load(host: &Host, data: &[u8]) -> Result<Frontend, LoadError> {
    scratch::wait(host.load(Component::Bytes(data)))
}

/// What was loaded asks for nothing that no world has, and ends.
fn runs(host: &Host, frontend: &Frontend) {
    for import in frontend.imports() {
        assert!(import.starts_with("portolan:oci/") || import.starts_with("wasi:"), "{import:?}");
        assert!(
            !import.starts_with("portolan:oci/strategy") && !import.starts_with("portolan:oci/frontend"),
            "{import:?}"
        );
    }
    match scratch::wait(frontend.describe()) {
        Ok(info) => assert!(is_tame(&info.name) && is_tame(&info.version) && is_tame(&info.summary), "{info:?}"),
        Err(error) => assert!(is_tame_block(&error.to_string()), "{error:?}"),
    }
    if let Err(error) = scratch::wait(host.run(Run::new(frontend))) {
        assert!(is_tame_block(&error.to_string()), "{error:?}");
    }
}

fn refused(error: &LoadError, interface: &str) {
    assert_eq!(error.status(), 1, "{error}");
    let said = portolan::text::block(&error.to_string()).into_owned();
    assert!(is_tame_block(&said) && said.len() < 64 << 10, "{} bytes: {said:?}", said.len());
    match error {
        LoadError::NoExport { exports, .. } => {
            // Those that are not listed may be anything.
            assert!(exports.iter().all(|export| export.split('@').next() != Some(interface)), "{error}");
            assert!(exports.iter().all(|export| is_tame(export)), "{error}");
        }
        LoadError::UnknownImports { imports, .. } => {
            assert!(!imports.is_empty() && imports.iter().all(|import| is_tame(import)), "{error}");
        }
        LoadError::TooHeavy { found, limit, .. } => assert!(found > limit, "{error}"),
        LoadError::Io { .. } | LoadError::Source(_) | LoadError::NotPublished { .. } | LoadError::Engine(_) => {
            panic!("bytes that were given cannot be had: {error}")
        }
        _ => {}
    }
}

/// What was found is enough, if it is allowed, as far as it was counted.
fn heavy(data: &[u8], field: &'static str, found: u64) {
    let mut limits = limits();
    let most = limit(&mut limits, field);
    assert!(found > *most);
    *most = found;
    // As much as this may take a while to compile, and is not wanted.
    limits.compile_time = Duration::ZERO;
    let more = Host::builder().limits(limits).build().expect("a host");
    match load(&more, data) {
        Err(LoadError::TooHeavy { field: again, found: much, .. }) => {
            assert!(again != field || much > found, "{field}: {found}, and then {much}");
        }
        Err(error) => refused(&error, "portolan:oci/frontend"),
        Ok(_) => {}
    }
}

fn strategy(data: &[u8]) {
    match Host::builder().limits(limits()).platform("linux/amd64").strategy(Component::Bytes(data)).build() {
        Err(error) => refused(&error, "portolan:oci/strategy"),
        Ok(host) => match load(&host, asking()) {
            Ok(frontend) => runs(&host, &frontend),
            Err(error) => assert!(is_tame_block(&portolan::text::block(&error.to_string())), "{error}"),
        },
    }
}

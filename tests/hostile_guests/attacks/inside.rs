//! Components inside components: a good frontend, and around it one that asks for things, gives things out under our names, or
//! is at work before the frontend is.

use super::Must::{Answer, Refuse, Trap};
use super::Promise::{Loading, Memory, Sandbox};
use super::{Attack, Must, Promise, component};
use crate::raw::Raw;

/// Stands for the good frontend; nothing else looks like this.
const PLACE: &str = r#"(component (instance) (export "portolan:oci/frontend@0.1.0" (instance 0)))"#;

/// What the good frontend imports: types, and no function.
const TYPES: &str = r#"(import "portolan:oci/types@0.1.0" (instance $types
    (type $d (record (field "media-type" string) (field "digest" string) (field "size" u64)))
    (export "descriptor" (type (eq $d)))
    (type $e (record (field "code" string) (field "message" string) (field "retry-after" (option u32))))
    (export "error" (type $error (eq $e)))
    (type $f (record (field "message" string) (field "hint" (option string)) (field "cause" (option $error))))
    (export "failure" (type (eq $f)))))"#;

/// A component that holds the good frontend as its component 0, has it as its instance `$good`, exports it, and has `parts`
/// besides: before it `imports`, behind it `rest`.
fn around(name: &str, imports: &str, rest: &str) -> Vec<u8> {
    let text = format!(
        r#"(component {PLACE} {TYPES} {imports}
            (instance $good (instantiate 0 (with "portolan:oci/types@0.1.0" (instance $types))))
            (alias export $good "portolan:oci/frontend@0.1.0" (instance $frontend))
            (export "portolan:oci/frontend@0.1.0" (instance $frontend)) {rest})"#
    );
    let outer = wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let section = |bytes: &[u8]| super::loading::section_of(4, bytes);
    let place = section(&wat::parse_str(PLACE).unwrap());
    let at =
        outer.windows(place.len()).position(|window| window == place).unwrap_or_else(|| panic!("{name}: no place"));
    [&outer[..at], &section(&Raw::build(|_| {})), &outer[at + place.len()..]].concat()
}

fn inside(promise: Promise, name: &'static str, imports: &str, rest: &str, must: Must) -> Attack {
    component(promise, name, around(name, imports, rest), must)
}

/// What runs `body` before the frontend is asked anything; `functions` are lowered from imports, and are imported as `f`.
fn beforehand(functions: &str, imports: &str, body: &str) -> String {
    format!(
        r#"(core module $memory (memory (export "m") 1)
                (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 1024))
            (core instance $memory (instantiate $memory))
            (alias core export $memory "m" (core memory $m)) (alias core export $memory "r" (core func $r))
            {functions}
            (core module $begin {imports} (import "f" "m" (memory 1)) (func $s {body}) (start $s))"#
    )
}

pub fn attacks() -> Vec<Attack> {
    let begin = |with: &str| {
        format!(r#"(core instance (instantiate $begin (with "f" (instance {with} (export "m" (memory $m))))))"#)
    };
    let http = r#"(import "wasi:http/types@0.2.0" (instance $http
        (export "fields" (type (sub resource))) (export "[constructor]fields" (func (result (own 0))))))"#;
    let handler = r#"(import "wasi:http/outgoing-handler@0.2.0" (instance $http
        (export "handle" (func (param "url" string) (result (result string (error string)))))))"#;
    let sockets = r#"(import "wasi:sockets/tcp-create-socket@0.2.0" (instance $sockets
        (export "tcp-socket" (type (sub resource)))
        (type $code (enum "unknown" "access-denied" "not-supported")) (export "error-code" (type $error (eq $code)))
        (type $family (enum "ipv4" "ipv6")) (export "ip-address-family" (type $of (eq $family)))
        (export "create-tcp-socket" (func (param "address-family" $of) (result (result (own 0) (error $error)))))))"#;
    // Streams that are given away in lists, to a function that is denied.
    let streams = r#"(import "wasi:io/streams@0.2.0" (instance $io (export "output-stream" (type (sub resource)))))
        (alias export $io "output-stream" (type $stream))
        (import "wasi:cli/stdout@0.2.0" (instance $stdout
            (alias outer 1 $stream (type $s)) (export "output-stream" (type $o (eq $s)))
            (export "get-stdout" (func (result (own $o))))))
        (import "wasi:cli/sink@0.2.0" (instance $sink
            (alias outer 1 $stream (type $s)) (export "output-stream" (type $o (eq $s)))
            (export "swallow" (func (param "all" (list (own $o))) (result (list u8))))))"#;
    let strategy = |version: &str| format!(r#"(import "portolan:oci/strategy@{version}" (instance))"#);
    vec![
        inside(Loading, "a-frontend-inside", "", "", Answer("good")),
        inside(
            Loading,
            "a-strategy-of-its-own",
            "",
            r#"(instance $mine) (export "portolan:oci/strategy@0.1.0" (instance $mine))"#,
            Answer("good"),
        ),
        inside(
            Loading,
            "a-host-of-its-own",
            "",
            r#"(instance $mine) (export "portolan:oci/host@0.1.0" (instance $mine))
               (export "portolan:oci/resolver@0.1.0" (instance $mine)) (export "portolan:oci/pusher@0.1.0" (instance $mine))"#,
            Answer("good"),
        ),
        inside(
            Loading,
            "a-host-passed-on-as-another",
            r#"(import "portolan:oci/host@0.1.0" (instance $host (export "platform" (func (result string)))))"#,
            r#"(export "portolan:oci/resolver@0.1.0" (instance $host))"#,
            Refuse("reexport of an imported function"),
        ),
        inside(
            Loading,
            "a-host-for-a-part-of-itself",
            "",
            r#"(instance $mine) (component $inner (import "portolan:oci/pusher@0.1.0" (instance)))
               (instance (instantiate $inner (with "portolan:oci/pusher@0.1.0" (instance $mine))))"#,
            Answer("good"),
        ),
        inside(
            Loading,
            "a-strategy-for-a-part-of-itself",
            r#"(import "portolan:oci/strategy@0.1.0" (instance $strategy))"#,
            r#"(component $inner (import "s" (instance))) (instance (instantiate $inner (with "s" (instance $strategy))))"#,
            Answer("good"),
        ),
        inside(
            Loading,
            "a-strategy-passed-on",
            r#"(import "portolan:oci/strategy@0.1.0" (instance $strategy))"#,
            r#"(export "portolan:oci/image-resolver@0.1.0" (instance $strategy))"#,
            Refuse("and this host speaks portolan:oci 0.1.0"),
        ),
        inside(
            Loading,
            "two-strategies",
            &(strategy("0.1.0") + r#"(import "portolan:oci/strategy@0.1.1" (instance (export "select" (func))))"#),
            "",
            Refuse("and this host speaks portolan:oci 0.1.0"),
        ),
        inside(
            Loading,
            "a-strategy-of-tomorrow",
            &strategy("0.2.0"),
            "",
            Refuse("was built for portolan:oci 0.2.0 and this host speaks"),
        ),
        inside(
            Loading,
            "a-strategy-of-a-later-patch",
            &strategy("0.1.9"),
            "",
            Answer("good"),
        ),
        inside(
            Loading,
            "a-strategy-with-more-functions",
            r#"(import "portolan:oci/strategy@0.1.0" (instance (export "bribe" (func))))"#,
            "",
            Refuse("and this host speaks portolan:oci 0.1.0"),
        ),
        inside(
            Loading,
            "a-frontend-given-out-twice",
            "",
            r#"(export "portolan:oci/frontend@0.1.1" (instance $frontend))"#,
            Answer("good"),
        ),
        component(
            Loading,
            "a-component-that-holds-itself",
            wat::parse_str(format!(
                r#"(component (component (alias outer 1 0 (component)) (instance (instantiate 0))) {FRONTEND})"#
            ))
            .unwrap(),
            Refuse("it has no module or component of the index 0"),
        ),
        component(
            Loading,
            "an-instance-that-comes-later",
            wat::parse_str(
                r#"(component (alias export 1 "f" (instance)) (instance) (export "portolan:oci/frontend@0.1.0" (instance 0)))"#,
            )
            .unwrap(),
            Refuse("cannot be used"),
        ),
        inside(Sandbox, "http-imported-and-never-asked", &format!("{http} {}", handler.replace("$http", "$handler")), "", Answer("good")),
        inside(
            Sandbox,
            "http-asked",
            http,
            &(beforehand(
                r#"(core func $f (canon lower (func $http "[constructor]fields")))"#,
                r#"(import "f" "f" (func $f (result i32)))"#,
                "(drop (call $f))",
            ) + &begin(r#"(export "f" (func $f))"#)),
            Trap("called wasi:http/types@0.2.0#[constructor]fields, which the sandbox does not have"),
        ),
        inside(
            Sandbox,
            "http-asked-in-another-way",
            handler,
            &(beforehand(
                r#"(core func $f (canon lower (func $http "handle") (memory $m) (realloc $r)))"#,
                r#"(import "f" "f" (func $f (param i32 i32 i32)))"#,
                "(call $f (i32.const 0) (i32.const 8) (i32.const 64))",
            ) + &begin(r#"(export "f" (func $f))"#)),
            Trap("called wasi:http/outgoing-handler@0.2.0#handle, which the sandbox does not have"),
        ),
        inside(
            Sandbox,
            "a-socket-asked-for",
            sockets,
            // It goes on only if it was told that access is denied.
            &(beforehand(
                r#"(core func $f (canon lower (func $sockets "create-tcp-socket") (memory $m) (realloc $r)))"#,
                r#"(import "f" "f" (func $f (param i32 i32)))"#,
                "(call $f (i32.const 0) (i32.const 64))
                 (if (i32.ne (i32.load8_u (i32.const 64)) (i32.const 1)) (then unreachable))
                 (if (i32.ne (i32.load8_u offset=4 (i32.const 64)) (i32.const 1)) (then unreachable))",
            ) + &begin(r#"(export "f" (func $f))"#)),
            Answer("good"),
        ),
        inside(
            Memory,
            "handles-that-are-given-away",
            streams,
            &(beforehand(
                r#"(core func $get (canon lower (func $stdout "get-stdout")))
                   (core func $swallow (canon lower (func $sink "swallow") (memory $m) (realloc $r)))"#,
                r#"(import "f" "get" (func $get (result i32))) (import "f" "swallow" (func $swallow (param i32 i32 i32)))"#,
                "(local $n i32)
                 (loop $on
                    (i32.store (i32.const 0) (call $get))
                    (call $swallow (i32.const 0) (i32.const 1) (i32.const 64))
                    (br_if $on (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 10000000))))",
            ) + &begin(r#"(export "get" (func $get)) (export "swallow" (func $swallow))"#)),
            Trap("cannot allocate another handle"),
        ),
    ]
}

const FRONTEND: &str = r#"(instance) (export "portolan:oci/frontend@0.1.0" (instance 0))"#;

//! The rules, each change that they forbid and each that they allow; and that `wit/` keeps to them.

use portolan_tests::contract::Contract;

/// Every version that was released. A new one gets a copy of its own under `fixtures/wit`, and those that are there stay.
const RELEASED: [&str; 1] = ["0.1.0"];

#[test]
fn what_was_built_against_a_release_still_fits() {
    for version in RELEASED {
        let broken = Contract::released(version).broken_by(&Contract::current());
        assert!(broken.is_empty(), "wit/ breaks what was built against {version}:\n{}", broken.join("\n"));
    }
}

fn released() -> Contract {
    Contract::released("0.1.0")
}

/// The same, of a version that may have more.
fn later() -> Contract {
    released().everywhere("package portolan:oci@0.1.0;", "package portolan:oci@0.1.1;")
}

#[test]
fn each_change_that_breaks_something_is_caught() {
    for (from, to, says) in [
        // Values.
        ("size: u64,", "size: s64,", "type descriptor was record"),
        ("size: u64,\n", "size: u64,\n        urls: list<string>,\n", "type descriptor was record"),
        (
            "media-type: string,\n        /// `algorithm",
            "mime-type: string,\n        /// `algorithm",
            "type descriptor",
        ),
        ("retry-after: option<u32>,", "", "type error was record"),
        ("hint: option<string>,", "hint: string,", "type failure was record"),
        ("pull-reference-file,\n", "pull-reference-file,\n        number,\n", "type kind was variant"),
        ("choice(list<string>),", "choice,", "type kind was variant"),
        ("content(tuple<string, descriptor>),", "content(tuple<string, string>),", "type body was variant"),
        ("push-reference,\n        /// The caller", "/// The caller", "type kind was variant"),
        ("enum level { debug, info, warn, error }", "enum level { trace, debug, info, warn, error }", "type level was"),
        ("enum level { debug, info, warn, error }", "enum level { debug, info, warning, error }", "type level was"),
        (
            "flags parts { index, manifest, config }",
            "flags parts { index, manifest, config, layers }",
            "type parts was",
        ),
        ("flags parts { index, manifest, config }", "flags parts { manifest, index, config }", "type parts was"),
        // What the host gives.
        ("platform: func() -> string;", "", "interface host, func platform is gone"),
        ("platform: func() -> string;", "machine: func() -> string;", "interface host, func platform is gone"),
        (
            "tags: func(repository: string, next",
            "tags: func(registry: string, next",
            "interface discovery, func tags was",
        ),
        ("offset: u64, length: u32", "offset: u64, length: u64", "interface blobs, func read was"),
        ("offset: u64, length: u32)", "offset: u64, length: u32, wait: bool)", "interface blobs, func read was"),
        (
            "resolve: func(reference: string) -> result<resolved, error>;",
            "resolve: func(reference: string) -> resolved;",
            "func resolve was",
        ),
        ("prefetch: func(", "prefetch: async func(", "prefetch is no plain synchronous function"),
        ("use types.{error};", "record error { code: string, message: string }", "interface discovery, type error was"),
        (
            "features: func() -> list<string>;",
            "features: func() -> list<string>;\n now: func() -> u64;",
            "does not say since when",
        ),
        (
            "features: func() -> list<string>;",
            "features: func() -> list<string>;\n @since(version = 0.1.0) now: func() -> u64;",
            "does not say since when",
        ),
        ("enum level {", "resource session;\n    enum level {", "no plain value"),
        // What components give.
        (
            "describe: func() -> info;",
            "describe: func() -> info;\n @since(version = 0.1.1) check: func();",
            "interface frontend, func check is new",
        ),
        (
            "describe: func() -> info;",
            "@since(version = 0.1.1) record note { text: string }\n describe: func() -> info;",
            "interface frontend, type note is new",
        ),
        (
            "solve: func(request: request)",
            "solve: func(request: request, deadline: u64)",
            "interface frontend, func solve was",
        ),
        ("resolve-image: func(query: query)", "resolve: func(query: query)", "func resolve-image is gone"),
        (
            "match-name: func(entries: list<u8>, name: string, mode: string)",
            "match-name: func(entries: list<u8>, name: string)",
            "func match-name was",
        ),
        // Worlds.
        ("import discovery;", "", "world reader, import discovery is gone"),
        ("import pusher;", "", "world writer, import pusher is gone"),
        ("export image-resolver;", "", "world resolution, export image-resolver is gone"),
        (
            "import strategy;\n    export frontend;",
            "import strategy;\n    export frontend;\n    export image-resolver;",
            "world reader, export image-resolver is new",
        ),
        ("world judgement {", "world opinion {", "world judgement is gone"),
        ("world judgement {", "world judgement {\n    import now: func() -> u64;", "outside of an interface"),
    ] {
        let broken = released().broken_by(&later().with(from, to));
        assert!(broken.iter().any(|line| line.contains(says)), "{from:?} -> {to:?}\n{broken:#?}");
    }
    for (version, breaks) in [("0.1.0", false), ("0.1.7", false), ("0.2.0", true), ("1.0.0", true)] {
        let other = released().everywhere("package portolan:oci@0.1.0;", &format!("package portolan:oci@{version};"));
        assert_eq!(!released().broken_by(&other).is_empty(), breaks, "{version}");
    }
}

#[test]
fn growth_that_nobody_notices_is_allowed() {
    for (from, to) in [
        ("enum level {", "enum level {"),
        ("/// A frontend that looks.", "/// Words for people may be better ones."),
        (
            "features: func() -> list<string>;",
            "features: func() -> list<string>;\n @since(version = 0.1.1) now: func() -> u64;",
        ),
        (
            "features: func() -> list<string>;",
            "features: func() -> list<string>;\n @since(version = 0.1.1) record moment { s: u64 }\n @since(version = 0.1.1) now: func() -> moment;",
        ),
        (
            "record descriptor {",
            "@since(version = 0.1.1) record range { offset: u64, length: u64 }\n    record descriptor {",
        ),
        (
            "/// The host itself.",
            "/// Reading a clock.\n@since(version = 0.1.1)\ninterface clock { now: func() -> u64; }\n\n/// The host itself.",
        ),
        (
            "/// A frontend that looks.",
            "/// One that says what it was built from.\n@since(version = 0.1.1)\nworld open { export host; }\n\n/// A frontend that looks.",
        ),
        ("import discovery;", "import discovery;\n    import pusher;"),
        ("export pusher;", "export pusher;\n    export strategy;"),
    ] {
        let broken = released().broken_by(&later().with(from, to));
        assert!(broken.is_empty(), "{from:?} -> {to:?}\n{broken:#?}");
    }
}

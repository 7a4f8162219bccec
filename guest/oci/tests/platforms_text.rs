//! Platforms as text: the grammar, what is left out, the long and the short form.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan_oci::Platform;

fn machine(os: &str, architecture: &str, variant: &str) -> Platform {
    Platform { os: os.into(), architecture: architecture.into(), variant: variant.into(), ..Platform::default() }
}

/// What most rows are read on.
fn linux() -> Platform {
    machine("linux", "amd64", "")
}

fn refused(text: &str) -> String {
    match Platform::parse(text, &linux()) {
        Ok(platform) => panic!("{text:?} was taken for {platform:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_text_is_normalised_as_it_is_read() {
    #[rustfmt::skip]
    let rows = [
        // text                   os         architecture  variant
        // Two parts: known or not, arm's v7 unsaid.
        ("linux/amd64",           "linux",   "amd64",      ""),
        ("linux/x86_64",          "linux",   "amd64",      ""),
        ("linux/x86-64",          "linux",   "amd64",      ""),
        ("Linux/AMD64",           "linux",   "amd64",      ""),
        ("macOS/ARM64",           "darwin",  "arm64",      ""),
        ("linux/i386",            "linux",   "386",        ""),
        ("linux/386",             "linux",   "386",        ""),
        ("linux/aarch64",         "linux",   "arm64",      ""),
        ("linux/arm64",           "linux",   "arm64",      ""),
        ("linux/arm",             "linux",   "arm",        ""),
        ("linux/armhf",           "linux",   "arm",        ""),
        ("linux/armel",           "linux",   "arm",        "v6"),
        ("linux/riscv64",         "linux",   "riscv64",    ""),
        ("linux/armv7l",          "linux",   "armv7l",     ""),
        ("unknown/unknown",       "unknown", "unknown",    ""),
        ("my-os/my_arch.1",       "my-os",   "my_arch.1",  ""),
        ("wasi/wasm",             "wasi",    "wasm",       ""),
        // Three parts: the variant as it normalises, arm's v7 included.
        ("linux/amd64/v1",        "linux",   "amd64",      ""),
        ("linux/amd64/V1",        "linux",   "amd64",      ""),
        ("linux/amd64/v2",        "linux",   "amd64",      "v2"),
        ("linux/amd64/V3",        "linux",   "amd64",      "v3"),
        ("linux/x86_64/v1",       "linux",   "amd64",      ""),
        ("linux/x86_64/v4",       "linux",   "amd64",      "v4"),
        ("linux/amd64/1",         "linux",   "amd64",      "1"),
        ("linux/amd64/2",         "linux",   "amd64",      "2"),
        ("linux/i386/x",          "linux",   "386",        ""),
        ("linux/386/x",           "linux",   "386",        "x"),
        ("linux/386/softfloat",   "linux",   "386",        "softfloat"),
        ("linux/arm/v7",          "linux",   "arm",        "v7"),
        ("linux/arm/7",           "linux",   "arm",        "v7"),
        ("linux/arm/v6",          "linux",   "arm",        "v6"),
        ("linux/arm/5",           "linux",   "arm",        "v5"),
        ("linux/arm/6",           "linux",   "arm",        "v6"),
        ("linux/arm/8",           "linux",   "arm",        "v8"),
        ("linux/arm/9",           "linux",   "arm",        "9"),
        ("linux/arm/V8",          "linux",   "arm",        "v8"),
        ("linux/arm/none",        "linux",   "arm",        "none"),
        ("linux/armhf/v6",        "linux",   "arm",        "v7"),
        ("linux/armhf/v7",        "linux",   "arm",        "v7"),
        ("linux/armel/v7",        "linux",   "arm",        "v6"),
        ("linux/armel/8",         "linux",   "arm",        "v6"),
        ("linux/arm64/v8",        "linux",   "arm64",      "v8"),
        ("linux/arm64/8",         "linux",   "arm64",      "v8"),
        ("linux/arm64/v8.0",      "linux",   "arm64",      "v8"),
        ("linux/arm64/8.0",       "linux",   "arm64",      "8.0"),
        ("linux/aarch64/v8",      "linux",   "arm64",      "v8"),
        ("linux/aarch64/V8.1",    "linux",   "arm64",      "v8.1"),
        ("linux/arm64/9",         "linux",   "arm64",      "v9"),
        ("linux/arm64/9.0",       "linux",   "arm64",      "v9"),
        ("linux/arm64/v9",        "linux",   "arm64",      "v9"),
        ("linux/arm64/v9.0",      "linux",   "arm64",      "v9"),
        ("linux/arm64/v9.2",      "linux",   "arm64",      "v9.2"),
        ("linux/arm64/9.2",       "linux",   "arm64",      "9.2"),
        ("linux/arm64/v7",        "linux",   "arm64",      "v7"),
        ("linux/ppc64le/power9",  "linux",   "ppc64le",    "power9"),
        ("linux/riscv64/RVA20",   "linux",   "riscv64",    "rva20"),
    ];
    for (text, os, architecture, variant) in rows {
        assert_eq!(Platform::parse(text, &linux()).unwrap(), machine(os, architecture, variant), "{text}");
    }
}

#[test]
fn what_is_left_out_is_the_machines() {
    #[rustfmt::skip]
    let rows = [
        // text        on                                    is
        // An operating system alone: the machine's architecture, and its variant if that is an arm which is not v7.
        ("linux",      machine("linux", "amd64", ""),        machine("linux", "amd64", "")),
        ("linux",      machine("darwin", "arm64", ""),       machine("linux", "arm64", "")),
        ("Windows",    machine("linux", "amd64", ""),        machine("windows", "amd64", "")),
        ("macos",      machine("linux", "arm64", ""),        machine("darwin", "arm64", "")),
        ("linux",      machine("linux", "amd64", "v3"),      machine("linux", "amd64", "")),
        ("linux",      machine("linux", "arm64", "v9"),      machine("linux", "arm64", "")),
        ("linux",      machine("linux", "arm", "v7"),        machine("linux", "arm", "")),
        ("linux",      machine("linux", "arm", ""),          machine("linux", "arm", "")),
        ("linux",      machine("linux", "arm", "v6"),        machine("linux", "arm", "v6")),
        ("linux",      machine("linux", "arm", "v8"),        machine("linux", "arm", "v8")),
        ("linux",      machine("linux", "x86_64", ""),       machine("linux", "amd64", "")),
        // An architecture alone: the machine's operating system.
        ("amd64",      machine("linux", "arm64", ""),        machine("linux", "amd64", "")),
        ("amd64",      machine("windows", "amd64", ""),      machine("windows", "amd64", "")),
        ("x86_64",     machine("darwin", "arm64", ""),       machine("darwin", "amd64", "")),
        ("AARCH64",    machine("linux", "amd64", ""),        machine("linux", "arm64", "")),
        ("arm64",      machine("linux", "arm64", "v9"),      machine("linux", "arm64", "")),
        ("arm",        machine("linux", "arm", "v6"),        machine("linux", "arm", "")),
        ("armhf",      machine("linux", "amd64", ""),        machine("linux", "arm", "")),
        ("armel",      machine("linux", "amd64", ""),        machine("linux", "arm", "v6")),
        ("i386",       machine("linux", "amd64", ""),        machine("linux", "386", "")),
        ("wasm",       machine("linux", "amd64", ""),        machine("linux", "wasm", "")),
        ("s390x",      machine("freebsd", "amd64", ""),      machine("freebsd", "s390x", "")),
    ];
    for (text, on, is) in rows {
        assert_eq!(Platform::parse(text, &on).unwrap(), is, "{text} on {}", on.short());
    }
}

#[test]
fn single_parts_are_known_names() {
    #[rustfmt::skip]
    let systems = [
        "aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux", "nacl", "netbsd",
        "openbsd", "plan9", "solaris", "windows", "zos",
    ];
    #[rustfmt::skip]
    let architectures = [
        "386", "amd64", "amd64p32", "arm", "armbe", "arm64", "arm64be", "ppc64", "ppc64le", "loong64", "mips", "mipsle",
        "mips64", "mips64le", "mips64p32", "mips64p32le", "ppc", "riscv", "riscv64", "s390", "s390x", "sparc", "sparc64", "wasm",
    ];
    for system in systems {
        assert_eq!(Platform::parse(system, &linux()).unwrap(), machine(system, "amd64", ""));
    }
    for architecture in architectures {
        assert_eq!(Platform::parse(architecture, &linux()).unwrap(), machine("linux", architecture, ""));
    }
    for unknown in [
        "unknown",
        "wasi",
        "haiku",
        "arm64v8",
        "armv7",
        "x64",
        "x86",
        "amd64v2",
        "sparc32",
        "any",
        "arm64.",
        "amd64(1.0)",
    ] {
        refused(unknown);
    }
}

#[test]
fn options_stand_behind_the_operating_system() {
    #[rustfmt::skip]
    let rows: [(&str, &str, &[&str]); _] = [
        // text                                      os.version            os.features
        ("windows()/amd64",                          "",                   &[]),
        ("windows()",                                "",                   &[]),
        ("windows(10.0.20348)/amd64",                "10.0.20348",         &[]),
        ("windows(10.0.20348.1)",                    "10.0.20348.1",       &[]),
        ("windows(10.0.17763+win32k)/amd64",         "10.0.17763",         &["win32k"]),
        ("windows(+win32k)/amd64",                   "",                   &["win32k"]),
        ("linux(+a+b)/amd64",                        "",                   &["a", "b"]),
        ("linux(+b+a)/amd64",                        "",                   &["b", "a"]),
        ("linux(1+a)/arm64/v8",                      "1",                  &["a"]),
        ("linux(Ab_c-d.E)/amd64",                    "Ab_c-d.E",           &[]),
        ("linux(a%2Bb)/amd64",                       "a+b",                &[]),
        ("linux(a%2bb)/amd64",                       "a+b",                &[]),
        ("linux(+a%2Bb+c)/amd64",                    "",                   &["a+b", "c"]),
        ("linux(%28%29%2F%25)/amd64",                "()/%",               &[]),
        ("linux(%41)/amd64",                         "A",                  &[]),
        ("linux(%2541)/amd64",                       "%41",                &[]),
        ("linux(%20)/amd64",                         " ",                  &[]),
        ("linux(%C3%A4)/amd64",                      "ä",                  &[]),
    ];
    for (text, version, features) in rows {
        let platform = Platform::parse(text, &linux()).unwrap();
        assert_eq!(platform.os_version, version, "{text}");
        assert_eq!(platform.os_features, features, "{text}");
    }
}

#[test]
fn what_is_refused_says_why() {
    #[rustfmt::skip]
    let rows = [
        // text                           reason
        ("",                              "operating system is"),
        ("*",                             "no wildcards"),
        ("linux/*",                       "no wildcards"),
        ("linux/arm*",                    "no wildcards"),
        ("*/amd64",                       "no wildcards"),
        ("linux/amd64/v1/x",              "more than the three parts"),
        ("linux/amd64/v1/",               "more than the three parts"),
        ("a/b/c/d/e/f",                   "more than the three parts"),
        ("/",                             "operating system is"),
        ("/amd64",                        "operating system is"),
        ("linux/",                        "architecture and variant"),
        ("linux//v8",                     "architecture and variant"),
        ("linux/arm64/",                  "architecture and variant"),
        ("linux/amd 64",                  "architecture and variant"),
        ("linux/amd64/v1 ",               "architecture and variant"),
        ("linux/ämd64",                   "architecture and variant"),
        ("linux/amd64\n",                 "architecture and variant"),
        ("linux/amd64(1)",                "architecture and variant"),
        ("linux/amd64\0",                 "architecture and variant"),
        ("linux.1/amd64",                 "operating system is"),
        (" linux/amd64",                  "operating system is"),
        ("linux,windows/amd64",           "operating system is"),
        ("lin%75x/amd64",                 "operating system is"),
        ("windows(/amd64",                "operating system is"),
        ("windows)/amd64",                "operating system is"),
        ("windows(1))/amd64",             "operating system is"),
        ("windows((1)/amd64",             "operating system is"),
        ("windows(1)x/amd64",             "operating system is"),
        ("(1)/amd64",                     "operating system is"),
        ("()/amd64",                      "operating system is"),
        ("windows(1 0)/amd64",            "operating system is"),
        ("windows(ä)/amd64",              "operating system is"),
        ("windows(+)/amd64",              "operating system is"),
        ("windows(1+)/amd64",             "operating system is"),
        ("windows(1++a)/amd64",           "operating system is"),
        ("windows(+a+)/amd64",            "operating system is"),
        ("windows(%)/amd64",              "operating system is"),
        ("windows(%2)/amd64",             "operating system is"),
        ("windows(%zz)/amd64",            "operating system is"),
        ("windows(%2x)/amd64",            "operating system is"),
        ("windows(%+a1)/amd64",           "operating system is"),
        ("windows(%FF)/amd64",            "operating system is"),
        ("windows(a/b)/amd64",            "operating system is"),
        ("nonsense",                      "neither a known operating system nor a known architecture"),
        ("linux-amd64",                   "neither a known operating system nor a known architecture"),
    ];
    for (text, reason) in rows {
        let message = refused(text);
        assert!(message.contains(reason), "{text:?}: {message}");
    }
    assert!(refused(&"x".repeat(1 << 20)).len() < 1000);
}

#[test]
fn a_platform_is_written_short_or_long() {
    let platform = |os: &str, architecture: &str, variant: &str, version: &str, features: &[&str]| Platform {
        os_version: version.into(),
        os_features: features.iter().map(|&feature| feature.into()).collect(),
        ..machine(os, architecture, variant)
    };
    #[rustfmt::skip]
    let rows = [
        // platform                                                   short                  long
        (platform("linux", "amd64", "", "", &[]),                     "linux/amd64",         "linux/amd64"),
        (platform("linux", "arm", "v7", "", &[]),                     "linux/arm/v7",        "linux/arm/v7"),
        (platform("linux", "arm64", "v8", "", &[]),                   "linux/arm64/v8",      "linux/arm64/v8"),
        // Nothing is normalised while writing.
        (platform("Linux", "x86_64", "V1", "", &[]),                  "Linux/x86_64/V1",     "Linux/x86_64/V1"),
        (platform("windows", "amd64", "", "10.0.20348.1", &[]),       "windows/amd64",       "windows(10.0.20348.1)/amd64"),
        (platform("windows", "amd64", "", "10.0.1", &["win32k"]),     "windows/amd64",       "windows(10.0.1+win32k)/amd64"),
        (platform("windows", "amd64", "", "", &["win32k"]),           "windows/amd64",       "windows(+win32k)/amd64"),
        (platform("linux", "amd64", "v2", "", &["b", "a", "b"]),      "linux/amd64/v2",      "linux(+a+b)/amd64/v2"),
        (platform("linux", "amd64", "", "", &["", "a", ""]),          "linux/amd64",         "linux(+a)/amd64"),
        (platform("linux", "amd64", "", "", &[""]),                   "linux/amd64",         "linux/amd64"),
        (platform("linux", "amd64", "", "a+b", &["(c)", "d/e", "%"]), "linux/amd64",         "linux(a%2Bb+%25+%28c%29+d%2Fe)/amd64"),
        (platform("linux", "amd64", "", "%41", &[]),                  "linux/amd64",         "linux(%2541)/amd64"),
        (platform("linux", "amd64", "", "\x1b 1", &["ä"]),            "linux/amd64",         "linux(%1B%201+%C3%A4)/amd64"),
        (platform("linux", "", "", "", &[]),                          "linux",               "linux"),
        (platform("linux", "", "v8", "", &[]),                        "linux/v8",            "linux/v8"),
        // Without an operating system nothing else is said.
        (platform("", "", "", "", &[]),                               "unknown",             "unknown"),
        (platform("", "amd64", "v2", "1", &["a"]),                    "unknown",             "unknown"),
        (platform("unknown", "unknown", "", "", &[]),                 "unknown/unknown",     "unknown/unknown"),
    ];
    for (platform, short, long) in rows {
        assert_eq!(platform.short(), short, "{platform:?}");
        assert_eq!(platform.long(), long, "{platform:?}");
    }
}

#[test]
fn unknown_is_both_os_and_architecture() {
    #[rustfmt::skip]
    let rows = [
        ("unknown", "unknown", true),
        ("unknown", "amd64",   false),
        ("linux",   "unknown", false),
        ("",        "",        false),
    ];
    for (os, architecture, unknown) in rows {
        assert_eq!(machine(os, architecture, "").is_unknown(), unknown, "{os}/{architecture}");
    }
}

//! From text to platform.

use std::borrow::Cow;
use std::fmt;

use super::{Platform, normalize};
use crate::location::percent_decode;
use crate::reference::excerpt;

#[rustfmt::skip]
const SYSTEMS: &[&str] = &[
    "aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux", "nacl", "netbsd",
    "openbsd", "plan9", "solaris", "windows", "zos",
];

#[rustfmt::skip]
const ARCHITECTURES: &[&str] = &[
    "386", "amd64", "amd64p32", "arm", "armbe", "arm64", "arm64be", "ppc64", "ppc64le", "loong64", "mips", "mipsle",
    "mips64", "mips64le", "mips64p32", "mips64p32le", "ppc", "riscv", "riscv64", "s390", "s390x", "sparc", "sparc64",
    "wasm",
];

pub(super) fn parse(text: &str, machine: &Platform) -> Result<Platform, InvalidPlatform> {
    let fail = |why: &str| Err(InvalidPlatform { text: excerpt(text), why: why.into() });
    if text.contains('*') {
        return fail("there are no wildcards for platforms");
    }
    let mut parts = text.split('/');
    let first = parts.next().unwrap_or_default();
    let (second, third) = (parts.next(), parts.next());
    if parts.next().is_some() {
        return fail("it has more than the three parts os/arch/variant");
    }
    let Some(system) = System::read(first) else {
        return fail("the operating system is letters, digits, `_` or `-`, and an optional (version+feature)");
    };
    for part in [second, third].into_iter().flatten() {
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) {
            return fail("architecture and variant are letters, digits, `_`, `.` or `-`");
        }
    }
    let mut os = normalize::os(system.name, &machine.os);
    // In the short forms arm's v7, which everybody means, is left unsaid.
    let unsaid = |(architecture, variant): (Cow<'_, str>, Cow<'_, str>)| match (&*architecture, &*variant) {
        ("arm", "v7") => (architecture.into_owned(), String::new()),
        _ => (architecture.into_owned(), variant.into_owned()),
    };
    let (architecture, variant) = match (second, third) {
        (None, _) if SYSTEMS.contains(&&*os) => {
            let (architecture, variant) = unsaid(normalize::architecture(&machine.architecture, &machine.variant));
            // The machine's other variants are its own affair.
            let variant = if architecture == "arm" { variant } else { String::new() };
            (architecture, variant)
        }
        (None, _) => {
            let (architecture, variant) = unsaid(normalize::architecture(first, ""));
            if !ARCHITECTURES.contains(&architecture.as_str()) {
                return fail("it is neither a known operating system nor a known architecture; write os/arch");
            }
            os = normalize::os("", &machine.os);
            (architecture, variant)
        }
        (Some(architecture), None) => unsaid(normalize::architecture(architecture, "")),
        (Some(architecture), Some(variant)) => match normalize::architecture(architecture, variant) {
            (architecture, none) if architecture == "arm64" && none.is_empty() => (architecture.into(), "v8".into()),
            (architecture, variant) => (architecture.into(), variant.into()),
        },
    };
    let System { version: os_version, features: os_features, .. } = system;
    Ok(Platform { os: os.into(), architecture, variant, os_version, os_features })
}

/// `name[(version[+feature]…)]`.
struct System<'a> {
    name: &'a str,
    version: String,
    features: Vec<String>,
}

impl<'a> System<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (name, options) = match text.split_once('(') {
            None => (text, None),
            Some((name, rest)) => (name, Some(rest.strip_suffix(')')?)),
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
            return None;
        }
        let mut options = options.map(|options| options.split('+')).into_iter().flatten();
        let version = decode(options.next().unwrap_or_default())?;
        let features = options.map(|text| decode(text).filter(|feature| !feature.is_empty())).collect::<Option<_>>()?;
        Some(System { name, version, features })
    }
}

/// A version or a feature, its `%XX` decoded.
fn decode(text: &str) -> Option<String> {
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match byte {
            b'%' if tail.len() >= 2 && tail.iter().take(2).all(u8::is_ascii_hexdigit) => {
                tail.get(2..).unwrap_or_default()
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' => tail,
            _ => return None,
        };
    }
    String::from_utf8(percent_decode(text)).ok()
}

/// A text that is no platform, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidPlatform {
    text: String,
    why: String,
}

impl fmt::Display for InvalidPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no platform: {}", self.text, self.why)
    }
}

impl std::error::Error for InvalidPlatform {}

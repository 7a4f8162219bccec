//! One spelling for what means the same. What is spelled so already is not copied.

use std::borrow::Cow;

/// `machine` is the operating system that an absent one means.
pub(super) fn os<'a>(text: &'a str, machine: &'a str) -> Cow<'a, str> {
    let text = lower(text);
    match &*text {
        "" => machine.into(),
        "macos" => "darwin".into(),
        _ => text,
    }
}

/// Architecture and variant.
pub(super) fn architecture<'a>(architecture: &'a str, variant: &'a str) -> (Cow<'a, str>, Cow<'a, str>) {
    let (architecture, variant) = (lower(architecture), lower(variant));
    // The right name, and the right variant where it is not the one that was written.
    let (name, other) = match (&*architecture, &*variant) {
        ("i386", _) => ("386", Some("")),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", Some("")),
        ("x86_64" | "x86-64", _) => ("amd64", None),
        ("aarch64" | "arm64", "8" | "v8" | "v8.0") => ("arm64", Some("")),
        ("aarch64" | "arm64", "9" | "9.0" | "v9.0") => ("arm64", Some("v9")),
        ("aarch64", _) => ("arm64", None),
        ("armhf", _) => ("arm", Some("v7")),
        ("armel", _) => ("arm", Some("v6")),
        ("arm", "" | "7") => ("arm", Some("v7")),
        ("arm", "5") => ("arm", Some("v5")),
        ("arm", "6") => ("arm", Some("v6")),
        ("arm", "8") => ("arm", Some("v8")),
        _ => return (architecture, variant),
    };
    (name.into(), other.map_or(variant, Cow::from))
}

fn lower(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => text.to_ascii_lowercase().into(),
        false => text.into(),
    }
}

//! `explain`, text by text.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use portolan_explain::Explain;
use portolan_sdk::Failure;
use portolan_sdk::mock::Mock;
use portolan_strategy::Bundled;
use serde_json::{Value, json};

const DIGEST: &str = "sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9";

fn run(arguments: &[(&str, &str)]) -> Result<String, Failure> {
    let response = Mock::new(Bundled).run::<Explain>(arguments)?;
    Ok(response.as_text().unwrap().to_owned())
}

fn json(kind: &str, text: &str, more: &[(&str, &str)]) -> Value {
    let mut arguments = vec![("kind", kind), ("text", text), ("format", "json")];
    arguments.extend(more);
    serde_json::from_str(&run(&arguments).unwrap()).unwrap()
}

#[test]
fn references() {
    for (text, expected) in [
        (
            "alpine",
            json!({
                "domain": "docker.io", "path": "library/alpine", "tag": null, "digest": null,
                "familiar": "alpine", "canonical": "docker.io/library/alpine",
                "resolved": "docker.io/library/alpine:latest",
            }),
        ),
        (
            "test.com:5000",
            json!({
                "domain": "docker.io", "path": "library/test.com", "tag": "5000", "digest": null,
                "familiar": "test.com:5000", "canonical": "docker.io/library/test.com:5000",
                "resolved": "docker.io/library/test.com:5000",
            }),
        ),
        (
            "exa_mple.com/a",
            json!({
                "domain": "", "path": "exa_mple.com/a", "tag": null, "digest": null,
                "familiar": "exa_mple.com/a", "canonical": "exa_mple.com/a", "resolved": "exa_mple.com/a:latest",
            }),
        ),
        (
            &format!("[::1]:5000/a:1@{DIGEST}"),
            json!({
                "domain": "[::1]:5000", "path": "a", "tag": "1", "digest": DIGEST,
                "familiar": format!("[::1]:5000/a:1@{DIGEST}"), "canonical": format!("[::1]:5000/a:1@{DIGEST}"),
                "resolved": format!("[::1]:5000/a@{DIGEST}"),
            }),
        ),
    ] {
        assert_eq!(json("reference", text, &[]), expected, "{text}");
    }
}

#[test]
fn a_scheme_is_no_reference() {
    for text in ["docker://alpine", "https://alpine", "oci-layout://a", "", "Alpine/B", "a:"] {
        let failure = run(&[("kind", "reference"), ("text", text)]).unwrap_err();
        assert_eq!(failure.cause.map(|cause| cause.code).as_deref(), Some("invalid-reference"), "{text:?}");
    }
}

#[test]
fn platforms() {
    for (text, expected) in [
        (
            "linux/arm64/8",
            json!({
                "os": "linux", "architecture": "arm64", "variant": "v8", "osVersion": null, "osFeatures": [],
                "text": "linux/arm64/v8", "normalized": "linux/arm64",
                "accepts": ["linux/arm64", "linux/arm/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"],
            }),
        ),
        (
            "windows(10.0.20348.1+win32k)/amd64",
            json!({
                "os": "windows", "architecture": "amd64", "variant": null,
                "osVersion": "10.0.20348.1", "osFeatures": ["win32k"],
                "text": "windows(10.0.20348.1+win32k)/amd64", "normalized": "windows(10.0.20348.1+win32k)/amd64",
                "accepts": ["windows(10.0.20348.1+win32k)/amd64", "windows(10.0.20348.1+win32k)/386"],
            }),
        ),
    ] {
        assert_eq!(json("platform", text, &[]), expected, "{text}");
    }
    // What is left out is the machine's.
    assert_eq!(json("platform", "arm64", &[])["text"], "linux/arm64");
    let endless = json("platform", "linux/amd64/v1000000", &[]);
    assert_eq!(endless["accepts"].as_array().unwrap().len(), 64);
    assert_eq!(endless["accepts"][0], "linux/amd64/v1000000");
    assert_eq!(json("platform", "linux/amd64", &[("mode", "exact")])["accepts"], json!(["linux/amd64"]));
}

#[test]
fn an_order_among_platforms() {
    let among = ["linux/s390x", "linux/386,linux/amd64/v2", "linux/amd64", "windows/amd64", "x86-64"];
    let among: Vec<(&str, &str)> = among.iter().map(|&platform| ("among", platform)).collect();
    let order = |text: &str, more: &[(&str, &str)]| {
        let mut arguments = among.clone();
        arguments.extend(more);
        let explained = json("platform", text, &arguments);
        let order = explained["order"].as_array().unwrap();
        let shown = |it: &Value| {
            format!("{}{}", if it["matches"] == true { "+" } else { "-" }, it["platform"].as_str().unwrap())
        };
        order.iter().map(shown).collect::<Vec<_>>().join(" ")
    };
    // What does not match, and what ranks the same, keeps the order given; each is shown as it was given.
    assert_eq!(
        order("linux/amd64", &[]),
        "+linux/amd64 +x86-64 +linux/386 -linux/s390x -linux/amd64/v2 -windows/amd64"
    );
    assert_eq!(
        order("linux/amd64/v2", &[]),
        "+linux/amd64/v2 +linux/amd64 +x86-64 +linux/386 -linux/s390x -windows/amd64"
    );
    assert_eq!(
        order("linux/amd64/v2", &[("mode", "exact")]),
        "+linux/amd64/v2 -linux/s390x -linux/386 -linux/amd64 -windows/amd64 -x86-64"
    );
}

#[test]
fn texts_for_people() {
    assert_eq!(
        run(&[("kind", "reference"), ("text", "alpine:3")]).unwrap(),
        "domain     docker.io\n\
         path       library/alpine\n\
         tag        3\n\
         digest     -\n\
         familiar   alpine:3\n\
         canonical  docker.io/library/alpine:3\n\
         resolved   docker.io/library/alpine:3\n"
    );
    assert_eq!(
        run(&[("kind", "platform"), ("text", "linux/arm/v6"), ("among", "linux/arm,linux/arm/v5")]).unwrap(),
        "os            linux\n\
         architecture  arm\n\
         variant       v6\n\
         text          linux/arm/v6\n\
         normalized    linux/arm/v6\n\
         accepts       linux/arm/v6\n\
         \x20             linux/arm/v5\n\
         \n\
         PLATFORM      MATCHES\n\
         linux/arm/v5  yes\n\
         linux/arm     no\n"
    );
}

#[test]
fn refusals() {
    for (arguments, message) in [
        (&[("kind", "reference"), ("text", "a"), ("among", "linux/amd64")][..], "among is for platforms"),
        (&[("kind", "registry"), ("text", "docker.io")][..], "kind cannot be \"registry\""),
        (&[("kind", "reference")][..], "explain needs text: The reference, without a scheme, or the platform"),
    ] {
        assert_eq!(run(arguments).unwrap_err().message, message);
    }
    assert!(run(&[("kind", "platform"), ("text", "linux/*")]).is_err());
    assert!(run(&[("kind", "platform"), ("text", "linux/amd64"), ("among", "nope")]).is_err());
}

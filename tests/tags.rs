//! `portolan tags` against a real registry, one that answers in pages, and stores.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan_hostile::{Hostile, on};
use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use portolan_tests::registry::Registry;
use serde_json::{Value, json};

fn cli() -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder().join("layouts"))
}

#[test]
fn of_a_real_registry() {
    let registry = Registry::start();
    let tags = ["1", "1.10.0", "1.4", "1.4.2", "2.0.0-rc.1", "latest", "v1.4.3"];
    let image = format!("oci:{}", fixtures::layout("umoci").display());
    for tag in tags {
        registry.push(&format!("{image}:latest"), &format!("acme/app:{tag}"));
    }
    let portolan = cli();
    let app = format!("{}/acme/app", registry.host());
    let mut listed: Vec<String> = portolan.ok(&format!("tags {app}")).lines().map(str::to_owned).collect();
    listed.sort();
    assert_eq!(listed, tags);
    assert_eq!(portolan.ok(&format!("tags {app} --semver ^1")), "1.10.0\nv1.4.3\n1.4.2\n");
    assert_eq!(portolan.ok(&format!("tags {app} --semver >=1.4,<1.5 --latest")), "v1.4.3\n");
    assert_eq!(portolan.ok(&format!("tags {app} --latest")), "1.10.0\n");
    assert_eq!(portolan.ok(&format!("tags {app} --match ^1\\.4 --latest")), "1.4.2\n");
    let json: Value = serde_json::from_str(&portolan.ok(&format!("tags {app} --semver ~1.4 --format json"))).unwrap();
    assert_eq!(json, json!({"repository": app, "tags": ["v1.4.3", "1.4.2"]}));

    assert_eq!(portolan.ok(&format!("tags {app} --match nothing")), "");
    let said = portolan.fails(5, &format!("tags {app} --semver ^7 --latest"));
    assert!(said.contains("^7") && said.contains("hint"), "{said}");
    let said = portolan.fails(1, &format!("tags {app}:1.4"));
    assert!(said.contains(&format!("write {app}\n")), "{said}");
    portolan.fails(5, &format!("tags {}/acme/nothing", registry.host()));
    portolan.fails(2, "tags");
}

#[test]
fn page_by_page() {
    let page = |number: u32, tags: &[&str]| {
        on("GET", "/v2/app/tags/list")
            .once()
            .header("Link", format!("</v2/app/tags/list?last={number}>; rel=\"next\""))
            .body(json!({"name": "app", "tags": tags}).to_string())
    };
    let registry = Hostile::play(vec![
        page(1, &["1.0.0", "1.1.0"]),
        page(2, &[]),
        page(3, &["1.1.0", "latest"]),
        on("GET", "/v2/app/tags/list").body(r#"{"name": "app", "tags": ["0.9.0"]}"#),
    ]);
    let app = format!("{}/app", registry.host());
    assert_eq!(cli().ok(&format!("tags {app}")), "1.0.0\n1.1.0\nlatest\n0.9.0\n");
    assert_eq!(registry.requests().len(), 4);
}

#[test]
fn names_in_a_store() {
    let portolan = cli();
    for (line, expected) in [
        ("tags oci-layout://buildkit-multi", "docker.io/acme/app:1.4\ndocker.io/acme/app:latest\n"),
        ("tags oci-layout://buildkit-multi/acme/app", "1.4\nlatest\n"),
        ("tags oci-layout://buildkit-multi --latest", "docker.io/acme/app:1.4\n"),
        ("tags oci-layout://umoci --match ^x", "x-123\n"),
        ("tags oci-layout://out --store out=umoci --match ^l", "latest\n"),
    ] {
        assert_eq!(portolan.ok(line), expected, "{line}");
    }
    let archive = format!("tags oci-archive://{}", fixtures::archive("oci-multi.tar").display());
    assert!(portolan.ok(&archive).contains(":tar"));
    let said = portolan.fails(1, "tags oci-layout://umoci:latest");
    assert!(said.contains("write oci-layout://umoci\n"), "{said}");
}

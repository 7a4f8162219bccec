//! The command line itself: options, formats, statuses, messages.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;

use portolan_oci::media_type;
use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use portolan_tests::layout::{self as made, Layout};
use serde_json::Value;

fn layouts() -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder().join("layouts"))
}

#[test]
fn every_status_has_its_meaning_and_says_what_to_try() {
    let portolan = layouts();
    let none = "0".repeat(64);
    let table = [
        // 1: it could not be done, or does not parse.
        (1, "resolve Alpine".to_owned(), "lower-case"),
        (1, "resolve https://example.com/a".into(), "scheme"),
        (1, "resolve oci-layout://buildkit-multi:1.4@sha256:12".into(), "digest"),
        (1, "resolve oci-layout://buildkit-multi:1.4 --platform linux/*".into(), "wildcards"),
        (1, "explain reference docker/Docker".into(), "lower-case"),
        (1, "explain reference docker://alpine".into(), "scheme"),
        (1, "explain platform a/b/c/d".into(), "parts"),
        // 2: the command line is wrong.
        (2, "resolv alpine".into(), "resolve"),
        (2, "resolve".into(), "<REF>"),
        (2, "resolve alpine --nope".into(), "--nope"),
        (2, "layers alpine --key size".into(), "chain-id"),
        (2, "resolve alpine --mode lax".into(), "strict"),
        (2, "resolve alpine --compat --exact".into(), "cannot be used with"),
        (2, "resolve oci-layout://x:1 --store x".into(), "NAME=DIR"),
        (2, "inspect oci-layout://buildkit-multi:1.4 --raw --jq .[".into(), "jq"),
        (2, "run".into(), "FRONTEND"),
        (2, "run resolve alpine --allow write=*".into(), "pull=PATTERN"),
        // 5: it does not exist.
        (5, "run nope.wasm".into(), "nope.wasm"),
        (5, "layers --metadata nope.json".into(), "nope.json"),
        (5, "resolve oci-layout://nope:1".into(), "nope"),
        (5, "resolve oci-archive://nope.tar:1".into(), "nope.tar"),
        (5, "resolve oci-layout://buildkit-multi:1.5".into(), "1.4"),
        (5, "resolve oci-layout://buildkit-multi/acme/ap:1.4".into(), "acme/app"),
        (5, "resolve oci-layout://buildkit-multi:1.4 --platform linux/s390x".into(), "linux/amd64"),
        (5, format!("resolve oci-layout://buildkit-multi@sha256:{none}"), &none),
        (5, format!("resolve oci-layout://buildkit-multi:1.4@sha256:{none}"), "0c295ea8974e"),
    ];
    for (status, line, says) in &table {
        let said = portolan.fails(*status, line);
        assert!(said.contains(says), "portolan {line}\nsays {said}without {says:?}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn what_may_pass_is_told_from_what_stays() {
    let portolan = layouts();
    let nobody = format!("127.0.0.1:{}", portolan_tests::server::free_port());
    let said = portolan.fails(1, &format!("resolve {nobody}/app:1"));
    assert!(said.contains("refused") && said.ends_with("\nhint: this may pass: try again\n"), "{said}");
    let said = portolan.fails(5, "resolve oci-layout://buildkit-multi:1.5");
    assert!(!said.contains("try again"), "{said}");
}

#[test]
fn a_missing_folder_is_told_from_a_file_and_from_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::copy(fixtures::archive("oci-multi.tar"), folder.path().join("file.tar")).unwrap();
    let portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), folder.path());
    for (line, says) in [
        ("resolve oci-layout://nope:1", "there is no such folder"),
        ("resolve oci-layout://empty:1", "no index.json"),
        ("resolve oci-layout://file.tar:tar", "oci-archive://file.tar"),
        ("resolve oci-archive://nope.tar", "there is no such file"),
        ("resolve oci-archive://empty", "it is a folder"),
    ] {
        let said = portolan.fails(5, line);
        assert!(said.contains(says), "{line}: {said}");
    }
    assert_eq!(portolan.ok("layers --last oci-archive://file.tar --platform arm64").lines().count(), 1);
}

/// Who comes from another tool is told what it is here, and nothing is run for them.
#[test]
fn what_other_tools_call_it() {
    let portolan = layouts();
    for (status, line, says) in [
        (2, "login ghcr.io", "there is no command login\nhint: `docker login HOST`"),
        (2, "digest alpine", "hint: portolan resolve REF --digest"),
        (2, "help pull", "hint: portolan copy REF oci-layout://DIR"),
        (2, "rm alpine", "hint: Portolan deletes, changes and signs no image"),
        (2, "inspct alpine", "inspect"),
        (1, "inspect oci:/there:1", "skopeo's oci:DIR:TAG is oci-layout://DIR:TAG here"),
        (1, "inspect docker-daemon:alpine:3", "docker-archive://-"),
        (1, "inspect oci-layout://buildkit-multi:1.4 --sbom --raw", "hint: leave out --raw"),
        (5, "run inspct alpine", "there is no such file, and none of that name is bundled\nhint: inspect, resolve"),
        (5, "explain policy ./absent.wasm", "there is no such file"),
    ] {
        let said = portolan.fails(status, line);
        assert!(said.contains(says), "{line}: {said}");
    }
    assert_eq!(portolan.ok("help"), portolan.ok("--help"));
    assert_eq!(portolan.ok("help explain policy"), portolan.ok("explain policy --help"));
    assert_eq!(portolan.ok("version"), portolan.ok("--version"));
}

/// Wherever it stands, and whether what is in a registry is the image or the frontend.
#[test]
fn offline_is_offline_on_every_side() {
    let portolan = layouts();
    let nobody = format!("127.0.0.1:{}/acme/app:1", portolan_tests::server::free_port());
    for line in [
        format!("run --offline resolve {nobody}"),
        format!("run resolve --offline {nobody}"),
        format!("run resolve {nobody} --offline"),
        format!("run --offline oci://{nobody} oci-layout://buildkit-multi:1.4"),
        format!("run oci://{nobody} oci-layout://buildkit-multi:1.4 --offline"),
    ] {
        let said = portolan.fails(1, &line);
        assert!(said.contains("the network is switched off"), "{line}: {said}");
    }
    let audit = portolan.home().join("audit.jsonl");
    let line = format!("run --audit {} --jq .root.digest resolve oci-layout://buildkit-multi:1.4", audit.display());
    assert!(portolan.ok(&line).starts_with("sha256:"));
    assert!(audit.is_file());
}

#[test]
fn a_store_is_given_a_name() {
    let portolan = layouts();
    let digest = portolan.ok("resolve oci-layout://out:1.4 --store out=buildkit-multi --digest");
    assert_eq!(digest, portolan.ok("resolve oci-layout://buildkit-multi:1.4 --digest"));
}

#[test]
fn jq_asks_for_json_and_prints_texts_bare() {
    let portolan = layouts();
    let reference = "oci-layout://buildkit-multi:1.4";
    assert_eq!(
        portolan.run(["inspect", reference, "--jq", ".images[].platform"]).out,
        "linux/amd64\nlinux/arm64\nlinux/arm/v7\nlinux/386\n"
    );
    assert_eq!(portolan.run(["layers", reference, "--jq", ".images | length"]).out, "4\n");
    assert_eq!(portolan.run(["inspect", reference, "--raw", "--jq", ".schemaVersion"]).out, "2\n");
    assert_eq!(portolan.run(["layers", reference, "--jq", r#""a\nb\u001b""#]).out, "a\nb\\u{1b}\n");
}

/// What is printed can be asked for again.
#[test]
fn a_resolved_reference_means_the_same_again() {
    let portolan = layouts();
    for options in ["", "--platform linux/arm64"] {
        let resolved = portolan.ok(&format!("resolve oci-layout://buildkit-multi:1.4 {options}"));
        assert_eq!(portolan.ok(&format!("resolve {resolved}")), resolved);
    }
}

#[test]
fn help_is_about_what_stands_before_it() {
    let portolan = layouts();
    assert!(portolan.ok("run --help").contains("FRONTEND"));
    assert!(portolan.ok("run resolve --help").contains("--part"));
}

#[test]
fn who_cannot_hear_is_no_reason_to_fail_otherwise() {
    let line = format!("{} resolve oci-layout://nope 2>/dev/full", env!("CARGO_BIN_EXE_portolan"));
    let status = std::process::Command::new("sh").args(["-c", &line]).status().unwrap();
    assert_eq!(status.code(), Some(5));
}

#[test]
fn modes_decide_as_their_programs_do() {
    let portolan = layouts();
    // buildx's imagetools wants `latest` where nothing is asked for, and never looks further.
    let said = portolan.fails(5, "resolve oci-layout://buildkit-single --compat");
    assert!(said.contains("latest"), "{said}");
    portolan.ok("resolve oci-layout://buildkit-single --mode compat=build");
    portolan.ok("resolve oci-layout://buildkit-single");
    // Only exact refuses what would run all the same.
    portolan.ok("resolve oci-layout://buildkit-multi:1.4 --platform linux/amd64/v2");
    portolan.fails(5, "resolve oci-layout://buildkit-multi:1.4 --platform linux/amd64/v2 --exact");
    // In an index without platforms BuildKit takes the first entry and looks no further; strict walks on.
    portolan.fails(5, "resolve oci-layout://crane-nested:1 --platform linux/amd64 --mode compat=build");
    portolan.ok("resolve oci-layout://crane-nested:1 --platform linux/amd64");
}

#[test]
fn explain_says_what_a_text_means() {
    let portolan = layouts();
    let explained: Value = serde_json::from_str(&portolan.ok("explain reference alpine --format json")).unwrap();
    assert_eq!(
        explained,
        serde_json::json!({
            "domain": "docker.io", "path": "library/alpine", "tag": null, "digest": null, "familiar": "alpine",
            "canonical": "docker.io/library/alpine", "resolved": "docker.io/library/alpine:latest",
        })
    );
    let explained: Value =
        serde_json::from_str(&portolan.ok("explain platform linux/arm64/v9.1 --format json")).unwrap();
    assert_eq!(explained["accepts"][0], "linux/arm64/v9.1");
    assert_eq!(explained["accepts"].as_array().unwrap().len(), 2 + 7 + 4);
    let order: Value = serde_json::from_str(
        &portolan
            .ok("explain platform linux/arm/v7 --among linux/arm64,linux/arm/v6 --among linux/arm/v7 --format json"),
    )
    .unwrap();
    assert_eq!(
        order["order"],
        serde_json::json!([
            { "platform": "linux/arm/v7", "matches": true },
            { "platform": "linux/arm/v6", "matches": true },
            { "platform": "linux/arm64", "matches": false },
        ])
    );
}

#[test]
fn frontends_describe_themselves() {
    let portolan = layouts();
    let listed: Value = serde_json::from_str(&portolan.ok("frontends --format json")).unwrap();
    let names: Vec<&str> =
        listed["frontends"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["inspect", "resolve", "layers", "create", "copy", "tags", "diff", "explain"]);
    for name in names {
        let described: Value = serde_json::from_str(&portolan.ok(&format!("describe {name} --format json"))).unwrap();
        let imports = described["imports"].as_array().unwrap();
        assert!(
            imports.iter().all(|import| import.as_str().unwrap().starts_with("portolan:oci/")),
            "{name}: {imports:?}"
        );
        let writes = imports.iter().any(|import| import.as_str().unwrap().starts_with("portolan:oci/pusher@"));
        assert_eq!(writes, ["create", "copy"].contains(&name), "{name}: {imports:?}");
        assert_eq!(described["digest"].as_str().unwrap().len(), 71);
        assert!(portolan.ok(&format!("describe {name}")).contains("parameters"));
        let help = portolan.ok(&format!("{name} --help"));
        assert!(help.contains("Example:\n  portolan "), "{help}");
        assert!(portolan.ok(&format!("run {name} --help")).contains("--allow"));
    }
    assert!(portolan.ok("--help").contains("inspect"));
    assert!(portolan.ok("--version").starts_with("portolan 0."));
}

/// What a document says stays on the line that it is shown on, whatever is in it.
#[test]
fn nothing_foreign_forges_a_line() {
    let layout = Layout::new();
    let forged = "\\nlinux/arm64  sha256:forged";
    let layer = layout.insert("application/vnd.oci.image.layer.v1.tar", b"layer");
    let image = |architecture: &str| {
        let config = format!(
            r#"{{"architecture":"{architecture}{forged}","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            layer.digest
        );
        let config = layout.insert(media_type::OCI_CONFIG, config);
        let manifest =
            format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#, made::json(&config), made::json(&layer));
        layout.insert(media_type::OCI_MANIFEST, manifest)
    };
    let (one, other) = (image("amd64"), image("386"));
    let statement = layout.insert(
        media_type::IN_TOTO,
        format!(r#"{{"predicate":{{"name":"n{forged}","builder":{{"id":"b{forged}"}}}}}}"#),
    );
    let mut attestations = Vec::new();
    for predicate in ["https://slsa.dev/provenance/v1", "https://spdx.dev/Document"] {
        let config = layout.insert(media_type::OCI_CONFIG, "{}");
        let layers = made::json(&statement).replacen(
            '{',
            &format!(r#"{{"annotations":{{"in-toto.io/predicate-type":"{predicate}{forged}"}},"#),
            1,
        );
        let manifest = layout.insert(
            media_type::OCI_MANIFEST,
            format!(r#"{{"schemaVersion":2,"config":{},"layers":[{layers}]}}"#, made::json(&config)),
        );
        let entry = made::json(&manifest);
        attestations.push(entry.replacen('{', &format!(r#"{{"platform":{{"architecture":"unknown","os":"unknown"}},"annotations":{{"vnd.docker.reference.type":"attestation-manifest","vnd.docker.reference.digest":"{}"}},"#, one.digest), 1));
    }
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{},{},{}]}}"#,
        made::json(&one),
        made::json(&other),
        attestations.join(",")
    );
    let root = layout.insert(media_type::OCI_INDEX, index);
    layout.entries(&[root]);
    let portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), layout.folder());
    for command in [
        "inspect",
        "inspect --provenance",
        "inspect --sbom",
        "layers",
        "layers --last",
        "layers --history",
        "diff oci-layout://.",
    ] {
        let printed = portolan.line(&format!("{command} oci-layout://."));
        let all = format!("{}{}", printed.out, printed.err);
        assert!(!all.lines().any(|line| line.starts_with("linux/arm64  sha256:forged")), "{command}\n{all}");
    }
    assert!(portolan.ok("inspect --provenance oci-layout://.").contains("forged"), "the test shows what it is about");
}

#[test]
fn what_has_no_name_is_reached_and_what_is_broken_is_called_broken() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("l");
    fs::create_dir_all(&layout).unwrap();
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), folder.path());
    for (index, status, says) in [
        (r#"{"schemaVersion":2,"manifests":[]}"#, 5, "oci-layout://l"),
        (r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#, 1, "ambiguous"),
        ("{", 1, "index.json"),
        ("", 1, "index.json"),
    ] {
        fs::write(layout.join("index.json"), index).unwrap();
        let said = portolan.fails(status, "inspect oci-layout://l");
        assert!(said.contains(says), "{index}: {said}");
    }
}

//! `portolan diff` between registries, layouts and archives: what real tools made again, what was taken out or added, and
//! what is broken.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

use portolan_oci::media_type;
use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use portolan_tests::layout::{Layout, json as written};
use portolan_tests::registry::{Registry, run};
use serde_json::{Value, json};

/// The program in a folder of the caller's.
fn cli(folder: impl AsRef<Path>) -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), folder)
}

/// A fixture from anywhere.
fn fixture(layout: &str, name: &str) -> String {
    format!("oci-layout://{}:{name}", fixtures::layout(layout).display())
}

/// The answer; its status must be 6 where it says that something differs.
fn diff(portolan: &Cli, line: &str) -> Value {
    let printed = portolan.line(&format!("diff --exit-code --format json {line}"));
    let json: Value =
        serde_json::from_str(&printed.out).unwrap_or_else(|error| panic!("diff {line}: {error}: {}", printed.err));
    assert_eq!(printed.status, if json["same"].is_null() { 6 } else { 0 }, "diff {line}: {json:#}");
    // Without the option it is an answer like any other.
    assert_eq!(portolan.line(&format!("diff {line}")).status, 0, "diff {line}");
    json
}

/// The platforms of images for which something holds.
fn platforms(json: &Value, which: impl Fn(&Value) -> bool) -> Vec<&str> {
    let images = json["images"].as_array().unwrap().iter();
    images.filter(|image| which(image)).map(|image| image["platform"].as_str().unwrap()).collect()
}

/// Has skopeo copy, all of it or one image.
fn skopeo(options: &str, from: &str, to: &str) {
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"]);
    run(skopeo.args(options.split_whitespace()).args([from, to]), "skopeo");
}

#[test]
fn one_image_is_the_same_wherever_it_lies() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().unwrap();
    let portolan = cli(folder.path());
    for (layout, name) in [("buildkit-multi", "1.4"), ("buildkit-artifact", "1"), ("crane-docker-types", "2")] {
        let source = fixture(layout, name);
        let pushed = format!("{}/acme/{layout}:{name}", registry.host());
        let archive = format!("oci-archive://{layout}.tar:{name}");
        for target in [&pushed, &archive] {
            portolan.ok(&format!("copy --quiet {source} {target}"));
        }
        for (a, b) in [(&source, &pushed), (&pushed, &archive), (&archive, &source), (&pushed, &pushed)] {
            let json = diff(&portolan, &format!("{a} {b}"));
            assert_eq!((&json["same"], &json["images"]), (&json!("root"), &json!([])), "{a} {b}");
            assert_eq!(json["a"]["root"], json["b"]["root"]);
            let digest = json["a"]["root"]["digest"].as_str().unwrap();
            let said = portolan.ok(&format!("diff {a} {b}"));
            assert!(said.ends_with(&format!(" are the same: both are {digest}\n")), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
}

#[test]
fn platforms_and_annotations_of_an_index() {
    let registry = Registry::start();
    let folder = tempfile::tempdir().unwrap();
    let portolan = cli(folder.path());
    let all = fixture("buildkit-multi", "1.4");
    let fewer = format!("{}/acme/app:fewer", registry.host());
    portolan.ok(&format!("copy --quiet {all} {fewer} --platform linux/amd64,linux/arm64,linux/386"));
    let json = diff(&portolan, &format!("{all} {fewer}"));
    assert_eq!(platforms(&json, |image| image["b"].is_null()), ["linux/arm/v7"]);
    assert_eq!(platforms(&json, |image| image["same"] == "manifest"), ["linux/amd64", "linux/arm64", "linux/386"]);
    assert_eq!((&json["same"], &json["index"]), (&Value::Null, &json!([])));
    let said = portolan.ok(&format!("diff {all} {fewer}"));
    assert!(said.contains("\n- linux/arm/v7  sha256:7da5a299c1a1"), "{said}");
    // The other way round.
    assert_eq!(platforms(&diff(&portolan, &format!("{fewer} {all}")), |image| image["a"].is_null()), ["linux/arm/v7"]);
    // For a platform that both have they are the same; one that one of them lacks does not exist.
    assert_eq!(diff(&portolan, &format!("{all} {fewer} --platform linux/arm64 -p 386"))["same"], "images");
    let said = portolan.fails(5, &format!("diff {all} {fewer} --platform linux/arm/v7"));
    assert!(said.contains(":fewer has no image for linux/arm/v7"), "{said}");

    // One image out of the index is compared with the one in it.
    portolan.ok(&format!("copy --quiet {all} oci-layout://one:1 --single --platform linux/arm64"));
    let json = diff(&portolan, &format!("oci-layout://one:1 {all}"));
    assert_eq!((&json["same"], platforms(&json, |_| true)), (&json!("images"), vec!["linux/arm64"]));

    portolan.ok(&format!("create --quiet -t {fewer}-noted {fewer} --annotation index:k=v --annotation manifest-descriptor[linux/amd64]:d=e"));
    let json = diff(&portolan, &format!("{fewer} {fewer}-noted"));
    let change = json!({"path": ["index", "annotations", "k"], "b": "v"});
    assert!(json["index"].as_array().unwrap().contains(&change), "{json:#}");
    assert_eq!(json["images"][0]["entry"], json!([{"path": ["entry", "annotations", "d"], "b": "e"}]));
    assert_eq!(platforms(&json, |image| image["same"] == "manifest").len(), 3);
    let said = portolan.ok(&format!("diff {fewer} {fewer}-noted"));
    assert!(said.contains("\n+ index annotations k  ") && said.contains("\n  + entry annotations d  e\n"), "{said}");
}

/// Three layers that compress, so that tools have something to do differently.
fn compressible(layout: &Layout) -> String {
    let mut layers = Vec::new();
    for number in 0..3 {
        let mut archive = tar_of(&format!("file-{number}"), &text(number));
        archive.resize(archive.len().next_multiple_of(10_240), 0);
        layers.push(layout.insert("application/vnd.oci.image.layer.v1.tar", archive));
    }
    let diff_ids: Vec<String> = layers.iter().map(|layer| format!("{:?}", layer.digest.as_str())).collect();
    let config = layout.insert(
        media_type::OCI_CONFIG,
        format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{"Env":["A=1"]}},"rootfs":{{"type":"layers","diff_ids":[{}]}},"history":[{{"created_by":"a"}},{{"created_by":"b"}},{{"created_by":"c"}}]}}"#,
            diff_ids.join(",")
        ),
    );
    let layers: Vec<String> = layers.iter().map(written).collect();
    let manifest = layout.insert(
        media_type::OCI_MANIFEST,
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
            media_type::OCI_MANIFEST,
            written(&config),
            layers.join(",")
        ),
    );
    let name = [("org.opencontainers.image.ref.name".to_owned(), "plain".to_owned())];
    layout.entries(&[portolan_oci::Descriptor { annotations: name.into(), ..manifest }]);
    format!("oci:{}:plain", layout.folder().display())
}

/// Something that one level of compression does better than another.
fn text(number: u32) -> Vec<u8> {
    (0..4_000_u32)
        .flat_map(|line| format!("{number} {}\n", line.wrapping_mul(2_654_435_761) % 977).into_bytes())
        .collect()
}

/// A tar archive of one file.
fn tar_of(name: &str, content: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), content).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "-C"]).arg(folder.path());
    run(tar.args(["-cf", "-", name]), "tar").stdout
}

#[test]
fn an_image_compressed_anew_by_skopeo_has_the_same_content() {
    let registry = Registry::start();
    let layout = Layout::new();
    let plain = compressible(&layout);
    let portolan = cli(layout.folder());
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("{}/{name}", folder.path().display());
    let pushed = format!("docker://{}/acme/app:gzip", registry.host());
    skopeo("--format oci --dest-compress-format gzip", &plain, &pushed);
    skopeo(
        "--format oci --dest-compress-format gzip --dest-compress-level 1",
        &plain,
        &format!("oci:{}:fast", at("fast")),
    );
    skopeo("--format oci --dest-compress-format zstd", &pushed, &format!("oci:{}:zstd", at("zstd")));
    let original = format!("oci-layout://{}:plain", layout.folder().display());
    let gzip = format!("{}/acme/app:gzip", registry.host());
    let zstd = format!("oci-layout://{}:zstd", at("zstd"));
    let fast = format!("oci-layout://{}:fast", at("fast"));
    for (a, b) in [(&original, &gzip), (&gzip, &zstd), (&zstd, &original), (&fast, &gzip)] {
        let json = diff(&portolan, &format!("{a} {b}"));
        assert_eq!((&json["same"], &json["images"][0]["same"]), (&json!("content"), &json!("content")), "{json:#}");
        assert_ne!(json["a"]["root"]["digest"], json["b"]["root"]["digest"]);
        let layers = &json["images"][0]["layers"];
        let shared = layers["shared"].as_array().unwrap();
        assert_eq!((layers["base"].as_u64(), shared.len()), (Some(3), 3), "{a} {b}");
        for pair in shared {
            assert_eq!(pair["by"], "diff-id");
            assert_eq!(pair["a"]["diffId"], pair["b"]["diffId"]);
            assert_ne!(pair["a"]["digest"], pair["b"]["digest"]);
        }
        let said = portolan.ok(&format!("diff {a} {b}"));
        assert!(
            said.contains("have the same content, linux/amd64") && said.contains("3 layers are compressed"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn configs_and_layers_of_two_builds() {
    let portolan = cli(fixtures::folder().join("layouts"));
    let json = diff(&portolan, "oci-layout://buildkit-single:2 oci-layout://buildkit-sbom:1");
    let changes = json["images"][0]["changes"].as_array().unwrap();
    for (path, b) in [
        (json!(["config", "config", "Healthcheck", "Interval"]), json!(5_000_000_000_u64)),
        (json!(["config", "config", "User"]), json!("10:10")),
        (json!(["config", "config", "ExposedPorts", "80/tcp"]), json!({})),
    ] {
        assert!(changes.contains(&json!({"path": path, "b": b})), "{path}: {json:#}");
    }
    assert_eq!(json["images"][0]["layers"]["base"], 0);
    let said = portolan.ok("diff oci-layout://buildkit-single:2 oci-layout://buildkit-sbom:1");
    for line in ["linux/amd64", "  + User", "  + Healthcheck Interval", "  - layer 1", "  + step 2"] {
        assert!(said.lines().any(|said| said.starts_with(line)), "{line}: {said}");
    }
    // Attestations are told from the index, by the type of what they say.
    let json = diff(&portolan, "oci-layout://buildkit-artifact:1 oci-layout://buildkit-sbom:1");
    let added = json!({"path": ["entry", "attestations", "https://spdx.dev/Document"], "b": 1});
    assert!(json["images"][0]["entry"].as_array().unwrap().contains(&added), "{json:#}");
    // A docker image out of an archive of docker's and one of BuildKit's.
    let docker = |name: &str| fixtures::archive(name).display().to_string();
    let json = diff(
        &portolan,
        &format!("oci-archive://{} oci-layout://buildkit-multi:1.4 --platform linux/arm64", docker("oci-multi.tar")),
    );
    assert_eq!(json["images"][0]["platform"], "linux/arm64");
    assert_eq!(json["images"][0]["layers"]["base"], 1);
}

#[test]
fn artifacts_in_a_registry_and_a_layout() {
    let registry = Registry::start();
    let layout = Layout::new();
    let portolan = cli(layout.folder());
    let empty = layout.insert(media_type::OCI_EMPTY, "{}");
    let mut entries = Vec::new();
    for (name, content) in [("one", "first"), ("two", "second")] {
        let layer = layout.insert("text/plain", content);
        let manifest = layout.insert(
            media_type::OCI_MANIFEST,
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{}","artifactType":"acme/{name}","config":{},"layers":[{}]}}"#,
                media_type::OCI_MANIFEST,
                written(&empty),
                written(&layer)
            ),
        );
        let annotations = [("org.opencontainers.image.ref.name".to_owned(), name.to_owned())].into();
        entries.push(portolan_oci::Descriptor { annotations, ..manifest });
    }
    layout.entries(&entries);
    let here = format!("oci-layout://{}", layout.folder().display());
    let there = format!("{}/acme/notes", registry.host());
    portolan.ok(&format!("copy --quiet {here}:two {there}:two"));
    assert_eq!(diff(&portolan, &format!("{here}:two {there}:two"))["same"], "root");
    let json = diff(&portolan, &format!("{here}:one {there}:two"));
    let image = &json["images"][0];
    assert_eq!(image["changes"], json!([{"path": ["manifest", "artifactType"], "a": "acme/one", "b": "acme/two"}]));
    assert_eq!((&image["layers"]["onlyA"][0]["size"], &image["a"]["unshared"]), (&json!(5), &json!(5)));
    assert_eq!(image["layers"]["onlyA"][0]["diffId"], Value::Null);
}

#[test]
fn statuses_and_messages() {
    let layout = Layout::new();
    let image = layout.image(b"layer");
    let named = |descriptor: &portolan_oci::Descriptor, name: &str| portolan_oci::Descriptor {
        annotations: [("org.opencontainers.image.ref.name".to_owned(), name.to_owned())].into(),
        ..descriptor.clone()
    };
    let broken = layout.insert(
        media_type::OCI_MANIFEST,
        format!(
            r#"{{"schemaVersion":2,"config":{},"layers":[{layer},{layer}]}}"#,
            written(&image.config),
            layer = written(&image.layer)
        ),
    );
    let env: Vec<String> = (0..10_000).map(|number| format!("\"K{number}=\\u001b[2J\"")).collect();
    let config = layout.insert(
        media_type::OCI_CONFIG,
        format!(
            r#"{{"os":"linux","architecture":"amd64","config":{{"Env":[{}]}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            env.join(","),
            image.layer.digest
        ),
    );
    let large = layout.insert(
        media_type::OCI_MANIFEST,
        format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#, written(&config), written(&image.layer)),
    );
    layout.entries(&[named(&image.manifest, "sound"), named(&broken, "broken"), named(&large, "large")]);
    let portolan = cli(layout.folder());
    let here = |name: &str| format!("oci-layout://{}:{name}", layout.folder().display());
    let sound = here("sound");
    for (status, line, says) in [
        (2, "diff".to_owned(), "<A>"),
        (2, format!("diff {sound}"), "<B>"),
        (2, format!("diff {sound} {sound} {sound}"), "unexpected"),
        (2, format!("diff {sound} {sound} --only layers"), "--only"),
        (1, format!("diff {sound} Alpine"), "lower-case"),
        (1, format!("diff {sound} {sound} --platform linux/*"), "wildcards"),
        (5, format!("diff {sound} {}", here("nope")), "sound"),
        (5, format!("diff {} {sound}", here("nope")), "sound"),
        (5, format!("diff {sound} oci-layout://nope:1"), "no such folder"),
        (5, format!("diff {sound} {sound} --platform linux/s390x"), "linux/amd64"),
        (1, format!("diff {} {sound}", here("broken")), "2 layers"),
        (1, format!("diff --exit-code {sound} {}", here("broken")), ":broken: the manifest has 2 layers"),
    ] {
        let said = portolan.fails(status, &line);
        assert!(said.contains(says), "portolan {line}\nsays {said}without {says:?}");
    }
    let printed = portolan.line(&format!("diff --exit-code {sound} {}", here("large")));
    assert_eq!((printed.status, printed.out.lines().filter(|line| line.contains("+ Env K")).count()), (6, 10_000));
    assert!(!printed.out.contains('\u{1b}'));
    assert_eq!(diff(&portolan, &format!("{sound} {}", here("large")))["images"][0]["layers"]["base"], 1);
    // jq prints, and the status stays.
    let printed = portolan.line(&format!("diff --exit-code {sound} {} --jq .same", here("large")));
    assert_eq!((printed.status, printed.out.as_str()), (6, "null\n"));
}

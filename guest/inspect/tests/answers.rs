//! What the fixtures do not have: artifacts, attestations of several kinds, referrers, images that are not what they
//! should be; and what is fetched for an answer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use common::{answer, fixtures};
use portolan_oci::{Descriptor, media_type};
use portolan_sdk::Failure;
use portolan_sdk::mock::Mock;
use portolan_strategy::Bundled;
use serde_json::{Value, json};

const STORE: &str = "oci-layout://s";

fn text(mock: &Mock<Bundled>, reference: &str, arguments: &[(&str, &str)]) -> Result<String, Failure> {
    answer(mock, reference, arguments).map(|bytes| String::from_utf8(bytes).unwrap())
}

fn parsed(mock: &Mock<Bundled>, reference: &str, arguments: &[(&str, &str)]) -> Value {
    let arguments: Vec<(&str, &str)> = [("format", "json")].into_iter().chain(arguments.iter().copied()).collect();
    serde_json::from_slice(&answer(mock, reference, &arguments).unwrap()).unwrap()
}

fn shelf() -> Mock<Bundled> {
    Mock::new(Bundled).folder(fixtures().join("layouts"))
}

/// Documents of one repository, and the descriptors that name them.
struct Made {
    mock: Mock<Bundled>,
    repository: &'static str,
}

impl Made {
    fn of(repository: &'static str) -> Made {
        Made { mock: Mock::new(Bundled), repository }
    }

    fn put(self, name: Option<&str>, media_type: &str, document: &Value) -> (Made, Descriptor) {
        let bytes = document.to_string().into_bytes();
        let descriptor = Descriptor::of(media_type, &bytes);
        let mock = self.mock.document(self.repository, name, media_type, bytes);
        (Made { mock, repository: self.repository }, descriptor)
    }

    /// An image of `os/architecture` with these layers' sizes; their blobs are nowhere.
    fn image(self, platform: &str, sizes: &[u64]) -> (Made, Descriptor) {
        let (os, architecture) = platform.split_once('/').unwrap();
        let diff_ids: Vec<String> = (1..=sizes.len()).map(|n| format!("sha256:{n:064}")).collect();
        let config =
            json!({"os": os, "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": diff_ids}});
        let (made, config) = self.put(None, media_type::OCI_CONFIG, &config);
        let layers: Vec<Value> =
            sizes.iter().map(|size| blob("application/vnd.oci.image.layer.v1.tar", *size)).collect();
        let manifest =
            json!({"schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": layers});
        made.put(None, media_type::OCI_MANIFEST, &manifest)
    }

    fn index(self, name: &str, entries: &[Value]) -> Made {
        let index = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries});
        self.put(Some(name), media_type::OCI_INDEX, &index).0
    }
}

fn blob(media_type: &str, size: u64) -> Value {
    json!({"mediaType": media_type, "digest": format!("sha256:{size:064}"), "size": size})
}

/// A descriptor with more members.
fn with(descriptor: &Descriptor, more: Value) -> Value {
    let mut value = serde_json::to_value(descriptor).unwrap();
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    value
}

fn attesting(subject: &Descriptor) -> Value {
    json!({
        "platform": {"os": "unknown", "architecture": "unknown"},
        "annotations": {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": subject.digest},
    })
}

#[test]
fn an_artifact_is_shown_as_what_it_is() {
    let (made, _) = Made::of(STORE).put(
        Some("chart"),
        media_type::OCI_MANIFEST,
        &json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "artifactType": "application/vnd.acme.chart",
            "config": {"mediaType": media_type::OCI_EMPTY, "digest": Descriptor::of("a/b", b"{}").digest, "size": 2},
            "layers": [blob("application/vnd.acme.chart.tar", 12_345)],
            "annotations": {"org.opencontainers.image.title": "chart"},
        }),
    );
    let shown = text(&made.mock, "oci-layout://s:chart", &[]).unwrap();
    let digest = shown.lines().nth(1).and_then(|line| line.strip_prefix("Digest         ")).unwrap();
    assert_eq!(
        shown,
        format!(
            "Name           oci-layout://s:chart
Digest         {digest}
Media type     application/vnd.oci.image.manifest.v1+json
Artifact type  application/vnd.acme.chart

LAYER                                                                       SIZE  MEDIA TYPE
sha256:0000000000000000000000000000000000000000000000000000000000012345  12.3 kB  application/vnd.acme.chart.tar

LEVEL                OF    ANNOTATION                         VALUE
manifest-descriptor  root  org.opencontainers.image.ref.name  chart
manifest             root  org.opencontainers.image.title     chart
"
        )
    );
    let json = parsed(&made.mock, "oci-layout://s:chart", &[]);
    let image = &json["images"][0];
    assert_eq!(image["platform"], Value::Null);
    assert_eq!(image["artifactType"], "application/vnd.acme.chart");
    assert_eq!(image["config"], json!({}));
    assert_eq!((&image["layers"][0]["diffId"], &image["layers"][0]["size"]), (&Value::Null, &json!(12_345)));
    assert_eq!(json["other"], json!([]));
}

#[test]
fn entries_that_are_no_images_are_listed_apart() {
    let (made, image) = Made::of(STORE).image("linux/amd64", &[1, 2]);
    let lost = Descriptor::of(media_type::OCI_MANIFEST, b"nobody has this");
    let statement = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": {"mediaType": media_type::OCI_EMPTY, "digest": Descriptor::of("a/b", b"{}").digest, "size": 2},
        "layers": [],
    });
    let (made, statement) = made.put(None, media_type::OCI_MANIFEST, &statement);
    let mock = made
        .index(
            "1",
            &[
                with(&image, json!({"platform": {"os": "linux", "architecture": "amd64"}})),
                with(&lost, json!({"artifactType": "application/vnd.acme.notes", "annotations": {"a": "b"}})),
                blob("application/octet-stream", 77),
                with(&statement, attesting(&lost)),
            ],
        )
        .mock;
    let json = parsed(&mock, "oci-layout://s:1", &[]);
    let other: Vec<(&Value, &Value)> = json["other"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (&entry["descriptor"]["digest"], &entry["artifactType"]))
        .collect();
    assert_eq!(
        other,
        [
            (&json!(lost.digest), &json!("application/vnd.acme.notes")),
            (&json!(format!("sha256:{:064}", 77)), &Value::Null),
            (&json!(statement.digest), &Value::Null),
        ]
    );
    assert_eq!(json["images"][0]["size"], 3);
    let shown = text(&mock, "oci-layout://s:1", &[]).unwrap();
    assert!(shown.contains("OTHER "), "{shown}");
    assert!(shown.contains("  77 B  application/octet-stream\n"), "{shown}");
}

/// One image with two SBOMs, one of them in an envelope, and two provenances.
fn told() -> (Mock<Bundled>, Descriptor) {
    let (made, image) = Made::of(STORE).image("linux/amd64", &[1]);
    let said = |number: u32| json!({"predicate": {"b": 1.0, "a": number}});
    let (made, first) = made.put(None, media_type::IN_TOTO, &said(1));
    // {"predicate":{"n":2}} in base64, with a line end as some encoders write it.
    let envelope = json!({"payloadType": "application/vnd.in-toto+json", "payload": "eyJwcmVkaWNh\ndGUiOnsibiI6Mn19", "signatures": []});
    let (made, second) = made.put(None, "application/vnd.in-toto.spdx+dsse", &envelope);
    let (made, third) = made.put(None, media_type::IN_TOTO, &said(3));
    let spdx = json!({"annotations": {"in-toto.io/predicate-type": "https://spdx.dev/Document"}});
    let slsa = json!({"annotations": {"in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2"}});
    let attestation = |layers: Value| {
        json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "layers": layers,
            "config": {"mediaType": media_type::OCI_EMPTY, "digest": Descriptor::of("a/b", b"{}").digest, "size": 2},
        })
    };
    let one = attestation(json!([with(&first, spdx.clone()), with(&second, spdx), with(&first, slsa.clone())]));
    let two = attestation(json!([blob("application/vnd.acme", 5), with(&third, slsa.clone()), with(&first, slsa)]));
    let (made, one) = made.put(None, media_type::OCI_MANIFEST, &one);
    let (made, two) = made.put(None, media_type::OCI_MANIFEST, &two);
    let platform = json!({"platform": {"os": "linux", "architecture": "amd64"}});
    let entries = [with(&image, platform), with(&one, attesting(&image)), with(&two, attesting(&image))];
    (made.index("1", &entries).mock, image)
}

#[test]
fn imagetools_shows_further_sboms_and_the_last_provenance() {
    let (mock, _) = told();
    let imagetools = |flag| text(&mock, "oci-layout://s:1", &[("format", "imagetools"), (flag, "true")]).unwrap();
    assert_eq!(
        imagetools("sbom"),
        "{\n  \"SPDX\": {\n    \"a\": 1,\n    \"b\": 1\n  },\n  \"AdditionalSPDXs\": [\n    {\n      \"n\": 2\n    }\n  ]\n}\n"
    );
    assert_eq!(imagetools("provenance"), "{\n  \"SLSA\": {\n    \"a\": 3,\n    \"b\": 1\n  }\n}\n");
}

#[test]
fn json_shows_all_statements_as_stored() {
    let (mock, image) = told();
    let json = parsed(&mock, "oci-layout://s:1", &[("sbom", "true"), ("provenance", "true")]);
    let statements = json["statements"].as_array().unwrap();
    let said: Vec<&Value> = statements.iter().map(|statement| &statement["predicate"]).collect();
    let first = json!({"b": 1.0, "a": 1});
    let third = json!({"b": 1.0, "a": 3});
    assert_eq!(said, [&first, &json!({"n": 2}), &first, &third, &first]);
    assert!(statements.iter().all(|statement| statement["subject"] == json!(image.digest)));
    assert_eq!(statements[1]["descriptor"]["mediaType"], "application/vnd.in-toto.spdx+dsse");
}

#[test]
fn referrers_are_those_of_the_root_and_of_the_images() {
    for (repository, reference) in [("docker.io/acme/app", "acme/app:1"), (STORE, "oci-layout://s:1")] {
        let (made, image) = Made::of(repository).image("linux/amd64", &[1]);
        let index = [with(&image, json!({"platform": {"os": "linux", "architecture": "amd64"}}))];
        let index = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": index});
        let (made, index) = made.put(Some("1"), media_type::OCI_INDEX, &index);
        let referring = |subject: &Descriptor, artifact_type: &str| {
            json!({
                "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "artifactType": artifact_type,
                "config": {"mediaType": media_type::OCI_EMPTY, "digest": Descriptor::of("a/b", b"{}").digest, "size": 2},
                "layers": [], "subject": subject,
            })
        };
        let (made, signature) =
            made.put(Some("s"), media_type::OCI_MANIFEST, &referring(&index, "application/vnd.acme.sig"));
        let (made, notes) =
            made.put(Some("n"), media_type::OCI_MANIFEST, &referring(&image, "application/vnd.acme.notes"));
        let (made, seal) =
            made.put(Some("o"), media_type::OCI_MANIFEST, &referring(&notes, "application/vnd.acme.seal"));
        let mut more = referring(&image, "application/vnd.acme.notes");
        more["annotations"] = json!({"n": "3"});
        let (made, more) = made.put(Some("p"), media_type::OCI_MANIFEST, &more);
        let json = parsed(&made.mock, reference, &[("referrers", "true")]);
        let found: Vec<(&Value, &Value, &Value)> = json["referrers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (&one["subject"], &one["descriptor"]["digest"], &one["artifactType"]))
            .collect();
        assert_eq!(
            found,
            [
                (&json!(index.digest), &json!(signature.digest), &json!("application/vnd.acme.sig")),
                (&json!(image.digest), &json!(notes.digest), &json!("application/vnd.acme.notes")),
                (&json!(image.digest), &json!(more.digest), &json!("application/vnd.acme.notes")),
                (&json!(notes.digest), &json!(seal.digest), &json!("application/vnd.acme.seal")),
            ],
            "{reference}"
        );
        let shown = text(&made.mock, reference, &[("referrers", "true")]).unwrap();
        let row = |branch: &str, of: &Descriptor, kind| format!("{branch}─ {}  {} B  {kind}\n", of.digest, of.size);
        let tree = [
            "root\n".into(),
            row("└", &signature, "application/vnd.acme.sig"),
            "linux/amd64\n".into(),
            row("├", &notes, "application/vnd.acme.notes"),
            row("│  └", &seal, "application/vnd.acme.seal"),
            row("└", &more, "application/vnd.acme.notes"),
        ];
        let squeezed = |text: &str| {
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        assert!(squeezed(&shown).ends_with(&squeezed(&tree.concat())), "{shown}\n{}", tree.concat());
        // Who did not ask is not told, and the registry not asked.
        let asked = made.mock.asked().len();
        assert_eq!(parsed(&made.mock, reference, &[]).get("referrers"), None);
        assert!(!made.mock.asked()[asked..].iter().any(|asked| asked.starts_with("referrers")));
    }
    let shown = text(&shelf(), "oci-layout://skopeo-names:3.16", &[("referrers", "true")]).unwrap();
    assert!(shown.ends_with("\nNo referrers.\n"), "{shown}");
}

/// What containerd notes at a store's entry counts as a subject, as does what an attestation's entry says.
#[test]
fn a_store_is_looked_through_for_referrers() {
    let (made, image) = Made::of(STORE).image("linux/amd64", &[1]);
    let plain = |number: u32| {
        json!({
            "schemaVersion": 2, "annotations": {"n": number.to_string()}, "layers": [],
            "config": {"mediaType": "application/vnd.acme.config+json", "digest": image.digest, "size": 2},
        })
    };
    let (made, inside) = made.put(None, media_type::OCI_MANIFEST, &plain(1));
    // An entry without its content refers to nothing.
    let lost = Descriptor::of(media_type::OCI_MANIFEST, b"nobody has this");
    let entries = [with(&image, json!({})), with(&inside, attesting(&image)), with(&lost, json!({}))];
    let made = made.index("1", &entries);
    let bytes = plain(2).to_string().into_bytes();
    let mut noted = Descriptor::of(media_type::OCI_MANIFEST, &bytes);
    noted.annotations.insert("io.containerd.manifest.subject".into(), image.digest.to_string());
    let mock = made.mock.described(STORE, Some("noted"), noted.clone(), bytes);
    let json = parsed(&mock, "oci-layout://s:1", &[("referrers", "true")]);
    let found: Vec<(&Value, &Value)> = json["referrers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["descriptor"]["digest"], &one["artifactType"]))
        .collect();
    let kind = json!("application/vnd.acme.config+json");
    assert_eq!(found, [(&json!(inside.digest), &kind), (&json!(noted.digest), &kind)]);
}

/// BuildKit 0.32 may keep attestations beside an image instead of in its index.
#[test]
fn statements_beside_an_image_are_found_where_the_index_has_none() {
    for (repository, reference) in [("docker.io/acme/app", "acme/app:1"), (STORE, "oci-layout://s:1")] {
        let (made, image) = Made::of(repository).image("linux/amd64", &[1]);
        let (made, said) = made.put(None, media_type::IN_TOTO, &json!({"predicate": {"name": "found"}}));
        let spdx = json!({"annotations": {"in-toto.io/predicate-type": "https://spdx.dev/Document"}});
        let attestation = json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "subject": image, "layers": [with(&said, spdx)],
            "artifactType": "application/vnd.docker.attestation.manifest.v1+json",
            "config": {"mediaType": media_type::OCI_EMPTY, "digest": Descriptor::of("a/b", b"{}").digest, "size": 2},
        });
        let (made, _) = made.put(Some("a"), media_type::OCI_MANIFEST, &attestation);
        let mock = made.index("1", &[with(&image, json!({"platform": {"os": "linux", "architecture": "amd64"}}))]).mock;
        let json = parsed(&mock, reference, &[("sbom", "true")]);
        assert_eq!(json["statements"][0]["predicate"], json!({"name": "found"}), "{reference}");
        let shown = text(&mock, reference, &[("referrers", "true")]).unwrap();
        assert!(shown.contains("\nATTESTED "), "{shown}");
        let shown = text(&mock, reference, &[]).unwrap();
        assert!(!shown.contains("\nATTESTED "), "nobody asked: {shown}");
    }
}

/// Whoever attests a tag of several platforms speaks of the index. An SBOM may be attached as it is.
#[test]
fn statements_on_an_index_are_shown_with_it() {
    for (repository, reference) in [("docker.io/acme/app", "acme/app:1"), (STORE, "oci-layout://s:1")] {
        let (made, image) = Made::of(repository).image("linux/amd64", &[1]);
        let index = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [
            with(&image, json!({"platform": {"os": "linux", "architecture": "amd64"}})),
        ]});
        let (made, index) = made.put(Some("1"), media_type::OCI_INDEX, &index);
        let (made, document) = made.put(None, "application/spdx+json", &json!({"spdxVersion": "SPDX-2.3"}));
        let sbom = json!({
            "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "subject": index, "layers": [document],
            "artifactType": "application/vnd.acme.sbom",
            "config": {"mediaType": media_type::OCI_EMPTY, "digest": Descriptor::of("a/b", b"{}").digest, "size": 2},
        });
        let mock = made.put(Some("s"), media_type::OCI_MANIFEST, &sbom).0.mock;
        let json = parsed(&mock, reference, &[("sbom", "true")]);
        let statement = &json["statements"][0];
        assert_eq!(statement["predicate"], json!({"spdxVersion": "SPDX-2.3"}), "{reference}");
        assert_eq!(
            (&statement["platform"], &statement["subject"]),
            (&Value::Null, &json!(index.digest)),
            "{reference}"
        );
        let json = parsed(&mock, reference, &[("referrers", "true")]);
        assert_eq!(json["attestations"][0]["predicates"][0]["predicateType"], "https://spdx.dev/Document");
        let shown = text(&mock, reference, &[("referrers", "true")]).unwrap();
        assert!(shown.contains("\nroot      sha256:"), "{shown}");
    }
}

/// cosign 1 and 2 keep what they attest under a tag, and nothing refers to anything.
#[test]
fn statements_under_cosigns_tag_are_found_where_nothing_else_has_them() {
    for (repository, reference) in [("docker.io/acme/app", "acme/app:1"), (STORE, "oci-layout://s:1")] {
        let (made, image) = Made::of(repository).image("linux/amd64", &[1]);
        let made = made.index("1", &[with(&image, json!({"platform": {"os": "linux", "architecture": "amd64"}}))]);
        let real = fixtures().join("layouts/regctl-attested/blobs/sha256");
        let read = |hex: &str| std::fs::read(real.join(hex)).unwrap();
        let manifest = read("249f7ee4b72fcd777c9f73fc2360b29be1d88da3dde3fe05cf2e6eb29eac5f32");
        let envelope = read("b010776a5939ff1513a798367687e65580beff5cb19338c60eac94e76f7f1cd9");
        let tag = format!("sha256-{}.att", image.digest.hex());
        let mock = made.mock.document(repository, Some(&tag), media_type::OCI_MANIFEST, manifest);
        let mock = mock.document(repository, None, "application/vnd.dsse.envelope.v1+json", envelope);
        let json = parsed(&mock, reference, &[("sbom", "true")]);
        assert_eq!(json["statements"][0]["predicateType"], "https://cyclonedx.org/bom", "{reference}");
        assert_eq!(json["statements"][0]["predicate"]["components"][0]["name"], "zlib", "{reference}");
        let none = text(&mock, reference, &[("provenance", "true")]).unwrap_err();
        assert!(none.to_string().contains("has no provenance"), "{none}");
    }
}

/// What a store's entries say of each other may go in a circle.
#[test]
fn images_that_refer_to_each_other_are_shown_once_each() {
    let (made, one) = Made::of(STORE).image("linux/amd64", &[1]);
    let (made, two) = made.image("linux/arm64", &[2]);
    let about = |image: &Descriptor, architecture, subject: &Descriptor| {
        with(
            image,
            json!({
                "platform": {"os": "linux", "architecture": architecture},
                "annotations": {"io.containerd.manifest.subject": subject.digest},
            }),
        )
    };
    let mock = made.index("1", &[about(&one, "amd64", &two), about(&two, "arm64", &one)]).mock;
    let shown = text(&mock, "oci-layout://s:1", &[("referrers", "true")]).unwrap();
    assert_eq!(shown.matches("└─ ").count(), 2, "{shown}");
}

/// As `docker save` and containerd export images: the index whole, one platform's content.
#[test]
fn what_is_not_there_is_said() {
    let (made, image) = Made::of(STORE).image("linux/amd64", &[1]);
    let lost = Descriptor::of(media_type::OCI_MANIFEST, b"nobody has this");
    let nested = Descriptor::of(media_type::OCI_INDEX, b"nor this");
    let platform = |architecture| json!({"platform": {"os": "linux", "architecture": architecture}});
    let mock = made
        .index("1", &[with(&lost, platform("arm64")), with(&image, platform("amd64")), with(&nested, json!({}))])
        .mock;
    let shown = text(&mock, "oci-layout://s:1", &[]).unwrap();
    assert!(shown.contains(&format!("\nlinux/arm64  {}       -  not here\n", lost.digest)), "{shown}");
    assert!(shown.contains(&format!("\n-            {}       -  not here\n", nested.digest)), "{shown}");
    let json = parsed(&mock, "oci-layout://s:1", &[]);
    assert_eq!(json["missing"].as_array().unwrap().len(), 2);
    assert_eq!(json["images"].as_array().unwrap().len(), 1);
    let failure = text(&mock, "oci-layout://s:1", &[("platform", "linux/arm64")]).unwrap_err();
    assert!(failure.is_not_found(), "{failure}");
}

#[test]
fn a_platform_is_looked_at_alone() {
    let mock = shelf();
    text(&mock, "oci-layout://buildkit-multi:1.4", &[("platform", "linux/arm64")]).unwrap();
    let fetched: Vec<String> = mock.asked().into_iter().filter(|asked| asked.starts_with("fetch ")).collect();
    let short: Vec<&str> = fetched.iter().map(|asked| &asked["fetch sha256:".len()..][..4]).collect();
    // index.json, index, manifest, its attestation, its config.
    assert_eq!(short[1..], ["0c29", "f8f1", "50b8", "495c"], "{fetched:?}");
}

#[test]
fn no_layer_is_ever_fetched() {
    for (reference, layer) in [
        ("buildkit-multi:1.4", "sha256:89aaaee8"),
        ("buildkit-sbom:1", "sha256:a2f7a377"),
        ("crane-nested:1", "sha256:e96cff4d"),
    ] {
        let mock = shelf();
        let reference = format!("oci-layout://{reference}");
        for format in ["text", "json", "imagetools"] {
            text(&mock, &reference, &[("format", format)]).unwrap();
        }
        text(&mock, &reference, &[("referrers", "true")]).unwrap();
        assert!(!mock.asked().iter().any(|asked| asked.contains(layer)), "{reference}");
    }
}

#[test]
fn raw_follows_the_platform() {
    let mock = shelf();
    let raw = |platform| answer(&mock, "oci-layout://buildkit-multi:1.4", &[("raw", "true"), ("platform", platform)]);
    let blobs = fixtures().join("layouts/buildkit-multi/blobs/sha256");
    let arm = std::fs::read(blobs.join("7da5a299c1a180a755f0965b5691d8602729ae09a006fede12166e06b707621f")).unwrap();
    assert_eq!(raw("linux/arm/v7"), Ok(arm.clone()));
    // Two wishes, one manifest.
    assert_eq!(raw("linux/arm/v7,linux/arm"), Ok(arm));
    let several = raw("linux/arm64,linux/386").unwrap_err();
    assert!(several.message.contains("several manifests"), "{several}");
}

#[test]
fn the_name_is_shown_as_typed_or_normalised() {
    let dir = fixtures().join("layouts/buildkit-multi");
    let mock = Mock::new(Bundled).registry("docker.io/acme/app", &dir).layout("/a b/multi", &dir);
    for (typed, imagetools, ours) in [
        ("acme/app:1.4", "acme/app:1.4", "docker.io/acme/app:1.4"),
        ("docker://acme/app", "docker://acme/app", "docker.io/acme/app"),
        ("oci-layout://%2Fa%20b%2Fmulti:1.4", "oci-layout:///a b/multi:1.4", "oci-layout:///a b/multi:1.4"),
    ] {
        let name = |format| {
            let json: Value = serde_json::from_slice(&answer(&mock, typed, &[("format", format)]).unwrap()).unwrap();
            json[if format == "json" { "reference" } else { "name" }].clone()
        };
        assert_eq!((name("imagetools"), name("json")), (json!(imagetools), json!(ours)), "{typed}");
    }
}

#[test]
fn names_are_matched_as_the_mode_says() {
    let mock = shelf();
    let imagetools = |reference: &str, mode| {
        let reference = format!("oci-layout://{reference}");
        let arguments = [("format", "imagetools"), ("mode", mode)];
        text(&mock, &reference, &arguments).map(|_| ()).map_err(|failure| failure.is_not_found())
    };
    for (reference, strict, compat) in [
        ("buildkit-multi", Ok(()), Ok(())),
        ("buildkit-multi:1.4", Ok(()), Ok(())),
        ("crane-windows:all", Ok(()), Err(true)),
        ("crane-windows", Ok(()), Err(true)),
        ("umoci:x-123", Ok(()), Ok(())),
        ("umoci:nope", Err(true), Err(true)),
    ] {
        assert_eq!(imagetools(reference, "strict"), strict, "{reference}, strict");
        assert_eq!(imagetools(reference, "compat=imagetools"), compat, "{reference}, compat");
    }
}

#[test]
fn imagetools_narrowed_to_a_platform_has_one_image() {
    let (mock, reference) = (shelf(), "oci-layout://buildkit-multi:1.4");
    let arguments = [("format", "imagetools"), ("platform", "linux/arm64")];
    let json: Value = serde_json::from_slice(&answer(&mock, reference, &arguments).unwrap()).unwrap();
    assert_eq!(json["image"]["architecture"], "arm64");
    assert_eq!(json["manifest"]["manifests"].as_array().unwrap().len(), 8);
}

#[test]
fn indexes_are_read_eight_deep() {
    for (depth, reads) in [(0, true), (8, true), (9, false)] {
        let (mut made, image) = Made::of(STORE).image("linux/amd64", &[1]);
        let mut inner = with(&image, json!({"platform": {"os": "linux", "architecture": "amd64"}}));
        for _ in 0..depth {
            let index = json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [inner]});
            let (with_it, descriptor) = made.put(None, media_type::OCI_INDEX, &index);
            made = with_it;
            inner = with(&descriptor, json!({}));
        }
        let mock = made.index("1", &[inner]).mock;
        for format in ["text", "json", "imagetools"] {
            let answer = text(&mock, "oci-layout://s:1", &[("format", format)]);
            assert_eq!(answer.is_ok(), reads, "{depth} deep, {format}: {answer:?}");
            if let Err(failure) = answer {
                assert_eq!(failure.cause.map(|cause| cause.code).as_deref(), Some("too-large"));
            }
        }
    }
}

#[test]
fn failures_say_what_is_wrong_and_what_to_try() {
    let (made, image) = Made::of(STORE).image("linux/amd64", &[1, 2]);
    let short = json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}});
    let (made, config) = made.put(None, media_type::OCI_CONFIG, &short);
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": [blob("a/b", 1)]});
    let (made, _) = made.put(Some("short"), media_type::OCI_MANIFEST, &manifest);
    let mock = made.index("plain", &[serde_json::to_value(&image).unwrap()]).mock;
    for (reference, arguments, message, code) in [
        ("plain", &[("sbom", "true")][..], "oci-layout://s:plain has no SBOM", Some("not-found")),
        ("plain", &[("provenance", "true")], "oci-layout://s:plain has no provenance", Some("not-found")),
        ("plain", &[("sbom", "true"), ("provenance", "true")], "oci-layout://s:plain has neither", Some("not-found")),
        (
            "plain",
            &[("platform", "linux/s390x")],
            "oci-layout://s:plain has no image for linux/s390x",
            Some("not-found"),
        ),
        ("plain", &[("raw", "true"), ("sbom", "true")], "--raw is a document's bytes", None),
        ("plain", &[("raw", "true"), ("referrers", "true")], "--raw is a document's bytes", None),
        ("plain", &[("sbom", "true"), ("referrers", "true")], "--referrers is shown with the image", None),
        ("plain", &[("format", "imagetools"), ("referrers", "true")], "--format imagetools knows no referrers", None),
        (
            "plain",
            &[("format", "imagetools"), ("sbom", "true"), ("provenance", "true")],
            "--format imagetools shows one",
            None,
        ),
        ("short", &[], "has 1 layers, its config", Some("malformed")),
        ("gone", &[], "cannot find oci-layout://s:gone", Some("not-found")),
    ] {
        let failure = text(&mock, &format!("{STORE}:{reference}"), arguments).unwrap_err();
        assert!(failure.message.contains(message), "{failure}");
        assert_eq!(failure.cause.as_ref().map(|cause| cause.code.as_str()), code, "{failure}");
    }
}

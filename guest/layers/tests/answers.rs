//! What the fixtures do not have: images of several layers, artifacts, documents that do not agree; and what is fetched.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use portolan_layers::Layers;
use portolan_oci::{Descriptor, Digest, media_type};
use portolan_sdk::mock::Mock;
use portolan_sdk::{Body, Failure};
use portolan_strategy::Bundled;
use serde_json::{Value, json};

const STORE: &str = "oci-layout://s";

fn layers(mock: &Mock<Bundled>, name: &str, arguments: &[(&str, &str)]) -> Result<String, Failure> {
    let reference = format!("{STORE}:{name}");
    let arguments: Vec<(&str, &str)> =
        [("ref", reference.as_str())].into_iter().chain(arguments.iter().copied()).collect();
    match mock.run::<Layers>(&arguments)?.body {
        Body::Text(text) => Ok(text),
        _ => panic!("layers answers with text"),
    }
}

fn digest(number: u32) -> String {
    format!("sha256:{number:064x}")
}

fn put(mock: Mock<Bundled>, name: Option<&str>, media_type: &str, document: &Value) -> (Mock<Bundled>, Descriptor) {
    let bytes = document.to_string().into_bytes();
    let descriptor = Descriptor::of(media_type, &bytes);
    (mock.document(STORE, name, media_type, bytes), descriptor)
}

/// An image with these layers and diff-ids; `empty` tells of each step of its history whether it left no layer.
fn image(mock: Mock<Bundled>, name: &str, blobs: &[u32], diff_ids: &[u32], empty: &[bool]) -> Mock<Bundled> {
    let history: Vec<Value> = empty
        .iter()
        .enumerate()
        .map(|(step, &empty)| json!({"created_by": format!("RUN step \\\n\t {step}"), "empty_layer": empty}))
        .collect();
    let diff_ids: Vec<String> = diff_ids.iter().copied().map(digest).collect();
    let config = json!({
        "os": "linux", "architecture": "arm", "variant": "v7",
        "rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": history,
    });
    let (mock, config) = put(mock, None, media_type::OCI_CONFIG, &config);
    let blobs: Vec<Value> = blobs
        .iter()
        .map(|&blob| json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(blob), "size": blob}))
        .collect();
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": blobs});
    put(mock, Some(name), media_type::OCI_MANIFEST, &manifest).0
}

fn shelf() -> Mock<Bundled> {
    let mock = image(Mock::new(Bundled), "three", &[1, 2, 3], &[0xa, 0xb, 0xc], &[false, true, false, false]);
    let mock = image(mock, "untold", &[1, 2], &[0xa, 0xb], &[false]);
    let mock = image(mock, "none", &[], &[], &[]);
    let mock = image(mock, "more-layers", &[1, 2], &[0xa], &[]);
    let mock = image(mock, "more-diff-ids", &[1], &[0xa, 0xb], &[]);
    let empty = Descriptor::of(media_type::OCI_EMPTY, b"{}");
    let blob = json!({"mediaType": "application/vnd.acme", "digest": digest(9), "size": 9});
    let artifact = json!({"schemaVersion": 2, "config": empty, "layers": [blob]});
    let (mock, artifact) = put(mock, Some("artifact"), media_type::OCI_MANIFEST, &artifact);
    let index = |entries: Value| json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": entries});
    let (mock, _) = put(mock, Some("no-images"), media_type::OCI_INDEX, &index(json!([artifact])));
    let lost = Descriptor::of(media_type::OCI_MANIFEST, b"nobody has this");
    put(mock, Some("sparse"), media_type::OCI_INDEX, &index(json!([lost]))).0
}

#[test]
fn keys_are_one_value_a_line() {
    let chain: Vec<String> = {
        let second = Digest::sha256(format!("{} {}", digest(0xa), digest(0xb)).as_bytes());
        let third = Digest::sha256(format!("{second} {}", digest(0xc)).as_bytes());
        vec![digest(0xa), second.to_string(), third.to_string()]
    };
    let lines = |values: &[String]| values.iter().map(|value| format!("{value}\n")).collect::<String>();
    let (blobs, diff_ids) = ([1, 2, 3].map(digest), [0xa, 0xb, 0xc].map(digest));
    let mock = shelf();
    for (name, arguments, wanted) in [
        ("three", &[("last", "true")][..], lines(&blobs[2..])),
        ("three", &[("last", "true"), ("key", "digest")], lines(&blobs[2..])),
        ("three", &[("last", "true"), ("key", "diff-id")], lines(&diff_ids[2..])),
        ("three", &[("last", "true"), ("key", "chain-id")], lines(&chain[2..])),
        ("three", &[("key", "digest")], lines(&blobs)),
        ("three", &[("key", "diff-id")], lines(&diff_ids)),
        ("three", &[("key", "chain-id"), ("platform", "linux/arm")], lines(&chain)),
        ("none", &[("key", "chain-id")], String::new()),
        ("artifact", &[("last", "true")], lines(&[digest(9)])),
    ] {
        assert_eq!(layers(&mock, name, arguments), Ok(wanted), "{name} {arguments:?}");
    }
}

#[test]
fn history_meets_layers_where_all_are_told() {
    let mock = shelf();
    for (name, wanted) in [
        ("three", vec![json!(digest(1)), Value::Null, json!(digest(2)), json!(digest(3))]),
        ("untold", vec![Value::Null]),
        ("none", vec![]),
        ("artifact", vec![]),
    ] {
        let json = layers(&mock, name, &[("history", "true"), ("format", "json")]).unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        let steps = json["images"][0]["history"].as_array().unwrap();
        assert_eq!(steps.iter().map(|step| step["layer"].clone()).collect::<Vec<_>>(), wanted, "{name}");
    }
    let text = layers(&mock, "three", &[("history", "true")]).unwrap();
    assert!(text.ends_with("  3 B  -        RUN step \\ 3\n"), "{text}");
    let text = layers(&mock, "artifact", &[("history", "true")]).unwrap();
    assert!(text.ends_with("  an artifact, which tells no history\n"), "{text}");
}

#[test]
fn an_artifact_has_digests_alone() {
    let mock = shelf();
    let text = layers(&mock, "artifact", &[]).unwrap();
    assert!(
        text.ends_with(&format!("  1 layer, 9 B\n  1  digest  {}  9 B  application/vnd.acme\n", digest(9))),
        "{text}"
    );
    let json: Value = serde_json::from_str(&layers(&mock, "artifact", &[("format", "json")]).unwrap()).unwrap();
    assert_eq!(
        json["images"][0]["layers"],
        json!([{"mediaType": "application/vnd.acme", "digest": digest(9), "size": 9, "diffId": null, "chainId": null}])
    );
    assert_eq!(json["images"][0]["platform"], Value::Null);
}

#[test]
fn failures_say_what_is_wrong_and_what_to_try() {
    let mock = shelf();
    for (name, arguments, message, code) in [
        ("more-layers", &[][..], "has 2 layers, its config", Some("malformed")),
        ("more-diff-ids", &[], "has 1 layers, its config", Some("malformed")),
        ("none", &[("last", "true")], "linux/arm/v7 has no layers", None),
        ("artifact", &[("key", "chain-id")], "is an artifact: its layers have digests only", None),
        ("artifact", &[("platform", "linux/amd64")], "has no image for linux/amd64", Some("not-found")),
        ("no-images", &[], "is an index without images", Some("not-found")),
        ("sparse", &[], "which is not there", Some("not-found")),
        ("three", &[("platform", "linux/amd64")], "has no image for linux/amd64", Some("not-found")),
        ("three", &[("history", "true"), ("last", "true")], "--history lists all steps", None),
        ("three", &[("history", "true"), ("key", "digest")], "--history lists all steps", None),
        ("gone", &[], "cannot find oci-layout://s:gone", Some("not-found")),
    ] {
        let failure = layers(&mock, name, arguments).unwrap_err();
        assert!(failure.message.contains(message), "{name}: {failure}");
        assert_eq!(failure.cause.as_ref().map(|cause| cause.code.as_str()), code, "{name}: {failure}");
    }
}

/// Not by any option, and of a chosen platform's image only manifest and config.
#[test]
fn no_layer_is_ever_fetched() {
    let mock = shelf();
    for arguments in [&[][..], &[("last", "true")], &[("history", "true")], &[("format", "json")]] {
        layers(&mock, "three", arguments).unwrap();
    }
    assert!(!mock.asked().iter().any(|asked| (1..=3).any(|number| asked.contains(&digest(number)))));

    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/layouts/buildkit-multi");
    let mock = Mock::new(Bundled).layout("s", dir);
    layers(&mock, "1.4", &[("platform", "linux/arm64"), ("last", "true"), ("key", "chain-id")]).unwrap();
    let fetched = mock.asked().into_iter().filter(|asked| asked.starts_with("fetch ")).count();
    assert_eq!(fetched, 4, "index.json, index, manifest, config: {:?}", mock.asked());
}

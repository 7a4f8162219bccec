//! What differs and what does not, one thing at a time; what cannot be compared; what is fetched.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod kit;

use kit::{Layer, Shelf, changes, config, digest, entry, layer, with};
use portolan_oci::{Descriptor, Digest, media_type};
use portolan_sdk::code;
use serde_json::{Value, json};

const AMD64: &str = "linux/amd64";
const ARM64: &str = "linux/arm64";
const THREE: [Layer; 3] = [(1, 0xa), (2, 0xb), (3, 0xc)];

/// `a` and `b`: two images for linux/amd64 that differ in what is given.
fn two(a: (Value, &[Layer], Value), b: (Value, &[Layer], Value)) -> Shelf {
    let mut shelf = Shelf::new();
    for (name, (more, layers, manifest)) in [("a", a), ("b", b)] {
        shelf.image(Some(name), &config(AMD64, layers, more), layers, manifest);
    }
    shelf
}

fn configs(a: Value, b: Value) -> Value {
    two((a, &THREE, json!({})), (b, &THREE, json!({}))).json("a", "b", &[])
}

#[test]
fn every_field_of_a_config_counts() {
    let run = |fields: Value| json!({ "config": fields });
    for (a, b, expected) in [
        (
            run(json!({"Env": ["PATH=/bin", "A=1", "C=x=y"]})),
            run(json!({"Env": ["B=2", "PATH=/usr/bin", "C=x=y"]})),
            &[
                r#"config config Env A: "1" -"#,
                r#"config config Env B: - "2""#,
                r#"config config Env PATH: "/bin" "/usr/bin""#,
            ][..],
        ),
        (run(json!({"Entrypoint": ["/a"]})), run(json!({})), &[r#"config config Entrypoint: ["/a"] -"#]),
        (
            run(json!({"Cmd": ["a", "b"]})),
            run(json!({"Cmd": ["b", "a"]})),
            &[r#"config config Cmd: ["a","b"] ["b","a"]"#],
        ),
        (run(json!({"WorkingDir": "/"})), run(json!({"WorkingDir": ""})), &[r#"config config WorkingDir: "/" """#]),
        (run(json!({"User": "1"})), run(json!({"User": "2"})), &[r#"config config User: "1" "2""#]),
        (
            run(json!({"ExposedPorts": {"80/tcp": {}}, "Volumes": {"/v": {}}})),
            run(json!({"ExposedPorts": {"81/tcp": {}}})),
            &[
                "config config ExposedPorts 80/tcp: {} -",
                "config config ExposedPorts 81/tcp: - {}",
                "config config Volumes /v: {} -",
            ],
        ),
        (
            run(json!({"Labels": {"x": "y"}})),
            run(json!({"Labels": {"x": "z"}})),
            &[r#"config config Labels x: "y" "z""#],
        ),
        (run(json!({"StopSignal": "SIGTERM"})), json!({}), &[r#"config config StopSignal: "SIGTERM" -"#]),
        (
            run(json!({"Healthcheck": {"Test": ["CMD", "/a"], "Interval": 5}})),
            run(json!({"Healthcheck": {"Test": ["CMD", "/a"], "Interval": 6}})),
            &["config config Healthcheck Interval: 5 6"],
        ),
        (
            run(json!({"ArgsEscaped": true})),
            run(json!({"OnBuild": []})),
            &["config config ArgsEscaped: true -", "config config OnBuild: - []"],
        ),
        (json!({"created": "2020"}), json!({"created": "2021"}), &[r#"config created: "2020" "2021""#]),
        (json!({"author": "me"}), json!({}), &[r#"config author: "me" -"#]),
        (
            json!({"os.version": "10.0"}),
            json!({"os.features": ["f"]}),
            &[r#"config os.features: - ["f"]"#, r#"config os.version: "10.0" -"#],
        ),
        (json!({"variant": "v2"}), json!({"variant": "v3"}), &[r#"config variant: "v2" "v3""#]),
        (json!({"acme.own": {"a": [1]}}), json!({"acme.own": {"a": [2]}}), &["config acme.own a: [1] [2]"]),
    ] {
        let json = configs(a.clone(), b.clone());
        assert_eq!(changes(&json["images"][0]["changes"]), expected, "{a} {b}");
        assert_eq!((&json["same"], &json["images"][0]["same"]), (&Value::Null, &Value::Null), "{a} {b}");
        // The layers are the same all the same.
        assert_eq!(json["images"][0]["layers"]["base"], 3);
        assert_eq!(json["images"][0]["a"]["unshared"], 0);
    }
}

#[test]
fn what_says_the_same_is_the_same() {
    for (a, b) in [
        (json!({"config": {"Env": ["A=1", "B=2"]}}), json!({"config": {"Env": ["B=2", "A=1"]}})),
        (json!({"config": {"Cmd": null}}), json!({"config": {}})),
        (json!({"author": null, "history": null}), json!({})),
        (json!({"config": {"Labels": null}}), json!({"config": {}, "history": []})),
    ] {
        let json = configs(a.clone(), b.clone());
        assert_eq!((&json["same"], &json["images"][0]["same"]), (&json!("content"), &json!("content")), "{a} {b}");
    }
    let shelf = two((json!({"config": {"Cmd": null}}), &THREE, json!({})), (json!({"config": {}}), &THREE, json!({})));
    assert_eq!(
        shelf.text("a", "b", &[]),
        "oci-layout://s:a and oci-layout://s:b have the same content, linux/amd64; the documents differ: \
         how the config is spelled\n"
    );
    // A name for the same root.
    let one = shelf.json("oci-layout://buildkit-multi:1.4", "oci-layout://buildkit-multi:latest", &[]);
    assert_eq!((&one["same"], &one["images"]), (&json!("root"), &json!([])));
    assert_eq!(one["a"]["root"], one["b"]["root"]);
}

#[test]
fn layers_are_matched_by_chain_digest_and_content() {
    let none = || json!({});
    for (a, b, base, shared, only_a, only_b, unshared) in [
        (&THREE[..], &THREE[..2], 2, vec![(0, 0, "digest"), (1, 1, "digest")], vec![2], vec![], (3, 0)),
        // Another layer in the middle: what lies above is the same blob, and not the same chain.
        (
            &THREE,
            &[(1, 0xa), (9, 0xd), (3, 0xc)],
            1,
            vec![(0, 0, "digest"), (2, 2, "digest")],
            vec![1],
            vec![1],
            (2, 9),
        ),
        (&THREE, &[(3, 0xc), (1, 0xa)], 0, vec![(0, 1, "digest"), (2, 0, "digest")], vec![1], vec![], (2, 0)),
        (&THREE, &[(11, 0xa), (2, 0xb)], 2, vec![(0, 0, "diff-id"), (1, 1, "digest")], vec![2], vec![], (4, 11)),
        (&THREE, &[], 0, vec![], vec![0, 1, 2], vec![], (6, 0)),
        (&[(1, 0xa), (1, 0xa)], &[(1, 0xa)], 1, vec![(0, 0, "digest")], vec![1], vec![], (1, 0)),
    ] {
        let shelf = two((none(), a, none()), (none(), b, none()));
        assert!(shelf.json("b", "a", &[])["same"].is_null(), "{b:?} {a:?}");
        let json = shelf.json("a", "b", &[]);
        let image = &json["images"][0];
        let layers = &image["layers"];
        let positions = |side: &str| -> Vec<u64> {
            layers[side].as_array().unwrap().iter().map(|layer| layer["position"].as_u64().unwrap()).collect()
        };
        let pairs: Vec<(u64, u64, &str)> = (layers["shared"].as_array().unwrap().iter())
            .map(|pair| {
                let place = |side: &str| pair[side]["position"].as_u64().unwrap();
                (place("a"), place("b"), pair["by"].as_str().unwrap())
            })
            .collect();
        assert_eq!(layers["base"], base, "{a:?} {b:?}");
        assert_eq!((pairs, positions("onlyA"), positions("onlyB")), (shared, only_a, only_b), "{a:?} {b:?}");
        let said = (image["a"]["unshared"].as_u64().unwrap(), image["b"]["unshared"].as_u64().unwrap());
        assert_eq!(said, unshared, "{a:?} {b:?}");
        assert!(json["same"].is_null(), "{a:?} {b:?}");
    }
    let json = two((none(), &THREE, none()), (none(), &THREE[..2], none())).json("a", "b", &[]);
    let chain = Digest::sha256(format!("{} {}", digest(0xa), digest(0xb)).as_bytes());
    assert_eq!(json["images"][0]["layers"]["chainId"], chain.as_str());
    assert_eq!(
        json["images"][0]["layers"]["onlyA"],
        json!([with(
            &with(&layer(3), json!({"position": 2, "diffId": digest(0xc)})),
            json!({
                "chainId": Digest::sha256(format!("{chain} {}", digest(0xc)).as_bytes())
            })
        )])
    );
}

#[test]
fn a_layer_compressed_anew_is_the_same_content() {
    let again: [Layer; 3] = [(1, 0xa), (20, 0xb), (30, 0xc)];
    // The usual case: the config is the same document.
    let mut shelf = Shelf::new();
    let config = shelf.put(None, media_type::OCI_CONFIG, &config(AMD64, &THREE, json!({})));
    shelf.manifest(Some("a"), &config, &THREE, json!({}));
    shelf.manifest(Some("b"), &config, &again, json!({}));
    let json = shelf.json("a", "b", &[]);
    assert_eq!((&json["same"], &json["images"][0]["same"]), (&json!("content"), &json!("content")));
    assert_eq!(json["images"][0]["layers"]["base"], 3);
    assert_eq!(json["images"][0]["b"]["unshared"], 50);
    assert_eq!(json["images"][0]["history"], Value::Null);
    assert_eq!(
        shelf.text("a", "b", &[]),
        "oci-layout://s:a and oci-layout://s:b have the same content, linux/amd64; the documents differ: \
         2 layers are compressed differently\n"
    );
}

#[test]
fn steps_of_a_history_are_told_apart_from_their_time() {
    let step = |created: &str, by: &str| json!({"created": created, "created_by": by});
    let history = |steps: &[Value]| json!({ "history": steps });
    let (base, other) = (step("1", "FROM"), step("1", "RUN a"));
    for (a, b, expected) in [
        (vec![base.clone(), step("1", "RUN x")], vec![base.clone(), step("2", "RUN x")], (1, 1, false, 0, 0)),
        (vec![base.clone(), other.clone()], vec![base.clone()], (1, 0, false, 1, 0)),
        (vec![base.clone(), other.clone()], vec![other.clone(), base.clone()], (2, 0, true, 0, 0)),
        (vec![base.clone()], vec![with(&base, json!({"own": 1}))], (0, 0, false, 1, 1)),
        (vec![], vec![base.clone(), base.clone()], (0, 0, false, 0, 2)),
    ] {
        let json = configs(history(&a), history(&b));
        let told = &json["images"][0]["history"];
        let count = |key: &str| told[key].as_array().unwrap().len();
        let found = (
            told["shared"].as_u64().unwrap(),
            count("retimed"),
            told["reordered"].as_bool().unwrap(),
            count("onlyA"),
            count("onlyB"),
        );
        assert_eq!(found, expected, "{a:?} {b:?}");
        assert!(json["same"].is_null());
    }
    let json = configs(history(&[step("1", "RUN x")]), history(&[step("2", "RUN x")]));
    assert_eq!(
        json["images"][0]["history"]["retimed"],
        json!([{"a": {"position": 0, "step": step("1", "RUN x")}, "b": {"position": 0, "step": step("2", "RUN x")}}])
    );
}

#[test]
fn what_a_manifest_says_beside_config_and_layers_counts() {
    let subject = Descriptor::of(media_type::OCI_MANIFEST, b"nobody has this");
    for (a, b, expected) in [
        (
            json!({"annotations": {"x": "1", "y": "2"}}),
            json!({"annotations": {"x": "3"}}),
            &[r#"manifest annotations x: "1" "3""#, r#"manifest annotations y: "2" -"#][..],
        ),
        (json!({"artifactType": "a/b"}), json!({}), &[r#"manifest artifactType: "a/b" -"#]),
        (json!({"own": 1}), json!({}), &["manifest own: 1 -"]),
        (
            json!({"subject": subject}),
            json!({"subject": with(&json!(subject), json!({"size": 1}))}),
            &["manifest subject size: 15 1"],
        ),
    ] {
        let json = two((json!({}), &THREE, a.clone()), (json!({}), &THREE, b.clone())).json("a", "b", &[]);
        assert_eq!(changes(&json["images"][0]["changes"]), expected, "{a} {b}");
    }
}

#[test]
fn docker_s_types_for_the_same_are_another_spelling() {
    let mut shelf = Shelf::new();
    let document = config(AMD64, &THREE, json!({}));
    shelf.image(Some("a"), &document, &THREE, json!({}));
    let config = shelf.put(None, media_type::DOCKER_CONFIG, &document);
    let docker =
        |blob: u32| with(&layer(blob), json!({"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"}));
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::DOCKER_MANIFEST, "config": config,
        "layers": [docker(1), docker(2), docker(3)],
    });
    shelf.put(Some("b"), media_type::DOCKER_MANIFEST, &manifest);
    let json = shelf.json("a", "b", &[]);
    assert_eq!(json["same"], "content");
    assert_eq!(json["b"]["root"]["mediaType"], media_type::DOCKER_MANIFEST);
    assert!(shelf.text("a", "b", &[]).ends_with("the documents differ: media types\n"));
}

/// Two images under an index each.
fn indexes(
    of_a: impl Fn(&mut Shelf, [Descriptor; 2]) -> (Vec<Value>, Value),
    of_b: impl Fn(&mut Shelf, [Descriptor; 2]) -> (Vec<Value>, Value),
) -> Shelf {
    let mut shelf = Shelf::new();
    let images =
        [AMD64, ARM64].map(|platform| shelf.image(None, &config(platform, &THREE, json!({})), &THREE, json!({})));
    let (entries, more) = of_a(&mut shelf, images.clone());
    shelf.index("a", &entries, more);
    let (entries, more) = of_b(&mut shelf, images);
    shelf.index("b", &entries, more);
    shelf
}

fn plain(_: &mut Shelf, [amd64, arm64]: [Descriptor; 2]) -> (Vec<Value>, Value) {
    (vec![entry(&amd64, AMD64, json!({})), entry(&arm64, ARM64, json!({}))], json!({}))
}

#[test]
fn what_an_index_says_counts_between_indexes() {
    let annotated = |_: &mut Shelf, [amd64, arm64]: [Descriptor; 2]| {
        let noted = json!({"annotations": {"k": "v"}});
        (vec![entry(&amd64, AMD64, noted.clone()), entry(&arm64, ARM64, json!({}))], noted)
    };
    let json = indexes(plain, annotated).json("a", "b", &[]);
    assert_eq!(changes(&json["index"]), [r#"index annotations k: - "v""#]);
    assert_eq!(changes(&json["images"][0]["entry"]), [r#"entry annotations k: - "v""#]);
    assert_eq!((&json["same"], &json["images"][0]["same"]), (&Value::Null, &json!("manifest")));
    // For one platform the other's entry and the index itself are nobody's business.
    assert_eq!(indexes(plain, annotated).json("a", "b", &[("platform", ARM64)])["same"], "images");
    assert!(indexes(plain, annotated).json("a", "b", &[("platform", AMD64)])["same"].is_null());

    let attested = |predicates: &'static [&'static str]| {
        move |shelf: &mut Shelf, images: [Descriptor; 2]| {
            let (mut entries, more) = plain(shelf, images.clone());
            entries.push(shelf.attestation(&images[1], predicates));
            (entries, more)
        }
    };
    let spdx = "https://spdx.dev/Document";
    let json = indexes(attested(&["https://slsa.dev/provenance/v1"]), attested(&["https://spdx.dev/Document"])).json(
        "a",
        "b",
        &[],
    );
    assert_eq!(
        changes(&json["images"][1]["entry"]),
        ["entry attestations https://slsa.dev/provenance/v1: 1 -", "entry attestations https://spdx.dev/Document: - 1",]
    );
    assert_eq!(json["images"][1]["b"]["attestations"], json!([spdx]));
    let json = indexes(attested(&["p"]), attested(&["p", "p"])).json("a", "b", &[("platform", ARM64)]);
    assert_eq!(changes(&json["images"][0]["entry"]), ["entry attestations p: 1 2"]);

    // Another order, and an entry that is no image.
    let turned = |shelf: &mut Shelf, images| {
        let (mut entries, more) = plain(shelf, images);
        entries.reverse();
        (entries, more)
    };
    let shelf = indexes(plain, turned);
    assert_eq!(shelf.json("a", "b", &[])["same"], "images");
    assert_eq!(
        shelf.text("a", "b", &[]),
        "oci-layout://s:a and oci-layout://s:b have the same images, linux/amd64, linux/arm64; only the indexes are \
         written differently\n"
    );
    let more = |shelf: &mut Shelf, images| {
        let (mut entries, more) = plain(shelf, images);
        entries.push(with(&layer(5), json!({"mediaType": "application/vnd.acme"})));
        (entries, more)
    };
    let json = indexes(plain, more).json("a", "b", &[]);
    assert_eq!((json["other"]["onlyB"][0]["size"].clone(), &json["same"]), (json!(5), &Value::Null));
}

#[test]
fn one_image_is_compared_with_its_like() {
    let mut shelf = indexes(plain, plain);
    let arm64 = shelf.image(Some("arm64"), &config(ARM64, &THREE, json!({})), &THREE, json!({}));
    let json = shelf.json("arm64", "a", &[]);
    assert_eq!((&json["same"], json["images"].as_array().unwrap().len()), (&json!("images"), 1));
    assert_eq!(
        shelf.text("a", "arm64", &[]),
        format!("oci-layout://s:a and oci-layout://s:arm64 have the same image, linux/arm64: {}\n", arm64.digest)
    );
    // Nothing there for it: then all of it differs.
    shelf.image(Some("s390x"), &config("linux/s390x", &THREE, json!({})), &THREE, json!({}));
    let json = shelf.json("s390x", "a", &[]);
    assert_eq!(json["images"].as_array().unwrap().len(), 3);
    assert!(json["images"].as_array().unwrap().iter().all(|image| image["same"].is_null()));
    // Two images alone are compared whatever they are for.
    let json = shelf.json("s390x", "arm64", &[]);
    assert_eq!(changes(&json["images"][0]["changes"]), [r#"config architecture: "s390x" "arm64""#]);
    assert!(shelf.text("s390x", "arm64", &[]).contains("\nlinux/s390x and linux/arm64\n"));
}

#[test]
fn a_windows_is_compared_with_its_next_revision() {
    let windows = |shelf: &mut Shelf, versions: &[&str]| -> Vec<Value> {
        let entries = versions.iter().map(|version| {
            let config = config("windows/amd64", &THREE, json!({"os.version": version}));
            let image = shelf.image(None, &config, &THREE, json!({}));
            with(&json!(image), json!({"platform": {"os": "windows", "architecture": "amd64", "os.version": version}}))
        });
        entries.collect()
    };
    let mut shelf = Shelf::new();
    let a = windows(&mut shelf, &["10.0.17763.5", "10.0.20348.1"]);
    let b = windows(&mut shelf, &["10.0.20348.9", "10.0.26100.1"]);
    shelf.index("a", &a, json!({}));
    shelf.index("b", &b, json!({}));
    let json = shelf.json("a", "b", &[]);
    let platforms: Vec<(&Value, &Value)> = (json["images"].as_array().unwrap().iter())
        .map(|image| (&image["a"]["platform"], &image["b"]["platform"]))
        .collect();
    assert_eq!(
        platforms,
        [
            (&json!("windows(10.0.17763.5)/amd64"), &Value::Null),
            (&json!("windows(10.0.20348.1)/amd64"), &json!("windows(10.0.20348.9)/amd64")),
            (&Value::Null, &json!("windows(10.0.26100.1)/amd64")),
        ]
    );
    let revision = r#"os.version: "10.0.20348.1" "10.0.20348.9""#;
    assert_eq!(changes(&json["images"][1]["entry"]), [format!("entry platform {revision}")]);
    assert_eq!(changes(&json["images"][1]["changes"]), [format!("config {revision}")]);
}

#[test]
fn artifacts_are_compared_by_manifest_config_and_layers() {
    let artifact = |shelf: &mut Shelf, name: &str, config: &Descriptor, layers: &[Value], more: Value| {
        let manifest =
            json!({"schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": layers});
        shelf.put(Some(name), media_type::OCI_MANIFEST, &with(&manifest, more))
    };
    let mut shelf = Shelf::new();
    let empty = Descriptor::of(media_type::OCI_EMPTY, b"{}");
    let own = Descriptor::of("application/vnd.acme.config", b"nobody has this");
    let titled = |title: &str| with(&layer(2), json!({"annotations": {"org.opencontainers.image.title": title}}));
    artifact(&mut shelf, "a", &empty, &[layer(1), titled("x")], json!({"artifactType": "a/b"}));
    artifact(&mut shelf, "b", &own, &[layer(1), titled("y"), layer(3)], json!({"artifactType": "a/c"}));
    artifact(&mut shelf, "spaced", &empty, &[layer(1), titled("x")], json!({"artifactType": "a/b", "x": null}));
    let json = shelf.json("a", "b", &[]);
    let image = &json["images"][0];
    let title = format!("manifest layers {} annotations org.opencontainers.image.title: \"x\" \"y\"", digest(2));
    assert_eq!(
        changes(&image["changes"]),
        [
            r#"manifest artifactType: "a/b" "a/c""#.to_owned(),
            format!("manifest config digest: \"{}\" \"{}\"", empty.digest, own.digest),
            format!("manifest config mediaType: \"{}\" \"{}\"", empty.media_type, own.media_type),
            "manifest config size: 2 15".to_owned(),
            title,
        ]
    );
    assert_eq!((&image["layers"]["base"], &image["layers"]["onlyB"][0]["size"]), (&json!(2), &json!(3)));
    assert_eq!((&image["platform"], &image["layers"]["chainId"]), (&Value::Null, &Value::Null));
    assert_eq!(shelf.json("a", "spaced", &[])["same"], "content");
    artifact(&mut shelf, "lower", &empty, &[layer(9), titled("x")], json!({"artifactType": "a/b"}));
    let json = shelf.json("a", "lower", &[]);
    assert_eq!((&json["images"][0]["layers"]["base"], &json["same"]), (&json!(0), &Value::Null));
    // And with an image.
    shelf.image(Some("image"), &config(AMD64, &THREE, json!({})), &THREE, json!({}));
    let json = shelf.json("a", "image", &[]);
    assert_eq!(json["images"][0]["layers"]["shared"].as_array().unwrap().len(), 2);
    let text = shelf.text("a", "image", &[]);
    assert!(text.contains(" and linux/amd64\n"), "{text}");
}

#[test]
fn what_cannot_be_compared_is_an_error_that_says_so() {
    let mut shelf = indexes(plain, plain);
    shelf.image(Some("more-layers"), &config(AMD64, &THREE[..1], json!({})), &THREE, json!({}));
    shelf.image(Some("sound"), &config(AMD64, &THREE, json!({})), &THREE, json!({}));
    let lost = Descriptor::of(media_type::OCI_MANIFEST, b"nobody has this");
    shelf.index("sparse", &[entry(&lost, AMD64, json!({}))], json!({}));
    let config = Descriptor::of(media_type::OCI_CONFIG, b"nor this");
    shelf.manifest(Some("no-config"), &config, &[], json!({}));
    for (a, b, platform, code, says) in [
        ("more-layers", "sound", None, code::MALFORMED, "oci-layout://s:more-layers: the manifest has 3 layers"),
        ("sound", "more-layers", None, code::MALFORMED, "oci-layout://s:more-layers: the manifest has 3 layers"),
        ("sparse", "sound", None, code::NOT_FOUND, "for linux/amd64, which is not there"),
        ("no-config", "sound", None, code::NOT_FOUND, config.digest.as_str()),
        ("nope", "sound", None, code::NOT_FOUND, "oci-layout://s:nope"),
        ("sound", "nope", None, code::NOT_FOUND, "oci-layout://s:nope"),
        ("a", "sound", Some("linux/s390x"), code::NOT_FOUND, "has no image for linux/s390x"),
        ("a", "a", Some("linux/s390x"), code::NOT_FOUND, "has no image for linux/s390x"),
    ] {
        let more: Vec<(&str, &str)> = platform.map(|platform| ("platform", platform)).into_iter().collect();
        let failure = shelf.ask(a, b, &more).unwrap_err();
        assert!(failure.message.contains(says), "{a} {b}: {failure:?}");
        assert_eq!(failure.cause.map(|cause| cause.code).as_deref(), Some(code), "{a} {b}");
    }
    // What is alone need not be there.
    let arm64 = shelf.image(None, &kit::config(ARM64, &THREE, json!({})), &THREE, json!({}));
    shelf.index("other", &[entry(&arm64, ARM64, json!({})), entry(&arm64, "linux/386", json!({}))], json!({}));
    let json = shelf.json("sparse", "other", &[]);
    assert_eq!((&json["images"][0]["a"]["size"], json["images"].as_array().unwrap().len()), (&Value::Null, 3));
}

#[test]
fn a_stranger_s_text_stays_on_its_line() {
    let label =
        |text: &str| json!({"config": {"Labels": {"k\n+ Env FORGED": text}}, "history": [{"created_by": text}]});
    let shelf = two((label("\u{1b}[2J\n- x"), &THREE, json!({})), (label("\u{202e}y"), &THREE, json!({})));
    let text = shelf.text("a", "b", &[]);
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    assert!(!text.lines().any(|line| line.trim_start().starts_with("+ Env") || line.starts_with("- x")), "{text}");
    // A name of a megabyte is not what the others are aligned to.
    let long = json!({"config": {"Labels": {"k".repeat(1 << 20): "v"}}});
    let many: Vec<String> = (0..10_000).map(|number| format!("K{number}=v")).collect();
    let shelf = two((long, &THREE, json!({})), (json!({"config": {"Env": many}}), &THREE, json!({})));
    assert!(shelf.text("a", "b", &[]).len() < 3 << 20);
    assert_eq!(shelf.json("a", "b", &[])["images"][0]["changes"].as_array().unwrap().len(), 10_001);
}

#[test]
fn ten_thousand_layers_are_matched() {
    let a: Vec<Layer> = (1..=10_000).map(|number| (number, number)).collect();
    let b: Vec<Layer> = a.iter().rev().map(|&(blob, content)| (blob + (blob % 2) * 20_000, content)).collect();
    let json = two((json!({}), &a, json!({})), (json!({}), &b, json!({}))).json("a", "b", &[]);
    let shared = json["images"][0]["layers"]["shared"].as_array().unwrap();
    assert_eq!(shared.len(), 10_000);
    assert_eq!(shared.iter().filter(|pair| pair["by"] == "diff-id").count(), 5_000);
    assert_eq!(json["images"][0]["layers"]["base"], 0);
}

#[test]
fn no_layer_and_no_statement_is_fetched_and_no_document_twice() {
    let shelf = Shelf::new();
    shelf.json("oci-layout://buildkit-sbom:1", "oci-layout://buildkit-multi:1.4", &[]);
    let asked = shelf.mock.asked();
    let fetched: Vec<&String> = asked.iter().filter(|asked| asked.starts_with("fetch ")).collect();
    let distinct: std::collections::BTreeSet<&&String> = fetched.iter().collect();
    // Two index.json and two indexes; of each side two or four manifests with as many attestations; two configs each.
    assert_eq!((fetched.len(), distinct.len()), (4 + 2 * 2 + 2 * 4 + 4, fetched.len()), "{asked:#?}");
    let shelf = Shelf::new();
    shelf.json("oci-layout://buildkit-multi:1.4", "oci-layout://buildkit-multi:latest", &[]);
    assert!(shelf.mock.asked().iter().filter(|asked| asked.starts_with("fetch ")).count() <= 2, "the entries alone");
}

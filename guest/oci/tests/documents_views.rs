//! What the views hold of a document: descriptors with their sizes, digests and media types, indexes, manifests, configs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan_oci::media_type::{self, Kind, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use portolan_oci::{Config, Descriptor, Digest, Document, History, Index, Manifest, Platform, attestation};
use serde_json::{Value, json};

fn digest() -> String {
    format!("sha256:{}", "a".repeat(64))
}

fn descriptor(media_type: &str, digest: &str, size: &str) -> Result<Descriptor, serde_json::Error> {
    serde_json::from_str(&format!(r#"{{"mediaType":{},"digest":{},"size":{size}}}"#, json!(media_type), json!(digest)))
}

#[test]
fn a_size_is_a_whole_number_of_bytes() {
    #[rustfmt::skip]
    let rows = [
        ("0",                       Some(0)),
        ("1",                       Some(1)),
        ("4294967296",              Some(1 << 32)),
        ("9007199254740993",        Some((1 << 53) + 1)),
        ("9223372036854775807",     Some(i64::MAX as u64)),
        ("9223372036854775808",     None),
        ("18446744073709551615",    None),
        ("18446744073709551616",    None),
        ("1e400",                   None),
        ("-1",                      None),
        ("-0",                      None),
        ("-9223372036854775808",    None),
        ("1.0",                     None),
        ("1.5",                     None),
        ("1e3",                     None),
        ("1E0",                     None),
        ("01",                      None),
        ("+1",                      None),
        ("0x10",                    None),
        (r#""1""#,                  None),
        ("null",                    None),
        ("true",                    None),
        ("[1]",                     None),
        ("{}",                      None),
        ("NaN",                     None),
    ];
    for (text, size) in rows {
        let read = descriptor(OCI_MANIFEST, &digest(), text);
        assert_eq!(read.as_ref().ok().map(|read| read.size), size, "{text}: {read:?}");
    }
}

/// RFC 6838, section 4.2.
#[test]
fn a_media_type_is_a_type_and_a_subtype() {
    let longest = "a".repeat(127);
    let right = [
        "a/b".to_owned(),
        "text/plain".into(),
        OCI_INDEX.into(),
        "application/vnd.oci.image.layer.v1.tar+gzip".into(),
        "application/vnd.in-toto.provenance+dsse".into(),
        "Text/Plain".into(),
        "x-1/0!#$&-^_.+".into(),
        format!("{longest}/{longest}"),
    ];
    for media_type in right {
        assert!(media_type::valid(&media_type), "{media_type}");
        assert_eq!(descriptor(&media_type, &digest(), "1").unwrap().media_type, media_type);
    }
    let wrong = [
        String::new(),
        "/".into(),
        "a".into(),
        "a/".into(),
        "/b".into(),
        "a/b/c".into(),
        "a//b".into(),
        "a b/c".into(),
        "a/b c".into(),
        "a/b ".into(),
        "text/plain; charset=utf-8".into(),
        "a/b,c/d".into(),
        ".a/b".into(),
        "a/+b".into(),
        "a/b\n".into(),
        "a/b\0".into(),
        "a/b\u{1b}[2J".into(),
        "ä/b".into(),
        "a/ü".into(),
        "*/*".into(),
        "a/(b)".into(),
        format!("{longest}a/b"),
        format!("a/{longest}b"),
    ];
    for media_type in wrong {
        assert!(!media_type::valid(&media_type), "{media_type:?}");
        assert!(descriptor(&media_type, &digest(), "1").is_err(), "{media_type:?}");
    }
}

#[test]
fn a_content_types_essence_is_its_media_type() {
    #[rustfmt::skip]
    let rows = [
        ("application/json",                        "application/json"),
        ("application/json; charset=utf-8",         "application/json"),
        ("Application/JSON;charset=utf-8",          "application/json"),
        ("  text/html  ;x=y;z",                     "text/html"),
        ("APPLICATION/VND.OCI.IMAGE.INDEX.V1+JSON", OCI_INDEX),
        ("",                                        ""),
        (";",                                       ""),
    ];
    for (content_type, essence) in rows {
        assert_eq!(media_type::essence(content_type), essence, "{content_type:?}");
    }
}

#[test]
fn a_media_type_says_what_a_document_is_for() {
    #[rustfmt::skip]
    let rows = [
        ("application/vnd.oci.image.index.v1+json",                         Kind::Index),
        ("application/vnd.docker.distribution.manifest.list.v2+json",       Kind::Index),
        ("application/vnd.oci.image.manifest.v1+json",                      Kind::Manifest),
        ("application/vnd.docker.distribution.manifest.v2+json",            Kind::Manifest),
        ("application/vnd.oci.image.config.v1+json",                        Kind::Config),
        ("application/vnd.docker.container.image.v1+json",                  Kind::Config),
        ("application/vnd.in-toto+json",                                    Kind::Attestation),
        ("application/vnd.in-toto+dsse",                                    Kind::Attestation),
        ("application/vnd.in-toto.provenance+dsse",                         Kind::Attestation),
        ("application/vnd.oci.image.layer.v1.tar",                          Kind::Layer),
        ("application/vnd.oci.image.layer.v1.tar+gzip",                     Kind::Layer),
        ("application/vnd.oci.image.layer.v1.tar+zstd",                     Kind::Layer),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",    Kind::Layer),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip",               Kind::Layer),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",       Kind::Layer),
        ("application/vnd.oci.empty.v1+json",                               Kind::Other),
        ("application/vnd.docker.distribution.manifest.v1+json",            Kind::Other),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws",       Kind::Other),
        ("application/vnd.cncf.helm.config.v1+json",                        Kind::Other),
        ("application/json",                                                Kind::Other),
        ("application/vnd.oci.image.index.v1+json; charset=utf-8",          Kind::Other),
        ("APPLICATION/VND.OCI.IMAGE.INDEX.V1+JSON",                         Kind::Other),
        ("",                                                                Kind::Other),
    ];
    for (media_type, kind) in rows {
        assert_eq!(media_type::kind(media_type), kind, "{media_type}");
        assert_eq!(media_type::is_index(media_type), kind == Kind::Index, "{media_type}");
        assert_eq!(media_type::is_manifest(media_type), kind == Kind::Manifest, "{media_type}");
        assert_eq!(media_type::is_image_config(media_type), kind == Kind::Config, "{media_type}");
        assert_eq!(media_type::is_statement(media_type), kind == Kind::Attestation, "{media_type}");
        assert_eq!(
            media_type::is_schema1(media_type),
            media_type.contains("manifest.v1+") && media_type.contains("docker")
        );
    }
    for root in media_type::ROOTS {
        assert!(media_type::is_index(root) || media_type::is_manifest(root), "{root}");
    }
}

#[test]
fn what_is_null_is_absent() {
    let nulls = json!({
        "mediaType": OCI_MANIFEST, "digest": digest(), "size": 1,
        "urls": null, "annotations": null, "data": null, "platform": null, "artifactType": null,
    });
    let bare = Descriptor::new(OCI_MANIFEST, Digest::parse(&digest()).unwrap(), 1);
    assert_eq!(serde_json::from_value::<Descriptor>(nulls.clone()).unwrap(), bare);

    let index =
        json!({ "mediaType": null, "artifactType": null, "manifests": null, "subject": null, "annotations": null });
    let index = Index::parse(index.to_string().as_bytes()).unwrap();
    assert!(index.manifests.is_empty() && index.annotations.is_empty() && index.media_type.is_none());

    let manifest =
        json!({ "config": nulls, "layers": null, "subject": null, "annotations": null, "artifactType": null });
    let manifest = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
    assert_eq!(manifest.config, bare);
    assert!(manifest.layers.is_empty() && manifest.subject.is_none());

    let platform =
        json!({ "os": null, "architecture": null, "variant": null, "os.version": null, "os.features": null });
    assert_eq!(serde_json::from_value::<Platform>(platform.clone()).unwrap(), Platform::default());

    let mut config = platform;
    for key in ["rootfs", "history", "created"] {
        config[key] = Value::Null;
    }
    let config = Config::parse(config.to_string().as_bytes()).unwrap();
    assert_eq!(config, Config::parse(b"{}").unwrap());
    assert_eq!(config, Config { platform: Platform::default(), created: None, diff_ids: vec![], history: vec![] });
    assert!(Config::parse(br#"{"rootfs":{"diff_ids":null}}"#).unwrap().diff_ids.is_empty());
}

#[test]
fn what_must_be_there_must_be_there() {
    let digest = digest();
    #[rustfmt::skip]
    let rows = [
        json!({ "digest": digest, "size": 1 }),
        json!({ "mediaType": OCI_MANIFEST, "size": 1 }),
        json!({ "mediaType": OCI_MANIFEST, "digest": digest }),
        json!({ "mediaType": null, "digest": digest, "size": 1 }),
        json!({ "mediaType": OCI_MANIFEST, "digest": null, "size": 1 }),
        json!({ "mediaType": OCI_MANIFEST, "digest": "", "size": 1 }),
        json!({ "mediaType": OCI_MANIFEST, "digest": "sha256:../../etc/passwd", "size": 1 }),
        json!({ "mediaType": OCI_MANIFEST, "digest": digest.to_uppercase(), "size": 1 }),
        json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": 1, "platform": "linux/amd64" }),
        json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": 1, "platform": { "os": 1 } }),
        json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": 1, "platform": { "os.features": "a" } }),
        json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": 1, "platform": { "os.features": [1] } }),
        json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": 1, "annotations": [] }),
        json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": 1, "annotations": { "a": 1 } }),
        json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": 1, "urls": "https://example.com" }),
        json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": 1, "data": 1 }),
        json!({ "mediaType": OCI_MANIFEST, "digest": digest, "size": 1, "artifactType": {} }),
    ];
    for descriptor in rows {
        assert!(serde_json::from_value::<Descriptor>(descriptor.clone()).is_err(), "{descriptor}");
        let index = json!({ "manifests": [descriptor] }).to_string();
        assert!(Index::parse(index.as_bytes()).is_err(), "{index}");
        let manifest = json!({ "config": descriptor, "layers": [] }).to_string();
        assert!(Manifest::parse(manifest.as_bytes()).is_err(), "{manifest}");
    }
    for index in [json!({}), json!({ "manifests": 1 }), json!({ "manifests": [1] }), json!([]), json!(null)] {
        assert!(Index::parse(index.to_string().as_bytes()).is_err(), "{index}");
    }
    for manifest in [json!({}), json!({ "layers": [] }), json!({ "config": null }), json!(null)] {
        assert!(Manifest::parse(manifest.to_string().as_bytes()).is_err(), "{manifest}");
    }
    for config in [
        json!(null),
        json!("x"),
        json!({ "rootfs": { "diff_ids": ["x"] } }),
        json!({ "os": 1 }),
        json!({ "history": {} }),
    ] {
        assert!(Config::parse(config.to_string().as_bytes()).is_err(), "{config}");
    }
}

#[test]
fn an_algorithm_that_nobody_knows_is_read() {
    let read = descriptor(OCI_MANIFEST, "blake3:abc", "1").unwrap();
    assert_eq!((read.digest.as_str(), read.digest.algorithm()), ("blake3:abc", None));
}

/// Fields in the order of Go's struct, what is empty left out, annotations sorted.
#[test]
fn a_descriptor_is_written_as_go_writes_it() {
    let full = Descriptor {
        urls: vec!["https://example.com/a".into()],
        annotations: [("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())].into(),
        data: Some("YQ==".into()),
        platform: Some(Platform {
            os: "windows".into(),
            architecture: "amd64".into(),
            variant: "v2".into(),
            os_version: "10.0.1".into(),
            os_features: vec!["win32k".into()],
        }),
        artifact_type: Some("a/b".into()),
        ..Descriptor::new(OCI_MANIFEST, Digest::parse(&digest()).unwrap(), 7)
    };
    let written = serde_json::to_string(&full).unwrap();
    assert_eq!(
        written,
        format!(
            r#"{{"mediaType":"{OCI_MANIFEST}","digest":"{}","size":7,"urls":["https://example.com/a"],"annotations":{{"a":"1","b":"2"}},"data":"YQ==","platform":{{"architecture":"amd64","os":"windows","os.version":"10.0.1","os.features":["win32k"],"variant":"v2"}},"artifactType":"a/b"}}"#,
            digest()
        )
    );
    assert_eq!(serde_json::from_str::<Descriptor>(&written).unwrap(), full);
    assert_eq!(
        serde_json::to_string(&full.bare()).unwrap(),
        format!(r#"{{"mediaType":"{OCI_MANIFEST}","digest":"{}","size":7}}"#, digest())
    );
    // Go leaves neither architecture nor os out.
    assert_eq!(serde_json::to_string(&Platform::default()).unwrap(), r#"{"architecture":"","os":""}"#);
}

#[test]
fn attestations_are_known_by_annotation_or_type() {
    let with = |annotations: &[(&str, &str)], artifact_type: Option<&str>| Descriptor {
        annotations: annotations.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect(),
        artifact_type: artifact_type.map(str::to_owned),
        ..Descriptor::new(OCI_MANIFEST, Digest::parse(&digest()).unwrap(), 1)
    };
    let (kind, new, old) = ("vnd.docker.reference.type", "vnd.docker.reference.digest", "com.docker.reference.digest");
    let artifact_type = Some("application/vnd.docker.attestation.manifest.v1+json");
    #[rustfmt::skip]
    let rows = [
        // entry                                                                    attestation     of
        (with(&[], None),                                                           false,          None),
        (with(&[(kind, "attestation-manifest"), (new, "sha256:a")], None),          true,           Some("sha256:a")),
        (with(&[(kind, "attestation-manifest"), (old, "sha256:b")], None),          true,           Some("sha256:b")),
        (with(&[(kind, "attestation-manifest"), (old, "x"), (new, "y")], None),     true,           Some("y")),
        (with(&[(kind, "attestation-manifest")], None),                             true,           None),
        (with(&[(kind, "other"), (new, "sha256:a")], None),                         false,          Some("sha256:a")),
        (with(&[(kind, "")], None),                                                 false,          None),
        (with(&[], artifact_type),                                                  true,           None),
        (with(&[], Some("application/vnd.oci.image.config.v1+json")),               false,          None),
    ];
    for (entry, is, of) in rows {
        assert_eq!(entry.is_attestation(), is, "{entry:?}");
        assert_eq!(entry.attestation_subject(), of, "{entry:?}");
    }
    assert_eq!(artifact_type, Some(attestation::ARTIFACT_TYPE));
}

#[test]
fn a_config_is_read_as_far_as_it_says_what_an_image_is_made_of() {
    let config = json!({
        "created": "2024-01-01T00:00:00Z", "author": "someone", "architecture": "arm", "os": "linux", "variant": "v7",
        "os.version": "1", "os.features": ["a"], "config": { "Env": ["A=b"], "Healthcheck": {} },
        "rootfs": { "type": "layers", "diff_ids": [digest(), "blake3:abc"] },
        "history": [
            { "created": "2024-01-01T00:00:00Z", "created_by": "COPY . .", "author": "a", "comment": "c" },
            { "created_by": "CMD", "empty_layer": true, "unknown": 1 },
            {},
        ],
        "moby.buildkit.cache.v0": "x",
    });
    let config = Config::parse(config.to_string().as_bytes()).unwrap();
    assert_eq!(config.platform.long(), "linux(1+a)/arm/v7");
    assert_eq!(config.created.as_deref(), Some("2024-01-01T00:00:00Z"));
    assert_eq!(config.diff_ids.iter().map(Digest::as_str).collect::<Vec<_>>(), [&*digest(), "blake3:abc"]);
    assert_eq!(
        config.history,
        [
            History {
                created: Some("2024-01-01T00:00:00Z".into()),
                created_by: Some("COPY . .".into()),
                author: Some("a".into()),
                comment: Some("c".into()),
                empty_layer: false,
            },
            History { created_by: Some("CMD".into()), empty_layer: true, ..History::default() },
            History::default(),
        ]
    );
}

#[test]
fn an_image_is_a_manifest_with_an_images_config() {
    let manifest = |media_type: &str| {
        let config = json!({ "mediaType": media_type, "digest": digest(), "size": 2 });
        Manifest::parse(json!({ "config": config, "layers": [] }).to_string().as_bytes()).unwrap()
    };
    assert!(manifest(OCI_CONFIG).is_image());
    assert!(manifest(media_type::DOCKER_CONFIG).is_image());
    assert!(!manifest(media_type::OCI_EMPTY).is_image());
    assert!(!manifest("application/vnd.cncf.helm.config.v1+json").is_image());
}

#[test]
fn a_descriptor_of_bytes_has_their_digest_and_size() {
    let document = br#"{"manifests":[]}"#;
    let descriptor = Descriptor::of(OCI_INDEX, document);
    assert_eq!((descriptor.size, descriptor.kind()), (16, Kind::Index));
    assert!(descriptor.digest.matches(document));
    assert!(matches!(Document::parse(document), Ok(Document::Index(_))));
}

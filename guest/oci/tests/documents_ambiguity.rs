//! Documents that could be read as two things, and documents that are not what they are said to be.
//!
//! In the tables `$DESC` stands for a descriptor's keys, `$CONF` for those of an image config's, `$OCI_INDEX` for that media
//! type.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan_oci::document::{check, media_type_of};
use portolan_oci::media_type::{
    DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED, IN_TOTO, OCI_CONFIG, OCI_INDEX,
    OCI_MANIFEST,
};
use portolan_oci::{Document, Malformed};

fn expand(row: &str) -> String {
    let digest = format!("sha256:{}", "a".repeat(64));
    let descriptor = |media_type: &str| format!(r#""mediaType":"{media_type}","digest":"{digest}","size":1"#);
    row.replace("$DESC", &descriptor(OCI_MANIFEST))
        .replace("$CONF", &descriptor(OCI_CONFIG))
        .replace("$DOCKERCONF", &descriptor(DOCKER_CONFIG))
        .replace("$OCI_INDEX", OCI_INDEX)
        .replace("$OCI_MANIFEST", OCI_MANIFEST)
        .replace("$DOCKER_LIST", DOCKER_LIST)
        .replace("$DOCKER_MANIFEST", DOCKER_MANIFEST)
}

fn checked(media_type: &str, document: &str) -> Result<(), Malformed> {
    check(media_type, expand(document).as_bytes(), 1000)
}

#[test]
fn a_shape_is_an_index_or_a_manifest() {
    const AMBIGUOUS: &str = "ambiguous";
    const NEITHER: &str = "neither index nor manifest";
    #[rustfmt::skip]
    let rows = [
        // document                                                         is
        (r#"{"manifests":[]}"#,                                             "index"),
        (r#"{"manifests":null}"#,                                           "index"),
        (r#"{"manifests":[{$DESC}]}"#,                                       "index"),
        (r#"{"schemaVersion":2,"manifests":[]}"#,                           "index"),
        (r#"{"schemaVersion":2,"mediaType":"$OCI_INDEX","manifests":[]}"#,   "index"),
        (r#"{"mediaType":"$DOCKER_LIST","manifests":[]}"#,                   "index"),
        (r#"{"mediaType":"","manifests":[]}"#,                              "index"),
        (r#"{"mediaType":null,"manifests":[]}"#,                            "index"),
        (r#"{"manifests":[],"subject":{$DESC},"artifactType":"a/b"}"#,       "index"),
        (r#"{"config":{$CONF}}"#,                                            "manifest"),
        (r#"{"config":{$CONF},"layers":[]}"#,                                "manifest"),
        (r#"{"config":{$CONF},"layers":null}"#,                              "manifest"),
        (r#"{"config":{$CONF},"layers":[{$DESC}],"subject":{$DESC}}"#,         "manifest"),
        (r#"{"mediaType":"$OCI_MANIFEST","config":{$CONF}}"#,                 "manifest"),
        (r#"{"mediaType":"$DOCKER_MANIFEST","config":{$DOCKERCONF}}"#,        "manifest"),
        (r#"{"mediaType":"","config":{$CONF}}"#,                             "manifest"),
        (r#"{"manifests":[],"config":{$CONF}}"#,                             AMBIGUOUS),
        (r#"{"manifests":[],"layers":[]}"#,                                 AMBIGUOUS),
        (r#"{"manifests":[],"config":{$CONF},"layers":[]}"#,                 AMBIGUOUS),
        (r#"{"manifests":null,"config":{$CONF}}"#,                           AMBIGUOUS),
        (r#"{"manifests":[],"config":null}"#,                               AMBIGUOUS),
        (r#"{"manifests":[],"layers":null}"#,                               AMBIGUOUS),
        (r#"{"mediaType":"$OCI_INDEX","layers":[],"manifests":[]}"#,         AMBIGUOUS),
        (r#"{}"#,                                                           NEITHER),
        (r#"{"mediaType":"$OCI_INDEX"}"#,                                    NEITHER),
        (r#"{"schemaVersion":2,"annotations":{}}"#,                         NEITHER),
        (r#"{"subject":{$DESC}}"#,                                           NEITHER),
        (r#"{"errors":[{"code":"DENIED"}]}"#,                               NEITHER),
        (r#"null"#,                                                         NEITHER),
        (r#"{"mediaType":"$OCI_MANIFEST","manifests":[]}"#,                  "its shape is that of an index"),
        (r#"{"mediaType":"$DOCKER_MANIFEST","manifests":[]}"#,               "its shape is that of an index"),
        (r#"{"mediaType":"$OCI_INDEX","config":{$CONF}}"#,                    "its shape is that of a manifest"),
        (r#"{"mediaType":"$DOCKER_LIST","layers":[]}"#,                      "its shape is that of a manifest"),
        (r#"{"mediaType":"text/html","manifests":[]}"#,                     "its shape is that of an index"),
        (r#"{"mediaType":"$OCI_INDEX; charset=utf-8","manifests":[]}"#,      "its shape is that of an index"),
        (r#"{"mediaType":" ","config":{$CONF}}"#,                            "its shape is that of a manifest"),
    ];
    for (document, is) in rows {
        let read = Document::parse(expand(document).as_bytes());
        let type_of = media_type_of(expand(document).as_bytes(), false);
        match (is, read) {
            ("index", Ok(Document::Index(_))) => assert!(checked(OCI_INDEX, document).is_ok(), "{document}"),
            ("manifest", Ok(Document::Manifest(_))) => assert!(checked(OCI_MANIFEST, document).is_ok(), "{document}"),
            (reason, Err(error)) => {
                assert!(error.to_string().contains(reason), "{document}: {error}");
                assert_eq!(type_of, Err(error), "{document}");
                assert!(
                    checked(OCI_INDEX, document).is_err() && checked(OCI_MANIFEST, document).is_err(),
                    "{document}"
                );
            }
            (_, Ok(read)) => panic!("{document} is {read:?}"),
        }
    }
}

#[test]
fn bytes_without_a_media_type_have_one() {
    #[rustfmt::skip]
    let rows = [
        // document                                                         strict              compat
        (r#"{"mediaType":"$OCI_INDEX","manifests":[]}"#,                     OCI_INDEX,          OCI_INDEX),
        (r#"{"mediaType":"$DOCKER_LIST","manifests":[]}"#,                   DOCKER_LIST,        DOCKER_LIST),
        (r#"{"mediaType":"$OCI_MANIFEST","config":{$DOCKERCONF}}"#,           OCI_MANIFEST,       OCI_MANIFEST),
        (r#"{"mediaType":"$DOCKER_MANIFEST","config":{$CONF}}"#,              DOCKER_MANIFEST,    DOCKER_MANIFEST),
        (r#"{"manifests":[]}"#,                                             OCI_INDEX,          DOCKER_LIST),
        (r#"{"mediaType":"","manifests":[]}"#,                              OCI_INDEX,          DOCKER_LIST),
        (r#"{"config":{$CONF},"layers":[]}"#,                                OCI_MANIFEST,       DOCKER_MANIFEST),
        (r#"{"config":{$DOCKERCONF},"layers":[]}"#,                          DOCKER_MANIFEST,    DOCKER_MANIFEST),
        (r#"{"layers":[],"config":{$DOCKERCONF}}"#,                          DOCKER_MANIFEST,    DOCKER_MANIFEST),
        (r#"{"layers":[]}"#,                                                OCI_MANIFEST,       DOCKER_MANIFEST),
        (r#"{"config":null}"#,                                              OCI_MANIFEST,       DOCKER_MANIFEST),
        (r#"{"config":{}}"#,                                                OCI_MANIFEST,       DOCKER_MANIFEST),
    ];
    for (document, strict, compat) in rows {
        let bytes = expand(document);
        assert_eq!(media_type_of(bytes.as_bytes(), false).unwrap(), strict, "{document}");
        assert_eq!(media_type_of(bytes.as_bytes(), true).unwrap(), compat, "{document}");
    }
}

#[test]
fn a_content_type_may_not_contradict_the_shape() {
    let index = r#"{"manifests":[]}"#;
    let manifest = r#"{"config":{$CONF}}"#;
    #[rustfmt::skip]
    let rows = [
        // said to be           document                                            passes
        (OCI_INDEX,             index,                                              true),
        (DOCKER_LIST,           index,                                              true),
        (OCI_MANIFEST,          index,                                              false),
        (DOCKER_MANIFEST,       index,                                              false),
        (OCI_INDEX,             manifest,                                           false),
        (DOCKER_LIST,           manifest,                                           false),
        (OCI_MANIFEST,          manifest,                                           true),
        (DOCKER_MANIFEST,       manifest,                                           true),
        // Docker's name for what is said to be OCI's is the same shape.
        (OCI_INDEX,             r#"{"mediaType":"$DOCKER_LIST","manifests":[]}"#,    true),
        (OCI_MANIFEST,          r#"{"mediaType":"$OCI_INDEX","manifests":[]}"#,      false),
        (OCI_INDEX,             r#"{"mediaType":"$OCI_MANIFEST","manifests":[]}"#,   false),
        // A config has no shape to contradict, but it is an object.
        (OCI_CONFIG,            r#"{}"#,                                            true),
        (DOCKER_CONFIG,         r#"{"architecture":"amd64","os":"linux"}"#,         true),
        (OCI_CONFIG,            r#"[]"#,                                            false),
        (OCI_CONFIG,            r#""config""#,                                      false),
        (OCI_CONFIG,            r#"{"rootfs":[]}"#,                                 false),
        // Other documents are not ours to judge.
        (IN_TOTO,               r#"{"a":1,"a":2}"#,                                 true),
        ("text/plain",          "no JSON at all",                                   true),
        ("application/vnd.oci.empty.v1+json", "{}",                                 true),
    ];
    for (media_type, document, passes) in rows {
        assert_eq!(checked(media_type, document).is_ok(), passes, "{document} as {media_type}");
    }
    let message = checked(OCI_MANIFEST, index).unwrap_err().to_string();
    assert!(message.contains(OCI_MANIFEST) && message.contains("shape is that of an index"), "{message}");
}

#[test]
fn schema_1_is_refused_by_name() {
    #[rustfmt::skip]
    let rows = [
        // said to be               document                                                            message
        (DOCKER_SCHEMA1,            r#"{"config":{$CONF}}"#,                                             "schema 1"),
        (DOCKER_SCHEMA1_SIGNED,     r#"{"schemaVersion":1}"#,                                           "schema 1"),
        (DOCKER_SCHEMA1,            "not even JSON",                                                    "schema 1"),
        (OCI_MANIFEST,              r#"{"schemaVersion":1,"config":{$CONF}}"#,                           "schema 1"),
        (OCI_MANIFEST,              r#"{"schemaVersion":1.0,"config":{$CONF}}"#,                         "schema 1"),
        (OCI_INDEX,                 r#"{"schemaVersion":1,"manifests":[]}"#,                            "schema 1"),
        (DOCKER_MANIFEST,           r#"{"schemaVersion":1,"name":"a","fsLayers":[],"history":[]}"#,     "schema 1"),
        (OCI_MANIFEST,              r#"{"schemaVersion":2,"fsLayers":[]}"#,                             "fsLayers"),
        (OCI_MANIFEST,              r#"{"config":{$CONF},"layers":[],"fsLayers":[]}"#,                   "fsLayers"),
        (OCI_INDEX,                 r#"{"manifests":[],"fsLayers":null}"#,                              "fsLayers"),
        (OCI_MANIFEST,
            r#"{"mediaType":"application/vnd.docker.distribution.manifest.v1+json","config":{$CONF}}"#,  "schema 1"),
        (OCI_MANIFEST,
            r#"{"mediaType":"application/vnd.docker.distribution.manifest.v1+prettyjws","layers":[]}"#, "schema 1"),
    ];
    for (media_type, document, message) in rows {
        let error = checked(media_type, document).unwrap_err().to_string();
        assert!(error.contains(message), "{document} as {media_type}: {error}");
        // Said to be of schema 1 and not being so is enough for the check; bytes that come without a type are what they are.
        assert!(media_type == DOCKER_SCHEMA1 || Document::parse(expand(document).as_bytes()).is_err(), "{document}");
    }
    for version in ["2", "0", "3", "null", "-1"] {
        assert!(checked(OCI_INDEX, &format!(r#"{{"schemaVersion":{version},"manifests":[]}}"#)).is_ok(), "{version}");
    }
    for version in [r#""2""#, "true", "[]", "{}", "1e400"] {
        assert!(checked(OCI_INDEX, &format!(r#"{{"schemaVersion":{version},"manifests":[]}}"#)).is_err(), "{version}");
    }
}

/// Every object whose keys are ours to know, with a hole.
#[rustfmt::skip]
const PLACES: &[(&str, &str, &str)] = &[
    // what                     document                                                                        a known key
    ("index",                   r#"{"schemaVersion":2,"manifests":[],$HOLE}"#,                                   "manifests"),
    ("index",                   r#"{"schemaVersion":2,"manifests":[],$HOLE}"#,                                   "schemaVersion"),
    ("manifest",                r#"{"config":{$CONF},"layers":[],$HOLE}"#,                                        "layers"),
    ("manifest",                r#"{"config":{$CONF},"layers":[],$HOLE}"#,                                        "config"),
    ("manifest's subject",      r#"{"config":{$CONF},"subject":{$DESC,$HOLE}}"#,                                   "digest"),
    ("index's subject",         r#"{"manifests":[],"subject":{$DESC,$HOLE}}"#,                                    "size"),
    ("entry",                   r#"{"manifests":[{$DESC},{$DESC,$HOLE}]}"#,                                        "mediaType"),
    ("entry",                   r#"{"manifests":[{$DESC,"annotations":{},$HOLE}]}"#,                              "annotations"),
    ("entry's platform",        r#"{"manifests":[{$DESC,"platform":{"os":"linux",$HOLE}}]}"#,                     "os"),
    ("entry's platform",        r#"{"manifests":[{$DESC,"platform":{"os.version":"1",$HOLE}}]}"#,                 "os.version"),
    ("config's descriptor",     r#"{"config":{$CONF,$HOLE}}"#,                                                    "digest"),
    ("config's descriptor",     r#"{"config":{$CONF,$HOLE}}"#,                                                    "mediaType"),
    ("layer",                   r#"{"layers":[{$DESC,$HOLE}]}"#,                                                  "size"),
    ("layer",                   r#"{"layers":[{$DESC,"urls":[],$HOLE}]}"#,                                        "urls"),
    ("layer's platform",        r#"{"layers":[{$DESC,"platform":{"variant":"v8",$HOLE}}]}"#,                      "variant"),
    ("image config",            r#"{"architecture":"amd64","os":"linux",$HOLE}"#,                                "os"),
    ("image config",            r#"{"architecture":"amd64","os":"linux",$HOLE}"#,                                "architecture"),
    ("image config's rootfs",   r#"{"rootfs":{"type":"layers","diff_ids":[],$HOLE}}"#,                           "diff_ids"),
];

fn media_type_for(what: &str, document: &str) -> &'static str {
    match what.starts_with("image config") {
        true => OCI_CONFIG,
        false if document.contains(r#""manifests""#) => OCI_INDEX,
        false => OCI_MANIFEST,
    }
}

#[test]
fn keys_come_once() {
    for (what, document, known) in PLACES {
        let media_type = media_type_for(what, document);
        let with = |hole: &str| checked(media_type, &document.replace("$HOLE", hole));
        assert!(with(r#""unknown":1"#).is_ok(), "{what}");
        assert!(with(r#""unknown":1,"Unknown":2"#).is_ok(), "{what}: other people's keys may differ by case");
        for hole in [
            format!(r#""{known}":1"#),
            format!(r#""{known}":null"#),
            r#""x":1,"y":2,"x":1"#.into(),
            r#""":1,"":1"#.into(),
        ] {
            let message = with(&hole).unwrap_err().to_string();
            assert!(message.contains("twice"), "{what}, {hole}: {message}");
        }
        // However the key is written.
        let escaped: String = known.chars().map(|char| format!("\\u{:04x}", u32::from(char))).collect();
        assert!(with(&format!(r#""{escaped}":1"#)).unwrap_err().to_string().contains("twice"), "{what}");
    }
}

/// Go reads a key in any case, and takes the long s for an S.
#[test]
fn keys_come_in_one_case() {
    for (what, document, known) in PLACES {
        let media_type = media_type_for(what, document);
        let mut capital = known.to_string();
        capital.replace_range(..1, &known[..1].to_uppercase());
        let variants = [known.to_uppercase(), capital, known.replace('s', "ſ"), known.replace('s', "\\u017f")];
        for variant in variants.into_iter().filter(|variant| variant != known) {
            let message =
                checked(media_type, &document.replace("$HOLE", &format!(r#""{variant}":1"#))).unwrap_err().to_string();
            assert!(message.contains("must be written"), "{what}, {variant}: {message}");
        }
    }
    // Alone they are refused as well: what Go would read and we would not is no fact that we share.
    for document in [
        r#"{"Manifests":[]}"#,
        r#"{"manifests":[],"Config":{}}"#,
        r#"{"config":{$CONF},"layerſ":[]}"#,
        r#"{"manifests":[],"FSLayers":[]}"#,
    ] {
        assert!(
            Document::parse(expand(document).as_bytes()).unwrap_err().to_string().contains("must be written"),
            "{document}"
        );
    }
}

#[test]
fn what_is_inside_other_peoples_values_is_theirs() {
    let twice = r#"{"a":1,"a":2,"A":3}"#;
    #[rustfmt::skip]
    let rows = [
        (OCI_INDEX,     r#"{"manifests":[],"annotations":{"a":"1","a":"2","A":"3","mediaType":"x","Manifests":"y"}}"#),
        (OCI_INDEX,     r#"{"manifests":[{$DESC,"annotations":{"a":"1","a":"2","Size":"3"}}]}"#),
        (OCI_MANIFEST,  r#"{"config":{$CONF},"annotations":{"a":"1","a":"2"}}"#),
        (OCI_MANIFEST,  r#"{"layers":[{$DESC,"annotations":{"a":"1","a":"2"}}]}"#),
        (OCI_INDEX,     r#"{"manifests":[],"unknown":$TWICE}"#),
        (OCI_INDEX,     r#"{"manifests":[{$DESC,"unknown":[$TWICE]}]}"#),
        (OCI_INDEX,     r#"{"manifests":[{$DESC,"platform":{"features":$TWICE}}]}"#),
        (OCI_CONFIG,    r#"{"config":{"Labels":{"a":"1","a":"2","A":"3"},"Env":[],"Env":[]}}"#),
        (OCI_CONFIG,    r#"{"history":[$TWICE],"moby.buildkit.cache.v0":$TWICE}"#),
        (DOCKER_CONFIG, r#"{"container_config":$TWICE,"config":$TWICE}"#),
    ];
    for (media_type, document) in rows {
        let document = document.replace("$TWICE", twice);
        assert_eq!(checked(media_type, &document), Ok(()), "{document}");
    }
}

#[test]
fn a_list_is_no_object_and_an_object_no_list() {
    #[rustfmt::skip]
    let rows = [
        (OCI_INDEX,     r#"[]"#),
        (OCI_INDEX,     r#"[2,"$OCI_INDEX",[]]"#),
        (OCI_INDEX,     r#""manifests""#),
        (OCI_INDEX,     r#"1"#),
        (OCI_INDEX,     r#"{"manifests":{}}"#),
        (OCI_INDEX,     r#"{"manifests":"x"}"#),
        (OCI_INDEX,     r#"{"manifests":1}"#),
        (OCI_INDEX,     r#"{"manifests":[[]]}"#),
        (OCI_INDEX,     r#"{"manifests":["x"]}"#),
        (OCI_INDEX,     r#"{"manifests":[{$DESC,"platform":["amd64","linux"]}]}"#),
        (OCI_INDEX,     r#"{"manifests":[{$DESC,"platform":"linux/amd64"}]}"#),
        (OCI_INDEX,     r#"{"manifests":[],"subject":[]}"#),
        (OCI_INDEX,     r#"{"mediaType":1,"manifests":[]}"#),
        (OCI_INDEX,     r#"{"mediaType":["$OCI_INDEX"],"manifests":[]}"#),
        (OCI_MANIFEST,  r#"{"config":[]}"#),
        (OCI_MANIFEST,  r#"{"config":"x"}"#),
        (OCI_MANIFEST,  r#"{"config":{"mediaType":1}}"#),
        (OCI_MANIFEST,  r#"{"config":{$CONF},"layers":{}}"#),
        (OCI_MANIFEST,  r#"{"config":{$CONF},"layers":[1]}"#),
    ];
    for (media_type, document) in rows {
        assert!(checked(media_type, document).is_err(), "{document}");
        assert!(Document::parse(expand(document).as_bytes()).is_err(), "{document}");
    }
}

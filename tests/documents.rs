//! Documents from somewhere hostile, as every source judges them and as a guest then reads them. They come from memory
//! here: the checks are the same whatever the medium.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan::source::memory::Memory;
use portolan::source::{Source, Target};
use portolan::{Code, Limits};
use portolan_oci::media_type::{
    DOCKER_LIST, DOCKER_MANIFEST, DOCKER_SCHEMA1, IN_TOTO, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST,
};
use portolan_oci::{Config, Descriptor, Digest, Index, Manifest, media_type};
use portolan_tests::layout::{index, json};

mod stores;
use stores::{Counting, assert_error, refused, streamed, walk};

/// Fetches what `bytes` say they are and reads it as that: nothing, or the message of whoever refused it.
async fn read_as(media_type: &str, bytes: impl AsRef<[u8]>) -> String {
    let memory = Memory::new("r.example/a");
    let descriptor = memory.insert(media_type, bytes.as_ref().to_vec());
    match memory.fetch(&descriptor, &Limits::default()).await {
        Err(error) => {
            assert_eq!(error.code(), Code::Malformed, "{error}");
            format!("host: {}", error.detail())
        }
        Ok(bytes) => {
            let view = if media_type::is_index(media_type) {
                Index::parse(&bytes).map(drop)
            } else if media_type::is_manifest(media_type) {
                Manifest::parse(&bytes).map(drop)
            } else if media_type::is_image_config(media_type) {
                Config::parse(&bytes).map(drop)
            } else {
                Ok(())
            };
            view.map_or_else(|malformed| format!("guest: {malformed}"), |()| String::new())
        }
    }
}

/// An index with one entry, of which this text is the digest, the size or the platform.
fn entry(digest: &str, size: &str, platform: &str) -> String {
    let entry = format!(r#"{{"mediaType":"{OCI_MANIFEST}","digest":{digest},"size":{size},"platform":{platform}}}"#);
    format!(r#"{{"schemaVersion":2,"manifests":[{entry}]}}"#)
}

fn with_digest(digest: &str) -> String {
    entry(&format!("\"{digest}\""), "2", "null")
}

fn with_size(size: &str) -> String {
    entry(&format!("\"{}\"", Digest::sha256(b"{}")), size, "null")
}

fn with_platform(platform: &str) -> String {
    entry(&format!("\"{}\"", Digest::sha256(b"{}")), "2", platform)
}

#[tokio::test]
#[rustfmt::skip]
async fn hostile_documents() {
    let config = json(&Descriptor::of(OCI_CONFIG, b"{}"));
    let many = (0..100_000).map(|n| format!(r#""k{n}":"v""#)).collect::<Vec<_>>().join(",");
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let annotated = |annotations: &str| format!(r#"{{"manifests":[],"annotations":{annotations}}}"#);
    let hex = "a".repeat(64);
    let rows: Vec<(&str, &str, String, &str)> = vec![
        ("an index", OCI_INDEX, index(&[]), ""),
        ("a manifest", OCI_MANIFEST, format!(r#"{{"config":{config}}}"#), ""),
        ("a config", OCI_CONFIG, "{}".into(), ""),
        ("what is none of these is not judged", IN_TOTO, "no JSON".into(), ""),

        // Ambiguous documents (CVE-2021-41190).
        ("both index and manifest", OCI_INDEX, r#"{"manifests":[],"config":{}}"#.into(), "host: it is ambiguous"),
        ("index with layers", OCI_INDEX, r#"{"manifests":[],"layers":[]}"#.into(), "host: it is ambiguous"),
        ("index told to be a manifest", OCI_MANIFEST, index(&[]), "host: its media type is application/vnd.oci.image.manifest.v1+json, and its shape is that of an index"),
        ("manifest told to be an index", DOCKER_LIST, format!(r#"{{"config":{config}}}"#), "and its shape is that of a manifest"),
        ("index that says manifest", OCI_INDEX, format!(r#"{{"mediaType":"{OCI_MANIFEST}","manifests":[]}}"#), "host: it says that it is \"application/vnd.oci.image.manifest.v1+json\", and its shape is that of an index"),
        ("fsLayers too", OCI_MANIFEST, format!(r#"{{"config":{config},"fsLayers":[]}}"#), "host: it has fsLayers"),
        ("schema 1", DOCKER_SCHEMA1, r#"{"schemaVersion":1}"#.into(), "host: it is a Docker manifest of schema 1"),
        ("schema 1 in disguise", OCI_INDEX, r#"{"schemaVersion":1,"manifests":[]}"#.into(), "host: it is a Docker manifest of schema 1"),
        ("a key twice", OCI_INDEX, r#"{"manifests":[],"manifests":[]}"#.into(), "the key \"manifests\" twice"),
        ("a key unheard of, twice", OCI_INDEX, r#"{"manifests":[],"x":1,"x":2}"#.into(), "the key \"x\" twice"),
        ("a key in another case", OCI_INDEX, r#"{"manifests":[],"Manifests":[]}"#.into(), "the key \"Manifests\", which must be written \"manifests\""),
        ("the same in a manifest", DOCKER_MANIFEST, format!(r#"{{"config":{config},"Config":1}}"#), "the key \"Config\", which must be written \"config\""),
        ("in a platform", OCI_INDEX, with_platform(r#"{"os":"a","os":"b"}"#), "the key \"os\" twice"),
        ("in a config", OCI_CONFIG, r#"{"os":"a","OS":"b"}"#.into(), "the key \"OS\", which must be written \"os\""),
        ("not in annotations", OCI_INDEX, annotated(r#"{"a":"1","a":"2"}"#), ""),
        ("not in labels", OCI_CONFIG, r#"{"config":{"Labels":{"a":"1","a":"2"}}}"#.into(), ""),

        // JSON that is none, or that is too much.
        ("nothing", OCI_INDEX, String::new(), "host: no readable index or manifest: EOF"),
        ("null", OCI_INDEX, "null".into(), "host: it is neither index nor manifest"),
        ("a list", OCI_INDEX, "[]".into(), "host: no readable index or manifest: a list where an object is meant"),
        ("an empty object", OCI_INDEX, "{}".into(), "host: it is neither index nor manifest"),
        ("null for none", OCI_INDEX, r#"{"manifests":null}"#.into(), ""),
        ("an object for a list", OCI_INDEX, r#"{"manifests":{}}"#.into(), "an object where a list is meant"),
        ("null for an entry", OCI_INDEX, r#"{"manifests":[null]}"#.into(), "guest: no readable index: invalid type: null"),
        ("a list for an entry", OCI_INDEX, r#"{"manifests":[[]]}"#.into(), "a list where an object is meant"),
        ("a byte order mark", OCI_INDEX, "\u{feff}{\"manifests\":[]}".into(), "expected value at line 1 column 1"),
        ("NUL behind it", OCI_INDEX, "{\"manifests\":[]}\0".into(), "trailing characters"),
        ("a second document", OCI_INDEX, r#"{"manifests":[]}{}"#.into(), "trailing characters"),
        ("NUL in a text", OCI_INDEX, annotated(r#"{"a":"\u0000"}"#), ""),
        ("half a surrogate pair", OCI_INDEX, annotated(r#"{"a":"\ud800"}"#), "guest: no readable index: unexpected end of hex escape"),
        ("lists, 100 000 deep", OCI_INDEX, format!(r#"{{"manifests":[],"x":{}}}"#, nested("[", "]")), ""),
        ("objects, 100 000 deep", OCI_INDEX, annotated(&nested("{\"a\":", "}").replace(":}", ":1}")), "guest: no readable index: invalid type: map"),
        ("entries, 100 000 deep", OCI_INDEX, format!(r#"{{"manifests":{}}}"#, nested("[", "]")), "a list where an object is meant"),
        ("100 000 annotations", OCI_INDEX, annotated(&format!("{{{many}}}")), ""),
        ("a text of 1 MiB", OCI_INDEX, annotated(&format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20))), ""),

        // Digests.
        ("an empty digest", OCI_INDEX, with_digest(""), "\"\" is no digest"),
        ("a path", OCI_INDEX, with_digest("sha256:../../../etc/passwd"), "\"sha256:../../../etc/passwd\" is no digest"),
        ("an escaped path", OCI_INDEX, with_digest("sha256:%2e%2e"), "is no digest: its digits must be hexadecimal"),
        ("upper case", OCI_INDEX, with_digest(&format!("sha256:{}", hex.to_uppercase())), "is no digest: its digits must be lower-case"),
        ("63 digits", OCI_INDEX, with_digest(&format!("sha256:{}", &hex[1..])), "is no digest: sha256 has 64 digits, not 63"),
        ("65 digits", OCI_INDEX, with_digest(&format!("sha256:{hex}a")), "is no digest: sha256 has 64 digits, not 65"),
        ("a line break", OCI_INDEX, with_digest(&format!("sha256:{hex}\\r\\n")), "is no digest"),
        ("an algorithm unheard of", OCI_INDEX, with_digest("md5:00ff"), ""),
        ("a number for a digest", OCI_INDEX, entry("7", "2", "null"), "guest: no readable index: invalid type: integer `7`"),
        ("a path for a diff-id", OCI_CONFIG, r#"{"rootfs":{"diff_ids":["sha256:.."]}}"#.into(), "\"sha256:..\" is no digest"),

        // Sizes.
        ("negative", OCI_INDEX, with_size("-1"), "guest: no readable index: invalid value: integer `-1`"),
        ("negative zero", OCI_INDEX, with_size("-0"), "guest: no readable index: invalid type: floating point `-0.0`"),
        ("with a fraction", OCI_INDEX, with_size("2.0"), "guest: no readable index: invalid type: floating point `2.0`"),
        ("beyond floats", OCI_INDEX, with_size("1e400"), "guest: no readable index: number out of range"),
        ("2^63-1", OCI_INDEX, with_size("9223372036854775807"), ""),
        ("2^63", OCI_INDEX, with_size("9223372036854775808"), "guest: no readable index: a size of 9223372036854775808 is more than 2^63-1"),
        ("a text", OCI_INDEX, with_size("\"2\""), "guest: no readable index: invalid type: string \"2\""),

        // Platforms.
        ("a number", OCI_INDEX, with_platform("7"), "expected an object"),
        ("a list for a platform", OCI_INDEX, with_platform("[]"), "a list where an object is meant"),
        ("a number for an os", OCI_INDEX, with_platform(r#"{"os":7}"#), "guest: no readable index: invalid type: integer `7`"),
        ("a text for features", OCI_INDEX, with_platform(r#"{"os.features":"a"}"#), "guest: no readable index: invalid type: string \"a\""),
        ("a path for an os", OCI_INDEX, with_platform(r#"{"os":"../../x","architecture":"/etc"}"#), ""),
    ];
    for (what, media_type, bytes, expected) in rows {
        let verdict = read_as(media_type, bytes).await;
        match expected {
            "" => assert_eq!(verdict, "", "{what}"),
            part => assert!(verdict.contains(part), "{what}: {verdict:?}"),
        }
    }
}

/// `Code`, or that it went well, of fetching content that claims to have `claimed` bytes.
async fn fetched(memory: &Memory, descriptor: &Descriptor, claimed: u64, limits: &Limits) -> Result<(), Code> {
    let told = Descriptor { size: claimed, ..descriptor.clone() };
    memory.fetch(&told, limits).await.map(drop).map_err(|error| error.code())
}

#[tokio::test]
async fn documents_at_their_limits() {
    let memory = Memory::new("r.example/a");
    let limits = Limits { document: 100, attestation: 200, ..Limits::default() };
    let padded = |size: usize| format!("{:<size$}", r#"{"manifests":[]}"#);
    for (media_type, size, expected) in [
        (OCI_INDEX, 100, Ok(())),
        (OCI_INDEX, 101, Err(Code::TooLarge)),
        (IN_TOTO, 200, Ok(())),
        (IN_TOTO, 201, Err(Code::TooLarge)),
        ("application/x-anything", 201, Err(Code::TooLarge)),
    ] {
        let descriptor = memory.insert(media_type, padded(size));
        assert_eq!(fetched(&memory, &descriptor, size as u64, &limits).await, expected, "{media_type} of {size}");
    }
    let small = memory.insert(OCI_INDEX, padded(50));
    for (claimed, expected) in [
        (0, Err(Code::DigestMismatch)),
        (49, Err(Code::DigestMismatch)),
        (50, Ok(())),
        (51, Err(Code::DigestMismatch)),
        (1 << 62, Err(Code::TooLarge)),
        (u64::MAX, Err(Code::TooLarge)),
    ] {
        assert_eq!(fetched(&memory, &small, claimed, &limits).await, expected, "{claimed} claimed");
    }
}

#[tokio::test]
async fn entries_of_an_index_are_counted() {
    let memory = Memory::new("r.example/a");
    let child = Descriptor::of(OCI_MANIFEST, b"{}");
    // The same child again and again is an index like any other.
    for (entries, is_refused) in [(100_000, false), (100_001, true)] {
        let descriptor = memory.insert(OCI_INDEX, index(&vec![child.clone(); entries]));
        let limits = Limits { document: 64 << 20, ..Limits::default() };
        match memory.fetch(&descriptor, &limits).await {
            Ok(_) => assert!(!is_refused),
            Err(error) => {
                assert!(is_refused && error.detail().contains("a list of more than 100000 entries"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn embedded_content_is_used_where_it_is_right_and_urls_are_not_followed() {
    let memory = Memory::new("r.example/a");
    let told = |data: &str| Descriptor {
        data: Some(data.into()),
        urls: vec![
            "http://169.254.169.254/".into(),
            "file:///etc/passwd".into(),
            "https://user:pass@r.example/".into(),
        ],
        ..Descriptor::of("a/b", b"hello")
    };
    let limits = Limits::default();
    let embedded = told("aGVsbG8=");
    assert_eq!(memory.fetch(&embedded, &limits).await.unwrap(), "hello");
    for wrong in ["", "aGVsbG8", "!!!!", "aGFsbG8=", "aGVsbG8h"] {
        let error = memory.fetch(&told(wrong), &limits).await.unwrap_err();
        assert_error(
            &error,
            Code::NotFound,
            &format!("cannot fetch r.example/a@{}: it is not there", embedded.digest),
            wrong,
        );
        assert_eq!(error.code(), refused(&memory, &told(wrong), wrong).await.code());
    }
}

#[tokio::test]
async fn memory_answers_as_a_registry_and_as_a_store() {
    let memory = Memory::new("r.example/a");
    let limits = Limits::default();
    let layer = memory.insert("application/vnd.oci.image.layer.v1.tar", "layer");
    let config = memory.insert(OCI_CONFIG, "{}");
    let image = memory.insert(OCI_MANIFEST, format!(r#"{{"config":{},"layers":[{}]}}"#, json(&config), json(&layer)));
    let signature = memory.insert(
        OCI_MANIFEST,
        format!(
            r#"{{"artifactType":"application/x-signature","config":{},"subject":{},"annotations":{{"a":"b"}}}}"#,
            json(&config),
            json(&image)
        ),
    );
    memory.tag("1", &image);
    memory.tag("latest", &image);

    assert_eq!(memory.resolve(Target::Tag("1"), &limits).await.unwrap(), image);
    assert_eq!(memory.resolve(Target::Digest(&signature.digest), &limits).await.unwrap(), signature);
    let error = memory.resolve(Target::Tag("2"), &limits).await.unwrap_err();
    assert_error(&error, Code::NotFound, "cannot resolve r.example/a:2: it is not there", "a tag");

    assert_eq!(memory.tags(None).await.unwrap().tags, ["1", "latest"]);
    assert_eq!(streamed(&memory, &layer).await.unwrap(), b"layer");
    assert_eq!(memory.read(&layer, 1, 3).await.unwrap(), "aye");
    assert_eq!(memory.read(&layer, 9, 3).await.unwrap(), "");

    let counting = Counting::new(memory);
    let reached = walk(&counting).await;
    assert_eq!(reached.manifests.len(), 1);
    assert!(!counting.counted().contains_key(&layer.digest));

    for (kind, expected) in [(None, 1), (Some("application/x-signature"), 1), (Some("application/x-other"), 0)] {
        let referrers = counting.source.referrers(&image.digest, kind, &limits).await.unwrap();
        let found = Index::parse(&referrers).unwrap().manifests;
        assert_eq!(found.len(), expected);
        assert!(found.iter().all(|found| found.digest == signature.digest && found.annotations["a"] == "b"));
    }
}

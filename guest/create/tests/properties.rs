//! Whatever the sources are: nothing is lost, the order stands, the same again is the same, and the document is one that
//! image-spec allows.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod kit;

use std::collections::BTreeSet;

use kit::{Built, beside, create, digests, docker, document, hold, image, index, index_of, mock};
use portolan_sdk::mock::Mock;
use portolan_sdk::oci::{Digest, attestation, media_type};
use portolan_strategy::Bundled;
use proptest::prelude::*;
use serde_json::{Value, json};

const PLATFORMS: [&str; 6] =
    ["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386", "windows(10.0.20348.1)/amd64", "freebsd/riscv64"];

/// Something that a source may be, in a few shapes that overlap often.
fn source() -> impl Strategy<Value = Built> {
    let one =
        (0..PLATFORMS.len(), 0..3u8, any::<bool>(), any::<bool>()).prop_map(|(place, label, of_docker, noted)| {
            let make = if of_docker { docker } else { image };
            make(PLATFORMS[place], &label.to_string()).entry(|entry| {
                if noted && !of_docker {
                    entry.annotations = kit::annotations(&[("k", "<&>\u{2028}"), ("", "é")]);
                    entry.annotations.remove("");
                }
            })
        });
    let many = prop::collection::vec((one.clone(), any::<bool>()), 1..5);
    let several = (many, 0..3u8).prop_map(|(images, kind)| {
        let mut below: Vec<Built> = Vec::new();
        for (image, stated) in images {
            if below.iter().any(|known| known.digest() == image.digest()) {
                continue;
            }
            if stated && kind != 1 {
                below.push(beside(&image));
            }
            below.insert(0, image);
        }
        let of_docker = |it: &Built| it.descriptor.media_type == media_type::DOCKER_MANIFEST;
        match kind {
            1 if below.iter().all(of_docker) => index_of(media_type::DOCKER_LIST, below, &json!({})),
            0 | 1 => index(below),
            _ => index_of(media_type::OCI_INDEX, vec![index(below)], &json!({"annotations": {"own": "1"}})),
        }
    });
    prop_oneof![one, several]
}

fn held(sources: &[Built]) -> (Mock<Bundled>, Vec<String>) {
    let mut lines = Vec::new();
    let mut all = mock();
    for (place, source) in sources.iter().enumerate() {
        let repository = format!("r.example/{}", place % 2);
        all = hold(all, &repository, Some(&format!("t{place}")), source);
        lines.push(format!("{repository}:t{place}"));
    }
    (all, lines)
}

fn words(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

/// What the sources hold, each digest once, in their order.
fn expected(sources: &[Built]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let entries = sources.iter().flat_map(|source| match source.descriptor.kind() {
        portolan_sdk::oci::Kind::Index => source.below.iter().collect(),
        _ => vec![source],
    });
    entries.map(|it| it.digest().to_string()).filter(|digest| seen.insert(digest.clone())).collect()
}

/// The digests of the entries that are no statements.
fn images(document: &Value) -> Vec<String> {
    let entries = document["manifests"].as_array().unwrap().iter();
    let images = entries.filter(|entry| entry["annotations"].get(attestation::REFERENCE_TYPE).is_none());
    images.map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect()
}

/// image-spec's rules for an index (image-index.md, descriptor.md and their schemas), and that of a list for Docker's.
fn allowed(document: &Value) -> Result<(), String> {
    let fail = |what: &str, value: &Value| Err(format!("{what}: {value}"));
    let media_types = [media_type::OCI_INDEX, media_type::DOCKER_LIST];
    if document["schemaVersion"] != 2 {
        return fail("schemaVersion is 2", document);
    }
    let own = document["mediaType"].as_str().unwrap_or_default();
    if !media_types.contains(&own) {
        return fail("mediaType", document);
    }
    let known = ["schemaVersion", "mediaType", "artifactType", "manifests", "subject", "annotations"];
    only(document, &known)?;
    texts(document.get("annotations"))?;
    let entries = document["manifests"].as_array().ok_or("manifests is a list")?;
    let mut seen = BTreeSet::new();
    for entry in entries {
        descriptor(entry)?;
        if own == media_type::DOCKER_LIST
            && !entry["mediaType"].as_str().unwrap().starts_with("application/vnd.docker.")
        {
            return fail("a list holds Docker's types", entry);
        }
        if !seen.insert(entry["digest"].as_str()) {
            return fail("each digest once", entry);
        }
    }
    document.get("subject").map_or(Ok(()), descriptor)
}

fn descriptor(entry: &Value) -> Result<(), String> {
    only(entry, &["mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType"])?;
    for key in ["mediaType", "artifactType"] {
        match entry.get(key) {
            Some(Value::String(text)) if media_type::valid(text) => {}
            None if key == "artifactType" => {}
            other => return Err(format!("{key}: {other:?}")),
        }
    }
    let digest = entry["digest"].as_str().ok_or("a digest is a text")?;
    Digest::parse(digest).map_err(|error| error.to_string())?;
    if entry["size"].as_i64().is_none_or(|size| size < 0) {
        return Err(format!("size: {entry}"));
    }
    texts(entry.get("annotations"))?;
    let Some(platform) = entry.get("platform") else { return Ok(()) };
    only(platform, &["architecture", "os", "os.version", "os.features", "variant"])?;
    for key in ["architecture", "os"] {
        if platform[key].as_str().is_none_or(str::is_empty) {
            return Err(format!("{key}: {platform}"));
        }
    }
    Ok(())
}

fn texts(map: Option<&Value>) -> Result<(), String> {
    match map {
        None => Ok(()),
        Some(Value::Object(map)) if !map.is_empty() && map.values().all(Value::is_string) => Ok(()),
        Some(other) => Err(format!("a map of texts, not empty: {other}")),
    }
}

fn only(object: &Value, keys: &[&str]) -> Result<(), String> {
    let object = object.as_object().ok_or("an object")?;
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(format!("{key} is no key of it")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_the_order_stands(sources in prop::collection::vec(source(), 2..5)) {
        let (mock, lines) = held(&sources);
        let made = document(&mock, &words(&lines));
        // Behind all that there was, statements may come in.
        let expected = expected(&sources);
        let there = digests(&made);
        prop_assert_eq!(there.get(..expected.len()), Some(expected.as_slice()));
        let more = made["manifests"].as_array().unwrap().iter().skip(expected.len());
        prop_assert!(more.clone().all(|entry| entry["annotations"].get(attestation::REFERENCE_TYPE).is_some()));
        prop_assert_eq!(allowed(&made), Ok(()));
        prop_assert_eq!(&made, &document(&mock, &words(&lines)), "the same question, the same answer");
    }

    #[test]
    fn again_is_the_same(sources in prop::collection::vec(source(), 1..4), noted in any::<bool>()) {
        let (mock, lines) = held(&sources);
        let annotations = ["--oci", "--annotation=index:a=b", "--annotation=manifest-descriptor:c=d", "--annotation=e=f"];
        let options: Vec<&str> = if noted { annotations.to_vec() } else { Vec::new() };
        let first: Vec<&str> = options.iter().copied().chain(["--tag=r.example/new:1"]).chain(words(&lines)).collect();
        create(&mock, &first).unwrap();
        let now = || mock.named("r.example/new")[0].1.digest.clone();
        let made = now();
        let bytes = mock.content("r.example/new", &made).unwrap();
        prop_assert_eq!(allowed(&serde_json::from_slice(&bytes).unwrap()), Ok(()));
        let again = |more: &[&str]| {
            let line: Vec<&str> =
                options.iter().copied().chain(["--tag=r.example/new:1"]).chain(more.iter().copied()).collect();
            create(&mock, &line).unwrap();
            now()
        };
        // A nested index may have brought a statement along that refers to an entry: beside it once, it stays.
        let settled = again(&["r.example/new:1"]);
        let listed = |digest: &Digest| -> Vec<String> {
            images(&serde_json::from_slice(&mock.content("r.example/new", digest).unwrap()).unwrap())
        };
        prop_assert_eq!(listed(&settled), listed(&made));
        prop_assert_eq!(again(&["r.example/new:1"]), settled, "made of itself");
        // An index alone is kept to the byte, and printed anew with another: so it may change once, and then no more.
        let more: Vec<&str> = ["--append"].into_iter().chain(words(&lines)).collect();
        let appended = again(&more);
        prop_assert_eq!(again(&more), appended.clone(), "appended again");
        let bytes = mock.content("r.example/new", &appended).unwrap();
        prop_assert_eq!(allowed(&serde_json::from_slice(&bytes).unwrap()), Ok(()));
    }

    #[test]
    fn all_that_is_named_is_there(sources in prop::collection::vec(source(), 1..4)) {
        // The mock refuses a document before what it names, so that it was stored says all.
        let (mock, lines) = held(&sources);
        for target in ["r.example/new:1", "r.example/0:new", "oci-layout://out/acme/app:1"] {
            let tag = format!("--tag={target}");
            let line: Vec<&str> = words(&lines).into_iter().chain([tag.as_str()]).collect();
            let answer = create(&mock, &line);
            prop_assert!(answer.is_ok(), "{answer:?}");
        }
    }

    #[test]
    fn platforms_part_what_is_there(sources in prop::collection::vec(source(), 2..4), wanted in 0..PLATFORMS.len()) {
        let (mock, lines) = held(&sources);
        let platform = format!("--platform={}", PLATFORMS[wanted]);
        let line: Vec<&str> = words(&lines).into_iter().chain([platform.as_str(), "--dry-run"]).collect();
        let all = document(&mock, &words(&lines));
        match create(&mock, &line) {
            Err(failure) => prop_assert!(failure.is_not_found()),
            Ok(answer) => {
                let made: Value = serde_json::from_str(answer.as_text().unwrap()).unwrap();
                prop_assert_eq!(allowed(&made), Ok(()));
                let (kept, all) = (images(&made), images(&all));
                let in_order: Vec<&String> = all.iter().filter(|digest| kept.contains(digest)).collect();
                prop_assert_eq!(kept.iter().collect::<Vec<_>>(), in_order);
            }
        }
    }
}

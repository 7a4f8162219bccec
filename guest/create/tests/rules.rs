//! The rules of oci-semantics, "`imagetools create`", one by one, with images that show nothing but the rule.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod kit;

use kit::{beside, blob, create, digests, docker, document, hold, image, index, index_of, mock, referrer};
use portolan_sdk::oci::{Digest, attestation, media_type};
use serde_json::{Value, json};

const A: &str = "r.example/a";
const B: &str = "r.example/b";
const NEW: &str = "r.example/new";
const COSIGN: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";

#[test]
fn sources_come_in_order_and_indexes_open_one_level() {
    let (amd, arm, riscv) = (image("linux/amd64", ""), image("linux/arm64", ""), image("linux/riscv64", ""));
    let nested = index(vec![riscv.clone()]);
    let outer = index(vec![arm.clone(), nested.clone()]);
    let mock = hold(hold(mock(), A, Some("1"), &outer), A, Some("amd"), &amd);
    let all = |line: &[&str]| digests(&document(&mock, line));
    let text = |digests: &[&Digest]| -> Vec<String> { digests.iter().map(ToString::to_string).collect() };
    let (one, two) = (format!("{A}:1"), format!("{A}:amd"));
    assert_eq!(all(&[&one, &two]), text(&[arm.digest(), nested.digest(), amd.digest()]));
    assert_eq!(all(&[&two, &one]), text(&[amd.digest(), arm.digest(), nested.digest()]));
    let file = format!("--file={two}");
    assert_eq!(all(&[&one, &file]), text(&[amd.digest(), arm.digest(), nested.digest()]), "files come first");
    let tag = format!("--tag={one}");
    assert_eq!(
        all(&["--append", &tag, &file]),
        text(&[arm.digest(), nested.digest(), amd.digest()]),
        "what is appended to comes before"
    );
}

#[test]
fn one_digest_is_one_entry() {
    let first = image("linux/amd64", "").entry(|entry| entry.annotations = kit::annotations(&[("a", "1"), ("b", "1")]));
    let later = first.clone().entry(|entry| {
        entry.annotations = kit::annotations(&[("b", "2"), ("c", "2")]);
        entry.platform = Some(kit::platform("linux/arm64"));
    });
    let without = first.clone().entry(|entry| entry.platform = None);
    let other = image("linux/riscv64", "");
    let mock = [("1", first.clone()), ("2", later), ("3", without)]
        .into_iter()
        .fold(mock(), |mock, (tag, entry)| hold(mock, A, Some(tag), &index(vec![entry, other.clone()])));
    for (tags, platform, expected) in [
        (["1", "2"], "arm64", json!({"a": "1", "b": "2", "c": "2"})),
        (["2", "1"], "amd64", json!({"a": "1", "b": "1", "c": "2"})),
        (["1", "3"], "amd64", json!({"a": "1", "b": "1"})),
    ] {
        let line = tags.map(|tag| format!("{A}:{tag}"));
        let made = document(&mock, &[&line[0], &line[1]]);
        assert_eq!(digests(&made), [first.digest().to_string(), other.digest().to_string()]);
        assert_eq!(made["manifests"][0]["annotations"], expected, "{tags:?}");
        assert_eq!(made["manifests"][0]["platform"]["architecture"], platform, "{tags:?}");
    }
}

#[test]
fn a_digest_belongs_to_the_repository_that_is_named() {
    let (amd, arm) = (image("linux/amd64", ""), image("linux/arm64", ""));
    let mock = [(A, "1", &amd), (A, "2", &arm), (B, "1", &arm)]
        .into_iter()
        .fold(mock(), |mock, (repository, tag, image)| hold(mock, repository, Some(tag), image));
    let digest = amd.digest().to_string();
    let descriptor = format!(r#"{{"digest":"{digest}"}}"#);
    let (a, b) = (format!("{A}:2"), format!("{B}:1"));
    let (to_a, to_new) = (format!("--tag={A}:new"), format!("--tag={NEW}:1"));
    for lone in [&digest, &descriptor] {
        // The one that all name; the one that the sources share; else nobody knows.
        for (line, fine) in [
            (&[lone.as_str(), &to_a][..], true),
            (&[&a, lone], true),
            (&[&a, lone, &to_a], true),
            (&[&a, lone, &to_new], true),
            (&[&a, &b, lone], false),
            (&[&a, &b, lone, &to_a], false),
            (&[lone], false),
            (&[lone, &to_a, &to_new], false),
        ] {
            let line: Vec<&str> = line.iter().copied().chain(["--dry-run"]).collect();
            let answer = create(&mock, &line);
            assert_eq!(answer.is_ok(), fine, "{line:?}: {answer:?}");
            if let Err(failure) = answer {
                assert!(failure.hint.unwrap().contains(&format!("@{digest}")));
            }
        }
    }
}

#[test]
fn a_descriptor_says_what_it_says() {
    let amd = image("linux/amd64", "").entry(|entry| entry.annotations = kit::annotations(&[("old", "1")]));
    let store = "oci-layout://out";
    let mock = amd.all().into_iter().fold(mock(), |mock, built| {
        let root = built.digest() == amd.digest();
        mock.described(store, root.then_some("1"), built.descriptor.clone(), built.bytes.clone())
    });
    let digest = amd.digest();
    let size = amd.descriptor.size;
    for (more, expected) in [
        (
            "",
            json!({"mediaType": media_type::OCI_MANIFEST, "digest": digest, "size": size, "platform": {"architecture": "amd64", "os": "linux"}}),
        ),
        (
            r#","platform":{"os":"freebsd"},"annotations":{"new":"2"},"artifactType":"a/b","urls":["https://x"]"#,
            json!({"mediaType": media_type::OCI_MANIFEST, "digest": digest, "size": size, "urls": ["https://x"],
                "annotations": {"new": "2"}, "platform": {"architecture": "amd64", "os": "freebsd"}, "artifactType": "a/b"}),
        ),
        (
            &format!(
                r#","size":{size},"mediaType":"{}","platform":{{"os":"x","architecture":"y"}}"#,
                media_type::DOCKER_MANIFEST
            ),
            json!({"mediaType": media_type::DOCKER_MANIFEST, "digest": digest, "size": size, "platform": {"architecture": "y", "os": "x"}}),
        ),
    ] {
        let source = format!(r#"{{"digest":"{digest}"{more}}}"#);
        let made = document(&mock, &[&source, "--tag=oci-layout://out:new"]);
        assert_eq!(made["manifests"][0], expected, "{source}");
    }
    // A name leads to what the store's entry says too.
    let made = document(&mock, &["oci-layout://out:1"]);
    assert_eq!(made["manifests"][0]["annotations"]["old"], "1");
    for (more, why) in [
        (r#","size":7"#, "says 7 bytes"),
        (r#","mediaType":"application/vnd.oci.image.index.v1+json""#, "shape"),
        (r#","mediaType":"application/vnd.oci.image.layer.v1.tar""#, "neither an index nor a manifest"),
    ] {
        let source = format!(r#"{{"digest":"{digest}"{more}}}"#);
        let failure = create(&mock, &[&source, "--tag=oci-layout://out:new"]).unwrap_err();
        assert!(failure.message.contains(why), "{failure:?}");
    }
}

#[test]
fn a_manifest_gets_its_platform_from_its_config() {
    for (text, expected) in [
        ("linux/amd64", json!({"architecture": "amd64", "os": "linux"})),
        ("linux/arm64/v8", json!({"architecture": "arm64", "os": "linux"})),
        ("linux/arm/7", json!({"architecture": "arm", "os": "linux", "variant": "v7"})),
        ("windows(10.0.1.2)/amd64", json!({"architecture": "amd64", "os": "windows"})),
    ] {
        let mock = hold(mock(), A, Some("1"), &image(text, ""));
        assert_eq!(document(&mock, &[&format!("{A}:1")])["manifests"][0]["platform"], expected, "{text}");
    }
    let artifact = referrer("a/b", &image("linux/amd64", ""));
    let mock = hold(mock(), A, Some("1"), &artifact);
    assert_eq!(document(&mock, &[&format!("{A}:1")])["manifests"][0].get("platform"), None);
}

#[test]
fn types_follow_the_entries() {
    let (oci, other) = (image("linux/amd64", ""), docker("linux/arm64", ""));
    let list = index_of(media_type::DOCKER_LIST, vec![other.clone(), docker("linux/amd64", "2")], &json!({}));
    let mock = [("oci", &oci), ("docker", &other), ("list", &list)]
        .into_iter()
        .fold(mock(), |mock, (tag, image)| hold(mock, A, Some(tag), image));
    let (oci, docker, list) = (format!("{A}:oci"), format!("{A}:docker"), format!("{A}:list"));
    for (line, expected) in [
        (&[oci.as_str()][..], media_type::OCI_INDEX),
        (&[&docker], media_type::DOCKER_LIST),
        (&[&docker, &list], media_type::DOCKER_LIST),
        (&[&docker, &oci], media_type::OCI_INDEX),
        // What is taken out counts, as in imagetools.
        (&[&docker, &oci, "--platform=linux/arm64"], media_type::OCI_INDEX),
        (&[&docker, "--oci"], media_type::OCI_INDEX),
        (&[&list, "--oci"], media_type::OCI_INDEX),
        (&[&docker, "--oci", "--prefer-index=false"], media_type::OCI_MANIFEST),
        (&[&docker, "--prefer-index=false"], media_type::DOCKER_MANIFEST),
    ] {
        assert_eq!(document(&mock, line)["mediaType"], expected, "{line:?}");
    }
    for annotation in ["index:k=v", "manifest-descriptor:k=v", "k=v"] {
        let annotation = format!("--annotation={annotation}");
        let failure = create(&mock, &[&docker, &annotation, "--dry-run"]).unwrap_err();
        assert!(failure.hint.unwrap().contains("--oci"), "{annotation}");
        assert_eq!(document(&mock, &[&docker, &annotation, "--oci"])["mediaType"], media_type::OCI_INDEX);
    }
}

#[test]
fn an_index_is_kept_to_the_byte_where_nothing_changes() {
    let (amd, arm) = (image("linux/amd64", ""), image("linux/arm64", ""));
    let more =
        json!({"annotations": {"z": "<", "a": "1"}, "artifactType": "a/b", "subject": amd.descriptor.bare(), "x": 1});
    let whole = index_of(media_type::OCI_INDEX, vec![amd.clone(), arm.clone()], &more);
    let mock = hold(mock(), A, Some("1"), &whole);
    let source = format!("{A}:1");
    for line in [
        &[source.as_str(), "--dry-run"][..],
        &[&source, "--dry-run", "--prefer-index=false"],
        &[&source, "--dry-run", "--platform=linux/amd64,linux/arm64"],
    ] {
        let printed = create(&mock, line).unwrap();
        assert_eq!(printed.as_text().unwrap(), String::from_utf8(whole.bytes.clone()).unwrap() + "\n", "{line:?}");
    }
    // Printed anew: what the index says of itself stays, but for what Go does not know.
    let printed = create(&mock, &[&source, "--dry-run", "--platform=linux/arm64"]).unwrap();
    let expected = format!(
        r#"{{
  "schemaVersion": 2,
  "mediaType": "{}",
  "artifactType": "a/b",
  "manifests": [
    {{
      "mediaType": "{}",
      "digest": "{}",
      "size": {},
      "platform": {{
        "architecture": "arm64",
        "os": "linux"
      }}
    }}
  ],
  "subject": {{
    "mediaType": "{}",
    "digest": "{}",
    "size": {}
  }},
  "annotations": {{
    "a": "1",
    "z": "\u003c"
  }}
}}
"#,
        media_type::OCI_INDEX,
        media_type::OCI_MANIFEST,
        arm.digest(),
        arm.descriptor.size,
        media_type::OCI_MANIFEST,
        amd.digest(),
        amd.descriptor.size,
    );
    assert_eq!(printed.as_text().unwrap(), expected);
    // A new index has the annotations asked for and no others.
    let made = document(&mock, &[&source, "--annotation=index:k=v"]);
    assert_eq!(made["annotations"], json!({"k": "v"}));
    assert_eq!((made.get("artifactType"), made.get("subject")), (None, None));
}

#[test]
fn platforms_are_exact_and_statements_stay_with_their_subject() {
    let (amd, arm) = (image("linux/amd64", ""), image("linux/arm64", ""));
    let (about_amd, about_arm) = (beside(&amd), beside(&arm));
    // One that says it in its manifest alone, and an entry for no platform.
    let quiet = referrer(attestation::ARTIFACT_TYPE, &arm).entry(|entry| {
        entry.artifact_type = Some(attestation::ARTIFACT_TYPE.into());
        entry.platform = Some(kit::platform("unknown/unknown"));
    });
    let nested = index(vec![image("linux/s390x", "")]);
    let old = image("linux/386", "");
    let entries = vec![amd.clone(), arm.clone(), old.clone(), about_amd.clone(), about_arm.clone(), nested.clone()];
    let mock = hold(mock(), A, Some("1"), &index(entries));
    let mock = hold(mock, B, Some("quiet"), &index(vec![amd.clone(), arm.clone(), quiet.clone()]));
    let text = |built: &[&kit::Built]| -> Vec<String> { built.iter().map(|it| it.digest().to_string()).collect() };
    for (repository, tag, platforms, expected) in [
        (A, "1", "linux/amd64", text(&[&amd, &about_amd, &nested])),
        (A, "1", "linux/386", text(&[&old, &nested])),
        (A, "1", "aarch64", text(&[&arm, &about_arm, &nested])),
        (A, "1", "linux/arm64,linux/amd64", text(&[&amd, &arm, &about_amd, &about_arm, &nested])),
        (A, "1", "linux/s390x", text(&[&nested])),
        (B, "quiet", "linux/arm64", text(&[&arm, &quiet])),
        (B, "quiet", "linux/amd64", text(&[&amd])),
    ] {
        let made = document(&mock, &[&format!("{repository}:{tag}"), &format!("--platform={platforms}")]);
        assert_eq!(digests(&made), expected, "{tag} {platforms}");
    }
    let failure = create(&mock, &[&format!("{B}:quiet"), "--platform=linux/arm/v7", "--dry-run"]).unwrap_err();
    assert!(failure.is_not_found() && failure.hint.unwrap().contains("linux/amd64, linux/arm64"));
}

#[test]
fn an_image_without_a_statement_gets_one_that_refers_to_it() {
    let (amd, arm) = (image("linux/amd64", ""), image("linux/arm64", ""));
    let inline = beside(&amd);
    let (one, other) = (referrer(attestation::ARTIFACT_TYPE, &arm), {
        let mut other = referrer(attestation::ARTIFACT_TYPE, &arm);
        let mut value: Value = serde_json::from_slice(&other.bytes).unwrap();
        value["annotations"] = json!({"k": "v"});
        other = kit::built(media_type::OCI_MANIFEST, &value, other.below);
        other
    });
    let signature = referrer(COSIGN, &arm);
    let lowest = if one.digest() < other.digest() { &one } else { &other };
    let whole = index(vec![amd.clone(), arm.clone(), inline.clone()]);
    let mock = hold(mock(), A, Some("1"), &whole);
    let mock = [&one, &other, &signature].into_iter().fold(mock, |mock, it| hold(mock, A, None, it));
    for line in [&["--platform=linux/amd64,linux/arm64"][..], &[]] {
        let source = format!("{A}:1");
        let line: Vec<&str> = line.iter().copied().chain([source.as_str()]).collect();
        let made = document(&mock, &line);
        let expected = [amd.digest(), arm.digest(), inline.digest(), lowest.digest()].map(ToString::to_string);
        assert_eq!(digests(&made), expected, "{line:?}");
        let entry = &made["manifests"][3];
        assert_eq!(entry["platform"], json!({"architecture": "unknown", "os": "unknown"}));
        assert_eq!(entry["annotations"][attestation::REFERENCE_DIGEST], arm.digest().as_str());
        assert_eq!(entry["annotations"][attestation::REFERENCE_TYPE], attestation::ATTESTATION_MANIFEST);
        assert_eq!(entry.get("artifactType"), None);
    }
    // An OCI statement makes an OCI index of a Docker list.
    let plain = docker("linux/amd64", "");
    let list = index_of(media_type::DOCKER_LIST, vec![plain.clone()], &json!({}));
    let mock = hold(mock, A, Some("list"), &list);
    let mock = hold(mock, A, None, &referrer(attestation::ARTIFACT_TYPE, &plain));
    assert_eq!(document(&mock, &[&format!("{A}:list")])["mediaType"], media_type::OCI_INDEX);
}

#[test]
fn manifests_are_annotated_and_what_speaks_of_them_follows() {
    let (amd, arm) = (image("linux/amd64", ""), image("linux/arm64", ""));
    let (about_amd, about_arm) = (beside(&amd), beside(&arm));
    let whole = index(vec![amd.clone(), arm.clone(), about_amd.clone(), about_arm.clone()]);
    let mock = hold(mock(), A, Some("1"), &whole);
    let signature = referrer(COSIGN, &amd);
    let mock = hold(mock, A, None, &signature);
    let source = format!("{A}:1");
    let line = ["--annotation=manifest[linux/amd64]:k=v", "--tag=r.example/new:1", &source, "--format=json"];
    let answer: Value = serde_json::from_str(create(&mock, &line).unwrap().as_text().unwrap()).unwrap();
    let changed = answer["changed"].as_array().unwrap();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0]["from"], amd.digest().as_str());
    let new = Digest::parse(changed[0]["to"].as_str().unwrap()).unwrap();
    let manifests = answer["manifests"].as_array().unwrap();
    assert_eq!(manifests[0]["digest"], new.as_str());
    assert_eq!(manifests[0]["platform"]["architecture"], "amd64");
    assert_eq!(manifests[2]["annotations"][attestation::REFERENCE_DIGEST], new.as_str());
    assert_eq!(manifests[3]["annotations"][attestation::REFERENCE_DIGEST], arm.digest().as_str());
    let stored: Value = serde_json::from_slice(&mock.content(NEW, &new).unwrap()).unwrap();
    assert_eq!(stored["annotations"], json!({"k": "v"}));
    assert_eq!(stored["x"], json!(1.5), "what nobody knows stays");
    assert_eq!(mock.content(NEW, amd.digest()), None, "the manifest as it was is not there");
    assert_eq!(mock.content(NEW, signature.digest()), None, "nor what speaks of it");
    assert!(mock.logged().iter().any(|(_, line)| line.contains(signature.digest().as_str())), "{:?}", mock.logged());
    // Again changes nothing more.
    let again = ["--annotation=manifest[linux/amd64]:k=v", "r.example/new:1", "--dry-run"];
    let again = create(&mock, &again).unwrap();
    let root = Digest::parse(answer["root"]["digest"].as_str().unwrap()).unwrap();
    assert_eq!(again.as_text().unwrap().trim_end().as_bytes(), mock.content(NEW, &root).unwrap());
}

#[test]
fn a_manifest_is_there_as_it_was_where_an_index_that_is_kept_names_it() {
    let amd = image("linux/amd64", "");
    let nested = index(vec![amd.clone()]);
    let mock = hold(mock(), A, Some("1"), &index(vec![amd.clone(), nested.clone()]));
    create(&mock, &["--annotation=k=v", "--tag=r.example/new:1", &format!("{A}:1")]).unwrap();
    assert!(mock.content(NEW, nested.digest()).is_some() && mock.content(NEW, amd.digest()).is_some());
}

#[test]
fn everything_arrives_and_names_come_last() {
    let (amd, arm) = (image("linux/amd64", ""), image("linux/arm64", ""));
    let nested = index(vec![image("linux/s390x", "")]);
    let signature = referrer(COSIGN, &amd);
    let on_signature = referrer(COSIGN, &signature);
    let foreign = referrer("application/vnd.example+json", &amd);
    let mock = hold(mock(), A, Some("1"), &index(vec![amd.clone(), beside(&amd), nested.clone()]));
    let mock = [&signature, &on_signature, &foreign].into_iter().fold(mock, |mock, it| hold(mock, A, None, it));
    let mock = hold(mock, B, Some("1"), &arm);
    let (a, b) = (format!("{A}:1"), format!("{B}:1"));
    let targets = [
        "--tag=r.example/new:1",
        "--tag=r.example/new:2",
        "--tag=oci-layout://out/acme/app:1",
        "--tag=r.example/b:all",
    ];
    let line: Vec<&str> = targets.into_iter().chain([a.as_str(), &b]).collect();
    let answer = create(&mock, &line).unwrap();
    let asked = mock.asked();
    let first_push = asked.iter().position(|it| it.starts_with("push")).unwrap();
    assert!(asked.iter().skip(first_push).all(|it| it.starts_with("push")), "{asked:?}");
    let root = mock.named(NEW)[0].1.clone();
    for (repository, names) in
        [(NEW, &["1", "2"][..]), ("oci-layout://out", &["docker.io/acme/app:1"]), (B, &["1", "all"])]
    {
        let named: Vec<String> = mock.named(repository).into_iter().map(|(name, _)| name).collect();
        assert_eq!(named, names);
        assert!(mock.content(repository, &root.digest).is_some());
        for built in [&amd, &beside(&amd), &arm, &nested, &signature, &on_signature] {
            for one in built.all() {
                assert_eq!(mock.content(repository, one.digest()).as_ref(), Some(&one.bytes), "{repository}");
            }
        }
        assert_eq!(mock.content(repository, foreign.digest()), None);
    }
    assert_eq!(asked.iter().filter(|it| it.starts_with("copy r.example/b r.example/b")).count(), 0, "it is there");
    let text = answer.as_text().unwrap();
    assert!(text.starts_with(&format!("r.example/new:1@{}\nr.example/new:2@", root.digest)), "{text}");
    let metadata: Vec<&str> = answer.metadata.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(metadata, ["containerimage.descriptor", "image.name"]);
    assert_eq!(answer.metadata[1].1, "oci-layout://out,r.example/b,r.example/new");
    let descriptor: Value = serde_json::from_str(&answer.metadata[0].1).unwrap();
    assert_eq!(descriptor["digest"], root.digest.as_str());
}

#[test]
fn a_signature_of_what_is_kept_goes_along() {
    let whole = index(vec![image("linux/amd64", ""), image("linux/arm64", "")]);
    let signature = referrer(COSIGN, &whole);
    let source = hold(hold(mock(), A, Some("1"), &whole), A, None, &signature);
    let a = format!("{A}:1");
    create(&source, &["--tag=r.example/new:1", &a]).unwrap();
    assert!(source.content(NEW, whole.digest()).is_some() && source.content(NEW, signature.digest()).is_some());
    let source = hold(hold(mock(), A, Some("1"), &whole), A, None, &signature);
    create(&source, &["--tag=r.example/new:1", &a, "--platform=linux/amd64"]).unwrap();
    assert_eq!(source.content(NEW, signature.digest()), None, "it speaks of another index");
}

#[test]
fn targets_may_say_what_they_expect() {
    let amd = image("linux/amd64", "");
    let whole = index(vec![amd]);
    let mock = hold(mock(), A, Some("1"), &whole);
    let a = format!("{A}:1");
    let other = Digest::sha256(b"other");
    let right = ["r.example/new", "r.example/new:2", "oci-layout://out", "oci-layout://out:1"];
    for target in right {
        create(&mock, &[&format!("--tag={target}@{}", whole.digest()), &a]).unwrap();
        for dry in [&[][..], &["--dry-run"]] {
            let tag = format!("--tag={target}@{other}");
            let line: Vec<&str> = dry.iter().copied().chain([tag.as_str(), &a]).collect();
            let failure = create(&mock, &line).unwrap_err();
            assert!(failure.message.contains(whole.digest().as_str()), "{failure:?}");
        }
    }
    let names = |repository| -> Vec<String> { mock.named(repository).into_iter().map(|(name, _)| name).collect() };
    assert_eq!(names(NEW), ["2"]);
    assert_eq!(names("oci-layout://out"), [format!("@{}", whole.digest()), "1".to_owned()]);
}

#[test]
fn what_cannot_be_is_said_before_anything_is_asked() {
    let mock = mock();
    let digest = Digest::sha256(b"");
    for (line, why) in [
        (&["--tag=r.example/new:1"][..], "there is no source"),
        (&["r.example/a"], "there is no target"),
        (&["--append", "--dry-run", "r.example/a"], "--append adds to a target"),
        (&["--tag=R.example/New", "r.example/a"], "lower-case"),
        (&["--tag=r.example/new", "--annotation=x:k=v", "r.example/a"], "there is no type"),
        (&["--tag=r.example/new", "--platform=a/b/c/d", "r.example/a"], "platform"),
        (&["--tag=r.example/new", "r.example/a", "r.example/b", digest.as_str()], "may be in any of"),
    ] {
        let failure = create(&mock, line).unwrap_err();
        assert!(failure.message.contains(why), "{line:?}: {failure:?}");
    }
    assert_eq!(mock.asked(), [""; 0]);
    let failure = create(&mock, &["--append", "--tag=r.example/new:1", "r.example/a"]).unwrap_err();
    assert!(failure.is_not_found() && failure.hint.unwrap().contains("append"));
}

#[test]
fn layers_that_lie_elsewhere_stay_there() {
    let amd = image("linux/amd64", "");
    let mut value: Value = serde_json::from_slice(&amd.bytes).unwrap();
    let gone = blob("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "foreign").descriptor;
    value["layers"].as_array_mut().unwrap().push(json!({
        "mediaType": gone.media_type, "digest": gone.digest, "size": gone.size, "urls": ["https://elsewhere.example/l"]
    }));
    let manifest = kit::built(media_type::OCI_MANIFEST, &value, amd.below);
    let mock = hold(mock(), A, Some("1"), &manifest);
    create(&mock, &["--tag=r.example/new:1", &format!("{A}:1")]).unwrap();
    assert!(mock.content(NEW, manifest.digest()).is_some());
    assert!(mock.logged().iter().any(|(_, line)| line.contains("https://elsewhere.example/l")));
}

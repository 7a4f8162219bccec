//! Layouts that are written: new ones and those of other tools, read back by ourselves and by skopeo; names that move;
//! writers side by side; folders that nobody should be given.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portolan::source::Source;
use portolan::source::layout::Layout;
use portolan::{Code, Limits};
use portolan_oci::names::{IMAGE_NAME, REF_NAME, SUBJECT};
use portolan_oci::{Descriptor, Digest, media_type};
use portolan_tests::{fixtures, layout as made};
use tempfile::TempDir;

#[path = "layouts_written/hostile.rs"]
mod hostile;
#[path = "layouts_written/killed.rs"]
mod killed;
#[path = "layouts_written/partial.rs"]
mod partial;
mod stores;
#[path = "stores/things.rs"]
mod things;
#[path = "stores/written.rs"]
mod written;

use stores::{assert_error, walk};
use written::{Pieces, copy, copy_all, document, entries, name_of, put, skopeo_copy, skopeo_raw};

const STORE: &str = "oci-layout://here";

fn open(folder: &Path) -> Layout {
    Layout::open(folder, STORE).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

fn fixture(name: &str) -> Arc<dyn Source> {
    Arc::new(open(&fixtures::layout(name)))
}

/// A copy of a fixture, to be written to.
fn copied(name: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixtures::layout(name), folder.path());
    folder
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

/// Everything in a folder by its path, with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap_or_default());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder, folder, &mut found);
    found
}

/// The blobs of a folder, each of which is what its name says; nothing else is below `blobs`.
fn blobs(folder: &Path) -> BTreeMap<Digest, Vec<u8>> {
    files(&folder.join("blobs"))
        .into_iter()
        .map(|(path, bytes)| {
            let digest = Digest::parse(&path.to_str().unwrap().replace('/', ":")).expect("a blob's name");
            assert!(digest.matches(&bytes), "{}", path.display());
            (digest, bytes)
        })
        .collect()
}

#[tokio::test]
async fn every_fixture_into_a_new_layout() {
    for original in fixtures::layouts() {
        let name = original.file_name().unwrap().to_str().unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("new");
        let layout = Layout::create(&folder, STORE).unwrap();
        assert!(!folder.exists(), "{name}: made before anything was put");
        copy_all(&fixture(name), &*layout.sink().unwrap()).await.unwrap();

        assert_eq!(blobs(&folder), blobs(&original), "{name}");
        assert_eq!(fs::read_to_string(folder.join("oci-layout")).unwrap(), r#"{"imageLayoutVersion":"1.0.0"}"#);
        let names: Vec<String> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(names.len(), 3, "{name}: {names:?}");
        // The same object reads what it wrote, and a new one reads the same.
        let (before, after) = (entries(&*fixture(name)).await, entries(&open(&folder)).await);
        assert_eq!(entries(&layout).await, after, "{name}");
        assert_eq!(walk(&layout).await.all.len(), walk(&open(&original)).await.all.len(), "{name}");
        let named = |entries: &[Descriptor]| -> Vec<(String, Descriptor)> {
            entries.iter().map(|entry| (name_of(entry), entry.bare())).collect()
        };
        // Entries that share a name have become one.
        let mut before = named(&before);
        before.dedup();
        assert_eq!(named(&after), before, "{name}");
    }
}

#[tokio::test]
async fn skopeo_reads_what_is_written() {
    for original in fixtures::layouts() {
        let name = original.file_name().unwrap().to_str().unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let (folder, again) = (scratch.path().join("new"), scratch.path().join("again"));
        let layout = Layout::create(&folder, STORE).unwrap();
        // One at a time: skopeo wants a tag to mean one entry, and one fixture has its tag three times.
        let root = entries(&*fixture(name)).await.remove(0);
        let sink = layout.sink().unwrap();
        copy(&fixture(name), &*sink, &root, Some("acme/copied:1")).await.unwrap();
        sink.commit().await.unwrap();
        // To skopeo a layout has OCI's types and no other.
        if name == "crane-docker-types" {
            continue;
        }
        let place = format!("oci:{}:1", folder.display());
        assert!(root.digest.matches(&skopeo_raw(&place)), "{name}");
        // skopeo copies no index inside an index, and turns Docker's types into OCI's.
        if !name.starts_with("crane") {
            skopeo_copy(&place, &format!("oci:{}:1", again.display()));
            assert!(blobs(&again).keys().eq(blobs(&folder).keys()), "{name}");
        }
    }
}

#[tokio::test]
async fn into_a_layout_that_another_tool_made() {
    let image = entries(&*fixture("buildkit-single")).await.remove(0);
    for original in fixtures::layouts() {
        let name = original.file_name().unwrap().to_str().unwrap();
        let folder = copied(name);
        let layout = open(folder.path());
        let sink = layout.sink().unwrap();
        copy(&fixture("buildkit-single"), &*sink, &image, Some("docker.io/acme/added:9")).await.unwrap();
        sink.commit().await.unwrap();

        let before = fs::read_to_string(original.join("index.json")).unwrap();
        let after = fs::read_to_string(folder.path().join("index.json")).unwrap();
        let fields = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let (mut before, mut after) = (fields(&before), fields(&after));
        let added = after["manifests"].as_array_mut().unwrap().pop().unwrap();
        assert_eq!(after, before, "{name}: all else as it was");
        assert_eq!(added["digest"], image.digest.as_str());
        assert_eq!(added["annotations"][IMAGE_NAME], "docker.io/acme/added:9");
        assert_eq!(added["annotations"][REF_NAME], "9");
        let had = before["manifests"].as_array_mut().unwrap();
        assert!(image.digest.matches(&skopeo_raw(&format!("oci:{}:9", folder.path().display()))), "{name}");
        for tag in had.iter().filter_map(|entry| entry["annotations"][REF_NAME].as_str()) {
            // A name that several entries share is none for skopeo 1.9.
            if had.iter().filter(|entry| entry["annotations"][REF_NAME] == tag).count() == 1 && !tag.contains(":") {
                assert_eq!(
                    skopeo_raw(&format!("oci:{}:{tag}", folder.path().display())),
                    skopeo_raw(&format!("oci:{}:{tag}", original.display())),
                    "{name}"
                );
            }
        }
        let mut all = blobs(&original);
        all.extend(
            blobs(folder.path()).into_iter().filter(|(digest, _)| !all.contains_key(digest)).collect::<Vec<_>>(),
        );
        assert_eq!(blobs(folder.path()), all, "{name}: no blob is lost");
    }
}

#[tokio::test]
async fn writing_it_again_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let layout = Layout::create(&scratch.path().join("new"), STORE).unwrap();
    let root = entries(&*fixture("buildkit-multi")).await.remove(0);
    for turn in 0..2 {
        let sink = layout.sink().unwrap();
        for name in ["acme/app:1", "2", &format!("@{}", root.digest)] {
            copy(&fixture("buildkit-multi"), &*sink, &root, Some(name)).await.unwrap();
        }
        let bytes = fixture("buildkit-multi").fetch(&root, &Limits::default()).await.unwrap();
        let named = Some("acme/app:1".to_owned());
        let again = portolan::source::sink::Document { descriptor: root.clone(), bytes, name: named };
        if turn == 1 {
            assert!(!sink.put_document(&again).await.unwrap().created);
        }
        let before = files(scratch.path());
        sink.commit().await.unwrap();
        assert_eq!(files(scratch.path()) == before, turn == 1);
        assert_eq!(entries(&layout).await.len(), 3);
    }
}

#[tokio::test]
async fn without_its_commit_nothing_has_a_name() {
    let scratch = tempfile::tempdir().unwrap();
    let layout = Layout::create(&scratch.path().join("new"), STORE).unwrap();
    let sink = layout.sink().unwrap();
    let blob = put(&*sink, b"a layer").await.unwrap();
    document(&*sink, media_type::OCI_INDEX, &made::index(&[]), Some("1")).await.unwrap();
    drop(sink);
    assert!(entries(&layout).await.is_empty());
    assert_eq!(blobs(&scratch.path().join("new")).keys().collect::<Vec<_>>(), [&blob.digest]);
    assert!(layout.sink().unwrap().has(&blob).await.unwrap(), "and need not be sent again");
    // Nothing put, nothing made.
    let other = Layout::create(&scratch.path().join("other"), STORE).unwrap();
    other.sink().unwrap().commit().await.unwrap();
    assert!(!scratch.path().join("other").exists());
}

#[tokio::test]
async fn what_is_said_of_a_document() {
    let scratch = tempfile::tempdir().unwrap();
    let layout = Layout::create(&scratch.path().join("new"), STORE).unwrap();
    let index = made::index(&[]);
    // (name, whether it was created)
    for (name, created) in [(None, true), (None, false), (Some("1"), true), (Some("1"), false), (Some("a:1"), true)] {
        let sink = layout.sink().unwrap();
        let pushed = document(&*sink, media_type::OCI_INDEX, &index, name).await.unwrap();
        assert_eq!((pushed.created, pushed.subject_processed), (created, true), "{name:?}");
        sink.commit().await.unwrap();
    }
    let error = document(&*layout.sink().unwrap(), media_type::OCI_INDEX, &index, Some("no name")).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidReference, "{error}");
}

/// index.json as it was and as it is after a manifest has got a name, text for text.
#[tokio::test]
async fn index_json_keeps_what_nobody_here_knows() {
    let new = r#"{"schemaVersion":2,"manifests":[]}"#;
    let digest = Descriptor::of("a/b", new.as_bytes()).digest;
    let other =
        format!(r#"{{"digest":"sha256:{}","mediaType":"{}","size":12}}"#, "a".repeat(64), media_type::OCI_INDEX);
    let other = other.as_str();
    let added = |annotations: &str| {
        let annotations =
            if annotations.is_empty() { String::new() } else { format!(r#","annotations":{{{annotations}}}"#) };
        format!(r#"{{"mediaType":"{}","digest":"{digest}","size":{}{annotations}}}"#, media_type::OCI_INDEX, new.len())
    };
    let tag = |tag: &str| added(&format!(r#""{REF_NAME}":"{tag}""#));
    let full = |name: &str, tag: &str| added(&format!(r#""{IMAGE_NAME}":"{name}","{REF_NAME}":"{tag}""#));
    let with = |notes: &str| format!(r#"{{ "x": 1.50, "annotations": {{ {notes} }}, {}"#, &other[1..]);
    #[rustfmt::skip]
    let rows: Vec<(&str, &str, String, String)> = vec![
        ("unknown fields, numbers and spaces", "1",
            format!(r#"{{ "later" : {{"a": 1.0e5}}, "schemaVersion": 2, "manifests": [ {other} ], "annotations": {{"k":"\u0041"}} }}"#),
            format!(r#"{{"later":{{"a": 1.0e5}},"schemaVersion":2,"manifests":[{other},{}],"annotations":{{"k":"\u0041"}}}}"#, tag("1"))),
        ("no list", "1",
            r#"{"schemaVersion":2,"manifests":null}"#.into(),
            format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, tag("1"))),
        ("an entry whose name moves and that keeps another", "acme/app:1",
            format!(r#"{{"manifests":[{}]}}"#, with(&format!(r#""{IMAGE_NAME}": "acme/app:1", "y": "z", "{REF_NAME}": "stable""#))),
            format!(r#"{{"manifests":[{{"x":1.50,"annotations":{{"y":"z","{REF_NAME}":"stable"}},"digest":"sha256:{}","mediaType":"{}","size":12}},{}]}}"#,
                "a".repeat(64), media_type::OCI_INDEX, full("docker.io/acme/app:1", "1"))),
        ("an entry whose only name moves", "acme/app:1",
            format!(r#"{{"manifests":[{},{other}]}}"#, with(&format!(r#""{REF_NAME}": "acme/app:1""#))),
            format!(r#"{{"manifests":[{other},{}]}}"#, full("docker.io/acme/app:1", "1"))),
        ("a bare tag that means a full name", "1",
            format!(r#"{{"manifests":[{}]}}"#, with(&format!(r#""{REF_NAME}": "ghcr.io/acme/app:1""#))),
            format!(r#"{{"manifests":[{}]}}"#, full("ghcr.io/acme/app:1", "1"))),
        ("a root", "@", format!(r#"{{"manifests":[{other}]}}"#), format!(r#"{{"manifests":[{other},{}]}}"#, added(""))),
        ("a root that is one", "@", format!(r#"{{ "manifests": [{}] }}"#, added("")), format!(r#"{{ "manifests": [{}] }}"#, added(""))),
        ("a name that is there", "1", format!(r#"{{ "manifests": [{}] }}"#, tag("1")), format!(r#"{{ "manifests": [{}] }}"#, tag("1"))),
    ];
    for (what, name, before, after) in rows {
        let folder = made::Layout::new();
        folder.write("index.json", &before);
        let sink = open(folder.folder()).sink().unwrap();
        let name = if name == "@" { format!("@{digest}") } else { name.to_owned() };
        document(&*sink, media_type::OCI_INDEX, new, Some(&name)).await.unwrap();
        sink.commit().await.unwrap();
        assert_eq!(fs::read_to_string(folder.path("index.json")).unwrap(), after, "{what}");
    }
}

#[tokio::test]
async fn a_tag_of_several_names_is_refused() {
    let folder = copied("skopeo-names");
    let layout = open(folder.path());
    let before = files(folder.path());
    // `3.16`, `alpine:3.16`, `docker.io/library/alpine:3.16`: one full name.
    let sink = layout.sink().unwrap();
    document(&*sink, media_type::OCI_INDEX, &made::index(&[]), Some("3.16")).await.unwrap();
    sink.commit().await.unwrap();
    assert_eq!(entries(&layout).await.iter().map(name_of).collect::<Vec<_>>(), ["docker.io/library/alpine:3.16"]);
    assert_ne!(files(folder.path()), before);

    let sink = layout.sink().unwrap();
    document(&*sink, media_type::OCI_INDEX, &made::index(&[]), Some("ghcr.io/other:3.16")).await.unwrap();
    sink.commit().await.unwrap();
    let index = fs::read(folder.path().join("index.json")).unwrap();
    let sink = layout.sink().unwrap();
    document(&*sink, media_type::OCI_INDEX, &made::index(&[]), Some("3.16")).await.unwrap();
    let error = sink.commit().await.unwrap_err();
    let end = r#"the tag "3.16" could mean docker.io/library/alpine:3.16, ghcr.io/other:3.16"#;
    assert_error(&error, Code::Conflict, end, "a tag");
    assert_eq!(error.hint(), Some("write the full name: /NAME:TAG after the store"));
    assert_eq!(fs::read(folder.path().join("index.json")).unwrap(), index);
}

#[tokio::test]
async fn a_referrer_has_an_entry_unless_something_leads_to_it() {
    let scratch = tempfile::tempdir().unwrap();
    let layout = Layout::create(&scratch.path().join("new"), STORE).unwrap();
    let image = made::Layout::new().image(b"layer").manifest;
    let artifact = |text: &str| {
        let empty = made::json(&Descriptor::of(media_type::OCI_EMPTY, b"{}"));
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","artifactType":"a/{text}","config":{empty},"layers":[],"subject":{}}}"#,
            media_type::OCI_MANIFEST,
            made::json(&image)
        )
    };
    let (alone, inside) = (artifact("alone"), artifact("inside"));
    let descriptor = |text: &str| Descriptor::of(media_type::OCI_MANIFEST, text.as_bytes());
    let nested = made::index(&[descriptor(&inside)]);
    let index = made::index(&[image.clone(), Descriptor::of(media_type::OCI_INDEX, nested.as_bytes())]);
    for _ in 0..2 {
        let sink = layout.sink().unwrap();
        for manifest in [&alone, &inside] {
            document(&*sink, media_type::OCI_MANIFEST, manifest, None).await.unwrap();
        }
        document(&*sink, media_type::OCI_INDEX, &nested, None).await.unwrap();
        document(&*sink, media_type::OCI_INDEX, &index, Some("1")).await.unwrap();
        sink.commit().await.unwrap();
        let entries = entries(&layout).await;
        assert_eq!(entries.len(), 2, "{entries:?}");
        assert_eq!(entries[0].annotations[REF_NAME], "1");
        assert_eq!(entries[1].digest, descriptor(&alone).digest);
        assert_eq!(entries[1].annotations.get(SUBJECT).unwrap(), image.digest.as_str());
    }
}

#[tokio::test]
async fn a_blob_of_the_wrong_size_is_replaced() {
    let folder = made::Layout::new();
    let blob = folder.insert("a/b", b"content");
    fs::write(folder.blob(&blob.digest), "cont").unwrap();
    let sink = open(folder.folder()).sink().unwrap();
    assert!(!sink.has(&blob).await.unwrap());
    sink.put_blob(&blob, &Pieces::of(b"content")).await.unwrap();
    assert!(sink.has(&blob).await.unwrap());
    assert_eq!(fs::read(folder.blob(&blob.digest)).unwrap(), b"content");
}

#[tokio::test]
async fn other_algorithms_have_folders_of_their_own() {
    let scratch = tempfile::tempdir().unwrap();
    let layout = Layout::create(&scratch.path().join("new"), STORE).unwrap();
    let mut hasher = portolan_oci::Hasher::new(portolan_oci::Algorithm::Sha512);
    hasher.update(b"content");
    let blob = Descriptor::new("a/b", hasher.finish(), 7);
    let sink = layout.sink().unwrap();
    sink.put_blob(&blob, &Pieces::of(b"content")).await.unwrap();
    assert_eq!(fs::read(scratch.path().join("new/blobs/sha512").join(blob.digest.hex())).unwrap(), b"content");
    let unknown = Descriptor::new("a/b", Digest::parse_any("blake3:0011").unwrap(), 7);
    let error = sink.put_blob(&unknown, &Pieces::of(b"content")).await.unwrap_err();
    assert_eq!(error.code(), Code::Unsupported);
}

#[test]
fn where_a_layout_can_be_made() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    for folder in ["empty", "remnants/blobs", "full/src", "layout"] {
        fs::create_dir_all(path(folder)).unwrap();
    }
    fs::write(path("remnants/.portolan-0123456789abcdef"), "").unwrap();
    fs::write(path("file"), "").unwrap();
    copy_folder(&fixtures::layout("umoci"), &path("layout"));
    things::link(&path("link"));
    std::os::unix::fs::symlink(path("nowhere"), path("dangling")).unwrap();
    for name in ["new", "empty", "remnants", "layout"] {
        Layout::create(&path(name), STORE).unwrap();
    }
    let above = path("none");
    for (name, code, end) in [
        ("none/new", Code::NotFound, format!("there is no folder {} to make it in", above.display())),
        ("full", Code::Conflict, r#"the folder is no layout and not empty: it holds "src""#.into()),
        ("file", Code::NotFound, "it is no folder".into()),
        ("link", Code::NotFound, "it is no folder".into()),
        ("dangling", Code::NotFound, "no folder can be made there".into()),
    ] {
        assert_error(&Layout::create(&path(name), STORE).unwrap_err(), code, &end, name);
    }
}

#[tokio::test]
async fn a_layout_that_is_not_there_yet_is_read_as_none() {
    let scratch = tempfile::tempdir().unwrap();
    let layout = Layout::create(&scratch.path().join("new"), STORE).unwrap();
    let error = layout.entries(&Limits::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
    let error = layout.fetch(&Descriptor::of("a/b", b"x"), &Limits::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
}

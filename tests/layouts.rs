//! Layouts on disk as sources: those that real tools wrote, and those that nobody should.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use futures_util::StreamExt;
use portolan::source::layout::Layout;
use portolan::source::{Source, Target};
use portolan::{Code, Limits};
use portolan_oci::{Descriptor, Digest, Index, media_type};
use portolan_tests::fixtures;
use portolan_tests::layout::{self as made, json};

mod stores;
#[path = "stores/things.rs"]
mod things;
use stores::{Counting, assert_error, refused, streamed, walk};
use things::{chmod, device, directory, fifo, file, grow, link, moved, put_at, socket};

fn open(folder: &Path) -> Layout {
    Layout::open(folder, "oci-layout://here").unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// The names of the files under `blobs/sha256`.
fn blobs(layout: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(layout.join("blobs/sha256")).unwrap();
    names.map(|entry| format!("sha256:{}", entry.unwrap().file_name().to_str().unwrap())).collect()
}

#[tokio::test]
async fn everything_in_every_fixture_is_reached_and_verified() {
    for (name, manifests, layers) in [
        ("buildkit-artifact", 4, 1),
        ("buildkit-classic", 4, 1),
        ("buildkit-multi", 8, 1),
        ("buildkit-sbom", 4, 1),
        ("buildkit-single", 1, 1),
        ("crane-docker-types", 2, 1),
        ("crane-nested", 6, 1),
        ("crane-windows", 4, 1),
        ("regctl-attested", 6, 1),
        ("skopeo-names", 1, 1),
        ("umoci", 1, 0),
    ] {
        let folder = fixtures::layout(name);
        let layout = open(&folder);
        let reached = walk(&layout).await;
        assert_eq!((reached.manifests.len(), reached.layers.len()), (manifests, layers), "{name}");
        let digests: BTreeSet<String> = reached.all.keys().map(Digest::to_string).collect();
        assert_eq!(digests, blobs(&folder), "{name}");
        for descriptor in reached.all.values() {
            let bytes = fs::read(folder.join("blobs").join(descriptor.digest.as_str().replace(':', "/"))).unwrap();
            assert_eq!(streamed(&layout, descriptor).await.unwrap(), bytes, "{name}");
            assert_eq!(layout.read(descriptor, 1, 7).await.unwrap(), bytes[1..bytes.len().min(8)], "{name}");
        }
        for manifest in &reached.manifests {
            let resolved = layout.resolve(Target::Digest(&manifest.digest), &Limits::default()).await.unwrap();
            assert_eq!(resolved, manifest.bare(), "{name}");
        }
    }
    assert_eq!(fixtures::layouts().len(), 11, "the table above names them all");
}

#[tokio::test]
async fn documents_are_read_without_a_byte_of_a_layer() {
    for folder in fixtures::layouts() {
        let counting = Counting::new(open(&folder));
        let reached = walk(&counting).await;
        let read = counting.counted();
        assert!(reached.manifests.iter().all(|manifest| read.contains_key(&manifest.digest)));
        assert!(reached.layers.iter().all(|layer| !read.contains_key(&layer.digest)), "{}", folder.display());
    }
}

#[tokio::test]
async fn entries_are_the_bytes_of_index_json() {
    let folder = fixtures::layout("buildkit-multi");
    let bytes = fs::read(folder.join("index.json")).unwrap();
    let (descriptor, entries) = open(&folder).entries(&Limits::default()).await.unwrap();
    assert_eq!(descriptor, Descriptor::of(media_type::OCI_INDEX, &bytes));
    assert_eq!(entries, bytes);
}

#[tokio::test]
async fn entries_are_those_of_now() {
    let folder = made::Layout::new();
    let layout = open(folder.folder());
    let image = folder.image(b"layer");
    folder.entries(std::slice::from_ref(&image.manifest));
    let (_, entries) = layout.entries(&Limits::default()).await.unwrap();
    assert_eq!(Index::parse(&entries).unwrap().manifests, [image.manifest]);
}

/// Nothing, or the error's code and how its text ends.
type Verdict = Option<(Code, &'static str)>;

#[test]
fn what_is_opened_as_a_layout() {
    type Break = fn(&made::Layout);
    let rows: &[(&str, Break, Verdict)] = &[
        ("as it should be", |_| {}, None),
        ("version 1.1", |layout| layout.write("oci-layout", r#"{"imageLayoutVersion":"1.1.0","more":1}"#), None),
        ("read-only", |layout| chmod(layout.folder(), 0o555), None),
        ("no blobs", |layout| fs::remove_dir_all(layout.path("blobs")).unwrap(), None),
        (
            "no folder",
            |layout| fs::remove_dir_all(layout.folder()).unwrap(),
            Some((Code::NotFound, ": there is no such folder")),
        ),
        (
            "no index.json",
            |layout| fs::remove_file(layout.path("index.json")).unwrap(),
            Some((Code::NotFound, ": it has no index.json, so it is no image layout")),
        ),
        (
            "no oci-layout",
            |layout| fs::remove_file(layout.path("oci-layout")).unwrap(),
            Some((Code::Malformed, ": it has no oci-layout file, as an image layout must")),
        ),
        (
            "version 2",
            |layout| layout.write("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#),
            Some((Code::Malformed, r#": its oci-layout file says version "2.0.0"; the one known here is 1.0.0"#)),
        ),
        (
            "version 10",
            |layout| layout.write("oci-layout", r#"{"imageLayoutVersion":"10"}"#),
            Some((Code::Malformed, r#": its oci-layout file says version "10"; the one known here is 1.0.0"#)),
        ),
        (
            "two versions",
            |layout| layout.write("oci-layout", r#"{"imageLayoutVersion":"1.0.0","imageLayoutVersion":"2.0.0"}"#),
            Some((Code::Malformed, "is not readable: duplicate field `imageLayoutVersion` at line 1 column 50")),
        ),
        (
            "no version",
            |layout| layout.write("oci-layout", "{}"),
            Some((Code::Malformed, "is not readable: missing field `imageLayoutVersion` at line 1 column 2")),
        ),
        (
            "an empty oci-layout",
            |layout| layout.write("oci-layout", ""),
            Some((Code::Malformed, "is not readable: EOF while parsing a value at line 1 column 0")),
        ),
        (
            "a huge oci-layout",
            |layout| grow(&layout.path("oci-layout"), 1 << 30),
            Some((Code::Malformed, ": its oci-layout file has 1073741824 bytes, where thirty are usual")),
        ),
        (
            "a fifo for oci-layout",
            |layout| put_at(&layout.path("oci-layout"), fifo),
            Some((Code::Malformed, ": its oci-layout is a fifo; plain files are read, and links not followed")),
        ),
        (
            "a link for oci-layout",
            |layout| put_at(&layout.path("oci-layout"), link),
            Some((
                Code::Malformed,
                ": its oci-layout is a symbolic link; plain files are read, and links not followed",
            )),
        ),
    ];
    for (what, damage, expected) in rows {
        let folder = made::Layout::new();
        damage(&folder);
        match (Layout::open(folder.folder(), "oci-layout://here"), expected) {
            (Ok(_), None) => {}
            (Err(error), Some((code, end))) => {
                assert!(
                    error.to_string().starts_with(&format!("cannot open the layout {}: ", folder.folder().display()))
                );
                assert_error(&error, *code, end, what);
            }
            (result, _) => panic!("{what}: {result:?}"),
        }
    }
}

#[test]
fn a_folder_with_any_index_json_is_a_layout() {
    for (make, is_layout) in
        [(file as fn(&Path), true), (fifo, true), (link, true), (directory, true), ((|_| {}) as fn(&Path), false)]
    {
        let folder = made::Layout::new();
        put_at(&folder.path("index.json"), make);
        assert_eq!(Layout::is_at(folder.folder()), is_layout);
        assert_eq!(Layout::open(folder.folder(), "oci-layout://here").is_ok(), is_layout);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(!Layout::is_at(file.path()));
    let error = Layout::open(file.path(), "oci-layout://here").unwrap_err();
    assert_error(&error, Code::NotFound, ": it is no folder", "a file");
    assert_eq!(error.hint(), Some("a tar of a layout is read as oci-archive://FILE"));
}

#[tokio::test]
async fn the_folder_itself_may_be_a_link() {
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link");
    symlink(fixtures::layout("umoci"), &link).unwrap();
    assert_eq!(walk(&open(&link)).await.manifests.len(), 1);
}

#[tokio::test]
async fn what_index_json_may_not_be() {
    const NO_FILE: &str = "; plain files are read, and links not followed";
    type Put = fn(&Path);
    let rows: &[(&str, Put, Code, String)] = &[
        ("a fifo", fifo, Code::Malformed, format!("its index.json is a fifo{NO_FILE}")),
        ("a folder", directory, Code::Malformed, format!("its index.json is a folder{NO_FILE}")),
        ("a socket", socket, Code::Malformed, format!("its index.json is a socket{NO_FILE}")),
        ("a device", device, Code::Malformed, format!("its index.json is a device{NO_FILE}")),
        ("a link", link, Code::Malformed, format!("its index.json is a symbolic link{NO_FILE}")),
        (
            "of 1 GiB",
            |path| grow(path, 1 << 30),
            Code::TooLarge,
            "its index.json has 1073741824 bytes, where 67108864 are the limit".into(),
        ),
        (
            "empty",
            |path| fs::write(path, "").unwrap(),
            Code::Malformed,
            "its index.json: no readable index or manifest: EOF while parsing a value at line 1 column 0".into(),
        ),
        (
            "a manifest",
            |path| fs::write(path, r#"{"schemaVersion":2,"config":{},"layers":[]}"#).unwrap(),
            Code::Malformed,
            format!("its index.json: its media type is {}, and its shape is that of a manifest", media_type::OCI_INDEX),
        ),
        (
            "both",
            |path| fs::write(path, r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#).unwrap(),
            Code::Malformed,
            "its index.json: it is ambiguous: it has manifests, as an index, and config or layers, as a manifest"
                .into(),
        ),
    ];
    for (what, put, code, end) in rows {
        let folder = made::Layout::new();
        put_at(&folder.path("index.json"), *put);
        // Without the right to make a device there is none to be read.
        if folder.path("index.json").symlink_metadata().is_ok() {
            let error = open(folder.folder()).entries(&Limits::default()).await.expect_err(what);
            assert_error(&error, *code, end, what);
            assert!(error.to_string().starts_with("cannot read the entries of oci-layout://here: "), "{error}");
        }
    }
}

#[tokio::test]
async fn index_json_at_its_limits() {
    let folder = made::Layout::new();
    let entry = folder.insert("a/b", b"content");
    folder.entries(&[entry.clone(), entry.clone(), entry]);
    let length = fs::metadata(folder.path("index.json")).unwrap().len();
    for (entries, index_entries, expected) in [
        (length, 3, Ok(())),
        (length - 1, 3, Err((Code::TooLarge, format!("has {length} bytes, where {} are the limit", length - 1)))),
        (length, 2, Err((Code::Malformed, "a list of more than 2 entries".into()))),
    ] {
        let limits = Limits { entries, index_entries, ..Limits::default() };
        match (open(folder.folder()).entries(&limits).await, expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err((code, part))) => {
                assert_eq!(error.code(), code);
                assert!(error.to_string().contains(&part), "{error}");
            }
            (result, expected) => panic!("{result:?}, not {expected:?}"),
        }
    }
}

#[tokio::test]
async fn what_may_not_stand_where_a_blob_is_meant() {
    type Break = fn(&made::Layout, &Path);
    let rows: &[(&str, Break, &str)] = &[
        ("a fifo", |_, blob| put_at(blob, fifo), " is a fifo"),
        ("a folder", |_, blob| put_at(blob, directory), " is a folder"),
        ("a socket", |_, blob| put_at(blob, socket), " is a socket"),
        ("a device", |_, blob| put_at(blob, device), " is a device"),
        ("a link", |_, blob| put_at(blob, link), " is a symbolic link"),
        ("a link to the right bytes", |layout, blob| moved(blob, &layout.path("elsewhere")), " is a symbolic link"),
        (
            "a linked `blobs`",
            |layout, _| moved(&layout.path("blobs"), &layout.path("x")),
            "its blobs is a symbolic link",
        ),
        (
            "a linked `sha256`",
            |layout, _| moved(&layout.path("blobs/sha256"), &layout.path("x")),
            "its sha256 is a symbolic link",
        ),
        ("a file `blobs`", |layout, _| put_at(&layout.path("blobs"), file), "its blobs is a file"),
    ];
    for (what, damage, is) in rows {
        let folder = made::Layout::new();
        let blob = folder.insert("a/b", b"content");
        damage(&folder, &folder.blob(&blob.digest));
        // Without the right to make a device there is none to be read.
        if *what != "a device" || folder.blob(&blob.digest).exists() {
            let error = refused(&open(folder.folder()), &blob, what).await;
            assert_error(&error, Code::Malformed, &format!("{is}; plain files are read, and links not followed"), what);
        }
    }
}

#[tokio::test]
async fn blobs_that_are_not_what_they_should_be() {
    let other = format!(": the bytes have the digest {}", Digest::sha256(b"CONTENT"));
    type Break = fn(&Path);
    let rows: &[(&str, Break, &str)] = &[
        ("short", |blob| fs::write(blob, "cont").unwrap(), ": 4 bytes, where its descriptor says 7"),
        ("long", |blob| fs::write(blob, "contents").unwrap(), ": 8 bytes, where its descriptor says 7"),
        ("empty", |blob| fs::write(blob, "").unwrap(), ": 0 bytes, where its descriptor says 7"),
        ("of 1 TiB", |blob| grow(blob, 1 << 40), ": 1099511627776 bytes, where its descriptor says 7"),
        ("other bytes", |blob| fs::write(blob, "CONTENT").unwrap(), &other),
    ];
    for (what, damage, end) in rows {
        let folder = made::Layout::new();
        let blob = folder.insert("a/b", b"content");
        damage(&folder.blob(&blob.digest));
        let error = refused(&open(folder.folder()), &blob, what).await;
        assert_error(&error, Code::DigestMismatch, end, what);
        assert_eq!(error.subject(), format!("oci-layout://here@{}", blob.digest));
    }
}

#[tokio::test]
async fn blobs_that_are_not_there() {
    let folder = made::Layout::new();
    let absent = Descriptor::of("a/b", b"absent");
    let place = format!("blobs/sha256/{}", absent.digest.hex());
    let named = |tag: &str| {
        let mut entry = absent.clone();
        entry.annotations.insert("org.opencontainers.image.ref.name".into(), tag.into());
        entry
    };
    for (entries, end) in [
        (vec![], format!(": it has no {place}")),
        (vec![Descriptor::of("a/b", b"other")], format!(": it has no {place}")),
        (vec![absent.clone()], format!(": index.json names it, but there is no {place}")),
        // A large one is not searched: the message is not worth it.
        (vec![absent.clone(); 3000], format!(": it has no {place}")),
        (
            vec![named("1.4"), named("app:2"), absent.clone()],
            format!(": index.json names it (1.4, docker.io/library/app:2), but there is no {place}"),
        ),
    ] {
        folder.entries(&entries);
        let layout = open(folder.folder());
        assert_error(&refused(&layout, &absent, &end).await, Code::NotFound, &end, "fetched");
        let error = layout.resolve(Target::Digest(&absent.digest), &Limits::default()).await.unwrap_err();
        assert_error(&error, Code::NotFound, &end, "resolved");
    }
}

/// Root may read everything, so as root the test runs itself once more as nobody.
#[tokio::test]
async fn what_may_not_be_read_is_forbidden() {
    const AGAIN: &str = "PORTOLAN_TESTS_UNREADABLE";
    if let Some(folder) = std::env::var_os(AGAIN) {
        return unreadable(Path::new(&folder)).await;
    }
    let folder = made::Layout::new();
    chmod(folder.folder(), 0o755);
    let blob = folder.insert("a/b", b"content");
    chmod(&folder.blob(&blob.digest), 0);
    chmod(&folder.path("index.json"), 0);
    if !rustix::process::geteuid().is_root() {
        return unreadable(folder.folder()).await;
    }
    let status = Command::new("/proc/self/exe")
        .args(["--exact", "what_may_not_be_read_is_forbidden"])
        .env(AGAIN, folder.folder())
        .current_dir("/")
        .uid(65534)
        .status();
    assert!(status.unwrap().success());
}

async fn unreadable(folder: &Path) {
    let blob = Descriptor::of("a/b", b"content");
    let layout = open(folder);
    let end = format!("no permission to read its {}", blob.digest.hex());
    assert_error(&refused(&layout, &blob, "a blob").await, Code::Forbidden, &end, "a blob");
    let error = layout.entries(&Limits::default()).await.unwrap_err();
    assert_error(&error, Code::Forbidden, "no permission to read its index.json", "the entries");
}

#[tokio::test]
async fn a_digest_alone_is_a_root() {
    let folder = made::Layout::new();
    let image = folder.image(b"layer");
    let index = folder.insert(media_type::OCI_INDEX, r#"{"manifests":[]}"#);
    let list = folder
        .insert(media_type::DOCKER_LIST, format!(r#"{{"mediaType":"{}","manifests":[]}}"#, media_type::DOCKER_LIST));
    let docker = folder.insert(
        media_type::DOCKER_MANIFEST,
        format!(r#"{{"config":{},"layers":[]}}"#, json(&Descriptor::of(media_type::DOCKER_CONFIG, b"{}"))),
    );
    let schema1 = folder.insert(media_type::DOCKER_SCHEMA1, r#"{"schemaVersion":1,"fsLayers":[]}"#);
    let large = folder.insert("a/b", vec![b' '; (4 << 20) + 1]);
    let layout = open(folder.folder());
    let limits = Limits::default();
    for root in [&image.manifest, &index, &list, &docker] {
        assert_eq!(layout.resolve(Target::Digest(&root.digest), &limits).await.unwrap(), *root);
    }
    for (other, code, end) in [
        (
            &image.config,
            Code::Malformed,
            "it is neither index nor manifest: it has no manifests, no config and no layers",
        ),
        (&image.layer, Code::Malformed, "no readable index or manifest: expected value at line 1 column 1"),
        (&schema1, Code::Malformed, "which is no longer read; push the image anew with a current tool"),
        (&large, Code::TooLarge, "4194305 bytes; an index or a manifest has at most 4194304"),
    ] {
        let error = layout.resolve(Target::Digest(&other.digest), &limits).await.unwrap_err();
        assert_error(&error, code, end, &other.media_type);
    }
    let error = layout.resolve(Target::Tag("latest"), &limits).await.unwrap_err();
    assert_error(&error, Code::Unsupported, "a store knows digests; its entries tell the names", "a tag");
}

#[tokio::test]
async fn parts_of_blobs() {
    let folder = made::Layout::new();
    let blob = folder.insert("a/b", b"content");
    let empty = folder.insert("a/b", b"");
    let layout = open(folder.folder());
    for (blob, offset, length, expected) in [
        (&blob, 0, 7, "content"),
        (&blob, 0, 3, "con"),
        (&blob, 3, 3, "ten"),
        (&blob, 6, 100, "t"),
        (&blob, 7, 1, ""),
        (&blob, u64::MAX, u32::MAX, ""),
        (&blob, 0, u32::MAX, "content"),
        (&blob, 0, 0, ""),
        (&empty, 0, 1, ""),
    ] {
        assert_eq!(layout.read(blob, offset, length).await.unwrap(), expected, "{length} from {offset}");
    }
}

#[tokio::test]
async fn a_blob_that_changes_is_verified_again() {
    let folder = made::Layout::new();
    let blob = folder.insert("a/b", b"content");
    let layout = open(folder.folder());
    assert_eq!(layout.read(&blob, 0, 3).await.unwrap(), "con");
    fs::remove_file(folder.blob(&blob.digest)).unwrap();
    fs::write(folder.blob(&blob.digest), "CONTENT").unwrap();
    assert_eq!(layout.read(&blob, 0, 3).await.unwrap_err().code(), Code::DigestMismatch);
}

#[tokio::test]
async fn the_last_piece_of_a_stream_comes_after_the_verdict() {
    let folder = made::Layout::new();
    let bytes: Vec<u8> = (0..1_000_003u32).map(|n| n as u8).collect();
    let blob = folder.insert("a/b", &bytes);
    let empty = folder.insert("a/b", b"");
    let layout = open(folder.folder());
    assert_eq!(streamed(&layout, &blob).await.unwrap(), bytes);
    assert_eq!(streamed(&layout, &empty).await.unwrap(), b"");

    let mut wrong = bytes.clone();
    wrong[0] ^= 1;
    fs::write(folder.blob(&blob.digest), &wrong).unwrap();
    let pieces: Vec<_> = layout.open(&blob).await.unwrap().collect().await;
    let (last, before) = pieces.split_last().unwrap();
    assert_eq!(last.as_ref().unwrap_err().code(), Code::DigestMismatch);
    let before: usize = before.iter().map(|piece| piece.as_ref().unwrap().len()).sum();
    assert!(0 < before && before < bytes.len(), "{before}");

    // Cut while it is being read.
    let mut stream = layout.open(&blob).await.unwrap();
    stream.next().await.unwrap().unwrap();
    fs::File::options().write(true).open(folder.blob(&blob.digest)).unwrap().set_len(300_000).unwrap();
    let rest: Vec<_> = stream.collect().await;
    assert_error(
        rest.last().unwrap().as_ref().unwrap_err(),
        Code::DigestMismatch,
        "its descriptor says 1000003",
        "cut",
    );
}

#[tokio::test]
async fn documents_are_what_they_are_said_to_be() {
    let folder = made::Layout::new();
    let index = Descriptor { media_type: media_type::OCI_MANIFEST.into(), ..folder.insert("a/b", made::index(&[])) };
    let twice = folder.insert(media_type::OCI_CONFIG, r#"{"os":"linux","os":"windows"}"#);
    let layout = open(folder.folder());
    for (document, end) in [
        (&index, "and its shape is that of an index"),
        (&twice, r#"no readable image config: the key "os" twice at line 1 column 18"#),
    ] {
        let error = layout.fetch(document, &Limits::default()).await.unwrap_err();
        assert_error(&error, Code::Malformed, end, &document.media_type);
        streamed(&layout, document).await.unwrap();
    }
}

#[tokio::test]
async fn digests_nobody_can_check() {
    let folder = made::Layout::new();
    let blob = Descriptor::new("a/b", Digest::parse_any("blake3:00ff").unwrap(), 7);
    let end = "its digest cannot be checked; the algorithms known here are sha256, sha384 and sha512";
    assert_error(&refused(&open(folder.folder()), &blob, "blake3").await, Code::Unsupported, end, "blake3");
}

#[tokio::test]
async fn other_known_digests_are_as_good() {
    let folder = made::Layout::new();
    for algorithm in [portolan_oci::Algorithm::Sha384, portolan_oci::Algorithm::Sha512] {
        let blob = Descriptor::new("a/b", Digest::of(algorithm, b"content"), 7);
        fs::create_dir(folder.path(&format!("blobs/{}", algorithm.as_str()))).unwrap();
        fs::write(folder.blob(&blob.digest), "content").unwrap();
        assert_eq!(open(folder.folder()).fetch(&blob, &Limits::default()).await.unwrap(), "content");
        fs::write(folder.blob(&blob.digest), "CONTENT").unwrap();
        assert_eq!(refused(&open(folder.folder()), &blob, "other bytes").await.code(), Code::DigestMismatch);
    }
}

#[tokio::test]
async fn stores_have_neither_tags_nor_referrers() {
    let layout = open(&fixtures::layout("umoci"));
    assert_eq!(layout.tags(None).await.unwrap_err().code(), Code::Unsupported);
    let referrers = layout.referrers(&Digest::sha256(b""), None, &Limits::default()).await;
    assert_eq!(referrers.unwrap_err().code(), Code::Unsupported);
}

#[tokio::test]
async fn messages_name_the_store_as_it_was_typed() {
    let repository = format!("oci-layout://{}", portolan_oci::location::encode_store("./out dir"));
    let layout = Layout::open(&fixtures::layout("umoci"), repository.as_str()).unwrap();
    assert_eq!(Source::repository(&layout), repository);
    let absent = Descriptor::of("a/b", b"absent");
    let error = refused(&layout, &absent, "absent").await;
    assert_eq!(error.subject(), format!("oci-layout://./out dir@{}", absent.digest));
}

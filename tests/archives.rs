//! Archives as sources: those that real tools wrote, and those that nobody should; here plain ones, packed ones and what
//! comes by standard input in `archives/packed.rs`, docker's own in `archives/docker.rs`. What the tar reader makes of each kind of header is tested beside it;
//! here is what becomes of an archive.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use portolan::source::archive::Archive;
use portolan::source::archive::docker::DockerArchive;
use portolan::source::{Source, Target};
use portolan::{Code, Limits};
use portolan_oci::{Descriptor, Index, media_type};
use portolan_tests::{fixtures, layout as made};
use proptest::prelude::*;
use rustix::fs::{CWD, Mode, mkfifoat};
use tar::{Builder, EntryType};

#[path = "archives/docker.rs"]
mod docker;
#[path = "archives/made.rs"]
mod made_here;
#[path = "archives/packed.rs"]
mod packed;
mod stores;
use made_here::{Made, Tar, blob_name};
use stores::{Counting, assert_error, refused, streamed, walk};

#[tokio::test]
async fn everything_in_buildkits_archives_is_reached_and_verified() {
    // The second is docker's archive too: what makes it an image layout is there all the same.
    for (name, manifests) in [("oci-multi.tar", 2), ("buildkit-docker.tar", 1)] {
        let file = fixtures::archive(name);
        let archive = Counting::new(Archive::open(&file, "oci-archive://here").unwrap());
        let reached = walk(&archive).await;
        assert_eq!(reached.manifests.iter().filter(|manifest| !manifest.is_attestation()).count(), manifests, "{name}");
        assert!(reached.layers.iter().all(|layer| !archive.counted().contains_key(&layer.digest)), "{name}");
        let mut tar = tar::Archive::new(fs::File::open(&file).unwrap());
        let mut blobs = 0;
        for member in tar.entries().unwrap().map(|member| member.unwrap()) {
            let path = member.path().unwrap().to_str().unwrap().to_owned();
            let Some(hex) = path.strip_prefix("blobs/sha256/").filter(|hex| !hex.is_empty()) else { continue };
            let digest = format!("sha256:{hex}").parse().unwrap();
            let descriptor: &Descriptor = reached.all.get(&digest).unwrap_or_else(|| panic!("{name}: {path}"));
            let bytes: Vec<u8> = std::io::Read::bytes(member).map(|byte| byte.unwrap()).collect();
            assert_eq!(streamed(&archive, descriptor).await.unwrap(), bytes, "{path}");
            assert_eq!(archive.read(descriptor, 1, 7).await.unwrap(), bytes[1..bytes.len().min(8)], "{path}");
            blobs += 1;
        }
        assert_eq!(blobs, reached.all.len(), "{name}");
        for manifest in &reached.manifests {
            let resolved = archive.resolve(Target::Digest(&manifest.digest), &Limits::default()).await.unwrap();
            assert_eq!(resolved, manifest.bare(), "{name}");
        }
    }
}

#[tokio::test]
async fn every_layout_reads_the_same_from_a_tar() {
    for folder in fixtures::layouts() {
        // As `tar -C FOLDER -cf FILE .` writes it.
        let mut builder = Builder::new(Vec::new());
        builder.append_dir_all(".", &folder).unwrap();
        let made = Made::of(&builder.into_inner().unwrap());
        let archive = made.open().unwrap();
        let layout = portolan::source::layout::Layout::open(&folder, "oci-layout://here").unwrap();
        let limits = Limits::default();
        assert_eq!(archive.entries(&limits).await.unwrap(), layout.entries(&limits).await.unwrap());
        assert_eq!(walk(&archive).await.all, walk(&layout).await.all);
    }
}

/// Of layers of gigabytes not a byte is read: headers are, and documents, and of docker's archives how a layer begins.
#[tokio::test]
#[cfg(target_os = "linux")]
async fn what_is_read_of_large_archives() {
    const LAYERS: usize = 8;
    const SIZE: u64 = 3 << 30;
    let layers: Vec<Descriptor> = (0..LAYERS)
        .map(|at| Descriptor { size: SIZE, ..Descriptor::of("application/vnd.oci.image.layer.v1.tar", &[at as u8]) })
        .collect();
    let diff_ids: Vec<&str> = layers.iter().map(|layer| layer.digest.as_str()).collect();
    let config = serde_json::json!({"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": diff_ids}});
    let config = config.to_string();
    let described = Descriptor::of(media_type::OCI_CONFIG, config.as_bytes());
    let manifest = serde_json::json!({"schemaVersion": 2, "config": described, "layers": layers}).to_string();
    let root = Descriptor::of(media_type::OCI_MANIFEST, manifest.as_bytes());
    let names: Vec<String> = layers.iter().map(blob_name).collect();
    let listed =
        serde_json::json!([{"Config": blob_name(&described), "RepoTags": ["a:1"], "Layers": names}]).to_string();

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.tar");
    for tail in [
        Tar::layout().blob(config.as_bytes()).blob(manifest.as_bytes()).index(&[root]).bytes(),
        Tar::new().blob(config.as_bytes()).file("manifest.json", listed).bytes(),
    ] {
        let file = fs::File::create(&path).unwrap();
        let mut end = 0;
        for name in &names {
            let mut header = tar::Header::new_gnu();
            header.set_path(name).unwrap();
            header.set_size(SIZE);
            header.set_cksum();
            file.write_all_at(header.as_bytes(), end).unwrap();
            end += 512 + SIZE;
        }
        file.write_all_at(&tail, end).unwrap();
        // Each layer costs a header, and a look at its start.
        let most = tail.len() as u64 * 3 + LAYERS as u64 * 1024 + 4096;
        let before = read_so_far();
        let reached = match tail.windows(10).any(|part| part == b"oci-layout") {
            true => walk(&Archive::open(&path, "oci-archive://here").unwrap()).await,
            false => walk(&DockerArchive::open(&path, "docker-archive://here").unwrap()).await,
        };
        let read = read_so_far() - before;
        assert_eq!(reached.layers.len(), LAYERS);
        assert!(read <= most, "{read} bytes were read, where {most} are enough");
    }
}

/// Bytes that this thread has read.
#[cfg(target_os = "linux")]
fn read_so_far() -> u64 {
    let facts = fs::read_to_string("/proc/thread-self/io").unwrap();
    facts.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

/// Nothing, or the error's code and how its text ends.
type Verdict = Option<(Code, &'static str)>;

#[test]
fn what_is_opened_as_an_archive() {
    let whole = || Tar::layout().index(&[]);
    let zeros = vec![0; 10240];
    let rows: Vec<(&str, Vec<u8>, Verdict)> = vec![
        ("as it should be", whole().bytes(), None),
        (
            "index.json first",
            Tar::new().index(&[]).file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#).bytes(),
            None,
        ),
        (
            "names with ./",
            Tar::new()
                .file("./index.json", made::index(&[]))
                .file("./oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)
                .bytes(),
            None,
        ),
        ("trailing rubbish", [whole().bytes(), b"rubbish".to_vec()].concat(), None),
        (
            "absolute and `..` names",
            whole().file("/etc/passwd", "x").file("../../escape", "x").file("a/../../b", "x").bytes(),
            None,
        ),
        (
            "links out of it",
            whole().member(EntryType::Symlink, "blobs", b"").member(EntryType::Link, "a", b"").bytes(),
            None,
        ),
        (
            "devices and fifos",
            whole()
                .member(EntryType::Char, "c", b"")
                .member(EntryType::Block, "b", b"")
                .member(EntryType::Fifo, "f", b"")
                .bytes(),
            None,
        ),
        ("empty", Vec::new(), Some((Code::Malformed, ": it is empty"))),
        ("zeros", zeros, Some((Code::Malformed, ": it has no index.json, so it is no image layout"))),
        (
            "text",
            b"hello".repeat(1000),
            Some((Code::Malformed, ": not a tar archive: the checksum of its first header is wrong")),
        ),
        ("a word", b"hello".to_vec(), Some((Code::Malformed, ": too short for a tar archive"))),
        (
            "no index.json",
            Tar::layout().bytes(),
            Some((Code::Malformed, ": it has no index.json, so it is no image layout")),
        ),
        (
            "an absolute one",
            Tar::layout().file("/index.json", made::index(&[])).bytes(),
            Some((
                Code::Malformed,
                ": the member `/index.json` at byte 1024 is `index.json` to some programs, and not to others",
            )),
        ),
        (
            "one by way of ..",
            Tar::layout().file("a/../index.json", made::index(&[])).bytes(),
            Some((
                Code::Malformed,
                ": the member `a/../index.json` at byte 1024 is `index.json` to some programs, and not to others",
            )),
        ),
        (
            "no oci-layout",
            Tar::new().index(&[]).bytes(),
            Some((Code::Malformed, ": it has no oci-layout file, as an image archive must")),
        ),
        (
            "version 2",
            Tar::new().index(&[]).file("oci-layout", r#"{"imageLayoutVersion":"2.0.0"}"#).bytes(),
            Some((Code::Malformed, r#": its oci-layout file says version "2.0.0"; the one known here is 1.0.0"#)),
        ),
        (
            "a link for oci-layout",
            Tar::new().index(&[]).member(EntryType::Symlink, "oci-layout", b"").bytes(),
            Some((Code::Malformed, ": its oci-layout is a link; plain files are read, and links not followed")),
        ),
        (
            "docker's own",
            fs::read(fixtures::archive("skopeo-docker.tar")).unwrap(),
            Some((Code::Malformed, ": it has no index.json but a manifest.json: it is a docker archive")),
        ),
        (
            "cut in a header",
            whole().bytes()[..1500].to_vec(),
            Some((Code::Malformed, ": the header at byte 1024 is cut short")),
        ),
        (
            "cut in a member",
            whole().bytes()[..1540].to_vec(),
            Some((
                Code::Malformed,
                ": the member `index.json` at byte 1024 claims 88 bytes where 4 are left: the archive is cut short",
            )),
        ),
        (
            "xz",
            b"\xfd7zXZ\0\0\0".to_vec(),
            Some((Code::Unsupported, ": it is compressed with xz; gzip and zstd are read, and plain tars")),
        ),
        (
            "bzip2",
            b"BZh91AY&SY".to_vec(),
            Some((Code::Unsupported, ": it is compressed with bzip2; gzip and zstd are read, and plain tars")),
        ),
    ];
    for (what, bytes, expected) in rows {
        let made = Made::of(&bytes);
        match (made.open(), expected) {
            (Ok(_), None) => {}
            (Err(error), Some((code, end))) => {
                let start = format!("cannot open the archive {}: ", made.file.path().display());
                assert!(error.to_string().starts_with(&start), "{what}: {error}");
                assert_error(&error, code, end, what);
                assert_eq!(
                    error.hint().is_some(),
                    what == "no oci-layout" || what == "docker's own" || code == Code::Unsupported
                );
            }
            (result, _) => panic!("{what}: {result:?}"),
        }
    }
}

#[test]
fn what_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    mkfifoat(CWD, &fifo, Mode::RWXU).unwrap();
    for (path, code, end) in [
        (folder.path().join("nothing").as_path(), Code::NotFound, ": there is no such file"),
        (folder.path(), Code::Malformed, ": it is a folder"),
        (&fifo, Code::Malformed, ": it is no plain file; an archive is read where its members lie"),
        (Path::new("/dev/zero"), Code::Malformed, ": it is no plain file; an archive is read where its members lie"),
    ] {
        assert_error(&Archive::open(path, "oci-archive://here").unwrap_err(), code, end, &path.display().to_string());
    }
}

#[test]
fn members_are_counted() {
    let made = Tar::layout().index(&[]).file("a", "").file("b", "").made();
    let open = |archive_members| {
        Archive::open_within(made.file.path(), "oci-archive://here", &Limits { archive_members, ..Limits::default() })
    };
    open(4).unwrap();
    assert_error(&open(3).unwrap_err(), Code::TooLarge, ": it has more members than the limit, 3", "3");
}

#[tokio::test]
async fn what_a_blob_may_not_be() {
    let blob = Descriptor::of("a/b", b"content");
    let name = blob_name(&blob);
    let whole = || Tar::layout().index(std::slice::from_ref(&blob));
    let no_file = |kind: &str| format!("is {kind}; plain files are read, and links not followed");
    for (what, tar, code, end) in [
        ("absent", whole(), Code::NotFound, format!(": index.json names it, but there is no {name}")),
        ("a link", whole().member(EntryType::Symlink, &name, b""), Code::Malformed, no_file("a link")),
        ("a hard link", whole().member(EntryType::Link, &name, b""), Code::Malformed, no_file("a link")),
        ("a folder", whole().member(EntryType::Directory, &name, b""), Code::Malformed, no_file("a directory")),
        ("a device", whole().member(EntryType::Char, &name, b""), Code::Malformed, no_file("a special file")),
        (
            "with holes",
            whole().member(EntryType::GNUSparse, &name, b"content"),
            Code::Malformed,
            no_file("a sparse file"),
        ),
        ("short", whole().file(&name, "cont"), Code::DigestMismatch, ": 4 bytes, where its descriptor says 7".into()),
        (
            "long",
            whole().file(&name, "contents"),
            Code::DigestMismatch,
            ": 8 bytes, where its descriptor says 7".into(),
        ),
        (
            "other bytes",
            whole().file(&name, "CONTENT"),
            Code::DigestMismatch,
            format!(": the bytes have the digest {}", Descriptor::of("a/b", b"CONTENT").digest),
        ),
        (
            "right, and then a link",
            whole().file(&name, "content").member(EntryType::Symlink, &name, b""),
            Code::Malformed,
            no_file("a link"),
        ),
        (
            "right, but elsewhere",
            whole().file(&format!("else/{name}"), "content"),
            Code::NotFound,
            format!("there is no {name}"),
        ),
    ] {
        let made = tar.made();
        assert_error(&refused(&made.open().unwrap(), &blob, what).await, code, &end, what);
    }
}

#[tokio::test]
async fn the_last_of_a_name_counts() {
    let (old, new) = (Descriptor::of("a/b", b"old"), Descriptor::of("a/b", b"new"));
    let name = blob_name(&new);
    let made = Tar::layout()
        .index(std::slice::from_ref(&old))
        .file(&name, "bad")
        .file(&format!("./{name}"), "new")
        .index(std::slice::from_ref(&new))
        .made();
    let archive = made.open().unwrap();
    let (_, entries) = archive.entries(&Limits::default()).await.unwrap();
    assert_eq!(Index::parse(&entries).unwrap().manifests, std::slice::from_ref(&new));
    assert_eq!(archive.fetch(&new, &Limits::default()).await.unwrap(), "new");
}

#[tokio::test]
async fn an_index_json_beyond_its_limit() {
    let made = Tar::layout().index(&[]).made();
    let length = made::index(&[]).len() as u64;
    let archive = made.open().unwrap();
    archive.entries(&Limits { entries: length, ..Limits::default() }).await.unwrap();
    let error = archive.entries(&Limits { entries: length - 1, ..Limits::default() }).await.unwrap_err();
    assert_eq!(error.code(), Code::TooLarge);
}

#[tokio::test]
async fn an_archive_that_is_cut_after_it_was_opened() {
    let blob = Descriptor::of("a/b", b"content");
    let made = Tar::layout().index(&[]).blob(b"content").made();
    let archive = made.open().unwrap();
    made.file.as_file().set_len(600).unwrap();
    let error = refused(&archive, &blob, "cut").await;
    assert_error(&error, Code::DigestMismatch, ": 0 bytes, where its descriptor says 7", "cut");
    let error = archive.entries(&Limits::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::Malformed, "{error}");
}

/// Wherever an archive is cut, what is left of it is refused or it is whole but for its padding.
#[tokio::test]
async fn archives_cut_anywhere() {
    let bytes = fs::read(fixtures::archive("oci-multi.tar")).unwrap();
    let whole = walk(&Archive::open(&fixtures::archive("oci-multi.tar"), "oci-archive://here").unwrap()).await.all;
    let mut opened = 0;
    for length in (0..bytes.len()).step_by(256) {
        match Made::of(&bytes[..length]).open() {
            Ok(archive) => {
                assert_eq!(walk(&archive).await.all, whole, "cut at {length}");
                opened += 1;
            }
            Err(error) => assert_eq!(error.code(), Code::Malformed, "cut at {length}: {error}"),
        }
    }
    assert!(opened > 0, "the last cuts take padding away");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is changed in an archive, what is handed out is what its digest says, and nothing panics.
    #[test]
    fn changed_archives_lie_to_nobody(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        let mut bytes = fs::read(fixtures::archive("oci-multi.tar")).unwrap();
        for (at, value) in changes {
            *at.get_mut(&mut bytes) = value;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let made = Made::of(&bytes);
            let Ok(archive) = made.open() else { return };
            let limits = Limits::default();
            let Ok((_, entries)) = archive.entries(&limits).await else { return };
            let Ok(index) = Index::parse(&entries) else { return };
            for entry in index.manifests {
                if let Ok(document) = archive.fetch(&entry, &limits).await {
                    assert!(entry.digest.matches(&document));
                    assert_eq!(entry.size, document.len() as u64);
                }
            }
        });
    }
}

#[tokio::test]
async fn nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("archive.tar");
    let image = b"content";
    let tar = Tar::layout().index(&[]).blob(image).file("../out", "x").member(EntryType::Symlink, "link", b"");
    fs::write(&file, tar.bytes()).unwrap();
    let archive = Archive::open(&file, "oci-archive://here").unwrap();
    archive.fetch(&Descriptor::of(media_type::OCI_EMPTY, image), &Limits::default()).await.unwrap();
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["archive.tar"]);
}

//! Archives that are packed with gzip or zstd, by the real programs, and archives that come by standard input: the same
//! answers as from the plain one, and what is broken, hidden or blown up in them is told.

use std::fs;
use std::io::{Cursor, Read, Write, repeat};
use std::process::{Command, Stdio};

use portolan::source::archive::Archive;
use portolan::source::layout::Layout;
use portolan::source::{Source, Target};
use portolan::{Code, Limits, Result};
use portolan_oci::{Descriptor, media_type};
use portolan_tests::cli::Cli;
use portolan_tests::{fixtures, layout as made};
use proptest::prelude::*;
use tar::Builder;

use super::made_here::{Made, Tar};
use super::stores::{assert_error, refused, streamed, walk};

const STORE: &str = "oci-archive://here";

/// What a program makes of its input.
fn through(program: &str, words: &[&str], package: &str, input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("this test needs the program `{program}` (Debian package {package}): {error}"));
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{program}: {}", output.status);
    output.stdout
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    through("gzip", &["-c"], "gzip", bytes)
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    through("zstd", &["-c", "-q"], "zstd", bytes)
}

/// As cut in two and packed one after the other.
fn twice(pack: fn(&[u8]) -> Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    let (one, other) = bytes.split_at(bytes.len() / 3);
    [pack(one), pack(other)].concat()
}

/// In all ways that there are.
pub fn packed(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("gzip", gzip(bytes)),
        ("gzip -1", through("gzip", &["-c", "-1"], "gzip", bytes)),
        ("gzip twice", twice(gzip, bytes)),
        ("gzip, and a member of nothing", [gzip(bytes), gzip(b"")].concat()),
        ("gzip, padded as on a tape", [gzip(bytes), vec![0; 10240]].concat()),
        ("pigz, a member for each block", through("pigz", &["-c", "-i", "-b", "128"], "pigz", bytes)),
        ("zstd", zstd(bytes)),
        ("zstd -19, with the longest window", through("zstd", &["-cq19", "--long=27"], "zstd", bytes)),
        ("zstd without a checksum", through("zstd", &["-cq", "--no-check"], "zstd", bytes)),
        ("zstd twice", twice(zstd, bytes)),
        ("pzstd, behind a frame to skip", [b"\x5f\x2a\x4d\x18\x04\0\0\0skip".to_vec(), zstd(bytes)].concat()),
        ("zstd, and a frame to skip", [zstd(bytes), b"\x50\x2a\x4d\x18\x04\0\0\0skip".to_vec()].concat()),
    ]
}

/// As `tar -C FOLDER -cf FILE .` writes it.
fn tar_of(folder: &std::path::Path) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    builder.append_dir_all(".", folder).unwrap();
    builder.into_inner().unwrap()
}

fn receive(bytes: Vec<u8>) -> Result<Archive> {
    Archive::receive(Cursor::new(bytes), STORE, &Limits::default())
}

#[tokio::test]
async fn the_same_answers_from_all() {
    let limits = Limits::default();
    let mut archives: Vec<Vec<u8>> = fixtures::layouts().iter().map(|folder| tar_of(folder)).collect();
    archives.extend(["oci-multi.tar", "buildkit-docker.tar"].map(|name| fs::read(fixtures::archive(name)).unwrap()));
    for bytes in archives {
        let plain = Made::of(&bytes);
        let plain = plain.open().unwrap();
        let (expected, entries) = (walk(&plain).await.all, plain.entries(&limits).await.unwrap());
        for (what, packed) in packed(&bytes) {
            let made = Made::of(&packed);
            let archive = made.open().unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(archive.entries(&limits).await.unwrap(), entries, "{what}");
            assert_eq!(walk(&archive).await.all, expected, "{what}");
            for descriptor in expected.values() {
                let blob = streamed(&plain, descriptor).await.unwrap();
                assert!(streamed(&archive, descriptor).await.unwrap() == blob, "{what}: {}", descriptor.digest);
                let part = archive.read(descriptor, 1, 7).await.unwrap();
                assert_eq!(part, blob[1..blob.len().min(8)], "{what}: {}", descriptor.digest);
            }
        }
        for (what, packed) in packed(&bytes).into_iter().chain([("plain", bytes)]) {
            let archive = receive(packed).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(archive.entries(&limits).await.unwrap(), entries, "{what}");
            let reached = walk(&archive).await;
            assert_eq!(reached.all, expected, "{what}");
            // Statements are layers by their place, and documents.
            for layer in &reached.layers {
                let name = format!("blobs/{}", layer.digest.as_str().replace(':', "/"));
                let error = refused(&archive, layer, what).await;
                let end = format!(": its {name} came by and was not kept: of standard input, documents are");
                assert_error(&error, Code::Unsupported, &end, what);
                assert_eq!(error.hint(), Some("save the archive to a file first, and name that"));
            }
        }
    }
}

/// Layers that are larger than any buffer, before and behind the documents.
#[tokio::test]
async fn large_layers_are_gone_over_and_found_again() {
    let noise = |seed: u64| -> Vec<u8> {
        let mut state = seed;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(3_000_001)
        .collect()
    };
    let (before, behind) = (noise(1), noise(2));
    let document = br#"{"schemaVersion":2,"manifests":[]}"#;
    let tar = Tar::layout().blob(&before).blob(document).index(&[Descriptor::of("a/b", &before)]).blob(&behind).bytes();
    for packed in [gzip(&tar), zstd(&tar)] {
        let made = Made::of(&packed);
        let archive = made.open().unwrap();
        for blob in [&before, &behind] {
            let descriptor = Descriptor::of("a/b", blob);
            assert!(streamed(&archive, &descriptor).await.unwrap() == *blob);
            assert_eq!(archive.read(&descriptor, 2_999_999, 9).await.unwrap(), blob[2_999_999..]);
        }
        let index = Descriptor::of(media_type::OCI_INDEX, document);
        assert_eq!(archive.fetch(&index, &Limits::default()).await.unwrap(), document.as_slice());
    }
}

/// More than is gone over in one stride, twice and a bit.
#[tokio::test]
async fn a_layer_far_behind() {
    let layer = vec![7; 100_000];
    let tar = Tar::layout().index(&[]).file("zeros", vec![0; 130 << 20]).blob(&layer).bytes();
    let made = Made::of(&zstd(&tar));
    let blob = Descriptor::of("a/b", &layer);
    assert!(streamed(&made.open().unwrap(), &blob).await.unwrap() == layer);
}

/// A document that there was no room for has gone by: to unpack all of an archive again for each would take for ever.
#[tokio::test]
async fn what_is_kept_is_bounded() {
    let documents = [br#"{"schemaVersion":2,"manifests":[]}"#.as_slice(), br#"{"schemaVersion":2, "manifests":[]}"#];
    let tar = Tar::layout().index(&[]).blob(documents[0]).blob(documents[1]).bytes();
    let room = (r#"{"imageLayoutVersion":"1.0.0"}"#.len() + made::index(&[]).len() + documents[0].len()) as u64;
    for (archive_documents, kept) in [(room - 1, 0), (room, 1), (room + 34, 1), (room + 35, 2)] {
        let limits = Limits { archive_documents, ..Limits::default() };
        let made = Made::of(&gzip(&tar));
        let again = Archive::open_within(made.file.path(), STORE, &limits).unwrap();
        let once = Archive::receive(Cursor::new(gzip(&tar)), STORE, &limits).unwrap();
        for (at, document) in documents.into_iter().enumerate() {
            let index = Descriptor::of(media_type::OCI_INDEX, document);
            for (archive, code) in [(&again, Code::TooLarge), (&once, Code::Unsupported)] {
                match archive.fetch(&index, &Limits::default()).await {
                    Ok(bytes) => assert!(at < kept && bytes == document, "{archive_documents}: {at}"),
                    Err(error) => assert!(at >= kept && error.code() == code, "{archive_documents}: {error}"),
                }
            }
            let resolved = again.resolve(Target::Digest(&index.digest), &Limits::default()).await;
            assert_eq!(resolved.is_ok(), at < kept, "{archive_documents}: {at}");
            // As a stream, it can be had.
            assert_eq!(streamed(&again, &index).await.unwrap(), document);
        }
    }
    // No attestation is larger than this one may be.
    let limits = Limits { attestation: 33, ..Limits::default() };
    let once = Archive::receive(Cursor::new(gzip(&tar)), STORE, &limits).unwrap();
    let index = Descriptor::of(media_type::OCI_INDEX, documents[0]);
    assert_eq!(once.fetch(&index, &Limits::default()).await.unwrap_err().code(), Code::Unsupported);
}

/// Documents are known however much room is before them, and what is small is kept whatever it is: for neither is the
/// archive unpacked again.
#[tokio::test]
async fn what_is_kept() {
    let document = format!("{}{}", " ".repeat(600), r#"{"schemaVersion":2,"manifests":[]}"#);
    let large = format!("{}{}", "\n".repeat(70_000), r#"{"schemaVersion":2,"manifests":[]}"#);
    let tar = Tar::layout().index(&[]).blob(document.as_bytes()).blob(large.as_bytes()).blob(b"small").bytes();
    let length = tar.len() as u64;
    let made = Made::of(&gzip(&tar));
    // Nothing is left to unpack it twice.
    let limits = Limits { archive_unpacked: length, ..Limits::default() };
    let archive = Archive::open_within(made.file.path(), STORE, &limits).unwrap();
    for document in [&document, &large] {
        let index = Descriptor::of(media_type::OCI_INDEX, document.as_bytes());
        assert_eq!(archive.fetch(&index, &Limits::default()).await.unwrap(), document.as_bytes());
    }
    for _ in 0..3 {
        assert_eq!(streamed(&archive, &Descriptor::of("a/b", b"small")).await.unwrap(), b"small");
    }
}

/// To read a layer of a packed archive is to unpack all before it; what that comes to is bounded, too.
#[tokio::test]
async fn what_is_unpacked_again_and_again() {
    let layer = vec![7; 100_000];
    let tar = Tar::layout().index(&[]).blob(&layer).bytes();
    let made = Made::of(&gzip(&tar));
    let limits = Limits { archive_unpacked: 3 * tar.len() as u64, ..Limits::default() };
    let archive = Archive::open_within(made.file.path(), STORE, &limits).unwrap();
    let blob = Descriptor::of("a/b", &layer);
    assert!(streamed(&archive, &blob).await.unwrap() == layer);
    assert!(streamed(&archive, &blob).await.unwrap() == layer);
    let error = streamed(&archive, &blob).await.unwrap_err();
    let end =
        format!(": unpacked for one layer after another it comes to more than the limit, {} bytes", 3 * tar.len());
    assert_error(&error, Code::TooLarge, &end, "too often");
}

/// What lacks its index is told at its end, not at the end of all that comes behind.
#[test]
fn what_comes_behind_is_not_waited_for() {
    let tar = Tar::layout().bytes();
    let limits = Limits { archive_unpacked: 1 << 20, ..Limits::default() };
    let error = Archive::receive(Cursor::new(tar).chain(repeat(0)), STORE, &limits).unwrap_err();
    assert_error(&error, Code::Malformed, ": it has no index.json, so it is no image layout", "endless");
}

#[test]
fn what_is_broken_in_a_stream() {
    let tar = Tar::layout().blob(&[7; 5000]).index(&[]).bytes();
    let change = |mut bytes: Vec<u8>, from_the_end: usize| {
        let at = bytes.len() - from_the_end;
        bytes[at] ^= 1;
        bytes
    };
    // A frame that says nothing of its content's size says how far back it looks: its sixth byte.
    let mut window = zstd(&tar);
    assert_eq!(window[4] & 0x20, 0, "not a single segment");
    window[5] = (31 - 10) << 3;
    let rows: Vec<(&str, Vec<u8>, Code, &str)> = vec![
        ("gzip, its checksum", change(gzip(&tar), 8), Code::Malformed, ": its gzip stream is broken after"),
        ("gzip, its length", change(gzip(&tar), 1), Code::Malformed, ": its gzip stream is broken after"),
        (
            "gzip, rubbish behind",
            [gzip(&tar), b"rubbish".to_vec()].concat(),
            Code::Malformed,
            ": its gzip stream has bytes behind its end that are neither gzip nor padding",
        ),
        (
            "gzip, rubbish behind padding",
            [gzip(&tar), vec![0; 512], gzip(&tar)].concat(),
            Code::Malformed,
            ": its gzip stream has bytes behind its end that are neither gzip nor padding",
        ),
        (
            "gzip, padding without end",
            [gzip(&tar), vec![0; (16 << 20) + 1]].concat(),
            Code::Malformed,
            ": its gzip stream has bytes behind its end that are neither gzip nor padding",
        ),
        ("nothing", Vec::new(), Code::Malformed, ": it is empty"),
        ("zstd, its checksum", change(zstd(&tar), 1), Code::Malformed, ": its zstd stream is broken after"),
        ("zstd, rubbish behind", [zstd(&tar), b"rubbish".to_vec()].concat(), Code::Malformed, ": its zstd stream is"),
        (
            "zstd, a window of 2 GiB",
            window,
            Code::TooLarge,
            ": its zstd stream looks back over more than 128 MiB; `zstd",
        ),
        ("gzip of nothing", gzip(b""), Code::Malformed, ": it has no index.json, so it is no image layout"),
        (
            "gzip of text",
            gzip(&b"hello".repeat(1000)),
            Code::Malformed,
            ": not a tar archive: the checksum of its first",
        ),
        ("gzip in gzip", gzip(&gzip(&tar)), Code::Malformed, "too short for a tar archive"),
        ("a cut tar in gzip", gzip(&tar[..1800]), Code::Malformed, ": the member `blobs/sha256/"),
        ("the first bytes of gzip", gzip(&tar)[..4].to_vec(), Code::Malformed, ": its gzip stream is cut short"),
        ("the first bytes of zstd", zstd(&tar)[..4].to_vec(), Code::Malformed, ": its zstd stream is cut short"),
        ("xz", b"\xfd7zXZ\0\0\0".to_vec(), Code::Unsupported, ": it is compressed with xz; gzip and zstd are read"),
    ];
    for (what, bytes, code, part) in rows {
        let made = Made::of(&bytes);
        for error in [made.open().unwrap_err(), receive(bytes).unwrap_err()] {
            assert_eq!(error.code(), code, "{what}: {error}");
            assert!(error.to_string().contains(part), "{what}: {error}");
        }
    }
}

/// Wherever a packed archive is cut, it is not taken for a whole one: the checksum of it is missing.
#[test]
fn packed_archives_cut_anywhere() {
    let tar = fs::read(fixtures::archive("oci-multi.tar")).unwrap();
    for (what, bytes) in [("gzip", gzip(&tar)), ("zstd", zstd(&tar)), ("two gzip members", twice(gzip, &tar))] {
        let cuts = (0..bytes.len()).step_by(61).chain(bytes.len().saturating_sub(12)..bytes.len());
        for length in cuts {
            let error = receive(bytes[..length].to_vec()).err().unwrap_or_else(|| panic!("{what} cut at {length}"));
            assert_eq!(error.code(), Code::Malformed, "{what} cut at {length}: {error}");
        }
    }
}

/// A layer of zeros, a thousand times as long as what it is packed in: nothing of it is kept, and from some size on it is
/// taken for what it is.
#[test]
fn what_is_blown_up() {
    let tar = Tar::layout().index(&[]).file("blobs/sha256/zeros", vec![0; 8 << 20]).blob(&vec![0; 8 << 20]).bytes();
    let length = tar.len() as u64;
    for bytes in [gzip(&tar), zstd(&tar)] {
        let open = |limits: Limits| {
            let made = Made::of(&bytes);
            let opened = Archive::open_within(made.file.path(), STORE, &limits).map(drop);
            let received = Archive::receive(Cursor::new(bytes.clone()), STORE, &limits).map(drop);
            assert_eq!(
                opened.as_ref().err().map(|error| error.detail()),
                received.err().as_ref().map(|error| error.detail())
            );
            opened
        };
        open(Limits::default()).unwrap();
        open(Limits { archive_unpacked: length, ..Limits::default() }).unwrap();
        let error = open(Limits { archive_unpacked: length - 1, ..Limits::default() }).unwrap_err();
        let end = format!(": it has more bytes than the limit, {}", length - 1);
        assert_error(&error, Code::TooLarge, &end, "one byte too many");
        open(Limits { archive_ratio_from: length, ..Limits::default() }).unwrap();
        let error = open(Limits { archive_ratio_from: length / 2, ..Limits::default() }).unwrap_err();
        assert_error(&error, Code::TooLarge, ", over 200 times what it is packed in", "the ratio");
        open(Limits { archive_ratio_from: 0, archive_ratio: 100_000, ..Limits::default() }).unwrap();
    }
    // What is not packed has no ratio.
    let limits = Limits { archive_ratio_from: 0, archive_ratio: 0, ..Limits::default() };
    Archive::receive(Cursor::new(tar), STORE, &limits).unwrap();
}

#[test]
fn names_that_are_documents_have_a_size() {
    let version = r#"{"imageLayoutVersion":"1.0.0"}"#;
    for (tar, end) in [
        (
            Tar::new().file("oci-layout", format!("{version}{}", " ".repeat(5000))).index(&[]),
            ": its oci-layout has 5030 bytes, where 4096 are the limit",
        ),
        (
            Tar::layout().file("index.json", made::index(&[]).repeat(100)),
            ": its index.json has 8800 bytes, where 8799 are the limit",
        ),
    ] {
        let limits = Limits { entries: 8799, ..Limits::default() };
        let error = Archive::receive(Cursor::new(gzip(&tar.bytes())), STORE, &limits).unwrap_err();
        assert_error(&error, Code::TooLarge, end, end);
    }
    let tar = Tar::layout().index(&[]).file("a", "").file("b", "").bytes();
    for (archive_members, fits) in [(4, true), (3, false)] {
        let limits = Limits { archive_members, ..Limits::default() };
        assert_eq!(Archive::receive(Cursor::new(gzip(&tar)), STORE, &limits).is_ok(), fits, "{archive_members}");
    }
}

/// However often a name is there, its bytes are there once; and what has to be kept has no room of its own.
#[test]
fn names_that_are_documents_have_room_for_one() {
    let (version, index) = (r#"{"imageLayoutVersion":"1.0.0"}"#, made::index(&[]));
    let most = (version.len() + index.len()) as u64;
    let tar = (0..5).fold(Tar::layout(), |tar, _| tar.index(&[]).file("oci-layout", version)).bytes();
    let open = |archive_documents| {
        let limits = Limits { archive_documents, ..Limits::default() };
        Archive::receive(Cursor::new(gzip(&tar)), STORE, &limits)
    };
    open(most).unwrap();
    let end = format!(": with its index.json, its documents have more bytes than the limit, {}", most - 1);
    assert_error(&open(most - 1).unwrap_err(), Code::TooLarge, &end, "one byte too many");
}

/// The last of a name counts, however it was kept.
#[tokio::test]
async fn the_last_of_a_name_counts_in_a_stream() {
    let (old, new) = (Descriptor::of("a/b", b"{\"old\":1}"), Descriptor::of("a/b", b"{\"new\":1}"));
    let name = super::blob_name(&new);
    let tar = Tar::layout().index(std::slice::from_ref(&old)).file(&name, "{\"bad\":1}").file(&name, "{\"new\":1}");
    let archive = receive(gzip(&tar.index(std::slice::from_ref(&new)).bytes())).unwrap();
    let (_, entries) = archive.entries(&Limits::default()).await.unwrap();
    assert!(entries.windows(64).any(|part| part == new.digest.hex().as_bytes()));
    assert_eq!(archive.fetch(&new, &Limits::default()).await.unwrap(), "{\"new\":1}");
    // And what is a link at last is none, whatever was kept before.
    let link = Tar::layout().index(&[]).file(&name, "{\"new\":1}").member(tar::EntryType::Symlink, &name, b"");
    let archive = receive(zstd(&link.bytes())).unwrap();
    let error = archive.fetch(&new, &Limits::default()).await.unwrap_err();
    assert_error(&error, Code::Malformed, "is a link; plain files are read, and links not followed", "a link");
}

#[tokio::test]
async fn a_packed_archive_that_is_changed_after_it_was_opened() {
    let layer = vec![7; 100_000];
    let blob = Descriptor::of("a/b", &layer);
    let tar = Tar::layout().index(&[]).blob(&layer).bytes();
    let made = Made::of(&gzip(&tar));
    let archive = made.open().unwrap();
    fs::write(made.file.path(), gzip(&Tar::layout().index(&[]).blob(&vec![8; 100_000]).bytes())).unwrap();
    assert_eq!(streamed(&archive, &blob).await.unwrap_err().code(), Code::DigestMismatch);
    fs::write(made.file.path(), &gzip(&tar)[..100]).unwrap();
    assert_eq!(streamed(&archive, &blob).await.unwrap_err().code(), Code::Malformed);
    fs::write(made.file.path(), gzip(&Tar::layout().bytes())).unwrap();
    assert_error(
        &streamed(&archive, &blob).await.unwrap_err(),
        Code::DigestMismatch,
        ": 0 bytes, where its descriptor says 100000",
        "shorter",
    );
}

#[test]
fn a_packed_archive_is_not_written_to() {
    let made = Made::of(&gzip(&Tar::layout().index(&[]).bytes()));
    let before = fs::read(made.file.path()).unwrap();
    let archive = Archive::create(made.file.path(), STORE).unwrap();
    let error = archive.sink().err().unwrap();
    assert_error(&error, Code::Unsupported, ": it is compressed, and plain archives are written", "packed");
    assert!(fs::read(made.file.path()).unwrap() == before);
    assert_eq!(receive(before).unwrap().sink().err().unwrap().code(), Code::Unsupported);
}

/// What a command says does not depend on how an archive comes.
#[test]
fn on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::new(env!("CARGO_BIN_EXE_portolan"), folder.path());
    let multi = tar_of(&fixtures::layout("buildkit-multi"));
    let forms = [("app.tar", multi.clone()), ("app.tar.gz", gzip(&multi)), ("app.tar.zst", zstd(&multi))];
    for (name, bytes) in &forms {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    for words in [
        "resolve oci-archive://FILE:1.4 --format json",
        "layers oci-archive://FILE:latest",
        "inspect oci-archive://FILE",
    ] {
        let expected = cli.ok(&words.replace("FILE", "app.tar")).replace("app.tar", "FILE");
        for (name, bytes) in &forms {
            assert_eq!(cli.ok(&words.replace("FILE", name)).replace(name, "FILE"), expected, "{words}: {name}");
            let piped = cli.fed(&words.replace("FILE", "-"), bytes);
            assert_eq!((piped.status, piped.out.replace("://-", "://FILE")), (0, expected.clone()), "{}", piped.err);
        }
    }
    for name in ["app.tar.gz", "app.tar.zst"] {
        cli.ok(&format!("copy --quiet oci-archive://{name}:1.4 oci-layout://out-{name}:1.4"));
        let layout = Layout::open(&folder.path().join(format!("out-{name}")), "oci-layout://out").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for layer in walk(&layout).await.layers {
                streamed(&layout, &layer).await.unwrap();
            }
        });
    }
    let copied = cli.fed("copy --quiet oci-archive://-:1.4 oci-layout://new:1", &forms[1].1);
    assert_eq!(copied.status, 1, "{}", copied.err);
    assert!(copied.err.contains("came by and was not kept"), "{}", copied.err);
    assert!(copied.err.contains("hint: save the archive to a file first"), "{}", copied.err);
    for (line, part) in [
        (
            "copy --quiet oci-archive://app.tar:1.4 oci-archive://-:1",
            "an archive is written to a file, not to standard",
        ),
        ("resolve oci-archive://-:1.4", "cannot open the archive on standard input: it is empty"),
    ] {
        let printed = cli.fed(line, b"");
        assert_eq!(printed.status, 1, "{line}: {}", printed.err);
        assert!(printed.err.contains(part), "{line}: {}", printed.err);
    }
    assert!(!folder.path().join("-").exists());
    // A file of that name is another thing.
    fs::write(folder.path().join("-"), &forms[1].1).unwrap();
    cli.ok("resolve oci-archive://./-:1.4");
}

/// What became of an archive, in words.
fn verdict(result: &Result<Archive>) -> String {
    match result {
        Ok(_) => "opened".into(),
        Err(error) => format!("{:?}: {}", error.code(), error.detail()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// A file that is read where its members lie, and one that comes by, are refused for the same reasons.
    #[test]
    fn both_ways_are_as_strict(
        size in prop_oneof!["[0-7]{11}", "0000000[0-7]{4}", ".{0,11}"],
        typeflag in prop_oneof![Just(b'0'), Just(b'x'), Just(b'L'), Just(b'K'), Just(b'S'), Just(b'2'), any::<u8>()],
        header in 0usize..12,
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = fs::read(fixtures::archive("oci-multi.tar")).unwrap();
        // The fixture's blobs are no longer than some blocks: each of the first of them is a header or content.
        let block = &mut bytes[header * 512..][..512];
        let size: Vec<u8> = size.bytes().take(11).collect();
        block[124..124 + size.len()].copy_from_slice(&size);
        block[156] = typeflag;
        block[148..156].copy_from_slice(b"        ");
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let made = Made::of(&bytes);
        prop_assert_eq!(verdict(&made.open()), verdict(&receive(bytes)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is changed in a packed archive, checksums mended or not, nothing panics and nobody is lied to.
    #[test]
    fn changed_packed_archives_lie_to_nobody(
        inside in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        outside in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
        zstandard in any::<bool>(),
    ) {
        let mut bytes = fs::read(fixtures::archive("oci-multi.tar")).unwrap();
        for (at, value) in inside {
            *at.get_mut(&mut bytes) = value;
        }
        let mut bytes = if zstandard { zstd(&bytes) } else { gzip(&bytes) };
        for (at, value) in outside {
            *at.get_mut(&mut bytes) = value;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let Ok(archive) = receive(bytes) else { return };
            let limits = Limits::default();
            let Ok((_, entries)) = archive.entries(&limits).await else { return };
            let Ok(index) = portolan_oci::Index::parse(&entries) else { return };
            for entry in index.manifests {
                if let Ok(document) = archive.fetch(&entry, &limits).await {
                    assert!(entry.digest.matches(&document));
                }
            }
        });
    }
}

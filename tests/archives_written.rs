//! Archives that are written: new ones and those of other tools, read back by ourselves and by skopeo; what is there stays,
//! and the file that has the name is whole at any moment.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use portolan::source::Source;
use portolan::source::archive::Archive;
use portolan::source::layout::Layout;
use portolan::{Code, Limits};
use portolan_oci::{Descriptor, Digest, media_type};
use portolan_tests::registry::run;
use portolan_tests::{fixtures, layout as made};

mod stores;
#[path = "stores/things.rs"]
mod things;
#[path = "stores/written.rs"]
mod written;

use stores::{assert_error, buildah, walk};
use written::{
    Pieces, Stuck, copy, copy_all, document, entries, kill, name_of, put, skopeo_copy, skopeo_raw, write_stepwise,
};

const STORE: &str = "oci-archive://here";

fn open(file: &Path) -> Archive {
    Archive::open(file, STORE).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn fixture(name: &str) -> Arc<dyn Source> {
    Arc::new(Layout::open(&fixtures::layout(name), "oci-layout://fixture").unwrap())
}

/// The members of an archive, in their order: name and bytes.
fn members(file: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(fs::File::open(file).unwrap());
    let member = |entry: std::io::Result<tar::Entry<'_, fs::File>>| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        (entry.path().unwrap().to_str().unwrap().trim_start_matches("./").to_owned(), bytes)
    };
    archive.entries().unwrap().map(member).collect()
}

/// Writes the image of a small fixture under this name.
async fn add(archive: &Archive, name: &str) -> Descriptor {
    let image = entries(&*fixture("buildkit-single")).await.remove(0);
    let sink = archive.sink().unwrap();
    copy(&fixture("buildkit-single"), &*sink, &image, Some(name)).await.unwrap();
    sink.commit().await.unwrap();
    image
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn every_fixture_into_a_new_archive() {
    for original in fixtures::layouts() {
        let name = original.file_name().unwrap().to_str().unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("new.tar");
        let archive = Archive::create(&file, STORE).unwrap();
        copy_all(&fixture(name), &*archive.sink().unwrap()).await.unwrap();
        assert_eq!(names_in(scratch.path()), ["new.tar"], "{name}");

        // The same object reads what it wrote, and a new one reads the same.
        let reached = walk(&open(&file)).await.all;
        assert_eq!(reached, walk(&archive).await.all, "{name}");
        let expected = walk(&Layout::open(&original, "oci-layout://fixture").unwrap()).await.all;
        assert!(reached.keys().eq(expected.keys()), "{name}");
        // And once more, it is the same file, byte for byte.
        let again = scratch.path().join("again.tar");
        copy_all(&fixture(name), &*Archive::create(&again, STORE).unwrap().sink().unwrap()).await.unwrap();
        assert!(fs::read(&again).unwrap() == fs::read(&file).unwrap(), "{name}");
    }
}

#[tokio::test]
async fn skopeo_and_tar_read_what_is_written() {
    for original in fixtures::layouts() {
        let name = original.file_name().unwrap().to_str().unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("new.tar");
        let root = entries(&*fixture(name)).await.remove(0);
        let archive = Archive::create(&file, STORE).unwrap();
        let sink = archive.sink().unwrap();
        copy(&fixture(name), &*sink, &root, Some("acme/copied:1")).await.unwrap();
        sink.commit().await.unwrap();

        let unpacked = scratch.path().join("unpacked");
        fs::create_dir(&unpacked).unwrap();
        run(Command::new("tar").arg("-xf").arg(&file).arg("-C").arg(&unpacked), "tar");
        let layout = Layout::open(&unpacked, "oci-layout://unpacked").unwrap();
        assert_eq!(walk(&layout).await.all, walk(&archive).await.all, "{name}");
        // To skopeo a layout has OCI's types and no other.
        if name != "crane-docker-types" {
            assert!(root.digest.matches(&skopeo_raw(&format!("oci-archive:{}:1", file.display()))), "{name}");
        }
        // skopeo copies no index inside an index, and turns Docker's types into OCI's.
        if !name.starts_with("crane") {
            let again = format!("oci-archive:{}:1", scratch.path().join("again.tar").display());
            skopeo_copy(&format!("oci-archive:{}:1", file.display()), &again);
            assert!(root.digest.matches(&skopeo_raw(&again)), "{name}");
        }
    }
}

#[tokio::test]
async fn umoci_and_buildah_read_what_is_written() {
    for name in ["buildkit-single", "buildkit-multi", "umoci", "skopeo-names"] {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name);
        let root = entries(&*fixture(name)).await.remove(0);
        let archive = Archive::create(&path("new.tar"), STORE).unwrap();
        let sink = archive.sink().unwrap();
        copy(&fixture(name), &*sink, &root, Some("acme/copied:1")).await.unwrap();
        sink.commit().await.unwrap();

        // buildah takes what is for this machine; an image without layers is none to it.
        if name != "umoci" {
            buildah(scratch.path(), &["pull", "--quiet", &format!("oci-archive:{}:1", path("new.tar").display())]);
        }
        fs::create_dir(path("unpacked")).unwrap();
        run(Command::new("tar").arg("-xf").arg(path("new.tar")).arg("-C").arg(path("unpacked")), "tar");
        let image = format!("{}:1", path("unpacked").display());
        let listed = run(Command::new("umoci").args(["list", "--layout"]).arg(path("unpacked")), "umoci").stdout;
        assert_eq!(String::from_utf8(listed).unwrap(), "1\n", "{name}");
        // umoci knows no index inside an index.
        if name != "buildkit-multi" {
            run(Command::new("umoci").args(["unpack", "--rootless", "--image", &image]).arg(path("bundle")), "umoci");
            assert!(path("bundle").join("rootfs").is_dir(), "{name}");
        }
    }
}

#[tokio::test]
async fn members_are_functions_of_their_content() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("new.tar");
    add(&Archive::create(&file, STORE).unwrap(), "1").await;
    let mut archive = tar::Archive::new(fs::File::open(&file).unwrap());
    let mut names = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        let facts = (header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap(), header.mode().unwrap());
        let mode = if header.entry_type().is_dir() { 0o755 } else { 0o644 };
        assert_eq!(facts, (0, 0, 0, mode));
        names.push(entry.path().unwrap().to_str().unwrap().to_owned());
    }
    assert_eq!(names[..3], ["oci-layout", "blobs/", "blobs/sha256/"]);
    assert_eq!(names.last().unwrap(), "index.json");
    assert_eq!(names.len(), 7, "{names:?}");
}

#[tokio::test]
async fn an_archive_that_another_tool_made_gains_an_image() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    for name in ["oci-multi.tar", "buildkit-docker.tar"] {
        fs::copy(fixtures::archive(name), path(name)).unwrap();
    }
    let multi = fixtures::layout("buildkit-multi");
    skopeo_copy(&format!("oci:{}:1.4", multi.display()), &format!("oci-archive:{}:1.4", path("skopeo.tar").display()));
    run(Command::new("tar").arg("-C").arg(&multi).arg("-cf").arg(path("gnu.tar")).arg("."), "tar");
    run(Command::new("tar").args(["-H", "pax"]).arg("-C").arg(&multi).arg("-cf").arg(path("pax.tar")).arg("."), "tar");
    for name in ["oci-multi.tar", "buildkit-docker.tar", "skopeo.tar", "gnu.tar", "pax.tar"] {
        let file = path(name);
        let before: BTreeMap<String, Vec<u8>> = members(&file).into_iter().collect();
        let had = entries(&open(&file)).await;
        let archive = Archive::create(&file, STORE).unwrap();
        let image = add(&archive, "docker.io/acme/added:9").await;

        let after = members(&file);
        let once: BTreeMap<String, Vec<u8>> = after.iter().cloned().collect();
        assert_eq!(after.iter().filter(|(name, _)| name == "index.json").count(), 1, "{name}");
        for (member, bytes) in before.iter().filter(|(member, _)| *member != "index.json") {
            assert!(once.get(member) == Some(bytes), "{name}: {member}");
        }
        let now = entries(&open(&file)).await;
        assert_eq!(now[..had.len()], had, "{name}");
        assert_eq!(now.iter().map(name_of).next_back().unwrap(), "docker.io/acme/added:9");
        walk(&open(&file)).await;
        assert!(image.digest.matches(&skopeo_raw(&format!("oci-archive:{}:9", file.display()))), "{name}");
        // What it has need not come again.
        for blob in walk(&open(&file)).await.layers {
            assert!(archive.sink().unwrap().has(&blob).await.unwrap(), "{name}");
        }
        // Nothing new, nothing written.
        let bytes = fs::read(&file).unwrap();
        add(&archive, "docker.io/acme/added:9").await;
        assert!(fs::read(&file).unwrap() == bytes, "{name}");
    }
    assert_eq!(names_in(scratch.path()).len(), 5, "nothing else is left");
}

#[tokio::test]
async fn one_archive_written_twice_at_once_has_both() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("new.tar");
    let (one, other) = (Archive::create(&file, STORE).unwrap(), Archive::create(&file, STORE).unwrap());
    let image = entries(&*fixture("buildkit-single")).await.remove(0);
    let sinks = [one.sink().unwrap(), other.sink().unwrap(), one.sink().unwrap()];
    for (sink, name) in sinks.iter().zip(["1", "2", "3"]) {
        copy(&fixture("buildkit-single"), &**sink, &image, Some(name)).await.unwrap();
        put(&**sink, name.as_bytes()).await.unwrap();
    }
    for sink in &sinks {
        sink.commit().await.unwrap();
    }
    let archive = open(&file);
    assert_eq!(entries(&archive).await.iter().map(name_of).collect::<Vec<_>>(), ["1", "2", "3"]);
    for name in ["1", "2", "3"] {
        let blob = Descriptor::of("a/b", name.as_bytes());
        assert!(archive.sink().unwrap().has(&blob).await.unwrap(), "{name}");
    }
    walk(&archive).await;
}

#[tokio::test]
async fn what_was_counted_on_and_is_gone() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("new.tar");
    let archive = Archive::create(&file, STORE).unwrap();
    add(&archive, "1").await;
    let other = scratch.path().join("other.tar");
    let sink = Archive::create(&other, STORE).unwrap().sink().unwrap();
    put(&*sink, b"another's").await.unwrap();
    sink.commit().await.unwrap();
    let whole = fs::read(&file).unwrap();
    for (other, what) in [
        (None, "another program has removed it meanwhile"),
        (Some(&other), "another program has written it meanwhile, without sha256:"),
    ] {
        fs::write(&file, &whole).unwrap();
        let archive = open(&file);
        let sink = archive.sink().unwrap();
        let image = entries(&*fixture("buildkit-single")).await.remove(0);
        copy(&fixture("buildkit-single"), &*sink, &image, Some("2")).await.unwrap();
        fs::remove_file(&file).unwrap();
        if let Some(other) = other {
            fs::copy(other, &file).unwrap();
        }
        let error = sink.commit().await.unwrap_err();
        assert_eq!(error.code(), Code::Conflict, "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[tokio::test]
async fn content_that_does_not_arrive() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("new.tar");
    let archive = Archive::create(&file, STORE).unwrap();
    let descriptor = Descriptor::of("a/b", b"content");
    for (what, pieces) in [("short", Pieces::of(b"cont")), ("long", Pieces::of(b"content!"))] {
        let sink = archive.sink().unwrap();
        document(&*sink, media_type::OCI_INDEX, &made::index(&[]), Some("1")).await.unwrap();
        let error = sink.put_blob(&descriptor, &pieces).await.unwrap_err();
        assert_eq!(error.code(), Code::DigestMismatch, "{what}: {error}");
        assert!(!sink.has(&descriptor).await.unwrap(), "{what}");
        let end = format!("{} did not arrive whole, and the archive would have a hole", descriptor.digest);
        assert_error(&sink.commit().await.unwrap_err(), Code::Conflict, &end, what);
        assert_eq!(names_in(scratch.path()), [] as [&str; 0], "{what}");
    }
    // Begun again it takes the same place.
    let sink = archive.sink().unwrap();
    sink.put_blob(&descriptor, &Pieces::of(b"cont")).await.unwrap_err();
    let stuck = Stuck("cont".into());
    tokio::select! {
        done = sink.put_blob(&descriptor, &stuck) => panic!("{done:?}"),
        () = tokio::task::yield_now() => {}
    }
    sink.put_blob(&descriptor, &Pieces::of(b"content")).await.unwrap();
    sink.commit().await.unwrap();
    let blobs: Vec<_> =
        members(&file).into_iter().filter(|(name, _)| name.ends_with(descriptor.digest.hex())).collect();
    assert_eq!(blobs.len(), 1);
    assert_eq!(blobs[0].1, b"content");
}

#[tokio::test]
async fn without_its_commit_nothing_is_written() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("there.tar");
    fs::copy(fixtures::archive("oci-multi.tar"), &file).unwrap();
    let before = fs::read(&file).unwrap();
    let sink = open(&file).sink().unwrap();
    put(&*sink, b"a layer").await.unwrap();
    document(&*sink, media_type::OCI_INDEX, &made::index(&[]), Some("1")).await.unwrap();
    assert_eq!(names_in(scratch.path()).len(), 2, "a hidden file beside it");
    drop(sink);
    assert_eq!(names_in(scratch.path()), ["there.tar"]);
    assert!(fs::read(&file).unwrap() == before);
    open(&file).sink().unwrap().commit().await.unwrap();
    assert!(fs::read(&file).unwrap() == before);
}

#[tokio::test]
async fn names_that_do_not_fit_a_header() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("new.tar");
    let archive = Archive::create(&file, STORE).unwrap();
    let mut hasher = portolan_oci::Hasher::new(portolan_oci::Algorithm::Sha512);
    hasher.update(b"content");
    let blob = Descriptor::new("a/b", hasher.finish(), 7);
    let sink = archive.sink().unwrap();
    sink.put_blob(&blob, &Pieces::of(b"content")).await.unwrap();
    sink.commit().await.unwrap();
    assert_eq!(open(&file).fetch(&blob, &Limits::default()).await.unwrap(), "content");
    let listed = run(Command::new("tar").arg("-tf").arg(&file), "tar").stdout;
    assert!(String::from_utf8(listed).unwrap().contains(&format!("blobs/sha512/{}\n", blob.digest.hex())));
    let unknown = Descriptor::new("a/b", Digest::parse_any("blake3:0011").unwrap(), 7);
    let error = archive.sink().unwrap().put_blob(&unknown, &Pieces::of(b"content")).await.unwrap_err();
    assert_eq!(error.code(), Code::Unsupported);
}

#[tokio::test]
async fn where_an_archive_can_be_made() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    fs::create_dir(path("folder")).unwrap();
    fs::write(path("empty"), "").unwrap();
    fs::write(path("text"), "text").unwrap();
    things::fifo(&path("fifo"));
    std::os::unix::fs::symlink(path("nowhere"), path("dangling")).unwrap();
    fs::copy(fixtures::archive("oci-multi.tar"), path("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", path("link")).unwrap();
    fs::set_permissions(path("elsewhere"), std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();

    for name in ["new", "empty", "link"] {
        add(&Archive::create(&path(name), STORE).unwrap(), "9").await;
        assert!(entries(&open(&path(name))).await.iter().any(|entry| name_of(entry) == "9"), "{name}");
    }
    assert!(path("link").symlink_metadata().unwrap().is_symlink(), "the file that it leads to is written");
    things::assert_mode(&path("elsewhere"), 0o640);
    for (name, code, end) in [
        ("none/new", Code::NotFound, format!("there is no folder {} to make it in", path("none").display())),
        ("folder", Code::Malformed, "it is a folder".into()),
        ("text", Code::Malformed, "too short for a tar archive".into()),
        ("fifo", Code::Malformed, "it is no plain file; an archive is read where its members lie".into()),
        ("dangling", Code::NotFound, "no file can be made there".into()),
    ] {
        assert_error(&Archive::create(&path(name), STORE).unwrap_err(), code, &end, name);
    }
    assert!(!names_in(scratch.path()).iter().any(|name| name.starts_with('.')));
}

#[tokio::test]
async fn an_archive_that_is_not_there_yet_is_read_as_none() {
    let scratch = tempfile::tempdir().unwrap();
    let archive = Archive::create(&scratch.path().join("new.tar"), STORE).unwrap();
    let error = archive.entries(&Limits::default()).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
    archive.sink().unwrap().commit().await.unwrap();
    assert_eq!(names_in(scratch.path()), [] as [&str; 0]);
}

const TURNS: usize = 50;
/// Tells a copy of this test program which archive to write.
const AGAIN: &str = "PORTOLAN_TESTS_WRITE_ARCHIVE";

fn child(file: &Path, input: Stdio) -> Child {
    Command::new("/proc/self/exe")
        .args(["--exact", "as_another_program"])
        .env(AGAIN, file)
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What that copy does; nothing when it is the tests' turn.
#[tokio::test]
async fn as_another_program() {
    let Some(file) = std::env::var_os(AGAIN) else { return };
    write_stepwise(&Archive::create(Path::new(&file), STORE).unwrap(), "acme/app:1").await;
}

#[tokio::test]
async fn killed_at_any_moment_it_is_the_old_archive_or_the_new_one() {
    let scratch = written::folder();
    let file = scratch.path().join("there.tar");
    let old = fs::read(fixtures::archive("oci-multi.tar")).unwrap();
    let begin = || fs::write(&file, &old).unwrap();
    begin();
    let begun = Instant::now();
    assert!(child(&file, Stdio::null()).wait().unwrap().success());
    let (whole, new) = (begun.elapsed(), fs::read(&file).unwrap());
    let look = || {
        let now = fs::read(&file).unwrap();
        assert!(now == old || now == new);
    };
    let mut early = 0;
    for turn in 0..TURNS {
        begin();
        let mut writer = child(&file, Stdio::piped());
        early += usize::from(kill(turn, &mut writer, whole, look));
        assert!(child(&file, Stdio::null()).wait().unwrap().success(), "turn {turn}");
        assert!(fs::read(&file).unwrap() == new, "turn {turn}");
    }
    assert!(early >= TURNS / 2, "only {early} were killed before they were done");
}

#[tokio::test]
async fn a_disk_that_takes_no_more() {
    const FULL: &str = "PORTOLAN_TESTS_FULL_ARCHIVE";
    let Some(file) = std::env::var_os(FULL).map(PathBuf::from) else {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("there.tar");
        fs::copy(fixtures::archive("oci-multi.tar"), &file).unwrap();
        let mut shell = Command::new("sh");
        // The signal that comes with this limit is ignored, as it is by programs that look at what writing says.
        shell.args(["-c", r#"trap '' XFSZ; ulimit -f 128; exec "$0" "$@""#]).arg(std::env::current_exe().unwrap());
        let output = shell.args(["--exact", "a_disk_that_takes_no_more"]).env(FULL, &file).current_dir("/").output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(names_in(scratch.path()), ["there.tar"]);
        assert!(fs::read(&file).unwrap() == fs::read(fixtures::archive("oci-multi.tar")).unwrap());
        return;
    };
    let sink = open(&file).sink().unwrap();
    let large = vec![1; 4 << 20];
    let descriptor = Descriptor::of("a/b", &large);
    let error = sink.put_blob(&descriptor, &Pieces::of(&large)).await.unwrap_err();
    assert_error(&error, Code::Other, &format!("{} is larger than a file may be here", descriptor.digest), "full");
    assert_eq!(sink.commit().await.unwrap_err().code(), Code::Conflict);
}

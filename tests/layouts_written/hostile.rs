//! Folders that nobody should be given, content that is not what it is said to be, and disks that take no more.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use super::things::{chmod, device, directory, fifo, link, moved, put_at, socket};
use super::*;
use bytes::Bytes;
use portolan::Error;

/// A blob is put and a document named.
async fn write(folder: &Path) -> portolan::Result<()> {
    let sink = Layout::open(folder, STORE)?.sink()?;
    put(&*sink, b"a layer").await?;
    document(&*sink, media_type::OCI_INDEX, &made::index(&[]), Some("1")).await?;
    sink.commit().await
}

#[tokio::test]
async fn nothing_is_followed_out_of_the_folder() {
    const BARRED: &str = "; links are not followed, nor is anything replaced by force";
    type Break = fn(&made::Layout, &Path);
    let digest = Descriptor::of("a/b", b"a layer").digest;
    let rows: &[(&str, Break, String)] = &[
        (
            "blobs is a link",
            |layout, elsewhere| moved(&layout.path("blobs"), &elsewhere.join("x")),
            "its blobs is a symbolic link".into(),
        ),
        (
            "sha256 is a link",
            |layout, elsewhere| moved(&layout.path("blobs/sha256"), &elsewhere.join("x")),
            "its sha256 is a symbolic link".into(),
        ),
        ("blobs is a file", |layout, _| put_at(&layout.path("blobs"), things::file), "its blobs is a file".into()),
        (
            "index.json is a fifo",
            |layout, _| put_at(&layout.path("index.json"), fifo),
            "its index.json is a fifo".into(),
        ),
        (
            "index.json is a link",
            |layout, _| put_at(&layout.path("index.json"), link),
            "its index.json is a symbolic link".into(),
        ),
        (
            "index.json is a folder",
            |layout, _| put_at(&layout.path("index.json"), directory),
            "its index.json is a folder".into(),
        ),
        (
            "index.json is a socket",
            |layout, _| put_at(&layout.path("index.json"), socket),
            "its index.json is a socket".into(),
        ),
        (
            "the lock is a link",
            |layout, _| link(&layout.path("index.json.lock")),
            "its index.json.lock is a symbolic link".into(),
        ),
        (
            "the lock is a fifo",
            |layout, _| fifo(&layout.path("index.json.lock")),
            "its index.json.lock is a fifo".into(),
        ),
        (
            "the lock is a folder",
            |layout, _| directory(&layout.path("index.json.lock")),
            "its index.json.lock is a folder".into(),
        ),
    ];
    for (what, damage, end) in rows {
        let (folder, elsewhere) = (made::Layout::new(), tempfile::tempdir().unwrap());
        damage(&folder, elsewhere.path());
        let before = files(elsewhere.path());
        let error = write(folder.folder()).await.expect_err(what);
        assert_error(&error, Code::Malformed, &format!("{end}{BARRED}"), what);
        assert_eq!(files(elsewhere.path()), before, "{what}");
    }
    // A link where a blob is meant is no blob.
    let folder = made::Layout::new();
    link(&folder.blob(&digest));
    let sink = open(folder.folder()).sink().unwrap();
    let error = sink.has(&Descriptor::of("a/b", b"a layer")).await.unwrap_err();
    assert_error(&error, Code::Malformed, BARRED, "a blob that is a link");
    if rustix::process::geteuid().is_root() {
        let folder = made::Layout::new();
        put_at(&folder.path("index.json"), device);
        let error = write(folder.folder()).await.unwrap_err();
        assert_error(&error, Code::Malformed, &format!("its index.json is a device{BARRED}"), "a device");
    }
}

#[tokio::test]
async fn an_index_json_that_is_not_understood_is_left_as_it_is() {
    for (what, text) in [
        ("nothing", ""),
        ("no JSON", "{"),
        ("a manifest", r#"{"schemaVersion":2,"config":{},"layers":[]}"#),
        ("two lists", r#"{"manifests":[],"manifests":[]}"#),
        ("a list in another case", r#"{"Manifests":[]}"#),
        ("entries that are none", r#"{"manifests":[1]}"#),
    ] {
        let folder = made::Layout::new();
        folder.write("index.json", text);
        let error = write(folder.folder()).await.expect_err(what);
        assert_eq!(error.code(), Code::Malformed, "{what}: {error}");
        assert_eq!(error.hint(), Some("it was left as it is"), "{what}");
        assert_eq!(fs::read_to_string(folder.path("index.json")).unwrap(), text, "{what}");
    }
}

#[tokio::test]
async fn content_that_is_not_what_it_is_said_to_be() {
    let other = Error::new(Code::Unavailable, "fetch", "elsewhere", "the connection broke");
    for (what, pieces, code, end) in [
        ("short", Pieces::of(b"cont"), Code::DigestMismatch, ": 4 bytes, where its descriptor says 7"),
        ("long", Pieces::of(b"content!"), Code::DigestMismatch, ": more than the 7 bytes that its descriptor says"),
        ("nothing", Pieces(Vec::new()), Code::DigestMismatch, ": 0 bytes, where its descriptor says 7"),
        ("broken", Pieces::broken(b"cont", other), Code::Unavailable, ": the connection broke"),
    ] {
        let folder = made::Layout::new();
        let sink = open(folder.folder()).sink().unwrap();
        let descriptor = Descriptor::of("a/b", b"content");
        assert_error(&sink.put_blob(&descriptor, &pieces).await.unwrap_err(), code, end, what);
        assert!(!sink.has(&descriptor).await.unwrap(), "{what}");
        assert!(blobs(folder.folder()).is_empty(), "{what}");
        // And again, as it should be, by the same sink.
        sink.put_blob(&descriptor, &Pieces::of(b"content")).await.unwrap();
        assert!(sink.has(&descriptor).await.unwrap(), "{what}");
    }
    // Empty pieces are none, and empty content is content.
    let folder = made::Layout::new();
    let sink = open(folder.folder()).sink().unwrap();
    let empty = Descriptor::of("a/b", b"");
    sink.put_blob(&empty, &Pieces(vec![Ok(Bytes::new()), Ok(Bytes::new())])).await.unwrap();
    assert!(sink.has(&empty).await.unwrap());
}

/// Runs one test of this file again in another process, which it is told by a variable.
fn again(command: &mut Command, test: &str, variable: &str, folder: &Path) {
    let output = command.args(["--exact", &format!("hostile::{test}")]).env(variable, folder).current_dir("/").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn a_disk_that_takes_no_more() {
    const AGAIN: &str = "PORTOLAN_TESTS_FULL";
    let Some(folder) = std::env::var_os(AGAIN) else {
        let folder = made::Layout::new();
        // The signal that comes with this limit is ignored, as it is by programs that look at what writing says.
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"trap '' XFSZ; ulimit -f 64; exec "$0" "$@""#]).arg(std::env::current_exe().unwrap());
        again(&mut shell, "a_disk_that_takes_no_more", AGAIN, folder.folder());
        assert!(blobs(folder.folder()).len() == 1, "nothing of the large one is left");
        return;
    };
    let folder = Path::new(&folder);
    let sink = open(folder).sink().unwrap();
    let large = vec![1; 4 << 20];
    let descriptor = Descriptor::of("a/b", &large);
    let error = sink.put_blob(&descriptor, &Pieces::of(&large)).await.unwrap_err();
    let end = format!("{} is larger than a file may be here", descriptor.digest);
    assert_error(&error, Code::Other, &end, "a large blob");
    assert!(!sink.has(&descriptor).await.unwrap());
    let small = put(&*sink, b"small").await.unwrap();
    sink.commit().await.unwrap();
    assert!(sink.has(&small).await.unwrap());
}

/// A disk of one megabyte, where we may mount one.
#[tokio::test]
async fn a_disk_that_is_full() {
    let scratch = tempfile::tempdir().unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(scratch.path()).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        // Not a skip: what else can be seen of a disk that takes no more is seen above, without privileges.
        eprintln!("no tmpfs can be mounted here: that takes root");
        return;
    }
    let folder = scratch.path().join("new");
    let layout = Layout::create(&folder, STORE).unwrap();
    let sink = layout.sink().unwrap();
    let small = put(&*sink, b"small").await.unwrap();
    let large = vec![1; 4 << 20];
    let descriptor = Descriptor::of("a/b", &large);
    let error = sink.put_blob(&descriptor, &Pieces::of(&large)).await.unwrap_err();
    let result = (error, blobs(&folder));
    sink.commit().await.unwrap();
    let left = entries(&layout).await;
    drop((sink, layout));
    assert!(Command::new("umount").arg(scratch.path()).status().unwrap().success());
    let (error, blobs) = result;
    let end = format!("no space is left on its disk for {}", descriptor.digest);
    assert_error(&error, Code::Other, &end, "full");
    assert_eq!(blobs.keys().collect::<Vec<_>>(), [&small.digest]);
    assert!(left.is_empty());
}

/// Root may write everywhere, so as root the test runs itself once more as nobody.
#[tokio::test]
async fn where_we_may_not_write() {
    const AGAIN: &str = "PORTOLAN_TESTS_FORBIDDEN";
    let Some(folder) = std::env::var_os(AGAIN) else {
        let folder = made::Layout::new();
        chmod(folder.folder(), 0o555);
        chmod(&folder.path("blobs"), 0o555);
        match rustix::process::geteuid().is_root() {
            true => {
                let mut nobody = Command::new("/proc/self/exe");
                again(nobody.uid(65534), "where_we_may_not_write", AGAIN, folder.folder());
            }
            false => forbidden(folder.folder()).await,
        }
        return;
    };
    forbidden(Path::new(&folder)).await;
}

async fn forbidden(folder: &Path) {
    let layout = open(folder);
    let error = put(&*layout.sink().unwrap(), b"content").await.unwrap_err();
    assert_error(&error, Code::Forbidden, "no permission to write a new file in its blobs", "a blob");
    let new = Layout::create(&folder.join("new"), STORE).unwrap();
    let error = put(&*new.sink().unwrap(), b"content").await.unwrap_err();
    assert_error(&error, Code::Forbidden, "no permission to write its new", "a folder");
}

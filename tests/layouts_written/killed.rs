//! Writers that end early, and writers side by side: killed at any moment, cancelled, many at once. What is visible is
//! whole, and nobody's entry is lost.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::written::{Stuck, kill, write_stepwise};

/// Tells a copy of this test program what to do: `FOLDER` to write into, and under which name.
const FOLDER: &str = "PORTOLAN_TESTS_WRITE_INTO";
const NAME: &str = "PORTOLAN_TESTS_WRITE_AS";
const TURNS: usize = 50;

fn child(folder: &Path, name: &str, input: Stdio) -> Child {
    Command::new("/proc/self/exe")
        .args(["--exact", "killed::as_another_program"])
        .env(FOLDER, folder)
        .env(NAME, name)
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What that copy does; nothing when it is the tests' turn.
#[tokio::test(flavor = "multi_thread")]
async fn as_another_program() {
    let (Some(folder), Ok(name)) = (std::env::var_os(FOLDER), std::env::var(NAME)) else { return };
    write_stepwise(&Layout::create(Path::new(&folder), STORE).unwrap(), &name).await;
}

/// Whatever has a name in a layout is there and whole; blobs under their digests are whole. Files that go meanwhile are
/// none.
fn look(folder: &Path) {
    let Ok(algorithm) = fs::read_dir(folder.join("blobs/sha256")) else { return };
    for entry in algorithm {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let digest = Digest::parse(&format!("sha256:{name}")).expect("a blob's name");
        assert!(digest.matches(&fs::read(folder.join("blobs/sha256").join(&name)).unwrap()), "{name} is half-written");
    }
    let Ok(index) = fs::read(folder.join("index.json")) else { return };
    for entry in portolan_oci::Index::parse(&index).expect("a whole index.json").manifests {
        assert!(folder.join("blobs/sha256").join(entry.digest.hex()).exists(), "{} is named and absent", entry.digest);
    }
}

#[tokio::test]
async fn killed_at_any_moment_and_run_again_it_is_whole() {
    let whole = {
        let scratch = written::folder();
        let begun = Instant::now();
        assert!(child(scratch.path(), "acme/app:1", Stdio::null()).wait().unwrap().success());
        (begun.elapsed(), blobs_of(scratch.path()))
    };
    let (mut early, mut unnamed) = (0, 0);
    for turn in 0..TURNS {
        let scratch = written::folder();
        let folder = scratch.path().join("new");
        let mut writer = child(&folder, "acme/app:1", Stdio::piped());
        early += usize::from(kill(turn, &mut writer, whole.0, || look(&folder)));
        unnamed += usize::from(Layout::is_at(&folder) && entries(&open(&folder)).await.is_empty());
        assert!(child(&folder, "acme/app:1", Stdio::null()).wait().unwrap().success(), "turn {turn}");
        look(&folder);
        assert_eq!(walk(&open(&folder)).await.manifests.len(), 8, "turn {turn}");
        assert_eq!(blobs_of(&folder), whole.1, "turn {turn}");
        assert!(!folder.join("index.json.lock").exists());
    }
    assert!(early >= TURNS / 2, "only {early} were killed before they were done");
    assert!(unnamed > 0, "none was killed between its first blob and its names");
}

fn blobs_of(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder.join("blobs/sha256")).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn programs_side_by_side_lose_nothing() {
    let scratch = written::folder();
    let folder = scratch.path().join("new");
    let writers: Vec<Child> =
        (0..8).map(|number| child(&folder, &format!("acme/app:{number}"), Stdio::null())).collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    let names: BTreeSet<String> = entries(&open(&folder)).await.iter().map(name_of).collect();
    assert_eq!(names, (0..8).map(|number| format!("docker.io/acme/app:{number}")).collect());
    assert_eq!(walk(&open(&folder)).await.manifests.len(), 8);
    assert!(!folder.join("index.json.lock").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sinks_side_by_side_lose_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("new");
    // Some by one handle of the layout, some by their own.
    let shared = Layout::create(&folder, STORE).unwrap();
    let writers: Vec<_> = (0..32)
        .map(|number| {
            let layout = if number % 2 == 0 { shared.clone() } else { Layout::create(&folder, STORE).unwrap() };
            tokio::spawn(async move {
                let sink = layout.sink().unwrap();
                put(&*sink, format!("layer {number}").as_bytes()).await.unwrap();
                let index = format!(r#"{{"schemaVersion":2,"manifests":[],"annotations":{{"n":"{number}"}}}}"#);
                document(&*sink, media_type::OCI_INDEX, &index, Some(&format!("n{number}"))).await.unwrap();
                sink.commit().await.unwrap();
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let names: BTreeSet<String> = entries(&shared).await.iter().map(name_of).collect();
    assert_eq!(names, (0..32).map(|number| format!("n{number}")).collect());
    assert_eq!(blobs(&folder).len(), 64);
}

#[tokio::test]
async fn a_put_that_is_dropped_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("new");
    let layout = Layout::create(&folder, STORE).unwrap();
    let sink = layout.sink().unwrap();
    // Of larger ones, what came is kept.
    let content = vec![7; 512 << 10];
    let descriptor = Descriptor::new("a/b", Digest::sha256(b"never"), 1 << 19 | 1);
    let stuck = Stuck(content.into());
    let hidden = || fs::read_dir(folder.join("blobs")).map_or(0, Iterator::count);
    let begun = async {
        while hidden() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        done = sink.put_blob(&descriptor, &stuck) => panic!("{done:?}"),
        () = begun => {}
    }
    assert_eq!(hidden(), 0);
    sink.commit().await.unwrap();
    assert!(entries(&layout).await.is_empty());
    assert!(!sink.has(&descriptor).await.unwrap());
}

#[tokio::test]
async fn what_killed_writers_left_is_removed_when_it_is_old() {
    let folder = made::Layout::new();
    let old = SystemTime::now() - Duration::from_secs(25 * 60 * 60);
    let touch = |name: &str, time: Option<SystemTime>| {
        folder.write(name, "x");
        if let Some(time) = time {
            fs::File::options().write(true).open(folder.path(name)).unwrap().set_modified(time).unwrap();
        }
    };
    let (left, held) = ("blobs/.portolan-0123456789abcdef", "blobs/.portolan-held");
    for name in [left, ".portolan-0123456789abcdef", held, "blobs/of-another", "mine"] {
        touch(name, Some(old));
    }
    touch("blobs/.portolan-young", None);
    let slow = fs::File::open(folder.path(held)).unwrap();
    slow.lock().unwrap();
    let sink = open(folder.folder()).sink().unwrap();
    put(&*sink, b"content").await.unwrap();
    sink.commit().await.unwrap();
    for (name, stays) in [
        (left, false),
        (".portolan-0123456789abcdef", false),
        (held, true),
        ("blobs/.portolan-young", true),
        ("blobs/of-another", true),
        ("mine", true),
    ] {
        assert_eq!(folder.path(name).exists(), stays, "{name}");
    }
}

/// As BuildKit does it: the lock's file goes when its holder is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_another_program_holds_is_waited_for() {
    let folder = made::Layout::new();
    let lock = folder.path("index.json.lock");
    let held = fs::File::create(&lock).unwrap();
    held.lock().unwrap();
    let sink = open(folder.folder()).sink().unwrap();
    document(&*sink, media_type::OCI_INDEX, &made::index(&[]), Some("ours")).await.unwrap();
    let ours = tokio::spawn(async move { sink.commit().await });
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(!ours.is_finished());
    }
    let theirs = Descriptor {
        annotations: [(REF_NAME.to_owned(), "theirs".to_owned())].into(),
        ..folder.insert(media_type::OCI_INDEX, made::index(&[]))
    };
    folder.entries(&[theirs]);
    held.unlock().unwrap();
    fs::remove_file(&lock).ok();
    ours.await.unwrap().unwrap();
    let names: Vec<String> = entries(&open(folder.folder())).await.iter().map(name_of).collect();
    assert_eq!(names, ["theirs", "ours"]);
    assert!(!lock.exists());
}

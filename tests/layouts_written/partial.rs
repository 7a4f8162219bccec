//! Blobs whose copy was cut: the next one goes on where it ended, whatever lies there is hashed again, and nothing that is
//! somebody else's is written to.

use std::os::unix::fs::symlink;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use portolan::source::ByteStream;
use portolan::source::sink::Content;
use portolan::{Error, Result};

use super::*;

const SIZE: usize = 5 << 20;
const PIECE: usize = 100 << 10;

fn large() -> Vec<u8> {
    (0..SIZE as u32 / 4).flat_map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

/// A source that breaks off after so many bytes, and writes down from where it was asked.
struct Line {
    bytes: Bytes,
    breaks_after: usize,
    error: Error,
    /// It goes on with other bytes than it has.
    lies: bool,
    asked: Mutex<Vec<u64>>,
}

impl Line {
    fn of(bytes: &[u8], breaks_after: usize) -> Line {
        let error = Error::new(Code::Unavailable, "open", "r.example/a", "the connection broke").retryable();
        Line { bytes: Bytes::copy_from_slice(bytes), breaks_after, error, lies: false, asked: Mutex::default() }
    }

    fn whole(bytes: &[u8]) -> Line {
        Line::of(bytes, usize::MAX)
    }

    fn asked(&self) -> Vec<u64> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Content for Line {
    async fn open(&self) -> Result<ByteStream> {
        self.open_at(0).await
    }

    async fn open_at(&self, at: u64) -> Result<ByteStream> {
        self.asked.lock().unwrap().push(at);
        let mut rest = self.bytes.slice(at as usize..);
        if self.lies && at > 0 {
            rest = vec![0; rest.len()].into();
        }
        let sent = rest.slice(..rest.len().min(self.breaks_after));
        let mut pieces: Vec<Result<Bytes>> = sent.chunks(PIECE).map(|it| Ok(Bytes::copy_from_slice(it))).collect();
        if sent.len() < rest.len() {
            pieces.push(Err(self.error.clone()));
        }
        Ok(stream::iter(pieces).boxed())
    }
}

/// A layout, and a blob that is put into it.
struct Try {
    _scratch: TempDir,
    folder: PathBuf,
    descriptor: Descriptor,
}

impl Try {
    fn new(bytes: &[u8]) -> Try {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("new");
        Try { _scratch: scratch, folder, descriptor: Descriptor::of("a/b", bytes) }
    }

    /// Each time as another program would.
    async fn put(&self, content: &Line) -> Result<()> {
        Layout::create(&self.folder, STORE).unwrap().sink().unwrap().put_blob(&self.descriptor, content).await
    }

    /// Where what came is kept.
    fn kept(&self) -> PathBuf {
        self.folder.join(format!("blobs/.portolan-sha256-{}", self.descriptor.digest.hex()))
    }

    /// Files that have no name of their own, and their sizes.
    fn hidden(&self) -> Vec<u64> {
        let names = fs::read_dir(self.folder.join("blobs")).unwrap();
        let files = names.map(|name| name.unwrap().metadata().unwrap()).filter(fs::Metadata::is_file);
        files.map(|file| file.len()).collect()
    }

    #[track_caller]
    fn assert_whole(&self, bytes: &[u8]) {
        let blob = self.folder.join(format!("blobs/sha256/{}", self.descriptor.digest.hex()));
        assert!(fs::read(blob).unwrap() == bytes, "the blob is there and not what it should be");
        assert!(self.hidden().is_empty(), "{:?}", self.hidden());
    }
}

#[tokio::test]
async fn what_came_is_kept_and_the_next_one_goes_on() {
    let bytes = large();
    let it = Try::new(&bytes);
    let ends = [1, PIECE, 1_500_000, 3 << 20];
    let mut at = 0;
    for end in ends {
        let line = Line::of(&bytes, end - at);
        assert_eq!(it.put(&line).await.unwrap_err().code(), Code::Unavailable);
        assert_eq!(line.asked(), [at as u64]);
        assert_eq!(it.hidden(), [end as u64]);
        at = end;
    }
    let line = Line::whole(&bytes);
    it.put(&line).await.unwrap();
    assert_eq!(line.asked(), [at as u64]);
    it.assert_whole(&bytes);
}

#[tokio::test]
async fn what_lies_there_is_not_believed() {
    let bytes = large();
    let half = &bytes[..SIZE / 2];
    let mut changed = half.to_vec();
    changed[1000] ^= 1;
    let too_long = [&bytes[..], b"more"].concat();
    for (why, lies_there, asked) in [
        ("another byte", &changed[..], &[half.len() as u64, 0][..]),
        ("zeros, as after a power cut", &vec![0; 1 << 20], &[1 << 20, 0]),
        ("more than all of it", &too_long, &[0]),
        ("all of it", &bytes, &[SIZE as u64]),
        ("all of it, and wrong", &vec![7; SIZE], &[SIZE as u64, 0]),
        ("nothing", b"", &[0]),
    ] {
        let it = Try::new(&bytes);
        it.put(&Line::of(&bytes, 10)).await.unwrap_err();
        fs::write(it.kept(), lies_there).unwrap();
        let line = Line::whole(&bytes);
        it.put(&line).await.unwrap_or_else(|error| panic!("{why}: {error}"));
        assert_eq!(line.asked(), asked, "{why}");
        it.assert_whole(&bytes);
    }
}

#[tokio::test]
async fn what_another_try_does_not_help_leaves_nothing() {
    let bytes = large();
    let it = Try::new(&bytes);
    let more = it.put(&Line::whole(&[&bytes[..], b"more"].concat())).await;
    assert_eq!(more.unwrap_err().code(), Code::DigestMismatch);
    assert!(it.hidden().is_empty(), "{:?}", it.hidden());
    // What comes now is not what came before: all of it is asked for again.
    it.put(&Line::of(&bytes, SIZE / 2)).await.unwrap_err();
    let mut liar = Line::whole(&bytes);
    liar.lies = true;
    it.put(&liar).await.unwrap();
    assert_eq!(liar.asked(), [SIZE as u64 / 2, 0]);
    it.assert_whole(&bytes);
    // Who is not let in today has what came yesterday; what breaks a rule is not gone on with.
    for (code, kept) in [
        (Code::Unauthorized, true),
        (Code::Offline, true),
        (Code::NotFound, true),
        (Code::Malformed, false),
        (Code::TooLarge, false),
    ] {
        let it = Try::new(&bytes);
        let mut line = Line::of(&bytes, SIZE / 2);
        line.error = Error::new(code, "open", "r.example/a", "no");
        assert_eq!(it.put(&line).await.unwrap_err().code(), code);
        assert_eq!(it.hidden().len(), usize::from(kept), "{code}");
    }
    // Too little to keep.
    let small = &bytes[..(1 << 20) - 1];
    let it = Try::new(small);
    it.put(&Line::of(small, PIECE)).await.unwrap_err();
    assert!(it.hidden().is_empty(), "{:?}", it.hidden());
}

#[tokio::test]
async fn nothing_of_others_is_written_to() {
    let bytes = large();
    let victim = || {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("victim");
        fs::write(&file, "precious").unwrap();
        (scratch, file)
    };
    for link in [
        (|from: &Path, to: &Path| symlink(from, to).unwrap()) as fn(&Path, &Path),
        |from, to| fs::hard_link(from, to).unwrap(),
        |_, to| fs::create_dir(to).unwrap(),
    ] {
        let it = Try::new(&bytes);
        fs::create_dir_all(it.folder.join("blobs")).unwrap();
        let (_scratch, file) = victim();
        link(&file, &it.kept());
        it.put(&Line::whole(&bytes)).await.unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"precious");
        let blob = it.folder.join(format!("blobs/sha256/{}", it.descriptor.digest.hex()));
        assert!(fs::read(blob).unwrap() == bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_at_once_do_not_write_into_one_file() {
    let bytes = large();
    let it = Arc::new(Try::new(&bytes));
    it.put(&Line::of(&bytes, 1 << 20)).await.unwrap_err();
    let tries = (0..6).map(|_| {
        let (it, bytes) = (Arc::clone(&it), bytes.clone());
        tokio::spawn(async move { it.put(&Line::whole(&bytes)).await })
    });
    for done in futures_util::future::join_all(tries).await {
        done.unwrap().unwrap();
    }
    it.assert_whole(&bytes);
}

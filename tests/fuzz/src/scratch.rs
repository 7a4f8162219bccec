//! A folder for the files that the host reads, in memory where there is such a place, and a runtime to wait in.

use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;
use tokio::runtime::{self, Runtime};

thread_local! {
    static FOLDER: TempDir = folder();
}

fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder")
}

/// Lends the folder of this thread, as it was left.
pub fn with<T>(work: impl FnOnce(&Path) -> T) -> T {
    FOLDER.with(|folder| work(folder.path()))
}

/// Waits for what reads files.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap())
        .block_on(future)
}

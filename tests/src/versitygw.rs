//! An S3-compatible store: versitygw, over a folder. `tests/install-go-tools.sh` builds it.

use std::fs;
use std::path::Path;

use crate::server::{Server, program};

/// Who may use it.
pub const KEY: &str = "key";
/// Their secret.
pub const SECRET: &str = "secret";

/// One with an empty bucket.
pub fn start(folder: &Path, bucket: &str) -> Server {
    fs::create_dir_all(folder.join(bucket)).expect("a folder for the bucket");
    Server::launch("which `make servers` builds", |port| {
        let mut command = program("versitygw");
        let address = format!("127.0.0.1:{port}");
        command.args(["--port", &address, "--access", KEY, "--secret", SECRET, "posix"]).arg(folder);
        command
    })
}

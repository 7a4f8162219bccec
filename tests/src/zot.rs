//! zot, a registry of OCI 1.1 that takes no media types but OCI's. Nobody installs it here: `make interop` needs it on the
//! `PATH`, and `make test` does without.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::registry::{User, run};
use crate::server::{Server, program};

/// One that runs, with its folder.
pub struct Zot {
    /// The server.
    pub server: Server,
    _folder: TempDir,
}

impl Zot {
    /// One that anybody may use, or only `user`, by Basic.
    pub fn start(user: Option<User>) -> Zot {
        let folder = tempfile::tempdir().expect("a folder for zot");
        let passwords = user.map(|user| htpasswd(folder.path(), user));
        let missing = "which is to be on the PATH (its releases are programs of one file)";
        let server = Server::launch(missing, |port| {
            let mut http = json!({ "address": "127.0.0.1", "port": port.to_string() });
            if let Some(path) = &passwords {
                http["auth"] = json!({ "htpasswd": { "path": path } });
            }
            let config = json!({
                "distSpecVersion": "1.1.1",
                "storage": { "rootDirectory": folder.path().join("storage"), "gc": false },
                "http": http,
                "log": { "level": "error", "output": folder.path().join("log") },
            });
            let file = folder.path().join("config.json");
            fs::write(&file, config.to_string()).expect("zot's configuration");
            let mut command = program("zot");
            command.arg("serve").arg(file);
            command
        });
        Zot { server, _folder: folder }
    }
}

fn htpasswd(folder: &Path, User { name, password }: User) -> std::path::PathBuf {
    let file = folder.join("htpasswd");
    let line = run(Command::new("htpasswd").args(["-Bbn", name, password]), "apache2-utils");
    fs::write(&file, line.stdout).expect("a password file");
    file
}

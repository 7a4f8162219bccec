//! A registry of OCI 1.1: olareg on a free port of 127.0.0.1, which keeps everything in memory and, unlike Debian's
//! registry, lists referrers. `tests/install-go-servers.sh` builds it.
//!
//! The server ends with its [`Olareg`]. Where the program is missing the test fails and says so.

use std::process::{Child, Command, Stdio};

use crate::registry::{free_port, listens, pull, push};
use crate::tools;

/// A registry that runs.
pub struct Olareg {
    server: Child,
    host: String,
}

impl Olareg {
    /// One that anybody may use.
    pub fn start() -> Olareg {
        // Between finding a free port and using it somebody else may take it; not three times in a row.
        for _ in 0..3 {
            let port = free_port();
            let host = format!("127.0.0.1:{port}");
            let mut command = Command::new(tools::find("olareg").unwrap_or_else(|| "olareg".into()));
            command.args(["serve", "--addr", "127.0.0.1", "--store-type", "mem", "--port", &port.to_string()]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut server = command.spawn().unwrap_or_else(|error| {
                panic!("this test needs the program `olareg`, which `make servers` builds: {error}")
            });
            if listens(&host, &mut server) {
                return Olareg { server, host };
            }
            let _ = server.kill();
            let _ = server.wait();
        }
        panic!("olareg does not start; try `olareg serve` by hand");
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Pushes an image with everything below it, byte for byte. `source` is skopeo's (`oci:DIR`, `oci:DIR:NAME`), `name` a
    /// repository with its tag.
    pub fn push(&self, source: &str, name: &str) {
        push(source, &self.host, name, None);
    }

    /// Takes an image out with everything below it, byte for byte: `name`, a repository with its tag, to what skopeo calls
    /// `target`.
    pub fn pull(&self, name: &str, target: &str) {
        pull(&self.host, name, target, None);
    }
}

impl Drop for Olareg {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

//! A registry of OCI 1.1: olareg, which keeps everything in memory and, unlike Debian's registry, lists referrers.
//! `tests/install-go-servers.sh` builds it.

use crate::server::{Server, program};

/// One that anybody may use.
pub fn start() -> Server {
    Server::launch("which `make servers` builds", |port| {
        let mut command = program("olareg");
        command.args(["serve", "--addr", "127.0.0.1", "--store-type", "mem", "--port", &port.to_string()]);
        command
    })
}

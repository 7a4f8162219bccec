//! The registry inside crane: go-containerregistry's, which keeps everything in memory and which many tests of others run
//! against. `tests/install-go-tools.sh` builds it.

use crate::server::{Server, program};

/// One that anybody may use.
pub fn start() -> Server {
    Server::launch("which `make servers` builds", |port| {
        let mut command = program("crane");
        command.args(["registry", "serve", "--address", &format!("127.0.0.1:{port}")]);
        command
    })
}

//! The gateway, asked by programs that others wrote, over registries that others wrote, or that lie.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "serve/book.rs"]
mod book;
#[path = "serve/callers.rs"]
mod callers;
#[path = "serve/conformance.rs"]
mod conformance;
#[path = "serve/farm.rs"]
mod farm;
#[path = "serve/go.rs"]
mod go;
#[path = "serve/grpc.rs"]
mod grpc;
#[path = "serve/pull.rs"]
mod pull;
#[path = "serve/push.rs"]
mod push;
#[path = "serve/running.rs"]
mod running;
#[path = "serve/shelf.rs"]
mod shelf;
#[path = "serve/traces.rs"]
mod traces;

use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use portolan_tests::registry::Registry;
use portolan_tests::server::Server;
use portolan_tests::serving::Serving;
use portolan_tests::versitygw;

const PROGRAM: &str = env!("CARGO_BIN_EXE_portolan");

/// A registry with an image for four platforms, its attestations among them, as `app:1.4`.
fn registry() -> Registry {
    let registry = Registry::start();
    registry.push(&multi(), "app:1.4");
    registry
}

/// That image, as skopeo names it.
fn multi() -> String {
    format!("oci:{}:1.4", fixtures::layout("buildkit-multi").display())
}

fn cli() -> Cli {
    Cli::new(PROGRAM, env!("CARGO_TARGET_TMPDIR"))
}

/// One that keeps what it has in this store.
fn with_store(store: &Server) -> Cli {
    cli()
        .variable("AWS_ENDPOINT", format!("http://{}", store.host()))
        .variable("AWS_ALLOW_HTTP", "true")
        .variable("AWS_REGION", "us-east-1")
        .variable("AWS_ACCESS_KEY_ID", versitygw::KEY)
        .variable("AWS_SECRET_ACCESS_KEY", versitygw::SECRET)
}

/// A gateway in front of a registry, through which everybody may do what `may` says.
fn before(cli: &Cli, host: &str, may: &str) -> Serving {
    cli.serve(&format!("--upstream {host} --plain-http {may}"))
}

//! Registries, end to end: real ones (`interop` has what all of them do, `real` and `push_real` what one does) and hostile
//! ones. Each hostile module plays one chapter of what a client has to survive; the tables of single stages are beside the
//! stages.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "registry/aside.rs"]
mod aside;
#[path = "registry/auth.rs"]
mod auth;
#[path = "registry/cache.rs"]
mod cache;
#[path = "registry/content.rs"]
mod content;
#[path = "registry/documents.rs"]
mod documents;
#[path = "registry/explained.rs"]
mod explained;
#[path = "registry/hosts.rs"]
mod hosts;
#[path = "registry/interop.rs"]
mod interop;
#[path = "registry/lists.rs"]
mod lists;
#[path = "registry/patience.rs"]
mod patience;
#[path = "registry/proxy.rs"]
mod proxy;
#[path = "registry/push.rs"]
mod push;
#[path = "registry/push_chunks.rs"]
mod push_chunks;
#[path = "registry/push_documents.rs"]
mod push_documents;
#[path = "registry/push_real.rs"]
mod push_real;
#[path = "registry/push_resumed.rs"]
mod push_resumed;
#[path = "registry/real.rs"]
mod real;
#[path = "registry/redirects.rs"]
mod redirects;
#[path = "registry/tls.rs"]
mod tls;

use std::sync::Arc;
use std::time::Duration;

use portolan::Error;
use portolan::source::registry::{Builder, Hosts, Registry, Timing};
use portolan::source::{Source, Target};
use portolan_hostile::{Hostile, Scene, on};
use portolan_oci::{Descriptor, Digest, Reference, media_type};

/// A manifest that needs nothing else to exist.
const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;

/// A client without credentials, configuration, cache and patience.
fn client() -> Builder {
    let mut timing = Timing::default();
    timing.retry_first = Duration::from_millis(1);
    timing.retry_most = Duration::from_millis(2);
    timing.retry_after_most = Duration::from_millis(2);
    let nobody = Registry::builder().docker_config(None).auth_file(None).podman_auth_files(Vec::new());
    nobody.hosts(Hosts::none()).timing(timing)
}

fn repository(client: Builder, host: &str, path: &str) -> Arc<dyn Source> {
    client.build().unwrap().repository(&Reference::parse(&format!("{host}/{path}")).unwrap())
}

/// The repository `app` of a registry that plays `script`.
fn app(script: Vec<Scene>) -> (Hostile, Arc<dyn Source>) {
    let registry = Hostile::play(script);
    let app = repository(client(), &registry.host(), "app");
    (registry, app)
}

/// The descriptor of [`MANIFEST`] and of other manifests.
fn manifest(bytes: &str) -> Descriptor {
    Descriptor::of(media_type::OCI_MANIFEST, bytes.as_bytes())
}

/// A blob that is no document of ours.
fn blob(bytes: &[u8]) -> Descriptor {
    Descriptor::of("application/x-anything", bytes)
}

/// The scene in which a manifest is served as it should be.
fn serve(method: &'static str, reference: &str, bytes: &str) -> Scene {
    on(method, format!("/v2/app/manifests/{reference}"))
        .header("Content-Type", media_type::OCI_MANIFEST)
        .header("Docker-Content-Digest", Digest::sha256(bytes.as_bytes()).to_string())
        .body(bytes)
}

/// `code: message` of a failure.
fn failure<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => "no failure".to_owned(),
        Err(error) => format!("{}: {error}", error.code()),
    }
}

/// Whether a failure says all of these.
#[track_caller]
fn assert_says<T>(result: Result<T, Error>, parts: &[&str]) {
    let said = failure(result);
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
}

async fn resolve_tag(source: &Arc<dyn Source>, tag: &str) -> Result<Descriptor, Error> {
    source.resolve(Target::Tag(tag), &portolan::Limits::default()).await
}

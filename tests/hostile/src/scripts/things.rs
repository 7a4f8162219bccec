//! What many scripts are made of: a manifest, a blob, and the scenes in which a registry does right.

use std::sync::Arc;

use portolan_oci::{Descriptor, Digest, media_type};

use crate::scene::{Scene, on};
use crate::script::{Answer, Ask, Class};

/// Who the client is to the registry of every script, under the registry's own `host:port`.
pub const USER: &str = "ada";
/// The password that goes with [`USER`], and nowhere else.
pub const PASSWORD: &str = "pa55word-of-ada";
/// Every token that a script hands out has this in it, so that it can be looked for.
pub const TOKEN: &str = "t0ken-of-ada";

/// A manifest that needs nothing else to exist.
pub(super) const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;

/// The blob of scripts that are about no blob in particular.
pub(super) const BLOB: &[u8] = b"the bytes of a blob";

/// What a server says that may have time later, and what that comes to where it never has.
pub(super) const BUSY: [(u16, Class); 7] = [
    (408, Class::Unavailable),
    (425, Class::Unavailable),
    (429, Class::RateLimited),
    (500, Class::Unavailable),
    (502, Class::Unavailable),
    (503, Class::Unavailable),
    (504, Class::Unavailable),
];

/// The descriptor of an OCI manifest.
pub(super) fn manifest(bytes: impl AsRef<[u8]>) -> Descriptor {
    Descriptor::of(media_type::OCI_MANIFEST, bytes.as_ref())
}

/// The descriptor of a blob that is no document.
pub(super) fn blob(bytes: &[u8]) -> Descriptor {
    Descriptor::of("application/x-anything", bytes)
}

/// The descriptor of a layer.
pub(super) fn layer(bytes: &[u8]) -> Descriptor {
    Descriptor::of("application/vnd.oci.image.layer.v1.tar", bytes)
}

pub(super) fn digest(bytes: impl AsRef<[u8]>) -> String {
    Digest::sha256(bytes.as_ref()).to_string()
}

/// A manifest served as it should be.
pub(super) fn serve(method: &'static str, reference: &str, bytes: impl AsRef<[u8]>) -> Scene {
    let bytes = bytes.as_ref();
    on(method, format!("/v2/app/manifests/{reference}"))
        .header("Content-Type", media_type::OCI_MANIFEST)
        .header("Docker-Content-Digest", digest(bytes))
        .body(bytes)
}

/// A registry that takes no HEAD of a manifest, and so is asked with GET.
pub(super) fn no_head() -> Scene {
    on("HEAD", "/v2/app/manifests/*").status(405)
}

/// What a tag or digest of [`MANIFEST`] means.
pub(super) fn root() -> Answer {
    Answer::root(manifest(MANIFEST))
}

pub(super) fn fetch_manifest() -> Ask {
    Ask::Fetch(manifest(MANIFEST))
}

pub(super) fn fetch_blob() -> Ask {
    Ask::Fetch(blob(BLOB))
}

pub(super) fn stream_blob() -> Ask {
    Ask::Stream(blob(BLOB))
}

pub(super) fn get_blob() -> Scene {
    on("GET", "/v2/app/blobs/*")
}

pub(super) fn get_manifest() -> Scene {
    on("GET", "/v2/app/manifests/*").header("Content-Type", media_type::OCI_MANIFEST)
}

/// The bytes of a push.
pub(super) fn bytes(bytes: impl Into<Vec<u8>>) -> Arc<[u8]> {
    bytes.into().into()
}

/// A registry that lets nobody in who does not show a password; of what it says to others, nothing is secret yet.
pub(super) fn guard() -> Scene {
    on("*", "*").without("authorization").status(401).header("WWW-Authenticate", "Basic realm=\"registry\"")
}

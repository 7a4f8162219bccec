//! Media types: what bytes claim to be.

/// An OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI image config.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The config of an artifact that has none.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// A Docker manifest list.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// A Docker manifest, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// A Docker image config.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// A Docker manifest, schema 1: refused by name.
pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// The same, signed.
pub const DOCKER_SCHEMA1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// A statement about an image: SBOM, provenance.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The types that a manifest or an index may be asked for as, the order being that of an `Accept` header.
pub const ROOTS: [&str; 4] = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];

/// What a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A list of manifests and further indexes.
    Index,
    /// A config and layers.
    Manifest,
    /// How an image is run, and of what it is made.
    Config,
    /// A statement, an SBOM, a signature's envelope.
    Attestation,
    /// A layer of a file system.
    Layer,
    /// Anything else.
    Other,
}

/// What a document of this media type is for.
pub fn kind(media_type: &str) -> Kind {
    match media_type {
        OCI_INDEX | DOCKER_LIST => Kind::Index,
        OCI_MANIFEST | DOCKER_MANIFEST => Kind::Manifest,
        OCI_CONFIG | DOCKER_CONFIG => Kind::Config,
        _ if is_statement(media_type) => Kind::Attestation,
        _ if media_type.starts_with("application/vnd.oci.image.layer.")
            || media_type.starts_with("application/vnd.docker.image.rootfs.") =>
        {
            Kind::Layer
        }
        _ => Kind::Other,
    }
}

/// Whether this is an index or a manifest list.
pub fn is_index(media_type: &str) -> bool {
    kind(media_type) == Kind::Index
}

/// Whether this is an image manifest.
pub fn is_manifest(media_type: &str) -> bool {
    kind(media_type) == Kind::Manifest
}

/// Whether this is the config of an image that can be run.
pub fn is_image_config(media_type: &str) -> bool {
    kind(media_type) == Kind::Config
}

/// Whether this is an in-toto statement, bare or in an envelope (`application/vnd.in-toto.provenance+dsse`).
pub fn is_statement(media_type: &str) -> bool {
    media_type == IN_TOTO
        || media_type.strip_prefix("application/vnd.in-toto").is_some_and(|rest| rest.ends_with("+dsse"))
}

/// Whether this is a Docker manifest of schema 1, which nobody should read any more.
pub fn is_schema1(media_type: &str) -> bool {
    matches!(media_type, DOCKER_SCHEMA1 | DOCKER_SCHEMA1_SIGNED)
}

/// The media type of a Content-Type: without parameters, in lower case.
pub fn essence(content_type: &str) -> String {
    let end = content_type.find(';').unwrap_or(content_type.len());
    content_type.get(..end).unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether the text is `type/subtype` of RFC 6838, 127 characters each at most.
pub fn valid(text: &str) -> bool {
    let mark = |byte| matches!(byte, b'!' | b'#' | b'$' | b'&' | b'-' | b'^' | b'_' | b'.' | b'+');
    let name = |part: &str| {
        (1..=127).contains(&part.len())
            && part.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || mark(byte))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| name(kind) && name(subtype))
}

//! Attestations: statements about an image that lie beside it (BuildKit's attestation storage, in-toto).

/// Annotation of an index entry: what the entry is to its neighbours.
pub const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
/// The value of [`REFERENCE_TYPE`] for attestations.
pub const ATTESTATION_MANIFEST: &str = "attestation-manifest";
/// Annotation of an index entry: the digest that it speaks of.
pub const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";
/// The same in older images.
pub const REFERENCE_DIGEST_OLD: &str = "com.docker.reference.digest";
/// `artifactType` of an attestation manifest.
pub const ARTIFACT_TYPE: &str = "application/vnd.docker.attestation.manifest.v1+json";
/// Annotation of a layer: what kind of statement it holds.
pub const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";
/// The predicate of an SBOM.
pub const SPDX: &str = "https://spdx.dev/Document";
/// How a provenance's predicate starts.
pub const PROVENANCE: &str = "https://slsa.dev/provenance/";

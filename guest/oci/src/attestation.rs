//! Attestations: statements about an image that lie beside it, in the forms that BuildKit, cosign and who attaches files
//! give them (BuildKit's attestation storage, in-toto, DSSE, sigstore's bundle).

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
/// The same by cosign 1 and 2.
pub const PREDICATE_TYPE_COSIGN: &str = "predicateType";
/// Annotation of a sigstore bundle's manifest: what kind of statement is in it.
pub const PREDICATE_TYPE_BUNDLE: &str = "dev.sigstore.bundle.predicateType";
/// How the media types of sigstore's bundles start; the version comes next.
pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// An envelope of DSSE, as cosign 1 and 2 store it.
pub const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
/// `artifactType` of cosign's signatures, which state nothing.
pub const COSIGN_SIGNATURE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
/// `artifactType` of Notary's signatures, which state nothing.
pub const NOTARY_SIGNATURE: &str = "application/vnd.cncf.notary.signature";
/// How the predicate of an SBOM in SPDX starts; cosign adds a version.
pub const SPDX: &str = "https://spdx.dev/Document";
/// How the predicate of an SBOM in CycloneDX starts; cosign adds a version.
pub const CYCLONEDX: &str = "https://cyclonedx.org/bom";
/// How a provenance's predicate starts.
pub const PROVENANCE: &str = "https://slsa.dev/provenance/";

/// How a blob holds what it states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An in-toto statement.
    Statement,
    /// One in an envelope of DSSE.
    Envelope,
    /// One in an envelope in a sigstore bundle.
    Bundle,
    /// An SBOM with nothing around it, and the predicate that it would be.
    Document(&'static str),
}

impl Form {
    /// The form of a layer of this media type; `None` where it states nothing that reads as JSON.
    pub fn of(media_type: &str) -> Option<Form> {
        match media_type {
            crate::media_type::IN_TOTO => Some(Form::Statement),
            ENVELOPE => Some(Form::Envelope),
            "application/spdx+json" | "text/spdx+json" => Some(Form::Document(SPDX)),
            "application/vnd.cyclonedx+json" => Some(Form::Document(CYCLONEDX)),
            _ if crate::media_type::is_statement(media_type) => Some(Form::Envelope),
            _ if media_type.starts_with(BUNDLE) => Some(Form::Bundle),
            _ => None,
        }
    }
}

/// The tag under which cosign 1 and 2 keep what is attested of a digest, beside what has it: `sha256-HEX.att`.
pub fn tag(subject: &crate::Digest) -> String {
    format!("{}-{}.att", subject.algorithm_name(), subject.hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_have_their_media_types() {
        for (media_type, form) in [
            ("application/vnd.in-toto+json", Some(Form::Statement)),
            ("application/vnd.in-toto.provenance+dsse", Some(Form::Envelope)),
            ("application/vnd.dsse.envelope.v1+json", Some(Form::Envelope)),
            ("application/vnd.dev.sigstore.bundle.v0.3+json", Some(Form::Bundle)),
            ("application/vnd.dev.sigstore.bundle+json;version=0.2", Some(Form::Bundle)),
            ("application/spdx+json", Some(Form::Document(SPDX))),
            ("text/spdx+json", Some(Form::Document(SPDX))),
            ("application/vnd.cyclonedx+json", Some(Form::Document(CYCLONEDX))),
            ("application/vnd.cyclonedx+xml", None),
            ("text/spdx", None),
            ("application/vnd.oci.image.layer.v1.tar+gzip", None),
        ] {
            assert_eq!(Form::of(media_type), form, "{media_type}");
        }
    }

    #[test]
    fn cosigns_tag_is_the_digest() {
        assert_eq!(tag(&crate::Digest::sha256(b"")), format!("sha256-{}.att", crate::Digest::sha256(b"").hex()));
    }
}

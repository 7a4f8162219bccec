//! What attestations say: in-toto statements, bare or in a DSSE envelope, each under its predicate type.
//!
//! Signatures are passed over, not checked: that takes keys and a policy, which a look at an image has not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan_oci::{attestation, media_type};
use portolan_sdk::traverse::Predicate;
use portolan_sdk::{Failure, Host};
use serde::Deserialize;

/// Whether this is a bill of materials.
pub fn is_sbom(said: &Predicate<'_>) -> bool {
    said.predicate_type == attestation::SPDX
}

/// Whether this says how the image was built.
pub fn is_provenance(said: &Predicate<'_>) -> bool {
    said.predicate_type.starts_with(attestation::PROVENANCE)
}

#[derive(Deserialize)]
struct Envelope {
    payload: String,
}

/// The statement's JSON, out of its envelope.
///
/// # Errors
/// A blob that cannot be fetched, or an envelope that is none.
pub fn statement(ctx: &impl Host, repository: &str, said: &Predicate<'_>) -> Result<Vec<u8>, Failure> {
    let blob = said.descriptor;
    let bytes = ctx.fetch(repository, blob)?;
    if blob.media_type == media_type::IN_TOTO {
        return Ok(bytes);
    }
    let malformed = |why: String| Failure::malformed(format!("the DSSE envelope {} {why}", blob.digest));
    let envelope: Envelope =
        serde_json::from_slice(&bytes).map_err(|error| malformed(format!("does not read: {error}")))?;
    // Go's decoder skips line ends.
    let payload = envelope.payload.replace(['\r', '\n'], "");
    STANDARD.decode(payload).map_err(|error| malformed(format!("has a payload that is no base64: {error}")))
}

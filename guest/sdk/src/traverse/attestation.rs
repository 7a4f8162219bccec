//! Attestations: manifests whose layers state something of an image (an SBOM, its provenance), and what they state.
//!
//! Those in an image's index are [walked](super::walk()) to; those beside it are asked for, as [`stated`] and [`tagged`]. Signatures on statements are
//! passed over, not checked: that takes keys and a policy, which a look at an image has not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan_oci::attestation::{self, Form};
use portolan_oci::{Descriptor, Digest, Kind, Location, Manifest, Mode};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::referrers::Referrer;
use super::root::{Root, find_all};
use super::{DOCUMENTS, prefetch};
use crate::failure::{Failure, code};
use crate::host::{Context, Host};

/// A manifest whose layers state something.
#[derive(Debug, Clone)]
pub struct Attestation {
    /// As its index, or the list of referrers, names it.
    pub descriptor: Descriptor,
    /// Its statements are its layers.
    pub manifest: Manifest,
}

/// One statement: an SBOM, a provenance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Predicate<'a> {
    /// `https://spdx.dev/Document`, `https://slsa.dev/provenance/v1`; empty where the statement does not say.
    pub predicate_type: &'a str,
    /// The blob that has it.
    pub descriptor: &'a Descriptor,
    /// How the blob has it.
    pub form: Form,
}

impl Attestation {
    /// Its statements.
    pub fn predicates(&self) -> impl Iterator<Item = Predicate<'_>> {
        self.manifest.layers.iter().filter_map(|layer| {
            let form = Form::of(&layer.media_type)?;
            let annotation = |key| layer.annotations.get(key).map(String::as_str);
            let predicate_type = match form {
                Form::Document(predicate_type) => Some(predicate_type),
                Form::Bundle => self.manifest.annotations.get(attestation::PREDICATE_TYPE_BUNDLE).map(String::as_str),
                Form::Statement | Form::Envelope => {
                    annotation(attestation::PREDICATE_TYPE).or_else(|| annotation(attestation::PREDICATE_TYPE_COSIGN))
                }
            };
            Some(Predicate { predicate_type: predicate_type.unwrap_or_default(), descriptor: layer, form })
        })
    }

    /// The digest that it speaks of, where its entry or itself says so.
    pub(super) fn subject(&self) -> Option<&str> {
        let by_manifest = || self.manifest.subject.as_ref().map(|subject| subject.digest.as_str());
        self.descriptor.attestation_subject().or_else(by_manifest)
    }
}

impl Predicate<'_> {
    /// Whether this is a bill of materials.
    pub fn is_sbom(&self) -> bool {
        self.is_spdx() || self.predicate_type.starts_with(attestation::CYCLONEDX)
    }

    /// Whether this is a bill of materials in SPDX.
    pub fn is_spdx(&self) -> bool {
        self.predicate_type.starts_with(attestation::SPDX)
    }

    /// Whether this says how the image was built.
    pub fn is_provenance(&self) -> bool {
        self.predicate_type.starts_with(attestation::PROVENANCE)
    }
}

/// What is said of some manifests by others that refer to them, each with the digest of which it is said: those of
/// `referrers` that state something. Signatures and what states nothing are left out.
///
/// # Errors
/// What the host answers; more referrers than a traversal reads.
pub fn stated(
    ctx: &impl Host,
    repository: &str,
    referrers: &[Referrer],
) -> Result<Vec<(Digest, Attestation)>, Failure> {
    let may_state = |referrer: &&Referrer| {
        referrer.descriptor.kind() == Kind::Manifest
            && !matches!(
                referrer.descriptor.artifact_type.as_deref(),
                Some(attestation::COSIGN_SIGNATURE | attestation::NOTARY_SIGNATURE)
            )
    };
    let read: Vec<&Referrer> = referrers.iter().filter(may_state).collect();
    if read.len() > DOCUMENTS {
        return Err(Failure::of(code::TOO_LARGE, format!("there are more than {DOCUMENTS} referrers to read")));
    }
    let ahead: Vec<Descriptor> = read.iter().map(|referrer| referrer.descriptor.bare()).collect();
    prefetch(ctx, repository, &ahead);
    let mut stated = Vec::new();
    for Referrer { subject, descriptor } in read {
        let manifest = match manifest(ctx, repository, descriptor) {
            // A registry's list may be older than what it has.
            Err(failure) if failure.is_not_found() => continue,
            manifest => manifest?,
        };
        let attestation = Attestation { descriptor: descriptor.clone(), manifest };
        if attestation.predicates().next().is_some() || descriptor.is_attestation() {
            stated.push((subject.clone(), attestation));
        }
    }
    Ok(stated)
}

/// What cosign 1 and 2 attest of some manifests, each with the digest of which it is said: it lies under a tag that they
/// make of the digest, and refers to nothing. What has no such tag has none.
///
/// # Errors
/// What the host answers, and a manifest that is none.
pub fn tagged(
    ctx: &impl Context,
    root: &Root,
    subjects: &[Digest],
    mode: Mode,
) -> Result<Vec<(Digest, Attestation)>, Failure> {
    let locations = subjects.iter().map(|subject| {
        Location::parse(&format!("{}:{}", root.repository, attestation::tag(subject))).map_err(Failure::from)
    });
    let locations: Vec<Location> = locations.collect::<Result<_, _>>()?;
    let mut tagged = Vec::new();
    for (subject, found) in subjects.iter().zip(find_all(ctx, &locations, mode)) {
        let descriptor = match found {
            Err(failure) if failure.is_not_found() => continue,
            found => found?.descriptor,
        };
        if descriptor.kind() == Kind::Manifest {
            let manifest = manifest(ctx, &root.repository, &descriptor)?;
            tagged.push((subject.clone(), Attestation { descriptor, manifest }));
        }
    }
    Ok(tagged)
}

fn manifest(ctx: &impl Host, repository: &str, descriptor: &Descriptor) -> Result<Manifest, Failure> {
    let bytes = ctx.fetch(repository, descriptor)?;
    Manifest::parse(&bytes).map_err(|malformed| Failure::from(malformed).context(&descriptor.digest))
}

#[derive(Deserialize)]
struct Envelope {
    payload: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    dsse_envelope: Envelope,
}

/// An in-toto statement's JSON, out of what is around it. An SBOM with nothing around it comes as the statement that it
/// would be in.
///
/// # Errors
/// A blob that cannot be fetched, or that is not what its media type says.
pub fn statement(ctx: &impl Host, repository: &str, said: &Predicate<'_>) -> Result<Vec<u8>, Failure> {
    let digest = &said.descriptor.digest;
    let bytes = ctx.fetch(repository, said.descriptor)?;
    let malformed = |what: &str, why: String| Failure::malformed(format!("the {what} {digest} {why}"));
    let unread = |what, error| malformed(what, format!("does not read: {error}"));
    let Envelope { payload } = match said.form {
        Form::Statement => return Ok(bytes),
        Form::Document(predicate_type) => {
            let _: IgnoredAny = serde_json::from_slice(&bytes).map_err(|error| unread("SBOM", error))?;
            let mut statement = format!(r#"{{"predicateType":"{predicate_type}","predicate":"#).into_bytes();
            statement.extend_from_slice(&bytes);
            statement.push(b'}');
            return Ok(statement);
        }
        Form::Envelope => serde_json::from_slice(&bytes).map_err(|error| unread("DSSE envelope", error))?,
        Form::Bundle => {
            let bundle: Bundle = serde_json::from_slice(&bytes).map_err(|error| unread("sigstore bundle", error))?;
            bundle.dsse_envelope
        }
    };
    // Go's decoder skips line ends.
    STANDARD
        .decode(payload.replace(['\r', '\n'], ""))
        .map_err(|error| malformed("DSSE envelope", format!("has a payload that is no base64: {error}")))
}

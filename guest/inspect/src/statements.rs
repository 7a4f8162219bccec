//! `--sbom` and `--provenance`: what the attestations of the chosen images say, in full.

use crate::picture::{Image, Picture};
use crate::{attested, said};
use portolan_oci::go::{self, Value};
use portolan_oci::text::line;
use portolan_oci::{Descriptor, Digest};
use portolan_sdk::traverse::{Predicate, Root};
use portolan_sdk::{Failure, Host};
use serde::Serialize;

/// Which statements are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Bills of materials.
    pub sbom: bool,
    /// How the image was built.
    pub provenance: bool,
}

/// A statement of one image, out of its envelope.
#[derive(Debug)]
pub struct Said<'a> {
    image: &'a Image,
    predicate_type: &'a str,
    blob: &'a Descriptor,
    is_sbom: bool,
    json: Vec<u8>,
}

impl Wanted {
    fn covers(self, said: &Predicate<'_>) -> bool {
        self.sbom && attested::is_sbom(said) || self.provenance && attested::is_provenance(said)
    }

    fn lack(self) -> &'static str {
        match (self.sbom, self.provenance) {
            (true, true) => "neither SBOM nor provenance",
            (true, false) => "no SBOM",
            (false, _) => "no provenance",
        }
    }
}

/// Reads the wanted statements of all images in the picture.
///
/// # Errors
/// None of them there; a statement that cannot be fetched.
pub fn read<'a>(ctx: &impl Host, root: &Root, picture: &'a Picture, wanted: Wanted) -> Result<Vec<Said<'a>>, Failure> {
    let there: Vec<(&Image, Predicate<'_>)> = picture
        .images
        .iter()
        .flat_map(|image| image.attestations.iter().map(move |attestation| (image, attestation)))
        .flat_map(|(image, attestation)| attestation.predicates().map(move |said| (image, said)))
        .filter(|(_, said)| wanted.covers(said))
        .collect();
    if there.is_empty() && picture.missing.iter().any(portolan_oci::Descriptor::is_attestation) {
        let message = format!("{} has attestations, and they are not there", picture.reference);
        return Err(Failure::not_found(message).hint("only a part of the image is there; ask where it came from"));
    }
    if there.is_empty() {
        return Err(Failure::not_found(format!("{} has {}", picture.reference, wanted.lack()))
            .hint("BuildKit attaches them with --attest type=sbom and --attest type=provenance"));
    }
    let blobs: Vec<Descriptor> = there.iter().map(|(_, said)| said.descriptor.bare()).collect();
    ctx.prefetch(&root.repository, &blobs);
    there
        .into_iter()
        .map(|(image, said)| {
            Ok(Said {
                image,
                predicate_type: said.predicate_type,
                blob: said.descriptor,
                is_sbom: attested::is_sbom(&said),
                json: attested::statement(ctx, &root.repository, &said)?,
            })
        })
        .collect()
}

#[derive(Serialize)]
struct Whole<'a> {
    reference: &'a str,
    statements: Vec<Statement<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Statement<'a> {
    platform: Option<String>,
    /// The digest of the image that it speaks of.
    subject: &'a Digest,
    predicate_type: &'a str,
    descriptor: Descriptor,
    /// As stored.
    predicate: Value<'a>,
}

/// The statements with all that they say.
///
/// # Errors
/// A statement that is no JSON.
pub fn json<'a>(picture: &'a Picture, statements: &'a [Said<'a>]) -> Result<impl Serialize + 'a, Failure> {
    let statements = statements.iter().map(|said| {
        let statement = go::read(&said.json)
            .map_err(|error| Failure::malformed(format!("the statement {} is no JSON: {error}", said.blob.digest)))?;
        Ok(Statement {
            platform: said.image.platform.as_ref().map(|platform| platform.long()),
            subject: &said.image.descriptor.digest,
            predicate_type: said.predicate_type,
            descriptor: said.blob.bare(),
            predicate: statement.take("predicate").unwrap_or(Value::Null),
        })
    });
    Ok(Whole { reference: &picture.reference, statements: statements.collect::<Result<_, Failure>>()? })
}

/// The statements in short, each below a line that says of what it speaks.
///
/// # Errors
/// A statement that is no JSON.
pub fn text(statements: &[Said<'_>]) -> Result<String, Failure> {
    let mut out = String::new();
    for said in statements {
        if !out.is_empty() {
            out.push('\n');
        }
        let platform = said.image.platform.as_ref().map(|platform| platform.long() + "  ").unwrap_or_default();
        let head = format!("{platform}{}", said.image.descriptor.digest);
        out.push_str(&format!("{}\n{}\n", line(&head), line(said.predicate_type)));
        let statement: serde_json::Value = serde_json::from_slice(&said.json)
            .map_err(|error| Failure::malformed(format!("the statement {} is no JSON: {error}", said.blob.digest)))?;
        let predicate = statement.get("predicate").unwrap_or(&serde_json::Value::Null);
        match said.is_sbom {
            true => said::sbom(predicate, &mut out),
            false => said::provenance(predicate, &mut out),
        }
    }
    Ok(out)
}

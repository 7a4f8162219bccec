//! `--sbom` and `--provenance`: what the attestations of the chosen images say, in full.

use crate::picture::Picture;
use crate::said;
use portolan_oci::go::{self, Value};
use portolan_oci::text::line;
use portolan_oci::{Descriptor, Digest, Platform};
use portolan_sdk::traverse::{self, Attestation, Predicate, Root};
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

impl Wanted {
    fn covers(self, said: &Predicate<'_>) -> bool {
        self.sbom && said.is_sbom() || self.provenance && said.is_provenance()
    }

    /// Whether something that is wanted is not among what is said.
    pub fn lacks(self, attestations: &[Attestation]) -> bool {
        let said = |is: fn(&Predicate<'_>) -> bool| {
            attestations.iter().flat_map(Attestation::predicates).any(|said| is(&said))
        };
        self.sbom && !said(|said| said.is_sbom()) || self.provenance && !said(|said| said.is_provenance())
    }

    fn lack(self) -> &'static str {
        match (self.sbom, self.provenance) {
            (true, true) => "neither SBOM nor provenance",
            (true, false) => "no SBOM",
            (false, _) => "no provenance",
        }
    }
}

/// A statement, out of its envelope.
#[derive(Debug)]
pub struct Said<'a> {
    /// Of what it is said.
    subject: &'a Digest,
    platform: Option<&'a Platform>,
    predicate: Predicate<'a>,
    json: Vec<u8>,
}

/// Reads the wanted statements of all images in the picture.
///
/// # Errors
/// None of them there; a statement that cannot be fetched.
pub fn read<'a>(ctx: &impl Host, root: &Root, picture: &'a Picture, wanted: Wanted) -> Result<Vec<Said<'a>>, Failure> {
    let of_root = (&picture.root.digest, None, &picture.attestations);
    let of_images = picture.images.iter();
    let of_images = of_images.map(|image| (&image.descriptor.digest, image.platform.as_ref(), &image.attestations));
    let there: Vec<(&Digest, Option<&Platform>, Predicate<'_>)> = of_images
        .chain([of_root])
        .flat_map(|(subject, platform, attestations)| {
            let said = attestations.iter().flat_map(Attestation::predicates);
            said.map(move |said| (subject, platform, said))
        })
        .filter(|(.., said)| wanted.covers(said))
        .collect();
    if there.is_empty() && picture.missing.iter().any(portolan_oci::Descriptor::is_attestation) {
        let message = format!("{} has attestations, and they are not there", picture.reference);
        return Err(Failure::not_found(message).hint("only a part of the image is there; ask where it came from"));
    }
    if there.is_empty() {
        return Err(Failure::not_found(format!("{} has {}", picture.reference, wanted.lack()))
            .hint("BuildKit attaches them with --attest type=sbom and --attest type=provenance; see --referrers for what else there is"));
    }
    let blobs: Vec<Descriptor> = there.iter().map(|(.., said)| said.descriptor.bare()).collect();
    ctx.prefetch(&root.repository, &blobs);
    let read = |(subject, platform, predicate): (&'a Digest, Option<&'a Platform>, Predicate<'a>)| {
        let json = traverse::statement(ctx, &root.repository, &predicate)?;
        Ok(Said { subject, platform, predicate, json })
    };
    there.into_iter().map(read).collect()
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
    /// The digest that it speaks of: an image's, or the root's.
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
        let Predicate { predicate_type, descriptor, .. } = said.predicate;
        let statement = go::read(&said.json)
            .map_err(|error| Failure::malformed(format!("the statement {} is no JSON: {error}", descriptor.digest)))?;
        Ok(Statement {
            platform: said.platform.map(|platform| platform.long()),
            subject: said.subject,
            predicate_type,
            descriptor: descriptor.bare(),
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
        let platform = said.platform.map(|platform| platform.long() + "  ").unwrap_or_default();
        let Predicate { predicate_type, descriptor, .. } = said.predicate;
        out.push_str(&format!("{}\n{}\n", line(&format!("{platform}{}", said.subject)), line(predicate_type)));
        let statement: serde_json::Value = serde_json::from_slice(&said.json)
            .map_err(|error| Failure::malformed(format!("the statement {} is no JSON: {error}", descriptor.digest)))?;
        let predicate = statement.get("predicate").unwrap_or(&serde_json::Value::Null);
        match said.predicate {
            said if said.is_spdx() => said::spdx(predicate, &mut out),
            said if said.is_sbom() => said::cyclonedx(predicate, &mut out),
            _ => said::provenance(predicate, &mut out),
        }
    }
    Ok(out)
}

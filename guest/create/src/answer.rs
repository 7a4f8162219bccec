//! What is said of it.

use std::collections::BTreeSet;

use portolan_sdk::oci::{Descriptor, Digest};
use portolan_sdk::table::{self, Table};
use portolan_sdk::{Context, Failure, Level, Request, Response};
use serde::Serialize;

use crate::document::Made;
use crate::rewrite::Rewritten;
use crate::target::{self, Target};

/// The document's descriptor, as buildx names it in its metadata.
const DESCRIPTOR: &str = "containerimage.descriptor";
/// The targets' repositories.
const NAME: &str = "image.name";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    references: Vec<String>,
    root: Descriptor,
    manifests: Vec<&'a Descriptor>,
    changed: Vec<Changed<'a>>,
}

#[derive(Serialize)]
struct Changed<'a> {
    from: &'a Digest,
    to: &'a Digest,
}

impl<'a> From<&'a Rewritten> for Changed<'a> {
    fn from(anew: &'a Rewritten) -> Self {
        Changed { from: &anew.old.digest, to: &anew.new.digest }
    }
}

/// `--dry-run`: the document and a newline. What else is to be said goes to the log.
pub(crate) fn document(ctx: &impl Context, made: &Made) -> Result<Response, Failure> {
    for anew in &made.rewritten {
        ctx.log(Level::Warn, &format!("the manifest {} becomes {}", anew.old.digest, anew.new.digest));
    }
    match String::from_utf8(made.bytes.clone()) {
        Ok(text) => Ok(Response::json_text(text + "\n")),
        Err(error) => Err(Failure::malformed(format!("the document is no text: {error}"))),
    }
}

/// What was written where.
pub(crate) fn written(request: &Request, targets: &[Target], made: &Made) -> Result<Response, Failure> {
    let response = match request.format() {
        "json" => Response::json(&Answer {
            references: targets.iter().map(|target| target.pinned(&made.root.digest)).collect(),
            root: made.root.bare(),
            manifests: made.entries.iter().map(|entry| &entry.descriptor).collect(),
            changed: made.rewritten.iter().map(Changed::from).collect(),
        })?,
        _ => Response::text(text(targets, made)),
    };
    let descriptor = serde_json::to_string(&made.root).map_err(|error| Failure::new(error.to_string()))?;
    let names: BTreeSet<String> = targets.iter().map(|target| target::shown(target.location())).collect();
    let names: Vec<String> = names.into_iter().collect();
    Ok(response.metadata(DESCRIPTOR, descriptor).metadata(NAME, names.join(",")))
}

fn text(targets: &[Target], made: &Made) -> String {
    let mut text: String = targets.iter().map(|target| target.pinned(&made.root.digest) + "\n").collect();
    text.push_str(&format!("  {}, {}\n", made.root.media_type, table::size(made.root.size)));
    let mut table = Table::plain().indent(2);
    for entry in &made.entries {
        let platform = entry.descriptor.platform.as_ref().map_or_else(|| "-".to_owned(), |it| it.long());
        let anew = made.rewritten.iter().find(|anew| anew.new.digest == entry.descriptor.digest);
        let was = anew.map(|anew| format!("was {}", anew.old.digest)).unwrap_or_default();
        table.row([platform, entry.descriptor.digest.to_string(), was]);
    }
    text + &table.to_string()
}

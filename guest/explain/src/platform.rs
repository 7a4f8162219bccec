//! How a platform parses, what it accepts, and in which order it would take those that there are.

use std::fmt;

use portolan_sdk::oci::platform::Matcher;
use portolan_sdk::oci::{Descriptor, Digest, Mode, Platform, media_type};
use portolan_sdk::table::Table;
use portolan_sdk::{Context, Failure};
use serde::Serialize;

/// How much of a list that may be endless (`amd64/v1000000`) is shown.
const ACCEPTS: usize = 64;

/// A platform taken apart; null is what it does not say.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explained {
    os: String,
    architecture: String,
    variant: Option<String>,
    os_version: Option<String>,
    os_features: Vec<String>,
    /// As parsed, before normalising; so are the fields above.
    text: String,
    normalized: String,
    /// Long normalised forms, best first.
    accepts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<Vec<Ordered>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Ordered {
    /// As it was given.
    platform: String,
    matches: bool,
}

pub(crate) fn explain(ctx: &impl Context, text: &str, among: &[&str], mode: Mode) -> Result<Explained, Failure> {
    let machine = ctx.platform();
    let platform = Platform::parse(text, &machine)?;
    let accepts = Matcher::new(&platform, &machine, mode == Mode::Exact).accepts(ACCEPTS);
    let order = match among {
        [] => None,
        among => Some(order(ctx, &platform, &machine, among, mode)?),
    };
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(Explained {
        text: platform.long(),
        normalized: platform.normalized(&machine).long(),
        accepts: accepts.iter().map(Platform::long).collect(),
        order,
        variant: some(&platform.variant),
        os_version: some(&platform.os_version),
        os: platform.os,
        architecture: platform.architecture,
        os_features: platform.os_features,
    })
}

/// Asks the strategy about an index that has just these platforms: what it would take, best first; then the rest.
fn order(
    ctx: &impl Context,
    wanted: &Platform,
    machine: &Platform,
    among: &[&str],
    mode: Mode,
) -> Result<Vec<Ordered>, Failure> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Index {
        schema_version: u32,
        media_type: &'static str,
        manifests: Vec<Descriptor>,
    }
    let mut manifests = Vec::with_capacity(among.len());
    for text in among {
        let platform = Platform::parse(text, machine)?;
        let entry = Descriptor::new(media_type::OCI_MANIFEST, Digest::sha256(text.as_bytes()), 0);
        manifests.push(Descriptor { platform: Some(platform), ..entry });
    }
    let index = Index { schema_version: 2, media_type: media_type::OCI_INDEX, manifests };
    let index = serde_json::to_vec(&index).map_err(|error| Failure::new(error.to_string()))?;
    let taken = ctx.select(&index, &wanted.long(), mode)?;
    let ordered = |text: &&str, matches| Ordered { platform: (*text).to_owned(), matches };
    let mut order: Vec<Ordered> =
        taken.iter().filter_map(|&position| among.get(position as usize)).map(|text| ordered(text, true)).collect();
    let rest = among.iter().enumerate().filter(|(position, _)| !taken.contains(&(*position as u32)));
    order.extend(rest.map(|(_, text)| ordered(text, false)));
    Ok(order)
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let mut table = Table::plain();
        table.row(["os", &self.os]);
        table.row(["architecture", &self.architecture]);
        table.row(["variant", &shown(&self.variant)]);
        if self.os_version.is_some() || !self.os_features.is_empty() {
            table.row(["os.version", &shown(&self.os_version)]);
            table.row(["os.features", &self.os_features.join(", ")]);
        }
        table.row(["text", &self.text]);
        table.row(["normalized", &self.normalized]);
        let mut label = "accepts";
        for accepted in &self.accepts {
            table.row([label, accepted]);
            label = "";
        }
        if self.accepts.is_empty() {
            table.row([label, "nothing"]);
        }
        if self.accepts.len() == ACCEPTS {
            table.row(["", "..."]);
        }
        table.fmt(f)?;
        if let Some(order) = &self.order {
            let mut table = Table::new(["PLATFORM", "MATCHES"]);
            for Ordered { platform, matches } in order {
                table.row([platform.as_str(), if *matches { "yes" } else { "no" }]);
            }
            write!(f, "\n{table}")?;
        }
        Ok(())
    }
}

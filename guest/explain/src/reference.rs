//! How a reference parses.

use std::fmt;

use portolan_sdk::Failure;
use portolan_sdk::oci::Reference;
use portolan_sdk::table::Table;
use serde::Serialize;

/// A reference taken apart; null is what the text does not name.
#[derive(Debug, Serialize)]
pub(crate) struct Explained {
    /// Empty where the text's first part looks like a domain and cannot be one.
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<String>,
    familiar: String,
    canonical: String,
    resolved: String,
}

pub(crate) fn explain(text: &str) -> Result<Explained, Failure> {
    let reference = Reference::parse(text)?;
    Ok(Explained {
        familiar: reference.familiar(),
        canonical: reference.canonical(),
        resolved: reference.resolved(),
        digest: reference.digest.as_ref().map(ToString::to_string),
        domain: reference.domain,
        path: reference.path,
        tag: reference.tag,
    })
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let mut table = Table::plain();
        table.row(["domain", if self.domain.is_empty() { "-" } else { &self.domain }]);
        table.row(["path", &self.path]);
        table.row(["tag", &shown(&self.tag)]);
        table.row(["digest", &shown(&self.digest)]);
        table.row(["familiar", &self.familiar]);
        table.row(["canonical", &self.canonical]);
        table.row(["resolved", &self.resolved]);
        table.fmt(f)
    }
}

//! What was copied, for people and for scripts. Fields stay; more may come.

use portolan_sdk::oci::{Descriptor, Location, Platform};
use portolan_sdk::table::{Table, size};
use portolan_sdk::traverse::{Referrer, Root};
use portolan_sdk::{Failure, Response};
use serde::Serialize;

use crate::load::{Copied, Load, Skipped};
use crate::target::Target;

/// What was copied, from where to where.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    source: String,
    target: String,
    #[serde(flatten)]
    what: What,
    copied: Copied,
    referrers: Vec<Referring>,
    skipped: Vec<Skipped>,
    /// The repository or store alone.
    #[serde(skip)]
    place: String,
    /// Under the name, with its digest.
    #[serde(skip)]
    pinned: String,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum What {
    /// One image.
    One {
        root: Box<Descriptor>,
        /// Long, normalised.
        platforms: Vec<String>,
    },
    /// All of a repository.
    All { tags: Vec<Tag> },
}

/// A name that was given.
#[derive(Debug, Serialize)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) root: Descriptor,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Referring {
    subject: String,
    artifact_type: Option<String>,
    descriptor: Descriptor,
}

impl From<Referrer> for Referring {
    fn from(referrer: Referrer) -> Self {
        Referring {
            subject: referrer.subject.to_string(),
            artifact_type: referrer.descriptor.artifact_type.clone(),
            descriptor: referrer.descriptor.bare(),
        }
    }
}

impl Answer {
    pub(crate) fn one(source: &Location, target: &Target, root: &Root, platforms: Vec<Platform>, load: Load) -> Self {
        let platforms = platforms.iter().map(Platform::long).collect();
        let what = What::One { root: Box::new(root.descriptor.bare()), platforms };
        let pinned = target.pinned(&root.descriptor.digest);
        Self::new(source, target.to_string(), target.place(), pinned, what, load)
    }

    pub(crate) fn all(source: &Location, target: String, tags: Vec<Tag>, load: Load) -> Self {
        Self::new(source, target.clone(), target.clone(), target, What::All { tags }, load)
    }

    fn new(source: &Location, target: String, place: String, pinned: String, what: What, load: Load) -> Self {
        let Load { copied, referrers, skipped, .. } = load;
        let referrers = referrers.into_iter().map(Referring::from).collect();
        Answer { source: source.shown(), target, what, copied, referrers, skipped, place, pinned }
    }

    pub(crate) fn respond(&self, format: &str) -> Result<Response, Failure> {
        let response = match format {
            "json" => Response::json(self)?,
            _ => Response::text(self.text()),
        };
        let response = response.metadata("image.name", &self.place);
        match &self.what {
            What::All { .. } => Ok(response),
            What::One { root, .. } => {
                let descriptor = serde_json::to_string(root).map_err(|error| Failure::new(error.to_string()))?;
                Ok(response.metadata("containerimage.descriptor", descriptor))
            }
        }
    }

    fn text(&self) -> String {
        let mut table = Table::plain();
        table.row(["Source", &self.source]);
        table.row(["Target", &self.pinned]);
        if let What::One { root, platforms } = &self.what {
            table.row(["Media type", &root.media_type]);
            if !platforms.is_empty() {
                table.row(["Platforms", &platforms.join(", ")]);
            }
        }
        let Copied { documents, blobs, size: bytes } = self.copied;
        let documents = counted(documents, "document");
        table.row(["Copied", &format!("{documents}, {}, {}", counted(blobs, "blob"), size(bytes))]);
        if !self.referrers.is_empty() {
            table.row(["Referrers", &self.referrers.len().to_string()]);
        }
        for Skipped { kind, name, reason } in &self.skipped {
            table.row(["Skipped", &format!("the {kind} {name}: {reason}")]);
        }
        let mut text = table.to_string();
        if let What::All { tags } = &self.what {
            let mut table = Table::new(["NAME", "DIGEST"]);
            for Tag { name, root } in tags {
                table.row([name, root.digest.as_str()]);
            }
            text.push('\n');
            text.push_str(&table.to_string());
        }
        text
    }
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

//! What a run saw that `portolan run --record` wrote down, as a host's: documents by digest, what names meant, lists of tags
//! and of referrers. The form is that of `host/src/session/tape.rs`; unlike a replay this is no list of questions in their
//! order, but a host that knows their answers, whatever it is asked first.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Error, ErrorKind};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan_oci::{Descriptor, Digest, Location};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::repository::Repository;

/// What was in a recording.
#[derive(Default)]
pub(super) struct Recorded {
    pub arguments: Vec<(String, String)>,
    pub machine: Option<String>,
    pub repositories: BTreeMap<String, Repository>,
    documents: BTreeMap<Digest, Vec<u8>>,
    /// Index.json of stores.
    entries: Vec<(String, Digest)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Run { form: u32, arguments: Vec<(String, String)> },
    Document { digest: Digest, text: Option<String>, base64: Option<String> },
    Call { function: String, with: Value, answer: Value },
}

/// Those fields of a descriptor that name content.
#[derive(Deserialize)]
struct Content {
    media_type: String,
    digest: Digest,
    size: u64,
}

impl From<Content> for Descriptor {
    fn from(content: Content) -> Self {
        Descriptor::new(content.media_type, content.digest, content.size)
    }
}

#[derive(Deserialize)]
struct Resolved {
    repository: String,
    descriptor: Content,
}

#[derive(Deserialize)]
struct Document {
    document: Digest,
}

#[derive(Deserialize)]
struct Page {
    tags: Vec<String>,
}

#[derive(Deserialize)]
enum Answer<T> {
    #[serde(rename = "ok")]
    Done(T),
    #[serde(rename = "error")]
    Failed(serde::de::IgnoredAny),
}

impl Recorded {
    /// Reads a recording to its end.
    ///
    /// # Errors
    /// What cannot be read, and what is no recording, with its line.
    pub fn read(file: &Path) -> io::Result<Self> {
        let mut recorded = Recorded::default();
        let open = std::fs::File::open(file)
            .map_err(|error| Error::new(error.kind(), format!("{}: {error}", file.display())))?;
        for (line, number) in BufReader::new(open).lines().zip(1..) {
            let wrong = |why: String| Error::new(ErrorKind::InvalidData, format!("{}:{number}: {why}", file.display()));
            let line = serde_json::from_str(&line?).map_err(|error| wrong(error.to_string()))?;
            recorded.line(line).map_err(wrong)?;
        }
        for (store, digest) in std::mem::take(&mut recorded.entries) {
            if let Some(bytes) = recorded.documents.get(&digest).cloned() {
                recorded.repository(&store).hold(bytes);
            }
        }
        Ok(recorded)
    }

    fn line(&mut self, line: Line) -> Result<(), String> {
        match line {
            Line::Run { form: 1, arguments } => self.arguments = arguments,
            Line::Run { form, .. } => return Err(format!("it is of form {form}, and 1 is known")),
            Line::Document { digest, text, base64 } => {
                let bytes = match (text, base64) {
                    (Some(text), _) => text.into_bytes(),
                    (None, base64) => STANDARD.decode(base64.unwrap_or_default()).map_err(|error| error.to_string())?,
                };
                self.documents.insert(digest, bytes);
            }
            Line::Call { function, with, answer } => self
                .call(&function, with, answer)
                .map_err(|error| format!("an answer to {function} that is none: {error}"))?,
        }
        Ok(())
    }

    fn call(&mut self, function: &str, with: Value, answer: Value) -> serde_json::Result<()> {
        match function {
            "platform" => self.machine = Some(serde_json::from_value(answer)?),
            "resolve" => {
                let (reference,): (String,) = serde_json::from_value(with)?;
                self.resolved(&reference, serde_json::from_value(answer)?);
            }
            "resolve-all" => {
                let (references,): (Vec<String>,) = serde_json::from_value(with)?;
                let answers: Vec<Answer<Resolved>> = serde_json::from_value(answer)?;
                references.iter().zip(answers).for_each(|(reference, answer)| self.resolved(reference, answer));
            }
            "entries" => {
                if let Some(Resolved { repository, descriptor }) = done(answer)? {
                    self.entries.push((repository, descriptor.digest));
                }
            }
            "fetch" => {
                let (repository, content): (String, Content) = serde_json::from_value(with)?;
                if let Some(bytes) = self.document(answer)? {
                    self.repository(&repository).put(&content.into(), bytes);
                }
            }
            "tags" => {
                let (repository, _): (String, Option<String>) = serde_json::from_value(with)?;
                if let Some(Page { tags }) = done(answer)? {
                    let listed = &mut self.repository(&repository).listed;
                    // Who asks twice is told twice.
                    listed.extend(tags.into_iter().filter(|tag| !listed.contains(tag)).collect::<Vec<_>>());
                }
            }
            "referrers" => {
                let (repository, digest, kind): (String, Digest, Option<String>) = serde_json::from_value(with)?;
                if let Some(bytes) = self.document(answer)? {
                    self.repository(&repository).lists.insert((digest, kind), bytes);
                }
            }
            // What was written is written again, and pieces of blobs are no content.
            _ => {}
        }
        Ok(())
    }

    fn resolved(&mut self, reference: &str, answer: Answer<Resolved>) {
        let Answer::Done(Resolved { repository, descriptor }) = answer else { return };
        let tag = match Location::parse(reference) {
            Ok(Location::Registry(reference)) if reference.digest.is_none() => reference.tag_or_latest().to_owned(),
            _ => return,
        };
        self.repository(&repository).retag(&tag, &descriptor.into());
    }

    /// The document that was answered with.
    fn document(&self, answer: Value) -> serde_json::Result<Option<Vec<u8>>> {
        Ok(done(answer)?.and_then(|Document { document }| self.documents.get(&document).cloned()))
    }

    fn repository(&mut self, name: &str) -> &mut Repository {
        self.repositories.entry(name.to_owned()).or_insert_with(|| Repository::table(name))
    }
}

/// An answer, if it is no error.
fn done<T: DeserializeOwned>(answer: Value) -> serde_json::Result<Option<T>> {
    Ok(match serde_json::from_value(answer)? {
        Answer::Done(answer) => Some(answer),
        Answer::Failed(_) => None,
    })
}

//! What speaks of a digest, where the registry does not list that by itself: an index under a tag that is made of the
//! digest, which whoever pushes keeps up to date (distribution-spec, "Referrers Tag Schema").
//!
//! It is read, changed and written. Registries have no better way; one that knows ETags is asked to refuse a change of what
//! somebody else changed meanwhile. Within this process one list is changed at a time.

use std::collections::BTreeMap;

use bytes::Bytes;
use portolan_oci::document::{Index, Manifest};
use portolan_oci::{Descriptor, Digest, Kind, document, media_type};
use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_MATCH};
use serde_json::value::{RawValue, to_raw_value};

use super::{PUSH, Push};
use crate::error::{Code, Error, Result};
use crate::source::registry::client::{Answer, Ask, Take};
use crate::source::registry::list::referrers_tag;
use crate::source::registry::queue::Line;
use crate::source::registry::repository::MANIFESTS;

/// How often a list is changed that others change, too.
const TRIES: usize = 5;

/// A document that speaks of another one.
pub(super) struct Referrer {
    pub subject: Digest,
    /// As lists of referrers have it.
    entry: Descriptor,
}

impl Referrer {
    /// `None` for a document that speaks of nothing. The message says why it cannot be read.
    pub(super) fn of(descriptor: &Descriptor, bytes: &[u8]) -> Result<Option<Referrer>, String> {
        let (subject, artifact_type, annotations) = match descriptor.kind() {
            Kind::Index => {
                let index = Index::parse(bytes).map_err(|error| error.to_string())?;
                (index.subject, index.artifact_type, index.annotations)
            }
            Kind::Manifest => {
                let manifest = Manifest::parse(bytes).map_err(|error| error.to_string())?;
                let own = manifest.artifact_type.filter(|own| !own.is_empty());
                (manifest.subject, Some(own.unwrap_or(manifest.config.media_type)), manifest.annotations)
            }
            _ => return Ok(None),
        };
        let entry = Descriptor { artifact_type, annotations, ..descriptor.bare() };
        Ok(subject.map(|subject| Referrer { subject: subject.digest, entry }))
    }
}

/// Whether the registry lists referrers by itself.
pub(super) async fn are_listed(push: &Push, digest: &Digest, subject: &str) -> Result<bool> {
    let url = push.endpoint.url(&format!("referrers/{digest}"));
    let question = push.question(subject, url, Line::Documents);
    let ask = Ask { accept: Some(media_type::OCI_INDEX), take: Take::Stream, ..question };
    Ok(push.repository.ask(&push.endpoint, &ask).await?.is_done())
}

/// Puts a referrer on the list of its subject. Whose turn it is for that subject may.
pub(super) async fn add(push: &Push, referrer: &Referrer, subject: &str) -> Result<()> {
    let tag = referrers_tag(&referrer.subject);
    let url = push.endpoint.url(&format!("manifests/{tag}"));
    let limits = &push.client().limits;
    for _ in 0..TRIES {
        let take = Take::All { limit: limits.document, expect: None };
        let question = push.question(subject, url.clone(), Line::Documents);
        let answer = push.repository.ask(&push.endpoint, &Ask { accept: Some(MANIFESTS), take, ..question }).await?;
        let (list, headers) = match answer.status {
            404 => (List::default(), HeaderMap::new()),
            _ if answer.is_done() => {
                let list = List::read(&answer, limits.index_entries).map_err(|detail| {
                    answer.malformed(PUSH, subject, format!("the list of referrers at the tag {tag}: {detail}"))
                })?;
                (list, unchanged(&answer))
            }
            _ => return Err(push.refusal(&answer, subject)),
        };
        let media_type = list.media_type.clone();
        let Some((bytes, count)) =
            list.with(&referrer.entry).map_err(|error| Error::new(Code::Other, PUSH, subject, error.to_string()))?
        else {
            return Ok(());
        };
        if count > limits.referrers || bytes.len() as u64 > limits.document {
            let detail = format!(
                "its subject has more referrers than fit on a list: {count} of at most {}, {} bytes of at most {}",
                limits.referrers,
                bytes.len(),
                limits.document
            );
            return Err(Error::new(Code::TooLarge, PUSH, subject, detail));
        }
        let start = url.clone().into();
        let stored = super::document::store(push, (&media_type, &bytes), headers, subject, start).await?;
        match stored.status {
            412 => continue,
            _ if stored.is_done() => return Ok(()),
            _ => return Err(push.refusal(&stored, subject)),
        }
    }
    let detail = format!("others change the list of referrers at the tag {tag} all the time");
    Err(Error::new(Code::Conflict, PUSH, subject, detail).with_host(push.endpoint.host()).retryable())
}

/// The condition that nobody changed what was read; none where the registry has no strong ETag.
fn unchanged(answer: &Answer) -> HeaderMap {
    let etag = answer.headers.get(ETAG).filter(|etag| etag.as_bytes().starts_with(b"\""));
    HeaderMap::from_iter(etag.map(|etag: &HeaderValue| (IF_MATCH, etag.clone())))
}

/// An index, of which everything stays that is not its entries.
struct List {
    media_type: String,
    fields: BTreeMap<String, Box<RawValue>>,
    entries: Vec<Box<RawValue>>,
}

impl Default for List {
    fn default() -> List {
        List { media_type: media_type::OCI_INDEX.to_owned(), fields: BTreeMap::new(), entries: Vec::new() }
    }
}

impl List {
    fn read(answer: &Answer, most: usize) -> Result<List, String> {
        let said = media_type::essence(answer.header(CONTENT_TYPE.as_str()).unwrap_or_default());
        List::parse(&said, &answer.body, most)
    }

    fn parse(said: &str, bytes: &[u8], most: usize) -> Result<List, String> {
        let media_type = if said.is_empty() || said == "application/json" { media_type::OCI_INDEX } else { said };
        if !media_type::is_index(media_type) {
            return Err("it is no index".to_owned());
        }
        document::check(media_type, bytes, most).map_err(|error| error.to_string())?;
        let mut fields: BTreeMap<String, Box<RawValue>> =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let entries = match fields.remove("manifests") {
            Some(entries) => serde_json::from_str::<Option<_>>(entries.get()).map_err(|error| error.to_string())?,
            None => None,
        };
        Ok(List { media_type: media_type.to_owned(), fields, entries: entries.unwrap_or_default() })
    }

    /// The list with another entry, and how many entries it has then; `None` if the entry is there already.
    fn with(mut self, entry: &Descriptor) -> Result<Option<(Bytes, usize)>, serde_json::Error> {
        let is_it = |known: &RawValue| {
            serde_json::from_str::<Descriptor>(known.get()).is_ok_and(|known| known.digest == entry.digest)
        };
        if self.entries.iter().any(|known| is_it(known)) {
            return Ok(None);
        }
        self.entries.push(to_raw_value(entry)?);
        self.fields.insert("manifests".to_owned(), to_raw_value(&self.entries)?);
        self.fields.entry("mediaType".to_owned()).or_insert(to_raw_value(&self.media_type)?);
        self.fields.entry("schemaVersion".to_owned()).or_insert(to_raw_value(&2)?);
        Ok(Some((serde_json::to_vec(&self.fields)?.into(), self.entries.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(said: &str, list: &str, entry: &Descriptor) -> String {
        match List::parse(said, list.as_bytes(), 100).map(|list| list.with(entry).unwrap()) {
            Ok(Some((bytes, count))) => format!("{count} {}", String::from_utf8(bytes.to_vec()).unwrap()),
            Ok(None) => "there".to_owned(),
            Err(detail) => detail,
        }
    }

    #[test]
    fn lists_lose_nothing() {
        const INDEX: &str = media_type::OCI_INDEX;
        let entry = Descriptor::of(media_type::OCI_MANIFEST, b"{}");
        let told = serde_json::to_string(&entry).unwrap();
        let other = format!(r#"{{"size":2,"digest":"{}","mediaType":"a/b","x":[1, 2]}}"#, Digest::sha256(b"other"));
        for (said, list, expected) in [
            (
                INDEX,
                r#"{"schemaVersion":2,"manifests":[]}"#.to_owned(),
                format!(r#"1 {{"manifests":[{told}],"mediaType":"{INDEX}","schemaVersion":2}}"#),
            ),
            (
                "",
                format!(
                    r#"{{"schemaVersion":2,"mediaType":"{INDEX}","annotations":{{"b": "1","a":"2"}},"manifests":[ {other} ],"more":1e400}}"#
                ),
                format!(
                    r#"2 {{"annotations":{{"b": "1","a":"2"}},"manifests":[{other},{told}],"mediaType":"{INDEX}","more":1e400,"schemaVersion":2}}"#
                ),
            ),
            (INDEX, format!(r#"{{"schemaVersion":2,"manifests":[{other},{told}]}}"#), "there".to_owned()),
            (media_type::OCI_MANIFEST, "{}".to_owned(), "it is no index".to_owned()),
        ] {
            assert_eq!(added(said, &list, &entry), expected, "{list}");
        }
        let empty = List::default().with(&entry).unwrap().unwrap();
        assert_eq!(Index::parse(&empty.0).unwrap().manifests, [entry]);
    }

    #[test]
    fn referrers() {
        let subject = Descriptor::of(media_type::OCI_MANIFEST, b"subject");
        let (spoken_of, config) = (
            serde_json::to_string(&subject).unwrap(),
            r#"{"mediaType":"a/config","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}"#,
        );
        for (kind, document, artifact_type) in [
            (
                media_type::OCI_MANIFEST,
                format!(r#"{{"config":{config},"subject":{spoken_of},"annotations":{{"k":"v"}}}}"#),
                Some("a/config"),
            ),
            (
                media_type::OCI_MANIFEST,
                format!(
                    r#"{{"config":{config},"artifactType":"a/b","subject":{spoken_of},"annotations":{{"k":"v"}}}}"#
                ),
                Some("a/b"),
            ),
            (
                media_type::OCI_MANIFEST,
                format!(r#"{{"config":{config},"artifactType":"","subject":{spoken_of},"annotations":{{"k":"v"}}}}"#),
                Some("a/config"),
            ),
            (
                media_type::OCI_INDEX,
                format!(r#"{{"manifests":[],"artifactType":"a/b","subject":{spoken_of},"annotations":{{"k":"v"}}}}"#),
                Some("a/b"),
            ),
            (
                media_type::OCI_INDEX,
                format!(r#"{{"manifests":[],"subject":{spoken_of},"annotations":{{"k":"v"}}}}"#),
                None,
            ),
        ] {
            let descriptor = Descriptor::of(kind, document.as_bytes());
            let referrer = Referrer::of(&descriptor, document.as_bytes()).unwrap().unwrap();
            assert_eq!(referrer.subject, subject.digest);
            assert_eq!(referrer.entry.artifact_type.as_deref(), artifact_type, "{document}");
            assert_eq!((referrer.entry.bare(), referrer.entry.annotations["k"].as_str()), (descriptor, "v"));
        }
        let plain = format!(r#"{{"config":{config}}}"#);
        for (kind, document) in [(media_type::OCI_MANIFEST, plain.as_str()), (media_type::OCI_CONFIG, "{}")] {
            assert!(Referrer::of(&Descriptor::of(kind, document.as_bytes()), document.as_bytes()).unwrap().is_none());
        }
        assert!(Referrer::of(&Descriptor::of(media_type::OCI_INDEX, b"["), b"[").is_err());
    }
}

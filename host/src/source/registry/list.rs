//! What else a repository holds: pages of tags, and what refers to a digest.

use std::collections::HashSet;

use bytes::Bytes;
use portolan_oci::registry::link;
use portolan_oci::{Descriptor, Digest, document, media_type, reference};
use reqwest::header::{CONTENT_TYPE, LINK};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use super::client::{Answer, Ask, Take};
use super::endpoint::Endpoint;
use super::hosts::Need;
use super::repository::{MANIFESTS, Repository};
use super::{body, text};
use crate::error::{Code, Error, Result};
use crate::limits::Limits;
use crate::source::{Source, TagPage};

/// What we ask for in one page; a registry may send fewer, and with a `Link` a short page is not the last one.
const PAGE: usize = 1_000;

const TAGS: &str = "list the tags of";
pub(super) const REFERRERS: &str = "list the referrers of";

#[derive(Deserialize)]
struct TagList {
    /// Some registries write `null` for none.
    tags: Option<Vec<String>>,
}

/// A page of tags. The cursor is the number of the host that answers, that of the page, and the query that the host's
/// `Link` had: never a URL, so that whoever hands it back can lead us to no other list.
pub(super) async fn tags(repository: &Repository, next: Option<&str>) -> Result<TagPage> {
    let (route, limits) = (repository.route(TAGS)?, &repository.shared.client.limits);
    let subject = repository.repository();
    let error = |code, detail: String| Error::new(code, TAGS, subject.as_str(), detail);
    let Some(next) = next else {
        let mut tried = repository.tried();
        for (number, endpoint) in route.hosts(Need::Resolve) {
            if tried.skips(endpoint) {
                continue;
            }
            match page(repository, endpoint, (number, 0), &format!("n={PAGE}"), &subject).await {
                Ok(page) => return Ok(page),
                Err(error) => tried.add(endpoint, error),
            }
        }
        return Err(tried.error(|| repository.nobody(TAGS, &subject, Need::Resolve)));
    };
    let (number, count, query) =
        cursor(next).ok_or_else(|| error(Code::Other, "the cursor is none of ours".to_owned()))?;
    let endpoint = route.host(number).filter(|endpoint| endpoint.allows(Need::Resolve));
    let endpoint = endpoint.ok_or_else(|| error(Code::Other, "the cursor is none of ours".to_owned()))?;
    if count >= limits.tag_pages {
        let detail = format!("it has more than {} pages of tags", limits.tag_pages);
        return Err(error(Code::TooLarge, detail).with_host(endpoint.host()));
    }
    page(repository, endpoint, (number, count), query, &subject).await
}

async fn page(
    repository: &Repository,
    endpoint: &Endpoint,
    (number, count): (usize, usize),
    query: &str,
    subject: &str,
) -> Result<TagPage> {
    let limit = repository.shared.client.limits.document;
    let url = endpoint.url_with("tags/list", query);
    let answer = repository.ask(endpoint, &question(TAGS, subject, url.clone(), "application/json", limit)).await?;
    if !answer.is_done() {
        return Err(answer.refusal(endpoint, TAGS, subject));
    }
    let list: TagList = body::object(&answer.body)
        .map_err(|error| answer.malformed(TAGS, subject, format!("it sent no list of tags: {error}")))?;
    let told = list.tags.unwrap_or_default();
    let linked = link::next(&url, links(&answer)).map_err(|detail| answer.malformed(TAGS, subject, detail))?;
    let following = linked.or_else(|| link::behind_full(PAGE, &told));
    if following.as_deref() == Some(query) {
        // Debian's registry knows neither `n` nor `last`, and told all of them before.
        return Ok(TagPage::default());
    }

    let mut seen = HashSet::new();
    let mut tags = Vec::new();
    let mut strange = 0usize;
    for tag in told {
        if !reference::is_tag(&tag) {
            // Nobody can ask for it; the others are none the worse for it.
            strange += 1;
        } else if seen.insert(tag.clone()) {
            tags.push(tag);
        }
    }
    if strange > 0 {
        tracing::warn!(repository = subject, strange, "the registry lists what are no tags");
    }
    Ok(TagPage { tags, next: following.map(|query| format!("{number} {} {query}", count + 1)) })
}

fn cursor(next: &str) -> Option<(usize, usize, &str)> {
    let mut parts = next.splitn(3, ' ');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?))
}

#[derive(Deserialize)]
struct Listed<'a> {
    /// olareg writes `null` where there are none.
    #[serde(borrow)]
    manifests: Option<Vec<&'a RawValue>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Referrers<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: &'a [Box<RawValue>],
}

/// An index of what refers to `digest` (distribution-spec, "Listing Referrers"). Entries come as the registry wrote them.
pub(super) async fn referrers(
    repository: &Repository,
    digest: &Digest,
    artifact_type: Option<&str>,
    limits: &Limits,
) -> Result<Bytes> {
    let subject = format!("{}@{digest}", repository.repository());
    let mut tried = repository.tried();
    for (_, endpoint) in repository.route(REFERRERS)?.hosts(Need::Resolve) {
        if tried.skips(endpoint) {
            continue;
        }
        let found = Found { artifact_type, limits, seen: HashSet::new(), entries: Vec::new(), bytes: 0 };
        match at(repository, endpoint, digest, found, &subject).await {
            // A mirror has what passed through it; that there is nothing else only the last host knows.
            Ok(found) if found.entries.is_empty() && endpoint.spare => {
                let nothing = Error::new(Code::NotFound, REFERRERS, subject.as_str(), "it has none");
                tried.add(endpoint, nothing.with_host(endpoint.host()));
            }
            Ok(found) => return found.index(&subject),
            Err(error) => tried.add(endpoint, error),
        }
    }
    Err(tried.error(|| repository.nobody(REFERRERS, &subject, Need::Resolve)))
}

/// What one host has.
async fn at<'a>(
    repository: &Repository,
    endpoint: &Endpoint,
    digest: &Digest,
    mut found: Found<'a>,
    subject: &str,
) -> Result<Found<'a>> {
    // A registry that has this list answers for every digest, so one answer tells.
    if repository.lists_no_referrers(endpoint) {
        return by_tag(repository, endpoint, digest, found, subject).await;
    }
    let (rest, limits) = (format!("referrers/{digest}"), found.limits);
    let mut url = endpoint.url(&rest);
    if let Some(artifact_type) = found.artifact_type {
        url.query_pairs_mut().append_pair("artifactType", artifact_type);
    }
    for page in 0.. {
        let ask = question(REFERRERS, subject, url.clone(), media_type::OCI_INDEX, limits.document);
        let answer = repository.ask(endpoint, &ask).await?;
        if page == 0 && answer.status == 404 {
            repository.list_no_referrers(endpoint);
            return by_tag(repository, endpoint, digest, found, subject).await;
        }
        if !answer.is_done() {
            return Err(answer.refusal(endpoint, REFERRERS, subject));
        }
        found.add(&answer, subject)?;
        let following = link::next(&url, links(&answer));
        match following.map_err(|detail| answer.malformed(REFERRERS, subject, detail))? {
            None => break,
            Some(_) if page + 1 >= limits.tag_pages => {
                let detail = format!("it has more than {} pages of referrers", limits.tag_pages);
                return Err(Error::new(Code::TooLarge, REFERRERS, subject, detail).with_host(endpoint.host()));
            }
            Some(query) => url = endpoint.url_with(&rest, &query),
        }
    }
    Ok(found)
}

/// Where a registry keeps no referrers, who pushes keeps them under a tag made of the digest ("Referrers Tag Schema").
async fn by_tag<'a>(
    repository: &Repository,
    endpoint: &Endpoint,
    digest: &Digest,
    mut found: Found<'a>,
    subject: &str,
) -> Result<Found<'a>> {
    let url = endpoint.url(&format!("manifests/{}", referrers_tag(digest)));
    let answer = repository.ask(endpoint, &question(REFERRERS, subject, url, MANIFESTS, found.limits.document)).await?;
    match answer.status {
        404 => {}
        _ if !answer.is_done() => return Err(answer.refusal(endpoint, REFERRERS, subject)),
        _ => found.add(&answer, subject)?,
    }
    Ok(found)
}

/// A tag has at most 128 characters, so the specification cuts long digests.
pub(super) fn referrers_tag(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm_name(), digest.hex().get(..64).unwrap_or(digest.hex()))
}

struct Found<'a> {
    artifact_type: Option<&'a str>,
    limits: &'a Limits,
    seen: HashSet<Digest>,
    entries: Vec<Box<RawValue>>,
    bytes: u64,
}

impl Found<'_> {
    fn add(&mut self, answer: &Answer, subject: &str) -> Result<()> {
        let malformed = |detail: String| answer.malformed(REFERRERS, subject, detail);
        let said = media_type::essence(answer.header(CONTENT_TYPE.as_str()).unwrap_or_default());
        let said = if said.is_empty() || said == "application/json" { media_type::OCI_INDEX } else { &said };
        if !media_type::is_index(said) {
            return Err(malformed(format!("it is {}, which is no index", text::media_type(said))));
        }
        document::check(said, &answer.body, self.limits.index_entries).map_err(|error| malformed(error.to_string()))?;
        let listed: Listed<'_> = serde_json::from_slice(&answer.body).map_err(|error| malformed(error.to_string()))?;
        self.bytes += answer.body.len() as u64;
        for entry in listed.manifests.unwrap_or_default() {
            let descriptor: Descriptor =
                serde_json::from_str(entry.get()).map_err(|error| malformed(format!("an entry: {error}")))?;
            // A registry may ignore the filter, and the tag never knew it.
            let wanted = self.artifact_type.is_none_or(|wanted| descriptor.artifact_type.as_deref() == Some(wanted));
            if wanted && self.seen.insert(descriptor.digest) {
                self.entries.push(entry.to_owned());
            }
        }
        if self.entries.len() > self.limits.referrers || self.bytes > self.limits.attestation {
            let detail = format!("it has more than {} referrers", self.limits.referrers);
            return Err(answer.error(Code::TooLarge, REFERRERS, subject, detail));
        }
        Ok(())
    }

    fn index(self, subject: &str) -> Result<Bytes> {
        let index = Referrers { schema_version: 2, media_type: media_type::OCI_INDEX, manifests: &self.entries };
        let bytes = serde_json::to_vec(&index);
        bytes.map(Bytes::from).map_err(|error| Error::new(Code::Other, REFERRERS, subject, error.to_string()))
    }
}

fn question<'a>(operation: &'static str, subject: &'a str, url: Url, accept: &'static str, limit: u64) -> Ask<'a> {
    let take = Take::All { limit, expect: None };
    Ask { accept: Some(accept), take, ..Ask::of(operation, subject, url) }
}

fn links(answer: &Answer) -> impl Iterator<Item = &str> {
    answer.headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use portolan_oci::Algorithm;

    use super::*;

    #[test]
    fn cursors() {
        for (next, expected) in [
            ("0 3 last=b&n=2", Some((0, 3, "last=b&n=2"))),
            ("1 3 a b", Some((1, 3, "a b"))),
            ("1 3 ", Some((1, 3, ""))),
            ("1 3", None),
            ("", None),
            ("https://evil.example/", None),
            ("0 -1 x", None),
        ] {
            assert_eq!(cursor(next), expected, "{next:?}");
        }
    }

    #[test]
    fn referrers_tags_are_tags() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
            let tag = referrers_tag(&Digest::of(algorithm, b"abc"));
            assert!(reference::is_tag(&tag) && tag.starts_with(algorithm.as_str()), "{tag}");
        }
    }
}

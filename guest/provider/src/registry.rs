//! A registry's repository, asked anonymously: which path for what, what a 404 means, and who lets anybody in.
//!
//! As the host's client asks, without what one run of one command can do without: a cache on disk, retries, mirrors,
//! passwords, several requests at a time.

use std::collections::{BTreeMap, BTreeSet};

use portolan_oci::media_type::{self, Kind};
use portolan_oci::registry::challenge::{self, Challenge};
use portolan_oci::registry::{link, range};
use portolan_oci::verify::Verifier;
use portolan_oci::{Code, Descriptor, Digest, Reference, document, limits, reference, text};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use crate::admission;
use crate::error::{Error, Result};
use crate::http::{self, Answer, Fault, Take};
use crate::verdict;

const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.docker.distribution.manifest.v2+json";
const OCTETS: &str = "application/octet-stream";
const PAGE: usize = 1_000;
const TAGS: &str = "list the tags of";
const REFERRERS: &str = "list the referrers of";

/// All registries.
#[derive(Debug, Default)]
pub(crate) struct Registries {
    tokens: Tokens,
}

/// Tokens of this run, by registry and repository.
#[derive(Debug, Default)]
struct Tokens(BTreeMap<(String, String), String>);

/// A page of tags, and where the next one starts.
pub(crate) type Page = (Vec<String>, Option<String>);

impl Registries {
    /// The root that a tag or a digest means.
    pub(crate) fn resolve(&mut self, reference: &Reference) -> Result<Descriptor> {
        Repository::of(reference, "resolve")?.resolve(&mut self.tokens, reference)
    }

    /// A document, its digest and size verified.
    pub(crate) fn fetch(&mut self, reference: &Reference, descriptor: &Descriptor) -> Result<Vec<u8>> {
        Repository::of(reference, "fetch from")?.fetch(&mut self.tokens, descriptor)
    }

    /// At most `length` bytes from `offset`; verified where that is all of it.
    pub(crate) fn read(
        &mut self,
        reference: &Reference,
        descriptor: &Descriptor,
        offset: u64,
        length: u64,
    ) -> Result<Vec<u8>> {
        Repository::of(reference, "read from")?.read(&mut self.tokens, descriptor, offset, length)
    }

    /// A page of tags.
    pub(crate) fn tags(&mut self, reference: &Reference, next: Option<&str>) -> Result<Page> {
        Repository::of(reference, TAGS)?.tags(&mut self.tokens, next)
    }

    /// An index of what refers to `digest`.
    pub(crate) fn referrers(
        &mut self,
        reference: &Reference,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<u8>> {
        Repository::of(reference, REFERRERS)?.referrers(&mut self.tokens, digest, artifact_type)
    }
}

/// A repository.
#[derive(Debug)]
struct Repository {
    /// `docker.io/library/alpine`, for messages.
    name: String,
    /// What the registry calls it.
    path: String,
    base: Url,
}

/// The two places where a registry keeps content by digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Area {
    Manifests,
    Blobs,
}

impl Area {
    fn order(media_type: &str) -> [Area; 2] {
        match media_type::kind(media_type) {
            Kind::Index | Kind::Manifest => [Area::Manifests, Area::Blobs],
            _ => [Area::Blobs, Area::Manifests],
        }
    }

    fn path(self, what: &str) -> String {
        match self {
            Area::Manifests => format!("manifests/{what}"),
            Area::Blobs => format!("blobs/{what}"),
        }
    }

    fn accept(self) -> &'static str {
        match self {
            Area::Manifests => MANIFESTS,
            Area::Blobs => "*/*",
        }
    }
}

/// What is asked, for whom.
struct Ask<'a> {
    operation: &'a str,
    subject: &'a str,
    accept: &'a str,
    range: Option<String>,
    take: Take,
}

impl Repository {
    /// Where it is.
    fn of(reference: &Reference, operation: &str) -> Result<Repository> {
        let name = reference.repository();
        let domain = reference.domain.as_str();
        let host = if domain == "docker.io" { "registry-1.docker.io" } else { domain };
        let no_host = |why: String| Error::new(Code::InvalidReference, operation, &name, &why);
        let parse = |scheme: &str| {
            Url::parse(&format!("{scheme}://{host}")).map_err(|error| no_host(format!("{domain} is no host: {error}")))
        };
        let mut base = parse("https")?;
        if admission::is_local(&base) {
            base = parse("http")?;
        }
        Ok(Repository { path: reference.path.clone(), name, base })
    }

    fn url(&self, rest: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{}/{rest}", self.path));
        url
    }

    /// The root that a tag or a digest means.
    fn resolve(&self, tokens: &mut Tokens, what: &Reference) -> Result<Descriptor> {
        let (subject, asked) = match &what.digest {
            Some(digest) => (format!("{}@{digest}", self.name), digest.to_string()),
            None => (format!("{}:{}", self.name, what.tag_or_latest()), what.tag_or_latest().to_owned()),
        };
        if let Some(found) = self.root(tokens, &subject, &asked, what.digest.as_ref(), Area::Manifests)? {
            return Ok(found);
        }
        let found = match &what.digest {
            Some(digest) => self.root(tokens, &subject, &asked, Some(digest), Area::Blobs)?,
            None => None,
        };
        found.ok_or_else(|| self.absent("resolve", &subject))
    }

    fn root(
        &self,
        tokens: &mut Tokens,
        subject: &str,
        asked: &str,
        digest: Option<&Digest>,
        area: Area,
    ) -> Result<Option<Descriptor>> {
        let url = self.url(&area.path(asked));
        let ask = |take| Ask { operation: "resolve", subject, accept: area.accept(), range: None, take };
        let answer = self.ask(tokens, &url, &ask(Take::Head))?;
        match answer.status {
            404 => return Ok(None),
            // Some registries take no HEAD, some say why they refuse only in the body that a GET has.
            403 | 405 => {}
            200 => {
                if let Some(found) = verdict::of_head(&answer, digest, area == Area::Manifests) {
                    return found
                        .map(Some)
                        .map_err(|detail| self.error(Code::DigestMismatch, "resolve", subject, &detail));
                }
            }
            _ => return Err(self.refusal(&answer, "resolve", subject)),
        }
        let most = if area == Area::Manifests { limits::DOCUMENT } else { limits::ATTESTATION };
        let answer = self.ask(tokens, &url, &ask(Take::All(most)))?;
        match answer.status {
            404 => return Ok(None),
            200 => {}
            _ => return Err(self.refusal(&answer, "resolve", subject)),
        }
        let malformed = |detail: &str| self.error(Code::Malformed, "resolve", subject, detail);
        let promised = digest.cloned().or_else(|| Digest::parse(answer.header("docker-content-digest").trim()).ok());
        if let Some(promised) = promised.as_ref().filter(|promised| !promised.matches(&answer.body)) {
            let detail = format!("the body has another digest than {promised}, which was promised");
            return Err(self.error(Code::DigestMismatch, "resolve", subject, &detail));
        }
        let said = media_type::essence(answer.header("content-type"));
        let media_type = match (area, said.as_str()) {
            (Area::Blobs, said) if media_type::valid(said) => said.to_owned(),
            (Area::Blobs, _) => OCTETS.to_owned(),
            // What servers say that do not know: then the document says what it is.
            (Area::Manifests, "" | OCTETS | "application/json" | "text/plain") => {
                document::media_type_of(&answer.body, false).map_err(|reason| malformed(&reason.to_string()))?
            }
            (Area::Manifests, said) => said.to_owned(),
        };
        document::check(&media_type, &answer.body, limits::INDEX_ENTRIES)
            .map_err(|reason| malformed(&reason.to_string()))?;
        let digest = promised.unwrap_or_else(|| Digest::sha256(&answer.body));
        Ok(Some(Descriptor::new(media_type, digest, answer.body.len() as u64)))
    }

    /// A document, its digest and size verified.
    fn fetch(&self, tokens: &mut Tokens, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let subject = format!("{}@{}", self.name, descriptor.digest);
        let answer = self.content(tokens, "fetch", &subject, descriptor, None, Take::All(descriptor.size))?;
        let verified = Verifier::new(descriptor).and_then(|mut verifier| {
            verifier.update(&answer.body)?;
            verifier.finish()
        });
        match verified {
            Ok(()) => Ok(answer.body),
            Err(why) => Err(Error::new(why.code(), "fetch", &subject, &why.to_string())),
        }
    }

    /// At most `length` bytes from `offset`; verified where that is all of it.
    fn read(&self, tokens: &mut Tokens, descriptor: &Descriptor, offset: u64, length: u64) -> Result<Vec<u8>> {
        let subject = format!("{}@{}", self.name, descriptor.digest);
        let length = length.min(descriptor.size.saturating_sub(offset));
        if length == 0 {
            return Ok(Vec::new());
        }
        let last = offset + (length - 1);
        let range = Some(format!("bytes={offset}-{last}"));
        let answer = self.content(tokens, "read", &subject, descriptor, range, Take::Part { offset, length })?;
        if answer.status == 206 {
            range::check(answer.header("content-range"), (offset, last), descriptor.size)
                .map_err(|detail| self.error(Code::Malformed, "read", &subject, &detail))?;
        }
        let fail = |code, detail: &str| Err(self.error(code, "read", &subject, detail));
        if answer.body.len() as u64 != length {
            let detail = format!("{} bytes came, and {length} were asked for", answer.body.len());
            return fail(Code::Unavailable, &detail);
        }
        if length == descriptor.size && !descriptor.digest.matches(&answer.body) {
            return fail(Code::DigestMismatch, "the bytes are others");
        }
        Ok(answer.body)
    }

    fn content(
        &self,
        tokens: &mut Tokens,
        operation: &str,
        subject: &str,
        descriptor: &Descriptor,
        range: Option<String>,
        take: Take,
    ) -> Result<Answer> {
        for area in Area::order(&descriptor.media_type) {
            let url = self.url(&area.path(descriptor.digest.as_str()));
            let ask = Ask { operation, subject, accept: area.accept(), range: range.clone(), take };
            let answer = self.ask(tokens, &url, &ask)?;
            match answer.status {
                404 => {}
                200 | 206 => return Ok(answer),
                _ => return Err(self.refusal(&answer, operation, subject)),
            }
        }
        Err(self.absent(operation, subject))
    }

    /// A page of tags. The cursor is the number of the page and the registry's query, never a URL.
    fn tags(&self, tokens: &mut Tokens, next: Option<&str>) -> Result<Page> {
        #[derive(Deserialize)]
        struct List {
            /// Some registries write `null` for none.
            tags: Option<Vec<String>>,
        }
        let fail = |code, detail: &str| self.error(code, TAGS, &self.name, detail);
        let first = format!("n={PAGE}");
        let cursor = next.map_or(Some((0, first.as_str())), |next| {
            let (page, query) = next.split_once(' ')?;
            Some((page.parse::<usize>().ok()?, query))
        });
        let (page, query) = cursor.ok_or_else(|| fail(Code::Other, "the cursor is none of ours"))?;
        if page >= limits::TAG_PAGES {
            return Err(fail(Code::TooLarge, &format!("it has more than {} pages of tags", limits::TAG_PAGES)));
        }
        let mut url = self.url("tags/list");
        url.set_query(Some(query));
        let answer = self.list(tokens, TAGS, &self.name, &url, "application/json")?;
        if answer.status != 200 {
            return Err(self.refusal(&answer, TAGS, &self.name));
        }
        let list: List = serde_json::from_slice(&answer.body)
            .map_err(|error| fail(Code::Malformed, &format!("it sent no list of tags: {error}")))?;
        let mut tags = list.tags.unwrap_or_default();
        let linked = link::next(&url, answer.all("link")).map_err(|detail| fail(Code::Malformed, &detail))?;
        let following = linked.or_else(|| link::behind_full(PAGE, &tags));
        if following.as_deref() == Some(query) {
            // It does not know `last`, and told all of them before.
            return Ok((Vec::new(), None));
        }
        let mut seen = BTreeSet::new();
        // What is no tag nobody can ask for; the others are none the worse for it.
        tags.retain(|tag| reference::is_tag(tag) && seen.insert(tag.clone()));
        Ok((tags, following.map(|query| format!("{} {query}", page + 1))))
    }

    /// An index of what refers to `digest`.
    fn referrers(&self, tokens: &mut Tokens, digest: &Digest, artifact_type: Option<&str>) -> Result<Vec<u8>> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Index<'a> {
            schema_version: u8,
            media_type: &'a str,
            manifests: &'a [Box<RawValue>],
        }
        let subject = format!("{}@{digest}", self.name);
        let fail = |code, detail: &str| self.error(code, REFERRERS, &subject, detail);
        let mut found = Found::default();
        let add = |found: &mut Found, answer: &Answer| {
            found.add(answer, artifact_type).map_err(|detail| fail(Code::Malformed, &detail))?;
            match found.entries.len() > limits::REFERRERS || found.bytes > limits::ATTESTATION {
                true => Err(fail(Code::TooLarge, &format!("it has more than {} referrers", limits::REFERRERS))),
                false => Ok(()),
            }
        };
        let mut url = self.url(&format!("referrers/{digest}"));
        if let Some(artifact_type) = artifact_type {
            url.query_pairs_mut().append_pair("artifactType", artifact_type);
        }
        for page in 0.. {
            let answer = self.list(tokens, REFERRERS, &subject, &url, media_type::OCI_INDEX)?;
            if page == 0 && answer.status == 404 {
                // Where a registry keeps no referrers, who pushes keeps them under a tag made of the digest.
                let tag = format!("{}-{}", digest.algorithm_name(), digest.hex().get(..64).unwrap_or(digest.hex()));
                let answer =
                    self.list(tokens, REFERRERS, &subject, &self.url(&Area::Manifests.path(&tag)), MANIFESTS)?;
                match answer.status {
                    404 => break,
                    200 => add(&mut found, &answer)?,
                    _ => return Err(self.refusal(&answer, REFERRERS, &subject)),
                }
                break;
            }
            if answer.status != 200 {
                return Err(self.refusal(&answer, REFERRERS, &subject));
            }
            add(&mut found, &answer)?;
            match link::next(&url, answer.all("link")).map_err(|detail| fail(Code::Malformed, &detail))? {
                None => break,
                Some(_) if page + 1 >= limits::TAG_PAGES => {
                    let detail = format!("it has more than {} pages of referrers", limits::TAG_PAGES);
                    return Err(fail(Code::TooLarge, &detail));
                }
                Some(query) => url.set_query(Some(&query)),
            }
        }
        let index = Index { schema_version: 2, media_type: media_type::OCI_INDEX, manifests: &found.entries };
        serde_json::to_vec(&index).map_err(|error| fail(Code::Other, &error.to_string()))
    }

    fn list(&self, tokens: &mut Tokens, operation: &str, subject: &str, url: &Url, accept: &str) -> Result<Answer> {
        self.ask(tokens, url, &Ask { operation, subject, accept, range: None, take: Take::All(limits::DOCUMENT) })
    }

    /// Asks, and answers a challenge once.
    fn ask(&self, tokens: &mut Tokens, url: &Url, ask: &Ask<'_>) -> Result<Answer> {
        let key = (self.base.as_str().to_owned(), self.path.clone());
        let (answer, own) = self.follow(url, ask, tokens.0.get(&key))?;
        if answer.status != 401 || !own {
            return Ok(answer);
        }
        let challenges = challenge::parse(answer.all("www-authenticate"));
        let Some(challenge) = challenges.iter().find(|challenge| challenge.scheme == "bearer") else {
            return Ok(answer);
        };
        let token = self.token(challenge, ask)?;
        let (answer, _) = self.follow(url, ask, Some(&token))?;
        tokens.0.insert(key, token);
        Ok(answer)
    }

    /// Asks, and follows redirects; whether it was the registry itself that answered. A token is for nobody else.
    fn follow(&self, url: &Url, ask: &Ask<'_>, token: Option<&String>) -> Result<(Answer, bool)> {
        let (mut url, mut own) = (url.clone(), true);
        for _ in 0..=limits::REDIRECTS {
            let mut headers = vec![("accept", ask.accept.to_owned()), user_agent()];
            headers.extend(ask.range.clone().map(|range| ("range", range)));
            headers.extend(token.filter(|_| own).map(|token| ("authorization", format!("Bearer {token}"))));
            let answer = http::send(&url, &headers, ask.take).map_err(|fault| self.fault(fault, &url, ask))?;
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok((answer, own));
            }
            let next = admission::redirect(&self.base, &url, answer.header("location"));
            url = next.map_err(|rule| self.error(Code::Malformed, ask.operation, ask.subject, &rule))?;
            own &= url.origin() == self.base.origin();
        }
        Err(self.error(Code::Malformed, ask.operation, ask.subject, "it redirects without end"))
    }

    /// A token that anybody gets.
    fn token(&self, challenge: &Challenge, ask: &Ask<'_>) -> Result<String> {
        let fail = |detail: &str| self.error(Code::Malformed, ask.operation, ask.subject, detail);
        let realm = challenge.param("realm").unwrap_or_default();
        let mut url = admission::realm(&self.base, realm).map_err(|rule| fail(&rule))?;
        let mut scopes = challenge.scopes();
        if scopes.is_empty() {
            scopes.push(format!("repository:{}:pull", self.path));
        }
        if let Some(service) = challenge.param("service") {
            url.query_pairs_mut().append_pair("service", service);
        }
        for scope in scopes {
            url.query_pairs_mut().append_pair("scope", &scope);
        }
        for _ in 0..=limits::REDIRECTS {
            let headers = [("accept", "application/json".to_owned()), user_agent()];
            let answer = http::send(&url, &headers, Take::All(limits::CONTROL_BODY))
                .map_err(|fault| self.fault(fault, &url, ask))?;
            match answer.status {
                200 => return verdict::token(&answer.body).map_err(|detail| fail(&detail)),
                301 | 302 | 303 | 307 | 308 => {
                    let next = admission::redirect(&self.base, &url, answer.header("location"))
                        .and_then(|next| admission::realm(&self.base, next.as_str()));
                    url = next.map_err(|rule| fail(&rule))?;
                }
                _ => {
                    let Error { code, message } = self.refusal(&answer, ask.operation, ask.subject);
                    // It is the token server that is not there; of the image that says nothing.
                    let code = if code == Code::NotFound { Code::Malformed } else { code };
                    return Err(Error {
                        code,
                        message: format!("{message} (no token from {})", http::authority(&url)),
                    });
                }
            }
        }
        Err(fail("the token server redirects without end"))
    }

    fn fault(&self, fault: Fault, url: &Url, ask: &Ask<'_>) -> Error {
        let (code, detail) = match fault {
            Fault::Unavailable(why) => (Code::Unavailable, why),
            Fault::TooLarge(most) => (Code::TooLarge, format!("it has more than {most} bytes")),
        };
        let detail = format!("{}: {}", http::authority(url), text::line(text::at_most(&detail, SHOWN)));
        Error::new(code, ask.operation, ask.subject, &detail)
    }

    fn refusal(&self, answer: &Answer, operation: &str, subject: &str) -> Error {
        let code = match answer.status {
            401 => Code::Unauthorized,
            403 => Code::Forbidden,
            404 => Code::NotFound,
            429 => Code::RateLimited,
            408 | 425 | 500..=599 => Code::Unavailable,
            100..=399 | 600.. => Code::Malformed,
            _ => Code::Other,
        };
        let mut said = verdict::said(&answer.body);
        if matches!(answer.status, 401 | 403) {
            said.push_str(" (a bundle knows no password)");
        }
        self.error(code, operation, subject, &format!("status {}: {}", answer.status, said.trim()))
    }

    fn absent(&self, operation: &str, subject: &str) -> Error {
        self.error(Code::NotFound, operation, subject, "status 404: it is not there")
    }

    fn error(&self, code: Code, operation: &str, subject: &str, detail: &str) -> Error {
        Error::new(code, operation, subject, &format!("{}: {detail}", http::authority(&self.base)))
    }
}

const SHOWN: usize = 1 << 10;

fn user_agent() -> (&'static str, String) {
    ("user-agent", concat!("portolan/", env!("CARGO_PKG_VERSION")).to_owned())
}

/// Referrers, each once.
#[derive(Default)]
struct Found {
    seen: BTreeSet<Digest>,
    entries: Vec<Box<RawValue>>,
    bytes: u64,
}

impl Found {
    fn add(&mut self, answer: &Answer, artifact_type: Option<&str>) -> Result<(), String> {
        #[derive(Deserialize)]
        struct Listed<'a> {
            #[serde(borrow)]
            manifests: Vec<&'a RawValue>,
        }
        let said = media_type::essence(answer.header("content-type"));
        let said = if said.is_empty() || said == "application/json" { media_type::OCI_INDEX } else { &said };
        if !media_type::is_index(said) {
            return Err("it sent no index".into());
        }
        document::check(said, &answer.body, limits::INDEX_ENTRIES).map_err(|error| error.to_string())?;
        let listed: Listed<'_> = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        self.bytes += answer.body.len() as u64;
        for entry in listed.manifests {
            let descriptor: Descriptor =
                serde_json::from_str(entry.get()).map_err(|error| format!("an entry: {error}"))?;
            // A registry may ignore the filter, and the tag never knew it.
            let wanted = artifact_type.is_none_or(|wanted| descriptor.artifact_type.as_deref() == Some(wanted));
            if wanted && self.seen.insert(descriptor.digest) {
                self.entries.push(entry.to_owned());
            }
        }
        Ok(())
    }
}

//! One repository of a registry as a [`Source`]: which path is asked for what, and what a 404 means.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use portolan_oci::registry::range;
use portolan_oci::{Descriptor, Digest, Kind, Reference, document, media_type};
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE};

use super::Shared;
use super::body;
use super::cache::{Cache, Identity, Remembered};
use super::client::{Answer, Ask, Take, offline};
use super::content;
use super::credentials::Credential;
use super::endpoint::Endpoint;
use super::failed::Failed;
use super::hosts::Need;
use super::list;
use super::notices::duration;
use super::push::{PUSH, Push};
use super::queue::Line;
use super::retry::{Again, Cause, Tries};
use super::root::Root;
use super::route::{NoRoute, Route, Tried};
use crate::error::{Code, Error, Result};
use crate::limits::Limits;
use crate::source::sink::Sink;
use crate::source::verify;
use crate::source::{ByteStream, Source, TagPage, Target};

/// What a manifest may be, for `Accept`.
pub(super) const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.docker.distribution.manifest.v2+json";
const ANYTHING: &str = "*/*";

/// A repository of a registry.
#[derive(Clone)]
pub(super) struct Repository {
    pub(super) shared: Arc<Shared>,
    reference: Reference,
    /// Where it is, which files say that are read for the first question. Why it cannot be asked is told by each.
    route: OnceLock<Result<Route, NoRoute>>,
    /// Hosts that said that they keep no lists of referrers for it.
    without_referrers: Arc<Mutex<HashSet<String>>>,
}

/// The two places where a registry keeps content by digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Area {
    Manifests,
    Blobs,
}

impl Area {
    /// Where content of this kind is, and where it is if it is not there.
    fn order(kind: Kind) -> [Area; 2] {
        match kind {
            Kind::Index | Kind::Manifest => [Area::Manifests, Area::Blobs],
            _ => [Area::Blobs, Area::Manifests],
        }
    }

    fn path(self, reference: &str) -> String {
        match self {
            Area::Manifests => format!("manifests/{reference}"),
            Area::Blobs => format!("blobs/{reference}"),
        }
    }

    fn accept(self) -> &'static str {
        match self {
            Area::Manifests => MANIFESTS,
            Area::Blobs => ANYTHING,
        }
    }
}

impl Repository {
    pub(super) fn new(shared: Arc<Shared>, reference: &Reference) -> Repository {
        let reference = Reference { tag: None, digest: None, ..reference.clone() };
        Repository { shared, reference, route: OnceLock::new(), without_referrers: Arc::default() }
    }

    /// The hosts that have it.
    pub(super) fn route(&self, operation: &'static str) -> Result<&Route> {
        let route = self.route.get_or_init(|| Route::of(&self.reference, &self.shared.directory));
        route.as_ref().map_err(|none| none.error(operation, &self.reference.repository()))
    }

    /// The host that is written to.
    pub(super) fn endpoint(&self, operation: &'static str) -> Result<&Endpoint> {
        self.route(operation)?.target().ok_or_else(|| {
            let detail = "the configuration of registries has no host that may be pushed to";
            Error::new(Code::Unsupported, operation, self.reference.repository(), detail)
                .with_hint("`portolan explain registry HOST` shows what is read, and from where")
        })
    }

    pub(super) fn tried(&self) -> Tried<'_> {
        Tried::new(&self.shared.resting)
    }

    pub(super) async fn ask(&self, endpoint: &Endpoint, ask: &Ask<'_>) -> Result<Answer> {
        self.shared.client.exchange(endpoint, ask).await
    }

    /// Whether a host said that it keeps no lists of referrers.
    pub(super) fn lists_no_referrers(&self, endpoint: &Endpoint) -> bool {
        self.without_referrers.lock().unwrap_or_else(PoisonError::into_inner).contains(&endpoint.host())
    }

    /// It said so.
    pub(super) fn list_no_referrers(&self, endpoint: &Endpoint) {
        self.without_referrers.lock().unwrap_or_else(PoisonError::into_inner).insert(endpoint.host());
    }

    /// The root at one host, in the first of these areas that has it; `None` if it is not there.
    async fn root_at(
        &self,
        endpoint: &Endpoint,
        root: &Root<'_>,
        areas: &[Area],
        limits: &Limits,
    ) -> Result<Option<Descriptor>> {
        for &area in areas {
            if let Some(found) = self.root_in(endpoint, root, area, limits).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The root at the first host that has it.
    async fn root(&self, root: &Root<'_>, areas: &[Area], need: Need, limits: &Limits) -> Result<Descriptor> {
        let mut tried = self.tried();
        for (_, endpoint) in self.route("resolve")?.hosts(need) {
            if tried.skips(endpoint) {
                continue;
            }
            match self.root_at(endpoint, root, areas, limits).await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => tried.add(endpoint, absent(endpoint, "resolve", root.subject.clone())),
                Err(error) => tried.add(endpoint, error),
            }
        }
        Err(tried.error(|| self.nobody("resolve", &root.subject, need)))
    }

    /// The root in one area; `None` if it is not there.
    async fn root_in(
        &self,
        endpoint: &Endpoint,
        root: &Root<'_>,
        area: Area,
        limits: &Limits,
    ) -> Result<Option<Descriptor>> {
        let ask = |take| Ask {
            accept: Some(area.accept()),
            take,
            ..Ask::of("resolve", &root.subject, endpoint.url(&area.path(root.text)))
        };
        let answer = self.ask(endpoint, &ask(Take::Head)).await?;
        match answer.status {
            404 => return Ok(None),
            // Some registries take no HEAD, some say why they refuse only in the body that a GET has.
            403 | 405 => {}
            _ if !answer.is_done() => return Err(answer.refusal(endpoint, "resolve", &root.subject)),
            _ => {
                if let Some(descriptor) = root.of_head(&answer, area)? {
                    self.remember(root, &descriptor, &answer).await;
                    return Ok(Some(descriptor));
                }
            }
        }
        let limit = if area == Area::Manifests { limits.document } else { limits.attestation };
        let answer = self.ask(endpoint, &ask(Take::All { limit, expect: None })).await?;
        match answer.status {
            404 => Ok(None),
            _ if !answer.is_done() => Err(answer.refusal(endpoint, "resolve", &root.subject)),
            _ => {
                let descriptor = root.of_body(&answer, area, limits)?;
                self.keep(&descriptor.digest, &answer.body, &answer).await;
                self.remember(root, &descriptor, &answer).await;
                Ok(Some(descriptor))
            }
        }
    }

    /// The document from the network.
    async fn download(&self, descriptor: &Descriptor, limit: u64, limits: &Limits) -> Result<Bytes> {
        let mut tried = self.tried();
        for (_, endpoint) in self.route("fetch")?.hosts(Need::Pull) {
            if tried.skips(endpoint) {
                continue;
            }
            match self.download_from(endpoint, descriptor, limit, limits).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => tried.add(endpoint, error),
            }
        }
        Err(tried.error(|| self.nobody("fetch", &self.subject(&descriptor.digest), Need::Pull)))
    }

    async fn download_from(
        &self,
        endpoint: &Endpoint,
        descriptor: &Descriptor,
        limit: u64,
        limits: &Limits,
    ) -> Result<Bytes> {
        let subject = self.subject(&descriptor.digest);
        for area in Area::order(descriptor.kind()) {
            let ask = Ask {
                accept: Some(area.accept()),
                take: Take::All { limit, expect: Some(descriptor) },
                ..Ask::of("fetch", &subject, endpoint.url(&area.path(descriptor.digest.as_str())))
            };
            let answer = self.ask(endpoint, &ask).await?;
            match answer.status {
                404 => continue,
                _ if !answer.is_done() => return Err(answer.refusal(endpoint, "fetch", &subject)),
                _ => {}
            }
            // The header is the registry's own word on the document, and may not contradict its shape either.
            let said = media_type::essence(answer.header(CONTENT_TYPE.as_str()).unwrap_or_default());
            if area == Area::Manifests {
                document::check(&said, &answer.body, limits.index_entries)
                    .map_err(|malformed| answer.malformed("fetch", &subject, malformed.to_string()))?;
            }
            self.keep(&descriptor.digest, &answer.body, &answer).await;
            return Ok(answer.body);
        }
        Err(absent(endpoint, "fetch", subject))
    }

    /// The document from the disk, if whoever we are got it from this repository before.
    async fn cached(&self, descriptor: &Descriptor) -> Option<Bytes> {
        self.kept(&descriptor.digest, Some(descriptor.size)).await
    }

    async fn kept(&self, digest: &Digest, size: Option<u64>) -> Option<Bytes> {
        let cache = self.shared.cache.as_ref()?;
        let entry = cache.look(digest)?;
        let repository = self.reference.repository();
        let mut seen = entry.allows(&repository, &Identity::anybody());
        if !seen && entry.is_private(&repository) {
            seen = self.identities(cache).await.iter().any(|identity| entry.allows(&repository, identity));
        }
        if !seen {
            return None;
        }
        let (digest, size) = (digest.clone(), size.or_else(|| entry.size())?);
        tokio::task::spawn_blocking(move || entry.read(&digest, size)).await.ok().flatten()
    }

    /// Who we are to the hosts that have it.
    async fn identities(&self, cache: &Cache) -> Vec<Identity> {
        let mut identities = Vec::new();
        let Ok(route) = self.route("fetch") else { return identities };
        for (_, endpoint) in route.hosts(Need::Pull) {
            let credential = self.shared.client.auth.credential(endpoint).await.ok().flatten();
            identities.extend(credential.and_then(|credential| cache.identity(&credential)));
        }
        identities
    }

    /// What a root was when it was last seen, and how long ago that is.
    async fn recalled(&self, root: &Root<'_>, limits: &Limits) -> Result<Descriptor> {
        let unseen = || offline("resolve", &root.subject);
        let cache = self.shared.cache.as_ref().ok_or_else(unseen)?;
        if let Some(digest) = root.digest {
            let bytes = self.kept(digest, None).await.ok_or_else(unseen)?;
            let size = bytes.len() as u64;
            let media_type = document::media_type_of(&bytes, false)
                .map_err(|malformed| Error::new(Code::Malformed, "resolve", &*root.subject, malformed.to_string()))?;
            let descriptor = Descriptor::new(media_type, digest.clone(), size);
            return verify::admit(&self.reference.repository(), &descriptor, limits).map(|()| descriptor);
        }
        let known = cache.recall(&root.subject);
        let mut known: Vec<_> = match known.iter().any(|known| !known.is_for(&Identity::anybody())) {
            false => known,
            true => {
                let ours = self.identities(cache).await;
                let is_ours = |known: &Remembered| ours.iter().chain([&Identity::anybody()]).any(|it| known.is_for(it));
                known.into_iter().filter(is_ours).collect()
            }
        };
        known.sort_by_key(|known| known.at);
        let Remembered { descriptor, at, .. } = known.pop().ok_or_else(unseen)?;
        let age = at.elapsed().unwrap_or_default().as_secs();
        tracing::warn!("offline: {} was {} {} ago", root.subject, descriptor.digest, duration(age));
        Ok(descriptor)
    }

    /// Keeps what a tag means, for whoever got this answer.
    async fn remember(&self, root: &Root<'_>, descriptor: &Descriptor, answer: &Answer) {
        let Some(cache) = self.shared.cache.clone().filter(|_| root.digest.is_none()) else { return };
        let (subject, descriptor, credential) = (root.subject.clone(), descriptor.clone(), answer.credential.clone());
        let write = move || {
            if let Some(identity) = identity(&cache, credential.as_deref()) {
                cache.remember(&subject, &descriptor, &identity);
            }
        };
        // As with documents: nobody asked for it to be kept.
        let _ = tokio::task::spawn_blocking(write).await;
    }

    /// Keeps a document that was verified, for whoever got this answer.
    pub(super) async fn keep(&self, digest: &Digest, bytes: &Bytes, answer: &Answer) {
        let Some(cache) = self.shared.cache.clone() else { return };
        let (digest, bytes, credential) = (digest.clone(), bytes.clone(), answer.credential.clone());
        let repository = self.reference.repository();
        let write = move || {
            if let Some(identity) = identity(&cache, credential.as_deref()) {
                cache.keep(&digest, &bytes, &repository, &identity);
            }
        };
        // A cache that cannot be written is not what anybody asked about.
        let _ = tokio::task::spawn_blocking(write).await;
    }

    /// A part of a blob from one host, asked for again where it breaks off. `length` is not 0.
    async fn read_at(&self, endpoint: &Endpoint, descriptor: &Descriptor, offset: u64, length: u64) -> Result<Bytes> {
        let mut tries = Tries::new(&self.shared.timing);
        loop {
            match self.part(endpoint, descriptor, offset, length).await {
                Ok(part) => return Ok(part),
                Err(Failed { again: Some(again), error }) => {
                    // Where there is another host, asking that one is the next try.
                    if endpoint.spare || !tries.wait(again).await {
                        return Err(error);
                    }
                }
                Err(failed) => return Err(failed.error),
            }
        }
    }

    /// One try.
    async fn part(
        &self,
        endpoint: &Endpoint,
        descriptor: &Descriptor,
        offset: u64,
        length: u64,
    ) -> Result<Bytes, Failed> {
        let subject = self.subject(&descriptor.digest);
        let asked = (offset, offset + (length - 1));
        let mut answer = self.blob(endpoint, "read", descriptor, Some(asked), Line::Blobs).await?;
        let skip = match answer.status {
            206 => {
                let said = answer.header(CONTENT_RANGE.as_str()).unwrap_or_default();
                range::check(said, asked, descriptor.size)
                    .map_err(|detail| answer.malformed("read", &subject, detail))?;
                0
            }
            // It does not know ranges: what comes before is read and dropped.
            _ => offset,
        };
        let Some((response, place)) = answer.stream.take() else { return Ok(Bytes::new()) };
        let part = body::part(response, skip, length, self.shared.timing.idle).await;
        drop(place);
        let host = endpoint.host();
        let part = part.map_err(|fault| Failed::reading(fault, "read", &subject, &host))?;
        if part.len() as u64 != length {
            let detail = format!("{} bytes came, and {length} were asked for", part.len());
            let error = Error::new(Code::Unavailable, "read", subject, detail).with_host(host).retryable();
            return Err(Failed { error, again: Some(Again { cause: Cause::Broken, asked: None }) });
        }
        // Whoever asks for all of it can have it verified.
        if length == descriptor.size && !descriptor.digest.matches(&part) {
            return Err(Error::new(Code::DigestMismatch, "read", subject, "the bytes are others")
                .with_host(host)
                .into());
        }
        Ok(part)
    }

    /// A blob as a response that nobody has read yet, in whichever area of a host it is.
    pub(super) async fn blob(
        &self,
        endpoint: &Endpoint,
        operation: &'static str,
        descriptor: &Descriptor,
        range: Option<(u64, u64)>,
        line: Line,
    ) -> Result<Answer> {
        let subject = self.subject(&descriptor.digest);
        for area in Area::order(descriptor.kind()) {
            let ask = Ask {
                accept: Some(area.accept()),
                range,
                take: Take::Stream,
                line,
                ..Ask::of(operation, &subject, endpoint.url(&area.path(descriptor.digest.as_str())))
            };
            let answer = self.ask(endpoint, &ask).await?;
            match answer.status {
                404 => continue,
                _ if !answer.is_done() => return Err(answer.refusal(endpoint, operation, &subject)),
                _ => return Ok(answer),
            }
        }
        Err(absent(endpoint, operation, subject))
    }

    pub(super) fn subject(&self, digest: &Digest) -> String {
        verify::content(&self.reference.repository(), digest)
    }

    /// The error where the configuration leaves nobody to ask.
    pub(super) fn nobody(&self, operation: &'static str, subject: &str, need: Need) -> Error {
        let detail = format!("the configuration of registries has no host with the capability {}", need.as_str());
        Error::new(Code::Unsupported, operation, subject, detail)
            .with_hint("`portolan explain registry HOST` shows what is read, and from where")
    }

    /// A digest becomes a path only if it is one that we can verify.
    pub(super) fn computable(&self, operation: &'static str, digest: &Digest) -> Result<()> {
        if Digest::parse(digest.as_str()).is_ok() {
            return Ok(());
        }
        Err(verify::unknown_algorithm(operation, self.subject(digest)))
    }
}

#[async_trait]
impl Source for Repository {
    fn repository(&self) -> String {
        self.reference.repository()
    }

    async fn resolve(&self, target: Target<'_>, limits: &Limits) -> Result<Descriptor> {
        let repository = self.reference.repository();
        let root = match target {
            Target::Tag(tag) if portolan_oci::reference::is_tag(tag) => {
                Root { subject: format!("{repository}:{tag}"), text: tag, digest: None }
            }
            Target::Tag(tag) => {
                return Err(Error::new(Code::InvalidReference, "resolve", repository, format!("{tag:?} is no tag")));
            }
            Target::Digest(digest) => {
                self.computable("resolve", digest)?;
                Root { subject: self.subject(digest), text: digest.as_str(), digest: Some(digest) }
            }
        };
        if self.shared.client.is_offline() {
            return self.recalled(&root, limits).await;
        }
        // What a digest names, everybody may say: it is verified. What a tag means, only who is trusted with that.
        let (need, areas): (_, &[Area]) = match root.digest {
            Some(_) => (Need::Pull, &[Area::Manifests, Area::Blobs]),
            None => (Need::Resolve, &[Area::Manifests]),
        };
        let work = self.root(&root, areas, need, limits);
        self.shared.resolving.join((root.subject.clone(), limits.document), work).await
    }

    async fn locate(&self, digest: &Digest, limits: &Limits) -> Result<Descriptor> {
        self.computable("resolve", digest)?;
        let root = Root { subject: self.subject(digest), text: digest.as_str(), digest: Some(digest) };
        if self.shared.client.is_offline() {
            return self.recalled(&root, limits).await;
        }
        self.root(&root, &[Area::Blobs, Area::Manifests], Need::Pull, limits).await
    }

    async fn fetch(&self, descriptor: &Descriptor, limits: &Limits) -> Result<Bytes> {
        self.computable("fetch", &descriptor.digest)?;
        let repository = self.reference.repository();
        verify::admit(&repository, descriptor, limits)?;
        let limit = verify::limit(&descriptor.media_type, limits);
        let work = async {
            let bytes = match verify::embedded(descriptor) {
                Some(bytes) => bytes,
                None => match self.cached(descriptor).await {
                    Some(bytes) => bytes,
                    None => self.download(descriptor, limit, limits).await?,
                },
            };
            verify::shape(&repository, descriptor, &bytes, limits)?;
            Ok(bytes)
        };
        let key = (self.subject(&descriptor.digest), descriptor.media_type.clone(), descriptor.size, limit);
        self.shared.fetching.join(key, work).await
    }

    async fn read(&self, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Bytes> {
        self.computable("read", &descriptor.digest)?;
        let subject = self.subject(&descriptor.digest);
        let length = u64::from(length).min(descriptor.size.saturating_sub(offset));
        if length == 0 {
            return Ok(Bytes::new());
        }
        let most = self.shared.client.limits.attestation;
        if length > most {
            let detail = format!("{length} bytes at a time are more than {most}");
            return Err(Error::new(Code::TooLarge, "read", subject, detail));
        }
        let mut tried = self.tried();
        for (_, endpoint) in self.route("read")?.hosts(Need::Pull) {
            if tried.skips(endpoint) {
                continue;
            }
            match self.read_at(endpoint, descriptor, offset, length).await {
                Ok(part) => return Ok(part),
                Err(error) => tried.add(endpoint, error),
            }
        }
        Err(tried.error(|| self.nobody("read", &subject, Need::Pull)))
    }

    async fn open(&self, descriptor: &Descriptor) -> Result<ByteStream> {
        self.open_at(descriptor, 0).await
    }

    async fn open_at(&self, descriptor: &Descriptor, at: u64) -> Result<ByteStream> {
        self.computable("open", &descriptor.digest)?;
        let mut tried = self.tried();
        for (_, endpoint) in self.route("open")?.hosts(Need::Pull) {
            if tried.skips(endpoint) {
                continue;
            }
            match content::open(self, endpoint, descriptor, at).await {
                Ok(stream) => return Ok(stream),
                Err(error) => tried.add(endpoint, error),
            }
        }
        Err(tried.error(|| self.nobody("open", &self.subject(&descriptor.digest), Need::Pull)))
    }

    async fn tags(&self, next: Option<&str>) -> Result<TagPage> {
        list::tags(self, next).await
    }

    async fn referrers(&self, digest: &Digest, artifact_type: Option<&str>, limits: &Limits) -> Result<Bytes> {
        self.computable(list::REFERRERS, digest)?;
        list::referrers(self, digest, artifact_type, limits).await
    }

    fn sink(&self) -> Result<Box<dyn Sink>> {
        let endpoint = self.endpoint(PUSH)?.clone();
        Ok(Box::new(Push::new(self.clone(), endpoint)))
    }
}

/// Who somebody with these credentials is.
pub(super) fn identity(cache: &Cache, credential: Option<&Credential>) -> Option<Identity> {
    match credential {
        None => Some(Identity::anybody()),
        Some(credential) => cache.identity(credential),
    }
}

/// The error of what a host does not have.
fn absent(endpoint: &Endpoint, operation: &'static str, subject: String) -> Error {
    Error::new(Code::NotFound, operation, subject, "it is not there").with_host(endpoint.host()).with_status(404)
}

//! Writing to a repository: what is asked before anything is sent, and in which order.
//!
//! ```text
//! known     blobs that need no question         push/known
//! mount     a blob that the registry has already
//! upload    the conversation that sends a blob  push/upload, push/chunks
//! note      where one goes on that was cut      push/unfinished
//! document  manifests, and the name they get    push/document
//! referrers the list of what speaks of a digest push/referrers
//! ```
//!
//! Every request goes through the same pipeline as a question (`client`). Not here: which blobs and documents there are,
//! and that children come before their parents. Whoever copies knows that.

mod chunks;
mod document;
mod known;
mod referrers;
mod unfinished;
mod upload;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use portolan_oci::{Descriptor, Digest, Reference};
use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, LOCATION};

pub(super) use self::known::Known;
use self::unfinished::Note;
use self::upload::{Session, Upload};
use super::admission;
use super::auth::Access;
use super::client::{Answer, Ask, Client, DOCKER_CONTENT_DIGEST, Start, Write};
use super::endpoint::Endpoint;
use super::payload::Payload;
use super::queue::Line;
use super::repository::{Repository, identity};
use super::retry::Tries;
use crate::error::{Code, Result};
use crate::source::sink::{Content, Document, Pushed, Sink};

/// What errors say was tried.
pub(super) const PUSH: &str = "push";

/// What to try where an upload leads from https to http.
const UNTOLD: &str = "a registry behind a proxy has to know that it is reached by https: let the proxy send \
                      X-Forwarded-Proto, or set the registry's own address (docker-registry: http.host)";

/// One piece of writing to a repository.
pub(super) struct Push {
    repository: Repository,
    endpoint: Endpoint,
    /// Nobody else writes with what this is let in with.
    access: Access,
    /// Uploads that the registry began where it did not mount: whoever puts the blob goes on with them.
    begun: Mutex<HashMap<Digest, Session>>,
}

impl Push {
    pub(super) fn new(repository: Repository, endpoint: Endpoint) -> Push {
        let access = Access::write(&endpoint.path);
        Push { repository, endpoint, access, begun: Mutex::default() }
    }

    fn client(&self) -> &Client {
        &self.repository.shared.client
    }

    fn known(&self) -> &Known {
        &self.repository.shared.known
    }

    /// A question of this writing's.
    fn question<'a>(&'a self, subject: &'a str, start: impl Into<Start>, line: Line) -> Ask<'a> {
        Ask { line, access: Some(&self.access), ..Ask::of(PUSH, subject, start) }
    }

    fn refusal(&self, answer: &Answer, subject: &str) -> crate::Error {
        answer.refusal(&self.endpoint, PUSH, subject)
    }

    /// Asks the registry for a blob. What another server says, to which the registry sent us, is no reason to give up: then
    /// the blob is sent.
    async fn is_there(&self, descriptor: &Descriptor, line: Line) -> Result<bool> {
        let subject = self.repository.subject(&descriptor.digest);
        let url = self.endpoint.url(&format!("blobs/{}", descriptor.digest));
        let answer = self.repository.ask(&self.endpoint, &self.question(&subject, url, line)).await?;
        match answer.status {
            404 | 405 => Ok(false),
            _ if answer.is_done() => {
                let size = answer.header(CONTENT_LENGTH.as_str()).and_then(|text| text.parse::<u64>().ok());
                Ok(size.is_none_or(|size| size == descriptor.size))
            }
            _ if !answer.at.hop.own => Ok(false),
            _ => Err(self.refusal(&answer, &subject)),
        }
    }

    /// Where an upload goes on. Whoever was sent to another server is not sent back from there with our credentials.
    fn location(&self, answer: &Answer, subject: &str) -> Result<Start> {
        let Start { hop, reach } = &answer.at;
        let location = answer.header(LOCATION.as_str());
        let next = admission::upload(&self.endpoint.sender(*reach), &hop.url, location).map_err(|refused| {
            let error = answer.malformed(PUSH, subject, refused.detail).with_rule(refused.rule);
            // Most of those that do it have a proxy for their TLS, and were not told.
            if refused.rule == admission::DOWNGRADE { error.with_hint(UNTOLD) } else { error }
        })?;
        Ok(Start { hop: if hop.own { next } else { next.disowned() }, reach: *reach })
    }

    /// The digest that a registry says it stored has to be the one that was sent. One of another algorithm is its own
    /// business.
    fn same_digest(&self, answer: &Answer, digest: &Digest, subject: &str) -> Result<()> {
        let Some(said) = answer.header(DOCKER_CONTENT_DIGEST.as_str()).map(str::trim) else { return Ok(()) };
        match Digest::parse(said) {
            Ok(said) if said == *digest || said.algorithm() != digest.algorithm() => Ok(()),
            Ok(said) => Err(answer.malformed(PUSH, subject, format!("it says that it stored {said}"))),
            Err(_) => Err(answer.malformed(PUSH, subject, "what it says that it stored is no digest")),
        }
    }

    /// The note of a blob's upload, where there is a folder to keep it in and nobody else is at it.
    async fn note(&self, subject: &str) -> Option<Note> {
        let cache = self.repository.shared.cache.clone()?;
        let credential = self.client().auth.credential(&self.endpoint).await.ok()?;
        let subject = subject.to_owned();
        let opened = move || {
            let identity = identity(&cache, credential.as_deref())?;
            Note::at(cache.upload(&subject, &identity)?)
        };
        tokio::task::spawn_blocking(opened).await.ok().flatten()
    }

    fn begun(&self) -> MutexGuard<'_, HashMap<Digest, Session>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One try to mount. A registry that asks for patience is given it: a mount is worth it.
    async fn try_mount(&self, ask: &Ask<'_>) -> Option<Answer> {
        let mut tries = Tries::new(&self.repository.shared.timing);
        loop {
            let failed = match self.client().once(&self.endpoint, ask).await {
                Ok(answer) => return Some(answer),
                Err(failed) => failed,
            };
            let again = failed.again.filter(|_| failed.error.code() == Code::RateLimited)?;
            if !tries.wait(again).await {
                return None;
            }
        }
    }
}

#[async_trait]
impl Sink for Push {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool> {
        self.repository.computable(PUSH, &descriptor.digest)?;
        let repository = &self.endpoint.repository;
        let there =
            self.known().has(repository, &descriptor.digest) || self.is_there(descriptor, Line::Documents).await?;
        if there {
            self.known().add(repository, &descriptor.digest);
        }
        Ok(there)
    }

    async fn mount(&self, descriptor: &Descriptor, from: &str) -> Result<bool> {
        self.repository.computable(PUSH, &descriptor.digest)?;
        let from = Reference::parse(from).ok().and_then(|from| self.endpoint.path_of(&from));
        let Some(from) = from.filter(|from| *from != self.endpoint.path) else { return Ok(false) };
        if self.known().has(&self.endpoint.repository, &descriptor.digest) {
            return Ok(true);
        }
        let subject = self.repository.subject(&descriptor.digest);
        let mut url = self.endpoint.url("blobs/uploads/");
        url.query_pairs_mut().append_pair("mount", descriptor.digest.as_str()).append_pair("from", &from);
        let access = self.access.and_pull(&from);
        let ask = Ask { access: Some(&access), write: Some(post()), ..self.question(&subject, url, Line::Documents) };
        // Whatever is in the way of a mount: sending the blob is the other way, and says what is wrong if it is wrong.
        let Some(answer) = self.try_mount(&ask).await else { return Ok(false) };
        match answer.status {
            201 => {
                self.same_digest(&answer, &descriptor.digest, &subject)?;
                self.known().add(&self.endpoint.repository, &descriptor.digest);
                Ok(true)
            }
            202 => {
                let session = Session::begun(self, &answer, &subject)?;
                let unused = self.begun().insert(descriptor.digest.clone(), session);
                if let Some(unused) = unused {
                    self.cancel(unused, &subject, Line::Documents).await;
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    async fn put_blob(&self, descriptor: &Descriptor, content: &dyn Content) -> Result<()> {
        self.repository.computable(PUSH, &descriptor.digest)?;
        let repository = &self.endpoint.repository;
        if self.known().has(repository, &descriptor.digest) {
            return Ok(());
        }
        let begun = self.begun().remove(&descriptor.digest);
        Upload::new(self, descriptor, content).put(begun).await?;
        self.known().add(repository, &descriptor.digest);
        Ok(())
    }

    async fn put_document(&self, document: &Document) -> Result<Pushed> {
        document::put(self, document).await
    }

    async fn commit(&self) -> Result<()> {
        let unused: Vec<_> = self.begun().drain().collect();
        for (digest, session) in unused {
            self.cancel(session, &self.repository.subject(&digest), Line::Documents).await;
        }
        Ok(())
    }
}

impl Push {
    /// Takes an upload back, so that the registry need not keep what arrived. Nothing depends on it.
    async fn cancel(&self, session: Session, subject: &str, line: Line) {
        let delete =
            Write { method: Method::DELETE, headers: HeaderMap::new(), payload: Payload::Bytes(Default::default()) };
        let ask = Ask { write: Some(delete), ..self.question(subject, session.start().clone(), line) };
        let asked = self.client().once(&self.endpoint, &ask);
        let done = tokio::time::timeout(self.repository.shared.timing.connect, asked).await;
        tracing::debug!(subject, done = matches!(done, Ok(Ok(_))), "an upload is taken back");
    }
}

impl Drop for Push {
    fn drop(&mut self) {
        self.client().auth.ended(&self.access);
    }
}

/// The beginning of an upload.
fn post<'a>() -> Write<'a> {
    Write { method: Method::POST, headers: HeaderMap::new(), payload: Payload::Bytes(Default::default()) }
}

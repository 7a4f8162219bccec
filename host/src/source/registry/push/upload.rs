//! The conversation that sends a blob (distribution-spec, "Pushing a blob monolithically").
//!
//! One PUT with all of it; a registry, or a proxy in front of it, that does not take that gets chunks (`chunks`). What went
//! wrong half-way starts over, five times at most. Nothing of a blob is visible before the registry has compared all of
//! it with its digest, and a blob that is not what its descriptor says is never ended. Who stops in the middle of a large
//! one leaves a note (`unfinished`), and the next one asks the registry what arrived; what nobody goes on with, the
//! registry clears away.

use std::time::Duration;

use bytes::Bytes;
use portolan_oci::Descriptor;
use portolan_oci::registry::address::Reach;
use reqwest::Method;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::unfinished::Note;
use super::{PUSH, Push, post};
use crate::error::{Error, Result};
use crate::source::registry::admission;
use crate::source::registry::client::{Answer, Ask, Start, Write};
use crate::source::registry::failed::Failed;
use crate::source::registry::payload::Payload;
use crate::source::registry::queue::Line;
use crate::source::registry::retry::{Again, Cause, Tries};
use crate::source::sink::Content;

/// What is sent in one PATCH where the registry does not say how much; blobs that are no larger are sent whole, again and
/// again. Each upload holds one chunk.
pub(super) const CHUNK: usize = 8 << 20;

const OCI_CHUNK_MIN_LENGTH: HeaderName = HeaderName::from_static("oci-chunk-min-length");

/// An upload that the registry waits for.
pub(super) struct Session {
    start: Start,
    /// For whoever goes on with it if we do not.
    note: Option<Note>,
    /// The least that a chunk may have, but for the last one.
    pub least: u64,
    /// How much has arrived; `None` where the registry has to be asked.
    pub arrived: Option<u64>,
}

impl Session {
    /// The upload that this answer begins.
    pub(super) fn begun(push: &Push, answer: &Answer, subject: &str) -> Result<Session> {
        Ok(Session { start: push.location(answer, subject)?, note: None, least: least(answer), arrived: Some(0) })
    }

    /// Where it goes on.
    pub(super) fn start(&self) -> &Start {
        &self.start
    }

    /// It goes on elsewhere.
    pub(super) fn goes_on(&mut self, start: Start) {
        self.start = start;
        self.write_down();
    }

    /// From now on it is written down where it goes on.
    fn noted(&mut self, note: Option<Note>) {
        self.note = note;
        self.write_down();
    }

    fn write_down(&mut self) {
        let Some(note) = &mut self.note else { return };
        match self.start.hop.own {
            true => note.write(&self.start.hop.url),
            // What another server lets us do is for us alone, now.
            false => note.clear(),
        }
    }

    /// There is nothing to go on with: the note, for the next upload.
    fn ended(&mut self) -> Option<Note> {
        let mut note = self.note.take()?;
        note.clear();
        Some(note)
    }
}

/// What becomes of a session whose upload failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The registry does not know it any more.
    Gone,
    /// The registry need not keep it.
    Cancelled,
    /// The next try goes on with it.
    Kept,
}

/// A try that failed.
pub(super) struct Stopped {
    pub failed: Failed,
    pub fate: Fate,
}

impl Stopped {
    pub(super) fn new(fate: Fate, failed: impl Into<Failed>) -> Stopped {
        Stopped { failed: failed.into(), fate }
    }

    /// Another try follows at once, while there are any.
    pub(super) fn anew(fate: Fate, error: Error) -> Stopped {
        Stopped { failed: at_once(error), fate }
    }
}

/// A failure that waiting does not help against, but doing it otherwise may.
pub(super) fn at_once(error: Error) -> Failed {
    Failed { error, again: Some(Again { cause: Cause::Broken, asked: Some(Duration::ZERO) }) }
}

/// A blob on its way.
pub(super) struct Upload<'a> {
    pub push: &'a Push,
    pub descriptor: &'a Descriptor,
    pub content: &'a dyn Content,
    pub subject: String,
}

impl<'a> Upload<'a> {
    pub(super) fn new(push: &'a Push, descriptor: &'a Descriptor, content: &'a dyn Content) -> Upload<'a> {
        Upload { push, descriptor, content, subject: push.repository.subject(&descriptor.digest) }
    }

    /// Sends it, by the upload that was cut, or that a mount began, if there is one.
    pub(super) async fn put(&self, begun: Option<Session>) -> Result<()> {
        // One place for all of it: who holds the content open must not wait for those who wait to open theirs.
        let _place = self.push.client().seat(&self.push.endpoint, Line::upload(self.descriptor.size)).await;
        let is_large = self.descriptor.size > CHUNK as u64;
        let mut note = if is_large { self.push.note(&self.subject).await } else { None };
        let cut = self.cut(&mut note).await?;
        let mut in_chunks = cut.is_some();
        let mut session = match (cut, begun) {
            (Some(cut), Some(begun)) => {
                self.push.cancel(begun, &self.subject, Line::Seated).await;
                Some(cut)
            }
            (cut, begun) => cut.or(begun),
        };
        let mut tries = Tries::new(&self.push.repository.shared.timing);
        loop {
            let mut current = match session.take() {
                Some(session) => session,
                None => self.begin().await?,
            };
            if let Some(note) = note.take() {
                current.noted(Some(note));
            }
            let resumed = current.arrived.is_none();
            let sent = match in_chunks {
                true => self.chunks(&mut current).await,
                false => self.whole(&mut current, &mut in_chunks).await,
            };
            let Err(Stopped { failed, fate }) = sent else {
                current.ended();
                return Ok(());
            };
            let going_on = match failed.again {
                // That a registry does not know where an upload stood is no try: the one that stopped there was.
                Some(_) if resumed && fate != Fate::Kept => true,
                Some(again) => tries.wait(again).await,
                None => false,
            };
            match fate {
                Fate::Kept if going_on => session = Some(current),
                // For the next program.
                Fate::Kept if current.note.is_some() => {}
                _ => {
                    note = current.ended();
                    if fate != Fate::Gone {
                        self.push.cancel(current, &self.subject, Line::Seated).await;
                    }
                }
            }
            if !going_on {
                return Err(failed.error);
            }
        }
    }

    /// The upload that another program began, if something of it has arrived. Whatever is wrong with it, a new one is begun;
    /// but what a line that is down has to say of it is nothing, and then it is still there for another time.
    async fn cut(&self, note: &mut Option<Note>) -> Result<Option<Session>> {
        let Some(kept) = note.as_mut().and_then(Note::read) else { return Ok(None) };
        let found = self.found(&kept).await?;
        tracing::debug!(subject = self.subject, arrived = ?found.as_ref().map(|it| it.arrived), "an upload that was cut");
        if let (None, Some(note)) = (&found, note.as_mut()) {
            note.clear();
        }
        Ok(found)
    }

    /// What the registry says of the upload at this URL.
    async fn found(&self, kept: &Url) -> Result<Option<Session>> {
        let (endpoint, reach) = (&self.push.endpoint, Reach::Public);
        let hop = admission::upload(&endpoint.sender(reach), endpoint.base(), Some(kept.as_str()));
        let Some(hop) = hop.ok().filter(|hop| hop.own) else { return Ok(None) };
        let mut session = Session { start: Start { hop, reach }, note: None, least: 0, arrived: None };
        let answer = match self.push.repository.ask(endpoint, &self.status(&session)).await {
            Ok(answer) => answer,
            Err(error) if error.is_retryable() && matches!(error.status(), None | Some(429 | 502..=504)) => {
                return Err(error);
            }
            Err(_) => return Ok(None),
        };
        session.arrived = self.told(&mut session, &answer).ok();
        Ok(session.arrived.is_some_and(|arrived| arrived <= self.descriptor.size).then_some(session))
    }

    async fn begin(&self) -> Result<Session> {
        let url = self.push.endpoint.url("blobs/uploads/");
        let ask = Ask { write: Some(post()), ..self.push.question(&self.subject, url, Line::Seated) };
        let answer = self.push.repository.ask(&self.push.endpoint, &ask).await?;
        match answer.status {
            404 | 405 => Err(self.refusal(&answer).with_hint(
                "this registry takes no pushes, or none for this name; some want the repository to be created first",
            )),
            202 => Session::begun(self.push, &answer, &self.subject),
            _ if answer.is_done() => Err(answer.malformed(PUSH, &self.subject, "an upload begins with a 202")),
            _ => Err(self.refusal(&answer)),
        }
    }

    /// One PUT. Where that is not taken, the next try goes `in_chunks`.
    async fn whole(&self, session: &mut Session, in_chunks: &mut bool) -> Result<(), Stopped> {
        let size = self.descriptor.size;
        let payload = Payload::Blob { content: self.content, size, subject: &self.subject };
        let answer = match self.send(self.ending(session, payload)).await {
            Ok(answer) => answer,
            // What arrived of a large blob may still be there.
            Err(failed) if is_broken(&failed) && size > CHUNK as u64 => {
                *in_chunks = true;
                session.arrived = None;
                return Err(Stopped::new(Fate::Kept, failed));
            }
            Err(failed) => return Err(Stopped::new(Fate::Cancelled, failed)),
        };
        match answer.status {
            200 | 201 | 204 => self.ended(&answer),
            404 => Err(Stopped::anew(Fate::Gone, self.refusal(&answer))),
            // nginx refuses large bodies with 413, some registries bodies without a PATCH before with 400 or 416.
            400 | 413 | 416 if size > 0 => {
                *in_chunks = true;
                Err(Stopped::anew(Fate::Cancelled, self.refusal(&answer)))
            }
            _ => Err(Stopped::new(Fate::Cancelled, self.unending(&answer))),
        }
    }

    /// The request that ends the upload.
    pub(super) fn ending<'b>(&'b self, session: &Session, payload: Payload<'b>) -> Ask<'b> {
        let mut start = session.start().clone();
        // The Location's own query is the registry's state, and stays as it is.
        start.hop.url.query_pairs_mut().append_pair("digest", self.descriptor.digest.as_str());
        let write = Write { method: Method::PUT, headers: octets(), payload };
        Ask { write: Some(write), ..self.push.question(&self.subject, start, Line::Seated) }
    }

    /// The request that adds a chunk.
    pub(super) fn adding(&self, session: &Session, at: u64, chunk: Bytes) -> Ask<'_> {
        let mut headers = octets();
        let range = format!("{at}-{}", (at + chunk.len() as u64).saturating_sub(1));
        headers.extend(HeaderValue::try_from(range).ok().map(|range| (CONTENT_RANGE, range)));
        let write = Write { method: Method::PATCH, headers, payload: Payload::Bytes(chunk) };
        Ask { write: Some(write), ..self.push.question(&self.subject, session.start().clone(), Line::Seated) }
    }

    /// One try.
    pub(super) async fn send(&self, ask: Ask<'_>) -> Result<Answer, Failed> {
        self.push.client().once(&self.push.endpoint, &ask).await
    }

    /// The registry says that it has it.
    pub(super) fn ended(&self, answer: &Answer) -> Result<(), Stopped> {
        let same = self.push.same_digest(answer, &self.descriptor.digest, &self.subject);
        same.map_err(|error| Stopped::new(Fate::Gone, error))
    }

    /// The error of an answer that does not end an upload.
    pub(super) fn unending(&self, answer: &Answer) -> Error {
        match answer.is_done() {
            true => answer.malformed(PUSH, &self.subject, "an upload ends with a 201"),
            false => self.refusal(answer),
        }
    }

    pub(super) fn refusal(&self, answer: &Answer) -> Error {
        self.push.refusal(answer, &self.subject)
    }
}

/// How small a chunk may be.
pub(super) fn least(answer: &Answer) -> u64 {
    answer.header(OCI_CHUNK_MIN_LENGTH.as_str()).and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

pub(super) fn is_broken(failed: &Failed) -> bool {
    failed.again.is_some_and(|again| again.cause == Cause::Broken)
}

fn octets() -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))])
}

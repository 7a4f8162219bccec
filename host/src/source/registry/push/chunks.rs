//! A blob in pieces (distribution-spec, "Pushing a blob in chunks"): for registries that do not take it whole, and to go on
//! where a connection broke.
//!
//! One chunk is held at a time, so that it can be sent again; what came before it is the registry's.

use bytes::{Buf, Bytes, BytesMut};
use futures_util::TryStreamExt;
use portolan_oci::registry::range;
use reqwest::header::{LOCATION, RANGE};

use super::PUSH;
use super::upload::{CHUNK, Fate, Session, Stopped, Upload, at_once, is_broken, least};
use crate::error::{Code, Error};
use crate::source::ByteStream;
use crate::source::registry::client::{Answer, Ask, DOCKER_CONTENT_DIGEST, Take, of_content};
use crate::source::registry::failed::Failed;
use crate::source::registry::payload::{Payload, other_size};
use crate::source::registry::queue::Line;
use crate::source::registry::retry::Tries;

/// The largest chunk that a registry may ask for: each of four uploads holds one.
const CHUNK_MOST: u64 = 64 << 20;
/// Where chunks are too large, they are made smaller down to this.
const CHUNK_LEAST: usize = 256 << 10;

/// What became of a chunk.
enum Chunk {
    /// So much of the blob has arrived.
    Arrived(u64),
    /// All of the blob has, and is stored.
    Stored,
    /// A smaller one might.
    TooLarge(Error),
    /// The registry has to be asked what arrived.
    Unsure(Failed),
}

impl Upload<'_> {
    /// Sends what has not arrived yet, and ends the upload.
    pub(super) async fn chunks(&self, session: &mut Session) -> Result<(), Stopped> {
        let size = self.descriptor.size;
        let timing = &self.push.repository.shared.timing;
        let mut resumed = session.arrived != Some(0);
        let mut at = match session.arrived {
            Some(arrived) => arrived,
            None => self.arrived(session).await?,
        };
        // Who goes on another time has to ask.
        session.arrived = None;
        let mut content = Reader::open(self, at).await.map_err(of_source)?;
        let (mut chunk, mut most, mut tries) = (Bytes::new(), CHUNK, Tries::new(timing));
        while at < size {
            most = most.max(self.least(session)?);
            if chunk.is_empty() {
                chunk = content.take(most).await.map_err(of_source)?;
            }
            let sent = chunk.slice(..chunk.len().min(most));
            let end = at + sent.len() as u64;
            let sent = match self.chunk(session, at, sent).await {
                // Where it went on may not have been where it stopped.
                Err(Stopped { failed, fate: Fate::Cancelled }) if resumed && failed.again.is_none() => {
                    return Err(Stopped::anew(Fate::Cancelled, failed.error));
                }
                sent => sent?,
            };
            let failed = match sent {
                Chunk::Stored => return Ok(()),
                Chunk::Arrived(arrived) if arrived == end => {
                    chunk.advance(usize::try_from(end - at).unwrap_or(usize::MAX));
                    (at, tries) = (end, Tries::new(timing));
                    continue;
                }
                Chunk::TooLarge(_) if most / 2 >= CHUNK_LEAST && (most / 2) as u64 >= session.least => {
                    most /= 2;
                    continue;
                }
                Chunk::TooLarge(error) => return Err(Stopped::new(Fate::Cancelled, error)),
                Chunk::Arrived(arrived) => {
                    let detail = format!("it says that {arrived} bytes arrived, where {end} were sent");
                    let error = Error::new(Code::Malformed, PUSH, self.subject.as_str(), detail);
                    at_once(error.with_host(self.push.endpoint.host()))
                }
                Chunk::Unsure(failed) => failed,
            };
            let going_on = match failed.again {
                Some(again) => tries.wait(again).await,
                None => false,
            };
            if !going_on {
                // Of what only the network is to blame for, there is something to go on with.
                let fate = if is_broken(&failed) { Fate::Kept } else { Fate::Cancelled };
                return Err(Stopped::new(fate, failed.error));
            }
            let arrived = match self.arrived(session).await {
                Ok(arrived) => arrived,
                // What went wrong first is what there is to tell.
                Err(Stopped { failed: Failed { again, .. }, fate }) => {
                    return Err(Stopped::new(fate, Failed { error: failed.error, again }));
                }
            };
            // What is not held any more can only be sent with all the rest.
            if !(at..=at + chunk.len() as u64).contains(&arrived) {
                return Err(Stopped::anew(Fate::Cancelled, failed.error));
            }
            chunk.advance(usize::try_from(arrived - at).unwrap_or(usize::MAX));
            (at, resumed) = (arrived, true);
        }
        content.end().await.map_err(of_source)?;
        self.end(session, resumed).await
    }

    async fn chunk(&self, session: &mut Session, at: u64, chunk: Bytes) -> Result<Chunk, Stopped> {
        let end = at + chunk.len() as u64;
        let answer = match self.send(self.adding(session, at, chunk)).await {
            Ok(answer) => answer,
            Err(failed) if failed.again.is_some() => return Ok(Chunk::Unsure(failed)),
            Err(failed) => return Err(cancelled(failed)),
        };
        match answer.status {
            404 => Err(Stopped::anew(Fate::Gone, self.refusal(&answer))),
            413 => Ok(Chunk::TooLarge(self.refusal(&answer))),
            416 => Ok(Chunk::Unsure(at_once(self.refusal(&answer)))),
            _ if !answer.is_done() => Err(Stopped::new(Fate::Cancelled, self.refusal(&answer))),
            // Some registries take the last chunk for the end.
            201 if end == self.descriptor.size && self.is_stored(&answer) => Ok(Chunk::Stored),
            _ => {
                self.follow(session, &answer)?;
                Ok(match answer.header(RANGE.as_str()).map(range::arrived) {
                    None => Chunk::Arrived(end),
                    Some(Some(arrived)) => Chunk::Arrived(arrived),
                    Some(None) => {
                        let detail = "what it says that arrived is no range";
                        Chunk::Unsure(at_once(answer.malformed(PUSH, &self.subject, detail)))
                    }
                })
            }
        }
    }

    fn is_stored(&self, answer: &Answer) -> bool {
        answer.header(DOCKER_CONTENT_DIGEST.as_str()) == Some(self.descriptor.digest.as_str())
    }

    /// The rest of an upload goes where the last answer said. An early 201 may say where the blob will be instead.
    fn follow(&self, session: &mut Session, answer: &Answer) -> Result<(), Stopped> {
        session.least = session.least.max(least(answer));
        if answer.status != 202 && answer.header(LOCATION.as_str()).is_none() {
            return Ok(());
        }
        let next = self.push.location(answer, &self.subject).map_err(|error| Stopped::new(Fate::Cancelled, error))?;
        if answer.status == 202 || !next.hop.url.path().ends_with(self.descriptor.digest.as_str()) {
            session.goes_on(next);
        }
        Ok(())
    }

    /// The question how much has arrived.
    pub(super) fn status<'b>(&'b self, session: &Session) -> Ask<'b> {
        let take = Take::All { limit: self.push.client().limits.control_body, expect: None };
        Ask { take, ..self.push.question(&self.subject, session.start().clone(), Line::Seated) }
    }

    /// Asks how much has arrived. Without an answer that can be trusted, the upload starts over.
    async fn arrived(&self, session: &mut Session) -> Result<u64, Stopped> {
        let asked = self.push.repository.ask(&self.push.endpoint, &self.status(session)).await;
        let answer = asked.map_err(|error| {
            let fate = if error.is_retryable() { Fate::Kept } else { Fate::Cancelled };
            Stopped::new(fate, error)
        })?;
        self.told(session, &answer)
    }

    /// How much has arrived, as the registry says.
    pub(super) fn told(&self, session: &mut Session, answer: &Answer) -> Result<u64, Stopped> {
        if !matches!(answer.status, 200 | 202 | 204) {
            return Err(Stopped::anew(Fate::Gone, self.refusal(answer)));
        }
        if answer.header(LOCATION.as_str()).is_some() {
            self.follow(session, answer)?;
        }
        match answer.header(RANGE.as_str()).and_then(range::arrived) {
            // `0-0` is what they say of one byte, and of none.
            Some(arrived) if arrived > 1 => Ok(arrived),
            _ => {
                let detail = "it does not say how much of the upload arrived";
                Err(Stopped::anew(Fate::Cancelled, answer.malformed(PUSH, &self.subject, detail)))
            }
        }
    }

    /// Ends the upload. An answer that got lost may have been the one that says that the blob is stored.
    async fn end(&self, session: &Session, resumed: bool) -> Result<(), Stopped> {
        let mut tries = Tries::new(&self.push.repository.shared.timing);
        loop {
            let failed = match self.send(self.ending(session, Payload::End)).await {
                Ok(answer) => match answer.status {
                    200 | 201 | 204 => return self.ended(&answer),
                    404 if self.is_there().await? => return Ok(()),
                    404 => return Err(Stopped::anew(Fate::Gone, self.refusal(&answer))),
                    // Where it went on may not have been where it stopped.
                    400 | 416 if resumed => return Err(Stopped::anew(Fate::Cancelled, self.refusal(&answer))),
                    _ => return Err(Stopped::new(Fate::Cancelled, self.unending(&answer))),
                },
                Err(failed) => failed,
            };
            let going_on = match failed.again {
                Some(again) => tries.wait(again).await,
                None => false,
            };
            if !going_on {
                return Err(Stopped::new(Fate::Cancelled, failed.error));
            }
        }
    }

    async fn is_there(&self) -> Result<bool, Stopped> {
        let asked = self.push.is_there(self.descriptor, Line::Seated).await;
        asked.map_err(|error| Stopped::new(Fate::Gone, error))
    }

    fn least(&self, session: &Session) -> Result<usize, Stopped> {
        if session.least <= CHUNK_MOST {
            return Ok(usize::try_from(session.least).unwrap_or(usize::MAX));
        }
        let detail = format!("it wants chunks of {} bytes or more, and {CHUNK_MOST} are the most", session.least);
        let error = Error::new(Code::Unsupported, PUSH, self.subject.as_str(), detail);
        Err(Stopped::new(Fate::Cancelled, error.with_host(self.push.endpoint.host())))
    }
}

/// A source that broke off may go on, and so may the upload.
fn of_source(failed: Failed) -> Stopped {
    let fate = if failed.again.is_some() { Fate::Kept } else { Fate::Cancelled };
    Stopped::new(fate, failed)
}

fn cancelled(failed: Failed) -> Stopped {
    Stopped::new(Fate::Cancelled, failed)
}

/// Content, a chunk at a time.
struct Reader<'a> {
    upload: &'a Upload<'a>,
    pieces: ByteStream,
    rest: Bytes,
    read: u64,
}

impl<'a> Reader<'a> {
    /// From `at` on.
    async fn open(upload: &'a Upload<'a>, at: u64) -> Result<Reader<'a>, Failed> {
        let pieces = upload.content.open().await.map_err(of_content)?;
        let mut reader = Reader { upload, pieces, rest: Bytes::new(), read: 0 };
        while reader.read < at {
            reader.more().await?;
            let left = usize::try_from(at - reader.read).unwrap_or(usize::MAX);
            let skipped = reader.rest.len().min(left);
            reader.rest.advance(skipped);
            reader.read += skipped as u64;
        }
        Ok(reader)
    }

    /// The next `most` bytes, or as many as there are still to come.
    async fn take(&mut self, most: usize) -> Result<Bytes, Failed> {
        let left = usize::try_from(self.upload.descriptor.size - self.read).unwrap_or(usize::MAX);
        let wanted = most.min(left);
        let mut chunk = BytesMut::new();
        while chunk.len() < wanted {
            self.more().await?;
            chunk.extend_from_slice(&self.rest.split_to(self.rest.len().min(wanted - chunk.len())));
        }
        self.read += chunk.len() as u64;
        Ok(chunk.freeze())
    }

    /// There is no more: the verdict on all of it.
    async fn end(mut self) -> Result<(), Failed> {
        loop {
            if !self.rest.is_empty() {
                return Err(of_content(self.other_size(0)));
            }
            match self.pieces.try_next().await.map_err(of_content)? {
                Some(piece) => self.rest = piece,
                None => return Ok(()),
            }
        }
    }

    /// Makes sure that there is a rest.
    async fn more(&mut self) -> Result<(), Failed> {
        while self.rest.is_empty() {
            match self.pieces.try_next().await.map_err(of_content)? {
                Some(piece) => self.rest = piece,
                None => return Err(of_content(self.other_size(self.upload.descriptor.size - self.read))),
            }
        }
        Ok(())
    }

    fn other_size(&self, left: u64) -> Error {
        other_size(&self.upload.subject, self.upload.descriptor.size, left)
    }
}

//! A blob on its way from a registry: resumed where its connection breaks, in parts side by side where it is large, and
//! verified as one.
//!
//! Many registries and the stores behind them give one connection a part of what they have. So where there are places at the
//! registry that nobody waits for, what is ahead in a large blob is asked for in parts, each of which keeps its place until
//! it is handed out, which bounds what lies in memory. What comes next is handed out as it comes; where there is no place
//! to spare, that is all the rest. A registry that knows no ranges answers the first question with all of it.
//!
//! Whatever the parts are, one verdict counts: that on all bytes, before the last piece is handed out.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use futures_util::stream;
use portolan_oci::Descriptor;
use portolan_oci::registry::range;
use reqwest::Response;
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderValue};
use tokio::task::JoinHandle;

use super::body::{self, Unread};
use super::client::{Answer, unread_error};
use super::endpoint::Endpoint;
use super::queue::{Line, Place};
use super::repository::Repository;
use super::retry::{self, Cause};
use super::transport::Fault;
use crate::error::{Code, Error, Result};
use crate::source::blob::done;
use crate::source::verify::Verifier;
use crate::source::{ByteStream, Source as _};

/// A blob of so many parts is large.
const LARGE: u64 = 8;
/// Parts that are asked for side by side.
const ABREAST: usize = 4;
/// Bytes after which a connection that breaks has done its duty, and the next one may break as often. It bounds how often a
/// blob is asked for.
const PROGRESS: u64 = 64 << 10;

/// What all parts of one blob have in common.
struct Job {
    repository: Repository,
    endpoint: Endpoint,
    descriptor: Descriptor,
    subject: String,
    /// What the first answer called this state of the blob.
    etag: Option<HeaderValue>,
}

/// Asks for a blob from byte `at` on; what comes is read by who polls the stream. The verdict on all of it belongs to who
/// has all of it: where it does not begin at the beginning, there is none here.
pub(super) async fn open(
    repository: &Repository,
    endpoint: &Endpoint,
    descriptor: &Descriptor,
    at: u64,
) -> Result<ByteStream> {
    let (size, subject) = (descriptor.size, repository.subject(&descriptor.digest));
    let verifier = Verifier::new(&repository.repository(), descriptor)?;
    if at > 0 && at >= size {
        return Ok(Box::pin(stream::empty()));
    }
    let part = repository.shared.client.limits.part.max(1);
    let large = (size - at) / LARGE >= part && repository.shared.client.spare(endpoint, Line::Blobs).is_some();
    let first = match large {
        true => Some((at, at + part - 1)),
        false => (at > 0).then(|| (at, size - 1)),
    };
    let mut answer = repository.blob(endpoint, "open", descriptor, first, Line::blob(size)).await?;
    let in_parts = first.filter(|_| answer.status == 206);
    if let Some(range) = in_parts {
        ranged(&answer, range, size).map_err(|detail| answer.malformed("open", &subject, detail))?;
    }
    let Some((response, place)) = answer.stream.take() else {
        return Err(answer.malformed("open", &subject, "it has no body"));
    };
    let job = Arc::new(Job {
        repository: repository.clone(),
        endpoint: endpoint.clone(),
        descriptor: descriptor.clone(),
        subject,
        etag: answer.headers.get(ETAG).cloned(),
    });
    let (begin, end) = in_parts.map_or((0, size), |(first, last)| (first, last + 1));
    let mut stretch = Stretch::new(Arc::clone(&job), Some(response), (begin, end));
    // It knows no ranges: all of it comes, of which the first bytes are known.
    (stretch.at, stretch.known) = (at, at - begin);
    let now = Now::Coming(Box::new(stretch));
    let verifier = (at == 0).then_some(verifier);
    let state = State { job, part, next: end, now, ahead: VecDeque::new(), verifier, held: None, _place: place };
    Ok(Box::pin(stream::try_unfold(Some(state), |state| async {
        match state {
            Some(state) => state.step().await,
            None => Ok(None),
        }
    })))
}

/// A blob that is being read.
struct State {
    job: Arc<Job>,
    part: u64,
    /// Where that begins what was not asked for yet.
    next: u64,
    now: Now,
    /// Parts after that, in their order.
    ahead: VecDeque<Task>,
    /// None where the first bytes are elsewhere.
    verifier: Option<Verifier>,
    /// The piece that waits for the one after it: only then it was not the last.
    held: Option<Bytes>,
    /// Of what is handed out. It is kept to the end: whoever has content open must not wait for those who wait to open
    /// theirs.
    _place: Place,
}

/// What is handed out.
enum Now {
    Coming(Box<Stretch>),
    Came(VecDeque<Bytes>),
}

impl State {
    async fn step(mut self) -> Result<Option<(Bytes, Option<State>)>> {
        loop {
            match self.next().await? {
                Some(piece) => {
                    if let Some(verifier) = &mut self.verifier {
                        verifier.update(&piece).map_err(|error| self.job.differs(error))?;
                    }
                    if let Some(piece) = self.held.replace(piece) {
                        return Ok(Some((piece, Some(self))));
                    }
                }
                None => {
                    let State { job, verifier, held, .. } = self;
                    verifier.map_or(Ok(()), Verifier::finish).map_err(|error| job.differs(error))?;
                    return Ok(held.map(|piece| (piece, None)));
                }
            }
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            self.look_ahead();
            let piece = match &mut self.now {
                Now::Coming(stretch) => stretch.next().await?,
                Now::Came(pieces) => pieces.pop_front(),
            };
            if piece.is_some() {
                return Ok(piece);
            }
            let size = self.job.descriptor.size;
            if let Some(mut task) = self.ahead.pop_front() {
                // What is handed out has the blob's own place, so this part's is free for another one while it comes.
                drop(task.place.take());
                self.look_ahead();
                self.now = Now::Came(task.finish().await?);
            } else if self.next < size {
                // Parts where others can be asked for beside it, else all there is.
                let (at, spare) = (self.next, self.spare().is_some());
                self.next = if spare { at.saturating_add(self.part).min(size) } else { size };
                self.now = Now::Coming(Box::new(Stretch::new(Arc::clone(&self.job), None, (at, self.next))));
            } else {
                return Ok(None);
            }
        }
    }

    /// Asks for parts as long as there are places to spare.
    fn look_ahead(&mut self) {
        let size = self.job.descriptor.size;
        while self.ahead.len() + 1 < ABREAST && self.next < size {
            let Some(place) = self.spare() else { return };
            let at = self.next;
            self.next = at.saturating_add(self.part).min(size);
            self.ahead.push_back(Task::start(Stretch::new(Arc::clone(&self.job), None, (at, self.next)), Some(place)));
        }
    }

    fn spare(&self) -> Place {
        self.job.repository.shared.client.spare(&self.job.endpoint, Line::Blobs)
    }
}

/// A part on its way; it is given up with this.
struct Task {
    reading: JoinHandle<Result<VecDeque<Bytes>>>,
    place: Place,
}

impl Task {
    fn start(mut stretch: Stretch, place: Place) -> Task {
        let reading = async move {
            let mut pieces = VecDeque::new();
            while let Some(piece) = stretch.next().await? {
                pieces.push_back(piece);
            }
            Ok(pieces)
        };
        Task { reading: tokio::spawn(reading), place }
    }

    async fn finish(mut self) -> Result<VecDeque<Bytes>> {
        done(&mut self.reading).await?
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Bytes one after the other, from wherever connections broke.
struct Stretch {
    job: Arc<Job>,
    response: Option<Response>,
    at: u64,
    /// After the last byte.
    end: u64,
    /// It is all of the blob, and may end wherever its sender likes: the verifier has a word for that.
    whole: bool,
    /// Bytes that come again.
    known: u64,
    /// Connections that broke since there was progress, and where that was.
    broken: u32,
    since: u64,
}

impl Stretch {
    fn new(job: Arc<Job>, response: Option<Response>, (at, end): (u64, u64)) -> Stretch {
        let whole = (at, end) == (0, job.descriptor.size);
        Stretch { job, response, at, end, whole, known: 0, broken: 0, since: at }
    }

    /// The next bytes; none after the last one. A response is read to its end, so that its connection can be used again.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let Some(response) = &mut self.response else {
                if self.at >= self.end {
                    return Ok(None);
                }
                self.resume().await?;
                continue;
            };
            match body::next(response, self.job.repository.shared.timing.idle).await {
                Ok(Some(mut piece)) => {
                    let known = piece.len().min(usize::try_from(self.known).unwrap_or(usize::MAX));
                    self.known -= known as u64;
                    piece.advance(known);
                    self.at = self.at.saturating_add(piece.len() as u64);
                    if self.at > self.end && !self.whole {
                        return Err(self.job.malformed("it sent more of a part than was asked for"));
                    }
                    return Ok(Some(piece));
                }
                Ok(None) if self.whole || self.at == self.end => return Ok(None),
                Ok(None) => return Err(self.job.malformed("it sent less of a part than it said")),
                // What there is to come has come.
                Err(_) if self.at == self.end => return Ok(None),
                Err(fault) => self.broke(fault).await?,
            }
        }
    }

    /// Waits before a connection that broke is made again, or gives up.
    async fn broke(&mut self, fault: Fault) -> Result<()> {
        self.response = None;
        let job = &self.job;
        let error = unread_error(Unread::Fault(fault), ("open", &job.subject), &job.endpoint.host(), None, 0);
        if job.endpoint.spare {
            // Another host has it, too: whoever opens it again gets it from there.
            return Err(job.rest(error));
        }
        if self.at - self.since >= PROGRESS {
            (self.broken, self.since) = (0, self.at);
        }
        self.broken += 1;
        let wait = retry::wait(Cause::Broken, self.broken, None, &job.repository.shared.timing).ok_or(error)?;
        tracing::debug!(subject = job.subject, at = self.at, ?wait, "a blob is resumed");
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Asks for what is still to come.
    async fn resume(&mut self) -> Result<()> {
        let Job { repository, endpoint, descriptor, subject, etag } = &*self.job;
        let range = (self.at, self.end - 1);
        let mut answer = repository.blob(endpoint, "open", descriptor, Some(range), Line::Seated).await?;
        if let (Some(old), Some(new)) = (etag, answer.headers.get(ETAG))
            && old != new
        {
            return Err(answer.malformed("open", subject, "it was changed while it was read").retryable());
        }
        self.known = match answer.status {
            206 => {
                ranged(&answer, range, descriptor.size).map_err(|detail| answer.malformed("open", subject, detail))?;
                0
            }
            // It knows no ranges: what we have already comes again.
            _ if self.whole => self.at,
            _ => {
                let detail = "it sent all of it where a part was asked for, as it had before";
                return Err(answer.malformed("open", subject, detail).retryable());
            }
        };
        let stream = answer.stream.take();
        self.response = stream.map(|(response, _)| response);
        match self.response {
            Some(_) => Ok(()),
            None => Err(answer.malformed("open", subject, "it has no body")),
        }
    }
}

impl Job {
    fn malformed(&self, detail: &str) -> Error {
        self.rest(Error::new(Code::Malformed, "open", &*self.subject, detail).with_host(self.endpoint.host()))
    }

    /// What a host sent is not what the digest says.
    fn differs(&self, error: Error) -> Error {
        self.rest(error.with_host(self.endpoint.host()))
    }

    /// A host that breaks or lies is left alone for a while, where there is another.
    fn rest(&self, error: Error) -> Error {
        if self.endpoint.spare {
            self.repository.shared.resting.add(&self.endpoint);
            return error.retryable();
        }
        error
    }
}

fn ranged(answer: &Answer, part: (u64, u64), size: u64) -> Result<(), String> {
    range::check(answer.header(CONTENT_RANGE.as_str()).unwrap_or_default(), part, size)
}

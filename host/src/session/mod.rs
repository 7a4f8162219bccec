//! One run: what it was granted, what it may still use up, what it has learned. The store's data; it dies with the run.
//!
//! A session carries a frontend's questions to sources and their answers back. It decides nothing about images: it parses
//! what a guest names, looks whether that was granted, checks the shape of what was passed, and counts.

pub(crate) mod answers;
pub mod budget;
mod called;
pub mod grants;
mod imports;
pub mod log;
pub mod tape;
pub(crate) mod taped;
#[cfg(test)]
mod tests;
mod writing;

use std::sync::Arc;

use portolan_oci::{Descriptor, Digest, Location, Scheme, media_type};

use crate::audit::{Audit, Record, Refused};
use crate::bindings::types;
use crate::error::{Code, Error, Result};
use crate::limits::Limits;
use crate::progress::Progress;
use crate::source::{ByteStream, Registries, Source};
use answers::{Answers, Question, What};
use budget::{Crossed, Memory, Meter};
use called::{Asked, Told, Watched};
use grants::Grants;
use log::Log;
use tape::Tape;

/// A reference or repository that a guest names is no longer than this; the longest are stores, whose names are paths.
const REFERENCE: usize = 16 << 10;

/// A store that the run was given under a name.
#[derive(Clone)]
pub(crate) struct Bound {
    pub(crate) name: String,
    /// The scheme to ask for it by; either where the source does not say.
    pub(crate) scheme: Option<Scheme>,
    pub(crate) source: Arc<dyn Source>,
}

/// What a run starts from.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) limits: Arc<Limits>,
    pub(crate) grants: Grants,
    pub(crate) stores: Vec<Bound>,
    pub(crate) registries: Option<Arc<dyn Registries>>,
    pub(crate) platform: Arc<str>,
    pub(crate) progress: Progress,
    pub(crate) audit: Audit,
    pub(crate) tape: Tape,
}

/// See the module.
pub(crate) struct Session {
    setup: Setup,
    pub(crate) meter: Arc<Meter>,
    pub(crate) memory: Memory,
    pub(crate) log: Log,
    pub(crate) wasi: crate::engine::wasi::World,
    /// Taken out of what the run starts from.
    pub(crate) tape: Tape,
    answers: Answers,
    host_calls: u64,
    /// Repositories and stores that were asked for and may be.
    places: Vec<(String, Place)>,
    /// The call under way, or what it asks for, where somebody is told of it.
    watched: Vec<Watched>,
    /// The last error that a guest was told: a hint of ours does not cross the boundary, so it is found again here.
    told: Option<(String, Error)>,
}

/// Where a guest may ask.
#[derive(Clone)]
struct Place {
    repository: Arc<str>,
    source: Arc<dyn Source>,
}

impl Session {
    pub(crate) fn new(mut setup: Setup) -> Self {
        let tape = std::mem::take(&mut setup.tape);
        Session {
            meter: Arc::new(Meter::new()),
            memory: Memory::new(&setup.limits),
            log: Log::default(),
            wasi: crate::engine::wasi::World::at(tape.moment()),
            tape,
            answers: Answers::new(Arc::clone(&setup.limits)),
            host_calls: 0,
            places: Vec::new(),
            watched: Vec::new(),
            told: None,
            setup,
        }
    }

    pub(crate) fn audit(&self) -> &Audit {
        &self.setup.audit
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.setup.limits
    }

    pub(crate) fn host_calls(&self) -> u64 {
        self.host_calls
    }

    pub(crate) fn documents(&self) -> u64 {
        self.answers.documents()
    }

    /// What we would have a person try, where `message` is an error of ours that the guest passed on.
    pub(crate) fn hint_for(&self, message: &str) -> Option<&str> {
        self.told.as_ref().filter(|(told, _)| told == message).and_then(|(_, error)| error.hint())
    }

    /// The content that a frontend answers with.
    pub(crate) async fn open(
        &mut self,
        repository: &str,
        descriptor: types::Descriptor,
    ) -> Result<Result<(Descriptor, ByteStream)>, Refused> {
        self.watch(Asked::content("content", repository, &descriptor));
        let opened = match self
            .place(repository, "read")
            .and_then(|place| Ok((checked(descriptor, "read", repository)?, place)))
        {
            Ok((descriptor, place)) => place.source.open(&descriptor).await.map(|stream| (descriptor, stream)),
            Err(error) => Err(error),
        };
        self.each(std::iter::repeat(opened.as_ref().map(|_| &())))?;
        Ok(opened)
    }

    /// Counts a call and what it carries; the clock of the guest stands until [`back`](Self::back).
    fn call(&mut self, asked: Asked<'_>, calls: usize, arguments: usize) -> wasmtime::Result<()> {
        self.watch(asked);
        self.count(calls, arguments)
    }

    /// From now on it is under way.
    fn watch(&mut self, asked: Asked<'_>) {
        self.watched = if self.setup.audit.is_on() { vec![asked.watched()] } else { Vec::new() };
    }

    fn count(&mut self, calls: usize, arguments: usize) -> wasmtime::Result<()> {
        self.meter.leave();
        self.host_calls = self.host_calls.saturating_add(calls as u64);
        if self.host_calls > self.setup.limits.host_calls {
            return Err(Crossed::host_calls(&self.setup.limits).into());
        }
        if arguments as u64 > self.setup.limits.call_arguments {
            return Err(Crossed::call_arguments(&self.setup.limits).into());
        }
        Ok(())
    }

    /// Counts a call that is answered on the spot.
    pub(crate) fn count_call(&mut self, arguments: usize) -> wasmtime::Result<()> {
        self.count(1, arguments)?;
        self.meter.enter();
        Ok(())
    }

    /// Hands control back to the guest, with the answer.
    fn back<T: Told>(&mut self, answer: T) -> wasmtime::Result<T> {
        self.each(std::iter::repeat(Ok(&answer)))?;
        self.meter.enter();
        Ok(answer)
    }

    /// The same for an answer that may be an error of ours.
    fn answer<T: Told>(&mut self, answer: Result<T>) -> wasmtime::Result<Result<T, types::Error>> {
        self.each(std::iter::repeat(answer.as_ref()))?;
        self.meter.enter();
        Ok(answer.map_err(|error| self.tell(error)))
    }

    /// What the call under way asks for is told one by one.
    fn parts(&mut self, parts: impl FnOnce(&Watched) -> Vec<Watched>) {
        let parts = self.watched.first().map(parts).unwrap_or_default();
        if !parts.is_empty() {
            self.watched = parts;
        }
    }

    /// Tells what became of it, of each what it was answered.
    fn each<'a, T: Told + 'a>(
        &mut self,
        answers: impl Iterator<Item = Result<&'a T, &'a Error>>,
    ) -> Result<(), Refused> {
        for (watched, answer) in self.watched.drain(..).zip(answers) {
            self.setup.audit.tell(|| Record::Called(watched.done(answer)))?;
        }
        Ok(())
    }

    /// Tells of a call that the end of the run came before.
    pub(crate) fn leave_off(&mut self) -> Result<(), Refused> {
        for watched in self.watched.drain(..) {
            self.setup.audit.tell(|| Record::Called(watched.unfinished()))?;
        }
        Ok(())
    }

    fn tell(&mut self, error: Error) -> types::Error {
        let told = types::Error {
            code: error.code().as_str().to_owned(),
            message: error.to_string(),
            retry_after: error.retry_after(),
        };
        self.told = Some((told.message.clone(), error));
        told
    }

    /// What `resolve` means by `reference`.
    fn root(&mut self, reference: &str) -> Result<(Question, Place)> {
        let location = location(reference, "resolve")?;
        let what = match &location {
            Location::Registry(reference) => match &reference.digest {
                Some(digest) => What::Root(digest.clone()),
                None => What::Tag(reference.tag_or_latest().to_owned()),
            },
            Location::Store(store) => match &store.digest {
                Some(digest) if store.rest.is_empty() => What::Root(digest.clone()),
                _ => {
                    let detail = "a store resolves digests only; fetch its `entries` and match the name";
                    return Err(Error::new(Code::Unsupported, "resolve", location.shown(), detail));
                }
            },
        };
        let place = self.find(location, "resolve")?;
        Ok((Question { repository: Arc::clone(&place.repository), what }, place))
    }

    /// A repository or store that a guest names, where it may read.
    fn place(&mut self, repository: &str, operation: &'static str) -> Result<Place> {
        if let Some((_, place)) = self.places.iter().find(|(asked, _)| asked == repository) {
            return Ok(place.clone());
        }
        let location = location(repository, operation)?;
        bare(&location, operation)?;
        let place = self.find(location, operation)?;
        // A run deals with few; one that does not pays for it by parsing again.
        if self.places.len() < 16 {
            self.places.push((repository.to_owned(), place.clone()));
        }
        Ok(place)
    }

    fn find(&self, location: Location, operation: &'static str) -> Result<Place> {
        let repository = location.repository();
        let reference = match location {
            Location::Store(store) => {
                let named = |bound: &&Bound| {
                    bound.name == store.name && bound.scheme.is_none_or(|scheme| scheme == store.scheme)
                };
                let Some(bound) = self.setup.stores.iter().find(named) else {
                    let detail = "no store of that name was given to this run";
                    return Err(Error::new(Code::Denied, operation, Location::Store(store).shown(), detail)
                        .with_hint("bind it with --store NAME=DIR, or name it as an argument of the frontend"));
                };
                return Ok(Place { repository: repository.into(), source: Arc::clone(&bound.source) });
            }
            Location::Registry(reference) => reference,
        };
        if reference.domain.is_empty() {
            return Err(Error::new(Code::InvalidReference, operation, repository, "it names no registry"));
        }
        if !self.setup.grants.allows_pull(&repository) {
            return Err(Error::new(
                Code::Denied,
                operation,
                repository.as_str(),
                "this run was not granted to read it",
            )
            .with_hint(format!("grant it with --allow pull={repository}")));
        }
        let Some(registries) = &self.setup.registries else {
            return Err(Error::new(Code::Unsupported, operation, repository, "this host was built without registries"));
        };
        Ok(Place { source: registries.repository(&reference), repository: repository.into() })
    }
}

/// A document to be asked for, from what a guest passed.
fn document(place: &Place, descriptor: types::Descriptor) -> Result<Question> {
    let descriptor = checked(descriptor, "fetch from", &place.repository)?;
    let Descriptor { media_type, digest, size, .. } = descriptor;
    Ok(Question { repository: Arc::clone(&place.repository), what: What::Document { media_type, digest, size } })
}

/// A guest's descriptor, before it becomes a path, a URL or a key.
pub(crate) fn checked(descriptor: types::Descriptor, operation: &'static str, repository: &str) -> Result<Descriptor> {
    let types::Descriptor { media_type, digest, size } = descriptor;
    let malformed = |what: String| Err(Error::new(Code::Malformed, operation, repository, what));
    if !media_type::valid(&media_type) {
        return malformed(format!("the media type {} is none", shown(&media_type)));
    }
    let digest = self::digest(&digest, operation, repository)?;
    if i64::try_from(size).is_err() {
        return malformed(format!("the descriptor's size {size} is more than 2^63-1"));
    }
    Ok(Descriptor::new(media_type, digest, size))
}

fn digest(text: &str, operation: &'static str, repository: &str) -> Result<Digest> {
    let digest = Digest::parse_any(text)
        .map_err(|_| Error::new(Code::Malformed, operation, repository, format!("{} is no digest", shown(text))))?;
    match digest.algorithm() {
        Some(_) => Ok(digest),
        None => {
            let detail =
                format!("nothing here can verify a digest of the algorithm {}", shown(digest.algorithm_name()));
            Err(Error::new(Code::Unsupported, operation, repository, detail))
        }
    }
}

fn location(text: &str, operation: &'static str) -> Result<Location> {
    let invalid = |why: String| Error::new(Code::InvalidReference, operation, shown(text), why);
    if text.len() > REFERENCE {
        return Err(invalid(format!("a reference has at most {REFERENCE} bytes")));
    }
    Location::parse(text).map_err(|error| invalid(error.to_string()))
}

/// A repository, with nothing in it named.
fn bare(location: &Location, operation: &'static str) -> Result<()> {
    let bare = match location {
        Location::Registry(reference) => reference.tag.is_none() && reference.digest.is_none(),
        Location::Store(store) => store.rest.is_empty() && store.digest.is_none(),
    };
    match bare {
        true => Ok(()),
        false => {
            let detail = "a repository is meant, without tag, digest or name";
            Err(Error::new(Code::InvalidReference, operation, location.shown(), detail))
        }
    }
}

/// What a guest passed, short enough for a message; whoever shows the message escapes it.
fn shown(text: &str) -> String {
    match crate::text::at_most(text, 128) {
        cut if cut.len() < text.len() => format!("{cut:?}…"),
        whole => format!("{whole:?}"),
    }
}

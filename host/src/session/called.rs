//! A call of a guest's as the audit tells it. Nothing is copied where nobody is told.

use std::sync::Arc;
use std::time::Instant;

use crate::audit::{Call, Verdict, cut};
use crate::bindings::{discovery, pusher, resolver, types};
use crate::error::{Error, Result};

/// A call that begins, as the guest made it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) function: &'static str,
    pub(super) place: &'a str,
    /// Where content comes from, if the call names another place for that.
    pub(super) from: Option<&'a str>,
    pub(super) part: Part<'a>,
}

/// What is asked for there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Part<'a> {
    pub(super) digest: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    /// What it brings, or has moved.
    pub(super) bytes: u64,
}

impl<'a> Part<'a> {
    pub(super) fn of(descriptor: &'a types::Descriptor) -> Self {
        Part { digest: Some(&descriptor.digest), ..Part::default() }
    }
}

impl<'a> Asked<'a> {
    pub(super) fn of(function: &'static str, place: &'a str) -> Self {
        Asked { function, place, from: None, part: Part::default() }
    }

    pub(super) fn content(function: &'static str, place: &'a str, descriptor: &'a types::Descriptor) -> Self {
        Asked { part: Part::of(descriptor), ..Asked::of(function, place) }
    }

    pub(super) fn watched(self) -> Watched {
        let Asked { function, place, from, part: Part { digest, name, bytes } } = self;
        let (place, from) = (cut(place).into(), from.map(|from| cut(from).into()));
        Watched { function, place, from, digest: digest.map(cut), name: name.map(cut), bytes, since: Instant::now() }
    }
}

/// A call under way, or one of the things that it asks for.
#[derive(Debug)]
pub(super) struct Watched {
    function: &'static str,
    place: Arc<str>,
    from: Option<Arc<str>>,
    digest: Option<String>,
    name: Option<String>,
    bytes: u64,
    since: Instant,
}

impl Watched {
    /// One of the things that this call asks for.
    pub(super) fn part(&self, Part { digest, name, bytes }: Part<'_>) -> Watched {
        let (place, from) = (Arc::clone(&self.place), self.from.clone());
        Watched { place, from, digest: digest.map(cut), name: name.map(cut), bytes, ..*self }
    }

    /// The same in another place.
    pub(super) fn at(self, place: &str) -> Watched {
        Watched { place: cut(place).into(), ..self }
    }

    /// What became of it.
    pub(super) fn done<T: Told>(self, answer: Result<&T, &Error>) -> Call {
        let digest = answer.ok().and_then(|answer| answer.digest().map(cut));
        let bytes = answer.map_or(0, |answer| answer.bytes() as u64);
        let verdict = answer.err().map_or(Verdict::Done, |error| Verdict::Refused(error.code()));
        let call = self.ended(verdict);
        Call { digest: call.digest.or(digest), bytes: call.bytes + bytes, ..call }
    }

    /// The run ended before it did.
    pub(super) fn unfinished(self) -> Call {
        self.ended(Verdict::Unfinished)
    }

    fn ended(self, verdict: Verdict) -> Call {
        let Watched { function, place, from, digest, name, bytes, since } = self;
        Call { function, place, from, name, digest, bytes, took: since.elapsed(), verdict }
    }
}

/// An answer of which there is something to tell.
pub(super) trait Told {
    /// The content that a guest was handed.
    fn bytes(&self) -> usize {
        0
    }

    /// What was found.
    fn digest(&self) -> Option<&str> {
        None
    }
}

impl Told for () {}
impl Told for String {}
impl Told for Vec<String> {}
impl Told for pusher::Pushed {}
impl<T> Told for Vec<Result<T, types::Error>> {}

impl Told for Vec<u8> {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl Told for resolver::Resolved {
    fn digest(&self) -> Option<&str> {
        Some(&self.descriptor.digest)
    }
}

impl Told for discovery::TagPage {
    fn bytes(&self) -> usize {
        self.tags.iter().map(String::len).sum()
    }
}

//! A call of a guest's as the audit tells it. Nothing is copied where nobody is told.

use std::time::Instant;

use crate::audit::{Call, cut};
use crate::bindings::{discovery, pusher, resolver, types};
use crate::error::{Error, Result};

/// A call that begins, as the guest made it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) function: &'static str,
    pub(super) place: &'a str,
    pub(super) digest: Option<&'a str>,
    /// Where content comes from, if the call names another place for that.
    pub(super) from: Option<&'a str>,
    /// What it brings, or has moved.
    pub(super) bytes: u64,
}

impl<'a> Asked<'a> {
    pub(super) fn of(function: &'static str, place: &'a str) -> Self {
        Asked { function, place, digest: None, from: None, bytes: 0 }
    }

    pub(super) fn content(function: &'static str, place: &'a str, descriptor: &'a types::Descriptor) -> Self {
        Asked { digest: Some(&descriptor.digest), ..Asked::of(function, place) }
    }

    pub(super) fn watched(self) -> Watched {
        let Asked { function, place, digest, from, bytes } = self;
        let (place, digest, from) = (cut(place), digest.map(cut), from.map(cut));
        Watched { function, place, digest, from, bytes, since: Instant::now() }
    }
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Watched {
    function: &'static str,
    place: String,
    digest: Option<String>,
    from: Option<String>,
    bytes: u64,
    since: Instant,
}

impl Watched {
    /// It is a part of `call`, and began with it.
    pub(super) fn within(self, call: &Watched) -> Watched {
        Watched { since: call.since, ..self }
    }

    /// What became of it.
    pub(super) fn done<T: Told>(self, answer: Result<&T, &Error>) -> Call {
        let Watched { function, place, digest, from, bytes, since } = self;
        Call {
            function,
            place,
            from,
            digest: digest.or_else(|| answer.ok().and_then(|answer| answer.digest().map(cut))),
            bytes: bytes + answer.map_or(0, |answer| answer.bytes() as u64),
            took: since.elapsed(),
            refused: answer.err().map(Error::code),
        }
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
impl<T> Told for Vec<Result<T, types::Error>> {}
impl Told for String {}
impl Told for Vec<String> {}
impl Told for pusher::Pushed {}

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

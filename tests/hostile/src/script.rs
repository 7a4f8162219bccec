//! A script: what two servers play, what a client is asked to do with the first of them, and what it must make of it.
//! Only values. Nothing here knows a client, and nothing plays.

use std::fmt;
use std::sync::Arc;

use portolan_oci::{Descriptor, Digest};

use crate::scene::Scene;

/// One thing that a client has to survive. Made by [`Script::new`], in the catalogue's chapters.
#[derive(Debug, Clone)]
pub struct Script {
    /// Which of the [points](crate::scripts::POINTS) it belongs to.
    pub point: u8,
    /// In kebab-case, unique, and the same in every version of the catalogue.
    pub name: String,
    /// What happens, in one sentence.
    pub what: String,
    /// What the registry plays.
    pub registry: Vec<Scene>,
    /// What the server plays that the registry may point to.
    pub elsewhere: Vec<Scene>,
    /// What the client is asked for, in the repository `app` of the registry.
    pub ask: Ask,
    /// What it must make of it.
    pub must: Must,
    /// How it must behave on the way.
    pub conduct: Conduct,
}

/// What a client is asked for. All of it is in the repository `app`.
#[derive(Debug, Clone)]
pub enum Ask {
    /// What a tag means: media type, digest and size.
    ResolveTag(&'static str),
    /// The same of a digest.
    ResolveDigest(Digest),
    /// A document or a blob, whole and in memory.
    Fetch(Descriptor),
    /// A blob, as a stream that is read to its end.
    Stream(Descriptor),
    /// A part of a blob.
    Part {
        /// The blob.
        of: Descriptor,
        /// Where it begins.
        offset: u64,
        /// How long it is.
        length: u32,
    },
    /// All tags, over all pages.
    Tags,
    /// What refers to a digest, with this artifact type if there is one.
    Referrers(Digest, Option<&'static str>),
    /// Store a blob of the type `application/x-anything`.
    PushBlob(Arc<[u8]>),
    /// Store a manifest of this media type, under a tag if there is one. Whatever it names counts as stored.
    PushManifest(&'static str, Arc<[u8]>, Option<&'static str>),
    /// Have a blob mounted that the repository `base` has; where that cannot be, store it.
    Mount(Arc<[u8]>),
}

impl Ask {
    /// The bytes that are to be stored.
    pub fn content(&self) -> Option<&Arc<[u8]>> {
        match self {
            Ask::PushBlob(bytes) | Ask::PushManifest(_, bytes, _) | Ask::Mount(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let described = |it: &Descriptor| format!("{} of {} bytes, {}", it.digest, it.size, it.media_type);
        match self {
            Ask::ResolveTag(tag) => write!(f, "resolve app:{tag}"),
            Ask::ResolveDigest(digest) => write!(f, "resolve app@{digest}"),
            Ask::Fetch(it) => write!(f, "fetch app@{}", described(it)),
            Ask::Stream(it) => write!(f, "stream app@{}", described(it)),
            Ask::Part { of, offset, length } => write!(f, "read {length} bytes from {offset} of app@{}", described(of)),
            Ask::Tags => f.write_str("list the tags of app"),
            Ask::Referrers(digest, None) => write!(f, "list the referrers of app@{digest}"),
            Ask::Referrers(digest, Some(of)) => write!(f, "list the referrers of app@{digest} of the type {of}"),
            Ask::PushBlob(bytes) => write!(f, "push a blob of {} bytes to app", bytes.len()),
            Ask::PushManifest(media_type, bytes, tag) => {
                let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
                write!(f, "push {} bytes of {media_type} to app{tag}", bytes.len())
            }
            Ask::Mount(bytes) => write!(f, "mount a blob of {} bytes from base in app, or push it", bytes.len()),
        }
    }
}

/// What a question comes to where it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Media type, digest and size of a root.
    Root(Box<Descriptor>),
    /// Exactly these bytes.
    Bytes(Arc<[u8]>),
    /// These tags, in this order.
    Tags(Vec<String>),
    /// The digests of referrers, in this order.
    Referrers(Vec<Digest>),
    /// The registry has it.
    Stored,
}

impl Answer {
    /// A root.
    pub fn root(descriptor: Descriptor) -> Answer {
        Answer::Root(Box::new(descriptor))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Root(root) => write!(f, "{} of {} bytes, {}", root.digest, root.size, root.media_type),
            Answer::Bytes(bytes) => write!(f, "{} bytes, {}", bytes.len(), Digest::sha256(bytes)),
            Answer::Tags(tags) => write!(f, "{} tags {:?}", tags.len(), tags.get(..3).unwrap_or(tags)),
            Answer::Referrers(referrers) => write!(f, "{} referrers", referrers.len()),
            Answer::Stored => f.write_str("it is stored"),
        }
    }
}

/// What kind of failure it is. A client has its own words for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It is not there.
    NotFound,
    /// The registry wants credentials, or other ones, or those that there are cannot be used.
    Unauthorized,
    /// The registry does not let us.
    Forbidden,
    /// The registry was asked too often.
    RateLimited,
    /// The bytes are not what digest or size say.
    Mismatch,
    /// More than anybody reads.
    TooLarge,
    /// The other side broke the specification, or a rule that protects the client.
    Malformed,
    /// The network, a time-out, or a registry in trouble. Another try may help.
    Unavailable,
    /// The client cannot do that.
    Unsupported,
    /// The registry says no, in none of the other ways.
    Refused,
}

/// A failure that is right.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Any of these.
    pub classes: Vec<Class>,
    /// The status that the error says.
    pub status: Option<u16>,
    /// Whether the error says that another try may help.
    pub again: Option<bool>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classes: Vec<String> = self.classes.iter().map(|class| format!("{class:?}")).collect();
        write!(f, "a failure: {}", classes.join(" or "))?;
        self.status.map_or(Ok(()), |status| write!(f, ", status {status}"))?;
        match self.again {
            Some(true) => f.write_str(", worth another try"),
            Some(false) => f.write_str(", final"),
            None => Ok(()),
        }
    }
}

/// What a client must make of a script.
#[derive(Debug, Clone)]
pub struct Must {
    /// The answer that is right, if one is.
    pub answer: Option<Answer>,
    /// The failure that is right, if one is.
    pub failure: Option<Failure>,
}

impl fmt::Display for Must {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.answer, &self.failure) {
            (Some(answer), Some(failure)) => write!(f, "{answer}; or {failure}"),
            (Some(answer), None) => answer.fmt(f),
            (None, Some(failure)) => failure.fmt(f),
            (None, None) => f.write_str("it does not say"),
        }
    }
}

/// What may come to the other server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    /// No request at all.
    Nothing,
    /// Requests without credentials, cookies and headers that are configured for the registry.
    Strangers,
    /// It is a token server, and may be shown the password.
    Credentials,
}

/// How a client must behave, whatever the outcome.
#[derive(Debug, Clone)]
pub struct Conduct {
    /// Requests at both servers together.
    pub requests: usize,
    /// What may come to the other server.
    pub elsewhere: Elsewhere,
    /// `METHOD PATH` of what must not come to the registry; a path that ends in `*` is a beginning.
    pub never: Vec<String>,
    /// Something hangs for ever: the client is to be told to wait for no more than a moment.
    pub hangs: bool,
}

impl fmt::Display for Conduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} requests; elsewhere ", self.requests)?;
        f.write_str(match self.elsewhere {
            Elsewhere::Nothing => "nothing is asked",
            Elsewhere::Strangers => "nothing is shown",
            Elsewhere::Credentials => "a token is asked for",
        })?;
        self.never.iter().try_for_each(|never| write!(f, "; never {never}"))
    }
}

impl Script {
    /// A script that plays nothing yet, and has to be told what a client must make of it. Nothing may come to the other
    /// server, and a hundred requests to the registry.
    pub fn new(point: u8, name: impl Into<String>, what: impl Into<String>, ask: Ask) -> Script {
        Script {
            point,
            name: name.into(),
            what: what.into(),
            registry: Vec::new(),
            elsewhere: Vec::new(),
            ask,
            must: Must { answer: None, failure: None },
            conduct: Conduct { requests: 100, elsewhere: Elsewhere::Nothing, never: Vec::new(), hangs: false },
        }
    }

    /// What the registry plays, after what it plays already.
    pub fn play(mut self, scenes: impl IntoIterator<Item = Scene>) -> Self {
        self.registry.extend(scenes);
        self
    }

    /// What the other server plays. It may be asked, and nothing be shown to it.
    pub fn elsewhere(mut self, scenes: impl IntoIterator<Item = Scene>) -> Self {
        self.elsewhere.extend(scenes);
        self.conduct.elsewhere = Elsewhere::Strangers;
        self
    }

    /// What the other server plays, which must not be asked for it.
    pub fn bait(mut self, scenes: impl IntoIterator<Item = Scene>) -> Self {
        self.elsewhere.extend(scenes);
        self
    }

    /// What the other server plays as the registry's token server.
    pub fn token_server(mut self, scenes: impl IntoIterator<Item = Scene>) -> Self {
        self.elsewhere.extend(scenes);
        self.conduct.elsewhere = Elsewhere::Credentials;
        self
    }

    /// The right answer.
    pub fn answers(mut self, answer: Answer) -> Self {
        self.must.answer = Some(answer);
        self
    }

    /// These bytes are the right answer.
    pub fn gives(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.answers(Answer::Bytes(bytes.into().into()))
    }

    /// A failure of one of these classes is right.
    pub fn fails(mut self, classes: &[Class]) -> Self {
        self.must.failure = Some(Failure { classes: classes.to_vec(), status: None, again: None });
        self
    }

    /// The failure says this status.
    pub fn status(mut self, status: u16) -> Self {
        self.must.failure.iter_mut().for_each(|failure| failure.status = Some(status));
        self
    }

    /// The failure says that another try may help.
    pub fn retryable(mut self) -> Self {
        self.must.failure.iter_mut().for_each(|failure| failure.again = Some(true));
        self
    }

    /// The failure does not say that another try may help.
    pub fn for_good(mut self) -> Self {
        self.must.failure.iter_mut().for_each(|failure| failure.again = Some(false));
        self
    }

    /// At most so many requests.
    pub fn requests(mut self, most: usize) -> Self {
        self.conduct.requests = most;
        self
    }

    /// `METHOD PATH` that must not come to the registry; a path that ends in `*` is a beginning.
    pub fn never(mut self, asked: impl Into<String>) -> Self {
        self.conduct.never.push(asked.into());
        self
    }

    /// Something in it hangs for ever.
    pub fn hangs(mut self) -> Self {
        self.conduct.hangs = true;
        self
    }
}

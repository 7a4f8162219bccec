//! What a frontend may ask, as traits: a frontend is written against them, gets the real host in a component and the
//! [mock](crate::mock) in a test.
//!
//! They are taken as generics, never as `dyn`: what a frontend does not call is not linked, and so does not show among
//! its component's imports.

use portolan_oci::{Descriptor, Mode, Platform};

use crate::failure::{Error, Failure};

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For who looks for a fault.
    Debug,
    /// Worth knowing.
    Info,
    /// Something was passed over.
    Warn,
    /// Something is wrong.
    Error,
}

/// What the host says of itself. All that a strategy may ask.
pub trait Machine {
    /// `os/arch[/variant]` of the machine that the result is for.
    fn platform_text(&self) -> String;

    /// What this host can do beyond the contract's first version, an open list.
    fn features(&self) -> Vec<String>;

    /// A line for the log.
    fn log(&self, level: Level, message: &str);

    /// The machine's platform, parsed.
    fn platform(&self) -> Platform {
        // A host that does not know its own platform is no reason to fail where one is written out in full.
        Platform::parse(&self.platform_text(), &Platform::default()).unwrap_or_default()
    }
}

/// A root that a name means now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Where it lives: `docker.io/library/alpine`, `oci-layout://STORE`.
    pub repository: String,
    /// An index or a manifest (of [`entries`](Host::entries): a store's index.json), with media type, digest and size.
    pub descriptor: Descriptor,
}

/// One page of a tag list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagPage {
    /// In the registry's order.
    pub tags: Vec<String>,
    /// What to ask the next page with; `None` on the last.
    pub next: Option<String>,
}

/// Names to descriptors, descriptors to documents. [`traverse`](crate::traverse) is how frontends mostly ask.
pub trait Host: Machine {
    /// The root of a tag or digest in a registry, or of a digest in a store (`oci-layout://STORE@DIGEST`).
    fn resolve(&self, reference: &str) -> Result<Resolved, Error>;

    /// The same for many, side by side; answers in the order asked.
    fn resolve_all(&self, references: &[String]) -> Vec<Result<Resolved, Error>>;

    /// A store's index.json, to be fetched like any document.
    fn entries(&self, repository: &str) -> Result<Resolved, Error>;

    /// A document's bytes, verified by the host.
    fn fetch(&self, repository: &str, descriptor: &Descriptor) -> Result<Vec<u8>, Error>;

    /// A hint: the host starts on these side by side, and answers [`fetch`](Host::fetch) from what arrives.
    fn prefetch(&self, repository: &str, descriptors: &[Descriptor]);

    /// At most `length` bytes of a blob from `offset`; short only at its end.
    fn read_blob(&self, repository: &str, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Vec<u8>, Error>;

    /// A page of a registry's tags; `next` is what the page before said.
    fn tags(&self, repository: &str, next: Option<&str>) -> Result<TagPage, Error>;

    /// An OCI image index of the manifests whose subject is `digest`; `unsupported` on stores.
    fn referrers(&self, repository: &str, digest: &str, artifact_type: Option<&str>) -> Result<Vec<u8>, Error>;
}

/// What became of a document that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    /// False where it was there already, under its name if it was given one.
    pub created: bool,
    /// False where the document has a subject and the registry does not list referrers by itself.
    pub subject_processed: bool,
}

/// Something to be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// A blob, a manifest or an index; media type, digest and size count.
    pub descriptor: Descriptor,
    /// For manifests and indexes, as in [`Pusher::push`].
    pub name: Option<String>,
}

impl Item {
    /// Content without a name: what others name by its digest.
    pub fn new(descriptor: &Descriptor) -> Self {
        Item { descriptor: descriptor.bare(), name: None }
    }
}

/// Writing, which a run may do only where it was granted to. What is written under a name is seen when all of it is there.
pub trait Pusher {
    /// Stores a document that the frontend made. A name is, in a registry, a tag; in a store a tag (`1`), a name with its
    /// tag (`docker.io/acme/app:1`), or `@DIGEST`, which makes the document a root without a name. Without one it is content
    /// that only its digest reaches. What it leads to has to be there already. A name moves: the last writer wins.
    fn push(
        &self,
        repository: &str,
        name: Option<&str>,
        descriptor: &Descriptor,
        content: &[u8],
    ) -> Result<Pushed, Error>;

    /// Makes content of `source` present in `target`, byte for byte and without its passing through the frontend. The host
    /// orders: blobs, then manifests, an index after what it names, names last. Everything that an item leads to is an item
    /// too, or there already.
    fn copy(&self, source: &str, target: &str, items: &[Item]) -> Result<(), Error>;

    /// Fails where the run may not write to `repository`. Nobody is asked for that, so that it can be asked before anything
    /// is read: it is a copy of nothing.
    ///
    /// # Errors
    /// `denied` where the grant is missing; what else the host knows without asking.
    fn may_push(&self, repository: &str) -> Result<(), Error> {
        self.copy(repository, repository, &[])
    }
}

/// The two questions that people answer differently; whichever strategy was plugged in answers.
pub trait Judgement {
    /// Positions in a store's entries (the bytes of its index.json) that `name` may mean: empty, `:TAG` or `/NAME[:TAG]`.
    fn match_name(&self, entries: &[u8], name: &str, mode: Mode) -> Result<Vec<u32>, Failure>;

    /// Positions in an index (its bytes) for a platform, best first. Entries without a platform that may match come last.
    fn select(&self, index: &[u8], platform: &str, mode: Mode) -> Result<Vec<u32>, Failure>;
}

/// Everything that a frontend is given.
pub trait Context: Host + Judgement + Pusher {}

impl<T: Host + Judgement + Pusher> Context for T {}

/// Another way to judge, to be exported by [`strategy!`](crate::strategy!). Stateless, like everything in a component that
/// lives for one run.
pub trait Strategy {
    /// See [`Judgement::match_name`].
    ///
    /// # Errors
    /// A name that cannot be one.
    fn match_name(machine: &impl Machine, entries: &[u8], name: &str, mode: Mode) -> Result<Vec<u32>, Failure>;

    /// See [`Judgement::select`].
    ///
    /// # Errors
    /// A text that is no platform.
    fn select(machine: &impl Machine, index: &[u8], platform: &str, mode: Mode) -> Result<Vec<u32>, Failure>;
}

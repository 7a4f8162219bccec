//! What happens while content is moved, for whoever shows it to a person.
//!
//! Events come from several transfers at once, from whichever thread works on one; those of one blob come in order. Not
//! here: how they are shown.

use std::fmt;
use std::sync::Arc;

use portolan_oci::{Descriptor, Digest};

/// Something that happened. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A copy begins. Of its blobs nobody knows yet how many are there already.
    Planned {
        /// Where to: `docker.io/library/alpine`, `oci-layout://STORE`.
        target: Arc<str>,
        /// Layers, configs and whatever else is no manifest.
        blobs: usize,
        /// Theirs.
        bytes: u64,
        /// Manifests and indexes.
        documents: usize,
    },
    /// A blob begins to move; one whose transfer broke begins again, from its start.
    Started(Descriptor),
    /// So many bytes more of a blob were moved, or were there from a copy that was cut.
    Moved(Digest, u64),
    /// A blob is present in the target.
    Present(Descriptor, Moved),
    /// A manifest or an index is present in the target, under the name if it has one.
    Stored {
        /// Which.
        descriptor: Descriptor,
        /// A tag, in a store perhaps a full name.
        name: Option<String>,
        /// False where it was there already.
        created: bool,
    },
}

/// How a blob came to be present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Moved {
    /// It was there already.
    Already,
    /// The registry took it from another of its repositories.
    Mounted,
    /// Its bytes were sent.
    Copied,
}

/// Who is told; nobody by default.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(Event) + Send + Sync>>);

impl Progress {
    /// Tells `listener`, which is called often and in the middle of things: it should be quick.
    pub fn new(listener: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Progress(Some(Arc::new(listener)))
    }

    /// Tells, if there is somebody to tell.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(listener) = &self.0 {
            listener(event());
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Progress(listener)" } else { "Progress(nobody)" })
    }
}

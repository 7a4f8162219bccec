//! From a reference to documents, in registries and stores alike.
//!
//! Three steps, each of use alone: [`find`] a root (nothing is fetched but a store's entries), [`open`](Found::open) its
//! document, and then either [`select`] one image for a platform or [`walk()`] all of them. Which name and which platform
//! is meant is never decided here: the strategy does that, through [`Judgement`](crate::Judgement). Who moves content asks
//! for [`everything`] below its roots, and for what is [`referring`] to it.
//!
//! Work is bounded whatever a registry serves: indexes are followed [`NESTING`] deep, each one once, and at most
//! [`DOCUMENTS`] documents are read.

mod attestation;
mod builds;
mod content;
mod image;
mod platforms;
mod referrers;
mod root;
mod search;
mod store;
mod tags;
mod walk;

pub use attestation::{Attestation, Predicate, stated, statement, tagged};
pub use builds::{Build, Built, builds};
pub use content::{Content, everything};
pub use image::{Image, Stored};
pub use platforms::platforms;
pub use referrers::{Referrer, referrers, referring};
pub use root::{Found, Root, find, find_all, pinned, resolve};
pub use search::{select, select_all};
pub use tags::tags;
pub use walk::{Tree, Walked, attested, images, walk};

use std::collections::BTreeSet;

use portolan_oci::{Descriptor, Digest};

use crate::failure::{Failure, code};
use crate::host::Host;

/// How deep indexes may lie inside the root index.
pub const NESTING: usize = 8;
/// How many documents one traversal reads.
pub const DOCUMENTS: usize = 10_000;

/// How many descriptors one hint to the host holds: few enough to stay far below any limit of a call.
const PREFETCHED: usize = 512;

/// Starts the host on documents that are going to be asked for. One alone is as fast without.
pub fn prefetch(ctx: &impl Host, repository: &str, descriptors: &[Descriptor]) {
    if descriptors.len() > 1 {
        for some in descriptors.chunks(PREFETCHED) {
            ctx.prefetch(repository, some);
        }
    }
}

/// Keeps a traversal within its bounds.
#[derive(Debug, Default)]
struct Bounds {
    indexes: BTreeSet<Digest>,
    documents: usize,
}

impl Bounds {
    /// Whether an index at this depth (the root's entries are at 1) is new.
    fn enter(&mut self, index: &Descriptor, depth: usize) -> Result<bool, Failure> {
        if depth > NESTING {
            let message =
                format!("{} is an index inside {NESTING} others: that is as deep as indexes are read", index.digest);
            return Err(Failure::of(code::TOO_LARGE, message));
        }
        Ok(self.indexes.insert(index.digest.clone()))
    }

    fn read(&mut self) -> Result<(), Failure> {
        self.documents += 1;
        match self.documents > DOCUMENTS {
            false => Ok(()),
            true => Err(Failure::of(code::TOO_LARGE, format!("there are more than {DOCUMENTS} documents to read"))),
        }
    }
}

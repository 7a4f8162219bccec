//! What is on its way: everything that one copy moves, and what it has to leave behind.

use std::collections::BTreeSet;

use portolan_sdk::oci::{Descriptor, Digest};
use portolan_sdk::traverse::{self, Referrer};
use portolan_sdk::{Context, Failure, Item, Level, code};
use serde::Serialize;

/// How many items one call holds: their arguments stay far below what a host takes.
const ITEMS: usize = 16 << 10;

/// Content of one repository.
#[derive(Debug)]
pub(crate) struct Load {
    source: String,
    items: Vec<Descriptor>,
    seen: BTreeSet<Digest>,
    pub(crate) copied: Copied,
    pub(crate) referrers: Vec<Referrer>,
    pub(crate) skipped: Vec<Skipped>,
}

/// What the copy is made of, whether it was moved or there already.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Copied {
    /// Manifests and indexes.
    pub(crate) documents: usize,
    /// Configs and layers.
    pub(crate) blobs: usize,
    /// Bytes of all of them.
    pub(crate) size: u64,
}

/// What was left behind, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Skipped {
    /// `layer`, `referrer`, `tag`.
    pub(crate) kind: &'static str,
    /// Its digest; of a tag the tag.
    pub(crate) name: String,
    pub(crate) reason: String,
}

impl Load {
    pub(crate) fn new(source: &str) -> Self {
        Load {
            source: source.to_owned(),
            items: Vec::new(),
            seen: BTreeSet::new(),
            copied: Copied::default(),
            referrers: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Takes up everything below `roots`, and says which manifests and indexes that is.
    pub(crate) fn below(&mut self, ctx: &impl Context, roots: &[Descriptor]) -> Result<Vec<Digest>, Failure> {
        let content = traverse::everything(ctx, &self.source, roots)?;
        for blob in content.blobs {
            if self.seen.insert(blob.digest.clone()) {
                self.copied.blobs += 1;
                self.copied.size = self.copied.size.saturating_add(blob.size);
                self.items.push(blob);
            }
        }
        let mut documents = Vec::with_capacity(content.documents.len());
        for document in content.documents {
            if self.seen.insert(document.digest.clone()) {
                self.copied.documents += 1;
                self.copied.size = self.copied.size.saturating_add(document.size);
                documents.push(document.digest.clone());
                self.items.push(document.bare());
            }
        }
        for layer in content.elsewhere {
            if self.seen.insert(layer.digest.clone()) {
                let reason = format!("its bytes are not there but at {}, where nobody is asked", layer.urls.join(", "));
                self.skip(ctx, "layer", layer.digest.to_string(), reason);
            }
        }
        Ok(documents)
    }

    /// Takes up what refers to `subjects`, and all that belongs to it.
    pub(crate) fn referrers(&mut self, ctx: &impl Context, subjects: &[Digest]) -> Result<(), Failure> {
        let referring = traverse::referring(ctx, &self.source, subjects).map_err(|failure| {
            let too_many = failure.cause.as_ref().is_some_and(|cause| cause.code == code::TOO_LARGE);
            let failure = failure.context("looking for what refers to the image");
            if too_many { failure.hint("--no-referrers copies the image without them") } else { failure }
        })?;
        let ahead: Vec<Descriptor> = referring.iter().map(|referrer| referrer.descriptor.bare()).collect();
        traverse::prefetch(ctx, &self.source, &ahead);
        for referrer in referring {
            if self.seen.contains(&referrer.descriptor.digest) {
                continue;
            }
            match self.below(ctx, std::slice::from_ref(&referrer.descriptor)) {
                Ok(_) => self.referrers.push(referrer),
                // Where who pushes keeps the list, it may name what was deleted since.
                Err(failure) if failure.is_not_found() => {
                    self.skip(ctx, "referrer", referrer.descriptor.digest.to_string(), failure.message);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Leaves something behind, aloud.
    pub(crate) fn skip(&mut self, ctx: &impl Context, kind: &'static str, name: String, reason: String) {
        ctx.log(Level::Warn, &format!("the {kind} {name} is skipped: {reason}"));
        self.skipped.push(Skipped { kind, name, reason });
    }

    /// Has the host move what was taken up, and give these names, which are among it. What was taken up before is not moved
    /// again.
    pub(crate) fn send(
        &mut self,
        ctx: &impl Context,
        target: &str,
        names: &[(Descriptor, Option<String>)],
    ) -> Result<(), Failure> {
        let named: BTreeSet<&Digest> =
            names.iter().filter(|(_, name)| name.is_some()).map(|(descriptor, _)| &descriptor.digest).collect();
        let mut items: Vec<Item> = self
            .items
            .drain(..)
            .filter(|descriptor| !named.contains(&descriptor.digest))
            .map(|descriptor| Item { descriptor, name: None })
            .collect();
        items.extend(
            names
                .iter()
                .filter(|(_, name)| name.is_some())
                .map(|(descriptor, name)| Item { descriptor: descriptor.bare(), name: name.clone() }),
        );
        for some in items.chunks(ITEMS) {
            ctx.copy(&self.source, target, some).map_err(|error| {
                let missing = error.is_not_found();
                let failure = Failure::from(error);
                // A store may hold the layers of one platform only.
                if missing {
                    failure.hint(
                        "if only a part is there: --platform P chooses it, with --single without what is said of it",
                    )
                } else {
                    failure
                }
            })?;
        }
        Ok(())
    }

    /// Counts a document that was made for the copy.
    pub(crate) fn count_made(&mut self, document: &Descriptor) {
        self.copied.documents += 1;
        self.copied.size = self.copied.size.saturating_add(document.size);
    }
}

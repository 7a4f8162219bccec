//! What a guest has written: whether it may, and what it passed, checked; the work is [`transfer`]'s.

use std::sync::Arc;

use bytes::Bytes;
use portolan_oci::Location;

use super::{Place, Session, bare, checked, location};
use crate::bindings::{pusher, types};
use crate::error::{Code, Error, Result};
use crate::source::sink::Pushed;
use crate::transfer::{self, Item};

const OPERATION: &str = "push to";
/// A name in a store is a reference at the longest, and a few registries' tags are longer than they should be.
const NAME: usize = 4 << 10;

impl Session {
    /// Stores a document that a guest made.
    pub(super) async fn pushed(
        &mut self,
        repository: &str,
        name: Option<String>,
        descriptor: types::Descriptor,
        content: Vec<u8>,
    ) -> Result<Pushed> {
        let place = self.writable(repository)?;
        let descriptor = checked(descriptor, OPERATION, &place.repository)?;
        let name = named(name, &place.repository)?;
        let (limits, progress) = (Arc::clone(&self.setup.limits), self.setup.progress.clone());
        let pushed = transfer::push(&*place.source, descriptor, name, Bytes::from(content), &limits, &progress).await;
        self.answers.forget_names(&place.repository);
        pushed
    }

    /// Has the host move content.
    pub(super) async fn copied(&mut self, source: &str, target: &str, items: Vec<pusher::Item>) -> Result<()> {
        let target = self.writable(target)?;
        let source = self.place(source, "copy from")?;
        let mut listed = Vec::with_capacity(items.len());
        for pusher::Item { descriptor, name } in items {
            let descriptor = checked(descriptor, "copy from", &source.repository)?;
            listed.push(Item { descriptor, name: named(name, &target.repository)? });
        }
        let (limits, progress) = (Arc::clone(&self.setup.limits), self.setup.progress.clone());
        let copied = transfer::copy(source.source, &*target.source, listed, limits, progress).await;
        self.answers.forget_names(&target.repository);
        copied
    }

    /// A repository or store that a guest names, where it may write.
    pub(super) fn writable(&mut self, repository: &str) -> Result<Place> {
        let asked = location(repository, OPERATION)?;
        bare(&asked, OPERATION)?;
        let normalised = asked.repository();
        if !self.setup.grants.allows_push(&normalised) {
            let error = Error::new(Code::Denied, OPERATION, asked.shown(), "this run was not granted to write to it");
            return Err(match asked {
                Location::Registry(_) => error.with_hint(format!("grant it with --allow push={normalised}")),
                Location::Store(_) => error.with_hint("name it where the frontend takes a reference to push to"),
            });
        }
        self.place(repository, OPERATION)
    }
}

fn named(name: Option<String>, repository: &str) -> Result<Option<String>> {
    match name {
        Some(long) if long.len() > NAME => {
            let detail = format!("a name has at most {NAME} bytes, and this one has {}", long.len());
            Err(Error::new(Code::InvalidReference, OPERATION, repository, detail))
        }
        name => Ok(name),
    }
}

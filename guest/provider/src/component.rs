//! The functions of the world `provider`. Each does its one thing with what a room below says; nothing in here judges.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use portolan_oci::{Code, Descriptor, Location, Store, limits, media_type};
use wasip2::cli::environment::get_environment;

use crate::bindings::exports::portolan::oci::{blobs, discovery, fetcher, host, pusher, resolver};
use crate::bindings::portolan::oci::types;
use crate::error::{Error, Result};
use crate::layout::{self, Layout};
use crate::memory::Memory;
use crate::registry::Registries;
use crate::{log, question};

/// The machine that results are for, where nothing else is said: what most images are for.
const PLATFORM: &str = "linux/amd64";

/// The component.
#[derive(Debug, Clone, Copy)]
pub struct Provider;

/// What there is in one run. A component has one thread.
#[derive(Default)]
struct Session {
    layouts: BTreeMap<String, Layout>,
    registries: Registries,
    memory: Memory,
}

thread_local! {
    static SESSION: RefCell<Session> = RefCell::default();
}

fn session<T>(work: impl FnOnce(&mut Session) -> Result<T>) -> Result<T, types::Error> {
    let done = SESSION.with(|session| match session.try_borrow_mut() {
        Ok(mut session) => work(&mut session),
        Err(_) => Err(Error::new(Code::Other, "ask", "the provider", "it is busy")),
    });
    done.map_err(|Error { code, message }| types::Error { code: code.as_str().into(), message, retry_after: None })
}

impl Session {
    /// The layout of a store.
    fn layout(&mut self, store: &Store, operation: &str) -> Result<&mut Layout> {
        match self.layouts.entry(store.repository()) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(Layout::open(store, operation)?)),
        }
    }

    fn resolve(&mut self, reference: &str) -> Result<resolver::Resolved> {
        let location = question::location(reference, "resolve")?;
        let found = match &location {
            Location::Registry(reference) => self.registries.resolve(reference)?,
            Location::Store(store) => {
                let Some(digest) = store.digest.as_ref().filter(|_| store.rest.is_empty()) else {
                    let detail = "a store resolves digests only; fetch its `entries` and match the name";
                    return Err(Error::new(Code::Unsupported, "resolve", &location.shown(), detail));
                };
                self.layout(store, "resolve")?.resolve(digest)?
            }
        };
        Ok(resolved(&location, &found))
    }

    fn entries(&mut self, repository: &str) -> Result<resolver::Resolved> {
        let operation = "list the entries of";
        let location = question::repository(repository, operation)?;
        let repository = location.repository();
        if let Some(known) = self.memory.entries(&repository) {
            return Ok(resolved(&location, &known));
        }
        let Location::Store(store) = &location else {
            let detail = "a registry has no list of its roots; ask for a tag or a digest";
            return Err(Error::new(Code::Unsupported, operation, &repository, detail));
        };
        let (descriptor, bytes) = self.layout(store, operation)?.entries()?;
        self.memory.keep_entries(&repository, &descriptor, &bytes)?;
        Ok(resolved(&location, &descriptor))
    }

    fn fetch(&mut self, repository: &str, descriptor: fetcher::Descriptor) -> Result<Vec<u8>> {
        let operation = "fetch from";
        let location = question::repository(repository, operation)?;
        let repository = location.repository();
        let descriptor = checked(&repository, descriptor)?;
        if let Some(known) = self.memory.document(&repository, &descriptor) {
            return Ok(known);
        }
        let bytes = match &location {
            Location::Registry(reference) => {
                layout::admit(&repository, &descriptor)?;
                let bytes = self.registries.fetch(reference, &descriptor)?;
                layout::check(&repository, &descriptor, &bytes)?;
                bytes
            }
            Location::Store(store) => self.layout(store, operation)?.fetch(&descriptor)?,
        };
        self.memory.keep(&repository, &descriptor, &bytes)?;
        Ok(bytes)
    }

    fn read(&mut self, repository: &str, descriptor: blobs::Descriptor, offset: u64, length: u32) -> Result<Vec<u8>> {
        let operation = "read from";
        let location = question::repository(repository, operation)?;
        let repository = location.repository();
        let descriptor = checked(&repository, descriptor)?;
        if u64::from(length) > limits::ATTESTATION {
            let detail = format!("one read is of at most {} MiB", limits::ATTESTATION >> 20);
            return Err(Error::new(Code::TooLarge, operation, &repository, &detail));
        }
        match &location {
            Location::Registry(reference) => self.registries.read(reference, &descriptor, offset, length.into()),
            Location::Store(store) => self.layout(store, operation)?.read(&descriptor, offset, length.into()),
        }
    }
}

fn checked(repository: &str, descriptor: types::Descriptor) -> Result<Descriptor> {
    question::descriptor(repository, descriptor.media_type, &descriptor.digest, descriptor.size)
}

fn resolved(location: &Location, descriptor: &Descriptor) -> resolver::Resolved {
    let Descriptor { media_type, digest, size, .. } = descriptor;
    let descriptor = types::Descriptor { media_type: media_type.clone(), digest: digest.to_string(), size: *size };
    resolver::Resolved { repository: location.repository(), descriptor }
}

fn reads_only(repository: &str) -> types::Error {
    let Error { code, message } = Error::new(Code::Denied, "push to", repository, "a bundle reads, it does not write");
    types::Error { code: code.as_str().into(), message, retry_after: None }
}

fn variable(name: &str) -> Option<String> {
    get_environment().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

impl host::Guest for Provider {
    fn platform() -> String {
        variable("PORTOLAN_PLATFORM").filter(|platform| !platform.is_empty()).unwrap_or_else(|| PLATFORM.into())
    }

    fn features() -> Vec<String> {
        Vec::new()
    }

    fn log(level: host::Level, message: String) {
        log::say(level, &message, variable("PORTOLAN_LOG").as_deref());
    }
}

impl resolver::Guest for Provider {
    fn resolve(reference: String) -> Result<resolver::Resolved, types::Error> {
        session(|session| session.resolve(&reference))
    }

    fn resolve_all(references: Vec<String>) -> Vec<Result<resolver::Resolved, types::Error>> {
        references.iter().map(|reference| session(|session| session.resolve(reference))).collect()
    }

    fn entries(repository: String) -> Result<resolver::Resolved, types::Error> {
        session(|session| session.entries(&repository))
    }
}

impl fetcher::Guest for Provider {
    fn fetch(repository: String, descriptor: fetcher::Descriptor) -> Result<Vec<u8>, types::Error> {
        session(|session| session.fetch(&repository, descriptor))
    }

    /// A hint, which a component that does one thing at a time has no use for.
    fn prefetch(_: String, _: Vec<fetcher::Descriptor>) {}
}

impl blobs::Guest for Provider {
    fn read(
        repository: String,
        descriptor: blobs::Descriptor,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, types::Error> {
        session(|session| session.read(&repository, descriptor, offset, length))
    }
}

impl discovery::Guest for Provider {
    fn tags(repository: String, next: Option<String>) -> Result<discovery::TagPage, types::Error> {
        session(|session| {
            let operation = "list the tags of";
            match question::repository(&repository, operation)? {
                Location::Registry(reference) => {
                    let (tags, next) = session.registries.tags(&reference, next.as_deref())?;
                    session.memory.count(&repository, tags.iter().map(|tag| tag.len() as u64).sum())?;
                    Ok(discovery::TagPage { tags, next })
                }
                Location::Store(store) => {
                    let layout = session.layout(&store, operation)?;
                    Err(Error::new(Code::Unsupported, operation, layout.shown(), "a store's entries name its roots"))
                }
            }
        })
    }

    fn referrers(repository: String, digest: String, artifact_type: Option<String>) -> Result<Vec<u8>, types::Error> {
        session(|session| {
            let operation = "list the referrers in";
            let location = question::repository(&repository, operation)?;
            let digest = question::digest(&location.repository(), &digest, operation)?;
            if artifact_type.as_deref().is_some_and(|artifact_type| !media_type::valid(artifact_type)) {
                return Err(Error::new(Code::Malformed, operation, &repository, "the artifact type is no media type"));
            }
            match location {
                Location::Registry(reference) => {
                    let index = session.registries.referrers(&reference, &digest, artifact_type.as_deref())?;
                    session.memory.count(&repository, index.len() as u64)?;
                    Ok(index)
                }
                Location::Store(store) => {
                    let layout = session.layout(&store, operation)?;
                    let detail = "a store's entries tell what refers to what";
                    Err(Error::new(Code::Unsupported, operation, layout.shown(), detail))
                }
            }
        })
    }
}

impl pusher::Guest for Provider {
    fn push(
        repository: String,
        _: Option<String>,
        _: pusher::Descriptor,
        _: Vec<u8>,
    ) -> Result<pusher::Pushed, types::Error> {
        Err(reads_only(&repository))
    }

    fn copy(_: String, target: String, _: Vec<pusher::Item>) -> Result<(), types::Error> {
        Err(reads_only(&target))
    }
}

//! The functions of the world `provider`. Each does its one thing with what a room below says; nothing in here judges.

use std::cell::RefCell;
use std::collections::BTreeMap;

use portolan_oci::{Code, Descriptor, Location, limits};
use wasip2::cli::environment::get_environment;

use crate::bindings::exports::portolan::oci::{blobs, discovery, fetcher, host, pusher, resolver};
use crate::bindings::portolan::oci::types;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::memory::Memory;
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
    fn layout(&mut self, location: &Location, operation: &str) -> Result<&mut Layout> {
        let repository = location.repository();
        let store = match location {
            Location::Store(store) => store,
            Location::Registry(_) => return Err(no_registries(&repository, operation)),
        };
        match self.layouts.entry(repository) {
            std::collections::btree_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::btree_map::Entry::Vacant(place) => Ok(place.insert(Layout::open(store, operation)?)),
        }
    }

    fn resolve(&mut self, reference: &str) -> Result<resolver::Resolved> {
        let location = question::location(reference, "resolve")?;
        if let Location::Store(store) = &location {
            let digest = store.digest.as_ref().filter(|_| store.rest.is_empty());
            let Some(digest) = digest else {
                let detail = "a store resolves digests only; fetch its `entries` and match the name";
                return Err(Error::new(Code::Unsupported, "resolve", &location.shown(), detail));
            };
            let found = self.layout(&location, "resolve")?.resolve(digest)?;
            return Ok(resolved(&location, &found));
        }
        Err(no_registries(&location.shown(), "resolve"))
    }

    fn entries(&mut self, repository: &str) -> Result<resolver::Resolved> {
        let operation = "list the entries of";
        let location = question::repository(repository, operation)?;
        let repository = location.repository();
        if let Some(known) = self.memory.entries(&repository) {
            return Ok(resolved(&location, &known));
        }
        let (descriptor, bytes) = self.layout(&location, operation)?.entries()?;
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
        let bytes = self.layout(&location, operation)?.fetch(&descriptor)?;
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
        self.layout(&location, operation)?.read(&descriptor, offset, length.into())
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

fn no_registries(subject: &str, operation: &str) -> Error {
    let detail = "a bundle reads layouts in folders, and asks no registries";
    Error::new(Code::Unsupported, operation, subject, detail)
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

    /// A hint, and a file is read in no time when it is asked for.
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
    fn tags(repository: String, _: Option<String>) -> Result<discovery::TagPage, types::Error> {
        session(|session| {
            let operation = "list the tags of";
            let location = question::repository(&repository, operation)?;
            let layout = session.layout(&location, operation)?;
            Err(Error::new(Code::Unsupported, operation, layout.shown(), "a store's entries name its roots"))
        })
    }

    fn referrers(repository: String, digest: String, _: Option<String>) -> Result<Vec<u8>, types::Error> {
        session(|session| {
            let operation = "list the referrers in";
            let location = question::repository(&repository, operation)?;
            question::digest(&location.repository(), &digest, operation)?;
            let layout = session.layout(&location, operation)?;
            let detail = "a store's entries tell what refers to what";
            Err(Error::new(Code::Unsupported, operation, layout.shown(), detail))
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

//! The real host, as a component sees it: each question is one imported function.

use std::marker::PhantomData;

use portolan_oci::{Descriptor, Digest, Mode};

use crate::bindings::writer::portolan::oci::{blobs, discovery, fetcher, host, pusher, resolver, strategy, types};
use crate::failure::{Error, Failure, code};
use crate::host::{Host, Item, Judgement, Level, Machine, Pushed, Pusher, Resolved, Strategy, TagPage};

/// Everything that the host links; what a frontend does not call is not imported. `S` judges.
#[derive(Debug, Clone, Copy, Default)]
pub struct Imports<S>(PhantomData<S>);

impl<S> Imports<S> {
    /// They hold nothing.
    pub const NEW: Self = Imports(PhantomData);
}

/// The strategy that the host plugs in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plugged;

impl Strategy for Plugged {
    fn match_name(_: &impl Machine, entries: &[u8], name: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        strategy::match_name(entries, name, mode.as_str()).map_err(failure)
    }

    fn select(_: &impl Machine, index: &[u8], platform: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        strategy::select(index, platform, mode.as_str()).map_err(failure)
    }
}

impl<S> Machine for Imports<S> {
    fn platform_text(&self) -> String {
        host::platform()
    }

    fn features(&self) -> Vec<String> {
        host::features()
    }

    fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Debug => host::Level::Debug,
            Level::Info => host::Level::Info,
            Level::Warn => host::Level::Warn,
            Level::Error => host::Level::Error,
        };
        host::log(level, message);
    }
}

impl<S> Host for Imports<S> {
    fn resolve(&self, reference: &str) -> Result<Resolved, Error> {
        resolved(resolver::resolve(reference))
    }

    fn resolve_all(&self, references: &[String]) -> Vec<Result<Resolved, Error>> {
        resolver::resolve_all(references).into_iter().map(resolved).collect()
    }

    fn entries(&self, repository: &str) -> Result<Resolved, Error> {
        resolved(resolver::entries(repository))
    }

    fn fetch(&self, repository: &str, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        fetcher::fetch(repository, &lower(descriptor)).map_err(error)
    }

    fn prefetch(&self, repository: &str, descriptors: &[Descriptor]) {
        let descriptors: Vec<types::Descriptor> = descriptors.iter().map(lower).collect();
        fetcher::prefetch(repository, &descriptors);
    }

    fn read_blob(&self, repository: &str, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        blobs::read(repository, &lower(descriptor), offset, length).map_err(error)
    }

    fn tags(&self, repository: &str, next: Option<&str>) -> Result<TagPage, Error> {
        match discovery::tags(repository, next) {
            Ok(page) => Ok(TagPage { tags: page.tags, next: page.next }),
            Err(failed) => Err(error(failed)),
        }
    }

    fn referrers(&self, repository: &str, digest: &str, artifact_type: Option<&str>) -> Result<Vec<u8>, Error> {
        discovery::referrers(repository, digest, artifact_type).map_err(error)
    }
}

impl<S> Pusher for Imports<S> {
    fn push(
        &self,
        repository: &str,
        name: Option<&str>,
        descriptor: &Descriptor,
        content: &[u8],
    ) -> Result<Pushed, Error> {
        match pusher::push(repository, name, &lower(descriptor), content) {
            Ok(pusher::Pushed { created, subject_processed }) => Ok(Pushed { created, subject_processed }),
            Err(failed) => Err(error(failed)),
        }
    }

    fn copy(&self, source: &str, target: &str, items: &[Item]) -> Result<(), Error> {
        let items: Vec<pusher::Item> = items
            .iter()
            .map(|item| pusher::Item { descriptor: lower(&item.descriptor), name: item.name.clone() })
            .collect();
        pusher::copy(source, target, &items).map_err(error)
    }
}

impl<S: Strategy> Judgement for Imports<S> {
    fn match_name(&self, entries: &[u8], name: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        S::match_name(self, entries, name, mode)
    }

    fn select(&self, index: &[u8], platform: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        S::select(self, index, platform, mode)
    }
}

fn lower(descriptor: &Descriptor) -> types::Descriptor {
    types::Descriptor {
        media_type: descriptor.media_type.clone(),
        digest: descriptor.digest.as_str().to_owned(),
        size: descriptor.size,
    }
}

fn resolved(answer: Result<resolver::Resolved, types::Error>) -> Result<Resolved, Error> {
    let resolver::Resolved { repository, descriptor } = answer.map_err(error)?;
    let types::Descriptor { media_type, digest, size } = descriptor;
    // The host checked it; a host that did not is at fault, and no reason to trap.
    let digest = Digest::parse_any(&digest).map_err(|why| Error::new(code::MALFORMED, why.to_string()))?;
    Ok(Resolved { repository, descriptor: Descriptor::new(media_type, digest, size) })
}

fn error(error: types::Error) -> Error {
    Error { code: error.code, message: error.message, retry_after: error.retry_after }
}

fn failure(failure: types::Failure) -> Failure {
    Failure { message: failure.message, hint: failure.hint, cause: failure.cause.map(error) }
}

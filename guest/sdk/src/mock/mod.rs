//! A host for tests: documents from OCI layouts on disk or from a table, everything that was asked written down, everything
//! that was written kept in memory.
//!
//! ```
//! # use portolan_sdk::oci::{self, Mode};
//! # struct Bundled;
//! # impl portolan_sdk::Strategy for Bundled {
//! #     fn match_name(_: &impl portolan_sdk::Machine, _: &[u8], _: &str, _: Mode) -> Result<Vec<u32>, portolan_sdk::Failure> { Ok(vec![0]) }
//! #     fn select(_: &impl portolan_sdk::Machine, _: &[u8], _: &str, _: Mode) -> Result<Vec<u32>, portolan_sdk::Failure> { Ok(vec![0]) }
//! # }
//! use portolan_sdk::mock::Mock;
//! use portolan_sdk::{Host, Machine};
//!
//! let manifest = br#"{"schemaVersion":2,"config":{}}"#;
//! let mock = Mock::new(Bundled) // of the crate portolan-strategy, or a strategy of your own
//!     .machine("linux/arm64")
//!     .document("docker.io/acme/app", Some("1"), oci::media_type::OCI_MANIFEST, manifest);
//! assert_eq!(mock.platform().architecture, "arm64");
//! assert_eq!(mock.resolve("docker.io/acme/app:1").unwrap().descriptor.size, 31);
//! assert_eq!(mock.asked(), ["resolve docker.io/acme/app:1"]);
//! ```
//!
//! It verifies what it hands out and what it is given as a host does, and knows neither grants nor limits. What a frontend
//! wrote is there to be read again, by it and by the test; nothing on disk changes.
//!
//! ```
//! # use portolan_sdk::oci::{self, Descriptor, Mode};
//! # struct Bundled;
//! # impl portolan_sdk::Strategy for Bundled {
//! #     fn match_name(_: &impl portolan_sdk::Machine, _: &[u8], _: &str, _: Mode) -> Result<Vec<u32>, portolan_sdk::Failure> { Ok(vec![0]) }
//! #     fn select(_: &impl portolan_sdk::Machine, _: &[u8], _: &str, _: Mode) -> Result<Vec<u32>, portolan_sdk::Failure> { Ok(vec![0]) }
//! # }
//! use portolan_sdk::mock::Mock;
//! use portolan_sdk::{Host, Pusher};
//!
//! let index = br#"{"schemaVersion":2,"manifests":[]}"#;
//! let mock = Mock::new(Bundled);
//! let descriptor = Descriptor::of(oci::media_type::OCI_INDEX, index);
//! mock.push("docker.io/acme/app", Some("1"), &descriptor, index).unwrap();
//! assert_eq!(mock.resolve("docker.io/acme/app:1").unwrap().descriptor, descriptor);
//! assert_eq!(mock.content("docker.io/acme/app", &descriptor.digest).unwrap(), index);
//! ```

mod golden;
mod recorded;
mod repository;
mod write;

pub use golden::assert_golden;

use std::cell::{Ref, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::marker::PhantomData;
use std::path::Path;

use portolan_oci::location::encode_store;
use portolan_oci::{Descriptor, Digest, Location, Mode, document, media_type};

use crate::failure::{Error, Failure, code};
use crate::frontend::Frontend;
use crate::host::{Host, Item, Judgement, Level, Machine, Pushed, Pusher, Resolved, Strategy, TagPage};
use crate::request::Request;
use crate::response::Response;
use recorded::Recorded;
use repository::Repository;

/// A host with the judgement of `S`.
#[derive(Debug)]
pub struct Mock<S> {
    machine: String,
    repositories: RefCell<BTreeMap<String, Repository>>,
    asked: RefCell<Vec<String>>,
    logged: RefCell<Vec<(Level, String)>>,
    /// What was asked when it was recorded.
    arguments: Vec<(String, String)>,
    strategy: PhantomData<S>,
}

impl<S: Strategy> Mock<S> {
    /// A `linux/amd64` that holds nothing.
    pub fn new(_: S) -> Self {
        Mock {
            machine: "linux/amd64".to_owned(),
            repositories: RefCell::default(),
            asked: RefCell::default(),
            logged: RefCell::default(),
            arguments: Vec::new(),
            strategy: PhantomData,
        }
    }

    /// The platform that results are for.
    #[must_use]
    pub fn machine(mut self, platform: &str) -> Self {
        self.machine = platform.to_owned();
        self
    }

    /// Binds an OCI layout on disk as the store `oci-layout://NAME`.
    #[must_use]
    pub fn layout(mut self, name: &str, dir: impl AsRef<Path>) -> Self {
        self.repositories
            .get_mut()
            .insert(format!("oci-layout://{}", encode_store(name)), Repository::on_disk(dir.as_ref(), false));
        self
    }

    /// Binds every layout in a folder under its own name.
    #[must_use]
    pub fn folder(mut self, dir: impl AsRef<Path>) -> Self {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.path().join("index.json").is_file() {
                self = self.layout(&entry.file_name().to_string_lossy(), entry.path());
            }
        }
        self
    }

    /// Serves an OCI layout on disk as a registry's repository, such as `docker.io/acme/app`; the tags are those of its
    /// names.
    #[must_use]
    pub fn registry(mut self, repository: &str, dir: impl AsRef<Path>) -> Self {
        self.repositories.get_mut().insert(repository.to_owned(), Repository::on_disk(dir.as_ref(), true));
        self
    }

    /// Holds what a run saw that `portolan run --record FILE` wrote down: documents, what names meant, lists of tags and of
    /// referrers, and the platform. Blobs are not recorded, so that nothing can be copied from it.
    ///
    /// # Errors
    /// A file that cannot be read or is no recording, with its line.
    pub fn recorded(mut self, file: impl AsRef<Path>) -> io::Result<Self> {
        let Recorded { arguments, machine, repositories, .. } = Recorded::read(file.as_ref())?;
        self.arguments = arguments;
        self.machine = machine.unwrap_or(self.machine);
        self.repositories.get_mut().extend(repositories);
        Ok(self)
    }

    /// Adds a document to a repository: of a registry, with a tag, or a store (`oci-layout://NAME`), with a `ref.name`.
    #[must_use]
    pub fn document(self, repository: &str, name: Option<&str>, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let descriptor = Descriptor::of(media_type, &bytes);
        self.described(repository, name, descriptor, bytes)
    }

    /// Adds bytes under a descriptor that may say more than media type, digest and size, or something wrong.
    #[must_use]
    pub fn described(
        mut self,
        repository: &str,
        name: Option<&str>,
        descriptor: Descriptor,
        bytes: impl Into<Vec<u8>>,
    ) -> Self {
        let repositories = self.repositories.get_mut();
        let table = repositories.entry(repository.to_owned()).or_insert_with(|| Repository::table(repository));
        table.add(name, descriptor, bytes.into());
        self
    }

    /// Adds an image of `os/arch[/variant]`, whose layers are these bytes.
    #[must_use]
    pub fn image(mut self, repository: &str, name: &str, platform: &str, layers: &[&[u8]]) -> Self {
        let mut parts = platform.split('/').map(str::to_owned);
        let [os, architecture] = [parts.next(), parts.next()].map(Option::unwrap_or_default);
        let mut config = serde_json::json!({ "os": os, "architecture": architecture, "rootfs": { "type": "layers" } });
        if let Some(variant) = parts.next() {
            config["variant"] = variant.into();
        }
        config["rootfs"]["diff_ids"] = layers.iter().map(|layer| Digest::sha256(layer).to_string()).collect();
        let mut described = Vec::new();
        for layer in layers {
            let descriptor = Descriptor::of("application/vnd.oci.image.layer.v1.tar", layer);
            self = self.described(repository, None, descriptor.clone(), *layer);
            described.push(descriptor);
        }
        let config = config.to_string().into_bytes();
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": Descriptor::of(media_type::OCI_CONFIG, &config),
            "layers": described,
        });
        self.document(repository, None, media_type::OCI_CONFIG, config).document(
            repository,
            Some(name),
            media_type::OCI_MANIFEST,
            manifest.to_string(),
        )
    }

    /// Asks a frontend as a host does: arguments are checked against what it declares.
    ///
    /// # Errors
    /// The frontend's own, and arguments that it does not take.
    pub fn run<F: Frontend>(&self, arguments: &[(&str, &str)]) -> Result<Response, Failure> {
        let arguments = arguments.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.ask::<F>(arguments)
    }

    /// Asks what was asked when it was [recorded](Self::recorded).
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn again<F: Frontend>(&self) -> Result<Response, Failure> {
        self.ask::<F>(self.arguments.clone())
    }

    fn ask<F: Frontend>(&self, arguments: Vec<(String, String)>) -> Result<Response, Failure> {
        F::solve(self, Request::parse(F::describe(), arguments)?)
    }

    /// What was asked so far, in order: `resolve REFERENCE`, `entries REPOSITORY`, `fetch DIGEST`, `prefetch DIGEST …`,
    /// `push REPOSITORY DIGEST[ NAME]`, `copy SOURCE TARGET DIGEST …`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }

    /// What was logged so far.
    pub fn logged(&self) -> Vec<(Level, String)> {
        self.logged.borrow().clone()
    }

    /// What a repository holds under a digest now.
    pub fn content(&self, repository: &str, digest: &Digest) -> Option<Vec<u8>> {
        self.repositories.borrow().get(repository)?.bytes(digest)
    }

    /// The names that a repository has now and what they name, in the order in which they were given: tags of a registry,
    /// of a store what its entries are called.
    pub fn named(&self, repository: &str) -> Vec<(String, Descriptor)> {
        self.repositories.borrow().get(repository).map(Repository::names).unwrap_or_default()
    }

    fn note(&self, question: String) {
        self.asked.borrow_mut().push(question);
    }

    fn repository(&self, name: &str) -> Result<Ref<'_, Repository>, Error> {
        Ref::filter_map(self.repositories.borrow(), |repositories| repositories.get(name))
            .map_err(|_| Error::new(code::NOT_FOUND, format!("cannot open {name}: no such repository")))
    }

    fn root(&self, reference: &str) -> Result<Resolved, Error> {
        let location =
            Location::parse(reference).map_err(|error| Error::new(code::INVALID_REFERENCE, error.to_string()))?;
        let repository = location.repository();
        let held = self.repository(&repository)?;
        let found = match &location {
            _ if location.digest().is_some() => location.digest().and_then(|digest| held.root(digest)),
            Location::Registry(reference) => held.tag(reference.tag_or_latest()),
            Location::Store(_) => {
                return Err(Error::new(
                    code::UNSUPPORTED,
                    format!("cannot resolve {reference}: a store knows digests only"),
                ));
            }
        };
        match found {
            Some(descriptor) => Ok(Resolved { repository, descriptor }),
            None => Err(Error::new(code::NOT_FOUND, format!("cannot resolve {reference}: no such tag or digest"))),
        }
    }
}

impl<S: Strategy> Machine for Mock<S> {
    fn platform_text(&self) -> String {
        self.machine.clone()
    }

    fn features(&self) -> Vec<String> {
        Vec::new()
    }

    fn log(&self, level: Level, message: &str) {
        self.logged.borrow_mut().push((level, message.to_owned()));
    }
}

impl<S: Strategy> Host for Mock<S> {
    fn resolve(&self, reference: &str) -> Result<Resolved, Error> {
        self.note(format!("resolve {reference}"));
        self.root(reference)
    }

    fn resolve_all(&self, references: &[String]) -> Vec<Result<Resolved, Error>> {
        self.note(format!("resolve-all {}", references.join(" ")));
        references.iter().map(|reference| self.root(reference)).collect()
    }

    fn entries(&self, repository: &str) -> Result<Resolved, Error> {
        self.note(format!("entries {repository}"));
        match self.repository(repository)?.entries() {
            Some(descriptor) => Ok(Resolved { repository: repository.to_owned(), descriptor }),
            None => {
                Err(Error::new(code::NOT_FOUND, format!("cannot read the entries of {repository}: there are none")))
            }
        }
    }

    fn fetch(&self, repository: &str, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        self.note(format!("fetch {}", descriptor.digest));
        let fail = |code, why: String| {
            Err(Error::new(code, format!("cannot fetch {repository}@{}: {why}", descriptor.digest)))
        };
        let Some(bytes) = self.repository(repository)?.bytes(&descriptor.digest) else {
            return fail(code::NOT_FOUND, "no such content".to_owned());
        };
        if bytes.len() as u64 != descriptor.size {
            return fail(code::DIGEST_MISMATCH, format!("{} bytes instead of {}", bytes.len(), descriptor.size));
        }
        if !descriptor.digest.matches(&bytes) {
            return fail(code::DIGEST_MISMATCH, "it is not what its digest says".to_owned());
        }
        match document::check(&descriptor.media_type, &bytes, usize::MAX) {
            Ok(()) => Ok(bytes),
            Err(malformed) => fail(code::MALFORMED, malformed.to_string()),
        }
    }

    fn prefetch(&self, _: &str, descriptors: &[Descriptor]) {
        let digests: Vec<&str> = descriptors.iter().map(|descriptor| descriptor.digest.as_str()).collect();
        self.note(format!("prefetch {}", digests.join(" ")));
    }

    fn read_blob(&self, repository: &str, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        self.note(format!("read {} {offset}+{length}", descriptor.digest));
        let Some(bytes) = self.repository(repository)?.bytes(&descriptor.digest) else {
            return Err(Error::new(
                code::NOT_FOUND,
                format!("cannot read {repository}@{}: no such content", descriptor.digest),
            ));
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(length as usize).min(bytes.len());
        Ok(bytes.get(start..end).unwrap_or_default().to_vec())
    }

    fn tags(&self, repository: &str, _: Option<&str>) -> Result<TagPage, Error> {
        self.note(format!("tags {repository}"));
        Ok(TagPage { tags: self.repository(repository)?.tags(), next: None })
    }

    fn referrers(&self, repository: &str, digest: &str, artifact_type: Option<&str>) -> Result<Vec<u8>, Error> {
        self.note(format!("referrers {digest}"));
        let subject = Digest::parse(digest).map_err(|error| Error::new(code::INVALID_REFERENCE, error.to_string()))?;
        match repository.contains("://") {
            true => Err(Error::new(code::UNSUPPORTED, "a store's entries tell what refers to what")),
            false => Ok(self.repository(repository)?.referrers(&subject, artifact_type)),
        }
    }
}

impl<S: Strategy> Pusher for Mock<S> {
    fn push(
        &self,
        repository: &str,
        name: Option<&str>,
        descriptor: &Descriptor,
        content: &[u8],
    ) -> Result<Pushed, Error> {
        let named = name.map(|name| format!(" {name}")).unwrap_or_default();
        self.note(format!("push {repository} {}{named}", descriptor.digest));
        let mut repositories = self.repositories.borrow_mut();
        let target = repositories.entry(repository.to_owned()).or_insert_with(|| Repository::table(repository));
        write::document(target, repository, name, descriptor, content.to_vec())
    }

    fn copy(&self, source: &str, target: &str, items: &[Item]) -> Result<(), Error> {
        // A mock grants everything.
        if items.is_empty() {
            return Ok(());
        }
        let digests: Vec<&str> = items.iter().map(|item| item.descriptor.digest.as_str()).collect();
        self.note(format!("copy {source} {target} {}", digests.join(" ")));
        let mut contents = Vec::with_capacity(items.len());
        for item in items {
            let Some(bytes) = self.repository(source)?.bytes(&item.descriptor.digest) else {
                let missing = format!("cannot copy {source}@{}: no such content", item.descriptor.digest);
                return Err(Error::new(code::NOT_FOUND, missing));
            };
            contents.push((item, bytes));
        }
        let mut repositories = self.repositories.borrow_mut();
        let into = repositories.entry(target.to_owned()).or_insert_with(|| Repository::table(target));
        write::all(into, target, contents)
    }
}

impl<S: Strategy> Judgement for Mock<S> {
    fn match_name(&self, entries: &[u8], name: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        S::match_name(self, entries, name, mode)
    }

    fn select(&self, index: &[u8], platform: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        S::select(self, index, platform, mode)
    }
}

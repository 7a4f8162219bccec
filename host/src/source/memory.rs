//! Content in memory: for tests, and for embedders whose documents are in a place that this crate does not know.
//!
//! Answers as a registry does and as a store does: tags can be asked for and listed, the entries tell them too, and
//! referrers are looked up. It can be written to. What is put in is not checked; what comes out is, as everywhere.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use portolan_oci::names::written::NewName;
use portolan_oci::{Descriptor, Digest, Document, media_type, names};
use serde_json::json;

use super::blob::collect;
use super::sink::{self, Pushed, Sink};
use super::verify::{self, Verifier};
use super::write::WRITE;
use super::{ByteStream, Source, TagPage, Target};
use crate::error::{Code, Error, Result};
use crate::limits::Limits;

/// A repository in memory. A [`Source`]; clones are one.
///
/// ```
/// use portolan::source::{Source, Target, memory::Memory};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let memory = Memory::new("registry.example/team/app");
/// let index = memory.insert("application/vnd.oci.image.index.v1+json", r#"{"schemaVersion":2,"manifests":[]}"#);
/// memory.tag("1.4", &index);
/// assert_eq!(memory.resolve(Target::Tag("1.4"), &Default::default()).await.unwrap(), index);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Memory {
    repository: String,
    content: Arc<Mutex<Content>>,
}

#[derive(Debug, Default)]
struct Content {
    blobs: HashMap<Digest, (Descriptor, Bytes)>,
    tags: BTreeMap<String, Descriptor>,
    /// Roots without a name.
    roots: Vec<Descriptor>,
}

impl Memory {
    /// An empty one. `repository` is what runs will call it: `docker.io/library/alpine`, `oci-layout://STORE`.
    pub fn new(repository: impl Into<String>) -> Self {
        Memory { repository: repository.into(), content: Arc::default() }
    }

    /// Puts a document or a blob in; what comes back says how to ask for it.
    pub fn insert(&self, media_type: impl Into<String>, bytes: impl Into<Bytes>) -> Descriptor {
        let bytes = bytes.into();
        let descriptor = Descriptor::new(media_type, Digest::sha256(&bytes), bytes.len() as u64);
        self.content().blobs.insert(descriptor.digest.clone(), (descriptor.clone(), bytes));
        descriptor
    }

    /// Lets a tag name a root. It moves if there is one of that name.
    pub fn tag(&self, name: impl Into<String>, root: &Descriptor) {
        self.content().tags.insert(name.into(), root.clone());
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes(&self, descriptor: &Descriptor) -> Result<Bytes> {
        let mut verifier = Verifier::new(&self.repository, descriptor)?;
        let bytes = match self.content().blobs.get(&descriptor.digest) {
            Some((_, bytes)) => bytes.clone(),
            None => return Err(self.absent("fetch", verifier.subject().to_owned())),
        };
        verifier.expect(bytes.len() as u64)?;
        verifier.update(&bytes)?;
        verifier.finish()?;
        Ok(bytes)
    }

    fn absent(&self, operation: &'static str, subject: String) -> Error {
        Error::new(Code::NotFound, operation, subject, "it is not there")
    }

    fn index(manifests: &[Descriptor]) -> Bytes {
        let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": manifests });
        index.to_string().into()
    }
}

#[async_trait]
impl Source for Memory {
    fn repository(&self) -> String {
        self.repository.clone()
    }

    async fn resolve(&self, target: Target<'_>, _: &Limits) -> Result<Descriptor> {
        let content = self.content();
        let found = match target {
            Target::Tag(tag) => content.tags.get(tag),
            Target::Digest(digest) => content.blobs.get(digest).map(|(descriptor, _)| descriptor),
        };
        found.cloned().ok_or_else(|| {
            let subject = match target {
                Target::Tag(tag) => format!("{}:{tag}", self.repository),
                Target::Digest(digest) => verify::content(&self.repository, digest),
            };
            self.absent("resolve", subject)
        })
    }

    async fn fetch(&self, descriptor: &Descriptor, limits: &Limits) -> Result<Bytes> {
        verify::admit(&self.repository, descriptor, limits)?;
        let bytes = match verify::embedded(descriptor) {
            Some(bytes) => bytes,
            None => self.bytes(descriptor)?,
        };
        verify::shape(&self.repository, descriptor, &bytes, limits)?;
        Ok(bytes)
    }

    async fn read(&self, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Bytes> {
        let bytes = self.bytes(descriptor)?;
        let clamp = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes.slice(clamp(offset)..clamp(offset.saturating_add(length.into()))))
    }

    async fn open(&self, descriptor: &Descriptor) -> Result<ByteStream> {
        let bytes = self.bytes(descriptor)?;
        Ok(stream::iter([Ok(bytes)]).boxed())
    }

    /// The tags, each as an entry's `org.opencontainers.image.ref.name`, and the roots without one.
    async fn entries(&self, _: &Limits) -> Result<(Descriptor, Bytes)> {
        let named = |(tag, root): (&String, &Descriptor)| {
            let mut entry = root.clone();
            entry.annotations.insert(names::REF_NAME.into(), tag.clone());
            entry
        };
        let content = self.content();
        let entries: Vec<Descriptor> = content.tags.iter().map(named).chain(content.roots.iter().cloned()).collect();
        let bytes = Self::index(&entries);
        Ok((Descriptor::of(media_type::OCI_INDEX, &bytes), bytes))
    }

    async fn tags(&self, _: Option<&str>) -> Result<TagPage> {
        Ok(TagPage { tags: self.content().tags.keys().cloned().collect(), next: None })
    }

    /// In the order of their digests.
    async fn referrers(&self, digest: &Digest, artifact_type: Option<&str>, _: &Limits) -> Result<Bytes> {
        let content = self.content();
        let mut found: Vec<Descriptor> = content
            .blobs
            .values()
            .filter_map(|(descriptor, bytes)| referrer(descriptor, bytes, digest))
            .filter(|found| artifact_type.is_none() || found.artifact_type.as_deref() == artifact_type)
            .collect();
        found.sort_by(|one, other| one.digest.cmp(&other.digest));
        Ok(Self::index(&found))
    }

    fn sink(&self) -> Result<Box<dyn Sink>> {
        Ok(Box::new(MemorySink { memory: self.clone(), names: Mutex::default() }))
    }
}

/// One piece of writing. Names are given with the commit, as in a store.
struct MemorySink {
    memory: Memory,
    names: Mutex<Vec<(Descriptor, NewName)>>,
}

impl MemorySink {
    fn put(&self, descriptor: &Descriptor, bytes: Bytes) {
        self.memory.content().blobs.insert(descriptor.digest.clone(), (descriptor.bare(), bytes));
    }

    fn names(&self) -> MutexGuard<'_, Vec<(Descriptor, NewName)>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Sink for MemorySink {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool> {
        let content = self.memory.content();
        Ok(content.blobs.get(&descriptor.digest).is_some_and(|(_, bytes)| bytes.len() as u64 == descriptor.size))
    }

    async fn put_blob(&self, descriptor: &Descriptor, content: &dyn sink::Content) -> Result<()> {
        let bytes = collect(content.open().await?).await?;
        self.put(descriptor, bytes);
        Ok(())
    }

    async fn put_document(&self, document: &sink::Document) -> Result<Pushed> {
        let sink::Document { descriptor, bytes, name } = document;
        let name = name.as_deref().map(|name| NewName::parse(name, &descriptor.digest)).transpose();
        let name = name.map_err(|why| {
            Error::new(Code::InvalidReference, WRITE, self.memory.repository.as_str(), why.to_string())
        })?;
        let there = self.has(descriptor).await?;
        let named = match &name {
            None => true,
            Some(name) => self.memory.content().has(name, descriptor),
        };
        self.put(descriptor, bytes.clone());
        self.names().extend(name.map(|name| (descriptor.bare(), name)));
        Ok(Pushed { created: !(there && named), subject_processed: true })
    }

    async fn commit(&self) -> Result<()> {
        let mut content = self.memory.content();
        for (descriptor, name) in std::mem::take(&mut *self.names()) {
            match called(&name) {
                Some(name) => drop(content.tags.insert(name, descriptor)),
                None if content.has(&name, &descriptor) => {}
                None => content.roots.push(descriptor),
            }
        }
        Ok(())
    }
}

impl Content {
    fn has(&self, name: &NewName, descriptor: &Descriptor) -> bool {
        match called(name) {
            None => self.roots.iter().any(|root| root.digest == descriptor.digest),
            Some(name) => self.tags.get(&name).is_some_and(|root| root.digest == descriptor.digest),
        }
    }
}

/// The key of a name among the tags; none for a root without a name.
fn called(name: &NewName) -> Option<String> {
    match name {
        NewName::Tag(tag) => Some(tag.clone()),
        NewName::Full(name) => Some(name.resolved()),
        NewName::Root => None,
    }
}

/// How the referrers API would list a document, if its subject is `digest` (distribution-spec, "Listing Referrers").
fn referrer(descriptor: &Descriptor, bytes: &[u8], digest: &Digest) -> Option<Descriptor> {
    if !descriptor.is_document() {
        return None;
    }
    let (subject, artifact_type, annotations) = match Document::parse(bytes).ok()? {
        Document::Index(index) => (index.subject, index.artifact_type, index.annotations),
        Document::Manifest(manifest) => {
            let config_type = manifest.config.media_type;
            (manifest.subject, manifest.artifact_type.or(Some(config_type)), manifest.annotations)
        }
    };
    (subject?.digest == *digest).then(|| Descriptor { artifact_type, annotations, ..descriptor.clone() })
}

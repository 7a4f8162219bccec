//! Content in memory: for tests, and for embedders whose documents are in a place that this crate does not know.
//!
//! Answers as a registry does and as a store does: tags can be asked for and listed, the entries tell them too, and
//! referrers are looked up. What is put in is not checked; what comes out is, as everywhere.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use portolan_oci::{Descriptor, Digest, Document, Kind, media_type, names};
use serde_json::json;

use super::verify::{self, Verifier};
use super::{ByteStream, Source, TagPage, Target};
use crate::error::{Code, Error, Result};
use crate::limits::Limits;

/// A repository in memory. A [`Source`].
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
#[derive(Debug)]
pub struct Memory {
    repository: String,
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    blobs: HashMap<Digest, (Descriptor, Bytes)>,
    tags: BTreeMap<String, Descriptor>,
}

impl Memory {
    /// An empty one. `repository` is what runs will call it: `docker.io/library/alpine`, `oci-layout://STORE`.
    pub fn new(repository: impl Into<String>) -> Self {
        Memory { repository: repository.into(), content: Mutex::default() }
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

    /// The tags, each as an entry's `org.opencontainers.image.ref.name`.
    async fn entries(&self, _: &Limits) -> Result<(Descriptor, Bytes)> {
        let named = |(tag, root): (&String, &Descriptor)| {
            let mut entry = root.clone();
            entry.annotations.insert(names::REF_NAME.into(), tag.clone());
            entry
        };
        let bytes = Self::index(&self.content().tags.iter().map(named).collect::<Vec<_>>());
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
}

/// How the referrers API would list a document, if its subject is `digest` (distribution-spec, "Listing Referrers").
fn referrer(descriptor: &Descriptor, bytes: &[u8], digest: &Digest) -> Option<Descriptor> {
    if !matches!(descriptor.kind(), Kind::Index | Kind::Manifest) {
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

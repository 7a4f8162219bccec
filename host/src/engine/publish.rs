//! A component on its way into a registry, as [`Published`](super::Published) takes it from one: the CNCF's artifact for
//! WebAssembly.
//!
//! The same component with the same words and the same time is the same artifact. Not here: which name it gets, and whether
//! the registry takes it.

use std::collections::BTreeMap;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use portolan_oci::{Descriptor, media_type};
use serde_json::json;
use wasmparser::{Parser, Payload};

use super::load::{FRONTEND, STRATEGY};
use super::published::{ARCHITECTURE, CONFIG, LAYER, SYSTEM};
use super::shape::Shape;
use super::{Component, LoadError};
use crate::error::Result;
use crate::limits::Limits;
use crate::source::sink::{Content, Document, Sink};
use crate::source::{ByteStream, Source};

/// What a component may say of itself in a custom section of its own, as WebAssembly's tools write it, and the annotation
/// that says the same.
const SAID: [(&str, &str); 7] = [
    ("authors", "org.opencontainers.image.authors"),
    ("description", "org.opencontainers.image.description"),
    ("homepage", "org.opencontainers.image.url"),
    ("licenses", "org.opencontainers.image.licenses"),
    ("revision", "org.opencontainers.image.revision"),
    ("source", "org.opencontainers.image.source"),
    ("version", "org.opencontainers.image.version"),
];
/// Of the manifest: what it is called. Of its layer: what a file of it is called.
const TITLE: &str = "org.opencontainers.image.title";
/// As much of one as is read.
const WORDS: usize = 4 << 10;

/// A frontend or a strategy, to be published.
#[derive(Debug, Clone)]
pub struct Publication {
    component: Bytes,
    shape: Shape,
    created: SystemTime,
    annotations: BTreeMap<String, String>,
    /// What clients that pull files call it.
    file: Option<String>,
}

impl Publication {
    /// Of a component, with what it says of itself.
    ///
    /// # Errors
    /// What is neither frontend nor strategy, or was built for another contract.
    pub fn of(component: Component<'_>, limits: &Limits) -> Result<Publication, LoadError> {
        let (label, bytes) = (component.label(), component.read(limits)?);
        let shape = Shape::of(&bytes).map_err(|reason| LoadError::Invalid { component: label.clone(), reason })?;
        match shape.exports(STRATEGY) {
            true => shape.check(&label, "strategy", STRATEGY)?,
            false => shape.check(&label, "frontend", FRONTEND)?,
        }
        let (annotations, component) = (said(&bytes), Bytes::from(bytes.into_owned()));
        Ok(Publication { component, shape, created: SystemTime::UNIX_EPOCH, annotations, file: None })
    }

    /// When it was made; 1970 where nobody says.
    #[must_use]
    pub fn created(mut self, moment: SystemTime) -> Self {
        self.created = moment;
        self
    }

    /// The name of the file that it becomes where `oras pull` takes it.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>) -> Self {
        self.file = Some(name.into());
        self
    }

    /// An annotation of the manifest, in the place of what the component says.
    #[must_use]
    pub fn annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// The same where the component says nothing.
    #[must_use]
    pub fn otherwise(mut self, key: &str, value: impl Into<String>) -> Self {
        self.annotations.entry(key.to_owned()).or_insert_with(|| value.into());
        self
    }

    /// Stores it under a tag, which is given when all of it is there. The manifest, to be named by its digest.
    ///
    /// # Errors
    /// What the registry says.
    pub async fn push(&self, to: &dyn Source, tag: &str) -> Result<Descriptor> {
        let created = prost_types::Timestamp::from(self.created).to_string();
        let mut layer = Descriptor::of(LAYER, &self.component);
        layer.annotations.extend(self.file.iter().map(|file| (TITLE.to_owned(), file.clone())));
        let config = Bytes::from(
            json!({
                "created": created,
                "author": self.annotations.get("org.opencontainers.image.authors"),
                "architecture": ARCHITECTURE,
                "os": SYSTEM,
                "layerDigests": [layer.digest],
                "component": { "exports": self.shape.all_exports(), "imports": self.shape.all_imports(), "target": null },
            })
            .to_string(),
        );
        let described = Descriptor::of(CONFIG, &config);
        let mut annotations = self.annotations.clone();
        annotations.entry("org.opencontainers.image.created".into()).or_insert(created);
        let manifest = Bytes::from(
            json!({
                "schemaVersion": 2,
                "mediaType": media_type::OCI_MANIFEST,
                "config": described,
                "layers": [layer],
                "annotations": annotations,
            })
            .to_string(),
        );
        let sink = to.sink()?;
        blob(&*sink, &layer, &self.component).await?;
        blob(&*sink, &described, &config).await?;
        let descriptor = Descriptor::of(media_type::OCI_MANIFEST, &manifest);
        let document = Document { descriptor: descriptor.clone(), bytes: manifest, name: Some(tag.to_owned()) };
        sink.put_document(&document).await?;
        sink.commit().await?;
        Ok(descriptor)
    }
}

async fn blob(sink: &dyn Sink, descriptor: &Descriptor, bytes: &Bytes) -> Result<()> {
    match sink.has(descriptor).await? {
        true => Ok(()),
        false => sink.put_blob(descriptor, &Whole(bytes.clone())).await,
    }
}

struct Whole(Bytes);

#[async_trait]
impl Content for Whole {
    async fn open(&self) -> Result<ByteStream> {
        Ok(stream::iter([Ok(self.0.clone())]).boxed())
    }
}

/// What is said in custom sections of the component itself, not of what is inside it.
fn said(component: &[u8]) -> BTreeMap<String, String> {
    let (mut said, mut depth) = (BTreeMap::new(), 0_usize);
    for payload in Parser::new(0).parse_all(component).map_while(std::result::Result::ok) {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 && section.data().len() <= WORDS => {
                let annotation =
                    SAID.iter().find(|(name, _)| *name == section.name()).map(|(_, annotation)| *annotation);
                if let (Some(annotation), Ok(text)) = (annotation, std::str::from_utf8(section.data())) {
                    said.insert(annotation.to_owned(), text.to_owned());
                }
            }
            _ => {}
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bundled;

    #[test]
    fn a_component_speaks_for_itself() {
        let text = r#"(component
            (@custom "version" "1.2.3") (@custom "licenses" "MIT") (@custom "authors" "\ff") (@custom "other" "x")
            (core module (@custom "version" "not the component's"))
            (instance $i) (export "portolan:oci/frontend@0.1.0" (instance $i)))"#;
        let bytes = wat::parse_str(text).unwrap();
        let publication = Publication::of(Component::Bytes(&bytes), &Limits::default()).unwrap();
        let publication = publication
            .otherwise("org.opencontainers.image.version", "0")
            .otherwise("org.opencontainers.image.title", "t");
        let expected = [("licenses", "MIT"), ("title", "t"), ("version", "1.2.3")];
        let expected = expected.map(|(name, value)| (format!("org.opencontainers.image.{name}"), value.to_owned()));
        assert_eq!(publication.annotations, BTreeMap::from(expected));
        let publication = publication.annotation("org.opencontainers.image.version", "2");
        assert_eq!(publication.annotations["org.opencontainers.image.version"], "2");
    }

    #[test]
    fn what_is_no_plug_in_is_not_published() {
        let component = wat::parse_str("(component)").unwrap();
        for (bytes, says) in
            [(&b"\0asm\x01\0\0\0"[..], "core WebAssembly module"), (&component, "exports no `portolan:oci/frontend`")]
        {
            let error = Publication::of(Component::Bytes(bytes), &Limits::default()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        for bundled in [Bundled::Tags, Bundled::Strategy] {
            assert!(Publication::of(Component::Bundled(bundled), &Limits::default()).is_ok());
        }
    }
}

//! The image layout that a `manifest.json` amounts to: documents that nobody wrote, made here and held in memory, and the
//! members of the archive under their digests.
//!
//! The same archive always makes the same documents. Nothing is unpacked or changed: configs and layers are the bytes that
//! lie there. The manifest has OCI's types although docker wrote the config: the config is the same by either name
//! (image-spec, media-types.md), a layer of zstd has a type there, and skopeo, umoci and buildah take nothing else from a
//! layout, should the image be copied to one. It says of each layer whether it is compressed; skopeo calls them all gzip.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::rc::Rc;

use bytes::Bytes;
use portolan_oci::{Config, Descriptor, Digest, Platform, document, media_type, names};
use serde::Serialize;

use super::super::super::blob::Blob;
use super::super::super::store::{self, Missing, Place};
use super::super::opened::Opened;
use super::super::tar::{Kind, Member};
use super::super::unpack::Format;
use super::super::{DOCKER_MANIFEST, OPERATION};
use super::listed::{self, Listed};
use crate::error::{Code, Error, Result};
use crate::limits::Limits;

/// The annotation of an entry whose manifest was made here. Its digest is no other tool's.
pub const DERIVED_FROM: &str = "dev.portolan.derived-from";
/// What it says.
const FROM: &str = "manifest.json of a docker archive; the manifest and its digest are made by portolan";
/// Links that are followed, one after another.
const LINKS: usize = 8;

/// Documents and where the rest is.
#[derive(Debug)]
pub(super) struct Derived {
    index: Bytes,
    /// By digest.
    documents: HashMap<String, Bytes>,
    /// Names by digest.
    members: HashMap<String, Box<str>>,
}

impl Derived {
    /// Makes the documents of an archive; `subject` is how messages name it.
    pub(super) fn of(opened: &Opened, subject: &str, limits: &Limits) -> Result<Self> {
        let mut making = Making::new(opened, subject, limits);
        for image in &making.listed()? {
            making.image(image)?;
        }
        let Making { entries, mut derived, .. } = making;
        let index = MadeIndex { schema_version: 2, media_type: media_type::OCI_INDEX, manifests: &entries };
        derived.index = written(&index, subject)?;
        Ok(derived)
    }

    pub(super) fn find(&self, opened: &Opened, place: &Place<'_>) -> Result<Blob, Missing> {
        let Place::Blob(algorithm, hex) = place else {
            let bytes =
                if *place == Place::Index { self.index.clone() } else { Bytes::from_static(store::VERSION.as_bytes()) };
            return Ok(Blob::of_bytes(bytes));
        };
        let digest = format!("{}:{hex}", algorithm.as_str());
        match (self.documents.get(&digest), self.members.get(&digest)) {
            (Some(document), _) => Ok(Blob::of_bytes(document.clone())),
            (None, Some(name)) => opened.find(name),
            (None, None) => Err(Missing::Absent),
        }
    }
}

/// A manifest as it is written: in the order that Go's structs give it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MadeManifest {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MadeIndex<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: &'a [Descriptor],
}

fn written(document: &impl Serialize, subject: &str) -> Result<Bytes> {
    let written = serde_json::to_vec(document).map(Bytes::from);
    written.map_err(|error| Error::new(Code::Other, OPERATION, subject, error.to_string()))
}

/// The documents as far as they are made.
struct Making<'a> {
    opened: &'a Opened,
    subject: &'a str,
    limits: &'a Limits,
    /// By where they lie: an archive may name one many times.
    configs: HashMap<u64, Rc<Known>>,
    packed: HashMap<u64, Option<(Format, Digest)>>,
    /// Bytes that were read for the digests of compressed layers.
    hashed: u64,
    entries: Vec<Descriptor>,
    /// Bytes of entries.
    index_size: u64,
    /// Bytes of manifests.
    size: u64,
    derived: Derived,
}

/// What counts of a config. Steps of history, of which there may be a million, do not.
struct Known {
    descriptor: Descriptor,
    platform: Platform,
    diff_ids: Vec<Digest>,
}

/// The configs that `manifest.json` lists, by its names for them.
pub(super) fn configs(opened: &Opened, subject: &str, limits: &Limits) -> Result<Vec<(String, Digest)>> {
    let mut making = Making::new(opened, subject, limits);
    let images = making.listed()?;
    let config = |image: Listed| {
        let digest = making.config(&image.config)?.descriptor.digest.clone();
        Ok((image.config, digest))
    };
    images.into_iter().map(config).collect()
}

impl<'a> Making<'a> {
    fn new(opened: &'a Opened, subject: &'a str, limits: &'a Limits) -> Self {
        Making {
            opened,
            subject,
            limits,
            configs: HashMap::new(),
            packed: HashMap::new(),
            hashed: 0,
            entries: Vec::new(),
            index_size: 0,
            size: 0,
            derived: Derived { index: Bytes::new(), documents: HashMap::new(), members: HashMap::new() },
        }
    }

    fn listed(&self) -> Result<Vec<Listed>> {
        let bytes = self.document(DOCKER_MANIFEST)?;
        listed::read(&bytes).map_err(|why| self.malformed(format!("its {DOCKER_MANIFEST}: {why}")))
    }

    fn image(&mut self, image: &Listed) -> Result<()> {
        let known = self.config(&image.config)?;
        let (given, wanted) = (image.layers.len(), known.diff_ids.len());
        if given != wanted {
            let what = format!("has {given} layers in its {DOCKER_MANIFEST}, and {wanted} in its config");
            return Err(self.malformed(format!("the image of {:?} {what}", image.config)));
        }
        let layers = image.layers.iter().zip(&known.diff_ids).map(|(name, diff_id)| self.layer(name, diff_id));
        let layers: Vec<Descriptor> = layers.collect::<Result<_>>()?;
        let config = known.descriptor.clone();
        let manifest = MadeManifest { schema_version: 2, media_type: media_type::OCI_MANIFEST, config, layers };
        let manifest = written(&manifest, self.subject)?;
        let length = manifest.len() as u64;
        let mut entry = Descriptor::of(media_type::OCI_MANIFEST, &manifest);
        // An image may be listed many times.
        if self.derived.documents.insert(entry.digest.to_string(), manifest).is_none() {
            self.size = self.size.saturating_add(length);
        }
        let platform = &known.platform;
        entry.platform = (!platform.os.is_empty() && !platform.architecture.is_empty()).then(|| platform.clone());
        let names: Vec<_> = image.tags.iter().map(|tag| listed::names(tag)).collect();
        match names.is_empty() {
            true => self.entry(&entry, BTreeMap::new())?,
            false => {
                for (full, tag) in names {
                    let full = full.map(|full| (names::IMAGE_NAME.to_owned(), full));
                    let tag = (names::REF_NAME.to_owned(), tag);
                    self.entry(&entry, full.into_iter().chain([tag]).collect())?;
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &Descriptor, mut annotations: BTreeMap<String, String>) -> Result<()> {
        annotations.insert(DERIVED_FROM.into(), FROM.into());
        let entry = Descriptor { annotations, ..entry.clone() };
        let most = self.limits.index_entries;
        if self.entries.len() >= most {
            return Err(self.fail(Code::TooLarge, format!("it has more images than the limit, {most}")));
        }
        // Each has the platform of its config, which may be long.
        self.index_size = self.index_size.saturating_add(written(&entry, self.subject)?.len() as u64);
        if self.index_size > self.limits.entries {
            let most = self.limits.entries;
            return Err(
                self.fail(Code::TooLarge, format!("its images make an index of more bytes than the limit, {most}"))
            );
        }
        if self.size > self.limits.archive_documents {
            let most = self.limits.archive_documents;
            return Err(self.fail(Code::TooLarge, format!("its documents have more bytes than the limit, {most}")));
        }
        self.entries.push(entry);
        Ok(())
    }

    fn config(&mut self, name: &str) -> Result<Rc<Known>> {
        let (found, member) = self.member(name)?;
        let known = match self.configs.get(&member.offset) {
            Some(known) => known.clone(),
            None => self.read_config(name, found, member.offset)?,
        };
        let digest = &known.descriptor.digest;
        if let Some(hex) = promised(name).filter(|hex| *hex != digest.hex()) {
            let detail = format!("the config that is called {hex} has the digest {digest}");
            return Err(self.fail(Code::DigestMismatch, detail));
        }
        Ok(known)
    }

    fn read_config(&mut self, name: &str, found: Box<str>, offset: u64) -> Result<Rc<Known>> {
        let bytes = self.document(&found)?;
        let descriptor = Descriptor::of(media_type::OCI_CONFIG, &bytes);
        let malformed = |why: document::Malformed| self.malformed(format!("the config {name:?}: {why}"));
        document::check(media_type::OCI_CONFIG, &bytes, self.limits.index_entries).map_err(malformed)?;
        let Config { platform, diff_ids, .. } = Config::parse(&bytes).map_err(malformed)?;
        self.derived.members.insert(descriptor.digest.to_string(), found);
        let known = Rc::new(Known { descriptor, platform, diff_ids });
        self.configs.insert(offset, known.clone());
        Ok(known)
    }

    fn layer(&mut self, name: &str, diff_id: &Digest) -> Result<Descriptor> {
        let (found, member) = self.member(name)?;
        let packed = match self.packed.get(&member.offset) {
            Some(packed) => packed.clone(),
            None => {
                let most = self.limits.archive_unpacked;
                let packed = self.opened.packed(member, most.saturating_sub(self.hashed));
                let packed = packed.map_err(|failure| match failure.kind() {
                    ErrorKind::FileTooLarge => {
                        let detail = format!("its compressed layers have more bytes than the limit, {most}");
                        self.fail(Code::TooLarge, detail)
                    }
                    _ => self.fail(Code::Other, format!("reading its {found}: {failure}")),
                })?;
                if packed.is_some() {
                    self.hashed = self.hashed.saturating_add(member.size);
                }
                self.packed.insert(member.offset, packed.clone());
                packed
            }
        };
        let uncompressed = "application/vnd.oci.image.layer.v1.tar";
        let (media_type, digest) = match packed {
            None => (uncompressed.to_owned(), diff_id.clone()),
            Some((format, digest)) if format.is_read() => (format!("{uncompressed}+{}", format.name()), digest),
            Some((format, _)) => {
                let detail =
                    format!("its layer {name:?} is compressed with {}, which no manifest can say", format.name());
                return Err(self.fail(Code::Unsupported, detail));
            }
        };
        self.derived.members.insert(digest.to_string(), found);
        Ok(Descriptor::new(media_type, digest, member.size))
    }

    /// A document of the archive, of at most what one may have.
    fn document(&self, name: &str) -> Result<Vec<u8>> {
        self.opened.document(name, self.limits.document, self.subject)
    }

    /// The file that `manifest.json` means by a name: links are followed, inside the archive.
    fn member(&self, name: &str) -> Result<(Box<str>, &'a Member)> {
        let opened = self.opened;
        let outside = |what: &str| {
            let what = format!("its {DOCKER_MANIFEST} names {name:?}, which {what} out of the archive");
            self.malformed(what)
        };
        let mut place = listed::place("", name).ok_or_else(|| outside("leads"))?;
        for _ in 0..=LINKS {
            let Some(member) = opened.listing.members.get(place.as_str()) else {
                return Err(self.malformed(format!("its {DOCKER_MANIFEST} names {name:?}, and it has no {place:?}")));
            };
            let link = match (member.kind, &member.link) {
                (Kind::File, _) => return Ok((place.into(), member)),
                (Kind::Link, Some(link)) => link,
                (kind, _) => {
                    let kind = kind.name();
                    return Err(
                        self.malformed(format!("its {DOCKER_MANIFEST} names {name:?}, and {place:?} is {kind}"))
                    );
                }
            };
            let folder = place.rsplit_once('/').map_or("", |(folder, _)| folder);
            let folder = if link.hard { "" } else { folder };
            place = listed::place(folder, &link.target).ok_or_else(|| outside("is a link"))?;
        }
        Err(self.malformed(format!("{name:?} is a link, and more than {LINKS} lead on from there")))
    }

    fn fail(&self, code: Code, detail: String) -> Error {
        Error::new(code, OPERATION, self.subject, detail)
    }

    fn malformed(&self, detail: String) -> Error {
        self.fail(Code::Malformed, detail)
    }
}

/// The digest's digits that a config's name promises: `HEX.json` of docker, `sha256:HEX` of crane, `blobs/sha256/HEX`.
fn promised(name: &str) -> Option<&str> {
    let name = name.rsplit('/').next().unwrap_or(name);
    let hex = name.strip_suffix(".json").unwrap_or(name);
    let hex = hex.strip_prefix("sha256:").unwrap_or(hex);
    Digest::parse(&format!("sha256:{hex}")).is_ok().then_some(hex)
}

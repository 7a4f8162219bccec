//! `--format imagetools`: what `docker buildx imagetools inspect --format '{{json .}}'` of buildx 0.36 prints.
//!
//! Scripts read that, so it is reproduced, not bettered: which entries count as images, under which keys, which fields
//! survive, and in which order. Where buildx leaves the order to chance (it fetches side by side, and the last to arrive
//! wins a key that two entries share), the order here is the index's.
//!
//! Not the place for what Portolan itself has to say of an image: that is [`crate::picture`].

use portolan_oci::go::{self, Shape, Value};
use portolan_oci::{Descriptor, Digest, Index, Kind, Manifest, Platform, attestation as attested, media_type};
use portolan_sdk::traverse::{self, Attestation, NESTING, Predicate, Root};
use portolan_sdk::{Failure, Host, code};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Annotations that name what an attestation manifest speaks of, in the order buildx looks at them.
const SUBJECTS: [&str; 2] = ["com.docker.reference.digest", "vnd.docker.reference.digest"];

/// What buildx's loader finds below a root.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Images by normalised platform, without version and features: the last entry of a platform counts.
    images: BTreeMap<String, Image>,
    /// Attestation manifests by the digest they speak of, in file order.
    attestations: BTreeMap<String, Vec<Descriptor>>,
}

#[derive(Debug)]
struct Image {
    digest: Digest,
    config: Vec<u8>,
}

impl Loaded {
    /// Reads what is below the root, as buildx does: every entry that is a manifest and names no subject is an image.
    ///
    /// # Errors
    /// A document that cannot be fetched or does not read, and indexes nested deeper than eight levels.
    pub fn read(ctx: &impl Host, root: &Root) -> Result<Loaded, Failure> {
        let mut walk = Walk {
            ctx,
            repository: &root.repository,
            seen: BTreeSet::new(),
            found: Vec::new(),
            attestations: BTreeMap::new(),
        };
        walk.enter(&root.descriptor, &root.bytes, 0)?;
        let configs: Vec<Descriptor> = walk.found.iter().map(|(_, manifest)| manifest.config.clone()).collect();
        traverse::prefetch(ctx, &root.repository, &configs);
        let machine = ctx.platform();
        let mut images = BTreeMap::new();
        for (entry, manifest) in walk.found {
            let config = ctx.fetch(&root.repository, &manifest.config)?;
            let platform = match entry.platform {
                Some(platform) => platform,
                None => platform_of(&read(&config, "config", &manifest.config.digest)?),
            };
            images.insert(platform.normalized(&machine).short(), Image { digest: entry.digest, config });
        }
        Ok(Loaded { images, attestations: walk.attestations })
    }

    /// Leaves only the images whose manifests are among `chosen`.
    pub fn retain(&mut self, chosen: &BTreeSet<Digest>) {
        self.images.retain(|_, image| chosen.contains(&image.digest));
    }
}

struct Walk<'a, H> {
    ctx: &'a H,
    repository: &'a str,
    /// Indexes that were read: reading one again would find the same.
    seen: BTreeSet<Digest>,
    /// Images in file order, with their entries.
    found: Vec<(Descriptor, Manifest)>,
    attestations: BTreeMap<String, Vec<Descriptor>>,
}

impl<H: Host> Walk<'_, H> {
    fn enter(&mut self, entry: &Descriptor, bytes: &[u8], depth: usize) -> Result<(), Failure> {
        match (entry.kind(), subject(entry)) {
            (Kind::Index, _) => {}
            (_, Some(subject)) => {
                self.attestations.entry(subject.to_owned()).or_default().push(entry.clone());
                return Ok(());
            }
            (_, None) => {
                self.found.push((entry.clone(), Manifest::parse(bytes)?));
                return Ok(());
            }
        }
        if !self.seen.insert(entry.digest.clone()) {
            return Ok(());
        }
        if depth > NESTING {
            let message =
                format!("{} is an index inside {NESTING} others: that is as deep as indexes are read", entry.digest);
            return Err(Failure::of(code::TOO_LARGE, message));
        }
        let mut below = Index::parse(bytes)?.manifests;
        below.retain(|child| child.is_document());
        // What speaks of an image is read only when somebody asks what it says.
        let is_read = |child: &&Descriptor| child.kind() == Kind::Index || subject(child).is_none();
        let ahead: Vec<Descriptor> = below.iter().filter(is_read).map(Descriptor::bare).collect();
        traverse::prefetch(self.ctx, self.repository, &ahead);
        for child in below {
            let bytes = match is_read(&&child) {
                true => self.ctx.fetch(self.repository, &child)?,
                false => Vec::new(),
            };
            self.enter(&child, &bytes, depth + 1)?;
        }
        Ok(())
    }
}

/// What an attestation manifest speaks of, by its entry.
fn subject(entry: &Descriptor) -> Option<&str> {
    SUBJECTS.iter().find_map(|name| entry.annotations.get(*name)).map(String::as_str)
}

/// What buildx takes of a config whose entry names no platform: these three, and no os.version.
fn platform_of(config: &Value<'_>) -> Platform {
    let text = |name| match config.member(name) {
        Some(Value::Text(text)) => text.clone().into_owned(),
        _ => String::new(),
    };
    Platform { os: text("os"), architecture: text("architecture"), variant: text("variant"), ..Platform::default() }
}

/// `{{json .}}`: the name as it was typed, the root, and each image's config.
///
/// # Errors
/// A document that Go could not read into its structs.
pub fn everything(typed: &str, root: &Root, loaded: &Loaded) -> Result<String, Failure> {
    let digest = &root.descriptor.digest;
    let document = read(&root.bytes, "root", digest)?;
    let entry = serde_json::to_vec(&root.descriptor).unwrap_or_default();
    let entry = read(&entry, "descriptor", digest)?;
    let manifest = manifest(root, &document, &shape(&go::DESCRIPTOR, &entry, "descriptor", digest)?)?;

    let mut images = Vec::with_capacity(loaded.images.len());
    for (platform, image) in &loaded.images {
        let config = read(&image.config, "config of", &image.digest)?;
        if config != Value::Null {
            images.push((Cow::Borrowed(platform.as_str()), shape(&go::IMAGE, &config, "config of", &image.digest)?));
        }
    }
    let mut members =
        vec![(Cow::Borrowed("name"), Value::Text(Cow::Borrowed(typed))), (Cow::Borrowed("manifest"), manifest)];
    // A map is left out where it is empty, a pointer where it is nil; one image stands without its platform.
    if loaded.images.len() > 1 && !images.is_empty() {
        members.push((Cow::Borrowed("image"), Value::Map(images)));
    } else if let Some((_, image)) = images.pop() {
        members.push((Cow::Borrowed("image"), image));
    }
    Ok(go::print(&Value::Map(members)))
}

/// A manifest is shown as its descriptor, an index as its document with digest and size put in.
fn manifest<'a>(root: &Root, document: &Value<'a>, entry: &Value<'a>) -> Result<Value<'a>, Failure> {
    if root.descriptor.kind() != Kind::Index {
        return Ok(entry.clone());
    }
    let Value::Map(members) = shape(&go::INDEX, document, "index", &root.descriptor.digest)? else {
        return Ok(entry.clone());
    };
    let mut shown = Vec::with_capacity(members.len() + 2);
    for (key, value) in members {
        // The two stand between what says which kind of document it is and its entries.
        if key == "manifests" {
            for name in ["digest", "size"] {
                shown.extend(entry.member(name).map(|value| (Cow::Borrowed(name), value.clone())));
            }
        }
        shown.push((key, value));
    }
    Ok(Value::Map(shown))
}

/// `{{json .SBOM}}`: the SPDX documents of each image, further ones of an image under `AdditionalSPDXs`.
///
/// # Errors
/// An attestation that cannot be fetched or does not read.
pub fn sbom(ctx: &impl Host, root: &Root, loaded: &Loaded) -> Result<String, Failure> {
    stubs(loaded, "SPDX", |entries| {
        let mut documents = Vec::new();
        for entry in entries {
            for said in attestation(ctx, root, entry)?.predicates().filter(is_spdx) {
                documents.push(traverse::statement(ctx, &root.repository, &said)?);
            }
        }
        Ok(documents)
    })
}

/// `{{json .Provenance}}`: one document of each image. Of an attestation manifest the first counts, of several
/// manifests the last.
///
/// # Errors
/// An attestation that cannot be fetched or does not read.
pub fn provenance(ctx: &impl Host, root: &Root, loaded: &Loaded) -> Result<String, Failure> {
    stubs(loaded, "SLSA", |entries| {
        for entry in entries.iter().rev() {
            if let Some(said) = attestation(ctx, root, entry)?.predicates().find(is_provenance) {
                return Ok(vec![traverse::statement(ctx, &root.repository, &said)?]);
            }
        }
        Ok(Vec::new())
    })
}

/// What buildx takes for a statement: in-toto's media types alone, and of SPDX its own predicate alone.
fn is_spdx(said: &Predicate<'_>) -> bool {
    media_type::is_statement(&said.descriptor.media_type) && said.predicate_type == attested::SPDX
}

fn is_provenance(said: &Predicate<'_>) -> bool {
    media_type::is_statement(&said.descriptor.media_type) && said.is_provenance()
}

fn attestation(ctx: &impl Host, root: &Root, entry: &Descriptor) -> Result<Attestation, Failure> {
    let bytes = ctx.fetch(&root.repository, entry)?;
    Ok(Attestation { descriptor: entry.clone(), manifest: Manifest::parse(&bytes)? })
}

/// What Go prints of the predicates that `documents` finds in an image's attestations: one image's alone, several
/// images' by platform, those without any left out.
fn stubs(
    loaded: &Loaded,
    name: &str,
    documents: impl Fn(&[Descriptor]) -> Result<Vec<Vec<u8>>, Failure>,
) -> Result<String, Failure> {
    let mut found = Vec::new();
    for (platform, image) in &loaded.images {
        let attestations = loaded.attestations.get(image.digest.as_str()).map(Vec::as_slice).unwrap_or_default();
        found.push((platform, &image.digest, documents(attestations)?));
    }
    let mut stubs = Vec::new();
    for (platform, digest, documents) in &found {
        let mut predicates = Vec::with_capacity(documents.len());
        for document in documents {
            let statement = read(document, "attestation of", digest)?;
            let predicate = statement.take("predicate").unwrap_or(Value::Null).through_any();
            predicates.push(predicate.map_err(|error| unlike("attestation of", digest, &error))?);
        }
        let mut predicates = predicates.into_iter();
        let Some(first) = predicates.next() else { continue };
        let mut stub = Vec::new();
        if first != Value::Null {
            stub.push((Cow::Borrowed(name), first));
        }
        if predicates.len() > 0 {
            stub.push((Cow::Owned(format!("Additional{name}s")), Value::List(predicates.collect())));
        }
        stubs.push((Cow::Borrowed(platform.as_str()), Value::Map(stub)));
    }
    let shown = match (loaded.images.len(), stubs.pop()) {
        (0 | 1, Some((_, only))) => only,
        (_, last) => Value::Map(stubs.into_iter().chain(last).collect()),
    };
    Ok(go::print(&shown))
}

fn read<'a>(bytes: &'a [u8], what: &str, digest: &Digest) -> Result<Value<'a>, Failure> {
    go::read(bytes).map_err(|error| unlike(what, digest, &error))
}

fn shape<'a>(shape: &Shape, value: &Value<'a>, what: &str, digest: &Digest) -> Result<Value<'a>, Failure> {
    shape.through(Some(value)).map_err(|error| unlike(what, digest, &error))
}

fn unlike(what: &str, digest: &Digest, error: &go::Malformed) -> Failure {
    Failure::malformed(format!("the {what} {digest} is not what Go's programs read: {error}"))
}

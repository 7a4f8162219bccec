//! What a layout on disk and an archive share: both hold files under the names that the image layout specification
//! gives them, and everything else follows from that.
//!
//! A medium implements [`Files`], one lookup by name; [`Source`] comes with it. Names are made here, from constants and
//! digests alone ([`Place`]), so that nothing else in a folder or an archive can be asked for.

use std::fmt;
use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
pub(super) use portolan_oci::layout::Place;
use portolan_oci::layout::VERSION_FILE;
use portolan_oci::{Descriptor, Digest, Index, Location, document, layout, media_type, names};

use super::blob::{Blob, UNPACK, Verified, code, collect, pieces, work_on};
use super::sink::Sink;
use super::verify::{self, Verifier};
use super::{ByteStream, Source, Target};
use crate::error::{Code, Error, Result};
use crate::limits::Limits;

/// The `oci-layout` file of what we write.
pub(super) const VERSION: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
/// Names that a message lists.
const NAMES_SHOWN: usize = 3;
/// How large an index.json may be to be searched for a message. A guest can ask for what is not there as often as it
/// can call, so a message must not cost much.
const SEARCHED: u64 = 256 << 10;

/// Files under the names of the image layout specification.
pub(super) trait Files: Send + Sync + 'static {
    /// The repository as the contract writes it.
    fn repository(&self) -> &str;

    /// What this is, for a sentence: `layout`, `archive`.
    fn medium(&self) -> &'static str;

    /// The file in this place.
    fn find(&self, place: &Place<'_>) -> Result<Blob, Missing>;

    /// What was verified already.
    fn verified(&self) -> &Verified;

    /// Starts writing.
    fn sink(&self) -> Result<Box<dyn Sink>>;
}

/// Where the content of a digest is; fails for an algorithm that nobody here can compute.
pub(super) fn place_of<'a>(store: &str, digest: &'a Digest) -> Result<Place<'a>> {
    Place::of(digest).ok_or_else(|| verify::unknown_algorithm("fetch", verify::content(store, digest)))
}

/// Why there is no file in a place.
#[derive(Debug)]
pub(super) enum Missing {
    /// Nothing has that name.
    Absent,
    /// Something has it, or stands in its way, that is no file: what, and what kind of thing that is.
    NoFile(String, &'static str),
    /// It came by once, and was not kept.
    Gone(String),
    /// We may not read it.
    Forbidden(String),
    /// Anything else.
    Failed(io::Error),
}

impl Missing {
    /// The error of an operation that needed the file.
    pub(super) fn explain(self, operation: &'static str, subject: String, place: &impl fmt::Display) -> Error {
        let (code, detail) = match self {
            Missing::Gone(what) => {
                let detail = format!("its {what} came by and was not kept: of standard input, documents are");
                return Error::new(Code::Unsupported, operation, subject, detail)
                    .with_hint("save the archive to a file first, and name that");
            }
            Missing::Absent => (Code::NotFound, format!("it has no {place}")),
            Missing::NoFile(what, kind) => {
                (Code::Malformed, format!("its {what} is {kind}; plain files are read, and links not followed"))
            }
            Missing::Forbidden(what) => (Code::Forbidden, format!("no permission to read its {what}")),
            Missing::Failed(failure) => (Code::Other, format!("reading its {place}: {failure}")),
        };
        Error::new(code, operation, subject, detail)
    }
}

/// Fails unless the `oci-layout` file is there and says version 1. `subject` is what is being opened.
pub(super) fn check_version(files: &impl Files, operation: &'static str, subject: &str) -> Result<()> {
    let place = Place::Version;
    let fail = |code, detail: String| Error::new(code, operation, subject, detail);
    let malformed = |detail: String| fail(Code::Malformed, format!("its {place} file {detail}"));
    let blob = match files.find(&place) {
        Err(Missing::Absent) => {
            let detail = format!("it has no {place} file, as an image {} must", files.medium());
            return Err(fail(Code::Malformed, detail)
                .with_hint(r#"if it is one, add the file: {"imageLayoutVersion":"1.0.0"}"#));
        }
        found => found.map_err(|missing| missing.explain(operation, subject.to_owned(), &place))?,
    };
    if blob.length() > VERSION_FILE {
        return Err(malformed(format!("has {} bytes, where thirty are usual", blob.length())));
    }
    let bytes = blob.read(0, VERSION_FILE).map_err(|failure| fail(Code::Other, failure.to_string()))?;
    layout::check_version(&bytes).map_err(malformed)
}

#[async_trait]
impl<F: Files> Source for F {
    fn repository(&self) -> String {
        Files::repository(self).into()
    }

    async fn resolve(&self, target: Target<'_>, limits: &Limits) -> Result<Descriptor> {
        let digest = match target {
            Target::Digest(digest) => digest,
            Target::Tag(_) => {
                return Err(self.unsupported("resolve a tag in", "a store knows digests; its entries tell the names"));
            }
        };
        let fail = |code, detail: String| Error::new(code, "resolve", verify::content(&shown(self), digest), detail);
        let blob = find_blob(self, digest).await?;
        let mut root = Descriptor::new(String::new(), digest.clone(), blob.length());
        if root.size > limits.document {
            let detail = format!("{} bytes; an index or a manifest has at most {}", root.size, limits.document);
            return Err(fail(Code::TooLarge, detail));
        }
        check_at_hand(&blob, "resolve", self, digest)?;
        let bytes = collect(pieces(blob, Verifier::new(&shown(self), &root)?)).await?;
        root.media_type =
            document::media_type_of(&bytes, false).map_err(|malformed| fail(Code::Malformed, malformed.to_string()))?;
        Ok(root)
    }

    async fn fetch(&self, descriptor: &Descriptor, limits: &Limits) -> Result<Bytes> {
        let repository = shown(self);
        verify::admit(&repository, descriptor, limits)?;
        let bytes = match verify::embedded(descriptor) {
            Some(bytes) => bytes,
            None => {
                let (blob, verifier) = find_told(self, descriptor).await?;
                check_at_hand(&blob, "fetch", self, &descriptor.digest)?;
                collect(pieces(blob, verifier)).await?
            }
        };
        let (descriptor, limits, document) = (descriptor.clone(), limits.clone(), bytes.clone());
        work_on(bytes.len() as u64, move || verify::shape(&repository, &descriptor, &document, &limits)).await??;
        Ok(bytes)
    }

    /// The whole blob is at hand, so that all of it is verified, once, before any part of it is handed out.
    async fn read(&self, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Bytes> {
        let (blob, verifier) = find_told(self, descriptor).await?;
        let stamp = blob.stamp().map_err(|failure| failed(self, "read", &failure))?;
        if !self.verified().has(&descriptor.digest, stamp) {
            pieces(blob.clone(), verifier).try_for_each(async |_| Ok(())).await?;
            self.verified().insert(descriptor.digest.clone(), stamp);
        }
        let part = work_on(blob.work(length.into()), move || blob.read(offset, length.into())).await?;
        Ok(part.map_err(|failure| failed(self, "read", &failure))?.into())
    }

    async fn open(&self, descriptor: &Descriptor) -> Result<ByteStream> {
        let (blob, verifier) = find_told(self, descriptor).await?;
        Ok(pieces(blob, verifier))
    }

    fn sink(&self) -> Result<Box<dyn Sink>> {
        Files::sink(self)
    }

    async fn entries(&self, limits: &Limits) -> Result<(Descriptor, Bytes)> {
        let operation = "read the entries of";
        let blob =
            self.find(&Place::Index).map_err(|missing| missing.explain(operation, shown(self), &Place::Index))?;
        if blob.length() > limits.entries {
            let detail = format!("its index.json has {} bytes, where {} are the limit", blob.length(), limits.entries);
            return Err(Error::new(Code::TooLarge, operation, shown(self), detail));
        }
        let (length, most) = (blob.length(), limits.index_entries);
        let work = blob.work(length);
        let read = move || {
            let bytes = blob.read(0, length)?;
            let checked = document::check(media_type::OCI_INDEX, &bytes, most);
            let descriptor = Descriptor::new(media_type::OCI_INDEX, Digest::sha256(&bytes), bytes.len() as u64);
            io::Result::Ok((checked.map(|()| descriptor), bytes))
        };
        let (checked, bytes) = work_on(work, read).await?.map_err(|failure| failed(self, operation, &failure))?;
        let malformed =
            |reason| Error::new(Code::Malformed, operation, shown(self), format!("its index.json: {reason}"));
        Ok((checked.map_err(malformed)?, bytes.into()))
    }
}

/// The blob of a descriptor, of the size that it says, and what will verify it.
async fn find_told(files: &impl Files, descriptor: &Descriptor) -> Result<(Blob, Verifier)> {
    let verifier = Verifier::new(&shown(files), descriptor)?;
    let blob = find_blob(files, &descriptor.digest).await?;
    verifier.expect(blob.length())?;
    Ok((blob, verifier))
}

/// Fails for a document that was not kept: unpacking all of an archive again for each of them would take for ever.
fn check_at_hand(blob: &Blob, operation: &'static str, files: &impl Files, digest: &Digest) -> Result<()> {
    if blob.is_at_hand() {
        return Ok(());
    }
    let detail = "it was not kept when the archive was unpacked: it is no JSON, or the documents have too many bytes";
    Err(Error::new(Code::TooLarge, operation, verify::content(&shown(files), digest), detail).with_hint(UNPACK))
}

async fn find_blob(files: &impl Files, digest: &Digest) -> Result<Blob> {
    let subject = verify::content(&shown(files), digest);
    let place = place_of(&shown(files), digest)?;
    match files.find(&place) {
        Ok(blob) => Ok(blob),
        Err(Missing::Absent) => {
            let detail = match entries_of(files, digest).await {
                None => format!("it has no {place}"),
                Some(names) if names.is_empty() => format!("index.json names it, but there is no {place}"),
                Some(names) => format!("index.json names it ({}), but there is no {place}", names.join(", ")),
            };
            Err(Error::new(Code::NotFound, "fetch", subject, detail))
        }
        Err(missing) => Err(missing.explain("fetch", subject, &place)),
    }
}

/// The names under which the entries have a digest, some of them; `None` where no entry has it. For messages: what is
/// large, or cannot be read, says nothing.
async fn entries_of(files: &impl Files, digest: &Digest) -> Option<Vec<String>> {
    let (descriptor, bytes) = files.entries(&Limits { entries: SEARCHED, ..Limits::default() }).await.ok()?;
    let digest = digest.clone();
    let names = move || {
        let entries = Index::parse(&bytes).ok()?.manifests;
        let mut named = entries.iter().filter(|entry| entry.digest == digest).peekable();
        named.peek()?;
        Some(named.filter_map(names::entry_name).map(|name| name.to_string()).take(NAMES_SHOWN).collect())
    };
    work_on(descriptor.size, names).await.ok()?
}

/// How messages name a store: as it was typed.
pub(super) fn shown(files: &impl Files) -> String {
    as_typed(Files::repository(files))
}

/// The same of a repository of the contract's.
pub(super) fn as_typed(repository: &str) -> String {
    Location::parse(repository).map_or_else(|_| repository.to_owned(), |location| location.shown())
}

fn failed(files: &impl Files, operation: &'static str, failure: &io::Error) -> Error {
    Error::new(code(failure), operation, shown(files), failure.to_string())
}

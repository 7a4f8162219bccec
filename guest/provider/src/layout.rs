//! A store: an OCI layout in a folder that the runtime opened under the store's name.
//!
//! Not here: which entry a name means. A strategy judges that.

use portolan_oci::document;
use portolan_oci::layout::{self, Place, VERSION_FILE};
use portolan_oci::location::decode_store;
use portolan_oci::media_type::{self, Kind};
use portolan_oci::verify::{Unverified, Verifier};
use portolan_oci::{Code, Descriptor, Digest, Scheme, Store, limits};

use crate::error::{Error, Result};
use crate::folder::{File, Folder, Missing};

/// A layout, opened.
pub(crate) struct Layout {
    folder: Folder,
    /// As it was typed.
    shown: String,
    /// The blob that was verified last: whoever reads ranges reads the next one of the same blob.
    verified: Option<(Digest, File)>,
}

impl Layout {
    /// Opens the store of that name.
    pub(crate) fn open(store: &Store, operation: &str) -> Result<Layout> {
        let name = decode_store(&store.name);
        let shown = format!("{}://{name}", store.scheme);
        let fail = |code, operation: &str, detail: &str| Error::new(code, operation, &shown, detail);
        let unsupported = match store.scheme {
            Scheme::OciLayout => None,
            Scheme::OciArchive | Scheme::DockerArchive => {
                Some("a bundle reads layouts in folders, not archives: unpack it (tar -xf) and give the folder")
            }
            Scheme::Buildkit | Scheme::Containerd => Some("a bundle cannot talk to a daemon; portolan can"),
        };
        if let Some(detail) = unsupported {
            return Err(fail(Code::Unsupported, operation, detail));
        }
        let Some(folder) = Folder::named(&name) else {
            let detail = format!("no folder was opened under that name: `wasmtime run --dir DIR::/{name}` opens one");
            return Err(fail(Code::Denied, operation, &detail));
        };
        let operation = "open the layout";
        match folder.find(&Place::Index) {
            Err(Missing::Absent) => {
                return Err(fail(Code::NotFound, operation, "it has no index.json, so it is no image layout"));
            }
            // Whatever else is wrong with it is found when it is read.
            _ => {}
        }
        check_version(&folder).map_err(|(code, detail)| fail(code, operation, &detail))?;
        Ok(Layout { folder, shown, verified: None })
    }

    /// The store as it was typed, for messages.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// The root of that digest, which must be an index or a manifest.
    pub(crate) fn resolve(&self, digest: &Digest) -> Result<Descriptor> {
        let file = self.blob(digest)?;
        let fail = |code, detail: &str| Error::new(code, "resolve", &self.content(digest), detail);
        let size = file.length();
        if size > limits::DOCUMENT {
            let most = limits::DOCUMENT;
            let detail = format!("{size} bytes; an index or a manifest has at most {most}");
            return Err(fail(Code::TooLarge, &detail));
        }
        let bytes = self.verified_bytes(&file, &Descriptor::new(String::new(), digest.clone(), size))?;
        let media_type =
            document::media_type_of(&bytes, false).map_err(|reason| fail(Code::Malformed, &reason.to_string()))?;
        Ok(Descriptor::new(media_type, digest.clone(), size))
    }

    /// index.json as it is now.
    pub(crate) fn entries(&self) -> Result<(Descriptor, Vec<u8>)> {
        let operation = "read the entries of";
        let fail = |code, detail: &str| Error::new(code, operation, &self.shown, detail);
        let file = self.folder.find(&Place::Index).map_err(|missing| {
            let (code, detail) = explain(missing, &Place::Index);
            fail(code, &detail)
        })?;
        if file.length() > limits::ENTRIES {
            let (length, most) = (file.length(), limits::ENTRIES);
            let detail = format!("its index.json has {length} bytes, where {most} are the limit");
            return Err(fail(Code::TooLarge, &detail));
        }
        let bytes = file.read_all(0, file.length()).map_err(|reason| fail(Code::Other, &reason))?;
        document::check(media_type::OCI_INDEX, &bytes, limits::INDEX_ENTRIES)
            .map_err(|reason| fail(Code::Malformed, &format!("its index.json: {reason}")))?;
        Ok((Descriptor::of(media_type::OCI_INDEX, &bytes), bytes))
    }

    /// A document, verified.
    pub(crate) fn fetch(&self, descriptor: &Descriptor) -> Result<Vec<u8>> {
        admit(&self.shown, descriptor)?;
        let bytes = self.verified_bytes(&self.blob(&descriptor.digest)?, descriptor)?;
        check(&self.shown, descriptor, &bytes)?;
        Ok(bytes)
    }

    /// At most `length` bytes from `offset`. All of the blob is verified, once, before any part of it is handed out.
    pub(crate) fn read(&mut self, descriptor: &Descriptor, offset: u64, length: u64) -> Result<Vec<u8>> {
        let digest = &descriptor.digest;
        let file = match self.verified.take() {
            Some((known, file)) if known == *digest && file.unchanged() && file.length() == descriptor.size => file,
            _ => {
                let file = self.blob(digest)?;
                self.verify(&file, descriptor, |_| ())?;
                file
            }
        };
        let part = file.read_all(offset, length.min(descriptor.size.saturating_sub(offset)));
        self.verified = Some((digest.clone(), file));
        part.map_err(|reason| Error::new(Code::Other, "read", &self.content(digest), &reason))
    }

    fn blob(&self, digest: &Digest) -> Result<File> {
        let subject = || self.content(digest);
        let place = Place::of(digest).ok_or_else(|| unverified(&subject(), &Unverified::Algorithm))?;
        self.folder.find(&place).map_err(|missing| {
            let (code, detail) = explain(missing, &place);
            Error::new(code, "fetch", &subject(), &detail)
        })
    }

    fn verified_bytes(&self, file: &File, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        self.verify(file, descriptor, |mut piece| match all.is_empty() {
            true => all = piece,
            false => all.append(&mut piece),
        })?;
        Ok(all)
    }

    fn verify(&self, file: &File, descriptor: &Descriptor, mut each: impl FnMut(Vec<u8>)) -> Result<()> {
        let mut verified = || {
            let mut verifier = Verifier::new(descriptor).map_err(Stopped::Unverified)?;
            verifier.expect(file.length()).map_err(Stopped::Unverified)?;
            file.read(0, descriptor.size, |piece| {
                verifier.update(&piece).map_err(Stopped::Unverified)?;
                each(piece);
                Ok::<(), Stopped>(())
            })?;
            verifier.finish().map_err(Stopped::Unverified)
        };
        let subject = || self.content(&descriptor.digest);
        verified().map_err(|stopped| match stopped {
            Stopped::Unverified(why) => unverified(&subject(), &why),
            Stopped::Unread(reason) => Error::new(Code::Other, "read", &subject(), &reason),
        })
    }

    fn content(&self, digest: &Digest) -> String {
        content(&self.shown, digest)
    }
}

/// Why a blob was not verified.
enum Stopped {
    Unverified(Unverified),
    Unread(String),
}

impl From<String> for Stopped {
    fn from(reason: String) -> Self {
        Stopped::Unread(reason)
    }
}

/// How messages name content.
pub(crate) fn content(repository: &str, digest: &Digest) -> String {
    format!("{repository}@{digest}")
}

/// Refuses a document that says itself that it is too large, before anything is read.
pub(crate) fn admit(repository: &str, descriptor: &Descriptor) -> Result<()> {
    let limit = match media_type::kind(&descriptor.media_type) {
        Kind::Index | Kind::Manifest | Kind::Config => limits::DOCUMENT,
        _ => limits::ATTESTATION,
    };
    if descriptor.size <= limit {
        return Ok(());
    }
    let detail = format!("{} bytes of {}, where {limit} are the limit", descriptor.size, descriptor.media_type);
    Err(Error::new(Code::TooLarge, "fetch", &content(repository, &descriptor.digest), &detail))
}

/// Whether a document is of the shape that its media type says.
pub(crate) fn check(repository: &str, descriptor: &Descriptor, bytes: &[u8]) -> Result<()> {
    document::check(&descriptor.media_type, bytes, limits::INDEX_ENTRIES).map_err(|reason| {
        Error::new(Code::Malformed, "fetch", &content(repository, &descriptor.digest), &reason.to_string())
    })
}

/// The error of content that is not what was asked for.
pub(crate) fn unverified(subject: &str, why: &Unverified) -> Error {
    Error::new(why.code(), "fetch", subject, &why.to_string())
}

fn check_version(folder: &Folder) -> Result<(), (Code, String)> {
    let place = Place::Version;
    let malformed = |detail: String| (Code::Malformed, format!("its {place} file {detail}"));
    let file = match folder.find(&place) {
        Err(Missing::Absent) => {
            return Err((Code::Malformed, format!("it has no {place} file, as an image layout must")));
        }
        found => found.map_err(|missing| explain(missing, &place))?,
    };
    if file.length() > VERSION_FILE {
        return Err(malformed(format!("has {} bytes, where thirty are usual", file.length())));
    }
    let bytes = file.read_all(0, VERSION_FILE).map_err(|reason| (Code::Other, reason))?;
    layout::check_version(&bytes).map_err(malformed)
}

fn explain(missing: Missing, place: &Place<'_>) -> (Code, String) {
    match missing {
        Missing::Absent => (Code::NotFound, format!("it has no {place}")),
        Missing::NoFile(what, kind) => {
            (Code::Malformed, format!("its {what} is {kind}; plain files are read, and links not followed"))
        }
        Missing::Forbidden(what) => (Code::Forbidden, format!("no permission to read its {what}")),
        Missing::Failed(reason) => (Code::Other, format!("reading its {place}: {reason}")),
    }
}

//! Documents by digest on disk, and beside each who may see it.
//!
//! ```text
//! FOLDER/sha256/ab/abcd…          the bytes
//! FOLDER/sha256/ab/abcd….access   REPOSITORY IDENTITY, a line for each way it was got
//! FOLDER/tags/ab/abcd…            REPOSITORY:TAG IDENTITY TIME TYPE DIGEST SIZE, a line for each who asked
//! FOLDER/uploads/abcd…            where an upload goes on (`push/unfinished`)
//! FOLDER/salt                     what identities are hashed with
//! ```
//!
//! A digest is no secret, so knowing one opens nothing: a document is handed to a run only if the same repository once
//! gave it to anybody, or to the same credentials. Bytes are verified when they are read, so nothing is ever synced, and a
//! document that was damaged is fetched again. A cache that cannot be read or written is no cache, never an error.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use portolan_oci::{Descriptor, Digest};

use super::credentials::Credential;
use crate::private;

/// Of an access file, no more is read; one that grew larger starts anew.
const ACCESS: u64 = 64 << 10;
/// Of other people who asked what a tag means, so many are remembered.
const OTHERS: usize = 20;

/// Who got a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity(String);

impl Identity {
    /// Whoever has no credentials.
    pub(super) fn anybody() -> Identity {
        Identity("anybody".to_owned())
    }
}

/// A folder of documents that are private to this user.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: PathBuf,
    /// Whether the folder is ours alone, which is found out when it is needed first.
    private: Arc<OnceLock<bool>>,
    salt: Arc<OnceLock<Option<[u8; 32]>>>,
}

/// What a tag meant when it was last asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remembered {
    pub descriptor: Descriptor,
    pub at: SystemTime,
    identity: String,
}

impl Remembered {
    /// Whether `identity` was told so, or anybody.
    pub(super) fn is_for(&self, identity: &Identity) -> bool {
        self.identity == identity.0 || self.identity == Identity::anybody().0
    }

    fn line(&self, subject: &str) -> String {
        let at = self.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let Descriptor { media_type, digest, size, .. } = &self.descriptor;
        format!("{subject} {} {at} {media_type} {digest} {size}\n", self.identity)
    }

    /// Reads a line; `None` for one that is none, or about something else.
    fn read(line: &str, subject: &str) -> Option<Remembered> {
        let [about, identity, at, media_type, digest, size] = *line.split(' ').collect::<Vec<_>>() else { return None };
        let at = UNIX_EPOCH.checked_add(Duration::from_secs(at.parse().ok()?))?;
        let descriptor = Descriptor::new(media_type, Digest::parse(digest).ok()?, size.parse().ok()?);
        (about == subject).then(|| Remembered { descriptor, at, identity: identity.to_owned() })
    }
}

/// A document that is there, whoever may see it.
pub(super) struct Entry {
    document: PathBuf,
    access: String,
}

impl Cache {
    pub(super) fn new(folder: PathBuf) -> Cache {
        Cache { folder, private: Arc::default(), salt: Arc::default() }
    }

    /// What is known of `digest`.
    pub(super) fn look(&self, digest: &Digest) -> Option<Entry> {
        let document = self.path(digest)?;
        let mut access = String::new();
        File::open(access_path(&document)).ok()?.take(ACCESS).read_to_string(&mut access).ok()?;
        Some(Entry { document, access })
    }

    /// Keeps a document that was verified, for `repository` and whoever got it there.
    pub(super) fn keep(&self, digest: &Digest, bytes: &Bytes, repository: &str, identity: &Identity) {
        let kept = self.path(digest).map(|path| write(&path, bytes, repository, identity));
        if let Some(Err(error)) = kept {
            tracing::debug!(%digest, %error, "the document is not cached");
        }
    }

    /// Keeps what `REPOSITORY:TAG` means now, for who was told.
    pub(super) fn remember(&self, subject: &str, descriptor: &Descriptor, identity: &Identity) {
        let Some(path) = self.tag(subject) else { return };
        let new = Remembered { descriptor: descriptor.clone(), at: SystemTime::now(), identity: identity.0.clone() };
        let others = self.recall(subject).into_iter().filter(|known| known.identity != new.identity);
        let lines: String = [new.clone()].into_iter().chain(others.take(OTHERS)).map(|it| it.line(subject)).collect();
        let folder = path.parent().unwrap_or(&path);
        let written = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        if let Err(error) = written.and_then(|()| replace(folder, &path, lines.as_bytes())) {
            tracing::debug!(subject, %error, "what the tag means is not kept");
        }
    }

    /// What `REPOSITORY:TAG` meant, to everybody who asked.
    pub(super) fn recall(&self, subject: &str) -> Vec<Remembered> {
        let mut text = String::new();
        let file = self.tag(subject).and_then(|path| File::open(path).ok());
        if file.is_none_or(|file| file.take(ACCESS).read_to_string(&mut text).is_err()) {
            return Vec::new();
        }
        text.lines().filter_map(|line| Remembered::read(line, subject)).collect()
    }

    /// Where it is written down how the upload of a blob (`REPOSITORY@DIGEST`) by this identity goes on.
    pub(super) fn upload(&self, subject: &str, identity: &Identity) -> Option<PathBuf> {
        if !self.is_private() {
            return None;
        }
        let folder = self.folder.join("uploads");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
        Some(folder.join(Digest::sha256(format!("{subject} {}", identity.0).as_bytes()).hex()))
    }

    /// The subject has characters that are none of a file's name, so that its digest is the name.
    fn tag(&self, subject: &str) -> Option<PathBuf> {
        let digest = Digest::sha256(subject.as_bytes());
        self.is_private()
            .then(|| self.folder.join("tags").join(digest.hex().get(..2).unwrap_or_default()).join(digest.hex()))
    }

    /// The identity of credentials: nothing that tells them, nor the same on two machines. `None` where no salt can be had.
    pub(super) fn identity(&self, credential: &Credential) -> Option<Identity> {
        if !self.is_private() {
            return None;
        }
        let salt = self.salt.get_or_init(|| salt(&self.folder).ok()).as_ref()?;
        let (kind, user) = match credential {
            Credential::Password { user, .. } => ("password", user.as_str()),
            Credential::Identity { user, .. } => ("identity", user.as_str()),
            Credential::Bearer(_) => ("bearer", ""),
        };
        let mut text = salt.to_vec();
        for part in [kind, user, credential.secret().reveal()] {
            text.extend_from_slice(&(part.len() as u64).to_le_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        Some(Identity(Digest::sha256(&text).hex().to_owned()))
    }

    /// Whoever else may write there could plant links and fifos, and read who may see what.
    fn is_private(&self) -> bool {
        *self.private.get_or_init(|| {
            private::folder(&self.folder)
                .inspect_err(|reason| tracing::warn!("documents are not kept: {reason}"))
                .is_ok()
        })
    }

    /// None for an algorithm that we do not compute: its text is not ours to make a path of.
    fn path(&self, digest: &Digest) -> Option<PathBuf> {
        if !self.is_private() {
            return None;
        }
        // A digest that was not made by our parser is not made a path either.
        let digest = Digest::parse(digest.as_str()).ok()?;
        let algorithm = digest.algorithm()?.as_str();
        Some(self.folder.join(algorithm).join(digest.hex().get(..2)?).join(digest.hex()))
    }
}

impl Entry {
    /// Whether `identity` got it from `repository`, or anybody did.
    pub(super) fn allows(&self, repository: &str, identity: &Identity) -> bool {
        self.identities(repository).any(|known| known == identity.0 || known == Identity::anybody().0)
    }

    /// Whether anybody got it from `repository` with credentials, so that it is worth finding ours.
    pub(super) fn is_private(&self, repository: &str) -> bool {
        self.identities(repository).any(|known| known != Identity::anybody().0)
    }

    /// How many bytes it has, if they are what they should be.
    pub(super) fn size(&self) -> Option<u64> {
        self.document.metadata().ok().map(|metadata| metadata.len())
    }

    /// The document, if it still is what its digest says.
    pub(super) fn read(&self, digest: &Digest, size: u64) -> Option<Bytes> {
        let mut bytes = Vec::new();
        File::open(&self.document).ok()?.take(size.saturating_add(1)).read_to_end(&mut bytes).ok()?;
        if bytes.len() as u64 == size && digest.matches(&bytes) {
            return Some(bytes.into());
        }
        // Damaged, or written by somebody who lied about it: next time it is fetched and written again.
        let _ = fs::remove_file(&self.document);
        None
    }

    fn identities(&self, repository: &str) -> impl Iterator<Item = &str> {
        self.access
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(move |line| line.0 == repository)
            .map(|line| line.1)
    }
}

fn access_path(document: &Path) -> PathBuf {
    document.with_extension("access")
}

fn write(path: &Path, bytes: &Bytes, repository: &str, identity: &Identity) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if !path.exists() {
        replace(folder, path, bytes)?;
    }
    let line = format!("{repository} {}\n", identity.0);
    let access = access_path(path);
    match fs::read_to_string(&access) {
        Ok(known) if known.lines().any(|known| known == line.trim_end()) => Ok(()),
        Ok(known) if known.len() as u64 > ACCESS / 2 => replace(folder, &access, line.as_bytes()),
        // Short lines that are appended do not mix; one that a crash cut short matches nobody.
        _ => OpenOptions::new().create(true).append(true).mode(0o600).open(access)?.write_all(line.as_bytes()),
    }
}

/// Writes beside and renames, so that nobody sees half a file.
fn replace(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".new").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path)?;
    Ok(())
}

/// Random, made once, and kept from everybody else. It keeps identities from being compared or looked up elsewhere.
fn salt(folder: &Path) -> io::Result<[u8; 32]> {
    let path = folder.join("salt");
    let mut salt = [0; 32];
    if let Ok(mut file) = File::open(&path) {
        file.read_exact(&mut salt)?;
        return Ok(salt);
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut salt)
        .map_err(|_| io::Error::other("no randomness"))?;
    let mut file = tempfile::Builder::new().prefix(".new").tempfile_in(folder)?;
    file.write_all(&salt)?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(salt),
        // Another process was first; its salt is the salt.
        Err(_) => File::open(&path)?.read_exact(&mut salt).map(|()| salt),
    }
}

#[cfg(test)]
mod tests {
    use super::super::credentials::Secret;
    use super::*;

    const REPOSITORY: &str = "r.example/team/app";

    fn password(user: &str, password: &str) -> Credential {
        Credential::Password { user: user.to_owned(), password: Secret::new(password) }
    }

    #[test]
    fn who_may_see_what() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("cache"));
        let (bytes, digest) = (Bytes::from_static(b"{}"), Digest::sha256(b"{}"));
        assert!(cache.look(&digest).is_none());

        let ada = cache.identity(&password("ada", "pw")).unwrap();
        cache.keep(&digest, &bytes, REPOSITORY, &ada);
        let entry = cache.look(&digest).unwrap();
        for (identity, repository, seen) in [
            (cache.identity(&password("ada", "pw")), REPOSITORY, true),
            (cache.identity(&password("ada", "guessed")), REPOSITORY, false),
            (cache.identity(&password("eve", "pw")), REPOSITORY, false),
            (cache.identity(&Credential::Bearer(Secret::new("pw"))), REPOSITORY, false),
            (Some(Identity::anybody()), REPOSITORY, false),
            (cache.identity(&password("ada", "pw")), "r.example/team/other", false),
            (cache.identity(&password("ada", "pw")), "r.example/team", false),
        ] {
            assert_eq!(entry.allows(repository, &identity.unwrap()), seen, "{repository}");
        }
        assert!(entry.is_private(REPOSITORY) && !entry.is_private("r.example/team/other"));

        cache.keep(&digest, &bytes, "r.example/public", &Identity::anybody());
        let entry = cache.look(&digest).unwrap();
        assert!(entry.allows("r.example/public", &Identity::anybody()));
        assert!(entry.allows("r.example/public", &ada), "what anybody got, everybody may see");
        assert!(!entry.allows(REPOSITORY, &Identity::anybody()), "but only where anybody got it");
        assert_eq!(entry.read(&digest, 2), Some(bytes));
    }

    #[test]
    fn damaged_documents_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("documents"));
        let (bytes, digest) = (Bytes::from_static(b"{}"), Digest::sha256(b"{}"));
        for damage in [&b"{"[..], b"{ ", b"{}}", b""] {
            cache.keep(&digest, &bytes, REPOSITORY, &Identity::anybody());
            let entry = cache.look(&digest).unwrap();
            assert_eq!(entry.read(&digest, 2), Some(bytes.clone()));
            fs::write(&entry.document, damage).unwrap();
            assert_eq!(entry.read(&digest, 2), None, "{damage:?}");
            assert!(!entry.document.exists());
        }
    }

    #[test]
    fn nothing_leaks_into_the_folder_and_nothing_leads_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("documents"));
        let (bytes, digest) = (Bytes::from_static(b"{}"), Digest::sha256(b"{}"));
        let otto = cache.identity(&password("otto", "hunter2")).unwrap();
        cache.keep(&digest, &bytes, REPOSITORY, &otto);
        cache.keep(&digest, &bytes, REPOSITORY, &otto);
        let access = fs::read_to_string(access_path(&cache.path(&digest).unwrap())).unwrap();
        assert_eq!(access.lines().count(), 1);
        assert!(!access.contains("hunter2") && !access.contains("otto"), "{access}");
        let strange = Digest::parse_any("x+y:../../../etc").ok();
        assert!(strange.is_none_or(|digest| cache.path(&digest).is_none()));
        let other = Cache::new(folder.path().join("other"));
        assert_ne!(other.identity(&password("otto", "hunter2")), Some(otto), "each folder has its salt");
    }

    #[test]
    fn an_access_file_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path().join("documents"));
        let (bytes, digest) = (Bytes::from_static(b"{}"), Digest::sha256(b"{}"));
        for number in 0..2_000 {
            cache.keep(&digest, &bytes, &format!("r.example/a-rather-long-name/{number}"), &Identity::anybody());
        }
        assert!(fs::metadata(access_path(&cache.path(&digest).unwrap())).unwrap().len() < ACCESS);
        assert!(cache.look(&digest).unwrap().allows("r.example/a-rather-long-name/1999", &Identity::anybody()));
    }
}

//! Compiled code, kept from one process to the next.
//!
//! Compiled code is code, whoever wrote the component: it is read only from a folder that nobody but us may write to, and
//! only what this very engine made of these very components. wasmtime keeps a cache as well, but compresses what it keeps
//! and takes 12 ms to have a bundled frontend ready, which is more than everything else that a process does to answer one
//! question; a file of ours is mapped in a third of a millisecond.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use portolan_oci::Digest;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::private;

/// Files that are kept; those written longest ago go first. A frontend has one for each strategy, and a few megabytes.
const FILES: usize = 64;
const EXTENSION: &str = "cwasm";

#[derive(Debug)]
pub(super) struct Compiled {
    /// `None` where nothing is kept.
    folder: Option<PathBuf>,
}

impl Compiled {
    /// Keeps files below `cache_dir`, if they are safe there.
    pub(super) fn open(cache_dir: Option<&Path>) -> Self {
        let folder = cache_dir.and_then(|cache_dir| {
            private::folder(&cache_dir.join("compiled"))
                .inspect_err(|reason| tracing::warn!("compiled code is not kept: {reason}"))
                .ok()
        });
        Compiled { folder }
    }

    /// What a frontend and a strategy are kept as.
    pub(super) fn key(engine: &Engine, frontend: &Digest, strategy: &Digest) -> Digest {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let engine = hasher.finish();
        Digest::sha256(format!("{} {engine:x} {frontend} {strategy}", env!("CARGO_PKG_VERSION")).as_bytes())
    }

    /// The code under `key`; what does not load is compiled again.
    #[allow(unsafe_code, reason = "there is no safe way to take compiled code from anywhere")]
    pub(super) fn get(&self, engine: &Engine, key: &Digest) -> Option<Component> {
        let file = self.file(key)?;
        fs::symlink_metadata(&file).ok().filter(fs::Metadata::is_file)?;
        // SAFETY: the bytes are what `Component::serialize` gave us, as `put` wrote them whole before it named the file;
        // nobody but us may write to the folder, and what is mapped is never changed: a file is only ever replaced by
        // another or unlinked. The engine checks that its version and its settings are those that made it.
        let code = unsafe { Component::deserialize_file(engine, &file) };
        code.inspect_err(|error| tracing::debug!("{} is of no use: {error:#}", file.display())).ok()
    }

    /// Keeps code under `key`. Not being able to is no reason to fail.
    pub(super) fn put(&self, key: &Digest, code: &Component) {
        let Some(file) = self.file(key) else { return };
        if let Err(error) = self.write(&file, code) {
            tracing::debug!("{} is not kept: {error:#}", file.display());
        }
    }

    fn write(&self, file: &Path, code: &Component) -> anyhow::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
        temporary.write_all(&code.serialize()?)?;
        // On disk before it has its name: half of it must not be run after a crash.
        temporary.as_file().sync_all()?;
        temporary.persist(file)?;
        prune(folder)?;
        Ok(())
    }

    fn file(&self, key: &Digest) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(key.hex()).with_extension(EXTENSION))
    }
}

/// Lets the oldest files go.
fn prune(folder: &Path) -> std::io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let written = entry.metadata()?.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        files.push((written, entry.path()));
    }
    files.sort_unstable();
    let excess = files.len().saturating_sub(FILES);
    for (_, file) in files.into_iter().take(excess) {
        // Another process may have been faster.
        let _ = fs::remove_file(file);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine() -> Engine {
        super::super::config::engine(&crate::Limits::default(), None).unwrap()
    }

    fn keys() -> [Digest; 2] {
        let engine = engine();
        let (one, other) = (Digest::sha256(b"1"), Digest::sha256(b"2"));
        [Compiled::key(&engine, &one, &other), Compiled::key(&engine, &other, &one)]
    }

    #[test]
    fn what_was_kept_is_found_and_what_is_broken_is_not() {
        let scratch = tempfile::tempdir().unwrap();
        let (engine, [key, other]) = (engine(), keys());
        let code = Component::new(&engine, wat::parse_str("(component)").unwrap()).unwrap();
        let compiled = Compiled::open(Some(scratch.path()));
        assert!(compiled.get(&engine, &key).is_none());
        compiled.put(&key, &code);
        assert!(compiled.get(&engine, &key).is_some());
        assert!(compiled.get(&engine, &other).is_none());

        for broken in [&b""[..], b"\x7fELF", b"rubbish"] {
            fs::write(compiled.file(&other).unwrap(), broken).unwrap();
            assert!(compiled.get(&engine, &other).is_none());
        }
        compiled.put(&other, &code);
        assert!(compiled.get(&engine, &other).is_some());

        let nowhere = Compiled::open(None);
        nowhere.put(&key, &code);
        assert!(nowhere.get(&engine, &key).is_none());
    }

    #[test]
    fn only_so_many_are_kept() {
        let scratch = tempfile::tempdir().unwrap();
        for number in 0..FILES + 5 {
            fs::write(scratch.path().join(number.to_string()), "").unwrap();
        }
        prune(scratch.path()).unwrap();
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), FILES);
    }
}

//! Archives and layouts, as somebody else made them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};

use portolan::source::Source;
use portolan::source::archive::Archive;
use portolan::source::archive::docker::DockerArchive;
use portolan::source::layout::Layout;
use portolan::source::sink::Document;
use portolan::{Code, Error, Limits, Result};
use portolan_oci::{Descriptor, Digest, Index, media_type};
use serde_json::value::RawValue;

use crate::scratch;

/// Little enough that nothing takes long.
fn limits() -> Limits {
    Limits { archive_unpacked: 4 << 20, ..Limits::default() }
}

/// An archive: what its headers say is inside of it, every way to read it comes to the same, and what another reader finds
/// is what we find where both take it.
///
/// A wrong checksum is all that most changed headers come to, so that each archive is tried a second time with right ones.
pub fn tar(data: &[u8]) {
    archive(data);
    let mut right = data.to_vec();
    if summed(&mut right) {
        archive(&right);
    }
}

/// Puts right checksums into what looks like a header; whether that changed anything.
fn summed(archive: &mut [u8]) -> bool {
    let mut changed = false;
    for block in archive.chunks_exact_mut(512).filter(|block| block[257..].starts_with(b"ustar")) {
        let old = block[148..156].to_vec();
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        changed |= block[148..156] != old;
    }
    changed
}

fn archive(data: &[u8]) {
    let limits = limits();
    let (file, opened, docker) = scratch::with(|folder| {
        let file = folder.join("archive.tar");
        fs::write(&file, data).expect("a file");
        let opened = Archive::open_within(&file, "oci-archive://a", &limits);
        let docker = DockerArchive::open_within(&file, "docker-archive://a", &limits);
        (file, opened, docker)
    });
    let file = file.display().to_string();

    let received = Archive::receive(Cursor::new(data.to_vec()), "oci-archive://a", &limits);
    same(&entries(&opened), &entries(&received), &file);
    let received = DockerArchive::receive(Cursor::new(data.to_vec()), "docker-archive://a", &limits);
    same(&entries(&docker), &entries(&received), &file);

    let Ok(opened) = opened else { return };
    let Some(files) = theirs(data) else { return };
    if let Ok((_, index)) = scratch::wait(opened.entries(&limits)) {
        assert_eq!(files.get("index.json").map(Vec::as_slice), Some(&index[..]), "index.json");
    }
    for (name, content) in &files {
        let Some(hex) = name.strip_prefix("blobs/sha256/") else { continue };
        let Ok(digest) = Digest::parse(&format!("sha256:{hex}")) else { continue };
        let is_right = digest.matches(content);
        let descriptor = Descriptor::new("application/x-anything", digest, content.len() as u64);
        match scratch::wait(opened.read(&descriptor, 0, u32::MAX)) {
            Ok(bytes) => assert!(is_right && bytes == content, "{name}"),
            Err(error) => {
                assert!(!is_right, "{name}: {error}");
                assert_eq!(error.code(), Code::DigestMismatch, "{name}: {error}");
            }
        }
    }
}

type Entries = Result<Vec<u8>>;

fn entries<S: Source>(source: &Result<S>) -> Entries {
    let source = source.as_ref().map_err(Error::clone)?;
    Ok(scratch::wait(source.entries(&limits()))?.1.to_vec())
}

/// Read where it lies or as it comes by, an archive is the same, or broken. (Not always of the same kind: nobody knows how
/// much of a stream is left, so that a size that is too large is found to be so first.)
fn same(file: &Entries, stream: &Entries, name: &str) {
    match (file, stream) {
        (Ok(file), Ok(stream)) => assert_eq!(file, stream),
        (Err(file), Err(stream)) => {
            let codes = [file.code(), stream.code()];
            assert!(!codes.contains(&Code::Other), "what was checked is not there: {file} | {stream}");
        }
        _ => panic!("{name}: {file:?} as a file, {stream:?} as a stream"),
    }
}

/// The plain files as the crate `tar` reads them, the last one of a name; none where it cannot.
fn theirs(data: &[u8]) -> Option<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in tar_crate(data).entries().ok()? {
        let mut entry = entry.ok()?;
        let name = String::from_utf8(entry.path_bytes().into_owned()).ok()?;
        let name = name.trim_start_matches("./").to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).ok()?;
        match entry.header().entry_type().is_file() {
            true => files.insert(name, content),
            false => files.remove(&name),
        };
    }
    Some(files)
}

fn tar_crate(data: &[u8]) -> ::tar::Archive<&[u8]> {
    ::tar::Archive::new(data)
}

/// What is written into the layouts.
const MANIFEST: &[u8] = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;
const NAME: &str = "written-by-us";

/// The entries of a layout: each is written as it was read, and where a name is added, all others stay as they were, byte
/// for byte.
pub fn index_json(data: &[u8]) {
    scratch::with(|folder| {
        let folder = folder.join("layout");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a file");
        fs::write(folder.join("index.json"), data).expect("a file");
        let limits = Limits::default();
        let layout = Layout::open(&folder, "oci-layout://l").expect("a layout");
        let read = || scratch::wait(layout.entries(&limits));
        let before = read();
        let added = add(&layout);
        let Ok((descriptor, bytes)) = before else {
            return assert!(added.is_err(), "what cannot be read was written");
        };
        assert!(bytes == data && descriptor.digest.matches(data));
        // What an entry says is looked at by who reads it.
        let Ok(Index { manifests: listed, .. }) = Index::parse(data) else {
            return assert!(added.is_err(), "what cannot be read was written");
        };
        for entry in &listed {
            let written = serde_json::to_vec(entry).expect("it is data");
            assert_eq!(serde_json::from_slice::<Descriptor>(&written).ok().as_ref(), Some(entry));
        }
        let (_, after) = read().expect("it was read before");
        if let Err(error) = added {
            return assert!(after == data, "it was not written ({error}), and changed");
        }
        let ours = Digest::sha256(MANIFEST);
        let is_ours = |entry: &&Descriptor| entry.digest == ours;
        assert!(Index::parse(&after).expect("we wrote it").manifests.iter().any(|entry| is_ours(&entry)));
        // An entry that was there for it, or under its name, is changed instead.
        let is_named = |entry: &Descriptor| entry.annotations.values().any(|value| value.contains(NAME));
        if listed.iter().any(|entry| is_ours(&entry) || is_named(entry)) {
            return;
        }
        let (old, new) = (raw_entries(data), raw_entries(&after));
        assert_eq!(new.len(), old.len() + 1);
        assert!(new.iter().zip(&old).all(|(new, old)| new.get() == old.get()));
    });
}

fn add(layout: &Layout) -> Result<()> {
    let descriptor = Descriptor::of(media_type::OCI_MANIFEST, MANIFEST);
    let document = Document { descriptor, bytes: MANIFEST.into(), name: Some(NAME.into()) };
    scratch::wait(async {
        let sink = layout.sink()?;
        sink.put_document(&document).await?;
        sink.commit().await
    })
}

fn raw_entries(index: &[u8]) -> Vec<Box<RawValue>> {
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(index).expect("it was checked");
    let list = fields.get("manifests").map_or("null", |list| list.get());
    serde_json::from_str::<Option<Vec<Box<RawValue>>>>(list).expect("it was checked").unwrap_or_default()
}

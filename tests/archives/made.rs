//! Archives that a test makes, member by member.

use std::fs;

use portolan::Result;
use portolan::source::archive::Archive;
use portolan_oci::Descriptor;
use portolan_tests::layout as made;
use tar::{Builder, EntryType, Header};
use tempfile::NamedTempFile;

/// An archive in a file of its own, which lives as long as this does.
pub struct Made {
    pub file: NamedTempFile,
}

impl Made {
    pub fn of(bytes: &[u8]) -> Self {
        let file = NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        Made { file }
    }

    pub fn open(&self) -> Result<Archive> {
        Archive::open(self.file.path(), "oci-archive://here")
    }
}

/// A tar in the making. Names are written as they are, whatever they are.
pub struct Tar(pub Builder<Vec<u8>>);

impl Tar {
    pub fn new() -> Self {
        Tar(Builder::new(Vec::new()))
    }

    /// One that is a layout, but for its index.json.
    pub fn layout() -> Self {
        Tar::new().file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)
    }

    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        self.member(EntryType::Regular, name, content.as_ref())
    }

    pub fn blob(self, content: &[u8]) -> Self {
        let name = blob_name(&Descriptor::of("a/b", content));
        self.file(&name, content)
    }

    pub fn index(self, entries: &[Descriptor]) -> Self {
        self.file("index.json", made::index(entries))
    }

    /// A link as docker and skopeo write them.
    pub fn link(mut self, kind: EntryType, name: &str, target: &str) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        self.0.append_link(&mut header, name, target).unwrap();
        self
    }

    pub fn member(mut self, kind: EntryType, name: &str, content: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("oci-layout").unwrap();
        }
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    pub fn made(self) -> Made {
        Made::of(&self.bytes())
    }
}

pub fn blob_name(descriptor: &Descriptor) -> String {
    format!("blobs/{}", descriptor.digest.as_str().replace(':', "/"))
}

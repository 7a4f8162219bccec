//! What was read in this run. A component lives for one run, and everything is read once: a document that is asked for
//! again is the same bytes, and an index.json stays what it was.
//!
//! Pure.

use std::collections::BTreeMap;

use portolan_oci::{Code, Descriptor, limits};

use crate::error::{Error, Result};

/// Documents by repository, media type and digest.
#[derive(Debug, Default)]
pub struct Memory {
    documents: BTreeMap<(String, String, String), Vec<u8>>,
    /// The entries of stores.
    entries: BTreeMap<String, Descriptor>,
    bytes: u64,
}

impl Memory {
    /// A document that was read before.
    pub fn document(&self, repository: &str, descriptor: &Descriptor) -> Option<Vec<u8>> {
        let found = self.documents.get(&key(repository, descriptor))?;
        (found.len() as u64 == descriptor.size).then(|| found.clone())
    }

    /// Keeps one, and counts it.
    ///
    /// # Errors
    /// `budget`, where there were too many before.
    pub fn keep(&mut self, repository: &str, descriptor: &Descriptor, bytes: &[u8]) -> Result<()> {
        self.count(repository, bytes.len() as u64)?;
        self.documents.insert(key(repository, descriptor), bytes.to_vec());
        Ok(())
    }

    /// What the entries of a store were.
    pub fn entries(&self, repository: &str) -> Option<Descriptor> {
        self.entries.get(repository).cloned()
    }

    /// Keeps what they are, and their document.
    ///
    /// # Errors
    /// As [`keep`](Memory::keep).
    pub fn keep_entries(&mut self, repository: &str, descriptor: &Descriptor, bytes: &[u8]) -> Result<()> {
        self.keep(repository, descriptor, bytes)?;
        self.entries.insert(repository.to_owned(), descriptor.clone());
        Ok(())
    }

    /// Counts bytes that are handed out; there is an end to them, as with the host.
    ///
    /// # Errors
    /// `budget`, where there were too many before.
    pub fn count(&mut self, repository: &str, bytes: u64) -> Result<()> {
        let all = self.bytes.saturating_add(bytes);
        if all > limits::RUN_DOCUMENTS {
            let most = limits::RUN_DOCUMENTS >> 20;
            let detail = format!("the run used up the {most} MiB of documents that it may read");
            return Err(Error::new(Code::Budget, "read from", repository, &detail));
        }
        self.bytes = all;
        Ok(())
    }
}

fn key(repository: &str, descriptor: &Descriptor) -> (String, String, String) {
    (repository.to_owned(), descriptor.media_type.clone(), descriptor.digest.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_document_of_the_same_repository() {
        let mut memory = Memory::default();
        let told = Descriptor::of("a/b", b"hello");
        memory.keep("oci-layout://x", &told, b"hello").unwrap();
        assert_eq!(memory.document("oci-layout://x", &told).unwrap(), b"hello");
        assert_eq!(memory.document("oci-layout://y", &told), None);
        assert_eq!(memory.document("oci-layout://x", &Descriptor { size: 4, ..told.clone() }), None);
        assert_eq!(memory.document("oci-layout://x", &Descriptor { media_type: "a/c".into(), ..told }), None);
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut memory = Memory::default();
        assert!(memory.count("oci-layout://x", limits::RUN_DOCUMENTS).is_ok());
        assert_eq!(memory.count("oci-layout://x", 1).unwrap_err().code, Code::Budget);
    }
}

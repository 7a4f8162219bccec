//! An archive that comes by once: compressed, or from standard input. There are no offsets to come back to, so documents
//! are kept as they come by, and nothing else is.
//!
//! What is a document cannot be known before an index names it, which may come last; but documents are JSON and layers are
//! not, and the first byte that is no space tells. What is kept is bounded by [`Limits::archive_documents`]; a document
//! beyond that is treated as a layer. Where the file can be unpacked again, small layers are kept besides. Nothing that goes by is verified here: what is kept is when it is handed out.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read};

use bytes::Bytes;
use portolan_oci::Digest;

use super::super::blob::{hash, skip};
use super::Meant;
use super::opened::packing;
use super::tar::{Kind, Member, Tape};
use super::unpack::{Format, Unpacked};
use crate::limits::Limits;

/// How much of a member is looked at to see what it is: a tar's first header tells that it is one.
pub(super) const LOOK: u64 = 512;
/// What is kept whatever it is, up to half of the room: unpacking all that is before it would take longer than reading it.
const SMALL: u64 = 64 << 10;

/// What was kept, by where it lay.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Documents.
    pub documents: HashMap<u64, Bytes>,
    /// The digests of members that are compressed themselves.
    pub packed: HashMap<u64, (Format, Digest)>,
}

/// A stream as a tape.
pub(super) struct Pass<'a> {
    stream: Unpacked,
    position: u64,
    meant: Meant,
    /// How large a member may be that is kept whatever it is.
    small: u64,
    limits: &'a Limits,
    kept: Kept,
    /// Bytes of documents.
    size: u64,
}

impl<'a> Pass<'a> {
    /// `again` is whether there will be other passes.
    pub(super) fn new(stream: Unpacked, meant: Meant, again: bool, limits: &'a Limits) -> Self {
        let small = if again { SMALL } else { 0 };
        Pass { stream, position: 0, meant, small, limits, kept: Kept::default(), size: 0 }
    }

    /// Reads what comes behind the archive's end, too: checksums are there, and who writes into a pipe wants it read.
    pub(super) fn finish(mut self) -> io::Result<Kept> {
        skip(&mut self.stream, u64::MAX)?;
        Ok(self.kept)
    }

    /// At most so many bytes.
    fn take(&mut self, count: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        Read::by_ref(&mut self.stream).take(count).read_to_end(&mut bytes)?;
        self.position += bytes.len() as u64;
        Ok(bytes)
    }

    /// Whether these are bytes to keep, by how they begin.
    fn is_kept(&self, name: &str, size: u64, start: &[u8]) -> io::Result<bool> {
        let room = self.limits.archive_documents.saturating_sub(self.size);
        if let Some(limit) = self.meant.limit(name, self.limits) {
            let fail = |detail: String| Err(io::Error::new(ErrorKind::FileTooLarge, detail));
            if size > limit {
                return fail(format!("its {name} has {size} bytes, where {limit} are the limit"));
            }
            if size > room {
                let most = self.limits.archive_documents;
                return fail(format!("with its {name}, its documents have more bytes than the limit, {most}"));
            }
            return Ok(true);
        }
        let most = self.limits.attestation.min(room);
        let small = self.small.min(room.saturating_sub(self.limits.archive_documents / 2));
        // What begins with as many spaces is no tar.
        let is_document = matches!(start.trim_ascii_start(), [] | [b'{' | b'[', ..]);
        Ok(size <= small || (size <= most && is_document))
    }
}

impl Tape for Pass<'_> {
    fn position(&self) -> u64 {
        self.position
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.stream.read(rest)? {
                0 => break,
                more => read += more,
            }
        }
        self.position += read as u64;
        Ok(read)
    }

    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let skipped = skip(&mut self.stream, count)?;
        self.position += skipped;
        Ok(skipped)
    }

    fn forget(&mut self, member: &Member) {
        if let Some(bytes) = self.kept.documents.remove(&member.offset) {
            self.size -= bytes.len() as u64;
        }
        self.kept.packed.remove(&member.offset);
    }

    fn pass(&mut self, name: &str, member: &Member) -> io::Result<u64> {
        let Member { kind: Kind::File, offset, size, .. } = *member else { return self.skip(member.size) };
        let mut start = self.take(size.min(LOOK))?;
        let looked = start.len() as u64;
        if self.is_kept(name, size, &start)? {
            start.extend(self.take(size - looked)?);
            self.size += start.len() as u64;
            if let Some(format) = packing(&start).filter(|_| self.meant.hashes()) {
                self.kept.packed.insert(offset, (format, Digest::sha256(&start)));
            }
            let passed = start.len() as u64;
            self.kept.documents.insert(offset, start.into());
            return Ok(passed);
        }
        let left = size - looked;
        match packing(&start).filter(|_| self.meant.hashes()) {
            None => Ok(looked + self.skip(left)?),
            Some(format) => {
                let (digest, read) = hash(&start, &mut Read::by_ref(&mut self.stream).take(left))?;
                self.position += read - looked;
                self.kept.packed.insert(offset, (format, digest));
                Ok(read)
            }
        }
    }
}

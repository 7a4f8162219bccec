//! Taking compression off: what a gzip or a zstd file holds, as a stream with bounds.
//!
//! Nothing is kept here but the decoder's window, 32 KiB of gzip's and at most 128 MiB of zstd's, which refuses more (as
//! the `zstd` program does). What remains to be bounded is time: how much may come out, and how much more than went in
//! ([`Limits::archive_unpacked`], [`Limits::archive_ratio`]).
//!
//! Several gzip members, or zstd frames, one after another are one stream. All of it has to be right, the checksums at its
//! end included; rubbish behind them is refused, since programs disagree on whether it is more of the same. Zeros behind
//! gzip's are padding, as `gzip` has it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::GzDecoder;

use super::super::blob::{Again, Stamp};
use crate::limits::Limits;

/// What is read at a time.
const PIECE: usize = 128 << 10;
/// How many zeros are padding; tapes and disks have blocks of less.
const PADDING: u64 = 16 << 20;
const BEHIND: &str = "has bytes behind its end that are neither gzip nor padding";
/// How many bytes tell a format.
pub(super) const MAGIC: usize = 6;

/// What a file is compressed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

impl Format {
    const ALL: [Format; 4] = [Format::Gzip, Format::Zstd, Format::Xz, Format::Bzip2];

    /// What begins so; nothing that is known, mostly.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        // pzstd writes a frame to skip first, of any of sixteen kinds.
        if matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
            return Some(Format::Zstd);
        }
        Self::ALL.into_iter().find(|format| start.starts_with(format.magic()))
    }

    fn magic(self) -> &'static [u8] {
        match self {
            Format::Gzip => b"\x1f\x8b",
            Format::Zstd => b"\x28\xb5\x2f\xfd",
            Format::Xz => b"\xfd7zXZ\0",
            Format::Bzip2 => b"BZh",
        }
    }

    /// What it is called, and its program, too.
    pub(super) fn name(self) -> &'static str {
        match self {
            Format::Gzip => "gzip",
            Format::Zstd => "zstd",
            Format::Xz => "xz",
            Format::Bzip2 => "bzip2",
        }
    }

    /// Whether it is taken off here.
    pub(super) fn is_read(self) -> bool {
        matches!(self, Format::Gzip | Format::Zstd)
    }
}

/// What comes out of a file, or the file itself where it is not compressed.
pub(super) struct Unpacked {
    decoder: Decoder,
    format: Option<Format>,
    /// Bytes that came out.
    unpacked: u64,
    /// The same of all passes over the file together.
    altogether: Arc<AtomicU64>,
    limits: Limits,
}

enum Decoder {
    Plain(BufReader<Raw>),
    Gzip(Box<Gzip>),
    Zstd(zstd::stream::read::Decoder<'static, BufReader<Raw>>),
}

impl Unpacked {
    /// What `packed` holds in this format, one that [is read](Format::is_read); else `packed` as it is.
    pub(super) fn new(packed: Box<dyn Read + Send>, format: Option<Format>, limits: &Limits) -> io::Result<Self> {
        let raw = BufReader::with_capacity(PIECE, Raw::new(packed));
        let decoder = match format {
            Some(Format::Gzip) => Decoder::Gzip(Box::new(Gzip(GzDecoder::new(raw)))),
            Some(Format::Zstd) => Decoder::Zstd(zstd::stream::read::Decoder::with_buffer(raw)?),
            _ => Decoder::Plain(raw),
        };
        Ok(Unpacked { decoder, format, unpacked: 0, altogether: Arc::default(), limits: limits.clone() })
    }

    fn raw(&self) -> &Raw {
        match &self.decoder {
            Decoder::Plain(raw) => raw.get_ref(),
            Decoder::Gzip(decoder) => decoder.0.get_ref().get_ref(),
            Decoder::Zstd(decoder) => decoder.get_ref().get_ref(),
        }
    }

    /// Counts what came out, and sees that it is not too much.
    fn count(&mut self, read: u64) -> io::Result<()> {
        self.unpacked = self.unpacked.saturating_add(read);
        let altogether = self.altogether.fetch_add(read, Ordering::Relaxed).saturating_add(read);
        let Limits { archive_unpacked, archive_ratio, archive_ratio_from, .. } = self.limits;
        let fail = |detail: String| Err(io::Error::new(ErrorKind::FileTooLarge, detail));
        if self.unpacked > archive_unpacked {
            return fail(format!("it has more bytes than the limit, {archive_unpacked}"));
        }
        if altogether > archive_unpacked {
            let what = "unpacked for one layer after another it comes to more than the limit";
            return fail(format!("{what}, {archive_unpacked} bytes"));
        }
        let most = self.raw().read.saturating_mul(archive_ratio).max(archive_ratio_from);
        if self.format.is_some() && self.unpacked > most {
            let so_far = self.unpacked;
            return fail(format!(
                "it unpacks to {so_far} bytes and more, over {archive_ratio} times what it is packed in"
            ));
        }
        Ok(())
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.decoder {
            Decoder::Plain(raw) => raw.read(buffer),
            Decoder::Gzip(decoder) => decoder.read(buffer),
            Decoder::Zstd(decoder) => decoder.read(buffer),
        };
        match read {
            Ok(read) => {
                self.count(read as u64)?;
                Ok(read)
            }
            // What the file said, not what is in it.
            Err(failure) if self.raw().failed => Err(failure),
            Err(failure) => {
                // libzstd's words for a window that it does not give.
                if failure.to_string().contains("too much memory") {
                    let detail = "its zstd stream looks back over more than 128 MiB; `zstd -d --long=31` unpacks it";
                    return Err(io::Error::new(ErrorKind::FileTooLarge, detail));
                }
                let what = self.format.map_or("tar", Format::name);
                let detail = match failure.kind() {
                    ErrorKind::UnexpectedEof => format!("its {what} stream is cut short"),
                    _ if failure.to_string() == BEHIND => format!("its {what} stream {BEHIND}"),
                    _ => format!("its {what} stream is broken after {} unpacked bytes: {failure}", self.unpacked),
                };
                Err(io::Error::new(ErrorKind::InvalidData, detail))
            }
        }
    }
}

/// Members of gzip, one after another.
struct Gzip(GzDecoder<BufReader<Raw>>);

impl Gzip {
    /// Goes on to the next member, if there is one.
    fn next(&mut self) -> io::Result<bool> {
        let raw = self.0.get_mut();
        match raw.fill_buf()?.first() {
            None => Ok(false),
            Some(0x1f) => {
                let none = BufReader::with_capacity(0, Raw::new(Box::new(io::empty())));
                self.0 = GzDecoder::new(std::mem::replace(raw, none));
                Ok(true)
            }
            Some(_) => pass_padding(raw).map(|()| false),
        }
    }
}

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.0.read(buffer)?;
            if read > 0 || buffer.is_empty() || !self.next()? {
                return Ok(read);
            }
        }
    }
}

/// Goes over zeros to the end.
fn pass_padding(raw: &mut impl BufRead) -> io::Result<()> {
    let mut passed = 0;
    loop {
        let piece = raw.fill_buf()?;
        let length = piece.len();
        passed += length as u64;
        if passed > PADDING || piece.iter().any(|&byte| byte != 0) {
            return Err(io::Error::new(ErrorKind::InvalidData, BEHIND));
        }
        if length == 0 {
            return Ok(());
        }
        raw.consume(length);
    }
}

/// What a decoder reads from. Counts, and tells whether it was here that reading failed.
struct Raw {
    inner: Box<dyn Read + Send>,
    read: u64,
    failed: bool,
}

impl Raw {
    fn new(inner: Box<dyn Read + Send>) -> Self {
        Raw { inner, read: 0, failed: false }
    }
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.inner.read(buffer) {
                Ok(read) => {
                    self.read = self.read.saturating_add(read as u64);
                    return Ok(read);
                }
                Err(failure) if failure.kind() == ErrorKind::Interrupted => {}
                Err(failure) => {
                    self.failed = true;
                    return Err(failure);
                }
            }
        }
    }
}

/// A compressed file, which can be unpacked again.
#[derive(Debug)]
pub(super) struct Packed {
    pub file: Arc<File>,
    pub format: Format,
    pub limits: Limits,
    /// Bytes that came out, all passes together.
    pub unpacked: Arc<AtomicU64>,
}

impl Packed {
    /// What it holds, from the beginning.
    pub(super) fn unpack(&self) -> io::Result<Unpacked> {
        let file = Box::new(FromStart { file: self.file.clone(), at: 0 });
        let unpacked = Unpacked::new(file, Some(self.format), &self.limits)?;
        Ok(Unpacked { altogether: self.unpacked.clone(), ..unpacked })
    }
}

impl Again for Packed {
    fn start(&self) -> io::Result<Box<dyn Read + Send>> {
        self.unpack().map(|unpacked| Box::new(unpacked) as Box<dyn Read + Send>)
    }

    fn stamp(&self) -> io::Result<Stamp> {
        self.file.metadata().map(|metadata| Stamp::of(&metadata))
    }
}

/// A file from its start, whoever else reads it.
struct FromStart {
    file: Arc<File>,
    at: u64,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

//! The headers of a tar archive: which members there are, and where each one's bytes lie.
//!
//! One pass over a [`Tape`], one read of 512 bytes a member, nothing unpacked, no member's bytes looked at but those of
//! extended headers (names and sizes that do not fit the 512 bytes). A tape only goes forward, so that a file, where
//! going over bytes costs nothing, and a stream, where they have to come by, are read by the same code and refused for
//! the same reasons. Formats: POSIX ustar, GNU long names, PAX; the old Unix format is the same without a prefix.
//!
//! Written here because tar's weakness is that *readers disagree*: where a size is written twice, where a link claims
//! to have bytes, one reader finds the next header inside what another takes for content (CVE-2025-62518 is such a
//! pair). A general reader has to guess what was meant. This one serves image archives, which no tool writes that way,
//! so it **refuses what readers would disagree on**, and that has to be decided where the headers are read.
//!
//! Not here: what members mean, and reading them.

use std::collections::HashMap;
use std::io;
use std::ops::Range;

/// A tar archive is made of blocks of this many bytes.
const BLOCK: u64 = 512;
/// What an extended header may hold: names and numbers, so this is plenty. Go's reader has the same bound.
const EXTENSION: u64 = 1 << 20;
/// Longer targets of links are not remembered: a million of them must not cost more than their names do.
const LINK_MAX: usize = 256;
/// Sizes from here on do not fit the header's eleven octal digits.
const TOO_LARGE_FOR_OCTAL: u64 = 1 << 33;
/// How the keys begin with which GNU tar describes files with holes in PAX headers.
const SPARSE: &str = "GNU.sparse.";

/// Bytes one after another: a file, a stream, or bytes in memory in tests.
pub(super) trait Tape {
    /// How many bytes were read or gone over.
    fn position(&self) -> u64;

    /// Fills `buffer`, or as much of it as there are bytes left; how many that are.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Goes over so many bytes, or as many as are left; how many that are.
    fn skip(&mut self, count: u64) -> io::Result<u64>;

    /// Goes over the bytes of a member that is wanted, and may look at them on the way; how many there were.
    fn pass(&mut self, name: &str, member: &Member) -> io::Result<u64> {
        let _ = name;
        self.skip(member.size)
    }

    /// Another member of the same name comes now, and this one does not count any more.
    fn forget(&mut self, member: &Member) {
        let _ = member;
    }
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Bytes in one piece.
    File,
    /// A file with holes, whose pieces are stored side by side.
    Sparse,
    /// A symbolic or hard link.
    Link,
    /// A directory.
    Directory,
    /// A device, a fifo, or something that only one tar program knows.
    Special,
}

/// Where a member's bytes lie. They are inside the archive: that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub kind: Kind,
    pub offset: u64,
    pub size: u64,
    /// Where a link leads.
    pub link: Option<Link>,
}

/// What a link says, as it is written: a symbolic one starts from its folder, a hard one from the archive's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub target: Box<str>,
    pub hard: bool,
}

/// Members by name.
pub(super) type Members = HashMap<Box<str>, Member>;

/// What is in an archive.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub members: Members,
    /// The parts of the file that one name takes, headers and padding included; in the file's order.
    pub parts: Vec<Range<u64>>,
    /// Where the last member ends.
    pub end: u64,
}

/// Why an archive is not read.
#[derive(Debug)]
pub(super) enum Broken {
    /// The file could not be read.
    Io(io::Error),
    /// It is no tar archive, or one that readers would disagree on.
    Malformed(String),
    /// More members than allowed.
    TooMany(u64),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Broken::Io(error)
    }
}

/// The members whose names are `wanted`, of at most `limit` members altogether.
///
/// A leading `./` in a name is dropped; otherwise names are compared as they are written. `/index.json` and
/// `a/../index.json` are `index.json` to programs that tidy names up, so that they are refused. Of several members with one name **the last one counts**: that is what `tar -r`
/// relies on, and what is on the disk after unpacking.
///
/// `parted` is the name whose parts are told.
pub(super) fn list(
    tape: &mut impl Tape,
    limit: u64,
    wanted: impl Fn(&str) -> bool,
    parted: &str,
) -> Result<Listing, Broken> {
    let mut listing = Listing::default();
    let mut start = None;
    let mut extended = Extended::default();
    let mut seen = 0;
    loop {
        let position = tape.position();
        let Some(block) = read_block(tape)? else { break };
        if block == [0; BLOCK as usize] {
            check_end(tape, position)?;
            break;
        }
        let header = Header::new(block, position)?;
        if header.speaks_of_the_next() {
            start = start.or(Some(position));
        } else {
            seen += 1;
            if seen > limit {
                return Err(Broken::TooMany(limit));
            }
        }
        if header.is_extended() {
            extended.read(&header, &payload(tape, &header)?)?;
            tape.skip(padding(header.size)?)?;
            continue;
        }
        let Extended { name, whole_name, size, sparse, link, .. } = std::mem::take(&mut extended);
        let name = name.unwrap_or_else(|| header.name());
        let kind = if sparse { Kind::Sparse } else { header.kind(&name) };
        if let Some(other) = other_name(&name, whole_name.as_deref(), kind, &wanted) {
            let what = format!("is `{}` to some programs, and not to others", other.escape_debug());
            return Err(malformed(position, &name, &what));
        }
        let size = stored_size(&header, size)?;
        if size > 0 && header.has_no_bytes(kind) {
            let what = format!("is {} and claims {size} bytes", kind.name());
            return Err(malformed(position, &name, &what));
        }
        if header.typeflag() == b'S' {
            skip_sparse_map(tape, &header)?;
        }
        let padding = padding(size)?;
        let offset = tape.position();
        if offset.checked_add(size).and_then(|end| end.checked_add(padding)).is_none() {
            return Err(malformed(position, &name, &format!("of {size} bytes ends beyond any file")));
        }
        let text = std::str::from_utf8(&name).ok().map(without_dot);
        let passed = match text.filter(|name| wanted(name)) {
            None => tape.skip(size)?,
            Some(name) => {
                let link = (kind == Kind::Link).then(|| header.link(link)).flatten();
                let member = Member { kind, offset, size, link };
                if let Some(older) = listing.members.remove(name) {
                    tape.forget(&older);
                }
                let passed = tape.pass(name, &member)?;
                listing.members.insert(name.into(), member);
                passed
            }
        };
        if passed < size {
            let what = format!("claims {size} bytes where {passed} are left: the archive is cut short");
            return Err(malformed(position, &name, &what));
        }
        tape.skip(padding)?;
        let start = start.take().unwrap_or(position);
        listing.end = offset + size + padding;
        if text == Some(parted) {
            listing.parts.push(start..listing.end);
        }
    }
    if extended.is_empty() {
        Ok(listing)
    } else {
        Err(Broken::Malformed("ends after an extended header: the archive is cut short".into()))
    }
}

/// The wanted name that only some programs read in a member's: those that know of holes, or those that tidy names up. A
/// folder's may end in a slash.
fn other_name(name: &[u8], whole: Option<&[u8]>, kind: Kind, wanted: impl Fn(&str) -> bool) -> Option<String> {
    let tidied = |name: &[u8]| {
        let name = tidy(std::str::from_utf8(name).ok()?);
        (!name.is_empty() && wanted(&name)).then_some(name)
    };
    if let Some(whole) = whole {
        return tidied(whole).or_else(|| tidied(name));
    }
    tidied(name).filter(|tidied| {
        let plain = std::str::from_utf8(name).map(without_dot).unwrap_or_default();
        let folder = plain.strip_suffix('/').filter(|_| kind == Kind::Directory);
        tidied != folder.unwrap_or(plain)
    })
}

/// A name without what leads nowhere, as below a root that nothing leads out of.
fn tidy(name: &str) -> String {
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The number of bytes of a member, by its header and by its PAX header, which must not contradict each other.
fn stored_size(header: &Header, pax: Option<u64>) -> Result<u64, Broken> {
    match pax {
        None => Ok(header.size),
        Some(size) if size == header.size || size >= TOO_LARGE_FOR_OCTAL => Ok(size),
        Some(size) => {
            let what = format!("has two sizes, {} in its header and {size} in its PAX header", header.size);
            Err(malformed(header.position, &header.name(), &what))
        }
    }
}

/// Two blocks of zeros end an archive, or one at the very end of the file. What comes after them is not looked at: tar
/// programs pad there, to any length and with anything.
fn check_end(tape: &mut impl Tape, position: u64) -> Result<(), Broken> {
    if read_block(tape)?.is_none_or(|next| next == [0; BLOCK as usize]) {
        return Ok(());
    }
    Err(Broken::Malformed(format!("a lone block of zeros at byte {position}, with more behind it")))
}

/// How many bytes fill up the last block of a member's bytes.
fn padding(size: u64) -> Result<u64, Broken> {
    let padded = size.checked_next_multiple_of(BLOCK);
    padded
        .map(|padded| padded - size)
        .ok_or_else(|| Broken::Malformed(format!("a member of {size} bytes ends beyond any file")))
}

/// The next block; none at the end of the tape.
fn read_block(tape: &mut impl Tape) -> Result<Option<[u8; BLOCK as usize]>, Broken> {
    let position = tape.position();
    let mut block = [0; BLOCK as usize];
    match tape.read(&mut block)? {
        0 => Ok(None),
        read if read < block.len() => Err(Broken::Malformed(match position {
            0 => "too short for a tar archive".into(),
            _ => cut(position),
        })),
        _ => Ok(Some(block)),
    }
}

fn cut(position: u64) -> String {
    format!("the header at byte {position} is cut short")
}

/// The content of an extended header.
fn payload(tape: &mut impl Tape, header: &Header) -> Result<Vec<u8>, Broken> {
    let size = header.size;
    let mut bytes = vec![0; size.min(EXTENSION) as usize];
    if size > EXTENSION || tape.read(&mut bytes)? < bytes.len() {
        let what = format!("has {size} bytes; it is cut short, or larger than any name needs ({EXTENSION})");
        return Err(Broken::Malformed(format!("the extended header at byte {} {what}", header.position)));
    }
    Ok(bytes)
}

/// GNU's old sparse format puts more blocks of its map between header and content.
fn skip_sparse_map(tape: &mut impl Tape, header: &Header) -> Result<(), Broken> {
    let mut more = header.block[482] != 0;
    while more {
        let position = tape.position();
        let block = read_block(tape)?.ok_or_else(|| Broken::Malformed(cut(position)))?;
        more = block[504] != 0;
    }
    Ok(())
}

/// A header whose checksum and size make sense.
struct Header {
    block: [u8; BLOCK as usize],
    position: u64,
    size: u64,
}

impl Header {
    const NAME: Range<usize> = 0..100;
    const SIZE: Range<usize> = 124..136;
    const CHECKSUM: Range<usize> = 148..156;
    const TYPEFLAG: usize = 156;
    const LINK: Range<usize> = 157..257;
    const MAGIC: Range<usize> = 257..265;
    const PREFIX: Range<usize> = 345..500;

    fn new(block: [u8; BLOCK as usize], position: u64) -> Result<Self, Broken> {
        // The sum of all bytes, those of the checksum itself taken for spaces.
        let add = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
        let sum = add(&block[..Self::CHECKSUM.start]) + add(b"        ") + add(&block[Self::CHECKSUM.end..]);
        if number(&block[Self::CHECKSUM]) != Some(sum) {
            return Err(Broken::Malformed(match position {
                0 => "not a tar archive: the checksum of its first header is wrong".into(),
                _ => format!("the checksum of the header at byte {position} is wrong"),
            }));
        }
        let fail = |what: &str| Err(malformed(position, until_nul(&block[Self::NAME]), what));
        let Some(size) = number(&block[Self::SIZE]) else { return fail("has a size that is no number") };
        let header = Header { block, position, size };
        match &block[Self::MAGIC] {
            b"ustar\x0000" | b"ustar  \0" => Ok(header),
            // To some programs the first six bytes say that it is ustar, to others nothing does: then there are no prefixes
            // and no extended headers.
            magic if magic.starts_with(b"ustar") || header.is_extended() => {
                fail("has a header of a format that only some programs know")
            }
            _ => Ok(header),
        }
    }

    fn typeflag(&self) -> u8 {
        self.block[Self::TYPEFLAG]
    }

    /// No member, but words about members: PAX headers, GNU's long names and long link targets.
    fn is_extended(&self) -> bool {
        matches!(self.typeflag(), b'x' | b'g' | b'L' | b'K')
    }

    /// An extended header about the next member alone. There is at most one of a kind for a member, so that bounding
    /// the members bounds them.
    fn speaks_of_the_next(&self) -> bool {
        self.is_extended() && self.typeflag() != b'g'
    }

    /// The name as ustar splits it. GNU's and the oldest headers have other things where ustar has the prefix.
    fn name(&self) -> Vec<u8> {
        let name = until_nul(&self.block[Self::NAME]);
        let prefix = until_nul(&self.block[Self::PREFIX]);
        if &self.block[Self::MAGIC] == b"ustar\x0000" && !prefix.is_empty() {
            return [prefix, name].join(&b'/');
        }
        name.to_vec()
    }

    /// Where this link leads, `said` being what an extended header says. What no name can be leads nowhere.
    fn link(&self, said: Option<Vec<u8>>) -> Option<Link> {
        let target = said.unwrap_or_else(|| until_nul(&self.block[Self::LINK]).to_vec());
        let target = std::str::from_utf8(&target).ok().filter(|target| target.len() <= LINK_MAX)?;
        Some(Link { target: target.into(), hard: self.typeflag() == b'1' })
    }

    fn kind(&self, name: &[u8]) -> Kind {
        match self.typeflag() {
            // The oldest format has no directories but names that end in a slash.
            0 if name.ends_with(b"/") => Kind::Directory,
            0 | b'0' | b'7' => Kind::File,
            b'1' | b'2' => Kind::Link,
            b'5' => Kind::Directory,
            b'S' => Kind::Sparse,
            _ => Kind::Special,
        }
    }

    /// Whether nothing follows the header, so that a size there is a contradiction. Types that nobody standardised have
    /// bytes behind them, as POSIX asks.
    fn has_no_bytes(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Link | Kind::Directory) || matches!(self.typeflag(), b'1'..=b'6')
    }
}

impl Kind {
    /// For a sentence: `is a …`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::File => "a file",
            Kind::Sparse => "a sparse file",
            Kind::Link => "a link",
            Kind::Directory => "a directory",
            Kind::Special => "a special file",
        }
    }
}

/// What extended headers say about the member after them.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    /// GNU tar's for a file with holes; the other one is made up, for readers that do not know of them.
    whole_name: Option<Vec<u8>>,
    size: Option<u64>,
    link: Option<Vec<u8>>,
    sparse: bool,
    pax: bool,
}

impl Extended {
    fn is_empty(&self) -> bool {
        !self.pax && self.link.is_none() && self.name.is_none()
    }

    fn read(&mut self, header: &Header, payload: &[u8]) -> Result<(), Broken> {
        let again = match header.typeflag() {
            b'g' if self.is_empty() => return check_global(payload, header.position),
            // Some readers take it for the end of what was said of the member, others do not.
            b'g' => {
                let at = header.position;
                let what = "stands between another and its member";
                return Err(Broken::Malformed(format!("the global header at byte {at} {what}")));
            }
            b'K' => self.link.replace(until_nul(payload).to_vec()).is_some(),
            b'L' => self.name.replace(until_nul(payload).to_vec()).is_some(),
            _ => std::mem::replace(&mut self.pax, true) || self.read_pax(payload, header.position)?,
        };
        if again {
            let at = header.position;
            let what = "says again what was said of the same member";
            return Err(Broken::Malformed(format!("the extended header at byte {at} {what}")));
        }
        Ok(())
    }

    /// Whether something was said twice.
    fn read_pax(&mut self, payload: &[u8], position: u64) -> Result<bool, Broken> {
        let mut again = false;
        for (key, value) in records(payload, position)? {
            let bad = || Broken::Malformed(format!("the PAX header at byte {position} has a {key:?} that is none"));
            match key {
                // An empty value takes a record back: the header's counts.
                "path" | "linkpath" | "size" if value.is_empty() => {}
                "path" | "linkpath" if value.contains(&0) => return Err(bad()),
                "linkpath" => again |= self.link.replace(value.to_vec()).is_some(),
                "path" => again |= self.name.replace(value.to_vec()).is_some(),
                "size" => again |= self.size.replace(decimal(value).ok_or_else(bad)?).is_some(),
                "GNU.sparse.name" => again |= self.whole_name.replace(value.to_vec()).is_some(),
                _ => {}
            }
            self.sparse |= key.starts_with(SPARSE);
        }
        Ok(again)
    }
}

/// A global PAX header may hold comments (`git archive` writes its commit there). Some readers apply a name, a target, a size
/// or a sparse map in it to every member, others do not.
fn check_global(payload: &[u8], position: u64) -> Result<(), Broken> {
    let applies = |key: &str| matches!(key, "path" | "linkpath" | "size") || key.starts_with(SPARSE);
    if records(payload, position)?.iter().any(|(key, _)| applies(key)) {
        let what = "sets names or sizes for all members";
        return Err(Broken::Malformed(format!("the global header at byte {position} {what}")));
    }
    Ok(())
}

/// The records of a PAX header: `LENGTH KEY=VALUE\n`, LENGTH being that of all of it, in decimal.
fn records(mut payload: &[u8], position: u64) -> Result<Vec<(&str, &[u8])>, Broken> {
    let mut records = Vec::new();
    while !payload.is_empty() {
        let Some((key, value, rest)) = record(payload) else {
            return Err(Broken::Malformed(format!("the PAX header at byte {position} is no list of records")));
        };
        records.push((key, value));
        payload = rest;
    }
    Ok(records)
}

fn record(payload: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let space = payload.iter().position(|&byte| byte == b' ')?;
    let length = usize::try_from(decimal(payload.get(..space)?)?).ok()?;
    let (record, rest) = payload.split_at_checked(length)?;
    let text = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = text.iter().position(|&byte| byte == b'=')?;
    Some((std::str::from_utf8(text.get(..equals)?).ok()?, text.get(equals + 1..)?, rest))
}

/// A header's number: octal digits between spaces and NULs, or, with the first bit set, bytes from the largest down.
/// `None` where it is neither, or more than a file can have.
fn number(field: &[u8]) -> Option<u64> {
    match field {
        [first, rest @ ..] if first & 0x80 != 0 => {
            // 0xff starts a negative number.
            let start = u64::from(first & 0x7f);
            let value = rest.iter().try_fold(start, |value, &byte| value.checked_mul(256)?.checked_add(byte.into()))?;
            i64::try_from(value).ok()?;
            Some(value)
        }
        _ => {
            let from = field.iter().position(|&byte| byte != b' ')?;
            let field = field.get(from..)?;
            // Go passes over NULs, too, and reads on.
            if field.starts_with(&[0]) && field.iter().any(|byte| !matches!(byte, 0 | b' ')) {
                return None;
            }
            let digits = until_nul(field).trim_ascii_end();
            let digit = |byte: u8| matches!(byte, b'0'..=b'7').then(|| u64::from(byte - b'0'));
            digits.iter().try_fold(0, |value, &byte| Some(value * 8 + digit(byte)?))
        }
    }
}

/// A size in decimal: digits only, at most 2^63 - 1.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = std::str::from_utf8(digits).ok()?.parse::<i64>().ok()?;
    u64::try_from(value).ok()
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

fn without_dot(mut name: &str) -> &str {
    while let Some(rest) = name.strip_prefix("./") {
        name = rest;
    }
    name
}

fn malformed(position: u64, name: &[u8], what: &str) -> Broken {
    let name = String::from_utf8_lossy(name.get(..100).unwrap_or(name));
    Broken::Malformed(format!("the member `{}` at byte {position} {what}", name.escape_debug()))
}

#[cfg(test)]
mod tests;

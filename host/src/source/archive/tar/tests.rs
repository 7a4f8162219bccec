//! Archives byte by byte: what is read, what is refused, and why.

use std::ops::Range;

use proptest::prelude::*;

use super::*;

fn members(archive: &[u8], limit: u64, wanted: impl Fn(&str) -> bool) -> Result<Members, Broken> {
    list(&mut Memory { bytes: archive, at: 0 }, limit, wanted, "").map(|listing| listing.members)
}

struct Memory<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Tape for Memory<'_> {
    fn position(&self) -> u64 {
        self.at as u64
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = buffer.len().min(self.bytes.len() - self.at);
        buffer[..read].copy_from_slice(&self.bytes[self.at..][..read]);
        self.at += read;
        Ok(read)
    }

    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let skipped = usize::try_from(count).unwrap_or(usize::MAX).min(self.bytes.len() - self.at);
        self.at += skipped;
        Ok(skipped as u64)
    }
}

/// A block with its checksum; `fields` are put over a regular file's header.
fn header(name: &str, size: &str, typeflag: u8, fields: &[(Range<usize>, &[u8])]) -> Vec<u8> {
    let mut block = vec![0; 512];
    let mut put = |range: Range<usize>, value: &[u8]| block[range][..value.len()].copy_from_slice(value);
    put(0..100, name.as_bytes());
    put(100..108, b"0000644");
    put(124..136, size.as_bytes());
    put(156..157, &[typeflag]);
    put(257..265, b"ustar\x0000");
    fields.iter().for_each(|(range, value)| put(range.clone(), value));
    put(148..156, b"        ");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// Content, filled up to whole blocks.
fn padded(content: &[u8]) -> Vec<u8> {
    let mut bytes = content.to_vec();
    bytes.resize(content.len().next_multiple_of(512), 0);
    bytes
}

fn member(name: &str, typeflag: u8, content: &[u8]) -> Vec<u8> {
    [header(name, &format!("{:011o}", content.len()), typeflag, &[]), padded(content)].concat()
}

fn file(name: &str) -> Vec<u8> {
    member(name, b'0', b"bytes")
}

/// A PAX header of these records.
fn pax(typeflag: u8, records: &[(&str, &str)]) -> Vec<u8> {
    let record = |(key, value): &(&str, &str)| {
        let rest = format!(" {key}={value}\n");
        let length = (1..).find(|length: &usize| length.to_string().len() + rest.len() == *length).unwrap();
        format!("{length}{rest}")
    };
    member("pax", typeflag, records.iter().map(record).collect::<String>().as_bytes())
}

fn end() -> Vec<u8> {
    vec![0; 1024]
}

/// Whoever leaves a name out leaves out what is said about it, too, and nothing else.
#[test]
fn the_parts_of_a_name() {
    let long = pax(b'x', &[("path", "a")]);
    let archive =
        [file("b"), long, file("x"), pax(b'g', &[("comment", "x")]), file("./a"), file("c"), end(), end()].concat();
    let listing = list(&mut Memory { bytes: &archive, at: 0 }, 10, |_| false, "a").unwrap();
    assert_eq!(listing.parts, [1024..3072, 4096..5120]);
    assert_eq!(listing.end, 6144);
    assert!(listing.members.is_empty());
}

/// What is found, as `NAME: KIND SIZE@OFFSET`, or the message.
fn scan(parts: &[Vec<u8>]) -> String {
    match members(&parts.concat(), 10, |_| true) {
        Ok(members) => {
            let mut lines: Vec<_> = members
                .iter()
                .map(|(name, member)| format!("{name}: {} {}@{}", &member.kind.name()[2..], member.size, member.offset))
                .collect();
            lines.sort();
            lines.join(", ")
        }
        Err(Broken::Malformed(detail)) => detail,
        Err(Broken::TooMany(limit)) => format!("more than {limit}"),
        Err(Broken::Io(error)) => panic!("memory failed: {error}"),
    }
}

#[test]
#[rustfmt::skip]
fn what_is_read() {
    let long = format!("{}/x", "d".repeat(150));
    let long = long.as_str();
    let rows: &[(&str, &[Vec<u8>], &str)] = &[
        ("a file", &[file("a"), end()], "a: file 5@512"),
        ("two", &[file("a"), file("b"), end()], "a: file 5@512, b: file 5@1536"),
        ("an empty one", &[member("a", b'0', b""), file("b"), end()], "a: file 0@512, b: file 5@1024"),
        ("of 512 bytes", &[member("a", b'0', &[7; 512]), file("b"), end()], "a: file 512@512, b: file 5@1536"),
        ("a leading ./", &[file("./a"), file("././b"), end()], "a: file 5@512, b: file 5@1536"),
        ("the folder itself", &[member("./", b'5', b""), file("./a"), end()], ": directory 0@512, a: file 5@1024"),
        ("dots that are names", &[file("..a"), file("b/.c"), file("..."), end()], "...: file 5@2560, ..a: file 5@512, b/.c: file 5@1536"),
        ("the folder as a dot", &[member(".", b'5', b""), end()], ".: directory 0@512"),
        ("a folder's slash", &[member("a/", b'5', b""), end()], "a/: directory 0@512"),
        ("a size of NULs", &[header("a", "", b'0', &[]), end()], "a: file 0@512"),
        ("the last of a name", &[file("a"), file("a"), end()], "a: file 5@1536"),
        ("the last, though a link", &[file("a"), member("a", b'2', b""), end()], "a: link 0@1536"),
        ("no end mark", &[file("a")], "a: file 5@512"),
        ("half an end mark", &[file("a"), vec![0; 512]], "a: file 5@512"),
        ("rubbish behind the end mark", &[file("a"), end(), b"rubbish".to_vec()], "a: file 5@512"),
        ("members behind the end mark", &[file("a"), end(), file("b"), end()], "a: file 5@512"),
        ("the last padding missing", &[header("a", "5", b'0', &[]), b"bytes".to_vec()], "a: file 5@512"),
        ("no members", &[end()], ""),
        ("ustar's prefix", &[header("a", "0", b'0', &[(345..500, b"dir")]), end()], "dir/a: file 0@512"),
        ("GNU has none", &[header("a", "0", b'0', &[(257..265, b"ustar  \0"), (345..500, b"dir")]), end()], "a: file 0@512"),
        ("the oldest neither", &[header("a", "0", 0, &[(257..265, &[0; 8]), (345..500, b"dir")]), end()], "a: file 0@512"),
        ("its directories", &[header("a/", "0", 0, &[]), end()], "a/: directory 0@512"),
        ("a GNU long name", &[member("L", b'L', format!("{long}\0").as_bytes()), file("cut"), end()], &format!("{long}: file 5@1536")),
        ("a PAX name", &[pax(b'x', &[("path", long)]), file("cut"), end()], &format!("{long}: file 5@1536")),
        ("PAX for one member", &[pax(b'x', &[("path", "b")]), file("a"), file("a"), end()], "a: file 5@2560, b: file 5@1536"),
        ("a name taken back", &[pax(b'x', &[("path", "")]), file("a"), end()], "a: file 5@1536"),
        ("the same PAX size", &[pax(b'x', &[("size", "5")]), file("a"), end()], "a: file 5@1536"),
        ("other PAX records", &[pax(b'x', &[("mtime", "1.5"), ("uid", "9")]), file("a"), end()], "a: file 5@1536"),
        ("git's comment", &[pax(b'g', &[("comment", "0a1b")]), file("a"), end()], "a: file 5@1536"),
        ("a long link target", &[member("K", b'K', b"far/away\0"), member("a", b'2', b""), end()], "a: link 0@1536"),
        ("links", &[member("a", b'1', b""), member("b", b'2', b""), end()], "a: link 0@512, b: link 0@1024"),
        ("devices, a fifo", &[member("c", b'3', b""), member("f", b'6', b""), end()], "c: special file 0@512, f: special file 0@1024"),
        ("types unheard of", &[member("a", b'Z', b"bytes"), file("b"), end()], "a: special file 5@512, b: file 5@1536"),
        ("PAX sparse files", &[pax(b'x', &[("GNU.sparse.major", "1")]), file("a"), end()], "a: sparse file 5@1536"),
        ("GNU sparse files", &[member("a", b'S', b"bytes"), file("b"), end()], "a: sparse file 5@512, b: file 5@1536"),
        (
            "with a long map",
            &[header("a", "5", b'S', &[(482..483, &[1])]), { let mut map = vec![0; 1024]; map[504] = 1; map }, padded(b"bytes"), file("b"), end()],
            "a: sparse file 5@1536, b: file 5@2560",
        ),
        ("names that are no text", &[header("", "0", b'0', &[(0..100, b"\xff\xfe")]), file("b"), end()], "b: file 5@1024"),
        ("octal in any dress", &[header("a", "  5 \0", b'0', &[]), padded(b"bytes"), end()], "a: file 5@512"),
        ("base 256", &[header("a", "", b'0', &[(124..136, b"\x80\0\0\0\0\0\0\0\0\0\0\x05")]), padded(b"bytes"), end()], "a: file 5@512"),
    ];
    for (what, parts, expected) in rows {
        assert_eq!(scan(parts), *expected, "{what}");
    }
}

#[test]
#[rustfmt::skip]
fn what_is_refused() {
    let base256 = |bytes: &[u8; 12]| header("a", "", b'0', &[(124..136, bytes)]);
    let mut bad_sum = file("a");
    bad_sum[0] = b'b';
    let rows: &[(&str, &[Vec<u8>], &str)] = &[
        ("too short", &[b"hello".to_vec()], "too short for a tar archive"),
        ("no tar", &[vec![b'x'; 2048]], "not a tar archive: the checksum of its first header is wrong"),
        ("a wrong checksum", &[file("a"), bad_sum, end()], "the checksum of the header at byte 1024 is wrong"),
        ("cut in a header", &[file("a"), file("b")[..100].to_vec()], "the header at byte 1024 is cut short"),
        ("cut in content", &[header("a", "1000", b'0', &[]), vec![1; 511]], "the member `a` at byte 0 claims 512 bytes where 511 are left: the archive is cut short"),
        ("cut after PAX", &[pax(b'x', &[("path", "a")])], "ends after an extended header: the archive is cut short"),
        ("ended after PAX", &[pax(b'x', &[("path", "a")]), end()], "ends after an extended header: the archive is cut short"),
        ("ended after a long link", &[member("K", b'K', b"a"), end()], "ends after an extended header: the archive is cut short"),
        ("half an end mark inside", &[file("a"), vec![0; 512], file("b"), end()], "a lone block of zeros at byte 1024, with more behind it"),
        ("ustar of another version", &[header("a", "0", b'0', &[(257..265, b"ustar\x0015")]), end()], "the member `a` at byte 0 has a header of a format that only some programs know"),
        ("neither ustar nor GNU", &[header("a", "0", b'0', &[(257..265, b"ustar 00")]), end()], "the member `a` at byte 0 has a header of a format that only some programs know"),
        ("a long name in the oldest", &[header("L", "0", b'L', &[(257..265, &[0; 8])]), file("a"), end()], "the member `L` at byte 0 has a header of a format that only some programs know"),
        ("a size in words", &[header("a", "five", b'0', &[]), end()], "the member `a` at byte 0 has a size that is no number"),
        ("a size of spaces", &[header("a", "            ", b'0', &[]), end()], "the member `a` at byte 0 has a size that is no number"),
        ("-1 in base 256", &[base256(&[0xff; 12]), end()], "the member `a` at byte 0 has a size that is no number"),
        ("2^63 in base 256", &[base256(b"\x80\0\0\0\x80\0\0\0\0\0\0\0"), end()], "the member `a` at byte 0 has a size that is no number"),
        ("2^63-1 in base 256", &[base256(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), end()], "the member `a` at byte 0 claims 9223372036854775807 bytes where 1024 are left: the archive is cut short"),
        ("two sizes", &[pax(b'x', &[("size", "0")]), file("a"), end()], "the member `a` at byte 1024 has two sizes, 5 in its header and 0 in its PAX header"),
        ("PAX size over nothing", &[pax(b'x', &[("size", "1024")]), member("a", b'0', b""), file("b"), end()], "the member `a` at byte 1024 has two sizes, 0 in its header and 1024 in its PAX header"),
        ("a huge PAX size", &[pax(b'x', &[("size", "8589934592")]), file("a"), end()], "the member `a` at byte 1024 claims 8589934592 bytes where 1536 are left: the archive is cut short"),
        ("a negative PAX size", &[pax(b'x', &[("size", "-5")]), file("a"), end()], "the PAX header at byte 0 has a \"size\" that is none"),
        ("a PAX size of 2^63", &[pax(b'x', &[("size", "9223372036854775808")]), file("a"), end()], "the PAX header at byte 0 has a \"size\" that is none"),
        ("a hexadecimal one", &[pax(b'x', &[("size", "0x5")]), file("a"), end()], "the PAX header at byte 0 has a \"size\" that is none"),
        ("a PAX name with NUL", &[pax(b'x', &[("path", "a\0b")]), file("a"), end()], "the PAX header at byte 0 has a \"path\" that is none"),
        ("two PAX names", &[pax(b'x', &[("path", "a"), ("path", "b")]), file("a"), end()], "the extended header at byte 0 says again what was said of the same member"),
        ("two PAX sizes", &[pax(b'x', &[("size", "5"), ("size", "5")]), file("a"), end()], "the extended header at byte 0 says again what was said of the same member"),
        ("both kinds of target", &[member("K", b'K', b"a"), pax(b'x', &[("linkpath", "a")]), member("a", b'2', b""), end()], "the extended header at byte 1024 says again what was said of the same member"),
        ("a PAX target with NUL", &[pax(b'x', &[("linkpath", "a\0b")]), member("a", b'2', b""), end()], "the PAX header at byte 0 has a \"linkpath\" that is none"),
        ("two PAX headers", &[pax(b'x', &[]), pax(b'x', &[]), file("a"), end()], "the extended header at byte 512 says again what was said of the same member"),
        ("two long names", &[member("L", b'L', b"a"), member("L", b'L', b"a"), file("a"), end()], "the extended header at byte 1024 says again what was said of the same member"),
        ("two long links", &[member("K", b'K', b"a"), member("K", b'K', b"a"), file("a"), end()], "the extended header at byte 1024 says again what was said of the same member"),
        ("both kinds of name", &[member("L", b'L', b"a"), pax(b'x', &[("path", "a")]), file("a"), end()], "the extended header at byte 1024 says again what was said of the same member"),
        ("a size for all", &[pax(b'g', &[("size", "5")]), file("a"), end()], "the global header at byte 0 sets names or sizes for all members"),
        ("a name for all", &[pax(b'g', &[("path", "a")]), file("a"), end()], "the global header at byte 0 sets names or sizes for all members"),
        ("holes for all", &[pax(b'g', &[("GNU.sparse.major", "1")]), file("a"), end()], "the global header at byte 0 sets names or sizes for all members"),
        ("a target for all", &[pax(b'g', &[("linkpath", "a")]), file("a"), end()], "the global header at byte 0 sets names or sizes for all members"),
        ("words for all between a name and its member", &[pax(b'x', &[("path", "b")]), pax(b'g', &[("comment", "x")]), file("a"), end()], "the global header at byte 1024 stands between another and its member"),
        ("behind a long name", &[member("L", b'L', b"a"), pax(b'g', &[]), file("a"), end()], "the global header at byte 1024 stands between another and its member"),
        ("behind a long target", &[member("K", b'K', b"a"), pax(b'g', &[]), file("a"), end()], "the global header at byte 1024 stands between another and its member"),
        ("a size behind a NUL", &[header("a", "\x0000000000005", b'0', &[]), padded(b"bytes"), end()], "the member `a` at byte 0 has a size that is no number"),
        ("behind a space and a NUL", &[header("a", " \x005", b'0', &[]), padded(b"bytes"), end()], "the member `a` at byte 0 has a size that is no number"),
        ("holes, by another name", &[pax(b'x', &[("GNU.sparse.major", "1"), ("GNU.sparse.name", "a")]), file("made-up"), end()], "the member `made-up` at byte 1024 is `a` to some programs, and not to others"),
        ("two names with holes", &[pax(b'x', &[("GNU.sparse.name", "a"), ("GNU.sparse.name", "b")]), file("c"), end()], "the extended header at byte 0 says again what was said of the same member"),
        ("an absolute name", &[file("/a"), end()], "the member `/a` at byte 0 is `a` to some programs, and not to others"),
        ("a name by way of ..", &[file("b/../a"), end()], "the member `b/../a` at byte 0 is `a` to some programs, and not to others"),
        ("a name from above", &[file("../a"), end()], "the member `../a` at byte 0 is `a` to some programs, and not to others"),
        ("two slashes", &[file("b//a"), end()], "the member `b//a` at byte 0 is `b/a` to some programs, and not to others"),
        ("two slashes behind a dot", &[file(".//a"), end()], "the member `.//a` at byte 0 is `a` to some programs, and not to others"),
        ("a dot inside", &[file("b/./a"), end()], "the member `b/./a` at byte 0 is `b/a` to some programs, and not to others"),
        ("a dot behind", &[file("a/."), end()], "the member `a/.` at byte 0 is `a` to some programs, and not to others"),
        ("a file's slash", &[file("a/"), end()], "the member `a/` at byte 0 is `a` to some programs, and not to others"),
        ("a slash by PAX", &[pax(b'x', &[("path", "a/")]), file("x"), end()], "the member `a/` at byte 1024 is `a` to some programs, and not to others"),
        ("a link's slash", &[member("a/", b'2', b""), end()], "the member `a/` at byte 0 is `a` to some programs, and not to others"),
        ("PAX without records", &[member("x", b'x', b"hello"), file("a"), end()], "the PAX header at byte 0 is no list of records"),
        ("a record too long", &[member("x", b'x', b"99 path=a\n"), file("a"), end()], "the PAX header at byte 0 is no list of records"),
        ("a record of length 0", &[member("x", b'x', b"0 path=a\n"), file("a"), end()], "the PAX header at byte 0 is no list of records"),
        ("a record without =", &[member("x", b'x', b"8 patha\n"), file("a"), end()], "the PAX header at byte 0 is no list of records"),
        ("a record without end", &[member("x", b'x', b"9 path=ab"), file("a"), end()], "the PAX header at byte 0 is no list of records"),
        ("a PAX header of 8 GiB", &[header("x", "77777777777", b'x', &[]), end()], "the extended header at byte 0 has 8589934591 bytes; it is cut short, or larger than any name needs (1048576)"),
        ("a link with bytes", &[member("a", b'1', b"bytes"), end()], "the member `a` at byte 0 is a link and claims 5 bytes"),
        ("a directory with bytes", &[member("a", b'5', b"bytes"), end()], "the member `a` at byte 0 is a directory and claims 5 bytes"),
        ("an old one with bytes", &[member("a/", 0, b"bytes"), end()], "the member `a/` at byte 0 is a directory and claims 5 bytes"),
        ("a device with bytes", &[member("a", b'4', b"bytes"), end()], "the member `a` at byte 0 is a special file and claims 5 bytes"),
        ("a sparse map without end", &[header("a", "0", b'S', &[(482..483, &[1])])], "the header at byte 512 is cut short"),
        ("escapes in a name", &[member("\x1b[2J", b'5', b"bytes"), end()], "the member `\\u{1b}[2J` at byte 0 is a directory and claims 5 bytes"),
        ("eleven members", &[file("a").repeat(11), end()], "more than 10"),
        ("eleven global headers", &[pax(b'g', &[]).repeat(11), end()], "more than 10"),
    ];
    for (what, parts, expected) in rows {
        assert_eq!(scan(parts), *expected, "{what}");
    }
}

/// What nobody asks for may be called anything, and go by two names.
#[test]
fn names_that_nobody_asks_for() {
    let sparse = pax(b'x', &[("GNU.sparse.name", "b")]);
    let archive = [file("/b"), file("a/../b"), file("b//c"), sparse, file("c"), file("./a"), end()].concat();
    let found = members(&archive, 10, |name| name == "a").unwrap();
    assert_eq!(found.keys().map(|name| &**name).collect::<Vec<_>>(), ["a"]);
    for records in [[("GNU.sparse.name", "b"), ("path", "a")], [("GNU.sparse.name", "./a"), ("path", "b")]] {
        let archive = [pax(b'x', &records), file("c"), end()].concat();
        assert!(matches!(members(&archive, 10, |name| name == "a"), Err(Broken::Malformed(_))), "{records:?}");
    }
}

#[test]
fn as_many_members_as_allowed() {
    let ten = [file("a").repeat(9), pax(b'x', &[("path", "b")]), member("K", b'K', b"c"), file("a"), end()];
    assert_eq!(scan(&ten), "a: file 5@8704, b: file 5@11776");
}

/// A file without end that is one header over and over.
struct Endless {
    header: Vec<u8>,
    at: u64,
}

impl Tape for Endless {
    fn position(&self) -> u64 {
        self.at
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.copy_from_slice(&self.header);
        self.skip(buffer.len() as u64)?;
        Ok(buffer.len())
    }

    fn skip(&mut self, count: u64) -> io::Result<u64> {
        self.at += count;
        Ok(count)
    }
}

#[test]
fn no_more_members_than_allowed_however_many_there_are() {
    let mut archive = Endless { header: member("index.json", b'0', b""), at: 0 };
    assert!(matches!(list(&mut archive, 100_000, |_| true, ""), Err(Broken::TooMany(100_000))));
}

#[test]
fn where_links_lead() {
    let far = format!("{}/x", "d".repeat(150));
    let to = |kind: u8, target: &str| header("a", "0", kind, &[(157..257, target.as_bytes())]);
    for (what, parts, expected) in [
        ("a symbolic one", vec![to(b'2', "../b")], Some(("../b", false))),
        ("a hard one", vec![to(b'1', "b")], Some(("b", true))),
        (
            "a GNU long one",
            vec![member("K", b'K', format!("{far}\0").as_bytes()), to(b'2', "cut")],
            Some((&*far, false)),
        ),
        ("a PAX one", vec![pax(b'x', &[("linkpath", &far)]), to(b'2', "cut")], Some((&*far, false))),
        ("one taken back", vec![pax(b'x', &[("linkpath", "")]), to(b'2', "b")], Some(("b", false))),
        ("a file", vec![header("a", "0", b'0', &[(157..257, b"b")])], None),
        ("one that is no text", vec![header("a", "0", b'2', &[(157..257, b"\xff")])], None),
        ("one too long", vec![member("K", b'K', &[b'd'; 257]), to(b'2', "cut")], None),
    ] {
        let archive = [parts.concat(), end()].concat();
        let link = members(&archive, 10, |_| true).unwrap().remove("a").unwrap().link;
        let expected = expected.map(|(target, hard)| Link { target: target.into(), hard });
        assert_eq!(link, expected, "{what}");
    }
}

proptest! {
    /// Neither rubbish nor an archive with some bytes changed makes the reader panic, or find bytes outside the file.
    #[test]
    fn members_stay_within_the_file(
        rubbish in prop::collection::vec(any::<u8>(), 0..2048),
        changes in prop::collection::vec((0usize..8 << 10, any::<u8>()), 0..8),
        cut in 0usize..8 << 10,
        honest_sums in any::<bool>(),
    ) {
        let mut archive = [
            file("a"),
            pax(b'x', &[("path", "b"), ("size", "5")]),
            file("b"),
            member("L", b'L', b"c"),
            member("c", b'0', &rubbish),
            header("d", "5", b'S', &[(482..483, &[1])]),
            vec![0; 512],
            padded(b"bytes"),
            end(),
        ]
        .concat();
        archive.truncate(cut);
        for (at, value) in changes {
            if let Some(byte) = archive.get_mut(at) {
                *byte = value;
            }
        }
        if honest_sums {
            archive.chunks_exact_mut(512).filter(|block| block.starts_with(b"a\0")).for_each(mend);
        }
        for bytes in [archive, rubbish] {
            if let Ok(members) = members(&bytes, 100, |_| true) {
                for (name, member) in members {
                    let end = member.offset.checked_add(member.size);
                    prop_assert!(end.is_some_and(|end| end <= bytes.len() as u64), "{name}: {member:?}");
                }
            }
        }
    }

    /// What the `tar` crate writes is what is found, and every byte of it where it is said to be.
    #[test]
    fn finds_what_others_write(files in prop::collection::btree_map("[a-z]{1,9}(/[a-z]{1,90}){0,3}", prop::collection::vec(any::<u8>(), 0..1500), 0..5)) {
        let mut builder = ::tar::Builder::new(Vec::new());
        for (name, content) in &files {
            let mut header = ::tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name, content.as_slice()).unwrap();
        }
        let archive = builder.into_inner().unwrap();
        let found = members(&archive, 100, |_| true).map_err(|broken| TestCaseError::fail(format!("{broken:?}")))?;
        prop_assert_eq!(found.len(), files.len());
        for (name, content) in &files {
            let Member { kind, offset, size, .. } = found[name.as_str()];
            prop_assert_eq!(kind, Kind::File);
            let from = usize::try_from(offset).unwrap();
            prop_assert_eq!(&archive[from..from + usize::try_from(size).unwrap()], content.as_slice());
        }
    }
}

/// Sets a block's checksum right, so that changes get past it.
fn mend(block: &mut [u8]) {
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

//! Folders and files over `wasi:filesystem`.
//!
//! A folder is what the runtime opened under a name. Everything in it is reached from there, one name at a time, following
//! no link, and nothing is opened that is not a plain file or a folder on the way to one.

use portolan_oci::layout::Place;
use wasip2::clocks::wall_clock::Datetime;
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, PathFlags};

/// What is read at a time.
const PIECE: u64 = 1 << 20;

/// A folder that the runtime opened.
pub(crate) struct Folder(Descriptor);

/// A plain file, opened.
pub(crate) struct File {
    descriptor: Descriptor,
    stamp: Stamp,
}

/// Tells whether a file was changed since.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stamp {
    length: u64,
    modified: Option<(u64, u32)>,
}

/// Why there is no file in a place.
#[derive(Debug)]
pub(crate) enum Missing {
    /// Nothing has that name.
    Absent,
    /// Something has it, or stands in its way, that is no file: what, and what kind of thing that is.
    NoFile(String, &'static str),
    /// We may not read it.
    Forbidden(String),
    /// Anything else.
    Failed(String),
}

impl Folder {
    /// The folder that was opened as `name`, `/name` or `./name`.
    pub(crate) fn named(name: &str) -> Option<Folder> {
        let folders = preopens::get_directories();
        folders.into_iter().find(|(_, path)| bare(path) == name).map(|(folder, _)| Folder(folder))
    }

    /// The file in this place.
    pub(crate) fn find(&self, place: &Place<'_>) -> Result<File, Missing> {
        let path = place.to_string();
        let mut names = path.split('/').peekable();
        let mut opened: Option<Descriptor> = None;
        while let Some(name) = names.next() {
            let inside = opened.as_ref().unwrap_or(&self.0);
            let (expected, flags) = match names.peek() {
                Some(_) => (DescriptorType::Directory, OpenFlags::DIRECTORY),
                None => (DescriptorType::RegularFile, OpenFlags::empty()),
            };
            opened = Some(open(inside, name, expected, flags)?);
        }
        let descriptor = opened.ok_or(Missing::Absent)?;
        let stamp = stamp(&descriptor).map_err(Missing::Failed)?;
        Ok(File { descriptor, stamp })
    }
}

impl File {
    /// How many bytes there were when it was opened.
    pub(crate) fn length(&self) -> u64 {
        self.stamp.length
    }

    /// Whether it is as it was when it was opened.
    pub(crate) fn unchanged(&self) -> bool {
        stamp(&self.descriptor).is_ok_and(|now| now == self.stamp)
    }

    /// At most `length` bytes from `offset`, in pieces; short only at the end. Memory grows with what is read.
    pub(crate) fn read<E: From<String>>(
        &self,
        offset: u64,
        length: u64,
        mut each: impl FnMut(Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut at, end) = (offset, offset.saturating_add(length));
        while at < end {
            let (piece, last) = self.descriptor.read(PIECE.min(end - at), at).map_err(|error| E::from(said(error)))?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            each(piece)?;
            if last {
                break;
            }
        }
        Ok(())
    }

    /// The same, as one.
    pub(crate) fn read_all(&self, offset: u64, length: u64) -> Result<Vec<u8>, String> {
        let mut all = Vec::new();
        self.read(offset, length, |mut piece| {
            match all.is_empty() {
                true => all = piece,
                false => all.append(&mut piece),
            }
            Ok::<(), String>(())
        })?;
        Ok(all)
    }
}

/// A name as the runtime was told it, without what makes it a path.
fn bare(path: &str) -> &str {
    path.trim_start_matches("./").trim_matches('/')
}

/// Opens what `name` is in `folder` if it is of the `expected` type.
fn open(folder: &Descriptor, name: &str, expected: DescriptorType, flags: OpenFlags) -> Result<Descriptor, Missing> {
    let missing = |error| match error {
        ErrorCode::NoEntry => Missing::Absent,
        ErrorCode::Access | ErrorCode::NotPermitted => Missing::Forbidden(name.into()),
        ErrorCode::Loop => Missing::NoFile(name.into(), "a symbolic link"),
        other => Missing::Failed(said(other)),
    };
    let check = |found: DescriptorType| match found == expected {
        true => Ok(()),
        false => Err(Missing::NoFile(name.into(), kind(found))),
    };
    // Looked at before it is opened, as opening alone can do harm or wait without end; and after, as it may have been
    // replaced between the two.
    check(folder.stat_at(PathFlags::empty(), name).map_err(missing)?.type_)?;
    let opened = folder.open_at(PathFlags::empty(), name, flags, DescriptorFlags::READ).map_err(missing)?;
    check(opened.get_type().map_err(missing)?)?;
    Ok(opened)
}

fn stamp(file: &Descriptor) -> Result<Stamp, String> {
    let stat = file.stat().map_err(said)?;
    let modified = stat.data_modification_timestamp.map(|Datetime { seconds, nanoseconds }| (seconds, nanoseconds));
    Ok(Stamp { length: stat.size, modified })
}

fn said(error: ErrorCode) -> String {
    error.name().replace('-', " ")
}

/// For a sentence: `is …`.
fn kind(found: DescriptorType) -> &'static str {
    match found {
        DescriptorType::RegularFile => "a file",
        DescriptorType::Directory => "a folder",
        DescriptorType::SymbolicLink => "a symbolic link",
        DescriptorType::Fifo => "a fifo",
        DescriptorType::Socket => "a socket",
        DescriptorType::BlockDevice | DescriptorType::CharacterDevice => "a device",
        DescriptorType::Unknown => "neither file nor folder",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_folders_were_opened_as() {
        for (path, name) in [
            ("/layout", "layout"),
            ("layout", "layout"),
            ("./layout", "layout"),
            ("/a/b/", "a/b"),
            (".", "."),
            ("/", ""),
        ] {
            assert_eq!(bare(path), name, "{path}");
        }
    }
}

//! What lies in this very program, as the build script packed it: the components (bundled frontends, with the strategy in them and without, the
//! bundled strategy, the parts of a bundle), and the sources of the SDK.
//!
//! Each archive is unpacked whole when something in it is first looked into. Who only wants to know which component it is, to
//! find the code that was made of it, asks for its digest.

use std::io::Read as _;
use std::ops::Range;
use std::sync::OnceLock;

use portolan_oci::Digest;

/// The components, by their names.
pub(crate) static COMPONENTS: Archive = Archive {
    packed: include_bytes!(concat!(env!("OUT_DIR"), "/components.zst")),
    table: &include!(concat!(env!("OUT_DIR"), "/components.rs")),
    unpacked: OnceLock::new(),
};

/// The SDK as a cargo workspace, each file by its path in it.
pub(crate) static SDK: Archive = Archive {
    packed: include_bytes!(concat!(env!("OUT_DIR"), "/sdk.zst")),
    table: &include!(concat!(env!("OUT_DIR"), "/sdk.rs")),
    unpacked: OnceLock::new(),
};

/// Files one behind the other, packed.
pub(crate) struct Archive {
    packed: &'static [u8],
    /// Name, place in what is unpacked, SHA-256.
    table: &'static [(&'static str, Range<usize>, &'static str)],
    unpacked: OnceLock<Vec<u8>>,
}

impl Archive {
    /// A file's bytes; none of a file that is not there.
    pub(crate) fn bytes(&self, name: &str) -> &[u8] {
        let place = self.table.iter().find(|(known, ..)| *known == name).map(|(_, place, _)| place.clone());
        place.and_then(|place| self.unpacked().get(place)).unwrap_or_default()
    }

    /// The digest of those bytes.
    pub(crate) fn digest(&self, name: &str) -> Digest {
        let known = self.table.iter().find(|(known, ..)| *known == name);
        let known = known.and_then(|(.., hex)| Digest::parse(&format!("sha256:{hex}")).ok());
        known.unwrap_or_else(|| Digest::sha256(self.bytes(name)))
    }

    /// All files, in order.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.table.iter().map(|(name, place, _)| (*name, self.unpacked().get(place.clone()).unwrap_or_default()))
    }

    fn unpacked(&self) -> &[u8] {
        self.unpacked.get_or_init(|| {
            let mut all = Vec::with_capacity(self.table.last().map_or(0, |(_, place, _)| place.end));
            let done = zstd::Decoder::with_buffer(self.packed).and_then(|mut archive| archive.read_to_end(&mut all));
            // A part of this program: what does not unpack is a program that is broken, and nothing is a component then.
            if let Err(error) = done {
                tracing::error!("what lies in this program does not unpack: {error}");
            }
            all
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_what_the_table_says() {
        assert_eq!(COMPONENTS.table.len(), 20);
        for archive in [&COMPONENTS, &SDK] {
            for (name, place, _) in archive.table {
                assert_eq!(archive.bytes(name).len(), place.len(), "{name}");
                assert_eq!(archive.digest(name), Digest::sha256(archive.bytes(name)), "{name}");
            }
            assert!(archive.bytes("nobody").is_empty());
        }
        assert!(COMPONENTS.files().all(|(_, bytes)| bytes.starts_with(b"\0asm\x0d")));
        assert!(SDK.files().any(|(name, _)| name == "guest/sdk/src/lib.rs"));
    }
}

//! The components in this very program, as the build script packed them: bundled frontends, the bundled strategy, the parts of
//! a bundle.
//!
//! They are unpacked together when one is first looked into. Who only wants to know which one it is, to find the code that
//! was made of it, asks for its digest.

use std::io::Read as _;
use std::ops::Range;
use std::sync::LazyLock;

use portolan_oci::Digest;

/// Name, place in the archive unpacked, SHA-256.
static TABLE: &[(&str, Range<usize>, &str)] = &include!(concat!(env!("OUT_DIR"), "/components.rs"));

static ARCHIVE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/components.zst"));

static COMPONENTS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut all = Vec::with_capacity(TABLE.last().map_or(0, |(_, place, _)| place.end));
    let unpacked = zstd::Decoder::with_buffer(ARCHIVE).and_then(|mut archive| archive.read_to_end(&mut all));
    // A part of this program: what does not unpack is a program that is broken, and nothing is a component then.
    if let Err(error) = unpacked {
        tracing::error!("the components in this program do not unpack: {error}");
    }
    all
});

/// A component's bytes.
pub(super) fn bytes(name: &str) -> &'static [u8] {
    let place = TABLE.iter().find(|(known, ..)| *known == name).map(|(_, place, _)| place.clone());
    place.and_then(|place| COMPONENTS.get(place)).unwrap_or_default()
}

/// The digest of those bytes.
pub(super) fn digest(name: &str) -> Digest {
    let known = TABLE.iter().find(|(known, ..)| *known == name);
    let known = known.and_then(|(.., hex)| Digest::parse(&format!("sha256:{hex}")).ok());
    known.unwrap_or_else(|| Digest::sha256(bytes(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_what_the_table_says() {
        assert_eq!(TABLE.len(), 12);
        for (name, place, _) in TABLE {
            assert_eq!(bytes(name).len(), place.len(), "{name}");
            assert!(bytes(name).starts_with(b"\0asm\x0d"), "{name}");
            assert_eq!(digest(name), Digest::sha256(bytes(name)), "{name}");
        }
        assert!(bytes("nobody").is_empty());
    }
}

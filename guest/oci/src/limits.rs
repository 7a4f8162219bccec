//! How large a document may be that is read whole, and how much one may list. Sizes are in bytes.
//!
//! Who reads for a guest holds to these: the host, which can be told others, and the component that stands in for it.

const MIB: u64 = 1 << 20;

/// A manifest, an index or a config: what distribution and containerd read at most.
pub const DOCUMENT: u64 = 4 * MIB;
/// A store's index.json, which may name a hundred thousand images.
pub const ENTRIES: u64 = 64 * MIB;
/// An attestation or any other document that is neither manifest, index nor config; SBOMs grow large.
pub const ATTESTATION: u64 = 40 * MIB;
/// A token or an error body of a registry.
pub const CONTROL_BODY: u64 = 64 << 10;
/// Entries in one index.
pub const INDEX_ENTRIES: usize = 100_000;
/// Pages of a tag list.
pub const TAG_PAGES: usize = 1_000;
/// Referrers of one digest.
pub const REFERRERS: usize = 10_000;
/// Redirects followed for one request.
pub const REDIRECTS: usize = 5;
/// Bytes of documents handed to one run.
pub const RUN_DOCUMENTS: u64 = 256 * MIB;

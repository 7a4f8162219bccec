//! Every bound that protects the host, in one place, each with its reason.
//!
//! Not here: time-outs and retry counts of the registry client, which belong to its pipeline.

use std::time::Duration;

use portolan_oci::limits;

const MIB: u64 = 1 << 20;

/// How much of anything one run, one document or one answer may be. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A manifest, an index or a config: what distribution and containerd read at most.
    pub document: u64,
    /// A store's index.json, which may name a hundred thousand images.
    pub entries: u64,
    /// An attestation or any other document that is neither manifest, index nor config; SBOMs grow large.
    pub attestation: u64,
    /// A token or an error body of a registry.
    pub control_body: u64,
    /// Entries in one index.
    pub index_entries: usize,
    /// Indexes inside indexes.
    pub nesting: usize,
    /// Pages of a tag list.
    pub tag_pages: usize,
    /// Referrers of one digest.
    pub referrers: usize,
    /// Redirects followed for one request.
    pub redirects: usize,
    /// What of a large blob one connection is asked for; a blob of eight such parts or more is large. Four of them, and
    /// no more, lie in memory for one registry.
    pub part: u64,
    /// A guest's linear memories, together.
    pub guest_memory: u64,
    /// Time that a guest may compute; waiting for the host does not count.
    pub guest_cpu: Duration,
    /// Time that a run may take from start to answer, waiting included; `None` is without end (bundled commands).
    pub wall_clock: Option<Duration>,
    /// Calls from the guest to the host.
    pub host_calls: u64,
    /// Bytes of documents handed to one run.
    pub run_documents: u64,
    /// Arguments of one host call, together.
    pub call_arguments: u64,
    /// A response's text or bytes; `content` is streamed and has no limit.
    pub response: u64,
    /// A component's file.
    pub component: u64,
    /// Members of an archive.
    pub archive_members: u64,
    /// Documents kept, together, of an archive that is compressed or comes by standard input. More than a run may see.
    pub archive_documents: u64,
    /// What a compressed archive may unpack to, all the times that it is gone over for its layers together, or standard
    /// input may bring; of a docker archive that is not compressed, the compressed layers. Nothing of it is kept but
    /// documents, so that it is time that this bounds; the largest of images have a tenth.
    pub archive_unpacked: u64,
    /// How many times what it is packed in an archive may unpack to. gzip comes to 1032 on zeros, which layers can have;
    /// so it counts from [`archive_ratio_from`](Limits::archive_ratio_from) on only.
    pub archive_ratio: u64,
    /// What an archive may unpack to however small it is: some seconds of work.
    pub archive_ratio_from: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            document: limits::DOCUMENT,
            entries: limits::ENTRIES,
            attestation: limits::ATTESTATION,
            control_body: limits::CONTROL_BODY,
            index_entries: limits::INDEX_ENTRIES,
            nesting: 8,
            tag_pages: limits::TAG_PAGES,
            referrers: limits::REFERRERS,
            redirects: limits::REDIRECTS,
            part: 8 * MIB,
            guest_memory: 256 * MIB,
            guest_cpu: Duration::from_secs(10),
            wall_clock: Some(Duration::from_secs(5 * 60)),
            host_calls: 100_000,
            run_documents: limits::RUN_DOCUMENTS,
            call_arguments: 8 * MIB,
            response: 64 * MIB,
            component: 64 * MIB,
            archive_members: 1_000_000,
            archive_documents: 256 * MIB,
            archive_unpacked: 1 << 40,
            archive_ratio: 200,
            archive_ratio_from: 4 << 30,
        }
    }
}

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
    /// Components and modules inside each other. Tools that compose come to three or four.
    pub component_depth: u64,
    /// Core modules of a component. One made of Python has 38.
    pub modules: u64,
    /// Instances that a component consists of, a part as often as it is instantiated: a few bytes can ask for millions. One
    /// made of Python has 40.
    pub instances: u64,
    /// What these instances are laid out in, beside their memories and tables, which are a run's. One made of Python takes
    /// half a megabyte.
    pub instance_memory: u64,
    /// Functions of a component: each costs the compiler a tenth of a millisecond and 5 kB, however small. JavaScript's and
    /// Python's engines have 13 500.
    pub functions: u64,
    /// The code of one function. Python's largest has 417 KiB.
    pub function: u64,
    /// Local variables of one function: the compiler looks at those that are alive at every branch. Python's largest has
    /// 271, and code that is not optimized more.
    pub function_locals: u64,
    /// The code of all functions: about two seconds of compiling for a megabyte. JavaScript's engine has 9 MiB.
    pub code: u64,
    /// What the branches of one function cost the compiler, in hundred-millionths of a second: their square, loops and
    /// indirect calls counted several times, and a hundred for each branch and local variable. A function of 100 kB can be
    /// made to take a minute and a half. Python's largest comes to 270 millions.
    pub function_effort: u64,
    /// The same for all functions together. JavaScript's engine comes to 1 900 millions.
    pub compile_effort: u64,
    /// Time that compiling a component may take. The largest of the above is through in less, where the machine is free.
    pub compile_time: Duration,
    /// Components compiled at once: more would only be slower.
    pub compiles: usize,
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

impl Limits {
    /// These, as far as what bounds a run goes no further than in `outer`: memory, computing, waiting, calls, documents, a
    /// response.
    #[must_use]
    pub fn within(&self, outer: &Limits) -> Self {
        let wall_clock = [self.wall_clock, outer.wall_clock].into_iter().flatten().min();
        Limits {
            guest_memory: self.guest_memory.min(outer.guest_memory),
            guest_cpu: self.guest_cpu.min(outer.guest_cpu),
            wall_clock,
            host_calls: self.host_calls.min(outer.host_calls),
            run_documents: self.run_documents.min(outer.run_documents),
            response: self.response.min(outer.response),
            ..self.clone()
        }
    }
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
            component_depth: 16,
            modules: 256,
            instances: 500,
            instance_memory: 64 * MIB,
            functions: 50_000,
            function: MIB,
            function_locals: 5_000,
            code: 24 * MIB,
            function_effort: 600_000_000,
            compile_effort: 5_000_000_000,
            compile_time: Duration::from_secs(2 * 60),
            compiles: 2,
            archive_members: 1_000_000,
            archive_documents: 256 * MIB,
            archive_unpacked: 1 << 40,
            archive_ratio: 200,
            archive_ratio_from: 4 << 30,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bounds_a_run_is_the_least_of_both() {
        let of = |count: u64| Limits {
            guest_memory: count,
            guest_cpu: Duration::from_secs(count),
            wall_clock: Some(Duration::from_secs(count)),
            host_calls: count,
            run_documents: count,
            response: count,
            // Not a run's.
            document: count,
            ..Limits::default()
        };
        let (narrow, wide) = (of(1), of(2));
        assert_eq!(narrow.within(&wide), narrow);
        assert_eq!(wide.within(&narrow), Limits { document: 2, ..of(1) });
        let without_end = |limits: &Limits| Limits { wall_clock: None, ..limits.clone() };
        assert_eq!(without_end(&wide).within(&narrow).wall_clock, narrow.wall_clock);
        assert_eq!(wide.within(&without_end(&narrow)).wall_clock, wide.wall_clock);
        assert_eq!(without_end(&wide).within(&without_end(&narrow)).wall_clock, None);
    }
}

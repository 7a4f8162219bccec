//! The catalogue, a chapter for each family of points.
//!
//! A script that fits a table is a row of one. What a script needs to be read in its module stays there; what many need is
//! in `things`.

mod challenges;
mod digests;
mod documents;
mod errors;
mod lists;
mod patience;
mod ranges;
mod redirects;
mod sizes;
mod things;
mod tokens;
mod types;
mod uploads;

pub use things::{PASSWORD, TOKEN, USER};

use crate::script::Script;

/// One of the things that there are to survive.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// As [`Script::point`].
    pub number: u8,
    /// What it is about.
    pub what: &'static str,
    /// Files, from the root of the repository, that hold what no script can play on one machine by plain HTTP.
    pub beside: &'static [&'static str],
}

const fn point(number: u8, what: &'static str, beside: &'static [&'static str]) -> Point {
    Point { number, what, beside }
}

/// What there is to survive.
pub const POINTS: &[Point] = &[
    point(1, "digests that do not agree: of the body, of the header, of the question", &[]),
    point(2, "bodies shorter, longer or slower than they say, and heads that do not fit them", &[]),
    point(3, "documents at their limit and a byte beyond it, and chunks without end", &[]),
    point(4, "Content-Types: html, text, missing, with parameters, wrong, of odd case", &[]),
    point(5, "documents that can be read as two things, or exhaust who reads them", &["tests/documents.rs"]),
    point(6, "digests that are none: paths, other cases, other lengths, other algorithms", &[]),
    point(7, "sizes that are negative, huge, none, or not those of the bytes", &[]),
    point(8, "indexes with too many entries, the same ones, and platforms that are none", &[]),
    point(9, "descriptors with content of their own, and with other places for it", &[]),
    point(
        10,
        "redirects: every status, in circles, without end, and to where nobody should go",
        &["host/src/source/registry/admission.rs", "tests/registry/tls.rs"],
    ),
    point(
        11,
        "challenges: for ever, again, without a realm, with one that is after something",
        &["host/src/source/registry/admission.rs"],
    ),
    point(
        12,
        "token servers: what they send, where they send us on to, and when they hang",
        &["tests/registry/auth.rs"],
    ),
    point(
        13,
        "Locations of uploads: elsewhere, relative, missing, unparsable",
        &["host/src/source/registry/admission.rs"],
    ),
    point(
        14,
        "mounts and chunks: answers that are lies, and ranges that do not fit",
        &["tests/registry/push_chunks.rs"],
    ),
    point(15, "ranges: 200 for 206, wrong ones, several, and content that changes", &["tests/registry/content.rs"]),
    point(16, "Content-Encodings that nobody asked for", &[]),
    point(17, "lists: Links that lead away or in circles, tags that are none, and referrers", &[]),
    point(18, "busy registries, Retry-After, and connections that break", &[]),
    point(19, "errors: endless ones, ones that steer a terminal, ones that echo a secret", &[]),
    point(
        20,
        "TLS: certificates that are not right, client certificates, and proxies that refuse",
        &["tests/registry/tls.rs", "tests/registry/hosts.rs", "tests/registry/proxy.rs"],
    ),
    point(21, "slow at every phase, and cancelled by the caller at every phase", &["tests/survival/cancelled.rs"]),
    point(
        22,
        "layouts that are broken, or written by two at once",
        &["tests/layouts.rs", "tests/layouts_written/hostile.rs"],
    ),
    point(23, "archives that are made to be read wrongly", &["tests/archives.rs", "tests/archives/packed.rs"]),
    point(
        24,
        "credentials: files and helpers that are broken",
        &[
            "tests/registry/auth.rs",
            "host/src/source/registry/credentials/config.rs",
            "host/src/source/registry/credentials/helper.rs",
        ],
    ),
    point(25, "plug-ins that misbehave", &["tests/hostile_guests.rs"]),
    point(26, "two runs and one digest, to which only one has access", &["tests/registry/cache.rs"]),
];

/// Every script, in the order of the points.
pub fn all() -> Vec<Script> {
    let mut all = [
        digests::scripts(),
        sizes::scripts(),
        types::scripts(),
        documents::scripts(),
        redirects::scripts(),
        challenges::scripts(),
        tokens::scripts(),
        uploads::scripts(),
        ranges::scripts(),
        lists::scripts(),
        patience::scripts(),
        errors::scripts(),
    ]
    .concat();
    all.sort_by_key(|script| script.point);
    all
}

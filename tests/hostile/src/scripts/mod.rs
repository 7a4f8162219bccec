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

/// What there is to survive: the number of a point, and what it is about.
pub const POINTS: &[(u8, &str)] = &[
    (1, "digests that do not agree: of the body, of the header, of the question"),
    (2, "bodies shorter, longer or slower than they say, and heads that do not fit them"),
    (3, "documents at their limit and a byte beyond it, and chunks without end"),
    (4, "Content-Types: html, text, missing, with parameters, wrong, of odd case"),
    (5, "documents that can be read as two things, or exhaust who reads them"),
    (6, "digests that are none: paths, other cases, other lengths, other algorithms"),
    (7, "sizes that are negative, huge, none, or not those of the bytes"),
    (8, "indexes with too many entries, the same ones, and platforms that are none"),
    (9, "descriptors with content of their own, and with other places for it"),
    (10, "redirects: every status, in circles, without end, and to where nobody should go"),
    (11, "challenges: for ever, again, without a realm, with one that is after something"),
    (12, "token servers: what they send, where they send us on to, and when they hang"),
    (13, "Locations of uploads: elsewhere, relative, missing, unparsable"),
    (14, "mounts and chunks: answers that are lies, and ranges that do not fit"),
    (15, "ranges: 200 for 206, wrong ones, several, and content that changes"),
    (16, "Content-Encodings that nobody asked for"),
    (17, "lists: Links that lead away or in circles, and tags that are none"),
    (18, "busy registries, Retry-After, and connections that break"),
    (19, "errors: endless ones, ones that steer a terminal, ones that echo a secret"),
    (21, "slow at every phase"),
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

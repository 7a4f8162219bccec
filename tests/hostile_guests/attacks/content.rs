//! Saying of content what is not so, and asking for parts that there are not.

use super::Must::{Answer, Fail};
use super::Promise::Content;
use super::resources::blob_at;
use super::{Attack, told};
use crate::world::blob;

pub fn attacks() -> Vec<Attack> {
    let digest = blob().digest.to_string();
    let fetch = |name, what: String, must| told(Content, name, "fetch", format!("r.example/a {what}"), must);
    let stored = |name, what: String, must| told(Content, name, "fetch", format!("oci-layout://out {what}"), must);
    let read =
        |name, offset, length, must| told(Content, name, "read-at", blob_at("oci-layout://out", offset, length), must);
    let kind = blob().media_type;
    vec![
        fetch("a-digest-that-is-a-path", "a/b sha256:../../../../etc/passwd 10".into(), Fail(1, "is no digest")),
        fetch("a-digest-in-capitals", format!("a/b {} 10", digest.to_uppercase()), Fail(1, "is no digest")),
        fetch("a-digest-that-is-too-long", format!("a/b {digest}0 10"), Fail(1, "is no digest")),
        fetch("a-digest-that-is-empty", "a/b sha256: 10".into(), Fail(1, "is no digest")),
        fetch("a-digest-that-nobody-can-verify", format!("a/b md5:{} 10", "0".repeat(32)), Fail(1, "verify")),
        fetch("a-media-type-that-is-a-path", format!("../../etc {digest} 10"), Fail(1, "media type")),
        fetch("a-media-type-with-a-line", format!("a/b\r\nX-Evil:1 {digest} 10"), Fail(1, "media type")),
        fetch("a-media-type-of-a-megabyte", format!("a/{} {digest} 10", "b".repeat(1 << 20)), Fail(1, "media type")),
        fetch("a-size-beyond-all-sizes", format!("a/b {digest} {}", u64::MAX), Fail(1, "2^63-1")),
        stored("a-size-that-is-too-small", format!("{kind} {digest} 9"), Fail(1, "")),
        stored("a-size-that-is-too-large", format!("{kind} {digest} 11"), Fail(1, "")),
        stored("a-size-of-nothing", format!("{kind} {digest} 0"), Fail(1, "")),
        stored(
            "a-size-beyond-the-limit",
            format!("{kind} {digest} {}", i64::MAX),
            Fail(3, "documents that it may read"),
        ),
        stored(
            "a-manifest-that-is-none",
            format!("application/vnd.oci.image.manifest.v1+json {digest} 10"),
            Fail(1, ""),
        ),
        stored("a-digest-of-something-else", format!("{kind} sha256:{:064} 10", 0), Fail(5, "")),
        read("read-nothing", 0, 0, Answer("0")),
        read("read-at-the-end", 10, 4, Answer("0")),
        read("read-behind-the-end", 11, 4, Answer("0")),
        read("read-over-the-end", 8, 100, Answer("2")),
        read("read-from-the-end-of-numbers", u64::MAX, 1, Answer("0")),
        read("read-from-the-end-of-numbers-to-there", u64::MAX, 4 << 20, Answer("0")),
        told(Content, "push-content-of-another-digest", "push", "r.example/a", Fail(4, "not granted to write")),
        told(Content, "referrers-of-no-digest", "refer", "r.example/a latest", Fail(1, "is no digest")),
        told(Content, "tags-from-elsewhere", "tags-from", "r.example/a http://169.254.169.254/", Fail(1, "")),
        told(Content, "entries-that-stay-what-they-were", "entries-twice", "oci-layout://out", Answer("true")),
        told(
            Content,
            "content-of-no-size",
            "content",
            format!("r.example/a {kind} {digest} {}", u64::MAX),
            Fail(1, "2^63-1"),
        ),
    ]
}

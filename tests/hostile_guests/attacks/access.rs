//! Reaching what was not granted: by another spelling, through another call, through the host's own hands.

use super::Must::{Answer, Fail};
use super::Promise::Access;
use super::{Attack, granted};
use crate::world::blob;

const MINE: &str = "r.example/team/app";

pub fn attacks() -> Vec<Attack> {
    let described = |repository: &str| {
        let blob = blob();
        format!("{repository} {} {} {}", blob.media_type, blob.digest, blob.size)
    };
    let denied = "this run was not granted to";
    let ask = |name, action, with: String, must| granted(MINE, Access, name, action, with, must);
    let resolve = |name, reference: &str, status, why| ask(name, "resolve", reference.to_owned(), Fail(status, why));
    vec![
        resolve("resolve-a-neighbour", "r.example/team/other", 4, denied),
        resolve("resolve-what-is-below", "r.example/team/app/sub", 4, denied),
        resolve("resolve-what-is-above", "r.example/team", 4, denied),
        resolve("resolve-by-the-default-port", "r.example:443/team/app", 4, denied),
        resolve("resolve-in-capitals", "R.EXAMPLE/team/app", 4, denied),
        resolve("resolve-on-this-machine", "localhost:2375/team/app", 4, denied),
        resolve("resolve-on-this-machine-by-address", "[::1]/team/app", 4, denied),
        resolve("resolve-the-metadata-service", "169.254.169.254/latest/meta-data", 4, denied),
        resolve("resolve-with-a-dot-at-the-end", "r.example./team/app", 1, "is no reference"),
        resolve("resolve-with-dots", "r.example/team/../team/app", 1, "is no reference"),
        resolve("resolve-with-an-encoded-slash", "r.example/team%2Fapp", 1, "is no reference"),
        resolve("resolve-with-a-password", "user:secret@r.example/team/app", 1, "is no reference"),
        resolve("resolve-with-a-scheme", "https://r.example/team/app", 1, "is no reference"),
        resolve("resolve-a-file", "file:///etc/passwd", 1, "is no reference"),
        resolve("resolve-what-looks-alike", "r.exаmple/team/app", 1, "is no reference"),
        ask("fetch-from-a-neighbour", "fetch", described("r.example/team/other"), Fail(4, denied)),
        ask("tags-of-a-neighbour", "tags", "r.example/team/other".into(), Fail(4, denied)),
        ask("entries-of-a-neighbour", "entries", "r.example/team/other".into(), Fail(4, denied)),
        ask("referrers-in-a-neighbour", "referrers", "r.example/team/other".into(), Fail(4, denied)),
        ask("content-of-a-neighbour", "content", described("r.example/team/other"), Fail(4, denied)),
        ask(
            "range-of-a-neighbour",
            "read-at",
            super::resources::blob_at("r.example/team/other", 0, 1),
            Fail(4, denied),
        ),
        ask(
            "read-a-neighbour-among-ones-own",
            "resolve-all",
            format!("{MINE} r.example/team/other"),
            Answer("sha256:84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882 denied"),
        ),
        ask("push-where-it-may-read", "push", MINE.into(), Fail(4, "not granted to write")),
        ask("push-under-a-name", "push-named", format!("{MINE} latest"), Fail(4, "not granted to write")),
        // The host as a deputy: it may read and write everything, and is asked to move things.
        ask(
            "copy-out-of-a-neighbour",
            "copy",
            format!("r.example/team/other {}", described(MINE)),
            Fail(4, "not granted"),
        ),
        ask(
            "copy-into-a-neighbour",
            "copy",
            format!("{MINE} {}", described("r.example/team/other")),
            Fail(4, "not granted"),
        ),
        ask("copy-into-ones-own", "copy", format!("{MINE} {}", described(MINE)), Fail(4, "not granted to write")),
        ask(
            "copy-into-a-store",
            "copy",
            format!("{MINE} {}", described("oci-layout://out")),
            Fail(4, "not granted to write"),
        ),
        ask(
            "fetch-from-a-store-of-another-name",
            "fetch",
            described("oci-layout://other"),
            Fail(4, "no store of that name"),
        ),
        ask("fetch-from-a-folder", "fetch", described("oci-layout:///etc"), Fail(1, "it names no store")),
        ask("fetch-from-above-a-store", "fetch", described("oci-layout://.."), Fail(4, "no store of that name")),
        ask("fetch-inside-a-store", "fetch", described("oci-layout://out/../x"), Fail(1, "a repository is meant")),
    ]
}

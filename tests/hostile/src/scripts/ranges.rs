//! Point 15: parts of blobs, and registries that send other parts, all of it, or something else meanwhile.

use std::time::Duration;

use super::things::{blob, get_blob, guard, layer};
use crate::scene::{Scene, on};
use crate::script::Class::{Malformed, Mismatch, NotFound, RateLimited, Refused, TooLarge, Unavailable};
use crate::script::{Ask, Class, Script};

/// A blob of twenty thousand bytes, no part of which is like another. Who asks for large blobs in parts should be told to ask
/// for 1000 bytes at a time.
fn large() -> Vec<u8> {
    (0..20_000usize).map(|at| (at * at / 3 + at) as u8).collect()
}

pub(super) fn scripts() -> Vec<Script> {
    [parts(), streams()].concat()
}

fn parts() -> Vec<Script> {
    let (all, size) = (large(), large().len());
    let wanted = all[5000..5100].to_vec();
    let ask = Ask::Part { of: blob(&all), offset: 5000, length: 100 };
    let script = |name: &str, what: &str| Script::new(15, format!("range-{name}"), what, ask.clone()).play([guard()]);
    let part = |range: &str| get_blob().status(206).header("Content-Range", range).body(&*wanted);
    let right = format!("bytes 5000-5099/{size}");
    let mut scripts = vec![
        script("right", "A part is what was asked for.").play([get_blob().ranges().body(&*all)]).gives(&*wanted),
        script("200-for-206", "Where a part was asked for, all of it comes.")
            .play([get_blob().body(&*all)])
            .gives(&*wanted),
        script("200-that-is-short", "Where a part was asked for, all of it comes, and is too short.")
            .play([get_blob().body(&all[..5050])])
            .fails(&[Unavailable, Malformed, Mismatch]),
        script("200-that-never-ends", "Where a part was asked for, something comes that never ends.")
            .play([get_blob().body(&*all).endless()])
            .gives(&*wanted)
            .fails(&[Mismatch, TooLarge]),
        script("of-unknown-total", "A part does not say of how much it is one.")
            .play([part("bytes 5000-5099/*")])
            .gives(&*wanted),
        script("cut-once", "A part breaks off, once.")
            .play([get_blob().ranges().body(&*all).cut(30).once(), get_blob().ranges().body(&*all)])
            .gives(&*wanted),
        script("cut-always", "A part breaks off, always.")
            .play([get_blob().ranges().body(&*all).cut(30)])
            .fails(&[Unavailable])
            .retryable(),
        script("hangs", "A part never comes.").play([get_blob().hang()]).fails(&[Unavailable]).hangs(),
        script("416", "A part that there is is refused with 416.")
            .play([get_blob().status(416).header("Content-Range", format!("bytes */{size}"))])
            .fails(&[Refused, Malformed])
            .status(416),
        script("absent", "A part of a blob that is not there.").play([get_blob().status(404)]).fails(&[NotFound]),
        script("too-often", "Parts are asked for too often.")
            .play([get_blob().status(429)])
            .fails(&[RateLimited])
            .retryable(),
        script("of-a-store", "A store has the parts.")
            .play([get_blob().status(307).header("Location", "http://{elsewhere}/blob?sig=x")])
            .elsewhere([on("GET", "/blob").ranges().body(&*all)])
            .gives(&*wanted),
    ];
    for (name, what, scene) in [
        ("without-range", "does not say which it is", get_blob().status(206).body(&*wanted)),
        ("of-another-offset", "is another one", part(&format!("bytes 5001-5100/{size}"))),
        ("from-the-start", "is the beginning", part(&format!("bytes 0-99/{size}"))),
        ("too-short", "is too short, and says so", part(&format!("bytes 5000-5098/{size}")).body(&wanted[..99])),
        ("too-long", "is too long, and says so", part(&format!("bytes 5000-5199/{size}")).body(&all[5000..5200])),
        ("of-another-total", "is one of another blob, by its size", part("bytes 5000-5099/6000")),
        ("of-huge-total", "is one of 2^64 bytes", part("bytes 5000-5099/18446744073709551616")),
        ("of-other-units", "counts something else than bytes", part(&right.replace("bytes", "lines"))),
        ("of-negative-offset", "begins before the beginning", part(&format!("bytes -1-98/{size}"))),
        ("backwards", "ends before it begins", part(&format!("bytes 5099-5000/{size}"))),
        ("of-rubbish", "says rubbish of which it is", part("some of it")),
        (
            "multipart",
            "comes in several",
            get_blob()
                .status(206)
                .header("Content-Type", "multipart/byteranges; boundary=x")
                .body("--x\r\nContent-Range: bytes 5000-5099/20000\r\n\r\n"),
        ),
    ] {
        scripts.push(
            script(name, &format!("A part {what}."))
                .play([scene])
                .fails(&[Malformed, Unavailable, Mismatch])
                .requests(10),
        );
    }
    let short = part(&right).body(&wanted[..50]);
    scripts.push(script("short-of-what-it-says", "A part is shorter than it says.").play([short]).fails(&[
        Unavailable,
        Malformed,
        Mismatch,
    ]));
    let long = part(&right).body(&all[5000..5500]);
    scripts.push(
        script("longer-than-it-says", "A part is longer than it says.")
            .play([long])
            .gives(&*wanted)
            .fails(&[Malformed, Mismatch]),
    );
    scripts
}

fn streams() -> Vec<Script> {
    let all = large();
    let other: Vec<u8> = all.iter().map(|byte| byte ^ 1).collect();
    let get = || get_blob().ranges().body(&*all);
    let script = |name: &str, what: &str| {
        Script::new(15, format!("large-{name}"), what, Ask::Stream(layer(&all))).play([guard()]).requests(60)
    };
    let either: &[Class] = &[Malformed, Mismatch, Unavailable];
    let ranged = |scene: Scene, range: &str| scene.status(206).header("Content-Range", range);
    let mut scripts = vec![
        script("in-parts", "A large blob may be asked for in parts.").play([get()]).gives(&*all),
        script("without-parts", "A large blob comes whole, however it is asked for.")
            .play([get_blob().body(&*all)])
            .gives(&*all),
        script("cut-three-times", "A large blob breaks off three times.")
            .play([get().cut(300).times(3), get()])
            .gives(&*all),
        script("cut-after-each-300-bytes", "A large blob breaks off again and again, and always goes on.")
            .play([get().cut(300)])
            .gives(&*all)
            .fails(&[Unavailable])
            .requests(150),
        script("cut-before-each-byte", "A large blob never has a first byte.")
            .play([get().cut(0)])
            .fails(&[Unavailable]),
        script("resumed-whole", "A large blob breaks off, and then comes from its beginning.")
            .play([get().cut(300).once(), get_blob().body(&*all)])
            .gives(&*all)
            .fails(either),
        script("resumed-elsewhere", "A large blob breaks off, and its rest is at a store.")
            .play([get().cut(300).once(), get_blob().status(302).header("Location", "http://{elsewhere}/blob")])
            .elsewhere([on("GET", "/blob").ranges().body(&*all)])
            .gives(&*all),
        script("changed-between-parts", "A large blob is another after its first three answers.")
            .play([get().times(3), get_blob().ranges().body(&*other)])
            .gives(&*all)
            .fails(either),
        script("changed-when-resumed", "A large blob breaks off, and is another when it goes on.")
            .play([get().cut(300).once(), get_blob().ranges().body(&*other)])
            .fails(either),
        script("changed-and-its-etag-says-so", "A large blob breaks off, and has another ETag when it goes on.")
            .play([get().header("ETag", "\"1\"").cut(300).once(), get().header("ETag", "\"2\"")])
            .gives(&*all)
            .fails(either),
        script("etag-that-stays", "A large blob breaks off, and has the same ETag when it goes on.")
            .play([get().header("ETag", "\"1\"").cut(300).once(), get().header("ETag", "\"1\"")])
            .gives(&*all),
        script("gone-between-parts", "A large blob is gone after its first three answers.")
            .play([get().times(3), get_blob().status(404)])
            .gives(&*all)
            .fails(&[NotFound, Unavailable, Malformed]),
        script("forbidden-between-parts", "A large blob is forbidden after its first three answers.")
            .play([get().times(3), get_blob().status(403)])
            .gives(&*all)
            .fails(&[Class::Forbidden]),
        script("busy-between-parts", "A registry is busy after the first three parts, once each.")
            .play([get().times(3), get_blob().status(429).times(2), get()])
            .gives(&*all),
        script("hangs-in-the-middle", "A large blob stops in the middle, always.")
            .play([get().drip(Duration::from_secs(20))])
            .fails(&[Unavailable])
            .hangs(),
        script("all-parts-the-first", "Every part is the first one, whatever it says.")
            .play([ranged(get_blob().body(&all[..1000]), "bytes 0-999/20000")])
            .fails(either),
        script("part-unasked", "All of a blob is answered with 206 and no Content-Range.")
            .play([get_blob().status(206).body(&*all)])
            .fails(either),
        script("416", "Every part is refused with 416.").play([get_blob().status(416)]).fails(&[Refused, Malformed]),
        script("multipart", "A blob comes in several parts in one body.")
            .play([get_blob().status(206).header("Content-Type", "multipart/byteranges; boundary=x").body("--x--")])
            .fails(either),
    ];
    let swapped = [&all[1000..2000], &all[..1000], &all[2000..]].concat();
    scripts.push(
        script("parts-swapped", "Two parts of a blob are swapped.")
            .play([get_blob().ranges().body(swapped)])
            .fails(&[Mismatch]),
    );
    let mut last = all.clone();
    last[19_999] ^= 1;
    scripts.push(
        script("last-byte-differs", "The last byte of a blob is another.")
            .play([get_blob().ranges().body(last)])
            .fails(&[Mismatch])
            .for_good(),
    );
    scripts
}

//! Text for people: the terminal is not steered by it, and a command line can be made of what a frontend says of itself.

use super::Must::{Answer, Break, Fail, Trap};
use super::Promise::Text;
use super::{Attack, Must, component, told};
use crate::raw::{Raw, info};

/// Where the data of a description lies.
const DATA: u32 = 2_048;

/// A description with `count` parameters, each with the name that `name` gives it.
fn parameters(count: u32, name: fn(u32) -> String) -> Vec<u8> {
    const SIZE: usize = 56;
    let mut data = vec![0; SIZE * count as usize];
    for number in 0..count {
        let (name, at) = (name(number), SIZE * number as usize);
        let start = DATA + u32::try_from(data.len()).unwrap();
        data.extend(name.as_bytes());
        data[at..at + 4].copy_from_slice(&start.to_le_bytes());
        data[at + 4..at + 8].copy_from_slice(&u32::try_from(name.len()).unwrap().to_le_bytes());
    }
    Raw::described(&[(info::PARAMETERS, DATA), (info::PARAMETERS + 4, count)], &data)
}

/// A description one of whose texts is this.
fn text(field: usize, text: &str) -> Vec<u8> {
    Raw::described(&[(field, DATA), (field + 4, u32::try_from(text.len()).unwrap())], text.as_bytes())
}

/// A description with this format.
fn format(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap();
    let data = [&(DATA + 8).to_le_bytes(), &length.to_le_bytes(), text.as_bytes()].concat();
    Raw::described(&[(info::FORMATS, DATA), (info::FORMATS + 4, 1)], &data)
}

pub fn attacks() -> Vec<Attack> {
    let describe = |name, bytes, must: Must| component(Text, name, bytes, must);
    let escape = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}";
    vec![
        describe("a-name-that-clears-the-screen", text(info::NAME, escape), Answer("good")),
        describe("a-summary-that-clears-the-screen", text(info::SUMMARY, escape), Answer("good")),
        describe("a-summary-of-a-megabyte", text(info::SUMMARY, &"x".repeat(1 << 20)), Answer("good")),
        describe("a-name-of-a-megabyte", text(info::NAME, &"x".repeat(1 << 20)), Break("longer than 64 bytes")),
        describe("a-name-of-nothing", text(info::NAME, ""), Break("empty")),
        describe("a-format-that-clears-the-screen", format(escape), Break("its format")),
        describe("a-format-of-a-megabyte", format(&"x".repeat(1 << 20)), Break("its format")),
        describe("a-parameter", parameters(1, |_| "a".into()), Answer("good")),
        describe("a-parameter-that-the-host-adds", parameters(1, |_| "mode".into()), Break("misnamed")),
        describe("a-parameter-that-is-an-option", parameters(1, |_| "--allow".into()), Break("misnamed")),
        describe("a-parameter-that-clears-the-screen", parameters(1, |_| "\u{1b}[2J".into()), Break("misnamed")),
        describe("a-parameter-of-a-megabyte", parameters(1, |_| "x".repeat(1 << 20)), Break("misnamed")),
        describe("a-parameter-twice", parameters(2, |_| "a".into()), Break("twice")),
        // Each would be compared with all the others.
        describe(
            "parameters-by-the-thousands",
            parameters(20_000, |number| format!("p{number}")),
            Break("more than 256"),
        ),
        told(Text, "a-failure-that-clears-the-screen", "escape", "", Fail(1, "\\u{1b}[2Jall is well")),
        told(Text, "a-cause-that-clears-the-screen", "blame", escape, Fail(1, "\\u{1b}")),
        told(Text, "a-failure-of-a-megabyte", "blame", "x".repeat(1 << 20), Fail(1, "xxx")),
        told(Text, "a-code-that-is-a-status", "blame", "not-found", Fail(5, "not-found")),
        told(Text, "last-words-that-clear-the-screen", "panic", escape, Trap("\\u{1b}]0;owned\\u{7}")),
        told(Text, "a-log-that-clears-the-screen", "chatter", 1_000, Answer("said")),
        told(Text, "a-media-type-that-is-a-header", "media-type", "a/b\r\nSet-Cookie: x", Answer("x")),
    ]
}

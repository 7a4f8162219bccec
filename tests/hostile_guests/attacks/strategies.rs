//! A strategy that attacks, plugged into an honest frontend: it is the one part of a run that whoever asks did not choose by
//! the command.

use portolan::{Bundled, Limit};

use super::Must::{Answer, Fail, Refuse, Stop, Trap};
use super::Promise::{self, Boundary, Calls, Judgement, Loading, Memory, Sandbox, Text, Time};
use super::{Attack, By, Must};
use crate::raw::{Judge, judgement};

/// What an honest strategy comes to.
const FOR_AMD64: &str = "oci-layout://out@sha256:8c485d3470016aa01d84b4a158f52203cd9a77e0c77bbd4463b7e7e3dd592835\n";

/// The hostile strategy in the bundled `resolve`.
fn judged(promise: Promise, name: &'static str, action: &'static str, must: Must) -> Attack {
    Attack { promise, name, by: By::Judged { frontend: Bundled::Resolve, action }, must }
}

fn inspecting(promise: Promise, name: &'static str, action: &'static str, must: Must) -> Attack {
    Attack { promise, name, by: By::Judged { frontend: Bundled::Inspect, action }, must }
}

/// A strategy of its own.
fn strategy(promise: Promise, name: &'static str, bytes: Vec<u8>, must: Must) -> Attack {
    Attack { promise, name, by: By::Strategy(bytes), must }
}

fn returning(name: &'static str, words: &[(usize, u32)], must: Must) -> Attack {
    strategy(Boundary, name, Judge::returning(words), must)
}

fn text(name: &'static str, text: &str, must: Must) -> Attack {
    let bytes = wat::parse_str(format!("(component {text})")).unwrap_or_else(|error| panic!("{name}: {error}"));
    strategy(Loading, name, bytes, must)
}

pub fn attacks() -> Vec<Attack> {
    let (list, length) = (judgement::LIST, judgement::LIST + 4);
    vec![
        judged(Time, "judge-for-ever", "loop", Stop(Limit::Cpu)),
        judged(Time, "choose-for-ever", "select-loop", Stop(Limit::Cpu)),
        inspecting(Time, "judge-for-ever-what-is-inspected", "loop", Stop(Limit::Cpu)),
        judged(Memory, "judge-with-all-memory", "allocate", Stop(Limit::Memory)),
        judged(Memory, "choose-with-all-memory", "select-allocate", Stop(Limit::Memory)),
        judged(Memory, "judge-deeper-and-deeper", "recurse", Stop(Limit::Stack)),
        judged(Calls, "judge-with-a-flood-of-logs", "flood", Stop(Limit::HostCalls)),
        judged(Calls, "judge-with-one-large-log", "log-much", Stop(Limit::CallArguments)),
        judged(Calls, "judge-asking-the-host", "select-call", Stop(Limit::HostCalls)),
        judged(Judgement, "judge-and-panic", "panic", Trap("it was the frontend")),
        judged(Judgement, "judge-and-trap-with-a-lie", "trap", Trap("it was the frontend")),
        inspecting(Judgement, "inspect-and-trap", "trap", Trap("it was the frontend")),
        judged(Judgement, "judge-and-exit", "exit", Trap("called exit(0) instead of answering")),
        judged(Judgement, "judge-and-scribble", "scribble", Trap("unreachable")),
        judged(
            Judgement,
            "an-entry-behind-the-last",
            "behind",
            Fail(1, "the strategy chose entry 3 of a store that has 3"),
        ),
        judged(Judgement, "an-entry-far-behind", "far", Fail(1, "the strategy chose entry 4294967295 of a store")),
        judged(
            Judgement,
            "an-entry-of-negative-number",
            "far-and-first",
            Fail(1, "the strategy chose entry 2147483648"),
        ),
        judged(
            Judgement,
            "a-platform-behind-the-last",
            "select-behind",
            Fail(1, "chose entry 3 of an index that has 3"),
        ),
        judged(Judgement, "a-platform-far-behind", "select-far", Fail(1, "chose entry 4294967295 of an index")),
        inspecting(Judgement, "inspect-an-entry-far-behind", "far", Fail(1, "the strategy chose entry 4294967295")),
        judged(Judgement, "an-honest-judgement", "select-first", Answer(FOR_AMD64)),
        judged(Judgement, "no-entry", "none", Fail(5, "cannot find")),
        judged(Judgement, "no-platform", "select-none", Fail(5, "has no image for linux/amd64")),
        judged(Judgement, "every-entry", "all", Fail(1, "is ambiguous")),
        judged(Judgement, "every-platform", "select-all", Answer(FOR_AMD64)),
        judged(Judgement, "an-entry-a-million-times", "again", Fail(1, "chose 1000000 entries of a store that has 3")),
        judged(
            Judgement,
            "a-platform-a-million-times",
            "select-again",
            Fail(1, "chose 1000000 entries of an index that has 3"),
        ),
        judged(Judgement, "an-entry-that-lies-elsewhere", "last", Fail(5, "it is not there")),
        judged(Judgement, "a-platform-that-lies-elsewhere", "select-last", Fail(5, "it is not there")),
        inspecting(Judgement, "inspect-what-lies-elsewhere", "last", Fail(5, "it is not there")),
        judged(Judgement, "a-failure-that-looks-like-a-missing-grant", "blame-a-grant", Fail(4, "not granted")),
        judged(Judgement, "a-failure-that-looks-like-nothing", "not-found", Fail(5, "there is none")),
        judged(Text, "a-judgement-that-clears-the-screen", "blame", Fail(1, "\\u{1b}]0;owned")),
        judged(Text, "a-judgement-of-a-megabyte", "blame-a-megabyte", Fail(1, "xxx")),
        judged(
            Sandbox,
            "judge-and-look-around",
            "look-around",
            Fail(1, "environment 0, arguments 0, folder false, file false, socket false, name false"),
        ),
        returning("a-judgement", &[], Answer("good")),
        returning("a-judgement-of-no-kind", &[(judgement::WHICH, 7)], Trap("discriminant")),
        returning("positions-out-of-memory", &[(list, 0x7fff_fff0), (length, 1)], Trap("out-of-bounds")),
        returning("positions-off-their-alignment", &[(list, 2), (length, 1)], Trap("unaligned")),
        returning("positions-without-end", &[(length, u32::MAX)], Trap("out-of-bounds")),
        returning("positions-in-all-of-memory", &[(length, 65_536)], Answer("good")),
        returning("a-failure-without-end", &[(judgement::WHICH, 1), (length, u32::MAX)], Trap("out-of-bounds")),
        returning("a-hint-of-no-kind", &[(judgement::WHICH, 1), (judgement::HINT, 2)], Trap("discriminant")),
        returning("a-cause-of-no-kind", &[(judgement::WHICH, 1), (judgement::CAUSE, 2)], Trap("discriminant")),
        strategy(
            Boundary,
            "a-failure-that-is-no-utf-8",
            Judge::build(|judge| {
                judge.answer.set(judgement::WHICH, 1);
                judge.answer.set(list, 2_048);
                judge.answer.set(length, 4);
                judge.rest = r#"(data (i32.const 2048) "\ff\fe\ff\fe")"#.to_owned();
            }),
            Trap("utf8"),
        ),
        strategy(
            Boundary,
            "room-for-the-question-out-of-memory",
            Judge::build(|judge| judge.realloc = "i32.const -8".to_owned()),
            Trap("out-of-bounds"),
        ),
        strategy(
            Time,
            "room-for-the-question-never",
            Judge::build(|judge| judge.realloc = "(loop $forever (br $forever)) unreachable".to_owned()),
            Stop(Limit::Cpu),
        ),
        strategy(
            Time,
            "begin-for-ever",
            Judge::build(|judge| judge.rest = "(func $s (loop $forever (br $forever))) (start $s)".to_owned()),
            Stop(Limit::Cpu),
        ),
        strategy(
            Memory,
            "begin-with-all-memory",
            Judge::build(|judge| judge.rest = "(memory $huge 65536)".to_owned()),
            Stop(Limit::Memory),
        ),
        text(
            "a-strategy-without-functions",
            r#"(instance $i) (export "portolan:oci/strategy@0.1.0" (instance $i))"#,
            Refuse(""),
        ),
        text(
            "a-strategy-of-another-version",
            r#"(instance $i) (export "portolan:oci/strategy@0.2.0" (instance $i))"#,
            Refuse("was built for portolan:oci 0.2.0"),
        ),
        text(
            "a-strategy-that-asks-for-itself",
            r#"(import "portolan:oci/strategy@0.1.0" (instance $i)) (export "portolan:oci/strategy@0.1.0" (instance $i))"#,
            Refuse("imports portolan:oci/strategy@0.1.0, which no host gives"),
        ),
    ]
}

//! Looking for a way out of the sandbox, by what WASI has names for, and for what others left behind.

use super::Must::{Answer, Fail, Trap};
use super::Promise::Sandbox;
use super::{Attack, told};

pub fn attacks() -> Vec<Attack> {
    let seen =
        "environment 0, arguments 0, folder false, file false, socket false, name false, stdin 0, clock 0, table 0";
    vec![
        told(Sandbox, "look-around", "look-around", "", Answer(seen)),
        told(Sandbox, "exit", "exit", "", Trap("called exit(0) instead of answering")),
        told(Sandbox, "random-bytes", "random", 1_000, Answer("1000")),
        told(Sandbox, "remember-an-earlier-run", "remember", "", Answer("0")),
        told(Sandbox, "remember-an-earlier-run-once-more", "remember", "", Answer("0")),
        told(Sandbox, "hide-something-in-memory", "hide", "tenretni-eht-fo-terces", Answer("hidden")),
        told(Sandbox, "seek-it-there", "seek", "secret-of-the-internet", Answer("0")),
        told(Sandbox, "an-action-that-there-is-not", "teleport", "", Fail(1, "cannot teleport")),
    ]
}

//! The catalogue: what a frontend or a strategy may try, each attack with the promise that it attacks and what must become of it.

mod access;
mod boundary;
mod content;
mod describing;
mod inside;
mod loading;
mod resources;
mod sandbox;
mod strategies;

use portolan::{Bundled, Limit};

/// What Portolan promises whoever runs a frontend that they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    Time,
    Memory,
    Calls,
    Boundary,
    Access,
    Content,
    Text,
    Sandbox,
    Loading,
    Judgement,
}

/// In the order of the README.
pub const PROMISES: &[(Promise, &str)] = &[
    (Promise::Time, "A run computes no longer than it may."),
    (Promise::Memory, "A run takes no more memory than it may."),
    (Promise::Calls, "A run asks the host for no more, and hands it no more, than it may."),
    (Promise::Boundary, "What crosses the boundary is well-formed, or the run ends."),
    (Promise::Access, "A run touches what it was granted, and nothing else, however it asks."),
    (Promise::Content, "What a guest says of content is checked before it is believed."),
    (Promise::Text, "Text from a guest steers no terminal, and what it says of itself fits a command line."),
    (Promise::Sandbox, "There are no files, no sockets, no environment, no clock, and nothing of an earlier run."),
    (Promise::Loading, "What is no frontend, or too much of one, is refused before it runs."),
    (
        Promise::Judgement,
        "A strategy says which entry is meant, and gets its frontend nowhere else; its faults are called its own.",
    ),
];

/// One row.
pub struct Attack {
    pub promise: Promise,
    /// In kebab-case, unique.
    pub name: &'static str,
    pub by: By,
    pub must: Must,
}

/// Who attacks.
pub enum By {
    /// The frontend in `tests/guests/hostile`, which is told what to do; `granted` may be read.
    Told { action: &'static str, with: String, granted: &'static str },
    /// A component of its own, which may read everything.
    Component(Vec<u8>),
    /// The strategy in `tests/guests/hostile-strategy`, plugged into an honest frontend and told what to do by the name that
    /// is asked for.
    Judged { frontend: Bundled, action: &'static str },
    /// A strategy of its own, plugged into a frontend that asks it and says `good`.
    Strategy(Vec<u8>),
}

/// What must become of it.
#[derive(Debug)]
pub enum Must {
    /// It crosses that limit, status 3.
    Stop(Limit),
    /// It traps, status 3, and the message has this in it.
    Trap(&'static str),
    /// It is told an error, which it passes on: the status, and what the message has in it.
    Fail(u8, &'static str),
    /// It breaks the contract, status 1, and the message says so.
    Break(&'static str),
    /// It is not loaded, status 1, and the message says why.
    Refuse(&'static str),
    /// It did no harm.
    Answer(&'static str),
}

/// By the hostile frontend, granted everything.
fn told(promise: Promise, name: &'static str, action: &'static str, with: impl ToString, must: Must) -> Attack {
    granted("*", promise, name, action, with, must)
}

fn granted(
    granted: &'static str,
    promise: Promise,
    name: &'static str,
    action: &'static str,
    with: impl ToString,
    must: Must,
) -> Attack {
    Attack { promise, name, by: By::Told { action, with: with.to_string(), granted }, must }
}

/// By a component.
fn component(promise: Promise, name: &'static str, bytes: Vec<u8>, must: Must) -> Attack {
    Attack { promise, name, by: By::Component(bytes), must }
}

/// All of them.
pub fn all() -> Vec<Attack> {
    [
        resources::attacks(),
        boundary::attacks(),
        access::attacks(),
        content::attacks(),
        describing::attacks(),
        sandbox::attacks(),
        strategies::attacks(),
        loading::attacks(),
        inside::attacks(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

//! What must hold whatever bytes come in. Each target is an ordinary function of bytes that panics where a property of a
//! parser does not hold: that nothing panics is the least of them.
//!
//! `corpus/NAME` has bytes worth trying, hostile ones among them; `cargo test` tries each of them. `make fuzz` looks for
//! more, with the programs in `targets`, which cargo-fuzz builds. What it finds gets into the corpus, small, and into the
//! table of the stage that was wrong.
//!
//! Not here: how a registry behaves as a whole, which `tests/registry` plays.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a property fails by panicking")]

mod calls;
mod components;
mod configuration;
mod headers;
mod policy;
mod program;
mod scratch;
mod stores;
mod words;

pub use calls::host_call;
pub use components::component;
pub use configuration::{buildkitd_toml, config_json, hosts_toml};
pub use headers::{challenge, content_range, link, retry_after};
pub use policy::{portolan_lock, portolan_toml};
pub use stores::{index_json, tar};
pub use words::{platform, reference};

/// What is tried on bytes.
pub type Target = fn(&[u8]);

/// All targets, by the name of their corpus.
pub const TARGETS: [(&str, Target); 15] = [
    ("buildkitd_toml", buildkitd_toml),
    ("challenge", challenge),
    ("component", component),
    ("config_json", config_json),
    ("content_range", content_range),
    ("host_call", host_call),
    ("hosts_toml", hosts_toml),
    ("index_json", index_json),
    ("link", link),
    ("platform", platform),
    ("portolan_lock", portolan_lock),
    ("portolan_toml", portolan_toml),
    ("reference", reference),
    ("retry_after", retry_after),
    ("tar", tar),
];

/// Whether a text can be shown as it is: it moves no cursor and reorders nothing.
fn is_tame(text: &str) -> bool {
    portolan_oci::text::line(text) == text
}

/// The same for one of several lines.
fn is_tame_block(text: &str) -> bool {
    portolan_oci::text::block(text) == text
}

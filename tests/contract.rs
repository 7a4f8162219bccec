//! The contract is frozen: `wit/` only grows where nobody notices (`rules`), components that were built once run for ever
//! (`kept`), and one that was built against another contract is told so (`skew`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "contract/kept.rs"]
mod kept;
#[path = "contract/rules.rs"]
mod rules;
#[path = "contract/skew.rs"]
mod skew;

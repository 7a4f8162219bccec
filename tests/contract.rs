//! The contract is frozen: `wit/` only grows where nobody notices (`rules`), components that were built once run for ever
//! (`kept`), and one that was built against another contract is told so (`skew`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "contract/kept.rs"]
mod kept;
#[path = "contract/rules.rs"]
mod rules;
#[path = "contract/skew.rs"]
mod skew;

use std::path::Path;

use portolan_tests::contract::Contract;

/// `BLESS=1` writes it.
#[test]
fn the_book_has_what_wit_says() {
    let (page, file) = (Contract::current().page(), Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/contract.md"));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file, page).unwrap();
        return;
    }
    assert_eq!(std::fs::read_to_string(file).unwrap_or_default(), page, "BLESS=1 writes docs/contract.md");
}

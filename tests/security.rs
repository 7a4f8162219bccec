//! SECURITY.md names the tests that hold its promises: they are there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

#[test]
fn every_promise_names_tests_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let promises = text.lines().filter(|line| line.contains(".rs`: `"));
    let mut named = 0;
    for promise in promises {
        let (_, held_by) = promise.trim_end_matches(" |").rsplit_once(" | ").unwrap();
        for room in held_by.split(" · ") {
            let (file, tests) = room.split_once(": ").unwrap_or_else(|| panic!("{room}"));
            let source =
                std::fs::read_to_string(root.join(file.trim_matches('`'))).unwrap_or_else(|_| panic!("{file}"));
            for test in tests.split(", ") {
                let test = test.trim_matches('`');
                assert!(source.contains(&format!("fn {test}(")), "{file} has no test {test}");
                named += 1;
            }
        }
    }
    assert!(named > 30, "only {named} tests are named");
}

//! What holds for every tree.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

mod build;

use build::{Built, REPOSITORY, artifact, image, index, labelled, parse, root};
use portolan_sdk::mock::Mock;
use portolan_sdk::oci::Mode;
use portolan_sdk::traverse;
use portolan_strategy::Bundled;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const PLATFORMS: [&str; 9] = [
    "linux/amd64",
    "linux/amd64/v2",
    "linux/amd64/v3",
    "linux/386",
    "linux/arm64",
    "linux/arm/v7",
    "linux/arm/v6",
    "windows(10.0.20348.1)/amd64",
    "windows(10.0.26100.1)/amd64",
];

/// Trees of images, artifacts and indexes, entries with and without a platform.
fn trees() -> impl Strategy<Value = Built> {
    let leaf = prop_oneof![
        3 => (select(&PLATFORMS[..]), "[a-c]").prop_map(|(platform, label)| labelled(platform, &label).said(platform)),
        1 => select(&PLATFORMS[..]).prop_map(image),
        1 => Just(artifact()),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| proptest::collection::vec(inner, 0..5).prop_map(index))
}

fn chosen(tree: &Built, wanted: &str, mode: Mode) -> Option<String> {
    let mock = tree.in_registry(Mock::new(Bundled));
    match traverse::select(&mock, &root(&mock).unwrap(), &parse(wanted), mode) {
        Ok(image) => Some(image.descriptor.digest.to_string()),
        Err(failure) => {
            assert!(failure.is_not_found(), "{failure}");
            None
        }
    }
}

proptest! {
    /// Whatever is chosen is there, and is an image for a platform that the wanted one accepts.
    #[test]
    fn a_choice_is_there(tree in trees(), wanted in select(&PLATFORMS[..]), mode in select(&Mode::ALL[..])) {
        let mock = tree.in_registry(Mock::new(Bundled));
        let root = root(&mock).unwrap();
        let images = traverse::walk(&mock, &root).unwrap().images;
        if let Some(digest) = chosen(&tree, wanted, mode) {
            let found = images.iter().find(|walked| walked.image.descriptor.digest.as_str() == digest);
            // Compat takes a root as it is, artifacts too.
            prop_assert!(found.is_some() || (mode.is_compat() && root.manifest().is_some()));
            if mode == Mode::Exact {
                let platform = found.unwrap().image.platform(&mock).unwrap();
                prop_assert_eq!(platform.architecture, parse(wanted).architecture);
            }
        }
    }

    /// Strict finds an image exactly where there is one that fits; so it never gives up too early.
    #[test]
    fn strict_finds_what_is_there(tree in trees(), wanted in select(&PLATFORMS[..])) {
        let mock = tree.in_registry(Mock::new(Bundled));
        let there = traverse::platforms(&mock, &root(&mock).unwrap()).unwrap();
        let exact = there.contains(&parse(wanted));
        let found = chosen(&tree, wanted, Mode::Strict);
        prop_assert!(found.is_some() || !exact, "{wanted} among {there:?}");
    }

    /// Entries of different rank may stand in any order: strict chooses the same.
    #[test]
    fn strict_does_not_depend_on_the_order(
        platforms in subsequence(&PLATFORMS[..], 0..=PLATFORMS.len()),
        seed in any::<u64>(),
        wanted in select(&PLATFORMS[..]),
    ) {
        let entries: Vec<Built> = platforms.iter().map(|platform| image(platform).said(platform)).collect();
        let mut shuffled = entries.clone();
        let mut random = seed;
        for at in (1..shuffled.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(at, (random >> 33) as usize % (at + 1));
        }
        prop_assert_eq!(chosen(&index(entries), wanted, Mode::Strict), chosen(&index(shuffled), wanted, Mode::Strict));
    }

    /// Reading of an index only what the choice needs chooses the same as reading all of it.
    #[test]
    fn the_short_way_leads_to_the_same(tree in trees(), wanted in select(&PLATFORMS[..]), mode in select(&Mode::ALL[..])) {
        let mock = tree.in_registry(Mock::new(Bundled));
        let found = traverse::find(&mock, &format!("{REPOSITORY}:1").parse().unwrap(), mode).unwrap();
        let short = found.select(&mock, &parse(wanted), mode).ok().map(|image| image.descriptor.digest.to_string());
        prop_assert_eq!(short, chosen(&tree, wanted, mode));
    }
}

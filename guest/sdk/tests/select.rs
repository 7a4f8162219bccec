//! Choosing an image for a platform, in the trees that tools make and in those that nobody should.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

mod build;

use std::path::PathBuf;

use build::{Built, artifact, image, index, labelled, parse, root};
use portolan_sdk::mock::Mock;
use portolan_sdk::oci::Mode;
use portolan_sdk::{Failure, Machine, Strategy, traverse};
use portolan_strategy::Bundled;

const COMPAT: Mode = Mode::CompatBuild;

fn digest(tree: &Built, platform: &str, mode: Mode) -> Result<String, Failure> {
    let mock = tree.in_registry(Mock::new(Bundled));
    let image = traverse::select(&mock, &root(&mock)?, &parse(platform), mode)?;
    Ok(image.descriptor.digest.to_string())
}

#[test]
fn in_what_tools_made() {
    let layouts = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/layouts"));
    let mock = Mock::new(Bundled).folder(layouts);
    use Mode::{Exact, Strict};
    for (reference, platform, mode, expected) in [
        ("buildkit-multi:1.4", "linux/amd64", Strict, "linux/amd64 f2e8b1725960"),
        ("buildkit-multi:1.4", "linux/arm64", Strict, "linux/arm64 f8f13bc44291"),
        ("buildkit-multi:1.4", "linux/arm64/v8", Exact, "linux/arm64 f8f13bc44291"),
        ("buildkit-multi:1.4", "linux/arm", Strict, "linux/arm/v7 7da5a299c1a1"),
        ("buildkit-multi:1.4", "linux/386", COMPAT, "linux/386 0d5ced7e2ad1"),
        ("buildkit-multi:1.4", "linux/amd64/v4", Strict, "linux/amd64 f2e8b1725960"),
        ("buildkit-multi:1.4", "linux/amd64/v4", Exact, "none"),
        ("buildkit-multi:1.4", "linux/arm/v6", Strict, "none"),
        ("buildkit-multi:1.4", "windows/amd64", COMPAT, "none"),
        ("buildkit-multi:1.4", "unknown/unknown", Strict, "none"),
        // BuildKit's matching takes what is asked for, sense or not.
        ("buildkit-multi:1.4", "unknown/unknown", COMPAT, "unknown/unknown 5fb29229034e"),
        ("buildkit-sbom:1", "linux/arm64", Strict, "linux/arm64 935fc5552bb4"),
        ("buildkit-artifact:1", "linux/amd64", Strict, "linux/amd64 e6b7073ee7b2"),
        ("buildkit-classic:1", "linux/amd64", COMPAT, "linux/amd64 e6b7073ee7b2"),
        ("buildkit-single:2", "linux/amd64", Strict, "linux/amd64 c4e51f9749e0"),
        ("buildkit-single:2", "linux/arm64", Strict, "none"),
        ("buildkit-single:2", "linux/arm64", COMPAT, "linux/amd64 c4e51f9749e0"),
        ("crane-docker-types:2", "linux/arm64", Strict, "linux/arm64 0053663be6c8"),
        ("crane-nested:1", "linux/arm64", Strict, "linux/arm64 0053663be6c8"),
        ("crane-nested:1", "windows/amd64", Strict, "windows(10.0.26100.1)/amd64 8eb9dc613604"),
        // Compat walks into the first index and never comes back.
        ("crane-nested:1", "linux/arm64", COMPAT, "none"),
        ("crane-nested:1", "windows/amd64", COMPAT, "windows(10.0.17763.5)/amd64 f047129770a9"),
        ("crane-windows:all", "windows(10.0.20348.3)/amd64", Strict, "windows(10.0.20348.9)/amd64 8b6a2f40a34d"),
        ("crane-windows:all", "windows(10.0.20348.3)/amd64", COMPAT, "windows(10.0.20348.1)/amd64 5e10790f095e"),
        ("crane-windows:all", "windows(10.0.17763.1)/amd64", Exact, "windows(10.0.17763.5)/amd64 f047129770a9"),
        ("crane-windows:all", "windows(10.0.14393.1)/amd64", Strict, "none"),
        ("umoci:latest", "linux/amd64", Strict, "linux/amd64 5010310a1b5a"),
    ] {
        let root = traverse::resolve(&mock, &format!("oci-layout://{reference}").parse().unwrap(), mode).unwrap();
        let found = match traverse::select(&mock, &root, &parse(platform), mode) {
            Ok(image) => format!(
                "{} {}",
                image.platform(&mock).unwrap().long(),
                image.descriptor.digest.hex().get(..12).unwrap_or_default()
            ),
            Err(failure) => {
                assert!(failure.is_not_found(), "{reference} {platform} {mode}: {failure}");
                "none".to_owned()
            }
        };
        assert_eq!(found, expected, "{reference} {platform} {mode}");
    }
}

#[test]
fn entries_without_a_platform() {
    let (amd64, arm64) = (image("linux/amd64"), image("linux/arm64"));
    let unsaid = index([arm64.clone(), amd64.clone()]);
    // Strict reads configs until one fits; compat reads one and gives up.
    assert_eq!(digest(&unsaid, "linux/amd64", Mode::Strict).unwrap(), amd64.digest());
    assert!(digest(&unsaid, "linux/amd64", COMPAT).unwrap_err().is_not_found());
    assert_eq!(digest(&unsaid, "linux/arm64", COMPAT).unwrap(), arm64.digest());

    // What says that it fits is better than what must be asked, wherever it stands.
    let said = labelled("linux/amd64", "said").said("linux/amd64");
    let both = index([amd64.clone(), said.clone()]);
    for mode in Mode::ALL {
        assert_eq!(digest(&both, "linux/amd64", mode).unwrap(), said.digest(), "{mode}");
    }

    // An entry's word is taken for it: the config is not read.
    let wrong = image("linux/arm64").said("linux/amd64");
    assert_eq!(digest(&index([wrong.clone()]), "linux/amd64", Mode::Strict).unwrap(), wrong.digest());
}

#[test]
fn nested_indexes_and_second_tries() {
    let arm64 = image("linux/arm64").said("linux/arm64");
    let other = index([image("linux/s390x").said("linux/s390x")]);
    let tree = index([other.clone(), artifact(), index([other, index([arm64.clone()])])]);
    assert_eq!(digest(&tree, "linux/arm64", Mode::Strict).unwrap(), arm64.digest());
    assert!(digest(&tree, "linux/arm64", COMPAT).unwrap_err().is_not_found());
}

#[test]
fn what_is_no_image_is_passed_over() {
    let real = labelled("linux/amd64", "real").said("linux/amd64");
    for impostor in [
        image("linux/amd64").said("linux/amd64").typed("application/vnd.example.sbom"),
        image("linux/amd64").said("linux/amd64").annotated("vnd.docker.reference.type", "attestation-manifest"),
    ] {
        let tree = index([impostor.clone(), real.clone()]);
        assert_eq!(digest(&tree, "linux/amd64", Mode::Strict).unwrap(), real.digest());
        // BuildKit looks at the platform alone.
        assert_eq!(digest(&tree, "linux/amd64", COMPAT).unwrap(), impostor.digest());
    }
    // crane's way of saying that it is one.
    let crane = image("linux/amd64").said("linux/amd64").typed("application/vnd.docker.container.image.v1+json");
    assert_eq!(digest(&index([crane.clone()]), "linux/amd64", Mode::Strict).unwrap(), crane.digest());

    let failure = digest(&artifact(), "linux/amd64", Mode::Strict).unwrap_err();
    assert!(failure.is_not_found());
    assert_eq!(failure.hint.as_deref(), Some("there is no image in it for any platform"));
}

#[test]
fn work_is_bounded() {
    let nested = |levels: usize| (0..levels).fold(image("linux/amd64"), |tree, _| index([tree]));
    // The root and eight more.
    assert!(digest(&nested(9), "linux/amd64", Mode::Strict).is_ok());
    let failure = digest(&nested(10), "linux/amd64", Mode::Strict).unwrap_err();
    assert!(failure.message.contains("inside 8 others"), "{failure}");

    // Twice the same index a level, seven levels: 128 ways down, seven indexes to read.
    let doubled = (0..7).fold(index([image("linux/s390x")]), |tree, _| index([tree.clone(), tree]));
    let mock = doubled.in_registry(Mock::new(Bundled));
    let root = root(&mock).unwrap();
    assert!(traverse::select(&mock, &root, &parse("linux/amd64"), Mode::Strict).unwrap_err().is_not_found());
    // Root; seven indexes, manifest and config to search; the same again to say what is there.
    assert_eq!(mock.asked().iter().filter(|question| question.starts_with("fetch")).count(), 1 + 9 + 9);
}

#[test]
fn a_failure_lists_what_is_there_nearest_first() {
    let platforms = ["windows/arm64", "linux/s390x", "linux/arm/v5", "linux/arm/v7", "linux/amd64"];
    let tree = index(platforms.map(|platform| image(platform).said(platform)));
    let failure = digest(&tree, "linux/arm64", Mode::Exact).unwrap_err();
    assert_eq!(failure.message, "registry.example/app:1 has no image for linux/arm64");
    assert_eq!(
        failure.hint.as_deref(),
        Some(
            "without fallbacks; it is there for \
             linux/arm/v5, linux/arm/v7, linux/s390x, linux/amd64, windows/arm64"
        )
    );
    let many = index((0..30).map(|number| image("linux/amd64").said(&format!("linux/x{number}"))));
    let hint = digest(&many, "linux/amd64", Mode::Strict).unwrap_err().hint.unwrap();
    assert!(hint.ends_with("linux/x19 and 10 more"), "{hint}");
}

#[test]
fn what_is_missing_is_said() {
    let chosen = image("linux/amd64").said("linux/amd64");
    let mock = index([chosen.clone()]).alone(Mock::new(Bundled));
    let failure = traverse::select(&mock, &root(&mock).unwrap(), &parse("linux/amd64"), Mode::Strict).unwrap_err();
    assert!(failure.is_not_found());
    assert!(failure.message.contains(chosen.digest()), "{failure}");
}

#[test]
fn several_that_must_be_asked_are_fetched_side_by_side() {
    let tree = index([image("linux/s390x"), image("linux/ppc64le"), image("linux/amd64")]);
    let mock = tree.in_registry(Mock::new(Bundled));
    traverse::select(&mock, &root(&mock).unwrap(), &parse("linux/amd64"), Mode::Strict).unwrap();
    assert_eq!(mock.asked().iter().filter(|question| question.starts_with("prefetch")).count(), 1);
}

/// A strategy that answers nonsense.
struct Lost;

impl Strategy for Lost {
    fn match_name(_: &impl Machine, _: &[u8], _: &str, _: Mode) -> Result<Vec<u32>, Failure> {
        Ok(vec![u32::MAX])
    }

    fn select(_: &impl Machine, _: &[u8], _: &str, _: Mode) -> Result<Vec<u32>, Failure> {
        Ok(vec![7])
    }
}

#[test]
fn a_strategy_is_not_believed_blindly() {
    let tree = index([image("linux/amd64").said("linux/amd64")]);
    let mock = tree.in_registry(Mock::new(Lost));
    let failure = traverse::select(&mock, &root(&mock).unwrap(), &parse("linux/amd64"), Mode::Strict).unwrap_err();
    assert_eq!(failure.message, "the strategy chose entry 7 of an index that has 1");

    let mock = tree.in_repository(Mock::new(Lost), "oci-layout://s", Some("1"));
    let failure = traverse::resolve(&mock, &"oci-layout://s:1".parse().unwrap(), Mode::Strict).unwrap_err();
    assert_eq!(failure.message, "the strategy chose entry 4294967295 of a store that has 1");
}

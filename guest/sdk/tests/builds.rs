//! Which of a builder's builds is meant: by its reference, its names, or by being the newest.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use portolan_sdk::mock::Mock;
use portolan_sdk::oci::names::{IMAGE_NAME, REF_NAME};
use portolan_sdk::oci::{Descriptor, Location, Mode, build, media_type};
use portolan_sdk::traverse;
use portolan_strategy::Bundled;

const STORE: &str = "buildkit://buildkit";

/// Builds, the newest first: of each its reference, its results, and what each of them was named.
fn builder(builds: &[(&str, &str, &str)]) -> Mock<Bundled> {
    builds.iter().fold(Mock::new(Bundled), |mock, (reference, result, name)| {
        let bytes = format!(r#"{{"schemaVersion":2,"manifests":[],"annotations":{{"result":"{result}"}}}}"#);
        let mut entry = Descriptor::of(media_type::OCI_INDEX, bytes.as_bytes());
        entry.annotations.insert(build::BUILD.into(), (*reference).into());
        if !name.is_empty() {
            entry.annotations.insert(IMAGE_NAME.into(), format!("docker.io/{name}"));
            entry.annotations.insert(REF_NAME.into(), name.rsplit(':').next().unwrap().into());
        }
        mock.described(STORE, Some(reference), entry, bytes.into_bytes())
    })
}

fn digest(result: &str) -> String {
    let bytes = format!(r#"{{"schemaVersion":2,"manifests":[],"annotations":{{"result":"{result}"}}}}"#);
    Descriptor::of(media_type::OCI_INDEX, bytes.as_bytes()).digest.to_string()
}

const BUILDS: &[(&str, &str, &str)] = &[
    ("new", "one", "acme/app:2"),
    ("new", "other", ""),
    ("mid", "mid", "acme/app:1"),
    ("mid", "mid", "acme/app:latest"),
    ("old", "old", "acme/app:1"),
    ("old", "other", "acme/tool:1"),
];

#[test]
fn a_build_is_found_by_what_it_is_called() {
    let mock = builder(BUILDS);
    let pinned = format!("{STORE}/new@{}", digest("other"));
    let by_digest = format!("{STORE}@{}", digest("old"));
    for (reference, expected) in [
        ("buildkit://buildkit/mid", Ok("mid")),
        ("buildkit://buildkit/acme/app:1", Ok("mid")),
        ("buildkit://buildkit/acme/app", Ok("mid")),
        ("buildkit://buildkit/acme/tool:1", Ok("other")),
        (&pinned, Ok("other")),
        (&by_digest, Ok("old")),
        ("buildkit://buildkit/new", Err("ambiguous")),
        ("buildkit://buildkit/latest", Err("ambiguous")),
        ("buildkit://buildkit/gone", Err("nothing there has that name")),
        ("buildkit://buildkit", Err("names no build")),
    ] {
        match (traverse::find(&mock, &Location::parse(reference).unwrap(), Mode::Strict), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.descriptor.digest.as_str(), digest(expected), "{reference}"),
            (Err(failure), Err(expected)) => assert!(failure.message.contains(expected), "{reference}: {failure:?}"),
            (found, _) => panic!("{reference}: {found:?}"),
        }
    }
}

/// The same content may be another build's result, too, and be called something there.
#[test]
fn an_ambiguous_build_is_told_apart_within_itself() {
    let mock = builder(BUILDS);
    let failure =
        traverse::find(&mock, &Location::parse("buildkit://buildkit/new").unwrap(), Mode::Strict).unwrap_err();
    let hint = failure.hint.unwrap();
    for result in ["one", "other"] {
        assert!(hint.contains(&format!("buildkit://new@{}", digest(result))), "{hint}");
    }
    assert!(!hint.contains("acme/tool"), "{hint}");
    let failure = traverse::find(&mock, &Location::parse("buildkit://buildkit/acme/app:3").unwrap(), Mode::Strict);
    let hint = failure.unwrap_err().hint.unwrap();
    assert!(hint.contains("docker.io/acme/app:") && hint.contains("its newest builds are new, mid, old"), "{hint}");
}

#[test]
fn each_result_has_its_own_names() {
    let mock = builder(BUILDS);
    let Location::Store(store) = Location::parse(STORE).unwrap() else { panic!("a store") };
    let builds = traverse::builds(&mock, &store).unwrap();
    let names = |build: &traverse::Build| -> Vec<Vec<String>> {
        build.results.iter().map(|result| result.names.clone()).collect()
    };
    assert_eq!(builds.iter().map(|build| build.reference.as_str()).collect::<Vec<_>>(), ["new", "mid", "old"]);
    assert_eq!(names(&builds[0]), [vec!["docker.io/acme/app:2".to_owned()], vec![]]);
    assert_eq!(names(&builds[1]), [["docker.io/acme/app:1", "docker.io/acme/app:latest"]]);
}

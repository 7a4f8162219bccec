//! A component that was built against another contract: a clear word before anything runs, not a trap in the middle.

use portolan::{Component, Host, ImageQuery, LoadError, RunError};
use portolan_tests::contract::Contract;

fn released() -> Contract {
    Contract::released("0.1.0")
}

fn of(version: &str) -> Contract {
    released().everywhere("package portolan:oci@0.1.0;", &format!("package portolan:oci@{version};"))
}

/// Whether all of it can be called. A component without anything in it traps then.
async fn fate(host: &Host, component: &[u8]) -> Result<(), RunError> {
    let frontend = host.load(Component::Bytes(component)).await.map_err(RunError::Load)?;
    let asked = [
        frontend.describe().await.map(|_| ()),
        host.resolve_image(ImageQuery::new("a").resolver(&frontend)).await.map(|_| ()),
    ];
    asked.into_iter().try_for_each(|answer| match answer {
        Err(RunError::Trapped { .. }) => Ok(()),
        answer => answer,
    })
}

#[tokio::test]
async fn what_fits_is_loaded_and_what_does_not_is_told_why() {
    let host = Host::builder().build().unwrap();
    let clock = "features: func() -> list<string>;\n @since(version = 0.1.1) now: func() -> u64;";
    let seven = "pull-reference-file,\n        number,\n";
    for (what, contract, says) in [
        ("this contract", released(), None),
        ("a later one without more", of("0.1.1"), None),
        ("a much later one", of("0.1.99"), None),
        ("the next one", of("0.2.0"), Some(vec!["portolan:oci 0.2.0", "portolan:oci 0.1.0"])),
        ("one before", released().everywhere("0.1.0", "0.0.9"), Some(vec!["portolan:oci 0.0.9", "portolan:oci 0.1.0"])),
        ("a grown-up one", of("1.0.0"), Some(vec!["portolan:oci 1.0.0", "portolan:oci 0.1.0"])),
        (
            "a later one with a function that this host does not have",
            of("0.1.1").with("features: func() -> list<string>;", clock),
            Some(vec!["portolan:oci 0.1.1", "portolan:oci 0.1.0", "now"]),
        ),
        (
            "one with a case more in an exported interface",
            released().with("pull-reference-file,\n", seven),
            Some(vec![
                "portolan:oci 0.1.0 and this host speaks portolan:oci 0.1.0: ",
                "variant of 7 cases, found 8 cases",
            ]),
        ),
        (
            "one with a field more in an imported interface",
            released().with("size: u64,\n", "size: u64,\n        urls: list<string>,\n"),
            Some(vec![
                "portolan:oci 0.1.0 and this host speaks portolan:oci 0.1.0: ",
                "record of 3 fields, found 4 fields",
            ]),
        ),
        (
            "one with a part more in the typed question",
            released()
                .with("flags parts { index, manifest, config }", "flags parts { index, manifest, config, layers }"),
            Some(vec!["portolan:oci 0.1.0 and this host speaks portolan:oci 0.1.0: ", "flags"]),
        ),
        (
            "one with a parameter less in what it exports",
            released().with("solve: func(request: request)", "solve: func()"),
            Some(vec![
                "portolan:oci 0.1.0 and this host speaks portolan:oci 0.1.0: ",
                "expected 1-tuple, found 0-tuple",
            ]),
        ),
    ] {
        match (fate(&host, &contract.component("resolution")).await, says) {
            (Ok(()), None) => {}
            (Err(RunError::Load(error @ LoadError::VersionSkew { .. })), Some(says)) => {
                let text = error.to_string();
                assert!(says.iter().all(|part| text.contains(part)), "{what}: {text}");
                assert_eq!(error.status(), 1, "{what}");
            }
            (other, says) => panic!("{what}: {other:?}, not {says:?}"),
        }
    }
}

/// The same for what takes the bundled strategy's place, which no frontend has met yet.
#[tokio::test]
async fn a_strategy_is_judged_too() {
    let build = |contract: &Contract| {
        let bytes = contract.component("judgement");
        Host::builder().strategy(Component::Bytes(&bytes)).build().map(|_| ())
    };
    assert!(build(&released()).is_ok() && build(&of("0.1.1")).is_ok());
    let error = build(&of("0.2.0")).unwrap_err();
    assert!(matches!(error, LoadError::VersionSkew { .. }), "{error}");
}

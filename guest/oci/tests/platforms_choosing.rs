//! Choosing in an index: which entries are for a platform, best first, in each mode.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan_oci::Mode::{CompatBuild, CompatImagetools, Exact, Strict};
use portolan_oci::document::{Entries, Outline};
use portolan_oci::media_type::{DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use portolan_oci::platform::{order, select, select_in};
use portolan_oci::{Descriptor, Digest, Index, Mode, Platform, attestation};

/// Entries, what is wanted, and the positions that are chosen in two modes.
type Row<'a> = (&'a [&'a str], &'a str, &'a [usize], &'a [usize]);

fn platform(text: &str) -> Platform {
    let machine = Platform { os: "linux".into(), architecture: "amd64".into(), ..Platform::default() };
    Platform::parse(text, &machine).unwrap()
}

fn machine() -> Platform {
    platform("linux/amd64")
}

/// An image's entry; `-` for one without a platform.
fn entry(text: &str) -> Descriptor {
    Descriptor {
        platform: (text != "-").then(|| platform(text)),
        ..Descriptor::new(OCI_MANIFEST, Digest::sha256(text.as_bytes()), 1)
    }
}

fn index(manifests: Vec<Descriptor>) -> Index {
    let text = serde_json::json!({ "schemaVersion": 2, "manifests": manifests }).to_string();
    Index::parse(text.as_bytes()).unwrap()
}

fn of(texts: &[&str]) -> Index {
    index(texts.iter().map(|text| entry(text)).collect())
}

/// By the whole index, and by an outline of it.
fn chosen(index: &Index, wanted: &str, mode: Mode) -> Vec<usize> {
    let positions = select(index, &platform(wanted), &machine(), mode);
    let text = serde_json::json!({ "manifests": index.manifests }).to_string();
    let outline = Outline::parse(text.as_bytes()).unwrap();
    assert_eq!(select_in(&outline, &platform(wanted), &machine(), mode), positions);
    positions
}

#[test]
fn entries_come_best_first_and_those_without_a_platform_last() {
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        // entries                                                  wanted            strict and compat  exact
        (&["linux/amd64", "linux/arm64"],                           "linux/amd64",    &[0],              &[0]),
        (&["linux/amd64", "linux/arm64"],                           "linux/arm64",    &[1],              &[1]),
        (&["linux/amd64", "linux/arm64"],                           "linux/s390x",    &[],               &[]),
        (&[],                                                       "linux/amd64",    &[],               &[]),
        (&["linux/386", "linux/amd64"],                             "linux/amd64",    &[1, 0],           &[1]),
        (&["linux/386"],                                            "linux/amd64",    &[0],              &[]),
        (&["linux/amd64"],                                          "linux/386",      &[],               &[]),
        (&["linux/amd64", "linux/amd64/v2", "linux/amd64/v3"],      "linux/amd64",    &[0],              &[0]),
        (&["linux/amd64", "linux/amd64/v3", "linux/amd64/v2"],      "linux/amd64/v3", &[1, 2, 0],        &[1]),
        (&["linux/amd64", "linux/amd64/v3", "linux/amd64/v2"],      "linux/amd64/v2", &[2, 0],           &[2]),
        (&["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"],         "linux/arm/v7",   &[1, 2, 0],        &[1]),
        (&["linux/arm/v5", "linux/arm", "linux/arm/v6"],            "linux/arm",      &[1, 2, 0],        &[1]),
        (&["linux/arm/v6"],                                         "linux/arm64",    &[0],              &[]),
        (&["linux/arm", "linux/arm64"],                             "linux/arm64",    &[1, 0],           &[1]),
        (&["linux/arm64"],                                          "linux/arm64/v8", &[0],              &[0]),
        (&["linux/arm64/v8"],                                       "linux/arm64",    &[0],              &[0]),
        (&["linux/arm64"],                                          "linux/arm64/v9", &[0],              &[]),
        (&["linux/arm64/v9", "linux/arm64"],                        "linux/arm64/x",  &[],               &[]),
        // One of an unknown arm64 is only itself, and only exactly.
        (&["linux/arm64/x"],                                        "linux/arm64/x",  &[],               &[0]),
        // Ties keep the file's order.
        (&["linux/amd64", "linux/amd64", "linux/amd64"],            "linux/amd64",    &[0, 1, 2],        &[0, 1, 2]),
        (&["linux/386", "linux/amd64", "linux/386", "linux/amd64"], "linux/amd64",    &[1, 3, 0, 2],     &[1, 3]),
        // Without a platform: last, in the file's order.
        (&["-", "linux/amd64"],                                     "linux/amd64",    &[1, 0],           &[1, 0]),
        (&["-", "linux/386", "-", "linux/amd64"],                   "linux/amd64",    &[3, 1, 0, 2],     &[3, 0, 2]),
        (&["-", "linux/arm64"],                                     "linux/amd64",    &[0],              &[0]),
        (&["-", "-"],                                               "linux/amd64",    &[0, 1],           &[0, 1]),
        // What is unknown does not match.
        (&["linux/amd64", "unknown/unknown"],                       "linux/amd64",    &[0],              &[0]),
        (&["unknown/unknown"],                                      "linux/amd64",    &[],               &[]),
        // More features win, then the file's order.
        (&["linux/amd64", "linux(+a)/amd64"],                       "linux(+a)/amd64",   &[1, 0],        &[1, 0]),
        (&["linux(+a)/amd64", "linux(+b)/amd64"],                   "linux(+a+b)/amd64", &[0, 1],        &[0, 1]),
        (&["linux(+a)/amd64", "linux(+a+b)/amd64"],                 "linux(+a+b)/amd64", &[1, 0],        &[1, 0]),
        (&["linux(+a)/amd64", "linux/amd64"],                       "linux/amd64",       &[1],           &[1]),
        (&["linux(+a)/386", "linux/amd64"],                         "linux(+a)/amd64",   &[1, 0],        &[1]),
    ];
    for (entries, wanted, expected, exact) in rows {
        let index = of(entries);
        for (mode, expected) in
            [(Strict, expected), (CompatImagetools, expected), (CompatBuild, expected), (Exact, exact)]
        {
            assert_eq!(chosen(&index, wanted, mode), *expected, "{wanted} in {entries:?}, {mode}");
        }
    }
}

/// The fixture crane-windows, and what a Windows machine of each age takes of it.
#[test]
fn the_newest_windows_that_fits_wins_and_compat_keeps_the_files_order() {
    let crane = [
        "windows(10.0.17763.5)/amd64",
        "windows(10.0.20348.1)/amd64",
        "windows(10.0.20348.9)/amd64",
        "windows(10.0.26100.1)/amd64",
    ];
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        // entries   wanted                             strict and exact    compat
        (&crane,     "windows/amd64",                   &[3, 2, 1, 0],      &[0, 1, 2, 3]),
        (&crane,     "windows(10.0.17763)/amd64",       &[0],               &[0]),
        (&crane,     "windows(10.0.17763.9)/amd64",     &[0],               &[0]),
        (&crane,     "windows(10.0.20348)/amd64",       &[2, 1],            &[1, 2]),
        (&crane,     "windows(10.0.22621)/amd64",       &[2, 1],            &[1, 2]),
        (&crane,     "windows(10.0.26100)/amd64",       &[3, 2, 1],         &[1, 2, 3]),
        (&crane,     "windows(10.0.26200)/amd64",       &[3],               &[3]),
        (&crane,     "windows(10.0.14393)/amd64",       &[],                &[]),
        (&crane,     "windows/arm64",                   &[],                &[]),
        (&crane,     "linux/amd64",                     &[],                &[]),
        // Number by number, none lowest.
        (&["windows(10.0.9)/amd64", "windows(10.0.10)/amd64"],             "windows/amd64",  &[1, 0], &[0, 1]),
        (&["windows(10.0.1.9)/amd64", "windows(10.0.1.10)/amd64"],         "windows/amd64",  &[1, 0], &[0, 1]),
        (&["windows(9.9.9)/amd64", "windows(10.0.0)/amd64"],               "windows/amd64",  &[1, 0], &[0, 1]),
        (&["windows/amd64", "windows(10.0.1)/amd64"],                      "windows/amd64",  &[1, 0], &[0, 1]),
        (&["windows(10.0.1)/amd64", "windows/amd64"],                      "windows/amd64",  &[0, 1], &[0, 1]),
        (&["windows(10.0.1)/amd64", "windows(10.0.1.1)/amd64"],            "windows/amd64",  &[1, 0], &[0, 1]),
        (&["windows(10.0.1)/amd64", "windows(10.0.1)/amd64"],              "windows/amd64",  &[0, 1], &[0, 1]),
        (&["windows/amd64", "windows(10.0.20348)/amd64", "-"],             "windows(10.0.20348)/amd64", &[1, 0, 2], &[0, 1, 2]),
        // The version comes after features.
        (&["windows(10.0.2)/amd64", "windows(10.0.1+win32k)/amd64"],       "windows/amd64",  &[1, 0], &[1, 0]),
        // On Linux it is nobody's business.
        (&["linux(1)/amd64", "linux(2)/amd64"],                            "linux/amd64",    &[0, 1], &[0, 1]),
    ];
    for (entries, wanted, strict, compat) in rows {
        let index = of(entries);
        for (mode, expected) in [(Strict, strict), (Exact, strict), (CompatImagetools, compat), (CompatBuild, compat)] {
            assert_eq!(chosen(&index, wanted, mode), *expected, "{wanted} in {entries:?}, {mode}");
        }
        // On any machine.
        let on_windows = platform("windows(10.0.17763)/arm64");
        assert_eq!(select(&index, &platform(wanted), &on_windows, Strict), *strict, "{wanted} in {entries:?}");
    }
    // After the architecture, too: an older build of the right one is better than a newer 386.
    let index = of(&["windows(10.0.2)/386", "windows(10.0.1)/amd64"]);
    assert_eq!(chosen(&index, "windows/amd64", Strict), [1, 0]);
    assert_eq!(chosen(&index, "windows/amd64", Exact), [1]);
}

#[test]
fn strict_takes_images_alone() {
    let with_type =
        |artifact_type: &str| Descriptor { artifact_type: Some(artifact_type.into()), ..entry("linux/amd64") };
    let with_media = |media_type: &str| Descriptor { media_type: media_type.into(), ..entry("linux/amd64") };
    let with_note = |key: &str, value: &str| Descriptor {
        annotations: [(key.to_owned(), value.to_owned())].into(),
        ..entry("linux/amd64")
    };
    #[rustfmt::skip]
    let rows = [
        // entry                                                                        strict and exact
        (entry("linux/amd64"),                                                          true),
        (with_media(DOCKER_MANIFEST),                                                   true),
        // A nested index may hold an image.
        (with_media(OCI_INDEX),                                                         true),
        (with_media(DOCKER_LIST),                                                       true),
        (with_media("application/vnd.oci.image.layer.v1.tar+gzip"),                     false),
        (with_media(OCI_CONFIG),                                                        false),
        // crane writes the config's type on plain images.
        (with_type(OCI_CONFIG),                                                         true),
        (with_type(DOCKER_CONFIG),                                                      true),
        (with_type(""),                                                                 true),
        (with_type("application/vnd.cncf.helm.config.v1+json"),                         false),
        (with_type("application/vnd.dev.cosign.artifact.sig.v1+json"),                  false),
        (with_type(OCI_MANIFEST),                                                       false),
        (with_type(attestation::ARTIFACT_TYPE),                                         false),
        (with_note(attestation::REFERENCE_TYPE, attestation::ATTESTATION_MANIFEST),     false),
        (with_note(attestation::REFERENCE_TYPE, "something-else"),                      true),
        (with_note("org.opencontainers.image.title", "attestation-manifest"),           true),
    ];
    for (entry, image) in rows {
        let index = index(vec![entry]);
        let entry = &index.manifests[0];
        let expected: &[usize] = if image { &[0] } else { &[] };
        assert_eq!(chosen(&index, "linux/amd64", Strict), expected, "{entry:?}");
        assert_eq!(chosen(&index, "linux/amd64", Exact), expected, "{entry:?}");
        // compat looks at platforms alone.
        assert_eq!(chosen(&index, "linux/amd64", CompatBuild), [0], "{entry:?}");
        assert_eq!(chosen(&index, "linux/amd64", CompatImagetools), [0], "{entry:?}");
    }
}

/// An attestation without a platform would be read in vain, or worse: taken.
#[test]
fn an_attestation_is_no_image_with_any_platform() {
    let attestation = |text: &str| Descriptor {
        annotations: [(attestation::REFERENCE_TYPE.to_owned(), attestation::ATTESTATION_MANIFEST.to_owned())].into(),
        ..entry(text)
    };
    #[rustfmt::skip]
    let rows: &[(&str, &str, &[usize], &[usize])] = &[
        // its platform             wanted              strict      compat
        ("unknown/unknown",         "linux/amd64",      &[1],       &[1]),
        ("-",                       "linux/amd64",      &[1],       &[1, 0]),
        ("linux/amd64",             "linux/amd64",      &[1],       &[0, 1]),
        ("unknown/unknown",         "unknown/unknown",  &[],        &[0]),
    ];
    for (its, wanted, strict, compat) in rows {
        let index = index(vec![attestation(its), entry("linux/amd64")]);
        assert_eq!(chosen(&index, wanted, Strict), *strict, "{its}, {wanted}");
        assert_eq!(chosen(&index, wanted, CompatBuild), *compat, "{its}, {wanted}");
    }
}

#[test]
fn nested_indexes_stand_where_their_platform_puts_them() {
    let nested = |text: &str| Descriptor { media_type: OCI_INDEX.into(), ..entry(text) };
    let index = index(vec![nested("-"), nested("linux/arm64"), entry("linux/386"), nested("linux/amd64")]);
    assert_eq!(chosen(&index, "linux/amd64", Strict), [3, 2, 0]);
    assert_eq!(chosen(&index, "linux/arm64", Strict), [1, 0]);
    assert_eq!(chosen(&index, "linux/s390x", Strict), [0]);
    assert_eq!(chosen(&index, "linux/amd64", CompatBuild), [3, 2, 0]);
}

#[test]
fn an_absent_operating_system_is_the_machines() {
    let bare = Descriptor {
        platform: Some(Platform { architecture: "amd64".into(), ..Platform::default() }),
        ..entry("linux/amd64")
    };
    let index = index(vec![bare]);
    assert_eq!(chosen(&index, "linux/amd64", Strict), [0]);
    assert!(select(&index, &platform("linux/amd64"), &platform("windows/amd64"), Strict).is_empty());
    assert_eq!(select(&index, &platform("windows/amd64"), &platform("windows/amd64"), Strict), [0]);
}

/// What a choice does not look at may be anything: only what was chosen is read, and then it must be right.
#[test]
fn an_outline_reads_what_a_choice_needs() {
    let entry = |rest: &str| {
        format!(r#"{{"mediaType":"{OCI_MANIFEST}","platform":{{"os":"linux","architecture":"amd64"}}{rest}}}"#)
    };
    let digest = Digest::sha256(b"");
    let right = format!(r#","digest":"{digest}","size":7,"annotations":null"#);
    let wrong = r#","digest":"none","size":-1,"annotations":{"a":{"b":[]}},"urls":7"#;
    let index = format!(r#"{{"manifests":[{},{}]}}"#, entry(wrong), entry(&right));
    let outline = Outline::parse(index.as_bytes()).unwrap();
    assert_eq!(select_in(&outline, &machine(), &machine(), Strict), [0, 1]);
    let entries = Entries::parse(index.as_bytes()).unwrap();
    assert_eq!((entries.len(), entries.is_empty()), (2, false));
    assert!(entries.get(0).is_err());
    assert_eq!(entries.get(1).unwrap().unwrap().size, 7);
    assert_eq!(entries.get(2).unwrap(), None);
    assert!(Entries::parse(br#"{"manifests":null}"#).unwrap().is_empty());
    for broken in [&br#"{}"#[..], b"[]", br#"{"manifests":7}"#, br#"{"manifests":[7]}"#, b"{\"manifests\":[\xff]}", b""]
    {
        assert!(Outline::parse(broken).is_err(), "{}", String::from_utf8_lossy(broken));
    }
}

#[test]
fn order_puts_all_in_a_row_and_says_which_match() {
    let texts = [
        "windows(10.0.17763)/amd64",
        "linux/386",
        "windows(10.0.20348)/amd64",
        "linux/arm64",
        "linux/amd64",
        "unknown/unknown",
    ];
    let platforms: Vec<Platform> = texts.iter().map(|text| platform(text)).collect();
    #[rustfmt::skip]
    let rows: &[(&str, Mode, &[usize], &[usize])] = &[
        // wanted            mode                match       do not, in the order given
        ("linux/amd64",      Strict,             &[4, 1],    &[0, 2, 3, 5]),
        ("linux/amd64",      CompatBuild,        &[4, 1],    &[0, 2, 3, 5]),
        ("linux/amd64",      Exact,              &[4],       &[0, 1, 2, 3, 5]),
        ("linux/arm64",      Strict,             &[3],       &[0, 1, 2, 4, 5]),
        ("windows/amd64",    Strict,             &[2, 0],    &[1, 3, 4, 5]),
        ("windows/amd64",    CompatImagetools,   &[0, 2],    &[1, 3, 4, 5]),
        ("linux/s390x",      Strict,             &[],        &[0, 1, 2, 3, 4, 5]),
    ];
    for (wanted, mode, matching, others) in rows {
        let expected: Vec<(usize, bool)> =
            matching.iter().map(|&at| (at, true)).chain(others.iter().map(|&at| (at, false))).collect();
        assert_eq!(order(&platforms, &platform(wanted), &machine(), *mode), expected, "{wanted}, {mode}");
    }
    assert!(order(&[], &machine(), &machine(), Strict).is_empty());
}

#[test]
fn modes_have_names() {
    for (mode, name, compat) in [
        (Strict, "strict", false),
        (Exact, "exact", false),
        (CompatImagetools, "compat=imagetools", true),
        (CompatBuild, "compat=build", true),
    ] {
        assert_eq!(mode.to_string(), name);
        assert_eq!(name.parse(), Ok(mode));
        assert_eq!(mode.is_compat(), compat);
        assert!(Mode::ALL.contains(&mode));
    }
    assert_eq!(Mode::default(), Strict);
    for wrong in ["", "Strict", "compat", "compat=", "compat=docker", "strict "] {
        let message = wrong.parse::<Mode>().unwrap_err().to_string();
        assert!(message.contains("compat=imagetools"), "{message}");
    }
}

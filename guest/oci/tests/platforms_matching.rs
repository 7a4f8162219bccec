//! What a wanted platform accepts: the ladders of architectures, features, Windows versions, exact matching.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan_oci::Platform;
use portolan_oci::platform::{Matcher, Rank};

/// A platform as a document may write it: `os/architecture/variant`, nothing normalised, what is missing absent.
fn raw(text: &str) -> Platform {
    let mut parts = text.split('/').map(str::to_owned);
    let mut next = || parts.next().unwrap_or_default();
    Platform { os: next(), architecture: next(), variant: next(), ..Platform::default() }
}

fn linux(text: &str) -> Platform {
    raw(&format!("linux/{text}"))
}

fn machine() -> Platform {
    linux("amd64")
}

fn rank(wanted: &Platform, candidate: &Platform) -> Option<Rank> {
    Matcher::new(wanted, &machine(), false).rank(candidate)
}

fn rank_exact(wanted: &Platform, candidate: &Platform) -> Option<Rank> {
    Matcher::new(wanted, &machine(), true).rank(candidate)
}

fn windows(version: &str, features: &[&str]) -> Platform {
    Platform {
        os_version: version.into(),
        os_features: features.iter().map(|&feature| feature.into()).collect(),
        ..raw("windows/amd64")
    }
}

fn with_features(features: &[&str]) -> Platform {
    Platform { os_features: features.iter().map(|&feature| feature.into()).collect(), ..machine() }
}

/// One of each architecture and variant that the tables speak of, and a few that nobody speaks of.
#[rustfmt::skip]
const UNIVERSE: &[&str] = &[
    "amd64", "amd64/v2", "amd64/v3", "amd64/v4", "amd64/v5", "amd64/v0", "amd64/v", "amd64/x", "amd64/1", "amd64/v01", "amd64/v02", "amd64/v+2",
    "386", "386/x", "386/v1",
    "arm/v4", "arm/v5", "arm/v6", "arm/v7", "arm/v8", "arm/v9", "arm/x", "arm/v06", "arm/v",
    "arm64", "arm64/v8.1", "arm64/v8.2", "arm64/v8.3", "arm64/v8.4", "arm64/v8.5", "arm64/v8.6", "arm64/v8.7", "arm64/v8.8",
    "arm64/v8.9", "arm64/v9", "arm64/v9.1", "arm64/v9.2", "arm64/v9.3", "arm64/v9.4", "arm64/v9.5", "arm64/v9.6", "arm64/v9.7",
    "arm64/v8.10", "arm64/v8.01", "arm64/v8.", "arm64/v9.8", "arm64/v10", "arm64/v7", "arm64/8.1", "arm64/x",
    "armbe", "arm64be", "ppc64le", "riscv64", "riscv64/rva20", "s390x", "wasm", "unknown", "amd65",
];

const ARM8: &str = "arm/v8 arm/v7 arm/v6 arm/v5";
const V8_1: &str = "arm64/v8.1 arm64";
const V8_4: &str = "arm64/v8.4 arm64/v8.3 arm64/v8.2 arm64/v8.1 arm64";
const V8_5: &str = "arm64/v8.5 arm64/v8.4 arm64/v8.3 arm64/v8.2 arm64/v8.1 arm64";
const V8_7: &str = "arm64/v8.7 arm64/v8.6 arm64/v8.5 arm64/v8.4 arm64/v8.3 arm64/v8.2 arm64/v8.1 arm64";
const V8_9: &str =
    "arm64/v8.9 arm64/v8.8 arm64/v8.7 arm64/v8.6 arm64/v8.5 arm64/v8.4 arm64/v8.3 arm64/v8.2 arm64/v8.1 arm64";
const V9_2: &str = "arm64/v9.2 arm64/v9.1 arm64/v9";
const V9_4: &str = "arm64/v9.4 arm64/v9.3 arm64/v9.2 arm64/v9.1 arm64/v9";
const V9_5: &str = "arm64/v9.5 arm64/v9.4 arm64/v9.3 arm64/v9.2 arm64/v9.1 arm64/v9";
const V9_7: &str = "arm64/v9.7 arm64/v9.6 arm64/v9.5 arm64/v9.4 arm64/v9.3 arm64/v9.2 arm64/v9.1 arm64/v9";

/// The table of oci-semantics. What is not in a row's list is not accepted.
#[test]
fn each_architecture_accepts_its_elders_best_first() {
    #[rustfmt::skip]
    let rows: &[(&str, &[&str])] = &[
        // wanted               accepts, best first
        ("amd64",               &["amd64 386"]),
        ("amd64/v1",            &["amd64 386"]),
        ("x86_64",              &["amd64 386"]),
        ("amd64/v2",            &["amd64/v2 amd64 386"]),
        ("amd64/v4",            &["amd64/v4 amd64/v3 amd64/v2 amd64 386"]),
        ("AMD64/V3",            &["amd64/v3 amd64/v2 amd64 386"]),
        ("x86-64/v3",           &["amd64/v3 amd64/v2 amd64 386"]),
        ("amd64/3",             &["amd64/v3 amd64/v2 amd64 386"]),
        ("amd64/x",             &["amd64/x 386"]),
        ("amd64/v0",            &["amd64/v0 386"]),
        ("amd64/1",             &["amd64/1 386"]),
        ("amd64/v",             &["amd64/v 386"]),
        ("386",                 &["386"]),
        ("i386",                &["386"]),
        ("386/x",               &["386/x"]),
        ("arm",                 &["arm/v7 arm/v6 arm/v5"]),
        ("arm/v7",              &["arm/v7 arm/v6 arm/v5"]),
        ("arm/7",               &["arm/v7 arm/v6 arm/v5"]),
        ("armhf",               &["arm/v7 arm/v6 arm/v5"]),
        ("arm/v6",              &["arm/v6 arm/v5"]),
        ("armel",               &["arm/v6 arm/v5"]),
        ("arm/v8",              &["arm/v8 arm/v7 arm/v6 arm/v5"]),
        ("arm/v9",              &["arm/v9 arm/v8 arm/v7 arm/v6 arm/v5"]),
        ("arm/v5",              &["arm/v5"]),
        ("arm/5",               &["arm/v5"]),
        ("arm/v4",              &["arm/v4"]),
        ("arm/x",               &["arm/x"]),
        ("arm64",               &["arm64", ARM8]),
        ("arm64/v8",            &["arm64", ARM8]),
        ("arm64/8",             &["arm64", ARM8]),
        ("aarch64",             &["arm64", ARM8]),
        ("arm64/v8.0",          &["arm64", ARM8]),
        ("arm64/v8.1",          &[V8_1, ARM8]),
        ("arm64/v8.4",          &[V8_4, ARM8]),
        ("arm64/v8.9",          &[V8_9, ARM8]),
        ("arm64/v9",            &["arm64/v9", V8_5, ARM8]),
        ("arm64/9",             &["arm64/v9", V8_5, ARM8]),
        ("arm64/v9.0",          &["arm64/v9", V8_5, ARM8]),
        ("arm64/v9.2",          &[V9_2, V8_7, ARM8]),
        ("arm64/v9.4",          &[V9_4, V8_9, ARM8]),
        // v8.(5+5) is not known, v8.9 is.
        ("arm64/v9.5",          &[V9_5, V8_9, ARM8]),
        ("arm64/v9.7",          &[V9_7, V8_9, ARM8]),
        // Not even itself.
        ("arm64/v9.8",          &[]),
        ("arm64/v8.10",         &[]),
        ("arm64/v8.01",         &[]),
        ("arm64/v8.",           &[]),
        ("arm64/v10",           &[]),
        ("arm64/v7",            &[]),
        ("arm64/8.1",           &[]),
        ("arm64/x",             &[]),
        ("riscv64",             &["riscv64"]),
        ("riscv64/rva20",       &["riscv64/rva20"]),
        ("s390x",               &["s390x"]),
        ("ppc64le",             &["ppc64le"]),
        ("arm64be",             &["arm64be"]),
        ("armbe",               &["armbe"]),
        ("wasm",                &["wasm"]),
        ("unknown",             &["unknown"]),
    ];
    for (wanted, expected) in rows {
        let expected: Vec<&str> = expected.iter().flat_map(|part| part.split_whitespace()).collect();
        let matcher = Matcher::new(&linux(wanted), &machine(), false);
        let mut accepted: Vec<(Rank, &str)> =
            UNIVERSE.iter().filter_map(|&text| Some((matcher.rank(&linux(text))?, text))).collect();
        accepted.sort();
        assert!(accepted.iter().zip(accepted.iter().skip(1)).all(|((left, _), (right, _))| left < right), "{wanted}");
        let accepted: Vec<&str> = accepted.into_iter().map(|(_, text)| text).collect();
        assert_eq!(accepted, expected, "{wanted}");
        let listed: Vec<String> = matcher.accepts(100).iter().map(Platform::short).collect();
        let expected: Vec<String> = expected.iter().map(|text| format!("linux/{text}")).collect();
        assert_eq!(listed, expected, "{wanted}");
        for most in [0, 1, 2, 5] {
            assert_eq!(matcher.accepts(most).len(), expected.len().min(most), "{wanted}, at most {most}");
        }
    }
}

#[test]
fn a_version_may_be_huge() {
    let huge = "amd64/v9223372036854775807";
    let matcher = Matcher::new(&linux(huge), &machine(), false);
    #[rustfmt::skip]
    let rows = [
        (huge,                              true),
        ("amd64/v9223372036854775806",      true),
        ("amd64/v4",                        true),
        ("amd64",                           true),
        ("386",                             true),
        ("amd64/v9223372036854775808",      false),
        ("amd64/v99999999999999999999999",  false),
        ("arm",                             false),
    ];
    let ranks: Vec<Option<Rank>> = rows.iter().map(|(candidate, _)| matcher.rank(&linux(candidate))).collect();
    for ((candidate, accepted), rank) in rows.iter().zip(&ranks) {
        assert_eq!(rank.is_some(), *accepted, "{candidate}");
    }
    let accepted: Vec<Rank> = ranks.into_iter().flatten().collect();
    assert!(accepted.is_sorted_by(|left, right| left < right));
    let shorts = |matcher: &Matcher| -> Vec<String> { matcher.accepts(2).iter().map(Platform::short).collect() };
    assert_eq!(shorts(&matcher), ["linux/amd64/v9223372036854775807", "linux/amd64/v9223372036854775806"]);
    // More than anybody can count is a variant like any other.
    let beyond = Matcher::new(&linux("amd64/v99999999999999999999999"), &machine(), false);
    assert_eq!(shorts(&beyond), ["linux/amd64/v99999999999999999999999", "linux/386"]);
    let arm = Matcher::new(&linux("arm/v9223372036854775807"), &machine(), false);
    assert_eq!(shorts(&arm), ["linux/arm/v9223372036854775807", "linux/arm/v9223372036854775806"]);
    assert!(arm.rank(&linux("arm/v5")).is_some());
}

#[test]
fn spellings_of_one_platform_match_alike() {
    #[rustfmt::skip]
    let spellings: &[&[&str]] = &[
        &["amd64", "x86_64", "x86-64", "AMD64", "X86_64", "amd64/v1", "x86_64/v1", "amd64/V1"],
        &["amd64/v2", "x86_64/v2", "AMD64/V2"],
        &["386", "i386", "I386", "i386/anything"],
        &["arm64", "aarch64", "AArch64", "arm64/8", "arm64/v8", "arm64/v8.0", "aarch64/V8"],
        &["arm64/v9", "arm64/9", "arm64/9.0", "arm64/v9.0", "aarch64/9"],
        &["arm64/v8.3", "aarch64/V8.3"],
        &["arm", "arm/7", "arm/v7", "arm/V7", "armhf", "armhf/v6", "ARMHF"],
        &["arm/v6", "arm/6", "armel", "armel/v7"],
        &["arm/v5", "arm/5"],
        &["arm/v8", "arm/8"],
        &["riscv64", "RISCV64"],
    ];
    for (group, same) in spellings.iter().enumerate() {
        for wanted in *same {
            for candidate in *same {
                assert_eq!(rank(&linux(wanted), &linux(candidate)), rank(&linux(wanted), &linux(wanted)));
                assert!(rank(&linux(wanted), &linux(candidate)).is_some(), "{wanted} and {candidate}");
                assert!(rank_exact(&linux(wanted), &linux(candidate)).is_some(), "{wanted} and {candidate}");
                assert_eq!(linux(wanted).normalized(&machine()), linux(candidate).normalized(&machine()));
            }
            for (other, different) in spellings.iter().enumerate() {
                let exact = different.iter().any(|candidate| rank_exact(&linux(wanted), &linux(candidate)).is_some());
                assert_eq!(exact, group == other, "{wanted} and {different:?}");
            }
        }
    }
}

#[test]
fn operating_systems_are_equal_or_nothing_matches() {
    #[rustfmt::skip]
    let rows = [
        // wanted               candidate               matches
        ("linux/amd64",         "linux/amd64",          true),
        ("linux/amd64",         "LINUX/amd64",          true),
        ("linux/amd64",         "windows/amd64",        false),
        ("linux/amd64",         "unknown/amd64",        false),
        ("linux/amd64",         "unknown/unknown",      false),
        ("darwin/arm64",        "macos/arm64",          true),
        ("macOS/arm64",         "darwin/arm64",         true),
        ("darwin/arm64",        "ios/arm64",            false),
        ("android/arm64",       "linux/arm64",          false),
        // Absent is the machine's, which is linux here.
        ("linux/amd64",         "/amd64",               true),
        ("windows/amd64",       "/amd64",               false),
        ("/amd64",              "linux/amd64",          true),
        // An absent architecture is none.
        ("linux/amd64",         "linux",                false),
        ("linux/amd64",         "",                     false),
        ("unknown/unknown",     "unknown/unknown",      true),
    ];
    for (wanted, candidate, matches) in rows {
        assert_eq!(rank(&raw(wanted), &raw(candidate)).is_some(), matches, "{wanted} and {candidate}");
        assert_eq!(rank_exact(&raw(wanted), &raw(candidate)).is_some(), matches, "{wanted} and {candidate}, exact");
    }
}

#[test]
fn exact_leaves_the_fallbacks_out() {
    for wanted in UNIVERSE {
        let matcher = Matcher::new(&linux(wanted), &machine(), true);
        let accepted: Vec<&str> =
            UNIVERSE.iter().copied().filter(|candidate| matcher.rank(&linux(candidate)).is_some()).collect();
        // Also an arm64 that nobody knows.
        assert_eq!(accepted, [*wanted]);
        let listed: Vec<String> = matcher.accepts(9).iter().map(Platform::short).collect();
        assert_eq!(listed, [linux(wanted).normalized(&machine()).short()]);
    }
}

#[test]
fn a_candidates_features_are_among_the_wanted() {
    #[rustfmt::skip]
    let rows: &[(&[&str], &[&str], bool)] = &[
        // wanted           candidate           matches
        (&[],               &[],                true),
        (&["a"],            &[],                true),
        (&["a"],            &["a"],             true),
        (&[],               &["a"],             false),
        (&["a"],            &["b"],             false),
        (&["a", "b"],       &["a"],             true),
        (&["b", "a"],       &["a", "b"],        true),
        (&["a", "c"],       &["a", "b"],        false),
        (&["a", "b", "c"],  &["c", "a"],        true),
        (&["a"],            &["a", "a"],        true),
        (&["a"],            &["A"],             false),
        // What is left out on Windows counts elsewhere.
        (&[],               &["win32k"],        false),
    ];
    for (wanted, candidate, matches) in rows {
        let (wanted, candidate) = (with_features(wanted), with_features(candidate));
        assert_eq!(rank(&wanted, &candidate).is_some(), *matches, "{wanted:?} and {candidate:?}");
        assert_eq!(rank_exact(&wanted, &candidate).is_some(), *matches, "{wanted:?} and {candidate:?}, exact");
    }
}

#[test]
fn more_features_are_better_among_equals() {
    let wanted = with_features(&["a", "b"]);
    let of = |features: &[&str]| rank(&wanted, &with_features(features)).unwrap();
    assert!(of(&["a", "b"]) < of(&["a"]));
    assert!(of(&["a"]) < of(&[]));
    assert_eq!(of(&["a"]), of(&["b"]));
    // But an architecture that fits better is better still.
    let elder = rank(&wanted, &Platform { architecture: "386".into(), ..with_features(&["a", "b"]) }).unwrap();
    assert!(of(&[]) < elder);
}

#[test]
fn one_win32k_is_left_out_on_windows() {
    #[rustfmt::skip]
    let rows: &[(&[&str], &[&str], bool)] = &[
        // wanted           candidate                   matches
        (&[],               &["win32k"],                true),
        (&["win32k"],       &["win32k"],                true),
        (&["win32k"],       &[],                        true),
        (&[],               &["win32k", "a"],           false),
        (&["a"],            &["win32k", "a"],           true),
        (&["a"],            &["a", "win32k"],           true),
        (&[],               &["win32k", "win32k"],      false),
        (&["win32k"],       &["win32k", "win32k"],      true),
        (&[],               &["WIN32K"],                false),
    ];
    for (wanted, candidate, matches) in rows {
        let (wanted, candidate) = (windows("", wanted), windows("", candidate));
        assert_eq!(rank(&wanted, &candidate).is_some(), *matches, "{wanted:?} and {candidate:?}");
        assert_eq!(rank_exact(&wanted, &candidate).is_some(), *matches, "{wanted:?} and {candidate:?}, exact");
    }
    // In the order it counts.
    let wanted = windows("", &[]);
    assert!(rank(&wanted, &windows("", &["win32k"])) < rank(&wanted, &windows("", &[])));
}

#[test]
fn windows_runs_builds_in_a_window() {
    #[rustfmt::skip]
    let rows = [
        // wanted               candidate               matches
        // Below 20348: equal builds, whatever the fourth part.
        ("10.0.17763",          "10.0.17763",           true),
        ("10.0.17763.1",        "10.0.17763.9999",      true),
        ("10.0.17763.1",        "10.0.17763",           true),
        ("10.0.17763",          "10.0.17762",           false),
        ("10.0.17763",          "10.0.17764",           false),
        ("10.0.20347",          "10.0.20347",           true),
        ("10.0.20347",          "10.0.20348",           false),
        ("10.0.20347",          "10.0.17763",           false),
        // 20348 takes itself alone.
        ("10.0.20348",          "10.0.20348.1",         true),
        ("10.0.20348",          "10.0.20347",           false),
        ("10.0.20348",          "10.0.20349",           false),
        ("10.0.20348",          "10.0.17763",           false),
        // Above: from 20348 up to itself.
        ("10.0.20349",          "10.0.20348",           true),
        ("10.0.22621",          "10.0.20348",           true),
        ("10.0.22621",          "10.0.22621",           true),
        ("10.0.22621",          "10.0.22000",           true),
        ("10.0.22621",          "10.0.22622",           false),
        ("10.0.22621",          "10.0.20347",           false),
        ("10.0.25398",          "10.0.20348",           true),
        // 26100 still reaches down to 20348: the newest *strictly below* it.
        ("10.0.26100",          "10.0.20348",           true),
        ("10.0.26100",          "10.0.25398",           true),
        ("10.0.26100",          "10.0.26100.1",         true),
        ("10.0.26100",          "10.0.20347",           false),
        ("10.0.26100",          "10.0.26101",           false),
        // Above 26100 it no longer does.
        ("10.0.26101",          "10.0.26100",           true),
        ("10.0.26101",          "10.0.26101",           true),
        ("10.0.26101",          "10.0.20348",           false),
        ("10.0.26101",          "10.0.26099",           false),
        ("10.0.65535",          "10.0.26100",           true),
        ("10.0.65535",          "10.0.65535",           true),
        // Major and minor are equal.
        ("10.0.20348",          "10.1.20348",           false),
        ("10.0.20348",          "11.0.20348",           false),
        ("6.3.9600",            "6.3.9600",             true),
        ("6.3.9600",            "6.2.9600",             false),
        ("255.255.20348",       "255.255.20348",        true),
        // A wanted version that does not parse takes all; one that is not there, too.
        ("",                    "10.0.20348",           true),
        ("10",                  "10.0.20348",           true),
        ("10.0",                "10.0.20348",           true),
        ("10.0.x",              "10.0.20348",           true),
        ("x.y.z",               "10.0.17763",           true),
        ("10.0.65536",          "10.0.20348",           true),
        ("256.0.20348",         "10.0.20348",           true),
        ("10..20348",           "10.0.20348",           true),
        ("10.0.+20348",         "10.0.17763",           true),
        ("0.0.0",               "10.0.17763",           true),
        ("10.0",                "nonsense",             true),
        // A candidate without one is taken.
        ("10.0.20348",          "",                     true),
        ("10.0.17763",          "",                     true),
        ("",                    "",                     true),
        // A candidate that does not parse is not, if the wanted one does.
        ("10.0.20348",          "10",                   false),
        ("10.0.20348",          "10.0",                 false),
        ("10.0.20348",          "10.0.x",               false),
        ("10.0.20348",          "x.0.20348",            false),
        ("10.0.20348",          "nonsense",             false),
        ("10.0.20348",          " 10.0.20348",          false),
        ("10.0.20348",          "10.0.20348 ",          false),
        ("10.0.20348",          "10.0.+20348",          false),
        ("10.0.20348",          "10.0.-1",              false),
        ("0.0.1",               "x.y.z",                false),
        // Further parts, and zeros in front, change nothing.
        ("10.0.20348",          "10.0.20348.1.2.3",     true),
        ("10.0.20348",          "10.0.020348",          true),
        ("10.0.20348.x",        "10.0.20348",           true),
    ];
    for (wanted, candidate, matches) in rows {
        let (wanted, candidate) = (windows(wanted, &[]), windows(candidate, &[]));
        assert_eq!(rank(&wanted, &candidate).is_some(), matches, "{} and {}", wanted.long(), candidate.long());
        assert_eq!(rank_exact(&wanted, &candidate).is_some(), matches, "{} and {}", wanted.long(), candidate.long());
    }
}

#[test]
fn versions_count_on_windows_only() {
    let linux = |version: &str| Platform { os_version: version.into(), ..machine() };
    for (wanted, candidate) in [("10.0.17763", "10.0.20348"), ("1", "2"), ("", "1"), ("1", "")] {
        assert!(rank(&linux(wanted), &linux(candidate)).is_some());
        assert!(rank_exact(&linux(wanted), &linux(candidate)).is_some());
    }
    // Nor does a version make a rank better: that is an index's business.
    let wanted = windows("", &[]);
    assert_eq!(rank(&wanted, &windows("10.0.17763", &[])), rank(&wanted, &windows("", &[])));
}

#[test]
fn what_is_accepted_keeps_version_and_features() {
    let wanted = windows("10.0.20348", &["win32k"]);
    let listed: Vec<String> = Matcher::new(&wanted, &machine(), false).accepts(9).iter().map(Platform::long).collect();
    assert_eq!(listed, ["windows(10.0.20348+win32k)/amd64", "windows(10.0.20348+win32k)/386"]);
}

#[test]
fn normalising_has_a_table() {
    #[rustfmt::skip]
    let rows = [
        // written              normalised
        ("Linux/AMD64/V2",      "linux/amd64/v2"),
        ("macos/arm64",         "darwin/arm64"),
        ("MacOS/arm64/v8",      "darwin/arm64"),
        ("/amd64",              "linux/amd64"),
        ("linux/i386/x",        "linux/386"),
        ("linux/386/x",         "linux/386/x"),
        ("linux/x86_64",        "linux/amd64"),
        ("linux/x86-64/v1",     "linux/amd64"),
        ("linux/amd64/v1",      "linux/amd64"),
        ("linux/amd64/1",       "linux/amd64/1"),
        ("linux/amd64/v2",      "linux/amd64/v2"),
        ("linux/aarch64",       "linux/arm64"),
        ("linux/aarch64/v8",    "linux/arm64"),
        ("linux/arm64/8",       "linux/arm64"),
        ("linux/arm64/v8.0",    "linux/arm64"),
        ("linux/arm64/8.0",     "linux/arm64/8.0"),
        ("linux/arm64/9",       "linux/arm64/v9"),
        ("linux/arm64/9.0",     "linux/arm64/v9"),
        ("linux/arm64/v9.0",    "linux/arm64/v9"),
        ("linux/arm64/v9",      "linux/arm64/v9"),
        ("linux/arm64/v8.1",    "linux/arm64/v8.1"),
        ("linux/arm64/strange", "linux/arm64/strange"),
        ("linux/armhf",         "linux/arm/v7"),
        ("linux/armhf/v5",      "linux/arm/v7"),
        ("linux/armel/v8",      "linux/arm/v6"),
        ("linux/arm",           "linux/arm/v7"),
        ("linux/arm/5",         "linux/arm/v5"),
        ("linux/arm/6",         "linux/arm/v6"),
        ("linux/arm/7",         "linux/arm/v7"),
        ("linux/arm/8",         "linux/arm/v8"),
        ("linux/arm/9",         "linux/arm/9"),
        ("linux/arm/v5",        "linux/arm/v5"),
        ("linux/s390x/V1",      "linux/s390x/v1"),
    ];
    for (written, normalised) in rows {
        let once = raw(written).normalized(&machine());
        assert_eq!(once, raw(normalised), "{written}");
        assert_eq!(once.normalized(&machine()), once, "{written}");
    }
    let features = with_features(&["b", "a", "b"]).normalized(&machine());
    assert_eq!(features, with_features(&["a", "b"]));
}

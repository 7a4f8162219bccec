//! What holds for every input: texts read back as they were written, matching and choosing obey their laws, nothing panics.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan_oci::chain::chain_ids;
use portolan_oci::document::{Entries, Outline, check, media_type_of};
use portolan_oci::location::{decode_store, encode_store};
use portolan_oci::media_type::{self, DOCKER_LIST, DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use portolan_oci::names::{self, IMAGE_NAME, REF_NAME, SUBJECT, entry_name, match_name};
use portolan_oci::platform::{Matcher, order, select, select_in};
use portolan_oci::{
    Algorithm, Config, Descriptor, Digest, Document, Index, Location, Manifest, Mode, Platform, Reference, attestation,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{select as one_of, subsequence};

// ---- inputs

fn digest() -> impl Strategy<Value = Digest> {
    let algorithm = one_of(vec![Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512]);
    (algorithm, any::<[u8; 8]>()).prop_map(|(algorithm, content)| Digest::of(algorithm, &content))
}

/// A reference as somebody may type it.
fn reference() -> impl Strategy<Value = String> {
    let domain = prop_oneof![
        Just(String::new()),
        "(docker\\.io|index\\.docker\\.io|localhost|\\[::1\\]|Foo|[a-z0-9]{1,5}(-[a-z0-9]{1,3})?\\.[a-z]{2,3})(:[0-9]{1,5})?/",
        "[a-z]{1,3}_[a-z]{1,3}\\.com/",
    ];
    let path = "[a-z0-9]{1,6}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,6}){0,3}";
    let tag = prop_oneof![Just(String::new()), ":[A-Za-z0-9_][A-Za-z0-9_.-]{0,12}"];
    let digest = prop_oneof![Just(String::new()), digest().prop_map(|digest| format!("@{digest}"))];
    (domain, path, tag, digest).prop_map(|(domain, path, tag, digest)| format!("{domain}{path}{tag}{digest}"))
}

/// Text that looks like what the parsers read, and any text.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9A-F./:@_\\[\\]%()+*-]{0,60}",
        "(oci-layout|oci-archive|docker|oci|https)://[a-z0-9./:@_%-]{0,40}",
        "(linux|windows|darwin|Macos|arm|x86_64)(\\([0-9.+%a-z]{0,12}\\))?(/[a-z0-9._]{0,6}){0,3}",
        "(sha256|sha512|md5):[0-9a-fA-F]{0,130}",
        "\\PC{0,40}",
        any::<String>(),
    ]
}

fn platform() -> impl Strategy<Value = Platform> {
    let os = one_of(vec!["", "linux", "Linux", "windows", "macos", "darwin", "unknown", "plan9"]);
    let architecture = one_of(vec![
        "", "amd64", "x86_64", "386", "i386", "arm", "armhf", "armel", "arm64", "AArch64", "riscv64", "unknown",
    ]);
    let variant = prop_oneof![
        Just(String::new()),
        "v[0-9]{1,2}",
        "[0-9]",
        "v[89]\\.[0-9]{1,2}",
        "[a-zA-Z0-9._]{1,6}",
        Just("v18446744073709551615".to_owned()),
    ];
    let version = prop_oneof![
        Just(String::new()),
        "10\\.0\\.(17763|20348|26100|[0-9]{1,6})(\\.[0-9]{1,3})?",
        "[0-9a-z.+%/()]{0,9}"
    ];
    let features = vec(one_of(vec!["win32k", "a", "b", "c+d", "%", ""]), 0..4);
    (os, architecture, variant, version, features).prop_map(|(os, architecture, variant, os_version, features)| {
        Platform {
            os: os.into(),
            architecture: architecture.into(),
            variant,
            os_version,
            os_features: features.into_iter().map(str::to_owned).collect(),
        }
    })
}

fn machine() -> impl Strategy<Value = Platform> {
    one_of(vec!["linux/amd64", "linux/arm/v6", "windows/amd64", "darwin/arm64"])
        .prop_map(|text| Platform::parse(text, &Platform::default()).unwrap())
}

fn mode() -> impl Strategy<Value = Mode> {
    one_of(Mode::ALL.to_vec())
}

/// An entry of an index.json or of an index.
fn entry() -> impl Strategy<Value = Descriptor> {
    let media_type =
        one_of(vec![OCI_MANIFEST, OCI_MANIFEST, DOCKER_MANIFEST, OCI_INDEX, DOCKER_LIST, OCI_CONFIG, "a/b"]);
    let names = one_of(vec![
        "1",
        "2",
        "latest",
        "alpine",
        "alpine:1",
        "acme/app:1",
        "docker.io/acme/app:1",
        "docker.io/acme/app",
        "ghcr.io/acme/app:2",
        "not a name",
        "",
        "exa_mple.com/a:1",
        attestation::ATTESTATION_MANIFEST,
    ]);
    let keys = one_of(vec![
        IMAGE_NAME,
        REF_NAME,
        REF_NAME,
        SUBJECT,
        attestation::REFERENCE_TYPE,
        attestation::REFERENCE_DIGEST,
    ]);
    let artifact_type =
        proptest::option::weighted(0.2, one_of(vec![OCI_CONFIG, "a/b", attestation::ARTIFACT_TYPE, ""]));
    let annotations = btree_map(keys.prop_map(str::to_owned), names.prop_map(str::to_owned), 0..4);
    (media_type, 0u8..4, annotations, proptest::option::weighted(0.7, platform()), artifact_type).prop_map(
        |(media_type, content, annotations, platform, artifact_type)| Descriptor {
            annotations,
            platform,
            artifact_type: artifact_type.map(str::to_owned),
            ..Descriptor::of(media_type, &[content])
        },
    )
}

fn index_of(manifests: &[Descriptor]) -> Index {
    Index::parse(serde_json::json!({ "manifests": manifests }).to_string().as_bytes()).unwrap()
}

fn wanted_name() -> impl Strategy<Value = &'static str> {
    one_of(vec![
        "",
        ":1",
        ":2",
        ":latest",
        "/alpine",
        "/alpine:1",
        "/acme/app",
        "/acme/app:1",
        "/docker.io/acme/app:1",
        "/ghcr.io/acme/app:2",
        "/not a name",
        ":",
        "/",
        "x",
    ])
}

/// JSON that is nearly a document: our keys and others in odd places.
fn document() -> impl Strategy<Value = String> {
    let keys = one_of(vec![
        "schemaVersion",
        "mediaType",
        "manifests",
        "config",
        "layers",
        "fsLayers",
        "subject",
        "annotations",
        "digest",
        "size",
        "platform",
        "os",
        "architecture",
        "os.features",
        "rootfs",
        "diff_ids",
        "history",
        "artifactType",
        "data",
        "Manifests",
        "layerſ",
        "x",
    ]);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just(format!("\"{OCI_INDEX}\"")),
        Just(format!("\"{OCI_MANIFEST}\"")),
        Just(format!(r#"{{"mediaType":"{OCI_MANIFEST}","digest":"a:b","size":1}}"#)),
        one_of(vec!["1", "2", "-0", "1e400", "\"x\"", "\"\\ud800\"", "true"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|list| format!("[{}]", list.join(","))),
            vec((keys.clone(), inner), 0..6).prop_map(|members| {
                let members: Vec<String> = members.iter().map(|(key, value)| format!("{key:?}:{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

// ---- what is written reads back

proptest! {
    #[test]
    fn references_read_back(text in reference()) {
        let reference = Reference::parse(&text).unwrap();
        prop_assert_eq!(&Reference::parse(&reference.canonical()).unwrap(), &reference);
        prop_assert_eq!(&Reference::parse(&reference.to_string()).unwrap(), &reference);
        prop_assert!(Reference::parse(&reference.resolved()).unwrap().means_same(&reference));
        prop_assert_eq!(Reference::parse(&reference.resolved()).unwrap().resolved(), reference.resolved());
        prop_assert_eq!(Reference::parse(&reference.repository()).unwrap().repository(), reference.repository());
        // The familiar form loses what Docker's loses: that `docker.io` stood before what looks like a domain.
        let familiar = Reference::parse(&reference.familiar());
        let looks_like_domain = reference.path.split_once('/').is_some_and(|(first, _)| first.contains('.') || first == "localhost");
        prop_assert!(familiar.as_ref() == Ok(&reference) || looks_like_domain, "{} became {familiar:?}", reference.familiar());
    }

    #[test]
    fn any_text_that_is_taken_reads_back(text in text(), machine in machine()) {
        if let Ok(reference) = Reference::parse(&text) {
            prop_assert_eq!(Reference::parse(&reference.canonical()), Ok(reference));
        }
        if let Ok(location) = Location::parse(&text) {
            prop_assert_eq!(Location::parse(&location.to_string()), Ok(location.clone()));
            prop_assert!(location.to_string().starts_with(&location.repository()));
            let _ = location.shown();
        }
        for digest in [Digest::parse(&text), Digest::parse_any(&text)].into_iter().flatten() {
            prop_assert_eq!(digest.as_str(), &text);
            prop_assert_eq!(format!("{}:{}", digest.algorithm_name(), digest.hex()), text.clone());
        }
        if let Ok(platform) = Platform::parse(&text, &machine) {
            let again = Platform::parse(&platform.long(), &machine).unwrap();
            prop_assert_eq!(again.normalized(&machine), platform.normalized(&machine));
            prop_assert_eq!(again.long(), platform.long());
        }
        if let Ok(mode) = text.parse::<Mode>() {
            prop_assert_eq!(mode.as_str(), &text);
        }
        let _ = (media_type::valid(&text), media_type::essence(&text), media_type::kind(&text));
    }

    #[test]
    fn digests_read_back(digest in digest()) {
        prop_assert_eq!(&Digest::parse(digest.as_str()).unwrap(), &digest);
        prop_assert_eq!(&serde_json::from_str::<Digest>(&serde_json::to_string(&digest).unwrap()).unwrap(), &digest);
        prop_assert_eq!(digest.hex().len(), digest.algorithm().unwrap().hex_len());
    }

    #[test]
    fn stores_read_back(typed in any::<String>(), rest in "(|:[a-z0-9.]{1,9}|/[a-z/:.]{1,20})", digest in proptest::option::of(digest())) {
        let name = encode_store(&typed);
        prop_assert!(!name.contains(['/', ':', '@']) && name.is_ascii());
        prop_assert_eq!(decode_store(&name), typed.clone());
        let digest = digest.map_or(String::new(), |digest| format!("@{digest}"));
        let text = format!("oci-layout://{name}{rest}{digest}");
        match Location::parse(&text) {
            Ok(location) => {
                prop_assert_eq!(location.to_string(), text);
                prop_assert_eq!(location.shown(), format!("oci-layout://{typed}{rest}{digest}"));
            }
            Err(_) => prop_assert!(name.is_empty() || rest == "/" || rest == ":"),
        }
    }

    #[test]
    fn descriptors_read_back(entry in entry()) {
        let text = serde_json::to_string(&entry).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Descriptor>(&text).unwrap(), &entry);
        let index = format!(r#"{{"manifests":[{text}]}}"#);
        prop_assert!(check(OCI_INDEX, index.as_bytes(), 1).is_ok());
    }

    #[test]
    fn normalising_twice_is_normalising_once(platform in platform(), machine in machine()) {
        let once = platform.normalized(&machine);
        prop_assert_eq!(once.normalized(&machine), once.clone());
        prop_assert_eq!(platform.clone().normalized(&machine).long(), once.long());
    }
}

// ---- matching and choosing

/// Architectures of which no two are of one rank to anybody.
const RANKED: [&str; 20] = [
    "amd64",
    "amd64/v2",
    "amd64/v3",
    "386",
    "arm/v5",
    "arm/v6",
    "arm/v7",
    "arm/v8",
    "arm64",
    "arm64/v8.1",
    "arm64/v8.5",
    "arm64/v8.9",
    "arm64/v9",
    "arm64/v9.2",
    "arm64/v9.7",
    "riscv64",
    "s390x",
    "ppc64le",
    "wasm",
    "unknown",
];

proptest! {
    #[test]
    fn a_match_is_reflexive(platform in platform(), machine in machine()) {
        let normal = platform.normalized(&machine);
        // An arm64 that nobody knows is not even itself.
        let known = normal.architecture != "arm64" || !Matcher::new(&normal, &machine, false).accepts(1).is_empty();
        for exact in [false, true] {
            let matcher = Matcher::new(&platform, &machine, exact);
            prop_assert_eq!(matcher.rank(&platform).is_some(), known || exact, "{}", platform.long());
            prop_assert_eq!(matcher.rank(&normal), matcher.rank(&normal.normalized(&machine)));
        }
    }

    #[test]
    fn what_is_listed_is_accepted_in_that_order(platform in platform(), machine in machine(), most in 0usize..40) {
        for exact in [false, true] {
            let matcher = Matcher::new(&platform, &machine, exact);
            let listed = matcher.accepts(most);
            prop_assert!(listed.len() <= most);
            let ranks: Vec<_> = listed.iter().map(|listed| matcher.rank(listed).unwrap()).collect();
            prop_assert!(ranks.is_sorted_by(|left, right| left < right), "{:?}", listed);
        }
    }

    #[test]
    fn an_exact_match_is_a_match(wanted in platform(), candidate in platform(), machine in machine()) {
        let exact = Matcher::new(&wanted, &machine, true).rank(&candidate);
        let lax = Matcher::new(&wanted, &machine, false);
        if exact.is_some() && !lax.accepts(1).is_empty() {
            prop_assert_eq!(lax.rank(&candidate), exact);
        }
    }

    #[test]
    fn strict_does_not_ask_for_the_order_of_entries_of_different_rank(
        chosen in subsequence(RANKED.to_vec(), 0..=RANKED.len()).prop_shuffle(),
        builds in subsequence((20300..20400).collect::<Vec<u32>>(), 0..5).prop_shuffle(),
        wanted in one_of(RANKED.to_vec()),
        exact in any::<bool>(),
    ) {
        let machine = Platform::parse("linux/amd64", &Platform::default()).unwrap();
        let mode = if exact { Mode::Exact } else { Mode::Strict };
        let parse = |text: String| Platform::parse(&text, &machine).unwrap();
        let entry = |platform: Platform| Descriptor {
            platform: Some(platform.clone()),
            ..Descriptor::of(OCI_MANIFEST, platform.long().as_bytes())
        };
        let linux = chosen.iter().map(|text| format!("linux/{text}"));
        let windows = builds.iter().map(|build| format!("windows(10.0.{build})/amd64"));
        let entries: Vec<Descriptor> = linux.chain(windows).map(parse).map(entry).collect();
        let mut sorted = entries.clone();
        sorted.sort_by(|left, right| left.digest.cmp(&right.digest));
        for wanted in [format!("linux/{wanted}"), "windows/amd64".to_owned(), "windows(10.0.20350)/amd64".to_owned()] {
            let answer = |entries: &[Descriptor]| -> Vec<Digest> {
                let positions = select(&index_of(entries), &parse(wanted.clone()), &machine, mode);
                positions.into_iter().map(|position| entries[position].digest.clone()).collect()
            };
            prop_assert_eq!(answer(&entries), answer(&sorted), "{}", wanted);
        }
    }

    #[test]
    fn choosing_names_each_entry_once_and_the_best_first(
        entries in vec(entry(), 0..12), wanted in platform(), machine in machine(), mode in mode(),
    ) {
        let index = index_of(&entries);
        let positions = select(&index, &wanted, &machine, mode);
        let mut once = positions.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), positions.len());
        prop_assert!(positions.iter().all(|&position| position < entries.len()));
        let matcher = Matcher::new(&wanted, &machine, mode == Mode::Exact);
        let ranks: Vec<_> = positions.iter().map(|&position| entries[position].platform.as_ref().map(|platform| matcher.rank(platform).unwrap())).collect();
        // Without a platform there is no rank, and it comes last.
        prop_assert!(ranks.is_sorted_by_key(|rank| (rank.is_none(), *rank)));
        if !mode.is_compat() {
            prop_assert!(positions.iter().all(|&position| !entries[position].is_attestation()));
        }
        // An outline leads to the same, and each entry reads alike alone.
        let text = serde_json::json!({ "manifests": entries }).to_string();
        let outline = Outline::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(&select_in(&outline, &wanted, &machine, mode), &positions);
        let each = Entries::parse(text.as_bytes()).unwrap();
        let each: Vec<Descriptor> = (0..each.len()).map(|position| each.get(position).unwrap().unwrap()).collect();
        prop_assert_eq!(&each, &entries);
        // Nothing that fits is missed.
        let fits = |entry: &&Descriptor| entry.platform.as_ref().is_none_or(|platform| matcher.rank(platform).is_some());
        if mode.is_compat() {
            prop_assert_eq!(entries.iter().filter(fits).count(), positions.len());
        }
    }

    #[test]
    fn order_names_every_platform_once(platforms in vec(platform(), 0..12), wanted in platform(), machine in machine(), mode in mode()) {
        let ordered = order(&platforms, &wanted, &machine, mode);
        let mut positions: Vec<usize> = ordered.iter().map(|(position, _)| *position).collect();
        positions.sort_unstable();
        prop_assert_eq!(positions, (0..platforms.len()).collect::<Vec<_>>());
        prop_assert!(ordered.is_sorted_by_key(|(_, matches)| !matches));
    }
}

// ---- names

proptest! {
    #[test]
    fn a_name_never_leads_out_of_the_layout(entries in vec(entry(), 0..8), name in wanted_name(), mode in mode()) {
        let index = index_of(&entries);
        let Ok(positions) = match_name(&index, name, mode) else {
            prop_assert!(!mode.is_compat());
            return Ok(());
        };
        prop_assert!(positions.is_sorted_by(|left, right| left < right));
        prop_assert!(positions.iter().all(|&position| position < entries.len()));
        if mode.is_compat() {
            prop_assert!(positions.len() <= 1);
        } else if !name.is_empty() {
            prop_assert!(positions.iter().all(|&position| entry_name(&entries[position]).is_some()));
        }
    }

    #[test]
    fn strict_takes_the_same_entries_in_any_order(entries in vec(entry(), 0..8), name in wanted_name()) {
        let digests = |entries: &[Descriptor]| {
            let positions = match_name(&index_of(entries), name, Mode::Strict).unwrap_or_default();
            let mut digests: Vec<Digest> = positions.into_iter().map(|position| entries[position].digest.clone()).collect();
            digests.sort();
            digests
        };
        let reversed: Vec<Descriptor> = entries.iter().rev().cloned().collect();
        prop_assert_eq!(digests(&entries), digests(&reversed));
    }

    #[test]
    fn every_name_that_is_listed_reaches_an_entry(entries in vec(entry(), 0..8), typed in text()) {
        let index = index_of(&entries);
        for name in names::all(&index) {
            let asked = if name.contains([':', '/']) { format!("/{name}") } else { format!(":{name}") };
            prop_assert!(!match_name(&index, &asked, Mode::Strict).unwrap().is_empty(), "{}", asked);
        }
        prop_assert!(names::nearest(&index, &typed, 3).len() <= 3);
        for mode in Mode::ALL {
            let _ = match_name(&index, &typed, mode);
        }
    }
}

// ---- documents

fn read_every_way(bytes: &[u8]) {
    let _ = (Outline::parse(bytes).is_ok(), Entries::parse(bytes).is_ok_and(|entries| entries.get(0).is_ok()));
    let _ = (Index::parse(bytes), Manifest::parse(bytes), Config::parse(bytes), check(OCI_CONFIG, bytes, 10));
    for compat in [false, true] {
        let _ = media_type_of(bytes, compat);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_document_is_one_thing_or_nothing(document in document()) {
        let bytes = document.as_bytes();
        read_every_way(bytes);
        let index = check(OCI_INDEX, bytes, usize::MAX).is_ok();
        let manifest = check(OCI_MANIFEST, bytes, usize::MAX).is_ok();
        prop_assert!(!(index && manifest));
        prop_assert_eq!(index, check(DOCKER_LIST, bytes, usize::MAX).is_ok());
        prop_assert_eq!(manifest, check(DOCKER_MANIFEST, bytes, usize::MAX).is_ok());
        // What has a type passes for it, and for no other.
        match media_type_of(bytes, false) {
            Ok(own) => prop_assert!(check(&own, bytes, usize::MAX).is_ok() && (index || manifest)),
            Err(_) => prop_assert!(!index && !manifest),
        }
        match Document::parse(bytes) {
            Ok(Document::Index(_)) => prop_assert!(index),
            Ok(Document::Manifest(_)) => prop_assert!(manifest),
            Err(_) => {}
        }
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200), document in document(), cut in any::<proptest::sample::Index>(), flip in any::<u8>()) {
        read_every_way(&bytes);
        // A document that is nearly right: cut off, and with one byte changed.
        let mut broken = document.into_bytes();
        let at = cut.index(broken.len());
        read_every_way(broken.get(..at).unwrap());
        broken[at] ^= flip;
        read_every_way(&broken);
    }

    #[test]
    fn a_chain_grows_from_below(diff_ids in vec(digest(), 0..12), cut in any::<proptest::sample::Index>()) {
        let chain = chain_ids(&diff_ids);
        prop_assert_eq!(chain.len(), diff_ids.len());
        prop_assert_eq!(chain.first(), diff_ids.first());
        let cut = cut.index(diff_ids.len() + 1);
        prop_assert_eq!(chain_ids(diff_ids.get(..cut).unwrap()), chain.get(..cut).unwrap());
    }
}

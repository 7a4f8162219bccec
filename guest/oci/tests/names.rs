//! Names in layouts: which entries of an index.json a name means, by our rules and by those of buildx and BuildKit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use portolan_oci::Mode::{CompatBuild, CompatImagetools, Exact, Strict};
use portolan_oci::media_type::OCI_MANIFEST;
use portolan_oci::names::{self, EntryName, IMAGE_NAME, REF_NAME, SUBJECT, entry_name, match_name};
use portolan_oci::{Descriptor, Digest, Index, attestation};

/// `io.containerd.image.name`, `org.opencontainers.image.ref.name` (`-` where there is none), and a content.
type Entry = (&'static str, &'static str, &'static str);
/// What is asked for, and the positions that are meant: strictly, as `imagetools` takes them, as a build takes them.
type Row<'a> = (&'a str, &'a [usize], &'a [usize], &'a [usize]);

fn entry((image_name, ref_name, content): Entry) -> Descriptor {
    let notes = [(IMAGE_NAME, image_name), (REF_NAME, ref_name)].into_iter().filter(|(_, value)| *value != "-");
    Descriptor {
        annotations: notes.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        ..Descriptor::of(OCI_MANIFEST, content.as_bytes())
    }
}

fn layout(entries: &[Entry]) -> Index {
    index(entries.iter().copied().map(entry).collect())
}

fn index(manifests: Vec<Descriptor>) -> Index {
    let text = serde_json::json!({ "schemaVersion": 2, "manifests": manifests }).to_string();
    Index::parse(text.as_bytes()).unwrap()
}

fn fixture(name: &str) -> Index {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/layouts").join(name);
    Index::parse(&std::fs::read(folder.join("index.json")).unwrap()).unwrap()
}

fn means(layout: &Index, what: &str, rows: &[Row<'_>]) {
    for (name, strict, imagetools, build) in rows {
        for (mode, expected) in
            [(Strict, strict), (Exact, strict), (CompatImagetools, imagetools), (CompatBuild, build)]
        {
            let positions = match_name(layout, name, mode).unwrap();
            assert_eq!(positions, **expected, "{name:?} in {what}, {mode}");
        }
    }
}

#[test]
fn the_fixtures_names_mean_what_their_writers_meant() {
    #[rustfmt::skip]
    let layouts: &[(&str, &[Row<'_>])] = &[
        // One index under two names, both annotations on each.
        ("buildkit-multi", &[
            // asked for                            strict      imagetools  build
            ("",                                    &[0, 1],    &[1],       &[1]),
            (":1.4",                                &[0],       &[0],       &[0]),
            (":latest",                             &[1],       &[1],       &[1]),
            (":1.5",                                &[],        &[],        &[]),
            ("/acme/app",                           &[1],       &[],        &[]),
            ("/acme/app:1.4",                       &[0],       &[],        &[]),
            ("/docker.io/acme/app:1.4",             &[0],       &[0],       &[0]),
            ("/index.docker.io/acme/app:1.4",       &[0],       &[],        &[]),
            ("/docker.io/acme/app",                 &[1],       &[],        &[]),
            ("/acme/other:1.4",                     &[],        &[],        &[]),
            ("/app:1.4",                            &[],        &[],        &[]),
            ("/ghcr.io/acme/app:1.4",               &[],        &[],        &[]),
        ]),
        // One entry.
        ("buildkit-single", &[
            ("",                                    &[0],       &[],        &[0]),
            (":2",                                  &[0],       &[0],       &[0]),
            (":latest",                             &[],        &[],        &[0]),
            (":nonsense",                           &[],        &[],        &[0]),
            ("/acme/single:2",                      &[0],       &[],        &[0]),
            ("/docker.io/acme/single:2",            &[0],       &[0],       &[0]),
            ("/acme/single",                        &[],        &[],        &[0]),
        ]),
        // A tag, a familiar and a full name on one manifest.
        ("skopeo-names", &[
            ("",                                    &[0, 1, 2], &[],        &[]),
            (":3.16",                               &[0, 1, 2], &[0],       &[0]),
            (":latest",                             &[],        &[],        &[]),
            ("/alpine:3.16",                        &[1, 2],    &[1],       &[1]),
            ("/library/alpine:3.16",                &[1, 2],    &[],        &[]),
            ("/docker.io/library/alpine:3.16",      &[1, 2],    &[2],       &[2]),
            ("/docker.io/alpine:3.16",              &[1, 2],    &[],        &[]),
            ("/alpine",                             &[],        &[],        &[]),
            ("/acme/alpine:3.16",                   &[],        &[],        &[]),
        ]),
        // Bare tags alone: the layout has no repository of its own, so any is right.
        ("umoci", &[
            ("",                                    &[0, 1],    &[1],       &[1]),
            (":latest",                             &[1],       &[1],       &[1]),
            (":x-123",                              &[0],       &[0],       &[0]),
            ("/anything",                           &[1],       &[],        &[]),
            ("/ghcr.io/any/thing:x-123",            &[0],       &[],        &[]),
            ("/anything:3",                         &[],        &[],        &[]),
        ]),
        // A full name in the image-spec's annotation, which crane writes.
        ("crane-docker-types", &[
            ("",                                    &[0],       &[],        &[0]),
            (":2",                                  &[0],       &[],        &[0]),
            ("/localhost:5000/s/app:2",             &[0],       &[0],       &[0]),
            ("/s/app:2",                            &[],        &[],        &[0]),
            ("/localhost:5000/s/app",               &[],        &[],        &[0]),
        ]),
        ("crane-windows", &[
            (":all",                                &[0],       &[],        &[0]),
            ("/localhost:5000/s/win:all",           &[0],       &[0],       &[0]),
        ]),
        ("crane-nested", &[
            ("",                                    &[0],       &[],        &[0]),
            ("/localhost:5000/s/nested:1",          &[0],       &[0],       &[0]),
        ]),
        ("buildkit-artifact", &[("/acme/artifact:1", &[0],      &[],        &[0])]),
        ("buildkit-classic",  &[(":1",               &[0],      &[0],       &[0])]),
        ("buildkit-sbom",     &[("",                 &[0],      &[],        &[0])]),
    ];
    for (name, rows) in layouts {
        means(&fixture(name), name, rows);
    }
}

/// Rule 1.
#[test]
fn a_wanted_name_is_normalised_and_a_wanted_tag_is_any_name_with_it() {
    let entries = [
        ("docker.io/library/alpine:3.16", "3.16", "a"),
        ("ghcr.io/acme/app:3.16", "3.16", "b"),
        ("docker.io/library/alpine:latest", "latest", "c"),
        ("-", "3.16", "d"),
    ];
    #[rustfmt::skip]
    let rows: &[Row<'_>] = &[
        ("/alpine",                         &[2],       &[],        &[]),
        ("/alpine:latest",                  &[2],       &[],        &[]),
        ("/docker.io/library/alpine",       &[2],       &[],        &[]),
        ("/library/alpine:3.16",            &[0],       &[],        &[]),
        ("/ghcr.io/acme/app:3.16",          &[1],       &[1],       &[1]),
        (":3.16",                           &[0, 1, 3], &[0],       &[0]),
        (":latest",                         &[2],       &[2],       &[2]),
        (":3",                              &[],        &[],        &[]),
        (":3.1",                            &[],        &[],        &[]),
        // Upper and lower case are two tags.
        (":LATEST",                         &[],        &[],        &[]),
    ];
    means(&layout(&entries), "many names", rows);
}

/// Rule 2.
#[test]
fn an_entry_has_one_name_or_none() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let with_digest = format!("docker.io/acme/app@{digest}");
    #[rustfmt::skip]
    let rows = [
        // io.containerd.image.name     ref.name                            is called
        ("docker.io/acme/app:1",        "1",                                "docker.io/acme/app:1"),
        ("docker.io/acme/app",          "1",                                "docker.io/acme/app:latest"),
        ("acme/app:1",                  "-",                                "docker.io/acme/app:1"),
        ("alpine",                      "-",                                "docker.io/library/alpine:latest"),
        // A bare word here is a repository, not a tag.
        ("3.16",                        "-",                                "docker.io/library/3.16:latest"),
        // What is no name leaves it to ref.name.
        ("Not a name",                  "1",                                "1"),
        ("",                            "1",                                "1"),
        ("https://acme.io/app:1",       "acme.io/app:1",                    "acme.io/app:1"),
        ("exa_mple.com/a:1",            "1",                                "1"),
        ("docker/Docker",               "docker/docker",                    "docker.io/docker/docker:latest"),
        ("Not a name",                  "nor this",                         "-"),
        // ref.name: a full reference, a tag, a familiar name.
        ("-",                           "docker.io/library/alpine:3.16",    "docker.io/library/alpine:3.16"),
        ("-",                           "localhost:5000/s/app:2",           "localhost:5000/s/app:2"),
        ("-",                           "ghcr.io/acme/app",                 "ghcr.io/acme/app:latest"),
        ("-",                           "Foo/bar",                          "Foo/bar:latest"),
        ("-",                           "3.16",                             "3.16"),
        ("-",                           "latest",                           "latest"),
        ("-",                           "alpine",                           "alpine"),
        ("-",                           "Alpine_3",                         "Alpine_3"),
        ("-",                           "foo.com",                          "foo.com"),
        ("-",                           "v1.2.3-rc.1",                      "v1.2.3-rc.1"),
        ("-",                           "alpine:3.16",                      "docker.io/library/alpine:3.16"),
        ("-",                           "acme/app",                         "docker.io/acme/app:latest"),
        ("-",                           "acme/app:1",                       "docker.io/acme/app:1"),
        ("-",                           "test.com:5000",                    "docker.io/library/test.com:5000"),
        // None of these.
        ("-",                           "",                                 "-"),
        ("-",                           "my image",                         "-"),
        ("-",                           "a+b",                              "-"),
        ("-",                           "-x",                               "-"),
        ("-",                           "/alpine",                          "-"),
        ("-",                           "acme/App",                         "-"),
        ("-",                           "exa_mple.com/a:1",                 "-"),
        ("-",                           "oci-layout://store:1",             "-"),
        ("-",                           "größe",                            "-"),
        ("-",                           "-",                                "-"),
    ];
    for (image_name, ref_name, called) in rows {
        let entry = entry((image_name, ref_name, "content"));
        let name = entry_name(&entry);
        let shown = name.as_ref().map_or("-".to_owned(), EntryName::to_string);
        assert_eq!(shown, called, "{image_name:?}, {ref_name:?}");
        assert_eq!(matches!(name, Some(EntryName::Tag(_))), called != "-" && !called.contains([':', '/']), "{called}");
    }
    // A legal tag can have 128 characters and no more; a name can be longer.
    let long = |length: usize| Descriptor {
        annotations: [(REF_NAME.to_owned(), "a".repeat(length))].into(),
        ..entry(("-", "-", "content"))
    };
    assert!(matches!(entry_name(&long(128)), Some(EntryName::Tag(_))));
    assert!(matches!(entry_name(&long(129)), Some(EntryName::Full(_))));
    assert_eq!(entry_name(&long(300)), None);
    // A name by digest has no tag, not even `latest`.
    let named = Descriptor {
        annotations: [(IMAGE_NAME.to_owned(), with_digest.clone())].into(),
        ..entry(("-", "-", "content"))
    };
    assert_eq!(entry_name(&named).unwrap().to_string(), with_digest);
    let layout = index(vec![named, entry(("-", "other", "other"))]);
    assert!(match_name(&layout, "", Strict).unwrap().is_empty());
    assert!(match_name(&layout, ":latest", Strict).unwrap().is_empty());
    assert!(match_name(&layout, "/acme/app", Strict).unwrap().is_empty());
}

/// Rule 3.
#[test]
fn a_bare_tag_means_the_wanted_name_only_where_nothing_speaks_against_it() {
    #[rustfmt::skip]
    let layouts: &[(&str, &[Entry], &[Row<'_>])] = &[
        ("the named entries share the wanted repository", &[
            ("docker.io/acme/app:1", "1", "a"), ("-", "2", "b"), ("-", "acme/app:3", "c"),
        ], &[
            ("/acme/app:1",         &[0],   &[],    &[]),
            ("/acme/app:2",         &[1],   &[],    &[]),
            ("/acme/app:3",         &[2],   &[2],   &[2]),
            ("/acme/app:4",         &[],    &[],    &[]),
            ("/acme/other:2",       &[],    &[],    &[]),
            ("/ghcr.io/acme/app:2", &[],    &[],    &[]),
            (":2",                  &[1],   &[1],   &[1]),
        ]),
        ("an equal name is better than a bare tag", &[
            ("-", "1", "a"), ("docker.io/acme/app:1", "1", "b"),
        ], &[
            ("/acme/app:1",         &[1],   &[],    &[]),
            (":1",                  &[0, 1], &[0],  &[0]),
        ]),
        ("the named entries are of two repositories", &[
            ("docker.io/acme/app:1", "1", "a"), ("docker.io/acme/other:1", "1", "b"), ("-", "2", "c"),
        ], &[
            ("/acme/app:2",         &[],    &[],    &[]),
            ("/acme/other:2",       &[],    &[],    &[]),
            (":2",                  &[2],   &[2],   &[2]),
        ]),
        ("there are no named entries", &[
            ("-", "1", "a"), ("-", "2", "b"), ("-", "-", "c"), ("-", "not a name", "d"),
        ], &[
            ("/acme/app:2",         &[1],   &[],    &[]),
            ("/ghcr.io/any:1",      &[0],   &[],    &[]),
            ("/acme/app:3",         &[],    &[],    &[]),
            ("/acme/app",           &[],    &[],    &[]),
        ]),
        ("two bare tags are alike", &[
            ("-", "1", "a"), ("-", "1", "b"),
        ], &[
            ("/acme/app:1",         &[0, 1], &[],   &[]),
            (":1",                  &[0, 1], &[0],  &[0]),
        ]),
    ];
    for (what, entries, rows) in layouts {
        means(&layout(entries), what, rows);
    }
}

/// Rules 4 and 5. How many digests there are among the positions is the caller's question.
#[test]
fn nothing_asked_for_is_the_only_root_or_latest() {
    #[rustfmt::skip]
    let layouts: &[(&str, &[Entry], &[Row<'_>])] = &[
        ("an empty layout", &[], &[
            ("",        &[],        &[],    &[]),
            (":1",      &[],        &[],    &[]),
            ("/alpine", &[],        &[],    &[]),
        ]),
        ("one entry without a name", &[("-", "-", "a")], &[
            ("",        &[0],       &[],    &[0]),
            (":latest", &[],        &[],    &[0]),
            ("/alpine", &[],        &[],    &[0]),
        ]),
        ("one digest, two names and none", &[("-", "1", "a"), ("-", "2", "a"), ("-", "-", "a")], &[
            ("",        &[0, 1, 2], &[],    &[]),
        ]),
        ("two digests, one latest", &[("-", "1", "a"), ("-", "latest", "b")], &[
            ("",        &[1],       &[1],   &[1]),
        ]),
        ("two digests, a full name without a tag", &[("-", "1", "a"), ("docker.io/acme/app", "x", "b")], &[
            ("",        &[1],       &[],    &[]),
        ]),
        ("two digests, none latest", &[("-", "1", "a"), ("-", "2", "b")], &[
            ("",        &[],        &[],    &[]),
        ]),
        ("two digests, both latest", &[("-", "latest", "a"), ("ghcr.io/acme/app:latest", "latest", "b")], &[
            ("",        &[0, 1],    &[0],   &[0]),
        ]),
    ];
    for (what, entries, rows) in layouts {
        means(&layout(entries), what, rows);
    }
}

#[test]
fn referrers_and_attestations_are_no_roots() {
    let noted = |key: &str, value: &str, content: &'static str| Descriptor {
        annotations: [(key.to_owned(), value.to_owned())].into(),
        ..entry(("-", "-", content))
    };
    let referrer = noted(SUBJECT, "sha256:whatever", "referrer");
    let attestation = noted(attestation::REFERENCE_TYPE, attestation::ATTESTATION_MANIFEST, "attestation");
    let artifact =
        Descriptor { artifact_type: Some(attestation::ARTIFACT_TYPE.into()), ..entry(("-", "-", "artifact")) };
    let layout = index(vec![referrer.clone(), attestation, entry(("-", "1", "image")), artifact]);
    assert_eq!(names::roots(&layout), [2]);
    means(&layout, "an image and what is said of it", &[("", &[2], &[], &[])]);
    let layout = index(vec![referrer]);
    assert!(names::roots(&layout).is_empty());
    means(&layout, "a referrer alone", &[("", &[], &[], &[0])]);
}

/// buildx and BuildKit compare texts: the containerd annotation of all entries first, then the other, in the file's order.
#[test]
fn compat_compares_texts() {
    let entries = [
        ("-", "docker.io/acme/app:1", "a"),
        ("docker.io/acme/app:1", "other", "b"),
        ("docker.io/acme/app:1", "1", "c"),
        ("1", "x", "d"),
        ("-", "my image", "e"),
        ("-", "x", "f"),
        ("-", "latest", "g"),
        ("-", ":odd", "h"),
    ];
    let layout = layout(&entries);
    #[rustfmt::skip]
    let rows: &[(&str, &[usize])] = &[
        ("/docker.io/acme/app:1",   &[1]),  // the first by the containerd annotation, though an earlier ref.name is equal
        (":1",                      &[3]),  // a later containerd annotation before an earlier ref.name
        (":other",                  &[1]),
        (":x",                      &[3]),
        ("",                        &[6]),
        (":latest",                 &[6]),
        ("/my image",               &[4]),
        ("::odd",                   &[7]),
        ("/acme/app:1",             &[]),
        ("/docker.io/acme/app",     &[]),
        (":MY IMAGE",               &[]),
        ("/",                       &[6]),
    ];
    for (name, expected) in rows {
        assert_eq!(match_name(&layout, name, CompatImagetools).unwrap(), *expected, "{name}");
        assert_eq!(match_name(&layout, name, CompatBuild).unwrap(), *expected, "{name}");
    }
}

#[test]
fn what_cannot_be_asked_for_says_why() {
    let layout = fixture("skopeo-names");
    #[rustfmt::skip]
    let rows = [
        // asked for                reason
        (":",                       "a tag is"),
        (":a b",                    "a tag is"),
        (":-x",                     "a tag is"),
        ("::x",                     "a tag is"),
        (":a/b",                    "a tag is"),
        ("/",                       "empty"),
        ("//alpine",                "each part of the name"),
        ("/Alpine",                 "lower-case"),
        ("/alpine:",                "the tag"),
        ("/https://acme.io/app",    "scheme"),
        ("alpine",                  "neither `:TAG` nor `/NAME[:TAG]`"),
        ("@x",                      "neither `:TAG` nor `/NAME[:TAG]`"),
        (" ",                       "neither `:TAG` nor `/NAME[:TAG]`"),
    ];
    for (name, reason) in rows {
        for mode in [Strict, Exact] {
            let message = match_name(&layout, name, mode).unwrap_err().to_string();
            assert!(message.contains(reason), "{name:?}: {message}");
        }
        assert!(match_name(&layout, name, CompatImagetools).is_ok(), "{name:?}");
    }
    assert!(match_name(&layout, &format!(":{}", "x ".repeat(1 << 20)), Strict).unwrap_err().to_string().len() < 1000);
}

/// Rule 6, and what the errors of rules 4 and 5 list.
#[test]
fn the_nearest_names_are_offered() {
    let layout = layout(&[
        ("docker.io/acme/app:1.4", "1.4", "a"),
        ("docker.io/acme/app:1.5", "1.5", "b"),
        ("docker.io/acme/application:2", "2", "c"),
        ("-", "latest", "d"),
        ("-", "not a name", "e"),
        ("docker.io/acme/app:1.4", "1.4", "f"),
    ]);
    assert_eq!(
        names::all(&layout),
        ["docker.io/acme/app:1.4", "docker.io/acme/app:1.5", "docker.io/acme/application:2", "latest"]
    );
    #[rustfmt::skip]
    let rows: &[(&str, &[&str])] = &[
        // asked for            nearest three
        ("/acme/app:1.6",       &["docker.io/acme/app:1.4", "docker.io/acme/app:1.5", "docker.io/acme/application:2"]),
        ("/acme/aplication:2",  &["docker.io/acme/application:2", "docker.io/acme/app:1.4", "docker.io/acme/app:1.5"]),
        (":1.55",               &["docker.io/acme/app:1.5", "docker.io/acme/app:1.4", "docker.io/acme/application:2"]),
        (":latst",              &["latest", "docker.io/acme/app:1.4", "docker.io/acme/app:1.5"]),
        (":3",                  &["docker.io/acme/application:2", "docker.io/acme/app:1.4", "docker.io/acme/app:1.5"]),
    ];
    for (asked, nearest) in rows {
        assert_eq!(names::nearest(&layout, asked, 3), *nearest, "{asked}");
        assert_eq!(names::nearest(&layout, asked, 1), [nearest[0]], "{asked}");
    }
    assert!(names::nearest(&index(vec![]), ":1", 3).is_empty());
    // However long a text is, comparing it stays cheap.
    assert_eq!(names::nearest(&layout, &format!(":{}", "x".repeat(1 << 20)), 9).len(), 4);
}

/// Nothing but the digest reaches an entry without a name, and the same digest twice is one match.
#[test]
fn digests_tell_matches_apart() {
    let layout = layout(&[("-", "1", "a"), ("docker.io/acme/app:1", "-", "a"), ("-", "not a name", "b")]);
    let digests = |name: &str| -> std::collections::BTreeSet<Digest> {
        match_name(&layout, name, Strict).unwrap().into_iter().map(|at| layout.manifests[at].digest.clone()).collect()
    };
    assert_eq!(digests(":1"), [Digest::sha256(b"a")].into());
    assert!(digests("").is_empty());
}

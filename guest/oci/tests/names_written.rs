//! Names that are written: what they take from the entries that are there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan_oci::media_type::OCI_MANIFEST;
use portolan_oci::names::written::{NewName, meant};
use portolan_oci::names::{EntryName, IMAGE_NAME, REF_NAME, entry_name};
use portolan_oci::{Descriptor, Digest};
use proptest::prelude::*;

/// `io.containerd.image.name` and `org.opencontainers.image.ref.name`; `-` where there is none.
type Entry<'a> = (&'a str, &'a str);

fn digest() -> Digest {
    Digest::sha256(b"written")
}

fn entry((image_name, ref_name): Entry<'_>) -> Descriptor {
    let notes = [(IMAGE_NAME, image_name), (REF_NAME, ref_name)].into_iter().filter(|(_, value)| *value != "-");
    Descriptor {
        annotations: notes.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        ..Descriptor::of(OCI_MANIFEST, b"there")
    }
}

/// The entries that are left with what they are called, then the new one.
fn after(name: &str, entries: &[Entry<'_>]) -> Result<Vec<(String, String)>, String> {
    let entries: Vec<Descriptor> = entries.iter().copied().map(entry).collect();
    let names: Vec<Option<EntryName>> = entries.iter().map(entry_name).collect();
    let name = NewName::parse(name, &digest()).map_err(|error| error.to_string())?;
    let meant = meant(&name, names.iter().flatten()).map_err(|error| error.to_string())?;
    let mut left = Vec::new();
    for (mut entry, name) in entries.into_iter().zip(names) {
        if let (Some(meant), Some(name)) = (&meant, name)
            && meant.equals(&name)
        {
            let taken = meant.taken(&entry);
            if taken.nameless {
                continue;
            }
            entry.annotations.retain(|key, _| !taken.annotations.contains(&key.as_str()));
        }
        left.push(entry.annotations);
    }
    left.push(meant.map(|meant| meant.annotations()).unwrap_or_default());
    let text = |key: &str, annotations: &portolan_oci::Annotations| {
        annotations.get(key).cloned().unwrap_or_else(|| "-".to_owned())
    };
    Ok(left.iter().map(|annotations| (text(IMAGE_NAME, annotations), text(REF_NAME, annotations))).collect())
}

#[test]
fn a_name_moves_from_every_entry_that_equals_it() {
    const APP_1: Entry<'_> = ("docker.io/acme/app:1", "1");
    const APP_2: Entry<'_> = ("docker.io/acme/app:2", "2");
    const ALPINE: Entry<'_> = ("docker.io/library/alpine:latest", "latest");
    #[rustfmt::skip]
    let rows: &[(&str, &str, &[Entry<'_>], &[Entry<'_>])] = &[
        ("into a store in which nothing is",
            "acme/app:1", &[], &[APP_1]),
        ("a tag alone, where no full name has it",
            "1", &[APP_2, ("-", "2")], &[APP_2, ("-", "2"), ("-", "1")]),
        ("from BuildKit's entry",
            "docker.io/acme/app:1", &[APP_1, APP_2], &[APP_2, APP_1]),
        ("from crane's entry, which has the full name as ref.name",
            "acme/app:1", &[("-", "docker.io/acme/app:1"), APP_2], &[APP_2, APP_1]),
        ("from a familiar name",
            "docker.io/library/alpine:3", &[("-", "alpine:3")], &[("docker.io/library/alpine:3", "3")]),
        ("from all that equal it",
            "alpine:latest",
            &[ALPINE, ("-", "docker.io/library/alpine"), ("-", "library/alpine:latest"), ("alpine", "-"), APP_1],
            &[APP_1, ALPINE]),
        ("not from a bare tag: that may be anybody's",
            "acme/app:1", &[("-", "1")], &[("-", "1"), APP_1]),
        ("not from the same tag of another repository",
            "acme/app:1", &[("ghcr.io/acme/app:1", "1")], &[("ghcr.io/acme/app:1", "1"), APP_1]),
        ("not from a name by digest",
            "acme/app:latest",
            &[("docker.io/acme/app@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "-")],
            &[("docker.io/acme/app@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "-"),
              ("docker.io/acme/app:latest", "latest")]),
        ("an entry that has another name, too, keeps it",
            "acme/app:1", &[("docker.io/acme/app:1", "ghcr.io/acme/app:1")], &[("-", "ghcr.io/acme/app:1"), APP_1]),
        ("and one that has another tag",
            "acme/app:1", &[("docker.io/acme/app:1", "stable")], &[("-", "stable"), APP_1]),
        ("and one with a text that only some program understands",
            "acme/app:1", &[("docker.io/acme/app:1", "my image")], &[("-", "my image"), APP_1]),
        ("what an entry is not called does not count",
            "acme/app:1", &[("docker.io/acme/other:1", "acme/app:1")], &[("docker.io/acme/other:1", "acme/app:1"), APP_1]),
        ("a bare tag that one full name has is that name",
            "1", &[APP_1, APP_2], &[APP_2, APP_1]),
        ("and takes the bare tag, too",
            "1", &[("-", "1"), APP_1], &[APP_1]),
        ("a bare tag moves from the same bare tag",
            "1", &[("-", "1"), ("-", "2")], &[("-", "2"), ("-", "1")]),
        ("one full name on several entries is one name",
            "1", &[APP_1, ("-", "acme/app:1")], &[APP_1]),
        ("latest is the tag of a name that has none",
            "latest", &[("-", "ghcr.io/acme/app")], &[("ghcr.io/acme/app:latest", "latest")]),
        ("a bare word is a tag",
            "alpine", &[ALPINE], &[ALPINE, ("-", "alpine")]),
        ("a root without a name takes nothing",
            "@", &[APP_1, ("-", "-")], &[APP_1, ("-", "-"), ("-", "-")]),
        ("entries without a name stay",
            "1", &[("-", "-"), ("-", "my image"), ("Not A Name", "-")],
            &[("-", "-"), ("-", "my image"), ("Not A Name", "-"), ("-", "1")]),
    ];
    for (what, name, entries, expected) in rows {
        let name = if *name == "@" { format!("@{}", digest()) } else { (*name).to_owned() };
        let expected: Vec<(String, String)> =
            expected.iter().map(|(image, tag)| ((*image).to_owned(), (*tag).to_owned())).collect();
        assert_eq!(after(&name, entries).unwrap(), expected, "{what}");
        // With the digest of what is written it is the same name.
        if !name.starts_with('@') {
            assert_eq!(after(&format!("{name}@{}", digest()), entries).unwrap(), expected, "{what}");
        }
    }
}

#[test]
fn a_tag_of_several_names_is_a_question() {
    let entries = [("docker.io/acme/b:1", "1"), ("-", "acme/a:1"), ("docker.io/acme/b:1", "1"), ("-", "1")];
    let error = after("1", &entries).unwrap_err();
    assert_eq!(error, r#"the tag "1" could mean docker.io/acme/a:1, docker.io/acme/b:1"#);
    after("acme/a:1", &entries).unwrap();
    let names: Vec<String> = (0..9).map(|number| format!("acme/{number}:1")).collect();
    let many: Vec<Entry<'_>> = names.iter().map(|name| (name.as_str(), "-")).collect();
    assert!(after("1", &many).unwrap_err().ends_with("docker.io/acme/4:1 and 4 more"));
}

#[test]
fn what_is_no_name() {
    let other = Digest::sha256(b"other");
    for (name, why) in [
        (String::new(), "it is neither a tag nor a name with its tag"),
        ("-x".into(), "it is neither a tag nor a name with its tag"),
        ("my image".into(), "it is neither a tag nor a name with its tag"),
        ("exa_mple.com/a:1".into(), "it has no registry"),
        ("acme/App:1".into(), "the name must be lower-case"),
        ("oci-layout://out:1".into(), "it has a scheme where a name is meant"),
        (format!("@{other}"), "what is written has the digest sha256:"),
        (format!("1@{other}"), "what is written has the digest sha256:"),
        ("@".into(), "what is written has the digest sha256:"),
        ("a@b@c".into(), "what is written has the digest sha256:"),
    ] {
        let error = NewName::parse(&name, &digest()).unwrap_err().to_string();
        assert!(error.contains(why), "{name:?}: {error}");
    }
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab12]{1,2}",
        "(docker.io/|ghcr.io/|)(acme/|)[ab](:[12])?",
        Just("-".to_owned()),
        Just("my image".to_owned()),
        Just("A/b/C".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is written over whatever is there, no entry is lost or called anything else that was not called this.
    #[test]
    fn nothing_is_lost_that_is_not_equal(
        written in "([12]|(ghcr.io/|)(acme/|)[ab]:[12])",
        entries in prop::collection::vec((any_name(), any_name()), 0..8),
    ) {
        let entries: Vec<Entry<'_>> = entries.iter().map(|(image, tag)| (image.as_str(), tag.as_str())).collect();
        let Ok(left) = after(&written, &entries) else { return Ok(()) };
        let (new, left) = left.split_last().unwrap();
        let called = |(image, tag): &(String, String)| entry_name(&entry((image, tag)));
        let new = called(new).unwrap();
        let is_equal = |before: &Entry<'_>| {
            entry_name(&entry(*before)).is_some_and(|name| match (&name, &new) {
                (EntryName::Full(name), EntryName::Full(new)) => name.means_same(new),
                (EntryName::Tag(tag), EntryName::Tag(new)) => tag == new,
                // What was typed is a bare tag, and stands for a full name here.
                (EntryName::Tag(tag), EntryName::Full(new)) => !written.contains(':') && tag == new.tag_or_latest(),
                (EntryName::Full(_), EntryName::Tag(_)) => false,
            })
        };
        // In their order; between them may be entries that were equal and have another name left.
        let mut left_over = left.iter();
        for (image, tag) in entries.iter().filter(|before| !is_equal(before)) {
            prop_assert!(left_over.any(|after| (image, tag) == (&after.0.as_str(), &after.1.as_str())));
        }
        // And whoever asks for the name that was written finds the new entry and no other.
        prop_assert!(left.iter().all(|entry| called(entry).as_ref() != Some(&new)));
    }
}

//! Locations: references with a scheme, stores and the names they are bound under.
//!
//! In the tables `DIGEST` stands for a SHA-256 digest.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan_oci::location::{decode_store, encode_store};
use portolan_oci::{Digest, Location, Scheme, Store};

fn digest() -> String {
    format!("sha256:{}", "a".repeat(64))
}

fn expand(row: &str) -> String {
    row.replace("DIGEST", &digest())
}

fn store(text: &str) -> Store {
    match Location::parse(&expand(text)) {
        Ok(Location::Store(store)) => store,
        other => panic!("{text} is {other:?}"),
    }
}

#[test]
fn a_store_has_a_name_a_rest_and_a_digest() {
    #[rustfmt::skip]
    let rows = [
        // typed                                           scheme             name     rest                              digest
        ("oci-layout://store",                             Scheme::OciLayout, "store", "",                               false),
        ("oci-layout://store:1.3",                         Scheme::OciLayout, "store", ":1.3",                           false),
        ("oci-layout://store@DIGEST",                      Scheme::OciLayout, "store", "",                               true),
        ("oci-layout://store:1.3@DIGEST",                  Scheme::OciLayout, "store", ":1.3",                           true),
        ("oci-layout://store/alpine",                      Scheme::OciLayout, "store", "/alpine",                        false),
        ("oci-layout://store/alpine:3.16",                 Scheme::OciLayout, "store", "/alpine:3.16",                   false),
        ("oci-layout://store/docker.io/library/alpine:3",  Scheme::OciLayout, "store", "/docker.io/library/alpine:3",    false),
        ("oci-layout://store/localhost:5000/s/app:2@DIGEST", Scheme::OciLayout, "store", "/localhost:5000/s/app:2",      true),
        ("oci-layout://%2Fpath%2Flayout:1",                Scheme::OciLayout, "%2Fpath%2Flayout", ":1",                  false),
        ("oci-layout://.:1",                               Scheme::OciLayout, ".",     ":1",                             false),
        ("oci-archive://out.tar",                          Scheme::OciArchive, "out.tar", "",                            false),
        ("oci-archive://out.tar:app@DIGEST",               Scheme::OciArchive, "out.tar", ":app",                        true),
        ("docker-archive://-/acme/app:1",                  Scheme::DockerArchive, "-", "/acme/app:1",                    false),
        // What is asked for is free text; a strategy judges it.
        ("oci-layout://store:not a tag",                   Scheme::OciLayout, "store", ":not a tag",                     false),
        ("oci-layout://store//alpine",                     Scheme::OciLayout, "store", "//alpine",                       false),
        ("oci-layout://store::",                           Scheme::OciLayout, "store", "::",                             false),
        ("oci-layout://store/a@b@DIGEST",                  Scheme::OciLayout, "store", "/a@b",                           true),
    ];
    for (typed, scheme, name, rest, has_digest) in rows {
        let expected = has_digest.then(|| Digest::parse(&digest()).unwrap());
        assert_eq!(store(typed), Store { scheme, name: name.into(), rest: rest.into(), digest: expected.clone() });
        let location = Location::parse(&expand(typed)).unwrap();
        assert_eq!(location.digest(), expected.as_ref(), "{typed}");
        assert_eq!(location.repository(), format!("{scheme}://{name}"), "{typed}");
        assert_eq!(location.to_string(), expand(typed));
    }
}

#[test]
fn a_registry_may_be_said_to_be_one() {
    #[rustfmt::skip]
    let rows = [
        // typed                             shown                                          repository
        ("alpine",                           "docker.io/library/alpine",                    "docker.io/library/alpine"),
        ("docker://alpine",                  "docker.io/library/alpine",                    "docker.io/library/alpine"),
        ("oci://alpine",                     "docker.io/library/alpine",                    "docker.io/library/alpine"),
        ("docker://ghcr.io/acme/app:1@DIGEST", "ghcr.io/acme/app:1@DIGEST",                 "ghcr.io/acme/app"),
        ("oci://localhost:5000/app:1",       "localhost:5000/app:1",                        "localhost:5000/app"),
        ("localhost:5000/app:1",             "localhost:5000/app:1",                        "localhost:5000/app"),
        // Two slashes short of a scheme it is a name with a tag, as Docker reads it.
        ("oci:store",                        "docker.io/library/oci:store",                 "docker.io/library/oci"),
    ];
    for (typed, shown, repository) in rows {
        let location = Location::parse(&expand(typed)).unwrap();
        assert!(matches!(location, Location::Registry(_)), "{typed}");
        assert_eq!(location.to_string(), expand(shown), "{typed}");
        assert_eq!(location.shown(), expand(shown), "{typed}");
        assert_eq!(location.repository(), repository, "{typed}");
    }
}

#[test]
fn what_is_refused_says_why() {
    #[rustfmt::skip]
    let rows = [
        // typed                                   reason
        ("https://ghcr.io/acme/app",               "none of docker, oci, oci-layout, oci-archive, docker-archive, buildkit, containerd"),
        ("file:///etc/passwd",                     "none of docker, oci, oci-layout, oci-archive, docker-archive, buildkit, containerd"),
        ("OCI-LAYOUT://store",                     "none of docker, oci, oci-layout, oci-archive, docker-archive, buildkit, containerd"),
        ("docker-daemon://x",                      "none of docker, oci, oci-layout, oci-archive, docker-archive, buildkit, containerd"),
        ("://store",                               "none of docker, oci, oci-layout, oci-archive, docker-archive, buildkit, containerd"),
        (" oci-layout://store",                    "none of docker, oci, oci-layout, oci-archive, docker-archive, buildkit, containerd"),
        ("oci:/folder:1",                          "skopeo's oci:DIR:TAG is oci-layout://DIR:TAG here"),
        ("oci-archive:./file.tar:1",               "oci-archive://FILE:TAG here"),
        ("oci-archive:app.tar",                    "oci-archive://FILE:TAG here"),
        ("oci-layout:out",                         "a layout is oci-layout://DIR:TAG"),
        ("containers-storage:x",                   "skopeo can copy to an oci:DIR"),
        ("dir:/folder",                            "skopeo can copy to an oci:DIR"),
        ("docker://https://ghcr.io/acme/app",      "scheme"),
        ("docker://",                              "empty"),
        ("docker://oci-layout://store",            "scheme"),
        ("oci-layout://",                          "names no store"),
        ("oci-layout://:1",                        "names no store"),
        ("oci-layout:///alpine",                   "names no store"),
        ("oci-layout://@DIGEST",                   "names no store"),
        ("oci-layout://store:",                    "nothing follows"),
        ("oci-layout://store/",                    "nothing follows"),
        ("oci-layout://store:@DIGEST",             "nothing follows"),
        ("oci-layout://store/@DIGEST",             "nothing follows"),
        ("oci-layout://store@",                    "no colon"),
        ("oci-layout://store:1@latest",            "no colon"),
        ("oci-layout://store@sha256:abc",          "64 digits, not 3"),
        ("oci-layout://store@md5:abc",             "none of sha256, sha384, sha512"),
        ("oci-layout://store@DIGEST:1",            "hexadecimal"),
        ("docker/Docker",                          "lower-case"),
        ("",                                       "empty"),
    ];
    for (typed, reason) in rows {
        match Location::parse(&expand(typed)) {
            Ok(location) => panic!("{typed} was taken for {location}"),
            Err(error) => assert!(error.to_string().contains(reason), "{typed:?}: {error}"),
        }
    }
}

/// The cases of buildx's own test of its parser (util/ocilayout), as our command line hands them on: the folder under its
/// percent-encoded text. There "nothing asked for" becomes `latest` at once; here it stays nothing.
#[test]
fn buildx_cases_read_as_typed() {
    #[rustfmt::skip]
    let rows = [
        // folder                      asked for       digest   written
        ("/path/to/oci/layout",        "",             false,   "%2Fpath%2Fto%2Foci%2Flayout"),
        ("/path/to/oci/layout",        ":1.3",         false,   "%2Fpath%2Fto%2Foci%2Flayout:1.3"),
        ("/path/to/oci/layout",        "",             true,    "%2Fpath%2Fto%2Foci%2Flayout@DIGEST"),
        ("/path/to/oci/@/layout",      "",             true,    "%2Fpath%2Fto%2Foci%2F%40%2Flayout@DIGEST"),
        ("/path/to/oci/@/layout",      "",             false,   "%2Fpath%2Fto%2Foci%2F%40%2Flayout"),
        ("a",                          ":1.3",         false,   "a:1.3"),
        ("C:\\path\\to\\oci\\layout",  "",             false,   "C%3A%5Cpath%5Cto%5Coci%5Clayout"),
        ("C:/path/to/oci/layout",      "",             false,   "C%3A%2Fpath%2Fto%2Foci%2Flayout"),
        ("C:\\path\\to\\oci\\layout",  ":1.3",         false,   "C%3A%5Cpath%5Cto%5Coci%5Clayout:1.3"),
        ("C:\\path\\to\\oci\\layout",  "",             true,    "C%3A%5Cpath%5Cto%5Coci%5Clayout@DIGEST"),
        ("C:\\path\\to\\oci\\layout",  ":1.3",         true,    "C%3A%5Cpath%5Cto%5Coci%5Clayout:1.3@DIGEST"),
    ];
    for (folder, rest, has_digest, written) in rows {
        let digest = if has_digest { format!("@{}", digest()) } else { String::new() };
        let boundary = format!("oci-layout://{}{rest}{digest}", encode_store(folder));
        assert_eq!(boundary, expand(&format!("oci-layout://{written}")));
        let read = store(&boundary);
        assert_eq!((decode_store(&read.name).as_str(), read.rest.as_str()), (folder, rest));
        assert_eq!(read.digest.is_some(), has_digest, "{written}");
        assert_eq!(Location::Store(read).shown(), format!("oci-layout://{folder}{rest}{digest}"));
    }
}

#[test]
fn a_store_is_bound_under_one_opaque_component() {
    #[rustfmt::skip]
    let rows = [
        // typed              bound under
        ("out",               "out"),
        ("A-z_0.9~",          "A-z_0.9~"),
        ("..",                ".."),
        ("./out",             ".%2Fout"),
        ("a b",               "a%20b"),
        ("100%",              "100%25"),
        ("%2F",               "%252F"),
        ("a+b=c&d?e#f",       "a%2Bb%3Dc%26d%3Fe%23f"),
        ("[::1]:5000",        "%5B%3A%3A1%5D%3A5000"),
        ("größe",             "gr%C3%B6%C3%9Fe"),
        ("日本",              "%E6%97%A5%E6%9C%AC"),
        ("a\u{1b}[2J\0\n",    "a%1B%5B2J%00%0A"),
        ("",                  ""),
    ];
    for (typed, bound) in rows {
        assert_eq!(encode_store(typed), bound);
        assert_eq!(decode_store(bound), typed);
    }
    // A path need not be text.
    assert_eq!(encode_store([b'a', 0xff, b'b']), "a%FFb");
    assert_eq!(decode_store("a%FFb"), "a\u{fffd}b");
    // What is no escape stays as it is.
    for text in ["%", "%2", "%zz", "a%", "%%", "%g0"] {
        assert_eq!(decode_store(text), text);
    }
    assert_eq!(decode_store("%2f%2F"), "//");
    assert_eq!(decode_store("%252F"), "%2F");
}

#[test]
fn a_builder_is_shown_without_the_name_that_it_always_has() {
    let digest = format!("@sha256:{}", "a".repeat(64));
    for (text, expected) in [
        ("buildkit://buildkit", "buildkit://"),
        ("buildkit://buildkit/latest", "buildkit://latest"),
        ("buildkit://buildkit/acme/app:1", "buildkit://acme/app:1"),
        ("buildkit://buildkit:1", "buildkit://:1"),
        (&format!("buildkit://buildkit{digest}"), &format!("buildkit://{digest}")),
        ("containerd://k8s.io/docker.io/library/alpine:3", "containerd://k8s.io/docker.io/library/alpine:3"),
    ] {
        assert_eq!(Location::parse(text).unwrap().shown(), expected, "{text}");
    }
}

#[test]
fn schemes_have_names() {
    for (scheme, name) in [
        (Scheme::OciLayout, "oci-layout"),
        (Scheme::OciArchive, "oci-archive"),
        (Scheme::DockerArchive, "docker-archive"),
        (Scheme::Buildkit, "buildkit"),
        (Scheme::Containerd, "containerd"),
    ] {
        assert_eq!(scheme.as_str(), name);
        assert_eq!(scheme.to_string(), name);
        assert!(Scheme::ALL.contains(&scheme));
    }
}

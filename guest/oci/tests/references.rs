//! References to registries: Docker's grammar and Docker's normalising, surprises included.
//!
//! In the tables `DIGEST` stands for a SHA-256 digest and `HEX` for its 64 digits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan_oci::Reference;
use portolan_oci::reference::is_tag;

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn expand(row: &str) -> String {
    row.replace("DIGEST", "sha256:HEX").replace("HEX", HEX)
}

fn refused(text: &str) -> String {
    match Reference::parse(&expand(text)) {
        Ok(reference) => panic!("{text:?} was taken for {reference}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_text_has_one_normal_form() {
    #[rustfmt::skip]
    let rows = [
        // typed                          canonical                                    familiar                  resolved
        ("alpine",                        "docker.io/library/alpine",                  "alpine",                 "docker.io/library/alpine:latest"),
        ("alpine:3.16",                   "docker.io/library/alpine:3.16",             "alpine:3.16",            "docker.io/library/alpine:3.16"),
        ("alpine:latest",                 "docker.io/library/alpine:latest",           "alpine:latest",          "docker.io/library/alpine:latest"),
        ("alpine@DIGEST",                 "docker.io/library/alpine@DIGEST",           "alpine@DIGEST",          "docker.io/library/alpine@DIGEST"),
        ("alpine:3.16@DIGEST",            "docker.io/library/alpine:3.16@DIGEST",      "alpine:3.16@DIGEST",     "docker.io/library/alpine@DIGEST"),
        ("library/alpine",                "docker.io/library/alpine",                  "alpine",                 "docker.io/library/alpine:latest"),
        ("docker.io/alpine",              "docker.io/library/alpine",                  "alpine",                 "docker.io/library/alpine:latest"),
        ("docker.io/library/alpine",      "docker.io/library/alpine",                  "alpine",                 "docker.io/library/alpine:latest"),
        ("index.docker.io/alpine",        "docker.io/library/alpine",                  "alpine",                 "docker.io/library/alpine:latest"),
        ("index.docker.io/acme/app:1",    "docker.io/acme/app:1",                      "acme/app:1",             "docker.io/acme/app:1"),
        ("acme/app",                      "docker.io/acme/app",                        "acme/app",               "docker.io/acme/app:latest"),
        ("acme/app:1.4@DIGEST",           "docker.io/acme/app:1.4@DIGEST",             "acme/app:1.4@DIGEST",    "docker.io/acme/app@DIGEST"),
        ("docker.io/acme/app/part",       "docker.io/acme/app/part",                   "acme/app/part",          "docker.io/acme/app/part:latest"),
        // `library/` is undone only right above the last part.
        ("docker.io/library/acme/app",    "docker.io/library/acme/app",                "library/acme/app",       "docker.io/library/acme/app:latest"),
        ("docker.io/library/library",     "docker.io/library/library",                 "library",                "docker.io/library/library:latest"),
        // Another registry has no short forms.
        ("ghcr.io/alpine",                "ghcr.io/alpine",                            "ghcr.io/alpine",         "ghcr.io/alpine:latest"),
        ("ghcr.io/library/alpine:3",      "ghcr.io/library/alpine:3",                  "ghcr.io/library/alpine:3", "ghcr.io/library/alpine:3"),
        ("registry-1.docker.io/alpine",   "registry-1.docker.io/alpine",               "registry-1.docker.io/alpine", "registry-1.docker.io/alpine:latest"),
        ("www.docker.io/alpine",          "www.docker.io/alpine",                      "www.docker.io/alpine",   "www.docker.io/alpine:latest"),
        ("docker.io:443/alpine",          "docker.io:443/alpine",                      "docker.io:443/alpine",   "docker.io:443/alpine:latest"),
        ("docker.com/alpine",             "docker.com/alpine",                         "docker.com/alpine",      "docker.com/alpine:latest"),
        // Both are names: four numbers joined by dots are one component, and a tag may have 64 digits.
        ("169.254.169.254",               "docker.io/library/169.254.169.254",         "169.254.169.254",        "docker.io/library/169.254.169.254:latest"),
        ("sha256:HEX",                    "docker.io/library/sha256:HEX",              "sha256:HEX",             "docker.io/library/sha256:HEX"),
        ("HEX:1",                         "docker.io/library/HEX:1",                   "HEX:1",                  "docker.io/library/HEX:1"),
        // Neither short form would be read as what it is of.
        ("docker.io/HEX",                 "docker.io/library/HEX",                     "docker.io/library/HEX",  "docker.io/library/HEX:latest"),
        ("docker.io/acme.io/app",         "docker.io/acme.io/app",                     "docker.io/acme.io/app",  "docker.io/acme.io/app:latest"),
    ];
    for (typed, canonical, familiar, resolved) in rows {
        let reference = Reference::parse(&expand(typed)).unwrap();
        assert_eq!(reference.canonical(), expand(canonical), "{typed}");
        assert_eq!(reference.to_string(), expand(canonical), "{typed}");
        assert_eq!(reference.familiar(), expand(familiar), "{typed}");
        assert_eq!(reference.resolved(), expand(resolved), "{typed}");
    }
}

#[test]
fn the_first_component_is_a_domain_or_it_is_not() {
    #[rustfmt::skip]
    let rows = [
        // typed                      domain                 path
        ("acme/app",                  "docker.io",           "acme/app"),         // neither dot, colon, localhost nor upper case
        ("my-host/app",               "docker.io",           "my-host/app"),
        ("my_host/app",               "docker.io",           "my_host/app"),
        ("localhosts/app",            "docker.io",           "localhosts/app"),
        ("acme.io/app",               "acme.io",             "app"),              // a dot
        ("a.b/c",                     "a.b",                 "c"),
        ("10.0.0.1/app",              "10.0.0.1",            "app"),
        ("10.0.0.1:5000/a/b",         "10.0.0.1:5000",       "a/b"),
        ("registry:5000/app",         "registry:5000",       "app"),              // a colon
        ("registry:0/app",            "registry:0",          "app"),              // ports are not looked at
        ("registry:00443/app",        "registry:00443",      "app"),
        ("registry:99999/app",        "registry:99999",      "app"),
        ("localhost/app",             "localhost",           "app"),              // localhost
        ("localhost:5000/app",        "localhost:5000",      "app"),
        ("localhost/library/app",     "localhost",           "library/app"),
        ("Foo/bar",                   "Foo",                 "bar"),              // upper case
        ("fooBar/baz/qux",            "fooBar",              "baz/qux"),
        ("LOCALHOST/app",             "LOCALHOST",           "app"),
        ("Docker.io/app",             "Docker.io",           "app"),              // and so not Docker Hub
        ("[::1]/app",                 "[::1]",               "app"),              // IPv6
        ("[::1]:5000/app",            "[::1]:5000",          "app"),
        ("[2001:DB8::1]:443/a/b",     "[2001:DB8::1]:443",   "a/b"),
        ("[:]/app",                   "[:]",                 "app"),              // nobody checks addresses
        ("1.2.3.4.5.6/app",           "1.2.3.4.5.6",         "app"),
        ("a--b.c/d",                  "a--b.c",              "d"),
        // Without a slash nothing is a domain.
        ("test.com:5000",             "docker.io",           "library/test.com"),
        ("localhost:5000",            "docker.io",           "library/localhost"),
        ("localhost",                 "docker.io",           "library/localhost"),
        ("test.com",                  "docker.io",           "library/test.com"),
        // On Docker Hub the second part is a path whatever it looks like.
        ("docker.io/localhost/app",   "docker.io",           "localhost/app"),
        ("docker.io/acme.io/app",     "docker.io",           "acme.io/app"),
        // What cannot be a domain although it looks like one leaves all of it to the path.
        ("exa_mple.com/a",            "",                    "exa_mple.com/a"),
        ("exa__mple.com/a/b",         "",                    "exa__mple.com/a/b"),
        ("a.b_c/d",                   "",                    "a.b_c/d"),
    ];
    for (typed, domain, path) in rows {
        let reference = Reference::parse(typed).unwrap();
        assert_eq!((reference.domain.as_str(), reference.path.as_str()), (domain, path), "{typed}");
    }
}

#[test]
fn a_name_without_a_domain_is_its_path() {
    let reference = Reference::parse("exa_mple.com/a:1").unwrap();
    assert_eq!(reference.domain, "");
    assert_eq!(reference.repository(), "exa_mple.com/a");
    assert_eq!(reference.canonical(), "exa_mple.com/a:1");
    assert_eq!(reference.familiar(), "exa_mple.com/a:1");
    assert_eq!(reference.resolved(), "exa_mple.com/a:1");
}

#[test]
fn tag_and_digest_are_kept_apart() {
    #[rustfmt::skip]
    let rows = [
        // typed                        tag             asked for       digest
        ("app",                         None,           "latest",       false),
        ("app:1",                       Some("1"),      "1",            false),
        ("app:_x.Y-z",                  Some("_x.Y-z"), "_x.Y-z",       false),
        ("app@DIGEST",                  None,           "latest",       true),
        ("app:1@DIGEST",                Some("1"),      "1",            true),
        ("host:5000/app",               None,           "latest",       false),
        ("host:5000/app:5000",          Some("5000"),   "5000",         false),
        ("host:5000/app:5000@DIGEST",   Some("5000"),   "5000",         true),
        ("test.com:5000",               Some("5000"),   "5000",         false),
        ("HEX:1",                       Some("1"),      "1",            false),
        ("docker.io/HEX",               None,           "latest",       false),
        ("acme/HEX",                    None,           "latest",       false),
    ];
    for (typed, tag, asked, digest) in rows {
        let reference = Reference::parse(&expand(typed)).unwrap();
        assert_eq!(reference.tag.as_deref(), tag, "{typed}");
        assert_eq!(reference.tag_or_latest(), asked, "{typed}");
        assert_eq!(reference.digest.is_some(), digest, "{typed}");
    }
    for (algorithm, digits) in [("sha256", 64), ("sha384", 96), ("sha512", 128)] {
        let digest = format!("{algorithm}:{}", "a".repeat(digits));
        let reference = Reference::parse(&format!("app@{digest}")).unwrap();
        assert_eq!(reference.digest.unwrap().as_str(), digest);
    }
}

#[test]
fn two_references_may_ask_for_the_same() {
    #[rustfmt::skip]
    let rows = [
        ("alpine",              "docker.io/library/alpine:latest",  true),
        ("alpine:3.16",         "index.docker.io/alpine:3.16",      true),
        ("acme/app@DIGEST",     "docker.io/acme/app@DIGEST",        true),
        // With a digest the tag says nothing.
        ("alpine:3@DIGEST",     "alpine@DIGEST",                    true),
        ("alpine:3@DIGEST",     "alpine:4@DIGEST",                  true),
        ("alpine@DIGEST",       "alpine",                           false),
        ("alpine:3@DIGEST",     "alpine:3",                         false),
        ("alpine@DIGEST",       "alpine@sha512:HEXHEX",             false),
        ("alpine",              "alpine:3.16",                      false),
        ("alpine",              "acme/alpine",                      false),
        ("alpine",              "ghcr.io/library/alpine",           false),
        ("Foo/bar",             "FOO/bar",                          false),
        ("exa_mple.com/a",      "exa_mple.com/a:latest",            true),
        ("exa_mple.com/a",      "docker.io/exa_mple.com/a",         false),
    ];
    for (left, right, same) in rows {
        let (left, right) = (Reference::parse(&expand(left)).unwrap(), Reference::parse(&expand(right)).unwrap());
        assert_eq!(left.means_same(&right), same, "{left} and {right}");
        assert_eq!(right.means_same(&left), same, "{right} and {left}");
        assert_eq!(left.resolved() == right.resolved(), same, "{left} and {right}");
    }
}

#[test]
fn components_are_words_joined_by_one_kind_of_separator() {
    let right = [
        "a",
        "0",
        "a0",
        "0a",
        "a.b",
        "a_b",
        "a__b",
        "a-b",
        "a--b",
        "a-----b",
        "a.b_c__d-e---f",
        "1.2.3",
        "a/b",
        "a/b/c/d/e/f",
        "x-y/z__0/1.1",
    ];
    #[rustfmt::skip]
    let wrong = [
        "a..b", "a___b", "a____b", "a._b", "a_.b", "a.-b", "a-.b", "a-_b", "a_-b", "a.__b", ".a", "a.", "_a", "a_", "__a", "-a",
        "a-", "--a", ".", "..", "_", "-", "a b", "a\tb", "a\nb", "a\0b", " a", "a ", "a\n", "a+b", "a%2fb", "a~b", "a=b", "a,b", "ä", "日本",
        "a\u{202e}b", "a\\b", "a?b", "a#b", "a!b", "a$b", "a&b", "a*b", "a'b", "a\"b", "(a)", "<a>", "[a]", "{a}", "a|b", "a;b",
    ];
    for name in right {
        for text in [format!("acme/{name}"), format!("ghcr.io/{name}"), format!("ghcr.io/{name}/end:1")] {
            assert!(Reference::parse(&text).is_ok(), "{text}");
        }
    }
    for name in wrong {
        for text in
            [name.to_owned(), format!("acme/{name}"), format!("ghcr.io/{name}"), format!("ghcr.io/{name}/end:1")]
        {
            refused(&text);
        }
    }
}

#[test]
fn domains_are_labels_joined_by_dots() {
    let right = ["a.b", "A.B", "0.0", "a-b.c", "a--b.c-d", "xn--bcher-kva.example", "a.b:1", "[a:b]", "[::]:1"];
    #[rustfmt::skip]
    let wrong = [
        "-a.b", "a-.b", "a.-b", "a.b-", ".a", "a.", "a..b", "a.b:", "a.b:x", "a.b:-1", "a.b:1:2", ":1", "a.b:1x", "ä.b", "a b.c",
        "user@host.io", "user:pass@host.io", "[::1", "::1", "[]", "[12]", "[::1]x", "[::1]:", "[::1]:x",
        // Zones and IPv4 in IPv6.
        "[fe80::1%eth0]", "[fe80::1%25eth0]", "[::ffff:1.2.3.4]", "[::g]",
    ];
    for domain in right {
        let reference = Reference::parse(&format!("{domain}/app:1")).unwrap();
        assert_eq!((reference.domain.as_str(), reference.path.as_str()), (domain, "app"));
    }
    for domain in wrong {
        refused(&format!("{domain}/app:1"));
    }
    // Nobody measures a domain.
    let long = vec!["a".repeat(100); 30].join(".");
    assert_eq!(Reference::parse(&format!("{long}/app")).unwrap().domain, long);
}

#[test]
fn tags_are_up_to_128_word_characters() {
    let longest = "a".repeat(128);
    for tag in ["a", "A", "0", "_", "__", "a.b", "a-b", "_.-", "latest", "V1.2.3-rc.1_x", "1..2", "a--", &longest] {
        assert!(is_tag(tag), "{tag}");
        assert_eq!(Reference::parse(&format!("app:{tag}")).unwrap().tag.as_deref(), Some(tag));
    }
    let too_long = "a".repeat(129);
    #[rustfmt::skip]
    let wrong = [
        "", ".", "-", ".a", "-a", "a b", "a+b", "a:b", "a/b", "a@b", "ä", "aä", "a\n", "a\0", " a", "a%", "٣", "a\u{301}", &too_long,
    ];
    for tag in wrong {
        assert!(!is_tag(tag), "{tag:?}");
        refused(&format!("app:{tag}"));
    }
}

#[test]
fn a_path_has_at_most_255_characters() {
    let fill = |prefix: &str, length: usize| format!("{prefix}{}", "a".repeat(length));
    assert!(Reference::parse(&fill("ghcr.io/", 255)).is_ok());
    assert!(Reference::parse(&fill("ghcr.io/", 256)).unwrap_err().to_string().contains("255"));
    // The `library/` that was not typed counts, the domain does not.
    assert!(Reference::parse(&fill("", 247)).is_ok());
    assert!(Reference::parse(&fill("", 248)).unwrap_err().to_string().contains("255"));
    assert!(Reference::parse(&format!("{}:{}", fill("ghcr.io/", 255), "t".repeat(128))).is_ok());
    // Where there is no domain all of it counts.
    assert!(Reference::parse(&fill("exa_mple.com/", 255 - 13)).is_ok());
    assert!(Reference::parse(&fill("exa_mple.com/", 256 - 13)).is_err());
}

#[test]
fn what_is_refused_says_why() {
    #[rustfmt::skip]
    let rows = [
        // typed                            reason
        ("",                                "empty"),
        ("https://ghcr.io/acme/app",        "scheme"),
        ("docker://alpine",                 "scheme"),
        ("oci-layout://store",              "scheme"),
        ("HEX",                             "64 hexadecimal digits"),
        ("docker/Docker",                   "lower-case"),
        ("Docker",                          "lower-case"),
        ("ghcr.io/Acme/app",                "lower-case"),
        ("ghcr.io/acme/App:V1",             "lower-case"),
        ("Foo/Bar",                         "lower-case"),
        ("alpine:",                         "tag"),
        ("alpine:-x",                       "tag"),
        ("alpine:a:b",                      "tag"),
        ("alpine:täg",                      "tag"),
        ("alpine@",                         "colon"),
        ("alpine@sha256",                   "colon"),
        ("alpine@sha256:",                  "64 digits, not 0"),
        ("alpine@sha256:abc",               "64 digits, not 3"),
        ("alpine@DIGEST0",                  "64 digits, not 65"),
        ("alpine@md5:HEX",                  "none of sha256, sha384, sha512"),
        ("alpine@SHA256:HEX",               "lower-case"),
        ("alpine@DIGEST@DIGEST",            "hexadecimal"),
        ("alpine@DIGEST:1",                 "hexadecimal"),
        ("alpine@DIGEST/x",                 "hexadecimal"),
        ("alpine@sha256:../../etc/passwd",  "hexadecimal"),
        ("@DIGEST",                         "each part of the name"),
        ("/",                               "each part of the name"),
        ("/alpine",                         "each part of the name"),
        ("alpine/",                         "each part of the name"),
        ("acme//app",                       "each part of the name"),
        ("ghcr.io/",                        "each part of the name"),
        ("docker.io/",                      "each part of the name"),
        ("../alpine",                       "each part of the name"),
        ("ghcr.io/../alpine",               "each part of the name"),
        ("ghcr.io./alpine",                 "each part of the name"),
        ("ghcr.io /alpine",                 "each part of the name"),
        ("user:pass@ghcr.io/alpine",        "digest"),
    ];
    for (typed, reason) in rows {
        let message = refused(typed);
        assert!(message.contains(reason), "{typed:?}: {message}");
    }
    let upper = Reference::parse(&format!("alpine@sha256:{}", HEX.to_uppercase())).unwrap_err().to_string();
    assert!(upper.contains("must be lower-case"), "{upper}");
}

#[test]
fn a_message_shows_what_was_typed_and_not_too_much_of_it() {
    assert!(refused("docker/Docker").contains("\"docker/Docker\""));
    let message = Reference::parse(&format!("A{}", "ß".repeat(1 << 20))).unwrap_err().to_string();
    assert!(message.len() < 1000, "{}", message.len());
    // Nothing in it moves a terminal's cursor.
    let message = refused("a\u{1b}[2Jb\r\n");
    assert!(!message.contains(['\u{1b}', '\r', '\n']), "{message:?}");
}

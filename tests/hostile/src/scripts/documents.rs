//! Points 5, 8 and 9: documents that can be read as two things, that are made to exhaust who reads them, and that point
//! where nobody should go. Each has the digest that it is asked for by: the bytes are right, and what they say is not.

use portolan_oci::{Descriptor, Digest, media_type};

use super::things::{BLOB, MANIFEST, blob, digest, get_blob, no_head};
use crate::scene::on;
use crate::script::Class::{Malformed, Mismatch, NotFound, TooLarge};
use crate::script::{Answer, Ask, Script};

pub(super) fn scripts() -> Vec<Script> {
    [ambiguous(), indexes(), data(), urls()].concat()
}

/// What a client may make of a document whose bytes are right.
#[derive(Clone, Copy, PartialEq)]
enum Verdict {
    /// It has to hand it out: there is nothing wrong.
    Right,
    /// It has to refuse it.
    Wrong,
    /// Either: who only carries bytes need not look.
    Either,
}

/// The document, asked for by digest and by tag.
fn both(
    point: u8,
    name: &str,
    what: &str,
    media_type: &'static str,
    bytes: impl AsRef<[u8]>,
    verdict: Verdict,
) -> Vec<Script> {
    let bytes = bytes.as_ref();
    let descriptor = Descriptor::of(media_type, bytes);
    let get = on("GET", "/v2/app/manifests/*").header("Content-Type", media_type).body(bytes);
    let fetched =
        Script::new(point, format!("{name}-fetched"), what, Ask::Fetch(descriptor.clone())).play([get.clone()]);
    let tag = Script::new(point, format!("{name}-resolved"), what, Ask::ResolveTag("1")).play([no_head(), get]);
    let (fetched_right, tag_right) = (fetched.clone().gives(bytes), tag.clone().answers(Answer::root(descriptor)));
    let classes = &[Malformed, TooLarge];
    match verdict {
        Verdict::Right => vec![fetched_right, tag_right],
        Verdict::Wrong => vec![fetched.fails(classes).for_good(), tag.fails(classes).for_good()],
        Verdict::Either => vec![fetched_right.fails(classes), tag_right.fails(classes)],
    }
}

fn ambiguous() -> Vec<Script> {
    use Verdict::{Either, Right, Wrong};
    let with = |fields: &str| MANIFEST.replace(r#""layers":[]"#, &format!(r#""layers":[],{fields}"#));
    let annotated = |value: &str| with(&format!(r#""annotations":{{"a":{value}}}"#));
    let million: Vec<String> = (0..1_000_000).map(|number| format!(r#""{number}":"""#)).collect();
    let annotations: Vec<String> = (0..200_000).map(|number| format!(r#""{number}":"""#)).collect();
    let nested = |depth: usize| with(&format!(r#""x":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
    let nul = with("\"x\":\"\u{0}\"");
    let mut scripts = Vec::new();
    for (name, what, bytes, verdict) in [
        (
            "both-at-once",
            "A document has both layers and manifests (CVE-2021-41190).",
            with(r#""manifests":[]"#).into_bytes(),
            Wrong,
        ),
        ("neither", "A document has neither layers nor manifests.", br#"{"schemaVersion":2}"#.to_vec(), Wrong),
        (
            "index-as-manifest",
            "An index comes with the media type of a manifest.",
            br#"{"schemaVersion":2,"manifests":[]}"#.to_vec(),
            Wrong,
        ),
        (
            "own-type-contradicts",
            "A manifest says itself that it is an index.",
            MANIFEST.replace("image.manifest.v1", "image.index.v1").into_bytes(),
            Wrong,
        ),
        ("fs-layers", "A manifest has fsLayers, as one of schema 1.", with(r#""fsLayers":[]"#).into_bytes(), Wrong),
        (
            "schema-1",
            "A manifest says schemaVersion 1.",
            MANIFEST.replace(r#""schemaVersion":2"#, r#""schemaVersion":1"#).into_bytes(),
            Wrong,
        ),
        ("duplicate-key", "A manifest has its layers twice.", with(r#""layers":[]"#).into_bytes(), Wrong),
        (
            "duplicate-key-of-another-case",
            "A manifest has layers and Layers, which Go takes for one.",
            with(r#""Layers":[]"#).into_bytes(),
            Wrong,
        ),
        (
            "duplicate-key-by-an-escape",
            "A manifest has its layers twice, once with an escaped letter.",
            with(r#""l\u0061yers":[]"#).into_bytes(),
            Wrong,
        ),
        (
            "duplicate-key-in-a-descriptor",
            "A manifest's config has two digests.",
            MANIFEST.replace(r#""size":2"#, &format!(r#""size":2,"digest":"{}""#, digest("x"))).into_bytes(),
            Wrong,
        ),
        (
            "duplicate-key-in-annotations",
            "A manifest has an annotation twice.",
            with(r#""annotations":{"a":"1","a":"2"}"#).into_bytes(),
            Either,
        ),
        ("nested-100000-deep", "A manifest has an array 10^5 deep.", nested(100_000).into_bytes(), Either),
        ("nested-and-never-closed", "A document is 10^5 opened arrays.", "[".repeat(100_000).into_bytes(), Wrong),
        ("objects-100000-deep", "A document is 10^5 opened objects.", r#"{"a":"#.repeat(100_000).into_bytes(), Wrong),
        (
            "a-million-annotations",
            "A manifest has a million annotations, which is more than 4 MiB.",
            with(&format!(r#""annotations":{{{}}}"#, million.join(","))).into_bytes(),
            Wrong,
        ),
        (
            "200000-annotations",
            "A manifest has as many annotations as fit into 4 MiB.",
            with(&format!(r#""annotations":{{{}}}"#, annotations.join(","))).into_bytes(),
            Either,
        ),
        (
            "string-of-1-mib",
            "A manifest has an annotation of 1 MiB.",
            annotated(&format!("\"{}\"", "x".repeat(1 << 20))).into_bytes(),
            Right,
        ),
        (
            "key-of-1-mib",
            "A manifest has a key of 1 MiB.",
            with(&format!(r#""{}":1"#, "x".repeat(1 << 20))).into_bytes(),
            Either,
        ),
        (
            "number-of-1-mib",
            "A manifest has a number of 10^6 digits.",
            with(&format!(r#""x":{}"#, "1".repeat(1 << 20))).into_bytes(),
            Either,
        ),
        ("lone-surrogate", "A manifest has half a surrogate pair.", annotated(r#""\ud800""#).into_bytes(), Either),
        (
            "lone-surrogate-as-a-key",
            "A manifest has half a surrogate pair for a key.",
            with(r#""\udfff":1"#).into_bytes(),
            Either,
        ),
        ("escaped-nul", "A manifest has an escaped NUL.", annotated(r#""\u0000""#).into_bytes(), Either),
        ("raw-nul", "A manifest has a NUL.", nul.into_bytes(), Wrong),
        (
            "byte-order-mark",
            "A manifest begins with a byte order mark.",
            format!("\u{feff}{MANIFEST}").into_bytes(),
            Wrong,
        ),
        ("utf-16", "A manifest is in UTF-16.", MANIFEST.encode_utf16().flat_map(u16::to_le_bytes).collect(), Wrong),
        (
            "invalid-utf-8",
            "A manifest has a byte that is in no UTF-8.",
            [&b"{\"x\":\"\xff\","[..], &MANIFEST.as_bytes()[1..]].concat(),
            Wrong,
        ),
        ("two-documents", "A body has two manifests, one after the other.", MANIFEST.repeat(2).into_bytes(), Wrong),
        ("trailing-rubbish", "A manifest is followed by a word.", format!("{MANIFEST}rubbish").into_bytes(), Wrong),
        ("trailing-nul", "A manifest is followed by a NUL.", format!("{MANIFEST}\u{0}").into_bytes(), Wrong),
        ("cut", "A manifest ends in the middle.", MANIFEST.as_bytes()[..100].to_vec(), Wrong),
        ("empty", "A manifest is empty.", Vec::new(), Wrong),
        ("null", "A manifest is null.", b"null".to_vec(), Wrong),
        ("array", "A manifest is an array of one.", format!("[{MANIFEST}]").into_bytes(), Wrong),
        (
            "1e400-as-version",
            "A manifest's schemaVersion is 1e400.",
            MANIFEST.replace(r#""schemaVersion":2"#, r#""schemaVersion":1e400"#).into_bytes(),
            Wrong,
        ),
        (
            "1e400-elsewhere",
            "A manifest has a number of 1e400 where nobody looks.",
            with(r#""x":1e400"#).into_bytes(),
            Either,
        ),
        (
            "minus-0-as-version",
            "A manifest's schemaVersion is -0.",
            MANIFEST.replace(r#""schemaVersion":2"#, r#""schemaVersion":-0"#).into_bytes(),
            Either,
        ),
        (
            "2-to-the-63-as-version",
            "A manifest's schemaVersion is 2^63.",
            MANIFEST.replace(r#""schemaVersion":2"#, r#""schemaVersion":9223372036854775808"#).into_bytes(),
            Either,
        ),
        (
            "layers-of-the-wrong-type",
            "A manifest's layers are an object.",
            MANIFEST.replace("[]", "{}").into_bytes(),
            Either,
        ),
        (
            "config-null",
            "A manifest's config is null.",
            br#"{"schemaVersion":2,"config":null,"layers":[]}"#.to_vec(),
            Either,
        ),
    ] {
        scripts.extend(both(5, &format!("document-{name}"), what, media_type::OCI_MANIFEST, bytes, verdict));
    }
    scripts
}

fn indexes() -> Vec<Script> {
    use Verdict::{Either, Right, Wrong};
    let entry = |child: usize, rest: &str| {
        format!(
            r#"{{"mediaType":"{}","digest":"{}","size":2{rest}}}"#,
            media_type::OCI_MANIFEST,
            digest(child.to_string())
        )
    };
    let short = |child: usize| format!(r#"{{"digest":"{}","size":2}}"#, digest(child.to_string()));
    let index = |entries: &str| {
        format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{entries}]}}"#, media_type::OCI_INDEX)
    };
    let platform = |platform: &str| index(&entry(0, &format!(r#","platform":{platform}"#)));
    let one = short(0);
    let mut scripts = Vec::new();
    for (name, what, bytes, verdict) in [
        (
            "30000-entries",
            "An index has 30000 entries.",
            index(&(0..30_000).map(short).collect::<Vec<_>>().join(",")),
            Right,
        ),
        (
            "100000-entries",
            "An index has 10^5 entries, all of them empty.",
            index(&vec!["{}"; 100_000].join(",")),
            Either,
        ),
        (
            "more-entries-than-100000",
            "An index has more than 10^5 empty entries.",
            index(&vec!["{}"; 100_001].join(",")),
            Wrong,
        ),
        (
            "the-same-child-10000-times",
            "An index has the same child 10^4 times.",
            index(&vec![one.as_str(); 10_000].join(",")),
            Right,
        ),
        (
            "the-same-platform-twice",
            "An index has two children for one platform.",
            index(&[0, 1].map(|child| entry(child, r#","platform":{"architecture":"amd64","os":"linux"}"#)).join(",")),
            Right,
        ),
        (
            "1000-deep",
            "An entry of an index has an index in it, which has one, 1000 deep.",
            index(&format!(r#"{}{}"#, r#"{"manifests":["#.repeat(1000), "]}".repeat(1000))),
            Either,
        ),
        ("platform-of-the-wrong-type", "A platform is a text.", platform(r#""linux/amd64""#), Either),
        ("platform-null", "A platform is null.", platform("null"), Either),
        ("platform-of-numbers", "A platform's words are numbers.", platform(r#"{"os":1,"architecture":2}"#), Either),
        (
            "platform-of-paths",
            "A platform's words are paths.",
            platform(r#"{"os":"../../etc","architecture":"/passwd","variant":"%2e%2e"}"#),
            Right,
        ),
        (
            "platform-that-steers-a-terminal",
            "A platform's words have terminal escapes.",
            platform(r#"{"os":"\u001b[2J","architecture":"\u0007"}"#),
            Either,
        ),
        (
            "platform-with-a-key-twice",
            "A platform has its os twice.",
            platform(r#"{"os":"linux","os":"windows","architecture":"amd64"}"#),
            Wrong,
        ),
        (
            "features-of-the-wrong-type",
            "A platform's features are an object.",
            platform(r#"{"os":"linux","architecture":"amd64","os.features":{}}"#),
            Either,
        ),
        (
            "manifests-null",
            "An index's manifests are null.",
            r#"{"schemaVersion":2,"manifests":null}"#.to_owned(),
            Either,
        ),
        (
            "manifests-of-the-wrong-type",
            "An index's manifests are a text.",
            r#"{"schemaVersion":2,"manifests":"all"}"#.to_owned(),
            Either,
        ),
        ("manifest-as-index", "A manifest comes with the media type of an index.", MANIFEST.to_owned(), Wrong),
    ] {
        scripts.extend(both(8, &format!("index-{name}"), what, media_type::OCI_INDEX, bytes, verdict));
    }
    scripts
}

/// Content inside a descriptor, which counts only where it is what the descriptor says.
fn data() -> Vec<Script> {
    let right = "dGhlIGJ5dGVzIG9mIGEgYmxvYg==";
    let mut scripts = Vec::new();
    for (name, data) in [
        ("not-base64", "*** no base64 ***".to_owned()),
        ("other-bytes", "dGhlIGJ5dGVzIG9mIGEgbGll".to_owned()),
        ("empty", String::new()),
        ("cut", right[..20].to_owned()),
        ("too-big", "QUFB".repeat(1 << 20)),
        ("of-another-alphabet", "--__".to_owned()),
        ("with-a-newline", format!("{right}\n")),
    ] {
        let asked = Descriptor { data: Some(data), ..blob(BLOB) };
        let shown = name.replace('-', " ");
        let script =
            |how: &str, what: String| Script::new(9, format!("data-{name}-{how}"), what, Ask::Fetch(asked.clone()));
        scripts.extend([
            script("ignored", format!("A descriptor's data is {shown}; the registry has the blob."))
                .play([get_blob().body(BLOB)])
                .gives(BLOB),
            script("and-absent", format!("A descriptor's data is {shown}, and the registry has not the blob."))
                .fails(&[NotFound, Mismatch, Malformed]),
        ]);
    }
    scripts
}

/// Other places that a descriptor says content is at (CVE-2020-15157): a registry's word is no reason to go there.
fn urls() -> Vec<Script> {
    let mut scripts = Vec::new();
    for (name, url) in [
        ("http", "http://127.0.0.1:1/layer"),
        ("file", "file:///etc/passwd"),
        ("private", "http://10.0.0.1/layer"),
        ("metadata", "http://169.254.169.254/latest/meta-data"),
        ("userinfo", "http://ada:pa55word-of-ada@127.0.0.1:1/layer"),
        ("rubbish", "http://["),
        ("terminal", "http://h/\u{1b}[2J"),
    ] {
        let asked = Descriptor { urls: vec![url.to_owned(); 3], ..blob(BLOB) };
        for (how, ask) in [
            ("fetched", Ask::Fetch(asked.clone())),
            ("streamed", Ask::Stream(asked.clone())),
            ("read", Ask::Part { of: asked.clone(), offset: 0, length: 3 }),
        ] {
            let what = format!("A descriptor has urls ({name}), and the registry has not the blob.");
            scripts.push(Script::new(9, format!("urls-{name}-{how}"), what, ask).fails(&[NotFound]).requests(2));
        }
    }
    // The bait's address is not known before it plays, so a document names it.
    let what = "An index of referrers has entries with urls, which lead to a server that answers.";
    let entry = format!(
        r#"{{"mediaType":"{}","digest":"{}","size":2,"urls":["http://{{elsewhere}}/layer"]}}"#,
        media_type::OCI_MANIFEST,
        digest("x")
    );
    let listed = format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{entry}]}}"#, media_type::OCI_INDEX);
    let listed = on("GET", "/v2/app/referrers/*").header("Content-Type", media_type::OCI_INDEX).body(listed);
    let script = Script::new(9, "urls-of-a-referrer", what, Ask::Referrers(Digest::sha256(b"subject"), None));
    let script = script.play([listed]).bait([on("GET", "*").body("{}")]);
    scripts.push(script.answers(Answer::Referrers(vec![Digest::sha256(b"x")])));
    scripts
}

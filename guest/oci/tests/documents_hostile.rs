//! Documents that somebody made to break a reader: odd bytes, great depth, great length. Every one ends in a view or in a
//! message that fits on a screen; none ends in a panic, a deep stack or a second copy of its size in the message.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use portolan_oci::document::{check, media_type_of};
use portolan_oci::media_type::{OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use portolan_oci::{Config, Document, Index, Malformed, Manifest};

const MOST: usize = 100_000;
const MESSAGE_MAX: usize = 600;

fn descriptor() -> String {
    format!(r#""mediaType":"{OCI_MANIFEST}","digest":"sha256:{}","size":1"#, "a".repeat(64))
}

/// Everything that reads bytes; the first message, if any.
fn read_every_way(bytes: &[u8]) -> Result<(), String> {
    let results: [Result<(), Malformed>; 8] = [
        check(OCI_INDEX, bytes, MOST),
        check(OCI_MANIFEST, bytes, MOST),
        check(OCI_CONFIG, bytes, MOST),
        media_type_of(bytes, false).map(drop),
        Document::parse(bytes).map(drop),
        Index::parse(bytes).map(drop),
        Manifest::parse(bytes).map(drop),
        Config::parse(bytes).map(drop),
    ];
    let messages: Vec<String> = results.into_iter().filter_map(|result| Some(result.err()?.to_string())).collect();
    for message in &messages {
        assert!(message.len() < MESSAGE_MAX, "{} bytes: {message}", message.len());
        assert!(!message.contains(char::is_control), "{message:?}");
    }
    messages.into_iter().next().map_or(Ok(()), Err)
}

fn passes(media_type: &str, document: &str) {
    let _ = read_every_way(document.as_bytes());
    assert_eq!(check(media_type, document.as_bytes(), MOST), Ok(()), "{}", document.get(..80).unwrap_or(document));
}

fn refused(media_type: &str, document: impl AsRef<[u8]>) -> String {
    let document = document.as_ref();
    let _ = read_every_way(document);
    let message = check(media_type, document, MOST).unwrap_err().to_string();
    assert!(message.len() < MESSAGE_MAX, "{message}");
    message
}

#[test]
fn what_is_no_json_is_no_document() {
    #[rustfmt::skip]
    let rows: &[&[u8]] = &[
        b"",
        b" ",
        b"\0",
        b"{",
        b"}",
        b"{]",
        b"<html></html>",
        br#"{"manifests":[]"#,
        br#"{"manifests":[]}}"#,
        br#"{"manifests":[]} {"manifests":[]}"#,
        br#"{"manifests":[]},"#,
        br#"{"manifests":[],}"#,
        br#"{"manifests":[,]}"#,
        br#"{'manifests':[]}"#,
        br#"{manifests:[]}"#,
        br#"{"manifests":[] /* comment */}"#,
        b"{\"manifests\":[]}\0",
        // A byte order mark; UTF-16.
        b"\xef\xbb\xbf{\"manifests\":[]}",
        b"\xff\xfe{\0}\0",
        // No UTF-8 in a key, in a text that is read, and in one that is not.
        b"{\"manifests\":[],\"\xff\":1}",
        b"{\"manifests\":[],\"x\":\"\xe4\"}",
        b"{\"manifests\":[],\"x\":\"\xed\xa0\x80\"}",
        b"{\"mediaType\":\"\xc3\x28\",\"manifests\":[]}",
        // Control characters stand in no text.
        b"{\"manifests\":[],\"a\0b\":1}",
        b"{\"manifests\":[],\"a\nb\":1}",
        b"{\"manifests\":[],\"mediaType\":\"a\x1b[2Jb\"}",
        // Half of a pair, in a key and in a text that is read.
        br#"{"manifests":[],"\ud800":1}"#,
        br#"{"manifests":[],"mediaType":"\udc00"}"#,
        br#"{"manifests":[],"mediaType":"\ud800\u0041"}"#,
        br#"{"manifests":[],"x":tru}"#,
        br#"{"manifests":[],"x":+1}"#,
        br#"{"manifests":[],"x":.5}"#,
        br#"{"manifests":[],"x":Infinity}"#,
        br#"{"manifests":[],"x":"\q"}"#,
        br#"{"manifests":[],"x":"\u12"}"#,
    ];
    for document in rows {
        let text = String::from_utf8_lossy(document);
        refused(OCI_INDEX, document);
        assert!(Index::parse(document).is_err(), "{text}");
        assert!(Document::parse(document).is_err(), "{text}");
    }
}

#[test]
fn odd_bytes_where_nobody_looks_are_let_be() {
    for inside in [r#""\u0000""#, r#""\ud800""#, "1e400", "-0", "18446744073709551616", r#""\u001b[2J""#] {
        passes(OCI_INDEX, &format!(r#"{{"manifests":[],"x":{inside}}}"#));
        passes(OCI_CONFIG, &format!(r#"{{"config":{{"Labels":{{"x":{inside}}}}}}}"#));
    }
    // What a message repeats, it repeats without control characters: `read_every_way` looks.
    refused(OCI_INDEX, r#"{"manifests":[],"\u001b[2J":1,"\u001b[2J":2}"#);
    refused(OCI_INDEX, r#"{"mediaType":"\u001b[2J\u0000","manifests":[]}"#);
}

#[test]
fn annotations_hold_any_text_but_no_half_of_one() {
    let with = |value: &str| {
        Index::parse(format!(r#"{{"manifests":[],"annotations":{{"a":{value}}}}}"#).as_bytes())
            .map(|index| index.annotations["a"].clone())
    };
    assert_eq!(with(r#""\u0000""#).unwrap(), "\0");
    assert_eq!(with(r#""\ud83d\ude00""#).unwrap(), "😀");
    assert_eq!(with(r#""""#).unwrap(), "");
    assert!(with(r#""\ud800""#).is_err());
    assert!(with("1").is_err());
    // Of two with one key the last counts, as in Go.
    assert_eq!(with(r#""1","a":"2""#).unwrap(), "2");
}

/// A reader that recurses would need megabytes of stack for these.
#[test]
fn depth_is_no_danger() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(50_000), close.repeat(50_000));
    for nested in [deep("[[", "]]"), deep(r#"{"a":["#, "]}"), deep(r#"[{"a":"#, "}]")] {
        passes(OCI_INDEX, &format!(r#"{{"manifests":[],"x":{nested}}}"#));
        passes(OCI_INDEX, &format!(r#"{{"manifests":[{{{},"x":{nested}}}]}}"#, descriptor()));
        passes(OCI_CONFIG, &format!(r#"{{"config":{{"x":{nested}}}}}"#));
        assert!(Index::parse(format!(r#"{{"manifests":[],"x":{nested}}}"#).as_bytes()).is_ok());
        assert!(Index::parse(format!(r#"{{"manifests":[],"annotations":{nested}}}"#).as_bytes()).is_err());
        assert!(Index::parse(format!(r#"{{"manifests":[],"annotations":{{"a":{nested}}}}}"#).as_bytes()).is_err());
        // Where it matters.
        for place in [
            format!(r#"{{"manifests":{nested}}}"#),
            format!(r#"{{"manifests":[{nested}]}}"#),
            format!(r#"{{"manifests":[{{{},"platform":{nested}}}]}}"#, descriptor()),
            format!(r#"{{"manifests":[],"subject":{nested}}}"#),
            format!(r#"{{"manifests":[],"mediaType":{nested}}}"#),
            nested.clone(),
        ] {
            let _ = read_every_way(place.as_bytes());
        }
    }
    refused(OCI_INDEX, "[".repeat(1 << 20));
    refused(OCI_INDEX, r#"{"manifests":"#.repeat(100_000));
    refused(OCI_MANIFEST, r#"{"subject":"#.repeat(100_000));
}

#[test]
fn length_is_no_danger() {
    let many = |count: usize| (0..count).map(|n| format!(r#""{n}":"""#)).collect::<Vec<_>>().join(",");
    let annotated = format!(r#"{{"manifests":[],"annotations":{{{}}}}}"#, many(1_000_000));
    assert_eq!(check(OCI_INDEX, annotated.as_bytes(), MOST), Ok(()));
    assert_eq!(Index::parse(annotated.as_bytes()).unwrap().annotations.len(), 1_000_000);
    // As keys that nobody knows, which are looked at.
    let unknown = format!(r#"{{"manifests":[],{},"99999":1}}"#, many(100_000));
    assert!(refused(OCI_INDEX, &unknown).contains("twice"));

    // Texts of 1 MiB in every place.
    let long = "x".repeat(1 << 20);
    passes(OCI_INDEX, &format!(r#"{{"manifests":[],"{long}":"{long}"}}"#));
    passes(OCI_INDEX, &format!(r#"{{"manifests":[{{{},"annotations":{{"{long}":"{long}"}}}}]}}"#, descriptor()));
    refused(OCI_INDEX, format!(r#"{{"manifests":[],"{long}":1,"{long}":2}}"#));
    refused(OCI_INDEX, format!(r#"{{"mediaType":"{long}","manifests":[]}}"#));
    refused(OCI_INDEX, format!(r#"{{"schemaVersion":"{long}","manifests":[]}}"#));
    refused(OCI_INDEX, format!(r#"{{"manifests":"{long}"}}"#));
    refused(OCI_INDEX, format!(r#"{{"manifests":[],"x":{}"#, "9".repeat(1 << 20)));
    for descriptor in [
        format!(r#""mediaType":"{long}","digest":"a:b","size":1"#),
        format!(r#""mediaType":"a/b","digest":"{long}","size":1"#),
        format!(r#""mediaType":"a/b","digest":"sha256:{long}","size":1"#),
        format!(r#""mediaType":"a/b","digest":"a:b","size":"{long}""#),
        format!(r#""mediaType":"a/b","digest":"a:b","size":{}"#, "9".repeat(1 << 20)),
        format!(r#""mediaType":"a/b","digest":"a:b","size":1,"platform":"{long}""#),
    ] {
        let document = format!(r#"{{"manifests":[{{{descriptor}}}]}}"#);
        let message = Index::parse(document.as_bytes()).unwrap_err().to_string();
        assert!(message.len() < MESSAGE_MAX, "{message}");
    }
}

#[test]
fn lists_have_a_limit() {
    let list = |count: usize| vec![r#"{"size":1}"#; count].join(",");
    #[rustfmt::skip]
    let rows = [
        // count        at most         passes
        (0,             0,              true),
        (1,             0,              false),
        (1,             1,              true),
        (2,             1,              false),
        (MOST,          MOST,           true),
        (MOST + 1,      MOST,           false),
    ];
    for (count, most, passes) in rows {
        let entries = list(count);
        let index = format!(r#"{{"manifests":[{entries}]}}"#);
        let manifest = format!(r#"{{"layers":[{entries}]}}"#);
        for (media_type, document) in [(OCI_INDEX, &index), (OCI_MANIFEST, &manifest)] {
            match check(media_type, document.as_bytes(), most) {
                Ok(()) => assert!(passes, "{count} of {most}"),
                Err(error) => {
                    assert!(!passes, "{count} of {most}");
                    assert!(error.to_string().contains(&format!("more than {most} entries")), "{error}");
                }
            }
        }
    }
}

//! What of a foreign text may be shown: escaped, short, and without what was secret in the question.
//!
//! Errors and logs are read on terminals and kept in files of other people: no control character of a registry reaches
//! the one, no token the other.

use portolan_oci::media_type;
use serde::Deserialize;
use url::Url;

use crate::text::{at_most, line};

/// Of a body, an error shows at most this many bytes.
const SHOWN: usize = 1 << 10;
/// Secrets shorter than this would take innocent letters with them.
const SECRET: usize = 4;

/// Where a URL leads: scheme, host and port. The rest is for the server to choose, and may be a signature, or the very
/// credentials that it was shown.
pub(super) fn origin(url: &Url) -> String {
    clean(&format!("{}://{}", url.scheme(), authority(url)), &[])
}

/// A Content-Type that is not the right one. Only what can be one is shown, and no more of it than one needs: the server
/// chose it.
pub(super) fn media_type(said: &str) -> String {
    const LONGEST: usize = 100;
    match media_type::valid(said) && said.len() <= LONGEST {
        true => format!("{said:?}"),
        false => "of a Content-Type that is none".to_owned(),
    }
}

/// `host[:port]`.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// `text` with secrets taken out, in one line that does not steer a terminal, and cut at 1 KiB.
pub(super) fn clean(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() >= SECRET) {
        text = text.replace(secret, "***");
    }
    let line = line(&text);
    match at_most(&line, SHOWN) {
        all if all.len() == line.len() => all.to_owned(),
        beginning => format!("{beginning}…"),
    }
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// What an error's body says: the registry's own errors (distribution-spec, "Error Codes"), else its first line.
pub(super) fn body(bytes: &[u8], secrets: &[&str]) -> String {
    let said = match serde_json::from_slice::<Errors>(bytes) {
        Ok(Errors { errors }) => {
            let said = |entry: &Entry| match (entry.code.is_empty(), entry.message.is_empty()) {
                (false, false) => format!("{}: {}", entry.code, entry.message),
                _ => format!("{}{}", entry.code, entry.message),
            };
            errors.iter().take(3).map(said).filter(|said| !said.is_empty()).collect::<Vec<_>>().join("; ")
        }
        Err(_) => {
            let text = String::from_utf8_lossy(bytes);
            text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
        }
    };
    clean(&said, secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        for (bytes, shown) in [
            (
                &br#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository","detail":{"x":1}}]}"#[..],
                "NAME_UNKNOWN: no such repository",
            ),
            (br#"{"errors":[{"code":"A"},{"message":"b"},{},{"code":"D"}]}"#, "A; b"),
            (br#"{"errors":[]}"#, ""),
            (br#"{"errors":null}"#, r#"{"errors":null}"#),
            (b"\n\n  404 page not found \n more", "404 page not found"),
            (b"", ""),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            (b"\x1b[31mred\x07", "\\u{1b}[31mred\\u{7}"),
            ("\u{202e}gnp".as_bytes(), "\\u{202e}gnp"),
            (b"you sent Bearer s3cr3t, really: s3cr3t", "you sent Bearer ***, really: ***"),
        ] {
            assert_eq!(body(bytes, &["s3cr3t", "", "a"]), shown);
        }
    }

    #[test]
    fn short_and_cut_between_characters() {
        for text in ["a".repeat(5000), "é".repeat(5000), "\u{1b}".repeat(5000)] {
            let shown = clean(&text, &[]);
            assert!(shown.len() <= SHOWN + '…'.len_utf8() && shown.ends_with('…'), "{}", shown.len());
        }
    }

    #[test]
    fn urls_say_where_they_lead_and_no_more() {
        for (full, shown) in [
            ("https://u:p@h.example:444/a/b?X-Amz-Signature=1#f", "https://h.example:444"),
            ("http://[::1]:5000/v2/our-own-token/", "http://[::1]:5000"),
        ] {
            assert_eq!(origin(&Url::parse(full).unwrap()), shown);
        }
    }

    #[test]
    fn of_a_content_type_only_what_can_be_one_is_shown() {
        assert_eq!(media_type("text/html"), "\"text/html\"");
        for said in ["text", "text/basic ywrh", &format!("text/{}", "a".repeat(120))] {
            assert_eq!(media_type(said), "of a Content-Type that is none");
        }
    }
}

//! What of a foreign text may be shown: escaped, short, and without what was secret in the question.
//!
//! Errors and logs are read on terminals and kept in files of other people: no control character of a registry reaches
//! the one, no token the other.

use serde::Deserialize;
use url::Url;

use crate::text::{at_most, line};

/// Of a body, an error shows at most this many bytes.
const SHOWN: usize = 1 << 10;
/// Secrets shorter than this would take innocent letters with them.
const SECRET: usize = 4;

/// A URL without what may be secret in it: user, password, query (signed URLs) and fragment.
pub(super) fn url(url: &Url) -> String {
    clean(&format!("{}://{}{}", url.scheme(), authority(url), url.path()), &[])
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
    fn urls_lose_what_is_secret() {
        for (full, shown) in [
            ("https://u:p@h.example:444/a/b?X-Amz-Signature=1#f", "https://h.example:444/a/b"),
            ("http://[::1]:5000/v2/", "http://[::1]:5000/v2/"),
        ] {
            assert_eq!(url(&Url::parse(full).unwrap()), shown);
        }
    }
}

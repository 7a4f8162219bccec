//! What a registry says aside: warnings, and how little it still allows. Each is told once, as a warning of ours.
//!
//! `Warning: 299 - "TEXT"` is how registries speak to people (OCI distribution specification, "Warnings"). How much is left
//! is in `RateLimit-Limit` and `RateLimit-Remaining`, as Docker Hub writes them (`100;w=21600`).

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use reqwest::header::{HeaderMap, WARNING};

use super::text;

const LIMIT: &str = "ratelimit-limit";
const REMAINING: &str = "ratelimit-remaining";
/// Little is a tenth of what there was.
const LITTLE: u64 = 10;
/// More than that is noise: a registry may send warnings by the thousand.
const MOST: usize = 20;
/// What of a warning is shown, in bytes.
const SHOWN: usize = 300;

/// What was told already.
#[derive(Debug, Default)]
pub(super) struct Notices(Mutex<HashSet<String>>);

impl Notices {
    /// Whether there is anything to hear.
    pub(super) fn are_in(headers: &HeaderMap) -> bool {
        headers.contains_key(WARNING) || headers.contains_key(REMAINING)
    }

    /// Hears what the head of an answer says. `secrets` are not repeated.
    pub(super) fn hear(&self, host: &str, headers: &HeaderMap, secrets: &[&str]) {
        let texts = headers.get_all(WARNING).iter().filter_map(|value| value.to_str().ok());
        for said in texts.take(MOST).filter_map(warning) {
            let said = text::clean(portolan_oci::text::at_most(&said, SHOWN), secrets);
            if self.is_new(format!("{host} {said}")) {
                tracing::warn!("{host} says: {said}");
            }
        }
        let number = |name| headers.get(name).and_then(|value| value.to_str().ok()).and_then(allowance);
        if let (Some((most, window)), Some((left, _))) = (number(LIMIT), number(REMAINING))
            && left <= most / LITTLE
            && self.is_new(format!("{host} allows little"))
        {
            let every = window.map_or_else(String::new, |seconds| format!(" every {}", duration(seconds)));
            tracing::warn!("{host} allows {left} more of {most} requests{every}");
        }
    }

    fn is_new(&self, notice: String) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < MOST && told.insert(notice)
    }
}

/// The text of a warning that is meant for people: of code 299, in quotes.
fn warning(value: &str) -> Option<String> {
    let (_agent, rest) = value.trim().strip_prefix("299 ")?.trim_start().split_once(' ')?;
    let mut text = String::new();
    let mut characters = rest.trim_start().strip_prefix('"')?.chars();
    loop {
        match characters.next()? {
            '"' => return Some(text),
            '\\' => text.push(characters.next()?),
            other => text.push(other),
        }
    }
}

/// How many, and the seconds of the window that they are for: `100`, `100;w=21600`.
fn allowance(value: &str) -> Option<(u64, Option<u64>)> {
    let mut parts = value.split(';').map(str::trim);
    let number = parts.next()?.parse().ok()?;
    Some((number, parts.find_map(|part| part.strip_prefix("w=")?.parse().ok())))
}

/// Seconds as people say them.
pub(super) fn duration(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings() {
        for (value, expected) in [
            (
                r#"299 - "Your auth token will expire in 30 seconds.""#,
                Some("Your auth token will expire in 30 seconds."),
            ),
            (
                r#"299 r.example:5000 "quoted \"text\" \\ so" "Sun, 06 Nov 1994 08:49:37 GMT""#,
                Some(r#"quoted "text" \ so"#),
            ),
            (r#"299 - """#, Some("")),
            (r#"110 - "Response is Stale""#, None),
            (r#"299 - unquoted"#, None),
            (r#"299 - "unended"#, None),
            (r#"299 - "unended\"#, None),
            ("299", None),
            ("", None),
        ] {
            assert_eq!(warning(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn allowances() {
        for (value, expected) in [
            ("100;w=21600", Some((100, Some(21_600)))),
            ("100 ; w=60 ; policy=x", Some((100, Some(60)))),
            ("7", Some((7, None))),
            ("7;w=soon", Some((7, None))),
            ("-1", None),
            ("99999999999999999999", None),
            ("", None),
        ] {
            assert_eq!(allowance(value), expected, "{value}");
        }
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (3_599, "59 minutes"),
            (21_600, "6 hours"),
            (172_799, "47 hours"),
            (u64::MAX, "213503982334601 days"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn each_is_told_once_and_not_without_end() {
        let notices = Notices::default();
        assert!(notices.is_new("a".into()) && !notices.is_new("a".into()) && notices.is_new("b".into()));
        let more = (0..1000).filter(|number| notices.is_new(number.to_string())).count();
        assert_eq!(more, MOST - 2);
    }
}

//! What registries say in headers. A header's value is text without line breaks; what is no UTF-8 is no input.

use std::time::{Duration, SystemTime};

use portolan_oci::registry::{challenge as parser, link as links, range, retry_after as wait};
use url::Url;

use crate::is_tame;

/// Lines are headers of one answer.
fn headers(data: &[u8]) -> Option<Vec<&str>> {
    std::str::from_utf8(data).ok().map(|text| text.lines().collect())
}

/// `WWW-Authenticate`: few challenges, of words that a header can have, each scope once; and whatever was understood is
/// understood again.
pub fn challenge(data: &[u8]) {
    let Some(headers) = headers(data) else { return };
    let challenges = parser::parse(headers.iter().copied());
    assert!(challenges.len() <= 10, "{} challenges", challenges.len());
    for challenge in &challenges {
        let scheme = &challenge.scheme;
        assert!(!scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_graphic()), "{scheme:?}");
        assert_eq!(*scheme, scheme.to_ascii_lowercase());
        let scopes = challenge.scopes();
        for (at, scope) in scopes.iter().enumerate() {
            assert!(
                !scope.is_empty() && !scope.contains([' ', '\t']) && !scope.contains(char::is_control),
                "{scope:?}"
            );
            assert!(!scopes[..at].contains(scope), "{scope:?} twice");
        }
        let params = ["realm", "service", "scope"];
        for value in params.iter().filter_map(|name| challenge.param(name)) {
            assert!(!value.contains(|character: char| character.is_control() && character != '\t'), "{value:?}");
        }
        let written: Vec<String> = params
            .into_iter()
            .filter_map(|name| challenge.param(name).map(|value| format!("{name}=\"{}\"", quoted(value))))
            .collect();
        let again = parser::parse([format!("{scheme} {}", written.join(",")).as_str()]);
        let Some(again) = again.first() else { panic!("{scheme:?} is no scheme any more") };
        assert_eq!(again.scheme, *scheme);
        let is_short = written.iter().map(String::len).sum::<usize>() < 8 << 10;
        for name in params.into_iter().filter(|_| is_short) {
            assert_eq!(again.param(name), challenge.param(name), "{name}");
        }
    }
}

fn quoted(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// `Link`: the next page is of the same list at the same server, and another one than this.
pub fn link(data: &[u8]) {
    let Some(headers) = headers(data) else { return };
    for asked in ["https://r.example/v2/a/tags/list?n=2", "http://127.0.0.1:5000/v2/a/referrers/x"] {
        let asked = Url::parse(asked).unwrap();
        match links::next(&asked, headers.iter().copied()) {
            Ok(None) => {}
            Ok(Some(query)) => {
                assert!(!query.is_empty() && query.bytes().all(|byte| byte.is_ascii_graphic()), "{query:?}");
                assert_ne!(Some(query.as_str()), asked.query());
                let mut next = asked.clone();
                next.set_query(Some(&query));
                // Whoever asks for it asks for what was said.
                assert_eq!(next.query(), Some(query.as_str()));
                assert_eq!((next.origin(), next.path()), (asked.origin(), asked.path()));
                assert_eq!((next.username(), next.password(), next.fragment()), ("", None, None));
            }
            Err(message) => assert!(is_tame(&message), "{message:?}"),
        }
    }
}

/// `Content-Range` is taken for what was asked for only where it says so: bytes, from, to, and of how many.
pub fn content_range(data: &[u8]) {
    let Ok(header) = std::str::from_utf8(data) else { return };
    let mut accepted = 0;
    for (part, size) in [((0, 0), 1), ((10, 19), 100), ((0, u64::MAX - 1), u64::MAX)] {
        match range::check(header, part, size) {
            Ok(()) => {
                accepted += 1;
                let numbers: Vec<u64> = header
                    .split(|character: char| !character.is_ascii_digit())
                    .filter_map(|digits| digits.parse().ok())
                    .collect();
                let (first, last) = part;
                let said = if header.contains('*') { vec![first, last] } else { vec![first, last, size] };
                assert_eq!(numbers, said, "{header:?}");
            }
            Err(message) => assert!(is_tame(&message), "{message:?}"),
        }
    }
    assert!(accepted <= 1, "{header:?} cannot be several parts");
    if let Some(arrived) = range::arrived(header) {
        assert!(arrived > 0);
        assert_eq!(range::arrived(&format!("0-{}", arrived - 1)), Some(arrived));
    }
}

/// `Retry-After`: what is a wait is one that ends, later where the same moment is further away.
pub fn retry_after(data: &[u8]) {
    let Ok(header) = std::str::from_utf8(data) else { return };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let Some(seconds) = wait::parse(header, now) else { return };
    let then = wait::parse(header, now + Duration::from_secs(10)).expect("it is a wait at any time");
    let is_relative = header.trim().bytes().all(|byte| byte.is_ascii_digit());
    match seconds {
        _ if is_relative => assert_eq!(then, seconds, "{header:?}"),
        u32::MAX => assert!(then >= u32::MAX - 10),
        _ => assert_eq!(then, seconds.saturating_sub(10), "{header:?}"),
    }
    assert!(SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds.into())).is_some());
}

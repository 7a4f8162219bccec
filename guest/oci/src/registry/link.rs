//! `Link: <…>; rel="next"`: where a list goes on (RFC 8288, as far as registries write it).
//!
//! The URL is the registry's to choose, but only within the list that was asked for: credentials were once sent wherever a
//! `Link` pointed (GHSA-h7vf-4x9w-h99v), and a guest's grant ends at its repository. So what is kept of it is its query,
//! the registry's opaque cursor.

#[cfg(feature = "url")]
use url::Url;

use crate::reference;

/// The query of the next page of `asked`; `None` on the last page. The message says why a link is not followed.
#[cfg(feature = "url")]
pub fn next<'a>(asked: &Url, headers: impl IntoIterator<Item = &'a str>) -> Result<Option<String>, String> {
    let Some(target) = headers.into_iter().find_map(next_target) else { return Ok(None) };
    let url = asked.join(target).map_err(|error| format!("its Link is no URL: {error}"))?;
    if url.origin() != asked.origin() || !url.username().is_empty() || url.password().is_some() {
        return Err("its Link leads to another server".to_owned());
    }
    if url.path() != asked.path() {
        return Err("its Link leads to another list".to_owned());
    }
    match url.query() {
        None | Some("") => Err("its Link leads back to the beginning".to_owned()),
        query if query == asked.query() => Err("its Link leads to the page it is on".to_owned()),
        Some(query) => Ok(Some(query.to_owned())),
    }
}

/// Where a list of tags in pages of `most` goes on behind a full one that has no `Link`: that is optional (distribution-spec,
/// "Listing Tags"), and go-containerregistry's registry has none.
pub fn behind_full(most: usize, tags: &[String]) -> Option<String> {
    let last = tags.last().filter(|last| tags.len() == most && reference::is_tag(last))?;
    Some(format!("n={most}&last={last}"))
}

/// The target of the first link whose relation is `next`.
pub fn next_target(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, opened)) = rest.split_once('<') {
        let (target, after) = opened.split_once('>')?;
        let (params, following) = after.split_once(",").map_or((after, ""), |(params, following)| (params, following));
        if params.split(';').any(is_next) {
            return Some(target);
        }
        rest = following;
    }
    None
}

fn is_next(param: &str) -> bool {
    let Some((name, value)) = param.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_pages() {
        for (tags, expected) in [
            (&["a", "b"][..], Some("n=2&last=b")),
            (&["a"], None),
            (&[], None),
            // Whoever does not know `n` sends all of them.
            (&["a", "b", "c"], None),
            (&["a", "b&x=y"], None),
        ] {
            let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            assert_eq!(behind_full(2, &tags).as_deref(), expected, "{tags:?}");
        }
    }

    #[test]
    fn targets() {
        for (header, expected) in [
            (r#"</a?last=b>; rel="next""#, Some("/a?last=b")),
            (r#"</x>; rel="prev", <?last=b>;REL=Next"#, Some("?last=b")),
            (r#"<?last=b>; rel="prev""#, None),
            ("<?last=b", None),
            ("", None),
        ] {
            assert_eq!(next_target(header), expected, "{header}");
        }
    }

    #[cfg(feature = "url")]
    #[test]
    fn links() {
        let asked = Url::parse("https://r.example/v2/a/tags/list?n=2").unwrap();
        for (header, expected) in [
            (r#"</v2/a/tags/list?n=2&last=b>; rel="next""#, Ok(Some("n=2&last=b"))),
            (r#"<https://r.example/v2/a/tags/list?last=b>; rel=next"#, Ok(Some("last=b"))),
            (r#"<https://r.example:443/v2/a/tags/list?last=b>;title="x";REL="Next""#, Ok(Some("last=b"))),
            (r#"<?last=b%20c>; rel="next""#, Ok(Some("last=b%20c"))),
            (r#"</x>; rel="prev", <?last=b>; rel="next""#, Ok(Some("last=b"))),
            ("", Ok(None)),
            (r#"<?last=b>; rel="prev""#, Ok(None)),
            ("<?last=b>", Ok(None)),
            (r#"<?last=b; rel="next""#, Ok(None)),
            (r#"?last=b; rel="next""#, Ok(None)),
            (r#"<https://evil.example/v2/a/tags/list?last=b>; rel="next""#, Err("its Link leads to another server")),
            (r#"<//evil.example/v2/a/tags/list?last=b>; rel="next""#, Err("its Link leads to another server")),
            (r#"<http://r.example/v2/a/tags/list?last=b>; rel="next""#, Err("its Link leads to another server")),
            (r#"<https://r.example:444/v2/a/tags/list?last=b>; rel="next""#, Err("its Link leads to another server")),
            (r#"<https://u@r.example/v2/a/tags/list?last=b>; rel="next""#, Err("its Link leads to another server")),
            (r#"</v2/b/tags/list?last=b>; rel="next""#, Err("its Link leads to another list")),
            (r#"</v2/a/../b/tags/list?last=b>; rel="next""#, Err("its Link leads to another list")),
            (r#"</v2/a/tags/list>; rel="next""#, Err("its Link leads back to the beginning")),
            (r#"<?n=2>; rel="next""#, Err("its Link leads to the page it is on")),
            (r#"<https://[>; rel="next""#, Err("its Link is no URL: invalid IPv6 address")),
        ] {
            let found = next(&asked, [header]);
            assert_eq!(found.as_ref().map(Option::as_deref).map_err(String::as_str), expected, "{header}");
        }
    }
}

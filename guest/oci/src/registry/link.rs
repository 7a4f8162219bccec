//! `Link: <…>; rel="next"`: where a list goes on (RFC 8288, as far as registries write it).

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
}

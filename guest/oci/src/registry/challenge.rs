//! `WWW-Authenticate`: what a registry wants to see before it answers (RFC 9110 §11.6.1).
//!
//! Pure. Registries write these by hand, so the parser takes what it understands and drops the rest: it never fails. What
//! it found is judged elsewhere (`admission` for a realm, `auth` for everything else).

/// One way to be let in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    /// `bearer`, `basic`, …; lower case.
    pub scheme: String,
    params: Vec<(String, String)>,
}

/// More challenges than any registry has reason to send.
const CHALLENGES: usize = 10;
/// A header longer than this is no challenge but an attack on the reader.
const HEADER: usize = 16 << 10;

impl Challenge {
    /// A parameter; the first one where it is repeated.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The scopes that are asked for, in order, each once.
    pub fn scopes(&self) -> Vec<String> {
        let mut scopes: Vec<String> = Vec::new();
        for scope in self.param("scope").unwrap_or_default().split_ascii_whitespace() {
            if !scopes.iter().any(|known| known == scope) {
                scopes.push(scope.to_owned());
            }
        }
        scopes
    }
}

/// All challenges of all headers, in order.
pub fn parse<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    for header in headers.into_iter().filter(|header| header.len() <= HEADER) {
        parse_header(header, &mut challenges);
    }
    challenges.truncate(CHALLENGES);
    challenges
}

fn parse_header(header: &str, challenges: &mut Vec<Challenge>) {
    let mut rest = header;
    // Parameters before any scheme, or beyond the last challenge we take, belong to nobody.
    let mut current: Option<Challenge> = None;
    while challenges.len() < CHALLENGES {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            break;
        }
        let (word, after) = token(rest);
        if word.is_empty() {
            rest = skip_one(rest);
            continue;
        }
        let (spaceless, separated) = (after.trim_start_matches([' ', '\t']), after.starts_with([' ', '\t', ',']));
        match spaceless.strip_prefix('=') {
            Some(value) => {
                let (value, after) = param_value(value.trim_start_matches([' ', '\t']));
                // What no header can have says nothing; who hands headers on may be less strict than the RFC.
                let value = value.filter(|value| !value.contains(|c: char| c.is_control() && c != '\t'));
                if let (Some(challenge), Some(value)) = (&mut current, value) {
                    challenge.params.push((word.to_ascii_lowercase(), value));
                }
                rest = after;
            }
            None => {
                if separated || after.is_empty() {
                    challenges.extend(current.take());
                    current = Some(Challenge { scheme: word.to_ascii_lowercase(), params: Vec::new() });
                }
                rest = after;
            }
        }
    }
    challenges.extend(current);
}

fn token(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))).unwrap_or(text.len());
    text.split_at(end)
}

/// The value and what follows it; no value where a quote is never closed.
fn param_value(text: &str) -> (Option<String>, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (Some(value.to_owned()), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (Some(value), quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (None, "")
}

fn skip_one(text: &str) -> &str {
    let mut characters = text.chars();
    characters.next();
    characters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(headers: &[&str]) -> String {
        let show = |challenge: &Challenge| {
            let params: Vec<String> = challenge.params.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("{}({})", challenge.scheme, params.join("; "))
        };
        parse(headers.iter().copied()).iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn headers() {
        for (header, expected) in [
            ("", ""),
            (" , ,, ", ""),
            ("Basic", "basic()"),
            ("Basic realm=\"a b\"", "basic(realm=a b)"),
            ("BASIC realm=x", "basic(realm=x)"),
            (
                "Bearer realm=\"https://auth.example/token\",service=\"r.example\",scope=\"repository:a/b:pull\"",
                "bearer(realm=https://auth.example/token; service=r.example; scope=repository:a/b:pull)",
            ),
            ("Bearer realm=\"x\" , service=\"y\"", "bearer(realm=x; service=y)"),
            ("Bearer realm = \"x\"", "bearer(realm=x)"),
            ("Bearer REALM=\"x\"", "bearer(realm=x)"),
            ("Bearer realm=\"a\",scope=\"repository:a:pull,push\"", "bearer(realm=a; scope=repository:a:pull,push)"),
            (r#"Bearer realm="a\"b\\c""#, r#"bearer(realm=a"b\c)"#),
            ("Basic realm=\"x\", Bearer realm=\"y\",service=\"z\"", "basic(realm=x) bearer(realm=y; service=z)"),
            ("Negotiate, Basic realm=\"x\"", "negotiate() basic(realm=x)"),
            ("Bearer realm=\"never closed", "bearer()"),
            ("Bearer realm=\"x\",service=\"never closed, scope=y", "bearer(realm=x)"),
            ("Bearer realm=", "bearer(realm=)"),
            ("Negotiate dG9rZW4=, Basic realm=\"x\"", "negotiate(dg9rzw4=) basic(realm=x)"),
            ("realm=\"x\"", ""),
            ("\u{1F980} Bearer realm=\"x\"", "bearer(realm=x)"),
            ("Bearer realm=\"x\u{b}y\",service=a\0b,scope=\"a\tb\"", "bearer(scope=a\tb)"),
            ("Bearer realm=\"x\",realm=\"y\"", "bearer(realm=x; realm=y)"),
        ] {
            assert_eq!(shown(&[header]), expected, "{header}");
        }
    }

    #[test]
    fn several_headers_and_bounds() {
        assert_eq!(shown(&["Basic realm=a", "Bearer realm=b"]), "basic(realm=a) bearer(realm=b)");
        assert_eq!(parse(["Basic realm=a, Basic realm=b"].repeat(20)).len(), CHALLENGES);
        assert_eq!(parse([format!("Bearer realm=\"{}\"", "a".repeat(64 << 10)).as_str()]), []);
    }

    #[test]
    fn scopes_once_and_in_order() {
        let challenge = parse(["Bearer scope=\"repository:b:pull  repository:a:pull repository:b:pull\""]).remove(0);
        assert_eq!(challenge.scopes(), ["repository:b:pull", "repository:a:pull"]);
        assert_eq!(parse(["Bearer realm=x"]).remove(0).scopes(), [""; 0]);
    }
}

//! `--jq`: a jq expression over a JSON answer.

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
use jaq_json::{Val, read};
use portolan::text;

use crate::exit::Exit;

/// Of what jq says of a failure, so many bytes are shown.
const SAID: usize = 300;

/// What `expression` makes of `document`, each safe to print; texts bare, as scripts want them.
///
/// # Errors
/// An expression that does not parse, or that fails on this document.
pub fn lines(expression: &str, document: &[u8]) -> Result<Vec<String>, Exit> {
    let no_json =
        |error: &dyn std::fmt::Display| Exit::failure(format!("--jq wants a JSON answer, and this is none: {error}"));
    // jaq reads to any depth, and would overflow the stack on a document that nests without end.
    serde_json::from_slice::<serde_json::Value>(document).map_err(|error| no_json(&error))?;
    let input = read::parse_single(document).map_err(|error| no_json(&error))?;
    let arena = Arena::default();
    let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let modules = Loader::new(definitions)
        .load(&arena, File { code: expression, path: () })
        .map_err(|_| Exit::usage(format!("--jq {expression:?} is no jq expression")))?;
    let functions = jaq_core::funs::<data::JustLut<Val>>().chain(jaq_std::funs()).chain(jaq_json::funs());
    let filter = Compiler::default().with_funs(functions).compile(modules).map_err(|errors| {
        let undefined: Vec<String> =
            errors.iter().flat_map(|(_, errors)| errors).map(|(name, _)| (*name).to_owned()).collect();
        Exit::usage(format!("--jq {expression:?}: there is no {}", undefined.join(", ")))
    })?;
    let context = Ctx::<data::JustLut<Val>>::new(&filter.lut, Vars::new([]));
    let mut lines = Vec::new();
    for value in filter.id.run((context, input)).map(unwrap_valr) {
        // It holds the value that did not fit, which may be all of the answer.
        let value = value.map_err(|error| {
            let said = error.to_string();
            let cut = text::at_most(&said, SAID);
            let more = if cut.len() < said.len() { "…" } else { "" };
            Exit::failure(format!("--jq {expression:?}: {cut}{more}"))
        })?;
        lines.push(match &value {
            Val::TStr(bytes) | Val::BStr(bytes) => text::block(&String::from_utf8_lossy(bytes)).into_owned(),
            other => text::json(&other.to_string()).into_owned(),
        });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_and_prints() {
        let document = br#"{"images":[{"platform":"linux/amd64","size":3},{"platform":"linux/arm64","size":null}]}"#;
        let table: [(&str, &[&str]); 4] = [
            (".images[].platform", &["linux/amd64", "linux/arm64"]),
            (".images[0]", &[r#"{"platform":"linux/amd64","size":3}"#]),
            ("[.images[].size]", &["[3,null]"]),
            (".images | length", &["2"]),
        ];
        for (expression, expected) in table {
            assert_eq!(lines(expression, document).unwrap(), expected, "{expression}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for expression in [".[", "nothing_of_that_name", ".images + 1"] {
            assert!(lines(expression, br#"{"images":[]}"#).is_err(), "{expression}");
        }
        assert!(lines(".", b"text").is_err());
        let long = format!(r#"{{"images":["{}"]}}"#, "x".repeat(5_000));
        let said = format!("{:?}", lines(".images + 1", long.as_bytes()).unwrap_err());
        assert!(said.len() < 500 && said.contains('…'), "{said}");
        let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
        assert!(lines(".", deep.as_bytes()).is_err());
    }
}

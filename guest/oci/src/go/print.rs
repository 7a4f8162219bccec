//! Writing JSON as Go's `json.MarshalIndent(v, "", "  ")` does.

use super::{Malformed, Value};

/// The value as text: two spaces of indentation, Go's escapes, no newline at the end.
pub fn print(value: &Value<'_>) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn newline(indent: usize, out: &mut String) {
    out.push('\n');
    for _ in 0..indent {
        out.push_str("  ");
    }
}

fn write(value: &Value<'_>, indent: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(text) => out.push_str(text),
        Value::Text(text) => quote(text, out),
        Value::List(items) if items.is_empty() => out.push_str("[]"),
        Value::List(items) => {
            for (place, item) in items.iter().enumerate() {
                out.push(if place == 0 { '[' } else { ',' });
                newline(indent + 1, out);
                write(item, indent + 1, out);
            }
            newline(indent, out);
            out.push(']');
        }
        Value::Map(members) if members.is_empty() => out.push_str("{}"),
        Value::Map(members) => {
            for (place, (key, member)) in members.iter().enumerate() {
                out.push(if place == 0 { '{' } else { ',' });
                newline(indent + 1, out);
                quote(key, out);
                out.push_str(": ");
                write(member, indent + 1, out);
            }
            newline(indent, out);
            out.push('}');
        }
    }
}

/// A string with Go's escapes: HTML's three, and the two line ends that JavaScript knows and JSON does not.
fn quote(text: &str, out: &mut String) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                out.push_str("\\u");
                for shift in [12, 8, 4, 0] {
                    let digit = (u32::from(c) >> shift) & 0xf;
                    out.extend(HEX.get(digit as usize));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A number's text as Go prints it after it was a float64: the shortest digits that mean the same, an exponent only below
/// 1e-6 and from 1e21 on.
pub fn float(text: &str) -> Result<String, Malformed> {
    let refuse = || Malformed { place: text.chars().take(40).collect(), what: "a number that no float64 holds" };
    let value: f64 = text.parse().map_err(|_| refuse())?;
    if !value.is_finite() {
        return Err(refuse());
    }
    let size = value.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return Ok(value.to_string());
    }
    let short = format!("{value:e}");
    // Rust writes 1e21 where Go writes 1e+21; below zero both write 1e-7.
    Ok(match short.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => short,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Value, read};
    use super::*;

    /// Checked against `json.MarshalIndent` of Go 1.26.
    #[test]
    fn strings_have_gos_escapes() {
        for (text, wanted) in [
            ("plain é 😀", r#""plain é 😀""#),
            ("\"\\/", r#""\"\\/""#),
            ("<a>&", r#""\u003ca\u003e\u0026""#),
            ("\u{8}\u{c}\n\r\t", r#""\b\f\n\r\t""#),
            ("\0\u{1}\u{1f}\u{7f}", "\"\\u0000\\u0001\\u001f\u{7f}\""),
            ("\u{2028}\u{2029}", r#""\u2028\u2029""#),
            ("\u{fffd}", "\"\u{fffd}\""),
        ] {
            assert_eq!(print(&Value::Text(text.into())), wanted);
        }
    }

    /// Checked against `json.Marshal` of what `json.Unmarshal` made of it in an `any`, Go 1.26.
    #[test]
    fn numbers_become_float64() {
        for (text, wanted) in [
            ("0", "0"),
            ("-0", "-0"),
            ("1", "1"),
            ("1.0", "1"),
            ("-1.50", "-1.5"),
            ("1e2", "100"),
            ("5000000000", "5000000000"),
            ("9007199254740993", "9007199254740992"),
            ("18446744073709551615", "18446744073709552000"),
            ("1e20", "100000000000000000000"),
            ("1e21", "1e+21"),
            ("123456789012345678901234", "1.2345678901234569e+23"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1e-7"),
            ("-1.25e-9", "-1.25e-9"),
            ("0.1", "0.1"),
            ("5e-324", "5e-324"),
            ("1e-400", "0"),
        ] {
            assert_eq!(float(text).as_deref(), Ok(wanted), "{text}");
        }
        assert!(float("1e400").is_err());
    }

    #[test]
    fn values_are_indented_and_sorted_as_go_does() {
        for (json, wanted) in [
            ("null", "null"),
            ("[ ]", "[]"),
            ("{ }", "{}"),
            ("[true,false,[1]]", "[\n  true,\n  false,\n  [\n    1\n  ]\n]"),
            (r#"{"b":1.0,"a":{"x":[]},"B":2}"#, "{\n  \"B\": 2,\n  \"a\": {\n    \"x\": []\n  },\n  \"b\": 1\n}"),
            (r#"{"a":1,"a":2,"a":3}"#, "{\n  \"a\": 3\n}"),
        ] {
            let value = read(json.as_bytes()).and_then(Value::through_any);
            assert_eq!(value.map(|value| print(&value)).as_deref(), Ok(wanted), "{json}");
        }
    }
}

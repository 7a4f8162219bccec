//! Reading JSON as Go does. Numbers keep their text, since what becomes of them depends on where they stand.

use super::Value;
use std::borrow::Cow;
use std::fmt;

/// How deep values may nest. Go allows 10 000; a guest's stack does not, and no document comes near this.
const DEPTH: usize = 512;

/// Why a text is not the JSON it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where in the text, in bytes; where in the document, for a value of the wrong kind.
    pub place: String,
    /// What is wrong there.
    pub what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.what, self.place)
    }
}

impl std::error::Error for Malformed {}

/// Reads one JSON value.
///
/// # Errors
/// A text that is not JSON, has something after its value, or nests deeper than `DEPTH` levels.
pub fn read(text: &[u8]) -> Result<Value<'_>, Malformed> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => reader.fail("unexpected text after the value"),
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn fail<T>(&self, what: &'static str) -> Result<T, Malformed> {
        Err(Malformed { place: format!("byte {}", self.at), what })
    }

    /// The byte at hand, white space or not.
    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.byte()
    }

    fn since(&self, start: usize) -> &'a [u8] {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, Malformed> {
        if depth > DEPTH {
            return self.fail("values nest too deep");
        }
        match self.peek() {
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => self.fail("no JSON value"),
            None => self.fail("unexpected end"),
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, Malformed> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            Ok(value)
        } else {
            self.fail("no JSON value")
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value<'a>, Malformed> {
        self.at += 1;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::List(items));
                }
                _ => return self.fail("no , or ] after an array's item"),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value<'a>, Malformed> {
        self.at += 1;
        let mut members = Vec::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Map(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.fail("no key");
            }
            let key = self.string()?;
            if self.peek() != Some(b':') {
                return self.fail("no : after a key");
            }
            self.at += 1;
            members.push((key, self.value(depth + 1)?));
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Map(members));
                }
                _ => return self.fail("no , or } after an object's member"),
            }
        }
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { self.fail("no digit") } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Cow<'a, str>, Malformed> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(lossy(self.since(start)))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Malformed> {
        self.at += 1;
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut run = start;
        loop {
            match self.byte() {
                Some(b'"') => {
                    let rest = lossy(self.since(run));
                    self.at += 1;
                    return Ok(match owned {
                        None => rest,
                        Some(head) => Cow::Owned(head + &rest),
                    });
                }
                Some(b'\\') => {
                    let before = lossy(self.since(run));
                    let head = owned.get_or_insert_default();
                    head.push_str(&before);
                    self.at += 1;
                    let unescaped = self.escape()?;
                    owned.get_or_insert_default().push(unescaped);
                    run = self.at;
                }
                Some(0..=0x1f) => return self.fail("a control character in a string"),
                Some(_) => self.at += 1,
                None => return self.fail("unexpected end"),
            }
        }
    }

    /// What follows a backslash. A surrogate without its other half becomes U+FFFD, as in Go.
    fn escape(&mut self) -> Result<char, Malformed> {
        let Some(byte) = self.byte() else { return self.fail("unexpected end") };
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex()?;
                if !(0xd800..0xdc00).contains(&high) {
                    return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                let here = self.at;
                if self.text.get(here..).is_some_and(|rest| rest.starts_with(b"\\u")) {
                    self.at += 2;
                    let low = self.hex()?;
                    if (0xdc00..0xe000).contains(&low) {
                        let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                        return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    self.at = here;
                }
                char::REPLACEMENT_CHARACTER
            }
            _ => return self.fail("an unknown escape"),
        })
    }

    fn hex(&mut self) -> Result<u32, Malformed> {
        let mut code = 0;
        for _ in 0..4 {
            match self.byte().and_then(|byte| char::from(byte).to_digit(16)) {
                Some(digit) => code = code * 16 + digit,
                None => return self.fail("an escape without four hex digits"),
            }
            self.at += 1;
        }
        Ok(code)
    }
}

/// Bytes as text; each byte that is not UTF-8 becomes one U+FFFD, as in Go (Rust's own way makes one of several).
fn lossy(mut bytes: &[u8]) -> Cow<'_, str> {
    let mut owned = String::new();
    loop {
        match std::str::from_utf8(bytes) {
            Ok(text) if owned.is_empty() => return Cow::Borrowed(text),
            Ok(text) => return Cow::Owned(owned + text),
            Err(error) => {
                let (good, rest) = bytes.split_at(error.valid_up_to());
                owned.push_str(std::str::from_utf8(good).unwrap_or_default());
                let bad = error.error_len().unwrap_or(rest.len());
                owned.extend(std::iter::repeat_n(char::REPLACEMENT_CHARACTER, bad));
                bytes = rest.get(bad..).unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read_as_go_reads_them() {
        for (json, wanted) in [
            (&br#""plain""#[..], "plain"),
            (br#""a\"b\\c\/d\b\f\n\r\t""#, "a\"b\\c/d\u{8}\u{c}\n\r\t"),
            (br#""\u0041\u00e9""#, "Aé"),
            (br#""\ud83d\ude00""#, "😀"),
            (br#""\ud83d""#, "\u{fffd}"),
            (br#""\ud83dx""#, "\u{fffd}x"),
            (br#""\ud83d\u0041""#, "\u{fffd}A"),
            (br#""\udc00""#, "\u{fffd}"),
            (b"\"a\xff\xe2\x82z\"", "a\u{fffd}\u{fffd}\u{fffd}z"),
            (b"\"\xe2\x82\"", "\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(read(json), Ok(Value::Text(wanted.into())), "{}", String::from_utf8_lossy(json));
        }
    }

    #[test]
    fn what_is_not_json_is_refused_and_says_where() {
        for (json, wanted) in [
            ("", "unexpected end at byte 0"),
            ("{", "no key at byte 1"),
            ("[1,]", "no JSON value at byte 3"),
            ("[1 2]", "no , or ] after an array's item at byte 3"),
            (r#"{"a" 1}"#, "no : after a key at byte 5"),
            (r#"{"a":1"#, "no , or } after an object's member at byte 6"),
            ("01", "unexpected text after the value at byte 1"),
            ("1.", "no digit at byte 2"),
            ("1e", "no digit at byte 2"),
            ("-", "no digit at byte 1"),
            ("\"\n\"", "a control character in a string at byte 1"),
            (r#""\x""#, "an unknown escape at byte 3"),
            (r#""\u12g4""#, "an escape without four hex digits at byte 5"),
            (r#""open"#, "unexpected end at byte 5"),
            ("nul", "no JSON value at byte 0"),
        ] {
            assert_eq!(read(json.as_bytes()).map_err(|error| error.to_string()), Err(wanted.to_owned()), "{json}");
        }
    }

    #[test]
    fn nesting_ends_before_the_stack_does() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(read(nested(DEPTH + 1).as_bytes()).is_ok());
        assert_eq!(read(nested(DEPTH + 2).as_bytes()).map_err(|error| error.what), Err("values nest too deep"));
        assert!(read("[".repeat(4_000_000).as_bytes()).is_err());
    }
}

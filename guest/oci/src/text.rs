//! Text from a registry or a guest, made safe to show: it may neither move the cursor, nor colour, nor reorder what a
//! person reads.

use std::borrow::Cow;
use std::fmt::Write as _;

/// One line: every control character is escaped, line breaks and tabs too.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// Several lines: line breaks and tabs stay, every other control character is escaped.
pub fn block(text: &str) -> Cow<'_, str> {
    escape(text, |character| matches!(character, '\n' | '\t'))
}

/// JSON, whose value stays the same: as [`block`], in JSON's own spelling.
pub fn json(text: &str) -> Cow<'_, str> {
    let dangerous = |character: char| !matches!(character, '\n' | '\t') && steers(character);
    if !text.contains(dangerous) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match dangerous(character) {
            // Such a character can only be part of a string, and all of them fit into four digits.
            true => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            false => out.push(character),
        }
    }
    Cow::Owned(out)
}

/// As much of `text` as fits into `bytes`, whole characters only.
pub fn at_most(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

fn escape(text: &str, keep: fn(char) -> bool) -> Cow<'_, str> {
    let dangerous = |character: char| !keep(character) && steers(character);
    let Some(first) = text.find(dangerous) else { return Cow::Borrowed(text) };
    let (clean, rest) = text.split_at(first);
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(clean);
    for character in rest.chars() {
        match character {
            _ if !dangerous(character) => out.push(character),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
        }
    }
    Cow::Owned(out)
}

/// C0, DEL and C1 controls; line and paragraph separators; the marks that change the direction of writing.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_steers() {
        for (text, as_line, as_block) in [
            ("plain ümläut 漢", "plain ümläut 漢", "plain ümläut 漢"),
            ("a\tb\nc", "a\\tb\\nc", "a\tb\nc"),
            ("a\r\nb", "a\\r\\nb", "a\\r\nb"),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("\u{9b}31m \u{7f}\0", "\\u{9b}31m \\u{7f}\\u{0}", "\\u{9b}31m \\u{7f}\\u{0}"),
            ("exe\u{202e}gnp", "exe\\u{202e}gnp", "exe\\u{202e}gnp"),
        ] {
            assert_eq!(line(text), as_line);
            assert_eq!(block(text), as_block);
        }
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "a": "\u{9b}31m\u{7f}\u{202e}", "b": "\u{1b}" });
        let printed = value.to_string();
        let escaped = json(&printed);
        assert!(!escaped.contains(steers));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(at_most("häß", 2), "h");
        assert_eq!(at_most("häß", 3), "hä");
        assert_eq!(at_most("häß", 99), "häß");
    }
}

//! What JSON documents say, compared: by key, whatever the order and the spelling, down to what has no keys.
//!
//! Values are [`go::Value`]s, which lose nothing: numbers keep their text. Of a key that is there twice the last one counts,
//! as it does to every program that runs images.

use portolan_oci::go::{self, Value};
use portolan_sdk::Failure;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Something that the two sides do not say alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Where: keys from the document down.
    pub path: Vec<String>,
    /// What the one says, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<Value<'static>>,
    /// What the other says, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<Value<'static>>,
}

/// Reads a document; `what` is what it is, for who reads the message.
///
/// # Errors
/// Bytes that are no JSON.
pub fn read<'a>(what: impl std::fmt::Display, bytes: &'a [u8]) -> Result<Value<'a>, Failure> {
    go::read(bytes).map_err(|error| Failure::malformed(format!("{what} is no JSON: {error}")))
}

/// What a view of a document says.
///
/// # Errors
/// None that a descriptor could cause.
pub fn of(view: &impl Serialize) -> Result<Value<'static>, Failure> {
    let json = serde_json::to_vec(view).map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?;
    Ok(owned(&read("a view", &json)?))
}

/// The value without these members.
pub fn without<'a>(value: Value<'a>, keys: &[&str]) -> Value<'a> {
    match value {
        Value::Map(mut members) => {
            members.retain(|(key, _)| !keys.contains(&key.as_ref()));
            Value::Map(members)
        }
        other => other,
    }
}

/// The members of an object, of which null says as much as none. Go writes empty lists and maps so.
pub fn members<'v, 'a>(value: &'v Value<'a>) -> Option<BTreeMap<&'v str, &'v Value<'a>>> {
    match value {
        Value::Map(members) => {
            let mut last: BTreeMap<&str, &Value<'_>> =
                members.iter().map(|(key, value)| (key.as_ref(), value)).collect();
            last.retain(|_, value| **value != Value::Null);
            Some(last)
        }
        _ => None,
    }
}

/// Adds what differs between two values at `path`.
pub fn differ(path: &[&str], a: Option<&Value<'_>>, b: Option<&Value<'_>>, changes: &mut Vec<Change>) {
    let said = |value: Option<&Value<'_>>| value.is_some_and(|value| *value != Value::Null);
    let (a, b) = (a.filter(|value| said(Some(value))), b.filter(|value| said(Some(value))));
    let keys = |value: Option<&Value<'_>>| match value {
        Some(value) => members(value).map(|members| members.keys().map(|key| (*key).to_owned()).collect()),
        None => Some(BTreeSet::new()),
    };
    let (keys_of_a, keys_of_b): (Option<BTreeSet<String>>, Option<BTreeSet<String>>) = (keys(a), keys(b));
    match (keys_of_a, keys_of_b) {
        // Two objects, or one where the other side has nothing: key by key. That an empty one is there is all that it says.
        (Some(of_a), Some(of_b)) if (a.is_some() && b.is_some()) || !(of_a.is_empty() && of_b.is_empty()) => {
            let (a, b) = (a.and_then(members).unwrap_or_default(), b.and_then(members).unwrap_or_default());
            for key in of_a.union(&of_b) {
                let path: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
                differ(&path, a.get(key.as_str()).copied(), b.get(key.as_str()).copied(), changes);
            }
        }
        _ if a.map(canonical) == b.map(canonical) => {}
        _ => changes.push(Change {
            path: path.iter().map(|&key| key.to_owned()).collect(),
            a: a.map(owned),
            b: b.map(owned),
        }),
    }
}

/// One text for all spellings of a value.
pub fn canonical(value: &Value<'_>) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value<'_>, text: &mut String) {
    // Strings and numbers cannot fail to be written.
    let plain = |value: &Value<'_>| serde_json::to_string(value).unwrap_or_default();
    match value {
        Value::List(items) => {
            text.push('[');
            for item in items {
                write_canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Map(_) => {
            text.push('{');
            for (key, value) in members(value).unwrap_or_default() {
                text.push_str(&plain(&Value::Text(Cow::Borrowed(key))));
                text.push(':');
                write_canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        other => text.push_str(&plain(other)),
    }
}

/// The same value on its own.
pub fn owned(value: &Value<'_>) -> Value<'static> {
    let text = |text: &str| Cow::Owned(text.to_owned());
    match value {
        Value::Null => Value::Null,
        Value::Bool(bool) => Value::Bool(*bool),
        Value::Number(number) => Value::Number(text(number)),
        Value::Text(said) => Value::Text(text(said)),
        Value::List(items) => Value::List(items.iter().map(owned).collect()),
        Value::Map(members) => Value::Map(members.iter().map(|(key, value)| (text(key), owned(value))).collect()),
    }
}

/// A list of `KEY=VALUE` as an object: what counts of an environment is not the order. A key that is there several times has
/// a list of its values, one without `=` an empty object. Any other list stays as it is.
pub fn by_key(list: Value<'_>) -> Value<'_> {
    let Value::List(items) = &list else { return list };
    let mut keyed: BTreeMap<&str, Vec<Value<'_>>> = BTreeMap::new();
    for item in items {
        let Value::Text(text) = item else { return list };
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Value::Text(Cow::Owned(value.to_owned()))),
            None => (text.as_ref(), Value::Map(Vec::new())),
        };
        keyed.entry(key).or_default().push(value);
    }
    let members = keyed.into_iter().map(|(key, mut values)| {
        let only = if values.len() == 1 { values.pop() } else { None };
        (Cow::Owned(key.to_owned()), only.unwrap_or(Value::List(values)))
    });
    Value::Map(members.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(a: &str, b: &str) -> Vec<String> {
        let mut changes = Vec::new();
        let (a, b) = (go::read(a.as_bytes()).unwrap(), go::read(b.as_bytes()).unwrap());
        differ(&[], Some(&a), Some(&b), &mut changes);
        let side = |value: &Option<Value<'_>>| value.as_ref().map_or("-".into(), canonical);
        changes.iter().map(|it| format!("{}: {} {}", it.path.join("."), side(&it.a), side(&it.b))).collect()
    }

    #[test]
    fn what_is_said_is_compared_and_not_how() {
        for (a, b, expected) in [
            (r#"{"a":1,"b":[2]}"#, r#"{ "b": [2], "a": 1 }"#, &[][..]),
            (r#"{"a":null}"#, "{}", &[]),
            (r#"{"a":"\u0041"}"#, r#"{"a":"A"}"#, &[]),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#, &[]),
            (r#"{"a":[{"x":1,"y":2}]}"#, r#"{"a":[{"y":2,"x":1,"z":null}]}"#, &[]),
            (r#"{"a":{}}"#, r#"{"a":{}}"#, &[]),
            (r#"{"a":{}}"#, "{}", &["a: {} -"]),
            (r#"{"a":{"b":{}}}"#, "{}", &["a.b: {} -"]),
            (r#"{"a":{"b":{}}}"#, r#"{"a":{}}"#, &["a.b: {} -"]),
            (r#"{"a":{"b":1}}"#, r#"{"a":3}"#, &["a: {\"b\":1,} 3"]),
            (r#"{"a":""}"#, "{}", &["a: \"\" -"]),
            (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#, &["a: [1,2,] [2,1,]"]),
            // Numbers that no float64 tells apart.
            (
                r#"{"a":18446744073709551617}"#,
                r#"{"a":18446744073709551618}"#,
                &["a: 18446744073709551617 18446744073709551618"],
            ),
        ] {
            assert_eq!(changes(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn an_environment_is_a_set() {
        for (list, expected) in [
            (r#"["B=2","A=1=1"]"#, r#"{"A":"1=1","B":"2",}"#),
            (r#"["A=1","B=","A=2","C"]"#, r#"{"A":["1","2",],"B":"","C":{},}"#),
            (r#"["A=1",3]"#, r#"["A=1",3,]"#),
            ("null", "null"),
        ] {
            assert_eq!(canonical(&by_key(go::read(list.as_bytes()).unwrap())), expected);
        }
    }
}

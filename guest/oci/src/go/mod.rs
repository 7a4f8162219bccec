//! JSON as Go programs read and write it, for what has to be equal to what they print: `inspect --format imagetools`, and
//! the documents that `create` makes.
//!
//! `docker buildx imagetools` is a Go program: what it prints is what `encoding/json` makes of image-spec's Go structs.
//! To be equal to it key for key takes its reader (numbers become float64, invalid UTF-8 becomes U+FFFD, keys of structs
//! match in any case), its structs (unknown fields vanish, empty ones are left out, the order is the struct's) and its
//! writer (escapes, indentation, exponents). Each has a file here.
//!
//! Not for Portolan's own JSON: that says everything a document says, and is written by `serde_json`.

mod print;
mod read;
mod shape;

pub use print::print;
pub use read::{Malformed, read};
pub use shape::{DESCRIPTOR, Field, IMAGE, INDEX, Keep, Shape, WHOLE_INDEX};

use std::borrow::Cow;

use serde::{Serialize, Serializer};

/// A JSON value. Strings borrow from the document, objects keep order and duplicates, numbers stay as they were written.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`, which Go leaves out or ignores nearly everywhere.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number's text.
    Number(Cow<'a, str>),
    /// A string, without its escapes.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Value<'a>>),
    /// An object: members in the order they stand in.
    Map(Vec<(Cow<'a, str>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// The member named `key`, as a Go struct's field finds it: in any case, and the last one counts.
    pub fn member(&self, key: &str) -> Option<&Value<'a>> {
        match self {
            Value::Map(members) => {
                members.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// Takes the member named `key` out, found as by [`Value::member`].
    pub fn take(self, key: &str) -> Option<Value<'a>> {
        match self {
            Value::Map(members) => {
                members.into_iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// What Go makes of a value that it reads into `any` and writes again: keys sorted by byte, the last of equal keys
    /// kept, numbers as float64.
    ///
    /// # Errors
    /// A number that no float64 holds.
    pub fn through_any(self) -> Result<Value<'a>, Malformed> {
        Ok(match self {
            Value::Number(text) => Value::Number(Cow::Owned(print::float(&text)?)),
            Value::List(items) => {
                Value::List(items.into_iter().map(Value::through_any).collect::<Result<Vec<_>, _>>()?)
            }
            Value::Map(members) => {
                let mut sorted = Vec::with_capacity(members.len());
                // Last first, so that the stable sort puts the one that counts before those it overwrites.
                for (key, value) in members.into_iter().rev() {
                    sorted.push((key, value.through_any()?));
                }
                sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
                sorted.dedup_by(|(later, _), (kept, _)| later == kept);
                Value::Map(sorted)
            }
            other => other,
        })
    }
}

/// As it was read: order, duplicates and the text of numbers are kept.
impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(bool) => serializer.serialize_bool(*bool),
            Value::Number(text) => match serde_json::value::RawValue::from_string(text.clone().into_owned()) {
                Ok(number) => number.serialize(serializer),
                Err(error) => Err(serde::ser::Error::custom(error)),
            },
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(items) => serializer.collect_seq(items),
            Value::Map(members) => serializer.collect_map(members.iter().map(|(key, value)| (key, value))),
        }
    }
}

/// The text that Go prints of a value in one of its structs.
///
/// # Errors
/// A value that does not fit the struct.
pub fn text(value: &impl Serialize, shape: &Shape) -> Result<String, Malformed> {
    let json = serde_json::to_vec(value)
        .map_err(|error| Malformed { place: error.to_string(), what: "a value that is no JSON" })?;
    Ok(print(&shape.through(Some(&read(&json)?))?))
}

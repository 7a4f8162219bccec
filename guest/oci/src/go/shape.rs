//! image-spec's Go structs as tables, and what Go's decoder followed by its encoder makes of a value in them.

use super::{Malformed, Value};
use std::borrow::Cow;

/// Whether an empty value is printed: `omitempty` or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Printed even where the document does not have it, as Go's zero value.
    Always,
    /// Left out where it is empty.
    NonEmpty,
}

/// What a Go field holds.
#[derive(Debug)]
pub enum Shape {
    /// `string`, and `digest.Digest`.
    Text,
    /// `int64`.
    Int,
    /// `bool`.
    Bool,
    /// `*time.Time`.
    Time,
    /// `[]byte`.
    Bytes,
    /// `map[string]string`.
    Texts,
    /// `map[string]struct{}`.
    Set,
    /// A slice.
    List(&'static Shape),
    /// A struct, or a pointer to one where it is kept only if there.
    Struct(&'static [Field]),
}

/// A field of a Go struct.
#[derive(Debug)]
pub struct Field {
    name: &'static str,
    keep: Keep,
    shape: Shape,
}

const fn always(name: &'static str, shape: Shape) -> Field {
    Field { name, keep: Keep::Always, shape }
}

const fn some(name: &'static str, shape: Shape) -> Field {
    Field { name, keep: Keep::NonEmpty, shape }
}

const TEXTS: Shape = Shape::List(&Shape::Text);

const ARCHITECTURE: Field = always("architecture", Shape::Text);
const OS: Field = always("os", Shape::Text);
const OS_VERSION: Field = some("os.version", Shape::Text);
const OS_FEATURES: Field = some("os.features", TEXTS);
const VARIANT: Field = some("variant", Shape::Text);

const PLATFORM: &[Field] = &[ARCHITECTURE, OS, OS_VERSION, OS_FEATURES, VARIANT];

/// `v1.Descriptor`.
pub const DESCRIPTOR: Shape = Shape::Struct(&[
    always("mediaType", Shape::Text),
    always("digest", Shape::Text),
    always("size", Shape::Int),
    some("urls", TEXTS),
    some("annotations", Shape::Texts),
    some("data", Shape::Bytes),
    some("platform", Shape::Struct(PLATFORM)),
    some("artifactType", Shape::Text),
]);

/// `v1.Index`, without the fields that buildx does not show.
pub const INDEX: Shape = Shape::Struct(&[
    always("schemaVersion", Shape::Int),
    some("mediaType", Shape::Text),
    always("manifests", Shape::List(&DESCRIPTOR)),
    some("annotations", Shape::Texts),
]);

/// `v1.Index`, all of it.
pub const WHOLE_INDEX: Shape = Shape::Struct(&[
    always("schemaVersion", Shape::Int),
    some("mediaType", Shape::Text),
    some("artifactType", Shape::Text),
    always("manifests", Shape::List(&DESCRIPTOR)),
    some("subject", DESCRIPTOR),
    some("annotations", Shape::Texts),
]);

const IMAGE_CONFIG: &[Field] = &[
    some("User", Shape::Text),
    some("ExposedPorts", Shape::Set),
    some("Env", TEXTS),
    some("Entrypoint", TEXTS),
    some("Cmd", TEXTS),
    some("Volumes", Shape::Set),
    some("WorkingDir", Shape::Text),
    some("Labels", Shape::Texts),
    some("StopSignal", Shape::Text),
    some("ArgsEscaped", Shape::Bool),
];

const ROOT_FS: &[Field] = &[always("type", Shape::Text), always("diff_ids", TEXTS)];

const HISTORY: &[Field] = &[
    some("created", Shape::Time),
    some("created_by", Shape::Text),
    some("author", Shape::Text),
    some("comment", Shape::Text),
    some("empty_layer", Shape::Bool),
];

/// `v1.Image`. `omitempty` does nothing to the struct in `config`.
pub const IMAGE: Shape = Shape::Struct(&[
    some("created", Shape::Time),
    some("author", Shape::Text),
    ARCHITECTURE,
    OS,
    OS_VERSION,
    OS_FEATURES,
    VARIANT,
    always("config", Shape::Struct(IMAGE_CONFIG)),
    always("rootfs", Shape::Struct(ROOT_FS)),
    some("history", Shape::List(&Shape::Struct(HISTORY))),
]);

impl Shape {
    /// What Go prints of `value` once it was read into this shape; `None` is a value that is not there.
    ///
    /// # Errors
    /// A value of another kind, where Go's decoder fails too.
    pub fn through<'a>(&self, value: Option<&Value<'a>>) -> Result<Value<'a>, Malformed> {
        let value = value.filter(|value| **value != Value::Null);
        let refuse = |what| Err(Malformed { place: String::new(), what });
        Ok(match self {
            Shape::Text => match value {
                None => Value::Text(Cow::Borrowed("")),
                Some(Value::Text(text)) => Value::Text(text.clone()),
                Some(_) => return refuse("no string"),
            },
            Shape::Int => match value {
                None => Value::Number(Cow::Borrowed("0")),
                Some(Value::Number(text)) => match text.parse::<i64>() {
                    Ok(number) => Value::Number(Cow::Owned(number.to_string())),
                    Err(_) => return refuse("no whole number of 64 bits"),
                },
                Some(_) => return refuse("no number"),
            },
            Shape::Bool => match value {
                None => Value::Bool(false),
                Some(Value::Bool(bool)) => Value::Bool(*bool),
                Some(_) => return refuse("neither true nor false"),
            },
            Shape::Time => match value {
                None => Value::Null,
                Some(Value::Text(text)) => match time(text) {
                    Some(time) => Value::Text(Cow::Owned(time)),
                    None => return refuse("no time as RFC 3339 has it"),
                },
                Some(_) => return refuse("no time"),
            },
            Shape::Bytes => match value {
                None => Value::Null,
                // Go's decoder skips line ends in base64 and its encoder writes none.
                Some(Value::Text(text)) => Value::Text(Cow::Owned(text.replace(['\r', '\n'], ""))),
                Some(_) => return refuse("no base64"),
            },
            Shape::Texts => sorted(value, |value| Shape::Text.through(Some(value)))?,
            Shape::Set => sorted(value, |value| Shape::Struct(&[]).through(Some(value)))?,
            Shape::List(shape) => match value {
                None => Value::Null,
                Some(Value::List(items)) => {
                    let mut printed = Vec::with_capacity(items.len());
                    for (place, item) in items.iter().enumerate() {
                        printed.push(shape.through(Some(item)).map_err(|error| error.inside(&format!("[{place}]")))?);
                    }
                    Value::List(printed)
                }
                Some(_) => return refuse("no array"),
            },
            Shape::Struct(fields) => match value {
                None | Some(Value::Map(_)) => {
                    let mut printed = Vec::with_capacity(fields.len());
                    for field in *fields {
                        let member = value.and_then(|value| value.member(field.name));
                        if let Some(member) = field.through(member)? {
                            printed.push((Cow::Borrowed(field.name), member));
                        }
                    }
                    Value::Map(printed)
                }
                Some(_) => return refuse("no object"),
            },
        })
    }
}

impl Field {
    fn through<'a>(&self, value: Option<&Value<'a>>) -> Result<Option<Value<'a>>, Malformed> {
        let printed = self.shape.through(value).map_err(|error| error.inside(self.name))?;
        let left_out = self.keep == Keep::NonEmpty
            && match &printed {
                Value::Null | Value::Bool(false) => true,
                Value::Text(text) => text.is_empty(),
                Value::List(items) => items.is_empty(),
                // A struct behind a pointer is there or not; a map is empty or not.
                Value::Map(members) => match self.shape {
                    Shape::Struct(_) => matches!(value, None | Some(Value::Null)),
                    _ => members.is_empty(),
                },
                Value::Bool(true) | Value::Number(_) => false,
            };
        Ok((!left_out).then_some(printed))
    }
}

impl Malformed {
    fn inside(mut self, outer: &str) -> Malformed {
        let dot = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place = format!("{outer}{dot}{}", self.place);
        self
    }
}

/// A Go map: keys sorted by byte, the last of equal keys kept.
fn sorted<'a>(
    value: Option<&Value<'a>>,
    each: impl Fn(&Value<'a>) -> Result<Value<'a>, Malformed>,
) -> Result<Value<'a>, Malformed> {
    match value {
        None => Ok(Value::Null),
        Some(Value::Map(members)) => {
            let mut printed = Vec::with_capacity(members.len());
            for (key, member) in members.iter().rev() {
                printed.push((key.clone(), each(member).map_err(|error| error.inside(key))?));
            }
            printed.sort_by(|(a, _), (b, _)| a.cmp(b));
            printed.dedup_by(|(later, _), (kept, _)| later == kept);
            Ok(Value::Map(printed))
        }
        Some(_) => Err(Malformed { place: String::new(), what: "no object" }),
    }
}

/// An RFC 3339 time as Go prints what it read: at most nine digits of a second, no zeros at their end, an offset of
/// nothing as `Z`. Years stay four digits; days are checked as far as Go's own message would tell.
fn time(text: &str) -> Option<String> {
    let (date, rest) = (text.get(..19)?, text.get(19..)?);
    for (place, byte) in date.bytes().enumerate() {
        let fits = match place {
            4 | 7 => byte == b'-',
            10 => byte == b'T',
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        };
        if !fits {
            return None;
        }
    }
    let part = |from: usize, to: usize| date.get(from..to).and_then(|digits| digits.parse::<u32>().ok());
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) || part(11, 13)? > 23 || part(14, 16)? > 59 || part(17, 19)? > 59 {
        return None;
    }
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                return None;
            }
            (rest.get(..digits.min(9))?.trim_end_matches('0'), rest.get(digits..)?)
        }
        None => ("", rest),
    };
    let zone = match zone {
        "Z" | "+00:00" | "-00:00" => "Z",
        other => {
            let digits = other.strip_prefix(['+', '-'])?;
            let (hours, minutes) = digits.split_once(':')?;
            let fits = |text: &str, limit: u32| {
                text.len() == 2
                    && text.bytes().all(|byte| byte.is_ascii_digit())
                    && text.parse().is_ok_and(|n: u32| n < limit)
            };
            if !fits(hours, 24) || !fits(minutes, 60) {
                return None;
            }
            other
        }
    };
    let dot = if fraction.is_empty() { "" } else { "." };
    Some(format!("{date}{dot}{fraction}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::super::{print, read};
    use super::*;

    fn through(shape: &Shape, json: &str) -> Result<String, String> {
        let value = read(json.as_bytes()).unwrap();
        let printed = shape.through(Some(&value)).map_err(|error| error.to_string())?;
        let text = print(&printed);
        // One line is easier to compare.
        Ok(text.lines().map(str::trim_start).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn structs_drop_what_they_do_not_know_and_order_the_rest() {
        let minimal = r#"{ "architecture": "", "os": "", "config": {}, "rootfs": { "type": "", "diff_ids": null } }"#;
        for (json, wanted) in [
            ("{}", minimal),
            (r#"{"config":null,"history":[],"created":null,"os.features":[],"unknown":1}"#, minimal),
            (
                r#"{"rootfs":{"diff_ids":["b","a"],"type":"layers"},"os":"linux","variant":"v7","architecture":"arm",
                    "config":{"Labels":{"b":"2","a":"1"},"env":["A=B",null],"Healthcheck":{"Test":["x"]},
                    "ExposedPorts":{"80/tcp":{"x":1},"443/tcp":null},"ArgsEscaped":true,"User":""},
                    "created":"2026-11-23T09:05:48.740000000+00:00","docker_version":"1"}"#,
                r#"{ "created": "2026-11-23T09:05:48.74Z", "architecture": "arm", "os": "linux", "variant": "v7", "config": { "ExposedPorts": { "443/tcp": {}, "80/tcp": {} }, "Env": [ "A=B", "" ], "Labels": { "a": "1", "b": "2" }, "ArgsEscaped": true }, "rootfs": { "type": "layers", "diff_ids": [ "b", "a" ] } }"#,
            ),
            (
                r#"{"history":[{"empty_layer":false,"created_by":"x","more":1},{}]}"#,
                r#"{ "architecture": "", "os": "", "config": {}, "rootfs": { "type": "", "diff_ids": null }, "history": [ { "created_by": "x" }, {} ] }"#,
            ),
        ] {
            assert_eq!(through(&IMAGE, json).as_deref(), Ok(wanted), "{json}");
        }
        assert_eq!(
            through(
                &DESCRIPTOR,
                r#"{"artifactType":"a/b","platform":{"os":"linux"},"size":7,"data":"e3\n0=","annotations":{},"digest":"d"}"#
            )
            .as_deref(),
            Ok(r#"{ "mediaType": "", "digest": "d", "size": 7, "data": "e30=", "platform": { "architecture": "", "os": "linux" }, "artifactType": "a/b" }"#)
        );
    }

    #[test]
    fn a_value_of_another_kind_says_where_it_is() {
        for (json, wanted) in [
            ("[]", "no object at "),
            (r#"{"config":{"Env":["a",1]}}"#, "no string at config.Env[1]"),
            (r#"{"config":{"Labels":{"a":1}}}"#, "no string at config.Labels.a"),
            (r#"{"created":"yesterday"}"#, "no time as RFC 3339 has it at created"),
            (r#"{"history":[{"empty_layer":"no"}]}"#, "neither true nor false at history[0].empty_layer"),
            (r#"{"rootfs":{"diff_ids":{}}}"#, "no array at rootfs.diff_ids"),
        ] {
            assert_eq!(through(&IMAGE, json), Err(wanted.to_owned()), "{json}");
        }
        assert_eq!(through(&DESCRIPTOR, r#"{"size":1.5}"#), Err("no whole number of 64 bits at size".to_owned()));
    }

    #[test]
    fn times_are_printed_as_go_prints_them() {
        for (text, wanted) in [
            ("2026-11-23T09:05:48Z", Some("2026-11-23T09:05:48Z")),
            ("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z")),
            ("2026-11-23T09:05:48.1234567890Z", Some("2026-11-23T09:05:48.123456789Z")),
            ("2026-11-23T09:05:48.000Z", Some("2026-11-23T09:05:48Z")),
            ("2026-11-23T09:05:48.5+02:00", Some("2026-11-23T09:05:48.5+02:00")),
            ("2026-11-23T09:05:48-00:00", Some("2026-11-23T09:05:48Z")),
            ("2024-02-29T00:00:00Z", Some("2024-02-29T00:00:00Z")),
            ("2026-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-11-23T24:00:00Z", None),
            ("2026-11-23 09:05:48Z", None),
            ("2026-11-23T09:05:48", None),
            ("2026-11-23T09:05:48.Z", None),
            ("2026-11-23T09:05:48+2:00", None),
            ("2026-11-23T09:05:48+24:00", None),
            ("", None),
        ] {
            assert_eq!(time(text).as_deref(), wanted, "{text}");
        }
    }
}

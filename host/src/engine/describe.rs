//! What a frontend says of itself: its name, and the parameters from which a command line makes its options.

use crate::bindings::frontend as wire;

/// As much of a summary or a help text as is kept, in bytes.
const TEXT: usize = 1 << 10;
/// Parameters, formats or choices: more than a person reads, and each is compared with all the others.
const LISTED: usize = 256;

/// What a frontend says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it does, in a line.
    pub summary: String,
    /// What it may be told, in the order of its help.
    pub parameters: Vec<Parameter>,
    /// What `format` may be, the default first.
    pub formats: Vec<String>,
}

/// One thing that a frontend may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Lower-case letters, digits and `-`; neither `format` nor `mode`, which the host adds.
    pub name: String,
    /// The short option.
    pub short: Option<char>,
    /// What it takes.
    pub kind: Kind,
    /// What it is for.
    pub help: String,
    /// What it is where it is not given.
    pub default: Option<String>,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it may be given again.
    pub repeated: bool,
    /// Whether it is given by place rather than by name.
    pub positional: bool,
}

/// What a parameter takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// Any text.
    Text,
    /// One of these.
    Choice(Vec<String>),
    /// A reference, whose repository the run is granted to read.
    PullReference,
    /// A reference, whose repository the run is granted to write to.
    PushReference,
    /// A file, whose content is passed.
    File,
    /// A file with a reference, whose repository the run is granted to read.
    PullReferenceFile,
}

impl Info {
    /// Takes what a guest says, where a command line can be made of it.
    pub(super) fn checked(info: wire::Info) -> Result<Self, String> {
        let wire::Info { name, version, summary, parameters, formats } = info;
        let (name, version, summary) = (shown(&name), shown(&version), shown(&summary));
        if name.is_empty() || name.len() > 64 || version.len() > 64 {
            return Err("its name or its version is empty or longer than 64 bytes".into());
        }
        if parameters.len() > LISTED || formats.len() > LISTED {
            return Err(format!("it has more than {LISTED} parameters or formats"));
        }
        if let Some(format) = formats.iter().find(|format| !word(format)) {
            let format = crate::text::at_most(format, 64);
            return Err(format!("its format {format:?} is not of lower-case letters, digits and `-`"));
        }
        let mut checked: Vec<Parameter> = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            let parameter = Parameter::checked(parameter)?;
            if checked.iter().any(|other| other.name == parameter.name) {
                return Err(format!("its parameter {:?} is there twice", parameter.name));
            }
            if let Some(short) = parameter.short
                && checked.iter().any(|other| other.short == Some(short))
            {
                return Err(format!("its short option -{short} is there twice"));
            }
            checked.push(parameter);
        }
        Ok(Info { name, version, summary, parameters: checked, formats })
    }
}

impl Parameter {
    fn checked(parameter: wire::Parameter) -> Result<Self, String> {
        let wire::Parameter { name, short, kind, help, default, required, repeated, positional } = parameter;
        let (help, default) = (shown(&help), default.as_deref().map(shown));
        if !word(&name) || matches!(name.as_str(), "format" | "mode") {
            let rule = "a name is of lower-case letters, digits and `-`, and neither `format` nor `mode`";
            return Err(format!("its parameter {:?} is misnamed: {rule}", crate::text::at_most(&name, 64)));
        }
        let short = match short {
            None => None,
            Some(text) => match *text.chars().collect::<Vec<_>>() {
                [letter] if letter.is_ascii_alphanumeric() => Some(letter),
                _ => return Err(format!("its parameter {name:?} has a short option that is not one letter")),
            },
        };
        let kind = match kind {
            wire::Kind::Flag => Kind::Flag,
            wire::Kind::Text => Kind::Text,
            wire::Kind::Choice(choices) if choices.len() > LISTED => {
                return Err(format!("its parameter {name:?} has more than {LISTED} choices"));
            }
            wire::Kind::Choice(choices) => Kind::Choice(choices.iter().map(|choice| shown(choice)).collect()),
            wire::Kind::PullReference => Kind::PullReference,
            wire::Kind::PushReference => Kind::PushReference,
            wire::Kind::File => Kind::File,
            wire::Kind::PullReferenceFile => Kind::PullReferenceFile,
        };
        Ok(Parameter { name, short, kind, help, default, required, repeated, positional })
    }
}

/// A guest's text as every terminal may show it: in one line that steers nothing, and not without end.
fn shown(text: &str) -> String {
    crate::text::line(crate::text::at_most(text, TEXT)).into_owned()
}

fn word(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, short: Option<&str>) -> wire::Parameter {
        wire::Parameter {
            name: name.into(),
            short: short.map(Into::into),
            kind: wire::Kind::Flag,
            help: String::new(),
            default: None,
            required: false,
            repeated: false,
            positional: false,
        }
    }

    fn info(parameters: Vec<wire::Parameter>) -> Result<Info, String> {
        let formats = vec!["text".into()];
        Info::checked(wire::Info { name: "x".into(), version: "1".into(), summary: String::new(), parameters, formats })
    }

    #[test]
    fn takes_what_a_command_line_can_be_made_of() {
        let good = info(vec![parameter("platform", Some("p")), parameter("last", None)]).unwrap();
        assert_eq!(
            good.parameters.iter().map(|p| (p.name.as_str(), p.short)).collect::<Vec<_>>(),
            [("platform", Some('p')), ("last", None)]
        );
        for (parameters, why) in [
            (vec![parameter("format", None)], "misnamed"),
            (vec![parameter("mode", None)], "misnamed"),
            (vec![parameter("", None)], "misnamed"),
            (vec![parameter("--evil", None)], "misnamed"),
            (vec![parameter("Name", None)], "misnamed"),
            (vec![parameter("a b", None)], "misnamed"),
            (vec![parameter("\u{1b}[2J", None)], "misnamed"),
            (vec![parameter("a", Some("ab"))], "not one letter"),
            (vec![parameter("a", Some(""))], "not one letter"),
            (vec![parameter("a", Some("-"))], "not one letter"),
            (vec![parameter("a", None), parameter("a", None)], "twice"),
            (vec![parameter("a", Some("x")), parameter("b", Some("x"))], "twice"),
        ] {
            assert!(info(parameters).unwrap_err().contains(why));
        }
    }

    #[test]
    fn lists_end_somewhere() {
        let parameters = |count: usize| (0..count).map(|number| parameter(&format!("p{number}"), None)).collect();
        assert!(info(parameters(LISTED)).is_ok());
        assert!(info(parameters(LISTED + 1)).unwrap_err().contains("more than 256"));
        let choice =
            |count| wire::Parameter { kind: wire::Kind::Choice(vec!["x".into(); count]), ..parameter("c", None) };
        assert!(info(vec![choice(LISTED)]).is_ok());
        assert!(info(vec![choice(LISTED + 1)]).unwrap_err().contains("more than 256 choices"));
    }
}

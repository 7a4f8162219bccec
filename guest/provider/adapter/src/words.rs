//! From words to values: a command line as `portolan` reads it, by what a frontend says of its parameters.
//!
//! Pure. What a value means is not looked at, but that a choice is one.

use portolan_oci::Mode;

use crate::describe::{Info, Kind, Parameter};
use crate::exit::Exit;

/// What a command line asks for.
#[derive(Debug)]
pub enum Asked<'a> {
    /// How to ask.
    Help,
    /// An answer.
    Answer(Given<'a>),
}

/// What was given.
#[derive(Debug, Default)]
pub struct Given<'a> {
    /// Parameters with what was typed for them, in that order; `true` for a flag.
    pub values: Vec<(&'a Parameter, String)>,
    /// `--format`.
    pub format: Option<String>,
    /// `--mode`, or what stands for one.
    pub mode: Option<Mode>,
}

/// An option.
#[derive(Debug, Clone, Copy)]
enum Named<'a> {
    Parameter(&'a Parameter),
    Format,
    Mode,
    /// One that stands for a mode.
    Short(Mode),
    Help,
}

impl Named<'_> {
    fn takes_value(self) -> bool {
        match self {
            Named::Parameter(parameter) => !matches!(parameter.kind, Kind::Flag),
            Named::Format | Named::Mode => true,
            Named::Short(_) | Named::Help => false,
        }
    }
}

/// Reads the words that follow the frontend's name.
///
/// # Errors
/// A command line that is wrong.
pub fn parse<'a>(info: &'a Info, words: &[String]) -> Result<Asked<'a>, Exit> {
    let mut reader = Reader { info, given: Given::default(), places: 0 };
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        if word == "--" {
            words.by_ref().try_for_each(|word| reader.place(word))?;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let option = reader.long(name)?;
            let shown = format!("--{name}");
            let value = match (option.takes_value(), value) {
                (true, Some(value)) => Some(value),
                (true, None) => Some(next(&mut words, &shown)?),
                (false, None) => None,
                (false, Some(value)) => return Err(wrong(format!("{shown} takes no value, and {value:?} is one"))),
            };
            if matches!(option, Named::Help) {
                return Ok(Asked::Help);
            }
            reader.take(option, &shown, value)?;
        } else if let Some(mut letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            while let Some(letter) = letters.chars().next() {
                letters = letters.get(letter.len_utf8()..).unwrap_or_default();
                let option = reader.short(letter, word)?;
                let shown = format!("-{letter}");
                if matches!(option, Named::Help) {
                    return Ok(Asked::Help);
                }
                if !option.takes_value() {
                    reader.take(option, &shown, None)?;
                    continue;
                }
                let value = match letters {
                    "" => next(&mut words, &shown)?,
                    attached => attached.strip_prefix('=').unwrap_or(attached),
                };
                reader.take(option, &shown, Some(value))?;
                break;
            }
        } else {
            reader.place(word)?;
        }
    }
    reader.finish().map(Asked::Answer)
}

fn wrong(message: String) -> Exit {
    Exit::usage(message).hint("--help tells what it takes")
}

/// The word after an option that takes a value.
fn next<'w>(words: &mut impl Iterator<Item = &'w str>, option: &str) -> Result<&'w str, Exit> {
    match words.next() {
        Some(word) if word == "-" || !word.starts_with('-') => Ok(word),
        Some(word) => Err(wrong(format!(
            "{option} wants a value, and {word:?} is an option; write {option}={word} if it is meant"
        ))),
        None => Err(wrong(format!("{option} wants a value"))),
    }
}

struct Reader<'a> {
    info: &'a Info,
    given: Given<'a>,
    /// Positional parameters that are used up.
    places: usize,
}

impl<'a> Reader<'a> {
    fn long(&self, name: &str) -> Result<Named<'a>, Exit> {
        let unknown = || wrong(format!("there is no option --{name}"));
        Ok(match name {
            "format" => Named::Format,
            "mode" => Named::Mode,
            "compat" => Named::Short(Mode::CompatImagetools),
            "exact" => Named::Short(Mode::Exact),
            "help" => Named::Help,
            "jq" => return Err(Exit::usage("a bundle has no --jq").hint("--format json, and pipe it into jq")),
            "store" => {
                let hint = "the runtime gives a folder its name: wasmtime run --dir DIR::/NAME";
                return Err(Exit::usage("a bundle has no --store").hint(hint));
            }
            "strategy" => {
                let hint = "portolan bundle --strategy FILE.wasm makes a bundle with another one";
                return Err(Exit::usage("a bundle has its strategy inside").hint(hint));
            }
            _ => {
                let options = self.info.parameters.iter().filter(|parameter| !parameter.positional);
                Named::Parameter(options.into_iter().find(|parameter| parameter.name == name).ok_or_else(unknown)?)
            }
        })
    }

    fn short(&self, letter: char, word: &str) -> Result<Named<'a>, Exit> {
        if letter == 'h' {
            return Ok(Named::Help);
        }
        let mut options = self.info.parameters.iter().filter(|parameter| !parameter.positional);
        let found = options.find(|parameter| parameter.short == Some(letter));
        found.map(Named::Parameter).ok_or_else(|| wrong(format!("there is no option -{letter} (in {word:?})")))
    }

    /// An option, and its value where it takes one.
    fn take(&mut self, option: Named<'a>, shown: &str, value: Option<&str>) -> Result<(), Exit> {
        let twice = || Err(wrong(format!("{shown} is there twice")));
        let value = value.unwrap_or("true");
        match option {
            Named::Parameter(parameter) => {
                let once = !parameter.repeated || matches!(parameter.kind, Kind::Flag);
                if once && self.given.values.iter().any(|(given, _)| given.name == parameter.name) {
                    return twice();
                }
                return self.add(parameter, shown, value);
            }
            Named::Format if self.given.format.is_some() => return twice(),
            Named::Format => {
                one_of(shown, value, &self.info.formats)?;
                self.given.format = Some(value.to_owned());
            }
            Named::Mode | Named::Short(_) if self.given.mode.is_some() => {
                return Err(wrong("one of --mode, --compat and --exact is enough".into()));
            }
            Named::Mode => {
                self.given.mode =
                    Some(value.parse().map_err(|error: portolan_oci::InvalidMode| wrong(error.to_string()))?);
            }
            Named::Short(mode) => self.given.mode = Some(mode),
            Named::Help => {}
        }
        Ok(())
    }

    /// A value that is given by its place.
    fn place(&mut self, word: &str) -> Result<(), Exit> {
        let mut places = self.info.parameters.iter().filter(|parameter| parameter.positional);
        let Some(parameter) = places.nth(self.places) else {
            return Err(wrong(format!("nothing takes {word:?}")));
        };
        if !parameter.repeated {
            self.places += 1;
        }
        self.add(parameter, &parameter.name.to_uppercase(), word)
    }

    fn add(&mut self, parameter: &'a Parameter, shown: &str, value: &str) -> Result<(), Exit> {
        if let Kind::Choice(choices) = &parameter.kind {
            one_of(shown, value, choices)?;
        }
        self.given.values.push((parameter, value.to_owned()));
        Ok(())
    }

    fn finish(self) -> Result<Given<'a>, Exit> {
        let is_given = |name: &str| self.given.values.iter().any(|(parameter, _)| parameter.name == name);
        match self.info.parameters.iter().find(|parameter| parameter.required && !is_given(&parameter.name)) {
            None => Ok(self.given),
            Some(missing) if missing.positional => Err(wrong(format!("{} is missing", missing.name.to_uppercase()))),
            Some(missing) => Err(wrong(format!("--{} is missing", missing.name))),
        }
    }
}

fn one_of(shown: &str, value: &str, choices: &[String]) -> Result<(), Exit> {
    match choices.iter().any(|choice| choice == value) {
        true => Ok(()),
        false => Err(wrong(format!("{shown} is one of {}, and not {value:?}", choices.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, kind: Kind) -> Parameter {
        Parameter {
            name: name.into(),
            short: None,
            kind,
            help: String::new(),
            default: None,
            required: false,
            repeated: false,
            positional: false,
        }
    }

    fn info() -> Info {
        let place = |name: &str, required, repeated| Parameter {
            positional: true,
            required,
            repeated,
            ..parameter(name, Kind::Text)
        };
        Info {
            name: "x".into(),
            summary: String::new(),
            formats: vec!["text".into(), "json".into()],
            parameters: vec![
                place("ref", true, false),
                place("others", false, true),
                Parameter { short: Some('p'), repeated: true, ..parameter("platform", Kind::Text) },
                Parameter { short: Some('l'), ..parameter("last", Kind::Flag) },
                Parameter { short: Some('r'), ..parameter("raw", Kind::Flag) },
                parameter("key", Kind::Choice(vec!["digest".into(), "diff-id".into()])),
            ],
        }
    }

    /// `name=value …`, or the status to exit with.
    fn shown(line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match parse(&info(), &words) {
            Ok(Asked::Help) => "help".into(),
            Ok(Asked::Answer(Given { values, format, mode })) => {
                let mut shown: Vec<String> =
                    values.iter().map(|(parameter, value)| format!("{}={value}", parameter.name)).collect();
                shown.extend(format.map(|format| format!("format={format}")));
                shown.extend(mode.map(|mode| format!("mode={mode}")));
                shown.join(" ")
            }
            Err(exit) => exit.status.to_string(),
        }
    }

    #[test]
    fn lines() {
        for (line, expected) in [
            ("a", "ref=a"),
            ("a b c", "ref=a others=b others=c"),
            (
                "a -p x b -px -p=y --platform z --platform=w",
                "ref=a platform=x others=b platform=x platform=y platform=z platform=w",
            ),
            ("-lr a", "last=true raw=true ref=a"),
            ("-lpx a", "last=true platform=x ref=a"),
            ("--platform= a", "platform= ref=a"),
            ("-- -a --last", "ref=-a others=--last"),
            ("- --key diff-id", "ref=- key=diff-id"),
            ("-p - a", "platform=- ref=a"),
            ("a --format json", "ref=a format=json"),
            ("a --mode compat=build", "ref=a mode=compat=build"),
            ("a --mode=exact", "ref=a mode=exact"),
            ("a --compat", "ref=a mode=compat=imagetools"),
            ("a --exact", "ref=a mode=exact"),
            ("--help", "help"),
            ("a -h", "help"),
            ("-lh", "help"),
            ("", "2"),
            ("--last", "2"),
            ("a --last --last", "2"),
            ("a -l -l", "2"),
            ("a --last=true", "2"),
            ("a --key", "2"),
            ("a --key layers", "2"),
            ("a --key=", "2"),
            ("a --key digest --key digest", "2"),
            ("a -p", "2"),
            ("a -p --last", "2"),
            ("a -p -- x", "2"),
            ("a -z", "2"),
            ("a --nope", "2"),
            ("a --nope --help", "2"),
            ("a --ref b", "2"),
            ("a --plat x", "2"),
            ("a --format yaml", "2"),
            ("a --format json --format json", "2"),
            ("a --mode fuzzy", "2"),
            ("a --mode strict --exact", "2"),
            ("a --compat --exact", "2"),
            ("a --jq .", "2"),
            ("a --store x=y", "2"),
            ("a --strategy f.wasm", "2"),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }
}

//! A question, parsed by what the frontend declared.
//!
//! A command line has checked all this before; hosts in other languages, `wasmtime run` and tests have not.

use portolan_oci::{Location, Mode, Platform};

use crate::failure::Failure;
use crate::host::Machine;
use crate::parameter::{Info, Kind, Parameter};

const FORMAT: &str = "format";
const MODE: &str = "mode";

/// The arguments of one run, each allowed and each of its kind.
#[derive(Debug, Clone)]
pub struct Request {
    parameters: Vec<Parameter>,
    values: Vec<(String, String)>,
    format: String,
    mode: Mode,
}

impl Request {
    /// Checks arguments against what was declared.
    ///
    /// # Errors
    /// An argument that was not declared, a value that is not of its kind, one too many, one missing.
    pub fn parse(info: Info, arguments: Vec<(String, String)>) -> Result<Self, Failure> {
        let Info { name, parameters, formats, .. } = info;
        let formats = if formats.is_empty() { &["text"] } else { formats };
        let mut request = Request {
            parameters,
            values: Vec::with_capacity(arguments.len()),
            format: formats.first().copied().unwrap_or("text").to_owned(),
            mode: Mode::default(),
        };
        for (argument, value) in arguments {
            match argument.as_str() {
                FORMAT if formats.contains(&value.as_str()) => request.format = value,
                FORMAT => return Err(not_among(FORMAT, &value, formats)),
                MODE => request.mode = value.parse().map_err(|error| Failure::new(format!("mode: {error}")))?,
                _ => {
                    let Some(parameter) = request.declared(&argument) else {
                        let known = list(request.parameters.iter().map(|parameter| parameter.name));
                        return Err(Failure::new(format!("{name} has no parameter {argument:?}"))
                            .hint(format!("its parameters are {known}")));
                    };
                    check(parameter, &value)?;
                    if !parameter.repeated && request.given(&argument).next().is_some() {
                        return Err(Failure::new(format!("{argument} is given more than once")));
                    }
                    request.values.push((argument, value));
                }
            }
        }
        match request.parameters.iter().find(|it| it.required && request.given(it.name).next().is_none()) {
            Some(missing) => Err(Failure::new(format!("{name} needs {}: {}", missing.name, missing.help))),
            None => Ok(request),
        }
    }

    /// Whether a flag is set.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// A parameter's value, or its default.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.given(name).next().or_else(|| self.declared(name)?.default)
    }

    /// All values of a repeated parameter, in the order given; its default where there is none.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let given: Vec<&str> = self.given(name).collect();
        match given.is_empty() {
            true => self.declared(name).and_then(|parameter| parameter.default).into_iter().collect(),
            false => given,
        }
    }

    /// A reference parameter's value, where it was given.
    ///
    /// # Errors
    /// A text that is no reference.
    pub fn location(&self, name: &str) -> Result<Location, Failure> {
        match self.text(name) {
            Some(text) => Ok(Location::parse(text)?),
            None => Err(Failure::new(format!("{name} is not given"))),
        }
    }

    /// The platforms that a parameter names; repeated, or in a list with commas, or both.
    ///
    /// # Errors
    /// A text that is no platform.
    pub fn platforms(&self, name: &str, machine: &impl Machine) -> Result<Vec<Platform>, Failure> {
        let texts: Vec<&str> = self.all(name).into_iter().flat_map(|list| list.split(',')).map(str::trim).collect();
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let host = machine.platform();
        texts.into_iter().map(|text| Ok(Platform::parse(text, &host)?)).collect()
    }

    /// The one platform that a parameter names, if it does.
    ///
    /// # Errors
    /// A text that is no platform.
    pub fn platform(&self, name: &str, machine: &impl Machine) -> Result<Option<Platform>, Failure> {
        match self.text(name) {
            Some(text) => Ok(Some(Platform::parse(text, &machine.platform())?)),
            None => Ok(None),
        }
    }

    /// How strict judgements are to be.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// One of the declared formats.
    pub fn format(&self) -> &str {
        &self.format
    }

    fn declared(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    fn given<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.values.iter().filter(move |(argument, _)| argument == name).map(|(_, value)| value.as_str())
    }
}

fn check(parameter: &Parameter, value: &str) -> Result<(), Failure> {
    match parameter.kind {
        Kind::Flag if !matches!(value, "true" | "false") => Err(not_among(parameter.name, value, &["true", "false"])),
        Kind::Choice(choices) if !choices.contains(&value) => Err(not_among(parameter.name, value, choices)),
        _ => Ok(()),
    }
}

fn not_among(name: &str, value: &str, choices: &[&'static str]) -> Failure {
    let known = list(choices.iter().copied());
    Failure::new(format!("{name} cannot be {value:?}")).hint(format!("it is one of {known}"))
}

fn list(words: impl Iterator<Item = &'static str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> Info {
        Info {
            name: "look",
            version: "1",
            summary: "",
            parameters: vec![
                Parameter::pull_reference("ref", "what to look at").positional().required(),
                Parameter::flag("last", ""),
                Parameter::choice("key", &["digest", "diff-id"], "").default("digest"),
                Parameter::text("platform", "").repeated().short('p'),
            ],
            formats: &["text", "json"],
        }
    }

    fn parse(arguments: &[(&str, &str)]) -> Result<Request, Failure> {
        Request::parse(info(), arguments.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn values_and_defaults() {
        let plain = parse(&[("ref", "alpine")]).unwrap();
        assert_eq!(plain.text("ref"), Some("alpine"));
        assert_eq!(plain.text("key"), Some("digest"));
        assert_eq!(plain.all("key"), ["digest"]);
        assert!(!plain.flag("last"));
        assert!(plain.all("platform").is_empty());
        assert_eq!((plain.format(), plain.mode()), ("text", Mode::Strict));

        let full = parse(&[
            ("platform", "linux/amd64"),
            ("ref", "alpine"),
            ("format", "json"),
            ("last", "true"),
            ("mode", "compat=build"),
            ("platform", "linux/arm64"),
            ("key", "diff-id"),
        ])
        .unwrap();
        assert_eq!(full.all("platform"), ["linux/amd64", "linux/arm64"]);
        assert!(full.flag("last"));
        assert_eq!((full.text("key"), full.format(), full.mode()), (Some("diff-id"), "json", Mode::CompatBuild));
    }

    #[test]
    fn refusals() {
        for (arguments, expected) in [
            (&[][..], "look needs ref: what to look at"),
            (&[("ref", "a"), ("ref", "b")][..], "ref is given more than once"),
            (&[("ref", "a"), ("nope", "b")][..], "look has no parameter \"nope\""),
            (&[("ref", "a"), ("last", "yes")][..], "last cannot be \"yes\""),
            (&[("ref", "a"), ("key", "chain")][..], "key cannot be \"chain\""),
            (&[("ref", "a"), ("format", "xml")][..], "format cannot be \"xml\""),
        ] {
            assert_eq!(parse(arguments).unwrap_err().message, expected);
        }
        assert!(parse(&[("ref", "a"), ("mode", "loose")]).is_err());
    }
}

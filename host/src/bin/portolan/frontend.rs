//! From a frontend's own description to a command line: its parameters become options, beside those that every command has.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command};
use portolan::{Info, Kind, Parameter};
use portolan_oci::Mode;

use crate::exit::Exit;
use crate::registries;

/// Options that every command has; a frontend may not name its parameters like them.
const OURS: [&str; 16] = [
    "allow",
    "audit",
    "compat",
    "exact",
    "format",
    "help",
    "jq",
    "metadata",
    "metadata-file",
    "mode",
    "quiet",
    "record",
    "replay",
    "stats",
    "store",
    "strategy",
];
const SHORT_HELP: char = 'h';

/// The command line of a frontend, after `path` (`portolan inspect`, `portolan run x.wasm`).
///
/// # Errors
/// A description that no command line can be made of: a foreign frontend may say anything.
pub fn command(path: &str, info: &Info, example: Option<&str>) -> Result<Command, Exit> {
    check(info)?;
    let mut command = Command::new(path.to_owned())
        .bin_name(path.to_owned())
        .about(info.summary.clone())
        .no_binary_name(true)
        .args_override_self(false);
    let about_one = about_one(info);
    for parameter in &info.parameters {
        command = command.arg(match about_one && parameter.positional {
            true => argument(parameter).required(false).required_unless_present(BUILT),
            false => argument(parameter),
        });
    }
    if about_one {
        command = command.arg(built(info));
    }
    if let Some(example) = example {
        command = command.after_help(format!("Example:\n  {example}"));
    }
    Ok(command.args(common(&info.formats)).args(registries::options()))
}

/// The option that stands for the one reference.
const BUILT: &str = "metadata";

/// What a frontend calls the image that it is about.
const IMAGE: &str = "ref";

/// Whether a frontend is about one image: then what buildx wrote of a build can name it.
pub fn about_one(info: &Info) -> bool {
    let positional: Vec<&Parameter> = info.parameters.iter().filter(|parameter| parameter.positional).collect();
    matches!(positional.as_slice(), [one] if one.name == IMAGE && one.kind == Kind::PullReference && one.required && !one.repeated)
}

fn built(info: &Info) -> Arg {
    let reference = info.parameters.iter().find(|parameter| parameter.positional).map(|it| it.name.clone());
    Arg::new(BUILT)
        .long(BUILT)
        .value_name("FILE[#TARGET]")
        .help("What buildx built: the file that its --metadata-file wrote, in place of a reference")
        .conflicts_with_all(reference)
        .help_heading("Everywhere")
}

/// What an option names, before there is a command that has it: the engine must know the strategy before a frontend is
/// loaded, and a frontend before its options are known. clap sees it again.
pub fn named(words: &[OsString], option: &str) -> Option<PathBuf> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(word) = word.to_str() else { continue };
        match word.strip_prefix(option) {
            Some("") => return words.next().map(PathBuf::from),
            Some(rest) => {
                if let Some(path) = rest.strip_prefix('=') {
                    return Some(path.into());
                }
            }
            None if word == "--" => return None,
            None => {}
        }
    }
    None
}

/// What every command takes.
pub fn common(formats: &[String]) -> Vec<Arg> {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help).help_heading("Everywhere")
    };
    let modes = PossibleValuesParser::new(Mode::ALL.map(Mode::as_str));
    vec![
        option("format", "FORMAT", "How to answer; the first is the default")
            .value_parser(PossibleValuesParser::new(formats)),
        option("jq", "EXPR", "Print what this jq expression makes of the JSON answer, texts bare"),
        option("mode", "MODE", "How names and platforms are matched; strict is the default")
            .value_parser(modes)
            .conflicts_with_all(["compat", "exact"]),
        option("compat", "", "As docker buildx imagetools does: --mode compat=imagetools").action(ArgAction::SetTrue),
        option("exact", "", "No fallbacks between platforms: --mode exact")
            .action(ArgAction::SetTrue)
            .conflicts_with("compat"),
        option("strategy", "FILE.wasm", "Match names and select platforms by this component"),
        option("store", "NAME=DIR", "Give a layout a name: oci-layout://NAME:TAG").action(ArgAction::Append),
        option("metadata-file", "FILE", "Write what the answer says beside its text there, as a JSON object")
            .value_parser(clap::value_parser!(std::path::PathBuf)),
        option("audit", "FILE", "Add what the run does to this file, a line of JSON for each thing")
            .value_parser(clap::value_parser!(std::path::PathBuf)),
        option("quiet", "", "Do not show what is being moved").action(ArgAction::SetTrue),
    ]
}

fn argument(parameter: &Parameter) -> Arg {
    let mut help = parameter.help.clone();
    if let Some(default) = &parameter.default {
        help.push_str(&format!(" [default: {default}]"));
    }
    let mut argument = Arg::new(parameter.name.clone()).required(parameter.required).help(help);
    if !parameter.positional {
        argument = argument.long(parameter.name.clone());
        if let Some(short) = parameter.short {
            argument = argument.short(short);
        }
    }
    argument = match &parameter.kind {
        // What is on by default is of use only if it can be turned off: `--prefer-index=false`, as in Go's programs.
        Kind::Flag if parameter.default.is_some() => {
            return argument
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_name("true|false")
                .value_parser(PossibleValuesParser::new(["true", "false"]))
                .hide_possible_values(true);
        }
        Kind::Flag => return argument.action(ArgAction::SetTrue),
        Kind::Choice(choices) => argument.value_parser(PossibleValuesParser::new(choices)),
        _ => argument,
    };
    argument = argument.value_name(value_name(parameter));
    match (parameter.repeated, parameter.positional) {
        (true, true) => argument.action(ArgAction::Append).num_args(1..),
        (true, false) => argument.action(ArgAction::Append).num_args(1),
        (false, _) => argument.num_args(1),
    }
}

/// What stands for a value in a help text.
pub fn value_name(parameter: &Parameter) -> String {
    match (&parameter.kind, parameter.positional) {
        (_, true) => parameter.name.to_uppercase(),
        (Kind::PullReference | Kind::PushReference, false) => "REF".into(),
        (Kind::File | Kind::PullReferenceFile, false) => "FILE".into(),
        (_, false) => parameter.name.to_uppercase(),
    }
}

/// What clap would take for a programmer's mistake and panic on, and the library does not mind.
fn check(info: &Info) -> Result<(), Exit> {
    let wrong = |what: String| {
        Err(Exit::failure(format!("no command line can be made for the frontend {}: {what}", info.name))
            .hint("the contract is in wit/frontend.wit; tell the frontend's author"))
    };
    if info.formats.is_empty() {
        return wrong("it has no format".into());
    }
    let mut last: Option<&Parameter> = None;
    for parameter in &info.parameters {
        let name = parameter.name.as_str();
        if OURS.contains(&name) || registries::OPTIONS.contains(&name) {
            return wrong(format!("the name --{name} is the command line's own"));
        }
        if parameter.short == Some(SHORT_HELP) {
            return wrong("the short option -h is help".into());
        }
        if matches!(&parameter.kind, Kind::Choice(choices) if choices.is_empty()) {
            return wrong(format!("{name} has nothing to choose from"));
        }
        if !parameter.positional {
            continue;
        }
        if parameter.kind == Kind::Flag {
            return wrong(format!("{name} is a flag and cannot be given by place"));
        }
        if let Some(before) = last.filter(|before| before.repeated || (parameter.required && !before.required)) {
            return wrong(format!("nothing can follow {}, which may be left out or repeated", before.name));
        }
        last = Some(parameter);
    }
    Ok(())
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

    fn info(parameters: Vec<Parameter>) -> Info {
        Info { name: "x".into(), version: "1".into(), summary: String::new(), parameters, formats: vec!["text".into()] }
    }

    #[test]
    fn a_description_that_no_command_line_fits_is_refused() {
        let place = |name: &str, required, repeated| Parameter {
            positional: true,
            required,
            repeated,
            ..parameter(name, Kind::Text)
        };
        let table = [
            vec![parameter("mode", Kind::Text)],
            vec![parameter("store", Kind::Flag)],
            vec![parameter("insecure", Kind::Flag)],
            vec![parameter("a", Kind::Choice(Vec::new()))],
            vec![Parameter { short: Some('h'), ..parameter("a", Kind::Text) }],
            vec![Parameter { positional: true, ..parameter("a", Kind::Flag) }],
            vec![place("a", false, false), place("b", true, false)],
            vec![place("a", false, true), place("b", false, false)],
        ];
        for parameters in table {
            assert!(command("portolan run x", &info(parameters.clone()), None).is_err(), "{parameters:?}");
        }
        assert!(command("portolan run x", &Info { formats: Vec::new(), ..info(Vec::new()) }, None).is_err());
    }

    #[test]
    fn a_sound_description_becomes_options() {
        let parameters = vec![
            Parameter { positional: true, required: true, ..parameter("reference", Kind::PullReference) },
            Parameter { short: Some('p'), repeated: true, ..parameter("platform", Kind::Text) },
            parameter("last", Kind::Flag),
        ];
        let command = command("portolan run x", &info(parameters), None).unwrap();
        let matches =
            command.try_get_matches_from(["a:1", "-p", "linux/amd64", "--platform", "arm64", "--last"]).unwrap();
        let platforms: Vec<&String> = matches.get_many("platform").unwrap().collect();
        assert_eq!(platforms, ["linux/amd64", "arm64"]);
        assert!(matches.get_flag("last"));
    }
}

//! `--help`: what a frontend says of itself and of its parameters.
//!
//! Pure.

use portolan_oci::{Mode, text};

use crate::describe::{Info, Kind, Parameter};

/// The help of a frontend.
pub fn help(info: &Info) -> String {
    let (places, options): (Vec<&Parameter>, Vec<&Parameter>) =
        info.parameters.iter().partition(|parameter| parameter.positional);
    let mut usage = format!("Usage: wasmtime run [--dir DIR::/NAME] BUNDLE {} [OPTIONS]", text::line(&info.name));
    for place in &places {
        usage.push(' ');
        usage.push_str(&spelled(place));
    }
    let own = |parameters: &[&Parameter]| parameters.iter().map(|&parameter| line(parameter)).collect();
    let mut options: Vec<(String, String)> = own(&options);
    options.push(("-h, --help".into(), "This help".into()));
    let everywhere = [
        (format!("    --format {}", info.formats.join("|")), "How to answer; the first is the default"),
        (format!("    --mode {}", Mode::ALL.map(Mode::as_str).join("|")), "How names and platforms are matched"),
        ("    --compat".into(), "As docker buildx imagetools does: --mode compat=imagetools"),
        ("    --exact".into(), "No fallbacks between platforms: --mode exact"),
    ];
    let everywhere = everywhere.map(|(option, help)| (option, help.to_owned()));
    let mut text = format!("{}\n\n{usage}\n", text::line(&info.summary));
    for (head, lines) in [("Arguments", own(&places)), ("Options", options), ("Everywhere", everywhere.to_vec())] {
        section(&mut text, head, &lines);
    }
    text
}

fn section(text: &mut String, head: &str, lines: &[(String, String)]) {
    if lines.is_empty() {
        return;
    }
    text.push_str(&format!("\n{head}:\n"));
    let width = lines.iter().map(|(option, _)| option.chars().count()).filter(|&width| width <= 40).max();
    let width = width.unwrap_or_default();
    for (option, help) in lines {
        text.push_str(format!("  {option:width$}  {help}").trim_end());
        text.push('\n');
    }
}

fn line(parameter: &Parameter) -> (String, String) {
    let mut help = text::line(&parameter.help).into_owned();
    if let Some(default) = &parameter.default {
        help.push_str(&format!(" [default: {}]", text::line(default)));
    }
    let option = match (parameter.positional, &parameter.short) {
        (true, _) => spelled(parameter),
        (false, Some(short)) => format!("-{short}, --{} {}", parameter.name, spelled(parameter)),
        (false, None) => format!("    --{} {}", parameter.name, spelled(parameter)),
    };
    (option.trim_end().to_owned(), help)
}

/// What stands for a value.
fn spelled(parameter: &Parameter) -> String {
    let value = match (&parameter.kind, parameter.positional) {
        (Kind::Flag, _) => String::new(),
        (Kind::Choice(choices), _) => choices.join("|"),
        (_, true) => parameter.name.to_uppercase(),
        (Kind::Reference, false) => "REF".into(),
        (Kind::File, false) => "FILE".into(),
        (Kind::Text, false) => parameter.name.to_uppercase(),
    };
    match (parameter.repeated, parameter.positional && !parameter.required) {
        (true, true) => format!("[{value}…]"),
        (true, false) => format!("{value}…"),
        (false, true) => format!("[{value}]"),
        (false, false) => value,
    }
}

//! The words of `run`, which stand on two sides of a frontend's name. No frontend may name its parameters like the options that
//! every command has, so these mean the same on either side; how registries are reached is as true for the component that is in
//! one as for what it asks.

use std::ffi::OsString;

use clap::Arg;

use crate::{chosen, frontend, program, registries};

/// Who gets which.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// For `run`: its options, and behind them the frontend's name, if there is one.
    pub run: Vec<OsString>,
    /// For the frontend.
    pub frontend: Vec<OsString>,
}

/// What an option is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// For the frontend.
    Frontend,
    /// For finding it.
    Run,
    /// On the side where it stands.
    Either,
    /// For both, wherever it stands.
    Both,
}

impl Sides {
    /// Tells them apart.
    pub fn of(words: &[OsString]) -> Sides {
        let (options, mut sides) = (options(), Sides::default());
        let mut words = words.iter().cloned();
        let mut name = None;
        while let Some(word) = words.next() {
            let text = word.to_string_lossy();
            if name.is_none() && !text.starts_with('-') {
                name = Some(word);
                continue;
            }
            // What follows is the frontend's, whatever it looks like.
            if name.is_some() && text == "--" {
                sides.frontend.push(word);
                sides.frontend.extend(words);
                break;
            }
            let (long, value) = text.split_once('=').map_or((&*text, false), |(long, _)| (long, true));
            let known = options
                .iter()
                .find(|(option, _)| long.strip_prefix("--").is_some_and(|long| option.get_long() == Some(long)));
            let whose = match known {
                Some((_, Whose::Either)) | None if name.is_some() => Whose::Frontend,
                Some((_, Whose::Either)) | None => Whose::Run,
                Some((_, whose)) => *whose,
            };
            let takes = known.is_some_and(|(option, _)| option.get_action().takes_values()) && !value;
            let option = [word].into_iter().chain(takes.then(|| words.next()).flatten());
            match whose {
                Whose::Frontend => sides.frontend.extend(option),
                Whose::Run => sides.run.extend(option),
                Whose::Either => {}
                Whose::Both => {
                    let option: Vec<OsString> = option.collect();
                    sides.run.extend(option.iter().cloned());
                    sides.frontend.extend(option);
                }
            }
        }
        sides.run.extend(name);
        sides
    }
}

fn options() -> Vec<(Arg, Whose)> {
    let of = |options: Vec<Arg>, whose: Whose| options.into_iter().map(move |option| (option, whose));
    let finding =
        chosen::options().into_iter().filter(|option| !registries::OPTIONS.contains(&option.get_id().as_str()));
    of(registries::options(), Whose::Both)
        .chain(of(finding.collect(), Whose::Run))
        .chain(of(program::options(), Whose::Either))
        .chain(of(frontend::common(&[]), Whose::Frontend))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_registries_is_said_to_both_and_on_either_side() {
        for (typed, run, frontend) in [
            ("x.wasm alpine", "x.wasm", "alpine"),
            ("--offline x.wasm alpine", "--offline x.wasm", "--offline alpine"),
            ("x.wasm --offline alpine", "--offline x.wasm", "--offline alpine"),
            ("x.wasm alpine --ca a.pem", "--ca a.pem x.wasm", "alpine --ca a.pem"),
            ("--ca=a.pem x.wasm --last", "--ca=a.pem x.wasm", "--ca=a.pem --last"),
            ("--ca a.pem --allow pull=x x.wasm", "--ca a.pem --allow pull=x x.wasm", "--ca a.pem"),
            ("x.wasm --allow pull=x --update", "--update x.wasm", "--allow pull=x"),
            ("--audit a --format json x.wasm r", "x.wasm", "--audit a --format json r"),
            ("x.wasm -- --offline", "x.wasm", "-- --offline"),
            ("--nope x.wasm --mine", "--nope x.wasm", "--mine"),
            ("--help", "--help", ""),
            ("x.wasm --help", "x.wasm", "--help"),
        ] {
            let words = |text: &str| text.split_whitespace().map(OsString::from).collect::<Vec<_>>();
            let sides = Sides { run: words(run), frontend: words(frontend) };
            assert_eq!(Sides::of(&words(typed)), sides, "{typed}");
        }
    }
}

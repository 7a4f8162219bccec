//! `new`: a project that builds, tests and runs as it is: a frontend or a strategy, with the contract and the SDK of this
//! version beside it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, value_parser};

use crate::exit::{Exit, say};
use crate::setup::said;

/// `new`, in the list of commands.
pub const ABOUT: &str = "A project for a frontend or a strategy of your own";

/// Longer than anybody would type, and short enough for a file's name.
const NAME: usize = 64;

/// The command.
pub fn command() -> Command {
    let option = |name: &'static str, values: &'static [&'static str], help: &'static str| {
        Arg::new(name).long(name).value_parser(value_parser!(String)).value_parser(values.to_vec()).help(help)
    };
    Command::new("portolan new")
        .bin_name("portolan new")
        .about(ABOUT)
        .no_binary_name(true)
        .arg(Arg::new("name").value_name("NAME").required(true).help("Its name, and its folder's"))
        .arg(option("lang", &["rust", "go", "js", "python"], "In which language").default_value("rust"))
        .arg(option("kind", &["frontend", "strategy"], "What it is; strategies are written in Rust").default_value("frontend"))
        .after_help("Example:\n  portolan new newest-tag && cd newest-tag && portolan build && portolan run newest-tag.wasm --help")
}

/// Lays the project out, whole or not at all.
pub fn new(words: &[OsString]) -> Result<u8, Exit> {
    let matches = match command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let text = |name: &str| matches.get_one::<String>(name).map_or("", String::as_str);
    let (name, language, kind) = (text("name"), text("lang"), text("kind"));
    named(name)?;
    let files = match (language, kind) {
        ("rust", kind) => rust(name, kind),
        (_, "strategy") => {
            return Err(Exit::usage(format!("there is no project for a strategy in {language}"))
                .hint("portolan new NAME --kind strategy is one in Rust"));
        }
        ("go", _) => go(name),
        ("python", _) => python(name),
        _ => javascript(name),
    };
    let folder = Path::new(name);
    lay_out(folder, &files)
        .map_err(|error| Exit::failure(format!("cannot make the project {}: {error}", folder.display())))?;
    say(&format!("{name} is there; what comes next:\n  cd {name}"));
    match language {
        "rust" => say("  cargo test"),
        "go" => say("  go test ./command"),
        _ => {}
    }
    say(&format!(
        "  portolan build\n  {}",
        match kind {
            "strategy" => format!("portolan resolve alpine --strategy {name}.wasm"),
            _ => format!("portolan run {name}.wasm alpine"),
        }
    ));
    Ok(0)
}

/// What a crate, an npm package and a file may all be called.
fn named(name: &str) -> Result<(), Exit> {
    let starts = name.starts_with(|first: char| first.is_ascii_lowercase());
    let rest = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if TAKEN.contains(&name) || name.starts_with("portolan-") {
        return Err(Exit::usage(format!("{name:?} cannot be a project's name: cargo, Go or the SDK has it already"))
            .hint("say what it finds out: newest-tag"));
    }
    match starts && rest && name.len() <= NAME {
        true => Ok(()),
        false => Err(Exit::usage(format!("{name:?} cannot be a project's name"))
            .hint("small letters, digits and dashes, a letter first, 64 at most: newest-tag")),
    }
}

/// Names that no crate or module may have, or that its dependencies have.
const TAKEN: [&str; 20] = [
    "alloc",
    "bindings",
    "command",
    "core",
    "crate",
    "enum",
    "extern",
    "fn",
    "impl",
    "main",
    "mod",
    "proc-macro",
    "self",
    "serde",
    "serde-json",
    "std",
    "struct",
    "super",
    "test",
    "use",
];

type Files = Vec<(PathBuf, Vec<u8>)>;

/// An example's text, at the version at which a project begins. Where a page of the repository is meant, there is none beside a
/// project.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("1.0.0", "0.1.0");
    text.split_inclusive('\n').filter(|line| !line.contains("docs/writing-a-frontend.md")).collect()
}

/// Fills the names into a template.
fn filled(template: &str, name: &str) -> Vec<u8> {
    template.replace("{{name}}", name).replace("{{version}}", env!("CARGO_PKG_VERSION")).into_bytes()
}

fn file(path: &str, bytes: impl Into<Vec<u8>>) -> (PathBuf, Vec<u8>) {
    (PathBuf::from(path), bytes.into())
}

/// A crate, with the SDK's sources beside it: what is built against is what this program speaks.
fn rust(name: &str, kind: &str) -> Files {
    let mut files: Files = vec![
        file("Cargo.toml", filled(include_str!("../../../templates/rust/Cargo.toml.in"), name)),
        file(".gitignore", include_str!("../../../templates/gitignore")),
    ];
    match kind {
        "strategy" => {
            files.push(file("src/lib.rs", filled(include_str!("../../../templates/rust/strategy/lib.rs"), name)));
        }
        _ => {
            files.push(file("src/lib.rs", filled(include_str!("../../../templates/rust/frontend/lib.rs"), name)));
            files.push(file("tests/answer.json", include_str!("../../../templates/rust/frontend/answer.json")));
        }
    }
    let sdk = portolan::sdk().filter(|(path, _)| !path.starts_with("guest/examples/"));
    files.extend(sdk.map(|(path, bytes)| (Path::new("vendor").join(path), bytes.to_vec())));
    files
}

/// The example with its bindings, its module under another name.
fn go(name: &str) -> Files {
    const EXAMPLE: &str = "guest/examples/entrypoint/";
    let sources = portolan::sdk().filter_map(|(path, bytes)| Some((path.strip_prefix(EXAMPLE)?, bytes)));
    let renamed = |bytes: &[u8]| {
        text(bytes)
            .replace("module entrypoint", &format!("module {name}"))
            .replace("\"entrypoint/", &format!("\"{name}/"))
            .replace("\"entrypoint\"", &format!("\"{name}\""))
    };
    let mut files: Files = sources.map(|(path, bytes)| file(path, renamed(bytes))).collect();
    files.extend(contract());
    files
}

fn python(name: &str) -> Files {
    let mut files = contract();
    let example = example("guest/examples/created/app.py").replace("name=\"created\"", &format!("name=\"{name}\""));
    files.push(file("app.py", example));
    files.push(file("requirements.txt", include_str!("../../../templates/python/requirements.txt")));
    files
}

fn javascript(name: &str) -> Files {
    let mut files = contract();
    let example =
        example("guest/examples/platforms/platforms.js").replace("name: 'platforms'", &format!("name: '{name}'"));
    files.push(file("frontend.js", example));
    files.push(file("package.json", filled(include_str!("../../../templates/js/package.json"), name)));
    files
}

/// The contract, and what every project has.
fn contract() -> Files {
    let wit = portolan::sdk().filter(|(path, _)| path.starts_with("wit/"));
    let mut files: Files = wit.map(|(path, bytes)| file(path, bytes)).collect();
    files.push(file(".gitignore", include_str!("../../../templates/gitignore")));
    files
}

fn example(path: &str) -> String {
    let bytes = portolan::sdk().find(|(known, _)| *known == path).map_or(&[][..], |(_, bytes)| bytes);
    text(bytes)
}

/// Writes everything beside the folder's place first.
fn lay_out(folder: &Path, files: &Files) -> std::io::Result<()> {
    if folder.symlink_metadata().is_ok() {
        return Err(std::io::Error::new(std::io::ErrorKind::AlreadyExists, "there is something of that name"));
    }
    let beside = tempfile::Builder::new().prefix(".portolan-new").tempdir_in(".")?;
    let whole = beside.path().join("project");
    for (path, bytes) in files {
        let path = whole.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&whole))?;
        fs::write(path, bytes)?;
    }
    fs::rename(whole, folder)
}

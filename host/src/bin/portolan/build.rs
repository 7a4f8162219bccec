//! `build`: a component from a project's sources, by its language's own tools, which are found or put into the project.
//!
//! Not here: a build system. What cargo, pip and npm do is theirs; this is the one command for all of them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Program, Stdio};
use std::time::{Duration, SystemTime};

use clap::{Arg, ArgAction, Command, value_parser};
use serde::Deserialize;

use crate::check::{self, Checked};
use crate::componentize;
use crate::exit::{Exit, say};
use crate::setup::said;

/// `build`, in the list of commands.
pub const ABOUT: &str = "A component from a project's sources: Rust, Go, Python or JavaScript";

const TARGET: &str = "wasm32-wasip2";
/// How often a watched project is looked at.
const LOOKED_AT: Duration = Duration::from_millis(300);
/// What tools put into a project, and no source.
const MADE: [&str; 5] = [".git", ".venv", "node_modules", "target", "__pycache__"];

/// The command.
pub fn command() -> Command {
    Command::new("portolan build")
        .bin_name("portolan build")
        .about(ABOUT)
        .no_binary_name(true)
        .arg(
            Arg::new("project")
                .value_name("DIR")
                .default_value(".")
                .value_parser(value_parser!(PathBuf))
                .help("The project: a folder with a Cargo.toml, a go.mod, an app.py or a package.json"),
        )
        .arg(
            Arg::new("output")
                .short('o')
                .long("output")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Where the component goes; NAME.wasm in the project otherwise"),
        )
        .arg(Arg::new("watch").long("watch").action(ArgAction::SetTrue).help("Build again whenever a source changes"))
        .arg(
            Arg::new("question")
                .value_name("ARGUMENTS")
                .last(true)
                .num_args(0..)
                .value_parser(value_parser!(OsString))
                .help("Ask what was built, with these arguments: portolan run NAME.wasm ARGUMENTS"),
        )
        .after_help("Example:\n  portolan build\n  portolan build --watch -- oci-layout://out:app --format json")
}

/// Builds, checks, and asks if there is a question.
pub async fn build(words: &[OsString]) -> Result<u8, Exit> {
    let matches = match command().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return said(&error),
    };
    let folder = matches.get_one::<PathBuf>("project").map_or(Path::new("."), PathBuf::as_path);
    let project = Project::of(folder)?;
    let output = matches.get_one::<PathBuf>("output").cloned();
    let output = output.unwrap_or_else(|| folder.join(&project.name).with_extension("wasm"));
    let question = matches.contains_id("question").then(|| matches.get_many("question").into_iter().flatten().cloned());
    let question: Option<Vec<OsString>> = question.map(Iterator::collect);
    if !matches.get_flag("watch") {
        return project.turn(&output, question.as_deref()).await;
    }
    loop {
        let before = newest(folder);
        match project.turn(&output, question.as_deref()).await {
            Ok(_) => {}
            // The next change may mend it.
            Err(exit) => drop(exit.report()),
        }
        say("watching; Ctrl-C ends it");
        while newest(folder) == before {
            tokio::time::sleep(LOOKED_AT).await;
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Language {
    Rust,
    Go,
    Python,
    JavaScript,
}

struct Project {
    folder: PathBuf,
    language: Language,
    name: String,
}

impl Project {
    fn of(folder: &Path) -> Result<Project, Exit> {
        let languages = [
            ("Cargo.toml", Language::Rust),
            ("go.mod", Language::Go),
            ("app.py", Language::Python),
            ("package.json", Language::JavaScript),
        ];
        let found = languages.into_iter().find(|(file, _)| folder.join(file).is_file());
        let Some((_, language)) = found else {
            let message = format!("{} has neither Cargo.toml nor go.mod, app.py or package.json", folder.display());
            return Err(Exit::usage(message).hint("portolan new NAME makes a project"));
        };
        let whole = fs::canonicalize(folder)
            .map_err(|error| Exit::failure(format!("cannot read {}: {error}", folder.display())))?;
        let name = whole.file_name().map_or_else(|| "component".into(), |name| name.to_string_lossy().into_owned());
        Ok(Project { folder: folder.to_owned(), language, name })
    }

    /// Builds once, and asks.
    async fn turn(&self, output: &Path, question: Option<&[OsString]>) -> Result<u8, Exit> {
        match self.language {
            Language::Rust => self.rust(output)?,
            Language::Go => self.go(output)?,
            Language::Python => self.python(output)?,
            Language::JavaScript => self.javascript(output)?,
        }
        let what = match check::checked(output).await? {
            Checked::Frontend(info, _) => format!("{} {}", info.name, info.version),
            Checked::Strategy => "a strategy".to_owned(),
        };
        let size = fs::metadata(output).map_or(0, |file| file.len()).div_ceil(1000);
        say(&format!("{}: {what}, {size} kB", output.display()));
        let Some(question) = question else { return Ok(0) };
        let program =
            std::env::current_exe().map_err(|error| Exit::failure(format!("cannot find portolan: {error}")))?;
        let status = Program::new(program).arg("run").arg(output).args(question).status();
        let status = status.map_err(|error| Exit::failure(format!("cannot start portolan: {error}")))?;
        Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
    }

    fn rust(&self, output: &Path) -> Result<(), Exit> {
        self.rust_target()?;
        say(&format!("cargo build --release --target {TARGET}"));
        let mut cargo = self.program("cargo");
        cargo.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
        let told = cargo.stderr(Stdio::inherit()).output().map_err(|error| missing("cargo", &error))?;
        if !told.status.success() {
            return Err(Exit::failure(format!("{} does not build", self.folder.display())));
        }
        let mut components: Vec<PathBuf> = told
            .stdout
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Told>(line).ok())
            .filter(|told| told.target.as_ref().is_some_and(|target| target.kind.iter().any(|kind| kind == "cdylib")))
            .filter_map(|told| told.filenames.into_iter().find(|file| file.extension().is_some_and(|it| it == "wasm")))
            .collect();
        match (components.pop(), components.is_empty()) {
            (Some(component), true) => put(&read(&component)?, output),
            (None, _) => Err(Exit::failure(format!("{} builds no component", self.folder.display()))
                .hint("Cargo.toml wants a [lib] with crate-type = [\"cdylib\"]")),
            (Some(_), false) => Err(Exit::failure(format!("{} builds several components", self.folder.display()))
                .hint("build the folder of one of them")),
        }
    }

    fn rust_target(&self) -> Result<(), Exit> {
        let installed = self.program("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
        let installed = installed.map_err(|error| missing("rustc", &error))?;
        if installed.status.success() && Path::new(String::from_utf8_lossy(&installed.stdout).trim()).is_dir() {
            return Ok(());
        }
        say(&format!("rustup target add {TARGET}"));
        let added = self.program("rustup").args(["target", "add", TARGET]).status();
        match added.map_err(|error| missing("rustup", &error))?.success() {
            true => Ok(()),
            false => Err(Exit::failure(format!("cannot install the Rust target {TARGET}"))),
        }
    }

    fn go(&self, output: &Path) -> Result<(), Exit> {
        say("GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared");
        let (beside, name) = self.beside("module.wasm")?;
        let mut go = self.program("go");
        go.envs([("GOOS", "wasip1"), ("GOARCH", "wasm")]).args(["build", "-buildmode=c-shared", "-trimpath"]);
        // Bindings ask Go's runtime for memory before it has started, which Go's linker would not have.
        go.args(["-buildvcs=false", "-ldflags=-s -w -checklinkname=0", "-o", &name, "."]);
        if !go.status().map_err(|error| missing("go", &error))?.success() {
            return Err(Exit::failure(format!("{} does not build", self.folder.display())));
        }
        let module = beside.path().join("module.wasm");
        put(&componentize::component(&module, read(&module)?)?, output)
    }

    fn python(&self, output: &Path) -> Result<(), Exit> {
        let (venv, pins) = (self.folder.join(".venv"), self.folder.join("requirements.txt"));
        // Made of the same pins, to the end.
        let made = venv.join("made-of");
        if fs::read(&made).ok() != Some(read(&pins)?) {
            say("python3 -m venv .venv; pip install -r requirements.txt");
            // Over what is there: it may be an author's own, with more in it.
            self.done("python3", &["-m", "venv", ".venv"])?;
            self.done(
                ".venv/bin/pip",
                &["install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"],
            )?;
            fs::write(&made, read(&pins)?)
                .map_err(|error| Exit::failure(format!("cannot write {}: {error}", made.display())))?;
        }
        say("componentize-py componentize app");
        self.made(output, ".venv/bin/componentize-py", |file| {
            ["--wit-path", "wit", "--world", "reader", "componentize", "--stub-wasi", "app", "--output", file]
                .map(str::to_owned)
                .to_vec()
        })
    }

    fn javascript(&self, output: &Path) -> Result<(), Exit> {
        let componentize = "node_modules/@bytecodealliance/componentize-js/src/cli.js";
        if !self.folder.join(componentize).is_file() {
            say("npm install");
            self.done("npm", &["install", "--silent", "--no-audit", "--no-fund"])?;
        }
        say("componentize-js frontend.js");
        self.made(output, "node", |file| {
            let words = [componentize, "frontend.js", "--wit", "wit", "--world-name", "reader"];
            let disabled = ["--disable", "random", "clocks", "stdio", "http", "fetch-event", "--out", file];
            words.into_iter().chain(disabled).map(str::to_owned).collect()
        })
    }

    /// Has a tool write a file in the project, and puts it in its place.
    fn made(&self, output: &Path, tool: &str, words: impl FnOnce(&str) -> Vec<String>) -> Result<(), Exit> {
        let (beside, name) = self.beside("component.wasm")?;
        let words = words(&name);
        self.done(tool, &words.iter().map(String::as_str).collect::<Vec<_>>())?;
        put(&read(&beside.path().join("component.wasm"))?, output)
    }

    /// A folder of the project's for what is not finished, and a file in it as the project names it.
    fn beside(&self, file: &str) -> Result<(tempfile::TempDir, String), Exit> {
        let beside = tempfile::Builder::new().prefix(".portolan-build").tempdir_in(&self.folder);
        let beside =
            beside.map_err(|error| Exit::failure(format!("cannot write into {}: {error}", self.folder.display())))?;
        let name = beside.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok((beside, format!("{name}/{file}")))
    }

    fn done(&self, program: &str, words: &[&str]) -> Result<(), Exit> {
        let status = self.program(program).args(words).status().map_err(|error| missing(program, &error))?;
        match status.success() {
            true => Ok(()),
            false => Err(Exit::failure(format!("{program} {} ended with {status}", words.join(" ")))),
        }
    }

    /// A program in the project's folder; one that lies in it is named by its path there.
    fn program(&self, name: &str) -> Program {
        let inside = name.contains('/').then(|| fs::canonicalize(&self.folder).ok()).flatten();
        let mut program = Program::new(inside.map_or_else(|| PathBuf::from(name), |folder| folder.join(name)));
        program.current_dir(&self.folder).stdin(Stdio::null());
        program
    }
}

/// A line of cargo's, as far as it is read.
#[derive(Deserialize)]
struct Told {
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

fn missing(program: &str, error: &std::io::Error) -> Exit {
    let hint = match program {
        "go" => "install Go 1.25 or newer",
        "npm" | "node" => "install Node 20 or newer, with npm",
        "python3" => "install Python 3.10 or newer, with venv (Debian: python3-venv)",
        _ => "install Rust by rustup",
    };
    Exit::failure(format!("cannot start {program}: {error}")).hint(hint)
}

fn read(file: &Path) -> Result<Vec<u8>, Exit> {
    fs::read(file).map_err(|error| Exit::failure(format!("cannot read {}: {error}", file.display())).because_of(&error))
}

/// The component in its place, whole or not at all.
fn put(component: &[u8], output: &Path) -> Result<(), Exit> {
    crate::output::file(output, component)
        .map_err(|error| Exit::failure(format!("cannot write {}: {error}", output.display())))
}

/// When the newest of a project's sources was changed.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let times = entries.filter_map(|entry| {
        let (path, name) = (entry.path(), entry.file_name());
        match entry.file_type().ok()?.is_dir() {
            true if MADE.iter().any(|made| name == *made) => None,
            true => newest(&path),
            false if path.extension().is_some_and(|extension| extension == "wasm" || extension == "lock") => None,
            false => entry.metadata().ok()?.modified().ok(),
        }
    });
    times.max()
}

//! The command line under test: what was typed, what came back.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

use crate::serving::Serving;

/// The program, in a folder of the caller's choice, with a home of its own: no credentials, no proxy, an empty cache.
pub struct Cli {
    program: String,
    folder: PathBuf,
    home: TempDir,
    variables: Vec<(String, String)>,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Printed {
    /// Its exit status; -1 where a signal ended it.
    pub status: i32,
    /// Byte for byte.
    pub bytes: Vec<u8>,
    /// Standard output as text.
    pub out: String,
    /// Standard error as text.
    pub err: String,
}

impl Cli {
    /// `program` is the test's `env!("CARGO_BIN_EXE_portolan")`.
    pub fn new(program: &str, folder: impl AsRef<Path>) -> Self {
        let home = tempfile::tempdir().expect("a folder for the home");
        let cli = Cli { program: program.into(), folder: folder.as_ref().into(), home, variables: Vec::new() };
        link_all(&cli.shared(), &cli.compiled()).expect("a folder for compiled code");
        cli
    }

    fn compiled(&self) -> PathBuf {
        self.home.path().join(".cache/portolan/compiled")
    }

    fn shared(&self) -> PathBuf {
        Path::new(&self.program).with_file_name("compiled-in-tests")
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Has another registry asked in the place of `hosts`, by plain HTTP, for writing too: its user's `certs.d` says so.
    pub fn asks(&self, hosts: &[&str], registry: impl std::fmt::Display) {
        for host in hosts {
            let folder = self.home().join(".config/docker/certs.d").join(host);
            fs::create_dir_all(&folder).expect("a folder in the home");
            let text = format!(
                "server = \"http://{registry}\"\n[host.\"http://{registry}\"]\ncapabilities = [\"pull\", \"resolve\", \"push\"]\n"
            );
            fs::write(folder.join("hosts.toml"), text).expect("a file in the home");
        }
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).current_dir(&self.folder).env_clear().env("HOME", self.home.path()).stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program.
    pub fn run<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Printed {
        printed(self.command(words).output().unwrap_or_else(|error| panic!("{}: {error}", self.program)))
    }

    /// Starts the program with the words of a line, for who wants to end it. What it prints is not kept.
    pub fn start(&self, line: &str) -> Child {
        let mut command = self.command(line.split_whitespace());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program))
    }

    /// Starts `serve` with the words of a line, on free ports of 127.0.0.1, one for callers and one for who runs it.
    pub fn serve(&self, line: &str) -> Serving {
        let words = "serve --listen 127.0.0.1:0 --operators 127.0.0.1:0".split(' ').chain(line.split_whitespace());
        let mut command = self.command(words);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let process = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program));
        Serving::of(process, 2)
    }

    /// Runs the program with the words of a line.
    pub fn line(&self, line: &str) -> Printed {
        self.run(line.split_whitespace())
    }

    /// The same with this on standard input. What the program does not read does not matter.
    pub fn fed(&self, line: &str, input: &[u8]) -> Printed {
        let mut command = self.command(line.split_whitespace());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program));
        let stdin = child.stdin.take();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap_or_else(|error| panic!("{}: {error}", self.program));
        drop(writer.join());
        printed(output)
    }

    /// What a line prints, which must succeed.
    pub fn ok(&self, line: &str) -> String {
        let printed = self.line(line);
        assert_eq!(printed.status, 0, "portolan {line}\n{}{}", printed.out, printed.err);
        printed.out
    }

    /// What a line says that must fail with this status.
    pub fn fails(&self, status: i32, line: &str) -> String {
        let printed = self.line(line);
        assert_eq!(printed.status, status, "portolan {line}\n{}{}", printed.out, printed.err);
        assert_eq!(printed.out, "", "portolan {line}");
        printed.err
    }
}

/// Compiling the bundled frontends takes seconds without optimisation, so all tests share what was compiled: a folder
/// beside the program has links to it, as the one in a home must be a folder of its own. Documents and credentials stay
/// apart.
fn link_all(from: &Path, to: &Path) -> std::io::Result<()> {
    for folder in [from, to] {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    for file in fs::read_dir(from)? {
        let file = file?;
        if file.path().extension().is_some_and(|extension| extension == "cwasm") {
            // There already, or just replaced by another test: either is as good.
            let _ = fs::hard_link(file.path(), to.join(file.file_name()));
        }
    }
    Ok(())
}

impl Drop for Cli {
    fn drop(&mut self) {
        let _ = link_all(&self.compiled(), &self.shared());
    }
}

/// What a program that ended printed.
pub(crate) fn printed(output: Output) -> Printed {
    Printed {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        bytes: output.stdout,
    }
}

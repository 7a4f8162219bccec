//! The plain `wasmtime` command line, which knows nothing of Portolan: what it runs runs anywhere.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cli::{Printed, printed};

/// The program, of the version that Portolan is built with.
pub struct Wasmtime {
    program: PathBuf,
}

impl Wasmtime {
    /// `scratch` is the test's `env!("CARGO_TARGET_TMPDIR")`: tools are kept in a folder `tools` beside cargo's.
    pub fn new(scratch: &str) -> Self {
        let tools = Path::new(scratch).ancestors().nth(2).unwrap_or(Path::new("/")).join("tools");
        let program = tools.join("bin/wasmtime");
        let version = Command::new(&program).arg("--version").output();
        let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        assert!(
            version.starts_with("wasmtime 48."),
            "this test needs wasmtime 48 in {0}: `tests/install-wasmtime.sh {0}` gets it (`make test` does that)",
            tools.display()
        );
        Wasmtime { program }
    }

    /// Where it is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// `wasmtime run WORDS…`, with nothing of our environment.
    pub fn run<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Printed {
        let mut command = Command::new(&self.program);
        command.arg("run").args(words).env_clear().stdin(Stdio::null());
        printed(command.output().unwrap_or_else(|error| panic!("{}: {error}", self.program.display())))
    }
}

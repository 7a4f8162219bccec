//! `docker-buildx imagetools`, the program that `create` and `inspect --format imagetools` are measured by. It needs no
//! daemon. `tests/install-go-tools.sh` builds it where Go is.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::tools;

/// The program, with a home of its own.
pub struct Buildx {
    program: PathBuf,
    home: TempDir,
}

impl Buildx {
    /// Where it is there.
    pub fn find() -> Option<Buildx> {
        let program = tools::find("docker-buildx")?;
        Some(Buildx { program, home: tempfile::tempdir().expect("a folder for the home") })
    }

    /// What `imagetools` prints with the words of a line, in a folder; what it complains of where it fails.
    ///
    /// # Errors
    /// The last line of its complaint.
    pub fn imagetools(&self, folder: &Path, line: &str) -> Result<Vec<u8>, String> {
        let mut command = Command::new(&self.program);
        command.arg("imagetools").args(line.split_whitespace()).current_dir(folder).stdin(Stdio::null());
        command.env_clear().env("HOME", self.home.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        match output.status.success() {
            true => Ok(output.stdout),
            false => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(said.trim_end().lines().last().unwrap_or_default().to_owned())
            }
        }
    }
}

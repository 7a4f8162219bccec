//! jco, which makes JavaScript of components: what is bundled runs under Node, too.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use portolan_oci::Digest;

use crate::cli::{Printed, printed};

/// Makes JavaScript, each of the same bytes once, in a folder that is kept for the next run.
#[derive(Debug)]
pub struct Jco {
    folder: PathBuf,
    modules: PathBuf,
}

impl Jco {
    /// `scratch` is the test's `env!("CARGO_TARGET_TMPDIR")`: tools are kept in a folder `tools` beside cargo's.
    pub fn new(scratch: &str) -> Self {
        let tools = Path::new(scratch).ancestors().nth(2).unwrap_or(Path::new("/")).join("tools");
        let modules = tools.join("componentize-js/node_modules");
        assert!(
            modules.join(".bin/jco").exists(),
            "jco is not there: run `tests/install-componentize.sh {}` (as `make test` does), then try again",
            tools.display()
        );
        let jco = Jco { folder: Path::new(scratch).join("jco"), modules };
        jco.furnish(&jco.folder);
        jco
    }

    /// Puts into a folder what a bundle needs beside it to run: modules, the script that runs it, and a word that what lies
    /// there is JavaScript of today.
    pub fn furnish(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("a folder");
        let link = folder.join("node_modules");
        // Another test may be about it, or was before.
        if !link.exists() && std::os::unix::fs::symlink(&self.modules, &link).is_err() {
            assert!(link.exists(), "{} is not to be made", link.display());
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("componentize/run-bundle.mjs");
        fs::copy(&script, folder.join("run-bundle.mjs")).expect("the script");
        fs::write(folder.join("package.json"), r#"{"type":"module"}"#).expect("package.json");
    }

    /// A folder with the JavaScript of a component, NAME/NAME.js.
    pub fn transpiled(&self, component: &Path, name: &str) -> PathBuf {
        let bytes = fs::read(component).unwrap_or_else(|error| panic!("{}: {error}", component.display()));
        let kept = self.folder.join(format!("{name}-{}", &Digest::sha256(&bytes).hex()[..16]));
        if !kept.exists() {
            // Whole or not at all.
            let unfinished = tempfile::tempdir_in(&self.folder).expect("a folder");
            let mut jco = self.node(&self.modules.join(".bin/jco"));
            jco.args(["transpile", "--quiet", "--no-typescript", "--name", name]).arg(component);
            let output = ended(jco.arg("--out-dir").arg(unfinished.path()));
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            let renamed = fs::rename(unfinished.keep(), &kept);
            assert!(renamed.is_ok() || kept.exists(), "{renamed:?}");
        }
        kept
    }

    /// `node run-bundle.mjs WORDS…`, in that folder.
    pub fn run<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Printed {
        printed(ended(self.node(&self.folder.join("run-bundle.mjs")).args(words)))
    }

    /// Node with a script, and nothing else of our environment than where programs are.
    fn node(&self, script: &Path) -> Command {
        let mut node = Command::new("node");
        node.arg(script).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        node.current_dir(&self.folder).stdin(Stdio::null());
        node
    }
}

fn ended(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("node (20 or newer has to be on the PATH): {error}"))
}

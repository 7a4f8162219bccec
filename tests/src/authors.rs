//! Frontends as their authors build them: the crates and scripts of `guest/examples`, with the tools that each language has.
//!
//! `tests/install-componentize.sh` puts those tools beside the compile cache; a test that does not find one fails and says
//! so. What did not change since it was built is not built again, so that its compiled code is found again too.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use portolan_oci::Digest;

use crate::cli::Cli;
use crate::guests::cargo;

/// Ways from a Rust crate to a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `cargo build --target wasm32-wasip2`.
    Wasip2,
    /// `cargo component build`.
    CargoComponent,
    /// `cargo build --target wasm32-unknown-unknown`, and then what the host's build script does.
    Unknown,
}

/// Builds examples into `scratch`, a test's `env!("CARGO_TARGET_TMPDIR")`.
#[derive(Debug)]
pub struct Examples {
    scratch: PathBuf,
}

impl Examples {
    /// For one test program; what it builds is kept for the next run.
    pub fn new(scratch: &str) -> Self {
        Examples { scratch: scratch.into() }
    }

    /// The folder of an example; without a name that of their workspace.
    pub fn folder(name: &str) -> PathBuf {
        root().join("guest/examples").join(name)
    }

    /// Where tools are installed, beside the compile cache.
    pub fn tools(&self) -> PathBuf {
        // The scratch folder is `tmp` in the target folder.
        self.scratch.join("../../tools")
    }

    fn tool(&self, path: &str) -> PathBuf {
        let tools = self.tools();
        let tool = tools.join(path);
        assert!(
            tool.exists(),
            "{path} is not there: run `tests/install-componentize.sh {}` (as `make test` does), then try again",
            tools.display()
        );
        tool
    }

    /// The Python program NAME/app.py.
    pub fn python(&self, name: &str) -> PathBuf {
        self.kept(name, "app.py", |source, component| {
            // Python would leave a folder of compiled code beside the source.
            let copy = component.with_extension("d");
            fs::create_dir_all(&copy).expect("a folder for the source");
            fs::copy(source, copy.join("app.py")).expect("the source");
            let mut command = Command::new(self.tool("componentize-py/bin/componentize-py"));
            command.arg("--wit-path").arg(root().join("wit")).args([
                "--world",
                "reader",
                "componentize",
                "--stub-wasi",
            ]);
            command.args(["app", "--python-path"]).arg(copy).arg("--output").arg(component);
            command
        })
    }

    /// The JavaScript module NAME/NAME.js.
    pub fn javascript(&self, name: &str) -> PathBuf {
        self.kept(name, &format!("{name}.js"), |source, component| {
            let mut command = Command::new("node");
            command.arg(self.tool("componentize-js/node_modules/@bytecodealliance/componentize-js/src/cli.js"));
            // It takes no absolute path for the contract.
            command.current_dir(Self::folder(name)).arg(source).args([
                "--wit",
                "../../../wit",
                "--world-name",
                "reader",
            ]);
            command.args(["--disable", "random", "clocks", "stdio", "http", "fetch-event", "--out"]).arg(component);
            command
        })
    }

    /// The Rust crate NAME. Cargo knows what changed.
    pub fn rust(&self, name: &str, way: Way) -> PathBuf {
        let target = self.scratch.join("examples");
        let mut command = cargo();
        command.current_dir(Self::folder(name));
        let folder = match way {
            Way::CargoComponent => {
                // Found by cargo as its subcommand.
                let tools = self.tool("bin/cargo-component").with_file_name("");
                let path = std::env::var_os("PATH").unwrap_or_default();
                let path = std::env::join_paths([tools].into_iter().chain(std::env::split_paths(&path)));
                command.arg("component").env("PATH", path.expect("a search path"));
                "wasm32-wasip1"
            }
            Way::Wasip2 => "wasm32-wasip2",
            Way::Unknown => "wasm32-unknown-unknown",
        };
        // By the variable, as cargo-component asks cargo where to put a file of its own, which it moves from there.
        command.args(["build", "--release", "--locked"]).env("CARGO_TARGET_DIR", &target);
        if way != Way::CargoComponent {
            command.args(["--target", folder]);
        }
        run(&mut command);
        let built = target.join(folder).join("release").join(format!("{}.wasm", name.replace('-', "_")));
        match way {
            Way::Unknown => encoded(&built),
            Way::Wasip2 | Way::CargoComponent => built,
        }
    }

    /// The Go module NAME, as `portolan build` builds it. Go knows what changed.
    pub fn go(&self, name: &str, portolan: &Cli) -> PathBuf {
        let folder = self.scratch.join("go");
        fs::create_dir_all(&folder).expect("a folder for components");
        let component = folder.join(name).with_extension("wasm");
        portolan.ok(&format!("build {} -o {}", Self::folder(name).display(), component.display()));
        component
    }

    /// A Go module's own tests, of the packages that need no host.
    pub fn go_test(&self, name: &str, package: &str) {
        run(go(name).args(["test", "-buildvcs=false", package]));
    }

    /// A crate's own tests.
    pub fn test(&self, name: &str) {
        let mut command = cargo();
        command.current_dir(Self::folder(name)).args(["test", "--quiet", "--locked", "--target-dir"]);
        run(command.arg(self.scratch.join("examples")));
    }

    /// The tests of all crates.
    pub fn test_all(&self) {
        let mut command = cargo();
        command.current_dir(Self::folder("")).args(["test", "--quiet", "--workspace", "--locked", "--target-dir"]);
        run(command.arg(self.scratch.join("examples")));
    }

    fn kept(&self, name: &str, source: &str, command: impl FnOnce(&Path, &Path) -> Command) -> PathBuf {
        let source = Self::folder(name).join(source);
        let mut inputs = fs::read(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        for folder in [root().join("wit"), root().join("tests/componentize")] {
            let mut files: Vec<_> =
                fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
            files.sort();
            files.iter().for_each(|file| inputs.extend(fs::read(file).expect("a file")));
        }
        let digest = Digest::sha256(&inputs);
        let folder = self.scratch.join("componentized");
        fs::create_dir_all(&folder).expect("a folder for components");
        let component = folder.join(format!("{name}-{}.wasm", &digest.hex()[..16]));
        if !component.exists() {
            // Tests run side by side, and each may want it: whole or not at all.
            let unfinished = tempfile::tempdir_in(&folder).expect("a folder for what is not finished");
            let new = unfinished.path().join("component.wasm");
            run(&mut command(&source, &new));
            fs::rename(new, &component).expect("the component in its place");
        }
        component
    }
}

/// The component of a core module that has its world in it.
pub fn encoded(module: &Path) -> PathBuf {
    let bytes = fs::read(module).unwrap_or_else(|error| panic!("{}: {error}", module.display()));
    let component = wit_component::ComponentEncoder::default()
        .module(&bytes)
        .and_then(|encoder| encoder.validate(true).encode())
        .unwrap_or_else(|error| panic!("{}: {error:#}", module.display()));
    let file = module.with_extension("component.wasm");
    let folder = module.parent().expect("a folder");
    let unfinished = tempfile::NamedTempFile::new_in(folder).expect("a file for what is not finished");
    fs::write(unfinished.path(), component).expect("the component");
    unfinished.persist(&file).expect("the component in its place");
    file
}

/// Go in the folder of an example.
fn go(name: &str) -> Command {
    let mut go = Command::new("go");
    go.current_dir(Examples::folder(name));
    go
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn run(command: &mut Command) {
    let words: Vec<_> = [command.get_program()].into_iter().chain(command.get_args()).map(OsStr::to_owned).collect();
    let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", words[0].display()));
    assert!(
        output.status.success(),
        "{words:?} failed\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

//! A real BuildKit: `buildkitd` with a root of its own, on a socket in a folder that goes with it. It takes root and `runc`;
//! `tests/install-go-servers.sh` builds it.
//!
//! Where it cannot run a test fails, unless `PORTOLAN_NO_BUILDKIT=1` says that this is known: then [`Buildkit::start`]
//! says so aloud and gives none.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::registry::run;
use crate::tools;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon that runs.
pub struct Buildkit {
    daemon: Child,
    folder: TempDir,
    address: String,
    /// Options of its own program.
    program: Vec<String>,
}

impl Buildkit {
    /// One that speaks plain HTTP to these registries, each `HOST:PORT`.
    pub fn start(plain: &[&str]) -> Option<Buildkit> {
        let config: String = plain.iter().map(|host| format!("[registry.{host:?}]\n  http = true\n")).collect();
        Self::launch(None, &config, &[], &[])
    }

    /// One at this address, with these options, where its own program has those.
    pub fn start_at(address: &str, options: &[String], program: &[&str]) -> Option<Buildkit> {
        Self::launch(Some(address), "", options, program)
    }

    fn launch(address: Option<&str>, config: &str, options: &[String], program: &[&str]) -> Option<Buildkit> {
        if std::env::var_os("PORTOLAN_NO_BUILDKIT").is_some_and(|value| value == "1") {
            eprintln!("PORTOLAN_NO_BUILDKIT=1: NOTHING WAS TRIED AGAINST A REAL BUILDKIT");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder for the daemon");
        fs::write(folder.path().join("buildkitd.toml"), config).expect("the daemon's configuration");
        let said = File::create(folder.path().join("said")).expect("a file for what the daemon says");
        let mut command = Command::new(tools::find("buildkitd").unwrap_or_else(|| "buildkitd".into()));
        command.args(["--oci-worker=true", "--containerd-worker=false", "--oci-worker-snapshotter=native"]);
        command.arg("--config").arg(folder.path().join("buildkitd.toml"));
        command.arg("--root").arg(folder.path().join("root"));
        command.arg("--otel-socket-path").arg(folder.path().join("otel"));
        let socket = || format!("unix://{}", folder.path().join("sock").display());
        let address = address.map_or_else(socket, str::to_owned);
        command.args(["--addr", &address]).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        let daemon = command.spawn().unwrap_or_else(|error| {
            panic!("this test needs the program `buildkitd`, which `make servers` builds: {error}")
        });
        let program = program.iter().map(|&option| option.to_owned()).collect();
        let mut buildkit = Buildkit { daemon, folder, address, program };
        buildkit.wait();
        Some(buildkit)
    }

    fn wait(&mut self) {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until && matches!(self.daemon.try_wait(), Ok(None)) {
            if self.buildctl().args(["debug", "workers"]).output().is_ok_and(|output| output.status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut said = String::new();
        let _ = File::open(self.folder.path().join("said")).map(|mut file| file.read_to_string(&mut said));
        panic!(
            "buildkitd does not start; it takes root and runc (PORTOLAN_NO_BUILDKIT=1 does without). It said:\n{said}"
        );
    }

    /// `unix://…`, `tcp://…`
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// BuildKit's own program, talking to it.
    pub fn buildctl(&self) -> Command {
        let mut command = Command::new(Self::program());
        command.args(["--addr", &self.address]).args(&self.program).stdin(Stdio::null());
        command
    }

    /// Where BuildKit's own program is.
    pub fn program() -> PathBuf {
        tools::find("buildctl").unwrap_or_else(|| "buildctl".into())
    }

    /// Builds a Dockerfile in a folder of these files, with more options of `buildctl build`; what its `--metadata-file`
    /// says, where it says anything.
    pub fn build(&self, dockerfile: &str, files: &[(&str, &[u8])], options: &[&str]) -> serde_json::Value {
        let context = tempfile::tempdir().expect("a folder for the context");
        fs::write(context.path().join("Dockerfile"), dockerfile).expect("a Dockerfile");
        for (name, content) in files {
            fs::write(context.path().join(name), content).expect("a file of the context");
        }
        let metadata = context.path().join("metadata.json");
        let local = |name: &str, path: &Path| format!("{name}={}", path.display());
        let mut command = self.buildctl();
        command.args(["build", "--frontend", "dockerfile.v0", "--local", &local("context", context.path())]);
        command.args(["--local", &local("dockerfile", context.path()), "--metadata-file"]).arg(&metadata).args(options);
        run(&mut command, "buildctl");
        fs::read(&metadata).map_or(serde_json::Value::Null, |text| serde_json::from_slice(&text).expect("JSON"))
    }
}

impl Drop for Buildkit {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

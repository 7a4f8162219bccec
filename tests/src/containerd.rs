//! A real containerd, Debian's, with folders of its own, on a socket in a folder that goes with it. It takes root.
//!
//! The daemon ends with its [`Containerd`]. Where it cannot run the test fails and says why.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::registry::run;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon that runs.
pub struct Containerd {
    daemon: Child,
    folder: TempDir,
}

impl Containerd {
    /// One that has nothing.
    pub fn start() -> Containerd {
        let folder = tempfile::tempdir().expect("a folder for the daemon");
        let path = |name: &str| folder.path().join(name);
        // Nothing of Kubernetes: its plug-in wants a network.
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = {:?}\n",
            path("root"),
            path("state"),
            path("sock")
        );
        fs::write(path("config.toml"), config).expect("the daemon's configuration");
        let said = File::create(path("said")).expect("a file for what the daemon says");
        let mut command = Command::new("containerd");
        command.arg("--config").arg(path("config.toml")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        let daemon = command.spawn().unwrap_or_else(|error| {
            panic!("this test needs the program `containerd` (Debian package containerd): {error}")
        });
        let mut containerd = Containerd { daemon, folder };
        containerd.wait();
        containerd
    }

    fn wait(&mut self) {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until && matches!(self.daemon.try_wait(), Ok(None)) {
            if self.ctr("default").arg("version").output().is_ok_and(|output| output.status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let said = fs::read_to_string(self.folder.path().join("said")).unwrap_or_default();
        panic!("containerd does not start; it takes root. It said:\n{said}");
    }

    /// Its socket's path.
    pub fn address(&self) -> String {
        self.folder.path().join("sock").display().to_string()
    }

    fn ctr(&self, namespace: &str) -> Command {
        let mut command = Command::new("ctr");
        command.args(["--address", &self.address(), "--namespace", namespace]).stdin(Stdio::null());
        command
    }

    /// Imports an archive of images into a namespace, of all platforms, and unpacks nothing; the names that they get begin
    /// with `base`.
    pub fn import(&self, namespace: &str, base: &str, archive: &Path) {
        let mut command = self.ctr(namespace);
        command.args(["images", "import", "--all-platforms", "--no-unpack", "--base-name", base]).arg(archive);
        run(&mut command, "containerd");
    }

    /// Pulls an image as the folder `hosts` says where it is, and unpacks one platform of it; the list of what is there then.
    pub fn pull_by(&self, hosts: &Path, name: &str, platform: &str) -> String {
        let mut command = self.ctr("default");
        command.args(["images", "pull", "--snapshotter", "native", "--platform", platform, "--hosts-dir"]);
        run(command.arg(hosts).arg(name), "containerd");
        let listed = run(self.ctr("default").args(["images", "ls"]), "containerd");
        String::from_utf8_lossy(&listed.stdout).into_owned()
    }

    /// Pulls one platform of an image from a registry that speaks plain HTTP.
    pub fn pull(&self, namespace: &str, name: &str, platform: &str) {
        let mut command = self.ctr(namespace);
        run(command.args(["content", "fetch", "--plain-http", "--platform", platform, name]), "containerd");
        run(self.ctr(namespace).args(["images", "ls"]), "containerd");
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

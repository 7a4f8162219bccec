//! A registry's program that a test starts: on a free port of 127.0.0.1, ended with its handle, filled and emptied by
//! `skopeo`.
//!
//! Not here: what each one's command line is (`registry`, `olareg`, `crane`, `zot`).

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::registry::{User, run};
use crate::tools;

/// A server that runs.
pub struct Server {
    process: Child,
    host: String,
}

impl Server {
    /// Starts what `command` makes of a port. Where there is no such program the test fails, with `missing` to say what to do.
    pub(crate) fn launch(missing: &str, command: impl Fn(u16) -> Command) -> Server {
        // Between finding a free port and using it somebody else may take it; not three times in a row.
        for _ in 0..3 {
            let port = free_port();
            let host = format!("127.0.0.1:{port}");
            let mut command = command(port);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let process = command.spawn().unwrap_or_else(|error| {
                panic!("this test needs the program {:?}, {missing}: {error}", command.get_program())
            });
            let mut server = Server { process, host };
            if server.listens() {
                return server;
            }
            if server.process.try_wait().is_ok_and(|ended| ended.is_none()) {
                panic!("{command:?} does not listen; try it by hand");
            }
        }
        panic!("{:?} does not start; try it by hand", command(5000));
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Pushes an image with everything below it, byte for byte. `source` is skopeo's (`oci:DIR`, `oci:DIR:NAME`), `name` a
    /// repository with its tag.
    pub fn push(&self, source: &str, name: &str) {
        push(source, &self.host, name, None);
    }

    /// Takes an image out with everything below it, byte for byte: `name`, a repository with its tag, to what skopeo calls
    /// `target`.
    pub fn pull(&self, name: &str, target: &str) {
        pull(&self.host, name, target, None);
    }

    /// Whether it comes to listen; not where it ends, or somebody else has the port.
    fn listens(&mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            let answers = TcpStream::connect(&self.host).is_ok();
            // Somebody else's server would answer too, but then ours could not have bound the port and is gone.
            sleep(Duration::from_millis(10));
            let is_running = matches!(self.process.try_wait(), Ok(None));
            if answers || !is_running {
                return is_running;
            }
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port of 127.0.0.1 that nobody used a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
    listener.local_addr().expect("the address of a listener").port()
}

/// A program that was built for the tests, or one on the `PATH`.
pub(crate) fn program(name: &str) -> Command {
    Command::new(tools::find(name).unwrap_or_else(|| PathBuf::from(name)))
}

/// Has skopeo push to a registry that speaks plain HTTP, or TLS by whatever certificate.
pub(crate) fn push(source: &str, host: &str, name: &str, user: Option<User>) {
    let mut skopeo = skopeo("--dest", user);
    run(skopeo.arg(source).arg(format!("docker://{host}/{name}")), "skopeo");
}

/// Has skopeo take an image out of a registry, with everything below it.
pub(crate) fn pull(host: &str, name: &str, target: &str, user: Option<User>) {
    let mut skopeo = skopeo("--src", user);
    run(skopeo.arg(format!("docker://{host}/{name}")).arg(target), "skopeo");
}

/// `skopeo copy`, of everything as it is; `side` says which of both is the registry.
fn skopeo(side: &str, user: Option<User>) -> Command {
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "--all", "--preserve-digests"]).arg(format!("{side}-tls-verify=false"));
    if let Some(User { name, password }) = user {
        skopeo.arg(format!("{side}-creds={name}:{password}"));
    }
    skopeo
}

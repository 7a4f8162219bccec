//! A real registry: Debian's `docker-registry` on a free port of 127.0.0.1, with its storage in a folder of its own, and
//! `skopeo` to fill it.
//!
//! The server ends with its [`Registry`]. Where a program is missing the test fails and names it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use tempfile::TempDir;

use crate::server::{Server, pull, push};
use crate::token::Tokens;

/// A user that the registry knows.
#[derive(Debug, Clone, Copy)]
pub struct User {
    /// The name.
    pub name: &'static str,
    /// The password.
    pub password: &'static str,
}

/// A registry that runs.
pub struct Registry {
    _server: Server,
    host: String,
    user: Option<User>,
    folder: TempDir,
}

impl Registry {
    /// One that anybody may use.
    pub fn start() -> Registry {
        Registry::launch(None, |_| String::new())
    }

    /// One that only `user` may use, by Basic.
    pub fn for_user(user: User) -> Registry {
        Registry::launch(Some(user), |folder| {
            let file = folder.join("htpasswd");
            let line = run(Command::new("htpasswd").args(["-Bbn", user.name, user.password]), "apache2-utils");
            fs::write(&file, line.stdout).expect("a password file");
            format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", file.display())
        })
    }

    /// One with TLS, by a certificate and its key in PEM.
    pub fn with_tls(certificate: &Path, key: &Path) -> Registry {
        let (certificate, key) = (certificate.display(), key.display());
        Registry::launch(None, |_| format!("  tls:\n    certificate: {certificate}\n    key: {key}\n"))
    }

    /// The same, but it takes itself for `address`, as a registry does whose proxy tells it nothing.
    pub fn with_tls_astray(certificate: &Path, key: &Path, address: &str) -> Registry {
        let (certificate, key) = (certificate.display(), key.display());
        Registry::launch(None, |_| {
            format!("  host: {address}\n  tls:\n    certificate: {certificate}\n    key: {key}\n")
        })
    }

    /// One that believes a token server, and is reached through it.
    pub fn with_tokens(tokens: &Tokens) -> Registry {
        let mut registry = Registry::launch(None, |_| tokens.section());
        tokens.stand_before(&registry.host);
        registry.host = tokens.host();
        registry
    }

    /// One with TLS that only talks to who shows a certificate that `authority` signed.
    pub fn with_client_certificates(certificate: &Path, key: &Path, authority: &Path) -> Registry {
        let (certificate, key, authority) = (certificate.display(), key.display(), authority.display());
        Registry::launch(None, |_| {
            format!("  tls:\n    certificate: {certificate}\n    key: {key}\n    clientcas:\n      - {authority}\n")
        })
    }

    /// One that pulls through from another and keeps what it got.
    pub fn mirror_of(upstream: &Registry) -> Registry {
        Registry::launch(None, |_| format!("proxy:\n  remoteurl: http://{}\n", upstream.host))
    }

    /// `more` is what the configuration has after its section `http`.
    fn launch(user: Option<User>, more: impl Fn(&Path) -> String) -> Registry {
        let folder = tempfile::tempdir().expect("a folder for the registry");
        let more = more(folder.path());
        let server = Server::launch("which Debian has as the package docker-registry", |port| {
            let storage = folder.path().join("storage");
            let config = format!(
                "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  \
                 addr: 127.0.0.1:{port}\n  secret: not-a-secret\n{more}",
                storage.display()
            );
            let file = folder.path().join("config.yml");
            fs::write(&file, config).expect("the registry's configuration");
            let mut command = Command::new("docker-registry");
            command.arg("serve").arg(&file);
            command
        });
        Registry { host: server.host().to_owned(), _server: server, user, folder }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Pushes an image with everything below it, byte for byte. `source` is skopeo's (`oci:DIR`, `oci:DIR:NAME`), `name` a
    /// repository with its tag.
    pub fn push(&self, source: &str, name: &str) {
        push(source, &self.host, name, self.user);
    }

    /// Takes an image out with everything below it, byte for byte: `name`, a repository with its tag, to what skopeo calls
    /// `target`.
    pub fn pull(&self, name: &str, target: &str) {
        pull(&self.host, name, target, self.user);
    }

    /// A folder that goes with the registry.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What a registry answers to a GET, as it is: the status and the body.
pub fn get(host: &str, path: &str) -> (u16, Vec<u8>) {
    let accept = portolan_oci::media_type::ROOTS.join(", ");
    // With HTTP/1.0 the answer ends where the connection does.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: {accept}, */*\r\n\r\n");
    let mut connection = TcpStream::connect(host).expect("a connection to the registry");
    connection.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    connection.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("the end of the answer's head");
    let status = String::from_utf8_lossy(&answer[..end]).split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), answer.split_off(end + 4))
}

/// Runs a tool to its end; the test fails with what it printed.
pub fn run(command: &mut Command, package: &str) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("this test needs the program `{program}` (Debian package {package}): {error}"));
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed ({}): {printed}", output.status);
    output
}

//! Where a daemon listens, as `BUILDKIT_HOST` and buildx write it. Pure.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use portolan_oci::text;

/// Programs that reach into a container, by the scheme that `buildctl` knows them under.
const RUNTIMES: [(&str, &str); 3] =
    [("docker-container", "docker"), ("nerdctl-container", "nerdctl"), ("podman-container", "podman")];

/// How long a daemon may take if nothing is said of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a daemon listens, and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) at: At,
    pub(super) patience: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum At {
    /// A socket of this machine.
    Unix(PathBuf),
    /// `host:port`, with TLS where there is some.
    Tcp(String, Option<Tls>),
    /// Standard input and output of a program: the runtime, its options, and the container's name.
    Container { runtime: &'static str, options: Vec<String>, name: String },
}

/// How a daemon behind TCP proves itself, and we to it. Files in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whom to trust; the system's authorities where there is none.
    pub ca: Option<PathBuf>,
    /// The certificate to show and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// The name that its certificate has, where that is not the host's.
    pub server_name: Option<String>,
}

/// A text that says of no daemon where it listens, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidAddress(String);

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidAddress {}

impl Address {
    /// Reads `unix:///PATH`, `tcp://HOST:PORT`, or `docker-container://NAME`, for which also `podman-` and `nerdctl-` are
    /// known: BuildKit's own program in that container is asked to pass everything on.
    ///
    /// # Errors
    /// Any other scheme, a path that is not absolute, a host without a port, and what can be no container's name.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let fail = |why: &str| Err(InvalidAddress(format!("{:?} is no daemon's address: {why}", shown(text))));
        let Some((scheme, rest)) = text.split_once("://") else {
            return fail("write unix:///PATH, tcp://HOST:PORT or docker-container://NAME");
        };
        match scheme {
            "unix" if rest.starts_with('/') => Ok(At::Unix(rest.into()).into()),
            "unix" => fail("its path is not absolute"),
            "tcp" => {
                let rest = rest.strip_suffix('/').unwrap_or(rest);
                let port = rest.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
                let is_authority = format!("http://{rest}").parse::<http::Uri>().is_ok_and(|uri| {
                    uri.path() == "/" && uri.query().is_none() && uri.authority().is_some_and(|it| it == rest)
                });
                match port.and_then(|port| port.parse::<u16>().ok()) {
                    Some(_) if is_authority && !rest.contains('@') => Ok(At::Tcp(rest.into(), None).into()),
                    _ => fail("write tcp://HOST:PORT"),
                }
            }
            _ => match RUNTIMES.iter().find(|(known, _)| *known == scheme) {
                Some((_, runtime)) => Self::container(runtime, Vec::new(), rest),
                None => fail("unix, tcp, docker-container, podman-container and nerdctl-container can be reached"),
            },
        }
    }

    /// A daemon in a container that docker runs; `options` come first, such as docker's own `--context`.
    pub(in super::super) fn docker(options: Vec<String>, name: &str) -> Result<Self, InvalidAddress> {
        Self::container("docker", options, name)
    }

    /// The name becomes an argument of a program: it may not look like an option.
    fn container(runtime: &'static str, options: Vec<String>, name: &str) -> Result<Self, InvalidAddress> {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.bytes().all(inner) {
            return Ok(At::Container { runtime, options, name: name.into() }.into());
        }
        Err(InvalidAddress(format!("{:?} is no container's name", shown(name))))
    }

    /// The same with TLS, if it is reached by TCP.
    #[must_use]
    pub fn with_tls(mut self, with: Tls) -> Self {
        if let At::Tcp(_, tls) = &mut self.at {
            *tls = Some(with);
        }
        self
    }

    /// How long it may take to connect, and from one message to the next: 30 seconds if nothing is said.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

impl From<At> for Address {
    fn from(at: At) -> Self {
        Address { at, patience: PATIENCE }
    }
}

fn shown(text: &str) -> &str {
    text::at_most(text, 200)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            At::Unix(path) => write!(f, "unix://{}", text::line(&path.display().to_string())),
            At::Tcp(authority, _) => write!(f, "tcp://{authority}"),
            At::Container { runtime, name, .. } => write!(f, "{runtime}-container://{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_address() {
        for text in [
            "unix:///run/buildkit/buildkitd.sock",
            "tcp://127.0.0.1:1234",
            "tcp://[::1]:1234",
            "tcp://buildkit.corp:1234",
            "docker-container://buildx_buildkit_ci0",
            "podman-container://b",
            "nerdctl-container://b.1",
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Address::parse("tcp://h:1/").unwrap().to_string(), "tcp://h:1");
    }

    #[test]
    fn what_is_none() {
        for (text, expected) in [
            ("", "write unix:///PATH"),
            ("/run/buildkit/buildkitd.sock", "write unix:///PATH"),
            ("unix://run/b.sock", "its path is not absolute"),
            ("tcp://h", "write tcp://HOST:PORT"),
            ("tcp://:1", "write tcp://HOST:PORT"),
            ("tcp://h:99999", "write tcp://HOST:PORT"),
            ("tcp://u@h:1", "write tcp://HOST:PORT"),
            ("tcp://h:1/path", "write tcp://HOST:PORT"),
            ("tcp://h\n:1", "write tcp://HOST:PORT"),
            ("kube-pod://b", "can be reached"),
            ("docker-container://", "is no container's name"),
            ("docker-container://--privileged", "is no container's name"),
            ("docker-container://a b", "is no container's name"),
        ] {
            let message = Address::parse(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text}\n{message}");
        }
    }
}

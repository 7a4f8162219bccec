//! What files and options can say of a host, each value with who said it. No I/O, and no judgement: which of two values
//! holds is for `plan`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use crate::configuration::{Said, Source};

/// Certificates or a key in PEM, read when they are needed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in super::super) enum Pem {
    File(PathBuf),
    /// What buildx copied into its own store.
    Stored {
        name: Arc<str>,
        bytes: Arc<[u8]>,
    },
}

impl Pem {
    pub(in super::super) fn name(&self) -> String {
        match self {
            Pem::File(path) => path.display().to_string(),
            Pem::Stored { name, .. } => name.to_string(),
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may be a private key.
        f.write_str(&self.name())
    }
}

/// What we show to a server that asks for a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in super::super) struct KeyPair {
    pub certificate: Pem,
    /// `None` where the certificate's file holds the key too.
    pub key: Option<Pem>,
}

/// What a host is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Capabilities {
    pub pull: bool,
    pub resolve: bool,
    pub push: bool,
}

impl Capabilities {
    pub(super) const ALL: Capabilities = Capabilities { pull: true, resolve: true, push: true };
    /// What BuildKit lets a mirror do.
    pub(super) const MIRROR: Capabilities = Capabilities { push: false, ..Capabilities::ALL };

    pub(in super::super) fn allows(self, need: Need) -> bool {
        match need {
            Need::Pull => self.pull,
            Need::Resolve => self.resolve,
            Need::Push => self.push,
        }
    }
}

/// What a host has to be capable of to be asked a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Need {
    /// Content by its digest.
    Pull,
    /// What a tag means, which tags there are, and what refers to a digest: all that nobody can verify.
    Resolve,
    /// Writing.
    Push,
}

impl Need {
    #[cfg(test)]
    pub(super) const ALL: [Need; 3] = [Need::Pull, Need::Resolve, Need::Push];

    pub(in super::super) fn as_str(self) -> &'static str {
        match self {
            Need::Pull => "pull",
            Need::Resolve => "resolve",
            Need::Push => "push",
        }
    }
}

/// Where a host is, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Address {
    /// `None` where nothing was said, which is HTTPS unless something else speaks against it.
    pub secure: Option<bool>,
    /// `host[:port]`.
    pub host: String,
    /// What stands before a repository's name: `/v2`, `/v2/proxy`, `/registry/v2`.
    pub path: String,
}

impl Address {
    /// A URL, or `host[:port][/path]` without a scheme, whose path is not yet one of the API. The message says what it is
    /// not.
    pub(super) fn parse(text: &str) -> Result<Address, String> {
        let (secure, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (Some(true), rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (Some(false), rest),
            Some((scheme, _)) => {
                return Err(format!("{}:// is neither http:// nor https://", portolan_oci::text::line(scheme)));
            }
            None => (None, text),
        };
        let url = Url::parse(&format!("https://{rest}")).map_err(|error| format!("{text:?} is no host: {error}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("a user and a password are for docker's config.json, not for an address".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("{text:?} is more than a host and a path"));
        }
        let authority = rest.split('/').next().unwrap_or_default();
        Ok(Address { secure, host: authority.to_ascii_lowercase(), path: url.path().trim_end_matches('/').to_owned() })
    }
}

/// What is said of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Settings {
    /// Plain HTTP.
    pub http: Option<Said<bool>>,
    /// Its certificate is not verified.
    pub insecure: Option<Said<bool>>,
    /// Authorities that are trusted besides the system's.
    pub authorities: Vec<Said<Pem>>,
    /// The first one is shown.
    pub clients: Vec<Said<KeyPair>>,
    /// Folders of certificates, as docker lays them out.
    pub folders: Vec<Said<PathBuf>>,
    pub headers: Vec<Said<(HeaderName, HeaderValue)>>,
    /// For a connection to stand.
    pub timeout: Option<Said<Duration>>,
    /// Token servers that may be at a private address: `host[:port]`.
    pub realms: Vec<Said<String>>,
    /// It may redirect into a private network.
    pub private_redirects: Option<Said<bool>>,
}

/// One more host that is asked before the registry itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Mirror {
    pub address: Said<Address>,
    pub capabilities: Capabilities,
    pub settings: Settings,
}

/// All that one place says of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Entry {
    /// The place itself.
    pub by: Source,
    pub mirrors: Vec<Mirror>,
    /// Where the registry is, if not where its name says.
    pub server: Option<Said<Address>>,
    pub capabilities: Capabilities,
    pub settings: Settings,
    /// Keys that mean nothing to us.
    pub ignored: Vec<Said<String>>,
}

impl Entry {
    pub(super) fn new(by: Source) -> Entry {
        Entry {
            by,
            mirrors: Vec::new(),
            server: None,
            capabilities: Capabilities::ALL,
            settings: Settings::default(),
            ignored: Vec::new(),
        }
    }
}

/// A path as a file in `folder` means it.
pub(super) fn beside(folder: &Path, text: &str) -> PathBuf {
    folder.join(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("r.example", Ok((None, "r.example", ""))),
            ("R.example:5000/proxy/", Ok((None, "r.example:5000", "/proxy"))),
            ("https://r.example:443", Ok((Some(true), "r.example:443", ""))),
            ("http://r.example/v2", Ok((Some(false), "r.example", "/v2"))),
            ("HTTP://[::1]:5000/a/../b", Ok((Some(false), "[::1]:5000", "/b"))),
            ("a\n\u{1b}b://r.example", Err("a\\n\\u{1b}b:// is neither http:// nor https://")),
            ("ftp://r.example", Err("ftp:// is neither http:// nor https://")),
            ("https://u:p@r.example", Err("a user and a password are for docker's config.json, not for an address")),
            ("r.example?x=1", Err("\"r.example?x=1\" is more than a host and a path")),
            ("", Err("\"\" is no host: empty host")),
            ("r.example:99999", Err("\"r.example:99999\" is no host: invalid port number")),
        ] {
            let found = Address::parse(text);
            let found = found.as_ref().map(|it| (it.secure, it.host.as_str(), it.path.as_str()));
            assert_eq!(found.map_err(String::as_str), expected, "{text}");
        }
    }

    #[test]
    fn a_stored_key_does_not_show() {
        let pem = Pem::Stored { name: "certs/key.pem".into(), bytes: Arc::from(&b"hunter2"[..]) };
        assert_eq!(format!("{pem:?}"), "certs/key.pem");
    }
}

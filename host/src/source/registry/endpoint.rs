//! Where a repository's registry is asked: its domain becomes an origin here and nowhere else.
//!
//! Everything that somebody may want to configure about a host (mirrors, plain HTTP, certificates) ends in an
//! [`Endpoint`].

use std::net::IpAddr;

use portolan_oci::Reference;
use url::{Host, Url};

use super::text;

/// A repository in the registry that keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `docker.io/library/alpine`, as people and error messages say it.
    pub repository: String,
    /// `docker.io`: what credentials are stored under.
    pub domain: String,
    /// `library/alpine`: what the registry calls it.
    pub path: String,
    base: Url,
}

impl Endpoint {
    /// Where the repository of `reference` is. The message says why not.
    pub(super) fn of(reference: &Reference) -> Result<Endpoint, String> {
        let repository = reference.repository();
        // A `Reference` can be put together without its parser, and what is in here becomes a path of a URL.
        match Reference::parse(&repository) {
            Ok(parsed) if (&parsed.domain, &parsed.path) == (&reference.domain, &reference.path) => {}
            _ => return Err("it is no repository of a registry".to_owned()),
        }
        let domain = reference.domain.clone();
        if domain.is_empty() {
            return Err("it names no registry that could be asked".to_owned());
        }
        let host = if domain == "docker.io" { "registry-1.docker.io" } else { &domain };
        let mut base =
            Url::parse(&format!("https://{host}")).map_err(|error| format!("{domain} is no host: {error}"))?;
        if is_local(&base) {
            let plain = base.as_str().replacen("https://", "http://", 1);
            base = Url::parse(&plain).map_err(|error| format!("{domain} is no host: {error}"))?;
            // `https://localhost:443` loses its port on parsing, and http would then mean 80.
            if domain.ends_with(":443") {
                base.set_port(Some(443)).map_err(|()| format!("{domain} takes no port"))?;
            }
        }
        Ok(Endpoint { repository, domain, path: reference.path.clone(), base })
    }

    /// `/v2/PATH/REST` at the registry. Both come validated.
    pub(super) fn url(&self, rest: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{}/{rest}", self.path));
        url
    }

    /// The registry itself: scheme, host and port.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// The registry as errors name it.
    pub(super) fn host(&self) -> String {
        text::authority(&self.base)
    }
}

/// Loopback by literal or by the one name that means it everywhere: plain HTTP there, HTTPS everywhere else.
pub(super) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        for (reference, url) in [
            ("alpine", "https://registry-1.docker.io/v2/library/alpine/tags/list"),
            ("docker.io/acme/app", "https://registry-1.docker.io/v2/acme/app/tags/list"),
            ("ghcr.io/acme/app", "https://ghcr.io/v2/acme/app/tags/list"),
            ("r.example:5000/app", "https://r.example:5000/v2/app/tags/list"),
            ("r.example:443/app", "https://r.example/v2/app/tags/list"),
            ("Foo/bar", "https://foo/v2/bar/tags/list"),
            ("localhost/app", "http://localhost/v2/app/tags/list"),
            ("localhost:5000/app", "http://localhost:5000/v2/app/tags/list"),
            ("localhost:443/app", "http://localhost:443/v2/app/tags/list"),
            ("127.0.0.1:5000/app", "http://127.0.0.1:5000/v2/app/tags/list"),
            ("127.8.9.1/app", "http://127.8.9.1/v2/app/tags/list"),
            ("[::1]:5000/app", "http://[::1]:5000/v2/app/tags/list"),
            ("10.0.0.1:5000/app", "https://10.0.0.1:5000/v2/app/tags/list"),
            ("localhost.example/app", "https://localhost.example/v2/app/tags/list"),
        ] {
            let endpoint = Endpoint::of(&Reference::parse(reference).unwrap()).unwrap();
            assert_eq!(endpoint.url("tags/list").as_str(), url, "{reference}");
        }
    }

    #[test]
    fn what_cannot_be_asked() {
        for reference in ["exa_mple.com/a", "r.example:99999/a"] {
            assert!(Endpoint::of(&Reference::parse(reference).unwrap()).is_err(), "{reference}");
        }
        for (domain, path) in [
            ("r.example", "../a"),
            ("r.example", "a/../b"),
            ("r.example", "a%2fb"),
            ("r.example", "a?x"),
            ("r.example", "a:1"),
            ("user@r.example", "a"),
            ("r.example/x", "a"),
            ("r.example\r\n", "a"),
        ] {
            let forged = Reference { domain: domain.into(), path: path.into(), tag: None, digest: None };
            assert!(Endpoint::of(&forged).is_err(), "{domain} {path}");
        }
    }
}

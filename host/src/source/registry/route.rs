//! The hosts of a repository in the order in which they are asked, and what comes of those that have no answer.
//!
//! A mirror that does not have it, is in trouble or cannot be trusted leads to the next host; so does one that sends other
//! bytes than it was asked for, but that is told. The last host has the last word: what a registry itself says is not there
//! is not there.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use portolan_oci::Reference;

use super::endpoint::Endpoint;
use super::hosts::{Directory, Need};
use crate::error::{Code, Error, Result};

/// Why a repository has no hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoRoute {
    code: Code,
    detail: String,
    hint: Option<&'static str>,
}

impl NoRoute {
    fn invalid(detail: impl Into<String>) -> NoRoute {
        NoRoute { code: Code::InvalidReference, detail: detail.into(), hint: None }
    }

    pub(super) fn error(&self, operation: &'static str, subject: &str) -> Error {
        let error = Error::new(self.code, operation, subject, self.detail.as_str());
        match self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// A repository's hosts.
#[derive(Debug, Clone)]
pub(super) struct Route(Vec<Endpoint>);

impl Route {
    /// Where the repository of `reference` is.
    pub(super) fn of(reference: &Reference, directory: &Directory) -> Result<Route, NoRoute> {
        let repository = reference.repository();
        // A `Reference` can be put together without its parser, and what is in here becomes a path of a URL.
        match Reference::parse(&repository) {
            Ok(parsed) if (&parsed.domain, &parsed.path) == (&reference.domain, &reference.path) => {}
            _ => return Err(NoRoute::invalid("it is no repository of a registry")),
        }
        if reference.domain.is_empty() {
            return Err(NoRoute::invalid("it names no registry that could be asked"));
        }
        url::Url::parse(&format!("https://{}", reference.domain))
            .map_err(|error| NoRoute::invalid(format!("{} is no host: {error}", reference.domain)))?;
        let plan = directory.plan(&reference.domain).map_err(|problem| NoRoute {
            code: Code::Other,
            detail: format!("the configuration of registries: {problem}"),
            hint: Some("`portolan explain registry HOST` shows what is read, and from where"),
        })?;
        let mut later = plan.hosts.as_slice();
        let mut hosts = Vec::new();
        while let Some((host, rest)) = later.split_first() {
            later = rest;
            hosts.push(Endpoint::new(reference, host, later));
        }
        Ok(Route(hosts))
    }

    /// Those that may be asked this, in order, each with its number.
    pub(super) fn hosts(&self, need: Need) -> impl Iterator<Item = (usize, &Endpoint)> {
        self.0.iter().enumerate().filter(move |(_, endpoint)| endpoint.allows(need))
    }

    /// All of them, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.iter()
    }

    /// The one with this number.
    pub(super) fn host(&self, number: usize) -> Option<&Endpoint> {
        self.0.get(number)
    }

    /// The one that is written to: the registry itself, or whichever else takes it.
    pub(super) fn target(&self) -> Option<&Endpoint> {
        self.0.iter().rev().find(|endpoint| endpoint.allows(Need::Push))
    }
}

/// How long a host is left alone that did not answer at all, as long as there is another one.
const REST: Duration = Duration::from_secs(30);

/// Hosts that did not answer a moment ago: who waits for a dead mirror once need not wait for each question.
#[derive(Debug, Default)]
pub(super) struct Resting(Mutex<HashMap<url::Origin, Instant>>);

impl Resting {
    fn has(&self, endpoint: &Endpoint) -> bool {
        let resting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        resting.get(&endpoint.base().origin()).is_some_and(|since| since.elapsed() < REST)
    }

    /// From now on.
    pub(super) fn add(&self, endpoint: &Endpoint) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(endpoint.base().origin(), Instant::now());
    }
}

/// What was tried so far, for one question.
pub(super) struct Tried<'a> {
    resting: &'a Resting,
    /// `mirror.corp answered 404: it is not there`, of each host.
    said: Vec<String>,
    last: Option<Error>,
}

impl<'a> Tried<'a> {
    pub(super) fn new(resting: &'a Resting) -> Tried<'a> {
        Tried { resting, said: Vec::new(), last: None }
    }

    /// Whether to go on without asking this host.
    pub(super) fn skips(&mut self, endpoint: &Endpoint) -> bool {
        let skips = endpoint.spare && self.resting.has(endpoint);
        if skips {
            self.said.push(format!("{} did not answer a moment ago", endpoint.host()));
        }
        skips
    }

    /// One more host that has no answer.
    pub(super) fn add(&mut self, endpoint: &Endpoint, error: Error) {
        if endpoint.spare {
            let foul = matches!(error.code(), Code::DigestMismatch | Code::Malformed | Code::TooLarge);
            if foul {
                tracing::warn!("{error}; the next host is asked");
            } else {
                tracing::debug!("{error}; the next host is asked");
            }
            if error.code() == Code::Unavailable && error.status().is_none() {
                self.resting.add(endpoint);
            }
        }
        self.said.extend(self.last.replace(error).map(|error| error.answer()));
    }

    /// The last host's error, with what those before it said.
    pub(super) fn error(self, nobody: impl FnOnce() -> Error) -> Error {
        self.last.unwrap_or_else(nobody).after(self.said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::registry::hosts::Hosts;

    fn route(reference: &str, toml: &str) -> Route {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("buildkitd.toml");
        std::fs::write(&file, toml).unwrap();
        let directory = Directory::new(Hosts::none().buildkitd_config(&file));
        Route::of(&Reference::parse(reference).unwrap(), &directory).unwrap()
    }

    #[test]
    fn urls() {
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
            let directory = Directory::new(Hosts::none());
            let route = Route::of(&Reference::parse(reference).unwrap(), &directory).unwrap();
            let urls: Vec<String> = route.0.iter().map(|host| host.url("tags/list").to_string()).collect();
            assert_eq!(urls, [url], "{reference}");
        }
    }

    #[test]
    fn mirrors() {
        let toml = "[registry.\"docker.io\"]\nmirrors = [\"m.example:5000\", \"h.example/proxy\"]\n";
        let route = route("alpine", toml);
        let shown: Vec<String> = route
            .hosts(Need::Resolve)
            .map(|(number, host)| format!("{number} {} {} {} {}", host.url("x"), host.account, host.domain, host.spare))
            .collect();
        assert_eq!(
            shown,
            [
                "0 https://m.example:5000/v2/library/alpine/x?ns=docker.io m.example:5000/library/alpine m.example:5000 true",
                "1 https://h.example/v2/proxy/library/alpine/x?ns=docker.io h.example/proxy/library/alpine h.example true",
                "2 https://registry-1.docker.io/v2/library/alpine/x docker.io/library/alpine docker.io false",
            ]
        );
        assert_eq!(route.target().unwrap().domain, "docker.io");
        let mirror = route.host(0).unwrap();
        for (query, expected) in [
            ("n=1", "ns=docker.io&n=1"),
            ("n=1&ns=docker.io", "n=1&ns=docker.io"),
            ("ns=quay.io", "ns=docker.io&ns=quay.io"),
        ] {
            assert_eq!(mirror.url_with("tags/list", query).query(), Some(expected));
        }
    }

    #[test]
    fn what_cannot_be_asked() {
        let directory = Directory::new(Hosts::none());
        for reference in ["exa_mple.com/a", "r.example:99999/a"] {
            let found = Route::of(&Reference::parse(reference).unwrap(), &directory);
            assert_eq!(found.unwrap_err().code, Code::InvalidReference, "{reference}");
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
            assert!(Route::of(&forged, &directory).is_err(), "{domain} {path}");
        }
    }

    #[test]
    fn every_hosts_answer_is_in_the_error() {
        let toml = "[registry.\"r.example\"]\nmirrors = [\"a.example\", \"b.example\"]\n";
        let (route, resting) = (route("r.example/app", toml), Resting::default());
        let error =
            |code, host: &str, detail: &str| Error::new(code, "resolve", "r.example/app:1", detail).with_host(host);
        let mut tried = Tried::new(&resting);
        for ((_, endpoint), code, status, detail) in [
            (route.hosts(Need::Pull).next().unwrap(), Code::Unavailable, None, "no route"),
            (route.hosts(Need::Pull).nth(1).unwrap(), Code::NotFound, Some(404), "absent"),
            (route.hosts(Need::Pull).nth(2).unwrap(), Code::Forbidden, Some(403), "no"),
        ] {
            assert!(!tried.skips(endpoint));
            let failed = error(code, &endpoint.host(), detail);
            tried.add(
                endpoint,
                match status {
                    Some(status) => failed.with_status(status),
                    None => failed,
                },
            );
        }
        let error = tried.error(|| unreachable!());
        assert_eq!(error.code(), Code::Forbidden);
        assert_eq!(
            error.to_string(),
            "cannot resolve r.example/app:1: r.example answered 403: no (asked before: a.example: no route; \
             b.example answered 404: absent)"
        );
        let mut again = Tried::new(&resting);
        let skipped: Vec<bool> = route.hosts(Need::Pull).map(|(_, endpoint)| again.skips(endpoint)).collect();
        assert_eq!(skipped, [true, false, false], "only who did not answer at all is left alone");
    }
}

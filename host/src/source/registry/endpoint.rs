//! Where a repository is asked: one host of its registry, with what belongs to that host and to no other.
//!
//! Which hosts a registry has is for `hosts` to say, in which order they are asked for `route`.

use std::net::IpAddr;
use std::sync::Arc;

use portolan_oci::Reference;
use reqwest::header::HeaderMap;
use url::{Host, Url};

use super::admission::Sender;
use super::connection::{Connection, Terms};
use super::hosts::{Need, Planned};
use super::text;
use portolan_oci::registry::address::Reach;

/// A repository at a host that has it.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// `docker.io/library/alpine`, as people and error messages say it.
    pub repository: String,
    /// `docker.io`, `mirror.corp:5000`: what this host's credentials are stored under.
    pub domain: String,
    /// `mirror.corp:5000/proxy/library/alpine`: what credentials for this repository at this host are stored under.
    pub account: String,
    /// `proxy/library/alpine`: what the host calls it.
    pub path: String,
    /// Another host is asked if this one has no answer.
    pub spare: bool,
    /// What it is connected to by.
    pub connection: Connection,
    /// The registry that is meant: `docker.io`.
    registry: String,
    host: Arc<Planned>,
}

impl Endpoint {
    /// `reference` was checked. `later` are the hosts that are asked after this one.
    pub(super) fn new(reference: &Reference, host: &Arc<Planned>, later: &[Arc<Planned>]) -> Endpoint {
        let before = host.api.strip_suffix("/v2").unwrap_or(&host.api);
        let replaces = |other: &Arc<Planned>| {
            [Need::Pull, Need::Resolve]
                .into_iter()
                .all(|need| !host.capabilities.allows(need) || other.capabilities.allows(need))
        };
        Endpoint {
            repository: reference.repository(),
            domain: host.domain.clone(),
            account: slashed(&[&host.domain, before, &host.prefix, &reference.path]),
            path: slashed(&[&host.prefix, &reference.path]),
            spare: later.iter().any(replaces),
            connection: connection(host),
            registry: reference.domain.clone(),
            host: Arc::clone(host),
        }
    }

    /// What the host calls another repository; `None` where that is one of another registry.
    pub(super) fn path_of(&self, other: &Reference) -> Option<String> {
        (other.domain == self.registry).then(|| slashed(&[&self.host.prefix, &other.path]))
    }

    /// `…/v2/PATH/REST` at the host. Both come validated.
    pub(super) fn url(&self, rest: &str) -> Url {
        let mut url = self.host.base.clone();
        url.set_path(&format!("{}/{}/{rest}", self.host.api, self.path));
        if let Some(namespace) = &self.host.namespace {
            url.query_pairs_mut().append_pair("ns", namespace);
        }
        url
    }

    /// The same with a query, which a host may have chosen.
    pub(super) fn url_with(&self, rest: &str, query: &str) -> Url {
        let mut url = self.url(rest);
        let ours = url.query().filter(|ours| !query.split('&').any(|part| part == *ours));
        let query = ours.map(|ours| format!("{ours}&{query}")).unwrap_or(query.to_owned());
        url.set_query(Some(&query));
        url
    }

    /// The host itself: scheme, name and port.
    pub(super) fn base(&self) -> &Url {
        &self.host.base
    }

    /// The host as errors name it.
    pub(super) fn host(&self) -> String {
        text::authority(&self.host.base)
    }

    /// What every request to it begins with, for people.
    pub(super) fn shown(&self) -> String {
        let Planned { base, api, prefix, .. } = &*self.host;
        let url = format!("{}{api}/{prefix}", base.as_str().trim_end_matches('/'));
        if prefix.is_empty() { url } else { format!("{url}/") }
    }

    pub(super) fn allows(&self, need: Need) -> bool {
        self.host.capabilities.allows(need)
    }

    /// Headers that somebody wants every request to this host to have.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for said in &self.host.settings.headers {
            let (name, value) = said.value.clone();
            headers.append(name, value);
        }
        headers
    }

    /// The host as one that sends us somewhere, reached there.
    pub(super) fn sender(&self, reach: Reach) -> Sender<'_> {
        let settings = &self.host.settings;
        Sender {
            base: self.base(),
            reach,
            connection: self.connection.clone(),
            realms: settings.realms.iter().map(|said| said.value.as_str()).collect(),
            inside: settings.private_redirects.as_ref().is_some_and(|said| said.value),
        }
    }
}

/// Parts of a path with a slash between them, whatever they have at their ends.
fn slashed(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().map(|part| part.trim_matches('/')).filter(|part| !part.is_empty()).collect();
    parts.join("/")
}

/// The terms that a host's settings come to.
fn connection(host: &Planned) -> Connection {
    let settings = &host.settings;
    let timeout = settings.timeout.as_ref().map(|said| said.value);
    // Authorities come along to where a plain host sends us.
    let authorities = settings.authorities.iter().map(|said| said.value.clone()).collect();
    let client = settings.clients.first().map(|said| said.value.clone()).filter(|_| host.secure.value);
    let unverified = host.secure.value && settings.insecure.as_ref().is_some_and(|said| said.value);
    Connection::new(Terms { authorities, client, unverified, timeout })
}

/// Loopback by literal or by the one name that means it everywhere.
pub(super) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

//! Names become addresses here, and an address that the destination may not have is not connected to.
//!
//! Checking before dialling would leave time for the name to change its mind (DNS rebinding), so the check is the
//! resolver that the connection itself uses.

use std::collections::HashSet;
use std::error::Error as StdError;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::admission::Dial;
use portolan_oci::registry::address::Reach;

/// Names that we resolved ourselves, and those that stand for a proxy.
#[derive(Debug, Default)]
pub(super) struct Names {
    resolved: Mutex<HashSet<String>>,
    proxies: Vec<String>,
}

/// More names than one process has reason to remember; forgetting one makes us stricter, never laxer.
const NAMES: usize = 10_000;

impl Names {
    /// Knows the proxies that reqwest takes from the environment, which may be at any address: users name them.
    pub(super) fn from_env() -> Names {
        let variables = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
        let proxy = |name: &&str| {
            let value = std::env::var(name).ok()?;
            let url = if value.contains("://") { Url::parse(&value) } else { Url::parse(&format!("http://{value}")) };
            Some(url.ok()?.host_str()?.to_owned())
        };
        Names { resolved: Mutex::default(), proxies: variables.iter().filter_map(proxy).collect() }
    }

    /// How far away the server behind `url` is, that we are connected to at `peer`. Behind a proxy nobody resolved its
    /// name here and the peer is the proxy: then it counts as public, which is the stricter of the two.
    pub(super) fn reach(&self, url: &Url, peer: Option<SocketAddr>) -> Reach {
        match url.host() {
            Some(Host::Ipv4(address)) => Reach::of(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Reach::of(IpAddr::V6(address)),
            Some(Host::Domain(name)) if self.knows(name) => peer.map_or(Reach::Public, |peer| Reach::of(peer.ip())),
            Some(Host::Domain(_)) | None => Reach::Public,
        }
    }

    fn knows(&self, name: &str) -> bool {
        self.resolved.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    fn admit(&self, name: &str, dial: Dial, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, NotDialled> {
        if self.proxies.iter().any(|proxy| proxy == name) {
            return Ok(found);
        }
        // One bad address among good ones is refused too: which of them is dialled is not ours to say.
        if found.iter().any(|address| !dial.admits(Reach::of(address.ip()))) {
            return Err(NotDialled { name: name.to_owned() });
        }
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        if resolved.len() >= NAMES {
            resolved.clear();
        }
        resolved.insert(name.to_owned());
        Ok(found)
    }
}

/// The resolver of one [`Dial`].
pub(super) struct Guard {
    pub dial: Dial,
    pub names: Arc<Names>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (dial, names) = (self.dial, Arc::clone(&self.names));
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let admitted = names.admit(name.as_str(), dial, found)?;
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

/// A name resolved to where its sender may not send us.
#[derive(Debug)]
pub(super) struct NotDialled {
    pub name: String,
}

impl fmt::Display for NotDialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} resolves to a private or reserved address", self.name)
    }
}

impl StdError for NotDialled {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 0)
    }

    #[test]
    fn every_address_of_a_name_counts() {
        let names = Names { resolved: Mutex::default(), proxies: vec!["proxy.corp".to_owned()] };
        for (name, dial, addresses, admitted) in [
            ("cdn.example", Dial::Public, &["8.8.8.8", "2606:4700::1"][..], true),
            ("cdn.example", Dial::Public, &["8.8.8.8", "10.0.0.1"], false),
            ("cdn.example", Dial::Public, &["::ffff:127.0.0.1"], false),
            ("cdn.example", Dial::NotForbidden, &["10.0.0.1"], true),
            ("cdn.example", Dial::NotForbidden, &["169.254.169.254"], false),
            ("cdn.example", Dial::Named, &["169.254.169.254"], true),
            ("proxy.corp", Dial::Public, &["10.0.0.1"], true),
        ] {
            let found = addresses.iter().copied().map(at).collect();
            assert_eq!(names.admit(name, dial, found).is_ok(), admitted, "{name} {dial:?} {addresses:?}");
        }
    }

    #[test]
    fn where_a_registry_was_reached() {
        let names = Names { resolved: Mutex::default(), proxies: vec!["proxy.corp".to_owned()] };
        for name in ["r.corp", "r.example", "proxy.corp"] {
            names.admit(name, Dial::Named, vec![at("10.0.0.1")]).unwrap();
        }
        for (url, peer, reach) in [
            ("https://r.corp", "10.0.0.1", Reach::Private),
            ("https://r.example", "8.8.8.8", Reach::Public),
            ("https://unknown.example", "10.0.0.1", Reach::Public), // a proxy dialled
            ("https://proxy.corp", "10.0.0.1", Reach::Public),
            ("https://10.0.0.1", "10.0.0.9", Reach::Private),
            ("https://8.8.8.8", "10.0.0.9", Reach::Public),
            ("https://[::1]:5000", "::1", Reach::Private),
        ] {
            assert_eq!(names.reach(&Url::parse(url).unwrap(), Some(at(peer))), reach, "{url}");
        }
    }
}

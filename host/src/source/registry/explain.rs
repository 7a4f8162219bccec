//! What a registry means on this machine, and who said so: for a person whose image does not come from where they thought.
//!
//! Nobody is asked, no helper runs, and no secret is told.

use portolan_oci::Reference;
use serde::Serialize;

use super::Registry;
use super::endpoint::Endpoint;
use super::hosts::{Need, Planned, Said};
use super::route::Route;
use crate::error::{Code, Error, Result};

const EXPLAIN: &str = "explain the registry";

/// What a registry means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Explanation {
    /// `docker.io`, or `docker.io/acme/app` where a repository was asked about.
    pub registry: String,
    /// The hosts that are asked for content by its digest, in order, each as in [`AskedHost::url`].
    pub pull: Vec<String>,
    /// The same for what nobody can verify: what a tag means, which tags there are, what refers to a digest.
    pub resolve: Vec<String>,
    /// The one that is written to, if any is.
    pub push: Vec<String>,
    /// All of them.
    pub hosts: Vec<AskedHost>,
    /// Keys of the files that mean nothing.
    pub ignored: Vec<Remark>,
}

/// Something that somebody said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Remark {
    /// What.
    pub value: String,
    /// Who: `FILE:LINE`, an option, or the rule that holds where nobody says anything.
    pub by: String,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AskedHost {
    /// What every request to it begins with.
    pub url: String,
    /// Who named it.
    pub by: String,
    /// What it is told of the registry that is meant, as `?ns=`, where it is another.
    pub namespace: Option<String>,
    /// `plain` (no TLS), `verified` or `unverified`.
    pub tls: Remark,
    /// Certificate authorities that are trusted besides the system's.
    pub authorities: Vec<Remark>,
    /// The certificate that is shown to a server that asks for one.
    pub client: Option<Remark>,
    /// Names of the headers that requests have.
    pub headers: Vec<Remark>,
    /// Token servers that may be at a private address.
    pub realms: Vec<Remark>,
    /// Whether it may send us into a private network.
    pub allow_private_redirects: Option<Remark>,
    /// How long a connection may take.
    pub dial_timeout: Option<Remark>,
    /// Where credentials would come from; `None` asks as anybody.
    pub credentials: Option<Credentials>,
}

/// Where credentials are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Credentials {
    /// The file that says so.
    pub file: String,
    /// The entry in it; with a helper, what that is asked for.
    pub key: String,
    /// The helper `docker-credential-NAME` that keeps them. Whether it has any is not known before it is asked.
    pub helper: Option<String>,
}

impl Registry {
    /// What `text`, a `HOST[:PORT]` with a repository behind it or without, means to this client.
    ///
    /// # Errors
    /// A text that is neither; files that are broken.
    pub async fn explain(&self, text: &str) -> Result<Explanation> {
        let invalid = |detail: &str| {
            Error::new(Code::InvalidReference, EXPLAIN, text, detail)
                .with_hint("a host has a dot or a port, or is localhost: docker.io, registry.corp:5000")
        };
        let bare = !text.contains('/');
        let parsed = if bare { format!("{text}/x") } else { text.to_owned() };
        let reference = Reference::parse(&parsed).map_err(|error| invalid(&error.to_string()))?;
        if bare && reference.domain != text {
            return Err(invalid("it names no host of a registry"));
        }
        if reference.tag.is_some() || reference.digest.is_some() {
            return Err(invalid("a host or a repository is meant, without tag and digest"));
        }
        let shared = &self.0;
        let route = Route::of(&reference, &shared.directory).map_err(|none| none.error(EXPLAIN, text))?;
        let broken = |problem: String| Error::new(Code::Other, EXPLAIN, text, problem);
        let plan = shared.directory.plan(&reference.domain).map_err(broken)?;
        let mut hosts = Vec::new();
        for (endpoint, planned) in route.all().zip(&plan.hosts) {
            let account = if bare { endpoint.domain.as_str() } else { endpoint.account.as_str() };
            let place = shared.client.auth.place(&endpoint.domain, account).await.map_err(broken)?;
            let credentials = place.map(|place| Credentials { file: place.file, key: place.key, helper: place.helper });
            hosts.push(asked(endpoint, planned, credentials));
        }
        let urls = |need| route.hosts(need).map(|(_, endpoint)| endpoint.shown()).collect();
        Ok(Explanation {
            registry: if bare { reference.domain.clone() } else { reference.repository() },
            pull: urls(Need::Pull),
            resolve: urls(Need::Resolve),
            push: route.target().map(Endpoint::shown).into_iter().collect(),
            hosts,
            ignored: remarks(&plan.ignored, String::clone),
        })
    }
}

fn asked(endpoint: &Endpoint, planned: &Planned, credentials: Option<Credentials>) -> AskedHost {
    let settings = &planned.settings;
    let insecure = settings.insecure.as_ref().filter(|said| said.value && planned.secure.value);
    let tls = match (planned.secure.value, insecure) {
        (false, _) => Remark { value: "plain".to_owned(), by: planned.secure.by.to_string() },
        (true, Some(said)) => Remark { value: "unverified".to_owned(), by: said.by.to_string() },
        (true, None) => Remark { value: "verified".to_owned(), by: planned.secure.by.to_string() },
    };
    AskedHost {
        url: endpoint.shown(),
        by: planned.by.to_string(),
        namespace: planned.namespace.clone(),
        tls,
        authorities: remarks(&settings.authorities, |pem| pem.name()),
        client: remarks(&settings.clients, |pair| pair.certificate.name()).into_iter().next(),
        headers: remarks(&settings.headers, |(name, _)| name.to_string()),
        realms: remarks(&settings.realms, String::clone),
        allow_private_redirects: settings.private_redirects.as_ref().map(|said| remark(said, bool::to_string)),
        dial_timeout: settings.timeout.as_ref().map(|said| remark(said, |timeout| format!("{timeout:?}"))),
        credentials,
    }
}

fn remark<T>(said: &Said<T>, value: impl Fn(&T) -> String) -> Remark {
    Remark { value: value(&said.value), by: said.by.to_string() }
}

fn remarks<T>(all: &[Said<T>], value: impl Fn(&T) -> String) -> Vec<Remark> {
    all.iter().map(|said| remark(said, &value)).collect()
}

//! One request on the wire and its answer's head: connections, TLS, time-outs. Redirects, credentials and retries are
//! decided above; nothing here follows, signs or repeats.
//!
//! Clients are made when they are first needed, one for each scheme, [`Dial`] and [`Connection`], and keep their
//! connections. The TLS roots of the system are read with the first https request: reading them costs 8 ms, which a run
//! against a registry on loopback does not owe.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::{Client, Method, Response};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;
use url::Url;

use super::Timing;
use super::admission::{Dial, Hop};
use super::connection::Connection;
use super::dial::{Guard, Names, NotDialled};
use super::endpoint;
use super::payload::Sending;
use super::retry::Cause;
use portolan_oci::registry::address::Reach;

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Fault {
    /// For a person; holds no URL.
    pub detail: String,
    /// Why, if another try can help.
    pub cause: Option<Cause>,
    pub rule: Option<&'static str>,
    pub hint: Option<&'static str>,
}

impl Fault {
    fn local(detail: impl Into<String>) -> Fault {
        Fault { detail: detail.into(), cause: None, rule: None, hint: None }
    }

    pub(super) fn timed_out(after: Duration, doing: &str) -> Fault {
        Fault { cause: Some(Cause::Broken), ..Fault::local(format!("no {doing} within {after:?}")) }
    }
}

/// What a client is made for, and shares connections with nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Way {
    secure: bool,
    dial: Dial,
    connection: Connection,
    /// On this machine, where no proxy leads.
    local: bool,
}

/// All connections of a [`Registry`](super::Registry).
#[derive(Debug)]
pub(super) struct Transport {
    timing: Timing,
    names: Arc<Names>,
    clients: Mutex<HashMap<Way, Client>>,
    system: OnceCell<RootCertStore>,
    /// Trusted besides the system's.
    roots: Vec<CertificateDer<'static>>,
}

impl Transport {
    pub(super) fn new(timing: Timing, roots: Vec<CertificateDer<'static>>) -> Transport {
        let names = Arc::new(Names::from_env());
        Transport { timing, names, clients: Mutex::default(), system: OnceCell::new(), roots }
    }

    /// Sends one request and waits for the head of its answer.
    pub(super) async fn send(
        &self,
        hop: &Hop,
        method: &Method,
        headers: HeaderMap,
        body: Option<Sending>,
    ) -> Result<Response, Fault> {
        let secure = hop.url.scheme() == "https";
        let (local, connection) = (endpoint::is_local(&hop.url), hop.connection.clone());
        let client = self.client(Way { secure, dial: hop.dial, connection, local }).await?;
        let mut request = client.request(method.clone(), hop.url.clone()).headers(headers);
        let Some(Sending { length, body, progress }) = body else {
            return match tokio::time::timeout(self.timing.answer, request.send()).await {
                Ok(sent) => sent.map_err(fault),
                Err(_) => Err(Fault::timed_out(self.timing.answer, "answer")),
            };
        };
        // Told even where it is 0: some servers refuse a write that does not say how long it is.
        request = request.header(CONTENT_LENGTH, length).body(body);
        tokio::select! {
            sent = request.send() => sent.map_err(fault),
            lost = progress.lost(&self.timing) => Err(lost),
        }
    }

    /// How far away the server is that answered.
    pub(super) fn reach(&self, url: &Url, response: &Response) -> Reach {
        self.names.reach(url, response.remote_addr())
    }

    async fn client(&self, way: Way) -> Result<Client, Fault> {
        if let Some(client) = self.clients.lock().unwrap_or_else(PoisonError::into_inner).get(&way) {
            return Ok(client.clone());
        }
        let tls = self.tls(&way).await?;
        let mut client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(way.connection.timeout().unwrap_or(self.timing.connect))
            .user_agent(concat!("portolan/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Guard { dial: way.dial, names: Arc::clone(&self.names) });
        // As Go's clients have it: a proxy for the network knows nothing of this machine.
        if way.local {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| Fault::local(format!("no HTTP client: {}", innermost(&error))))?;
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(clients.entry(way).or_insert(client).clone())
    }

    async fn tls(&self, way: &Way) -> Result<ClientConfig, Fault> {
        if !way.secure {
            // For clients that never speak TLS.
            return Connection::default().tls(RootCertStore::empty()).map_err(Fault::local);
        }
        let mut roots = RootCertStore::empty();
        if way.connection.is_verified() {
            roots = self.system.get_or_try_init(system_roots).await?.clone();
            for authority in way.connection.authorities().map_err(Fault::local)?.into_iter().chain(self.roots.clone()) {
                roots
                    .add(authority)
                    .map_err(|error| Fault::local(format!("a certificate authority that is none: {error}")))?;
            }
            if roots.is_empty() {
                return Err(Fault {
                    hint: Some("install the system's ca-certificates, or name a file of certificates in SSL_CERT_FILE"),
                    ..Fault::local("this system trusts no certificate authority, so no https server can be verified")
                });
            }
        }
        way.connection.tls(roots).map_err(Fault::local)
    }
}

/// The certificates that the system trusts.
async fn system_roots() -> Result<RootCertStore, Fault> {
    let load = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs);
    let found = load.await.map_err(|error| Fault::local(format!("no TLS roots: {error}")))?;
    let mut roots = RootCertStore::empty();
    // Some systems carry certificates that webpki does not take; they are left out, as everybody does.
    roots.add_parsable_certificates(found.certs);
    Ok(roots)
}

/// What went wrong in a request or in reading its answer.
pub(super) fn fault(error: reqwest::Error) -> Fault {
    let error = error.without_url();
    if let Some(refused) = chain(&error).find_map(|error| error.downcast_ref::<NotDialled>()) {
        return Fault {
            rule: Some("a registry at a public address sends nobody to a private one"),
            ..Fault::local(refused.to_string())
        };
    }
    if let Some(error) = chain(&error).find_map(tls_error) {
        let hint = match error {
            rustls::Error::InvalidCertificate(_) => {
                "if the certificate is signed by an authority of your own, let the system trust that, or name its file: --ca, or `ca` in buildkitd.toml or hosts.toml"
            }
            _ => {
                "does it speak TLS at all? Plain HTTP is spoken to localhost and loopback addresses, and where --plain-http or a configuration says so"
            }
        };
        return Fault { hint: Some(hint), ..Fault::local(format!("TLS: {error}")) };
    }
    let mut io = chain(&error).filter_map(|error| error.downcast_ref::<io::Error>());
    let refused = error.is_dns() || io.any(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    let cause = if refused { Cause::Refused } else { Cause::Broken };
    let cause = Some(cause).filter(|_| !error.is_builder());
    Fault { cause, ..Fault::local(innermost(&error)) }
}

/// An error and what caused it.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}

/// rustls hides in an `io::Error`, often in two, and those do not show what they hold as their source.
fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    let mut error = error;
    while let Some(io) = error.downcast_ref::<io::Error>() {
        error = io.get_ref()?;
    }
    error.downcast_ref::<rustls::Error>()
}

/// The last of a chain of errors says what happened; those before it say that something did.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let last = chain(error).last();
    super::text::clean(&last.map(ToString::to_string).unwrap_or_default(), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is in the way of a request: nothing (a connection is refused), or a rule.
    async fn sent(url: &str, dial: Dial) -> Option<&'static str> {
        let transport = Transport::new(Timing::default(), Vec::new());
        let hop = Hop { url: Url::parse(url).unwrap(), dial, own: false, connection: Connection::default() };
        let fault = transport.send(&hop, &Method::GET, HeaderMap::new(), None).await.unwrap_err();
        assert_eq!(fault.cause.is_none(), fault.rule.is_some(), "{fault:?}");
        fault.rule
    }

    #[tokio::test]
    async fn names_are_checked_where_they_are_dialled() {
        // Nobody listens on port 1.
        for (dial, dialled) in [(Dial::Named, true), (Dial::NotForbidden, true), (Dial::Public, false)] {
            assert_eq!(sent("http://localhost:1/", dial).await.is_none(), dialled, "{dial:?}");
        }
    }
}

//! Registries: the OCI distribution specification over HTTP, pull and push.
//!
//! A question goes through a pipeline of small stages, each in a file of its own and tested as a table:
//!
//! ```text
//! route     ─ which hosts, in which order       (hosts, route, endpoint)
//! admission ─ may this URL be asked?            (admission, address)
//! queue     ─ how much at a time                (queue, flights)
//! auth      ─ who asks                          (auth, challenge, credentials)
//! send      ─ connections, TLS, names, time-outs (transport, connection, dial, payload)
//! classify  ─ what the answer means             (classify, text)
//! retry     ─ again, or a redirect              (retry, admission)
//! verify    ─ digest and size, to the end       (body, and `source::verify`)
//! ```
//!
//! `client` is their order; `repository` knows which path is asked for what; `list` knows pages; `push`
//! writes; `cache` keeps documents. Everything is lazy: making a [`Registry`] opens no file and no connection.
//!
//! Not here: what a tag *should* mean, which platform is wanted, and which documents to read. Guests decide that.

mod admission;
mod auth;
mod body;
mod cache;
mod classify;
mod client;
mod connection;
mod content;
mod credentials;
mod dial;
mod endpoint;
mod explain;
mod failed;
mod flights;
mod hosts;
mod list;
mod notices;
mod payload;
mod push;
mod queue;
mod repository;
mod retry;
mod root;
mod route;
mod text;
mod transport;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use portolan_oci::{Descriptor, Reference};
use rustls::pki_types::CertificateDer;

use self::auth::Auth;
use self::cache::Cache;
use self::client::Client;
use self::credentials::{Keyring, Places};
pub use self::explain::{AskedHost, Credentials, Explanation, Remark};
use self::flights::Flights;
use self::hosts::Directory;
pub use self::hosts::Hosts;
use self::push::Known;
use self::repository::Repository;
use self::route::Resting;
use self::transport::Transport;
use super::{Registries, Source};
use crate::error::Result;
use crate::limits::Limits;
use crate::turns::Turns;

/// How patient the client is. The default is for networks as they are; tests are in a hurry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// From a request to the head of its answer, connecting included.
    pub answer: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
    /// For all of a document: who sends a byte a second keeps to `idle` for a month.
    pub document: Duration,
    /// From the last byte of a large write to its answer: registries hash and move what they got before they say so.
    pub stored: Duration,
    /// For a credential helper.
    pub helper: Duration,
    /// Before the second try; each further wait is twice the one before.
    pub retry_first: Duration,
    /// The longest wait that we choose.
    pub retry_most: Duration,
    /// The longest wait that a registry may ask for.
    pub retry_after_most: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            document: Duration::from_secs(120),
            stored: Duration::from_secs(300),
            helper: Duration::from_secs(30),
            retry_first: Duration::from_millis(200),
            retry_most: Duration::from_secs(5),
            retry_after_most: Duration::from_secs(60),
        }
    }
}

/// What is set up before a [`Registry`] is used.
#[derive(Debug, Clone)]
pub struct Builder {
    cache: Option<PathBuf>,
    places: Places,
    timing: Timing,
    limits: Limits,
    roots: Vec<CertificateDer<'static>>,
    hosts: Hosts,
    offline: bool,
}

impl Builder {
    /// Which hosts a registry means: mirrors, TLS, plain HTTP. The default is [`Hosts::usual`].
    #[must_use]
    pub fn hosts(mut self, hosts: Hosts) -> Self {
        self.hosts = hosts;
        self
    }

    /// Where documents are kept from one process to the next: in a folder of its own below this one, which only we may
    /// enter. `None`, the default, keeps nothing.
    #[must_use]
    pub fn cache_dir(mut self, folder: Option<PathBuf>) -> Self {
        self.cache = folder;
        self
    }

    /// Switches the network off: documents come from the cache, and a tag means what it meant when it was last asked for,
    /// which is told with how long ago that was. Everything else is `offline`.
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// The folder of docker's `config.json`, in the place of `$DOCKER_CONFIG` and `~/.docker`; `None` for none.
    #[must_use]
    pub fn docker_config(mut self, folder: Option<PathBuf>) -> Self {
        self.places.docker_config = folder;
        self
    }

    /// The file in the place of `$REGISTRY_AUTH_FILE`; `None` for none.
    #[must_use]
    pub fn auth_file(mut self, file: Option<PathBuf>) -> Self {
        self.places.auth_file = file;
        self
    }

    /// Credentials come from this file, of docker's or podman's format, and from no other place. It is an error if it is not
    /// there.
    #[must_use]
    pub fn only_auth_file(mut self, file: PathBuf) -> Self {
        self.places.only = Some(file);
        self
    }

    /// podman's files, which are asked after docker's, in the place of `$XDG_RUNTIME_DIR/containers/auth.json` and
    /// `~/.config/containers/auth.json`.
    #[must_use]
    pub fn podman_auth_files(mut self, files: Vec<PathBuf>) -> Self {
        self.places.podman = files;
        self
    }

    /// A folder in which credential helpers are looked for before `$PATH`.
    #[must_use]
    pub fn credential_helpers(mut self, folder: PathBuf) -> Self {
        self.places.helpers = Some(folder);
        self
    }

    /// A certificate authority to trust besides the system's, in DER.
    #[must_use]
    pub fn trust(mut self, certificate: impl Into<Vec<u8>>) -> Self {
        self.roots.push(CertificateDer::from(certificate.into()));
        self
    }

    /// How long to wait for what, and how long between tries.
    #[must_use]
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// The bounds of tokens, error bodies, redirects and pages. Those of documents come with each call.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The client. Nothing is read and nobody is asked yet.
    ///
    /// # Errors
    /// None today; what is configured later may contradict itself.
    pub fn build(self) -> Result<Registry> {
        let Builder { cache, places, timing, limits, roots, hosts, offline } = self;
        let transport = Arc::new(Transport::new(timing.clone(), roots));
        let keyring = Keyring::new(places, timing.helper);
        let auth = Auth::new(keyring, Arc::clone(&transport), timing.clone(), &limits);
        Ok(Registry(Arc::new(Shared {
            client: Client::new(auth, transport, timing.clone(), limits, offline),
            directory: Directory::new(hosts),
            resting: Resting::default(),
            cache: cache.map(|folder| Cache::new(folder.join("documents"))),
            resolving: Flights::default(),
            fetching: Flights::default(),
            known: Known::default(),
            referring: Turns::default(),
            timing,
        })))
    }
}

/// What all repositories of a process share: connections, tokens, places in the queue, the cache.
#[derive(Debug)]
struct Shared {
    client: Client,
    directory: Directory,
    resting: Resting,
    cache: Option<Cache>,
    resolving: Flights<(String, u64), Result<Descriptor>>,
    fetching: Flights<(String, String, u64, u64), Result<Bytes>>,
    known: Known,
    /// Of who adds to what speaks of a digest, by repository and digest.
    referring: Turns<String>,
    timing: Timing,
}

/// A client of all registries, in the name of one user. Cheap to clone; clones share everything.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use portolan::Limits;
/// use portolan::source::Target;
/// use portolan::source::registry::Registry;
///
/// let registry = Registry::builder().build()?;
/// let alpine = registry.repository(&"docker.io/library/alpine".parse()?);
/// let root = alpine.resolve(Target::Tag("3"), &Limits::default()).await?;
/// println!("{}", root.digest);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Registry(Arc<Shared>);

impl Registry {
    /// Starts with credentials where docker and podman keep them, hosts where BuildKit, containerd and docker look for them,
    /// the default timing and limits, and no cache.
    pub fn builder() -> Builder {
        Builder {
            cache: None,
            places: Places::from_env(),
            timing: Timing::default(),
            limits: Limits::default(),
            roots: Vec::new(),
            hosts: Hosts::usual(),
            offline: false,
        }
    }

    /// A repository; of the reference, domain and path count. One that cannot be asked says why when it is.
    pub fn repository(&self, reference: &Reference) -> Arc<dyn Source> {
        Arc::new(Repository::new(Arc::clone(&self.0), reference))
    }
}

impl Registries for Registry {
    fn repository(&self, reference: &Reference) -> Arc<dyn Source> {
        Registry::repository(self, reference)
    }
}

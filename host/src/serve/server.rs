//! The server: who is at which door, how much there may be of everything, and what can be changed while it serves.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use thiserror::Error;
use tokio::sync::{Semaphore, watch};
use tracing::Instrument as _;

use super::caller::{Callers, Peer, Shown};
use super::distribution::{self, Body, Distribution, Uploads};
use super::gateway::{Gateway, Tags};
use super::listen::Side;
use super::metrics::{Asked, Counted, Metrics};
use super::patient::{Holding, pumped, until};
use super::recall::Recall;
use super::rpc::{self, Rpc};
use super::shelf::{Shelf, Shelved};
use super::span;
use crate::engine::{Bundled, Component, Frontend, Host, LoadError};
use crate::limits::Limits;
use crate::source::Registries;

pub(super) use rustls::ServerConfig as Tls;

const MINUTE: Duration = Duration::from_secs(60);
/// What is kept is looked through every so many minutes.
const SWEEP: u64 = 10;
/// An answer of no more bytes than a document may have lies in memory.
const IN_MEMORY: u64 = 4 << 20;

/// How much there may be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// Connections at a time; who is one too many is told so and closed.
    pub connections: usize,
    /// Requests that are being answered at a time; the next ones are told to come again.
    pub requests: usize,
    /// How long the other end of a connection may neither send nor take anything.
    pub idle: Duration,
    /// How long what is under way may go on when the server ends.
    pub grace: Duration,
    /// Bytes of documents that are kept in memory.
    pub recall: u64,
    /// Uploads under way at a time.
    pub uploads: usize,
    /// Bytes of one upload.
    pub upload: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            connections: 4_096,
            requests: 1_024,
            idle: Duration::from_secs(60),
            grace: Duration::from_secs(30),
            recall: 64 << 20,
            uploads: 64,
            upload: 64 << 30,
        }
    }
}

/// Why there is no server.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A frontend cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A certificate or a key cannot be used.
    #[error("cannot use {file} for TLS: {reason}")]
    Tls {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// The service does not describe itself, which is a fault of this program.
    #[error("cannot describe the service: {0}")]
    Reflection(String),
    /// Uploads have no place.
    #[error("cannot keep uploads in {folder}: {error}")]
    Uploads {
        /// Where.
        folder: String,
        /// Why.
        error: std::io::Error,
    },
}

/// What a server is made of.
pub struct Builder {
    host: Host,
    registries: Arc<dyn Registries>,
    callers: Callers,
    bounds: Bounds,
    limits: Limits,
    upstream: Option<String>,
    tags: Option<Tags>,
    frontends: Vec<(String, Frontend)>,
    folder: PathBuf,
    shelf: Option<Shelf>,
    tls: Option<Arc<Tls>>,
}

impl Builder {
    /// Who may do what; nobody may anything without this.
    #[must_use]
    pub fn callers(mut self, callers: Callers) -> Self {
        self.callers = callers;
        self
    }

    /// How much there may be of everything.
    #[must_use]
    pub fn bounds(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// What bounds documents and runs.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The registry of repositories that name none: `docker.io`.
    #[must_use]
    pub fn upstream(mut self, host: impl Into<String>) -> Self {
        self.upstream = Some(host.into());
        self
    }

    /// Who answers what a tag means, in the place of the bundled `resolve`: a frontend that takes a `ref`, and whose answer
    /// has the metadatum `image.digest`. It is told `arguments` besides.
    #[must_use]
    pub fn tags(mut self, frontend: &Frontend, arguments: Vec<(String, String)>) -> Self {
        self.tags = Some(Tags { frontend: frontend.clone(), arguments });
        self
    }

    /// A frontend that callers may run under this name, besides the bundled ones.
    #[must_use]
    pub fn frontend(mut self, name: impl Into<String>, frontend: &Frontend) -> Self {
        self.frontends.push((name.into(), frontend.clone()));
        self
    }

    /// Where what is pulled through is kept; in memory alone without this.
    #[must_use]
    pub fn shelf(mut self, shelf: Shelf) -> Self {
        self.shelf = Some(shelf);
        self
    }

    /// Where uploads are gathered, in the place of the system's folder for temporary files.
    #[must_use]
    pub fn uploads(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// TLS for callers over TCP: a chain of certificates and its key, in PEM; with authorities, who shows a certificate of
    /// theirs is who it names.
    ///
    /// # Errors
    /// A file that cannot be read, or is not what it should be.
    pub fn tls(mut self, chain: &Path, key: &Path, authorities: Option<&Path>) -> Result<Self, ServeError> {
        self.tls = Some(Arc::new(tls(chain, key, authorities)?));
        Ok(self)
    }

    /// Has the frontend for tags ready.
    ///
    /// # Errors
    /// A bundled frontend that does not load; a folder for uploads that cannot be written to.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn build(self) -> Result<Server, ServeError> {
        let Builder { host, registries, callers, bounds, limits, upstream, tags, frontends, folder, shelf, tls } = self;
        if let Err(error) = tempfile::tempfile_in(&folder) {
            return Err(ServeError::Uploads { folder: folder.display().to_string(), error });
        }
        let metrics = Arc::new(Metrics::default());
        let tags = match tags {
            Some(tags) => tags,
            None => Tags { frontend: host.load(Component::Bundled(Bundled::Resolve)).await?, arguments: Vec::new() },
        };
        let shelved = shelf.map(|shelf| Arc::new(Shelved::new(Arc::clone(&registries), shelf, Arc::clone(&metrics))));
        let registries = shelved.clone().map_or(registries, |shelved| shelved as Arc<dyn Registries>);
        let gateway = Arc::new(Gateway {
            host,
            registries: Arc::new(Recall::new(registries, bounds.recall, Arc::clone(&metrics))),
            limits: Arc::new(limits),
            tags,
            frontends: frontends.into_iter().collect(),
            metrics: Arc::clone(&metrics),
            sources: Mutex::new(HashMap::new()),
        });
        let uploads = Uploads::new(folder.clone(), bounds.uploads, bounds.upload, bounds.idle);
        let rpc = Rpc::new(Arc::clone(&gateway), folder, bounds.upload, bounds.idle);
        let rpc = rpc.await.map_err(ServeError::Reflection)?;
        Ok(Server(Arc::new(Inner {
            distribution: Distribution::new(gateway, upstream, uploads),
            rpc,
            callers: RwLock::new(Arc::new(callers)),
            shelved,
            tls: RwLock::new(tls),
            requests: Arc::new(Semaphore::new(bounds.requests)),
            bounds,
            metrics,
            ending: watch::Sender::new(false),
        })))
    }
}

/// See the module. Cheap to clone; clones are the same server.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    distribution: Distribution,
    rpc: Rpc,
    callers: RwLock<Arc<Callers>>,
    shelved: Option<Arc<Shelved>>,
    tls: RwLock<Option<Arc<Tls>>>,
    requests: Arc<Semaphore>,
    bounds: Bounds,
    metrics: Arc<Metrics>,
    ending: watch::Sender<bool>,
}

impl Server {
    /// Frontends run on `host`, and content comes from `registries`, in their credentials' name: those of callers are never
    /// shown to anybody.
    pub fn builder(host: Host, registries: impl Registries + 'static) -> Builder {
        Builder {
            host,
            registries: Arc::new(registries),
            callers: Callers::default(),
            bounds: Bounds::default(),
            limits: Limits::default(),
            upstream: None,
            tags: None,
            frontends: Vec::new(),
            folder: std::env::temp_dir(),
            shelf: None,
            tls: None,
        }
    }

    /// Other callers, from the next request on.
    pub fn set_callers(&self, callers: Callers) {
        *self.0.callers.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(callers);
    }

    /// Other certificates, from the next connection on. See [`Builder::tls`].
    ///
    /// # Errors
    /// As there; then those that there were stay.
    pub fn set_tls(&self, chain: &Path, key: &Path, authorities: Option<&Path>) -> Result<(), ServeError> {
        let tls = tls(chain, key, authorities)?;
        *self.0.tls.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(tls));
        Ok(())
    }

    pub(super) fn bounds(&self) -> &Bounds {
        &self.0.bounds
    }

    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.0.metrics
    }

    pub(super) fn tls(&self) -> Option<Arc<Tls>> {
        self.0.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps what is kept within its bounds, for ever.
    pub(super) async fn tidy(&self) {
        let mut minutes = 0;
        loop {
            if let Some(shelved) = self.0.shelved.as_ref().filter(|_| minutes % SWEEP == 0) {
                shelved.sweep().await;
            }
            tokio::time::sleep(MINUTE).await;
            self.0.distribution.tidy();
            minutes += 1;
        }
    }

    /// From now on it says that it is not ready.
    pub(super) async fn end(&self) {
        self.0.rpc.end().await;
        self.0.ending.send_replace(true);
    }

    /// The answer to a request, whatever it is.
    pub(super) async fn answer(&self, side: Side, peer: &Peer, request: Request<Incoming>) -> Response<Body> {
        let inner = &*self.0;
        if side == Side::Operators {
            return inner.operated(request.uri().path());
        }
        let Ok(place) = Arc::clone(&inner.requests).try_acquire_owned() else {
            inner.metrics.shed.fetch_add(1, Ordering::Relaxed);
            return distribution::refused("as much is being asked as this gateway answers at a time");
        };
        let span = span::of(&request);
        let held = (place, Counted::new(&inner.metrics, |metrics| &metrics.in_flight), span.clone());
        let begun = Instant::now();
        let callers = Arc::clone(&inner.callers.read().unwrap_or_else(PoisonError::into_inner));
        let shown = Shown::of(request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes));
        let caller = callers.who(peer, &shown);
        span.record("portolan.caller", caller.as_ref().and_then(|caller| caller.name.as_deref()));
        let is_rpc =
            request.headers().get(CONTENT_TYPE).is_some_and(|said| said.as_bytes().starts_with(b"application/grpc"));
        let (path, version) = (request.uri().path(), request.version());
        let (door, operation, status, answer) = if is_rpc {
            let (operation, answer) = inner.rpc.answer(caller, request).instrument(span.clone()).await;
            ("grpc", operation, rpc::status_of(answer.headers()), answer)
        } else if Distribution::serves(path) {
            let challenges = callers.take_secrets();
            let answer = inner.distribution.answer(caller, challenges, request).instrument(span.clone());
            let (operation, answer) = answer.await;
            ("distribution", operation, word(answer.status()), answer)
        } else {
            ("none", "unknown", "404", distribution::nowhere(path))
        };
        span.record("http.response.status_code", answer.status().as_u16());
        inner.metrics.answered(Asked { door, operation, status }, begun.elapsed());
        // Who watches our health may do so for ever, which is until we end.
        if operation == "health" {
            return answer.map(|body| until(body, inner.ending.subscribe()));
        }
        // What is in memory costs nothing more.
        if answer.body().size_hint().exact().is_some_and(|size| size <= IN_MEMORY) {
            return answer;
        }
        answer.map(|body| match version {
            Version::HTTP_2 => pumped(body, inner.bounds.idle, held),
            _ => Holding::new(body, held).boxed_unsync(),
        })
    }
}

impl Inner {
    /// How it is doing.
    fn operated(&self, path: &str) -> Response<Body> {
        let (status, text) = match path {
            "/metrics" => (StatusCode::OK, self.metrics.text()),
            "/livez" => (StatusCode::OK, "alive\n".to_owned()),
            "/readyz" if *self.ending.borrow() => (StatusCode::SERVICE_UNAVAILABLE, "ending\n".to_owned()),
            "/readyz" => (StatusCode::OK, "ready\n".to_owned()),
            _ => (StatusCode::NOT_FOUND, "there are /metrics, /livez and /readyz\n".to_owned()),
        };
        let mut answer = Response::new(Full::from(text).map_err(|never| match never {}).boxed_unsync());
        *answer.status_mut() = status;
        let plain = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        answer.headers_mut().insert(CONTENT_TYPE, plain);
        answer
    }
}

/// A status as a label: there are only so many.
fn word(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200 => "200",
        201 => "201",
        202 => "202",
        204 => "204",
        206 => "206",
        304 => "304",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        416 => "416",
        429 => "429",
        500..=599 => "5xx",
        _ => "other",
    }
}

/// TLS as a server has it.
fn tls(chain: &Path, key: &Path, authorities: Option<&Path>) -> Result<Tls, ServeError> {
    let fail = |file: &Path, reason: String| ServeError::Tls { file: file.display().to_string(), reason };
    let certificates = |file: &Path| -> Result<Vec<CertificateDer<'static>>, ServeError> {
        let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
        match read {
            Ok(certificates) if Vec::is_empty(&certificates) => Err(fail(file, "there is no certificate in it".into())),
            Ok(certificates) => Ok(certificates),
            Err(error) => Err(fail(file, error.to_string())),
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = Tls::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| fail(chain, error.to_string()))?;
    let builder = match authorities {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| fail(file, error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| fail(file, error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| fail(key, error.to_string()))?;
    let mut tls =
        builder.with_single_cert(certificates(chain)?, secret).map_err(|error| fail(chain, error.to_string()))?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

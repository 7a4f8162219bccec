//! Where content is kept: a folder or a bucket, how much of it, and for how long.
//!
//! Not here: what is put there, and who has it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::ANSWER;
use crate::error::{Code, Error, Result};

/// Where content is kept, how much of it, and for how long.
#[derive(Debug, Clone)]
pub struct Shelf {
    pub(super) store: Arc<dyn ObjectStore>,
    /// Where it is a folder, which one.
    pub(super) local: Option<PathBuf>,
    /// For messages.
    pub(super) name: Arc<str>,
    /// Where content is gathered before it is put there.
    pub(super) folder: PathBuf,
    /// Larger blobs are handed through.
    pub(super) most: u64,
    /// All of it together.
    pub(super) size: u64,
    /// What was put there longer ago goes.
    pub(super) age: Duration,
}

impl Shelf {
    /// A folder, which is made; `s3://BUCKET[/PREFIX]`, whose endpoint and credentials are those of the environment
    /// (`AWS_ENDPOINT`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_ALLOW_HTTP`).
    ///
    /// # Errors
    /// A folder that cannot be made, or is open to others; a URL that is none.
    pub fn at(place: &str) -> Result<Shelf> {
        let fail = |detail: String| Error::new(Code::Other, "keep content in", place, detail);
        let mut local = None;
        let store: Arc<dyn ObjectStore> = match place.strip_prefix("s3://") {
            Some(bucket) => {
                let (bucket, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
                let retries = RetryConfig {
                    max_retries: 1,
                    retry_timeout: ANSWER,
                    backoff: BackoffConfig { max_backoff: Duration::from_millis(200), ..BackoffConfig::default() },
                };
                let store = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retries);
                let store = store.with_http_connector(Connector).build();
                let store = store.map_err(|error| fail(error.to_string()))?;
                match prefix {
                    "" => Arc::new(store),
                    prefix => Arc::new(PrefixStore::new(store, prefix)),
                }
            }
            None => {
                let folder = crate::private::folder(Path::new(place)).map_err(fail)?;
                let store = LocalFileSystem::new_with_prefix(&folder).map_err(|error| fail(error.to_string()))?;
                local = Some(folder);
                Arc::new(store)
            }
        };
        Ok(Shelf {
            store,
            // On its own disk, where a file need but be named.
            folder: local.clone().unwrap_or_else(std::env::temp_dir),
            local,
            name: place.into(),
            most: 4 << 30,
            size: 64 << 30,
            age: Duration::from_secs(30 * 24 * 60 * 60),
        })
    }

    /// Blobs of more bytes are handed through and not kept.
    #[must_use]
    pub fn blobs_up_to(mut self, bytes: u64) -> Self {
        self.most = bytes;
        self
    }

    /// No more bytes than about so many are kept: what was put there first goes first.
    #[must_use]
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = bytes;
        self
    }

    /// What was put there longer ago goes.
    #[must_use]
    pub fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// Where content is gathered before it is put there, in the place of the folder itself or, for an object store, the
    /// system's folder for temporary files.
    #[must_use]
    pub fn gathered_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }
}

/// HTTP to a store: verified as by the system, with a cryptography of its own, as nothing here is the process'.
#[derive(Debug)]
struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let fail =
            |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic { store: "S3", source };
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| fail(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let allowed = std::env::var("AWS_ALLOW_HTTP").is_ok_and(|value| value == "true");
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(!allowed)
            .connect_timeout(ANSWER)
            .read_timeout(ANSWER)
            .build()
            .map(HttpClient::new)
            .map_err(|error| fail(error.into()))
    }
}

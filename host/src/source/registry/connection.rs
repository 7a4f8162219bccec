//! How one host is connected to: whom its certificate may be signed by, what we show, and how long we wait. Files are read
//! when the first connection is made.
//!
//! A client certificate is a credential (GHSA-h3wm-jjqf-8jm2), and taking any certificate is a favour: both are for the
//! host that they were configured for. Where it sends us, only the authorities come along: a registry inside a company has
//! its token server and its store inside, too.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::hosts::{KeyPair, Pem};

/// The terms of a connection; without any, those of the system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Connection(Option<Arc<Terms>>);

/// What was said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Terms {
    /// Trusted besides the system's.
    pub authorities: Vec<Pem>,
    pub client: Option<KeyPair>,
    /// Whatever certificate it has.
    pub unverified: bool,
    /// Until a connection stands.
    pub timeout: Option<Duration>,
}

/// More certificates than anybody trusts are a file of something else.
const CERTIFICATES: usize = 10_000;

impl Connection {
    pub(super) fn new(terms: Terms) -> Connection {
        Connection((terms != Terms::default()).then(|| Arc::new(terms)))
    }

    /// For a server that the host sends us to.
    pub(super) fn for_others(&self) -> Connection {
        let authorities = self.0.as_ref().map(|terms| terms.authorities.clone()).unwrap_or_default();
        Connection::new(Terms { authorities, ..Terms::default() })
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        self.0.as_ref()?.timeout
    }

    /// Whether the system's authorities have a say.
    pub(super) fn is_verified(&self) -> bool {
        self.0.as_ref().is_none_or(|terms| !terms.unverified)
    }

    /// The authorities that are configured.
    pub(super) fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let mut all = Vec::new();
        for pem in self.0.iter().flat_map(|terms| &terms.authorities) {
            all.extend(certificates(pem)?);
        }
        Ok(all)
    }

    /// TLS on these terms. `roots` are all authorities that are trusted.
    pub(super) fn tls(&self, roots: RootCertStore) -> Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("no TLS: {error}"))?;
        let verifying = match self.is_verified() {
            true => versions.with_root_certificates(roots),
            false => versions.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        };
        let mut config = match self.0.as_ref().and_then(|terms| terms.client.as_ref()) {
            None => verifying.with_no_client_auth(),
            Some(pair) => {
                let (chain, key) = (certificates(&pair.certificate)?, key(pair)?);
                let refused = |error| format!("{}: it is no client certificate: {error}", pair.certificate.name());
                verifying.with_client_auth_cert(chain, key).map_err(refused)?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn bytes(pem: &Pem) -> Result<Vec<u8>, String> {
    match pem {
        Pem::File(path) => {
            crate::source::file::read(path)?.ok_or_else(|| format!("{}: there is no such file", path.display()))
        }
        Pem::Stored { bytes, .. } => Ok(bytes.to_vec()),
    }
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = bytes(pem)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).take(CERTIFICATES).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(format!("{}: it has no certificate in PEM", pem.name())),
        Err(_) => Err(format!("{}: its certificates are no PEM", pem.name())),
    }
}

/// The message never quotes the file.
fn key(pair: &KeyPair) -> Result<PrivateKeyDer<'static>, String> {
    let pem = pair.key.as_ref().unwrap_or(&pair.certificate);
    PrivateKeyDer::from_pem_slice(&bytes(pem)?).map_err(|_| format!("{}: it has no private key in PEM", pem.name()))
}

/// Takes any certificate, but holds the server to the key that is in it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_along_to_other_servers() {
        let authorities = vec![Pem::File("ca.pem".into())];
        let client = Some(KeyPair { certificate: Pem::File("c.pem".into()), key: None });
        let timeout = Some(Duration::from_secs(1));
        let all = Connection::new(Terms { authorities: authorities.clone(), client, unverified: true, timeout });
        assert_eq!(all.for_others(), Connection::new(Terms { authorities, ..Terms::default() }));
        assert_eq!(Connection::new(Terms { unverified: true, ..Terms::default() }).for_others(), Connection::default());
        assert!(!all.is_verified() && all.for_others().is_verified());
    }

    #[test]
    fn files_that_are_none() {
        let stored = |text: &str| Pem::Stored { name: "stored".into(), bytes: Arc::from(text.as_bytes()) };
        let broken = "-----BEGIN CERTIFICATE-----\n%%%hunter2%%%\n-----END CERTIFICATE-----\n";
        for (pem, expected) in [
            (Pem::File("/nowhere/ca.pem".into()), "/nowhere/ca.pem: there is no such file"),
            (stored(""), "stored: it has no certificate in PEM"),
            (stored("hunter2"), "stored: it has no certificate in PEM"),
            (stored(broken), "stored: its certificates are no PEM"),
        ] {
            let terms = Terms { authorities: vec![pem], ..Terms::default() };
            let message = Connection::new(terms).authorities().unwrap_err();
            assert!(message.starts_with(expected) && !message.contains("hunter2"), "{message}");
        }
        let pair = KeyPair { certificate: stored(broken), key: Some(stored("hunter2")) };
        assert_eq!(key(&pair).unwrap_err(), "stored: it has no private key in PEM");
    }
}

//! Public keys, and whether one of them made a signature: ECDSA on P-256 and P-384, Ed25519, RSA, as cosign makes them.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use webpki::{Error, RawPublicKeyEntity, ring};

use super::PolicyError;

/// A file of keys is no longer.
const MOST: u64 = 64 << 10;

/// cosign hashes with SHA-256, whatever the curve; what is made by others may fit the hash to the curve.
const ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 6] = [
    ring::ECDSA_P256_SHA256,
    ring::ECDSA_P384_SHA256,
    ring::ECDSA_P384_SHA384,
    ring::ED25519,
    ring::RSA_PKCS1_2048_8192_SHA256,
    ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
];

/// Keys, any of which will do.
pub(super) struct Keys(Vec<SubjectPublicKeyInfoDer<'static>>);

impl Keys {
    /// Those in these files, each of which has one at least.
    pub(super) fn read(files: &[PathBuf]) -> Result<Keys, PolicyError> {
        let mut keys = Vec::new();
        for file in files {
            keys.extend(Keys::of(file)?);
        }
        Ok(Keys(keys))
    }

    fn of(file: &Path) -> Result<Vec<SubjectPublicKeyInfoDer<'static>>, PolicyError> {
        let shown = file.display().to_string();
        let wrong = |why: String| PolicyError::Wrong(format!("{shown} is no file of public keys: {why}"));
        let failed = |error| PolicyError::Io { what: "read the key", file: shown.clone(), error };
        let mut pem = Vec::new();
        File::open(file).and_then(|file| file.take(MOST + 1).read_to_end(&mut pem)).map_err(failed)?;
        if pem.len() as u64 > MOST {
            return Err(wrong(format!("it is larger than {MOST} bytes")));
        }
        let mut keys = Vec::new();
        for key in SubjectPublicKeyInfoDer::pem_slice_iter(&pem) {
            let key = key.map_err(|error| wrong(format!("{error}")))?;
            if !usable(&key) {
                return Err(wrong("it has a key that is not of P-256, P-384, Ed25519 or RSA".to_owned()));
            }
            keys.push(key);
        }
        match keys.is_empty() {
            true => Err(wrong("nothing in it is a `PUBLIC KEY` in PEM".to_owned())),
            false => Ok(keys),
        }
    }

    /// Whether one of them signed `message`.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let by = |key: &SubjectPublicKeyInfoDer<'static>| {
            let Ok(key) = RawPublicKeyEntity::try_from(key) else { return false };
            ALGORITHMS.iter().any(|algorithm| key.verify_signature(*algorithm, message, signature).is_ok())
        };
        self.0.iter().any(by)
    }
}

/// Whether any signature could be by this key.
fn usable(key: &SubjectPublicKeyInfoDer<'_>) -> bool {
    let Ok(key) = RawPublicKeyEntity::try_from(key) else { return false };
    ALGORITHMS.iter().any(|algorithm| {
        let fits = key.verify_signature(*algorithm, b"", b"");
        !matches!(fits, Err(Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)))
    })
}

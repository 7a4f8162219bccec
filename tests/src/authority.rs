//! A certificate authority, made by openssl, and what it signs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::registry::run;

/// An authority in a folder of its own.
pub struct Authority(TempDir);

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one, which nobody trusts.
    pub fn new() -> Authority {
        let authority = Authority(tempfile::tempdir().expect("a folder"));
        authority.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=authority -days 30 -keyout ca.key -out ca.pem",
        );
        authority.openssl("x509 -in ca.pem -outform der -out ca.der");
        authority
    }

    /// A certificate for `subject` (`IP:127.0.0.1`, `DNS:r.example`) and its key, in files of this name.
    pub fn sign(&self, name: &str, subject: &str, days: &str) -> (PathBuf, PathBuf) {
        fs::write(self.0.path().join("names"), format!("subjectAltName={subject}\n")).expect("a file");
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -days {days} -out {name}.pem"
        ));
        (self.0.path().join(format!("{name}.pem")), self.0.path().join(format!("{name}.key")))
    }

    /// Its own certificate, in PEM.
    pub fn certificate(&self) -> PathBuf {
        self.0.path().join("ca.pem")
    }

    /// The same in DER.
    pub fn der(&self) -> Vec<u8> {
        fs::read(self.0.path().join("ca.der")).expect("the authority's certificate")
    }

    fn openssl(&self, arguments: &str) {
        run(Command::new("openssl").args(arguments.split(' ')).current_dir(self.0.path()), "openssl");
    }
}

//! Folders of hosts, one for each registry: containerd's `certs.d`, and docker's, which has only certificates.
//!
//! ```text
//! certs.d/docker.io/hosts.toml
//! certs.d/r.example_5000_/hosts.toml    containerd's way to write a port without a colon; `r.example:5000` does as well
//! certs.d/_default/hosts.toml           for registries that have no folder
//! certs.d/r.corp/ca.crt                 without a hosts.toml: authorities,
//! certs.d/r.corp/client.cert, .key      and what we show
//! ```

use std::io;
use std::path::{Path, PathBuf};

use super::containerd;
use super::settings::{Entry, KeyPair, Pem, Settings};
use crate::configuration::{Said, Source};
use crate::source::file::{read, text};

/// More files than one host has certificates.
const FILES: usize = 1_000;

/// For registries that have no folder of their own.
pub(super) const DEFAULT: &str = "_default";

/// What the folder of `domain` in `root` says; `None` where there is none.
pub(super) fn of(root: &Path, domain: &str) -> Result<Option<Entry>, String> {
    let underscored = domain.rsplit_once(':').map(|(host, port)| format!("{host}_{port}_"));
    for name in underscored.as_deref().into_iter().chain([domain]) {
        if let Some(entry) = entry(&root.join(name))? {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// What a folder says; `None` if it is not there.
pub(super) fn entry(folder: &Path) -> Result<Option<Entry>, String> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let file = folder.join("hosts.toml");
    match read(&file)? {
        Some(bytes) if !bytes.is_empty() => {
            containerd::parse(&text(bytes, &file)?, &file.display().to_string(), folder).map(Some)
        }
        _ => {
            let by = Source::File { file: folder.display().to_string().into(), line: None };
            let mut entry = Entry::new(by);
            certificates(folder, &mut entry.settings)?;
            Ok(Some(entry))
        }
    }
}

/// Adds the certificates that docker would find in a folder. One that is not there, or not for us, has none.
pub(super) fn certificates(folder: &Path, settings: &mut Settings) -> Result<(), String> {
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            return Ok(());
        }
        Err(error) => return Err(format!("{}: {error}", folder.display())),
    };
    let mut paths: Vec<PathBuf> = listed.take(FILES).filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        let by = Source::File { file: path.display().to_string().into(), line: None };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("crt") => settings.authorities.push(Said::new(Pem::File(path), by)),
            Some("cert") => {
                let key = Some(path.with_extension("key")).filter(|key| key.exists()).map(Pem::File);
                settings.clients.push(Said::new(KeyPair { certificate: Pem::File(path), key }, by));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_folder_is_whose() {
        let root = tempfile::tempdir().unwrap();
        for name in ["r.example", "r.example_5000_", "s.example:5000", "both_1_", "both:1", "[::1]_5000_"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        for (domain, expected) in [
            ("r.example", Some("r.example")),
            ("r.example:5000", Some("r.example_5000_")),
            ("s.example:5000", Some("s.example:5000")),
            ("both:1", Some("both_1_")),
            ("[::1]:5000", Some("[::1]_5000_")),
            ("r.example:5001", None),
            ("example", None),
        ] {
            let found = of(root.path(), domain).unwrap().map(|entry| entry.by.to_string());
            let expected = expected.map(|name| root.path().join(name).display().to_string());
            assert_eq!(found, expected, "{domain}");
        }
    }

    #[test]
    fn certificates_are_dockers_where_there_is_no_hosts_toml() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("r.example");
        std::fs::create_dir(&folder).unwrap();
        for name in ["b.crt", "a.crt", "client.cert", "client.key", "lone.cert", "notes.txt"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        let shown = |entry: &Entry| {
            let name = |pem: &Pem| pem.name().rsplit('/').next().unwrap_or_default().to_owned();
            let authorities = entry.settings.authorities.iter().map(|said| name(&said.value));
            let clients = entry.settings.clients.iter().map(|said| {
                let key = said.value.key.as_ref().map(name);
                format!("{}+{}", name(&said.value.certificate), key.unwrap_or_default())
            });
            authorities.chain(clients).collect::<Vec<_>>().join(" ")
        };
        let found = of(root.path(), "r.example").unwrap().unwrap();
        assert_eq!(shown(&found), "a.crt b.crt client.cert+client.key lone.cert+");

        std::fs::write(folder.join("hosts.toml"), "ca = \"only.crt\"").unwrap();
        assert_eq!(shown(&of(root.path(), "r.example").unwrap().unwrap()), "only.crt");
        std::fs::write(folder.join("hosts.toml"), "ca = 1").unwrap();
        let message = of(root.path(), "r.example").unwrap_err();
        assert!(message.ends_with("hosts.toml:1: this is to be a list"), "{message}");
        std::fs::write(folder.join("hosts.toml"), [0xff]).unwrap();
        assert!(of(root.path(), "r.example").unwrap_err().ends_with("it is no UTF-8 text"));
        std::fs::write(folder.join("hosts.toml"), vec![b'#'; 2 << 20]).unwrap();
        assert!(of(root.path(), "r.example").unwrap_err().ends_with("it is larger than 1 MiB"));
    }
}

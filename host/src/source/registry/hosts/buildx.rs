//! What a builder of buildx says of registries: among its files is the `buildkitd.toml` of its daemon, with the certificates
//! which that names. In the stored file their paths are those that they have in the builder's container:
//! `/etc/buildkit/certs/HOST/FILE`.
//!
//! Pure: a builder in, a table out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::buildkit::{self, Registries};
use super::settings::Pem;
use crate::source::buildx::Instance;

/// The file among a node's that is its daemon's configuration.
const CONFIG: &str = "buildkitd.toml";
/// Where the files of a node are in its container.
const FOLDER: &str = "/etc/buildkit/";

/// What the builder's `buildkitd.toml` says of each registry: that of its first node that has one, for buildx gives all
/// of them the same unless told otherwise. A builder without one says nothing.
pub(super) fn registries(builder: Instance, file: &Path) -> Result<Registries, String> {
    let shown = file.display();
    let mut files = builder.nodes.into_iter().flatten().filter_map(|node| node.files);
    let Some(files) = files.find(|files| files.contains_key(CONFIG)) else { return Ok(Registries::new()) };
    let mut stored = BTreeMap::new();
    for (name, text) in files {
        let bytes = STANDARD.decode(&text).map_err(|_| format!("{shown}: its file {name:?} is not base64"))?;
        stored.insert(name, Arc::<[u8]>::from(bytes));
    }
    let config = stored.get(CONFIG).map(|bytes| String::from_utf8_lossy(bytes)).unwrap_or_default();
    let pem = |path: &str| match path.strip_prefix(FOLDER).and_then(|name| Some((name, stored.get(name)?))) {
        Some((name, bytes)) => Pem::Stored { name: format!("{shown}({name})").into(), bytes: Arc::clone(bytes) },
        None => Pem::File(path.into()),
    };
    buildkit::parse(&config, &format!("{shown}({CONFIG})"), &pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8], file: &Path) -> Result<Registries, String> {
        registries(crate::source::buildx::parse(bytes, file)?, file)
    }

    fn instance(files: &[(&str, &str)]) -> String {
        let files: Vec<String> =
            files.iter().map(|(name, text)| format!("{name:?}:{:?}", STANDARD.encode(text))).collect();
        format!(
            r#"{{"Name":"b","Driver":"docker-container","Nodes":[{{"Name":"b0","Files":null}},{{"Name":"b1","Endpoint":"unix:///var/run/docker.sock","Platforms":null,"DriverOpts":null,"Flags":null,"Files":{{{}}}}}],"Dynamic":false}}"#,
            files.join(",")
        )
    }

    #[test]
    fn a_builders_registries_and_their_certificates() {
        let toml = "[registry.\"r.example\"]\n  ca = [\"/etc/buildkit/certs/r.example/ca.pem\", \"/elsewhere.pem\"]\n";
        let json = instance(&[(CONFIG, toml), ("certs/r.example/ca.pem", "PEM")]);
        let registries = parse(json.as_bytes(), Path::new("/b")).unwrap();
        let authorities = &registries.get("r.example").unwrap().settings.authorities;
        let shown: Vec<String> = authorities.iter().map(|said| format!("{:?} {}", said.value, said.by)).collect();
        assert_eq!(shown, ["/b(certs/r.example/ca.pem) /b(buildkitd.toml):2", "/elsewhere.pem /b(buildkitd.toml):2"]);
        assert!(matches!(&authorities[0].value, Pem::Stored { bytes, .. } if &**bytes == b"PEM"));
    }

    #[test]
    fn builders_without_registries_and_files_that_are_no_builders() {
        for json in [r#"{"Name":"b","Nodes":null}"#, r#"{"Name":"b"}"#, &instance(&[])] {
            assert_eq!(parse(json.as_bytes(), Path::new("/b")), Ok(Registries::new()), "{json}");
        }
        for (json, expected) in [
            ("", "/b: it is no builder: "),
            ("[1]", "/b: it is no builder: "),
            (r#"{"Nodes":[{"Files":{"buildkitd.toml":"%"}}]}"#, "/b: its file \"buildkitd.toml\" is not base64"),
            (&instance(&[(CONFIG, "\nregistry = 1")]), "/b(buildkitd.toml):2: this is to be a table"),
        ] {
            let message = parse(json.as_bytes(), Path::new("/b")).unwrap_err();
            assert!(message.starts_with(expected), "{json}\n{message}");
        }
    }
}

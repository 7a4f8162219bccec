//! `buildkitd.toml`, as far as registries go (<https://github.com/moby/buildkit/blob/master/docs/buildkitd.toml.md>).
//!
//! ```toml
//! [registry."docker.io"]
//! mirrors = ["mirror.corp:5000", "harbor.corp/proxy"]  # a URL's scheme is heard, which BuildKit does not do
//!
//! [registry."mirror.corp:5000"]
//! http = true                       # plain HTTP; `insecure` has nothing to verify then
//! insecure = true                   # TLS, by whatever certificate
//! ca = ["ca.pem"]                   # beside this file, where a path is not absolute
//! [[registry."mirror.corp:5000".keypair]]
//! key = "client.key"
//! cert = "client.pem"
//!
//! [registry."harbor.corp"]          # these two are ours, and BuildKit passes over them
//! realms = ["10.0.0.7:8443"]
//! allow-private-redirects = true
//! ```
//!
//! Where both `http` and `insecure` are true BuildKit tries TLS first and falls back to plain HTTP; its documentation
//! advises against that, and here `http` holds.
//!
//! Pure: a text in, a table out.

use std::collections::BTreeMap;

use super::settings::{Address, Capabilities, Entry, KeyPair, Mirror, Pem, Settings};
use crate::configuration::{Document, Said, Table, Value};

/// What the file says of each registry, by `host[:port]`.
pub(super) type Registries = BTreeMap<String, Entry>;

/// Reads the file. `pem` says where a file of certificates that it names is.
pub(super) fn parse(text: &str, file: &str, pem: &dyn Fn(&str) -> Pem) -> Result<Registries, String> {
    let document = Document::new(text, file);
    let root = document.table()?;
    let mut registries = Registries::new();
    let Some(value) = root.get("registry") else { return Ok(registries) };
    for (host, value) in document.keys(document.subtable(value)?) {
        let mut entry = Entry::new(host.by);
        let reader = Reader { document: &document, pem };
        reader.registry(document.subtable(value)?, &mut entry)?;
        registries.insert(host.value.to_ascii_lowercase(), entry);
    }
    Ok(registries)
}

struct Reader<'d, 'a> {
    document: &'d Document<'a>,
    pem: &'d dyn Fn(&str) -> Pem,
}

impl<'a> Reader<'_, 'a> {
    fn registry(&self, table: &Table<'a>, entry: &mut Entry) -> Result<(), String> {
        let document = self.document;
        for (key, value) in document.keys(table) {
            let settings = &mut entry.settings;
            match key.value {
                "mirrors" => {
                    for text in document.strings(value)? {
                        entry.mirrors.push(self.mirror(text)?);
                    }
                }
                "http" => settings.http = Some(document.boolean(value)?),
                "insecure" => settings.insecure = Some(document.boolean(value)?),
                "ca" => {
                    let names = document.strings(value)?.into_iter();
                    settings.authorities.extend(names.map(|said| Said::new((self.pem)(&said.value), said.by)));
                }
                "keypair" => {
                    for pair in document.list(value)? {
                        settings.clients.push(self.pair(pair)?);
                    }
                }
                "tlsconfigdir" => {
                    for said in document.strings(value)? {
                        // What buildx stored of a builder has no folders.
                        if let Pem::File(folder) = (self.pem)(&said.value) {
                            settings.folders.push(Said::new(folder, said.by));
                        }
                    }
                }
                _ if ours(document, key.value, value, settings)? => {}
                other => entry.ignored.push(Said::new(other.to_owned(), key.by)),
            }
        }
        Ok(())
    }

    /// BuildKit asks a mirror at `/v2/PATH`.
    fn mirror(&self, text: Said<String>) -> Result<Mirror, String> {
        let mut address = self.document.parsed(&text, |text| Address::parse(text))?;
        address.path = format!("/v2{}", address.path);
        let address = Said::new(address, text.by);
        Ok(Mirror { address, capabilities: Capabilities::MIRROR, settings: Settings::default() })
    }

    fn pair(&self, value: &Value<'a>) -> Result<Said<KeyPair>, String> {
        let table = self.document.subtable(value)?;
        let part = |name: &str| match table.get(name) {
            Some(value) => self.document.string(value).map(|said| Said::new((self.pem)(&said.value), said.by)),
            None => self.document.wrong(value, format!("a keypair has a `key` and a `cert`, and here is no `{name}`")),
        };
        let (certificate, key) = (part("cert")?, part("key")?);
        Ok(Said::new(KeyPair { certificate: certificate.value, key: Some(key.value) }, certificate.by))
    }
}

/// The keys that are an extension of ours. They mean the same wherever a host is described; `false` for any other key.
pub(super) fn ours(
    document: &Document<'_>,
    key: &str,
    value: &Value<'_>,
    settings: &mut Settings,
) -> Result<bool, String> {
    match key {
        "realms" => {
            for text in document.strings(value)? {
                let address = document.parsed(&text, |text| Address::parse(text))?;
                settings.realms.push(Said::new(address.host, text.by));
            }
        }
        "allow-private-redirects" => settings.private_redirects = Some(document.boolean(value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Registries, String> {
        parse(text, "b.toml", &|name| Pem::File(format!("/etc/{name}").into()))
    }

    /// What is said of `r.example`, in a line for each value.
    fn shown(text: &str) -> String {
        let registries = match read(text) {
            Ok(registries) => registries,
            Err(message) => return message,
        };
        let Some(entry) = registries.get("r.example") else { return "nothing".to_owned() };
        let mut lines = Vec::new();
        for Mirror { address: Said { value, by }, .. } in &entry.mirrors {
            lines.push(format!("mirror {:?} {} {} {by}", value.secure, value.host, value.path));
        }
        let Settings { http, insecure, authorities, clients, folders, realms, private_redirects, .. } = &entry.settings;
        for (name, said) in [("http", http), ("insecure", insecure), ("private", private_redirects)] {
            lines.extend(said.iter().map(|said| format!("{name} {} {}", said.value, said.by)));
        }
        lines.extend(authorities.iter().map(|said| format!("ca {:?} {}", said.value, said.by)));
        lines.extend(clients.iter().map(|said| {
            let KeyPair { certificate, key } = &said.value;
            format!("pair {certificate:?} {key:?} {}", said.by)
        }));
        lines.extend(folders.iter().map(|said| format!("folder {} {}", said.value.display(), said.by)));
        lines.extend(realms.iter().map(|said| format!("realm {} {}", said.value, said.by)));
        lines.extend(entry.ignored.iter().map(|said| format!("ignored {} {}", said.value, said.by)));
        lines.join(" | ")
    }

    #[test]
    fn values() {
        for (text, expected) in [
            ("", "nothing"),
            ("debug = true\n[worker.oci]\nenabled = true\n", "nothing"),
            ("[registry.\"other.example\"]\nhttp = true", "nothing"),
            ("[registry.\"R.Example\"]", ""),
            (
                "[registry.\"r.example\"]\nmirrors = [\"m.example:5000\",\n  \"h.example/proxy/\",\n\"http://p.example\"]",
                "mirror None m.example:5000 /v2 b.toml:2 | mirror None h.example /v2/proxy b.toml:3 | \
                 mirror Some(false) p.example /v2 b.toml:4",
            ),
            ("[registry.\"r.example\"]\nhttp = true\ninsecure = false", "http true b.toml:2 | insecure false b.toml:3"),
            ("registry.\"r.example\".http = true", "http true b.toml:1"),
            ("registry = { \"r.example\" = { http = true } }", "http true b.toml:1"),
            (
                "[registry.\"r.example\"]\nca = [\"a.pem\",\n\"b.pem\"]",
                "ca /etc/a.pem b.toml:2 | ca /etc/b.pem b.toml:3",
            ),
            (
                "[registry.\"r.example\"]\n[[registry.\"r.example\".keypair]]\nkey = \"k\"\ncert = \"c\"\n\
                 [[registry.\"r.example\".keypair]]\nkey = \"l\"\ncert = \"d\"",
                "pair /etc/c Some(/etc/k) b.toml:4 | pair /etc/d Some(/etc/l) b.toml:7",
            ),
            ("[registry.\"r.example\"]\ntlsconfigdir = [\"certs\"]", "folder /etc/certs b.toml:2"),
            (
                "[registry.\"r.example\"]\nrealms = [\"10.0.0.7:8443\", \"https://10.0.0.8\"]\nallow-private-redirects = true",
                "private true b.toml:3 | realm 10.0.0.7:8443 b.toml:2 | realm 10.0.0.8 b.toml:2",
            ),
            ("[registry.\"r.example\"]\nproxy = 1\nHTTP = 2", "ignored proxy b.toml:2 | ignored HTTP b.toml:3"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_says_where() {
        for (text, expected) in [
            ("[registry.\"r.example\"]\nhttp = yes", "b.toml:2: "),
            ("[registry.\"r.example\"\n", "b.toml:1: "),
            ("a = 1\na = 2", "b.toml:2: duplicate key"),
            ("registry = 1", "b.toml:1: this is to be a table"),
            ("[registry]\n\"r.example\" = 1", "b.toml:2: this is to be a table"),
            ("[registry.\"r.example\"]\nhttp = \"yes\"", "b.toml:2: this is to be true or false"),
            ("[registry.\"r.example\"]\n\nmirrors = \"m\"", "b.toml:3: this is to be a list"),
            ("[registry.\"r.example\"]\nmirrors = [\"m\",\n1]", "b.toml:3: this is to be a text"),
            ("[registry.\"r.example\"]\nmirrors = [\"ftp://m\"]", "b.toml:2: ftp:// is neither http:// nor https://"),
            (
                "[registry.\"r.example\"]\n[[registry.\"r.example\".keypair]]\nkey = \"k\"",
                "b.toml:2: a keypair has a `key` and a `cert`, and here is no `cert`",
            ),
        ] {
            let found = shown(text);
            assert!(found.starts_with(expected), "{text}\n{found}");
        }
    }
}

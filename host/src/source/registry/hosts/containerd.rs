//! `hosts.toml` in a folder of containerd's `certs.d` (<https://github.com/containerd/containerd/blob/main/docs/hosts.md>).
//!
//! ```toml
//! server = "https://registry-1.docker.io"   # asked last; without it the registry is where its name says
//!
//! [host."https://mirror.corp"]              # asked in the order of the file
//! capabilities = ["pull", "resolve"]
//! ca = "ca.crt"                             # or a list; beside this file, where a path is not absolute
//! client = [["client.cert", "client.key"]]  # or one file with both, or a list of such
//! skip_verify = false
//! override_path = true                      # the URL's path is the API's, and no /v2 is added
//! dial_timeout = "5s"
//! [host."https://mirror.corp".header]
//! x-team = "builders"
//! ```
//!
//! The same keys at the top are about `server`. `realms` and `allow-private-redirects` are ours, as in `buildkit`.
//!
//! Pure: a text in, a table out. Which folder is a registry's, and what a folder without this file means, is in `folder`.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};

use super::buildkit::ours;
use super::settings::{Address, Capabilities, Entry, KeyPair, Mirror, Pem, Settings, beside};
use crate::configuration::{Document, Said, Value};

/// Reads the file, which lies in `folder`.
pub(super) fn parse(text: &str, file: &str, folder: &Path) -> Result<Entry, String> {
    let document = Document::new(text, file);
    let root = document.table()?;
    let reader = Reader { document: &document, folder };
    let mut entry = Entry::new(document.whole());
    let mut server = Host::default();
    let mut address = None;
    for (key, value) in document.keys(&root) {
        match key.value {
            "server" => address = Some(document.string(value)?).filter(|said| !said.value.is_empty()),
            "host" => {
                for (url, value) in document.keys(document.subtable(value)?) {
                    let mut host = Host::default();
                    for (key, value) in document.keys(document.subtable(value)?) {
                        reader.key(key, value, &mut host)?;
                    }
                    let url = Said::new(url.value.to_owned(), url.by);
                    entry.mirrors.push(Mirror {
                        address: reader.address(&url, host.override_path)?,
                        capabilities: host.capabilities.unwrap_or(Capabilities::ALL),
                        settings: host.settings,
                    });
                    entry.ignored.append(&mut host.ignored);
                }
            }
            _ => reader.key(key, value, &mut server)?,
        }
    }
    entry.server = address.map(|url| reader.address(&url, server.override_path)).transpose()?;
    if let (Some(_), Some(capabilities)) = (&entry.server, server.capabilities) {
        // Without `server` containerd passes over them, too: the registry itself can do everything.
        entry.capabilities = capabilities;
    }
    entry.settings = server.settings;
    entry.ignored.append(&mut server.ignored);
    Ok(entry)
}

/// What is said of one host.
#[derive(Default)]
struct Host {
    capabilities: Option<Capabilities>,
    override_path: bool,
    settings: Settings,
    ignored: Vec<Said<String>>,
}

struct Reader<'d, 'a> {
    document: &'d Document<'a>,
    folder: &'d Path,
}

impl<'a> Reader<'_, 'a> {
    fn key(&self, key: Said<&str>, value: &Value<'a>, host: &mut Host) -> Result<(), String> {
        let (document, settings) = (self.document, &mut host.settings);
        match key.value {
            "capabilities" => host.capabilities = self.capabilities(value)?,
            "override_path" => host.override_path = document.boolean(value)?.value,
            "skip_verify" => settings.insecure = Some(document.boolean(value)?),
            "dial_timeout" => {
                let said = document.string(value)?;
                let timeout = document.parsed(&said, |text| duration(text))?;
                settings.timeout = Some(Said::new(timeout, said.by));
            }
            "ca" => settings.authorities = self.one_or_more(value)?,
            "client" => settings.clients = self.clients(value)?,
            "header" => {
                for (name, value) in document.keys(document.subtable(value)?) {
                    self.header(name, value, settings)?;
                }
            }
            _ if ours(document, key.value, value, settings)? => {}
            other => host.ignored.push(Said::new(other.to_owned(), key.by)),
        }
        Ok(())
    }

    /// containerd adds `/v2` where the path does not end in it.
    fn address(&self, url: &Said<String>, override_path: bool) -> Result<Said<Address>, String> {
        let mut address = self.document.parsed(url, |url| Address::parse(url))?;
        address.secure = Some(address.secure.unwrap_or(true));
        if !override_path && !address.path.ends_with("/v2") {
            address.path.push_str("/v2");
        }
        Ok(Said::new(address, url.by.clone()))
    }

    /// An empty list is none, as containerd has it: then everything is allowed.
    fn capabilities(&self, value: &Value<'a>) -> Result<Option<Capabilities>, String> {
        let mut found = Capabilities { pull: false, resolve: false, push: false };
        let said = self.document.strings(value)?;
        for capability in &said {
            match capability.value.to_ascii_lowercase().as_str() {
                "pull" => found.pull = true,
                "resolve" => found.resolve = true,
                "push" => found.push = true,
                other => {
                    let by = &capability.by;
                    return Err(format!("{by}: {other:?} is no capability; there are pull, resolve and push"));
                }
            }
        }
        Ok((!said.is_empty()).then_some(found))
    }

    fn pem(&self, name: &str) -> Pem {
        Pem::File(beside(self.folder, name))
    }

    fn one_or_more(&self, value: &Value<'a>) -> Result<Vec<Said<Pem>>, String> {
        let names = match self.document.string(value) {
            Ok(one) => vec![one],
            Err(_) => self.document.strings(value)?,
        };
        Ok(names.into_iter().map(|said| Said::new(self.pem(&said.value), said.by)).collect())
    }

    /// A file with both; a list of such; a list of pairs.
    fn clients(&self, value: &Value<'a>) -> Result<Vec<Said<KeyPair>>, String> {
        let alone = |said: Said<String>| Said::new(KeyPair { certificate: self.pem(&said.value), key: None }, said.by);
        if let Ok(one) = self.document.string(value) {
            return Ok(vec![alone(one)]);
        }
        let mut clients = Vec::new();
        for value in self.document.list(value)? {
            if let Ok(one) = self.document.string(value) {
                clients.push(alone(one));
                continue;
            }
            let pair = self.document.strings(value)?;
            let [certificate, key] = pair.as_slice() else {
                return self.document.wrong(value, "a pair is a certificate and its key");
            };
            let (by, key) = (certificate.by.clone(), Some(self.pem(&key.value)).filter(|_| !key.value.is_empty()));
            clients.push(Said::new(KeyPair { certificate: self.pem(&certificate.value), key }, by));
        }
        Ok(clients)
    }

    fn header(&self, name: Said<&str>, value: &Value<'a>, settings: &mut Settings) -> Result<(), String> {
        let values = match self.document.string(value) {
            Ok(one) => vec![one],
            Err(_) => self.document.strings(value)?,
        };
        let name = HeaderName::try_from(name.value)
            .map_err(|_| format!("{}: {:?} is no name of a header", name.by, name.value))?;
        for said in values {
            // What it holds may be a secret, and is not told.
            let mut value =
                HeaderValue::try_from(said.value).map_err(|_| format!("{}: no header can have this value", said.by))?;
            value.set_sensitive(true);
            settings.headers.push(Said::new((name.clone(), value), said.by));
        }
        Ok(())
    }
}

/// As Go writes a duration: `5s`, `1m30s`, `250ms`, `1.5h`.
fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, f64); 5] = [("ms", 1e-3), ("us", 1e-6), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
    let wrong = || format!("{text:?} is no duration, such as 5s or 1m30s");
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|char: char| !char.is_ascii_digit() && char != '.').ok_or_else(wrong)?;
        let (number, unit) = rest.split_at(end);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let (after, scale) =
            UNITS.iter().find_map(|(name, scale)| Some((unit.strip_prefix(name)?, scale))).ok_or_else(wrong)?;
        seconds += number * scale;
        rest = after;
    }
    let found = Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?;
    if found.is_zero() { Err(wrong()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities(found: Capabilities) -> String {
        let all = [(found.pull, "pull"), (found.resolve, "resolve"), (found.push, "push")];
        all.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect::<Vec<_>>().join("+")
    }

    fn settings(found: &Settings) -> Vec<String> {
        let mut lines = Vec::new();
        lines.extend(found.insecure.iter().map(|said| format!("insecure {} {}", said.value, said.by)));
        lines.extend(found.authorities.iter().map(|said| format!("ca {:?} {}", said.value, said.by)));
        lines.extend(found.clients.iter().map(|said| {
            let KeyPair { certificate, key } = &said.value;
            format!("pair {certificate:?} {key:?} {}", said.by)
        }));
        lines.extend(found.headers.iter().map(|said| {
            let (name, value) = &said.value;
            format!("{name}: {} {}", value.to_str().unwrap(), said.by)
        }));
        lines.extend(found.timeout.iter().map(|said| format!("timeout {:?} {}", said.value, said.by)));
        lines.extend(found.realms.iter().map(|said| format!("realm {} {}", said.value, said.by)));
        lines
    }

    fn shown(text: &str) -> String {
        let entry = match parse(text, "h.toml", Path::new("/d")) {
            Ok(entry) => entry,
            Err(message) => return message,
        };
        let address = |said: &Said<Address>| {
            let Address { secure, host, path } = &said.value;
            format!("{}://{host}{path} {}", if *secure == Some(true) { "https" } else { "http" }, said.by)
        };
        let mut lines = Vec::new();
        for mirror in &entry.mirrors {
            lines.push(format!("host {} {}", address(&mirror.address), capabilities(mirror.capabilities)));
            lines.extend(settings(&mirror.settings));
        }
        let server = entry.server.as_ref().map(address);
        lines.extend(server.map(|server| format!("server {server} {}", capabilities(entry.capabilities))));
        lines.extend(settings(&entry.settings));
        lines.extend(entry.ignored.iter().map(|said| format!("ignored {} {}", said.value, said.by)));
        lines.join(" | ")
    }

    #[test]
    fn values() {
        for (text, expected) in [
            ("", ""),
            ("server = \"\"", ""),
            ("server = \"r.example\"", "server https://r.example/v2 h.toml:1 pull+resolve+push"),
            (
                "server = \"http://R.example:80\"\ncapabilities = [\"Pull\"]",
                "server http://r.example:80/v2 h.toml:1 pull",
            ),
            ("capabilities = [\"pull\"]\nskip_verify = true", "insecure true h.toml:2"),
            (
                "[host.\"https://z.example\"]\n[host.\"http://a.example:5000/v2\"]\ncapabilities = [\"pull\"]\n\
                 [host.\"https://m.example/x\"]\ncapabilities = []",
                "host https://z.example/v2 h.toml:1 pull+resolve+push | host http://a.example:5000/v2 h.toml:2 pull | \
                 host https://m.example/x/v2 h.toml:4 pull+resolve+push",
            ),
            (
                "[host.\"https://m.example/v2/proxy\"]\noverride_path = true\n[host.\"https://n.example\"]\noverride_path = true",
                "host https://m.example/v2/proxy h.toml:1 pull+resolve+push | host https://n.example h.toml:3 pull+resolve+push",
            ),
            ("ca = \"a.crt\"", "ca /d/a.crt h.toml:1"),
            ("ca = [\"a.crt\",\n\"/etc/b.crt\"]", "ca /d/a.crt h.toml:1 | ca /etc/b.crt h.toml:2"),
            ("client = \"c.pem\"", "pair /d/c.pem None h.toml:1"),
            ("client = [\"c.pem\", \"/e.pem\"]", "pair /d/c.pem None h.toml:1 | pair /e.pem None h.toml:1"),
            (
                "client = [[\"c.cert\", \"c.key\"],\n[\"d.cert\", \"\"]]",
                "pair /d/c.cert Some(/d/c.key) h.toml:1 | pair /d/d.cert None h.toml:2",
            ),
            (
                "[host.\"https://m.example\".header]\nX-Team = \"a\"\nx-more = [\"b\", \"c\"]",
                "host https://m.example/v2 h.toml:1 pull+resolve+push | x-team: a h.toml:2 | x-more: b h.toml:3 | x-more: c h.toml:3",
            ),
            ("dial_timeout = \"1m30s\"\nrealms = [\"10.0.0.1\"]", "timeout 90s h.toml:1 | realm 10.0.0.1 h.toml:2"),
            (
                "color = 1\n[host.\"https://m.example\"]\nsize = 2\n[plugin]",
                "host https://m.example/v2 h.toml:2 pull+resolve+push | ignored size h.toml:3 | ignored color h.toml:1 | ignored plugin h.toml:4",
            ),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_says_where() {
        for (text, expected) in [
            ("\nserver = 1", "h.toml:2: this is to be a text"),
            ("server = \"ftp://r.example\"", "h.toml:1: ftp:// is neither http:// nor https://"),
            (
                "[host.\"https://u:p@m.example\"]",
                "h.toml:1: a user and a password are for docker's config.json, not for an address",
            ),
            ("host = [1]", "h.toml:1: this is to be a table"),
            (
                "capabilities = [\"pull\",\n\"fetch\"]",
                "h.toml:2: \"fetch\" is no capability; there are pull, resolve and push",
            ),
            ("ca = 1", "h.toml:1: this is to be a list"),
            ("client = [[\"a\"]]", "h.toml:1: a pair is a certificate and its key"),
            ("client = [1]", "h.toml:1: this is to be a list"),
            ("skip_verify = \"yes\"", "h.toml:1: this is to be true or false"),
            ("dial_timeout = \"soon\"", "h.toml:1: \"soon\" is no duration, such as 5s or 1m30s"),
            ("[header]\n\"a b\" = \"x\"", "h.toml:2: \"a b\" is no name of a header"),
            ("[header]\na = \"x\\ny\"", "h.toml:2: no header can have this value"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("5s", Some(5_000)),
            ("250ms", Some(250)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            ("0s", None),
            ("", None),
            ("5", None),
            ("-5s", None),
            ("5d", None),
            ("1e9h", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(duration(text).ok().map(|found| found.as_millis()), expected, "{text}");
        }
    }
}

//! From what was said of a registry to the hosts that are asked, in order: mirrors, then the registry itself.
//!
//! Pure.

use url::{Host, Url};

use super::settings::{Address, Capabilities, Entry, Pem, Settings};
use crate::configuration::{Said, Source};
use crate::source::registry::endpoint::is_local;

/// What options say. They are about the registries that a command names, not about their mirrors; but a certificate
/// authority that somebody trusts is trusted everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub plain_http: bool,
    pub insecure: bool,
    pub authorities: Vec<Pem>,
}

const PLAIN_HTTP: Source = Source::Option("--plain-http");
const INSECURE: Source = Source::Option("--insecure");
const CA: Source = Source::Option("--ca");

/// A host to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Planned {
    /// Scheme, host and port.
    pub base: Url,
    /// The API's own path: `/v2`, `/registry/v2`, or nothing.
    pub api: String,
    /// What comes before a repository's name: `proxy`, or nothing.
    pub prefix: String,
    /// `host[:port]`, as credentials are stored under it.
    pub domain: String,
    /// Who named this host.
    pub by: Source,
    /// Who said that it speaks TLS, or does not.
    pub secure: Said<bool>,
    pub capabilities: Capabilities,
    /// What is sent as `ns`: the registry that is meant, where the host is another.
    pub namespace: Option<String>,
    pub settings: Settings,
}

/// The hosts of the registry `domain`. `entry` is what the first place says that says anything of it, `own` what is said of
/// a mirror as a registry of its own.
pub(super) fn plan(
    domain: &str,
    entry: Option<Entry>,
    own: impl Fn(&str) -> Result<Option<Settings>, String>,
    flags: &Flags,
) -> Result<Vec<Planned>, String> {
    let nobody = || Entry::new(Source::Default("its name"));
    let Entry { by, mirrors, server, capabilities, mut settings, .. } = entry.unwrap_or_else(nobody);
    let mut hosts = Vec::new();
    for mirror in mirrors {
        let Said { value: address, by } = mirror.address;
        // hosts.toml says all of a mirror in one place, buildkitd.toml in a table of its own.
        let said = match mirror.settings == Settings::default() {
            true => own(&address.host)?.unwrap_or_default(),
            false => mirror.settings,
        };
        hosts.push(planned(domain, address, by, said, mirror.capabilities)?);
    }
    if flags.plain_http {
        settings.http = Some(Said::new(true, PLAIN_HTTP));
    }
    if flags.insecure {
        settings.insecure = Some(Said::new(true, INSECURE));
    }
    trust(&mut settings, flags);
    let (address, by) = match server {
        Some(Said { value, by }) => (value, by),
        None => (Address { secure: None, host: host_of(domain).to_owned(), path: "/v2".to_owned() }, by),
    };
    let itself = planned(domain, address, by, settings, capabilities)?;
    for host in &mut hosts {
        trust(&mut host.settings, flags);
    }
    hosts.push(itself);
    Ok(hosts)
}

fn trust(settings: &mut Settings, flags: &Flags) {
    settings.authorities.extend(flags.authorities.iter().map(|pem| Said::new(pem.clone(), CA)));
}

/// Docker Hub's registry has another name than its images.
fn host_of(domain: &str) -> &str {
    if domain == "docker.io" { "registry-1.docker.io" } else { domain }
}

fn planned(
    domain: &str,
    address: Address,
    by: Source,
    settings: Settings,
    capabilities: Capabilities,
) -> Result<Planned, String> {
    let host = address.host.as_str();
    let url =
        |scheme: &str| Url::parse(&format!("{scheme}://{host}")).map_err(|error| format!("{host} is no host: {error}"));
    let https = url("https")?;
    let secure = secure(&address, &by, &settings, is_local(&https));
    // Parsed anew: `https://localhost:443` has lost its port, and http would then mean 80.
    let base = if secure.value { https } else { url("http")? };
    if matches!(base.host(), Some(Host::Domain("")) | None) {
        return Err(format!("{host} is no host"));
    }
    let (api, prefix) = match address.path.strip_prefix("/v2/") {
        Some(prefix) => ("/v2", prefix),
        None => (address.path.as_str(), ""),
    };
    Ok(Planned {
        base,
        api: api.to_owned(),
        prefix: prefix.to_owned(),
        domain: if domain == "docker.io" && host == host_of(domain) { domain.to_owned() } else { host.to_owned() },
        namespace: (!host.eq_ignore_ascii_case(host_of(domain))).then(|| domain.to_owned()),
        by,
        secure,
        capabilities,
        settings,
    })
}

/// The nearest word counts: what is said of this host, how its address is written, what makes sense for this machine.
fn secure(address: &Address, by: &Source, settings: &Settings, local: bool) -> Said<bool> {
    if let Some(http) = &settings.http {
        return Said::new(!http.value, http.by.clone());
    }
    if let Some(secure) = address.secure {
        return Said::new(secure, by.clone());
    }
    if !local {
        return Said::new(true, Source::Default("https, as nothing else is said"));
    }
    // Who says how to verify it, or not to, has TLS in mind.
    let tls = settings.authorities.first().map(|said| &said.by).or(settings.clients.first().map(|said| &said.by));
    let tls = tls.or(settings.insecure.as_ref().filter(|said| said.value).map(|said| &said.by));
    match tls {
        Some(by) => Said::new(true, by.clone()),
        None => Said::new(false, Source::Default("plain HTTP on loopback, as nothing else is said")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::registry::hosts::settings::{Mirror, Need};

    fn at(line: usize) -> Source {
        Source::File { file: "f".into(), line: Some(line) }
    }

    fn said<T>(value: T, line: usize) -> Option<Said<T>> {
        Some(Said::new(value, at(line)))
    }

    fn mirror(url: &str, capabilities: Capabilities) -> Mirror {
        let mut address = Address::parse(url).unwrap();
        address.path = if address.path.is_empty() { "/v2".to_owned() } else { address.path };
        Mirror { address: Said::new(address, at(1)), capabilities, settings: Settings::default() }
    }

    fn ca(line: usize) -> Vec<Said<Pem>> {
        vec![Said::new(Pem::File("ca.pem".into()), at(line))]
    }

    /// `pull+resolve+push URL[?ns=] as DOMAIN by WHO because WHO` of each host.
    fn shown(domain: &str, entry: Entry, own: Settings, flags: &Flags) -> String {
        let own = |_: &str| Ok(Some(own.clone()));
        let hosts = match plan(domain, Some(entry), own, flags) {
            Ok(hosts) => hosts,
            Err(message) => return message,
        };
        let lines = hosts.iter().map(|host| {
            let can: Vec<&str> =
                Need::ALL.into_iter().filter(|need| host.capabilities.allows(*need)).map(Need::as_str).collect();
            let ns = host.namespace.as_ref().map(|ns| format!("?ns={ns}")).unwrap_or_default();
            let slash = if host.prefix.is_empty() { "" } else { "/" };
            let url = format!("{}{}{slash}{}{ns}", host.base.as_str().trim_end_matches('/'), host.api, host.prefix);
            format!("{} {url} as {} by {} because {}", can.join("+"), host.domain, host.by, host.secure.by)
        });
        lines.collect::<Vec<_>>().join(" | ")
    }

    #[test]
    fn where_a_registry_is() {
        const HTTPS: &str = "because https, as nothing else is said";
        const PLAIN: &str = "because plain HTTP on loopback, as nothing else is said";
        let none = || Entry::new(Source::Default("its name"));
        let with = |settings| Entry { settings, ..none() };
        let http = |value| with(Settings { http: said(value, 3), ..Settings::default() });
        let insecure = |value| with(Settings { insecure: said(value, 4), ..Settings::default() });
        let trusting = with(Settings { authorities: ca(5), ..Settings::default() });
        let plain = Flags { plain_http: true, ..Flags::default() };
        let lax = Flags { insecure: true, ..Flags::default() };
        let named = Flags { authorities: vec![Pem::File("x.pem".into())], ..Flags::default() };
        let off = Flags::default();
        for (domain, entry, flags, url) in [
            ("r.example", none(), &off, format!("https://r.example/v2 as r.example by its name {HTTPS}")),
            ("docker.io", none(), &off, format!("https://registry-1.docker.io/v2 as docker.io by its name {HTTPS}")),
            ("localhost:5000", none(), &off, format!("http://localhost:5000/v2 as localhost:5000 by its name {PLAIN}")),
            ("localhost:443", none(), &off, format!("http://localhost:443/v2 as localhost:443 by its name {PLAIN}")),
            ("127.8.9.1", none(), &off, format!("http://127.8.9.1/v2 as 127.8.9.1 by its name {PLAIN}")),
            ("[::1]:1", none(), &off, format!("http://[::1]:1/v2 as [::1]:1 by its name {PLAIN}")),
            ("10.0.0.1", none(), &off, format!("https://10.0.0.1/v2 as 10.0.0.1 by its name {HTTPS}")),
            ("localhost:1", http(false), &off, "https://localhost:1/v2 as localhost:1 by its name because f:3".into()),
            ("r.example", http(true), &off, "http://r.example/v2 as r.example by its name because f:3".into()),
            (
                "localhost:1",
                trusting.clone(),
                &off,
                "https://localhost:1/v2 as localhost:1 by its name because f:5".into(),
            ),
            (
                "localhost:1",
                insecure(true),
                &off,
                "https://localhost:1/v2 as localhost:1 by its name because f:4".into(),
            ),
            ("localhost:1", insecure(false), &off, format!("http://localhost:1/v2 as localhost:1 by its name {PLAIN}")),
            (
                "r.example",
                http(false),
                &plain,
                "http://r.example/v2 as r.example by its name because --plain-http".into(),
            ),
            (
                "localhost:1",
                none(),
                &lax,
                "https://localhost:1/v2 as localhost:1 by its name because --insecure".into(),
            ),
            ("localhost:1", none(), &named, "https://localhost:1/v2 as localhost:1 by its name because --ca".into()),
            ("localhost:1", http(true), &named, "http://localhost:1/v2 as localhost:1 by its name because f:3".into()),
        ] {
            let found = shown(domain, entry, Settings::default(), flags);
            assert_eq!(found, format!("pull+resolve+push {url}"), "{domain}");
        }
    }

    #[test]
    fn mirrors_come_first_and_are_told_who_is_meant() {
        const HTTPS: &str = "because https, as nothing else is said";
        let entry = |mirrors| Entry { mirrors, ..Entry::new(at(9)) };
        let pull = Capabilities { resolve: false, ..Capabilities::MIRROR };
        let itself = format!("pull+resolve+push https://r.example/v2 as r.example by f:9 {HTTPS}");
        for (mirrors, own, expected) in [
            (
                vec![mirror("a.example", Capabilities::MIRROR), mirror("b.example:5000/v2/proxy", pull)],
                Settings::default(),
                format!(
                    "pull+resolve https://a.example/v2?ns=r.example as a.example by f:1 {HTTPS} | \
                     pull https://b.example:5000/v2/proxy?ns=r.example as b.example:5000 by f:1 {HTTPS} | {itself}"
                ),
            ),
            (
                vec![mirror("http://a.example/x/v2", Capabilities::ALL)],
                Settings::default(),
                format!(
                    "pull+resolve+push http://a.example/x/v2?ns=r.example as a.example by f:1 because f:1 | {itself}"
                ),
            ),
            (
                vec![mirror("localhost:1", Capabilities::MIRROR)],
                Settings { http: said(false, 7), ..Settings::default() },
                format!(
                    "pull+resolve https://localhost:1/v2?ns=r.example as localhost:1 by f:1 because f:7 | {itself}"
                ),
            ),
            (
                vec![mirror("https://r.example", Capabilities::MIRROR)],
                Settings::default(),
                format!("pull+resolve https://r.example/v2 as r.example by f:1 because f:1 | {itself}"),
            ),
        ] {
            assert_eq!(shown("r.example", entry(mirrors), own, &Flags::default()), expected);
        }
    }

    #[test]
    fn options_are_about_the_registry_and_not_about_its_mirrors() {
        let entry = Entry { mirrors: vec![mirror("localhost:1", Capabilities::MIRROR)], ..Entry::new(at(9)) };
        let flags = Flags { plain_http: true, insecure: true, authorities: vec![Pem::File("x.pem".into())] };
        let hosts = plan("r.example", Some(entry), |_| Ok(None), &flags).unwrap();
        let shown: Vec<_> = hosts
            .iter()
            .map(|host| (host.base.as_str(), host.settings.insecure.is_some(), host.settings.authorities.len()))
            .collect();
        assert_eq!(shown, [("http://localhost:1/", false, 1), ("http://r.example/", true, 1)]);
    }

    #[test]
    fn a_server_may_be_elsewhere() {
        let server = |url: &str| Some(Said::new(Address { path: "/v2".into(), ..Address::parse(url).unwrap() }, at(2)));
        for (domain, url, expected) in [
            ("r.example", "https://s.example", "https://s.example/v2?ns=r.example as s.example by f:2 because f:2"),
            (
                "docker.io",
                "https://registry-1.docker.io",
                "https://registry-1.docker.io/v2 as docker.io by f:2 because f:2",
            ),
            ("localhost:1", "https://localhost:1", "https://localhost:1/v2 as localhost:1 by f:2 because f:2"),
        ] {
            let entry = Entry { server: server(url), ..Entry::new(at(9)) };
            let found = shown(domain, entry, Settings::default(), &Flags::default());
            assert_eq!(found, format!("pull+resolve+push {expected}"));
        }
        let found = shown("exa mple", Entry::new(at(9)), Settings::default(), &Flags::default());
        assert!(found.starts_with("exa mple is no host: "), "{found}");
    }
}

//! `config.json` and `auth.json`: which entry is for which repository.
//!
//! Pure. The format is docker's (<https://docs.docker.com/reference/cli/docker/login/>), with the `host/namespace` keys of
//! containers-auth.json(5).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{Credential, Secret};

/// What docker calls Docker Hub, and with it what helpers know it by.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// One file, as far as credentials go.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Config {
    auths: BTreeMap<String, Entry>,
    creds_store: String,
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// What a file says of a repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Ask the helper `name` for `server`.
    Helper {
        name: String,
        server: String,
    },
    Stored(Credential),
    Nothing,
}

impl Config {
    pub(super) fn parse(bytes: &[u8]) -> Result<Config, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// In docker's order: the host's own helper, the store of everything, then what the file itself holds.
    pub(super) fn find(&self, domain: &str, repository: &str) -> Result<Found, String> {
        if let Some((name, server)) = self.helper(domain, repository) {
            return Ok(Found::Helper { name: name.to_owned(), server: server.to_owned() });
        }
        Ok(self.stored(domain, repository)?.map_or(Found::Nothing, Found::Stored))
    }

    /// What the file itself holds, under the longest key that is a leading part of the repository.
    pub(super) fn stored(&self, domain: &str, repository: &str) -> Result<Option<Credential>, String> {
        Ok(self.entry(domain, repository)?.map(|(_, credential)| credential))
    }

    /// The key under which there is something, and the helper that has it; that one is not asked.
    pub(super) fn place(&self, domain: &str, repository: &str) -> Result<Option<(String, Option<String>)>, String> {
        if let Some((name, server)) = self.helper(domain, repository) {
            return Ok(Some((server.to_owned(), Some(name.to_owned()))));
        }
        Ok(self.entry(domain, repository)?.map(|(key, _)| (key.to_owned(), None)))
    }

    /// The helper for a repository, and what it is asked for.
    fn helper<'a>(&'a self, domain: &'a str, repository: &str) -> Option<(&'a str, &'a str)> {
        let own = leading(domain, repository)
            .find_map(|wanted| self.cred_helpers.iter().find(|(key, _)| host_of(key) == wanted));
        let host = if domain == "docker.io" { DOCKER_HUB } else { domain };
        let (name, server) = match own {
            // A helper for a namespace is asked for that.
            Some((key, name)) if host_of(key) != domain => (name, key.as_str()),
            Some((_, name)) => (name, host),
            None => (&self.creds_store, host),
        };
        (!name.is_empty()).then_some((name, server))
    }

    fn entry(&self, domain: &str, repository: &str) -> Result<Option<(&str, Credential)>, String> {
        for wanted in leading(domain, repository) {
            for (key, entry) in self.auths.iter().filter(|(key, _)| host_of(key) == wanted) {
                if let Some(credential) = entry.credential().map_err(|error| format!("the entry {key:?}: {error}"))? {
                    return Ok(Some((key, credential)));
                }
            }
        }
        Ok(None)
    }
}

/// `r.example/team/app`, `r.example/team`, `r.example`: what a key may be to fit, the longest first.
fn leading<'a>(domain: &str, repository: &'a str) -> impl Iterator<Item = &'a str> {
    let shortest = domain.len();
    std::iter::successors(Some(repository), move |wanted| {
        wanted.rsplit_once('/').map(|(parent, _)| parent).filter(|_| wanted.len() > shortest)
    })
}

/// `https://index.docker.io/v1/` is `docker.io`, `https://r.example/v2/` is `r.example`, `r.example/team` is itself.
fn host_of(key: &str) -> &str {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    let host = match bare {
        // With a scheme it is a URL, whose path says nothing.
        Some(url) => url.split('/').next().unwrap_or_default(),
        None => {
            let key = key.trim_end_matches('/');
            key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key)
        }
    };
    match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        other => other,
    }
}

impl Entry {
    fn credential(&self) -> Result<Option<Credential>, String> {
        let (user, password) = match self.auth.as_str() {
            "" => (self.username.clone(), self.password.clone()),
            auth => decode(auth)?,
        };
        Ok(if !self.registrytoken.is_empty() {
            Some(Credential::Bearer(Secret::new(&self.registrytoken)))
        } else if !self.identitytoken.is_empty() {
            Some(Credential::Identity { user, token: Secret::new(&self.identitytoken) })
        } else if !user.is_empty() || !password.is_empty() {
            Some(Credential::Password { user, password: Secret::new(password) })
        } else {
            None
        })
    }
}

/// `user:password` in base64; a password may hold colons. Docker once padded with NULs.
fn decode(auth: &str) -> Result<(String, String), String> {
    let bytes = STANDARD.decode(auth.trim()).map_err(|_| "its `auth` is not base64")?;
    let text = String::from_utf8(bytes).map_err(|_| "its `auth` is not UTF-8")?;
    let (user, password) = text.split_once(':').ok_or("its `auth` is not user:password")?;
    Ok((user.to_owned(), password.trim_end_matches('\0').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(config: &str, repository: &str) -> String {
        let config = Config::parse(config.as_bytes()).unwrap();
        let domain = repository.split('/').next().unwrap();
        match config.find(domain, repository) {
            Ok(Found::Helper { name, server }) => format!("helper {name} {server}"),
            Ok(Found::Stored(Credential::Password { user, password })) => format!("{user}:{}", password.reveal()),
            Ok(Found::Stored(Credential::Identity { user, token })) => format!("identity {user} {}", token.reveal()),
            Ok(Found::Stored(Credential::Bearer(token))) => format!("bearer {}", token.reveal()),
            Ok(Found::Nothing) => "nothing".to_owned(),
            Err(message) => message,
        }
    }

    #[test]
    fn entries() {
        for (entry, expected) in [
            (r#"{"auth":"YWRhOmh1bnRlcjI="}"#, "ada:hunter2"),
            (r#"{"auth":"YWRhOmE6Yjpj"}"#, "ada:a:b:c"),
            (r#"{"auth":"YWRhOnB3AAAA"}"#, "ada:pw"),
            (r#"{"username":"ada","password":"pw"}"#, "ada:pw"),
            (r#"{"auth":"YWRhOg==","identitytoken":"t"}"#, "identity ada t"),
            (r#"{"identitytoken":"t"}"#, "identity  t"),
            (r#"{"registrytoken":"t","auth":"YWRhOnB3"}"#, "bearer t"),
            ("{}", "nothing"),
            (r#"{"auth":"%%%"}"#, "the entry \"r.example\": its `auth` is not base64"),
            (r#"{"auth":"YWRh"}"#, "the entry \"r.example\": its `auth` is not user:password"),
            (r#"{"auth":"/zov"}"#, "the entry \"r.example\": its `auth` is not UTF-8"),
        ] {
            let config = format!(r#"{{"auths":{{"r.example":{entry}}}}}"#);
            assert_eq!(shown(&config, "r.example/a"), expected, "{entry}");
        }
    }

    #[test]
    fn keys() {
        const ENTRY: &str = r#"{"username":"u","password":"p"}"#;
        for (key, repository, found) in [
            ("r.example", "r.example/a/b", true),
            ("r.example/", "r.example/a", true),
            ("https://r.example", "r.example/a", true),
            ("https://r.example/v1/", "r.example/a", true),
            ("http://r.example/v2/", "r.example/a", true),
            ("r.example/v2/", "r.example/a", true),
            ("r.example/a", "r.example/a", true),
            ("r.example/a", "r.example/a/b", true),
            ("r.example/a", "r.example/ab", false),
            ("r.example/a", "r.example/b", false),
            ("r.example:5000", "r.example:5000/a", true),
            ("r.example:5000", "r.example/a", false),
            ("example", "r.example/a", false),
            ("https://index.docker.io/v1/", "docker.io/library/a", true),
            ("index.docker.io/v1/", "docker.io/library/a", true),
            ("docker.io", "docker.io/library/a", true),
            ("docker.io/acme", "docker.io/library/a", false),
            ("", "r.example/a", false),
        ] {
            let config = format!(r#"{{"auths":{{"{key}":{ENTRY}}}}}"#);
            assert_eq!(shown(&config, repository) == "u:p", found, "{key} for {repository}");
        }
    }

    #[test]
    fn the_longest_key_and_dockers_order() {
        let longest = r#"{"auths":{
            "r.example":{"username":"host","password":"p"},
            "r.example/team":{"username":"team","password":"p"},
            "r.example/team/app":{}}}"#;
        assert_eq!(shown(longest, "r.example/team/app"), "team:p", "an empty entry says nothing");
        assert_eq!(shown(longest, "r.example/other"), "host:p");

        let helpers = r#"{"credHelpers":{"r.example":"own"},"credsStore":"all",
            "auths":{"r.example":{"username":"u","password":"p"}}}"#;
        assert_eq!(shown(helpers, "r.example/a"), "helper own r.example");
        assert_eq!(shown(helpers, "docker.io/library/a"), "helper all https://index.docker.io/v1/");
        assert_eq!(shown(r#"{"credHelpers":{"r.example":""},"credsStore":"all"}"#, "r.example/a"), "nothing");

        let namespaces = r#"{"credHelpers":{"r.example":"host","r.example/team":"team","r.example/team/none":""}}"#;
        assert_eq!(shown(namespaces, "r.example/team/app"), "helper team r.example/team");
        assert_eq!(shown(namespaces, "r.example/teams"), "helper host r.example");
        assert_eq!(shown(namespaces, "r.example/team/none"), "nothing");
    }

    #[test]
    fn foreign_fields_are_left_alone_and_wrong_types_are_errors() {
        assert_eq!(shown(r#"{"HttpHeaders":{"x":1},"auths":{}}"#, "r.example/a"), "nothing");
        for broken in ["", "7", r#"{"auths":[]}"#, r#"{"auths":{"a":{"auth":1}}}"#, "{"] {
            assert!(Config::parse(broken.as_bytes()).is_err(), "{broken}");
        }
    }
}

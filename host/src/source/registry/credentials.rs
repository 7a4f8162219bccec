//! Whose name a registry is asked in: the credentials that `docker login`, `podman login` and their kin have stored.
//!
//! Files are read when a registry first asks who we are, and never before. What they hold is for the repository it is
//! stored under, the longest key first; where it may be sent is for `admission` to say.

mod config;
mod helper;

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use self::config::{Config, Found};

/// Text that nobody may see: it has no `Display`, and its `Debug` tells nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The secret itself, for the one header or form that it goes into.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// Several of them, for who has to keep them out of a message.
    pub(super) fn reveal_all(secrets: &[Secret]) -> Vec<&str> {
        secrets.iter().map(Secret::reveal).collect()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What somebody has to show.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Credential {
    /// For Basic, and for asking a token server with Basic.
    Password { user: String, password: Secret },
    /// An identity (refresh) token, for asking a token server by OAuth2.
    Identity { user: String, token: Secret },
    /// A registry token, sent as it is.
    Bearer(Secret),
}

impl Credential {
    /// The texts that must not turn up in an error.
    pub(super) fn secret(&self) -> &Secret {
        match self {
            Credential::Password { password: secret, .. } | Credential::Identity { token: secret, .. } => secret,
            Credential::Bearer(secret) => secret,
        }
    }
}

/// Where credentials are looked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    /// podman's and skopeo's file: `$REGISTRY_AUTH_FILE`. Asked first, for who sets it means it.
    pub auth_file: Option<PathBuf>,
    /// Docker's folder: `$DOCKER_CONFIG`, else `~/.docker`.
    pub docker_config: Option<PathBuf>,
    /// Where podman and its kin log in: `$XDG_RUNTIME_DIR/containers/auth.json`, `~/.config/containers/auth.json`.
    pub podman: Vec<PathBuf>,
    /// A file that somebody named for this one time: then no other is read, and it is an error if it is not there.
    pub only: Option<PathBuf>,
    /// A folder of credential helpers besides `$PATH`.
    pub helpers: Option<PathBuf>,
}

impl Places {
    /// The usual ones.
    pub(super) fn from_env() -> Places {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = |name: &str| std::env::home_dir().map(|home| home.join(name));
        let podman = [path("XDG_RUNTIME_DIR"), path("XDG_CONFIG_HOME").or_else(|| home(".config"))];
        Places {
            auth_file: path("REGISTRY_AUTH_FILE"),
            docker_config: path("DOCKER_CONFIG").or_else(|| home(".docker")),
            podman: podman.into_iter().flatten().map(|folder| folder.join("containers/auth.json")).collect(),
            only: None,
            helpers: None,
        }
    }
}

/// Where credentials are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub file: String,
    /// The entry in the file; with a helper, what that is asked for.
    pub key: String,
    /// The program that would be asked, `docker-credential-NAME`.
    pub helper: Option<String>,
}

/// A file of credentials is a few kilobytes; this is a file of something else.
const FILE: u64 = 1 << 20;

type Known = Option<Arc<Credential>>;

/// The credentials of this process's user.
#[derive(Debug)]
pub(super) struct Keyring {
    places: Places,
    patience: Duration,
    files: tokio::sync::OnceCell<Vec<(PathBuf, Config)>>,
    /// What helpers said, by what was asked: they cost a process each, and a keychain may ask its user.
    known: Mutex<HashMap<String, Known>>,
}

impl Keyring {
    pub(super) fn new(places: Places, patience: Duration) -> Keyring {
        Keyring { places, patience, files: tokio::sync::OnceCell::new(), known: Mutex::default() }
    }

    /// The credentials for `repository` (`domain/path`). A file or a helper that fails is an error, not an absence: else
    /// a broken file would look like a private image that does not exist.
    pub(super) async fn find(&self, domain: &str, repository: &str) -> Result<Known, String> {
        let mut known = self.known.lock().await;
        if let Some(found) = known.get(repository) {
            return Ok(found.clone());
        }
        let found = self.search(domain, repository).await?.map(Arc::new);
        known.insert(repository.to_owned(), found.clone());
        Ok(found)
    }

    /// Where the credentials for `repository` would come from, and under which key; nobody is asked for them.
    pub(super) async fn place(&self, domain: &str, repository: &str) -> Result<Option<Place>, String> {
        let files = self.files.get_or_try_init(|| async { self.read_files() }).await?;
        for (path, config) in files {
            let inside = |error: String| format!("{}: {error}", path.display());
            if let Some((key, helper)) = config.place(domain, repository).map_err(inside)? {
                return Ok(Some(Place { file: path.display().to_string(), key, helper }));
            }
        }
        Ok(None)
    }

    async fn search(&self, domain: &str, repository: &str) -> Result<Option<Credential>, String> {
        let files = self.files.get_or_try_init(|| async { self.read_files() }).await?;
        for (path, config) in files {
            let inside = |error: String| format!("{}: {error}", path.display());
            let stored = match config.find(domain, repository).map_err(inside)? {
                Found::Helper { name, server } => {
                    let search_in = self.places.helpers.as_deref();
                    match helper::get(&name, &server, search_in, self.patience).await.map_err(inside)? {
                        Some(credential) => Some(credential),
                        // Docker writes an empty entry for what a store keeps; a filled one is an older login.
                        None => config.stored(domain, repository).map_err(inside)?,
                    }
                }
                Found::Stored(credential) => Some(credential),
                Found::Nothing => None,
            };
            if stored.is_some() {
                return Ok(stored);
            }
        }
        Ok(None)
    }

    fn read_files(&self) -> Result<Vec<(PathBuf, Config)>, String> {
        let Places { auth_file, docker_config, podman, only, .. } = &self.places;
        let docker = docker_config.as_ref().map(|folder| folder.join("config.json"));
        let usual = auth_file.iter().chain(&docker).chain(podman).filter(|_| only.is_none());
        let mut files = Vec::new();
        for path in only.iter().chain(usual) {
            match read(path) {
                Ok(bytes) => {
                    // What serde says of a file of secrets could quote one; line and column do not.
                    let config = Config::parse(&bytes).map_err(|error| {
                        format!(
                            "{} is no docker configuration (line {}, column {})",
                            path.display(),
                            error.line(),
                            error.column()
                        )
                    })?;
                    files.push((path.clone(), config));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && only.is_none() => {}
                Err(error) => return Err(format!("{}: {error}", path.display())),
            }
        }
        Ok(files)
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE {
        return Err(std::io::Error::other("is larger than 1 MiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_auth_file_is_asked_before_docker_and_broken_files_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let auth_file = folder.path().join("auth.json");
        let keyring = || {
            let places = Places {
                auth_file: Some(auth_file.clone()),
                docker_config: Some(folder.path().to_owned()),
                ..Places::default()
            };
            Keyring::new(places, Duration::from_secs(1))
        };
        let find = async |keyring: Keyring| keyring.find("r.example", "r.example/a").await;
        assert_eq!(find(keyring()).await, Ok(None), "no file is no credential");

        let auths = |user: &str| format!(r#"{{"auths":{{"r.example":{{"username":"{user}","password":"pw"}}}}}}"#);
        let user = async |keyring| match find(keyring).await.unwrap().as_deref() {
            Some(Credential::Password { user, .. }) => user.clone(),
            other => panic!("{other:?}"),
        };
        std::fs::write(folder.path().join("config.json"), auths("docker")).unwrap();
        assert_eq!(user(keyring()).await, "docker");
        std::fs::write(&auth_file, auths("podman")).unwrap();
        assert_eq!(user(keyring()).await, "podman");

        std::fs::write(&auth_file, r#"{"auths": {"r.example": {"auth": "c2VjcmV0"#).unwrap();
        let message = find(keyring()).await.unwrap_err();
        assert!(message.contains("auth.json is no docker configuration (line 1"), "{message}");
        assert!(!message.contains("c2VjcmV0"), "{message}");
        std::fs::write(&auth_file, " ".repeat(2 << 20)).unwrap();
        assert!(find(keyring()).await.unwrap_err().contains("larger than 1 MiB"));
    }

    #[tokio::test]
    async fn podmans_file_comes_last_and_a_named_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, host: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!(r#"{{"auths":{{"{host}":{{"username":"{name}","password":"pw"}}}}}}"#))
                .unwrap();
            path
        };
        file("config.json", "d.example");
        let usual = Places {
            docker_config: Some(folder.path().to_owned()),
            podman: vec![folder.path().join("absent"), file("podman", "p.example")],
            ..Places::default()
        };
        std::fs::write(
            folder.path().join("podman"),
            r#"{"auths":{"p.example":{"username":"podman","password":"pw"},"d.example":{"username":"podman","password":"pw"}}}"#,
        )
        .unwrap();
        let named = Places { only: Some(file("named", "n.example")), ..usual.clone() };
        let missing = Places { only: Some(folder.path().join("missing")), ..usual.clone() };
        for (places, host, expected) in [
            (&usual, "d.example", "config.json"),
            (&usual, "p.example", "podman"),
            (&usual, "n.example", "nobody"),
            (&named, "n.example", "named"),
            (&named, "d.example", "nobody"),
        ] {
            let keyring = Keyring::new(places.clone(), Duration::from_secs(1));
            let found = keyring.find(host, &format!("{host}/a")).await.unwrap();
            let user = match found.as_deref() {
                Some(Credential::Password { user, .. }) => user.clone(),
                _ => "nobody".to_owned(),
            };
            assert_eq!(user, expected, "{host}");
            let place = keyring.place(host, &format!("{host}/a")).await.unwrap();
            assert_eq!(place.is_some(), expected != "nobody", "{host}");
        }
        let message = Keyring::new(missing, Duration::from_secs(1)).find("d.example", "d.example/a").await.unwrap_err();
        assert!(message.contains("missing: No such file"), "{message}");
    }

    #[test]
    fn secrets_do_not_show() {
        let credential = Credential::Password { user: "ada".to_owned(), password: Secret::new("hunter2") };
        assert!(!format!("{credential:?}").contains("hunter2"));
    }
}

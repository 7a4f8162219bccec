//! Where docker buildx keeps its builders: a JSON file `instances/NAME` for each, and `current` for the one that is meant
//! where none is named (<https://github.com/docker/buildx/blob/master/store>).
//!
//! Not here: what a builder's `buildkitd.toml` says of registries (`registry/hosts`), and how its daemon is reached
//! (`buildkit/builder`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::file;

/// Builders that a message lists.
const LISTED: usize = 100;

/// A builder.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Instance {
    /// `docker-container`, `remote`, `kubernetes`.
    #[serde(default)]
    pub driver: String,
    #[serde(default)]
    pub nodes: Option<Vec<Node>>,
}

/// One of its daemons.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Node {
    #[serde(default)]
    pub name: String,
    /// Of a remote daemon its address, of one in a container where docker is.
    #[serde(default)]
    pub endpoint: String,
    #[serde(default)]
    pub driver_opts: Option<BTreeMap<String, String>>,
    /// Files of its container, in base64.
    #[serde(default)]
    pub files: Option<BTreeMap<String, String>>,
}

/// The folder: `$BUILDX_CONFIG`, `$DOCKER_CONFIG/buildx` or `~/.docker/buildx`.
pub(super) fn folder() -> Option<PathBuf> {
    let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let docker = || path("DOCKER_CONFIG").or_else(|| std::env::home_dir().map(|home| home.join(".docker")));
    path("BUILDX_CONFIG").or_else(|| docker().map(|docker| docker.join("buildx")))
}

/// A builder by its name, and the file that describes it.
pub(super) fn instance(folder: Option<&Path>, name: &str) -> Result<(PathBuf, Instance), String> {
    let valid = valid(name).ok_or_else(|| format!("{name:?} is no name of a builder"))?;
    let folder = folder.ok_or("there is no home folder in which buildx keeps its builders")?.join("instances");
    let file = folder.join(valid);
    match file::read(&file)? {
        Some(bytes) => parse(&bytes, &file).map(|instance| (file, instance)),
        None => {
            let listed = std::fs::read_dir(&folder).into_iter().flatten().take(LISTED);
            let mut names: Vec<String> = listed
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .filter(|name| !name.starts_with('.'))
                .collect();
            names.sort();
            let names = if names.is_empty() { "none at all".to_owned() } else { names.join(", ") };
            Err(format!("there is no builder {name:?} in {}; there is {names}", folder.display()))
        }
    }
}

/// The builder that is meant where none is named; `None` where that is docker's own.
pub(super) fn current(folder: Option<&Path>) -> Result<Option<String>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Current {
        #[serde(default)]
        name: String,
    }

    let Some(file) = folder.map(|folder| folder.join("current")) else { return Ok(None) };
    let Some(bytes) = file::read(&file)? else { return Ok(None) };
    let current: Current =
        serde_json::from_slice(&bytes).map_err(|error| format!("{}: it names no builder: {error}", file.display()))?;
    Ok(Some(current.name).filter(|name| !name.is_empty() && name != "default"))
}

/// Reads what buildx wrote.
pub(super) fn parse(bytes: &[u8], file: &Path) -> Result<Instance, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("{}: it is no builder: {error}", file.display()))
}

/// Builders' names as buildx checks them; it keeps them in lower case.
fn valid(text: &str) -> Option<String> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+');
    let valid = text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(inner);
    valid.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, expected) in [
            ("builder", Some("builder")),
            ("My-Builder_1.0+x", Some("my-builder_1.0+x")),
            ("", None),
            ("1b", None),
            ("../b", None),
            ("b/c", None),
        ] {
            assert_eq!(valid(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_one_that_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let current = || current(Some(folder.path()));
        assert_eq!(current(), Ok(None));
        for (written, expected) in [
            (r#"{"Key":"unix:///var/run/docker.sock","Name":"ci","Global":false}"#, Some("ci")),
            (r#"{"Key":"unix:///var/run/docker.sock","Name":"","Global":false}"#, None),
            (r#"{"Key":"k","Name":"default"}"#, None),
        ] {
            std::fs::write(folder.path().join("current"), written).unwrap();
            assert_eq!(current(), Ok(expected.map(str::to_owned)), "{written}");
        }
        std::fs::write(folder.path().join("current"), "ci").unwrap();
        assert!(current().unwrap_err().contains("current: it names no builder"));
        assert_eq!(super::current(None), Ok(None));
    }
}

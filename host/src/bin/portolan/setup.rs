//! What every command starts from: the bundled frontends by name, the host with its caches, and how clap is heard.

use std::path::PathBuf;

use portolan::{Host, Limits};

use crate::chosen::Chosen;
use crate::exit::Exit;

/// The bundled frontends that are commands, each with what it is for and an example.
pub const FRONTENDS: [(&str, &str, &str); 8] = [
    ("inspect", "What an image or artifact is", "portolan inspect alpine:3 --platform linux/arm64"),
    (
        "resolve",
        "From a reference to root, manifest and config",
        "portolan resolve oci-layout://out:app --platform linux/amd64 --digest",
    ),
    (
        "layers",
        "Layers, diff-ids, chain-ids and sizes",
        "portolan layers --last --key chain-id --platform linux/amd64 oci-layout://out:app",
    ),
    (
        "create",
        "A new index from old ones: merge, append, filter, annotate",
        "portolan create -t ghcr.io/acme/app:1 ghcr.io/acme/app:1-amd64 ghcr.io/acme/app:1-arm64",
    ),
    (
        "copy",
        "Images from anywhere to anywhere, byte for byte",
        "portolan copy alpine:3 registry.example/mirror/alpine --platform linux/amd64,linux/arm64",
    ),
    ("tags", "The tags of a repository, listed and matched", "portolan tags ghcr.io/acme/app --semver '^1.2' --latest"),
    (
        "diff",
        "What differs between two images",
        "portolan diff --exit-code oci-layout://out:app ghcr.io/acme/app:1 --platform linux/amd64",
    ),
    (
        "explain",
        "What Portolan makes of a reference, a platform, a registry or a policy",
        "portolan explain platform linux/arm/v7 --among linux/arm64,linux/arm/v6\n  portolan explain registry docker.io\n  portolan explain policy oci://ghcr.io/acme/newest:1",
    ),
];

/// What clap has to say: help and the version are answers.
pub fn said(error: &clap::Error) -> Result<u8, Exit> {
    match error.print() {
        Ok(()) => Ok(u8::try_from(error.exit_code()).unwrap_or(2)),
        Err(error) => Err(Exit::failure(format!("cannot write: {error}"))),
    }
}

/// A host with a cache, with what bounds its runs, a frontend's description of itself among them, and, where one is given,
/// another strategy. Which registries there are is known when a frontend's
/// options are, and belongs to a run.
pub fn host(strategy: Option<&Chosen>, limits: Limits) -> Result<Host, Exit> {
    let mut builder = Host::builder().limits(limits);
    if let Some(cache) = cache_folder() {
        builder = builder.cache_dir(cache);
    }
    if let Some(strategy) = strategy {
        builder = builder.strategy(strategy.component());
    }
    Ok(builder.build()?)
}

/// `$XDG_CACHE_HOME/portolan`, else `~/.cache/portolan`.
pub fn cache_folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("XDG_CACHE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("portolan"))
}

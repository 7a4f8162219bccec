//! Stores that are a daemon's: the results of a builder (`buildkit://…`) and the images of a containerd
//! (`containerd://…`). Which daemon it is, and what of the text that was typed names the store.

use std::sync::Arc;

use portolan::source::Source;
use portolan::source::buildkit::{Builder, Buildkit};
use portolan::source::containerd::Containerd;
use portolan::source::daemon::Address;

use crate::exit::Exit;

/// A builder has one store. Nobody types its name, and nobody sees it.
pub const BUILDKIT: &str = "buildkit";
/// Where containerd listens, and whose images are meant, if nothing is said.
const CONTAINERD: &str = "/run/containerd/containerd.sock";
const NAMESPACE: &str = "default";

/// What a builder has built.
pub fn buildkit(builder: &Builder, repository: &str) -> Result<Arc<dyn Source>, Exit> {
    let address = builder.address().map_err(|invalid| {
        Exit::failure(format!("cannot tell which builder is meant: {invalid}"))
            .hint("name one with --builder, or say where buildkitd listens: BUILDKIT_HOST=unix:///run/buildkit/buildkitd.sock")
    })?;
    Ok(Arc::new(Buildkit::new(address, repository)))
}

/// What is asked for in a daemon's store, as the contract writes it after the store's name.
pub fn after_store(text: &str) -> String {
    match text.starts_with(['@', ':']) || text.is_empty() {
        true => text.to_owned(),
        false => format!("/{text}"),
    }
}

/// The images of a namespace.
pub fn containerd(namespace: &str, repository: &str) -> Result<Arc<dyn Source>, Exit> {
    Ok(Arc::new(Containerd::new(address()?, namespace, repository)?))
}

/// The namespace, and what is asked for in it, as the contract writes it after the store's name. What comes first is a
/// namespace if there is one of that name: a registry could have it too.
pub fn cut(text: &str) -> Result<(String, String), Exit> {
    let namespaces = namespaces()?;
    let is_there = |name: &str| namespaces.iter().any(|namespace| namespace == name);
    let (first, rest) = text.split_at(text.find(['/', '@']).unwrap_or(text.len()));
    if is_there(first) {
        return Ok((first.to_owned(), if rest == "/" { String::new() } else { rest.to_owned() }));
    }
    let namespace = std::env::var("CONTAINERD_NAMESPACE").ok().filter(|namespace| !namespace.is_empty());
    if let Some(namespace) = namespace.as_ref().filter(|namespace| !is_there(namespace)) {
        let detail =
            format!("CONTAINERD_NAMESPACE: there is no namespace {namespace:?}; there is {}", listed(&namespaces));
        return Err(Exit::failure(detail));
    }
    Ok((namespace.unwrap_or_else(|| NAMESPACE.into()), after_store(text)))
}

fn listed(namespaces: &[String]) -> String {
    match namespaces {
        [] => "none".to_owned(),
        some => portolan::text::line(&some.join(", ")).into_owned(),
    }
}

/// Asked where it stands, since the text cannot be read without the answer; in a thread and a runtime of its own, as whoever
/// waits here is in one already.
fn namespaces() -> Result<Vec<String>, Exit> {
    let address = address()?;
    let asked = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Exit::failure(format!("cannot start: {error}")))?;
        Ok(runtime.block_on(Containerd::namespaces(&address))?)
    };
    std::thread::scope(|scope| scope.spawn(asked).join())
        .unwrap_or_else(|_| Err(Exit::failure("asking containerd for its namespaces failed")))
}

fn address() -> Result<Address, Exit> {
    let typed = std::env::var("CONTAINERD_ADDRESS").ok().filter(|address| !address.is_empty());
    let typed = typed.unwrap_or_else(|| CONTAINERD.into());
    let address = if typed.starts_with('/') { format!("unix://{typed}") } else { typed };
    Address::parse(&address).map_err(|invalid| {
        Exit::failure(format!("CONTAINERD_ADDRESS: {invalid}"))
            .hint("a path begins with a slash: /run/containerd/containerd.sock")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_stores_name() {
        for (typed, expected) in [
            ("", ""),
            ("latest", "/latest"),
            ("acme/app:1", "/acme/app:1"),
            (":1", ":1"),
            ("@sha256:00", "@sha256:00"),
            ("latest@sha256:00", "/latest@sha256:00"),
        ] {
            assert_eq!(after_store(typed), expected);
        }
    }
}

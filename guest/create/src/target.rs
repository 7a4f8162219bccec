//! Where the document goes: a repository, and a name in it.

use portolan_sdk::oci::reference::LATEST;
use portolan_sdk::oci::{Digest, Location, Reference};
use portolan_sdk::{Failure, code};

/// One `--tag`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    location: Location,
    /// As the contract writes it.
    pub repository: String,
    /// In the contract's words: a tag, in a store also a full name or `@DIGEST`. None in a registry means by digest alone.
    pub name: Option<String>,
}

impl Target {
    /// Reads a target. Without a name it is called `latest`, unless it has a digest.
    ///
    /// # Errors
    /// What is no reference, and what can be no name in a store.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let location = Location::parse(text)?;
        let name = match &location {
            Location::Registry(reference) if reference.tag.is_none() && reference.digest.is_some() => None,
            Location::Registry(reference) => Some(reference.tag_or_latest().to_owned()),
            Location::Store(store) => Some(match (store.rest.as_str(), &store.digest) {
                ("", Some(digest)) => format!("@{digest}"),
                ("", None) => LATEST.to_owned(),
                (rest, _) => in_store(rest).ok_or_else(|| {
                    let message = format!("cannot write to {}: {rest:?} is no name", location.shown());
                    Failure::of(code::INVALID_REFERENCE, message).hint("write :TAG, /NAME or /NAME:TAG after the store")
                })?,
            }),
        };
        Ok(Target { repository: location.repository(), name, location })
    }

    /// Where it is.
    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// What is there now, to be appended to: what the name means that will be given.
    pub(crate) fn before(&self) -> Location {
        let mut location = self.location.clone();
        match &mut location {
            Location::Registry(reference) if reference.tag.is_some() => reference.digest = None,
            Location::Store(store) if !store.rest.is_empty() => store.digest = None,
            Location::Store(store) if store.digest.is_none() => store.rest = format!(":{LATEST}"),
            _ => {}
        }
        location
    }

    /// Whether the target may be this document: a digest in it must be the document's.
    ///
    /// # Errors
    /// It is another one.
    pub(crate) fn expects(&self, made: &Digest) -> Result<(), Failure> {
        match self.location.digest() {
            Some(digest) if digest != made => {
                let message = format!("the target {} asks for a digest, and what was made is {made}", self.shown());
                Err(Failure::of(code::DIGEST_MISMATCH, message).hint("leave the digest out, or see --dry-run"))
            }
            _ => Ok(()),
        }
    }

    /// The reference, for a person.
    pub(crate) fn shown(&self) -> String {
        self.location.shown()
    }

    /// The reference with the digest of what it is now, for answers.
    pub(crate) fn pinned(&self, made: &Digest) -> String {
        let mut location = self.location.clone();
        match &mut location {
            Location::Registry(reference) => {
                reference.tag.clone_from(&self.name);
                reference.digest = Some(made.clone());
            }
            Location::Store(store) => {
                if store.rest.is_empty() && store.digest.is_none() {
                    store.rest = format!(":{LATEST}");
                }
                store.digest = Some(made.clone());
            }
        }
        location.shown()
    }
}

/// The repository of a reference, for a person.
pub(crate) fn shown(location: &Location) -> String {
    let mut location = location.clone();
    match &mut location {
        Location::Registry(reference) => return reference.repository(),
        Location::Store(store) => {
            store.rest.clear();
            store.digest = None;
        }
    }
    location.shown()
}

/// `:TAG` or `/NAME[:TAG]` as the name that an entry of a store gets.
fn in_store(rest: &str) -> Option<String> {
    if let Some(tag) = rest.strip_prefix(':') {
        return portolan_sdk::oci::reference::is_tag(tag).then(|| tag.to_owned());
    }
    let name = Reference::parse(rest.strip_prefix('/')?).ok()?;
    (name.digest.is_none() && !name.domain.is_empty()).then(|| name.resolved())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn names_are_the_contracts() {
        let at = format!("@{DIGEST}");
        for (text, repository, name, before) in [
            ("app", "docker.io/library/app", Some("latest"), "docker.io/library/app"),
            ("r.example/app:1", "r.example/app", Some("1"), "r.example/app:1"),
            (&format!("r.example/app{at}"), "r.example/app", None, &format!("r.example/app{at}")),
            (&format!("r.example/app:1{at}"), "r.example/app", Some("1"), "r.example/app:1"),
            ("oci-layout://out", "oci-layout://out", Some("latest"), "oci-layout://out:latest"),
            ("oci-layout://out:1", "oci-layout://out", Some("1"), "oci-layout://out:1"),
            (
                "oci-archive://out/acme/app",
                "oci-archive://out",
                Some("docker.io/acme/app:latest"),
                "oci-archive://out/acme/app",
            ),
            (&format!("oci-layout://out{at}"), "oci-layout://out", Some(&at), &format!("oci-layout://out{at}")),
            (&format!("oci-layout://out:1{at}"), "oci-layout://out", Some("1"), "oci-layout://out:1"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!((target.repository.as_str(), target.name.as_deref()), (repository, name), "{text}");
            assert_eq!(target.before().to_string(), before, "{text}");
        }
        for text in ["App", "oci-layout://out:a b", "oci-layout://out/App", "oci-layout://out/a_b.c/app", "https://x"] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_digest_must_be_that_of_what_was_made() {
        let (made, other) = (Digest::sha256(b"made"), Digest::sha256(b"other"));
        for repository in ["r.example/app", "r.example/app:1", "oci-layout://out", "oci-layout://out:1"] {
            assert!(Target::parse(repository).unwrap().expects(&made).is_ok());
            assert!(Target::parse(&format!("{repository}@{made}")).unwrap().expects(&made).is_ok());
            let error = Target::parse(&format!("{repository}@{other}")).unwrap().expects(&made).unwrap_err();
            assert!(error.message.contains(made.as_str()), "{error}");
        }
    }

    #[test]
    fn what_is_written_is_shown_with_its_digest() {
        let made = Digest::sha256(b"made");
        for (text, pinned, repository) in [
            ("app", "docker.io/library/app:latest", "docker.io/library/app"),
            ("oci-layout://a%2Fb", "oci-layout://a/b:latest", "oci-layout://a/b"),
            ("oci-layout://a%2Fb/app:1", "oci-layout://a/b/app:1", "oci-layout://a/b"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(target.pinned(&made), format!("{pinned}@{made}"));
            assert_eq!(shown(target.location()), repository);
        }
    }
}

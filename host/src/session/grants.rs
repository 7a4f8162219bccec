//! What a run may touch: small and pure.
//!
//! A grant speaks of the repository that was asked for, in its normalised form and never of a mirror; whatever is not
//! granted is denied. Equality is of whole texts and whole path components, so another case, another port, a trailing dot,
//! a `..` or a percent-encoding is another repository, or no reference at all.

use std::fmt;

use portolan_oci::{Location, Reference};
use thiserror::Error;

/// The repositories of registries that a run may read from and write to. Stores need none: binding a store to a run grants
/// reading it.
///
/// Patterns are `registry.example/team/app` (one repository; Docker's short names are understood),
/// `registry.example/team/*` (all below, at any depth) and `*` (all).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    pull: Vec<Pattern>,
    push: Vec<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Everything,
    /// `registry.example/team/`, with the slash.
    Below(String),
    Repository(String),
}

/// A text that is no pattern of a grant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{pattern:?} is no pattern of a grant: {why}; a pattern is a repository, `registry.example/team/*` or `*`")]
pub struct InvalidPattern {
    pattern: String,
    why: String,
}

impl Grants {
    /// None.
    pub fn new() -> Self {
        Grants::default()
    }

    /// Reading: resolve, fetch, tags, referrers.
    ///
    /// # Errors
    /// Where `pattern` is none.
    pub fn pull(mut self, pattern: &str) -> Result<Self, InvalidPattern> {
        self.pull.push(Pattern::parse(pattern)?);
        Ok(self)
    }

    /// Writing, and reading, which writing needs.
    ///
    /// # Errors
    /// Where `pattern` is none.
    pub fn push(mut self, pattern: &str) -> Result<Self, InvalidPattern> {
        self.push.push(Pattern::parse(pattern)?);
        Ok(self)
    }

    /// Reading the repository of a reference that the caller named.
    #[must_use]
    pub fn pull_reference(mut self, location: &Location) -> Self {
        self.pull.push(Pattern::Repository(location.repository()));
        self
    }

    /// Writing to the repository of a reference that the caller named.
    #[must_use]
    pub fn push_reference(mut self, location: &Location) -> Self {
        self.push.push(Pattern::Repository(location.repository()));
        self
    }

    /// The patterns of what may be read, as they would be typed again. What may be written may be read, too.
    pub fn pulls(&self) -> impl Iterator<Item = String> {
        self.pull.iter().map(Pattern::to_string)
    }

    /// The patterns of what may be written.
    pub fn pushes(&self) -> impl Iterator<Item = String> {
        self.push.iter().map(Pattern::to_string)
    }

    /// `repository` is normalised: what [`Location::repository`] says.
    pub fn allows_pull(&self, repository: &str) -> bool {
        self.pull.iter().chain(&self.push).any(|pattern| pattern.covers(repository))
    }

    /// The same for writing.
    pub fn allows_push(&self, repository: &str) -> bool {
        self.push.iter().any(|pattern| pattern.covers(repository))
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let fail = |why: String| InvalidPattern { pattern: text.to_owned(), why };
        if text == "*" {
            return Ok(Pattern::Everything);
        }
        if let Some(prefix) = text.strip_suffix("/*") {
            // Two components more keep Docker Hub's `library/`, which is for names of one component, out of it.
            let below = Reference::parse(&format!("{prefix}/x/x")).map_err(|error| fail(error.to_string()))?;
            let repository = below.repository();
            let prefix = repository.strip_suffix("x/x").unwrap_or(&repository);
            return match below.domain.is_empty() {
                true => Err(fail("it names no registry".into())),
                false => Ok(Pattern::Below(prefix.to_owned())),
            };
        }
        match Location::parse(text).map_err(|error| fail(error.to_string()))? {
            Location::Registry(reference) if reference.domain.is_empty() => Err(fail("it names no registry".into())),
            Location::Registry(reference) if reference.tag.is_some() || reference.digest.is_some() => {
                Err(fail("grants are for repositories, without tag or digest".into()))
            }
            Location::Store(store) if !store.rest.is_empty() || store.digest.is_some() => {
                Err(fail("grants are for stores, without what is in them".into()))
            }
            location => Ok(Pattern::Repository(location.repository())),
        }
    }

    fn covers(&self, repository: &str) -> bool {
        match self {
            Pattern::Everything => true,
            Pattern::Below(prefix) => repository.len() > prefix.len() && repository.starts_with(prefix.as_str()),
            Pattern::Repository(one) => one == repository,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Everything => f.write_str("*"),
            Pattern::Below(prefix) => write!(f, "{prefix}*"),
            Pattern::Repository(one) => f.write_str(one),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Option<String> {
        Location::parse(text).ok().map(|location| location.repository())
    }

    #[test]
    fn covers_what_was_granted() {
        for (pattern, repository) in [
            ("*", "r.example/a"),
            ("*", "localhost:22/a"),
            ("r.example/app", "r.example/app"),
            ("r.example/*", "r.example/app"),
            ("r.example/*", "r.example/team/app"),
            ("r.example/team/*", "r.example/team/app"),
            ("r.example/team/*", "r.example/team/sub/app"),
            ("r.example:5000/*", "r.example:5000/app"),
            ("[::1]:5000/*", "[::1]:5000/app"),
            ("alpine", "docker.io/library/alpine"),
            ("alpine", "alpine"),
            ("team/*", "docker.io/team/app"),
            ("docker.io/*", "alpine"),
            ("index.docker.io/*", "team/app"),
            ("index.docker.io/library/alpine", "alpine"),
            ("library/*", "alpine"),
        ] {
            let grants = Grants::new().pull(pattern).unwrap();
            assert!(grants.allows_pull(&asked(repository).unwrap()), "{pattern} covers {repository}");
            assert!(!grants.allows_push(&asked(repository).unwrap()), "{pattern} grants no writing");
        }
    }

    #[test]
    fn nothing_slips_through() {
        for (pattern, texts) in [
            (
                "r.example/team/app",
                &[
                    "r.example/team/app2",
                    "r.example/team/ap",
                    "r.example/team",
                    "r.example/team/app/sub",
                    "R.example/team/app",
                    "R.EXAMPLE/team/app",
                    "r.example/Team/app",
                    "r.example:443/team/app",
                    "r.example:80/team/app",
                    "r.example./team/app",
                    "r.example/team/../team/app",
                    "r.example/team/./app",
                    "r.example//team/app",
                    "r.example/team%2Fapp",
                    "r.example/team/%61pp",
                    "user@r.example/team/app",
                    "https://r.example/team/app",
                    "team/app",
                    "oci-layout://r.example/team/app",
                ][..],
            ),
            (
                "r.example/team/*",
                &[
                    "r.example/team",
                    "r.example/teamster/app",
                    "r.example/other/app",
                    "r.example/team/../other/app",
                    "r.example:5000/team/app",
                    "r.example.evil/team/app",
                    "evil/r.example/team/app",
                    "docker.io/team/app",
                ][..],
            ),
            ("r.example/*", &["r.example:5000/app", "r.example.evil/app", "xr.example/app", "R.example/app"][..]),
            (
                "alpine",
                &[
                    "busybox",
                    "docker.io/alpine/alpine",
                    "registry-1.docker.io/library/alpine",
                    "ghcr.io/library/alpine",
                ][..],
            ),
        ] {
            let grants = Grants::new().pull(pattern).unwrap();
            for text in texts {
                let granted = asked(text).is_some_and(|repository| grants.allows_pull(&repository));
                assert!(!granted, "{pattern} does not cover {text}");
            }
        }
        assert!(!Grants::new().allows_pull("r.example/a"));
    }

    #[test]
    fn a_pattern_is_written_as_it_can_be_read_again() {
        for (pattern, written) in [
            ("*", "*"),
            ("alpine", "docker.io/library/alpine"),
            ("team/*", "docker.io/team/*"),
            ("r.example:5000/*", "r.example:5000/*"),
            ("r.example/app", "r.example/app"),
        ] {
            let grants = Grants::new().push(pattern).unwrap();
            assert_eq!(grants.pushes().collect::<Vec<_>>(), [written]);
            assert_eq!(Grants::new().push(written).unwrap(), grants, "{written}");
        }
    }

    #[test]
    fn refuses_what_is_no_pattern() {
        for text in [
            "",
            "/*",
            "**",
            "*/a",
            "r.example*",
            "r.example/*/app",
            "r.example/te*",
            "r.example/app:1",
            "r.example/app@sha256:00",
            "R.example/App",
            "r.example/../*",
            "exa_mple.com/a",
            "exa_mple.com/*",
            "oci-layout://a:1",
            "https://r.example/*",
        ] {
            assert!(Grants::new().pull(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn writing_needs_reading() {
        let grants = Grants::new().push("r.example/app").unwrap();
        assert!(grants.allows_push("r.example/app") && grants.allows_pull("r.example/app"));
        let reference = Location::parse("alpine:3").unwrap();
        assert!(Grants::new().pull_reference(&reference).allows_pull("docker.io/library/alpine"));
        assert!(Grants::new().push_reference(&reference).allows_push("docker.io/library/alpine"));
    }
}

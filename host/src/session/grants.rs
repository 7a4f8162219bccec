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

/// A repository, or many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
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

    /// What these and others grant.
    #[must_use]
    pub fn and(mut self, others: &Grants) -> Self {
        self.pull.extend(others.pull.iter().cloned());
        self.push.extend(others.push.iter().cloned());
        self
    }

    /// Reading alone, without what writing brings.
    pub(crate) fn only_pull(&self) -> Self {
        Grants { pull: self.pull.clone(), push: Vec::new() }
    }

    /// Writing, and the reading that it brings.
    pub(crate) fn only_push(&self) -> Self {
        Grants { pull: Vec::new(), push: self.push.clone() }
    }

    /// What these grant as far as `outer` does.
    #[must_use]
    pub fn within(&self, outer: &Grants) -> Self {
        let push = both(&self.push, &outer.push);
        let pull = both(self.read(), &outer.read().cloned().collect::<Vec<_>>());
        Grants { pull, push }
    }

    /// A pattern of these that is not, or not in whole, granted by `outer`; and whether it is for writing.
    pub fn beyond(&self, outer: &Grants) -> Option<(String, bool)> {
        let pull = self.pull.iter().find(|pattern| !outer.read().any(|granted| granted.contains(pattern)));
        let push = self.push.iter().find(|pattern| !outer.push.iter().any(|granted| granted.contains(pattern)));
        let said = |writing| move |pattern: &Pattern| (pattern.to_string(), writing);
        pull.map(said(false)).or_else(|| push.map(said(true)))
    }

    /// What may be read: what may be written, too.
    fn read(&self) -> impl Iterator<Item = &Pattern> {
        self.pull.iter().chain(&self.push)
    }

    /// `repository` is normalised: what [`Location::repository`] says.
    pub fn allows_pull(&self, repository: &str) -> bool {
        self.read().any(|pattern| pattern.covers(repository))
    }

    /// The same for writing.
    pub fn allows_push(&self, repository: &str) -> bool {
        self.push.iter().any(|pattern| pattern.covers(repository))
    }
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidPattern> {
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

    pub(crate) fn covers(&self, repository: &str) -> bool {
        match self {
            Pattern::Everything => true,
            Pattern::Below(prefix) => repository.len() > prefix.len() && repository.starts_with(prefix.as_str()),
            Pattern::Repository(one) => one == repository,
        }
    }
}

impl Pattern {
    /// Whether everything that `other` covers is covered.
    fn contains(&self, other: &Pattern) -> bool {
        match (self, other) {
            (Pattern::Everything, _) => true,
            (_, Pattern::Everything) => false,
            (Pattern::Below(prefix), Pattern::Below(other)) => other.starts_with(prefix.as_str()),
            (_, Pattern::Repository(other)) => self.covers(other),
            (Pattern::Repository(_), Pattern::Below(_)) => false,
        }
    }
}

/// What some patterns and others both cover: of two that meet, one contains the other.
fn both<'a>(ones: impl IntoIterator<Item = &'a Pattern>, others: &[Pattern]) -> Vec<Pattern> {
    let mut met = Vec::new();
    for one in ones {
        for other in others {
            let narrow = match (one.contains(other), other.contains(one)) {
                (true, _) => other,
                (_, true) => one,
                _ => continue,
            };
            if !met.contains(narrow) {
                met.push(narrow.clone());
            }
        }
    }
    met
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
    fn within_is_what_both_grant() {
        let patterns = ["*", "r.example/*", "r.example/a/*", "r.example/a/b", "r.example/ab", "x.example/*", "alpine"];
        let places =
            ["r.example/a", "r.example/a/b", "r.example/a/c", "r.example/ab", "x.example/a", "alpine", "busybox"];
        let mut all = vec![Grants::new()];
        for pattern in patterns {
            all.push(Grants::new().pull(pattern).unwrap());
            all.push(Grants::new().push(pattern).unwrap());
            all.push(Grants::new().pull(pattern).unwrap().push("r.example/a/c").unwrap());
        }
        for one in &all {
            for other in &all {
                let within = one.within(other);
                for place in places.map(|place| asked(place).unwrap()) {
                    let reading = one.allows_pull(&place) && other.allows_pull(&place);
                    let writing = one.allows_push(&place) && other.allows_push(&place);
                    assert_eq!(within.allows_pull(&place), reading, "{one:?} {other:?} {place}");
                    assert_eq!(within.allows_push(&place), writing, "{one:?} {other:?} {place}");
                    let (either, covered) = (one.clone().and(other), one.beyond(other).is_none());
                    assert_eq!(either.allows_push(&place), one.allows_push(&place) || other.allows_push(&place));
                    assert!(!covered || !one.allows_pull(&place) || other.allows_pull(&place), "{one:?} {other:?}");
                    assert!(!covered || !one.allows_push(&place) || other.allows_push(&place), "{one:?} {other:?}");
                }
                assert_eq!(within.beyond(one).or_else(|| within.beyond(other)), None);
            }
        }
        let wide = Grants::new().pull("r.example/*").unwrap();
        let narrow = Grants::new().pull("r.example/a").unwrap();
        assert_eq!(narrow.beyond(&wide), None);
        assert_eq!(wide.beyond(&narrow), Some(("r.example/*".into(), false)));
        assert_eq!(Grants::new().push("r.example/a").unwrap().beyond(&wide), Some(("r.example/a".into(), true)));
    }

    #[test]
    fn refuses_what_is_no_pattern() {
        let digest = portolan_oci::Digest::sha256(b"");
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
            &format!("r.example/app@{digest}"),
            &format!("oci-layout://a@{digest}"),
        ] {
            assert!(Grants::new().pull(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn writing_needs_reading() {
        let grants = Grants::new().push("r.example/app").unwrap();
        assert!(grants.allows_push("r.example/app") && grants.allows_pull("r.example/app"));
        let reference = Location::parse("alpine:3").unwrap();
        let read = Grants::new().pull_reference(&reference);
        assert!(read.allows_pull("docker.io/library/alpine") && !read.allows_push("docker.io/library/alpine"));
        assert!(Grants::new().push_reference(&reference).allows_push("docker.io/library/alpine"));
    }
}

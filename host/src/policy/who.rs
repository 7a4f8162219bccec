//! Which frontend or strategy is meant: one that is at hand, and the names that a policy has for them.

use std::fmt;
use std::path::{Path, PathBuf};

use portolan_oci::Reference;

use crate::Bundled;
use crate::session::grants::Pattern;

/// A frontend or a strategy, by where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who<'a> {
    /// It is part of this program.
    Bundled(Bundled),
    /// A file.
    File(&'a Path),
    /// In a registry; its tag and digest do not matter.
    Published(&'a Reference),
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Bundled(bundled) => f.write_str(bundled.name()),
            Who::File(path) => write!(f, "{}", path.display()),
            Who::Published(reference) => write!(f, "oci://{reference}"),
        }
    }
}

/// The name of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// All that are not bundled.
    Foreign,
    Bundled(Bundled),
    File(PathBuf),
    /// Files in this folder, at any depth.
    Below(PathBuf),
    Published(Pattern),
}

/// How well a name fits: the higher the better.
pub(super) type Fit = (u8, usize);

impl Name {
    /// Paths are relative to `folder`.
    pub(super) fn parse(text: &str, folder: &Path) -> Result<Name, String> {
        if text == "*" {
            return Ok(Name::Foreign);
        }
        if let Some(bundled) = Bundled::named(text).filter(|bundled| *bundled != Bundled::Strategy) {
            return Ok(Name::Bundled(bundled));
        }
        if let Some(pattern) = text.strip_prefix("oci://").or_else(|| text.strip_prefix("docker://")) {
            return Pattern::parse(&plain(pattern)).map(Name::Published).map_err(|error| error.to_string());
        }
        if !text.contains("://") && (text.contains('/') || text.ends_with(".wasm")) {
            let path = text.strip_suffix("/*");
            let (path, below) = (path.unwrap_or(text), path.is_some());
            if looks_published(path, below) {
                return Err(format!(
                    "{text:?} may be in a registry, which is oci://{text}, or a file, which is ./{text}"
                ));
            }
            // What looks like more than it is would match nothing, and protect nobody.
            if path.contains(['*', '?', '[']) || (!below && path.ends_with('/')) {
                return Err(format!("{text:?} names neither a file nor, by /* at its end, all files of a folder"));
            }
            let path = real(&folder.join(if path.is_empty() { "/" } else { path }));
            return Ok(if below { Name::Below(path) } else { Name::File(path) });
        }
        Err(format!(
            "{text:?} is neither a bundled frontend nor a file (./x.wasm, ./folder/*) nor in a registry (oci://NAME, \
             oci://NAME/*) nor *"
        ))
    }

    /// How well it fits, if it does.
    pub(super) fn fits(&self, who: &Who<'_>) -> Option<Fit> {
        const ONE: Fit = (2, 0);
        const SOME: u8 = 1;
        let fit = match (self, who) {
            (Name::Foreign, Who::File(_) | Who::Published(_)) => (0, 0),
            (Name::Bundled(name), Who::Bundled(bundled)) if name == bundled => ONE,
            (Name::File(file), Who::File(path)) if *file == real(path) => ONE,
            (Name::Below(folder), Who::File(path)) if real(path).starts_with(folder) => {
                (SOME, folder.as_os_str().len())
            }
            (Name::Published(pattern), Who::Published(reference))
                if pattern.covers(&plain(&reference.repository())) =>
            {
                match pattern {
                    Pattern::Everything => (SOME, 0),
                    Pattern::Below(prefix) => (SOME, prefix.len()),
                    Pattern::Repository(_) => ONE,
                }
            }
            _ => return None,
        };
        Some(fit)
    }
}

/// Whether who wrote a path may have meant a repository: a rule for a file that is not there would protect nobody.
fn looks_published(path: &str, below: bool) -> bool {
    let first = path.split('/').next().unwrap_or_default();
    let is_path = first.is_empty() || first.starts_with('.');
    let is_host = (below || path.contains('/')) && (first.contains(['.', ':']) || first == "localhost");
    !is_path && (is_host || !(below || path.ends_with(".wasm")))
}

/// A repository as it is known here, whatever follows its name: a registry is the same in upper case, and at the port that
/// it has anyway. A rule that forbids, and a lock, must not be got around by that.
pub(super) fn plain(repository: &str) -> String {
    let (domain, rest) = repository.split_once('/').unwrap_or(("", repository));
    let domain = domain.to_ascii_lowercase();
    let domain = domain.strip_suffix(":443").unwrap_or(&domain);
    if domain.is_empty() { rest.to_owned() } else { format!("{domain}/{rest}") }
}

/// Where a path leads; of one that leads nowhere, what it says.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_whom_they_name() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path();
        std::fs::create_dir_all(folder.join("plugins/deep")).unwrap();
        for file in ["a.wasm", "plugins/b.wasm", "plugins/deep/c.wasm"] {
            std::fs::write(folder.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink(folder.join("a.wasm"), folder.join("plugins/link.wasm")).unwrap();
        let path = |name: &str| folder.join(name);
        let (a, b, c, link) =
            (path("a.wasm"), path("plugins/b.wasm"), path("plugins/deep/c.wasm"), path("plugins/link.wasm"));
        let dotted = path("plugins/../a.wasm");
        let newest = Reference::parse("ghcr.io/acme/newest:1").unwrap();
        let loud = Reference::parse("GHCR.io:443/acme/newest:1").unwrap();
        let hub = Reference::parse("alpine").unwrap();
        let all = [
            ("inspect", Who::Bundled(Bundled::Inspect)),
            ("a", Who::File(&a)),
            ("a dotted", Who::File(&dotted)),
            ("link to a", Who::File(&link)),
            ("b", Who::File(&b)),
            ("c", Who::File(&c)),
            ("newest", Who::Published(&newest)),
            ("loud", Who::Published(&loud)),
            ("hub", Who::Published(&hub)),
        ];
        for (name, fits) in [
            ("*", &["a", "a dotted", "link to a", "b", "c", "newest", "loud", "hub"][..]),
            ("inspect", &["inspect"]),
            ("copy", &[]),
            ("a.wasm", &["a", "a dotted", "link to a"]),
            ("./a.wasm", &["a", "a dotted", "link to a"]),
            // What a link names lies where it leads.
            ("plugins/link.wasm", &["a", "a dotted", "link to a"]),
            ("plugins/*", &["b", "c"]),
            ("./plugins/deep/*", &["c"]),
            ("plug/*", &[]),
            ("oci://*", &["newest", "loud", "hub"]),
            ("oci://ghcr.io/acme/newest", &["newest", "loud"]),
            ("docker://ghcr.io/acme/*", &["newest", "loud"]),
            ("oci://ghcr.io/acme/new/*", &[]),
            ("oci://GHCR.io/acme/newest", &["newest", "loud"]),
            ("oci://ghcr.io:443/*", &["newest", "loud"]),
            ("oci://ghcr.io:5000/*", &[]),
            ("/*", &["a", "a dotted", "link to a", "b", "c"]),
            ("oci://alpine", &["hub"]),
        ] {
            let name = Name::parse(name, folder).unwrap();
            let found: Vec<&str> =
                all.iter().filter(|(_, who)| name.fits(who).is_some()).map(|(label, _)| *label).collect();
            assert_eq!(found, fits, "{name:?}");
        }
        let fit = |name: &str| Name::parse(name, folder).unwrap().fits(&Who::Published(&newest)).unwrap();
        let best = ["*", "oci://*", "oci://ghcr.io/*", "oci://ghcr.io/acme/*", "oci://ghcr.io/acme/newest"].map(fit);
        assert!(best.is_sorted_by(|one, other| one < other), "{best:?}");
        let fit = |name: &str| Name::parse(name, folder).unwrap().fits(&Who::File(&c)).unwrap();
        let best = ["*", "./*", "plugins/*", "plugins/deep/*", "plugins/deep/c.wasm"].map(fit);
        assert!(best.is_sorted_by(|one, other| one < other), "{best:?}");
    }

    #[test]
    fn refuses_what_is_no_name() {
        for text in [
            "",
            "inspects",
            "strategy",
            "https://r.example/x",
            "oci://",
            "oci://r.example/a:1",
            "oci-layout://x/*",
            "./plugins/*.wasm",
            "./plugins/**",
            "./plugins/",
            "a?.wasm",
            "[a].wasm",
            "ghcr.io/*",
            "ghcr.io/acme/*",
            "ghcr.io/acme/newest",
            "localhost/newest",
            "r:5000/x.wasm",
            "acme/newest",
        ] {
            assert!(Name::parse(text, Path::new("/")).is_err(), "{text:?}");
        }
    }
}

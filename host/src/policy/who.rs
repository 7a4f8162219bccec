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
            return Pattern::parse(pattern).map(Name::Published).map_err(|error| error.to_string());
        }
        if let Some(below) = text.strip_suffix("/*").filter(|_| !text.contains("://")) {
            return Ok(Name::Below(real(&folder.join(below))));
        }
        if !text.contains("://") && (text.contains('/') || text.ends_with(".wasm")) {
            return Ok(Name::File(real(&folder.join(text))));
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
            (Name::Published(pattern), Who::Published(reference)) if pattern.covers(&reference.repository()) => {
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
        let hub = Reference::parse("alpine").unwrap();
        let all = [
            ("inspect", Who::Bundled(Bundled::Inspect)),
            ("a", Who::File(&a)),
            ("a dotted", Who::File(&dotted)),
            ("link to a", Who::File(&link)),
            ("b", Who::File(&b)),
            ("c", Who::File(&c)),
            ("newest", Who::Published(&newest)),
            ("hub", Who::Published(&hub)),
        ];
        for (name, fits) in [
            ("*", &["a", "a dotted", "link to a", "b", "c", "newest", "hub"][..]),
            ("inspect", &["inspect"]),
            ("copy", &[]),
            ("a.wasm", &["a", "a dotted", "link to a"]),
            ("./a.wasm", &["a", "a dotted", "link to a"]),
            // What a link names lies where it leads.
            ("plugins/link.wasm", &["a", "a dotted", "link to a"]),
            ("plugins/*", &["b", "c"]),
            ("./plugins/deep/*", &["c"]),
            ("plug/*", &[]),
            ("oci://*", &["newest", "hub"]),
            ("oci://ghcr.io/acme/newest", &["newest"]),
            ("docker://ghcr.io/acme/*", &["newest"]),
            ("oci://ghcr.io/acme/new/*", &[]),
            ("oci://GHCR.io/acme/newest", &[]),
            ("oci://alpine", &["hub"]),
        ] {
            let Ok(name) = Name::parse(name, folder) else {
                assert!(fits.is_empty(), "{name}");
                continue;
            };
            let found: Vec<&str> =
                all.iter().filter(|(_, who)| name.fits(who).is_some()).map(|(label, _)| *label).collect();
            assert_eq!(found, fits, "{name:?}");
        }
        let fit = |name: &str| Name::parse(name, folder).unwrap().fits(&Who::Published(&newest)).unwrap();
        let best = ["*", "oci://*", "oci://ghcr.io/*", "oci://ghcr.io/acme/*", "oci://ghcr.io/acme/newest"].map(fit);
        assert!(best.is_sorted_by(|one, other| one < other), "{best:?}");
    }

    #[test]
    fn refuses_what_is_no_name() {
        for text in
            ["", "inspects", "strategy", "https://r.example/x", "oci://", "oci://r.example/a:1", "oci-layout://x/*"]
        {
            assert!(Name::parse(text, Path::new("/")).is_err(), "{text:?}");
        }
    }
}

//! What a component imports and exports, by name, read before anything is compiled: enough to say clearly why it does not
//! fit. Types are wasmtime's business.

use wasmparser::{Parser, Payload};
use wasmtime::component::Component as Code;

use super::LoadError;
use super::load::{CONTRACT, STRATEGY};
use crate::text;

/// The interfaces of the contract that may be imported; `types` holds no function.
const INTERFACES: [&str; 8] = ["types", "host", "resolver", "fetcher", "blobs", "discovery", "pusher", "strategy"];
/// Those that a strategy may import: it judges, and asks nobody.
const OF_STRATEGIES: [&str; 2] = ["types", "host"];
/// WASI 0.2, which is linked and denied.
const WASI: [&str; 7] = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];

/// As much of a name as is looked at: more than the longest of ours.
const NAME: usize = 128;
/// As many as a message lists.
const LISTED: usize = 8;

#[derive(Debug, Clone)]
pub(super) struct Shape {
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Shape {
    pub(super) fn of(bytes: &[u8]) -> Result<Self, String> {
        let mut shape = Shape { imports: Vec::new(), exports: Vec::new() };
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(|error| error.to_string())? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        shape.imports.push(name(import.map_err(|error| error.to_string())?.name.name));
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        shape.exports.push(name(export.map_err(|error| error.to_string())?.name.name));
                    }
                }
                _ => {}
            }
        }
        Ok(shape)
    }

    /// What the code of a component tells of it.
    pub(super) fn of_code(code: &Code) -> Self {
        let (engine, code) = (code.engine(), code.component_type());
        Shape {
            imports: code.imports(engine).map(|(text, _)| name(text)).collect(),
            exports: code.exports(engine).map(|(text, _)| name(text)).collect(),
        }
    }

    /// What somebody says of a component.
    pub(super) fn told(imports: &[String], exports: &[String]) -> Self {
        let names = |names: &[String]| names.iter().map(|it| name(it)).collect();
        Shape { imports: names(imports), exports: names(exports) }
    }

    /// Whether it imports `interface`, of whatever version.
    pub(super) fn imports(&self, interface: &str) -> bool {
        self.imports.iter().any(|name| split(name).0 == interface)
    }

    /// Whether it exports `interface`, of whatever version.
    pub(super) fn exports(&self, interface: &str) -> bool {
        self.exports.iter().any(|name| split(name).0 == interface)
    }

    /// All that it imports.
    pub(super) fn all_imports(&self) -> &[String] {
        &self.imports
    }

    /// All that it exports.
    pub(super) fn all_exports(&self) -> &[String] {
        &self.exports
    }

    /// What it imports of a package, of whatever version.
    pub(super) fn needs(&self, package: &str) -> Vec<String> {
        let of = |name: &&String| name.strip_prefix(package).is_some_and(|rest| rest.starts_with('/'));
        self.imports.iter().filter(of).take(LISTED).cloned().collect()
    }

    /// That it is what it is `wanted` for, and asks for nothing that there is not.
    pub(super) fn check(
        &self,
        component: &str,
        wanted: &'static str,
        interface: &'static str,
    ) -> Result<(), LoadError> {
        if !self.exports(interface) {
            let exports = self.exports.iter().take(LISTED).cloned().collect();
            let component = component.to_owned();
            return Err(LoadError::NoExport { component, wanted, interface, exports });
        }
        let interfaces = if interface == STRATEGY { &OF_STRATEGIES[..] } else { &INTERFACES };
        let unknown = self.imports.iter().filter(|name| !known(name, interfaces));
        let imports: Vec<String> = unknown.take(LISTED).cloned().collect();
        if !imports.is_empty() {
            return Err(LoadError::UnknownImports { component: component.to_owned(), wanted, imports });
        }
        match self.versions().find(|version| track(version) != track(CONTRACT)) {
            None => Ok(()),
            Some(theirs) => Err(LoadError::VersionSkew {
                component: component.to_owned(),
                theirs: theirs.to_owned(),
                ours: CONTRACT,
                detail: None,
            }),
        }
    }

    /// The types did not meet, though the versions should.
    pub(super) fn skewed(&self, component: &str, detail: String) -> LoadError {
        match self.versions().next() {
            Some(theirs) => LoadError::VersionSkew {
                component: component.to_owned(),
                theirs: theirs.to_owned(),
                ours: CONTRACT,
                detail: Some(detail),
            },
            None => LoadError::Invalid { component: component.to_owned(), reason: detail },
        }
    }

    /// The versions of the contract that it names.
    fn versions(&self) -> impl Iterator<Item = &str> {
        let ours = self.imports.iter().chain(&self.exports).filter(|name| name.starts_with("portolan:oci/"));
        ours.map(|name| split(name).1)
    }
}

/// Nobody has checked yet what is in a name, and it may end up in a message.
fn name(text: &str) -> String {
    text::line(text::at_most(text, NAME)).into_owned()
}

fn known(import: &str, interfaces: &[&str]) -> bool {
    let (interface, version) = split(import);
    match interface.split_once('/') {
        Some(("portolan:oci", interface)) => interfaces.contains(&interface),
        Some((package, _)) => package
            .strip_prefix("wasi:")
            .is_some_and(|package| WASI.contains(&package) && track(version) == track("0.2.0")),
        None => false,
    }
}

fn split(name: &str) -> (&str, &str) {
    name.split_once('@').unwrap_or((name, ""))
}

/// The part of a version within which everything fits: `0.1` of `0.1.3`, `1` of `1.2.0`. A pre-release fits only itself.
fn track(version: &str) -> &str {
    let parts = if version.starts_with("0.") { 2 } else { 1 };
    match version.contains('-') {
        true => version,
        false => {
            version.match_indices('.').nth(parts - 1).map_or(version, |(end, _)| version.get(..end).unwrap_or(version))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_meet_on_their_track() {
        for (version, on) in [
            ("0.1.0", "0.1"),
            ("0.1.17", "0.1"),
            ("0.2.0", "0.2"),
            ("1.2.3", "1"),
            ("0.1.0-rc.1", "0.1.0-rc.1"),
            ("", ""),
        ] {
            assert_eq!(track(version), on, "{version}");
        }
    }

    #[test]
    fn imports_that_some_world_has() {
        for (import, there) in [
            ("portolan:oci/host@0.1.0", true),
            ("portolan:oci/strategy@0.1.9", true),
            ("portolan:oci/frontend@0.1.0", false),
            ("portolan:oci/teleport@0.1.0", false),
            ("wasi:cli/environment@0.2.0", true),
            ("wasi:io/streams@0.2.6", true),
            ("wasi:io/streams@0.3.0", false),
            ("wasi:nn/inference@0.2.0", false),
            ("example:host/thing", false),
            ("run", false),
        ] {
            assert_eq!(known(import, &INTERFACES), there, "{import}");
        }
    }

    #[test]
    fn reads_names_of_the_outermost_component_only() {
        let bytes = wat::parse_str(
            r#"(component
                (import "portolan:oci/host@0.1.0" (instance))
                (component
                    (core module)
                    (import "inner:only/x" (instance $x))
                    (export "portolan:oci/strategy@0.1.0" (instance $x)))
                (core module)
                (instance $i)
                (export "portolan:oci/frontend@0.1.0" (instance $i)))"#,
        )
        .unwrap();
        let shape = Shape::of(&bytes).unwrap();
        assert_eq!(
            (shape.imports.as_slice(), shape.exports.as_slice()),
            (&["portolan:oci/host@0.1.0".to_owned()][..], &["portolan:oci/frontend@0.1.0".to_owned()][..])
        );
        assert!(shape.check("x", "frontend", "portolan:oci/frontend").is_ok());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        const FRONTEND: &str = "portolan:oci/frontend";
        for (imports, exports, interface, says) in [
            (&["portolan:oci/resolver@0.1.0"][..], &["portolan:oci/frontend@0.1.0"][..], FRONTEND, None),
            (&["portolan:oci/host@0.1.0"], &["portolan:oci/strategy@0.1.0"], STRATEGY, None),
            // A strategy asks nobody.
            (
                &["portolan:oci/resolver@0.1.0"],
                &["portolan:oci/strategy@0.1.0"],
                STRATEGY,
                Some("imports portolan:oci/resolver@0.1.0"),
            ),
            (&[], &["portolan:oci/frontend@0.2.0"], FRONTEND, Some("0.2.0")),
            (&["portolan:oci/host@0.2.0"], &["portolan:oci/frontend@0.1.0"], FRONTEND, Some("0.2.0")),
            (&[], &["portolan:oci/frontends@0.1.0"], FRONTEND, Some("exports no `portolan:oci/frontend`")),
        ] {
            let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
            let found = Shape::told(&own(imports), &own(exports)).check("x", "component", interface);
            let found = found.map_err(|error| error.to_string());
            match says {
                None => assert_eq!(found, Ok(()), "{imports:?} {exports:?}"),
                Some(says) => assert!(found.as_ref().is_err_and(|said| said.contains(says)), "{found:?}"),
            }
        }
    }

    #[test]
    fn names_in_messages_are_few_and_short_and_steer_nothing() {
        let many: Vec<String> = (0..100).map(|number| format!("a:b/{number}\u{1b}{}", "x".repeat(1_000))).collect();
        let frontend = ["portolan:oci/frontend@0.1.0".to_owned()];
        for shape in [Shape::told(&many, &frontend), Shape::told(&[], &many)] {
            let said = shape.check("x", "frontend", "portolan:oci/frontend").unwrap_err().to_string();
            assert!(said.len() < (LISTED + 1) * (NAME + 16) && !said.contains('\u{1b}'), "{} {said}", said.len());
            assert!(said.contains("a:b/7") && !said.contains("a:b/8"), "{said}");
        }
        let shape = Shape::told(&["wasi:io/streams@0.2.0".to_owned(), "wasi:iota/x@0.2.0".to_owned()], &[]);
        assert_eq!(shape.needs("wasi:io"), ["wasi:io/streams@0.2.0"]);
    }
}

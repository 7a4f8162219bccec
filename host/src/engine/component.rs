//! Where a component's bytes come from, and what they have to be before anything looks deeper.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use portolan_oci::Digest;

use super::LoadError;
use crate::embedded::COMPONENTS;
use crate::limits::Limits;
use crate::session::budget;

/// A component to load.
#[derive(Debug, Clone, Copy)]
pub enum Component<'a> {
    /// One that is part of this program.
    Bundled(Bundled),
    /// A file.
    File(&'a Path),
    /// Its bytes.
    Bytes(&'a [u8]),
    /// Its bytes, and what to call it: where they come from.
    Named(&'a str, &'a [u8]),
}

/// The components that are part of this program. They import nothing but `portolan:oci/*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bundled {
    /// From a reference to root, manifest and config; also the typed question of build hosts.
    Resolve,
    /// What an image or artifact is.
    Inspect,
    /// Layers, diff-ids, chain-ids and sizes.
    Layers,
    /// A new index from old ones.
    Create,
    /// Images from anywhere to anywhere.
    Copy,
    /// The tags of a repository, the names in a store.
    Tags,
    /// What differs between two images.
    Diff,
    /// What Portolan makes of a reference or a platform.
    Explain,
    /// Not a frontend: which entry a name means, which entry is for a platform.
    Strategy,
}

impl Bundled {
    /// All of them, the strategy last.
    pub fn all() -> &'static [Bundled] {
        &[
            Bundled::Resolve,
            Bundled::Inspect,
            Bundled::Layers,
            Bundled::Create,
            Bundled::Copy,
            Bundled::Tags,
            Bundled::Diff,
            Bundled::Explain,
            Bundled::Strategy,
        ]
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Bundled> {
        Bundled::all().iter().copied().find(|bundled| bundled.name() == name)
    }

    /// Its name, which is its command's.
    pub fn name(self) -> &'static str {
        match self {
            Bundled::Resolve => "resolve",
            Bundled::Inspect => "inspect",
            Bundled::Layers => "layers",
            Bundled::Create => "create",
            Bundled::Copy => "copy",
            Bundled::Tags => "tags",
            Bundled::Diff => "diff",
            Bundled::Explain => "explain",
            Bundled::Strategy => "strategy",
        }
    }

    /// The component, as the build script made it.
    pub fn bytes(self) -> &'static [u8] {
        COMPONENTS.bytes(self.name())
    }

    /// The digest of those bytes, which are not looked at for it.
    pub fn digest(self) -> Digest {
        COMPONENTS.digest(self.name())
    }

    /// The same frontend with the bundled strategy linked in, which spares a run a second instance and all that crosses
    /// between the two: for hosts that plug in no other.
    pub(super) fn judged_bytes(self) -> &'static [u8] {
        COMPONENTS.bytes(&self.judged())
    }

    /// The digest of those.
    pub(super) fn judged_digest(self) -> Digest {
        COMPONENTS.digest(&self.judged())
    }

    fn judged(self) -> String {
        match self {
            Bundled::Strategy => self.name().to_owned(),
            frontend => format!("{}-judged", frontend.name()),
        }
    }
}

impl<'a> Component<'a> {
    /// What to call it until it has told its own name.
    pub(super) fn label(&self) -> String {
        match self {
            Component::Bundled(bundled) => bundled.name().to_owned(),
            Component::File(path) => path.display().to_string(),
            Component::Bytes(_) => "the component".to_owned(),
            Component::Named(name, _) => (*name).to_owned(),
        }
    }

    /// Its bytes, which are a component of a size that we take.
    pub(super) fn read(&self, limits: &Limits) -> Result<Cow<'a, [u8]>, LoadError> {
        let label = || self.label();
        let bytes = match self {
            Component::Bundled(bundled) => return Ok(Cow::Borrowed(bundled.bytes())),
            Component::File(path) => Cow::Owned(read(path, limits.component)?),
            Component::Bytes(bytes) | Component::Named(_, bytes) => Cow::Borrowed(*bytes),
        };
        if bytes.len() as u64 > limits.component {
            return Err(LoadError::TooLarge { component: label(), limit: budget::bytes(limits.component) });
        }
        match Format::of(&bytes) {
            Format::Component => Ok(bytes),
            Format::Module => Err(LoadError::CoreModule { component: label() }),
            Format::Text => Err(LoadError::Text { component: label() }),
            Format::None => Err(LoadError::NotWasm { component: label() }),
        }
    }
}

/// At most one byte more than `limit`: no length is believed.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, LoadError> {
    let fail = |error| LoadError::Io { component: path.display().to_string(), error };
    let file = File::open(path).map_err(fail)?;
    if !file.metadata().map_err(fail)?.is_file() {
        return Err(fail(std::io::Error::other("it is no file")));
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// What bytes are at first sight.
#[derive(Debug, PartialEq, Eq)]
enum Format {
    Component,
    Module,
    /// WebAssembly as text, which we could read and do not: what runs is what was published.
    Text,
    None,
}

impl Format {
    fn of(bytes: &[u8]) -> Self {
        // `\0asm`, then the version and the layer, little endian: modules are version 1 of layer 0, components of layer 1.
        match bytes {
            [0, b'a', b's', b'm', _, _, 1, 0, ..] => Format::Component,
            [0, b'a', b's', b'm', _, _, 0, 0, ..] => Format::Module,
            _ => match bytes.trim_ascii_start() {
                [b'(', ..] | [b';', b';', ..] => Format::Text,
                _ => Format::None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_formats_apart() {
        for (bytes, format) in [
            (&b""[..], Format::None),
            (b"\0asm", Format::None),
            (b"\0asm\x01\0\0\0", Format::Module),
            (b"\0asm\x0d\0\x01\0", Format::Component),
            (b" \n(component)", Format::Text),
            (b";; a comment\n(module)", Format::Text),
            (b"\x7fELF", Format::None),
            (b"{}", Format::None),
        ] {
            assert_eq!(Format::of(bytes), format, "{bytes:?}");
        }
    }

    #[test]
    fn bundled_components_are_found_by_name() {
        for &bundled in Bundled::all() {
            assert_eq!(Bundled::named(bundled.name()), Some(bundled));
            assert_eq!(Format::of(bundled.bytes()), Format::Component, "{}", bundled.name());
            assert_eq!(Format::of(bundled.judged_bytes()), Format::Component, "{}", bundled.name());
        }
        assert_eq!(Bundled::named("Resolve"), None);
    }

    #[test]
    fn size_is_bounded_at_its_edge() {
        let limits = Limits { component: 8, ..Limits::default() };
        assert!(Component::Bytes(b"\0asm\x0d\0\x01\0").read(&limits).is_ok());
        assert!(matches!(Component::Bytes(b"\0asm\x0d\0\x01\0\0").read(&limits), Err(LoadError::TooLarge { .. })));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"\0asm\x0d\0\x01\0\0").unwrap();
        assert!(matches!(Component::File(file.path()).read(&limits), Err(LoadError::TooLarge { .. })));
        assert!(matches!(Component::File(Path::new("/")).read(&limits), Err(LoadError::Io { .. })));
        assert!(matches!(Component::File(Path::new("/dev/zero")).read(&limits), Err(LoadError::Io { .. })));
    }

    #[test]
    fn nothing_but_a_component_is_read() {
        let read = |bytes| Component::Bytes(bytes).read(&Limits::default()).map(drop);
        assert!(matches!(read(b"\0asm\x01\0\0\0"), Err(LoadError::CoreModule { .. })));
        assert!(matches!(read(b"(component)"), Err(LoadError::Text { .. })));
        assert!(matches!(read(b"\x7fELF"), Err(LoadError::NotWasm { .. })));
    }
}

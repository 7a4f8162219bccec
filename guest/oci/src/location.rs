//! Where a reference points: into a registry, or into a store that the host was given under a name.
//!
//! At the boundary a store's name is one opaque component, percent-encoded so that it holds no `/`, `:` or `@`; guests can
//! do nothing with it but hand it back and show it.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::reference::{InvalidReference, Reference};

/// What kind of store a name is bound to; for the reader, as both are asked alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// A folder.
    OciLayout,
    /// A tar of such a folder.
    OciArchive,
    /// A tar as `docker save` writes it.
    DockerArchive,
    /// The results of a builder, which are one store: it goes without a name.
    Buildkit,
    /// A namespace of containerd.
    Containerd,
}

impl Scheme {
    /// All of them.
    pub const ALL: [Scheme; 5] =
        [Scheme::OciLayout, Scheme::OciArchive, Scheme::DockerArchive, Scheme::Buildkit, Scheme::Containerd];

    /// What stands before `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::OciLayout => "oci-layout",
            Scheme::OciArchive => "oci-archive",
            Scheme::DockerArchive => "docker-archive",
            Scheme::Buildkit => "buildkit",
            Scheme::Containerd => "containerd",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A reference with a scheme, or without one into a registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Location {
    /// `[docker://|oci://]NAME[:TAG][@DIGEST]`
    Registry(Reference),
    /// `oci-layout://STORE[:TAG|/NAME[:TAG]][@DIGEST]`, and so with every other [`Scheme`].
    Store(Store),
}

/// A place in a store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Store {
    /// What it is.
    pub scheme: Scheme,
    /// The name it is bound under, percent-encoded.
    pub name: String,
    /// What is asked for in it, as typed: empty, `:TAG` or `/NAME[:TAG]`.
    pub rest: String,
    /// The digest after `@`.
    pub digest: Option<Digest>,
}

impl Store {
    /// `oci-layout://STORE`.
    pub fn repository(&self) -> String {
        format!("{}://{}", self.scheme, self.name)
    }
}

/// The transport of skopeo's that a text begins with, and what is written here instead.
fn transport(text: &str) -> Option<(&str, &'static str)> {
    let (transport, _) = text.split_once(':')?;
    let ours = match transport {
        "oci" => "skopeo's oci:DIR:TAG is oci-layout://DIR:TAG here",
        "oci-archive" => "skopeo's oci-archive:FILE:TAG is oci-archive://FILE:TAG here",
        "docker-archive" => "skopeo's docker-archive:FILE is docker-archive://FILE here",
        "oci-layout" => "a layout is oci-layout://DIR:TAG",
        "docker-daemon" => "what a Docker daemon has is read by docker-archive://- from what `docker save` writes",
        "dir" | "containers-storage" => "what only skopeo reads, skopeo can copy to an oci:DIR, oci-layout://DIR here",
        _ => return None,
    };
    Some((transport, ours))
}

impl Location {
    /// Reads what a user or a frontend wrote.
    ///
    /// # Errors
    /// A scheme that there is not, a store without a name, a malformed digest; in a registry what [`Reference::parse`]
    /// refuses. What is asked for in a store is free text: a strategy judges it.
    pub fn parse(text: &str) -> Result<Self, InvalidLocation> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return match (transport(text), Reference::parse(text)) {
                (None, parsed) => Ok(Location::Registry(parsed?)),
                // Docker Hub may have an `oci` or a `dir`, and has no `oci-archive`.
                (Some((transport, _)), Ok(reference)) if !transport.contains('-') => Ok(Location::Registry(reference)),
                (Some((_, ours)), _) => Err(InvalidLocation(InvalidReference::new(text, ours))),
            };
        };
        if matches!(scheme, "docker" | "oci") {
            return Ok(Location::Registry(Reference::parse(rest)?));
        }
        let fail = |why: String| Err(InvalidLocation(InvalidReference::new(text, why)));
        let Some(scheme) = Scheme::ALL.into_iter().find(|known| known.as_str() == scheme) else {
            let known = Scheme::ALL.map(Scheme::as_str).join(", ");
            return fail(format!("its scheme is none of docker, oci, {known}"));
        };
        let (rest, digest) = match rest.rsplit_once('@') {
            None => (rest, None),
            Some((rest, digest)) => match Digest::parse(digest) {
                Ok(digest) => (rest, Some(digest)),
                Err(error) => return fail(error.to_string()),
            },
        };
        let end = rest.find(['/', ':', '@']).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        if name.is_empty() {
            return fail("it names no store".into());
        }
        // `:` or `/` with nothing behind it asks for nothing, and was hardly meant.
        if matches!(rest, ":" | "/") {
            return fail(format!("nothing follows the last `{rest}`"));
        }
        Ok(Location::Store(Store { scheme, name: name.to_owned(), rest: rest.to_owned(), digest }))
    }

    /// Where the content lives, as the contract writes it.
    pub fn repository(&self) -> String {
        match self {
            Location::Registry(reference) => reference.repository(),
            Location::Store(store) => store.repository(),
        }
    }

    /// The digest that was named.
    pub fn digest(&self) -> Option<&Digest> {
        match self {
            Location::Registry(reference) => reference.digest.as_ref(),
            Location::Store(store) => store.digest.as_ref(),
        }
    }

    /// For a person: as typed, the store's name decoded, and left out where it is always the same.
    pub fn shown(&self) -> String {
        match self {
            Location::Registry(reference) => reference.to_string(),
            Location::Store(store) => {
                let mut text = match store.scheme {
                    Scheme::Buildkit => format!("{}://{}", store.scheme, store.rest.trim_start_matches('/')),
                    _ => format!("{}://{}{}", store.scheme, decode_store(&store.name), store.rest),
                };
                if let Some(digest) = &store.digest {
                    text.push('@');
                    text.push_str(digest.as_str());
                }
                text
            }
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Registry(reference) => reference.fmt(f),
            Location::Store(store) => {
                write!(f, "{}{}", store.repository(), store.rest)?;
                match &store.digest {
                    Some(digest) => write!(f, "@{digest}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl FromStr for Location {
    type Err = InvalidLocation;

    fn from_str(text: &str) -> Result<Self, InvalidLocation> {
        Self::parse(text)
    }
}

/// The name under which a store is bound, from what was typed: everything but letters, digits, `-`, `.`, `_` and `~` is
/// written as `%XX`.
pub fn encode_store(typed: impl AsRef<[u8]>) -> String {
    let mut name = String::new();
    for &byte in typed.as_ref() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    name
}

/// What was typed, from the name under which a store is bound. What is no `%XX` stays as it is.
pub fn decode_store(name: &str) -> String {
    String::from_utf8_lossy(&percent_decode(name)).into_owned()
}

/// `%XX` decoded, everything else kept.
pub(crate) fn percent_decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = |at: usize| tail.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        rest = match (byte, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                tail.get(2..).unwrap_or_default()
            }
            _ => {
                bytes.push(byte);
                tail
            }
        };
    }
    bytes
}

/// A text that points nowhere, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidLocation(InvalidReference);

impl From<InvalidReference> for InvalidLocation {
    fn from(error: InvalidReference) -> Self {
        InvalidLocation(error)
    }
}

impl fmt::Display for InvalidLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for InvalidLocation {}

//! The typed question that build hosts ask most (`portolan:oci/image-resolver`), and its answer.

use portolan_oci::Descriptor;

/// Which image, for which platform.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// A reference with or without a scheme.
    pub reference: String,
    /// The host's where it is absent.
    pub platform: Option<String>,
    /// Whose bytes are wanted; the descriptors always come.
    pub parts: Parts,
    /// An open list: `mode`, `expect-digest`.
    pub options: Vec<(String, String)>,
}

/// Documents of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts {
    /// The root index.
    pub index: bool,
    /// The platform's manifest.
    pub manifest: bool,
    /// Its config.
    pub config: bool,
}

/// A document, with its bytes where they were wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// What it is.
    pub descriptor: Descriptor,
    /// As stored.
    pub bytes: Option<Vec<u8>>,
}

/// What a reference means for a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedImage {
    /// Where it lives.
    pub repository: String,
    /// What was chosen, in the long normalised form.
    pub platform: String,
    /// The root; absent where the reference points straight at a manifest.
    pub index: Option<Content>,
    /// The platform's manifest.
    pub manifest: Content,
    /// Its config.
    pub config: Content,
    /// All that the image is there for.
    pub platforms: Vec<String>,
}

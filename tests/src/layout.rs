//! An image layout that a test makes: right in everything but what the test then breaks.

use std::fs;
use std::path::{Path, PathBuf};

use portolan_oci::{Descriptor, Digest, media_type};
use tempfile::TempDir;

/// The media type of layers that are not compressed.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A layout in a temporary folder.
pub struct Layout {
    folder: TempDir,
}

impl Default for Layout {
    fn default() -> Self {
        Self::new()
    }
}

impl Layout {
    /// One without content, whose index.json has no entries.
    pub fn new() -> Self {
        let layout = Layout { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir_all(layout.path("blobs/sha256")).expect("a folder");
        layout.write("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        layout.entries(&[]);
        layout
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Something in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the blob of this digest is.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.path(&format!("blobs/{}", digest.as_str().replace(':', "/")))
    }

    /// Writes a file, whatever was there.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("a file");
    }

    /// Stores content.
    pub fn insert(&self, media_type: &str, bytes: impl AsRef<[u8]>) -> Descriptor {
        let descriptor = Descriptor::of(media_type, bytes.as_ref());
        fs::write(self.blob(&descriptor.digest), bytes).expect("a blob");
        descriptor
    }

    /// Stores an image of one layer for linux/amd64.
    pub fn image(&self, layer: &[u8]) -> Image {
        let layer = self.insert(LAYER, layer);
        let (config, manifest) = self.manifest("amd64", std::slice::from_ref(&layer));
        Image { manifest, config, layer }
    }

    /// Stores config and manifest of an image for linux of layers that are there, none of them compressed.
    pub fn manifest(&self, architecture: &str, layers: &[Descriptor]) -> (Descriptor, Descriptor) {
        let diff_ids: Vec<String> = layers.iter().map(|layer| format!("{:?}", layer.digest.as_str())).collect();
        let config = self.insert(
            media_type::OCI_CONFIG,
            format!(
                r#"{{"architecture":"{architecture}","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
                diff_ids.join(",")
            ),
        );
        let layers: Vec<String> = layers.iter().map(json).collect();
        let manifest = self.insert(
            media_type::OCI_MANIFEST,
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
                media_type::OCI_MANIFEST,
                json(&config),
                layers.join(",")
            ),
        );
        (config, manifest)
    }

    /// Makes these the entries of index.json.
    pub fn entries(&self, entries: &[Descriptor]) {
        self.write("index.json", index(entries));
    }
}

/// The three parts of a small image.
pub struct Image {
    /// The manifest.
    pub manifest: Descriptor,
    /// The config.
    pub config: Descriptor,
    /// The only layer.
    pub layer: Descriptor,
}

/// An index of these.
pub fn index(entries: &[Descriptor]) -> String {
    let entries: Vec<String> = entries.iter().map(json).collect();
    format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#, media_type::OCI_INDEX, entries.join(","))
}

/// A descriptor as an index has it, with its annotations.
pub fn json(descriptor: &Descriptor) -> String {
    serde_json::to_string(descriptor).expect("a descriptor is JSON")
}

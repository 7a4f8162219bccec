//! The JSON answer, which scripts rely on.

use portolan_sdk::oci::{Descriptor, Platform};
use portolan_sdk::traverse::{self, Image, Root};
use portolan_sdk::{Context, Failure};
use serde::Serialize;

/// Descriptors here are media type, digest and size, and platforms the long normalised form. Without a platform, a root
/// that is an index has neither manifest nor config.
#[derive(Debug, Serialize)]
pub(crate) struct Answer {
    reference: String,
    platform: Option<String>,
    root: Descriptor,
    manifest: Option<Descriptor>,
    config: Option<Descriptor>,
    platforms: Vec<String>,
}

impl Answer {
    pub(crate) fn new(ctx: &impl Context, root: &Root, image: Option<&Image>) -> Result<Self, Failure> {
        // An artifact is for no platform.
        let platform = match image {
            Some(image) if image.manifest.is_image() => Some(image.platform(ctx)?.long()),
            _ => None,
        };
        Ok(Answer {
            reference: root.name(),
            platform,
            root: root.descriptor.bare(),
            manifest: image.map(|image| image.descriptor.bare()),
            config: image.map(|image| image.manifest.config.bare()),
            platforms: traverse::platforms(ctx, root)?.iter().map(Platform::long).collect(),
        })
    }
}

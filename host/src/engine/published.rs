//! A component in a registry: the CNCF's artifact for WebAssembly, an image manifest whose config is
//! `application/vnd.wasm.config.v0+json` and whose one layer is the component, `application/wasm`.
//!
//! The config says what the component imports and exports, so that one that does not fit is refused before it is fetched.
//! That is a courtesy, and no check: the component itself is looked at when it is loaded.
//!
//! Not here: which digest a name may mean. Whoever pins names decides that, between resolving and fetching.

use bytes::Bytes;
use portolan_oci::{Descriptor, Digest, Kind, Manifest};
use serde::Deserialize;

use super::LoadError;
use super::load::FRONTEND;
use super::shape::Shape;
use crate::limits::Limits;
use crate::session::budget;
use crate::source::Source;

pub(super) const CONFIG: &str = "application/vnd.wasm.config.v0+json";
pub(super) const LAYER: &str = "application/wasm";
pub(super) const ARCHITECTURE: &str = "wasm";
/// What the config of a component says; a core module's says wasip1.
pub(super) const SYSTEM: &str = "wasip2";

/// A component that was published, fetched and verified.
#[derive(Debug, Clone)]
pub struct Published {
    /// The artifact's manifest: what a name is pinned to.
    pub manifest: Descriptor,
    /// The component.
    pub bytes: Bytes,
}

/// As far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    architecture: String,
    os: String,
    #[serde(default)]
    layer_digests: Vec<Digest>,
    component: Option<Told>,
}

/// What a component is told to be.
#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    imports: Vec<String>,
    #[serde(default)]
    exports: Vec<String>,
}

impl Published {
    /// Fetches the frontend whose manifest this is, as [`Source::resolve`] found it; `name` is for messages.
    ///
    /// # Errors
    /// What is no artifact with one component, one that says that it does not fit, one that is too large; whatever the source
    /// says.
    pub async fn fetch(
        source: &dyn Source,
        manifest: Descriptor,
        name: &str,
        limits: &Limits,
    ) -> Result<Published, LoadError> {
        let no = |reason: String| LoadError::NotPublished { component: name.to_owned(), reason };
        if manifest.kind() != Kind::Manifest {
            return Err(no(format!("it is of type {}, and a component is one manifest", manifest.media_type)));
        }
        let bytes = source.fetch(&manifest, limits).await?;
        let parsed = Manifest::parse(&bytes).map_err(|error| no(error.to_string()))?;
        if parsed.config.media_type != CONFIG {
            return Err(no(format!("its config is of type {}, not {CONFIG}", parsed.config.media_type)));
        }
        let [layer] = &*parsed.layers else {
            return Err(no(format!("it has {} layers, and a component is one", parsed.layers.len())));
        };
        if layer.media_type != LAYER {
            return Err(no(format!("its layer is of type {}, not {LAYER}", layer.media_type)));
        }
        if layer.size > limits.component {
            let limit = budget::bytes(limits.component);
            return Err(LoadError::TooLarge { component: name.to_owned(), limit });
        }
        let config = source.fetch(&parsed.config, &Limits { attestation: limits.document, ..limits.clone() }).await?;
        fits(&config, layer, name)?;
        let bytes = source.fetch(layer, &Limits { attestation: limits.component, ..limits.clone() }).await?;
        Ok(Published { manifest, bytes })
    }
}

/// Whether the component that a config speaks of can be a frontend here.
fn fits(config: &[u8], layer: &Descriptor, name: &str) -> Result<(), LoadError> {
    let no = |reason: String| LoadError::NotPublished { component: name.to_owned(), reason };
    let Config { architecture, os, layer_digests, component } =
        serde_json::from_slice(config).map_err(|error| no(format!("its config is none: {error}")))?;
    if (architecture.as_str(), os.as_str()) != (ARCHITECTURE, SYSTEM) {
        return Err(no(format!("its config is for {os:?}/{architecture:?}, not {SYSTEM}/{ARCHITECTURE}")));
    }
    if !layer_digests.is_empty() && layer_digests != [layer.digest.clone()] {
        return Err(no("its config speaks of another layer".to_owned()));
    }
    match component {
        Some(Told { imports, exports }) => Shape::told(&imports, &exports).check(name, "frontend", FRONTEND),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configs() {
        let layer = Descriptor::of(LAYER, b"component");
        let told = |fields: &str| format!(r#"{{"architecture":"wasm","os":"wasip2"{fields}}}"#);
        let component = |imports: &str, exports: &str| {
            told(&format!(r#","component":{{"imports":[{imports}],"exports":[{exports}],"target":null}}"#))
        };
        let frontend = r#""portolan:oci/frontend@0.1.0""#;
        for (config, says) in [
            (told(""), None),
            (told(&format!(r#","layerDigests":["{}"],"author":null"#, layer.digest)), None),
            (component("", frontend), None),
            (component(r#""portolan:oci/resolver@0.1.0","wasi:cli/stdout@0.2.3""#, frontend), None),
            (component(r#""evil:kernel/module@1.0.0""#, frontend), Some("imports evil:kernel/module@1.0.0")),
            (component("", r#""wasi:cli/run@0.2.0""#), Some("exports no `portolan:oci/frontend`")),
            (component("", r#""portolan:oci/frontend@0.9.0""#), Some("was built for portolan:oci 0.9.0")),
            (
                told(r#","layerDigests":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]"#),
                Some("another layer"),
            ),
            (told(&format!(r#","layerDigests":["{0}","{0}"]"#, layer.digest)), Some("another layer")),
            (told(r#","layerDigests":["sha256:../x"]"#), Some("its config is none")),
            (r#"{"architecture":"wasm","os":"wasip1"}"#.into(), Some(r#"for "wasip1"/"wasm""#)),
            (r#"{"architecture":"amd64","os":"linux"}"#.into(), Some(r#"for "linux"/"amd64""#)),
            (r#"{"architecture":"amd64","os":"wasip2"}"#.into(), Some(r#"for "wasip2"/"amd64""#)),
            ("{}".into(), Some("its config is none")),
            ("[]".into(), Some("its config is none")),
            (String::new(), Some("its config is none")),
        ] {
            let found = fits(config.as_bytes(), &layer, "r.example/f:1").map_err(|error| error.to_string());
            match says {
                None => assert_eq!(found, Ok(()), "{config}"),
                Some(says) => assert!(found.as_ref().is_err_and(|said| said.contains(says)), "{config}: {found:?}"),
            }
        }
    }
}

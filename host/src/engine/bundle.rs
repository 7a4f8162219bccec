//! One file from a frontend: with its strategy, a component in the host's place, and a command line in front, so that any
//! runtime of WASI 0.2 components runs it.
//!
//! The parts are `guest/provider` and `guest/provider/adapter`, as the build script made them. Not here: how they do what
//! they do, and where the file goes.

use super::compose;
use super::shape::Shape;
use super::{Component, Host, LoadError};
use crate::embedded::COMPONENTS;

/// Makes a command of a frontend.
const ADAPTER: &str = "adapter";
/// Reads layouts.
const PROVIDER: &str = "provider";
/// Asks registries too.
const PROVIDER_HTTP: &str = "provider-http";

/// What a bundle reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BundleReads {
    /// OCI layouts, in the folders that the runtime opens.
    #[default]
    Layouts,
    /// Registries too, anonymously, over `wasi:http`.
    Registries,
}

impl Host {
    /// A component that runs anywhere WASI 0.2 does (`wasmtime run --dir DIR::/NAME bundle.wasm FRONTEND oci-layout://NAME`):
    /// the frontend, this host's strategy, and a stand-in for the host, which reads what `reads` says. It exports `wasi:cli/run`, and what the frontend exports.
    ///
    /// # Errors
    /// As [`load`](Host::load), and for a frontend that imports what nothing in a bundle gives.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn bundle(&self, component: Component<'_>, reads: BundleReads) -> Result<Vec<u8>, LoadError> {
        let label = component.label();
        // Checked as for a run: what is malformed, or was built for another contract, is told in the same words.
        self.load(component).await?;
        let bytes = component.read(&self.limits())?;
        let shape = Shape::of(&bytes).map_err(|reason| LoadError::Invalid { component: label.clone(), reason })?;
        let imports = shape.needs("wasi:http");
        if reads == BundleReads::Layouts && !imports.is_empty() {
            return Err(LoadError::NotInBundle { component: label, imports });
        }
        let provider = match reads {
            BundleReads::Layouts => PROVIDER,
            BundleReads::Registries => PROVIDER_HTTP,
        };
        let (provider, adapter) = (COMPONENTS.bytes(provider), COMPONENTS.bytes(ADAPTER));
        let parts = compose::Parts { frontend: &bytes, strategy: self.strategy(), provider, adapter };
        compose::bundle(&parts).map_err(|error| shape.skewed(&label, format!("{error:#}")))
    }
}

//! The bundled strategy: which entry a name means, which entry is for a platform, by the rules of [`portolan_sdk::oci`].
//!
//! What may be judged otherwise is here and nowhere else: a component that exports the same interface takes this one's
//! place with `--strategy FILE.wasm`. Natively it is what frontends are tested with. A strategy that judges one thing
//! otherwise links it without its feature `component` and delegates the rest.

use portolan_sdk::oci::document::Outline;
use portolan_sdk::oci::{Index, Mode, Platform, names, platform};
use portolan_sdk::{Failure, Machine, Strategy};

/// Strict by default; in compat modes what BuildKit and buildx do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bundled;

impl Strategy for Bundled {
    fn match_name(_: &impl Machine, entries: &[u8], name: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        let matches = names::match_name(&Index::parse(entries)?, name, mode).map_err(|invalid| {
            Failure::new(invalid.to_string()).hint("write :TAG, /NAME or /NAME:TAG after the store")
        })?;
        Ok(positions(matches))
    }

    fn select(machine: &impl Machine, index: &[u8], platform: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        let machine = machine.platform();
        let wanted = Platform::parse(platform, &machine)?;
        Ok(positions(platform::select_in(&Outline::parse(index)?, &wanted, &machine, mode)))
    }
}

/// An index has far fewer entries than 2^32: its text is at most some megabytes long.
fn positions(positions: Vec<usize>) -> Vec<u32> {
    positions.into_iter().map(|position| position as u32).collect()
}

#[cfg(feature = "component")]
portolan_sdk::strategy!(Bundled);

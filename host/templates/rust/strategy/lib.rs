//! {{name}}: for linux, whatever the machine runs.
//!
//! A strategy judges: which of a store's entries a name means, and which of an index's entries is for a platform. What it
//! does not want to judge otherwise it leaves to the rules of `portolan_sdk::oci`, as this one does.

use portolan_sdk::oci::{Index, Mode, Platform, names, platform};
use portolan_sdk::{Failure, Machine, Strategy};

struct Judge;

impl Strategy for Judge {
    fn match_name(_: &impl Machine, entries: &[u8], name: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        let matches = names::match_name(&Index::parse(entries)?, name, mode)
            .map_err(|invalid| Failure::new(invalid.to_string()).hint("write :TAG, /NAME or /NAME:TAG after the store"))?;
        Ok(positions(matches))
    }

    fn select(machine: &impl Machine, index: &[u8], platform: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        let machine = Platform { os: "linux".to_owned(), ..machine.platform() };
        let wanted = Platform::parse(platform, &machine)?;
        Ok(positions(platform::select(&Index::parse(index)?, &wanted, &machine, mode)))
    }
}

fn positions(positions: Vec<usize>) -> Vec<u32> {
    positions.into_iter().filter_map(|position| position.try_into().ok()).collect()
}

portolan_sdk::strategy!(Judge);

#[cfg(test)]
mod tests {
    use portolan_sdk::mock::Mock;

    use super::*;

    #[test]
    fn chooses_linux_on_any_machine() {
        let mock = Mock::new(Judge).machine("darwin/arm64");
        let index = br#"{"schemaVersion": 2, "manifests": [
            {"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 2,
             "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
             "platform": {"os": "linux", "architecture": "arm64"}}]}"#;
        assert_eq!(Judge::select(&mock, index, "arm64", Mode::Strict), Ok(vec![0]));
        assert_eq!(Judge::select(&mock, index, "darwin/arm64", Mode::Strict), Ok(vec![]));
    }
}

//! A strategy of another mind: for amd64 it takes amd64/v3 first, and a name in a store means all that start with it.

use portolan_sdk::oci::names::{self, EntryName};
use portolan_sdk::oci::{Index, Mode, Platform, platform};
use portolan_sdk::{Failure, Machine, Strategy};

struct Eager;

impl Strategy for Eager {
    fn match_name(_: &impl Machine, entries: &[u8], name: &str, _: Mode) -> Result<Vec<u32>, Failure> {
        let entries = Index::parse(entries)?;
        let wanted = name.trim_start_matches([':', '/']);
        Ok(positions(names::roots(&entries).into_iter().filter(|&position| {
            let spellings = entries.manifests.get(position).and_then(names::entry_name).map(|name| match name {
                EntryName::Tag(tag) => vec![tag],
                EntryName::Full(full) => vec![full.resolved(), full.familiar(), full.tag_or_latest().to_owned()],
            });
            spellings.is_some_and(|spellings| spellings.iter().any(|spelling| spelling.starts_with(wanted)))
        })))
    }

    fn select(machine: &impl Machine, index: &[u8], platform: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        let machine = machine.platform();
        let mut wanted = Platform::parse(platform, &machine)?.normalized(&machine);
        if wanted.architecture == "amd64" && wanted.variant.is_empty() {
            wanted.variant = "v3".to_owned();
        }
        Ok(positions(platform::select(&Index::parse(index)?, &wanted, &machine, mode)))
    }
}

fn positions(positions: impl IntoIterator<Item = usize>) -> Vec<u32> {
    positions.into_iter().map(|position| position as u32).collect()
}

portolan_sdk::strategy!(Eager);

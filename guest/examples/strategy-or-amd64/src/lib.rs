//! A strategy: who has no image for linux/arm64 takes the one for linux/amd64.
//!
//! For who works on a machine that runs the other's programs by emulation (Rosetta, QEMU): an image that was never built for
//! arm64 is better than none. An image for arm64 comes first wherever there is one, and what is chosen in its place is
//! logged. All other platforms are judged as ever, and so are exact mode, in which nobody wants a fallback, and compat
//! modes, in which somebody else's rules are asked for.
//!
//! Entries that do not say what they are for are judged one by one, as they are read: among those the first that is for
//! either is taken.

use portolan_sdk::oci::{Mode, Platform};
use portolan_sdk::{Failure, Level, Machine, Strategy};
use portolan_strategy::Bundled;

struct OrAmd64;

/// What is emulated.
const INSTEAD: &str = "linux/amd64";

impl Strategy for OrAmd64 {
    fn match_name(machine: &impl Machine, entries: &[u8], name: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        Bundled::match_name(machine, entries, name, mode)
    }

    fn select(machine: &impl Machine, index: &[u8], platform: &str, mode: Mode) -> Result<Vec<u32>, Failure> {
        let mut chosen = Bundled::select(machine, index, platform, mode)?;
        let wanted = Platform::parse(platform, &machine.platform())?.normalized(&machine.platform());
        if mode != Mode::Strict || (wanted.os.as_str(), wanted.architecture.as_str()) != ("linux", "arm64") {
            return Ok(chosen);
        }
        let emulated = Bundled::select(machine, index, INSTEAD, mode)?;
        if chosen.is_empty() && !emulated.is_empty() {
            machine.log(Level::Warn, &format!("there is no {}, so {INSTEAD} is taken", wanted.long()));
        }
        // Behind all others: what is tried first is what was asked for.
        let more: Vec<u32> = emulated.into_iter().filter(|position| !chosen.contains(position)).collect();
        chosen.extend(more);
        Ok(chosen)
    }
}

portolan_sdk::strategy!(OrAmd64);

#[cfg(test)]
mod tests {
    use portolan_sdk::mock::Mock;
    use portolan_sdk::{Judgement, traverse};

    use super::*;

    fn mock() -> Mock<OrAmd64> {
        Mock::new(OrAmd64).folder(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/layouts"))
    }

    fn chosen(mock: &Mock<OrAmd64>, reference: &str, platform: &str, mode: Mode) -> Result<String, Failure> {
        let root = traverse::resolve(mock, &reference.parse()?, mode)?;
        let image = traverse::select(mock, &root, &Platform::parse(platform, &mock.platform())?, mode)?;
        Ok(image.platform(mock)?.long())
    }

    #[test]
    fn arm64_where_it_is_there_and_amd64_where_not() {
        let mock = mock();
        for (reference, wanted, expected) in [
            ("oci-layout://buildkit-multi:1.4", "linux/arm64", "linux/arm64"),
            ("oci-layout://buildkit-multi:1.4", "linux/arm/v7", "linux/arm/v7"),
            ("oci-layout://crane-nested:1", "linux/arm64", "linux/arm64"),
            ("oci-layout://buildkit-single:2", "linux/arm64/v8", "linux/amd64"),
        ] {
            assert_eq!(chosen(&mock, reference, wanted, Mode::Strict).unwrap(), expected, "{reference} {wanted}");
        }
        assert!(mock.logged().iter().any(|(_, line)| line == "there is no linux/arm64, so linux/amd64 is taken"));
    }

    #[test]
    fn the_other_stands_behind_in_an_index() {
        let positions = |architectures: &[&str]| {
            let entries = architectures.iter().map(|architecture| {
                format!(
                    r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:{:064}","size":1,
                        "platform":{{"os":"linux","architecture":"{architecture}"}}}}"#,
                    0
                )
            });
            let index = format!(r#"{{"manifests":[{}]}}"#, entries.collect::<Vec<_>>().join(","));
            mock().select(index.as_bytes(), "linux/arm64", Mode::Strict).unwrap()
        };
        assert_eq!(positions(&["amd64", "arm64"]), [1, 0]);
        assert_eq!(positions(&["s390x", "amd64"]), [1]);
        assert_eq!(positions(&["s390x"]), [0; 0]);
    }

    #[test]
    fn all_else_is_as_ever() {
        let (mock, single) = (mock(), "oci-layout://buildkit-single:2");
        for (platform, mode) in
            [("linux/arm64", Mode::Exact), ("linux/riscv64", Mode::Strict), ("windows/arm64", Mode::Strict)]
        {
            assert!(chosen(&mock, single, platform, mode).unwrap_err().is_not_found(), "{platform} {mode}");
        }
        let index = br#"{"manifests":[]}"#;
        assert_eq!(mock.select(index, "linux/arm64", Mode::CompatBuild).unwrap(), [0; 0]);
        assert_eq!(
            mock.match_name(index, "nope", Mode::Strict).unwrap_err().hint.as_deref(),
            Some("write :TAG, /NAME or /NAME:TAG after the store")
        );
    }
}

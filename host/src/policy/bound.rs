//! The budgets that a policy may set, each with its name in the file, and how their values are written.

use std::time::Duration;

use crate::Limits;
use crate::session::budget::{bytes, duration};

/// A budget of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// [`Limits::guest_memory`].
    Memory,
    /// [`Limits::guest_cpu`].
    Cpu,
    /// [`Limits::wall_clock`], of a bundled frontend, too.
    WallClock,
    /// [`Limits::host_calls`].
    HostCalls,
    /// [`Limits::run_documents`].
    Documents,
    /// [`Limits::response`].
    Response,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Bytes,
    Millis,
    Times,
}

impl Bound {
    /// All of them.
    pub const ALL: [Bound; 6] =
        [Bound::Memory, Bound::Cpu, Bound::WallClock, Bound::HostCalls, Bound::Documents, Bound::Response];

    /// Its key in `portolan.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Bound::Memory => "memory",
            Bound::Cpu => "cpu",
            Bound::WallClock => "wall-clock",
            Bound::HostCalls => "host-calls",
            Bound::Documents => "documents",
            Bound::Response => "response",
        }
    }

    fn unit(self) -> Unit {
        match self {
            Bound::Memory | Bound::Documents | Bound::Response => Unit::Bytes,
            Bound::Cpu | Bound::WallClock => Unit::Millis,
            Bound::HostCalls => Unit::Times,
        }
    }

    /// A number with its unit: `64 MiB`, `2 s`; bytes and counts need none.
    pub(super) fn parse(self, text: &str) -> Result<u64, String> {
        let (units, example): (&[(&str, u64)], _) = match self.unit() {
            Unit::Bytes => (
                &[("", 1), ("bytes", 1), ("byte", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)],
                "\"64 MiB\"",
            ),
            Unit::Millis => (&[("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000)], "\"2 s\""),
            Unit::Times => (&[("", 1)], "1000"),
        };
        let wrong = || {
            let names: Vec<&str> = units.iter().map(|(unit, _)| *unit).filter(|unit| !unit.is_empty()).collect();
            let names = if names.is_empty() { String::new() } else { format!(", with a unit of {}", names.join(", ")) };
            format!("{} is to be a whole number{names}: {example}, not {text:?}", self.name())
        };
        let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
        let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start_matches(' ')).ok_or_else(wrong)?;
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor)).ok_or_else(wrong)
    }

    /// A value as it can be written.
    pub(super) fn show(self, value: u64) -> String {
        match self.unit() {
            Unit::Bytes => bytes(value),
            Unit::Millis => duration(Duration::from_millis(value)),
            Unit::Times => value.to_string(),
        }
    }

    /// What limits say; `None` is without end.
    pub(super) fn of(self, limits: &Limits) -> Option<u64> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        match self {
            Bound::Memory => Some(limits.guest_memory),
            Bound::Cpu => Some(millis(limits.guest_cpu)),
            Bound::WallClock => limits.wall_clock.map(millis),
            Bound::HostCalls => Some(limits.host_calls),
            Bound::Documents => Some(limits.run_documents),
            Bound::Response => Some(limits.response),
        }
    }

    pub(super) fn set(self, limits: &mut Limits, value: u64) {
        match self {
            Bound::Memory => limits.guest_memory = value,
            Bound::Cpu => limits.guest_cpu = Duration::from_millis(value),
            Bound::WallClock => limits.wall_clock = Some(Duration::from_millis(value)),
            Bound::HostCalls => limits.host_calls = value,
            Bound::Documents => limits.run_documents = value,
            Bound::Response => limits.response = value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbers_with_their_unit() {
        for (bound, text, value) in [
            (Bound::Memory, "64 MiB", Some(64 << 20)),
            (Bound::Memory, "64MiB", Some(64 << 20)),
            (Bound::Memory, "1 GiB", Some(1 << 30)),
            (Bound::Memory, "4096", Some(4096)),
            (Bound::Memory, "0", Some(0)),
            (Bound::Memory, "64 MB", None),
            (Bound::Memory, "64 mib", None),
            (Bound::Memory, "", None),
            (Bound::Memory, "MiB", None),
            (Bound::Memory, "-1", None),
            (Bound::Memory, "1.5 GiB", None),
            (Bound::Memory, "18446744073709551616", None),
            (Bound::Memory, "18446744073709551615 KiB", None),
            (Bound::Memory, "64 MiB ", None),
            (Bound::Memory, "６４ MiB", None),
            (Bound::Cpu, "20 ms", Some(20)),
            (Bound::Cpu, "2 s", Some(2_000)),
            (Bound::WallClock, "5 min", Some(300_000)),
            (Bound::WallClock, "1 h", Some(3_600_000)),
            (Bound::Cpu, "2", None),
            (Bound::HostCalls, "1000", Some(1_000)),
            (Bound::HostCalls, "1000 B", None),
        ] {
            assert_eq!(bound.parse(text).ok(), value, "{bound:?} {text:?}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read_again_and_is_what_was_set() {
        for bound in Bound::ALL {
            for value in [0, 1, 1_000, 4_096, 60_000, 1 << 20, 90_000_000] {
                let mut limits = Limits::default();
                bound.set(&mut limits, value);
                assert_eq!(bound.of(&limits), Some(value));
                assert_eq!(bound.parse(&bound.show(value)), Ok(value), "{bound:?} {}", bound.show(value));
            }
        }
    }
}

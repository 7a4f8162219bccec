//! What a run may use up: time to compute, memory, calls, bytes.
//!
//! Every bound here ends the run when it is crossed, with [`Crossed`] as the trap's cause; the one that a guest is told of
//! instead, so that it may make do, is the documents' (see [`Answers`](super::answers::Answers)).

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::limits::Limits;

/// A bound of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::guest_memory`].
    Memory,
    /// [`Limits::guest_cpu`].
    Cpu,
    /// [`Limits::wall_clock`].
    WallClock,
    /// [`Limits::host_calls`].
    HostCalls,
    /// [`Limits::call_arguments`].
    CallArguments,
    /// [`Limits::response`].
    Response,
    /// The guest's stack, which is fixed.
    Stack,
}

/// A limit that was crossed: which, and what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossed {
    /// Which.
    pub limit: Limit,
    /// Its value, for a person: `256 MiB`, `10 s`.
    pub value: String,
}

impl Crossed {
    pub(crate) fn memory(limits: &Limits) -> Self {
        Crossed { limit: Limit::Memory, value: bytes(limits.guest_memory) }
    }

    pub(crate) fn cpu(limits: &Limits) -> Self {
        Crossed { limit: Limit::Cpu, value: duration(limits.guest_cpu) }
    }

    pub(crate) fn wall_clock(limit: Duration) -> Self {
        Crossed { limit: Limit::WallClock, value: duration(limit) }
    }

    pub(crate) fn host_calls(limits: &Limits) -> Self {
        Crossed { limit: Limit::HostCalls, value: limits.host_calls.to_string() }
    }

    pub(crate) fn call_arguments(limits: &Limits) -> Self {
        Crossed { limit: Limit::CallArguments, value: bytes(limits.call_arguments) }
    }

    pub(crate) fn response(limits: &Limits) -> Self {
        Crossed { limit: Limit::Response, value: bytes(limits.response) }
    }

    pub(crate) fn stack(size: usize) -> Self {
        Crossed { limit: Limit::Stack, value: bytes(size as u64) }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self.limit {
            Limit::Memory => {
                "ask it about less at once, or let it have more: `memory` in portolan.toml, or Limits::guest_memory in a \
                 host of your own"
            }
            Limit::Cpu => {
                "it may be stuck in a loop; if not, let it have more: `cpu` in portolan.toml, or Limits::guest_cpu in a host \
                 of your own"
            }
            Limit::WallClock => {
                "the registry may be slow, or the frontend stuck; to wait longer: `wall-clock` in portolan.toml, or \
                 Limits::wall_clock in a host of your own"
            }
            Limit::HostCalls => {
                "it may be stuck in a loop (resolve-all and prefetch take lists); if not, let it have more: `host-calls` in \
                 portolan.toml, or Limits::host_calls in a host of your own"
            }
            Limit::CallArguments => "a frontend hands content over in pieces, or lets the host copy it",
            Limit::Response => {
                "a frontend answers with `content` where the answer is large, which the host streams; more is `response` in \
                 portolan.toml, or Limits::response in a host of your own"
            }
            Limit::Stack => "it may recurse without end, or on a document nested too deep",
        }
    }
}

impl fmt::Display for Crossed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = &self.value;
        match self.limit {
            Limit::Memory => write!(f, "it needs more than the {value} of memory that it may have"),
            Limit::Cpu => write!(f, "it computed for longer than the {value} that it may"),
            Limit::WallClock => write!(f, "it did not answer within the {value} that a run may take"),
            Limit::HostCalls => write!(f, "it made more than the {value} calls to the host that it may"),
            Limit::CallArguments => write!(f, "it passed more than the {value} that one call to the host may carry"),
            Limit::Response => write!(f, "it answered with more than the {value} that a response may have"),
            Limit::Stack => write!(f, "it recursed deeper than its stack of {value}"),
        }
    }
}

impl std::error::Error for Crossed {}

/// Time that the guest computes. The clock runs while the guest does, and stands while it waits for the host or for its
/// turn: a slow registry does not eat the budget.
#[derive(Debug)]
pub(crate) struct Meter {
    start: Instant,
    /// Nanoseconds after `start` at which the guest got going; 0 while it waits.
    entered: AtomicU64,
    /// Nanoseconds that it computed before that.
    used: AtomicU64,
}

// One task at a time touches a meter; the atomics are there for `Sync` alone, so their order does not matter.
impl Meter {
    pub(crate) fn new() -> Self {
        Meter { start: Instant::now(), entered: AtomicU64::new(0), used: AtomicU64::new(0) }
    }

    /// The guest goes on.
    pub(crate) fn enter(&self) {
        self.entered.store(self.now().max(1), Ordering::Relaxed);
    }

    /// The guest waits.
    pub(crate) fn leave(&self) {
        self.used.store(self.used_nanos(), Ordering::Relaxed);
        self.entered.store(0, Ordering::Relaxed);
    }

    /// What the guest has computed so far.
    pub(crate) fn used(&self) -> Duration {
        Duration::from_nanos(self.used_nanos())
    }

    /// Since the run began, waiting included.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn used_nanos(&self) -> u64 {
        let running = match self.entered.load(Ordering::Relaxed) {
            0 => 0,
            entered => self.now().saturating_sub(entered),
        };
        self.used.load(Ordering::Relaxed).saturating_add(running)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// All linear memories and tables of a run, those of the strategy and of every core module inside included.
#[derive(Debug)]
pub(crate) struct Memory {
    used: u64,
    most: u64,
    crossed: Crossed,
    /// The last growth that was allowed, should it fail.
    last: u64,
}

impl Memory {
    pub(crate) fn new(limits: &Limits) -> Self {
        Memory { used: 0, most: limits.guest_memory, crossed: Crossed::memory(limits), last: 0 }
    }

    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    fn grow(&mut self, by: u64) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(by);
        if used > self.most {
            return Err(self.crossed.clone().into());
        }
        (self.used, self.last) = (used, by);
        Ok(true)
    }

    fn undo(&mut self) -> wasmtime::Result<()> {
        self.used = self.used.saturating_sub(std::mem::take(&mut self.last));
        Ok(())
    }
}

impl wasmtime::ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.grow(desired.saturating_sub(current) as u64)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.undo()
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let elements = desired.saturating_sub(current);
        self.grow(elements.saturating_mul(size_of::<usize>()) as u64)
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.undo()
    }

    // Empty ones cost as well, if only address space. Guests made from scripting languages have a few dozen.

    fn instances(&self) -> usize {
        1_000
    }

    fn tables(&self) -> usize {
        1_000
    }

    fn memories(&self) -> usize {
        32
    }
}

/// `4 MiB`, `64 KiB`, `7 bytes`.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0 => "0 bytes".to_owned(),
        _ if count.is_multiple_of(1 << 20) => format!("{} MiB", count >> 20),
        _ if count.is_multiple_of(1 << 10) => format!("{} KiB", count >> 10),
        1 => "1 byte".to_owned(),
        _ => format!("{count} bytes"),
    }
}

/// `5 min`, `10 s`, `50 ms`.
pub(crate) fn duration(duration: Duration) -> String {
    match duration.as_millis() {
        millis if millis >= 60_000 && millis.is_multiple_of(60_000) => format!("{} min", millis / 60_000),
        millis if millis.is_multiple_of(1_000) => format!("{} s", millis / 1_000),
        millis => format!("{millis} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::ResourceLimiter as _;

    #[test]
    fn values_read_well() {
        for (value, text) in
            [(4 << 20, "4 MiB"), (64 << 10, "64 KiB"), (1, "1 byte"), (0, "0 bytes"), (1025, "1025 bytes")]
        {
            assert_eq!(bytes(value), text);
        }
        for (millis, text) in [(300_000, "5 min"), (10_000, "10 s"), (50, "50 ms"), (90_000, "90 s"), (0, "0 s")] {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn memories_and_tables_count_together_to_the_edge() {
        let mut memory = Memory::new(&Limits { guest_memory: 128 << 10, ..Limits::default() });
        assert!(memory.memory_growing(0, 64 << 10, None).unwrap());
        assert!(memory.table_growing(0, (64 << 10) / size_of::<usize>(), None).unwrap());
        assert_eq!(memory.used(), 128 << 10);
        let error = memory.table_growing(0, 1, None).unwrap_err();
        assert_eq!(
            error.downcast_ref::<Crossed>().unwrap().to_string(),
            "it needs more than the 128 KiB of memory that it may have"
        );
        memory.memory_grow_failed(wasmtime::Error::msg("no")).unwrap();
        assert_eq!(memory.used(), 64 << 10);
        // One that failed before it was asked about takes nothing back.
        memory.memory_grow_failed(wasmtime::Error::msg("no")).unwrap();
        assert_eq!(memory.used(), 64 << 10);
        assert!(memory.memory_growing(64 << 10, 128 << 10, None).unwrap(), "what is there already counts once");
        memory.table_grow_failed(wasmtime::Error::msg("no")).unwrap();
        assert_eq!(memory.used(), 64 << 10);
    }

    #[test]
    fn the_clock_stands_while_the_guest_waits() {
        let meter = Meter::new();
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(meter.used(), Duration::ZERO);
        meter.enter();
        std::thread::sleep(Duration::from_millis(5));
        meter.leave();
        let used = meter.used();
        assert!(used >= Duration::from_millis(5));
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(meter.used(), used);
        assert!(meter.elapsed() >= Duration::from_millis(65));
    }
}

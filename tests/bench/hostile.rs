//! 10 000 hostile runs in a row on one host, each with 20 ms to compute: what the process holds at the end, against what it
//! held after the first hundred.
//!
//! The runs are those of the catalogue in `tests/hostile_guests` that use up time, memory and calls, or look around, one after
//! the other and over again. The first hundred has each of them twice: large buffers come from the system the first time, and
//! from then on out of what the allocator kept. What is refused before it runs is no run, and left out. Every now and then an
//! honest run sees that the host still serves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a benchmark fails by panicking"
)]
#![allow(dead_code, reason = "the modules serve test programs as well")]

#[path = "../hostile_guests/attacks/mod.rs"]
mod attacks;
#[path = "../hostile_guests/judge.rs"]
mod judge;
#[path = "../hostile_guests/raw.rs"]
mod raw;
#[path = "row.rs"]
mod row;
#[path = "../hostile_guests/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use portolan::{Frontend, Limit, Limits, RunError};
use portolan_tests::held::Held;

use attacks::{Attack, By, Must, Promise};
use judge::End;
use row::{Measured, Row, Target};
use world::World;

const RUNS: usize = 10_000;
/// The runs after which the host is warm.
const FIRST: usize = 100;
const CPU: Duration = Duration::from_millis(20);
/// At the end, of what it was after the first.
const TARGET: f64 = 1.05;

/// Whether it comes to a run.
fn runs(attack: &Attack) -> bool {
    let chosen = matches!(attack.promise, Promise::Time | Promise::Memory | Promise::Calls | Promise::Sandbox);
    let by_a_frontend = matches!(attack.by, By::Told { .. } | By::Component(_));
    chosen && by_a_frontend && !matches!(attack.must, Must::Refuse(_))
}

/// How a run ended, in a word or two.
fn how(end: End) -> &'static str {
    match end {
        End::Answered(_) => "answered",
        End::Ran(RunError::Limit { crossed, .. }) if crossed.limit == Limit::Cpu => "out of time",
        End::Ran(RunError::Limit { .. }) => "at another limit",
        End::Ran(RunError::Trapped { .. }) => "trapped",
        End::Ran(_) | End::Refused(_) => "broken or failed",
    }
}

async fn play(pooling: bool, all: &[&Attack]) {
    let world = World::with(Limits { guest_cpu: CPU, ..judge::limits() }, Duration::ZERO, pooling).await;
    // Loaded once: this is of runs. A pool's places have a size, into which some do not fit.
    let mut loaded: Vec<(&Attack, Frontend)> = Vec::new();
    for attack in all {
        if let Ok(frontend) = judge::load(&world, attack).await {
            loaded.push((attack, frontend));
        }
    }
    let mut ended: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut first, started) = (None, Instant::now());
    for number in 0..RUNS {
        let (attack, frontend) = &loaded[number % loaded.len()];
        *ended.entry(how(judge::run(&world, attack, frontend).await)).or_default() += 1;
        if (number + 1) % FIRST == 0 {
            // The machine may be busy, and a clock that goes on meanwhile is no fault.
            let patient = Limits { guest_cpu: Duration::from_secs(10), ..judge::limits() };
            let honest = world.host.run(world.run("behave", "").limits(patient)).await.unwrap();
            assert_eq!(world::text(honest), "good");
        }
        if number + 1 == FIRST {
            first = Some(Held::now());
        }
    }
    let (first, last) = (first.unwrap(), Held::now());
    let ended: Vec<String> = ended.iter().map(|(how, count)| format!("{count} {how}")).collect();
    let instances = if pooling { "pooling" } else { "on demand" };
    println!("{instances}: {} kinds, {:.0} s: {}", loaded.len(), started.elapsed().as_secs_f64(), ended.join(", "));
    let [first, last] = [first, last].map(|held| Measured(vec![held.memory as f64 / 1024.0]));
    Row::new(format!("memory after {RUNS} hostile runs, {instances}"), "MiB", &last)
        .against("after the first 100", &first)
        .target(Target::RatioAtMost(TARGET))
        .print();
}

fn main() {
    let all = attacks::all();
    let all: Vec<&Attack> = all.iter().filter(|attack| runs(attack)).collect();
    assert!(2 * all.len() <= FIRST, "the first {FIRST} do not have all {} twice", all.len());
    println!("==> {RUNS} hostile runs in a row, {} ms to compute for each: resident memory", CPU.as_millis());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Each on a host of its own, the one after the other: what the first left is in both figures of the second.
    for pooling in [false, true] {
        runtime.block_on(play(pooling, &all));
    }
}

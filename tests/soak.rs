//! Attacks and honest runs side by side in the same hosts, for a while: the honest ones get their answers, and what the
//! process holds afterwards is what it held when every attack had been there once.
//!
//! `SOAK_SECONDS` is how long (10 without it; `make soak` takes two minutes). How each attack must end is not looked at
//! here, but in `hostile_guests`: a busy machine stops some of them earlier.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "the modules serve another test program as well")]

#[path = "hostile_guests/attacks/mod.rs"]
mod attacks;
#[path = "hostile_guests/judge.rs"]
mod judge;
#[path = "hostile_guests/raw.rs"]
mod raw;
#[path = "hostile_guests/world.rs"]
mod world;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portolan::{Bundled, Component, Frontend, Grants, Limits, Run};
use portolan_tests::held::Held;
use tokio::runtime;

use attacks::Attack;
use world::{World, blob, small, text};

/// Attacks at a time in one host.
const ATTACKERS: usize = 2;
/// A turn that takes so much longer than it should hangs.
const HANGS: Duration = Duration::from_secs(300);

/// What is resident, a pool's places aside, may differ by what the hosts keep: 64 frontends each, with up to 250 kB of code
/// and of what belongs to it. In kilobytes.
///
/// Whether something leaks was looked for with thousands of attacks of one kind in a row. 4 000 runs of the hostile frontend
/// leave as many bytes on the heap as 400. 12 000 loads of components leave 27 kB for each frontend that is kept, wherever
/// that count stands between none and 64, and so do 6 000 of components that were never there before. What grew all the
/// same, from 221 to 296 MB in three minutes, was what others keep: a pool, whose places fill ([`POOL`]), and glibc, which
/// has up to eight arenas for each processor, and once a buffer of 8 MiB was freed gives back no end of one below 16 MiB.
/// Told otherwise ([`MALLOC`]), 6 000 loads stay between 57 and 62 MB, and three minutes of this between 93 and 98.
const MEMORY: usize = 32 << 10;
/// What lies in a pool's places: 64 that nobody uses stay warm, with up to 1 MiB each. It takes thousands of attacks to have
/// been in all of them.
const POOL: usize = 72 << 10;
/// What has the allocator give back what was freed.
const MALLOC: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "1"), ("MALLOC_MMAP_THRESHOLD_", "131072"), ("MALLOC_TRIM_THRESHOLD_", "131072")];
/// Threads of the runtime that are not through yet.
const THREADS: usize = 3;
/// A host keeps 64 frontends, each of which may have the file of its code open, and there are two hosts.
const FILES: usize = 2 * 64;

/// Once threads that have nothing to do any more are gone.
fn held() -> Held {
    std::thread::sleep(Duration::from_millis(1_500));
    Held::now()
}

/// Plays attacks from where the last one left off until `more` says no.
async fn attack(world: &World, all: &[Attack], next: &AtomicUsize, more: impl Fn(usize) -> bool) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if !more(number) {
            break;
        }
        judge::play(world, &all[number % all.len()]).await;
    }
}

/// Honest runs until `done`; how many there were.
async fn honest(world: &World, explain: &Frontend, done: impl Fn() -> bool) -> usize {
    // Attackers have the processors: this is no question of time.
    let patient = || Limits { guest_cpu: Duration::from_secs(60), ..small() };
    let granted = |run: Run| run.grants(Grants::new().pull("r.example/a").unwrap()).limits(patient());
    let fetch = format!("r.example/a a/b {} 10", blob().digest);
    let mut runs = 0;
    while !done() {
        for (action, with, answer) in
            [("behave", "", "good"), ("resolve", "r.example/a", blob().digest.as_str()), ("fetch", &fetch, "10")]
        {
            let answered = world.host.run(granted(world.run(action, with))).await.unwrap();
            assert_eq!(text(answered), answer, "{action}");
        }
        let run = Run::new(explain).argument("kind", "reference").argument("text", "alpine").limits(patient());
        let explained = text(world.host.run(run).await.unwrap());
        assert!(explained.contains("docker.io/library/alpine"), "{explained}");
        runs += 4;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    runs
}

/// One turn of everything in all hosts: each attack once, and on until `until`.
async fn turn(worlds: &[Arc<World>], all: &Arc<Vec<Attack>>, until: Instant) -> (usize, usize) {
    let (mut attackers, mut others) = (Vec::new(), Vec::new());
    let done = Arc::new(AtomicUsize::new(0));
    let mut counters = Vec::new();
    for world in worlds {
        let next = Arc::new(AtomicUsize::new(0));
        counters.push(Arc::clone(&next));
        for _ in 0..ATTACKERS {
            let (world, all, next) = (Arc::clone(world), Arc::clone(all), Arc::clone(&next));
            attackers.push(tokio::spawn(async move {
                attack(&world, &all, &next, |number| number < all.len() || Instant::now() < until).await;
            }));
        }
        let (world, done) = (Arc::clone(world), Arc::clone(&done));
        others.push(tokio::spawn(async move {
            let explain = world.host.load(Component::Bundled(Bundled::Explain)).await.unwrap();
            honest(&world, &explain, || done.load(Ordering::Relaxed) > 0).await
        }));
    }
    for attacker in attackers {
        let patience = until.saturating_duration_since(Instant::now()) + HANGS;
        tokio::time::timeout(patience, attacker).await.expect("it hangs").unwrap();
    }
    done.store(1, Ordering::Relaxed);
    let mut runs = 0;
    for honest in others {
        runs += honest.await.unwrap();
    }
    (counters.iter().map(|counter| counter.load(Ordering::Relaxed) - ATTACKERS).sum(), runs)
}

/// In a process of its own, whose allocator is told to from the start.
#[test]
fn a_host_stays_what_it_was() {
    if std::env::var_os(MALLOC[0].0).is_none() {
        let mut copy = Command::new("/proc/self/exe");
        copy.args(["--exact", "a_host_stays_what_it_was", "--nocapture"]).envs(MALLOC);
        assert!(copy.status().unwrap().success(), "see above");
        return;
    }
    let seconds = std::env::var("SOAK_SECONDS").map_or(10, |seconds| seconds.parse().expect("SOAK_SECONDS, a number"));
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .thread_keep_alive(Duration::from_millis(200))
        .enable_all()
        .build()
        .unwrap();
    let all = Arc::new(attacks::all());
    let worlds: Vec<Arc<World>> = runtime.block_on(async {
        let limits = Limits { guest_cpu: Duration::from_millis(300), ..judge::limits() };
        let mut worlds = Vec::new();
        for pooling in [false, true] {
            worlds.push(Arc::new(World::with(limits.clone(), Duration::ZERO, pooling).await));
        }
        worlds
    });
    runtime.block_on(turn(&worlds, &all, Instant::now()));
    let before = held();
    let (attacks, runs) = runtime.block_on(turn(&worlds, &all, Instant::now() + Duration::from_secs(seconds)));
    let after = held();
    println!("{attacks} attacks, {runs} honest runs; before {before:?}, after {after:?}");
    assert!(runs >= 8, "the honest ones had no turn");
    let apart = |held: Held| held.memory - held.fenced;
    assert!(apart(after) <= apart(before) + MEMORY, "memory: {before:?}, {after:?}");
    assert!(after.fenced <= POOL, "the pool: {after:?}");
    assert!(after.threads <= before.threads + THREADS, "threads: {before:?}, {after:?}");
    assert!(after.files <= before.files + FILES, "files: {before:?}, {after:?}");
}

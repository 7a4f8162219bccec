//! Frontends that misbehave: each is ended by its own message and status, and the host goes on to serve a good run.
//!
//! The catalogue is in `hostile_guests/attacks`, by the promise that each attacks (see the README there). Here is that all
//! of it is held off, and what takes more than one run to see; in `aside`, `moving` and `edges` what is a matter of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "hostile_guests/aside.rs"]
mod aside;
#[path = "hostile_guests/attacks/mod.rs"]
mod attacks;
#[path = "hostile_guests/edges.rs"]
mod edges;
#[path = "hostile_guests/judge.rs"]
mod judge;
#[path = "hostile_guests/moving.rs"]
mod moving;
#[path = "hostile_guests/raw.rs"]
mod raw;
#[path = "hostile_guests/world.rs"]
mod world;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portolan::audit::{Audit, Record};
use portolan::source::Source;
use portolan::source::memory::Memory;
use portolan::{Body, Bundled, Component, Grants, Host, Limits, LoadError, Run, RunError};
use portolan_oci::Digest;

use attacks::PROMISES;
use world::{BLOB, World, blob, small, soon, text};

#[tokio::test]
async fn every_attack_is_held_off() {
    let world = World::new(judge::limits(), Duration::ZERO).await;
    let only = std::env::var("ATTACK").unwrap_or_default();
    let mut faults = Vec::new();
    for attack in attacks::all().iter().filter(|attack| attack.name.contains(&only)) {
        faults.extend(
            soon(judge::play(&world, attack)).await.into_iter().map(|fault| format!("{}: {fault}", attack.name)),
        );
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn names_are_unique_and_the_readme_counts_them() {
    let all = attacks::all();
    let names: HashSet<&str> = all.iter().map(|attack| attack.name).collect();
    assert_eq!(names.len(), all.len());
    let row = |(promise, sentence): &(attacks::Promise, &str)| {
        let count = all.iter().filter(|attack| attack.promise == *promise).count();
        format!("| {sentence} | {count} |\n")
    };
    let table: String = PROMISES.iter().map(row).collect();
    let readme = include_str!("hostile_guests/README.md");
    assert!(readme.contains(&table) && readme.contains(&format!("{} attacks", all.len())), "{}\n{table}", all.len());
}

#[tokio::test]
async fn limits_end_a_run_and_nothing_else() {
    for pooling in [false, true] {
        let world = World::with(small(), Duration::ZERO, pooling).await;
        for (action, with, message) in [
            ("allocate", "", "the frontend was stopped: it needs more than the 32 MiB of memory that it may have"),
            ("recurse", "", "the frontend was stopped: it recursed deeper than its stack of 512 KiB"),
            ("call", "1000000", "the frontend was stopped: it made more than the 100000 calls to the host that it may"),
            (
                "log",
                "8388609",
                "the frontend was stopped: it passed more than the 8 MiB that one call to the host may carry",
            ),
        ] {
            soon(world.ends(action, with, 3, message)).await;
        }
        let world = World::with(Limits { guest_cpu: Duration::from_secs(1), ..small() }, Duration::ZERO, pooling).await;
        soon(world.ends("loop", "", 3, "the frontend was stopped: it computed for longer than the 1 s that it may"))
            .await;
    }
}

#[tokio::test]
async fn limits_hold_at_their_edges() {
    let limits = Limits { host_calls: 100, call_arguments: 1_000, response: 2_000, ..small() };
    let world = World::new(limits, Duration::ZERO).await;
    for (action, most, limit) in
        [("call", 100, "100 calls"), ("log", 1_000, "1000 bytes"), ("answer", 1_990, "2000 bytes")]
    {
        assert!(world.ask(action, &most.to_string()).await.is_ok(), "{action} {most}");
        let error = world.ask(action, &(most + 1).to_string()).await.expect_err(action);
        assert!(error.to_string().contains(limit), "{error}");
        assert!(error.hint().is_some_and(|hint| !hint.is_empty()));
        assert_eq!(error.status(), 3);
    }
    // Each descriptor of a prefetch counts as a call, as far as they are looked at.
    let world = World::new(Limits { host_calls: 1_024, ..small() }, Duration::ZERO).await;
    assert_eq!(text(world.ask("prefetch", "100000").await.unwrap()), "hinted");
    let world = World::new(Limits { host_calls: 1_023, ..small() }, Duration::ZERO).await;
    assert!(world.ask("prefetch", "100000").await.unwrap_err().to_string().contains("1023 calls"));
}

#[tokio::test]
async fn giant_answers_end_before_they_are_kept() {
    let limits = Limits { response: 1 << 20, guest_memory: 128 << 20, ..Limits::default() };
    let world = World::new(limits, Duration::ZERO).await;
    let message = "the frontend was stopped: it answered with more than the 1 MiB that a response may have";
    soon(world.ends("answer", "1048577", 3, message)).await;
    soon(world.ends("answer", "60000000", 3, message)).await;
    let message = "the frontend was stopped: it passed more than the 8 MiB that one call to the host may carry";
    soon(world.ends("log", "60000000", 3, message)).await;
}

#[tokio::test]
async fn a_crash_is_told_with_its_last_words() {
    let world = World::new(small(), Duration::ZERO).await;
    let error = world.ask("panic", "no\u{1b}[31m way").await.unwrap_err();
    assert!(error.to_string().starts_with("hostile 0.6.6: the frontend trapped: "), "{error}");
    assert!(error.to_string().contains("panicked at") && error.to_string().contains("no\\u{1b}[31m way"), "{error}");
    assert_eq!(error.status(), 3);
    world.ends("trap", "the hook says why", 3, "the frontend trapped: the hook says why").await;
    world.ends("exit", "", 3, "the frontend trapped: called exit(0) instead of answering").await;
}

#[tokio::test]
async fn the_contract_is_kept_or_the_run_ends() {
    let world = World::new(small(), Duration::ZERO).await;
    for status in ["1", "5", "64", "255"] {
        let why = format!(
            "the frontend broke the contract: it answered with the status {status}, which is neither 0 nor 6 to 63"
        );
        world.ends("status", status, 1, &why).await;
    }
    for status in [0, 6, 63] {
        assert_eq!(world.ask("status", &status.to_string()).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn what_was_not_granted_is_denied_however_it_is_written() {
    let world = World::new(small(), Duration::ZERO).await;
    for (reference, status) in [
        ("r.example/team/other:1", 4),
        ("r.example/team:1", 4),
        ("r.example/team/app/sub:1", 4),
        ("R.example/team/app:1", 4),
        ("r.example:5000/team/app:1", 4),
        ("r.example:443/team/app:1", 4),
        ("localhost:22/team/app", 4),
        ("[::1]/team/app", 4),
        ("169.254.169.254/latest/meta-data", 4),
        ("team/app:1", 4),
        ("oci-layout://somewhere", 1),
        ("oci-layout://somewhere@sha256:0000000000000000000000000000000000000000000000000000000000000000", 4),
        ("r.example./team/app:1", 1),
        ("r.example/team/../team/app:1", 1),
        ("r.example/other/..%2Fteam/app:1", 1),
        ("r.example/team/%61pp:1", 1),
        ("r.example/Team/app:1", 1),
        ("user:secret@r.example/team/app:1", 1),
        ("https://r.example/team/app:1", 1),
        ("r.example/team/app\0:1", 1),
        ("", 1),
    ] {
        let error = world.granted("r.example/team/app", "resolve", reference).await.expect_err(reference);
        assert_eq!(error.status(), status, "{reference}: {error}");
        assert!(matches!(error, RunError::Failed { .. }), "{reference}: {error:?}");
    }
    let long = format!("r.example/{}", "a".repeat(1 << 20));
    assert_eq!(world.granted("*", "resolve", &long).await.unwrap_err().status(), 1);
    assert_eq!(world.asked.load(Ordering::SeqCst), 0, "nobody was asked");

    let error = world.ask("resolve", "r.example/team/app:1").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "hostile 0.6.6: cannot resolve r.example/team/app: this run was not granted to read it"
    );
    assert_eq!(error.hint(), Some("grant it with --allow pull=r.example/team/app"));

    for action in ["resolve", "resolve-all"] {
        let answer = world.granted("r.example/team/*", action, "r.example/team/app:1").await.unwrap();
        assert_eq!(text(answer), blob().digest.to_string());
    }
    let answer =
        world.granted("r.example/team/app", "resolve-all", "r.example/team/app r.example/b r.example/team/app:2").await;
    assert_eq!(text(answer.unwrap()), format!("{0} denied {0}", blob().digest));
}

#[tokio::test]
async fn every_door_asks_for_the_grant() {
    let world = World::new(small(), Duration::ZERO).await;
    let described = format!("r.example/a {} {} {}", blob().media_type, blob().digest, blob().size);
    for (action, with) in [
        ("resolve", "r.example/a"),
        ("tags", "r.example/a"),
        ("referrers", "r.example/a"),
        ("entries", "r.example/a"),
        ("fetch", &described),
        ("content", &described),
        ("push", "r.example/a"),
    ] {
        let error = world.ask(action, with).await.expect_err(action);
        assert_eq!(error.status(), 4, "{action}: {error}");
    }
    assert_eq!(text(world.ask("read", &described).await.unwrap()), "denied denied denied denied");
    // To be granted reading is not to be granted writing.
    assert_eq!(world.granted("*", "push", "r.example/a").await.unwrap_err().status(), 4);
    assert_eq!(world.asked.load(Ordering::SeqCst), 0, "nobody was asked");

    // With the grant, what it pushes is looked at: it lies about the digest.
    let run = world.run("push", "r.example/a").grants(Grants::new().push("r.example/a").unwrap());
    let error = world.host.run(run).await.unwrap_err();
    assert_eq!((error.status(), error.to_string().contains("the content has another digest")), (1, true), "{error}");
}

#[tokio::test]
async fn descriptors_are_looked_at_before_anyone_is_asked() {
    let world = World::new(small(), Duration::ZERO).await;
    let good = blob();
    let digest = good.digest.as_str();
    for descriptor in [
        format!("octet-stream {digest} 10"),
        format!("../../etc {digest} 10"),
        format!("a/b\u{1b} {digest} 10"),
        "a/b sha256:../../../../etc/passwd 10".into(),
        "a/b sha256: 10".into(),
        format!("a/b {} 10", digest.to_uppercase()),
        format!("a/b {digest}0 10"),
        "a/b md5:d41d8cd98f00b204e9800998ecf8427e 10".into(),
        format!("a/b {digest} 9223372036854775808"),
    ] {
        for action in ["fetch", "content"] {
            let error = world.granted("*", action, &format!("r.example/a {descriptor}")).await.expect_err(&descriptor);
            assert_eq!(error.status(), 1, "{descriptor}: {error}");
        }
    }
    for repository in ["r.example/a:1", &format!("r.example/a@{digest}"), "oci-layout://x:1", "r.example/A"] {
        assert!(world.granted("*", "fetch", &format!("{repository} a/b {digest} 10")).await.is_err(), "{repository}");
    }
    assert_eq!(world.asked.load(Ordering::SeqCst), 0, "nobody was asked");

    let described = format!("r.example/a {} {digest} {}", good.media_type, good.size);
    assert_eq!(text(world.granted("*", "fetch", &described).await.unwrap()), "10");
    // Short only at the end; nothing behind it.
    assert_eq!(text(world.granted("*", "read", &described).await.unwrap()), "4 8 0 too-large");
}

#[tokio::test]
async fn documents_of_a_run_are_bounded() {
    let world = World::new(Limits { run_documents: 95, ..small() }, Duration::ZERO).await;
    let described = format!("r.example/a a/b {} 10", blob().digest);
    let error = world.granted("*", "fetch-without-end", &described).await.unwrap_err();
    assert!(error.to_string().contains("the run used up the 95 bytes of documents that it may read"), "{error}");
    assert_eq!((error.status(), world.asked.load(Ordering::SeqCst)), (3, 9));
    assert!(error.hint().is_some());
    world.serves().await;
}

#[tokio::test]
async fn text_from_a_guest_does_not_steer_the_terminal() {
    let world = World::new(small(), Duration::ZERO).await;
    world.ends("escape", "", 1, "\\u{1b}[2Jall is well").await;
    let seen = world.ask("escape", "").await.unwrap_err();
    assert_eq!(portolan::text::line(seen.hint().unwrap()), "\\u{9b}31m");
}

#[tokio::test]
async fn a_slow_registry_does_not_eat_the_budget() {
    // Enough for a busy machine, and less than the registry takes.
    let budget = Duration::from_secs(1);
    let world = World::new(Limits { guest_cpu: budget, ..small() }, Duration::from_millis(400)).await;
    let names = "r.example/a:1 r.example/a:2 r.example/a:3";
    let answer = world.granted("*", "wait", names).await.unwrap();
    assert!(answer.stats.elapsed > budget && answer.stats.cpu < budget, "{:?}", answer.stats);
    assert_eq!(text(answer), "waited");
    // What it computes afterwards still counts.
    world.serves().await;
    soon(world.ends("loop", "", 3, "the frontend was stopped: it computed for longer than the 1 s that it may")).await;
}

#[tokio::test]
async fn the_wall_clock_counts_waiting_too() {
    let limits = Limits { wall_clock: Some(Duration::from_secs(2)), guest_cpu: Duration::from_secs(60), ..small() };
    let world = World::new(limits, Duration::from_secs(3600)).await;
    let message = "hostile 0.6.6: the frontend was stopped: it did not answer within the 2 s that a run may take";
    for (action, with) in [("wait", "r.example/a"), ("loop", "")] {
        let error = soon(world.granted("*", action, with)).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.status()), (message, 3));
    }
    let run = world.run("loop", "").wall_clock(Some(Duration::from_millis(50)));
    assert!(soon(world.host.run(run)).await.unwrap_err().to_string().contains("50 ms"));
}

#[tokio::test]
async fn side_by_side_and_once() {
    let world = World::new(small(), Duration::from_millis(500)).await;
    let started = Instant::now();
    let names: Vec<String> = (0..16).map(|tag| format!("r.example/a:{}", tag % 8)).collect();
    let answer = world.granted("*", "resolve-all", &names.join(" ")).await.unwrap();
    assert_eq!(text(answer).split(' ').count(), 16);
    assert!(started.elapsed() < Duration::from_secs(2), "one after the other: {:?}", started.elapsed());
    assert_eq!(world.asked.load(Ordering::SeqCst), 8);
}

/// One that loops does not keep others from their turn, even on the same thread; dropping the future ends it.
#[tokio::test(flavor = "current_thread")]
async fn a_loop_gives_way_and_can_be_dropped() {
    let world = World::new(Limits { guest_cpu: Duration::from_secs(3600), ..small() }, Duration::ZERO).await;
    let looping = world.host.run(world.run("loop", "").wall_clock(None));
    tokio::select! {
        ended = looping => panic!("{ended:?}"),
        () = async { for _ in 0..3 { world.serves().await; tokio::time::sleep(Duration::from_millis(30)).await; } } => {}
    }
    world.serves().await;
}

/// More runs than the pool has places: the rest wait for their turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_pool_makes_runs_wait() {
    let world = Arc::new(World::with(small(), Duration::from_millis(100), true).await);
    let runs: Vec<_> = (0..150)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.granted("*", "resolve", "r.example/a").await.map(text) })
        })
        .collect();
    for run in runs {
        assert_eq!(soon(run).await.unwrap().unwrap(), blob().digest.to_string());
    }
}

/// The thread that beats sleeps while nothing runs.
#[tokio::test]
async fn the_heart_beats_again_after_it_slept() {
    let world = World::new(Limits { guest_cpu: Duration::from_secs(1), ..small() }, Duration::ZERO).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    soon(world.ends("loop", "", 3, "the frontend was stopped: it computed for longer than the 1 s that it may")).await;
}

#[tokio::test]
async fn content_is_streamed() {
    use futures_util::TryStreamExt as _;
    let world = World::new(small(), Duration::ZERO).await;
    let described = format!("r.example/a a/b {} 10", blob().digest);
    let answer = world.granted("*", "content", &described).await.unwrap();
    let Body::Content { descriptor, stream } = answer.body else { panic!("{answer:?}") };
    assert_eq!((descriptor.size, descriptor.media_type.as_str()), (10, "a/b"));
    assert_eq!(stream.try_collect::<Vec<_>>().await.unwrap().concat(), BLOB);
}

#[tokio::test]
async fn stores_are_asked_by_digest_and_by_name_of_the_store_only() {
    let world = World::new(small(), Duration::ZERO).await;
    let store = Memory::new("oci-layout://out");
    let descriptor = store.insert("application/octet-stream", BLOB);
    let store: Arc<dyn Source> = Arc::new(store);
    let ask = |action: &str, with: String| world.host.run(world.run(action, &with).store("out", Arc::clone(&store)));

    let described =
        |scheme: &str, name: &str| format!("{scheme}://{name} {} {} 10", descriptor.media_type, descriptor.digest);
    assert_eq!(text(ask("fetch", described("oci-layout", "out")).await.unwrap()), "10");
    for (action, with, status, why) in [
        ("resolve", "oci-layout://out:1".to_owned(), 1, "resolves digests only"),
        ("resolve", "oci-layout://out/alpine".to_owned(), 1, "resolves digests only"),
        ("resolve", "oci-layout://out".to_owned(), 1, "resolves digests only"),
        ("fetch", described("oci-layout", "other"), 4, "no store of that name"),
        ("fetch", described("oci-layout", "OUT"), 4, "no store of that name"),
        ("fetch", described("oci-layout", "o%75t"), 4, "no store of that name"),
        ("fetch", described("oci-layout", ".."), 4, "no store of that name"),
        ("fetch", described("oci-archive", "out"), 4, "no store of that name"),
        ("push", "oci-layout://out".to_owned(), 4, "not granted to write"),
    ] {
        let error = ask(action, with.clone()).await.expect_err(&with);
        assert!(error.to_string().contains(why), "{action} {with}: {error}");
        assert_eq!(error.status(), status, "{action} {with}: {error}");
    }
}

#[tokio::test]
async fn wasi_is_there_and_gives_nothing() {
    let world = World::new(small(), Duration::ZERO).await;
    let seen =
        "environment 0, arguments 0, folder false, file false, socket false, name false, stdin 0, clock 0, table 0";
    assert_eq!(text(soon(world.ask("look-around", "")).await.unwrap()), seen);
    assert!(world.hostile.imports().iter().any(|import| import.starts_with("wasi:filesystem/")));
}

/// Whatever a strategy says, an honest frontend asks no other place for it, also where it may.
#[tokio::test]
async fn a_strategy_gets_its_frontend_nowhere_else() {
    let world = World::new(judge::limits(), Duration::ZERO).await;
    let elsewhere = Memory::new("oci-layout://private");
    elsewhere.insert(portolan_oci::media_type::OCI_MANIFEST, world::ELSEWHERE);
    let elsewhere: Arc<dyn Source> = Arc::new(elsewhere);
    let judged = attacks::all().into_iter().filter_map(|attack| match attack.by {
        attacks::By::Judged { action, .. } => Some(action),
        _ => None,
    });
    // What takes long ends in the catalogue.
    let actions: HashSet<&str> = judged.filter(|action| !action.ends_with("loop")).collect();
    assert!(actions.len() > 20);
    for action in actions {
        for bundled in [Bundled::Resolve, Bundled::Inspect] {
            let heard = Arc::new(Mutex::new(Vec::new()));
            let to = Arc::clone(&heard);
            let audit = Audit::new(move |record| {
                to.lock().unwrap().push(record.clone());
                Ok(())
            });
            let run = judge::judging(&world, bundled, action).await.store("private", Arc::clone(&elsewhere));
            let run = run.grants(Grants::new().pull("r.example/team/app").unwrap()).audit(audit);
            let _ = soon(world.judged.run(run)).await;
            let heard = heard.lock().unwrap();
            let calls = heard.iter().filter_map(|record| match record {
                Record::Called(call) if !["log", "platform"].contains(&call.function) => Some(call),
                _ => None,
            });
            for call in calls {
                assert_eq!(&*call.place, "oci-layout://out", "{action} in {bundled:?}: {call:?}");
            }
            assert!(matches!(heard.last(), Some(Record::Ended { .. })), "{action} in {bundled:?}");
        }
    }
    assert_eq!(world.asked.load(Ordering::SeqCst), 0, "nobody was asked");
    world.serves().await;
}

/// A run has an instance of its own: what trapped is not gone on with, nor what answered.
#[tokio::test]
async fn nobody_goes_on_in_what_trapped() {
    let world = World::new(small(), Duration::ZERO).await;
    let counting = raw::Raw::build(|raw| {
        raw.rest = "(global $runs (mut i32) (i32.const 0))".to_owned();
        // The first time it traps; a second time in the same instance would be an answer.
        raw.solve = format!(
            "(global.set $runs (i32.add (global.get $runs) (i32.const 1)))
             (if (i32.eq (global.get $runs) (i32.const 1)) (then unreachable)) {}",
            raw.solve
        );
    });
    let counting = world.host.load(Component::Bytes(&counting)).await.unwrap();
    counting.describe().await.unwrap();
    for _ in 0..3 {
        let error = world.host.run(Run::new(&counting)).await.unwrap_err();
        assert!(matches!(error, RunError::Trapped { .. }), "{error}");
        // Nor is there a way to ask again where it was answered.
        assert_eq!(text(world.ask("remember", "").await.unwrap()), "0");
    }
    // Describing it again asks nobody: it has said what it is.
    counting.describe().await.unwrap();
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[tokio::test]
async fn what_is_no_frontend_is_refused_with_its_own_message() {
    let host = Host::builder().limits(Limits { component: 1 << 20, ..Limits::default() }).build().unwrap();
    let frontend = r#"(instance $i) (export "portolan:oci/frontend@0.1.0" (instance $i))"#;
    let rows: HashMap<&str, (Vec<u8>, &str)> = HashMap::from([
        ("none", (b"#!/bin/sh\necho".to_vec(), "the component is no WebAssembly")),
        ("empty", (Vec::new(), "the component is no WebAssembly")),
        ("text", (b"(component)".to_vec(), "the component is WebAssembly in text form")),
        ("module", (component("(module)"), "the component is a core WebAssembly module; a component is wanted")),
        ("large", (vec![0; (1 << 20) + 1], "the component is larger than the 1 MiB that a component may have")),
        ("truncated", (b"\0asm\x0d\0\x01\0\x07".to_vec(), "the component is a component that cannot be used")),
        (
            "imports a forged name",
            (
                // As a validator would refuse it, but nothing is validated before names are looked at.
                String::from_utf8_lossy(&component(&format!(
                    r#"(component (import "evil:host/rooot" (instance)) {frontend})"#
                )))
                .replace("rooot", "\u{1b}[2Jx")
                .into_bytes(),
                "the component imports evil:host/\\u{1b}[2Jx, which no host gives",
            ),
        ),
        ("exports nothing", (component("(component)"), "exports no `portolan:oci/frontend`, so it is no frontend")),
        (
            "exports something else",
            (
                component(r#"(component (instance $i) (export "portolan:oci/strategy@0.1.0" (instance $i)))"#),
                "so it is no frontend (it exports portolan:oci/strategy@0.1.0)",
            ),
        ),
        (
            "imports what no world has",
            (
                component(&format!(
                    r#"(component (import "evil:host/root" (instance)) (import "portolan:oci/shell@0.1.0" (instance)) {frontend})"#
                )),
                "the component imports evil:host/root, portolan:oci/shell@0.1.0, which no host gives; \
                 a frontend may import `portolan:oci/*` and WASI 0.2",
            ),
        ),
        (
            "is of another version",
            (
                component(r#"(component (instance $i) (export "portolan:oci/frontend@0.2.0" (instance $i)))"#),
                "the component was built for portolan:oci 0.2.0 and this host speaks portolan:oci 0.1.0",
            ),
        ),
        (
            "imports a function that there is not",
            (
                component(&format!(
                    r#"(component (import "portolan:oci/host@0.1.7" (instance (export "shutdown" (func)))) {frontend})"#
                )),
                "the component was built for portolan:oci 0.1.7 and this host speaks portolan:oci 0.1.0: ",
            ),
        ),
        (
            "imports a function of another type",
            (
                component(&format!(
                    r#"(component (import "portolan:oci/host@0.1.0" (instance (export "platform" (func (result u32))))) {frontend})"#
                )),
                "the component was built for portolan:oci 0.1.0 and this host speaks portolan:oci 0.1.0: ",
            ),
        ),
        (
            "exports a frontend without its functions",
            (component(&format!("(component {frontend})")), "and this host speaks portolan:oci 0.1.0: "),
        ),
        (
            "has a 64-bit memory",
            (
                component(&format!(
                    "(component (core module $m (memory i64 1)) (core instance (instantiate $m)) {frontend})"
                )),
                "the component is a component that cannot be used",
            ),
        ),
    ]);
    for (what, (bytes, message)) in rows {
        let error = host.load(Component::Bytes(&bytes)).await.expect_err(what);
        assert!(error.to_string().contains(message), "{what}: {error}");
        assert_eq!(error.status(), 1, "{what}");
    }
    let error = host.load(Component::File("/nonexistent/x.wasm".as_ref())).await.unwrap_err();
    assert!(matches!(error, LoadError::Io { .. }) && error.status() == 5, "{error}");
}

#[tokio::test]
async fn a_strategy_is_one_or_the_host_is_not_built() {
    let frontend = component(r#"(component (instance $i) (export "portolan:oci/frontend@0.1.0" (instance $i)))"#);
    for (bytes, message) in [
        (&b"x"[..], "the component is no WebAssembly"),
        (&frontend, "exports no `portolan:oci/strategy`, so it is no strategy"),
    ] {
        let error = Host::builder().strategy(Component::Bytes(bytes)).build().unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}

/// A strategy is plugged into every frontend, and would have what each was granted.
#[test]
fn a_strategy_judges_and_asks_nobody() {
    for interface in ["resolver", "fetcher", "blobs", "discovery", "pusher", "strategy"] {
        let bytes = component(&format!(
            r#"(component (import "portolan:oci/{interface}@0.1.0" (instance))
                (instance $i) (export "portolan:oci/strategy@0.1.0" (instance $i)))"#
        ));
        let error = Host::builder().strategy(Component::Bytes(&bytes)).build().unwrap_err();
        let why = format!(
            "the component imports portolan:oci/{interface}@0.1.0, which no host gives; \
             a strategy may import `portolan:oci/host` and WASI 0.2"
        );
        assert_eq!((error.to_string(), error.status()), (why, 1));
    }
}

/// The sandbox can be seen: no WASI, nothing but the contract.
#[tokio::test]
async fn bundled_components_import_nothing_but_the_contract() {
    let host = Host::builder().build().unwrap();
    for &bundled in Bundled::all().iter().filter(|&&bundled| bundled != Bundled::Strategy) {
        let frontend = host.load(Component::Bundled(bundled)).await.unwrap();
        let imports = frontend.imports();
        let ours = |import: &String| import.starts_with("portolan:oci/");
        assert!(imports.iter().all(ours), "{}: {imports:?}", bundled.name());
        assert!(!imports.iter().any(|import| import.contains("/strategy@")), "{}: {imports:?}", bundled.name());
        assert_eq!(frontend.digest(), Digest::sha256(bundled.bytes()));
    }
}

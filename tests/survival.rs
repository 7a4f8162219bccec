//! Every script of the hostile registry's catalogue, played against our client.
//!
//! What a play must come to is the script's to say. Here is what must hold in all of them: no panic, no hang, little memory,
//! an error that says what one needs to know and no secret, nothing shown to strangers, nothing half-written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "survival/cancelled.rs"]
mod cancelled;
#[path = "survival/client.rs"]
mod client;
#[path = "survival/judge.rs"]
mod judge;
#[path = "survival/log.rs"]
mod log;
#[path = "survival/memory.rs"]
mod memory;
#[path = "survival/secrets.rs"]
mod secrets;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan_hostile::scripts::{self, PASSWORD, POINTS, USER};
use portolan_hostile::{Hostile, Script};
use tokio::runtime;

use self::client::Folders;
use self::judge::Play;
use self::memory::STAGES;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Whoever has not ended after this hangs.
const HANGS: Duration = Duration::from_secs(20);

/// Plays one script; says what was wrong.
fn play(script: &Script, stage: usize) -> Vec<String> {
    let (registry, elsewhere) = Hostile::pair(script.registry.clone(), script.elsewhere.clone());
    let (home, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folders = Folders { home: home.path(), cache: cache.path() };
    let source = client::repository(&registry.host(), script.conduct.hangs, &folders);
    // A runtime of its own, all of whose threads are counted; this one waits outside, so that it sees who hangs.
    let client = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .on_thread_start(move || memory::join(stage))
        .build()
        .unwrap();
    memory::begin(stage);
    let asked = client.spawn(client::ask(source, registry.host(), script.ask.clone()));
    let (tell, told) = channel();
    client.spawn(async move { tell.send(asked.await) });
    let Ok(ended) = told.recv_timeout(HANGS) else {
        client.shutdown_background();
        return vec![format!("it hangs; it was asked {:?}", registry.asked())];
    };
    let most = memory::most(stage);
    let outcome = match ended {
        Ok(outcome) => outcome,
        Err(panicked) => return vec![format!("it panicked: {panicked}")],
    };
    let play = Play { script, outcome, registry: &registry, elsewhere: &elsewhere, cache: cache.path(), most };
    [play.faults(), log::told(stage)].concat()
}

#[test]
fn every_script() {
    log::listen();
    let only = std::env::var("SCRIPT").unwrap_or_default();
    let scripts: Vec<Script> = scripts::all().into_iter().filter(|script| script.name.contains(&only)).collect();
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let started = Instant::now();
    thread::scope(|threads| {
        for stage in 0..STAGES {
            let (next, faults, scripts) = (&next, &faults, &scripts);
            threads.spawn(move || {
                while let Some(script) = scripts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = play(script, stage);
                    let named = found.into_iter().map(|fault| format!("{}: {fault}", script.name));
                    faults.lock().unwrap().extend(named);
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    println!("{} scripts in {:?}", scripts.len(), started.elapsed());
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn names_are_unique_and_in_kebab_case() {
    let scripts = scripts::all();
    let kebab = |name: &str| {
        let word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        name.split('-').all(word)
    };
    let mut names = HashSet::new();
    for Script { name, must, .. } in &scripts {
        assert!(must.answer.is_some() || must.failure.is_some(), "{name} does not say what is right");
        assert!(kebab(name), "{name}");
        assert!(names.insert(name), "{name} is the name of two scripts");
    }
}

#[test]
fn every_point_has_scripts_or_a_test_beside_them() {
    let scripts = scripts::all();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (point, number) in POINTS.iter().zip(1..) {
        assert_eq!(point.number, number);
        let played = scripts.iter().filter(|script| script.point == number).count();
        // TLS, files and plug-ins are no business of a plain registry.
        assert_eq!(played == 0, matches!(number, 20 | 22..=26), "point {number} has {played} scripts");
        assert!(played > 0 || !point.beside.is_empty(), "point {number} has nothing");
        point.beside.iter().for_each(|file| assert!(root.join(file).is_file(), "{file} is none"));
    }
    assert!(scripts.iter().all(|script| POINTS.iter().any(|point| point.number == script.point)));
}

#[test]
fn the_password_is_looked_for_as_it_is_sent() {
    assert_eq!(STANDARD.encode(format!("{USER}:{PASSWORD}")), secrets::BASIC);
}

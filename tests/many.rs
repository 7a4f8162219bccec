//! Many runs at once on one host: all are answered, no more run than there are places, none gets what is another's, and what
//! is dropped in the middle leaves nothing behind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use futures_util::future::join_all;
use portolan::audit::{Audit, Record};
use portolan::source::registry::Registry as Client;
use portolan::{Body, Bundled, Component, Frontend, Grants, Host, Run, RunError};
use portolan_tests::fixtures;
use portolan_tests::registry::{Registry, User};

const INSTANCES: usize = 16;
const RUNS: usize = 200;
const ROOT: &str = "sha256:0c295ea8974e7a4700156b8eabca42aefbbb360b7a6d7c4a9cb02a4a19bcb1b9";

/// How many runs there are at a time, by what an audit hears.
#[derive(Clone, Default)]
struct Counter(Arc<[AtomicUsize; 3]>);

impl Counter {
    fn audit(&self) -> Audit {
        let Counter(counts) = self.clone();
        Audit::new(move |record| {
            let [now, most, all] = &*counts;
            match record {
                Record::Begun { .. } => {
                    all.fetch_add(1, Ordering::SeqCst);
                    let running = now.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(running, Ordering::SeqCst);
                }
                Record::Ended { .. } => drop(now.fetch_sub(1, Ordering::SeqCst)),
                _ => {}
            }
            Ok(())
        })
    }

    /// Running, the most that ever ran, all.
    fn counts(&self) -> [usize; 3] {
        self.0.each_ref().map(|count| count.load(Ordering::SeqCst))
    }
}

fn memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

async fn host() -> (Host, Frontend) {
    let host = Host::builder().instances(INSTANCES as u32).platform("linux/amd64").build().unwrap();
    let resolve = host.load(Component::Bundled(Bundled::Resolve)).await.unwrap();
    (host, resolve)
}

fn asking(resolve: &Frontend, reference: &str) -> Run {
    Run::new(resolve).argument("ref", reference).argument("part", "manifest").argument("platform", "linux/amd64")
}

fn digest(answer: Result<portolan::Answer, RunError>) -> Result<String, String> {
    match answer {
        Ok(answer) => match answer.body {
            Body::Text(text) => Ok(portolan_oci::Digest::sha256(text.as_bytes()).to_string()),
            Body::Bytes(bytes) => Ok(portolan_oci::Digest::sha256(&bytes).to_string()),
            Body::Content { descriptor, .. } => Ok(descriptor.digest.to_string()),
        },
        Err(RunError::Failed { failure, .. }) => Err(failure.cause.map(|cause| cause.code).unwrap_or_default()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_gets_its_own() {
    let user = User { name: "ada", password: "a secret" };
    let (private, public) = (Registry::for_user(user), Registry::start());
    let image = format!("oci:{}:1.4", fixtures::layout("buildkit-multi").display());
    private.push(&image, "team/app:1");
    public.push(&image, "team/app:1");
    let cache = tempfile::tempdir().unwrap();
    let credentials = cache.path().join("auth.json");
    let auths = format!(r#"{{"auths":{{"{}":{{"auth":"YWRhOmEgc2VjcmV0"}}}}}}"#, private.host());
    fs::write(&credentials, auths).unwrap();
    let nobody = cache.path().join("nobody.json");
    fs::write(&nobody, r#"{"auths":{}}"#).unwrap();
    // One cache: what one was handed lies there for all, and is for those alone who may see it.
    let client =
        |file| Client::builder().cache_dir(Some(cache.path().join("cache"))).only_auth_file(file).build().unwrap();
    let (known, unknown) = (client(credentials), client(nobody));
    let (host, resolve) = host().await;
    let counter = Counter::default();

    let (ours, theirs) = (format!("{}/team/app", private.host()), format!("{}/team/app", public.host()));
    let before = memory();
    let runs = (0..RUNS).map(|number| {
        let grants = |repository: &str| Grants::new().pull(repository).unwrap();
        let (reference, granted, who) = match number % 4 {
            0 => (&ours, grants(&ours), &known),
            1 => (&ours, grants(&ours), &unknown),
            2 => (&ours, grants(&theirs), &known),
            _ => (&theirs, grants(&theirs), &unknown),
        };
        let run = asking(&resolve, &format!("{reference}:1")).grants(granted).registry(who.clone());
        let host = host.clone();
        let run = run.audit(counter.audit());
        tokio::spawn(async move { digest(host.run(run).await) })
    });
    let answers = join_all(runs).await;
    let after = memory();
    let amd64 = "sha256:f2e8b1725960329e2fea1b3054864f5c395269b8d5d9ae35ae10722abb69964e";
    for (number, answer) in answers.into_iter().enumerate() {
        let expected = match number % 4 {
            0 | 3 => Ok(amd64),
            1 => Err("unauthorized"),
            _ => Err("denied"),
        };
        assert_eq!(answer.unwrap().as_deref().map_err(String::as_str), expected, "run {number}");
    }
    let [running, most, all] = counter.counts();
    assert_eq!((running, all), (0, RUNS));
    assert!(most <= INSTANCES && most > 1, "{most} at a time");
    // A run may have 256 MiB; these have one or two.
    assert!(after < before + (96 << 10), "{before} kB before, {after} kB after");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dropped_leaves_nothing_behind() {
    let (host, resolve) = host().await;
    let counter = Counter::default();
    let registry = Registry::start();
    registry.push(&format!("oci:{}:1.4", fixtures::layout("buildkit-multi").display()), "team/app:1");
    let repository = format!("{}/team/app", registry.host());
    let reference = format!("{repository}:1");
    // A client for each, that remembers nothing: a run whose documents lie in memory waits for nothing.
    let nobody = tempfile::tempdir().unwrap();
    let client = || Client::builder().cache_dir(None).only_auth_file(nobody.path().join("auth.json")).build().unwrap();
    let granted = |run: Run| run.grants(Grants::new().pull(&repository).unwrap()).registry(client());
    let whole = || granted(asking(&resolve, &reference));
    // A run's points are where it waits: counted in polls, as clocks say nothing on a machine that is busy.
    let mut waits = 0;
    let mut run = pin!(host.run(whole()));
    let answer = poll_fn(|context| {
        waits += 1;
        run.as_mut().poll(context)
    });
    answer.await.unwrap();
    assert!(waits > 2, "a run waits {waits} times");

    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut dropped = 0;
    for _ in 0..RUNS / 20 {
        let runs = (0..20).map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut left = (random >> 40) % waits + 1;
            let (host, run) = (host.clone(), whole().audit(counter.audit()));
            tokio::spawn(async move {
                let mut run = pin!(host.run(run));
                poll_fn(|context| {
                    left -= 1;
                    match run.as_mut().poll(context) {
                        Poll::Pending if left == 0 => Poll::Ready(true),
                        polled => polled.map(|_| false),
                    }
                })
                .await
            })
        });
        dropped += join_all(runs).await.into_iter().filter(|dropped| *dropped.as_ref().unwrap()).count();
    }
    assert!(dropped > 0, "none was dropped, of {waits} waits");
    // Each that began has ended, and every place is free: so many run side by side again.
    assert_eq!(counter.counts()[0], 0, "some never ended");
    let again = join_all((0..INSTANCES * 2).map(|_| host.run(whole()))).await;
    assert!(again.into_iter().all(|answer| answer.is_ok()));
    let answer = Run::new(&resolve).argument("ref", &reference).argument("digest", "true");
    let answer = host.run(granted(answer)).await.unwrap();
    assert!(matches!(answer.body, Body::Text(text) if text.trim() == ROOT));
}

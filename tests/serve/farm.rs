//! Several gateways with one store behind a balancer: one of them ends in the middle of everything, and nobody who pulls
//! notices.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use portolan_oci::Descriptor;
use portolan_tests::cli::Cli;
use portolan_tests::gate::Gate;
use portolan_tests::layout::Layout;
use portolan_tests::registry::{Registry, run};
use portolan_tests::serving::Serving;
use portolan_tests::{nginx, versitygw};

use super::{before, with_store};

const IMAGES: usize = 4;
const PULLS: usize = 200;
/// One of two gateways is killed when so many have begun.
const KILLED_AT: usize = 80;
const AT_ONCE: usize = 6;

fn noise(seed: u64, length: usize) -> Vec<u8> {
    // xorshift64*: what no storage makes smaller.
    let mut state = 2 * seed + 1;
    let next = std::iter::repeat_with(move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes()
    });
    next.flatten().take(length).collect()
}

/// Images of a base that all of them share and a layer of their own, as `app:0`, `app:1` …; the manifests.
fn images(registry: &Registry) -> Vec<Descriptor> {
    let layout = Layout::new();
    let layer = "application/vnd.oci.image.layer.v1.tar";
    let base = layout.insert(layer, noise(1, 4 << 20));
    let manifests: Vec<_> = (0..IMAGES)
        .map(|image| {
            let own = layout.insert(layer, noise(image as u64 + 2, 2 << 20));
            layout.manifest("amd64", &[base.clone(), own]).1
        })
        .collect();
    for (image, manifest) in manifests.iter().enumerate() {
        layout.entries(std::slice::from_ref(manifest));
        registry.push(&format!("oci:{}", layout.folder().display()), &format!("app:{image}"));
    }
    manifests
}

/// Pulls an image, by skopeo or by ourselves in turn; what came is what its digest says. `again` counts what had to be begun
/// anew.
fn pull(cli: &Cli, host: &str, number: usize, manifests: &[Descriptor], again: &AtomicUsize) {
    let image = number % IMAGES;
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("pulled");
    match number % 2 {
        0 => {
            let (from, to) = (format!("docker://{host}/app:{image}"), format!("oci:{}:1", layout.display()));
            let words =
                ["--insecure-policy", "copy", "--quiet", "--preserve-digests", "--src-tls-verify=false", &from, &to];
            // It goes on where a layer breaks off, unless that is in its first MiB: then whoever called it has to call again.
            let done = Command::new("skopeo").args(words).output().is_ok_and(|output| output.status.success());
            if !done {
                again.fetch_add(1, Ordering::Relaxed);
                run(Command::new("skopeo").args(words), "skopeo");
            }
        }
        _ => {
            cli.ok(&format!("copy --quiet --plain-http {host}/app:{image} oci-layout://{}:1", layout.display()));
        }
    }
    let digest = &manifests[image].digest;
    assert!(layout.join("blobs").join(digest.as_str().replace(':', "/")).is_file(), "{digest} came with app:{image}");
}

#[test]
fn one_of_two_ends_and_every_pull_ends_well() {
    let registry = Registry::start();
    let manifests = images(&registry);
    let gate = Gate::before(registry.host());
    let folder = tempfile::tempdir().unwrap();
    let store = versitygw::start(folder.path(), "kept");
    let cli = with_store(&store);
    let words = "--pull * --cache s3://kept/portolan";
    let (one, other) = (before(&cli, &gate.host(), words), before(&cli, &gate.host(), words));
    let scratch = tempfile::tempdir().unwrap();
    let balancer = nginx::balance(scratch.path(), &[one.host(), other.host()]);

    let (begun, again, victim) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Some(one)));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = begun.fetch_add(1, Ordering::Relaxed);
                    if number >= PULLS {
                        break;
                    }
                    if number == KILLED_AT {
                        // Its handle ends it as SIGKILL does.
                        drop::<Option<Serving>>(victim.lock().unwrap().take());
                    }
                    pull(&cli, balancer.host(), number, &manifests, &again);
                }
            });
        }
    });

    assert!(again.into_inner() <= AT_ONCE, "only what was under way can have been cut");

    let mut asked = BTreeMap::<String, usize>::new();
    let is_content = |request: &String| {
        ["GET /v2/app/manifests/sha256:", "GET /v2/app/blobs/"].iter().any(|it| request.starts_with(it))
    };
    for request in gate.asked().into_iter().filter(is_content) {
        *asked.entry(request).or_default() += 1;
    }
    // Manifests, configs, layers, and the base.
    assert_eq!(asked.len(), 3 * IMAGES + 1, "{asked:#?}");
    assert!(asked.values().all(|count| *count == 1), "the registry was asked more than once: {asked:#?}");
}

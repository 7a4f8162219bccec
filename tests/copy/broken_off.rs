//! A copy that is killed leaves nothing half-written behind; run again it is whole, and does not move again what had
//! arrived, into a layout not even of a large layer that had arrived in part.
//!
//! The kill comes after so many bytes have passed a gate between the program and the registry, at points that are spread
//! over all of the copy: no clock decides.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use portolan_oci::{Descriptor, Digest, Index, media_type};
use portolan_tests::gate::Gate;
use portolan_tests::layout::{self, Layout, json};
use portolan_tests::registry::{Registry, get};

use super::{cli, copied, digest, noise};

/// How often each direction is broken off.
const POINTS: usize = 50;
/// Of the smallest layer; the others are two and three times as large, and large enough for what came of them to be kept.
const LEAST: usize = 512 << 10;
/// What requests and the heads of answers take altogether.
const TALK: u64 = 64 << 10;

/// An index of two images with three layers each.
fn image(layout: &Layout) -> Descriptor {
    let manifests: Vec<String> = ["amd64", "arm64"]
        .map(|architecture| {
            let layers = [1, 2, 3].map(|times| {
                layout.insert(layout::LAYER, noise(&format!("{architecture} {}", times - 1), LEAST * times))
            });
            let (_, manifest) = layout.manifest(architecture, &layers);
            let platform = format!(r#","platform":{{"architecture":"{architecture}","os":"linux"}}}}"#);
            json(&manifest).trim_end_matches('}').to_owned() + &platform
        })
        .to_vec();
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
        media_type::OCI_INDEX,
        manifests.join(",")
    );
    let mut root = layout.insert(media_type::OCI_INDEX, index);
    root.annotations.insert("org.opencontainers.image.ref.name".into(), "1".into());
    layout.entries(std::slice::from_ref(&root));
    root
}

/// Every digest that a layout holds. What is visible there is whole.
fn held(layout: &Path) -> BTreeSet<Digest> {
    let Ok(blobs) = fs::read_dir(layout.join("blobs/sha256")) else { return BTreeSet::new() };
    let mut held = BTreeSet::new();
    for blob in blobs {
        let blob = blob.unwrap();
        let name = blob.file_name().into_string().unwrap();
        // Names of another kind are of files that are being written.
        let Ok(digest) = Digest::parse(&format!("sha256:{name}")) else { continue };
        assert!(digest.matches(&fs::read(blob.path()).unwrap()), "{digest} is visible and not whole");
        held.insert(digest);
    }
    held
}

/// How many bytes are kept of blobs that are not whole.
fn kept(layout: &Path) -> u64 {
    let Ok(files) = fs::read_dir(layout.join("blobs")) else { return 0 };
    let files = files.map(|file| file.unwrap());
    let begun = files.filter(|file| file.file_name().to_string_lossy().starts_with(".portolan-sha256-"));
    begun.map(|file| file.metadata().unwrap().len()).sum()
}

/// Points of a copy through which `total` bytes pass: spread over it, none of them round.
fn points(seed: &str, total: u64) -> impl Iterator<Item = u64> {
    let seed = seed.to_owned();
    (0..POINTS as u64).map(move |number| {
        let random = Digest::sha256(format!("{seed} {number}").as_bytes());
        let random = u64::from_str_radix(random.hex().get(..12).unwrap(), 16).unwrap();
        let slice = total / POINTS as u64;
        number * slice + random % slice.max(1)
    })
}

/// Ends the program when the gate has let through what it may; whether it was still running.
fn kill(mut program: Child, gate: &Gate) -> bool {
    let until = Instant::now() + Duration::from_secs(60);
    while !gate.is_shut() && program.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "the copy neither goes on nor ends");
        sleep(Duration::from_micros(200));
    }
    let running = program.try_wait().unwrap().is_none();
    // SIGKILL: nothing is put in order.
    let _ = program.kill();
    let _ = program.wait();
    gate.open();
    gate.wait_until_left();
    running
}

/// Whether this request ends the upload of a blob.
fn sends(asked: &str, digest: &Digest) -> bool {
    asked.starts_with("PUT") && asked.contains("/blobs/uploads/") && asked.replace("%3A", ":").contains(digest.as_str())
}

#[test]
fn from_a_registry_to_a_layout() {
    let (source, registry) = (Layout::new(), Registry::start());
    let root = image(&source);
    let folder = tempfile::tempdir().unwrap();
    let portolan = cli(folder.path());
    copied(&portolan, &format!("oci-layout://{}:1 {}/acme/app:1", source.folder().display(), registry.host()));
    let all = held(source.folder());

    let gate = Gate::before(registry.host());
    copied(&portolan, &format!("{}/acme/app:1 oci-layout://first:1", gate.host()));
    // From here on its documents are cached, as they are for all that follow.
    let before = gate.passed();
    copied(&portolan, &format!("{}/acme/app:1 oci-layout://second:1", gate.host()));
    let total = gate.passed() - before;
    let (mut broken, mut resumed, mut in_part) = (0, 0, 0);
    for (number, point) in points("registry to layout", total).enumerate() {
        let target = folder.path().join(format!("l{number}"));
        let line = format!("{}/acme/app:1 oci-layout://l{number}:1", gate.host());
        gate.shut_after(point);
        broken += usize::from(kill(portolan.start(&format!("copy {line}")), &gate));

        let arrived = held(&target);
        if let Ok(entries) = fs::read(target.join("index.json")) {
            let entries = Index::parse(&entries).expect("an index.json is whole or not there").manifests;
            if entries.iter().any(|entry| entry.digest == root.digest) {
                assert_eq!(arrived, all, "after {point} bytes it has its name, and is not whole");
            }
        }
        resumed += usize::from(!arrived.is_empty() && arrived.len() < all.len());
        let begun = kept(&target);
        in_part += usize::from(begun > 0);
        let whole: u64 = arrived.iter().map(|digest| fs::metadata(source.blob(digest)).unwrap().len()).sum();
        let before = (gate.asked().len(), gate.passed());
        copied(&portolan, &line);
        for asked in gate.asked().split_off(before.0) {
            let again = arrived.iter().find(|digest| asked.contains(&format!("/blobs/{digest}")));
            assert!(again.is_none(), "after {point} bytes: {asked} was there already");
        }
        let (passed, most) = (gate.passed() - before.1, total + TALK - whole - begun);
        assert!(passed <= most, "after {point} bytes, {whole} of them whole and {begun} kept, {passed} came");
        assert_eq!(kept(&target), 0);
        assert_eq!(held(&target), all, "after {point} bytes");
        assert_eq!(digest(&portolan, &format!("oci-layout://l{number}:1")), root.digest.as_str());
    }
    assert!(broken > POINTS / 2, "only {broken} of {POINTS} were still running when they were ended");
    assert!(resumed > POINTS / 4, "only {resumed} of {POINTS} had something to go on from");
    // What comes is written a megabyte at a time, so most layers have nothing on the disk before they are whole.
    assert!(in_part > 2, "only {in_part} of {POINTS} had a layer in part");
}

#[test]
fn from_a_layout_to_a_registry() {
    let (source, registry) = (Layout::new(), Registry::start());
    let root = image(&source);
    let folder = tempfile::tempdir().unwrap();
    let portolan = cli(folder.path());
    let from = format!("oci-layout://{}:1", source.folder().display());
    let all = held(source.folder());

    let gate = Gate::before(registry.host());
    copied(&portolan, &format!("{from} {}/acme/whole:1", gate.host()));
    let total = gate.passed();
    let blobs = all.iter().filter(|digest| gate.asked().iter().any(|asked| sends(asked, digest))).count();
    assert_eq!(blobs, 6 + 2, "layers and configs, each sent: {:?}", gate.asked());
    let (mut broken, mut resumed) = (0, 0);
    for (number, point) in points("layout to registry", total).enumerate() {
        let line = format!("{from} {}/acme/r{number}:1", gate.host());
        gate.shut_after(point);
        broken += usize::from(kill(portolan.start(&format!("copy {line}")), &gate));

        // What the registry gives out is whole, and the tag comes last.
        let arrived: BTreeSet<&Digest> = all
            .iter()
            .filter(|digest| {
                let found = ["blobs", "manifests"].into_iter().find_map(|kind| {
                    let (status, bytes) = get(registry.host(), &format!("/v2/acme/r{number}/{kind}/{digest}"));
                    (status == 200).then_some(bytes)
                });
                found.is_some_and(|bytes| {
                    assert!(digest.matches(&bytes), "after {point} bytes {digest} is there and not whole");
                    true
                })
            })
            .collect();
        if get(registry.host(), &format!("/v2/acme/r{number}/manifests/1")).0 == 200 {
            assert_eq!(arrived.len(), all.len(), "after {point} bytes it has its tag, and is not whole");
        }
        resumed += usize::from(!arrived.is_empty() && arrived.len() < all.len());
        let before = gate.asked().len();
        copied(&portolan, &format!("{line}@{}", root.digest));
        for asked in gate.asked().split_off(before) {
            let again = arrived.iter().find(|digest| sends(&asked, digest));
            assert!(again.is_none(), "after {point} bytes: {asked} was there already");
        }
        assert_eq!(digest(&portolan, &format!("{}/acme/r{number}:1", registry.host())), root.digest.as_str());
        for digest in &all {
            let there = ["blobs", "manifests"]
                .into_iter()
                .any(|kind| get(registry.host(), &format!("/v2/acme/r{number}/{kind}/{digest}")).0 == 200);
            assert!(there, "after {point} bytes {digest} did not come");
        }
    }
    assert!(broken > POINTS / 2, "only {broken} of {POINTS} were still running when they were ended");
    assert!(resumed > POINTS / 4, "only {resumed} of {POINTS} had something to go on from");
}

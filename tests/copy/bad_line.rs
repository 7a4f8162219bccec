//! A line that breaks all the time: two hundred images go into a registry through it and come back out, all arrive, and
//! little of them is sent twice.

use std::sync::atomic::{AtomicUsize, Ordering};

use portolan_oci::Descriptor;
use portolan_tests::gate::Gate;
use portolan_tests::layout::{LAYER, Layout};
use portolan_tests::registry::Registry;

use super::{cli, copied, digest, noise};

const IMAGES: usize = 200;
const AT_ONCE: usize = 4;
/// Three layers, of which the largest is large enough for what came of it to be kept.
const LAYERS: [usize; 3] = [20 << 10, 100 << 10, 1200 << 10];
/// No connection lasts for more bytes. A layer that goes up is sent anew where it broke, one that comes down goes on.
const CUT_UP: u64 = 8 << 20;
const CUT_DOWN: u64 = 2 << 20;

/// Images that have nothing in common, each under its number.
fn images(layout: &Layout) -> Vec<Descriptor> {
    let images = (0..IMAGES).map(|number| {
        let layers = LAYERS.map(|length| layout.insert(LAYER, noise(&format!("{number} {length}"), length)));
        let (_, mut manifest) = layout.manifest("amd64", &layers);
        manifest.annotations.insert("org.opencontainers.image.ref.name".into(), format!("v{number}"));
        manifest
    });
    let images: Vec<Descriptor> = images.collect();
    layout.entries(&images);
    images
}

/// Runs a copy of each image, some at a time; how many bytes passed the gate.
fn all(gate: &Gate, copy: impl Fn(usize) + Sync) -> u64 {
    let (before, next) = (gate.passed(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= IMAGES {
                        break;
                    }
                    copy(number);
                }
            });
        }
    });
    gate.passed() - before
}

#[test]
fn two_hundred_images_arrive_all_the_same() {
    let (source, registry) = (Layout::new(), Registry::start());
    let images = images(&source);
    let folder = tempfile::tempdir().unwrap();
    let portolan = cli(folder.path());
    let from = source.folder().display().to_string();
    let gate = Gate::before(registry.host());
    // Of every image as much is needed as of this one.
    copied(&portolan, &format!("oci-layout://{from}:v0 {}/whole:1", gate.host()));
    let up = gate.passed() * IMAGES as u64;
    copied(&portolan, &format!("{}/whole:1 oci-layout://whole:1", gate.host()));
    let down = gate.passed() * IMAGES as u64 - up;

    gate.cut_within(CUT_UP);
    let sent = all(&gate, |number| {
        copied(&portolan, &format!("oci-layout://{from}:v{number} {}/r{number}:1", gate.host()));
    });
    let cut_up = gate.cuts();
    gate.cut_within(CUT_DOWN);
    let got = all(&gate, |number| {
        copied(&portolan, &format!("{}/r{number}:1 oci-layout://back{number}:1", gate.host()));
    });
    let cut_down = gate.cuts() - cut_up;
    println!(
        "{cut_up} cuts, {:.3} of what is needed; {cut_down}, {:.3}",
        sent as f64 / up as f64,
        got as f64 / down as f64
    );
    assert!(cut_up >= 20 && cut_down >= 100, "{cut_up} and {cut_down} connections were cut");
    assert!(sent as f64 <= up as f64 * 1.2, "{sent} bytes were sent, where {up} are needed");
    assert!(got as f64 <= down as f64 * 1.2, "{got} bytes came, where {down} are needed");
    for (number, image) in images.iter().enumerate() {
        assert_eq!(digest(&portolan, &format!("{}/r{number}:1", registry.host())), image.digest.as_str());
        for layer in LAYERS.map(|length| noise(&format!("{number} {length}"), length)) {
            let digest = portolan_oci::Digest::sha256(&layer);
            let back = folder.path().join(format!("back{number}/blobs/sha256/{}", digest.hex()));
            assert!(std::fs::read(&back).unwrap() == layer, "{}", back.display());
        }
    }
}

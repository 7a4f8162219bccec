//! `portolan copy` of an image of more and more small layers from a registry to a layout, and `crane pull` where it is there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use portolan_oci::{Descriptor, media_type};
use portolan_tests::registry::Registry;
use serde_json::{Value, json};

use crate::draw::Curve;
use crate::median;

const LAYER: usize = 16 << 10;

pub fn curves(portolan: &Path, counts: &[usize]) -> Vec<Curve> {
    let has_crane = Command::new("crane").arg("version").output().is_ok();
    if !has_crane {
        eprintln!("crane is not on the PATH; its curve is left out");
    }
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start();
    let (mut ours, mut cranes) = (Vec::new(), Vec::new());
    for &count in counts {
        let (layout, out) = (folder.path().join(count.to_string()), folder.path().join("out"));
        image(&layout, count);
        let image = format!("{}/plots/app:{count}", registry.host());
        let from = format!("oci-layout://{}:1", layout.display());
        quietly(Command::new(portolan).args(["copy", "--quiet", &from, &image]), folder.path());
        let to = format!("oci-layout://{}:1", out.display());
        let pull = |command: &mut Command| {
            let _ = fs::remove_dir_all(&out);
            quietly(command, folder.path());
        };
        let copied = median(5, || pull(Command::new(portolan).args(["copy", "--quiet", &image, &to])));
        ours.push((count as f64, copied));
        if has_crane {
            let crane = || pull(Command::new("crane").args(["pull", "--insecure", "--format=oci", &image]).arg(&out));
            cranes.push((count as f64, median(5, crane)));
        }
    }
    let ours = Curve { name: "portolan copy", points: ours };
    if has_crane { vec![ours, Curve { name: "crane pull", points: cranes }] } else { vec![ours] }
}

/// Runs it with nobody's credentials.
fn quietly(command: &mut Command, home: &Path) {
    let done = command.env("DOCKER_CONFIG", home).stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A layout with an image of so many layers, each with other bytes.
fn image(layout: &Path, count: usize) {
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let blob = |media_type: &str, bytes: &[u8]| {
        let descriptor = Descriptor::of(media_type, bytes);
        fs::write(blobs.join(descriptor.digest.hex()), bytes).unwrap();
        serde_json::to_value(descriptor).unwrap()
    };
    let layers: Vec<Value> = (0..count)
        .map(|number| {
            blob(
                "application/vnd.oci.image.layer.v1.tar",
                &format!("{count}-{number} ").into_bytes().repeat(LAYER)[..LAYER],
            )
        })
        .collect();
    let diff_ids: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    let config = blob(media_type::OCI_CONFIG, config.to_string().as_bytes());
    let manifest = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": layers,
    });
    let mut entry = blob(media_type::OCI_MANIFEST, manifest.to_string().as_bytes());
    entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "1" });
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let index = json!({ "schemaVersion": 2, "manifests": [entry] });
    fs::write(layout.join("index.json"), index.to_string()).unwrap();
}

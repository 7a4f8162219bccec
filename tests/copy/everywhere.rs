//! The images of the fixtures, from a layout to a registry, to a layout, to an archive, to another registry.

use std::path::Path;
use std::process::Command;

use portolan_oci::Digest;
use portolan_tests::buildx::Buildx;
use portolan_tests::fixtures;
use portolan_tests::registry::{Registry, run};
use portolan_tests::tools;

use super::{cli, copied, digest};

/// A layout and how a name in it is asked for.
const IMAGES: [(&str, &str); 10] = [
    ("buildkit-multi", "1.4"),
    ("buildkit-artifact", "1"),
    ("buildkit-classic", "1"),
    ("buildkit-sbom", "1"),
    ("buildkit-single", "2"),
    ("crane-docker-types", "2"),
    ("crane-nested", "1"),
    ("crane-windows", "all"),
    ("skopeo-names", "3.16"),
    ("umoci", "latest"),
];

#[test]
fn digests_are_equal_everywhere() {
    let (one, other) = (Registry::start(), Registry::start());
    let folder = tempfile::tempdir().unwrap();
    let portolan = cli(folder.path());
    let built = "is missing: `make servers` builds it, where Go is";
    let buildx = Buildx::find().unwrap_or_else(|| panic!("docker-buildx {built}"));
    let crane = tools::find("crane").unwrap_or_else(|| panic!("crane {built}"));
    for (name, tag) in IMAGES {
        let fixture = format!("oci-layout://{}:{tag}", fixtures::layout(name).display());
        let root = digest(&portolan, &fixture);
        let places = [
            format!("{}/acme/{name}:{tag}", one.host()),
            format!("oci-layout://{name}-layout:{tag}"),
            format!("oci-archive://{name}.tar:{tag}"),
            format!("{}/acme/{name}:{tag}", other.host()),
        ];
        let raw = |reference: &str| portolan.line(&format!("inspect {reference} --raw")).bytes;
        let mut from = fixture.clone();
        for to in places {
            let answer = copied(&portolan, &format!("{from} {to}"));
            assert_eq!(answer["root"]["digest"], root.as_str(), "{from} {to}");
            assert_eq!(digest(&portolan, &to), root, "{from} {to}");
            assert_eq!(raw(&to), raw(&fixture), "{to}");
            // Every layer that there is can be read where it went.
            assert_eq!(inspected(&portolan, &to), inspected(&portolan, &fixture), "{to}");
            // Once more moves nothing, and changes nothing.
            copied(&portolan, &format!("{from} {to}"));
            assert_eq!(digest(&portolan, &to), root, "{from} {to}, again");
            from = to;
        }
        let pushed = format!("{}/acme/{name}:{tag}", other.host());
        assert_eq!(buildx.imagetools(folder.path(), &format!("inspect --raw {pushed}")).unwrap(), raw(&fixture));
        let back = format!("{}/back/{name}:{tag}", one.host());
        run(Command::new(&crane).args(["copy", "--insecure", &pushed, &back]), "crane");
        assert_eq!(digest(&portolan, &back), root, "crane's copy of {pushed}");
        // skopeo reads no index inside an index, and none of both OCI's and Docker's types.
        if matches!(name, "crane-nested" | "crane-windows") {
            continue;
        }
        // What others make of it: skopeo takes it back whole, from the registry and from the layout.
        let back = folder.path().join(format!("{name}-back"));
        taken_back(&format!("docker://{}/acme/{name}:{tag}", other.host()), &back, &root);
        if !name.contains("docker") {
            let layout = folder.path().join(format!("{name}-layout"));
            let back = folder.path().join(format!("{name}-back-from-layout"));
            taken_back(&format!("oci:{}:{tag}", layout.display()), &back, &root);
        }
    }
}

fn inspected(portolan: &portolan_tests::cli::Cli, reference: &str) -> serde_json::Value {
    serde_json::from_str::<serde_json::Value>(&portolan.ok(&format!("layers {reference} --format json"))).unwrap()
        ["images"]
        .clone()
}

/// Has skopeo copy it, all of it as it is, and compares what it stored. Its folders hold every kind of document.
fn taken_back(source: &str, folder: &Path, root: &str) {
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["--insecure-policy", "copy", "--all", "--preserve-digests", "--src-tls-verify=false", source]);
    run(skopeo.arg(format!("dir:{}", folder.display())), "skopeo");
    let manifest = std::fs::read(folder.join("manifest.json")).unwrap();
    assert_eq!(Digest::sha256(&manifest).as_str(), root, "{source}");
}

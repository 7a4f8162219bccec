//! The client in Go, `clients/go`: containerd's own code pulls and pushes through the gateway.

use std::path::Path;
use std::process::Command;

use portolan_oci::Digest;
use portolan_tests::registry::{Registry, get, run};

use super::{before, cli, registry};

/// Runs an example of the client's.
fn example(name: &str, words: &[&str]) -> String {
    let mut go = Command::new("go");
    go.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../clients/go"));
    go.args(["run", &format!("./example/{name}")]).args(words);
    String::from_utf8(run(&mut go, "golang").stdout).unwrap()
}

#[test]
fn containerd_pulls_and_pushes_through_it() {
    let (cli, registry) = (cli(), registry());
    let serving = before(&cli, registry.host(), "--pull *");
    let store = tempfile::tempdir().unwrap();
    let reference = format!("{}/app:1.4", registry.host());
    let printed = example("pull", &[serving.host(), &reference, &store.path().display().to_string()]);
    let (_, index) = get(registry.host(), "/v2/app/manifests/1.4");
    let root = Digest::sha256(&index);
    assert!(printed.ends_with(&format!("{reference} is {root}\n")), "{printed}");
    let stored = std::fs::read_dir(store.path().join("blobs/sha256")).unwrap().map(|blob| blob.unwrap().path());
    let mut count = 0;
    for blob in stored {
        let digest = Digest::sha256(&std::fs::read(&blob).unwrap());
        assert_eq!(Some(digest.hex()), blob.file_name().and_then(|name| name.to_str()));
        count += 1;
    }
    assert!(count > 10, "{printed}");

    let target = Registry::start();
    let serving = before(&cli, target.host(), "--push *");
    // All of it, as its only image.
    let layout = tempfile::tempdir().unwrap();
    let all = format!("oci-layout://{}:1.4", layout.path().display());
    cli.ok(&format!("copy {reference} {all} --plain-http --quiet"));
    let layout = layout.path().display().to_string();
    for _ in 0..2 {
        example("push", &[serving.host(), &format!("{}/app:1.4", target.host()), &layout]);
    }
    assert_eq!(get(target.host(), "/v2/app/manifests/1.4"), (200, index));
}

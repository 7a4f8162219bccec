//! Signatures that are wanted: what cosign wrote (`fixtures/signed`), in a registry and beside a file. Whatever is not that
//! runs nothing, and nothing of it is fetched, nor compiled.

use std::fs;

use portolan_hostile::{Hostile, Scene, on};
use portolan_oci::{Descriptor, Digest, media_type};
use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use portolan_tests::layout::Layout;
use portolan_tests::registry::Registry;

const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIMPLE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

fn fixture(name: &str) -> Vec<u8> {
    fs::read(fixtures::folder().join("signed").join(name)).unwrap()
}

fn component() -> Vec<u8> {
    fs::read(fixtures::folder().join("components/contract-0.1.0.wasm")).unwrap()
}

fn cli(folder: &tempfile::TempDir) -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), folder.path())
}

/// A folder with a policy in it that wants a signature by this key.
fn wants(key: &str, of: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key.pub"), fixture(key)).unwrap();
    fs::write(folder.path().join("portolan.toml"), format!("{of}\nsigned-by = [\"key.pub\"]\n")).unwrap();
    folder
}

const OF_ALL: &str = "[frontend.\"oci://*\"]";

/// A manifest that is about the artifact, with its blobs by their media types, and a tag where it has one.
#[derive(Clone, Copy)]
struct About<'a> {
    manifest: &'a str,
    blobs: &'a [(&'a str, &'a str)],
    tag: Option<&'a str>,
}

/// A registry with the artifact under a name, and some of what cosign wrote of it.
struct World {
    registry: Registry,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        World { registry: Registry::start(), folder: tempfile::tempdir().unwrap() }
    }

    /// Pushes the artifact to a repository of its own, with what is about it.
    fn artifact(&self, repository: &str, about: &[About<'_>]) -> String {
        let layout = Layout::new();
        let mut entries = Vec::new();
        let mut add = |manifest: Vec<u8>, name: &str| {
            let mut manifest = layout.insert(media_type::OCI_MANIFEST, manifest);
            manifest.annotations.insert("org.opencontainers.image.ref.name".into(), name.into());
            entries.push(manifest);
        };
        layout.insert(LAYER, component());
        layout.insert(CONFIG, fixture("artifact.config.json"));
        add(fixture("artifact.manifest.json"), "1");
        layout.insert("application/vnd.oci.empty.v1+json", "{}");
        let mut names = vec!["1".to_owned()];
        for (number, About { manifest, blobs, tag }) in about.iter().enumerate() {
            for (media_type, blob) in *blobs {
                layout.insert(media_type, fixture(blob));
            }
            let name = tag.map_or_else(|| format!("about-{number}"), str::to_owned);
            add(fixture(manifest), &name);
            names.push(name);
        }
        layout.entries(&entries);
        let to = format!("{}/{repository}", self.registry.host());
        for name in names {
            cli(&self.folder)
                .ok(&format!("copy --quiet oci-layout://{}:{name} {to}:{name}", layout.folder().display()));
        }
        to
    }
}

fn digest() -> Digest {
    Digest::sha256(&fixture("artifact.manifest.json"))
}

fn signature_tag() -> String {
    format!("sha256-{}.sig", digest().hex())
}

#[test]
fn a_component_in_a_registry_runs_if_it_is_signed() {
    let world = World::new();
    let tag = signature_tag();
    let simple = About {
        manifest: "simple.manifest.json",
        blobs: &[(media_type::OCI_CONFIG, "simple.config.json"), (SIMPLE, "simple.payload.json")],
        tag: Some(&tag),
    };
    let bundle = About { manifest: "bundle.manifest.json", blobs: &[(BUNDLE, "bundle.json")], tag: None };
    let attestation =
        About { manifest: "attestation.manifest.json", blobs: &[(BUNDLE, "attestation.json")], tag: None };
    for (repository, about, signed) in [
        ("acme/simple", &[simple][..], true),
        ("acme/bundle", &[bundle], true),
        ("acme/both", &[attestation, bundle, simple], true),
        ("acme/attested", &[attestation], false),
        ("acme/none", &[], false),
    ] {
        let to = world.artifact(repository, about);
        let ours = wants("cosign.pub", OF_ALL);
        for named in [format!("{to}:1"), format!("{to}@{}", digest())] {
            let line = format!("describe oci://{named}");
            match signed {
                true => assert!(cli(&ours).ok(&line).contains(Digest::sha256(&component()).as_str()), "{named}"),
                false => {
                    let said = cli(&ours).fails(4, &line);
                    assert!(said.contains("is not signed by") && said.contains("portolan.toml:2"), "{named}: {said}");
                    assert!(!ours.path().join("portolan.lock").exists(), "{named}: it was pinned");
                }
            }
        }
        // Somebody else's key, and no key wanted.
        let theirs = wants("other.pub", OF_ALL);
        let said = cli(&theirs).fails(4, &format!("describe oci://{to}:1"));
        assert!(said.contains("is not signed by") && said.contains("key.pub"), "{repository}: {said}");
        let nobody = wants("other.pub", "[frontend.\"oci://r.example/*\"]");
        cli(&nobody).ok(&format!("describe oci://{to}:1"));
        assert!(nobody.path().join("portolan.lock").exists());
    }
    // A signature of something else under its name.
    let moved = Layout::new();
    let other = Descriptor::of(LAYER, b"\0asm\x0d\0\x01\0");
    moved.insert(LAYER, b"\0asm\x0d\0\x01\0");
    moved.insert(CONFIG, fixture("artifact.config.json"));
    let manifest = String::from_utf8(fixture("artifact.manifest.json")).unwrap();
    let layer = Descriptor::of(LAYER, &component());
    let manifest = manifest
        .replace(layer.digest.as_str(), other.digest.as_str())
        .replace(&format!("\"size\":{}", layer.size), &format!("\"size\":{}", other.size));
    let mut manifest = moved.insert(media_type::OCI_MANIFEST, manifest);
    let its_tag = format!("sha256-{}.sig", manifest.digest.hex());
    manifest.annotations.insert("org.opencontainers.image.ref.name".into(), "1".into());
    moved.entries(std::slice::from_ref(&manifest));
    let to = world.artifact("acme/replayed", &[About { tag: Some(&its_tag), ..simple }]);
    cli(&world.folder).ok(&format!("copy --quiet oci-layout://{}:1 {to}:2", moved.folder().display()));
    let said = cli(&wants("cosign.pub", OF_ALL)).fails(4, &format!("describe oci://{to}:2"));
    assert!(said.contains("by another key, or of something else"), "{said}");
}

/// A registry that has the artifact's manifest, and what else it is told to say.
fn scripted(mut scenes: Vec<Scene>) -> Hostile {
    let manifest = String::from_utf8(fixture("artifact.manifest.json")).unwrap();
    for method in ["HEAD", "GET"] {
        let found = on(method, "/v2/app/manifests/1").header("Content-Type", media_type::OCI_MANIFEST);
        scenes.push(found.header("Docker-Content-Digest", digest().as_str()).body(manifest.clone()));
    }
    Hostile::play(scenes)
}

fn paths(registry: &Hostile) -> Vec<String> {
    registry.requests().into_iter().map(|request| request.path).collect()
}

#[test]
fn what_is_not_signed_is_neither_fetched_nor_compiled() {
    let registry = scripted(Vec::new());
    let folder = wants("cosign.pub", OF_ALL);
    let portolan = cli(&folder);
    let compiled = portolan.home().join(".cache/portolan/compiled");
    let before = fs::read_dir(&compiled).unwrap().count();
    let said = portolan.fails(4, &format!("run oci://{}/app:1", registry.host()));
    assert!(said.contains(&format!("{}/app has no signature of {}", registry.host(), digest())), "{said}");
    assert_eq!(fs::read_dir(&compiled).unwrap().count(), before);
    let asked = paths(&registry);
    assert!(asked.iter().any(|path| path.ends_with(&signature_tag())), "{asked:?}");
    assert!(asked.iter().any(|path| path.contains("/referrers/")), "{asked:?}");
    assert!(!asked.iter().any(|path| path.contains("/blobs/")), "{asked:?}");
    // Where none is wanted, none is asked for.
    let registry = scripted(Vec::new());
    cli(&wants("cosign.pub", "[frontend.\"oci://r.example/*\"]")).line(&format!("run oci://{}/app:1", registry.host()));
    let asked = paths(&registry);
    assert!(!asked.iter().any(|path| path.contains(".sig") || path.contains("/referrers/")), "{asked:?}");
    assert!(asked.iter().any(|path| path.contains("/blobs/")), "{asked:?}");
}

#[test]
fn a_registry_that_does_not_say_is_none_that_says_no() {
    let tag = format!("/v2/app/manifests/{}", signature_tag());
    let referrers = format!("/v2/app/referrers/{}", digest());
    for (scenes, says) in [
        (vec![on("HEAD", &tag).status(403), on("GET", &tag).status(403)], "cannot tell whether"),
        (vec![on("GET", &referrers).status(403)], "cannot tell whether"),
        (vec![on("GET", &referrers).body("[]")], "cannot tell whether"),
    ] {
        let registry = scripted(scenes);
        let folder = wants("cosign.pub", OF_ALL);
        let said = cli(&folder).fails(1, &format!("run oci://{}/app:1", registry.host()));
        assert!(said.contains(says) && said.contains(&registry.host()), "{said}");
        assert!(!paths(&registry).iter().any(|path| path.contains("/blobs/")));
        assert!(!folder.path().join("portolan.lock").exists());
    }
}

#[test]
fn rubbish_beside_a_signature_does_not_stand_in_its_way() {
    let world = World::new();
    let to = world.artifact(
        "acme/bundle",
        &[About { manifest: "bundle.manifest.json", blobs: &[(BUNDLE, "bundle.json")], tag: None }],
    );
    // Somebody else's tag, which is no signature at all.
    let image = format!("oci-layout://{}:2", fixtures::layout("buildkit-single").display());
    cli(&world.folder).ok(&format!("copy --quiet {image} {to}:{}", signature_tag()));
    cli(&wants("cosign.pub", OF_ALL)).ok(&format!("describe oci://{to}:1"));
}

#[test]
fn manifests_without_end_are_not_fetched() {
    let entries: Vec<String> = (0..5_000)
        .map(|number| {
            let digest = Digest::sha256(format!("{number}").as_bytes());
            format!(
                r#"{{"mediaType":"{}","digest":"{digest}","size":2,"artifactType":"{BUNDLE}"}}"#,
                media_type::OCI_MANIFEST
            )
        })
        .collect();
    let index =
        format!(r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#, media_type::OCI_INDEX, entries.join(","));
    let registry = scripted(vec![
        on("GET", format!("/v2/app/referrers/{}", digest())).header("Content-Type", media_type::OCI_INDEX).body(index),
    ]);
    let said = cli(&wants("cosign.pub", OF_ALL)).fails(4, &format!("run oci://{}/app:1", registry.host()));
    assert!(said.contains("none of the first 64 things"), "{said}");
    assert!(registry.requests().len() < 150, "{}", registry.requests().len());
}

#[test]
fn signatures_without_end_are_not_looked_at() {
    let descriptor = |size: usize| {
        format!(
            r#"{{"mediaType":"{}","digest":"{}","size":{size},"artifactType":"{BUNDLE}"}}"#,
            media_type::OCI_MANIFEST,
            Digest::sha256(b"{}")
        )
    };
    let many = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
        media_type::OCI_INDEX,
        vec![descriptor(2); 5_000].join(",")
    );
    let layers = vec![descriptor(1 << 30); 10_000].join(",");
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        media_type::OCI_MANIFEST,
        descriptor(2),
        layers.replace(media_type::OCI_MANIFEST, BUNDLE)
    );
    let tag = format!("/v2/app/manifests/{}", signature_tag());
    let signatures = |method| {
        let found = on(method, &tag).header("Content-Type", media_type::OCI_MANIFEST);
        found.header("Docker-Content-Digest", Digest::sha256(manifest.as_bytes()).as_str()).body(manifest.clone())
    };
    let by_digest = format!("/v2/app/manifests/{}", Digest::sha256(manifest.as_bytes()));
    let registry = scripted(vec![
        signatures("HEAD"),
        signatures("GET"),
        on("GET", &by_digest).header("Content-Type", media_type::OCI_MANIFEST).body(manifest.clone()),
        on("GET", format!("/v2/app/referrers/{}", digest())).header("Content-Type", media_type::OCI_INDEX).body(many),
    ]);
    let said = cli(&wants("cosign.pub", OF_ALL)).fails(4, &format!("run oci://{}/app:1", registry.host()));
    assert!(said.contains("none of the first 64 things"), "{said}");
    assert!(registry.requests().len() < 20, "{:?}", paths(&registry));
}

#[test]
fn a_file_runs_if_its_signature_lies_beside_it() {
    let folder = wants("cosign.pub", "[frontend.\"./*\"]");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("x.wasm"), component()).unwrap();
    let said = cli(&folder).fails(4, "describe x.wasm");
    assert!(said.contains("x.wasm is not signed by") && said.contains("there is no x.wasm.sig"), "{said}");
    fs::write(path("x.wasm.sig"), fixture("component.sig")).unwrap();
    cli(&folder).ok("describe x.wasm");
    fs::remove_file(path("x.wasm.sig")).unwrap();
    fs::write(path("x.wasm.sigstore.json"), fixture("component.sigstore.json")).unwrap();
    cli(&folder).ok("describe ./x.wasm");
    // One byte more, which a component may have.
    fs::write(path("x.wasm"), [component(), vec![0, 1, 0]].concat()).unwrap();
    assert!(cli(&folder).fails(4, "describe x.wasm").contains("by another key, or of something else"));
    // A strategy, too.
    let folder = wants("cosign.pub", "[strategy.\"./*\"]");
    fs::copy(fixtures::folder().join("components/strategy-0.1.0.wasm"), folder.path().join("judge.wasm")).unwrap();
    fs::write(folder.path().join("judge.wasm.sig"), fixture("component.sig")).unwrap();
    let image = format!("oci-layout://{}:1.4", fixtures::layout("buildkit-multi").display());
    let said = cli(&folder).fails(4, &format!("resolve {image} --strategy judge.wasm"));
    assert!(said.contains("judge.wasm is not signed by"), "{said}");
    // A key that is none is no reason to run.
    fs::write(folder.path().join("key.pub"), "rubbish").unwrap();
    let said = cli(&folder).fails(1, &format!("resolve {image} --strategy judge.wasm"));
    assert!(said.contains("key.pub is no file of public keys"), "{said}");
}

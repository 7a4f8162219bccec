//! Frontends in a registry: run by name, pinned when they are first run, refused when they are not what they say or moved.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use portolan::Bundled;
use portolan_oci::{Descriptor, Digest, media_type};
use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use portolan_tests::layout::{Layout, json};
use portolan_tests::registry::Registry;

const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";

fn cli(folder: &Path) -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), folder)
}

/// What `wkg oci push` says of a component.
fn config(layer: &Descriptor, imports: &str) -> String {
    format!(
        r#"{{"created":"2026-01-01T00:00:00Z","author":null,"architecture":"wasm","os":"wasip2","layerDigests":["{}"],"component":{{"exports":["portolan:oci/frontend@0.1.0"],"imports":[{imports}],"target":null}}}}"#,
        layer.digest
    )
}

/// Adds an artifact to a layout, under a name.
fn artifact(layout: &Layout, name: &str, config: (&str, &str), layers: &[Descriptor]) -> Digest {
    let config = layout.insert(config.0, config.1);
    let layers: Vec<String> = layers.iter().map(json).collect();
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        media_type::OCI_MANIFEST,
        json(&config),
        layers.join(",")
    );
    let mut manifest = layout.insert(media_type::OCI_MANIFEST, manifest);
    let digest = manifest.digest.clone();
    manifest.annotations.insert("org.opencontainers.image.ref.name".into(), name.into());
    let index = fs::read(layout.path("index.json")).unwrap();
    let mut entries = portolan_oci::Index::parse(&index).unwrap().manifests;
    entries.push(manifest);
    layout.entries(&entries);
    digest
}

/// A registry with frontends: `tags` and `resolve` as strangers would publish them, and what is none.
struct World {
    registry: Registry,
    layout: Layout,
    folder: tempfile::TempDir,
    tags: Digest,
    resolve: Digest,
}

impl World {
    fn new() -> World {
        let (registry, layout) = (Registry::start(), Layout::new());
        let tags = layout.insert(LAYER, Bundled::Tags.bytes());
        let resolve = layout.insert(LAYER, Bundled::Resolve.bytes());
        let module = layout.insert(LAYER, b"\0asm\x01\0\0\0");
        let tags_digest = artifact(&layout, "tags", (CONFIG, &config(&tags, "")), std::slice::from_ref(&tags));
        let resolve_digest =
            artifact(&layout, "resolve", (CONFIG, &config(&resolve, "")), std::slice::from_ref(&resolve));
        let evil = config(&tags, r#""evil:kernel/module@1.0.0""#);
        artifact(&layout, "imports", (CONFIG, &evil), std::slice::from_ref(&tags));
        artifact(&layout, "two", (CONFIG, &config(&tags, "")), &[tags.clone(), resolve.clone()]);
        artifact(&layout, "image", (media_type::OCI_CONFIG, "{}"), &[]);
        artifact(&layout, "module", (CONFIG, &config(&module, "")), std::slice::from_ref(&module));
        let other = Descriptor { media_type: "application/x-tar".into(), ..tags.clone() };
        artifact(&layout, "tar", (CONFIG, &config(&tags, "")), &[other]);
        World { registry, layout, folder: tempfile::tempdir().unwrap(), tags: tags_digest, resolve: resolve_digest }
    }

    fn push(&self, portolan: &Cli, name: &str, to: &str) -> String {
        let to = format!("{}/{to}", self.registry.host());
        portolan.ok(&format!("copy --quiet oci-layout://{}:{name} {to}", self.layout.folder().display()));
        to
    }
}

#[test]
fn a_frontend_is_run_by_name_and_pinned() {
    let world = World::new();
    let portolan = cli(world.folder.path());
    let to = world.push(&portolan, "tags", "acme/front:1");
    let pinned = world.folder.path().join("portolan.lock");
    fs::write(world.folder.path().join("portolan.toml"), "").unwrap();

    let run = format!("run oci://{to} {}/acme/front", world.registry.host());
    assert_eq!(portolan.ok(&run), "1\n");
    let line = format!("\"{to}\" = \"{}\"\n", world.tags);
    assert!(fs::read_to_string(&pinned).unwrap().ends_with(&line));
    assert!(portolan.ok(&format!("describe oci://{to}")).contains(&Digest::sha256(Bundled::Tags.bytes()).to_string()));

    // Somebody else's component under the same name is not run, until that is wanted.
    world.push(&portolan, "resolve", "acme/front:1");
    let said = portolan.fails(1, &run);
    assert!(said.contains(&format!("{to} was {} when", world.tags)), "{said}");
    assert!(
        said.contains(&format!("is {} now ({})", world.resolve, pinned.display())) && said.contains("--update"),
        "{said}"
    );
    assert!(fs::read_to_string(&pinned).unwrap().ends_with(&line), "it was moved all the same");
    // By its digest the old one is still what it was.
    let by_digest = format!("run oci://{}/acme/front@{} {0}/acme/front", world.registry.host(), world.tags);
    assert_eq!(portolan.ok(&by_digest), "1\n");

    let updated = portolan.ok(&format!("run --update oci://{to} {to} --digest"));
    assert_eq!(updated, format!("{}\n", world.resolve));
    assert!(fs::read_to_string(&pinned).unwrap().ends_with(&format!("\"{to}\" = \"{}\"\n", world.resolve)));
    // What an audit says of it is the component's own digest, and its name.
    portolan.ok(&format!("run oci://{to} {to} --digest --audit audit.jsonl"));
    let audit = fs::read_to_string(world.folder.path().join("audit.jsonl")).unwrap();
    let digest = Digest::sha256(Bundled::Resolve.bytes());
    assert!(audit.contains(&format!(r#""frontend":"{to}","digest":"{digest}""#)), "{audit}");
}

/// `fixtures/published/wkg` is what `wkg oci push` of wkg 0.16.1 made of a component.
#[test]
fn what_wkg_pushed_runs() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::start());
    let portolan = cli(folder.path());
    let name = format!("{}/acme/pushed:1", registry.host());
    let pushed = fixtures::folder().join("published/wkg");
    portolan.ok(&format!("copy --quiet oci-layout://{}:1 {name}", pushed.display()));
    let image = format!("oci-layout://{}:1.4", fixtures::layout("buildkit-multi").display());
    assert_eq!(portolan.ok(&format!("run oci://{name} {image}")), "root\n");
}

#[test]
fn it_is_pinned_for_the_user_where_no_policy_is_here() {
    let world = World::new();
    let portolan = cli(world.folder.path());
    let to = world.push(&portolan, "tags", "acme/front:1");
    let run = format!("run oci://{to} {}/acme/front", world.registry.host());
    portolan.ok(&run);
    assert!(!world.folder.path().join("portolan.lock").exists());
    world.push(&portolan, "resolve", "acme/front:1");
    assert!(portolan.fails(1, &run).contains("portolan/portolan.lock"));
}

#[test]
fn what_is_no_frontend_is_refused_before_it_is_fetched() {
    let world = World::new();
    let portolan = cli(world.folder.path());
    for (name, says) in [
        ("imports", "imports evil:kernel/module@1.0.0, which no host gives"),
        ("two", "it has 2 layers, and a component is one"),
        ("image", "its config is of type application/vnd.oci.image.config.v1+json"),
        ("tar", "its layer is of type application/x-tar"),
        ("module", "is a core WebAssembly module"),
    ] {
        let to = world.push(&portolan, name, &format!("acme/{name}:1"));
        let said = portolan.fails(1, &format!("run oci://{to} x"));
        assert!(said.contains(says) && said.contains(&to), "{name}: {said}");
    }
    let nobody = portolan.fails(5, &format!("run oci://{}/acme/none:1 x", world.registry.host()));
    assert!(nobody.contains("acme/none:1"), "{nobody}");
    assert!(portolan.fails(2, "run oci-layout://x:1 x").contains("frontends are in registries"));
    assert!(portolan.fails(2, "run https://r.example/x y").contains("names no frontend"));
}

#[test]
fn a_lock_that_is_not_understood_runs_nothing() {
    let world = World::new();
    let portolan = cli(world.folder.path());
    let to = world.push(&portolan, "tags", "acme/front:1");
    fs::write(world.folder.path().join("portolan.toml"), "").unwrap();
    fs::write(world.folder.path().join("portolan.lock"), "[frontends]\nx = 1\n").unwrap();
    for line in [format!("run oci://{to} {to}"), format!("run --update oci://{to} {to}")] {
        let said = portolan.fails(1, &line);
        assert!(said.contains("portolan.lock is no lock of frontends"), "{said}");
    }
}

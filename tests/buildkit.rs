//! What a BuildKit daemon has built and nobody pushed: a real `buildkitd`, reached as its users reach it, and one that lies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use portolan_oci::{Digest, chain};
use portolan_tests::authority::Authority;
use portolan_tests::buildkit::Buildkit;
use portolan_tests::cli::Cli;
use portolan_tests::gate::Gate;
use portolan_tests::layout::Layout;
use portolan_tests::registry::{Registry, run};
use portolan_tests::server::free_port;
use portolan_tests::{fixtures, tools};
use serde_json::Value;

#[path = "buildkit/hostile.rs"]
mod hostile;

const NAMED: &str = "type=image,push=false,name=";

fn portolan() -> Cli {
    Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder())
}

fn of(buildkit: &Buildkit) -> Cli {
    portolan().variable("BUILDKIT_HOST", buildkit.address())
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// moby/buildkit#4854: a cache key from the last layer of an image that was built lazily, neither pushed nor exported.
#[test]
fn a_lazy_build_is_read_without_its_base_being_pulled() {
    const LARGE: usize = 200 << 20;
    let (registry, base) = (Registry::start(), Layout::new());
    let image = base.image(&vec![0; LARGE]);
    base.entries(std::slice::from_ref(&image.manifest));
    registry.push(&format!("oci:{}", base.folder().display()), "acme/base:1");
    let gate = Gate::before(registry.host());
    let Some(buildkit) = Buildkit::start(&[&gate.host()]) else { return };
    let dockerfile = format!("FROM {}/acme/base:1\nCOPY --link file /file\n", gate.host());
    buildkit.build(&dockerfile, &[("file", b"content")], &["--output", &format!("{NAMED}docker.io/acme/lazy:1")]);

    let portolan = of(&buildkit);
    let last = portolan.ok("layers --last buildkit://latest");
    let told = json(&portolan.ok("layers --format json buildkit://latest"));
    let layers = told["images"][0]["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2, "{told}");
    assert_eq!(layers[0]["digest"], image.layer.digest.as_str());
    assert_eq!(layers[1]["digest"], last.trim());
    let diff_ids: Vec<Digest> =
        layers.iter().map(|layer| Digest::parse(layer["diffId"].as_str().unwrap()).unwrap()).collect();
    let key = portolan.ok("layers --last --key chain-id buildkit://docker.io/acme/lazy:1");
    assert_eq!(key.trim(), chain::chain_ids(&diff_ids)[1].as_str());

    // The registry was asked for the base's documents, and for nothing of its layer.
    let asked = gate.asked();
    assert!(asked.iter().any(|asked| asked.contains("/v2/acme/base/manifests/")), "{asked:?}");
    assert!(!asked.iter().any(|asked| asked.contains(image.layer.digest.as_str())), "{asked:?}");
    assert!(gate.passed() < 1 << 20, "{} bytes came from the registry", gate.passed());

    // Whoever wants a layer is told that there may be none, and nothing is left behind.
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("new");
    let message = portolan.fails(1, &format!("copy buildkit://latest oci-layout://{}:1", target.display()));
    assert!(message.contains("of a build only indexes, manifests, configs and attestations are read"), "{message}");
    let index = fs::read_to_string(target.join("index.json")).map_or(Value::Null, |text| json(&text));
    assert!(index["manifests"].as_array().is_none_or(Vec::is_empty), "{index}");
    assert!(gate.passed() < 1 << 20);
}

#[test]
fn builds_are_listed_and_found_by_reference_name_and_digest() {
    let Some(buildkit) = Buildkit::start(&[]) else { return };
    let portolan = of(&buildkit);
    assert_eq!(portolan.ok("inspect buildkit://"), "No build there has an image.\n");
    let message = portolan.fails(5, "layers buildkit://latest");
    assert!(
        message.contains("no build that the daemon remembers has an image") && message.contains("--output type=image"),
        "{message}"
    );

    // One that leaves no image; one of two platforms with provenance, under two names; one that takes a name over; one for
    // a tar, with no name.
    let scratch = "FROM scratch\nCOPY file /file\n";
    let out = tempfile::tempdir().unwrap();
    buildkit.build(scratch, &[("file", b"0")], &["--output", &format!("type=local,dest={}", out.path().display())]);
    let both = ["--opt", "platform=linux/amd64,linux/arm64", "--opt", "attest:provenance=mode=min"];
    let names = r#"type=image,push=false,"name=acme/app:1,ghcr.io/acme/app:1""#;
    let first = buildkit.build(scratch, &[("file", b"1")], &[&both[..], &["--output", names]].concat());
    let second = buildkit.build(scratch, &[("file", b"2")], &["--output", &format!("{NAMED}acme/app:1")]);
    let tar = out.path().join("out.tar");
    let third = buildkit.build(scratch, &[("file", b"3")], &["--output", &format!("type=oci,dest={}", tar.display())]);
    let digests: Vec<&str> =
        [&third, &second, &first].map(|built| built["containerimage.digest"].as_str().unwrap()).to_vec();

    let listed = json(&portolan.ok("inspect --format json buildkit://"));
    let builds = listed["builds"].as_array().unwrap();
    let told: Vec<&str> = builds.iter().map(|build| build["results"][0]["digest"].as_str().unwrap()).collect();
    assert_eq!(told, digests, "{listed}");
    let names: Vec<String> = builds.iter().map(|build| build["results"][0]["names"].to_string()).collect();
    assert_eq!(names, ["[]", r#"["docker.io/acme/app:1"]"#, r#"["docker.io/acme/app:1","ghcr.io/acme/app:1"]"#]);
    let platforms = |build: &Value| build["results"][0]["platforms"].as_array().unwrap().len();
    assert_eq!(builds.iter().map(platforms).collect::<Vec<_>>(), [1, 1, 2]);
    let text = portolan.ok("inspect buildkit://");
    assert_eq!(text.lines().count(), 4, "{text}");
    let line = text.lines().find(|line| line.contains(digests[2])).unwrap();
    assert!(line.contains("linux/amd64,linux/arm64") && line.contains("ghcr.io/acme/app:1"), "{line}");
    for build in builds {
        let reference = build["ref"].as_str().unwrap();
        assert!(line.starts_with(reference) || text.contains(reference), "{text}");
        let digest = build["results"][0]["digest"].as_str().unwrap();
        for typed in [reference.to_owned(), format!("{reference}@{digest}"), format!("@{digest}")] {
            assert_eq!(portolan.ok(&format!("resolve --digest buildkit://{typed}")).trim(), digest, "{typed}");
        }
        // As BuildKit's own program lists them.
        let histories = run(buildkit.buildctl().args(["debug", "histories"]), "buildctl").stdout;
        assert!(String::from_utf8_lossy(&histories).contains(reference));
    }
    for (typed, expected) in [
        ("latest", digests[0]),
        ("acme/app:1", digests[1]),
        ("docker.io/acme/app:1", digests[1]),
        ("ghcr.io/acme/app:1", digests[2]),
    ] {
        assert_eq!(portolan.ok(&format!("resolve --digest buildkit://{typed}")).trim(), expected, "{typed}");
    }
    let attested = portolan.ok("inspect buildkit://ghcr.io/acme/app:1");
    assert_eq!(attested.matches("https://slsa.dev/provenance/v1").count(), 2, "{attested}");
    // What it says is there until BuildKit collects its garbage, which is its own affair.
    let provenance = portolan.line("inspect --provenance -p linux/amd64 buildkit://ghcr.io/acme/app:1");
    match provenance.status {
        0 => assert!(provenance.out.contains("slsa.dev/provenance"), "{}", provenance.out),
        status => assert!(status == 5 && provenance.err.contains("BuildKit has pruned it"), "{}", provenance.err),
    }
    let message = portolan.fails(5, "inspect buildkit://nope");
    let newest = builds[0]["ref"].as_str().unwrap();
    assert!(message.contains("nothing there has that name") && message.contains(newest), "{message}");
    let message = portolan.fails(5, "inspect buildkit://acme/app:2");
    assert!(message.contains("the nearest names there are docker.io/acme/app:1"), "{message}");
    let message = portolan.fails(5, "layers buildkit://");
    assert!(message.contains("names no build"), "{message}");
    assert!(portolan.fails(5, &format!("inspect buildkit://latest@{}", digests[1])).contains("points at"));

    // The tar holds what the daemon says of it.
    let exported = portolan.ok(&format!("layers --format json --jq .images oci-archive://{}", tar.display()));
    assert_eq!(portolan.ok("layers --format json --jq .images buildkit://latest"), exported);

    // Nothing of what only the listing says gets into an index.
    let index = portolan.ok("create --dry-run buildkit://acme/app:1");
    assert!(!index.contains("dev.portolan") && !index.contains("io.containerd.image.name"), "{index}");

    // What buildctl wrote of a build knows its digest alone.
    fs::write(out.path().join("m.json"), first.to_string()).unwrap();
    let typed = format!("resolve --digest --metadata {}", out.path().join("m.json").display());
    assert_eq!(portolan.ok(&typed).trim(), digests[2]);
    assert!(portolan.fails(2, &format!("{typed} alpine")).contains("cannot be used with"));
}

#[test]
fn a_builder_of_buildx_is_found_with_what_it_built() {
    let Some(buildkit) = Buildkit::start(&[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = tools::find("docker-buildx").expect("docker-buildx, which `make servers` builds");
    let buildx = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).env("BUILDX_CONFIG", folder.path().join("buildx")).current_dir(folder.path());
        run(command.stdin(Stdio::null()), "docker-buildx");
    };
    fs::write(folder.path().join("Dockerfile"), "FROM scratch\nCOPY Dockerfile /\n").unwrap();
    fs::write(
        folder.path().join("docker-bake.json"),
        r#"{"target":{"app":{"tags":["acme/app:1"],"output":["type=image,push=false"]},
            "db":{"dockerfile":"Db","output":["type=image,push=false"]}}}"#,
    )
    .unwrap();
    fs::write(folder.path().join("Db"), "FROM scratch\nCOPY Db /\n").unwrap();
    buildx(&["create", "--name", "far", "--driver", "remote", &buildkit.address()]);
    buildx(&["bake", "--builder", "far", "--metadata-file", "bake.json", "app", "db"]);
    buildx(&["build", "--builder", "far", "--metadata-file", "build.json", "--output", "type=image,push=false", "."]);

    let config = || folder.path().join("buildx").display().to_string();
    let here = Cli::new(env!("CARGO_BIN_EXE_portolan"), folder.path()).variable("BUILDX_CONFIG", config());
    let digest = |file: &str, target: &str| {
        let told = json(&fs::read_to_string(folder.path().join(file)).unwrap());
        let told = if target.is_empty() { &told } else { &told[target] };
        told["containerimage.digest"].as_str().unwrap().to_owned()
    };
    let (app, db, build) = (digest("bake.json", "app"), digest("bake.json", "db"), digest("build.json", ""));
    assert_ne!(app, db);
    // The metadata name the builder, and so nobody else has to.
    assert_eq!(here.ok("resolve --digest --metadata bake.json#app").trim(), app);
    assert_eq!(here.ok("resolve --digest --metadata bake.json#db").trim(), db);
    assert_eq!(here.ok("resolve --digest --metadata build.json").trim(), build);
    let key = here.ok("layers --last --key chain-id --metadata bake.json#app");
    assert!(key.starts_with("sha256:"), "{key}");
    let message = here.fails(1, "layers --metadata bake.json");
    assert!(message.contains("it has \"app\", \"db\"") && message.contains("#TARGET"), "{message}");
    assert_eq!(here.ok("resolve --digest --builder far buildkit://latest").trim(), build);
    assert_eq!(here.ok("resolve --digest --builder far buildkit://acme/app:1").trim(), app);
    let message = here.fails(1, "inspect --builder near buildkit://");
    assert!(message.contains("there is no builder \"near\"") && message.contains("far"), "{message}");
    buildx(&["use", "far"]);
    assert_eq!(here.ok("resolve --digest buildkit://latest").trim(), build);
}

/// Most builders of buildx are containers, which are reached through docker: here through a program of that name that does
/// what `docker exec` would.
#[test]
fn a_builder_in_a_container() {
    let Some(buildkit) = Buildkit::start(&[]) else { return };
    let built = buildkit.build("FROM scratch\n", &[], &["--output", "type=image,push=false"]);
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "#!/bin/sh\necho \"$@\" >{}/asked\n[ \"$5\" = buildx_buildkit_ci0 ] || {{ echo \"No such container: $5\" >&2; exit 1; }}\nexec {} --addr {} dial-stdio\n",
        folder.path().display(),
        Buildkit::program().display(),
        buildkit.address()
    );
    fs::write(folder.path().join("docker"), script).unwrap();
    fs::set_permissions(folder.path().join("docker"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(folder.path().join("buildx/instances")).unwrap();
    for (name, node) in [("ci", "ci0"), ("gone", "gone0")] {
        let instance = format!(
            r#"{{"Name":"{name}","Driver":"docker-container","Nodes":[{{"Name":"{node}","Endpoint":"unix:///var/run/docker.sock"}}]}}"#
        );
        fs::write(folder.path().join("buildx/instances").join(name), instance).unwrap();
    }
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let here = portolan().variable("BUILDX_CONFIG", folder.path().join("buildx").display().to_string());
    let here = here.variable("PATH", path);
    let digest = here.ok("resolve --digest --builder ci buildkit://latest");
    assert_eq!(digest.trim(), built["containerimage.digest"].as_str().unwrap());
    let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
    assert_eq!(asked, "--host unix:///var/run/docker.sock exec -i buildx_buildkit_ci0 buildctl dial-stdio\n");
    let message = here.fails(1, "inspect --builder gone buildkit://");
    assert!(message.contains("No such container: buildx_buildkit_gone0"), "{message}");
    let without = portolan().variable("PATH", "/nope").variable("BUILDKIT_HOST", "docker-container://ci0");
    assert!(without.fails(1, "inspect buildkit://").contains("there is no program docker here"));
}

#[test]
fn over_tcp_both_sides_show_a_certificate() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("daemon", "IP:127.0.0.1", "30");
    let (shown, shown_key) = authority.sign("client", "DNS:client", "30");
    let text = |path: &std::path::Path| path.display().to_string();
    let ca = text(&authority.certificate());
    let address = format!("tcp://127.0.0.1:{}", free_port());
    let tls = ["--tlscacert", &ca, "--tlscert", &text(&certificate), "--tlskey", &text(&key)].map(str::to_owned);
    let Some(_buildkit) = Buildkit::start_at(
        &address,
        &tls,
        &["--tlscacert", &ca, "--tlscert", &text(&shown), "--tlskey", &text(&shown_key)],
    ) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("instances")).unwrap();
    let instance = |name: &str, options: Value| {
        let nodes = serde_json::json!([{"Name": "n", "Endpoint": address, "DriverOpts": options}]);
        let instance = serde_json::json!({"Name": name, "Driver": "remote", "Nodes": nodes});
        fs::write(folder.path().join("instances").join(name), instance.to_string()).unwrap();
    };
    instance("right", serde_json::json!({"cacert": ca, "cert": text(&shown), "key": text(&shown_key)}));
    instance("nameless", serde_json::json!({"cacert": ca}));
    instance("stranger", serde_json::json!({"cert": text(&shown), "key": text(&shown_key)}));
    instance("plain", serde_json::json!({}));
    instance(
        "other-name",
        serde_json::json!({"cacert": ca, "cert": text(&shown), "key": text(&shown_key), "servername": "other"}),
    );
    instance("no-file", serde_json::json!({"cacert": "/nope.pem"}));
    let here = portolan().variable("BUILDX_CONFIG", folder.path().display().to_string());
    assert_eq!(here.ok("inspect --builder right buildkit://"), "No build there has an image.\n");
    for (builder, expected) in [
        ("nameless", "cannot"),
        ("stranger", "certificate"),
        ("plain", "--builder NAME"),
        ("other-name", "certificate"),
        ("no-file", "/nope.pem"),
    ] {
        let message = here.fails(1, &format!("inspect --builder {builder} buildkit://"));
        assert!(message.contains(expected) && message.contains("127.0.0.1"), "{builder}\n{message}");
    }
}

#[test]
fn daemons_that_cannot_be_reached_or_told() {
    for (host, expected) in [
        ("unix:///nope/buildkitd.sock", "there is no such socket"),
        ("tcp://127.0.0.1:1", "refused"),
        ("kube-pod://b", "can be reached"),
        ("/run/buildkit/buildkitd.sock", "BUILDKIT_HOST: "),
    ] {
        let message = portolan().variable("BUILDKIT_HOST", host).fails(1, "inspect buildkit://latest");
        assert!(message.contains(expected), "{host}\n{message}");
    }
    // A server of another kind.
    let registry = Registry::start();
    let message =
        portolan().variable("BUILDKIT_HOST", format!("tcp://{}", registry.host())).fails(1, "inspect buildkit://");
    assert!(message.contains(registry.host()), "{message}");
    let message = portolan().fails(1, "copy alpine:3 buildkit://latest");
    assert!(message.contains("can only be read"), "{message}");
}

//! Pulling through: what comes out is what went in, and what a registry lies about does not come out.

use std::process::Command;

use portolan_hostile::{Hostile, on};
use portolan_oci::Digest;
use portolan_tests::containerd::Containerd;
use portolan_tests::registry::{Registry, run};
use portolan_tests::serving::ask;
use portolan_tests::tools;
use serde_json::{Value, json};

use super::{before, cli, multi, registry};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn crane(words: &[&str]) -> String {
    let program = tools::find("crane").expect("crane, which `make servers` builds");
    let output = run(Command::new(program).args(words).arg("--insecure"), "none: `make servers`");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn clients_that_others_wrote_pull_through_it() {
    let (cli, registry) = (cli(), registry());
    let serving = before(&cli, registry.host(), "--pull *");
    let (theirs, ours) = (format!("{}/app:1.4", registry.host()), format!("{}/app:1.4", serving.host()));
    assert_eq!(crane(&["digest", &ours]), crane(&["digest", &theirs]));
    assert_eq!(crane(&["manifest", &ours]), crane(&["manifest", &theirs]));
    let arm = ["--platform", "linux/arm64"];
    assert_eq!(crane(&["config", arm[0], arm[1], &ours]), crane(&["config", arm[0], arm[1], &theirs]));

    // All of it, by skopeo, byte for byte: index, manifests, configs, layers, attestations.
    let scratch = tempfile::tempdir().unwrap();
    let pulled = |host: &str, name: &str| {
        let folder = scratch.path().join(name);
        let (from, to) = (format!("docker://{host}/app:1.4"), format!("oci:{}:1.4", folder.display()));
        let words = ["--insecure-policy", "copy", "--all", "--preserve-digests", "--src-tls-verify=false", &from, &to];
        run(Command::new("skopeo").args(words), "skopeo");
        let mut blobs: Vec<_> = std::fs::read_dir(folder.join("blobs/sha256")).unwrap().map(|it| it.unwrap()).collect();
        blobs.sort_by_key(std::fs::DirEntry::file_name);
        blobs.iter().map(|blob| (blob.file_name(), std::fs::read(blob.path()).unwrap())).collect::<Vec<_>>()
    };
    let (ours, theirs) = (pulled(serving.host(), "ours"), pulled(registry.host(), "theirs"));
    assert!(theirs.len() > 10);
    assert!(ours == theirs, "what came through the gateway is something else");
}

#[test]
fn containerd_pulls_through_it_as_a_mirror() {
    let (cli, registry) = (cli(), registry());
    cli.asks(&["r.example"], registry.host());
    let serving = cli.serve("--pull r.example/*");
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("r.example");
    std::fs::create_dir(&folder).unwrap();
    // Where the registry itself would be there is nobody.
    let text = format!(
        "server = \"http://127.0.0.1:1\"\n[host.\"http://{}\"]\ncapabilities = [\"pull\", \"resolve\"]\n",
        serving.host()
    );
    std::fs::write(folder.join("hosts.toml"), text).unwrap();
    let listed = Containerd::start().pull_by(scratch.path(), "r.example/app:1.4", "linux/amd64");
    let (_, index) = portolan_tests::registry::get(registry.host(), "/v2/app/manifests/1.4");
    assert!(listed.contains(Digest::sha256(&index).as_str()), "{listed}");
}

#[test]
fn a_repository_is_named_by_a_namespace_or_its_path() {
    let (cli, registry) = (cli(), registry());
    cli.asks(&["r.example"], registry.host());
    let serving = cli.serve("--pull r.example/*");
    let status = |path: &str| ask(serving.host(), "HEAD", path, &[], b"").status;
    assert_eq!(status("/v2/app/manifests/1.4?ns=r.example"), 200);
    assert_eq!(status("/v2/r.example/app/manifests/1.4"), 200);
    assert_eq!(status("/v2/app/manifests/1.4?ns=other.example"), 403);
    let nobody = ask(serving.host(), "GET", "/v2/app/manifests/1.4", &[], b"");
    assert_eq!(nobody.status, 404);
    assert!(nobody.text().contains("--upstream HOST"), "{}", nobody.text());
}

#[test]
fn what_is_there_and_what_is_not() {
    let (cli, registry) = (cli(), registry());
    let serving = before(&cli, registry.host(), "--pull *");
    let get = |path: &str| ask(serving.host(), "GET", path, &[], b"");
    let index = get("/v2/app/manifests/1.4");
    let digest = Digest::sha256(&index.body);
    assert_eq!(index.header("docker-content-digest"), Some(digest.as_str()));
    assert_eq!(index.header("content-type"), Some(INDEX));
    let head = ask(serving.host(), "HEAD", &format!("/v2/app/manifests/{digest}"), &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(index.body.len().to_string().as_str()));

    let parsed: Value = serde_json::from_slice(&index.body).unwrap();
    let manifest = parsed["manifests"][0]["digest"].as_str().unwrap();
    let manifest: Value = serde_json::from_slice(&get(&format!("/v2/app/manifests/{manifest}")).body).unwrap();
    let layer = &manifest["layers"][0];
    let (layer, size) = (layer["digest"].as_str().unwrap(), layer["size"].as_u64().unwrap() as usize);
    let blob = get(&format!("/v2/app/blobs/{layer}"));
    assert_eq!(Digest::sha256(&blob.body).as_str(), layer);
    let part = |range: &str| ask(serving.host(), "GET", &format!("/v2/app/blobs/{layer}"), &[("Range", range)], b"");
    let middle = part("bytes=10-19");
    assert_eq!((middle.status, &*middle.body), (206, &blob.body[10..20]));
    assert_eq!(middle.header("content-range"), Some(format!("bytes 10-19/{size}").as_str()));
    assert_eq!(part("bytes=-5").body, blob.body[size - 5..]);
    assert_eq!(part(&format!("bytes={size}-")).status, 416);

    let tags = get("/v2/app/tags/list");
    assert_eq!(serde_json::from_slice::<Value>(&tags.body).unwrap(), json!({"name": "app", "tags": ["1.4"]}));
    let absent = Digest::sha256(b"absent");
    for (path, status, code) in [
        ("/v2/app/manifests/nope".to_owned(), 404, "MANIFEST_UNKNOWN"),
        (format!("/v2/app/manifests/{absent}"), 404, "MANIFEST_UNKNOWN"),
        (format!("/v2/app/blobs/{absent}"), 404, "BLOB_UNKNOWN"),
        ("/v2/app/blobs/sha256:short".to_owned(), 400, "NAME_INVALID"),
        ("/v2/App/manifests/1".to_owned(), 400, "NAME_INVALID"),
        ("/v2/_catalog".to_owned(), 404, "NAME_UNKNOWN"),
        ("/favicon.ico".to_owned(), 404, "NAME_UNKNOWN"),
    ] {
        let answer = get(&path);
        let error: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{path}: {answer:?}"));
        assert_eq!((answer.status, error["errors"][0]["code"].as_str()), (status, Some(code)), "{path}: {error}");
    }
}

#[test]
fn tags_come_in_pages() {
    let cli = cli();
    let registry = Registry::start();
    for tag in ["a", "b", "c", "d", "e"] {
        registry.push(&multi(), &format!("app:{tag}"));
    }
    let serving = before(&cli, registry.host(), "--pull *");
    let (mut path, mut pages) = ("/v2/app/tags/list?n=2".to_owned(), Vec::new());
    for _ in 0..4 {
        let page = ask(serving.host(), "GET", &path, &[], b"");
        let tags: Value = serde_json::from_slice(&page.body).unwrap();
        pages.push(tags["tags"].clone());
        let Some(link) = page.header("link") else { break };
        path = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
    }
    assert_eq!(pages, [json!(["a", "b"]), json!(["c", "d"]), json!(["e"])]);
}

/// What a tag means is a frontend's answer: here the manifest for one platform.
#[test]
fn a_frontend_answers_for_tags() {
    let (cli, registry) = (cli(), registry());
    let serving = before(&cli, registry.host(), "--pull * --tags-argument platform=linux/arm64");
    let expected = cli.ok(&format!("resolve {}/app:1.4 --plain-http --platform linux/arm64 --digest", registry.host()));
    let answer = ask(serving.host(), "GET", "/v2/app/manifests/1.4", &[], b"");
    assert_eq!(answer.header("docker-content-digest"), Some(expected.trim()));
    assert_eq!(Digest::sha256(&answer.body).as_str(), expected.trim());

    // One whose answer names no digest answers for nothing.
    let serving = before(&cli, registry.host(), "--pull * --tags explain --tags-argument kind=reference");
    let answer = ask(serving.host(), "GET", "/v2/app/manifests/1.4", &[], b"");
    assert_eq!(answer.status, 502, "{}", answer.text());
}

#[test]
fn what_refers_to_an_image_is_found() {
    let cli = cli();
    let olareg = portolan_tests::olareg::start();
    olareg.push(&multi(), "app:1");
    let serving = before(&cli, olareg.host(), "--push *");
    let digest = crane(&["digest", &format!("{}/app:1", serving.host())]);
    let index = ask(serving.host(), "GET", "/v2/app/manifests/1", &[], b"");
    let empty = Digest::sha256(b"{}");
    let path = format!("/v2/app/blobs/uploads/?digest={empty}");
    assert_eq!(ask(serving.host(), "POST", &path, &[], b"{}").status, 201);
    let empty = json!({"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty.as_str(), "size": 2});
    let manifest = "application/vnd.oci.image.manifest.v1+json";
    let signature = json!({
        "schemaVersion": 2, "mediaType": manifest, "artifactType": "application/x-signature", "config": empty,
        "layers": [empty], "subject": {"mediaType": INDEX, "digest": digest, "size": index.body.len()},
    })
    .to_string();
    let path = format!("/v2/app/manifests/{}", Digest::sha256(signature.as_bytes()));
    let stored = ask(serving.host(), "PUT", &path, &[("Content-Type", manifest)], signature.as_bytes());
    assert_eq!((stored.status, stored.header("oci-subject")), (201, Some(digest.as_str())), "{}", stored.text());
    let (_, theirs) = portolan_tests::registry::get(olareg.host(), &format!("/v2/app/referrers/{digest}"));
    let ours = ask(serving.host(), "GET", &format!("/v2/app/referrers/{digest}"), &[], b"");
    assert_eq!((ours.status, ours.header("content-type")), (200, Some(INDEX)));
    let manifests = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap()["manifests"].clone();
    assert_eq!(manifests(&ours.body), manifests(&theirs));
    assert_eq!(manifests(&ours.body).as_array().unwrap().len(), 1);
    let path = format!("/v2/app/referrers/{digest}?artifactType=a%2Fb");
    let filtered = ask(serving.host(), "GET", &path, &[], b"");
    assert_eq!(filtered.header("oci-filters-applied"), Some("artifactType"));
    assert_eq!(manifests(&filtered.body), json!([]));
}

#[test]
fn what_a_registry_lies_about_does_not_come_out() {
    let cli = cli();
    let (said, sent) = (b"what was said".repeat(1 << 18), b"what was sent".repeat(1 << 18));
    let digest = Digest::sha256(&said);
    let other = Digest::sha256(b"what was said of a manifest");
    let manifest = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}).to_string();
    let length = sent.len().to_string();
    let hostile = Hostile::play(vec![
        on("HEAD", format!("/v2/app/blobs/{digest}")).header("Content-Length", &length),
        on("GET", format!("/v2/app/blobs/{digest}")).body(&sent[..]),
        on("HEAD", "/v2/app/manifests/1")
            .header("Content-Type", INDEX)
            .header("Docker-Content-Digest", other.as_str())
            .header("Content-Length", manifest.len().to_string()),
        on("HEAD", format!("/v2/app/manifests/{other}"))
            .header("Content-Type", INDEX)
            .header("Docker-Content-Digest", other.as_str())
            .header("Content-Length", manifest.len().to_string()),
        on("GET", "/v2/app/manifests/*").header("Content-Type", INDEX).body(manifest.clone()),
    ]);
    let serving = before(&cli, &hostile.host(), "--pull *");
    for _ in 0..2 {
        let blob = ask(serving.host(), "GET", &format!("/v2/app/blobs/{digest}"), &[], b"");
        assert_eq!(blob.header("content-length"), Some(length.as_str()), "{}", blob.text());
        assert!(blob.body.len() < sent.len(), "the last piece of it must not come");
        let answer = ask(serving.host(), "GET", "/v2/app/manifests/1", &[], b"");
        assert_eq!(answer.status, 502, "{}", answer.text());
        assert!(!answer.text().contains("schemaVersion"), "{}", answer.text());
    }
}

/// Whoever is asked twice for the same document is asked once.
#[test]
fn documents_are_asked_for_once() {
    let (cli, registry) = (cli(), registry());
    let gate = portolan_tests::gate::Gate::before(registry.host());
    let serving = before(&cli, &gate.host(), "--pull *");
    let first = ask(serving.host(), "GET", "/v2/app/manifests/1.4", &[], b"");
    let digest = Digest::sha256(&first.body);
    let asked = gate.asked().len();
    for _ in 0..3 {
        assert_eq!(ask(serving.host(), "GET", &format!("/v2/app/manifests/{digest}"), &[], b"").body, first.body);
    }
    assert_eq!(gate.asked().len(), asked);
    let metrics = ask(serving.address(1), "GET", "/metrics", &[], b"").text();
    assert!(metrics.contains("\nportolan_recalled_total 3\n"), "{metrics}");
}

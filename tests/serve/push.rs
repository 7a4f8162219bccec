//! Pushing through: what went in is in the registry behind, and what is not what it should be is nowhere.

use std::process::Command;

use portolan_oci::Digest;
use portolan_tests::registry::{Registry, get, run};
use portolan_tests::serving::ask;

use super::{before, cli, multi};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

#[test]
fn skopeo_pushes_through_it() {
    let (cli, registry) = (cli(), Registry::start());
    let serving = before(&cli, registry.host(), "--push *");
    let target = format!("docker://{}/team/app:1", serving.host());
    let words =
        ["--insecure-policy", "copy", "--all", "--preserve-digests", "--dest-tls-verify=false", &multi(), &target];
    run(Command::new("skopeo").args(words), "skopeo");
    let (status, index) = get(registry.host(), "/v2/team/app/manifests/1");
    assert_eq!(status, 200);
    let through = ask(serving.host(), "GET", "/v2/team/app/manifests/1", &[], b"");
    assert_eq!(through.body, index);
}

#[test]
fn an_upload_goes_on_where_it_is() {
    let (cli, registry) = (cli(), Registry::start());
    let serving = before(&cli, registry.host(), "--push *");
    let host = serving.host();
    let started = ask(host, "POST", "/v2/app/blobs/uploads/", &[], b"");
    assert_eq!(started.status, 202);
    let place = started.header("location").unwrap().to_owned();
    let first = ask(host, "PATCH", &place, &[("Content-Range", "0-4")], b"hello");
    assert_eq!((first.status, first.header("range")), (202, Some("0-4")));
    assert_eq!(ask(host, "PATCH", &place, &[("Content-Range", "7-11")], b"world").status, 416);
    let known = ask(host, "GET", &place, &[], b"");
    assert_eq!((known.status, known.header("range")), (204, Some("0-4")));
    let digest = Digest::sha256(b"hello world");
    let wrong = Digest::sha256(b"hello earth");
    let answer = ask(host, "PUT", &format!("{place}?digest={wrong}"), &[], b" world");
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(get(registry.host(), &format!("/v2/app/blobs/{wrong}")).0, 404);
    assert_eq!(ask(host, "PUT", &place, &[], b" world").status, 400, "nobody says what it is");
    let stored = ask(host, "PUT", &format!("{place}?digest={digest}"), &[], b" world");
    assert_eq!(stored.status, 201, "{}", stored.text());
    assert_eq!(get(registry.host(), &format!("/v2/app/blobs/{digest}")), (200, b"hello world".to_vec()));
    assert_eq!(ask(host, "GET", &place, &[], b"").status, 404, "it is over");

    let at_once = Digest::sha256(b"at once");
    let stored = ask(host, "POST", &format!("/v2/app/blobs/uploads/?digest={at_once}"), &[], b"at once");
    assert_eq!(stored.status, 201, "{}", stored.text());
    for _ in 0..70 {
        let failed = ask(host, "POST", &format!("/v2/app/blobs/uploads/?digest={wrong}"), &[], b"x");
        assert_eq!(failed.status, 400, "{}", failed.text());
    }
    let place = ask(host, "POST", "/v2/app/blobs/uploads/", &[], b"").header("location").unwrap().to_owned();
    assert_eq!(ask(host, "DELETE", &place, &[], b"").status, 204);
    assert_eq!(ask(host, "PATCH", &place, &[], b"x").status, 404);
    assert_eq!(ask(host, "PATCH", &place.replace("/app/", "/other/"), &[], b"x").status, 404);
}

#[test]
fn what_is_no_manifest_is_not_taken() {
    let (cli, registry) = (cli(), Registry::start());
    let serving = before(&cli, registry.host(), "--push *");
    let digest = Digest::sha256(b"{}");
    for (name, media_type, body, status) in [
        ("1", Some(MANIFEST), "not json", 400),
        ("1", Some(MANIFEST), r#"{"schemaVersion":2,"layers":[],"layers":[]}"#, 400),
        ("1", Some("text/plain"), "{}", 400),
        ("1", None, "{}", 400),
        (digest.as_str(), Some(MANIFEST), "{} ", 400),
    ] {
        let headers: Vec<_> = media_type.iter().map(|media_type| ("Content-Type", *media_type)).collect();
        let answer = ask(serving.host(), "PUT", &format!("/v2/app/manifests/{name}"), &headers, body.as_bytes());
        assert_eq!(answer.status, status, "{name} {media_type:?} {body}: {}", answer.text());
    }
    let large = vec![b' '; (4 << 20) + 1];
    let answer = ask(serving.host(), "PUT", "/v2/app/manifests/1", &[("Content-Type", MANIFEST)], &large);
    assert_eq!(answer.status, 413);
    assert_eq!(get(registry.host(), "/v2/app/tags/list").0, 404, "nothing of it came to the registry");
}

#[test]
fn who_may_only_read_writes_nothing() {
    let (cli, registry) = (cli(), Registry::start());
    let serving = before(&cli, registry.host(), "--pull * --push 127.0.0.1/other");
    assert_eq!(ask(serving.host(), "POST", "/v2/app/blobs/uploads/", &[], b"").status, 403);
    assert_eq!(ask(serving.host(), "PUT", "/v2/app/manifests/1", &[("Content-Type", MANIFEST)], b"{}").status, 403);
}

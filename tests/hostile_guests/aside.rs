//! One digest, and several runs side by side of which one may have it: what that one is told, another neither gets by knowing
//! the digest, nor by asking at the same moment, nor from what was kept. Through every door that content comes by.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use portolan::source::Source;
use portolan::source::memory::Memory;
use portolan::source::registry::{Hosts, Registry};
use portolan::{Body, Component, Frontend, Grants, Host, Run, RunError};
use portolan_hostile::{Hostile, on};
use portolan_oci::{Descriptor, Location, media_type};
use portolan_tests::guests;

use crate::world::{ELSEWHERE as MANIFEST, soon};

/// `ada:pw`
const ADA: &str = "Basic YWRhOnB3";

/// Each action of the hostile frontend by which it comes to content, and how it is told what is meant.
const DOORS: [(&str, &str); 7] = [
    ("resolve", "REPOSITORY@DIGEST"),
    ("resolve-all", "REPOSITORY@DIGEST"),
    ("fetch", "REPOSITORY TYPE DIGEST SIZE"),
    ("prefetch-fetch", "REPOSITORY TYPE DIGEST SIZE"),
    ("read-at", "REPOSITORY TYPE DIGEST SIZE at 0 4"),
    ("content", "REPOSITORY TYPE DIGEST SIZE"),
    ("copy", "REPOSITORY oci-layout://in TYPE DIGEST SIZE"),
];

/// A client in the name of whoever the folder knows, which keeps documents where all of them do.
fn client(cache: &Path, docker: Option<&Path>) -> Registry {
    let nobody = Registry::builder().auth_file(None).podman_auth_files(Vec::new()).hosts(Hosts::none());
    nobody.cache_dir(Some(cache.to_owned())).docker_config(docker.map(Path::to_owned)).build().unwrap()
}

/// `ok`, or the code of what it was told instead.
async fn came(host: &Host, run: Run) -> String {
    let code = |error: &RunError| match error {
        RunError::Failed { failure, .. } => failure.cause.as_ref().map(|cause| cause.code.clone()),
        RunError::Content { error, .. } => Some(error.code().as_str().to_owned()),
        _ => None,
    };
    match soon(host.run(run)).await {
        Err(error) => code(&error).unwrap_or_else(|| panic!("{error}")),
        Ok(answer) => match answer.body {
            Body::Text(text) if ["denied", "not-found", "unauthorized"].contains(&text.as_str()) => text,
            Body::Text(_) => "ok".to_owned(),
            Body::Content { stream, .. } => {
                assert_eq!(stream.try_collect::<Vec<_>>().await.unwrap().concat(), MANIFEST);
                "ok".to_owned()
            }
            body @ Body::Bytes(_) => panic!("{body:?}"),
        },
    }
}

fn asking(hostile: &Frontend, (action, with): (&str, &str), repository: &str, granted: &[&str]) -> Run {
    let wanted = Descriptor::of(media_type::OCI_MANIFEST, MANIFEST);
    let with = with
        .replace("REPOSITORY", repository)
        .replace("TYPE", &wanted.media_type)
        .replace("DIGEST", wanted.digest.as_str())
        .replace("SIZE", &wanted.size.to_string());
    let store: Arc<dyn Source> = Arc::new(Memory::new("oci-layout://in"));
    let grants = Grants::new().push_reference(&Location::parse("oci-layout://in").unwrap());
    let grants = granted.iter().fold(grants, |grants, granted| grants.pull(granted).unwrap());
    Run::new(hostile).argument("do", action).argument("with", with).store("in", store).grants(grants)
}

#[tokio::test]
async fn what_one_run_may_have_no_other_gets_beside_it() {
    let served = |path: &str| {
        let digest = Descriptor::of(media_type::OCI_MANIFEST, MANIFEST).digest.to_string();
        let scene = on("*", format!("/v2/app/{path}/*")).when("authorization", ADA).delay(Duration::from_millis(100));
        let scene = scene.header("Content-Type", media_type::OCI_MANIFEST).header("Docker-Content-Digest", digest);
        scene.body(MANIFEST)
    };
    for door in DOORS {
        let registry = Hostile::play(vec![
            on("*", "/v2/other/*").when("authorization", ADA).status(404),
            served("manifests"),
            served("blobs"),
            on("*", "*").status(401).header("WWW-Authenticate", "Basic realm=x"),
        ]);
        let (cache, docker) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let auths = format!(r#"{{"auths":{{"{}":{{"username":"ada","password":"pw"}}}}}}"#, registry.host());
        std::fs::write(docker.path().join("config.json"), auths).unwrap();
        let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache-of-attacks");
        let ada = client(cache.path(), Some(docker.path()));
        let host = Host::builder().cache_dir(compiled).registry(ada).build().unwrap();
        let hostile = std::fs::read(guests::build("hostile", env!("CARGO_TARGET_TMPDIR"))).unwrap();
        let hostile = host.load(Component::Bytes(&hostile)).await.unwrap();

        let [app, other] = ["app", "other"].map(|name| format!("{}/{name}", registry.host()));
        let runs = || {
            let nobody = client(cache.path(), None);
            [
                // Who may have it.
                (asking(&hostile, door, &app, &[&app]), "ok"),
                // Who may not, and asks there.
                (asking(&hostile, door, &app, &[&other]), "denied"),
                // Who asks where it is not, and may.
                (asking(&hostile, door, &other, &[&other]), "not-found"),
                // Who was granted the place and is not let in.
                (asking(&hostile, door, &app, &[&app]).registry(nobody), "unauthorized"),
            ]
        };
        // At once; once more, with all of it in the cache; and one after the other.
        for _ in 0..2 {
            let ended = runs().map(|(run, must)| {
                let host = &host;
                async move { (came(host, run).await, must) }
            });
            let ended = join_all(ended).await;
            for (came, must) in ended {
                assert_eq!(came, must, "{door:?}");
            }
        }
        for (run, must) in runs() {
            assert_eq!(came(&host, run).await, must, "{door:?}");
        }
    }
}

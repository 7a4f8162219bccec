//! The cache on disk, with a registry behind it that counts: a digest alone opens nothing.

use std::fs;

use portolan::Limits;
use tempfile::TempDir;

use super::*;

fn docker(host: &str, user: &str, password: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let auths = format!(r#"{{"auths":{{"{host}":{{"username":"{user}","password":"{password}"}}}}}}"#);
    fs::write(folder.path().join("config.json"), auths).unwrap();
    folder
}

#[tokio::test]
async fn a_document_is_asked_for_once() {
    let cache = tempfile::tempdir().unwrap();
    let wanted = manifest(MANIFEST);
    let registry = Hostile::play(vec![serve("GET", wanted.digest.as_str(), MANIFEST)]);
    for _ in 0..3 {
        let client = client().cache_dir(Some(cache.path().to_owned()));
        let app = repository(client, &registry.host(), "app");
        assert_eq!(app.fetch(&wanted, &Limits::default()).await.unwrap(), MANIFEST);
    }
    assert_eq!(registry.requests().len(), 1);

    // Another repository never gave it to us.
    let client = client().cache_dir(Some(cache.path().to_owned()));
    let other = repository(client.clone(), &registry.host(), "other");
    assert_says(other.fetch(&wanted, &Limits::default()).await, &["not-found: "]);

    // A type that the bytes contradict is refused from the cache as well.
    let lie = Descriptor { media_type: media_type::OCI_INDEX.to_owned(), ..wanted };
    let app = repository(client, &registry.host(), "app");
    assert_says(app.fetch(&lie, &Limits::default()).await, &["malformed: "]);
}

#[tokio::test]
async fn a_private_document_is_for_those_who_got_it() {
    let cache = tempfile::tempdir().unwrap();
    let wanted = manifest(MANIFEST);
    let ada = "Basic YWRhOnB3"; // ada:pw
    let registry = Hostile::play(vec![
        serve("GET", wanted.digest.as_str(), MANIFEST).when("authorization", ada),
        on("*", "*").status(401).header("WWW-Authenticate", "Basic realm=x"),
    ]);
    let fetch = async |folder: Option<&TempDir>| {
        let config = folder.map(|folder| folder.path().to_owned());
        let client = client().cache_dir(Some(cache.path().to_owned())).docker_config(config);
        let app = repository(client, &registry.host(), "app");
        let before = registry.requests().len();
        let found = app.fetch(&wanted, &Limits::default()).await;
        (found.is_ok(), registry.requests().len() - before)
    };
    let with_access = docker(&registry.host(), "ada", "pw");
    let wrong = docker(&registry.host(), "ada", "guessed");
    assert_eq!(fetch(Some(&with_access)).await, (true, 2), "the first time it is asked for");
    assert_eq!(fetch(Some(&with_access)).await, (true, 0), "then it is there");
    assert!(!fetch(None).await.0, "not for anybody");
    assert!(!fetch(Some(&wrong)).await.0, "and not for a password that was guessed");
    assert_eq!(fetch(Some(&with_access)).await, (true, 0));
}

#[tokio::test]
async fn a_damaged_cache_is_repaired_and_one_that_cannot_be_written_is_no_error() {
    let cache = tempfile::tempdir().unwrap();
    let wanted = manifest(MANIFEST);
    let registry = Hostile::play(vec![serve("GET", wanted.digest.as_str(), MANIFEST)]);
    let fetch = async |folder: std::path::PathBuf| {
        let app = repository(client().cache_dir(Some(folder)), &registry.host(), "app");
        app.fetch(&wanted, &Limits::default()).await.unwrap()
    };
    let place = cache.path().join("documents/sha256").join(&wanted.digest.hex()[..2]).join(wanted.digest.hex());
    for damage in ["", "{}", &format!("{MANIFEST}x"), &MANIFEST.replace("44136f", "44136e")] {
        fetch(cache.path().to_owned()).await;
        assert_eq!(fs::read_to_string(&place).unwrap(), MANIFEST);
        fs::write(&place, damage).unwrap();
        assert_eq!(fetch(cache.path().to_owned()).await, MANIFEST, "{damage:.10}");
    }
    let file = cache.path().join("file");
    fs::write(&file, "no folder").unwrap();
    assert_eq!(fetch(file).await, MANIFEST);
}

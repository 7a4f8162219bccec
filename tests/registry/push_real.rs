//! Debian's registry, written to as only it can be: by who has a password or a token, over TLS, with mounts and redirects.
//! What skopeo takes out is what we put in, byte for byte.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use portolan::source::registry::Builder;
use portolan::source::sink::{Content, Document as Written, Pushed};
use portolan::source::{ByteStream, Source};
use portolan::{Code, Limits};
use portolan_oci::{Descriptor, Document, Index, Kind};
use portolan_tests::authority::Authority;
use portolan_tests::fixtures;
use portolan_tests::registry::{Registry, User};
use portolan_tests::token::{Asked, Tokens};
use tempfile::TempDir;

use super::push::{Blob, large};
use super::real::{LAYOUTS, compare, root};
use super::*;

const ADA: User = User { name: "ada", password: "colon:and:more" };

/// The client of a user, with the folder of docker's that it needs.
pub(super) fn known_to(host: &str, User { name, password }: User) -> (Builder, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let auths = format!(r#"{{"auths":{{"{host}":{{"username":"{name}","password":"{password}"}}}}}}"#);
    fs::write(folder.path().join("config.json"), auths).unwrap();
    (client().docker_config(Some(folder.path().to_owned())), folder)
}

/// Writes everything below `root`, children first, the name last.
async fn write(target: &Arc<dyn Source>, layout: &Path, root: Descriptor, tag: &str) -> Vec<Pushed> {
    let stored =
        |digest: &Digest| fs::read(layout.join("blobs").join(digest.algorithm_name()).join(digest.hex())).unwrap();
    let sink = target.sink().unwrap();
    let (mut documents, mut at) = (vec![(root, Some(tag.to_owned()))], 0);
    while let Some((descriptor, _)) = documents.get(at).cloned() {
        at += 1;
        match Document::parse(&stored(&descriptor.digest)).unwrap() {
            Document::Index(index) => documents.extend(index.manifests.into_iter().map(|entry| (entry.bare(), None))),
            Document::Manifest(manifest) => {
                for blob in manifest.layers.iter().chain([&manifest.config]) {
                    if !sink.has(blob).await.unwrap() {
                        sink.put_blob(blob, &Blob::new(stored(&blob.digest))).await.unwrap();
                    }
                }
            }
        }
    }
    let mut pushed = Vec::new();
    for (descriptor, name) in documents.into_iter().rev() {
        assert!(matches!(descriptor.kind(), Kind::Index | Kind::Manifest));
        let bytes = stored(&descriptor.digest).into();
        pushed.push(sink.put_document(&Written { descriptor, bytes, name }).await.unwrap());
    }
    sink.commit().await.unwrap();
    pushed
}

/// Names of all blobs of a layout.
fn blobs(layout: &Path) -> BTreeSet<std::ffi::OsString> {
    fs::read_dir(layout.join("blobs/sha256")).unwrap().map(|blob| blob.unwrap().file_name()).collect()
}

/// Writes all layouts, takes them out with skopeo and with our own client, and compares.
pub(super) async fn write_and_compare(host: &str, pull: impl Fn(&str, &str), client: Builder) {
    let client = client.build().unwrap();
    for (name, tag) in LAYOUTS {
        let target = client.repository(&format!("{host}/written/{name}").parse().unwrap());
        let layout = fixtures::layout(name);
        let root = root(&layout, tag);
        let first = write(&target, &layout, root.clone(), tag).await;
        assert!(first.iter().any(|pushed| pushed.created), "{name}");
        let second = write(&target, &layout, root.clone(), tag).await;
        assert!(second.iter().all(|pushed| !pushed.created), "{name}: nothing is pushed twice");
        assert_eq!(resolve_tag(&target, tag).await.unwrap(), root, "{name}");
        let by_digest = target.resolve(Target::Digest(&root.digest), &Limits::default()).await.unwrap();
        assert_eq!(by_digest, root, "{name}");
        compare(&target, &layout, root.clone()).await;

        let copied = tempfile::tempdir().unwrap();
        pull(&format!("written/{name}:{tag}"), &format!("oci:{}:{tag}", copied.path().display()));
        let index = Index::parse(&fs::read(copied.path().join("index.json")).unwrap()).unwrap();
        assert_eq!(index.manifests[0].digest, root.digest, "{name}");
        for blob in blobs(copied.path()) {
            let path = Path::new("blobs/sha256").join(&blob);
            assert_eq!(fs::read(copied.path().join(&path)).unwrap(), fs::read(layout.join(&path)).unwrap(), "{name}");
        }
    }
}

#[tokio::test]
async fn a_user_may_write_by_basic() {
    let registry = Registry::for_user(ADA);
    let (user, _folder) = known_to(registry.host(), ADA);
    write_and_compare(registry.host(), |name, target| registry.pull(name, target), user).await;

    let wanted = Blob::new("content");
    let nobody = repository(client(), registry.host(), "written/new").sink().unwrap();
    let error = nobody.put_blob(&wanted.descriptor(), &wanted).await.unwrap_err();
    assert_eq!((error.code(), error.operation(), error.status()), (Code::Unauthorized, "push", Some(401)));
    assert!(error.hint().unwrap().contains(&format!("log in to {}", registry.host())), "{:?}", error.hint());
    let (other, _folder) = known_to(registry.host(), User { name: "ada", password: "wrong-wrong" });
    let error = repository(other, registry.host(), "written/new").sink().unwrap();
    let error = error.put_blob(&wanted.descriptor(), &wanted).await.unwrap_err();
    assert!(error.hint().unwrap().contains("the stored credentials for"), "{:?}", error.hint());
    assert!(!format!("{error} {error:?}").contains("wrong-wrong"));
}

#[tokio::test]
async fn a_user_may_write_by_token() {
    let tokens = Tokens::start(ADA);
    let registry = Registry::with_tokens(&tokens);
    let (user, _folder) = known_to(registry.host(), ADA);
    write_and_compare(registry.host(), |name, target| registry.pull(name, target), user).await;
    let asked = tokens.asked();
    assert!(
        asked.iter().any(|asked| asked.by_user && asked.scopes == ["repository:written/umoci:pull,push"]),
        "{asked:?}"
    );

    // Anybody may read, and is told so where they write.
    let wanted = Blob::new("content");
    let nobody = repository(client(), registry.host(), "written/umoci");
    assert!(resolve_tag(&nobody, "latest").await.is_ok());
    let error = nobody.sink().unwrap().put_blob(&wanted.descriptor(), &wanted).await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthorized, "{error}");
    assert!(error.hint().unwrap().contains("log in"), "{:?}", error.hint());
}

#[tokio::test]
async fn a_mount_sends_nothing() {
    let tokens = Tokens::start(ADA);
    for (registry, with_tokens) in [(Registry::start(), false), (Registry::with_tokens(&tokens), true)] {
        let host = registry.host();
        let (_, folder) = known_to(host, ADA);
        let client = || client().docker_config(Some(folder.path().to_owned()));
        let content = large();
        let wanted = content.descriptor();
        let base = repository(client(), host, "private/base").sink().unwrap();
        base.put_blob(&wanted, &content).await.unwrap();

        let target = repository(client(), host, "target").sink().unwrap();
        assert!(!target.has(&wanted).await.unwrap());
        assert!(target.mount(&wanted, &format!("{host}/private/base")).await.unwrap());
        let fresh = repository(client(), host, "target").sink().unwrap();
        assert!(fresh.has(&wanted).await.unwrap(), "it is there, and nothing was sent");
        if with_tokens {
            // In whichever order the registry asks for them.
            let asked = tokens.asked();
            let is_both = |asked: &Asked| {
                let names = |scope: &str| ["target:", "private/base:pull"].map(|name| scope.contains(name));
                asked.scopes.len() == 2
                    && asked.scopes.iter().any(|scope| names(scope)[0] && scope.contains("push"))
                    && asked.scopes.iter().any(|scope| names(scope)[1])
            };
            assert!(asked.iter().any(is_both), "{asked:?}");
        }
        // What is not there is not mounted; the upload that was begun instead is used.
        let other = Blob::new("other");
        assert!(!target.mount(&other.descriptor(), &format!("{host}/private/base")).await.unwrap());
        target.put_blob(&other.descriptor(), &other).await.unwrap();
        assert!(fresh.has(&other.descriptor()).await.unwrap());
    }
}

#[tokio::test]
async fn a_registry_that_does_not_know_that_it_is_reached_by_https() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("astray", "IP:127.0.0.1", "30");
    let store = Registry::with_tls_astray(&certificate, &key, "http://127.0.0.1:1");
    let location = format!("https://{}{{target}}", store.host());
    let front = Hostile::play(vec![on("*", "*").status(307).header("Location", location)]);
    let sink = repository(client().trust(authority.der()), &front.host(), "app").sink().unwrap();
    let content = Blob::new("content");
    let error = sink.put_blob(&content.descriptor(), &content).await.unwrap_err();
    assert_eq!((error.code(), error.rule()), (Code::Malformed, Some("https is never followed to http")), "{error}");
    assert!(error.hint().unwrap().contains("X-Forwarded-Proto"), "{error}");
}

/// A blob in another repository.
struct Elsewhere(Arc<dyn Source>, Descriptor);

#[async_trait]
impl Content for Elsewhere {
    async fn open(&self) -> Result<ByteStream, Error> {
        self.0.open(&self.1).await
    }
}

#[tokio::test]
async fn within_one_registry_who_sends_does_not_wait_for_who_fetches() {
    let registry = Registry::start();
    let all = client().build().unwrap();
    let repository = |path: &str| all.repository(&format!("{}/{path}", registry.host()).parse().unwrap());
    let (from, to) = (repository("from"), repository("to"));
    let contents: Vec<Blob> = (0..12u8).map(|number| Blob::new(vec![number; 400_000])).collect();
    let filled = from.sink().unwrap();
    for content in &contents {
        filled.put_blob(&content.descriptor(), content).await.unwrap();
    }
    let sink = to.sink().unwrap();
    let copies = contents.iter().map(|content| async {
        let wanted = content.descriptor();
        sink.put_blob(&wanted, &Elsewhere(Arc::clone(&from), wanted.clone())).await
    });
    let copied = tokio::time::timeout(Duration::from_secs(60), futures_util::future::join_all(copies)).await;
    assert!(copied.expect("nobody waits for ever").iter().all(Result::is_ok));
}

#[tokio::test]
async fn over_tls_where_a_plain_registry_sends_us() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("push", "IP:127.0.0.1", "30");
    let store = Registry::with_tls(&certificate, &key);
    let location = format!("https://{}{{target}}", store.host());
    let front = Hostile::play(vec![on("*", "*").status(307).header("Location", location)]);
    let layout = fixtures::layout("buildkit-single");
    let root = root(&layout, "2");
    let target = repository(client().trust(authority.der()), &front.host(), "app");
    write(&target, &layout, root.clone(), "2").await;
    assert_eq!(resolve_tag(&target, "2").await.unwrap(), root);
    assert!(compare(&target, &layout, root).await > 1);
    assert!(front.asked().iter().any(|asked| asked.starts_with("POST ")));
    let content = large();
    let sink = target.sink().unwrap();
    sink.put_blob(&content.descriptor(), &content).await.unwrap();
    let gone = Error::new(Code::Unavailable, "fetch", "elsewhere", "gone").retryable();
    let broken = Blob::failing([&content.bytes[..], b"more"].concat(), gone, 0..1);
    sink.put_blob(&broken.descriptor(), &broken).await.unwrap();

    let untrusting = repository(client(), &front.host(), "app").sink().unwrap();
    let content = Blob::new("content");
    assert_says(untrusting.put_blob(&content.descriptor(), &content).await, &["unavailable: ", "TLS: invalid peer"]);
}

//! The caller goes away, at every phase of everything that can be asked: nothing breaks, and no place in a queue is lost.
//!
//! Each phase hangs for more callers than there are places, and they leave one after the other. Whoever comes then is
//! answered, by the same client.

use std::sync::Arc;
use std::time::Duration;

use portolan_hostile::scripts::TOKEN;
use portolan_hostile::{Answer, Ask, Hostile, Scene, on};
use portolan_oci::{Descriptor, Digest, media_type};
use tokio::time::{sleep, timeout};

use super::client::{self, Folders};

/// More than there are places for anything.
const CALLERS: usize = 20;

const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;
const BLOB: &[u8] = b"the bytes of a blob";

fn manifest() -> Descriptor {
    Descriptor::of(media_type::OCI_MANIFEST, MANIFEST.as_bytes())
}

fn blob() -> Descriptor {
    Descriptor::of("application/x-anything", BLOB)
}

fn get(path: &str) -> Scene {
    on("GET", path).body(BLOB)
}

/// What hangs, and what is answered before and after. The first scene is the one that hangs.
fn phases() -> Vec<(&'static str, Ask, Answer, Vec<Scene>)> {
    let bytes = |bytes: &[u8]| Answer::Bytes(bytes.into());
    let head = || {
        let head = on("HEAD", "/v2/app/manifests/1").header("Content-Type", media_type::OCI_MANIFEST).body(MANIFEST);
        head.header("Docker-Content-Digest", Digest::sha256(MANIFEST.as_bytes()).to_string())
    };
    let no_head = || on("HEAD", "/v2/app/manifests/1").status(405);
    let tag = || on("GET", "/v2/app/manifests/*").header("Content-Type", media_type::OCI_MANIFEST).body(MANIFEST);
    let bearer = "Bearer realm=\"http://{host}/token\",service=\"x\"";
    let challenged = || on("*", "/v2/*").status(401).header("WWW-Authenticate", bearer);
    let token = || on("GET", "/token").body(format!(r#"{{"token":"{TOKEN}"}}"#));
    let opened = || get("/v2/app/blobs/*").when("authorization", format!("Bearer {TOKEN}"));
    let moved = || on("GET", "/v2/*").status(307).header("Location", "/moved");
    let tags = || on("GET", "/v2/app/tags/list").body(r#"{"tags":["a"]}"#);
    let list = r#"{"schemaVersion":2,"manifests":[]}"#;
    let referrers = || on("GET", "/v2/app/referrers/*").header("Content-Type", media_type::OCI_INDEX).body(list);
    let absent = || on("HEAD", "/v2/app/*").status(404);
    let begins = || on("POST", "/v2/app/blobs/uploads/").status(202).header("Location", "/up/1");
    let ends = || on("PUT", "/up/1").status(201);
    let refuses = || on("PUT", "/up/1").status(413);
    let last = || ends().when("content-length", "0");
    let chunk = || on("PATCH", "/up/1").status(202).header("Location", "/up/1").header("Range", "0-18");
    let stored = || on("PUT", "/v2/app/manifests/*").status(201);
    let slow = Duration::from_secs(20);
    let (all, part) = (bytes(BLOB), Ask::Part { of: blob(), offset: 0, length: 19 });
    let fetch = || Ask::Fetch(blob());
    let push = || Ask::PushBlob(BLOB.into());
    let root = || Answer::root(manifest());
    let put = || Ask::PushManifest(media_type::OCI_MANIFEST, MANIFEST.as_bytes().into(), Some("1"));
    vec![
        ("head of a tag", Ask::ResolveTag("1"), root(), vec![head()]),
        ("body of a tag", Ask::ResolveTag("1"), root(), vec![tag().drip(slow), no_head(), tag()]),
        ("a document", Ask::Fetch(manifest()), bytes(MANIFEST.as_bytes()), vec![tag()]),
        ("the body of a document", fetch(), all.clone(), vec![get("/v2/*").drip(slow), get("/v2/*")]),
        ("a stream", Ask::Stream(blob()), all.clone(), vec![get("/v2/*")]),
        ("the body of a stream", Ask::Stream(blob()), all.clone(), vec![get("/v2/*").drip(slow), get("/v2/*")]),
        ("a part", part, all.clone(), vec![get("/v2/*").ranges()]),
        ("a challenge", fetch(), all.clone(), vec![challenged().without("authorization"), opened(), token()]),
        ("a token", fetch(), all.clone(), vec![token(), opened(), challenged()]),
        ("the body of a token", fetch(), all.clone(), vec![token().drip(slow), opened(), challenged(), token()]),
        ("a store", fetch(), all, vec![get("/moved"), moved()]),
        ("a page of tags", Ask::Tags, Answer::Tags(vec!["a".to_owned()]), vec![tags()]),
        ("referrers", Ask::Referrers(manifest().digest, None), Answer::Referrers(Vec::new()), vec![referrers()]),
        ("whether a blob is there", push(), Answer::Stored, vec![absent(), begins(), ends()]),
        ("the beginning of an upload", push(), Answer::Stored, vec![begins(), absent(), ends()]),
        ("the end of an upload", push(), Answer::Stored, vec![ends(), absent(), begins()]),
        ("a chunk", push(), Answer::Stored, vec![chunk(), last(), refuses(), absent(), begins()]),
        ("the end of chunks", push(), Answer::Stored, vec![last(), refuses(), chunk(), absent(), begins()]),
        ("a mount", Ask::Mount(BLOB.into()), Answer::Stored, vec![begins(), ends(), absent()]),
        ("what a tag means before a push", put(), Answer::Stored, vec![absent(), stored()]),
        ("a manifest", put(), Answer::Stored, vec![stored(), absent()]),
    ]
}

/// Makes the first scene hang for all callers but the last, if it does not drip.
fn hanging(mut scenes: Vec<Scene>) -> Vec<Scene> {
    let first = scenes[0].clone();
    if first.drips() {
        scenes[0] = first.times(CALLERS);
    } else {
        scenes.insert(0, first.hang().times(CALLERS));
    }
    scenes
}

#[tokio::test]
async fn whoever_goes_away_takes_nothing_along() {
    for (phase, ask, right, scenes) in phases() {
        let registry = Hostile::play(hanging(scenes));
        let (home, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = Folders { home: home.path(), cache: cache.path() };
        let app = client::repository(&registry.host(), false, &folders);
        let asked = || client::ask(Arc::clone(&app), registry.host(), ask.clone());
        for caller in 1..=CALLERS {
            let hanging = async {
                while registry.held() < caller {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            let gone = timeout(Duration::from_secs(10), async {
                tokio::select! {
                    ended = asked() => panic!("{phase}: caller {caller} was answered: {ended:?}"),
                    () = hanging => {}
                }
            });
            gone.await.unwrap_or_else(|_| panic!("{phase}: caller {caller} never came so far: {:?}", registry.asked()));
        }
        let found = timeout(Duration::from_secs(10), asked()).await;
        let found = found.unwrap_or_else(|_| panic!("{phase}: the last one waits: {:?}", registry.asked()));
        assert_eq!(found, Ok(right), "{phase}");
    }
}

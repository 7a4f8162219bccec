//! What each call costs and what it is held to, whoever makes it.

use std::time::Duration;

use portolan_oci::Reference;

use super::*;
use crate::bindings::{blobs, discovery, fetcher, host, pusher, resolver};
use crate::source::memory::Memory as Store;

const HERE: &str = "r.example/here";
const THERE: &str = "r.example/there";
const BLOB: &str = "application/octet-stream";

/// The same repository under every name.
struct Everywhere(Store);

impl Registries for Everywhere {
    fn repository(&self, _: &Reference) -> Arc<dyn Source> {
        Arc::new(self.0.clone())
    }
}

/// Grants writing to [`HERE`], and reading it.
fn session(store: &Store, limits: Limits) -> Session {
    let bound = |name: &str, scheme| Bound { name: name.to_owned(), scheme, source: Arc::new(store.clone()) };
    Session::new(Setup {
        limits: Arc::new(limits),
        grants: Grants::new().push(HERE).unwrap(),
        stores: vec![bound("layout", Some(Scheme::OciLayout)), bound("either", None)],
        registries: Some(Arc::new(Everywhere(store.clone()))),
        platform: "linux/amd64".into(),
        progress: Progress::default(),
        audit: Audit::default(),
        tape: Tape::default(),
    })
}

fn passed(descriptor: &Descriptor) -> types::Descriptor {
    imports::passed(descriptor)
}

/// Makes every call, each with texts of more than ten bytes, and says what came of it and how many it counts as.
async fn every_call(session: &mut Session, blob: &Descriptor) -> Vec<(&'static str, u64, wasmtime::Result<()>)> {
    let (one, here) = (passed(blob), || HERE.to_owned());
    let item = || pusher::Item { descriptor: passed(blob), name: None };
    let mut all = Vec::new();
    macro_rules! call {
        ($name:expr, $call:expr) => {
            let before = session.host_calls;
            session.meter.enter();
            let made = $call.map(drop);
            all.push(($name, session.host_calls - before, made));
        };
    }
    call!("platform", host::Host::platform(session));
    call!("features", host::Host::features(session));
    call!("log", host::Host::log(session, host::Level::Info, "x".repeat(11)));
    call!("resolve", resolver::Host::resolve(session, here()).await);
    call!("resolve-all", resolver::Host::resolve_all(session, vec![here(); 3]).await);
    call!("entries", resolver::Host::entries(session, here()).await);
    call!("fetch", fetcher::Host::fetch(session, here(), one.clone()).await);
    call!("prefetch", fetcher::Host::prefetch(session, here(), vec![one.clone(); 4]).await);
    call!("read", blobs::Host::read(session, here(), one.clone(), 0, 1).await);
    call!("tags", discovery::Host::tags(session, here(), None).await);
    call!("referrers", discovery::Host::referrers(session, here(), one.digest.clone(), None).await);
    call!("push", pusher::Host::push(session, here(), None, one.clone(), b"0123456789".to_vec()).await);
    call!("copy", pusher::Host::copy(session, here(), here(), vec![item(), item()]).await);
    all
}

#[tokio::test]
async fn every_call_counts_and_so_does_what_it_carries() {
    let store = Store::new(HERE);
    let blob = store.insert(BLOB, "0123456789");
    let mut free = session(&store, Limits::default());
    for (name, count, made) in every_call(&mut free, &blob).await {
        made.unwrap();
        let each = match name {
            "resolve-all" => 3,
            "prefetch" => 4,
            "copy" => 2,
            _ => 1,
        };
        assert_eq!(count, each, "{name}");
    }
    let mut none = session(&store, Limits { host_calls: 0, ..Limits::default() });
    for (name, _, made) in every_call(&mut none, &blob).await {
        assert!(made.is_err_and(|error| error.is::<Crossed>()), "{name}");
    }
    let mut little = session(&store, Limits { call_arguments: 10, ..Limits::default() });
    for (name, _, made) in every_call(&mut little, &blob).await {
        let carries = !matches!(name, "platform" | "features");
        assert_eq!(made.is_err_and(|error| error.is::<Crossed>()), carries, "{name}");
    }
    // What is pushed is carried, too.
    let most = (HERE.len() + blob.media_type.len() + blob.digest.as_str().len() + 10) as u64;
    for (most, carried) in [(most, true), (most - 1, false)] {
        let mut session = session(&store, Limits { call_arguments: most, ..Limits::default() });
        let content = b"0123456789".to_vec();
        assert_eq!(pusher::Host::push(&mut session, HERE.into(), None, passed(&blob), content).await.is_ok(), carried);
    }
}

#[tokio::test]
async fn the_clock_stands_during_a_call_and_goes_on_after_it() {
    let store = Store::new(HERE);
    let mut session = session(&store, Limits::default());
    let runs = |session: &Session| {
        let before = session.meter.used();
        std::thread::sleep(Duration::from_millis(2));
        session.meter.used() > before
    };
    session.meter.enter();
    session.count(1, 0).unwrap();
    assert!(!runs(&session));
    host::Host::platform(&mut session).unwrap();
    assert!(runs(&session), "an answer of ours");
    resolver::Host::resolve(&mut session, HERE.to_owned()).await.unwrap().unwrap_err();
    assert!(runs(&session), "an answer that may be an error");
    session.count(1, 0).unwrap();
    session.count_call(0).unwrap();
    assert!(runs(&session), "a call that is answered on the spot");
    assert_eq!(session.host_calls(), 5);
}

#[tokio::test]
async fn what_was_written_is_found_under_its_name() {
    let store = Store::new(HERE);
    let document = |text: &str| {
        let bytes = format!(r#"{{"schemaVersion":2,"manifests":[],"annotations":{{"a":"{text}"}}}}"#);
        (Descriptor::of(media_type::OCI_INDEX, bytes.as_bytes()), bytes.into_bytes())
    };
    let mut session = session(&store, Limits::default());
    for (name, copies) in [("one", false), ("two", false), ("three", true), ("four", true)] {
        let (descriptor, bytes) = document(name);
        let written = match copies {
            false => session.pushed(HERE, Some("1".into()), passed(&descriptor), bytes).await.map(drop),
            true => {
                store.insert(media_type::OCI_INDEX, bytes);
                let item = pusher::Item { descriptor: passed(&descriptor), name: Some("1".into()) };
                session.copied(HERE, HERE, vec![item]).await
            }
        };
        written.unwrap();
        let found = resolver::Host::resolve(&mut session, format!("{HERE}:1")).await.unwrap().unwrap();
        assert_eq!(found.descriptor.digest, descriptor.digest.as_str(), "{name}");
    }
    // A name has an end.
    let (descriptor, bytes) = document("five");
    for (length, too_long) in [(4 << 10, false), ((4 << 10) + 1, true)] {
        let name = Some("x".repeat(length));
        let item = pusher::Item { descriptor: passed(&descriptor), name: name.clone() };
        let pushed = session.pushed(HERE, name, passed(&descriptor), bytes.clone()).await.map(drop);
        for written in [pushed, session.copied(HERE, HERE, vec![item]).await] {
            let said = written.unwrap_err().to_string();
            assert_eq!(said.contains("a name has at most 4096 bytes"), too_long, "{length} {said:.300}");
        }
    }
}

#[test]
fn a_place_is_looked_at_each_time_it_is_named() {
    let store = Store::new(HERE);
    let digest = Digest::sha256(b"");
    let mut session = session(&store, Limits::default());
    let long = format!("{HERE}{}", "x".repeat(REFERENCE));
    for (repository, refused) in [
        (HERE, None),
        (THERE, Some(Code::Denied)),
        (HERE, None),
        ("docker://r.example/here", None),
        ("oci-layout://layout", None),
        ("oci-archive://layout", Some(Code::Denied)),
        ("oci-layout://either", None),
        ("oci-archive://either", None),
        ("oci-layout://neither", Some(Code::Denied)),
        ("exa_mple.com/a", Some(Code::InvalidReference)),
        (&long, Some(Code::InvalidReference)),
        (&format!("{HERE}:1"), Some(Code::InvalidReference)),
        (&format!("{HERE}@{digest}"), Some(Code::InvalidReference)),
        ("oci-layout://layout:1", Some(Code::InvalidReference)),
        (&format!("oci-layout://layout@{digest}"), Some(Code::InvalidReference)),
    ] {
        assert_eq!(session.place(repository, "read").err().map(|error| error.code()), refused, "{repository:.100}");
    }
    // The longest that is looked at.
    for (length, too_long) in [(REFERENCE, false), (REFERENCE + 1, true)] {
        let said = location(&"x".repeat(length), "read").unwrap_err().to_string();
        assert_eq!(said.contains("a reference has at most"), too_long, "{length}");
    }
    // A digest says more than a tag, and a store knows no names.
    let (question, _) = session.root(&format!("{HERE}:1@{digest}")).unwrap();
    assert_eq!(question.what, What::Root(digest.clone()));
    for reference in ["oci-layout://layout:1".to_owned(), format!("oci-layout://layout:1@{digest}")] {
        assert_eq!(session.root(&reference).err().map(|error| error.code()), Some(Code::Unsupported), "{reference}");
    }
    assert!(session.root(&format!("oci-layout://layout@{digest}")).is_ok());
}

#[test]
fn a_hint_is_for_the_error_that_it_was_told_with() {
    let mut session = session(&Store::new(HERE), Limits::default());
    let error = session.place(THERE, "read").err().unwrap();
    let told = session.tell(error);
    assert_eq!(session.hint_for(&told.message), Some("grant it with --allow pull=r.example/there"));
    assert_eq!(session.hint_for("something else"), None);
}

#[tokio::test]
async fn whatever_is_read_counts_as_a_document() {
    let store = Store::new(HERE);
    let blob = store.insert(BLOB, "0123456789");
    store.tag("1", &blob);
    let with = |run_documents| session(&store, Limits { run_documents, ..Limits::default() });
    // A tag counts as a string in a list.
    for (documents, tags, read) in [(9, false, false), (10, false, true), (16, false, true), (17, true, true)] {
        let listed = discovery::Host::tags(&mut with(documents), HERE.into(), None).await.unwrap();
        assert_eq!(listed.is_ok(), tags, "{documents}");
        let bytes = blobs::Host::read(&mut with(documents), HERE.into(), passed(&blob), 0, 10).await.unwrap();
        assert_eq!(bytes.is_ok(), read, "{documents}");
    }
    let limits = Limits { attestation: 4, ..Limits::default() };
    for (length, admitted) in [(4, true), (5, false)] {
        let mut session = session(&store, limits.clone());
        let bytes = blobs::Host::read(&mut session, HERE.into(), passed(&blob), 0, length).await.unwrap();
        assert_eq!(bytes.is_ok(), admitted, "{length}");
    }
    let mut session = session(&store, Limits::default());
    for (kind, admitted) in [("application/x-any", true), ("any", false)] {
        let digest = blob.digest.to_string();
        let found = discovery::Host::referrers(&mut session, HERE.into(), digest, Some(kind.into())).await.unwrap();
        assert_eq!(found.is_ok(), admitted, "{kind}");
    }
}

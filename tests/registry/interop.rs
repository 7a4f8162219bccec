//! One table for every registry that there is: Debian's, olareg, the one inside crane, and zot. What an image is must not
//! depend on who keeps it, and what a registry cannot do is written in its row.
//!
//! zot is not everywhere: `make interop` asks for it. Not here: what only one of them has (`real`, `push_real`), and what
//! none of them does (the other modules).

use std::collections::BTreeSet;

use portolan::source::sink::{Document as Written, Pushed};
use portolan::{Code, Limits};
use portolan_oci::{Index, Kind};
use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use portolan_tests::registry::{Registry, User};
use portolan_tests::zot::Zot;
use portolan_tests::{crane, olareg};

use super::push::{Blob, large};
use super::push_real::{known_to, write_and_compare};
use super::*;

/// One of them, running.
struct Place<'a> {
    host: &'a str,
    /// Takes an image out, with skopeo.
    pull: &'a dyn Fn(&str, &str),
    can: Can,
}

/// What not all of them can.
struct Can {
    /// It lists referrers by itself, and says so with `OCI-Subject`. Else they are kept under a tag.
    list_referrers: bool,
    /// It makes a blob of another repository present.
    mount: bool,
    /// It tells tags a page at a time.
    page: bool,
}

#[tokio::test]
async fn debians_registry() {
    let registry = Registry::start();
    let can = Can { list_referrers: false, mount: true, page: false };
    behave(Place { host: registry.host(), pull: &|name, target| registry.pull(name, target), can }).await;
}

#[tokio::test]
async fn olareg_behaves() {
    let registry = olareg::start();
    let can = Can { list_referrers: true, mount: true, page: true };
    behave(Place { host: registry.host(), pull: &|name, target| registry.pull(name, target), can }).await;
}

#[tokio::test]
async fn cranes_registry() {
    let registry = crane::start();
    let can = Can { list_referrers: false, mount: false, page: true };
    behave(Place { host: registry.host(), pull: &|name, target| registry.pull(name, target), can }).await;
}

#[tokio::test]
#[ignore = "`make interop` runs it, where zot is"]
async fn zot_behaves() {
    let zot = Zot::start(None);
    let can = Can { list_referrers: true, mount: true, page: true };
    behave(Place { host: zot.server.host(), pull: &|name, target| zot.server.pull(name, target), can }).await;
}

#[tokio::test]
#[ignore = "`make interop` runs it, where zot is"]
async fn zot_for_one_user() {
    let ada = User { name: "ada", password: "colon:and:more" };
    let zot = Zot::start(Some(ada));
    let host = zot.server.host();
    let nobody = repository(client(), host, "written/umoci");
    assert_says(resolve_tag(&nobody, "latest").await, &["unauthorized: cannot resolve ", "answered 401"]);
    let (known, _folder) = known_to(host, ada);
    let content = Blob::new("content");
    let repository = repository(known, host, "private");
    repository.sink().unwrap().put_blob(&content.descriptor(), &content).await.unwrap();
    assert_eq!(all(&repository, &content.descriptor()).await, content.bytes);
}

/// The table.
async fn behave(place: Place<'_>) {
    images_go_in_and_come_out(&place).await;
    copies_are_the_same_wherever_they_went(&place);
    a_blob_is_read_in_parts(&place).await;
    an_upload_that_broke_goes_on(&place).await;
    what_is_in_one_repository_is_mounted_in_another(&place).await;
    all_tags_are_told(&place).await;
    referrers_are_listed_by_whoever_lists_them(&place).await;
    what_is_not_there_is_said_to_be_so(&place).await;
}

async fn images_go_in_and_come_out(place: &Place<'_>) {
    write_and_compare(place.host, place.pull, client()).await;
}

/// An index of several platforms with attestations, from the registry to itself, to a layout, and back.
fn copies_are_the_same_wherever_they_went(place: &Place<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), folder.path());
    let host = place.host;
    for (name, tag) in [("buildkit-multi", "1.4"), ("buildkit-sbom", "1")] {
        let fixture = format!("oci-layout://{}:{tag}", fixtures::layout(name).display());
        let raw = |reference: &str| portolan.line(&format!("inspect --raw {reference}")).bytes;
        let layers = |reference: &str| portolan.ok(&format!("layers --key chain-id {reference}"));
        let mut from = fixture.clone();
        for to in [
            format!("{host}/copied/{name}:{tag}"),
            format!("{host}/again/{name}:other"),
            format!("oci-layout://{name}:{tag}"),
            format!("{host}/back/{name}:{tag}"),
        ] {
            portolan.ok(&format!("copy {from} {to}"));
            assert!(raw(&to) == raw(&fixture), "{to}");
            assert_eq!(layers(&to), layers(&fixture), "{to}");
            from = to;
        }
    }
}

async fn a_blob_is_read_in_parts(place: &Place<'_>) {
    let small = Limits { part: 1 << 20, ..Limits::default() };
    let source = repository(client().limits(small), place.host, "parts");
    let whole = large();
    let wanted = whole.descriptor();
    source.sink().unwrap().put_blob(&wanted, &whole).await.unwrap();
    for (offset, length) in
        [(0, 10), (5, 10), (1 << 20, 1 << 20), (wanted.size - 3, 10), (wanted.size, 1), (u64::MAX, 1)]
    {
        let from = whole.bytes.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
        let to = whole.bytes.len().min(from.saturating_add(length as usize));
        assert!(source.read(&wanted, offset, length).await.unwrap() == whole.bytes[from..to], "{offset} {length}");
    }
    assert!(all(&source, &wanted).await == whole.bytes);
}

/// All of a blob, as it streams.
async fn all(source: &Arc<dyn Source>, wanted: &Descriptor) -> Vec<u8> {
    let stream = source.open(wanted).await.unwrap();
    futures_util::TryStreamExt::try_collect::<Vec<_>>(stream).await.unwrap().concat()
}

/// In chunks, and some of them twice.
async fn an_upload_that_broke_goes_on(place: &Place<'_>) {
    let whole = large();
    let wanted = whole.descriptor();
    let gone = || Error::new(Code::Unavailable, "fetch", "elsewhere", "gone").retryable();
    for times in 1..4 {
        let repository = repository(client(), place.host, &format!("broken/{times}"));
        let content = Blob::failing(whole.bytes.clone(), gone(), 0..times);
        repository.sink().unwrap().put_blob(&wanted, &content).await.unwrap();
        assert!(all(&repository, &wanted).await == whole.bytes, "{times}");
    }
    let lies = Error::new(Code::DigestMismatch, "fetch", "elsewhere", "the bytes are others");
    let target = repository(client(), place.host, "lies").sink().unwrap();
    // Of its own: crane's registry has the blobs of all repositories in one place.
    let content = Blob::failing([&whole.bytes[..], b"lies"].concat(), lies, 0..9);
    let wanted = content.descriptor();
    assert_says(target.put_blob(&wanted, &content).await, &["digest-mismatch: "]);
    assert!(!target.has(&wanted).await.unwrap(), "nothing half-written is there");
}

async fn what_is_in_one_repository_is_mounted_in_another(place: &Place<'_>) {
    let content = Blob::new("what is mounted");
    let wanted = content.descriptor();
    let from = repository(client(), place.host, "mounts/base");
    from.sink().unwrap().put_blob(&wanted, &content).await.unwrap();
    let to = repository(client(), place.host, "mounts/app");
    let sink = to.sink().unwrap();
    assert_eq!(sink.mount(&wanted, &from.repository()).await.unwrap(), place.can.mount);
    if !place.can.mount {
        sink.put_blob(&wanted, &content).await.unwrap();
    }
    assert_eq!(all(&to, &wanted).await, content.bytes);
    // What is not there is not mounted; the upload that was begun instead is used.
    let other = Blob::new("what is not there");
    assert!(!sink.mount(&other.descriptor(), &from.repository()).await.unwrap());
    sink.put_blob(&other.descriptor(), &other).await.unwrap();
    assert_eq!(all(&to, &other.descriptor()).await, other.bytes);
}

/// More than one page of them.
async fn all_tags_are_told(place: &Place<'_>) {
    let source = repository(client(), place.host, "tags");
    let sink = source.sink().unwrap();
    let config = Blob::new("{}");
    sink.put_blob(&config.descriptor(), &config).await.unwrap();
    let tags: BTreeSet<String> = (0..1100).map(|number| format!("v{number:04}")).collect();
    let puts = tags.iter().map(|tag| {
        let document = Written { descriptor: manifest(MANIFEST), bytes: MANIFEST.into(), name: Some(tag.clone()) };
        let sink = &sink;
        async move { sink.put_document(&document).await }
    });
    assert!(futures_util::future::join_all(puts).await.iter().all(Result::is_ok));
    let (mut told, mut next, mut pages) = (BTreeSet::new(), None, 0);
    loop {
        let page = source.tags(next.as_deref()).await.unwrap();
        (next, pages) = (page.next, pages + 1);
        told.extend(page.tags);
        if next.is_none() {
            break;
        }
    }
    assert_eq!(pages > 1, place.can.page, "{pages} pages");
    assert!(told == tags, "{} of {} tags", told.len(), tags.len());
}

async fn referrers_are_listed_by_whoever_lists_them(place: &Place<'_>) {
    let (host, subject_processed) = (place.host, place.can.list_referrers);
    let target = repository(client(), host, "referred");
    let sink = target.sink().unwrap();
    let config = Blob::new("{}");
    sink.put_blob(&config.descriptor(), &config).await.unwrap();
    let subject = manifest(MANIFEST);
    let list = async |kind| {
        let listed = target.referrers(&subject.digest, kind, &Limits::default()).await.unwrap();
        Index::parse(&listed).unwrap().manifests
    };
    let put = async |bytes: String| {
        let document = Written { descriptor: manifest(&bytes), bytes: bytes.clone().into(), name: None };
        sink.put_document(&document).await.unwrap()
    };
    assert_eq!(put(MANIFEST.to_owned()).await, Pushed { created: true, subject_processed: true });
    assert_eq!(list(None).await, []);
    for note in ["one", "two"] {
        let told = serde_json::to_string(&subject).unwrap();
        let more = format!(r#""artifactType":"a/{note}","subject":{told},"annotations":{{"note":"{note}"}},"layers""#);
        let referrer = MANIFEST.replacen("\"layers\"", &more, 1);
        for created in [true, false] {
            assert_eq!(put(referrer.clone()).await, Pushed { created, subject_processed }, "{note}");
        }
    }
    let listed = list(None).await;
    let notes: BTreeSet<&str> = listed.iter().map(|entry| entry.annotations["note"].as_str()).collect();
    assert_eq!((listed.len(), notes), (2, BTreeSet::from(["one", "two"])));
    assert!(listed.iter().all(|entry| entry.kind() == Kind::Manifest));
    assert_eq!(list(Some("a/one")).await.len(), 1);
    assert_eq!(list(Some("a/three")).await, []);
    // Only where nobody else lists them there is a tag for it.
    let tags = target.tags(None).await.map(|page| page.tags).unwrap_or_default();
    assert_eq!(tags.is_empty(), subject_processed, "{tags:?}");
}

async fn what_is_not_there_is_said_to_be_so(place: &Place<'_>) {
    let source = repository(client(), place.host, "written/umoci");
    assert_says(resolve_tag(&source, "absent").await, &["not-found: cannot resolve 127.0.0.1:", "it is not there"]);
    let absent = repository(client(), place.host, "written/absent");
    assert_says(resolve_tag(&absent, "1").await, &["not-found: "]);
    let nothing = blob(b"absent");
    assert_says(source.fetch(&nothing, &Limits::default()).await, &["not-found: cannot fetch "]);
    assert_says(source.read(&nothing, 0, 1).await, &["not-found: cannot read "]);
    assert!(source.open(&nothing).await.is_err_and(|error| error.code() == Code::NotFound));
    assert!(!source.sink().unwrap().has(&nothing).await.unwrap());
    // olareg makes no difference between none and nothing.
    match absent.tags(None).await {
        Ok(page) => assert_eq!(page.tags, [""; 0]),
        absent => assert_says(absent, &["not-found: "]),
    }
}

//! What a run did, told to who asked: every call with its verdict, to a listener and to a file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portolan::audit::{Audit, Call, Record, Verdict};
use portolan::source::layout::Layout;
use portolan::source::memory::Memory;
use portolan::source::registry::{Hosts, Registry};
use portolan::{Body, Bundled, Code, Component, Grants, Host, ImageQuery, Run, RunError};
use portolan_oci::{Digest, media_type};
use portolan_tests::cli::Cli;
use portolan_tests::fixtures;
use serde_json::Value;

const IMAGE: &str = "oci-layout://out:1.4";

fn host() -> Host {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    Host::builder().cache_dir(cache).platform("linux/amd64").build().unwrap()
}

/// A listener that keeps what it hears, and refuses after so many records.
fn listener(most: usize) -> (Audit, Arc<Mutex<Vec<Record>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&heard);
    let audit = Audit::new(move |record| {
        let mut heard = to.lock().unwrap();
        if heard.len() >= most {
            return Err("the book is full".to_owned());
        }
        heard.push(record.clone());
        Ok(())
    });
    (audit, heard)
}

fn calls(records: &[Record]) -> Vec<Call> {
    let call = |record: &Record| match record {
        Record::Called(call) => Some(call.clone()),
        _ => None,
    };
    records.iter().filter_map(call).collect()
}

async fn inspect(host: &Host, audit: Audit) -> Run {
    let inspect = host.load(Component::Bundled(Bundled::Inspect)).await.unwrap();
    let layout = Layout::open(&fixtures::layout("buildkit-multi"), "oci-layout://out").unwrap();
    Run::new(&inspect).argument("ref", IMAGE).argument("format", "json").store("out", Arc::new(layout)).audit(audit)
}

#[tokio::test]
async fn every_call_is_told_with_what_came_of_it() {
    let (host, (audit, heard)) = (host(), listener(usize::MAX));
    let answer = host.run(inspect(&host, audit).await).await.unwrap();
    let records = heard.lock().unwrap().clone();
    let Some(Record::Begun { frontend, digest, strategy, grants, stores }) = records.first() else {
        panic!("{records:?}")
    };
    assert_eq!((frontend.as_str(), digest), ("inspect", &Digest::sha256(Bundled::Inspect.bytes())));
    assert_eq!(*strategy, Digest::sha256(Bundled::Strategy.bytes()));
    assert_eq!((grants, stores.as_slice()), (&Grants::new(), &["out".to_owned()][..]));
    let Some(Record::Ended { verdict: "ok", stats }) = records.last() else { panic!("{records:?}") };
    assert_eq!((stats.host_calls, stats.documents), (answer.stats.host_calls, answer.stats.documents));

    let calls = calls(&records);
    assert_eq!(calls.len(), records.len() - 2);
    assert!(calls.len() as u64 >= answer.stats.host_calls, "{} of {}", calls.len(), answer.stats.host_calls);
    let fetched: u64 = calls.iter().filter(|call| call.function == "fetch").map(|call| call.bytes).sum();
    assert!(fetched >= answer.stats.documents, "{fetched} of {}", answer.stats.documents);
    for call in &calls {
        assert_eq!(call.verdict, Verdict::Done, "{call:?}");
        if matches!(call.function, "fetch" | "prefetch") {
            assert_eq!(&*call.place, "oci-layout://out", "{call:?}");
            assert!(Digest::parse(call.digest.as_deref().unwrap()).is_ok(), "{call:?}");
        }
    }
    let entries = calls.iter().find(|call| call.function == "entries").unwrap();
    assert!(entries.digest.as_deref().is_some_and(|digest| digest.starts_with("sha256:")), "{entries:?}");
}

#[tokio::test]
async fn what_was_refused_is_told_with_its_code() {
    let (host, (audit, heard)) = (host(), listener(usize::MAX));
    let resolve = host.load(Component::Bundled(Bundled::Resolve)).await.unwrap();
    let run = Run::new(&resolve).argument("ref", "r.example/secret:1").audit(audit);
    let error = host.run(run.grants(Grants::new().pull("r.example/team/*").unwrap())).await.unwrap_err();
    assert_eq!(error.status(), 4);
    let records = heard.lock().unwrap().clone();
    assert!(matches!(records.first(), Some(Record::Begun { grants, .. }) if grants.pulls().eq(["r.example/team/*"])));
    let refused: Vec<_> = calls(&records).into_iter().filter(|call| call.verdict != Verdict::Done).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!((refused[0].function, &*refused[0].place), ("resolve", "r.example/secret:1"));
    assert_eq!(refused[0].verdict, Verdict::Refused(Code::Denied));
    assert!(matches!(records.last(), Some(Record::Ended { verdict: "failed", .. })));
}

#[tokio::test]
async fn what_cannot_be_written_down_does_not_go_on() {
    let host = host();
    let (audit, heard) = listener(usize::MAX);
    let whole = host.run(inspect(&host, audit).await).await.unwrap();
    let records = heard.lock().unwrap().len();
    // At the beginning, at a call, and at the end, when there would be an answer.
    for most in [0, 1, records / 2, records - 1] {
        let (audit, heard) = listener(most);
        let error = host.run(inspect(&host, audit).await).await.unwrap_err();
        assert!(matches!(&error, RunError::Audit(reason) if reason == "the book is full"), "{most}: {error:?}");
        assert!(error.to_string().contains("cannot be written down: the book is full"), "{error}");
        assert_eq!((error.status(), heard.lock().unwrap().len()), (1, most));
    }
    let (audit, _) = listener(records);
    let Body::Text(again) = host.run(inspect(&host, audit).await).await.unwrap().body else { panic!("no text") };
    assert!(matches!(whole.body, Body::Text(text) if text == again));
}

#[tokio::test]
async fn content_that_is_answered_with_and_typed_questions_are_told() {
    let (host, (audit, heard)) = (host(), listener(usize::MAX));
    let memory = Memory::new("oci-layout://m");
    let config = memory.insert(media_type::OCI_CONFIG, br#"{"architecture":"amd64","os":"linux"}"#.to_vec());
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{{"mediaType":"{}","digest":"{}","size":{}}},"layers":[]}}"#,
        media_type::OCI_MANIFEST,
        config.media_type,
        config.digest,
        config.size
    );
    let root = memory.insert(media_type::OCI_MANIFEST, manifest.into_bytes());
    memory.tag("1", &root);
    let query = ImageQuery::new("oci-layout://m:1").store("m", Arc::new(memory)).audit(audit);
    let image = host.resolve_image(query).await.unwrap();
    let records = heard.lock().unwrap().clone();
    let told =
        calls(&records).iter().any(|call| call.digest.as_deref() == Some(image.manifest.descriptor.digest.as_str()));
    assert!(told, "{records:?}");
    assert!(matches!(records.last(), Some(Record::Ended { verdict: "ok", .. })));
}

/// A copy whose caller goes away in the middle: what was to be written, and under which name, is told all the same.
#[tokio::test]
async fn what_was_under_way_is_told_when_the_run_ends() {
    let (host, (audit, heard)) = (host(), listener(usize::MAX));
    let copy = host.load(Component::Bundled(Bundled::Copy)).await.unwrap();
    let layout = Layout::open(&fixtures::layout("buildkit-multi"), "oci-layout://out").unwrap();
    // A registry that never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("{}/app:7", silent.local_addr().unwrap());
    let registry = Registry::builder().docker_config(None).auth_file(None).podman_auth_files(Vec::new());
    let run = Run::new(&copy)
        .registry(registry.hosts(Hosts::none()).build().unwrap())
        .argument("src", IMAGE)
        .argument("dst", &to)
        .grants(Grants::new().push_reference(&portolan_oci::Location::parse(&to).unwrap()))
        .store("out", Arc::new(layout))
        .audit(audit);
    let copying = async {
        while !heard
            .lock()
            .unwrap()
            .iter()
            .any(|record| matches!(record, Record::Called(call) if call.function == "fetch"))
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    tokio::select! {
        answer = host.run(run) => panic!("{answer:?}"),
        () = copying => {}
    }
    let records = heard.lock().unwrap().clone();
    let unfinished: Vec<_> = calls(&records).into_iter().filter(|call| call.verdict == Verdict::Unfinished).collect();
    assert!(unfinished.iter().all(|call| call.place.starts_with("127.0.0.1:")), "{unfinished:?}");
    assert!(unfinished.iter().any(|call| call.name.as_deref() == Some("7")), "{unfinished:?}");
    assert!(matches!(records.last(), Some(Record::Ended { verdict: "dropped", .. })), "{records:?}");
}

#[tokio::test]
async fn a_run_whose_caller_goes_away_has_an_end() {
    let (host, (audit, heard)) = (host(), listener(usize::MAX));
    let run = host.run(inspect(&host, audit).await);
    let _ = tokio::time::timeout(Duration::ZERO, run).await;
    let records = heard.lock().unwrap().clone();
    match records.last() {
        None => {}
        last => assert!(matches!(last, Some(Record::Ended { .. })), "{records:?}"),
    }
}

#[test]
fn a_file_gets_a_line_for_each_thing() {
    let portolan = Cli::new(env!("CARGO_BIN_EXE_portolan"), fixtures::folder().join("layouts"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    for runs in 1..=2 {
        portolan.ok(&format!("resolve oci-layout://buildkit-multi:1.4 --audit {}", file.display()));
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
        assert_eq!((of("begun"), of("ended")), (runs, runs), "{text}");
        assert!(of("called") > runs, "{text}");
        let called = lines.iter().find(|line| line["function"] == "entries").unwrap();
        assert_eq!(
            (called["place"].as_str(), called["verdict"].as_str()),
            (Some("oci-layout://buildkit-multi"), Some("ok"))
        );
        assert!(lines.iter().all(|line| line["run"].is_string() && line["time"].is_f64()), "{text}");
    }
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let said = portolan.fails(1, "resolve oci-layout://buildkit-multi:1.4 --audit /dev/full");
    assert!(said.contains("cannot be written down: /dev/full: No space left"), "{said}");
    let said = portolan.fails(1, "resolve oci-layout://buildkit-multi:1.4 --audit .");
    assert!(said.contains("cannot write the audit file .: "), "{said}");
}

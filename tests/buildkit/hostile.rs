//! A daemon that lies, floods, hangs or hangs up: whatever it does, what comes back is an error that says so, or the right
//! bytes.

use std::time::{Duration, Instant};

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1::{
    BuildHistoryEvent, BuildHistoryRecord, BuildResultInfo, Descriptor as Told,
};
use portolan::source::buildkit::Buildkit;
use portolan::source::containerd::Containerd;
use portolan::source::daemon::Address;
use portolan::source::{Source, Target};
use portolan::{Code, Error, Limits};
use portolan_oci::{Descriptor, Digest, media_type};
use portolan_tests::grpc::{Answer, Daemon, End, Script};
use prost::Message as _;

const HISTORY: &str = "/moby.buildkit.v1.Control/ListenBuildHistory";
const READ: &str = "/containerd.services.content.v1.Content/Read";
const INFO: &str = "/containerd.services.content.v1.Content/Info";
const IMAGES: &str = "/containerd.services.images.v1.Images/List";
const PATIENCE: Duration = Duration::from_millis(300);
const INDEX: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

fn address(daemon: &Daemon) -> Address {
    Address::parse(&format!("unix://{}", daemon.socket().display())).unwrap().with_patience(PATIENCE)
}

fn buildkit(daemon: &Daemon) -> Buildkit {
    Buildkit::new(address(daemon), "buildkit://buildkit")
}

fn script(answers: impl IntoIterator<Item = (&'static str, Answer)>) -> Script {
    answers.into_iter().collect()
}

fn descriptor() -> Descriptor {
    Descriptor::of(media_type::OCI_INDEX, INDEX.as_bytes())
}

/// `ReadContentResponse`, field by field: the offset, the bytes.
fn piece(offset: u64, bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    prost::encoding::int64::encode(1, &(offset as i64), &mut message);
    prost::encoding::bytes::encode(2, &bytes.to_vec(), &mut message);
    message
}

/// `InfoResponse` of content with this size.
fn info(size: i64) -> Vec<u8> {
    let mut inner = Vec::new();
    prost::encoding::int64::encode(2, &size, &mut inner);
    let mut message = Vec::new();
    prost::encoding::bytes::encode(1, &inner, &mut message);
    message
}

fn record(name: &str, at: i64, result: Option<Told>) -> Vec<u8> {
    let result = result.map(|told| BuildResultInfo { results: [(0, told)].into(), ..BuildResultInfo::default() });
    let record = BuildHistoryRecord {
        r#ref: name.into(),
        created_at: Some(Timestamp { seconds: at, nanos: 0 }),
        result,
        ..BuildHistoryRecord::default()
    };
    BuildHistoryEvent { r#type: 1, record: Some(record) }.encode_to_vec()
}

fn told() -> Told {
    let Descriptor { media_type, digest, size, .. } = descriptor();
    Told { media_type, digest: digest.to_string(), size: size as i64, annotations: Default::default() }
}

async fn fetched(answer: Answer) -> Result<Vec<u8>, Error> {
    let daemon = Daemon::start(script([(READ, answer)]));
    buildkit(&daemon).fetch(&descriptor(), &Limits::default()).await.map(Vec::from)
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>, code: Code, expected: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(expected), "{error}\nwithout {expected:?}");
}

#[tokio::test]
async fn content_is_what_its_digest_says_or_an_error() {
    let half = INDEX.len() / 2;
    let (first, second) = INDEX.as_bytes().split_at(half);
    let whole = fetched(Answer::of([piece(0, first), piece(half as u64, second)])).await.unwrap();
    assert_eq!(whole, INDEX.as_bytes());
    // What comes after the end is not waited for.
    let more = Answer::of([piece(0, INDEX.as_bytes())]).then(End::Silence);
    assert_eq!(fetched(more).await.unwrap(), INDEX.as_bytes());

    let other = INDEX.replace('2', "3");
    for (answer, code, expected) in [
        (Answer::of([piece(0, other.as_bytes())]), Code::DigestMismatch, "sha256:"),
        (Answer::of([piece(0, first)]), Code::DigestMismatch, ""),
        (Answer::of([piece(0, format!("{INDEX} ").as_bytes())]), Code::DigestMismatch, ""),
        (Answer::of([piece(0, first), piece(0, first)]), Code::Malformed, "from byte 0, where byte"),
        (Answer::of([piece(1, first)]), Code::Malformed, "where byte 0 comes next"),
        (Answer::of([piece(0, b"")]).then(End::Again), Code::Malformed, "0 bytes"),
        (Answer::of([piece(0, first)]).then(End::Again), Code::Malformed, "from byte 0"),
        (Answer::of([b"\xff\xff\xff".to_vec()]), Code::Other, "cannot fetch"),
        (Answer::of([vec![0; 17 << 20]]), Code::TooLarge, "cannot fetch"),
        (Answer::of([piece(0, first)]).then(End::Silence), Code::Unavailable, "nothing came for 300ms"),
        (Answer::of([]).then(End::Silence), Code::Unavailable, "nothing came for 300ms"),
        (Answer::of([piece(0, first)]).then(End::Gone), Code::Unavailable, "cannot fetch"),
        (Answer::status(5, "content not found"), Code::NotFound, "it is not there"),
        (Answer::status(7, "no"), Code::Forbidden, "no"),
        (Answer::status(14, "later"), Code::Unavailable, "later"),
        (Answer::status(2, "\\x1b[31m red"), Code::Other, "red"),
    ] {
        refused(fetched(answer).await, code, expected);
    }
}

#[tokio::test]
async fn a_root_is_no_larger_than_a_document() {
    let digest = Digest::sha256(INDEX.as_bytes());
    for (size, code, expected) in [
        (1 << 40, Code::TooLarge, "has at most"),
        (-1, Code::Malformed, "-1 bytes"),
        (INDEX.len() as i64 - 1, Code::DigestMismatch, ""),
    ] {
        let daemon =
            Daemon::start(script([(INFO, Answer::of([info(size)])), (READ, Answer::of([piece(0, INDEX.as_bytes())]))]));
        let resolved = buildkit(&daemon).resolve(Target::Digest(&digest), &Limits::default()).await;
        refused(resolved, code, expected);
    }
    let daemon = Daemon::start(script([
        (INFO, Answer::of([info(INDEX.len() as i64)])),
        (READ, Answer::of([piece(0, INDEX.as_bytes())])),
    ]));
    let resolved = buildkit(&daemon).resolve(Target::Digest(&digest), &Limits::default()).await.unwrap();
    assert_eq!(resolved, descriptor());
}

#[tokio::test]
async fn a_history_ends_or_is_ended() {
    let listed = async |answer: Answer| {
        let daemon = Daemon::start(script([(HISTORY, answer)]));
        let entries = buildkit(&daemon).entries(&Limits::default()).await;
        entries.map(|(_, bytes)| String::from_utf8(bytes.into()).unwrap())
    };
    let good =
        listed(Answer::of([record("old", 1, Some(told())), record("failed", 2, None), record("new", 3, Some(told()))]));
    let good = good.await.unwrap();
    assert!(good.find("\"new\"") < good.find("\"old\"") && !good.contains("failed"), "{good}");

    let wrong = |change: fn(&mut Told)| {
        let mut told = told();
        change(&mut told);
        Answer::of([record("b", 1, Some(told))])
    };
    let event = |record: BuildHistoryRecord| {
        Answer::of([BuildHistoryEvent { r#type: 1, record: Some(record) }.encode_to_vec()])
    };
    let many = event(BuildHistoryRecord {
        r#ref: "b".into(),
        result: Some(BuildResultInfo { results: (0..100).map(|it| (it, told())).collect(), ..Default::default() }),
        ..Default::default()
    });
    let names: Vec<String> = (0..100).map(|name| format!("r.example/{name}{}", "a".repeat(200))).collect();
    let named = event(BuildHistoryRecord {
        r#ref: "b".into(),
        result: Some(BuildResultInfo { results: (0..64).map(|it| (it, told())).collect(), ..Default::default() }),
        exporter_response: [("image.name".to_owned(), names.join(","))].into(),
        ..Default::default()
    });
    for (answer, code, expected) in [
        (Answer::of([record("b", 1, None)]).then(End::Again), Code::TooLarge, "more than 10000 builds"),
        (Answer::of([record("b", 1, Some(told()))]).then(End::Silence), Code::Unavailable, "nothing came"),
        (wrong(|told| told.digest = "sha256:../../etc".into()), Code::Malformed, r#"of its build "b""#),
        (Answer::of([record("b\u{1b}\nhint: run this", 1, Some(told()))]), Code::Malformed, r#""b\u{1b}\nhint"#),
        (Answer::of([record(&"b".repeat(1 << 20), 1, Some(told()))]), Code::Malformed, "is its reference"),
        (many, Code::Malformed, "100 results"),
        (named.then(End::Again), Code::TooLarge, "bytes"),
        (wrong(|told| told.size = i64::MIN), Code::Malformed, "bytes"),
        (Answer::of([b"\x08".to_vec()]), Code::Other, "cannot list the builds of"),
        (Answer::status(12, "unknown service"), Code::Unsupported, "unknown service"),
    ] {
        refused(listed(answer).await, code, expected);
    }
    // Names and times are text of somebody else: what is no name is none, and a strange time is shown as it is.
    let odd = BuildHistoryRecord {
        r#ref: "odd".into(),
        created_at: Some(Timestamp { seconds: i64::MAX, nanos: -1 }),
        result: Some(BuildResultInfo { results: [(i64::MIN, told())].into(), ..BuildResultInfo::default() }),
        exporter_response: [("image.name".to_owned(), "../..,\u{0},acme/app,,".to_owned())].into(),
        ..BuildHistoryRecord::default()
    };
    let odd = BuildHistoryEvent { r#type: 1, record: Some(odd) }.encode_to_vec();
    let listed = listed(Answer::of([odd])).await.unwrap();
    assert!(listed.contains("docker.io/acme/app:latest") && !listed.contains("..\""), "{listed}");
}

/// Read-only by construction: whatever a guest asks for, these are the only calls that a daemon gets.
#[tokio::test]
async fn only_lists_and_reads_are_asked_for() {
    let daemon = Daemon::start(script([
        (HISTORY, Answer::of([record("b", 1, Some(told()))])),
        (INFO, Answer::of([info(INDEX.len() as i64)])),
        (READ, Answer::of([piece(0, INDEX.as_bytes())])),
    ]));
    let (source, limits) = (buildkit(&daemon), Limits::default());
    source.entries(&limits).await.unwrap();
    source.resolve(Target::Digest(&descriptor().digest), &limits).await.unwrap();
    assert_eq!(source.read(&descriptor(), 2, 6).await.unwrap(), &INDEX.as_bytes()[2..8]);
    assert_eq!(source.read(&descriptor(), 1 << 40, 6).await.unwrap(), &b""[..]);
    for media_type in ["application/vnd.oci.image.layer.v1.tar+gzip", "application/octet-stream"] {
        let layer = Descriptor::new(media_type, descriptor().digest, 1);
        refused(source.fetch(&layer, &limits).await, Code::Unsupported, "only indexes, manifests, configs");
        refused(source.open(&layer).await.map(drop), Code::Unsupported, "only indexes, manifests, configs");
        refused(source.read(&layer, 0, 1).await, Code::Unsupported, "only indexes, manifests, configs");
    }
    let large = Descriptor::new(media_type::OCI_CONFIG, descriptor().digest, 1 << 40);
    refused(source.open(&large).await.map(drop), Code::TooLarge, "are the limit");
    refused(source.sink().map(drop), Code::Unsupported, "it can only be read");
    refused(source.resolve(Target::Tag("latest"), &limits).await, Code::Unsupported, "a daemon knows digests");
    let asked = daemon.asked();
    assert!(asked.iter().all(|path| [HISTORY, INFO, READ].contains(&path.as_str())), "{asked:?}");
    assert_eq!(asked.len(), 5, "{asked:?}");
}

#[tokio::test]
async fn a_containerd_is_believed_no_more() {
    let image = |name: &str, digest: &str| {
        let mut target = Vec::new();
        prost::encoding::string::encode(1, &media_type::OCI_INDEX.to_owned(), &mut target);
        prost::encoding::string::encode(2, &digest.to_owned(), &mut target);
        let mut image = Vec::new();
        prost::encoding::string::encode(1, &name.to_owned(), &mut image);
        prost::encoding::bytes::encode(3, &target, &mut image);
        let mut list = Vec::new();
        prost::encoding::bytes::encode(1, &image, &mut list);
        list
    };
    let listed = async |answer: Answer| {
        let daemon = Daemon::start(script([(IMAGES, answer)]));
        let containerd = Containerd::new(address(&daemon), "default", "containerd://default").unwrap();
        containerd.entries(&Limits::default()).await.map(|(_, bytes)| String::from_utf8(bytes.into()).unwrap())
    };
    let digest = descriptor().digest.to_string();
    let good = listed(Answer::of([image("docker.io/library/a:1", &digest)])).await.unwrap();
    assert!(good.contains(r#""org.opencontainers.image.ref.name":"1""#), "{good}");
    // The kubelet's names are no names; a digest reaches what has one.
    assert!(!listed(Answer::of([image(&digest, &digest)])).await.unwrap().contains("ref.name"));
    refused(listed(Answer::of([image("a\n", "sha512:x")])).await, Code::Malformed, r#""a\n""#);
    refused(listed(Answer::of([])).await, Code::Other, "cannot list the images of");
    refused(listed(Answer::of([]).then(End::Silence)).await, Code::Unavailable, "nothing came");
    refused(
        Containerd::new(Address::parse("unix:///s").unwrap(), "a\nb", "containerd://x").map(drop),
        Code::InvalidReference,
        "no name of a namespace",
    );
    assert!(Containerd::namespaces(&Address::parse("unix:///nope").unwrap()).await.is_err());
}

#[tokio::test]
async fn who_does_not_speak_is_not_waited_for() {
    // A socket behind which nobody accepts, and one that hangs up at once.
    let folder = tempfile::tempdir().unwrap();
    let silent = tokio::net::UnixListener::bind(folder.path().join("silent")).unwrap();
    let rude = tokio::net::UnixListener::bind(folder.path().join("rude")).unwrap();
    let task = tokio::spawn(async move { while rude.accept().await.is_ok() {} });
    for name in ["silent", "rude"] {
        let address = Address::parse(&format!("unix://{}", folder.path().join(name).display())).unwrap();
        let source = Buildkit::new(address.with_patience(PATIENCE), "buildkit://buildkit");
        let begun = Instant::now();
        let error = source.entries(&Limits::default()).await.unwrap_err();
        assert_eq!(error.code(), Code::Unavailable, "{name}: {error}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{name}");
    }
    drop(silent);
    task.abort();
}

//! What is moved in which order, against a sink that writes down what it is told.

use std::sync::Mutex;

use futures_util::TryStreamExt as _;
use portolan_oci::media_type::{OCI_CONFIG, OCI_INDEX, OCI_MANIFEST};
use serde_json::json;

use super::*;
use crate::source::memory::Memory;
use crate::source::{Target, sink};

const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What a sink was told, in order, and what it answers.
#[derive(Default)]
struct Told {
    lines: Mutex<Vec<String>>,
    there: HashSet<Digest>,
    mounts: bool,
    /// Blobs that break off the first so many times.
    breaks: Mutex<u32>,
    retryable: bool,
    /// Nothing can be committed.
    full: bool,
}

impl Told {
    fn say(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

#[derive(Clone, Default)]
struct Recorder(Arc<Told>);

#[async_trait]
impl Sink for Recorder {
    async fn has(&self, descriptor: &Descriptor) -> Result<bool> {
        Ok(self.0.there.contains(&descriptor.digest))
    }

    async fn mount(&self, descriptor: &Descriptor, from: &str) -> Result<bool> {
        if self.0.mounts {
            self.0.say(format!("mount {} from {from}", descriptor.size));
        }
        Ok(self.0.mounts)
    }

    async fn put_blob(&self, descriptor: &Descriptor, content: &dyn Content) -> Result<()> {
        let pieces: Vec<Bytes> = content.open().await?.try_collect().await?;
        assert_eq!(pieces.concat().len() as u64, descriptor.size);
        let mut breaks = self.0.breaks.lock().unwrap();
        if *breaks > 0 {
            *breaks -= 1;
            self.0.say(format!("broke {}", descriptor.size));
            let error = Error::new(Code::Unavailable, "push", "it", "the connection broke");
            return Err(if self.0.retryable { error.retryable() } else { error });
        }
        self.0.say(format!("blob {}", descriptor.size));
        Ok(())
    }

    async fn put_document(&self, document: &sink::Document) -> Result<Pushed> {
        let kind = if document.descriptor.kind() == Kind::Index { "index" } else { "manifest" };
        let name = document.name.as_deref().unwrap_or("-");
        self.0.say(format!("{kind} {} {name}", document.descriptor.size));
        Ok(Pushed { created: true, subject_processed: true })
    }

    async fn commit(&self) -> Result<()> {
        if self.0.full {
            return Err(Error::new(Code::Other, "write to", "it", "it is full"));
        }
        self.0.say("commit".into());
        Ok(())
    }
}

#[async_trait]
impl Source for Recorder {
    fn repository(&self) -> String {
        "r.example/target".into()
    }

    async fn resolve(&self, _: Target<'_>, _: &Limits) -> Result<Descriptor> {
        Err(self.unsupported("resolve in", "it is a target"))
    }

    async fn fetch(&self, _: &Descriptor, _: &Limits) -> Result<Bytes> {
        Err(self.unsupported("fetch from", "it is a target"))
    }

    async fn read(&self, _: &Descriptor, _: u64, _: u32) -> Result<Bytes> {
        Err(self.unsupported("read from", "it is a target"))
    }

    async fn open(&self, _: &Descriptor) -> Result<ByteStream> {
        Err(self.unsupported("open", "it is a target"))
    }

    fn sink(&self) -> Result<Box<dyn Sink>> {
        Ok(Box::new(self.clone()))
    }
}

/// Images in memory, of which everything is told by its size alone.
struct World {
    memory: Arc<Memory>,
    layer: Descriptor,
    config: Descriptor,
    manifest: Descriptor,
    inner: Descriptor,
    outer: Descriptor,
}

impl World {
    fn new() -> World {
        let memory = Arc::new(Memory::new("r.example/source"));
        let index = |children: &[&Descriptor]| {
            memory.insert(OCI_INDEX, json!({ "schemaVersion": 2, "manifests": children }).to_string())
        };
        let layer = memory.insert(OCI_LAYER, vec![1; 3000]);
        let config = memory.insert(OCI_CONFIG, "{}");
        let document = json!({ "schemaVersion": 2, "config": config, "layers": [layer] }).to_string();
        let manifest = memory.insert(OCI_MANIFEST, document);
        let inner = index(&[&manifest]);
        let outer = index(&[&inner]);
        World { memory: Arc::clone(&memory), layer, config, manifest, inner, outer }
    }

    async fn copy(&self, items: &[(&Descriptor, Option<&str>)], told: Told) -> (Result<()>, Vec<String>) {
        let recorder = Recorder(Arc::new(told));
        let items = items
            .iter()
            .map(|(descriptor, name)| Item { descriptor: (*descriptor).clone(), name: name.map(str::to_owned) })
            .collect();
        let source: Arc<dyn Source> = Arc::clone(&self.memory) as Arc<dyn Source>;
        let done = copy(source, &recorder, items, Arc::default(), Progress::default()).await;
        (done, recorder.0.lines())
    }
}

fn sizes(text: &str, world: &World) -> String {
    let World { manifest, inner, outer, .. } = world;
    text.replace("MANIFEST", &manifest.size.to_string())
        .replace("INNER", &inner.size.to_string())
        .replace("OUTER", &outer.size.to_string())
}

#[tokio::test]
async fn children_come_before_parents_and_names_last() {
    let world = World::new();
    let World { layer, config, manifest, inner, outer, .. } = &world;
    type Row<'a> = (&'a [(&'a Descriptor, Option<&'a str>)], &'a [&'a str]);
    let table: [Row<'_>; 4] = [
        // Listed from the root down, and stored from the ground up.
        (
            &[(outer, Some("1")), (inner, None), (manifest, None), (config, None), (layer, None)],
            &["blob 3000", "blob 2", "manifest MANIFEST -", "index INNER -", "index OUTER 1", "commit"],
        ),
        // Several names of one root, and a child that has a name of its own.
        (
            &[(outer, Some("1")), (outer, Some("2")), (manifest, Some("m")), (inner, None), (outer, Some("1"))],
            &[
                "manifest MANIFEST -",
                "index INNER -",
                "index OUTER 1",
                "index OUTER 2",
                "manifest MANIFEST m",
                "commit",
            ],
        ),
        (&[(manifest, None), (manifest, None)], &["manifest MANIFEST -", "commit"]),
        (&[], &[]),
    ];
    for (items, expected) in table {
        let (done, mut lines) = world.copy(items, Told::default()).await;
        done.unwrap();
        let mut expected: Vec<String> = expected.iter().map(|line| sizes(line, &world)).collect();
        // Names are given side by side, in no order.
        let names = |line: &String| line.ends_with(" 1") || line.ends_with(" 2") || line.ends_with(" m");
        let first = expected.iter().position(names).unwrap_or_default();
        let last = expected.len().saturating_sub(1);
        expected[first..last].sort();
        lines[first..last].sort();
        assert_eq!(lines, expected);
    }
}

/// Whoever watches is told of a name once it is there.
#[tokio::test]
async fn names_are_told_after_the_commit() {
    let world = World::new();
    for full in [false, true] {
        let told = Arc::new(Told { full, ..Told::default() });
        let heard = Arc::clone(&told);
        let progress = Progress::new(move |event| {
            if let Event::Stored { name, .. } = event {
                heard.say(format!("told {}", name.as_deref().unwrap_or("-")));
            }
        });
        let items = [(&world.manifest, None), (&world.inner, Some("1"))];
        let items = items.map(|(it, name)| Item { descriptor: it.clone(), name: name.map(str::to_owned) }).to_vec();
        let source: Arc<dyn Source> = Arc::clone(&world.memory) as Arc<dyn Source>;
        let done = copy(source, &Recorder(Arc::clone(&told)), items, Arc::default(), progress).await;
        let expected = ["manifest MANIFEST -", "told -", "index INNER 1", "commit", "told 1"];
        let expected = if full { &expected[..3] } else { &expected[..] };
        assert_eq!(done.is_ok(), !full);
        assert_eq!(told.lines(), expected.iter().map(|line| sizes(line, &world)).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn bytes_move_only_where_they_must() {
    let world = World::new();
    let items = [(&world.layer, None), (&world.config, None)];
    let there = HashSet::from([world.layer.digest.clone()]);
    let (done, lines) = world.copy(&items, Told { there, ..Told::default() }).await;
    done.unwrap();
    assert_eq!(lines, ["blob 2", "commit"]);

    let (done, lines) = world.copy(&items, Told { mounts: true, ..Told::default() }).await;
    done.unwrap();
    assert_eq!(lines, ["mount 3000 from r.example/source", "mount 2 from r.example/source", "commit"]);
}

#[tokio::test]
async fn a_blob_that_breaks_is_begun_again_where_that_can_help() {
    let world = World::new();
    let items = [(&world.layer, None)];
    for (breaks, retryable, expected) in [
        (2, true, &["broke 3000", "broke 3000", "blob 3000", "commit"][..]),
        (3, true, &["broke 3000", "broke 3000", "broke 3000"]),
        (1, false, &["broke 3000"]),
    ] {
        let (done, lines) = world.copy(&items, Told { breaks: Mutex::new(breaks), retryable, ..Told::default() }).await;
        assert_eq!(done.is_ok(), lines.last().is_some_and(|line| line == "commit"), "{done:?}");
        assert_eq!(lines, expected);
    }
}

#[tokio::test]
async fn what_cannot_be_moved() {
    let world = World::new();
    let (done, lines) = world.copy(&[(&world.layer, Some("1"))], Told::default()).await;
    assert!(done.unwrap_err().to_string().contains("only a manifest or an index can have a name"));
    assert!(lines.is_empty(), "nothing is begun: {lines:?}");

    let absent = Descriptor::of(OCI_LAYER, b"not there");
    let (done, lines) = world.copy(&[(&absent, None), (&world.manifest, Some("1"))], Told::default()).await;
    assert_eq!(done.unwrap_err().code(), Code::NotFound);
    assert!(lines.is_empty(), "no manifest without its layer: {lines:?}");

    let mut deepest = world.outer.clone();
    let mut items = vec![(world.inner.clone(), None), (deepest.clone(), None)];
    for _ in 0..8 {
        let document = json!({ "schemaVersion": 2, "manifests": [deepest] }).to_string();
        deepest = world.memory.insert(OCI_INDEX, document);
        items.push((deepest.clone(), None));
    }
    let items: Vec<_> = items.iter().map(|(descriptor, name)| (descriptor, *name)).collect();
    assert_eq!(world.copy(&items, Told::default()).await.0.unwrap_err().code(), Code::TooLarge);
}

#[tokio::test]
async fn what_is_pushed_is_what_its_descriptor_says() {
    let manifest = json!({ "schemaVersion": 2, "config": Descriptor::of(OCI_CONFIG, b"{}"), "layers": [] }).to_string();
    let honest = Descriptor::of(OCI_MANIFEST, manifest.as_bytes());
    let small = Limits { document: 10, ..Limits::default() };
    let roomy = Limits::default();
    for (descriptor, name, bytes, limits, expected) in [
        (honest.clone(), Some("1"), manifest.as_str(), &roomy, Ok(())),
        (Descriptor::of(OCI_CONFIG, b"{}"), None, "{}", &roomy, Ok(())),
        (Descriptor::of(OCI_CONFIG, b"{}"), Some("1"), "{}", &roomy, Err(Code::Malformed)),
        (honest.clone(), None, "{}", &roomy, Err(Code::DigestMismatch)),
        (Descriptor { size: 2, ..honest.clone() }, None, "[]", &roomy, Err(Code::DigestMismatch)),
        (Descriptor { media_type: OCI_INDEX.into(), ..honest.clone() }, None, &manifest, &roomy, Err(Code::Malformed)),
        (honest.clone(), None, &manifest, &small, Err(Code::TooLarge)),
    ] {
        let recorder = Recorder::default();
        let bytes = Bytes::from(bytes.to_owned());
        let pushed = push(&recorder, descriptor, name.map(str::to_owned), bytes, limits, &Progress::default()).await;
        assert_eq!(pushed.as_ref().map(drop).map_err(Error::code), expected, "{pushed:?}");
        assert_eq!(recorder.0.lines().is_empty(), expected.is_err());
    }
}

#[tokio::test]
async fn a_listener_hears_of_everything() {
    let world = World::new();
    let World { layer, config, manifest, .. } = &world;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    let progress = Progress::new(move |event| listener.lock().unwrap().push(event));
    let item = |descriptor: &Descriptor, name: Option<&str>| Item {
        descriptor: descriptor.clone(),
        name: name.map(str::to_owned),
    };
    let items = vec![item(layer, None), item(config, None), item(manifest, Some("1"))];
    let there = HashSet::from([config.digest.clone()]);
    let recorder = Recorder(Arc::new(Told { there, ..Told::default() }));
    let source: Arc<dyn Source> = Arc::clone(&world.memory) as Arc<dyn Source>;
    copy(source, &recorder, items, Arc::default(), progress).await.unwrap();
    let heard = heard.lock().unwrap();
    let planned = Event::Planned { target: "r.example/target".into(), blobs: 2, bytes: 3002, documents: 1 };
    assert_eq!(heard[0], planned);
    for expected in [
        Event::Started(layer.clone()),
        Event::Moved(layer.digest.clone(), 3000),
        Event::Present(layer.clone(), Moved::Copied),
        Event::Present(config.clone(), Moved::Already),
        Event::Stored { descriptor: manifest.clone(), name: Some("1".into()), created: true },
    ] {
        assert!(heard.contains(&expected), "{expected:?} in {heard:?}");
    }
}

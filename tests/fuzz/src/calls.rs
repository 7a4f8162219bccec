//! Calls of a guest to the host with whatever arguments: each is answered or ends the run, nothing that was not granted is
//! asked, read or written, and what the run used up is within its limits.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use portolan::audit::{Audit, Call, Record, Verdict};
use portolan::source::memory::Memory;
use portolan::source::sink::Sink;
use portolan::source::{ByteStream, Registries, Source, TagPage, Target};
use portolan::{Body, Component, Frontend, Grants, Host, Limits, Result, Run, Stats};
use portolan_oci::{Descriptor, Location, Reference, media_type};

use crate::program::{self, Words};
use crate::{is_tame_block, scratch};

/// What is granted: one repository to be read, one to be written as well, and so of the stores.
const READABLE: [&str; 4] = ["r.example/team/app", "r.example/team/mine", "oci-layout://out", "oci-layout://in"];
const WRITABLE: [&str; 2] = ["r.example/team/mine", "oci-layout://in"];

const BLOB: &[u8] = b"0123456789";
const CONFIG: &[u8] = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;

fn limits() -> Limits {
    Limits {
        guest_memory: 8 << 20,
        guest_cpu: Duration::from_secs(5),
        wall_clock: Some(Duration::from_secs(10)),
        host_calls: 2_000,
        call_arguments: 256 << 10,
        response: 64 << 10,
        run_documents: (program::LONGEST as u64) + (64 << 10),
        attestation: program::LONGEST as u64,
        ..Limits::default()
    }
}

/// What there is for a run: content that is known, and a note of what was asked where.
struct World {
    words: Words,
    put: Vec<(&'static str, Bytes)>,
}

impl World {
    fn new() -> Self {
        let described = |descriptor: &Descriptor| {
            let Descriptor { media_type, digest, size, .. } = descriptor;
            format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
        };
        let mut put: Vec<(&'static str, Bytes)> =
            vec![("application/octet-stream", BLOB.into()), (media_type::OCI_CONFIG, CONFIG.into())];
        let config = described(&Descriptor::of(media_type::OCI_CONFIG, CONFIG));
        let layer = described(&Descriptor::of("application/octet-stream", BLOB));
        let kind = media_type::OCI_MANIFEST;
        let manifest = format!(r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{config},"layers":[{layer}]}}"#);
        let root = described(&Descriptor::of(kind, manifest.as_bytes()));
        let referrer = manifest.replacen(r#""layers""#, &format!(r#""subject":{root},"layers""#), 1);
        put.extend([(kind, manifest.into()), (kind, referrer.into())]);
        let kind = media_type::OCI_INDEX;
        let index = format!(r#"{{"schemaVersion":2,"mediaType":"{kind}","manifests":[{root}]}}"#);
        put.push((kind, index.into()));

        let mut descriptors: Vec<(String, String, u64)> = Vec::new();
        let mut texts: Vec<Vec<u8>> = READABLE.iter().map(|place| place.as_bytes().to_vec()).collect();
        texts.extend(put.iter().map(|(_, bytes)| bytes.to_vec()));
        for (kind, bytes) in &put {
            let Descriptor { media_type, digest, size, .. } = Descriptor::of(*kind, bytes);
            for text in [&media_type, digest.as_str(), &format!("@{digest}"), &format!("oci-layout://out@{digest}")] {
                texts.push(text.as_bytes().to_vec());
            }
            descriptors.push((media_type, digest.to_string(), size));
        }
        let spelled = [
            "",
            "1",
            "latest",
            "r.example/team/app:1",
            "r.example/team/other",
            "r.example/team",
            "r.example/team/app/sub",
            "R.example/team/app",
            "r.example:443/team/app",
            "team/app",
            "oci-archive://out",
            "oci-layout://other",
            "oci-layout://out/x",
            "oci-layout://in:1",
            "docker.io/acme/app:1",
            "\u{1b}[2J",
            "application/vnd.in-toto+json",
            "sha512:",
            "/",
            "*",
        ];
        texts.extend(spelled.map(|text| text.as_bytes().to_vec()));
        World { words: Words { texts, descriptors }, put }
    }

    /// A place with all the content in it.
    fn place(&self, name: &str) -> Memory {
        let memory = Memory::new(name);
        for (kind, bytes) in &self.put {
            let descriptor = memory.insert(*kind, bytes.clone());
            if media_type::kind(kind) == portolan_oci::Kind::Index {
                memory.tag("1", &descriptor);
                memory.tag("latest", &descriptor);
            }
        }
        memory
    }
}

/// (repository, whether it is to be written), in the order asked.
type Asked = Arc<Mutex<Vec<(String, bool)>>>;

/// A place that says that it was asked.
struct Watched {
    place: Memory,
    asked: Asked,
}

impl Watched {
    fn asked(&self, to_write: bool) -> &Memory {
        self.asked.lock().unwrap().push((self.place.repository(), to_write));
        &self.place
    }
}

#[async_trait]
impl Source for Watched {
    fn repository(&self) -> String {
        self.place.repository()
    }

    async fn resolve(&self, target: Target<'_>, limits: &Limits) -> Result<Descriptor> {
        self.asked(false).resolve(target, limits).await
    }

    async fn fetch(&self, descriptor: &Descriptor, limits: &Limits) -> Result<Bytes> {
        self.asked(false).fetch(descriptor, limits).await
    }

    async fn read(&self, descriptor: &Descriptor, offset: u64, length: u32) -> Result<Bytes> {
        assert!(offset.checked_add(length.into()).is_some_and(|end| end <= descriptor.size), "{offset} {length}");
        self.asked(false).read(descriptor, offset, length).await
    }

    async fn open(&self, descriptor: &Descriptor) -> Result<ByteStream> {
        self.asked(false).open(descriptor).await
    }

    async fn entries(&self, limits: &Limits) -> Result<(Descriptor, Bytes)> {
        self.asked(false).entries(limits).await
    }

    async fn tags(&self, next: Option<&str>) -> Result<TagPage> {
        self.asked(false).tags(next).await
    }

    async fn referrers(&self, digest: &portolan_oci::Digest, of: Option<&str>, limits: &Limits) -> Result<Bytes> {
        self.asked(false).referrers(digest, of, limits).await
    }

    fn sink(&self) -> Result<Box<dyn Sink>> {
        self.asked(true).sink()
    }
}

/// Every repository is there, whoever asks.
struct Net(&'static World, Asked);

impl Registries for Net {
    fn repository(&self, reference: &Reference) -> Arc<dyn Source> {
        Arc::new(Watched { place: self.0.place(&reference.repository()), asked: Arc::clone(&self.1) })
    }
}

/// The program, as a range of a blob.
struct Program(Bytes);

#[async_trait]
impl Source for Program {
    fn repository(&self) -> String {
        program::STORE.to_owned()
    }

    async fn resolve(&self, _: Target<'_>, _: &Limits) -> Result<Descriptor> {
        Err(self.unsupported("resolve", "it is a program"))
    }

    async fn fetch(&self, _: &Descriptor, _: &Limits) -> Result<Bytes> {
        Err(self.unsupported("fetch", "it is a program"))
    }

    async fn read(&self, _: &Descriptor, _: u64, _: u32) -> Result<Bytes> {
        Ok(self.0.clone())
    }

    async fn open(&self, _: &Descriptor) -> Result<ByteStream> {
        Err(self.unsupported("open", "it is a program"))
    }
}

fn fixed() -> &'static (World, Host, Frontend) {
    static FIXED: OnceLock<(World, Host, Frontend)> = OnceLock::new();
    FIXED.get_or_init(|| {
        let host = Host::builder().limits(limits()).platform("linux/amd64").build().expect("a host");
        let component = program::component();
        let frontend = scratch::wait(host.load(Component::Bytes(&component))).expect("a frontend");
        (World::new(), host, frontend)
    })
}

/// A program of calls, and an answer.
pub fn host_call(data: &[u8]) {
    let (world, host, frontend) = fixed();
    let asked: Asked = Arc::default();
    let heard: Arc<Mutex<Vec<Record>>> = Arc::default();
    let to = Arc::clone(&heard);
    let audit = Audit::new(move |record| {
        to.lock().unwrap().push(record.clone());
        Ok(())
    });
    let store = |name: &str| -> Arc<dyn Source> {
        Arc::new(Watched { place: world.place(&format!("oci-layout://{name}")), asked: Arc::clone(&asked) })
    };
    let grants = Grants::new().pull(READABLE[0]).and_then(|grants| grants.push(WRITABLE[0])).expect("patterns");
    let run = Run::new(frontend)
        .registry(Net(world, Arc::clone(&asked)))
        .store("program", Arc::new(Program(program::assemble(data, &world.words).into())))
        .store("out", store("out"))
        .store("in", store("in"))
        .grants(grants.push_reference(&Location::parse(WRITABLE[1]).expect("a store")))
        .audit(audit);
    let ended = scratch::wait(async {
        let answer = host.run(run).await?;
        if let Body::Content { stream, .. } = answer.body {
            use futures_util::TryStreamExt as _;
            let _ = stream.try_collect::<Vec<_>>().await;
        }
        Ok::<Stats, portolan::RunError>(answer.stats)
    });
    let verdict = match &ended {
        Ok(stats) => {
            assert!(stats.host_calls <= limits().host_calls, "{stats:?}");
            "ok"
        }
        Err(error) => {
            let (said, hint) = (error.to_string(), error.hint().unwrap_or_default());
            assert!(is_tame_block(&said), "{said:?}");
            assert!(said.len() <= 512 << 10, "it says {} bytes", said.len());
            assert!(matches!(error.status(), 1 | 3 | 4 | 5), "{} {said} {hint}", error.status());
            "not ok"
        }
    };
    for (place, to_write) in asked.lock().unwrap().iter() {
        let granted = if *to_write { &WRITABLE[..] } else { &READABLE };
        assert!(granted.contains(&place.as_str()), "{place} was asked, to be written: {to_write}");
    }
    let heard = heard.lock().unwrap();
    let [Record::Begun { .. }, calls @ .., Record::Ended { verdict: told, stats }] = &heard[..] else {
        panic!("{heard:?}")
    };
    assert_eq!(*told == "ok", verdict == "ok", "{told}");
    assert!(stats.documents <= limits().run_documents && stats.memory <= limits().guest_memory, "{stats:?}");
    assert!(calls.len() as u64 <= limits().host_calls + 1, "{} calls", calls.len());
    for call in calls {
        let Record::Called(call) = call else { panic!("{call:?}") };
        was_granted(call);
    }
}

/// A call that was done was done where it may.
fn was_granted(call: &Call) {
    let Call { function, place, from, verdict, .. } = call;
    if *verdict != Verdict::Done
        || matches!(*function, "platform" | "features" | "log")
        || (*function, &**place) == ("resolve-all", "")
    {
        return;
    }
    let places = from.iter().chain([place]).filter(|place| &***place != program::STORE);
    for place in places {
        let repository = Location::parse(place).unwrap_or_else(|error| panic!("{call:?}: {error}")).repository();
        let to_write = matches!(*function, "push" | "copy") && from.as_ref() != Some(place);
        let granted = if to_write { &WRITABLE[..] } else { &READABLE };
        assert!(granted.contains(&repository.as_str()), "{call:?}");
    }
}

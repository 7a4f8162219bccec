//! Our client, asked what a script asks: all that is particular to it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use portolan::source::registry::{Hosts, Registry, Timing};
use portolan::source::sink::{Content, Document, Sink};
use portolan::source::{ByteStream, Source, Target};
use portolan::{Code, Error, Limits};
use portolan_hostile::scripts::{PASSWORD, USER};
use portolan_hostile::{Answer, Ask, Class};
use portolan_oci::{Descriptor, Index, Reference};

use super::secrets::HEADER;

/// What of a large blob is asked for at a time; a blob of eight is large.
const PART: u64 = 1000;

/// Where the client keeps things in a play.
pub struct Folders<'a> {
    /// Credentials and configuration.
    pub home: &'a Path,
    /// Documents.
    pub cache: &'a Path,
}

/// A repository at `host` for somebody who is logged in there, and has a secret header in the configuration.
pub fn repository(host: &str, hangs: bool, folders: &Folders<'_>) -> Arc<dyn Source> {
    let login = format!(r#"{{"auths":{{"{host}":{{"username":"{USER}","password":"{PASSWORD}"}}}}}}"#);
    let file = folders.home.join("auth.json");
    fs::write(&file, login).unwrap();
    let (name, value) = HEADER;
    let certs = folders.home.join("certs.d");
    fs::create_dir_all(certs.join(host)).unwrap();
    let toml = format!("server = \"http://{host}\"\n[header]\n{name} = \"{value}\"\n");
    fs::write(certs.join(host).join("hosts.toml"), toml).unwrap();
    let client = Registry::builder()
        .docker_config(None)
        .podman_auth_files(Vec::new())
        .only_auth_file(file)
        .hosts(Hosts::none().hosts_dir(certs))
        .limits(Limits { part: PART, ..Limits::default() })
        .timing(timing(hangs))
        .cache_dir(Some(folders.cache.to_owned()));
    client.build().unwrap().repository(&format!("{host}/app").parse::<Reference>().unwrap())
}

/// In a hurry between tries; patient otherwise, unless something hangs.
fn timing(hangs: bool) -> Timing {
    let mut timing = Timing::default();
    timing.retry_first = Duration::from_millis(1);
    timing.retry_most = Duration::from_millis(2);
    timing.retry_after_most = Duration::from_millis(2);
    if hangs {
        let moment = Duration::from_millis(100);
        (timing.connect, timing.answer, timing.idle) = (moment, moment, moment);
        (timing.document, timing.stored) = (2 * moment, moment);
    }
    timing
}

/// Asks it.
pub async fn ask(source: Arc<dyn Source>, host: String, ask: Ask) -> Result<Answer, Error> {
    let limits = Limits::default();
    match ask {
        Ask::ResolveTag(tag) => source.resolve(Target::Tag(tag), &limits).await.map(Answer::root),
        Ask::ResolveDigest(digest) => source.resolve(Target::Digest(&digest), &limits).await.map(Answer::root),
        Ask::Fetch(descriptor) => source.fetch(&descriptor, &limits).await.map(whole),
        Ask::Stream(descriptor) => {
            let pieces: Vec<Bytes> = source.open(&descriptor).await?.try_collect().await?;
            Ok(Answer::Bytes(pieces.concat().into()))
        }
        Ask::Part { of, offset, length } => source.read(&of, offset, length).await.map(whole),
        Ask::Tags => {
            let (mut tags, mut next) = (Vec::new(), None);
            loop {
                let page = source.tags(next.as_deref()).await?;
                tags.extend(page.tags);
                next = page.next;
                if next.is_none() {
                    return Ok(Answer::Tags(tags));
                }
            }
        }
        Ask::Referrers(digest, artifact_type) => {
            let index = source.referrers(&digest, artifact_type, &limits).await?;
            let entries = Index::parse(&index).unwrap().manifests;
            Ok(Answer::Referrers(entries.into_iter().map(|entry| entry.digest).collect()))
        }
        Ask::PushBlob(bytes) => put(&*source.sink()?, bytes, None).await,
        Ask::Mount(bytes) => put(&*source.sink()?, bytes, Some(&format!("{host}/base"))).await,
        Ask::PushManifest(media_type, bytes, tag) => {
            let sink = source.sink()?;
            let descriptor = Descriptor::of(media_type, &bytes);
            let bytes = Bytes::from_owner(bytes);
            sink.put_document(&Document { descriptor, bytes, name: tag.map(str::to_owned) }).await?;
            sink.commit().await.map(|()| Answer::Stored)
        }
    }
}

fn whole(bytes: Bytes) -> Answer {
    Answer::Bytes((&*bytes).into())
}

/// A blob that can be had as often as it is asked for.
struct Held(Bytes);

#[async_trait]
impl Content for Held {
    async fn open(&self) -> Result<ByteStream, Error> {
        let pieces: Vec<_> = self.0.chunks(64 << 10).map(|piece| Ok(self.0.slice_ref(piece))).collect();
        Ok(stream::iter(pieces).boxed())
    }
}

/// Makes a blob present, as a copy does it.
async fn put(sink: &dyn Sink, bytes: Arc<[u8]>, base: Option<&str>) -> Result<Answer, Error> {
    let descriptor = Descriptor::of("application/x-anything", &bytes);
    let mounted = match base {
        Some(base) => sink.mount(&descriptor, base).await?,
        None => false,
    };
    if !mounted && !sink.has(&descriptor).await? {
        sink.put_blob(&descriptor, &Held(Bytes::from_owner(bytes))).await?;
    }
    sink.commit().await.map(|()| Answer::Stored)
}

/// What a failure says was tried.
pub fn operation(ask: &Ask) -> &'static [&'static str] {
    match ask {
        Ask::ResolveTag(_) | Ask::ResolveDigest(_) => &["resolve"],
        Ask::Fetch(_) => &["fetch"],
        Ask::Stream(_) => &["open", "fetch"],
        Ask::Part { .. } => &["read"],
        Ask::Tags => &["list the tags of"],
        Ask::Referrers(..) => &["list the referrers of"],
        Ask::PushBlob(_) | Ask::PushManifest(..) | Ask::Mount(_) => &["push"],
    }
}

/// What our codes are in the catalogue's words.
pub fn class(error: &Error) -> Option<Class> {
    Some(match error.code() {
        Code::NotFound => Class::NotFound,
        Code::Unauthorized => Class::Unauthorized,
        Code::Forbidden => Class::Forbidden,
        Code::RateLimited => Class::RateLimited,
        Code::DigestMismatch => Class::Mismatch,
        Code::TooLarge => Class::TooLarge,
        Code::Malformed => Class::Malformed,
        Code::Unavailable => Class::Unavailable,
        Code::Unsupported => Class::Unsupported,
        Code::Other => Class::Refused,
        _ => return None,
    })
}

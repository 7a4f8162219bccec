//! The calls.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use portolan_oci::{Descriptor, Digest};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::proto::gateway_server::Gateway as Calls;
use super::proto::{
    self, Answer, Argument, Document, FetchRequest, FetchResponse, ListTagsRequest, ListTagsResponse, Part,
    PushRequest, PushResponse, ReferrersRequest, ReferrersResponse, ResolveImageRequest, ResolveImageResponse,
    ResolveRequest, ResolveResponse, RunRequest, RunResponse, fetch_response, push_request, run_response,
};
use super::status::wire;
use crate::engine::{self, Body, Content};
use crate::error::{Code, Error};
use crate::progress::{Event, Progress};
use crate::serve::caller::Caller;
use crate::serve::distribution::most;
use crate::serve::gateway::{self, Gateway, Wanted};
use crate::serve::patient::patiently;
use crate::serve::problem::Problem;
use crate::source::ByteStream;
use crate::source::spool::Spool;

/// Bytes of a chunk, at most.
const CHUNK: usize = 1 << 20;
/// What was said of a run and not yet taken; beyond that it is not said how far something is.
const EVENTS: usize = 256;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// See the module.
pub(super) struct Service {
    pub(super) gateway: Arc<Gateway>,
    /// Where what is pushed is gathered.
    pub(super) folder: PathBuf,
    /// Bytes of a push.
    pub(super) most: u64,
    /// How long a sender may send nothing.
    pub(super) idle: Duration,
}

/// Who calls, which was found out before.
fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    request.extensions().get::<Caller>().cloned().ok_or_else(|| Status::unauthenticated("nobody calls"))
}

fn told(error: Error) -> Status {
    Problem::from(error).into()
}

fn digest(text: &str) -> Result<Digest, Problem> {
    Digest::parse(text).map_err(|error| Problem::new(Code::InvalidReference, text, error.to_string()))
}

/// A descriptor that a caller wrote in full.
fn descriptor(said: Option<proto::Descriptor>) -> Result<Descriptor, Problem> {
    let said = said.unwrap_or_default();
    let digest = digest(&said.digest)?;
    let size = u64::try_from(said.size)
        .map_err(|_| Problem::new(Code::InvalidReference, &said.digest, format!("{} bytes are no size", said.size)))?;
    Ok(Descriptor::new(said.media_type, digest, size))
}

fn unsigned(name: &str, value: i64) -> Result<u64, Problem> {
    u64::try_from(value).map_err(|_| Problem::new(Code::InvalidReference, name, format!("{name} is {value}")))
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A stream of small enough chunks.
fn chunks(content: ByteStream, gateway: &Arc<Gateway>) -> impl Stream<Item = Result<Bytes, Status>> + Send + use<> {
    let gateway = Arc::clone(gateway);
    content.map_err(told).flat_map(move |piece| {
        let mut pieces = Vec::new();
        match piece {
            Err(status) => pieces.push(Err(status)),
            Ok(mut bytes) => {
                gateway.metrics.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                while bytes.len() > CHUNK {
                    pieces.push(Ok(bytes.split_to(CHUNK)));
                }
                pieces.push(Ok(bytes));
            }
        }
        stream::iter(pieces)
    })
}

#[async_trait]
impl Calls for Service {
    type FetchStream = Answers<FetchResponse>;
    type RunStream = Answers<RunResponse>;

    async fn resolve(&self, request: Request<ResolveRequest>) -> Result<Response<ResolveResponse>, Status> {
        let caller = caller(&request)?;
        let reference = gateway::parse(&request.into_inner().reference)?;
        let found = self.gateway.resolve(&caller, &reference).await?;
        Ok(Response::new(ResolveResponse { repository: found.repository, root: Some(wire(&found.root)) }))
    }

    async fn fetch(&self, request: Request<FetchRequest>) -> Result<Response<Self::FetchStream>, Status> {
        let caller = caller(&request)?;
        let FetchRequest { repository, descriptor: said, offset, length } = request.into_inner();
        let reference = gateway::repository(&repository)?;
        let mut wanted = descriptor(said)?;
        let found = self.gateway.locate(&caller, &reference, &wanted.digest).await?;
        if wanted.size != 0 && wanted.size != found.size {
            let message = format!("{} has {} bytes, and not {}", wanted.digest, found.size, wanted.size);
            return Err(Problem::new(Code::InvalidReference, wanted.digest.as_str(), message).into());
        }
        wanted.size = found.size;
        // Of a document its registry says what it is, of a blob who asks: it is no document for that.
        if wanted.media_type.is_empty() || found.is_document() || wanted.is_document() {
            wanted.media_type = found.media_type;
        }
        let (offset, length) = (unsigned("offset", offset)?, unsigned("length", length)?);
        let content = match wanted.is_document() {
            true => {
                let bytes = self.gateway.document(&caller, &reference, &wanted).await?;
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                stream::iter([Ok(bytes.slice(start..))]).boxed()
            }
            false => self.gateway.content(&caller, &reference, &wanted, offset).await?,
        };
        let content = if length > 0 { most(content, length) } else { content };
        let head = FetchResponse { part: Some(fetch_response::Part::Descriptor(wire(&wanted))) };
        let chunks = chunks(content, &self.gateway)
            .map_ok(|chunk| FetchResponse { part: Some(fetch_response::Part::Chunk(chunk)) });
        Ok(Response::new(Box::pin(stream::iter([Ok(head)]).chain(chunks))))
    }

    async fn push(&self, request: Request<Streaming<PushRequest>>) -> Result<Response<PushResponse>, Status> {
        let caller = caller(&request)?;
        let mut parts = request.into_inner();
        let first = tokio::time::timeout(self.idle, parts.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("nothing came"))??;
        let Some(push_request::Part::Start(start)) = first.and_then(|first| first.part) else {
            return Err(Status::invalid_argument("the first message of a push says what comes: `start`"));
        };
        let reference = gateway::repository(&start.repository)?;
        let target = self.gateway.writable(&caller, &reference)?;
        let wanted = descriptor(start.descriptor)?;
        let metrics = Arc::clone(&self.gateway.metrics);
        let sent = parts.map(move |part| match part.map(|part| part.part) {
            Ok(Some(push_request::Part::Chunk(chunk))) => {
                metrics.received.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                Ok(chunk)
            }
            Ok(_) => {
                Err(Error::new(Code::Malformed, "take in", "what was sent", "after the first message come chunks"))
            }
            Err(status) => Err(Error::new(Code::Malformed, "take in", "what was sent", status.message())),
        });
        let sent = patiently(sent.boxed(), self.idle);
        let name = some(start.name);
        let created = match wanted.is_document() {
            true => {
                let bytes = gathered(sent, wanted.size.min(self.gateway.limits.document)).await?;
                let limits = &self.gateway.limits;
                let pushed = crate::transfer::push(&*target, wanted, name, bytes, limits, &Progress::default()).await;
                pushed.map_err(told)?.created
            }
            false => self.blob(&*target, wanted, name, sent).await?,
        };
        Ok(Response::new(PushResponse { created }))
    }

    async fn resolve_image(
        &self,
        request: Request<ResolveImageRequest>,
    ) -> Result<Response<ResolveImageResponse>, Status> {
        let caller = caller(&request)?;
        let ResolveImageRequest { reference, platform, parts, mode } = request.into_inner();
        let wants = |part: Part| parts.contains(&part.into());
        let wanted = Wanted {
            reference,
            platform: some(platform),
            mode: some(mode),
            index: wants(Part::Index),
            manifest: wants(Part::Manifest),
            config: wants(Part::Config),
        };
        let image = self.gateway.image(&caller, wanted).await?;
        let document = |content: Content| Document {
            descriptor: Some(wire(&content.descriptor)),
            content: content.bytes.unwrap_or_default().into(),
        };
        Ok(Response::new(ResolveImageResponse {
            repository: image.repository,
            platform: image.platform,
            index: image.index.map(document),
            manifest: Some(document(image.manifest)),
            config: Some(document(image.config)),
            platforms: image.platforms,
        }))
    }

    async fn run(&self, request: Request<RunRequest>) -> Result<Response<Self::RunStream>, Status> {
        let caller = caller(&request)?;
        let RunRequest { frontend, arguments } = request.into_inner();
        let arguments = arguments.into_iter().map(|Argument { name, value }| (name, value)).collect();
        let (tell, mut heard) = mpsc::channel(EVENTS);
        let gateway = Arc::clone(&self.gateway);
        let progress = listener(tell.clone());
        tokio::spawn(async move {
            let run = gateway.run(&caller, &frontend, arguments, progress);
            let answer = tokio::select! {
                answer = run => answer,
                // Nobody is there any more.
                () = tell.closed() => return,
            };
            match answer {
                Ok(answer) => answered(answer, &tell, &gateway).await,
                Err(problem) => drop(tell.send(Err(problem.into())).await),
            }
        });
        Ok(Response::new(Box::pin(stream::poll_fn(move |context| heard.poll_recv(context)))))
    }

    async fn list_tags(&self, request: Request<ListTagsRequest>) -> Result<Response<ListTagsResponse>, Status> {
        let caller = caller(&request)?;
        let ListTagsRequest { repository, next } = request.into_inner();
        let reference = gateway::repository(&repository)?;
        let page = self.gateway.tag_page(&caller, &reference, some(next).as_deref()).await?;
        Ok(Response::new(ListTagsResponse { tags: page.tags, next: page.next.unwrap_or_default() }))
    }

    async fn referrers(&self, request: Request<ReferrersRequest>) -> Result<Response<ReferrersResponse>, Status> {
        let caller = caller(&request)?;
        let ReferrersRequest { repository, digest: subject, artifact_type } = request.into_inner();
        let (reference, subject) = (gateway::repository(&repository)?, digest(&subject)?);
        let index = self.gateway.referrers(&caller, &reference, &subject, some(artifact_type).as_deref()).await?;
        Ok(Response::new(ReferrersResponse { index }))
    }
}

impl Service {
    async fn blob(
        &self,
        target: &dyn crate::source::Source,
        blob: Descriptor,
        name: Option<String>,
        sent: ByteStream,
    ) -> Result<bool, Status> {
        if name.is_some() {
            let message = format!("{} is a blob, which has no name", blob.digest);
            return Err(Problem::new(Code::InvalidReference, blob.digest.as_str(), message).into());
        }
        let sink = target.sink().map_err(told)?;
        // Then nothing of it has to be sent: whoever sends is told while they do.
        if sink.has(&blob).await.map_err(told)? {
            return Ok(false);
        }
        let kept = |error: std::io::Error| Status::internal(format!("what is sent cannot be kept meanwhile: {error}"));
        let mut spool = Spool::new(&self.folder).map_err(kept)?;
        spool.append(sent, self.most.min(blob.size)).await.map_err(told)?;
        sink.put_blob(&blob, &spool.content(blob.clone())).await.map_err(told)?;
        sink.commit().await.map_err(told)?;
        Ok(true)
    }
}

/// All of a document that is sent.
async fn gathered(mut sent: ByteStream, most: u64) -> Result<Bytes, Status> {
    let mut all = Vec::new();
    while let Some(piece) = sent.try_next().await.map_err(told)? {
        if (all.len() + piece.len()) as u64 > most {
            return Err(Problem::new(Code::TooLarge, "what was sent", format!("it has more than {most} bytes")).into());
        }
        all.extend_from_slice(&piece);
    }
    Ok(all.into())
}

/// Tells what is moved, as far as somebody listens.
fn listener(tell: mpsc::Sender<Result<RunResponse, Status>>) -> Progress {
    let under_way: Mutex<HashMap<Digest, (u64, u64)>> = Mutex::default();
    Progress::new(move |event| {
        let mut under_way = under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let (what, done, total) = match event {
            Event::Planned { target, bytes, .. } => (target.to_string(), 0, bytes),
            Event::Started(blob) => {
                under_way.insert(blob.digest.clone(), (0, blob.size));
                (blob.digest.to_string(), 0, blob.size)
            }
            Event::Moved(digest, count) => {
                let (done, total) = under_way.entry(digest.clone()).or_default();
                *done += count;
                (digest.to_string(), *done, *total)
            }
            Event::Present(blob, _) => {
                under_way.remove(&blob.digest);
                (blob.digest.to_string(), blob.size, blob.size)
            }
            Event::Stored { descriptor, name, .. } => {
                (name.unwrap_or_else(|| descriptor.digest.to_string()), descriptor.size, descriptor.size)
            }
        };
        let count = |count| i64::try_from(count).unwrap_or(i64::MAX);
        let progress = proto::Progress { what, done: count(done), total: count(total) };
        // Who is slow to listen hears less of it.
        let _ = tell.try_send(Ok(RunResponse { part: Some(run_response::Part::Progress(progress)) }));
    })
}

/// Sends an answer, and then its bytes.
async fn answered(answer: engine::Answer, tell: &mpsc::Sender<Result<RunResponse, Status>>, gateway: &Arc<Gateway>) {
    let engine::Answer { status, media_type, body, metadata, .. } = answer;
    let metadata = metadata.into_iter().map(|(name, value)| Argument { name, value }).collect();
    let head = Answer { status: status.into(), media_type, metadata };
    let content: ByteStream = match body {
        Body::Text(text) => stream::iter([Ok(text.into())]).boxed(),
        Body::Bytes(bytes) => stream::iter([Ok(bytes.into())]).boxed(),
        Body::Content { stream, .. } => stream,
    };
    let chunks = chunks(content, gateway).map_ok(|chunk| RunResponse { part: Some(run_response::Part::Chunk(chunk)) });
    let head = RunResponse { part: Some(run_response::Part::Answer(head)) };
    let mut all = std::pin::pin!(stream::iter([Ok(head)]).chain(chunks));
    while let Some(part) = all.next().await {
        if tell.send(part).await.is_err() {
            return;
        }
    }
}

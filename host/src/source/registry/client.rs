//! The pipeline: one question to a registry, from admission to an answer that was read, checked and paid for.
//!
//! Every stage is a room of its own (`admission`, `queue`, `auth`, `transport`, `classify`, `retry`, `verify`); here is only
//! the order they come in. What to ask, and what a 404 means, is the business of who asks.

use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use portolan_oci::Descriptor;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, LOCATION, RANGE};
use reqwest::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, Response};
use tracing::Instrument as _;
use tracing::field::Empty;
use url::Url;

use super::Timing;
use super::admission::{self, Hop};
use super::auth::{Access, Auth, Grant, READ};
use super::body::{self, Unread};
use super::classify::{Question, Verdict, refusal};
use super::credentials::{Credential, Secret};
use super::endpoint::Endpoint;
use super::failed::{Failed, fault_error};
use super::notices::Notices;
use super::payload::{Guard, Payload};
use super::queue::{Line, Place, Queue};
use super::retry::{Again, Cause, Tries};
use super::text;
use super::transport::Transport;
use crate::error::{Code, Error, Result};
use crate::limits::Limits;
use crate::source::verify::Verifier;
use crate::trace;
use portolan_oci::registry::address::Reach;
use portolan_oci::registry::challenge::{self, Challenge};
use portolan_oci::registry::retry_after;

/// What is to come of the answer's body.
#[derive(Debug, Clone, Copy)]
pub(super) enum Take<'a> {
    /// Nothing.
    Head,
    /// All of it, of at most `limit` bytes, and exactly `expect` if that is known.
    All { limit: u64, expect: Option<&'a Descriptor> },
    /// The caller reads it.
    Stream,
}

/// What is written, which may have to be sent more than once.
#[derive(Debug)]
pub(super) struct Write<'a> {
    pub method: Method,
    pub headers: HeaderMap,
    pub payload: Payload<'a>,
}

/// Where a question is asked first.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub hop: Hop,
    /// How far away the registry is, as far as that is known; what it answers for itself counts more.
    pub reach: Reach,
}

impl From<Url> for Start {
    /// At the registry itself.
    fn from(url: Url) -> Start {
        Start { hop: admission::start(url), reach: Reach::Public }
    }
}

/// One question. What most of them have in common comes from [`Ask::of`].
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub operation: &'static str,
    /// What the question is about, for the error.
    pub subject: &'a str,
    pub start: Start,
    pub accept: Option<&'static str>,
    /// First and last byte.
    pub range: Option<(u64, u64)>,
    pub take: Take<'a>,
    pub line: Line,
    /// What is wanted, where it is more than to read.
    pub access: Option<&'a Access>,
    /// `None` for a question that changes nothing: HEAD or GET.
    pub write: Option<Write<'a>>,
}

impl<'a> Ask<'a> {
    /// Whether something is there.
    pub(super) fn of(operation: &'static str, subject: &'a str, start: impl Into<Start>) -> Ask<'a> {
        Ask {
            operation,
            subject,
            start: start.into(),
            accept: None,
            range: None,
            take: Take::Head,
            line: Line::Documents,
            access: None,
            write: None,
        }
    }

    fn method(&self) -> &Method {
        match (&self.write, self.take) {
            (Some(write), _) => &write.method,
            (None, Take::Head) => &Method::HEAD,
            (None, _) => &Method::GET,
        }
    }

    fn access(&self) -> &Access {
        self.access.unwrap_or(&READ)
    }

    fn verdict(&self, status: u16) -> Verdict {
        if self.write.is_some() { Verdict::of_write(status) } else { Verdict::of(status) }
    }
}

/// An answer: what was asked for, or a refusal that another try does not change.
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// With [`Take::All`].
    pub body: Bytes,
    /// With [`Take::Stream`]; the place is kept until the body was read.
    pub stream: Option<(Response, Place)>,
    /// Who the registry took us for; `None` is anybody.
    pub credential: Option<Arc<Credential>>,
    /// Who answered.
    pub at: Start,
    done: bool,
    host: String,
    /// What a refusal said, cleaned.
    said: String,
    /// What the host was shown, and may echo wherever it likes.
    secrets: Vec<Secret>,
}

impl Answer {
    /// Whether it is what was asked for.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    /// A header's text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The error of a refusal.
    pub(super) fn refusal(&self, endpoint: &Endpoint, operation: &'static str, subject: &str) -> Error {
        let question = Question { operation, subject, domain: &endpoint.domain, anonymous: self.credential.is_none() };
        refusal(question, &self.host, self.status, &self.said)
    }

    /// An answer that is none.
    pub(super) fn error(&self, code: Code, operation: &'static str, subject: &str, detail: impl Into<String>) -> Error {
        let detail = text::clean(&detail.into(), &Secret::reveal_all(&self.secrets));
        Error::new(code, operation, subject, detail).with_host(&self.host).with_status(self.status)
    }

    /// An answer that breaks the specification.
    pub(super) fn malformed(&self, operation: &'static str, subject: &str, detail: impl Into<String>) -> Error {
        self.error(Code::Malformed, operation, subject, detail)
    }
}

/// Rounds of 401 and a new answer to it in one try: a known token that is stale, and a scope that turns out to be wider.
const ROUNDS: usize = 3;

/// What asks registries: connections, places, credentials, and the clock they run by.
#[derive(Debug)]
pub(super) struct Client {
    pub auth: Auth,
    transport: Arc<Transport>,
    queue: Queue,
    notices: Notices,
    timing: Timing,
    pub limits: Limits,
    /// Nobody is asked.
    offline: bool,
}

impl Client {
    pub(super) fn new(auth: Auth, transport: Arc<Transport>, timing: Timing, limits: Limits, offline: bool) -> Client {
        let (queue, notices) = (Queue::default(), Notices::default());
        Client { auth, transport, queue, notices, timing, limits, offline }
    }

    /// Whether the network is switched off.
    pub(super) fn is_offline(&self) -> bool {
        self.offline
    }

    /// A place at a registry for more than one question; they are asked as [`Line::Seated`].
    pub(super) async fn seat(&self, endpoint: &Endpoint, line: Line) -> Place {
        self.queue.enter(endpoint.base().origin(), line).await
    }

    /// A place that nobody has or waits for, for what may be asked but need not; `None` if there is none.
    pub(super) fn spare(&self, endpoint: &Endpoint, line: Line) -> Place {
        self.queue.spare(endpoint.base().origin(), line)
    }

    /// Asks until there is an answer, or no more tries.
    pub(super) async fn exchange(&self, endpoint: &Endpoint, ask: &Ask<'_>) -> Result<Answer> {
        let mut tries = Tries::new(&self.timing);
        loop {
            match self.once(endpoint, ask).await {
                Ok(answer) => return Ok(answer),
                Err(Failed { again: Some(again), error }) => {
                    // Where there is another host, asking that one is the next try.
                    if endpoint.spare || !tries.wait(again).await {
                        return Err(error);
                    }
                }
                Err(failed) => return Err(failed.error),
            }
        }
    }

    /// One try: through redirects and challenges to an answer.
    pub(super) async fn once(&self, endpoint: &Endpoint, ask: &Ask<'_>) -> Result<Answer, Failed> {
        if self.offline {
            return Err(offline(ask.operation, ask.subject).into());
        }
        let place = self.seat(endpoint, ask.line).await;
        let Start { mut hop, mut reach } = ask.start.clone();
        if hop.own {
            hop.connection = endpoint.connection.clone();
        }
        let mut grant = self.auth.known(endpoint, ask.access());
        let (mut redirects, mut rounds) = (0, 0);
        loop {
            let host = text::authority(&hop.url);
            let turn = Turn { client: self, endpoint, ask, host, grant: grant.as_deref(), body: OnceLock::new() };
            let response = turn.send(&hop).await?;
            if hop.url.origin() == endpoint.base().origin() {
                reach = self.transport.reach(&hop.url, &response);
            }
            let sender = endpoint.sender(reach);
            let status = response.status().as_u16();
            match ask.verdict(status) {
                Verdict::Redirect => {
                    if ask.write.is_some() && !matches!(status, 307 | 308) {
                        return Err(turn
                            .malformed(&response, "a redirect that means a question")
                            .with_rule(WRITES)
                            .into());
                    }
                    redirects += 1;
                    if redirects > self.limits.redirects {
                        return Err(turn.malformed(&response, "it redirects without end").into());
                    }
                    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                    let next = admission::redirect(&sender, &hop.url, location);
                    let own = hop.own;
                    hop = next.map_err(|refused| turn.malformed(&response, refused.detail).with_rule(refused.rule))?;
                    if !own {
                        hop = hop.disowned();
                    }
                }
                verdict if hop.own && rounds < ROUNDS && asks_who(verdict, &response) => {
                    rounds += 1;
                    let challenges = challenges(&response);
                    if let Some(refused) = &grant {
                        self.auth.refused(endpoint, ask.access(), refused);
                    }
                    // Reading the rest lets the connection be used again.
                    let refusal = turn.take(response, None, (&hop, reach)).await?;
                    let question = turn.question();
                    let answered = self.auth.answer(endpoint, ask.access(), &sender, &challenges, question).await;
                    match answered.map_err(|error| turn.retold(error))? {
                        Some(new) if !is_same(&new, grant.as_deref()) => grant = Some(new),
                        _ => return Ok(refusal),
                    }
                }
                _ => return turn.take(response, place, (&hop, reach)).await,
            }
        }
    }
}

/// What a redirect of a write must be: the others make a GET of it, as browsers took them.
const WRITES: &str = "a write is redirected with 307 or 308";

fn challenges(response: &Response) -> Vec<Challenge> {
    let headers = response.headers().get_all(WWW_AUTHENTICATE);
    challenge::parse(headers.iter().filter_map(|value| value.to_str().ok()))
}

/// Whether an answer asks who we are: with a 401, or with the 403 that RFC 6750 has for a token that opens too little.
fn asks_who(verdict: Verdict, response: &Response) -> bool {
    let too_little = |challenge: &Challenge| challenge.param("error") == Some("insufficient_scope");
    verdict == Verdict::Unauthorized || (response.status() == 403 && challenges(response).iter().any(too_little))
}

/// The same header again would be refused again.
fn is_same(new: &Grant, old: Option<&Grant>) -> bool {
    old.is_some_and(|old| old.header == new.header)
}

/// One request within a try.
struct Turn<'a> {
    client: &'a Client,
    endpoint: &'a Endpoint,
    ask: &'a Ask<'a>,
    host: String,
    grant: Option<&'a Grant>,
    /// What is sent, no longer than this lasts.
    body: OnceLock<Guard>,
}

impl Turn<'_> {
    fn question(&self) -> Question<'_> {
        Question {
            operation: self.ask.operation,
            subject: self.ask.subject,
            domain: &self.endpoint.domain,
            anonymous: self.credential().is_none(),
        }
    }

    fn credential(&self) -> Option<&Arc<Credential>> {
        self.grant.and_then(|grant| grant.credential.as_ref())
    }

    async fn send(&self, hop: &Hop) -> Result<Response, Failed> {
        let mut headers = HeaderMap::new();
        headers.extend(self.ask.accept.map(|accept| (ACCEPT, HeaderValue::from_static(accept))));
        // Credentials belong to the registry's own origin.
        headers.extend(self.grant.filter(|_| hop.own).map(|grant| (AUTHORIZATION, grant.header.clone())));
        if let Some((first, last)) = self.ask.range {
            headers.extend(HeaderValue::try_from(format!("bytes={first}-{last}")).ok().map(|value| (RANGE, value)));
        }
        let (method, mut sending) = (self.ask.method(), None);
        if let Some(write) = &self.ask.write {
            headers.extend(write.headers.clone());
            sending = Some(write.payload.open().await.map_err(of_content)?);
        }
        if hop.own {
            let mut configured = self.endpoint.headers();
            headers.keys().for_each(|name| drop(configured.remove(name)));
            headers.extend(configured);
        }
        let progress = sending.as_ref().map(|sending| sending.progress.clone());
        progress.iter().for_each(|progress| drop(self.body.set(progress.guard())));
        let started = Instant::now();
        let span = tracing::trace_span!(
            target: trace::TARGET,
            "ask",
            otel.kind = "client",
            http.request.method = %method,
            server.address = text::origin(&hop.url),
            portolan.subject = self.ask.subject,
            http.response.status_code = Empty,
        );
        let sent = self.client.transport.send(hop, method, headers, sending).instrument(span.clone()).await;
        let status = sent.as_ref().map(|response| response.status().as_u16()).ok();
        span.record("http.response.status_code", status);
        tracing::debug!(%method, subject = self.ask.subject, at = text::origin(&hop.url), status, took = ?started.elapsed(), "asked");
        // Where the content could not be had, nothing is wrong with the registry, and no answer counts.
        match progress.and_then(|progress| progress.failure()) {
            Some(error) => Err(of_content(error)),
            None => sent.map_err(|fault| Failed::of(fault, self.question(), &self.host)),
        }
    }

    /// Reads what was asked for, or what a refusal says.
    async fn take(&self, response: Response, place: Place, (hop, reach): (&Hop, Reach)) -> Result<Answer, Failed> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut answer = Answer {
            status,
            headers,
            body: Bytes::new(),
            stream: None,
            credential: self.credential().cloned(),
            at: Start { hop: hop.clone(), reach },
            done: self.ask.verdict(status) == Verdict::Done,
            host: self.host.clone(),
            said: String::new(),
            secrets: self.secrets(),
        };
        if Notices::are_in(&answer.headers) {
            self.client.notices.hear(&self.host, &answer.headers, &Secret::reveal_all(&answer.secrets));
        }
        if status == 206 && self.ask.range.is_none() && self.ask.write.is_none() {
            return Err(answer.malformed(self.ask.operation, self.ask.subject, "a part, unasked").into());
        }
        match (self.ask.verdict(status), self.ask.take) {
            (Verdict::Done, Take::Head) => {
                // What a write is answered with says nothing; read, it lets the connection be used again.
                body::beginning(response, self.client.limits.control_body, self.client.timing.idle).await;
            }
            (Verdict::Done, Take::Stream) => answer.stream = Some((response, place)),
            (Verdict::Done, Take::All { limit, expect }) => {
                let verifier = expect.map(|expected| Verifier::new(&self.endpoint.repository, expected)).transpose()?;
                answer.body = self.read(response, limit, verifier).await?;
            }
            (verdict, _) => {
                let limits = &self.client.limits;
                let body = body::beginning(response, limits.control_body, self.client.timing.idle).await;
                answer.said = text::body(&body, &Secret::reveal_all(&answer.secrets));
                if verdict == Verdict::Busy {
                    return Err(self.busy(&answer));
                }
            }
        }
        Ok(answer)
    }

    /// What the host was shown: whatever it says may have it in it.
    fn secrets(&self) -> Vec<Secret> {
        let configured = self.endpoint.headers();
        let granted = self.grant.iter().flat_map(|grant| grant.secrets.iter().cloned());
        granted.chain(configured.values().filter_map(|value| value.to_str().ok()).map(Secret::new)).collect()
    }

    /// An error without what the host was shown.
    fn retold(&self, error: Error) -> Error {
        let secrets = self.secrets();
        error.retold(|text| text::clean(text, &Secret::reveal_all(&secrets)))
    }

    async fn read(&self, response: Response, limit: u64, verifier: Option<Verifier>) -> Result<Bytes, Failed> {
        let timing = &self.client.timing;
        let encoding = response.headers().get(CONTENT_ENCODING).cloned();
        let read = body::read(response, limit, timing.idle, verifier);
        match tokio::time::timeout(timing.document, read).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(Unread::Fault(fault))) => Err(Failed::of(fault, self.question(), &self.host)),
            Ok(Err(unread)) => {
                let Ask { operation, subject, .. } = *self.ask;
                Err(self
                    .retold(unread_error(unread, (operation, subject), &self.host, encoding.as_ref(), limit))
                    .into())
            }
            Err(_) => {
                let detail = format!("the document did not come within {:?}", timing.document);
                let error = Error::new(Code::Unavailable, self.ask.operation, self.ask.subject, detail);
                Err(error.with_host(&self.host).retryable().into())
            }
        }
    }

    fn busy(&self, answer: &Answer) -> Failed {
        let asked = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let asked = asked.and_then(|value| retry_after::parse(value, SystemTime::now()));
        let mut error = answer.refusal(self.endpoint, self.ask.operation, self.ask.subject);
        if let Some(asked) = asked {
            error = error.with_retry_after(asked);
        }
        Failed { error, again: Some(Again::busy(asked)) }
    }

    fn malformed(&self, response: &Response, detail: impl Into<String>) -> Error {
        let error = Error::new(Code::Malformed, self.ask.operation, self.ask.subject, detail);
        self.retold(error.with_host(&self.host).with_status(response.status().as_u16()))
    }
}

/// The error of a question while the network is switched off.
pub(super) fn offline(operation: &'static str, subject: &str) -> Error {
    Error::new(Code::Offline, operation, subject, "the network is switched off, and it was not seen before")
        .with_hint("without --offline it is asked for")
}

/// The failure of content that is to be sent. What is wrong with it now is wrong with it the next time.
pub(super) fn of_content(error: Error) -> Failed {
    let again = error.is_retryable().then_some(Again { cause: Cause::Broken, asked: None });
    Failed { error, again }
}

/// The error of a body that is not what was asked for. Nothing is ever decoded: the digest is that of the bytes as they
/// come, so an encoding shows as a mismatch, and the hint says why.
pub(super) fn unread_error(
    unread: Unread,
    question: (&'static str, &str),
    host: &str,
    encoding: Option<&HeaderValue>,
    limit: u64,
) -> Error {
    let (operation, subject) = question;
    match unread {
        Unread::Fault(fault) => fault_error(fault, operation, subject, host),
        Unread::TooLarge => {
            let detail = format!("the answer is larger than {limit} bytes");
            Error::new(Code::TooLarge, operation, subject, detail).with_host(host)
        }
        Unread::Differs(error) => match encoding.and_then(|value| value.to_str().ok()) {
            Some(encoding) if !encoding.eq_ignore_ascii_case("identity") => {
                let encoding = text::clean(encoding, &[]);
                error
                    .with_host(host)
                    .with_hint(format!("the registry sent it with Content-Encoding {encoding}, unasked"))
            }
            _ => error.with_host(host),
        },
    }
}

/// The names of headers that only registries know.
pub(super) const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

//! The token server: a short conversation with a host that the registry chose, so every word of it is bounded and nothing
//! of it is shown.
//!
//! <https://distribution.github.io/distribution/spec/auth/token/> and `…/oauth/`.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use portolan_oci::registry::retry_after;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::Serializer;

use super::{Auth, basic, secret_header};
use crate::error::{Code, Error, Result};
use crate::source::registry::admission::{self, Hop, Sender};
use crate::source::registry::body::{self, Unread};
use crate::source::registry::classify::{Question, Verdict, refusal};
use crate::source::registry::credentials::{Credential, Secret};
use crate::source::registry::failed::Failed;
use crate::source::registry::retry::{Again, Tries};
use crate::source::registry::text;

/// What a token is for. Another credential never gets the token of this one, and nobody that of who writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TokenKey {
    pub registry: url::Origin,
    pub realm: Url,
    pub service: Option<String>,
    pub scopes: Vec<String>,
    pub credential: Option<Arc<Credential>>,
    pub writer: u64,
}

/// A bearer token while it lasts.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub header: HeaderValue,
    pub secret: Secret,
    until: Instant,
}

impl Token {
    pub(super) fn lasts(&self) -> bool {
        Instant::now() < self.until
    }
}

/// Where the server does not say, and the least that it may say: the specification's minimum.
const LIFE: Duration = Duration::from_secs(60);
/// No token is trusted to be known for longer.
const LIFE_MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// A token is not used in its last seconds: it has to last until the registry looks at it.
const MARGIN: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
}

/// One way of asking.
enum Form {
    Get(Option<HeaderValue>),
    Post(String),
}

impl Auth {
    /// Asks the token server at `hop`, as the specification's GET or, for an identity token, by OAuth2.
    pub(super) async fn ask(
        &self,
        key: &TokenKey,
        hop: Hop,
        sender: &Sender<'_>,
        question: Question<'_>,
    ) -> Result<Token> {
        let credential = key.credential.as_deref();
        let header = credential.and_then(basic).map(|(header, _)| header);
        let conversation = Conversation { auth: self, key, sender, question };
        if let Some(Credential::Identity { token, .. }) = credential {
            match conversation.repeat(&hop, &Form::Post(oauth_form(key, token))).await {
                // Google's and Artifactory's older servers have no OAuth2: <https://github.com/containerd/containerd/pull/1434>
                Err(error) if matches!(error.status(), Some(404 | 405)) => {}
                done => return done,
            }
        }
        conversation.repeat(&hop, &Form::Get(header)).await
    }
}

struct Conversation<'a> {
    auth: &'a Auth,
    key: &'a TokenKey,
    sender: &'a Sender<'a>,
    question: Question<'a>,
}

impl Conversation<'_> {
    async fn repeat(&self, hop: &Hop, form: &Form) -> Result<Token> {
        let mut tries = Tries::new(&self.auth.timing);
        loop {
            match self.once(hop.clone(), form).await {
                Ok(token) => return Ok(token),
                Err(Failed { again: Some(again), error }) => {
                    if !tries.wait(again).await {
                        return Err(error);
                    }
                }
                Err(failed) => return Err(failed.error),
            }
        }
    }

    async fn once(&self, mut hop: Hop, form: &Form) -> Result<Token, Failed> {
        if matches!(form, Form::Get(_)) {
            hop.url = self.with_query(&hop.url);
        }
        for _ in 0..=self.auth.redirects {
            let response = self.send(&hop, form).await?;
            let status = response.status().as_u16();
            match Verdict::of(status) {
                Verdict::Done => return self.read(&hop.url, response).await,
                Verdict::Redirect if matches!(form, Form::Get(_)) => {
                    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                    let next = admission::realm_redirect(self.sender, &hop.url, location);
                    let own = hop.own;
                    hop = next.map_err(|refused| self.malformed(&hop.url, refused.detail).with_rule(refused.rule))?;
                    // Once a redirect has left the token server, nothing is shown again on the way.
                    if !own {
                        hop = hop.disowned();
                    }
                }
                verdict => return Err(self.refused(&hop.url, verdict, status, response).await),
            }
        }
        Err(self.malformed(&hop.url, "the token server redirects without end").into())
    }

    async fn send(&self, hop: &Hop, form: &Form) -> Result<Response, Failed> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let (method, body) = match form {
            Form::Get(authorization) => {
                headers.extend(authorization.clone().filter(|_| hop.own).map(|value| (AUTHORIZATION, value)));
                (Method::GET, None)
            }
            Form::Post(body) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
                (Method::POST, Some(Bytes::from(body.clone()).into()))
            }
        };
        tracing::debug!(%method, at = text::origin(&hop.url), "ask for a token");
        let sent = self.auth.transport.send(hop, &method, headers, body).await;
        sent.map_err(|fault| Failed::of(fault, self.question, &text::authority(&hop.url)))
    }

    /// The realm's own query stays; ours is added.
    fn with_query(&self, realm: &Url) -> Url {
        let mut url = realm.clone();
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = &self.key.service {
                query.append_pair("service", service);
            }
            for scope in &self.key.scopes {
                query.append_pair("scope", scope);
            }
            if let Some(Credential::Password { user, .. }) = self.key.credential.as_deref() {
                query.append_pair("account", user);
            }
        }
        url
    }

    async fn read(&self, url: &Url, response: Response) -> Result<Token, Failed> {
        let timing = &self.auth.timing;
        let read = tokio::time::timeout(timing.document, body::read(response, self.auth.body, timing.idle, None)).await;
        let body = match read {
            Ok(Ok(body)) => body,
            Ok(Err(Unread::Fault(fault))) => return Err(Failed::of(fault, self.question, &text::authority(url))),
            Ok(Err(Unread::TooLarge | Unread::Differs(_))) => {
                return Err(self.malformed(url, "the token is larger than any token").into());
            }
            Err(_) => return Err(self.malformed(url, "the token takes too long").into()),
        };
        token(&body, Instant::now()).map_err(|detail| self.malformed(url, detail).into())
    }

    async fn refused(&self, url: &Url, verdict: Verdict, status: u16, response: Response) -> Failed {
        let header = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
        let asked = header(RETRY_AFTER).and_then(|value| retry_after::parse(value, SystemTime::now()));
        let body = body::beginning(response, self.auth.body, self.auth.timing.idle).await;
        let credential = self.key.credential.as_deref();
        let question = Question { anonymous: credential.is_none(), ..self.question };
        let said = text::body(&body, &Secret::reveal_all(&self.secrets()));
        let error = match status {
            // It is the token server that is not there; of the image that says nothing.
            404 => self.malformed(url, format!("no token: {said}")).with_status(status),
            _ => refusal(question, &text::authority(url), status, &format!("no token: {said}")),
        };
        let again = (verdict == Verdict::Busy).then(|| Again::busy(asked));
        Failed { error, again }
    }

    /// What the token server was shown.
    fn secrets(&self) -> Vec<Secret> {
        let credential = self.key.credential.as_deref();
        let encoded = credential.and_then(basic).map(|(_, encoded)| encoded);
        credential.map(|credential| credential.secret().clone()).into_iter().chain(encoded).collect()
    }

    fn malformed(&self, url: &Url, detail: impl Into<String>) -> Error {
        let detail = text::clean(&detail.into(), &Secret::reveal_all(&self.secrets()));
        Error::new(Code::Malformed, self.question.operation, self.question.subject, detail)
            .with_host(text::authority(url))
    }
}

fn oauth_form(key: &TokenKey, token: &Secret) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token").append_pair("client_id", "portolan");
    if let Some(service) = &key.service {
        form.append_pair("service", service);
    }
    form.append_pair("scope", &key.scopes.join(" ")).append_pair("refresh_token", token.reveal());
    form.finish()
}

/// Reads a token; the message never quotes it.
fn token(sent: &[u8], now: Instant) -> Result<Token, String> {
    let said: Said = body::object(sent).map_err(|_| "what the token server sent is no token".to_owned())?;
    let tokens = [said.token, said.access_token];
    let text = tokens.into_iter().flatten().find(|token| !token.is_empty()).ok_or("the token server sent no token")?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the token server sent a token with characters that no token has".to_owned());
    }
    let header = secret_header("Bearer", &text).ok_or("the token does not fit into a header")?;
    let life = said.expires_in.and_then(|value| value.as_u64()).map_or(LIFE, Duration::from_secs);
    let life = life.clamp(LIFE, LIFE_MOST).saturating_sub(MARGIN);
    Ok(Token { header, secret: Secret::new(text), until: now + life })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let now = Instant::now();
        for (body, expected) in [
            (r#"{"token":"t"}"#, Ok(("t", 50))),
            (r#"{"access_token":"t"}"#, Ok(("t", 50))),
            (r#"{"token":"","access_token":"t"}"#, Ok(("t", 50))),
            (r#"{"token":"t","access_token":"u","expires_in":300}"#, Ok(("t", 290))),
            (r#"{"token":"t","expires_in":0}"#, Ok(("t", 50))),
            (r#"{"token":"t","expires_in":-5}"#, Ok(("t", 50))),
            (r#"{"token":"t","expires_in":9223372036854775808}"#, Ok(("t", 86390))),
            (r#"{"token":"t","expires_in":1e400}"#, Err("what the token server sent is no token")),
            (r#"{"token":"t","expires_in":"300"}"#, Ok(("t", 50))),
            (r#"{"token":"t","expires_in":null,"issued_at":"never"}"#, Ok(("t", 50))),
            ("", Err("what the token server sent is no token")),
            ("<html>", Err("what the token server sent is no token")),
            (r#"["t"]"#, Err("what the token server sent is no token")),
            ("[1]", Err("what the token server sent is no token")),
            ("{}", Err("the token server sent no token")),
            (r#"{"token":null}"#, Err("the token server sent no token")),
            (r#"{"token":7}"#, Err("what the token server sent is no token")),
            (r#"{"token":"a\nb"}"#, Err("the token server sent a token with characters that no token has")),
            (r#"{"token":"a b"}"#, Err("the token server sent a token with characters that no token has")),
            (r#"{"token":"ä"}"#, Err("the token server sent a token with characters that no token has")),
        ] {
            let found = token(body.as_bytes(), now).map(|token| (token.secret, (token.until - now).as_secs()));
            let expected = expected.map(|(text, life)| (Secret::new(text), life)).map_err(str::to_owned);
            assert_eq!(found, expected, "{body}");
        }
    }

    #[test]
    fn a_token_does_not_show() {
        let token = token(br#"{"token":"hunter2"}"#, Instant::now()).unwrap();
        assert!(!format!("{token:?}").contains("hunter2"));
    }
}

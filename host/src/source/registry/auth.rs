//! Who asks: what is shown to a registry that answered 401, and kept for the next question.
//!
//! Credentials and tokens belong to the origin of the registry they were made for; they are handed out for nothing else.
//! How a token server is spoken to is in `token`.

mod access;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;

pub(super) use self::access::{Access, READ};
use self::token::{Token, TokenKey};
use super::Timing;
use super::admission::{self, Sender};
use super::classify::Question;
use super::credentials::{Credential, Keyring, Place, Secret};
use super::endpoint::Endpoint;
use super::flights::Flights;
use super::transport::Transport;
use crate::error::{Code, Error, Result};
use portolan_oci::registry::challenge::Challenge;

/// What opens a repository: a header, and whose it is.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub header: HeaderValue,
    /// `None` for a token that anybody gets.
    pub credential: Option<Arc<Credential>>,
    /// Texts that must not turn up in an error.
    pub secrets: Vec<Secret>,
    token: Option<TokenKey>,
}

/// More repositories and tokens than one process works with at a time; beyond that everything is asked for anew.
const KEPT: usize = 10_000;

/// A repository at a registry, and what is wanted there.
type Door = (url::Origin, String, Access);

/// Grants and tokens of this process.
#[derive(Debug)]
pub(super) struct Auth {
    keyring: Keyring,
    transport: Arc<Transport>,
    timing: Timing,
    body: u64,
    redirects: usize,
    grants: Mutex<HashMap<Door, Arc<Grant>>>,
    tokens: Mutex<HashMap<TokenKey, Token>>,
    asking: Flights<TokenKey, Result<Token>>,
}

impl Auth {
    pub(super) fn new(keyring: Keyring, transport: Arc<Transport>, timing: Timing, limits: &crate::Limits) -> Auth {
        Auth {
            keyring,
            transport,
            timing,
            body: limits.control_body,
            redirects: limits.redirects,
            grants: Mutex::default(),
            tokens: Mutex::default(),
            asking: Flights::default(),
        }
    }

    /// What opened this repository for this the last time, while it lasts.
    pub(super) fn known(&self, endpoint: &Endpoint, access: &Access) -> Option<Arc<Grant>> {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        let mut look = |access: &Access| {
            let key = key(endpoint, access);
            let grant = Arc::clone(grants.get(&key)?);
            let lasts = grant.token.as_ref().is_none_or(|token| self.lasting(token).is_some());
            if !lasts {
                grants.remove(&key);
            }
            lasts.then_some(grant)
        };
        // A token that lets us read would be shown in vain for a push; a password is the same for everything.
        look(access).or_else(|| look(&READ).filter(|grant| grant.token.is_none()))
    }

    /// The credentials that this repository would be shown.
    pub(super) async fn credential(&self, endpoint: &Endpoint) -> Result<Option<Arc<Credential>>, String> {
        self.keyring.find(&endpoint.domain, &endpoint.account).await
    }

    /// Where these are kept, without asking for them.
    pub(super) async fn place(&self, domain: &str, repository: &str) -> Result<Option<Place>, String> {
        self.keyring.place(domain, repository).await
    }

    /// Forgets a grant that the registry did not take.
    pub(super) fn refused(&self, endpoint: &Endpoint, access: &Access, grant: &Grant) {
        let access = if grant.token.is_some() { access } else { &READ };
        self.grants.lock().unwrap_or_else(PoisonError::into_inner).remove(&key(endpoint, access));
        if let Some(token) = &grant.token {
            self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
        }
    }

    /// Forgets what a piece of writing was let in with.
    pub(super) fn ended(&self, access: &Access) {
        let writer = access.writer();
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        grants.retain(|(_, _, access), _| access.writer() != writer);
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| key.writer != writer);
    }

    /// Answers the challenges of a 401; `None` if we have nothing that any of them takes.
    pub(super) async fn answer(
        &self,
        endpoint: &Endpoint,
        access: &Access,
        sender: &Sender<'_>,
        challenges: &[Challenge],
        question: Question<'_>,
    ) -> Result<Option<Arc<Grant>>> {
        let credential = self.credential(endpoint).await.map_err(|detail| unreadable(question, detail))?;
        let scheme = |name: &str| challenges.iter().find(|challenge| challenge.scheme == name);
        let grant = match (scheme("bearer"), scheme("basic"), credential) {
            (Some(_), _, Some(credential)) if matches!(&*credential, Credential::Bearer(_)) => bearer(credential),
            (Some(challenge), _, credential) => {
                Some(self.token(endpoint, access, sender, challenge, credential, question).await?)
            }
            (None, Some(_), Some(credential)) => basic(&credential).map(|(header, secret)| Grant {
                header,
                secrets: vec![credential.secret().clone(), secret],
                credential: Some(credential),
                token: None,
            }),
            (None, _, _) => None,
        };
        let Some(grant) = grant.map(Arc::new) else { return Ok(None) };
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        if grants.len() >= KEPT {
            grants.clear();
        }
        let access = if grant.token.is_some() { access } else { &READ };
        grants.insert(key(endpoint, access), Arc::clone(&grant));
        Ok(Some(grant))
    }

    /// A token for what the challenge asks, known or new.
    async fn token(
        &self,
        endpoint: &Endpoint,
        access: &Access,
        sender: &Sender<'_>,
        challenge: &Challenge,
        credential: Option<Arc<Credential>>,
        question: Question<'_>,
    ) -> Result<Grant> {
        let broken = |detail: String, rule| {
            let error = Error::new(Code::Malformed, question.operation, question.subject, detail);
            error.with_host(endpoint.host()).with_status(401).with_rule(rule)
        };
        let realm = challenge.param("realm").unwrap_or_default();
        let hop = admission::realm(sender, realm).map_err(|refused| broken(refused.detail, refused.rule))?;
        let key = TokenKey {
            registry: endpoint.base().origin(),
            realm: hop.url.clone(),
            service: challenge.param("service").map(str::to_owned),
            scopes: access.scopes(&endpoint.path, challenge.scopes()),
            credential: credential.clone(),
            writer: access.writer(),
        };
        let token = match self.lasting(&key) {
            Some(token) => token,
            None => self.asking.join(key.clone(), self.ask_and_keep(&key, hop, sender, question)).await?,
        };
        let mut secrets = vec![token.secret.clone()];
        secrets.extend(credential.iter().map(|credential| credential.secret().clone()));
        Ok(Grant { header: token.header, credential, secrets, token: Some(key) })
    }

    async fn ask_and_keep(
        &self,
        key: &TokenKey,
        hop: admission::Hop,
        sender: &Sender<'_>,
        question: Question<'_>,
    ) -> Result<Token> {
        let token = self.ask(key, hop, sender, question).await?;
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= KEPT {
            tokens.clear();
        }
        tokens.insert(key.clone(), token.clone());
        Ok(token)
    }

    fn lasting(&self, key: &TokenKey) -> Option<Token> {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(key).filter(|token| token.lasts()).cloned()
    }
}

fn key(endpoint: &Endpoint, access: &Access) -> Door {
    (endpoint.base().origin(), endpoint.path.clone(), access.clone())
}

fn unreadable(question: Question<'_>, detail: String) -> Error {
    Error::new(Code::Unauthorized, question.operation, question.subject, format!("no credentials: {detail}"))
        .with_hint("repair that file, log in again, or take the entry out to go on without credentials")
}

fn bearer(credential: Arc<Credential>) -> Option<Grant> {
    let header = secret_header("Bearer", credential.secret().reveal())?;
    Some(Grant { header, secrets: vec![credential.secret().clone()], credential: Some(credential), token: None })
}

/// `Basic` for whoever has something like a password, with the encoded text, which is as secret.
fn basic(credential: &Credential) -> Option<(HeaderValue, Secret)> {
    let user = match credential {
        Credential::Password { user, .. } => user,
        // What docker sends in the place of a user.
        Credential::Identity { user, .. } if user.is_empty() => "<token>",
        Credential::Identity { user, .. } => user,
        Credential::Bearer(_) => return None,
    };
    let encoded = STANDARD.encode(format!("{user}:{}", credential.secret().reveal()));
    Some((secret_header("Basic", &encoded)?, Secret::new(encoded)))
}

/// A header that logs show as `Sensitive`; none if the secret cannot be in a header.
fn secret_header(scheme: &str, secret: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(&format!("{scheme} {secret}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

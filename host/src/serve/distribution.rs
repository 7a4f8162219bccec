//! The distribution API (OCI distribution specification 1.1), as registry clients speak it, over the gateway.
//!
//! A repository is named by `?ns=HOST`, as containerd does it for a mirror; else by its path, whose first part is a host
//! (`/v2/docker.io/library/alpine/…`); else it is one of the registry that the gateway stands in front of.
//!
//! `path` knows what is asked, `pull` and `push` answer it, `reply` is what answers look like.

mod path;
mod pull;
mod push;
mod reply;

use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use portolan_oci::Reference;

use self::path::{Asked, What};
pub(super) use self::pull::most;
pub(super) use self::push::Uploads;
pub(super) use self::reply::{Body, Error, refused};
use super::caller::Caller;
use super::gateway::Gateway;
use super::problem::{Problem, Result};
use crate::error::Code;

/// This door.
pub(super) struct Distribution {
    gateway: Arc<Gateway>,
    /// The registry of names that say none.
    upstream: Option<String>,
    uploads: Uploads,
}

/// An answer, and what was asked, for who counts.
pub(super) type Answered = (&'static str, Response<Body>);

impl Distribution {
    pub(super) fn new(gateway: Arc<Gateway>, upstream: Option<String>, uploads: Uploads) -> Self {
        Distribution { gateway, upstream, uploads }
    }

    /// Lets uploads go that nobody goes on with.
    pub(super) fn tidy(&self) {
        self.uploads.tidy();
    }

    /// Whether the path is of this door.
    pub(super) fn serves(path: &str) -> bool {
        path == "/v2" || path.starts_with("/v2/")
    }

    /// The answer.
    pub(super) async fn answer(
        &self,
        caller: Option<Caller>,
        challenges: bool,
        request: Request<Incoming>,
    ) -> Answered {
        let head = request.method() == Method::HEAD;
        let asked = path::parse(request.uri().path(), request.uri().query());
        let operation = asked.as_ref().map_or("unknown", |asked| asked.what.operation());
        let Some(caller) = caller else {
            return (operation, reply::unauthorized("nobody is known by what was shown", challenges));
        };
        let answer = match asked {
            Ok(asked) => self.asked(&caller, challenges, asked, request).await,
            Err(problem) => Err(problem),
        };
        let anonymous = caller.name.is_none();
        let answer = answer.unwrap_or_else(|problem| match problem.code {
            // Who showed nothing may be somebody who may.
            Code::Denied if anonymous && challenges => reply::unauthorized(&problem.message, true),
            _ => reply::problem(operation, &problem),
        });
        (operation, if head { answer.map(|_| reply::nothing()) } else { answer })
    }

    async fn asked(
        &self,
        caller: &Caller,
        challenges: bool,
        asked: Asked,
        request: Request<Incoming>,
    ) -> Result<Response<Body>> {
        let reference = match &asked.name {
            Some(name) => self.reference(name, asked.namespace.as_deref())?,
            // Docker asks this first, and takes 401 for a hint to show its password.
            None => {
                let nothing = caller.grants.pulls().next().is_none() && caller.grants.pushes().next().is_none();
                return match caller.name.is_none() && nothing && challenges {
                    true => Ok(reply::unauthorized("who calls has to say who they are", true)),
                    false => Ok(reply::welcome()),
                };
            }
        };
        let (gateway, method) = (&self.gateway, request.method().clone());
        match (asked.what, method) {
            (What::Manifest(target), Method::GET | Method::HEAD) => {
                pull::manifest(gateway, caller, &reference, &target, request.method() == Method::HEAD).await
            }
            (What::Blob(digest), Method::GET | Method::HEAD) => {
                pull::blob(gateway, caller, &reference, &digest, &request).await
            }
            (What::Tags { last, most }, Method::GET) => {
                pull::tags(gateway, caller, &reference, asked.own.name(), request.uri(), last.as_deref(), most).await
            }
            (What::Referrers { digest, artifact_type }, Method::GET) => {
                pull::referrers(gateway, caller, &reference, &digest, artifact_type.as_deref()).await
            }
            (What::Manifest(target), Method::PUT) => {
                push::manifest(gateway, &self.uploads, caller, &reference, &asked.own, &target, request).await
            }
            (What::Uploads(started), Method::POST) => {
                push::start(gateway, &self.uploads, caller, &reference, &asked.own, started, request).await
            }
            (What::Upload { id, digest }, method) => {
                let at = push::At { uploads: &self.uploads, reference: &reference, own: &asked.own, id: &id };
                push::go_on(gateway, caller, at, digest, method, request).await
            }
            (_, method) => {
                let message = format!("{method} is not among what this gateway answers there");
                Err(Problem::new(Code::Unsupported, reference.repository(), message))
            }
        }
    }

    /// What repository a name means.
    fn reference(&self, name: &str, namespace: Option<&str>) -> Result<Reference> {
        let first = name.split('/').next().unwrap_or_default();
        let named = first.contains(['.', ':']) || first == "localhost";
        let full = match (namespace, &self.upstream) {
            (Some(namespace), _) => format!("{namespace}/{name}"),
            (None, _) if named => name.to_owned(),
            (None, Some(upstream)) => format!("{upstream}/{name}"),
            (None, None) => {
                let message = format!("{name} names no registry, and this gateway stands in front of none");
                return Err(Problem::new(Code::NotFound, name, message)
                    .hint("write HOST/NAME, ask with ?ns=HOST, or start the gateway with `--upstream HOST`"));
            }
        };
        super::gateway::repository(&full)
    }
}

/// What is no path of any door.
pub(super) fn nowhere(path: &str) -> Response<Body> {
    let message = format!("there is nothing at {}", crate::text::line(path));
    let mut answer = reply::problem("unknown", &Problem::new(Code::NotFound, path, message));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
}

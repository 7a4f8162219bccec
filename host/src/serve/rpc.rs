//! The gateway over gRPC: `proto/portolan/v1/gateway.proto`, with health and reflection beside it.
//!
//! `proto` is what is generated of it, `service` answers the calls, `status` is how failures look.

pub(super) mod proto;
mod service;
mod status;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body as Reply;
use tonic::codegen::Service as _;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;
use tonic_reflection::server::v1::{ServerReflection, ServerReflectionServer};

use self::proto::gateway_server::GatewayServer;
use self::service::Service;
use super::caller::Caller;
use super::distribution::Body;
use super::gateway::Gateway;
use super::patient::asked;

/// This door.
pub(super) struct Rpc {
    gateway: GatewayServer<Service>,
    health: Box<dyn Answers>,
    reporter: HealthReporter,
    reflection: Box<dyn Answers>,
    /// How long a caller may pause.
    idle: Duration,
}

/// A service whose type its crate keeps to itself.
trait Answers: Send + Sync {
    fn answer(&self, request: Request<Body>) -> BoxFuture<'static, Response<Reply>>;
}

impl<T: ServerReflection> Answers for ServerReflectionServer<T> {
    fn answer(&self, request: Request<Body>) -> BoxFuture<'static, Response<Reply>> {
        let mut server = self.clone();
        async move { server.call(request).await.unwrap_or_else(|never| match never {}) }.boxed()
    }
}

impl<T: Health> Answers for HealthServer<T> {
    fn answer(&self, request: Request<Body>) -> BoxFuture<'static, Response<Reply>> {
        let mut server = self.clone();
        async move { server.call(request).await.unwrap_or_else(|never| match never {}) }.boxed()
    }
}

impl Rpc {
    /// What is pushed is gathered on the disk of `folder`, and no more than `most` bytes of it.
    pub(super) async fn new(gateway: Arc<Gateway>, folder: PathBuf, most: u64, idle: Duration) -> Result<Self, String> {
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_serving::<GatewayServer<Service>>().await;
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1()
            .map_err(|error| error.to_string())?;
        Ok(Rpc {
            gateway: GatewayServer::new(Service { gateway, folder, most, idle }),
            health: Box::new(health),
            reporter,
            reflection: Box::new(reflection),
            idle,
        })
    }

    /// Says from now on that it is not to be asked.
    pub(super) async fn end(&self) {
        self.reporter.set_not_serving::<GatewayServer<Service>>().await;
        // Which is how all of it is asked for.
        self.reporter.set_service_status("", ServingStatus::NotServing).await;
    }

    /// The answer, and what was asked.
    pub(super) async fn answer(
        &self,
        caller: Option<Caller>,
        mut request: Request<Incoming>,
    ) -> (&'static str, Response<Body>) {
        let path = request.uri().path().to_owned();
        let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
        let (operation, answer) = match service {
            "portolan.v1.Gateway" => {
                let operation = METHODS.into_iter().find(|known| *known == method).unwrap_or("unknown");
                let answer = match caller {
                    Some(caller) => {
                        request.extensions_mut().insert(caller);
                        // Only who pushes has more to say than one message.
                        let request = request.map(|body| asked(body, self.idle, method != "Push"));
                        let mut gateway = self.gateway.clone();
                        gateway.call(request).await.unwrap_or_else(|never| match never {})
                    }
                    None => Status::unauthenticated("nobody is known by what was shown").into_http(),
                };
                (operation, answer)
            }
            "grpc.health.v1.Health" => {
                ("health", self.health.answer(request.map(|body| asked(body, self.idle, true))).await)
            }
            "grpc.reflection.v1.ServerReflection" => {
                ("reflection", self.reflection.answer(request.map(|body| asked(body, self.idle, false))).await)
            }
            _ => ("unknown", Status::unimplemented(format!("there is no service {service:?} here")).into_http()),
        };
        (operation, answer.map(|body| body.map_err(Into::into).boxed_unsync()))
    }
}

/// How a call that was answered ended, for who counts: `OK` where that shows at its end.
pub(super) fn status_of(headers: &http::HeaderMap) -> &'static str {
    let said = headers.get("grpc-status").and_then(|said| said.to_str().ok()?.parse::<usize>().ok());
    STATUSES.get(said.unwrap_or(0)).copied().unwrap_or("UNKNOWN")
}

/// By their numbers.
const STATUSES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The methods, for who counts.
const METHODS: [&str; 7] = ["Resolve", "Fetch", "Push", "ResolveImage", "Run", "ListTags", "Referrers"];

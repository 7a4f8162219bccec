//! The span of a request, below that of who asks, where they say so (W3C Trace Context, `traceparent`).

use http::{HeaderMap, Request};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::trace::TARGET;

/// See the module.
pub(super) fn of<B>(request: &Request<B>) -> Span {
    let span = tracing::trace_span!(
        target: TARGET,
        "request",
        otel.kind = "server",
        http.request.method = request.method().as_str(),
        url.path = request.uri().path(),
        portolan.caller = Empty,
        http.response.status_code = Empty,
    );
    if !span.is_disabled() {
        let theirs = TraceContextPropagator::new().extract(&Headers(request.headers()));
        // Where nobody collects spans for OpenTelemetry, nobody wants to know either.
        let _ = span.set_parent(theirs);
    }
    span
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

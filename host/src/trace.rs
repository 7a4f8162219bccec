//! Spans: what is under way, for whoever collects them.
//!
//! | span | fields |
//! |---|---|
//! | `run`, of a frontend | `portolan.frontend`, `error.type` |
//! | `ask`, a request to a registry | `http.request.method`, `server.address`, `portolan.subject`, `http.response.status_code` |
//! | `request`, to a gateway | `http.request.method`, `url.path`, `portolan.caller`, `http.response.status_code` |
//! | `get`, of content for a gateway's cache | `portolan.repository`, `portolan.digest`, `portolan.cached` |
//!
//! Their names are OpenTelemetry's where it has some. No secret is in them, and nothing of what a registry or a guest said.

/// The target of all of them. Their level is TRACE, so that a log does not have them unless it has everything.
pub const TARGET: &str = "portolan::trace";

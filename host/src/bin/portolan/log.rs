//! The log: what guests and the library have to say, on stderr. Warnings and errors, or from the level that `PORTOLAN_LOG`
//! names (error, warn, info, debug, trace).

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::progress::Screen;

/// Begins it.
pub fn begin(screen: Screen) {
    tracing_subscriber::registry().with(level()).with(layer(screen)).init();
}

/// From which level on things are said.
pub fn level() -> LevelFilter {
    std::env::var("PORTOLAN_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::WARN)
}

/// How they are said.
pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(screen: Screen) -> impl Layer<S> {
    tracing_subscriber::fmt::layer()
        .with_writer(screen)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        // It would say so on stderr, which is what failed.
        .log_internal_errors(false)
}

//! What `serve` says of itself: a log on stderr as every command, and traces where they are wanted (OTLP over gRPC).

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::exit::{Exit, say};
use crate::log;
use crate::progress::Screen;

/// How long the last spans may take on their way.
const LAST: Duration = Duration::from_secs(5);

/// Who sends traces, if anybody does.
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// The log, and traces to a collector, a URL. What else there is to say of them is said by OpenTelemetry's variables:
    /// `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`.
    pub fn begin(screen: Screen, collector: Option<&str>) -> Result<Traces, Exit> {
        let log = log::layer(screen).with_filter(log::level());
        let provider = collector.map(provider).transpose()?;
        let spans = provider.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("portolan"))
                .with_location(false)
                .with_threads(false)
                .with_filter(Targets::new().with_target(portolan::trace::TARGET, LevelFilter::TRACE))
        });
        tracing_subscriber::registry().with(log).with(spans).init();
        Ok(Traces(provider))
    }

    /// Sends what was not sent yet.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(LAST)).await;
        if let Ok(Err(error)) = ended {
            say(&format!("the last traces did not arrive: {error}"));
        }
    }
}

fn provider(collector: &str) -> Result<SdkTracerProvider, Exit> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(collector).build().map_err(|error| {
        Exit::usage(format!("--traces {collector}: {error}"))
            .hint("the URL of a collector that takes OTLP over gRPC is meant, such as http://127.0.0.1:4317")
    })?;
    let mut resource = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name("portolan");
    }
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build())
}

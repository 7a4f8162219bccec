//! A collector of traces that takes OTLP over gRPC and prints what comes: the OpenTelemetry collector's own parts, put
//! together in `tests/tools/otelcol`. `tests/install-go-servers.sh` builds it.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::server::{Server, program};

/// The longest that anything here waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// One that runs.
pub struct Collector {
    server: Server,
    folder: TempDir,
}

/// A span, as it is printed.
#[derive(Debug, Clone, Default)]
pub struct Span {
    /// What it is of.
    pub name: String,
    /// In hexadecimal, as the next two.
    pub trace: String,
    /// Its own.
    pub id: String,
    /// Empty where it has none.
    pub parent: String,
    /// `Server`, `Client`, `Internal`.
    pub kind: String,
    /// Names and values.
    pub attributes: Vec<(String, String)>,
}

impl Span {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Collector {
    /// Starts one.
    pub fn start() -> Collector {
        let folder = tempfile::tempdir().expect("a folder for what it prints");
        let server = Server::launch("which `make servers` builds", |port| {
            let said = folder.path().join("said");
            let config = format!(
                "yaml:{{receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{port}'}}}}}}}}, \
                 exporters: {{debug: {{verbosity: detailed}}}}, service: {{telemetry: {{metrics: {{level: none}}, \
                 logs: {{output_paths: ['{}']}}}}, pipelines: {{traces: {{receivers: [otlp], exporters: [debug]}}}}}}}}",
                said.display()
            );
            let mut command = program("otelcol");
            command.arg(format!("--config={config}"));
            command
        });
        Collector { server, folder }
    }

    /// Where it takes traces.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.host())
    }

    /// What it has of the service and of all spans so far, once there are so many of this name.
    ///
    /// # Panics
    /// Where they do not come.
    pub fn spans(&self, name: &str, count: usize) -> Vec<Span> {
        let until = Instant::now() + PATIENCE;
        loop {
            let said = fs::read_to_string(self.folder.path().join("said")).unwrap_or_default();
            let spans = read(&said);
            if spans.iter().filter(|span| span.name == name).count() >= count {
                return spans;
            }
            assert!(Instant::now() < until, "no {count} spans {name:?} came:\n{said}");
            sleep(Duration::from_millis(50));
        }
    }

    /// All that it printed.
    pub fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("said")).unwrap_or_default()
    }
}

/// Reads what the collector's `debug` prints: `Span #0`, then lines `    Name           : request`, then
/// `     -> url.path: Str(/v2/)`.
fn read(said: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut span: Option<Span> = None;
    for line in said.lines() {
        let line = line.trim();
        if line.starts_with("Span #") || line.starts_with("ResourceSpans #") || line.starts_with('{') {
            spans.extend(span.take());
            if line.starts_with("Span #") {
                span = Some(Span::default());
            }
            continue;
        }
        let Some(span) = &mut span else { continue };
        if let Some((name, value)) = line.strip_prefix("-> ").and_then(|line| line.split_once(": ")) {
            let value = value.split_once('(').map_or(value, |(_, value)| value.trim_end_matches(')'));
            span.attributes.push((name.to_owned(), value.to_owned()));
        } else if let Some((name, value)) = line.split_once(':') {
            let value = value.trim().to_owned();
            match name.trim() {
                "Name" => span.name = value,
                "Trace ID" => span.trace = value,
                "ID" => span.id = value,
                "Parent ID" => span.parent = value,
                "Kind" => span.kind = value,
                _ => {}
            }
        }
    }
    spans.extend(span);
    spans
}

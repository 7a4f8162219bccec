//! What is counted, as Prometheus reads it.
//!
//! Labels are a door's name, an operation's and a status: nothing that a caller can make up.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the durations' buckets, in seconds.
const BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    requests: Mutex<BTreeMap<Asked, Tally>>,
    pub(super) connections: AtomicI64,
    pub(super) in_flight: AtomicI64,
    /// Turned away, as there were too many.
    pub(super) shed: AtomicU64,
    /// Bytes of content that were handed out, and taken in.
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    /// Documents that were at hand, and that were not.
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    /// Content that was on the shelf, that was not, and how often the shelf did not answer.
    pub(super) shelf_hits: AtomicU64,
    pub(super) shelf_misses: AtomicU64,
    pub(super) shelf_failures: AtomicU64,
}

/// What was asked, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    pub(super) door: &'static str,
    pub(super) operation: &'static str,
    /// Of HTTP a number, of gRPC a word.
    pub(super) status: &'static str,
}

/// How many, and how long until their answers began.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    count: u64,
    seconds: f64,
    buckets: [u64; BUCKETS.len()],
}

impl Metrics {
    /// An answer has begun, so long after its question came.
    pub(super) fn answered(&self, asked: Asked, took: Duration) {
        let seconds = took.as_secs_f64();
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = requests.entry(asked).or_default();
        tally.count += 1;
        tally.seconds += seconds;
        for (bucket, bound) in tally.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= bound);
        }
    }

    /// Everything, in Prometheus' text format.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let head = |text: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        };
        let gauge = |value: &AtomicI64| value.load(Ordering::Relaxed);
        let counter = |value: &AtomicU64| value.load(Ordering::Relaxed);
        for (name, help, value) in [
            ("portolan_connections", "Connections that are open.", gauge(&self.connections)),
            ("portolan_requests_in_flight", "Requests that are being answered.", gauge(&self.in_flight)),
        ] {
            head(&mut text, name, "gauge", help);
            let _ = writeln!(text, "{name} {value}");
        }
        for (name, help, value) in [
            ("portolan_shed_total", "Connections and requests that were turned away.", counter(&self.shed)),
            ("portolan_sent_bytes_total", "Content that was handed out.", counter(&self.sent)),
            ("portolan_received_bytes_total", "Content that was taken in.", counter(&self.received)),
            ("portolan_recalled_total", "Documents that were at hand.", counter(&self.hits)),
            ("portolan_asked_total", "Documents that a registry was asked for.", counter(&self.misses)),
            ("portolan_shelf_hits_total", "Content that was on the shelf.", counter(&self.shelf_hits)),
            ("portolan_shelf_misses_total", "Content that was got for the shelf.", counter(&self.shelf_misses)),
            ("portolan_shelf_failures_total", "Times that the shelf failed.", counter(&self.shelf_failures)),
        ] {
            head(&mut text, name, "counter", help);
            let _ = writeln!(text, "{name} {value}");
        }
        let name = "portolan_request_seconds";
        head(&mut text, name, "histogram", "From a question to the beginning of its answer.");
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (Asked { door, operation, status }, tally) in requests {
            let labels = format!("door=\"{door}\",operation=\"{operation}\",status=\"{status}\"");
            for (bucket, bound) in tally.buckets.iter().zip(BUCKETS) {
                let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {bucket}");
            }
            let _ = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {}", tally.count);
            let _ = writeln!(text, "{name}_sum{{{labels}}} {}", tally.seconds);
            let _ = writeln!(text, "{name}_count{{{labels}}} {}", tally.count);
        }
        text
    }
}

/// One more in a gauge, as long as it is held.
pub(super) struct Counted {
    metrics: Arc<Metrics>,
    gauge: fn(&Metrics) -> &AtomicI64,
}

impl Counted {
    pub(super) fn new(metrics: &Arc<Metrics>, gauge: fn(&Metrics) -> &AtomicI64) -> Self {
        gauge(metrics).fetch_add(1, Ordering::Relaxed);
        Counted { metrics: Arc::clone(metrics), gauge }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.gauge)(&self.metrics).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_prometheus_has_it() {
        let metrics = Arc::new(Metrics::default());
        let asked = |status| Asked { door: "distribution", operation: "manifest", status };
        metrics.answered(asked("200"), Duration::from_millis(3));
        metrics.answered(asked("200"), Duration::from_secs(60));
        metrics.answered(asked("404"), Duration::from_millis(3));
        {
            let _one = Counted::new(&metrics, |metrics| &metrics.connections);
            assert!(metrics.text().contains("\nportolan_connections 1\n"));
        }
        let text = metrics.text();
        for line in [
            "portolan_connections 0",
            "portolan_request_seconds_bucket{door=\"distribution\",operation=\"manifest\",status=\"200\",le=\"0.001\"} 0",
            "portolan_request_seconds_bucket{door=\"distribution\",operation=\"manifest\",status=\"200\",le=\"0.005\"} 1",
            "portolan_request_seconds_bucket{door=\"distribution\",operation=\"manifest\",status=\"200\",le=\"+Inf\"} 2",
            "portolan_request_seconds_count{door=\"distribution\",operation=\"manifest\",status=\"404\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}

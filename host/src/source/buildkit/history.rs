//! The history of a daemon: each build that has an image as its result becomes an entry, or one for each name of it.

use std::cmp::Reverse;
use std::time::Duration;

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1::{
    BuildHistoryEvent, BuildHistoryEventType, BuildHistoryRecord, BuildHistoryRequest, Descriptor as Told,
};
use portolan_oci::names::{IMAGE_NAME, REF_NAME};
use portolan_oci::{Descriptor, Digest, Reference, build, media_type, text};
use tokio::time::{Instant, timeout_at};

use super::super::daemon::{Daemon, Trying};
use crate::error::{Code, Result};
use crate::limits::Limits;

const LISTEN: &str = "/moby.buildkit.v1.Control/ListenBuildHistory";
/// How long all of a history may take, and how many builds it may have. BuildKit keeps 50 for two days if it is not told
/// otherwise.
const PATIENCE: Duration = Duration::from_secs(60);
const BUILDS: usize = 10_000;
/// What names a result got, with commas: what its exporter was told, and what an old one answered.
const NAMES: [&str; 2] = ["name", "image.name"];
const MOST_NAMES: usize = 100;
/// A reference has 25 letters and digits; a build has a result for each of its exporters.
const REF: usize = 128;
const RESULTS: usize = 64;
/// The last second that RFC 3339 can write.
const LAST: i64 = 253_402_300_799;

/// An entry for each result and name, the newest build first.
pub(super) async fn entries(daemon: &Daemon, repository: &str, limits: &Limits) -> Result<Vec<Descriptor>> {
    let trying = Trying { operation: "list the builds of", subject: repository };
    let until = Instant::now() + PATIENCE;
    let late = || {
        let detail = format!("its history did not end within {} seconds", PATIENCE.as_secs());
        daemon.fail(Code::Unavailable, trying, detail).retryable()
    };
    // It would otherwise wait for builds to come.
    let request = BuildHistoryRequest { early_exit: true, ..BuildHistoryRequest::default() };
    let mut stream = daemon.stream::<_, BuildHistoryEvent>(LISTEN, request, trying).await?;
    let mut builds = Vec::new();
    let (mut seen, mut size) = (0, 0);
    while let Some(event) = timeout_at(until, daemon.next(&mut stream, trying)).await.map_err(|_| late())?? {
        seen += 1;
        // No more of a record is kept than its entries.
        let done = event.r#type == BuildHistoryEventType::Complete as i32;
        if let Some(record) = event.record.filter(|_| done) {
            let build = results(&record).map_err(|what| {
                let build = text::at_most(&record.r#ref, REF);
                daemon.fail(Code::Malformed, trying, format!("of its build {build:?} it says {what}"))
            })?;
            size += build.iter().map(written).sum::<u64>();
            let began = record.created_at.as_ref().map(|at| (at.seconds, at.nanos));
            builds.push((Reverse((began, record.r#ref)), build));
        }
        if seen > BUILDS || size > limits.entries {
            let detail = format!("its history has more than {BUILDS} builds, or more than {} bytes", limits.entries);
            return Err(daemon.fail(Code::TooLarge, trying, detail));
        }
    }
    builds.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(builds.into_iter().flat_map(|(_, entries)| entries).collect())
}

/// About as many bytes as an entry has where it is written.
fn written(entry: &Descriptor) -> u64 {
    let annotations: usize = entry.annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    (annotations + entry.media_type.len() + entry.digest.as_str().len()) as u64 + 100
}

/// The entries of one build. A build without a result has none: one that failed, or that wrote no image.
fn results(record: &BuildHistoryRecord) -> std::result::Result<Vec<Descriptor>, String> {
    let Some(result) = &record.result else { return Ok(Vec::new()) };
    if record.r#ref.is_empty() || record.r#ref.len() > REF || !record.r#ref.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err("that this is its reference".into());
    }
    if result.results.len() > RESULTS {
        return Err(format!("that it has {} results", result.results.len()));
    }
    let mut results: Vec<(i64, &Told)> = result.results.iter().map(|(&exporter, told)| (exporter, told)).collect();
    results.sort_by_key(|(exporter, _)| *exporter);
    if results.is_empty() {
        // As daemons before 0.15 have it.
        results.extend(result.result_deprecated.as_ref().map(|told| (0, told)));
    }
    let mut entries = Vec::new();
    for (exporter, told) in results {
        if !media_type::ROOTS.contains(&told.media_type.as_str()) {
            continue;
        }
        let digest = Digest::parse(&told.digest).map_err(|error| error.to_string())?;
        let size = u64::try_from(told.size).map_err(|_| format!("that its result has {} bytes", told.size))?;
        let mut entry = Descriptor::new(told.media_type.clone(), digest, size);
        for (key, value) in [
            (build::BUILD, Some(record.r#ref.clone())),
            (build::STARTED, when(record.created_at.as_ref())),
            (build::COMPLETED, when(record.completed_at.as_ref())),
        ] {
            entry.annotations.extend(value.map(|value| (key.to_owned(), value)));
        }
        let names = names(record, exporter);
        entries.extend(names.iter().map(|name| {
            let mut entry = entry.clone();
            entry.annotations.insert(IMAGE_NAME.into(), name.resolved());
            entry.annotations.insert(REF_NAME.into(), name.tag_or_latest().to_owned());
            entry
        }));
        if names.is_empty() {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// The names that the result of one exporter got. What is no name gives it none.
fn names(record: &BuildHistoryRecord, exporter: i64) -> Vec<Reference> {
    let [told, answered] = NAMES;
    let exporter = usize::try_from(exporter).ok().and_then(|exporter| record.exporters.get(exporter));
    let names =
        exporter.and_then(|exporter| exporter.attrs.get(told)).or_else(|| record.exporter_response.get(answered));
    let names = names.map_or("", String::as_str).split(',').take(MOST_NAMES);
    names.filter_map(|name| Reference::parse(name.trim()).ok()).collect()
}

/// A time as RFC 3339 writes it.
fn when(at: Option<&Timestamp>) -> Option<String> {
    at.filter(|at| (0..=LAST).contains(&at.seconds))
        .map(|at| prost_types::Timestamp { seconds: at.seconds, nanos: at.nanos }.to_string())
}

#[cfg(test)]
mod tests {
    use bollard_buildkit_proto::moby::buildkit::v1::{BuildResultInfo, Exporter};

    use super::*;

    fn told(media_type: &str, text: &str) -> Told {
        let digest = Digest::sha256(text.as_bytes()).to_string();
        Told { media_type: media_type.into(), digest, size: 7, annotations: Default::default() }
    }

    fn record(results: &[(i64, Told)], names: &str) -> BuildHistoryRecord {
        BuildHistoryRecord {
            r#ref: "abc".into(),
            created_at: Some(Timestamp { seconds: 1_700_000_000, nanos: 5_000_000 }),
            result: Some(BuildResultInfo { results: results.iter().cloned().collect(), ..BuildResultInfo::default() }),
            exporters: vec![Exporter { r#type: "image".into(), attrs: [(NAMES[0].into(), names.into())].into() }],
            ..BuildHistoryRecord::default()
        }
    }

    #[test]
    fn an_entry_for_each_name() {
        let entries =
            results(&record(&[(0, told(media_type::OCI_INDEX, "a"))], "acme/app:1, ghcr.io/x, no name")).unwrap();
        let names: Vec<_> = entries.iter().map(|entry| entry.annotations[IMAGE_NAME].as_str()).collect();
        assert_eq!(names, ["docker.io/acme/app:1", "ghcr.io/x:latest"]);
        for entry in &entries {
            assert_eq!(entry.annotations[build::BUILD], "abc");
            assert_eq!(entry.annotations[build::STARTED], "2023-11-14T22:13:20.005Z");
            assert!(!entry.annotations.contains_key(build::COMPLETED));
        }
        // Of several exporters each has its own; a daemon of long ago answers them.
        let mut record = record(&[(0, told(media_type::OCI_INDEX, "a")), (1, told(media_type::OCI_INDEX, "b"))], "a:1");
        record.exporter_response.insert(NAMES[1].into(), "b:2".into());
        let entries = results(&record).unwrap();
        assert_eq!(entries[0].annotations[IMAGE_NAME], "docker.io/library/a:1");
        assert_eq!(entries[1].annotations[IMAGE_NAME], "docker.io/library/b:2");
    }

    #[test]
    fn results_in_the_order_of_their_exporters_and_images_only() {
        let index = |text| told(media_type::OCI_INDEX, text);
        let record = record(&[(2, index("c")), (0, index("a")), (1, told("text/plain", "b"))], "");
        let digests: Vec<_> = results(&record).unwrap().into_iter().map(|entry| entry.digest).collect();
        assert_eq!(digests, [Digest::sha256(b"a"), Digest::sha256(b"c")]);
        assert!(results(&BuildHistoryRecord::default()).unwrap().is_empty());
        let deprecated = BuildResultInfo { result_deprecated: Some(index("d")), ..BuildResultInfo::default() };
        assert_eq!(results(&BuildHistoryRecord { result: Some(deprecated), ..record }).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_descriptor() {
        let index = told(media_type::OCI_INDEX, "a");
        for wrong in [Told { digest: "sha256:0".into(), ..index.clone() }, Told { size: -1, ..index.clone() }] {
            assert!(results(&record(&[(0, wrong)], "")).is_err());
        }
    }
}

//! The history of a daemon: each build that has an image as its result becomes an entry, or one for each name of it.

use std::cmp::Reverse;
use std::time::Duration;

use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1::{
    BuildHistoryEvent, BuildHistoryEventType, BuildHistoryRecord, BuildHistoryRequest, Descriptor as Told,
};
use portolan_oci::names::{IMAGE_NAME, REF_NAME};
use portolan_oci::{Descriptor, Digest, Reference, build, media_type};
use tokio::time::{Instant, timeout_at};

use super::super::daemon::{Daemon, Trying};
use crate::error::{Code, Error, Result};

const LISTEN: &str = "/moby.buildkit.v1.Control/ListenBuildHistory";
/// How long all of a history may take, and how many builds it may have. BuildKit keeps 50 for two days if it is not told
/// otherwise.
const PATIENCE: Duration = Duration::from_secs(60);
const BUILDS: usize = 10_000;
/// What names a result got, with commas: what its exporter was told, and what an old one answered.
const NAMES: [&str; 2] = ["name", "image.name"];
const MOST_NAMES: usize = 100;

/// An entry for each result and name, the newest build first.
pub(super) async fn entries(daemon: &Daemon, repository: &str) -> Result<Vec<Descriptor>> {
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
    while let Some(event) = timeout_at(until, daemon.next(&mut stream, trying)).await.map_err(|_| late())?? {
        let done = event.r#type == BuildHistoryEventType::Complete as i32;
        builds.extend(event.record.filter(|_| done));
        if builds.len() > BUILDS {
            return Err(daemon.fail(Code::TooLarge, trying, format!("its history has more than {BUILDS} builds")));
        }
    }
    let began = |record: &BuildHistoryRecord| record.created_at.as_ref().map(|at| (at.seconds, at.nanos));
    builds.sort_by_cached_key(|record| Reverse((began(record), record.r#ref.clone())));
    let mut entries = Vec::new();
    for record in &builds {
        let malformed = |what: String| -> Error {
            daemon.fail(Code::Malformed, trying, format!("of its build {:?} it says {what}", record.r#ref))
        };
        entries.extend(results(record).map_err(malformed)?);
    }
    Ok(entries)
}

/// The entries of one build. A build without a result has none: one that failed, or that wrote no image.
fn results(record: &BuildHistoryRecord) -> std::result::Result<Vec<Descriptor>, String> {
    let Some(result) = &record.result else { return Ok(Vec::new()) };
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
    at.map(|at| prost_types::Timestamp { seconds: at.seconds, nanos: at.nanos }.to_string())
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

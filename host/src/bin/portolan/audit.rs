//! `--audit FILE`: what a run did, a line of JSON for each thing, added to what is in the file.
//!
//! A file that cannot be written ends the run. Lines of several programs do not mix: each is one write at the end of the
//! file.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portolan::Stats;
use portolan::audit::{Audit, Call, Record};
use serde::Serialize;

use crate::exit::Exit;

/// Opens the file, which is made if there is none, for its owner alone.
pub fn to(path: &Path) -> Result<Audit, Exit> {
    let shown = path.display().to_string();
    let file = File::options().append(true).create(true).mode(0o600).open(path);
    let file = file.map_err(|error| Exit::failure(format!("cannot write the audit file {shown}: {error}")))?;
    let run = format!("{}-{}", std::process::id(), now().as_micros());
    Ok(Audit::new(move |record| {
        let line = line(&run, now(), record).map_err(|error| error.to_string())?;
        (&file).write_all(format!("{line}\n").as_bytes()).map_err(|error| format!("{shown}: {error}"))
    }))
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A line.
#[derive(Serialize)]
struct Line<'a> {
    /// Seconds since 1970.
    time: f64,
    /// Tells the lines of one run from those of others.
    run: &'a str,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase", rename_all_fields = "camelCase")]
enum What<'a> {
    Begun {
        frontend: &'a str,
        digest: &'a str,
        strategy: &'a str,
        pull: Vec<String>,
        push: Vec<String>,
        stores: &'a [String],
    },
    Called {
        function: &'a str,
        place: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<&'a str>,
        bytes: u64,
        micros: u64,
        verdict: &'a str,
    },
    Ended {
        verdict: &'a str,
        micros: u64,
        startup_micros: u64,
        cpu_micros: u64,
        memory: u64,
        host_calls: u64,
        documents: u64,
    },
    Other,
}

fn line(run: &str, time: Duration, record: &Record) -> serde_json::Result<String> {
    let what = match record {
        Record::Begun { frontend, digest, strategy, grants, stores } => What::Begun {
            frontend,
            digest: digest.as_str(),
            strategy: strategy.as_str(),
            pull: grants.pulls().collect(),
            push: grants.pushes().collect(),
            stores,
        },
        Record::Called(Call { function, place, from, name, digest, bytes, took, verdict }) => What::Called {
            function,
            place,
            from: from.as_deref(),
            name: name.as_deref(),
            digest: digest.as_deref(),
            bytes: *bytes,
            micros: micros(*took),
            verdict: verdict.as_str(),
        },
        Record::Ended { verdict, stats: Stats { elapsed, startup, cpu, memory, host_calls, documents } } => {
            What::Ended {
                verdict,
                micros: micros(*elapsed),
                startup_micros: micros(*startup),
                cpu_micros: micros(*cpu),
                memory: *memory,
                host_calls: *host_calls,
                documents: *documents,
            }
        }
        _ => What::Other,
    };
    serde_json::to_string(&Line { time: time.as_secs_f64(), run, what })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

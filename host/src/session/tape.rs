//! A run on tape: every question to the host with its answer, written down while it is asked, or given again without asking
//! anybody.
//!
//! A recording is lines of JSON: one of the run, then for each call one, and before it one for each document that was not
//! there yet, by its digest. What a frontend logs is no question and is not in it. There are no credentials in it, which
//! never reach a session; what documents, names and arguments tell of somebody's images is.
//!
//! Given again, the calls have to be the same in the same order; at the first that is not, the run ends and both are shown.
//! Nothing is asked, read or written then, whatever was granted.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan_oci::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::bindings::{discovery, pusher, resolver, types};
use crate::text;

/// The form of a recording.
const FORM: u32 = 1;
/// A recording has the documents of a run, and content that was answered with.
const MOST: u64 = 512 << 20;
/// A run makes no more calls.
const CALLS: usize = 100_000;
/// Of a call, so much is shown.
const SHOWN: usize = 1_000;

/// Where a run is written down. One run a recorder.
#[derive(Clone)]
pub struct Recorder(Arc<Mutex<dyn Write + Send>>);

impl Recorder {
    /// Writes to `out`, a line at a time.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Recorder(Arc::new(Mutex::new(out)))
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

/// A run that was recorded.
#[derive(Debug, Clone)]
pub struct Recorded(Arc<Contents>);

#[derive(Debug)]
pub(crate) struct Contents {
    head: Head,
    documents: HashMap<Digest, Vec<u8>>,
    calls: Vec<Call>,
}

impl Recorded {
    /// Reads a recording to its end.
    ///
    /// # Errors
    /// What it is that is not understood, with its line.
    pub fn read(from: impl Read) -> Result<Self, String> {
        let mut recorded: Option<Contents> = None;
        let mut left = BufReader::new(from.take(MOST + 1));
        let (mut line, mut read) = (Vec::new(), 0);
        for number in 1.. {
            line.clear();
            read += left.read_until(b'\n', &mut line).map_err(|error| format!("line {number}: {error}"))? as u64;
            if line.is_empty() {
                break;
            }
            if read > MOST {
                return Err(format!("it is larger than {MOST} bytes"));
            }
            let parsed = serde_json::from_slice(&line).map_err(|error| format!("line {number}: {error}"))?;
            let wrong = |why: String| Err(format!("line {number}: {why}"));
            match (parsed, &mut recorded) {
                (Line::Run(head), None) if head.form == FORM => {
                    recorded = Some(Contents { head, documents: HashMap::new(), calls: Vec::new() });
                }
                (Line::Run(head), None) => return wrong(format!("it is of form {}, and {FORM} is known", head.form)),
                (Line::Run(_), Some(_)) => return wrong("another run begins".to_owned()),
                (_, None) => return wrong("no run has begun".to_owned()),
                (Line::Document(document), Some(recorded)) => match document.bytes() {
                    Some(bytes) => drop(recorded.documents.insert(document.digest, bytes)),
                    None => return wrong("this is no document of that digest".to_owned()),
                },
                (Line::Call(_), Some(recorded)) if recorded.calls.len() >= CALLS => {
                    return wrong(format!("it has more than {CALLS} calls"));
                }
                (Line::Call(call), Some(recorded)) => recorded.calls.push(call),
            }
        }
        recorded.map(|recorded| Recorded(Arc::new(recorded))).ok_or_else(|| "it is empty".to_owned())
    }

    /// What the frontend was asked.
    pub fn arguments(&self) -> &[(String, String)] {
        &self.0.head.arguments
    }

    /// The frontend's digest. Another one may be asked the same.
    pub fn frontend(&self) -> &Digest {
        &self.0.head.digest
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Run(Head),
    Document(Document),
    Call(Call),
}

/// How a run begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Head {
    form: u32,
    /// What to call the frontend.
    pub(crate) frontend: String,
    pub(crate) digest: Digest,
    pub(crate) strategy: Digest,
    /// When: at which moment the frontend's clock stands, in milliseconds since 1970.
    time: u64,
    pub(crate) arguments: Vec<(String, String)>,
}

impl Head {
    /// A run that is not begun yet.
    pub(crate) fn of(frontend: &str, digest: Digest, strategy: Digest, arguments: &[(String, String)]) -> Self {
        Head { form: FORM, frontend: frontend.to_owned(), digest, strategy, time: 0, arguments: arguments.to_vec() }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Document {
    digest: Digest,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    base64: Option<String>,
}

impl Document {
    fn of(digest: &Digest, bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Document { digest: digest.clone(), text: Some(text.to_owned()), base64: None },
            Err(_) => Document { digest: digest.clone(), text: None, base64: Some(STANDARD.encode(bytes)) },
        }
    }

    /// What it is, if it is.
    fn bytes(&self) -> Option<Vec<u8>> {
        let bytes = match (&self.text, &self.base64) {
            (Some(text), None) => text.as_bytes().to_vec(),
            (None, Some(base64)) => STANDARD.decode(base64).ok()?,
            _ => return None,
        };
        (Digest::sha256(&bytes) == self.digest).then_some(bytes)
    }
}

/// A call with its answer, which are looked into when it is their turn: as values they would take many times their text.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Call {
    function: String,
    with: Box<RawValue>,
    answer: Box<RawValue>,
}

/// What a session has in its player.
#[derive(Debug, Clone, Default)]
pub(crate) enum Tape {
    #[default]
    None,
    Record {
        to: Recorder,
        /// When it began, in milliseconds since 1970.
        time: u64,
        kept: HashSet<Digest>,
        /// Bytes so far.
        written: u64,
    },
    Play {
        recorded: Recorded,
        calls: usize,
    },
}

/// It cannot be written, or does not go on as it was recorded.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Torn(pub(crate) String);

impl Tape {
    pub(crate) fn record(to: Recorder) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Tape::Record { to, time: u64::try_from(now.as_millis()).unwrap_or(u64::MAX), kept: HashSet::new(), written: 0 }
    }

    pub(crate) fn play(recorded: Recorded) -> Self {
        Tape::Play { recorded, calls: 0 }
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Tape::None)
    }

    pub(crate) fn is_played(&self) -> bool {
        matches!(self, Tape::Play { .. })
    }

    pub(crate) fn is_recorded(&self) -> bool {
        matches!(self, Tape::Record { .. })
    }

    /// A run begins.
    pub(crate) fn begin(&mut self, head: impl FnOnce() -> Head) -> Result<(), Torn> {
        match self {
            Tape::None | Tape::Play { .. } => Ok(()),
            Tape::Record { time, .. } => {
                let head = Head { time: *time, ..head() };
                self.write(&Line::Run(head))
            }
        }
    }

    /// The moment at which the run's clock stands, where that is not left to the clock.
    pub(crate) fn moment(&self) -> Option<Duration> {
        let time = match self {
            Tape::None => return None,
            Tape::Record { time, .. } => *time,
            Tape::Play { recorded, .. } => recorded.0.head.time,
        };
        Some(Duration::from_millis(time))
    }

    /// The answer that was recorded to this call, where something is played.
    pub(crate) fn answer<T: Kept>(&mut self, function: &str, with: &Value) -> Result<Option<T>, Torn> {
        let Tape::Play { recorded: Recorded(recorded), calls } = self else { return Ok(None) };
        let asked = shown(function, with);
        let call = recorded.calls.get(*calls);
        *calls += 1;
        let Some(call) = call else {
            return Err(Torn(format!("its call {calls} is one more than was recorded:\n  asked    {asked}")));
        };
        if call.function != function || serde_json::from_str::<Value>(call.with.get()).ok().as_ref() != Some(with) {
            let was = shown(&call.function, &call.with);
            return Err(Torn(format!(
                "its call {calls} is another than was recorded:\n  recorded {was}\n  asked    {asked}"
            )));
        }
        let answer = serde_json::from_str(call.answer.get()).ok();
        let found = answer.and_then(|answer| T::found(answer, recorded));
        found.map(Some).ok_or_else(|| Torn(format!("the recording has no answer to call {calls}, {asked}")))
    }

    /// Writes a call down, where something is recorded.
    pub(crate) fn keep<T: Kept>(&mut self, function: &str, with: Value, answer: &T) -> Result<(), Torn> {
        if let Tape::Record { .. } = self {
            let (with, answer) = (raw(&with)?, raw(&answer.keep(self)?)?);
            self.write(&Line::Call(Call { function: function.to_owned(), with, answer }))?;
        }
        Ok(())
    }

    /// A document, written down once where something is recorded; as [`named`] names it.
    pub(crate) fn document(&mut self, bytes: &[u8]) -> Result<Value, Torn> {
        let digest = Digest::sha256(bytes);
        let named = named(&digest);
        if let Tape::Record { kept, .. } = self
            && kept.insert(digest.clone())
        {
            self.write(&Line::Document(Document::of(&digest, bytes)))?;
        }
        Ok(named)
    }

    /// That nothing is left of what was recorded.
    pub(crate) fn end(&self) -> Result<(), Torn> {
        match self {
            Tape::Play { recorded: Recorded(recorded), calls } => match recorded.calls.get(*calls) {
                None => Ok(()),
                Some(call) => {
                    let (number, was) = (calls + 1, shown(&call.function, &call.with));
                    Err(Torn(format!("it ended before a call that was recorded:\n  recorded {was} (call {number})")))
                }
            },
            _ => Ok(()),
        }
    }

    fn write(&mut self, line: &Line) -> Result<(), Torn> {
        let Tape::Record { to, written, .. } = self else { return Ok(()) };
        let failed = |error: String| Torn(format!("the recording cannot be written: {error}"));
        let mut text = serde_json::to_vec(line).map_err(|error| failed(error.to_string()))?;
        text.push(b'\n');
        *written = written.saturating_add(text.len() as u64);
        if *written > MOST {
            return Err(failed(format!("it would be larger than {MOST} bytes")));
        }
        let mut out = to.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(&text).and_then(|()| out.flush()).map_err(|error| failed(error.to_string()))
    }
}

fn raw(value: &Value) -> Result<Box<RawValue>, Torn> {
    serde_json::value::to_raw_value(value).map_err(|error| Torn(format!("a call cannot be written down: {error}")))
}

fn shown(function: &str, with: &impl fmt::Display) -> String {
    let with = with.to_string();
    let cut = text::at_most(&with, SHOWN);
    let more = if cut.len() < with.len() { "…" } else { "" };
    format!("{} {}{more}", text::line(function), text::line(cut))
}

/// A document as calls name it.
pub(crate) fn named(digest: &Digest) -> Value {
    json!({ "document": digest.as_str() })
}

/// An answer of the host's that can be kept.
pub(crate) trait Kept: Sized {
    fn keep(&self, tape: &mut Tape) -> Result<Value, Torn>;
    /// The same again; `None` where the recording does not have it.
    fn found(kept: Value, recorded: &Contents) -> Option<Self>;
}

impl Kept for Vec<u8> {
    fn keep(&self, tape: &mut Tape) -> Result<Value, Torn> {
        tape.document(self)
    }

    fn found(kept: Value, recorded: &Contents) -> Option<Self> {
        let digest = Digest::parse(kept.get("document")?.as_str()?).ok()?;
        recorded.documents.get(&digest).cloned()
    }
}

impl<T: Kept> Kept for Result<T, types::Error> {
    fn keep(&self, tape: &mut Tape) -> Result<Value, Torn> {
        Ok(match self {
            Ok(answer) => json!({ "ok": answer.keep(tape)? }),
            Err(error) => json!({ "error": plain(error)? }),
        })
    }

    fn found(mut kept: Value, recorded: &Contents) -> Option<Self> {
        match (kept.get_mut("ok").map(Value::take), kept.get_mut("error").map(Value::take)) {
            (Some(answer), None) => T::found(answer, recorded).map(Ok),
            (None, Some(error)) => serde_json::from_value(error).ok().map(Err),
            _ => None,
        }
    }
}

impl<T: Kept> Kept for Vec<Result<T, types::Error>> {
    fn keep(&self, tape: &mut Tape) -> Result<Value, Torn> {
        self.iter().map(|answer| answer.keep(tape)).collect()
    }

    fn found(kept: Value, recorded: &Contents) -> Option<Self> {
        match kept {
            Value::Array(answers) => answers.into_iter().map(|answer| Kept::found(answer, recorded)).collect(),
            _ => None,
        }
    }
}

macro_rules! kept_as_it_is {
    ($($answer:ty),*) => {
        $(impl Kept for $answer {
            fn keep(&self, _: &mut Tape) -> Result<Value, Torn> {
                plain(self)
            }

            fn found(kept: Value, _: &Contents) -> Option<Self> {
                again(kept)
            }
        })*
    };
}

kept_as_it_is!((), String, Vec<String>, resolver::Resolved, discovery::TagPage, pusher::Pushed);

fn plain(answer: &impl Serialize) -> Result<Value, Torn> {
    serde_json::to_value(answer).map_err(|error| Torn(format!("an answer cannot be written down: {error}")))
}

fn again<T: DeserializeOwned>(kept: Value) -> Option<T> {
    serde_json::from_value(kept).ok()
}

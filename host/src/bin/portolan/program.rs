//! A frontend as a command: from words to a run, and from its answer to what is printed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches};
use portolan::policy::{Policy, Ruling, Who};
use portolan::{Component, Frontend, Grants, Host, Limits, Recorded, Run, Stats};

use crate::exit::{Exit, say};
use crate::metadata::MetadataFile;
use crate::progress::Screen;
use crate::setup::{host, said};
use crate::{arguments, audit, frontend, output, policy, registries, tape};

/// A frontend as a command.
pub struct Program<'a> {
    /// What was typed to come here.
    pub path: String,
    pub who: Who<'a>,
    pub policy: Policy,
    pub component: Component<'a>,
    pub example: Option<&'a str>,
}

/// What `run` takes on either side of a frontend's name.
pub fn options() -> Vec<Arg> {
    let [record, replay] = tape::options();
    vec![allow(), stats(), record, replay]
}

/// What there is to be done: a run, and what was said of its answer.
enum Todo {
    Run(Box<Run>, ArgMatches),
    /// Clap has said it all.
    Said(u8),
}

impl Program<'_> {
    /// Does what the words say; `before` is what came before the frontend's name, where any frontend may be named.
    pub async fn run(&self, words: &[OsString], before: Option<&ArgMatches>, screen: &Screen) -> Result<u8, Exit> {
        let strategy = frontend::named(words, "--strategy");
        let ruling = policy::ruling(&self.policy, self.who, strategy.as_deref());
        ruling.admit()?;
        let host = host(policy::strategy(strategy, &ruling)?.as_ref(), ruling.limits(&Limits::default()))?;
        let begun = Instant::now();
        let loaded = host.load(self.component).await?;
        let ready = begun.elapsed();
        let recorded = before.map(|before| tape::recorded(before, words)).transpose()?.flatten();
        let todo = match recorded {
            Some(recorded) => self.again(words, &loaded, recorded)?,
            None => self.anew(words, before, &loaded, &ruling).await?,
        };
        let (run, matches) = match todo {
            Todo::Run(run, matches) => (policy::patient(*run, &ruling), matches),
            Todo::Said(status) => return Ok(status),
        };
        let wants_stats = before.is_some_and(|before| before.get_flag("stats") || matches.get_flag("stats"));
        answered(&host, run, &matches, wants_stats.then_some(ready), screen).await
    }

    /// What the words ask.
    async fn anew(
        &self,
        words: &[OsString],
        before: Option<&ArgMatches>,
        loaded: &Frontend,
        ruling: &Ruling,
    ) -> Result<Todo, Exit> {
        let info = loaded.describe().await?;
        let mut command = frontend::command(&self.path, &info, self.example)?;
        if before.is_some() {
            command = command.args(options());
        }
        let matches = match command.try_get_matches_from(words) {
            Ok(matches) => matches,
            Err(error) => return said(&error).map(Todo::Said),
        };
        let arguments = arguments::read(&info, &matches)?;
        let sides: Vec<&ArgMatches> = before.into_iter().chain(before.map(|_| &matches)).collect();
        let grants = ruling.grants(&arguments.grants, asked(&sides)?.as_ref())?;
        let mut run = Run::new(loaded).grants(grants).registry(registries::registry(&matches)?);
        if let Some(path) = matches.get_one::<PathBuf>("audit") {
            run = run.audit(audit::to(path)?);
        }
        if let Some(recorder) = tape::recorder(&sides)? {
            run = run.record(recorder);
        }
        for (name, value) in arguments.values {
            run = run.argument(name, value);
        }
        for (name, source) in arguments.stores.into_opened() {
            run = run.store(name, source);
        }
        Ok(Todo::Run(Box::new(run), matches))
    }

    /// What was asked when it was recorded.
    fn again(&self, words: &[OsString], loaded: &Frontend, recorded: Recorded) -> Result<Todo, Exit> {
        match tape::command(&self.path).arg(stats()).try_get_matches_from(words) {
            Ok(matches) => Ok(Todo::Run(Box::new(Run::new(loaded).replay(recorded)), matches)),
            Err(error) => said(&error).map(Todo::Said),
        }
    }
}

/// Runs it, and prints what comes of it.
async fn answered(
    host: &Host,
    run: Run,
    matches: &ArgMatches,
    stats: Option<Duration>,
    screen: &Screen,
) -> Result<u8, Exit> {
    let metadata = matches.get_one::<PathBuf>("metadata-file").map(|path| MetadataFile::prepare(path)).transpose()?;
    let answer = host.run(run.progress(screen.progress(matches.get_flag("quiet")))).await?;
    screen.clear();
    if let Some(file) = metadata {
        file.write(&answer.metadata)?;
    }
    let status = answer.status;
    if let Some(ready) = stats {
        say(&used(ready, &answer.stats));
    }
    output::print(answer, matches.get_one::<String>("jq").map(String::as_str)).await?;
    Ok(status)
}

fn allow() -> Arg {
    Arg::new("allow")
        .long("allow")
        .value_name("pull|push=PATTERN")
        .action(ArgAction::Append)
        .help("Let the frontend read (pull) or write (push) repositories beyond those named here: pull=ghcr.io/acme/*")
}

fn stats() -> Arg {
    Arg::new("stats").long("stats").action(ArgAction::SetTrue).help("Say on stderr what the run used up")
}

fn used(ready: Duration, stats: &Stats) -> String {
    format!(
        "stats: loaded in {ready:.1?}, started in {:.1?}; {:.1?} from start to answer, {:.1?} of it computing; at most {} \
         KiB of memory, {} host calls, {} bytes of documents",
        stats.startup,
        stats.elapsed,
        stats.cpu,
        stats.memory >> 10,
        stats.host_calls,
        stats.documents
    )
}

/// What `--allow` says, where it says anything.
fn asked(all: &[&ArgMatches]) -> Result<Option<Grants>, Exit> {
    let mut asked = None;
    for option in all.iter().filter_map(|matches| matches.get_many::<String>("allow")).flatten() {
        let grants: Grants = asked.unwrap_or_default();
        let granted = match option.split_once('=') {
            Some(("pull", pattern)) => grants.pull(pattern),
            Some(("push", pattern)) => grants.push(pattern),
            _ => return Err(Exit::usage(format!("--allow {option:?} is neither pull=PATTERN nor push=PATTERN"))),
        };
        asked = Some(granted.map_err(|error| Exit::usage(format!("--allow {option:?}: {error}")))?);
    }
    Ok(asked)
}

//! The verdict on a play: what its script wants, and what must hold in every one.

use std::fs;
use std::path::Path;

use portolan::Error;
use portolan_hostile::{Answer, Elsewhere, Failure, Hostile, Request, Script};
use portolan_oci::Digest;

use super::{client, secrets};

/// The most that a client may hold at a time, in bytes. The largest thing that it is given to hold is a document of 4 MiB;
/// it may hold that, what it grew from, and a copy to hand out.
const MEMORY: isize = 16 << 20;

/// What happened.
pub struct Play<'a> {
    pub script: &'a Script,
    pub outcome: Result<Answer, Error>,
    pub registry: &'a Hostile,
    pub elsewhere: &'a Hostile,
    pub cache: &'a Path,
    pub most: isize,
}

impl Play<'_> {
    /// Everything that is wrong.
    pub fn faults(&self) -> Vec<String> {
        let (registry, elsewhere) = (self.registry.requests(), self.elsewhere.requests());
        let mut faults = self.outcome_faults(!registry.is_empty());
        if self.most > MEMORY {
            faults.push(format!("it held {} KiB", self.most >> 10));
        }
        let asked = registry.len() + elsewhere.len();
        if asked > self.script.conduct.requests {
            faults.push(format!("{asked} requests: {:?}", self.registry.asked()));
        }
        for never in &self.script.conduct.never {
            let forbidden = |asked: &String| match never.strip_suffix('*') {
                Some(beginning) => asked.starts_with(beginning),
                None => asked == never,
            };
            faults.extend(self.registry.asked().into_iter().filter(forbidden).map(|asked| format!("it asked {asked}")));
        }
        faults.extend(elsewhere.iter().flat_map(|request| self.told_elsewhere(request)));
        faults.extend(self.left_behind());
        faults
    }

    fn outcome_faults(&self, asked: bool) -> Vec<String> {
        let must = &self.script.must;
        match (&self.outcome, &must.answer, &must.failure) {
            (Ok(found), Some(right), _) if found == right => Vec::new(),
            (Ok(found), ..) => vec![format!("it came to {found}, and must come to {must}")],
            (Err(error), _, Some(right)) => [self.wrong_failure(error, right), self.wrong_text(error, asked)].concat(),
            (Err(error), _, None) => vec![format!("it failed ({}: {error}), and must come to {must}", error.code())],
        }
    }

    fn wrong_failure(&self, error: &Error, right: &Failure) -> Vec<String> {
        let fits = client::class(error).is_some_and(|class| right.classes.contains(&class))
            && right.status.is_none_or(|status| error.status() == Some(status))
            && right.again.is_none_or(|again| error.is_retryable() == again);
        if fits { Vec::new() } else { vec![format!("{right} is right; {error:?}")] }
    }

    /// What every error owes to who reads it.
    fn wrong_text(&self, error: &Error, asked: bool) -> Vec<String> {
        let shown = format!("{error} {} {error:?}", error.hint().unwrap_or_default());
        let mut faults = Vec::new();
        if !client::operation(&self.script.ask).contains(&error.operation()) {
            faults.push(format!("the operation is {:?}: {error}", error.operation()));
        }
        if !error.subject().starts_with(&format!("{}/app", self.registry.host())) {
            faults.push(format!("the subject is {:?}: {error}", error.subject()));
        }
        if asked && error.host().is_none() {
            faults.push(format!("it does not say who answered: {error}"));
        }
        if shown.contains(char::is_control) {
            faults.push(format!("it has control characters: {shown:?}"));
        }
        if shown.len() > 8 << 10 {
            faults.push(format!("it has {} bytes: {shown:.200}", shown.len()));
        }
        faults.extend(secrets::found_in(&shown).map(|secret| format!("it tells {secret}: {shown}")));
        faults
    }

    /// What a request told somebody who is not the registry.
    fn told_elsewhere(&self, request: &Request) -> Vec<String> {
        let Request { method, path, headers, body, .. } = request;
        let mut faults = Vec::new();
        match self.script.conduct.elsewhere {
            Elsewhere::Nothing => return vec![format!("{method} {path} was asked elsewhere")],
            Elsewhere::Strangers => {
                let all = format!("{body} {headers:?}");
                faults.extend(secrets::found_in(&all).map(|secret| format!("{secret} was told elsewhere")));
                if request.header("authorization").is_some() {
                    faults.push("an Authorization was shown elsewhere".to_owned());
                }
            }
            Elsewhere::Credentials => {}
        }
        for name in ["cookie", "referer", secrets::HEADER.0] {
            faults.extend(request.header(name).map(|value| format!("{name}: {value} was sent elsewhere")));
        }
        faults.extend(told_in_a_url(request));
        faults
    }

    /// What is on the disk afterwards: documents whose bytes are what their name says, and none of a play that failed.
    fn left_behind(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut folders = vec![self.cache.join("documents")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let shown = path.strip_prefix(self.cache).unwrap().to_str().unwrap().to_owned();
                let [_, area, _, name] = *shown.split('/').collect::<Vec<_>>() else {
                    if shown != "documents/salt" {
                        faults.push(format!("{shown} was left behind"));
                    }
                    continue;
                };
                if area == "tags" || name.ends_with(".access") {
                    continue;
                }
                let digest = Digest::parse(&format!("{area}:{name}"));
                if !digest.is_ok_and(|digest| digest.matches(&fs::read(&path).unwrap())) {
                    faults.push(format!("{shown} is not what its name says"));
                } else if self.outcome.is_err() && !self.is_ours(&path) {
                    faults.push(format!("{shown} was kept of a play that failed"));
                }
            }
        }
        faults
    }

    /// Whether it is what was pushed, which was there before the play.
    fn is_ours(&self, path: &Path) -> bool {
        self.script.ask.content().is_some_and(|content| fs::read(path).unwrap() == **content)
    }
}

/// URLs end up in the logs of servers and of what is before them.
fn told_in_a_url(request: &Request) -> Option<String> {
    let secret = secrets::found_in(&request.path).or_else(|| secrets::found_in(&request.query))?;
    Some(format!("{secret} is in the URL of {} {}", request.method, request.path))
}

//! What a policy says of one frontend or strategy, and of the two together.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portolan_oci::Descriptor;

use super::bound::Bound;
use super::file::{Entry, Granted, NAMED, Says};
use super::key::Keys;
use super::who::Who;
use super::{PolicyError, signature};
use crate::configuration::Said;
use crate::limits::Limits;
use crate::session::grants::Grants;
use crate::source::Source;

/// What holds for a frontend or a strategy.
#[derive(Debug, Clone)]
pub struct Rule {
    who: String,
    says: Says,
}

/// What holds for a frontend with its strategy.
#[derive(Debug, Clone)]
pub struct Ruling {
    /// Of the frontend.
    pub frontend: Rule,
    /// Of the strategy, where it is not the bundled one.
    pub strategy: Option<Rule>,
}

/// A value and who said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saying {
    /// The key in the file.
    pub key: &'static str,
    /// What it is, for a person; of a list, one by one.
    pub values: Vec<String>,
    /// `portolan.toml:12`; `None` where the policy says nothing and the usual holds.
    pub by: Option<String>,
}

impl Rule {
    pub(super) fn of(entries: &[Entry], who: &Who<'_>) -> Rule {
        let mut fitting: Vec<_> =
            entries.iter().filter_map(|entry| entry.name.fits(who).map(|fit| (fit, &entry.says))).collect();
        fitting.sort_by_key(|(fit, _)| std::cmp::Reverse(*fit));
        let says = fitting.into_iter().fold(Says::default(), |says, (_, others)| says.or(others));
        Rule { who: who.to_string(), says }
    }

    /// Whether it may run at all; signatures aside.
    ///
    /// # Errors
    /// [`PolicyError::NotAllowed`].
    pub fn admit(&self) -> Result<(), PolicyError> {
        match &self.says.run {
            Some(Said { value: false, by }) => {
                Err(PolicyError::NotAllowed { who: self.who.clone(), by: by.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// Whether one in a registry may run: `manifest` is its artifact's, whose signatures are asked for where some are
    /// wanted. To be asked before anything else of it is fetched.
    ///
    /// # Errors
    /// [`PolicyError::NotAllowed`]; [`PolicyError::NotSigned`]; a key that cannot be read; what the source says.
    pub async fn admit_published(
        &self,
        source: &dyn Source,
        manifest: &Descriptor,
        limits: &Limits,
    ) -> Result<(), PolicyError> {
        self.admit()?;
        let Some(wanted) = self.wanted() else { return Ok(()) };
        let found = signature::of_artifact(source, manifest, &Keys::read(&wanted.value)?, limits).await;
        let found = found.map_err(|error| PolicyError::Source { who: self.who.clone(), error })?;
        self.signed(wanted, found)
    }

    /// Whether a component may run that was read from `path`, whose signature lies beside it where one is wanted:
    /// `PATH.sig`, as `cosign sign-blob --output-signature` writes it, or `PATH.sigstore.json`, its `--bundle`.
    ///
    /// # Errors
    /// See [`admit_published`](Self::admit_published).
    pub fn admit_file(&self, path: &Path, component: &[u8]) -> Result<(), PolicyError> {
        self.admit()?;
        let Some(wanted) = self.wanted() else { return Ok(()) };
        self.signed(wanted, signature::of_file(path, component, &Keys::read(&wanted.value)?)?)
    }

    /// Whether a signature of it is wanted.
    pub fn wants_signature(&self) -> bool {
        self.wanted().is_some()
    }

    /// Whether it may run, and who says so.
    pub fn sayings(&self) -> Vec<Saying> {
        vec![
            saying("run", self.says.run.as_ref(), |run| vec![allowed(*run)], "yes"),
            saying("signed-by", self.says.signed_by.as_ref(), |files| keys(files), "nobody"),
        ]
    }

    /// The keys of which one must have signed it, if any.
    fn wanted(&self) -> Option<&Said<Vec<PathBuf>>> {
        self.says.signed_by.as_ref().filter(|said| !said.value.is_empty())
    }

    fn signed(&self, wanted: &Said<Vec<PathBuf>>, found: signature::Found) -> Result<(), PolicyError> {
        let signature::Found::No(why) = found else { return Ok(()) };
        let keys: Vec<String> = wanted.value.iter().map(|path| path.display().to_string()).collect();
        let (who, keys, by) = (self.who.clone(), keys.join(" or "), wanted.by.to_string());
        Err(PolicyError::NotSigned { who, keys, by, why })
    }
}

impl Ruling {
    /// Whether both may run at all; signatures aside.
    ///
    /// # Errors
    /// [`PolicyError::NotAllowed`].
    pub fn admit(&self) -> Result<(), PolicyError> {
        self.frontend.admit()?;
        self.strategy.as_ref().map_or(Ok(()), Rule::admit)
    }

    /// What a run is granted that names `named`, and `asked` beside it; of what the policy grants by itself, a run that asks
    /// gets no more than it asks for.
    ///
    /// # Errors
    /// [`PolicyError::NotGranted`] where something is named or asked for that the policy does not grant.
    pub fn grants(&self, named: &Grants, asked: Option<&Grants>) -> Result<Grants, PolicyError> {
        let Rule { who, says: Says { pull, push, .. } } = &self.frontend;
        let wanted = asked.map_or_else(|| named.clone(), |asked| named.clone().and(asked));
        let may_read = most(pull.as_ref(), &named.only_pull(), &wanted.only_pull());
        let may_write = most(push.as_ref(), &named.only_push(), &wanted.only_push());
        // What may be written to may be read.
        let most = may_read.and(&may_write);
        for (said, wanted) in [(push, wanted.only_push()), (pull, wanted.only_pull())] {
            if let (Some(said), Some((pattern, writes))) = (said, wanted.beyond(&most)) {
                let what = if writes { "write to" } else { "read" };
                return Err(PolicyError::NotGranted { who: who.clone(), what, pattern, by: said.by.to_string() });
            }
        }
        Ok(match (asked, pull, push) {
            (None, ..) => most,
            (Some(_), None, None) => wanted,
            (Some(_), ..) => wanted.within(&most),
        })
    }

    /// What bounds a run, where `usual` would.
    pub fn limits(&self, usual: &Limits) -> Limits {
        let mut limits = usual.clone();
        for (bound, said) in &self.frontend.says.bounds {
            bound.set(&mut limits, said.value);
        }
        for (bound, said) in self.strategy.iter().flat_map(|strategy| &strategy.says.bounds) {
            let least = bound.of(&limits).map_or(said.value, |value| value.min(said.value));
            bound.set(&mut limits, least);
        }
        limits
    }

    /// How long a run may take, where the policy says so: of a bundled frontend's, the limits do not.
    pub fn wall_clock(&self) -> Option<Duration> {
        let said = |rule: &Rule| rule.says.bounds.get(&Bound::WallClock).map(|said| said.value);
        let both = [said(&self.frontend), self.strategy.as_ref().and_then(said)];
        both.into_iter().flatten().min().map(Duration::from_millis)
    }

    /// What holds for the frontend's runs and who says so; `usual` where nobody does, which for a bundled frontend has no
    /// wall clock.
    pub fn sayings(&self, usual: &Limits) -> Vec<Saying> {
        let Ruling { frontend: Rule { says, .. }, strategy } = self;
        let mut all = self.frontend.sayings();
        all.extend([
            saying("pull", says.pull.as_ref(), |granted| patterns(granted, Grants::pulls), USUAL),
            saying("push", says.push.as_ref(), |granted| patterns(granted, Grants::pushes), USUAL),
        ]);
        let limits = self.limits(usual);
        for bound in Bound::ALL {
            let said = |rule: &Rule| rule.says.bounds.get(&bound).cloned();
            let values = bound.of(&limits).map_or_else(|| "without end".to_owned(), |value| bound.show(value));
            let both = [said(&self.frontend), strategy.as_ref().and_then(said)];
            // Whoever says what holds.
            let by = both.into_iter().flatten().find(|said| Some(said.value) == bound.of(&limits));
            all.push(Saying { key: bound.name(), values: vec![values], by: by.map(|said| said.by.to_string()) });
        }
        all
    }
}

/// What is granted where nobody says: for a person.
const USUAL: &str = "what is named or allowed on the command line";

fn allowed(run: bool) -> String {
    if run { "yes" } else { "no" }.to_owned()
}

fn keys(files: &[PathBuf]) -> Vec<String> {
    match files.is_empty() {
        true => vec!["nobody".to_owned()],
        false => files.iter().map(|path| path.display().to_string()).collect(),
    }
}

fn patterns<'a, I: Iterator<Item = String> + 'a>(granted: &'a Granted, of: impl Fn(&'a Grants) -> I) -> Vec<String> {
    let named = granted.named.then(|| NAMED.to_owned());
    let all: Vec<String> = of(&granted.patterns).chain(named).collect();
    if all.is_empty() { vec!["nothing".to_owned()] } else { all }
}

fn saying<T>(key: &'static str, said: Option<&Said<T>>, show: impl Fn(&T) -> Vec<String>, usual: &str) -> Saying {
    match said {
        Some(Said { value, by }) => Saying { key, values: show(value), by: Some(by.to_string()) },
        None => Saying { key, values: vec![usual.to_owned()], by: None },
    }
}

/// The most that may be granted, which is all that is wanted where nobody says.
fn most(said: Option<&Said<Granted>>, named: &Grants, wanted: &Grants) -> Grants {
    match said {
        None => wanted.clone(),
        Some(Said { value: Granted { named: true, patterns }, .. }) => patterns.clone().and(named),
        Some(Said { value: Granted { patterns, .. }, .. }) => patterns.clone(),
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.who)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bundled;
    use crate::policy::Policy;

    fn inspect(text: &str) -> Ruling {
        let policy = Policy::parse(text, Path::new("portolan.toml")).unwrap();
        policy.ruling(Who::Bundled(Bundled::Inspect), None)
    }

    fn pulls(patterns: &[&str]) -> Grants {
        patterns.iter().fold(Grants::new(), |grants, pattern| grants.pull(pattern).unwrap())
    }

    fn pushes(patterns: &[&str]) -> Grants {
        patterns.iter().fold(Grants::new(), |grants, pattern| grants.push(pattern).unwrap())
    }

    #[test]
    fn the_policy_grants_and_a_command_line_narrows() {
        const HERE: &str = "r.example/here";
        const ALL: [&str; 4] = [HERE, "r.example/a", "r.example/b", "x.example/c"];
        /// What may be read of [`ALL`]; `None` is an error.
        fn read(policy: &str, named: &[&str], asked: Option<&[&str]>) -> Option<Vec<&'static str>> {
            let ruling = inspect(&format!("[frontend.inspect]\n{policy}\n"));
            let grants = ruling.grants(&pulls(named), asked.map(pulls).as_ref()).ok()?;
            assert!(ALL.iter().all(|place| !grants.allows_push(place)), "{policy}");
            Some(ALL.into_iter().filter(|place| grants.allows_pull(place)).collect())
        }
        for (policy, named, asked, granted) in [
            // Nothing is said: what is named, and what is asked for.
            ("", &[HERE][..], None, Some(&[HERE][..])),
            ("push = []", &[HERE], Some(&["r.example/a"][..]), Some(&[HERE, "r.example/a"])),
            // What is said holds, whatever is named.
            ("pull = []", &[], None, Some(&[])),
            ("pull = []", &[HERE], None, None),
            ("pull = [\"r.example/*\"]", &[HERE], None, Some(&[HERE, "r.example/a", "r.example/b"])),
            ("pull = [\"r.example/*\"]", &["x.example/c"], None, None),
            // Who asks gets what is named and asked for, and no more.
            ("pull = [\"r.example/*\"]", &[HERE], Some(&["r.example/a"]), Some(&[HERE, "r.example/a"])),
            ("pull = [\"r.example/*\"]", &[], Some(&["r.example/a"]), Some(&["r.example/a"])),
            ("pull = [\"r.example/a\"]", &[], Some(&["r.example/*"]), None),
            ("pull = [\"r.example/a\"]", &[], Some(&["x.example/c"]), None),
            ("pull = [\"*\"]", &[], Some(&["x.example/*"]), Some(&["x.example/c"])),
            // What is named, and nothing that is asked for beside it.
            ("pull = [\"@named\"]", &[HERE], None, Some(&[HERE])),
            ("pull = [\"@named\"]", &[HERE], Some(&["r.example/a"]), None),
            ("pull = [\"r.example/a\", \"@named\"]", &[HERE], None, Some(&[HERE, "r.example/a"])),
            ("pull = [\"r.example/a\", \"@named\"]", &[HERE], Some(&["r.example/a"]), Some(&[HERE, "r.example/a"])),
        ] {
            assert_eq!(read(policy, named, asked).as_deref(), granted, "{policy} {named:?} {asked:?}");
        }
    }

    #[test]
    fn writing_is_granted_apart_from_reading() {
        let named = pushes(&["r.example/here"]);
        let of = |policy: &str, asked: Option<&Grants>| {
            inspect(&format!("[frontend.inspect]\n{policy}\n")).grants(&named, asked)
        };
        // Writing to it needs reading it, whatever is said of reading.
        let granted = of("pull = []", None).unwrap();
        assert!(granted.allows_push("r.example/here") && granted.allows_pull("r.example/here"));
        let refused = of("push = []", None).unwrap_err();
        assert_eq!(refused.to_string(), "inspect may not write to r.example/here (portolan.toml:2)");
        assert_eq!(refused.status(), 4);
        // To read is not to write.
        assert!(of("push = []\npull = [\"*\"]", None).is_err());
        let granted = of("push = [\"@named\"]\npull = []", None).unwrap();
        assert!(granted.allows_push("r.example/here") && !granted.allows_push("r.example/a"));
        let asked = pushes(&["r.example/a"]);
        assert!(of("push = [\"@named\"]", Some(&asked)).is_err());
        let granted = of("push = [\"r.example/*\"]", Some(&asked)).unwrap();
        assert!(granted.allows_push("r.example/a") && !granted.allows_push("r.example/b"));
    }

    #[test]
    fn what_fits_best_has_the_first_word_key_by_key() {
        let text = r#"
[frontend."*"]
run = false
memory = "1 MiB"
cpu = "1 s"
[frontend."oci://r.example/*"]
memory = "2 MiB"
[frontend."oci://r.example/team/*"]
run = true
[frontend."oci://r.example/team/app"]
memory = "4 MiB"
host-calls = 7
[strategy."*"]
memory = "3 MiB"
host-calls = 9
wall-clock = "7 s"
"#;
        let policy = Policy::parse(text, Path::new("portolan.toml")).unwrap();
        let usual = Limits::default();
        for (name, runs, memory, calls) in [
            ("r.example/team/app:1", true, 4, 7),
            ("r.example/team/other", true, 2, usual.host_calls),
            ("r.example/app", false, 2, usual.host_calls),
            ("x.example/app", false, 1, usual.host_calls),
        ] {
            let reference = portolan_oci::Reference::parse(name).unwrap();
            let ruling = policy.ruling(Who::Published(&reference), None);
            assert_eq!(ruling.admit().is_ok(), runs, "{name}");
            let limits = ruling.limits(&usual);
            assert_eq!((limits.guest_memory >> 20, limits.host_calls), (memory, calls), "{name}");
            assert_eq!((limits.guest_cpu, ruling.wall_clock()), (Duration::from_secs(1), None), "{name}");
            // A strategy narrows and never widens.
            let ruling = policy.ruling(Who::Published(&reference), Some(Who::File(Path::new("judge.wasm"))));
            let limits = ruling.limits(&usual);
            assert_eq!((limits.guest_memory >> 20, limits.host_calls), (memory.min(3), calls.min(9)), "{name}");
            assert_eq!(ruling.wall_clock(), Some(Duration::from_secs(7)));
        }
        // Of two, the shorter counts, whoever says so.
        for (frontend, strategy) in [(5, 7), (7, 5)] {
            let text = format!(
                "[frontend.\"*\"]\nwall-clock = \"{frontend} s\"\n[strategy.\"*\"]\nwall-clock = \"{strategy} s\"\n"
            );
            let policy = Policy::parse(&text, Path::new("portolan.toml")).unwrap();
            let (front, judge) = (Who::File(Path::new("front.wasm")), Who::File(Path::new("judge.wasm")));
            assert_eq!(policy.ruling(front, Some(judge)).wall_clock(), Some(Duration::from_secs(5)));
            assert_eq!(policy.ruling(front, None).wall_clock(), Some(Duration::from_secs(frontend)));
        }
        // A strategy that may not run keeps its frontend from it.
        let policy = Policy::parse("[strategy.\"*\"]\nrun = false\n", Path::new("portolan.toml")).unwrap();
        let front = Who::File(Path::new("front.wasm"));
        assert!(policy.ruling(front, None).admit().is_ok() && policy.ruling(front, Some(front)).admit().is_err());
        // Bundled ones are part of this program.
        let ruling = policy.ruling(Who::Bundled(Bundled::Inspect), None);
        assert!(ruling.admit().is_ok());
        assert_eq!(ruling.limits(&usual), usual);
    }

    #[test]
    fn who_says_so_is_told() {
        let ruling = inspect("[frontend.inspect]\npull = [\"r.example/a\", \"@named\"]\npush = []\ncpu = \"2 s\"\n");
        let said: Vec<String> = ruling
            .sayings(&Limits::default())
            .into_iter()
            .filter_map(|Saying { key, values, by }| Some(format!("{key}={} {}", values.join(","), by?)))
            .collect();
        assert_eq!(
            said,
            ["pull=r.example/a,@named portolan.toml:2", "push=nothing portolan.toml:3", "cpu=2 s portolan.toml:4"]
        );
        assert!(!ruling.frontend.wants_signature());
    }
}

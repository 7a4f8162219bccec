//! Which hosts a registry means: its mirrors and the registry itself, how each is connected to, and who said so.
//!
//! A build host knows its registries: BuildKit's `buildkitd.toml` (`buildkit`), which buildx keeps for each builder
//! (`buildx`), containerd's and docker's `certs.d` (`containerd`, `folder`). Each is read into the same words (`settings`)
//! with the line that said each, and `plan` makes of them a list of hosts. Here is where they are looked for, and which of
//! them is heard.
//!
//! Not here: connecting (`transport`), and what is done when a host has no answer (`route`).

mod buildkit;
mod buildx;
mod containerd;
mod folder;
mod plan;
mod settings;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use self::buildkit::Registries;
use self::plan::Flags;
pub(super) use self::plan::Planned;
use self::settings::Entry;
pub(super) use self::settings::{KeyPair, Need, Pem};
pub(super) use crate::configuration::Said;
use crate::configuration::Source;
use crate::source::{self, file};

/// Where a [`Registry`](super::Registry) learns which hosts to ask: places that are named, then the usual ones; and what
/// holds whatever they say.
///
/// Of a registry, the first place that says anything is heard: [`hosts_dir`](Hosts::hosts_dir),
/// [`buildkitd_config`](Hosts::buildkitd_config), [`builder`](Hosts::builder), then the usual places. A named place that is
/// missing or broken is an error, a usual one a warning. Nothing is read before a registry is asked.
///
/// ```no_run
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use portolan::source::registry::{Hosts, Registry};
///
/// let registry = Registry::builder().hosts(Hosts::usual().builder("ci").ca("/etc/corp/ca.pem")).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    hosts_dir: Option<PathBuf>,
    buildkitd: Option<PathBuf>,
    builder: Option<String>,
    usual: Usual,
    flags: Flags,
}

/// The places that nobody has to name.
#[derive(Debug, Clone, Default)]
struct Usual {
    buildkitd: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    buildx: Option<PathBuf>,
}

impl Hosts {
    /// The usual places: `buildkitd.toml` in `~/.config/buildkit` and `/etc/buildkit`, then `/etc/containerd/certs.d`,
    /// `~/.config/docker/certs.d` and `/etc/docker/certs.d`. (`~/.config` is `$XDG_CONFIG_HOME` where that is set.)
    pub fn usual() -> Hosts {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = std::env::home_dir();
        let config = path("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|home| home.join(".config")));
        let ours = |name: &str| config.as_ref().map(|config| config.join(name));
        let etc = |name: &str| Some(Path::new("/etc").join(name));
        let usual = Usual {
            buildkitd: [ours("buildkit/buildkitd.toml"), etc("buildkit/buildkitd.toml")]
                .into_iter()
                .flatten()
                .collect(),
            folders: [etc("containerd/certs.d"), ours("docker/certs.d"), etc("docker/certs.d")]
                .into_iter()
                .flatten()
                .collect(),
            buildx: source::buildx::folder(),
        };
        Hosts { usual, ..Hosts::default() }
    }

    /// No place at all: every registry is where its name says.
    pub fn none() -> Hosts {
        Hosts::default()
    }

    /// A folder as containerd's `certs.d`.
    #[must_use]
    pub fn hosts_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.hosts_dir = Some(folder.into());
        self
    }

    /// A `buildkitd.toml`.
    #[must_use]
    pub fn buildkitd_config(mut self, file: impl Into<PathBuf>) -> Self {
        self.buildkitd = Some(file.into());
        self
    }

    /// A builder of buildx, whose `buildkitd.toml` buildx has stored in `$BUILDX_CONFIG`, `$DOCKER_CONFIG/buildx` or
    /// `~/.docker/buildx`.
    #[must_use]
    pub fn builder(mut self, name: impl Into<String>) -> Self {
        self.builder = Some(name.into());
        self
    }

    /// Speak plain HTTP to the registries themselves. Their mirrors go by what is said of each.
    #[must_use]
    pub fn plain_http(mut self, plain: bool) -> Self {
        self.flags.plain_http = plain;
        self
    }

    /// Take any certificate from the registries themselves; from nobody else, neither their mirrors nor where they send us.
    #[must_use]
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.flags.insecure = insecure;
        self
    }

    /// A file of certificate authorities in PEM, to trust besides the system's in every server that is asked.
    #[must_use]
    pub fn ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.flags.authorities.push(Pem::File(file.into()));
        self
    }
}

/// What a registry means, and what of it means nothing.
#[derive(Debug)]
pub(super) struct Plan {
    /// In the order in which they are asked.
    pub hosts: Vec<Arc<Planned>>,
    /// Keys of the files that nobody here knows.
    pub ignored: Vec<Said<String>>,
}

type Read<T> = OnceLock<Result<T, String>>;

/// The files, read when they are first needed, and the plans made of them.
#[derive(Debug)]
pub(super) struct Directory {
    hosts: Hosts,
    named: Read<Registries>,
    builder: Read<Registries>,
    usual: OnceLock<Vec<Registries>>,
    plans: Mutex<HashMap<String, Arc<Plan>>>,
}

/// More registries than one process works with at a time; beyond that their files are read anew.
const PLANS: usize = 10_000;

impl Directory {
    pub(super) fn new(hosts: Hosts) -> Directory {
        let (named, builder, usual) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Directory { hosts, named, builder, usual, plans: Mutex::default() }
    }

    /// The hosts of a registry. The message says which file is wrong, where, and why.
    pub(super) fn plan(&self, domain: &str) -> Result<Arc<Plan>, String> {
        if let Some(plan) = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(domain) {
            return Ok(Arc::clone(plan));
        }
        let mut entry = self.entry(domain)?;
        let ignored = entry.as_mut().map(|entry| std::mem::take(&mut entry.ignored)).unwrap_or_default();
        let own = |host: &str| {
            let said = self.entry(host)?;
            Ok(said.filter(|entry| !is_default(&entry.by)).map(|entry| entry.settings))
        };
        let hosts = plan::plan(domain, entry, own, &self.hosts.flags)?;
        let plan = Arc::new(Plan { hosts: hosts.into_iter().map(Arc::new).collect(), ignored });
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= PLANS {
            plans.clear();
        }
        Ok(Arc::clone(plans.entry(domain.to_owned()).or_insert(plan)))
    }

    /// What the first place says that says anything of a registry.
    fn entry(&self, domain: &str) -> Result<Option<Entry>, String> {
        let entry = match self.named_entry(domain)? {
            Some(entry) => Some(entry),
            None => self.usual_entry(domain),
        };
        entry.map(with_folders).transpose()
    }

    fn named_entry(&self, domain: &str) -> Result<Option<Entry>, String> {
        let Hosts { hosts_dir, buildkitd, builder, .. } = &self.hosts;
        if let Some(folder) = hosts_dir {
            if !folder.is_dir() {
                return Err(format!("{}: there is no such folder", folder.display()));
            }
            let entry = match folder::of(folder, domain)? {
                Some(entry) => Some(entry),
                None => folder::entry(&folder.join(folder::DEFAULT))?,
            };
            if entry.is_some() {
                return Ok(entry);
            }
        }
        if let Some(file) = buildkitd {
            let read = self.named.get_or_init(|| match buildkitd_toml(file)? {
                Some(registries) => Ok(registries),
                None => Err(format!("{}: there is no such file", file.display())),
            });
            if let Some(entry) = found(read.as_ref()?, domain) {
                return Ok(Some(entry));
            }
        }
        if let Some(name) = builder {
            let read = self.builder.get_or_init(|| stored_builder(self.hosts.usual.buildx.as_deref(), name));
            return Ok(found(read.as_ref()?, domain));
        }
        Ok(None)
    }

    /// A registry's own entries come before those for whichever registry.
    fn usual_entry(&self, domain: &str) -> Option<Entry> {
        let Usual { buildkitd, folders, .. } = &self.hosts.usual;
        let files = self
            .usual
            .get_or_init(|| buildkitd.iter().filter_map(|file| warned(buildkitd_toml(file)).flatten()).collect());
        let in_files = files.iter().find_map(|registries| found(registries, domain));
        let in_folders = || folders.iter().find_map(|folder| warned(folder::of(folder, domain)).flatten());
        let anyone = || folders.iter().find_map(|root| warned(folder::entry(&root.join(folder::DEFAULT))).flatten());
        in_files.or_else(in_folders).or_else(anyone)
    }
}

/// What is said of whichever registry says nothing of a mirror as a host.
fn is_default(by: &Source) -> bool {
    let Source::File { file, .. } = by else { return false };
    let path = Path::new(file.as_ref());
    let folder = if path.ends_with("hosts.toml") { path.parent() } else { Some(path) };
    folder.is_some_and(|folder| folder.ends_with(folder::DEFAULT))
}

fn found(registries: &Registries, domain: &str) -> Option<Entry> {
    registries.get(&domain.to_ascii_lowercase()).cloned()
}

fn warned<T>(read: Result<T, String>) -> Option<T> {
    read.inspect_err(|problem| tracing::warn!("a configuration of registries is passed over: {problem}")).ok()
}

/// `None` if it is not there.
fn buildkitd_toml(path: &Path) -> Result<Option<Registries>, String> {
    let Some(bytes) = file::read(path)? else { return Ok(None) };
    let beside = path.parent().unwrap_or(Path::new(""));
    let pem = |name: &str| Pem::File(settings::beside(beside, name));
    buildkit::parse(&file::text(bytes, path)?, &path.display().to_string(), &pem).map(Some)
}

fn stored_builder(folder: Option<&Path>, name: &str) -> Result<Registries, String> {
    let (file, instance) = source::buildx::instance(folder, name)?;
    buildx::registries(instance, &file)
}

fn with_folders(mut entry: Entry) -> Result<Entry, String> {
    for folder in std::mem::take(&mut entry.settings.folders) {
        folder::certificates(&folder.value, &mut entry.settings)?;
    }
    Ok(entry)
}

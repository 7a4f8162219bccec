//! What may run here, and what it may do: `portolan.toml`, and beside it `portolan.lock`.
//!
//! ```toml
//! [frontend."oci://ghcr.io/acme/newest"]   # one in a registry, whatever its tag; "oci://ghcr.io/acme/*" for all below
//! run = true                               # although others may not, see below
//! signed-by = ["keys/acme.pub"]            # cosign's public keys, beside this file: one of them must have signed it
//! pull = ["ghcr.io/acme/*", "@named"]      # what it may read; @named is what its references name
//! push = []                                # what it may write: nothing
//! memory = "64 MiB"                        # and budgets: cpu, wall-clock, host-calls, documents, response
//! cpu = "2 s"
//!
//! [frontend."./plugins/*"]                 # files, beside this one
//! host-calls = 1000
//!
//! [frontend.copy]                          # a bundled one
//! push = ["ghcr.io/acme/mirror/*"]
//!
//! [frontend."*"]                           # every one that is not bundled
//! run = false
//!
//! [strategy."./judge.wasm"]                # a strategy asks nobody, so there is nothing to grant
//! cpu = "1 s"
//! ```
//!
//! Of the tables whose name fits, the one that fits best has the first word, key by key: one name, then the longest
//! `…/*`, then `*`, which bundled frontends are not under. What `pull` or `push` says is all that is granted, and a command
//! line narrows it; where neither says anything, what is named on the command line or allowed there is. Budgets take the
//! place of the usual [`Limits`](crate::Limits), and a strategy's only narrow those of the frontend that it is plugged
//! into. What is not understood is an error, and nothing runs.
//!
//! An embedder's own grants and limits are the outer bound: [`Grants::within`](crate::Grants::within),
//! [`Limits::within`](crate::Limits::within).
//!
//! ```no_run
//! # async fn example(host: portolan::Host) -> Result<(), Box<dyn std::error::Error>> {
//! use std::path::Path;
//!
//! use portolan::policy::{Policy, Who};
//! use portolan::{Component, Grants, Limits, Run};
//!
//! let path = Path::new("plugins/newest.wasm");
//! let ruling = Policy::open(Path::new("portolan.toml"))?.ruling(Who::File(path), None);
//! let bytes = std::fs::read(path)?;
//! ruling.frontend.admit_file(path, &bytes)?;
//! let frontend = host.load(Component::Named("newest", &bytes)).await?;
//! let ours = Grants::new().pull("ghcr.io/*")?;
//! let grants = ruling.grants(&Grants::new(), None)?.within(&ours);
//! let mut run = Run::new(&frontend).grants(grants).limits(ruling.limits(&Limits::default()));
//! if let Some(limit) = ruling.wall_clock() {
//!     run = run.wall_clock(Some(limit));
//! }
//! # host.run(run).await?;
//! # Ok(())
//! # }
//! ```

mod bound;
mod error;
mod file;
mod key;
mod lock;
mod place;
mod rule;
mod signature;
mod who;

use std::path::{Path, PathBuf};

pub use bound::Bound;
pub use error::PolicyError;
pub use lock::Lock;
pub use rule::{Rule, Ruling, Saying};
pub use who::Who;

use file::Entry;

/// What a file says; nothing where there is none.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    file: Option<PathBuf>,
    frontends: Vec<Entry>,
    strategies: Vec<Entry>,
}

impl Policy {
    /// The file that counts for a program that was started in `folder`, and [nothing](Policy::default) where there is none:
    /// the nearest `portolan.toml` in it or above, as far up as the folders belong to the same user or to us; else the one in
    /// `$XDG_CONFIG_HOME/portolan` (`~/.config/portolan`).
    ///
    /// # Errors
    /// As [`open`](Policy::open); a file in a folder of other people's that belongs to neither its owner nor us nor root.
    pub fn nearest(folder: &Path) -> Result<Policy, PolicyError> {
        place::nearest(folder)?.map_or_else(|| Ok(Policy::default()), |(file, text)| Policy::parse(&text, &file))
    }

    /// What this file says.
    ///
    /// # Errors
    /// A file that cannot be read; one that is not understood, with the line.
    pub fn open(file: &Path) -> Result<Policy, PolicyError> {
        Policy::parse(&place::text(file)?, file)
    }

    /// What a text says that is found at `file`, beside which it looks for what it names.
    ///
    /// # Errors
    /// See [`open`](Policy::open).
    pub fn parse(text: &str, file: &Path) -> Result<Policy, PolicyError> {
        let (frontends, strategies) = file::parse(text, file).map_err(PolicyError::Wrong)?;
        Ok(Policy { file: Some(file.to_owned()), frontends, strategies })
    }

    /// The file.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What it says of a frontend, and of the strategy that is plugged into it where that is not the bundled one.
    pub fn ruling(&self, frontend: Who<'_>, strategy: Option<Who<'_>>) -> Ruling {
        Ruling {
            frontend: Rule::of(&self.frontends, &frontend),
            strategy: strategy.map(|strategy| Rule::of(&self.strategies, &strategy)),
        }
    }
}

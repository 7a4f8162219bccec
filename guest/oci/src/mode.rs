//! How strict a judgement is.

use std::fmt;
use std::str::FromStr;

/// Which rules names and platforms are matched by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Mode {
    /// Portolan's own: nothing is guessed, nothing that fits is missed.
    #[default]
    Strict,
    /// As strict, and without fallbacks between platforms.
    Exact,
    /// What `docker buildx imagetools` does.
    CompatImagetools,
    /// What a BuildKit build does.
    CompatBuild,
}

impl Mode {
    /// All of them, the default first.
    pub const ALL: [Mode; 4] = [Mode::Strict, Mode::Exact, Mode::CompatImagetools, Mode::CompatBuild];

    /// As it is written on a command line and in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Strict => "strict",
            Mode::Exact => "exact",
            Mode::CompatImagetools => "compat=imagetools",
            Mode::CompatBuild => "compat=build",
        }
    }

    /// Whether another program's behaviour is asked for, warts included.
    pub fn is_compat(self) -> bool {
        matches!(self, Mode::CompatImagetools | Mode::CompatBuild)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMode(String);

impl fmt::Display for InvalidMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no mode is called {:?}: there are strict, exact, compat=imagetools and compat=build", self.0)
    }
}

impl std::error::Error for InvalidMode {}

impl FromStr for Mode {
    type Err = InvalidMode;

    fn from_str(text: &str) -> Result<Self, InvalidMode> {
        Mode::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or_else(|| InvalidMode(text.to_owned()))
    }
}

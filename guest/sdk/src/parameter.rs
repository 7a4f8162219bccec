//! What a frontend is called and what it takes: declared once, parsed by [`Request`](crate::Request), shown by hosts as
//! help, and the source of the command line's options.

/// A frontend's description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// One word, as it is called.
    pub name: &'static str,
    /// `env!("CARGO_PKG_VERSION")`, mostly.
    pub version: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// In the order that help shows them.
    pub parameters: Vec<Parameter>,
    /// What `--format` may ask for, the default first. Empty is as good as `["text"]`.
    pub formats: &'static [&'static str],
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// On or off.
    Flag,
    /// Any text.
    Text,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A reference that the run is granted to read.
    PullReference,
    /// A reference that the run is granted to write.
    PushReference,
    /// A file; the value is its content.
    File,
    /// The same; a reference in it is granted as a [`PullReference`](Kind::PullReference).
    PullReferenceFile,
}

/// One thing that a frontend takes. `format` and `mode` are the host's to add, and no names for parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// What it is called, and what follows `--`.
    pub name: &'static str,
    /// One letter for a short option.
    pub short: Option<char>,
    /// What its values are.
    pub kind: Kind,
    /// One sentence.
    pub help: &'static str,
    /// The value where none is given.
    pub default: Option<&'static str>,
    /// It must be given.
    pub required: bool,
    /// It may be given more than once.
    pub repeated: bool,
    /// It is given by place rather than by name.
    pub positional: bool,
}

impl Parameter {
    fn new(kind: Kind, name: &'static str, help: &'static str) -> Self {
        Parameter { name, short: None, kind, help, default: None, required: false, repeated: false, positional: false }
    }

    /// On or off; off where it is not given.
    pub fn flag(name: &'static str, help: &'static str) -> Self {
        Self::new(Kind::Flag, name, help)
    }

    /// Any text.
    pub fn text(name: &'static str, help: &'static str) -> Self {
        Self::new(Kind::Text, name, help)
    }

    /// One of `choices`.
    pub fn choice(name: &'static str, choices: &'static [&'static str], help: &'static str) -> Self {
        Self::new(Kind::Choice(choices), name, help)
    }

    /// A reference to read.
    pub fn pull_reference(name: &'static str, help: &'static str) -> Self {
        Self::new(Kind::PullReference, name, help)
    }

    /// A reference to write.
    pub fn push_reference(name: &'static str, help: &'static str) -> Self {
        Self::new(Kind::PushReference, name, help)
    }

    /// A file whose content is wanted.
    pub fn file(name: &'static str, help: &'static str) -> Self {
        Self::new(Kind::File, name, help)
    }

    /// A file whose content is wanted, and may hold a reference to read.
    pub fn pull_reference_file(name: &'static str, help: &'static str) -> Self {
        Self::new(Kind::PullReferenceFile, name, help)
    }

    /// Gives it a short option.
    #[must_use]
    pub fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    /// Gives it a value where none is given.
    #[must_use]
    pub fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    /// Makes it a must.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Lets it be given more than once.
    #[must_use]
    pub fn repeated(mut self) -> Self {
        self.repeated = true;
        self
    }

    /// Lets it be given by place.
    #[must_use]
    pub fn positional(mut self) -> Self {
        self.positional = true;
        self
    }
}

//! What a frontend says of itself: `portolan:oci/frontend.info`, as far as a command line needs it.

/// What a frontend says of itself.
#[derive(Debug, Clone)]
pub struct Info {
    /// Its name.
    pub name: String,
    /// What it does, in a line.
    pub summary: String,
    /// What it may be told.
    pub parameters: Vec<Parameter>,
    /// What `--format` may be, the default first.
    pub formats: Vec<String>,
}

/// One thing that a frontend may be told.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The long option, or what stands for the place.
    pub name: String,
    /// The short option.
    pub short: Option<char>,
    /// What it takes.
    pub kind: Kind,
    /// What it is for.
    pub help: String,
    /// What it is where it is not given.
    pub default: Option<String>,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it may be given again.
    pub repeated: bool,
    /// Whether it is given by place rather than by name.
    pub positional: bool,
}

/// What a parameter takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: it is given or not.
    Flag,
    /// Any text.
    Text,
    /// One of these.
    Choice(Vec<String>),
    /// A reference.
    Reference,
    /// A file, whose content is passed.
    File,
}

#[cfg(target_family = "wasm")]
impl From<crate::bindings::portolan::oci::frontend::Info> for Info {
    fn from(info: crate::bindings::portolan::oci::frontend::Info) -> Self {
        use crate::bindings::portolan::oci::frontend as wire;

        let kind = |kind| match kind {
            wire::Kind::Flag => Kind::Flag,
            wire::Kind::Text => Kind::Text,
            wire::Kind::Choice(choices) => Kind::Choice(choices),
            wire::Kind::PullReference | wire::Kind::PushReference => Kind::Reference,
            wire::Kind::File | wire::Kind::PullReferenceFile => Kind::File,
        };
        let parameter = |parameter| {
            let wire::Parameter { name, short, kind: takes, help, default, required, repeated, positional } = parameter;
            let short = short.and_then(|short| short.chars().next());
            Parameter { name, short, kind: kind(takes), help, default, required, repeated, positional }
        };
        let wire::Info { name, summary, parameters, formats, .. } = info;
        Info { name, summary, parameters: parameters.into_iter().map(parameter).collect(), formats }
    }
}
